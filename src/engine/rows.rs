//! Rows of the snapshot, made anew only when something in them changed.
//!
//! Lists are sorted by id and shared. After a change of wiring they are put in order again, and rows whose plan and numbers
//! are the same stay; else only the rows of what is dirty are looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::consumers::ConsumerState;
use super::rates::Windows;
use super::state::{Dirty, State};
use super::wiring::{Bound, Wiring};
use super::{causes, flows, services, sorted, totals};
use crate::model::id::{ChannelId, ConsumerId, EntityId, ServiceId, SourceId, StoreId};
use crate::model::measured::{Bounds, Evidence};
use crate::model::snapshot::{Cause, Channel, Consumer, Entity, Flow, Service, Source, Store, Totals};
use crate::model::time::Stamp;
use crate::topology::Topology;

/// Rows as they were made last.
#[derive(Debug, Default)]
pub(super) struct Cache {
    sources: BTreeMap<SourceId, Arc<Source>>,
    services: BTreeMap<ServiceId, Arc<Service>>,
    stores: BTreeMap<StoreId, Arc<Store>>,
    entities: BTreeMap<EntityId, Arc<Entity>>,
    channels: BTreeMap<ChannelId, Arc<Channel>>,
    consumers: Vec<Arc<Consumer>>,
    /// In the order of the wiring's plans.
    flows: Vec<Arc<Flow>>,
    /// After a change of wiring: the rows that stay, in the new order, with gaps for those that are new.
    reordered: Option<Vec<Option<Arc<Flow>>>>,
    causes: Vec<Cause>,
    /// The revision up to which everything has been looked at.
    seen: Option<u64>,
}

/// What rows are made of.
pub(super) struct Inputs<'a> {
    pub(super) cache: &'a mut Cache,
    pub(super) state: &'a mut State,
    pub(super) wiring: &'a Wiring,
    pub(super) topology: &'a Topology,
    pub(super) windows: Windows,
    pub(super) now: Stamp,
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
    let Inputs { cache, state, wiring, topology, windows, now } = inputs;
    let dirty = std::mem::take(&mut state.dirty);
    let rewired = cache.reordered.is_some();
    let moved = rewired || cache.seen != Some(state.revision);
    cache.seen = Some(state.revision);
    if moved {
        cache.consumers(state, wiring, windows, &dirty, rewired);
        cache.channels(state, wiring, windows, &dirty, rewired);
        cache.flows(state, wiring, windows, &dirty);
        keep(&mut cache.sources, state.sources.iter().map(|(id, s)| (id.clone(), s.row(id, windows))));
        let consumers = &cache.consumers;
        let entities = wiring.entities.iter().map(|e| e.fill(state, consumers, state.structure_at.wall));
        keep(&mut cache.entities, entities.map(|e| (e.id.clone(), e)));
    }
    if rewired || dirty.services {
        keep(&mut cache.stores, services::stores(state, topology).into_iter().map(|s| (s.id.clone(), s)));
        let rows = wiring.services.iter();
        let rows =
            rows.map(|(id, node)| (id.clone(), services::row(id, node, state, wiring, topology, windows)));
        keep(&mut cache.services, rows);
    }
    let channels = sorted(&cache.channels);
    let totals = totals::totals(state, wiring, &channels, &cache.flows, &now);
    let (sources, stores, entities) =
        (sorted(&cache.sources), sorted(&cache.stores), sorted(&cache.entities));
    if moved || dirty.services {
        cache.causes = causes::causes(&causes::Rows {
            sources: &sources,
            services: &cache.services,
            stores: &stores,
            entities: &entities,
            consumers: &cache.consumers,
            requests: wiring.index.requests.iter().filter_map(|at| cache.flows.get(*at)).collect(),
        });
    }
    Built {
        sources,
        services: sorted(&cache.services),
        stores,
        entities,
        channels,
        consumers: cache.consumers.clone(),
        flows: cache.flows.clone(),
        causes: cache.causes.clone(),
        totals,
    }
}

impl Cache {
    /// Puts the lists in the order of a new wiring. What was known of a thing that is still wired the same stays; the rest is
    /// dirty.
    pub(super) fn rewired(&mut self, state: &mut State, before: &Wiring, now: &Wiring) {
        let mut rows = std::mem::take(&mut self.flows).into_iter().zip(&before.flows).peekable();
        let mut reordered = Vec::with_capacity(now.flows.len());
        for plan in &now.flows {
            while rows.peek().is_some_and(|(_, old)| old.id < plan.id) {
                rows.next();
            }
            let same = rows.next_if(|(_, old)| old.id == plan.id).filter(|(_, old)| *old == plan);
            reordered.push(same.map(|(row, _)| row));
        }
        self.reordered = Some(reordered);
        let mut old = before.consumers.iter().peekable();
        for (id, bound) in &now.consumers {
            while old.peek().is_some_and(|(before, _)| *before < id) {
                old.next();
            }
            if old.next_if(|(before, _)| *before == id).is_none_or(|(_, before)| before != bound) {
                state.dirty.consumers.push(id.clone());
            }
        }
    }

