//! How services fare, everything taken together: their health checks, their connections, their stores.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::health::badness;
use super::rates::{Meter, Windows, rates_together};
use super::state::State;
use super::status::Presence;
use super::subjects::same_word;
use super::wiring::{Node, Wiring};
use super::words;
use crate::model::id::{Name, ServiceId, SourceId, StoreId};
use crate::model::measured::Measured;
use crate::model::observation::{ClientReport, HealthState, Library, ResponderReport};
use crate::model::snapshot::{Accessor, Service, Since, Store, Thing};
use crate::model::time::{Stamp, Timestamp};
use crate::model::traffic::TrafficKey;
use crate::topology::Topology;
use crate::topology::word::Access;

/// What is remembered of a service from one look to the next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ServiceMemory {
    pub(super) state: HealthState,
    pub(super) why: Name,
    pub(super) since: Since,
    /// It has been connected while watching.
    connected: bool,
    /// Nothing has been known of it so far.
    untold: bool,
    /// One of its health checks has answered.
    #[serde(default)]
    checked: bool,
}

/// Looks at every service; what changed goes to the list of changes. Returns whether anything did.
pub(super) fn judge(state: &mut State, wiring: &Wiring, now: &Stamp) -> bool {
    let mut changed = false;
    let mut memories = std::mem::take(&mut state.services);
    memories.retain(|id, _| wiring.services.contains_key(id));
    for (id, node) in &wiring.services {
        let open = connections(state, node);
        let mut memory = memories.remove(id).unwrap_or_else(|| ServiceMemory {
            state: HealthState::Unknown,
            why: "".into(),
            since: Since { at: now.wall, or_earlier: true },
            connected: false,
            untold: true,
            checked: false,
        });
        memory.connected |= open.is_some_and(|n| n > 0);
        let (new, why) = if only_named(id, node, state, wiring) {
            (HealthState::Unknown, "known only by a consumer; no connection bears its name".into())
        } else {
            verdict(state, id, node, open, memory.connected)
        };
        changed |= new != memory.state || why != memory.why;
        let checked = state.health.contains_key(id);
        let first_word = memory.untold || (checked && !memory.checked);
        memory.checked = checked;
        if new != memory.state {
            if first_word {
                // The first thing that is known of it, or that its check says: it was so before, too.
                memory.since = Since { at: now.wall, or_earlier: true };
            } else {
                memory.since = Since { at: now.wall, or_earlier: false };
                // That a program disconnected has been told.
                if why != *words::LEFT {
                    let text = format!("{id} is {}: {why}", new.in_words());
                    state.changes.push(now, Some(Thing::Service(id.clone())), text);
                }
            }
            memory.untold = false;
            memory.state = new;
        }
        memory.why = why;
        memories.insert(id.clone(), memory);
    }
    state.services = memories;
    changed
}

/// Open connections of a service; `None` where nobody lists them.
fn connections(state: &State, node: &Node) -> Option<u32> {
    let listed = state.sources.values().any(|s| s.clients_listed.is_some());
    listed.then(|| clients(state, node).map(|c| c.connections).fold(0, u32::saturating_add))
}

fn clients<'s>(state: &'s State, node: &'s Node) -> impl Iterator<Item = &'s Arc<ClientReport>> {
    node.clients.iter().filter_map(|(source, key)| state.sources.get(source)?.clients.get(key))
}

fn responders<'s>(state: &'s State, node: &'s Node) -> impl Iterator<Item = &'s Arc<ResponderReport>> {
    node.responders.iter().filter_map(|(source, name)| state.sources.get(source)?.responders.get(name))
}

