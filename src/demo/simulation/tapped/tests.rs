//! What is heard on tapped channels is what was sent, counted to the last one, and nothing sensitive is in it.

use super::*;
use crate::demo::sample;
use crate::demo::scenario::load::{Known, read};
use crate::demo::scenario::{STORE, STORE_FILE};
use crate::demo::simulation::{Options, Simulation, Truth};
use crate::model::calls::CallTally;
use crate::model::command::Command;
use crate::model::tap::Content as Told;
use crate::model::time::{Mono, Timestamp};
use crate::model::traffic::{Count, TrafficKey};

const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn simulation_of(scenario: &str, probe: ProbeLevel) -> Simulation {
    let topology = sample::load().topology.unwrap();
    let scenario = read(STORE_FILE, scenario, &Known::of(&topology)).unwrap();
    Simulation::with_options(&topology, scenario, 7, START, Options { probe, ..Options::default() })
}

fn simulation() -> Simulation {
    simulation_of(STORE, ProbeLevel::Tap)
}

fn tap(simulation: &mut Simulation, channel: &str, on: bool) {
    simulation.command(&Command::Tap { channel: channel.into(), on });
}

fn told(batches: &[Batch]) -> (Vec<HeardMessage>, Vec<TapReport>) {
    let (mut messages, mut reports) = (Vec::new(), Vec::new());
    for seen in batches.iter().flat_map(|batch| &batch.observations) {
        match &seen.what {
            Observation::Heard(message) => messages.push((**message).clone()),
            Observation::Tap(report) => reports.push((**report).clone()),
            _ => {}
        }
    }
    (messages, reports)
}

fn advance(simulation: &mut Simulation, ms: u64) -> (Vec<HeardMessage>, Vec<TapReport>) {
    told(&simulation.advance(Mono(ms * 1_000_000)))
}

/// The number of the last message of a stream.
fn last(batches: &[Batch], stream: &str) -> u64 {
    let mut last = 0;
    for seen in batches.iter().flat_map(|batch| &batch.observations) {
        if let Observation::Channels(list) = &seen.what {
            last = list.entries.iter().find(|c| &*c.name == stream).and_then(|c| c.last_seq).unwrap();
        }
    }
    last
}

fn text(message: &HeardMessage) -> serde_json::Value {
    let Told::Text(text) = &message.payload.content else { panic!("{message:?}") };
    serde_json::from_str(text).unwrap()
}

#[test]
fn every_message_of_a_stream_is_told_with_who_sent_it() {
    let mut simulation = simulation();
    let before = last(&simulation.advance(Mono(10_000_000_000)), "ORDERS");
    tap(&mut simulation, "main/ORDERS", true);
    let batches = simulation.advance(Mono(20_000_000_000));
    let ((messages, reports), after) = (told(&batches), last(&batches, "ORDERS"));
    assert!(messages.len() > 100);
    assert_eq!(messages.len() as u64, after - before);
    assert_eq!(
        messages.iter().map(|m| m.number).collect::<Vec<_>>(),
        (1..=after - before).collect::<Vec<_>>()
    );
    for message in &messages {
        assert_eq!((message.channel.as_str(), message.asks), ("main/ORDERS", false));
        assert!(message.subject.starts_with("orders."), "{}", message.subject);
        let body = text(message);
        assert!(body["order_id"].as_str().unwrap().starts_with("order-"), "{body}");
        let publisher = message.publisher.as_deref().unwrap();
        assert!(publisher.starts_with("orders-"), "{publisher}");
        assert_eq!(&*message.publisher_by, SentBy::ReplyInbox.word());
        let source = message.headers.iter().find(|(name, _)| &**name == "ce-source").unwrap();
        assert_eq!(&*source.1, "/orders");
        let length = message.payload.content.len() as u64;
        assert!(length >= 300 && message.bytes > length, "{length} of {} bytes", message.bytes);
    }
    // The first report comes with the first look, then one a second.
    assert!((10..=12).contains(&reports.len()), "{}", reports.len());
    let report = reports.last().unwrap();
    assert_eq!((report.state, report.heard), (TapState::Listening, report.told));
    assert_eq!(
        report.subjects.iter().map(|s| &**s).collect::<Vec<_>>(),
        ["orders.cancelled", "orders.created", "orders.paid"]
    );
    tap(&mut simulation, "main/ORDERS", false);
    let (messages, reports) = advance(&mut simulation, 30_000);
    assert!(messages.is_empty());
    let counts: Vec<_> = reports.iter().map(|r| (r.state, r.heard, r.told)).collect();
    assert_eq!(counts, [(TapState::Ended, after - before, after - before)]);
}

