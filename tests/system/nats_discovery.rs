//! What the NATS source finds on a broker, and how soon.

use std::time::Duration;

use async_nats::jetstream::{consumer, stream};
use async_nats::service::ServiceExt;
use futures_util::StreamExt;
use headwater::model::measured::Bounds;
use headwater::model::observation::{AckPolicy, ChannelKind, Delivery, SourceState, Unavailable};
use headwater::model::traffic::TrafficKey;

use crate::support::{Broker, Config, Watch, jet, watch::World};

const SOON: Duration = Duration::from_secs(20);

fn ok(yes: bool, why: impl Into<String>) -> Result<(), String> {
    if yes { Ok(()) } else { Err(why.into()) }
}

#[tokio::test]
async fn finds_streams_consumers_clients_and_services() {
    let broker = Broker::start(Config::jetstream());
    let billing = broker.connect_as("billing-7f9d").await;
    let orders = jet::stream_with(
        &billing,
        stream::Config {
            name: "ORDERS".into(),
            subjects: vec!["orders.>".into()],
            description: Some("all orders".into()),
            metadata: [("owner".to_owned(), "orders".to_owned())].into(),
            max_age: Duration::from_secs(3600),
            ..Default::default()
        },
    )
    .await;
    let pull = jet::pull(&orders, "billing").await;
    jet::push(&orders, "audit", "audit.in").await;
    jet::stream_with(
        &billing,
        stream::Config {
            name: "COPY".into(),
            mirror: Some(stream::Source { name: "ORDERS".into(), ..Default::default() }),
            ..Default::default()
        },
    )
    .await;
    // A bucket is a stream with a name and subjects by convention.
    jet::stream(&billing, "KV_cart", &["$KV.cart.>"]).await;
    let mut listening = billing.queue_subscribe("stock.*", "billing".into()).await.unwrap();
    let service = billing.service_builder().description("bills").start("billing-api", "1.2.0").await.unwrap();
    let mut endpoint = service.endpoint("billing.invoice.get").await.unwrap();
    billing.flush().await.unwrap();
    jet::publish(&billing, "orders.created", 10).await;
    for message in jet::fetch(&pull, 4).await.iter().take(3) {
        message.double_ack().await.unwrap();
    }

    let mut watch = Watch::start(&broker.url());
    watch
        .until(SOON, "the first picture is complete", |world| {
            let one = world.consumer("nats/ORDERS/billing")?;
            assert_eq!((&one.lag, &one.in_flight), (&Bounds::Exact(6), &Bounds::Exact(1)));
            assert_eq!((one.durable, one.ack, &one.delivery), (true, AckPolicy::Explicit, &Delivery::Pull));
            assert_eq!(one.delivered.unwrap().channel_seq, 4);
            assert_eq!(one.floor.unwrap().channel_seq, 3);
            let push = world.consumer("nats/ORDERS/audit")?;
            let expected = Delivery::Push { subject: "audit.in".into(), queue: None, bound: Some(false) };
            assert_eq!(push.delivery, expected);
            let client = world.client("billing-7f9d")?;
            assert_eq!(client.libraries[0].lang.as_ref(), "rust");
            let subjects: Vec<_> = client.subscriptions.iter().map(|one| one.subject.to_string()).collect();
            assert!(subjects.contains(&"stock.*".to_owned()), "{subjects:?}");
            assert!(!subjects.iter().any(|subject| subject.starts_with("_INBOX")), "{subjects:?}");
            let responders = world.responders.as_ref().ok_or("no responders yet")?;
            let one = responders.first().ok_or("no responder")?;
            assert_eq!((one.name.as_ref(), one.instances), ("billing-api", 1));
            assert_eq!(one.description.as_deref(), Some("bills"));
            assert_eq!(one.endpoints[0].subject.as_ref(), "billing.invoice.get");
            Ok(())
        })
        .await;
    let world = &watch.world;
    assert!(world.first_consumers_after.unwrap() < Duration::from_secs(10));
    assert_eq!(world.source.state, SourceState::Up, "{:?}", world.source);
    assert_eq!(world.source.server_version.as_deref(), Some("2.15.1"));
    assert!(world.source.clock.is_some() && world.source.rtt.is_some());
    assert!(world.clients.iter().any(|one| one.own && one.name.as_deref() == Some("headwater")));
    let orders = &world.channels["ORDERS"];
    assert_eq!((orders.last_seq, orders.messages, orders.consumers), (Some(10), Some(10), Some(2)));
    assert_eq!(orders.description.as_deref(), Some("all orders"));
    assert_eq!(orders.metadata.len(), 1, "the broker's own metadata is left out: {:?}", orders.metadata);
    assert_eq!(orders.retention.max_age, Some(Duration::from_secs(3600)));
    assert_eq!(world.channels["KV_cart"].kind, ChannelKind::KeyValue);
    let copy = &world.channels["COPY"];
    assert_eq!((copy.fed_by[0].channel.as_str(), copy.fed_by[0].how.as_ref()), ("nats/ORDERS", "mirror"));

    // Live rates without listening to anything.
    let asking = tokio::spawn(async move {
        while let Some(request) = endpoint.next().await {
            request.respond(Ok("here".into())).await.unwrap();
        }
    });
    let other = broker.connect_as("gateway").await;
    for _ in 0..7 {
        other.publish("stock.reserved", "{}".into()).await.unwrap();
        other.request("billing.invoice.get", "1".into()).await.unwrap();
    }
    for _ in 0..7 {
        listening.next().await.unwrap();
    }
    watch
        .until(SOON, "the counters have moved as far as the messages", |world| {
            let delivered = TrafficKey::Delivered {
                client: Some("billing-7f9d".into()),
                subject: "stock.*".into(),
                queue: Some("billing".into()),
            };
            let answered = TrafficKey::Answered {
                responder: "billing-api".into(),
                subject: "billing.invoice.get".into(),
            };
            let published = TrafficKey::Published { client: Some("gateway".into()) };
            let counted = [world.counted(&delivered), world.counted(&answered), world.counted(&published)];
            // The gateway connected while we watched: all that it ever sent counts.
            ok(counted == [7, 7, 14], format!("{counted:?}"))?;
            ok(world.counts[&answered].busy_ns > 0, "no time spent")
        })
        .await;
    for (key, count) in &watch.world.every_count {
        assert!(count.span.to > count.span.from, "{key:?} covers no time: {count:?}");
    }
    asking.abort();
    let world = watch.end().await;
    assert!(world.source.load.requests > 0);
}

