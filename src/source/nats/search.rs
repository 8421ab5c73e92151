//! Looks for single messages: by position, by a field of the payload, by a header.
//!
//! A stream has no index of what is in its messages, so they are read one after the other, from the newest back, within the same
//! budget as all other questions and at most [`MOST_MESSAGES`] at a time: the answer says how far that was, and one can go on. What is
//! in a message stays here; only what tells where it comes from is told.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Api, ApiError, Reply, codes};
use super::lenient::{one_line, or_default, time};
use super::wire::Failure;
use crate::model::id::{ChannelId, Name};
use crate::model::message::{MessageId, MessageReport, Search, SearchOutcome, SearchReport};
use crate::model::observation::Observation;
use crate::model::time::Timestamp;

/// Messages that one search reads.
const MOST_MESSAGES: u64 = 250;
/// Bytes that one search reads.
const MOST_BYTES: u64 = 8 * 1024 * 1024;
/// The longest header that is told.
const LONGEST_HEADER: usize = 256;

/// What is looked for, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub channel: ChannelId,
    pub search: Search,
    /// Look only before this position.
    pub before: Option<u64>,
}

/// A message with all that is in it.
#[derive(Debug, Default, Deserialize)]
struct FullReply {
    #[serde(default)]
    error: Option<ApiError>,
    #[serde(default)]
    message: Option<FullMessage>,
}

#[derive(Debug, Default, Deserialize)]
struct FullMessage {
    #[serde(default, deserialize_with = "or_default")]
    subject: String,
    #[serde(default, deserialize_with = "or_default")]
    seq: u64,
    #[serde(default, deserialize_with = "or_default")]
    hdrs: String,
    #[serde(default, deserialize_with = "or_default")]
    data: String,
    #[serde(default, deserialize_with = "time")]
    time: Option<Timestamp>,
}

impl Reply for FullReply {
    fn error(&mut self) -> Option<ApiError> {
        self.error.take()
    }
}

/// Searches, tells what came of it, and follows what was found.
pub(super) async fn search(api: &Api<'_>, wanted: Wanted) {
    let desk = api.desk;
    let Some((stream, last)) = desk.stream(&wanted.channel) else {
        // Not ours: another source's.
        return;
    };
    let mut looked = Looked::default();
    let outcome = match &wanted.search {
        Search::Seq(seq) => match looked.read(api, &stream, *seq).await {
            Ok(Some(message)) => found(api, &wanted.channel, &stream, &message),
            Ok(None) => SearchOutcome::NotThere,
            Err(failure) => SearchOutcome::Refused(one_line(&failure.to_string()).into()),
        },
        by => back(api, &wanted, &stream, by, last, &mut looked).await,
    };
    let report = SearchReport {
        channel: wanted.channel,
        search: wanted.search,
        outcome,
        looked_at: looked.messages,
        bytes: looked.bytes,
    };
    desk.observe(desk.clock().now(), Observation::Search(Box::new(report)));
}

/// What a search has cost.
#[derive(Default)]
struct Looked {
    messages: u64,
    bytes: u64,
}

