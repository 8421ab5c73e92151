//! What the engine remembers, and how observations change it. All of it can be written down and read
//! again in the middle of a run.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::changes::Changes;
use super::channels::ChannelState;
use super::consumers::{ConsumerState, Poll};
use super::counted;
use super::health::CheckState;
use super::rates::Windows;
use super::services::ServiceMemory;
use super::sources::SourceMemory;
use super::taps::Taps;
use super::totals::TotalsState;
use super::traces::Traces;
use crate::model::calls::CallKey;
use crate::model::command::ProbeLevel;
use crate::model::id::{ChannelId, ConsumerId, Name, ServiceId, SourceId};
use crate::model::observation::{
    BacklogReport, Batch, ChannelReport, ConsumerReport, HealthState, Listing, Notice, NoticeKind,
    Observation,
};
use crate::model::snapshot::{Naming, Thing};
use crate::model::time::Stamp;
use crate::model::traffic::TrafficKey;

/// How often counters of what has gone are looked for.
const SWEEP: Duration = Duration::from_secs(60);

/// What changed since rows were last made.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Dirty {
    pub(super) consumers: Vec<Stale>,
    pub(super) channels: Vec<ChannelId>,
    pub(super) meters: Vec<(SourceId, TrafficKey)>,
    /// Of whom requests were heard.
    pub(super) calls: Vec<(SourceId, CallKey)>,
    /// What searches came to.
    pub(super) searches: bool,
    /// What is heard on tapped channels.
    pub(super) taps: bool,
    /// Programs, responders, health checks or what programs send.
    pub(super) services: bool,
}

/// A consumer whose row is to be made anew.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stale {
    /// The place of its row when it was last wired; the last one when it never was.
    pub(super) row: usize,
    pub(super) id: ConsumerId,
}

impl Dirty {
    /// Something came of a consumer.
    pub(super) fn consumer(&mut self, consumer: &mut ConsumerState) {
        if !std::mem::replace(&mut consumer.stale, true) {
            let row = consumer.wired.as_ref().map_or(usize::MAX, |wired| wired.row);
            self.consumers.push(Stale { row, id: consumer.id.clone() });
        }
    }
}

/// Everything that the engine remembers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) generation: u64,
    /// Counts up with every change: rows are made at one.
    pub(super) revision: u64,
    /// Revision of the last change to who there is and what is connected to what.
    pub(super) structure: u64,
    /// When that was: the moment of what the wiring says.
    pub(super) structure_at: Stamp,
    /// When counters of what has gone were last looked for.
    swept: Stamp,
    /// The newest moment that anything told of.
    pub(super) latest: Stamp,
    pub(super) sources: BTreeMap<SourceId, SourceMemory>,
    /// Sources that stepped aside, with the one that watches the same system.
    pub(super) aside: BTreeMap<SourceId, SourceId>,
    /// Brokers that the topology names or has named, with the addresses of their servers, without secrets.
    #[serde(default)]
    pub(super) named: BTreeMap<SourceId, Vec<String>>,
    pub(super) channels: BTreeMap<ChannelId, ChannelState>,
    pub(super) consumers: BTreeMap<ConsumerId, ConsumerState>,
    /// Health checks by service and name.
    pub(super) health: BTreeMap<ServiceId, BTreeMap<Name, CheckState>>,
    pub(super) services: BTreeMap<ServiceId, ServiceMemory>,
    pub(super) changes: Changes,
    pub(super) totals: TotalsState,
    pub(super) traces: Traces,
    #[serde(default)]
    pub(super) taps: Taps,
    /// How much of the past numbers cover.
    pub(super) windows: Windows,
    /// Not written down: whoever goes on makes all rows anew.
    #[serde(skip)]
    pub(super) dirty: Dirty,
}

impl State {
    /// Nothing remembered, at the start.
    pub(super) fn new(started: Stamp, windows: Windows) -> Self {
        Self { latest: started, structure_at: started, swept: started, windows, ..Self::default() }
    }

