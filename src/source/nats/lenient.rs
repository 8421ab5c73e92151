//! Reading what a broker says without trusting it: unknown fields are ignored, missing and `null` ones
//! are empty, and one entry that makes no sense does not spoil the list it is in.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::model::id::Name;
use crate::model::time::Timestamp;

/// `null` is the default: Go writes an empty list as `null`.
pub(super) fn or_default<'de, D, T>(d: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::<T>::deserialize(d).map(Option::unwrap_or_default)
}

/// A list of which some entries may be unreadable.
#[derive(Debug)]
pub(super) struct Entries<T> {
    /// What could be read.
    pub read: Vec<T>,
    /// The names (or `?`) of what could not.
    pub unreadable: Vec<Name>,
}

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self { read: Vec::new(), unreadable: Vec::new() }
    }
}

/// Reads a list entry by entry; `null` and a missing list are empty.
pub(super) fn entries<'de, D, T>(d: D) -> Result<Entries<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let values = Option::<Vec<Entry<T>>>::deserialize(d)?.unwrap_or_default();
    let mut out = Entries::default();
    for value in values {
        match value {
            Entry::Read(entry) => out.read.push(entry),
            Entry::Unreadable(value) => out.unreadable.push(name_of(&value)),
        }
    }
    Ok(out)
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Entry<T> {
    Read(T),
    Unreadable(Value),
}

fn name_of(value: &Value) -> Name {
    let name = value.get("name").or_else(|| value.get("config").and_then(|config| config.get("name")));
    name.and_then(Value::as_str).unwrap_or("?").into()
}

/// A point in time as RFC 3339; Go's zero time and anything unreadable are `None`.
pub(super) fn time<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Timestamp>, D::Error> {
    Ok(Option::<Value>::deserialize(d)?.as_ref().and_then(Value::as_str).and_then(parse_time))
}

/// Reads RFC 3339; the zero time of Go (year 1) means "never".
pub(super) fn parse_time(text: &str) -> Option<Timestamp> {
    let instant: jiff::Timestamp = text.parse().ok()?;
    let nanos = i64::try_from(instant.as_nanosecond()).ok()?;
    (nanos > 0).then_some(Timestamp(nanos))
}

/// Nanoseconds as the broker writes durations; zero and negative mean "none".
pub(super) fn positive_nanos(nanos: Option<i64>) -> Option<Duration> {
    let nanos = u64::try_from(nanos?).ok()?;
    (nanos > 0).then(|| Duration::from_nanos(nanos))
}

/// A limit as the broker writes it; zero and negative mean "without limit".
pub(super) fn limit(value: Option<i64>) -> Option<u64> {
    value.and_then(|value| u64::try_from(value).ok()).filter(|value| *value > 0)
}

/// A name, or nothing when it is empty.
pub(super) fn filled(text: &str) -> Option<Name> {
    (!text.is_empty()).then(|| text.into())
}

/// Text from outside inside a line of our own: control characters become spaces and it ends somewhere.
pub(super) fn one_line(text: &str) -> String {
    const LONGEST: usize = 200;
    let mut out: String =
        text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
    if text.trim().chars().nth(LONGEST).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize, Debug)]
    struct Thing {
        #[serde(default, deserialize_with = "or_default")]
        name: String,
        #[serde(default, deserialize_with = "time")]
        at: Option<Timestamp>,
    }

    #[derive(Deserialize, Debug)]
    struct Page {
        #[serde(default, deserialize_with = "entries")]
        things: Entries<Thing>,
    }

    #[test]
    fn one_bad_entry_does_not_spoil_the_list() {
        let text = r#"{"things":[{"name":"a","new":[1]},{"name":7},{"name":null,"at":"2026-11-23T05:53:24.5Z"},"x"]}"#;
        let page: Page = serde_json::from_str(text).unwrap();
        assert_eq!(page.things.read.len(), 2);
        assert_eq!(page.things.read[0].name, "a");
        assert_eq!(page.things.read[1].at, Some(Timestamp(1_795_413_204_500_000_000)));
        assert_eq!(page.things.unreadable.len(), 2);
        let empty: Page = serde_json::from_str(r#"{"things":null}"#).unwrap();
        assert!(empty.things.read.is_empty());
    }

    #[test]
    fn never_is_not_a_time() {
        assert_eq!(parse_time("0001-01-01T00:00:00Z"), None);
        assert_eq!(parse_time("yesterday"), None);
        assert_eq!(parse_time("2026-11-23T07:53:24.5+02:00"), parse_time("2026-11-23T05:53:24.5Z"));
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(one_line("a\nb\u{1b}[2J "), "a b [2J");
        assert_eq!(one_line(&"x".repeat(300)).chars().count(), 201);
    }
}
