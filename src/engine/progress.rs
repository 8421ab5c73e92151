//! What a consumer has done between two polls.
//!
//! With P = pending, A = in flight, c = deliveries (redeliveries included), s = sequence number of the newest message
//! delivered, and Δ from one poll to the other:
//!
//! * New messages come in order, so the distinct new deliveries D are at most min(Δc, Δs). Where the consumer reads the
//!   whole channel and the channel has no holes there, D is exactly that: each sequence number is one message.
//! * Pending falls by deliveries alone where nothing was removed unread (expiry, purge, a newer value of a key), so
//!   there D ≥ −ΔP.
//! * A delivered message leaves "in flight" by being acknowledged or given up (terminated too):
//!   **processed = D − ΔA − given up**. A redelivery changes neither D nor A: a poison message that comes again for ever
//!   is no progress. Where notices of given-up messages are not told, what is marked tells how many those may be, and
//!   terminated ones count as processed: an estimate at best.
//! * Without acknowledgements (`AckPolicy::None`) delivered is processed: Δc.
//! * Where the broker tells no deliveries, but the channel's growth N is known: processed = N − Δ(P + A), an estimate as the
//!   two were not read at the same instant.

use serde::{Deserialize, Serialize};

use super::gave_up::Marks;
use crate::model::id::Name;
use crate::model::measured::Bounds;
use crate::model::observation::{AckPolicy, ChannelKind, ChannelReport, ConsumerReport};
use crate::model::subject;
use crate::model::time::Stamp;

/// A consumer's numbers at one poll.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Sample {
    /// When.
    pub(super) at: Stamp,
    /// Pending, when exact.
    pub(super) lag: Option<u64>,
    /// In flight, when exact.
    pub(super) in_flight: Option<u64>,
    /// Messages marked as delivered again.
    pub(super) redelivered: Option<u64>,
    /// Deliveries, and the channel's sequence number that they reached.
    pub(super) delivered: Option<(u64, u64)>,
    /// The same below which all is processed.
    pub(super) floor: Option<(u64, u64)>,
    /// Pulls that wait.
    pub(super) waiting: Option<u64>,
    /// Whether somebody listens to what is pushed.
    pub(super) bound: Option<bool>,
    /// Messages given up or terminated so far while watching, as notices told.
    pub(super) abandoned: u64,
    /// Notices are not told: what was given up shows in marks alone.
    #[serde(default)]
    pub(super) unheard: Option<Marks>,
    /// Messages refused so far while watching: each comes again.
    pub(super) refused: u64,
    /// The channel, as it was last read before this poll.
    pub(super) channel: ChannelPoint,
}

/// A channel's numbers as they were last read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct ChannelPoint {
    /// Its newest sequence number.
    pub(super) last_seq: Option<u64>,
    /// Its oldest.
    pub(super) first_seq: Option<u64>,
    /// Each sequence number between them is a message.
    pub(super) whole: bool,
    /// Messages may be removed from it unread.
    pub(super) forgets: bool,
}

impl ChannelPoint {
    pub(super) fn of(report: &ChannelReport) -> Self {
        let whole = match (report.messages, report.first_seq, report.last_seq) {
            (Some(0), _, Some(_)) => true,
            (Some(n), Some(first), Some(last)) => last.checked_sub(first).is_some_and(|d| d + 1 == n),
            _ => false,
        };
        let forgets = report.kind != ChannelKind::Stream || report.retention.has_limits();
        Self { last_seq: report.last_seq, first_seq: report.first_seq, whole, forgets }
    }
}

impl Sample {
    pub(super) fn of(
        report: &ConsumerReport,
        at: Stamp,
        channel: ChannelPoint,
        abandoned: u64,
        refused: u64,
        unheard: Option<Marks>,
    ) -> Self {
        Self {
            at,
            lag: report.lag.exact().copied(),
            in_flight: report.in_flight.exact().copied(),
            redelivered: report.redelivered.exact().copied(),
            delivered: report.delivered.map(|p| (p.consumer_seq, p.channel_seq)),
            floor: report.floor.map(|p| (p.consumer_seq, p.channel_seq)),
            waiting: report.waiting_pulls,
            bound: match &report.delivery {
                crate::model::observation::Delivery::Push { bound, .. } => *bound,
                crate::model::observation::Delivery::Pull => None,
            },
            abandoned,
            unheard,
            refused,
            channel,
        }
    }

    /// Pending and in flight; `None` when either is not known exactly.
    pub(super) fn backlog(&self) -> Option<u64> {
        Some(self.lag?.saturating_add(self.in_flight?))
    }

