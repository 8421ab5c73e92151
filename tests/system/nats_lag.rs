//! Lag, in flight, redelivered, gave up and the oldest message left: equal to what the test itself caused.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull, push};
use async_nats::jetstream::{AckKind, Message, stream};
use futures_util::StreamExt;
use headwater::model::measured::Bounds;
use headwater::model::observation::NoticeKind;
use headwater::model::time::Timestamp;
use serde_json::json;

use crate::support::{Broker, Config, Watch, jet, watch::World};

const SOON: Duration = Duration::from_secs(30);

/// When a message was stored, as the stream says it.
async fn stored_at(client: &async_nats::Client, stream: &str, seq: u64) -> Timestamp {
    let subject = format!("$JS.API.STREAM.MSG.GET.{stream}");
    let answer = jet::request(client, &subject, &json!({ "seq": seq })).await;
    let time = answer["message"]["time"].as_str().unwrap_or_else(|| panic!("{stream} {seq}: {answer}"));
    let time: jiff::Timestamp = time.parse().unwrap();
    Timestamp(i64::try_from(time.as_nanosecond()).unwrap())
}

/// What a consumer is expected to show.
#[derive(Debug)]
struct Expected {
    id: &'static str,
    lag: u64,
    in_flight: u64,
    redelivered: u64,
    oldest: Option<Bounds<Timestamp>>,
}

fn expect(id: &'static str, lag: u64, in_flight: u64, oldest: Option<Timestamp>) -> Expected {
    Expected { id, lag, in_flight, redelivered: 0, oldest: oldest.map(Bounds::Exact) }
}

fn check(world: &World, expected: &Expected) -> Result<(), String> {
    let (at, one) = world.consumers.get(expected.id).ok_or_else(|| format!("no {}", expected.id))?;
    let numbers = [&one.lag, &one.in_flight, &one.redelivered];
    let wanted = [expected.lag, expected.in_flight, expected.redelivered].map(Bounds::Exact);
    if numbers != [&wanted[0], &wanted[1], &wanted[2]] {
        return Err(format!("{expected:?} but {numbers:?}"));
    }
    let Some(oldest) = &expected.oldest else { return Ok(()) };
    let (told_at, told) =
        world.backlog.get(expected.id).ok_or_else(|| format!("no backlog: {expected:?}"))?;
    if told_at.mono < at.mono {
        return Err(format!("the backlog of {} is older than its position", expected.id));
    }
    if told.oldest != *oldest {
        return Err(format!("{expected:?} but {told:?}"));
    }
    // Its age is counted on the clock of the server that stamped it; that is this very machine's.
    let broker = told_at.broker.ok_or("no broker time")?;
    let apart = broker.0.abs_diff(told_at.wall.0);
    if apart > 2_000_000_000 { Err(format!("clocks {apart} ns apart")) } else { Ok(()) }
}

async fn check_all(watch: &mut Watch, expected: &[Expected]) {
    watch
        .until(SOON, "every consumer shows what was caused", |world| {
            expected.iter().try_for_each(|one| check(world, one))
        })
        .await;
}

async fn settle(messages: Vec<Message>, acked: impl Fn(usize) -> bool) {
    for (index, message) in messages.into_iter().enumerate() {
        if acked(index) {
            message.double_ack().await.unwrap();
        }
    }
}