#[tokio::test]
async fn lists_of_several_pages_are_read_to_the_end() {
    let broker = Broker::start(Config::jetstream());
    let client = broker.connect().await;
    let orders = jet::stream(&client, "ORDERS", &["orders.>"]).await;
    for number in 0..300 {
        let config = consumer::pull::Config {
            durable_name: Some(format!("c{number:03}")),
            memory_storage: true,
            ..Default::default()
        };
        orders.create_consumer(config).await.unwrap();
    }
    let mut watch = Watch::start(&broker.url());
    watch
        .until(SOON, "all 300 consumers are there", |world| {
            ok(world.consumers.len() == 300, format!("{} consumers", world.consumers.len()))
        })
        .await;
    orders.delete_consumer("c123").await.unwrap();
    watch
        .until(SOON, "the deleted consumer is gone", |world| {
            ok(world.consumers.len() == 299, format!("{} consumers", world.consumers.len()))
        })
        .await;
}

#[tokio::test]
async fn many_streams_take_turns_within_the_budget() {
    const STREAMS: usize = 130;
    let broker = Broker::start(Config::jetstream());
    let client = broker.connect().await;
    for number in 0..STREAMS {
        let config = stream::Config {
            name: format!("S{number}"),
            subjects: vec![format!("s{number}.>")],
            storage: stream::StorageType::Memory,
            ..Default::default()
        };
        let one = jet::stream_with(&client, config).await;
        let config = consumer::pull::Config {
            durable_name: Some("reader".into()),
            memory_storage: true,
            ..Default::default()
        };
        jet::pull_with(&one, config).await;
    }
    let mut watch = Watch::start(&broker.url());
    let unread = |world: &World| {
        let named = |one: &&Unavailable| one.why.starts_with("not read yet");
        world.source.unavailable.iter().find(named).map(|one| one.what.clone())
    };
    watch
        .until(SOON, "those who were not asked yet are named", |world| {
            let what = unread(world).ok_or("nobody is named")?;
            ok(what.starts_with("consumers of ") && what.ends_with(" streams"), &*what)
        })
        .await;
    watch
        .until(SOON, "every consumer is found", |world| {
            ok(world.consumers.len() == STREAMS, format!("{} consumers", world.consumers.len()))?;
            ok(unread(world).is_none(), "somebody is still named")
        })
        .await;
    // A stream on which something moves comes sooner than the others, which come all the same.
    jet::publish(&client, "s77.x", 3).await;
    watch
        .until(SOON, "the lag and its age are told", |world| {
            let one = world.consumer("nats/S77/reader")?;
            ok(one.lag == Bounds::Exact(3), format!("{:?}", one.lag))?;
            world.backlog.get("nats/S77/reader").map(drop).ok_or_else(|| "no backlog".into())
        })
        .await;
    let stamps = watch.world.consumers.clone();
    watch
        .until(SOON, "every stream has had another turn", |world| {
            let old = world.consumers.iter().filter(|(id, (at, _))| at.mono == stamps[*id].0.mono).count();
            ok(old == 0, format!("{old} not asked again"))
        })
        .await;
    let load = watch.world.source.load;
    let watched = watch.world.consumers.values().map(|(at, _)| at.mono.0).max().unwrap();
    let per_second = load.requests as f64 / (watched as f64 / 1e9);
    assert!(per_second <= f64::from(load.budget_per_s), "{per_second} requests a second: {load:?}");
    watch.end().await;
}

