//! What polls say of delays, poll by poll.

use super::*;
use crate::engine::sample::{at, channel, consumed, consumer, filled};
use crate::model::observation::Position;

/// A window in which everything happens.
const WINDOW: Duration = Duration::from_secs(60);

/// Milliseconds as a figure of a distribution.
#[allow(clippy::unnecessary_wraps, reason = "compared with optional figures")]
fn ms(n: i64) -> Option<i64> {
    Some(n * 1_000_000)
}

#[test]
fn a_message_seen_waiting_and_then_gone_gives_an_interval() {
    let base = consumer("nats", "A", "b");
    let mut delays = Delays::default();
    let t = |s: u64| (at(s * 1_000).mono, at(s * 1_000).wall);
    delays.poll(&consumed(&base, 12, 3, 5), None, 0, t(10).0, t(10).1, Duration::ZERO);
    delays.backlog(&Bounds::Exact(at(8_000).wall), Some(10), t(10).0, t(10).1);
    // Still waiting at 11 s, processed at 13 s: between 3 s and 5 s after it was appended.
    delays.poll(&consumed(&base, 12, 3, 5), None, 0, t(11).0, t(11).1, Duration::ZERO);
    assert_eq!(delays.distribution(Duration::MAX, t(11).0), None);
    delays.poll(&consumed(&base, 14, 3, 5), None, 2, t(13).0, t(13).1, Duration::ZERO);
    let delay = delays.distribution(WINDOW, t(13).0).unwrap();
    // The other one was appended later than that one, perhaps just now.
    let figures = delay.figures();
    assert_eq!(figures[0], (ms(2_500), Some(Duration::from_millis(2_500))));
    assert_eq!(figures[3], (ms(4_000), Some(Duration::from_secs(1))));
    assert_eq!((delay.count, delay.method, delay.negative), (2, DelayMethod::Interval, 0));
}

#[test]
fn the_newest_message_of_an_idle_consumer_is_measured_closely() {
    let base = consumer("nats", "A", "b");
    let report = ConsumerReport {
        delivered: Some(Position { consumer_seq: 9, channel_seq: 9, last_active: Some(at(5_010).wall) }),
        floor: Some(Position { consumer_seq: 9, channel_seq: 9, last_active: Some(at(5_030).wall) }),
        ..base.clone()
    };
    let stream = ChannelReport { last_at: Some(at(5_000).wall), ..filled(&channel("nats", "A"), 9) };
    let mut delays = Delays::default();
    delays.poll(&consumed(&base, 5, 0, 0), Some(&stream), 0, at(4_000).mono, at(4_000).wall, Duration::ZERO);
    delays.poll(&report, Some(&stream), 4, at(6_000).mono, at(6_000).wall, Duration::ZERO);
    delays.poll(&report, Some(&stream), 0, at(7_000).mono, at(7_000).wall, Duration::ZERO);
    let delay = delays.distribution(WINDOW, at(7_000).mono).unwrap();
    // The other three came after the first poll and were done when it acknowledged for the last time.
    assert_eq!((delay.p50, delay.max, delay.count), (ms(515), ms(520), 4));
    let told: Vec<DelayInterval> = delays.intervals().collect();
    assert_eq!(
        told,
        [
            DelayInterval { of: (9, 9), lo: 10_000_000, hi: 30_000_000 },
            DelayInterval { of: (6, 9), lo: 0, hi: 1_030_000_000 }
        ]
    );
}

