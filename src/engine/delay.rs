//! Append → processed, as far as polling can tell: an interval for every message that was processed.
//!
//! Between two polls some messages are processed, and each of them gets an interval that holds its delay:
//!
//! * A message that was read as the oldest to process was still waiting at one poll and is not at a later one. It is the
//!   first that is not processed, so the position passes it when it is processed: its delay lies between the two. A message
//!   that was given up holds the position back; then it does not tell that those behind it wait still, and the interval
//!   begins where it was last certain.
//! * When a consumer of the whole channel has nothing left, its newest message was processed at the latest when it last
//!   acknowledged, and not before it was last handed one: often an interval of milliseconds. That is so when everything
//!   that it was handed since the poll before was new; else the last one may have been an older message that came again,
//!   long after the newest was processed, and nothing is known of the beginning.
//! * All the others were waiting or not yet appended at the poll before: they are no older than the oldest that was left
//!   then (than that poll, when nothing was left), and were processed until this one, or until the last acknowledgement
//!   when nothing is left now. Those that were appended before what is oldest now waited from the poll before on.
//!
//! The newest message alone would be a biased sample: of a burst it is the one that came when the consumer was free again.
//! So the distribution is one of all messages that are counted: each figure lies between that of the lower ends and that
//! of the upper ends.
//!
//! A negative delay is kept: it tells that clocks disagree.

mod ends;

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::ends::Ends;
use super::progress::ChannelPoint;
use crate::model::histogram::Histogram;
use crate::model::measured::Bounds;
use crate::model::observation::{AckPolicy, ChannelReport, ConsumerReport};
use crate::model::snapshot::{Delay, DelayMethod};
use crate::model::time::{Mono, Timestamp, nanos};

/// Messages watched at a time, and samples kept: at most four of a poll, so more than a minute of them.
const PROBES: usize = 32;
const SAMPLES: usize = 320;

/// What is known of one consumer's delays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Delays {
    probes: VecDeque<Probe>,
    samples: VecDeque<Sample>,
    /// So many at the end of `samples` are in the window, and their ends in these.
    inside: usize,
    lower: Ends,
    upper: Ends,
    /// The newest sample is of messages that were appended before what is oldest now: they waited from here on at least.
    loose: Option<Timestamp>,
    /// Of the newest poll: so many at the end of `samples`. They may become narrower, and are not in the sums.
    fresh: usize,
    /// The lower and the upper ends of all messages of the run.
    least: Histogram,
    most: Histogram,
    /// Up to here the newest message has been measured.
    newest: u64,
    /// What the last poll found.
    before: Option<Before>,
    /// When messages were left out last.
    #[serde(default)]
    doubted: Option<Mono>,
}

/// A poll, as far as the next one needs it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Before {
    at: Mono,
    /// The numbers were not read before this (broker clock).
    from: Timestamp,
    /// Deliveries, and the position that they had reached.
    delivered: Option<(u64, u64)>,
    /// The position that was reached, where deliveries are not told.
    position: Option<u64>,
    /// What was not processed then was not appended before this.
    appended_from: Option<Timestamp>,
}

/// A message that waits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Probe {
    seq: u64,
    appended: Timestamp,
    /// Seen waiting at this moment (broker clock).
    waiting_at: Timestamp,
    /// That was at the last poll.
    certain: bool,
}

/// Delays within `lo..=hi`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Sample {
    at: Mono,
    lo: i64,
    /// [`i64::MAX`] when nothing is known of when they were appended.
    hi: i64,
    /// Messages that it counts for; 0 when it is said of one that was counted already, or never.
    n: u64,
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

/// A poll: when, not after what on the broker's clock, whether it found nothing to do, and the position that was reached.
struct Reading {
    at: Mono,
    to: Timestamp,
    idle: bool,
    position: Option<u64>,
}

/// One message's interval, and whether it is certain to have been processed since the poll before.
#[derive(Clone, Copy)]
struct Single {
    seq: u64,
    lo: i64,
    hi: i64,
    counts: bool,
}

impl Delays {
    /// What is left to process was read: the oldest of it and, if that is certain, its position. `at` is the poll that it was
    /// said of, and `now` the moment of it on the broker's clock. Whether that says more of what was processed until then.
    pub(super) fn backlog(
        &mut self,
        oldest: &Bounds<Timestamp>,
        seq: Option<u64>,
        at: Mono,
        now: Timestamp,
    ) -> bool {
        let (lo, hi) = match oldest {
            Bounds::Exact(one) => (*one, *one),
            Bounds::Between { lo, hi } => (*lo, *hi),
            _ => return false,
        };
        if let (Some(seq), Bounds::Exact(appended)) = (seq, oldest) {
            self.waiting(seq, *appended, now);
        }
        let Some(before) = self.before.as_mut().filter(|before| before.at == at) else { return false };
        before.appended_from = before.appended_from.max(Some(lo));
        let (Some(from), Some(sample)) = (self.loose.take(), self.samples.back_mut()) else { return false };
        let before = sample.lo;
        sample.lo = from.nanos_since(hi).max(before).min(sample.hi);
        if sample.lo == before {
            return false;
        }
        self.lower.remove(before, sample.n);
        self.lower.add(sample.lo, sample.n);
        true
    }

