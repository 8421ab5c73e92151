//! What the broker samples of processing times, against a service that knows how long it took.

use std::time::{Duration, Instant};

use async_nats::jetstream::{AckKind, consumer};
use headwater::model::acks::Processing;

use crate::support::{Broker, Config, User, Watch, jet};

const SOON: Duration = Duration::from_secs(60);
/// How long the service takes for most messages.
const TAKES: Duration = Duration::from_millis(40);
/// How long it takes until it refuses a message.
const UNTIL_REFUSED: Duration = Duration::from_millis(700);
const MESSAGES: usize = 30;
/// Every one of so many is refused at first.
const REFUSED: usize = 10;

fn nanos(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap()
}

/// Takes one message after the other and works on it. Gives, for each, between what the time lies from its last delivery to its
/// acknowledgement: it was delivered after it was asked for and before it came, and the acknowledgement arrived after it was
/// sent and before it was confirmed.
async fn work(consumer: &consumer::PullConsumer) -> Vec<(i64, i64)> {
    let mut took = Vec::new();
    while took.len() < MESSAGES {
        let asked = Instant::now();
        let message = jet::fetch(consumer, 1).await.remove(0);
        let came = Instant::now();
        let info = message.info().unwrap();
        if (info.stream_sequence as usize).is_multiple_of(REFUSED) && info.delivered == 1 {
            tokio::time::sleep(UNTIL_REFUSED).await;
            message.ack_with(AckKind::Nak(None)).await.unwrap();
            continue;
        }
        tokio::time::sleep(TAKES).await;
        let least = came.elapsed();
        message.double_ack().await.unwrap();
        took.push((nanos(least), nanos(asked.elapsed())));
    }
    took
}

fn median(of: impl Iterator<Item = i64>) -> i64 {
    let mut all: Vec<i64> = of.collect();
    all.sort_unstable();
    all[all.len().div_ceil(2) - 1]
}

fn sampled(told: &Processing, consumer: &str) -> u64 {
    told.get(consumer).map_or(0, headwater::model::histogram::Histogram::count)
}

async fn agrees(broker: &Broker) {
    let client = broker.connect_as("test").await;
    let orders = jet::stream(&client, "ORDERS", &["orders.>"]).await;
    let named = |name: &str, sample: &str| consumer::pull::Config {
        durable_name: Some(name.into()),
        sample_frequency: if sample.is_empty() { 0 } else { sample.parse().unwrap() },
        ..Default::default()
    };
    let billing = jet::pull_with(&orders, named("billing", "100")).await;
    let quiet = jet::pull_with(&orders, named("quiet", "")).await;
    let mut watch = Watch::start(&broker.url());
    let sampling = watch
        .until(SOON, "they are listed", |world| {
            Ok((
                world.consumer("nats/ORDERS/billing")?.sampling,
                world.consumer("nats/ORDERS/quiet")?.sampling,
            ))
        })
        .await;
    assert_eq!(sampling, (Some(100), None));
    jet::publish(&client, "orders.created", MESSAGES).await;
    for message in jet::fetch(&quiet, MESSAGES).await {
        message.double_ack().await.unwrap();
    }
    let took = work(&billing).await;
    watch
        .until(SOON, "each is told", |world| {
            let told = sampled(&world.processing, "nats/ORDERS/billing");
            if told == MESSAGES as u64 { Ok(()) } else { Err(format!("{told} of {MESSAGES}")) }
        })
        .await;
    // Whatever were told twice, or of the other one, would come now.
    let polls = watch.world.clients_polls;
    watch
        .until(SOON, "a few turns more", |world| {
            if world.clients_polls >= polls + 2 { Ok(()) } else { Err(String::new()) }
        })
        .await;
    let world = watch.end().await;
    assert_eq!(sampled(&world.processing, "nats/ORDERS/billing"), MESSAGES as u64);
    assert_eq!(sampled(&world.processing, "nats/ORDERS/quiet"), 0);
    assert!(world.acks.is_empty(), "acknowledgements are not listened to at this level");
    let times = &world.processing["nats/ORDERS/billing"];
    let (least, most) = (median(took.iter().map(|t| t.0)), median(took.iter().map(|t| t.1)));
    let p50 = times.quantile(0.5).unwrap().middle();
    assert!(
        (least - least / 100..=most + most / 100).contains(&p50),
        "heard {p50} ns, and it was between {least} and {most}"
    );
    // From the last delivery: what was refused first would have taken this long from its first one.
    let longest = took.iter().map(|t| t.1).max().unwrap();
    let max = times.max().unwrap();
    assert!(max <= longest, "heard {max} ns, and the longest was {longest}");
    assert_eq!(times.negative(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_service_takes_of_its_own_is_what_it_took() {
    agrees(&Broker::start(Config::jetstream())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_server_samples_as_well() {
    let Some(broker) = Broker::start_old(Config::jetstream()) else { return };
    agrees(&broker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_listen_to_samples_is_told_so_and_all_else_goes_on() {
    let user = User::new("limited", "secret").may_not_subscribe(&["$JS.EVENT.METRIC.>"]);
    let broker = Broker::start(Config::jetstream().user(user));
    let mut watch = Watch::start(&broker.url().replace("nats://", "nats://limited:secret@"));
    let told = watch
        .until(SOON, "it is said", |world| {
            let mut all = world.source.unavailable.iter();
            let missing = all.find(|u| &*u.what == "how long consumers take of their own");
            missing.map(|u| u.why.to_string()).ok_or_else(|| format!("{:?}", world.source))
        })
        .await;
    assert_eq!(told, "permission denied to subscribe to $JS.EVENT.METRIC.CONSUMER.ACK.>");
    assert_eq!(watch.world.source.state, headwater::model::observation::SourceState::Up);
    watch.end().await;
}
