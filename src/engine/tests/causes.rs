//! What needs a person, and what follows from it.

use super::declared::{orders, poll_main, store};
use super::*;
use crate::model::observation::{
    BacklogReport, ConsumerReport, HealthReport, HealthState, Notice, NoticeKind, SourceReport, SourceState,
    Span,
};
use crate::model::snapshot::{Cause, Severity, Thing};
use crate::model::traffic::{Count, TrafficKey};

/// Causes as lines: `down billing: ready: 503` and `  behind: ORDERS/billing: 4 messages`.
fn lines(causes: &[Cause]) -> Vec<String> {
    let mut out = Vec::new();
    for cause in causes {
        let severity = match cause.severity {
            Severity::Unseen => "unseen",
            Severity::Degraded => "degraded",
            Severity::Lost => "lost",
            Severity::Stalled => "stalled",
            Severity::Down => "down",
        };
        out.push(format!("{severity} {}: {}", cause.name, cause.text));
        out.extend(cause.effects.iter().map(|e| format!("  {}: {}", e.kind, e.text)));
    }
    out
}

fn stuck(s: u64) -> ConsumerReport {
    ConsumerReport { max_in_flight: Some(1_000), ..consumed(&orders("billing"), 1_000, 1_000, 3_100 + s) }
}

/// Six polls of a billing that acknowledges nothing; the oldest message came at the start.
fn stall(engine: &mut Engine, connected: bool) {
    let clients = if connected {
        vec![client("billing-1", &[]), client("orders-1", &[])]
    } else {
        vec![client("orders-1", &[])]
    };
    for s in 0..6 {
        engine.ingest(&batch(
            "main",
            s * 1_000,
            vec![source_up(), Observation::Clients(all(clients.clone()))],
        ));
        engine.ingest(&poll_main(s * 1_000, 4_100 + s, &[stuck(s)]));
        let backlog = BacklogReport {
            consumer: "main/ORDERS/billing".into(),
            oldest: Bounds::Exact(at(0).wall - Duration::from_secs(120)),
            channel_seq: Some(1),
            stamped_by: None,
            how: "read".into(),
        };
        engine.ingest(&batch("main", s * 1_000, vec![Observation::Backlog(backlog)]));
        engine.tick(at(s * 1_000 + 10));
    }
}

fn given_up(seq: u64) -> Observation {
    Observation::Notice(Notice {
        kind: NoticeKind::GaveUp,
        channel: Some("main/ORDERS".into()),
        consumer: Some("main/ORDERS/billing".into()),
        channel_seq: Some(seq),
        deliveries: Some(5),
        by: None,
        text: "gave up".into(),
    })
}

fn health(ms: u64, service: &str, state: HealthState, detail: &str) -> crate::model::observation::Batch {
    let report = HealthReport {
        service: service.into(),
        check: "ready".into(),
        url: "http://127.0.0.1/health".into(),
        state,
        latency: None,
        detail: detail.into(),
        interval: Duration::from_secs(2),
        components: Vec::new(),
        applied: BTreeMap::new(),
    };
    batch("health", ms, vec![Observation::Health(Box::new(report))])
}

fn answered(ms: u64, subject: &str, messages: u64, errors: u64) -> crate::model::observation::Batch {
    let span = Span { from: at(0).mono, to: at(ms).mono };
    let count = Count { messages, errors, span, ..Count::default() };
    let mut batch = batch("main", ms, Vec::new());
    let responder = subject.split('.').next().unwrap().into();
    batch.traffic.add(TrafficKey::Answered { responder, subject: subject.into() }, &count);
    batch
}

fn responders() -> Observation {
    let one = |name: &str, subject: &str| crate::model::observation::ResponderReport {
        name: name.into(),
        versions: Vec::new(),
        instances: 1,
        description: None,
        metadata: BTreeMap::new(),
        endpoints: vec![crate::model::observation::EndpointReport {
            name: "get".into(),
            subject: subject.into(),
            queue: None,
            last_error: None,
        }],
    };
    Observation::Responders(all(vec![
        one("orders", "orders.order.get"),
        one("billing", "billing.invoice.get"),
    ]))
}

