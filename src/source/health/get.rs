//! One GET with a time limit and a size limit, and one clear line when it fails.

use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client};

/// The most that is read of an answer: Spring Boot's longest are some kilobytes.
const LARGEST_BODY: usize = 256 * 1024;
/// Redirects within one host that are followed: `/health` → `/health/`, http → https.
const MOST_REDIRECTS: usize = 3;
/// What formats there are, the precise ones first.
const ACCEPT: &str = "application/health+json, application/vnd.spring-boot.actuator.v3+json, application/json;q=0.9, */*;q=0.5";

/// Why there can be no client for health endpoints.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The file cannot be read.
    #[error("cannot read the certificates of --tls-ca {0}: {1}")]
    Unreadable(PathBuf, std::io::Error),
    /// The file has no certificates.
    #[error("{0} has no PEM certificate in it")]
    NoCertificate(PathBuf),
    /// The library refuses.
    #[error("cannot set up HTTPS: {0}")]
    Library(String),
}

/// A client that trusts the machine's authorities and those in `authority` (PEM).
///
/// No proxy: what cannot be reached *from here* must not turn into a proxy's "502". Redirects only within one
/// host: elsewhere a sign-in page would answer for the service.
pub(in crate::source) fn client(authority: Option<&Path>) -> Result<Client, ClientError> {
    let mut builder = Client::builder()
        .user_agent(concat!("headwater/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .referer(false)
        .pool_max_idle_per_host(1)
        .redirect(Policy::custom(|attempt| {
            let host = attempt.previous().first().and_then(|url| url.host_str().map(str::to_owned));
            if attempt.previous().len() > MOST_REDIRECTS || attempt.url().host_str() != host.as_deref() {
                attempt.stop()
            } else {
                attempt.follow()
            }
        }));
    if let Some(path) = authority {
        let pem = std::fs::read(path).map_err(|error| ClientError::Unreadable(path.to_owned(), error))?;
        let certificates = Certificate::from_pem_bundle(&pem).unwrap_or_default();
        if certificates.is_empty() {
            return Err(ClientError::NoCertificate(path.to_owned()));
        }
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(|error| ClientError::Library(chain(&error)))
}

/// What an endpoint sent.
#[derive(Debug)]
pub(in crate::source) struct Response {
    pub(in crate::source) status: u16,
    pub(in crate::source) content_type: Option<String>,
    /// Empty when it was too large.
    pub(in crate::source) body: Vec<u8>,
    /// The answer was larger than is read.
    pub(in crate::source) too_large: bool,
}

/// Asks once. The error is one line without secrets.
pub(super) async fn get(client: &Client, url: &str, timeout: Duration) -> Result<Response, String> {
    get_up_to(client, url, timeout, LARGEST_BODY).await
}

/// The same with a limit of the caller's own on the body.
pub(in crate::source) async fn get_up_to(
    client: &Client,
    url: &str,
    timeout: Duration,
    largest: usize,
) -> Result<Response, String> {
    // The timeout covers everything, the last byte of the body too.
    let answer = async {
        let mut response = client.get(url).header("accept", ACCEPT).send().await?;
        let status = response.status().as_u16();
        let content_type =
            response.headers().get("content-type").and_then(|kind| kind.to_str().ok()).map(str::to_owned);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > largest {
                return Ok(Response { status, content_type, body: Vec::new(), too_large: true });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response { status, content_type, body, too_large: false })
    };
    match tokio::time::timeout(timeout, answer).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(error)) => Err(explain(error)),
        Err(_) => Err(format!("no answer within {}", in_words(timeout))),
    }
}

/// `1 s`, `250 ms`, `1.5 s`.
fn in_words(d: Duration) -> String {
    let ms = d.as_millis();
    if ms < 1000 {
        format!("{ms} ms")
    } else if ms.is_multiple_of(1000) {
        format!("{} s", ms / 1000)
    } else {
        format!("{:.1} s", d.as_secs_f64())
    }
}

/// What a person needs of an error: its cause, not its layers.
fn explain(error: reqwest::Error) -> String {
    // The address stands beside it already, and may hold a password.
    let error = error.without_url();
    let mut cause: Option<&(dyn std::error::Error + 'static)> = error.source();
    let mut innermost = error.to_string();
    while let Some(inner) = cause {
        if let Some(tls) = tls_error(inner) {
            return super::words::one_line(&format!("TLS: {}", tls_reason(tls)));
        }
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            match io.kind() {
                std::io::ErrorKind::ConnectionRefused => return "connection refused".to_owned(),
                std::io::ErrorKind::ConnectionReset => {
                    return "connection closed before an answer".to_owned();
                }
                std::io::ErrorKind::HostUnreachable | std::io::ErrorKind::NetworkUnreachable => {
                    return "no route to the host".to_owned();
                }
                _ => {}
            }
        }
        innermost = inner.to_string();
        cause = inner.source();
    }
    let words = if error.is_builder() {
        format!("not an address that can be asked: {innermost}")
    } else if innermost.contains("lookup address") || innermost.contains("dns error") {
        "the host's name is not known here".to_owned()
    } else if innermost.contains("connection closed before message completed") {
        "connection closed before an answer".to_owned()
    } else if innermost.contains("invalid HTTP") {
        format!("not HTTP: {innermost}")
    } else {
        innermost
    };
    super::words::one_line(&words)
}

/// The TLS error in `error`: I/O errors hold theirs where `source` does not see it, also within each other.
fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    error.downcast_ref::<rustls::Error>().or_else(|| {
        let inner = error.downcast_ref::<std::io::Error>()?.get_ref()?;
        tls_error(inner)
    })
}

fn tls_reason(error: &rustls::Error) -> String {
    use rustls::CertificateError as C;
    match error {
        rustls::Error::InvalidCertificate(C::UnknownIssuer) => {
            "its certificate's issuer is not trusted (give it with --tls-ca)".to_owned()
        }
        rustls::Error::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => {
            "its certificate has expired".to_owned()
        }
        rustls::Error::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => {
            "its certificate is for another name".to_owned()
        }
        other => other.to_string(),
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    super::words::one_line(&text)
}
