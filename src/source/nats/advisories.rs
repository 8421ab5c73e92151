//! What JetStream tells by itself: messages given up, refused or terminated, and what was made, changed or removed.
//!
//! The server builds an advisory only while somebody listens to its subject, so only those that matter are
//! listened to. `$JS.EVENT.ADVISORY.API`, the audit of every request to the JetStream API, is left out: it would
//! tell each of Headwater's own polls again, with the whole answer in it. So who made a change is not known here.
//! Advisories about an account's own streams come to everybody in the account who may subscribe.

use serde::Deserialize;

use super::lenient::{filled, one_line, or_default, time};
use crate::model::id::{ChannelId, ConsumerId, SourceId};
use crate::model::observation::{Notice, NoticeKind};
use crate::model::time::Timestamp;

/// What is listened to, behind the event prefix (`$JS.EVENT`).
pub(super) const SUBJECTS: [&str; 3] =
    ["ADVISORY.CONSUMER.>", "ADVISORY.STREAM.>", "ADVISORY.API.LIMIT_REACHED"];

/// Every advisory, as far as it matters.
#[derive(Debug, Default, Deserialize)]
struct Advisory {
    #[serde(default, rename = "type", deserialize_with = "or_default")]
    kind: String,
    #[serde(default, deserialize_with = "time")]
    timestamp: Option<Timestamp>,
    #[serde(default, deserialize_with = "or_default")]
    stream: String,
    #[serde(default, deserialize_with = "or_default")]
    consumer: String,
    #[serde(default)]
    stream_seq: Option<u64>,
    #[serde(default)]
    deliveries: Option<u64>,
    #[serde(default, deserialize_with = "or_default")]
    action: String,
    #[serde(default, deserialize_with = "or_default")]
    reason: String,
    #[serde(default, deserialize_with = "or_default")]
    leader: String,
    #[serde(default)]
    paused: Option<bool>,
    #[serde(default, deserialize_with = "or_default")]
    group: String,
    #[serde(default)]
    dropped: Option<u64>,
}

/// The advisory as a notice, and when it happened by the broker's clock. `None` for what says nothing to a person.
pub(super) fn read(payload: &[u8], source: &SourceId) -> Option<(Notice, Option<Timestamp>)> {
    let advisory: Advisory = serde_json::from_slice(payload).ok()?;
    // The consumers that feed mirrors and sources: the broker's own business, in no list of consumers.
    if ["JS_MIRROR_", "JS_SRC_"].iter().any(|prefix| advisory.consumer.starts_with(prefix)) {
        return None;
    }
    let (kind, text) = advisory.in_words()?;
    let about_message = matches!(kind, NoticeKind::GaveUp | NoticeKind::Refused | NoticeKind::Terminated);
    let named = !advisory.stream.is_empty();
    let notice = Notice {
        kind,
        channel: named.then(|| ChannelId::named(source, &advisory.stream)),
        consumer: (named && !advisory.consumer.is_empty())
            .then(|| ConsumerId::named(source, &advisory.stream, &advisory.consumer)),
        channel_seq: advisory.stream_seq.filter(|_| about_message),
        deliveries: advisory.deliveries.filter(|_| about_message),
        by: filled(&advisory.leader).filter(|_| kind == NoticeKind::Leader),
        text: one_line(&text).into(),
    };
    Some((notice, advisory.timestamp))
}

