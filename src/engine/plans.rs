//! Which flows there are: who sends, who receives, through what, and where the numbers of each come from.
//!
//! One flow for each declared reader of an event or feed, for each consumer that nobody declares, for each service that listens
//! on a bare subject, for each operation that is answered, and for each channel that feeds another. Ids are made of names
//! alone, so that a flow keeps its id when it is first seen, falls silent or comes back.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Deref;
use std::sync::Arc;

mod asked;
mod declared;
mod requests;

use super::calls::Requester;
use super::identity::Identity;
use super::state::State;
use super::subjects::is_internal;
use super::wiring::{Wiring, likely_producer};
use crate::model::calls::CallKey;
use crate::model::id::{ChannelId, ConsumerId, EntityId, FlowId, Name, ServiceId, SourceId, escape};
use crate::model::measured::Evidence;
use crate::model::observation::{ChannelKind, Delivery};
use crate::model::snapshot::{FlowKind, Route};
use crate::model::subject;
use crate::model::traffic::TrafficKey;

/// A flow without its numbers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FlowPlan {
    /// Shared by all its rows.
    pub(super) route: Arc<Route>,
    pub(super) numbers: Numbers,
    /// Who was heard to ask, of one by request.
    pub(super) asked: Vec<Requester>,
}

impl FlowPlan {
    /// To be changed while it is being made.
    fn route_mut(&mut self) -> &mut Route {
        Arc::make_mut(&mut self.route)
    }
}

impl Deref for FlowPlan {
    type Target = Route;

    fn deref(&self) -> &Route {
        &self.route
    }
}

/// Where a flow's numbers come from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Numbers {
    /// The flow's consumer; its numbers are the sum of several flows when `shared`.
    Consumer { shared: bool },
    /// Counters of what was delivered to subscriptions.
    Delivered(Vec<(SourceId, TrafficKey)>),
    /// Counters of responders.
    Answered(Vec<(SourceId, TrafficKey)>),
    /// What the flow's channel takes in; at most that, when it has other inputs.
    Channel { only: bool },
    /// Nothing tells.
    Unknown(Name),
}

/// A channel that keeps nothing, as it is listened to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SubjectPlan {
    pub(super) source: SourceId,
    pub(super) subject: Name,
    /// Counters by group: each group gets every message once, and so does each single listener.
    pub(super) groups: BTreeMap<Option<Name>, Vec<TrafficKey>>,
    /// What is told by taps.
    pub(super) seen: bool,
    /// A channel that keeps messages takes it in: it is counted there.
    pub(super) kept: bool,
    pub(super) evidence: Evidence,
}

/// Adds flows, bare subjects and what consumers feed to the wiring.
pub(super) fn plan(state: &State, identity: &Identity<'_>, wiring: &mut Wiring) {
    let mut flows: BTreeMap<FlowId, FlowPlan> = BTreeMap::new();
    let mut add = |plan: FlowPlan| {
        flows.entry(plan.id.clone()).or_insert(plan);
    };
    let mut taken: BTreeMap<ConsumerId, usize> = BTreeMap::new();
    let mut heard: BTreeSet<(SourceId, Name, ServiceId)> = BTreeSet::new();
    for plan in declared::reads(state, identity, wiring, &mut heard) {
        if let Some(consumer) = &plan.consumer {
            *taken.entry(consumer.clone()).or_default() += 1;
        }
        add(plan);
    }
    for plan in requests::operations(state, identity, wiring, &mut heard) {
        add(plan);
    }
    for plan in undeclared_reads(state, wiring, &taken) {
        add(plan);
    }
    subjects(state, wiring);
    for plan in listened(state, wiring, &heard) {
        add(plan);
    }
    for plan in upstreams(state, wiring) {
        add(plan);
    }
    for plan in flows.values_mut() {
        if plan.consumer.as_ref().and_then(|c| taken.get(c)).is_some_and(|n| *n > 1) {
            plan.numbers = Numbers::Consumer { shared: true };
        }
    }
    asked::add(state, wiring, &mut flows);
    limits(identity, &flows, wiring);
    for plan in flows.values() {
        for service in &*plan.from {
            wiring.services.entry(service.clone()).or_default().flows_out.push(plan.id.clone());
        }
        for service in &*plan.to {
            wiring.services.entry(service.clone()).or_default().flows_in.push(plan.id.clone());
        }
    }
    wiring.flows = flows.into_values().map(Arc::new).collect();
    wiring.index = Index::of(wiring);
}

