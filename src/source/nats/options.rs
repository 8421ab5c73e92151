//! How to connect to NATS: servers, credentials, TLS, prefixes; and connecting once.
//!
//! Only this file builds `async_nats::ConnectOptions`. A source tries again by itself instead of letting
//! async-nats retry the first connection, because only a single attempt tells why it failed.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event};

use super::reference::{cause, read_file};
use super::secret::{AddressError, Redacted, Secret, ServerUrl, UserInfo, parse_servers};
use crate::model::command::ProbeLevel;
use crate::model::id::SourceId;
use crate::source::redact::Watched;

/// The name under which Headwater's connections are listed by the server.
pub const CONNECTION_NAME: &str = "headwater";
/// Where servers listen when nothing else is said.
pub const DEFAULT_SERVER: &str = "nats://127.0.0.1:4222";
/// How long one server may take to let us in.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// A dead connection is noticed after two of these.
const PING_EVERY: Duration = Duration::from_secs(10);
/// Messages that may wait for one of our subscriptions before async-nats drops (and says so).
const SUBSCRIPTION_CAPACITY: usize = 64 * 1024;
/// Commands that may wait for the connection.
const CLIENT_CAPACITY: usize = 2048;

/// Everything that is needed to connect to one NATS system with one account.
#[derive(Clone, Debug)]
pub struct NatsOptions {
    /// The source's id: the first part of the ids of all that it sees.
    pub source: SourceId,
    /// The servers of one cluster.
    pub servers: Vec<ServerUrl>,
    /// Who we are.
    pub auth: Auth,
    /// Certificates.
    pub tls: TlsOptions,
    /// Replaces `_INBOX` where an account restricts it.
    pub inbox_prefix: Option<String>,
    /// The subject prefix of JetStream requests, without a dot at its end: `$JS.API`.
    pub js_api: String,
    /// The subject prefix of JetStream advisories, without a dot at its end: `$JS.EVENT`.
    pub js_event: String,
    /// Monitoring endpoints (`http://host:8222`), each of one server.
    pub monitors: Vec<String>,
    /// The subject on which the account has the server trace messages: `msg_trace.dest` of its configuration.
    pub message_traces: Option<String>,
    /// The least time between two turns; `None` for as often as is cheap.
    pub interval: Option<Duration>,
    /// How much to do to learn, at the start.
    pub probe: ProbeLevel,
    /// What is declared of the fields of messages: which are never told, and which say what one is about.
    pub sensitive: Watched,
    /// What became of its server, where whoever made these options runs it.
    pub fate: Fate,
}

/// Why a server is gone for good: told by whoever runs it, once it has ended. Then a lost connection does not come back.
#[derive(Clone, Debug, Default)]
pub struct Fate(Arc<OnceLock<&'static str>>);

impl Fate {
    /// It has ended; the first word stands.
    pub fn ended(&self, why: &'static str) {
        let _ = self.0.set(why);
    }

    /// Why it is gone, once it is.
    pub fn why(&self) -> Option<&'static str> {
        self.0.get().copied()
    }
}

/// The fate of the same server.
impl PartialEq for Fate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.why() == other.why()
    }
}

impl Eq for Fate {}

/// Who we are, to the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// Nobody in particular.
    #[default]
    None,
    /// A user of the server's configuration.
    UserPassword {
        /// The user's name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// One token for all.
    Token(Secret),
    /// The seed of a user nkey, from a file that is read at each connection.
    NkeyFile(PathBuf),
    /// The seed of a user nkey.
    Nkey(Secret),
    /// A `.creds` file, read at each connection.
    CredsFile(PathBuf),
    /// The contents of a `.creds` file.
    Creds(Secret),
    /// A user's signed token, and the seed that proves it; without a seed it is a bearer token.
    Jwt {
        /// The token.
        jwt: Secret,
        /// The seed.
        seed: Option<Secret>,
    },
}

/// Certificates, all PEM files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// The authorities to trust instead of the platform's.
    pub ca: Option<PathBuf>,
    /// Our certificate.
    pub cert: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// The handshake comes before the server speaks.
    pub first: bool,
}

