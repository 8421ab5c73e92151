//! What is heard of acknowledgements beside what polls tell: rates that are exact, and samples of processing times.

use super::*;
use crate::model::acks::AckTally;
use crate::model::command::ProbeLevel;
use crate::model::histogram::Histogram;
use crate::model::observation::{AckPolicy, Batch, ConsumerReport, Span};

const STEP: u64 = 100;

fn span(from: u64, to: u64) -> Span {
    Span { from: at(from).mono, to: at(to).mono }
}

/// A run in steps of 100 ms: a poll every second, and in each step this many acknowledgements of `billing`.
struct Run {
    engine: Engine,
    base: ConsumerReport,
    at: u64,
    acked: u64,
    /// Polls show it so many acknowledgements late.
    behind: u64,
}

impl Run {
    fn new() -> Self {
        let mut engine = engine();
        engine.set_probe(ProbeLevel::Acks);
        let mut run =
            Self { engine, base: consumer("nats", "ORDERS", "billing"), at: 0, acked: 0, behind: 0 };
        run.engine.ingest(&batch("nats", 0, vec![source_up()]));
        run.poll();
        run
    }

    fn poll(&mut self) {
        let shown = self.acked - self.behind.min(self.acked);
        let report = consumed(&self.base, shown, 0, 0);
        let mut poll = poll(self.at, &filled(&channel("nats", "ORDERS"), 10_000), &[report]);
        poll.listened = Some(span(self.at, self.at));
        self.engine.ingest(&poll);
    }

    fn step(&mut self, acknowledged: u64, listened: bool) {
        let (from, to) = (self.at, self.at + STEP);
        self.at = to;
        self.acked += acknowledged;
        let mut heard = Batch::new("nats".into(), at(to));
        heard.listened = listened.then(|| span(from, to));
        if acknowledged > 0 {
            let tally = AckTally { acknowledged, span: span(from, to), ..AckTally::default() };
            heard.acks.insert("nats/ORDERS/billing".into(), tally);
        }
        self.engine.ingest(&heard);
        if to % 1_000 == 0 {
            self.poll();
        }
    }

    fn steps(&mut self, n: u64, acknowledged: u64) {
        (0..n).for_each(|_| self.step(acknowledged, true));
    }

    fn rate(&mut self) -> (Bounds<f64>, String) {
        let snapshot = self.engine.tick(at(self.at));
        let rate = billing(&snapshot).acked_rate.clone();
        (rate.bounds, rate.by.to_string())
    }
}

const HEARD: &str = "acknowledgements heard ÷ time listened";

#[test]
fn a_rate_is_what_was_heard_and_not_what_the_polls_have_seen() {
    let mut run = Run::new();
    run.behind = 30;
    run.steps(100, 2);
    assert_eq!(run.rate(), (Bounds::Exact(20.0), HEARD.into()));
    // Silence is told by nobody, and counts.
    run.steps(40, 0);
    assert_eq!(run.rate(), (Bounds::Exact(4.0), HEARD.into()));
    run.steps(20, 0);
    assert_eq!(run.rate(), (Bounds::Exact(0.0), HEARD.into()));
    assert_eq!(billing(&run.engine.tick(at(run.at))).acked_rate.at, at(run.at).wall);
}

#[test]
fn where_listening_does_not_cover_the_window_polls_tell() {
    let mut run = Run::new();
    run.steps(80, 2);
    assert_eq!(run.rate().1, HEARD);
    // Ten were acknowledged while nobody heard it: the polls have them.
    run.step(0, false);
    run.acked += 10;
    run.steps(29, 2);
    let (bounds, by) = run.rate();
    assert_ne!(by, HEARD);
    assert!(bounds.low().is_some_and(|rate| *rate > 20.0), "{bounds:?}");
    run.steps(60, 2);
    assert_eq!(run.rate(), (Bounds::Exact(20.0), HEARD.into()));
    // Passive again: what was heard grows old.
    run.engine.set_probe(ProbeLevel::Passive);
    run.steps(10, 2);
    assert_ne!(run.rate().1, HEARD);
}

#[test]
fn who_acknowledges_several_at_once_or_nothing_is_counted_by_polls() {
    for policy in [AckPolicy::All, AckPolicy::None] {
        let mut run = Run::new();
        run.base.ack = policy;
        run.steps(80, 2);
        assert_ne!(run.rate().1, HEARD, "{policy:?}");
    }
}

