//! What is typed into the palette to find one message: `trace ORDERS 123`, `find user_id=42`,
//! `find header Nats-Msg-Id=o-17`, each with `in ORDERS` for one channel alone.

use crate::model::id::{ChannelId, Name};
use crate::model::message::Search;
use crate::model::snapshot::Snapshot;

use super::palette::{Choice, Run};
use super::search::keeps;

/// Channels that are searched when none is named.
pub(super) const MOST_CHANNELS: usize = 20;

/// A channel that messages can be looked up on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    name: Name,
    id: ChannelId,
    last: Option<u64>,
}

/// All of them.
pub(super) fn kept(snapshot: &Snapshot) -> Vec<Kept> {
    let kept = snapshot.channels.iter().filter(|channel| keeps(channel));
    let of = |channel: &std::sync::Arc<crate::model::snapshot::Channel>| Kept {
        name: channel.report.name.clone(),
        id: channel.report.id.clone(),
        last: channel.report.last_seq.filter(|seq| *seq > 0),
    };
    kept.map(of).collect()
}

/// The commands of this file, as the palette lists them before anything is typed.
pub(super) fn openings() -> [Choice; 2] {
    [
        Choice::opening("trace", "one message by its position: trace ORDERS 123; who has it, who waits"),
        Choice::opening(
            "find",
            "one message by what is in it: find user_id=42, find header Nats-Msg-Id=o-17",
        ),
    ]
}

/// What a line may mean, when it begins with one of the commands of this file.
pub(super) fn choices(line: &str, channels: &[Kept]) -> Option<Vec<Choice>> {
    let line = line.trim_start();
    if let Some(rest) = line.strip_prefix("trace ") {
        return Some(trace(rest.trim(), channels));
    }
    line.strip_prefix("find ").map(|rest| find(rest.trim(), channels))
}

/// A line that cannot be done as it is, and why.
fn wrong(line: String, why: impl Into<String>) -> Vec<Choice> {
    vec![Choice { about: why.into(), run: Run::Type(line.clone()), name: line }]
}

fn named<'a>(name: &str, channels: &'a [Kept]) -> Option<&'a Kept> {
    channels.iter().find(|channel| *channel.name == *name || channel.id.as_str() == name)
}

fn none_called(name: &str, channels: &[Kept]) -> String {
    if channels.is_empty() {
        return "no channel that keeps its messages is known".to_owned();
    }
    let known: Vec<&str> = channels.iter().take(6).map(|channel| &*channel.name).collect();
    format!("no channel {name}; there are {}", known.join(", "))
}

fn trace(rest: &str, channels: &[Kept]) -> Vec<Choice> {
    let mut words = rest.split_whitespace();
    let (name, position) = (words.next().unwrap_or_default(), words.next());
    let line = || format!("trace {rest}");
    let Some(position) = position else {
        let wanted = name.to_lowercase();
        let found = channels.iter().filter(|channel| channel.name.to_lowercase().contains(&wanted));
        let newest = |channel: &Kept| Choice {
            name: format!("trace {}", channel.name),
            about: channel.last.map_or_else(
                || "it has no message now".to_owned(),
                |last| format!("its newest message, #{last}; or type a position after it"),
            ),
            run: channel.last.map_or_else(
                || Run::Type(format!("trace {} ", channel.name)),
                |last| Run::Find(vec![channel.id.clone()], Search::Seq(last)),
            ),
        };
        let found: Vec<Choice> = found.map(newest).collect();
        return if found.is_empty() { wrong(line(), none_called(name, channels)) } else { found };
    };
    if words.next().is_some() {
        return wrong(line(), "write it as trace CHANNEL POSITION");
    }
    let Some(channel) = named(name, channels) else { return wrong(line(), none_called(name, channels)) };
    match position.trim_start_matches('#').parse() {
        Ok(seq) if seq > 0 => vec![Choice {
            name: line(),
            about: format!("follow message {seq} of {}", channel.name),
            run: Run::Find(vec![channel.id.clone()], Search::Seq(seq)),
        }],
        _ => wrong(line(), format!("{position} is no position: a whole number from 1 on")),
    }
}

