//! Consumers: `CONSUMER.LIST` and what a consumer in it says.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::api::{ApiError, ClusterInfo, Page, Reply};
use super::lenient::{Entries, entries, filled, limit, or_default, positive_nanos, time};
use super::streams::metadata;
use crate::model::id::{ChannelId, ConsumerId, Name, SourceId};
use crate::model::measured::Bounds;
use crate::model::observation::{AckPolicy, ConsumerReport, Delivery, Position};
use crate::model::time::Timestamp;

/// One page of `CONSUMER.LIST`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ConsumerPage {
    #[serde(default)]
    error: Option<ApiError>,
    #[serde(default, deserialize_with = "or_default")]
    total: u64,
    #[serde(default, deserialize_with = "entries")]
    pub consumers: Entries<ConsumerInfo>,
    /// Consumers whose leader did not answer.
    #[serde(default, deserialize_with = "or_default")]
    pub missing: Vec<String>,
}

impl Reply for ConsumerPage {
    fn error(&mut self) -> Option<ApiError> {
        self.error.take()
    }
}

impl Page for ConsumerPage {
    fn total(&self) -> u64 {
        self.total
    }
    fn len(&self) -> usize {
        self.consumers.read.len() + self.consumers.unreadable.len() + self.missing.len()
    }
}

/// A consumer as `CONSUMER.LIST` and `/jsz` show it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ConsumerInfo {
    pub name: String,
    #[serde(default, deserialize_with = "time")]
    pub created: Option<Timestamp>,
    #[serde(default, deserialize_with = "or_default")]
    pub config: ConsumerConfig,
    #[serde(default)]
    pub delivered: Option<Sequences>,
    #[serde(default)]
    pub ack_floor: Option<Sequences>,
    #[serde(default)]
    pub num_ack_pending: Option<u64>,
    #[serde(default)]
    num_redelivered: Option<u64>,
    #[serde(default)]
    num_waiting: Option<u64>,
    #[serde(default)]
    pub num_pending: Option<u64>,
    #[serde(default)]
    cluster: Option<ClusterInfo>,
    #[serde(default)]
    push_bound: Option<bool>,
    #[serde(default)]
    paused: Option<bool>,
    #[serde(default)]
    pause_remaining: Option<i64>,
    #[serde(default, deserialize_with = "time")]
    pub ts: Option<Timestamp>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct ConsumerConfig {
    #[serde(default, deserialize_with = "or_default")]
    durable_name: String,
    #[serde(default, deserialize_with = "or_default")]
    description: String,
    #[serde(default, deserialize_with = "or_default")]
    pub deliver_policy: String,
    #[serde(default)]
    pub opt_start_seq: Option<u64>,
    #[serde(default, deserialize_with = "time")]
    pub opt_start_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "or_default")]
    pub ack_policy: String,
    #[serde(default)]
    ack_wait: Option<i64>,
    #[serde(default)]
    pub max_deliver: Option<i64>,
    #[serde(default)]
    max_ack_pending: Option<i64>,
    #[serde(default, deserialize_with = "or_default")]
    filter_subject: String,
    #[serde(default, deserialize_with = "or_default")]
    filter_subjects: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub deliver_subject: String,
    #[serde(default, deserialize_with = "or_default")]
    deliver_group: String,
    #[serde(default, deserialize_with = "or_default")]
    sample_freq: String,
    #[serde(default, deserialize_with = "or_default")]
    metadata: BTreeMap<String, String>,
}

/// A position as the broker writes it.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Sequences {
    #[serde(default)]
    pub consumer_seq: u64,
    #[serde(default)]
    pub stream_seq: u64,
    #[serde(default, deserialize_with = "time")]
    last_active: Option<Timestamp>,
}

impl Sequences {
    fn position(self) -> Position {
        Position {
            consumer_seq: self.consumer_seq,
            channel_seq: self.stream_seq,
            last_active: self.last_active,
        }
    }
}

