//! The program itself, run as a person would run it without a terminal.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The binary with none of this machine's settings: no contexts, no NATS variables, an empty home.
pub fn command(home: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
    command
        .env_clear()
        .env("HOME", home)
        .env("PATH", "/usr/bin:/bin")
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::null());
    command
}

/// Runs to the end.
pub fn run(args: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    command(home.path()).args(args).output().unwrap()
}

/// Runs to the end, which must come within `deadline`: what it printed on standard error, and its exit code.
///
/// # Panics
/// When it does not end by itself.
pub fn ends(args: &[&str], deadline: Duration) -> (String, Option<i32>) {
    let home = tempfile::tempdir().unwrap();
    let mut child =
        command(home.path()).args(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let until = Instant::now() + deadline;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > until {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{args:?} does not end by itself within {deadline:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().unwrap();
    (String::from_utf8(output.stderr).unwrap(), output.status.code())
}

/// `once --format json` against one broker: the document that it prints.
///
/// # Panics
/// When it fails or prints something else.
pub fn once(url: &str, args: &[&str]) -> Value {
    let mut all = vec!["once", "--format", "json", "--nats", url];
    all.extend(args);
    let output = run(&all);
    assert!(
        output.status.success(),
        "{all:?} ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("`once --format json` prints one JSON document")
}

/// The row of this id in one of the document's lists.
///
/// # Panics
/// When there is none: the message lists those that are there.
pub fn row<'a>(document: &'a Value, list: &str, id: &str) -> &'a Value {
    let rows = document[list].as_array().expect("a list");
    rows.iter().find(|row| row["id"] == id).unwrap_or_else(|| {
        panic!("no {id} in {list}: {:?}", rows.iter().map(|row| &row["id"]).collect::<Vec<_>>())
    })
}

/// A running `headwater stream`, read line by line; killed when dropped.
pub struct Stream {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    _home: tempfile::TempDir,
}

impl Stream {
    pub fn start(args: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut child = command(home.path())
            .arg("stream")
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines, _home: home }
    }

    /// The next document.
    pub fn next(&mut self) -> Value {
        let line = self.lines.next().expect("the stream goes on").unwrap();
        serde_json::from_str(&line).expect("each line is one JSON document")
    }

    /// Reads on until a document satisfies `found`; panics with the last one after `most` lines.
    pub fn until(&mut self, most: usize, what: &str, found: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..most {
            last = self.next();
            if found(&last) {
                return last;
            }
        }
        panic!("not within {most} lines: {what}; last was {last:#}")
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
