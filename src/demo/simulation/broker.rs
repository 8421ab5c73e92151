//! Streams and consumers as a broker keeps them, message by message. Pure: time is an argument, in nanoseconds since
//! the simulation began.
//!
//! The rules are those of JetStream (2.15, checked by running it): a consumer's floor moves when an
//! acknowledgement leaves nothing in flight, or when the oldest delivery is acknowledged; a message whose last
//! delivery ran out leaves what is in flight without moving the floor, when it would be delivered next; it stays
//! marked as delivered again; what came again keeps the number of its first delivery.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::content::Content;
use crate::model::id::Name;

/// Messages that a stream keeps.
pub(super) const KEPT: usize = 20_000;

/// A stored message.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) seq: u64,
    /// Which of the stream's subjects.
    pub(super) subject: usize,
    pub(super) bytes: u64,
    pub(super) at: u64,
    pub(super) content: Arc<Content>,
}

/// A stream.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) name: Name,
    pub(super) subjects: Vec<Name>,
    pub(super) messages: VecDeque<Message>,
    pub(super) last_seq: u64,
    pub(super) bytes: u64,
    /// Messages kept of each subject.
    by_subject: Vec<u64>,
    /// Places of its consumers.
    pub(super) consumers: Vec<usize>,
}

impl Stream {
    pub(super) fn new(name: Name, subjects: Vec<Name>) -> Self {
        let by_subject = vec![0; subjects.len()];
        let (messages, consumers) = (VecDeque::new(), Vec::new());
        Self { name, subjects, messages, last_seq: 0, bytes: 0, by_subject, consumers }
    }

    /// Stores a message and gives its number, and the message that had to go for it.
    pub(super) fn append(
        &mut self,
        subject: usize,
        bytes: u64,
        at: u64,
        content: Arc<Content>,
    ) -> (u64, Option<Message>) {
        self.last_seq += 1;
        self.bytes += bytes;
        self.messages.push_back(Message { seq: self.last_seq, subject, bytes, at, content });
        let gone = if self.messages.len() > KEPT { self.messages.pop_front() } else { None };
        if let Some(kept) = self.by_subject.get_mut(subject) {
            *kept += 1;
        }
        if let Some(gone) = &gone {
            self.bytes -= gone.bytes;
            if let Some(kept) = self.by_subject.get_mut(gone.subject) {
                *kept -= 1;
            }
        }
        (self.last_seq, gone)
    }

    /// Subjects of which it keeps messages.
    pub(super) fn distinct_subjects(&self) -> u64 {
        self.by_subject.iter().filter(|kept| **kept > 0).count() as u64
    }

    pub(super) fn first_seq(&self) -> u64 {
        self.messages.front().map_or(self.last_seq + 1, |message| message.seq)
    }

    pub(super) fn get(&self, seq: u64) -> Option<&Message> {
        self.messages.get(usize::try_from(seq.checked_sub(self.first_seq())?).ok()?)
    }

    /// The first message from `seq` on whose subject is wanted.
    pub(super) fn first_match(&self, seq: u64, wanted: &BTreeSet<usize>) -> Option<&Message> {
        let skip = usize::try_from(seq.saturating_sub(self.first_seq())).ok()?;
        self.messages.range(skip.min(self.messages.len())..).find(|message| wanted.contains(&message.subject))
    }
}

/// A message in flight.
#[derive(Clone, Debug)]
struct InFlight {
    /// Number of its first delivery.
    delivery: u64,
    /// When the broker stops waiting for its acknowledgement.
    deadline: u64,
    appended: u64,
}

/// What the broker hands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A message; `times` counts this delivery too.
    Deliver { seq: u64, times: u64 },
    /// It would have been one too many: lost to this consumer.
    GiveUp { seq: u64, times: u64 },
}

/// How far a message is at a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    NotWanted,
    /// Not delivered, behind so many that are for it too.
    Waiting {
        ahead: u64,
    },
    InFlight {
        deliveries: u64,
    },
    GivenUp,
    Acknowledged,
}