    /// All sources with their kinds; empty where one has not told yet.
    pub(super) fn source_kinds(&self) -> BTreeMap<SourceId, Name> {
        self.sources.iter().map(|(id, source)| (id.clone(), source.report.kind.clone())).collect()
    }

    /// What things are called now.
    pub(super) fn naming(&self) -> Naming {
        Naming::among(self.sources.values().map(|source| &source.report.kind))
    }

    /// Takes what a source saw, at a level at which `probe` is allowed.
    pub(super) fn ingest(&mut self, batch: &Batch, probe: ProbeLevel) {
        self.revision += 1;
        if batch.at.mono > self.latest.mono {
            self.latest = batch.at;
        }
        let source = &batch.source;
        if self.aside.contains_key(source) {
            if !takes_over(batch) {
                return;
            }
            self.aside.remove(source);
        }
        if !self.sources.contains_key(source) {
            // Not when the batch was closed: a merged one begins earlier.
            let began = batch.observations.first().map_or(batch.at, |seen| seen.at);
            self.sources.insert(source.clone(), SourceMemory::new(began));
            self.structure = self.revision;
        }
        for observed in &batch.observations {
            self.observe(source, observed.at, &observed.what);
        }
        self.hear(batch, probe);
        if !batch.traffic.is_empty() {
            let revision = self.revision;
            let memory = self.sources.get_mut(source);
            if memory.is_some_and(|memory| memory.count(&batch.traffic, batch.at)) {
                self.structure = revision;
            }
            let counted = batch.traffic.counts.keys();
            self.dirty.services |= counted.clone().any(|key| matches!(key, TrafficKey::Published { .. }));
            self.dirty.meters.extend(counted.map(|key| (source.clone(), key.clone())));
        }
        if !batch.calls.is_empty()
            && let Some(memory) = self.sources.get_mut(source)
        {
            if memory.hear_calls(&batch.calls, batch.at) {
                self.structure = self.revision;
            }
            self.dirty.calls.extend(batch.calls.keys().map(|key| (source.clone(), key.clone())));
        }
        if !batch.sends.is_empty()
            && let Some(memory) = self.sources.get_mut(source)
        {
            if memory.hear_sends(&batch.sends, batch.at) {
                self.structure = self.revision;
            }
            self.dirty.channels.extend(batch.sends.keys().map(|key| key.channel.clone()));
        }
        if self.structure == self.revision {
            self.structure_at = batch.at;
        }
    }

    /// Takes what was heard of acknowledgements.
    fn hear(&mut self, batch: &Batch, probe: ProbeLevel) {
        // What was on its way when listening ended would stand there as heard just now.
        let listens = probe >= ProbeLevel::Acks;
        let mut whole = None;
        if let Some(memory) = self.sources.get_mut(&batch.source) {
            memory.listened = counted::stretch(memory.listened, batch.listened.filter(|_| listens));
            whole = memory.listened;
        }
        for (id, tally) in batch.acks.iter().filter(|_| listens) {
            // Of one that no list has told of yet nothing is known to show it with.
            if let Some(consumer) = self.consumers.get_mut(id) {
                consumer.hear(tally, batch.at.mono, whole, self.windows);
                self.dirty.consumer(consumer);
            }
        }
        for (id, times) in &batch.processing {
            if let Some(consumer) = self.consumers.get_mut(id) {
                consumer.sampled(times, batch.at.mono);
                self.dirty.consumer(consumer);
            }
        }
    }

    /// Figures of what is heard cover another time.
    pub(super) fn set_window(&mut self, window: Duration) {
        self.revision += 1;
        self.windows.heard = window;
        for consumer in self.consumers.values_mut() {
            consumer.unsettle();
            self.dirty.consumer(consumer);
        }
        let calls = self
            .sources
            .iter()
            .flat_map(|(id, memory)| memory.calls.keys().map(|key| (id.clone(), key.clone())));
        self.dirty.calls.extend(calls);
    }

    /// Acknowledgements are not listened to any more.
    pub(super) fn unhear(&mut self) {
        self.revision += 1;
        self.sources.values_mut().for_each(|source| source.listened = None);
        for consumer in self.consumers.values_mut() {
            consumer.unhear();
            self.dirty.consumer(consumer);
        }
    }

