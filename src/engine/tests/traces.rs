//! One message at each consumer: what is heard, what positions tell, and why one lacks it.

use std::time::Duration;

use super::*;
use crate::model::acks::{AckKind, AckStep};
use crate::model::id::ConsumerId;
use crate::model::message::{MessageId, MessageReport};
use crate::model::observation::{AckPolicy, ConsumerReport, Notice, NoticeKind, Observation};
use crate::model::trace::{Leg, LegState, Trace};

const MS: i64 = 1_000_000;

fn message(seq: u64) -> Observation {
    Observation::Message(Box::new(MessageReport {
        id: MessageId { channel: "nats/ORDERS".into(), seq },
        subject: "orders.created".into(),
        appended: at(1_000).wall,
        bytes: 100,
        headers: Vec::new(),
        fields: Vec::new(),
        version: None,
        committed: None,
        caused: None,
        read_at: at(2_000).wall,
        read_on: Some(at(2_000).wall),
    }))
}

fn step(kind: AckKind, deliveries: u64, after_ms: u64) -> Observation {
    Observation::Step(AckStep {
        channel: "nats/ORDERS".into(),
        seq: 50,
        consumer: "nats/ORDERS/billing".into(),
        kind,
        deliveries,
        appended: at(1_000).wall,
        at: at(1_000 + after_ms).wall,
        error: Duration::from_micros(200),
    })
}

/// The trace of message 50 with one consumer in a state, after what else was seen.
fn trace(report: ConsumerReport, more: Vec<Observation>) -> Trace {
    let mut engine = Engine::new(EngineOptions::new(at(0)));
    engine.ingest(&poll(100, &filled(&channel("nats", "ORDERS"), 100), &[report]));
    let mut seen = vec![message(50)];
    seen.extend(more);
    engine.ingest(&batch("nats", 2_000, seen));
    engine.tick(at(2_001)).traces.last().cloned().expect("the message is followed")
}

fn leg(report: ConsumerReport, more: Vec<Observation>) -> Leg {
    trace(report, more).legs.pop().expect("the channel has a consumer")
}

fn billing(delivered: u64, in_flight: u64, lag: u64) -> ConsumerReport {
    consumed(&consumer("nats", "ORDERS", "billing"), delivered, in_flight, lag)
}

#[test]
fn what_was_heard_is_exact() {
    let trace =
        trace(billing(40, 0, 60), vec![step(AckKind::Refused, 1, 20), step(AckKind::Acknowledged, 2, 41)]);
    let leg = &trace.legs[0];
    assert_eq!((leg.state, leg.delay, leg.deliveries), (LegState::Acknowledged, Some(41 * MS), Some(2)));
    assert_eq!(leg.error, Some(Duration::from_micros(200)));
    assert_eq!(trace.convergence, Some(41 * MS));
}

#[test]
fn a_floor_that_has_passed_tells_that_and_not_when() {
    let leg = leg(billing(70, 10, 30), Vec::new());
    assert_eq!((leg.state, leg.delay), (LegState::Passed, None));
    assert_eq!(&*leg.why, "its floor is at #60: processed, when is not known");
    assert_eq!(trace(billing(70, 10, 30), Vec::new()).convergence, None, "nobody heard it");
}

#[test]
fn a_delivered_message_is_in_flight_until_more_is_known() {
    let one = leg(billing(60, 20, 40), Vec::new());
    assert_eq!(one.state, LegState::InFlight);
    let refused = leg(billing(60, 20, 40), vec![step(AckKind::Refused, 1, 5)]);
    assert_eq!((refused.state, &*refused.why), (LegState::InFlight, "refused once: it comes again"));
    // Acknowledged out of order, the floor stays behind; with nothing in flight it must have been settled.
    let stuck = ConsumerReport { in_flight: crate::model::measured::Bounds::Exact(0), ..billing(60, 20, 40) };
    assert_eq!(leg(stuck, Vec::new()).state, LegState::Passed);
    let never = ConsumerReport { ack: AckPolicy::None, ..billing(60, 20, 40) };
    assert_eq!(leg(never, Vec::new()).state, LegState::Passed);
}