    fn waiting(&mut self, seq: u64, appended: Timestamp, now: Timestamp) {
        if self.probes.iter().any(|probe| probe.seq == seq) {
            return;
        }
        self.probes.push_back(Probe { seq, appended, waiting_at: now, certain: true });
        while self.probes.len() > PROBES {
            self.probes.pop_front();
        }
    }

    /// A message was given up or terminated: it will never be processed.
    pub(super) fn abandoned(&mut self, seq: u64) {
        self.probes.retain(|probe| probe.seq != seq);
    }

    /// Some of those that wait may have been given up without anybody telling: it is not known any more when they are processed.
    pub(super) fn doubt(&mut self, at: Mono) {
        self.probes.clear();
        self.doubted = Some(at);
    }

    /// Its position went back: what was measured stays so, and positions mean other deliveries from here on.
    pub(super) fn go_back(&mut self) {
        self.sum_up();
        self.samples.iter_mut().for_each(|sample| sample.of = None);
        *self = Self {
            samples: std::mem::take(&mut self.samples),
            inside: self.inside,
            lower: std::mem::take(&mut self.lower),
            upper: std::mem::take(&mut self.upper),
            least: std::mem::take(&mut self.least),
            most: std::mem::take(&mut self.most),
            doubted: self.doubted,
            ..Self::default()
        };
    }

    /// A poll at `at` that was answered at `now` on the broker's clock, give or take `travel`; `processed` messages since the
    /// last one.
    pub(super) fn poll(
        &mut self,
        report: &ConsumerReport,
        channel: Option<&ChannelReport>,
        processed: u64,
        at: Mono,
        now: Timestamp,
        travel: Duration,
    ) {
        self.sum_up();
        let (from, to) = (now.offset(-nanos(travel)), now + travel);
        let idle = report.lag.exact() == Some(&0)
            && (report.in_flight.exact() == Some(&0) || report.ack == AckPolicy::None);
        let before = self.before.take();
        let mut singles = self.passed(report, idle, from, to);
        if let (true, Some(channel)) = (idle, channel) {
            self.newest_message(report, channel, before, &mut singles);
        }
        let position = report.delivered.or(report.floor).map(|p| p.channel_seq);
        self.enter(&singles, report, channel, before, processed, &Reading { at, to, idle, position });
        // Copies keep the stamps of what they copy: what comes later is not older than the newest.
        let last = channel.and_then(|channel| channel.last_at);
        let copy = channel.is_none_or(|channel| !channel.fed_by.is_empty());
        let nothing_left = idle.then_some(if copy { last } else { Some(from) }).flatten();
        let first = channel.and_then(|channel| channel.first_at);
        self.before = Some(Before {
            at,
            from,
            delivered: report.delivered.map(|p| (p.consumer_seq, p.channel_seq)),
            position,
            appended_from: before.and_then(|before| before.appended_from).max(nothing_left).max(first),
        });
    }

    /// The probes that the position has passed.
    fn passed(&mut self, report: &ConsumerReport, idle: bool, from: Timestamp, to: Timestamp) -> Vec<Single> {
        let floor = report.floor.map_or(0, |f| f.channel_seq);
        let mut singles = Vec::new();
        self.probes.retain_mut(|probe| {
            let passed = idle || floor >= probe.seq;
            if passed {
                singles.push(Single {
                    seq: probe.seq,
                    lo: probe.waiting_at.nanos_since(probe.appended),
                    hi: to.nanos_since(probe.appended),
                    counts: probe.certain,
                });
            } else {
                probe.certain = still_waits(report, probe.seq);
                if probe.certain {
                    probe.waiting_at = from;
                }
            }
            !passed
        });
        singles
    }

