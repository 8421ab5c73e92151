//! Followed messages against the truth: who has each, when, who waits behind how many, who gave it up.

use std::collections::BTreeMap;

use headwater::demo::simulation::Fate;
use headwater::model::command::{Command, ProbeLevel};
use headwater::model::id::ChannelId;
use headwater::model::message::{Search, SearchOutcome};
use headwater::model::snapshot::Snapshot;
use headwater::model::trace::{Leg, LegState, Trace};

use super::{Trial, calm, rough};
use crate::Options;

const ACKS: Options = Options { broker_ahead: -2_200_000_000, probe: ProbeLevel::Acks, ..QUIET };
const QUIET: Options =
    Options { broker_ahead: 0, clock_uncertainty: std::time::Duration::ZERO, probe: ProbeLevel::Passive };

fn find(trial: &mut Trial, channel: &str, search: Search, before: Option<u64>) {
    trial.simulation.command(&Command::Find { channel: ChannelId::from(channel), search, before });
}

/// Follows the newest message of a channel.
fn follow_newest(trial: &mut Trial, snapshot: &Snapshot, channel: &str) {
    let row =
        snapshot.channels.iter().find(|c| c.report.id.as_str() == channel).expect("the channel is known");
    let seq = row.report.last_seq.expect("it has messages");
    find(trial, channel, Search::Seq(seq), None);
}

/// Whether what is said of one message at one consumer is so; `listened` since before it was sent.
fn holds(leg: &Leg, fate: Fate, filtered: bool, listened: bool) -> bool {
    match (leg.state, fate) {
        (LegState::NotForIt, Fate::NotForIt) | (LegState::GaveUp, Fate::GaveUp) => leg.delay.is_none(),
        (LegState::Acknowledged, Fate::Acknowledged { delay }) => leg.delay == delay && delay.is_some(),
        (LegState::Passed, Fate::Acknowledged { .. }) => leg.delay.is_none() && !listened,
        (LegState::InFlight, Fate::InFlight { deliveries }) => {
            // What was heard are refusals: the next delivery is not heard before it is answered.
            leg.deliveries.is_none_or(|heard| heard <= deliveries && heard + 1 >= deliveries)
        }
        // It says so: "or acknowledged out of order before it was listened".
        (LegState::InFlight, Fate::Acknowledged { .. }) => !listened,
        (LegState::Waiting, Fate::Waiting { ahead }) => {
            leg.ahead.is_some_and(|said| if filtered { said >= ahead } else { said == ahead })
        }
        _ => false,
    }
}

/// Compares everything said of a message with what is so, and counts the states.
fn check(
    trial: &Trial,
    snapshot: &Snapshot,
    trace: &Trace,
    listened: bool,
    states: &mut BTreeMap<LegState, usize>,
) {
    let fates = trial.simulation.fates(&trace.message.id).expect("the message is kept");
    assert_eq!(trace.legs.len(), fates.len());
    for leg in &trace.legs {
        let fate = fates[&leg.consumer];
        let consumer = super::consumer(snapshot, leg.consumer.as_str());
        let filtered = consumer.report.as_ref().is_some_and(|report| !report.filters.is_empty());
        assert!(
            holds(leg, fate, filtered, listened),
            "#{} at {}, {:?}: {fate:?} in truth; {leg:?}",
            trace.message.id.seq,
            leg.consumer,
            snapshot.taken_at
        );
        *states.entry(leg.state).or_default() += 1;
    }
    let delays = fates.values().filter(|fate| **fate != Fate::NotForIt).map(|fate| match fate {
        Fate::Acknowledged { delay } => *delay,
        _ => None,
    });
    let all: Option<Vec<i64>> = delays.collect();
    if listened {
        assert_eq!(
            trace.convergence,
            all.and_then(|delays| delays.into_iter().max()),
            "{:?}",
            trace.message.id
        );
    }
}

#[test]
fn what_is_said_of_a_followed_message_is_so() {
    let mut trial = Trial::new(rough(), 60, ACKS);
    let mut states = BTreeMap::new();
    for s in 1..=215_u64 {
        let (snapshot, _) = trial.at(s * 1_000);
        snapshot.traces.iter().for_each(|trace| check(&trial, &snapshot, trace, true, &mut states));
        // The engine follows the last sixteen: each is watched for as many seconds, the slow and the spoiled too.
        let channels = ["main/ORDERS", "main/BILLING", "main/INVENTORY", "main/CATALOG"];
        follow_newest(&mut trial, &snapshot, channels[s as usize % channels.len()]);
    }
    for state in [LegState::Acknowledged, LegState::InFlight, LegState::Waiting, LegState::NotForIt] {
        assert!(states.get(&state).is_some_and(|n| *n > 20), "{states:?}");
    }
}

