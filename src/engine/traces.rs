//! Messages that are followed: who has processed each, when, and what the others wait for.
//!
//! What was heard of a message is exact. What was not heard is answered from positions, which tell that something happened and not
//! when: a floor that has passed the message, a position that has not reached it. The reasons for which a consumer will never have it
//! are tried in the order in which they are certain.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::consequences::{Applied, Stories};
use super::consumers::ConsumerState;
use super::identity::Identity;
use super::state::{State, consumers_of};
use super::unread;
use super::wiring::Wiring;
use crate::model::acks::{AckKind, AckStep};
use crate::model::id::{ConsumerId, Name};
use crate::model::measured::Bounds;
use crate::model::message::{
    Caused, Link, MessageId, MessageReport, PursuitReport, Search, SearchOutcome, SearchReport,
};
use crate::model::number;
use crate::model::observation::{AckPolicy, ChannelReport, ConsumerReport};
use crate::model::snapshot::ConsumerStatus;
use crate::model::subject;
use crate::model::trace::{Leg, LegState, Record, Trace};
use crate::topology::Topology;

/// Messages followed at a time that a person asked for.
const MOST: usize = 16;
/// Messages followed at a time with all that came of them.
const MOST_OF_ALL: usize = 96;
/// Versions of one record that are followed beside the one that was asked for.
const VERSIONS: usize = 8;
/// Steps kept of one message: redeliveries can be many.
const STEPS: usize = 1_000;
/// Given-up messages remembered.
const ABANDONED: usize = 4_096;
/// Outcomes of searches remembered.
const SEARCHES: usize = 1_024;

/// What is remembered of single messages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Traces {
    /// The newest last.
    followed: VecDeque<Followed>,
    searches: VecDeque<SearchReport>,
    abandoned: VecDeque<(ConsumerId, u64)>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Followed {
    pub(super) message: MessageReport,
    /// A person asked for it.
    asked: bool,
    steps: Vec<AckStep>,
    /// Where it is looked for what came of it.
    pub(super) looked: Vec<PursuitReport>,
    /// The field by which it was found.
    pub(super) found_by: Option<(Name, Name)>,
    /// What the channel's end told, of each consumer whose position says nothing any more once the message is removed.
    ends: BTreeMap<ConsumerId, End>,
}

/// How it ended for a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum End {
    /// Its floor had passed the message while the channel still kept it.
    Had,
    /// The channel kept it no longer, and it had not been delivered.
    Missed,
}

impl Traces {
    pub(super) fn message(&mut self, message: &MessageReport) {
        let asked = message.caused.is_none();
        // What is looked for from the middle of a story may come upon its beginning.
        let before = |id: &MessageId| {
            let of = self.followed.iter().find(|f| f.message.id == *id)?;
            of.message.caused.as_ref().map(|caused| caused.of.clone())
        };
        let mut of = message.caused.as_ref().map(|caused| caused.of.clone());
        for _ in 0..self.followed.len() {
            if of.as_ref() == Some(&message.id) {
                return;
            }
            of = of.as_ref().and_then(before);
        }
        if let Some(at) = self.followed.iter().position(|f| f.message.id == message.id) {
            if let Some(mut known) = self.followed.remove(at) {
                // Of what it came stays known when it is asked for by itself.
                let caused = known.message.caused.take().or_else(|| message.caused.clone());
                known.message = MessageReport { caused, ..message.clone() };
                known.asked |= asked;
                self.followed.insert(at, known);
            }
            return;
        }
        if !asked && self.followed.len() >= MOST_OF_ALL {
            return;
        }
        self.followed.push_back(Followed {
            message: message.clone(),
            asked,
            steps: Vec::new(),
            looked: Vec::new(),
            found_by: None,
            ends: BTreeMap::new(),
        });
        self.forget_versions(message);
        while self.followed.iter().filter(|f| f.asked).count() > MOST {
            let Some(oldest) = self.followed.iter().position(|f| f.asked) else { break };
            self.followed.remove(oldest);
            self.orphans();
        }
    }

