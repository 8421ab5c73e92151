//! Messages that the person asks for, and the probe level: what is asked of the sources, and what became of it.
//!
//! An answer is known from an older one to the same question by being one more: reports have no number of their own.

use std::time::Duration;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::command::{Command, ProbeLevel};
use crate::model::id::{ChannelId, ConsumerId};
use crate::model::message::{MessageId, Pursuit, Search, SearchOutcome, SearchReport};
use crate::model::observation::ChannelKind;
use crate::model::snapshot::{Channel, Consumer, Entity, Snapshot, Thing};
use crate::model::time::Timestamp;
use crate::model::trace::{Trace, find};

use super::item::{message_of, row_of};
use super::list::{ListId, RowId};
use super::{App, Effect, Moment, Said, View};

/// A search that was asked for, on one channel or several.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// For what.
    pub search: Search,
    /// The newest message of something was meant, whichever it is: `of ORDERS`.
    pub newest: Option<String>,
    /// Where.
    pub places: Vec<Place>,
}

/// One channel that is searched.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// Which.
    pub channel: ChannelId,
    /// Since when nothing was told, on the observer's wall clock: an answer may never come.
    pub since: Timestamp,
    /// What came of it; `None` while it is looked for.
    pub outcome: Option<SearchOutcome>,
    /// Messages read for it, however often it went on.
    pub looked_at: u64,
    /// Bytes read for it.
    pub bytes: u64,
    /// Answers to the same question that were there before.
    before: usize,
}

impl Asked {
    /// Whether some channel has more to look through.
    pub fn goes_on(&self) -> bool {
        self.places.iter().any(|place| place.left().is_some())
    }

    /// Whether it was found somewhere.
    pub fn found(&self) -> bool {
        self.places.iter().any(|place| matches!(place.outcome, Some(SearchOutcome::Found(_))))
    }
}

impl Place {
    /// The position before which nothing was looked at yet.
    pub fn left(&self) -> Option<u64> {
        match self.outcome {
            Some(SearchOutcome::NotFrom(seq)) => Some(seq),
            _ => None,
        }
    }

    /// What was told so far, as a report.
    pub fn report(&self, search: &Search) -> Option<SearchReport> {
        Some(SearchReport {
            channel: self.channel.clone(),
            search: search.clone(),
            outcome: self.outcome.clone()?,
            looked_at: self.looked_at,
            bytes: self.bytes,
        })
    }
}

/// Whether messages are kept on a channel: only then one can be looked up.
pub fn keeps(channel: &Channel) -> bool {
    channel.report.kind != ChannelKind::Subject
}

/// Answers to a question.
fn answers<'a>(
    snapshot: &'a Snapshot,
    channel: &'a ChannelId,
    search: &'a Search,
) -> impl Iterator<Item = &'a SearchReport> {
    snapshot.searches.iter().filter(move |report| report.channel == *channel && report.search == *search)
}

/// Where it was asked to look for what came of messages.
#[derive(Debug, Clone, Default)]
pub struct Pursued(BTreeSet<(MessageId, ChannelId)>);

impl Pursued {
    /// What should be looked for and was not asked yet. What is not followed any more is forgotten.
    pub fn unasked(&mut self, traces: &[Trace]) -> Vec<Command> {
        self.0.retain(|(message, _)| traces.iter().any(|trace| trace.message.id == *message));
        let wanted = traces.iter().flat_map(|trace| &trace.pursuits);
        let new = wanted.filter(|it| self.0.insert((it.of.clone(), it.channel.clone())));
        new.cloned().map(Command::Pursue).collect()
    }
}

impl App {
    /// What the sources should be asked about messages that are followed. To be called for each new snapshot.
    pub fn pursue(&mut self, latest: &Snapshot) -> Vec<Command> {
        self.pursued.unasked(&latest.traces)
    }

    /// Follows the record of the message that is chosen, or lets it go.
    pub(super) fn follow_record(&mut self, latest: &Snapshot, now: Moment) -> Option<Effect> {
        let chosen = self.message().and_then(|message| find(&latest.traces, &message));
        let Some(trace) = chosen else {
            self.say(Said::failed("choose a message first: its record is what is followed"), now);
            return None;
        };
        // A version is followed by the message from which it was found.
        let first = trace.version_of.as_ref().and_then(|of| find(&latest.traces, of)).unwrap_or(trace);
        let Some(record) = &first.record else {
            let why = "no field of it tells which record it is of: declare its `key`, or find it by a field";
            self.say(Said::failed(why), now);
            return None;
        };
        let of = first.message.id.clone();
        let what = format!("{}={}", record.name, record.value);
        if first.is_record_followed() {
            self.say(Said::done(format!("{what} is no longer followed")), now);
            return Some(Effect::Command(Command::LetGo(of)));
        }
        self.say(Said::done(format!("following {what}: each new version is listed above")), now);
        Some(Effect::Command(Command::Pursue(Pursuit {
            channel: of.channel.clone(),
            since: first.message.appended,
            wants: vec![record.want(&first.message)],
            earlier: false,
            lasting: true,
            of,
        })))
    }

