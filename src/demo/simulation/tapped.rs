//! Messages of tapped channels, at the level `tap`: streams, subjects that nobody keeps, and requests. The rules are those of
//! the real source: what the person did not name is not heard, who sent a message is known where an acknowledgement goes back to
//! its sender, and a request subject is listened on only while somebody answers there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::content::Content;
use super::nanos;
use super::observe::{ROUND_TRIP, Watch};
use super::work::World;
use crate::model::calls::CallKey;
use crate::model::command::ProbeLevel;
use crate::model::id::{ChannelId, Name, escape};
use crate::model::observation::{Batch, Observation, Observed};
use crate::model::senders::{SenderKey, SentBy};
use crate::model::tap::{HeardMessage, Payload, TapReport, TapState};
use crate::model::time::Mono;
use crate::source::calls::CallBook;
use crate::source::redact::{self, Fields, Sensitive};
use crate::topology::Topology;

/// Channels that are listened to at a time.
const MOST_TAPPED: usize = 32;
/// At most so many messages of one channel are told in each [`SLICE`]: more a second than that nobody reads.
const MOST_TOLD: u64 = 20;
/// The time after which as many are told again.
const SLICE: Duration = Duration::from_millis(100);
/// How often it is told how listening goes.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// What can be tapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// Place of a stream.
    Stream(usize),
    /// A subject that nobody keeps.
    Subject(Name),
}

/// A message that was sent while somebody listened.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) at: u64,
    pub(super) target: Target,
    pub(super) subject: Name,
    /// Service, and which of its instances.
    pub(super) by: (usize, usize),
    /// It waits for an answer: of the stream, or of who serves the subject.
    pub(super) replied: bool,
    pub(super) asks: bool,
    pub(super) bytes: u64,
    pub(super) content: Arc<Content>,
}

impl Sent {
    /// The program that sent it, where it waits for an answer.
    fn publisher(&self, world: &World) -> Option<Name> {
        let (service, instance) = self.by;
        let service = world.services.get(service).filter(|_| self.replied)?;
        service.instances.get(instance).map(|instance| instance.name.clone())
    }
}

/// What is sent on what is tapped: the world writes, the source reads.
#[derive(Debug, Default)]
pub(super) struct Overheard {
    targets: Vec<Target>,
    sent: Vec<Sent>,
    calls: Vec<(u64, Step)>,
}

/// A step of a request, by its number.
#[derive(Debug)]
enum Step {
    Asked(u64, CallKey),
    Answered(u64, bool),
}

impl Overheard {
    /// Writes a message down, if somebody listens.
    pub(super) fn note(&mut self, target: &Target, sent: impl FnOnce() -> Sent) {
        if self.targets.contains(target) {
            self.sent.push(sent());
        }
    }

    /// Writes down that a request was made, if somebody listens.
    pub(super) fn asked(&mut self, now: u64, call: u64, subject: &Name, requester: Option<&Name>) {
        if self.targets.iter().any(|target| matches!(target, Target::Subject(on) if on == subject)) {
            let key = CallKey { subject: subject.clone(), requester: requester.cloned() };
            self.calls.push((now, Step::Asked(call, key)));
        }
    }

    /// Writes down that a request was answered.
    pub(super) fn answered(&mut self, now: u64, call: u64, failed: bool) {
        if self.hears_requests() {
            self.calls.push((now, Step::Answered(call, failed)));
        }
    }

    fn hears_requests(&self) -> bool {
        self.targets.iter().any(|target| matches!(target, Target::Subject(_)))
    }
}

/// One tapped channel.
#[derive(Debug)]
struct Tap {
    target: Target,
    report: TapReport,
    /// It is reported anew at once.
    changed: bool,
    /// The slice of time that the last message came in, and how many of it were told.
    slice: (u64, u64),
}

/// What is listened to on behalf of the person.
#[derive(Debug)]
pub(super) struct Taps {
    open: BTreeMap<ChannelId, Tap>,
    /// Reports of what is not listened to, to be told once.
    once: Vec<TapReport>,
    /// What the topology declares of the fields of messages.
    pub(super) fields: Fields,
    /// Requests and their answers.
    calls: CallBook,
    reported: u64,
}

impl Taps {
    pub(super) fn new(topology: &Topology) -> Self {
        let sensitive = Sensitive::of(topology.sensitive()).into();
        let fields = Fields { sensitive, keys: topology.keys().into() };
        Self { open: BTreeMap::new(), once: Vec::new(), fields, calls: CallBook::new(Mono(0)), reported: 0 }
    }
}

