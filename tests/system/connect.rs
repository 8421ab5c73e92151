//! Every way to sign in, against real servers; and one clear line when it fails.

use std::path::Path;

use headwater::{
    model::id::SourceId,
    source::nats::{
        context,
        options::{Auth, FailureKind, NatsOptions, TlsOptions},
        secret::Secret,
    },
};

use crate::support::{Broker, Config, User, jwt::Operator, tls::Certificates};

fn options(servers: &str) -> NatsOptions {
    NatsOptions::new(SourceId::from("nats"), servers).unwrap()
}

/// Signs in and sends something there and back, so that the server has really let us in.
async fn works(options: &NatsOptions) {
    let client = options.connect(|_| {}).await.unwrap_or_else(|error| panic!("{error}"));
    client.flush().await.unwrap();
    assert_eq!(client.connection_state(), async_nats::connection::State::Connected);
}

async fn fails(options: &NatsOptions) -> (FailureKind, String) {
    let error = options.connect(|_| {}).await.map(|_| ()).unwrap_err();
    assert!(!error.text.contains('\n'), "one line: {error}");
    (error.kind, error.to_string())
}

/// Writes a context and reads it back, as a person's `--context one` would.
fn context(home: &Path, json: &serde_json::Value) -> NatsOptions {
    let directory = home.join("nats/context");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("one.json"), json.to_string()).unwrap();
    let lookup = |name: &str| (name == "XDG_CONFIG_HOME").then(|| home.display().to_string());
    context::load("one", SourceId::from("nats"), &lookup).unwrap().options
}

#[tokio::test]
async fn user_and_password() {
    let broker = Broker::start(Config::core().user(User::new("app", "s3cret@:/")));
    let url = broker.url();
    let with_credentials = url.replace("nats://", "nats://app:s3cret%40%3A%2F@");
    works(&options(&with_credentials)).await;
    let home = tempfile::tempdir().unwrap();
    let json = serde_json::json!({"url": url, "user": "app", "password": "s3cret@:/"});
    works(&context(home.path(), &json)).await;

    let wrong = url.replace("nats://", "nats://app:wrong@");
    assert_eq!(
        fails(&options(&wrong)).await,
        (FailureKind::Unauthorized, format!("{url}: refused user 'app': authorization violation"))
    );
    assert_eq!(
        fails(&options(&url)).await,
        (
            FailureKind::Unauthorized,
            format!(
                "{url}: refused a connection without credentials (give --context, --creds, --nkey, or --user \
                 with $NATS_PASSWORD): authorization violation"
            )
        )
    );
}

#[tokio::test]
async fn token() {
    let broker = Broker::start(Config::core().token("s3cret"));
    let url = broker.url();
    works(&options(&url.replace("nats://", "nats://s3cret@"))).await;
    let home = tempfile::tempdir().unwrap();
    works(&context(home.path(), &serde_json::json!({"url": url, "token": "s3cret"}))).await;
    assert_eq!(
        fails(&options(&url.replace("nats://", "nats://wrong@"))).await,
        (FailureKind::Unauthorized, format!("{url}: refused the token: authorization violation"))
    );
}

#[tokio::test]
async fn nkey() {
    let key = nkeys::KeyPair::new_user();
    let broker = Broker::start(Config::core().nkey(&key.public_key()));
    let url = broker.url();
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("app.nk");
    std::fs::write(&file, format!("# the app's key\n{}\n", key.seed().unwrap())).unwrap();
    let json = serde_json::json!({"url": url, "nkey": file});
    works(&context(home.path(), &json)).await;

    let other = home.path().join("other.nk");
    std::fs::write(&other, nkeys::KeyPair::new_user().seed().unwrap()).unwrap();
    let mut wrong = options(&url);
    wrong.auth = Auth::NkeyFile(other.clone());
    assert_eq!(
        fails(&wrong).await,
        (
            FailureKind::Unauthorized,
            format!("{url}: refused the nkey in {}: authorization violation", other.display())
        )
    );
    std::fs::write(&other, "SUnot-a-seed").unwrap();
    assert_eq!(
        fails(&wrong).await,
        (
            FailureKind::Configuration,
            format!("the nkey file {} holds no user seed (a line that begins with SU)", other.display())
        )
    );
    std::fs::remove_file(&other).unwrap();
    assert_eq!(
        fails(&wrong).await,
        (FailureKind::Configuration, format!("cannot read the nkey file {}: no such file", other.display()))
    );
}

