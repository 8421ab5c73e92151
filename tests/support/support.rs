//! What every test that needs a broker shares: real servers, certificates, tokens, waiting.
//!
//! A test binary takes it in with `#[path = "support/support.rs"] mod support;`. The servers are the
//! ones that `./test` fetched (`./test fetch` alone is enough for `cargo test`); one that happens to be
//! on PATH is never used.

// Each test binary uses its own part of this.
#![allow(dead_code)]

pub mod binaries;
pub mod broker;
pub mod cluster;
pub mod config;
pub mod headwater;
pub mod http;
pub mod jet;
pub mod jwt;
pub mod ports;
pub mod tls;
pub mod wait;
pub mod watch;

#[allow(unused_imports)]
pub use self::{
    binaries::Version,
    broker::Broker,
    cluster::Cluster,
    config::{Config, User},
    wait::{wait_for, wait_until},
    watch::Watch,
};
