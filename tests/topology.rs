//! `headwater topology` from outside: what is printed where, and the exit codes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::{Command, Output};

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sample-topology");

fn headwater(arguments: &[&str]) -> (String, String, Option<i32>) {
    let output: Output =
        Command::new(env!("CARGO_BIN_EXE_headwater")).args(arguments).env_clear().output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

fn file(directory: &Path, text: &str) -> String {
    std::fs::write(directory.join("a.yaml"), text).unwrap();
    directory.to_str().unwrap().to_owned()
}

#[test]
fn right_files_are_one_line_and_exit_code_0() {
    assert_eq!(
        headwater(&["topology", "validate", SAMPLE]),
        ("online-store: 10 services in 11 files, no mistakes\n".to_owned(), String::new(), Some(0))
    );
}

#[test]
fn all_errors_are_printed_and_exit_code_is_2() {
    let directory = tempfile::tempdir().unwrap();
    let root = file(directory.path(), "service: billing\nonws: []\ncalls: [{ service: billng }]\n");
    assert_eq!(
        headwater(&["topology", "validate", &root]),
        (
            String::new(),
            format!(
                "{root}/a.yaml:2:1: error: unknown field `onws` in a service document, expected one of service, \
                 headwater, description, kind, team, domain, identity, health, stores, uses_stores, owns, copies, \
                 publishes, provides_feeds, consumes, follows_feeds, answers, calls; did you mean `owns`?\n\
                 {root}/a.yaml:3:20: error: `billng` in calls is a service that no file declares; did you mean \
                 `billing`?\n\
                 headwater: 2 errors in 1 file of the topology\n"
            ),
            Some(2)
        )
    );
    let (out, _, code) = headwater(&["topology", "show", &root]);
    assert_eq!((out.as_str(), code), ("", Some(2)));
}

#[test]
fn warnings_alone_are_no_failure() {
    let directory = tempfile::tempdir().unwrap();
    let root = file(directory.path(), "service: a\nconsumes: [{ event: E }]\n");
    assert_eq!(
        headwater(&["topology", "validate", &root]),
        (
            "1 service in 1 file, 1 warning\n".to_owned(),
            format!("{root}/a.yaml:2:21: warning: `E` is an event that nobody here publishes\n"),
            Some(0)
        )
    );
}

#[test]
fn show_prints_the_system() {
    let (out, err, code) = headwater(&["topology", "show", SAMPLE]);
    assert_eq!((err.as_str(), code), ("", Some(0)));
    assert!(out.starts_with("online-store: 10 services, 15 stores, 16 kinds of data\n"), "{out}");
    for line in [
        "  Address       owned by accounts by address_id; owned by shipping by address_id\n",
        "    touches    accounts-db of accounts (read)\n",
    ] {
        assert!(out.contains(line), "{line} is not in\n{out}");
    }
    let (same, _, _) = headwater(&["--topology", SAMPLE, "topology", "show"]);
    assert_eq!(same, out);
}

#[test]
fn a_directory_must_be_named_and_there() {
    assert_eq!(
        headwater(&["topology", "show"]),
        (
            String::new(),
            "headwater: no directory was named; use 'headwater topology show DIR' or --topology DIR\n"
                .to_owned(),
            Some(2)
        )
    );
    assert_eq!(
        headwater(&["topology", "validate", "/nowhere"]),
        (
            String::new(),
            "/nowhere: error: no such file or directory\nheadwater: 1 error in 0 files of the topology\n"
                .to_owned(),
            Some(2)
        )
    );
}
