//! What an answer of a health endpoint means: pure.
//!
//! The rule: the status code first, then the state word, then the parts. A 5xx is down whatever the text says; a 2xx
//! says what its word says, and without one that the endpoint answers; a 2xx that says "up" over a part that is down
//! is degraded. Understood are plain codes and words, Spring Boot actuator, ASP.NET (text and JSON), `MicroProfile`
//! and Quarkus, IETF `application/health+json`, Vert.x, Kubernetes' verbose text, and whatever is shaped like them:
//! a state word beside a map or list of parts that have state words.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::words::{one_line, state, worse};
use crate::model::id::Name;
use crate::model::observation::{ComponentHealth, HealthState};

/// Parts that are kept of one answer.
const MOST_PARTS: usize = 64;
/// Parts within parts that are followed.
const DEEPEST: usize = 4;
/// Where formats keep their parts.
const PARTS: [&str; 7] =
    ["components", "checks", "entries", "results", "dependencies", "services", "details"];
/// Where formats keep a state word. `outcome` is old `MicroProfile` and Vert.x.
const STATES: [&str; 6] = ["status", "state", "outcome", "health", "healthy", "ok"];
/// Where formats keep a reason.
const REASONS: [&str; 8] =
    ["error", "output", "reason", "message", "description", "exception", "cause", "detail"];
/// Where formats keep a part's name, when the parts are a list.
const NAMES: [&str; 5] = ["name", "id", "check", "component", "key"];

/// What an answer means.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The service's state.
    pub state: HealthState,
    /// Why, in one line.
    pub detail: Name,
    /// What it says of its parts.
    pub components: Vec<ComponentHealth>,
    /// The answer, where it is JSON: for versions that it reports.
    pub document: Option<Value>,
}

impl Answer {
    /// The versions found at the JSON pointers, by entity. A pointer that leads nowhere gives nothing: unknown.
    pub fn applied<'a>(
        &self,
        pointers: impl IntoIterator<Item = (&'a Name, &'a str)>,
    ) -> BTreeMap<Name, Name> {
        let Some(document) = &self.document else { return BTreeMap::new() };
        pointers
            .into_iter()
            .filter_map(|(entity, pointer)| {
                let version = match document.pointer(pointer)? {
                    Value::String(text) => one_line(text),
                    Value::Number(number) => number.to_string(),
                    Value::Bool(_) | Value::Null | Value::Array(_) | Value::Object(_) => return None,
                };
                Some((entity.clone(), version.into()))
            })
            .collect()
    }
}

/// Understands an answer. `content_type` is a hint only: what is JSON is found by reading it.
pub fn parse(status: u16, content_type: Option<&str>, body: &[u8]) -> Answer {
    let document: Option<Value> = serde_json::from_slice(body).ok();
    let body_says = match &document {
        Some(document) => Said::of_json(document),
        None => Said::of_text(&String::from_utf8_lossy(body), content_type),
    };
    let (state, detail) = conclude(status, &body_says);
    Answer { state, detail: detail.into(), components: body_says.parts, document }
}

/// What the body says, the status code left aside.
#[derive(Debug, Default)]
struct Said {
    /// Its state word and what it means.
    state: Option<HealthState>,
    /// Its own reason.
    reason: Option<String>,
    /// Its parts.
    parts: Vec<ComponentHealth>,
}

impl Said {
    fn of_json(document: &Value) -> Self {
        let Value::Object(object) = document else {
            return Self { state: state_of(document), ..Self::default() };
        };
        let mut parts = Vec::new();
        collect(object, "", 0, &mut parts);
        Self { state: object_state(object), reason: reason_of(object), parts }
    }

    fn of_text(text: &str, content_type: Option<&str>) -> Self {
        let parts = kubernetes(text);
        let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        let html = content_type.is_some_and(|kind| kind.to_ascii_lowercase().contains("html"))
            || first.get(..1).is_some_and(|start| start == "<");
        if html {
            return Self { reason: Some("a web page".to_owned()), ..Self::default() };
        }
        let word = state(first).or_else(|| {
            // `OK - 3 of 3 nodes`, `WARNING: disk`: a word that is set apart is a state.
            let end = first.find([':', ',', ';', '!', '.', '|']).or_else(|| first.find(" -"))?;
            state(first.get(..end)?)
        });
        let plain = word.is_some_and(|_| state(first).is_some());
        let reason = (!plain && parts.is_empty() && !first.is_empty()).then(|| one_line(first));
        Self { state: word, reason, parts }
    }

    /// The worst state of its parts.
    fn worst_part(&self) -> Option<HealthState> {
        self.parts.iter().map(|part| part.state).reduce(worse)
    }

    /// Why it is not well: its worst parts, else its own reason.
    fn why(&self) -> Option<String> {
        let mut bad: Vec<&ComponentHealth> = self
            .parts
            .iter()
            .filter(|part| matches!(part.state, HealthState::Down | HealthState::Degraded))
            .collect();
        bad.sort_by_key(|part| part.state != HealthState::Down);
        let shown: Vec<String> = bad
            .iter()
            .take(2)
            .map(|part| {
                let what = if part.detail.is_empty() { part.state.word() } else { &*part.detail };
                format!("{}: {what}", part.name)
            })
            .collect();
        if shown.is_empty() {
            return self.reason.clone();
        }
        let more = bad.len() - shown.len();
        Some(if more == 0 { shown.join("; ") } else { format!("{}; {more} more", shown.join("; ")) })
    }
}

