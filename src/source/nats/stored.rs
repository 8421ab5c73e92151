//! Stored messages with all that is in them, read within the budget of all other questions: many at once by `DIRECT.GET` where the
//! stream allows that and the server knows batches (2.11 and later), else one at a time by `STREAM.MSG.GET`.
//!
//! A direct get is answered by any server that has the stream, a mirror too, which may not have the newest yet. So it never says that
//! a message is not there: that only the stream's leader is asked. What is in a message stays here; only what tells where it comes from and what it is about is told ([`crate::source::origin`]).

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use async_nats::{HeaderValue, Message};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::api::{Api, ApiError, Reply, codes};
use super::lenient::{one_line, or_default, parse_time, time};
use super::wire::Failure;
use crate::model::id::{ChannelId, Name};
use crate::model::message::{Caused, MessageId, MessageReport};
use crate::model::time::Timestamp;
use crate::source::origin::{self, Origin};
use crate::source::redact::{Sensitive, Watched};

/// Messages that one question brings at most.
const BATCH: u64 = 100;
/// Bytes that one question brings, about.
const BATCH_BYTES: u64 = 512 * 1024;
/// So long it may take.
const BATCH_WITHIN: Duration = Duration::from_secs(3);
/// By this a server that knows batches is known.
const PENDING: &str = "Nats-Num-Pending";
/// What a direct get adds to a message's own headers.
const ADDED: [&str; 6] =
    ["Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp", PENDING, "Nats-Last-Sequence"];

/// A message with all that is in it.
#[derive(Debug, Default, Deserialize)]
struct FullReply {
    #[serde(default)]
    error: Option<ApiError>,
    #[serde(default)]
    message: Option<Stored>,
}

/// A stored message.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Stored {
    #[serde(default, deserialize_with = "or_default")]
    pub subject: String,
    #[serde(default, deserialize_with = "or_default")]
    pub seq: u64,
    #[serde(default, rename = "hdrs", deserialize_with = "base64")]
    headers: Vec<u8>,
    #[serde(default, rename = "data", deserialize_with = "base64")]
    payload: Vec<u8>,
    #[serde(default, deserialize_with = "time")]
    pub time: Option<Timestamp>,
}

/// Bytes as the API writes them; nothing where they cannot be read.
fn base64<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
    Ok(STANDARD.decode(or_default::<D, String>(d)?).unwrap_or_default())
}

impl Reply for FullReply {
    fn error(&mut self) -> Option<ApiError> {
        self.error.take()
    }
}

/// Reads messages of one stream, and what that has cost.
#[derive(Debug)]
pub(super) struct Reader {
    stream: Name,
    /// Whether it is worth asking for many at once.
    many: bool,
    /// Messages read.
    pub messages: u64,
    /// Bytes read.
    pub bytes: u64,
}

impl Reader {
    /// `direct` says whether the stream allows direct gets.
    pub(super) const fn new(stream: Name, direct: bool) -> Self {
        Self { stream, many: direct, messages: 0, bytes: 0 }
    }

    /// Whether many messages come by one question.
    pub(super) const fn reads_many(&self) -> bool {
        self.many
    }

    /// The message at a position; `None` when it is not there (any more).
    pub(super) async fn at(&mut self, api: &Api<'_>, seq: u64) -> Result<Option<Stored>, Failure> {
        self.read(api, &json!({ "seq": seq })).await
    }

    /// The newest message; `None` when there is none, or the newest one was removed.
    pub(super) async fn newest(&mut self, api: &Api<'_>) -> Result<Option<Stored>, Failure> {
        self.read(api, &json!({ "last_by_subj": ">" })).await
    }

    /// The first message from a position on, on subjects that this one covers; `None` when there is none.
    pub(super) async fn from(
        &mut self,
        api: &Api<'_>,
        seq: u64,
        subject: &str,
    ) -> Result<Option<Stored>, Failure> {
        self.read(api, &json!({ "seq": seq, "next_by_subj": subject })).await
    }

