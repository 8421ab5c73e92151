//! One file per subcommand: wires sources, engine, report and terminal.
//!
//! Here only: which file runs, and how its outcome becomes an exit code and a few lines on standard error.

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

/// Writes to standard output; whether anybody still reads it.
fn print(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_ok()
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
