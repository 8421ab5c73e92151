//! The whole traffic by kind, and what is not looked at.
//!
//! Events and feeds are counted once, where they come in: the rates of channels that keep messages, and of bare subjects that no such channel takes in. A channel is a feed when it is a
//! copy of another one (mirror, sources), a bucket of keys, or when all that is declared on it are feeds; one that takes in both is split by what the feeds' followers
//! get; the rest are events. Requests are what responders answered.
//!
//! A sum is a lower bound where a part of it is not known, or a list that it is made of is not whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::state::State;
use super::wiring::Wiring;
use super::words;
use crate::model::id::Name;
use crate::model::measured::{Bounds, Measured};
use crate::model::observation::{ChannelKind, Partial, SourceState};
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
    /// A part is an estimate.
    rough: bool,
    /// A part is not known: the whole is more.
    short: bool,
    at: Option<Timestamp>,
}

impl Sum {
    fn add(&mut self, rate: &Measured<f64>) {
        let Some(value) = rate.low() else {
            self.short = true;
            return;
        };
        self.value += value;
        self.known += 1;
        self.short |= matches!(rate.bounds, Bounds::AtLeast(_));
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
        let bounds = match self {
            Self { known: 0, .. } => return Measured::unknown(words::NOT_COUNTED.clone(), at),
            Self { short: true, .. } => Bounds::AtLeast(self.value),
            Self { rough: true, .. } => Bounds::About { value: self.value, within: None },
            Self { .. } => Bounds::Exact(self.value),
        };
        Measured::new(bounds, at, words::BY_SUM.clone())
    }
}

/// Which lists are not whole at one source at least, and whether what one told is from before.
fn whole(state: &State) -> (Partial, bool) {
    let (mut partial, mut old) = (Partial::default(), false);
    // Health endpoints tell of no traffic.
    for source in state.sources.values().filter(|source| &*source.report.kind != "health") {
        // Of one that was never reached nothing is counted.
        let never = source.report.state == SourceState::Connecting;
        partial.channels |= never || source.report.partial.channels;
        partial.clients |= never || source.report.partial.clients;
        partial.responders |= never || source.report.partial.responders;
        old |= source.report.state == SourceState::Down;
    }
    (partial, old)
}

/// Sums up.
pub(super) fn totals(
    state: &mut State,
    wiring: &Wiring,
    channels: &[Arc<Channel>],
    flows: &[Arc<Flow>],
    now: &Stamp,
) -> Totals {
    let (partial, old) = whole(state);
    let sum = |short| Sum { short, rough: old, ..Sum::default() };
    let (mut events, mut feeds) = (sum(partial.channels || partial.clients), sum(partial.channels));
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
    let (mut requests, mut errors) = (sum(partial.responders || partial.clients), Sum::default());
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
            let value = (errors.value / requests.value).clamp(0.0, 1.0);
            // A share of some may be more or less than that of all.
            let partly = requests.short || requests.rough;
            let bounds = if partly { Bounds::About { value, within: None } } else { Bounds::Exact(value) };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sample::{all, at, batch, channel, filled, source_up};
    use crate::engine::{Engine, EngineOptions};
    use crate::model::id::SourceId;
    use crate::model::observation::{Batch, Observation, SourceReport};

    fn report(change: impl FnOnce(&mut SourceReport)) -> Observation {
        let Observation::Source(mut report) = source_up() else { unreachable!("a report of a source") };
        change(&mut report);
        Observation::Source(report)
    }

    /// The totals after ten events in a second on one stream, with these reports of sources besides.
    fn after(reports: Vec<(&str, Observation)>) -> Totals {
        let mut engine = Engine::new(EngineOptions::new(at(0)));
        let list = |count| Observation::Channels(all(vec![filled(&channel("nats", "ORDERS"), count)]));
        engine.ingest(&batch("nats", 0, vec![source_up(), list(0)]));
        engine.ingest(&batch("nats", 1_000, vec![list(10)]));
        for (source, report) in reports {
            let batch = batch(source, 1_005, vec![report]);
            engine.ingest(&Batch { source: SourceId::from(source), ..batch });
        }
        engine.tick(at(1_010)).totals.clone()
    }

    #[test]
    fn a_sum_over_a_list_that_is_not_whole_is_a_lower_bound() {
        assert_eq!(after(vec![]).events.bounds, Bounds::Exact(10.0));
        let partial = |partial| report(|report| report.partial = partial);
        let one = Partial::default();
        for lacks in [Partial { channels: true, ..one }, Partial { clients: true, ..one }] {
            assert_eq!(
                after(vec![("nats", partial(lacks))]).events.bounds,
                Bounds::AtLeast(10.0),
                "{lacks:?}"
            );
        }
        let lacks = Partial { responders: true, ..one };
        let totals = after(vec![("nats", partial(lacks))]);
        assert_eq!(totals.events.bounds, Bounds::Exact(10.0), "answers are no events");
        assert!(totals.requests.bounds.why_unknown().is_some(), "unknown is not zero");
    }

    #[test]
    fn what_a_source_does_that_was_never_reached_is_not_in_the_sum_and_what_one_told_before_it_was_lost_may_have_changed()
     {
        let state = |state| report(|report| report.state = state);
        let never = after(vec![("far", state(SourceState::Connecting))]);
        assert_eq!(never.events.bounds, Bounds::AtLeast(10.0));
        let lost = after(vec![("nats", state(SourceState::Down))]);
        assert_eq!(lost.events.bounds, Bounds::About { value: 10.0, within: None });
    }
}
