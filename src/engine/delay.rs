//! Append → processed, as far as polling can tell: each sample is an interval.
//!
//! * A message that was read as the oldest to process was still waiting at one poll and is not at a later one. It is the
//!   first that is not processed, so the position passes it when it is processed: its delay lies between the two. A message
//!   that was given up holds the position back; then it does not tell that those behind it wait still, and the interval
//!   begins where it was last certain.
//! * When a consumer of the whole channel has nothing left, its newest message was processed at the latest when it last
//!   acknowledged, and not before it was last handed one: often an interval of milliseconds. That is so when everything
//!   that it was handed since the poll before was new; else the last one may have been an older message that came again,
//!   long after the newest was processed, and nothing is known of the beginning.
//! * A consumer that had nothing to do at two polls processed what came in between within the time between them.
//!
//! A negative delay is kept: it tells that clocks disagree.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::progress::ChannelPoint;
use crate::model::observation::{AckPolicy, ChannelReport, ConsumerReport};
use crate::model::snapshot::{Delay, DelayMethod};
use crate::model::time::{Mono, Timestamp, nanos};

/// Messages watched at a time, and samples kept.
const PROBES: usize = 32;
const SAMPLES: usize = 512;
const COUNTS: usize = 128;

/// What is known of one consumer's delays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Delays {
    probes: VecDeque<Probe>,
    samples: VecDeque<Sample>,
    counts: VecDeque<(Mono, u64)>,
    total: u64,
    /// Up to here the newest message has been measured.
    newest: u64,
    /// Deliveries and the position that they had reached at the last poll.
    delivered: Option<(u64, u64)>,
    /// When the last poll found nothing to do, and up to which position that was.
    idle_at: Option<(Timestamp, Option<u64>)>,
}

/// A message that waits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Probe {
    seq: u64,
    appended: Timestamp,
    /// Seen waiting at this moment (broker clock).
    waiting_at: Timestamp,
}

/// One delay: within `error` of `nanos`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Sample {
    at: Mono,
    nanos: i64,
    error: u64,
    /// The first and the last position of the messages that it is said of, where that is known.
    of: Option<(u64, u64)>,
}

/// What is said of the delay of single messages, from polls alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelayInterval {
    /// The first and the last position of the messages that it is said of: of each between them that was for the consumer
    /// and was processed.
    pub of: (u64, u64),
    /// Append → processed took at least so many nanoseconds.
    pub lo: i64,
    /// And at most so many.
    pub hi: i64,
}

impl Delays {
    /// A message was read as the oldest to process, at `now` on the broker's clock.
    pub(super) fn waiting(&mut self, seq: u64, appended: Timestamp, now: Timestamp) {
        if self.probes.iter().any(|probe| probe.seq == seq) {
            return;
        }
        self.probes.push_back(Probe { seq, appended, waiting_at: now });
        while self.probes.len() > PROBES {
            self.probes.pop_front();
        }
    }

    /// A message was given up or terminated: it will never be processed.
    pub(super) fn abandoned(&mut self, seq: u64) {
        self.probes.retain(|probe| probe.seq != seq);
    }

    /// The consumer began anew.
    pub(super) fn reset(&mut self) {
        *self = Self { total: self.total, counts: std::mem::take(&mut self.counts), ..Self::default() };
    }