/// A durable consumer.
#[derive(Clone, Debug)]
pub(super) struct Consumer {
    pub(super) stream: usize,
    pub(super) name: Name,
    /// Which of the stream's subjects.
    pub(super) wanted: BTreeSet<usize>,
    pub(super) ack_wait: u64,
    pub(super) max_deliver: u64,
    pub(super) max_in_flight: u64,
    /// Where it looks next.
    next_seq: u64,
    /// Matching messages from there on.
    pub(super) pending: u64,
    in_flight: BTreeMap<u64, InFlight>,
    again: VecDeque<u64>,
    /// Deliveries so far, and the last message newly delivered.
    pub(super) delivered: (u64, u64),
    pub(super) floor: (u64, u64),
    /// How often each was delivered again; those given up stay.
    redelivered: BTreeMap<u64, u64>,
    pub(super) gave_up: u64,
    /// Those of them that the stream still has.
    lost: BTreeSet<u64>,
    pub(super) acked: u64,
    pub(super) delivered_at: Option<u64>,
    pub(super) acked_at: Option<u64>,
}

impl Consumer {
    pub(super) fn new(stream: usize, name: Name, wanted: BTreeSet<usize>) -> Self {
        Self {
            stream,
            name,
            wanted,
            ack_wait: 0,
            max_deliver: 1,
            max_in_flight: 1,
            next_seq: 1,
            pending: 0,
            in_flight: BTreeMap::new(),
            again: VecDeque::new(),
            delivered: (0, 0),
            floor: (0, 0),
            redelivered: BTreeMap::new(),
            gave_up: 0,
            lost: BTreeSet::new(),
            acked: 0,
            delivered_at: None,
            acked_at: None,
        }
    }

    /// A message was stored. Says whether it is for this consumer.
    pub(super) fn stored(&mut self, subject: usize) -> bool {
        let wanted = self.wanted.contains(&subject);
        self.pending += u64::from(wanted);
        wanted
    }

    /// A message had to make room for others.
    pub(super) fn removed(&mut self, message: &Message) {
        if message.seq >= self.next_seq && self.wanted.contains(&message.subject) {
            self.pending = self.pending.saturating_sub(1);
        }
        self.in_flight.remove(&message.seq);
        self.redelivered.remove(&message.seq);
        self.lost.remove(&message.seq);
        self.again.retain(|seq| *seq != message.seq);
    }

    /// What comes next for whoever asks, if anything may.
    pub(super) fn next(&mut self, stream: &Stream, now: u64) -> Option<Next> {
        while let Some(seq) = self.again.pop_front() {
            let Some(waiting) = self.in_flight.get_mut(&seq) else { continue };
            let again = self.redelivered.entry(seq).or_insert(0);
            if *again + 1 >= self.max_deliver {
                let times = *again + 1;
                *again = times;
                self.in_flight.remove(&seq);
                self.gave_up += 1;
                self.lost.insert(seq);
                return Some(Next::GiveUp { seq, times });
            }
            *again += 1;
            waiting.deadline = now + self.ack_wait;
            self.delivered.0 += 1;
            self.delivered_at = Some(now);
            return Some(Next::Deliver { seq, times: *again + 1 });
        }
        if self.pending == 0 || self.in_flight.len() as u64 >= self.max_in_flight {
            return None;
        }
        let message = stream.first_match(self.next_seq, &self.wanted)?;
        self.next_seq = message.seq + 1;
        self.pending -= 1;
        self.delivered = (self.delivered.0 + 1, message.seq);
        self.delivered_at = Some(now);
        let deadline = now + self.ack_wait;
        self.in_flight
            .insert(message.seq, InFlight { delivery: self.delivered.0, deadline, appended: message.at });
        Some(Next::Deliver { seq: message.seq, times: 1 })
    }

