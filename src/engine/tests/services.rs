//! How services fare: their checks, their connections, both.

use super::*;
use crate::model::observation::{ComponentHealth, HealthReport, HealthState};

pub(super) fn check(name: &str, state: HealthState, detail: &str) -> HealthReport {
    HealthReport {
        service: "billing".into(),
        check: name.into(),
        url: "http://127.0.0.1:9102/health".into(),
        state,
        latency: Some(Duration::from_millis(3)),
        detail: detail.into(),
        interval: Duration::from_secs(2),
        components: Vec::new(),
        applied: BTreeMap::new(),
    }
}

fn health(ms: u64, report: HealthReport) -> crate::model::observation::Batch {
    batch("health", ms, vec![Observation::Health(Box::new(report))])
}

fn connected(ms: u64, names: &[&str]) -> crate::model::observation::Batch {
    let clients = names.iter().map(|name| client(name, &[])).collect();
    batch("nats", ms, vec![source_up(), Observation::Clients(all(clients))])
}

fn state_of(engine: &mut Engine, ms: u64) -> (HealthState, String) {
    let snapshot = engine.tick(at(ms));
    let service = snapshot.service(&"billing".into()).unwrap();
    (service.state, service.why.to_string())
}

#[test]
fn the_worst_check_decides() {
    let mut engine = engine();
    engine.ingest(&health(0, check("live", HealthState::Up, "200")));
    engine.ingest(&health(0, check("ready", HealthState::Down, "503, database refused")));
    assert_eq!(state_of(&mut engine, 10), (HealthState::Down, "ready: 503, database refused".into()));
    engine.ingest(&health(2_000, check("ready", HealthState::Degraded, "slow")));
    assert_eq!(state_of(&mut engine, 2_010), (HealthState::Degraded, "ready: slow".into()));
}

#[test]
fn what_a_check_says_first_was_so_before() {
    let mut engine = engine();
    engine.ingest(&connected(0, &["billing-1"]));
    engine.tick(at(10));
    engine.ingest(&health(200, check("ready", HealthState::Down, "503")));
    let snapshot = engine.tick(at(210));
    let billing = snapshot.service(&"billing".into()).unwrap();
    assert_eq!((billing.state, billing.since.or_earlier), (HealthState::Down, true));
    assert!(!snapshot.changes.iter().any(|change| change.text.contains("is down")), "{:?}", snapshot.changes);
    engine.ingest(&health(1_200, check("ready", HealthState::Up, "200")));
    let snapshot = engine.tick(at(1_210));
    assert!(!snapshot.service(&"billing".into()).unwrap().since.or_earlier);
    assert_eq!(&*snapshot.changes[0].text, "billing is up: ready: 200");
}

#[test]
fn an_endpoint_that_cannot_be_reached_is_not_a_service_that_is_down() {
    let mut engine = engine();
    let refused = || check("ready", HealthState::Unreachable, "connection refused");
    engine.ingest(&connected(0, &["billing-1"]));
    engine.ingest(&health(0, refused()));
    assert_eq!(
        state_of(&mut engine, 10),
        (HealthState::Unreachable, "ready: connection refused; connected to the broker".into())
    );
    engine.ingest(&connected(1_000, &[]));
    assert_eq!(
        state_of(&mut engine, 1_010),
        (HealthState::Down, "ready: connection refused; no connection any more".into())
    );
    engine.ingest(&health(2_000, check("ready", HealthState::Up, "200")));
    assert_eq!(state_of(&mut engine, 2_010).0, HealthState::Up, "its own word counts more than connections");
}

#[test]
fn who_came_and_left_and_is_not_waited_for_is_not_down() {
    let mut engine = engine();
    engine.ingest(&connected(0, &["billing-1"]));
    engine.tick(at(10));
    engine.ingest(&connected(1_000, &[]));
    let left = "left: no connection any more, and nothing is known to wait for it";
    assert_eq!(state_of(&mut engine, 1_010), (HealthState::Unknown, left.into()));
    let snapshot = engine.tick(at(1_020));
    assert!(snapshot.causes.is_empty(), "{:?}", snapshot.causes);
    let changes: Vec<_> = snapshot.changes.iter().map(|change| &*change.text).collect();
    assert_eq!(changes.first(), Some(&"billing-1 disconnected"));
}