    fn consumers(
        &mut self,
        state: &mut State,
        wiring: &Wiring,
        windows: Windows,
        dirty: &Dirty,
        rewired: bool,
    ) {
        let changed: BTreeSet<&ConsumerId> = dirty.consumers.iter().collect();
        let mut made = Vec::with_capacity(changed.len());
        for id in changed {
            let Some(consumer) = state.consumers.get_mut(id) else { continue };
            let bound = wiring.consumers.get(id);
            let presence = bound.map_or(super::status::Presence::NotKnown, |b| b.presence);
            let service = bound.and_then(|b| b.services.first()).map(ServiceId::as_str);
            consumer.judge(presence, service);
            consumer.measure(windows);
            made.push(Arc::new(consumer_row(consumer, bound, windows)));
        }
        if !rewired {
            for row in made {
                let at = self.consumers.binary_search_by(|old| old.id.cmp(&row.id));
                if let Some(place) = at.ok().and_then(|at| self.consumers.get_mut(at)) {
                    *place = row;
                }
            }
            return;
        }
        let mut made = made.into_iter().peekable();
        let mut old = std::mem::take(&mut self.consumers).into_iter().peekable();
        for id in state.consumers.keys() {
            while old.next_if(|row| row.id < *id).is_some() {}
            let before = old.next_if(|row| row.id == *id);
            let now = made.next_if(|row| row.id == *id);
            self.consumers.extend(now.or(before));
        }
    }

    fn channels(&mut self, state: &State, wiring: &Wiring, windows: Windows, dirty: &Dirty, rewired: bool) {
        let row = |id: &ChannelId| {
            let channel = state.channels.get(id)?;
            let evidence =
                Evidence::observed(format!("stream list of {}", channel.source), channel.polled.wall);
            Some(Arc::new(Channel {
                report: channel.report.clone(),
                source: channel.source.clone(),
                rate: channel.rate(windows),
                bytes_rate: channel.bytes_rate(windows),
                history: channel.history.clone(),
                producers: wiring.producers.get(id).map(|p| p.services.clone()).unwrap_or_default(),
                evidence,
            }))
        };
        let bare = |id: &ChannelId| {
            let plan = wiring.subjects.get(id)?;
            Some(Arc::new(flows::subject_row(id, plan, state, windows)))
        };
        if rewired {
            let kept = state.channels.keys().filter_map(|id| Some((id.clone(), row(id)?)));
            let bare = wiring.subjects.keys().filter_map(|id| Some((id.clone(), bare(id)?)));
            self.channels = kept.chain(bare).collect();
            return;
        }
        for id in &dirty.channels {
            if let Some(row) = row(id) {
                self.channels.insert(id.clone(), row);
            }
        }
        let subjects: BTreeSet<&ChannelId> =
            dirty.meters.iter().filter_map(|key| wiring.index.subjects.get(key)).collect();
        for id in subjects {
            if let Some(row) = bare(id) {
                self.channels.insert(id.clone(), row);
            }
        }
    }

    fn flows(&mut self, state: &State, wiring: &Wiring, windows: Windows, dirty: &Dirty) {
        let index = &wiring.index;
        let of_consumers = dirty.consumers.iter().filter_map(|id| index.consumers.get(id));
        let of_channels = dirty.channels.iter().filter_map(|id| index.channels.get(id));
        let of_meters = dirty.meters.iter().filter_map(|key| index.meters.get(key));
        let changed: BTreeSet<usize> =
            of_consumers.chain(of_channels).chain(of_meters).flatten().copied().collect();
        let make = |at: usize| {
            let plan = wiring.flows.get(at)?;
            Some(Arc::new(flows::row(plan, state, windows)))
        };
        if let Some(reordered) = self.reordered.take() {
            let rows = reordered.into_iter().enumerate();
            self.flows = rows
                .filter_map(|(at, row)| row.filter(|_| !changed.contains(&at)).or_else(|| make(at)))
                .collect();
            return;
        }
        for at in changed {
            if let (Some(place), Some(row)) = (self.flows.get_mut(at), make(at)) {
                *place = row;
            }
        }
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

fn consumer_row(consumer: &ConsumerState, bound: Option<&Bound>, windows: Windows) -> Consumer {
    let acked_rate = consumer.figures.acked_rate.clone();
    let known = bound.map_or(&[][..], |b| &b.evidence);
    let mut evidence = Vec::with_capacity(2 + known.len());
    if let Some(polled) = consumer.polled {
        evidence.push(Evidence::observed(consumer.listed_by.clone(), polled.wall));
    } else {
        evidence
            .push(Evidence::observed(format!("consumer names of {}", consumer.source), consumer.seen.wall));
    }
    if let Some(backlog) = &consumer.backlog {
        evidence.push(Evidence::observed(backlog.how.clone(), consumer.staleness.at));
    }
    evidence.extend_from_slice(known);
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
        staleness: consumer.staleness.clone(),
        delivered_rate: consumer.delivered_rate(windows),
        drain,
        acked_rate,
        status: consumer.status,
        why: consumer.why.clone(),
        since: consumer.since,
        trend: consumer.trend(),
        delay: consumer.figures.delay.clone(),
        acks: consumer.figures.acks.clone(),
        max_delay: bound.and_then(|b| b.max_delay),
        feeds: bound.map(|b| b.feeds.clone()).unwrap_or_default(),
        lag_history: consumer.lag_history.clone(),
        staleness_history: consumer.staleness_history.clone(),
        evidence,
    }
}