#[test]
fn what_waits_says_behind_how_much() {
    let leg = leg(billing(40, 3, 60), Vec::new());
    assert_eq!((leg.state, leg.ahead), (LegState::Waiting, Some(9)));
    assert!(leg.why.starts_with("waiting behind 9"), "{}", leg.why);
}

#[test]
fn a_filter_that_does_not_match_is_a_reason() {
    let paid = ConsumerReport { filters: vec!["orders.paid".into()], ..billing(40, 0, 5) };
    let leg = leg(paid, Vec::new());
    assert_eq!(leg.state, LegState::NotForIt);
    assert_eq!(&*leg.why, "its filter orders.paid does not match orders.created");
    let wide = ConsumerReport { filters: vec!["orders.*".into()], ..billing(40, 0, 60) };
    assert_eq!(self::leg(wide, Vec::new()).state, LegState::Waiting);
}

#[test]
fn given_up_is_lost_and_terminated_is_refused_for_good() {
    let notice = Observation::Notice(Notice {
        kind: NoticeKind::GaveUp,
        channel: Some("nats/ORDERS".into()),
        consumer: Some(ConsumerId::from("nats/ORDERS/billing")),
        channel_seq: Some(50),
        deliveries: Some(5),
        by: None,
        text: "given up".into(),
    });
    assert_eq!(leg(billing(60, 20, 40), vec![notice]).state, LegState::GaveUp);
    assert_eq!(leg(billing(60, 20, 40), vec![step(AckKind::Terminated, 1, 5)]).state, LegState::Terminated);
}

#[test]
fn of_a_consumer_made_later_it_is_not_known() {
    let later = ConsumerReport { created_at: Some(at(1_500).wall), ..billing(70, 0, 30) };
    assert_eq!(leg(later, Vec::new()).state, LegState::Unknown);
}

/// The leg of message 50 when the channel lets go of it between two looks, and what each look found of the consumer.
fn removed(first: ConsumerReport, then: ConsumerReport) -> Leg {
    let mut engine = Engine::new(EngineOptions::new(at(0)));
    let whole = filled(&channel("nats", "ORDERS"), 100);
    engine.ingest(&poll(100, &whole, std::slice::from_ref(&first)));
    engine.ingest(&batch("nats", 1_500, vec![message(50)]));
    engine.ingest(&poll(2_000, &whole, std::slice::from_ref(&first)));
    let mut short = filled(&channel("nats", "ORDERS"), 200);
    short.first_seq = Some(81);
    engine.ingest(&poll(3_000, &short, &[first]));
    engine.ingest(&poll(4_000, &short, &[then]));
    engine.tick(at(4_001)).traces[0].legs[0].clone()
}

#[test]
fn what_the_channel_removed_before_it_was_delivered_is_missed() {
    let missed = removed(billing(40, 0, 60), billing(40, 0, 120));
    assert_eq!(missed.state, LegState::Missed);
    assert_eq!(&*missed.why, "removed before it was delivered; the channel keeps #81 and later");
    // It went on behind the gap: its position alone would say that it had the message.
    assert_eq!(removed(billing(40, 0, 60), billing(120, 0, 80)).state, LegState::Missed);
}

#[test]
fn what_was_passed_before_the_channel_removed_it_was_had() {
    assert_eq!(removed(billing(70, 0, 30), billing(120, 0, 80)).state, LegState::Passed);
    // Between two looks it may have been processed, or removed: neither is said.
    let between = removed(billing(50, 5, 50), billing(120, 0, 80));
    assert_eq!(between.state, LegState::Unknown);
    assert!(between.why.ends_with("processed, or removed from the channel before that"), "{}", between.why);
}

#[test]
fn a_message_that_nobody_asked_for_leaves_no_trace() {
    let mut engine = Engine::new(EngineOptions::new(at(0)));
    engine.ingest(&poll(100, &filled(&channel("nats", "ORDERS"), 100), &[billing(70, 0, 30)]));
    engine.ingest(&batch("nats", 2_000, vec![step(AckKind::Acknowledged, 1, 5)]));
    assert!(engine.tick(at(2_001)).traces.is_empty());
}
