//! Requests that were heard with their answers: who asks for what, how often, and how long the answers take.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::heard::{self, Heard, Sum};
use super::rates::Windows;
use super::sources::SourceMemory;
use super::state::State;
use crate::model::calls::{Asked, Asker, CallKey, CallTally, Calls};
use crate::model::histogram::Histogram;
use crate::model::id::{ServiceId, SourceId};
use crate::model::snapshot::Delay;
use crate::model::time::{Mono, Stamp};

impl Sum for CallTally {
    fn add(&mut self, later: &Self) {
        self.merge(later);
    }

    fn is_nothing(&self) -> bool {
        self.asked() == 0
    }
}

/// What was heard of one requester on one subject.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Called {
    heard: Heard<CallTally>,
    /// Listened since this, when the first of its requests came.
    first: Mono,
    last: Mono,
}

/// Whose requests a flow shows: heard at which source, and which services the requester is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Requester {
    pub(super) of: (SourceId, CallKey),
    pub(super) services: Arc<[ServiceId]>,
}

impl SourceMemory {
    /// Takes tallies that were closed at `at`; whether somebody asks who did not before.
    pub(super) fn hear_calls(&mut self, calls: &Calls, at: Stamp) -> bool {
        let mut new = false;
        for (key, tally) in calls {
            let called = self.calls.entry(key.clone()).or_insert_with(|| {
                new = true;
                Called { first: tally.span.from, ..Called::default() }
            });
            called.heard.add(tally, at.mono);
            called.last = at.mono;
        }
        new
    }

    /// Forgets who has not asked since; whether there was one.
    pub(super) fn forget_calls(&mut self, since: Mono) -> bool {
        let before = self.calls.len();
        self.calls.retain(|_, called| called.last >= since);
        before != self.calls.len()
    }
}

/// What was heard of requests in the window; `None` when that is nothing.
pub(super) fn asked(requesters: &[Requester], state: &State, windows: Windows) -> Option<Asked> {
    let now = state.latest.mono;
    let mut all = CallTally::default();
    let mut by: Vec<Asker> = Vec::new();
    for Requester { of: (source, key), services } in requesters {
        let Some(called) = state.sources.get(source).and_then(|memory| memory.calls.get(key)) else {
            continue;
        };
        let Some(tally) = called.heard.over(windows.heard, now) else { continue };
        // The window begins with a slot, or with the first request.
        let seconds = now.since(heard::begins(windows.heard, now).max(called.first)).as_secs_f64();
        all.merge(&tally);
        by.push(Asker {
            name: key.requester.clone(),
            services: services.clone(),
            rate: tally.asked() as f64 / seconds.max(1.0),
            delay: delay(&tally),
            tally,
        });
    }
    by.sort_by(|a, b| b.tally.asked().cmp(&a.tally.asked()).then_with(|| a.name.cmp(&b.name)));
    (!by.is_empty()).then(|| Asked { by: by.into(), all })
}

/// The distribution of the times that answers took.
pub(super) fn delay(tally: &CallTally) -> Option<Delay> {
    let times: &Histogram = &tally.times;
    (!times.is_empty()).then(|| heard::exact(times, tally.answered, tally.error))
}
