//! The command line, and only that: clap definitions without logic.
