//! Everything that needs a real broker, in one binary: linking once is quicker than linking often.
//!
//! A new topic is one more file in `tests/system/` and one more line here.

// Helpers outside `#[test]` functions are tests too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

#[path = "system/connect.rs"]
mod connect;
#[path = "system/demo.rs"]
mod demo;
#[path = "system/demo_command.rs"]
mod demo_command;
#[path = "system/harness.rs"]
mod harness;
#[path = "system/headless.rs"]
mod headless;
#[path = "system/health.rs"]
mod health;
#[path = "system/nats_acks.rs"]
mod nats_acks;
#[path = "system/nats_discovery.rs"]
mod nats_discovery;
#[path = "system/nats_intervals.rs"]
mod nats_intervals;
#[path = "system/nats_lag.rs"]
mod nats_lag;
#[path = "system/nats_processing.rs"]
mod nats_processing;
#[path = "system/nats_requests.rs"]
mod nats_requests;
#[path = "system/nats_rights.rs"]
mod nats_rights;
#[path = "system/nats_senders.rs"]
mod nats_senders;
#[path = "system/nats_tap.rs"]
mod nats_tap;
#[path = "system/nats_trouble.rs"]
mod nats_trouble;
#[path = "system/one_system.rs"]
mod one_system;
#[path = "support/support.rs"]
mod support;
#[path = "system/trace.rs"]
mod trace;
