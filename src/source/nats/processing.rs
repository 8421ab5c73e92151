//! How long consumers take of their own: the broker's samples of acknowledgements.
//!
//! A server publishes a metric about an acknowledgement of a consumer that acknowledges each message and has a `sample_freq`: the
//! time from the *last* delivery of the message to its acknowledgement, on one clock. It builds one only while somebody
//! listens, and the service that acknowledges notices nothing of it. `sample_freq` is no share to reckon with: a server that is told 1 %
//! samples 2 %.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use async_nats::{Client, Subscriber};
use futures_util::StreamExt;
use serde::Deserialize;

use super::acks::tap::Listening;
use super::desk::Desk;
use crate::model::acks::Processing;
use crate::model::id::{ConsumerId, SourceId};

/// What is listened to, behind the event prefix (`$JS.EVENT`).
pub(super) const SUBJECT: &str = "METRIC.CONSUMER.ACK.>";

/// The type of metric that this is about.
const TYPE: &str = "io.nats.jetstream.metric.v1.consumer_ack";
/// Metrics that are taken in under one lock.
const AT_A_TIME: usize = 256;
/// Consumers whose ids are kept at hand.
const MOST_IDS: usize = 50_000;

/// A metric, as far as it matters.
#[derive(Debug, Deserialize)]
struct Metric<'a> {
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
    ack_time: i64,
}

/// Samples since they were last asked for.
#[derive(Debug)]
pub(super) struct Samples {
    source: SourceId,
    /// Consumers by the subject of their metrics.
    ids: HashMap<Box<str>, ConsumerId>,
    times: Processing,
    heard: u64,
    unread: u64,
}

impl Samples {
    pub(super) fn new(source: SourceId) -> Self {
        Self { source, ids: HashMap::new(), times: Processing::new(), heard: 0, unread: 0 }
    }

    /// Metrics heard, and those among them that could not be read, so far.
    pub(super) fn heard(&self) -> (u64, u64) {
        (self.heard, self.unread)
    }

    /// A metric came in.
    pub(super) fn hear(&mut self, subject: &str, payload: &[u8]) {
        self.heard += 1;
        let metric = serde_json::from_slice::<Metric<'_>>(payload).ok().filter(|metric| metric.kind == TYPE);
        let read = metric.and_then(|metric| Some((self.consumer(subject)?, metric.ack_time)));
        let Some((consumer, time)) = read else {
            self.unread += 1;
            return;
        };
        self.times.entry(consumer).or_default().record(time);
    }

    /// Whose metric it is: `<prefix>.METRIC.CONSUMER.ACK.<stream>.<consumer>`, where no name has a dot.
    fn consumer(&mut self, subject: &str) -> Option<ConsumerId> {
        if let Some(id) = self.ids.get(subject) {
            return Some(id.clone());
        }
        let (rest, consumer) = subject.rsplit_once('.')?;
        let (rest, stream) = rest.rsplit_once('.')?;
        if consumer.is_empty() || stream.is_empty() || !rest.ends_with(SUBJECT.strip_suffix(".>")?) {
            return None;
        }
        let id = ConsumerId::named(&self.source, stream, consumer);
        if self.ids.len() >= MOST_IDS {
            self.ids.clear();
        }
        self.ids.insert(subject.into(), id.clone());
        Some(id)
    }

    /// What was heard since this was last asked.
    pub(super) fn take(&mut self) -> Processing {
        mem::take(&mut self.times)
    }
}

/// Listens behind this event prefix, for ever. What is not permitted is told as an event of the connection.
pub(super) async fn run(client: &Client, desk: &Desk, prefix: &str) {
    // Only fails when the client has ended.
    let subscriber = client.subscribe(format!("{prefix}.{SUBJECT}")).await;
    let _listening = subscriber.map(|subscriber| Listening(tokio::spawn(listen(subscriber, desk.samples()))));
    std::future::pending::<()>().await;
}

async fn listen(subscriber: Subscriber, samples: Arc<Mutex<Samples>>) {
    let mut chunks = subscriber.ready_chunks(AT_A_TIME);
    while let Some(chunk) = chunks.next().await {
        let mut samples = samples.lock().unwrap_or_else(PoisonError::into_inner);
        for message in chunk {
            samples.hear(&message.subject, &message.payload);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As nats-server 2.15.1 and 2.9.10 write it.
    const REAL: &str = r#"{"type":"io.nats.jetstream.metric.v1.consumer_ack","id":"DnEGFDv0PlDJcKnDDlfMQq",
        "timestamp":"2026-11-23T05:53:24.1Z","stream":"ORDERS","consumer":"billing","consumer_seq":8,"stream_seq":7,
        "ack_time":12000000,"deliveries":2}"#;
    const METRIC: &str = "$JS.EVENT.METRIC.CONSUMER.ACK.ORDERS.billing";

    fn heard(messages: &[(&str, &str)]) -> Samples {
        let mut samples = Samples::new("nats".into());
        messages.iter().for_each(|(subject, payload)| samples.hear(subject, payload.as_bytes()));
        samples
    }

    #[test]
    fn each_sample_is_the_time_that_the_broker_told() {
        let mut samples = heard(&[(METRIC, REAL), ("events.METRIC.CONSUMER.ACK.ORDERS.billing", REAL)]);
        let told = samples.take();
        let times = &told["nats/ORDERS/billing"];
        assert_eq!((told.len(), times.count(), times.max()), (1, 2, Some(12_000_000)));
        assert_eq!(samples.heard(), (2, 0));
        assert!(samples.take().is_empty(), "told once");
    }

    #[test]
    fn what_is_no_such_metric_is_counted_as_unread() {
        let other = REAL.replace("consumer_ack", "service_latency");
        let mut samples = heard(&[
            (METRIC, "not json"),
            (METRIC, "{}"),
            (METRIC, &other),
            (METRIC, &REAL.replace("12000000", "1e40")),
            ("$JS.EVENT.METRIC.CONSUMER.ACK..billing", REAL),
            ("$JS.EVENT.ADVISORY.CONSUMER.ACK.ORDERS.billing", REAL),
            ("billing", REAL),
        ]);
        assert_eq!(samples.heard(), (7, 7));
        assert!(samples.take().is_empty());
    }
}
