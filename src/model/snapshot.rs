//! Everything that is known at one moment: what screens draw and reports print.
//!
//! Rows are shared (`Arc`), sorted by id and never changed after publication, so that a snapshot of
//! twenty thousand flows costs little when few of them moved.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::acks::AckTally;
use super::calls::Asked;
use super::command::ProbeLevel;
use super::id::{
    ChannelId, ConsumerId, DomainId, EntityId, FlowId, Name, ServiceId, SourceId, StoreId, TeamId,
};
use super::measured::{Evidence, Measured};
use super::message::SearchReport;
use super::observation::{
    ChannelReport, ClientReport, ComponentHealth, ConsumerReport, HealthState, Library, ResponderReport,
    SourceReport,
};
use super::senders::Sender;
use super::series::History;
use super::tap::{HeardMessage, TapReport};
use super::time::Timestamp;
use super::trace::Trace;

mod cause;
mod naming;
mod processing;
mod status;

pub use cause::{Cause, Effect, Severity};
pub use naming::Naming;
pub use processing::Processing;
pub use status::{ConsumerStatus, Drain, Trend};

/// Everything known at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Counts up with every snapshot.
    pub generation: u64,
    /// When it was taken, on the observer's wall clock.
    pub taken_at: Timestamp,
    /// The time that its rates and delays cover.
    pub window: Duration,
    /// The time that figures of what was heard cover: delays of acknowledgements, requests. [`Duration::MAX`]: all of it.
    pub heard_window: Duration,
    /// How long has been watched.
    pub watched: Duration,
    /// What the sources may do to learn.
    pub probe: ProbeLevel,
    /// Where all this comes from.
    pub origin: Origin,
    /// The system's name, from its topology.
    pub system: Option<Name>,
    /// The declared system and how well it was read; `None` without topology files.
    pub topology: Option<TopologyState>,
    /// What is not looked at, and why: a number that is missing must not look like a zero.
    pub not_watched: Vec<NotWatched>,
    /// The sources.
    pub sources: Vec<Arc<Source>>,
    /// The services.
    pub services: Vec<Arc<Service>>,
    /// Their stores.
    pub stores: Vec<Arc<Store>>,
    /// The kinds of business data.
    pub entities: Vec<Arc<Entity>>,
    /// The channels.
    pub channels: Vec<Arc<Channel>>,
    /// The consumers.
    pub consumers: Vec<Arc<Consumer>>,
    /// The flows.
    pub flows: Vec<Arc<Flow>>,
    /// What needs a person, worst first, with its effects grouped under it.
    pub causes: Vec<Cause>,
    /// What changed, newest first, a bounded number.
    pub changes: Vec<Change>,
    /// The whole traffic by kind.
    pub totals: Totals,
    /// Messages that are followed, the newest last.
    pub traces: Arc<[Trace]>,
    /// What searches for messages came to, the newest last.
    pub searches: Arc<[SearchReport]>,
    /// How listening goes on tapped channels, sorted by channel.
    pub taps: Arc<[Arc<TapReport>]>,
    /// Messages heard on tapped channels, the newest last, a bounded number.
    pub heard: Arc<[Arc<HeardMessage>]>,
}

/// Where a snapshot comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Real sources.
    #[default]
    Live,
    /// The simulation.
    Simulated,
    /// A recording.
    Replayed,
}

/// The declared system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopologyState {
    /// Where it was read.
    pub path: Name,
    /// What is wrong with it *now*; when not empty, the picture uses the last good one.
    pub problems: Vec<Name>,
    /// What is probably not as meant; keeps nothing from being taken.
    #[serde(default)]
    pub warnings: Vec<Name>,
    /// Services, entities and flows declared in it.
    pub services: usize,
}

/// Something that is not looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotWatched {
    /// What.
    pub what: Name,
    /// Why.
    pub why: Name,
    /// What to do about it; empty when nothing can be done.
    pub remedy: Name,
}

