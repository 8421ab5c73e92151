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

/// What a program that has ended left behind.
pub struct Ended {
    /// What it printed on standard output and on standard error.
    pub out: String,
    pub err: String,
    pub code: Option<i32>,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("it prints text");
        Self { out: text(output.stdout), err: text(output.stderr), code: output.status.code() }
    }
}

impl Ended {
    /// The JSON document that it printed.
    ///
    /// # Panics
    /// When it failed or printed something else.
    pub fn document(&self) -> Value {
        assert_eq!(self.code, Some(0), "{}", self.err);
        serde_json::from_str(&self.out).expect("it prints one JSON document")
    }
}

/// Does what blocks (running the program, reading its lines) beside the test's own tasks.
///
/// # Panics
/// As `work` does.
pub async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// Runs to the end, beside the test's own tasks.
pub async fn ended<S: Into<String>>(args: impl IntoIterator<Item = S>) -> Ended {
    let args: Vec<String> = args.into_iter().map(Into::into).collect();
    beside(move || run(&args.iter().map(String::as_str).collect::<Vec<_>>()).into()).await
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
    Ended::from(run(&all)).document()
}

/// `once --format json` against one broker, beside the test's own tasks.
pub async fn look(url: String, args: &'static [&'static str]) -> Value {
    beside(move || once(&url, args)).await
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
    home: tempfile::TempDir,
}

impl Stream {
    pub fn start(args: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let errors = std::fs::File::create(home.path().join("errors")).unwrap();
        let mut child = command(home.path())
            .arg("stream")
            .args(args)
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines, home }
    }

    /// What it has printed on standard error so far.
    pub fn errors(&self) -> String {
        std::fs::read_to_string(self.home.path().join("errors")).unwrap()
    }

    /// The next document.
    pub fn next(&mut self) -> Value {
        let line = self.lines.next().expect("the stream goes on").unwrap();
        serde_json::from_str(&line).expect("each line is one JSON document")
    }

    /// Reads on until a document satisfies `found`; panics with the last one after `most` lines.
    pub fn until(&mut self, most: usize, what: &str, mut found: impl FnMut(&Value) -> bool) -> Value {
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
