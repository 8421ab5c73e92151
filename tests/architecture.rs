//! The code is held to the house rules of `ARCHITECTURE.md`: who may use whom, who may touch the clock, the
//! network and the terminal, and how files look.
//!
//! Every source file is parsed and every path followed: `use` trees, inline `crate::…`, `self::…` and
//! `super::…`, re-exports of one room by another, and (best effort) the tokens inside macros. Code under
//! `#[cfg(test)]` is free to use other rooms.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "architecture/rules.rs"]
mod rules;
#[path = "architecture/scan.rs"]
mod scan;

use std::path::{Path, PathBuf};

use rules::check;
use scan::SourceFile;

/// Every `.rs` file below `src/`, with its path from there.
fn sources() -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut open = vec![root.clone()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
                found.push(SourceFile::parse(&name, &std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

#[test]
fn the_code_keeps_the_house_rules() {
    let offences = check(&sources());
    assert!(offences.is_empty(), "{} offences:\n{}", offences.len(), offences.join("\n"));
}

/// What the rules say about small made-up files.
fn offences(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<SourceFile> =
        files.iter().map(|(name, text)| SourceFile::parse(name, &format!("//! Doc.\n{text}"))).collect();
    check(&files)
}

#[test]
fn an_arrow_that_the_table_lacks_is_found_however_it_is_written() {
    for text in [
        "use crate::engine::Engine;",
        "use crate::{model::Id, engine};",
        "use crate::engine as brain;",
        "use super::super::engine::Engine;",
        "use super::super::{engine};",
        "fn f() { let _ = crate::engine::step(); }",
        "fn f(_: &crate::engine::Engine) {}",
        "impl crate::engine::Step for u8 {}",
        "pub use crate::engine::Engine;",
        "mod inner { use super::super::super::engine::Engine; }",
        "fn f() { println!(\"{}\", crate::engine::NAME); }",
        "macro_rules! m { () => { $crate::engine::step() } }",
        "#[derive(Clone)] struct A { e: Vec<crate::engine::Engine> }",
    ] {
        let found = offences(&[("source/nats.rs", text), ("source.rs", ""), ("engine.rs", "")]);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].contains("source may not use engine"), "{text}: {found:?}");
        assert!(found[0].starts_with("src/source/nats.rs:2"), "{text}: {found:?}");
    }
}

#[test]
fn arrows_of_the_table_are_free() {
    let found = offences(&[
        (
            "source/nats.rs",
            "use crate::{model::Id, topology, record}; use super::accumulate; use self::wire::X;",
        ),
        ("engine.rs", "use crate::findings::check; fn f() { crate::model::f(); }"),
        ("commands/once.rs", "use crate::{engine, source, report, tui, settings};"),
        ("tui.rs", "use crossterm::terminal::enable_raw_mode; use crate::ui;"),
        ("main.rs", "fn main() { headwater::commands::run(); }"),
    ]);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn a_re_export_is_followed_to_where_it_leads() {
    let found = offences(&[
        ("source.rs", "pub use crate::record::Writer;"),
        ("record.rs", "pub struct Writer;"),
        ("demo.rs", "use crate::source::Writer;"),
    ]);
    assert_eq!(found, ["src/demo.rs:2: demo may not use record (crate::source::Writer leads there)"]);
    let found = offences(&[("source.rs", "pub use crate::record::*;"), ("record.rs", ""), ("model.rs", "")]);
    assert_eq!(found, ["src/source.rs:2: source re-exports all of record; name what it re-exports"]);
}

#[test]
fn the_root_is_not_a_way_around() {
    for text in ["use crate as all;", "use crate::*;", "use super::*;"] {
        let found = offences(&[("model.rs", text)]);
        assert_eq!(found, ["src/model.rs:2: takes in the crate root as a whole; name the room"], "{text}");
    }
}

#[test]
fn tests_inside_a_room_may_use_others() {
    let text = "#[cfg(test)] mod tests { use crate::topology; fn f() { crate::engine::f(); } }\n\
                #[cfg(test)] use crate::engine;";
    assert!(offences(&[("model.rs", text), ("model/id/tests.rs", "use crate::engine;")]).is_empty());
    assert_eq!(offences(&[("model/contests.rs", "use crate::engine;")]).len(), 1);
}

#[test]
fn the_terminal_belongs_to_tui() {
    for text in [
        "use crossterm::terminal::size;",
        "use ratatui::crossterm::execute;",
        "fn f() { crossterm::terminal::size(); }",
    ] {
        let found = offences(&[("ui/panel.rs", text)]);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].contains("only tui may use crossterm"), "{found:?}");
    }
    assert!(offences(&[("keymap.rs", "use crossterm::event::KeyCode;")]).is_empty());
    let found = offences(&[("keymap.rs", "use crossterm::terminal::size;")]);
    assert_eq!(
        found,
        ["src/keymap.rs:2: keymap may use crossterm::event alone, not crossterm::terminal::size"]
    );
}

#[test]
fn pure_rooms_have_no_clock_no_network_and_no_runtime() {
    for (room, text, what) in [
        ("model", "fn f() { std::time::Instant::now(); }", "reads the clock (std::time::Instant::now)"),
        (
            "engine",
            "use std::time::SystemTime; fn f() { SystemTime::now(); }",
            "reads the clock (SystemTime::now)",
        ),
        ("ui", "fn f() { jiff::Timestamp::now(); }", "reads the clock (jiff::Timestamp::now)"),
        ("app", "use tokio::sync::mpsc;", "may not use tokio (tokio::sync::mpsc)"),
        ("layout", "use std::net::TcpStream;", "may not use std::net (std::net::TcpStream)"),
        ("findings", "use std::{fmt, net};", "may not use std::net (std::net)"),
        ("model", "use std::fs;", "may not use std::fs (std::fs)"),
    ] {
        let found = offences(&[(&format!("{room}.rs"), text)]);
        assert_eq!(found, [format!("src/{room}.rs:2: {room} {what}")], "{text}");
    }
    assert!(offences(&[("source.rs", "use tokio::net; fn f() { std::time::Instant::now(); }")]).is_empty());
    assert!(offences(&[("engine/task.rs", "use tokio::sync::watch;")]).is_empty());
}

#[test]
fn files_look_as_agreed() {
    let file = |name: &str, text: &str| check(&[SourceFile::parse(name, text)]);
    assert_eq!(
        file("model.rs", "pub fn f() {}"),
        ["src/model.rs:1: starts without `//!`: what is it for, who may enter?"]
    );
    assert_eq!(
        file("model/mod.rs", "//! Doc."),
        ["src/model/mod.rs:1: no mod.rs; a module is `foo.rs` beside `foo/`"]
    );
    assert_eq!(
        file("model.rs", &format!("//! Doc.\n{}", "\n".repeat(800))),
        ["src/model.rs:801: is 801 lines long; above 800 it wants to be two files"]
    );
    assert_eq!(file("cellar.rs", "//! Doc."), ["src/cellar.rs:1: no room of that name in the table"]);
}

#[test]
fn a_file_that_does_not_parse_is_an_offence() {
    let found = check(&[SourceFile::parse("model.rs", "//! Doc.\nfn f( {")]);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("src/model.rs:2: does not parse:"), "{found:?}");
}
