//! The paths of single messages as OTLP spans in JSON, for tools that draw traces.
//!
//! One span for the message being stored, of the service that sent it, and one for each consumer that was heard to settle it, from
//! then until it did. What came of a message hangs under the consumer whose doing it is. What was not heard has no end and so no span. A message that carries a `traceparent` joins that trace; any
//! other gets ids made of its channel and position, so that the same message always is the same trace.
//! Names are those of OpenTelemetry's semantic conventions for messaging.

use serde_json::{Value, json};

use super::trace::in_order;
use crate::model::id::ConsumerId;
use crate::model::message::{MessageId, traceparent};
use crate::model::snapshot::Snapshot;
use crate::model::trace::{Leg, LegState, Trace, find};

/// `SPAN_KIND_PRODUCER` and `SPAN_KIND_CONSUMER`.
const PRODUCER: u8 = 4;
const CONSUMER: u8 = 5;
/// `STATUS_CODE_ERROR`.
const ERROR: u8 = 2;

/// One `ExportTraceServiceRequest`.
pub fn spans(snapshot: &Snapshot) -> Value {
    let resources: Vec<Value> =
        in_order(snapshot).into_iter().flat_map(|trace| of_trace(trace, snapshot)).collect();
    json!({ "resourceSpans": resources })
}

/// What ids are made of.
fn name(id: &MessageId) -> String {
    format!("{}#{}", id.channel, id.seq)
}

/// The span of a message at a consumer.
fn processed(id: &MessageId, consumer: &ConsumerId) -> String {
    format!("{:016x}", hash(&format!("{consumer} {}", name(id))))
}

/// The span of a message being stored.
fn stored_id(id: &MessageId) -> String {
    format!("{:016x}", hash(&format!("stored {}", name(id))))
}

/// The trace that a message belongs to, and the span that it names as its parent.
fn context(trace: &Trace, snapshot: &Snapshot) -> (String, Option<String>) {
    if let Some((id, span)) = parent(trace) {
        return (id, Some(span));
    }
    let first = trace.origin.as_ref().and_then(|origin| find(&snapshot.traces, &origin.message));
    if let Some(first) = first {
        return (context(first, snapshot).0, None);
    }
    let name = name(&trace.message.id);
    (format!("{:016x}{:016x}", hash(&format!("trace {name}")), hash(&format!("{name} trace"))), None)
}

fn of_trace(trace: &Trace, snapshot: &Snapshot) -> Vec<Value> {
    let message = &trace.message;
    let (trace_id, told) = context(trace, snapshot);
    let caused = trace.origin.as_ref().map(|origin| match &origin.consumer {
        // A consumer that was not heard to settle it has no span.
        Some(consumer) if settled(snapshot, &origin.message, consumer) => {
            processed(&origin.message, consumer)
        }
        _ => stored_id(&origin.message),
    });
    let stored_id = stored_id(&message.id);
    let mut stored = json!({
        "traceId": trace_id,
        "spanId": stored_id,
        "name": format!("send {}", message.subject),
        "kind": PRODUCER,
        "startTimeUnixNano": message.appended.0.to_string(),
        "endTimeUnixNano": message.appended.0.to_string(),
        "attributes": attributes(trace, None),
    });
    if let (Some(span), Some(stored)) = (caused.or(told), stored.as_object_mut()) {
        stored.insert("parentSpanId".into(), span.into());
    }
    let sender = trace.producers.first().map_or("unknown", |s| s.as_str());
    let mut out = vec![resource(sender, &stored)];
    for leg in &trace.legs {
        let Some(delay) = leg.delay else { continue };
        let end = message.appended.0.saturating_add(delay);
        let mut span = json!({
            "traceId": trace_id,
            "spanId": processed(&message.id, &leg.consumer),
            "parentSpanId": stored_id,
            "name": format!("process {}", message.subject),
            "kind": CONSUMER,
            "startTimeUnixNano": message.appended.0.min(end).to_string(),
            "endTimeUnixNano": end.to_string(),
            "attributes": attributes(trace, Some(leg)),
        });
        if let (LegState::Terminated, Some(span)) = (leg.state, span.as_object_mut()) {
            span.insert("status".into(), json!({ "code": ERROR, "message": &*leg.why }));
        }
        out.push(resource(leg.services.first().map_or(&*leg.name, |s| s.as_str()), &span));
    }
    out
}

/// Whether a consumer was heard to settle a message.
fn settled(snapshot: &Snapshot, message: &MessageId, consumer: &ConsumerId) -> bool {
    let legs = find(&snapshot.traces, message).into_iter().flat_map(|trace| &trace.legs);
    legs.filter(|leg| leg.consumer == *consumer).any(|leg| leg.delay.is_some())
}

fn resource(service: &str, span: &Value) -> Value {
    json!({
        "resource": { "attributes": [text("service.name", service)] },
        "scopeSpans": [{
            "scope": { "name": "headwater", "version": env!("CARGO_PKG_VERSION") },
            "spans": [span],
        }],
    })
}

fn attributes(trace: &Trace, leg: Option<&Leg>) -> Vec<Value> {
    let message = &trace.message;
    let mut out = vec![
        text("messaging.system", "nats"),
        text("messaging.destination.name", &message.subject),
        text("messaging.message.id", &format!("{}#{}", message.id.channel, message.id.seq)),
        number("messaging.message.envelope.size", message.bytes),
    ];
    if let Some(leg) = leg {
        out.push(text("messaging.consumer.group.name", &leg.name));
        out.extend(leg.deliveries.map(|n| number("headwater.deliveries", n)));
        let error = leg.error.and_then(|e| u64::try_from(e.as_nanos()).ok());
        out.extend(error.map(|n| number("headwater.clock_error_ns", n)));
    }
    out
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// 64-bit numbers are text in OTLP's JSON.
fn number(key: &str, value: u64) -> Value {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}

/// Trace and span of a W3C `traceparent`, when the message carries a sound one.
fn parent(trace: &Trace) -> Option<(String, String)> {
    let mut headers = trace.message.headers.iter();
    let (_, value) = headers.find(|(name, _)| name.eq_ignore_ascii_case("traceparent"))?;
    traceparent(value).map(|(trace, span)| (trace.to_owned(), span.to_owned()))
}

/// FNV-1a: the same on every machine and in every version, which ids need.
fn hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
