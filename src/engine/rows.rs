//! Rows of the snapshot, made anew only when something in them changed.
//!
//! Lists are sorted by id and shared. After a change of wiring they are put in order again, and rows whose plan and numbers
//! are the same stay; else only the rows of what is dirty are looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::consumers::ConsumerState;
use super::rates::Windows;
use super::state::{Dirty, Stale, State};
use super::wiring::Wiring;
use super::{causes, flows, services, sorted, totals, traces};
use crate::model::id::{ChannelId, ConsumerId, EntityId, ServiceId, SourceId, StoreId};
use crate::model::measured::Evidence;
use crate::model::message::SearchReport;
use crate::model::snapshot::{
    Cause, Channel, Consumer, ConsumerIdentity, Entity, Flow, Service, Source, Store, Totals,
};
use crate::model::tap::{HeardMessage, TapReport};
use crate::model::time::Stamp;
use crate::model::trace::Trace;
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
    /// The places of consumers that need a person.
    ailing: BTreeSet<usize>,
    /// In the order of the wiring's plans.
    flows: Vec<Arc<Flow>>,
    /// The wiring is another one than at the last look.
    rewired: bool,
    causes: Vec<Cause>,
    traces: Arc<[Trace]>,
    searches: Arc<[SearchReport]>,
    taps: Arc<[Arc<TapReport>]>,
    heard: Arc<[Arc<HeardMessage>]>,
    /// The revision up to which everything has been looked at.
    seen: Option<u64>,
}

/// What rows are made of.
pub(super) struct Inputs<'a> {
    pub(super) cache: &'a mut Cache,
    pub(super) state: &'a mut State,
    pub(super) wiring: &'a Wiring,
    pub(super) topology: &'a Topology,
    pub(super) now: Stamp,
    /// The time that rates cover.
    pub(super) window: Duration,
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
    pub(super) traces: Arc<[Trace]>,
    pub(super) searches: Arc<[SearchReport]>,
    pub(super) taps: Arc<[Arc<TapReport>]>,
    pub(super) heard: Arc<[Arc<HeardMessage>]>,
    pub(super) totals: Totals,
}

pub(super) fn build(inputs: Inputs<'_>) -> Built {
    let Inputs { cache, state, wiring, topology, now, window } = inputs;
    let windows = state.windows;
    let mut dirty = std::mem::take(&mut state.dirty);
    // In the order of their rows, which is that of their ids: those of a channel stand together.
    dirty.consumers.sort_unstable_by_key(|stale| stale.row);
    let rewired = std::mem::take(&mut cache.rewired);
    let moved = rewired || cache.seen != Some(state.revision);
    cache.seen = Some(state.revision);
    // What a source does not do any more shows though nothing comes from it.
    keep(&mut cache.sources, state.sources.iter().map(|(id, s)| (id.clone(), s.row(id, windows, &now))));
    if moved {
        cache.consumers(state, wiring, &dirty.consumers);
        cache.channels(state, wiring, windows, &dirty, rewired);
        cache.flows(state, wiring, &dirty);
        let consumers = &cache.consumers;
        let entities = wiring.entities.iter().map(|e| e.fill(state, consumers, state.structure_at.wall));
        keep(&mut cache.entities, entities.map(|e| (e.id.clone(), e)));
        cache.traces = traces::rows(state, wiring, topology);
    }
    if rewired || dirty.searches {
        cache.searches = state.traces.searches();
    }
    if rewired || dirty.taps {
        (cache.taps, cache.heard) = (state.taps.reports(), state.taps.messages());
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
            window,
            services: &cache.services,
            not_back: services::not_back(state, wiring),
            stores: &stores,
            entities: &entities,
            consumers: &cache.consumers,
            ailing: cache.ailing.iter().filter_map(|at| cache.consumers.get(*at)).collect(),
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
        traces: Arc::clone(&cache.traces),
        searches: Arc::clone(&cache.searches),
        taps: Arc::clone(&cache.taps),
        heard: Arc::clone(&cache.heard),
        totals,
    }
}

impl Cache {
    /// Puts the lists in the order of a new wiring. Rows of things that are still wired the same stay; those of consumers that
    /// are not are dirty; what is new gets its row.
    pub(super) fn rewired(&mut self, state: &mut State, before: &Wiring, now: &mut Wiring) {
        self.rewired = true;
        let mut old = std::mem::take(&mut self.consumers).into_iter().peekable();
        for (id, consumer) in &mut state.consumers {
            let Some(bound) = now.consumers.get(id) else { continue };
            let flows = now.index.consumers.get(id).cloned().unwrap_or_default();
            let (identity, moved) = consumer.wire(bound, self.consumers.len(), flows);
            while old.next_if(|row| row.id < *id).is_some() {}
            let kept = old.next_if(|row| row.id == *id);
            if moved && kept.is_some() {
                state.dirty.consumer(consumer);
            }
            self.consumers.push(kept.unwrap_or_else(|| {
                let stretch = state.sources.get(&consumer.source).and_then(|source| source.listened);
                consumer.settle(state.windows, stretch);
                Arc::new(consumer_row(consumer, &identity))
            }));
        }
        let rows = self.consumers.iter().enumerate();
        self.ailing = rows.filter(|(_, row)| causes::ails(row)).map(|(at, _)| at).collect();
        let mut old = std::mem::take(&mut self.flows).into_iter().zip(&before.flows).peekable();
        for plan in &mut now.flows {
            while old.next_if(|(_, before)| before.id < plan.id).is_some() {}
            let same = old.next_if(|(_, before)| before.id == plan.id).filter(|(_, before)| *before == plan);
            self.flows.push(if let Some((row, before)) = same {
                // Its rows share the route of the plan.
                *plan = Arc::clone(before);
                row
            } else {
                Arc::new(flows::row(plan, state))
            });
        }
    }