    /// A poll at `at`, `now` on the broker's clock; `processed` messages since the last one.
    pub(super) fn poll(
        &mut self,
        report: &ConsumerReport,
        channel: Option<&ChannelReport>,
        processed: u64,
        at: Mono,
        now: Timestamp,
    ) {
        let idle = report.lag.exact() == Some(&0)
            && (report.in_flight.exact() == Some(&0) || report.ack == AckPolicy::None);
        let floor = report.floor.map_or(0, |f| f.channel_seq);
        let mut probes = std::mem::take(&mut self.probes);
        probes.retain_mut(|probe| {
            let passed = idle || floor >= probe.seq;
            if passed {
                self.between(
                    probe.waiting_at.nanos_since(probe.appended),
                    now.nanos_since(probe.appended),
                    at,
                    Some((probe.seq, probe.seq)),
                );
            } else if still_waits(report, probe.seq) {
                probe.waiting_at = now;
            }
            !passed
        });
        self.probes = probes;
        let measured = idle && channel.is_some_and(|channel| self.newest_message(report, channel, at));
        self.delivered = report.delivered.map(|p| (p.consumer_seq, p.channel_seq));
        let position = report.delivered.or(report.floor).map(|p| p.channel_seq);
        if let (true, false, Some((before, up_to)), 1..) = (idle, measured, self.idle_at, processed) {
            let of = up_to.zip(position).map(|(before, now)| (before.saturating_add(1), now));
            self.between(0, now.nanos_since(before), at, of);
        }
        self.idle_at = idle.then_some((now, position));
        self.total = self.total.saturating_add(processed);
        if processed > 0 {
            match self.counts.back_mut() {
                Some((last, n)) if at.since(*last) < Duration::from_millis(500) => {
                    *n = n.saturating_add(processed);
                }
                _ => self.counts.push_back((at, processed)),
            }
            while self.counts.len() > COUNTS {
                self.counts.pop_front();
            }
        }
    }

    /// Measures the channel's newest message, of an idle consumer that reads all of it.
    fn newest_message(&mut self, report: &ConsumerReport, channel: &ChannelReport, at: Mono) -> bool {
        let reads_all = report.filters.is_empty() || report.filters == channel.subjects;
        // Two leaders are two clocks; a redelivery moves "last handed out" past the newest message.
        let one_clock = report.leader == channel.leader && report.redelivered.exact() == Some(&0);
        let (Some(last_seq), Some(appended), Some(delivered)) =
            (channel.last_seq, channel.last_at, report.delivered)
        else {
            return false;
        };
        let done = if report.ack == AckPolicy::None { Some(delivered) } else { report.floor };
        let Some(done) = done else { return false };
        if !reads_all || !one_clock || done.channel_seq != last_seq || last_seq <= self.newest {
            return false;
        }
        let (Some(handed), Some(acked)) = (delivered.last_active, done.last_active) else { return false };
        self.newest = last_seq;
        let hi = acked.nanos_since(appended);
        // The last that it was handed is the newest one when nothing came again since the poll before.
        let (whole, now) = (ChannelPoint::of(channel).whole, (delivered.consumer_seq, delivered.channel_seq));
        let all_new = self.delivered.is_some_and(|before| {
            now.0.checked_sub(before.0).is_some_and(|n| n > 0 && Some(n) == now.1.checked_sub(before.1))
        });
        let is_newest = report.ack == AckPolicy::None || (whole && all_new);
        let lo = if is_newest { handed.nanos_since(appended) } else { 0 };
        self.between(lo.min(hi), hi, at, Some((last_seq, last_seq)));
        true
    }

    fn between(&mut self, lo: i64, hi: i64, at: Mono, of: Option<(u64, u64)>) {
        // Rounded up: the interval never loses a nanosecond.
        let error = hi.saturating_sub(lo).max(0).unsigned_abs().div_ceil(2);
        let nanos = lo.saturating_add(i64::try_from(error).unwrap_or(i64::MAX));
        self.samples.push_back(Sample { at, nanos, error, of });
        if self.samples.len() > SAMPLES {
            // Thin out evenly: a long run keeps samples of all of it.
            let mut keep = false;
            self.samples.retain(|_| {
                keep = !keep;
                keep
            });
        }
    }

    /// What is said of single messages.
    pub(super) fn intervals(&self) -> impl Iterator<Item = DelayInterval> {
        self.samples.iter().filter_map(|sample| {
            let error = i64::try_from(sample.error).unwrap_or(i64::MAX);
            let (lo, hi) = (sample.nanos.saturating_sub(error), sample.nanos.saturating_add(error));
            Some(DelayInterval { of: sample.of?, lo, hi })
        })
    }

