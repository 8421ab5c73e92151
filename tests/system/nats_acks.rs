//! The probe level `acks` against services that write down what they do themselves.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_nats::jetstream::{self, AckKind, consumer};
use bytes::Bytes;
use futures_util::StreamExt as _;
use headwater::model::acks::AckTally;
use headwater::model::command::{Command, ProbeLevel};
use headwater::model::histogram::Histogram;
use headwater::model::message::MessageId;
use headwater::model::observation::NoticeKind;
use headwater::source::nats::options::NatsOptions;
use tokio::task::JoinHandle;

use crate::support::{Broker, Config, User, Watch, jet};

const SOON: Duration = Duration::from_secs(120);
const MESSAGES: u64 = 10_000;
/// Messages that the `mailer` never acknowledges, and how often each is delivered.
const ABANDONED: u64 = 5;
const MOST_DELIVERIES: i64 = 2;

fn ok(yes: bool, why: impl Into<String>) -> Result<(), String> {
    if yes { Ok(()) } else { Err(why.into()) }
}

fn watch(broker: &Broker) -> Watch {
    let options = NatsOptions::new("nats".into(), &broker.url()).unwrap();
    Watch::with(NatsOptions { probe: ProbeLevel::Acks, ..options })
}

/// What a service knows of its own work.
#[derive(Default)]
struct Diary {
    /// Append → acknowledged, in nanoseconds: when it was said, and when the server had confirmed it.
    delays: Vec<(i64, i64)>,
    /// Deliveries beyond the first of what was acknowledged.
    redelivered: u64,
    refused: u64,
}

type Shared = Arc<Mutex<Diary>>;

fn wall() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos().try_into().unwrap()
}

/// Acknowledges a message and writes it down.
async fn acknowledge(message: &jetstream::Message, diary: &Shared) {
    let info = message.info().unwrap();
    let stored = i64::try_from(info.published.unix_timestamp_nanos()).unwrap();
    let deliveries = u64::try_from(info.delivered).unwrap();
    let before = wall();
    // Until the server has confirmed it: it took effect between the two instants.
    message.double_ack().await.unwrap();
    let mut diary = diary.lock().unwrap();
    diary.delays.push((before - stored, wall() - stored));
    diary.redelivered += deliveries - 1;
}

/// Works on messages as they come, with a rest after every hundred.
fn pulls(consumer: consumer::PullConsumer, rest: Duration, diary: Shared) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut messages = consumer.stream().max_messages_per_batch(200).messages().await.unwrap();
        let mut done = 0;
        while let Some(message) = messages.next().await {
            acknowledge(&message.unwrap(), &diary).await;
            done += 1;
            if done % 100 == 0 && !rest.is_zero() {
                tokio::time::sleep(rest).await;
            }
        }
    })
}

fn pushed(consumer: consumer::PushConsumer, diary: Shared) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut messages = consumer.messages().await.unwrap();
        while let Some(message) = messages.next().await {
            acknowledge(&message.unwrap(), &diary).await;
        }
    })
}

/// Refuses every tenth message once, and never acknowledges the first few.
fn refuses(consumer: consumer::PullConsumer, diary: Shared) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut messages = consumer.stream().messages().await.unwrap();
        while let Some(message) = messages.next().await {
            let message = message.unwrap();
            let info = message.info().unwrap();
            let (seq, first) = (info.stream_sequence, info.delivered == 1);
            if seq <= ABANDONED {
                continue;
            }
            if seq % 10 == 0 && first {
                message.ack_with(AckKind::Nak(None)).await.unwrap();
                diary.lock().unwrap().refused += 1;
            } else {
                acknowledge(&message, &diary).await;
            }
        }
    })
}

/// The delay that a share `q` of the messages did not exceed.
fn quantile(mut delays: Vec<i64>, q: f64) -> i64 {
    delays.sort_unstable();
    let rank = ((q * delays.len() as f64).ceil() as usize).clamp(1, delays.len());
    delays[rank - 1]
}

/// How late this machine wakes whoever waits, in nanoseconds: measured beside the services, by a thread that only sleeps.
struct Metronome {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Vec<i64>>,
}

