//! What the topology files declare, resolved: plain data with the place where each fact is written.
//!
//! Built by the loader only, so whoever holds a [`Topology`] may rely on it: ids are unique, each store, broker and
//! called service that is named exists, and no text holds a control character. What the files merely leave
//! out is absent here too; the lookups that need more than a map are in [`super::lookup`] and [`super::bind`].

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::glob::Glob;
use super::word::{
    Access, BrokerKind, CopyMode, Criticality, FeedMode, Property, Protocol, ServiceKind, StoreKind,
};
use crate::model::id::{DomainId, EntityId, Name, ServiceId, StoreId, TeamId};
use crate::model::measured::Evidence;

/// Where a fact is written. Prints as `services/billing.yaml:12`, the form that evidence takes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// The file, relative to the topology's directory, printable.
    pub file: Name,
    /// Line, from 1; 0 when the whole file is meant.
    pub line: u32,
    /// Column, from 1, in characters; 0 when the whole line is meant.
    pub column: u32,
}

impl Origin {
    /// The fact as evidence for a screen or a report.
    pub fn evidence(&self) -> Evidence {
        Evidence::declared(self.to_string())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 { f.write_str(&self.file) } else { write!(f, "{}:{}", self.file, self.line) }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Fields that start with `x-`: kept as they are written, never interpreted.
pub type Extras = BTreeMap<Name, serde_json::Value>;

/// An address that may hold a user and password. Prints without them; [`Address::secret`] is the whole.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address(Name);

impl Address {
    /// Takes an address as it is.
    pub fn new(whole: impl Into<Name>) -> Self {
        Self(whole.into())
    }

    /// The whole address, for connecting only: never print, log or record it.
    pub fn secret(&self) -> &str {
        &self.0
    }

    /// The address with user and password replaced by `***`.
    pub fn shown(&self) -> String {
        redact(&self.0)
    }
}

/// Replaces what stands between `//` (or the start) and the last `@` of the authority by `***`.
pub(super) fn redact(address: &str) -> String {
    let start = address.find("//").map_or(0, |at| at + 2);
    let (scheme, rest) = address.split_at(start);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    // A slash inside a badly written password must not save its tail from being hidden.
    let cut = rest.get(..end).and_then(|authority| authority.rfind('@')).or_else(|| rest.rfind('@'));
    match cut.and_then(|at| rest.get(at..)) {
        Some(host) => format!("{scheme}***{host}"),
        None => address.to_owned(),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.shown(), f)
    }
}

/// The declared system. The default is the empty topology: everything is then derived from what is observed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Topology {
    /// The system's name.
    pub system: Option<Named>,
    /// Domains by id.
    pub domains: BTreeMap<DomainId, Domain>,
    /// Teams by id. Empty unless the files list them; services may name teams all the same.
    pub teams: BTreeMap<TeamId, Team>,
    /// Brokers by id. A broker's id is the id of the source that watches it.
    pub brokers: BTreeMap<Name, Broker>,
    /// Services by id.
    pub services: BTreeMap<ServiceId, Service>,
    /// All services' stores by id.
    pub stores: BTreeMap<StoreId, Store>,
    /// What the system promises.
    pub objectives: Vec<Objective>,
    /// Findings that were looked at and accepted.
    pub ignored: Vec<Ignored>,
    /// `x-` fields of the system documents.
    pub extras: Extras,
}

/// A name and where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The name.
    pub name: Name,
    /// Where.
    pub origin: Origin,
}

/// A group of services that share a language.
#[derive(Debug, Clone, PartialEq)]
pub struct Domain {
    /// Its id.
    pub id: DomainId,
    /// The name for people.
    pub name: Option<Name>,
    /// The team that owns it.
    pub owner: Option<TeamId>,
    /// `x-` fields.
    pub extras: Extras,
    /// Where.
    pub origin: Origin,
}

/// The people who own services.
#[derive(Debug, Clone, PartialEq)]
pub struct Team {
    /// Its id.
    pub id: TeamId,
    /// The name for people.
    pub name: Option<Name>,
    /// How to reach them: free text.
    pub contact: Option<Name>,
    /// `x-` fields.
    pub extras: Extras,
    /// Where.
    pub origin: Origin,
}

