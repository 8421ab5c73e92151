//! The sample store without a broker: every message of it, in virtual time from a seed.
//!
//! [`Simulation::advance`] plays streams, consumers, workers, requests and health checks up to a moment and gives the
//! batches that the real sources would have given: states polled once a second, counters as differences between two
//! polls, at the level `acks` what consumers say of each message, and at `tap` the messages of named channels. The same topology, scenario and seed give the same batches, however
//! the time is cut; [`Simulation::truth`] says what was really so, which no broker tells: with it the engine is
//! tested. [`run`] is the same as a source in real time.
//!
//! The system is a while old when watching begins: its queues are warm, but nothing that happened before is told.

mod broker;
mod content;
mod listen;
mod observe;
mod pursue;
mod random;
mod requests;
mod said;
mod tapped;
pub mod truth;
mod work;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use self::observe::Watch;
use self::random::Random;
use self::work::World;
use super::scenario::{ByHand, HandMade, Scenario};
use crate::model::acks::AckStep;
use crate::model::command::{Command, ProbeLevel};
use crate::model::id::{ConsumerId, Name, SourceId};
use crate::model::message::MessageId;
use crate::model::observation::Batch;
use crate::model::time::{Mono, Timestamp};
use crate::source::{BATCH_EVERY, Clock};
use crate::topology::Topology;

pub use self::truth::{Fate, Truth};

/// How long the system has been running when watching begins.
pub const WARM_UP: Duration = Duration::from_secs(20);

/// How often conditions are looked at.
const CONDITIONS_EVERY: Duration = Duration::from_millis(100);

/// The first polls: two soon after one another, so that there are rates at once; then every [`POLL_EVERY`].
const FIRST_POLLS: [Duration; 2] = [Duration::ZERO, Duration::from_millis(300)];

/// How often states are polled.
const POLL_EVERY: Duration = Duration::from_secs(1);

/// Where the simulation differs from the usual.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Nanoseconds by which the broker's clock is ahead of the observer's.
    pub broker_ahead: i64,
    /// How well the source knows that.
    pub clock_uncertainty: Duration,
    /// How much the source does to learn, until a command says otherwise.
    pub probe: ProbeLevel,
}

/// What can happen. Order matters only for what happens at the same instant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// Conditions are looked at again.
    Conditions,
    /// A service sends something of itself.
    Send(usize),
    /// A service asks something of itself.
    Ask(usize),
    /// The broker stops waiting for an acknowledgement: consumer and message.
    Expire(usize, u64),
    /// A worker of a consumer is done with a message, if its service has not stopped since.
    Done { consumer: usize, seq: u64, times: u64, life: u64 },
    /// A worker that is still at work says so.
    Progress { consumer: usize, seq: u64, times: u64, life: u64 },
    /// A service that reads a plain subscription is done with a message.
    PlainDone { reader: usize, life: u64, delivery: u64 },
    /// A service is done with its own part of an answer.
    Answer { call: u64, life: u64 },
    /// Whoever asked does not wait any longer.
    Patience { call: u64 },
    /// A health check is made. After everything else of that instant, as is the poll.
    Health(usize),
    /// The broker is polled.
    Poll,
}

impl Event {
    /// What looks at the system comes after what happens in it.
    const fn rank(&self) -> u8 {
        match self {
            Self::Health(_) | Self::Poll => 1,
            _ => 0,
        }
    }
}

/// Events to come, in order.
#[derive(Clone, Debug, Default)]
struct Agenda {
    events: BinaryHeap<Reverse<(u64, u8, u64, Event)>>,
    entered: u64,
}

impl Agenda {
    fn at(&mut self, at: u64, event: Event) {
        self.entered += 1;
        self.events.push(Reverse((at, event.rank(), self.entered, event)));
    }

    fn next(&mut self, until: u64) -> Option<(u64, Event)> {
        let Reverse((at, ..)) = self.events.peek()?;
        if *at > until {
            return None;
        }
        self.events.pop().map(|Reverse((at, _, _, event))| (at, event))
    }
}

