//! What a source saw, in words that fit every broker.
//!
//! A [`Batch`] is the unit of ingestion, recording, replay, simulation and test: what comes after the
//! source cannot tell where a batch came from. Reports of state replace what was known; counters in
//! [`Traffic`] add up. A source whose batch cannot be delivered yet keeps merging into it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::acks::{AckStep, Acks, Processing};
use super::calls::Calls;
use super::id::{ChannelId, ConsumerId, Name, ServiceId, SourceId};
use super::measured::Bounds;
use super::message::{MessageReport, PursuitReport, SearchReport};
use super::senders::Sends;
use super::tap::{HeardMessage, TapReport};
use super::time::{Mono, Stamp, Timestamp};
use super::traffic::Traffic;

/// What one source saw since its last batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Who saw it.
    pub source: SourceId,
    /// When the batch was closed.
    pub at: Stamp,
    /// State, in the order in which it was seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observations: Vec<Observed>,
    /// Counters since the last batch.
    #[serde(default, skip_serializing_if = "Traffic::is_empty")]
    pub traffic: Traffic,
    /// What was heard of acknowledgements since the last batch.
    #[serde(default, skip_serializing_if = "Acks::is_empty")]
    pub acks: Acks,
    /// The time up to its end in which acknowledgements of every consumer were listened to without a gap. Who is not in [`Self::acks`]
    /// acknowledged nothing in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listened: Option<Span>,
    /// What brokers told of consumers' own processing times since the last batch.
    #[serde(default, skip_serializing_if = "Processing::is_empty")]
    pub processing: Processing,
    /// Requests that were heard with their answers since the last batch.
    #[serde(default, skip_serializing_if = "Calls::is_empty", with = "super::pairs")]
    pub calls: Calls,
    /// Who was heard to send what since the last batch.
    #[serde(default, skip_serializing_if = "Sends::is_empty", with = "super::pairs")]
    pub sends: Sends,
}

impl Batch {
    /// An empty batch.
    pub fn new(source: SourceId, at: Stamp) -> Self {
        Self {
            source,
            at,
            observations: Vec::new(),
            traffic: Traffic::default(),
            acks: Acks::new(),
            listened: None,
            processing: Processing::new(),
            calls: Calls::new(),
            sends: Sends::new(),
        }
    }

    /// Nothing to tell. That it was listened can wait until something else is told.
    pub fn is_empty(&self) -> bool {
        self.observations.is_empty()
            && self.traffic.is_empty()
            && self.acks.is_empty()
            && self.processing.is_empty()
            && self.calls.is_empty()
            && self.sends.is_empty()
    }

    /// Adds a later batch of the same source: nothing is dropped, state stays in order, counters add up.
    pub fn merge(&mut self, later: Self) {
        self.at = later.at;
        self.observations.extend(later.observations);
        self.traffic.merge(later.traffic);
        for (consumer, tally) in later.acks {
            self.acks.entry(consumer).or_default().merge(&tally);
        }
        self.listen(later.listened);
        for (consumer, times) in later.processing {
            self.processing.entry(consumer).or_default().merge(&times);
        }
        for (key, tally) in later.calls {
            self.calls.entry(key).or_default().merge(&tally);
        }
        for (key, messages) in later.sends {
            *self.sends.entry(key).or_default() += messages;
        }
    }
}

impl Batch {
    /// Acknowledgements were listened to for this time after all that is in the batch, or were not. After a gap only the
    /// later time stands.
    pub fn listen(&mut self, later: Option<Span>) {
        self.listened = match (self.listened, later) {
            (Some(before), Some(later)) if before.to == later.from => Some(before.union(later)),
            (_, later) => later,
        };
    }
}

/// One observation and when it was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// When.
    pub at: Stamp,
    /// What.
    pub what: Observation,
}

/// One thing seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Observation {
    /// How the source itself fares.
    Source(Box<SourceReport>),
    /// Channels with their state.
    Channels(Listing<ChannelReport>),
    /// The consumers of one channel.
    Consumers {
        /// Whose consumers.
        channel: ChannelId,
        /// Them.
        listing: Listing<ConsumerReport>,
        /// Consumers that the broker named without their state: known to exist, all else unknown.
        missing: Vec<Name>,
    },
    /// The programs connected, grouped by name.
    Clients(Listing<ClientReport>),
    /// Programs that answer requests and publish statistics of it.
    Responders(Listing<ResponderReport>),
    /// The oldest message that a consumer still has to process.
    Backlog(BacklogReport),
    /// Something that happened once.
    Notice(Notice),
    /// What a consumer said of a message that is followed.
    Step(AckStep),
    /// A message that was asked for.
    Message(Box<MessageReport>),
    /// How a search for a message goes.
    Search(Box<SearchReport>),
    /// How far it is looked for what came of a message.
    Pursuit(Box<PursuitReport>),
    /// How listening on a channel goes.
    Tap(Box<TapReport>),
    /// A message that was heard on a tapped channel.
    Heard(Box<HeardMessage>),
    /// One health check.
    Health(Box<HealthReport>),
}

