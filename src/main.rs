//! Arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser as _;
use headwater::{cli::Cli, commands};

fn main() -> ExitCode {
    // NATS, health checks and monitoring share one crypto provider; without a choice rustls panics later.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match Cli::try_parse() {
        Ok(cli) => commands::run(&cli),
        // Help and version come this way too; clap knows which stream and which code.
        Err(error) => {
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(commands::USAGE))
        }
    }
}
