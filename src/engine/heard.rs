//! What was heard of acknowledgements, over a window: delays that are exact, and samples of processing times.
//!
//! What is heard is kept in slots, so that the window moves on without keeping every message, and once for the whole run. Delays are never
//! mixed with what polls say: a consumer whose acknowledgements were heard in the window has exact delays, any other one
//! intervals.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::acks::AckTally;
use crate::model::histogram::{Histogram, Quantile};
use crate::model::snapshot::{Delay, DelayMethod, Processing};
use crate::model::time::Mono;

/// Width of a slot: the window's end is as sharp as this.
const SLOT: Duration = Duration::from_secs(5);
/// Slots kept: ten minutes, the longest window that is drawn.
const SLOTS: usize = 120;

/// What can be added up.
pub(super) trait Sum: Clone + Default {
    /// Adds what came later.
    fn add(&mut self, later: &Self);
    /// Whether it says nothing.
    fn is_nothing(&self) -> bool;
}

impl Sum for AckTally {
    fn add(&mut self, later: &Self) {
        self.merge(later);
    }

    fn is_nothing(&self) -> bool {
        self.acknowledged == 0
    }
}

impl Sum for Histogram {
    fn add(&mut self, later: &Self) {
        self.merge(later);
    }

    fn is_nothing(&self) -> bool {
        self.is_empty()
    }
}

/// What was heard of one consumer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Heard<T> {
    slots: VecDeque<(u64, T)>,
    total: T,
    /// The slots of the window that do not change any more, added up once. Not written down: it can be made again.
    #[serde(skip)]
    complete: Option<Complete<T>>,
}

/// The slots `from..upto`, added up.
#[derive(Clone, Debug, PartialEq)]
struct Complete<T> {
    from: u64,
    upto: u64,
    sum: T,
}

impl<T: Sum> Heard<T> {
    /// Takes a tally that was closed at `at`.
    pub(super) fn add(&mut self, tally: &T, at: Mono) {
        self.total.add(tally);
        let slot = slot_of(at);
        match self.slots.back_mut() {
            Some((last, sum)) if *last >= slot => sum.add(tally),
            _ => self.slots.push_back((slot, tally.clone())),
        }
        while self.slots.len() > SLOTS {
            self.slots.pop_front();
        }
    }

    /// Nothing is listened to any more, or it is another consumer.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// What [`Self::window`] says, added up anew: of what is seldom looked at.
    pub(super) fn over(&self, window: Duration, now: Mono) -> Option<T> {
        let mut sum = T::default();
        if window == Duration::MAX {
            sum.add(&self.total);
        } else {
            let from = first_slot(window, now);
            self.slots.iter().filter(|(slot, _)| *slot >= from).for_each(|(_, tally)| sum.add(tally));
        }
        (!sum.is_nothing()).then_some(sum)
    }

    /// Everything heard in the window that ends `now`; `None` when that is nothing.
    pub(super) fn window(&mut self, window: Duration, now: Mono) -> Option<T> {
        let sum = if window == Duration::MAX {
            self.total.clone()
        } else {
            let from = first_slot(window, now);
            let (upto, filling) = self.slots.back()?;
            let mut sum = match &self.complete {
                Some(known) if (known.from, known.upto) == (from, *upto) => known.sum.clone(),
                _ => {
                    let mut sum = T::default();
                    let inside = self.slots.iter().filter(|(slot, _)| (from..*upto).contains(slot));
                    inside.for_each(|(_, tally)| sum.add(tally));
                    self.complete = Some(Complete { from, upto: *upto, sum: sum.clone() });
                    sum
                }
            };
            if *upto >= from {
                sum.add(filling);
            }
            sum
        };
        (!sum.is_nothing()).then_some(sum)
    }
}

fn slot_of(at: Mono) -> u64 {
    at.0 / SLOT.as_nanos() as u64
}

