//! `headwater trace` against a real server: one message, and who has it.

use std::time::Duration;

use async_nats::jetstream::{self, consumer};
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::support::{Broker, Config, headwater, jet, wait_until};

const SOON: Duration = Duration::from_secs(60);

fn assert_valid(document: &Value) {
    let text = std::fs::read_to_string("schemas/trace.schema.json").unwrap();
    let schema = jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).expect("the schema is one");
    let errors: Vec<String> =
        schema.iter_errors(document).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{document:#}");
    let mut renamed = document.clone();
    let legs = renamed["traces"][0]["legs"][0].as_object_mut().unwrap();
    let state = legs.remove("state").unwrap();
    legs.insert("status".into(), state);
    assert!(!schema.is_valid(&renamed), "the schema is closed");
}

/// Four orders: `legacy` has processed all of them, `billing` has been handed all and acknowledged none, `refunds` wants others,
/// `shipping` has had the first.
async fn orders(broker: &Broker) -> (async_nats::Client, Vec<jetstream::Message>) {
    let client = broker.connect_as("test").await;
    let orders = jet::stream(&client, "ORDERS", &["orders.>"]).await;
    let billing = jet::pull(&orders, "billing").await;
    let legacy = jet::pull(&orders, "legacy").await;
    let shipping = jet::pull(&orders, "shipping").await;
    let refunds = consumer::pull::Config {
        durable_name: Some("refunds".into()),
        filter_subject: "orders.refunded".into(),
        ..Default::default()
    };
    jet::pull_with(&orders, refunds).await;
    let context = jetstream::new(client.clone());
    for user in 40..44 {
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        headers.insert("Authorization", "Bearer secret");
        let body = json!({ "order": { "user_id": user } }).to_string();
        context.publish_with_headers("orders.created", headers, body.into()).await.unwrap().await.unwrap();
    }
    for message in jet::fetch(&legacy, 4).await {
        message.double_ack().await.unwrap();
    }
    jet::fetch(&shipping, 1).await[0].double_ack().await.unwrap();
    (client, jet::fetch(&billing, 4).await)
}

fn leg<'a>(document: &'a Value, consumer: &str) -> &'a Value {
    let legs = document["traces"][0]["legs"].as_array().unwrap();
    legs.iter()
        .find(|leg| leg["consumer"] == format!("nats/ORDERS/{consumer}"))
        .expect("a leg of this consumer")
}

