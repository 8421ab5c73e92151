//! Numbers of flows and of bare subjects.

use std::sync::Arc;

use super::consumers::ConsumerState;
use super::plans::{FlowPlan, Numbers, SubjectPlan};
use super::rates::{Meter, Rates, Windows, rates_together};
use super::state::State;
use super::wiring::Wiring;
use super::words;
use super::{calls, delay};
use crate::model::id::{ChannelId, SourceId};
use crate::model::measured::{Bounds, Measured};
use crate::model::observation::{ChannelKind, ChannelReport, Retention};
use crate::model::series::History;
use crate::model::snapshot::{Channel, Delay, Flow};
use crate::model::time::Timestamp;
use crate::model::traffic::TrafficKey;

fn meter<'s>(state: &'s State, (source, key): &(SourceId, TrafficKey)) -> Option<&'s Meter> {
    state.sources.get(source)?.traffic.get(key)
}

/// A flow's numbers.
struct Figures {
    rate: Measured<f64>,
    bytes: Measured<f64>,
    errors: Measured<f64>,
    delay: Option<Delay>,
    history: History,
    last_seen: Option<Timestamp>,
}

/// The row of a flow.
pub(super) fn row(plan: &FlowPlan, state: &State) -> Flow {
    let windows = state.windows;
    let figures = match &plan.numbers {
        Numbers::Consumer { .. } => {
            let consumer = plan.consumer.as_ref().and_then(|id| state.consumers.get(id));
            return of_consumer(plan, consumer, state.structure_at.wall);
        }
        Numbers::Delivered(keys) => delivered(keys, state, windows),
        Numbers::Answered(keys) => answered(keys, state, windows),
        Numbers::Channel { only } => appended(plan, *only, state, windows),
        Numbers::Unknown(why) => nothing(why, state.structure_at.wall),
    };
    let mut row = flow(plan, figures);
    if let Some(asked) = calls::asked(&plan.asked, state, windows) {
        // Each request's own time says more than a mean.
        row.delay = calls::delay(&asked.all).or(row.delay);
        row.asked = Some(Arc::new(asked));
    }
    row
}

/// The row of a flow whose numbers are those of its consumer; `at` tells since when it is known that there is none.
pub(super) fn of_consumer(plan: &FlowPlan, consumer: Option<&ConsumerState>, at: Timestamp) -> Flow {
    let shared = matches!(plan.numbers, Numbers::Consumer { shared: true });
    flow(plan, consumer.map_or_else(|| nothing(&words::BY_SILENT, at), |of| consumed(of, shared)))
}

fn flow(plan: &FlowPlan, figures: Figures) -> Flow {
    Flow {
        route: Arc::clone(&plan.route),
        rate: figures.rate,
        bytes_rate: figures.bytes,
        errors_rate: figures.errors,
        delay: figures.delay,
        history: figures.history,
        last_seen: figures.last_seen,
        asked: None,
    }
}

fn nothing(why: &crate::model::id::Name, at: Timestamp) -> Figures {
    let unknown = || Measured::unknown(why.clone(), at);
    Figures {
        rate: unknown(),
        bytes: unknown(),
        errors: unknown(),
        delay: None,
        history: History::default(),
        last_seen: None,
    }
}

/// What the consumer has processed: redeliveries move no data.
fn consumed(consumer: &ConsumerState, shared: bool) -> Figures {
    let mut rate = consumer.figures.acked_rate.clone();
    let mut errors = consumer.figures.errors_rate.clone();
    if shared {
        rate = at_most(rate);
        errors = at_most(errors);
    }
    let bytes = sized(&rate, consumer.mean_size);
    Figures {
        rate,
        bytes,
        errors,
        delay: consumer.figures.delay.clone(),
        history: consumer.history.clone(),
        last_seen: consumer.last_seen,
    }
}

/// A share of a sum: anything up to it.
fn at_most(sum: Measured<f64>) -> Measured<f64> {
    let Some(hi) = sum.bounds.high().copied() else { return sum };
    Measured::new(Bounds::between(0.0, hi), sum.at, words::BY_SHARED.clone())
}

