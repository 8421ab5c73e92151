//! Questions to the broker and their answers.
//!
//! Everything asked shares one inbox subscription, so that a watching Headwater costs the broker one
//! subscription and a refused question is told from an unanswered one: a server never answers a publish
//! that it denies, it reports the subject on the connection instead.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::{Client, Message, StatusCode, Subscriber};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::api::codes;
use super::clock::RoundTrip;
use super::lenient::one_line;
use crate::model::time::Stamp;
use crate::source::Clock;

/// Answers to one question that may wait to be read; more are counted as dropped.
const ANSWERS_WAITING: usize = 4096;

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// The server does not let this user send it.
    #[error("permission denied for {0}")]
    Denied(String),
    /// Answers cannot reach us.
    #[error("permission denied to subscribe to {0}, so that no answer can be received")]
    Deaf(String),
    /// Nobody serves this subject.
    #[error("nobody answers {0}")]
    NoResponders(String),
    /// Nothing came.
    #[error("no answer from {subject} in {} s", .after.as_secs_f32())]
    Timeout {
        /// What was asked.
        subject: String,
        /// How long was waited.
        after: Duration,
    },
    /// The connection went away meanwhile.
    #[error("the connection was lost")]
    Lost,
    /// The server answered with an error.
    #[error("{subject}: {description} (code {code}, error {err_code})")]
    Refused {
        /// What was asked.
        subject: String,
        /// Like an HTTP status.
        code: u64,
        /// The server's own number.
        err_code: u64,
        /// In words.
        description: String,
    },
    /// The answer makes no sense.
    #[error("{subject} answered what cannot be read: {why}")]
    Unreadable {
        /// What was asked.
        subject: String,
        /// What is wrong with it.
        why: String,
    },
}

impl Failure {
    /// Whether it may be over soon without anybody doing anything: servers start, elect, are busy.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Timeout { .. } | Self::NoResponders(_) | Self::Lost => true,
            Self::Refused { code, err_code, .. } => {
                *code == 503 && ![codes::NOT_ENABLED, codes::NOT_ENABLED_FOR_ACCOUNT].contains(err_code)
            }
            Self::Denied(_) | Self::Deaf(_) | Self::Unreadable { .. } => false,
        }
    }
}

/// One answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub payload: Bytes,
    pub trip: RoundTrip,
}

/// How long to wait when many may answer.
#[derive(Clone, Debug)]
pub(super) struct Patience {
    /// Nobody who answers this late is waited for.
    pub longest: Duration,
    /// After an answer, another is awaited so long.
    pub quiet: Duration,
}

enum Arrival {
    Message(Box<Message>, Stamp),
    Denied,
    Deaf,
    Lost,
}

struct Waiter {
    subject: String,
    arrivals: mpsc::Sender<Arrival>,
}

/// The way to the broker.
pub(super) struct Wire {
    client: Client,
    clock: Clock,
    inbox: String,
    next: AtomicU64,
    waiting: Mutex<HashMap<u64, Waiter>>,
    deaf: Mutex<bool>,
}

impl Wire {
    /// Subscribes to an inbox of its own; the caller hands what arrives there to [`Wire::deliver`].
    pub(super) async fn open(
        client: Client,
        clock: Clock,
    ) -> Result<(Self, Subscriber), async_nats::SubscribeError> {
        let inbox = client.new_inbox();
        let subscriber = client.subscribe(format!("{inbox}.*")).await?;
        let wire = Self {
            client,
            clock,
            inbox,
            next: AtomicU64::new(0),
            waiting: Mutex::default(),
            deaf: Mutex::new(false),
        };
        Ok((wire, subscriber))
    }

    /// The client below.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, Waiter>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands an arrived message to whoever asked for it; false when there was no room for it.
    pub(super) fn deliver(&self, message: Message) -> bool {
        let number = message.subject.rsplit('.').next().and_then(|token| token.parse::<u64>().ok());
        let waiting = self.waiting();
        let Some(waiter) = number.and_then(|number| waiting.get(&number)) else { return true };
        waiter.arrivals.try_send(Arrival::Message(Box::new(message), self.clock.now())).is_ok()
    }

