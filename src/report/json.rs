//! The snapshot as JSON, schema `headwater.snapshot.v1` (`schemas/snapshot.schema.json`).
//!
//! Numbers are plain and `null` is unknown. What is not exactly the number says so beside it, in
//! `not_exact`: `at_least`, `about`, `between` or `unknown`, with bounds and the reason. Rates are per
//! second, times RFC 3339 in UTC, durations in the unit that the field's name ends with.
//!
//! A connection that is lost keeps the last good values. A count of then is still a count, and `age_ms` says how old it is; a
//! rate is a statement about the present, so one that was measured longer ago than rates cover stays as a number, and
//! `not_exact` says that what it is now is `unknown`.

mod heard;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use self::heard::{AskerRow, SenderRow, asker, sender};
use crate::model::measured::{Bounds, Evidence, Measured};
use crate::model::observation::{ChannelKind, SourceReport, SourceState};
use crate::model::snapshot::{
    Channel, Consumer, Delay, DelayMethod, Drain, Entity, Flow, HealthCheck, Owner, Processing, Replica,
    Service, Snapshot, Source, Store,
};
use crate::model::time::Timestamp;

/// The name and version of the format.
pub const SCHEMA: &str = "headwater.snapshot.v1";

/// A snapshot in the reported form.
pub fn document(snapshot: &Snapshot) -> impl Serialize + use<> {
    let moment = Moment { now: snapshot.taken_at, window: snapshot.window };
    let now = moment.now;
    Document {
        schema: SCHEMA,
        taken_at: rfc3339(now),
        window_s: seconds(snapshot.window),
        watched_s: seconds(snapshot.watched),
        probe: snapshot.probe.word(),
        not_watched: not_watched(snapshot),
        topology_warnings: topology_warnings(snapshot),
        sources: snapshot.sources.iter().map(|s| source(s, moment)).collect(),
        services: snapshot.services.iter().map(|s| service(s, moment)).collect(),
        stores: snapshot.stores.iter().map(|s| store(s)).collect(),
        entities: snapshot.entities.iter().map(|e| entity(e, moment)).collect(),
        channels: snapshot.channels.iter().map(|c| channel(c, moment)).collect(),
        consumers: snapshot.consumers.iter().map(|c| consumer(c, moment)).collect(),
        flows: snapshot.flows.iter().map(|f| flow(f, moment)).collect(),
    }
}

/// What is not looked at; an edit of the topology that was not taken is one of these: the picture follows the last good one.
fn not_watched(snapshot: &Snapshot) -> Vec<NotWatchedRow> {
    let blind = snapshot
        .not_watched
        .iter()
        .map(|n| NotWatchedRow { what: n.what.to_string(), why: n.why.to_string() });
    let problems = snapshot.topology.iter().flat_map(|topology| &topology.problems);
    let edits = problems.map(|problem| NotWatchedRow {
        what: "edits of the topology".into(),
        why: format!("not taken, the last good topology stays: {problem}"),
    });
    blind.chain(edits).collect()
}

fn topology_warnings(snapshot: &Snapshot) -> Vec<String> {
    let warnings = snapshot.topology.iter().flat_map(|topology| &topology.warnings);
    warnings.map(ToString::to_string).collect()
}

/// A snapshot as one line.
pub fn line(snapshot: &Snapshot) -> Result<String, serde_json::Error> {
    serde_json::to_string(&document(snapshot))
}

/// A snapshot for people: indented.
pub fn pretty(snapshot: &Snapshot) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(&document(snapshot))
}

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    taken_at: String,
    window_s: f64,
    watched_s: f64,
    probe: &'static str,
    not_watched: Vec<NotWatchedRow>,
    /// What is probably not as meant in the topology, which was taken all the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    topology_warnings: Vec<String>,
    sources: Vec<SourceRow>,
    services: Vec<ServiceRow>,
    stores: Vec<StoreRow>,
    entities: Vec<EntityRow>,
    channels: Vec<ChannelRow>,
    consumers: Vec<ConsumerRow>,
    flows: Vec<FlowRow>,
}

#[derive(Serialize)]
struct NotWatchedRow {
    what: String,
    why: String,
}

