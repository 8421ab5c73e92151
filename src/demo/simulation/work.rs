//! The services at work: what they send, read, answer and ask, message by message.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::broker::{Consumer, Next, Stream};
use super::content::{Content, Fields};
use super::random::Random;
use super::requests::{Call, Operation};
use super::said::{Record, Said};
use super::tapped::{Overheard, Sent, Target};
use super::{Agenda, Event, nanos};
use crate::demo::scenario::{Conditions, Reading, Scenario};
use crate::demo::store::plan::{By, Durable, Plan, ServicePlan};
use crate::model::acks::AckKind;
use crate::model::histogram::Histogram;
use crate::model::id::{ConsumerId, EntityId, Name, ServiceId, SourceId};
use crate::topology::Topology;

/// Messages that an instance asks for ahead of its workers.
const AHEAD: u32 = 4;

/// How soon something that does not happen now is looked at again.
const LOOK_AGAIN: u64 = 500_000_000;

/// One running program of a service.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) name: Name,
    /// Messages that it has sent, of whatever kind, and their bytes.
    pub(super) published: u64,
    pub(super) published_bytes: u64,
}

/// A service.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) plan: ServicePlan,
    pub(super) instances: Vec<Instance>,
    pub(super) runs: bool,
    /// Runs and does its work.
    pub(super) works: bool,
    /// The part to blame while it does not work.
    pub(super) blamed: Option<Name>,
    /// Counts its starts: what an earlier life began comes to nothing.
    pub(super) life: u64,
    pub(super) started: u64,
    /// Where its events and feeds go, by name: places in [`World::outlets`].
    outlets: BTreeMap<Name, usize>,
    /// The newest message of an entity that its copy has taken in.
    pub(super) applied: BTreeMap<EntityId, u64>,
}

/// Where an event or feed goes.
#[derive(Debug)]
pub(super) struct Outlet {
    pub(super) service: usize,
    pub(super) what: Name,
    pub(super) subject: Name,
    key: Option<Name>,
    sent: u64,
    bytes: u64,
    /// Stream and subject in it, when one keeps it.
    kept: Option<(usize, usize)>,
    /// Those who read it plainly.
    plain: Vec<usize>,
}

impl Outlet {
    /// A stream keeps what is sent there.
    pub(super) const fn is_kept(&self) -> bool {
        self.kept.is_some()
    }
}

/// A durable consumer and the service that reads it.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) id: ConsumerId,
    /// `STREAM/durable`.
    pub(super) key: Name,
    pub(super) consumer: Consumer,
    pub(super) service: usize,
    pub(super) reading: Reading,
    pub(super) deliver_subject: Option<Name>,
    pub(super) queue: Option<Name>,
    /// Pushed to each instance.
    pub(super) pushed: Vec<u64>,
    /// Delivered and waiting for a worker: message and which delivery of it.
    waiting: VecDeque<(u64, u64)>,
    busy: u32,
    /// What workers work on: message and which delivery of it.
    at_work: BTreeSet<(u64, u64)>,
    spoiled: BTreeSet<u64>,
    /// Messages already spoiled, by when that was ordered.
    orders: BTreeMap<Duration, u64>,
    /// Entity that it feeds and what follows, by subject.
    arrivals: BTreeMap<usize, (Option<EntityId>, Vec<usize>)>,
    /// Append → acknowledged.
    pub(super) delays: Histogram,
}

impl Reader {
    /// Pulls that wait at the broker.
    pub(super) fn waiting_pulls(&self, running: bool, instances: usize) -> u64 {
        u64::from(running && self.deliver_subject.is_none() && self.room(instances))
    }

    fn room(&self, instances: usize) -> bool {
        let capacity = (self.reading.workers + AHEAD) as usize * instances;
        self.deliver_subject.is_some() || self.waiting.len() + (self.busy as usize) < capacity
    }
}

/// A plain subscription.
#[derive(Debug)]
pub(super) struct PlainReader {
    pub(super) service: usize,
    pub(super) subject: Name,
    pub(super) queue: Option<Name>,
    pub(super) delivered: Vec<u64>,
    reading: Reading,
    leads_to: Vec<usize>,
}

