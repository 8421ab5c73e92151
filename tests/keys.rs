//! What keys do: scripts of keys against the sample store, and what the person then has before them.

// Helpers outside `#[test]` functions are tests too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "keys/desk.rs"]
mod desk;
#[path = "keys/filters.rs"]
mod filters;
#[path = "fixture/fixture.rs"]
mod fixture;
#[path = "keys/listening.rs"]
mod listening;
#[path = "keys/map.rs"]
mod map;
#[path = "keys/messages.rs"]
mod messages;
#[path = "keys/mouse.rs"]
mod mouse;
#[path = "keys/selection.rs"]
mod selection;
#[path = "keys/session.rs"]
mod session;
