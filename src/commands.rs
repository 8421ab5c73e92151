//! One file per subcommand: wires sources, engine, report and terminal.