/// Something to be told once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Consumer, message, deliveries.
    GaveUp(usize, u64, u64),
    /// The same.
    Refused(usize, u64, u64),
}

/// Everything there is.
#[derive(Debug)]
pub(super) struct World {
    pub(super) services: Vec<Service>,
    pub(super) streams: Vec<Stream>,
    pub(super) readers: Vec<Reader>,
    pub(super) plain: Vec<PlainReader>,
    pub(super) operations: Vec<Operation>,
    pub(super) outlets: Vec<Outlet>,
    /// What is sent of itself: places in `outlets`.
    sends: Vec<usize>,
    /// What is asked of itself: service, operation, patience.
    pub(super) asks: Vec<(usize, usize, u64)>,
    pub(super) calls: BTreeMap<u64, Call>,
    pub(super) calls_made: u64,
    pub(super) conditions: Conditions,
    pub(super) random: Random,
    /// What is in messages has a chance of its own: it changes nothing of what happens.
    pub(super) chance: Random,
    pub(super) fields: Fields,
    /// Messages that plain subscriptions work on, by delivery.
    plain_work: BTreeMap<u64, Arc<Content>>,
    plain_deliveries: u64,
    /// What consumers said of messages.
    pub(super) said: Record,
    /// What was sent on what is tapped.
    pub(super) overheard: Overheard,
    /// What happened since it was last asked for, and when.
    pub(super) told: Vec<(u64, Told)>,
}

impl World {
    pub(super) fn new(topology: &Topology, broker: &str, scenario: &Scenario, random: Random) -> Self {
        let plan = Plan::of(topology, broker);
        let source = SourceId::from(broker);
        let mut world = Self {
            services: plan.services.values().cloned().map(service).collect(),
            streams: plan
                .streams
                .iter()
                .map(|(name, subjects)| Stream::new(name.clone(), subjects.iter().cloned().collect()))
                .collect(),
            readers: Vec::new(),
            plain: Vec::new(),
            operations: Vec::new(),
            outlets: Vec::new(),
            sends: Vec::new(),
            asks: Vec::new(),
            calls: BTreeMap::new(),
            calls_made: 0,
            conditions: Conditions::default(),
            chance: random.beside(),
            random,
            fields: Fields::default(),
            plain_work: BTreeMap::new(),
            plain_deliveries: 0,
            said: Record::default(),
            overheard: Overheard::default(),
            told: Vec::new(),
        };
        world.make_outlets(scenario);
        world.make_readers(&plan, &source, scenario);
        world.make_operations(scenario);
        world
    }

    fn make_outlets(&mut self, scenario: &Scenario) {
        for (at, service) in self.services.iter_mut().enumerate() {
            for outlet in service.plan.outlets.values() {
                let kept = self.streams.iter().enumerate().find_map(|(stream, s)| {
                    let subject = s.subjects.iter().position(|subject| *subject == outlet.subject)?;
                    Some((stream, subject))
                });
                service.outlets.insert(outlet.what.clone(), self.outlets.len());
                if scenario.sends.contains_key(&outlet.what) {
                    self.sends.push(self.outlets.len());
                }
                self.outlets.push(Outlet {
                    service: at,
                    what: outlet.what.clone(),
                    subject: outlet.subject.clone(),
                    key: outlet.key.clone(),
                    sent: 0,
                    bytes: scenario.bytes(&outlet.what),
                    kept: kept.filter(|_| outlet.kept),
                    plain: Vec::new(),
                });
            }
        }
    }