fn first_slot(window: Duration, now: Mono) -> u64 {
    let slots = u64::try_from(window.as_nanos() / SLOT.as_nanos()).unwrap_or(u64::MAX);
    slot_of(now).saturating_sub(slots)
}

/// When the window that ends `now` begins: it is as sharp as its slots.
pub(super) fn begins(window: Duration, now: Mono) -> Mono {
    Mono(first_slot(window, now).saturating_mul(SLOT.as_nanos() as u64))
}

/// The figures of a tally: within [`crate::model::histogram::RELATIVE_ERROR`] and its clock's error of the truth.
pub(super) fn delay(tally: &AckTally) -> Delay {
    exact(&tally.delays, tally.acknowledged, tally.error)
}

/// The figures of exact times, of `count` messages, that may each be wrong by `error`.
pub(super) fn exact(times: &Histogram, count: u64, error: Duration) -> Delay {
    let figure = |q: f64| times.quantile(q).map(Quantile::middle);
    Delay {
        p50: figure(0.50),
        p95: figure(0.95),
        p99: figure(0.99),
        max: times.max(),
        count,
        method: DelayMethod::Exact,
        error: (!times.is_empty()).then_some(error),
        errors: None,
        negative: times.negative(),
        left_out: false,
    }
}

/// The figures of samples: within [`crate::model::histogram::RELATIVE_ERROR`] of what the broker measured.
pub(super) fn processing(times: &Histogram) -> Processing {
    let figure = |q: f64| times.quantile(q).map(Quantile::middle);
    Processing {
        p50: figure(0.50),
        p95: figure(0.95),
        p99: figure(0.99),
        max: times.max(),
        sampled: times.count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn tally(delays: &[i64]) -> AckTally {
        let mut tally = AckTally { acknowledged: delays.len() as u64, ..AckTally::default() };
        delays.iter().for_each(|ms| tally.delays.record(ms * MS));
        tally
    }

    fn second(s: u64) -> Mono {
        Mono(s * 1_000_000_000)
    }

    #[test]
    fn the_window_forgets_and_the_whole_run_does_not() {
        let mut heard = Heard::default();
        for s in 0..200 {
            heard.add(&tally(&[10]), second(s));
        }
        let window = heard.window(Duration::from_secs(60), second(199)).unwrap();
        assert!((60..=65).contains(&window.acknowledged), "{}", window.acknowledged);
        assert_eq!(heard.window(Duration::MAX, second(199)).unwrap().acknowledged, 200);
    }

    #[test]
    fn nothing_acknowledged_is_no_distribution() {
        let mut heard = Heard::default();
        heard.add(&tally(&[]), second(1));
        assert_eq!(heard.window(Duration::MAX, second(1)), None);
    }

    #[test]
    fn figures_are_those_of_the_messages() {
        let tally = AckTally { error: Duration::from_millis(2), ..tally(&(1..=100).collect::<Vec<_>>()) };
        let delay = delay(&tally);
        let near = |figure: Option<i64>, ms: i64| {
            let figure = figure.unwrap();
            assert!((figure - ms * MS).abs() <= ms * MS / 100, "{figure} is not about {ms} ms");
        };
        near(delay.p50, 50);
        near(delay.p95, 95);
        near(delay.p99, 99);
        assert_eq!(delay.max, Some(100 * MS));
        assert_eq!((delay.count, delay.method, delay.negative), (100, DelayMethod::Exact, 0));
        assert_eq!(delay.error, Some(Duration::from_millis(2)));
    }

    #[test]
    fn clocks_that_disagree_are_counted() {
        assert_eq!(delay(&tally(&[-5, 10])).negative, 1);
    }

    #[test]
    fn memory_is_bounded() {
        let mut heard = Heard::default();
        for s in 0..10_000 {
            heard.add(&tally(&[1]), second(s));
        }
        assert!(heard.slots.len() <= SLOTS);
    }
}