fn args(broker: &Broker, line: &str) -> Vec<String> {
    let mut args = vec!["trace".to_owned(), "--nats".to_owned(), broker.url()];
    args.extend(line.split(' ').map(str::to_owned));
    args
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_that_comes_while_it_is_traced_is_exact() {
    let broker = Broker::start(Config::jetstream());
    let (client, messages) = orders(&broker).await;
    let line = "--key user_id=42 --probe acks --for 8s --format json";
    let running = tokio::spawn(headwater::ended(args(&broker, line)));
    wait_until(SOON, "it listens", || async {
        let ask = json!({ "subscriptions": true });
        jet::request(&client, "$SYS.REQ.ACCOUNT.PING.CONNZ", &ask).await.to_string().contains("$JS.ACK.>")
    })
    .await;
    for message in &messages {
        message.double_ack().await.unwrap();
    }
    let document = running.await.unwrap().document();
    assert_valid(&document);
    let trace = &document["traces"][0];
    assert_eq!(
        (&trace["seq"], &trace["subject"], &trace["channel"]),
        (&json!(3), &json!("orders.created"), &json!("nats/ORDERS"))
    );
    assert_eq!(
        trace["headers"].as_object().unwrap().keys().collect::<Vec<_>>(),
        ["traceparent"],
        "secrets are not told"
    );
    let billing = leg(&document, "billing");
    assert_eq!(
        (&billing["state"], &billing["deliveries"]),
        (&json!("acknowledged"), &json!(1)),
        "{billing:#}"
    );
    assert!(billing["delay_ms"].as_f64().unwrap() > 0.0 && billing["error_ms"].as_f64().unwrap() < 1_000.0);
    assert_eq!(billing["steps"][0]["after_ms"], billing["delay_ms"]);
    assert_eq!(leg(&document, "legacy")["state"], "passed");
    assert_eq!(leg(&document, "refunds")["state"], "not_for_it");
    let shipping = leg(&document, "shipping");
    assert_eq!((&shipping["state"], &shipping["ahead"]), (&json!("waiting"), &json!(1)), "{shipping:#}");
    assert!(shipping["waiting_ms"].as_f64().unwrap() > billing["delay_ms"].as_f64().unwrap());
    assert_eq!(trace["convergence_ms"], Value::Null, "not everybody has it");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_told_as_a_table_and_as_spans() {
    let broker = Broker::start(Config::jetstream());
    let (_client, messages) = orders(&broker).await;
    let table = headwater::ended(args(&broker, "--stream ORDERS --seq 3 --for 0s")).await.out;
    for part in [
        "nats/ORDERS #3  orders.created",
        "passed",
        "in flight",
        "waiting behind 1",
        "its filter orders.refunded does not match",
    ] {
        assert!(table.contains(part), "{part} is not in\n{table}");
    }
    assert!(!table.contains("secret"), "{table}");
    let line = "--stream ORDERS --seq 3 --for 0s --format otlp-json";
    let spans = headwater::ended(args(&broker, line)).await.document();
    let stored = &spans["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    assert_eq!(stored["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!((&stored["parentSpanId"], &stored["kind"]), (&json!("00f067aa0ba902b7"), &json!(4)));
    assert_eq!(spans["resourceSpans"].as_array().unwrap().len(), 1, "nothing else was heard to end");
    drop(messages);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_found_says_how_far_it_looked() {
    let broker = Broker::start(Config::jetstream());
    let (client, _messages) = orders(&broker).await;
    for (line, code, told) in [
        (
            "--stream ORDERS --key user_id=99",
            1,
            "nats/ORDERS: a message with user_id=99 is not there (4 messages, ",
        ),
        ("--stream ORDERS --seq 77", 1, "nats/ORDERS: #77 is not there (1 message, 0 B read)"),
        ("--stream ORDRES --seq 1", 2, "no stream ORDRES; there are ORDERS"),
        ("--key user_id", 2, "--key user_id: write it as name=value, for example user_id=42"),
    ] {
        let ended = headwater::ended(args(&broker, line)).await;
        let error = ended.err;
        assert_eq!(ended.code, Some(code), "{line}: {error}");
        assert!(error.starts_with(&format!("headwater: {told}")), "{line}: {error}");
    }
    // More than one search reads: it says where to go on, and does.
    jet::publish(&client, "orders.paid", 300).await;
    let error = headwater::ended(args(&broker, "--stream ORDERS --key user_id=40")).await.err;
    assert!(error.contains("is not among those from #55 on (250 messages"), "{error}");
    assert!(error.contains("look further back with --before 55"), "{error}");
    let line = "--stream ORDERS --key user_id=40 --before 55 --for 0s --format json";
    let document = headwater::ended(args(&broker, line)).await.document();
    assert_eq!(
        (&document["traces"][0]["seq"], &document["searches"][0]["looked_at"]),
        (&json!(1), &json!(54))
    );
}

/// Publishes a message with headers and gives its position.
async fn send(
    client: &async_nats::Client,
    subject: &'static str,
    headers: &[(&'static str, &str)],
    body: Value,
) -> u64 {
    let mut told = async_nats::HeaderMap::new();
    headers.iter().for_each(|(name, value)| told.insert(*name, *value));
    let context = jetstream::new(client.clone());
    let sent = context.publish_with_headers(subject, told, body.to_string().into());
    sent.await.unwrap().await.unwrap().sequence
}

/// What came of an order: found by its trace behind more than one batch of other messages, by a causation id, and at second hand;
/// what was there before it and what belongs to another trace is not.
async fn what_came_of_an_order(broker: &Broker) {
    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const OTHER: &str = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";
    let client = broker.connect_as("test").await;
    let orders = jet::stream(&client, "ORDERS", &["orders.>"]).await;
    let direct = jetstream::stream::Config {
        name: "BILLING".into(),
        subjects: vec!["billing.>".into()],
        allow_direct: true,
        ..Default::default()
    };
    let invoices = jet::stream_with(&client, direct).await;
    jet::stream(&client, "MAIL", &["mail.>"]).await;
    let billing = jet::pull(&orders, "billing").await;
    let mailer = jet::pull(&invoices, "mailer").await;

    send(&client, "billing.issued", &[("traceparent", TRACE), ("ce-source", "/billing")], json!({})).await;
    let order = [("traceparent", TRACE), ("Nats-Msg-Id", "o-1"), ("ce-time", "2026-01-01T00:00:00Z")];
    let order = send(&client, "orders.created", &order, json!({ "order_id": "o-1", "version": 3 })).await;
    jet::fetch(&billing, 1).await[0].double_ack().await.unwrap();
    jet::publish(&client, "billing.noise", 230).await;
    send(&client, "billing.issued", &[("traceparent", OTHER)], json!({})).await;
    let issued = [("traceparent", TRACE), ("ce-source", "/billing")];
    let issued = send(&client, "billing.issued", &issued, json!({ "password": "secret" })).await;
    let kept = send(&client, "mail.kept", &[("Causation-Id", "o-1")], json!({})).await;
    let sent =
        send(&client, "mail.sent", &[("traceparent", TRACE), ("ce-source", "/mailer")], json!({})).await;
    for message in jet::fetch(&mailer, 233).await {
        message.double_ack().await.unwrap();
    }

    let line = format!("--stream ORDERS --seq {order} --for 60s --format json");
    let document = headwater::ended(args(broker, &line)).await.document();
    assert_valid(&document);
    let traces = document["traces"].as_array().unwrap();
    let first = &traces[0];
    assert_eq!((&first["fields"]["order_id"], &first["version"]), (&json!("o-1"), &json!("3")), "{first:#}");
    assert_eq!(first["committed"]["by"], "ce-time");
    assert!(first["committed"]["to_append_ms"].as_f64().unwrap() > 1e9, "{first:#}");
    let found: Vec<(&Value, &Value, &Value, &Value)> = traces
        .iter()
        .map(|trace| {
            (&trace["channel"], &trace["seq"], &trace["came_of"]["consumer"], &trace["came_of"]["by"])
        })
        .collect();
    let (same, caused) = (json!("the same trace"), json!("it names o-1 as its cause"));
    let (billing, mailer) = (json!("nats/ORDERS/billing"), json!("nats/BILLING/mailer"));
    assert_eq!(
        found,
        [
            (&json!("nats/ORDERS"), &json!(order), &Value::Null, &Value::Null),
            (&json!("nats/BILLING"), &json!(issued), &billing, &same),
            (&json!("nats/MAIL"), &json!(sent), &mailer, &same),
            (&json!("nats/MAIL"), &json!(kept), &Value::Null, &caused),
        ],
        "{document:#}"
    );
    let looked = first["looked"].as_array().unwrap();
    assert!(looked.iter().all(|one| one["caught_up"] == true && one["ended"] == Value::Null), "{looked:#?}");
    let messages = |stream: &str| {
        let one = looked.iter().find(|one| one["channel"] == stream);
        one.map(|one| one["messages"].as_u64().unwrap()).unwrap_or_default()
    };
    assert!((232..260).contains(&messages("nats/BILLING")), "{looked:#?}");
    let table = headwater::ended(args(broker, &format!("--stream ORDERS --seq {order} --for 30s"))).await.out;
    for part in [
        "came of nats/ORDERS #1 by billing: the same trace",
        "3 messages came of it; looked on BILLING, MAIL, ORDERS (",
        "order_id: o-1",
        "after it was decided (ce-time, on its sender's clock)",
    ] {
        assert!(table.contains(part), "{part} is not in\n{table}");
    }
    assert!(!table.contains("secret"), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_of_a_message_is_found_across_channels() {
    what_came_of_an_order(&Broker::start(Config::jetstream())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_of_a_message_is_found_where_messages_come_one_by_one() {
    let Some(broker) = Broker::start_old(Config::jetstream()) else { return };
    what_came_of_an_order(&broker).await;
}

/// What the channel removed before a consumer had it is missed; who had it before has passed it; who came later is not judged.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_removed_unread_is_missed() {
    let broker = Broker::start(Config::jetstream());
    let client = broker.connect_as("test").await;
    let config = jetstream::stream::Config {
        name: "ORDERS".into(),
        subjects: vec!["orders.>".into()],
        max_messages: 10,
        ..Default::default()
    };
    let orders = jet::stream_with(&client, config).await;
    let (quick, _slow) = (jet::pull(&orders, "quick").await, jet::pull(&orders, "slow").await);
    jet::publish(&client, "orders.created", 5).await;
    for message in jet::fetch(&quick, 5).await {
        message.double_ack().await.unwrap();
    }
    let mut questions = broker.connect_as("spy").await.subscribe("$JS.API.>").await.unwrap();
    let line = "--stream ORDERS --seq 3 --for 20s --format json";
    let running = tokio::spawn(headwater::ended(args(&broker, line)));
    // It is removed while it is followed, after its consumers were looked at since: the messages come only then.
    let mut looks = None;
    let looked = async {
        while let (Some(question), true) = (questions.next().await, looks != Some(2)) {
            match (&mut looks, question.subject.as_str()) {
                (None, "$JS.API.STREAM.MSG.GET.ORDERS") => looks = Some(0),
                (Some(looks), "$JS.API.CONSUMER.LIST.ORDERS") => *looks += 1,
                _ => {}
            }
        }
    };
    tokio::time::timeout(SOON, looked).await.expect("its consumers are looked at");
    jet::publish(&client, "orders.created", 12).await;
    let document = running.await.unwrap().document();
    assert_valid(&document);
    let slow = leg(&document, "slow");
    assert_eq!(slow["state"], "missed", "{slow:#}");
    assert_eq!(slow["why"], "removed before it was delivered; the channel keeps #8 and later");
    assert_eq!(leg(&document, "quick")["state"], "passed");
    // And whoever looks for it afterwards is told what is kept.
    let error = headwater::ended(args(&broker, "--stream ORDERS --seq 3")).await.err;
    assert!(error.contains("#3 is not there (1 message, 0 B read); it keeps #8 to #17"), "{error}");
    let error = headwater::ended(args(&broker, "--stream ORDERS --key user_id=1")).await.err;
    assert!(error.contains("what it had before #8 it no longer keeps"), "{error}");
    assert!(error.contains("its last message came"), "{error}");
}
