//! JetStream's turn: streams, then the consumers of those whose turn it is, then their oldest messages.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use serde_json::json;

use super::pace::LONGEST;
use super::patience::Retry;
use super::{BUSY_WEIGHT, STREAMS_PER_TURN, remedy};
use crate::model::id::{ChannelId, ConsumerId, Name};
use crate::model::measured::Bounds;
use crate::model::observation::{BacklogReport, ConsumerReport, Listing, Observation};
use crate::model::time::{Mono, Stamp};
use crate::source::nats::api::{Api, MessageReply, codes};
use crate::source::nats::backlog::{Found, Look, Memory, Question, Work, look, unread};
use crate::source::nats::consumers::{ConsumerPage, missing_names};
use crate::source::nats::desk::{Kept, MOST_PER_SECOND, Part};
use crate::source::nats::lenient::one_line;
use crate::source::nats::streams::{StreamInfo, StreamPage, remark};
use crate::source::nats::wire::Failure;

/// So many questions without an answer end a turn: one may be about a stream without a leader.
const MOST_TIMEOUTS: u32 = 2;
/// Requests that single messages leave for the next turn's lists.
const RESERVE: u32 = 5;

/// A consumer with work left, as of one poll.
struct Backlog {
    stream: Name,
    consumer: ConsumerId,
    at: Stamp,
    work: Work,
}

/// `$JS.API`, and the domain of the server itself, are answered by it or by leaders that are named.
fn elsewhere(prefix: &str, domain: Option<&str>) -> Option<String> {
    let own = domain.map(|domain| format!("$JS.{domain}.API"));
    (prefix != "$JS.API" && own.as_deref() != Some(prefix)).then(|| prefix.to_owned())
}

/// What is remembered of a stream between turns.
#[derive(Debug, Default)]
struct Known {
    last_seq: Option<u64>,
    consumers: Option<u64>,
    leader: Option<Name>,
    /// As it was last listed.
    info: StreamInfo,
    /// When its consumers were last asked for.
    asked: Option<Mono>,
    /// Something moved since then.
    busy: bool,
    deliver_subjects: BTreeSet<Name>,
    retry: Retry,
    /// Of reading single messages.
    retry_messages: Retry,
}

impl Known {
    /// It has consumers, and they have neither been read nor failed to be.
    fn is_unread(&self) -> bool {
        self.asked.is_none() && self.consumers != Some(0) && !self.retry.has_failed()
    }

    fn urgency(&self, now: Mono) -> u64 {
        let Some(asked) = self.asked else { return u64::MAX };
        let age = u64::try_from(now.since(asked).as_millis()).unwrap_or(u64::MAX);
        age.saturating_mul(if self.busy { BUSY_WEIGHT } else { 1 })
    }
}

/// Streams, their consumers, and the oldest messages that those have left.
pub(super) struct JetStream<'a> {
    api: Api<'a>,
    /// The name for the clock of a JetStream that another server than the one we are connected to answers for.
    elsewhere: Option<String>,
    streams: BTreeMap<Name, Known>,
    memory: Memory,
    /// When the oldest message of a consumer was last told.
    told: HashMap<ConsumerId, Mono>,
    /// What the consumers have left that were read in the first round, until it is done: the lists come first.
    held: Vec<Backlog>,
    retry: Retry,
    /// Questions of this turn that were not answered.
    timeouts: u32,
}

impl<'a> JetStream<'a> {
    pub(super) fn new(api: Api<'a>) -> Self {
        Self {
            elsewhere: elsewhere(api.prefix, api.wire.client().server_info().domain.as_deref()),
            api,
            streams: BTreeMap::new(),
            memory: Memory::default(),
            told: HashMap::new(),
            held: Vec::new(),
            retry: Retry::default(),
            timeouts: 0,
        }
    }

    /// What was refused may be asked again at once.
    pub(super) fn forgive(&mut self) {
        self.retry = Retry::default();
        for known in self.streams.values_mut() {
            known.retry = Retry::default();
            known.retry_messages = Retry::default();
        }
    }

    /// What got no answer may be asked again at once.
    pub(super) fn forgive_silence(&mut self) {
        self.retry.forgive_silence();
        for known in self.streams.values_mut() {
            known.retry.forgive_silence();
            known.retry_messages.forgive_silence();
        }
    }