/// A list as a broker gave it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listing<T> {
    /// The entries.
    pub entries: Vec<T>,
    /// Whether this is all of them: then what is not in it is gone. A partial listing only updates.
    pub complete: bool,
}

/// Whether a source can be listened to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceState {
    /// Trying; never reached so far.
    #[default]
    Connecting,
    /// Reached, and everything asked is answered.
    Up,
    /// Reached, but a part is not answered or not permitted.
    Degraded,
    /// Not reached now; what is known is old.
    Down,
}

/// The address of a source that is simulated: there is none.
pub const SIMULATION: &str = "simulation";

/// How a source fares.
///
/// Batches are recorded: a field that came later than the first recordings has a default, so that those can still be
/// read. What is older is demanded, so that half a report is not taken for a whole one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SourceReport {
    /// `nats`, `health`, `simulation`…
    pub kind: Name,
    /// Where it connects, without secrets; [`SIMULATION`] for nowhere.
    pub address: Name,
    /// How it fares.
    pub state: SourceState,
    /// What went wrong last, in one line without secrets; `None` when nothing is wrong now.
    pub error: Option<Name>,
    /// Version of the server that answers.
    pub server_version: Option<Name>,
    /// Name of the server that answers.
    pub server_name: Option<Name>,
    /// The cluster's name, where it has one.
    pub cluster: Option<Name>,
    /// Round-trip time to the server.
    pub rtt: Option<Duration>,
    /// The broker's clock minus ours.
    pub clock: Option<ClockOffset>,
    /// What cannot be read, and what would unlock it.
    pub unavailable: Vec<Unavailable>,
    /// Things about this broker that change what can be promised (for instance a stream that captures every subject).
    pub remarks: Vec<Name>,
    /// What watching has cost the broker so far.
    pub load: Load,
    /// What the source found out about itself that has no other place: shown under evidence.
    pub notes: BTreeMap<Name, Name>,
    /// When it last answered; `None` where the source does not tell: then its report is its answer.
    #[serde(default)]
    pub answered: Option<Stamp>,
    /// It was refused, and trying again helps only after somebody changed something: credentials, certificates, rights.
    #[serde(default)]
    pub refused: bool,
    /// Its first round of questions is under way: what has not been told may still be.
    #[serde(default)]
    pub first_round: bool,
    /// Another source watches the same system: this one has stepped aside and tells nothing more.
    #[serde(default)]
    pub same_as: Option<SourceId>,
    /// Which of its lists are not whole: a sum over one of them is a lower bound.
    #[serde(default)]
    pub partial: Partial,
    /// What happens once is not told: what is given up, refused or terminated shows in positions and marks alone.
    #[serde(default)]
    pub no_notices: bool,
}

/// Lists that a source cannot give as a whole: denied, not answered, or known from some of the servers alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partial {
    /// Channels are missing.
    pub channels: bool,
    /// Connections are missing, and with them what is delivered to them.
    pub clients: bool,
    /// Programs that answer requests are missing.
    pub responders: bool,
}

/// The broker's clock minus the observer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockOffset {
    /// Nanoseconds to add to the observer's wall clock to get the broker's.
    pub nanos: i64,
    /// Half the round trip that it was measured with.
    pub uncertainty: Duration,
}

/// What watching has cost the broker, counted since the source began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// Requests that the source made.
    pub requests: u64,
    /// Messages that the source received by subscriptions, its own answers not counted.
    pub messages: u64,
    /// Messages that were dropped because the source was too slow for them.
    pub dropped: u64,
    /// The most requests in a second that the source may make.
    pub budget_per_s: u32,
    /// The newest round of questions; `None` where each request has a time of its own.
    #[serde(default)]
    pub round: Option<Round>,
}

/// A round of questions. Its requests come in a burst: how many come in a second is told by what lies between the beginnings
/// of two rounds. What is asked for the first whole picture is no round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// Counts the rounds, from 1; 0 until the first whole picture is there.
    pub number: u64,
    /// When it began.
    pub began: Stamp,
    /// [`Load::requests`] when it began.
    pub requests: u64,
    /// [`Load::messages`] when it began.
    pub messages: u64,
    /// Somebody asked for it out of turn: it tells nothing of how many come in a second.
    pub extra: bool,
    /// All has been asked, and answered or given up.
    pub done: bool,
}

