//! The server's own traces of messages: who sent each of them, to which stream and to whom.
//!
//! An account can have the server trace messages (nats-server 2.11 and later, ADR-41): `msg_trace: {dest: "trace.out", sampling:
//! 100}` makes each server that a message with a sampled `traceparent` header passes publish to `dest` what it did with it, with
//! the names of the connections. That is the one way in which the sender of a message without a reply address is known.
//! Which subject it is cannot be asked of the server; where it is named, it is listened to at the level `tap`.
//!
//! Nobody waits for an answer on that subject, so listening there changes nothing for others.

use std::collections::BTreeSet;

use async_nats::Client;
use futures_util::StreamExt;
use serde::Deserialize;
use tokio::sync::watch;

use super::desk::{Desk, Part};
use super::options::CONNECTION_NAME;
use crate::model::command::ProbeLevel;
use crate::model::id::{ChannelId, Name, SourceId};
use crate::model::senders::{SenderKey, Sends, SentBy};

/// Traces that are taken in before they are told.
const AT_A_TIME: usize = 256;
/// What the server calls a connection of a program (server/client.go: `CLIENT`).
const PROGRAM: u64 = 0;
const NOTE: &str = "message traces";

/// What one server says of one message.
#[derive(Deserialize)]
struct Trace {
    #[serde(default)]
    events: Vec<Event>,
}

/// One thing that happened to it there; fields of other kinds of events are not read.
#[derive(Deserialize)]
struct Event {
    /// `in`: it came; `js`: a stream took it; `eg`: it was handed on.
    #[serde(rename = "type")]
    what: String,
    /// What kind of connection it came by or went to.
    kind: Option<u64>,
    /// That connection's name.
    #[serde(default)]
    name: String,
    #[serde(rename = "acc", default)]
    account: String,
    /// The subscription that it was handed to.
    #[serde(rename = "sub", default)]
    subscription: String,
    #[serde(default)]
    stream: String,
    #[serde(default)]
    error: String,
}

/// Who sent the message to which channels; nothing when it came from another server, which tells it itself.
fn senders(payload: &[u8], source: &SourceId) -> Option<Vec<SenderKey>> {
    let Trace { events } = serde_json::from_slice(payload).ok()?;
    let came = events.iter().find(|event| event.what == "in")?;
    if came.kind != Some(PROGRAM) || came.name.is_empty() || came.name == CONNECTION_NAME {
        return Some(Vec::new());
    }
    let to = |event: &Event| match event.what.as_str() {
        "js" if event.error.is_empty() && !event.stream.is_empty() => {
            Some(ChannelId::named(source, &event.stream))
        }
        "eg" if event.kind == Some(PROGRAM)
            && event.error.is_empty()
            && is_open(&event.subscription)
            && (event.account.is_empty() || event.account == came.account) =>
        {
            Some(ChannelId::subject(source, &event.subscription))
        }
        _ => None,
    };
    let channels: BTreeSet<ChannelId> = events.iter().filter_map(to).collect();
    let name = Name::from(came.name.as_str());
    let sender = |channel| SenderKey { channel, name: name.clone(), by: SentBy::MessageTrace };
    Some(channels.into_iter().map(sender).collect())
}

/// Not the broker's own, nor an inbox, nor somebody who listens to everything.
fn is_open(subscription: &str) -> bool {
    !subscription.is_empty() && !subscription.starts_with(['$', '_']) && subscription != ">"
}