#[test]
fn of_what_comes_too_quickly_some_is_told_and_all_is_counted() {
    let quick = STORE.replace("\"stock.level\" = 45", "\"stock.level\" = 900");
    let mut simulation = simulation_of(&quick, ProbeLevel::Tap);
    let before = last(&simulation.advance(Mono(1_000_000_000)), "INVENTORY");
    tap(&mut simulation, "main/INVENTORY", true);
    let batches = simulation.advance(Mono(6_000_000_000));
    let ((messages, reports), after) = (told(&batches), last(&batches, "INVENTORY"));
    assert!(after - before > 4_000, "{before} to {after}");
    assert!((900..=1_000).contains(&messages.len()), "{} in five seconds", messages.len());
    assert!(messages.windows(2).all(|pair| pair[0].number < pair[1].number));
    assert!(reports.iter().all(|report| report.heard >= report.told));
    tap(&mut simulation, "main/INVENTORY", false);
    let (_, reports) = advance(&mut simulation, 6_200);
    assert_eq!((reports[0].heard, reports[0].told), (after - before, messages.len() as u64));
    assert!(messages.last().unwrap().number <= reports[0].heard);
}

#[test]
fn the_same_seed_gives_the_same_messages_and_listening_changes_nothing() {
    let run = |step: u64| -> (Vec<HeardMessage>, Truth) {
        let mut simulation = simulation();
        tap(&mut simulation, "main/BILLING", true);
        tap(&mut simulation, "main/subject:accounts.session.check", true);
        let mut all = Vec::new();
        for ms in (step..=12_000).step_by(step as usize) {
            all.extend(advance(&mut simulation, ms).0);
        }
        (all, simulation.truth())
    };
    let (messages, truth) = run(12_000);
    assert!(messages.len() > 500);
    assert_eq!((&messages, &truth), (&run(40).0, &truth));
    let mut quiet = simulation();
    advance(&mut quiet, 12_000);
    assert_eq!(truth, quiet.truth());
}

#[test]
fn nothing_sensitive_is_in_what_is_told() {
    let mut simulation = simulation();
    for stream in ["main/ACCOUNTS", "main/BILLING"] {
        tap(&mut simulation, stream, true);
    }
    let (messages, _) = advance(&mut simulation, 20_000);
    for (subject, field, secret) in
        [("accounts.user.", "email", "@example.com"), ("billing.invoice.", "iban", "DE00 0000")]
    {
        let its: Vec<&HeardMessage> = messages.iter().filter(|m| m.subject.starts_with(subject)).collect();
        assert!(its.len() > 20, "{subject}: {}", its.len());
        for message in its {
            assert_eq!(text(message)[field], "<redacted>", "{message:?}");
            assert!(message.payload.redacted.iter().any(|name| &**name == field), "{message:?}");
            assert!(!format!("{message:?}").contains(secret), "{message:?}");
        }
    }
}

