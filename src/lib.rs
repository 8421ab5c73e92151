//! Headwater: a terminal explorer of the data that moves between services.
//!
//! Observations flow one way, commands the other:
//!
//! ```text
//! brokers, endpoints ─► source ─► batches ─► engine ─► Arc<Snapshot> ─► app + ui ─► terminal
//!           ▲                        │          │                     └► report (json, table, stream)
//!           │                        └► record file ─► source/replay
//!           └────────────── model::Command ◄──────────────────────────────┘
//! ```
//!
//! Each module below is a room; `ARCHITECTURE.md` says what each is for and which rooms it may
//! use, and `tests/architecture.rs` holds the code to it.

pub mod app;
pub mod cli;
pub mod commands;
pub mod demo;
pub mod engine;
pub mod keymap;
pub mod layout;
pub mod model;
pub mod report;
pub mod settings;
pub mod source;
pub mod theme;
pub mod topology;
pub mod tui;
pub mod ui;
