//! `once` and `stream` against real servers: every number is one that the test itself caused.

use std::time::{Duration, Instant};

use async_nats::jetstream::{self, consumer, stream};
use serde_json::{Value, json};

use crate::support::{Broker, Config, User, headwater, jet, ports::ClosedPort, wait_until};

const SOON: Duration = Duration::from_secs(20);

fn schema() -> jsonschema::Validator {
    let text = std::fs::read_to_string("schemas/snapshot.schema.json").unwrap();
    jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).expect("the schema is one")
}

fn assert_valid(document: &Value) {
    let errors: Vec<String> =
        schema().iter_errors(document).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

/// What it says when no source lets it in: exit code 3, and at most three lines.
async fn refused(args: &[&str]) -> String {
    let ended = headwater::ended(args.iter().copied()).await;
    assert_eq!(ended.code, Some(3), "{}", ended.err);
    assert!(ended.err.lines().count() <= 3, "{}", ended.err);
    ended.err
}

/// One stream, read by one consumer of each kind, each left in a known state.
async fn every_kind(broker: &Broker) -> async_nats::Client {
    let client = broker.connect_as("orders-7d4b9c6f5d-x2x9z").await;
    let orders = jet::stream(&client, "ORDERS", &["orders.>"]).await;
    for (durable, filters, policy) in [
        ("billing", vec![], consumer::AckPolicy::Explicit),
        ("filtered", vec!["orders.created"], consumer::AckPolicy::Explicit),
        ("several", vec!["orders.created", "orders.paid"], consumer::AckPolicy::Explicit),
        ("all", vec![], consumer::AckPolicy::All),
        ("none", vec![], consumer::AckPolicy::None),
    ] {
        let filters: Vec<String> = filters.into_iter().map(String::from).collect();
        let (one, many) =
            if filters.len() == 1 { (filters[0].clone(), vec![]) } else { (String::new(), filters) };
        jet::pull_with(
            &orders,
            consumer::pull::Config {
                durable_name: Some(durable.into()),
                ack_policy: policy,
                filter_subject: one,
                filter_subjects: many,
                ack_wait: Duration::from_secs(300),
                ..consumer::pull::Config::default()
            },
        )
        .await;
    }
    // 30 of three kinds, in turn.
    for _ in 0..10 {
        for subject in ["orders.created", "orders.paid", "orders.cancelled"] {
            jet::publish(&client, subject, 1).await;
        }
    }
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn lag_and_in_flight_are_what_was_caused_for_every_kind_of_consumer() {
    let broker = Broker::start(Config::jetstream());
    let client = every_kind(&broker).await;
    let orders = jetstream::new(client.clone()).get_stream("ORDERS").await.unwrap();

    // billing: 12 fetched, the first 5 acknowledged.
    let billing = orders.get_consumer("billing").await.unwrap();
    for message in jet::fetch(&billing, 12).await.iter().take(5) {
        message.double_ack().await.unwrap();
    }
    // filtered: 4 fetched, acknowledged out of order: the 2nd to 4th.
    let filtered = orders.get_consumer("filtered").await.unwrap();
    for message in jet::fetch(&filtered, 4).await.iter().skip(1).rev() {
        message.double_ack().await.unwrap();
    }
    // several: 20 match, 3 fetched, none acknowledged.
    let several = orders.get_consumer("several").await.unwrap();
    jet::fetch(&several, 3).await;
    // all: 10 fetched, the 8th acknowledged, which covers 8.
    let all = orders.get_consumer("all").await.unwrap();
    jet::fetch(&all, 10).await[7].double_ack().await.unwrap();
    // none: 25 fetched.
    let none = orders.get_consumer("none").await.unwrap();
    jet::fetch(&none, 25).await;

    let document = headwater::look(broker.url(), &["--for", "3s"]).await;
    assert_valid(&document);
    let expect = [("billing", 18, 7), ("filtered", 6, 1), ("several", 17, 3), ("all", 20, 2), ("none", 5, 0)];
    for (name, lag, in_flight) in expect {
        let row = headwater::row(&document, "consumers", &format!("nats/ORDERS/{name}"));
        assert_eq!(
            (row["lag"].as_f64(), row["in_flight"].as_f64()),
            (Some(f64::from(lag)), Some(f64::from(in_flight))),
            "{name}: {row:#}"
        );
        assert_eq!((&row["name"], &row["channel"]), (&json!(name), &json!("nats/ORDERS")));
        assert!(row["staleness_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{name} has work to do: {row:#}");
    }
    let channel = headwater::row(&document, "channels", "nats/ORDERS");
    assert_eq!(
        (&channel["messages"], &channel["last_seq"], &channel["subjects"]),
        (&json!(30), &json!(30), &json!(["orders.>"]))
    );
    headwater::row(&document, "services", "orders");
    headwater::row(&document, "services", "billing");
}

#[tokio::test(flavor = "multi_thread")]
async fn staleness_is_the_age_of_the_oldest_message_still_to_process() {
    let broker = Broker::start(Config::jetstream());
    let client = broker.connect_as("orders").await;
    let orders = jet::stream(&client, "ORDERS", &["orders.>"]).await;
    let behind = jet::pull(&orders, "behind").await;
    let done = jet::pull(&orders, "done").await;
    jet::publish(&client, "orders.created", 2).await;
    for message in jet::fetch(&done, 2).await {
        message.double_ack().await.unwrap();
    }
    jet::fetch(&behind, 1).await[0].double_ack().await.unwrap();
    // The second message's own store time is the truth.
    let stored = orders.get_raw_message(2).await.unwrap().time.unix_timestamp_nanos();
    let url = broker.url();
    let (document, before, after) = headwater::beside(move || {
        let before = unix_nanos();
        let document = headwater::once(&url, &["--for", "3s"]);
        (document, before, unix_nanos())
    })
    .await;
    assert_valid(&document);
    let row = headwater::row(&document, "consumers", "nats/ORDERS/behind");
    let stale = row["staleness_ms"].as_f64().unwrap();
    // It was measured at some moment of the run; its upper end may be late by the clock's uncertainty.
    let (least, most) = ((before - stored) as f64 / 1e6, (after - stored) as f64 / 1e6 + 100.0);
    assert!((least..=most).contains(&stale), "{stale} ms is not in {least}..{most}: {row:#}");
    let row = headwater::row(&document, "consumers", "nats/ORDERS/done");
    assert_eq!((&row["staleness_ms"], row["not_exact"].get("staleness_ms")), (&json!(0.0), None), "{row:#}");
    assert_eq!(row["status"], "ok");
}

/// Three messages are delivered twice each and never acknowledged, while somebody watches by `arguments`: the row of their consumer
/// when all are given up.
async fn given_up(broker: &Broker, arguments: Vec<String>) -> Value {
    let client = broker.connect_with(as_app(broker)).await;
    let orders = jet::stream(&client, "ORDERS", &["orders.>"]).await;
    let poisoned = jet::pull_with(
        &orders,
        consumer::pull::Config {
            durable_name: Some("mailer".into()),
            max_deliver: 2,
            ack_wait: Duration::from_millis(300),
            ..consumer::pull::Config::default()
        },
    )
    .await;
    let mut stream = headwater::beside(move || {
        let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        arguments.extend(["--every", "500ms"]);
        let mut stream = headwater::Stream::start(&arguments);
        stream.until(40, "the consumer is seen", |d| {
            d["consumers"].as_array().is_some_and(|c| c.iter().any(|c| c["id"] == "nats/ORDERS/mailer"))
        });
        stream
    })
    .await;
    jet::publish(&client, "orders.created", 3).await;
    // Fetched until the broker has nothing more to give: each message twice, never acknowledged.
    let deadline = Instant::now() + SOON;
    let mut deliveries = 0;
    while deliveries < 6 && Instant::now() < deadline {
        deliveries += jet::fetch_at_once(&poisoned, 3).await.len();
    }
    assert_eq!(deliveries, 6, "each of three messages is delivered twice");
    // The broker gives up when it would deliver a third time: somebody has to ask.
    wait_until(SOON, "the broker gives up", || async {
        jet::fetch_at_once(&poisoned, 3).await;
        let info = jet::consumer_info(&client, "ORDERS", "mailer").await;
        info["num_ack_pending"] == 0 && info["num_pending"] == 0
    })
    .await;
    let row = headwater::beside(move || {
        let mut acked = 0.0_f64;
        let document = stream.until(40, "three given up, nothing lagging", |d| {
            let row = headwater::row(d, "consumers", "nats/ORDERS/mailer");
            if row["not_exact"].get("acked_rate").is_none() {
                acked = acked.max(row["acked_rate"].as_f64().unwrap_or(0.0));
            }
            let counted = row["delay_ms"]["count"].as_u64().unwrap_or(0);
            assert_eq!(counted, 0, "nothing was acknowledged: {row:#}");
            row["gave_up"] == 3.0 && row["lag"] == 0.0 && row["in_flight"] == 0.0
        });
        assert_valid(&document);
        assert!(acked == 0.0, "nothing was acknowledged, and {acked}/s was said to be");
        headwater::row(&document, "consumers", "nats/ORDERS/mailer").clone()
    })
    .await;
    assert_eq!(row["staleness_ms"], 0.0, "what is given up is lost, not late: {row:#}");
    assert_eq!(row["status"], "gave_up", "{row:#}");
    row
}

/// A broker of which `deaf` hears no advisories.
fn with_a_deaf_user() -> Config {
    let deaf = User::new("deaf", "secret").may_subscribe(&["_INBOX.>"]);
    Config::jetstream().user(User::new("app", "secret")).user(deaf)
}

fn as_app(broker: &Broker) -> async_nats::ConnectOptions {
    broker.options().user_and_password("app".into(), "secret".into())
}

#[tokio::test(flavor = "multi_thread")]
async fn redelivered_and_given_up_messages_are_told_apart_from_lag() {
    let broker = Broker::start(with_a_deaf_user());
    let row = given_up(&broker, vec!["--nats".into(), broker.url_as("app", "secret")]).await;
    assert_eq!(row["not_exact"].get("gave_up"), None, "each was told: {row:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_told_what_is_given_up_sees_it_by_its_marks() {
    let broker = Broker::start(with_a_deaf_user());
    let row = given_up(&broker, vec!["--nats".into(), broker.url_as("deaf", "secret")]).await;
    assert_eq!(row["not_exact"]["gave_up"]["kind"], "at_least", "{row:#}");
    let broker = Broker::start(with_a_deaf_user());
    let row = given_up(&broker, vec!["--monitor".into(), broker.monitor_url()]).await;
    for figure in ["gave_up", "delay_ms"] {
        assert_eq!(row["not_exact"][figure]["kind"], "at_least", "{row:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_and_a_source_are_channels_that_feed_channels() {
    let broker = Broker::start(Config::jetstream());
    let client = broker.connect().await;
    jet::stream(&client, "ORDERS", &["orders.>"]).await;
    let origin = || stream::Source { name: "ORDERS".into(), ..stream::Source::default() };
    let named = |name: &str| stream::Config { name: name.into(), ..stream::Config::default() };
    jet::stream_with(&client, stream::Config { mirror: Some(origin()), ..named("COPY") }).await;
    jet::stream_with(&client, stream::Config { sources: Some(vec![origin()]), ..named("JOINED") }).await;
    jet::publish(&client, "orders.created", 4).await;
    let document = headwater::look(broker.url(), &["--for", "2s"]).await;
    assert_valid(&document);
    for name in ["COPY", "JOINED"] {
        let row = headwater::row(&document, "channels", &format!("nats/{name}"));
        assert_eq!((&row["fed_by"], &row["messages"]), (&json!(["nats/ORDERS"]), &json!(4)), "{row:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_is_closed_and_every_line_of_a_stream_satisfies_it() {
    let broker = Broker::start(Config::jetstream());
    let _client = every_kind(&broker).await;
    let url = broker.url();
    let documents = headwater::beside(move || {
        let mut stream = headwater::Stream::start(&["--nats", &url, "--every", "300ms"]);
        (0..5).map(|_| stream.next()).collect::<Vec<_>>()
    })
    .await;
    for document in &documents {
        assert_valid(document);
    }
    let full = documents.last().unwrap();
    assert!(!full["consumers"].as_array().unwrap().is_empty());
    // A field of another name, at every level, is refused.
    let mut renamed = full.clone();
    let watched = renamed.as_object_mut().unwrap().remove("watched_s").unwrap();
    renamed["watched"] = watched;
    assert!(!schema().is_valid(&renamed));
    for list in ["sources", "services", "channels", "consumers", "flows"] {
        let mut renamed = full.clone();
        let row = renamed[list][0].as_object_mut().unwrap_or_else(|| panic!("{list} has a row"));
        let id = row.remove("id").unwrap();
        row.insert("ident".into(), id);
        assert!(!schema().is_valid(&renamed), "{list}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_the_topology_is_taken_while_running_and_a_bad_one_is_said() {
    let broker = Broker::start(Config::jetstream());
    let _client = every_kind(&broker).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("orders.yaml");
    let declare = |entity: &str| format!("service: orders\nowns: [{{ entity: {entity} }}]\n");
    std::fs::write(&file, declare("Order")).unwrap();
    let (url, path) = (broker.url(), directory.path().to_str().unwrap().to_owned());
    headwater::beside(move || {
        let entities = |document: &Value| -> Vec<String> {
            let rows = document["entities"].as_array().unwrap();
            rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
        };
        let mut stream = headwater::Stream::start(&["--nats", &url, "--topology", &path, "--every", "200ms"]);
        stream.until(50, "the owner as first declared", |d| entities(d) == ["Order"]);
        std::fs::write(&file, declare("Purchase")).unwrap();
        stream.until(50, "the owner as edited", |d| entities(d) == ["Purchase"]);
        std::fs::write(&file, "service: orders\nowns: [{ entty: Order }]\n").unwrap();
        let told = |d: &Value| {
            let blind = d["not_watched"].as_array().unwrap();
            blind.iter().any(|b| b["why"].as_str().unwrap().contains("orders.yaml:2:"))
        };
        let bad = stream.until(50, "the place of the mistake", told);
        assert_eq!(entities(&bad), ["Purchase"], "the last good topology stays");
        assert_valid(&bad);
        std::fs::write(&file, declare("Order")).unwrap();
        stream.until(50, "the owner as mended", |d| entities(d) == ["Order"] && !told(d));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_server_is_exit_code_3_and_one_line_that_names_it() {
    let closed = ClosedPort::new();
    let port = closed.number();
    let url = format!("nats://127.0.0.1:{port}");
    let told = refused(&["once", "--for", "1s", "--nats", &url]).await;
    assert!(told.contains(&format!("127.0.0.1:{port}")) && told.contains("refused"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_are_exit_code_3_and_never_printed() {
    let broker = Broker::start(Config::jetstream().user(User::new("app", "right")));
    let (address, url) = (broker.url(), broker.url_as("app", "hunter2"));
    let told = refused(&["once", "--for", "1s", "--nats", &url]).await;
    assert!(told.to_lowercase().contains("authorization") && told.contains(&address), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}

#[test]
fn what_stays_refused_is_not_waited_for() {
    let user = |name: &str| User::new(name, "right");
    let broker = Broker::start(Config::jetstream().user(user("app")).user(user("other").account("OTHER")));
    let wrong = |name: &str| format!("{name}={}", broker.url_as(name, "hunter2"));
    let (app, other) = (wrong("app"), wrong("other"));
    // Whoever waited would wait for an hour.
    for (args, lines) in [
        (vec!["once", "--for", "1h", "--nats", &app], 1),
        (vec!["stream", "--every", "1h", "--nats", &app], 1),
        (vec!["once", "--for", "1h", "--nats", &app, "--nats", &other], 2),
    ] {
        let (told, code) = headwater::ends(&args, Duration::from_secs(60));
        assert_eq!(code, Some(3), "{told}");
        assert_eq!(told.lines().count(), lines, "{told}");
        assert!(told.lines().all(|line| line.contains("authorization violation")), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_servers_is_enough_and_the_other_is_named_as_missing() {
    let broker = Broker::start(Config::jetstream());
    let closed = ClosedPort::new();
    let far = format!("far=nats://127.0.0.1:{}", closed.number());
    let args = ["--for".to_owned(), "2s".into(), "--nats".into(), far];
    let url = format!("near={}", broker.url());
    let document = headwater::beside(move || {
        headwater::once(&url, &args.iter().map(String::as_str).collect::<Vec<_>>())
    })
    .await;
    assert_valid(&document);
    assert_eq!(headwater::row(&document, "sources", "near")["state"], "up");
    let far = headwater::row(&document, "sources", "far");
    assert!(far["state"] != "up" && far["error"].is_string(), "{far:#}");
    assert!(
        document["not_watched"]
            .as_array()
            .unwrap()
            .iter()
            .any(|n| n["what"].as_str().unwrap().contains("far")),
        "{document:#}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_ask_nothing_is_exit_code_3_and_told_what_is_denied() {
    let nobody = User::new("nobody", "pw").may_not_publish(&[">"]).may_not_subscribe(&[">"]);
    let broker = Broker::start(Config::jetstream().user(User::new("app", "right")).user(nobody));
    let (address, url) = (broker.url(), broker.url_as("nobody", "pw"));
    let told = refused(&["once", "--for", "1s", "--nats", &url]).await;
    assert!(told.contains(&address) && told.contains("none of what is asked is authorised"), "{told}");
    assert!(told.contains("permission denied"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_denied_list_is_a_part_and_not_the_whole() {
    let broker = Broker::start(
        Config::jetstream()
            .user(User::new("app", "secret"))
            .user(User::new("narrow", "secret").may_not_publish(&["$JS.API.STREAM.LIST"])),
    );
    let url = broker.url().replace("nats://", "nats://narrow:secret@");
    let document = headwater::look(url, &["--for", "1s"]).await;
    assert_valid(&document);
    let missing = document["sources"][0]["missing"].to_string();
    assert!(missing.contains("permission denied for $JS.API.STREAM.LIST"), "{missing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn output_that_cannot_be_written_is_an_error() {
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else {
        eprintln!("SKIPPED: there is no /dev/full here");
        return;
    };
    let broker = Broker::start(Config::jetstream());
    let url = broker.url();
    let output = headwater::beside(move || {
        let home = tempfile::tempdir().unwrap();
        let mut command = headwater::command(home.path());
        command.args(["once", "--for", "100ms", "--nats", &url]).stdout(full).output().unwrap()
    })
    .await;
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), error.starts_with("headwater: cannot write the output: ")),
        (Some(2), true),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn monitoring_alone_names_the_monitoring_endpoint_and_no_server() {
    let closed = ClosedPort::new();
    let url = format!("http://127.0.0.1:{}", closed.number());
    let told = refused(&["once", "--for", "100ms", "--monitor", &url]).await;
    assert!(told.contains(&url) && !told.contains("nats://"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shortest_look_still_polls_twice() {
    let broker = Broker::start(Config::jetstream());
    let client = broker.connect().await;
    jet::stream(&client, "ORDERS", &["orders.>"]).await;
    let document = headwater::look(broker.url(), &["--for", "100ms"]).await;
    let row = headwater::row(&document, "channels", "nats/ORDERS");
    assert_eq!(row["rate"], 0.0, "one poll alone gives no rate: {row:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_from_before_the_connection_was_lost_is_not_taken_for_present() {
    let mut broker = Broker::start(Config::jetstream());
    let client = broker.connect().await;
    let stream = jet::stream(&client, "ORDERS", &["orders.>"]).await;
    jet::pull(&stream, "billing").await;
    jet::publish(&client, "orders.created", 10).await;
    let url = broker.url();
    headwater::beside(move || {
        let mut lines = headwater::Stream::start(&["--every", "500ms", "--nats", &url]);
        let rate = |document: &Value| headwater::row(document, "channels", "nats/ORDERS")["rate"].clone();
        let known = lines.until(60, "there is a rate", |document| {
            document["channels"][0]["rate"].is_number() && document["consumers"][0]["acked_rate"].is_number()
        });
        assert_eq!(known["channels"][0].get("not_exact"), None, "{known:#}");
        broker.kill();
        let old = lines.until(60, "the rate is marked", |document| {
            document["channels"][0]["not_exact"]["rate"]["kind"] == "unknown"
        });
        assert_valid(&old);
        assert!(rate(&old).is_number(), "the last good value stays: {old:#}");
        let why = old["channels"][0]["not_exact"]["rate"]["why"].as_str().unwrap();
        assert!(why.starts_with("last measured ") && why.ends_with("what it is now is not known"), "{why}");
        let consumer = headwater::row(&old, "consumers", "nats/ORDERS/billing");
        assert_eq!((consumer["lag"].as_f64(), consumer["not_exact"].get("lag")), (Some(10.0), None));
        assert!(consumer["age_ms"].as_f64().unwrap() > 5_000.0, "{consumer:#}");
        assert_eq!(consumer["not_exact"]["acked_rate"]["kind"], "unknown", "{consumer:#}");
        broker.restart();
        lines.until(120, "it is measured again", |document| {
            document["sources"][0]["state"] == "up"
                && document["channels"][0]["not_exact"].get("rate").is_none()
        });
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_taken_away_while_it_streams_are_said_and_may_be_given_back() {
    let user = |password: &str| Config::jetstream().user(User::new("app", password));
    let mut broker = Broker::start(user("secret"));
    let stream = jet::stream(&broker.connect().await, "ORDERS", &["orders.>"]).await;
    jet::pull(&stream, "billing").await;
    jet::publish(&broker.connect().await, "orders.created", 10).await;
    let url = broker.url_as("app", "secret");
    headwater::beside(move || {
        let mut lines = headwater::Stream::start(&["--every", "200ms", "--nats", &url]);
        let lag = |document: &Value| document["consumers"][0]["lag"].clone();
        lines.until(60, "the consumer is seen", |document| lag(document) == 10.0);
        assert_eq!(lines.errors(), "");
        broker.restart_with(|_| user("another"));
        let why = format!("{}: refused user 'app': authorization violation", broker.url());
        let lost = lines.until(200, "the refusal is told", |document| {
            let source = &document["sources"][0];
            source["state"] == "down"
                && source["error"] == *why
                && source["missing"] == json!([format!("everything: {why}")])
        });
        assert_valid(&lost);
        assert_eq!(lag(&lost), 10.0, "the last good value stays");
        let age = |document: &Value| document["consumers"][0]["age_ms"].as_f64().unwrap();
        assert!(age(&lines.until(20, "it ages", |later| age(later) > age(&lost))) > 0.0);
        let told = format!("headwater: nats: lost: {why}; its last values stay, marked with their age\n");
        assert_eq!(lines.errors(), told);
        broker.restart_with(|_| user("secret"));
        let back = lines.until(200, "it is let in again", |document| document["sources"][0]["state"] == "up");
        assert_eq!((&back["sources"][0]["missing"], lag(&back)), (&json!([]), json!(10)));
        lines.next();
        assert_eq!(lines.errors(), format!("{told}headwater: nats: is back\n"));
    })
    .await;
}

#[test]
fn a_server_that_is_not_there_is_not_waited_for_as_long_as_it_is_to_be_watched() {
    let (a, b) = (ClosedPort::new(), ClosedPort::new());
    let url = |name: &str, closed: &ClosedPort| format!("{name}=nats://127.0.0.1:{}", closed.number());
    let args = ["once", "--for", "1h", "--nats", &url("a", &a), "--nats", &url("b", &b)];
    let (told, code) = headwater::ends(&args, Duration::from_secs(60));
    assert_eq!((code, told.lines().count()), (Some(3), 2), "{told}");
    assert!(told.lines().all(|line| line.ends_with(": connection refused")), "{told}");
}

fn unix_nanos() -> i128 {
    i128::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos())
        .unwrap()
}