    /// Of the versions of one record only the newest stay.
    fn forget_versions(&mut self, of: &MessageReport) {
        let Some(Caused { of, link: Link::Version { .. } }) = &of.caused else { return };
        let is_one = |f: &Followed| {
            !f.asked && f.message.caused.as_ref().is_some_and(|c| c.of == *of && is_version(&c.link))
        };
        let oldest = self.followed.iter().filter(|f| is_one(f)).map(|f| f.message.id.seq).min();
        if self.followed.iter().filter(|f| is_one(f)).count() > VERSIONS {
            self.followed.retain(|f| !(is_one(f) && Some(f.message.id.seq) == oldest));
        }
    }

    /// What came of a message goes with it.
    fn orphans(&mut self) {
        loop {
            let known: HashSet<MessageId> = self.followed.iter().map(|f| f.message.id.clone()).collect();
            let before = self.followed.len();
            let lost =
                |f: &Followed| !f.asked && f.message.caused.as_ref().is_some_and(|c| !known.contains(&c.of));
            self.followed.retain(|f| !lost(f));
            if self.followed.len() == before {
                return;
            }
        }
    }

    /// How far it is looked for what came of a message.
    pub(super) fn pursuit(&mut self, report: &PursuitReport) {
        let Some(of) = self.followed.iter_mut().find(|f| f.message.id == report.of) else { return };
        match of.looked.iter_mut().find(|known| known.channel == report.channel) {
            Some(known) => known.clone_from(report),
            None => of.looked.push(report.clone()),
        }
    }

    pub(super) fn step(&mut self, step: &AckStep) {
        let of = |f: &&mut Followed| f.message.id.channel == step.channel && f.message.id.seq == step.seq;
        if let Some(known) = self.followed.iter_mut().find(of)
            && known.steps.len() < STEPS
            && !known.steps.contains(step)
        {
            known.steps.push(step.clone());
        }
    }

    /// Takes in a look at a channel, after one at its consumers: what it still keeps and they have passed, they had.
    pub(super) fn kept(&mut self, channel: &ChannelReport, consumers: &BTreeMap<ConsumerId, ConsumerState>) {
        for followed in self.followed.iter_mut().filter(|f| f.message.id.channel == channel.id) {
            let seq = followed.message.id.seq;
            if channel.first_seq.is_some_and(|first| first <= seq) {
                let past = |c: &&ConsumerState| {
                    c.report.as_ref().and_then(|r| r.floor).is_some_and(|floor| floor.channel_seq >= seq)
                };
                for consumer in consumers_of(consumers, &channel.id).filter(past) {
                    followed.ends.entry(consumer.id.clone()).or_insert(End::Had);
                }
            }
        }
    }

    /// Takes in a look at a consumer, after one at its channel: what that keeps no longer and was not delivered, it missed.
    pub(super) fn position(&mut self, report: &ConsumerReport, channel: &ChannelReport) {
        let Some(delivered) = report.delivered.map(|delivered| delivered.channel_seq) else { return };
        for followed in self.followed.iter_mut().filter(|f| f.message.id.channel == channel.id) {
            let seq = followed.message.id.seq;
            if delivered < seq && channel.first_seq.is_some_and(|first| first > seq) {
                followed.ends.entry(report.id.clone()).or_insert(End::Missed);
            }
        }
    }

    pub(super) fn search(&mut self, report: &SearchReport) {
        if let (SearchOutcome::Found(seq), Search::Field { name, value }) = (&report.outcome, &report.search)
        {
            let id = MessageId { channel: report.channel.clone(), seq: *seq };
            if let Some(found) = self.followed.iter_mut().find(|f| f.message.id == id) {
                found.found_by = Some((name.clone(), value.clone()));
            }
        }
        self.searches.push_back(report.clone());
        while self.searches.len() > SEARCHES {
            self.searches.pop_front();
        }
    }

    pub(super) fn abandoned(&mut self, consumer: &ConsumerId, seq: u64) {
        self.abandoned.push_back((consumer.clone(), seq));
        while self.abandoned.len() > ABANDONED {
            self.abandoned.pop_front();
        }
    }

    /// What searches came to, oldest first.
    pub(super) fn searches(&self) -> Arc<[SearchReport]> {
        self.searches.iter().cloned().collect()
    }
}

