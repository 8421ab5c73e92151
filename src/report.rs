//! Headless output: snapshots as JSON, tables and streams.
//!
//! Pure: a snapshot in, text out. Writing it is for the commands.

pub mod json;
pub mod otlp;
pub mod table;
pub mod trace;
