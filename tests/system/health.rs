//! The health source against endpoints that behave, misbehave, and do not answer at all.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use headwater::{
    model::{
        command::Command,
        id::{ServiceId, SourceId},
        observation::{Batch, HealthReport, HealthState, Observation, SourceReport, SourceState},
    },
    source::{
        Clock, Outbox,
        health::{self, Asker, Endpoint, Settings},
    },
};
use tokio::sync::{broadcast, mpsc, watch};

use crate::support::{ports::ClosedPort, tls::Certificates};

const SOON: Duration = Duration::from_secs(20);

/// Serves one canned answer to each connection; `None` never answers.
fn serve(answer: impl Into<Option<Vec<u8>>>) -> String {
    let answer: Option<Vec<u8>> = answer.into();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            match &answer {
                Some(bytes) => drop(reply(&mut stream, bytes)),
                None => kept.push(stream),
            }
        }
    });
    format!("http://127.0.0.1:{port}/health")
}

fn reply(stream: &mut (impl Read + Write), bytes: &[u8]) -> std::io::Result<()> {
    let mut request = [0; 4096];
    let mut read = 0;
    while !request[..read].windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut request[read..])? {
            0 => return Ok(()),
            n => read += n,
        }
    }
    stream.write_all(bytes)?;
    stream.flush()
}

