//! Turns batches into snapshots: [`Engine::ingest`] and [`Engine::tick`], both pure.
//!
//! Time is an argument and maps are ordered: the same batches and ticks give the same snapshots, whether they
//! come from a broker, the simulation or a recording. What the engine remembers can be written down in the middle of a run and
//! read again ([`Engine::save`], [`Engine::restore`]). Three layers:
//!
//! 1. **memory** (`state`, and one file per kind of thing): what was told, counters as readings, judgements with their "since";
//! 2. **wiring** (`wiring`, `plans`): who is who and which flows there are; built anew only when that changes;
//! 3. **rows**: what the snapshot shares out; made anew only when a number in them changed.
//!
//! [`drive`] is the small task that feeds an engine. May use model and topology.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::command::ProbeLevel;
use crate::model::id::{ConsumerId, Name, SourceId};
use crate::model::observation::Batch;
use crate::model::snapshot::{Origin, Snapshot, TopologyState};
use crate::model::time::Stamp;
use crate::topology::Topology;
use crate::topology::declared::Address;

mod calls;
mod causes;
mod changes;
mod channels;
mod consequences;
mod consumers;
mod counted;
mod delay;
mod flows;
mod gave_up;
mod health;
mod heard;
mod identity;
mod ownership;
mod plans;
mod progress;
mod rates;
mod rows;
#[cfg(test)]
mod sample;
mod senders;
mod services;
mod sources;
mod staleness;
mod state;
mod status;
mod subjects;
mod taps;
mod task;
#[cfg(test)]
mod tests;
mod totals;
mod traces;
mod trend;
mod unread;
mod wiring;
mod words;

pub use delay::DelayInterval;
pub use rates::Windows;
pub use task::{Input, drive};

use rows::Cache;
use state::State;
use wiring::Wiring;

/// Rates over about so much time: long enough to stand still, short enough to follow an incident.
pub const RATE_WINDOW: Duration = Duration::from_secs(5);

/// Distributions of delays over so much time.
pub const DELAY_WINDOW: Duration = Duration::from_secs(60);

/// What an engine is told at the start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EngineOptions {
    /// When watching began.
    pub started: Stamp,
    /// What the sources may do to learn.
    pub probe: ProbeLevel,
    /// Where the batches come from.
    pub origin: Origin,
    /// The system's name; the topology's, when it has one, goes before it.
    pub system: Option<Name>,
    /// How much of the past numbers cover.
    pub windows: Windows,
}

impl EngineOptions {
    /// Live, passive, with the usual windows.
    pub fn new(started: Stamp) -> Self {
        Self {
            started,
            probe: ProbeLevel::default(),
            origin: Origin::default(),
            system: None,
            windows: Windows::default(),
        }
    }

    /// Rates and delays cover everything since watching began: for a single look of fixed length.
    #[must_use]
    pub fn whole_run(self) -> Self {
        Self { windows: Windows { rate: Duration::MAX, delay: Duration::MAX, heard: Duration::MAX }, ..self }
    }
}

/// What an engine remembers, to be written down. Opaque: only [`Engine::restore`] reads it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    options: EngineOptions,
    state: State,
}

/// Turns batches into snapshots.
#[derive(Debug)]
pub struct Engine {
    options: EngineOptions,
    state: State,
    topology: Arc<Topology>,
    topology_state: Option<TopologyState>,
    /// The topology was loaded again, well or badly: told at the next tick.
    reloaded: Option<Name>,
    wiring: Wiring,
    /// The structure that the wiring was built from; `None` asks for a new one.
    wired: Option<u64>,
    cache: Cache,
}

impl Engine {
    /// An engine that knows nothing yet.
    pub fn new(options: EngineOptions) -> Self {
        let state = State::new(options.started, options.windows);
        Self::with(options, state)
    }

    fn with(options: EngineOptions, state: State) -> Self {
        Self {
            options,
            state,
            topology: Arc::default(),
            topology_state: None,
            reloaded: None,
            wiring: Wiring::default(),
            wired: None,
            cache: Cache::default(),
        }
    }

    /// What it remembers now. The topology is not part of it: it is given again.
    pub fn save(&self) -> Saved {
        Saved { options: self.options.clone(), state: self.state.clone() }
    }

