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
    /// When it was read, on our clock.
    pub read_at: Timestamp,
    /// The same moment on the clock that stamped it; `None` when nobody's we know.
    pub read_on: Option<Timestamp>,
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