/// The state of a service and why: never more than is known.
fn verdict(
    state: &State,
    id: &ServiceId,
    node: &Node,
    open: Option<u32>,
    was_connected: bool,
) -> (HealthState, Name) {
    let checks = state.health.get(id).into_iter().flatten();
    let worst = checks.max_by_key(|(name, check)| (badness(check.report.state), std::cmp::Reverse(*name)));
    let lost = was_connected && open == Some(0);
    if let Some((name, check)) = worst {
        let told = check.report.state;
        let why: Name = match &*check.report.detail {
            "" => format!("{name}: {}", told.in_words()).into(),
            detail => format!("{name}: {detail}").into(),
        };
        return match told {
            HealthState::Unreachable | HealthState::Degraded | HealthState::Down if lost => {
                let state = if told == HealthState::Unreachable { HealthState::Down } else { told };
                (state, format!("{why}; no connection any more").into())
            }
            HealthState::Unreachable if open.is_some_and(|n| n > 0) => {
                (HealthState::Unreachable, format!("{why}; connected to the broker").into())
            }
            told => (told, why),
        };
    }
    match open {
        Some(1..) => (HealthState::Up, "connected, no health check".into()),
        // Who is declared, or bears a consumer's name, is missed. Anybody else may have done what he came for.
        Some(0) if lost && (node.declared || !node.consumers.is_empty()) => {
            (HealthState::Down, "no connection any more, no health check".into())
        }
        Some(0) if lost => (HealthState::Unknown, words::LEFT.clone()),
        _ if responders(state, node).next().is_some() => {
            (HealthState::Up, "answers requests, no health check".into())
        }
        Some(0) if node.declared && node.consumers.is_empty() => {
            (HealthState::Unknown, "declared, not seen".into())
        }
        Some(_) => (HealthState::Unknown, "no connection bears its name".into()),
        None => (HealthState::Unknown, words::NOT_LISTED.clone()),
    }
}

/// Whether nothing but names of consumers speaks of a service, and nobody without a name of his own is connected who may
/// be it.
fn only_named(id: &ServiceId, node: &Node, state: &State, wiring: &Wiring) -> bool {
    let gone = |id| wiring.consumers.get(id).is_some_and(|bound| bound.presence == Presence::Gone);
    let silent = node.clients.is_empty() && node.left.is_empty() && node.responders.is_empty();
    let named = !node.consumers.is_empty() && node.consumers.iter().all(gone);
    !node.declared && silent && named && !state.health.contains_key(id)
}

/// The row of a service.
pub(super) fn row(
    id: &ServiceId,
    node: &Node,
    state: &State,
    wiring: &Wiring,
    topology: &Topology,
    windows: Windows,
) -> Service {
    let declared = topology.services.get(id);
    let memory = state.services.get(id);
    let at = state
        .sources
        .values()
        .filter_map(|s| s.clients_listed)
        .max_by_key(|at| at.mono)
        .unwrap_or(state.structure_at)
        .wall;
    let clients: Vec<Arc<ClientReport>> = clients(state, node).cloned().collect();
    let libraries: BTreeSet<Library> = clients.iter().flat_map(|c| c.libraries.iter().cloned()).collect();
    Service {
        id: id.clone(),
        team: topology.team_of(id).cloned(),
        domain: topology.domain_of(id).cloned(),
        declared: node.declared,
        only_named: only_named(id, node, state, wiring),
        state: memory.map_or(HealthState::Unknown, |m| m.state),
        why: memory.map_or_else(|| words::NAME_ONLY.clone(), |m| m.why.clone()),
        since: memory.map_or(Since { at, or_earlier: true }, |m| m.since),
        health: state.health.get(id).into_iter().flatten().map(|(_, check)| check.row()).collect(),
        connections: match connections(state, node) {
            Some(open) => Measured::exact(open, at, words::BY_CONNECTIONS.clone()),
            None => Measured::unknown(words::NOT_LISTED.clone(), at),
        },
        libraries: libraries.into_iter().collect(),
        responders: responders(state, node).cloned().collect(),
        stores: declared.map(|s| s.stores.clone()).unwrap_or_default(),
        owns: declared.map(|s| s.owns.iter().map(|o| o.entity.clone()).collect()).unwrap_or_default(),
        copies: declared.map(|s| s.copies.iter().map(|c| c.entity.clone()).collect()).unwrap_or_default(),
        consumers: node.consumers.clone(),
        flows_out: node.flows_out.clone(),
        flows_in: node.flows_in.clone(),
        published_rate: published(node, state, windows),
        evidence: node.evidence.clone(),
        clients,
    }
}