/// A thing that can be selected, opened and pointed to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Thing {
    /// A source.
    Source(SourceId),
    /// A service.
    Service(ServiceId),
    /// A store.
    Store(StoreId),
    /// An entity.
    Entity(EntityId),
    /// A channel.
    Channel(ChannelId),
    /// A consumer.
    Consumer(ConsumerId),
    /// A flow.
    Flow(FlowId),
}

/// A source of observations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// Its id.
    pub id: SourceId,
    /// What it last said of itself.
    pub report: SourceReport,
    /// When it last said anything.
    pub heard_at: Timestamp,
    /// When its broker last answered: the age of everything it told.
    pub answered_at: Option<Timestamp>,
    /// Since when it has been in its state.
    pub since: Timestamp,
    /// What it costs: requests per second.
    pub requests_per_s: Measured<f64>,
    /// What it costs: messages received by subscriptions, per second.
    pub messages_per_s: Measured<f64>,
}

/// How a service fares, everything taken together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Its id.
    pub id: ServiceId,
    /// Who owns it.
    pub team: Option<TeamId>,
    /// Where it belongs.
    pub domain: Option<DomainId>,
    /// Whether a topology file declares it; else it was derived from names seen on a broker (`~`).
    pub declared: bool,
    /// Whether it is no more than a name that consumers bear: nothing declares it, and every open connection is known to be
    /// somebody else's. Often what a service of the past has left on the broker.
    pub only_named: bool,
    /// Its state.
    pub state: HealthState,
    /// Why, in one line.
    pub why: Name,
    /// Since when it has been in this state.
    pub since: Since,
    /// Its health checks.
    pub health: Vec<HealthCheck>,
    /// Its open broker connections.
    pub connections: Measured<u32>,
    /// The programs that are it: names, libraries, subscriptions.
    pub clients: Vec<Arc<ClientReport>>,
    /// Libraries and versions over all of them.
    pub libraries: Vec<Library>,
    /// What it publishes about its operations.
    pub responders: Vec<Arc<ResponderReport>>,
    /// Its stores.
    pub stores: Vec<StoreId>,
    /// Entities that it owns.
    pub owns: Vec<EntityId>,
    /// Entities that it keeps a copy of.
    pub copies: Vec<EntityId>,
    /// Consumers that are it.
    pub consumers: Vec<ConsumerId>,
    /// Flows that leave it (for a request: that it answers, data flows from the one who answers).
    pub flows_out: Vec<FlowId>,
    /// Flows that reach it (for a request: that it asks).
    pub flows_in: Vec<FlowId>,
    /// Messages per second that it sends into the broker.
    pub published_rate: Measured<f64>,
    /// How it is known.
    pub evidence: Vec<Evidence>,
}

/// When a state began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Since {
    /// The moment, on the observer's wall clock.
    pub at: Timestamp,
    /// It was already so when watching began: the truth is this or earlier, shown with `≥`.
    pub or_earlier: bool,
}

/// Messages that were given up at about the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// When the first of them was told.
    pub at: Timestamp,
    /// How many.
    pub messages: u64,
}

/// One health check of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// Its name.
    pub name: Name,
    /// What is asked.
    pub url: Name,
    /// The last outcome.
    pub state: HealthState,
    /// How long the answer took.
    pub latency: Measured<Duration>,
    /// Why, in one line.
    pub detail: Name,
    /// How often it is asked.
    pub interval: Duration,
    /// Parts of the service as the answer tells them.
    pub components: Vec<ComponentHealth>,
    /// Latency in milliseconds over time; a gap is a check that failed.
    pub history: History,
}

/// A private data store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Store {
    /// Its id.
    pub id: StoreId,
    /// `relational`, `document`, `key-value`, `search`…
    pub kind: Name,
    /// The product.
    pub technology: Option<Name>,
    /// Why this kind for this data, in its owners' words.
    pub reason: Option<Name>,
    /// Whose it is.
    pub service: ServiceId,
    /// Its state, where a health check tells it.
    pub state: HealthState,
    /// Why.
    pub why: Name,
    /// Who touches it: more than one is a finding.
    pub accessors: Vec<Accessor>,
}