    /// Whether numbers that only grow are smaller than in an earlier sample: it began anew, or went back.
    pub(super) fn is_behind(&self, earlier: &Self) -> bool {
        let smaller = |now: Option<(u64, u64)>, then: Option<(u64, u64)>| matches!((now, then), (Some(now), Some(then)) if now.0 < then.0 || now.1 < then.1);
        smaller(self.delivered, earlier.delivered)
    }
}

/// How a consumer reads, as far as the formulas need it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Reading {
    /// How it acknowledges.
    pub(super) ack: AckPolicy,
    /// It reads every message of the channel.
    pub(super) unfiltered: bool,
    /// Nanoseconds after which an unacknowledged message comes again.
    pub(super) ack_wait_ns: Option<u64>,
}

impl Reading {
    pub(super) fn of(report: &ConsumerReport, channel: Option<&ChannelReport>) -> Self {
        let covered = |on: &Name| report.filters.iter().any(|filter| subject::covers(filter, on));
        // What another channel feeds in has that one's subjects.
        let own = channel.filter(|channel| channel.fed_by.is_empty()).map(|channel| &channel.subjects);
        Self {
            ack: report.ack,
            unfiltered: report.filters.is_empty()
                || report.filters.iter().any(|f| &**f == ">")
                || own.is_some_and(|subjects| !subjects.is_empty() && subjects.iter().all(covered)),
            ack_wait_ns: report.ack_wait.map(|d| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)),
        }
    }
}

/// a − b, signed.
fn delta(a: u64, b: u64) -> i64 {
    i64::try_from(i128::from(a) - i128::from(b)).unwrap_or(if a > b { i64::MAX } else { i64::MIN })
}

/// Lowest, likeliest and highest count.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Range {
    lo: i64,
    best: i64,
    hi: i64,
}

/// Distinct new deliveries from `a` to `b`; `None` where the broker does not tell deliveries.
fn distinct(a: &Sample, b: &Sample, how: Reading) -> Option<Range> {
    let ((c1, s1), (c2, s2)) = (a.delivered?, b.delivered?);
    let (dc, ds) = (delta(c2, c1).max(0), delta(s2, s1).max(0));
    let hi = dc.min(ds);
    // No hole between what was delivered before and now: the channel had all its messages, and still has them
    // from there on (its head may have expired, but only what was delivered already).
    let whole = b.channel.whole && b.channel.first_seq.is_some_and(|first| first <= s1.saturating_add(1));
    if how.unfiltered && whole {
        return Some(Range { lo: hi, best: hi, hi });
    }
    let removed_unread =
        b.channel.forgets || b.channel.first_seq.is_none_or(|first| first > s1.saturating_add(1));
    let fallen = match (a.lag, b.lag) {
        (Some(p1), Some(p2)) if !removed_unread => delta(p1, p2).max(0),
        _ => 0,
    };
    let lo = fallen.min(hi);
    let again = redeliveries(a, b, how);
    Some(Range { lo, best: dc.saturating_sub(again).clamp(lo, hi), hi })
}

/// How many of the deliveries from `a` to `b` may have been redeliveries, after what the broker marks: each marked message
/// that is still in flight comes again once in its acknowledgement time, and each refused one at once. What was given up keeps its
/// mark and never comes again.
fn redeliveries(a: &Sample, b: &Sample, how: Reading) -> i64 {
    let marked = a.redelivered.unwrap_or(0).max(b.redelivered.unwrap_or(0));
    let in_flight = a.in_flight.zip(b.in_flight).map_or(u64::MAX, |(a, b)| a.max(b));
    let marked = marked.min(in_flight);
    let span = u64::try_from(b.at.mono.since(a.at.mono).as_nanos()).unwrap_or(u64::MAX);
    let rounds = how.ack_wait_ns.map_or(1, |wait| span / wait.max(1) + 1);
    delta(marked.saturating_mul(rounds).saturating_add(b.refused.saturating_sub(a.refused)), 0)
}

/// Messages given up or terminated from `a` to `b`: least, likeliest, most.
fn abandoned(a: &Sample, b: &Sample) -> Range {
    let told = delta(b.abandoned, a.abandoned).max(0);
    if a.unheard.is_none() && b.unheard.is_none() {
        return Range { lo: told, best: told, hi: told };
    }
    let (was, is) = (a.unheard.unwrap_or_default(), b.unheard.unwrap_or_default());
    let lo = was.most.map_or(0, |most| delta(is.least, most)).max(told);
    let hi = is.most.map_or(i64::MAX, |most| delta(most, was.least)).max(lo);
    Range { lo, best: delta(is.least, was.least).clamp(lo, hi), hi }
}

