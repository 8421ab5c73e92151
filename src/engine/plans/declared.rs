//! Flows that the topology declares: each reader of an event or feed, and what is published and read by nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{FlowPlan, Numbers, counters, id, stored};
use crate::engine::identity::Identity;
use crate::engine::state::{State, short};
use crate::engine::subjects::is_internal;
use crate::engine::wiring::Wiring;
use crate::engine::words;
use crate::model::id::{ChannelId, ConsumerId, EntityId, Name, ServiceId, SourceId};
use crate::model::measured::Evidence;
use crate::model::snapshot::{FlowKind, Route};
use crate::model::subject;
use crate::model::traffic::TrafficKey;
use crate::topology::declared::{Origin, Reader};

/// An event or feed as it is published.
struct Published<'t> {
    by: Vec<ServiceId>,
    channel: Option<&'t Name>,
    stream: Option<&'t Name>,
    broker: Option<&'t Name>,
    entity: Option<&'t EntityId>,
    evidence: Vec<Evidence>,
}

impl<'t> Published<'t> {
    fn new(
        channel: Option<&'t Name>,
        stream: Option<&'t Name>,
        broker: Option<&'t Name>,
        entity: Option<&'t EntityId>,
    ) -> Self {
        Self { by: Vec::new(), channel, stream, broker, entity, evidence: Vec::new() }
    }
}

/// Each declared reader of an event or feed; and what is published and read by nobody.
pub(super) fn reads(
    state: &State,
    identity: &Identity<'_>,
    wiring: &Wiring,
    heard: &mut BTreeSet<(SourceId, Name, ServiceId)>,
) -> Vec<FlowPlan> {
    let published = published(identity);
    let mut plans = Vec::new();
    let mut read: BTreeSet<What<'_>> = BTreeSet::new();
    for service in identity.topology.services.values() {
        let events = service.consumes.iter().map(|c| Wanted {
            kind: FlowKind::Event,
            name: &c.event,
            service: &service.id,
            broker: c.broker.as_ref(),
            channel: c.channel.as_ref(),
            reader: c.consumer.as_ref(),
            provider: None,
            origin: &c.origin,
        });
        let feeds = service.follows_feeds.iter().map(|f| Wanted {
            kind: FlowKind::Feed,
            name: &f.feed,
            service: &service.id,
            broker: f.broker.as_ref(),
            channel: f.channel.as_ref(),
            reader: f.consumer.as_ref(),
            provider: f.from.as_ref(),
            origin: &f.origin,
        });
        for wanted in events.chain(feeds) {
            let what = (wanted.kind, &**wanted.name);
            let from = published.get(&what);
            read.insert(what);
            let wanted = Wanted {
                broker: wanted.broker.or_else(|| from.and_then(|p| p.broker)),
                channel: wanted.channel.or_else(|| from.and_then(|p| p.channel)),
                ..wanted
            };
            plans.push(declared_read(state, identity, wiring, &wanted, from, heard));
        }
    }
    for ((kind, name), from) in published.into_iter().filter(|(what, _)| !read.contains(what)) {
        let channel = stored(state, identity, from.broker, from.stream, from.channel);
        // A channel that takes in this alone counts it; one that takes in more bounds it.
        let only = channel.as_ref().and_then(|id| state.channels.get(id)).is_some_and(|c| {
            from.channel.is_some_and(|on| c.report.subjects.iter().all(|s| subject::covers(on, s)))
        });
        plans.push(FlowPlan {
            asked: Vec::new(),
            numbers: if channel.is_some() {
                Numbers::Channel { only }
            } else {
                Numbers::Unknown("nobody reads it, and nothing else counts it".into())
            },
            route: Arc::new(Route {
                id: id(kind.word(), name, ""),
                kind,
                kind_likely: false,
                from: from.by.into(),
                from_likely: false,
                to: [].into(),
                channel,
                label: name.into(),
                consumer: None,
                entity: from.entity.cloned(),
                declared: true,
                evidence: from.evidence.into(),
            }),
        });
    }
    plans
}

/// An event or a feed, by its name.
type What<'t> = (FlowKind, &'t str);

fn published<'t>(identity: &Identity<'t>) -> BTreeMap<What<'t>, Published<'t>> {
    let mut out: BTreeMap<What<'t>, Published<'t>> = BTreeMap::new();
    for service in identity.topology.services.values() {
        let mut add = |what: What<'t>, says: Published<'t>, origin: &Origin| {
            let published = out.entry(what).or_insert(says);
            published.by.push(service.id.clone());
            published.evidence.push(origin.evidence());
        };
        for p in &service.publishes {
            let says =
                Published::new(p.channel.as_ref(), p.stream.as_ref(), p.broker.as_ref(), p.entity.as_ref());
            add((FlowKind::Event, &p.event), says, &p.origin);
        }
        for p in &service.provides_feeds {
            let says =
                Published::new(p.channel.as_ref(), p.stream.as_ref(), p.broker.as_ref(), p.entity.as_ref());
            add((FlowKind::Feed, &p.feed), says, &p.origin);
        }
    }
    for published in out.values_mut() {
        published.by.sort();
        published.by.dedup();
    }
    out
}