#[tokio::test]
async fn jetstream_of_a_domain_is_asked_by_its_own_prefix() {
    let store = tempfile::tempdir().unwrap();
    let jetstream = format!("jetstream {{ store_dir: \"{}\", domain: hub }}", store.path().display());
    let broker = Broker::start(Config::core().raw(&jetstream));
    let client = broker.connect().await;
    let orders = jet::stream(&client, "ORDERS", &["orders.>"]).await;
    jet::pull(&orders, "billing").await;
    jet::publish(&client, "orders.created", 2).await;
    let mut options =
        headwater::source::nats::options::NatsOptions::new("nats".into(), &broker.url()).unwrap();
    options.set_js_domain("hub");
    let mut watch = Watch::with(options);
    watch
        .until(SOON, "streams of the domain", |world| {
            ok(world.consumer("nats/ORDERS/billing")?.lag == Bounds::Exact(2), "lag")?;
            world.backlog.get("nats/ORDERS/billing").map(drop).ok_or_else(|| "no backlog".into())
        })
        .await;
    assert_eq!(watch.world.source.notes.get("JetStream domain").map(|name| &**name), Some("hub"));
    watch.end().await;
}

#[tokio::test]
async fn the_old_server_tells_connections_and_services() {
    let Some(broker) = Broker::start_old(Config::jetstream()) else { return };
    let billing = broker.connect_as("billing-7f9d").await;
    let mut listening = billing.queue_subscribe("stock.*", "billing".into()).await.unwrap();
    let service = billing.service_builder().start("billing-api", "1.2.0").await.unwrap();
    let _endpoint = service.endpoint("billing.invoice.get").await.unwrap();
    billing.flush().await.unwrap();
    let mut watch = Watch::start(&broker.url());
    watch
        .until(SOON, "clients and services are there", |world| {
            world.client("billing-7f9d")?;
            ok(world.responders.as_ref().is_some_and(|all| all.len() == 1), "no responder")
        })
        .await;
    for _ in 0..4 {
        billing.publish("stock.reserved", "{}".into()).await.unwrap();
        listening.next().await.unwrap();
    }
    watch
        .until(SOON, "what was delivered counts", |world| {
            let key = TrafficKey::Delivered {
                client: Some("billing-7f9d".into()),
                subject: "stock.*".into(),
                queue: Some("billing".into()),
            };
            ok(world.counted(&key) == 4, format!("{}", world.counted(&key)))
        })
        .await;
    // This server's lists carry no time; the clock is known from the connections.
    assert!(watch.world.source.clock.is_some());
    assert_eq!(watch.world.source.state, SourceState::Up, "{:?}", watch.world.source);
    watch.end().await;
}
