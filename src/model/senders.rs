//! Who was heard to send to a channel, and by what that is known.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::id::{ChannelId, Name, ServiceId};
use super::time::Timestamp;

/// Somebody who sends to a channel.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SenderKey {
    /// To which channel.
    pub channel: ChannelId,
    /// The name of the program's connection; by [`SentBy::EventSource`] what the message says of itself.
    pub name: Name,
    /// By what it is known.
    pub by: SentBy,
}

/// By what a sender is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SentBy {
    /// The address for the answer is an inbox that one connection alone listens on.
    ReplyInbox,
    /// The server's own trace of the message names the connection.
    MessageTrace,
    /// The message names its source, as CloudEvents do: anybody may write it.
    EventSource,
}

impl SentBy {
    /// The words for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ReplyInbox => "reply inbox",
            Self::MessageTrace => "message trace",
            Self::EventSource => "ce-source header",
        }
    }
}

/// Messages that were heard of each sender since the last batch.
pub type Sends = BTreeMap<SenderKey, u64>;

/// What was heard of one sender on one channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// Its name, as in [`SenderKey`].
    pub name: Name,
    /// By what it is known.
    pub by: SentBy,
    /// The services that it is; empty when none is known by that name.
    pub services: Arc<[ServiceId]>,
    /// Messages heard.
    pub messages: u64,
    /// When the last of them came.
    pub last: Timestamp,
}
