//! Messages that are heard on a tapped channel, and how the listening goes.
//!
//! What is in a message is hostile, and may be secret: the source takes out what is declared sensitive before anything leaves it, and
//! whoever draws makes the rest harmless. Times are of the moment at which we heard it, on our own clock.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::id::{ChannelId, Name};
use super::time::Timestamp;

/// One message that was heard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeardMessage {
    /// On which tapped channel.
    pub channel: ChannelId,
    /// Which one of all that were heard there, from 1: a gap is what was heard and not told.
    pub number: u64,
    /// When it reached us.
    pub at: Timestamp,
    /// Its subject, as it is.
    pub subject: Name,
    /// The program that sent it, where its reply address tells.
    pub publisher: Option<Name>,
    /// By what that is known; empty where it is not.
    pub publisher_by: Name,
    /// It asks for an answer.
    pub asks: bool,
    /// Bytes of payload and headers as they were sent.
    pub bytes: u64,
    /// Its headers, as they are but for sensitive ones.
    pub headers: Vec<(Name, Name)>,
    /// What is in it.
    pub payload: Payload,
}

/// What is in a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Payload {
    /// As much as is told.
    pub content: Content,
    /// Bytes at its end that are not told: it is too long.
    pub cut: u64,
    /// Names of fields and headers whose values were taken out.
    pub redacted: Vec<Name>,
}

/// The content of a payload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Text in UTF-8: JSON, XML or anything else.
    Text(Name),
    /// Anything that is no text.
    Binary(Arc<[u8]>),
    /// Not told at all, and why: what is sensitive in it cannot be told apart.
    Withheld(Name),
}

impl Content {
    /// Bytes that it takes.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) | Self::Withheld(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl HeardMessage {
    /// Bytes that keeping it takes, about.
    pub fn weight(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len() + 32).sum();
        size_of::<Self>() + self.subject.len() + headers + self.payload.content.len()
    }
}

/// How listening on one channel goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TapReport {
    /// The channel.
    pub channel: ChannelId,
    /// What is listened to for it.
    pub subjects: Vec<Name>,
    /// How it goes.
    pub state: TapState,
    /// Why not, or by what it is guarded.
    pub why: Name,
    /// Since when it goes so, on our wall clock.
    pub since: Timestamp,
    /// Messages heard since it was asked for.
    pub heard: u64,
    /// Those of them that were told: the others came too quickly to be read by a person.
    pub told: u64,
    /// Messages that our own end of the connection lost, as far as is known.
    pub dropped: u64,
}

/// How a tap goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TapState {
    /// Asked for, and not listened to yet.
    Asked,
    /// Listened to.
    Listening,
    /// It may not be listened to, or it would do harm.
    Refused,
    /// It was listened to, and is not any more.
    Ended,
}

impl TapState {
    /// The word for it on screen and in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Listening => "listening",
            Self::Refused => "refused",
            Self::Ended => "ended",
        }
    }
}
