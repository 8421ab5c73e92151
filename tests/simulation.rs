//! The engine against the truth: the simulation knows, message by message, what no broker tells. Whatever the engine
//! says of it must agree, at every poll and between polls.

// Helpers outside `#[test]` functions are tests too.
#![allow(clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use headwater::demo::sample;
use headwater::demo::scenario::load::{Known, read};
use headwater::demo::scenario::{STORE, STORE_FILE, Scenario, Times};
use headwater::demo::simulation::{Options, Simulation, Truth};
use headwater::engine::{Engine, EngineOptions};
use headwater::model::command::Command;
use headwater::model::measured::{Bounds, Measured};
use headwater::model::observation::{Batch, HealthState};
use headwater::model::snapshot::{Consumer, ConsumerStatus, Flow, FlowKind, Origin, Snapshot};
use headwater::model::time::{Mono, Stamp, Timestamp};
use headwater::topology::Topology;

#[path = "simulation/acks.rs"]
mod acks;
#[path = "simulation/intervals.rs"]
mod intervals;
#[path = "simulation/readme.rs"]
mod readme;
#[path = "simulation/traces.rs"]
mod traces;

const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn topology() -> Arc<Topology> {
    Arc::new(sample::load().topology.expect("the sample topology is good"))
}

fn store() -> Scenario {
    read(STORE_FILE, STORE, &Known::of(&topology())).expect("the sample scenario is good")
}

/// A scenario in which nothing goes wrong by itself.
fn calm() -> Scenario {
    let mut scenario = store();
    for fault in &mut scenario.faults {
        fault.start = None;
    }
    scenario
}

/// A scenario in which work takes long and wildly different times, many at once, and much is refused at first: nothing is
/// acknowledged in order.
fn rough() -> Scenario {
    let mut scenario = store();
    for (consumer, mean, workers, fails) in [
        ("ORDERS/billing", 1_500, 40, 0.05),
        ("ORDERS/inventory", 250, 32, 0.0),
        ("INVENTORY/shipping", 700, 60, 0.02),
        ("BILLING/notifications", 150, 16, 0.2),
        ("CATALOG/search", 60, 4, 0.01),
        // It reads all of its stream, and is idle now and then between refusals.
        ("ORDERS/analytics", 20, 8, 0.01),
    ] {
        let mut reading = scenario.reading(consumer);
        reading.takes = Times { mean: Duration::from_millis(mean), jitter: 1.2 };
        (reading.workers, reading.fails) = (workers, fails);
        scenario.reads.insert(consumer.into(), reading);
    }
    scenario
}

fn stamp(ms: u64) -> Stamp {
    Stamp { wall: START + Duration::from_millis(ms), mono: Mono(ms * 1_000_000), ..Stamp::default() }
}

/// A simulation and an engine that watches it.
struct Trial {
    simulation: Simulation,
    engine: Engine,
}

impl Trial {
    fn new(scenario: Scenario, seed: u64, options: Options) -> Self {
        Self::with(scenario, seed, options, |engine| engine)
    }

    /// One whose rates and delays cover the whole run.
    fn of_whole_run(scenario: Scenario, seed: u64, options: Options) -> Self {
        Self::with(scenario, seed, options, EngineOptions::whole_run)
    }

    fn with(
        scenario: Scenario,
        seed: u64,
        options: Options,
        change: impl FnOnce(EngineOptions) -> EngineOptions,
    ) -> Self {
        let topology = topology();
        let probe = options.probe;
        let simulation = Simulation::with_options(&topology, scenario, seed, START, options);
        let engine = EngineOptions { origin: Origin::Simulated, probe, ..EngineOptions::new(stamp(0)) };
        let mut engine = Engine::new(change(engine));
        engine.set_topology(Some(topology), None);
        Self { simulation, engine }
    }

    fn at(&mut self, ms: u64) -> (Snapshot, Truth) {
        for batch in self.simulation.advance(Mono(ms * 1_000_000)) {
            self.engine.ingest(&batch);
        }
        (self.engine.tick(stamp(ms)), self.simulation.truth())
    }

    fn fault(&mut self, id: &str, on: bool) {
        self.simulation.command(&Command::Fault { id: id.into(), on });
    }
}

fn consumer<'a>(snapshot: &'a Snapshot, id: &str) -> &'a Consumer {
    snapshot.consumers.iter().find(|consumer| consumer.id.as_str() == id).expect("the consumer is known")
}

/// Whether the truth is in what is said, which must not be "unknown".
fn holds(said: &Measured<u64>, truth: u64) -> bool {
    match &said.bounds {
        Bounds::Exact(value) => *value == truth,
        Bounds::AtLeast(low) => *low <= truth,
        Bounds::Between { lo, hi } | Bounds::About { within: Some((lo, hi)), .. } => {
            *lo <= truth && truth <= *hi
        }
        Bounds::About { within: None, .. } => true,
        Bounds::Unknown(_) => false,
    }
}

