//! What the parts of one source share: where observations go, how the source fares, and what it may spend.
//!
//! The parts run as one task; the locks are held for a moment and never across an await.

mod budget;
#[cfg(test)]
mod tests;
mod unavailable;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::budget::Budget;
use self::unavailable::told;
use super::acks::hearing::Hearing;
use super::acks::ledger::Ledger;
use super::clock::{Clocks, Reading, RoundTrip};
use super::lenient::one_line;
use super::options::Fate;
use super::processing::Samples;
use super::pullers::Pullers;
use super::tap::inboxes::Inboxes;
use crate::model::calls::Calls;
use crate::model::id::{ChannelId, Name, SourceId};
use crate::model::message::MessageId;
use crate::model::observation::{
    ConsumerReport, Load, Notice, NoticeKind, Observation, Partial, Round, SourceReport, SourceState,
    Unavailable,
};
use crate::model::senders::Sends;
use crate::model::tap::HeardMessage;
use crate::model::time::{Stamp, Timestamp};
use crate::model::traffic::{Count, TrafficKey};
use crate::source::accumulate::Accumulator;
use crate::source::{Clock, Delivery, Outbox};

/// Requests per second in the long run. With the burst below, no second sees more than [`MOST_PER_SECOND`].
const STEADY_PER_SECOND: u32 = 50;
/// Requests that may be saved up, so that the first picture is quick.
const BURST: u32 = 50;
/// Bytes per second of messages that are read only for the time they carry.
const BYTES_PER_SECOND: u32 = 256 * 1024;
/// Such bytes that may be saved up.
const BYTES_BURST: u32 = 2 * 1024 * 1024;
/// Bytes per second of messages that are read because a person looks for something.
const LOOKED_PER_SECOND: u32 = 2 * 1024 * 1024;
/// Such bytes that may be saved up.
const LOOKED_BURST: u32 = 8 * 1024 * 1024;
/// What is told as the budget.
pub(super) const MOST_PER_SECOND: u32 = STEADY_PER_SECOND + BURST;
/// Refusals told in one batch.
const MOST_REFUSALS: u64 = 1000;
/// Bytes of messages heard on tapped channels that are told in one batch.
const MOST_HEARD_BYTES: u64 = 16 * 1024 * 1024;
/// Round trips that the shortest is taken from.
const TRIPS: usize = 32;

/// A part of the picture that can be missing on its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Streams,
    Consumers(Name),
    /// The consumers of streams whose turn has not come yet.
    Unread,
    Messages(Name),
    Connections,
    Responders,
    Advisories,
    Acks,
    Samples,
    Pullers,
    MessageTraces,
    Monitoring(Name),
}

/// The shared state.
pub(super) struct Desk {
    clock: Clock,
    source: SourceId,
    outbox: Mutex<Outbox>,
    fate: Fate,
    counters: Mutex<Accumulator>,
    /// What is heard of acknowledgements; shared with the task that listens.
    ledger: Arc<Mutex<Ledger>>,
    /// What is heard of processing times; shared with the task that listens.
    samples: Arc<Mutex<Samples>>,
    state: Mutex<State>,
    budget: Budget,
    bytes: Budget,
    looked: Budget,
    requests: AtomicU64,
    messages: AtomicU64,
    dropped: AtomicU64,
    /// Refusals in the pending batch.
    refusals: AtomicU64,
    /// Bytes of messages heard on tapped channels in the pending batch.
    heard_bytes: AtomicU64,
    /// Whose inboxes there are; shared with the tasks that listen.
    inboxes: Arc<Mutex<Arc<Inboxes>>>,
    pullers: Pullers,
}

/// Whether something has been reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    NotWanted,
    Never,
    Before,
    Now,
}

/// What a stream keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    /// Its first position.
    pub first: u64,
    /// Its last position.
    pub last: u64,
    /// It lets its messages be read many at once.
    pub direct: bool,
}

/// The state of the source as a whole.
fn how_it_fares(connection: Reach, monitoring: Reach, trouble: bool) -> SourceState {
    match (connection, monitoring) {
        (Reach::Now, _) | (Reach::NotWanted, Reach::Now) if !trouble => SourceState::Up,
        (Reach::Now, _) | (_, Reach::Now) => SourceState::Degraded,
        (Reach::Before, _) | (_, Reach::Before) => SourceState::Down,
        _ => SourceState::Connecting,
    }
}

