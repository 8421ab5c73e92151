//! How old the oldest message is that a consumer still has to process.
//!
//! 0 exactly when nothing is pending and nothing in flight. Otherwise broker's now − append time of that message, where
//! broker's now = the time that the server which stamped it told with the poll; else our wall clock at the poll + the
//! offset of its clock. It is said of the moment of the poll and carries that moment: between two polls it does not grow,
//! because the message may have been processed a millisecond after the poll. When the message that was read has been
//! processed before the poll, the next one is younger: then the age of the old one is an upper bound, and the age of
//! the channel's newest message a lower one.

use std::collections::BTreeMap;
use std::time::Duration;

use super::rates::elapsed;
use super::words;
use crate::model::id::Name;
use crate::model::measured::{Bounds, Measured};
use crate::model::observation::{BacklogReport, ClockOffset};
use crate::model::time::{Stamp, Timestamp, nanos};

/// What staleness is computed from.
pub(super) struct Inputs<'a> {
    /// When the consumer was polled last.
    pub(super) polled: Stamp,
    /// Pending, as polled.
    pub(super) lag: &'a Bounds<u64>,
    /// In flight, as polled.
    pub(super) in_flight: &'a Bounds<u64>,
    /// All up to this sequence number is processed.
    pub(super) floor: Option<u64>,
    /// The oldest message as it was last read.
    pub(super) backlog: Option<&'a BacklogReport>,
    /// When the channel took its newest message, if every message of the channel is for this consumer.
    pub(super) newest: Option<Timestamp>,
    /// When nothing was pending or in flight last: what waits now came later.
    pub(super) free: Option<Stamp>,
    /// Clock offsets by server; the one that answers under `None`.
    pub(super) clocks: &'a BTreeMap<Option<Name>, ClockOffset>,
}

/// Errors up to this share of an age, or up to [`NEGLIGIBLE`], are not worth a mark: three digits are shown.
const SHARE: u32 = 100;
const NEGLIGIBLE: Duration = Duration::from_millis(5);

/// Staleness of one consumer.
pub(super) fn staleness(inputs: &Inputs<'_>) -> Measured<Duration> {
    let unknown = |why: Name| Measured {
        bounds: Bounds::Unknown(why),
        at: inputs.polled.wall,
        by: words::BY_STALENESS.clone(),
    };
    match (inputs.lag, inputs.in_flight) {
        (Bounds::Exact(0), Bounds::Exact(0)) => {
            return Measured::exact(Duration::ZERO, inputs.polled.wall, words::BY_NOTHING_WAITS.clone());
        }
        // A broker that keeps no account of what is in flight: with nothing pending nothing more can be said.
        (Bounds::Unknown(why), _) | (Bounds::Exact(0), Bounds::Unknown(why)) => return unknown(why.clone()),
        _ => {}
    }
    let Some(backlog) = inputs.backlog else { return unknown(words::NOT_READ.clone()) };
    let offset = inputs.clocks.get(&backlog.stamped_by).copied();
    let (offset, same_clock) = match offset {
        Some(offset) => (Some(offset), true),
        // Another server of the cluster: its clock is near the one that answers, how near is not known.
        None => (inputs.clocks.get(&None).copied(), false),
    };
    // The server that stamped it told its own time with the poll: no offset is needed, and no travel time is in it.
    let told = inputs.polled.broker.filter(|_| backlog.stamped_by.is_none());
    let now = told.unwrap_or_else(|| inputs.polled.wall.offset(offset.map_or(0, |o| o.nanos)));
    let error = match told {
        Some(_) => Some(Duration::ZERO),
        None => offset.filter(|_| same_clock).map(|o| o.uncertainty),
    };
    let age = |appended: Timestamp| now.nanos_since(appended);
    let passed = matches!((inputs.floor, backlog.channel_seq), (Some(floor), Some(seq)) if floor >= seq);
    let bounds = match &backlog.oldest {
        Bounds::Unknown(why) => Bounds::Unknown(why.clone()),
        oldest if passed => {
            let Some(hi) = oldest.low().map(|t| age(*t)) else { return unknown(words::NOT_READ.clone()) };
            let free = inputs.free.map(|free| nanos(elapsed(&free, &inputs.polled, true) + free.travel));
            let hi = free.map_or(hi, |free| hi.min(free));
            between(inputs.newest.map_or(0, age).max(0).min(hi), hi)
        }
        Bounds::Exact(appended) => certain(age(*appended), error),
        Bounds::About { value, within } => {
            let spread = within.map(|(lo, hi)| value.age_since(lo).max(hi.age_since(*value)));
            about(age(*value), spread.zip(error).map(|(a, b)| a + b))
        }
        Bounds::Between { lo, hi } => between(age(*hi).max(0), age(*lo)),
        // Not before this moment: so old at most.
        Bounds::AtLeast(earliest) => between(0, age(*earliest)),
    };
    Measured { bounds, at: inputs.polled.wall, by: words::BY_STALENESS.clone() }
}