/// The same for a time; the clock's error (5 ms are never marked) is allowed for.
fn holds_time(said: &Measured<Duration>, truth: Duration) -> bool {
    let slack = Duration::from_millis(5).max(truth / 100);
    let (low, high) = (truth.saturating_sub(slack), truth + slack);
    match &said.bounds {
        Bounds::Exact(value) if truth.is_zero() || value.is_zero() => *value == truth,
        Bounds::Exact(value) => (low..=high).contains(value),
        Bounds::Between { lo, hi } | Bounds::About { within: Some((lo, hi)), .. } => {
            *lo <= high && low <= *hi
        }
        Bounds::About { within: None, .. } | Bounds::AtLeast(_) | Bounds::Unknown(_) => false,
    }
}

#[test]
fn at_every_poll_positions_and_ages_are_true() {
    for (seed, ahead) in [(1, 0), (2, 3_700_000_000), (3, -2_200_000_000)] {
        let options = Options {
            broker_ahead: ahead,
            clock_uncertainty: Duration::from_micros(200),
            ..Options::default()
        };
        let mut trial = Trial::new(store(), seed, options);
        let mut busy = 0;
        for s in 0..=360 {
            let (snapshot, truth) = trial.at(s * 1000);
            assert_eq!(snapshot.consumers.len(), truth.consumers.len());
            for said in &snapshot.consumers {
                let true_one = &truth.consumers[&said.id];
                let place = || format!("seed {seed}, second {s}, {}: {true_one:?}\n{said:?}", said.id);
                assert!(holds(&said.lag, true_one.lag), "lag, {}", place());
                assert!(holds(&said.in_flight, true_one.in_flight), "in flight, {}", place());
                assert!(holds(&said.redelivered, true_one.redelivered), "redelivered, {}", place());
                assert!(holds(&said.gave_up, true_one.gave_up), "gave up, {}", place());
                assert!(holds_time(&said.staleness, true_one.staleness), "staleness, {}", place());
                busy += u64::from(!true_one.staleness.is_zero());
            }
        }
        assert!(busy > 1_000, "{busy} consumers had work when they were looked at");
    }
}

#[test]
fn between_polls_ages_are_true_too() {
    let mut trial = Trial::new(store(), 4, Options::default());
    let mut truths = BTreeMap::new();
    for tenth in 0..=1_200 {
        let (snapshot, truth) = trial.at(tenth * 100);
        truths.insert(snapshot.taken_at, truth);
        for said in &snapshot.consumers {
            // What is said is said of the moment that it carries: that of the last poll.
            let polled = truths.get(&said.staleness.at).unwrap_or_else(|| panic!("{:?}", said.staleness));
            let true_one = &polled.consumers[&said.id];
            assert!(
                holds_time(&said.staleness, true_one.staleness),
                "at {tenth}/10 s, {}: {:?}, in truth {:?}",
                said.id,
                said.staleness,
                true_one.staleness
            );
        }
    }
}

#[test]
fn nothing_is_called_slow_or_worse_when_nothing_is() {
    for seed in 10..13 {
        let mut trial = Trial::new(calm(), seed, Options::default());
        for s in 0..=240 {
            let (snapshot, _) = trial.at(s * 1000);
            for said in &snapshot.consumers {
                let fine =
                    said.status == ConsumerStatus::Ok || (s < 3 && said.status == ConsumerStatus::Unknown);
                assert!(fine, "seed {seed}, second {s}, {}: {:?}, {}", said.id, said.status, said.why);
            }
            for service in snapshot.services.iter().filter(|_| s >= 1) {
                assert_eq!(service.state, HealthState::Up, "second {s}, {}: {}", service.id, service.why);
            }
            assert!(s < 3 || snapshot.causes.is_empty(), "seed {seed}, second {s}: {:?}", snapshot.causes);
        }
    }
}

/// The first second at which something is so, while a trial runs from `from` to `to`.
fn first(trial: &mut Trial, from: u64, to: u64, so: impl Fn(&Snapshot) -> bool) -> Option<u64> {
    (from..=to).find(|s| so(&trial.at(s * 1000).0))
}

