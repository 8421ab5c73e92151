//! Looks for what came of a message: on channels that may carry its consequences, from its moment on, forward, and for a while.
//!
//! Where its moment is in another stream is found by halving: a stream is in the order of time. From there on messages are read
//! one after the other, those on wanted subjects alone where they are named, within the same budget as all other questions and at
//! most [`MOST_MESSAGES`]. Once all has been looked at, it is looked again when the stream has grown. What is told says how far that
//! was and what it cost.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;

use super::api::Api;
use super::desk::Kept;
use super::lenient::one_line;
use super::search::{between, has_field};
use super::stored::{Reader, Stored};
use super::wire::Failure;
use crate::model::id::Name;
use crate::model::message::{Caused, Link, MessageId, Pursuit, PursuitReport};
use crate::model::observation::Observation;
use crate::model::subject::covers;
use crate::model::time::{Mono, Timestamp, nanos};
use crate::source::redact::Watched;

/// Messages that one pursuit reads.
const MOST_MESSAGES: u64 = 500;
/// Bytes that one pursuit reads.
const MOST_BYTES: u64 = 8 * 1024 * 1024;
/// Messages that it reads before the next one has its turn.
const TURN: u64 = 50;
/// It is looked so long for what has not come yet.
const LASTS: Duration = Duration::from_secs(120);
/// How often it is looked whether a stream has grown.
const EVERY: Duration = Duration::from_millis(500);
/// Two servers that stamp messages may differ by so much where their clocks are not known.
const UNKNOWN_CLOCKS: Duration = Duration::from_millis(250);
/// And by so much where they are.
const KNOWN_CLOCKS: Duration = Duration::from_millis(2);
/// Pursuits at a time.
const MOST: usize = 64;
/// Messages that are read back for an earlier version of a record.
const MOST_BACK: u64 = 1_000;

/// What is asked.
pub(super) enum Asked {
    Pursue(Pursuit),
    LetGo(MessageId),
}

/// One of them under way.
struct Chase {
    wanted: Pursuit,
    reader: Reader,
    stream: Name,
    /// Where to look next, for each want; `None` until the moment is found.
    cursors: Option<Vec<u64>>,
    /// Messages that were told.
    told: BTreeSet<u64>,
    /// Messages that it may read.
    most: u64,
    began: Mono,
    report: PursuitReport,
    said: Option<PursuitReport>,
}

/// Looks for what is asked, one after the other.
pub(super) async fn pursue(api: &Api<'_>, mut asked: mpsc::Receiver<Asked>, declared: &Watched) {
    let mut chases: Vec<Chase> = Vec::new();
    loop {
        if chases.is_empty() {
            match asked.recv().await {
                Some(wish) => heed(api, &mut chases, wish),
                None => std::future::pending().await,
            }
        }
        while let Ok(wish) = asked.try_recv() {
            heed(api, &mut chases, wish);
        }
        let mut busy = false;
        for chase in &mut chases {
            busy |= chase.turn(api, declared).await;
            chase.tell(api);
        }
        chases.retain(|chase| chase.report.ended.is_none());
        if !busy {
            sleep(EVERY).await;
        }
    }
}

/// Does what a person asks.
fn heed(api: &Api<'_>, chases: &mut Vec<Chase>, wish: Asked) {
    match wish {
        Asked::LetGo(of) => {
            for chase in chases.iter_mut().filter(|chase| chase.wanted.of == of && chase.wanted.lasting) {
                chase.report.ended = Some("it is no longer followed".into());
                chase.tell(api);
            }
            chases.retain(|chase| chase.report.ended.is_none());
        }
        Asked::Pursue(wanted) => {
            let same = |chase: &&mut Chase| {
                (&chase.wanted.of, &chase.wanted.channel) == (&wanted.of, &wanted.channel)
            };
            if let Some(chase) = chases.iter_mut().find(same) {
                chase.join(wanted);
            } else if chases.len() < MOST {
                chases.extend(begin(api, wanted));
            }
        }
    }
}

