//! The simulation by itself: repeatable, complete, and true to its own accounts.

use super::*;
use crate::demo::sample;
use crate::demo::scenario::load::{Known, read};
use crate::demo::scenario::{STORE, STORE_FILE};
use crate::model::measured::Bounds;
use crate::model::message::{Search, SearchOutcome};
use crate::model::observation::{HealthState, NoticeKind, Observation};
use crate::model::traffic::TrafficKey;

const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn topology() -> Topology {
    sample::load().topology.unwrap()
}

fn store() -> Scenario {
    read(STORE_FILE, STORE, &Known::of(&topology())).unwrap()
}

fn simulation(seed: u64) -> Simulation {
    Simulation::new(&topology(), store(), seed, START)
}

fn second(s: u64) -> Mono {
    Mono(s * 1_000_000_000)
}

fn text(batches: &[Batch]) -> String {
    serde_json::to_string(batches).unwrap()
}

fn observations(batches: &[Batch]) -> impl Iterator<Item = &Observation> {
    batches.iter().flat_map(|batch| batch.observations.iter().map(|seen| &seen.what))
}

#[test]
fn the_same_seed_gives_the_same_batches_however_time_is_cut() {
    let whole = simulation(7).advance(second(70));
    let mut cut = simulation(7);
    let mut parts = Vec::new();
    for ms in (0..=70_000).step_by(37) {
        parts.extend(cut.advance(Mono(ms * 1_000_000)));
    }
    parts.extend(cut.advance(second(70)));
    assert_eq!(text(&whole), text(&parts));
    assert_ne!(text(&whole), text(&simulation(8).advance(second(70))));
}

#[test]
fn the_first_third_of_a_second_has_everything_and_rates() {
    let batches = simulation(1).advance(Mono(300_000_000));
    let mut kinds = [0; 5];
    for what in observations(&batches) {
        match what {
            Observation::Channels(list) => kinds[0] = list.entries.len(),
            Observation::Consumers { listing, .. } => kinds[1] += listing.entries.len(),
            Observation::Clients(list) => kinds[2] = list.entries.len(),
            Observation::Responders(list) => kinds[3] = list.entries.len(),
            Observation::Health(_) => kinds[4] += 1,
            _ => {}
        }
    }
    let topology = topology();
    let plan = crate::demo::store::plan::Plan::of(&topology, "main");
    assert_eq!(kinds[0], plan.streams.len());
    assert_eq!(kinds[1], plan.consumers.len() * 2, "two polls");
    assert_eq!(kinds[2], plan.services.values().map(|service| service.instances).sum::<usize>());
    assert_eq!(kinds[3], plan.services.values().filter(|service| !service.answers.is_empty()).count());
    assert_eq!(kinds[4], 10);
    let answered: u64 = batches
        .iter()
        .flat_map(|batch| &batch.traffic.counts)
        .filter(|(key, _)| matches!(key, TrafficKey::Answered { .. }))
        .map(|(_, count)| count.messages)
        .sum();
    assert!(answered > 10, "{answered}");
    assert!(batches.iter().all(|batch| batch.at.mono <= Mono(300_000_000)));
}

#[test]
fn polled_counters_add_up_to_the_truth() {
    let mut simulation = simulation(3);
    simulation.advance(Mono(0));
    let before = simulation.truth();
    let batches = simulation.advance(second(40));
    let after = simulation.truth();
    let mut counted = crate::model::traffic::Traffic::default();
    for batch in batches {
        counted.merge(batch.traffic);
    }
    for (subject, truth) in &after.operations {
        let key = counted
            .counts
            .iter()
            .find(|(key, _)| matches!(key, TrafficKey::Answered { subject: s, .. } if s == subject));
        let (_, count) = key.unwrap_or_else(|| panic!("nothing counted on {subject}"));
        assert_eq!(count.messages, truth.requests - before.operations[subject].requests, "{subject}");
        assert_eq!(count.errors, truth.errors - before.operations[subject].errors, "{subject}");
        assert_eq!(count.busy_ns, truth.busy - before.operations[subject].busy, "{subject}");
    }
}