    pub(super) async fn turn(&mut self) {
        let now = self.api.desk.clock().now().mono;
        self.timeouts = 0;
        if self.retry.due(now) {
            self.list_streams().await;
        }
        if self.tell_unread() > STREAMS_PER_TURN {
            // Not all of them can be read in this turn, and who looks already sees how many.
            self.api.desk.report();
        }
        let mut backlogs = std::mem::take(&mut self.held);
        for stream in self.due(now) {
            if self.gives_up() {
                break;
            }
            self.list_consumers(&stream, &mut backlogs).await;
        }
        self.tell_unread();
        if self.hurries() {
            self.held = backlogs;
        } else {
            self.read_backlogs(backlogs).await;
        }
        let subjects =
            self.streams.values().flat_map(|known| known.deliver_subjects.iter().cloned()).collect();
        self.api.desk.set_deliver_subjects(subjects);
        let stampers = self.streams.keys().filter_map(|name| Some((name.clone(), self.stamper(name)?)));
        let positions = self.streams.iter().map(|(name, known)| {
            let state = &known.info.state;
            let kept = Kept {
                first: state.first_seq.unwrap_or(0),
                last: state.last_seq.unwrap_or(0),
                direct: known.info.config.allow_direct,
            };
            (name.clone(), kept)
        });
        self.api.desk.set_streams(stampers.collect(), positions.collect());
    }

    /// Whether there are streams whose consumers nobody has asked for yet, and the broker answers.
    pub(super) fn hurries(&self) -> bool {
        !self.gives_up() && self.streams.values().any(Known::is_unread)
    }

    /// Tells of how many streams the consumers have not been read yet.
    fn tell_unread(&self) -> usize {
        let mut unread = self.streams.iter().filter(|(_, known)| known.is_unread()).map(|(name, _)| name);
        let desk = self.api.desk;
        let Some(first) = unread.next() else {
            desk.present(&Part::Unread);
            return 0;
        };
        let count = 1 + unread.count();
        let what = if count == 1 {
            format!("consumers of {}", one_line(first))
        } else {
            format!("consumers of {count} streams")
        };
        let why = format!("not read yet: at most {MOST_PER_SECOND} requests a second are made");
        desk.missing(Part::Unread, &what, &why, "", false);
        count
    }

    /// Whether to leave the rest of this turn: a broker that does not answer would be waited for again and again.
    fn gives_up(&self) -> bool {
        self.timeouts >= MOST_TIMEOUTS
    }

    fn note_failure(&mut self, failure: &Failure) {
        if matches!(failure, Failure::Timeout { .. } | Failure::Lost) {
            self.timeouts += 1;
        }
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
        let elsewhere = self.elsewhere.as_deref();
        let mut entries = BTreeMap::new();
        let mut nameless = 0;
        let mut missing: BTreeSet<Name> = BTreeSet::new();
        let mut at = desk.clock().now();
        for (index, (page, trip)) in pages.into_iter().enumerate() {
            for info in &page.streams.read {
                if let Some(ts) = info.ts {
                    desk.learn_time(info.leader().or(elsewhere), trip, ts);
                }
            }
            if index == 0 {
                let told = page.streams.read.first().and_then(|info| info.ts);
                at = desk.stamp(trip.answer(), elsewhere, told);
            }
            missing.extend(page.missing.iter().map(|name| Name::from(name.as_str())));
            nameless += page.streams.unreadable.len();
            for info in page.streams.read {
                entries.insert(Name::from(info.config.name.as_str()), info);
            }
        }
        missing.retain(|name| !entries.contains_key(name));
        let complete = whole && nameless == 0 && missing.is_empty();
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
        let reports = entries.iter().map(|(name, info)| info.report(desk.source(), name)).collect();
        self.remember(entries, complete);
        desk.observe(at, Observation::Channels(Listing { entries: reports, complete }));
        for (name, known) in &self.streams {
            if known.consumers == Some(0) {
                self.observe_none(name, at);
            }
        }
    }