    /// Forgets counters of what has gone.
    pub(super) fn sweep(&mut self, now: &Stamp) {
        if now.mono.since(self.swept.mono) < SWEEP {
            return;
        }
        self.swept = *now;
        let forgotten = self.sources.values_mut().fold(false, |any, s| s.forget(now) | any);
        if forgotten {
            self.revision += 1;
            self.structure = self.revision;
            self.structure_at = *now;
        }
    }

    fn observe(&mut self, source: &SourceId, at: Stamp, what: &Observation) {
        let revision = self.revision;
        match what {
            Observation::Source(report) => {
                let Some(memory) = self.sources.get_mut(source) else { return };
                if let Some(other) = &report.same_as {
                    self.step_aside(source, other);
                    return;
                }
                let told = memory.report(report, at);
                if told.lost {
                    // Notices are missed: what they count is a lower bound from here on.
                    for consumer in self.consumers.values_mut().filter(|c| &c.source == source) {
                        consumer.missed();
                        self.dirty.consumer(consumer);
                    }
                }
                if let Some(text) = told.text {
                    let text: Name = self.naming().sentence(source, &text).into();
                    self.changes.push(&at, Some(Thing::Source(source.clone())), text);
                }
                if told.rewired {
                    self.structure = revision;
                }
                return;
            }
            Observation::Channels(listing) => self.list_channels(source, at, listing),
            Observation::Consumers { channel, listing, missing } => {
                self.list_consumers(source, at, channel, listing, missing);
            }
            Observation::Clients(listing) => {
                self.dirty.services = true;
                let at_source = self.naming().which(source).cloned();
                let changes = &mut self.changes;
                let Some(memory) = self.sources.get_mut(source) else { return };
                if memory.list_clients(listing, at, at_source.as_ref(), changes) {
                    self.structure = revision;
                }
            }
            Observation::Responders(listing) => {
                self.dirty.services = true;
                let Some(memory) = self.sources.get_mut(source) else { return };
                if memory.list_responders(listing) {
                    self.structure = revision;
                }
            }
            Observation::Backlog(backlog) => self.read_backlog(source, at, backlog),
            Observation::Notice(notice) => self.notice(source, at, notice),
            Observation::Step(step) => self.traces.step(step),
            Observation::Message(message) => self.traces.message(message),
            Observation::Search(search) => {
                self.dirty.searches = true;
                self.traces.search(search);
            }
            Observation::Pursuit(report) => self.traces.pursuit(report),
            Observation::Tap(report) => {
                self.dirty.taps = true;
                self.taps.report(report);
            }
            Observation::Heard(message) => {
                self.dirty.taps = true;
                self.taps.heard(message);
            }
            Observation::Health(report) => {
                self.dirty.services = true;
                let checks = self.health.entry(report.service.clone()).or_default();
                if let Some(check) = checks.get_mut(&report.check) {
                    check.take(report, at);
                } else {
                    checks.insert(report.check.clone(), CheckState::new(report, at));
                    self.structure = revision;
                }
            }
        }
        // A check that reached nobody has no answer.
        let silent = matches!(what, Observation::Health(report) if report.state == HealthState::Unreachable);
        if let Some(memory) = self.sources.get_mut(source) {
            if silent {
                memory.heard(at);
            } else {
                memory.answered(at);
            }
        }
    }

    /// Another source watches the same system: what this one told is there already, under the other's ids.
    fn step_aside(&mut self, source: &SourceId, other: &SourceId) {
        self.sources.remove(source);
        self.channels.retain(|_, channel| &channel.source != source);
        self.consumers.retain(|_, consumer| &consumer.source != source);
        self.aside.insert(source.clone(), other.clone());
        self.structure = self.revision;
        self.dirty.services = true;
    }

