//! The ends of the intervals in a window.

use serde::{Deserialize, Serialize};

/// One end of each interval in the window, sorted, with the number of messages that it is of: kept so, as it is looked at after
/// each poll.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Ends {
    pub(super) sorted: Vec<(i64, u64)>,
    /// Of all of them together.
    pub(super) count: u64,
}

impl Ends {
    pub(super) fn add(&mut self, end: i64, n: u64) {
        if n > 0 {
            let place = self.sorted.partition_point(|one| *one < (end, n));
            self.sorted.insert(place, (end, n));
            self.count = self.count.saturating_add(n);
        }
    }

    pub(super) fn remove(&mut self, end: i64, n: u64) {
        if let Ok(place) = self.sorted.binary_search(&(end, n)) {
            self.sorted.remove(place);
            self.count = self.count.saturating_sub(n);
        }
    }

    /// The values of these ranks (ascending, from 1 on).
    pub(super) fn ranked<const N: usize>(&self, ranks: [u64; N]) -> [Option<i64>; N] {
        let (mut before, mut ends) = (0_u64, self.sorted.iter());
        let mut last = None;
        ranks.map(|rank| {
            while before < rank {
                let (end, n) = ends.next()?;
                before = before.saturating_add(*n);
                last = Some(*end);
            }
            last
        })
    }
}
