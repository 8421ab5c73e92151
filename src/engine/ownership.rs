//! Who owns each kind of data, who keeps copies, who asks for it, who reacts to it.
//!
//! With a topology these are its words, with the numbers of the consumers that feed the copies. Without one there is a guess,
//! shown as such: a channel's first word names the data, the service of that name likely owns it, and whoever reads the
//! channel reacts to it; nobody is said to keep a copy.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::plans::FlowPlan;
use super::state::State;
use super::subjects::{first_word, is_internal};
use super::wiring::Wiring;
use super::words;
use crate::model::id::{ChannelId, ConsumerId, EntityId, FlowId, Name, ServiceId, escape};
use crate::model::measured::{Bounds, Measured};
use crate::model::observation::ChannelKind;
use crate::model::snapshot::{Consumer, Entity, FlowKind, Owner, Reader, Replica};
use crate::model::time::Timestamp;
use crate::topology::Topology;
use crate::topology::word::CopyMode;

/// An entity without its numbers.
#[derive(Clone, Debug)]
pub(super) struct EntityPlan {
    /// The row; numbers of copies are filled in.
    row: Entity,
    /// How each copy is kept.
    modes: Vec<Option<CopyMode>>,
    /// Channels on which it changes.
    channels: BTreeSet<ChannelId>,
}

impl EntityPlan {
    fn blank(id: &EntityId) -> Self {
        let row = Entity {
            id: id.clone(),
            owners: Vec::new(),
            replicas: Vec::new(),
            readers: Vec::new(),
            reactors: Vec::new(),
            conflicts: Vec::new(),
            last_change: None,
        };
        Self { row, modes: Vec::new(), channels: BTreeSet::new() }
    }

    /// The row with the numbers of now.
    pub(super) fn fill(&self, state: &State, consumers: &[Arc<Consumer>], at: Timestamp) -> Entity {
        let mut row = self.row.clone();
        row.last_change = self.channels.iter().filter_map(|id| state.channels.get(id)?.last_at()).max();
        for (replica, mode) in row.replicas.iter_mut().zip(&self.modes) {
            let consumer = replica.consumer.as_ref().and_then(|id| find(consumers, id));
            replica.staleness = staleness(consumer, *mode, at);
            replica.behind = behind(consumer, *mode, at);
            replica.gave_up = consumer.map_or_else(|| unknown(*mode, at), |c| c.gave_up.clone());
        }
        row
    }
}

/// The row of a consumer, of rows sorted by id.
pub(super) fn find<'r>(rows: &'r [Arc<Consumer>], id: &ConsumerId) -> Option<&'r Arc<Consumer>> {
    rows.binary_search_by(|row| row.id.cmp(id)).ok().and_then(|at| rows.get(at))
}

/// All entities, without their numbers.
pub(super) fn plan(state: &State, wiring: &Wiring, topology: &Topology) -> Vec<EntityPlan> {
    if topology.services.is_empty() {
        return guessed(state, wiring);
    }
    declared(state, wiring, topology)
}

fn declared(state: &State, wiring: &Wiring, topology: &Topology) -> Vec<EntityPlan> {
    let mut entities: BTreeMap<EntityId, EntityPlan> = BTreeMap::new();
    let at = state.structure_at.wall;
    for service in topology.services.values() {
        for owned in &service.owns {
            let entity = entities.entry(owned.entity.clone()).or_insert_with_key(EntityPlan::blank);
            entity.row.owners.push(Owner {
                service: service.id.clone(),
                store: owned.store.clone(),
                identifier: owned.identifier.as_ref().map(|i| i.to_string().into()),
                likely: false,
                evidence: owned.origin.evidence(),
            });
        }
        for copy in &service.copies {
            let entity = entities.entry(copy.entity.clone()).or_insert_with_key(EntityPlan::blank);
            let flow = copy.via.as_ref().and_then(|via| feeding(wiring, service.id.as_str(), via, copy.mode));
            entity.modes.push(copy.mode);
            entity.row.replicas.push(Replica {
                service: service.id.clone(),
                store: copy.store.clone(),
                identifier: copy.identifier.as_ref().map(|i| i.to_string().into()),
                via: copy.via.clone().unwrap_or_else(|| "".into()),
                mode: copy.mode.map_or("", CopyMode::word).into(),
                staleness: unknown(copy.mode, at),
                behind: unknown(copy.mode, at),
                gave_up: unknown(copy.mode, at),
                consumer: flow.and_then(|f| f.consumer.clone()),
                max_staleness: topology.max_staleness(&service.id, &copy.entity),
                evidence: copy.origin.evidence(),
            });
        }
    }
    for flow in &wiring.flows {
        let Some(plan) = flow.entity.as_ref().and_then(|id| entities.get_mut(id)) else { continue };
        let entity = &mut plan.row;
        for service in &*flow.to {
            if flow.kind == FlowKind::Request {
                let evidence = flow.evidence.first().cloned();
                let asks = entity.readers.iter().any(|r| r.service == *service && r.operation == flow.label);
                if let (false, Some(evidence)) = (asks, evidence) {
                    entity.readers.push(Reader {
                        service: service.clone(),
                        operation: flow.label.clone(),
                        evidence,
                    });
                }
                continue;
            }
            let keeps = entity.replicas.iter().any(|r| r.service == *service)
                || entity.owners.iter().any(|o| o.service == *service);
            if !keeps && !entity.reactors.contains(service) {
                entity.reactors.push(service.clone());
            }
        }
        if flow.kind != FlowKind::Request {
            plan.channels.extend(flow.channel.clone());
        }
    }
    for plan in entities.values_mut() {
        plan.row.conflicts = conflicts(&plan.row);
    }
    entities.into_values().collect()
}