#[derive(Serialize)]
struct SourceRow {
    id: String,
    kind: String,
    state: &'static str,
    error: Option<String>,
    server_version: Option<String>,
    rtt_ms: Option<f64>,
    clock_offset_ms: Option<f64>,
    age_ms: Option<f64>,
    missing: Vec<String>,
    /// What about this broker changes the meaning of its numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remarks: Vec<String>,
    load: LoadRow,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    not_exact: BTreeMap<&'static str, NotExact>,
}

#[derive(Serialize)]
struct LoadRow {
    requests_per_s: Option<f64>,
    messages_per_s: Option<f64>,
    dropped: u64,
}

#[derive(Serialize)]
struct ServiceRow {
    id: String,
    team: Option<String>,
    domain: Option<String>,
    state: &'static str,
    since: String,
    health: Vec<HealthRow>,
    connections: Option<Plain>,
    clients: Vec<ClientRow>,
    evidence: Vec<EvidenceRow>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    not_exact: BTreeMap<&'static str, NotExact>,
}

#[derive(Serialize)]
struct HealthRow {
    name: String,
    url: String,
    state: &'static str,
    latency_ms: Option<f64>,
    detail: String,
}

#[derive(Serialize)]
struct ClientRow {
    lang: String,
    version: String,
}

#[derive(Serialize)]
struct EvidenceRow {
    kind: &'static str,
    from: String,
    at: Option<String>,
}

#[derive(Serialize)]
struct StoreRow {
    id: String,
    kind: String,
    technology: Option<String>,
    service: String,
    state: &'static str,
    accessors: Vec<AccessorRow>,
}

#[derive(Serialize)]
struct AccessorRow {
    service: String,
    access: String,
    evidence: EvidenceRow,
}

#[derive(Serialize)]
struct EntityRow {
    id: String,
    owners: Vec<OwnerRow>,
    replicas: Vec<ReplicaRow>,
}

#[derive(Serialize)]
struct OwnerRow {
    service: String,
    store: Option<String>,
    identifier: Option<String>,
    evidence: EvidenceRow,
}

#[derive(Serialize)]
struct ReplicaRow {
    service: String,
    store: Option<String>,
    identifier: Option<String>,
    via: String,
    mode: String,
    consumer: Option<String>,
    staleness_ms: Option<f64>,
    behind: Option<Plain>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    not_exact: BTreeMap<&'static str, NotExact>,
}

#[derive(Serialize)]
struct ChannelRow {
    id: String,
    kind: &'static str,
    subjects: Vec<String>,
    fed_by: Vec<String>,
    sent_by: Vec<String>,
    sent_by_likely: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    senders: Vec<SenderRow>,
    messages: Option<u64>,
    first_seq: Option<u64>,
    last_seq: Option<u64>,
    rate: Option<f64>,
    bytes_rate: Option<f64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    not_exact: BTreeMap<&'static str, NotExact>,
}

#[derive(Serialize)]
struct ConsumerRow {
    id: String,
    channel: String,
    name: String,
    services: Vec<String>,
    lag: Option<Plain>,
    in_flight: Option<Plain>,
    redelivered: Option<Plain>,
    gave_up: Option<Plain>,
    staleness_ms: Option<f64>,
    delivered_rate: Option<f64>,
    acked_rate: Option<f64>,
    status: &'static str,
    since: String,
    drain_s: Option<f64>,
    delay_ms: Option<DelayRow>,
    processing_ms: Option<ProcessingRow>,
    age_ms: f64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    not_exact: BTreeMap<&'static str, NotExact>,
}

#[derive(Serialize)]
struct ErrorsRow {
    p50: Option<f64>,
    p95: Option<f64>,
    p99: Option<f64>,
    max: Option<f64>,
}

#[derive(Serialize)]
struct DelayRow {
    p50: Option<f64>,
    p95: Option<f64>,
    p99: Option<f64>,
    max: Option<f64>,
    count: u64,
    method: &'static str,
    error_ms: Option<f64>,
    errors_ms: Option<ErrorsRow>,
    negative: u64,
}

#[derive(Serialize)]
struct ProcessingRow {
    p50: Option<f64>,
    p95: Option<f64>,
    p99: Option<f64>,
    max: Option<f64>,
    sampled: u64,
    by: String,
}

#[derive(Serialize)]
struct FlowRow {
    id: String,
    kind: &'static str,
    from: Vec<String>,
    to: Vec<String>,
    channel: Option<String>,
    rate: Option<f64>,
    bytes_rate: Option<f64>,
    errors_rate: Option<f64>,
    delay_ms: Option<DelayRow>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    asked_by: Vec<AskerRow>,
    evidence: Vec<EvidenceRow>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    not_exact: BTreeMap<&'static str, NotExact>,
}

