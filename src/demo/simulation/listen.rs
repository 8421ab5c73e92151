//! What a source learns of single messages: acknowledgements while the level says to listen to them, searches, and messages that
//! are followed. The rules are those of the real source.

use std::collections::VecDeque;

use super::broker::{Message, Stream};
use super::observe::Watch;
use super::pursue::Chase;
use super::said::Said;
use super::work::World;
use super::{WARM_UP, nanos};
use crate::model::acks::{AckKind, AckStep};
use crate::model::command::ProbeLevel;
use crate::model::id::ChannelId;
use crate::model::message::{Caused, MessageId, MessageReport, Pursuit, Search, SearchOutcome, SearchReport};
use crate::model::observation::{Batch, Observation, Observed, Span};
use crate::model::time::Mono;
use crate::source::origin::{self, Origin};

/// Messages that one search reads.
const MOST_MESSAGES: u64 = 250;
/// Messages that are followed at a time.
const MOST_FOLLOWED: usize = 256;

/// What is listened to, and what was asked.
#[derive(Debug, Default)]
pub(super) struct Listening {
    /// Up to here in the record it was told.
    told: u64,
    since: Mono,
    /// Up to here it was told that it is listened without a gap.
    whole: Mono,
    asked: Vec<Asked>,
    /// Stream and message, the oldest wish first.
    followed: VecDeque<(usize, u64)>,
    /// What it is looked for that came of messages.
    pub(super) chases: Vec<Chase>,
}

/// A question about a message.
#[derive(Clone, Debug)]
enum Asked {
    Find { channel: ChannelId, search: Search, before: Option<u64> },
    Follow(MessageId),
    Pursue(Pursuit),
}

impl Watch {
    fn listens(&self) -> bool {
        self.options.probe >= ProbeLevel::Acks
    }

    /// What was said so far is not told.
    pub(super) fn listen_from(&mut self, world: &World, now: u64) {
        self.listening.told = world.said.here();
        self.listening.since = mono(now);
    }

    /// From now on it does as much as this to learn.
    pub(super) fn probe(&mut self, level: ProbeLevel, world: &mut World, now: u64) {
        if !self.listens() {
            self.listen_from(world, now);
            self.listening.whole = mono(now);
        }
        self.options.probe = level;
        if level < ProbeLevel::Tap {
            self.end_taps(world, now);
        }
    }

    pub(super) fn find(&mut self, channel: ChannelId, search: Search, before: Option<u64>) {
        self.listening.asked.push(Asked::Find { channel, search, before });
    }

    pub(super) fn pursue(&mut self, pursuit: Pursuit) {
        self.listening.asked.push(Asked::Pursue(pursuit));
    }

    pub(super) fn follow(&mut self, id: MessageId) {
        self.listening.asked.push(Asked::Follow(id));
    }

    /// The place of a channel of ours.
    pub(super) fn stream(&self, world: &World, channel: &ChannelId) -> Option<usize> {
        world.streams.iter().position(|stream| ChannelId::named(&self.broker, &stream.name) == *channel)
    }

    /// Something said, in the words of a source.
    pub(super) fn step(&self, world: &World, said: &Said) -> Option<AckStep> {
        let reader = world.readers.get(said.reader)?;
        let stream = world.streams.get(reader.consumer.stream)?;
        Some(AckStep {
            channel: ChannelId::named(&self.broker, &stream.name),
            seq: said.seq,
            consumer: reader.id.clone(),
            kind: said.kind,
            deliveries: said.times,
            appended: self.broker_time(said.appended),
            at: self.broker_time(said.at),
            error: self.options.clock_uncertainty,
        })
    }

    /// Tells with a batch that goes out how long it has been listened.
    pub(super) fn listened(&mut self, now: u64, batch: &mut Batch) {
        if self.listens() {
            batch.listened = Some(Span { from: self.listening.whole, to: mono(now) });
            self.listening.whole = mono(now);
        }
    }