/// `None` when the channel is another source's.
fn begin(api: &Api<'_>, wanted: Pursuit) -> Option<Chase> {
    let (stream, kept) = api.desk.stream(&wanted.channel)?;
    let report = PursuitReport {
        of: wanted.of.clone(),
        channel: wanted.channel.clone(),
        next: 0,
        caught_up: false,
        lasting: wanted.lasting,
        ended: None,
        looked_at: 0,
        bytes: 0,
    };
    Some(Chase {
        cursors: (wanted.channel == wanted.of.channel).then(|| vec![wanted.of.seq + 1; wanted.wants.len()]),
        reader: Reader::new(stream.clone(), kept.direct),
        stream,
        told: BTreeSet::new(),
        most: MOST_MESSAGES,
        began: api.desk.clock().now().mono,
        wanted,
        report,
        said: None,
    })
}

impl Chase {
    /// More is wanted of it.
    fn join(&mut self, more: Pursuit) {
        self.wanted.lasting |= more.lasting;
        self.report.lasting = self.wanted.lasting;
        self.wanted.earlier |= more.earlier;
        for want in more.wants {
            if !self.wanted.wants.contains(&want) {
                self.wanted.wants.push(want);
                // From the beginning again: what was told is not told twice.
                self.cursors = None;
            }
        }
        if self.wanted.channel == self.wanted.of.channel && self.cursors.is_none() {
            self.cursors = Some(vec![self.wanted.of.seq + 1; self.wanted.wants.len()]);
        }
    }

    /// Looks on for a while; whether there is more to look at.
    async fn turn(&mut self, api: &Api<'_>, declared: &Watched) -> bool {
        match self.look(api, declared).await {
            Ok(more) => {
                if !more && self.lasted(api) {
                    let why = format!("it was looked for {} s", LASTS.as_secs());
                    self.report.ended = Some(why.into());
                }
                more && self.report.ended.is_none()
            }
            // What was not looked at is looked at when the broker answers again.
            Err(failure) if failure.may_pass() && !self.lasted(api) => false,
            Err(failure) => {
                self.report.ended = Some(one_line(&failure.to_string()).into());
                false
            }
        }
    }

    fn lasted(&self, api: &Api<'_>) -> bool {
        !self.wanted.lasting && api.desk.clock().now().mono.since(self.began) > LASTS
    }

    /// The moment on the clock that stamps this stream: nothing that was stored by then can have come of the message.
    fn since(&self, api: &Api<'_>) -> Timestamp {
        let (desk, since) = (api.desk, self.wanted.since);
        let Some((of, _)) = desk.stream(&self.wanted.of.channel) else {
            return since.offset(-nanos(UNKNOWN_CLOCKS));
        };
        let now = desk.clock().now();
        match (desk.stream_time(&of, now), desk.stream_time(&self.stream, now)) {
            (Some(there), Some(here)) if there == here => since,
            (Some(there), Some(here)) => since.offset(here.nanos_since(there)).offset(-nanos(KNOWN_CLOCKS)),
            _ => since.offset(-nanos(UNKNOWN_CLOCKS)),
        }
    }

    async fn look(&mut self, api: &Api<'_>, declared: &Watched) -> Result<bool, Failure> {
        let Some((_, Kept { first, last, .. })) = api.desk.stream(&self.wanted.channel) else {
            self.report.ended = Some("the stream is gone".into());
            return Ok(false);
        };
        let since = self.since(api);
        if std::mem::take(&mut self.wanted.earlier) {
            self.back(api, first.max(1), declared).await?;
        }
        let mut cursors = if let Some(cursors) = self.cursors.take() {
            cursors
        } else {
            let from = moment(api, &mut self.reader, since, (first.max(1), last)).await?;
            vec![from; self.wanted.wants.len()]
        };
        let turn = self.reader.messages + TURN;
        let mut more = false;
        for (at, cursor) in cursors.iter_mut().enumerate() {
            let Some(subject) = self.wanted.wants.get(at).map(|want| Name::clone(&want.subject)) else {
                break;
            };
            // What has come since the stream was listed is looked at when it is listed again.
            while *cursor <= last {
                let spent = self.reader.messages >= self.most || self.reader.bytes >= MOST_BYTES;
                if spent && !self.wanted.lasting {
                    self.report.ended = Some(
                        format!(
                            "{} messages were looked at, as many as one pursuit may",
                            self.reader.messages
                        )
                        .into(),
                    );
                    break;
                }
                if self.reader.messages >= turn {
                    more = true;
                    break;
                }
                let most = turn - self.reader.messages;
                let messages = self.reader.some(api, *cursor, &subject, most.min(last + 1 - *cursor)).await?;
                *cursor = messages.last().map_or(last, |message| message.seq) + 1;
                for message in &messages {
                    self.weigh(api, message, since, declared);
                }
            }
        }
        self.report.next = cursors.iter().copied().min().unwrap_or(last + 1);
        self.report.caught_up |= !more && self.report.ended.is_none();
        self.cursors = Some(cursors);
        Ok(more)
    }