/// What a plain subject does not tell.
const KIND_LIKELY: &str = "a plain subject: whether its messages ask for an answer is not seen";

/// What is known of a number that is not exactly the number.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct NotExact {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    lo: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hi: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// Which number stands for an interval: the one that does not promise too much.
#[derive(Clone, Copy)]
enum Pick {
    /// Counts of bad things: the lower end is certain.
    Low,
    /// Ages: the upper end is safe.
    High,
    /// Rates: the middle.
    Middle,
}

/// A count, written without a point when it is whole.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Plain(f64);

impl Serialize for Plain {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        // Up to here every whole number is one of the format's.
        let whole = self.0.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&self.0);
        if whole { s.serialize_u64(self.0 as u64) } else { s.serialize_f64(self.0) }
    }
}

/// When a snapshot was taken, and how much of the past its rates cover.
#[derive(Clone, Copy)]
struct Moment {
    now: Timestamp,
    window: Duration,
}

/// Collects the `not_exact` of one row.
struct Inexact {
    moment: Moment,
    notes: BTreeMap<&'static str, NotExact>,
}

impl Inexact {
    fn at(moment: Moment) -> Self {
        Self { moment, notes: BTreeMap::new() }
    }

    /// Notes a number about the present that was measured too long ago to be one.
    fn mark_old<T>(&mut self, field: &'static str, measured: &Measured<T>) {
        let age = self.moment.now.age_since(measured.at);
        if age > self.moment.window && measured.low().is_some() {
            let why = format!("last measured {:.0} s ago: what it is now is not known", age.as_secs_f64());
            self.notes.insert(field, NotExact { kind: "unknown", lo: None, hi: None, why: Some(why) });
        }
    }

    /// The plain number of a measured one, in the unit that `scale` converts to; what is not exact about it is noted.
    fn number<T: Clone>(
        &mut self,
        field: &'static str,
        measured: &Measured<T>,
        pick: Pick,
        scale: impl Fn(T) -> f64,
    ) -> Option<f64> {
        let (number, note) = match measured.bounds.clone() {
            Bounds::Exact(v) => return finite(scale(v)),
            Bounds::AtLeast(v) => {
                let v = finite(scale(v));
                (v, NotExact { kind: "at_least", lo: v, hi: None, why: None })
            }
            Bounds::About { value, within } => {
                let value = scale(value);
                let (lo, hi) = within.map(|(lo, hi)| (scale(lo), scale(hi))).unzip();
                let (lo, hi) = (lo.and_then(finite), hi.and_then(finite));
                (finite(value), NotExact { kind: "about", lo, hi, why: None })
            }
            Bounds::Between { lo, hi } => {
                let (lo, hi) = (scale(lo), scale(hi));
                let number = match pick {
                    Pick::Low => lo,
                    Pick::High => hi,
                    Pick::Middle => f64::midpoint(lo, hi),
                };
                (finite(number), NotExact { kind: "between", lo: finite(lo), hi: finite(hi), why: None })
            }
            Bounds::Unknown(why) => {
                (None, NotExact { kind: "unknown", lo: None, hi: None, why: Some(why.to_string()) })
            }
        };
        let why = note.why.or_else(|| (!measured.by.is_empty()).then(|| measured.by.to_string()));
        self.notes.insert(field, NotExact { why, ..note });
        number
    }

    /// A count.
    fn count(&mut self, field: &'static str, measured: &Measured<u64>) -> Option<Plain> {
        self.number(field, measured, Pick::Low, |v| v as f64).map(Plain)
    }

    /// A rate, rounded to the microhertz: the noise beyond is nobody's information.
    fn rate(&mut self, field: &'static str, measured: &Measured<f64>) -> Option<f64> {
        let number = self.number(field, measured, Pick::Middle, |v| (v * 1e6).round() / 1e6);
        self.mark_old(field, measured);
        number
    }

    fn delay(&mut self, told: Option<&Delay>) -> Option<DelayRow> {
        if told.is_some_and(|told| told.left_out) {
            let why = Some(LEFT_OUT.to_owned());
            self.notes.insert("delay_ms", NotExact { kind: "at_least", lo: None, hi: None, why });
        }
        told.map(delay)
    }