impl Looked {
    /// The message at a position; `None` when it is not there (any more).
    async fn read(&mut self, api: &Api<'_>, stream: &Name, seq: u64) -> Result<Option<FullMessage>, Failure> {
        let body = Bytes::from(json!({ "seq": seq }).to_string());
        self.messages += 1;
        match api.ask::<FullReply>(&format!("STREAM.MSG.GET.{stream}"), body).await {
            Ok((reply, _, bytes)) => {
                self.bytes += bytes as u64;
                api.desk.bytes().spend(bytes as u64);
                Ok(reply.message)
            }
            Err(Failure::Refused { err_code: codes::NO_MESSAGE, .. }) => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

/// From the newest back.
async fn back(
    api: &Api<'_>,
    wanted: &Wanted,
    stream: &Name,
    by: &Search,
    (first, last): (u64, u64),
    looked: &mut Looked,
) -> SearchOutcome {
    let newest = wanted.before.map_or(last, |before| last.min(before.saturating_sub(1)));
    let mut seq = newest;
    while seq >= first.max(1) {
        if looked.messages >= MOST_MESSAGES || looked.bytes >= MOST_BYTES {
            return SearchOutcome::NotFrom(seq + 1);
        }
        match looked.read(api, stream, seq).await {
            Ok(Some(message)) if fits(&message, by) => {
                return found(api, &wanted.channel, stream, &message);
            }
            Ok(_) => {}
            Err(failure) => return SearchOutcome::Refused(one_line(&failure.to_string()).into()),
        }
        seq -= 1;
    }
    SearchOutcome::NotThere
}

fn found(api: &Api<'_>, channel: &ChannelId, stream: &Name, message: &FullMessage) -> SearchOutcome {
    let Some(appended) = message.time else {
        return SearchOutcome::Refused("the server does not say when the message was stored".into());
    };
    let desk = api.desk;
    let id = MessageId { channel: channel.clone(), seq: message.seq };
    let now = desk.clock().now();
    let headers = decoded(&message.hdrs);
    let report = MessageReport {
        id: id.clone(),
        subject: one_line(&message.subject).into(),
        appended,
        bytes: (headers.len() + decoded_len(&message.data)) as u64,
        headers: origins(&headers),
        read_at: now.wall,
        read_on: desk.stream_time(stream, now),
    };
    desk.follow(&id);
    desk.observe(now, Observation::Message(Box::new(report)));
    SearchOutcome::Found(message.seq)
}

/// How many bytes a base64 text stands for: three for each four letters, less one for each `=` at its end.
fn decoded_len(base64: &str) -> usize {
    let padding = base64.bytes().rev().take(2).take_while(|b| *b == b'=').count();
    (base64.len() / 4 * 3).saturating_sub(padding)
}

fn decoded(base64: &str) -> Vec<u8> {
    STANDARD.decode(base64).unwrap_or_default()
}

/// Headers as pairs: `NATS/1.0`, then `name: value` lines.
fn headers(raw: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(raw);
    let lines = text.split("\r\n").skip(1);
    let pairs = lines.filter_map(|line| line.split_once(':'));
    pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
}

/// The headers that tell where a message comes from and what it belongs to.
fn origins(raw: &[u8]) -> Vec<(Name, Name)> {
    let tells = |name: &str| {
        let name = name.to_ascii_lowercase();
        name.starts_with("ce-")
            || matches!(
                name.as_str(),
                "nats-msg-id"
                    | "traceparent"
                    | "correlation-id"
                    | "x-correlation-id"
                    | "causation-id"
                    | "x-causation-id"
            )
    };
    let told = headers(raw).into_iter().filter(|(name, value)| tells(name) && value.len() <= LONGEST_HEADER);
    told.map(|(name, value)| (one_line(&name).into(), one_line(&value).into())).collect()
}

fn fits(message: &FullMessage, by: &Search) -> bool {
    match by {
        Search::Seq(seq) => message.seq == *seq,
        Search::Header { name, value } => headers(&decoded(&message.hdrs))
            .iter()
            .any(|(n, v)| n.eq_ignore_ascii_case(name) && **v == **value),
        Search::Field { name, value } => {
            let payload = serde_json::from_slice::<Value>(&decoded(&message.data));
            payload.is_ok_and(|payload| has_field(&payload, name, value))
        }
    }
}

/// Whether a field of this name has this value, at any depth (which the parser bounds).
fn has_field(payload: &Value, name: &str, value: &str) -> bool {
    match payload {
        Value::Object(fields) => {
            fields.iter().any(|(field, is)| (field == name && reads(is, value)) || has_field(is, name, value))
        }
        Value::Array(items) => items.iter().any(|item| has_field(item, name, value)),
        _ => false,
    }
}

fn reads(is: &Value, value: &str) -> bool {
    match is {
        Value::String(text) => text == value,
        Value::Number(number) => number.to_string() == value,
        Value::Bool(yes) => yes.to_string() == value,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(headers: &str, payload: &str) -> FullMessage {
        FullMessage {
            seq: 7,
            hdrs: STANDARD.encode(headers),
            data: STANDARD.encode(payload),
            ..FullMessage::default()
        }
    }

    fn field(name: &str, value: &str) -> Search {
        Search::Field { name: name.into(), value: value.into() }
    }

    #[test]
    fn a_field_is_found_at_any_depth_as_text() {
        let order = message("", r#"{"order":{"lines":[{"sku":"A-1"}],"user_id":42,"paid":true}}"#);
        for (name, value, found) in [
            ("user_id", "42", true),
            ("sku", "A-1", true),
            ("paid", "true", true),
            ("user_id", "4", false),
            ("user", "42", false),
            ("order", "42", false),
        ] {
            assert_eq!(fits(&order, &field(name, value)), found, "{name}={value}");
        }
        assert!(!fits(&message("", "user_id=42"), &field("user_id", "42")), "no JSON has no fields");
    }

    #[test]
    fn headers_are_found_whatever_their_case() {
        let traced = message("NATS/1.0\r\nTraceparent: 00-ab-cd-01\r\nSecret: x\r\n\r\n", "{}");
        let by = |name: &str, value: &str| Search::Header { name: name.into(), value: value.into() };
        assert!(fits(&traced, &by("traceparent", "00-ab-cd-01")));
        assert!(!fits(&traced, &by("traceparent", "00-ab-cd-02")));
        let told = origins(&decoded(&traced.hdrs));
        assert_eq!(told, [("Traceparent".into(), "00-ab-cd-01".into())], "what may be secret is not told");
    }

    #[test]
    fn the_size_of_a_payload_is_exact() {
        for size in [0, 1, 2, 3, 4, 10, 100, 101] {
            assert_eq!(decoded_len(&STANDARD.encode(vec![b'=' + 1; size])), size);
        }
        assert_eq!(decoded_len("=="), 0);
    }

    #[test]
    fn what_is_no_base64_has_nothing_in_it() {
        let broken = FullMessage { data: "???".into(), hdrs: "\u{1b}".into(), ..FullMessage::default() };
        assert!(!fits(&broken, &field("a", "b")));
        assert!(origins(&decoded(&broken.hdrs)).is_empty());
    }
}