#[test]
fn without_checks_the_connections_tell() {
    let mut engine = engine();
    engine.ingest(&connected(0, &["billing-1"]));
    engine.ingest(&orders_at(0, 10, 10, 0));
    assert_eq!(state_of(&mut engine, 10), (HealthState::Up, "connected, no health check".into()));
    engine.ingest(&connected(1_000, &[]));
    assert_eq!(
        state_of(&mut engine, 1_010),
        (HealthState::Down, "no connection any more, no health check".into())
    );
    let snapshot = engine.tick(at(1_020));
    assert_eq!(&*snapshot.changes[0].text, "billing is down: no connection any more, no health check");
    assert_eq!(snapshot.service(&"billing".into()).unwrap().since.at, at(1_010).wall);
    engine.ingest(&connected(2_000, &["billing-2"]));
    assert_eq!(state_of(&mut engine, 2_010).0, HealthState::Up);
}

#[test]
fn a_declared_service_that_was_never_seen_is_unknown() {
    let mut engine = engine();
    engine.set_topology(Some(super::super::sample::topology("service: billing\n")), None);
    assert_eq!(state_of(&mut engine, 10), (HealthState::Unknown, "connections are not listed".into()));
    engine.ingest(&connected(1_000, &["orders"]));
    assert_eq!(state_of(&mut engine, 1_010), (HealthState::Unknown, "declared, not seen".into()));
}

#[test]
fn what_was_so_at_the_first_look_was_so_earlier() {
    let mut engine = engine();
    engine.set_topology(Some(super::super::sample::topology("service: billing\n")), None);
    engine.tick(at(10));
    engine.ingest(&health(500, check("ready", HealthState::Down, "503")));
    let snapshot = engine.tick(at(510));
    let since = snapshot.service(&"billing".into()).unwrap().since;
    assert!(since.or_earlier);
    assert!(snapshot.changes.is_empty(), "the first word is no change");
    engine.ingest(&health(2_500, check("ready", HealthState::Up, "200")));
    let snapshot = engine.tick(at(2_510));
    assert!(!snapshot.service(&"billing".into()).unwrap().since.or_earlier);
    assert_eq!(&*snapshot.changes[0].text, "billing is up: ready: 200");
}

#[test]
fn a_store_is_what_its_service_s_health_says() {
    let mut engine = engine();
    let topology = "service: billing\nstores:\n  - { id: billing-db, kind: relational, technology: postgresql }\n  - { id: billing-cache, kind: cache }\n";
    engine.set_topology(Some(super::super::sample::topology(topology)), None);
    let component =
        |name: &str, state| ComponentHealth { name: name.into(), state, detail: "refused".into() };
    let mut report = check("ready", HealthState::Down, "503");
    report.components =
        vec![component("postgresql", HealthState::Down), component("diskSpace", HealthState::Up)];
    engine.ingest(&health(0, report));
    let snapshot = engine.tick(at(10));
    let state = |id: &str| snapshot.store(&id.into()).unwrap().state;
    assert_eq!(state("billing-db"), HealthState::Down);
    assert_eq!(state("billing-cache"), HealthState::Unknown, "nobody tells of it");
}

/// A durable whose service nobody has seen is a name and no more, unless somebody without a name is connected who may be it.
#[test]
fn a_service_that_only_a_consumer_names() {
    let mut engine = engine();
    engine.ingest(&connected(0, &["orders-1"]));
    engine.ingest(&orders_at(1, 10, 10, 0));
    let only_named = |engine: &mut Engine, ms: u64, id: &str| {
        engine.tick(at(ms)).service(&id.into()).map(|service| service.only_named)
    };
    assert_eq!(only_named(&mut engine, 1_010, "orders"), Some(false));
    assert_eq!(only_named(&mut engine, 1_020, "billing"), Some(true));
    assert_eq!(
        state_of(&mut engine, 1_030),
        (HealthState::Unknown, "known only by a consumer; no connection bears its name".into())
    );
    engine.ingest(&connected(2_000, &["orders-1", ""]));
    assert_eq!(only_named(&mut engine, 2_010, "billing"), Some(false), "it may be the one without a name");
    engine.ingest(&connected(3_000, &["orders-1", "billing-1"]));
    assert_eq!(only_named(&mut engine, 3_010, "billing"), Some(false));
    engine.ingest(&connected(4_000, &["orders-1"]));
    assert_eq!(state_of(&mut engine, 4_010).0, HealthState::Down, "it was there");
    assert_eq!(only_named(&mut engine, 4_020, "billing"), Some(false));
}
