//! One message on its way: who has it, and what the others wait for.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::acks::AckStep;
use super::id::{ConsumerId, Name, ServiceId};
use super::message::MessageReport;
use super::time::Timestamp;

/// One message that is followed, and who has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// Which.
    pub message: MessageReport,
    /// Who sends to its channel.
    pub producers: Vec<ServiceId>,
    /// Whether `producers` is a conclusion: shown with `~`.
    pub producers_likely: bool,
    /// One for each consumer of the channel.
    pub legs: Vec<Leg>,
    /// The longest delay of all that it is for, in nanoseconds; `None` until each of them was heard to acknowledge it.
    pub convergence: Option<i64>,
}

/// One message at one consumer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leg {
    /// The consumer.
    pub consumer: ConsumerId,
    /// The broker's name for it.
    pub name: Name,
    /// Who it is.
    pub services: Vec<ServiceId>,
    /// Whether `services` is a conclusion.
    pub services_likely: bool,
    /// How far the message is.
    pub state: LegState,
    /// How that is known, or what it waits for.
    pub why: Name,
    /// Deliveries that were heard of.
    pub deliveries: Option<u64>,
    /// Append → settled in nanoseconds, when that was heard.
    pub delay: Option<i64>,
    /// How well the clock behind `delay` is known.
    pub error: Option<Duration>,
    /// Messages before it.
    pub ahead: Option<u64>,
    /// When its turn comes, at the present rate.
    pub estimate: Option<Duration>,
    /// When the consumer's position was last read.
    pub looked_at: Option<Timestamp>,
    /// Everything heard of it, in order.
    pub steps: Vec<AckStep>,
}

/// How far a message is at a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegState {
    /// Processed; the acknowledgement was heard.
    Acknowledged,
    /// Processed by what positions tell; when is not known.
    Passed,
    /// Delivered, and not settled as far as is known.
    InFlight,
    /// Not delivered yet.
    Waiting,
    /// Refused for good.
    Terminated,
    /// Given up after its last delivery: lost.
    GaveUp,
    /// Removed from the channel before it was delivered: it will never have it.
    Missed,
    /// The consumer's filter does not match it.
    NotForIt,
    /// Not known.
    Unknown,
}

impl LegState {
    /// Nothing more will come of it.
    pub const fn is_settled(self) -> bool {
        matches!(
            self,
            Self::Acknowledged
                | Self::Passed
                | Self::Terminated
                | Self::GaveUp
                | Self::Missed
                | Self::NotForIt
        )
    }

    /// Smallest for what needs a person most.
    pub const fn rank(self) -> u8 {
        match self {
            Self::GaveUp => 0,
            Self::Missed => 1,
            Self::Terminated => 2,
            Self::Waiting => 3,
            Self::InFlight => 4,
            Self::Unknown => 5,
            Self::Acknowledged => 6,
            Self::Passed => 7,
            Self::NotForIt => 8,
        }
    }

    /// The word for it on screen and in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Acknowledged => "acked",
            Self::Passed => "passed",
            Self::InFlight => "in flight",
            Self::Waiting => "waiting",
            Self::Terminated => "terminated",
            Self::GaveUp => "gave up",
            Self::Missed => "missed",
            Self::NotForIt => "not for it",
            Self::Unknown => "unknown",
        }
    }
}
