//! Counters of messages, mergeable.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::id::Name;
use super::observation::Span;

/// What is counted under one key. Subjects are folded (`orders.{id}.created`) and capped before they get
/// here: what is beyond the cap is counted under [`OTHER`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrafficKey {
    /// Handed to subscribers of this name on this subject, as the broker counts it.
    Delivered {
        /// The subscriber's name, or what stands in for it ([`ClientReport::counted_as`]); `None` for clients that have neither.
        ///
        /// [`ClientReport::counted_as`]: super::observation::ClientReport::counted_as
        client: Option<Name>,
        /// Its subscription's subject, folded.
        subject: Name,
        /// Its queue group.
        queue: Option<Name>,
    },
    /// Sent in by clients of this name, to whatever subject.
    Published {
        /// The publisher's name, or what stands in for it.
        client: Option<Name>,
    },
    /// Answered by a responder, as it counts itself.
    Answered {
        /// The responder's name.
        responder: Name,
        /// The operation's subject.
        subject: Name,
    },
    /// Seen on a subject by a tap, or appended to it.
    Seen {
        /// The subject, folded.
        subject: Name,
    },
}

/// The subject under which everything beyond the cardinality cap is counted.
pub const OTHER: &str = "other";

/// Counters of one key over one span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Messages.
    pub messages: u64,
    /// Bytes of payload and headers, where known.
    pub bytes: u64,
    /// Errors among them.
    pub errors: u64,
    /// Nanoseconds spent on them by whoever processed them, where told.
    pub busy_ns: u64,
    /// The time that they were counted in.
    pub span: Span,
}

impl Count {
    /// Adds a count of the same key over another span.
    pub fn add(&mut self, other: &Self) {
        self.messages = self.messages.saturating_add(other.messages);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.errors = self.errors.saturating_add(other.errors);
        self.busy_ns = self.busy_ns.saturating_add(other.busy_ns);
        self.span = self.span.union(other.span);
    }
}

/// Counters since the last batch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// By key.
    #[serde(with = "super::pairs")]
    pub counts: BTreeMap<TrafficKey, Count>,
    /// Messages that were counted under [`OTHER`] because of the cap, so that the loss of detail is visible.
    pub folded_away: u64,
}

impl Traffic {
    /// Nothing counted, not even a zero.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.folded_away == 0
    }

    /// Adds to one key. A count of zero over a span is information too: the rate is 0, not unknown.
    pub fn add(&mut self, key: TrafficKey, count: &Count) {
        self.counts.entry(key).or_default().add(count);
    }

    /// Adds all of another's counters.
    pub fn merge(&mut self, other: Self) {
        for (key, count) in other.counts {
            self.add(key, &count);
        }
        self.folded_away = self.folded_away.saturating_add(other.folded_away);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Mono;

    fn count(messages: u64, from: u64, to: u64) -> Count {
        Count { messages, span: Span { from: Mono(from), to: Mono(to) }, ..Count::default() }
    }

    #[test]
    fn counters_add_up_and_spans_unite() {
        let key = || TrafficKey::Seen { subject: "orders.created".into() };
        let mut a = Traffic::default();
        a.add(key(), &count(3, 0, 10));
        let mut b = Traffic::default();
        b.add(key(), &count(4, 10, 20));
        a.merge(b);
        assert_eq!(a.counts[&key()], count(7, 0, 20));
    }

    #[test]
    fn a_recording_keeps_structured_keys() {
        let mut traffic = Traffic::default();
        traffic.add(
            TrafficKey::Delivered { client: None, subject: "a".into(), queue: Some("q".into()) },
            &count(1, 0, 1),
        );
        let text = serde_json::to_string(&traffic).unwrap();
        assert_eq!(serde_json::from_str::<Traffic>(&text).unwrap(), traffic);
    }
}
