//! Requests that were heard with their answers: one tally per subject and requester, mergeable.
//!
//! A request and its answer are a pair when the answer comes to the address that the request named. Each request is in a tally
//! exactly once, when its fate is known: answered, not answered in [`PATIENCE`], or not followed, because its answer could not
//! be heard. Times are differences between two moments at which we heard something, on our own clock alone: from the request at
//! the broker to the answer at the broker, without the requester's own way to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::histogram::Histogram;
use super::id::{Name, ServiceId};
use super::observation::Span;
use super::snapshot::Delay;

/// A request without an answer for so long counts as unanswered. When the requester itself gave up is not seen; client
/// libraries wait for two to ten seconds by themselves.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Whose requests on what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CallKey {
    /// The subject, with id-like tokens folded.
    pub subject: Name,
    /// The program that asked, where the address for its answer tells.
    pub requester: Option<Name>,
}

/// Requests of one requester on one subject over one span of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CallTally {
    /// Request → first answer, in nanoseconds, of each that was answered.
    pub times: Histogram,
    /// The most that any of these may be wrong by: how much longer one message may have been on its way to us than another.
    pub error: Duration,
    /// Answered, errors among them.
    pub answered: u64,
    /// Answered with an error: NATS's service error header, or status 503.
    pub failed: u64,
    /// Nothing came in [`PATIENCE`].
    pub unanswered: u64,
    /// Their answers could not be heard.
    pub unfollowed: u64,
    /// The time in which it was listened.
    pub span: Span,
}

impl CallTally {
    /// All requests in it.
    pub fn asked(&self) -> u64 {
        self.answered.saturating_add(self.unanswered).saturating_add(self.unfollowed)
    }

    /// Adds a later tally of the same requester and subject, or one of another requester.
    pub fn merge(&mut self, other: &Self) {
        self.times.merge(&other.times);
        self.error = self.error.max(other.error);
        self.answered = self.answered.saturating_add(other.answered);
        self.failed = self.failed.saturating_add(other.failed);
        self.unanswered = self.unanswered.saturating_add(other.unanswered);
        self.unfollowed = self.unfollowed.saturating_add(other.unfollowed);
        self.span = self.span.union(other.span);
    }
}

/// Tallies since the last batch.
pub type Calls = BTreeMap<CallKey, CallTally>;

/// What was heard of one operation's requests over the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// By requester, those that ask most first.
    pub by: Arc<[Asker]>,
    /// Of all of them together.
    pub all: CallTally,
}

/// One requester.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asker {
    /// The program's name; `None` where its address does not tell.
    pub name: Option<Name>,
    /// The services that it is.
    pub services: Arc<[ServiceId]>,
    /// Requests per second, over the window or the time since it was first heard.
    pub rate: f64,
    /// Request → answer; `None` where no answer was heard.
    pub delay: Option<Delay>,
    /// How its requests fared.
    pub tally: CallTally,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Mono;

    #[test]
    fn tallies_add_up() {
        let mut times = Histogram::default();
        times.record(5);
        let one = CallTally {
            times,
            error: Duration::from_millis(1),
            answered: 1,
            failed: 1,
            unanswered: 2,
            unfollowed: 3,
            span: Span { from: Mono(0), to: Mono(1) },
        };
        let mut sum = one.clone();
        sum.merge(&CallTally {
            error: Duration::from_millis(4),
            span: Span { from: Mono(1), to: Mono(3) },
            ..one
        });
        assert_eq!((sum.asked(), sum.failed, sum.times.count()), (12, 2, 2));
        assert_eq!((sum.error.as_millis(), sum.span), (4, Span { from: Mono(0), to: Mono(3) }));
    }
}