/// Nanoseconds of a duration.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The simulated system and those who watch it.
#[derive(Debug)]
pub struct Simulation {
    world: World,
    agenda: Agenda,
    watch: Watch,
    scenario: Scenario,
    by_hand: ByHand,
    /// Nanoseconds since the system began.
    now: u64,
}

impl Simulation {
    /// The store of `topology`, living by `scenario`; watching begins at `start` on the observer's clock.
    pub fn new(topology: &Topology, scenario: Scenario, seed: u64, start: Timestamp) -> Self {
        Self::with_options(topology, scenario, seed, start, Options::default())
    }

    /// The same, where it differs from the usual.
    pub fn with_options(
        topology: &Topology,
        scenario: Scenario,
        seed: u64,
        start: Timestamp,
        options: Options,
    ) -> Self {
        let source = source_of(topology);
        let world = World::new(topology, source.as_str(), &scenario, Random::new(seed));
        let watch = Watch::new(&world, topology, source, start, options);
        let mut simulation =
            Self { world, agenda: Agenda::default(), watch, scenario, by_hand: ByHand::new(), now: 0 };
        simulation.begin();
        simulation
    }

    fn begin(&mut self) {
        let warm_up = nanos(WARM_UP);
        self.world.begin(&mut self.agenda, &self.scenario);
        self.agenda.at(warm_up, Event::Conditions);
        for poll in FIRST_POLLS {
            self.agenda.at(warm_up + nanos(poll), Event::Poll);
        }
        for (at, check) in self.watch.first_checks() {
            self.agenda.at(warm_up + nanos(at), Event::Health(check));
        }
        let mut nothing = Vec::new();
        self.play(warm_up - 1, &mut nothing);
        self.world.forget_the_past();
        self.watch.listen_from(&self.world, warm_up);
    }

    /// Plays on until so long after watching began, and gives what the sources told meanwhile, in order.
    pub fn advance(&mut self, to: Mono) -> Vec<Batch> {
        let mut batches = Vec::new();
        self.play(nanos(WARM_UP).saturating_add(to.0), &mut batches);
        batches
    }

    fn play(&mut self, until: u64, batches: &mut Vec<Batch>) {
        while let Some((at, event)) = self.agenda.next(until) {
            self.now = at;
            match event {
                Event::Conditions => {
                    let since = Duration::from_nanos(at.saturating_sub(nanos(WARM_UP)));
                    let conditions = self.scenario.conditions(since, &self.by_hand);
                    self.world.conditions(conditions, at, &mut self.agenda, &self.scenario);
                    batches.extend(self.watch.notices(&mut self.world, at));
                    self.agenda.at(at + nanos(CONDITIONS_EVERY), Event::Conditions);
                }
                Event::Poll => {
                    let active = self.active();
                    batches.push(self.watch.poll(&mut self.world, at, &active));
                    // The polls after the first two come at whole seconds since the start.
                    let since = at - nanos(WARM_UP);
                    if since > 0 {
                        let every = nanos(POLL_EVERY);
                        self.agenda.at(nanos(WARM_UP) + (since / every + 1) * every, Event::Poll);
                    }
                }
                Event::Health(check) => {
                    if let Some((batch, again)) = self.watch.check(check, &mut self.world, at) {
                        batches.push(batch);
                        self.agenda.at(at + nanos(again), Event::Health(check));
                    }
                }
                event => self.world.happen(&event, at, &mut self.agenda, &self.scenario),
            }
        }
        self.now = self.now.max(until);
    }

