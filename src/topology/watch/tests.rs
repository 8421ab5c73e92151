//! Edits are noticed, bad ones keep the last good topology.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::*;

fn write(root: &Path, name: &str, text: &str) {
    fs::write(root.join(name), text).expect("written");
}

fn services(watcher: &Watcher) -> Vec<String> {
    watcher.topology().map(|t| t.services.keys().map(ToString::to_string).collect()).unwrap_or_default()
}

#[test]
fn an_edit_is_noticed_once() {
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), "a.yaml", "service: a\n");
    let now = SystemTime::now();
    let mut watcher = Watcher::new(dir.path(), now);
    assert_eq!(services(&watcher), ["a"]);
    assert!(!watcher.check(now));
    write(dir.path(), "b.yaml", "service: b\n");
    assert!(watcher.check(now));
    assert_eq!(services(&watcher), ["a", "b"]);
    assert!(!watcher.check(now));
    fs::remove_file(dir.path().join("a.yaml")).expect("removed");
    assert!(watcher.check(now));
    assert_eq!(services(&watcher), ["b"]);
}

#[test]
fn a_bad_edit_keeps_the_last_good_topology_and_says_what_is_wrong() {
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), "a.yaml", "service: a\n");
    let now = SystemTime::now();
    let mut watcher = Watcher::new(dir.path(), now);
    write(dir.path(), "a.yaml", "service: a\nonws: []\n");
    assert!(watcher.check(now));
    assert_eq!(services(&watcher), ["a"]);
    let state = watcher.state();
    assert_eq!(state.services, 1);
    assert_eq!(state.problems.len(), 1);
    assert!(
        state.problems[0].starts_with("a.yaml:2:1: error: unknown field `onws`"),
        "{}",
        state.problems[0]
    );
    write(dir.path(), "a.yaml", "service: c\n");
    assert!(watcher.check(now));
    assert_eq!(watcher.problems(), []);
    assert_eq!(services(&watcher), ["c"]);
}

#[test]
fn an_edit_that_leaves_size_and_time_is_noticed_while_the_time_is_fresh() {
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), "a.yaml", "service: a\n");
    let path = dir.path().join("a.yaml");
    let at = fs::metadata(&path).and_then(|m| m.modified()).expect("a time");
    let mut watcher = Watcher::new(dir.path(), at + Duration::from_secs(1));
    write(dir.path(), "a.yaml", "service: b\n");
    File::options().write(true).open(&path).and_then(|f| f.set_modified(at)).expect("set");
    assert!(watcher.check(at + Duration::from_secs(2)));
    assert_eq!(services(&watcher), ["b"]);
}

#[test]
fn errors_are_told_apart_from_what_is_only_odd() {
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), "a.yaml", "service: a\n");
    let mut watcher = Watcher::new(dir.path(), SystemTime::now());
    let at = |line| super::super::declared::Origin { file: "a.yaml".into(), line, column: 1 };
    watcher.problems = vec![Problem::warning(&at(1), "odd"), Problem::error(&at(2), "wrong")];
    assert_eq!(watcher.state().problems, ["a.yaml:2:1: error: wrong".into()]);
    assert_eq!(watcher.state().warnings, ["a.yaml:1:1: warning: odd".into()]);
    watcher.problems.truncate(1);
    assert_eq!(watcher.state().problems, [], "it is taken");
    assert_eq!(watcher.state().warnings, ["a.yaml:1:1: warning: odd".into()]);
}

#[test]
fn an_old_file_is_not_read_again() {
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), "a.yaml", "service: a\n");
    let path = dir.path().join("a.yaml");
    let old = SystemTime::now() - Duration::from_secs(3600);
    let age = |at| File::options().write(true).open(&path).and_then(|f| f.set_modified(at)).expect("set");
    age(old);
    let now = SystemTime::now();
    let mut watcher = Watcher::new(dir.path(), now);
    // Only by forging the time can an edit hide; that it does shows that nothing was read.
    write(dir.path(), "a.yaml", "service: b\n");
    age(old);
    assert!(!watcher.check(now));
    age(now);
    assert!(watcher.check(now));
}

#[test]
fn a_touch_without_an_edit_changes_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), "a.yaml", "service: a\n");
    let now = SystemTime::now();
    let mut watcher = Watcher::new(dir.path(), now);
    let at = now - Duration::from_secs(60);
    File::options()
        .write(true)
        .open(dir.path().join("a.yaml"))
        .and_then(|f| f.set_modified(at))
        .expect("set");
    assert!(!watcher.check(now));
}

#[test]
fn a_directory_that_goes_and_comes_is_said() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().join("topology");
    fs::create_dir(&root).expect("made");
    write(&root, "a.yaml", "service: a\n");
    let now = SystemTime::now();
    let mut watcher = Watcher::new(&root, now);
    fs::remove_dir_all(&root).expect("removed");
    assert!(watcher.check(now));
    assert_eq!(services(&watcher), ["a"], "the last good one");
    assert_eq!(watcher.problems().len(), 1);
    assert_eq!(watcher.problems()[0].text, "no such file or directory");
    assert!(!watcher.check(now));
    fs::create_dir(&root).expect("made");
    write(&root, "a.yaml", "service: a\n");
    assert!(watcher.check(now));
    assert_eq!(watcher.problems(), []);
}
