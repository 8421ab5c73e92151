//! Looks for what came of a message, as the real source does: from its moment on, forward, for a while, and so many messages at most.

use std::collections::BTreeSet;
use std::time::Duration;

use super::nanos;
use super::observe::Watch;
use super::work::World;
use crate::model::message::{Caused, Link, Pursuit, PursuitReport};
use crate::model::observation::{Batch, Observation, Observed};
use crate::model::subject::covers;

/// Messages that one pursuit reads.
const MOST_MESSAGES: u64 = 500;
/// It is looked so long for what has not come yet.
const LASTS: Duration = Duration::from_secs(120);
/// Pursuits at a time.
const MOST: usize = 64;

/// One of them under way.
#[derive(Debug)]
pub(super) struct Chase {
    wanted: Pursuit,
    stream: usize,
    began: u64,
    /// Where to look next; `None` until the moment is found.
    next: Option<u64>,
    looked_at: u64,
    bytes: u64,
    said: Option<PursuitReport>,
}

impl Chase {
    pub(super) const fn new(wanted: Pursuit, stream: usize, began: u64) -> Self {
        Self { wanted, stream, began, next: None, looked_at: 0, bytes: 0, said: None }
    }
}

impl Watch {
    /// Looks at what has come since.
    pub(super) fn chase(&mut self, world: &World, now: u64, batch: &mut Batch) {
        let mut chases = std::mem::take(&mut self.listening.chases);
        chases.truncate(MOST);
        chases.retain_mut(|chase| self.look_on(chase, world, now, batch));
        self.listening.chases = chases;
    }

    /// Whether it goes on.
    fn look_on(&mut self, chase: &mut Chase, world: &World, now: u64, batch: &mut Batch) -> bool {
        let Some(stream) = world.streams.get(chase.stream) else { return false };
        let wanted = &chase.wanted;
        let subject = |at: usize| stream.subjects.get(at);
        let covered = |at: usize| {
            let covers = |subject: &str| wanted.wants.iter().any(|want| covers(&want.subject, subject));
            subject(at).is_some_and(|subject| covers(subject))
        };
        let named: BTreeSet<usize> = (0..stream.subjects.len()).filter(|at| covered(*at)).collect();
        let mut ended = None;
        let mut next = chase.next.unwrap_or_else(|| {
            if wanted.channel == wanted.of.channel {
                return wanted.of.seq + 1;
            }
            let before = |seq: &u64| {
                stream.get(*seq).is_some_and(|message| self.broker_time(message.at) < wanted.since)
            };
            let (first, last) = (stream.first_seq(), stream.last_seq + 1);
            // A stream is in the order of time: the real source halves.
            chase.looked_at += u64::from((last - first.min(last)).max(1).ilog2()) + 1;
            (first..last).rev().find(before).map_or(first, |seq| seq + 1)
        });
        while let Some(message) = stream.first_match(next, &named) {
            if chase.looked_at >= MOST_MESSAGES {
                ended = Some(format!("{MOST_MESSAGES} messages were looked at, as many as one pursuit may"));
                break;
            }
            chase.looked_at += 1;
            chase.bytes += message.bytes;
            next = message.seq + 1;
            if self.broker_time(message.at) <= wanted.since {
                continue;
            }
            let (headers, _) = self.written(world, message);
            let headers = || headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let on = subject(message.subject).map_or("", |subject| subject);
            let wants = wanted.wants.iter().filter(|want| covers(&want.subject, on));
            let mut links: Vec<&Link> = wants.flat_map(|want| &want.links).collect();
            links.sort();
            let holds = |link: &&Link| {
                link.holds(headers(), |name, value| {
                    message.content.field(name, &world.fields).is_some_and(|is| is == *value)
                })
            };
            if let Some(link) = links.into_iter().find(|link| holds(link)) {
                let caused = Caused { of: wanted.of.clone(), link: link.clone() };
                let report = self.read(world, now, (stream, &wanted.channel), message, Some(caused));
                let at = self.stamp(now, true);
                batch.observations.push(Observed { at, what: Observation::Message(Box::new(report)) });
                self.begin_to_follow(world, now, (chase.stream, message.seq), batch);
            }
        }
        if ended.is_none() && now.saturating_sub(chase.began) > nanos(LASTS) {
            ended = Some(format!("it was looked for {} s", LASTS.as_secs()));
        }
        chase.next = Some(next);
        let report = PursuitReport {
            of: wanted.of.clone(),
            channel: wanted.channel.clone(),
            next,
            caught_up: chase.said.as_ref().is_some_and(|said| said.caught_up) || ended.is_none(),
            ended: ended.map(Into::into),
            looked_at: chase.looked_at,
            bytes: chase.bytes,
        };
        let goes_on = report.ended.is_none();
        if chase.said.as_ref() != Some(&report) {
            let before = chase.said.as_ref().map_or(0, |said| said.looked_at);
            self.load.requests += report.looked_at - before;
            chase.said = Some(report.clone());
            let at = self.stamp(now, true);
            batch.observations.push(Observed { at, what: Observation::Pursuit(Box::new(report)) });
        }
        goes_on
    }
}