    /// Acknowledged: gives when it was stored, if it was still waited for.
    pub(super) fn ack(&mut self, seq: u64, now: u64) -> Option<u64> {
        let done = self.in_flight.remove(&seq)?;
        self.again.retain(|other| *other != seq);
        self.redelivered.remove(&seq);
        self.acked += 1;
        self.acked_at = Some(now);
        if self.in_flight.is_empty() {
            self.floor = self.delivered;
        } else if done.delivery == self.floor.0 + 1 {
            self.floor = (done.delivery, seq);
            if let Some((next, waiting)) = self.in_flight.range(seq + 1..).next() {
                self.floor = (waiting.delivery - 1, next - 1);
            }
        }
        Some(done.appended)
    }

    /// Refused, or still worked on: the broker waits for it for `delay` from now. Gives until when, if it was still
    /// waited for.
    pub(super) fn postpone(&mut self, seq: u64, now: u64, delay: u64) -> Option<u64> {
        if self.again.contains(&seq) {
            return None;
        }
        let waiting = self.in_flight.get_mut(&seq)?;
        waiting.deadline = now + delay;
        Some(waiting.deadline)
    }

    /// When the broker stops waiting for a message.
    pub(super) fn deadline(&self, seq: u64) -> Option<u64> {
        self.in_flight.get(&seq).map(|waiting| waiting.deadline)
    }

    /// A deadline came. Says whether the message now waits to be delivered again.
    pub(super) fn expire(&mut self, seq: u64, now: u64) -> bool {
        let due = self.deadline(seq) == Some(now) && !self.again.contains(&seq);
        if due {
            self.again.push_back(seq);
        }
        due
    }

    /// How far a message is that the stream still has.
    pub(super) fn stage(&self, message: &Message, stream: &Stream) -> Stage {
        let seq = message.seq;
        if !self.wanted.contains(&message.subject) {
            Stage::NotWanted
        } else if self.in_flight.contains_key(&seq) {
            Stage::InFlight { deliveries: self.redelivered.get(&seq).copied().unwrap_or(0) + 1 }
        } else if seq >= self.next_seq {
            let before = stream.messages.iter().filter(|m| m.seq >= self.next_seq && m.seq < seq);
            let ahead = before.filter(|m| self.wanted.contains(&m.subject)).count();
            Stage::Waiting { ahead: ahead as u64 }
        } else if self.lost.contains(&seq) {
            Stage::GivenUp
        } else {
            Stage::Acknowledged
        }
    }

    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight.len() as u64
    }

    pub(super) fn redelivered(&self) -> u64 {
        self.redelivered.len() as u64
    }

    /// Something could be handed out now.
    pub(super) fn has_work(&self) -> bool {
        !self.again.is_empty() || (self.pending > 0 && (self.in_flight.len() as u64) < self.max_in_flight)
    }

    /// When the oldest message was stored that still has to be processed: the truth, which no broker tells.
    pub(super) fn oldest(&self, stream: &Stream) -> Option<(u64, u64)> {
        let flying = self.in_flight.iter().next().map(|(seq, waiting)| (*seq, waiting.appended));
        let pending = if self.pending > 0 {
            stream.first_match(self.next_seq, &self.wanted).map(|message| (message.seq, message.at))
        } else {
            None
        };
        flying.into_iter().chain(pending).min()
    }
}

#[cfg(test)]
mod tests {
    use super::super::content::Fields;
    use super::super::random::Random;
    use super::*;

    fn content() -> Arc<Content> {
        let (mut fields, mut chance) = (Fields::default(), Random::new(1));
        Arc::new(Content::visit(&mut fields, &mut chance))
    }

    fn consumer(max_deliver: u64) -> (Stream, Consumer) {
        let stream = Stream::new("S".into(), vec!["a".into(), "b".into()]);
        let mut consumer = Consumer::new(0, "c".into(), BTreeSet::from([0]));
        consumer.ack_wait = 1_000;
        consumer.max_deliver = max_deliver;
        consumer.max_in_flight = 100;
        (stream, consumer)
    }