    /// Looks back for the newest one before the message, so far as that may cost.
    async fn back(&mut self, api: &Api<'_>, first: u64, declared: &Watched) -> Result<(), Failure> {
        let mut end = self.wanted.of.seq;
        let lowest = end.saturating_sub(MOST_BACK).max(first);
        while end > lowest && self.reader.messages < MOST_BACK && self.reader.bytes < MOST_BYTES {
            let begin = if self.reader.reads_many() { end.saturating_sub(TURN).max(lowest) } else { end - 1 };
            let messages = between(api, &mut self.reader, begin, end).await?;
            if messages.iter().rev().any(|message| self.weigh(api, message, Timestamp(0), declared)) {
                break;
            }
            end = begin;
        }
        self.most += self.reader.messages;
        Ok(())
    }

    /// Tells of a message, and follows it, if it is one that is wanted; whether it is.
    fn weigh(&mut self, api: &Api<'_>, message: &Stored, since: Timestamp, declared: &Watched) -> bool {
        if message.time.is_none_or(|at| at <= since) || self.told.contains(&message.seq) {
            return false;
        }
        // What was there before it is no consequence, only an earlier version.
        let before = message.seq < self.wanted.of.seq && self.wanted.channel == self.wanted.of.channel;
        let (headers, mut body) = (message.headers(), None);
        let mut fits = |link: &&Link| {
            let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            link.holds(headers, |name, value| {
                let body = body.get_or_insert_with(|| message.json());
                body.as_ref().is_some_and(|body| has_field(body, name, value))
            })
        };
        let wants = self.wanted.wants.iter().filter(|want| covers(&want.subject, &message.subject));
        // The surest sign is the first.
        let mut links: Vec<&Link> = wants.flat_map(|want| &want.links).collect();
        links.retain(|link| !before || matches!(link, Link::Version { .. }));
        links.sort();
        let Some(link) = links.into_iter().find(|link| fits(link)) else { return false };
        let caused = Caused { of: self.wanted.of.clone(), link: link.clone() };
        let report = message.report(api, &self.wanted.channel, &self.stream, declared, Some(caused));
        let Some(report) = report else { return false };
        self.told.insert(message.seq);
        api.desk.follow(&report.id);
        api.desk.observe(api.desk.clock().now(), Observation::Message(Box::new(report)));
        true
    }

    fn tell(&mut self, api: &Api<'_>) {
        self.report.looked_at = self.reader.messages;
        self.report.bytes = self.reader.bytes;
        if self.said.as_ref() != Some(&self.report) {
            self.said = Some(self.report.clone());
            let report = Observation::Pursuit(Box::new(self.report.clone()));
            api.desk.observe(api.desk.clock().now(), report);
        }
    }
}

/// The first position whose message was stored at a moment or later: back from the end in growing steps, then by halving.
async fn moment(
    api: &Api<'_>,
    reader: &mut Reader,
    since: Timestamp,
    (first, last): (u64, u64),
) -> Result<u64, Failure> {
    let (mut lo, mut hi) = (first, last + 1);
    let mut step = 1;
    while lo < hi {
        let at = if step > 0 { hi.saturating_sub(step).max(lo) } else { lo + (hi - lo) / 2 };
        match reader.from(api, at, ">").await? {
            Some(message) if message.time.is_some_and(|time| time < since) => {
                lo = message.seq + 1;
                step = 0;
            }
            Some(_) => {
                hi = at;
                step *= 4;
            }
            None => hi = at,
        }
    }
    Ok(hi)
}
