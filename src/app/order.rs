//! Rows that stand still: a row moves only when the order has really changed for a while.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long a row must be out of place before it moves.
pub const SETTLE: Duration = Duration::from_secs(3);

/// The order in which rows are shown, following the wanted order with patience.
///
/// Rows that are new take their place at once and rows that are gone leave at once. Of the others, the fewest that must move
/// to restore the order are "out of place"; one that has been so for [`SETTLE`] moves. Two rows that keep changing
/// places therefore stay where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StableOrder<Id> {
    shown: Vec<Id>,
    /// Rows out of place, and since when.
    out_of_place: BTreeMap<Id, Duration>,
}

impl<Id> Default for StableOrder<Id> {
    fn default() -> Self {
        Self { shown: Vec::new(), out_of_place: BTreeMap::new() }
    }
}

impl<Id: Ord + Clone> StableOrder<Id> {
    /// The rows as they are shown.
    pub fn shown(&self) -> &[Id] {
        &self.shown
    }

    /// Takes an order at once: the person sorted, filtered or came to the view.
    pub fn reset(&mut self, wanted: Vec<Id>) {
        self.shown = wanted;
        self.out_of_place.clear();
    }

    /// Follows the wanted order; `now` is any clock that only goes forward.
    pub fn follow(&mut self, wanted: &[Id], now: Duration) {
        if self.shown == wanted {
            self.out_of_place.clear();
            return;
        }
        let rank: BTreeMap<&Id, usize> = wanted.iter().zip(0..).collect();
        // Rows still there, in the order shown, with the place they should have.
        let kept: Vec<(&Id, usize)> =
            self.shown.iter().filter_map(|id| rank.get(id).map(|at| (id, *at))).collect();
        let settled = longest_increasing(&kept.iter().map(|(_, at)| *at).collect::<Vec<_>>());
        let mut out_of_place = BTreeMap::new();
        let mut staying = BTreeSet::new();
        for (at, (id, place)) in kept.iter().enumerate() {
            if settled.contains(&at) {
                staying.insert(*place);
                continue;
            }
            let since = self.out_of_place.get(*id).copied().unwrap_or(now);
            if now.saturating_sub(since) < SETTLE {
                out_of_place.insert((*id).clone(), since);
                staying.insert(*place);
            }
        }
        // The staying rows keep their order; the others go before the first staying row that they should precede.
        let mut shown: Vec<usize> =
            kept.iter().map(|(_, place)| *place).filter(|place| staying.contains(place)).collect();
        let moving: Vec<usize> = (0..wanted.len()).filter(|place| !staying.contains(place)).collect();
        shown = merge(shown, &moving);
        self.shown = shown.into_iter().filter_map(|place| wanted.get(place).cloned()).collect();
        self.out_of_place = out_of_place;
    }

    /// These rows have no place any more: they take theirs at once, as new ones do.
    pub fn place_anew(&mut self, rows: &BTreeSet<Id>) {
        if !rows.is_empty() {
            self.shown.retain(|id| !rows.contains(id));
            self.out_of_place.retain(|id, _| !rows.contains(id));
        }
    }

    /// When a row will move if nothing changes, for the run loop's timer.
    pub fn next_move(&self) -> Option<Duration> {
        self.out_of_place.values().min().map(|since| *since + SETTLE)
    }
}

/// Puts each of `moving` (ascending) right after the row that precedes it most closely among those shown, so that it stands
/// beside its neighbour of the wanted order.
fn merge(staying: Vec<usize>, moving: &[usize]) -> Vec<usize> {
    if moving.is_empty() {
        return staying;
    }
    // For every gap in the wanted order, the closest staying row before it.
    let mut sorted = staying.clone();
    sorted.sort_unstable();
    let mut after: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
    for place in moving {
        let before = sorted.partition_point(|other| other < place);
        let anchor = before.checked_sub(1).and_then(|at| sorted.get(at).copied());
        after.entry(anchor).or_default().push(*place);
    }
    let mut out = after.remove(&None).unwrap_or_default();
    for place in staying {
        out.push(place);
        out.extend(after.remove(&Some(place)).unwrap_or_default());
    }
    out
}