fn certain(nanos: i64, error: Option<Duration>) -> Bounds<Duration> {
    let Ok(positive) = u64::try_from(nanos) else { return about(nanos, error) };
    let age = Duration::from_nanos(positive);
    match error {
        Some(error) if error <= NEGLIGIBLE.max(age / SHARE) => Bounds::Exact(age),
        error => around(age, error),
    }
}

/// An estimate that is wrong by at most `error` either way.
fn around(age: Duration, error: Option<Duration>) -> Bounds<Duration> {
    Bounds::About { value: age, within: error.map(|error| (age.saturating_sub(error), age + error)) }
}

/// An estimate; a negative one beyond its error is a disagreement of clocks, which is said and not clamped away.
fn about(nanos: i64, error: Option<Duration>) -> Bounds<Duration> {
    if let Ok(age) = u64::try_from(nanos) {
        return around(Duration::from_nanos(age), error);
    }
    let ahead = Duration::from_nanos(nanos.unsigned_abs());
    match error {
        Some(error) if ahead <= error.max(NEGLIGIBLE) => around(Duration::ZERO, Some(error.max(ahead))),
        _ => Bounds::unknown(format!(
            "clocks disagree: the message is stamped {} ms after the present",
            ahead.as_millis()
        )),
    }
}

fn between(lo: i64, hi: i64) -> Bounds<Duration> {
    match (u64::try_from(lo), u64::try_from(hi)) {
        (Ok(lo), Ok(hi)) => Bounds::between(Duration::from_nanos(lo.min(hi)), Duration::from_nanos(hi)),
        _ => about(hi, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sample::at;
    use crate::model::id::ConsumerId;

    const NONE: Bounds<u64> = Bounds::Exact(0);
    const SOME: Bounds<u64> = Bounds::Exact(3);

    fn backlog(oldest: Bounds<Timestamp>) -> BacklogReport {
        BacklogReport {
            consumer: ConsumerId::from("nats/A/b"),
            oldest,
            channel_seq: Some(10),
            stamped_by: None,
            how: "test".into(),
        }
    }

    fn clocks(nanos: i64, uncertainty: Duration) -> BTreeMap<Option<Name>, ClockOffset> {
        [(None, ClockOffset { nanos, uncertainty })].into()
    }

    fn of(
        lag: &Bounds<u64>,
        in_flight: &Bounds<u64>,
        backlog: Option<&BacklogReport>,
        clocks: &BTreeMap<Option<Name>, ClockOffset>,
        floor: u64,
        now_ms: u64,
    ) -> Bounds<Duration> {
        let inputs = Inputs {
            polled: Stamp { broker: None, ..at(now_ms) },
            lag,
            in_flight,
            floor: Some(floor),
            backlog,
            newest: None,
            free: None,
            clocks,
        };
        staleness(&inputs).bounds
    }

    const S: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn zero_exactly_when_nothing_waits() {
        let clocks = clocks(0, Duration::ZERO);
        let old = backlog(Bounds::Exact(at(0).wall));
        assert_eq!(of(&NONE, &NONE, Some(&old), &clocks, 0, 12_000), Bounds::Exact(Duration::ZERO));
        assert_ne!(of(&NONE, &SOME, Some(&old), &clocks, 0, 12_000), Bounds::Exact(Duration::ZERO));
        assert!(of(&SOME, &NONE, None, &clocks, 0, 12_000).why_unknown().is_some());
        assert!(of(&NONE, &Bounds::unknown("x"), Some(&old), &clocks, 0, 12_000).why_unknown().is_some());
        assert_eq!(
            of(&Bounds::unknown("denied"), &NONE, None, &clocks, 0, 12_000),
            Bounds::unknown("denied")
        );
    }

    #[test]
    fn it_grows_on_the_broker_s_clock() {
        let old = backlog(Bounds::Exact(at(4_000).wall));
        let ahead = clocks(2_000_000_000, Duration::ZERO);
        assert_eq!(of(&SOME, &NONE, Some(&old), &ahead, 0, 10_000), Bounds::Exact(S(8)));
        assert_eq!(of(&SOME, &NONE, Some(&old), &ahead, 0, 13_000), Bounds::Exact(S(11)));
    }

    #[test]
    fn a_time_that_came_with_the_poll_needs_no_offset() {
        let old = backlog(Bounds::Exact(at(4_000).wall));
        let inputs = Inputs {
            polled: Stamp { broker: Some(at(9_500).wall), ..at(10_000) },
            lag: &SOME,
            in_flight: &NONE,
            floor: Some(0),
            backlog: Some(&old),
            newest: None,
            free: None,
            clocks: &clocks(7, S(1)),
        };
        assert_eq!(staleness(&inputs).bounds, Bounds::Exact(Duration::from_millis(5_500)));
    }

    #[test]
    fn an_uncertain_clock_makes_an_estimate() {
        let old = backlog(Bounds::Exact(at(9_000).wall));
        let loose = clocks(0, Duration::from_millis(300));
        assert_eq!(
            of(&SOME, &NONE, Some(&old), &loose, 0, 10_000),
            around(S(1), Some(Duration::from_millis(300)))
        );
        let none = BTreeMap::new();
        assert_eq!(
            of(&SOME, &NONE, Some(&old), &none, 0, 10_000),
            Bounds::About { value: S(1), within: None }
        );
        let other = BacklogReport { stamped_by: Some("n2".into()), ..old };
        assert_eq!(
            of(&SOME, &NONE, Some(&other), &clocks(0, Duration::ZERO), 0, 10_000),
            Bounds::About { value: S(1), within: None }
        );
    }

    #[test]
    fn a_message_that_was_passed_bounds_the_age_from_above() {
        let old = backlog(Bounds::Exact(at(4_000).wall));
        let clocks = clocks(0, Duration::ZERO);
        assert_eq!(
            of(&SOME, &NONE, Some(&old), &clocks, 10, 10_000),
            Bounds::Between { lo: Duration::ZERO, hi: S(6) }
        );
    }

    #[test]
    fn bounds_of_the_append_time_are_bounds_of_the_age() {
        let clocks = clocks(0, Duration::ZERO);
        let either = backlog(Bounds::Between { lo: at(2_000).wall, hi: at(7_000).wall });
        assert_eq!(
            of(&SOME, &NONE, Some(&either), &clocks, 0, 10_000),
            Bounds::Between { lo: S(3), hi: S(8) }
        );
        let unread = backlog(Bounds::unknown("no permission to read messages"));
        assert_eq!(
            of(&SOME, &NONE, Some(&unread), &clocks, 0, 10_000),
            Bounds::unknown("no permission to read messages")
        );
    }

    #[test]
    fn a_message_from_the_future_is_a_disagreement_of_clocks() {
        let early = backlog(Bounds::Exact(at(10_400).wall));
        assert_eq!(
            of(&SOME, &NONE, Some(&early), &clocks(0, Duration::ZERO), 0, 10_000),
            Bounds::unknown("clocks disagree: the message is stamped 400 ms after the present")
        );
        assert_eq!(
            of(&SOME, &NONE, Some(&early), &clocks(0, S(1)), 0, 10_000),
            around(Duration::ZERO, Some(S(1)))
        );
    }

    #[test]
    fn what_was_processed_meanwhile_is_no_older_than_the_last_moment_without_work() {
        let clocks = clocks(0, Duration::ZERO);
        let old = backlog(Bounds::Exact(at(1_000).wall));
        let inputs = |free: Option<u64>| Inputs {
            polled: at(30_000),
            lag: &NONE,
            in_flight: &SOME,
            floor: Some(10),
            backlog: Some(&old),
            newest: None,
            free: free.map(at),
            clocks: &clocks,
        };
        let high = |free| staleness(&inputs(free)).bounds.high().copied();
        assert_eq!(high(None), Some(Duration::from_secs(29)));
        assert_eq!(high(Some(29_000)), Some(Duration::from_secs(1)));
    }
}