#[test]
fn billing_becomes_slow_and_recovers() {
    let billing = "main/ORDERS/billing";
    for seed in 20..23 {
        let mut trial = Trial::new(store(), seed, Options::default());
        let behind = |snapshot: &Snapshot| {
            matches!(consumer(snapshot, billing).status, ConsumerStatus::Slow | ConsumerStatus::Stalled)
        };
        assert_eq!(first(&mut trial, 0, 54, behind), None, "the fault begins at 55 s");
        let told = first(&mut trial, 55, 95, behind);
        assert!(told.is_some_and(|s| s <= 75), "seed {seed}: told at {told:?}");
        let (snapshot, truth) = trial.at(94_000);
        assert!(truth.consumers[billing].lag > 300);
        assert!(snapshot.causes.iter().any(|cause| cause.name.contains("billing")), "{:?}", snapshot.causes);
        let fine = |snapshot: &Snapshot| consumer(snapshot, billing).status == ConsumerStatus::Ok;
        let again = first(&mut trial, 96, 129, fine);
        assert!(again.is_some_and(|s| s <= 115), "seed {seed}: fine again at {again:?}");
    }
}

#[test]
fn notifications_stops_and_comes_back() {
    let mut trial = Trial::new(calm(), 30, Options::default());
    trial.at(20_000);
    trial.fault("notifications-stop", true);
    let its = |snapshot: &Snapshot, status: ConsumerStatus| {
        let mut its =
            snapshot.consumers.iter().filter(|c| c.services.iter().any(|s| s.as_str() == "notifications"));
        its.all(|c| c.status == status || c.lag.low() == Some(&0))
    };
    let push = "main/BILLING/notifications";
    let told = first(&mut trial, 21, 45, |s| consumer(s, push).status == ConsumerStatus::Stopped);
    assert!(told.is_some_and(|s| s <= 30), "told at {told:?}");
    let all = first(&mut trial, 31, 54, |snapshot| its(snapshot, ConsumerStatus::Stopped));
    assert!(all.is_some_and(|s| s <= 45), "all told at {all:?}");
    let (snapshot, _) = trial.at(54_000);
    let service = snapshot.services.iter().find(|s| s.id.as_str() == "notifications").expect("declared");
    assert_eq!(service.state, HealthState::Down, "{}", service.why);
    assert_eq!(service.connections.low(), Some(&0));
    let fine = first(&mut trial, 56, 90, |snapshot| its(snapshot, ConsumerStatus::Ok));
    assert!(fine.is_some_and(|s| s <= 80), "fine again at {fine:?}");
}

#[test]
fn poison_is_given_up_and_stays_said() {
    let mut trial = Trial::new(calm(), 31, Options::default());
    trial.at(15_000);
    trial.fault("poison", true);
    let id = "main/BILLING/notifications";
    let told = first(&mut trial, 16, 60, |s| consumer(s, id).status == ConsumerStatus::GaveUp);
    assert!(told.is_some(), "never told");
    for s in 50..=70 {
        let (snapshot, truth) = trial.at(s * 1000);
        let said = consumer(&snapshot, id);
        assert_eq!(truth.consumers[id].gave_up, 3);
        assert_eq!(said.gave_up.low(), Some(&3), "{:?}", said.gave_up);
        assert_eq!(said.status, ConsumerStatus::GaveUp, "second {s}: {}", said.why);
    }
}

#[test]
fn events_and_feeds_are_told_apart_though_they_share_streams() {
    let mut trial = Trial::new(calm(), 33, Options::default());
    let (snapshot, _) = trial.at(30_000);
    let (feeds, events) = (&snapshot.totals.feeds, &snapshot.totals.events);
    // By the scenario 9 + 14 + 45 records, and about 150 events: 18 orders, each with about eight events after it.
    assert!(feeds.low().is_some_and(|rate| (55.0..=81.0).contains(rate)), "{feeds:?}");
    assert!(events.low().is_some_and(|rate| (110.0..=190.0).contains(rate)), "{events:?}");
}

fn request<'a>(snapshot: &'a Snapshot, operation: &str) -> &'a Flow {
    let found = snapshot.flows.iter().find(|f| f.kind == FlowKind::Request && &*f.label == operation);
    found.unwrap_or_else(|| panic!("no flow for {operation}"))
}

#[test]
fn accounts_is_down_its_store_too_and_its_callers_fail() {
    let mut trial = Trial::new(calm(), 32, Options::default());
    let (calm, _) = trial.at(20_000);
    assert!(
        calm.totals.error_share.low().is_some_and(|share| *share < 0.01),
        "{:?}",
        calm.totals.error_share
    );
    trial.fault("accounts-down", true);
    trial.at(28_000);
    let (snapshot, truth) = trial.at(40_000);
    let service = |id: &str| snapshot.services.iter().find(|s| s.id.as_str() == id).expect("declared");
    assert!(truth.services["accounts"].runs && !truth.services["accounts"].works);
    assert_eq!(service("accounts").state, HealthState::Down, "{}", service("accounts").why);
    assert_eq!(service("accounts").connections.low(), Some(&1));
    let store = snapshot.stores.iter().find(|s| s.id.as_str() == "accounts-db").expect("declared");
    assert_eq!(store.state, HealthState::Down);
    for operation in ["accounts.user.get", "billing.payment.authorize", "orders.order.place"] {
        let flow = request(&snapshot, operation);
        let (rate, errors) = (flow.rate.low().copied(), flow.errors_rate.low().copied());
        assert!(rate.is_some_and(|rate| rate > 1.0) && rate == errors, "{operation}: {rate:?} {errors:?}");
    }
    let first = snapshot.causes.first().expect("a cause");
    assert!(first.name.contains("accounts"), "{:?}", snapshot.causes);
    trial.fault("accounts-down", false);
    let (snapshot, _) = trial.at(60_000);
    assert!(snapshot.services.iter().all(|s| s.state == HealthState::Up));
    assert!(request(&snapshot, "orders.order.place").errors_rate.low().is_some_and(|rate| *rate < 1.0));
}