/// Services that were connected until a source was lost, and have no connection since it is back; with when it was lost.
pub(super) fn not_back(
    state: &State,
    wiring: &Wiring,
) -> BTreeMap<SourceId, (Timestamp, BTreeSet<ServiceId>)> {
    let mut not_back: BTreeMap<SourceId, (Timestamp, BTreeSet<ServiceId>)> = BTreeMap::new();
    for (id, node) in wiring.services.iter().filter(|(_, node)| node.clients.is_empty()) {
        let lost =
            node.left.iter().map(|(source, key)| Some((source, state.sources.get(source)?.left.get(key)?)));
        // Whose last program left by itself is no matter of the broker.
        let newest = lost.flatten().max_by_key(|(_, left)| left.at.mono);
        if let Some((source, at)) = newest.and_then(|(source, left)| Some((source, left.with?))) {
            let (_, services) = not_back.entry(source.clone()).or_insert_with(|| (at, BTreeSet::new()));
            services.insert(id.clone());
        }
    }
    not_back
}

/// What the broker took in from the service's connections.
fn published(node: &Node, state: &State, windows: Windows) -> Measured<f64> {
    let programs = node.clients.iter().chain(&node.left);
    let names: BTreeSet<_> = programs.map(|(source, (name, ..))| (source, name)).collect();
    let meter = |(source, name): (&SourceId, &Option<Name>)| {
        state.sources.get(source)?.traffic.get(&TrafficKey::Published { client: name.clone() })
    };
    let meters: Vec<&Meter> = names.into_iter().filter_map(meter).collect();
    let at = meters.iter().map(|meter| meter.counted.wall).max();
    match (rates_together(&meters, windows.rate), at) {
        (Some(rates), Some(at)) => Measured::exact(rates.messages, at, words::BY_PUBLISHED.clone()),
        _ => Measured::unknown(words::NOT_COUNTED.clone(), state.structure_at.wall),
    }
}

/// The rows of all stores.
pub(super) fn stores(state: &State, topology: &Topology) -> Vec<Store> {
    topology
        .stores
        .values()
        .map(|store| {
            let owner = topology.services.get(&store.service);
            let single = owner.is_some_and(|s| s.stores.len() == 1);
            let (health, why) =
                component(state, &store.service, &store.id, store.technology.as_deref(), single);
            Store {
                id: store.id.clone(),
                kind: store.kind.map_or("", |k| k.word()).into(),
                technology: store.technology.clone(),
                reason: store.reason.clone(),
                service: store.service.clone(),
                state: health,
                why,
                accessors: accessors(topology, &store.id),
            }
        })
        .collect()
}

/// What the owner's health checks say of a store: the component of its id or technology, or just "database" where the service
/// has one store.
fn component(
    state: &State,
    service: &ServiceId,
    store: &StoreId,
    technology: Option<&str>,
    single: bool,
) -> (HealthState, Name) {
    let components = state
        .health
        .get(service)
        .into_iter()
        .flat_map(|checks| checks.values())
        .flat_map(|check| &check.report.components);
    let found = components
        .filter(|c| {
            same_word(&c.name, store.as_str())
                || technology.is_some_and(|t| same_word(&c.name, t))
                || (single && ["db", "database", "store"].iter().any(|word| same_word(&c.name, word)))
        })
        .max_by_key(|c| badness(c.state));
    match found {
        Some(c) if c.detail.is_empty() => (c.state, c.state.in_words().into()),
        Some(c) => (c.state, c.detail.clone()),
        None => (HealthState::Unknown, "no health check tells of it".into()),
    }
}

fn accessors(topology: &Topology, store: &StoreId) -> Vec<Accessor> {
    topology
        .accessors(store)
        .into_iter()
        .map(|touched| Accessor {
            service: touched.service.id.clone(),
            access: match touched.access {
                Some(Access::Read) => "read",
                Some(Access::Write | Access::ReadWrite) => "write",
                None => "unknown",
            }
            .into(),
            evidence: touched.origin.evidence(),
        })
        .collect()
}