    /// What a service takes of its own; why not, where that is not known.
    fn processing(&mut self, measured: &Measured<Processing>) -> Option<ProcessingRow> {
        let ms = |nanos: Option<i64>| nanos.map(|n| n as f64 / 1e6);
        if let Some(times) = measured.bounds.exact() {
            return Some(ProcessingRow {
                p50: ms(times.p50),
                p95: ms(times.p95),
                p99: ms(times.p99),
                max: ms(times.max),
                sampled: times.sampled,
                by: measured.by.to_string(),
            });
        }
        let why = measured.bounds.why_unknown().map(ToString::to_string);
        self.notes.insert("processing_ms", NotExact { kind: "unknown", lo: None, hi: None, why });
        None
    }

    /// An age in milliseconds.
    fn age(&mut self, field: &'static str, measured: &Measured<Duration>) -> Option<f64> {
        self.number(field, measured, Pick::High, millis)
    }
}

fn source(source: &Source, moment: Moment) -> SourceRow {
    let report = &source.report;
    let mut inexact = Inexact::at(moment);
    let parts = report.unavailable.iter().map(|u| format!("{}: {}", u.what, u.why));
    SourceRow {
        id: source.id.to_string(),
        kind: report.kind.to_string(),
        state: match report.state {
            SourceState::Connecting => "connecting",
            SourceState::Up => "up",
            SourceState::Degraded => "degraded",
            SourceState::Down => "down",
        },
        error: report.error.as_ref().map(ToString::to_string),
        server_version: report.server_version.as_ref().map(ToString::to_string),
        rtt_ms: report.rtt.map(millis),
        clock_offset_ms: report.clock.map(|c| c.nanos as f64 / 1e6),
        age_ms: source.answered_at.map(|at| millis(moment.now.age_since(at))),
        missing: everything(report).into_iter().chain(parts).collect(),
        remarks: report.remarks.iter().map(ToString::to_string).collect(),
        load: LoadRow {
            requests_per_s: inexact.rate("requests_per_s", &source.requests_per_s),
            messages_per_s: inexact.rate("messages_per_s", &source.messages_per_s),
            dropped: report.load.dropped,
        },
        not_exact: inexact.notes,
    }
}

/// Of a source that is not reached everything is missing: what is told of it is from before.
fn everything(report: &SourceReport) -> Option<String> {
    let lost = matches!(report.state, SourceState::Connecting | SourceState::Down);
    let why = report.error.as_deref().unwrap_or("not reached yet");
    lost.then(|| format!("everything: {why}"))
}

fn service(service: &Service, moment: Moment) -> ServiceRow {
    let mut inexact = Inexact::at(moment);
    let connections = inexact.number("connections", &service.connections, Pick::Low, f64::from).map(Plain);
    if service.since.or_earlier {
        inexact.notes.insert("since", or_earlier());
    }
    ServiceRow {
        id: service.id.to_string(),
        team: service.team.as_ref().map(ToString::to_string),
        domain: service.domain.as_ref().map(ToString::to_string),
        state: service.state.word(),
        since: rfc3339(service.since.at),
        health: service.health.iter().map(health).collect(),
        connections,
        clients: service
            .libraries
            .iter()
            .map(|l| ClientRow { lang: l.lang.to_string(), version: l.version.to_string() })
            .collect(),
        evidence: service.evidence.iter().map(evidence).collect(),
        not_exact: inexact.notes,
    }
}

fn health(check: &HealthCheck) -> HealthRow {
    HealthRow {
        name: check.name.to_string(),
        url: check.url.to_string(),
        state: check.state.word(),
        latency_ms: check.latency.low().copied().map(millis),
        detail: check.detail.to_string(),
    }
}

fn store(store: &Store) -> StoreRow {
    StoreRow {
        id: store.id.to_string(),
        kind: store.kind.to_string(),
        technology: store.technology.as_ref().map(ToString::to_string),
        service: store.service.to_string(),
        state: store.state.word(),
        accessors: store
            .accessors
            .iter()
            .map(|a| AccessorRow {
                service: a.service.to_string(),
                access: a.access.to_string(),
                evidence: evidence(&a.evidence),
            })
            .collect(),
    }
}

fn entity(entity: &Entity, moment: Moment) -> EntityRow {
    EntityRow {
        id: entity.id.to_string(),
        owners: entity.owners.iter().map(owner).collect(),
        replicas: entity.replicas.iter().map(|r| replica(r, moment)).collect(),
    }
}

