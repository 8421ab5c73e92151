//! What happens in the sample system, and when: rates, processing times, errors, and faults over time.
//!
//! A scenario is a file (`scenarios/store.toml` is part of the program) and a pure schedule: at any moment since
//! the start it says which faults are active and what they do. The real services and the simulation both
//! live by it. [`load`] reads the file; nothing here knows a clock.

pub mod load;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::id::{Name, ServiceId};

/// The scenario that is part of the program.
pub const STORE: &str = include_str!("../../scenarios/store.toml");

/// Its name in messages.
pub const STORE_FILE: &str = "scenarios/store.toml";

/// A scenario: what is usual, and what goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// What it is, for people.
    pub title: Name,
    /// After so long its faults come again; `None`: once only.
    pub again_after: Option<Duration>,
    /// Events and feed records per second that services send of themselves, by event or feed.
    pub sends: BTreeMap<Name, f64>,
    /// Requests per second that services make of themselves, by service and operation.
    pub asks: BTreeMap<(ServiceId, Name), f64>,
    /// When an event follows from another one or from a request; those not listed always do.
    pub follows: BTreeMap<Name, Share>,
    /// Bytes of a message, by event or feed; `*` for the rest.
    pub bytes: BTreeMap<Name, u64>,
    /// How messages are processed, by consumer (`STREAM/durable`); `*` for the rest.
    pub reads: BTreeMap<Name, Reading>,
    /// How requests are answered, by operation; `*` for the rest.
    pub answers: BTreeMap<Name, Answering>,
    /// What goes wrong, in the order of the file.
    pub faults: Vec<Fault>,
}

/// A part of the unit interval. One number between 0 and 1 is drawn for each message processed; what
/// follows from it is whatever has the number in its part, so that two events can exclude each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// Where it begins.
    pub from: f64,
    /// Where it ends; this itself is outside.
    pub to: f64,
}

/// Times that vary: log-normal, so that they are never negative and have a tail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times {
    /// The mean.
    pub mean: Duration,
    /// Standard deviation of the logarithm: 0 is always the mean, 0.5 is lively, 1 is wild.
    pub jitter: f64,
}

impl Times {
    /// One of these times; `normal` is drawn from the standard normal distribution.
    pub fn draw(&self, normal: f64, factor: f64) -> Duration {
        // The mean of exp(σz) is exp(σ²/2): taken out, so that `mean` is the mean.
        let seconds =
            self.mean.as_secs_f64() * factor * self.jitter.mul_add(normal, -self.jitter.powi(2) / 2.0).exp();
        Duration::try_from_secs_f64(seconds).unwrap_or(self.mean).min(LONGEST)
    }
}

/// No time that is drawn is longer.
const LONGEST: Duration = Duration::from_secs(3_600);

/// How a consumer is made and processes messages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// How long one message takes.
    pub takes: Times,
    /// Messages processed at once.
    pub workers: u32,
    /// Share of messages that are refused at first (they come again).
    pub fails: f64,
    /// How long after a refusal the message is wanted again.
    pub retry_after: Duration,
    /// How long the broker waits for an acknowledgement.
    pub ack_wait: Duration,
    /// After so many deliveries the broker gives a message up.
    pub max_deliver: u64,
    /// At most so many in flight.
    pub max_in_flight: u64,
}

/// How an operation is answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answering {
    /// How long an answer takes, what is asked of others not counted.
    pub takes: Times,
    /// Share of requests that are answered with an error.
    pub fails: f64,
}

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Its id: what the command to begin or end it names.
    pub id: Name,
    /// What happens, in one line.
    pub title: Name,
    /// What is to be seen then, in one line.
    pub effect: Name,
    /// When it begins, from the start of the scenario (and again each time that it comes again);
    /// `None`: only by hand.
    pub start: Option<Duration>,
    /// How long it lasts.
    pub lasts: Duration,
    /// What it does.
    pub does: Vec<Action>,
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A consumer takes so many times as long for each message.
    Slow {
        /// `STREAM/durable`.
        consumer: Name,
        /// How many times.
        by: f64,
    },
    /// A service's processes end: connections close, nothing is read, answered or sent.
    Stop {
        /// Which.
        service: ServiceId,
    },
    /// A service runs but does not work: its health check answers 503, requests are answered with an
    /// error, messages that it reads are refused, it sends nothing of itself.
    Down {
        /// Which.
        service: ServiceId,
        /// The part that its health check names as the reason.
        component: Option<Name>,
    },
    /// The next messages that reach a consumer can never be processed: it refuses them at every delivery.
    Poison {
        /// `STREAM/durable`.
        consumer: Name,
        /// How many.
        messages: u64,
    },
    /// Something is sent or asked so many times as often.
    Burst {
        /// An event or feed that is sent, or an operation that is asked, of itself.
        of: Name,
        /// How many times.
        by: f64,
    },
}

/// A fault that is active.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Active<'a> {
    /// Which.
    pub fault: &'a Fault,
    /// When it began, from the start: a fault that comes again has begun at another time.
    pub began: Duration,
    /// Whether a person caused it.
    pub by_hand: bool,
}

/// What people asked for: the last word on each fault, and when it was said.
pub type ByHand = BTreeMap<Name, HandMade>;

/// A person's last word on a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandMade {
    /// Begin or end.
    pub on: bool,
    /// When it was said, from the start.
    pub at: Duration,
}