/// Listens on `subject`, where one is named, while the level allows it; for ever.
pub(super) async fn run(
    client: &Client,
    desk: &Desk,
    subject: Option<&str>,
    mut level: watch::Receiver<ProbeLevel>,
) {
    let Some(subject) = subject else { return std::future::pending().await };
    let below = || desk.note(NOTE, format!("on {subject}: listened to at the probe level tap"));
    below();
    // The sender outlives this.
    while level.wait_for(|level| *level >= ProbeLevel::Tap).await.is_ok() {
        desk.present(&Part::MessageTraces);
        // Only fails when the client has ended.
        let Ok(subscriber) = client.subscribe(subject.to_owned()).await else { break };
        desk.note(NOTE, format!("on {subject}: none heard yet"));
        desk.report();
        let listening = async {
            let (mut heard, mut unread) = (0_u64, 0_u64);
            let mut chunks = subscriber.ready_chunks(AT_A_TIME);
            while let Some(chunk) = chunks.next().await {
                let mut sends = Sends::new();
                for message in &chunk {
                    match senders(&message.payload, desk.source()) {
                        Some(keys) => keys.into_iter().for_each(|key| *sends.entry(key).or_default() += 1),
                        None => unread += 1,
                    }
                }
                heard += chunk.len() as u64;
                desk.heard(chunk.len() as u64);
                desk.tell_sends(sends);
                let not_read = if unread == 0 { String::new() } else { format!(", {unread} of them unread") };
                desk.note(NOTE, format!("on {subject}: {heard} heard{not_read}"));
            }
        };
        tokio::select! {
            () = listening => {}
            _ = level.wait_for(|level| *level < ProbeLevel::Tap) => {}
        }
        below();
        desk.report();
    }
    std::future::pending::<()>().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(events: &str) -> Option<Vec<String>> {
        let text = format!(r#"{{"server":{{"name":"n1"}},"request":{{"header":{{}}}},"events":[{events}]}}"#);
        let keys = senders(text.as_bytes(), &"nats".into())?;
        Some(keys.iter().map(|key| format!("{} > {}", key.name, key.channel)).collect())
    }

    const CAME: &str = r#"{"type":"in","ts":"2026-01-01T00:00:00Z","kind":0,"cid":7,"name":"orders","acc":"APP","subj":"orders.created"}"#;

    #[test]
    fn the_sender_is_told_of_each_stream_and_subscription() {
        let kept = r#"{"type":"js","stream":"ORDERS","subject":"orders.created"}"#;
        let handed = r#"{"type":"eg","kind":0,"cid":9,"name":"billing","sub":"orders.*","queue":"b"}"#;
        assert_eq!(
            read(&format!("{CAME},{kept},{handed},{handed}")).unwrap(),
            ["orders > nats/ORDERS", "orders > nats/subject:orders.*"]
        );
    }

    #[test]
    fn what_is_no_ones_business_or_came_from_elsewhere_is_left_out() {
        let others = [
            r#"{"type":"js","stream":"ORDERS","subject":"x","error":"full"}"#,
            r#"{"type":"eg","kind":1,"name":"n2"}"#,
            r#"{"type":"eg","kind":0,"name":"x","sub":"_INBOX.a.b"}"#,
            r#"{"type":"eg","kind":0,"name":"x","sub":"$JS.API.INFO"}"#,
            r#"{"type":"eg","kind":0,"name":"x","sub":"orders.*","acc":"OTHER"}"#,
            r#"{"type":"eg","kind":0,"name":"audit","sub":">"}"#,
        ];
        assert_eq!(read(&format!("{CAME},{}", others.join(","))).unwrap(), [""; 0]);
        let routed = CAME.replace(r#""kind":0"#, r#""kind":1"#);
        let nameless = CAME.replace(r#""name":"orders","#, "");
        for came in [routed, nameless] {
            let kept = r#"{"type":"js","stream":"ORDERS"}"#;
            assert_eq!(read(&format!("{came},{kept}")).unwrap(), [""; 0]);
        }
    }

    #[test]
    fn what_is_no_trace_is_not_read() {
        assert_eq!(read(""), None);
        for payload in [&b"\x1f\x8b\x08"[..], b"{}", b"[]", b"", b"{\"events\":7}"] {
            assert_eq!(senders(payload, &"nats".into()), None);
        }
    }
}