impl Advisory {
    fn in_words(&self) -> Option<(NoticeKind, String)> {
        let what = self.kind.strip_prefix("io.nats.jetstream.advisory.v1.")?;
        let Self { stream, consumer, .. } = self;
        let message = self.stream_seq.map_or_else(|| "a message".to_owned(), |seq| format!("message {seq}"));
        let times = match self.deliveries {
            Some(1) => " after 1 delivery".to_owned(),
            Some(times) => format!(" after {times} deliveries"),
            None => String::new(),
        };
        let thing = if consumer.is_empty() {
            format!("stream {stream}")
        } else {
            format!("consumer {consumer} of {stream}")
        };
        Some(match what {
            "max_deliver" => (NoticeKind::GaveUp, format!("{consumer} gave up {message} of {stream}{times}")),
            "nak" => (NoticeKind::Refused, format!("{consumer} refused {message} of {stream}{times}")),
            "terminated" => {
                let why = if self.reason.is_empty() { String::new() } else { format!(": {}", self.reason) };
                (NoticeKind::Terminated, format!("{consumer} terminated {message} of {stream}{times}{why}"))
            }
            "stream_action" | "consumer_action" => match self.action.as_str() {
                "create" => (NoticeKind::Created, format!("{thing} was created")),
                "delete" => (NoticeKind::Deleted, format!("{thing} was deleted")),
                "modify" => (NoticeKind::Changed, format!("{thing} was changed")),
                _ => return None,
            },
            "consumer_pause" => {
                let how = if self.paused? { "paused" } else { "resumed" };
                (NoticeKind::Paused, format!("{thing} was {how}"))
            }
            "stream_leader_elected" | "consumer_leader_elected" => {
                (NoticeKind::Leader, format!("{} leads {thing} now", self.leader))
            }
            "stream_quorum_lost" | "consumer_quorum_lost" => {
                (NoticeKind::Leader, format!("{thing} has lost its quorum"))
            }
            "consumer_group_pinned" => {
                (NoticeKind::Changed, format!("{thing}: group {} is pinned to one client", self.group))
            }
            "consumer_group_unpinned" => {
                (NoticeKind::Changed, format!("{thing}: group {} is no longer pinned", self.group))
            }
            "api_limit_reached" => {
                let dropped =
                    self.dropped.map_or_else(String::new, |dropped| format!(", {dropped} were dropped"));
                (NoticeKind::Broker, format!("the JetStream API has too many requests{dropped}"))
            }
            "snapshot_create" => (NoticeKind::Broker, format!("a backup of {thing} has begun")),
            "restore_create" => (NoticeKind::Broker, format!("{thing} is being restored")),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Option<(NoticeKind, String)> {
        read(text.as_bytes(), &SourceId::from("nats"))
            .map(|(notice, _)| (notice.kind, notice.text.to_string()))
    }

    #[test]
    fn real_advisories() {
        let all: Vec<(String, serde_json::Value)> =
            serde_json::from_str(include_str!("fixtures/advisories-2.15.1.json")).unwrap();
        let told: Vec<_> = all.iter().filter_map(|(_, body)| told(&body.to_string())).collect();
        let count = |kind: NoticeKind| told.iter().filter(|(one, _)| *one == kind).count();
        assert_eq!(
            [NoticeKind::GaveUp, NoticeKind::Refused, NoticeKind::Terminated, NoticeKind::Created].map(count),
            // Four streams and four consumers; the two that feed mirror and source are left out.
            [3, 1, 1, 8]
        );
        assert_eq!([NoticeKind::Paused, NoticeKind::Deleted, NoticeKind::Changed].map(count), [2, 1, 1]);
        assert!(told.contains(&(
            NoticeKind::GaveUp,
            "billing gave up message 4 of ORDERS after 2 deliveries".into()
        )));
    }

    #[test]
    fn a_message_is_named_with_its_ids() {
        let text = r#"{"type":"io.nats.jetstream.advisory.v1.max_deliver","timestamp":"2026-11-23T05:53:24Z",
            "stream":"ORDERS","consumer":"billing","stream_seq":4,"deliveries":2}"#;
        let (notice, at) = read(text.as_bytes(), &SourceId::from("nats")).unwrap();
        assert_eq!(notice.consumer, Some(ConsumerId::from("nats/ORDERS/billing")));
        assert_eq!((notice.channel_seq, notice.deliveries, notice.by), (Some(4), Some(2), None));
        assert!(at.is_some());
    }

    #[test]
    fn unknown_and_broken_advisories_say_nothing() {
        assert_eq!(told("{}"), None);
        assert_eq!(told("not json"), None);
        assert_eq!(told(r#"{"type":"io.nats.jetstream.advisory.v1.new_thing","stream":"S"}"#), None);
        let hostile = r#"{"type":"io.nats.jetstream.advisory.v1.stream_action","action":"create","stream":"a\u001b[2J\nb"}"#;
        assert_eq!(told(hostile).unwrap().1, "stream a [2J b was created");
    }
}
