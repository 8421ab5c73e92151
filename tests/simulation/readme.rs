//! The README shows what the program shows: a screen of the simulated store, and the key table.
//!
//! `HEADWATER_UPDATE_README=1 cargo test --test simulation readme` writes both anew.

use std::sync::Arc;

use headwater::app::{App, Moment, Options as AppOptions};
use headwater::keymap;
use headwater::model::command::ProbeLevel;
use headwater::theme::{Glyphs, Theme};
use headwater::ui::{self, Ctx};
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::{START, Trial, store};
use crate::Options;

/// Long enough for the first fault of the scenario to show.
const AT: u64 = 80_000;

#[test]
fn the_readme_shows_what_the_program_shows() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).expect("there is a README");
    let screen = format!("```text\n{}```\n", overview());
    let wanted = replaced(&replaced(&readme, "screen", &screen), "keys", &keymap::markdown());
    if std::env::var_os("HEADWATER_UPDATE_README").is_some() {
        std::fs::write(path, &wanted).expect("the README can be written");
        return;
    }
    assert!(
        readme == wanted,
        "README.md is out of date: HEADWATER_UPDATE_README=1 cargo test --test simulation readme"
    );
}

/// The overview at 80×24 during the scenario's first fault.
fn overview() -> String {
    let mut trial = Trial::new(store(), 1, Options { probe: ProbeLevel::Acks, ..Options::default() });
    // A minute is watched second by second, as on a screen.
    for second in 1..AT / 1000 {
        trial.at(second * 1000);
    }
    let snapshot = Arc::new(trial.at(AT).0);
    let now = Moment {
        wall: START + std::time::Duration::from_millis(AT),
        mono: std::time::Duration::from_millis(AT),
    };
    let mut app = App::new(AppOptions { utc: true, ..AppOptions::default() });
    app.sync(&snapshot, now);
    let theme = Theme::mono();
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).expect("memory has room");
    for _ in 0..2 {
        let mut hits = None;
        terminal
            .draw(|frame| {
                let ctx = Ctx {
                    app: &app,
                    snapshot: &snapshot,
                    theme: &theme,
                    glyphs: Glyphs::Unicode,
                    now: now.wall,
                    zone: &TimeZone::UTC,
                };
                hits = Some(ui::render(frame.buffer_mut(), &ctx));
            })
            .expect("memory draws");
        app.drawn(hits.expect("it was drawn"));
    }
    let text = ui::to_text(terminal.backend().buffer());
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// The text with what stands between the two markers replaced.
fn replaced(text: &str, marker: &str, with: &str) -> String {
    let (open, close) = (format!("<!-- {marker} -->\n"), format!("<!-- /{marker} -->"));
    let (before, rest) = text.split_once(&open).unwrap_or_else(|| panic!("README.md has {open}"));
    let (_, after) = rest.split_once(&close).unwrap_or_else(|| panic!("README.md has {close}"));
    format!("{before}{open}{with}{close}{after}")
}