    /// Goes on from what was saved.
    pub fn restore(saved: Saved) -> Self {
        Self::with(saved.options, saved.state)
    }

    /// The declared system, and how well it was read; `None` for none. A bad edit comes with the last good topology and
    /// its problems.
    pub fn set_topology(&mut self, topology: Option<Arc<Topology>>, state: Option<TopologyState>) {
        if let Some(now) = &state {
            // At the start there is nothing to tell; later, loading again is a change whatever it brought.
            if self.topology_state.is_some() {
                self.reloaded = Some(match now.problems.len() {
                    0 => "topology reloaded".into(),
                    1 => "topology not reloaded: 1 problem, the last good one stays".into(),
                    n => format!("topology not reloaded: {n} problems, the last good one stays").into(),
                });
            }
        }
        let topology = topology.unwrap_or_default();
        if !Arc::ptr_eq(&topology, &self.topology) {
            for broker in topology.brokers.values() {
                let servers = broker.servers.iter().map(Address::shown).collect();
                // Who watches a broker was started with the addresses that it had first.
                self.state.named.entry(SourceId::new(broker.id.clone())).or_insert(servers);
            }
            self.topology = topology;
            self.wired = None;
        }
        self.topology_state = state;
    }

    /// What the sources may do to learn has changed.
    pub fn set_probe(&mut self, probe: ProbeLevel) {
        self.options.probe = probe;
        if probe < ProbeLevel::Acks {
            // What was heard would grow old beside polls that go on.
            self.state.unhear();
        }
    }

    /// Figures of what is heard cover so long from now on; [`Duration::MAX`] is all that was heard.
    pub fn set_window(&mut self, window: Duration) {
        self.options.windows.heard = window;
        self.state.set_window(window);
    }

    /// Takes what a source saw.
    pub fn ingest(&mut self, batch: &Batch) {
        self.state.ingest(batch, self.options.probe);
    }

    /// What polls alone say of the delays of single messages of a consumer: what its passive figures are made of.
    pub fn intervals(&self, consumer: &ConsumerId) -> Vec<DelayInterval> {
        let consumer = self.state.consumers.get(consumer);
        consumer.map(consumers::ConsumerState::intervals).unwrap_or_default()
    }

    /// Everything known at this moment. Rows that did not change are those of the snapshot before.
    pub fn tick(&mut self, now: Stamp) -> Snapshot {
        if let Some(text) = self.reloaded.take() {
            self.state.changes.push(&now, None, text);
        }
        self.state.sweep(&now);
        let structure = self.state.structure;
        if self.wired != Some(structure) {
            let same_topology = self.wired.is_some();
            let before = std::mem::take(&mut self.wiring);
            self.wiring = wiring::wire(&self.state, &self.topology, same_topology.then_some(&before));
            self.cache.rewired(&mut self.state, &before, &mut self.wiring);
            self.wired = Some(structure);
        }
        self.state.dirty.services |= services::judge(&mut self.state, &self.wiring, &now);
        self.state.generation += 1;
        let watched = now.mono.since(self.options.started.mono);
        let window = self.options.windows.rate.min(watched);
        let built = rows::build(rows::Inputs {
            cache: &mut self.cache,
            state: &mut self.state,
            wiring: &self.wiring,
            topology: &self.topology,
            now,
            window,
        });
        Snapshot {
            generation: self.state.generation,
            taken_at: now.wall,
            window,
            heard_window: self.options.windows.heard,
            watched,
            probe: self.options.probe,
            origin: self.options.origin,
            system: self
                .topology
                .system
                .as_ref()
                .map(|s| s.name.clone())
                .or_else(|| self.options.system.clone()),
            topology: self.topology_state.clone(),
            not_watched: totals::not_watched(&self.state, &self.topology),
            changes: self.state.changes.list(),
            sources: built.sources,
            services: built.services,
            stores: built.stores,
            entities: built.entities,
            channels: built.channels,
            consumers: built.consumers,
            flows: built.flows,
            causes: built.causes,
            totals: built.totals,
            traces: built.traces,
            searches: built.searches,
            taps: built.taps,
            heard: built.heard,
        }
    }
}

/// Rows by id, sorted, as a snapshot wants them.
fn sorted<K: Ord, R>(rows: &BTreeMap<K, Arc<R>>) -> Vec<Arc<R>> {
    rows.values().cloned().collect()
}
