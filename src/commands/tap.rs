//! The channels that a person names by `--tap`: which they are, asking for them, and saying how it goes where there is no screen.

use std::collections::BTreeMap;

use tokio::sync::mpsc::Sender;

use crate::cli::{Global, Tapped};
use crate::commands::CommandError;
use crate::model::command::{Command, ProbeLevel};
use crate::model::id::{ChannelId, SourceId};
use crate::model::snapshot::Snapshot;
use crate::model::subject::{wrong_name, wrong_subject};
use crate::model::tap::TapState;
use crate::settings::Settings;
use crate::ui::widget::text::clean;

/// What says that a subject is meant, where a stream could be.
const SUBJECT: &str = "subject:";
/// Channels that may be named: as many as a source listens to.
const MOST: usize = 32;

/// The flags with `--tap` understood: naming a channel is asking for the level that listens to it.
pub fn with_level(global: &Global, tapped: &Tapped) -> Result<Global, CommandError> {
    let mut global = global.clone();
    if !tapped.tap.is_empty() {
        if global.probe.is_some_and(|level| level != crate::cli::Probe::Tap) {
            return Err(CommandError::Usage(
                "--tap listens to messages, and only --probe tap does that".to_owned(),
            ));
        }
        global.probe = Some(crate::cli::Probe::Tap);
    }
    Ok(global)
}

/// The channels that are named.
pub fn channels(tapped: &Tapped, settings: &Settings) -> Result<Vec<ChannelId>, CommandError> {
    let sources: Vec<&SourceId> = settings.sources.iter().map(|source| &source.options.source).collect();
    if tapped.tap.len() > MOST {
        return Err(CommandError::Usage(format!("--tap: {MOST} channels may be named at most")));
    }
    tapped
        .tap
        .iter()
        .map(|text| channel(text, &sources))
        .collect::<Result<_, _>>()
        .map_err(CommandError::Usage)
}

/// `STREAM`, `SUBJECT` or `subject:SUBJECT`, of the one source or behind `SOURCE/`.
fn channel(text: &str, sources: &[&SourceId]) -> Result<ChannelId, String> {
    let of =
        |source: &&&SourceId| text.strip_prefix(source.as_str()).is_some_and(|rest| rest.starts_with('/'));
    let (source, rest) = match (sources.iter().find(of), sources) {
        (Some(source), _) => (*source, text.get(source.as_str().len() + 1..).unwrap_or_default()),
        (None, [source]) => (*source, text),
        (None, _) => {
            let names = sources.iter().map(|source| source.as_str()).collect::<Vec<_>>().join(", ");
            let (text, names) = (clean(text), clean(&names));
            return Err(format!("--tap {text}: say of which source, SOURCE/{text}; there are {names}"));
        }
    };
    let subject = rest.strip_prefix(SUBJECT).or_else(|| wrong_name(rest).map(|_| rest));
    match subject {
        Some(subject) => match wrong_subject(subject) {
            Some(why) => Err(format!("--tap {}: no subject: {why}", clean(text))),
            None => Ok(ChannelId::subject(source, subject)),
        },
        None if rest.is_empty() => Err("--tap: no channel is named".to_owned()),
        None => Ok(ChannelId::named(source, rest)),
    }
}

/// Asks for them. Sources hear of it as soon as they run.
pub fn ask(commands: &Sender<Command>, channels: Vec<ChannelId>) {
    for channel in channels {
        // There is room for as many as may be named; who does not listen any more needs no telling.
        let _ = commands.try_send(Command::Tap { channel, on: true });
    }
}

/// How it goes, as lines: each time that it goes otherwise.
#[derive(Default)]
pub struct Ways(BTreeMap<ChannelId, (TapState, String)>);

impl Ways {
    /// What is new since this was last asked.
    pub fn told(&mut self, snapshot: &Snapshot) -> Vec<String> {
        if snapshot.probe < ProbeLevel::Tap {
            return Vec::new();
        }
        let mut lines = Vec::new();
        for tap in snapshot.taps.iter().filter(|tap| tap.state != TapState::Asked) {
            let now = (tap.state, tap.why.to_string());
            if self.0.get(&tap.channel) != Some(&now) {
                let (channel, why) = (clean(tap.channel.as_str()), clean(&tap.why));
                lines.push(format!("{channel}: {}: {why}", tap.state.word()));
                self.0.insert(tap.channel.clone(), now);
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_named_as_people_write_it() {
        let (main, eu) = (SourceId::from("nats"), SourceId::from("eu"));
        let one = |text: &str| channel(text, &[&main]);
        assert_eq!(one("ORDERS"), Ok("nats/ORDERS".into()));
        assert_eq!(one("nats/ORDERS"), Ok("nats/ORDERS".into()));
        assert_eq!(one("accounts.get"), Ok("nats/subject:accounts.get".into()));
        assert_eq!(one("nats/accounts.>"), Ok("nats/subject:accounts.>".into()));
        assert_eq!(one("subject:ping"), Ok("nats/subject:ping".into()));
        assert_eq!(one("a..b"), Err("--tap a..b: no subject: a part between dots is empty".into()));
        assert_eq!(one(""), Err("--tap: no channel is named".into()));
        let two = |text: &str| channel(text, &[&main, &eu]);
        assert_eq!(two("eu/ORDERS"), Ok("eu/ORDERS".into()));
        let why = "--tap ORDERS: say of which source, SOURCE/ORDERS; there are nats, eu";
        assert_eq!(two("ORDERS"), Err(why.into()));
    }
}