/// Something that cannot be read here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unavailable {
    /// Which part of the picture: `consumers of LEGACY`, `connections`.
    pub what: Name,
    /// Why: `permission denied for $JS.API.CONSUMER.LIST.LEGACY`, `no answer in 2 s`.
    pub why: Name,
    /// What to do about it; empty when nothing can be done.
    pub remedy: Name,
}

/// What kind of address a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// A log that keeps messages: JetStream stream, Redis stream.
    Stream,
    /// A bucket of keys over a stream.
    KeyValue,
    /// A bucket of objects over a stream.
    ObjectStore,
    /// An address that keeps nothing: core NATS subject.
    Subject,
    /// A partitioned log.
    Topic,
    /// A router without storage.
    Exchange,
    /// A queue.
    Queue,
}

/// How a channel lets go of messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// `limits`, `interest`, `work queue`.
    pub policy: Name,
    /// Messages older than this go; `None` is never.
    pub max_age: Option<Duration>,
    /// At most so many messages.
    pub max_messages: Option<u64>,
    /// At most so many bytes.
    pub max_bytes: Option<u64>,
}

/// A channel that feeds another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FedBy {
    /// The upstream channel.
    pub channel: ChannelId,
    /// `mirror`, `source`, `binding`.
    pub how: Name,
    /// Messages not yet taken over, where the broker tells.
    pub lag: Option<u64>,
    /// Time since the last sign of the upstream, where the broker tells.
    pub silent_for: Option<Duration>,
}

/// A channel's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChannelReport {
    /// Its id.
    pub id: ChannelId,
    /// The broker's name for it.
    pub name: Name,
    /// What it is.
    pub kind: ChannelKind,
    /// Subjects that it takes in.
    pub subjects: Vec<Name>,
    /// Channels that feed it.
    pub fed_by: Vec<FedBy>,
    /// Messages in it.
    pub messages: Option<u64>,
    /// Bytes in it.
    pub bytes: Option<u64>,
    /// Sequence number of its first message.
    pub first_seq: Option<u64>,
    /// Sequence number of its last message: its delta is the number of messages appended.
    pub last_seq: Option<u64>,
    /// When the first message in it was appended (broker clock).
    pub first_at: Option<Timestamp>,
    /// When the last message was appended (broker clock).
    pub last_at: Option<Timestamp>,
    /// When it was created (broker clock): a new time under an old name is a new channel, whose counters start again.
    pub created_at: Option<Timestamp>,
    /// How it lets go of messages.
    pub retention: Retention,
    /// The server that leads it.
    pub leader: Option<Name>,
    /// Copies of it in the cluster.
    pub replicas: Option<u32>,
    /// How many distinct subjects it holds.
    pub distinct_subjects: Option<u64>,
    /// How many consumers the broker says it has.
    pub consumers: Option<u64>,
    /// What its owners wrote about it.
    pub description: Option<Name>,
    /// Key-value metadata of its configuration.
    pub metadata: BTreeMap<Name, Name>,
}

impl Retention {
    /// Whether messages go when they grow too old, or too many, whoever has not processed them.
    pub const fn has_limits(&self) -> bool {
        self.max_age.is_some() || self.max_messages.is_some() || self.max_bytes.is_some()
    }
}

/// How a consumer says that it has processed a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AckPolicy {
    /// Each message by itself.
    Explicit,
    /// One acknowledgement covers all before it.
    All,
    /// Not at all: delivered counts as processed.
    None,
}

/// How messages get to the consumer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// The service asks.
    Pull,
    /// The broker sends.
    Push {
        /// To this subject.
        subject: Name,
        /// To one member of this group at a time.
        queue: Option<Name>,
        /// Whether somebody listens there.
        bound: Option<bool>,
    },
}

/// A place in a channel as a consumer sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Deliveries so far, redeliveries included.
    pub consumer_seq: u64,
    /// Sequence number in the channel.
    pub channel_seq: u64,
    /// When it last moved (broker clock); missing after a restart or a change of leader.
    pub last_active: Option<Timestamp>,
}

