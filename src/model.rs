//! Plain data that every room shares. No I/O, no async, no clock: time is an argument.
//!
//! [`observation`] is what sources say, [`snapshot`] what screens and reports read, [`command`] what people
//! ask of sources. Anyone may use this room; it uses none.

pub mod acks;
pub mod calls;
pub mod command;
pub mod histogram;
pub mod id;
pub mod measured;
pub mod message;
pub mod number;
pub mod observation;
pub(crate) mod pairs;
pub mod senders;
pub mod series;
pub mod snapshot;
pub mod subject;
pub mod tap;
pub mod time;
pub mod trace;
pub mod traffic;