/// The rows of all followed messages, newest last.
pub(super) fn rows(state: &State, wiring: &Wiring, topology: &Topology) -> Arc<[Trace]> {
    let Traces { followed, abandoned, .. } = &state.traces;
    if followed.is_empty() {
        return [].into();
    }
    let abandoned = abandoned.iter().map(|(consumer, seq)| (consumer, *seq)).collect();
    let sources = state.source_kinds();
    let identity = Identity { topology, sources: &sources, aside: &state.aside, named: &state.named };
    let stories = Stories::new(state, wiring, identity, followed.iter());
    followed.iter().map(|followed| row(followed, &abandoned, &stories)).collect()
}

fn row<'a>(followed: &'a Followed, abandoned: &HashSet<(&ConsumerId, u64)>, stories: &Stories<'a>) -> Trace {
    let Stories { state, wiring, .. } = *stories;
    let message = &followed.message;
    let record = stories.record(followed).cloned();
    let mut legs: Vec<Leg> = consumers_of(&state.consumers, &message.id.channel)
        .map(|consumer| {
            let bound = wiring.consumers.get(&consumer.id);
            let services = bound.map(|bound| bound.services.to_vec()).unwrap_or_default();
            let copy = record.as_ref().and_then(|record| record.entity.as_ref());
            let copy = copy.is_some_and(|entity| stories.keeps_copy(&services, entity));
            let steps: Vec<AckStep> =
                followed.steps.iter().filter(|s| s.consumer == consumer.id).cloned().collect();
            let mut verdict = verdict_of(followed, consumer, &steps, abandoned, state);
            if verdict.state.has_it()
                && let Some(record) = &record
            {
                apply(&mut verdict, stories.applied(&services, record), message, copy);
            }
            let settled = steps
                .iter()
                .find(|s| matches!(s.kind, AckKind::Acknowledged | AckKind::Covered | AckKind::Terminated));
            Leg {
                consumer: consumer.id.clone(),
                name: consumer.name.clone(),
                services,
                services_likely: bound.is_some_and(|b| b.likely),
                state: verdict.state,
                why: verdict.why,
                deliveries: steps.iter().map(|s| s.deliveries).max(),
                delay: settled.map(|s| s.at.nanos_since(message.appended)),
                error: settled.map(|s| s.error),
                ahead: verdict.ahead,
                estimate: verdict.estimate,
                looked_at: consumer.polled.map(|at| at.wall),
                steps,
                holds: holds(stories, record.as_ref(), consumer, abandoned),
                copy,
            }
        })
        .collect();
    legs.extend(unread::legs(stories, message));
    let owed = legs.iter().filter(|leg| leg.state != LegState::NotForIt);
    let heard =
        |leg: &Leg| leg.delay.is_some() && matches!(leg.state, LegState::Acknowledged | LegState::Applied);
    let converged = owed.clone().all(heard);
    let convergence = owed.filter_map(|leg| leg.delay).max().filter(|_| converged);
    let producers = wiring.producers.get(&message.id.channel);
    // As it is looked there already, it need not be asked.
    let mut pursuits = stories.pursuits(followed, &legs, record.as_ref());
    pursuits.retain(|pursuit| followed.looked.iter().all(|known| known.channel != pursuit.channel));
    let version_of = message.caused.as_ref().filter(|caused| is_version(&caused.link));
    Trace {
        message: message.clone(),
        asked: followed.asked,
        origin: stories.origin(followed),
        record,
        version_of: version_of.map(|caused| caused.of.clone()),
        pursuits,
        looked: followed.looked.clone(),
        producers: producers.map(|p| p.services.to_vec()).unwrap_or_default(),
        producers_likely: producers.is_some_and(|p| p.likely),
        legs,
        convergence,
    }
}

pub(super) const fn is_version(link: &Link) -> bool {
    matches!(link, Link::Version { .. })
}

