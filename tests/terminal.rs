//! The screen in a real pseudo-terminal: whatever ends it, the terminal is itself again.
//!
//! The program under test is this test binary itself, started again for its ignored test `program`: the real run loop over
//! snapshots made here, so that nothing has to be built into the shipped program for the sake of tests.
#![cfg(unix)]
// Helpers outside `#[test]` functions are tests too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "terminal/pty.rs"]
mod pty;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use headwater::app::{App, Options};
use headwater::model::command::Command;
use headwater::model::measured::Measured;
use headwater::model::observation::{HealthState, SourceReport, SourceState};
use headwater::model::snapshot::{Service, Since, Snapshot, Source};
use headwater::model::time::Timestamp;
use headwater::theme::{ColorChoice, ColorDepth, ColorEnv, Glyphs, Theme};
use headwater::tui;
use jiff::tz::TimeZone;
use pty::Session;
use rustix::process::Signal;
use tokio::sync::{mpsc, watch};

fn wall() -> Timestamp {
    Timestamp(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap())
}

fn snapshot(generation: u64) -> Arc<Snapshot> {
    let at = wall();
    let mut snapshot = Snapshot::empty(at);
    snapshot.generation = generation;
    snapshot.system = Some("pty-store".into());
    snapshot.sources = vec![Arc::new(Source {
        id: "nats".into(),
        report: SourceReport { kind: "nats".into(), state: SourceState::Up, ..SourceReport::default() },
        heard_at: at,
        answered_at: Some(at),
        since: at,
        requests_per_s: Measured::exact(12.0, at, "counted"),
        messages_per_s: Measured::exact(0.0, at, "counted"),
    })];
    snapshot.services = (0..40)
        .map(|n| {
            Arc::new(Service {
                id: format!("service-{n:02}").as_str().into(),
                team: None,
                domain: None,
                declared: true,
                state: HealthState::Up,
                why: "".into(),
                since: Since { at, or_earlier: true },
                health: Vec::new(),
                connections: Measured::exact(1, at, "counted"),
                clients: Vec::new(),
                libraries: Vec::new(),
                responders: Vec::new(),
                stores: Vec::new(),
                owns: Vec::new(),
                copies: Vec::new(),
                consumers: Vec::new(),
                flows_out: Vec::new(),
                flows_in: Vec::new(),
                only_named: false,
                published_rate: Measured::exact(1.0, at, "counted"),
                evidence: Vec::new(),
            })
        })
        .collect();
    Arc::new(snapshot)
}

/// The program: a screen over snapshots that come ten times a second. `r` (refresh) makes another thread panic.
#[test]
#[ignore = "run by the other tests, as a program of its own in a terminal"]
fn program() {
    let (publish, snapshots) = watch::channel(snapshot(1));
    let (commands, mut asked) = mpsc::channel(8);
    std::thread::spawn(move || {
        for generation in 2.. {
            std::thread::sleep(Duration::from_millis(100));
            if publish.send(snapshot(generation)).is_err() {
                break;
            }
        }
    });
    std::thread::Builder::new()
        .name("background".to_owned())
        .spawn(move || {
            while let Some(command) = asked.blocking_recv() {
                assert_ne!(command, Command::Refresh, "broken on purpose");
            }
        })
        .unwrap();
    let choice = std::env::var("TEST_COLOR").map_or(ColorChoice::Auto, |choice| choice.parse().unwrap());
    let depth = ColorDepth::detect(choice, &ColorEnv::of_process());
    let look = tui::Look {
        theme: Theme::load(None, depth).unwrap(),
        glyphs: Glyphs::of_process(false),
        zone: TimeZone::UTC,
    };
    let mouse = std::env::var_os("TEST_MOUSE").is_some();
    let app = App::new(Options { mouse, ..Options::default() });
    let code = match tui::run(app, look, snapshots, commands) {
        Ok(reason) => {
            if let tui::ExitReason::Panicked(report) = &reason {
                eprintln!("{report}");
            }
            reason.code()
        }
        Err(error) => {
            eprintln!("{error}");
            2
        }
    };
    #[allow(clippy::disallowed_methods, reason = "this test is the main function of the program under test")]
    std::process::exit(i32::from(code));
}

fn start() -> Session {
    start_with(&[("TEST_MOUSE", "1")])
}

fn start_with(environment: &[(&str, &str)]) -> Session {
    let session = Session::start("program", environment, 24, 80);
    session.until_text("pty-store");
    session.assert_on_screen();
    session
}

#[test]
fn q_leaves_at_once() {
    let mut session = start();
    assert_eq!(
        session.with_screen(vt100::Screen::mouse_protocol_mode),
        vt100::MouseProtocolMode::PressRelease
    );
    session.keys("q");
    assert_eq!(session.exit_code(), 0);
    session.assert_restored();
}

#[test]
fn ctrl_c_leaves_from_every_layer() {
    for keys in ["", "/abc", ":abc", "?"] {
        let mut session = start();
        session.keys(keys);
        session.keys("\x03");
        assert_eq!(session.exit_code(), 0, "after {keys}");
        session.assert_restored();
    }
}

