//! One message on its way: who has it, and what the others wait for.

use std::cmp::Reverse;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::acks::AckStep;
use super::id::{ConsumerId, EntityId, Name, ServiceId};
use super::message::{Link, MessageId, MessageReport, Pursuit, PursuitReport, Want};
use super::time::Timestamp;

/// One message that is followed, and who has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// Which.
    pub message: MessageReport,
    /// A person asked for it; else it came of one that a person asked for.
    pub asked: bool,
    /// Whose doing it is; `None` where it was asked for by itself.
    pub origin: Option<Origin>,
    /// The record that it is a version of, as far as is known.
    pub record: Option<Record>,
    /// The message of whose record it was found to be another version.
    pub version_of: Option<MessageId>,
    /// Who sends to its channel.
    pub producers: Vec<ServiceId>,
    /// Whether `producers` is a conclusion: shown with `~`.
    pub producers_likely: bool,
    /// One for each consumer of the channel.
    pub legs: Vec<Leg>,
    /// The longest delay of all that it is for, in nanoseconds; `None` until each of them was heard to acknowledge it.
    pub convergence: Option<i64>,
    /// Where it should be looked for what came of it, and is not yet.
    pub pursuits: Vec<Pursuit>,
    /// Where it is looked for what came of it, and how far.
    pub looked: Vec<PursuitReport>,
}

/// A record of which messages bring versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The entity that it is one of.
    pub entity: Option<EntityId>,
    /// The field that identifies it.
    pub name: Name,
    /// Its value as text.
    pub value: Name,
    /// The topology says that this field does; else it was looked for by it, or is called like an id.
    pub declared: bool,
}

impl Record {
    /// What would be another version of it, on the subject of one.
    pub fn want(&self, message: &MessageReport) -> Want {
        let link = Link::Version { name: self.name.clone(), value: self.value.clone() };
        Want { subject: message.subject.clone(), links: vec![link] }
    }
}

impl Trace {
    /// Whether it is looked for more versions of its record until that is taken back.
    pub fn is_record_followed(&self) -> bool {
        self.looked.iter().any(|looked| looked.lasting && looked.ended.is_none())
    }
}

/// Whose doing a message is that came of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The message that it came of.
    pub message: MessageId,
    /// The consumer by which its sender had read that; `None` where no reader's service is known to have sent it.
    pub consumer: Option<ConsumerId>,
    /// Who sent it, as far as is known.
    pub service: Option<ServiceId>,
    /// By what that is known.
    pub link: Link,
}

/// One line of a message's story.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line<'t> {
    /// Messages before it in the chain of causes.
    pub depth: usize,
    /// The message.
    pub trace: &'t Trace,
    /// It at one consumer; `None` for the message itself.
    pub leg: Option<&'t Leg>,
}

/// A message's story from top to bottom: each consumer, what needs a person and what took longest first; under it what that service
/// sent in consequence, under that its consumers; then what came of it by nobody known. The message itself has no line.
pub fn story<'t>(traces: &'t [Trace], of: &'t Trace) -> Vec<Line<'t>> {
    let mut lines = Vec::new();
    tell(traces, of, 0, &mut lines);
    lines
}

/// A message that is followed.
pub fn find<'t>(traces: &'t [Trace], message: &MessageId) -> Option<&'t Trace> {
    traces.iter().find(|trace| trace.message.id == *message)
}

/// Deeper than any story that is looked for.
const DEEPEST: usize = 16;

fn tell<'t>(traces: &'t [Trace], of: &'t Trace, depth: usize, lines: &mut Vec<Line<'t>>) {
    if depth > DEEPEST {
        return;
    }
    let mut came: Vec<(&Trace, &Origin)> = traces
        .iter()
        .filter_map(|trace| Some((trace, trace.origin.as_ref().filter(|o| o.message == of.message.id)?)))
        .collect();
    came.sort_by_key(|(trace, _)| (trace.message.appended, &trace.message.id));
    // That somebody does not want what came of it is no part of the story.
    let mut legs: Vec<&Leg> =
        of.legs.iter().filter(|leg| depth == 0 || leg.state != LegState::NotForIt).collect();
    legs.sort_by_key(|leg| (leg.state.rank(), Reverse(leg.delay)));
    let under = |by: Option<&ConsumerId>, lines: &mut Vec<Line<'t>>| {
        for (trace, _) in came.iter().filter(|(_, origin)| origin.consumer.as_ref() == by) {
            lines.push(Line { depth: depth + 1, trace, leg: None });
            tell(traces, trace, depth + 1, lines);
        }
    };
    for leg in legs {
        lines.push(Line { depth, trace: of, leg: Some(leg) });
        under(Some(&leg.consumer), lines);
    }
    under(None, lines);
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
    /// The newest version of the record that it is known to have; `None` where none is.
    pub holds: Option<Name>,
    /// Its services keep copies of the entity.
    pub copy: bool,
}

/// How far a message is at a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegState {
    /// Processed, and its service says that it has this version or a later one.
    Applied,
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
    /// The topology declares a reader, and the channel has no consumer of its name.
    NoConsumer,
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
            Self::Applied
                | Self::Acknowledged
                | Self::Passed
                | Self::Terminated
                | Self::GaveUp
                | Self::Missed
                | Self::NoConsumer
                | Self::NotForIt
        )
    }

    /// Processed, by one sign or another.
    pub const fn has_it(self) -> bool {
        matches!(self, Self::Applied | Self::Acknowledged | Self::Passed)
    }

    /// Smallest for what needs a person most.
    pub const fn rank(self) -> u8 {
        match self {
            Self::GaveUp => 0,
            Self::Missed => 1,
            Self::NoConsumer => 2,
            Self::Terminated => 3,
            Self::Waiting => 4,
            Self::InFlight => 5,
            Self::Unknown => 6,
            Self::Applied | Self::Acknowledged => 7,
            Self::Passed => 8,
            Self::NotForIt => 9,
        }
    }

    /// The word for it on screen and in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Acknowledged => "acked",
            Self::Passed => "passed",
            Self::InFlight => "in flight",
            Self::Waiting => "waiting",
            Self::Terminated => "terminated",
            Self::GaveUp => "gave up",
            Self::Missed => "missed",
            Self::NoConsumer => "no consumer",
            Self::NotForIt => "not for it",
            Self::Unknown => "unknown",
        }
    }
}