    /// Shows the view of single messages and looks for one.
    pub(super) fn find(
        &mut self,
        channels: &[ChannelId],
        search: &Search,
        newest: Option<String>,
        latest: &Snapshot,
        now: Moment,
    ) -> Effect {
        let place = |channel: &ChannelId| Place {
            channel: channel.clone(),
            since: now.wall,
            outcome: None,
            looked_at: 0,
            bytes: 0,
            before: answers(latest, channel, search).count(),
        };
        let places = channels.iter().map(place).collect();
        self.asked = Some(Asked { search: search.clone(), newest, places });
        // What is found comes with a later snapshot.
        self.paused = None;
        self.show(View::Propagation);
        self.at_once = true;
        let find = |channel: &ChannelId| Command::Find {
            channel: channel.clone(),
            search: search.clone(),
            before: None,
        };
        Effect::Commands(channels.iter().map(find).collect())
    }

    /// Goes on where a search stopped.
    pub(super) fn further(&mut self, latest: &Snapshot, now: Moment) -> Option<Effect> {
        let asked = self.asked.as_mut()?;
        let mut commands = Vec::new();
        for place in &mut asked.places {
            let Some(before) = place.left() else { continue };
            place.outcome = None;
            place.since = now.wall;
            place.before = answers(latest, &place.channel, &asked.search).count();
            commands.push(Command::Find {
                channel: place.channel.clone(),
                search: asked.search.clone(),
                before: Some(before),
            });
        }
        self.paused = None;
        self.say(Said::done("looking further back"), now);
        Some(Effect::Commands(commands))
    }

    /// Takes what searches came to since.
    pub(super) fn take_answers(&mut self, latest: &Snapshot, now: Moment) {
        let Some(asked) = &mut self.asked else { return };
        let mut answered = false;
        for place in asked.places.iter_mut().filter(|place| place.outcome.is_none()) {
            let new = answers(latest, &place.channel, &asked.search).skip(place.before).last();
            let Some(report) = new else { continue };
            answered = true;
            place.outcome = Some(report.outcome.clone());
            place.looked_at = place.looked_at.saturating_add(report.looked_at);
            place.bytes = place.bytes.saturating_add(report.bytes);
            if let SearchOutcome::Found(seq) = report.outcome {
                self.awaited = Some(row_of(&place.channel, seq));
            }
        }
        if answered {
            // One is looked through after the other: the next has begun now.
            asked
                .places
                .iter_mut()
                .filter(|place| place.outcome.is_none())
                .for_each(|place| place.since = now.wall);
        }
    }

    /// Selects what was found, as soon as it is listed.
    pub(super) fn select_awaited(&mut self) {
        let Some(row) = &self.awaited else { return };
        let list = self.lists.entry(ListId::Traces).or_default();
        if list.select_row(row) {
            self.awaited = None;
        }
    }

    /// Follows the newest message of the channel that belongs to what is selected; a message that came of another, that one.
    pub(super) fn propagation(&mut self, latest: &Arc<Snapshot>, now: Moment) -> Option<Effect> {
        let snapshot = Arc::clone(self.snapshot(latest));
        let row = self.selected()?.clone();
        if let (ListId::Legs, Some(message)) = (self.current_list(), message_of(&row)) {
            return Some(self.find(&[message.channel], &Search::Seq(message.seq), None, latest, now));
        }
        match newest_of(&row, &snapshot) {
            Ok((of, channel, seq)) => {
                let said = format!("following the newest message {of}, #{seq}");
                let effect = self.find(&[channel], &Search::Seq(seq), Some(of), latest, now);
                self.say(Said::done(said), now);
                Some(effect)
            }
            Err(why) => {
                self.say(Said::failed(why), now);
                None
            }
        }
    }

    /// Opens the dialog of the probe level: it takes effect when it is accepted.
    pub(super) fn ask_probe(&mut self, latest: &Snapshot) {
        self.probe = Some(match latest.probe {
            ProbeLevel::Passive => ProbeLevel::Acks,
            ProbeLevel::Acks | ProbeLevel::Tap => ProbeLevel::Passive,
        });
    }

