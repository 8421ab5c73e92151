//! The turns: what is asked when.
//!
//! The first turn begins as soon as the connection stands and asks for everything, so that the first
//! picture is complete at once. After that a turn comes every second, or less often when the broker is
//! slow or has much to tell: at most a tenth of the time is spent by the broker on our questions, and at most
//! [`BYTES_PER_SECOND`] are fetched. JetStream gets one question at a time; the two questions that every
//! server or program answers (`CONNZ`, `$SRV`) run beside it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, watch};

use super::api::{Api, codes, read};
use super::connections::{self, Connz, ConnzAnswer, Own, ServerPicture};
use super::consumers::{ConsumerPage, missing_names};
use super::desk::{Desk, Part};
use super::lenient::one_line;
use super::micro::{self, Instance};
use super::options::NatsOptions;
use super::streams::{StreamInfo, StreamPage, remark};
use super::wire::{Answer, Failure, Patience, Wire};
use crate::model::id::{ChannelId, Name};
use crate::model::observation::{Listing, Observation};
use crate::model::time::Mono;

/// The shortest time between two turns.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest: a picture that is older is no live picture.
const LONGEST: Duration = Duration::from_secs(60);
/// The broker's share of time for our questions is one in so many.
const SHARE: u32 = 10;
/// Bytes of answers in the long run.
const BYTES_PER_SECOND: u64 = 512 * 1024;
/// Streams whose consumers are asked for in one turn.
const STREAMS_PER_TURN: usize = 50;
/// A stream on which something moved is asked so many times as often as a quiet one.
const BUSY_WEIGHT: u64 = 4;
/// What was refused is tried again after this: rights are seldom given while somebody watches.
const RETRY_REFUSED: Duration = Duration::from_secs(30);
/// Nobody among many who answers later than this is waited for.
const GATHER_LONGEST: Duration = Duration::from_secs(2);
/// Quiet after which a gathering of unknown size ends.
const QUIET: Duration = Duration::from_millis(150);
/// Quiet after which those who should answer are given up for this turn.
const QUIET_KNOWN: Duration = Duration::from_secs(1);
/// Every so many turns a gathering waits for quiet, so that newcomers are found.
const EXPLORE_EVERY: u32 = 5;
/// After so many turns without an answer somebody is gone.
const MISSES: u8 = 3;

/// Whether the connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Down,
    /// Counts the connections, so that a short loss is seen too.
    Up(u64),
}

/// When something that failed is tried again.
#[derive(Debug, Default)]
struct Retry {
    failures: u32,
    not_before: Mono,
}

impl Retry {
    fn due(&self, now: Mono) -> bool {
        now >= self.not_before
    }

    fn succeeded(&mut self) {
        *self = Self::default();
    }

    fn failed(&mut self, failure: &Failure, now: Mono) {
        self.failures = self.failures.saturating_add(1);
        let wait = match failure {
            Failure::Lost => Duration::ZERO,
            Failure::Timeout { .. } => SHORTEST.saturating_mul(1 << self.failures.min(5)).min(RETRY_REFUSED),
            _ => RETRY_REFUSED,
        };
        self.not_before = now + wait;
    }
}

/// Who answered before and so should answer again.
#[derive(Debug, Default)]
struct Crowd {
    misses: BTreeMap<String, u8>,
    turns: u32,
}

impl Crowd {
    fn explores(&self) -> bool {
        self.misses.is_empty() || self.turns.is_multiple_of(EXPLORE_EVERY)
    }

    fn patience(&self, rtt: Option<Duration>) -> Patience {
        let quiet = if self.explores() { QUIET.max(rtt.unwrap_or_default() * 3) } else { QUIET_KNOWN };
        Patience { longest: GATHER_LONGEST, quiet: quiet.min(GATHER_LONGEST) }
    }

    fn enough(&self, answered: &BTreeSet<String>) -> bool {
        !self.explores() && self.misses.keys().all(|id| answered.contains(id))
    }

