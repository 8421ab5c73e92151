//! Why a connection is gone, in words: what async-nats tells of attempts to connect again.
//!
//! Its events name only the kind of the error (`IO error`); the error itself is with the server in the client's pool, which
//! is shown to whoever may choose the server to try next. Nothing is chosen here.

use async_nats::{ClientError, Server};

/// Said of a connection that the server ended, and lets no more in.
pub(super) const REVOKED: &str = "the server no longer accepts these credentials";

/// The error of the last attempts, as an event: of the server that was tried most.
pub(super) fn told(pool: &[Server]) -> Option<ClientError> {
    let tried = pool.iter().filter(|server| server.last_error.is_some());
    let server = tried.max_by_key(|server| server.failed_attempts)?;
    server.last_error.clone().map(ClientError::Other)
}

/// The error in words; `None` where it says nothing more than that there is one.
pub(super) fn why(error: &ClientError) -> Option<String> {
    let ClientError::Other(text) = error else { return Some(error.to_string()) };
    let text = text.rsplit_once(" (os error").map_or(text.as_str(), |(text, _)| text);
    let text = text.strip_prefix("IO error").map_or(text, |rest| rest.trim_start_matches(": "));
    let known = [
        ("onnection refused", "connection refused"),
        ("onnection reset", "the connection was reset"),
        ("roken pipe", "the connection was reset"),
        ("unexpected end of file", "the server closed the connection"),
        ("o route to host", "no route to the host"),
        ("etwork is unreachable", "the network is unreachable"),
        ("timed out", "no answer"),
        ("uthorization violation", REVOKED),
    ];
    let words = known.iter().find(|(sign, _)| text.contains(sign)).map_or(text, |(_, words)| words);
    (!words.is_empty()).then(|| words.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_words_and_a_mere_kind_is_nothing() {
        let why = |text: &str| why(&ClientError::Other(text.to_owned()));
        assert_eq!(why("IO error: Connection refused (os error 111)").as_deref(), Some("connection refused"));
        assert_eq!(
            why("IO error: Connection reset by peer (os error 104)").as_deref(),
            Some("the connection was reset")
        );
        assert_eq!(why("timed out").as_deref(), Some("no answer"));
        assert_eq!(why("IO error: something rare (os error 9)").as_deref(), Some("something rare"));
        assert_eq!(why("DNS error: no such host").as_deref(), Some("DNS error: no such host"));
        assert_eq!(why("IO error"), None);
    }
}
