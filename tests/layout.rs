//! The map's layout: laws that hold for every graph, and how little moves when a graph changes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "layout/graphs.rs"]
mod graphs;
#[path = "layout/laws.rs"]
mod laws;
#[path = "layout/stability.rs"]
mod stability;
