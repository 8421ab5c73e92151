//! Building blocks of every screen: text that fits, numbers that stand still, tables, sparklines.
//!
//! Nothing here knows what a service or a consumer is, except that numbers come as [`crate::model::measured`]
//! values. Used by `ui` only.

pub mod cell;
pub mod chart;
pub mod curve;
pub mod number;
pub mod spark;
pub mod table;
pub mod text;

pub use cell::{Cell, Look};
pub use table::{Align, Column, Table};
