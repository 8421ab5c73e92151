//! NATS and JetStream: connection in, batches out.
//!
//! [`options`] says how to connect (and does it), [`context`] reads the files that the `nats` command line
//! keeps, [`secret`] holds what must never be shown.

pub mod context;
pub mod options;
mod reference;
pub mod secret;
