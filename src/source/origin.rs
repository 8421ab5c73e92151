//! What a message says of itself that a person may be told: where it comes from, what it is about, which version of a record it
//! brings, and when that was decided. Pure; all sources share it.
//!
//! * Headers: `Nats-Msg-Id`, `traceparent`, `CloudEvents` in binary mode (`ce-…`), correlation and causation ids.
//! * Fields of a JSON payload: those that the topology declares as keys, at any depth, and ids (`id`, `order_id`, `orderId`) of the
//!   record itself. The record is the payload, or what an envelope carries: `data` of a structured `CloudEvent`, `after` of a change
//!   record (Debezium), with or without its `payload`.
//! * The version: the record's `version`, `revision` or `rev`.
//! * The moment of decision: `ce-time`, `time` of a structured `CloudEvent`, `source.ts_ms` of a change record (when its database
//!   committed it).
//!
//! What is sensitive is never told, key or not.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::redact::Sensitive;
use crate::model::id::Name;
use crate::model::message::Commit;
use crate::model::time::Timestamp;

/// The longest value that is told, in bytes.
const LONGEST: usize = 256;
/// Headers and fields that are told of one message.
const MOST: usize = 32;

/// What a message says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Headers that tell where it comes from.
    pub headers: Vec<(Name, Name)>,
    /// Fields that tell what it is about.
    pub fields: Vec<(Name, Name)>,
    /// Which version of a record it brings.
    pub version: Option<Name>,
    /// When what it tells was decided.
    pub committed: Option<Commit>,
}

/// Reads it from headers and payload; `keys` are the fields that the topology declares as keys.
pub fn read(
    headers: &[(String, String)],
    payload: &[u8],
    keys: &BTreeSet<Name>,
    sensitive: &Sensitive,
) -> Origin {
    let told = headers.iter().filter(|(name, value)| {
        is_origin(name) && !sensitive.is(name) && value.len() <= LONGEST && !value.is_empty()
    });
    let mut origin = Origin {
        headers: told.take(MOST).map(|(name, value)| (one_line(name), one_line(value))).collect(),
        ..Origin::default()
    };
    let by_header = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("ce-time"));
    origin.committed = by_header
        .and_then(|(_, time)| Some(Commit { at: time.parse().ok().and_then(whole)?, by: "ce-time".into() }));
    let Ok(Value::Object(body)) = serde_json::from_slice(payload) else { return origin };
    let record = record(&body);
    let mut keep = |name: &str, value: &Value| {
        if origin.fields.len() < MOST
            && !sensitive.is(name)
            && !origin.fields.iter().any(|(known, _)| **known == *name)
            && let Some(text) = text(value)
        {
            origin.fields.push((one_line(name), text));
        }
    };
    for (name, value) in record.iter().filter(|(name, _)| keys.contains(name.as_str()) || is_id(name)) {
        keep(name, value);
    }
    for key in keys {
        if let Some(value) = find(&Value::Object(body.clone()), key) {
            keep(key, value);
        }
    }
    origin.version = ["version", "revision", "rev"].iter().find_map(|name| text(record.get(*name)?));
    if origin.committed.is_none() {
        origin.committed = committed(&body);
    }
    origin
}

/// The value of a field as text, if it is a short scalar.
pub fn text(value: &Value) -> Option<Name> {
    let text = match value {
        Value::String(text) if !text.is_empty() && text.len() <= LONGEST => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    Some(one_line(&text))
}

/// The first field of this name, at any depth (which the parser bounds).
fn find<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    match value {
        Value::Object(fields) => {
            fields.get(name).or_else(|| fields.values().find_map(|inside| find(inside, name)))
        }
        Value::Array(items) => items.iter().find_map(|item| find(item, name)),
        _ => None,
    }
}

fn is_origin(name: &str) -> bool {
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
}

/// `id`, `order_id`, `order-id`, `orderId`, `orderID`; not `paid`.
fn is_id(name: &str) -> bool {
    let Some(before) = name.len().checked_sub(2).and_then(|at| name.get(..at)) else { return false };
    match name.get(before.len()..) {
        Some("id" | "ID" | "Id") if before.is_empty() => true,
        Some("id" | "ID") if before.ends_with(['_', '-', '.']) => true,
        Some("Id" | "ID") => before.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()),
        _ => false,
    }
}