    fn make_readers(&mut self, plan: &Plan, source: &SourceId, scenario: &Scenario) {
        for at in 0..self.services.len() {
            let Some(service) = self.services.get(at) else { continue };
            let (reads, instances) = (service.plan.reads.clone(), service.instances.len());
            for read in reads {
                let follow = |events: &[Name]| -> Vec<usize> {
                    let outlets = self.services.get(at).map(|service| &service.outlets);
                    events.iter().filter_map(|event| outlets?.get(event).copied()).collect()
                };
                match &read.by {
                    By::Durable { stream, name } => {
                        let durable = plan.consumers.iter().find(|c| c.stream == *stream && c.name == *name);
                        let place = self.streams.iter().position(|s| s.name == *stream);
                        let (Some(durable), Some(place)) = (durable, place) else { continue };
                        let Some(kept) = self.streams.get(place) else { continue };
                        let subject = |subject: &Name| kept.subjects.iter().position(|s| s == subject);
                        let arrivals = read.subjects.iter().filter_map(|(name, arrival)| {
                            Some((subject(name)?, (arrival.entity.clone(), follow(&arrival.leads_to))))
                        });
                        let reader =
                            reader(source, durable, at, place, scenario, instances, arrivals.collect());
                        if let Some(stream) = self.streams.get_mut(place) {
                            stream.consumers.push(self.readers.len());
                        }
                        self.readers.push(reader);
                    }
                    By::Plain { subject, queue } => {
                        let leads_to = read.subjects.values().flat_map(|arrival| follow(&arrival.leads_to));
                        let reader = PlainReader {
                            service: at,
                            subject: subject.clone(),
                            queue: queue.clone(),
                            delivered: vec![0; instances],
                            reading: scenario.reading(subject),
                            leads_to: leads_to.collect(),
                        };
                        let whats: Vec<&Name> = self
                            .services
                            .iter()
                            .flat_map(|s| s.plan.outlets.values())
                            .filter(|outlet| outlet.subject == *subject)
                            .map(|outlet| &outlet.what)
                            .collect();
                        for outlet in self.outlets.iter_mut().filter(|outlet| whats.contains(&&outlet.what)) {
                            outlet.plain.push(self.plain.len());
                        }
                        self.plain.push(reader);
                    }
                }
            }
        }
    }

    fn make_operations(&mut self, scenario: &Scenario) {
        for (at, service) in self.services.iter().enumerate() {
            for answer in &service.plan.answers {
                let outlets = answer.leads_to.iter().filter_map(|event| service.outlets.get(event).copied());
                self.operations.push(Operation::new(
                    at,
                    answer,
                    service.instances.len(),
                    scenario,
                    outlets.collect(),
                ));
            }
        }
        let places: BTreeMap<(ServiceId, Name), usize> = self
            .operations
            .iter()
            .enumerate()
            .filter_map(|(at, op)| {
                Some(((self.services.get(op.service)?.plan.id.clone(), op.name.clone()), at))
            })
            .collect();
        for operation in &mut self.operations {
            operation.resolve(&places);
        }
        for (at, service) in self.services.iter().enumerate() {
            for request in &service.plan.calls {
                if let Some(place) = places.get(&(request.service.clone(), request.operation.clone())) {
                    self.asks.push((at, *place, super::requests::patience(request.timeout)));
                }
            }
        }
    }

    /// Begins everything that happens of itself.
    pub(super) fn begin(&mut self, agenda: &mut Agenda, _: &Scenario) {
        for send in 0..self.sends.len() {
            agenda.at(self.random.gap(1.0), Event::Send(send));
        }
        for ask in 0..self.asks.len() {
            agenda.at(self.random.gap(1.0), Event::Ask(ask));
        }
    }

    /// What happened before watching began is not told.
    pub(super) fn forget_the_past(&mut self) {
        self.told.clear();
        for reader in &mut self.readers {
            reader.delays = Histogram::default();
        }
    }

    /// Lets one thing happen.
    pub(super) fn happen(&mut self, event: &Event, now: u64, agenda: &mut Agenda, scenario: &Scenario) {
        match *event {
            Event::Send(send) => self.send(send, now, agenda, scenario),
            Event::Ask(ask) => self.ask_by_itself(ask, now, agenda, scenario),
            Event::Expire(reader, seq) => {
                if self.readers.get_mut(reader).is_some_and(|r| r.consumer.expire(seq, now)) {
                    self.pump(reader, now, agenda);
                }
            }
            Event::Done { consumer, seq, times, life } => {
                self.done(consumer, seq, times, life, now, agenda, scenario);
            }
            Event::Progress { consumer, seq, times, life } => {
                self.progress(consumer, seq, times, life, now, agenda);
            }
            Event::PlainDone { reader, life, delivery } => {
                let cause = self.plain_work.remove(&delivery);
                let Some(plain) = self.plain.get(reader) else { return };
                let working = self.services.get(plain.service).is_some_and(|s| s.life == life && s.works);
                if working {
                    let outlets = plain.leads_to.clone();
                    self.follow(&outlets, cause.as_deref(), now, agenda, scenario);
                }
            }
            Event::Answer { call, life } => self.answer(call, life, now, agenda, scenario),
            Event::Patience { call } => self.out_of_patience(call, now, agenda, scenario),
            Event::Conditions | Event::Health(_) | Event::Poll => {}
        }
    }