/// Bytes for a rate of messages, by the mean size of those that the channel keeps.
fn sized(rate: &Measured<f64>, size: Option<f64>) -> Measured<f64> {
    match (size, rate.low()) {
        (_, Some(0.0)) if rate.bounds.exact().is_some() => {
            Measured::exact(0.0, rate.at, words::BY_MEAN_SIZE.clone())
        }
        (Some(size), Some(_)) => {
            let bounds = match rate.bounds.clone() {
                Bounds::Exact(value) => Bounds::About { value: value * size, within: None },
                other => other.map(|v| v * size),
            };
            Measured::new(bounds, rate.at, words::BY_MEAN_SIZE.clone())
        }
        (None, Some(_)) => Measured::unknown(words::NO_SIZE.clone(), rate.at),
        (_, None) => Measured { bounds: rate.bounds.clone(), at: rate.at, by: rate.by.clone() },
    }
}

/// What several meters say together.
struct Sum {
    rates: Rates,
    at: Timestamp,
    last_seen: Option<Timestamp>,
    history: History,
}

fn sum(keys: &[(SourceId, TrafficKey)], state: &State, windows: Windows) -> Option<Sum> {
    let meters: Vec<&Meter> = keys.iter().filter_map(|key| meter(state, key)).collect();
    sum_of(&meters, windows)
}

fn sum_of(meters: &[&Meter], windows: Windows) -> Option<Sum> {
    let rates = rates_together(meters, windows.rate)?;
    Some(Sum {
        rates,
        at: meters.iter().map(|meter| meter.counted.wall).max()?,
        last_seen: meters.iter().filter_map(|meter| meter.last_seen).map(|at| at.wall).max(),
        history: History::sum(meters.iter().map(|meter| &meter.history)),
    })
}

/// What was handed to subscriptions.
fn delivered(keys: &[(SourceId, TrafficKey)], state: &State, windows: Windows) -> Figures {
    let Some(sum) = sum(keys, state, windows) else {
        return nothing(&words::NOT_COUNTED, state.structure_at.wall);
    };
    let rates = sum.rates;
    let bytes = if rates.bytes > 0.0 || rates.messages == 0.0 {
        Measured::exact(rates.bytes, sum.at, words::BY_SUBSCRIPTIONS.clone())
    } else {
        Measured::unknown(words::NO_SIZE.clone(), sum.at)
    };
    Figures {
        rate: Measured::exact(rates.messages, sum.at, words::BY_SUBSCRIPTIONS.clone()),
        bytes,
        errors: Measured::unknown(words::NOT_COUNTED.clone(), sum.at),
        delay: None,
        history: sum.history,
        last_seen: sum.last_seen,
    }
}

/// What responders answered, as they count it: requests, errors, Δ busy time ÷ Δ requests.
fn answered(keys: &[(SourceId, TrafficKey)], state: &State, windows: Windows) -> Figures {
    let Some(sum) = sum(keys, state, windows) else {
        return nothing(&words::NOT_COUNTED, state.structure_at.wall);
    };
    let rates = sum.rates;
    let bytes = if rates.bytes > 0.0 {
        Measured::exact(rates.bytes, sum.at, words::BY_ANSWERS.clone())
    } else {
        Measured::unknown(words::NO_SIZE.clone(), sum.at)
    };
    Figures {
        rate: Measured::exact(rates.messages, sum.at, words::BY_ANSWERS.clone()),
        bytes,
        errors: Measured::exact(rates.errors, sum.at, words::BY_ERRORS.clone()),
        delay: rates.busy.map(|busy| delay::mean(busy, rates.count)),
        history: sum.history,
        last_seen: sum.last_seen,
    }
}

/// What a channel took in.
fn appended(plan: &FlowPlan, only: bool, state: &State, windows: Windows) -> Figures {
    let Some(channel) = plan.channel.as_ref().and_then(|id| state.channels.get(id)) else {
        return nothing(&words::NOT_COUNTED, state.structure_at.wall);
    };
    let (mut rate, mut bytes) = (channel.rate(windows), channel.bytes_rate(windows));
    if !only {
        rate = at_most(rate);
        bytes = at_most(bytes);
    }
    Figures {
        rate,
        bytes,
        errors: Measured::unknown(words::NOT_COUNTED.clone(), channel.polled.wall),
        delay: None,
        history: channel.history.clone(),
        last_seen: channel.last_at().filter(|_| only),
    }
}

