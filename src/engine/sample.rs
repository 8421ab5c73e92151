//! Plain reports for tests: each test changes what it is about.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::id::{ChannelId, ConsumerId, SourceId};
use crate::model::measured::Bounds;
use crate::model::observation::{
    AckPolicy, Batch, ChannelKind, ChannelReport, ClientReport, ConsumerReport, Delivery, Library, Listing,
    Observation, Observed, Position, Retention, SourceReport, SourceState, SubscriptionReport,
};
use crate::model::time::{Mono, Stamp, Timestamp};

/// The instant `ms` milliseconds after watching began, at 2024-01-01T00:00:00Z, the broker's clock equal to ours.
pub(crate) fn at(ms: u64) -> Stamp {
    let wall = Timestamp::from_millis(1_704_067_200_000 + ms as i64);
    Stamp { wall, mono: Mono(ms * 1_000_000), broker: Some(wall), ..Stamp::default() }
}

pub(crate) fn channel(source: &str, name: &str) -> ChannelReport {
    ChannelReport {
        id: ChannelId::named(&source.into(), name),
        name: name.into(),
        kind: ChannelKind::Stream,
        subjects: vec![format!("{}.>", name.to_lowercase()).into()],
        fed_by: Vec::new(),
        messages: Some(0),
        bytes: Some(0),
        first_seq: Some(1),
        last_seq: Some(0),
        first_at: None,
        last_at: None,
        created_at: Some(at(0).wall - Duration::from_secs(3_600)),
        retention: Retention { policy: "limits".into(), ..Retention::default() },
        leader: None,
        replicas: Some(1),
        distinct_subjects: None,
        consumers: None,
        description: None,
        metadata: BTreeMap::new(),
    }
}

pub(crate) fn consumer(source: &str, channel: &str, name: &str) -> ConsumerReport {
    let source = SourceId::from(source);
    ConsumerReport {
        id: ConsumerId::named(&source, channel, name),
        name: name.into(),
        channel: ChannelId::named(&source, channel),
        filters: Vec::new(),
        durable: true,
        delivery: Delivery::Pull,
        ack: AckPolicy::Explicit,
        ack_wait: Some(Duration::from_secs(30)),
        max_deliver: None,
        max_in_flight: Some(1_000),
        delivered: Some(Position::default()),
        floor: Some(Position::default()),
        lag: Bounds::Exact(0),
        in_flight: Bounds::Exact(0),
        redelivered: Bounds::Exact(0),
        waiting_pulls: Some(1),
        paused: None,
        created_at: Some(at(0).wall - Duration::from_secs(3_600)),
        leader: None,
        members: Vec::new(),
        sampling: None,
        description: None,
        metadata: BTreeMap::new(),
    }
}

/// A consumer that has been handed `delivered` messages and processed all but the last `in_flight` of them.
pub(crate) fn consumed(base: &ConsumerReport, delivered: u64, in_flight: u64, lag: u64) -> ConsumerReport {
    let at = |seq| Some(Position { consumer_seq: seq, channel_seq: seq, last_active: None });
    ConsumerReport {
        delivered: at(delivered),
        floor: at(delivered - in_flight),
        lag: Bounds::Exact(lag),
        in_flight: Bounds::Exact(in_flight),
        ..base.clone()
    }
}

/// A channel that has taken in `last` messages and kept them.
pub(crate) fn filled(base: &ChannelReport, last: u64) -> ChannelReport {
    ChannelReport { messages: Some(last), bytes: Some(last * 100), last_seq: Some(last), ..base.clone() }
}

pub(crate) fn client(name: &str, subscriptions: &[(&str, Option<&str>)]) -> ClientReport {
    ClientReport {
        name: Some(name.into()),
        stand_in: None,
        answers_for: Vec::new(),
        user: None,
        account: None,
        libraries: vec![Library { lang: "rust".into(), version: "0.51".into() }],
        connections: 1,
        hosts: vec!["127.0.0.1".into()],
        since: Some(at(0).wall),
        subscriptions: subscriptions
            .iter()
            .map(|(subject, queue)| SubscriptionReport {
                subject: (*subject).into(),
                queue: queue.map(Into::into),
            })
            .collect(),
        pending_bytes: 0,
        own: false,
    }
}

pub(crate) fn source_up() -> Observation {
    Observation::Source(Box::new(SourceReport {
        kind: "nats".into(),
        address: "nats://127.0.0.1:4222".into(),
        state: SourceState::Up,
        server_name: Some("n1".into()),
        clock: Some(crate::model::observation::ClockOffset { nanos: 0, uncertainty: Duration::ZERO }),
        ..SourceReport::default()
    }))
}

pub(crate) fn all<T>(entries: Vec<T>) -> Listing<T> {
    Listing { entries, complete: true }
}

/// A batch of observations, all made at `ms`.
pub(crate) fn batch(source: &str, ms: u64, what: Vec<Observation>) -> Batch {
    Batch {
        observations: what.into_iter().map(|what| Observed { at: at(ms), what }).collect(),
        ..Batch::new(source.into(), at(ms))
    }
}

/// One poll of one channel and its consumers.
pub(crate) fn poll(ms: u64, channel: &ChannelReport, consumers: &[ConsumerReport]) -> Batch {
    batch(
        "nats",
        ms,
        vec![
            Observation::Channels(all(vec![channel.clone()])),
            Observation::Consumers {
                channel: channel.id.clone(),
                listing: all(consumers.to_vec()),
                missing: Vec::new(),
            },
        ],
    )
}

/// A topology from the text of one file.
pub(crate) fn topology(text: &str) -> std::sync::Arc<crate::topology::Topology> {
    use crate::topology::load::{Source, read};
    let loaded = read(vec![Source { file: "system.yaml".into(), content: Ok(text.as_bytes().to_vec()) }]);
    assert_eq!(loaded.errors(), 0, "{:?}", loaded.problems);
    std::sync::Arc::new(loaded.topology.unwrap())
}
