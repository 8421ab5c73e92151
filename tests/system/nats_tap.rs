//! The probe level `tap`: what is heard, and that it harms nobody.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::{self, stream};
use bytes::Bytes;
use futures_util::StreamExt as _;
use headwater::model::command::{Command, ProbeLevel};
use headwater::model::id::ChannelId;
use headwater::model::message::{Search, SearchOutcome};
use headwater::model::tap::{Content, HeardMessage, TapReport, TapState};
use headwater::source::nats::options::NatsOptions;
use serde_json::{Value, json};

use crate::support::watch::World;
use crate::support::{Broker, Cluster, Config, User, Watch, headwater as program, jet, wait_until};

const SOON: Duration = Duration::from_secs(60);
const ORDERS: &str = "nats/ORDERS";

fn ok(yes: bool, why: impl Into<String>) -> Result<(), String> {
    if yes { Ok(()) } else { Err(why.into()) }
}

/// The new server, and the old one where it can be had.
fn brokers() -> Vec<Broker> {
    [Some(Broker::start(Config::jetstream())), Broker::start_old(Config::jetstream())]
        .into_iter()
        .flatten()
        .collect()
}

fn watch_at(url: &str) -> Watch {
    let options = NatsOptions::new("nats".into(), url).unwrap();
    Watch::with(NatsOptions { probe: ProbeLevel::Tap, ..options })
}

fn subject(text: &str) -> ChannelId {
    ChannelId::subject(&"nats".into(), text)
}

fn ask(watch: &Watch, channel: &ChannelId, on: bool) {
    watch.commands.send(Command::Tap { channel: channel.clone(), on }).unwrap();
}

/// Waits until a tap goes so.
async fn goes(watch: &mut Watch, channel: &ChannelId, state: TapState) -> TapReport {
    watch
        .until(SOON, &format!("{channel} is {}", state.word()), |world| {
            let tap = world.taps.get(channel.as_str()).ok_or("nothing said")?;
            if tap.state == state { Ok(tap.clone()) } else { Err(format!("{tap:?}")) }
        })
        .await
}

/// Waits until it is listened to.
async fn listen(watch: &mut Watch, channel: &ChannelId) -> TapReport {
    ask(watch, channel, true);
    goes(watch, channel, TapState::Listening).await
}

fn text(message: &HeardMessage) -> &str {
    match &message.payload.content {
        Content::Text(text) => text,
        other => panic!("no text: {other:?}"),
    }
}