#[test]
fn an_older_message_that_came_again_leaves_the_beginning_open() {
    let base = consumer("nats", "A", "b");
    // Four new messages and five deliveries: the last one, 900 ms after the newest was appended, may be any of them.
    let report = ConsumerReport {
        delivered: Some(Position { consumer_seq: 10, channel_seq: 9, last_active: Some(at(5_900).wall) }),
        floor: Some(Position { consumer_seq: 10, channel_seq: 9, last_active: Some(at(5_930).wall) }),
        ..base.clone()
    };
    let stream = ChannelReport { last_at: Some(at(5_000).wall), ..filled(&channel("nats", "A"), 9) };
    let mut delays = Delays::default();
    delays.poll(&consumed(&base, 5, 0, 0), None, 0, at(4_000).mono, at(4_000).wall, Duration::ZERO);
    delays.poll(&report, Some(&stream), 4, at(6_000).mono, at(6_000).wall, Duration::ZERO);
    let told: Vec<DelayInterval> = delays.intervals().collect();
    assert_eq!(told.first(), Some(&DelayInterval { of: (9, 9), lo: 0, hi: 930_000_000 }));
}

#[test]
fn behind_a_message_that_was_given_up_the_position_does_not_tell_who_waits() {
    let base = consumer("nats", "A", "b");
    let position =
        |consumer_seq, channel_seq| Some(Position { consumer_seq, channel_seq, last_active: None });
    let t = |s: u64| (at(s * 1_000).mono, at(s * 1_000).wall);
    // 3 was given up: the floor stays at 2 while 4 is delivered and acknowledged and 5 is in flight.
    let report = |delivered: u64, in_flight: u64| ConsumerReport {
        delivered: position(delivered, delivered),
        floor: position(2, 2),
        lag: Bounds::Exact(9 - delivered),
        in_flight: Bounds::Exact(in_flight),
        ..base.clone()
    };
    let mut delays = Delays::default();
    delays.poll(&report(3, 0), None, 0, t(10).0, t(10).1, Duration::ZERO);
    delays.waiting(4, at(9_500).wall, t(10).1);
    delays.poll(&report(3, 0), None, 0, t(11).0, t(11).1, Duration::ZERO);
    delays.poll(&report(5, 1), None, 1, t(12).0, t(12).1, Duration::ZERO);
    delays.poll(&consumed(&base, 9, 0, 0), None, 5, t(13).0, t(13).1, Duration::ZERO);
    let told: Vec<DelayInterval> = delays.intervals().collect();
    assert_eq!(told, [DelayInterval { of: (4, 4), lo: 1_500_000_000, hi: 3_500_000_000 }]);
}

#[test]
fn a_burst_is_not_told_by_its_newest_message() {
    let base = consumer("nats", "A", "b");
    // Each second ten messages at once, 15 ms each, and one alone afterwards.
    let mut delays = Delays::default();
    let mut truth = Vec::new();
    for s in 0..20_u64 {
        let (n, now) = (11 * s, 1_000 * s);
        let position = |ms: u64| Position { consumer_seq: n, channel_seq: n, last_active: Some(at(ms).wall) };
        let report = ConsumerReport {
            delivered: Some(position(now.saturating_sub(500))),
            floor: Some(position(now.saturating_sub(485))),
            ..consumed(&base, n, 0, 0)
        };
        let newest = at(now.saturating_sub(500)).wall;
        let stream = ChannelReport { last_at: Some(newest), ..filled(&channel("nats", "A"), n) };
        let processed = if s == 0 { 0 } else { 11 };
        delays.poll(&report, Some(&stream), processed, at(now).mono, at(now).wall, Duration::ZERO);
        if s > 0 {
            truth.extend((1..=10).map(|i| 15 * i).chain([15]));
        }
    }
    truth.sort_unstable();
    for window in [WINDOW, Duration::MAX] {
        let delay = delays.distribution(window, at(19_000).mono).unwrap();
        assert_eq!(delay.count, truth.len() as u64);
        for ((figure, error), percent) in delay.figures().into_iter().zip([50, 95, 99, 100]) {
            let true_one = ms(truth[(truth.len() * percent).div_ceil(100) - 1]).unwrap();
            let off = (figure.unwrap() - true_one).unsigned_abs();
            assert!(
                u128::from(off) <= error.unwrap().as_nanos(),
                "p{percent}: {figure:?} {error:?}, {true_one}"
            );
        }
        assert!(delay.p95 > ms(100), "{delay:?}");
    }
}

