//! What was heard of acknowledgements: one tally per consumer, mergeable.
//!
//! A tally holds every message exactly once, when it is settled for the first time: an acknowledgement that is sent twice, or of
//! two deliveries of one message, processes it once. Times are differences on the clock of the server that stamped
//! the message, so that no other clock is in them; how well that clock is known is [`AckTally::error`].

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::histogram::Histogram;
use super::id::{ChannelId, ConsumerId};
use super::observation::Span;
use super::time::Timestamp;

/// Acknowledgements of one consumer over one span of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AckTally {
    /// Append → acknowledged, in nanoseconds, of each message that was acknowledged.
    pub delays: Histogram,
    /// The most that any of these delays may be wrong by: how well the clock was known, and for messages that a later
    /// acknowledgement covered, half the time in which they were appended.
    pub error: Duration,
    /// Messages that were acknowledged, with or without a known delay.
    pub acknowledged: u64,
    /// Those of them that one acknowledgement of a later message covered.
    pub covered: u64,
    /// Deliveries beyond the first, of the messages that were acknowledged or terminated.
    pub redelivered: u64,
    /// Refusals: the message comes again.
    pub refused: u64,
    /// Signs of life: "still working on it".
    pub in_progress: u64,
    /// Messages that were terminated: refused for good.
    pub terminated: u64,
    /// The time that was listened.
    pub span: Span,
}

impl AckTally {
    /// Adds a later tally of the same consumer.
    pub fn merge(&mut self, later: &Self) {
        self.delays.merge(&later.delays);
        self.error = self.error.max(later.error);
        self.acknowledged = self.acknowledged.saturating_add(later.acknowledged);
        self.covered = self.covered.saturating_add(later.covered);
        self.redelivered = self.redelivered.saturating_add(later.redelivered);
        self.refused = self.refused.saturating_add(later.refused);
        self.in_progress = self.in_progress.saturating_add(later.in_progress);
        self.terminated = self.terminated.saturating_add(later.terminated);
        self.span = self.span.union(later.span);
    }
}

/// Tallies since the last batch, by consumer. A tally of nothing over a span is information too: it was listened, and nobody
/// acknowledged.
pub type Acks = BTreeMap<ConsumerId, AckTally>;

/// Last delivery → acknowledgement, in nanoseconds, of those acknowledgements that the broker sampled since the last batch, by
/// consumer: the time that a service takes of its own. On the clock of the server that leads the consumer.
pub type Processing = BTreeMap<ConsumerId, Histogram>;

/// What a consumer said of one delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AckKind {
    /// Processed.
    Acknowledged,
    /// Processed by an acknowledgement of a later message.
    Covered,
    /// Refused: it comes again.
    Refused,
    /// Still being worked on.
    InProgress,
    /// Refused for good.
    Terminated,
}

/// One thing heard about one message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AckStep {
    /// Whose message.
    pub channel: ChannelId,
    /// Its position on the channel.
    pub seq: u64,
    /// Who said it.
    pub consumer: ConsumerId,
    /// What.
    pub kind: AckKind,
    /// How often the message had been delivered to it by then.
    pub deliveries: u64,
    /// When the message was appended, on the clock of the server that stamped it.
    pub appended: Timestamp,
    /// When it was said, on the same clock.
    pub at: Timestamp,
    /// How well that clock is known.
    pub error: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Mono;

    #[test]
    fn tallies_add_up_and_keep_the_larger_error() {
        let tally = |nanos: i64, error: u64, from: u64| {
            let mut delays = Histogram::default();
            delays.record(nanos);
            AckTally {
                delays,
                error: Duration::from_millis(error),
                acknowledged: 1,
                redelivered: 2,
                span: Span { from: Mono(from), to: Mono(from + 1) },
                ..AckTally::default()
            }
        };
        let mut sum = tally(5, 1, 0);
        sum.merge(&tally(9, 3, 1));
        assert_eq!((sum.delays.count(), sum.delays.max(), sum.acknowledged), (2, Some(9), 2));
        assert_eq!((sum.redelivered, sum.error.as_millis()), (4, 3));
        assert_eq!(sum.span, Span { from: Mono(0), to: Mono(2) });
    }
}
