//! The paths of single messages: what `headwater trace` prints, for people and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::json::{millis, rfc3339, seconds};
use super::table::{Paper, Table, joined};
use crate::model::message::{PursuitReport, SearchOutcome, SearchReport};
use crate::model::snapshot::Snapshot;
use crate::model::time::Timestamp;
use crate::model::trace::{Leg, LegState, Trace, story};
use crate::theme::{Glyph, Glyphs};
use crate::ui::propagation::words;
use crate::ui::signs;
use crate::ui::widget::number;
use crate::ui::widget::text::clean;

/// The name and version of the format.
pub const SCHEMA: &str = "headwater.trace.v1";

/// The messages that are followed as tables.
pub fn render(snapshot: &Snapshot, glyphs: Glyphs, room: Option<usize>) -> String {
    let mut paper = Paper { out: String::new(), glyphs, room };
    for trace in in_order(snapshot) {
        one(&mut paper, trace, snapshot);
    }
    paper.out
}

/// Each message that was asked for, and after it all that came of it.
pub(super) fn in_order(snapshot: &Snapshot) -> Vec<&Trace> {
    let mut order: Vec<&Trace> = Vec::new();
    for asked in snapshot.traces.iter().filter(|trace| trace.asked) {
        let came = story(&snapshot.traces, asked).into_iter().filter(|line| line.leg.is_none());
        for trace in std::iter::once(asked).chain(came.map(|line| line.trace)) {
            if !order.iter().any(|known| known.message.id == trace.message.id) {
                order.push(trace);
            }
        }
    }
    order
}

fn one(paper: &mut Paper, trace: &Trace, snapshot: &Snapshot) {
    let now = snapshot.taken_at;
    let glyphs = paper.glyphs;
    let message = &trace.message;
    let mut table = Table::new(&[
        "",
        "consumer",
        "service",
        "has",
        "state",
        ">after",
        ">clock",
        ">deliveries",
        "how known",
    ])
    .without(&["clock", "deliveries", "service", "has"]);
    for leg in &trace.legs {
        let likely = if leg.services_likely { glyphs.get(Glyph::About) } else { "" };
        table.row([
            glyphs.get(signs::leg(snapshot, leg).0).to_owned(),
            clean(leg.consumer.as_str()).into_owned(),
            format!("{likely}{}", joined(&leg.services, glyphs)),
            holds(leg, trace, glyphs),
            leg.state.word().to_owned(),
            after(leg, trace, now, glyphs),
            leg.error.map_or(String::new(), |e| format!("\u{b1}{}", number::duration(e))),
            leg.deliveries.map_or_else(|| glyphs.get(Glyph::NoValue).to_owned(), number::count),
            clean(&words::why(leg)).into_owned(),
        ]);
    }
    let head = format!(
        "{} #{}  {}  {}  stored {}{}",
        clean(message.id.channel.as_str()),
        message.id.seq,
        clean(&message.subject),
        number::bytes(message.bytes as f64),
        rfc3339(message.appended),
        if trace.producers.is_empty() {
            String::new()
        } else {
            let likely = if trace.producers_likely { glyphs.get(Glyph::About) } else { "" };
            format!("  from {likely}{}", joined(&trace.producers, glyphs))
        },
    );
    table.write(paper, &head, false);
    if let Some(origin) = &trace.origin {
        let _ = writeln!(paper.out, "{}", words::came_of(origin));
    }
    for text in [words::record(trace), words::committed(message)].into_iter().flatten() {
        let _ = writeln!(paper.out, "{text}");
    }
    for (name, value) in message.headers.iter().chain(&message.fields) {
        let _ = writeln!(paper.out, "{}: {}", clean(name), clean(value));
    }
    let _ = writeln!(paper.out, "{}", words::verdict(trace));
    if trace.asked
        && let Some(text) = words::consequences(trace, &story(&snapshot.traces, trace))
    {
        let _ = writeln!(paper.out, "{text}");
    }
}

