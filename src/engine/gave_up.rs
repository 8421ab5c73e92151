//! Messages given up after their last delivery: lost to their consumer.
//!
//! While watching, each one is told by a notice: exact. What happened before leaves two traces. The broker keeps the mark
//! "delivered again" on what it gave up, also when the position has passed it and across a restart (seen on nats-server
//! 2.9.10 and 2.15.1), but since 2.10 only as long as the channel keeps the message. So nothing in flight, and the marks are those
//! given up: all of them where the channel still has all of its messages, at least so many else. With a limit of
//! one delivery there are no marks; then, while nothing is pending and nothing in flight, a position that stays behind the
//! deliveries tells that at least one message in between was given up, and at most all of them. A consumer without a limit
//! on deliveries, or one with fewer deliveries than that limit, or one made while watching, gave nothing up before.
//!
//! Where notices are not told at all (no permission, or nothing but monitoring endpoints), the marks are all there is while
//! watching, too: each message in flight has one at most, so what is marked beyond those is given up, and what is marked
//! at all is the most that may be.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::progress::ChannelPoint;
use crate::model::measured::Bounds;
use crate::model::observation::{AckPolicy, ConsumerReport};
use crate::model::snapshot::{Loss, Since};
use crate::model::time::Timestamp;

/// Losses within so much time are one.
const TOGETHER: Duration = Duration::from_secs(1);
/// Losses remembered one by one.
const MOST_LOSSES: usize = 64;

/// What marks say at one poll of how many messages have been given up so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marks {
    /// Surely.
    pub(super) least: u64,
    /// At most; `None` where that is not known.
    pub(super) most: Option<u64>,
}

impl Marks {
    pub(super) fn of(report: &ConsumerReport, channel: ChannelPoint) -> Self {
        let (Some(limit), AckPolicy::Explicit | AckPolicy::All) = (report.max_deliver, report.ack) else {
            return Self { least: 0, most: Some(0) };
        };
        match (limit, report.redelivered.exact()) {
            (2.., Some(&marked)) => Self {
                least: report.in_flight.exact().map_or(0, |in_flight| marked.saturating_sub(*in_flight)),
                most: (!channel.forgets).then_some(marked),
            },
            _ => Self::default(),
        }
    }
}

/// What is known of one consumer's given-up messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct GaveUp {
    /// Before watching began.
    before: Before,
    /// Told by notices while watching.
    seen: u64,
    /// When it became known of how many that they were given up while watching: the oldest first, a bounded number.
    #[serde(default)]
    losses: Vec<Loss>,
    /// Terminated by their consumer while watching: not lost by accident, and not processed.
    pub(super) terminated: u64,
    /// Refused while watching: each comes again.
    pub(super) refused: u64,
    /// So many at least, after marks that were read while notices were not told.
    #[serde(default)]
    marked: u64,
    /// Notices were missed while watching: the connection was lost, or they are not told.
    missed: bool,
    /// It never gives anything up: it has no limit on deliveries.
    never: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Before {
    /// Nothing tells.
    NotKnown,
    None,
    /// Marks that are left; what has left the channel may have had one.
    AtLeast(u64),
    Between(u64, u64),
}

impl Default for GaveUp {
    fn default() -> Self {
        Self {
            before: Before::NotKnown,
            seen: 0,
            losses: Vec::new(),
            terminated: 0,
            refused: 0,
            marked: 0,
            missed: false,
            never: false,
        }
    }
}

