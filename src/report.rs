//! Headless output: snapshots as JSON, tables and streams.