    /// Tells what was said since the last time, if it is listened to.
    pub(super) fn hear(&mut self, world: &mut World, now: u64, batch: &mut Batch) {
        if !self.listens() {
            return;
        }
        let span = Span { from: self.listening.since, to: mono(now) };
        let from = self.listening.told;
        for said in world.said.since_mut(from) {
            said.heard = true;
        }
        for said in world.said.since(from) {
            let Some(reader) = world.readers.get(said.reader) else { continue };
            self.load.messages += 1;
            let tally = batch.acks.entry(reader.id.clone()).or_default();
            tally.span = span;
            match said.kind {
                AckKind::Acknowledged | AckKind::Covered => {
                    tally.acknowledged += 1;
                    tally.redelivered += said.times.saturating_sub(1);
                    let delay = said.at.saturating_sub(said.appended);
                    tally.delays.record(i64::try_from(delay).unwrap_or(i64::MAX));
                    tally.error = self.options.clock_uncertainty;
                }
                AckKind::Refused => tally.refused += 1,
                AckKind::InProgress => tally.in_progress += 1,
                AckKind::Terminated => {
                    tally.terminated += 1;
                    tally.redelivered += said.times.saturating_sub(1);
                }
            }
            if self.listening.followed.contains(&(reader.consumer.stream, said.seq)) {
                self.tell(world, now, said, batch);
            }
        }
        self.listen_from(world, now);
    }

    fn tell(&self, world: &World, now: u64, said: &Said, batch: &mut Batch) {
        if let Some(step) = self.step(world, said) {
            let at = self.stamp(now, false);
            batch.observations.push(Observed { at, what: Observation::Step(step) });
        }
    }

    /// Answers what was asked since the last time.
    pub(super) fn answer(&mut self, world: &World, now: u64, batch: &mut Batch) {
        for asked in std::mem::take(&mut self.listening.asked) {
            match asked {
                Asked::Follow(id) => {
                    if let Some(stream) = self.stream(world, &id.channel) {
                        self.begin_to_follow(world, now, (stream, id.seq), batch);
                    }
                }
                Asked::Pursue(pursuit) => {
                    if let Some(stream) = self.stream(world, &pursuit.channel) {
                        self.begin_chase(pursuit, stream, now);
                    }
                }
                Asked::Find { channel, search, before } => {
                    // What is not ours is another source's.
                    if let Some(stream) = self.stream(world, &channel) {
                        self.search(world, now, (stream, channel), (search, before), batch);
                    }
                }
            }
        }
    }

    pub(super) fn begin_to_follow(
        &mut self,
        world: &World,
        now: u64,
        message: (usize, u64),
        batch: &mut Batch,
    ) {
        if self.listening.followed.contains(&message) {
            return;
        }
        self.listening.followed.push_back(message);
        if self.listening.followed.len() > MOST_FOLLOWED {
            self.listening.followed.pop_front();
        }
        let (stream, seq) = message;
        let its = |said: &&Said| {
            let reader = world.readers.get(said.reader);
            said.heard && said.seq == seq && reader.is_some_and(|r| r.consumer.stream == stream)
        };
        world.said.since(0).filter(its).for_each(|said| self.tell(world, now, said, batch));
    }