/// A declared read, kind aside.
struct Wanted<'t> {
    kind: FlowKind,
    name: &'t Name,
    service: &'t ServiceId,
    broker: Option<&'t Name>,
    channel: Option<&'t Name>,
    reader: Option<&'t Reader>,
    /// Who provides it, if nobody says so himself.
    provider: Option<&'t ServiceId>,
    origin: &'t Origin,
}

fn declared_read(
    state: &State,
    identity: &Identity<'_>,
    wiring: &Wiring,
    wanted: &Wanted<'_>,
    from: Option<&Published<'_>>,
    heard: &mut BTreeSet<(SourceId, Name, ServiceId)>,
) -> FlowPlan {
    let mut evidence = vec![wanted.origin.evidence()];
    evidence.extend(from.into_iter().flat_map(|p| p.evidence.iter().cloned()));
    let consumer = find_consumer(state, identity, wiring, wanted);
    let mut channel = consumer.as_ref().and_then(|id| state.consumers.get(id)).map(|c| c.channel.clone());
    let mut numbers = Numbers::Consumer { shared: false };
    if let Some(found) = consumer.as_ref().and_then(|id| state.consumers.get(id)) {
        let at = found.seen.wall;
        evidence.push(Evidence::observed(format!("consumer {}", short(found)), at));
    } else {
        let stream = wanted.reader.and_then(|r| r.stream.as_ref()).or_else(|| from.and_then(|p| p.stream));
        let listens = listening(state, identity, wiring, wanted);
        if let Some((source, subject, keys)) = listens {
            heard.insert((source.clone(), subject.clone(), wanted.service.clone()));
            channel = Some(ChannelId::subject(&source, &subject));
            evidence.push(Evidence::observed(format!("subscription on {subject}"), state.structure_at.wall));
            numbers = Numbers::Delivered(keys);
        } else {
            channel = stored(state, identity, wanted.broker, stream, wanted.channel);
            numbers = Numbers::Unknown(silent(state, wanted));
        }
    }
    let from_whom = from.map(|p| p.by.as_slice()).filter(|by| !by.is_empty());
    let route = Route {
        id: id(wanted.kind.word(), wanted.name, wanted.service.as_str()),
        kind: wanted.kind,
        kind_likely: false,
        from: from_whom.unwrap_or(wanted.provider.map_or(&[], std::slice::from_ref)).into(),
        from_likely: false,
        to: [wanted.service.clone()].into(),
        channel,
        label: wanted.name.clone(),
        consumer,
        entity: from.and_then(|p| p.entity.cloned()),
        declared: true,
        evidence: evidence.into(),
    };
    FlowPlan { route: Arc::new(route), numbers, asked: Vec::new() }
}

/// Why nothing is known of a declared flow.
fn silent(state: &State, wanted: &Wanted<'_>) -> Name {
    match wanted.reader.and_then(|r| r.stream.as_ref().zip(r.durable.as_ref())) {
        Some((stream, durable)) if !state.channels.is_empty() => {
            format!("declared; no consumer {stream}/{durable} seen").into()
        }
        _ => words::BY_SILENT.clone(),
    }
}

/// The consumer by which a declared read happens: the one that is named; else the service's own on a channel whose
/// subjects fit.
fn find_consumer(
    state: &State,
    identity: &Identity<'_>,
    wiring: &Wiring,
    wanted: &Wanted<'_>,
) -> Option<ConsumerId> {
    let here = |source: &SourceId| identity.is_broker(wanted.broker, source);
    if let Some((stream, durable)) = wanted.reader.and_then(|r| r.stream.as_ref().zip(r.durable.as_ref())) {
        return state.sources.keys().filter(|s| here(s)).find_map(|source| {
            let id = ConsumerId::named(source, stream, durable);
            state.consumers.contains_key(&id).then_some(id)
        });
    }
    let on = wanted.channel?;
    let node = wiring.services.get(wanted.service)?;
    node.consumers
        .iter()
        .filter(|id| {
            let Some(consumer) = state.consumers.get(*id) else { return false };
            let filters = consumer.report.as_ref().map(|r| r.filters.as_slice()).unwrap_or_default();
            let subjects = state.channels.get(&consumer.channel).map(|c| c.report.subjects.as_slice());
            let fits = |list: &[Name]| list.iter().any(|s| subject::overlap(s, on));
            here(&consumer.source)
                && if filters.is_empty() { subjects.is_some_and(fits) } else { fits(filters) }
        })
        .min()
        .cloned()
}

/// A subscription: on which source, on which subject, and its counters.
type Heard = (SourceId, Name, Vec<(SourceId, TrafficKey)>);

/// The subscription by which a declared read happens.
fn listening(state: &State, identity: &Identity<'_>, wiring: &Wiring, wanted: &Wanted<'_>) -> Option<Heard> {
    let on = wanted.channel?;
    let node = wiring.services.get(wanted.service)?;
    for (source, key) in &node.clients {
        if !identity.is_broker(wanted.broker, source) {
            continue;
        }
        let client = state.sources.get(source)?.clients.get(key)?;
        let fits = client
            .subscriptions
            .iter()
            .find(|s| !is_internal(&s.subject) && subject::overlap(&s.subject, on));
        if let Some(found) = fits {
            let keys = counters(state, wiring, source, wanted.service, &found.subject);
            return Some((source.clone(), found.subject.clone(), keys));
        }
    }
    None
}