struct State {
    report: SourceReport,
    connection: Reach,
    monitoring: Reach,
    /// What is unavailable, and whether that is trouble (or only a feature that is not used here).
    unavailable: BTreeMap<Part, (Unavailable, bool)>,
    remarks: BTreeMap<Name, Name>,
    clocks: Clocks,
    trips: VecDeque<Duration>,
    /// Bytes of answers and time spent waiting for them since they were last asked for.
    bytes: u64,
    busy: Duration,
    /// Something was answered since this was last asked.
    answered: bool,
    /// The server that the connection is with.
    server: Name,
    account: Option<Name>,
    /// `None` before consumers were first listed.
    deliver_subjects: Option<BTreeSet<Name>>,
    /// The server that stamps each stream's messages; empty for the one that the connection is with.
    stampers: BTreeMap<Name, Name>,
    /// The first and last position of each stream, as last listed.
    positions: BTreeMap<Name, Kept>,
    /// Parts that monitoring tells as a whole, though the connection may not read them.
    supplied: BTreeSet<Part>,
    /// Acknowledgements are listened to.
    listening: bool,
    /// Since when all of them are heard.
    hearing: Hearing,
    /// The books do not know yet what is known of the clocks by which streams are stamped.
    clocks_changed: bool,
}

impl State {
    /// The clock by which each stream's messages are stamped, where it is known.
    fn clocks_of_streams(&self) -> HashMap<Name, Reading> {
        let of = |(stream, server): (&Name, &Name)| {
            let server = if server.is_empty() { &self.server } else { server };
            Some((stream.clone(), self.clocks.of(server)?))
        };
        self.stampers.iter().filter_map(of).collect()
    }

    /// Whether there is trouble with this part, and nothing else tells it.
    fn lacks(&self, part: &Part) -> bool {
        self.unavailable.get(part).is_some_and(|(_, trouble)| *trouble) && !self.supplied.contains(part)
    }

    /// Another server answers.
    fn answers(&mut self, server: &str) {
        self.clocks_changed |= *self.server != *server;
        self.server = server.into();
    }
}