    /// Measures the channel's newest message, of an idle consumer that reads all of it.
    fn newest_message(
        &mut self,
        report: &ConsumerReport,
        channel: &ChannelReport,
        before: Option<Before>,
        singles: &mut Vec<Single>,
    ) {
        let reads_all = report.filters.is_empty() || report.filters == channel.subjects;
        // Two leaders are two clocks; a redelivery moves "last handed out" past the newest message.
        let one_clock = report.leader == channel.leader && report.redelivered.exact() == Some(&0);
        let (Some(last_seq), Some(appended), Some(delivered)) =
            (channel.last_seq, channel.last_at, report.delivered)
        else {
            return;
        };
        let done = if report.ack == AckPolicy::None { Some(delivered) } else { report.floor };
        let Some(done) = done else { return };
        if !reads_all || !one_clock || done.channel_seq != last_seq || last_seq <= self.newest {
            return;
        }
        let (Some(handed), Some(acked)) = (delivered.last_active, done.last_active) else { return };
        self.newest = last_seq;
        let hi = acked.nanos_since(appended);
        // The last that it was handed is the newest one when nothing came again since the poll before.
        let (whole, now) = (ChannelPoint::of(channel).whole, (delivered.consumer_seq, delivered.channel_seq));
        let last = before.and_then(|before| before.delivered);
        let all_new = last.is_some_and(|before| {
            now.0.checked_sub(before.0).is_some_and(|n| n > 0 && Some(n) == now.1.checked_sub(before.1))
        });
        let is_newest = report.ack == AckPolicy::None || (whole && all_new);
        let lo = if is_newest { handed.nanos_since(appended) } else { 0 }.min(hi);
        match singles.iter_mut().find(|single| single.seq == last_seq) {
            Some(known) if known.lo.max(lo) <= known.hi.min(hi) => {
                (known.lo, known.hi) = (known.lo.max(lo), known.hi.min(hi));
            }
            Some(_) => {}
            None => {
                // One that had been delivered by then may have been processed by then.
                let counts = last.is_some_and(|(_, delivered)| delivered < last_seq);
                singles.push(Single { seq: last_seq, lo, hi, counts });
            }
        }
    }

    /// Enters what a poll says of the messages that were processed since the one before.
    fn enter(
        &mut self,
        singles: &[Single],
        report: &ConsumerReport,
        channel: Option<&ChannelReport>,
        before: Option<Before>,
        processed: u64,
        reading: &Reading,
    ) {
        let Reading { at, to, idle, position } = *reading;
        let sure = singles.iter().filter(|single| single.counts).count() as u64;
        // Some that are gone were removed or given up, and it cannot be told which.
        let known = sure <= processed;
        for single in singles {
            let n = u64::from(known && single.counts);
            let of = Some((single.seq, single.seq));
            self.push(Sample { at, lo: single.lo.min(single.hi), hi: single.hi, n, of });
        }
        let rest = if known { processed - sure } else { processed };
        if rest == 0 {
            return;
        }
        let until = if idle { last_done(report, channel, before).unwrap_or(to) } else { to };
        let appended_from = before.and_then(|before| before.appended_from);
        let hi = appended_from.map_or(i64::MAX, |appended| until.nanos_since(appended));
        let newest = channel
            .filter(|channel| idle && channel.last_seq >= position)
            .and_then(|channel| channel.last_at);
        let waited = before.zip(newest).map_or(0, |(before, newest)| before.from.nanos_since(newest));
        let lo = waited.max(0).min(hi);
        let of = before.and_then(|before| before.position).zip(position).filter(|_| idle);
        let of = of.map(|(before, now)| (before.saturating_add(1), now)).filter(|(from, to)| from <= to);
        let ahead = if idle { rest } else { processed_ahead(report).unwrap_or(rest).min(rest) };
        self.push(Sample { at, lo, hi, n: ahead, of });
        if rest > ahead {
            self.push(Sample { at, lo, hi, n: rest - ahead, of: None });
            self.loose = before.map(|before| before.from);
        }
    }

    fn push(&mut self, sample: Sample) {
        if sample.n == 0 && sample.of.is_none() {
            return;
        }
        self.lower.add(sample.lo, sample.n);
        self.upper.add(sample.hi, sample.n);
        self.samples.push_back(sample);
        self.inside += 1;
        self.fresh += 1;
        if self.samples.len() > SAMPLES {
            self.inside_are(SAMPLES);
            self.samples.pop_front();
        }
    }

    /// No more than so many of the newest samples are in the window.
    fn inside_are(&mut self, most: usize) {
        let len = self.samples.len();
        for sample in
            self.samples.range(len.saturating_sub(self.inside)..len.saturating_sub(most.min(self.inside)))
        {
            self.lower.remove(sample.lo, sample.n);
            self.upper.remove(sample.hi, sample.n);
        }
        self.inside = self.inside.min(most);
    }

    /// The samples of the last poll will not become narrower any more.
    fn sum_up(&mut self) {
        let from = self.samples.len().saturating_sub(self.fresh);
        for sample in self.samples.range(from..) {
            self.least.record_n(sample.lo, sample.n);
            self.most.record_n(sample.hi, sample.n);
        }
        self.fresh = 0;
        self.loose = None;
    }

    /// What is said of single messages.
    pub(super) fn intervals(&self) -> impl Iterator<Item = DelayInterval> {
        let told = self.samples.iter().filter(|sample| sample.hi != i64::MAX);
        told.filter_map(|sample| Some(DelayInterval { of: sample.of?, lo: sample.lo, hi: sample.hi }))
    }

