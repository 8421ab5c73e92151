//! Headwater's own NATS source, watching a test's broker, and what it has said so far.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use headwater::model::acks::{AckStep, Acks, Processing};
use headwater::model::calls::Calls;
use headwater::model::command::Command;
use headwater::model::id::SourceId;
use headwater::model::message::{MessageReport, SearchReport};
use headwater::model::observation::{
    BacklogReport, Batch, ChannelReport, ClientReport, ConsumerReport, Listing, Notice, NoticeKind,
    Observation, ResponderReport, SourceReport, Span,
};
use headwater::model::tap::{HeardMessage, TapReport};
use headwater::model::time::Stamp;
use headwater::model::traffic::{Count, TrafficKey};
use headwater::source::nats::options::NatsOptions;
use headwater::source::nats::systems::Systems;
use headwater::source::{Clock, Outbox};
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;

/// Everything that was said, the latest of each kind on top.
#[derive(Default)]
pub struct World {
    pub source: SourceReport,
    pub sources: Vec<SourceReport>,
    pub channels: BTreeMap<String, ChannelReport>,
    pub channels_complete: bool,
    /// By id; with the stamp of the list that it came in.
    pub consumers: BTreeMap<String, (Stamp, ConsumerReport)>,
    pub missing: Vec<String>,
    pub clients: Vec<ClientReport>,
    pub clients_complete: bool,
    pub clients_polls: usize,
    pub responders: Option<Vec<ResponderReport>>,
    pub backlog: BTreeMap<String, (Stamp, BacklogReport)>,
    pub notices: Vec<Notice>,
    pub counts: BTreeMap<TrafficKey, Count>,
    /// What was heard of acknowledgements, by consumer.
    pub acks: Acks,
    /// What the broker told of processing times, by consumer.
    pub processing: Processing,
    /// The newest time in which all acknowledgements were heard.
    pub listened: Option<Span>,
    pub steps: Vec<AckStep>,
    pub messages: Vec<MessageReport>,
    pub searches: Vec<SearchReport>,
    /// How listening goes, by channel, and all that was said of it.
    pub taps: BTreeMap<String, TapReport>,
    pub tap_reports: Vec<TapReport>,
    pub heard: Vec<HeardMessage>,
    /// Requests that were heard with their answers.
    pub calls: Calls,
    /// Every count as it came, for rates.
    pub every_count: Vec<(TrafficKey, Count)>,
    pub first_consumers_after: Option<Duration>,
}

impl World {
    fn take(&mut self, batch: Batch, began: Instant) {
        for observed in batch.observations {
            match observed.what {
                Observation::Source(report) => {
                    self.sources.push((*report).clone());
                    self.source = *report;
                }
                Observation::Channels(list) => {
                    self.channels_complete = list.complete;
                    if list.complete {
                        self.channels.clear();
                    }
                    self.channels.extend(list.entries.into_iter().map(|one| (one.name.to_string(), one)));
                }
                Observation::Consumers { channel, listing: Listing { entries, complete }, missing } => {
                    self.first_consumers_after.get_or_insert_with(|| began.elapsed());
                    if complete {
                        self.consumers.retain(|_, (_, one)| one.channel != channel);
                    }
                    self.missing = missing.iter().map(ToString::to_string).collect();
                    let entries = entries.into_iter().map(|one| (one.id.to_string(), (observed.at, one)));
                    self.consumers.extend(entries);
                }
                Observation::Clients(list) => {
                    self.clients = list.entries;
                    self.clients_complete = list.complete;
                    self.clients_polls += 1;
                }
                Observation::Responders(list) => self.responders = Some(list.entries),
                Observation::Backlog(report) => {
                    self.backlog.insert(report.consumer.to_string(), (observed.at, report));
                }
                Observation::Step(step) => self.steps.push(step),
                Observation::Message(message) => self.messages.push(*message),
                Observation::Search(search) => self.searches.push(*search),
                Observation::Notice(notice) => self.notices.push(notice),
                Observation::Tap(report) => {
                    self.tap_reports.push((*report).clone());
                    self.taps.insert(report.channel.to_string(), *report);
                }
                Observation::Heard(message) => self.heard.push(*message),
                Observation::Health(_) | Observation::Pursuit(_) => {}
            }
        }
        for (consumer, tally) in batch.acks {
            self.acks.entry(consumer).or_default().merge(&tally);
        }
        for (consumer, times) in batch.processing {
            self.processing.entry(consumer).or_default().merge(&times);
        }
        for (key, tally) in batch.calls {
            self.calls.entry(key).or_default().merge(&tally);
        }
        self.listened = batch.listened;
        for (key, count) in batch.traffic.counts {
            self.counts.entry(key.clone()).or_default().add(&count);
            self.every_count.push((key, count));
        }
    }