#[test]
fn signals_leave_with_their_codes() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        let mut session = start();
        session.signal(signal);
        assert_eq!(session.exit_code(), code);
        session.assert_restored();
    }
}

#[test]
fn ctrl_z_gives_the_terminal_back_and_fg_takes_it_again() {
    let mut session = start();
    for stop in ["\x1a", "signal"] {
        if stop == "signal" {
            session.signal(Signal::TSTP);
        } else {
            session.keys(stop);
        }
        session.until("the process to stop", |session| session.state().starts_with('T'));
        session.assert_restored();
        session.signal(Signal::CONT);
        session.assert_on_screen();
        session.until_text("pty-store");
    }
    // The keys work again.
    session.keys("5");
    session.until_text("service-00");
    session.keys("q");
    assert_eq!(session.exit_code(), 0);
    session.assert_restored();
}

#[test]
fn a_stop_that_nobody_announced_is_survived_too() {
    let mut session = start();
    session.signal(Signal::STOP);
    session.until("the process to stop", |session| session.state().starts_with('T'));
    session.signal(Signal::CONT);
    session.assert_on_screen();
    session.keys("5");
    session.until_text("service-00");
    session.keys("q");
    assert_eq!(session.exit_code(), 0);
    session.assert_restored();
}

#[test]
fn every_size_is_drawn_and_too_small_is_said() {
    let mut session = start();
    session.keys("5");
    session.until_text("service-05");
    session.resize(60, 200);
    session.until_text("service-39");
    session.resize(10, 40);
    session.until_text("Headwater needs 60");
    session.resize(1, 1);
    session.resize(24, 80);
    session.until_text("pty-store");
    session.keys("q");
    assert_eq!(session.exit_code(), 0);
    session.assert_restored();
}

#[test]
fn a_panic_on_another_thread_ends_the_program_and_is_told_after_the_screen() {
    let mut session = start();
    session.keys("r");
    assert_eq!(session.exit_code(), 101);
    session.assert_restored();
    session.until_text("broken on purpose");
    let raw = session.raw();
    let left = raw.rfind("\x1b[?1049l").expect("the alternate screen was left");
    let told = raw.find("broken on purpose").expect("the panic was told");
    assert!(left < told, "the report is printed where it can be read");
    assert!(raw.contains("thread 'background'"), "{raw}");
}

#[test]
fn frames_are_synchronized_and_paused_means_silence() {
    let mut session = start();
    let raw = session.raw();
    assert!(raw.contains("\x1b[?2026h") && raw.contains("\x1b[?2026l"));
    session.keys(" ");
    session.until_text("PAUSED");
    // The clock in the header goes by minutes and ages by seconds: two seconds without a byte are not by chance, while twenty
    // snapshots have come.
    session.until_quiet(Duration::from_secs(2));
    session.keys(" ");
    session.until("resumed", |session| !session.text().contains("PAUSED"));
    session.keys("q");
    assert_eq!(session.exit_code(), 0);
}

#[test]
fn without_colours_the_selection_is_still_seen_and_no_colour_is_sent() {
    let mut session = start_with(&[("NO_COLOR", "1"), ("COLORTERM", "truecolor")]);
    session.keys("5");
    session.until_text("service-05");
    session.until("a selected row", |session| {
        session.with_screen(|screen| {
            (0..24).any(|row| screen.cell(row, 1).is_some_and(|cell| cell.inverse() && cell.contents() != ""))
        })
    });
    session.keys("q");
    assert_eq!(session.exit_code(), 0);
    assert_eq!(colours(&session.raw()), Vec::<String>::new(), "colours were sent");
}

#[test]
fn a_flag_that_asks_for_colours_wins_over_the_environment() {
    let mut session = start_with(&[("NO_COLOR", "1"), ("TEST_COLOR", "true")]);
    session.keys("q");
    assert_eq!(session.exit_code(), 0);
    assert_ne!(colours(&session.raw()), Vec::<String>::new(), "no colour was sent");
}

/// The sequences that set a colour.
fn colours(raw: &str) -> Vec<String> {
    let mut found = Vec::new();
    for sequence in raw.split("\x1b[").skip(1) {
        let parameters: String = sequence.chars().take_while(|c| c.is_ascii_digit() || *c == ';').collect();
        let sets = |p: &str| matches!(p.parse::<u32>(), Ok(30..=38 | 40..=48 | 90..=107));
        if sequence[parameters.len()..].starts_with('m') && parameters.split(';').any(sets) {
            found.push(parameters);
        }
    }
    found
}

#[test]
fn clicks_select_and_tabs_open() {
    let mut session = start();
    session.until_text("5 Services");
    let (row, column) = session.with_screen(|screen| {
        let rows: Vec<String> = screen.rows(0, 80).collect();
        rows.iter().enumerate().find_map(|(y, row)| row.find("5 Services").map(|x| (y, x))).unwrap()
    });
    // SGR mouse: button 0 pressed, one-based.
    session.keys(&format!("\x1b[<0;{};{}M", column + 1, row + 1));
    session.until_text("service-03");
    session.keys("q");
    assert_eq!(session.exit_code(), 0);
    session.assert_restored();
}