/// Messages given up or terminated from `a` to `b`, as few as they can be.
pub(super) fn surely_abandoned(a: &Sample, b: &Sample) -> u64 {
    u64::try_from(abandoned(a, b).lo).unwrap_or(0)
}

/// Some of what left "in flight" from `a` to `b` may have been given up without anybody telling.
pub(super) fn in_doubt(a: &Sample, b: &Sample) -> bool {
    let gone = abandoned(a, b);
    gone.hi > gone.lo || gone.hi > delta(b.abandoned, a.abandoned).max(0)
}

fn processed_range(a: &Sample, b: &Sample, how: Reading) -> Option<Range> {
    if how.ack == AckPolicy::None {
        let ((c1, _), (c2, _)) = (a.delivered?, b.delivered?);
        let n = delta(c2, c1).max(0);
        return Some(Range { lo: n, best: n, hi: n });
    }
    let in_flight = delta(b.in_flight?, a.in_flight?);
    let gone = abandoned(a, b);
    let settle = |d: i64, gone: i64| d.saturating_sub(in_flight).saturating_sub(gone).max(0);
    let d = distinct(a, b, how)?;
    // The message just above the old floor was not processed then and is now — unless it was purged or abandoned.
    let floor_moved = floor_moved(a, b)
        && gone.hi == 0
        && !b.channel.forgets
        && b.channel.first_seq.zip(a.floor).is_some_and(|(first, floor)| first <= floor.1.saturating_add(1));
    let (lo, hi) = (settle(d.lo, gone.hi), settle(d.hi, gone.lo));
    let lo = if floor_moved { lo.max(1).min(hi) } else { lo };
    Some(Range { lo, best: settle(d.best, gone.best).clamp(lo, hi), hi })
}

/// The position below which all is processed moved up.
fn floor_moved(a: &Sample, b: &Sample) -> bool {
    matches!((a.floor, b.floor), (Some(f1), Some(f2)) if f2.1 > f1.1)
}

/// Messages processed from `a` to `b`, with what is known of it.
pub(super) fn processed(a: &Sample, b: &Sample, how: Reading) -> Option<Bounds<u64>> {
    let count = |n: i64| u64::try_from(n).unwrap_or(0);
    if let Some(range) = processed_range(a, b, how) {
        let (lo, best, hi) = (count(range.lo), count(range.best), count(range.hi));
        let told = (a.unheard.is_none() && b.unheard.is_none()) || how.ack == AckPolicy::None;
        if lo == hi {
            // What is terminated looks like what is acknowledged to who is not told.
            return Some(if told { Bounds::Exact(lo) } else { Bounds::About { value: lo, within: None } });
        }
        // Without a mark or a refusal there is no sign of a redelivery: then the highest count is the likely one.
        if redeliveries(a, b, how) == 0 && !in_doubt(a, b) {
            return Some(Bounds::About { value: best, within: Some((lo, hi)) });
        }
        return Some(Bounds::Between { lo, hi });
    }
    if how.ack != AckPolicy::None && how.unfiltered {
        // Kafka and the like: the committed position is all there is.
        if let (None, Some((_, f1)), Some((_, f2))) = (b.delivered, a.floor, b.floor) {
            return Some(Bounds::About { value: f2.saturating_sub(f1), within: None });
        }
        if let (Some(l1), Some(l2), Some(b1), Some(b2)) =
            (a.channel.last_seq, b.channel.last_seq, a.backlog(), b.backlog())
        {
            let n = delta(l2, l1).saturating_sub(delta(b2, b1)).max(0);
            return Some(Bounds::About { value: count(n), within: None });
        }
    }
    None
}

/// Whether anything was processed from `a` to `b`, judged by what is likely.
///
/// The floor moved, or distinct deliveries exceed what was added to "in flight", or — where deliveries are not told —
/// the backlog fell.
pub(super) fn advanced(a: &Sample, b: &Sample, how: Reading) -> bool {
    if floor_moved(a, b) {
        return true;
    }
    match processed_range(a, b, how) {
        Some(range) => range.best > 0,
        None => matches!((a.backlog(), b.backlog()), (Some(b1), Some(b2)) if b2 < b1),
    }
}

