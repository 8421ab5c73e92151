//! What is said of single messages: the same words on screen and in `headwater trace`.

use std::time::Duration;

use crate::model::message::{MessageReport, PursuitReport, Search, SearchOutcome, SearchReport};
use crate::model::snapshot::Channel;
use crate::model::time::Timestamp;
use crate::model::trace::{Leg, LegState, Line, Origin, Trace};
use crate::ui::widget::number;
use crate::ui::widget::text::clean;

/// How it is known how far a message is at a consumer, or what it waits for and for how long.
pub fn why(leg: &Leg) -> String {
    let estimate = leg
        .estimate
        .map_or(String::new(), |e| format!(", about {} at its present rate", number::duration(e)));
    format!("{}{estimate}", leg.why)
}

/// For how long the message is there, on the clock that stamped it; `None` when that clock is not known.
pub fn waited(trace: &Trace, now: Timestamp) -> Option<Duration> {
    let message = &trace.message;
    let since_read = now.nanos_since(message.read_at).max(0);
    let nanos = message.read_on?.nanos_since(message.appended).saturating_add(since_read);
    u64::try_from(nanos).ok().map(Duration::from_nanos)
}

/// What is looked for.
pub fn wanted(search: &Search) -> String {
    let text = match search {
        Search::Seq(seq) => format!("#{seq}"),
        Search::Field { name, value } => format!("a message with {name}={value}"),
        Search::Header { name, value } => format!("a message with the header {name}: {value}"),
    };
    clean(&text).into_owned()
}

/// What a search came to, and what it cost, in one sentence; `further` says how to go on.
pub fn outcome(report: &SearchReport, further: impl Fn(u64) -> String) -> String {
    let what = wanted(&report.search);
    let channel = &report.channel;
    let messages = if report.looked_at == 1 { "message" } else { "messages" };
    let cost = format!("{} {messages}, {} read", report.looked_at, number::bytes(report.bytes as f64));
    let text = match &report.outcome {
        SearchOutcome::Found(seq) if report.search == Search::Seq(*seq) => {
            format!("{what} of {channel} is there ({cost})")
        }
        SearchOutcome::Found(seq) => format!("{what} is {channel} #{seq} ({cost})"),
        SearchOutcome::NotFrom(seq) => {
            format!("{channel}: {what} is not among those from #{seq} on ({cost}); {}", further(*seq))
        }
        SearchOutcome::NotThere => format!("{channel}: {what} is not there ({cost})"),
        SearchOutcome::Refused(why) => format!("{channel}: cannot look for {what}: {why}"),
    };
    clean(&text).into_owned()
}

/// Why a channel may lack what was looked for, as the end of a sentence: what it keeps, and whether anything is published on it
/// at all, as of a moment.
pub fn absent(channel: &Channel, search: &Search, now: Timestamp) -> String {
    let report = &channel.report;
    let kept = report.first_seq.zip(report.last_seq).filter(|(first, last)| first <= last);
    if let (Search::Seq(_), Some((first, last))) = (search, kept) {
        return format!("; it keeps #{first} to #{last}");
    }
    let usual =
        channel.history.usual().map_or_else(String::new, |rate| format!(", usually {}", number::rate(rate)));
    let last = match report.last_at {
        Some(at) if report.last_seq.is_some_and(|seq| seq > 0) => {
            format!("; its last message came {}{usual}", number::ago(now.age_since(at)))
        }
        _ => "; nothing was ever published on it".to_owned(),
    };
    match (kept, report.first_seq) {
        (Some((first, _)), _) if first > 1 => {
            format!("{last}; what it had before #{first} it no longer keeps")
        }
        (None, Some(first)) if first > 1 => format!("{last}; it keeps no message any more"),
        _ => last,
    }
}