/// Somebody who touches a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accessor {
    /// Who.
    pub service: ServiceId,
    /// `read`, `write` or `unknown`.
    pub access: Name,
    /// How it is known.
    pub evidence: Evidence,
}

/// A kind of business data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entity {
    /// Its id.
    pub id: EntityId,
    /// Who owns it: exactly one should.
    pub owners: Vec<Owner>,
    /// Who keeps copies.
    pub replicas: Vec<Replica>,
    /// Who asks for it by request.
    pub readers: Vec<Reader>,
    /// Who reacts to its events without keeping a copy.
    pub reactors: Vec<ServiceId>,
    /// What does not agree, one line each: two owners, two identifiers.
    pub conflicts: Vec<Name>,
    /// When it last changed, as far as its channels tell (broker clock): staleness 0 says nothing while
    /// the owner is silent.
    pub last_change: Option<Timestamp>,
}

/// An owner of an entity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Owner {
    /// Who.
    pub service: ServiceId,
    /// Where it keeps it.
    pub store: Option<StoreId>,
    /// By what it identifies one.
    pub identifier: Option<Name>,
    /// Concluded, not declared: shown with `~`.
    pub likely: bool,
    /// How it is known.
    pub evidence: Evidence,
}

/// A copy of an entity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Replica {
    /// Who keeps it.
    pub service: ServiceId,
    /// Where.
    pub store: Option<StoreId>,
    /// By what it identifies one.
    pub identifier: Option<Name>,
    /// The event, feed or request that keeps it.
    pub via: Name,
    /// How: `event`, `feed`, `cdc`, `cache`.
    pub mode: Name,
    /// The consumer that feeds it, where one was found.
    pub consumer: Option<ConsumerId>,
    /// How old it is: the consumer's staleness.
    pub staleness: Measured<Duration>,
    /// How many changes it lacks: the consumer's lag and in flight.
    pub behind: Measured<u64>,
    /// How old it may be.
    pub max_staleness: Option<Duration>,
    /// Messages that its consumer gave up: lost to this copy.
    pub gave_up: Measured<u64>,
    /// How it is known.
    pub evidence: Evidence,
}

/// A service that asks for an entity by request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reader {
    /// Who asks.
    pub service: ServiceId,
    /// By which operation.
    pub operation: Name,
    /// How it is known.
    pub evidence: Evidence,
}

/// A channel with its rates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Channel {
    /// What the broker last said of it.
    pub report: ChannelReport,
    /// Its source.
    pub source: SourceId,
    /// Messages appended per second.
    pub rate: Measured<f64>,
    /// Bytes appended per second.
    pub bytes_rate: Measured<f64>,
    /// Rate over time.
    pub history: History,
    /// Who sends to it, as far as is known.
    pub producers: Producers,
    /// Who was heard to send to it.
    pub senders: Arc<[Sender]>,
    /// How it is known that it exists.
    pub evidence: Evidence,
}

/// Who sends to a channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Producers {
    /// Empty: unknown.
    pub services: Arc<[ServiceId]>,
    /// Whether `services` is a conclusion: shown with `~`.
    pub likely: bool,
    /// By what they are known.
    pub evidence: Vec<Evidence>,
}

/// Who a consumer is: what stays from one poll to the next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConsumerIdentity {
    /// Its id.
    pub id: ConsumerId,
    /// The broker's name for it.
    pub name: Name,
    /// What it reads.
    pub channel: ChannelId,
    /// Its source.
    pub source: SourceId,
    /// Who it is.
    pub services: Arc<[ServiceId]>,
    /// Whether `services` is a conclusion and not declared: shown with `~`.
    pub services_likely: bool,
    /// The longest delay that its topology allows.
    pub max_delay: Option<Duration>,
    /// Entities whose copies it feeds.
    pub feeds: Arc<[EntityId]>,
    /// By what `services` are known.
    pub bound_by: Arc<[Evidence]>,
}

