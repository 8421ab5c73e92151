//! Every screen as a picture: sizes, themes, ASCII, hostile names, and the states in which a screen must still speak.

// Helpers outside `#[test]` functions are tests too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "fixture/fixture.rs"]
mod fixture;