#[test]
fn rates_and_mean_times_are_those_of_the_last_seconds() {
    let mut trial = Trial::new(calm(), 33, Options::default());
    let mut truths = Vec::new();
    for s in 0..=40_u64 {
        let (snapshot, truth) = trial.at(s * 1000);
        truths.push(truth);
        if s < 12 {
            continue;
        }
        // The window is about five seconds: the rate is that of the last four, five or six.
        let rate_of = |count: &dyn Fn(&Truth) -> u64| -> (f64, f64) {
            let now = count(&truths[s as usize]);
            let rates = (4..=6).map(|n| (now - count(&truths[(s - n) as usize])) as f64 / n as f64);
            rates.fold((f64::MAX, 0.0), |(low, high), rate| (low.min(rate), high.max(rate)))
        };
        let near = |said: &Measured<f64>, (low, high): (f64, f64), what: &str| {
            let (from, to) = match &said.bounds {
                Bounds::Exact(value) => (*value, *value),
                Bounds::Between { lo, hi } | Bounds::About { within: Some((lo, hi)), .. } => (*lo, *hi),
                other => panic!("second {s}: {what}: {other:?}"),
            };
            let agrees = from <= high + 0.05 && low - 0.05 <= to;
            assert!(agrees, "second {s}: {what} {said:?}, in truth {low} to {high}");
        };
        for channel in &snapshot.channels {
            let name = &channel.report.name;
            if let Some(stored) = truths[s as usize].stored.get(name) {
                assert!(*stored > 0);
                near(&channel.rate, rate_of(&|truth| truth.stored[name]), name);
            }
        }
        for said in &snapshot.consumers {
            near(&said.acked_rate, rate_of(&|truth| truth.consumers[&said.id].acked), said.id.as_str());
            near(
                &said.delivered_rate,
                rate_of(&|truth| truth.consumers[&said.id].deliveries),
                said.id.as_str(),
            );
        }
        for (operation, truth) in &truths[s as usize].operations {
            if truth.requests > 0 {
                let flow = request(&snapshot, operation);
                near(&flow.rate, rate_of(&|truth| truth.operations[operation].requests), operation);
            }
        }
    }
}

/// What can be compared of a run: every snapshot, byte for byte.
fn pictures(mut trial: Trial, cut: u64, seconds: u64) -> Vec<String> {
    let mut pictures = Vec::new();
    for s in 0..=seconds {
        if s == 12 {
            trial.fault("poison", true);
        }
        for part in (1..cut).rev() {
            let at = Mono((s * 1000).saturating_sub(1000 * part / cut) * 1_000_000);
            for batch in trial.simulation.advance(at) {
                trial.engine.ingest(&batch);
            }
        }
        pictures.push(serde_json::to_string(&trial.at(s * 1000).0).expect("a snapshot is JSON"));
    }
    pictures
}

#[test]
fn the_same_seed_gives_the_same_snapshots_byte_for_byte() {
    let run = |seed, cut| pictures(Trial::new(store(), seed, Options::default()), cut, 75);
    let one = run(41, 1);
    assert!(one == run(41, 1), "twice the same");
    assert!(one == run(41, 7), "however time is cut");
    assert!(one != run(42, 1), "another seed is another day");
}

#[test]
fn a_recording_of_the_batches_gives_the_same_snapshots() {
    let mut live = Trial::new(store(), 43, Options::default());
    let mut replayed = Trial::new(store(), 43, Options::default());
    for s in 0..=70 {
        let batches = live.simulation.advance(Mono(s * 1_000_000_000));
        let text = serde_json::to_string(&batches).expect("batches are JSON");
        let recorded: Vec<Batch> = serde_json::from_str(&text).expect("what was written can be read");
        assert_eq!(recorded, batches);
        for (batch, copy) in batches.iter().zip(&recorded) {
            live.engine.ingest(batch);
            replayed.engine.ingest(copy);
        }
        assert_eq!(replayed.engine.tick(stamp(s * 1000)), live.engine.tick(stamp(s * 1000)), "second {s}");
    }
}