/// The flow that keeps a copy up to date.
fn feeding<'w>(
    wiring: &'w Wiring,
    service: &str,
    via: &Name,
    mode: Option<CopyMode>,
) -> Option<&'w Arc<FlowPlan>> {
    let flows = &wiring.flows;
    let find = |kind: &str| {
        let id = FlowId::new(format!("{kind}:{}>{}", escape(via), escape(service)));
        flows.binary_search_by(|f| f.id.cmp(&id)).ok().and_then(|at| flows.get(at))
    };
    match mode {
        Some(CopyMode::Cache) => None,
        Some(CopyMode::Event) => find("event").or_else(|| find("feed")),
        _ => find("feed").or_else(|| find("event")),
    }
}

fn unknown<T>(mode: Option<CopyMode>, at: Timestamp) -> Measured<T> {
    if mode == Some(CopyMode::Cache) {
        return Measured::unknown("a cache of answers: nothing tells its age", at);
    }
    Measured::unknown(words::NO_CONSUMER.clone(), at)
}

fn staleness(row: Option<&Arc<Consumer>>, mode: Option<CopyMode>, at: Timestamp) -> Measured<Duration> {
    row.map_or_else(|| unknown(mode, at), |c| c.staleness.clone())
}

/// Changes that the copy lacks: pending and in flight together.
fn behind(row: Option<&Arc<Consumer>>, mode: Option<CopyMode>, at: Timestamp) -> Measured<u64> {
    let Some(consumer) = row else { return unknown(mode, at) };
    let bounds = match (&consumer.lag.bounds, &consumer.in_flight.bounds) {
        (Bounds::Exact(a), Bounds::Exact(b)) => Bounds::Exact(a.saturating_add(*b)),
        (Bounds::Unknown(why), _) => Bounds::Unknown(why.clone()),
        (a, b) => match (a.low(), a.high(), b.high()) {
            (Some(lo), Some(hi), Some(flying)) => Bounds::between(*lo, hi.saturating_add(*flying)),
            (Some(lo), ..) => Bounds::AtLeast(*lo),
            (None, ..) => Bounds::Unknown(words::NOT_REPORTED.clone()),
        },
    };
    Measured::new(bounds, consumer.lag.at, words::BY_SUM.clone())
}

/// What does not agree about an entity.
fn conflicts(entity: &Entity) -> Vec<Name> {
    let mut out: Vec<Name> = Vec::new();
    let owners: Vec<&str> = entity.owners.iter().map(|o| o.service.as_str()).collect();
    if owners.len() > 1 {
        out.push(format!("{} owners: {}", owners.len(), owners.join(", ")).into());
    }
    if owners.is_empty() {
        out.push("nobody owns it".into());
    }
    let mut by: BTreeMap<&Name, Vec<&str>> = BTreeMap::new();
    let owned = entity.owners.iter().map(|o| (&o.identifier, &o.service));
    for (identifier, service) in owned.chain(entity.replicas.iter().map(|r| (&r.identifier, &r.service))) {
        if let Some(identifier) = identifier {
            let services = by.entry(identifier).or_default();
            if !services.contains(&service.as_str()) {
                services.push(service.as_str());
            }
        }
    }
    if by.len() > 1 {
        let parts: Vec<String> = by
            .iter()
            .map(|(identifier, services)| format!("{identifier} in {}", services.join(", ")))
            .collect();
        out.push(format!("identified by {}", parts.join("; by ")).into());
    }
    out
}

/// Without a topology: one entity for each first word of a channel's subjects.
fn guessed(state: &State, wiring: &Wiring) -> Vec<EntityPlan> {
    let mut readers: BTreeMap<&ChannelId, BTreeSet<&ServiceId>> = BTreeMap::new();
    for (consumer, bound) in state.consumers.values().zip(wiring.consumers.values()) {
        readers.entry(&consumer.channel).or_default().extend(&*bound.services);
    }
    let mut entities: BTreeMap<EntityId, EntityPlan> = BTreeMap::new();
    for (id, channel) in &state.channels {
        let report = &channel.report;
        let words: BTreeSet<&str> =
            report.subjects.iter().filter(|s| !is_internal(s)).filter_map(|s| first_word(s)).collect();
        let keyed = report.kind == ChannelKind::KeyValue;
        let name = match (words.first(), words.len()) {
            (Some(word), 1) => (*word).to_owned(),
            _ if keyed => report.name.strip_prefix("KV_").unwrap_or(&report.name).to_owned(),
            _ if report.fed_by.is_empty() => report.name.to_lowercase(),
            _ => continue,
        };
        let plan = entities.entry(EntityId::new(name.as_str())).or_insert_with_key(EntityPlan::blank);
        plan.channels.insert(id.clone());
        let entity = &mut plan.row;
        if let Some(producers) = wiring.producers.get(id) {
            for service in &*producers.services {
                if !entity.owners.iter().any(|o| &o.service == service) {
                    entity.owners.push(Owner {
                        service: service.clone(),
                        store: None,
                        identifier: None,
                        likely: true,
                        evidence: producers
                            .evidence
                            .first()
                            .cloned()
                            .unwrap_or_else(|| crate::model::measured::Evidence::inferred("rule: same name")),
                    });
                }
            }
        }
        let owners: BTreeSet<&ServiceId> = entity.owners.iter().map(|o| &o.service).collect();
        let reacting = readers.get(id).into_iter().flatten().filter(|s| !owners.contains(*s));
        let reactors: BTreeSet<ServiceId> =
            entity.reactors.iter().chain(reacting.copied()).cloned().collect();
        entity.reactors = reactors.into_iter().collect();
    }
    entities.into_values().collect()
}
