//! What was heard of acknowledgements, against what consumers really said: figures within the histogram's error, counts to
//! the last one.

use std::collections::BTreeMap;

use headwater::model::acks::{AckKind, AckStep};
use headwater::model::command::{Command, ProbeLevel};
use headwater::model::id::ConsumerId;
use headwater::model::snapshot::{ConsumerStatus, DelayMethod, Snapshot};
use headwater::model::time::Mono;

use super::{Trial, calm, consumer, store};
use crate::Options;

/// A trial that listens to acknowledgements from its start.
fn listening(seed: u64) -> Options {
    // The broker's clock is far off, and known: nothing of that may reach a delay.
    Options {
        broker_ahead: 3_700_000_000 * (seed as i64 % 3 - 1),
        probe: ProbeLevel::Acks,
        ..Options::default()
    }
}

/// What consumers really said, kept message by message.
#[derive(Default)]
pub(super) struct Said {
    place: u64,
    pub(super) steps: BTreeMap<ConsumerId, Vec<AckStep>>,
}

impl Said {
    /// All of it, also of before watching began.
    pub(super) fn from_start(trial: &Trial) -> Self {
        let mut said = Self::default();
        said.go_on(trial);
        said
    }

    /// From now on.
    pub(super) fn from_here(trial: &Trial) -> Self {
        Self { place: trial.simulation.said(0).1, ..Self::default() }
    }

    pub(super) fn go_on(&mut self, trial: &Trial) {
        let (steps, place) = trial.simulation.said(self.place);
        assert_eq!(steps.len() as u64, place - self.place, "none was forgotten");
        self.place = place;
        for step in steps {
            self.steps.entry(step.consumer.clone()).or_default().push(step);
        }
    }
}

/// The smallest value that at least a share of all do not exceed.
fn quantile(sorted: &[i64], share: f64) -> i64 {
    sorted[(share * sorted.len() as f64).ceil() as usize - 1]
}

/// Compares every consumer's figures over the whole run; gives how many messages that were.
fn agree(snapshot: &Snapshot, said: &Said) -> usize {
    let mut messages = 0;
    for (id, steps) in &said.steps {
        let shown = consumer(snapshot, id.as_str());
        let count = |kind: AckKind| steps.iter().filter(|s| s.kind == kind).count() as u64;
        let mut delays: Vec<i64> = steps
            .iter()
            .filter(|step| step.kind == AckKind::Acknowledged)
            .map(|step| step.at.nanos_since(step.appended))
            .collect();
        if delays.is_empty() {
            continue;
        }
        delays.sort_unstable();
        messages += delays.len();
        let delay = shown.delay.as_ref().expect("something was acknowledged");
        assert_eq!((delay.method, delay.count), (DelayMethod::Exact, delays.len() as u64), "{id}");
        assert_eq!((delay.negative, delay.max), (0, delays.last().copied()), "{id}");
        assert!(delay.error.is_some_and(|error| error.is_zero()), "{id}: {:?}", delay.error);
        for (figure, share) in [(delay.p50, 0.50), (delay.p95, 0.95), (delay.p99, 0.99)] {
            let (figure, truth) = (figure.expect("there are delays"), quantile(&delays, share));
            let off = (figure - truth).abs() as f64 / truth as f64;
            assert!(off <= 0.01, "{id}: p{share} is {figure} and in truth {truth}, of {}", delays.len());
        }
        let acks = shown.acks.as_ref().expect("it was heard");
        let again: u64 =
            steps.iter().filter(|s| s.kind == AckKind::Acknowledged).map(|s| s.deliveries - 1).sum();
        assert_eq!(
            (acks.acknowledged, acks.refused, acks.in_progress, acks.terminated, acks.redelivered),
            (
                count(AckKind::Acknowledged),
                count(AckKind::Refused),
                count(AckKind::InProgress),
                count(AckKind::Terminated),
                again
            ),
            "{id}"
        );
        assert_eq!(acks.covered, 0, "{id}");
    }
    messages
}

#[test]
fn exact_figures_are_those_of_the_messages() {
    for seed in 50..53 {
        let mut trial = Trial::of_whole_run(store(), seed, listening(seed));
        let mut said = Said::from_here(&trial);
        for s in 1..=200_u64 {
            let (snapshot, _) = trial.at(s * 1_000);
            said.go_on(&trial);
            if s % 10 == 0 {
                let messages = agree(&snapshot, &said);
                assert!(messages as u64 > s * 100, "{messages} messages in {s} seconds");
            }
        }
        let of = |kind: AckKind| said.steps.values().flatten().filter(|s| s.kind == kind).count();
        assert!(of(AckKind::Refused) > 5, "some were refused, and came again");
    }
}

