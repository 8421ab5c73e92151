//! How long to wait between two turns.
//!
//! The broker's share of time follows what turns usually cost: the middle of the last few decides, so that
//! a broker that stood still once (a long collection, an election, a suspended machine) is not left alone
//! for a minute afterwards, when it is well again. From one turn to the next the time at most doubles, and
//! it falls at once. Bytes are no accident of the moment: the last turn's count as they are.

use std::collections::VecDeque;
use std::time::Duration;

/// The shortest time between two turns.
pub(super) const SHORTEST: Duration = Duration::from_secs(1);
/// The longest: a picture that is older is no live picture.
pub(super) const LONGEST: Duration = Duration::from_secs(60);
/// The broker's share of time for our questions is one in so many.
const SHARE: u32 = 10;
/// Bytes of answers in the long run.
pub(super) const BYTES_PER_SECOND: u64 = 512 * 1024;
/// Turns of which the middle one decides.
const TURNS: usize = 3;

/// What the last turns cost.
#[derive(Debug, Default)]
pub(super) struct Pace {
    busy: VecDeque<Duration>,
    last: Option<Duration>,
}

impl Pace {
    /// The time until the next turn, after one for which the broker was `busy` so long and told so many bytes.
    pub(super) fn after(&mut self, busy: Duration, bytes: u64) -> Duration {
        self.busy.push_back(busy);
        if self.busy.len() > TURNS {
            self.busy.pop_front();
        }
        let mut sorted: Vec<Duration> = self.busy.iter().copied().collect();
        sorted.sort_unstable();
        // Of two the smaller one.
        let usual = sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or_default();
        let most = self.last.map_or(LONGEST, |last| last * 2);
        let by_time = usual.saturating_mul(SHARE).min(most).clamp(SHORTEST, LONGEST);
        self.last = Some(by_time);
        let by_bytes = Duration::from_millis(bytes.saturating_mul(1000) / BYTES_PER_SECOND);
        by_time.max(by_bytes).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::nats::api::API_TIMEOUT;

    const QUICK: Duration = Duration::from_millis(20);

    #[test]
    fn slow_and_big_answers_make_turns_rarer() {
        let first = |busy, bytes| Pace::default().after(busy, bytes);
        assert_eq!(first(QUICK, 10_000), SHORTEST);
        assert_eq!(first(Duration::from_millis(300), 0), Duration::from_secs(3));
        assert_eq!(first(Duration::ZERO, 5 * 512 * 1024), Duration::from_secs(5));
        assert_eq!(first(API_TIMEOUT * 100, u64::MAX), LONGEST);
    }

    #[test]
    fn one_slow_turn_makes_none_rarer() {
        let mut pace = Pace::default();
        let slow = Duration::from_secs(10);
        let told = [QUICK, QUICK, QUICK, slow, QUICK, slow, QUICK, QUICK].map(|busy| pace.after(busy, 0));
        let second = |s| Duration::from_secs(s);
        assert_eq!(told, [1, 1, 1, 1, 1, 2, 1, 1].map(second));
    }

    #[test]
    fn a_broker_that_stays_slow_is_asked_less_and_less_and_at_once_more_when_it_is_quick() {
        let mut pace = Pace::default();
        pace.after(QUICK, 0);
        let slow = Duration::from_secs(2);
        let told = [slow; 8].map(|busy| pace.after(busy, 0).as_secs());
        assert_eq!(told, [1, 2, 4, 8, 16, 20, 20, 20]);
        pace.after(QUICK, 0);
        assert_eq!(pace.after(QUICK, 0), SHORTEST);
    }
}