    /// Takes new conditions: services stop, start, fail, recover.
    pub(super) fn conditions(&mut self, conditions: Conditions, now: u64, agenda: &mut Agenda, _: &Scenario) {
        if conditions == self.conditions {
            return;
        }
        self.conditions = conditions;
        for at in 0..self.services.len() {
            let Some(service) = self.services.get_mut(at) else { continue };
            let id = &service.plan.id;
            let runs = self.conditions.runs(id);
            service.works = self.conditions.works(id);
            service.blamed = self.conditions.down.get(id).cloned().flatten();
            if runs == service.runs {
                continue;
            }
            service.runs = runs;
            if runs {
                service.started = now;
            } else {
                service.life += 1;
            }
            let its = |reader: &Reader| reader.service == at;
            for reader in self.readers.iter_mut().filter(|r| its(r)) {
                reader.waiting.clear();
                reader.busy = 0;
                reader.at_work.clear();
            }
            for reader in
                (0..self.readers.len()).filter(|r| self.readers.get(*r).is_some_and(its)).collect::<Vec<_>>()
            {
                self.pump(reader, now, agenda);
            }
        }
    }

    /// Counts a message sent by one of a service's instances, and says by which.
    pub(super) fn sent(&mut self, service: usize, messages: u64, bytes: u64) -> usize {
        let Some(service) = self.services.get_mut(service) else { return 0 };
        let which = self.random.one_of(service.instances.len());
        if let Some(instance) = service.instances.get_mut(which) {
            instance.published += messages;
            instance.published_bytes += bytes;
        }
        which
    }

    fn send(&mut self, send: usize, now: u64, agenda: &mut Agenda, scenario: &Scenario) {
        let Some(outlet) = self.sends.get(send).and_then(|at| self.outlets.get(*at)) else { return };
        let works = self.services.get(outlet.service).is_some_and(|s| s.works);
        let rate =
            scenario.sends.get(&outlet.what).copied().unwrap_or(0.0) * self.conditions.burst(&outlet.what);
        if works && rate > 0.0 {
            if let Some(outlet) = self.sends.get(send).copied() {
                self.publish(outlet, None, now, agenda);
            }
            let gap = self.random.gap(rate);
            agenda.at(now + gap, Event::Send(send));
        } else {
            agenda.at(now + LOOK_AGAIN, Event::Send(send));
        }
    }

    /// Sends what follows from a message or a request, as one draw decides.
    pub(super) fn follow(
        &mut self,
        outlets: &[usize],
        cause: Option<&Content>,
        now: u64,
        agenda: &mut Agenda,
        scenario: &Scenario,
    ) {
        let draw = self.random.share();
        for outlet in outlets {
            if self.outlets.get(*outlet).is_some_and(|outlet| scenario.follows(&outlet.what, draw)) {
                self.publish(*outlet, cause, now, agenda);
            }
        }
    }