fn owner(owner: &Owner) -> OwnerRow {
    OwnerRow {
        service: owner.service.to_string(),
        store: owner.store.as_ref().map(ToString::to_string),
        identifier: owner.identifier.as_ref().map(ToString::to_string),
        evidence: evidence(&owner.evidence),
    }
}

fn replica(replica: &Replica, moment: Moment) -> ReplicaRow {
    let mut inexact = Inexact::at(moment);
    ReplicaRow {
        service: replica.service.to_string(),
        store: replica.store.as_ref().map(ToString::to_string),
        identifier: replica.identifier.as_ref().map(ToString::to_string),
        via: replica.via.to_string(),
        mode: replica.mode.to_string(),
        consumer: replica.consumer.as_ref().map(ToString::to_string),
        staleness_ms: inexact.age("staleness_ms", &replica.staleness),
        behind: inexact.count("behind", &replica.behind),
        not_exact: inexact.notes,
    }
}

fn channel(channel: &Channel, moment: Moment) -> ChannelRow {
    let report = &channel.report;
    let mut inexact = Inexact::at(moment);
    ChannelRow {
        id: report.id.to_string(),
        kind: channel_word(report.kind),
        subjects: report.subjects.iter().map(ToString::to_string).collect(),
        fed_by: report.fed_by.iter().map(|f| f.channel.to_string()).collect(),
        sent_by: channel.producers.services.iter().map(ToString::to_string).collect(),
        sent_by_likely: channel.producers.likely,
        senders: channel.senders.iter().map(sender).collect(),
        messages: report.messages,
        first_seq: report.first_seq,
        last_seq: report.last_seq,
        rate: inexact.rate("rate", &channel.rate),
        bytes_rate: inexact.rate("bytes_rate", &channel.bytes_rate),
        not_exact: inexact.notes,
    }
}

fn consumer(consumer: &Consumer, moment: Moment) -> ConsumerRow {
    let mut inexact = Inexact::at(moment);
    if consumer.since.or_earlier {
        inexact.notes.insert("since", or_earlier());
    }
    let drain_s = match &consumer.drain.bounds {
        Bounds::Exact(Drain::Never) => {
            let why = Some("never at the present rates: it does not shrink".to_owned());
            inexact.notes.insert("drain_s", NotExact { kind: "unknown", lo: None, hi: None, why });
            None
        }
        _ => inexact.number("drain_s", &consumer.drain, Pick::Middle, |drain| match drain {
            Drain::Empty => 0.0,
            Drain::In(d) => seconds(d),
            Drain::Never => f64::INFINITY,
        }),
    };
    inexact.mark_old("drain_s", &consumer.drain);
    ConsumerRow {
        id: consumer.id.to_string(),
        channel: consumer.channel.to_string(),
        name: consumer.name.to_string(),
        services: consumer.services.iter().map(ToString::to_string).collect(),
        lag: inexact.count("lag", &consumer.lag),
        in_flight: inexact.count("in_flight", &consumer.in_flight),
        redelivered: inexact.count("redelivered", &consumer.redelivered),
        gave_up: inexact.count("gave_up", &consumer.gave_up),
        staleness_ms: inexact.age("staleness_ms", &consumer.staleness),
        delivered_rate: inexact.rate("delivered_rate", &consumer.delivered_rate),
        acked_rate: inexact.rate("acked_rate", &consumer.acked_rate),
        status: consumer.status.word(),
        since: rfc3339(consumer.since.at),
        drain_s,
        delay_ms: inexact.delay(consumer.delay.as_ref()),
        processing_ms: inexact.processing(&consumer.processing),
        age_ms: millis(moment.now.age_since(consumer.lag.at)),
        not_exact: inexact.notes,
    }
}

fn flow(flow: &Flow, moment: Moment) -> FlowRow {
    let mut inexact = Inexact::at(moment);
    if flow.kind_likely {
        let why = Some(KIND_LIKELY.to_owned());
        inexact.notes.insert("kind", NotExact { kind: "about", lo: None, hi: None, why });
    }
    FlowRow {
        id: flow.id.to_string(),
        kind: flow.kind.word(),
        from: flow.from.iter().map(ToString::to_string).collect(),
        to: flow.to.iter().map(ToString::to_string).collect(),
        channel: flow.channel.as_ref().map(ToString::to_string),
        rate: inexact.rate("rate", &flow.rate),
        bytes_rate: inexact.rate("bytes_rate", &flow.bytes_rate),
        errors_rate: inexact.rate("errors_rate", &flow.errors_rate),
        delay_ms: inexact.delay(flow.delay.as_ref()),
        asked_by: flow.asked.iter().flat_map(|asked| asked.by.iter()).map(asker).collect(),
        evidence: flow.evidence.iter().map(evidence).collect(),
        not_exact: inexact.notes,
    }
}