#[test]
fn a_stalled_consumer_explains_the_age_of_the_copy_that_it_feeds() {
    let mut engine = store();
    stall(&mut engine, true);
    let snapshot = engine.tick(at(5_010));
    assert_eq!(
        lines(&snapshot.causes),
        [
            "stalled billing: in flight is at its maximum of 1000: the service does not acknowledge; consumer ORDERS/billing",
            "  behind: ORDERS/billing: 3.1k messages, oldest 2m05, not draining",
            "  growing old: Order ● billing 2m05 > 2 s",
        ]
    );
    assert_eq!(snapshot.causes[0].team, Some("team-payments".into()));
    assert!(snapshot.causes[0].since.or_earlier);
}

#[test]
fn a_service_that_is_down_explains_its_consumers_its_copies_and_its_callers() {
    let mut engine = store();
    stall(&mut engine, true);
    engine.ingest(&batch("main", 5_050, vec![responders()]));
    engine.ingest(&health(5_100, "billing", HealthState::Down, "503, database refused"));
    // orders asks billing, shipping asks orders: both fail because billing does.
    engine.ingest(&answered(5_200, "billing.invoice.get", 100, 31));
    engine.ingest(&answered(5_200, "orders.order.get", 100, 20));
    let snapshot = engine.tick(at(5_300));
    assert_eq!(
        lines(&snapshot.causes),
        [
            "down billing: ready: 503, database refused",
            "  failing now: orders ╌ billing.invoice.get  31 % errors",
            "  failing now: shipping ╌ orders.order.get  20 % errors",
            "  behind: ORDERS/billing: 3.1k messages, oldest 2m05, not draining",
            "  growing old: Order ● billing 2m05 > 2 s",
        ]
    );
}

#[test]
fn failing_operations_are_grouped_under_the_deepest_one() {
    let mut engine = store();
    engine.ingest(&batch("main", 0, vec![source_up(), responders()]));
    engine.ingest(&answered(5_000, "billing.invoice.get", 100, 31));
    engine.ingest(&answered(5_000, "orders.order.get", 100, 20));
    let snapshot = engine.tick(at(5_100));
    assert_eq!(
        lines(&snapshot.causes),
        [
            "degraded billing.invoice.get: orders ╌ billing.invoice.get  31 % errors",
            "  failing now: shipping ╌ orders.order.get  20 % errors",
        ]
    );
}

#[test]
fn given_up_messages_are_lost_data_though_nothing_waits() {
    let mut engine = store();
    let limited = ConsumerReport { max_deliver: Some(5), ..consumed(&orders("billing"), 3, 0, 0) };
    engine.ingest(&batch("main", 0, vec![source_up()]));
    engine.ingest(&poll_main(1_000, 3, std::slice::from_ref(&limited)));
    engine.ingest(&batch("main", 1_500, [4, 5, 6].map(given_up).to_vec()));
    engine.ingest(&poll_main(2_000, 3, &[limited]));
    let snapshot = engine.tick(at(2_010));
    assert_eq!(
        lines(&snapshot.causes),
        [
            "lost billing: ORDERS/billing gave up 3 messages after 5 deliveries",
            "  lost data: Order ● billing"
        ]
    );
    assert_eq!(snapshot.consumer(&"main/ORDERS/billing".into()).unwrap().status, ConsumerStatus::GaveUp);
    let change = snapshot.changes.iter().find(|change| change.text.contains("gave up")).unwrap();
    assert_eq!((&*change.text, change.times), ("consumer ORDERS/billing gave up a message", 3));
    assert_eq!(change.thing, Some(Thing::Consumer("main/ORDERS/billing".into())));
}