    fn list_channels(&mut self, source: &SourceId, at: Stamp, listing: &Listing<ChannelReport>) {
        let revision = self.revision;
        let first = self.sources.get(source).is_some_and(|s| s.channels_listed.is_none());
        let naming = self.naming();
        for report in &listing.entries {
            let thing = || Thing::Channel(report.id.clone());
            let name = naming.at(source, &report.name);
            let Some(channel) = self.channels.get_mut(&report.id) else {
                let state = ChannelState::new(source.clone(), report.clone(), at, first);
                self.channels.insert(report.id.clone(), state);
                self.structure = revision;
                if !first {
                    let text = format!("stream {name} created");
                    self.changes.told(&at, thing(), NoticeKind::Created, text, false);
                }
                continue;
            };
            self.traces.kept(report, &self.consumers);
            let revealed = channel.poll(report.clone(), at);
            self.dirty.channels.push(report.id.clone());
            if revealed.rewired {
                self.structure = revision;
            }
            if revealed.remade {
                self.changes.told(
                    &at,
                    thing(),
                    NoticeKind::Created,
                    format!("stream {name} made anew"),
                    false,
                );
            } else if revealed.first_message {
                self.changes.push(&at, Some(thing()), format!("first message on {name}"));
            }
            if revealed.leader {
                let leader = report.leader.as_deref().unwrap_or("another server");
                let text = format!("stream {name} is now led by {leader}");
                self.changes.told(&at, thing(), NoticeKind::Leader, text, false);
            }
        }
        if listing.complete {
            let listed: std::collections::BTreeSet<&ChannelId> =
                listing.entries.iter().map(|c| &c.id).collect();
            let gone: Vec<ChannelId> = self
                .channels
                .iter()
                .filter(|(id, c)| &c.source == source && !listed.contains(id))
                .map(|(id, _)| id.clone())
                .collect();
            for id in gone {
                self.remove_channel(&id, at);
            }
            if let Some(memory) = self.sources.get_mut(source) {
                memory.channels_listed = Some(at);
            }
        }
    }

    fn remove_channel(&mut self, id: &ChannelId, at: Stamp) {
        if let Some(channel) = self.channels.remove(id) {
            self.structure = self.revision;
            self.consumers.retain(|_, consumer| &consumer.channel != id);
            let text = format!("stream {} deleted", self.naming().at(&channel.source, &channel.report.name));
            self.changes.told(&at, Thing::Channel(id.clone()), NoticeKind::Deleted, text, false);
        }
    }

    fn list_consumers(
        &mut self,
        source: &SourceId,
        at: Stamp,
        channel: &ChannelId,
        listing: &Listing<ConsumerReport>,
        missing: &[Name],
    ) {
        for report in &listing.entries {
            self.consumer(source, at, report);
            if let Some(channel) = self.channels.get(channel) {
                self.traces.position(report, &channel.report);
            }
        }
        for name in missing {
            self.named_consumer(source, at, channel, name);
        }
        if listing.complete {
            let listed: HashSet<&str> =
                listing.entries.iter().map(|c| &*c.name).chain(missing.iter().map(|name| &**name)).collect();
            let gone: Vec<ConsumerId> = consumers_of(&self.consumers, channel)
                .filter(|c| !listed.contains(&*c.name))
                .map(|c| c.id.clone())
                .collect();
            for id in gone {
                self.remove_consumer(&id, at);
            }
            if let Some(channel) = self.channels.get_mut(channel) {
                channel.consumers_listed = true;
            }
        }
    }

    fn remove_consumer(&mut self, id: &ConsumerId, at: Stamp) {
        let Some(gone) = self.consumers.remove(id) else { return };
        self.structure = self.revision;
        // Ephemeral consumers come and go by themselves.
        if gone.report.as_ref().is_none_or(|r| r.durable) {
            let text = format!("consumer {} deleted", self.called(&gone));
            self.changes.told(&at, Thing::Consumer(id.clone()), NoticeKind::Deleted, text, false);
        }
    }

    /// Whether a consumer that appears now was there when watching began.
    fn was_there(&self, channel: &ChannelId) -> bool {
        self.channels.get(channel).is_none_or(|c| c.was_there && !c.consumers_listed)
    }

