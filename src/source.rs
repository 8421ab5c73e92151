//! Sources: one folder per kind; a connection in, batches out.
//!
//! A source counts and collects in its own task and hands over one mergeable [`Batch`] about every
//! [`BATCH_EVERY`]. The channel to the engine is bounded; when it is full the source keeps merging, so
//! that counts are never dropped and memory does not queue up.

pub mod accumulate;
pub mod calls;
pub mod fold;
pub mod health;
pub mod nats;
pub mod origin;
pub mod redact;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;

use crate::model::acks::{Acks, Processing};
use crate::model::calls::Calls;
use crate::model::id::SourceId;
use crate::model::observation::{Batch, Observation, Observed, Span};
use crate::model::senders::Sends;
use crate::model::time::{Mono, Stamp, Timestamp, nanos};
use crate::model::traffic::Traffic;

/// How often a source hands over what it has.
pub const BATCH_EVERY: Duration = Duration::from_millis(100);

/// Batches that may wait for the engine.
pub const BATCHES_WAITING: usize = 64;

/// The observer's clocks: the one place where sources read them. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: Instant,
}

impl Clock {
    /// Begins to watch: the monotonic clock stands at zero. All sources of one process share one.
    pub fn start() -> Self {
        Self { began: Instant::now() }
    }

    /// Now, on both of the observer's clocks.
    pub fn now(&self) -> Stamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Stamp { wall: Timestamp(nanos(since_epoch)), mono: self.mono(), ..Stamp::default() }
    }

    /// Now, on the monotonic clock alone: for what is asked tens of thousands of times a second.
    pub fn mono(&self) -> Mono {
        Mono(u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}

/// Whether a source should go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The engine has it, or there was nothing to hand over.
    Sent,
    /// The engine is busy: it is kept and will be merged with what comes.
    Kept,
    /// Nobody listens any more: the source should end.
    Closed,
}

/// Where a source puts what it sees.
#[derive(Debug)]
pub struct Outbox {
    pending: Batch,
    clock: Clock,
    engine: mpsc::Sender<Batch>,
}

impl Outbox {
    /// An empty outbox of one source.
    pub fn new(source: SourceId, clock: Clock, engine: mpsc::Sender<Batch>) -> Self {
        Self { pending: Batch::new(source, clock.now()), clock, engine }
    }

    /// The source that this is for.
    pub fn source(&self) -> &SourceId {
        &self.pending.source
    }

    /// The observer's clocks.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Adds an observation made just now.
    pub fn observe(&mut self, what: Observation) {
        self.observe_at(self.clock.now(), what);
    }

    /// Adds an observation made at `at`.
    pub fn observe_at(&mut self, at: Stamp, what: Observation) {
        self.pending.observations.push(Observed { at, what });
    }

    /// The counters of the pending batch.
    pub fn traffic(&mut self) -> &mut Traffic {
        &mut self.pending.traffic
    }

    /// The acknowledgements of the pending batch.
    pub fn acks(&mut self) -> &mut Acks {
        &mut self.pending.acks
    }

    /// Acknowledgements of every consumer were listened to for this time, the newest, or were not.
    pub fn listen(&mut self, listened: Option<Span>) {
        self.pending.listen(listened);
    }

    /// The samples of processing times of the pending batch.
    pub fn processing(&mut self) -> &mut Processing {
        &mut self.pending.processing
    }

    /// The requests of the pending batch that were heard with their answers.
    pub fn calls(&mut self) -> &mut Calls {
        &mut self.pending.calls
    }

    /// Who was heard to send, of the pending batch.
    pub fn sends(&mut self) -> &mut Sends {
        &mut self.pending.sends
    }

    /// Hands the pending batch over, if there is anything in it and the engine has room.
    pub fn flush(&mut self) -> Delivery {
        if self.pending.is_empty() {
            return if self.engine.is_closed() { Delivery::Closed } else { Delivery::Sent };
        }
        match self.engine.try_reserve() {
            Ok(room) => {
                let at = self.clock.now();
                let empty = Batch::new(self.pending.source.clone(), at);
                let mut batch = std::mem::replace(&mut self.pending, empty);
                batch.at = at;
                room.send(batch);
                Delivery::Sent
            }
            Err(mpsc::error::TrySendError::Full(())) => Delivery::Kept,
            Err(mpsc::error::TrySendError::Closed(())) => Delivery::Closed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::traffic::{Count, TrafficKey};

    #[test]
    fn a_busy_engine_loses_no_counts() {
        let (engine, mut batches) = mpsc::channel(1);
        let mut outbox = Outbox::new(SourceId::from("nats"), Clock::start(), engine);
        let one = Count { messages: 1, span: Span { from: Mono(0), to: Mono(1) }, ..Count::default() };
        let key = || TrafficKey::Seen { subject: "a".into() };
        let mut kept = 0;
        for _ in 0..10 {
            outbox.traffic().add(key(), &one);
            kept += usize::from(outbox.flush() == Delivery::Kept);
        }
        assert_eq!(kept, 9);
        let first = batches.try_recv().unwrap();
        assert_eq!(outbox.flush(), Delivery::Sent);
        let second = batches.try_recv().unwrap();
        assert_eq!(first.traffic.counts[&key()].messages + second.traffic.counts[&key()].messages, 10);
        drop(batches);
        assert_eq!(outbox.flush(), Delivery::Closed);
    }
}