#[tokio::test]
async fn creds_and_jwt() {
    let operator = Operator::make();
    let broker = Broker::start(Config::core().operator(operator.clone()));
    let url = broker.url();
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("app.creds");
    std::fs::write(&file, &operator.creds).unwrap();
    works(&context(home.path(), &serde_json::json!({"url": url, "creds": file}))).await;
    let json =
        serde_json::json!({"url": url, "user_jwt": operator.user_jwt, "user_seed": operator.user_seed});
    works(&context(home.path(), &json)).await;

    let stranger = Operator::make();
    let mut wrong = options(&url);
    wrong.auth = Auth::Creds(Secret::new(stranger.creds));
    assert_eq!(
        fails(&wrong).await,
        (FailureKind::Unauthorized, format!("{url}: refused the credentials: authorization violation"))
    );
    std::fs::write(&file, "nothing").unwrap();
    wrong.auth = Auth::CredsFile(file.clone());
    assert_eq!(
        fails(&wrong).await,
        (
            FailureKind::Configuration,
            format!(
                "the credentials file {} cannot be used: cannot parse user JWT from the credentials file",
                file.display()
            )
        )
    );
}

#[tokio::test]
async fn who_waits_for_tls_and_hangs_up_may_want_it_first() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            drop(tokio::io::AsyncWriteExt::shutdown(&mut connection).await);
        }
    });
    let text = "the server hung up without a greeting; if it wants TLS from the first byte, give --tls-first";
    assert_eq!(fails(&options(&url)).await, (FailureKind::Unreachable, format!("{url}: {text}")));
}

#[tokio::test]
async fn a_missing_certificate_is_told_by_the_old_server_too() {
    let files = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(files.path());
    let config = Config::core().tls(certificates.clone()).verify_client();
    let Some(broker) = Broker::start_old(config) else { return };
    let mut wrong = options(&broker.url());
    wrong.tls = TlsOptions { ca: Some(certificates.ca), ..TlsOptions::default() };
    let text = "TLS: received fatal alert: BadCertificate; give yours with --tls-cert and --tls-key";
    assert_eq!(fails(&wrong).await, (FailureKind::Tls, format!("{}: {text}", broker.url())));
}

#[tokio::test]
async fn tls() {
    let files = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(files.path());
    let broker = Broker::start(Config::core().tls(certificates.clone()).verify_client());
    let url = broker.url();
    let home = tempfile::tempdir().unwrap();
    let json = serde_json::json!({
        "url": url, "ca": certificates.ca, "cert": certificates.client_cert, "key": certificates.client_key,
    });
    works(&context(home.path(), &json)).await;

    let mut wrong = options(&url);
    wrong.tls = TlsOptions { ca: Some(certificates.ca.clone()), ..TlsOptions::default() };
    let (kind, text) = fails(&wrong).await;
    assert_eq!(kind, FailureKind::Tls, "{text}");
    assert_eq!(
        text,
        format!(
            "{url}: TLS: received fatal alert: CertificateRequired; give yours with --tls-cert and --tls-key"
        )
    );

    wrong.tls.cert = Some(certificates.client_cert.clone());
    assert_eq!(
        fails(&wrong).await,
        (
            FailureKind::Configuration,
            format!(
                "the client certificate {} has no key; give both, by --tls-cert and --tls-key, or as cert and key of the context",
                certificates.client_cert.display()
            )
        )
    );
    wrong.tls = TlsOptions { ca: Some(certificates.client_key.clone()), ..TlsOptions::default() };
    assert_eq!(
        fails(&wrong).await,
        (
            FailureKind::Configuration,
            format!(
                "cannot read the certificate authorities {}: it holds no PEM block 'CERTIFICATE'",
                certificates.client_key.display()
            )
        )
    );

    let other = tempfile::tempdir().unwrap();
    let stranger = Certificates::make(other.path());
    wrong.tls = TlsOptions { ca: Some(stranger.ca.clone()), ..TlsOptions::default() };
    let (kind, text) = fails(&wrong).await;
    assert_eq!(kind, FailureKind::Tls, "{text}");
    let signed = format!("; none of the authorities in {} has signed it", stranger.ca.display());
    assert!(text.starts_with(&format!("{url}: TLS: ")) && text.ends_with(&signed), "{text}");
}

