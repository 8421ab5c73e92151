//! What needs a person, and what follows from it.

use serde::{Deserialize, Serialize};

use super::{Since, Thing};
use crate::model::id::{Name, TeamId};

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Cannot be seen from here; whether it works is not known.
    Unseen,
    /// Works, with a flaw.
    Degraded,
    /// Messages were given up: data is lost to somebody.
    Lost,
    /// Does not advance.
    Stalled,
    /// Does not work.
    Down,
}

/// Something that needs a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    /// What it is about.
    pub thing: Thing,
    /// What to call it in a list.
    pub name: Name,
    /// How bad.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub text: Name,
    /// Since when.
    pub since: Since,
    /// Who should look.
    pub team: Option<TeamId>,
    /// What follows from it, worst first.
    pub effects: Vec<Effect>,
}

/// What follows from a cause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// What is affected.
    pub thing: Thing,
    /// `failing now`, `growing old`, `behind`.
    pub kind: Name,
    /// In one line.
    pub text: Name,
}
