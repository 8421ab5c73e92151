//! One file per subcommand: wires sources, engine, report and terminal.
//!
//! Here only: which file runs, and how its outcome becomes an exit code and a few lines on standard error.

pub mod demo;
pub mod doctor;
pub mod explore;
pub mod once;
pub mod stream;
pub mod tap;
pub mod topology;
pub mod trace;
pub mod watch;

use std::io::Write as _;
use std::process::ExitCode;

use crate::cli::{Cli, Command};
use crate::settings::{self, SettingsError};
use crate::theme::ColorDepth;

/// Wrong usage or configuration.
pub const USAGE: u8 = 2;
/// What was looked for is not there; a later `check` says the same with it of what it finds.
pub const NOT_FOUND: u8 = 1;
/// No source could be reached, or none let us in.
pub const NO_SOURCE: u8 = 3;

/// Lines on standard error about sources; more would hide the first.
const MOST_LINES: usize = 3;

/// Why a command ended without doing its work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Wrong usage or configuration, in one line.
    #[error("{0}")]
    Usage(String),
    /// Wrong or contradictory settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// What was to be printed could not be written.
    #[error("cannot write the output: {0}")]
    Output(String),
    /// Everything answered, and what was looked for is not there: how far each search looked, one line each.
    #[error("{}", .0.join("\nheadwater: "))]
    NotFound(Vec<String>),
    /// Why each source failed, one line each: server and cause.
    #[error("{}", several(.0))]
    NoSource(Vec<String>),
}

impl CommandError {
    /// The exit code that scripts see.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Settings(_) | Self::Output(_) => USAGE,
            Self::NotFound(_) => NOT_FOUND,
            Self::NoSource(_) => NO_SOURCE,
        }
    }
}

/// At most [`MOST_LINES`] lines; the last says how many more there are.
fn several(lines: &[String]) -> String {
    let mut shown: Vec<String> = lines.iter().take(MOST_LINES).cloned().collect();
    if lines.len() > MOST_LINES {
        let more = lines.len() - (MOST_LINES - 1);
        shown.truncate(MOST_LINES - 1);
        shown.push(format!("and {more} more sources could not be reached"));
    }
    shown.join("\nheadwater: ")
}

/// Runs what the person asked for.
pub fn run(cli: &Cli) -> ExitCode {
    match dispatch(cli) {
        Ok(code) => code,
        Err(error) => {
            // Standard error may be closed; the exit code still tells.
            let _ = writeln!(std::io::stderr(), "headwater: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn dispatch(cli: &Cli) -> Result<ExitCode, CommandError> {
    let global = &cli.global;
    if !matches!(cli.command, Some(Command::Topology(_))) {
        // Before anything is connected to or drawn: a mistake in it is told by every command that has settings.
        let terminal = settings::terminal(global, &settings::process_environment);
        explore::theme(&terminal, ColorDepth::Mono)?;
    }
    if cli.command.is_some() && !cli.tapped.tap.is_empty() {
        let why = "--tap belongs to the explorer and behind stream: headwater stream --tap CHANNEL";
        return Err(CommandError::Usage(why.to_owned()));
    }
    match &cli.command {
        None => return explore::run(global, &cli.tapped),
        Some(Command::Once(once)) => once::run(global, once)?,
        Some(Command::Stream(stream)) => stream::run(global, stream)?,
        Some(Command::Trace(asked)) => trace::run(global, asked)?,
        // Reading files needs no source, and so no settings that could be wrong.
        Some(Command::Topology(command)) => topology::run(command, global.topology.as_deref())?,
        Some(Command::Doctor(doctor)) => doctor::run(global, doctor)?,
        Some(Command::Demo(demo)) => return demo::run(global, demo),
    }
    Ok(ExitCode::SUCCESS)
}

/// The runtime of sources and engine. Two workers are enough: the work is waiting, and a busy tap has a task of its own.
fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("headwater")
        .enable_all()
        .build()
        .map_err(|error| CommandError::Usage(format!("cannot start: {error}")))
}

/// Writes to standard output; whether anybody still reads it. A reader that went away (`| head`) is no error, a disk that is
/// full is one: a script must not take half a snapshot for a whole one.
fn print(text: &str) -> Result<bool, CommandError> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(CommandError::Output(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_three_lines_about_sources() {
        let lines = |count: usize| -> Vec<String> { (1..=count).map(|n| format!("{n}: no")).collect() };
        assert_eq!(CommandError::NoSource(lines(1)).to_string(), "1: no");
        assert_eq!(CommandError::NoSource(lines(3)).to_string(), "1: no\nheadwater: 2: no\nheadwater: 3: no");
        assert_eq!(
            CommandError::NoSource(lines(5)).to_string(),
            "1: no\nheadwater: 2: no\nheadwater: and 3 more sources could not be reached"
        );
        assert_eq!(CommandError::NoSource(lines(1)).exit_code(), 3);
    }
}
