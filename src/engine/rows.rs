//! Rows of the snapshot, made anew only when something in them changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::plans::FlowPlan;
use super::rates::Windows;
use super::state::State;
use super::wiring::{Bound, Wiring};
use super::{causes, flows, ownership, services, sorted, totals};
use crate::model::id::{ChannelId, ConsumerId, EntityId, ServiceId, SourceId, StoreId};
use crate::model::measured::{Bounds, Evidence, Measured};
use crate::model::snapshot::{Cause, Channel, Consumer, Entity, Flow, Service, Source, Store, Totals};
use crate::model::time::Stamp;
use crate::topology::Topology;

/// Rows as they were made last, with the revision that they show.
#[derive(Debug, Default)]
pub(super) struct Cache {
    sources: BTreeMap<SourceId, Arc<Source>>,
    services: BTreeMap<ServiceId, Arc<Service>>,
    stores: BTreeMap<StoreId, Arc<Store>>,
    entities: BTreeMap<EntityId, Arc<Entity>>,
    channels: BTreeMap<ChannelId, (u64, Arc<Channel>)>,
    consumers: BTreeMap<ConsumerId, Arc<Consumer>>,
    shown: BTreeMap<ConsumerId, u64>,
    /// Sorted by id, like the plans that they show.
    flows: Vec<Kept>,
    rows: Vec<Arc<Flow>>,
    /// The revision up to which everything has been looked at.
    seen: u64,
}

#[derive(Debug)]
struct Kept {
    plan: Arc<FlowPlan>,
    revision: u64,
}

/// What rows are made of.
pub(super) struct Inputs<'a> {
    pub(super) cache: &'a mut Cache,
    pub(super) state: &'a mut State,
    pub(super) wiring: &'a Wiring,
    pub(super) topology: &'a Topology,
    pub(super) windows: Windows,
    pub(super) now: Stamp,
    pub(super) rewired: bool,
}

/// All rows.
pub(super) struct Built {
    pub(super) sources: Vec<Arc<Source>>,
    pub(super) services: Vec<Arc<Service>>,
    pub(super) stores: Vec<Arc<Store>>,
    pub(super) entities: Vec<Arc<Entity>>,
    pub(super) channels: Vec<Arc<Channel>>,
    pub(super) consumers: Vec<Arc<Consumer>>,
    pub(super) flows: Vec<Arc<Flow>>,
    pub(super) causes: Vec<Cause>,
    pub(super) totals: Totals,
}

pub(super) fn build(inputs: Inputs<'_>) -> Built {
    let Inputs { cache, state, wiring, topology, windows, now, rewired } = inputs;
    let moved = cache.seen != state.revision || rewired;
    consumers(cache, state, wiring, windows, rewired);
    if moved {
        channels(cache, state, wiring, windows, rewired);
        flow_rows(cache, state, wiring, windows, rewired);
        keep(&mut cache.sources, state.sources.iter().map(|(id, s)| (id.clone(), s.row(id, windows))));
        keep(&mut cache.stores, services::stores(state, topology).into_iter().map(|s| (s.id.clone(), s)));
    }
    // A service's state can change with time alone, its other numbers cannot.
    keep(
        &mut cache.services,
        wiring
            .services
            .iter()
            .map(|(id, node)| (id.clone(), services::row(id, node, state, topology, windows))),
    );
    let rows = ownership::Rows { consumers: &cache.consumers, flows: &cache.rows };
    let entities = ownership::entities(state, wiring, topology, &rows, state.latest.wall);
    keep(&mut cache.entities, entities.into_iter().map(|e| (e.id.clone(), e)));
    cache.seen = state.revision;

    let channels: Vec<Arc<Channel>> = cache.channels.values().map(|(_, row)| row.clone()).collect();
    let totals = totals::totals(state, &channels, &cache.rows, &now);
    let (sources, stores, entities) =
        (sorted(&cache.sources), sorted(&cache.stores), sorted(&cache.entities));
    let causes = causes::causes(&causes::Rows {
        sources: &sources,
        services: &cache.services,
        stores: &stores,
        entities: &entities,
        consumers: cache.consumers.values().collect(),
        flows: &cache.rows,
    });
    Built {
        sources,
        services: sorted(&cache.services),
        stores,
        entities,
        channels,
        consumers: sorted(&cache.consumers),
        flows: cache.rows.clone(),
        causes,
        totals,
    }
}

/// Puts rows in the place of those before, but keeps what is the same.
fn keep<K: Ord, R: PartialEq>(old: &mut BTreeMap<K, Arc<R>>, rows: impl Iterator<Item = (K, R)>) {
    let mut before = std::mem::take(old);
    *old = rows
        .map(|(id, row)| {
            let kept = before.remove(&id).filter(|b| **b == row);
            (id, kept.unwrap_or_else(|| Arc::new(row)))
        })
        .collect();
}