/// What is said of a count that lacks messages.
const LEFT_OUT: &str = "messages are left out of which nobody tells whether they were processed or given up";

fn delay(delay: &Delay) -> DelayRow {
    let ms = |nanos: Option<i64>| nanos.map(|n| n as f64 / 1e6);
    DelayRow {
        p50: ms(delay.p50),
        p95: ms(delay.p95),
        p99: ms(delay.p99),
        max: ms(delay.max),
        count: delay.count,
        method: match delay.method {
            DelayMethod::Exact => "exact",
            DelayMethod::Interval => "interval",
            DelayMethod::Mean => "mean",
        },
        error_ms: delay.error.map(millis),
        errors_ms: delay.errors.map(|[p50, p95, p99, max]| ErrorsRow {
            p50: p50.map(millis),
            p95: p95.map(millis),
            p99: p99.map(millis),
            max: max.map(millis),
        }),
        negative: delay.negative,
    }
}

fn evidence(evidence: &Evidence) -> EvidenceRow {
    use crate::model::measured::EvidenceKind;
    EvidenceRow {
        kind: match evidence.kind {
            EvidenceKind::Declared => "declared",
            EvidenceKind::Observed => "observed",
            EvidenceKind::Imported => "imported",
            EvidenceKind::Inferred => "inferred",
        },
        from: evidence.from.to_string(),
        at: evidence.at.map(rfc3339),
    }
}

/// For a `since` that was already so when watching began.
fn or_earlier() -> NotExact {
    let why = Some("it was already so when watching began: then or earlier".to_owned());
    NotExact { kind: "at_least", lo: None, hi: None, why }
}

fn channel_word(kind: ChannelKind) -> &'static str {
    match kind {
        ChannelKind::Stream => "stream",
        ChannelKind::KeyValue => "key_value",
        ChannelKind::ObjectStore => "object_store",
        ChannelKind::Subject => "subject",
        ChannelKind::Topic => "topic",
        ChannelKind::Exchange => "exchange",
        ChannelKind::Queue => "queue",
    }
}

pub(super) fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(at.0)).map(|t| format!("{t:.3}")).unwrap_or_default()
}

pub(super) fn millis(d: Duration) -> f64 {
    (d.as_secs_f64() * 1e6).round() / 1e3
}

pub(super) fn seconds(d: Duration) -> f64 {
    (d.as_secs_f64() * 1e3).round() / 1e3
}

/// JSON has no infinity and no NaN.
fn finite(v: f64) -> Option<f64> {
    v.is_finite().then_some(v)
}

/// The committed JSON Schema of this format.
pub fn schema() -> &'static str {
    include_str!("../../schemas/snapshot.schema.json")
}

/// A document as a JSON value, for tests and tools.
pub fn value(snapshot: &Snapshot) -> Result<Value, serde_json::Error> {
    serde_json::to_value(document(snapshot))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::TopologyState;
    use crate::model::time::Timestamp;

    #[test]
    fn a_warning_is_no_edit_that_was_not_taken() {
        let mut snapshot = Snapshot::empty(Timestamp::default());
        snapshot.topology = Some(TopologyState {
            path: "topology".into(),
            problems: Vec::new(),
            warnings: vec!["a.yaml:1:1: warning: odd".into()],
            services: 1,
        });
        let told = value(&snapshot).unwrap();
        assert_eq!(told["not_watched"], serde_json::json!([]));
        assert_eq!(told["topology_warnings"], serde_json::json!(["a.yaml:1:1: warning: odd"]));
        snapshot.topology.as_mut().unwrap().problems = vec!["a.yaml:2:1: error: wrong".into()];
        let why = "not taken, the last good topology stays: a.yaml:2:1: error: wrong";
        let told = value(&snapshot).unwrap();
        assert_eq!(told["not_watched"], serde_json::json!([{ "what": "edits of the topology", "why": why }]));
    }
}