/// Which flows and subjects show a number: so that only those are looked at whose numbers changed. Positions in
/// [`Wiring::flows`].
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    pub(super) consumers: HashMap<ConsumerId, Vec<usize>>,
    pub(super) channels: HashMap<ChannelId, Vec<usize>>,
    pub(super) meters: HashMap<(SourceId, TrafficKey), Vec<usize>>,
    pub(super) calls: HashMap<(SourceId, CallKey), Vec<usize>>,
    pub(super) subjects: HashMap<(SourceId, TrafficKey), ChannelId>,
    /// Flows by request.
    pub(super) requests: Vec<usize>,
    /// Feeds on channels that take in events too.
    pub(super) mixed: BTreeMap<ChannelId, Vec<usize>>,
    /// Channels on which nothing but feeds is declared.
    pub(super) feeds: BTreeSet<ChannelId>,
}

impl Index {
    fn of(wiring: &Wiring) -> Self {
        let mut index = Self::default();
        let mut kinds: BTreeMap<&ChannelId, (bool, Vec<usize>)> = BTreeMap::new();
        for (at, plan) in wiring.flows.iter().enumerate() {
            match (&plan.numbers, &plan.consumer, &plan.channel) {
                (Numbers::Consumer { .. }, Some(consumer), _) => {
                    index.consumers.entry(consumer.clone()).or_default().push(at);
                }
                (Numbers::Channel { .. }, _, Some(channel)) => {
                    index.channels.entry(channel.clone()).or_default().push(at);
                }
                (Numbers::Delivered(keys) | Numbers::Answered(keys), _, _) => {
                    for key in keys {
                        index.meters.entry(key.clone()).or_default().push(at);
                    }
                }
                _ => {}
            }
            for requester in &plan.asked {
                index.calls.entry(requester.of.clone()).or_default().push(at);
            }
            match (plan.kind, &plan.channel) {
                (FlowKind::Request, _) => index.requests.push(at),
                (kind, Some(channel)) if plan.declared => {
                    let (events, feeds) = kinds.entry(channel).or_default();
                    if kind == FlowKind::Feed { feeds.push(at) } else { *events = true }
                }
                _ => {}
            }
        }
        for (channel, (events, feeds)) in kinds {
            match (events, feeds.is_empty()) {
                (true, false) => drop(index.mixed.insert(channel.clone(), feeds)),
                (false, false) => drop(index.feeds.insert(channel.clone())),
                _ => {}
            }
        }
        for (id, plan) in &wiring.subjects {
            let keys = plan.groups.values().flatten().cloned();
            for key in keys.chain([TrafficKey::Seen { subject: plan.subject.clone() }]) {
                index.subjects.insert((plan.source.clone(), key), id.clone());
            }
        }
        index
    }
}

fn id(kind: &str, name: &str, to: &str) -> FlowId {
    FlowId::new(format!("{kind}:{}>{}", escape(name), escape(to)))
}

/// The counters of what a service was handed on a subject.
fn counters(
    state: &State,
    wiring: &Wiring,
    source: &SourceId,
    service: &ServiceId,
    on: &str,
) -> Vec<(SourceId, TrafficKey)> {
    let (Some(node), Some(memory)) = (wiring.services.get(service), state.sources.get(source)) else {
        return Vec::new();
    };
    let mut keys = BTreeSet::new();
    // What those had who have left belongs to what the service had in the last moments.
    for (_, (name, ..)) in node.clients.iter().chain(&node.left).filter(|(s, _)| s == source) {
        let from = TrafficKey::Delivered { client: name.clone(), subject: on.into(), queue: None };
        for key in memory.traffic.range(from..).map(|(key, _)| key) {
            match key {
                TrafficKey::Delivered { client, subject, .. } if client == name && &**subject == on => {
                    keys.insert((source.clone(), key.clone()));
                }
                _ => break,
            }
        }
    }
    keys.into_iter().collect()
}

/// The channel that keeps a declared subject: of the declared name, else one that takes it in; else the bare subject.
fn stored(
    state: &State,
    identity: &Identity<'_>,
    broker: Option<&Name>,
    stream: Option<&Name>,
    on: Option<&Name>,
) -> Option<ChannelId> {
    let mut here = state.channels.iter().filter(|(_, c)| identity.is_broker(broker, &c.source));
    match (stream, on) {
        (Some(stream), _) => here.find(|(_, c)| c.report.name == *stream).map(|(id, _)| id.clone()),
        (None, Some(on)) => here
            .find(|(_, c)| c.report.subjects.iter().any(|s| subject::covers(s, on)))
            .map(|(id, _)| id.clone()),
        (None, None) => None,
    }
}