    /// Messages processed in the window that ends `now`.
    fn count(&self, window: Duration, now: Mono) -> u64 {
        if window == Duration::MAX {
            return self.total;
        }
        let inside = self.counts.iter().filter(|(at, _)| now.since(*at) <= window);
        inside.fold(0, |sum, (_, n)| sum.saturating_add(*n))
    }

    /// The distribution over the window that ends `now`; `None` when nothing was processed in it.
    pub(super) fn distribution(&self, window: Duration, now: Mono) -> Option<Delay> {
        let count = self.count(window, now);
        if count == 0 {
            return None;
        }
        let from = self.samples.partition_point(|s| now.since(s.at) > window);
        // Only what the figures need: half the bytes to copy and to sort.
        let mut samples: Vec<(i64, u64)> = self.samples.range(from..).map(|s| (s.nanos, s.error)).collect();
        samples.sort_unstable();
        let at = |percent: usize| {
            let rank = (samples.len() * percent).div_ceil(100).max(1) - 1;
            samples.get(rank).copied()
        };
        let figures = [at(50), at(95), at(99), samples.last().copied()];
        let error = figures.iter().flatten().map(|(_, error)| *error).max();
        let [p50, p95, p99, max] = figures.map(|figure| figure.map(|(nanos, _)| nanos));
        Some(Delay {
            p50,
            p95,
            p99,
            max,
            count,
            method: DelayMethod::Interval,
            error: error.map(Duration::from_nanos),
            negative: samples.iter().filter(|(nanos, _)| *nanos < 0).count() as u64,
        })
    }
}

/// Whether a message above the floor is certain to be waiting still: it has not been delivered, or everything delivered
/// above the floor is in flight. Where deliveries are not told, the floor is all that counts.
fn still_waits(report: &ConsumerReport, seq: u64) -> bool {
    let Some(delivered) = report.delivered else { return true };
    let above = report.floor.and_then(|floor| delivered.consumer_seq.checked_sub(floor.consumer_seq));
    delivered.channel_seq < seq || (above.is_some() && above.as_ref() == report.in_flight.exact())
}