    /// Asks who pulls, if the level allows to hear it.
    pub(super) fn name_pullers(&mut self, latest: &Snapshot, now: Moment) -> Option<Effect> {
        if latest.probe < ProbeLevel::Tap {
            let why = format!(
                "who pulls is heard at the level tap, and this is {}: --probe tap",
                latest.probe.word()
            );
            self.say(Said::failed(why), now);
            return None;
        }
        let said =
            "listening for 35 s to who pulls; meanwhile a pull on a deleted consumer waits for its time-out";
        self.say(Said::done(said), now);
        Some(Effect::Command(Command::Pullers))
    }

    /// Figures of what is heard cover the next longer time, or the shortest again.
    pub(super) fn next_window(&mut self, latest: &Snapshot, now: Moment) -> Effect {
        let longer = WINDOWS.into_iter().find(|window| *window > latest.heard_window);
        let window = longer.unwrap_or(WINDOWS[0]);
        let said = match window {
            Duration::MAX => "figures cover all that was heard".to_owned(),
            window => format!("figures of what is heard cover the last {} minutes", window.as_secs() / 60),
        };
        self.say(Said::done(said.replace("last 1 minutes", "last minute")), now);
        Effect::Command(Command::Window(window))
    }

    pub(super) fn change_probe(&mut self, level: ProbeLevel, now: Moment) -> Effect {
        let said = match level {
            ProbeLevel::Passive => "listening ends; delays become intervals between two polls",
            ProbeLevel::Acks | ProbeLevel::Tap => {
                "listening to acknowledgements; delays become exact as they come"
            }
        };
        self.say(Said::done(said), now);
        Effect::Command(Command::Probe(level))
    }
}

/// What figures of what is heard may cover: as much as is kept in slots, and the whole run.
const WINDOWS: [Duration; 4] =
    [Duration::from_secs(60), Duration::from_secs(300), Duration::from_secs(600), Duration::MAX];

/// The consumer that feeds the copy that a row of an entity points at, else its first copy that has one.
pub(super) fn feeds<'a>(entity: &'a Entity, row: &RowId) -> Option<&'a ConsumerId> {
    let fed = || entity.replicas.iter().filter(|replica| replica.consumer.is_some());
    let pointed =
        fed().find(|r| row.part.strip_prefix(r.service.as_str()).is_some_and(|p| p.starts_with(' ')));
    pointed.or_else(|| fed().next())?.consumer.as_ref()
}

/// Of what the newest message is, its channel and its position, for the thing of a row; why there is none.
fn newest_of(row: &RowId, snapshot: &Snapshot) -> Result<(String, ChannelId, u64), String> {
    let thing = row.thing.as_ref().ok_or("nothing is selected whose message could be followed")?;
    let id = match thing {
        Thing::Channel(id) => Some(id.clone()),
        Thing::Consumer(id) => snapshot.consumer(id).map(|consumer| consumer.channel.clone()),
        Thing::Flow(id) => snapshot.flow(id).and_then(|flow| flow.channel.clone()),
        Thing::Entity(id) => snapshot.entity(id).and_then(|entity| {
            snapshot.consumer(feeds(entity, row)?).map(|consumer| consumer.channel.clone())
        }),
        Thing::Service(_) | Thing::Store(_) | Thing::Source(_) => {
            return Err("select a consumer, a flow or a channel: it is theirs that can be followed".into());
        }
    };
    let channel = id.as_ref().and_then(|id| snapshot.channel(id)).filter(|channel| keeps(channel));
    let Some(channel) = channel else {
        return Err("no channel keeps its messages: what is not kept cannot be looked up".into());
    };
    if let Thing::Consumer(id) = thing
        && let Some(seq) = snapshot.consumer(id).and_then(|consumer| given_last(consumer))
    {
        let of = format!("that {} was given", id.as_str().rsplit('/').next().unwrap_or_default());
        return Ok((of, channel.report.id.clone(), seq));
    }
    match channel.report.last_seq {
        Some(seq) if seq > 0 && channel.report.messages != Some(0) => {
            Ok((format!("of {}", channel.report.name), channel.report.id.clone(), seq))
        }
        Some(_) => Err(format!("{} has no message now", channel.report.name)),
        None => Err(format!("the broker does not tell the newest position of {}", channel.report.name)),
    }
}

/// The newest message that is for a consumer which wants only some: the last one that it was given, when none waits. (Where some
/// wait, the newest of the channel is among what it has to come to.)
fn given_last(consumer: &Consumer) -> Option<u64> {
    let report = consumer.report.as_ref().filter(|report| !report.filters.is_empty())?;
    let nothing_waits = report.lag.exact() == Some(&0);
    report.delivered.map(|position| position.channel_seq).filter(|seq| nothing_waits && *seq > 0)
}