impl Watch {
    /// The person names a channel, or takes it back.
    pub(super) fn tap(&mut self, channel: &ChannelId, on: bool, world: &mut World, now: u64) {
        if !on {
            self.end_tap(channel, "it is no longer asked for", world, now);
            return;
        }
        if self.taps.open.contains_key(channel) {
            return;
        }
        let refused = |why: &str| Err(why.to_owned());
        let known = self.target(world, channel);
        let asked = match known {
            // What is not ours is another source's.
            None if !channel.as_str().starts_with(&format!("{}/", escape(self.broker.as_str()))) => return,
            None => refused("no stream or subject of this name is known"),
            Some(_) if self.options.probe < ProbeLevel::Tap => {
                refused("it is listened to at the probe level tap")
            }
            Some(_) if self.taps.open.len() >= MOST_TAPPED => {
                Err(format!("{MOST_TAPPED} channels are listened to already"))
            }
            Some(Target::Subject(subject)) => match answered(world, &subject) {
                Some(false) => refused("nobody answers there now, and who asks is told so at once"),
                Some(true) => Ok((Target::Subject(subject), "only while somebody else answers there")),
                None => Ok((Target::Subject(subject), "")),
            },
            Some(stream @ Target::Stream(_)) => Ok((stream, "")),
        };
        let mut report = TapReport {
            channel: channel.clone(),
            subjects: Vec::new(),
            state: TapState::Refused,
            why: "".into(),
            since: self.stamp(now, false).wall,
            heard: 0,
            told: 0,
            dropped: 0,
        };
        match asked {
            Err(why) => {
                report.why = why.into();
                self.taps.once.push(report);
            }
            Ok((target, why)) => {
                report.subjects = match &target {
                    Target::Stream(place) => {
                        world.streams.get(*place).map(|stream| stream.subjects.clone()).unwrap_or_default()
                    }
                    Target::Subject(subject) => vec![subject.clone()],
                };
                (report.state, report.why) = (TapState::Listening, why.into());
                world.overheard.targets.push(target.clone());
                let tap = Tap { target, report, changed: true, slice: (0, 0) };
                self.taps.open.insert(channel.clone(), tap);
            }
        }
    }

    /// No messages are heard below the level.
    pub(super) fn end_taps(&mut self, world: &mut World, now: u64) {
        let all: Vec<ChannelId> = self.taps.open.keys().cloned().collect();
        for channel in all {
            self.end_tap(&channel, "it is listened to at the probe level tap", world, now);
        }
    }

    fn end_tap(&mut self, channel: &ChannelId, why: &str, world: &mut World, now: u64) {
        // What it heard until now is counted with the end.
        let Some(tap) = self.taps.open.get_mut(channel) else { return };
        world.overheard.targets.retain(|target| *target != tap.target);
        let heard = world.overheard.sent.iter().filter(|sent| sent.target == tap.target).count();
        world.overheard.sent.retain(|sent| sent.target != tap.target);
        let mut report = tap.report.clone();
        self.taps.open.remove(channel);
        report.heard += heard as u64;
        (report.state, report.why) = (TapState::Ended, why.into());
        report.since = self.stamp(now, false).wall;
        self.load.messages += heard as u64;
        self.taps.once.push(report);
    }

    /// What of the world a channel of ours is.
    fn target(&self, world: &World, channel: &ChannelId) -> Option<Target> {
        if let Some(stream) = self.stream(world, channel) {
            return Some(Target::Stream(stream));
        }
        let bare = world.outlets.iter().filter(|outlet| !outlet.is_kept()).map(|outlet| &outlet.subject);
        let asked = world.operations.iter().map(|operation| &operation.subject);
        let mut subjects = bare.chain(asked);
        let subject = subjects.find(|subject| ChannelId::subject(&self.broker, subject) == *channel)?;
        Some(Target::Subject(subject.clone()))
    }

