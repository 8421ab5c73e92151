//! The declared system: file model, loader whose errors name file, line and column, identity binding.
//!
//! Text → [`tree`] (YAML with positions) → [`document`] (typed declarations) → [`resolve`] (references) →
//! [`Topology`]. [`load`] walks a directory and is, with [`watch`], the only part that touches the disk; everything else
//! is pure. What is declared is answered by the lookups of [`Topology`]; what is not is derived from runtime
//! names by the rules of [`derive`]. May use the model, and nothing else of this house.

pub mod bind;
pub mod declared;
pub mod derive;
mod document;
pub mod duration;
pub mod glob;
pub mod load;
pub mod lookup;
pub mod problem;
mod read;
mod resolve;
pub mod show;
pub mod tree;
pub mod watch;
pub mod word;

pub use bind::{Binding, Clue, ConsumerNames};
pub use declared::Topology;
pub use load::{Loaded, load};
pub use problem::{Problem, Severity};
pub use watch::Watcher;
