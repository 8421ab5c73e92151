//! One message that a person asked for: which it is, and how it was found. What is in it stays at the source.

use serde::{Deserialize, Serialize};

use super::id::{ChannelId, Name};
use super::time::Timestamp;

/// A message on a channel that keeps messages.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MessageId {
    /// The channel.
    pub channel: ChannelId,
    /// Its position there.
    pub seq: u64,
}

impl MessageReport {
    /// What a person calls this version of a record: what it says itself, else its position.
    pub fn label(&self) -> Name {
        match &self.version {
            Some(version) => format!("v{version}").into(),
            None => format!("#{}", self.id.seq).into(),
        }
    }
}

/// What the broker says of one message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MessageReport {
    /// Which.
    pub id: MessageId,
    /// Its subject.
    pub subject: Name,
    /// When it was appended, on the clock of the server that stamped it.
    pub appended: Timestamp,
    /// Bytes of payload and headers.
    pub bytes: u64,
    /// Headers that tell where it comes from (`Nats-Msg-Id`, `traceparent`, `ce-…`), as they are: hostile.
    pub headers: Vec<(Name, Name)>,
    /// Fields of its payload that tell what it is about: keys that the topology declares, and ids. Hostile too; never sensitive.
    pub fields: Vec<(Name, Name)>,
    /// Which version of a record it brings, where it says so.
    pub version: Option<Name>,
    /// When what it tells was decided, where it says so.
    pub committed: Option<Commit>,
    /// Which message it was found as a consequence of.
    pub caused: Option<Caused>,
    /// When it was read, on our clock.
    pub read_at: Timestamp,
    /// The same moment on the clock that stamped it; `None` when nobody's we know.
    pub read_on: Option<Timestamp>,
}

/// When what a message tells was decided at its owner, on a clock that is not known to be right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// When.
    pub at: Timestamp,
    /// What says so: `ce-time`, or a field's path.
    pub by: Name,
}

/// Of what a message is a consequence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caused {
    /// The message that was pursued.
    pub of: MessageId,
    /// What they have in common; the surest.
    pub link: Link,
}

/// What two messages have in common when one came of the other. The surest sign first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// The later one names the earlier one's id as its cause.
    Causation(Name),
    /// Both belong to one trace (W3C `traceparent`).
    Trace(Name),
    /// Both have the same correlation id.
    Correlation(Name),
    /// Both have this value in this field, and the topology declares that the one leads to the other.
    Field {
        /// The field's name.
        name: Name,
        /// Its value as text.
        value: Name,
    },
    /// Both are versions of one record, which this field identifies: neither came of the other.
    Version {
        /// The field's name.
        name: Name,
        /// Its value as text.
        value: Name,
    },
}

impl Link {
    /// Whether a message has this sign. `field` says whether its payload has a field of this name with this value.
    pub fn holds<'h>(
        &self,
        headers: impl IntoIterator<Item = (&'h str, &'h str)>,
        field: impl FnOnce(&str, &str) -> bool,
    ) -> bool {
        let named = |names: &[&str], fits: &dyn Fn(&str) -> bool| {
            headers
                .into_iter()
                .any(|(name, value)| names.iter().any(|n| name.eq_ignore_ascii_case(n)) && fits(value.trim()))
        };
        match self {
            Self::Causation(id) => named(&CAUSATION, &|value| value == &**id),
            Self::Correlation(id) => named(&CORRELATION, &|value| value == &**id),
            Self::Trace(id) => {
                named(&[TRACEPARENT], &|value| traceparent(value).is_some_and(|(trace, _)| trace == &**id))
            }
            Self::Field { name, value } | Self::Version { name, value } => field(name, value),
        }
    }

    /// The signs by which the headers of a message tell what came of it, the surest first.
    pub fn of_headers(headers: &[(Name, Name)]) -> Vec<Self> {
        let valued = |names: &[&str]| -> Vec<&Name> {
            let named = |name: &Name| names.iter().any(|n| name.eq_ignore_ascii_case(n));
            headers.iter().filter(|(name, _)| named(name)).map(|(_, value)| value).collect()
        };
        let own = valued(&IDS);
        let causes = own.iter().map(|id| Self::Causation(Name::clone(id)));
        let traces = valued(&[TRACEPARENT]).into_iter().filter_map(|value| traceparent(value));
        let traces = traces.map(|(trace, _)| Self::Trace(trace.into()));
        // Who begins a conversation gives it his own id.
        let correlations = valued(&CORRELATION).into_iter().chain(own.iter().copied());
        let correlations = correlations.map(|id| Self::Correlation(Name::clone(id)));
        causes.chain(traces).chain(correlations).collect()
    }

    /// How it is said on screen and in reports.
    pub fn words(&self) -> String {
        match self {
            Self::Causation(id) => format!("it names {id} as its cause"),
            Self::Trace(_) => "the same trace".to_owned(),
            Self::Correlation(_) => "the same correlation id".to_owned(),
            Self::Field { name, value } => format!("declared, and the same {name}={value}"),
            Self::Version { name, value } => format!("another version of {name}={value}"),
        }
    }
}

