//! What is typed into the palette to listen to a channel's messages: `tap ORDERS`, `tap orders.created`, `untap ORDERS`.

use crate::model::id::{ChannelId, SourceId};
use crate::model::snapshot::{FlowKind, Snapshot};

use super::listen::{Tapping, is_tapped, sources};
use super::palette::{Choice, Run};

/// Channels that can be named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Taps {
    known: Vec<Known>,
    /// Brokers on which a subject that nobody has seen yet may be listened to.
    sources: Vec<SourceId>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Known {
    name: String,
    id: ChannelId,
    tapped: bool,
}

impl Taps {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let sources: Vec<SourceId> = sources(snapshot).cloned().collect();
        let asked =
            snapshot.flows.iter().filter(|flow| flow.kind == FlowKind::Request && flow.channel.is_none());
        let asked = asked.filter_map(|flow| match &*sources {
            [only] => Some(ChannelId::subject(only, &flow.label)),
            _ => None,
        });
        let ids = snapshot.channels.iter().map(|channel| channel.report.id.clone());
        let ids = ids.chain(snapshot.flows.iter().filter_map(|flow| flow.channel.clone())).chain(asked);
        let ids = ids.chain(snapshot.taps.iter().map(|tap| tap.channel.clone()));
        let naming = snapshot.naming();
        let mut known: Vec<Known> = ids
            .map(|id| Known {
                name: naming.local(id.as_str()).to_owned(),
                tapped: is_tapped(snapshot, &id),
                id,
            })
            .collect();
        known.sort_unstable();
        known.dedup();
        Self { known, sources }
    }
}

/// The commands of this file, as the palette lists them before anything is typed.
pub(super) fn openings() -> [Choice; 2] {
    [
        Choice::opening(
            "tap",
            "listen to the messages of a stream or subject: tap ORDERS; says first what it costs",
        ),
        Choice::opening("untap", "stop listening to the messages of a stream or subject: untap ORDERS"),
    ]
}

/// What a line may mean, when it begins with one of the commands of this file.
pub(super) fn choices(line: &str, taps: &Taps) -> Option<Vec<Choice>> {
    let line = line.trim_start();
    if let Some(rest) = line.strip_prefix("untap ") {
        return Some(found("untap", rest.trim(), taps, false));
    }
    line.strip_prefix("tap ").map(|rest| found("tap", rest.trim(), taps, true))
}

fn found(command: &str, wanted: &str, taps: &Taps, on: bool) -> Vec<Choice> {
    let lower = wanted.to_lowercase();
    let choice = |name: &str, id: ChannelId, about: &str| Choice {
        name: format!("{command} {name}"),
        about: about.to_owned(),
        run: Run::Tap(Tapping { channel: id, on }),
    };
    let matching = taps.known.iter().filter(|known| known.tapped != on);
    let mut matching: Vec<&Known> =
        matching.filter(|known| known.name.to_lowercase().contains(&lower)).collect();
    // What is exactly meant first, then what begins so.
    matching.sort_by_key(|known| (known.name != wanted, !known.name.to_lowercase().starts_with(&lower)));
    let about = if on { "listen to its messages: asks first" } else { "stop listening to its messages" };
    let mut out: Vec<Choice> =
        matching.iter().map(|known| choice(&known.name, known.id.clone(), about)).collect();
    let is_subject = !wanted.is_empty() && !wanted.contains(char::is_whitespace) && !wanted.starts_with('.');
    let unseen = on && is_subject && taps.known.iter().all(|known| known.name != wanted);
    for source in taps.sources.iter().filter(|_| unseen) {
        let about = match taps.sources.len() {
            1 => "listen to this subject: asks first".to_owned(),
            _ => format!("listen to this subject on {source}: asks first"),
        };
        out.push(choice(wanted, ChannelId::subject(source, wanted), &about));
    }
    if out.is_empty() {
        let line = format!("{command} {wanted}");
        let about = match (on, taps.known.iter().any(|known| known.tapped)) {
            (true, _) if taps.sources.is_empty() => {
                "no broker is connected whose messages could be listened to"
            }
            (true, _) => "write it as tap STREAM or tap SUBJECT",
            (false, true) => "no channel of that name is listened to",
            (false, false) => "no channel is listened to",
        };
        out.push(Choice { about: about.to_owned(), run: Run::Type(line.clone()), name: line });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taps() -> Taps {
        let known = [("ORDERS", "nats/ORDERS", true), ("ACCOUNTS", "nats/ACCOUNTS", false)]
            .map(|(name, id, tapped)| Known { name: name.into(), id: id.into(), tapped });
        Taps { known: known.to_vec(), sources: vec!["nats".into()] }
    }

    fn names(line: &str) -> Vec<String> {
        choices(line, &taps()).expect("it is a command of this file").into_iter().map(|c| c.name).collect()
    }

    #[test]
    fn known_channels_complete_and_a_subject_may_be_new() {
        assert_eq!(names("tap "), ["tap ACCOUNTS"]);
        assert_eq!(names("tap acc"), ["tap ACCOUNTS", "tap acc"]);
        assert_eq!(names("tap ACCOUNTS"), ["tap ACCOUNTS"]);
        assert_eq!(names("untap "), ["untap ORDERS"]);
        assert_eq!(names("untap ACC"), ["untap ACC"]);
        let new = choices("tap a.*.c", &taps()).expect("a command").remove(0);
        let channel = ChannelId::subject(&"nats".into(), "a.*.c");
        assert_eq!(new.run, Run::Tap(Tapping { channel, on: true }));
        assert!(choices("tapir", &taps()).is_none());
        let wrong = choices("tap a b", &taps()).expect("a command").remove(0);
        assert_eq!(wrong.about, "write it as tap STREAM or tap SUBJECT");
    }
}
