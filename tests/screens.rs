//! Every screen as a picture: sizes, themes, ASCII, hostile names, and the states in which a screen must still speak.
//!
//! Pictures are in `tests/screens/snapshots/`; `INSTA_UPDATE=always cargo test --test screens` draws them anew, and the difference
//! is to be read like code.

// Helpers outside `#[test]` functions are tests too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "fixture/fixture.rs"]
mod fixture;
#[path = "screens/stage.rs"]
mod stage;

#[path = "screens/details.rs"]
mod details;
#[path = "screens/laws.rs"]
mod laws;
#[path = "screens/map.rs"]
mod map;
#[path = "screens/messages.rs"]
mod messages;
#[path = "screens/pictures.rs"]
mod pictures;
#[path = "screens/propagation.rs"]
mod propagation;