/// A consumer with its measurements. A poll makes a new row of a few numbers; what stays is shared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Consumer {
    /// Who it is: read through the row as if its own.
    #[serde(flatten)]
    pub identity: Arc<ConsumerIdentity>,
    /// What the broker last said of it; `None` while only its name is known.
    pub report: Option<Arc<ConsumerReport>>,
    /// Messages waiting for delivery.
    pub lag: Measured<u64>,
    /// Messages delivered and not yet acknowledged.
    pub in_flight: Measured<u64>,
    /// Messages marked as delivered more than once now.
    pub redelivered: Measured<u64>,
    /// Messages given up after their last delivery: lost to it. Bounds for what happened before watching began.
    pub gave_up: Measured<u64>,
    /// When the first of them was given up, if any was.
    pub lost_since: Option<Since>,
    /// How many of them became known when, of those given up while watching: the oldest first, a bounded number.
    #[serde(default)]
    pub losses: Vec<Loss>,
    /// Now − append time of the oldest message that it still has to process; 0 exactly when nothing is pending
    /// and nothing in flight.
    pub staleness: Measured<Duration>,
    /// Deliveries per second, redeliveries included.
    pub delivered_rate: Measured<f64>,
    /// Messages processed per second.
    pub acked_rate: Measured<f64>,
    /// How it fares.
    pub status: ConsumerStatus,
    /// Why, in one line.
    pub why: Name,
    /// Since when.
    pub since: Since,
    /// Where its lag is going.
    pub trend: Trend,
    /// When its lag will be gone.
    pub drain: Measured<Drain>,
    /// Append → processed.
    pub delay: Option<Delay>,
    /// What was heard of its acknowledgements in the delay's window, each message's delay included; `None` when they are not
    /// listened to, or none came.
    pub acks: Option<Arc<AckTally>>,
    /// Last delivery → acknowledgement: what its service takes of its own. Of the acknowledgements that the broker sampled in
    /// the delay's window; why not, where it sampled none.
    pub processing: Measured<Processing>,
    /// Lag over time.
    pub lag_history: History,
    /// Staleness in seconds over time (the upper bound, where there are two).
    pub staleness_history: History,
    /// By what request its numbers are known.
    pub told_by: Name,
    /// By what its oldest message is known, when it was read.
    pub read_by: Option<Name>,
}

/// How a delay was measured; methods are never mixed without a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DelayMethod {
    /// From each message's own instants.
    Exact,
    /// Between two polls.
    Interval,
    /// Sum over count, as the service tells it.
    Mean,
}

/// A distribution of delays, in nanoseconds, negative when clocks disagree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delay {
    /// Median; for [`DelayMethod::Mean`] the mean.
    pub p50: Option<i64>,
    /// 95th percentile.
    pub p95: Option<i64>,
    /// 99th percentile.
    pub p99: Option<i64>,
    /// The largest.
    pub max: Option<i64>,
    /// Messages measured.
    pub count: u64,
    /// How.
    pub method: DelayMethod,
    /// Half the width of the interval around each figure, of the widest: poll interval or clock uncertainty.
    pub error: Option<Duration>,
    /// The same of p50, p95, p99 and max each, where they differ.
    pub errors: Option<[Option<Duration>; 4]>,
    /// Samples below zero: clock skew, counted and shown.
    pub negative: u64,
    /// Messages are left out: nobody tells whether they were processed or given up.
    #[serde(default)]
    pub left_out: bool,
}

impl Delay {
    /// p50, p95, p99 and max, each with half the width of the interval around it.
    pub fn figures(&self) -> [(Option<i64>, Option<Duration>); 4] {
        let [p50, p95, p99, max] = self.errors.unwrap_or([self.error; 4]);
        [(self.p50, p50), (self.p95, p95), (self.p99, p99), (self.max, max)]
    }
}

