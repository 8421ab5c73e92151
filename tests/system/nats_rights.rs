//! What a user may not read is said, part by part; what grants it is said too; and monitoring endpoints stand in.

use std::time::Duration;

use headwater::model::id::SourceId;
use headwater::model::measured::Bounds;
use headwater::model::observation::SourceState;
use headwater::source::nats::options::NatsOptions;
use headwater::source::nats::permissions::{Outcome, Way, examine};

use crate::support::{Broker, Config, User, Watch, headwater as program, jet, watch::World};

const SOON: Duration = Duration::from_secs(30);

fn ok(yes: bool, why: impl Into<String>) -> Result<(), String> {
    if yes { Ok(()) } else { Err(why.into()) }
}

fn as_user(broker: &Broker, user: &str) -> NatsOptions {
    let url = broker.url().replace("nats://", &format!("nats://{user}:secret@"));
    NatsOptions::new(SourceId::from("nats"), &url).unwrap()
}

/// A stream with ten messages, of which `billing` has three in flight and seven to come.
async fn orders(broker: &Broker) {
    let client = broker.connect_as("billing").await;
    let stream = jet::stream(&client, "ORDERS", &["orders.>"]).await;
    let billing = jet::pull(&stream, "billing").await;
    jet::publish(&client, "orders.created", 10).await;
    assert_eq!(jet::fetch(&billing, 3).await.len(), 3);
}

fn why(world: &World, what: &str) -> Option<String> {
    world.source.unavailable.iter().find(|one| &*one.what == what).map(|one| one.why.to_string())
}

#[tokio::test]
async fn every_refusal_is_named_at_once() {
    let broker = Broker::start(
        Config::jetstream()
            .user(User::new("app", "secret"))
            .user(User::new("nobody", "secret").may_publish(&["nothing"]).may_subscribe(&["_INBOX.>"]))
            .user(
                User::new("half", "secret")
                    .may_publish(&["$JS.API.STREAM.LIST", "$JS.API.CONSUMER.LIST.*"])
                    .may_subscribe(&["_INBOX.>"]),
            )
            .user(User::new("deaf", "secret").may_subscribe(&["mine.>"])),
    );
    orders(&broker).await;

    let mut watch = Watch::with(as_user(&broker, "nobody"));
    watch
        .until(SOON, "each part that is refused is named", |world| {
            let streams = why(world, "streams and consumers").ok_or("streams")?;
            assert_eq!(streams, "permission denied for $JS.API.STREAM.LIST");
            let connections = why(world, "connections").ok_or("connections")?;
            assert_eq!(connections, "permission denied for $SYS.REQ.ACCOUNT.PING.CONNZ");
            let requests = why(world, "request statistics").ok_or("request statistics")?;
            assert_eq!(requests, "permission denied for $SRV.STATS");
            let told = why(world, "what JetStream tells by itself").ok_or("advisories")?;
            assert!(told.starts_with("permission denied to subscribe to $JS.EVENT.ADVISORY."), "{told}");
            ok(world.source.state == SourceState::Degraded, format!("{:?}", world.source.state))
        })
        .await;
    assert!(watch.world.channels.is_empty() && watch.world.responders.is_none());
    assert!(!format!("{:?}", watch.world.sources).contains("secret"), "a password was shown");
    // Refused is not asked again and again: four questions and the one about ourselves.
    assert!(watch.world.source.load.requests <= 5, "{:?}", watch.world.source.load);
    watch.end().await;

    let mut watch = Watch::with(as_user(&broker, "half"));
    watch
        .until(SOON, "lag is known, staleness lies between the ends of the stream", |world| {
            let one = world.consumer("nats/ORDERS/billing")?;
            assert_eq!((&one.lag, &one.in_flight), (&Bounds::Exact(7), &Bounds::Exact(3)));
            let (_, backlog) = world.backlog.get("nats/ORDERS/billing").ok_or("no backlog")?;
            let channel = &world.channels["ORDERS"];
            // The first message in flight is the first in the stream, whose time is told with the stream.
            ok(backlog.oldest == Bounds::Exact(channel.first_at.unwrap()), format!("{backlog:?}"))
        })
        .await;
    let client = broker.connect_as("billing").await;
    let stream = async_nats::jetstream::new(client).get_stream("ORDERS").await.unwrap();
    let billing: async_nats::jetstream::consumer::PullConsumer =
        stream.get_consumer("billing").await.unwrap();
    for message in jet::fetch(&billing, 2).await {
        message.double_ack().await.unwrap();
    }
    jet::pull(&stream, "late").await;
    let late: async_nats::jetstream::consumer::PullConsumer = stream.get_consumer("late").await.unwrap();
    for message in jet::fetch(&late, 4).await {
        message.double_ack().await.unwrap();
    }
    watch
        .until(SOON, "a message that may not be read leaves bounds", |world| {
            let (_, backlog) = world.backlog.get("nats/ORDERS/late").ok_or("no backlog")?;
            let channel = &world.channels["ORDERS"];
            let (lo, hi) = (channel.first_at.unwrap(), channel.last_at.unwrap());
            ok(backlog.oldest == Bounds::Between { lo, hi }, format!("{backlog:?}"))?;
            let refused = why(world, "staleness on ORDERS").ok_or("not named")?;
            assert_eq!(refused, "permission denied for $JS.API.STREAM.MSG.GET.ORDERS");
            Ok(())
        })
        .await;
    watch.end().await;

    let mut watch = Watch::with(as_user(&broker, "deaf"));
    watch
        .until(SOON, "who cannot hear is told so", |world| {
            let streams = why(world, "streams and consumers").ok_or("streams")?;
            let denied = "permission denied to subscribe to _INBOX.";
            ok(streams.starts_with(denied) && streams.ends_with("so that no answer can be received"), streams)
        })
        .await;
    watch.end().await;
}

