//! Promise 1, and what happens when servers die, restart and change their leaders.

use std::time::Duration;

use async_nats::jetstream::{consumer, stream};
use futures_util::StreamExt;
use headwater::model::command::{Command, ProbeLevel};
use headwater::model::measured::Bounds;
use headwater::model::observation::{NoticeKind, SourceState};
use headwater::model::tap::TapState;
use headwater::source::nats::options::NatsOptions;
use serde_json::{Value, json};

use crate::support::{Broker, Cluster, Config, Watch, headwater as program, jet, wait_until};

const SOON: Duration = Duration::from_secs(60);

fn ok(yes: bool, why: impl Into<String>) -> Result<(), String> {
    if yes { Ok(()) } else { Err(why.into()) }
}

/// Everything the broker says of a stream and its consumers, but for what is the time of asking itself.
async fn state(client: &async_nats::Client, streams: &[&str]) -> Value {
    let mut all = Vec::new();
    for stream in streams {
        let mut info = jet::stream_info(client, stream).await;
        info.as_object_mut().unwrap().remove("ts");
        let mut list =
            jet::request(client, &format!("$JS.API.CONSUMER.LIST.{stream}"), &json!({ "offset": 0 })).await;
        for one in list["consumers"].as_array_mut().unwrap() {
            one.as_object_mut().unwrap().remove("ts");
        }
        all.push(json!([info, list]));
    }
    Value::Array(all)
}

#[tokio::test]
async fn watching_changes_nothing() {
    unharmed_at(ProbeLevel::Passive, &[]).await;
}

#[tokio::test]
async fn listening_to_acknowledgements_changes_nothing() {
    unharmed_at(ProbeLevel::Acks, &["$JS.ACK.>"]).await;
}

#[tokio::test]
async fn listening_to_the_messages_of_streams_changes_nothing() {
    unharmed_at(ProbeLevel::Tap, &["$JS.ACK.>", "jobs.>", "orders.>"]).await;
}