fn http(status: u16, kind: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The source over some endpoints.
struct Watched {
    batches: mpsc::Receiver<Batch>,
    endpoints: watch::Sender<Vec<Endpoint>>,
    commands: broadcast::Sender<Command>,
    task: tokio::task::JoinHandle<()>,
    checks: BTreeMap<String, HealthReport>,
    source: Option<SourceReport>,
}

impl Watched {
    fn start(endpoints: Vec<Endpoint>, authority: Option<PathBuf>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (engine, batches) = mpsc::channel(64);
        let (endpoints, wanted) = watch::channel(endpoints);
        let (commands, _) = broadcast::channel(8);
        let outbox = Outbox::new(SourceId::from("health"), Clock::start(), engine);
        let heard = commands.subscribe();
        let asker = Asker::new(&Settings { authority }).unwrap();
        let task = tokio::spawn(health::run(asker, wanted, outbox, heard));
        Self { batches, endpoints, commands, task, checks: BTreeMap::new(), source: None }
    }

    /// Takes in batches until `enough`.
    async fn until(&mut self, what: &str, enough: impl Fn(&Self) -> bool) {
        let wait = async {
            while !enough(self) {
                let batch = self.batches.recv().await.unwrap();
                for observed in batch.observations {
                    match observed.what {
                        Observation::Health(report) => {
                            self.checks.insert(report.service.to_string(), *report);
                        }
                        Observation::Source(report) => self.source = Some(*report),
                        other => panic!("a health source says {other:?}"),
                    }
                }
            }
        };
        assert!(tokio::time::timeout(SOON, wait).await.is_ok(), "not within {SOON:?}: {what}");
    }

    fn said(&self, service: &str) -> (HealthState, &str) {
        let report = &self.checks[service];
        (report.state, &report.detail)
    }
}

fn endpoint(service: &str, url: &str) -> Endpoint {
    Endpoint {
        service: ServiceId::from(service),
        check: "ready".into(),
        url: url.into(),
        interval: Duration::from_millis(200),
        timeout: Duration::from_secs(2),
        applied: vec![("User".into(), "/feeds/user/version".into())],
    }
}

#[tokio::test]
async fn every_kind_of_endpoint_gets_one_clear_line() {
    let nobody = ClosedPort::new();
    let closed = nobody.number();
    let spring =
        r#"{"status":"DOWN","components":{"accounts-db":{"status":"DOWN","details":{"error":"refused"}}}}"#;
    let versions = r#"{"status":"UP","feeds":{"user":{"version":7}}}"#;
    let huge = format!("{{\"status\":\"DOWN\",\"pad\":\"{}\"}}", "x".repeat(1_000_000));
    let login = serve(http(200, "text/html", "<html>Sign in</html>")).replace("127.0.0.1", "localhost");
    let redirect =
        format!("HTTP/1.1 302 Found\r\nLocation: {login}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let long_wait = Duration::from_millis(300);
    let endpoints = vec![
        endpoint("plain", &serve(http(200, "text/plain", "ok"))),
        endpoint("spring", &serve(http(503, "application/json", spring))),
        endpoint("versions", &serve(http(200, "application/json", versions))),
        endpoint("garbage", &serve(b"\x00\x01\x02 what is this\r\n\r\n".to_vec())),
        endpoint("silent", &serve(Vec::new())),
        endpoint("huge", &serve(http(200, "application/json", &huge))),
        endpoint("redirect", &serve(redirect.into_bytes())),
        endpoint("refused", &format!("http://bob:hunter2@127.0.0.1:{closed}/health?token=hunter2")),
        endpoint("nonsense", "no address"),
        Endpoint { timeout: long_wait, ..endpoint("slow", &serve(None)) },
    ];
    let all = endpoints.len();
    let mut watched = Watched::start(endpoints, None);
    watched.until("every endpoint has an outcome", |w| w.checks.len() == all).await;

    assert_eq!(watched.said("plain"), (HealthState::Up, "200"));
    assert_eq!(watched.said("spring"), (HealthState::Down, "503, accounts-db: refused"));
    let part = &watched.checks["spring"].components[0];
    assert_eq!((&*part.name, part.state, &*part.detail), ("accounts-db", HealthState::Down, "refused"));
    assert_eq!(watched.checks["versions"].applied[&*"User".to_owned()], "7".into());
    assert_eq!(watched.said("huge"), (HealthState::Up, "200; its text is too long to read"));
    assert_eq!(watched.said("redirect"), (HealthState::Unknown, "302: redirected, and not followed"));
    assert_eq!(watched.said("slow"), (HealthState::Unreachable, "no answer within 300 ms"));
    assert_eq!(watched.said("refused"), (HealthState::Unreachable, "connection refused"));
    assert_eq!(watched.said("silent"), (HealthState::Unreachable, "connection closed before an answer"));
    assert_eq!(watched.said("garbage"), (HealthState::Unreachable, "not HTTP: invalid HTTP version parsed"));
    assert_eq!(watched.checks["nonsense"].state, HealthState::Unreachable);
    assert!(watched.checks["nonsense"].detail.starts_with("not an address that can be asked"));
    let refused = &watched.checks["refused"];
    assert_eq!(&*refused.url, format!("http://***@127.0.0.1:{closed}/health?token=***"));
    assert_eq!((watched.checks["plain"].latency.is_some(), refused.latency), (true, None));
    assert!(watched.checks.values().all(|report| !format!("{report:?}").contains("hunter2")));
}

#[tokio::test]
async fn the_source_tells_how_asking_goes_and_what_it_costs() {
    let closed = "http://127.0.0.1:1/health";
    let open = serve(http(200, "text/plain", "ok"));
    let mut watched = Watched::start(vec![endpoint("a", &open), endpoint("b", closed)], None);
    let state = |w: &Watched| w.source.as_ref().map(|source| source.state);
    watched.until("one of two answers", |w| state(w) == Some(SourceState::Degraded)).await;
    let source = watched.source.clone().unwrap();
    assert_eq!(source.error.as_deref(), Some("1 of 2 health endpoints do not answer from here"));
    assert_eq!((&*source.kind, &*source.address), ("health", "2 endpoints"));
    assert_eq!((source.load.budget_per_s, source.notes.values().next().map(|n| &**n)), (10, Some("1/2")));
    assert!(source.load.requests >= 2);

    // The declared endpoints change while it runs: the one that stays keeps its state.
    watched.endpoints.send(vec![endpoint("a", &open)]).unwrap();
    watched.until("all that is left answers", |w| state(w) == Some(SourceState::Up)).await;
    watched.endpoints.send(vec![endpoint("b", closed)]).unwrap();
    watched.until("nothing answers", |w| state(w) == Some(SourceState::Down)).await;
    assert_eq!(
        watched.source.clone().unwrap().error.as_deref(),
        Some("no health endpoint answers from here")
    );

    // It ends when nobody listens.
    watched.batches.close();
    assert!(tokio::time::timeout(SOON, watched.task).await.unwrap().is_ok());
}

#[tokio::test]
async fn an_endpoint_is_asked_at_once_on_command() {
    let open = serve(http(200, "text/plain", "ok"));
    let seldom = Endpoint { interval: Duration::from_secs(3600), ..endpoint("a", &open) };
    let mut watched = Watched::start(vec![seldom], None);
    watched.until("the first answer", |w| w.checks.contains_key("a")).await;
    watched.checks.clear();
    // The question may just be going back to sleep: ask until it is heard.
    let commands = watched.commands.clone();
    let nudge = tokio::spawn(async move {
        loop {
            commands.send(Command::Refresh).unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    watched.until("a second answer, an hour early", |w| w.checks.contains_key("a")).await;
    nudge.abort();
}

#[tokio::test]
async fn tls_endpoints_need_a_trusted_certificate() {
    let files = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(files.path());
    let url = serve_tls(&certificates);
    let mut strangers = Watched::start(vec![endpoint("a", &url)], None);
    strangers.until("an outcome", |w| w.checks.contains_key("a")).await;
    assert_eq!(
        strangers.said("a"),
        (HealthState::Unreachable, "TLS: its certificate's issuer is not trusted (give it with --tls-ca)")
    );

    let mut friends = Watched::start(vec![endpoint("a", &url)], Some(certificates.ca.clone()));
    friends.until("an outcome", |w| w.checks.contains_key("a")).await;
    assert_eq!(friends.said("a"), (HealthState::Up, "200"));

    let refused = |authority| Asker::new(&Settings { authority: Some(authority) }).unwrap_err().to_string();
    let error = refused(files.path().join("missing.pem"));
    assert!(error.starts_with("cannot read the certificates of --tls-ca "), "{error}");
    let error = refused(certificates.client_key);
    assert!(error.ends_with("has no PEM certificate in it"), "{error}");
}

fn serve_tls(certificates: &Certificates) -> String {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    let chain =
        CertificateDer::pem_file_iter(&certificates.server_cert).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(&certificates.server_key).unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let config = Arc::clone(&config);
            std::thread::spawn(move || answer_tls(stream, config));
        }
    });
    format!("https://127.0.0.1:{port}/health")
}

fn answer_tls(stream: TcpStream, config: Arc<rustls::ServerConfig>) {
    let session = rustls::ServerConnection::new(config).unwrap();
    let mut stream = rustls::StreamOwned::new(session, stream);
    let _ = reply(&mut stream, &http(200, "text/plain", "ok"));
    stream.conn.send_close_notify();
    let _ = stream.flush();
}
