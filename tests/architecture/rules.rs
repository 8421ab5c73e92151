//! The table of rooms, and the rules that a parsed file is held to.

use std::collections::BTreeMap;

use super::scan::{Export, PathUse, SourceFile};

/// Each room and the rooms that it may use: the table of "The house" in `ARCHITECTURE.md`.
const TABLE: &[(&str, &[&str])] = &[
    ("main", ALL),
    ("lib", ALL),
    ("cli", &["model"]),
    ("settings", &["cli", "model", "topology", "source"]),
    ("model", &[]),
    ("topology", &["model"]),
    ("layout", &["model"]),
    ("record", &["model"]),
    ("findings", &["model", "topology"]),
    ("source", &["model", "topology", "record"]),
    ("engine", &["model", "topology", "findings", "record"]),
    ("demo", &["model", "topology", "source"]),
    ("app", &["model", "layout"]),
    ("keymap", &["app", "model"]),
    ("theme", &["app", "model"]),
    ("ui", &["app", "model", "layout", "theme", "keymap"]),
    ("report", &["model", "theme", "ui"]),
    ("commands", ALL),
    (
        "tui",
        &[
            "app", "cli", "demo", "engine", "findings", "keymap", "layout", "model", "record", "report",
            "settings", "source", "theme", "topology", "ui",
        ],
    ),
];

/// A room that wires others.
const ALL: &[&str] = &["*"];

/// Rooms in which time is an argument.
const NO_CLOCK: &[&str] =
    &["model", "topology", "layout", "findings", "engine", "app", "keymap", "theme", "ui"];
/// Rooms without a runtime, sockets or child processes; what they are made of can be tested by calling it.
const PURE: &[&str] = &["model", "topology", "layout", "findings", "engine", "app", "keymap", "theme", "ui"];
/// Rooms that do not even read files.
const NO_FILES: &[&str] = &["model", "layout", "findings", "engine", "app", "ui"];
/// The small task that drives the pure engine.
const ENGINE_TASK: &str = "engine/task.rs";
/// Types that know the time.
const CLOCKS: &[&str] = &["Instant", "SystemTime", "Timestamp", "Zoned"];
/// The longest that a file may be, in lines.
const MAX_LINES: usize = 800;

/// Every offence as one line, `src/FILE:LINE: what`.
pub fn check(files: &[SourceFile]) -> Vec<String> {
    let exports = exports(files);
    let mut offences = Vec::new();
    for file in files {
        let mut report =
            |line: usize, what: String| offences.push(format!("src/{}:{line}: {what}", file.name));
        look(file, &mut report);
        let room = file.room();
        let Some(allowed) = TABLE.iter().find(|(name, _)| *name == room).map(|(_, allowed)| *allowed) else {
            report(1, "no room of that name in the table".to_owned());
            continue;
        };
        if file.is_tests() {
            continue;
        }
        for used in &file.uses {
            if room != "main" && room != "lib" && used.is_crate_root() {
                report(used.line, "takes in the crate root as a whole; name the room".to_owned());
                continue;
            }
            arrows(room, allowed, used, &exports, &mut report);
            outside(file, room, used, &mut report);
        }
    }
    offences.sort();
    offences.dedup();
    offences
}

/// How a file looks, whatever it says.
fn look(file: &SourceFile, report: &mut impl FnMut(usize, String)) {
    if let Some((line, why)) = &file.parse_error {
        report(*line, format!("does not parse: {why}"));
        return;
    }
    if file.name.ends_with("mod.rs") {
        report(1, "no mod.rs; a module is `foo.rs` beside `foo/`".to_owned());
    }
    if !file.has_module_doc && file.name != "main.rs" {
        report(1, "starts without `//!`: what is it for, who may enter?".to_owned());
    }
    if file.lines > MAX_LINES {
        report(
            file.lines,
            format!("is {} lines long; above {MAX_LINES} it wants to be two files", file.lines),
        );
    }
}

/// What each module re-exports: absolute module path → its `pub use`s.
fn exports(files: &[SourceFile]) -> BTreeMap<Vec<String>, Vec<Export>> {
    let mut map: BTreeMap<Vec<String>, Vec<Export>> = BTreeMap::new();
    for export in files.iter().flat_map(|file| &file.exports) {
        map.entry(export.module.clone()).or_default().push(export.clone());
    }
    map
}

/// Arrows from one room to another, re-exports followed.
fn arrows(
    room: &str,
    allowed: &[&str],
    used: &PathUse,
    exports: &BTreeMap<Vec<String>, Vec<Export>>,
    report: &mut impl FnMut(usize, String),
) {
    let Some(target) = used.room() else { return };
    let free = |target: &str| allowed == ALL || target == room || allowed.contains(&target);
    if !free(target) {
        report(used.line, format!("{room} may not use {target} ({})", used.written()));
        return;
    }
    if used.public && used.glob && target != room {
        report(used.line, format!("{room} re-exports all of {target}; name what it re-exports"));
        return;
    }
    let mut path = used.segments.clone();
    // A chain of re-exports is finite; a cycle of them does not compile, but must not hang this test either.
    for _ in 0..16 {
        let Some(next) = step(&path, exports) else { break };
        path = next;
        let Some(target) = path.first() else { break };
        if !free(target) && TABLE.iter().any(|(name, _)| name == target) {
            report(used.line, format!("{room} may not use {target} ({} leads there)", used.written()));
            return;
        }
    }
}

/// The path with the first re-exported name in it replaced by what it stands for.
fn step(path: &[String], exports: &BTreeMap<Vec<String>, Vec<Export>>) -> Option<Vec<String>> {
    for cut in 1..path.len() {
        let (module, rest) = path.split_at(cut);
        let name = rest.first()?;
        let found = exports.get(module).into_iter().flatten().find(|export| export.name == *name);
        if let Some(export) = found {
            return Some(export.target.iter().chain(&rest[1..]).cloned().collect());
        }
    }
    None
}

/// What of the world outside the crate a room may use.
fn outside(file: &SourceFile, room: &str, used: &PathUse, report: &mut impl FnMut(usize, String)) {
    if used.in_crate {
        return;
    }
    let segments: Vec<&str> = used.segments.iter().map(String::as_str).collect();
    let written = used.written();
    let terminal = match segments.as_slice() {
        ["crossterm", rest @ ..] | ["ratatui", "crossterm", rest @ ..] => Some(rest),
        _ => None,
    };
    match (terminal, room) {
        (None, _) | (Some(_), "tui") | (Some(["event", ..]), "keymap") => {}
        (Some(_), "keymap") => {
            report(used.line, format!("keymap may use crossterm::event alone, not {written}"));
        }
        (Some(_), _) => report(used.line, format!("{room}: only tui may use crossterm ({written})")),
    }
    if file.name == ENGINE_TASK {
        return;
    }
    if NO_CLOCK.contains(&room) && is_clock(&segments) {
        report(used.line, format!("{room} reads the clock ({written})"));
    }
    let mut forbidden: Vec<&[&str]> = Vec::new();
    if PURE.contains(&room) {
        forbidden.extend::<[&[&str]; 3]>([&["tokio"], &["std", "net"], &["std", "process"]]);
    }
    if NO_FILES.contains(&room) {
        forbidden.push(&["std", "fs"]);
    }
    for prefix in forbidden {
        if segments.starts_with(prefix) {
            report(used.line, format!("{room} may not use {} ({written})", prefix.join("::")));
        }
    }
}

/// Whether a path ends in `Instant::now` or the like.
fn is_clock(segments: &[&str]) -> bool {
    matches!(segments, [.., owner, "now"] if CLOCKS.contains(owner))
}