/// A consumer's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConsumerReport {
    /// Its id.
    pub id: ConsumerId,
    /// The broker's name for it.
    pub name: Name,
    /// What it reads.
    pub channel: ChannelId,
    /// Only these subjects; empty is all.
    pub filters: Vec<Name>,
    /// Whether it outlives its readers.
    pub durable: bool,
    /// How messages get to it.
    pub delivery: Delivery,
    /// How it acknowledges.
    pub ack: AckPolicy,
    /// How long the broker waits for an acknowledgement.
    pub ack_wait: Option<Duration>,
    /// After so many deliveries the broker gives a message up; `None` is never.
    pub max_deliver: Option<u64>,
    /// At most so many in flight; `None` is without limit.
    pub max_in_flight: Option<u64>,
    /// Where delivery stands.
    pub delivered: Option<Position>,
    /// Below this everything is processed.
    pub floor: Option<Position>,
    /// Messages waiting for delivery.
    pub lag: Bounds<u64>,
    /// Messages delivered and not yet acknowledged.
    pub in_flight: Bounds<u64>,
    /// Messages that are marked as delivered more than once *now* (not a counter; those given up stay in it).
    pub redelivered: Bounds<u64>,
    /// Pulls that wait for messages.
    pub waiting_pulls: Option<u64>,
    /// Whether it is paused by its configuration, and for how long still.
    pub paused: Option<Duration>,
    /// When it was created (broker clock).
    pub created_at: Option<Timestamp>,
    /// The server that leads it.
    pub leader: Option<Name>,
    /// Members by name: where the broker knows (Kafka, Redis, RabbitMQ), or programs that were heard to pull.
    pub members: Vec<Name>,
    /// Share of acknowledgements that it samples, in percent.
    pub sampling: Option<u8>,
    /// What its owners wrote about it.
    pub description: Option<Name>,
    /// Key-value metadata of its configuration.
    pub metadata: BTreeMap<Name, Name>,
}

/// Connected programs of one name. Grouped, because instances of a service share a name and
/// thousands of connections must not make thousands of rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClientReport {
    /// The name that the program gave; `None` for programs that gave none.
    pub name: Option<Name>,
    /// What tells programs without a name apart, as a text: their queue groups and micro services. `None` for those that
    /// have a name, and for those of which nothing is known.
    #[serde(default)]
    pub stand_in: Option<Name>,
    /// The micro services that programs without a name answer for.
    #[serde(default)]
    pub answers_for: Vec<Name>,
    /// The user it came as.
    pub user: Option<Name>,
    /// The account it is in.
    pub account: Option<Name>,
    /// Client libraries in use: language and version.
    pub libraries: Vec<Library>,
    /// Open connections.
    pub connections: u32,
    /// Where they come from, a few at most.
    pub hosts: Vec<Name>,
    /// When the longest-lived of them connected (broker clock).
    pub since: Option<Timestamp>,
    /// What it listens to, request inboxes left out.
    pub subscriptions: Vec<SubscriptionReport>,
    /// Bytes that the broker holds for it because it reads too slowly.
    pub pending_bytes: u64,
    /// Whether this is Headwater itself.
    pub own: bool,
}

impl ClientReport {
    /// The name under which [`TrafficKey`](super::traffic::TrafficKey) counts it.
    pub fn counted_as(&self) -> Option<&Name> {
        self.name.as_ref().or(self.stand_in.as_ref())
    }
}

/// A client library.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Library {
    /// The language.
    pub lang: Name,
    /// The library's version.
    pub version: Name,
}

/// A subscription, summed over the connections of one name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SubscriptionReport {
    /// The subject, with id-like tokens folded.
    pub subject: Name,
    /// The group in which one member gets each message.
    pub queue: Option<Name>,
}

/// A program that answers requests and publishes statistics of it (NATS micro service), one per name:
/// its instances are summed in [`Traffic`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResponderReport {
    /// The name that it publishes.
    pub name: Name,
    /// Versions that answered.
    pub versions: Vec<Name>,
    /// How many instances answered.
    pub instances: u32,
    /// What its owners wrote about it.
    pub description: Option<Name>,
    /// Key-value metadata.
    pub metadata: BTreeMap<Name, Name>,
    /// What it answers.
    pub endpoints: Vec<EndpointReport>,
}

/// One operation of a responder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndpointReport {
    /// Its name.
    pub name: Name,
    /// The subject that it answers on.
    pub subject: Name,
    /// Its queue group.
    pub queue: Option<Name>,
    /// The last error that it told, control characters and all: cleaned where it is shown.
    pub last_error: Option<Name>,
}

