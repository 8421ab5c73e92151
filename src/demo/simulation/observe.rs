//! What the sources would tell of the simulated system: states as they are polled, counters as differences between
//! two polls, advisories, health checks. From here on nothing is known that a broker would not tell.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::listen::Listening;
use super::tapped::Taps;
use super::work::{Reader, Service, Told, World};
use super::{Options, WARM_UP, nanos};
use crate::demo::scenario::Times;
use crate::model::command::ProbeLevel;
use crate::model::id::{ChannelId, Name, ServiceId, SourceId};
use crate::model::measured::Bounds;
use crate::model::observation::{
    AckPolicy, BacklogReport, Batch, ChannelKind, ChannelReport, ClientReport, ClockOffset, ComponentHealth,
    ConsumerReport, Delivery, EndpointReport, HealthReport, HealthState, Library, Listing, Load, Notice,
    NoticeKind, Observation, Observed, Position, ResponderReport, Retention, SIMULATION, SourceReport,
    SourceState, Span, SubscriptionReport,
};
use crate::model::time::{Mono, Stamp, Timestamp};
use crate::model::traffic::{Count, Traffic, TrafficKey};
use crate::source::health;
use crate::topology::Topology;

/// The source id of health checks.
const HEALTH: &str = "health";
/// The version of the server whose rules the simulation follows.
const SERVER: &str = "2.15.1";
/// The round trip to a broker that is not there: as on one machine.
pub(super) const ROUND_TRIP: Duration = Duration::from_micros(300);
/// Questions in a second that the source may ask.
const BUDGET: u32 = 50;
/// The first health checks are spread over this time.
const SPREAD: Duration = Duration::from_millis(200);
/// How long a health check takes.
const ANSWER: Times = Times { mean: Duration::from_millis(3), jitter: 0.5 };
/// Languages and versions of client libraries, dealt out to the services in turn.
const LIBRARIES: [(&str, &str); 6] = [
    ("go", "1.47.0"),
    ("java", "2.23.0"),
    ("python3", "2.11.0"),
    ("rust", "0.45.0"),
    (".NET", "2.7.0"),
    ("nats.js", "3.2.0"),
];

/// A health endpoint.
#[derive(Debug)]
struct Check {
    service: usize,
    report: HealthReport,
    /// Entities whose applied version it tells.
    applied: BTreeSet<Name>,
    last: Option<HealthState>,
}

/// Those who watch.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) broker: SourceId,
    health: SourceId,
    start: Timestamp,
    pub(super) options: Options,
    checks: Vec<Check>,
    checked: u64,
    /// Counters as they stood at the last poll, and when that was.
    last: BTreeMap<TrafficKey, Count>,
    polled: Option<u64>,
    pub(super) load: Load,
    refresh: bool,
    /// Who pulls was listened to.
    pulled: bool,
    pub(super) listening: Listening,
    pub(super) taps: Taps,
}

impl Watch {
    pub(super) fn new(
        world: &World,
        topology: &Topology,
        broker: SourceId,
        start: Timestamp,
        options: Options,
    ) -> Self {
        let mut checks = Vec::new();
        for (at, service) in world.services.iter().enumerate() {
            let declared = topology.services.get(&service.plan.id);
            for health in declared.map(|service| service.health.as_slice()).unwrap_or_default() {
                checks.push(Check {
                    service: at,
                    report: HealthReport {
                        service: service.plan.id.clone(),
                        check: health.name.clone(),
                        url: health.url.shown().into(),
                        state: HealthState::Unknown,
                        latency: None,
                        detail: "".into(),
                        interval: health.interval.unwrap_or(health::INTERVAL),
                        components: Vec::new(),
                        applied: BTreeMap::new(),
                    },
                    applied: health.applied.iter().map(|a| a.entity.as_str().into()).collect(),
                    last: None,
                });
            }
        }
        Self {
            broker,
            health: SourceId::from(HEALTH),
            start,
            options,
            checks,
            checked: 0,
            last: BTreeMap::new(),
            polled: None,
            load: Load { budget_per_s: BUDGET, ..Load::default() },
            refresh: false,
            pulled: false,
            listening: Listening::default(),
            taps: Taps::new(topology),
        }
    }

