//! How many messages a consumer acknowledged while every acknowledgement was heard: a count over the very time that was listened,
//! where a poll can only tell where the consumer stands.
//!
//! Only who acknowledges is told of, so that silence counts as nothing; for how long it lasted is told by the source, once for
//! all of its consumers: the *stretch*, the newest time without a gap.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::observation::Span;
use crate::model::time::Mono;

/// Pieces that a window is kept in: it may begin this share of it too early, and is then longer by as much.
const PIECES: u32 = 10;
/// Less than this is no rate.
const LEAST: Duration = Duration::from_secs(1);

/// How a source's listening goes on with a batch: counts of a batch in which it began belong in part to the time before, so
/// that it counts from the batch's end.
pub(super) fn stretch(before: Option<Span>, listened: Option<Span>) -> Option<Span> {
    let listened = listened?;
    Some(match before {
        Some(before) if before.to == listened.from => before.union(listened),
        _ => Span { from: listened.to, to: listened.to },
    })
}

/// What was heard of one consumer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Counted {
    /// Counts are whole from here on.
    since: Mono,
    /// Acknowledged in each, oldest first; nothing in between.
    pieces: VecDeque<(Span, u64)>,
}

impl Counted {
    /// Nothing counted before `now`.
    pub(super) fn from(now: Mono) -> Self {
        Self { since: now, pieces: VecDeque::new() }
    }

    /// So many were acknowledged in `span`, the newest part of the stretch.
    pub(super) fn add(&mut self, count: u64, span: Span, stretch: Span, window: Duration) {
        self.since = self.since.max(stretch.from);
        if span.from < self.since {
            // A part of them may have come before.
            self.since = self.since.max(span.to);
            self.pieces.clear();
            return;
        }
        match self.pieces.back_mut() {
            Some((last, sum)) if last.from >= self.since && span.to.since(last.from) <= window / PIECES => {
                (*last, *sum) = (last.union(span), sum.saturating_add(count));
            }
            _ => self.pieces.push_back((span, count)),
        }
        while self
            .pieces
            .front()
            .is_some_and(|(oldest, _)| oldest.from < self.since || stretch.to.since(oldest.to) > window)
        {
            self.pieces.pop_front();
        }
    }

    /// Acknowledged per second in the window that ends with the stretch. `None` where the stretch does not cover it: the window,
    /// or what has passed of it since `first`.
    pub(super) fn rate(&self, stretch: Span, window: Duration, first: Mono) -> Option<f64> {
        let since = self.since.max(stretch.from);
        let listened = stretch.to.since(since);
        let wanted = stretch.to.since(first).min(window);
        // To subscribe takes a moment after the first look.
        if listened < LEAST || listened < wanted * 4 / 5 {
            return None;
        }
        let mut begin = since;
        if listened > window {
            begin = Mono(stretch.to.0.saturating_sub(u64::try_from(window.as_nanos()).unwrap_or(u64::MAX)));
            let cut = self.pieces.iter().find(|(piece, _)| piece.from < begin && begin < piece.to);
            begin = cut.map_or(begin, |(piece, _)| piece.from.max(since));
        }
        let inside = self.pieces.iter().filter(|(piece, _)| piece.from >= begin);
        let count: u64 = inside.map(|(_, count)| count).sum();
        Some(count as f64 / stretch.to.since(begin).as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(5);

    fn ms(from: u64, to: u64) -> Span {
        Span { from: Mono(from * 1_000_000), to: Mono(to * 1_000_000) }
    }

    /// Tallies of 100 ms each with what `count` says for the moment at which they begin, from `from` to `to`.
    fn heard(from: u64, to: u64, count: impl Fn(u64) -> u64) -> Counted {
        let mut counted = Counted::default();
        for at in (from..to).step_by(100) {
            let n = count(at);
            if n > 0 {
                counted.add(n, ms(at, at + 100), ms(from, at + 100), WINDOW);
            }
        }
        counted
    }

    #[test]
    fn a_rate_is_the_count_over_the_time_listened() {
        let steady = heard(0, 20_000, |_| 3).rate(ms(0, 20_000), WINDOW, Mono(0)).unwrap();
        assert!((steady - 30.0).abs() < 1e-9, "{steady}");
        // Ten in all, nine seconds ago: it is silent now.
        let once = heard(0, 20_000, |at| if at == 11_000 { 10 } else { 0 });
        assert_eq!(once.rate(ms(0, 20_000), WINDOW, Mono(0)), Some(0.0));
        // In the window, with silence before and after.
        assert_eq!(once.rate(ms(0, 14_000), WINDOW, Mono(0)), Some(2.0));
    }

    #[test]
    fn silence_is_nothing_and_not_unknown() {
        assert_eq!(Counted::default().rate(ms(0, 9_000), WINDOW, Mono(0)), Some(0.0));
    }

    #[test]
    fn what_is_not_covered_is_not_known() {
        let counted = heard(4_000, 8_000, |_| 1);
        assert_eq!(counted.rate(ms(4_000, 6_000), WINDOW, Mono(0)), None, "two of five seconds");
        assert_eq!(
            counted.rate(ms(4_000, 8_000), WINDOW, ms(3_500, 0).from),
            Some(10.0),
            "watched since then"
        );
        assert_eq!(heard(0, 500, |_| 1).rate(ms(0, 500), WINDOW, Mono(0)), None, "too short");
    }

    #[test]
    fn what_came_before_an_interruption_is_not_counted_after_it() {
        let mut counted = heard(0, 8_000, |_| 5);
        assert_eq!(stretch(Some(ms(0, 8_000)), None), None);
        // The batch with which listening begins again holds what came before it was sure.
        let again = stretch(None, Some(ms(10_000, 10_100))).unwrap();
        assert_eq!(again, ms(10_100, 10_100));
        counted.add(99, ms(8_000, 10_100), again, WINDOW);
        counted.add(1, ms(10_100, 10_200), ms(10_100, 10_200), WINDOW);
        assert_eq!(counted.rate(ms(10_100, 12_100), WINDOW, Mono(0)), None);
        assert_eq!(counted.rate(ms(10_100, 14_100), WINDOW, Mono(0)), Some(0.25));
    }

    #[test]
    fn memory_is_bounded() {
        let counted = heard(0, 100_000, |_| 1);
        assert!(counted.pieces.len() <= 2 * PIECES as usize, "{}", counted.pieces.len());
    }

    mod exact {
        use proptest::prelude::*;

        use super::*;

        proptest! {
            /// Whatever comes: the rate times the time is a number of messages that the window, or a tenth more of it, held.
            #[test]
            fn it_is_what_was_acknowledged(counts in proptest::collection::vec(0_u64..4, 60..200)) {
                let to = counts.len() as u64 * 100;
                let counted = heard(0, to, |at| counts[at as usize / 100]);
                let rate = counted.rate(ms(0, to), WINDOW, Mono(0)).unwrap();
                let fits = (50..=55_usize).any(|slots| {
                    let sum: u64 = counts[counts.len() - slots..].iter().sum();
                    (rate * slots as f64 / 10.0 - sum as f64).abs() < 1e-6
                });
                prop_assert!(fits, "{rate}");
            }
        }
    }
}