/// Consumers that no declaration explains.
fn undeclared_reads(state: &State, wiring: &Wiring, taken: &BTreeMap<ConsumerId, usize>) -> Vec<FlowPlan> {
    let mut plans = Vec::new();
    for (consumer, reads) in state.consumers.iter().filter(|(id, _)| !taken.contains_key(*id)) {
        let bound = wiring.consumers.get(consumer);
        let producers = wiring.producers.get(&reads.channel);
        let channel = state.channels.get(&reads.channel);
        let keyed = channel.is_some_and(|c| c.report.kind == ChannelKind::KeyValue);
        let filters = reads.report.as_ref().map(|r| r.filters.as_slice()).unwrap_or_default();
        let label: Name = match (filters, channel) {
            ([one], _) => one.clone(),
            ([first, rest @ ..], _) => format!("{first} +{}", rest.len()).into(),
            ([], Some(channel)) => match channel.report.subjects.as_slice() {
                [one] => one.clone(),
                _ => channel.report.name.clone(),
            },
            ([], None) => reads.name.clone(),
        };
        let at = reads.seen.wall;
        let mut evidence = vec![Evidence::observed(format!("consumer {}", super::state::short(reads)), at)];
        evidence.extend(bound.into_iter().flat_map(|b| b.evidence.iter().cloned()));
        evidence.extend(producers.into_iter().flat_map(|p| p.evidence.iter().cloned()));
        plans.push(FlowPlan {
            asked: Vec::new(),
            numbers: Numbers::Consumer { shared: false },
            route: Arc::new(Route {
                id: FlowId::new(format!("consumer:{consumer}")),
                kind: if keyed { FlowKind::Feed } else { FlowKind::Event },
                kind_likely: false,
                from: producers.map(|p| p.services.clone()).unwrap_or_default(),
                from_likely: producers.is_some_and(|p| p.likely),
                to: bound.map(|b| b.services.clone()).unwrap_or_default(),
                channel: Some(reads.channel.clone()),
                label,
                consumer: Some(consumer.clone()),
                entity: None,
                declared: false,
                evidence: evidence.into(),
            }),
        });
    }
    plans
}

/// Bare subjects that somebody listens on, or that a tap saw: not those where consumers deliver, nor operations.
fn subjects(state: &State, wiring: &mut Wiring) {
    // As long as it is not known who answers requests, an operation looks like any other subject.
    for (source, memory) in state.sources.iter().filter(|(_, memory)| !memory.report.first_round) {
        let delivery: BTreeSet<&str> = state
            .consumers
            .values()
            .filter(|c| &c.source == source)
            .filter_map(|c| match c.report.as_ref().map(|r| &r.delivery) {
                Some(Delivery::Push { subject, .. }) => Some(&**subject),
                _ => None,
            })
            .collect();
        let operations: BTreeSet<&str> =
            memory.responders.values().flat_map(|r| &r.endpoints).map(|e| &*e.subject).collect();
        let bare = |s: &str| !is_internal(s) && !delivery.contains(s) && !operations.contains(s);
        let at = state.structure_at.wall;
        let stored: Vec<&Name> = state
            .channels
            .values()
            .filter(|c| &c.source == source)
            .flat_map(|c| &c.report.subjects)
            .collect();
        let own: BTreeSet<&Option<Name>> =
            memory.clients.values().filter(|c| c.own).map(|c| &c.name).collect();
        let blank = |subject: &Name, from: &str| SubjectPlan {
            source: source.clone(),
            subject: subject.clone(),
            groups: BTreeMap::new(),
            seen: false,
            kept: stored.iter().any(|s| subject::overlap(s, subject)),
            evidence: Evidence::observed(from, at),
        };
        for client in memory.clients.values().filter(|c| !c.own) {
            for s in client.subscriptions.iter().filter(|s| bare(&s.subject)) {
                let id = ChannelId::subject(source, &s.subject);
                wiring.subjects.entry(id).or_insert_with(|| blank(&s.subject, "subscriptions"));
            }
        }
        for key in memory.traffic.keys() {
            match key {
                TrafficKey::Delivered { subject, queue, client }
                    if bare(subject) && !own.contains(client) =>
                {
                    if let Some(plan) = wiring.subjects.get_mut(&ChannelId::subject(source, subject)) {
                        plan.groups.entry(queue.clone()).or_default().push(key.clone());
                    }
                }
                TrafficKey::Seen { subject } if bare(subject) => {
                    let id = ChannelId::subject(source, subject);
                    wiring.subjects.entry(id).or_insert_with(|| blank(subject, "tap")).seen = true;
                }
                _ => {}
            }
        }
    }
}

