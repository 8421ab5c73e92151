//! How a consumer fares, and where its backlog is going: words of the snapshot.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a consumer fares, after Burrow's rules on true progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsumerStatus {
    /// Keeps up.
    Ok,
    /// Advances, and falls behind all the same.
    Slow,
    /// Has work and does not advance.
    Stalled,
    /// Nobody reads it any more.
    Stopped,
    /// Its position went back.
    Rewound,
    /// Paused by its configuration.
    Paused,
    /// Keeps up, and has given messages up: data lost to it.
    GaveUp,
    /// Not known.
    Unknown,
}

/// Where a number is going.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trend {
    /// Up.
    Growing,
    /// Neither.
    Steady,
    /// Down.
    Draining,
}

/// When a lag will be gone at the present rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drain {
    /// There is none.
    Empty,
    /// In so long.
    In(Duration),
    /// It does not shrink.
    Never,
}

impl ConsumerStatus {
    /// The word for it on screen and in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Slow => "slow",
            Self::Stalled => "stalled",
            Self::Stopped => "stopped",
            Self::Rewound => "rewound",
            Self::Paused => "paused",
            Self::GaveUp => "gave_up",
            Self::Unknown => "unknown",
        }
    }
}