/// Every kind of consumer that both servers know.
async fn every_kind(broker: &Broker) {
    let client = broker.connect_as("test").await;
    let orders = jet::stream(&client, "ORDERS", &["orders.>"]).await;
    let durable = |name: &str| pull::Config { durable_name: Some(name.into()), ..Default::default() };
    let plain = jet::pull(&orders, "plain").await;
    let untouched = pull::Config { filter_subject: "orders.paid".into(), ..durable("filtered") };
    jet::pull_with(&orders, untouched).await;
    let filtered = pull::Config { filter_subject: "orders.paid".into(), ..durable("filtered-flight") };
    let filtered = jet::pull_with(&orders, filtered).await;
    let all =
        jet::pull_with(&orders, pull::Config { ack_policy: AckPolicy::All, ..durable("ack-all") }).await;
    let out_of_order = jet::pull(&orders, "out-of-order").await;
    let idle = jet::pull(&orders, "idle").await;
    let naked = jet::pull(&orders, "naked").await;
    let group = push::Config {
        durable_name: Some("group".into()),
        deliver_subject: "push.group".into(),
        deliver_group: Some("workers".into()),
        ..Default::default()
    };
    orders.create_consumer(group).await.unwrap();
    let fast = push::Config {
        durable_name: Some("no-ack".into()),
        deliver_subject: "push.fast".into(),
        ack_policy: AckPolicy::None,
        ..Default::default()
    };
    orders.create_consumer(fast).await.unwrap();
    let jobs = jet::work_queue(&client, "JOBS", &["jobs.>"]).await;
    let worker = jet::pull(&jobs, "worker").await;
    let cart = jet::stream_with(
        &client,
        stream::Config {
            name: "KV_cart".into(),
            subjects: vec!["$KV.cart.>".into()],
            max_messages_per_subject: 1,
            ..Default::default()
        },
    )
    .await;
    jet::pull(&cart, "watcher").await;

    // One of four is paid: 4, 8, 12, 16, 20.
    for number in 1..=20 {
        let subject = if number % 4 == 0 { "orders.paid" } else { "orders.created" };
        jet::publish(&client, subject, 1).await;
    }
    jet::publish(&client, "jobs.a", 6).await;
    for key in ["a", "b", "a", "c"] {
        jet::publish(&client, &format!("$KV.cart.{key}"), 1).await;
    }
    settle(jet::fetch(&plain, 8).await, |index| index < 3).await;
    settle(jet::fetch(&filtered, 2).await, |_| false).await;
    settle(jet::fetch(&all, 10).await, |index| index == 6).await;
    // Everything but the seventh, the last first.
    let mut messages = jet::fetch(&out_of_order, 20).await;
    messages.reverse();
    settle(messages, |index| index != 13).await;
    settle(jet::fetch(&idle, 20).await, |_| true).await;
    // Refused, delivered again, acknowledged: the floor must follow.
    let mut messages = jet::fetch(&naked, 3).await.into_iter();
    messages.next().unwrap().double_ack_with(AckKind::Nak(None)).await.unwrap();
    let again = jet::fetch(&naked, 1).await;
    assert_eq!(again[0].info().unwrap().delivered, 2);
    settle(again, |_| true).await;
    let mut members = Vec::new();
    for _ in 0..2 {
        members.push(client.queue_subscribe("push.group", "workers".into()).await.unwrap());
    }
    let mut fast = client.subscribe("push.fast").await.unwrap();
    for _ in 0..20 {
        fast.next().await.unwrap();
    }
    settle(jet::fetch(&worker, 5).await, |index| index == 0 || index == 2).await;

    let mut watch = Watch::start(&broker.url());
    let at = |stream: &'static str, seq: u64| stored_at(&client, stream, seq);
    check_all(
        &mut watch,
        &[
            expect("nats/ORDERS/plain", 12, 5, Some(at("ORDERS", 4).await)),
            expect("nats/ORDERS/filtered", 5, 0, Some(at("ORDERS", 4).await)),
            expect("nats/ORDERS/filtered-flight", 3, 2, Some(at("ORDERS", 4).await)),
            expect("nats/ORDERS/ack-all", 10, 3, Some(at("ORDERS", 8).await)),
            expect("nats/ORDERS/out-of-order", 0, 1, Some(at("ORDERS", 7).await)),
            expect("nats/ORDERS/idle", 0, 0, None),
            expect("nats/ORDERS/naked", 17, 2, Some(at("ORDERS", 2).await)),
            expect("nats/ORDERS/group", 0, 20, Some(at("ORDERS", 1).await)),
            expect("nats/ORDERS/no-ack", 0, 0, None),
            expect("nats/JOBS/worker", 1, 3, Some(at("JOBS", 2).await)),
            // The first version of `a` was overwritten.
            expect("nats/KV_cart/watcher", 3, 0, Some(at("KV_cart", 2).await)),
        ],
    )
    .await;
    assert!(!watch.world.backlog.contains_key("nats/ORDERS/idle"));

    // Work goes on, and so do the numbers.
    jet::publish(&client, "$KV.cart.b", 1).await;
    settle(jet::fetch(&worker, 1).await, |_| true).await;
    settle(jet::fetch(&plain, 12).await, |_| true).await;
    check_all(
        &mut watch,
        &[
            expect("nats/KV_cart/watcher", 3, 0, Some(at("KV_cart", 3).await)),
            expect("nats/JOBS/worker", 0, 3, Some(at("JOBS", 2).await)),
            expect("nats/ORDERS/plain", 0, 5, Some(at("ORDERS", 4).await)),
        ],
    )
    .await;
    watch.end().await;
    drop(members);
}

