//! The sample store on a real broker: everything declared is there, everything flows, faults have their effect and
//! end, and nothing is left behind.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_nats::service::ServiceExt as _;
use futures_util::StreamExt as _;
use headwater::{
    demo::{
        sample,
        scenario::{STORE, STORE_FILE, Scenario, load},
        store::{Store, plan::Plan},
    },
    model::{command::Command, id::SourceId},
    source::nats::options::NatsOptions,
    topology::{Topology, declared::Address},
};
use serde_json::{Value, json};
use tokio::sync::broadcast;

use crate::support::{Broker, Config, http, jet, wait_for};

/// The whole store on a machine that is busy beside it: long, and never waited for when all is well.
const SOON: Duration = Duration::from_secs(180);

fn topology() -> Topology {
    sample::load().topology.unwrap()
}

/// The shipped scenario with faults by hand alone.
fn quiet() -> Scenario {
    let mut scenario = load::read(STORE_FILE, STORE, &load::Known::of(&topology())).unwrap();
    for fault in &mut scenario.faults {
        fault.start = None;
    }
    scenario
}

/// An open store on a broker of its own.
struct Open {
    broker: Broker,
    client: async_nats::Client,
    store: Store,
    commands: broadcast::Sender<Command>,
    plan: Plan,
    topology: Topology,
}

async fn open(scenario: Scenario) -> Open {
    open_on(Broker::start(Config::jetstream()), scenario).await
}

async fn open_on(broker: Broker, scenario: Scenario) -> Open {
    let client = broker.connect_as("observer").await;
    let mut topology = topology();
    let plan = Plan::of(&topology, "main");
    let (commands, heard) = broadcast::channel(8);
    let scenario = Arc::new(scenario);
    let store = Store::open(plan.clone(), options(&broker), scenario, heard).await.unwrap();
    store.relocate(&mut topology, "main", vec![Address::new(broker.url())], None);
    Open { broker, client, store, commands, plan, topology }
}

fn options(broker: &Broker) -> NatsOptions {
    NatsOptions::new(SourceId::from("main"), &broker.url()).unwrap()
}

impl Open {
    fn fault(&self, id: &str, on: bool) {
        self.commands.send(Command::Fault { id: id.into(), on }).unwrap();
    }

    async fn consumer(&self, stream: &str, name: &str) -> Value {
        jet::consumer_info(&self.client, stream, name).await
    }

    /// Status code and body of a service's health endpoint.
    fn health(&self, service: &str) -> Result<Value, String> {
        let url = self.topology.services[service].health[0].url.secret().to_owned();
        let (port, path) = url.strip_prefix("http://127.0.0.1:").unwrap().split_once('/').unwrap();
        http::get_json(port.parse().unwrap(), &format!("/{path}"))
    }

    /// Requests and errors of an operation, as its micro service tells them; waits until there is one.
    async fn requests(&self, service: &str, operation: &str) -> (u64, u64) {
        wait_for(SOON, &format!("{service} tells of {operation}"), || async {
            let stats = self.client.request(format!("$SRV.STATS.{service}"), "".into()).await;
            let stats = stats.map_err(|error| error.to_string())?;
            let stats: Value = serde_json::from_slice(&stats.payload).unwrap();
            let mut endpoints = stats["endpoints"].as_array().unwrap().iter();
            let endpoint = endpoints.find(|endpoint| endpoint["subject"] == operation);
            let endpoint = endpoint.ok_or_else(|| stats.to_string())?;
            Ok((number(&endpoint["num_requests"]), number(&endpoint["num_errors"])))
        })
        .await
    }