/// The mean time that a responder spent on `count` requests, as it tells it.
pub(super) fn mean(busy_ns: f64, count: u64) -> Delay {
    let mean = nanos(Duration::from_nanos(busy_ns.max(0.0) as u64));
    Delay {
        p50: Some(mean),
        p95: None,
        p99: None,
        max: None,
        count,
        method: DelayMethod::Mean,
        error: None,
        negative: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sample::{at, channel, consumed, consumer, filled};
    use crate::model::measured::Bounds;
    use crate::model::observation::Position;

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
        delays.poll(&consumed(&base, 12, 3, 5), None, 0, t(10).0, t(10).1);
        delays.waiting(10, at(8_000).wall, t(10).1);
        // Still waiting at 11 s, processed at 13 s: between 3 s and 5 s after it was appended.
        delays.poll(&consumed(&base, 12, 3, 5), None, 0, t(11).0, t(11).1);
        assert_eq!(delays.distribution(Duration::MAX, t(11).0), None);
        delays.poll(&consumed(&base, 14, 3, 5), None, 2, t(13).0, t(13).1);
        let delay = delays.distribution(Duration::MAX, t(13).0).unwrap();
        assert_eq!((delay.p50, delay.max, delay.error), (ms(4_000), ms(4_000), Some(Duration::from_secs(1))));
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
        delays.poll(&consumed(&base, 5, 0, 0), None, 0, at(4_000).mono, at(4_000).wall);
        delays.poll(&report, Some(&stream), 4, at(6_000).mono, at(6_000).wall);
        delays.poll(&report, Some(&stream), 0, at(7_000).mono, at(7_000).wall);
        let delay = delays.distribution(Duration::MAX, at(7_000).mono).unwrap();
        assert_eq!((delay.p50, delay.error), (ms(20), Some(Duration::from_millis(10))));
        assert_eq!(delay.count, 4);
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
        delays.poll(&consumed(&base, 5, 0, 0), None, 0, at(4_000).mono, at(4_000).wall);
        delays.poll(&report, Some(&stream), 4, at(6_000).mono, at(6_000).wall);
        let told: Vec<DelayInterval> = delays.intervals().collect();
        assert_eq!(told, [DelayInterval { of: (9, 9), lo: 0, hi: 930_000_000 }]);
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
        delays.poll(&report(3, 0), None, 0, t(10).0, t(10).1);
        delays.waiting(4, at(9_500).wall, t(10).1);
        delays.poll(&report(3, 0), None, 0, t(11).0, t(11).1);
        delays.poll(&report(5, 1), None, 1, t(12).0, t(12).1);
        delays.poll(&consumed(&base, 9, 0, 0), None, 5, t(13).0, t(13).1);
        let told: Vec<DelayInterval> = delays.intervals().collect();
        assert_eq!(told, [DelayInterval { of: (4, 4), lo: 1_500_000_000, hi: 3_500_000_000 }]);
    }

    #[test]
    fn what_came_between_two_idle_polls_took_no_longer_than_that() {
        let base = consumer("nats", "A", "b");
        let mut delays = Delays::default();
        delays.poll(&consumed(&base, 5, 0, 0), None, 0, at(1_000).mono, at(1_000).wall);
        delays.poll(&consumed(&base, 9, 0, 0), None, 4, at(2_000).mono, at(2_000).wall);
        let delay = delays.distribution(Duration::MAX, at(2_000).mono).unwrap();
        assert_eq!((delay.p99, delay.error, delay.count), (ms(500), Some(Duration::from_millis(500)), 4));
    }

    #[test]
    fn a_given_up_message_is_no_delay() {
        let base = consumer("nats", "A", "b");
        let mut delays = Delays::default();
        delays.waiting(3, at(0).wall, at(1_000).wall);
        delays.abandoned(3);
        delays.poll(&consumed(&base, 3, 0, 0), None, 0, at(2_000).mono, at(2_000).wall);
        assert_eq!(delays.distribution(Duration::MAX, at(2_000).mono), None);
    }

    #[test]
    fn without_anything_processed_there_is_no_delay() {
        let base = consumer("nats", "A", "b");
        let mut delays = Delays::default();
        // It waited and is gone, and nothing was processed: it was purged.
        delays.waiting(3, at(0).wall, at(1_000).wall);
        delays.poll(&consumed(&base, 3, 0, 0), None, 0, at(2_000).mono, at(2_000).wall);
        assert_eq!(delays.samples.len(), 1);
        assert_eq!(delays.distribution(Duration::MAX, at(2_000).mono), None);
    }

    #[test]
    fn a_negative_delay_is_kept_and_counted() {
        let base = consumer("nats", "A", "b");
        let mut delays = Delays::default();
        delays.waiting(3, at(9_000).wall, at(5_000).wall);
        delays.poll(&consumed(&base, 3, 0, 0), None, 1, at(6_000).mono, at(6_000).wall);
        let delay = delays.distribution(Duration::MAX, at(6_000).mono).unwrap();
        assert_eq!((delay.p50, delay.negative), (ms(-3_500), 1));
    }

    #[test]
    fn the_window_forgets_and_the_whole_run_does_not() {
        let base = consumer("nats", "A", "b");
        let mut delays = Delays::default();
        for s in 0..200_u64 {
            delays.poll(&consumed(&base, s, 0, 0), None, 1, at(s * 1_000).mono, at(s * 1_000).wall);
        }
        let now = at(199_000).mono;
        assert_eq!(delays.distribution(Duration::from_secs(60), now).unwrap().count, 61);
        assert_eq!(delays.distribution(Duration::MAX, now).unwrap().count, 200);
    }

    #[test]
    fn memory_is_bounded() {
        let base = consumer("nats", "A", "b");
        let mut delays = Delays::default();
        for s in 0..5_000_u64 {
            delays.waiting(s + 2, at(s * 1_000).wall, at(s * 1_000).wall);
            delays.poll(&consumed(&base, s, 0, 0), None, 1, at(s * 1_000).mono, at(s * 1_000).wall);
        }
        assert!(
            delays.samples.len() <= SAMPLES && delays.counts.len() <= COUNTS && delays.probes.len() <= PROBES
        );
    }
}
