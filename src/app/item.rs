//! What each list consists of, and the fields by which its rows are filtered and sorted.
//!
//! Numbers are in base units: seconds, bytes, per second, shares of one. A field that is unknown is unknown, never 0.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use crate::model::id::{ChannelId, DomainId, ServiceId};
use crate::model::measured::Measured;
use crate::model::message::MessageId;
use crate::model::observation::HealthState;
use crate::model::snapshot::{
    Cause, Change, Consumer, ConsumerStatus, Delay, Drain, Effect, Entity, Flow, Replica, Service, Severity,
    Since, Snapshot, Thing,
};
use crate::model::tap::HeardMessage;
use crate::model::trace::{Leg, Line, Trace, find, story};

mod fields;
mod heard;
mod lane;

pub use fields::{FieldKind, FieldSpec, Unit, fields};
pub use heard::{heard_of, heard_row};
pub use lane::{LaneKey, lane_of, lanes};

use super::list::{ListId, RowId};

/// A field's value in one row.
#[derive(Debug, Clone, PartialEq)]
pub enum Field<'a> {
    Text(Cow<'a, str>),
    Words(Vec<&'a str>),
    Number(f64),
    Unknown,
}

impl<'a> Field<'a> {
    fn text(text: &'a str) -> Self {
        if text.is_empty() { Self::Unknown } else { Self::Text(Cow::Borrowed(text)) }
    }

    fn maybe(text: Option<&'a str>) -> Self {
        text.map_or(Self::Unknown, Self::text)
    }

    fn count(n: usize) -> Self {
        Self::Number(n as f64)
    }

    fn measured<T>(value: &Measured<T>, number: impl Fn(&T) -> f64) -> Self {
        value.low().map_or(Self::Unknown, |v| Self::Number(number(v)))
    }

    /// The worst that the truth may be, where that is bounded: for staleness.
    fn worst(value: &Measured<Duration>) -> Self {
        Self::most(value, Duration::as_secs_f64)
    }

    /// The most that it may be, where that is bounded: `≤39/s` is no rate of 0.
    fn most<T>(value: &Measured<T>, number: impl Fn(&T) -> f64) -> Self {
        value.bounds.high().or(value.low()).map_or(Self::Unknown, |v| Self::Number(number(v)))
    }

    fn delay(delay: Option<&Delay>) -> Self {
        // The mean stands in where only that is told.
        delay.and_then(|d| d.p95.or(d.p50)).map_or(Self::Unknown, |ns| Self::Number(ns as f64 / 1e9))
    }

    fn since(since: &Since, snapshot: &Snapshot) -> Self {
        Self::Number(snapshot.taken_at.age_since(since.at).as_secs_f64())
    }
}

/// One row's data.
#[derive(Debug, Clone, Copy)]
pub enum Item<'a> {
    Cause(&'a Cause),
    /// An effect under its cause.
    Effect(&'a Cause, &'a Effect),
    Change(&'a Change),
    Copy(&'a Entity, &'a Replica),
    Flow(&'a Flow),
    Consumer(&'a Consumer),
    Entity(&'a Entity),
    Service(&'a Service),
    /// A group of services.
    Domain(&'a DomainId),
    Trace(&'a Trace),
    /// A followed message at one consumer, or one that came of it.
    Line(Line<'a>),
    /// A message that was heard.
    Heard(&'a HeardMessage),
}

/// The message that a row of [`ListId::Traces`] stands for.
pub fn message_of(row: &RowId) -> Option<MessageId> {
    let Some(Thing::Channel(channel)) = &row.thing else { return None };
    let seq = row.part.strip_prefix('#')?.parse().ok()?;
    Some(MessageId { channel: channel.clone(), seq })
}

/// The row of a message.
pub fn row_of(channel: &ChannelId, seq: u64) -> RowId {
    RowId { thing: Some(Thing::Channel(channel.clone())), part: format!("#{seq}").into() }
}

/// The cause of a row of the list of causes, and the effect where the row is one.
pub fn cause_of<'a>(snapshot: &'a Snapshot, row: &RowId) -> Option<(&'a Cause, Option<&'a Effect>)> {
    snapshot.causes.iter().find_map(|cause| {
        let is = |thing: &Thing, item: &Item<'_>| row.thing.as_ref() == Some(thing) && item.row_id() == *row;
        if is(&cause.thing, &Item::Cause(cause)) {
            return Some((cause, None));
        }
        let effect = cause.effects.iter().find(|effect| is(&effect.thing, &Item::Effect(cause, effect)))?;
        Some((cause, Some(effect)))
    })
}

/// Everything in a list, in the snapshot's order; `message` is the one whose consumers are listed.
pub fn items<'a>(list: ListId, snapshot: &'a Snapshot, message: Option<&MessageId>) -> Vec<Item<'a>> {
    fn all<'a, T>(rows: &'a [Arc<T>], item: impl Fn(&'a T) -> Item<'a>) -> Vec<Item<'a>> {
        rows.iter().map(|row| item(row)).collect()
    }
    match list {
        ListId::Causes => snapshot
            .causes
            .iter()
            .flat_map(|cause| {
                let effects = cause.effects.iter().map(move |effect| Item::Effect(cause, effect));
                std::iter::once(Item::Cause(cause)).chain(effects)
            })
            .collect(),
        ListId::Changes => snapshot.changes.iter().map(Item::Change).collect(),
        ListId::Stalest => snapshot
            .entities
            .iter()
            .flat_map(|entity| entity.replicas.iter().map(move |replica| Item::Copy(entity, replica)))
            .collect(),
        ListId::Flows | ListId::Lanes => all(&snapshot.flows, Item::Flow),
        // What rests is not busy; where everything rests, or nothing is known, that is what there is to see.
        ListId::Busiest => {
            let busy = |flow: &&Arc<Flow>| {
                flow.rate.bounds.high().or(flow.rate.low()).is_none_or(|rate| *rate > 0.0)
            };
            let any = snapshot.flows.iter().any(|flow| busy(&flow));
            snapshot.flows.iter().filter(|flow| !any || busy(flow)).map(|flow| Item::Flow(flow)).collect()
        }
        ListId::Consumers => all(&snapshot.consumers, Item::Consumer),
        ListId::Entities => all(&snapshot.entities, Item::Entity),
        ListId::Services => all(&snapshot.services, Item::Service),
        ListId::Uses => {
            let mut services: Vec<&Service> = counted_services(snapshot).0.collect();
            services.sort_by_key(|service| (service.domain.is_none(), &service.domain, &service.id));
            services.into_iter().map(Item::Service).collect()
        }
        ListId::DomainUses => {
            let domains = snapshot.services.iter().filter_map(|service| service.domain.as_ref());
            domains.collect::<std::collections::BTreeSet<_>>().into_iter().map(Item::Domain).collect()
        }
        ListId::Map => [all(&snapshot.services, Item::Service), all(&snapshot.flows, Item::Flow)].concat(),
        ListId::Traces => {
            // Of a record that is followed, every version.
            let followed = |of: &MessageId| find(&snapshot.traces, of).is_some_and(Trace::is_record_followed);
            let listed = |trace: &&Trace| trace.asked || trace.version_of.as_ref().is_some_and(followed);
            snapshot.traces.iter().rev().filter(listed).map(Item::Trace).collect()
        }
        ListId::Heard => snapshot.heard.iter().rev().map(|message| Item::Heard(message)).collect(),
        ListId::Legs => {
            let trace = message.and_then(|message| find(&snapshot.traces, message));
            trace.into_iter().flat_map(|trace| story(&snapshot.traces, trace)).map(Item::Line).collect()
        }
    }
}

/// The services that are counted, and how many are left out: those that are no more than a name that consumers bear, unless
/// there are no others. Every view counts by this rule, and the list of services folds by it.
pub fn counted_services(snapshot: &Snapshot) -> (impl Iterator<Item = &Service> + Clone, usize) {
    let all = || snapshot.services.iter().map(|service| &**service);
    let named = all().filter(|service| service.only_named).count();
    let left_out = if named < snapshot.services.len() { named } else { 0 };
    (all().filter(move |service| left_out == 0 || !service.only_named), left_out)
}

/// The number by which a list opens, where there is one.
pub fn opening_number(list: ListId) -> Option<&'static str> {
    match list {
        ListId::Busiest | ListId::Flows => Some("rate"),
        ListId::Stalest => Some("stale"),
        ListId::Consumers => Some("lag"),
        ListId::Legs => Some("delay"),
        ListId::Entities => Some("copies"),
        ListId::Services
        | ListId::Causes
        | ListId::Changes
        | ListId::Traces
        | ListId::Heard
        | ListId::Map
        | ListId::Lanes
        | ListId::Uses
        | ListId::DomainUses => None,
    }
}

/// The order in which a list opens: what needs a person first, then what is largest. `standing` is what a row's number counts as
/// for its place.
pub fn sort_opening(
    list: ListId,
    items: &mut [Item<'_>],
    snapshot: &Snapshot,
    mut standing: impl FnMut(&Item<'_>, f64) -> f64,
) {
    let mut largest = |item: &Item<'_>, key: &'static str| match item.value(key, snapshot) {
        Field::Number(n) if n.is_finite() => Reverse(OrderedF64(standing(item, n))),
        // Unknown comes after what is known, even after 0.
        _ => Reverse(OrderedF64(f64::NEG_INFINITY)),
    };
    let by_need = match list {
        // These come in their order.
        ListId::Causes
        | ListId::Changes
        | ListId::Traces
        | ListId::Heard
        | ListId::Lanes
        | ListId::Uses
        | ListId::DomainUses => return,
        ListId::Legs if items.iter().any(Item::is_nested) => return,
        ListId::Map | ListId::Legs | ListId::Consumers | ListId::Entities | ListId::Services => true,
        ListId::Stalest | ListId::Busiest | ListId::Flows => false,
    };
    items.sort_by_cached_key(|item| {
        // What fails needs a person; it comes before what is merely busy. A single error is no reason to move.
        let fails = list == ListId::Flows && item.fails(snapshot);
        let need = if by_need { item.badness() } else { u8::from(!fails) };
        (need, opening_number(list).map(|key| largest(item, key)))
    });
}

#[derive(PartialEq)]
struct OrderedF64(f64);

impl Eq for OrderedF64 {}

impl PartialOrd for OrderedF64 {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for OrderedF64 {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl<'a> Item<'a> {
    /// How the row is known from snapshot to snapshot.
    pub fn row_id(&self) -> RowId {
        let (thing, part) = match self {
            // A consumer that stands still may have lost data before: two causes.
            Self::Cause(cause) if cause.severity == Severity::Lost => {
                (Some(cause.thing.clone()), "lost data".into())
            }
            Self::Cause(cause) => (Some(cause.thing.clone()), "".into()),
            Self::Effect(cause, effect) => {
                (Some(effect.thing.clone()), format!("{} of {}", effect.kind, cause.thing.as_str()).into())
            }
            Self::Change(change) => (change.thing.clone(), format!("{} {}", change.at.0, change.text).into()),
            Self::Copy(entity, replica) => (
                Some(Thing::Entity(entity.id.clone())),
                format!("{} {}", replica.service, replica.via).into(),
            ),
            Self::Flow(flow) => (Some(Thing::Flow(flow.id.clone())), "".into()),
            Self::Consumer(consumer) => (Some(Thing::Consumer(consumer.id.clone())), "".into()),
            Self::Entity(entity) => (Some(Thing::Entity(entity.id.clone())), "".into()),
            Self::Service(service) => (Some(Thing::Service(service.id.clone())), "".into()),
            Self::Domain(id) => (None, id.as_str().into()),
            Self::Trace(trace) => return row_of(&trace.message.id.channel, trace.message.id.seq),
            Self::Line(Line { depth, trace, leg }) => {
                let message = &trace.message.id;
                match leg {
                    None => return row_of(&message.channel, message.seq),
                    Some(leg) => {
                        let of = if *depth == 0 {
                            String::new()
                        } else {
                            format!("{}#{}", message.channel, message.seq)
                        };
                        (Some(Thing::Consumer(leg.consumer.clone())), of.into())
                    }
                }
            }
            Self::Heard(message) => return heard_row(message),
        };
        RowId { thing, part }
    }

    /// Whether it is folded into one line with others like it until the person wants to see it.
    pub fn may_fold(&self) -> bool {
        matches!(self, Self::Service(service) if service.only_named)
    }

    /// Whether it stands under another row, so that rows are in their order already.
    pub fn is_nested(&self) -> bool {
        matches!(self, Self::Line(line) if line.depth > 0)
    }

    /// Whether it fails, and not only now and then.
    fn fails(&self, snapshot: &Snapshot) -> bool {
        matches!(self, Self::Flow(flow) if flow.failing(snapshot.window).is_some())
    }

    /// Smallest for what needs a person most.
    fn badness(&self) -> u8 {
        match self {
            Self::Consumer(consumer) => match consumer.status {
                ConsumerStatus::Stopped => 0,
                ConsumerStatus::Stalled => 1,
                ConsumerStatus::GaveUp => 2,
                ConsumerStatus::Rewound => 3,
                ConsumerStatus::Slow => 4,
                ConsumerStatus::Unknown => 5,
                ConsumerStatus::Paused => 6,
                ConsumerStatus::Ok => 7,
            },
            Self::Service(service) => match service.state {
                HealthState::Down => 0,
                HealthState::Degraded => 1,
                HealthState::Unreachable => 2,
                HealthState::Up => 3,
                HealthState::Unknown => 4 + u8::from(service.only_named),
            },
            Self::Entity(entity) => u8::from(entity.conflicts.is_empty()),
            Self::Line(Line { leg: Some(leg), .. }) => leg.state.rank(),
            _ => 0,
        }
    }

    /// A field's value; [`Field::Unknown`] for a field that such a row does not have.
    pub fn value(&self, key: &str, snapshot: &'a Snapshot) -> Field<'a> {
        match *self {
            Self::Cause(cause) => match key {
                // With the effects' names: a cause stays while one of its effects is looked for.
                "name" => {
                    let effects = cause.effects.iter().map(|effect| effect.thing.as_str());
                    Field::Words(std::iter::once(&*cause.name).chain(effects).collect())
                }
                "state" => Field::text(severity_word(cause.severity)),
                "text" => {
                    let effects = cause.effects.iter().flat_map(|effect| [&*effect.kind, &*effect.text]);
                    Field::Words(std::iter::once(&*cause.text).chain(effects).collect())
                }
                "team" => Field::maybe(cause.team.as_ref().map(super::super::model::id::TeamId::as_str)),
                "domain" => domains(services_of(&cause.thing, snapshot), snapshot),
                "since" => Field::since(&cause.since, snapshot),
                _ => Field::Unknown,
            },
            // A filter that keeps a cause keeps its effects: apart they explain nothing.
            Self::Effect(cause, effect) => match key {
                "name" => Field::Words(vec![&cause.name, effect.thing.as_str()]),
                "text" => Field::Words(vec![&cause.text, &effect.kind, &effect.text]),
                _ => Item::Cause(cause).value(key, snapshot),
            },
            Self::Change(change) => match key {
                "name" => Field::maybe(change.thing.as_ref().map(Thing::as_str)),
                "text" => Field::text(&change.text),
                _ => Field::Unknown,
            },
            Self::Copy(entity, replica) => match key {
                "entity" => Field::text(entity.id.as_str()),
                "service" => Field::text(replica.service.as_str()),
                "mode" => Field::text(&replica.mode),
                "stale" => Field::worst(&replica.staleness),
                "behind" => Field::measured(&replica.behind, |n| *n as f64),
                "team" => teams(vec![&replica.service], snapshot),
                "domain" => domains(vec![&replica.service], snapshot),
                _ => Field::Unknown,
            },
            Self::Flow(flow) => flow_value(flow, key, snapshot),
            Self::Consumer(consumer) => consumer_value(consumer, key, snapshot),
            Self::Entity(entity) => entity_value(entity, key, snapshot),
            Self::Service(service) => service_value(service, key, snapshot),
            Self::Domain(id) => match key {
                "name" | "domain" => Field::text(id.as_str()),
                _ => Field::Unknown,
            },
            Self::Line(Line { leg: Some(leg), .. }) => leg_value(leg, key),
            Self::Trace(trace) | Self::Line(Line { trace, leg: None, .. }) => trace_value(trace, key),
            Self::Heard(message) => heard::value(message, key),
        }
    }
}

fn flow_value<'a>(flow: &'a Flow, key: &str, snapshot: &'a Snapshot) -> Field<'a> {
    let both = || flow.from.iter().chain(&*flow.to).collect::<Vec<_>>();
    match key {
        "kind" => Field::text(flow.kind.word()),
        "from" => Field::Words(flow.from.iter().map(super::super::model::id::ServiceId::as_str).collect()),
        "channel" => Field::text(&flow.label),
        "to" => Field::Words(flow.to.iter().map(super::super::model::id::ServiceId::as_str).collect()),
        "rate" => Field::most(&flow.rate, |v| *v),
        "bytes" => Field::most(&flow.bytes_rate, |v| *v),
        "errors" => Field::measured(&flow.errors_rate, |v| *v),
        "delay" => Field::delay(flow.delay.as_ref()),
        "entity" => Field::maybe(flow.entity.as_ref().map(super::super::model::id::EntityId::as_str)),
        "team" => teams(both(), snapshot),
        "domain" => domains(both(), snapshot),
        "declared" => yes_no(flow.declared),
        // What its consumer is like.
        "state" | "lag" | "stale" => {
            let consumer = flow.consumer.as_ref().and_then(|id| snapshot.consumer(id));
            consumer.map_or(Field::Unknown, |consumer| consumer_value(consumer, key, snapshot))
        }
        _ => Field::Unknown,
    }
}

fn consumer_value<'a>(consumer: &'a Consumer, key: &str, snapshot: &'a Snapshot) -> Field<'a> {
    let count = |value: &Measured<u64>| Field::measured(value, |n| *n as f64);
    match key {
        "state" => Field::text(consumer.status.word()),
        "name" => Field::text(consumer.id.as_str()),
        "reads" => Field::text(consumer.channel.as_str()),
        "service" => {
            Field::Words(consumer.services.iter().map(super::super::model::id::ServiceId::as_str).collect())
        }
        "lag" => count(&consumer.lag),
        "inflight" => count(&consumer.in_flight),
        "redelivered" => count(&consumer.redelivered),
        "gaveup" => count(&consumer.gave_up),
        "stale" => Field::worst(&consumer.staleness),
        "delay" => Field::delay(consumer.delay.as_ref()),
        "delivered" => Field::measured(&consumer.delivered_rate, |v| *v),
        "acked" => Field::measured(&consumer.acked_rate, |v| *v),
        "drain" => Field::measured(&consumer.drain, |drain| match drain {
            Drain::Empty => 0.0,
            Drain::In(d) => d.as_secs_f64(),
            Drain::Never => f64::INFINITY,
        }),
        "since" => Field::since(&consumer.since, snapshot),
        "entity" => {
            Field::Words(consumer.feeds.iter().map(super::super::model::id::EntityId::as_str).collect())
        }
        "team" => teams(consumer.services.iter().collect(), snapshot),
        "domain" => domains(consumer.services.iter().collect(), snapshot),
        "source" => Field::text(consumer.source.as_str()),
        _ => Field::Unknown,
    }
}

fn entity_value<'a>(entity: &'a Entity, key: &str, snapshot: &'a Snapshot) -> Field<'a> {
    let owners = || entity.owners.iter().map(|owner| &owner.service);
    match key {
        "name" => Field::text(entity.id.as_str()),
        "owner" => Field::Words(owners().map(super::super::model::id::ServiceId::as_str).collect()),
        "service" => Field::Words(
            owners()
                .chain(entity.replicas.iter().map(|replica| &replica.service))
                .chain(entity.readers.iter().map(|reader| &reader.service))
                .chain(&entity.reactors)
                .map(super::super::model::id::ServiceId::as_str)
                .collect(),
        ),
        "store" => Field::Words(
            entity
                .owners
                .iter()
                .filter_map(|owner| owner.store.as_ref())
                .chain(entity.replicas.iter().filter_map(|replica| replica.store.as_ref()))
                .map(super::super::model::id::StoreId::as_str)
                .collect(),
        ),
        "identifier" => Field::Words(
            entity
                .owners
                .iter()
                .filter_map(|owner| owner.identifier.as_deref())
                .chain(entity.replicas.iter().filter_map(|replica| replica.identifier.as_deref()))
                .collect(),
        ),
        "copies" => Field::count(entity.replicas.len()),
        "readers" => Field::count(entity.readers.len()),
        "conflicts" => Field::count(entity.conflicts.len()),
        "stale" => {
            let known = entity.replicas.iter().filter_map(|replica| match Field::worst(&replica.staleness) {
                Field::Number(seconds) => Some(seconds),
                _ => None,
            });
            known.reduce(f64::max).map_or(Field::Unknown, Field::Number)
        }
        "team" => teams(owners().collect(), snapshot),
        "domain" => domains(owners().collect(), snapshot),
        _ => Field::Unknown,
    }
}

fn service_value<'a>(service: &'a Service, key: &str, snapshot: &'a Snapshot) -> Field<'a> {
    match key {
        "state" => Field::text(service.state.word()),
        "name" => Field::text(service.id.as_str()),
        "team" => Field::maybe(service.team.as_ref().map(super::super::model::id::TeamId::as_str)),
        "domain" => Field::maybe(service.domain.as_ref().map(super::super::model::id::DomainId::as_str)),
        "latency" => {
            let known = service.health.iter().filter_map(|check| check.latency.low());
            known.max().map_or(Field::Unknown, |d| Field::Number(d.as_secs_f64()))
        }
        "connections" => Field::measured(&service.connections, |n| f64::from(*n)),
        "published" => Field::measured(&service.published_rate, |v| *v),
        // Only a topology file tells.
        "owns" if !service.declared && service.owns.is_empty() => Field::Unknown,
        "copies" if !service.declared && service.copies.is_empty() => Field::Unknown,
        "owns" => Field::count(service.owns.len()),
        "copies" => Field::count(service.copies.len()),
        "consumes" => Field::count(service.consumers.len()),
        "store" => {
            Field::Words(service.stores.iter().map(super::super::model::id::StoreId::as_str).collect())
        }
        "language" => Field::Words(service.libraries.iter().map(|library| &*library.lang).collect()),
        "since" => Field::since(&service.since, snapshot),
        "declared" => yes_no(service.declared),
        _ => Field::Unknown,
    }
}

/// With what its consumers are called: a message stays while one of them is looked for.
fn trace_value<'a>(trace: &'a Trace, key: &str) -> Field<'a> {
    let message = &trace.message;
    let services = || trace.legs.iter().flat_map(|leg| &leg.services).chain(&trace.producers);
    match key {
        "name" => {
            let own = [message.id.channel.as_str(), &message.subject];
            Field::Words(own.into_iter().chain(trace.legs.iter().map(|leg| leg.consumer.as_str())).collect())
        }
        "seq" => Field::Number(message.id.seq as f64),
        "state" => distinct(trace.legs.iter().map(|leg| leg.state.word()).collect()),
        "service" => distinct(services().map(ServiceId::as_str).collect()),
        "reads" => Field::text(&message.subject),
        "bytes" => Field::Number(message.bytes as f64),
        _ => Field::Unknown,
    }
}

fn leg_value<'a>(leg: &'a Leg, key: &str) -> Field<'a> {
    let number = |n: Option<u64>| n.map_or(Field::Unknown, |n| Field::Number(n as f64));
    match key {
        "state" => Field::text(leg.state.word()),
        "service" => Field::Words(leg.services.iter().map(ServiceId::as_str).collect()),
        "name" => Field::text(leg.consumer.as_str()),
        "delay" => leg.delay.map_or(Field::Unknown, |ns| Field::Number(ns as f64 / 1e9)),
        "deliveries" => number(leg.deliveries),
        "ahead" => number(leg.ahead),
        _ => Field::Unknown,
    }
}

fn yes_no(value: bool) -> Field<'static> {
    Field::text(if value { "yes" } else { "no" })
}

/// The services that a thing belongs to.
fn services_of<'a>(thing: &'a Thing, snapshot: &'a Snapshot) -> Vec<&'a ServiceId> {
    match thing {
        Thing::Service(id) => vec![id],
        Thing::Consumer(id) => {
            snapshot.consumer(id).map(|row| row.services.iter().collect()).unwrap_or_default()
        }
        Thing::Store(id) => snapshot.store(id).map(|row| vec![&row.service]).unwrap_or_default(),
        Thing::Entity(id) => {
            snapshot.entity(id).map(|row| row.owners.iter().map(|o| &o.service).collect()).unwrap_or_default()
        }
        Thing::Flow(id) => {
            snapshot.flow(id).map(|row| row.from.iter().chain(&*row.to).collect()).unwrap_or_default()
        }
        Thing::Channel(id) => {
            snapshot.channel(id).map(|row| row.producers.services.iter().collect()).unwrap_or_default()
        }
        Thing::Source(_) => Vec::new(),
    }
}

fn teams<'a>(services: Vec<&ServiceId>, snapshot: &'a Snapshot) -> Field<'a> {
    let of = |id: &ServiceId| {
        snapshot.service(id).and_then(|s| s.team.as_ref()).map(super::super::model::id::TeamId::as_str)
    };
    distinct(services.into_iter().filter_map(of).collect())
}

fn domains<'a>(services: Vec<&ServiceId>, snapshot: &'a Snapshot) -> Field<'a> {
    let of = |id: &ServiceId| {
        snapshot.service(id).and_then(|s| s.domain.as_ref()).map(super::super::model::id::DomainId::as_str)
    };
    distinct(services.into_iter().filter_map(of).collect())
}

fn distinct(mut words: Vec<&str>) -> Field<'_> {
    words.sort_unstable();
    words.dedup();
    Field::Words(words)
}

/// The word of a severity, as filters and screens say it.
pub const fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Unseen => "unseen",
        Severity::Degraded => "degraded",
        Severity::Lost => "gave_up",
        Severity::Stalled => "stalled",
        Severity::Down => "down",
    }
}