/// A broker.
#[derive(Debug, Clone, PartialEq)]
pub struct Broker {
    /// Its id: the source that watches it has the same.
    pub id: Name,
    /// What kind.
    pub kind: BrokerKind,
    /// Where to connect: one or more addresses of one cluster.
    pub servers: Vec<Address>,
    /// Where its monitoring endpoint is.
    pub monitor: Option<Address>,
    /// The subject on which the account has the server trace messages.
    pub message_traces: Option<Name>,
    /// `x-` fields.
    pub extras: Extras,
    /// Where.
    pub origin: Origin,
}

/// What an objective is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// All copies of an entity.
    Entity(EntityId),
    /// All consumers of an event.
    Event(Name),
    /// All followers of a feed.
    Feed(Name),
    /// All callers of an operation.
    Operation(Name),
    /// One service.
    Service(ServiceId),
}

/// The most that an objective allows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// For staleness, propagation, convergence.
    Time(Duration),
    /// For lag: messages.
    Count(u64),
    /// For the error rate: 0 to 1.
    Share(f64),
}

/// A promise: `property` of `subject` is at most `max` for `share` of the time or messages in each `window`.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    /// About what.
    pub subject: Subject,
    /// Which property.
    pub property: Property,
    /// The most that is allowed.
    pub max: Limit,
    /// The share for which it must hold, 0 to 1; 1 when not given.
    pub share: f64,
    /// The window in which the share is taken, if given.
    pub window: Option<Duration>,
    /// `x-` fields.
    pub extras: Extras,
    /// Where.
    pub origin: Origin,
}

/// A finding that was looked at and accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct Ignored {
    /// The check's name or id.
    pub check: Name,
    /// What it found; all, when absent.
    pub subject: Option<Name>,
    /// Why that is acceptable.
    pub reason: Option<Name>,
    /// The last day on which it is ignored.
    pub until: Option<jiff::civil::Date>,
    /// `x-` fields.
    pub extras: Extras,
    /// Where.
    pub origin: Origin,
}

/// A service and everything its file says.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// Its id.
    pub id: ServiceId,
    /// What it is for.
    pub description: Option<Name>,
    /// What it is.
    pub kind: ServiceKind,
    /// Who owns it.
    pub team: Option<TeamId>,
    /// Where it belongs.
    pub domain: Option<DomainId>,
    /// How it appears at runtime.
    pub identity: Vec<Pattern>,
    /// Its health endpoints.
    pub health: Vec<Health>,
    /// Ids of its own stores, in the order of the file; the stores are in [`Topology::stores`].
    pub stores: Vec<StoreId>,
    /// Stores of other services that it touches.
    pub uses_stores: Vec<StoreUse>,
    /// Entities that it owns.
    pub owns: Vec<Ownership>,
    /// Entities of other services that it holds copies of.
    pub copies: Vec<Replica>,
    /// Events that it publishes.
    pub publishes: Vec<Publication>,
    /// Feeds that it provides.
    pub provides_feeds: Vec<Provision>,
    /// Events that it consumes.
    pub consumes: Vec<Consumption>,
    /// Feeds that it follows.
    pub follows_feeds: Vec<Following>,
    /// Requests that it answers.
    pub answers: Vec<Answer>,
    /// Requests that it makes.
    pub calls: Vec<Call>,
    /// `x-` fields.
    pub extras: Extras,
    /// Where.
    pub origin: Origin,
}

/// In which runtime name a pattern looks: the broker's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NameKind {
    /// NATS: name of a `JetStream` durable.
    NatsDurable,
    /// NATS: name of a micro service (`$SRV`).
    NatsMicro,
    /// NATS: connection name.
    NatsClientName,
    /// NATS: queue group.
    NatsQueue,
    /// NATS: user of a connection.
    NatsUser,
    /// Kafka: consumer group.
    KafkaGroupId,
    /// Kafka: client id.
    KafkaClientId,
    /// Kafka: authenticated principal.
    KafkaPrincipal,
    /// `RabbitMQ`: connection name.
    RabbitmqConnectionName,
    /// `RabbitMQ`: queue.
    RabbitmqQueue,
    /// `RabbitMQ`: consumer tag.
    RabbitmqConsumerTag,
    /// `RabbitMQ`: user.
    RabbitmqUser,
    /// Redis: consumer group.
    RedisGroup,
    /// Redis: client name.
    RedisClientName,
    /// MQTT: client id.
    MqttClientId,
    /// MQTT: user name.
    MqttUsername,
    /// OpenTelemetry: `service.name`.
    OtelServiceName,
    /// `CloudEvents` `source`, or the header that says who sent a message.
    EventSource,
}