    fn search(
        &mut self,
        world: &World,
        now: u64,
        (place, channel): (usize, ChannelId),
        (search, before): (Search, Option<u64>),
        batch: &mut Batch,
    ) {
        let Some(stream) = world.streams.get(place) else { return };
        let (mut looked_at, mut bytes) = (0, 0);
        let newest = match (&search, before) {
            (Search::Seq(seq), _) => *seq,
            (_, Some(before)) => stream.last_seq.min(before.saturating_sub(1)),
            (_, None) => stream.last_seq,
        };
        let mut seq = newest;
        let outcome = loop {
            if seq < stream.first_seq().max(1) || seq > stream.last_seq {
                // To ask for what is not there is a question too.
                looked_at += u64::from(matches!(search, Search::Seq(_)));
                break SearchOutcome::NotThere;
            }
            if looked_at >= MOST_MESSAGES {
                break SearchOutcome::NotFrom(seq + 1);
            }
            looked_at += 1;
            let message = stream.get(seq);
            bytes += message.map_or(0, |message| message.bytes);
            if let Some(message) =
                message.filter(|message| fits(world, message, &search, || self.time(message)))
            {
                let report = self.read(world, now, (stream, &channel), message, None);
                let at = self.stamp(now, true);
                batch.observations.push(Observed { at, what: Observation::Message(Box::new(report)) });
                self.begin_to_follow(world, now, (place, seq), batch);
                break SearchOutcome::Found(seq);
            }
            seq -= 1;
        };
        self.load.requests += looked_at;
        let report = SearchReport { channel, search, outcome, looked_at, bytes };
        let at = self.stamp(now, true);
        batch.observations.push(Observed { at, what: Observation::Search(Box::new(report)) });
    }

    /// What is told of a message that was read.
    pub(super) fn read(
        &self,
        world: &World,
        now: u64,
        (stream, channel): (&Stream, &ChannelId),
        message: &Message,
        caused: Option<Caused>,
    ) -> MessageReport {
        let at = self.stamp(now, true);
        let (headers, body) = self.written(world, message);
        let fields = &self.taps.fields;
        let Origin { headers, fields, version, committed } =
            origin::read(&headers, body.as_bytes(), &fields.keys, &fields.sensitive);
        MessageReport {
            id: MessageId { channel: channel.clone(), seq: message.seq },
            subject: stream.subjects.get(message.subject).cloned().unwrap_or_default(),
            appended: self.broker_time(message.at),
            bytes: message.bytes,
            headers,
            fields,
            version,
            committed,
            caused,
            read_at: at.wall,
            read_on: at.broker,
        }
    }

    /// Headers and payload of a stored message.
    pub(super) fn written(&self, world: &World, message: &Message) -> (Vec<(String, String)>, String) {
        let (service, what) = sender(world, message);
        let time = self.time(message);
        let headers = message.content.headers(service, what, &time);
        let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        (headers.collect(), message.content.body(Some(what), &world.fields, &time, message.bytes))
    }

    /// When it was sent, by its sender: the text of `ce-time`.
    fn time(&self, message: &Message) -> String {
        self.sent_at(message.at)
    }

    /// A moment by the clocks of the services, which are the broker's, as text.
    pub(super) fn sent_at(&self, at: u64) -> String {
        let nanos = i128::from(self.broker_time(at).0);
        jiff::Timestamp::from_nanosecond(nanos).map_or_else(|_| String::new(), |time| time.to_string())
    }
}

/// The service that sent a message, and what it is.
fn sender<'a>(world: &'a World, message: &Message) -> (&'a str, &'a str) {
    let outlet = message.content.outlet.and_then(|outlet| world.outlets.get(outlet));
    outlet.map_or(("", ""), |outlet| {
        let service = world.services.get(outlet.service);
        (service.map_or("", |service| service.plan.id.as_str()), &*outlet.what)
    })
}

fn fits(world: &World, message: &Message, search: &Search, time: impl FnOnce() -> String) -> bool {
    match search {
        Search::Seq(seq) => message.seq == *seq,
        Search::Field { name, value } => {
            message.content.field(name, &world.fields).is_some_and(|is| is == **value)
        }
        Search::Header { name, value } => {
            let (service, what) = sender(world, message);
            let headers = message.content.headers(service, what, &time());
            headers.iter().any(|(n, v)| n.eq_ignore_ascii_case(name) && v == value)
        }
    }
}

fn mono(at: u64) -> Mono {
    Mono(at.saturating_sub(nanos(WARM_UP)))
}