    fn publish(&mut self, at: usize, cause: Option<&Content>, now: u64, agenda: &mut Agenda) {
        let Some(outlet) = self.outlets.get_mut(at) else { return };
        outlet.sent += 1;
        let identity = (at, &*outlet.what, outlet.key.as_deref());
        let content = Content::of(identity, cause, outlet.sent, &mut self.fields, &mut self.chance);
        let content = Arc::new(content);
        let (service, bytes, kept, plain) = (outlet.service, outlet.bytes, outlet.kept, outlet.plain.clone());
        let subject = outlet.subject.clone();
        let instance = self.sent(service, 1, bytes);
        let target =
            kept.map_or_else(|| Target::Subject(subject.clone()), |(stream, _)| Target::Stream(stream));
        self.overheard.note(&target, || Sent {
            at: now,
            target: target.clone(),
            subject,
            by: (service, instance),
            replied: kept.is_some(),
            asks: false,
            bytes,
            content: Arc::clone(&content),
        });
        if let Some((stream, subject)) = kept
            && let Some(stream) = self.streams.get_mut(stream)
        {
            let (_, gone) = stream.append(subject, bytes, now, Arc::clone(&content));
            for reader in stream.consumers.clone() {
                let Some(consumer) = self.readers.get_mut(reader).map(|r| &mut r.consumer) else { continue };
                let wanted = consumer.stored(subject);
                if let Some(gone) = &gone {
                    consumer.removed(gone);
                }
                if wanted {
                    self.pump(reader, now, agenda);
                }
            }
        }
        for reader in plain {
            let Some(plain) = self.plain.get_mut(reader) else { continue };
            let Some(service) = self.services.get(plain.service).filter(|service| service.runs) else {
                continue;
            };
            let which = self.random.one_of(plain.delivered.len());
            if let Some(delivered) = plain.delivered.get_mut(which) {
                *delivered += 1;
            }
            let takes = self.random.time(&plain.reading.takes, 1.0);
            self.plain_deliveries += 1;
            let delivery = self.plain_deliveries;
            self.plain_work.insert(delivery, Arc::clone(&content));
            agenda.at(now + takes, Event::PlainDone { reader, life: service.life, delivery });
        }
    }

    /// Hands out what may be handed out, and sets workers to work.
    fn pump(&mut self, at: usize, now: u64, agenda: &mut Agenda) {
        let Some(reader) = self.readers.get_mut(at) else { return };
        let Some(stream) = self.streams.get(reader.consumer.stream) else { return };
        let Some(service) = self.services.get_mut(reader.service).filter(|service| service.runs) else {
            return;
        };
        let instances = service.instances.len();
        while reader.consumer.has_work() && reader.room(instances) {
            match reader.consumer.next(stream, now) {
                None => break,
                Some(Next::GiveUp { seq, times }) => {
                    reader.spoiled.remove(&seq);
                    self.told.push((now, Told::GaveUp(at, seq, times)));
                }
                Some(Next::Deliver { seq, times }) => {
                    agenda.at(now + reader.consumer.ack_wait, Event::Expire(at, seq));
                    reader.waiting.push_back((seq, times));
                    let which = self.random.one_of(instances);
                    if reader.deliver_subject.is_some()
                        && let Some(pushed) = reader.pushed.get_mut(which)
                    {
                        *pushed += 1;
                    }
                    if times == 1 {
                        spoil(reader, seq, &self.conditions);
                    }
                }
            }
        }
        let workers = reader.reading.workers.saturating_mul(instances as u32);
        while reader.busy < workers
            && let Some((seq, times)) = reader.waiting.pop_front()
        {
            reader.busy += 1;
            reader.at_work.insert((seq, times));
            let takes = self.random.time(&reader.reading.takes, self.conditions.slow(&reader.key));
            // Whoever takes long keeps telling the broker that it is at work.
            if takes > reader.consumer.ack_wait / 3
                && let Some(until) = reader.consumer.postpone(seq, now, takes + reader.consumer.ack_wait)
            {
                agenda.at(until, Event::Expire(at, seq));
                let first = now + reader.consumer.ack_wait / 3;
                agenda.at(first, Event::Progress { consumer: at, seq, times, life: service.life });
            }
            agenda.at(now + takes, Event::Done { consumer: at, seq, times, life: service.life });
        }
    }

