//! A nats-server of the demo's own: on free loopback ports, in a temporary directory, gone when we are.
//!
//! It runs under a small shell that reads from a pipe of ours. When the pipe closes, in order or because we were killed, the
//! shell ends the server and removes the directory: the only way to do that without unsafe code, and a portable one. What the
//! server says goes to a pipe that the server alone holds open, so its end is seen at once.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::source::nats::options::Fate;
use crate::topology::problem::is_plain;

/// The server is there within this time, on the slowest machine.
const START_WITHIN: Duration = Duration::from_secs(10);
/// Ending takes no longer; then it is killed.
const END_WITHIN: Duration = Duration::from_secs(3);
/// How often a file is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// The name of the program.
const PROGRAM: &str = "nats-server";

/// Said once it is gone.
const ENDED: &str = "the demo's nats-server has ended, q ends the demo";

/// Of a line that a server says, more is not quoted.
const QUOTED: usize = 200;

/// `$1` is the directory, the rest the server with its arguments. What the server started itself goes last, by a signal to the
/// whole group.
const WATCHDOG: &str = r#"
dir=$1; shift
"$@" 2>&1 </dev/null &
server=$!
exec >/dev/null 2>&1
trap 'kill "$server" 2>/dev/null' HUP INT TERM
while read -r _; do :; done
kill "$server" 2>/dev/null
wait "$server" 2>/dev/null
rm -rf -- "$dir"
trap '' TERM
kill 0
"#;

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// No temporary directory.
    #[error("cannot make a temporary directory in {0}: {1}")]
    Directory(PathBuf, io::Error),
    /// It cannot be run.
    #[error("cannot start {0}: {1}")]
    Spawn(PathBuf, io::Error),
    /// It ran and gave up, or is too slow.
    #[error("{0} does not start: {1}")]
    Failed(PathBuf, String),
}

/// The first `nats-server` on the search path (the value of `PATH`).
pub fn find(search_path: &std::ffi::OsStr) -> Option<PathBuf> {
    std::env::split_paths(search_path).map(|folder| folder.join(PROGRAM)).find(|path| is_program(path))
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    watchdog: Child,
    directory: PathBuf,
    url: String,
    monitor: String,
    fate: Fate,
}