    /// Takes a command: faults begin and end, `Refresh` polls at once, the probe level holds from now on, and what is
    /// asked of messages is answered when conditions are looked at next. What is for others is ignored.
    pub fn command(&mut self, command: &Command) {
        match command {
            Command::Fault { id, on } => {
                let at = Duration::from_nanos(self.now.saturating_sub(nanos(WARM_UP)));
                self.by_hand.insert(id.clone(), HandMade { on: *on, at });
            }
            Command::Refresh => self.watch.refresh(),
            Command::Probe(level) => self.watch.probe(*level, &mut self.world, self.now),
            Command::Find { channel, search, before } => {
                self.watch.find(channel.clone(), search.clone(), *before);
            }
            Command::Pursue(pursuit) => self.watch.pursue(pursuit.clone()),
            Command::Pullers => self.watch.name_pullers(),
            Command::LetGo(of) => self.watch.let_go(of),
            Command::Follow(id) => self.watch.follow(id.clone()),
            Command::Tap { channel, on } => self.watch.tap(channel, *on, &mut self.world, self.now),
            Command::Reconnect(_) | Command::Window(_) => {}
        }
    }

    /// The faults that are active now, by id.
    pub fn active(&self) -> Vec<Name> {
        let since = Duration::from_nanos(self.now.saturating_sub(nanos(WARM_UP)));
        self.scenario.active(since, &self.by_hand).iter().map(|active| active.fault.id.clone()).collect()
    }

    /// What is really so now.
    pub fn truth(&self) -> Truth {
        Truth::of(&self.world, &self.watch, self.now)
    }

    /// What is really so of one message at each consumer of its channel; `None` when the channel does not have it.
    pub fn fates(&self, id: &MessageId) -> Option<BTreeMap<ConsumerId, Fate>> {
        truth::fates(&self.world, &self.watch, id)
    }

    /// What consumers really said since a place in the record of it, on the broker's clock, and the place that comes
    /// next. 0 is the beginning; what is too old is left out.
    pub fn said(&self, since: u64) -> (Vec<AckStep>, u64) {
        let said = self.world.said.since(since);
        let steps = said.filter_map(|said| self.watch.step(&self.world, said));
        (steps.collect(), self.world.said.here())
    }

    /// The sources that it stands for.
    pub fn sources(&self) -> [SourceId; 2] {
        self.watch.sources()
    }
}

/// The id of the broker that the simulation stands for.
fn source_of(topology: &Topology) -> SourceId {
    topology.brokers.keys().next().map_or_else(|| SourceId::from("main"), |id| SourceId::new(id.clone()))
}

/// Plays a simulation as a source, in real time, until nobody listens any more. It must have been made to begin at the
/// start of `clock` (see [`starts_at`]).
pub async fn run(
    mut simulation: Simulation,
    clock: Clock,
    engine: mpsc::Sender<Batch>,
    mut commands: mpsc::Receiver<Command>,
) {
    let mut handover = interval(BATCH_EVERY);
    handover.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut waiting: BTreeMap<SourceId, Batch> = BTreeMap::new();
    let mut listening = true;
    loop {
        tokio::select! {
            command = commands.recv(), if listening => match command {
                Some(command) => simulation.command(&command),
                None => listening = false,
            },
            _ = handover.tick() => {
                for batch in simulation.advance(clock.now().mono) {
                    match waiting.get_mut(&batch.source) {
                        Some(earlier) => earlier.merge(batch),
                        None => drop(waiting.insert(batch.source.clone(), batch)),
                    }
                }
                while let Some((source, batch)) = waiting.pop_first() {
                    match engine.try_send(batch) {
                        Ok(()) => {}
                        // The engine is busy: kept, and merged with what comes.
                        Err(mpsc::error::TrySendError::Full(batch)) => {
                            waiting.insert(source, batch);
                            break;
                        }
                        Err(mpsc::error::TrySendError::Closed(_)) => return,
                    }
                }
                if engine.is_closed() {
                    return;
                }
            }
        }
    }
}

/// The observer's wall clock at the start of `clock`: when a simulation for [`run`] begins.
pub fn starts_at(clock: Clock) -> Timestamp {
    let now = clock.now();
    now.wall - Duration::from_nanos(now.mono.0)
}

#[cfg(test)]
mod tests;
