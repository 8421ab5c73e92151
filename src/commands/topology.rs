//! `headwater topology validate DIR` and `headwater topology show [DIR]`.

use std::io::{self, Write};
use std::path::Path;

use super::CommandError;
use crate::cli::{Topology, TopologyCommand};
use crate::topology::load::{Loaded, load};
use crate::topology::{Severity, show};

/// The most problems that are printed; more are counted.
const MOST_PROBLEMS: usize = 200;

/// Runs the command. `fallback` is the directory of `--topology`.
pub fn run(topology: &Topology, fallback: Option<&Path>) -> Result<(), CommandError> {
    let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
    match &topology.command {
        TopologyCommand::Validate { directory } => {
            let loaded = checked(directory, &mut err)?;
            write(&mut out, &format!("{}\n", summary(&loaded)))
        }
        TopologyCommand::Show { directory } => {
            let Some(directory) = directory.as_deref().or(fallback) else {
                let text = "no directory was named; use 'headwater topology show DIR' or --topology DIR";
                return Err(CommandError::Usage(text.to_owned()));
            };
            let loaded = checked(directory, &mut err)?;
            write(&mut out, &loaded.topology.as_ref().map(show::show).unwrap_or_default())
        }
    }
}

/// Loads and prints what is wrong; an error ends the command.
fn checked(root: &Path, err: &mut impl Write) -> Result<Loaded, CommandError> {
    let loaded = load(root);
    for problem in loaded.problems.iter().take(MOST_PROBLEMS) {
        // Standard error may be closed; the exit code still tells.
        let _ = writeln!(err, "{}", problem.line(root));
    }
    if loaded.problems.len() > MOST_PROBLEMS {
        let _ = writeln!(err, "and {} more", loaded.problems.len() - MOST_PROBLEMS);
    }
    if loaded.errors() > 0 { Err(CommandError::Usage(summary(&loaded))) } else { Ok(loaded) }
}

/// One line: how much was read, and how much of it is wrong.
fn summary(loaded: &Loaded) -> String {
    let count = |n: usize, what: &str| if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") };
    let errors = loaded.errors();
    let warnings = loaded.problems.iter().filter(|p| p.severity == Severity::Warning).count();
    let wrong = match (errors, warnings) {
        (0, 0) => "no mistakes".to_owned(),
        (0, _) => count(warnings, "warning"),
        (_, 0) => count(errors, "error"),
        (..) => format!("{} and {}", count(errors, "error"), count(warnings, "warning")),
    };
    let read = count(loaded.files, "file");
    match &loaded.topology {
        Some(topology) => {
            let name = topology.system.as_ref().map(|s| format!("{}: ", s.name)).unwrap_or_default();
            let services = count(topology.services.len(), "service");
            format!("{name}{services} in {read}, {wrong}")
        }
        None => format!("{wrong} in {read} of the topology"),
    }
}

fn write(out: &mut impl Write, text: &str) -> Result<(), CommandError> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // A reader such as `head` that has seen enough is no fault.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(CommandError::Usage(format!("standard output cannot be written: {error}"))),
        Ok(()) => Ok(()),
    }
}