    fn store(stream: &mut Stream, consumer: &mut Consumer, subject: usize, at: u64) {
        stream.append(subject, 10, at, content());
        consumer.stored(subject);
    }

    /// The run of a real server (2.15.1), step by step.
    #[test]
    fn it_moves_as_a_real_broker_does() {
        let (mut s, mut c) = consumer(2);
        store(&mut s, &mut c, 0, 1);
        assert_eq!(c.next(&s, 2), Some(Next::Deliver { seq: 1, times: 1 }));
        assert_eq!((c.delivered, c.floor, c.in_flight()), ((1, 1), (0, 0), 1));
        assert_eq!(c.ack(1, 3), Some(1));
        assert_eq!((c.delivered, c.floor, c.in_flight()), ((1, 1), (1, 1), 0));
        for at in 4..7 {
            store(&mut s, &mut c, 1, at);
        }
        assert_eq!(c.next(&s, 8), None);
        assert_eq!((c.delivered, c.floor), ((1, 1), (1, 1)), "messages of others move nothing");
        store(&mut s, &mut c, 0, 9);
        assert_eq!(c.next(&s, 10), Some(Next::Deliver { seq: 5, times: 1 }));
        assert_eq!((c.delivered, c.floor), ((2, 5), (1, 1)));
        assert!(c.expire(5, 1_010));
        assert_eq!((c.in_flight(), c.redelivered()), (1, 0), "in flight until somebody asks");
        assert_eq!(c.next(&s, 1_020), Some(Next::Deliver { seq: 5, times: 2 }));
        assert_eq!((c.delivered, c.floor, c.in_flight(), c.redelivered()), ((3, 5), (1, 1), 1, 1));
        assert!(c.expire(5, 2_020));
        assert_eq!((c.in_flight(), c.redelivered()), (1, 1));
        assert_eq!(c.next(&s, 2_100), Some(Next::GiveUp { seq: 5, times: 2 }));
        assert_eq!((c.delivered, c.floor, c.in_flight(), c.redelivered()), ((3, 5), (1, 1), 0, 1));
        assert_eq!(c.oldest(&s), None, "a floor that stays behind is not work");
        store(&mut s, &mut c, 0, 2_200);
        assert_eq!(c.next(&s, 2_201), Some(Next::Deliver { seq: 6, times: 1 }));
        assert_eq!(c.ack(6, 2_202), Some(2_200));
        assert_eq!((c.delivered, c.floor, c.redelivered()), ((4, 6), (4, 6), 1));
    }

    #[test]
    fn the_floor_waits_for_the_oldest_delivery() {
        let (mut s, mut c) = consumer(5);
        for at in 0..4 {
            store(&mut s, &mut c, 0, at);
            c.next(&s, 10);
        }
        c.ack(2, 11);
        c.ack(3, 11);
        assert_eq!(c.floor, (0, 0));
        c.ack(1, 12);
        assert_eq!(c.floor, (3, 3));
        assert_eq!(c.oldest(&s), Some((4, 3)));
        c.ack(4, 13);
        assert_eq!(c.floor, (4, 4));
        assert_eq!(c.ack(4, 14), None, "acknowledged once");
    }

    #[test]
    fn what_a_stream_forgets_is_no_longer_pending() {
        let (mut s, mut c) = consumer(5);
        for at in 0..=KEPT as u64 {
            let (_, gone) = s.append(0, 1, at, content());
            c.stored(0);
            if let Some(gone) = gone {
                c.removed(&gone);
            }
        }
        assert_eq!((c.pending, s.first_seq(), s.bytes), (KEPT as u64, 2, KEPT as u64));
        assert_eq!(c.next(&s, 1), Some(Next::Deliver { seq: 2, times: 1 }));
    }
}