#[tokio::test]
async fn messages_of_a_stream_are_told_with_all_that_may_be_told() {
    for broker in brokers() {
        let client = broker.connect_as("web-shop").await;
        jet::stream(&client, "ORDERS", &["orders.>"]).await;
        let mut watch = watch_at(&broker.url());
        let report = listen(&mut watch, &ORDERS.into()).await;
        assert_eq!(report.subjects.iter().map(|one| &**one).collect::<Vec<_>>(), ["orders.>"]);
        assert_eq!(
            &*report.why,
            "all that is published to it; while the stream is there, looked at every second"
        );

        // The program's inbox is known once the connections have been listed.
        jet::publish(&client, "orders.created", 1).await;
        let polls = watch.world.clients_polls;
        watch.until(SOON, "two lists of connections", |world| ok(world.clients_polls >= polls + 2, "")).await;
        let context = jetstream::new(client.clone());
        let mut headers = HeaderMap::new();
        headers.insert("Authorization", "Bearer hidden-header");
        headers.insert("traceparent", "00-abc");
        let body =
            r#"{"z": 1.50, "Password": "hidden-field", "a": [{"access-token": {"x": "hidden-deep"}}]}"#;
        context.publish_with_headers("orders.paid", headers, body.into()).await.unwrap().await.unwrap();
        context.publish("orders.binary", Bytes::from_static(b"\xff\x00\x01")).await.unwrap().await.unwrap();
        context.publish("orders.long", "é".repeat(100_000).into()).await.unwrap().await.unwrap();
        context.publish("orders.form", "user=a&password=hidden-form".into()).await.unwrap().await.unwrap();
        // Without waiting for an acknowledgement there is no reply address.
        let mut headers = HeaderMap::new();
        headers.insert("ce-source", "//billing/eu");
        client.publish_with_headers("orders.event", headers, "x".into()).await.unwrap();
        client.publish("orders.event", "y".into()).await.unwrap();

        watch
            .until(SOON, "all seven are told", |world| {
                ok(world.heard.len() == 7, format!("{:?}", world.taps))
            })
            .await;
        let heard = &watch.world.heard;
        assert_eq!(heard.iter().map(|one| one.number).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7]);
        let (first, paid, binary, long, form) = (&heard[0], &heard[1], &heard[2], &heard[3], &heard[4]);
        assert_eq!((&*first.subject, text(first)), ("orders.created", "{\"n\":0}"));
        assert_eq!(&*paid.subject, "orders.paid");
        assert_eq!((paid.publisher.as_deref(), &*paid.publisher_by), (Some("web-shop"), "reply inbox"));
        assert!(paid.asks && paid.at.0 > 0);
        assert_eq!(
            text(paid),
            r#"{"z": 1.50, "Password": "<redacted>", "a": [{"access-token": "<redacted>"}]}"#
        );
        let told: Vec<(&str, &str)> = paid.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(told, [("Authorization", "<redacted>"), ("traceparent", "00-abc")]);
        let names: Vec<&str> = paid.payload.redacted.iter().map(|name| &**name).collect();
        assert_eq!(names, ["Password", "access-token", "Authorization"]);
        let wire = "NATS/1.0\r\nAuthorization: Bearer hidden-header\r\ntraceparent: 00-abc\r\n\r\n".len()
            + body.len();
        assert_eq!(paid.bytes, wire as u64);
        assert_eq!(binary.payload.content, Content::Binary(b"\xff\x00\x01"[..].into()));
        assert_eq!((text(long).len() as u64 + long.payload.cut, text(long).len()), (200_000, 64 * 1024));
        assert!(matches!(&form.payload.content, Content::Withheld(why) if why.contains("password")));
        assert!(!format!("{heard:?}").contains("hidden-"));
        assert_eq!(
            (heard[5].publisher.as_deref(), &*heard[5].publisher_by),
            (Some("//billing/eu"), "ce-source header")
        );
        assert_eq!(
            (heard[6].publisher.as_deref(), &*heard[6].publisher_by, heard[6].asks),
            (None, "", false)
        );

        ask(&watch, &ORDERS.into(), false);
        let ended = goes(&mut watch, &ORDERS.into(), TapState::Ended).await;
        assert_eq!(
            (ended.heard, ended.told, ended.dropped, &*ended.why),
            (7, 7, 0, "it is no longer asked for")
        );
        wait_until(SOON, "it listens no longer", || async {
            !jet::subscriptions(&client, "headwater").await.contains(&"orders.>".to_owned())
        })
        .await;
        watch.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_counted_whole_and_told_in_part() {
    const MESSAGES: u64 = 30_000;
    for broker in brokers() {
        let client = broker.connect_as("web-shop").await;
        jet::stream(&client, "ORDERS", &["orders.>"]).await;
        let mut watch = watch_at(&broker.url());
        listen(&mut watch, &ORDERS.into()).await;
        for number in 0..MESSAGES {
            client.publish("orders.created", format!("{number}").into()).await.unwrap();
        }
        client.flush().await.unwrap();
        watch
            .until(SOON, "all are counted", |world| {
                let tap = &world.taps[ORDERS];
                ok(tap.heard == MESSAGES && tap.told == world.heard.len() as u64, format!("{tap:?}"))
            })
            .await;
        let tap = &watch.world.taps[ORDERS];
        assert_eq!(tap.dropped, 0);
        assert!((200..MESSAGES).contains(&tap.told), "{tap:?}");
        for message in &watch.world.heard {
            assert_eq!(text(message), (message.number - 1).to_string(), "the number says which one it is");
        }
        watch
            .until(SOON, "they are counted as load", |world| {
                ok(world.source.load.messages >= MESSAGES, format!("{:?}", world.source.load))
            })
            .await;
        watch.end().await;
    }
}

/// Answers requests until it is dropped.
async fn responder(broker: &Broker, name: &str, to: &'static str) -> tokio::task::JoinHandle<()> {
    let client = broker.connect_as(name).await;
    let mut requests = client.subscribe(to).await.unwrap();
    client.flush().await.unwrap();
    tokio::spawn(async move {
        while let Some(request) = requests.next().await {
            if let Some(reply) = request.reply {
                client.publish(reply, "pong".into()).await.unwrap();
            }
        }
    })
}

#[tokio::test]
async fn a_request_fails_at_once_when_its_responder_has_left() {
    for broker in brokers() {
        let client = broker.connect_as("web-shop").await;
        let mut watch = watch_at(&broker.url());
        let channel = subject("accounts.get");
        ask(&watch, &channel, true);
        let refused = goes(&mut watch, &channel, TapState::Refused).await;
        assert_eq!(&*refused.why, "nobody else listens to accounts.get: a request to it must fail at once");
        assert!(jet::fails_at_once(&client, "accounts.get").await);

        let accounts = responder(&broker, "accounts", "accounts.get").await;
        let report = goes(&mut watch, &channel, TapState::Listening).await;
        assert_eq!(&*report.why, "while accounts listens too, looked at every second");
        let polls = watch.world.clients_polls;
        watch.until(SOON, "two lists of connections", |world| ok(world.clients_polls >= polls + 2, "")).await;
        assert_eq!(client.request("accounts.get", "ping".into()).await.unwrap().payload, "pong");
        let heard =
            watch.until(SOON, "it is heard", |world| world.heard.last().cloned().ok_or("no".into())).await;
        assert_eq!((text(&heard), heard.asks, heard.publisher.as_deref()), ("ping", true, Some("web-shop")));

        accounts.abort();
        let ended = goes(&mut watch, &channel, TapState::Ended).await;
        assert_eq!(ended.why, refused.why);
        assert!(ended.subjects.is_empty());
        wait_until(SOON, "a request fails at once again", || jet::fails_at_once(&client, "accounts.get"))
            .await;

        let accounts = responder(&broker, "accounts", "accounts.*").await;
        goes(&mut watch, &channel, TapState::Listening).await;
        accounts.abort();
        watch.end().await;
    }
}

#[tokio::test]
async fn of_a_wide_subject_only_what_others_listen_to_is_listened_to() {
    for broker in brokers() {
        let client = broker.connect_as("web-shop").await;
        let accounts = responder(&broker, "accounts", "svc.accounts").await;
        let mut watch = watch_at(&broker.url());
        let channel = subject("svc.>");
        let report = listen(&mut watch, &channel).await;
        assert_eq!(report.subjects.iter().map(|one| &**one).collect::<Vec<_>>(), ["svc.accounts"]);
        assert_eq!(&*report.why, "the parts of it that accounts listens to, looked at every second");
        assert!(jet::fails_at_once(&client, "svc.billing").await);
        // Another observer of the same kind is no reason to listen.
        let mut other = watch_at(&broker.url());
        listen(&mut other, &channel).await;
        accounts.abort();
        goes(&mut watch, &channel, TapState::Ended).await;
        goes(&mut other, &channel, TapState::Ended).await;
        wait_until(SOON, "a request fails at once", || jet::fails_at_once(&client, "svc.accounts")).await;
        other.end().await;
        watch.end().await;
    }
}

#[tokio::test]
async fn a_publisher_learns_at_once_that_its_stream_is_gone() {
    for broker in brokers() {
        let client = broker.connect_as("web-shop").await;
        jet::stream(&client, "ORDERS", &["orders.>"]).await;
        let mut watch = watch_at(&broker.url());
        listen(&mut watch, &ORDERS.into()).await;
        jet::request(&client, "$JS.API.STREAM.DELETE.ORDERS", &Value::Null).await;
        wait_until(SOON, "a publish fails at once", || jet::fails_at_once(&client, "orders.created")).await;
        let ended = goes(&mut watch, &ORDERS.into(), TapState::Ended).await;
        assert_eq!(
            &*ended.why,
            "there is no stream ORDERS: publishers must learn that nobody keeps their messages"
        );
        jet::stream(&client, "ORDERS", &["orders.a", "orders.b"]).await;
        let again = goes(&mut watch, &ORDERS.into(), TapState::Listening).await;
        assert_eq!(again.subjects.len(), 2);
        // Its subjects are followed.
        let config = stream::Config {
            name: "ORDERS".into(),
            subjects: vec!["orders.b".into(), "orders.c".into()],
            ..Default::default()
        };
        jetstream::new(client.clone()).update_stream(config).await.unwrap();
        wait_until(SOON, "the old subject is let go", || jet::fails_at_once(&client, "orders.a")).await;
        watch
            .until(SOON, "the new one is listened to", |world| {
                let subjects: Vec<&str> = world.taps[ORDERS].subjects.iter().map(|one| &**one).collect();
                ok(subjects == ["orders.b", "orders.c"], format!("{subjects:?}"))
            })
            .await;
        watch.end().await;
    }
}

#[tokio::test]
async fn what_would_harm_is_refused_and_says_why() {
    for broker in brokers() {
        let client = broker.connect_as("web-shop").await;
        let orders = jet::stream(&client, "ORDERS", &["orders.>"]).await;
        jet::push(&orders, "search", "deliver.search").await;
        jet::publish(&client, "orders.created", 3).await;
        let mirror = stream::Config {
            name: "COPY".into(),
            mirror: Some(stream::Source { name: "ORDERS".into(), ..Default::default() }),
            ..Default::default()
        };
        jet::stream_with(&client, mirror).await;
        // A stream that keeps what is delivered reads it itself.
        jet::push(&orders, "archive", "deliver.archive").await;
        jet::stream(&client, "PUSHED", &["deliver.archive"]).await;
        let mut watch = watch_at(&broker.url());
        let delivers =
            |to: &str| format!("a push consumer delivers to {to}: it would take us for its reader");
        let harms = "never listened to because it harms others";
        for (channel, why) in [
            (subject("deliver.search"), delivers("deliver.search")),
            ("nats/PUSHED".into(), delivers("deliver.archive")),
            (subject("_INBOX.>"), format!("_INBOX.> takes in _INBOX.>: answers to others, {harms}")),
            (
                subject("$JS.API.>"),
                format!("$JS.API.> takes in $JS.>: requests to JetStream and its answers, {harms}"),
            ),
            (subject("$SYS.>"), format!("$SYS.> takes in $SYS.>: what belongs to the servers, {harms}")),
            (subject(">"), "> is everything: name the subject that is meant".to_owned()),
            (subject("a b"), "a b is no subject: it has a space".to_owned()),
            (
                "nats/COPY".into(),
                "a mirror has no subjects of its own: tap ORDERS, which it mirrors".to_owned(),
            ),
            (
                "nats/NOT-THERE".into(),
                "there is no stream NOT-THERE: publishers must learn that nobody keeps their messages"
                    .to_owned(),
            ),
        ] {
            ask(&watch, &channel, true);
            let refused = goes(&mut watch, &channel, TapState::Refused).await;
            assert_eq!((&*refused.why, refused.subjects.len()), (why.as_str(), 0));
        }
        // Another source's.
        ask(&watch, &"other/ORDERS".into(), true);
        listen(&mut watch, &ORDERS.into()).await;
        assert!(!watch.world.taps.contains_key("other/ORDERS"));
        let push = jet::consumer_info(&client, "ORDERS", "search").await;
        assert_eq!((&push["num_pending"], &push["num_ack_pending"]), (&json!(3), &json!(0)), "not activated");
        let own = jet::subscriptions(&client, "headwater").await;
        let taps: Vec<&String> =
            own.iter().filter(|one| !one.starts_with("$JS.") && !one.starts_with("_INBOX.")).collect();
        assert_eq!(taps, ["orders.>"]);
        watch.end().await;
    }
}

#[tokio::test]
async fn the_level_and_the_connection_come_and_go() {
    for mut broker in brokers() {
        let client = broker.connect_as("web-shop").await;
        jet::stream(&client, "ORDERS", &["orders.>"]).await;
        let mut watch = Watch::start(&broker.url());
        ask(&watch, &ORDERS.into(), true);
        let asked = watch
            .until(SOON, "it is asked for", |world| {
                let tap = world
                    .taps
                    .get(ORDERS)
                    .filter(|tap| &*tap.why == "it is listened to at the probe level tap");
                tap.cloned().ok_or_else(|| format!("{:?}", world.taps))
            })
            .await;
        assert_eq!(asked.state, TapState::Asked);
        watch.commands.send(Command::Probe(ProbeLevel::Tap)).unwrap();
        goes(&mut watch, &ORDERS.into(), TapState::Listening).await;
        watch.commands.send(Command::Probe(ProbeLevel::Acks)).unwrap();
        goes(&mut watch, &ORDERS.into(), TapState::Ended).await;
        wait_until(SOON, "it listens no longer", || async {
            !jet::subscriptions(&client, "headwater").await.contains(&"orders.>".to_owned())
        })
        .await;
        watch.commands.send(Command::Probe(ProbeLevel::Tap)).unwrap();
        goes(&mut watch, &ORDERS.into(), TapState::Listening).await;

        broker.kill();
        let ended = goes(&mut watch, &ORDERS.into(), TapState::Ended).await;
        assert_eq!(&*ended.why, "there is no connection; it is listened to again when there is one");
        broker.restart();
        goes(&mut watch, &ORDERS.into(), TapState::Listening).await;
        let client = broker.connect_as("web-shop").await;
        client.publish("orders.created", "after".into()).await.unwrap();
        watch
            .until(SOON, "it is heard", |world| ok(world.heard.len() == 1, format!("{:?}", world.taps)))
            .await;
        watch.end().await;
    }
}

#[tokio::test]
async fn a_right_that_is_missing_is_named() {
    let config = Config::jetstream()
        .user(User::new("all", "secret"))
        .user(User::new("deaf", "secret").may_not_subscribe(&["orders.>"]))
        .user(
            User::new("blind", "secret")
                .may_not_publish(&["$JS.API.STREAM.INFO.>", "$SYS.REQ.ACCOUNT.PING.CONNZ"]),
        );
    let broker = Broker::start(config);
    let client = broker.connect_as("test").await;
    jet::stream(&client, "ORDERS", &["orders.>"]).await;
    for (user, channel, why) in [
        ("deaf", ORDERS.into(), "permission denied to subscribe to orders.>; allow this user to"),
        (
            "blind",
            ORDERS.into(),
            "permission denied for $JS.API.STREAM.INFO.ORDERS, by which the guard sees that the stream is there; allow this user to publish to it",
        ),
        (
            "blind",
            subject("svc.a"),
            "permission denied for $SYS.REQ.ACCOUNT.PING.CONNZ, by which the guard sees who else listens; allow this user to publish to it",
        ),
    ] {
        let mut watch = watch_at(&broker.url_as(user, "secret"));
        ask(&watch, &channel, true);
        let refused = goes(&mut watch, &channel, TapState::Refused).await;
        assert_eq!((&*refused.why, refused.subjects.len()), (why, 0));
        watch.end().await;
    }
}

#[tokio::test]
async fn a_channel_is_named_on_the_command_line() {
    let broker = Broker::start(Config::jetstream());
    let client = broker.connect_as("web-shop").await;
    jet::stream(&client, "ORDERS", &["orders.>"]).await;
    let url = broker.url();
    let stream = program::beside(move || {
        let args = ["--nats", &url, "--every", "200ms", "--tap", "ORDERS", "--tap", "GONE"];
        let mut stream = program::Stream::start(&args);
        // Each line of standard error is written before the line of JSON that it belongs to.
        for _ in 0..100 {
            stream.next();
            let told = stream.errors();
            if told.contains("nats/ORDERS: listening: ")
                && told.contains("nats/GONE: refused: there is no stream GONE")
            {
                return stream;
            }
        }
        panic!("not told: {}", stream.errors());
    })
    .await;
    assert!(jet::subscriptions(&client, "headwater").await.contains(&"orders.>".to_owned()));
    drop(stream);
    for (args, why) in [
        (
            &["stream", "--tap", "a..b"][..],
            "headwater: --tap a..b: no subject: a part between dots is empty\n",
        ),
        (
            &["stream", "--tap", "A", "--probe", "acks"],
            "headwater: --tap listens to messages, and only --probe tap does that\n",
        ),
        (
            &["--tap", "A", "once"],
            "headwater: --tap belongs to the explorer and behind stream: headwater stream --tap CHANNEL\n",
        ),
    ] {
        let ended = program::Ended::from(program::run(args));
        assert_eq!((ended.code, ended.err.as_str()), (Some(2), why));
    }
}

#[tokio::test]
async fn in_a_cluster_every_server_is_asked_who_else_listens() {
    let cluster = Cluster::start(&Config::jetstream());
    let accounts = responder(&cluster.nodes[2], "accounts", "accounts.get").await;
    let client = cluster.nodes[1].connect_as("web-shop").await;
    let mut watch = watch_at(&cluster.nodes[0].url());
    let channel = subject("accounts.get");
    let report = listen(&mut watch, &channel).await;
    assert_eq!(&*report.why, "while accounts listens too, looked at every second");
    accounts.abort();
    goes(&mut watch, &channel, TapState::Ended).await;
    wait_until(SOON, "a request fails at once", || jet::fails_at_once(&client, "accounts.get")).await;
    watch.end().await;
}

/// A message that was heard is found by its header at once, however long ago its stream was listed.
#[tokio::test]
async fn what_was_just_heard_is_found() {
    for broker in brokers() {
        let client = broker.connect_as("orders").await;
        jet::stream(&client, "ORDERS", &["orders.>"]).await;
        jet::publish(&client, "orders.created", 3).await;
        let options = NatsOptions::new("nats".into(), &broker.url()).unwrap();
        // It is listed once, and not again while this runs.
        let interval = Some(Duration::from_secs(3_600));
        let mut watch = Watch::with(NatsOptions { interval, ..options });
        let listed = |world: &World| match world.channels.get("ORDERS").and_then(|c| c.last_seq) {
            Some(3) => Ok(()),
            other => Err(format!("{other:?}")),
        };
        watch.until(SOON, "the stream is listed", listed).await;
        let mut headers = HeaderMap::new();
        headers.insert("ce-id", "new");
        let context = jetstream::new(client);
        context.publish_with_headers("orders.paid", headers, "{}".into()).await.unwrap().await.unwrap();
        let search = Search::Header { name: "ce-id".into(), value: "new".into() };
        let find = Command::Find { channel: "nats/ORDERS".into(), search, before: None };
        watch.commands.send(find).unwrap();
        let outcome =
            |world: &World| world.searches.last().cloned().ok_or_else(|| "no answer yet".to_owned());
        let report = watch.until(SOON, "an answer", outcome).await;
        assert_eq!((report.outcome, report.looked_at), (SearchOutcome::Found(4), 1));
        watch.end().await;
    }
}