/// The newest version of a record that a consumer is known to have.
fn holds(
    stories: &Stories<'_>,
    record: Option<&Record>,
    consumer: &ConsumerState,
    abandoned: &HashSet<(&ConsumerId, u64)>,
) -> Option<Name> {
    let versions = stories.versions(record?, &consumer.channel);
    let has = |one: &&&Followed| {
        let steps: Vec<AckStep> = one.steps.iter().filter(|s| s.consumer == consumer.id).cloned().collect();
        verdict_of(one, consumer, &steps, abandoned, stories.state).state.has_it()
    };
    versions.iter().rev().find(has).map(|one| one.message.label())
}

/// What a service's health says of a version that it has processed.
fn apply(verdict: &mut Verdict, told: Applied, message: &MessageReport, copy: bool) {
    let number = |text: &Name| text.parse::<u64>().ok();
    let text = match (told, &message.version) {
        (Applied::Version(applied), Some(version)) => match (number(&applied), number(version)) {
            (Some(applied), Some(version)) if applied >= version => {
                verdict.state = LegState::Applied;
                format!("its health says that it has version {applied}")
            }
            (Some(_), Some(_)) => format!("its health says that it has version {applied}: not yet this one"),
            _ => format!("not verified: its health says version {applied}, which cannot be compared"),
        },
        (Applied::Version(_), None) => {
            "not verified: the message does not say which version it is".to_owned()
        }
        (Applied::NotTold(why), _) if copy => format!("not verified: {why}"),
        (Applied::NotTold(_), _) => return,
    };
    verdict.why = format!("{}; {text}", verdict.why).into();
}

/// What is known of one followed message at one consumer.
fn verdict_of(
    followed: &Followed,
    consumer: &ConsumerState,
    steps: &[AckStep],
    abandoned: &HashSet<(&ConsumerId, u64)>,
    state: &State,
) -> Verdict {
    let message = &followed.message;
    let channel = state.channels.get(&message.id.channel).map(|channel| &channel.report);
    let kept = Kept {
        first: channel.and_then(|channel| channel.first_seq),
        // Where messages are kept until they are acknowledged, it says nothing that one is removed.
        unread: channel.is_some_and(|c| &*c.retention.policy == "limits" || c.retention.has_limits()),
        end: followed.ends.get(&consumer.id).copied(),
    };
    let gave_up = abandoned.contains(&(&consumer.id, message.id.seq));
    verdict(consumer, message, steps, gave_up, kept)
}

struct Verdict {
    state: LegState,
    why: Name,
    ahead: Option<u64>,
    estimate: Option<Duration>,
}

impl Verdict {
    fn new(state: LegState, why: impl Into<Name>) -> Self {
        Self { state, why: why.into(), ahead: None, estimate: None }
    }
}

/// What the channel tells of a message.
#[derive(Clone, Copy)]
struct Kept {
    /// The first message that it keeps.
    first: Option<u64>,
    /// What is removed may be unread.
    unread: bool,
    /// What was seen of this consumer before it was removed.
    end: Option<End>,
}