#[test]
fn a_backlog_bounds_all_that_is_taken_from_it() {
    let base = consumer("nats", "A", "b");
    let mut delays = Delays::default();
    let t = |s: u64| (at(s * 1_000).mono, at(s * 1_000).wall);
    let poll = |delays: &mut Delays, s: u64, report: &ConsumerReport, processed: u64, oldest: u64| {
        delays.poll(report, None, processed, t(s).0, t(s).1, Duration::ZERO);
        delays.backlog(&Bounds::Exact(t(oldest).1), Some(oldest), t(s).0, t(s).1);
    };
    // A message each second; 100 s late it takes ten a second, in order.
    poll(&mut delays, 200, &consumed(&base, 99, 0, 100), 0, 100);
    poll(&mut delays, 201, &consumed(&base, 109, 0, 91), 10, 110);
    let delay = delays.distribution(WINDOW, t(201).0).unwrap();
    // Those that were appended at 101 to 109, at least 90 s and at most 101 s before.
    assert_eq!(delay.figures()[0], (ms(95_500), Some(Duration::from_millis(5_500))));
    // Two more, while 111 is in flight and 112 is done: who of the two was first in the backlog is not known.
    let position =
        |consumer_seq, channel_seq| Some(Position { consumer_seq, channel_seq, last_active: None });
    let report = ConsumerReport {
        delivered: position(112, 112),
        floor: position(110, 110),
        lag: Bounds::Exact(88),
        in_flight: Bounds::Exact(1),
        ..base.clone()
    };
    delays = Delays::default();
    poll(&mut delays, 200, &consumed(&base, 108, 0, 91), 0, 109);
    poll(&mut delays, 201, &report, 3, 111);
    let told: Vec<(i64, i64, u64)> =
        delays.samples.iter().map(|s| (s.lo / 1_000_000_000, s.hi / 1_000_000_000, s.n)).collect();
    assert_eq!(told, [(91, 92, 1), (0, 92, 1), (89, 92, 1)]);
}

#[test]
fn what_nothing_is_known_of_has_no_figure() {
    let base = consumer("nats", "A", "b");
    let mut delays = Delays::default();
    delays.poll(&consumed(&base, 3, 0, 9), None, 0, at(1_000).mono, at(1_000).wall, Duration::ZERO);
    delays.poll(&consumed(&base, 5, 0, 7), None, 2, at(2_000).mono, at(2_000).wall, Duration::ZERO);
    let delay = delays.distribution(WINDOW, at(2_000).mono).unwrap();
    assert_eq!((delay.p50, delay.max, delay.error, delay.count), (None, None, None, 2));
    assert_eq!(delays.distribution(Duration::MAX, at(2_000).mono).unwrap().max, None);
}

#[test]
fn what_came_between_two_idle_polls_took_no_longer_than_that() {
    let base = consumer("nats", "A", "b");
    let channel = filled(&channel("nats", "A"), 5);
    let mut delays = Delays::default();
    delays.poll(&consumed(&base, 5, 0, 0), Some(&channel), 0, at(1_000).mono, at(1_000).wall, Duration::ZERO);
    delays.poll(&consumed(&base, 9, 0, 0), Some(&channel), 4, at(2_000).mono, at(2_000).wall, Duration::ZERO);
    let delay = delays.distribution(WINDOW, at(2_000).mono).unwrap();
    assert_eq!((delay.p99, delay.error, delay.count), (ms(500), Some(Duration::from_millis(500)), 4));
}

