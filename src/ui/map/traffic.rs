//! Messages that move: how many dots a flow has, how fast they go, and where they are now.
//!
//! Only what was measured moves. Density is the rate, with the low end raised (after Netflix' Vizceral, which does the same on
//! purpose): a message in ten seconds is still seen. Speed is the delay, and constant along a branch: what changes is when dots set
//! out, never how they go.

use std::time::Duration;

use crate::layout::{Branch, Point};
use crate::model::snapshot::Flow;

/// Cells between two dots of the rarest and of the busiest flow.
const WIDEST_GAP: f64 = 40.0;
const CLOSEST_GAP: f64 = 5.0;
/// Cells in a second at a delay of 10 ms and less, and what a tenfold delay takes off.
const FASTEST: f64 = 16.0;
const PER_TENFOLD: f64 = 14.0 / 3.0;
const SLOWEST: f64 = 2.0;
/// Where no delay is known.
const USUAL: f64 = 8.0;
/// Dots on the screen at most, whatever moves: each costs bytes to the terminal in every frame.
pub const BUDGET: usize = 140;

/// How messages of a flow move.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Motion {
    /// Cells from one dot to the next.
    pub gap: f64,
    /// Cells in a second.
    pub speed: f64,
    /// Every so manieth failed; 0: none.
    pub failed: u64,
}

impl Motion {
    /// How the messages of flows that share a branch move; `None` where no traffic is measured.
    pub fn of<'a>(flows: impl Iterator<Item = &'a Flow>, window: Duration) -> Option<Self> {
        let (mut rate, mut share, mut delay) = (0.0, None, None);
        for flow in flows {
            rate += flow.rate.low().copied().unwrap_or(0.0);
            share = share.max(flow.failing(window).map(|share| (share * 1000.0) as u64));
            let figure = flow.delay.as_ref().and_then(|delay| delay.p50);
            delay = delay.max(figure);
        }
        if rate <= 0.0 {
            return None;
        }
        let failed = share.filter(|share| *share > 0).map_or(0, |share| (1000 / share).max(1));
        Some(Self { gap: gap(rate), speed: delay.map_or(USUAL, speed), failed })
    }
}

/// Cells between dots at so many messages a second.
pub fn gap(rate: f64) -> f64 {
    (WIDEST_GAP / (1.0 + 2.5 * (1.0 + rate).log10())).clamp(CLOSEST_GAP, WIDEST_GAP)
}

/// Cells in a second at a delay in nanoseconds.
pub fn speed(nanos: i64) -> f64 {
    let tens_of_ms = (nanos.max(0) as f64 / 1e7).max(1.0);
    (FASTEST - PER_TENFOLD * tens_of_ms.log10()).clamp(SLOWEST, FASTEST)
}

/// The cells of a branch, from the sender to the receiver.
pub fn cells(branch: &Branch) -> impl Iterator<Item = Point> {
    let first = branch.points.first().copied();
    let steps = branch.points.windows(2).flat_map(|pair| {
        let (from, to) = (pair[0], pair[1]);
        let (dx, dy) = ((to.x - from.x).signum(), (to.y - from.y).signum());
        let length = (to.x - from.x).abs() + (to.y - from.y).abs();
        (1..=length).map(move |step| Point { x: from.x + dx * step, y: from.y + dy * step })
    });
    first.into_iter().chain(steps)
}

/// Whether a dot is `cell` cells from the start at a moment, and whether its message failed. `shift` lets nets set out at
/// different times.
pub fn dot(motion: Motion, cell: usize, seconds: f64, shift: f64) -> Option<bool> {
    let at = seconds * motion.speed - cell as f64 + shift * motion.gap;
    let number = (at / motion.gap).floor();
    (at - number * motion.gap < 1.0).then(|| {
        let number = number.rem_euclid(1e9) as u64;
        motion.failed > 0 && number.is_multiple_of(motion.failed)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_denser_and_the_rarest_is_seen() {
        assert_eq!(gap(0.0), WIDEST_GAP);
        let gaps: Vec<f64> = [0.1, 1.0, 10.0, 100.0, 1_000.0, 1e6].into_iter().map(gap).collect();
        assert!(gaps.windows(2).all(|pair| pair[0] >= pair[1]), "{gaps:?}");
        // One message in ten seconds has a dot about every five seconds on a line of usual speed.
        assert!(gap(0.1) / USUAL < 5.0);
    }

    #[test]
    fn less_delay_is_faster() {
        let speeds: Vec<f64> = [1, 10, 100, 1_000, 10_000, 100_000].map(|ms| speed(ms * 1_000_000)).to_vec();
        assert_eq!((speeds[0], speeds[1]), (FASTEST, FASTEST));
        assert!(speeds[1..5].windows(2).all(|pair| pair[0] > pair[1]), "{speeds:?}");
        assert_eq!(speeds[5], SLOWEST);
        assert_eq!(speed(-5), FASTEST, "clock skew is no speed");
    }

    #[test]
    fn a_dot_goes_ahead_and_never_back() {
        let motion = Motion { gap: 10.0, speed: 4.0, failed: 0 };
        let place = |seconds: f64| (0..10).find(|cell| dot(motion, *cell, seconds, 0.0).is_some()).unwrap();
        let places: Vec<usize> = (0..9).map(|step| place(f64::from(step) * 0.25)).collect();
        assert_eq!(places, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn as_many_fail_as_are_said_to() {
        let motion = Motion { gap: 5.0, speed: 5.0, failed: 4 };
        let failed: Vec<bool> = (0..8).filter_map(|n| dot(motion, 0, f64::from(n), 0.0)).collect();
        assert_eq!(failed.iter().filter(|failed| **failed).count(), 2, "{failed:?}");
    }
}