#[test]
fn nothing_is_heard_at_passive_and_listening_changes_nothing_of_what_happens() {
    let mut quiet = Trial::new(store(), 54, Options::default());
    let mut heard = Trial::new(store(), 54, Options::default());
    for s in 0..=90 {
        if s == 30 || s == 60 {
            let level = if s == 30 { ProbeLevel::Acks } else { ProbeLevel::Passive };
            heard.simulation.command(&Command::Probe(level));
            heard.engine.set_probe(level);
        }
        let listens = (30..60).contains(&s);
        let batches = heard.simulation.advance(Mono((s + 1) * 1_000_000_000));
        assert_eq!(batches.iter().any(|batch| !batch.acks.is_empty()), listens, "second {s}");
        batches.iter().for_each(|batch| heard.engine.ingest(batch));
        let (snapshot, truth) = heard.at((s + 1) * 1_000);
        assert_eq!(truth, quiet.at((s + 1) * 1_000).1);
        let exact = snapshot.consumers.iter().filter_map(|c| c.delay.as_ref());
        let exact = exact.filter(|delay| delay.method == DelayMethod::Exact).count();
        assert_eq!(exact > 10, listens, "second {s}: {exact} consumers with exact delays");
    }
}

#[test]
fn what_is_heard_begins_with_the_listening() {
    let mut trial = Trial::of_whole_run(calm(), 55, Options::default());
    trial.at(20_500);
    trial.simulation.command(&Command::Probe(ProbeLevel::Acks));
    trial.engine.set_probe(ProbeLevel::Acks);
    let mut said = Said::from_here(&trial);
    let (snapshot, _) = trial.at(50_000);
    said.go_on(&trial);
    assert!(agree(&snapshot, &said) > 3_000);
}

/// The acked rates of all consumers against what they really said in the time that the rate covers. Gives how many were
/// exact, and how many of those were not 0.
fn rates_agree(snapshot: &Snapshot, said: &Said, ms: u64, window: u64) -> (usize, usize) {
    let (mut exact, mut busy) = (0, 0);
    let now = crate::START.0 + (ms * 1_000_000) as i64;
    for row in &snapshot.consumers {
        if &*row.acked_rate.by != "acknowledgements heard ÷ time listened" {
            continue;
        }
        let rate = *row.acked_rate.bounds.exact().expect("what was heard is exact");
        let steps = said.steps.get(&row.id).map(Vec::as_slice).unwrap_or_default();
        // The window begins with a telling, up to a tenth earlier than it should; after an interruption a fifth of it may be missing.
        let wanted = window.min(ms);
        let fits = (wanted * 4 / 5..=wanted + window / 10).step_by(100).any(|length| {
            let since = now - (length * 1_000_000) as i64;
            let acknowledged = steps.iter().filter(|s| s.kind == AckKind::Acknowledged && s.at.0 > since);
            (acknowledged.count() as f64 - rate * length as f64 / 1e3).abs() < 1e-6
        });
        assert!(fits, "{} at {ms} ms: {rate}/s", row.id);
        exact += 1;
        busy += usize::from(rate > 0.0);
    }
    (exact, busy)
}

#[test]
fn acked_rates_are_what_was_acknowledged_also_when_listening_is_interrupted() {
    let mut trial = Trial::new(store(), 57, Options { probe: ProbeLevel::Acks, ..Options::default() });
    let mut said = Said::from_here(&trial);
    let (mut exact, mut busy) = (0, 0);
    for s in 1..=120_u64 {
        if s == 40 || s == 43 || s == 80 {
            let level = if s == 43 { ProbeLevel::Acks } else { ProbeLevel::Passive };
            trial.simulation.command(&Command::Probe(level));
            trial.engine.set_probe(level);
        }
        let (snapshot, _) = trial.at(s * 1_000);
        said.go_on(&trial);
        let (now, of_them) = rates_agree(&snapshot, &said, s * 1_000, 5_000);
        let all = snapshot.consumers.iter().filter(|c| c.status != ConsumerStatus::Rewound).count();
        match s {
            5..40 | 49..80 => assert_eq!(now, all, "second {s}"),
            40..43 | 80.. => assert_eq!(now, 0, "second {s}"),
            _ => {}
        }
        (exact, busy) = (exact + now, busy + of_them);
    }
    assert!(exact > 600 && busy > 400, "{exact} rates, {busy} of them not 0");
}
