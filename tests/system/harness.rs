//! The harness itself: every kind of server that other tests ask for comes up and lets its users in.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Broker, Cluster, Config, User, http, jet, jwt::Operator, tls::Certificates, wait_for};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn new_server_has_jetstream_and_monitoring() {
    let broker = Broker::start(Config::jetstream());
    let client = broker.connect().await;
    assert_eq!(client.server_info().version, "2.15.1");

    let stream = jet::stream(&client, "ORDERS", &["orders.>"]).await;
    let consumer = jet::pull(&stream, "billing").await;
    jet::publish(&client, "orders.created", 10).await;
    for message in jet::fetch(&consumer, 4).await {
        message.double_ack().await.unwrap();
    }
    let info = jet::consumer_info(&client, "ORDERS", "billing").await;
    assert_eq!((&info["num_pending"], &info["num_ack_pending"]), (&json!(6), &json!(0)));

    let jsz = http::get_json(broker.monitor_port(), "/jsz").unwrap();
    assert_eq!((&jsz["streams"], &jsz["consumers"], &jsz["messages"]), (&json!(1), &json!(1), &json!(10)));
}

#[tokio::test]
async fn old_server_starts() {
    let Some(broker) = Broker::start_old(Config::jetstream()) else { return };
    let client = broker.connect().await;
    assert!(client.server_info().version.starts_with("2.9."));
    jet::stream(&client, "ORDERS", &["orders.>"]).await;
    jet::publish(&client, "orders.created", 3).await;
    assert_eq!(jet::stream_info(&client, "ORDERS").await["state"]["messages"], 3);
}

#[tokio::test]
async fn restart_keeps_port_and_store() {
    let mut broker = Broker::start(Config::jetstream());
    let port = broker.port();
    {
        let client = broker.connect().await;
        jet::stream(&client, "ORDERS", &["orders.>"]).await;
        jet::publish(&client, "orders.created", 5).await;
    }
    broker.kill();
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err(), "the port is closed");
    broker.restart();
    assert_eq!(broker.port(), port);
    let client = broker.connect().await;
    assert_eq!(jet::stream_info(&client, "ORDERS").await["state"]["messages"], 5);
    broker.stop();
    broker.restart();
    let client = broker.connect().await;
    assert_eq!(jet::stream_info(&client, "ORDERS").await["state"]["messages"], 5);
}

#[tokio::test]
async fn users_are_restricted_and_the_system_account_sees_the_server() {
    let broker = Broker::start(
        Config::jetstream()
            .user(User::new("app", "secret"))
            .user(User::new("limited", "secret").may_not_publish(&["$JS.API.>"]))
            .system_account(),
    );
    let app = broker.connect().await;
    jet::stream(&app, "ORDERS", &["orders.>"]).await;

    let limited = async_nats::ConnectOptions::with_user_and_password("limited".into(), "secret".into())
        .request_timeout(Some(Duration::from_millis(200)));
    let limited = broker.connect_with(limited).await;
    assert!(limited.request("$JS.API.STREAM.LIST", "".into()).await.is_err());

    let system = broker.connect_system().await;
    let answer = jet::request(&system, "$SYS.REQ.SERVER.PING.VARZ", &Value::Null).await;
    assert_eq!(answer["data"]["port"], json!(broker.port()));

    let wrong = async_nats::ConnectOptions::with_user_and_password("app".into(), "wrong".into());
    assert!(wrong.connect(broker.url()).await.is_err());
}

#[tokio::test]
async fn without_users_a_system_account_leaves_everybody_else_in_app() {
    let broker = Broker::start(Config::jetstream().system_account());
    let client = broker.connect().await;
    jet::stream(&client, "ORDERS", &["orders.>"]).await;
    let system = broker.connect_system().await;
    let answer = jet::request(&system, "$SYS.REQ.SERVER.PING.JSZ", &Value::Null).await;
    assert_eq!(answer["data"]["streams"], 1);
}

#[tokio::test]
async fn tokens_nkeys_and_creds_open_the_door() {
    let broker = Broker::start(Config::core().token("s3cret"));
    broker.connect().await;
    assert!(async_nats::connect(broker.url()).await.is_err());

    let key = nkeys::KeyPair::new_user();
    let broker = Broker::start(Config::core().nkey(&key.public_key()));
    broker.connect_with(async_nats::ConnectOptions::with_nkey(key.seed().unwrap())).await;
    assert!(async_nats::connect(broker.url()).await.is_err());

    let operator = Operator::make();
    let broker = Broker::start(Config::jetstream().operator(operator.clone()));
    let client = broker.connect().await;
    jet::stream(&client, "ORDERS", &["orders.>"]).await;
    let system = async_nats::ConnectOptions::with_credentials(&operator.system_creds).unwrap();
    let system = broker.connect_with(system).await;
    jet::request(&system, "$SYS.REQ.SERVER.PING.VARZ", &Value::Null).await;
    assert!(async_nats::connect(broker.url()).await.is_err());
}

#[tokio::test]
async fn tls_with_client_certificates_and_handshake_first() {
    let files = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(files.path());
    let broker = Broker::start(Config::core().tls(certificates.clone()).verify_client());
    broker.connect().await;
    let no_certificate =
        async_nats::ConnectOptions::new().require_tls(true).add_root_certificates(certificates.ca.clone());
    assert!(no_certificate.connect(broker.url()).await.is_err());

    let broker = Broker::start(Config::core().tls(certificates).tls_first());
    broker.connect().await;
}

#[tokio::test]
async fn three_nodes_replicate() {
    let mut cluster = Cluster::start(&Config::jetstream());
    let client = async_nats::connect(cluster.urls()).await.unwrap();
    let stream = jet::stream_with(
        &client,
        async_nats::jetstream::stream::Config {
            name: "ORDERS".to_owned(),
            subjects: vec!["orders.>".to_owned()],
            num_replicas: 3,
            ..Default::default()
        },
    )
    .await;
    jet::publish(&client, "orders.created", 5).await;
    let leader = stream.cached_info().cluster.as_ref().unwrap().leader.clone().unwrap();
    cluster.node(&leader).kill();

    let survivor = ["n1", "n2", "n3"].into_iter().find(|name| *name != leader).unwrap();
    let client = async_nats::connect(cluster.node(survivor).url()).await.unwrap();
    let new_leader = wait_for(SOON, "another node leads the stream", || async {
        let answer = client.request("$JS.API.STREAM.INFO.ORDERS", "".into()).await;
        let answer = answer.map_err(|error| error.to_string())?;
        let info: Value = serde_json::from_slice(&answer.payload).map_err(|error| error.to_string())?;
        match info["cluster"]["leader"].as_str() {
            Some(name) if name != leader && info["state"]["messages"] == 5 => Ok(name.to_owned()),
            _ => Err(info.to_string()),
        }
    })
    .await;
    assert_ne!(new_leader, leader);
    cluster.node(&leader).restart();
    cluster.wait_for_meta_leader();
}