    /// Tells what was sent since the last time, and how listening goes.
    pub(super) fn overhear(&mut self, world: &mut World, now: u64, batch: &mut Batch) {
        self.guard(world, now);
        self.pair(world, now, batch);
        let sent = std::mem::take(&mut world.overheard.sent);
        self.load.messages += sent.len() as u64;
        for sent in sent {
            let Some(tap) = self.taps.open.values_mut().find(|tap| tap.target == sent.target) else {
                continue;
            };
            tap.report.heard += 1;
            if let Some(name) = sent.publisher(world).filter(|_| !sent.asks) {
                let channel = tap.report.channel.clone();
                *batch.sends.entry(SenderKey { channel, name, by: SentBy::ReplyInbox }).or_default() += 1;
            }
            let slice = sent.at / nanos(SLICE);
            if tap.slice.0 != slice {
                tap.slice = (slice, 0);
            }
            if tap.slice.1 >= MOST_TOLD {
                continue;
            }
            tap.slice.1 += 1;
            tap.report.told += 1;
            let (channel, number) = (tap.report.channel.clone(), tap.report.heard);
            let at = self.stamp(sent.at, false);
            let message = self.message(world, &sent, channel, number);
            batch.observations.push(Observed { at, what: Observation::Heard(Box::new(message)) });
        }
        let at = self.stamp(now, false);
        let mut tell = |report: TapReport| {
            batch.observations.push(Observed { at, what: Observation::Tap(Box::new(report)) });
        };
        std::mem::take(&mut self.taps.once).into_iter().for_each(&mut tell);
        let due = now.saturating_sub(self.taps.reported) >= nanos(REPORT_EVERY);
        if due {
            self.taps.reported = now;
        }
        for tap in self.taps.open.values_mut() {
            if std::mem::take(&mut tap.changed) || due {
                tell(tap.report.clone());
            }
        }
    }

    /// Tells which requests were answered since the last time, and how soon.
    fn pair(&mut self, world: &mut World, now: u64, batch: &mut Batch) {
        for (at, step) in std::mem::take(&mut world.overheard.calls) {
            let at = self.stamp(at, false).mono;
            match step {
                Step::Asked(call, key) => self.taps.calls.asked(&call.to_string(), key, true, at),
                Step::Answered(call, failed) => self.taps.calls.answered(&call.to_string(), failed, at),
            }
        }
        if !world.overheard.hears_requests() {
            self.taps.calls.lose("");
        }
        self.taps.calls.set_error(ROUND_TRIP);
        batch.calls = self.taps.calls.close(self.stamp(now, false).mono);
    }

    /// Ends the taps on subjects where nobody answers any more.
    fn guard(&mut self, world: &mut World, now: u64) {
        let deserted = |tap: &&Tap| match &tap.target {
            Target::Subject(subject) => answered(world, subject) == Some(false),
            Target::Stream(_) => false,
        };
        let deserted: Vec<ChannelId> =
            self.taps.open.values().filter(deserted).map(|tap| tap.report.channel.clone()).collect();
        for channel in deserted {
            self.end_tap(
                &channel,
                "nobody answers there any more, and who asks is told so at once",
                world,
                now,
            );
        }
    }

    /// A message as a source tells it: nothing sensitive is in it any more.
    fn message(&self, world: &World, sent: &Sent, channel: ChannelId, number: u64) -> HeardMessage {
        let time = self.sent_at(sent.at);
        let sender = world.services.get(sent.by.0);
        let what = sent.content.outlet.and_then(|outlet| world.outlets.get(outlet));
        let what = what.filter(|_| !sent.asks).map(|outlet| &*outlet.what);
        let id = sender.map_or("", |service| service.plan.id.as_str());
        let headers = match what {
            Some(what) => sent.content.headers(id, what, &time),
            None => sent.content.request_headers(),
        };
        let body = sent.content.body(what, &world.fields, &time, sent.bytes);
        let lengths = headers.iter().map(|(name, value)| (name.len() + value.len()) as u64);
        let bytes = body.len() as u64 + lengths.sum::<u64>();
        let (headers, mut redacted) = redact::headers(
            headers.iter().map(|(name, value)| (&**name, &**value)),
            &self.taps.fields.sensitive,
        );
        let payload = redact::payload(body.as_bytes(), &self.taps.fields.sensitive);
        redacted.extend(payload.redacted);
        let publisher = sent.publisher(world);
        HeardMessage {
            channel,
            number,
            at: self.stamp(sent.at, false).wall,
            subject: sent.subject.clone(),
            publisher_by: publisher.as_ref().map_or("", |_| SentBy::ReplyInbox.word()).into(),
            publisher,
            asks: sent.asks,
            bytes,
            headers,
            payload: Payload { redacted, ..payload },
        }
    }
}

/// Whether somebody answers on this subject; `None` where nobody ever asks.
fn answered(world: &World, subject: &Name) -> Option<bool> {
    let mut operations = world.operations.iter().filter(|operation| operation.subject == *subject).peekable();
    operations.peek()?;
    Some(operations.any(|operation| world.services.get(operation.service).is_some_and(|s| s.runs)))
}

#[cfg(test)]
mod tests;
