//! The whole engine: from batches to what is said.

use std::sync::Arc;
use std::time::Duration;

use super::sample::{all, at, batch, channel, client, consumed, consumer, filled, poll, source_up};
use super::*;
use crate::model::acks::AckTally;
use crate::model::measured::Bounds;
use crate::model::observation::Observation;
use crate::model::snapshot::ConsumerStatus;

mod acks;
mod causes;
mod consequences;
mod declared;
mod laws;
mod observed;
mod services;
mod traces;

fn engine() -> Engine {
    Engine::new(EngineOptions::new(at(0)))
}

#[test]
fn the_first_batches_make_a_picture() {
    let mut engine = engine();
    let stream = channel("nats", "ORDERS");
    let billing = consumer("nats", "ORDERS", "billing");
    let clients = Observation::Clients(all(vec![client("billing-7d4b9c6f5d-x2x9z", &[])]));
    engine.ingest(&batch("nats", 0, vec![source_up(), clients]));
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
    assert_eq!(second.flows[0].to[..], ["billing".into()]);
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

/// A poll of ORDERS and its one consumer at `s` seconds.
fn orders_at(s: u64, last: u64, delivered: u64, in_flight: u64) -> crate::model::observation::Batch {
    let base = consumer("nats", "ORDERS", "billing");
    let report = consumed(&base, delivered, in_flight, last - delivered);
    poll(s * 1_000, &filled(&channel("nats", "ORDERS"), last), &[report])
}

fn billing(snapshot: &Snapshot) -> &Arc<crate::model::snapshot::Consumer> {
    snapshot.consumer(&"nats/ORDERS/billing".into()).unwrap()
}

#[test]
fn a_broker_that_was_away_leaves_old_values_and_then_no_spike() {
    let mut engine = engine();
    engine.ingest(&batch("nats", 0, vec![source_up()]));
    for s in 1..=4 {
        engine.ingest(&orders_at(s, s * 10, s * 10, 0));
    }
    let Observation::Source(mut down) = source_up() else { panic!() };
    down.state = crate::model::observation::SourceState::Down;
    down.error = Some("connection refused".into());
    engine.ingest(&batch("nats", 5_000, vec![Observation::Source(down)]));
    let away = engine.tick(at(20_000));
    assert_eq!(billing(&away).acked_rate.bounds, Bounds::Exact(10.0), "the last value stays");
    assert_eq!(billing(&away).acked_rate.at, at(4_000).wall, "with its own moment");
    assert_eq!(away.sources[0].answered_at, Some(at(4_000).wall));
    assert_eq!(
        &*away.causes[0].text,
        "nats://127.0.0.1:4222: connection refused; its last values stay, and age"
    );
    // 600 messages came in the 60 s meanwhile: 10 a second as before.
    engine.ingest(&batch("nats", 64_000, vec![source_up()]));
    engine.ingest(&orders_at(64, 640, 640, 0));
    let back = engine.tick(at(64_100));
    assert_eq!(billing(&back).acked_rate.bounds, Bounds::Exact(10.0));
    assert_eq!(back.channels[0].rate.bounds, Bounds::Exact(10.0));
    assert!(back.causes.is_empty());
    let told: Vec<&str> = back.changes.iter().map(|c| &*c.text).collect();
    assert_eq!(
        told,
        [
            "connection to nats://127.0.0.1:4222 is back",
            "connection to nats://127.0.0.1:4222 lost: connection refused",
            "connected to nats://127.0.0.1:4222"
        ]
    );
}

#[test]
fn a_consumer_made_again_under_its_name_starts_anew() {
    let mut engine = engine();
    engine.ingest(&batch("nats", 0, vec![source_up()]));
    engine.ingest(&orders_at(1, 1_000, 1_000, 0));
    engine.ingest(&orders_at(2, 1_010, 1_010, 0));
    let mut again = consumed(&consumer("nats", "ORDERS", "billing"), 5, 0, 1_005);
    again.created_at = Some(at(2_500).wall);
    let stream = filled(&channel("nats", "ORDERS"), 1_010);
    engine.ingest(&poll(3_000, &stream, std::slice::from_ref(&again)));
    let snapshot = engine.tick(at(3_100));
    assert!(
        billing(&snapshot).acked_rate.bounds.why_unknown().is_some(),
        "a rate needs two polls of the new one"
    );
    assert_eq!(billing(&snapshot).status, ConsumerStatus::Rewound, "it has to reach 1 010 again");
    let later = crate::model::observation::ConsumerReport {
        created_at: again.created_at,
        ..consumed(&again, 12, 0, 998)
    };
    engine.ingest(&poll(4_000, &stream, &[later]));
    assert_eq!(billing(&engine.tick(at(4_100))).acked_rate.bounds, Bounds::Exact(7.0));
}

#[test]
fn a_creation_time_that_a_restart_shifted_a_little_makes_no_other_consumer() {
    let mut engine = engine();
    engine.ingest(&batch("nats", 0, vec![source_up()]));
    let stream = filled(&channel("nats", "ORDERS"), 1_010);
    let at_second = |second: u64, created: u64, delivered: u64| {
        let mut one = consumed(&consumer("nats", "ORDERS", "billing"), delivered, 0, 1_010 - delivered);
        one.created_at = Some(at(created).wall);
        poll(second * 1_000, &stream, &[one])
    };
    engine.ingest(&at_second(1, 0, 1_000));
    engine.ingest(&at_second(2, 1, 1_005));
    let shifted = engine.tick(at(2_100));
    assert_eq!(billing(&shifted).acked_rate.bounds, Bounds::Exact(5.0), "it goes on");
    engine.ingest(&at_second(3, 2, 10));
    assert_eq!(billing(&engine.tick(at(3_100))).status, ConsumerStatus::Rewound, "and this one does not");
}

/// Lists are read one after the other: what came between the channel's and the consumer's is younger than the channel's newest.
#[test]
fn the_newest_message_bounds_an_age_only_while_it_is_the_newest() {
    use crate::model::observation::{BacklogReport, ChannelReport};
    let low = |delivered: u64| {
        let mut engine = engine();
        engine.ingest(&batch("nats", 0, vec![source_up()]));
        let stream =
            ChannelReport { last_at: Some(at(1_000).wall), ..filled(&channel("nats", "ORDERS"), 10) };
        let billing = consumed(&consumer("nats", "ORDERS", "billing"), delivered, 1, 0);
        engine.ingest(&poll(2_000, &stream, &[billing]));
        let backlog = BacklogReport {
            consumer: "nats/ORDERS/billing".into(),
            oldest: Bounds::Exact(at(500).wall),
            channel_seq: Some(3),
            stamped_by: None,
            how: "read".into(),
        };
        engine.ingest(&batch("nats", 2_000, vec![Observation::Backlog(backlog)]));
        billing_staleness(&engine.tick(at(2_010)))
    };
    assert_eq!(low(10), Some(Duration::from_secs(1)));
    assert_eq!(low(12), Some(Duration::ZERO));
}

fn billing_staleness(snapshot: &Snapshot) -> Option<Duration> {
    billing(snapshot).staleness.low().copied()
}

#[test]
fn a_position_that_goes_back_is_rewound_until_it_is_where_it_was() {
    let mut engine = engine();
    engine.ingest(&batch("nats", 0, vec![source_up()]));
    for (s, delivered) in [(1, 500), (2, 510), (3, 100), (4, 400)] {
        engine.ingest(&orders_at(s, 520, delivered, 0));
    }
    let snapshot = engine.tick(at(4_100));
    assert_eq!(billing(&snapshot).status, ConsumerStatus::Rewound);
    assert_eq!(&*billing(&snapshot).why, "its position went back to 400; it had reached 510");
    assert_eq!(billing(&snapshot).acked_rate.bounds, Bounds::Exact(300.0), "no negative rate");
    engine.ingest(&orders_at(5, 520, 520, 0));
    assert_eq!(billing(&engine.tick(at(5_100))).status, ConsumerStatus::Ok);
}

#[test]
fn a_topology_that_is_edited_badly_is_told() {
    let mut engine = engine();
    let state = |problems: &[&str]| {
        let problems = problems.iter().map(|p| (*p).into()).collect();
        let warnings = vec!["b.yaml:1:1: warning: odd".into()];
        Some(TopologyState { path: "topology".into(), problems, warnings, services: 0 })
    };
    engine.set_topology(None, state(&[]));
    assert!(engine.tick(at(1_000)).changes.is_empty());
    engine.set_topology(None, state(&["a.yaml:3:1: unknown field"]));
    let snapshot = engine.tick(at(2_000));
    assert_eq!(&*snapshot.changes[0].text, "topology not reloaded: 1 problem, the last good one stays");
    engine.set_topology(None, state(&[]));
    assert_eq!(&*engine.tick(at(3_000)).changes[0].text, "topology reloaded", "a warning hinders nothing");
}

#[test]
fn what_was_on_its_way_when_listening_ended_is_not_heard() {
    let mut engine = engine();
    engine.ingest(&orders_at(1, 10, 10, 0));
    let said = |ms| {
        let mut tally = AckTally { acknowledged: 5, ..AckTally::default() };
        tally.delays.record(20_000_000);
        let mut batch = batch("nats", ms, Vec::new());
        batch.acks.insert("nats/ORDERS/billing".into(), tally);
        batch
    };
    engine.set_probe(ProbeLevel::Acks);
    engine.ingest(&said(1_500));
    assert!(billing(&engine.tick(at(1_600))).acks.is_some());
    engine.set_probe(ProbeLevel::Passive);
    engine.ingest(&said(1_700));
    assert_eq!(billing(&engine.tick(at(1_800))).acks, None);
}

#[test]
fn what_grew_during_a_pause_is_no_evidence_after_it() {
    let mut engine = engine();
    engine.ingest(&batch("nats", 0, vec![source_up()]));
    let base = consumer("nats", "ORDERS", "billing");
    let mut told = Vec::new();
    for s in 0..22_u64 {
        // Twenty come a second; it is paused for ten seconds, then works off 150 a second.
        let paused = (5..15).contains(&s);
        let last = s * 20;
        let done = match s {
            0..5 => last,
            5..15 => 80,
            _ => last.min(80 + (s - 14) * 150),
        };
        let report = crate::model::observation::ConsumerReport {
            paused: paused.then_some(Duration::from_secs(60)),
            ..consumed(&base, done, 0, last - done)
        };
        engine.ingest(&poll(s * 1_000, &filled(&channel("nats", "ORDERS"), last), &[report]));
        let snapshot = engine.tick(at(s * 1_000 + 10));
        let row = billing(&snapshot);
        told.push(format!("{} {}", row.status.word(), row.why));
    }
    assert_eq!(&*told[14], "paused paused by its configuration");
    assert_eq!(&*told[15], "unknown watched for too short a time since its pause ended");
    assert_eq!(&*told[16], "ok nothing waits");
    assert!(told[15..].iter().all(|told| !told.starts_with("slow")), "{told:?}");
}
