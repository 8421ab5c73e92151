//! What the person asks of sources: the only thing that flows against the data.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::id::{ChannelId, Name, SourceId};
use super::message::{MessageId, Pursuit, Search};

/// How much a source does to learn. Each level includes the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeLevel {
    /// Lists, counters, single-message reads, advisories: no effect on what others see.
    #[default]
    Passive,
    /// Also listens to acknowledgements.
    Acks,
    /// Also listens to named channels' messages.
    Tap,
}

impl ProbeLevel {
    /// The word for it on screen, in flags and in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passive => "passive",
            Self::Acks => "acks",
            Self::Tap => "tap",
        }
    }
}

/// A command to the sources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Ask everything again now instead of at the next turn.
    Refresh,
    /// Try a lost connection again now.
    Reconnect(SourceId),
    /// Do as much as this to learn, and no more.
    Probe(ProbeLevel),
    /// Let figures of what is heard cover so long; [`Duration::MAX`] is all that was heard. Nothing is asked of a source for it.
    Window(Duration),
    /// Listen for a while to who pulls from which consumer; only at the level [`ProbeLevel::Tap`].
    Pullers,
    /// Look for a message on a channel; when it is found, follow it.
    Find {
        /// Where.
        channel: ChannelId,
        /// What.
        search: Search,
        /// Look only before this position: to go on with a search.
        before: Option<u64>,
    },
    /// Look for what came of a message that is followed, from its moment on and for a while.
    Pursue(Pursuit),
    /// Look no longer for more versions of a message's record.
    LetGo(MessageId),
    /// Tell what consumers say of this message, from now on and as far back as it is remembered.
    Follow(MessageId),
    /// Listen to a channel's messages, or no longer; only at the level [`ProbeLevel::Tap`].
    Tap {
        /// Which: one that the broker keeps, or a bare subject.
        channel: ChannelId,
        /// Begin or end.
        on: bool,
    },
    /// Cause or end a fault in the sample system; only the demo listens to it.
    Fault {
        /// The fault's id in the scenario file.
        id: Name,
        /// Begin or end.
        on: bool,
    },
}