/// Who of those that a message is for has it, and who has not, in one sentence.
pub fn verdict(trace: &Trace) -> String {
    let owed: Vec<&Leg> = trace.legs.iter().filter(|leg| leg.state != LegState::NotForIt).collect();
    if trace.legs.is_empty() {
        return "no consumer reads this channel".to_owned();
    }
    if owed.is_empty() {
        return "no consumer's filter matches it: nobody will have it".to_owned();
    }
    if let Some(nanos) = trace.convergence {
        return format!("everybody has it {} after it was stored", number::signed_nanos(nanos));
    }
    let of = |states: &[LegState]| -> Vec<&str> {
        owed.iter().filter(|leg| states.contains(&leg.state)).map(|leg| &*leg.name).collect()
    };
    let has: Vec<&&Leg> = owed.iter().filter(|leg| leg.state.has_it()).collect();
    let mut text = if has.len() == owed.len() {
        match has.len() {
            1 => "its one consumer has it".to_owned(),
            n => format!("all {n} have it"),
        }
    } else {
        format!("{} of {} have it", has.len(), owed.len())
    };
    let parts = [
        ("lost to", of(&[LegState::GaveUp, LegState::Missed, LegState::Terminated])),
        ("no consumer:", of(&[LegState::NoConsumer])),
        ("waits:", of(&[LegState::Waiting])),
        ("in flight:", of(&[LegState::InFlight])),
        ("not known:", of(&[LegState::Unknown])),
    ];
    for (word, names) in parts {
        if !names.is_empty() {
            text.push_str(&format!("; {word} {}", some(&names)));
        }
    }
    // Of those that have it: whoever waits was named last.
    match of(&[LegState::Passed]).len() {
        0 => {}
        passed if has.len() == owed.len() && passed == has.len() => text += "; since when is not known",
        passed if passed == has.len() => text += "; since when they have it is not known",
        passed => text += &format!("; since when {passed} of them have it is not known"),
    }
    clean(&text).into_owned()
}

/// The record that a message brings a version of, and when that was decided.
pub fn record(trace: &Trace) -> Option<String> {
    let record = trace.record.as_ref()?;
    let entity = record.entity.as_ref().map_or_else(String::new, |entity| format!("{entity} "));
    let by = if record.declared { "" } else { " (by its field alone: no key is declared)" };
    Some(
        clean(&format!("{entity}{}={}{by}  {}", record.name, record.value, trace.message.label()))
            .into_owned(),
    )
}

/// Whose doing a message is, as a sentence.
pub fn came_of(origin: &Origin) -> String {
    let of = format!("{} #{}", origin.message.channel, origin.message.seq);
    let by = match (&origin.consumer, &origin.service) {
        (Some(consumer), _) => format!(" by {}", consumer.as_str().rsplit('/').next().unwrap_or_default()),
        (None, Some(service)) => format!(", sent by {service}"),
        (None, None) => ", sent by nobody who is known".to_owned(),
    };
    clean(&format!("came of {of}{by}: {}", origin.link.words())).into_owned()
}

/// How long after it was decided a message was stored: two clocks, of which the first is not known to be right.
pub fn committed(message: &MessageReport) -> Option<String> {
    let commit = message.committed.as_ref()?;
    let nanos = message.appended.nanos_since(commit.at);
    let text = if nanos < 0 {
        format!(
            "decided {} after it was stored: the clocks disagree ({})",
            number::signed_nanos(-nanos),
            commit.by
        )
    } else {
        format!(
            "stored {} after it was decided ({}, on its sender's clock)",
            number::signed_nanos(nanos),
            commit.by
        )
    };
    Some(clean(&text).into_owned())
}