    /// Enters who answered; whether everybody who should did.
    fn enter(&mut self, answered: &BTreeSet<String>) -> bool {
        self.turns = self.turns.wrapping_add(1);
        let mut complete = true;
        for (id, misses) in &mut self.misses {
            if answered.contains(id) {
                *misses = 0;
            } else {
                *misses += 1;
                complete &= *misses >= MISSES;
            }
        }
        self.misses.retain(|_, misses| *misses < MISSES);
        for id in answered {
            self.misses.entry(id.clone()).or_insert(0);
        }
        complete
    }
}

/// What is remembered of a stream between turns.
#[derive(Debug, Default)]
struct Known {
    last_seq: Option<u64>,
    consumers: Option<u64>,
    leader: Option<Name>,
    /// When its consumers were last asked for.
    asked: Option<Mono>,
    /// Something moved since then.
    busy: bool,
    deliver_subjects: BTreeSet<Name>,
    retry: Retry,
}

impl Known {
    fn urgency(&self, now: Mono) -> u64 {
        let Some(asked) = self.asked else { return u64::MAX };
        let age = u64::try_from(now.since(asked).as_millis()).unwrap_or(u64::MAX);
        age.saturating_mul(if self.busy { BUSY_WEIGHT } else { 1 })
    }
}

/// Asks the questions.
pub(super) struct Poller<'a> {
    jetstream: JetStream<'a>,
    connections: Connections<'a>,
    responders: Responders<'a>,
    desk: &'a Desk,
}

impl<'a> Poller<'a> {
    pub(super) fn new(wire: &'a Wire, desk: &'a Desk, options: &'a NatsOptions) -> Self {
        let api = Api { wire, desk, prefix: &options.js_api };
        Self {
            jetstream: JetStream { api, streams: BTreeMap::new(), retry: Retry::default() },
            connections: Connections {
                wire,
                desk,
                own_prefix: options.inbox_prefix.as_deref(),
                ledger: connections::Ledger::default(),
                crowd: Crowd::default(),
                retry: Retry::default(),
            },
            responders: Responders {
                wire,
                desk,
                ledger: micro::Ledger::default(),
                described: HashMap::new(),
                crowd: Crowd::default(),
                retry: Retry::default(),
            },
            desk,
        }
    }

    /// Takes turns while the connection stands, for ever.
    pub(super) async fn run(&mut self, mut link: watch::Receiver<Link>, refresh: &Notify) {
        loop {
            let Ok(standing) = link.wait_for(|link| *link != Link::Down).await.map(|link| *link) else {
                return;
            };
            self.forgive();
            // A new connection may be to a restarted broker: nothing of the old one's refusals holds.
            while *link.borrow() == standing {
                let began = self.desk.clock().now().mono;
                tokio::select! {
                    () = self.turn() => {}
                    _ = link.wait_for(|link| *link != standing) => break,
                }
                self.desk.report();
                let interval = self.interval();
                let spent = self.desk.clock().now().mono.since(began);
                tokio::select! {
                    () = tokio::time::sleep(interval.saturating_sub(spent)) => {}
                    () = refresh.notified() => self.forgive(),
                    _ = link.wait_for(|link| *link != standing) => {}
                }
            }
        }
    }

    async fn turn(&mut self) {
        tokio::join!(self.jetstream.turn(), self.connections.turn(), self.responders.turn());
    }

    fn forgive(&mut self) {
        self.jetstream.retry = Retry::default();
        self.connections.retry = Retry::default();
        self.responders.retry = Retry::default();
        for known in self.jetstream.streams.values_mut() {
            known.retry = Retry::default();
        }
    }

    /// The time until the next turn, with jitter so that several observers do not ask in step.
    fn interval(&self) -> Duration {
        let (busy, bytes) = self.desk.take_cost();
        let interval = interval(busy, bytes);
        self.desk.note("interval", format!("{:.1} s", interval.as_secs_f64()));
        interval.mul_f64(0.95 + fastrand::f64() * 0.1)
    }
}