/// What a file or value is for, so that whoever named it can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedFile {
    /// Credentials.
    Creds,
    /// The seed of an nkey.
    Nkey,
    /// A user's token and its seed.
    Jwt,
    /// Certificate authorities.
    Authorities,
    /// Our certificate.
    Certificate,
    /// Its key.
    Key,
}

impl NatsOptions {
    /// Options for a list of servers, separated by commas; credentials in it become [`Auth`].
    pub fn new(source: SourceId, servers: &str) -> Result<Self, AddressError> {
        let mut options = Self {
            source,
            servers: Vec::new(),
            auth: Auth::None,
            tls: TlsOptions::default(),
            inbox_prefix: None,
            js_api: "$JS.API".to_owned(),
            js_event: "$JS.EVENT".to_owned(),
            monitors: Vec::new(),
            message_traces: None,
            interval: None,
            probe: ProbeLevel::Passive,
            sensitive: Watched::default(),
            fate: Fate::default(),
        };
        options.set_servers(servers)?;
        Ok(options)
    }

    /// Replaces the servers; credentials in the list replace those there are.
    pub fn set_servers(&mut self, list: &str) -> Result<(), AddressError> {
        let (servers, credentials) = parse_servers(list)?;
        self.servers = servers;
        match credentials {
            None => {}
            Some(UserInfo::Token(token)) => self.auth = Auth::Token(token),
            Some(UserInfo::UserPassword { user, password }) => {
                self.auth = Auth::UserPassword { user, password };
            }
        }
        Ok(())
    }

    /// JetStream in a domain answers at `$JS.DOMAIN.API`.
    pub fn set_js_domain(&mut self, domain: &str) {
        self.js_api = format!("$JS.{}.API", domain.trim_matches('.'));
    }

    /// JetStream of another account answers where that account's import says.
    pub fn set_js_api_prefix(&mut self, prefix: &str) {
        prefix.trim_end_matches('.').clone_into(&mut self.js_api);
    }

    /// The servers as a person reads them.
    pub fn servers_shown(&self) -> String {
        let list: Vec<String> = self.servers.iter().map(ToString::to_string).collect();
        list.join(", ")
    }

    /// The monitoring endpoints as they may be shown.
    pub fn monitors_shown(&self) -> String {
        let list: Vec<String> = self.monitors.iter().map(|url| Redacted(url).to_string()).collect();
        list.join(", ")
    }