#[test]
fn a_given_up_message_is_no_delay() {
    let base = consumer("nats", "A", "b");
    let mut delays = Delays::default();
    delays.waiting(3, at(0).wall, at(1_000).wall);
    delays.abandoned(3);
    delays.poll(&consumed(&base, 3, 0, 0), None, 0, at(2_000).mono, at(2_000).wall, Duration::ZERO);
    assert_eq!(delays.distribution(Duration::MAX, at(2_000).mono), None);
}

#[test]
fn without_anything_processed_there_is_no_delay() {
    let base = consumer("nats", "A", "b");
    let mut delays = Delays::default();
    // It waited and is gone, and nothing was processed: it was purged.
    delays.waiting(3, at(0).wall, at(1_000).wall);
    delays.poll(&consumed(&base, 3, 0, 0), None, 0, at(2_000).mono, at(2_000).wall, Duration::ZERO);
    assert_eq!(delays.distribution(Duration::MAX, at(2_000).mono), None);
}

#[test]
fn a_negative_delay_is_kept_and_counted() {
    let base = consumer("nats", "A", "b");
    let mut delays = Delays::default();
    delays.waiting(3, at(9_000).wall, at(5_000).wall);
    delays.poll(&consumed(&base, 3, 0, 0), None, 1, at(6_000).mono, at(6_000).wall, Duration::ZERO);
    let delay = delays.distribution(WINDOW, at(6_000).mono).unwrap();
    assert_eq!((delay.p50, delay.negative), (ms(-3_500), 1));
}

#[test]
fn the_window_forgets_and_the_whole_run_does_not() {
    let base = consumer("nats", "A", "b");
    let mut delays = Delays::default();
    for s in 0..200_u64 {
        delays.poll(
            &consumed(&base, s, 0, 0),
            None,
            1,
            at(s * 1_000).mono,
            at(s * 1_000).wall,
            Duration::ZERO,
        );
    }
    let now = at(199_000).mono;
    assert_eq!(delays.distribution(Duration::from_secs(60), now).unwrap().count, 61);
    assert_eq!(delays.distribution(Duration::MAX, now).unwrap().count, 200);
}

#[test]
fn the_ends_are_those_of_the_window() {
    let base = consumer("nats", "A", "b");
    let mut delays = Delays::default();
    for s in 1..600_u64 {
        let now = at(s * 400);
        let (done, left) = (3 * s, s % 5);
        delays.poll(&consumed(&base, done, 0, left), None, s % 4, now.mono, now.wall, Duration::ZERO);
        if left > 0 {
            let oldest = at(s * 400 - 100 * (s % 7)).wall;
            delays.backlog(&Bounds::Exact(oldest), Some(done + 1), now.mono, now.wall);
        }
        if s % 100 == 0 {
            delays.go_back();
        }
        delays.distribution(WINDOW, now.mono);
        let inside = || delays.samples.iter().filter(|one| now.mono.since(one.at) <= WINDOW && one.n > 0);
        let sorted = |end: fn(&Sample) -> i64| {
            let mut ends: Vec<(i64, u64)> = inside().map(|one| (end(one), one.n)).collect();
            ends.sort_unstable();
            ends
        };
        assert_eq!(delays.lower.sorted, sorted(|one| one.lo), "{s}");
        assert_eq!(delays.upper.sorted, sorted(|one| one.hi), "{s}");
        assert_eq!(delays.lower.count, inside().map(|one| one.n).sum::<u64>());
    }
    assert!(delays.lower.sorted.len() > 100);
}

#[test]
fn memory_is_bounded() {
    let base = consumer("nats", "A", "b");
    let mut delays = Delays::default();
    for s in 0..5_000_u64 {
        delays.waiting(s + 2, at(s * 1_000).wall, at(s * 1_000).wall);
        delays.poll(
            &consumed(&base, s, 0, 0),
            None,
            1,
            at(s * 1_000).mono,
            at(s * 1_000).wall,
            Duration::ZERO,
        );
    }
    assert!(delays.samples.len() <= SAMPLES && delays.probes.len() <= PROBES);
}
