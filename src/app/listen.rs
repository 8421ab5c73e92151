//! Listening to a channel's messages: which channel is meant, the dialog that says first what it does, and what can be done with a
//! message that was heard.

use std::fmt::Write as _;

use crate::model::command::{Command, ProbeLevel};
use crate::model::id::{ChannelId, escape};
use crate::model::message::Search;
use crate::model::observation::SourceState;
use crate::model::snapshot::{FlowKind, Snapshot, Thing};
use crate::model::subject::covers;
use crate::model::tap::{Content, HeardMessage, TapReport, TapState};

use super::item::heard_of;
use super::list::{ListId, RowId};
use super::search::{feeds, keeps};
use super::{App, Effect, Moment, Said, View};

/// Headers by which the message itself can be found again on a stream, the surest first.
const FOUND_BY: [&str; 3] = ["Nats-Msg-Id", "traceparent", "ce-id"];
/// Letters of a channel's name in the name of a file.
const FILE_NAME: usize = 60;

/// A dialog about one channel's messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tapping {
    /// Which channel.
    pub channel: ChannelId,
    /// To begin, or to stop.
    pub on: bool,
}

/// Whether a channel is listened to, or is about to be.
pub fn is_tapped(snapshot: &Snapshot, channel: &ChannelId) -> bool {
    tap_of(snapshot, channel).is_some_and(|tap| matches!(tap.state, TapState::Asked | TapState::Listening))
}

/// How listening to a channel goes.
pub fn tap_of<'a>(snapshot: &'a Snapshot, channel: &ChannelId) -> Option<&'a TapReport> {
    snapshot.taps.iter().find(|tap| tap.channel == *channel).map(|tap| &**tap)
}

/// The channel that belongs to what a row is about; why there is none.
fn channel_of(row: &RowId, snapshot: &Snapshot) -> Result<ChannelId, &'static str> {
    const SELECT: &str = "select a consumer, a flow or a copy: its channel can be listened to";
    let thing = row.thing.as_ref().ok_or(SELECT)?;
    match thing {
        Thing::Channel(id) => Ok(id.clone()),
        Thing::Consumer(id) => {
            snapshot.consumer(id).map(|consumer| consumer.channel.clone()).ok_or("it is no longer there")
        }
        Thing::Flow(id) => {
            let flow = snapshot.flow(id).ok_or("it is no longer there")?;
            let asked = || match flow.kind {
                FlowKind::Request => broker_of_subjects(snapshot, &flow.label),
                FlowKind::Event | FlowKind::Feed => None,
            };
            let channel = flow.channel.clone().or_else(asked);
            channel
                .ok_or("through which channel it flows is not known: : tap NAME listens to a channel by name")
        }
        Thing::Entity(id) => {
            let entity = snapshot.entity(id).ok_or("it is no longer there")?;
            let consumer = feeds(entity, row).and_then(|id| snapshot.consumer(id));
            consumer
                .map(|consumer| consumer.channel.clone())
                .ok_or("no consumer is known that feeds a copy of it")
        }
        Thing::Service(_) | Thing::Store(_) | Thing::Source(_) => Err(SELECT),
    }
}

/// A bare subject as a channel, where there is one broker alone that it can be on.
fn broker_of_subjects(snapshot: &Snapshot, subject: &str) -> Option<ChannelId> {
    let mut brokers = snapshot.sources.iter().filter(|source| &*source.report.kind == "nats");
    let first = brokers.next()?;
    (brokers.next().is_none() && !subject.is_empty()).then(|| ChannelId::subject(&first.id, subject))
}

impl App {
    /// Asks before listening to the channel of what is selected, or before stopping to.
    pub(super) fn ask_listen(&mut self, latest: &Snapshot, now: Moment) {
        let only = || match &*latest.taps {
            [tap] if self.view == View::Messages => Some(tap.channel.clone()),
            _ => None,
        };
        let found = match (self.selected(), only()) {
            (Some(row), _) => channel_of(row, latest).map_err(str::to_owned),
            (None, Some(channel)) => Ok(channel),
            (None, None) => {
                Err("nothing is selected whose channel could be listened to: : tap NAME does by name"
                    .to_owned())
            }
        };
        match found {
            Ok(channel) => {
                let on = !is_tapped(latest, &channel);
                self.ask_tap(Tapping { channel, on });
            }
            Err(why) => self.say(Said::failed(why), now),
        }
    }