    /// A consumer by its id.
    pub fn consumer(&self, id: &str) -> Result<&ConsumerReport, String> {
        self.consumers.get(id).map(|(_, one)| one).ok_or_else(|| {
            format!("no consumer {id} among {:?}; {:?}", self.consumers.keys(), self.source.unavailable)
        })
    }

    /// A client group by its name.
    pub fn client(&self, name: &str) -> Result<&ClientReport, String> {
        self.clients
            .iter()
            .find(|one| one.name.as_deref() == Some(name))
            .ok_or_else(|| format!("no client {name} among {:?}", self.clients))
    }

    /// Notices of one kind.
    pub fn told(&self, kind: NoticeKind) -> Vec<&Notice> {
        self.notices.iter().filter(|notice| notice.kind == kind).collect()
    }

    /// Messages counted for a key.
    pub fn counted(&self, key: &TrafficKey) -> u64 {
        self.counts.get(key).map_or(0, |count| count.messages)
    }
}

/// A running source.
pub struct Watch {
    pub world: World,
    pub commands: broadcast::Sender<Command>,
    batches: mpsc::Receiver<Batch>,
    began: Instant,
    task: JoinHandle<()>,
}

impl Watch {
    /// Watches the servers of a URL list as the source `nats`.
    pub fn start(servers: &str) -> Self {
        Self::with(NatsOptions::new(SourceId::from("nats"), servers).unwrap())
    }

    /// Watches with options of the test's own.
    pub fn with(options: NatsOptions) -> Self {
        Self::on(&tokio::runtime::Handle::current(), options)
    }

    /// Watches on another runtime than the test's, as a program of its own would.
    pub fn on(runtime: &tokio::runtime::Handle, options: NatsOptions) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (engine, batches) = mpsc::channel(64);
        let (commands, receiver) = broadcast::channel(8);
        let outbox = Outbox::new(options.source.clone(), Clock::start(), engine);
        let systems = Systems::of([&options]);
        let task = runtime.spawn(headwater::source::nats::run(options, systems, outbox, receiver));
        Self { world: World::default(), commands, batches, began: Instant::now(), task }
    }

    /// Listens until `check` is content; panics with its last explanation after `within`.
    pub async fn until<T>(
        &mut self,
        within: Duration,
        what: &str,
        mut check: impl FnMut(&World) -> Result<T, String>,
    ) -> T {
        let deadline = tokio::time::Instant::now() + within;
        loop {
            let last = match check(&self.world) {
                Ok(value) => return value,
                Err(why) => why,
            };
            match tokio::time::timeout_at(deadline, self.batches.recv()).await {
                Ok(Some(batch)) => self.world.take(batch, self.began),
                Ok(None) => panic!("the source ended while waiting for: {what} (last look: {last})"),
                Err(tokio::time::error::Elapsed { .. }) => panic!(
                    "not within {within:?}: {what}\nlast look: {last}\nsource: {:?}",
                    self.world.source
                ),
            }
        }
    }

    /// Stops listening and waits for the source to end by itself.
    pub async fn end(self) -> World {
        drop(self.batches);
        tokio::time::timeout(Duration::from_secs(10), self.task).await.expect("the source ends").unwrap();
        self.world
    }
}