impl GaveUp {
    /// Looks at one poll, with the channel as it was read before. `born` says that the consumer was made while we watched.
    pub(super) fn poll(&mut self, report: &ConsumerReport, channel: ChannelPoint, born: bool) {
        self.never = report.max_deliver.is_none();
        if born && self.before == Before::NotKnown {
            self.before = Before::None;
        }
        // What a notice tells is counted already: a position that stays behind afterwards says nothing of before.
        if self.before != Before::NotKnown || self.seen > 0 {
            return;
        }
        let (Some(limit), AckPolicy::Explicit | AckPolicy::All) = (report.max_deliver, report.ack) else {
            self.before = Before::None;
            return;
        };
        let (Some(delivered), Some(floor)) = (report.delivered, report.floor) else { return };
        if delivered.consumer_seq < limit {
            self.before = Before::None;
            return;
        }
        if let (2.., Some(marked)) = (limit, report.redelivered.exact().copied()) {
            let all_there = channel.whole && channel.first_seq.is_some_and(|first| first <= 1);
            let idle = report.in_flight.exact() == Some(&0);
            self.before = match (all_there, marked) {
                (true, 0) => Before::None,
                (true, _) if idle => Before::Between(marked, marked),
                (false, _) if idle => Before::AtLeast(marked),
                _ => Before::NotKnown,
            };
            return;
        }
        let idle = report.lag.exact() == Some(&0) && report.in_flight.exact() == Some(&0);
        let behind = delivered.channel_seq.saturating_sub(floor.channel_seq);
        if idle && behind > 0 {
            // A message between the two was delivered, so there are no more of them than deliveries either.
            let most = behind.min(delivered.consumer_seq.saturating_sub(floor.consumer_seq).max(1));
            self.before = Before::Between(1, most);
        }
    }

    /// A notice told that one more was given up.
    pub(super) fn told(&mut self, at: Timestamp) {
        self.seen = self.seen.saturating_add(1);
        self.lose(at, 1);
    }

    /// So many more are lost. What is told close together is kept as one, at the earlier time.
    fn lose(&mut self, at: Timestamp, messages: u64) {
        match self.losses.last_mut() {
            Some(last) if at.age_since(last.at) < TOGETHER => last.messages += messages,
            _ => self.losses.push(Loss { at, messages }),
        }
        if self.losses.len() > MOST_LOSSES {
            let oldest = self.losses.remove(0);
            if let Some(next) = self.losses.first_mut() {
                *next = Loss { at: oldest.at, messages: oldest.messages + next.messages };
            }
        }
    }

    /// When it became known of how many that they were given up while watching.
    pub(super) fn losses(&self) -> &[Loss] {
        &self.losses
    }

    /// Looks at the marks of a poll while notices are not told.
    pub(super) fn unheard(&mut self, at: Timestamp, marks: Marks) {
        self.missed = true;
        let more = marks.least.saturating_sub(self.least());
        if more > 0 {
            self.marked = marks.least;
            self.lose(at, more);
        }
    }

    /// Notices were missed: from here on what they tell is a lower bound.
    pub(super) fn missed(&mut self) {
        self.missed = true;
    }

    /// The consumer began anew.
    pub(super) fn reset(&mut self) {
        *self = Self { before: Before::None, ..Self::default() };
    }

    /// Messages given up, before and since.
    pub(super) fn bounds(&self) -> Bounds<u64> {
        match self.before {
            Before::None if self.never || !self.missed => Bounds::Exact(self.seen),
            Before::Between(lo, hi) if !self.missed => {
                Bounds::between(lo.saturating_add(self.seen), hi.saturating_add(self.seen))
            }
            _ => Bounds::AtLeast(self.least()),
        }
    }

    /// So many at least.
    fn least(&self) -> u64 {
        let before = match self.before {
            Before::None | Before::NotKnown => 0,
            Before::AtLeast(lo) | Before::Between(lo, _) => lo,
        };
        before.saturating_add(self.seen).max(self.marked)
    }

    /// Since when messages are known to be lost, if any is; `began` is when watching this consumer began.
    pub(super) fn since(&self, began: Timestamp) -> Option<Since> {
        match self.before {
            Before::AtLeast(1..) | Before::Between(..) => Some(Since { at: began, or_earlier: true }),
            _ => self.losses.first().map(|loss| Since { at: loss.at, or_earlier: false }),
        }
    }

