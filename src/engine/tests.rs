//! The whole engine: laws that hold for any batches.

use std::sync::Arc;
use std::time::Duration;

use super::sample::{all, at, batch, channel, client, consumed, consumer, filled, poll, source_up};
use super::*;
use crate::model::measured::Bounds;
use crate::model::observation::Observation;
use crate::model::snapshot::ConsumerStatus;

fn engine() -> Engine {
    Engine::new(EngineOptions::new(at(0)))
}

#[test]
fn the_first_batches_make_a_picture() {
    let mut engine = engine();
    let stream = channel("nats", "ORDERS");
    let billing = consumer("nats", "ORDERS", "billing");
    engine.ingest(&batch(
        "nats",
        0,
        vec![source_up(), Observation::Clients(all(vec![client("billing-7d4b9c6f5d-x2x9z", &[])]))],
    ));
    engine.ingest(&poll(10, &filled(&stream, 100), &[consumed(&billing, 90, 5, 10)]));
    let first = engine.tick(at(20));
    assert_eq!(first.services.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), ["billing"]);
    let row = first.consumer(&"nats/ORDERS/billing".into()).unwrap();
    assert_eq!(row.lag.bounds, Bounds::Exact(10));
    assert!(row.acked_rate.bounds.why_unknown().is_some(), "one poll gives no rate");
    assert!(row.staleness.bounds.why_unknown().is_some());
    engine.ingest(&poll(2_010, &filled(&stream, 120), &[consumed(&billing, 112, 5, 8)]));
    let second = engine.tick(at(2_020));
    let row = second.consumer(&"nats/ORDERS/billing".into()).unwrap();
    assert_eq!(row.acked_rate.bounds, Bounds::Exact(11.0));
    assert_eq!(row.status, ConsumerStatus::Ok);
    assert_eq!(second.channel(&"nats/ORDERS".into()).unwrap().rate.bounds, Bounds::Exact(10.0));
    assert_eq!(second.totals.events.bounds, Bounds::Exact(10.0));
    assert_eq!(second.flows.len(), 1);
    assert_eq!(second.flows[0].to, ["billing".into()]);
}

#[test]
fn rows_that_did_not_change_are_shared() {
    let mut engine = engine();
    let stream = channel("nats", "ORDERS");
    let base = consumer("nats", "ORDERS", "billing");
    engine.ingest(&batch("nats", 0, vec![source_up()]));
    engine.ingest(&poll(10, &filled(&stream, 100), &[consumed(&base, 100, 0, 0)]));
    let a = engine.tick(at(20));
    let b = engine.tick(at(120));
    assert!(Arc::ptr_eq(&a.consumers[0], &b.consumers[0]));
    assert!(Arc::ptr_eq(&a.flows[0], &b.flows[0]));
    assert!(Arc::ptr_eq(&a.channels[0], &b.channels[0]));
    assert!(Arc::ptr_eq(&a.services[0], &b.services[0]));
    assert_eq!(b.generation, a.generation + 1);
}

#[test]
fn nothing_seen_is_a_picture_of_nothing() {
    let snapshot = engine().tick(at(5_000));
    assert!(snapshot.services.is_empty() && snapshot.flows.is_empty());
    assert_eq!(snapshot.watched, Duration::from_secs(5));
    assert!(snapshot.totals.events.bounds.why_unknown().is_some(), "unknown, not zero");
}