/// The three ways in which data is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowKind {
    /// A published fact.
    Event,
    /// A continuous stream of records.
    Feed,
    /// An answer to a call.
    Request,
}

/// From whom to whom data moves, and by what: what stays of a flow while its numbers change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// Its id.
    pub id: FlowId,
    /// The way.
    pub kind: FlowKind,
    /// Whether `kind` is a conclusion: messages on a plain subject may ask for an answer, which is not seen.
    pub kind_likely: bool,
    /// Who sends: owners and publishers; for a request the one who answers.
    pub from: Arc<[ServiceId]>,
    /// Whether `from` is a conclusion: shown with `~`.
    pub from_likely: bool,
    /// Who receives; for a request those who ask. Empty: unknown.
    pub to: Arc<[ServiceId]>,
    /// Through which channel.
    pub channel: Option<ChannelId>,
    /// The subject, event, feed or operation, as people call it.
    pub label: Name,
    /// The consumer that reads it, when it is read by one.
    pub consumer: Option<ConsumerId>,
    /// The entity that it is about.
    pub entity: Option<EntityId>,
    /// Whether a topology file declares it.
    pub declared: bool,
    /// How it is known.
    pub evidence: Arc<[Evidence]>,
}

/// A flow with its measurements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    /// From whom to whom by what: read through the row as if its own.
    #[serde(flatten)]
    pub route: Arc<Route>,
    /// Messages per second.
    pub rate: Measured<f64>,
    /// Bytes per second.
    pub bytes_rate: Measured<f64>,
    /// Errors per second: failed requests, negative acknowledgements, given up.
    pub errors_rate: Measured<f64>,
    /// Append → processed, or the duration of the call.
    pub delay: Option<Delay>,
    /// Rate over time.
    pub history: History,
    /// When traffic was last seen on it.
    pub last_seen: Option<Timestamp>,
    /// Of one by request: who was heard to ask, and how it went.
    pub asked: Option<Arc<Asked>>,
}

impl Flow {
    /// The share of errors of a flow that fails; `None` of one that does not, or of which it is not known. `window` is the time
    /// that its rates cover.
    ///
    /// It fails when more than one in a hundred does, and several in the window: a single error is no news. With more than
    /// half a single one is enough: an operation that is seldom asked fails all the same.
    pub fn failing(&self, window: Duration) -> Option<f64> {
        const FAILING: f64 = 0.01;
        const SEVERAL: f64 = 3.0;
        const MOSTLY: f64 = 0.5;
        let errors = *self.errors_rate.low()?;
        // Of a rate that is not known exactly, as few of its messages as it may be.
        let share = errors / self.rate.bounds.high().or(self.rate.low()).filter(|rate| **rate > 0.0)?;
        let several = errors * window.as_secs_f64() > SEVERAL - 0.5;
        (share > MOSTLY || (share > FAILING && several)).then_some(share)
    }
}

/// Something that changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// When, on the observer's wall clock.
    pub at: Timestamp,
    /// What it is about.
    pub thing: Option<Thing>,
    /// In one line.
    pub text: Name,
    /// How often it happened in a row.
    pub times: u32,
}

/// The whole traffic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Events per second.
    pub events: Measured<f64>,
    /// Feed records per second.
    pub feeds: Measured<f64>,
    /// Requests per second.
    pub requests: Measured<f64>,
    /// Failed requests as a share of requests, 0 to 1.
    pub error_share: Measured<f64>,
    /// Events over time.
    pub events_history: History,
    /// Feed records over time.
    pub feeds_history: History,
    /// Requests over time.
    pub requests_history: History,
    /// Error share over time.
    pub error_history: History,
}

impl Deref for Consumer {
    type Target = ConsumerIdentity;

    fn deref(&self) -> &ConsumerIdentity {
        &self.identity
    }
}