#[test]
fn requests_are_heard_while_somebody_answers() {
    let scenario = STORE.replace("stop = \"notifications\"", "stop = \"accounts\"");
    let mut simulation = simulation_of(&scenario, ProbeLevel::Tap);
    let channel = "main/subject:accounts.session.check";
    tap(&mut simulation, channel, true);
    let (messages, reports) = advance(&mut simulation, 5_000);
    assert!(messages.len() > 200, "{}", messages.len());
    for message in &messages {
        assert!(message.asks && message.publisher.as_deref().unwrap().starts_with("gateway-"), "{message:?}");
        assert_eq!((message.headers.len(), &*message.headers[0].0), (1, "traceparent"));
        assert!(text(message)["user_id"].as_str().unwrap().starts_with("u-"));
    }
    assert_eq!(&*reports.last().unwrap().why, "only while somebody else answers there");
    simulation.command(&Command::Fault { id: "notifications-stop".into(), on: true });
    let (_, reports) = advance(&mut simulation, 7_000);
    let end = reports.last().unwrap();
    assert_eq!(
        (end.state, &*end.why),
        (TapState::Ended, "nobody answers there any more, and who asks is told so at once")
    );
    tap(&mut simulation, channel, true);
    let (messages, reports) = advance(&mut simulation, 9_000);
    assert!(messages.is_empty());
    assert_eq!(
        (reports.len(), reports[0].state, &*reports[0].why),
        (1, TapState::Refused, "nobody answers there now, and who asks is told so at once")
    );
}

/// What the responder counts and takes is what was heard: no request is lost, none invented.
#[test]
fn requests_and_answers_are_those_of_the_responder() {
    let mut simulation = simulation();
    advance(&mut simulation, 10_000);
    tap(&mut simulation, "main/subject:accounts.session.check", true);
    let batches = simulation.advance(Mono(40_000_000_000));
    let (mut sum, mut count) = (CallTally::default(), Count::default());
    for batch in &batches {
        for (key, tally) in &batch.calls {
            assert_eq!(
                (&*key.subject, key.requester.as_deref()),
                ("accounts.session.check", Some("gateway-1"))
            );
            sum.merge(tally);
        }
        for (key, told) in &batch.traffic.counts {
            if matches!(key, TrafficKey::Answered { subject, .. } if &**subject == "accounts.session.check") {
                count.add(told);
            }
        }
    }
    assert!(sum.answered > 500, "{sum:?}");
    assert_eq!((sum.unanswered, sum.unfollowed, sum.times.negative()), (0, 0, 0));
    // Polls end a little earlier or later than listening.
    let (heard, counted) = (sum.answered as f64, count.messages as f64);
    assert!((heard - counted).abs() < counted / 10.0, "{heard} heard, {counted} counted");
    let mean = count.busy_ns as f64 / counted;
    let p50 = sum.times.quantile(0.5).unwrap().middle() as f64;
    assert!(p50 > mean / 2.0 && p50 < mean * 2.0, "p50 {p50}, mean {mean}");
}

#[test]
fn what_may_not_be_heard_is_refused_and_what_is_not_ours_is_left_alone() {
    let mut simulation = simulation_of(STORE, ProbeLevel::Acks);
    advance(&mut simulation, 1_000);
    let level = "it is listened to at the probe level tap";
    for (channel, why) in
        [("main/ORDERS", level), ("main/NOWHERE", "no stream or subject of this name is known")]
    {
        tap(&mut simulation, channel, true);
        let at = simulation.now / 1_000_000 + 1_000 - 20_000;
        let (messages, reports) = advance(&mut simulation, at);
        assert!(messages.is_empty());
        let told: Vec<_> = reports.iter().map(|r| (r.channel.as_str(), r.state, &*r.why)).collect();
        assert_eq!(told, [(channel, TapState::Refused, why)]);
    }
    tap(&mut simulation, "other/ORDERS", true);
    let (messages, reports) = advance(&mut simulation, 5_000);
    assert!(messages.is_empty() && reports.is_empty());
    simulation.command(&Command::Probe(ProbeLevel::Tap));
    tap(&mut simulation, "main/ORDERS", true);
    assert!(!advance(&mut simulation, 8_000).0.is_empty());
    // Below the level nothing is heard any more, and above it not by itself again.
    simulation.command(&Command::Probe(ProbeLevel::Acks));
    let (messages, reports) = advance(&mut simulation, 10_000);
    assert!(messages.is_empty());
    let told: Vec<_> = reports.iter().map(|r| (r.state, &*r.why)).collect();
    assert_eq!(told, [(TapState::Ended, level)]);
    simulation.command(&Command::Probe(ProbeLevel::Tap));
    assert!(advance(&mut simulation, 12_000).0.is_empty());
}