impl Server {
    /// Starts the program and waits until it accepts connections.
    pub async fn start(program: &Path) -> Result<Self, ServerError> {
        let directory = directory()?;
        let watchdog = spawn(program, &directory);
        let mut watchdog = match watchdog {
            Ok(child) => child,
            Err(error) => {
                let _ = fs::remove_dir_all(&directory);
                return Err(ServerError::Spawn(program.to_owned(), error));
            }
        };
        let fate = Fate::default();
        let said = Said::hear(watchdog.stdout.take(), fate.clone());
        // From here on dropping it takes everything back.
        let mut server = Self { watchdog, directory, url: String::new(), monitor: String::new(), fate };
        let deadline = Instant::now() + START_WITHIN;
        loop {
            if let Some((url, monitor)) = ports(&server.directory) {
                (server.url, server.monitor) = (url, monitor);
                return Ok(server);
            }
            if let Some(why) = fatal(&server.directory) {
                return Err(ServerError::Failed(program.to_owned(), why));
            }
            if let Some(last) = said.all() {
                // It may have written why while we looked.
                let why = fatal(&server.directory).unwrap_or(match last {
                    last if last.is_empty() => "it ended at once and said nothing".to_owned(),
                    last => format!("it ended at once: {last}"),
                });
                return Err(ServerError::Failed(program.to_owned(), why));
            }
            if Instant::now() > deadline {
                let why = format!("it has not opened its ports within {} s", START_WITHIN.as_secs());
                return Err(ServerError::Failed(program.to_owned(), why));
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Where clients connect: `nats://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Tells when it has ended.
    pub fn fate(&self) -> Fate {
        self.fate.clone()
    }

    /// Where it can be asked how it fares: `http://127.0.0.1:PORT`.
    pub fn monitor(&self) -> &str {
        &self.monitor
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let deadline = std::time::Instant::now() + END_WITHIN;
        while std::time::Instant::now() < deadline {
            if !matches!(self.watchdog.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        end_group(&self.watchdog);
        let _ = self.watchdog.kill();
        let _ = self.watchdog.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// What the server says beside its log, heard by a thread of its own as long as the server lives.
struct Said(Arc<Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    last: String,
    ended: bool,
}

impl Said {
    fn hear(pipe: Option<impl Read + Send + 'static>, fate: Fate) -> Self {
        let heard: Arc<Mutex<Heard>> = Arc::default();
        let tell = Arc::clone(&heard);
        let Some(pipe) = pipe else { return Self(heard) };
        std::thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            // A line without an end is not kept whole.
            while matches!(pipe.by_ref().take(64 * 1024).read_until(b'\n', &mut line), Ok(1..)) {
                let text = String::from_utf8_lossy(&line);
                let text: String = text.trim().chars().filter(|c| is_plain(*c)).take(QUOTED).collect();
                if !text.is_empty() {
                    tell.lock().unwrap_or_else(PoisonError::into_inner).last = text;
                }
                line.clear();
            }
            tell.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
            fate.ended(ENDED);
        });
        Self(heard)
    }

    /// The last line, once the server has ended.
    fn all(&self) -> Option<String> {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.ended.then(|| heard.last.clone())
    }
}

/// The server is in the group of the shell that watches over it.
#[cfg(unix)]
fn end_group(watchdog: &Child) {
    let group = rustix::process::Pid::from_child(watchdog);
    let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
}

#[cfg(not(unix))]
fn end_group(_: &Child) {}

/// A directory that only we may enter.
fn directory() -> Result<PathBuf, ServerError> {
    let parent = std::env::temp_dir();
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let mut tries = 0;
    loop {
        let name = format!("headwater-demo-{}-{:08x}", std::process::id(), fastrand::u32(..));
        let directory = parent.join(name);
        match builder.create(&directory) {
            Ok(()) => return Ok(directory),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < 16 => tries += 1,
            Err(error) => return Err(ServerError::Directory(parent, error)),
        }
    }
}

fn spawn(program: &Path, directory: &Path) -> io::Result<Child> {
    let mut command = Command::new("sh");
    command.args(["-c", WATCHDOG, "headwater-demo"]).arg(directory).arg(program);
    command.args(["-a", "127.0.0.1", "-p", "-1", "-m", "-1", "-js", "-sd"]).arg(directory.join("js"));
    command.arg("--ports_file_dir").arg(directory).arg("-l").arg(directory.join("log"));
    // A group of its own: ctrl-c is for us, who end it in order.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()
}

/// The addresses, once the server has written them down.
fn ports(directory: &Path) -> Option<(String, String)> {
    let mut entries = fs::read_dir(directory).ok()?.flatten().map(|entry| entry.path());
    let file = entries.find(|path| path.extension().is_some_and(|extension| extension == "ports"))?;
    let ports: serde_json::Value = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
    let first = |kind: &str| ports.get(kind)?.get(0)?.as_str().map(str::to_owned);
    Some((first("nats")?, first("monitoring")?))
}

/// Why the server has given up, from its log.
fn fatal(directory: &Path) -> Option<String> {
    let log = fs::read_to_string(directory.join("log")).ok()?;
    let line = log.lines().find_map(|line| line.split_once("[FTL]"))?;
    Some(line.1.trim().chars().filter(|c| is_plain(*c)).take(QUOTED).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_programs_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(PROGRAM);
        assert_eq!(find(folder.path().as_os_str()), None);
        fs::write(&path, "").unwrap();
        assert_eq!(find(folder.path().as_os_str()), None);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            assert_eq!(find(folder.path().as_os_str()), Some(path));
        }
    }

    /// A program in a folder of its own, made of this script.
    fn program(script: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fake");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        (folder, path)
    }

    #[tokio::test]
    async fn a_program_that_is_no_server_is_told_and_leaves_nothing_behind() {
        for (script, why) in [
            // It logs as a server does that cannot open its port.
            ("while [ \"$1\" != -l ]; do shift; done\necho '[1] 2026 [FTL] no port' > \"$2\"", "no port"),
            ("echo first; printf 'no \\033[31mlicence\\n' >&2; exit 3", "it ended at once: no [31mlicence"),
            ("exit 3", "it ended at once and said nothing"),
        ] {
            let (_folder, path) = program(script);
            let error = Server::start(&path).await.unwrap_err().to_string();
            assert_eq!(error, format!("{} does not start: {why}", path.display()));
        }
        let ours = format!("headwater-demo-{}-", std::process::id());
        let left = fs::read_dir(std::env::temp_dir()).unwrap().flatten();
        let left: Vec<_> = left.filter(|e| e.file_name().to_string_lossy().starts_with(&ours)).collect();
        assert!(left.is_empty(), "{left:?}");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_server_that_ends_later_is_told() {
        let script = "while [ \"$1\" != --ports_file_dir ]; do shift; done\n\
                      echo '{\"nats\":[\"nats://a:1\"],\"monitoring\":[\"http://a:2\"]}' > \"$2/x.tmp\"\n\
                      mv \"$2/x.tmp\" \"$2/x.ports\"\nwhile [ ! -e \"${0%/*}/end\" ]; do sleep 0.01; done";
        let (folder, path) = program(script);
        let server = Server::start(&path).await.unwrap();
        assert_eq!((server.url(), server.fate().why()), ("nats://a:1", None));
        fs::write(folder.path().join("end"), "").unwrap();
        let ended = async {
            while server.fate().why().is_none() {
                sleep(LOOK_EVERY).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), ended).await.expect("it is told");
        assert_eq!(server.fate().why(), Some("the demo's nats-server has ended, q ends the demo"));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_program_that_hangs_is_ended_with_what_it_started_when_nobody_waits_any_more() {
        let (folder, path) = program("sleep 600 &\necho $! > \"${0%/*}/pid\"\nwait");
        let file = folder.path().join("pid");
        let started = tokio::time::timeout(Duration::from_secs(60), async {
            tokio::select! {
                _ = Server::start(&path) => None,
                pid = async {
                    loop {
                        let text = fs::read_to_string(&file).unwrap_or_default();
                        match text.trim().parse::<i32>() {
                            Ok(pid) => return pid,
                            Err(_) => sleep(LOOK_EVERY).await,
                        }
                    }
                } => Some(pid),
            }
        });
        let pid = started.await.unwrap().unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        let gone = async {
            while rustix::process::test_kill_process(pid).is_ok() {
                sleep(LOOK_EVERY).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), gone).await.expect("it is gone");
    }
}