#[tokio::test]
async fn tls_where_the_server_speaks_none() {
    let broker = Broker::start(Config::core());
    let (kind, text) = fails(&options(&broker.url().replace("nats://", "tls://"))).await;
    assert_eq!(kind, FailureKind::Tls, "{text}");
    let hint =
        "; the server does not speak TLS here: write nats:// instead of tls://, or give no certificates";
    assert!(text.ends_with(hint), "{text}");
}

#[tokio::test]
async fn tls_first() {
    let files = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(files.path());
    let broker = Broker::start(Config::core().tls(certificates.clone()).tls_first());
    let home = tempfile::tempdir().unwrap();
    let json = serde_json::json!({"url": broker.url(), "ca": certificates.ca, "tls_first": true});
    works(&context(home.path(), &json)).await;
}

#[tokio::test]
async fn nobody_there() {
    let mut broker = Broker::start(Config::core());
    let url = broker.url();
    broker.kill();
    assert_eq!(fails(&options(&url)).await, (FailureKind::Unreachable, format!("{url}: connection refused")));
    let (kind, text) = fails(&options("nats://app:s3cret@no-such-host.invalid:4222")).await;
    assert_eq!(kind, FailureKind::Unreachable);
    assert!(text.starts_with("nats://no-such-host.invalid:4222: cannot find the host: "), "{text}");
}

#[tokio::test]
async fn not_a_nats_server() {
    for greeting in ["HTTP/1.0 400 Bad Request\r\n\r\n", "INFO {garbage\r\n"] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let other = std::thread::spawn(move || {
            use std::io::Write as _;
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(greeting.as_bytes()).unwrap();
        });
        let (kind, text) = fails(&options(&format!("nats://127.0.0.1:{port}"))).await;
        other.join().unwrap();
        assert_eq!(kind, FailureKind::Unreachable, "{text}");
        let said = format!("nats://127.0.0.1:{port}: what answers there does not speak NATS (");
        assert!(text.starts_with(&said), "{text}");
        assert!(text.ends_with("); is this the address of a NATS server?"), "{text}");
    }
}

#[tokio::test]
async fn the_server_lists_us_by_name_with_our_inbox() {
    let broker = Broker::start(Config::core());
    let home = tempfile::tempdir().unwrap();
    let options = context(home.path(), &serde_json::json!({"url": broker.url(), "inbox_prefix": "_IN_app"}));
    let client = options.connect(|_| {}).await.unwrap();
    assert!(client.new_inbox().starts_with("_IN_app."));
    client.flush().await.unwrap();
    let connz = crate::support::http::get_json(broker.monitor_port(), "/connz").unwrap();
    assert_eq!(connz["connections"][0]["name"], "headwater");
}

#[tokio::test]
async fn events_tell_of_a_lost_and_a_new_connection() {
    let mut broker = Broker::start(Config::core());
    let (events, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let _client = options(&broker.url())
        .connect(move |event| {
            let _ = events.send(event);
        })
        .await
        .unwrap();
    let mut expect = async |wanted: async_nats::Event| {
        let found = tokio::time::timeout(std::time::Duration::from_secs(20), async {
            while let Some(event) = heard.recv().await {
                if event == wanted {
                    return;
                }
            }
        });
        assert!(found.await.is_ok(), "no {wanted} in time");
    };
    expect(async_nats::Event::Connected).await;
    broker.kill();
    expect(async_nats::Event::Disconnected).await;
    broker.restart();
    expect(async_nats::Event::Connected).await;
}
