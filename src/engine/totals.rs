//! The whole traffic by kind, and what is not looked at.
//!
//! Events and feeds are counted once, where they come in: the rates of channels that keep messages, and of bare subjects that no such channel takes in. A channel is a feed when it is a
//! copy of another one (mirror, sources), a bucket of keys, or when all that is declared on it are feeds; one that takes in both is split by what the feeds' followers
//! get; the rest are events. Requests are what responders answered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::state::State;
use super::wiring::Wiring;
use super::words;
use crate::model::id::Name;
use crate::model::measured::{Bounds, Measured};
use crate::model::observation::{ChannelKind, SourceState};
use crate::model::series::History;
use crate::model::snapshot::{Channel, Flow, NotWatched, Totals};
use crate::model::time::{Stamp, Timestamp};
use crate::topology::Topology;
use crate::topology::word::BrokerKind;

/// What is remembered of the whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct TotalsState {
    events: History,
    feeds: History,
    requests: History,
    errors: History,
    /// The second for which the histories were last written.
    second: Option<u64>,
}

/// A sum that says how much of it is known.
#[derive(Default)]
struct Sum {
    value: f64,
    known: usize,
    rough: bool,
    at: Option<Timestamp>,
}

impl Sum {
    fn add(&mut self, rate: &Measured<f64>) {
        let Some(value) = rate.low() else {
            self.rough = true;
            return;
        };
        self.value += value;
        self.known += 1;
        self.rough |= rate.bounds.exact().is_none();
        self.at = self.at.max(Some(rate.at));
    }

    /// Adds a part of a rate that is known as a whole only.
    fn add_part(&mut self, part: f64, whole: &Measured<f64>) {
        self.value += part;
        self.known += 1;
        self.rough = true;
        self.at = self.at.max(Some(whole.at));
    }

    fn measured(&self, now: Timestamp) -> Measured<f64> {
        let at = self.at.unwrap_or(now);
        match (self.known, self.rough) {
            (0, _) => Measured::unknown(words::NOT_COUNTED.clone(), at),
            (_, false) => Measured::exact(self.value, at, words::BY_SUM.clone()),
            (_, true) => {
                Measured::new(Bounds::About { value: self.value, error: None }, at, words::BY_SUM.clone())
            }
        }
    }
}

/// Sums up.
pub(super) fn totals(
    state: &mut State,
    wiring: &Wiring,
    channels: &[Arc<Channel>],
    flows: &[Arc<Flow>],
    now: &Stamp,
) -> Totals {
    let (mut events, mut feeds) = (Sum::default(), Sum::default());
    for channel in channels {
        let report = &channel.report;
        // What a channel that keeps messages takes in is counted there.
        if wiring.subjects.get(&report.id).is_some_and(|s| s.kept) {
            continue;
        }
        // A copy of another channel is fed: what it takes over is traffic once more.
        if !report.fed_by.is_empty() && report.subjects.is_empty() {
            feeds.add(&channel.rate);
            continue;
        }
        if let (Some(mixed), Some(all)) = (wiring.index.mixed.get(&report.id), channel.rate.low()) {
            let feed = feed_part(flows, mixed).min(*all);
            feeds.add_part(feed, &channel.rate);
            events.add_part(all - feed, &channel.rate);
            continue;
        }
        let feed = report.kind == ChannelKind::KeyValue || wiring.index.feeds.contains(&report.id);
        if feed { feeds.add(&channel.rate) } else { events.add(&channel.rate) }
    }
    let (mut requests, mut errors) = (Sum::default(), Sum::default());
    let asked = wiring.index.requests.iter().filter_map(|at| flows.get(*at));
    for flow in asked.filter(|f| f.rate.low().is_some()) {
        requests.add(&flow.rate);
        if flow.errors_rate.low().is_some() {
            errors.add(&flow.errors_rate);
        }
    }
    let wall = now.wall;
    let error_share = match (requests.known, errors.known) {
        (1.., 1..) if requests.value > 0.0 => {
            let bounds = Bounds::Exact((errors.value / requests.value).clamp(0.0, 1.0));
            Measured::new(bounds, requests.at.unwrap_or(wall), words::BY_SUM.clone())
        }
        (1.., _) => Measured::unknown("no requests", wall),
        _ => Measured::unknown(words::NOT_COUNTED.clone(), wall),
    };
    let (events, feeds, requests) = (events.measured(wall), feeds.measured(wall), requests.measured(wall));
    let memory = &mut state.totals;
    let second = now.mono.0 / 1_000_000_000;
    if memory.second != Some(second) {
        memory.second = Some(second);
        let draw = |history: &mut History, value: &Measured<f64>| {
            if let Some(value) = value.low() {
                history.push(now.mono, *value);
            }
        };
        draw(&mut memory.events, &events);
        draw(&mut memory.feeds, &feeds);
        draw(&mut memory.requests, &requests);
        draw(&mut memory.errors, &error_share);
    }
    Totals {
        events,
        feeds,
        requests,
        error_share,
        events_history: memory.events.clone(),
        feeds_history: memory.feeds.clone(),
        requests_history: memory.requests.clone(),
        error_history: memory.errors.clone(),
    }
}

/// The rate of the feeds on a channel that takes in events too: of each feed, what the quickest of its followers gets. The
/// broker counts by channel alone, so this is an estimate; a feed that nobody follows is counted with the events.
fn feed_part(flows: &[Arc<Flow>], feeds: &[usize]) -> f64 {
    let mut by_feed: BTreeMap<&Name, f64> = BTreeMap::new();
    for flow in feeds.iter().filter_map(|at| flows.get(*at)) {
        let rate = flow.rate.low().copied().unwrap_or(0.0);
        let quickest = by_feed.entry(&flow.label).or_default();
        *quickest = quickest.max(rate);
    }
    by_feed.values().sum()
}

/// What is not looked at: a number that is missing must not look like a zero.
pub(super) fn not_watched(state: &State, topology: &Topology) -> Vec<NotWatched> {
    let sources: BTreeSet<_> = state.sources.keys().cloned().collect();
    let identity = super::identity::Identity { topology, sources: &sources, aside: &state.aside };
    let mut out = Vec::new();
    for broker in topology.brokers.values() {
        let watched = state.sources.iter().find(|(id, source)| {
            identity.is_broker(Some(&broker.id), id) && &*source.report.kind != "health"
        });
        match watched {
            Some(_) => {}
            None if broker.kind != BrokerKind::Nats => out.push(NotWatched {
                what: broker.id.clone(),
                why: format!("named in the topology; {} is not watched by this version", broker.kind.word())
                    .into(),
                remedy: "".into(),
            }),
            None => out.push(NotWatched {
                what: broker.id.clone(),
                why: "named in the topology, and not connected".into(),
                remedy: format!("connect it with --nats {}=URL", broker.id).into(),
            }),
        }
    }
    for (id, other) in &state.aside {
        out.push(NotWatched {
            what: id.as_str().into(),
            why: format!("same cluster and account as {other}; shown once").into(),
            remedy: "".into(),
        });
    }
    for (id, source) in &state.sources {
        if matches!(source.report.state, SourceState::Connecting | SourceState::Down) {
            let why = source.report.error.clone().unwrap_or_else(|| "not reached yet".into());
            out.push(NotWatched { what: id.as_str().into(), why, remedy: "".into() });
        }
        for missing in &source.report.unavailable {
            out.push(NotWatched {
                what: format!("{id}: {}", missing.what).into(),
                why: missing.why.clone(),
                remedy: missing.remedy.clone(),
            });
        }
    }
    out
}
