//! Streams: `STREAM.LIST` and what a stream in it says.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::api::{ApiError, ClusterInfo, Page, Reply};
use super::consumers::ConsumerInfo;
use super::lenient::{Entries, entries, filled, limit, one_line, or_default, positive_nanos, time};
use crate::model::id::{ChannelId, Name, SourceId};
use crate::model::observation::{ChannelKind, ChannelReport, FedBy, Retention};
use crate::model::subject::covers;
use crate::model::time::Timestamp;

/// One page of `STREAM.LIST`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct StreamPage {
    #[serde(default)]
    error: Option<ApiError>,
    #[serde(default, deserialize_with = "or_default")]
    total: u64,
    #[serde(default, deserialize_with = "entries")]
    pub streams: Entries<StreamInfo>,
    /// Streams whose leader did not answer the meta leader.
    #[serde(default, deserialize_with = "or_default")]
    pub missing: Vec<String>,
}

impl Reply for StreamPage {
    fn error(&mut self) -> Option<ApiError> {
        self.error.take()
    }
}

impl Page for StreamPage {
    fn total(&self) -> u64 {
        self.total
    }
    fn len(&self) -> usize {
        self.streams.read.len() + self.streams.unreadable.len() + self.missing.len()
    }
}

/// A stream as `STREAM.LIST` and `/jsz` show it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct StreamInfo {
    pub config: StreamConfig,
    #[serde(default, deserialize_with = "time")]
    pub created: Option<Timestamp>,
    #[serde(default, deserialize_with = "or_default")]
    pub state: StreamState,
    #[serde(default)]
    pub mirror: Option<Upstream>,
    #[serde(default, deserialize_with = "or_default")]
    pub sources: Vec<Upstream>,
    #[serde(default)]
    pub cluster: Option<ClusterInfo>,
    #[serde(default, deserialize_with = "time")]
    pub ts: Option<Timestamp>,
    /// Only in `/jsz`.
    #[serde(default, deserialize_with = "entries")]
    pub consumer_detail: Entries<ConsumerInfo>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct StreamConfig {
    pub name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub subjects: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub retention: String,
    #[serde(default)]
    max_msgs: Option<i64>,
    #[serde(default)]
    max_bytes: Option<i64>,
    #[serde(default)]
    max_age: Option<i64>,
    #[serde(default)]
    num_replicas: Option<u32>,
    /// Messages may be read from any server that has them, many at once.
    #[serde(default, deserialize_with = "or_default")]
    pub allow_direct: bool,
    #[serde(default, deserialize_with = "or_default")]
    description: String,
    #[serde(default, deserialize_with = "or_default")]
    metadata: BTreeMap<String, String>,
    #[serde(default)]
    pub mirror: Option<UpstreamConfig>,
    #[serde(default, deserialize_with = "or_default")]
    pub sources: Vec<UpstreamConfig>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct UpstreamConfig {
    pub name: String,
    #[serde(default)]
    external: Option<External>,
}

#[derive(Debug, Default, Deserialize)]
struct External {
    #[serde(default, deserialize_with = "or_default")]
    api: String,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct StreamState {
    #[serde(default)]
    pub messages: Option<u64>,
    #[serde(default)]
    pub bytes: Option<u64>,
    #[serde(default)]
    pub first_seq: Option<u64>,
    #[serde(default)]
    pub last_seq: Option<u64>,
    #[serde(default, deserialize_with = "time")]
    pub first_ts: Option<Timestamp>,
    #[serde(default, deserialize_with = "time")]
    pub last_ts: Option<Timestamp>,
    #[serde(default)]
    num_subjects: Option<u64>,
    #[serde(default)]
    pub consumer_count: Option<u64>,
}

/// How far a mirror or source is, as the broker tells.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Upstream {
    name: String,
    #[serde(default)]
    lag: Option<u64>,
    /// Nanoseconds since the last sign of it; −1 before the first.
    #[serde(default)]
    active: Option<i64>,
    #[serde(default)]
    external: Option<External>,
}

impl StreamInfo {
    /// The server whose clock stamps its messages: its leader's. A mirror keeps the stamps of its upstream,
    /// so there it is unknown here.
    pub(super) fn leader(&self) -> Option<&str> {
        self.cluster.as_ref().map(|cluster| cluster.leader.as_str()).filter(|leader| !leader.is_empty())
    }

    /// What it is to us, under the name that it has here (which says the account where there are several).
    pub(super) fn report(&self, source: &SourceId, name: &str) -> ChannelReport {
        let config = &self.config;
        let state = &self.state;
        ChannelReport {
            id: ChannelId::named(source, name),
            name: name.into(),
            kind: kind(&config.name, &config.subjects),
            subjects: config.subjects.iter().map(|subject| subject.as_str().into()).collect(),
            fed_by: self.fed_by(source),
            messages: state.messages,
            bytes: state.bytes,
            first_seq: state.first_seq,
            last_seq: state.last_seq,
            first_at: state.first_ts,
            last_at: state.last_ts,
            created_at: self.created,
            retention: Retention {
                policy: match config.retention.as_str() {
                    "workqueue" => "work queue".into(),
                    other => other.into(),
                },
                max_age: positive_nanos(config.max_age),
                max_messages: limit(config.max_msgs),
                max_bytes: limit(config.max_bytes),
            },
            leader: self.leader().map(Into::into),
            replicas: config.num_replicas,
            distinct_subjects: match (state.num_subjects, state.messages) {
                // Left out by the broker when it is zero.
                (None, Some(0)) => Some(0),
                (count, _) => count,
            },
            consumers: state.consumer_count,
            description: filled(&config.description),
            metadata: metadata(&config.metadata),
        }
    }

    fn fed_by(&self, source: &SourceId) -> Vec<FedBy> {
        let configured =
            self.config.mirror.iter().map(|upstream| ("mirror", upstream, self.mirror.as_ref())).chain(
                self.config.sources.iter().map(|upstream| {
                    let state = self.sources.iter().find(|state| {
                        state.name == upstream.name
                            && api(state.external.as_ref()) == api(upstream.external.as_ref())
                    });
                    ("source", upstream, state)
                }),
            );
        configured
            .map(|(how, upstream, state)| FedBy {
                channel: upstream.channel(source),
                how: how.into(),
                lag: state.and_then(|state| state.lag),
                silent_for: state
                    .and_then(|state| state.active)
                    .and_then(|nanos| u64::try_from(nanos).ok())
                    .map(Duration::from_nanos),
            })
            .collect()
    }
}

impl UpstreamConfig {
    /// In another account or domain it is another channel than the stream of that name here.
    fn channel(&self, source: &SourceId) -> ChannelId {
        match api(self.external.as_ref()) {
            Some(api) => ChannelId::named(source, &format!("{}@{api}", self.name)),
            None => ChannelId::named(source, &self.name),
        }
    }

    /// Whether it is in another account or domain.
    pub(super) fn is_external(&self) -> bool {
        api(self.external.as_ref()).is_some()
    }
}

fn api(external: Option<&External>) -> Option<&str> {
    external.map(|external| external.api.as_str()).filter(|api| !api.is_empty())
}

/// Buckets are streams with a name and subjects by convention; a mirrored bucket has no subjects.
fn kind(name: &str, subjects: &[String]) -> ChannelKind {
    let all_in = |prefix: &str| subjects.iter().all(|subject| subject.starts_with(prefix));
    if name.starts_with("KV_") && all_in("$KV.") {
        ChannelKind::KeyValue
    } else if name.starts_with("OBJ_") && all_in("$O.") {
        ChannelKind::ObjectStore
    } else {
        ChannelKind::Stream
    }
}

/// The metadata that people wrote; the broker keeps its own under `_nats.`.
pub(super) fn metadata(all: &BTreeMap<String, String>) -> BTreeMap<Name, Name> {
    let written = all.iter().filter(|(key, _)| !key.starts_with("_nats."));
    written.map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect()
}

/// What to say of a stream that stores what everybody asks the broker.
pub(super) fn remark(name: &str, subjects: &[String]) -> Option<String> {
    const ASKED: [&str; 3] = ["$JS.API.STREAM.LIST", "$SYS.REQ.ACCOUNT.PING.CONNZ", "$SRV.STATS"];
    let taker = subjects.iter().find(|pattern| ASKED.iter().any(|asked| covers(pattern, asked)))?;
    Some(format!(
        "stream {} captures {}: it stores everybody's requests to the broker, those of Headwater too",
        one_line(name),
        one_line(taker)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_takes_everything_is_remarked() {
        assert!(remark("ALL", &[">".into()]).is_some());
        assert!(remark("API", &["$JS.API.>".into()]).is_some());
        assert!(remark("ORDERS", &["orders.>".into()]).is_none());
    }

    #[test]
    fn buckets_are_told_by_name_and_subjects() {
        assert_eq!(kind("KV_cart", &["$KV.cart.>".into()]), ChannelKind::KeyValue);
        assert_eq!(kind("KV_cart", &[]), ChannelKind::KeyValue);
        assert_eq!(kind("KV_orders", &["orders.>".into()]), ChannelKind::Stream);
        assert_eq!(
            kind("OBJ_files", &["$O.files.C.>".into(), "$O.files.M.>".into()]),
            ChannelKind::ObjectStore
        );
    }
}
