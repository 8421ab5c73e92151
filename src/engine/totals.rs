//! The whole traffic by kind, and what is not looked at.
//!
//! Events and feeds are counted once, where they come in: the rates of channels that keep messages, and of bare subjects that no such channel takes in. A channel is a feed when it is a
//! copy of another one (mirror, sources), a bucket of keys, or when all that is declared on it are feeds; one that takes in both is split by what the feeds' followers
//! get; the rest are events. Requests are what responders answered.
//!
//! A sum is a lower bound where a part of it is not known, or a list that it is made of is not whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::plans::Numbers;
use super::state::State;
use super::wiring::Wiring;
use super::words;
use crate::model::id::{Name, SourceId};
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
    events: Drawn,
    feeds: Drawn,
    requests: Drawn,
    errors: Drawn,
}

/// The past of one number: of what was measured, when it was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Drawn {
    history: History,
    /// When the newest of what was last drawn was measured: without anything newer there is nothing to draw.
    at: Option<Timestamp>,
    /// The second that was last drawn.
    second: Option<u64>,
}

impl Drawn {
    fn push(&mut self, now: &Stamp, value: Option<f64>, at: Option<Timestamp>) {
        let second = Some(now.mono.0 / 1_000_000_000);
        // Not "later": a clock may be set back.
        let (Some(value), true) = (value, at.is_some() && at != self.at && second != self.second) else {
            return;
        };
        (self.at, self.second) = (at, second);
        self.history.push(now.mono, value);
    }
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
    /// What of it is measured now, and when the newest of that was: the rest is what was last known of sources that are lost.
    fresh: f64,
    fresh_at: Option<Timestamp>,
}

impl Sum {
    fn add(&mut self, rate: &Measured<f64>, lost: bool) {
        let Some(value) = rate.low() else {
            self.short = true;
            return;
        };
        self.value += value;
        self.known += 1;
        self.short |= matches!(rate.bounds, Bounds::AtLeast(_));
        self.rough |= rate.bounds.exact().is_none();
        self.measured_at(*value, rate.at, lost);
    }

    fn measured_at(&mut self, value: f64, at: Timestamp, lost: bool) {
        self.at = self.at.max(Some(at));
        if !lost {
            self.fresh += value;
            self.fresh_at = self.fresh_at.max(Some(at));
        }
    }