/// The time between two turns that keeps our share small: see the module.
fn interval(busy: Duration, bytes: u64) -> Duration {
    let by_bytes = Duration::from_millis(bytes.saturating_mul(1000) / BYTES_PER_SECOND);
    (busy.saturating_mul(SHARE)).max(by_bytes).clamp(SHORTEST, LONGEST)
}

/// What to do about a failure, in words.
fn remedy(failure: &Failure) -> String {
    match failure {
        Failure::Denied(subject) => {
            format!("allow this user to publish to {subject}; `headwater doctor` shows how")
        }
        Failure::Deaf(_) => {
            "allow this user to subscribe to its inbox, or set the inbox prefix that it may use".into()
        }
        Failure::NoResponders(_) | Failure::Timeout { .. } => {
            "`headwater doctor` tells what may be read".into()
        }
        Failure::Lost | Failure::Refused { .. } | Failure::Unreadable { .. } => String::new(),
    }
}

struct JetStream<'a> {
    api: Api<'a>,
    streams: BTreeMap<Name, Known>,
    retry: Retry,
}

impl JetStream<'_> {
    async fn turn(&mut self) {
        let now = self.api.desk.clock().now().mono;
        if self.retry.due(now) {
            self.list_streams().await;
        }
        for stream in self.due(now) {
            self.list_consumers(&stream).await;
        }
        let subjects =
            self.streams.values().flat_map(|known| known.deliver_subjects.iter().cloned()).collect();
        self.api.desk.set_deliver_subjects(subjects);
    }

    /// The streams whose turn it is.
    fn due(&self, now: Mono) -> Vec<Name> {
        let waiting =
            self.streams.iter().filter(|(_, known)| known.consumers != Some(0) && known.retry.due(now));
        let mut due: Vec<_> = waiting.map(|(name, known)| (known.urgency(now), name)).collect();
        due.sort_by(|a, b| b.cmp(a));
        due.truncate(STREAMS_PER_TURN);
        due.into_iter().map(|(_, name)| name.clone()).collect()
    }

    async fn list_streams(&mut self) {
        let desk = self.api.desk;
        let (pages, whole) = match self.api.pages::<StreamPage>("STREAM.LIST").await {
            Ok(pages) => pages,
            Err(failure) => return self.streams_failed(&failure),
        };
        self.retry.succeeded();
        let mut entries = BTreeMap::new();
        let mut nameless = 0;
        let mut missing: BTreeSet<Name> = BTreeSet::new();
        let mut at = desk.clock().now();
        for (index, (page, trip)) in pages.into_iter().enumerate() {
            for info in &page.streams.read {
                if let Some(ts) = info.ts {
                    desk.learn_time(info.leader(), trip, ts);
                }
            }
            if index == 0 {
                let told = page.streams.read.first().and_then(|info| info.ts);
                at = desk.stamp(trip.received, None, told);
            }
            missing.extend(page.missing.iter().map(|name| Name::from(name.as_str())));
            nameless += page.streams.unreadable.len();
            for info in page.streams.read {
                entries.insert(Name::from(info.config.name.as_str()), info);
            }
        }
        missing.retain(|name| !entries.contains_key(name));
        let complete = whole && nameless == 0 && missing.is_empty();
        self.remember(&entries, complete);
        if complete {
            desk.present(&Part::Streams);
        } else {
            let names: Vec<&str> = missing.iter().map(|name| &**name).take(5).collect();
            let why = if missing.is_empty() {
                format!(
                    "{nameless} of the broker's entries cannot be read, or the list changed while it was read"
                )
            } else {
                format!("the leader of {} does not answer", one_line(&names.join(", ")))
            };
            desk.missing(Part::Streams, "some streams", &why, "", !missing.is_empty() || nameless > 0);
        }
        let reports = entries.values().map(|info| info.report(desk.source())).collect();
        desk.observe(at, Observation::Channels(Listing { entries: reports, complete }));
        for (name, known) in &self.streams {
            if known.consumers == Some(0) {
                self.observe_none(name, at);
            }
        }
    }

    /// The stream's own entry says that it has no consumers: no need to ask.
    fn observe_none(&self, stream: &str, at: crate::model::time::Stamp) {
        let desk = self.api.desk;
        desk.observe(
            at,
            Observation::Consumers {
                channel: ChannelId::named(desk.source(), stream),
                listing: Listing { entries: Vec::new(), complete: true },
                missing: Vec::new(),
            },
        );
    }

    fn remember(&mut self, entries: &BTreeMap<Name, StreamInfo>, complete: bool) {
        let desk = self.api.desk;
        if complete {
            self.streams.retain(|name, _| entries.contains_key(name));
            let streams = &self.streams;
            desk.retain_parts(|part| match part {
                Part::Consumers(stream) | Part::Messages(stream) => streams.contains_key(stream),
                _ => true,
            });
            desk.retain_remarks(|about| {
                about.strip_prefix("stream ").is_none_or(|name| entries.contains_key(name))
            });
        }
        for (name, info) in entries {
            let known = self.streams.entry(name.clone()).or_default();
            known.busy |=
                known.last_seq != info.state.last_seq || known.consumers != info.state.consumer_count;
            known.last_seq = info.state.last_seq;
            known.consumers = info.state.consumer_count;
            known.leader = info.leader().map(Into::into);
            if known.consumers == Some(0) {
                known.deliver_subjects.clear();
            }
            desk.remark(&format!("stream {name}"), remark(name, &info.config.subjects));
        }
    }

    fn streams_failed(&mut self, failure: &Failure) {
        let desk = self.api.desk;
        self.retry.failed(failure, desk.clock().now().mono);
        match failure {
            Failure::Lost => {}
            Failure::NoResponders(_) => {
                desk.missing(
                    Part::Streams,
                    "streams and consumers",
                    "JetStream is not enabled here",
                    "",
                    false,
                );
            }
            Failure::Refused { err_code: codes::NOT_ENABLED | codes::NOT_ENABLED_FOR_ACCOUNT, .. } => {
                desk.missing(
                    Part::Streams,
                    "streams and consumers",
                    "JetStream is not enabled for this account",
                    "connect as a user of the account that has the streams",
                    false,
                );
            }
            failure => {
                desk.missing(
                    Part::Streams,
                    "streams and consumers",
                    &failure.to_string(),
                    &remedy(failure),
                    true,
                );
            }
        }
    }

    async fn list_consumers(&mut self, stream: &Name) {
        let desk = self.api.desk;
        let result = self.api.pages::<ConsumerPage>(&format!("CONSUMER.LIST.{stream}")).await;
        let Some(known) = self.streams.get_mut(stream) else { return };
        let part = Part::Consumers(stream.clone());
        let (pages, whole) = match result {
            Ok(pages) => pages,
            Err(failure) => {
                known.retry.failed(&failure, desk.clock().now().mono);
                let gone = matches!(failure, Failure::Refused { err_code: codes::STREAM_NOT_FOUND, .. });
                if !gone && failure != Failure::Lost {
                    let what = format!("consumers of {stream}");
                    desk.missing(part, &what, &failure.to_string(), &remedy(&failure), true);
                }
                return;
            }
        };
        known.retry.succeeded();
        desk.present(&part);
        let mut at = desk.clock().now();
        let mut reports = BTreeMap::new();
        let mut active = false;
        known.deliver_subjects.clear();
        for (index, (page, trip)) in pages.iter().enumerate() {
            if index == 0 {
                let told = page.consumers.read.first().and_then(|info| info.ts);
                at = desk.stamp(trip.received, known.leader.as_deref(), told);
            }
            for info in &page.consumers.read {
                active |= info.num_pending != Some(0) || info.num_ack_pending != Some(0);
                if !info.config.deliver_subject.is_empty() {
                    known.deliver_subjects.insert(info.config.deliver_subject.as_str().into());
                }
                reports.insert(info.name.clone(), info.report(desk.source(), stream));
            }
        }
        let lists: Vec<&ConsumerPage> = pages.iter().map(|(page, _)| page).collect();
        let unreadable = lists.iter().any(|page| !page.consumers.unreadable.is_empty());
        let mut missing = missing_names(&lists);
        missing.retain(|name| !reports.contains_key(&**name));
        known.asked = Some(at.mono);
        known.busy = active;
        let listing = Listing { entries: reports.into_values().collect(), complete: whole && !unreadable };
        let channel = ChannelId::named(desk.source(), stream);
        desk.observe(at, Observation::Consumers { channel, listing, missing });
    }
}