    pub(super) fn sources(&self) -> [SourceId; 2] {
        [self.broker.clone(), self.health.clone()]
    }

    /// When each check is made first.
    pub(super) fn first_checks(&self) -> Vec<(Duration, usize)> {
        let n = self.checks.len().max(1) as u32;
        (0..self.checks.len()).map(|at| (SPREAD * at as u32 / n, at)).collect()
    }

    /// Listens to who pulls, where the level allows it.
    pub(super) fn name_pullers(&mut self) {
        self.pulled |= self.options.probe >= ProbeLevel::Tap;
    }

    /// Polls at the next look at conditions.
    pub(super) fn refresh(&mut self) {
        self.refresh = true;
    }

    /// A moment on the observer's clocks, and on the broker's when it answers.
    pub(super) fn stamp(&self, now: u64, broker: bool) -> Stamp {
        let wall = self.wall(now);
        let since = now.saturating_sub(nanos(WARM_UP));
        let broker = broker.then(|| wall.offset(self.options.broker_ahead));
        Stamp { wall, mono: Mono(since), broker, ..Stamp::default() }
    }

    fn wall(&self, now: u64) -> Timestamp {
        let since_start = i64::try_from(now).unwrap_or(i64::MAX) - i64::try_from(nanos(WARM_UP)).unwrap_or(0);
        self.start.offset(since_start)
    }

    /// A moment on the broker's clock.
    pub(super) fn broker_time(&self, at: u64) -> Timestamp {
        self.wall(at).offset(self.options.broker_ahead)
    }

    /// What the broker tells by itself since the last time, if anything.
    pub(super) fn notices(&mut self, world: &mut World, now: u64) -> Vec<Batch> {
        let told = std::mem::take(&mut world.told);
        let mut batches = Vec::new();
        let mut batch = Batch::new(self.broker.clone(), self.stamp(now, false));
        self.load.messages += told.len() as u64;
        for (at, told) in told {
            if let Some(notice) = self.notice(world, &told) {
                let at = self.stamp(at, true);
                batch.observations.push(Observed { at, what: Observation::Notice(notice) });
            }
        }
        // Before the first poll nobody knows of what.
        if self.polled.is_some() {
            self.answer(world, now, &mut batch);
            self.chase(world, now, &mut batch);
            self.hear(world, now, &mut batch);
            self.overhear(world, now, &mut batch);
        }
        if !batch.is_empty() {
            self.listened(now, &mut batch);
            batches.push(batch);
        }
        if std::mem::take(&mut self.refresh) && self.polled.is_some_and(|polled| polled < now) {
            batches.push(self.poll(world, now, &[]));
        }
        batches
    }

    fn notice(&self, world: &World, told: &Told) -> Option<Notice> {
        let (Told::GaveUp(reader, seq, times) | Told::Refused(reader, seq, times)) = told;
        let reader = world.readers.get(*reader)?;
        let stream = world.streams.get(reader.consumer.stream)?;
        let (kind, text) = match told {
            Told::GaveUp(..) => {
                (NoticeKind::GaveUp, format!("{} gave up message {seq} after {times} deliveries", reader.key))
            }
            Told::Refused(..) => (NoticeKind::Refused, format!("{} refused message {seq}", reader.key)),
        };
        Some(Notice {
            kind,
            channel: Some(ChannelId::named(&self.broker, &stream.name)),
            consumer: Some(reader.id.clone()),
            channel_seq: Some(*seq),
            deliveries: Some(*times),
            by: None,
            text: text.into(),
        })
    }