impl NameKind {
    /// All kinds with their place in `identity`: group and field. `event_source` stands alone.
    pub const FIELDS: &'static [(&'static str, &'static str, Self)] = &[
        ("nats", "client_name", Self::NatsClientName),
        ("nats", "durable", Self::NatsDurable),
        ("nats", "queue", Self::NatsQueue),
        ("nats", "user", Self::NatsUser),
        ("nats", "micro", Self::NatsMicro),
        ("kafka", "client_id", Self::KafkaClientId),
        ("kafka", "group_id", Self::KafkaGroupId),
        ("kafka", "principal", Self::KafkaPrincipal),
        ("rabbitmq", "connection_name", Self::RabbitmqConnectionName),
        ("rabbitmq", "user", Self::RabbitmqUser),
        ("rabbitmq", "consumer_tag", Self::RabbitmqConsumerTag),
        ("rabbitmq", "queue", Self::RabbitmqQueue),
        ("redis", "client_name", Self::RedisClientName),
        ("redis", "group", Self::RedisGroup),
        ("mqtt", "client_id", Self::MqttClientId),
        ("mqtt", "username", Self::MqttUsername),
        ("otel", "service_name", Self::OtelServiceName),
    ];

    /// The place in the files, as people write it: `identity.nats.durable`.
    pub fn place(self) -> String {
        match Self::FIELDS.iter().find(|(_, _, kind)| *kind == self) {
            Some((group, field, _)) => format!("identity.{group}.{field}"),
            None => "identity.event_source".to_owned(),
        }
    }
}

/// One pattern by which a service is recognised.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern {
    /// In which name to look.
    pub kind: NameKind,
    /// What it must look like.
    pub glob: Glob,
    /// Where.
    pub origin: Origin,
}

/// A health endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Health {
    /// Its name, unique in the service; `health` when not given.
    pub name: Name,
    /// Where to ask.
    pub url: Address,
    /// How often; the program's default when absent.
    pub interval: Option<Duration>,
    /// How long to wait; the program's default when absent.
    pub timeout: Option<Duration>,
    /// Which applied versions its answer reports.
    pub applied: Vec<Applied>,
    /// `x-` fields.
    pub extras: Extras,
    /// Where.
    pub origin: Origin,
}

/// The version of an entity that a health answer says has been applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Of which entity.
    pub entity: EntityId,
    /// JSON pointer (RFC 6901) into the answer.
    pub pointer: Name,
    /// Where.
    pub origin: Origin,
}

/// A service's private data store.
#[derive(Debug, Clone, PartialEq)]
pub struct Store {
    /// Its id, unique in the system.
    pub id: StoreId,
    /// Whose it is.
    pub service: ServiceId,
    /// The shape of data it is good at, if said.
    pub kind: Option<StoreKind>,
    /// The product.
    pub technology: Option<Name>,
    /// Why this one.
    pub reason: Option<Name>,
    /// `x-` fields.
    pub extras: Extras,
    /// Where.
    pub origin: Origin,
}

/// A service touching a store of another.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreUse {
    /// Which store.
    pub store: StoreId,
    /// What it does there, if said.
    pub access: Option<Access>,
    /// `x-` fields.
    pub extras: Extras,
    /// Where.
    pub origin: Origin,
}

/// One or more fields that together identify an entity in one service. Prints as `first_name+last_name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identifier(pub Vec<Name>);

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.join("+"))
    }
}

/// A service owning an entity.
#[derive(Debug, Clone, PartialEq)]
pub struct Ownership {
    /// Which entity.
    pub entity: EntityId,
    /// Where it is kept.
    pub store: Option<StoreId>,
    /// By what it is identified.
    pub identifier: Option<Identifier>,
    /// Fields that must never be shown.
    pub sensitive: Vec<Name>,
    /// `x-` fields.
    pub extras: Extras,
    /// Where.
    pub origin: Origin,
}

/// A service holding a copy of another's entity.
#[derive(Debug, Clone, PartialEq)]
pub struct Replica {
    /// Which entity.
    pub entity: EntityId,
    /// Where it is kept.
    pub store: Option<StoreId>,
    /// By what it is identified here.
    pub identifier: Option<Identifier>,
    /// The feed, event or operation that keeps it up to date.
    pub via: Option<Name>,
    /// How.
    pub mode: Option<CopyMode>,
    /// How old it may be.
    pub max_staleness: Option<Duration>,
    /// Fields that must never be shown.
    pub sensitive: Vec<Name>,
    /// `x-` fields.
    pub extras: Extras,
    /// Where.
    pub origin: Origin,
}