#[test]
fn messages_are_neither_lost_nor_made_up() {
    for seed in 0..2 {
        let mut simulation = simulation(seed);
        for s in (0..330).step_by(30) {
            simulation.advance(second(s));
            for reader in &simulation.world.readers {
                let stream = &simulation.world.streams[reader.consumer.stream];
                let c = &reader.consumer;
                assert!(stream.first_seq() == 1 || stream.messages.len() == broker::KEPT);
                if stream.first_seq() == 1 {
                    let matching =
                        stream.messages.iter().filter(|m| c.wanted.contains(&m.subject)).count() as u64;
                    assert_eq!(matching, c.acked + c.in_flight() + c.pending + c.gave_up, "{}", reader.key);
                }
                assert!(c.in_flight() <= c.max_in_flight);
                assert!(c.floor.0 <= c.delivered.0 && c.floor.1 <= c.delivered.1);
            }
            assert!(simulation.world.calls.len() < 5_000, "{}", simulation.world.calls.len());
        }
    }
}

#[test]
fn the_first_minute_keeps_up_and_then_billing_does_not() {
    let mut simulation = simulation(1);
    simulation.advance(second(50));
    for (id, truth) in &simulation.truth().consumers {
        assert!(truth.lag + truth.in_flight < 50, "{id}: {truth:?}");
        assert!(
            truth.acked > 0 || id.as_str().ends_with("inventory-releases"),
            "{id}: nothing was ever done"
        );
        assert_eq!(truth.gave_up, 0, "{id}");
    }
    simulation.advance(second(90));
    let billing = ConsumerIdText("main/ORDERS/billing");
    assert!(billing.of(&simulation).lag > 200, "{:?}", billing.of(&simulation));
    simulation.advance(second(125));
    assert!(billing.of(&simulation).lag < 20, "{:?}", billing.of(&simulation));
}