/// The oldest message that a consumer still has to process, as of one poll of that consumer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BacklogReport {
    /// Whose.
    pub consumer: ConsumerId,
    /// When that message was appended, on the clock of the server that stamped it. Bounds where the order of
    /// what is in flight leaves it open; unknown with its reason where it could not be read.
    pub oldest: Bounds<Timestamp>,
    /// Sequence number of the message that `oldest` was read from (the lower end's, when bounds).
    pub channel_seq: Option<u64>,
    /// Which server's clock stamped it (`None`: the one that answers).
    pub stamped_by: Option<Name>,
    /// How it was found, for the evidence pane.
    pub how: Name,
}

/// Something that happened once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// What.
    pub kind: NoticeKind,
    /// On which channel, if any.
    pub channel: Option<ChannelId>,
    /// To which consumer, if any.
    pub consumer: Option<ConsumerId>,
    /// About which message, if any.
    pub channel_seq: Option<u64>,
    /// How often it had been delivered, if it is about a message.
    pub deliveries: Option<u64>,
    /// Who did it, where the broker tells.
    pub by: Option<Name>,
    /// One line for a person, made by the source.
    pub text: Name,
}

/// Kinds of notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// A message was given up after its last delivery: lost to this consumer.
    GaveUp,
    /// A consumer refused a message; it comes again.
    Refused,
    /// A consumer refused a message for good: not lost by accident, and not processed.
    Terminated,
    /// A channel or consumer was made.
    Created,
    /// A channel or consumer was removed.
    Deleted,
    /// A channel or consumer was changed.
    Changed,
    /// A consumer was paused or resumed.
    Paused,
    /// Leadership moved or was lost.
    Leader,
    /// A client connected or left.
    Connection,
    /// The broker told of trouble of its own.
    Broker,
}

/// The state of a service, a component or a store as a health check tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// Works.
    Up,
    /// Works in part, or slowly.
    Degraded,
    /// Says that it does not work.
    Down,
    /// Cannot be reached from here: nothing is known of it.
    Unreachable,
    /// Not known.
    Unknown,
}

impl HealthState {
    /// Its word, as filters and reports say it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Unreachable => "unreachable",
            Self::Unknown => "unknown",
        }
    }

    /// Its words in a sentence.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable from here",
            _ => self.word(),
        }
    }
}

/// The outcome of one health check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthReport {
    /// Whose.
    pub service: ServiceId,
    /// The check's name.
    pub check: Name,
    /// What was asked, without secrets.
    pub url: Name,
    /// The outcome.
    pub state: HealthState,
    /// How long the answer took.
    pub latency: Option<Duration>,
    /// Why, in one line.
    pub detail: Name,
    /// How often it is asked: an older answer is marked.
    pub interval: Duration,
    /// What the answer said of parts: stores, disks, brokers.
    pub components: Vec<ComponentHealth>,
    /// Which version of an entity's copy the service says it has applied.
    pub applied: BTreeMap<Name, Name>,
}

/// A part of a service as its health check tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComponentHealth {
    /// Its name.
    pub name: Name,
    /// Its state.
    pub state: HealthState,
    /// Why, in one line.
    pub detail: Name,
}

/// The time covered by counters: rates are counts over *this*, not over a nominal interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Start.
    pub from: Mono,
    /// End.
    pub to: Mono,
}

impl Span {
    /// Its length.
    pub fn length(self) -> Duration {
        self.to.since(self.from)
    }

    /// The smallest span that covers both; a default (empty) one is neutral.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        if self == Self::default() {
            return other;
        }
        if other == Self::default() {
            return self;
        }
        Self { from: self.from.min(other.from), to: self.to.max(other.to) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_of_an_older_recording_is_read() {
        let at = r#"{"wall":1,"mono":1,"broker":null}"#;
        let report = r#"{"kind":"nats","address":"nats://a:4222","state":"up","error":null,"server_version":"2.9.10",
            "server_name":"n1","cluster":null,"rtt":null,"clock":null,"unavailable":[],"remarks":[],
            "load":{"requests":1,"messages":0,"dropped":0,"budget_per_s":100},"notes":{}}"#;
        let observed = format!(r#"{{"at":{at},"what":{{"source":{report}}}}}"#);
        let batch: Batch =
            serde_json::from_str(&format!(r#"{{"source":"nats","at":{at},"observations":[{observed}]}}"#))
                .unwrap();
        assert!(batch.acks.is_empty() && batch.traffic.is_empty());
        let Some(Observation::Source(report)) = batch.observations.first().map(|one| &one.what) else {
            panic!("{batch:?}")
        };
        assert_eq!((report.refused, report.first_round, &report.same_as), (false, false, &None));
        assert_eq!(report.partial, Partial::default());
        assert_eq!((report.state, report.load.requests), (SourceState::Up, 1));
    }
}