#[tokio::test]
async fn a_denied_subscription_is_never_told_as_readable() {
    let broker =
        Broker::start(Config::jetstream().user(User::new("deaf", "secret").may_subscribe(&["mine.>"])));
    // Denials come on their own, and nothing is answered that they could be waited for with: it must not be a race.
    for _ in 0..20 {
        let rights = examine(&as_user(&broker, "deaf")).await.unwrap().rights;
        let listens: Vec<_> = rights.iter().filter(|right| right.way == Way::Subscribe).collect();
        assert!(listens.len() > 1);
        assert!(listens.iter().all(|right| matches!(right.outcome, Outcome::Denied(_))), "{listens:#?}");
    }
}

#[tokio::test]
async fn what_every_stream_denies_is_said_once() {
    let broker = Broker::start(
        Config::jetstream()
            .user(User::new("app", "secret"))
            .user(User::new("narrow", "secret").may_not_publish(&["$JS.API.CONSUMER.LIST.>"]))
            .user(User::new("blind", "secret").may_not_publish(&["$JS.API.STREAM.LIST"])),
    );
    let client = broker.connect().await;
    for name in ["A", "B", "C", "D"] {
        let stream = jet::stream(&client, name, &[&format!("{}.>", name.to_lowercase())]).await;
        jet::pull(&stream, "reader").await;
    }
    let mut watch = Watch::with(as_user(&broker, "narrow"));
    watch
        .until(SOON, "it is said", |world| {
            let told: Vec<_> = world.source.unavailable.iter().collect();
            let [one] = told.as_slice() else { return Err(format!("{told:?}")) };
            ok(&*one.what == "consumers of A, B, C and 1 more", &*one.what)?;
            ok(&*one.why == "permission denied for $JS.API.CONSUMER.LIST.*", &*one.why)?;
            ok(one.remedy.starts_with("allow this user to publish to $JS.API.CONSUMER.LIST.*;"), &*one.remedy)
        })
        .await;
    watch.end().await;

    // Behind the first closed door is a second one.
    let mut watch = Watch::with(as_user(&broker, "blind"));
    watch
        .until(SOON, "both rights are named", |world| {
            let told = world.source.unavailable.first().ok_or("nothing is missing")?;
            let both = "$JS.API.STREAM.LIST, and for consumers to $JS.API.CONSUMER.LIST.*;";
            ok(told.remedy.contains(both), &*told.remedy)
        })
        .await;
    watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_of_whom_nobody_lets_in_says_only_that() {
    let broker = Broker::start(Config::jetstream().user(User::new("app", "right")));
    let ended = program::ended(["doctor", "--nats", &broker.url_as("app", "hunter2")]).await;
    assert_eq!((ended.code, &*ended.out), (Some(3), ""));
    let told = format!("headwater: {}: refused user 'app': authorization violation\n", broker.url());
    assert_eq!(ended.err, told);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_snippet_for_whom_a_deny_binds_says_that_it_wins() {
    let broker = Broker::start(
        Config::jetstream()
            .user(User::new("app", "secret"))
            .user(User::new("nobody", "secret").may_not_publish(&[">"])),
    );
    let url = broker.url_as("nobody", "secret");
    let (doctor, once) = tokio::join!(
        program::ended(["doctor", "--nats", &url]),
        program::ended(["once", "--for", "1s", "--nats", &url])
    );
    assert_eq!(doctor.code, Some(3), "{}", doctor.out);
    assert_eq!(
        doctor.err,
        format!(
            "headwater: {}: none of what is asked is authorised (the list says what, and how to grant it)\n",
            broker.url()
        )
    );
    assert!(doctor.out.contains("    \"$JS.API.STREAM.LIST\"\n"), "{}", doctor.out);
    let wins = "# A \"deny\" of this user that covers one of these wins over \"allow\"";
    assert!(doctor.out.contains(wins), "{}", doctor.out);
    assert_eq!(once.code, Some(3), "{}", once.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_refused_is_known_to_be_not_whole_until_monitoring_tells_it() {
    let broker = Broker::start(
        Config::jetstream()
            .user(User::new("app", "secret"))
            .user(User::new("narrow", "secret").may_not_publish(&["$JS.API.STREAM.LIST", "$SRV.>"])),
    );
    orders(&broker).await;
    let lacks = |world: &World| {
        let partial = world.source.partial;
        (partial.channels, partial.clients, partial.responders)
    };
    let mut watch = Watch::with(as_user(&broker, "app"));
    watch
        .until(SOON, "everything is listed", |world| {
            ok(
                !world.channels.is_empty() && lacks(world) == (false, false, false),
                format!("{:?}", world.source),
            )
        })
        .await;
    watch.end().await;
    let mut options = as_user(&broker, "narrow");
    let mut watch = Watch::with(options.clone());
    watch
        .until(SOON, "two lists lack", |world| {
            ok(lacks(world) == (true, false, true), format!("{:?}", world.source))
        })
        .await;
    watch.end().await;
    options.monitors = vec![broker.monitor_url()];
    let mut watch = Watch::with(options);
    watch
        .until(SOON, "monitoring tells the streams", |world| {
            ok(
                !world.channels.is_empty() && lacks(world) == (false, false, true),
                format!("{:?}", world.source),
            )
        })
        .await;
    watch.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jetstream_domain_that_is_not_there_is_no_jetstream_that_is_not_in_use() {
    let broker = Broker::start(Config::jetstream());
    let mut options = NatsOptions::new(SourceId::from("nats"), &broker.url()).unwrap();
    options.set_js_domain("nope");
    let mut watch = Watch::with(options.clone());
    watch
        .until(SOON, "the domain is named", |world| {
            let told = why(world, "streams and consumers").ok_or("nothing is missing")?;
            ok(
                told == "nobody answers $JS.nope.API: no such JetStream domain is reached from here"
                    && world.source.state == SourceState::Degraded
                    && world.source.partial.channels,
                told,
            )
        })
        .await;
    watch.end().await;
    let found = examine(&options).await.unwrap();
    let list = found.rights.iter().find(|right| right.subject == "$JS.nope.API.STREAM.LIST").unwrap();
    assert_eq!(list.outcome, Outcome::NoAnswer("nobody answers $JS.nope.API.STREAM.LIST".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_is_content_with_a_part() {
    let part = User::new("part", "secret").may_not_publish(&["$JS.>"]);
    let broker = Broker::start(Config::jetstream().user(User::new("app", "secret")).user(part));
    let narrow = format!("narrow={}", broker.url_as("part", "secret"));
    let refused = format!("refused={}", broker.url_as("app", "wrong"));
    let ended = program::ended(["doctor", "--nats", &narrow, "--nats", &refused]).await;
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    let refusal = format!("{}: refused user 'app': authorization violation", broker.url());
    assert!(ended.out.contains(&refusal), "{}", ended.out);
}

#[tokio::test]
async fn the_snippet_of_the_doctor_grants_everything() {
    let refused = Broker::start(
        Config::jetstream()
            .user(User::new("app", "secret"))
            .user(User::new("watcher", "secret").may_publish(&["nothing"]).may_subscribe(&["mine.>"])),
    );
    orders(&refused).await;
    let mut options = as_user(&refused, "watcher");
    options.inbox_prefix = Some("_INBOX_watcher".into());
    let found = examine(&options).await.unwrap();
    let inbox = found.rights.iter().find(|right| right.subject == "_INBOX_watcher.>").unwrap();
    assert!(matches!(inbox.outcome, Outcome::Denied(_)) && inbox.needed && inbox.way == Way::Subscribe);
    let all = found.snippet(true).unwrap();
    assert!(all.contains("\"$JS.API.CONSUMER.LIST.*\""), "{all}");

    // The very lines, in a server's configuration.
    let accounts = format!(
        "accounts {{ APP {{ jetstream: enabled, users: [ {{ user: app, password: secret }}, \
         {{ user: watcher, password: secret, {all} }} ] }} }}"
    );
    let granted = Broker::start(Config::jetstream().raw(&accounts));
    let app = async_nats::ConnectOptions::with_user_and_password("app".into(), "secret".into());
    let client = granted.connect_with(app).await;
    let stream = jet::stream(&client, "ORDERS", &["orders.>"]).await;
    jet::pull(&stream, "billing").await;
    jet::publish(&client, "orders.created", 1).await;
    let mut options = as_user(&granted, "watcher");
    options.inbox_prefix = Some("_INBOX_watcher".into());
    let found = examine(&options).await.unwrap();
    assert_eq!((found.user.as_deref(), found.account.as_deref()), (Some("watcher"), Some("APP")));
    for right in &found.rights {
        assert!(
            matches!(right.outcome, Outcome::Readable | Outcome::NotInUse(_)),
            "{} is {:?}",
            right.subject,
            right.outcome
        );
    }
    assert_eq!(found.snippet(false), None);
    let mut watch = Watch::with(options);
    watch
        .until(SOON, "with these rights everything is seen", |world| {
            world.consumer("nats/ORDERS/billing")?;
            world.client("test").or_else(|_| world.client("headwater"))?;
            world.backlog.get("nats/ORDERS/billing").ok_or("no backlog")?;
            ok(world.source.state == SourceState::Up, format!("{:?}", world.source))
        })
        .await;
    watch.end().await;
}

#[tokio::test]
async fn a_broker_without_jetstream_is_up() {
    let broker = Broker::start(Config::core());
    let _client = broker.connect_as("gateway").await;
    let mut watch = Watch::start(&broker.url());
    watch
        .until(SOON, "core NATS is watched", |world| {
            world.client("gateway")?;
            let streams = why(world, "streams and consumers").ok_or("streams")?;
            assert_eq!(streams, "JetStream is not enabled here");
            ok(world.source.state == SourceState::Up, format!("{:?}", world.source.state))
        })
        .await;
    watch.end().await;
}

#[tokio::test]
async fn monitoring_alone_shows_the_picture() {
    let broker = Broker::start(Config::jetstream());
    orders(&broker).await;
    let client = broker.connect_as("gateway").await;
    let mut listening = client.subscribe("stock.*").await.unwrap();
    client.flush().await.unwrap();
    let mut options = NatsOptions::new(SourceId::from("nats"), &broker.url()).unwrap();
    options.servers = Vec::new();
    options.monitors = vec![broker.monitor_url()];
    let mut watch = Watch::with(options);
    watch
        .until(SOON, "the picture is there without a connection", |world| {
            let one = world.consumer("nats/ORDERS/billing")?;
            assert_eq!((&one.lag, &one.in_flight), (&Bounds::Exact(7), &Bounds::Exact(3)));
            world.backlog.get("nats/ORDERS/billing").ok_or("no backlog")?;
            world.client("gateway")?;
            ok(world.source.state == SourceState::Up, format!("{:?}", world.source))
        })
        .await;
    assert_eq!(watch.world.source.server_version.as_deref(), Some("2.15.1"));
    assert_eq!(watch.world.channels["ORDERS"].last_seq, Some(10));
    for _ in 0..5 {
        client.publish("stock.reserved", "{}".into()).await.unwrap();
    }
    for _ in 0..5 {
        use futures_util::StreamExt;
        listening.next().await.unwrap();
    }
    watch
        .until(SOON, "its counters are followed too", |world| {
            let key = headwater::model::traffic::TrafficKey::Delivered {
                client: Some("gateway".into()),
                subject: "stock.*".into(),
                queue: None,
            };
            ok(world.counted(&key) == 5, format!("{}", world.counted(&key)))
        })
        .await;
    assert!(!watch.world.clients.iter().any(|one| one.name.as_deref() == Some("headwater")));
    watch.end().await;
}

#[tokio::test]
async fn monitoring_fills_what_the_connection_may_not_read() {
    let broker = Broker::start(
        Config::jetstream().user(User::new("app", "secret")).user(
            User::new("half", "secret")
                .may_publish(&["$SRV.*", "$SYS.REQ.USER.INFO"])
                .may_subscribe(&["_INBOX.>", "$JS.EVENT.>"]),
        ),
    );
    orders(&broker).await;
    let mut options = as_user(&broker, "half");
    options.monitors = vec![broker.monitor_url()];
    let mut watch = Watch::with(options);
    watch
        .until(SOON, "what is refused comes by monitoring", |world| {
            world.consumer("nats/ORDERS/billing")?;
            let own = world.clients.iter().find(|one| one.own).ok_or("not ourselves")?;
            assert_eq!(own.user.as_deref(), Some("half"));
            ok(world.source.state == SourceState::Degraded, format!("{:?}", world.source))
        })
        .await;
    watch.end().await;
}