/// A service publishing an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Publication {
    /// The event.
    pub event: Name,
    /// On which broker; any, when absent.
    pub broker: Option<Name>,
    /// On which subject, topic, exchange…; `{param}` stands for one part.
    pub channel: Option<Name>,
    /// The stream that keeps it.
    pub stream: Option<Name>,
    /// Which entity it is about.
    pub entity: Option<EntityId>,
    /// The field that holds the entity's identifier.
    pub key: Option<Name>,
    /// The schema of its payload: a path or URL, not opened.
    pub schema: Option<Name>,
    /// `x-` fields.
    pub extras: Extras,
    /// Where.
    pub origin: Origin,
}

/// A service providing a feed.
#[derive(Debug, Clone, PartialEq)]
pub struct Provision {
    /// The feed.
    pub feed: Name,
    /// On which broker; any, when absent.
    pub broker: Option<Name>,
    /// On which subject, topic…; `{param}` stands for one part.
    pub channel: Option<Name>,
    /// The stream that keeps it.
    pub stream: Option<Name>,
    /// Which entity its records are.
    pub entity: Option<EntityId>,
    /// The field that holds the entity's identifier.
    pub key: Option<Name>,
    /// How it comes about.
    pub mode: Option<FeedMode>,
    /// The schema of its records: a path or URL, not opened.
    pub schema: Option<Name>,
    /// `x-` fields.
    pub extras: Extras,
    /// Where.
    pub origin: Origin,
}

/// By which named position a service reads a channel.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reader {
    /// `JetStream` stream.
    pub stream: Option<Name>,
    /// `JetStream` durable.
    pub durable: Option<Name>,
    /// Where a push consumer delivers to; pull when absent.
    pub deliver_subject: Option<Name>,
    /// Queue group (NATS), queue (`RabbitMQ`).
    pub queue: Option<Name>,
    /// Consumer group (Kafka, Redis).
    pub group: Option<Name>,
    /// `x-` fields.
    pub extras: Extras,
}

/// A service consuming an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Consumption {
    /// The event.
    pub event: Name,
    /// On which broker; any, when absent.
    pub broker: Option<Name>,
    /// On which subject, topic, queue…; the publisher's, when absent.
    pub channel: Option<Name>,
    /// By which named position.
    pub consumer: Option<Reader>,
    /// How long it may take to process one.
    pub max_delay: Option<Duration>,
    /// Events that it publishes in consequence.
    pub leads_to: Vec<Name>,
    /// `x-` fields.
    pub extras: Extras,
    /// Where.
    pub origin: Origin,
}

/// A service following a feed.
#[derive(Debug, Clone, PartialEq)]
pub struct Following {
    /// The feed.
    pub feed: Name,
    /// Who provides it; whoever does, when absent.
    pub from: Option<ServiceId>,
    /// On which broker; any, when absent.
    pub broker: Option<Name>,
    /// On which subject, topic…; the provider's, when absent.
    pub channel: Option<Name>,
    /// How it comes about.
    pub mode: Option<FeedMode>,
    /// By which named position.
    pub consumer: Option<Reader>,
    /// How long it may take to process one record.
    pub max_delay: Option<Duration>,
    /// `x-` fields.
    pub extras: Extras,
    /// Where.
    pub origin: Origin,
}

/// A service answering requests.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The operation: over NATS its subject, unless `channel` says otherwise.
    pub operation: Name,
    /// By what it travels.
    pub protocol: Option<Protocol>,
    /// On which broker; any, when absent.
    pub broker: Option<Name>,
    /// The subject or path, when the operation's name is not it.
    pub channel: Option<Name>,
    /// Which entity the answer is about.
    pub entity: Option<EntityId>,
    /// `x-` fields.
    pub extras: Extras,
    /// Where.
    pub origin: Origin,
}

/// A service calling another.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Whom.
    pub service: ServiceId,
    /// Which operation.
    pub operation: Option<Name>,
    /// By what it travels.
    pub protocol: Option<Protocol>,
    /// How long it waits. Absent: not said, and so perhaps for ever.
    pub timeout: Option<Duration>,
    /// How often it tries again.
    pub retries: Option<u32>,
    /// Whether a circuit breaker stands before it.
    pub breaker: Option<bool>,
    /// Whether the caller can go on without.
    pub criticality: Option<Criticality>,
    /// What it does instead; `none` in the file is absent here.
    pub fallback: Option<Name>,
    /// `x-` fields.
    pub extras: Extras,
    /// Where.
    pub origin: Origin,
}