    /// Connects once. `on_event` hears of everything that happens to the connection afterwards, in
    /// async-nats' own task: it must not block. After a loss async-nats reconnects by itself, for ever.
    pub async fn connect(
        &self,
        on_event: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<Client, ConnectFailure> {
        let on_event = std::sync::Arc::new(on_event);
        let on_trying = std::sync::Arc::clone(&on_event);
        let options = self
            .connect_options()?
            .event_callback(move |event| {
                let on_event = std::sync::Arc::clone(&on_event);
                async move { on_event(event) }
            })
            .reconnect_to_server_callback(move |pool, _| {
                if let Some(error) = super::lost::told(&pool) {
                    on_trying(Event::ClientError(error));
                }
                std::future::ready(None)
            });
        let servers: Vec<_> = self.servers.iter().map(ServerUrl::addr).collect();
        options.connect(servers).await.map_err(|error| self.failure(&error))
    }

    /// Connects once under another name: for programs that are clients of the same system, as the demo's services are.
    pub async fn connect_as(&self, name: &str) -> Result<Client, ConnectFailure> {
        let servers: Vec<_> = self.servers.iter().map(ServerUrl::addr).collect();
        let options = self.connect_options()?.name(name);
        options.connect(servers).await.map_err(|error| self.failure(&error))
    }

    /// Whether every file that is named can be read and holds what it should; names the first that does not.
    pub fn check_files(&self) -> Result<(), (NamedFile, ConnectFailure)> {
        let credentials = match &self.auth {
            Auth::NkeyFile(_) | Auth::Nkey(_) => NamedFile::Nkey,
            Auth::Jwt { .. } => NamedFile::Jwt,
            _ => NamedFile::Creds,
        };
        self.with_auth(ConnectOptions::new()).map_err(|failure| (credentials, failure))?;
        let files = [
            (NamedFile::Authorities, &self.tls.ca, "certificate authorities", "CERTIFICATE"),
            (NamedFile::Certificate, &self.tls.cert, "client certificate", "CERTIFICATE"),
            (NamedFile::Key, &self.tls.key, "client key", "PRIVATE KEY"),
        ];
        for (file, path, what, label) in files {
            if let Some(path) = path {
                check_pem(path, what, label).map_err(|failure| (file, failure))?;
            }
        }
        self.pair().map(|_| ())
    }

    /// Our certificate and its key, which come together or not at all.
    fn pair(&self) -> Result<Option<(&Path, &Path)>, (NamedFile, ConnectFailure)> {
        match (&self.tls.cert, &self.tls.key) {
            (Some(cert), Some(key)) => Ok(Some((cert, key))),
            (None, None) => Ok(None),
            (Some(cert), None) => {
                let text = format!(
                    "the client certificate {} has no key; give both, by --tls-cert and --tls-key, or as cert and key of \
                     the context",
                    cert.display()
                );
                Err((NamedFile::Certificate, ConnectFailure::configuration(text)))
            }
            (None, Some(key)) => {
                let text = format!(
                    "the client key {} has no certificate; give both, by --tls-cert and --tls-key, or as cert and key of \
                     the context",
                    key.display()
                );
                Err((NamedFile::Key, ConnectFailure::configuration(text)))
            }
        }
    }

    /// What async-nats needs; reads the files of seeds and credentials.
    fn connect_options(&self) -> Result<ConnectOptions, ConnectFailure> {
        let mut options = ConnectOptions::new()
            .name(CONNECTION_NAME)
            .connection_timeout(CONNECT_WITHIN)
            .ping_interval(PING_EVERY)
            .subscription_capacity(SUBSCRIPTION_CAPACITY)
            .client_capacity(CLIENT_CAPACITY);
        if let Some(prefix) = &self.inbox_prefix {
            options = options.custom_inbox_prefix(prefix);
        }
        options = self.with_auth(options)?;
        self.with_tls(options)
    }

    fn with_auth(&self, options: ConnectOptions) -> Result<ConnectOptions, ConnectFailure> {
        let file = |path: &Path, what: &'static str| {
            read_file(path).map_err(|error| {
                let (path, why) = (path.display(), cause(&error));
                ConnectFailure::configuration(format!("cannot read the {what} {path}: {why}"))
            })
        };
        Ok(match &self.auth {
            Auth::None => options,
            Auth::UserPassword { user, password } => {
                options.user_and_password(user.clone(), password.expose().to_owned())
            }
            Auth::Token(token) => options.token(token.expose().to_owned()),
            Auth::Nkey(seed) => options.nkey(seed_in(seed, "the nkey seed")?),
            Auth::NkeyFile(path) => {
                let text = file(path, "nkey file")?;
                options.nkey(seed_in(&text, &format!("the nkey file {}", path.display()))?)
            }
            Auth::Creds(text) => with_creds(options, text, "the credentials")?,
            Auth::CredsFile(path) => {
                let text = file(path, "credentials file")?;
                with_creds(options, &text, &format!("the credentials file {}", path.display()))?
            }
            Auth::Jwt { jwt, seed: Some(seed) } => {
                let seed = seed_in(seed, "user_seed")?;
                with_creds(options, &creds_of(jwt, &seed), "user_jwt with user_seed")?
            }
            Auth::Jwt { jwt, seed: None } => {
                options.jwt(jwt.expose().to_owned(), |_| async { Ok(Vec::new()) })
            }
        })
    }

