//! One file per subcommand: wires sources, engine, report and terminal.
//!
//! Here only: which file runs, and how its outcome becomes an exit code and a few lines on standard error.

pub mod topology;

use std::io::Write as _;
use std::process::ExitCode;

use crate::cli::{Cli, Command};
use crate::settings::{self, Settings, SettingsError};

/// Wrong usage or configuration.
pub const USAGE: u8 = 2;
/// No source could be reached, or none let us in. (1 is kept for findings of a later `check`.)
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
    /// Why each source failed, one line each: server and cause.
    #[error("{}", several(.0))]
    NoSource(Vec<String>),
}

impl CommandError {
    /// The exit code that scripts see.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Settings(_) => USAGE,
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
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed; the exit code still tells.
            let _ = writeln!(std::io::stderr(), "headwater: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn dispatch(cli: &Cli) -> Result<(), CommandError> {
    // Reading files needs no source, and so no settings that could be wrong.
    if let Some(Command::Topology(command)) = &cli.command {
        return topology::run(command, cli.global.topology.as_deref());
    }
    let settings = Settings::resolve(&cli.global, &settings::process_environment, &[])?;
    let name = match &cli.command {
        None => "the explorer",
        Some(Command::Once(_)) => "once",
        Some(Command::Stream(_)) => "stream",
        Some(Command::Doctor(_)) => "doctor",
        Some(Command::Demo(_)) => "demo",
        Some(Command::Topology(_)) => "topology",
    };
    let sources = settings.sources.len();
    Err(CommandError::Usage(format!("{name} is not wired up yet ({sources} sources were configured)")))
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
