//! The JetStream API: one question, one answer, one page after the other.
//!
//! Only subjects that read are ever built here: `STREAM.LIST`, `CONSUMER.LIST`, `STREAM.MSG.GET`.

use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::clock::RoundTrip;
use super::desk::Desk;
use super::lenient::{one_line, or_default, time};
use super::wire::{Failure, Wire};
use crate::model::time::Timestamp;

/// How long the JetStream API may take: longer than the 2 s after which a meta leader itself gives up on a peer.
pub(super) const API_TIMEOUT: Duration = Duration::from_secs(4);
/// Pages read of one list at most; a broker that never comes to an end does not keep us.
const MOST_PAGES: usize = 400;

/// An error in an answer.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ApiError {
    #[serde(default, deserialize_with = "or_default")]
    code: u64,
    #[serde(default, deserialize_with = "or_default")]
    err_code: u64,
    #[serde(default, deserialize_with = "or_default")]
    description: String,
}

impl ApiError {
    /// As a failure to ask this.
    pub(super) fn refusal(&self, subject: &str) -> Failure {
        Failure::Refused {
            subject: subject.to_owned(),
            code: self.code,
            err_code: self.err_code,
            description: one_line(&self.description),
        }
    }
}

/// Numbers of errors that mean something to us.
pub(super) mod codes {
    /// JetStream is off on this server.
    pub(crate) const NOT_ENABLED: u64 = 10_076;
    /// JetStream is off for this account.
    pub(crate) const NOT_ENABLED_FOR_ACCOUNT: u64 = 10_039;
    /// The stream is gone.
    pub(crate) const STREAM_NOT_FOUND: u64 = 10_059;
    /// No message fits.
    pub(crate) const NO_MESSAGE: u64 = 10_037;
}

/// Answers that can carry an error.
pub(super) trait Reply: DeserializeOwned {
    fn error(&mut self) -> Option<ApiError>;
}

/// One page of a list.
pub(super) trait Page: Reply {
    /// How many entries the broker says there are in all.
    fn total(&self) -> u64;
    /// How many are on this page, the ones named as missing and the unreadable ones included.
    fn len(&self) -> usize;
}

/// The way to the JetStream API of one account.
pub(super) struct Api<'a> {
    pub wire: &'a Wire,
    pub desk: &'a Desk,
    /// `$JS.API`, or what replaces it.
    pub prefix: &'a str,
}

impl Api<'_> {
    /// One question.
    pub(super) async fn ask<T: Reply>(
        &self,
        what: &str,
        body: Bytes,
    ) -> Result<(T, RoundTrip, usize), Failure> {
        self.desk.budget().take().await;
        self.desk.requested();
        let subject = format!("{}.{what}", self.prefix);
        let answer = self.wire.ask(&subject, body, API_TIMEOUT).await?;
        self.desk.answered(answer.trip, answer.payload.len());
        let mut reply: T = read(&subject, &answer.payload)?;
        match reply.error() {
            None => Ok((reply, answer.trip, answer.payload.len())),
            Some(error) => Err(error.refusal(&subject)),
        }
    }

    /// All pages of a list, and whether they are certain to be all: the list may change between two pages.
    pub(super) async fn pages<T: Page>(&self, what: &str) -> Result<(Vec<(T, RoundTrip)>, bool), Failure> {
        let mut pages: Vec<(T, RoundTrip)> = Vec::new();
        let mut offset = 0;
        let mut whole = true;
        loop {
            let body = Bytes::from(json!({ "offset": offset }).to_string());
            let (page, trip, _) = self.ask::<T>(what, body).await?;
            let (total, len) = (page.total(), page.len());
            whole &= pages.first().is_none_or(|(first, _)| first.total() == total);
            pages.push((page, trip));
            offset += len;
            if len == 0 || offset as u64 >= total {
                return Ok((pages, whole && offset as u64 >= total));
            }
            if pages.len() >= MOST_PAGES {
                return Ok((pages, false));
            }
        }
    }
}

/// Reads JSON; the error says what was asked.
pub(super) fn read<T: DeserializeOwned>(subject: &str, payload: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(payload).map_err(|error| Failure::Unreadable {
        subject: subject.to_owned(),
        why: one_line(&error.to_string()),
    })
}

/// Who leads a stream or consumer in a cluster.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ClusterInfo {
    #[serde(default, deserialize_with = "or_default")]
    pub leader: String,
}

/// `STREAM.MSG.GET`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct MessageReply {
    #[serde(default)]
    error: Option<ApiError>,
    #[serde(default)]
    pub message: Option<StoredMessage>,
}

/// A stored message; its payload is not looked at.
#[derive(Debug, Default, Deserialize)]
pub(super) struct StoredMessage {
    #[serde(default, deserialize_with = "or_default")]
    pub seq: u64,
    #[serde(default, deserialize_with = "time")]
    pub time: Option<Timestamp>,
}

impl Reply for MessageReply {
    fn error(&mut self) -> Option<ApiError> {
        self.error.take()
    }
}