    /// The rows of consumers of which something came, and of the flows that show their numbers.
    fn consumers(&mut self, state: &mut State, wiring: &Wiring, dirty: &[Stale]) {
        let (windows, known_at) = (state.windows, state.structure_at.wall);
        let sources = &state.sources;
        each(&mut state.consumers, dirty, |consumer| {
            consumer.stale = false;
            let stretch = sources.get(&consumer.source).and_then(|source| source.listened);
            consumer.settle(windows, stretch);
            let Some(wired) = &consumer.wired else { return };
            let row = consumer_row(consumer, &wired.identity);
            if causes::ails(&row) {
                self.ailing.insert(wired.row);
            } else {
                self.ailing.remove(&wired.row);
            }
            put(&mut self.consumers, wired.row, row);
            for at in &wired.flows {
                if let Some(plan) = wiring.flows.get(*at) {
                    put(&mut self.flows, *at, flows::of_consumer(plan, Some(consumer), known_at));
                }
            }
        });
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
                producers: wiring.producers.get(id).cloned().unwrap_or_default(),
                senders: super::senders::of_channel(state, wiring, &channel.source, id),
                evidence,
            }))
        };
        let bare = |id: &ChannelId| {
            let plan = wiring.subjects.get(id)?;
            Some(Arc::new(flows::subject_row(id, plan, state, wiring, windows)))
        };
        if rewired {
            let kept = state.channels.keys().filter_map(|id| Some((id.clone(), row(id)?)));
            let bare = wiring.subjects.keys().filter_map(|id| Some((id.clone(), bare(id)?)));
            self.channels = kept.chain(bare).collect();
            return;
        }
        for id in &dirty.channels {
            if let Some(row) = row(id).or_else(|| bare(id)) {
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

    /// The rows of flows whose numbers are those of channels and counters.
    fn flows(&mut self, state: &State, wiring: &Wiring, dirty: &Dirty) {
        let index = &wiring.index;
        let of_channels = dirty.channels.iter().filter_map(|id| index.channels.get(id));
        let of_meters = dirty.meters.iter().filter_map(|key| index.meters.get(key));
        let of_calls = dirty.calls.iter().filter_map(|key| index.calls.get(key));
        let changed: BTreeSet<usize> =
            of_channels.chain(of_meters).chain(of_calls).flatten().copied().collect();
        for at in changed {
            if let Some(plan) = wiring.flows.get(at) {
                put(&mut self.flows, at, flows::row(plan, state));
            }
        }
    }
}

fn put<R>(rows: &mut [Arc<R>], at: usize, row: R) {
    if let Some(place) = rows.get_mut(at) {
        *place = Arc::new(row);
    }
}

/// Does something with each of these consumers that is there. Those of a channel were polled together and stand
/// together: mostly the next one wanted is the next one there, and need not be looked for.
fn each(
    consumers: &mut BTreeMap<ConsumerId, ConsumerState>,
    wanted: &[Stale],
    mut act: impl FnMut(&mut ConsumerState),
) {
    let mut rest = wanted;
    while let Some((first, mut after)) = rest.split_first() {
        let mut there = consumers.range_mut::<ConsumerId, _>(&first.id..);
        if let Some((_, consumer)) = there.next().filter(|(id, _)| **id == first.id) {
            act(consumer);
            while let (Some((next, others)), Some((id, consumer))) = (after.split_first(), there.next()) {
                if *id != next.id {
                    break;
                }
                act(consumer);
                after = others;
            }
        }
        rest = after;
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

fn consumer_row(consumer: &ConsumerState, identity: &Arc<ConsumerIdentity>) -> Consumer {
    let figures = &consumer.figures;
    let told_by = match consumer.polled {
        Some(_) => consumer.listed_by.clone(),
        None => format!("consumer names of {}", consumer.source).into(),
    };
    Consumer {
        identity: Arc::clone(identity),
        report: consumer.report.clone(),
        lag: consumer.told(|r| &r.lag),
        in_flight: consumer.told(|r| &r.in_flight),
        redelivered: consumer.told(|r| &r.redelivered),
        gave_up: consumer.gave_up(),
        lost_since: consumer.lost_since(),
        losses: consumer.losses(),
        staleness: consumer.staleness.clone(),
        delivered_rate: figures.delivered_rate.clone(),
        acked_rate: figures.acked_rate.clone(),
        drain: figures.drain.clone(),
        status: consumer.status,
        why: consumer.why.clone(),
        since: consumer.since,
        trend: consumer.trend(),
        delay: figures.delay.clone(),
        acks: figures.acks.clone(),
        processing: figures.processing.clone(),
        lag_history: consumer.lag_history.clone(),
        staleness_history: consumer.staleness_history.clone(),
        told_by,
        read_by: consumer.backlog.as_ref().map(|backlog| backlog.how.clone()),
    }
}