    /// The connection is gone: nothing that was asked will be answered.
    pub(super) fn lose(&self) {
        for waiter in self.waiting().values() {
            let _ = waiter.arrivals.try_send(Arrival::Lost);
        }
    }

    /// The connection is back: the inbox may be permitted now.
    pub(super) fn regain(&self) {
        *self.deaf.lock().unwrap_or_else(PoisonError::into_inner) = false;
    }

    /// The server denied a publish to this subject.
    pub(super) fn deny(&self, subject: &str) {
        for waiter in self.waiting().values().filter(|waiter| waiter.subject == subject) {
            let _ = waiter.arrivals.try_send(Arrival::Denied);
        }
    }

    /// The server denied a subscription; whether it was the inbox.
    pub(super) fn deny_subscription(&self, subject: &str) -> bool {
        if !subject.starts_with(&self.inbox) {
            return false;
        }
        *self.deaf.lock().unwrap_or_else(PoisonError::into_inner) = true;
        for waiter in self.waiting().values() {
            let _ = waiter.arrivals.try_send(Arrival::Deaf);
        }
        true
    }

    /// Asks one question that has one answer.
    pub(super) async fn ask(&self, subject: &str, body: Bytes, longest: Duration) -> Result<Answer, Failure> {
        let mut question = self.send(subject, body, longest).await?;
        loop {
            let answer = question.next(question.until).await?;
            // A stream that captures the subject acknowledges the request as if it were data; the real
            // answer comes as well.
            if !is_publish_ack(&answer.payload) {
                return Ok(answer);
            }
        }
    }

    /// Asks a question that many may answer. `satisfied` is told each answer and says whether that was
    /// all that is to be expected; without it, quiet ends the waiting.
    pub(super) async fn gather(
        &self,
        subject: &str,
        body: Bytes,
        patience: &Patience,
        mut satisfied: impl FnMut(&Answer) -> bool,
    ) -> Result<Vec<Answer>, Failure> {
        let mut question = self.send(subject, body, patience.longest).await?;
        let mut answers = Vec::new();
        let mut until = question.until;
        loop {
            match question.next(until).await {
                Ok(answer) => {
                    if is_publish_ack(&answer.payload) {
                        continue;
                    }
                    let enough = satisfied(&answer);
                    answers.push(answer);
                    if enough {
                        return Ok(answers);
                    }
                    until = question.until.min(Instant::now() + patience.quiet);
                }
                Err(Failure::Timeout { .. }) if !answers.is_empty() => return Ok(answers),
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Asks a question that is answered by messages with all that is in them, until `last` says of one that it is the last.
    pub(super) async fn stream(
        &self,
        subject: &str,
        body: Bytes,
        longest: Duration,
        mut last: impl FnMut(Message) -> bool,
    ) -> Result<RoundTrip, Failure> {
        let mut question = self.send(subject, body, longest).await?;
        loop {
            let (message, trip) = question.message(question.until).await?;
            if last(message) {
                return Ok(trip);
            }
        }
    }

    async fn send(&self, subject: &str, body: Bytes, longest: Duration) -> Result<Question<'_>, Failure> {
        if *self.deaf.lock().unwrap_or_else(PoisonError::into_inner) {
            return Err(Failure::Deaf(format!("{}.*", self.inbox)));
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (arrivals, inbox) = mpsc::channel(ANSWERS_WAITING);
        self.waiting().insert(number, Waiter { subject: subject.to_owned(), arrivals });
        let question = Question {
            wire: self,
            number,
            subject: subject.to_owned(),
            arrivals: inbox,
            sent: self.clock.now(),
            until: Instant::now() + longest,
            longest,
        };
        let reply = format!("{}.{number}", self.inbox);
        let publish = self.client.publish_with_reply(subject.to_owned(), reply, body);
        match timeout_at(question.until, publish).await {
            Ok(Ok(())) => Ok(question),
            Ok(Err(error)) => {
                Err(Failure::Unreadable { subject: subject.to_owned(), why: one_line(&error.to_string()) })
            }
            Err(_) => Err(Failure::Lost),
        }
    }
}

/// A question under way; dropping it forgets it.
struct Question<'a> {
    wire: &'a Wire,
    number: u64,
    subject: String,
    arrivals: mpsc::Receiver<Arrival>,
    sent: Stamp,
    until: Instant,
    longest: Duration,
}

impl Question<'_> {
    async fn next(&mut self, until: Instant) -> Result<Answer, Failure> {
        let (message, trip) = self.message(until).await?;
        Ok(Answer { payload: message.payload, trip })
    }

    async fn message(&mut self, until: Instant) -> Result<(Message, RoundTrip), Failure> {
        match timeout_at(until, self.arrivals.recv()).await {
            Ok(Some(Arrival::Message(message, received))) => {
                if message.status == Some(StatusCode::NO_RESPONDERS) && message.payload.is_empty() {
                    return Err(Failure::NoResponders(self.subject.clone()));
                }
                Ok((*message, RoundTrip { sent: self.sent, received }))
            }
            Ok(Some(Arrival::Denied)) => Err(Failure::Denied(self.subject.clone())),
            Ok(Some(Arrival::Deaf)) => Err(Failure::Deaf(format!("{}.*", self.wire.inbox))),
            Ok(Some(Arrival::Lost) | None) => Err(Failure::Lost),
            Err(_) => Err(Failure::Timeout { subject: self.subject.clone(), after: self.longest }),
        }
    }
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        self.wire.waiting().remove(&self.number);
    }
}