impl Consumer {
    /// How all this is known.
    pub fn evidence(&self) -> Vec<Evidence> {
        let told = Evidence::observed(self.told_by.clone(), self.lag.at);
        let read = self.read_by.iter().map(|by| Evidence::observed(by.clone(), self.staleness.at));
        let sampled = self.processing.low().map(|_| &self.processing);
        let sampled = sampled.map(|known| Evidence::observed(known.by.clone(), known.at));
        std::iter::once(told).chain(read).chain(sampled).chain(self.bound_by.iter().cloned()).collect()
    }
}

impl Deref for Flow {
    type Target = Route;

    fn deref(&self) -> &Route {
        &self.route
    }
}

impl Snapshot {
    /// A picture of nothing: before the first batch.
    pub fn empty(at: Timestamp) -> Self {
        let unknown = || Measured::unknown("nothing measured yet", at);
        Self {
            generation: 0,
            taken_at: at,
            window: Duration::ZERO,
            heard_window: Duration::from_secs(60),
            watched: Duration::ZERO,
            probe: ProbeLevel::Passive,
            origin: Origin::Live,
            system: None,
            topology: None,
            not_watched: Vec::new(),
            sources: Vec::new(),
            services: Vec::new(),
            stores: Vec::new(),
            entities: Vec::new(),
            channels: Vec::new(),
            consumers: Vec::new(),
            flows: Vec::new(),
            causes: Vec::new(),
            changes: Vec::new(),
            traces: [].into(),
            searches: [].into(),
            taps: [].into(),
            heard: [].into(),
            totals: Totals {
                events: unknown(),
                feeds: unknown(),
                requests: unknown(),
                error_share: unknown(),
                events_history: History::default(),
                feeds_history: History::default(),
                requests_history: History::default(),
                error_history: History::default(),
            },
        }
    }

    /// The service of this id.
    pub fn service(&self, id: &ServiceId) -> Option<&Arc<Service>> {
        find(&self.services, |row| &row.id, id)
    }

    /// The store of this id.
    pub fn store(&self, id: &StoreId) -> Option<&Arc<Store>> {
        find(&self.stores, |row| &row.id, id)
    }

    /// The entity of this id.
    pub fn entity(&self, id: &EntityId) -> Option<&Arc<Entity>> {
        find(&self.entities, |row| &row.id, id)
    }

    /// The channel of this id.
    pub fn channel(&self, id: &ChannelId) -> Option<&Arc<Channel>> {
        find(&self.channels, |row| &row.report.id, id)
    }

    /// The consumer of this id.
    pub fn consumer(&self, id: &ConsumerId) -> Option<&Arc<Consumer>> {
        find(&self.consumers, |row| &row.id, id)
    }

    /// The flow of this id.
    pub fn flow(&self, id: &FlowId) -> Option<&Arc<Flow>> {
        find(&self.flows, |row| &row.id, id)
    }

    /// The source of this id.
    pub fn source(&self, id: &SourceId) -> Option<&Arc<Source>> {
        find(&self.sources, |row| &row.id, id)
    }
}

/// Rows are sorted by id: a binary search.
fn find<'a, R, I: Ord>(rows: &'a [Arc<R>], id_of: impl Fn(&R) -> &I, id: &I) -> Option<&'a Arc<R>> {
    rows.binary_search_by(|row| id_of(row).cmp(id)).ok().and_then(|at| rows.get(at))
}

impl Thing {
    /// The id as text: what is copied, filtered and sorted by.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Source(id) => id.as_str(),
            Self::Service(id) => id.as_str(),
            Self::Store(id) => id.as_str(),
            Self::Entity(id) => id.as_str(),
            Self::Channel(id) => id.as_str(),
            Self::Consumer(id) => id.as_str(),
            Self::Flow(id) => id.as_str(),
        }
    }
}

impl FlowKind {
    /// The word for it on screen and in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Feed => "feed",
            Self::Request => "request",
        }
    }
}