    /// The first messages from a position on, on subjects that this one covers: at most so many, and at least one where there is any.
    pub(super) async fn some(
        &mut self,
        api: &Api<'_>,
        seq: u64,
        subject: &str,
        most: u64,
    ) -> Result<Vec<Stored>, Failure> {
        if self.many && most > 1 {
            let found = self.batch(api, seq, subject, most.min(BATCH)).await?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(self.from(api, seq, subject).await?.into_iter().collect())
    }

    /// What a direct get answers; nothing where it is not allowed, or where whoever answered does not have it.
    async fn batch(
        &mut self,
        api: &Api<'_>,
        seq: u64,
        subject: &str,
        most: u64,
    ) -> Result<Vec<Stored>, Failure> {
        self.afford(api).await;
        api.desk.budget().take().await;
        api.desk.requested();
        let body = json!({ "seq": seq, "next_by_subj": subject, "batch": most, "max_bytes": BATCH_BYTES });
        let subject = format!("{}.DIRECT.GET.{}", api.prefix, self.stream);
        let (mut found, mut bytes, mut whole) = (Vec::new(), 0, true);
        let answered = api.wire.stream(&subject, Bytes::from(body.to_string()), BATCH_WITHIN, |message| {
            bytes += message.length;
            if message.status.is_some() {
                return true;
            }
            // A server that does not know batches answers with one message, and does not say how many there are besides.
            whole = message.headers.as_ref().is_some_and(|headers| headers.get(PENDING).is_some());
            found.extend(Stored::direct(&message));
            !whole
        });
        match answered.await {
            Ok(trip) => api.desk.answered(trip, bytes),
            // Allowed to ask the leader is who may not ask here; whoever answers too late is not asked again.
            Err(Failure::Denied(_) | Failure::NoResponders(_) | Failure::Timeout { .. }) => self.many = false,
            Err(failure) => return Err(failure),
        }
        self.many &= whole;
        self.messages += found.len() as u64;
        self.spend(api, bytes);
        Ok(found)
    }

    /// Waits until more may be read.
    async fn afford(&self, api: &Api<'_>) {
        while !api.desk.looked().covers(1) {
            sleep(Duration::from_millis(20)).await;
        }
    }

    fn spend(&mut self, api: &Api<'_>, bytes: usize) {
        self.bytes += bytes as u64;
        api.desk.looked().spend(bytes as u64);
    }

    async fn read(&mut self, api: &Api<'_>, which: &Value) -> Result<Option<Stored>, Failure> {
        self.afford(api).await;
        self.messages += 1;
        let body = Bytes::from(which.to_string());
        match api.ask::<FullReply>(&format!("STREAM.MSG.GET.{}", self.stream), body).await {
            Ok((reply, _, bytes)) => {
                self.spend(api, bytes);
                Ok(reply.message)
            }
            Err(Failure::Refused { err_code: codes::NO_MESSAGE, .. }) => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

impl Stored {
    /// As a direct get brings it: with its own headers, and those that say which it is.
    fn direct(message: &Message) -> Option<Self> {
        let told = message.headers.as_ref()?;
        let text = |name: &str| told.get(name).map(HeaderValue::as_str);
        let own = told.iter().filter(|(name, _)| !ADDED.contains(&AsRef::<str>::as_ref(*name)));
        let mut headers = String::from("NATS/1.0\r\n");
        for (name, values) in own {
            for value in values {
                let _ = write!(headers, "{name}: {value}\r\n");
            }
        }
        Some(Self {
            subject: text("Nats-Subject")?.to_owned(),
            seq: text("Nats-Sequence")?.parse().ok()?,
            // A message without headers of its own has none.
            headers: if headers.len() > "NATS/1.0\r\n".len() {
                (headers + "\r\n").into_bytes()
            } else {
                Vec::new()
            },
            payload: message.payload.to_vec(),
            time: text("Nats-Time-Stamp").and_then(parse_time),
        })
    }

    /// Its headers as pairs: `NATS/1.0`, then `name: value` lines.
    pub(super) fn headers(&self) -> Vec<(String, String)> {
        let text = String::from_utf8_lossy(&self.headers);
        let pairs = text.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
    }

    /// Its payload as JSON, if it is any.
    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.payload).ok()
    }

    /// What it says of itself that may be told.
    fn origin(&self, keys: &BTreeSet<Name>, sensitive: &Sensitive) -> Origin {
        origin::read(&self.headers(), &self.payload, keys, sensitive)
    }

    /// What is told of it; `None` when the server does not say when it was stored.
    pub(super) fn report(
        &self,
        api: &Api<'_>,
        channel: &ChannelId,
        stream: &Name,
        declared: &Watched,
        caused: Option<Caused>,
    ) -> Option<MessageReport> {
        let now = api.desk.clock().now();
        let Origin { headers, fields, version, committed } = self.origin(&declared.keys(), &declared.now());
        Some(MessageReport {
            id: MessageId { channel: channel.clone(), seq: self.seq },
            subject: one_line(&self.subject).into(),
            appended: self.time?,
            bytes: (self.headers.len() + self.payload.len()) as u64,
            headers,
            fields,
            version,
            committed,
            caused,
            read_at: now.wall,
            read_on: api.desk.stream_time(stream, now),
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use async_nats::HeaderMap;

    use super::*;

    /// A message as the API tells it.
    pub(in crate::source::nats) fn stored(headers: &str, payload: &str) -> Stored {
        let text = json!({ "seq": 7, "hdrs": STANDARD.encode(headers), "data": STANDARD.encode(payload) });
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn what_is_no_base64_has_nothing_in_it() {
        let text = r#"{"seq":1,"hdrs":"\u001b","data":"???"}"#;
        let broken: Stored = serde_json::from_str(text).unwrap();
        assert_eq!((broken.json(), broken.headers()), (None, Vec::new()));
        assert_eq!(broken.origin(&BTreeSet::new(), &Sensitive::default()), Origin::default());
    }

    #[test]
    fn a_direct_get_brings_the_same_message() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("H", "1"),
            ("Nats-Stream", "ORDERS"),
            ("Nats-Subject", "orders.created"),
            ("Nats-Sequence", "7"),
            ("Nats-Time-Stamp", "2026-11-23T05:53:24.5Z"),
            ("Nats-Num-Pending", "17"),
            ("Nats-Last-Sequence", "6"),
        ] {
            headers.insert(name, value);
        }
        let message = Message {
            subject: "_INBOX.x".into(),
            reply: None,
            payload: Bytes::from_static(b"{}"),
            headers: Some(headers),
            status: None,
            description: None,
            length: 0,
        };
        let got = Stored::direct(&message).unwrap();
        let expected = Stored {
            subject: "orders.created".into(),
            time: Some(Timestamp(1_795_413_204_500_000_000)),
            ..stored("NATS/1.0\r\nH: 1\r\n\r\n", "{}")
        };
        assert_eq!(got, expected);
        assert_eq!(Stored::direct(&Message { headers: None, ..message }), None);
    }
}
