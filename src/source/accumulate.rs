//! Counting messages: the hot path that all sources share.
//!
//! Two ways in. [`Accumulator::message`] counts a message that this process saw itself: a look-up by the
//! subject's text and two additions, no allocation for a subject that is known. [`Accumulator::add`] takes
//! counts that somebody else made (a broker's counters, a service's statistics) with the span they cover.
//!
//! Subjects are folded ([`super::fold`]) and capped: beyond the cap they count under [`OTHER`], and
//! [`Traffic::folded_away`] says how many messages did, so that the loss of detail is visible.
//!
//! **Zero is not unknown.** A subject that was seen here goes on giving counts of zero, once a second, while it
//! is silent: the source still listens, so its rate is 0. One that nobody counts any more gives nothing at all, and
//! its rate becomes unknown. What comes in by `add` is told as it is given: its zeros are the caller's to give.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use rustc_hash::FxSeededState;

use super::fold::fold_into;
use crate::model::id::Name;
use crate::model::observation::Span;
use crate::model::time::Mono;
use crate::model::traffic::{Count, OTHER, Traffic, TrafficKey};

/// Subjects that are counted apart.
pub const CAP: usize = 20_000;

/// How often a silent subject says that it is silent.
pub const SILENCE_EVERY: Duration = Duration::from_secs(1);

/// After so long a silence a subject gives its place to a new one, when all places are taken.
pub const RETIRE_AFTER: Duration = Duration::from_secs(300);

/// Counters of subjects and keys since they were last drained.
#[derive(Debug)]
pub struct Accumulator {
    cap: usize,
    drained_at: Mono,
    /// Folded subject → its place in `counters`.
    subjects: HashMap<Box<str>, u32, FxSeededState>,
    counters: Vec<Counter>,
    /// Beyond the cap; `None` until the first one.
    other: Option<Counter>,
    /// Keys that came in by `add`, and when they last did.
    keys: HashMap<TrafficKey, Mono, FxSeededState>,
    added: Traffic,
    folded_away: u64,
    buffer: String,
}

/// One subject's counters.
#[derive(Debug)]
struct Counter {
    subject: Name,
    messages: u64,
    bytes: u64,
    /// Up to when its counts have been told.
    told: Mono,
    /// When it was last found to have messages.
    active: Mono,
}

impl Counter {
    fn new(subject: Name, since: Mono) -> Self {
        Self { subject, messages: 0, bytes: 0, told: since, active: since }
    }

    fn count(&mut self, bytes: u64) {
        self.messages += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// What is to be told now, if anything.
    fn take(&mut self, now: Mono) -> Option<(TrafficKey, Count)> {
        if self.messages == 0 && now.since(self.told) < SILENCE_EVERY {
            return None;
        }
        if self.messages > 0 {
            self.active = now;
        }
        let span = Span { from: self.told, to: now };
        let count = Count { messages: self.messages, bytes: self.bytes, span, ..Count::default() };
        (self.messages, self.bytes, self.told) = (0, 0, now);
        Some((TrafficKey::Seen { subject: self.subject.clone() }, count))
    }
}

impl Accumulator {
    /// Begins to count, with room for [`CAP`] subjects.
    pub fn new(began: Mono) -> Self {
        Self::with_cap(began, CAP)
    }

    /// The same with room for `cap` subjects and as many keys.
    pub fn with_cap(began: Mono, cap: usize) -> Self {
        // Subjects come from outside: a seed of this process's own keeps anybody from choosing subjects that collide.
        let seed = RandomState::new().hash_one(0u8) as usize;
        Self {
            cap: cap.min(u32::MAX as usize),
            drained_at: began,
            subjects: HashMap::with_hasher(FxSeededState::with_seed(seed)),
            counters: Vec::new(),
            other: None,
            keys: HashMap::with_hasher(FxSeededState::with_seed(seed)),
            added: Traffic::default(),
            folded_away: 0,
            buffer: String::new(),
        }
    }

    /// Counts one message that was seen on `subject`; `bytes` are its payload and headers.
    #[inline]
    pub fn message(&mut self, subject: &str, bytes: u64) {
        if let Some(counter) = self.subjects.get(subject).and_then(|at| self.counters.get_mut(*at as usize)) {
            counter.count(bytes);
        } else {
            self.message_unknown(subject, bytes);
        }
    }