    /// Adds a part of a rate that is known as a whole only.
    fn add_part(&mut self, part: f64, whole: &Measured<f64>, lost: bool) {
        self.value += part;
        self.known += 1;
        self.rough = true;
        self.measured_at(part, whole.at, lost);
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

/// Whether nothing is heard of a source now.
fn is_lost(state: &State, source: &SourceId) -> bool {
    state.sources.get(source).is_none_or(|source| !source.is_up())
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
        let lost = is_lost(state, &channel.source);
        // A copy of another channel is fed: what it takes over is traffic once more.
        if !report.fed_by.is_empty() && report.subjects.is_empty() {
            feeds.add(&channel.rate, lost);
            continue;
        }
        if let (Some(mixed), Some(all)) = (wiring.index.mixed.get(&report.id), channel.rate.low()) {
            let feed = feed_part(flows, mixed).min(*all);
            feeds.add_part(feed, &channel.rate, lost);
            events.add_part(all - feed, &channel.rate, lost);
            continue;
        }
        let feed = report.kind == ChannelKind::KeyValue || wiring.index.feeds.contains(&report.id);
        if feed { feeds.add(&channel.rate, lost) } else { events.add(&channel.rate, lost) }
    }
    let (mut requests, mut errors) = (sum(partial.responders || partial.clients), Sum::default());
    let asked = wiring.index.requests.iter().filter_map(|at| flows.get(*at).zip(wiring.flows.get(*at)));
    for (flow, plan) in asked.filter(|(flow, _)| flow.rate.low().is_some()) {
        let lost = match &plan.numbers {
            Numbers::Answered(keys) => keys.iter().all(|(source, _)| is_lost(state, source)),
            _ => false,
        };
        requests.add(&flow.rate, lost);
        if flow.errors_rate.low().is_some() {
            errors.add(&flow.errors_rate, lost);
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
    let memory = &mut state.totals;
    for (past, sum) in
        [(&mut memory.events, &events), (&mut memory.feeds, &feeds), (&mut memory.requests, &requests)]
    {
        past.push(now, Some(sum.fresh), sum.fresh_at);
    }
    let fresh_share = (requests.fresh > 0.0).then(|| (errors.fresh / requests.fresh).clamp(0.0, 1.0));
    memory.errors.push(now, fresh_share, errors.fresh_at);
    Totals {
        events: events.measured(wall),
        feeds: feeds.measured(wall),
        requests: requests.measured(wall),
        error_share,
        events_history: memory.events.history.clone(),
        feeds_history: memory.feeds.history.clone(),
        requests_history: memory.requests.history.clone(),
        error_history: memory.errors.history.clone(),
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
    let sources = state.source_kinds();
    let identity =
        super::identity::Identity { topology, sources: &sources, aside: &state.aside, named: &state.named };
    let mut out = Vec::new();
    // Sources whose broker an edit took out of the topology: they go on.
    let left: Vec<&str> = state
        .sources
        .keys()
        .filter(|id| state.named.contains_key(*id) && !topology.brokers.contains_key(identity.broker_of(id)))
        .map(SourceId::as_str)
        .collect();
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
            None if !left.is_empty() => out.push(NotWatched {
                what: broker.id.clone(),
                why: format!("named in the topology, and not connected; still watched: {}", left.join(", "))
                    .into(),
                remedy: "start again to watch what the topology names".into(),
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

    /// What is drawn of the events, by the second; a gap is a `-`.
    fn drawn(totals: &Totals, seconds: u64) -> String {
        let values = totals.events_history.last(1, 100, at(seconds * 1_000 + 10).mono);
        let value = |v: &f32| if v.is_nan() { "-".to_owned() } else { format!("{}", v.round()) };
        values.iter().map(value).collect::<Vec<_>>().join(" ")
    }

    fn count(source: &str, second: u64, messages: u64) -> Batch {
        let list = Observation::Channels(all(vec![filled(&channel(source, "ORDERS"), messages)]));
        batch(source, second * 1_000, vec![list])
    }

    #[test]
    fn what_nobody_measured_is_not_drawn_whether_the_loss_is_told_or_not() {
        for told in [true, false] {
            let mut engine = Engine::new(EngineOptions::new(at(0)));
            engine.ingest(&batch("nats", 0, vec![source_up()]));
            for second in 0..=14 {
                match second {
                    5 if told => {
                        let down = report(|report| report.state = SourceState::Down);
                        engine.ingest(&batch("nats", 5_000, vec![down]));
                    }
                    5..=9 => {}
                    10 => {
                        engine.ingest(&batch("nats", 10_000, vec![source_up()]));
                        engine.ingest(&count("nats", 10, 100));
                    }
                    _ => engine.ingest(&count("nats", second, second * 10)),
                }
                let totals = engine.tick(at(second * 1_000 + 10)).totals;
                if second == 9 {
                    assert_eq!(drawn(&totals, 9), "10 10 10 10 - - - - -", "told: {told}");
                }
            }
            let totals = engine.tick(at(14_010)).totals;
            assert_eq!(drawn(&totals, 14), "10 10 10 10 - - - - - 10 10 10 10 10", "told: {told}");
        }
    }

    #[test]
    fn of_several_sources_those_are_drawn_that_are_not_lost() {
        let mut engine = Engine::new(EngineOptions::new(at(0)));
        for source in ["nats", "west"] {
            engine.ingest(&batch(source, 0, vec![source_up()]));
        }
        for second in 0..=8 {
            engine.ingest(&count("nats", second, second * 10));
            if !(4..=6).contains(&second) {
                engine.ingest(&count("west", second, second * 5));
            }
            if second == 4 {
                engine.ingest(&batch("west", 4_001, vec![report(|report| report.state = SourceState::Down)]));
            } else if second == 7 {
                engine.ingest(&batch("west", 7_001, vec![source_up()]));
            }
            engine.tick(at(second * 1_000 + 10));
        }
        let totals = engine.tick(at(8_010)).totals;
        assert_eq!(drawn(&totals, 8), "15 15 15 10 10 10 15 15");
        assert_eq!(totals.events.bounds, Bounds::Exact(15.0));
    }

    #[test]
    fn a_slow_poll_is_drawn_when_it_comes() {
        let mut engine = Engine::new(EngineOptions::new(at(0)));
        engine.ingest(&batch("nats", 0, vec![source_up()]));
        for second in 0..=6 {
            if second % 3 == 0 {
                engine.ingest(&count("nats", second, second * 10));
            }
            engine.tick(at(second * 1_000 + 10));
        }
        assert_eq!(drawn(&engine.tick(at(6_010)).totals, 6), "10 - - 10");
    }
}