    /// Opens the dialog about one channel.
    pub(super) fn ask_tap(&mut self, tapping: Tapping) {
        self.probe = Some(ProbeLevel::Tap);
        self.tapping = Some(tapping);
    }

    /// Does what the dialog asked.
    pub(super) fn change_tap(&mut self, tapping: Tapping, latest: &Snapshot, now: Moment) -> Effect {
        let Tapping { channel, on } = tapping;
        let name = latest.naming().local(channel.as_str()).to_owned();
        let tap = Command::Tap { channel, on };
        if !on {
            self.say(Said::done(format!("listening to {name} ends; what was heard stays to be read")), now);
            return Effect::Commands(vec![tap]);
        }
        // What is heard comes with later snapshots.
        self.paused = None;
        self.show(View::Messages);
        self.at_once = true;
        self.say(Said::done(format!("asked to listen to {name}")), now);
        let level = (latest.probe < ProbeLevel::Tap).then_some(Command::Probe(ProbeLevel::Tap));
        Effect::Commands(level.into_iter().chain([tap]).collect())
    }

    /// The message that is selected in the view of messages.
    pub fn heard<'a>(&self, snapshot: &'a Snapshot) -> Option<&'a HeardMessage> {
        let row = self.list(ListId::Heard).selected().filter(|_| self.view == View::Messages)?;
        heard_of(snapshot, row)
    }

    /// Follows the way of the selected message: it is looked for on its stream by what makes it one of a kind.
    pub(super) fn follow_heard(&mut self, latest: &Snapshot, now: Moment) -> Option<Effect> {
        let found = {
            let message = self.heard(self.frozen(latest))?;
            way_of(message, latest)
        };
        match found {
            Ok((channel, search)) => {
                let effect = self.find(&[channel], &search, None, latest, now);
                self.say(Said::done("looking for this message on its stream"), now);
                Some(effect)
            }
            Err(why) => {
                self.say(Said::failed(why), now);
                None
            }
        }
    }

    /// The snapshot to look things up in: the one that is drawn.
    fn frozen<'a>(&'a self, latest: &'a Snapshot) -> &'a Snapshot {
        self.paused.as_ref().map_or(latest, |paused| &paused.snapshot)
    }
}

/// Where a message is kept, and by what it can be found there.
fn way_of(message: &HeardMessage, snapshot: &Snapshot) -> Result<(ChannelId, Search), String> {
    // A value that was taken out finds nothing.
    let told = |name: &str| !message.payload.redacted.iter().any(|hidden| hidden.eq_ignore_ascii_case(name));
    let header = FOUND_BY.iter().filter(|name| told(name)).find_map(|wanted| {
        message.headers.iter().find(|(name, value)| name.eq_ignore_ascii_case(wanted) && !value.is_empty())
    });
    let Some((name, value)) = header else {
        return Err("its position is not known: it has no Nats-Msg-Id, traceparent or ce-id".to_owned());
    };
    let kept = snapshot.channels.iter().filter(|channel| keeps(channel));
    let own = kept.clone().find(|channel| channel.report.id == message.channel);
    let broker = message.channel.as_str().split('/').next().unwrap_or_default();
    let by_subject = || {
        let takes = |pattern: &str| covers(pattern, &message.subject);
        // Another broker may have a stream of the same subjects.
        let mut here = kept.clone().filter(|channel| *escape(channel.source.as_str()) == *broker);
        here.find(|channel| channel.report.subjects.iter().any(|pattern| takes(pattern)))
    };
    let Some(channel) = own.or_else(by_subject) else {
        return Err(format!("no stream is known that keeps {}", message.subject));
    };
    Ok((channel.report.id.clone(), Search::Header { name: name.clone(), value: value.clone() }))
}

