//! `headwater demo` as a person runs it, without a terminal: what it shows, and that nothing of it is left.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{Broker, Config, Version, binaries, headwater, http, wait::wait_for_blocking};

const SOON: Duration = Duration::from_secs(60);

/// A running demo, read line by line.
struct Demo {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    /// Holds the temporary files of the demo, so that what is left of them can be seen.
    home: tempfile::TempDir,
}

fn command(home: &Path, path: &Path, args: &[&str]) -> Command {
    let mut command = headwater::command(home);
    let path = format!("{}:/usr/bin:/bin", path.display());
    command.env("PATH", path).env("TMPDIR", home).arg("demo").args(args);
    command
}

impl Demo {
    fn start(path: &Path, args: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut child = command(home.path(), path, args)
            .arg("--headless")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines, home }
    }

    /// The first picture in which every service is up and everything has a rate.
    fn living(&mut self) -> Value {
        let mut last = Value::Null;
        for _ in 0..60 {
            let Some(Ok(line)) = self.lines.next() else { break };
            last = serde_json::from_str(&line).unwrap();
            let services = last["services"].as_array().unwrap();
            let all_up = services.len() >= 10 && services.iter().all(|service| service["state"] == "up");
            let flows = last["flows"].as_array().unwrap().iter();
            let moving = flows.filter(|flow| flow["rate"].as_f64().is_some_and(|rate| rate > 0.0)).count();
            if all_up && moving >= 20 {
                return last;
            }
        }
        let _ = self.child.kill();
        let mut said = String::new();
        let _ = self.child.stderr.take().unwrap().read_to_string(&mut said);
        panic!("never a living picture; it said {said:?}; last was {last:#}");
    }

    /// Consumers whose delays are exact, in the first picture in which there are more than ten, or after some pictures.
    fn exact(&mut self) -> usize {
        let mut exact = 0;
        for _ in 0..30 {
            let Some(Ok(line)) = self.lines.next() else { break };
            let picture: Value = serde_json::from_str(&line).unwrap();
            let consumers = picture["consumers"].as_array().unwrap().iter();
            exact = consumers.filter(|consumer| consumer["delay_ms"]["method"] == "exact").count();
            if exact > 10 {
                break;
            }
        }
        exact
    }

    fn signal(&mut self, signal: Signal) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        wait_for_blocking(SOON, "the demo ends", || match self.child.try_wait().unwrap() {
            Some(status) => Ok(status),
            None => Err("it runs".to_owned()),
        })
    }

    /// Directories of the demo that are still there.
    fn left(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.home.path()).unwrap().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The folder of the server that tests run.
fn server_folder() -> std::path::PathBuf {
    let program = binaries::find(Version::New).unwrap_or_else(|why| panic!("{why}"));
    program.parent().unwrap().to_owned()
}

fn counts(broker: &Broker) -> (u64, u64) {
    let jsz = http::get_json(broker.monitor_port(), "/jsz").unwrap();
    (jsz["streams"].as_u64().unwrap(), jsz["consumers"].as_u64().unwrap())
}

#[test]
fn with_a_server_on_the_path_it_is_real_and_leaves_nothing() {
    let mut demo = Demo::start(&server_folder(), &[]);
    let picture = demo.living();
    let source = headwater::row(&picture, "sources", "main");
    assert_eq!((&source["kind"], &source["state"]), (&"nats".into(), &"up".into()));
    assert_eq!(source["server_version"], "2.15.1");
    // Programs that are no service of the store would be services of their own.
    assert_eq!(picture["services"].as_array().unwrap().len(), 10);
    assert_eq!(demo.left().len(), 1, "the server's directory");
    assert_eq!(picture["probe"], "tap", "nobody else is there");
    assert!(demo.exact() > 10);
    let status = demo.signal(Signal::TERM);
    assert_eq!(status.code(), Some(143));
    assert_eq!(demo.left(), [""; 0]);
}

#[test]
fn when_it_is_killed_its_server_goes_too() {
    let mut demo = Demo::start(&server_folder(), &[]);
    let picture = demo.living();
    assert_eq!(picture["services"].as_array().unwrap().len(), 10);
    demo.signal(Signal::KILL);
    wait_for_blocking(SOON, "the server and its directory are gone", || match demo.left() {
        left if left.is_empty() => Ok(()),
        left => Err(format!("{left:?}")),
    });
}

#[test]
fn on_a_given_broker_it_removes_exactly_what_it_made() {
    let broker = Broker::start(Config::jetstream());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = broker.connect().await;
        crate::support::jet::stream(&client, "THEIRS", &["theirs.>"]).await;
    });
    let nothing = tempfile::tempdir().unwrap();
    let url = broker.url();
    let mut demo = Demo::start(nothing.path(), &["--broker", &url]);
    let picture = demo.living();
    assert_eq!(headwater::row(&picture, "channels", "main/ORDERS")["kind"], "stream");
    assert_eq!(counts(&broker), (7, 22));
    assert_eq!(picture["probe"], "passive", "it is somebody else's");
    let told = picture["consumers"].as_array().unwrap().iter();
    assert!(told.clone().all(|consumer| consumer["delay_ms"]["method"] != "exact"));

    // A second one would mix with the first.
    let home = tempfile::tempdir().unwrap();
    let second = command(home.path(), nothing.path(), &["--headless", "--broker", &url]).output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(2), "{said}");
    assert!(
        said.starts_with(
            "headwater: another demo runs there, or one that was killed left these streams behind: "
        ),
        "{said}"
    );

    let status = demo.signal(Signal::INT);
    assert_eq!(status.code(), Some(130));
    assert_eq!(counts(&broker), (1, 0));

    // Killed, it can remove nothing: the next one names what is left.
    let mut demo = Demo::start(nothing.path(), &["--broker", &url]);
    demo.living();
    demo.signal(Signal::KILL);
    let next = command(home.path(), nothing.path(), &["--headless", "--broker", &url]).output().unwrap();
    let said = String::from_utf8_lossy(&next.stderr);
    assert_eq!(next.status.code(), Some(2), "{said}");
    assert!(said.contains("nats stream rm -f ORDERS"), "{said}");
    assert_eq!(counts(&broker).0, 7);
}

#[test]
fn without_a_server_it_is_simulated() {
    let nothing = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(nothing.path(), &["--seed", "7"]);
    let picture = demo.living();
    assert_eq!(picture["probe"], "tap");
    assert!(demo.exact() > 10);
    // Nothing real is there that could have a state.
    assert_eq!(headwater::row(&picture, "sources", "main")["state"], "up");
    assert_eq!(demo.left(), [""; 0]);
    assert_eq!(demo.signal(Signal::TERM).code(), Some(143));
}

#[test]
fn what_cannot_work_is_said_in_one_line() {
    let nothing = tempfile::tempdir().unwrap();
    let home = tempfile::tempdir().unwrap();
    for (args, code, line) in [
        (
            vec!["--headless", "--broker", "nats://127.0.0.1:1"],
            3,
            "headwater: nats://127.0.0.1:1: connection refused\n",
        ),
        (
            vec![],
            2,
            "headwater: standard output is not a terminal: use `headwater demo --headless` for lines of JSON\n",
        ),
        (
            vec!["--headless", "--nats", "nats://h"],
            2,
            "headwater: --nats has no meaning for demo, which watches a store of its own; to run that on a server of \
             yours, use --broker URL\n",
        ),
    ] {
        let output = command(home.path(), nothing.path(), &args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*said), (Some(code), line), "{args:?}");
    }
}