#[tokio::test]
async fn every_kind_of_consumer() {
    Box::pin(every_kind(&Broker::start(Config::jetstream()))).await;
}

#[tokio::test]
async fn every_kind_of_consumer_on_the_old_server() {
    let Some(broker) = Broker::start_old(Config::jetstream()) else { return };
    Box::pin(every_kind(&broker)).await;
}

#[tokio::test]
async fn several_filters_and_the_last_of_each_subject() {
    let broker = Broker::start(Config::jetstream());
    let client = broker.connect().await;
    let orders = jet::stream(&client, "ORDERS", &["orders.>"]).await;
    let config = pull::Config {
        durable_name: Some("multi".into()),
        filter_subjects: vec!["orders.paid".into(), "orders.sent".into(), "orders.never".into()],
        ..Default::default()
    };
    let multi = jet::pull_with(&orders, config).await;
    for subject in ["created", "created", "sent", "created", "paid", "created", "sent"] {
        jet::publish(&client, &format!("orders.{subject}"), 1).await;
    }
    let config = pull::Config {
        durable_name: Some("last".into()),
        deliver_policy: DeliverPolicy::LastPerSubject,
        filter_subject: "orders.>".into(),
        ..Default::default()
    };
    let last = jet::pull_with(&orders, config).await;
    let mut watch = Watch::start(&broker.url());
    let third = stored_at(&client, "ORDERS", 3).await;
    let fifth = stored_at(&client, "ORDERS", 5).await;
    // Of each subject only the last: the broker puts the position right before the first of them.
    let fresh = expect("nats/ORDERS/last", 3, 0, Some(fifth));
    check_all(&mut watch, &[expect("nats/ORDERS/multi", 3, 0, Some(third)), fresh]).await;
    settle(jet::fetch(&multi, 1).await, |_| true).await;
    settle(jet::fetch(&last, 1).await, |_| true).await;
    // From then on the next one may be skipped, and that cannot be read.
    let (sixth, seventh) = (stored_at(&client, "ORDERS", 6).await, stored_at(&client, "ORDERS", 7).await);
    let later = Expected {
        oldest: Some(Bounds::Between { lo: sixth, hi: seventh }),
        ..expect("nats/ORDERS/last", 2, 0, None)
    };
    check_all(&mut watch, &[expect("nats/ORDERS/multi", 2, 0, Some(fifth)), later]).await;
}

/// Nothing is acknowledged yet, and the old server tells a floor of 0 then, wherever the consumer began.
async fn in_flight_from_the_beginning(broker: &Broker) {
    let client = broker.connect().await;
    let orders = jet::stream(&client, "ORDERS", &["orders.>"]).await;
    jet::publish(&client, "orders.created", 6).await;
    let begins = [
        ("nats/ORDERS/all", DeliverPolicy::All, 1),
        ("nats/ORDERS/from", DeliverPolicy::ByStartSequence { start_sequence: 4 }, 4),
        ("nats/ORDERS/last", DeliverPolicy::Last, 6),
        ("nats/ORDERS/new", DeliverPolicy::New, 7),
    ];
    let mut consumers = Vec::new();
    for (id, deliver_policy, first) in begins {
        let durable_name = id.rsplit('/').next().map(Into::into);
        let config = pull::Config { durable_name, deliver_policy, ..Default::default() };
        consumers.push((id, jet::pull_with(&orders, config).await, first));
    }
    jet::publish(&client, "orders.created", 3).await;
    let mut watch = Watch::start(&broker.url());
    let (mut kept, mut expected) = (Vec::new(), Vec::new());
    for (id, consumer, first) in &consumers {
        kept.extend(jet::fetch(consumer, 2).await);
        let oldest = stored_at(&client, "ORDERS", *first).await;
        expected.push(expect(id, 8 - first, 2, Some(oldest)));
    }
    check_all(&mut watch, &expected).await;
}

#[tokio::test]
async fn in_flight_from_the_beginning_on_both_servers() {
    Box::pin(in_flight_from_the_beginning(&Broker::start(Config::jetstream()))).await;
    let Some(old) = Broker::start_old(Config::jetstream()) else { return };
    Box::pin(in_flight_from_the_beginning(&old)).await;
}