/// Promises 1 and 2 at a probe level that listens to `more` than the passive one.
async fn unharmed_at(probe: ProbeLevel, more: &[&str]) {
    let broker = Broker::start(Config::jetstream());
    let client = broker.connect_as("test").await;
    let orders = jet::stream(&client, "ORDERS", &["orders.>"]).await;
    let once = |name: &str| consumer::pull::Config {
        durable_name: Some(name.into()),
        max_deliver: 1,
        ack_wait: Duration::from_secs(30),
        ..Default::default()
    };
    // In flight with one delivery only; lagging; with nobody who asks; ephemeral.
    let in_flight = jet::pull_with(&orders, once("in-flight")).await;
    let dead = jet::pull_with(&orders, once("dead-puller")).await;
    jet::pull(&orders, "lagging").await;
    jet::push(&orders, "unbound", "push.unbound").await;
    let ephemeral =
        consumer::pull::Config { inactive_threshold: Duration::from_secs(300), ..Default::default() };
    jet::pull_with(&orders, ephemeral).await;
    let jobs = jet::work_queue(&client, "JOBS", &["jobs.>"]).await;
    jet::pull(&jobs, "worker").await;
    jet::publish(&client, "jobs.a", 3).await;
    jet::publish(&client, "orders.created", 4).await;
    let held = jet::fetch(&in_flight, 2).await;
    assert_eq!(jet::fetch(&dead, 4).await.len(), 4);

    // A puller that waits, and dies while it waits.
    let puller = broker.connect_as("puller").await;
    let pull = "$JS.API.CONSUMER.MSG.NEXT.ORDERS.dead-puller";
    let inbox = puller.new_inbox();
    let waiting = puller.subscribe(inbox.clone()).await.unwrap();
    let body = json!({ "batch": 10, "expires": 60_000_000_000_u64 }).to_string();
    puller.publish_with_reply(pull, inbox, body.into()).await.unwrap();
    puller.flush().await.unwrap();
    wait_until(SOON, "the pull waits", || async {
        jet::consumer_info(&client, "ORDERS", "dead-puller").await["num_waiting"] == 1
    })
    .await;

    let options = NatsOptions::new("nats".into(), &broker.url()).unwrap();
    let mut watch = Watch::with(NatsOptions { probe, ..options });
    watch
        .until(SOON, "it is watched", |world| {
            ok(
                world.clients_polls >= 2 && world.consumers.len() == 6,
                format!("{:?}", world.consumers.keys()),
            )
        })
        .await;
    if probe == ProbeLevel::Tap {
        for channel in ["nats/ORDERS", "nats/JOBS"] {
            watch.commands.send(Command::Tap { channel: channel.into(), on: true }).unwrap();
        }
        watch
            .until(SOON, "both are listened to", |world| {
                let listening = world.taps.values().filter(|tap| tap.state == TapState::Listening);
                ok(listening.count() == 2, format!("{:?}", world.taps))
            })
            .await;
    }
    drop(waiting);
    drop(puller);
    wait_until(SOON, "the dead puller is noticed", || async {
        jet::consumer_info(&client, "ORDERS", "dead-puller").await["num_waiting"] == 0
    })
    .await;
    // Three more, which the dead puller must not burn while we watch.
    jet::publish(&client, "orders.created", 3).await;
    let before = state(&client, &["ORDERS", "JOBS"]).await;
    let requests = watch.world.source.load.requests;
    let polls = watch.world.clients_polls;
    watch
        .until(SOON, "it was watched for some turns more", |world| {
            ok(
                world.clients_polls >= polls + 5 && world.source.load.requests > requests + 10,
                format!("{} polls, {} requests", world.clients_polls, world.source.load.requests),
            )
        })
        .await;
    let info = watch.world.consumer("nats/ORDERS/dead-puller").unwrap();
    assert_eq!((&info.lag, &info.in_flight), (&Bounds::Exact(3), &Bounds::Exact(4)));
    assert_eq!(state(&client, &["ORDERS", "JOBS"]).await, before, "watching has changed the broker");

    // What it listens to, as the broker says: advisories and one inbox.
    let answer = jet::request(
        &client,
        "$SYS.REQ.ACCOUNT.PING.CONNZ",
        &json!({ "subscriptions": true, "subscriptions_detail": true }),
    )
    .await;
    let connections = answer["data"]["connections"].as_array().unwrap();
    let own = connections.iter().find(|one| one["name"] == "headwater").unwrap();
    let mut subjects: Vec<&str> = own["subscriptions_list_detail"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["subject"].as_str().unwrap())
        .collect();
    subjects.sort_unstable();
    let inbox = subjects.remove(subjects.iter().position(|one| one.starts_with("_INBOX.")).unwrap());
    assert!(inbox.ends_with(".*"), "{inbox}");
    let advisories = [
        "$JS.EVENT.ADVISORY.API.LIMIT_REACHED",
        "$JS.EVENT.ADVISORY.CONSUMER.>",
        "$JS.EVENT.ADVISORY.STREAM.>",
        "$JS.EVENT.METRIC.CONSUMER.ACK.>",
    ];
    let mut expected = [more, &advisories].concat();
    expected.sort_unstable();
    assert_eq!(subjects, expected);

    // What nobody serves is refused by the server at once, not after a time-out.
    let error = client.request("nobody.serves.this", "".into()).await.unwrap_err();
    assert_eq!(error.kind(), async_nats::client::RequestErrorKind::NoResponders);
    // The next puller gets what came meanwhile, and each for the first time.
    let got = jet::fetch(&dead, 3).await;
    assert_eq!(got.iter().map(|message| message.info().unwrap().delivered).collect::<Vec<_>>(), [1, 1, 1]);
    watch.end().await;
    drop(held);
}