    /// The distribution over the window that ends `now`; `None` when nothing was processed in it. Windows only move on.
    pub(super) fn distribution(&mut self, window: Duration, now: Mono) -> Option<Delay> {
        let left_out = self.doubted.is_some_and(|at| now.since(at) <= window);
        let known = self.of_the_known(window, now);
        match known {
            None if left_out => Some(Delay { left_out, ..NOTHING }),
            known => known.map(|known| Delay { left_out, ..known }),
        }
    }

    fn of_the_known(&mut self, window: Duration, now: Mono) -> Option<Delay> {
        if window == Duration::MAX {
            return self.of_the_run();
        }
        let old = self.samples.partition_point(|s| now.since(s.at) > window);
        self.inside_are(self.samples.len() - old);
        let count = self.lower.count;
        let rank = |percent: u64| u128::from(count).saturating_mul(u128::from(percent)).div_ceil(100) as u64;
        let ranks = [rank(50), rank(95), rank(99), count];
        let mut upper = self.upper.ranked(ranks).into_iter();
        let figures = self.lower.ranked(ranks).map(|lo| lo.zip(upper.next().flatten()));
        let below = self.upper.sorted.iter().take_while(|(hi, _)| *hi < 0).map(|(_, n)| *n).sum();
        between(count, figures, below)
    }

    fn of_the_run(&self) -> Option<Delay> {
        let (mut least, mut most) = (self.least.clone(), self.most.clone());
        for sample in self.samples.range(self.samples.len().saturating_sub(self.fresh)..) {
            least.record_n(sample.lo, sample.n);
            most.record_n(sample.hi, sample.n);
        }
        let figure = |q: f64| Some((least.quantile(q)?.lo, most.quantile(q)?.hi));
        let figures = [figure(0.50), figure(0.95), figure(0.99), least.max().zip(most.max())];
        between(least.count(), figures, most.negative())
    }
}

/// A distribution of nothing.
const NOTHING: Delay = Delay {
    p50: None,
    p95: None,
    p99: None,
    max: None,
    count: 0,
    method: DelayMethod::Interval,
    error: None,
    errors: None,
    negative: 0,
    left_out: false,
};

/// A distribution of which the two ends of each figure are known.
fn between(count: u64, figures: [Option<(i64, i64)>; 4], negative: u64) -> Option<Delay> {
    if count == 0 {
        return None;
    }
    let middle = |ends: Option<(i64, i64)>| {
        let (lo, hi) = ends.filter(|(_, hi)| *hi != i64::MAX)?;
        // Rounded up: the interval never loses a nanosecond.
        let error = hi.saturating_sub(lo).max(0).unsigned_abs().div_ceil(2);
        Some((lo.saturating_add(i64::try_from(error).unwrap_or(i64::MAX)), Duration::from_nanos(error)))
    };
    let figures = figures.map(middle);
    let [p50, p95, p99, max] = figures.map(|figure| figure.map(|(nanos, _)| nanos));
    let errors = figures.map(|figure| figure.map(|(_, error)| error));
    let error = errors.into_iter().flatten().max();
    Some(Delay {
        p50,
        p95,
        p99,
        max,
        count,
        method: DelayMethod::Interval,
        error,
        errors: Some(errors),
        negative,
        left_out: false,
    })
}

/// When an idle consumer acknowledged for the last time, on the clock that stamps the messages.
fn last_done(
    report: &ConsumerReport,
    channel: Option<&ChannelReport>,
    before: Option<Before>,
) -> Option<Timestamp> {
    let one_clock =
        channel.is_some_and(|channel| channel.leader == report.leader && channel.fed_by.is_empty());
    let done = if report.ack == AckPolicy::None {
        report.delivered
    } else {
        // Behind a message that was given up it stands still.
        report.floor.filter(|floor| report.delivered.is_some_and(|p| p.channel_seq == floor.channel_seq))
    };
    done?.last_active.filter(|last| one_clock && before.is_some_and(|before| *last >= before.from))
}

/// Messages that may have been processed although an older one is left, at most: those above the floor that are not in flight.
/// The floor counts each message by its first delivery.
fn processed_ahead(report: &ConsumerReport) -> Option<u64> {
    if report.ack == AckPolicy::None || report.in_flight.exact() == Some(&0) {
        return Some(0);
    }
    let (delivered, floor) = (report.delivered?, report.floor?);
    let deliveries = delivered.consumer_seq.checked_sub(floor.consumer_seq)?;
    let messages = delivered.channel_seq.checked_sub(floor.channel_seq)?;
    Some(deliveries.min(messages).saturating_sub(*report.in_flight.exact()?))
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
        errors: None,
        negative: 0,
        left_out: false,
    }
}

#[cfg(test)]
mod tests;