/// What came of a message, and where and at what cost that was looked for; `None` where it is not looked for.
pub fn consequences(trace: &Trace, story: &[Line<'_>]) -> Option<String> {
    let mut looked: Vec<&PursuitReport> = trace.looked.iter().collect();
    let came: Vec<&Line<'_>> = story.iter().filter(|line| line.leg.is_none()).collect();
    looked.extend(came.iter().flat_map(|line| &line.trace.looked));
    let first = looked.first()?;
    let mut places: Vec<&str> =
        looked.iter().map(|report| report.channel.as_str().rsplit('/').next().unwrap_or_default()).collect();
    places.sort_unstable();
    places.dedup();
    let count =
        |of: fn(&PursuitReport) -> u64| looked.iter().map(|report| of(report)).fold(0, u64::saturating_add);
    let (messages, bytes) = (count(|r| r.looked_at), count(|r| r.bytes));
    let cost = format!(
        "{} {}, {} read",
        number::count(messages),
        if messages == 1 { "message" } else { "messages" },
        number::bytes(bytes as f64)
    );
    let what = match came.len() {
        0 if looked.iter().any(|report| !report.caught_up && report.ended.is_none()) => {
            "looking for what came of it".to_owned()
        }
        0 => "nothing that came of it is found".to_owned(),
        1 => "1 message came of it".to_owned(),
        n => format!("{n} messages came of it"),
    };
    let mut text = format!("{what}; looked on {} ({cost})", some(&places));
    // Where it looked at less than there was.
    let short: Vec<&&PursuitReport> = looked.iter().filter(|report| !report.caught_up).collect();
    if let Some((report, why)) = short.iter().find_map(|report| Some((report, report.ended.as_ref()?))) {
        let place = report.channel.as_str().rsplit('/').next().unwrap_or_default();
        text += &format!("; on {place} only before #{}: {why}", report.next);
    } else if looked.iter().all(|report| report.ended.is_some()) {
        text += &format!("; {}", first.ended.as_deref().unwrap_or_default());
    }
    Some(clean(&text).into_owned())
}

/// The first few names.
fn some(names: &[&str]) -> String {
    const MOST: usize = 3;
    let shown: Vec<&str> = names.iter().take(MOST).copied().collect();
    let more = names.len().saturating_sub(MOST);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::measured::Measured;
    use crate::model::observation::{ChannelKind, ChannelReport, Retention};
    use crate::model::series::History;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_100_000);

    fn channel(first: u64, last: u64, last_at: Option<u64>) -> Channel {
        let unknown = || Measured::unknown("", NOW);
        Channel {
            report: ChannelReport {
                id: "main/ORDERS".into(),
                name: "ORDERS".into(),
                kind: ChannelKind::Stream,
                subjects: Vec::new(),
                fed_by: Vec::new(),
                messages: None,
                bytes: None,
                first_seq: Some(first),
                last_seq: Some(last),
                first_at: None,
                last_at: last_at.map(|ago| NOW.offset(-(ago as i64) * 1_000_000_000)),
                created_at: None,
                retention: Retention::default(),
                leader: None,
                replicas: None,
                distinct_subjects: None,
                consumers: None,
                description: None,
                metadata: BTreeMap::new(),
            },
            source: "main".into(),
            rate: unknown(),
            bytes_rate: unknown(),
            history: History::default(),
            producers: crate::model::snapshot::Producers::default(),
            senders: [].into(),
            evidence: crate::model::measured::Evidence::inferred(""),
        }
    }

    #[test]
    fn what_is_not_there_says_what_the_channel_keeps_and_whether_anything_comes() {
        let field = Search::Field { name: "user_id".into(), value: "42".into() };
        let said = |channel: &Channel, search: &Search| absent(channel, search, NOW);
        assert_eq!(said(&channel(1, 0, None), &field), "; nothing was ever published on it");
        assert_eq!(said(&channel(1, 9, Some(75)), &field), "; its last message came 1m15 ago");
        assert_eq!(
            said(&channel(5, 9, Some(75)), &field),
            "; its last message came 1m15 ago; what it had before #5 it no longer keeps"
        );
        assert_eq!(
            said(&channel(10, 9, Some(75)), &field),
            "; its last message came 1m15 ago; it keeps no message any more"
        );
        assert_eq!(said(&channel(5, 9, Some(75)), &Search::Seq(3)), "; it keeps #5 to #9");
    }
}