    /// Whoever takes long says so, again and again, while it is at work.
    fn progress(&mut self, at: usize, seq: u64, times: u64, life: u64, now: u64, agenda: &mut Agenda) {
        let Some(reader) = self.readers.get(at) else { return };
        let works = self.services.get(reader.service).is_some_and(|s| s.life == life && s.runs);
        let message = self.streams.get(reader.consumer.stream).and_then(|s| s.get(seq));
        let (true, Some(message)) = (works && reader.at_work.contains(&(seq, times)), message) else {
            return;
        };
        let appended = message.at;
        let again = now + reader.consumer.ack_wait / 3;
        let kind = AckKind::InProgress;
        self.said.add(Said { at: now, reader: at, seq, times, appended, kind, heard: false });
        agenda.at(again, Event::Progress { consumer: at, seq, times, life });
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one event")]
    fn done(
        &mut self,
        at: usize,
        seq: u64,
        times: u64,
        life: u64,
        now: u64,
        agenda: &mut Agenda,
        scenario: &Scenario,
    ) {
        let Some(reader) = self.readers.get_mut(at) else { return };
        let Some(service) = self.services.get_mut(reader.service).filter(|s| s.life == life && s.runs) else {
            return;
        };
        reader.busy = reader.busy.saturating_sub(1);
        reader.at_work.remove(&(seq, times));
        let by_chance = times == 1 && self.random.share() < reader.reading.fails;
        let owner = reader.service;
        let message = self.streams.get(reader.consumer.stream).and_then(|s| s.get(seq));
        let subject = message.map(|message| message.subject);
        let content = message.map(|message| Arc::clone(&message.content));
        let appended = message.map_or(now, |message| message.at);
        let said = |kind: AckKind| Said { at: now, reader: at, seq, times, appended, kind, heard: false };
        if reader.spoiled.contains(&seq) || by_chance || !service.works {
            if let Some(again) = reader.consumer.postpone(seq, now, nanos(reader.reading.retry_after)) {
                agenda.at(again, Event::Expire(at, seq));
                self.told.push((now, Told::Refused(at, seq, times)));
                self.said.add(said(AckKind::Refused));
            }
            self.sent(owner, 1, 0);
        } else {
            let acked = reader.consumer.ack(seq, now);
            let arrival = subject.and_then(|subject| reader.arrivals.get(&subject)).cloned();
            if let Some(appended) = acked {
                self.said.add(Said { appended, ..said(AckKind::Acknowledged) });
                reader.delays.record(i64::try_from(now.saturating_sub(appended)).unwrap_or(i64::MAX));
            }
            if let Some((entity, outlets)) = arrival {
                if let Some(entity) = entity {
                    let applied = service.applied.entry(entity).or_insert(0);
                    *applied = (*applied).max(seq);
                }
                self.follow(&outlets, content.as_deref(), now, agenda, scenario);
            }
            self.sent(owner, 1, 0);
        }
        self.pump(at, now, agenda);
    }
}

/// Spoils a message that reaches its consumer for the first time, if that was ordered.
fn spoil(reader: &mut Reader, seq: u64, conditions: &Conditions) {
    for ((consumer, ordered), wanted) in &conditions.poison {
        if *consumer == reader.key {
            let spoiled = reader.orders.entry(*ordered).or_insert(0);
            if *spoiled < *wanted {
                *spoiled += 1;
                reader.spoiled.insert(seq);
                return;
            }
        }
    }
}

fn service(plan: ServicePlan) -> Service {
    let instance = |number: usize| Instance {
        name: format!("{}-{number}", plan.id).into(),
        published: 0,
        published_bytes: 0,
    };
    Service {
        instances: (1..=plan.instances.max(1)).map(instance).collect(),
        runs: true,
        works: true,
        blamed: None,
        life: 0,
        started: 0,
        outlets: BTreeMap::new(),
        applied: BTreeMap::new(),
        plan,
    }
}

fn reader(
    source: &SourceId,
    durable: &Durable,
    service: usize,
    place: usize,
    scenario: &Scenario,
    instances: usize,
    arrivals: BTreeMap<usize, (Option<EntityId>, Vec<usize>)>,
) -> Reader {
    let key: Name = format!("{}/{}", durable.stream, durable.name).into();
    let reading = scenario.reading(&key);
    let mut consumer = Consumer::new(place, durable.name.clone(), arrivals.keys().copied().collect());
    consumer.ack_wait = nanos(reading.ack_wait);
    consumer.max_deliver = reading.max_deliver;
    consumer.max_in_flight = reading.max_in_flight;
    Reader {
        id: ConsumerId::named(source, &durable.stream, &durable.name),
        key,
        consumer,
        service,
        reading,
        deliver_subject: durable.deliver_subject.clone(),
        queue: durable.queue.clone(),
        pushed: vec![0; instances],
        waiting: VecDeque::new(),
        busy: 0,
        at_work: BTreeSet::new(),
        spoiled: BTreeSet::new(),
        orders: BTreeMap::new(),
        arrivals,
        delays: Histogram::default(),
    }
}