#[tokio::test]
async fn a_stream_that_captures_requests_is_remarked_and_does_not_mislead() {
    let broker = Broker::start(Config::jetstream());
    let client = broker.connect().await;
    jet::stream(&client, "ORDERS", &["orders.>"]).await;
    // Acknowledges every request as if it were data, before the real answer comes.
    let all = json!({ "name": "SRV", "subjects": ["$SRV.>"], "storage": "memory", "retention": "limits" });
    let answer = jet::request(&client, "$JS.API.STREAM.CREATE.SRV", &all).await;
    assert!(answer.get("error").is_none(), "{answer}");
    let mut watch = Watch::start(&broker.url());
    watch
        .until(SOON, "it is said", |world| {
            let remark = world.source.remarks.first().ok_or("no remark")?;
            assert_eq!(
                &**remark,
                "stream SRV captures $SRV.>: it stores everybody's requests to the broker, those of Headwater too"
            );
            ok(world.channels.len() == 2, "streams")
        })
        .await;
    watch.end().await;
    let document = program::look(broker.url(), &["--for", "1s"]).await;
    let said = document["sources"][0]["remarks"][0].as_str().unwrap();
    assert!(said.starts_with("stream SRV captures $SRV.>"), "{said}");
}

#[tokio::test]
async fn a_server_that_dies_and_comes_back() {
    let mut broker = Broker::start(Config::jetstream());
    let client = broker.connect_as("billing").await;
    let orders = jet::stream(&client, "ORDERS", &["orders.>"]).await;
    let billing = jet::pull(&orders, "billing").await;
    let mut listening = client.subscribe("stock.*").await.unwrap();
    jet::publish(&client, "orders.created", 10).await;
    assert_eq!(jet::fetch(&billing, 4).await.len(), 4);
    for _ in 0..1000 {
        client.publish("stock.reserved", "{}".into()).await.unwrap();
    }
    for _ in 0..1000 {
        listening.next().await.unwrap();
    }

    let mut watch = Watch::start(&broker.url());
    watch
        .until(SOON, "it is watched", |world| {
            world.client("billing")?;
            world.consumer("nats/ORDERS/billing").map(drop)
        })
        .await;
    broker.kill();
    watch
        .until(SOON, "the loss is told", |world| {
            ok(world.source.state == SourceState::Down, format!("{:?}", world.source.state))?;
            let why = world.source.error.as_deref();
            ok(why == Some("connection refused"), format!("{why:?}"))
        })
        .await;
    // Nothing is said to be gone because nobody answers.
    assert!(watch.world.consumers.contains_key("nats/ORDERS/billing"));
    assert!(watch.world.channels.contains_key("ORDERS"));
    broker.restart();
    let polls = watch.world.clients_polls;
    watch
        .until(SOON, "everything is right again", |world| {
            ok(world.source.state == SourceState::Up, format!("{:?}", world.source.state))?;
            ok(world.source.error.is_none(), "still an error")?;
            let one = world.consumer("nats/ORDERS/billing")?;
            ok((&one.lag, &one.in_flight) == (&Bounds::Exact(6), &Bounds::Exact(4)), format!("{one:?}"))?;
            ok(world.clients_polls > polls + 2, "too few polls")
        })
        .await;
    // The thousand messages from before are counted nowhere: no delta across the restart, no spike.
    for (key, count) in &watch.world.every_count {
        assert!(count.messages < 100, "{key:?}: {count:?}");
    }
    watch.end().await;
}

#[tokio::test]
async fn the_first_connection_may_come_late() {
    let mut broker = Broker::start(Config::jetstream());
    let url = broker.url();
    broker.kill();
    let mut watch = Watch::start(&url);
    watch
        .until(SOON, "the failure is told while it tries", |world| {
            ok(world.source.state == SourceState::Connecting, format!("{:?}", world.source.state))?;
            let error = world.source.error.as_deref().ok_or("no error yet")?;
            ok(error.contains(&url) && !error.contains('\n'), error)
        })
        .await;
    broker.restart();
    watch
        .until(SOON, "it connects by itself", |world| {
            ok(world.source.state == SourceState::Up && world.source.error.is_none(), "not up")
        })
        .await;
    watch.end().await;
}