/// State and reason from the status code and what the body says.
fn conclude(status: u16, said: &Said) -> (HealthState, String) {
    let with = |text: Option<String>| match text {
        Some(text) => one_line(&format!("{status}, {text}")),
        None => status.to_string(),
    };
    match status {
        200..=299 => match (said.state, said.worst_part()) {
            (Some(HealthState::Up), Some(HealthState::Down | HealthState::Degraded)) => {
                (HealthState::Degraded, with(said.why().map(|why| format!("says it is up, but {why}"))))
            }
            (Some(HealthState::Up) | None, None | Some(HealthState::Up | HealthState::Unknown)) => {
                (HealthState::Up, with(said.reason.clone()))
            }
            (Some(state), _) | (None, Some(state)) => {
                (state, with(Some(said.why().unwrap_or_else(|| state.word().to_owned()))))
            }
        },
        // Not followed: what answers there may be another system's sign-in page.
        300..=399 => (HealthState::Unknown, format!("{status}: redirected, and not followed")),
        401 | 403 => (HealthState::Unknown, format!("{status}: the endpoint wants credentials")),
        404 | 410 => (HealthState::Unknown, format!("{status}: nothing at this address")),
        400..=499 => match said.state {
            Some(state) => (state, with(said.why())),
            None => (HealthState::Unknown, with(said.why())),
        },
        500..=599 => {
            let claims_up = said.state == Some(HealthState::Up) && said.why().is_none();
            let why = if claims_up { Some("though its text says it is up".to_owned()) } else { said.why() };
            (HealthState::Down, with(why))
        }
        _ => (HealthState::Unknown, format!("{status}: not an answer to a health check")),
    }
}

/// The state that a JSON value tells by itself.
fn state_of(value: &Value) -> Option<HealthState> {
    match value {
        Value::String(word) => state(word),
        Value::Bool(up) => Some(if *up { HealthState::Up } else { HealthState::Down }),
        // Spring Boot can show `{"status":{"code":"UP","description":""}}`.
        Value::Object(object) => {
            object.get("code").or_else(|| object.get("status")).and_then(|code| match code {
                Value::String(word) => state(word),
                _ => None,
            })
        }
        // IETF: several measurements of one part.
        Value::Array(values) => {
            values.iter().filter_map(Value::as_object).filter_map(object_state).reduce(worse)
        }
        Value::Null | Value::Number(_) => None,
    }
}

fn object_state(object: &Map<String, Value>) -> Option<HealthState> {
    STATES.iter().filter_map(|key| object.get(*key)).find_map(|value| match value {
        Value::Array(_) => None,
        value => state_of(value),
    })
}

/// The reason that an object gives for its state, in one line.
fn reason_of(object: &Map<String, Value>) -> Option<String> {
    let own = |object: &Map<String, Value>| {
        REASONS
            .iter()
            .filter_map(|key| object.get(*key)?.as_str())
            .find(|text| !text.trim().is_empty())
            .map(one_line)
    };
    own(object).or_else(|| {
        // Spring: details.error; MicroProfile and ASP.NET: data.error.
        ["details", "data"].iter().filter_map(|key| object.get(*key)?.as_object()).find_map(own)
    })
}

/// Collects the parts of an object, and their parts. A value without a state (a measurement) is no part.
fn collect(object: &Map<String, Value>, prefix: &str, depth: usize, parts: &mut Vec<ComponentHealth>) {
    if depth >= DEEPEST {
        return;
    }
    for key in PARTS {
        match object.get(key) {
            Some(Value::Object(map)) => {
                // Nested `details` are data, not parts, unless they are objects with a state of their own.
                let only_objects = key == "details";
                for (name, value) in map {
                    if !only_objects || value.is_object() {
                        part(name, value, prefix, depth, parts);
                    }
                }
            }
            Some(Value::Array(list)) => {
                for value in list {
                    let Value::Object(entry) = value else { continue };
                    let name = NAMES.iter().find_map(|key| entry.get(*key)?.as_str());
                    part(name.unwrap_or("unnamed"), value, prefix, depth, parts);
                }
            }
            _ => {}
        }
    }
}

fn part(name: &str, value: &Value, prefix: &str, depth: usize, parts: &mut Vec<ComponentHealth>) {
    if parts.len() >= MOST_PARTS {
        return;
    }
    let name = one_line(name);
    let name = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
    let (found, reason) = match value {
        Value::Object(object) => (object_state(object), reason_of(object)),
        Value::Array(list) => {
            let worst = state_of(value);
            let of_worst =
                list.iter().filter_map(Value::as_object).find(|entry| object_state(entry) == worst);
            (worst, of_worst.and_then(reason_of))
        }
        other => (state_of(other), None),
    };
    if let Some(state) = found {
        let detail = reason.unwrap_or_default().into();
        parts.push(ComponentHealth { name: name.as_str().into(), state, detail });
    }
    if let Value::Object(object) = value {
        collect(object, &name, depth + 1, parts);
    }
}

/// The parts in Kubernetes' verbose text: `[+]ping ok`, `[-]etcd failed: reason withheld`.
fn kubernetes(text: &str) -> Vec<ComponentHealth> {
    text.lines()
        .filter_map(|line| {
            let line = line.trim();
            let (state, rest) = match (line.strip_prefix("[+]"), line.strip_prefix("[-]")) {
                (Some(rest), _) => (HealthState::Up, rest),
                (_, Some(rest)) => (HealthState::Down, rest),
                _ => return None,
            };
            let (name, detail) = rest.trim().split_once(' ').unwrap_or((rest.trim(), ""));
            let detail = if state == HealthState::Up { String::new() } else { one_line(detail) };
            Some(ComponentHealth { name: one_line(name).into(), state, detail: detail.into() })
        })
        .take(MOST_PARTS)
        .collect()
}

#[cfg(test)]
mod tests;