/// All that active faults do, taken together: what a service or the simulation looks up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conditions {
    /// How many times as long a consumer takes; 1 for those not in it.
    pub slow: BTreeMap<Name, f64>,
    /// Services that do not run.
    pub stopped: BTreeSet<ServiceId>,
    /// Services that do not work, and the part to blame.
    pub down: BTreeMap<ServiceId, Option<Name>>,
    /// Messages to spoil, by consumer and by when it was ordered: a new time is a new order.
    pub poison: BTreeMap<(Name, Duration), u64>,
    /// How many times as often something is sent or asked; 1 for those not in it.
    pub burst: BTreeMap<Name, f64>,
}

impl Scenario {
    /// What goes wrong in it, for a menu.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// The faults active at a moment since the start. A person's word holds until the fault's next turn: what was
    /// begun by hand lasts as long as it always does, what was ended by hand stays away until its next beginning.
    pub fn active(&self, at: Duration, by_hand: &ByHand) -> Vec<Active<'_>> {
        self.faults.iter().filter_map(|fault| self.is_active(fault, at, by_hand)).collect()
    }

    fn is_active<'a>(&self, fault: &'a Fault, at: Duration, by_hand: &ByHand) -> Option<Active<'a>> {
        let word = by_hand.get(&fault.id).filter(|word| word.at <= at);
        if let Some(word) = word.filter(|word| word.on && at < word.at.saturating_add(fault.lasts)) {
            return Some(Active { fault, began: word.at, by_hand: true });
        }
        let began = self.last_start(fault, at).filter(|began| at < began.saturating_add(fault.lasts))?;
        let ended = word.is_some_and(|word| !word.on && word.at >= began);
        (!ended).then_some(Active { fault, began, by_hand: false })
    }

    /// The latest scheduled beginning of a fault up to `at`.
    fn last_start(&self, fault: &Fault, at: Duration) -> Option<Duration> {
        let start = fault.start?;
        let since = at.checked_sub(start)?;
        let Some(again) = self.again_after.filter(|again| !again.is_zero()) else { return Some(start) };
        let into_turn = Duration::from_nanos((since.as_nanos() % again.as_nanos()) as u64);
        at.checked_sub(into_turn)
    }

    /// What the active faults do, taken together.
    pub fn conditions(&self, at: Duration, by_hand: &ByHand) -> Conditions {
        let mut now = Conditions::default();
        for active in self.active(at, by_hand) {
            for action in &active.fault.does {
                match action {
                    Action::Slow { consumer, by } => *now.slow.entry(consumer.clone()).or_insert(1.0) *= by,
                    Action::Stop { service } => {
                        now.stopped.insert(service.clone());
                    }
                    Action::Down { service, component } => {
                        now.down.insert(service.clone(), component.clone());
                    }
                    Action::Poison { consumer, messages } => {
                        *now.poison.entry((consumer.clone(), active.began)).or_insert(0) += messages;
                    }
                    Action::Burst { of, by } => *now.burst.entry(of.clone()).or_insert(1.0) *= by,
                }
            }
        }
        now
    }

    /// How a consumer processes.
    pub fn reading(&self, consumer: &str) -> Reading {
        self.reads.get(consumer).or_else(|| self.reads.get("*")).copied().unwrap_or(Reading::USUAL)
    }

    /// How an operation is answered.
    pub fn answering(&self, operation: &str) -> Answering {
        self.answers.get(operation).or_else(|| self.answers.get("*")).copied().unwrap_or(Answering::USUAL)
    }

    /// Bytes of a message.
    pub fn bytes(&self, what: &str) -> u64 {
        self.bytes.get(what).or_else(|| self.bytes.get("*")).copied().unwrap_or(256)
    }

    /// Whether an event follows when `draw` was drawn from 0 to 1.
    pub fn follows(&self, event: &str, draw: f64) -> bool {
        self.follows.get(event).is_none_or(|share| (share.from..share.to).contains(&draw))
    }
}

impl Conditions {
    /// Whether a service runs.
    pub fn runs(&self, service: &ServiceId) -> bool {
        !self.stopped.contains(service)
    }

    /// Whether a service runs and does its work.
    pub fn works(&self, service: &ServiceId) -> bool {
        self.runs(service) && !self.down.contains_key(service)
    }

    /// How many times as long a consumer takes now.
    pub fn slow(&self, consumer: &str) -> f64 {
        self.slow.get(consumer).copied().unwrap_or(1.0)
    }

    /// How many times as often something is sent or asked now.
    pub fn burst(&self, of: &str) -> f64 {
        self.burst.get(of).copied().unwrap_or(1.0)
    }
}

impl Reading {
    /// What holds where the file says nothing.
    pub const USUAL: Self = Self {
        takes: Times { mean: Duration::from_millis(8), jitter: 0.5 },
        workers: 4,
        fails: 0.0,
        retry_after: Duration::from_secs(1),
        ack_wait: Duration::from_secs(5),
        max_deliver: 5,
        max_in_flight: 256,
    };
}

impl Answering {
    /// What holds where the file says nothing.
    pub const USUAL: Self = Self { takes: Times { mean: Duration::from_millis(4), jitter: 0.4 }, fails: 0.0 };
}

#[cfg(test)]
mod tests;