/// The positions of a longest increasing subsequence (patience sorting, O(n log n)).
fn longest_increasing(values: &[usize]) -> BTreeSet<usize> {
    let value_of = |at: &usize| values.get(*at).copied().unwrap_or(0);
    let mut tails: Vec<usize> = Vec::new();
    let mut previous: Vec<Option<usize>> = Vec::with_capacity(values.len());
    for (at, value) in values.iter().enumerate() {
        let pile = tails.partition_point(|tail| value_of(tail) < *value);
        previous.push(pile.checked_sub(1).and_then(|below| tails.get(below).copied()));
        match tails.get_mut(pile) {
            Some(tail) => *tail = at,
            None => tails.push(at),
        }
    }
    let mut out = BTreeSet::new();
    let mut at = tails.last().copied();
    while let Some(index) = at {
        out.insert(index);
        at = previous.get(index).copied().flatten();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: f64) -> Duration {
        Duration::try_from_secs_f64(seconds).unwrap()
    }

    fn order(text: &str) -> Vec<char> {
        text.chars().collect()
    }

    fn shown(order: &StableOrder<char>) -> String {
        order.shown().iter().collect()
    }

    #[test]
    fn a_row_moves_after_three_seconds_out_of_place() {
        let mut rows = StableOrder::default();
        rows.reset(order("abcd"));
        rows.follow(&order("dabc"), at(10.0));
        assert_eq!(shown(&rows), "abcd");
        assert_eq!(rows.next_move(), Some(at(13.0)));
        rows.follow(&order("dabc"), at(12.9));
        assert_eq!(shown(&rows), "abcd");
        rows.follow(&order("dabc"), at(13.0));
        assert_eq!(shown(&rows), "dabc");
        assert_eq!(rows.next_move(), None);
    }

    #[test]
    fn rows_that_keep_changing_places_stay() {
        let mut rows = StableOrder::default();
        rows.reset(order("abcd"));
        for tick in 0..100 {
            let wanted = if tick % 2 == 0 { "abdc" } else { "abcd" };
            rows.follow(&order(wanted), at(f64::from(tick)));
            assert_eq!(shown(&rows), "abcd");
        }
    }

    #[test]
    fn new_rows_come_and_lost_rows_go_at_once() {
        let mut rows = StableOrder::default();
        rows.follow(&order("abc"), at(0.0));
        assert_eq!(shown(&rows), "abc");
        rows.follow(&order("xabcz"), at(0.1));
        assert_eq!(shown(&rows), "xabcz");
        rows.follow(&order("xcb"), at(0.2));
        assert_eq!(shown(&rows), "xbc", "b and c have not changed places for long enough");
        rows.follow(&order("xcb"), at(3.2));
        assert_eq!(shown(&rows), "xcb");
        rows.follow(&[], at(3.3));
        assert_eq!(shown(&rows), "");
    }

    #[test]
    fn a_row_placed_anew_moves_at_once_and_the_others_have_patience() {
        let mut rows = StableOrder::default();
        rows.reset(order("abcd"));
        rows.place_anew(&BTreeSet::from(['d']));
        rows.follow(&order("dacb"), at(0.0));
        assert_eq!(shown(&rows), "dabc");
        rows.follow(&order("dacb"), at(3.0));
        assert_eq!(shown(&rows), "dacb");
    }

    #[test]
    fn sorting_is_taken_at_once() {
        let mut rows = StableOrder::default();
        rows.reset(order("abc"));
        rows.follow(&order("cba"), at(0.0));
        rows.reset(order("cba"));
        assert_eq!(shown(&rows), "cba");
        assert_eq!(rows.next_move(), None);
    }

    proptest! {
        /// Whatever happens, every wanted row is shown exactly once, and an order that stays is reached.
        #[test]
        fn nothing_is_lost_and_the_order_arrives(steps in prop::collection::vec(prop::collection::btree_set(0u8..12, 0..12).prop_shuffle_vec(), 1..12)) {
            let mut rows = StableOrder::default();
            let mut now = 0.0;
            for wanted in &steps {
                rows.follow(wanted, at(now));
                let mut a = rows.shown().to_vec();
                let mut b = wanted.clone();
                a.sort_unstable();
                b.sort_unstable();
                prop_assert_eq!(a, b);
                now += 0.7;
            }
            let last = steps.last().unwrap();
            for _ in 0..16 {
                rows.follow(last, at(now));
                now += 3.0;
            }
            prop_assert_eq!(rows.shown(), &last[..]);
        }
    }

    trait ShuffleVec {
        fn prop_shuffle_vec(self) -> BoxedStrategy<Vec<u8>>;
    }

    impl<S: Strategy<Value = BTreeSet<u8>> + 'static> ShuffleVec for S {
        fn prop_shuffle_vec(self) -> BoxedStrategy<Vec<u8>> {
            self.prop_map(|set| set.into_iter().collect::<Vec<_>>()).prop_shuffle().boxed()
        }
    }
}