/// Which version of the record it has.
fn holds(leg: &Leg, trace: &Trace, glyphs: Glyphs) -> String {
    if trace.record.is_none() || leg.state == LegState::NotForIt {
        return String::new();
    }
    let version =
        leg.holds.as_deref().map_or_else(|| glyphs.get(Glyph::NoValue).to_owned(), |v| clean(v).into_owned());
    if leg.copy { format!("{} {version}", glyphs.get(Glyph::Copy)) } else { version }
}

/// The delay that was heard; for what still waits, how long it has waited.
fn after(leg: &Leg, trace: &Trace, now: Timestamp, glyphs: Glyphs) -> String {
    match (leg.delay, leg.state) {
        (Some(nanos), _) => number::signed_nanos(nanos),
        (None, LegState::Waiting | LegState::InFlight) => words::waited(trace, now).map_or_else(
            || glyphs.get(Glyph::NoValue).to_owned(),
            |waited| format!("{}{}", number::duration(waited), glyphs.get(Glyph::Ellipsis)),
        ),
        (None, _) => glyphs.get(Glyph::NoValue).to_owned(),
    }
}

/// What a search came to, in one sentence.
pub fn outcome(report: &SearchReport) -> String {
    words::outcome(report, |seq| format!("look further back with --before {seq}"))
}

/// The same, and why it may not be where it is not.
pub fn absence(report: &SearchReport, snapshot: &Snapshot) -> String {
    let text = outcome(report);
    match (snapshot.channel(&report.channel), &report.outcome) {
        (Some(channel), SearchOutcome::NotThere) => {
            text + &words::absent(channel, &report.search, snapshot.taken_at)
        }
        _ => text,
    }
}

/// Everything as JSON: `schemas/trace.schema.json`.
pub fn json(snapshot: &Snapshot) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(&Document {
        schema: SCHEMA,
        taken_at: rfc3339(snapshot.taken_at),
        probe: snapshot.probe.word(),
        traces: in_order(snapshot).into_iter().map(|trace| row(trace, snapshot.taken_at)).collect(),
        searches: snapshot.searches.iter().map(search).collect(),
    })
}

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    taken_at: String,
    probe: &'static str,
    traces: Vec<TraceRow>,
    searches: Vec<SearchRow>,
}

#[derive(Serialize)]
struct TraceRow {
    channel: String,
    seq: u64,
    subject: String,
    appended_at: String,
    bytes: u64,
    headers: BTreeMap<String, String>,
    fields: BTreeMap<String, String>,
    version: Option<String>,
    /// The record that it brings a version of.
    record: Option<RecordRow>,
    /// The message of whose record it was found to be another version.
    version_of: Option<u64>,
    /// When it was decided at its owner, on a clock that is not known to be right.
    committed: Option<CommitRow>,
    /// Of what it is a consequence; `null` where it was asked for by itself.
    came_of: Option<OriginRow>,
    /// Where it was looked for what came of it.
    looked: Vec<LookedRow>,
    producers: Vec<String>,
    producers_likely: bool,
    /// `null` until everybody that it is for was heard to acknowledge it.
    convergence_ms: Option<f64>,
    legs: Vec<LegRow>,
}

#[derive(Serialize)]
struct RecordRow {
    entity: Option<String>,
    field: String,
    value: String,
    declared: bool,
}

#[derive(Serialize)]
struct CommitRow {
    at: String,
    by: String,
    /// Negative where the clocks disagree.
    to_append_ms: f64,
}

#[derive(Serialize)]
struct OriginRow {
    channel: String,
    seq: u64,
    consumer: Option<String>,
    service: Option<String>,
    by: String,
}