    /// Names of all open connections.
    fn connections(&self) -> BTreeSet<String> {
        let connz = http::get_json(self.broker.monitor_port(), "/connz").unwrap();
        let names = connz["connections"].as_array().unwrap().iter();
        names.filter_map(|connection| connection["name"].as_str().map(str::to_owned)).collect()
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no number: {value}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_declared_is_there_and_everything_flows() {
    let open = open(quiet()).await;
    for (stream, subjects) in &open.plan.streams {
        let info = jet::stream_info(&open.client, stream).await;
        let found: BTreeSet<&str> =
            info["config"]["subjects"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(found, subjects.iter().map(|subject| &**subject).collect(), "{stream}");
    }
    assert_eq!(open.plan.consumers.len(), 22);
    let sent = open.client.subscribe("notifications.sent").await.unwrap();
    for durable in &open.plan.consumers {
        let what = format!("{}/{} is read", durable.stream, durable.name);
        let info = wait_for(SOON, &what, || async {
            let info = open.consumer(&durable.stream, &durable.name).await;
            match info["ack_floor"]["stream_seq"].as_u64() {
                Some(1..) => Ok(info),
                _ => Err(info.to_string()),
            }
        })
        .await;
        let deliver = info["config"]["deliver_subject"].as_str();
        assert_eq!(deliver, durable.deliver_subject.as_deref(), "{what}");
        assert_eq!(info["config"]["deliver_group"].as_str(), durable.queue.as_deref(), "{what}");
    }
    // Every subject, and not only every stream: what is rare included.
    for (stream, subjects) in &open.plan.streams {
        wait_for(SOON, &format!("every subject of {stream} is published"), || async {
            let query = json!({"subjects_filter": ">"});
            let info = jet::request(&open.client, &format!("$JS.API.STREAM.INFO.{stream}"), &query).await;
            let seen: BTreeSet<&str> =
                info["state"]["subjects"].as_object().unwrap().keys().map(String::as_str).collect();
            let missing: Vec<_> = subjects.iter().filter(|subject| !seen.contains(&***subject)).collect();
            if missing.is_empty() { Ok(()) } else { Err(format!("{missing:?}")) }
        })
        .await;
    }
    let notification = futures_util::StreamExt::next(&mut { sent }).await.unwrap();
    let headers = notification.headers.unwrap();
    assert_eq!(headers.get("ce-source").unwrap().as_str(), "/notifications");
    assert_eq!(headers.get("ce-type").unwrap().as_str(), "NotificationSent");
    assert!(headers.get("traceparent").is_some());

    let names: Vec<String> = open.connections().into_iter().filter(|name| name.contains('-')).collect();
    assert_eq!(
        names,
        [
            "accounts-1",
            "analytics-1",
            "analytics-2",
            "billing-1",
            "catalog-1",
            "gateway-1",
            "inventory-1",
            "notifications-1",
            "notifications-2",
            "orders-1",
            "search-1",
            "shipping-1"
        ]
    );
    for (service, operation) in [
        ("accounts", "accounts.session.check"),
        ("accounts", "accounts.user.get"),
        ("billing", "billing.payment.authorize"),
        ("catalog", "catalog.product.get"),
        ("orders", "orders.order.place"),
        ("search", "search.product.find"),
    ] {
        wait_for(SOON, operation, || async {
            match open.requests(service, operation).await {
                (1.., _) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }
    for service in open.plan.services.values() {
        assert_eq!(open.health(service.id.as_str()).unwrap()["status"], "UP", "{}", service.id);
    }
    assert!(number(&open.health("billing").unwrap()["feeds"]["user"]["version"]) > 0);

    // Nothing is left of it.
    let Open { broker, client, store, .. } = open;
    assert_eq!(store.close().await, Vec::<headwater::model::id::Name>::new());
    let jsz = http::get_json(broker.monitor_port(), "/jsz").unwrap();
    assert_eq!((&jsz["streams"], &jsz["consumers"]), (&json!(0), &json!(0)));
    let connz = http::get_json(broker.monitor_port(), "/connz").unwrap();
    assert_eq!(connz["num_connections"], 1, "{connz}");
    drop(client);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_service_falls_behind_and_recovers() {
    let open = open(quiet()).await;
    let lag = || async {
        let info = open.consumer("ORDERS", "billing").await;
        number(&info["num_pending"]) + number(&info["num_ack_pending"])
    };
    open.fault("billing-slow", true);
    wait_for(SOON, "billing falls behind", || async {
        match lag().await {
            60.. => Ok(()),
            n => Err(format!("{n} behind")),
        }
    })
    .await;
    open.fault("billing-slow", false);
    wait_for(SOON, "billing has caught up", || async {
        match lag().await {
            0..=5 => Ok(()),
            n => Err(format!("{n} behind")),
        }
    })
    .await;
    open.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_stops_and_returns() {
    let open = open(quiet()).await;
    let joined = |yes: bool| {
        let connections = open.connections();
        if connections.iter().any(|name| name.starts_with("notifications-")) == yes {
            Ok(())
        } else {
            Err(format!("{connections:?}"))
        }
    };
    wait_for(SOON, "notifications joins", || async { joined(true) }).await;
    open.fault("notifications-stop", true);
    wait_for(SOON, "notifications leaves", || async { joined(false) }).await;
    wait_for(SOON, "its health endpoint is closed", || async {
        open.health("notifications").map_or_else(|_| Ok(()), |body| Err(body.to_string()))
    })
    .await;
    wait_for(SOON, "messages wait for it", || async {
        let info = open.consumer("SHIPPING", "notifications").await;
        match number(&info["num_pending"]) {
            10.. => Ok(()),
            n => Err(format!("{n} wait")),
        }
    })
    .await;
    open.fault("notifications-stop", false);
    wait_for(SOON, "notifications returns", || async { joined(true) }).await;
    wait_for(SOON, "it catches up", || async {
        let info = open.consumer("SHIPPING", "notifications").await;
        match number(&info["num_pending"]) {
            0..3 => Ok(()),
            n => Err(format!("{n} wait")),
        }
    })
    .await;
    wait_for(SOON, "its health endpoint answers again", || async { open.health("notifications").map(drop) })
        .await;
    open.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_given_up() {
    let mut scenario = quiet();
    if let Some(reading) = scenario.reads.get_mut("BILLING/notifications") {
        reading.retry_after = Duration::from_millis(50);
    }
    let open = open(scenario).await;
    let subject = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.BILLING.notifications";
    let mut given_up = open.client.subscribe(subject).await.unwrap();
    open.client.flush().await.unwrap();
    open.fault("poison", true);
    let mut sequences = BTreeSet::new();
    for _ in 0..3 {
        let next = futures_util::StreamExt::next(&mut given_up);
        let advisory = tokio::time::timeout(SOON, next).await.unwrap().unwrap();
        let advisory: Value = serde_json::from_slice(&advisory.payload).unwrap();
        assert_eq!(advisory["deliveries"], 5);
        sequences.insert(number(&advisory["stream_seq"]));
    }
    assert_eq!(sequences.len(), 3, "three messages, as ordered");
    open.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_down_makes_callers_fail() {
    let open = open(quiet()).await;
    let errors = |service: &'static str, operation: &'static str| {
        let open = &open;
        async move { open.requests(service, operation).await.1 }
    };
    open.fault("accounts-down", true);
    let body = wait_for(SOON, "accounts says that it is down", || async {
        let body = open.health("accounts")?;
        if body["status"] == "DOWN" { Ok(body) } else { Err(body.to_string()) }
    })
    .await;
    assert_eq!(body["components"]["accounts-db"]["details"]["error"], "connection refused");
    let before = [
        errors("accounts", "accounts.user.get").await,
        errors("billing", "billing.payment.authorize").await,
        errors("orders", "orders.order.place").await,
    ];
    wait_for(SOON, "the chain fails", || async {
        let now = [
            errors("accounts", "accounts.user.get").await,
            errors("billing", "billing.payment.authorize").await,
            errors("orders", "orders.order.place").await,
        ];
        if now.iter().zip(before).all(|(now, before)| *now >= before + 5) {
            Ok(())
        } else {
            Err(format!("{now:?}"))
        }
    })
    .await;
    open.fault("accounts-down", false);
    wait_for(SOON, "accounts is up again", || async {
        let body = open.health("accounts")?;
        if body["status"] == "UP" { Ok(()) } else { Err(body.to_string()) }
    })
    .await;
    let created = number(&jet::stream_info(&open.client, "ORDERS").await["state"]["last_seq"]);
    wait_for(SOON, "orders are placed again", || async {
        let now = number(&jet::stream_info(&open.client, "ORDERS").await["state"]["last_seq"]);
        if now > created + 10 { Ok(()) } else { Err(format!("{now}")) }
    })
    .await;
    open.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_brings_more_orders() {
    let open = open(quiet()).await;
    let rate = || async {
        let (before, _) = open.requests("orders", "orders.order.place").await;
        let began = std::time::Instant::now();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (after, _) = open.requests("orders", "orders.order.place").await;
        (after - before) as f64 / began.elapsed().as_secs_f64()
    };
    wait_for(SOON, "orders are placed", || async {
        let rate = rate().await;
        if rate > 5.0 { Ok(()) } else { Err(format!("{rate}/s")) }
    })
    .await;
    open.fault("burst", true);
    // 18/s become 108/s.
    wait_for(SOON, "many more orders", || async {
        let rate = rate().await;
        if rate > 60.0 { Ok(()) } else { Err(format!("{rate}/s")) }
    })
    .await;
    open.fault("burst", false);
    wait_for(SOON, "as before", || async {
        let rate = rate().await;
        if rate < 40.0 { Ok(()) } else { Err(format!("{rate}/s")) }
    })
    .await;
    open.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_refuses_where_one_of_its_names_is_taken_and_touches_nothing() {
    let broker = Broker::start(Config::jetstream());
    let client = broker.connect().await;
    jet::stream(&client, "ORDERS", &["some.orders"]).await;
    let try_open = || async {
        let plan = Plan::of(&topology(), "main");
        let (_commands, heard) = broadcast::channel(8);
        let store = Store::open(plan, options(&broker), Arc::new(quiet()), heard).await;
        store.err().map(|error| error.to_string())
    };
    assert_eq!(
        try_open().await.unwrap(),
        "the broker has streams of the demo's names already: ORDERS; the demo would write into them, so it does not \
         start (use another broker or account)"
    );
    let jsz = http::get_json(broker.monitor_port(), "/jsz").unwrap();
    assert_eq!((&jsz["streams"], &jsz["consumers"]), (&json!(1), &json!(0)));

    // A subject that somebody else's stream captures: what was made before is taken back.
    let context = async_nats::jetstream::new(client.clone());
    context.delete_stream("ORDERS").await.unwrap();
    jet::stream(&client, "THEIRS", &["orders.created"]).await;
    let why = try_open().await.unwrap();
    assert!(why.starts_with("the broker would not make the stream ORDERS: "), "{why}");
    let jsz = http::get_json(broker.monitor_port(), "/jsz").unwrap();
    assert_eq!((&jsz["streams"], &jsz["consumers"]), (&json!(1), &json!(0)));

    let core = Broker::start(Config::core());
    let (_commands, heard) = broadcast::channel(8);
    let plan = Plan::of(&topology(), "main");
    let error = Store::open(plan, options(&core), Arc::new(quiet()), heard).await.err().unwrap();
    assert_eq!(error.to_string(), "the broker has no JetStream for this user: it is not enabled");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_refuses_where_somebody_listens_under_its_names_and_sends_nothing() {
    let broker = Broker::start(Config::jetstream());
    let client = broker.connect_as("theirs").await;
    let why = || async {
        let plan = Plan::of(&topology(), "main");
        let (_commands, heard) = broadcast::channel(8);
        let store = Store::open(plan, options(&broker), Arc::new(quiet()), heard).await;
        let why = store.err().map(|error| error.to_string()).unwrap();
        let jsz = http::get_json(broker.monitor_port(), "/jsz").unwrap();
        assert_eq!(jsz["streams"], json!(0), "{why}");
        why
    };
    let mut heard = client.subscribe("accounts.user.get").await.unwrap();
    client.flush().await.unwrap();
    assert_eq!(
        why().await,
        "the broker has names of the demo's already: a subscription to accounts.user.get by theirs; the demo would call \
         and feed what is not its own, so it does not start (use another broker or account)"
    );
    heard.unsubscribe().await.unwrap();
    assert!(heard.next().await.is_none(), "nothing was sent there");

    let service = client.service_builder().start("accounts", "1.0.0").await.unwrap();
    let _endpoint = service.endpoint("theirs.get").await.unwrap();
    client.flush().await.unwrap();
    let why = why().await;
    assert!(
        why.starts_with("the broker has names of the demo's already: a micro service accounts; the demo"),
        "{why}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn it_runs_on_the_old_server_too() {
    let Some(broker) = Broker::start_old(Config::jetstream()) else { return };
    let open = open_on(broker, quiet()).await;
    wait_for(SOON, "the consumer with three filters reads all three", || async {
        let info = open.consumer("ORDERS", "analytics").await;
        match number(&info["ack_floor"]["stream_seq"]) {
            10.. => Ok(()),
            n => Err(format!("{n}")),
        }
    })
    .await;
    assert_eq!(open.store.close().await, Vec::<headwater::model::id::Name>::new());
}