#[test]
fn what_was_given_up_before_a_service_stopped_does_not_follow_from_that() {
    // Messages that were given up 40 s before the stop, 30 s after it, or both.
    let told = |lost_ms: &[u64]| {
        let mut engine = store();
        for s in 0..90 {
            let clients = if s < 50 { &["billing-1", "orders-1"][..] } else { &["orders-1"] };
            let clients = clients.iter().map(|name| client(name, &[])).collect();
            engine.ingest(&batch("main", s * 1_000, vec![source_up(), Observation::Clients(all(clients))]));
            if lost_ms.contains(&(s * 1_000)) {
                engine.ingest(&batch("main", s * 1_000, vec![given_up(s)]));
            }
            let (read, waits) = if s < 50 { (100 + s, 0) } else { (149, s - 49) };
            let report = consumed(&orders("billing"), read, 0, waits);
            let pulls = Some(u64::from(s < 50));
            let report = ConsumerReport { max_deliver: Some(5), waiting_pulls: pulls, ..report };
            engine.ingest(&poll_main(s * 1_000, 100 + s, &[report]));
            engine.tick(at(s * 1_000 + 10));
        }
        lines(&engine.tick(at(89_020)).causes)
    };
    let stopped = "down billing: no connection any more, no health check";
    let behind = "  behind: ORDERS/billing: 40 messages, not draining";
    let lost = "ORDERS/billing gave up 1 message after 5 deliveries";
    let (before, after) = (format!("lost billing: {lost}"), format!("  lost data: {lost}"));
    assert_eq!(told(&[10_000]), [stopped, behind, &before, "  lost data: Order ● billing"]);
    assert_eq!(told(&[80_000]), [stopped, behind, &after]);
    assert_eq!(told(&[10_000, 80_000]), [stopped, behind, &after, &before, "  lost data: Order ● billing"]);
}

#[test]
fn a_quiet_system_has_no_causes() {
    let mut engine = store();
    for s in 0..20 {
        let clients = vec![client("billing-1", &[]), client("orders-1", &[])];
        engine.ingest(&batch("main", s * 1_000, vec![source_up(), Observation::Clients(all(clients))]));
        let idle = consumed(&orders("billing"), 100 + s, 0, 0);
        engine.ingest(&poll_main(s * 1_000, 100 + s, &[idle]));
        assert_eq!(engine.tick(at(s * 1_000 + 10)).causes, []);
    }
}

#[test]
fn a_lost_broker_stands_above_what_is_down_because_of_it() {
    let mut engine = store();
    stall(&mut engine, true);
    engine.ingest(&health(5_100, "billing", HealthState::Down, "503, database refused"));
    let lost = SourceReport {
        kind: "nats".into(),
        address: "nats://127.0.0.1:4222".into(),
        state: SourceState::Down,
        error: Some("connection refused".into()),
        ..SourceReport::default()
    };
    engine.ingest(&batch("main", 5_200, vec![Observation::Source(Box::new(lost))]));
    let causes = lines(&engine.tick(at(5_300)).causes);
    assert_eq!(
        causes[..2],
        [
            "down main: nats://127.0.0.1:4222: connection refused; its last values stay, and age",
            "down billing: ready: 503, database refused",
        ]
    );
}

#[test]
fn what_never_answered_has_no_last_values() {
    let mut engine = store();
    let none = SourceReport {
        kind: "health".into(),
        address: "10 endpoints".into(),
        state: SourceState::Down,
        error: Some("no health endpoint answers from here".into()),
        ..SourceReport::default()
    };
    engine.ingest(&batch("health", 0, vec![Observation::Source(Box::new(none))]));
    engine.ingest(&health(100, "billing", HealthState::Unreachable, "connection refused"));
    let causes = lines(&engine.tick(at(200)).causes);
    assert_eq!(causes, ["unseen health: 10 endpoints: no health endpoint answers from here"]);
}