    /// One turn of questions to the broker.
    pub(super) fn poll(&mut self, world: &mut World, now: u64, faults: &[Name]) -> Batch {
        let at = self.stamp(now, true);
        let mut batch = Batch::new(self.broker.clone(), self.stamp(now, false));
        let mut see = |what: Observation| batch.observations.push(Observed { at, what });
        let channels = world.streams.iter().map(|stream| self.channel(stream)).collect();
        see(Observation::Channels(Listing { entries: channels, complete: true }));
        self.load.requests += 3;
        for stream in &world.streams {
            let readers: Vec<&Reader> =
                stream.consumers.iter().filter_map(|reader| world.readers.get(*reader)).collect();
            let entries = readers.iter().map(|reader| self.consumer(world, reader)).collect();
            let channel = ChannelId::named(&self.broker, &stream.name);
            self.load.requests += 1;
            see(Observation::Consumers {
                channel,
                listing: Listing { entries, complete: true },
                missing: Vec::new(),
            });
            for reader in readers {
                if let Some(report) = self.backlog(stream, reader) {
                    self.load.requests += 1;
                    see(Observation::Backlog(report));
                }
            }
        }
        see(Observation::Clients(Listing { entries: self.clients(world), complete: true }));
        see(Observation::Responders(Listing { entries: responders(world), complete: true }));
        see(Observation::Source(Box::new(self.report(faults))));
        batch.traffic = self.traffic(world, now);
        self.hear(world, now, &mut batch);
        self.listened(now, &mut batch);
        self.polled = Some(now);
        batch
    }

    fn report(&self, faults: &[Name]) -> SourceReport {
        let mut notes: BTreeMap<Name, Name> = BTreeMap::new();
        notes.insert(
            "simulated".into(),
            "no broker is there: the sample store is played inside the program".into(),
        );
        if !faults.is_empty() {
            notes.insert("faults".into(), faults.join(", ").into());
        }
        SourceReport {
            kind: "nats".into(),
            address: SIMULATION.into(),
            state: SourceState::Up,
            server_version: Some(SERVER.into()),
            server_name: Some("simulated".into()),
            rtt: Some(ROUND_TRIP),
            clock: Some(ClockOffset {
                nanos: self.options.broker_ahead,
                uncertainty: self.options.clock_uncertainty,
            }),
            load: self.load,
            notes,
            ..SourceReport::default()
        }
    }

    fn channel(&self, stream: &super::broker::Stream) -> ChannelReport {
        let at = |message: Option<&super::broker::Message>| message.map(|m| self.broker_time(m.at));
        ChannelReport {
            id: ChannelId::named(&self.broker, &stream.name),
            name: stream.name.clone(),
            kind: ChannelKind::Stream,
            subjects: stream.subjects.clone(),
            fed_by: Vec::new(),
            messages: Some(stream.messages.len() as u64),
            bytes: Some(stream.bytes),
            first_seq: Some(stream.first_seq()),
            last_seq: Some(stream.last_seq),
            first_at: at(stream.messages.front()),
            last_at: at(stream.messages.back()),
            created_at: Some(self.broker_time(0)),
            retention: Retention {
                policy: "limits".into(),
                max_messages: Some(super::broker::KEPT as u64),
                ..Retention::default()
            },
            leader: None,
            replicas: Some(1),
            distinct_subjects: Some(stream.distinct_subjects()),
            consumers: Some(stream.consumers.len() as u64),
            description: None,
            metadata: BTreeMap::new(),
        }
    }