fn find(rest: &str, channels: &[Kept]) -> Vec<Choice> {
    let line = || format!("find {rest}");
    let (header, pair) = match rest.strip_prefix("header") {
        Some(pair) if pair.is_empty() || pair.starts_with(' ') => (true, pair.trim_start()),
        _ => (false, rest),
    };
    // A value may have spaces in it; only the name of a channel that is there ends it.
    let (pair, only) = match pair.rsplit_once(" in ") {
        Some((before, name)) => match named(name.trim(), channels) {
            Some(channel) => (before.trim_end(), Some(channel)),
            None => (pair, None),
        },
        None => (pair, None),
    };
    let parts = pair.split_once('=').map(|(name, value)| (name.trim(), value.trim()));
    let Some((name, value)) = parts.filter(|(name, value)| !name.is_empty() && !value.is_empty()) else {
        let how = if header {
            "write it as find header NAME=VALUE, for example find header Nats-Msg-Id=o-17"
        } else {
            "write it as find NAME=VALUE for a field of a JSON payload, find header NAME=VALUE for a header"
        };
        return wrong(line(), how);
    };
    let by_header = Search::Header { name: name.into(), value: value.into() };
    let by_field = Search::Field { name: name.into(), value: value.into() };
    let searches = match header {
        true => vec![("header ", by_header)],
        // Fields hardly ever have a dash, headers mostly.
        false if name.contains('-') || name.eq_ignore_ascii_case("traceparent") => {
            vec![("header ", by_header), ("", by_field)]
        }
        false => vec![("", by_field), ("header ", by_header)],
    };
    let (scope, where_to): (&[Kept], String) = match only {
        Some(channel) => (std::slice::from_ref(channel), format!(" in {}", channel.name)),
        None => (channels, String::new()),
    };
    if scope.is_empty() {
        return wrong(line(), none_called("to look on", channels));
    }
    let (mut out, mut single) = (Vec::new(), Vec::new());
    for (word, search) in searches {
        let what = if word.is_empty() { "field of its JSON payload" } else { "header" };
        if scope.len() <= MOST_CHANNELS {
            let on = match (only, scope.len()) {
                (Some(_), _) | (None, 1) => String::new(),
                (None, n) => format!(", on all {n} channels"),
            };
            out.push(Choice {
                name: format!("find {word}{name}={value}{where_to}"),
                about: format!("follow the newest message with this {what}{on}"),
                run: Run::Find(scope.iter().map(|channel| channel.id.clone()).collect(), search.clone()),
            });
        }
        if only.is_none() && (scope.len() > 1) {
            single.extend(scope.iter().map(|channel| Choice {
                name: format!("find {word}{name}={value} in {}", channel.name),
                about: format!("the same on {} alone", channel.name),
                run: Run::Find(vec![channel.id.clone()], search.clone()),
            }));
        }
    }
    out.extend(single);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channels() -> Vec<Kept> {
        [("ORDERS", Some(812)), ("ACCOUNTS", Some(7)), ("EMPTY", None)]
            .map(|(name, last)| Kept { name: name.into(), id: ChannelId::new(format!("nats/{name}")), last })
            .to_vec()
    }

    fn first(line: &str) -> Choice {
        choices(line, &channels()).expect("it is a command of this file").remove(0)
    }

    fn field(name: &str, value: &str) -> Search {
        Search::Field { name: name.into(), value: value.into() }
    }

    fn header(name: &str, value: &str) -> Search {
        Search::Header { name: name.into(), value: value.into() }
    }

    #[test]
    fn a_position_on_a_channel() {
        let orders = || vec![ChannelId::from("nats/ORDERS")];
        assert_eq!(first("trace ORDERS 123").run, Run::Find(orders(), Search::Seq(123)));
        assert_eq!(first("  trace nats/ORDERS  #123 ").run, Run::Find(orders(), Search::Seq(123)));
        assert_eq!(first("trace ord").run, Run::Find(orders(), Search::Seq(812)), "its newest");
        assert_eq!(first("trace EMPTY").run, Run::Type("trace EMPTY ".to_owned()));
        for (line, why) in [
            ("trace ORDRS 5", "no channel ORDRS; there are ORDERS, ACCOUNTS, EMPTY"),
            ("trace ORDERS x", "x is no position: a whole number from 1 on"),
            ("trace ORDERS 0", "0 is no position: a whole number from 1 on"),
            ("trace ORDERS -1", "-1 is no position: a whole number from 1 on"),
            (
                "trace ORDERS 99999999999999999999",
                "99999999999999999999 is no position: a whole number from 1 on",
            ),
            ("trace ORDERS 1 2", "write it as trace CHANNEL POSITION"),
        ] {
            let choice = first(line);
            assert_eq!((choice.about.as_str(), &choice.run), (why, &Run::Type(line.to_owned())));
        }
    }

    #[test]
    fn a_field_or_a_header() {
        let Run::Find(on, search) = first("find user_id=42").run else { panic!("it can be looked for") };
        assert_eq!((on.len(), search), (3, field("user_id", "42")));
        let Run::Find(on, search) = first("find user_id=42 in ORDERS").run else { panic!("one channel") };
        assert_eq!((on, search), (vec!["nats/ORDERS".into()], field("user_id", "42")));
        let Run::Find(_, search) = first("find city=Bad Tölz in Bayern").run else {
            panic!("no such channel")
        };
        assert_eq!(search, field("city", "Bad Tölz in Bayern"), "a value may have spaces");
        let Run::Find(_, search) = first("find header Nats-Msg-Id=o-17").run else { panic!("a header") };
        assert_eq!(search, header("Nats-Msg-Id", "o-17"));
        let Run::Find(_, search) = first("find traceparent=00-ab-cd-01").run else { panic!("a header") };
        assert_eq!(search, header("traceparent", "00-ab-cd-01"));
        for line in ["find ", "find user_id", "find =42", "find user_id=", "find header", "find header x"] {
            assert!(matches!(first(line).run, Run::Type(_)), "{line}");
        }
    }

    #[test]
    fn what_is_no_command_of_this_file_is_left_to_others() {
        assert_eq!(choices("tracer", &channels()), None);
        assert_eq!(choices("quit", &channels()), None);
        assert!(matches!(
            choices("find a=b", &[]).as_deref(),
            Some([Choice { about, .. }]) if about == "no channel that keeps its messages is known"
        ));
    }
}
