//! The time axis of a waterfall, from the moment in which a message was stored.
//!
//! Delays of one message reach from milliseconds to minutes: from the first tick on the axis is logarithmic, before it, so that zero
//! has a place, linear. Both ends are round times: while a bar grows the axis stands still for most of the time. Where one thing
//! follows another, lengths are compared: then, unless some would not be seen, all of it is linear.

use std::time::Duration;

use crate::ui::widget::number;
use crate::ui::widget::text;

const MS: i64 = 1_000_000;
const SECOND: i64 = 1_000 * MS;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Round times, in nanoseconds.
const TICKS: [i64; 13] = [
    MS / 10,
    MS,
    10 * MS,
    100 * MS,
    SECOND,
    10 * SECOND,
    MINUTE,
    10 * MINUTE,
    HOUR,
    10 * HOUR,
    DAY,
    10 * DAY,
    100 * DAY,
];

/// The shortest time that is seen on a linear axis, as a share of the longest.
const SEEN: i64 = 60;

/// Decades that there are at least, beside the one from zero.
const LEAST: usize = 1;

/// An axis of some columns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Axis {
    first: f64,
    last: f64,
    /// Columns from zero to the first tick.
    linear: f64,
    columns: f64,
}

impl Axis {
    /// An axis that has room for all of these times, in nanoseconds. What is below zero has its place at zero.
    pub(super) fn of(times: impl Iterator<Item = i64> + Clone, columns: u16) -> Self {
        let longest = times.clone().max().unwrap_or(0).max(MS);
        let shortest = times.filter(|t| *t > 0).min().unwrap_or(longest);
        let at_most = |limit: i64| TICKS.iter().rposition(|tick| *tick <= limit).unwrap_or(0);
        let end = TICKS.iter().position(|tick| *tick >= longest).unwrap_or(TICKS.len() - 1);
        let begin = at_most(shortest).min(end.saturating_sub(LEAST));
        let tick = |at: usize| TICKS.get(at).copied().unwrap_or(MS) as f64;
        let columns = f64::from(columns);
        let linear = columns / (end.saturating_sub(begin) + 1) as f64;
        Self { first: tick(begin), last: tick(end).max(longest as f64), linear, columns }
    }

    /// An axis on which lengths can be compared, as long as the shortest is a sixtieth of the end.
    pub(super) fn even(times: impl Iterator<Item = i64> + Clone, columns: u16) -> Self {
        let longest = times.clone().max().unwrap_or(0).max(MS);
        let shortest = times.clone().filter(|t| *t > 0).min().unwrap_or(longest);
        let steps = TICKS.iter().flat_map(|tick| [1, 2, 5].map(|times| tick.saturating_mul(times)));
        match steps.filter(|end| *end >= longest).min() {
            Some(end) if shortest.saturating_mul(SEEN) >= longest => {
                let columns = f64::from(columns);
                Self { first: end as f64, last: end as f64, linear: columns, columns }
            }
            _ => Self::of(times, columns),
        }
    }

    /// The place of a time, in columns from the left.
    pub(super) fn place(&self, nanos: i64) -> f64 {
        let time = (nanos.max(0) as f64).min(self.last);
        if time <= self.first || self.last <= self.first {
            return time / self.first.max(1.0) * self.linear;
        }
        let share = (time / self.first).ln() / (self.last / self.first).ln();
        self.linear + share * (self.columns - self.linear)
    }

    /// The column of a time; the last one for what is at the very end.
    pub(super) fn column(&self, nanos: i64) -> usize {
        (self.place(nanos) as usize).min((self.columns as usize).saturating_sub(1))
    }

    /// The line of times: each label begins under its tick, and none touches the next.
    pub(super) fn labels(&self) -> String {
        let room = self.columns as usize;
        let mut line = "0".to_owned();
        // A linear axis has its marks at its fifths.
        let fifths = (self.first >= self.last).then(|| (1..=5).map(|n| (self.last / 5.0) as i64 * n));
        let decades = TICKS.iter().copied().filter(|tick| (self.first..self.last).contains(&(*tick as f64)));
        let end = fifths.is_none().then_some(self.last as i64).filter(|end| TICKS.contains(end));
        for tick in fifths.into_iter().flatten().chain(decades).chain(end) {
            let label = number::duration(Duration::from_nanos(tick.unsigned_abs()));
            // The last one ends where the axis ends.
            let at = self.column(tick).min(room.saturating_sub(text::width(&label)));
            let used = text::width(&line);
            if at > used && at + text::width(&label) <= room {
                line.push_str(&" ".repeat(at - used));
                line.push_str(&label);
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(times: &[i64], columns: u16) -> Axis {
        Axis::of(times.iter().copied(), columns)
    }

    #[test]
    fn longer_is_further_right_and_all_is_inside() {
        let times = [300_000, 3 * MS, 41 * MS, 2 * SECOND, 125 * SECOND];
        let axis = axis(&times, 60);
        let places: Vec<usize> = times.iter().map(|time| axis.column(*time)).collect();
        assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "{places:?}");
        assert!(places.iter().all(|place| *place < 60), "{places:?}");
        assert_eq!((axis.column(0), axis.column(-5)), (0, 0));
    }

    #[test]
    fn labels_are_round_times_at_their_place() {
        assert_eq!(axis(&[3 * MS, 41 * MS], 40).labels(), "0            1 ms         10 ms   100 ms");
        assert_eq!(axis(&[125 * SECOND], 30).labels(), "0              1m00      10m00");
        let long = axis(&[300_000, 125 * SECOND], 24).labels();
        assert!(text::width(&long) <= 24, "{long}");
    }

    #[test]
    fn lengths_are_compared_where_all_are_seen() {
        let axis = Axis::even([5 * MS, 43 * MS].into_iter(), 50);
        assert_eq!((axis.column(10 * MS), axis.column(20 * MS), axis.column(40 * MS)), (10, 20, 40));
        assert_eq!(
            axis.labels(),
            "0         10 ms     20 ms     30 ms     40 ms50 ms".replace("40 ms50 ms", "40 ms")
        );
        let wide = [MS / 10, 43 * MS];
        assert_eq!(Axis::even(wide.into_iter(), 50), Axis::of(wide.into_iter(), 50));
    }

    #[test]
    fn it_stands_still_while_something_grows() {
        let at = |seconds: i64| axis(&[3 * MS, seconds * SECOND], 60);
        assert_eq!(at(11), at(59));
        assert_ne!(at(59), at(61));
    }

    #[test]
    fn any_times_and_any_width_are_survived() {
        for times in [&[][..], &[0], &[-7], &[1], &[i64::MAX], &[i64::MIN, i64::MAX], &[DAY * 400]] {
            for columns in [0, 1, 2, 9, 200] {
                let axis = axis(times, columns);
                assert!(text::width(&axis.labels()) <= usize::from(columns).max(1));
                for time in [i64::MIN, -1, 0, 1, MS, i64::MAX] {
                    assert!(axis.column(time) <= usize::from(columns));
                    assert!((0.0..=f64::from(columns) + 0.001).contains(&axis.place(time)));
                }
            }
        }
    }
}