    fn with_tls(&self, mut options: ConnectOptions) -> Result<ConnectOptions, ConnectFailure> {
        let tls = &self.tls;
        if let Some(ca) = &tls.ca {
            check_pem(ca, "certificate authorities", "CERTIFICATE")?;
            options = options.add_root_certificates(ca.clone());
        }
        if let Some((cert, key)) = self.pair().map_err(|(_, failure)| failure)? {
            check_pem(cert, "client certificate", "CERTIFICATE")?;
            check_pem(key, "client key", "PRIVATE KEY")?;
            options = options.add_client_certificate(cert.to_owned(), key.to_owned());
        }
        if tls.first {
            options = options.tls_first();
        }
        // Whoever gives certificates must never be sent over a plain connection.
        let wanted = *tls != TlsOptions::default() || self.servers.iter().any(ServerUrl::wants_tls);
        Ok(options.require_tls(wanted))
    }

    /// What may help against an error of TLS.
    fn tls_hint(&self, detail: &str) -> String {
        match &self.tls.ca {
            // Servers before 2.10 call a certificate that is missing a bad one.
            _ if ["CertificateRequired", "BadCertificate"].iter().any(|alert| detail.contains(alert))
                && self.tls.cert.is_none() =>
            {
                "; give yours with --tls-cert and --tls-key".to_owned()
            }
            // What answers is no TLS: servers without it talk first, in plain text.
            _ if detail.contains("InvalidContentType") => {
                "; the server does not speak TLS here: write nats:// instead of tls://, or give no certificates"
                    .to_owned()
            }
            None if detail.contains("UnknownIssuer") => "; give its authority with --tls-ca".to_owned(),
            // The second: an authority of the same name, with another key.
            Some(ca) if detail.contains("UnknownIssuer") || detail.contains("BadSignature") => {
                format!("; none of the authorities in {} has signed it", ca.display())
            }
            _ => String::new(),
        }
    }

    /// One line: which server, what happened, what to do.
    fn failure(&self, error: &async_nats::ConnectError) -> ConnectFailure {
        let servers = self.servers_shown();
        let detail = innermost(error);
        let (kind, cause) = match error.kind() {
            ConnectErrorKind::AuthorizationViolation => {
                (FailureKind::Unauthorized, format!("refused {}: authorization violation", self.auth))
            }
            ConnectErrorKind::Authentication => {
                (FailureKind::Unauthorized, format!("cannot sign in with {}: {detail}", self.auth))
            }
            ConnectErrorKind::Dns => (FailureKind::Unreachable, format!("cannot find the host: {detail}")),
            ConnectErrorKind::TimedOut => (
                FailureKind::Unreachable,
                format!(
                    "no answer within {} s; is this the address of a NATS server?",
                    CONNECT_WITHIN.as_secs()
                ),
            ),
            _ if detail.contains("uthentication") || detail.contains("uthorization") => {
                (FailureKind::Unauthorized, format!("refused {}: {detail}", self.auth))
            }
            kind if kind == ConnectErrorKind::Tls || is_about_tls(&detail) => {
                (FailureKind::Tls, format!("TLS: {detail}{}", self.tls_hint(&detail)))
            }
            // A server that waits for TLS says nothing, and hangs up.
            _ if detail.contains(NO_GREETING) && !self.tls.first => (
                FailureKind::Unreachable,
                "the server hung up without a greeting; if it wants TLS from the first byte, give --tls-first"
                    .to_owned(),
            ),
            _ if greets_otherwise(error, &detail) => (
                FailureKind::Unreachable,
                format!("what answers there does not speak NATS ({detail}); is this the address of a NATS server?"),
            ),
            _ => (FailureKind::Unreachable, detail),
        };
        ConnectFailure { kind, text: format!("{servers}: {cause}") }
    }
}

/// What async-nats says when a server closes the connection before it said anything.
const NO_GREETING: &str = "expected INFO, got nothing";