    /// The rest of `message`: an id in the subject, a new subject, or one beyond the cap.
    fn message_unknown(&mut self, subject: &str, bytes: u64) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let folded = if fold_into(subject, &mut buffer) { buffer.as_str() } else { subject };
        // A subject that is really called so shares the counter: one key must not have two.
        let is_other = folded == OTHER;
        let known = self.subjects.get(folded).map(|at| *at as usize);
        let at = if is_other { None } else { known.or_else(|| self.intern(folded)) };
        self.buffer = buffer;
        if let Some(counter) = at.and_then(|at| self.counters.get_mut(at)) {
            counter.count(bytes);
        } else {
            let since = self.drained_at;
            self.other.get_or_insert_with(|| Counter::new(OTHER.into(), since)).count(bytes);
            self.folded_away = self.folded_away.saturating_add(u64::from(!is_other));
        }
    }

    /// Gives a new subject a place, while there are places.
    fn intern(&mut self, folded: &str) -> Option<usize> {
        let at = self.counters.len();
        let place = u32::try_from(at).ok().filter(|_| at < self.cap)?;
        self.subjects.insert(folded.into(), place);
        self.counters.push(Counter::new(folded.into(), self.drained_at));
        Some(at)
    }

    /// Adds counts that somebody else made, over the span they say. The subject in the key is folded; a new key
    /// beyond the cap counts under [`OTHER`], with its client or responder kept. A count of zero over a span is
    /// told as such: the rate is 0, not unknown.
    pub fn add(&mut self, key: TrafficKey, count: &Count) {
        let mut key = self.folded(key);
        if let Some(last) = self.keys.get_mut(&key) {
            *last = (*last).max(count.span.to);
        } else if self.keys.len() < self.cap {
            self.keys.insert(key.clone(), count.span.to);
        } else {
            self.folded_away = self.folded_away.saturating_add(count.messages);
            beyond_cap(&mut key);
        }
        self.added.add(key, count);
    }

    fn folded(&mut self, mut key: TrafficKey) -> TrafficKey {
        if let Some(subject) = subject_of(&mut key)
            && fold_into(subject, &mut self.buffer)
        {
            *subject = self.buffer.as_str().into();
        }
        key
    }

    /// Hands over what was counted since the last time; what was handed over once never comes again.
    pub fn drain(&mut self, now: Mono) -> Traffic {
        let mut traffic = std::mem::take(&mut self.added);
        let seen = self.counters.iter_mut().chain(&mut self.other).filter_map(|counter| counter.take(now));
        if traffic.counts.is_empty() {
            // Collected at once, a sorted map is built much faster than by inserting.
            traffic.counts = seen.collect();
        } else {
            for (key, count) in seen {
                traffic.add(key, &count);
            }
        }
        traffic.folded_away = traffic.folded_away.saturating_add(std::mem::take(&mut self.folded_away));
        self.drained_at = now;
        self.retire(now);
        traffic
    }

    /// Makes room when there is none, from those that have been silent for long. Only what has been told goes.
    fn retire(&mut self, now: Mono) {
        let silent = |active: Mono| now.since(active) >= RETIRE_AFTER;
        if self.counters.len() >= self.cap && self.counters.iter().any(|counter| silent(counter.active)) {
            self.counters.retain(|counter| counter.messages > 0 || !silent(counter.active));
            self.subjects.clear();
            for (counter, at) in self.counters.iter().zip(0u32..) {
                self.subjects.insert(counter.subject.as_ref().into(), at);
            }
        }
        if self.keys.len() >= self.cap {
            self.keys.retain(|_, last| !silent(*last));
        }
    }

    /// Subjects counted apart now.
    pub fn subjects(&self) -> usize {
        self.counters.len()
    }
}

/// The subject in a key, where it has one.
fn subject_of(key: &mut TrafficKey) -> Option<&mut Name> {
    match key {
        TrafficKey::Delivered { subject, .. }
        | TrafficKey::Answered { subject, .. }
        | TrafficKey::Seen { subject } => Some(subject),
        TrafficKey::Published { .. } => None,
    }
}

/// The key of what has no place of its own.
fn beyond_cap(key: &mut TrafficKey) {
    match key {
        TrafficKey::Delivered { subject, queue, .. } => {
            *subject = OTHER.into();
            *queue = None;
        }
        TrafficKey::Published { client } => *client = Some(OTHER.into()),
        TrafficKey::Answered { subject, .. } | TrafficKey::Seen { subject } => *subject = OTHER.into(),
    }
}

#[cfg(test)]
mod tests;