    fn named_consumer(&mut self, source: &SourceId, at: Stamp, channel: &ChannelId, name: &Name) {
        let Some(stream) = self.channels.get(channel).map(|c| c.report.name.clone()) else { return };
        let id = ConsumerId::named(source, &stream, name);
        if self.consumers.contains_key(&id) {
            return;
        }
        let was_there = self.was_there(channel);
        let state =
            ConsumerState::new(id.clone(), name.clone(), channel.clone(), source.clone(), at, was_there);
        self.consumers.insert(id, state);
        self.structure = self.revision;
    }

    fn consumer(&mut self, source: &SourceId, at: Stamp, report: &ConsumerReport) {
        let (revision, naming) = (self.revision, self.naming());
        let started = self.sources.get(source).map(|s| (s.began.wall, s.broker_time(&s.began)));
        let was_there = self.was_there(&report.channel)
            && !matches!((report.created_at, started), (Some(made), Some((_, began))) if made > began);
        let broker_now = self.sources.get(source).map_or(at.wall, |s| s.broker_time(&at));
        let (known, consumer) = match self.consumers.entry(report.id.clone()) {
            Entry::Occupied(there) => (true, there.into_mut()),
            Entry::Vacant(free) => {
                let (id, name, channel) = (report.id.clone(), report.name.clone(), report.channel.clone());
                let new = ConsumerState::new(id, name, channel, source.clone(), at, was_there);
                (false, free.insert(new))
            }
        };
        let before = consumer.report.as_ref();
        let edited = before.is_some_and(|before| configuration(before) != configuration(report));
        let remade = consumer.is_remade(report);
        let rewired = before.is_none_or(|before| wires(before) != wires(report));
        let leader = before
            .is_some_and(|b| b.leader.is_some() && report.leader.is_some() && b.leader != report.leader);
        let channel = self.channels.get(&report.channel).map(|c| &c.report);
        let unheard = self.sources.get(source).is_some_and(|source| source.report.no_notices);
        consumer.poll(report, &Poll { at, broker_now, channel, unheard });
        if let Some(memory) = self.sources.get(source) {
            consumer.age(&memory.clocks);
        }
        let listens = self.sources.get(source).is_some_and(|source| source.listened.is_some());
        consumer.settle_again(self.windows, listens);
        if rewired {
            consumer.rewired = revision;
        }
        self.dirty.consumer(consumer);
        let thing = || Thing::Consumer(report.id.clone());
        if rewired {
            self.structure = revision;
        }
        let said = |what: &str| format!("consumer {} {what}", naming.at(source, &short(consumer)));
        if !known && !was_there && report.durable {
            self.changes.told(&at, thing(), NoticeKind::Created, said("created"), false);
        } else if remade {
            self.changes.told(&at, thing(), NoticeKind::Created, said("made anew"), false);
        } else if edited {
            self.changes.told(&at, thing(), NoticeKind::Changed, said("edited"), false);
        }
        if leader {
            let leader = report.leader.as_deref().unwrap_or("another server");
            self.changes.told(
                &at,
                thing(),
                NoticeKind::Leader,
                said(&format!("is now led by {leader}")),
                false,
            );
        }
    }

    /// A consumer as people call it, with its source where there are several.
    fn called(&self, consumer: &ConsumerState) -> String {
        self.naming().at(&consumer.source, &short(consumer)).into_owned()
    }

    fn read_backlog(&mut self, source: &SourceId, at: Stamp, backlog: &BacklogReport) {
        let broker_now = self.sources.get(source).map_or(at.wall, |s| s.broker_time(&at));
        if let Some(consumer) = self.consumers.get_mut(&backlog.consumer) {
            // It was waiting when it was read, which is so long ago at most.
            let waiting_at = broker_now.offset(-crate::model::time::nanos(at.travel));
            consumer.backlog(backlog.clone(), at.mono, waiting_at, self.windows);
            if let Some(memory) = self.sources.get(source) {
                consumer.age(&memory.clocks);
            }
            self.dirty.consumer(consumer);
        }
    }