/// The likeliest single number of a count.
pub(super) fn likely(count: &Bounds<u64>) -> Option<u64> {
    match count {
        Bounds::Exact(n) | Bounds::AtLeast(n) | Bounds::About { value: n, .. } => Some(*n),
        Bounds::Between { lo, hi } => Some(u64::midpoint(*lo, *hi)),
        Bounds::Unknown(_) => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::time::{Mono, Timestamp};

    pub(crate) const EXPLICIT: Reading =
        Reading { ack: AckPolicy::Explicit, unfiltered: true, ack_wait_ns: Some(30_000_000_000) };
    const FILTERED: Reading = Reading { unfiltered: false, ..EXPLICIT };

    /// A poll at second `s` of a whole channel that ends at `last`.
    pub(crate) fn poll(s: u64, c: u64, seq: u64, floor: u64, lag: u64, in_flight: u64) -> Sample {
        Sample {
            at: Stamp {
                wall: Timestamp::from_millis(s as i64 * 1_000),
                mono: Mono(s * 1_000_000_000),
                ..Stamp::default()
            },
            lag: Some(lag),
            in_flight: Some(in_flight),
            redelivered: Some(0),
            delivered: Some((c, seq)),
            floor: Some((floor, floor)),
            waiting: Some(1),
            bound: None,
            abandoned: 0,
            unheard: None,
            refused: 0,
            channel: ChannelPoint {
                last_seq: Some(seq + lag),
                first_seq: Some(1),
                whole: true,
                forgets: false,
            },
        }
    }

    #[test]
    fn acknowledged_messages_of_a_whole_channel_are_counted_exactly() {
        let (a, b) = (poll(0, 10, 10, 5, 0, 5), poll(1, 30, 30, 28, 4, 2));
        assert_eq!(processed(&a, &b, EXPLICIT), Some(Bounds::Exact(23)));
    }

    #[test]
    fn filters_that_leave_nothing_out_are_none() {
        use crate::engine::sample::{channel, consumer};
        use crate::model::observation::FedBy;
        let filtered = |filters: &[&str]| ConsumerReport {
            filters: filters.iter().map(|f| (*f).into()).collect(),
            ..consumer("nats", "ORDERS", "billing")
        };
        let orders = channel("nats", "ORDERS");
        let reads_all = |filters: &[&str], channel| Reading::of(&filtered(filters), channel).unfiltered;
        assert!(reads_all(&[], None) && reads_all(&[">"], None) && reads_all(&["orders.>"], Some(&orders)));
        assert!(!reads_all(&["orders.>"], None) && !reads_all(&["orders.paid"], Some(&orders)));
        let other = "nats/OTHER".into();
        let upstream = FedBy { channel: other, how: "source".into(), lag: None, silent_for: None };
        let fed = ChannelReport { fed_by: vec![upstream], ..channel("nats", "ORDERS") };
        assert!(!reads_all(&["orders.>"], Some(&fed)), "what feeds it has other subjects");
    }

    #[test]
    fn a_poison_message_is_no_progress() {
        // It comes again and again: deliveries grow, nothing else does.
        let a = poll(0, 10, 10, 9, 5, 1);
        let b = Sample { redelivered: Some(1), ..poll(1, 60, 10, 9, 9, 1) };
        assert_eq!(processed(&a, &b, EXPLICIT), Some(Bounds::Exact(0)));
        assert_eq!(processed(&a, &b, FILTERED), Some(Bounds::Exact(0)));
        assert!(!advanced(&a, &b, EXPLICIT) && !advanced(&a, &b, FILTERED));
    }

    #[test]
    fn acknowledgements_out_of_order_are_progress_though_the_floor_stays() {
        // 19 of 20 acknowledged, the oldest is not.
        let (a, b) = (poll(0, 20, 20, 0, 0, 20), poll(1, 20, 20, 0, 0, 1));
        assert_eq!(processed(&a, &b, EXPLICIT), Some(Bounds::Exact(19)));
        assert!(advanced(&a, &b, EXPLICIT));
    }

    #[test]
    fn a_burst_of_redeliveries_is_not_processing() {
        // 1000 in flight, all of them sent again within the poll; nothing acknowledged.
        let a = poll(0, 1_000, 1_000, 0, 50, 1_000);
        let b = Sample { redelivered: Some(1_000), ..poll(31, 2_000, 1_000, 0, 80, 1_000) };
        assert_eq!(processed(&a, &b, EXPLICIT), Some(Bounds::Exact(0)));
        assert!(!advanced(&a, &b, EXPLICIT));
    }

    #[test]
    fn a_filtered_consumer_without_redeliveries_is_estimated_with_its_error() {
        // Every third message matches: s grows by 30, c by 10, pending fell by 4, so D is in 4..=10.
        let (a, b) = (poll(0, 100, 300, 300, 6, 0), poll(1, 110, 330, 330, 2, 0));
        assert_eq!(processed(&a, &b, FILTERED), Some(Bounds::About { value: 10, within: Some((4, 10)) }));
    }

    #[test]
    fn a_filtered_consumer_with_redeliveries_gives_bounds() {
        let a = poll(0, 100, 300, 280, 6, 4);
        let b = Sample { redelivered: Some(4), ..poll(1, 110, 330, 280, 2, 4) };
        assert_eq!(processed(&a, &b, FILTERED), Some(Bounds::Between { lo: 4, hi: 10 }));
    }

    #[test]
    fn a_purge_is_not_processing() {
        // 1000 waited; the channel was emptied: the position jumps, nothing was delivered.
        let a = poll(0, 10, 10, 10, 1_000, 0);
        let mut b = poll(1, 10, 1_010, 1_010, 0, 0);
        b.channel = ChannelPoint { first_seq: Some(1_011), ..b.channel };
        assert_eq!(processed(&a, &b, EXPLICIT), Some(Bounds::Exact(0)));
        assert_eq!(processed(&a, &b, FILTERED), Some(Bounds::Exact(0)));
    }

    #[test]
    fn without_acknowledgements_delivered_is_processed() {
        let how = Reading { ack: AckPolicy::None, ..FILTERED };
        assert_eq!(
            processed(&poll(0, 5, 9, 5, 0, 0), &poll(1, 12, 30, 12, 3, 0), how),
            Some(Bounds::Exact(7))
        );
    }

    #[test]
    fn given_up_messages_are_not_acknowledged() {
        let a = poll(0, 10, 10, 8, 0, 2);
        let b = Sample { abandoned: 2, ..poll(1, 14, 10, 8, 0, 0) };
        assert_eq!(processed(&a, &b, EXPLICIT), Some(Bounds::Exact(0)));
    }

    #[test]
    fn marks_tell_what_is_given_up_where_nobody_says_so() {
        let marked = |least, most| Some(Marks { least, most });
        // Four of ten in flight are given up: they keep their marks, and nothing else has one.
        let a = Sample { unheard: marked(0, Some(4)), ..poll(0, 14, 10, 6, 0, 4) };
        let b = Sample { unheard: marked(4, Some(4)), ..poll(1, 14, 10, 10, 0, 0) };
        assert_eq!(processed(&a, &b, EXPLICIT), Some(Bounds::Between { lo: 0, hi: 4 }));
        let idle = Sample { unheard: marked(4, Some(4)), ..poll(2, 14, 10, 10, 0, 0) };
        assert_eq!(processed(&b, &idle, EXPLICIT), Some(Bounds::About { value: 0, within: None }));
        // Without any mark all were acknowledged, or terminated, which looks the same.
        let (a, b) = (poll(0, 10, 10, 8, 0, 2), poll(1, 14, 14, 13, 0, 1));
        let [a, b] = [a, b].map(|s| Sample { unheard: marked(0, Some(0)), ..s });
        assert_eq!(processed(&a, &b, EXPLICIT), Some(Bounds::About { value: 5, within: None }));
        assert!(!in_doubt(&a, &b));
        // With a limit of one delivery there are no marks: any of them may have been given up.
        let [a, b] = [a, b].map(|s| Sample { unheard: marked(0, None), ..s });
        assert_eq!(processed(&a, &b, EXPLICIT), Some(Bounds::Between { lo: 0, hi: 5 }));
        assert!(in_doubt(&a, &b));
    }

    #[test]
    fn a_committed_position_alone_is_an_estimate() {
        let plain = |s, floor| Sample { delivered: None, in_flight: None, ..poll(s, 0, 0, floor, 3, 0) };
        assert_eq!(
            processed(&plain(0, 100), &plain(1, 140), EXPLICIT),
            Some(Bounds::About { value: 40, within: None })
        );
    }

    #[test]
    fn nothing_told_is_unknown_and_not_zero() {
        let blank = |s| Sample { delivered: None, floor: None, lag: None, ..poll(s, 0, 0, 0, 0, 0) };
        assert_eq!(processed(&blank(0), &blank(1), EXPLICIT), None);
        assert!(!advanced(&blank(0), &blank(1), EXPLICIT));
    }
}