    fn consumer(&self, world: &World, reader: &Reader) -> ConsumerReport {
        let consumer = &reader.consumer;
        let service = world.services.get(reader.service);
        let runs = service.is_some_and(|service| service.runs);
        let stream = world.streams.get(consumer.stream);
        let pullers = service.filter(|_| self.pulled && runs && reader.deliver_subject.is_none());
        let pullers = pullers.map(|service| &service.instances);
        let subject = |at: &usize| stream.and_then(|stream| stream.subjects.get(*at)).cloned();
        let position = |(consumer_seq, channel_seq): (u64, u64), last: Option<u64>| {
            Some(Position { consumer_seq, channel_seq, last_active: last.map(|at| self.broker_time(at)) })
        };
        let wants_all = stream.is_some_and(|stream| consumer.wanted.len() == stream.subjects.len());
        ConsumerReport {
            id: reader.id.clone(),
            name: consumer.name.clone(),
            channel: ChannelId::named(&self.broker, stream.map_or("", |stream| &stream.name)),
            filters: if wants_all {
                Vec::new()
            } else {
                consumer.wanted.iter().filter_map(subject).collect()
            },
            durable: true,
            delivery: reader.deliver_subject.clone().map_or(Delivery::Pull, |subject| Delivery::Push {
                subject,
                queue: reader.queue.clone(),
                bound: Some(runs),
            }),
            ack: AckPolicy::Explicit,
            ack_wait: Some(reader.reading.ack_wait),
            max_deliver: Some(consumer.max_deliver),
            max_in_flight: Some(consumer.max_in_flight),
            delivered: position(consumer.delivered, consumer.delivered_at),
            floor: position(consumer.floor, consumer.acked_at),
            lag: Bounds::Exact(consumer.pending),
            in_flight: Bounds::Exact(consumer.in_flight()),
            redelivered: Bounds::Exact(consumer.redelivered()),
            waiting_pulls: reader
                .deliver_subject
                .is_none()
                .then(|| reader.waiting_pulls(runs, service.map_or(0, |service| service.instances.len()))),
            paused: None,
            created_at: Some(self.broker_time(0)),
            leader: None,
            members: pullers.into_iter().flatten().map(|instance| instance.name.clone()).collect(),
            sampling: None,
            description: None,
            metadata: BTreeMap::new(),
        }
    }

    /// The oldest message left, by the rules of the real source: from positions and stored messages alone.
    fn backlog(&self, stream: &super::broker::Stream, reader: &Reader) -> Option<BacklogReport> {
        let consumer = &reader.consumer;
        let in_flight = consumer.in_flight();
        let time = |at: u64| self.broker_time(at);
        let (oldest, seq, how) = if in_flight > 0 {
            let first = stream.first_match(consumer.floor.1 + 1, &consumer.wanted)?;
            if first.seq > consumer.delivered.1 {
                return None;
            }
            if consumer.delivered.0.saturating_sub(consumer.floor.0) == in_flight {
                // Every delivery above the floor is in flight: so is the first.
                (Bounds::Exact(time(first.at)), first.seq, "first message after the acknowledged ones")
            } else {
                let youngest = (consumer.delivered.1 + 1).saturating_sub(in_flight).max(consumer.floor.1 + 1);
                let any: BTreeSet<usize> = (0..stream.subjects.len()).collect();
                let latest = stream.first_match(youngest, &any).map_or(first.at, |message| message.at);
                let bounds = Bounds::between(time(first.at), time(latest.max(first.at)));
                let how = "between the first message after the acknowledged ones and the newest that can be in flight";
                (bounds, first.seq, how)
            }
        } else if consumer.pending > 0 {
            let first = stream.first_match(consumer.delivered.1 + 1, &consumer.wanted)?;
            (Bounds::Exact(time(first.at)), first.seq, "first message not yet delivered")
        } else {
            return None;
        };
        Some(BacklogReport {
            consumer: reader.id.clone(),
            oldest,
            channel_seq: Some(seq),
            stamped_by: None,
            how: how.into(),
        })
    }

    fn clients(&self, world: &World) -> Vec<ClientReport> {
        let mut clients = Vec::new();
        for (at, service) in world.services.iter().enumerate().filter(|(_, service)| service.runs) {
            let (lang, version) = LIBRARIES.get(at % LIBRARIES.len()).copied().unwrap_or(("go", "1.47.0"));
            let mut subscriptions: BTreeSet<SubscriptionReport> = BTreeSet::new();
            for operation in world.operations.iter().filter(|operation| operation.service == at) {
                let queue = Some(service.plan.id.as_str().into());
                subscriptions.insert(SubscriptionReport { subject: operation.subject.clone(), queue });
            }
            for reader in world.readers.iter().filter(|reader| reader.service == at) {
                if let Some(subject) = reader.deliver_subject.clone() {
                    subscriptions.insert(SubscriptionReport { subject, queue: reader.queue.clone() });
                }
            }
            for plain in world.plain.iter().filter(|plain| plain.service == at) {
                let (subject, queue) = (plain.subject.clone(), plain.queue.clone());
                subscriptions.insert(SubscriptionReport { subject, queue });
            }
            for (number, instance) in service.instances.iter().enumerate() {
                clients.push(ClientReport {
                    name: Some(instance.name.clone()),
                    stand_in: None,
                    answers_for: Vec::new(),
                    user: None,
                    account: Some("$G".into()),
                    libraries: vec![Library { lang: lang.into(), version: version.into() }],
                    connections: 1,
                    hosts: vec![format!("10.0.{at}.{}", number + 10).into()],
                    since: Some(self.broker_time(service.started)),
                    subscriptions: subscriptions.iter().cloned().collect(),
                    pending_bytes: 0,
                    own: false,
                });
            }
        }
        clients
    }