impl ConsumerInfo {
    /// The subjects that it takes; empty is all.
    pub(super) fn filters(&self) -> Vec<&str> {
        let one = std::iter::once(&self.config.filter_subject);
        let all = one.chain(&self.config.filter_subjects).map(String::as_str);
        let some: Vec<&str> = all.filter(|filter| !filter.is_empty()).collect();
        if some.contains(&">") { Vec::new() } else { some }
    }

    /// How it acknowledges.
    pub(super) fn ack(&self) -> AckPolicy {
        match self.config.ack_policy.as_str() {
            "none" => AckPolicy::None,
            "all" => AckPolicy::All,
            _ => AckPolicy::Explicit,
        }
    }

    fn delivery(&self) -> Delivery {
        if self.config.deliver_subject.is_empty() {
            return Delivery::Pull;
        }
        Delivery::Push {
            subject: self.config.deliver_subject.as_str().into(),
            queue: filled(&self.config.deliver_group),
            // Left out by the broker when it is false.
            bound: Some(self.push_bound.unwrap_or(false)),
        }
    }

    /// What it is to us.
    pub(super) fn report(&self, source: &SourceId, stream: &str) -> ConsumerReport {
        let config = &self.config;
        ConsumerReport {
            id: ConsumerId::named(source, stream, &self.name),
            name: self.name.as_str().into(),
            channel: ChannelId::named(source, stream),
            filters: self.filters().into_iter().map(Into::into).collect(),
            durable: !config.durable_name.is_empty(),
            delivery: self.delivery(),
            ack: self.ack(),
            ack_wait: positive_nanos(config.ack_wait),
            max_deliver: limit(config.max_deliver),
            max_in_flight: limit(config.max_ack_pending),
            delivered: self.delivered.map(Sequences::position),
            floor: self.ack_floor.map(Sequences::position),
            lag: told(self.num_pending),
            in_flight: told(self.num_ack_pending),
            redelivered: told(self.num_redelivered),
            waiting_pulls: self.num_waiting.filter(|_| config.deliver_subject.is_empty()),
            paused: self.paused.unwrap_or(false).then(|| {
                let left = self.pause_remaining.and_then(|nanos| u64::try_from(nanos).ok());
                Duration::from_nanos(left.unwrap_or(0))
            }),
            created_at: self.created,
            leader: self.cluster.as_ref().and_then(|cluster| filled(&cluster.leader)),
            members: Vec::new(),
            sampling: sampling(&config.sample_freq),
            description: filled(&config.description),
            metadata: metadata(&config.metadata),
        }
    }
}

fn told(value: Option<u64>) -> Bounds<u64> {
    value.map_or_else(|| Bounds::unknown("not in the broker's answer"), Bounds::Exact)
}

/// `100` or `100%`.
fn sampling(text: &str) -> Option<u8> {
    let percent: u8 = text.trim().trim_end_matches('%').trim().parse().ok()?;
    (1..=100).contains(&percent).then_some(percent)
}

/// Names the broker gave without a state.
pub(super) fn missing_names(pages: &[&ConsumerPage]) -> Vec<Name> {
    let mut names: Vec<Name> = Vec::new();
    for page in pages {
        names.extend(page.missing.iter().map(|name| name.as_str().into()));
        names.extend(page.consumers.unreadable.iter().filter(|name| &***name != "?").cloned());
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sampling_is_a_percentage() {
        assert_eq!(sampling("100%"), Some(100));
        assert_eq!(sampling("5"), Some(5));
        assert_eq!(sampling(""), None);
        assert_eq!(sampling("300"), None);
        assert_eq!(sampling("0"), None);
    }

    #[test]
    fn what_is_not_told_is_unknown() {
        let info: ConsumerInfo = serde_json::from_str(r#"{"name":"a"}"#).unwrap();
        let report = info.report(&SourceId::from("nats"), "S");
        assert!(report.lag.why_unknown().is_some());
        assert_eq!(report.delivered, None);
        assert_eq!(report.delivery, Delivery::Pull);
    }
}