#[derive(Serialize)]
struct LookedRow {
    channel: String,
    before: u64,
    caught_up: bool,
    ended: Option<String>,
    messages: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct LegRow {
    consumer: String,
    services: Vec<String>,
    services_likely: bool,
    state: LegState,
    /// The newest version of the record that it is known to have.
    has: Option<String>,
    /// Its services keep copies of the entity.
    copy: bool,
    why: String,
    deliveries: Option<u64>,
    delay_ms: Option<f64>,
    error_ms: Option<f64>,
    waiting_ms: Option<f64>,
    ahead: Option<u64>,
    estimate_s: Option<f64>,
    looked_at: Option<String>,
    steps: Vec<StepRow>,
}

#[derive(Serialize)]
struct StepRow {
    kind: crate::model::acks::AckKind,
    deliveries: u64,
    after_ms: f64,
    at: String,
}

#[derive(Serialize)]
struct SearchRow {
    channel: String,
    found: Option<u64>,
    outcome: String,
    looked_at: u64,
    bytes: u64,
}

fn row(trace: &Trace, now: Timestamp) -> TraceRow {
    let message = &trace.message;
    TraceRow {
        channel: message.id.channel.to_string(),
        seq: message.id.seq,
        subject: message.subject.to_string(),
        appended_at: precise(message.appended),
        bytes: message.bytes,
        headers: message.headers.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect(),
        fields: message.fields.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect(),
        version: message.version.as_ref().map(ToString::to_string),
        record: trace.record.as_ref().map(|record| RecordRow {
            entity: record.entity.as_ref().map(ToString::to_string),
            field: record.name.to_string(),
            value: record.value.to_string(),
            declared: record.declared,
        }),
        version_of: trace.version_of.as_ref().map(|of| of.seq),
        committed: message.committed.as_ref().map(|commit| CommitRow {
            at: precise(commit.at),
            by: commit.by.to_string(),
            to_append_ms: signed_millis(message.appended.nanos_since(commit.at)),
        }),
        came_of: trace.origin.as_ref().map(|origin| OriginRow {
            channel: origin.message.channel.to_string(),
            seq: origin.message.seq,
            consumer: origin.consumer.as_ref().map(ToString::to_string),
            service: origin.service.as_ref().map(ToString::to_string),
            by: origin.link.words(),
        }),
        looked: trace.looked.iter().map(looked).collect(),
        producers: trace.producers.iter().map(ToString::to_string).collect(),
        producers_likely: trace.producers_likely,
        convergence_ms: trace.convergence.map(signed_millis),
        legs: trace.legs.iter().map(|leg| leg_row(leg, trace, now)).collect(),
    }
}

fn leg_row(leg: &Leg, trace: &Trace, now: Timestamp) -> LegRow {
    let waits = matches!(leg.state, LegState::Waiting | LegState::InFlight);
    let step = |s: &crate::model::acks::AckStep| StepRow {
        kind: s.kind,
        deliveries: s.deliveries,
        after_ms: signed_millis(s.at.nanos_since(trace.message.appended)),
        at: precise(s.at),
    };
    LegRow {
        consumer: leg.consumer.to_string(),
        services: leg.services.iter().map(ToString::to_string).collect(),
        services_likely: leg.services_likely,
        state: leg.state,
        has: leg.holds.as_ref().map(ToString::to_string),
        copy: leg.copy,
        why: leg.why.to_string(),
        deliveries: leg.deliveries,
        delay_ms: leg.delay.map(signed_millis),
        error_ms: leg.error.map(millis),
        waiting_ms: words::waited(trace, now).filter(|_| waits).map(millis),
        ahead: leg.ahead,
        estimate_s: leg.estimate.map(seconds),
        looked_at: leg.looked_at.map(rfc3339),
        steps: leg.steps.iter().map(step).collect(),
    }
}

fn looked(report: &PursuitReport) -> LookedRow {
    LookedRow {
        channel: report.channel.to_string(),
        before: report.next,
        caught_up: report.caught_up,
        ended: report.ended.as_ref().map(ToString::to_string),
        messages: report.looked_at,
        bytes: report.bytes,
    }
}

fn search(report: &SearchReport) -> SearchRow {
    SearchRow {
        channel: report.channel.to_string(),
        found: match report.outcome {
            SearchOutcome::Found(seq) => Some(seq),
            _ => None,
        },
        outcome: outcome(report),
        looked_at: report.looked_at,
        bytes: report.bytes,
    }
}

fn signed_millis(nanos: i64) -> f64 {
    (nanos as f64 / 1e3).round() / 1e3
}

/// Nanoseconds and all: two instants of a message may be microseconds apart.
fn precise(at: Timestamp) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(at.0)).map(|t| format!("{t:.9}")).unwrap_or_default()
}