    fn notice(&mut self, source: &SourceId, at: Stamp, notice: &Notice) {
        let revision = self.revision;
        let thing = notice
            .consumer
            .clone()
            .map(Thing::Consumer)
            .or_else(|| notice.channel.clone().map(Thing::Channel));
        if let Some(id) = &notice.consumer {
            if let (NoticeKind::GaveUp, Some(seq)) = (notice.kind, notice.channel_seq) {
                self.traces.abandoned(id, seq);
            }
            if let Some(consumer) = self.consumers.get_mut(id) {
                consumer.notice(at.wall, notice);
                self.dirty.consumer(consumer);
            } else if let (NoticeKind::GaveUp, Some(channel)) = (notice.kind, &notice.channel) {
                // The notice came before the first list: the count must not be lost.
                let name: Name = id.as_str().rsplit('/').next().unwrap_or(id.as_str()).into();
                let was_there = self.was_there(channel);
                let mut state =
                    ConsumerState::new(id.clone(), name, channel.clone(), source.clone(), at, was_there);
                state.notice(at.wall, notice);
                self.consumers.insert(id.clone(), state);
                self.structure = revision;
            }
        }
        let told: Name = self.naming().sentence(source, &notice.text).into();
        match notice.kind {
            // Lost data is news; the messages of one consumer are counted on one line.
            NoticeKind::GaveUp => {
                let consumer = notice.consumer.as_ref().and_then(|id| self.consumers.get(id));
                let text =
                    consumer.map(|it| format!("consumer {} gave up a message", self.called(it)).into());
                self.changes.push(&at, thing, text.unwrap_or(told));
            }
            // Counted, and shown where they happen; one line each would drown the rest.
            NoticeKind::Refused | NoticeKind::Terminated => {}
            NoticeKind::Created | NoticeKind::Deleted | NoticeKind::Changed | NoticeKind::Leader => {
                match thing {
                    Some(thing) => self.changes.told(&at, thing, notice.kind, told, true),
                    None => self.changes.push(&at, None, told),
                }
            }
            NoticeKind::Paused | NoticeKind::Connection | NoticeKind::Broker => {
                self.changes.push(&at, thing, told);
            }
        }
    }
}

/// The consumers of a channel: ids begin with that of what they belong to, so that they stand together.
pub(super) fn consumers_of<'s>(
    consumers: &'s BTreeMap<ConsumerId, ConsumerState>,
    channel: &'s ChannelId,
) -> impl Iterator<Item = &'s ConsumerState> {
    let of = format!("{channel}/");
    let from = consumers.range::<str, _>((Bound::Included(of.as_str()), Bound::Unbounded));
    from.take_while(move |(id, _)| id.as_str().starts_with(&of)).map(|(_, consumer)| consumer)
}

/// `ORDERS/billing`: a consumer as people call it.
pub(super) fn short(consumer: &ConsumerState) -> String {
    let channel = consumer.channel.as_str();
    let stream = channel.split_once('/').map_or(channel, |(_, name)| name);
    format!("{stream}/{}", consumer.name)
}

/// What somebody can edit.
fn configuration(report: &ConsumerReport) -> impl PartialEq + '_ {
    let delivery = match &report.delivery {
        crate::model::observation::Delivery::Pull => None,
        crate::model::observation::Delivery::Push { subject, queue, .. } => Some((subject, queue)),
    };
    (
        &report.filters,
        delivery,
        report.ack,
        report.ack_wait,
        report.max_deliver,
        report.max_in_flight,
        report.sampling,
        (&report.description, &report.metadata),
    )
}

/// What decides who it is and what it reads.
fn wires(report: &ConsumerReport) -> impl PartialEq + '_ {
    let subject = match &report.delivery {
        crate::model::observation::Delivery::Pull => None,
        crate::model::observation::Delivery::Push { subject, queue, .. } => Some((subject, queue)),
    };
    (&report.filters, subject, &report.members, report.durable, &report.metadata)
}

/// Whether a source that had stepped aside watches by itself again.
fn takes_over(batch: &Batch) -> bool {
    let mut reports = batch.observations.iter().rev().filter_map(|observed| match &observed.what {
        Observation::Source(report) => Some(report),
        _ => None,
    });
    reports.next().is_some_and(|last| last.same_as.is_none())
}