    /// Messages that left "in flight" without being processed.
    pub(super) fn abandoned(&self) -> u64 {
        self.seen.saturating_add(self.terminated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sample::consumer;
    use crate::model::observation::Position;

    fn report(delivered: (u64, u64), floor: (u64, u64), max_deliver: Option<u64>) -> ConsumerReport {
        let at =
            |(consumer_seq, channel_seq)| Some(Position { consumer_seq, channel_seq, last_active: None });
        ConsumerReport {
            delivered: at(delivered),
            floor: at(floor),
            max_deliver,
            ..consumer("nats", "ORDERS", "mailer")
        }
    }

    /// A channel that has had ten messages, and still has all or not.
    fn channel(whole: bool) -> ChannelPoint {
        ChannelPoint { last_seq: Some(10), first_seq: Some(1), whole, forgets: false }
    }

    fn marked(delivered: (u64, u64), floor: (u64, u64), marked: u64) -> ConsumerReport {
        ConsumerReport { redelivered: Bounds::Exact(marked), ..report(delivered, floor, Some(5)) }
    }

    #[test]
    fn with_one_delivery_a_position_that_stays_behind_bounds_what_was_lost_before() {
        let mut gave_up = GaveUp::default();
        gave_up.poll(&report((10, 10), (7, 7), Some(1)), channel(true), false);
        assert_eq!(gave_up.bounds(), Bounds::Between { lo: 1, hi: 3 });
        (0..2).for_each(|_| gave_up.told(Timestamp(1)));
        assert_eq!(gave_up.bounds(), Bounds::Between { lo: 3, hi: 5 });
        let mut caught_up = GaveUp::default();
        caught_up.poll(&report((15, 10), (15, 10), Some(1)), channel(true), false);
        assert_eq!(
            caught_up.bounds(),
            Bounds::AtLeast(0),
            "a position that caught up says nothing of before"
        );
    }

    #[test]
    fn marks_of_redelivery_tell_what_was_lost_before_wherever_the_position_is() {
        for floor in [(5, 7), (15, 10)] {
            let mut gave_up = GaveUp::default();
            gave_up.poll(&marked((15, 10), floor, 2), channel(true), false);
            assert_eq!(gave_up.bounds(), Bounds::Exact(2));
            (0..3).for_each(|_| gave_up.told(Timestamp(1)));
            assert_eq!(gave_up.bounds(), Bounds::Exact(5));
        }
        let mut gave_up = GaveUp::default();
        gave_up.poll(&marked((15, 10), (15, 10), 0), channel(true), false);
        assert_eq!(gave_up.bounds(), Bounds::Exact(0), "no mark, nothing given up");
    }

    #[test]
    fn marks_go_with_the_messages_that_leave_the_channel() {
        let purged = ChannelPoint { last_seq: Some(10), first_seq: Some(11), whole: true, forgets: false };
        for (channel, left) in [(channel(false), 2), (channel(false), 0), (purged, 0)] {
            let mut gave_up = GaveUp::default();
            gave_up.poll(&marked((15, 10), (5, 7), left), channel, false);
            assert_eq!(gave_up.bounds(), Bounds::AtLeast(left));
            (0..3).for_each(|_| gave_up.told(Timestamp(1)));
            assert_eq!(gave_up.bounds(), Bounds::AtLeast(left + 3));
        }
    }

    #[test]
    fn without_a_limit_or_enough_deliveries_or_a_past_nothing_was_given_up_before() {
        for (delivered, limit, born) in
            [((15, 10), None, false), ((4, 4), Some(5), false), ((15, 10), Some(5), true)]
        {
            let mut gave_up = GaveUp::default();
            gave_up.poll(&report(delivered, (0, 0), limit), channel(true), born);
            assert_eq!(gave_up.bounds(), Bounds::Exact(0), "{delivered:?} {limit:?} {born}");
        }
    }

    #[test]
    fn work_in_hand_hides_the_trace() {
        let mut gave_up = GaveUp::default();
        let busy = ConsumerReport { in_flight: Bounds::Exact(1), ..marked((15, 10), (5, 7), 1) };
        gave_up.poll(&busy, channel(true), false);
        assert_eq!(gave_up.bounds(), Bounds::AtLeast(0));
    }
}