    /// What was counted since the last poll. The first poll only reads where the counters stand.
    fn traffic(&mut self, world: &World, now: u64) -> Traffic {
        let mut totals: BTreeMap<TrafficKey, Count> = BTreeMap::new();
        let mut total = |key: TrafficKey, messages: u64, bytes: u64| {
            totals.entry(key).or_default().add(&Count { messages, bytes, ..Count::default() });
        };
        let name = |service: &Service, which: usize| service.instances.get(which).map(|i| i.name.clone());
        let runs = |at: usize| world.services.get(at).filter(|service| service.runs);
        for service in world.services.iter().filter(|service| service.runs) {
            for instance in &service.instances {
                let key = TrafficKey::Published { client: Some(instance.name.clone()) };
                total(key, instance.published, instance.published_bytes);
            }
        }
        for operation in &world.operations {
            let Some(service) = runs(operation.service) else { continue };
            let queue: Option<Name> = Some(service.plan.id.as_str().into());
            for (which, n) in operation.delivered.iter().enumerate() {
                let (client, subject, queue) =
                    (name(service, which), operation.subject.clone(), queue.clone());
                total(TrafficKey::Delivered { client, subject, queue }, *n, 0);
            }
        }
        for reader in &world.readers {
            let (Some(service), Some(subject)) = (runs(reader.service), &reader.deliver_subject) else {
                continue;
            };
            for (which, n) in reader.pushed.iter().enumerate() {
                let (subject, queue) = (subject.clone(), reader.queue.clone());
                total(TrafficKey::Delivered { client: name(service, which), subject, queue }, *n, 0);
            }
        }
        for plain in &world.plain {
            let Some(service) = runs(plain.service) else { continue };
            for (which, n) in plain.delivered.iter().enumerate() {
                let (subject, queue) = (plain.subject.clone(), plain.queue.clone());
                total(TrafficKey::Delivered { client: name(service, which), subject, queue }, *n, 0);
            }
        }
        for operation in &world.operations {
            let Some(service) = runs(operation.service) else { continue };
            let key = TrafficKey::Answered {
                responder: service.plan.id.as_str().into(),
                subject: operation.subject.clone(),
            };
            let count = Count {
                messages: operation.requests,
                errors: operation.errors,
                busy_ns: operation.busy,
                ..Count::default()
            };
            totals.entry(key).or_default().add(&count);
        }
        let mut traffic = Traffic::default();
        if let Some(polled) = self.polled {
            let mono = |at: u64| Mono(at.saturating_sub(nanos(WARM_UP)));
            let span = Span { from: mono(polled), to: mono(now) };
            for (key, total) in &totals {
                // A program that was away begins to count anew: what it did before is not told again.
                let Some(before) = self.last.get(key) else { continue };
                let count = Count {
                    messages: total.messages.saturating_sub(before.messages),
                    bytes: total.bytes.saturating_sub(before.bytes),
                    errors: total.errors.saturating_sub(before.errors),
                    busy_ns: total.busy_ns.saturating_sub(before.busy_ns),
                    span,
                };
                traffic.add(key.clone(), &count);
            }
        }
        self.last = totals;
        traffic
    }

