//! The clocks of the servers against our own.
//!
//! Every answer that carries the server's time brackets its clock: it was read after the request was
//! sent and before the answer came. The middle of that bracket is the estimate and half its width the
//! error. Offsets are kept against our *monotonic* clock, so that a step of our wall clock changes
//! nothing, and per server, because the nodes of a cluster have clocks of their own.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::id::Name;
use crate::model::observation::ClockOffset;
use crate::model::time::{Mono, Stamp, Timestamp, nanos};

/// How much two clocks may drift apart, in parts per million: an old estimate loses precision at this rate.
/// Ordinary quartz stays within 100.
const DRIFT_PPM: u64 = 100;
/// Servers whose clocks are kept; a hostile answer cannot make us keep more.
const SERVERS: usize = 256;

/// When a request went out and its answer came in.
#[derive(Clone, Copy, Debug)]
pub(super) struct RoundTrip {
    pub sent: Stamp,
    pub received: Stamp,
}

impl RoundTrip {
    /// When the answer came, with how long it may have been on its way.
    pub(super) fn answer(self) -> Stamp {
        Stamp { travel: self.length(), ..self.received }
    }

    /// Its length.
    pub(super) fn length(self) -> Duration {
        self.received.mono.since(self.sent.mono)
    }
}

/// What is known of one server's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// The server's wall clock minus our monotonic one, in nanoseconds.
    pub offset: i64,
    /// How well that was known when it was read.
    pub uncertainty: Duration,
    /// When it was read.
    pub read: Mono,
}

impl Reading {
    fn new(trip: RoundTrip, server: Timestamp) -> Self {
        let half = trip.length() / 2;
        let middle = trip.sent.mono + half;
        Self { offset: server.0.saturating_sub(mono_nanos(middle)), uncertainty: half, read: middle }
    }

    /// What the clock shows at `now`.
    pub(super) fn at(&self, now: Mono) -> Timestamp {
        Timestamp(self.offset.saturating_add(mono_nanos(now)))
    }

    /// Its error at `now`: the older, the larger.
    pub(super) fn uncertainty_at(&self, now: Mono) -> Duration {
        let age = now.since(self.read).as_nanos();
        let drift = u64::try_from(age).unwrap_or(u64::MAX) / 1_000_000 * DRIFT_PPM;
        self.uncertainty.saturating_add(Duration::from_nanos(drift))
    }

    /// Whether both can be true at `now`.
    fn agrees_with(&self, other: &Self, now: Mono) -> bool {
        let apart = self.offset.abs_diff(other.offset);
        let room = self.uncertainty_at(now).saturating_add(other.uncertainty_at(now));
        u128::from(apart) <= room.as_nanos()
    }
}

/// The clocks of all servers that answered.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    servers: BTreeMap<Name, Reading>,
}

impl Clocks {
    /// Takes in that `server` read `time` off its clock during `trip`; whether that is better than what was known.
    pub(super) fn learn(&mut self, server: &str, trip: RoundTrip, time: Timestamp) -> bool {
        let new = Reading::new(trip, time);
        let now = trip.received.mono;
        let room = self.servers.len() < SERVERS;
        match self.servers.get_mut(server) {
            // An estimate that contradicts the kept one means that a clock was set: the new one is right.
            Some(old) if new.uncertainty > old.uncertainty_at(now) && old.agrees_with(&new, now) => {
                return false;
            }
            Some(old) => *old = new,
            None if room => {
                self.servers.insert(server.into(), new);
            }
            None => return false,
        }
        true
    }

    /// That server's clock minus our wall clock, and how well it is known.
    pub(super) fn offset(&self, server: &str, now: Stamp) -> Option<ClockOffset> {
        let known = self.servers.get(server)?;
        let wall_minus_mono = now.wall.0.saturating_sub(mono_nanos(now.mono));
        Some(ClockOffset {
            nanos: known.offset.saturating_sub(wall_minus_mono),
            uncertainty: known.uncertainty_at(now.mono),
        })
    }

    /// What that server's clock shows at `now`.
    pub(super) fn reading(&self, server: &str, now: Mono) -> Option<Timestamp> {
        self.servers.get(server).map(|known| known.at(now))
    }

    /// What is known of that server's clock.
    pub(super) fn of(&self, server: &str) -> Option<Reading> {
        self.servers.get(server).copied()
    }

    /// The offsets of all servers.
    pub(super) fn all(&self, now: Stamp) -> Vec<(Name, ClockOffset)> {
        self.servers.keys().filter_map(|name| Some((name.clone(), self.offset(name, now)?))).collect()
    }
}

fn mono_nanos(mono: Mono) -> i64 {
    nanos(Duration::from_nanos(mono.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn trip(sent_ms: u64, received_ms: u64) -> RoundTrip {
        let at = |ms: u64| Stamp {
            wall: Timestamp::from_millis(1_000_000 + i64::try_from(ms).unwrap()),
            mono: Mono(ms * MS),
            ..Stamp::default()
        };
        RoundTrip { sent: at(sent_ms), received: at(received_ms) }
    }

    #[test]
    fn the_offset_is_the_middle_of_the_bracket() {
        let mut clocks = Clocks::default();
        // The server's clock is 500 ms ahead; it answered in the middle of a 10 ms trip.
        clocks.learn("n1", trip(100, 110), Timestamp::from_millis(1_000_605));
        let offset = clocks.offset("n1", trip(110, 110).received).unwrap();
        assert_eq!(offset.nanos, 500_000_000);
        assert_eq!(offset.uncertainty.as_millis(), 5);
        assert_eq!(clocks.reading("n1", Mono(200 * MS)), Some(Timestamp::from_millis(1_000_700)));
        assert_eq!(clocks.offset("n2", trip(0, 0).sent), None);
    }

    #[test]
    fn a_slow_answer_does_not_replace_a_good_estimate() {
        let mut clocks = Clocks::default();
        assert!(clocks.learn("n1", trip(0, 2), Timestamp::from_millis(1_000_001)));
        assert!(!clocks.learn("n1", trip(1000, 2000), Timestamp::from_millis(1_001_900)));
        let offset = clocks.offset("n1", trip(2000, 2000).received).unwrap();
        assert_eq!(offset.nanos, 0);
        assert!(offset.uncertainty < Duration::from_millis(2));
    }

    #[test]
    fn a_clock_that_was_set_is_followed_at_once() {
        let mut clocks = Clocks::default();
        clocks.learn("n1", trip(0, 2), Timestamp::from_millis(1_000_001));
        clocks.learn("n1", trip(1000, 1100), Timestamp::from_millis(1_000_000 + 1_050 - 60_000));
        let offset = clocks.offset("n1", trip(1100, 1100).received).unwrap();
        assert_eq!(offset.nanos, -60_000_000_000);
        assert_eq!(offset.uncertainty.as_millis(), 50);
    }

    #[test]
    fn an_old_estimate_gives_way_when_drift_has_eaten_its_precision() {
        let mut clocks = Clocks::default();
        clocks.learn("n1", trip(0, 2), Timestamp::from_millis(1_000_001));
        clocks.learn("n1", trip(100_000, 100_010), Timestamp::from_millis(1_100_008));
        assert_eq!(clocks.offset("n1", trip(100_010, 100_010).received).unwrap().nanos, 3_000_000);
    }
}