#[tokio::test]
async fn mirrors_keep_the_time_and_sources_stamp_anew() {
    let broker = Broker::start(Config::jetstream());
    let client = broker.connect().await;
    jet::stream(&client, "ORDERS", &["orders.>"]).await;
    jet::publish(&client, "orders.created", 5).await;
    let upstream = || stream::Source { name: "ORDERS".into(), ..Default::default() };
    let config = stream::Config { name: "COPY".into(), mirror: Some(upstream()), ..Default::default() };
    let copy = jet::stream_with(&client, config).await;
    let config = stream::Config { name: "SUM".into(), sources: Some(vec![upstream()]), ..Default::default() };
    let sum = jet::stream_with(&client, config).await;
    jet::pull(&copy, "reader").await;
    jet::pull(&sum, "reader").await;
    let mut watch = Watch::start(&broker.url());
    watch
        .until(SOON, "both have taken over everything", |world| {
            let full = |name: &str| world.channels.get(name).is_some_and(|one| one.messages == Some(5));
            if full("COPY") && full("SUM") { Ok(()) } else { Err("not full".into()) }
        })
        .await;
    let (original, again) = (stored_at(&client, "ORDERS", 1).await, stored_at(&client, "SUM", 1).await);
    assert_ne!(original, again);
    check_all(
        &mut watch,
        &[expect("nats/COPY/reader", 5, 0, Some(original)), expect("nats/SUM/reader", 5, 0, Some(again))],
    )
    .await;
    for name in ["COPY", "SUM"] {
        let fed = &watch.world.channels[name].fed_by;
        assert_eq!((fed.len(), fed[0].channel.as_str()), (1, "nats/ORDERS"));
    }
}

#[tokio::test]
async fn what_was_given_up_is_told_and_leaves_bounds() {
    let broker = Broker::start(Config::jetstream());
    let client = broker.connect().await;
    let orders = jet::stream(&client, "ORDERS", &["orders.>"]).await;
    let config = pull::Config { durable_name: Some("billing".into()), max_deliver: 2, ..Default::default() };
    let billing = jet::pull_with(&orders, config).await;
    jet::publish(&client, "orders.created", 8).await;
    let mut watch = Watch::start(&broker.url());
    watch.until(SOON, "it is watched", |world| world.consumer("nats/ORDERS/billing").map(drop)).await;

    // Message 2 is poison: refused at each delivery. The others wait, but for 1 and 4.
    let mut kept = Vec::new();
    for (index, message) in jet::fetch(&billing, 6).await.into_iter().enumerate() {
        match index + 1 {
            1 | 4 => message.double_ack().await.unwrap(),
            2 => message.double_ack_with(AckKind::Nak(None)).await.unwrap(),
            _ => kept.push(message),
        }
    }
    let again = jet::fetch(&billing, 1).await;
    assert_eq!(again[0].info().unwrap().delivered, 2);
    again[0].double_ack_with(AckKind::Nak(None)).await.unwrap();
    // The broker notices that it is over when it would deliver again.
    let more = jet::fetch(&billing, 1).await;
    assert_eq!(more[0].info().unwrap().stream_sequence, 7);
    watch
        .until(SOON, "giving up is told", |world| {
            let told = world.told(NoticeKind::GaveUp);
            let one = told.first().ok_or_else(|| format!("{:?}", world.notices))?;
            assert_eq!((one.channel_seq, one.deliveries), (Some(2), Some(2)));
            assert_eq!(one.consumer.as_ref().unwrap().as_str(), "nats/ORDERS/billing");
            assert_eq!(&*one.text, "billing gave up message 2 of ORDERS after 2 deliveries");
            Ok(())
        })
        .await;
    assert_eq!(watch.world.told(NoticeKind::Refused).len(), 2);
    // 3, 5, 6 and 7 are in flight. The floor stands at 1, before the message that was given up.
    let bounds = Bounds::Between {
        lo: stored_at(&client, "ORDERS", 2).await,
        hi: stored_at(&client, "ORDERS", 4).await,
    };
    let expected =
        Expected { redelivered: 1, oldest: Some(bounds), ..expect("nats/ORDERS/billing", 1, 4, None) };
    check_all(&mut watch, &[expected]).await;

    // Everything else is processed: the floor stays behind, and that is not staleness.
    for message in kept.into_iter().chain(more).chain(jet::fetch(&billing, 1).await) {
        message.double_ack().await.unwrap();
    }
    let done = Expected { redelivered: 1, ..expect("nats/ORDERS/billing", 0, 0, None) };
    check_all(&mut watch, &[done]).await;
}