struct ConsumerIdText(&'static str);

impl ConsumerIdText {
    fn of(&self, simulation: &Simulation) -> truth::ConsumerTruth {
        simulation.truth().consumers[self.0].clone()
    }
}

#[test]
fn a_poison_message_is_given_up_and_told_once() {
    let mut simulation = simulation(2);
    simulation.advance(second(10));
    simulation.command(&Command::Fault { id: "poison".into(), on: true });
    assert_eq!(simulation.active(), ["poison".into()]);
    let batches = simulation.advance(second(50));
    let told: Vec<_> = observations(&batches)
        .filter_map(|what| match what {
            Observation::Notice(notice) if notice.kind == NoticeKind::GaveUp => Some(notice.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(ConsumerIdText("main/BILLING/notifications").of(&simulation).gave_up, 3);
    assert_eq!(told[0].deliveries, Some(5));
    assert!(told.iter().all(|n| n.consumer.as_ref().unwrap().as_str() == "main/BILLING/notifications"));
}

#[test]
fn a_service_that_stops_is_gone_and_comes_back() {
    let mut simulation = simulation(4);
    simulation.advance(second(5));
    simulation.command(&Command::Fault { id: "notifications-stop".into(), on: true });
    let batches = simulation.advance(second(20));
    let truth = simulation.truth();
    let notifications = &truth.services["notifications"];
    assert!(!notifications.runs && notifications.connections == 0);
    assert_eq!(notifications.checked, Some(HealthState::Unreachable));
    let last = observations(&batches).filter_map(|what| match what {
        Observation::Clients(list) => Some(list.entries.clone()),
        _ => None,
    });
    let names: Vec<_> = last.last().unwrap().into_iter().filter_map(|client| client.name).collect();
    assert!(names.iter().all(|name| !name.starts_with("notifications")), "{names:?}");
    let waiting = ConsumerIdText("main/BILLING/notifications").of(&simulation);
    assert!(waiting.lag > 100, "{waiting:?}");
    simulation.command(&Command::Fault { id: "notifications-stop".into(), on: false });
    simulation.advance(second(40));
    let after = ConsumerIdText("main/BILLING/notifications").of(&simulation);
    assert!(after.lag + after.in_flight < 30, "{after:?}");
    assert!(simulation.truth().services["notifications"].runs);
}

#[test]
fn callers_of_a_service_that_is_down_fail() {
    let mut simulation = simulation(5);
    simulation.advance(second(10));
    simulation.command(&Command::Fault { id: "accounts-down".into(), on: true });
    simulation.advance(second(12));
    let before = simulation.truth();
    simulation.advance(second(30));
    let after = simulation.truth();
    let errors = |subject: &str| {
        let (a, b) = (before.operations[subject], after.operations[subject]);
        (b.errors - a.errors) as f64 / (b.requests - a.requests) as f64
    };
    for subject in ["accounts.user.get", "billing.payment.authorize", "orders.order.place"] {
        assert!((errors(subject) - 1.0).abs() < f64::EPSILON, "{subject}: {}", errors(subject));
    }
    assert!(errors("catalog.product.get") < 0.05);
    assert_eq!(before.stored["ACCOUNTS"], after.stored["ACCOUNTS"]);
    assert_eq!(after.services["accounts"].checked, Some(HealthState::Down));
    assert!(after.services["accounts"].runs && !after.services["accounts"].works);
}

#[test]
fn what_the_broker_tells_is_true_at_that_moment() {
    let options = Options {
        broker_ahead: -2_500_000_000,
        clock_uncertainty: Duration::from_millis(1),
        ..Options::default()
    };
    let mut simulation = Simulation::with_options(&topology(), store(), 9, START, options);
    let mut told = 0;
    for s in 0..360 {
        let batches = simulation.advance(second(s));
        let truth = simulation.truth();
        let last = batches.iter().rev().find(|b| b.source.as_str() == "main" && b.at.mono == second(s));
        for seen in &last.unwrap().observations {
            assert_eq!(seen.at.broker, Some(seen.at.wall.offset(-2_500_000_000)));
            match &seen.what {
                Observation::Consumers { listing, .. } => {
                    for report in &listing.entries {
                        let truth = &truth.consumers[&report.id];
                        assert_eq!(report.lag, Bounds::Exact(truth.lag));
                        assert_eq!(report.in_flight, Bounds::Exact(truth.in_flight));
                        assert_eq!(report.redelivered, Bounds::Exact(truth.redelivered));
                    }
                }
                Observation::Backlog(report) => {
                    let oldest = truth.consumers[&report.consumer].oldest.unwrap();
                    let (low, high) = (*report.oldest.low().unwrap(), *report.oldest.high().unwrap());
                    assert!(low <= oldest && oldest <= high, "{report:?} {oldest:?}");
                    told += 1;
                }
                _ => {}
            }
        }
    }
    assert!(told > 1_000, "{told}");
}

#[tokio::test]
async fn as_a_source_it_tells_in_real_time_and_ends_with_its_listener() {
    let clock = Clock::start();
    let simulation = Simulation::new(&topology(), store(), 1, starts_at(clock));
    let (engine, mut batches) = mpsc::channel(4);
    let (commands, orders) = mpsc::channel(4);
    let task = tokio::spawn(run(simulation, clock, engine, orders));
    commands.send(Command::Fault { id: "poison".into(), on: true }).await.unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    let mut noted = false;
    while !noted {
        let batch = tokio::time::timeout_at(deadline, batches.recv()).await.unwrap().unwrap();
        noted = batch.observations.iter().any(|seen| match &seen.what {
            Observation::Source(report) => report.notes.get("faults").is_some_and(|f| &**f == "poison"),
            _ => false,
        });
    }
    drop(batches);
    tokio::time::timeout_at(deadline, task).await.unwrap().unwrap();
}

#[test]
fn an_order_is_found_by_its_fields_on_every_channel_that_it_reaches() {
    let mut simulation = simulation(11);
    simulation.advance(second(30));
    let world = &simulation.world;
    let place = |name: &str| world.streams.iter().position(|s| &*s.name == name).unwrap();
    let orders = &world.streams[place("ORDERS")];
    let created = orders.subjects.iter().position(|s| &**s == "orders.created").unwrap();
    let order = orders.messages.iter().rev().filter(|m| m.subject == created).nth(60).unwrap();
    let value = order.content.field("order_id", &world.fields).unwrap();
    let search = model_field("order_id", &value);
    for channel in ["main/ORDERS", "main/BILLING", "main/INVENTORY"] {
        simulation.command(&Command::Find { channel: channel.into(), search: search.clone(), before: None });
    }
    let batches = simulation.advance(second(31));
    let mut found = 0;
    for what in observations(&batches) {
        match what {
            Observation::Message(message) => {
                let stream = &simulation.world.streams
                    [simulation.watch.stream(&simulation.world, &message.id.channel).unwrap()];
                let content = &stream.get(message.id.seq).unwrap().content;
                assert_eq!(content.field("order_id", &simulation.world.fields).unwrap(), value);
                let id = |headers: &[(Name, Name)]| {
                    headers.iter().find(|(n, _)| &**n == "traceparent").unwrap().1[3..35].to_owned()
                };
                assert_eq!(id(&message.headers), id(&order_headers(&simulation, &value)), "one trace");
                assert_eq!(message.read_on, Some(message.read_at));
            }
            Observation::Search(report) => {
                let looked = report.looked_at;
                assert!((1..=250).contains(&looked), "{report:?}");
                found += u32::from(matches!(report.outcome, SearchOutcome::Found(_)));
            }
            _ => {}
        }
    }
    assert_eq!(found, 3, "on each of the three");
}

fn model_field(name: &str, value: &str) -> Search {
    Search::Field { name: name.into(), value: value.into() }
}

/// The headers of the order itself.
fn order_headers(simulation: &Simulation, order: &str) -> Vec<(Name, Name)> {
    let world = &simulation.world;
    let mut messages = world.streams.iter().flat_map(|s| &s.messages);
    let its = |m: &&broker::Message| m.content.field("order_id", &world.fields).as_deref() == Some(order);
    messages.find(its).unwrap().content.headers("orders", "OrderCreated", "")
}

#[test]
fn a_message_followed_late_is_told_as_far_back_as_it_was_listened() {
    let mut simulation = simulation(12);
    simulation.advance(second(5));
    simulation.command(&Command::Probe(ProbeLevel::Acks));
    let batches = simulation.advance(second(20));
    let heard: u64 = batches.iter().flat_map(|b| b.acks.values()).map(|tally| tally.acknowledged).sum();
    assert!(heard > 1_000, "{heard}");
    assert!(!observations(&batches).any(|what| matches!(what, Observation::Step(_))), "nobody asked");
    let said = simulation.said(0).0;
    let (late, early) = (said.iter().rev().nth(200).unwrap().clone(), said[0].clone());
    for step in [&late, &early] {
        let id = MessageId { channel: step.channel.clone(), seq: step.seq };
        simulation.command(&Command::Follow(id));
    }
    let batches = simulation.advance(second(21));
    let told: Vec<&AckStep> = observations(&batches)
        .filter_map(|what| if let Observation::Step(step) = what { Some(step) } else { None })
        .collect();
    assert!(told.contains(&&late), "{told:?}");
    assert!(
        !told.iter().any(|step| step.seq == early.seq && step.channel == early.channel),
        "before the listening"
    );
}

#[test]
fn what_is_not_there_is_not_found() {
    let mut simulation = simulation(13);
    simulation.advance(second(2));
    for (channel, search) in [
        ("main/ORDERS", Search::Seq(1_000_000)),
        ("main/ORDERS", Search::Seq(0)),
        ("main/NOWHERE", Search::Seq(1)),
        ("main/SHIPPING", model_field("order_id", "")),
    ] {
        simulation.command(&Command::Find { channel: channel.into(), search, before: None });
    }
    let batches = simulation.advance(second(3));
    let outcomes: Vec<_> = observations(&batches)
        .filter_map(|what| if let Observation::Search(report) = what { Some(&report.outcome) } else { None })
        .collect();
    assert_eq!(outcomes.len(), 3, "{outcomes:?}");
    assert!(outcomes[..2].iter().all(|outcome| **outcome == SearchOutcome::NotThere), "{outcomes:?}");
    assert!(!outcomes.iter().any(|outcome| matches!(outcome, SearchOutcome::Found(_))));
}