pub(super) fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    /// `connects` is false when only monitoring endpoints are read.
    pub(super) fn new(outbox: Outbox, address: &str, connects: bool) -> Self {
        let clock = outbox.clock();
        let report = SourceReport {
            kind: "nats".into(),
            address: address.into(),
            load: Load { budget_per_s: MOST_PER_SECOND, round: Some(Round::default()), ..Load::default() },
            first_round: connects,
            ..SourceReport::default()
        };
        Self {
            clock,
            source: outbox.source().clone(),
            ledger: Arc::new(Mutex::new(Ledger::new(outbox.source().clone(), clock.now().mono))),
            samples: Arc::new(Mutex::new(Samples::new(outbox.source().clone()))),
            outbox: Mutex::new(outbox),
            fate: Fate::default(),
            counters: Mutex::new(Accumulator::new(clock.now().mono)),
            state: Mutex::new(State {
                report,
                connection: if connects { Reach::Never } else { Reach::NotWanted },
                monitoring: Reach::NotWanted,
                unavailable: BTreeMap::new(),
                remarks: BTreeMap::new(),
                clocks: Clocks::default(),
                trips: VecDeque::new(),
                bytes: 0,
                busy: Duration::ZERO,
                answered: false,
                server: "".into(),
                account: None,
                deliver_subjects: None,
                stampers: BTreeMap::new(),
                positions: BTreeMap::new(),
                supplied: BTreeSet::new(),
                listening: false,
                hearing: Hearing::No,
                clocks_changed: true,
            }),
            budget: Budget::new(clock, STEADY_PER_SECOND, BURST),
            bytes: Budget::new(clock, BYTES_PER_SECOND, BYTES_BURST),
            looked: Budget::new(clock, LOOKED_PER_SECOND, LOOKED_BURST),
            requests: AtomicU64::new(0),
            messages: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            refusals: AtomicU64::new(0),
            heard_bytes: AtomicU64::new(0),
            inboxes: Arc::default(),
            pullers: Pullers::default(),
        }
    }

    pub(super) fn clock(&self) -> Clock {
        self.clock
    }

    pub(super) fn source(&self) -> &SourceId {
        &self.source
    }

    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// What messages may cost in bytes that are read because a person looks for something.
    pub(super) fn looked(&self) -> &Budget {
        &self.looked
    }

    /// What single messages may cost in bytes.
    pub(super) fn bytes(&self) -> &Budget {
        &self.bytes
    }

    /// Adds an observation made at `at`.
    pub(super) fn observe(&self, at: Stamp, what: Observation) {
        locked(&self.outbox).observe_at(at, what);
    }

    /// Adds a notice; `time` is when it happened by the broker's clock. Of refusals only so many are told at a time:
    /// a consumer that refuses everything would otherwise fill the memory.
    pub(super) fn notice(&self, notice: Notice, time: Option<Timestamp>) {
        if notice.kind == NoticeKind::Refused
            && self.refusals.fetch_add(1, Ordering::Relaxed) >= MOST_REFUSALS
        {
            self.dropped(1);
            return;
        }
        let at = Stamp { broker: time, ..self.clock.now() };
        self.observe(at, Observation::Notice(notice));
    }

    /// Adds counters.
    pub(super) fn count(&self, counts: impl IntoIterator<Item = (TrafficKey, Count)>) {
        let mut counters = locked(&self.counters);
        for (key, count) in counts {
            counters.add(key, &count);
        }
    }

    /// Hands over what there is.
    pub(super) fn flush(&self) -> Delivery {
        self.close_books();
        let sampled = locked(&self.samples).take();
        let mut outbox = locked(&self.outbox);
        for (consumer, times) in sampled {
            outbox.processing().entry(consumer).or_default().merge(&times);
        }
        let counted = locked(&self.counters).drain(self.clock.now().mono);
        outbox.traffic().merge(counted);
        let delivery = outbox.flush();
        if delivery == Delivery::Sent {
            self.refusals.store(0, Ordering::Relaxed);
            self.heard_bytes.store(0, Ordering::Relaxed);
        }
        delivery
    }

    /// Hands over what was heard of acknowledgements, and tells the books what has been learnt of the clocks.
    fn close_books(&self) {
        let clocks = {
            let mut state = locked(&self.state);
            if !state.listening {
                return;
            }
            std::mem::take(&mut state.clocks_changed).then(|| state.clocks_of_streams())
        };
        // The moment up to which the books are: nothing is entered while they are locked.
        let (now, acks, steps, whole) = {
            let mut ledger = locked(&self.ledger);
            if let Some(clocks) = clocks {
                ledger.set_clocks(clocks);
            }
            let now = self.clock.now();
            let (acks, steps) = ledger.close(now.mono);
            (now, acks, steps, ledger.is_whole())
        };
        let listened = locked(&self.state).hearing.close(now.mono).filter(|_| whole);
        let mut outbox = locked(&self.outbox);
        outbox.listen(listened);
        for (consumer, tally) in acks {
            outbox.acks().entry(consumer).or_default().merge(&tally);
        }
        steps.into_iter().for_each(|step| outbox.observe_at(now, Observation::Step(step)));
    }

    /// The books of acknowledgements, for the task that listens.
    pub(super) fn ledger(&self) -> Arc<Mutex<Ledger>> {
        Arc::clone(&self.ledger)
    }

    /// Whether acknowledgements are listened to.
    pub(super) fn listening(&self, on: bool) {
        {
            let now = self.clock.now().mono;
            let mut state = locked(&self.state);
            state.listening = on;
            state.hearing = if on { Hearing::Asked(now) } else { Hearing::No };
        }
        if !on {
            locked(&self.outbox).listen(None);
        }
        locked(&self.ledger).interrupted();
        self.present(&Part::Acks);
        // The clocks must be known before the first one comes.
        self.close_books();
    }

    /// The connection was lost: what came meanwhile was not heard.
    pub(super) fn interrupted(&self) {
        locked(&self.ledger).interrupted();
        locked(&self.state).hearing = Hearing::No;
    }

    /// Our own end of the connection lost messages: perhaps acknowledgements.
    pub(super) fn missed_acks(&self) {
        let now = self.clock.now().mono;
        locked(&self.state).hearing.lost(now);
    }

    /// Samples of processing times, for the task that listens.
    pub(super) fn samples(&self) -> Arc<Mutex<Samples>> {
        Arc::clone(&self.samples)
    }

    /// This user may not listen to samples.
    pub(super) fn deaf_to_samples(&self, subject: &str) {
        let why = format!("permission denied to subscribe to {subject}");
        let remedy = "allow this user to subscribe to it; `headwater doctor` shows how";
        self.missing(Part::Samples, "how long consumers take of their own", &why, remedy, false);
    }

    /// This user may not listen to acknowledgements.
    pub(super) fn deaf_to_acks(&self, subject: &str) {
        locked(&self.state).hearing = Hearing::No;
        let why = format!("permission denied to subscribe to {subject}");
        let remedy = "allow this user to subscribe to it, or watch at --probe passive";
        self.missing(Part::Acks, "acknowledgements (delays stay intervals)", &why, remedy, true);
    }

    /// Tells what consumers say of a message.
    pub(super) fn follow(&self, id: &MessageId) {
        if let Some((stream, _)) = self.stream(&id.channel) {
            locked(&self.ledger).follow(&stream, id.seq);
        }
    }

    /// The name of a stream of ours, and what it keeps.
    pub(super) fn stream(&self, channel: &ChannelId) -> Option<(Name, Kept)> {
        let state = locked(&self.state);
        let mut streams = state.positions.iter();
        let found = streams.find(|(stream, _)| ChannelId::named(&self.source, stream) == *channel);
        found.map(|(stream, positions)| (stream.clone(), *positions))
    }

    /// What the clock shows that stamps a stream's messages.
    pub(super) fn stream_time(&self, stream: &Name, at: Stamp) -> Option<Timestamp> {
        let state = locked(&self.state);
        let server = state.stampers.get(stream)?;
        state.clocks.reading(if server.is_empty() { &state.server } else { server }, at.mono)
    }

    /// Which server stamps the messages of each stream, and which it keeps.
    pub(super) fn set_streams(&self, stampers: BTreeMap<Name, Name>, positions: BTreeMap<Name, Kept>) {
        let mut state = locked(&self.state);
        state.clocks_changed |= state.stampers != stampers;
        state.stampers = stampers;
        state.positions = positions;
    }

    /// Consumers as they are listed; books are kept only while it is listened.
    pub(super) fn know_consumers<'r>(&self, stream: &str, reports: impl Iterator<Item = &'r ConsumerReport>) {
        if !locked(&self.state).listening {
            return;
        }
        let mut ledger = locked(&self.ledger);
        for report in reports {
            ledger.know(stream, &report.name, report.ack, report.created_at);
        }
    }

    /// One more request was made, by whatever way.
    pub(super) fn requested(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// A round of questions begins; `extra` when somebody asked for it out of turn.
    pub(super) fn begin_round(&self, extra: bool) {
        let (now, requests, messages) = (self.clock.now(), self.requests_made(), self.messages_heard());
        let mut state = locked(&self.state);
        let number = state.report.load.round.map_or(0, |round| round.number) + 1;
        state.report.load.round = Some(Round { number, began: now, requests, messages, extra, done: false });
    }

    /// All has been asked.
    pub(super) fn end_round(&self) {
        if let Some(round) = &mut locked(&self.state).report.load.round {
            round.done = true;
        }
    }

    fn requests_made(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    fn messages_heard(&self) -> u64 {
        let sampled = locked(&self.samples).heard().0;
        let heard = locked(&self.ledger).heard().0.saturating_add(sampled);
        self.messages.load(Ordering::Relaxed).saturating_add(heard)
    }

    /// A message came in by a subscription.
    pub(super) fn received(&self) {
        self.messages.fetch_add(1, Ordering::Relaxed);
    }

    /// So many came in by subscriptions to tapped channels.
    pub(super) fn heard(&self, messages: u64) {
        self.messages.fetch_add(messages, Ordering::Relaxed);
    }

    /// Tells a message that was heard, unless too many wait to be handed over already; whether it is told.
    pub(super) fn tell_heard(&self, at: Stamp, message: HeardMessage) -> bool {
        let bytes = message.weight() as u64;
        if self.heard_bytes.fetch_add(bytes, Ordering::Relaxed) >= MOST_HEARD_BYTES {
            return false;
        }
        self.observe(at, Observation::Heard(Box::new(message)));
        true
    }

    /// Messages were dropped because we were too slow.
    pub(super) fn dropped(&self, messages: u64) {
        self.dropped.fetch_add(messages, Ordering::Relaxed);
    }

    /// An answer came: what it cost and how long it took.
    pub(super) fn answered(&self, trip: RoundTrip, bytes: usize) {
        let mut state = locked(&self.state);
        state.answered = true;
        state.hearing.answered(trip.sent.mono, trip.received.mono);
        state.report.answered = Some(trip.received);
        let length = trip.length();
        state.trips.push_back(length);
        if state.trips.len() > TRIPS {
            state.trips.pop_front();
        }
        let shortest = state.trips.iter().min().copied().unwrap_or_default();
        state.report.rtt = Some(shortest);
        // The way there and back costs the broker nothing; what is above it is its work (and ours).
        state.busy += length.saturating_sub(shortest);
        state.bytes += bytes as u64;
    }

    /// Tells of requests that were heard with their answers.
    pub(super) fn tell_calls(&self, calls: Calls) {
        let mut outbox = locked(&self.outbox);
        for (key, tally) in calls {
            outbox.calls().entry(key).or_default().merge(&tally);
        }
    }

    /// Tells who was heard to send.
    pub(super) fn tell_sends(&self, sends: Sends) {
        let mut outbox = locked(&self.outbox);
        for (key, messages) in sends {
            *outbox.sends().entry(key).or_default() += messages;
        }
    }

    /// The shortest way to the server and back: no message is on its way to us for longer than another by more than this, while
    /// neither end is busy.
    pub(super) fn round_trip(&self) -> Duration {
        locked(&self.state).report.rtt.unwrap_or_default()
    }

    /// An answer came whose cost is not counted.
    pub(super) fn heard_answer(&self) {
        let mut state = locked(&self.state);
        state.answered = true;
        state.report.answered = Some(self.clock.now());
    }

    /// Whether anything was answered since this was last asked.
    pub(super) fn take_answered(&self) -> bool {
        std::mem::take(&mut locked(&self.state).answered)
    }

    /// The shortest recent round trip.
    pub(super) fn rtt(&self) -> Option<Duration> {
        locked(&self.state).report.rtt
    }

    /// What answers have cost since this was last asked: time above the round trip, and bytes.
    pub(super) fn take_cost(&self) -> (Duration, u64) {
        let mut state = locked(&self.state);
        (std::mem::take(&mut state.busy), std::mem::take(&mut state.bytes))
    }

    /// A server told its time.
    pub(super) fn learn_time(&self, server: Option<&str>, trip: RoundTrip, time: Timestamp) {
        let mut state = locked(&self.state);
        let server: Name = server.map_or_else(|| state.server.clone(), Into::into);
        let better = state.clocks.learn(&server, trip, time);
        state.clocks_changed |= better;
    }

    /// A stamp with the broker's time: the one it told, else what its clock must show.
    pub(super) fn stamp(&self, at: Stamp, server: Option<&str>, told: Option<Timestamp>) -> Stamp {
        let state = locked(&self.state);
        let server = server.unwrap_or(&state.server);
        Stamp { broker: told.or_else(|| state.clocks.reading(server, at.mono)), ..at }
    }

    /// The account that the connection is in, once known.
    pub(super) fn account(&self) -> Option<Name> {
        locked(&self.state).account.clone()
    }

    pub(super) fn set_account(&self, account: Option<Name>) {
        locked(&self.state).account = account;
    }

    /// Where push consumers deliver: inboxes among them are no request inboxes.
    pub(super) fn set_deliver_subjects(&self, subjects: BTreeSet<Name>) {
        locked(&self.state).deliver_subjects = Some(subjects);
    }

    pub(super) fn delivers_to(&self, subject: &str) -> bool {
        locked(&self.state).deliver_subjects.as_ref().is_some_and(|known| known.contains(subject))
    }

    /// Why it is not known where all push consumers deliver; empty while they are still to be listed, `None` when it is known.
    pub(super) fn unknown_deliveries(&self) -> Option<Name> {
        let state = locked(&self.state);
        if state.deliver_subjects.is_none() || state.unavailable.contains_key(&Part::Unread) {
            return Some("".into());
        }
        let lists = |part: &Part| matches!(part, Part::Streams | Part::Consumers(_));
        let missing = state.unavailable.iter().find(|(part, (_, trouble))| lists(part) && *trouble);
        missing.map(|(_, (entry, _))| entry.why.clone())
    }

    /// Who was heard to pull.
    pub(super) fn pullers(&self) -> &Pullers {
        &self.pullers
    }

    /// Whose inboxes there are, as the connections were last listed; for the tasks that listen.
    pub(super) fn inboxes(&self) -> Arc<Mutex<Arc<Inboxes>>> {
        Arc::clone(&self.inboxes)
    }

    pub(super) fn set_inboxes(&self, inboxes: Inboxes) {
        *locked(&self.inboxes) = Arc::new(inboxes);
    }

    /// Something cannot be read. `trouble` is false for what is merely not in use here.
    pub(super) fn missing(&self, part: Part, what: &str, why: &str, remedy: &str, trouble: bool) {
        let entry =
            Unavailable { what: one_line(what).into(), why: one_line(why).into(), remedy: remedy.into() };
        locked(&self.state).unavailable.insert(part, (entry, trouble));
    }

    /// It can be read (again).
    pub(super) fn present(&self, part: &Part) {
        locked(&self.state).unavailable.remove(part);
    }

    /// Whether monitoring tells all of this part.
    pub(super) fn supplied(&self, part: Part, whole: bool) {
        let supplied = &mut locked(&self.state).supplied;
        if whole {
            supplied.insert(part);
        } else {
            supplied.remove(&part);
        }
    }

    /// Why it cannot be read, when it cannot.
    pub(super) fn why_missing(&self, part: &Part) -> Option<Name> {
        locked(&self.state).unavailable.get(part).map(|(entry, _)| entry.why.clone())
    }

    /// Keeps only the parts that still exist.
    pub(super) fn retain_parts(&self, keep: impl Fn(&Part) -> bool) {
        locked(&self.state).unavailable.retain(|part, _| keep(part));
    }

    /// Says something about this broker that changes what can be promised, or that it no longer holds.
    pub(super) fn remark(&self, about: &str, text: Option<String>) {
        let mut state = locked(&self.state);
        match text {
            Some(text) => state.remarks.insert(about.into(), text.into()),
            None => state.remarks.remove(about),
        };
    }

    /// Keeps only the remarks that still hold.
    pub(super) fn retain_remarks(&self, keep: impl Fn(&str) -> bool) {
        locked(&self.state).remarks.retain(|about, _| keep(about));
    }

    /// A fact about the source for the evidence pane.
    pub(super) fn note(&self, key: &str, value: impl Into<Name>) {
        locked(&self.state).report.notes.insert(key.into(), value.into());
    }

    /// The connection stands.
    pub(super) fn connected(&self, server: &async_nats::ServerInfo) {
        let mut state = locked(&self.state);
        state.connection = Reach::Now;
        // The client subscribes again by itself; a denial comes again too.
        state.unavailable.remove(&Part::Advisories);
        state.unavailable.remove(&Part::Samples);
        if state.listening {
            state.hearing = Hearing::Asked(self.clock.now().mono);
        }
        state.answers(&server.server_name);
        state.trips.clear();
        let report = &mut state.report;
        report.error = None;
        report.refused = false;
        report.server_version = Some(server.version.as_str().into());
        report.server_name = Some(server.server_name.as_str().into());
        report.cluster = server.cluster.as_deref().filter(|name| !name.is_empty()).map(Into::into);
        report.notes.insert("server id".into(), server.server_id.as_str().into());
        if let Some(domain) = server.domain.as_deref().filter(|domain| !domain.is_empty()) {
            report.notes.insert("JetStream domain".into(), domain.into());
        }
    }

    /// Whether the last try was refused for good.
    pub(super) fn refused(&self, refused: bool) {
        locked(&self.state).report.refused = refused;
    }

    /// Another source watches the same system: nothing more comes from here while it does.
    pub(super) fn step_aside(&self, other: SourceId) {
        locked(&self.state).report.same_as = Some(other);
    }

    /// No other source watches the same system.
    pub(super) fn stand_alone(&self) {
        locked(&self.state).report.same_as = None;
    }

    /// Those who answer requests have been asked once: who did not answer is none of them.
    /// Whether that is news.
    pub(super) fn asked_once(&self) -> bool {
        std::mem::replace(&mut locked(&self.state).report.first_round, false)
    }

    /// Its server may end for good, and then that is told of every loss.
    pub(super) fn with_fate(self, fate: Fate) -> Self {
        Self { fate, ..self }
    }

    /// The connection does not stand.
    pub(super) fn disconnected(&self, error: &str) {
        let error = self.fate.why().unwrap_or(error);
        let mut state = locked(&self.state);
        if state.connection == Reach::Now {
            state.connection = Reach::Before;
        }
        state.report.error = Some(one_line(error).into());
    }

    /// A monitoring endpoint answers, and there is no connection to tell these things.
    pub(super) fn monitored(&self, server: &str, version: &str, cluster: Option<&str>) {
        let mut state = locked(&self.state);
        state.monitoring = Reach::Now;
        state.answers(server);
        state.report.server_name = Some(server.into());
        state.report.server_version = Some(version.into());
        state.report.cluster = cluster.map(Into::into);
        if state.connection == Reach::NotWanted {
            state.report.error = None;
        }
    }

    /// No monitoring endpoint answers, or none is needed.
    pub(super) fn unmonitored(&self, error: Option<&str>) {
        let mut state = locked(&self.state);
        if state.monitoring == Reach::Now {
            state.monitoring = Reach::Before;
        }
        if let (Some(error), Reach::NotWanted) = (error, state.connection) {
            state.report.error = Some(one_line(error).into());
        }
    }

    /// Trouble that the server told of, kept until the next connection or `None`.
    pub(super) fn trouble(&self, error: Option<&str>) {
        locked(&self.state).report.error = error.map(|error| one_line(error).into());
    }

    /// Tells how the source fares.
    pub(super) fn report(&self) {
        let now = self.clock.now();
        let report = {
            let state = locked(&self.state);
            let server = state.server.clone();
            let offsets = state.clocks.all(now);
            let mut report = state.report.clone();
            report.clock = state.clocks.offset(&server, now);
            for (name, offset) in offsets.iter().filter(|_| offsets.len() > 1) {
                let text = format!(
                    "{:+.3} ms ± {:.3} ms",
                    offset.nanos as f64 / 1e6,
                    offset.uncertainty.as_secs_f64() * 1e3
                );
                report.notes.insert(format!("clock of {}", one_line(name)).into(), text.into());
            }
            report.load.requests = self.requests_made();
            report.load.messages = self.messages_heard();
            let (_, unread) = locked(&self.ledger).heard();
            if unread > 0 {
                report.notes.insert("acknowledgements not understood".into(), unread.to_string().into());
            }
            let (_, unread) = locked(&self.samples).heard();
            if unread > 0 {
                report.notes.insert("samples not understood".into(), unread.to_string().into());
            }
            report.load.dropped = self.dropped.load(Ordering::Relaxed);
            report.unavailable = told(&state.unavailable);
            report.remarks = state.remarks.values().cloned().collect();
            let trouble = state.unavailable.values().any(|(_, trouble)| *trouble);
            report.partial = Partial {
                channels: state.lacks(&Part::Streams),
                clients: state.lacks(&Part::Connections),
                responders: state.lacks(&Part::Responders),
            };
            report.no_notices =
                state.connection != Reach::Now || state.unavailable.contains_key(&Part::Advisories);
            // Monitoring endpoints know nobody who answers requests.
            report.first_round &= state.monitoring != Reach::Now;
            report.state = how_it_fares(state.connection, state.monitoring, trouble);
            report
        };
        self.observe(now, Observation::Source(Box::new(report)));
    }
}
