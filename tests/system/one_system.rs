//! Two addresses of one system are one source; two systems, or two accounts of one, stay two.

use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Broker, Cluster, Config, User, headwater, jet};

/// `once` with these sources.
async fn look(sources: &[(&str, String)]) -> Value {
    let mut args = vec!["once".to_owned(), "--format".into(), "json".into(), "--for".into(), "2s".into()];
    for (name, url) in sources {
        args.extend(["--nats".to_owned(), format!("{name}={url}")]);
    }
    headwater::ended(args).await.document()
}

fn ids<'a>(document: &'a Value, list: &str) -> Vec<&'a str> {
    document[list].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect()
}

fn why_not<'a>(document: &'a Value, what: &str) -> Vec<&'a str> {
    let rows = document["not_watched"].as_array().unwrap().iter();
    rows.filter(|row| row["what"] == what).map(|row| row["why"].as_str().unwrap()).collect()
}

const ONCE: [&str; 1] = ["same cluster and account as a; shown once"];

#[tokio::test(flavor = "multi_thread")]
async fn one_server_given_twice_is_shown_once() {
    let broker = Broker::start(Config::jetstream());
    let client = broker.connect_as("orders").await;
    jet::pull(&jet::stream(&client, "ORDERS", &["orders.>"]).await, "billing").await;
    let by_name = broker.url().replace("127.0.0.1", "localhost");
    let document = look(&[("a", broker.url()), ("b", by_name)]).await;
    assert_eq!(ids(&document, "sources"), ["a"]);
    assert_eq!(ids(&document, "channels"), ["a/ORDERS"]);
    assert_eq!(ids(&document, "consumers"), ["a/ORDERS/billing"]);
    assert_eq!(why_not(&document, "b"), ONCE);
    assert_eq!(headwater::row(&document, "sources", "a")["state"], "up");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_old_server_given_twice_is_shown_once() {
    let Some(broker) = Broker::start_old(Config::jetstream()) else { return };
    let document = look(&[("a", broker.url()), ("b", broker.url())]).await;
    assert_eq!(ids(&document, "sources"), ["a"]);
    assert_eq!(why_not(&document, "b"), ONCE);
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_of_one_cluster_are_one_source() {
    let cluster = Cluster::start(&Config::jetstream());
    let client = async_nats::connect(cluster.urls()).await.unwrap();
    jet::stream(&client, "ORDERS", &["orders.>"]).await;
    let urls = cluster.urls();
    let document = look(&[("a", urls[0].clone()), ("b", urls[1].clone()), ("c", urls[2].clone())]).await;
    assert_eq!(ids(&document, "sources"), ["a"]);
    assert_eq!(ids(&document, "channels"), ["a/ORDERS"]);
    for other in ["b", "c"] {
        assert_eq!(why_not(&document, other), ONCE);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_whose_connections_may_not_be_listed_are_known_by_their_cluster() {
    let narrow = User::new("app", "secret").may_not_publish(&["$SYS.>"]);
    let cluster = Cluster::start(&Config::jetstream().user(narrow));
    let urls: Vec<String> = cluster.nodes.iter().map(|node| node.url_as("app", "secret")).collect();
    let document = look(&[("a", urls[0].clone()), ("b", urls[1].clone())]).await;
    assert_eq!(ids(&document, "sources"), ["a"]);
    assert_eq!(why_not(&document, "b"), ONCE);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_accounts_and_two_servers_stay_two() {
    let users = Config::jetstream()
        .user(User::new("app", "secret"))
        .user(User::new("second", "secret"))
        .user(User::new("other", "secret").account("OTHER"));
    let broker = Broker::start(users);
    let document = look(&[
        ("a", broker.url_as("app", "secret")),
        ("b", broker.url_as("other", "secret")),
        ("c", broker.url_as("second", "secret")),
    ])
    .await;
    assert_eq!(ids(&document, "sources"), ["a", "b"], "one account is seen by two users");
    assert_eq!(why_not(&document, "c"), ONCE);

    // Every server without accounts calls its only one by the same name.
    let (one, two) = (Broker::start(Config::jetstream()), Broker::start(Config::jetstream()));
    let document = look(&[("a", one.url()), ("b", two.url())]).await;
    assert_eq!(ids(&document, "sources"), ["a", "b"]);
    assert_eq!(document["not_watched"], serde_json::json!([]));
}

/// `once` with these monitoring endpoints alone.
async fn monitor(endpoints: &[String]) -> Value {
    let mut args = vec!["once".to_owned(), "--format".into(), "json".into(), "--for".into(), "2s".into()];
    args.extend(endpoints.iter().flat_map(|endpoint| ["--monitor".to_owned(), endpoint.clone()]));
    headwater::ended(args).await.document()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_server_monitored_twice_is_shown_once() {
    let several = Config::jetstream()
        .user(User::new("app", "secret"))
        .user(User::new("other", "secret").account("OTHER"));
    for config in [Config::jetstream(), several] {
        let broker = Broker::start(config);
        jet::pull(&jet::stream(&broker.connect().await, "ORDERS", &["orders.>"]).await, "billing").await;
        let (url, named) = (broker.monitor_url(), broker.monitor_url().replace("127.0.0.1", "localhost"));
        let document = monitor(&[format!("a={url}"), format!("b={named}")]).await;
        assert_eq!(ids(&document, "sources"), ["a"]);
        assert_eq!(ids(&document, "consumers"), ["a/ORDERS/billing"]);
        assert_eq!(why_not(&document, "b"), ONCE);
        // Of one source they are one server too.
        let document = monitor(&[url, named]).await;
        assert_eq!(ids(&document, "consumers"), ["nats/ORDERS/billing"]);
    }
    let (one, two) = (Broker::start(Config::jetstream()), Broker::start(Config::jetstream()));
    let document = monitor(&[format!("a={}", one.monitor_url()), format!("b={}", two.monitor_url())]).await;
    assert_eq!(ids(&document, "sources"), ["a", "b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_monitored_and_connected_to_is_shown_once() {
    let broker = Broker::start(Config::jetstream());
    jet::pull(&jet::stream(&broker.connect().await, "ORDERS", &["orders.>"]).await, "billing").await;
    let directory = tempfile::tempdir().unwrap();
    let system = format!(
        "headwater: 1\nsystem: store\nbrokers:\n  - {{ id: a, kind: nats, servers: [\"{}\"] }}\n  \
         - {{ id: b, kind: nats, servers: [], monitor: \"{}\" }}\n",
        broker.url(),
        broker.monitor_url()
    );
    std::fs::write(directory.path().join("system.yaml"), system).unwrap();
    let path = directory.path().to_str().unwrap();
    let args = ["once", "--format", "json", "--for", "2s", "--topology", path];
    let document = headwater::ended(args).await.document();
    assert_eq!(ids(&document, "consumers"), ["a/ORDERS/billing"], "{document:#}");
    assert_eq!(why_not(&document, "b"), ONCE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_address_that_comes_up_late_steps_aside() {
    let broker = Broker::start(Config::jetstream());
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    drop(silent);
    let (early, late) = (format!("b={}", broker.url()), format!("a=nats://127.0.0.1:{port}"));
    let args = ["--every".to_owned(), "200ms".into(), "--nats".into(), late, "--nats".into(), early];
    headwater::beside(move || {
        let mut stream = headwater::Stream::start(&args.iter().map(String::as_str).collect::<Vec<_>>());
        stream.until(50, "the second is watched", |document| ids(document, "sources") == ["a", "b"]);
        let _way = Way::open(port, &broker);
        let document =
            stream.until(100, "the late one steps aside", |document| ids(document, "sources") == ["b"]);
        assert_eq!(why_not(&document, "a"), ["same cluster and account as b; shown once"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_stepped_aside_takes_over_when_the_other_is_lost_for_good() {
    let broker = Broker::start(Config::jetstream());
    let client = broker.connect_as("orders").await;
    jet::pull(&jet::stream(&client, "ORDERS", &["orders.>"]).await, "billing").await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let way = Way::open(port, &broker);
    let (one, two) = (format!("a=nats://127.0.0.1:{port}"), format!("b={}", broker.url()));
    headwater::beside(move || {
        let args = ["--every", "200ms", "--nats", &one, "--nats", &two];
        let mut stream = headwater::Stream::start(&args);
        let watched = |document: &Value, source: &str| {
            ids(document, "sources") == [source]
                && ids(document, "consumers") == [format!("{source}/ORDERS/billing")]
        };
        let first = stream.until(50, "the first named watches", |document| watched(document, "a"));
        assert_eq!(why_not(&first, "b"), ONCE);
        way.cut();
        stream.until(50, "the first is lost", |document| document["sources"][0]["state"] == "down");
        let over = stream.until(300, "the second takes over", |document| watched(document, "b"));
        assert_eq!(why_not(&over, "a"), ["same cluster and account as b; shown once"]);
        assert_eq!(headwater::row(&over, "sources", "b")["state"], "up");
        // Whoever has taken the place keeps it.
        let _way = Way::open(port, &broker);
        for _ in 0..40 {
            assert!(watched(&stream.next(), "b"));
        }
    })
    .await;
}

/// Another address of the same server: hands every byte through, until it is cut.
struct Way {
    port: u16,
    cut: Arc<AtomicBool>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
    listening: std::thread::JoinHandle<()>,
}

impl Way {
    fn open(port: u16, broker: &Broker) -> Self {
        let upstream = ("127.0.0.1", broker.port());
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let (cut, streams) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (ends, taken) = (Arc::clone(&cut), Arc::clone(&streams));
        let listening = std::thread::spawn(move || {
            for client in listener.incoming() {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(upstream)) else { continue };
                taken.lock().unwrap().extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
                let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
                for (mut from, mut to) in [(client, server), back] {
                    from.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
                    std::thread::spawn(move || std::io::copy(&mut from, &mut to));
                }
            }
        });
        Self { port, cut, streams, listening }
    }

    fn cut(self) {
        self.cut.store(true, Ordering::SeqCst);
        // The listener waits for a connection: this one is its last.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        self.listening.join().unwrap();
        for stream in self.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}