impl Metronome {
    fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut late = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let began = Instant::now();
                std::thread::sleep(BEAT);
                late.push(i64::try_from(began.elapsed().saturating_sub(BEAT).as_nanos()).unwrap());
            }
            late
        });
        Self { stop, thread }
    }

    fn stop(self) -> Vec<i64> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

const BEAT: Duration = Duration::from_micros(500);
/// An acknowledgement wakes the server, our reader and our listener, one after the other.
const WAKES: i64 = 3;

/// Whether the figures heard are those of the diary, within 1 ms and 1 %, the uncertainty that the clock is said to have,
/// and what the machine itself was late by.
fn agree(tally: &AckTally, diary: &Diary, late: &[i64]) -> Result<(), String> {
    for q in [0.5, 0.95, 0.99] {
        let heard = tally.delays.quantile(q).ok_or("nothing heard")?.middle();
        let earliest = quantile(diary.delays.iter().map(|d| d.0).collect(), q);
        let latest = quantile(diary.delays.iter().map(|d| d.1).collect(), q);
        let late = WAKES * quantile(late.to_vec(), q);
        let room = 1_000_000 + latest / 100 + i64::try_from(tally.error.as_nanos()).unwrap() + late;
        if heard < earliest - room || heard > latest + room {
            return Err(format!(
                "p{}: heard {heard}, was {earliest} to {latest}, room {room}, late {late}",
                q * 100.0
            ));
        }
    }
    Ok(())
}

/// Counts must be right in every round. How close the delays come depends on how busy the machine is beside the test: the best of
/// three rounds has to be right.
#[tokio::test(flavor = "multi_thread")]
async fn delays_redeliveries_and_messages_given_up_are_those_that_the_services_wrote_down() {
    let mut wrong = Vec::new();
    for _ in 0..3 {
        match Box::pin(round()).await {
            Ok(()) => return,
            Err(why) => wrong.push(why),
        }
    }
    panic!("{wrong:#?}");
}

