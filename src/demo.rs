//! The sample system: real services as clients of a real broker, and the simulation (a source).

pub mod sample;
pub mod scenario;
pub mod server;
pub mod simulation;
pub mod store;