#[test]
fn without_listening_positions_are_right_too() {
    let mut trial = Trial::new(rough(), 61, QUIET);
    let mut states = BTreeMap::new();
    for s in 1..=110_u64 {
        let (snapshot, _) = trial.at(s * 1_000);
        snapshot.traces.iter().for_each(|trace| check(&trial, &snapshot, trace, false, &mut states));
        assert!(snapshot.traces.iter().all(|trace| trace.convergence.is_none()));
        if s % 3 == 0 {
            follow_newest(&mut trial, &snapshot, if s % 2 == 0 { "main/ORDERS" } else { "main/BILLING" });
        }
    }
    assert_eq!(states.get(&LegState::Acknowledged), None, "nothing was heard");
    for state in [LegState::Passed, LegState::InFlight, LegState::Waiting] {
        assert!(states.get(&state).is_some_and(|n| *n > 20), "{states:?}");
    }
}

#[test]
fn a_spoiled_message_is_refused_again_and_again_and_then_given_up() {
    let mut trial = Trial::new(calm(), 62, ACKS);
    let (before, _) = trial.at(10_000);
    let channel = "main/BILLING";
    let row = before.channels.iter().find(|c| c.report.id.as_str() == channel).expect("the channel is known");
    let first = row.report.last_seq.expect("it has messages");
    trial.fault("poison", true);
    // Three of the next messages are spoiled: all that can be are followed.
    for seq in first + 1..=first + 12 {
        trial.at(10_000 + (seq - first) * 500);
        find(&mut trial, channel, Search::Seq(seq), None);
    }
    let mut states = BTreeMap::new();
    for s in 17..=45 {
        let (snapshot, _) = trial.at(s * 1_000);
        snapshot.traces.iter().for_each(|trace| check(&trial, &snapshot, trace, true, &mut states));
    }
    let (snapshot, truth) = trial.at(46_000);
    assert_eq!(truth.consumers["main/BILLING/notifications"].gave_up, 3);
    let lost: Vec<&Leg> =
        snapshot.traces.iter().flat_map(|t| &t.legs).filter(|leg| leg.state == LegState::GaveUp).collect();
    assert_eq!(lost.len(), 3, "{states:?}");
    for leg in lost {
        assert_eq!((&*leg.name, leg.deliveries), ("notifications", Some(5)), "{leg:?}");
        assert_eq!(leg.steps.len(), 5, "refused at each delivery: {:?}", leg.steps);
    }
}

#[test]
fn a_search_says_how_far_it_looked_and_goes_on_and_finds_by_headers() {
    let mut trial = Trial::new(calm(), 63, ACKS);
    trial.at(20_000);
    find(&mut trial, "main/ORDERS", Search::Field { name: "user_id".into(), value: "nobody".into() }, None);
    let (snapshot, _) = trial.at(21_000);
    let report = snapshot.searches.last().expect("it was searched");
    assert_eq!(report.looked_at, 250);
    let SearchOutcome::NotFrom(from) = report.outcome else { panic!("{report:?}") };
    find(&mut trial, "main/ORDERS", report.search.clone(), Some(from));
    let (snapshot, _) = trial.at(22_000);
    let on = snapshot.searches.last().expect("it went on");
    assert!(matches!(on.outcome, SearchOutcome::NotFrom(again) if again + 250 == from), "{on:?}");

    follow_newest(&mut trial, &snapshot, "main/ORDERS");
    let (snapshot, _) = trial.at(24_000);
    let order = snapshot.traces.last().expect("it is followed").message.clone();
    let header = |name: &str| {
        let found = order.headers.iter().find(|(n, _)| &**n == name);
        found.unwrap_or_else(|| panic!("{name} is in {:?}", order.headers)).1.clone()
    };
    assert_eq!(&*header("ce-specversion"), "1.0");
    find(
        &mut trial,
        "main/ORDERS",
        Search::Header { name: "Traceparent".into(), value: header("traceparent") },
        None,
    );
    let (snapshot, _) = trial.at(25_000);
    assert_eq!(
        snapshot.searches.last().expect("it was searched").outcome,
        SearchOutcome::Found(order.id.seq)
    );
}