/// What an envelope carries, or the payload itself.
fn record(body: &Map<String, Value>) -> &Map<String, Value> {
    let inside = |fields: &'_ Map<String, Value>, name: &str| fields.get(name).is_some_and(Value::is_object);
    let step = |fields: &'_ Map<String, Value>| {
        ["after", "payload"].into_iter().find(|name| {
            // A change record says what was done, a payload of it carries one.
            inside(fields, name) && (fields.contains_key("op") || *name == "payload" && fields.len() <= 2)
        })
    };
    let mut at = body;
    if body.contains_key("specversion")
        && let Some(Value::Object(data)) = body.get("data")
    {
        at = data;
    }
    for _ in 0..2 {
        let Some(Value::Object(inner)) = step(at).and_then(|name| at.get(name)) else { break };
        at = inner;
    }
    at
}

fn committed(body: &Map<String, Value>) -> Option<Commit> {
    if body.contains_key("specversion")
        && let Some(at) = body.get("time").and_then(Value::as_str).and_then(|time| whole(time.parse().ok()?))
    {
        return Some(Commit { at, by: "time of the CloudEvent".into() });
    }
    let change = match body.get("payload") {
        Some(Value::Object(payload)) => payload,
        _ => body,
    };
    let ms = change.get("source")?.get("ts_ms")?.as_i64().filter(|ms| *ms > 0)?;
    Some(Commit { at: Timestamp::from_millis(ms), by: "source.ts_ms of the change record".into() })
}

fn whole(instant: jiff::Timestamp) -> Option<Timestamp> {
    i64::try_from(instant.as_nanosecond()).ok().map(Timestamp)
}

/// Text from outside inside a line of our own.
fn one_line(text: &str) -> Name {
    let clean: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    clean.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[(&str, &str)], payload: &str) -> Origin {
        let headers: Vec<(String, String)> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let keys = ["sku", "email"].map(Name::from).into();
        read(&headers, payload.as_bytes(), &keys, &Sensitive::of(["email".into()]))
    }

    fn fields(payload: &str) -> Vec<(String, String)> {
        let told = of(&[], payload).fields;
        told.into_iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn ids_and_declared_keys_are_told_and_nothing_sensitive() {
        let told = fields(
            r#"{"order_id":"o-1","paid":true,"orderId":7,"note":"x","email":"a@b","line":{"sku":"A","x_id":1}}"#,
        );
        assert_eq!(told, [pair("orderId", "7"), pair("order_id", "o-1"), pair("sku", "A")]);
        for name in ["paid", "grid", "void", "identity", "", "i", "PAID"] {
            assert!(!is_id(name), "{name}");
        }
        for name in ["id", "ID", "user_id", "userId", "user-id", "userID", "user_ID", "v2Id"] {
            assert!(is_id(name), "{name}");
        }
    }

    #[test]
    fn headers_that_tell_where_it_comes_from_are_told_and_no_others() {
        let told =
            of(&[("Traceparent", "00-ab-cd-01"), ("Secret", "x"), ("ce-token", "y"), ("CE-Id", "1\n2")], "");
        assert_eq!(told.headers.len(), 3, "{:?}", told.headers);
        assert_eq!(told.headers[2], ("CE-Id".into(), "1 2".into()));
    }

    #[test]
    fn a_record_is_found_in_its_envelope() {
        let cloud = r#"{"specversion":"1.0","id":"e-1","time":"2026-11-23T05:53:24.5Z","data":{"id":"u-1","version":7}}"#;
        let told = of(&[], cloud);
        assert_eq!(told.fields, [("id".into(), "u-1".into())]);
        assert_eq!(told.version.as_deref(), Some("7"));
        assert_eq!(told.committed.unwrap().at, Timestamp(1_795_413_204_500_000_000));

        for change in [
            r#"{"op":"u","before":{"id":1},"after":{"id":2,"rev":"b"},"source":{"ts_ms":5}}"#,
            r#"{"schema":{},"payload":{"op":"u","after":{"id":2,"rev":"b"},"source":{"ts_ms":5}}}"#,
        ] {
            let told = of(&[], change);
            assert_eq!(told.fields, [("id".into(), "2".into())], "{change}");
            assert_eq!(told.version.as_deref(), Some("b"));
            assert_eq!(told.committed.unwrap().at, Timestamp::from_millis(5));
        }
        let header = of(&[("ce-time", "2026-11-23T07:53:24.5+02:00")], "{}");
        assert_eq!(header.committed.unwrap().by, "ce-time".into());
    }

    #[test]
    fn what_says_nothing_says_nothing() {
        for payload in ["", "7", "[]", "{", "\u{1b}", r#"{"version":{},"source":7,"id":null,"time":"x"}"#] {
            assert_eq!(of(&[("ce-time", "soon")], payload).committed, None, "{payload}");
            assert_eq!(of(&[], payload), Origin::default(), "{payload}");
        }
    }
}
