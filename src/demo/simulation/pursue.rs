//! Looks for what came of a message, as the real source does: from its moment on, forward, for a while, and so many messages at most.

use std::collections::BTreeSet;
use std::time::Duration;

use super::broker::{Message, Stream};
use super::nanos;
use super::observe::Watch;
use super::work::World;
use crate::model::message::{Caused, Link, MessageId, Pursuit, PursuitReport};
use crate::model::observation::{Batch, Observation, Observed};
use crate::model::subject::covers;

/// Messages that one pursuit reads.
const MOST_MESSAGES: u64 = 500;
/// It is looked so long for what has not come yet.
const LASTS: Duration = Duration::from_secs(120);
/// Messages that are read back for an earlier version of a record.
const MOST_BACK: usize = 1_000;
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
    /// Messages that were told.
    told: BTreeSet<u64>,
    looked_at: u64,
    bytes: u64,
    let_go: bool,
    said: Option<PursuitReport>,
}

impl Chase {
    /// Ends it, if it goes on until it is taken back.
    fn let_go(&mut self, of: &MessageId) {
        self.let_go |= self.wanted.lasting && self.wanted.of == *of;
    }

    /// More is wanted of it.
    fn join(&mut self, more: &Pursuit) {
        self.wanted.lasting |= more.lasting;
        for want in &more.wants {
            if !self.wanted.wants.contains(want) {
                self.wanted.wants.push(want.clone());
                self.next = None;
            }
        }
    }

    pub(super) const fn new(wanted: Pursuit, stream: usize, began: u64) -> Self {
        Self {
            wanted,
            stream,
            began,
            next: None,
            told: BTreeSet::new(),
            looked_at: 0,
            bytes: 0,
            let_go: false,
            said: None,
        }
    }
}

impl Watch {
    /// More versions of a record are looked for no longer.
    pub(super) fn let_go(&mut self, of: &MessageId) {
        self.listening.chases.iter_mut().for_each(|chase| chase.let_go(of));
    }

    /// Begins to look, or looks for more where it looks already.
    pub(super) fn begin_chase(&mut self, pursuit: Pursuit, stream: usize, now: u64) {
        let mut known = self.listening.chases.iter_mut();
        match known.find(|chase| (&chase.wanted.of, &chase.wanted.channel) == (&pursuit.of, &pursuit.channel))
        {
            Some(chase) => chase.join(&pursuit),
            None => self.listening.chases.push(Chase::new(pursuit, stream, now)),
        }
    }

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
        let mut ended = chase.let_go.then(|| "it is no longer followed".to_owned());
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
        let mut found: Vec<(&Message, Link)> = Vec::new();
        while let Some(message) = stream.first_match(next, &named) {
            if chase.looked_at >= MOST_MESSAGES && !wanted.lasting {
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
            if let Some(link) =
                links.into_iter().find(|link| holds(link)).filter(|_| !chase.told.contains(&message.seq))
            {
                chase.told.insert(message.seq);
                found.push((message, link.clone()));
            }
        }
        if std::mem::take(&mut chase.wanted.earlier) {
            let (earlier, looked_at) = earlier(world, &chase.wanted, stream);
            chase.looked_at += looked_at;
            found.extend(earlier);
        }
        for (message, link) in found {
            let caused = Caused { of: chase.wanted.of.clone(), link };
            let report = self.read(world, now, (stream, &chase.wanted.channel), message, Some(caused));
            let at = self.stamp(now, true);
            batch.observations.push(Observed { at, what: Observation::Message(Box::new(report)) });
            self.begin_to_follow(world, now, (chase.stream, message.seq), batch);
        }
        let wanted = &chase.wanted;
        if ended.is_none() && !wanted.lasting && now.saturating_sub(chase.began) > nanos(LASTS) {
            ended = Some(format!("it was looked for {} s", LASTS.as_secs()));
        }
        chase.next = Some(next);
        let report = PursuitReport {
            of: wanted.of.clone(),
            channel: wanted.channel.clone(),
            next,
            lasting: wanted.lasting,
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

/// The newest version of a record before the message, and how many were looked at for it.
fn earlier<'w>(world: &'w World, wanted: &Pursuit, stream: &'w Stream) -> (Option<(&'w Message, Link)>, u64) {
    let links = || wanted.wants.iter().flat_map(|want| &want.links);
    let mut looked_at = 0;
    for seq in (stream.first_seq()..wanted.of.seq).rev().take(MOST_BACK) {
        let Some(message) = stream.get(seq) else { continue };
        looked_at += 1;
        let is = |link: &&Link| match link {
            Link::Version { name, value } => {
                message.content.field(name, &world.fields).is_some_and(|is| is == **value)
            }
            _ => false,
        };
        if let Some(link) = links().find(is) {
            return (Some((message, link.clone())), looked_at);
        }
    }
    (None, looked_at)
}
