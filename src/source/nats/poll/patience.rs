//! When to try again, and how long to wait for many.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::pace::SHORTEST;
use crate::model::time::Mono;
use crate::source::nats::wire::{Failure, Patience};

/// What was refused is tried again after this: rights are seldom given while somebody watches.
const RETRY_REFUSED: Duration = Duration::from_secs(30);
/// Nobody among many who answers later than this is waited for.
pub(super) const GATHER_LONGEST: Duration = Duration::from_secs(2);
/// Quiet after which a gathering of unknown size ends.
const QUIET: Duration = Duration::from_millis(150);
/// Quiet after which those who should answer are given up for this turn.
const QUIET_KNOWN: Duration = Duration::from_secs(1);
/// Every so many turns a gathering waits for quiet, so that newcomers are found.
const EXPLORE_EVERY: u32 = 5;
/// After so many turns without an answer somebody is gone.
const MISSES: u8 = 3;

/// When something that failed is tried again.
#[derive(Debug, Default)]
pub(super) struct Retry {
    failures: u32,
    not_before: Mono,
    /// The last time, no answer came.
    silence: bool,
}

impl Retry {
    pub(super) fn due(&self, now: Mono) -> bool {
        now >= self.not_before
    }

    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Whether it has failed since it last succeeded.
    pub(super) fn has_failed(&self) -> bool {
        self.failures > 0
    }

    /// What got no answer may be asked again at once; what was refused may not.
    pub(super) fn forgive_silence(&mut self) {
        if self.silence {
            self.not_before = Mono::default();
        }
    }

    pub(super) fn failed(&mut self, failure: &Failure, now: Mono) {
        self.failures = self.failures.saturating_add(1);
        self.silence = matches!(failure, Failure::Timeout { .. });
        let wait = match failure {
            Failure::Lost => Duration::ZERO,
            failure if failure.may_pass() => {
                SHORTEST.saturating_mul(1 << self.failures.min(5)).min(RETRY_REFUSED)
            }
            _ => RETRY_REFUSED,
        };
        self.not_before = now + wait;
    }
}

/// Who answered before and so should answer again.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    misses: BTreeMap<String, u8>,
    turns: u32,
}

impl Crowd {
    /// Those, and no others.
    pub(super) fn of(ids: &BTreeSet<String>) -> Self {
        Self { misses: ids.iter().map(|id| (id.clone(), 0)).collect(), turns: 1 }
    }

    /// Nobody can answer but this one.
    pub(super) fn expect(&mut self, id: &str) {
        *self = Self::of(&BTreeSet::from([id.to_owned()]));
    }

    pub(super) fn knows(&self, id: &str) -> bool {
        self.misses.contains_key(id)
    }

    fn explores(&self) -> bool {
        self.misses.is_empty() || self.turns.is_multiple_of(EXPLORE_EVERY)
    }

    pub(super) fn patience(&self, rtt: Option<Duration>) -> Patience {
        let quiet = if self.explores() { QUIET.max(rtt.unwrap_or_default() * 3) } else { QUIET_KNOWN };
        Patience { longest: GATHER_LONGEST, quiet: quiet.min(GATHER_LONGEST) }
    }

    pub(super) fn enough(&self, answered: &BTreeSet<String>) -> bool {
        !self.explores() && self.misses.keys().all(|id| answered.contains(id))
    }

    /// Enters who answered; whether everybody who should did.
    pub(super) fn enter(&mut self, answered: &BTreeSet<String>) -> bool {
        self.turns = self.turns.wrapping_add(1);
        let mut complete = true;
        for (id, misses) in &mut self.misses {
            if answered.contains(id) {
                *misses = 0;
            } else {
                *misses += 1;
                complete &= *misses >= MISSES;
            }
        }
        self.misses.retain(|_, misses| *misses < MISSES);
        for id in answered {
            self.misses.entry(id.clone()).or_insert(0);
        }
        complete
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_waits_for_those_it_knows() {
        let set = |ids: &[&str]| ids.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
        let mut crowd = Crowd::default();
        assert!(!crowd.enough(&set(&["a", "b"])), "the first time nobody knows how many there are");
        assert!(crowd.enter(&set(&["a", "b"])));
        assert!(crowd.enough(&set(&["a", "b"])) && !crowd.enough(&set(&["a"])));
        assert!(!crowd.enter(&set(&["a"])) && !crowd.enter(&set(&["a"])), "b is missed");
        assert!(crowd.enter(&set(&["a"])), "b is gone");
        assert!(crowd.enough(&set(&["a"])));
    }

    #[test]
    fn a_refusal_is_not_asked_again_soon() {
        let mut retry = Retry::default();
        retry.failed(&Failure::Denied("x".into()), Mono(0));
        assert!(!retry.due(Mono(29_000_000_000)) && retry.due(Mono(30_000_000_000)));
        retry.failed(&Failure::Lost, Mono(0));
        assert!(retry.due(Mono(0)));
    }
    #[test]
    fn silence_is_forgiven_and_a_refusal_is_not() {
        let timeout = Failure::Timeout { subject: "x".into(), after: GATHER_LONGEST };
        for (failure, due) in [(timeout, true), (Failure::Denied("x".into()), false)] {
            let mut retry = Retry::default();
            retry.failed(&failure, Mono(0));
            assert!(!retry.due(Mono(0)), "{failure}");
            retry.forgive_silence();
            assert_eq!((retry.due(Mono(0)), retry.has_failed()), (due, true), "{failure}");
        }
    }
}