/// The row of a bare subject.
///
/// Its rate: what a tap saw; else what one group got, as each group gets every message once. Programs
/// without a group get every message on each of their connections. The largest of these is the estimate: a group that
/// joined late counts less.
pub(super) fn subject_row(
    id: &ChannelId,
    plan: &SubjectPlan,
    state: &State,
    wiring: &Wiring,
    windows: Windows,
) -> Channel {
    let memory = state.sources.get(&plan.source);
    let mut rate: Option<(f64, Timestamp)> = None;
    let mut bytes = 0.0;
    let mut exact = false;
    let mut history = History::default();
    if let Some(memory) = memory {
        let seen = memory.traffic.get(&TrafficKey::Seen { subject: plan.subject.clone() });
        if let Some((meter, rates)) = seen.and_then(|m| Some((m, m.rates(windows.rate)?))) {
            (rate, bytes, exact) = (Some((rates.messages, meter.counted.wall)), rates.bytes, true);
            history = meter.history.clone();
        } else {
            for (queue, keys) in &plan.groups {
                let meters = keys.iter().filter_map(|key| Some((key, memory.traffic.get(key)?)));
                let group = if queue.is_some() {
                    let meters: Vec<&Meter> = meters.map(|(_, meter)| meter).collect();
                    sum_of(&meters, windows).map(|sum| (sum, 1.0))
                } else {
                    // Single listeners each get all of it: the most, not the sum.
                    let single = meters.filter_map(|(key, meter)| {
                        let sum = sum_of(&[meter], windows)?;
                        let copies = match key {
                            TrafficKey::Delivered { client, .. } => connections(memory, client.as_ref()),
                            _ => 1.0,
                        };
                        Some((sum, copies))
                    });
                    single.max_by(|(a, x), (b, y)| (a.rates.messages / x).total_cmp(&(b.rates.messages / y)))
                };
                let Some((sum, copies)) = group else { continue };
                let messages = sum.rates.messages / copies;
                if rate.is_none_or(|(most, _)| messages > most) {
                    (rate, bytes, history) =
                        (Some((messages, sum.at)), sum.rates.bytes / copies, sum.history);
                }
            }
        }
    }
    let at = rate.map_or(state.structure_at.wall, |(_, at)| at);
    let measured = |value: f64| {
        let bounds = if exact { Bounds::Exact(value) } else { Bounds::About { value, within: None } };
        Measured::new(bounds, at, words::BY_SUBSCRIPTIONS.clone())
    };
    let unknown = || Measured::unknown(words::NOT_COUNTED.clone(), at);
    Channel {
        report: subject_report(id, plan),
        source: plan.source.clone(),
        bytes_rate: match rate {
            Some((messages, _)) if bytes > 0.0 || messages == 0.0 => measured(bytes),
            Some(_) => Measured::unknown(words::NO_SIZE.clone(), at),
            None => unknown(),
        },
        rate: rate.map_or_else(unknown, |(messages, _)| measured(messages)),
        history,
        producers: wiring.producers.get(id).cloned().unwrap_or_default(),
        senders: super::senders::of_channel(state, wiring, &plan.source, id),
        evidence: plan.evidence.clone(),
    }
}

fn connections(memory: &super::sources::SourceMemory, name: Option<&crate::model::id::Name>) -> f64 {
    let open: u32 = memory.clients.values().filter(|c| c.counted_as() == name).map(|c| c.connections).sum();
    f64::from(open.max(1))
}

fn subject_report(id: &ChannelId, plan: &SubjectPlan) -> ChannelReport {
    ChannelReport {
        id: id.clone(),
        name: plan.subject.clone(),
        kind: ChannelKind::Subject,
        subjects: vec![plan.subject.clone()],
        fed_by: Vec::new(),
        messages: None,
        bytes: None,
        first_seq: None,
        last_seq: None,
        first_at: None,
        last_at: None,
        created_at: None,
        retention: Retention::default(),
        leader: None,
        replicas: None,
        distinct_subjects: None,
        consumers: None,
        description: None,
        metadata: std::collections::BTreeMap::new(),
    }
}