/// One run of the five services; the error says which delays are not theirs.
async fn round() -> Result<(), String> {
    let broker = Broker::start(Config::jetstream());
    let client = broker.connect_as("test").await;
    let orders = jet::stream(&client, "ORDERS", &["orders.>"]).await;
    let mut diaries: BTreeMap<&str, Shared> = BTreeMap::new();
    let mut diary = |name: &'static str| Arc::clone(diaries.entry(name).or_default());
    let push = |name: &str, group: Option<&str>| consumer::push::Config {
        durable_name: Some(name.into()),
        deliver_subject: format!("deliver.{name}"),
        deliver_group: group.map(Into::into),
        max_ack_pending: 500,
        ..Default::default()
    };
    let alone = orders.create_consumer(push("search", None)).await.unwrap();
    let group = orders.create_consumer(push("shipping", Some("shipping"))).await.unwrap();
    let mailer = consumer::pull::Config {
        durable_name: Some("mailer".into()),
        max_deliver: MOST_DELIVERIES,
        ack_wait: Duration::from_secs(2),
        ..Default::default()
    };
    let mailer = jet::pull_with(&orders, mailer).await;
    let billing = jet::pull(&orders, "billing").await;
    let analytics = jet::pull(&orders, "analytics").await;

    let apart = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let options = NatsOptions::new("nats".into(), &broker.url()).unwrap();
    let mut watch = Watch::on(apart.handle(), NatsOptions { probe: ProbeLevel::Acks, ..options });
    watch
        .until(SOON, "all consumers are listed, with the server's clock", |world| {
            ok(
                world.consumers.len() == 5 && world.source.clock.is_some(),
                format!("{:?}", world.consumers.keys()),
            )
        })
        .await;
    // A clock is known better the more often it was read.
    let polls = watch.world.clients_polls;
    watch.until(SOON, "a few turns", |world| ok(world.clients_polls >= polls + 3, "")).await;
    let services = [
        pulls(billing, Duration::ZERO, diary("billing")),
        pulls(analytics, Duration::from_millis(20), diary("analytics")),
        pushed(alone, diary("search")),
        pushed(group.clone(), diary("shipping")),
        pushed(group, diary("shipping")),
        refuses(mailer, diary("mailer")),
    ];
    let metronome = Metronome::start();
    let context = jetstream::new(client.clone());
    let publishing = tokio::spawn(async move {
        // Paced: a machine that is kept busy is late everywhere, and shows nothing of who measures rightly.
        let mut ticks = tokio::time::interval(Duration::from_micros(7_500));
        for burst in 0..MESSAGES / 5 {
            ticks.tick().await;
            let mut stored = Vec::new();
            for n in 0..5 {
                let body = Bytes::from(format!("{{\"order\":{}}}", burst * 5 + n));
                stored.push(context.publish("orders.created", body).await.unwrap());
            }
            for ack in stored {
                ack.await.unwrap();
            }
        }
    });
    watch
        .until(SOON, "everything is acknowledged or given up", |world| {
            let acknowledged = |name: &str| {
                world.acks.get(format!("nats/ORDERS/{name}").as_str()).map_or(0, |t| t.acknowledged)
            };
            let all = ["billing", "analytics", "search", "shipping"]
                .iter()
                .all(|name| acknowledged(name) >= MESSAGES);
            ok(
                all && acknowledged("mailer") >= MESSAGES - ABANDONED
                    && world.told(NoticeKind::GaveUp).len() as u64 >= ABANDONED,
                format!(
                    "{:?} given up {}",
                    world.acks.iter().map(|(id, t)| (id, t.acknowledged)).collect::<Vec<_>>(),
                    world.told(NoticeKind::GaveUp).len()
                ),
            )
        })
        .await;
    publishing.await.unwrap();
    // Whatever were counted twice would come now.
    let polls = watch.world.clients_polls;
    watch.until(SOON, "a few turns more", |world| ok(world.clients_polls >= polls + 3, "")).await;
    services.iter().for_each(JoinHandle::abort);
    let late = metronome.stop();

    assert_eq!(watch.world.source.load.dropped, 0);
    assert_eq!(watch.world.told(NoticeKind::GaveUp).len() as u64, ABANDONED);
    let mut wrong = Vec::new();
    for (name, diary) in &diaries {
        let tally = &watch.world.acks[format!("nats/ORDERS/{name}").as_str()];
        let diary = diary.lock().unwrap();
        let expected = if *name == "mailer" { MESSAGES - ABANDONED } else { MESSAGES };
        assert_eq!(tally.acknowledged, expected, "{name}");
        assert_eq!(tally.delays.count(), expected, "{name}: the clock was known all the time");
        assert_eq!((tally.redelivered, tally.refused), (diary.redelivered, diary.refused), "{name}");
        assert_eq!(tally.terminated, 0, "{name}");
        assert!(tally.error < Duration::from_millis(20), "{name}: the clock is known: {:?}", tally.error);
        // Who is done at once is so within the error that the clock is said to have, on either side of zero.
        let least = i128::from(tally.delays.min().unwrap());
        assert!(least >= -(tally.error.as_nanos() as i128), "{name}: {least} ns within {:?}", tally.error);
        if let Err(why) = agree(tally, &diary, &late) {
            wrong.push(format!("{name}: {why}"));
        }
    }
    watch.end().await;
    apart.shutdown_background();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_acknowledgement_for_many_is_credited_for_all_of_them() {
    let broker = Broker::start(Config::jetstream());
    let client = broker.connect_as("test").await;
    let orders = jet::stream(&client, "ORDERS", &["orders.>"]).await;
    let config = consumer::pull::Config {
        durable_name: Some("audit".into()),
        ack_policy: consumer::AckPolicy::All,
        ..Default::default()
    };
    let audit = jet::pull_with(&orders, config).await;
    let mut watch = watch(&broker);
    watch.until(SOON, "it is listed", |world| world.consumer("nats/ORDERS/audit").map(drop)).await;
    jet::publish(&client, "orders.created", 40).await;
    let messages = jet::fetch(&audit, 40).await;
    // The first tells where to count from; the others cover 9, 10 and 20.
    for (at, total) in [(0, 1), (9, 10), (19, 20), (39, 40)] {
        messages[at].double_ack().await.unwrap();
        watch
            .until(SOON, "it is credited", |world| {
                let heard = world.acks.get("nats/ORDERS/audit").map_or(0, |tally| tally.acknowledged);
                ok(heard == total, format!("{heard} of {total}"))
            })
            .await;
    }
    let tally = &watch.world.acks["nats/ORDERS/audit"];
    assert_eq!((tally.covered, tally.delays.count(), tally.redelivered), (36, 40, 0));
    watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_level_changes_while_running_and_a_followed_message_is_told_from_before() {
    let broker = Broker::start(Config::jetstream());
    let client = broker.connect_as("test").await;
    let orders = jet::stream(&client, "ORDERS", &["orders.>"]).await;
    let billing = jet::pull(&orders, "billing").await;
    let mut watch = Watch::start(&broker.url());
    watch.until(SOON, "it is listed", |world| world.consumer("nats/ORDERS/billing").map(drop)).await;
    jet::publish(&client, "orders.created", 3).await;
    let messages = jet::fetch(&billing, 3).await;
    messages[0].double_ack().await.unwrap();

    watch.commands.send(Command::Probe(ProbeLevel::Acks)).unwrap();
    let listens = || async {
        let ask = serde_json::json!({ "subscriptions": true });
        let answer = jet::request(&client, "$SYS.REQ.ACCOUNT.PING.CONNZ", &ask).await;
        answer.to_string().contains("$JS.ACK.>")
    };
    crate::support::wait_until(SOON, "it listens", listens).await;
    messages[1].double_ack().await.unwrap();
    watch
        .until(SOON, "the second acknowledgement is heard", |world| {
            ok(world.acks.get("nats/ORDERS/billing").is_some_and(|tally| tally.acknowledged == 1), "")
        })
        .await;
    let id = MessageId { channel: "nats/ORDERS".into(), seq: 2 };
    watch.commands.send(Command::Follow(id)).unwrap();
    let step = watch
        .until(SOON, "what was heard before is told", |world| {
            world.steps.first().cloned().ok_or_else(String::new)
        })
        .await;
    assert_eq!((step.seq, step.deliveries, step.consumer.as_str()), (2, 1, "nats/ORDERS/billing"));
    assert!(step.at > step.appended);

    watch.commands.send(Command::Probe(ProbeLevel::Passive)).unwrap();
    crate::support::wait_until(SOON, "it listens no longer", || async { !listens().await }).await;
    messages[2].double_ack().await.unwrap();
    let polls = watch.world.clients_polls;
    watch.until(SOON, "a few turns", |world| ok(world.clients_polls >= polls + 3, "")).await;
    assert_eq!(watch.world.acks["nats/ORDERS/billing"].acknowledged, 1);
    watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_not_listen_is_told_so_and_delays_stay_intervals() {
    let user = User::new("limited", "secret").may_not_subscribe(&["$JS.ACK.>"]);
    let broker = Broker::start(Config::jetstream().user(user));
    let url = broker.url().replace("nats://", "nats://limited:secret@");
    let options = NatsOptions::new("nats".into(), &url).unwrap();
    let mut watch = Watch::with(NatsOptions { probe: ProbeLevel::Acks, ..options });
    let told = watch
        .until(SOON, "it is said", |world| {
            let missing = world.source.unavailable.iter().find(|u| u.what.contains("acknowledgements"));
            missing.map(|u| u.why.to_string()).ok_or_else(|| format!("{:?}", world.source))
        })
        .await;
    assert_eq!(told, "permission denied to subscribe to $JS.ACK.>");
    watch.end().await;
}

/// The histogram's own error is part of the promise: a hundredth at most.
#[test]
fn the_stated_relative_error_is_below_a_hundredth() {
    let mut delays = Histogram::default();
    delays.record(123_456_789);
    let middle = delays.quantile(0.5).unwrap().middle();
    assert!((middle - 123_456_789).abs() <= 123_456_789 / 100);
}