/// W3C Trace Context.
const TRACEPARENT: &str = "traceparent";
/// Headers with a message's own id.
const IDS: [&str; 2] = ["nats-msg-id", "ce-id"];
/// Headers with the id of the message that caused it.
const CAUSATION: [&str; 3] = ["causation-id", "x-causation-id", "ce-causationid"];
/// Headers with the id of the conversation that it belongs to.
const CORRELATION: [&str; 3] = ["correlation-id", "x-correlation-id", "ce-correlationid"];

/// Trace and span of a W3C `traceparent`; `None` when it is not a sound one.
pub fn traceparent(value: &str) -> Option<(&str, &str)> {
    let mut parts = value.split('-').skip(1);
    let hex = |part: &&str, digits: usize| {
        part.len() == digits && part.bytes().all(|b| b.is_ascii_hexdigit()) && part.bytes().any(|b| b != b'0')
    };
    let trace = parts.next().filter(|part| hex(part, 32))?;
    let span = parts.next().filter(|part| hex(part, 16))?;
    parts.next().map(|_flags| (trace, span))
}

/// What is looked for on a channel as a consequence of a message: what was stored there since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pursuit {
    /// The message.
    pub of: MessageId,
    /// Where it is looked.
    pub channel: ChannelId,
    /// When the message was stored.
    pub since: Timestamp,
    /// What would be one; any of them.
    pub wants: Vec<Want>,
    /// The newest one that was stored before it is wanted too, on the message's own channel.
    pub earlier: bool,
    /// Until it is taken back, instead of for a while.
    pub lasting: bool,
}

/// One kind of message that would be a consequence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Want {
    /// On these subjects; `>` for all.
    pub subject: Name,
    /// With one of these signs.
    pub links: Vec<Link>,
}

/// How far a pursuit has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PursuitReport {
    /// Of which message.
    pub of: MessageId,
    /// On which channel.
    pub channel: ChannelId,
    /// Everything before this position has been looked at.
    pub next: u64,
    /// It has looked at all that there was, at least once.
    pub caught_up: bool,
    /// It goes on until it is taken back.
    pub lasting: bool,
    /// Why it goes no further; `None` while it does.
    pub ended: Option<Name>,
    /// Messages read for it.
    pub looked_at: u64,
    /// Bytes read for it.
    pub bytes: u64,
}

/// How a message is looked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Search {
    /// By its position.
    Seq(u64),
    /// The newest one whose payload (JSON) has a field with this value, at any depth: `user_id=42`.
    Field {
        /// The field's name.
        name: Name,
        /// Its value as text.
        value: Name,
    },
    /// The newest one with this header.
    Header {
        /// The header's name.
        name: Name,
        /// Its value.
        value: Name,
    },
}

/// How a search goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchReport {
    /// On which channel.
    pub channel: ChannelId,
    /// For what.
    pub search: Search,
    /// Where it is, or how far it was looked for.
    pub outcome: SearchOutcome,
    /// Messages read for it.
    pub looked_at: u64,
    /// Bytes read for it.
    pub bytes: u64,
}

/// What a search came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchOutcome {
    /// Found: a [`MessageReport`] comes with it.
    Found(u64),
    /// Not in what was looked at: everything from this position on. It can go on before it.
    NotFrom(u64),
    /// Not there at all: everything that the channel keeps was looked at.
    NotThere,
    /// It cannot be looked for, and why.
    Refused(Name),
}