    /// Makes a health check; says when it is made again.
    pub(super) fn check(&mut self, at: usize, world: &mut World, now: u64) -> Option<(Batch, Duration)> {
        let stamp = self.stamp(now, false);
        let check = self.checks.get_mut(at)?;
        let service = world.services.get(check.service)?;
        let mut report = check.report.clone();
        let parts = service.plan.stores.iter().map(|store| Name::from(store.as_str()));
        let part = |name: Name| {
            let down = service.blamed.as_ref() == Some(&name);
            let (state, detail) =
                if down { (HealthState::Down, "connection refused") } else { (HealthState::Up, "") };
            ComponentHealth { name, state, detail: detail.into() }
        };
        if service.runs {
            report.components = parts.map(part).collect();
            let latency = world.random.time(&ANSWER, 1.0);
            report.latency = Some(Duration::from_nanos(latency));
            if service.works {
                (report.state, report.detail) = (HealthState::Up, "200".into());
            } else {
                let why = service.blamed.as_ref().map(|part| format!(", {part}: connection refused"));
                report.state = HealthState::Down;
                report.detail = format!("503{}", why.unwrap_or_default()).into();
            }
            for entity in &check.applied {
                if let Some(version) = service.applied.get(&**entity) {
                    report.applied.insert(entity.clone(), version.to_string().into());
                }
            }
        } else {
            (report.state, report.detail) = (HealthState::Unreachable, "connection refused".into());
        }
        let again = report.interval;
        let fresh = check.last != Some(report.state);
        check.last = Some(report.state);
        self.checked += 1;
        let mut batch = Batch::new(self.health.clone(), stamp);
        if fresh || self.checked.is_multiple_of(10) {
            let what = Observation::Source(Box::new(self.health_report()));
            batch.observations.push(Observed { at: stamp, what });
        }
        batch.observations.push(Observed { at: stamp, what: Observation::Health(Box::new(report)) });
        Some((batch, again))
    }

    /// How the health source fares, in the words of the real one.
    fn health_report(&self) -> SourceReport {
        let all = self.checks.len();
        let silent = self.checks.iter().filter(|c| c.last == Some(HealthState::Unreachable)).count();
        let answered = self.checks.iter().filter(|c| c.last.is_some()).count() - silent;
        let per_second: f64 =
            self.checks.iter().map(|c| 1.0 / c.report.interval.as_secs_f64().max(0.1)).sum();
        SourceReport {
            kind: HEALTH.into(),
            address: if all == 1 {
                "1 simulated endpoint".into()
            } else {
                format!("{all} simulated endpoints").into()
            },
            state: match (answered, silent) {
                (_, 0) => SourceState::Up,
                (0, _) => SourceState::Down,
                _ => SourceState::Degraded,
            },
            error: (silent > 0)
                .then(|| format!("{silent} of {all} health endpoints do not answer from here").into()),
            load: Load { requests: self.checked, budget_per_s: per_second.ceil() as u32, ..Load::default() },
            ..SourceReport::default()
        }
    }

    /// The state that each service's last health check told.
    pub(super) fn checked(&self) -> BTreeMap<ServiceId, HealthState> {
        let told = |check: &Check| Some((check.report.service.clone(), check.last?));
        self.checks.iter().filter_map(told).collect()
    }
}

fn responders(world: &World) -> Vec<ResponderReport> {
    let mut responders = Vec::new();
    for (at, service) in world.services.iter().enumerate().filter(|(_, service)| service.runs) {
        let endpoints: Vec<EndpointReport> = world
            .operations
            .iter()
            .filter(|operation| operation.service == at)
            .map(|operation| EndpointReport {
                name: operation.name.replace('.', "-").into(),
                subject: operation.subject.clone(),
                queue: Some(service.plan.id.as_str().into()),
                last_error: operation.last_error.clone(),
            })
            .collect();
        if !endpoints.is_empty() {
            responders.push(ResponderReport {
                name: service.plan.id.as_str().into(),
                versions: vec![env!("CARGO_PKG_VERSION").into()],
                instances: service.instances.len() as u32,
                description: service.plan.description.clone(),
                metadata: BTreeMap::new(),
                endpoints,
            });
        }
    }
    responders
}