#[test]
fn a_consumer_made_anew_is_counted_from_then_on() {
    let mut run = Run::new();
    run.steps(80, 7);
    run.base.created_at = Some(at(7_500).wall);
    run.acked = 0;
    // The next poll shows that it is another one.
    run.steps(10, 4);
    run.steps(10, 1);
    assert_eq!(run.rate(), (Bounds::Exact(10.0), HEARD.into()));
}

#[test]
fn a_picture_that_goes_on_from_what_was_saved_is_the_same() {
    let mut run = Run::new();
    run.steps(77, 3);
    let mut again = Run { engine: Engine::restore(run.engine.save()), base: run.base.clone(), ..run };
    again.steps(3, 3);
    assert_eq!(again.rate(), (Bounds::Exact(30.0), HEARD.into()));
}

fn sampled(ms: u64, times: &[i64]) -> Batch {
    let mut histogram = Histogram::default();
    times.iter().for_each(|ms| histogram.record(ms * 1_000_000));
    let mut batch = Batch::new("nats".into(), at(ms));
    batch.processing.insert("nats/ORDERS/billing".into(), histogram);
    batch
}

#[test]
fn what_a_service_takes_of_its_own_is_told_at_every_level_and_beside_the_delay() {
    let mut engine = engine();
    engine.ingest(&batch("nats", 0, vec![source_up()]));
    let report =
        |sampling| ConsumerReport { sampling, ..consumed(&consumer("nats", "ORDERS", "billing"), 10, 0, 0) };
    let stream = filled(&channel("nats", "ORDERS"), 10);
    let why = |engine: &mut Engine, ms| {
        let snapshot = engine.tick(at(ms));
        billing(&snapshot).processing.bounds.why_unknown().map(ToString::to_string)
    };
    engine.ingest(&poll(10, &stream, &[report(None)]));
    assert_eq!(
        why(&mut engine, 20).as_deref(),
        Some(
            "its acknowledgements are not sampled: with sample_freq 100 in its configuration the broker tells"
        )
    );
    engine.ingest(&poll(1_010, &stream, &[report(Some(100))]));
    assert_eq!(
        why(&mut engine, 1_020).as_deref(),
        Some("no sampled acknowledgement was heard in the window")
    );
    engine.ingest(&sampled(1_500, &(1..=100).collect::<Vec<_>>()));
    engine.ingest(&poll(2_010, &stream, &[report(Some(100))]));
    let snapshot = engine.tick(at(2_020));
    let row = billing(&snapshot);
    let times = row.processing.bounds.exact().unwrap();
    assert_eq!((times.sampled, times.max), (100, Some(100_000_000)));
    let near = |value: Option<i64>, ms: i64| (value.unwrap() - ms * 1_000_000).abs() <= ms * 10_000;
    assert!(near(times.p50, 50) && near(times.p95, 95) && near(times.p99, 99), "{times:?}");
    assert_eq!(&*row.processing.by, "sampled by the broker, sample_freq 100");
    assert!(row.evidence().iter().any(|e| &*e.from == "sampled by the broker, sample_freq 100"));
    assert!(row.acks.is_none(), "never mixed with what acknowledgements tell");
    // The window forgets.
    engine.ingest(&poll(100_000, &stream, &[report(Some(100))]));
    assert_eq!(
        why(&mut engine, 100_010).as_deref(),
        Some("no sampled acknowledgement was heard in the window")
    );
    let all = ConsumerReport { ack: AckPolicy::All, ..report(Some(100)) };
    engine.ingest(&poll(101_000, &stream, &[all]));
    assert_eq!(
        why(&mut engine, 101_010).as_deref(),
        Some("it does not acknowledge each message by itself: there is nothing to sample")
    );
}

/// A chosen window covers what was heard in it, and the next tick shows it though nothing new came.
#[test]
fn figures_cover_the_window_that_was_chosen() {
    let mut run = Run::new();
    run.steps(900, 1);
    let count = |run: &mut Run| {
        let snapshot = run.engine.tick(at(run.at));
        billing(&snapshot).acks.as_ref().map(|acks| acks.acknowledged)
    };
    let minute = count(&mut run).unwrap();
    assert!((600..=650).contains(&minute), "{minute}");
    run.engine.set_window(Duration::from_secs(300));
    assert_eq!(count(&mut run), Some(900));
    run.engine.set_window(Duration::MAX);
    assert_eq!(count(&mut run), Some(900));
    run.engine.set_window(Duration::from_secs(60));
    assert_eq!(count(&mut run), Some(minute));
    assert_eq!(run.engine.tick(at(run.at)).heard_window, Duration::from_secs(60));
}