fn consumers(cache: &mut Cache, state: &mut State, wiring: &Wiring, windows: Windows, rewired: bool) {
    let State { consumers, channels, sources, revision, .. } = state;
    cache.consumers.retain(|id, _| consumers.contains_key(id));
    cache.shown.retain(|id, _| consumers.contains_key(id));
    for (id, consumer) in consumers.iter_mut() {
        let source = sources.get(&consumer.source);
        let fresh = cache.shown.get(id).is_some_and(|shown| *shown >= consumer.revision);
        if fresh && !rewired {
            continue;
        }
        let bound = wiring.consumers.get(id);
        let presence = bound.map_or(super::status::Presence::NotKnown, |b| b.presence);
        let service = bound.and_then(|b| b.services.first()).map(crate::model::id::ServiceId::as_str);
        consumer.judge(presence, service);
        let empty = BTreeMap::new();
        let clocks = source.map_or(&empty, |s| &s.clocks);
        let channel = channels.get(&consumer.channel).map(|c| &c.report);
        let staleness = consumer.staleness(clocks, channel);
        consumer.draw(&staleness);
        let row = consumer_row(consumer, bound, staleness, windows);
        cache.shown.insert(id.clone(), *revision);
        cache.consumers.insert(id.clone(), Arc::new(row));
    }
}

fn consumer_row(
    consumer: &super::consumers::ConsumerState,
    bound: Option<&Bound>,
    staleness: Measured<std::time::Duration>,
    windows: Windows,
) -> Consumer {
    let acked_rate = consumer.acked_rate(windows);
    let mut evidence = Vec::new();
    if let Some(polled) = consumer.polled {
        evidence.push(Evidence::observed(format!("consumer list of {}", consumer.source), polled.wall));
    } else {
        evidence
            .push(Evidence::observed(format!("consumer names of {}", consumer.source), consumer.seen.wall));
    }
    if let Some(backlog) = &consumer.backlog {
        evidence.push(Evidence::observed(backlog.how.clone(), staleness.at));
    }
    evidence.extend(bound.into_iter().flat_map(|b| b.evidence.iter().cloned()));
    let drain = consumer.drain(match &acked_rate.bounds {
        Bounds::Between { lo, hi } => Some(f64::midpoint(*lo, *hi)),
        bounds => bounds.low().copied(),
    });
    Consumer {
        report: consumer.report.clone(),
        id: consumer.id.clone(),
        name: consumer.name.clone(),
        channel: consumer.channel.clone(),
        source: consumer.source.clone(),
        services: bound.map(|b| b.services.clone()).unwrap_or_default(),
        services_likely: bound.is_some_and(|b| b.likely),
        lag: consumer.told(|r| &r.lag),
        in_flight: consumer.told(|r| &r.in_flight),
        redelivered: consumer.told(|r| &r.redelivered),
        gave_up: consumer.gave_up(),
        staleness,
        delivered_rate: consumer.delivered_rate(windows),
        drain,
        acked_rate,
        status: consumer.status,
        why: consumer.why.clone(),
        since: consumer.since,
        trend: consumer.trend(),
        delay: consumer.delay(windows),
        max_delay: bound.and_then(|b| b.max_delay),
        feeds: bound.map(|b| b.feeds.clone()).unwrap_or_default(),
        lag_history: consumer.lag_history.clone(),
        staleness_history: consumer.staleness_history.clone(),
        evidence,
    }
}

fn channels(cache: &mut Cache, state: &State, wiring: &Wiring, windows: Windows, rewired: bool) {
    cache.channels.retain(|id, _| state.channels.contains_key(id) || wiring.subjects.contains_key(id));
    for (id, channel) in &state.channels {
        if !rewired && cache.channels.get(id).is_some_and(|(shown, _)| *shown >= channel.revision) {
            continue;
        }
        let row = Channel {
            report: channel.report.clone(),
            source: channel.source.clone(),
            rate: channel.rate(windows),
            bytes_rate: channel.bytes_rate(windows),
            history: channel.history.clone(),
            producers: wiring.producers.get(id).map(|p| p.services.clone()).unwrap_or_default(),
            evidence: Evidence::observed(format!("stream list of {}", channel.source), channel.polled.wall),
        };
        cache.channels.insert(id.clone(), (state.revision, Arc::new(row)));
    }
    for (id, plan) in &wiring.subjects {
        let revision = flows::subject_revision(plan, state);
        if !rewired && cache.channels.get(id).is_some_and(|(shown, _)| *shown >= revision) {
            continue;
        }
        cache
            .channels
            .insert(id.clone(), (state.revision, Arc::new(flows::subject_row(id, plan, state, windows))));
    }
}

fn flow_rows(cache: &mut Cache, state: &State, wiring: &Wiring, windows: Windows, rewired: bool) {
    let make = |plan: &FlowPlan| Arc::new(flows::row(plan, state, windows));
    if rewired {
        let kept = std::mem::take(&mut cache.flows);
        let rows = std::mem::take(&mut cache.rows);
        let mut before = kept.into_iter().zip(rows).peekable();
        for plan in &wiring.flows {
            while before.peek().is_some_and(|(k, _)| k.plan.id < plan.id) {
                before.next();
            }
            let same = before.peek().filter(|(k, _)| k.plan.id == plan.id && *k.plan == **plan);
            let revision = flows::revision(plan, state);
            let row = match same {
                Some((k, row)) if k.revision >= revision => row.clone(),
                _ => make(plan),
            };
            cache.flows.push(Kept { plan: plan.clone(), revision: state.revision });
            cache.rows.push(row);
        }
        return;
    }
    for (kept, row) in cache.flows.iter_mut().zip(&mut cache.rows) {
        if flows::revision(&kept.plan, state) > kept.revision {
            *row = make(&kept.plan);
            kept.revision = state.revision;
        }
    }
}