/// `{"stream":"X","seq":1}`, as a stream acknowledges what it has stored.
fn is_publish_ack(payload: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Ack {
        #[serde(rename = "type")]
        kind: Option<String>,
        stream: Option<String>,
        seq: Option<u64>,
    }
    payload.len() < 512
        && serde_json::from_slice::<Ack>(payload)
            .is_ok_and(|ack| ack.kind.is_none() && ack.stream.is_some() && ack.seq.is_some())
}

/// What a server's error on the connection says about permissions.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Violation<'a> {
    Publish(&'a str),
    Subscription(&'a str),
}

/// Reads `Permissions Violation for Publish to "subject"`.
pub(super) fn violation(text: &str) -> Option<Violation<'_>> {
    let lower = text.to_ascii_lowercase();
    if !lower.starts_with("permissions violation for") {
        return None;
    }
    let subject = text.split('"').nth(1)?;
    if lower.contains("for publish to") {
        Some(Violation::Publish(subject))
    } else if lower.contains("for subscription to") {
        Some(Violation::Subscription(subject))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violations_name_their_subject() {
        assert_eq!(
            violation(r#"Permissions Violation for Publish to "$JS.API.STREAM.LIST""#),
            Some(Violation::Publish("$JS.API.STREAM.LIST"))
        );
        assert_eq!(
            violation(r#"Permissions Violation for Subscription to "_INBOX.x.*" using queue "q""#),
            Some(Violation::Subscription("_INBOX.x.*"))
        );
        assert_eq!(violation("Stale Connection"), None);
        assert_eq!(violation("Permissions Violation for Publish to"), None);
    }

    #[test]
    fn a_publish_ack_is_no_answer() {
        assert!(is_publish_ack(br#"{"stream":"ALL","seq":4}"#));
        assert!(!is_publish_ack(br#"{"type":"io.nats.x","stream":"ALL","seq":4}"#));
        assert!(!is_publish_ack(b"{}"));
        assert!(!is_publish_ack(b""));
    }

    #[test]
    fn failures_are_one_line() {
        let failure =
            Failure::Timeout { subject: "$JS.API.STREAM.LIST".into(), after: Duration::from_secs(2) };
        assert_eq!(failure.to_string(), "no answer from $JS.API.STREAM.LIST in 2 s");
    }
}