    /// The stream's own entry says that it has no consumers: no need to ask.
    fn observe_none(&self, stream: &str, at: Stamp) {
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

    fn remember(&mut self, entries: BTreeMap<Name, StreamInfo>, complete: bool) {
        let desk = self.api.desk;
        let now = desk.clock().now().mono;
        if complete {
            self.streams.retain(|name, _| entries.contains_key(name));
            self.memory.retain(|name| entries.contains_key(name));
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
            desk.remark(&format!("stream {name}"), remark(&name, &info.config.subjects));
            self.memory.stream(&name).follow(&info, now);
            known.info = info;
        }
    }

    fn streams_failed(&mut self, failure: &Failure) {
        let desk = self.api.desk;
        self.retry.failed(failure, desk.clock().now().mono);
        self.timeouts = MOST_TIMEOUTS;
        match failure {
            Failure::Lost => {}
            // Whoever names another JetStream than the server's own means that there is one.
            Failure::NoResponders(_) if self.elsewhere.is_some() => {
                let why = format!(
                    "nobody answers {}: no such JetStream domain is reached from here",
                    self.api.prefix
                );
                let remedy = "check --js-domain, or jetstream_domain and jetstream_api_prefix of the context";
                desk.missing(Part::Streams, "streams and consumers", &why, remedy, true);
            }
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
                    &self.remedy_of_lists(failure),
                    true,
                );
            }
        }
    }

    /// Whoever is granted the list of streams alone stands before the next closed door.
    fn remedy_of_lists(&self, failure: &Failure) -> String {
        match failure {
            Failure::Denied(subject) => format!(
                "allow this user to publish to {subject}, and for consumers to {}.CONSUMER.LIST.*; `headwater doctor` \
                 shows how",
                self.api.prefix
            ),
            other => remedy(other),
        }
    }

    async fn list_consumers(&mut self, stream: &Name, backlogs: &mut Vec<Backlog>) {
        let desk = self.api.desk;
        let result = self.api.pages::<ConsumerPage>(&format!("CONSUMER.LIST.{stream}")).await;
        if let Err(failure) = &result {
            self.note_failure(failure);
        }
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
        let elsewhere = self.elsewhere.as_deref();
        desk.present(&part);
        let mut at = desk.clock().now();
        let mut reports = BTreeMap::new();
        let mut active = false;
        known.deliver_subjects.clear();
        for (index, (page, trip)) in pages.iter().enumerate() {
            if index == 0 {
                let told = page.consumers.read.first().and_then(|info| info.ts);
                at = desk.stamp(trip.answer(), known.leader.as_deref().or(elsewhere), told);
            }
            for info in &page.consumers.read {
                active |= info.num_pending != Some(0) || info.num_ack_pending != Some(0);
                if !info.config.deliver_subject.is_empty() {
                    known.deliver_subjects.insert(info.config.deliver_subject.as_str().into());
                }
                if let Some(work) = Work::of(info, &known.info) {
                    let consumer = ConsumerId::named(desk.source(), stream, &info.name);
                    backlogs.push(Backlog { stream: stream.clone(), consumer, at, work });
                }
                let members = desk.pullers().of(stream, &info.name);
                let report = ConsumerReport { members, ..info.report(desk.source(), stream) };
                reports.insert(info.name.clone(), report);
            }
        }
        desk.know_consumers(stream, reports.values());
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

/// The oldest messages.
impl JetStream<'_> {
    /// What is known already is told at once; what has to be read comes in the order of how long ago each
    /// consumer was last told of, as far as requests and bytes suffice.
    async fn read_backlogs(&mut self, mut backlogs: Vec<Backlog>) {
        let told = &self.told;
        backlogs.sort_by_key(|one| told.get(&one.consumer).copied());
        let mut open = Vec::new();
        for backlog in backlogs {
            if let Some(question) = self.try_tell(&backlog) {
                open.push((backlog, question));
            }
        }
        for (backlog, mut question) in open {
            loop {
                if self.gives_up()
                    || self.api.desk.budget().left() <= RESERVE
                    || !self.read_first(&backlog, &question).await
                {
                    break;
                }
                match self.try_tell(&backlog) {
                    Some(next) if next != question => question = next,
                    _ => break,
                }
            }
        }
        let oldest_needed = self.api.desk.clock().now().mono;
        self.told.retain(|_, at| oldest_needed.since(*at) < LONGEST * 10);
    }

    /// Tells the oldest message left from what is known, or gives the question that leads on.
    fn try_tell(&mut self, backlog: &Backlog) -> Option<Question> {
        let known = self.streams.get(&backlog.stream)?;
        let finds = self.memory.stream(&backlog.stream);
        match look(&backlog.work, finds, &known.info, backlog.at.mono) {
            Look::Oldest(oldest, seq) => {
                self.tell(backlog, oldest, Some(seq), backlog.work.how);
                None
            }
            Look::Ask(question) => Some(question),
            Look::Stale => None,
        }
    }

    fn tell(
        &mut self,
        backlog: &Backlog,
        oldest: Bounds<crate::model::time::Timestamp>,
        seq: Option<u64>,
        how: &str,
    ) {
        let desk = self.api.desk;
        let stamped_by = self.stamped_by(&backlog.stream);
        // On the clock of the server that stamped the message, so that the two can be compared.
        let at = desk.stamp(backlog.at, stamped_by.as_deref().or(self.elsewhere.as_deref()), None);
        self.told.insert(backlog.consumer.clone(), at.mono);
        desk.observe(
            at,
            Observation::Backlog(BacklogReport {
                consumer: backlog.consumer.clone(),
                oldest,
                channel_seq: seq,
                stamped_by,
                how: how.into(),
            }),
        );
    }

    fn tell_without_reading(&mut self, backlog: &Backlog, why: &str) {
        let Some(known) = self.streams.get(&backlog.stream) else { return };
        let (oldest, how) = unread(&known.info, why);
        self.tell(backlog, oldest, None, &how);
    }

    /// The leader of the stream; of its upstream, when it is a mirror, which keeps the upstream's stamps.
    fn stamped_by(&self, stream: &Name) -> Option<Name> {
        let mut known = self.streams.get(stream)?;
        // A chain of mirrors is short; one that bites its own tail is none.
        for _ in 0..8 {
            let Some(upstream) = &known.info.config.mirror else { break };
            if upstream.is_external() {
                return None;
            }
            known = self.streams.get(upstream.name.as_str())?;
        }
        known.leader.clone()
    }

    /// The clock by which a stream's messages are stamped: a server's name, or empty for the one that we are connected to. `None`
    /// when it is nobody's that we know: of a mirror of a stream elsewhere, or behind another JetStream domain.
    fn stamper(&self, stream: &Name) -> Option<Name> {
        if let Some(leader) = self.stamped_by(stream) {
            return Some(leader);
        }
        if let Some(elsewhere) = &self.elsewhere {
            return Some(elsewhere.as_str().into());
        }
        let mirrors = self.streams.get(stream).is_some_and(|known| known.info.config.mirror.is_some());
        (!mirrors).then(|| "".into())
    }

    /// Reads one message; whether that may go on.
    async fn read_first(&mut self, backlog: &Backlog, question: &Question) -> bool {
        let desk = self.api.desk;
        let stream = &backlog.stream;
        let Some(known) = self.streams.get_mut(stream) else { return false };
        let part = Part::Messages(stream.clone());
        let now = desk.clock().now().mono;
        if !known.retry_messages.due(now) {
            let why = desk.why_missing(&part).unwrap_or_else(|| "the message could not be read".into());
            self.tell_without_reading(backlog, &why);
            return false;
        }
        let state = &known.info.state;
        let size = state.bytes.unwrap_or(0) / state.messages.unwrap_or(1).max(1);
        if !desk.bytes().covers(size) {
            return false;
        }
        let last = state.last_seq.unwrap_or(0);
        let body = json!({ "seq": question.from, "next_by_subj": &*question.filter });
        let what = format!("STREAM.MSG.GET.{stream}");
        let result = self.api.ask::<MessageReply>(&what, Bytes::from(body.to_string())).await;
        if let Err(failure) = &result {
            self.note_failure(failure);
        }
        let Some(known) = self.streams.get_mut(stream) else { return false };
        let found = match result {
            Ok((reply, _, bytes)) => {
                desk.bytes().spend(bytes as u64);
                reply.message.and_then(|message| Some(Found { seq: message.seq, time: message.time? }))
            }
            Err(Failure::Refused { err_code: codes::NO_MESSAGE, .. }) => None,
            Err(Failure::Lost | Failure::Refused { .. }) => return false,
            Err(failure) => {
                known.retry_messages.failed(&failure, now);
                let what = format!("staleness on {stream}");
                desk.missing(part, &what, &failure.to_string(), &remedy(&failure), true);
                self.tell_without_reading(backlog, &failure.to_string());
                return false;
            }
        };
        known.retry_messages.succeeded();
        desk.present(&part);
        self.memory.stream(stream).enter(question, found.filter(|one| one.seq >= question.from), last, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_domain_has_a_clock_of_its_own() {
        assert_eq!(elsewhere("$JS.API", Some("hub")), None);
        assert_eq!(elsewhere("$JS.hub.API", Some("hub")), None);
        assert_eq!(elsewhere("$JS.leaf.API", Some("hub")), Some("$JS.leaf.API".to_owned()));
        assert_eq!(elsewhere("from.acme", None), Some("from.acme".to_owned()));
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