#[test]
fn services_that_did_not_come_back_with_the_broker_are_one_cause() {
    let mut engine = store();
    let all_of =
        |names: &[&str]| Observation::Clients(all(names.iter().map(|name| client(name, &[])).collect()));
    let told = |state| {
        let kind = "nats".into();
        Observation::Source(Box::new(SourceReport { kind, state, ..SourceReport::default() }))
    };
    let everybody = ["billing-1", "orders-1", "shipping-1"];
    engine.ingest(&batch("main", 0, vec![told(SourceState::Up), all_of(&everybody)]));
    engine.tick(at(10));
    engine.ingest(&batch("main", 1_000, vec![told(SourceState::Down)]));
    let lost: Vec<_> = lines(&engine.tick(at(1_010)).causes);
    assert_eq!(lost.len(), 1, "the broker alone: {lost:?}");
    engine.ingest(&batch("main", 20_000, vec![told(SourceState::Up), all_of(&["orders-1"])]));
    let snapshot = engine.tick(at(20_010));
    assert_eq!(
        lines(&snapshot.causes),
        ["down main: 2 services have not come back with it: billing, shipping"]
    );
    assert_eq!(snapshot.causes[0].since.at, at(1_000).wall);
    // One that says itself what it lacks is missed too.
    engine.ingest(&health(20_100, "billing", HealthState::Degraded, "cache cold"));
    assert_eq!(
        lines(&engine.tick(at(20_200)).causes),
        [
            "down main: 2 services have not come back with it: billing, shipping",
            "degraded billing: ready: cache cold; no connection any more",
        ]
    );
    // The last one that is missing is a cause by itself, and nobody who leaves later belongs to it.
    engine.ingest(&batch("main", 21_000, vec![all_of(&["orders-1", "shipping-1"])]));
    let one = lines(&engine.tick(at(21_010)).causes);
    assert_eq!(one, ["degraded billing: ready: cache cold; no connection any more"]);
    engine.ingest(&batch("main", 22_000, vec![all_of(&["shipping-1"])]));
    let two = lines(&engine.tick(at(22_010)).causes);
    assert_eq!(two.len(), 2, "{two:?}");
}

#[test]
fn a_service_whose_program_was_replaced_before_the_broker_went_is_missed_all_the_same() {
    let mut engine = store();
    let all_of =
        |names: &[&str]| Observation::Clients(all(names.iter().map(|name| client(name, &[])).collect()));
    let told = |state| {
        let kind = "nats".into();
        Observation::Source(Box::new(SourceReport { kind, state, ..SourceReport::default() }))
    };
    engine.ingest(&batch("main", 0, vec![told(SourceState::Up), all_of(&["billing-1", "orders-1", "x"])]));
    engine.tick(at(10));
    engine.ingest(&batch("main", 500, vec![all_of(&["billing-2", "orders-1", "x"])]));
    engine.tick(at(510));
    engine.ingest(&batch("main", 1_000, vec![told(SourceState::Down)]));
    engine.tick(at(1_010));
    engine.ingest(&batch("main", 20_000, vec![told(SourceState::Up), all_of(&["x"])]));
    assert_eq!(
        lines(&engine.tick(at(20_010)).causes),
        ["down main: 2 services have not come back with it: billing, orders"]
    );
}

#[test]
fn a_stopped_consumer_keeps_its_rank_whatever_the_check_says() {
    let told = |check: Option<HealthState>| {
        let mut engine = store();
        for s in 0..60 {
            let clients = if s < 20 { &["billing-1", "orders-1"][..] } else { &["orders-1"] };
            let clients = clients.iter().map(|name| client(name, &[])).collect();
            engine.ingest(&batch("main", s * 1_000, vec![source_up(), Observation::Clients(all(clients))]));
            let (read, waits) = if s < 20 { (100 + s, 0) } else { (119, s - 19) };
            let report = consumed(&orders("billing"), read, 0, waits);
            let report = ConsumerReport { waiting_pulls: Some(u64::from(s < 20)), ..report };
            engine.ingest(&poll_main(s * 1_000, 100 + s, &[report]));
            if let Some(check) = check {
                engine.ingest(&health(s * 1_000, "billing", check, "200"));
            }
            engine.tick(at(s * 1_000 + 10));
        }
        engine.tick(at(59_020)).causes
    };
    for check in [None, Some(HealthState::Up), Some(HealthState::Degraded), Some(HealthState::Down)] {
        let causes = told(check);
        assert_eq!(causes[0].severity, Severity::Down, "{check:?}");
        // It has been so since it stopped, and not since its check says what it says.
        let stopped = [None, Some(HealthState::Up), Some(HealthState::Degraded)].contains(&check);
        assert!(!stopped || !causes[0].since.or_earlier, "{check:?}: {:?}", causes[0]);
    }
}

