//! Who sends to each channel, as it is heard: by reply inbox, by what messages say of themselves, and by the server's traces.

use std::time::Duration;

use async_nats::{Client, HeaderMap};
use serde_json::{Value, json};

use crate::support::{Broker, Config, headwater as program, jet};

/// W3C trace context, sampled and not.
const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// Publishes a message with one header again and again, until it is dropped.
fn sends(client: Client, subject: &'static str, header: (&'static str, &'static str)) -> impl Drop {
    struct Sending(tokio::task::JoinHandle<()>);
    impl Drop for Sending {
        fn drop(&mut self) {
            self.0.abort();
        }
    }
    Sending(tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        loop {
            ticks.tick().await;
            let mut headers = HeaderMap::new();
            headers.insert(header.0, header.1);
            client.publish_with_headers(subject, headers, "x".into()).await.unwrap();
        }
    }))
}

/// The newest picture in which `found` says so.
async fn seen(args: &[&str], what: &'static str, found: impl Fn(&Value) -> bool + Send + 'static) -> Value {
    let args: Vec<String> = args.iter().map(ToString::to_string).collect();
    program::beside(move || {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        program::Stream::start(&args).until(200, what, found)
    })
    .await
}

fn rows<'d>(document: &'d Value, list: &str) -> &'d [Value] {
    document[list].as_array().map_or(&[], Vec::as_slice)
}

fn channel<'d>(document: &'d Value, id: &str) -> &'d Value {
    rows(document, "channels").iter().find(|row| row["id"] == id).unwrap_or(&Value::Null)
}

/// Name, by what, and services of everybody who was heard to send to it, by name.
fn senders(channel: &Value) -> Vec<(String, String, Value)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let told = |row: &Value| (text(&row["name"]), text(&row["by"]), row["services"].clone());
    let mut all: Vec<_> = rows(channel, "senders").iter().map(told).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

/// Two programs publish to a stream and wait for its acknowledgement; a third says only of itself who it is, a fourth is nobody.
#[tokio::test(flavor = "multi_thread")]
async fn who_publishes_to_a_tapped_stream_is_named() {
    for broker in [Some(Broker::start(Config::jetstream())), Broker::start_old(Config::jetstream())]
        .into_iter()
        .flatten()
    {
        let admin = broker.connect_as("admin").await;
        let shop = jet::stream(&admin, "SHOP", &["shop.>"]).await;
        jet::pull(&shop, "billing").await;
        let (checkout, returns) =
            (broker.connect_as("checkout").await, broker.connect_as("returns-7d4b9c6f5d-x2x9z").await);
        let silent = broker.connect_as("pricing").await;
        let publishing = tokio::spawn(async move {
            loop {
                jet::publish(&checkout, "shop.ordered", 3).await;
                jet::publish(&returns, "shop.returned", 1).await;
            }
        });
        let says = sends(silent.clone(), "shop.priced", ("ce-source", "urn:shop:pricing"));
        let nobody = sends(silent, "shop.priced", ("x-other", "1"));
        let args = ["--nats", &broker.url(), "--every", "500ms", "--tap", "SHOP"];
        let line = seen(&args, "three senders", |line| senders(channel(line, "nats/SHOP")).len() == 3).await;
        let shop = channel(&line, "nats/SHOP");
        let told = |name: &str, by: &str, service: &str| (name.to_owned(), by.to_owned(), json!([service]));
        assert_eq!(
            senders(shop),
            [
                told("checkout", "reply inbox", "checkout"),
                told("returns-7d4b9c6f5d-x2x9z", "reply inbox", "returns"),
                told("urn:shop:pricing", "ce-source header", "pricing"),
            ]
        );
        // What was seen stands; what messages say of themselves adds nobody to it.
        assert_eq!(
            (&shop["sent_by"], &shop["sent_by_likely"]),
            (&json!(["checkout", "returns"]), &json!(false))
        );
        let flow = rows(&line, "flows").iter().find(|flow| flow["to"] == json!(["billing"])).unwrap();
        assert_eq!(flow["from"], json!(["checkout", "returns"]));
        let evidence = flow["evidence"].to_string();
        assert!(evidence.contains("returns heard to send, by reply inbox"), "{evidence}");
        publishing.abort();
        drop((says, nobody));
    }
}

/// The sender of a message that asks for no answer is known by the server's traces alone.
#[tokio::test(flavor = "multi_thread")]
async fn the_servers_traces_name_who_sends_without_a_reply_address() {
    let broker = Broker::start(Config::jetstream().message_traces("trace.out"));
    let admin = broker.connect_as("admin").await;
    jet::stream(&admin, "PLANT", &["plant.stored"]).await;
    let viewer = broker.connect_as("plant-view").await;
    let mut readings = viewer.subscribe("plant.reading").await.unwrap();
    let hearing =
        tokio::spawn(async move { while futures_util::StreamExt::next(&mut readings).await.is_some() {} });
    let (sensor, store, quiet) = (
        broker.connect_as("sensor").await,
        broker.connect_as("archive").await,
        broker.connect_as("unsampled").await,
    );
    let sending = (
        sends(sensor, "plant.reading", ("traceparent", SAMPLED)),
        sends(store, "plant.stored", ("traceparent", SAMPLED)),
        sends(quiet, "plant.reading", ("traceparent", UNSAMPLED)),
    );
    let url = broker.url();
    let args = ["--nats", &url, "--every", "500ms", "--probe", "tap", "--message-traces", "trace.out"];
    let (bare, kept) = ("nats/subject:plant.reading", "nats/PLANT");
    let heard = move |line: &Value| {
        [bare, kept].iter().all(|id| !senders(channel(line, id)).is_empty())
            && rows(line, "flows").iter().any(|flow| flow["from"] == json!(["sensor"]))
    };
    let line = seen(&args, "senders of both channels", heard).await;
    for (id, name) in [(bare, "sensor"), (kept, "archive")] {
        let row = channel(&line, id);
        assert_eq!(senders(row), [(name.to_owned(), "message trace".to_owned(), json!([name]))]);
        assert_eq!((&row["sent_by"], &row["sent_by_likely"]), (&json!([name]), &json!(false)));
    }
    let flow = rows(&line, "flows").iter().find(|flow| flow["channel"] == bare).unwrap();
    assert_eq!((&flow["from"], &flow["to"]), (&json!(["sensor"]), &json!(["plant-view"])));

    // Below the level nothing is listened to.
    let args = ["--nats", &url, "--every", "500ms", "--probe", "acks", "--message-traces", "trace.out"];
    let rounds = std::sync::atomic::AtomicU32::new(0);
    let later = move |line: &Value| {
        assert!(rows(line, "channels").iter().all(|row| senders(row).is_empty()));
        rounds.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 6
    };
    seen(&args, "several pictures", later).await;
    drop(sending);
    hearing.abort();
}