struct Connections<'a> {
    wire: &'a Wire,
    desk: &'a Desk,
    own_prefix: Option<&'a str>,
    ledger: connections::Ledger,
    crowd: Crowd,
    retry: Retry,
}

impl Connections<'_> {
    const SUBJECT: &'static str = "$SYS.REQ.ACCOUNT.PING.CONNZ";

    async fn turn(&mut self) {
        if !self.retry.due(self.desk.clock().now().mono) {
            return;
        }
        let server = self.wire.client().server_info();
        if server.cluster.as_deref().unwrap_or_default().is_empty() && self.crowd.misses.is_empty() {
            // A server on its own: nobody else can answer.
            self.crowd.misses.insert(server.server_id.clone(), 0);
            self.crowd.turns = 1;
        }
        match self.pictures().await {
            Ok((pictures, complete)) => {
                self.retry.succeeded();
                self.tell(
                    &pictures,
                    complete,
                    &Own { server: server.server_id.into(), cid: server.client_id },
                );
            }
            Err(failure) => {
                self.retry.failed(&failure, self.desk.clock().now().mono);
                if failure != Failure::Lost {
                    let why = failure.to_string();
                    self.desk.missing(Part::Connections, "connections", &why, &remedy(&failure), true);
                }
            }
        }
    }

    fn tell(&mut self, pictures: &BTreeMap<Name, ServerPicture>, complete: bool, own: &Own) {
        let desk = self.desk;
        if complete {
            desk.present(&Part::Connections);
        } else {
            desk.missing(
                Part::Connections,
                "some connections",
                "a server of the cluster did not answer",
                "",
                true,
            );
        }
        let inbox = |subject: &str| connections::is_inbox(subject, self.own_prefix);
        for picture in pictures.values() {
            let counted = self.ledger.enter(picture, Some(own), inbox);
            desk.count(counted);
        }
        if complete {
            let crowd = &self.crowd;
            self.ledger.retain(|id| crowd.misses.contains_key(id));
        }
        let account = desk.account();
        let deliver = |subject: &str| desk.delivers_to(subject);
        let entries = connections::clients(pictures.values(), Some(own), account.as_deref(), inbox, deliver);
        let own_picture = pictures.get(&own.server);
        let at = desk.stamp(desk.clock().now(), None, None);
        let at = own_picture.map_or(at, |picture| crate::model::time::Stamp { mono: picture.at, ..at });
        desk.observe(at, Observation::Clients(Listing { entries, complete }));
    }

    /// All connections of all servers, and whether nobody is missing.
    async fn pictures(&mut self) -> Result<(BTreeMap<Name, ServerPicture>, bool), Failure> {
        let mut pictures: BTreeMap<Name, ServerPicture> = BTreeMap::new();
        let mut answered = BTreeSet::new();
        let mut offset = 0;
        let mut whole = true;
        loop {
            let mut more = false;
            let mut on_page = BTreeSet::new();
            for (answer, told) in self.page(offset).await? {
                let Some(data) = told.data else { continue };
                let id: Name =
                    if told.server.id.is_empty() { data.server_id.as_str() } else { &told.server.id }.into();
                on_page.insert(id.to_string());
                if let Some(now) = data.now {
                    let name = if told.server.name.is_empty() { &*id } else { &told.server.name };
                    self.desk.learn_time(Some(name), answer.trip, now);
                }
                more |= offset + PAGE_STEP < data.total;
                Self::add(&mut pictures, id, data, answer.trip.received.mono);
            }
            if offset == 0 {
                answered = on_page;
            } else {
                whole &= answered.iter().all(|id| on_page.contains(id));
            }
            offset += PAGE_STEP;
            if !more || offset > PAGE_STEP * 200 {
                whole &= !more;
                break;
            }
        }
        let everybody = self.crowd.enter(&answered);
        if answered.is_empty() {
            return Err(Failure::Timeout { subject: Self::SUBJECT.to_owned(), after: GATHER_LONGEST });
        }
        for picture in pictures.values_mut() {
            picture.whole &= whole;
        }
        Ok((pictures, whole && everybody))
    }

    fn add(pictures: &mut BTreeMap<Name, ServerPicture>, id: Name, data: Connz, at: Mono) {
        let readable = data.connections.unreadable.is_empty();
        let picture = pictures.entry(id.clone()).or_insert_with(|| ServerPicture {
            id,
            now: data.now,
            at,
            connections: Vec::new(),
            whole: true,
        });
        picture.whole &= readable;
        // A connection that left moves the pages: nobody is counted twice.
        let known: BTreeSet<u64> = picture.connections.iter().map(|one| one.cid).collect();
        picture.connections.extend(data.connections.read.into_iter().filter(|one| !known.contains(&one.cid)));
    }

    async fn page(&self, offset: usize) -> Result<Vec<(Answer, ConnzAnswer)>, Failure> {
        let body = serde_json::json!({
            "subscriptions": true, "subscriptions_detail": true, "auth": true,
            "sort": "cid", "limit": connections::PAGE, "offset": offset,
        });
        self.desk.budget().take().await;
        let mut answered = BTreeSet::new();
        let mut read_ones = Vec::new();
        let patience = self.crowd.patience(self.desk.rtt());
        let result = self
            .wire
            .gather(Self::SUBJECT, Bytes::from(body.to_string()), &patience, |answer| {
                let Ok(told) = read::<ConnzAnswer>(Self::SUBJECT, &answer.payload) else { return false };
                answered.insert(told.server.id.clone());
                read_ones.push((answer.clone(), told));
                self.crowd.enough(&answered)
            })
            .await;
        self.desk.requested();
        result?;
        Ok(read_ones)
    }
}