/// Whether something answered, and not as a NATS server does: no line of the protocol, or a greeting that is no JSON.
fn greets_otherwise(error: &(dyn std::error::Error + 'static), detail: &str) -> bool {
    let chain = std::iter::successors(Some(error), |error| error.source());
    // An I/O error does not count the one that it was made of among its sources.
    let made_of = |error: &(dyn std::error::Error + 'static)| {
        let io = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        error.is::<serde_json::Error>()
            || io.and_then(|inner| inner.downcast_ref::<serde_json::Error>()).is_some()
    };
    chain.into_iter().any(made_of) || detail.contains("invalid server operation")
}

/// Alerts and certificate errors reach us as I/O errors, told apart by their text alone.
fn is_about_tls(detail: &str) -> bool {
    ["certificate", "fatal alert", "corrupt message"].iter().any(|word| detail.contains(word))
}

/// What kind of failure keeps us from connecting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// Nobody there, or nobody who speaks NATS. Trying again can help.
    Unreachable,
    /// The server does not accept who we are. Trying again helps only after a change there.
    Unauthorized,
    /// No agreement on certificates.
    Tls,
    /// A file that was named is missing or is not what it should be. Trying again cannot help.
    Configuration,
}

/// Why a connection was not made: one line without secrets, naming server and cause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct ConnectFailure {
    /// What kind of failure.
    pub kind: FailureKind,
    /// The line.
    pub text: String,
}

impl ConnectFailure {
    fn configuration(text: String) -> Self {
        Self { kind: FailureKind::Configuration, text }
    }
}

/// Who we are, for messages: names and files, never a secret.
impl fmt::Display for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str(
                "a connection without credentials (give --context, --creds, --nkey, or --user with $NATS_PASSWORD)",
            ),
            Self::UserPassword { user, .. } => write!(f, "user '{}'", user.escape_debug()),
            Self::Token(_) => f.write_str("the token"),
            Self::NkeyFile(path) => write!(f, "the nkey in {}", path.display()),
            Self::Nkey(_) => f.write_str("the nkey"),
            Self::CredsFile(path) => write!(f, "the credentials in {}", path.display()),
            Self::Creds(_) => f.write_str("the credentials"),
            Self::Jwt { .. } => f.write_str("the user JWT"),
        }
    }
}

/// The text of the last error in the chain, in one line without control characters.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    let text = match last.downcast_ref::<std::io::Error>() {
        Some(io) if io.kind() == std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        Some(io) if io.kind() == std::io::ErrorKind::UnexpectedEof => {
            "the server closed the connection".to_owned()
        }
        _ => last.to_string(),
    };
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The seed in a file or value that may have comments and frames around it.
fn seed_in(text: &Secret, place: &str) -> Result<String, ConnectFailure> {
    let lines = text.expose().lines().map(str::trim);
    let is_seed = |line: &&str| line.len() >= 58 && line.starts_with("SU");
    lines.filter(is_seed).map(str::to_owned).next().ok_or_else(|| {
        ConnectFailure::configuration(format!("{place} holds no user seed (a line that begins with SU)"))
    })
}

fn with_creds(options: ConnectOptions, text: &Secret, place: &str) -> Result<ConnectOptions, ConnectFailure> {
    // async-nats wants a newline after the last line; not every editor and secret store keeps it.
    options.credentials(&format!("{}\n", text.expose())).map_err(|error| {
        ConnectFailure::configuration(format!("{place} cannot be used: {}", innermost(&error)))
    })
}

/// A token and its seed as the `.creds` file that async-nats reads.
fn creds_of(jwt: &Secret, seed: &str) -> Secret {
    Secret::new(format!(
        "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n",
        jwt.expose()
    ))
}

/// async-nats takes a file without a certificate for an empty list; the person meant something else.
fn check_pem(path: &Path, what: &str, label: &str) -> Result<(), ConnectFailure> {
    let why = match std::fs::read_to_string(path) {
        Ok(text) if text.contains(&format!("{label}-----")) => return Ok(()),
        Ok(_) => format!("it holds no PEM block '{label}'"),
        Err(error) => cause(&error),
    };
    Err(ConnectFailure::configuration(format!("cannot read the {what} {}: {why}", path.display())))
}
