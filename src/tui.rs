//! The terminal: its lifecycle, its input, and the loop that draws.
//!
//! The only room that touches a terminal. It runs on a thread of its own with a runtime of its own, so that busy sources
//! cannot starve it. It looks at what the sources tell four times a second, does at once what a key asks (at most [`MAX_FPS`] frames a
//! second), and writes only the cells that changed; paused, with nothing said, it does not wake at all.
//!
//! May use: every room but `commands`. Used by: `commands`.

mod clipboard;
mod input;
mod mapper;
mod panics;
mod run;
mod save;
mod screen;
mod signals;

use std::fmt;
use std::io::{self, IsTerminal};
use std::sync::Arc;

use jiff::tz::TimeZone;
use tokio::sync::{mpsc, watch};

use crate::app::App;
use crate::model::command::Command;
use crate::model::snapshot::Snapshot;
use crate::theme::{Glyphs, Theme};

pub use signals::Signal;

/// Frames per second, at most.
pub const MAX_FPS: u32 = 30;

/// How screens look; chosen once at the start.
#[derive(Debug, Clone)]
pub struct Look {
    pub theme: Theme,
    pub glyphs: Glyphs,
    /// The person's own time zone.
    pub zone: TimeZone,
}

/// Why the screen was left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExitReason {
    /// The person wanted to.
    Quit,
    /// A signal asked to end.
    Signal(Signal),
    /// The terminal went away.
    HungUp,
    /// Something in the program broke; the report is to be printed now that the terminal is itself again.
    Panicked(String),
}

impl ExitReason {
    /// The process's exit code: 128 + the signal's number, as shells expect; 101 after a panic, as Rust programs
    /// have it.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Quit => 0,
            Self::Signal(signal) => 128 + signal.number(),
            Self::HungUp => 129,
            Self::Panicked(_) => 101,
        }
    }
}

/// Why the screen could not be used.
#[derive(Debug)]
pub enum TuiError {
    /// Standard output is a file or a pipe.
    NotATerminal,
    /// The terminal refused.
    Io(io::Error),
}

impl fmt::Display for TuiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotATerminal => f.write_str(
                "standard output is not a terminal: use `headwater once` to print one snapshot, or `headwater stream`",
            ),
            Self::Io(error) => write!(f, "cannot use the terminal: {error}"),
        }
    }
}

impl std::error::Error for TuiError {}

impl From<io::Error> for TuiError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// How wide tables on standard output may be: as wide as the terminal, or as `COLUMNS` says of it; `None` when a file or a program
/// reads along.
pub fn columns() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse::<usize>().ok());
    let size = || crossterm::terminal::size().ok().map(|(columns, _)| usize::from(columns));
    told.or_else(size).filter(|columns| *columns > 0)
}

/// Shows the screen until the person leaves or a signal says so, and blocks meanwhile. Not to be called from an async
/// task.
///
/// The terminal is itself again when this returns, whatever happened: quit, signal, a panic on this or any other thread.
///
/// # Errors
/// When standard output is not a terminal, or the terminal refuses.
pub fn run(
    app: App,
    look: Look,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    commands: mpsc::Sender<Command>,
) -> Result<ExitReason, TuiError> {
    if !io::stdout().is_terminal() {
        return Err(TuiError::NotATerminal);
    }
    let panics = panics::Watch::begin();
    let broken = panics.broken();
    let ui = std::thread::Builder::new().name("ui".to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut screen = screen::Tty::enter(app.mouse(), look.theme.depth())?;
            let outcome = run::Loop::new(app, look, snapshots, commands, broken)
                .run(&mut screen, input::events(), signals::Signals::listen()?)
                .await;
            screen.leave();
            outcome
        })
    })?;
    // A panic of the screen's own thread has unwound through `Tty`, which restored the terminal.
    let outcome = ui.join();
    if let Some(report) = panics.report() {
        return Ok(ExitReason::Panicked(report));
    }
    match outcome {
        Ok(outcome) => outcome.map_err(TuiError::Io),
        Err(_) => Ok(ExitReason::Panicked("the screen's thread ended without saying why".to_owned())),
    }
}
