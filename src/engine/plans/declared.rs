//! Flows that the topology declares: each reader of an event or feed, and what is published and read by nobody.

use std::collections::{BTreeMap, BTreeSet};

use super::{FlowPlan, Numbers, counters, id, stored};
use crate::engine::identity::Identity;
use crate::engine::state::{State, short};
use crate::engine::subjects::is_internal;
use crate::engine::wiring::Wiring;
use crate::engine::words;
use crate::model::id::{ChannelId, ConsumerId, EntityId, Name, ServiceId, SourceId};
use crate::model::measured::Evidence;
use crate::model::snapshot::FlowKind;
use crate::model::traffic::TrafficKey;
use crate::topology::declared::{Origin, Reader};
use crate::topology::subject;

/// An event or feed as it is published.
struct Published<'t> {
    by: Vec<ServiceId>,
    channel: Option<&'t Name>,
    stream: Option<&'t Name>,
    broker: Option<&'t Name>,
    entity: Option<&'t EntityId>,
    evidence: Vec<Evidence>,
}

/// Each declared reader of an event or feed; and what is published and read by nobody.
pub(super) fn reads(
    state: &State,
    identity: &Identity<'_>,
    wiring: &Wiring,
    heard: &mut BTreeSet<(SourceId, Name, ServiceId)>,
) -> Vec<FlowPlan> {
    let (events, feeds) = published(identity);
    let mut plans = Vec::new();
    let mut read: BTreeSet<(FlowKind2, &str)> = BTreeSet::new();
    for service in identity.topology.services.values() {
        for c in &service.consumes {
            read.insert((FlowKind2::Event, &c.event));
            let from = events.get(&*c.event);
            let wanted = Wanted {
                kind: FlowKind::Event,
                name: &c.event,
                service: &service.id,
                broker: c.broker.as_ref().or_else(|| from.and_then(|p| p.broker)),
                channel: c.channel.as_ref().or_else(|| from.and_then(|p| p.channel)),
                reader: c.consumer.as_ref(),
                origin: &c.origin,
            };
            plans.push(declared_read(state, identity, wiring, &wanted, from, heard));
        }
        for f in &service.follows_feeds {
            read.insert((FlowKind2::Feed, &f.feed));
            let from = feeds.get(&*f.feed);
            let wanted = Wanted {
                kind: FlowKind::Feed,
                name: &f.feed,
                service: &service.id,
                broker: f.broker.as_ref().or_else(|| from.and_then(|p| p.broker)),
                channel: f.channel.as_ref().or_else(|| from.and_then(|p| p.channel)),
                reader: f.consumer.as_ref(),
                origin: &f.origin,
            };
            let mut plan = declared_read(state, identity, wiring, &wanted, from, heard);
            if let (true, Some(provider)) = (plan.from.is_empty(), &f.from) {
                plan.from = vec![provider.clone()];
            }
            plans.push(plan);
        }
    }
    let unread_events = events.iter().map(|(name, p)| (FlowKind::Event, FlowKind2::Event, *name, p));
    let unread_feeds = feeds.iter().map(|(name, p)| (FlowKind::Feed, FlowKind2::Feed, *name, p));
    for (kind, key, name, from) in unread_events.chain(unread_feeds) {
        if read.contains(&(key, name)) {
            continue;
        }
        let channel = stored(state, identity, from.broker, from.stream, from.channel);
        // A channel that takes in this alone counts it; one that takes in more bounds it.
        let only = channel.as_ref().and_then(|id| state.channels.get(id)).is_some_and(|c| {
            from.channel.is_some_and(|on| c.report.subjects.iter().all(|s| subject::covers(on, s)))
        });
        plans.push(FlowPlan {
            id: id(kind.word(), name, ""),
            kind,
            kind_likely: false,
            from: from.by.clone(),
            from_likely: false,
            to: Vec::new(),
            numbers: if channel.is_some() {
                Numbers::Channel { only }
            } else {
                Numbers::Unknown("nobody reads it, and nothing else counts it".into())
            },
            channel,
            label: name.into(),
            consumer: None,
            entity: from.entity.cloned(),
            declared: true,
            evidence: from.evidence.clone(),
        });
    }
    plans
}

/// Sortable stand-in for [`FlowKind`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum FlowKind2 {
    Event,
    Feed,
}

type ByName<'t> = BTreeMap<&'t str, Published<'t>>;

fn published<'t>(identity: &Identity<'t>) -> (ByName<'t>, ByName<'t>) {
    let (mut events, mut feeds) = (ByName::new(), ByName::new());
    let topology = identity.topology;
    for service in topology.services.values() {
        for p in &service.publishes {
            let entry = events.entry(&p.event).or_insert_with(|| Published {
                by: Vec::new(),
                channel: p.channel.as_ref(),
                stream: p.stream.as_ref(),
                broker: p.broker.as_ref(),
                entity: p.entity.as_ref(),
                evidence: Vec::new(),
            });
            entry.by.push(service.id.clone());
            entry.evidence.push(p.origin.evidence());
        }
        for p in &service.provides_feeds {
            let entry = feeds.entry(&p.feed).or_insert_with(|| Published {
                by: Vec::new(),
                channel: p.channel.as_ref(),
                stream: p.stream.as_ref(),
                broker: p.broker.as_ref(),
                entity: p.entity.as_ref(),
                evidence: Vec::new(),
            });
            entry.by.push(service.id.clone());
            entry.evidence.push(p.origin.evidence());
        }
    }
    for published in events.values_mut().chain(feeds.values_mut()) {
        published.by.sort();
        published.by.dedup();
    }
    (events, feeds)
}

/// A declared read, kind aside.
struct Wanted<'t> {
    kind: FlowKind,
    name: &'t Name,
    service: &'t ServiceId,
    broker: Option<&'t Name>,
    channel: Option<&'t Name>,
    reader: Option<&'t Reader>,
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
    FlowPlan {
        id: id(wanted.kind.word(), wanted.name, wanted.service.as_str()),
        kind: wanted.kind,
        kind_likely: false,
        from: from.map(|p| p.by.clone()).unwrap_or_default(),
        from_likely: false,
        to: vec![wanted.service.clone()],
        channel,
        label: wanted.name.clone(),
        consumer,
        entity: from.and_then(|p| p.entity.cloned()),
        declared: true,
        evidence,
        numbers,
    }
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