/// What is known of one message at one consumer.
fn verdict(
    consumer: &ConsumerState,
    message: &MessageReport,
    steps: &[AckStep],
    gave_up: bool,
    kept: Kept,
) -> Verdict {
    let seq = message.id.seq;
    let heard = |kind: AckKind| steps.iter().filter(|s| s.kind == kind).count();
    if heard(AckKind::Acknowledged) > 0 {
        return Verdict::new(LegState::Acknowledged, "heard");
    }
    if heard(AckKind::Covered) > 0 {
        return Verdict::new(
            LegState::Acknowledged,
            "heard: covered by the acknowledgement of a later message",
        );
    }
    if heard(AckKind::Terminated) > 0 {
        return Verdict::new(LegState::Terminated, "heard: refused for good, it will not come again");
    }
    let Some(report) = &consumer.report else {
        return Verdict::new(LegState::Unknown, consumer.why.clone());
    };
    if !report.filters.is_empty() && !report.filters.iter().any(|f| subject::covers(f, &message.subject)) {
        return Verdict::new(
            LegState::NotForIt,
            format!("its filter {} does not match {}", report.filters.join(", "), message.subject),
        );
    }
    if gave_up {
        return Verdict::new(LegState::GaveUp, "given up after its last delivery: lost to this consumer");
    }
    let removed = kept.first.filter(|first| *first > seq);
    if kept.end == Some(End::Missed) {
        let from =
            removed.map_or_else(String::new, |first| format!("; the channel keeps #{first} and later"));
        return Verdict::new(LegState::Missed, format!("removed before it was delivered{from}"));
    }
    let later = report.created_at.is_some_and(|made| made > message.appended);
    let refused = heard(AckKind::Refused);
    match (report.delivered, report.floor) {
        (_, Some(floor)) if floor.channel_seq >= seq => {
            let at = floor.channel_seq;
            let why = if later {
                format!("it was made after the message; its floor is at #{at}: it may never have had it")
            } else if consumer.is_unheard() && report.max_deliver.is_some() {
                format!("its floor is at #{at}: processed or given up, when is not known")
            } else {
                format!("its floor is at #{at}: processed, when is not known")
            };
            if let (Some(_), None, true) = (removed, kept.end, kept.unread) {
                let why =
                    format!("its floor is at #{at}: processed, or removed from the channel before that");
                return Verdict::new(LegState::Unknown, why);
            }
            Verdict::new(if later { LegState::Unknown } else { LegState::Passed }, why)
        }
        (Some(delivered), _) if delivered.channel_seq >= seq => handed(report, later, refused),
        (Some(delivered), _) => waiting(consumer, report, message, delivered.channel_seq),
        (None, _) => Verdict::new(LegState::Unknown, "its position is not told"),
    }
}

/// It was handed out, and the floor has not passed it.
fn handed(report: &ConsumerReport, later: bool, refused: usize) -> Verdict {
    if report.ack == AckPolicy::None {
        return Verdict::new(LegState::Passed, "delivered; this consumer never acknowledges");
    }
    if later {
        let why = "it was made after the message and began behind it, or had it since: not told apart";
        return Verdict::new(LegState::Unknown, why);
    }
    match report.in_flight.exact() {
        _ if refused > 0 => {
            let times = if refused == 1 { "once".to_owned() } else { format!("{refused} times") };
            Verdict::new(LegState::InFlight, format!("refused {times}: it comes again"))
        }
        Some(0) => Verdict::new(
            LegState::Passed,
            "delivered, and nothing is in flight: processed or given up, when is not known",
        ),
        Some(n) => Verdict::new(
            LegState::InFlight,
            format!(
                "delivered; {n} in flight: being worked on, or acknowledged out of order before it was listened"
            ),
        ),
        None => Verdict::new(LegState::Unknown, "delivered; what is in flight is not told"),
    }
}

/// It waits for its turn.
fn waiting(
    consumer: &ConsumerState,
    report: &ConsumerReport,
    message: &MessageReport,
    delivered: u64,
) -> Verdict {
    let between = message.id.seq - delivered - 1;
    // With a filter not all between the two are for it; what is pending behind it is not counted either way.
    let lag = report.lag.exact().copied();
    let ahead = lag.map_or(between, |lag| between.min(lag.saturating_sub(1)));
    if lag == Some(0) {
        let why = "it is behind the consumer's position, and nothing is pending: deleted, or a poll ago";
        return Verdict::new(LegState::Waiting, why);
    }
    let most = if report.filters.is_empty() { "" } else { "at most " };
    let rate = match &consumer.figures.acked_rate.bounds {
        Bounds::Between { lo, hi } => Some(f64::midpoint(*lo, *hi)),
        bounds => bounds.low().copied(),
    };
    let in_flight = report.in_flight.low().copied().unwrap_or(0);
    let estimate = rate
        .filter(|rate| *rate > 0.0)
        .and_then(|rate| Duration::try_from_secs_f64((ahead + in_flight + 1) as f64 / rate).ok());
    let why = match consumer.status {
        ConsumerStatus::Ok | ConsumerStatus::Slow => {
            format!("waiting behind {most}{}", number::messages(ahead))
        }
        _ => format!("waiting behind {most}{}; {}", number::messages(ahead), consumer.why),
    };
    Verdict { state: LegState::Waiting, why: why.into(), ahead: Some(ahead), estimate }
}