/// Services that listen on bare subjects, one flow for each.
fn listened(state: &State, wiring: &Wiring, heard: &BTreeSet<(SourceId, Name, ServiceId)>) -> Vec<FlowPlan> {
    let mut plans = Vec::new();
    for (service, node) in &wiring.services {
        let mut done = BTreeSet::new();
        for (source, key) in &node.clients {
            let Some(client) = state.sources.get(source).and_then(|m| m.clients.get(key)) else { continue };
            for s in &client.subscriptions {
                let channel = ChannelId::subject(source, &s.subject);
                let explained = heard.contains(&(source.clone(), s.subject.clone(), service.clone()));
                if explained || !wiring.subjects.contains_key(&channel) || !done.insert(channel.clone()) {
                    continue;
                }
                let from =
                    wiring.producers.get(&channel).cloned().unwrap_or_else(|| {
                        likely_producer(&s.subject, std::slice::from_ref(&s.subject), wiring)
                    });
                let not_itself = !from.services.contains(service);
                let mut evidence = vec![Evidence::observed(
                    format!("subscription on {}", s.subject),
                    state.structure_at.wall,
                )];
                evidence.extend(from.evidence.iter().filter(|_| not_itself).cloned());
                plans.push(FlowPlan {
                    asked: Vec::new(),
                    numbers: Numbers::Delivered(counters(state, wiring, source, service, &s.subject)),
                    route: Arc::new(Route {
                        id: id("subject", channel.as_str(), service.as_str()),
                        kind: FlowKind::Event,
                        kind_likely: true,
                        from: if not_itself { from.services } else { [].into() },
                        from_likely: not_itself && from.likely,
                        to: [service.clone()].into(),
                        channel: Some(channel),
                        label: s.subject.clone(),
                        consumer: None,
                        entity: None,
                        declared: false,
                        evidence: evidence.into(),
                    }),
                });
            }
        }
    }
    plans
}

/// Channels that feed channels.
fn upstreams(state: &State, wiring: &Wiring) -> Vec<FlowPlan> {
    let mut plans = Vec::new();
    for (down, channel) in &state.channels {
        for fed in &channel.report.fed_by {
            let producers = wiring.producers.get(&fed.channel);
            let upstream = state.channels.get(&fed.channel).map_or(fed.channel.as_str(), |c| &*c.report.name);
            let only = channel.report.fed_by.len() == 1
                && (channel.report.subjects.is_empty() || &*fed.how == "mirror");
            plans.push(FlowPlan {
                asked: Vec::new(),
                numbers: Numbers::Channel { only },
                route: Arc::new(Route {
                    id: id("upstream", fed.channel.as_str(), down.as_str()),
                    kind: FlowKind::Feed,
                    kind_likely: false,
                    from: producers.map(|p| p.services.clone()).unwrap_or_default(),
                    from_likely: producers.is_some_and(|p| p.likely),
                    to: [].into(),
                    channel: Some(down.clone()),
                    label: format!("{} of {upstream}", fed.how).into(),
                    consumer: None,
                    entity: None,
                    declared: false,
                    evidence: [Evidence::observed(
                        format!("configuration of {}", channel.report.name),
                        state.structure_at.wall,
                    )]
                    .into(),
                }),
            });
        }
    }
    plans
}

/// What the topology allows to the consumers of declared flows, and the copies that they feed.
fn limits(identity: &Identity<'_>, flows: &BTreeMap<FlowId, FlowPlan>, wiring: &mut Wiring) {
    for service in identity.topology.services.values() {
        let consumed = service.consumes.iter().map(|c| (FlowKind::Event, &c.event, c.max_delay));
        let followed = service.follows_feeds.iter().map(|f| (FlowKind::Feed, &f.feed, f.max_delay));
        for (kind, name, max_delay) in consumed.chain(followed) {
            let Some(plan) = flows.get(&id(kind.word(), name, service.id.as_str())) else { continue };
            let Some(bound) = plan.consumer.as_ref().and_then(|c| wiring.consumers.get_mut(c)) else {
                continue;
            };
            let bound = Arc::make_mut(bound);
            bound.max_delay = match (bound.max_delay, max_delay) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            let copies = service.copies.iter().filter(|c| c.via.as_ref() == Some(name)).map(|c| &c.entity);
            let mut feeds: Vec<EntityId> = bound.feeds.to_vec();
            for entity in copies {
                if !feeds.contains(entity) {
                    feeds.push(entity.clone());
                }
            }
            bound.feeds = feeds.into();
        }
    }
}