/// Pages advance by what one may hold.
const PAGE_STEP: usize = connections::PAGE;

struct Responders<'a> {
    wire: &'a Wire,
    desk: &'a Desk,
    ledger: micro::Ledger,
    /// Answers to `$SRV.INFO` by instance.
    described: HashMap<String, Instance>,
    crowd: Crowd,
    retry: Retry,
}

impl Responders<'_> {
    async fn turn(&mut self) {
        let now = self.desk.clock().now();
        if !self.retry.due(now.mono) {
            return;
        }
        match self.gather("$SRV.STATS", &self.crowd).await {
            Ok(instances) => {
                self.retry.succeeded();
                self.desk.present(&Part::Responders);
                self.tell(instances).await;
            }
            // Nobody publishes statistics: that is an answer.
            Err(Failure::NoResponders(_)) => {
                self.desk.present(&Part::Responders);
                self.tell(Vec::new()).await;
            }
            Err(failure) => {
                self.retry.failed(&failure, now.mono);
                // Somebody subscribes to the subject and does not answer: no statistics, and no harm.
                let trouble = !matches!(failure, Failure::Timeout { .. });
                if failure != Failure::Lost {
                    let why = failure.to_string();
                    self.desk.missing(
                        Part::Responders,
                        "request statistics",
                        &why,
                        &remedy(&failure),
                        trouble,
                    );
                }
            }
        }
    }

    async fn tell(&mut self, instances: Vec<Instance>) {
        let now = self.desk.clock().now();
        let answered: BTreeSet<String> = instances.iter().map(|one| one.id.clone()).collect();
        let complete = self.crowd.enter(&answered);
        self.described.retain(|id, _| answered.contains(id));
        if answered.iter().any(|id| !self.described.contains_key(id)) {
            let everybody = Crowd { misses: answered.iter().map(|id| (id.clone(), 0)).collect(), turns: 1 };
            if let Ok(described) = self.gather("$SRV.INFO", &everybody).await {
                self.described.extend(described.into_iter().map(|one| (one.id.clone(), one)));
            }
            // Who does not describe itself is not asked again.
            for one in &instances {
                self.described.entry(one.id.clone()).or_insert_with(|| one.clone());
            }
        }
        let counted = self.ledger.enter(&instances, now.wall, now.mono, complete);
        self.desk.count(counted);
        let entries = micro::responders(&instances, &self.described);
        self.desk.observe(now, Observation::Responders(Listing { entries, complete }));
    }

    async fn gather(&self, subject: &str, crowd: &Crowd) -> Result<Vec<Instance>, Failure> {
        self.desk.budget().take().await;
        self.desk.requested();
        let mut answered = BTreeSet::new();
        let mut instances: BTreeMap<String, Instance> = BTreeMap::new();
        self.wire
            .gather(subject, Bytes::new(), &crowd.patience(self.desk.rtt()), |answer| {
                let Ok(one) = read::<Instance>(subject, &answer.payload) else { return false };
                answered.insert(one.id.clone());
                instances.insert(one.id.clone(), one);
                crowd.enough(&answered)
            })
            .await?;
        Ok(instances.into_values().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::nats::api::API_TIMEOUT;

    #[test]
    fn slow_and_big_answers_make_turns_rarer() {
        assert_eq!(interval(Duration::from_millis(20), 10_000), SHORTEST);
        assert_eq!(interval(Duration::from_millis(300), 0), Duration::from_secs(3));
        assert_eq!(interval(Duration::ZERO, 5 * 512 * 1024), Duration::from_secs(5));
        assert_eq!(interval(API_TIMEOUT * 100, 0), LONGEST);
    }

    #[test]
    fn a_crowd_waits_for_those_it_knows() {
        let set = |ids: &[&str]| ids.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
        let mut crowd = Crowd::default();
        assert!(!crowd.enough(&set(&["a", "b"])), "the first time nobody knows how many there are");
        assert!(crowd.enter(&set(&["a", "b"])));
        assert!(crowd.enough(&set(&["a", "b"])) && !crowd.enough(&set(&["a"])));
        assert!(!crowd.enter(&set(&["a"])) && !crowd.enter(&set(&["a"])), "b is missed");
        assert!(crowd.enter(&set(&["a"])), "b is gone");
        assert!(crowd.enough(&set(&["a"])));
    }

    #[test]
    fn a_refusal_is_not_asked_again_soon() {
        let mut retry = Retry::default();
        retry.failed(&Failure::Denied("x".into()), Mono(0));
        assert!(!retry.due(Mono(29_000_000_000)) && retry.due(Mono(30_000_000_000)));
        retry.failed(&Failure::Lost, Mono(0));
        assert!(retry.due(Mono(0)));
    }

    #[test]
    fn busy_streams_come_more_often_and_new_ones_first() {
        let known = |asked: Option<u64>, busy| Known { asked: asked.map(Mono), busy, ..Known::default() };
        let now = Mono(10_000_000_000);
        assert_eq!(known(None, false).urgency(now), u64::MAX);
        assert!(
            known(Some(8_000_000_000), true).urgency(now) > known(Some(3_000_000_000), false).urgency(now)
        );
        assert!(
            known(Some(9_000_000_000), true).urgency(now) < known(Some(3_000_000_000), false).urgency(now)
        );
    }
}
