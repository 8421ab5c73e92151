//! Looks for single messages: by position, by a field of the payload, by a header.
//!
//! A stream has no index of what is in its messages, so they are read one after the other, from the newest back, within the same
//! budget as all other questions and so many at a time: the answer says how far that was, and one can go on. What is in a message
//! stays here; only what tells where it comes from is told.

use serde_json::Value;

use super::api::Api;
use super::desk::Kept;
use super::lenient::one_line;
use super::stored::{Reader, Stored};
use super::wire::Failure;
use crate::model::id::{ChannelId, Name};
use crate::model::message::{Search, SearchOutcome, SearchReport};
use crate::model::observation::Observation;
use crate::source::redact::Watched;

/// Messages that one search reads one by one.
const MOST_MESSAGES: u64 = 250;
/// Messages that one search reads where many come at once.
const MOST_AT_ONCE: u64 = 5_000;
/// Positions that are looked at in one go.
const STEP: u64 = 100;
/// Bytes that one search reads.
const MOST_BYTES: u64 = 8 * 1024 * 1024;

/// What is looked for, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub channel: ChannelId,
    pub search: Search,
    /// Look only before this position.
    pub before: Option<u64>,
}

/// Searches, tells what came of it, and follows what was found.
pub(super) async fn search(api: &Api<'_>, wanted: Wanted, declared: &Watched) {
    let desk = api.desk;
    let Some((stream, kept)) = desk.stream(&wanted.channel) else {
        // Not ours: another source's.
        return;
    };
    let mut reader = Reader::new(stream.clone(), kept.direct);
    let outcome = match &wanted.search {
        Search::Seq(seq) => match reader.at(api, *seq).await {
            Ok(Some(message)) => found(api, &wanted.channel, &stream, &message, declared),
            Ok(None) => SearchOutcome::NotThere,
            Err(failure) => SearchOutcome::Refused(one_line(&failure.to_string()).into()),
        },
        _ => back(api, &wanted, (&stream, kept), &mut reader, declared).await,
    };
    let report = SearchReport {
        channel: wanted.channel,
        search: wanted.search,
        outcome,
        looked_at: reader.messages,
        bytes: reader.bytes,
    };
    desk.observe(desk.clock().now(), Observation::Search(Box::new(report)));
}

/// From the newest back.
async fn back(
    api: &Api<'_>,
    wanted: &Wanted,
    (stream, kept): (&Name, Kept),
    reader: &mut Reader,
    declared: &Watched,
) -> SearchOutcome {
    let first = kept.first.max(1);
    // Everything from here on has been looked at.
    let mut from = kept.last.saturating_add(1);
    if let Some(before) = wanted.before.filter(|before| *before <= from) {
        from = before;
    } else {
        // What came since the stream was listed is there too: who asks may just have heard it.
        match reader.newest(api).await {
            Ok(Some(message)) if wanted.before.is_none_or(|before| message.seq < before) => {
                if fits(&message, &wanted.search) {
                    return found(api, &wanted.channel, stream, &message, declared);
                }
                from = message.seq;
            }
            Ok(newest) => from = wanted.before.filter(|_| newest.is_some()).unwrap_or(from),
            Err(failure) => return SearchOutcome::Refused(one_line(&failure.to_string()).into()),
        }
    }
    while from > first {
        let most = if reader.reads_many() { MOST_AT_ONCE } else { MOST_MESSAGES };
        if reader.messages >= most || reader.bytes >= MOST_BYTES {
            return SearchOutcome::NotFrom(from);
        }
        let begin = if reader.reads_many() { from.saturating_sub(STEP).max(first) } else { from - 1 };
        match between(api, reader, begin, from).await {
            Ok(messages) => {
                if let Some(message) = messages.iter().rev().find(|message| fits(message, &wanted.search)) {
                    return found(api, &wanted.channel, stream, message, declared);
                }
            }
            Err(failure) => return SearchOutcome::Refused(one_line(&failure.to_string()).into()),
        }
        from = begin;
    }
    SearchOutcome::NotThere
}

/// All messages from a position on and before another, which is read one by one where it is the next.
pub(super) async fn between(
    api: &Api<'_>,
    reader: &mut Reader,
    begin: u64,
    end: u64,
) -> Result<Vec<Stored>, Failure> {
    if begin + 1 == end {
        return Ok(reader.at(api, begin).await?.into_iter().collect());
    }
    let mut messages: Vec<Stored> = Vec::new();
    let mut next = begin;
    while next < end {
        let some = reader.some(api, next, ">", end - next).await?;
        let Some(last) = some.last() else { break };
        next = last.seq + 1;
        messages.extend(some.into_iter().filter(|message| message.seq < end));
    }
    Ok(messages)
}

/// Tells of what was found, and follows it.
fn found(
    api: &Api<'_>,
    channel: &ChannelId,
    stream: &Name,
    message: &Stored,
    declared: &Watched,
) -> SearchOutcome {
    let Some(report) = message.report(api, channel, stream, declared, None) else {
        return SearchOutcome::Refused("the server does not say when the message was stored".into());
    };
    api.desk.follow(&report.id);
    api.desk.observe(api.desk.clock().now(), Observation::Message(Box::new(report)));
    SearchOutcome::Found(message.seq)
}

fn fits(message: &Stored, by: &Search) -> bool {
    match by {
        Search::Seq(seq) => message.seq == *seq,
        Search::Header { name, value } => {
            message.headers().iter().any(|(n, v)| n.eq_ignore_ascii_case(name) && **v == **value)
        }
        Search::Field { name, value } => {
            message.json().is_some_and(|payload| has_field(&payload, name, value))
        }
    }
}

/// Whether a field of this name has this value, at any depth (which the parser bounds).
pub(super) fn has_field(payload: &Value, name: &str, value: &str) -> bool {
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
    use crate::source::nats::stored::tests::stored as message;

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
    }
}