#[tokio::test]
async fn a_cluster_and_a_change_of_leader() {
    let cluster = Cluster::start(&Config::jetstream());
    let client = cluster.nodes[0].connect_as("billing").await;
    let everywhere = cluster.nodes[1].connect_as("gateway").await;
    everywhere.flush().await.unwrap();
    let config = stream::Config {
        name: "ORDERS".into(),
        subjects: vec!["orders.>".into()],
        num_replicas: 3,
        ..Default::default()
    };
    let orders = jet::stream_with(&client, config).await;
    let billing = jet::pull(&orders, "billing").await;
    jet::publish(&client, "orders.created", 10).await;
    // What the stream has stored the consumer's leader may see a moment later.
    wait_until(SOON, "the consumer sees them", || async {
        jet::consumer_info(&client, "ORDERS", "billing").await["num_pending"] == 10
    })
    .await;
    assert_eq!(jet::fetch(&billing, 4).await.len(), 4);

    let mut watch = Watch::start(&cluster.urls().join(","));
    let leader = watch
        .until(SOON, "connections of all servers, and the stream's leader", |world| {
            world.client("billing")?;
            world.client("gateway")?;
            ok(world.clients_complete, "a server is missing")?;
            let one = world.consumer("nats/ORDERS/billing")?;
            ok((&one.lag, &one.in_flight) == (&Bounds::Exact(6), &Bounds::Exact(4)), format!("{one:?}"))?;
            let (_, backlog) = world.backlog.get("nats/ORDERS/billing").ok_or("no backlog")?;
            let leader = world.channels["ORDERS"].leader.clone().ok_or("no leader")?;
            ok(backlog.stamped_by.as_ref() == Some(&leader), format!("{backlog:?}"))?;
            Ok(leader)
        })
        .await;
    assert_eq!(watch.world.source.cluster.as_deref(), Some("test"));
    assert_eq!(watch.world.channels["ORDERS"].replicas, Some(3));
    let clocks = watch.world.source.notes.keys().filter(|key| key.starts_with("clock of n")).count();
    assert_eq!(clocks, 3, "{:?}", watch.world.source.notes);

    jet::request(&client, "$JS.API.STREAM.LEADER.STEPDOWN.ORDERS", &Value::Null).await;
    watch
        .until(SOON, "another server leads, and the numbers are the same", |world| {
            let now = world.channels["ORDERS"].leader.clone().ok_or("no leader")?;
            ok(now != leader, "still the old leader")?;
            ok(!world.told(NoticeKind::Leader).is_empty(), "no notice")?;
            let one = world.consumer("nats/ORDERS/billing")?;
            ok((&one.lag, &one.in_flight) == (&Bounds::Exact(6), &Bounds::Exact(4)), format!("{one:?}"))?;
            let (_, backlog) = world.backlog.get("nats/ORDERS/billing").ok_or("no backlog")?;
            ok(backlog.stamped_by == Some(now), format!("{backlog:?}"))
        })
        .await;
    watch.end().await;
}

#[tokio::test]
async fn a_server_that_hangs_is_told_before_the_connection_breaks() {
    let broker = Broker::start(Config::jetstream());
    let client = broker.connect().await;
    for name in ["A", "B", "C"] {
        let one = jet::stream(&client, name, &[&format!("{name}.>")]).await;
        jet::pull(&one, "reader").await;
    }
    let mut watch = Watch::start(&broker.url());
    watch
        .until(SOON, "it is watched", |world| {
            ok(world.consumers.len() == 3, format!("{:?}", world.consumers.keys()))
        })
        .await;
    broker.freeze();
    watch
        .until(SOON, "it is told", |world| {
            ok(world.source.state == SourceState::Degraded, format!("{:?}", world.source.state))?;
            let one = world.source.unavailable.iter().find(|one| &*one.what == "streams and consumers");
            let why = one.map(|one| one.why.to_string()).ok_or("nothing is unavailable")?;
            ok(why == "no answer from $JS.API.STREAM.LIST in 4 s", why)
        })
        .await;
    assert_eq!(watch.world.consumers.len(), 3, "nothing is said to be gone");
    broker.thaw();
    watch
        .until(SOON, "it is right again", |world| {
            ok(world.source.state == SourceState::Up, format!("{:?}", world.source))
        })
        .await;
    watch.end().await;
}