#[test]
fn a_single_error_in_the_first_moments_is_no_cause() {
    let causes = |ms: u64, errors: u64| {
        let mut engine = store();
        engine.ingest(&batch("main", 0, vec![source_up(), responders()]));
        engine.ingest(&answered(ms, "billing.invoice.get", 30, errors));
        lines(&engine.tick(at(ms)).causes)
    };
    assert!(causes(1_200, 1).is_empty(), "{:?}", causes(1_200, 1));
    assert_eq!(causes(1_200, 3).len(), 1, "several are news at any time");
}

/// A source at which ORDERS/billing stands still, and nobody is connected but who is named.
fn at_source(engine: &mut Engine, source: &str, s: u64, clients: &[&str], moves: bool) {
    let id = |name: &str| consumer(source, "ORDERS", name);
    let last = 100 + s;
    let delivered = if moves { last } else { 101 };
    let report = consumed(&id("billing"), delivered, 0, last - delivered);
    let report = ConsumerReport { waiting_pulls: Some(u64::from(moves)), ..report };
    let clients = clients.iter().map(|name| client(name, &[])).collect();
    engine.ingest(&batch(source, s * 1_000, vec![source_up(), Observation::Clients(all(clients))]));
    let poll = poll(s * 1_000, &filled(&channel(source, "ORDERS"), last), &[report]);
    engine.ingest(&crate::model::observation::Batch { source: source.into(), ..poll });
    engine.tick(at(s * 1_000 + 10));
}

#[test]
fn with_several_brokers_every_name_bears_its_source() {
    let mut engine = engine();
    for s in 0..8 {
        at_source(&mut engine, "eu", s, if s < 2 { &["billing-1", "x"] } else { &["x"] }, s < 2);
        at_source(&mut engine, "us", s, &["billing-1", "x"], true);
    }
    let snapshot = engine.tick(at(8_010));
    assert_eq!(
        lines(&snapshot.causes),
        [
            "down eu/billing: nobody pulls, and billing has no connection to eu; consumer eu/ORDERS/billing",
            "  behind: eu/ORDERS/billing: 6 messages, not draining",
        ]
    );
    let changes: Vec<&str> = snapshot.changes.iter().map(|change| &*change.text).collect();
    assert!(changes.contains(&"billing-1 disconnected from eu"), "{changes:?}");
    let naming = snapshot.naming();
    let flows: Vec<_> = snapshot.flows.iter().map(|flow| naming.flow(flow)).collect();
    assert_eq!(flows, ["eu/orders.>", "us/orders.>"]);
    // What is made later, too.
    let made = ["eu", "us"].map(|source| {
        let stream = crate::model::observation::ChannelReport { last_seq: Some(0), ..channel(source, "NEW") };
        let both = vec![filled(&channel(source, "ORDERS"), 108), stream];
        batch(source, 9_000, vec![Observation::Channels(all(both))])
    });
    made.iter().for_each(|batch| engine.ingest(batch));
    let snapshot = engine.tick(at(9_010));
    let changes: Vec<&str> = snapshot.changes.iter().map(|change| &*change.text).take(2).collect();
    assert_eq!(changes, ["stream us/NEW created", "stream eu/NEW created"]);
}