/// A message as text to paste: subject, headers, an empty line, what is told of its payload. What was taken out of it stays out.
pub(super) fn copied(message: &HeardMessage) -> String {
    let mut text = message.subject.to_string();
    for (name, value) in &message.headers {
        let _ = write!(text, "\n{name}: {value}");
    }
    text.push_str("\n\n");
    match &message.payload.content {
        Content::Text(payload) => text.push_str(payload),
        Content::Binary(bytes) => {
            for (at, byte) in bytes.iter().enumerate() {
                let gap = if at == 0 {
                    ""
                } else if at.is_multiple_of(16) {
                    "\n"
                } else {
                    " "
                };
                let _ = write!(text, "{gap}{byte:02x}");
            }
        }
        Content::Withheld(why) => {
            let _ = write!(text, "(not shown: {why})");
        }
    }
    if message.payload.cut > 0 {
        let _ = write!(text, "\n({} bytes more are not told)", message.payload.cut);
    }
    // Lines may end as they do elsewhere. Pasted into a shell, a control character would be a key that somebody else presses.
    text.replace("\r\n", "\n")
        .chars()
        .map(|c| if c.is_control() && !matches!(c, '\n' | '\t') { '\u{fffd}' } else { c })
        .collect()
}

/// A message as a file: its payload, as far as it is told.
pub(super) fn saved(message: &HeardMessage, snapshot: &Snapshot) -> Result<Effect, String> {
    let (extension, bytes) = match &message.payload.content {
        Content::Text(text) => (extension(text), text.as_bytes().to_vec()),
        Content::Binary(bytes) => ("bin", bytes.to_vec()),
        Content::Withheld(why) => return Err(format!("cannot save it: what is in it is not told: {why}")),
    };
    let mut notes = Vec::new();
    if message.payload.cut > 0 {
        notes.push(format!("its last {} bytes are missing", message.payload.cut));
    }
    if !message.payload.redacted.is_empty() {
        notes.push("sensitive fields are taken out".to_owned());
    }
    let channel = file_name(snapshot.naming().local(message.channel.as_str()));
    Ok(Effect::Save {
        stem: format!("headwater-{channel}-{}", message.number),
        at: message.at,
        extension,
        bytes,
        note: notes.join(", "),
    })
}

fn extension(text: &str) -> &'static str {
    let (first, last) = (text.trim_start().chars().next(), text.trim_end().chars().next_back());
    match (first, last) {
        (Some('{'), Some('}')) | (Some('['), Some(']')) => "json",
        (Some('<'), Some('>')) => "xml",
        _ => "txt",
    }
}

/// A name that is harmless in a file system: letters, digits, `.`, `_` and `-`, and no dot at its start.
fn file_name(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' };
    let name: String = name.chars().take(FILE_NAME).map(safe).collect();
    let name = name.trim_start_matches('.');
    if name.is_empty() { "message".to_owned() } else { name.to_owned() }
}

/// Sources on which a subject can be listened to.
pub(super) fn sources(snapshot: &Snapshot) -> impl Iterator<Item = &crate::model::id::SourceId> {
    let up = |state: SourceState| !matches!(state, SourceState::Down);
    let sources = snapshot.sources.iter().filter(move |s| &*s.report.kind == "nats" && up(s.report.state));
    sources.map(|source| &source.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_harmlessly() {
        assert_eq!(file_name("ORDERS"), "ORDERS");
        assert_eq!(file_name("../../etc/passwd"), "_.._etc_passwd");
        assert_eq!(file_name("orders.>"), "orders._");
        assert_eq!(file_name("\u{1b}[31m日"), "__31m_");
        assert_eq!(file_name(".."), "message");
        assert_eq!(file_name(&"x".repeat(400)).len(), FILE_NAME);
    }

    #[test]
    fn the_extension_tells_what_it_looks_like() {
        assert_eq!(extension(" {\"a\":1}\n"), "json");
        assert_eq!(extension("[1"), "txt");
        assert_eq!(extension("<a/>"), "xml");
        assert_eq!(extension(""), "txt");
    }
}
