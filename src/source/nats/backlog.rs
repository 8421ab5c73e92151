//! Which message a consumer still has to process first, and when it was stored: the root of staleness.
//!
//! Everything here is about the positions of one poll, and pure: [`Work::of`] says what is left, [`Finds`]
//! remembers what the stream answered before, and [`look`] puts the two together or says what to ask.
//!
//! * Nothing pending and nothing in flight: no backlog, whatever the floor says. A floor stuck behind
//!   messages that were given up is not staleness.
//! * Only pending: the first message that matches the filters and comes after the last one delivered.
//! * In flight: the first matching message after the floor, *when that one must still be in flight*.
//!   The broker moves the floor over acknowledged messages up to the next one in flight, in the order of their
//!   first delivery, so this holds unless a message was given up (which never acknowledges, and stops the
//!   floor): it holds when there is no limit of deliveries, and when all deliveries above the floor are in flight.
//!   Else the truth is between that message and the one that would be oldest if the newest were in flight.
//! * In flight, and nothing acknowledged in order yet: servers before 2.10, and consumers with copies, tell a floor of 0
//!   then, wherever the consumer began. The first that it was handed is the oldest ([`Begin`] says what is known of it).

use std::collections::{BTreeMap, HashMap};

use super::consumers::{ConsumerInfo, Sequences};
use super::streams::StreamInfo;
use crate::model::id::Name;
use crate::model::measured::Bounds;
use crate::model::observation::AckPolicy;
use crate::model::time::{Mono, Timestamp};

/// More filters than this are not asked one by one.
const MOST_FILTERS: usize = 16;
/// The filter that takes everything.
const ALL: &str = ">";
/// What is remembered per stream, at most.
const MOST_FINDS: usize = 16_384;
/// What nobody needed for this long is forgotten.
const FORGET_AFTER: std::time::Duration = std::time::Duration::from_secs(120);

/// What a consumer has left to do, as of one poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Work {
    /// The filters to look with.
    pub filters: Vec<Name>,
    /// The oldest is the first match after this.
    pub after: u64,
    /// Where that is not certain: the oldest is not later than the first message of any subject from here on.
    pub not_later_than: Option<u64>,
    /// How it is found, in words.
    pub how: &'static str,
    /// A message in flight lies at or below this: a later find means that the position has moved on.
    pub up_to: Option<u64>,
    /// Messages older than this may have been left out on purpose (a consumer of the last per subject).
    pub skips_before: Option<Timestamp>,
    /// The first match may be from before the consumer began.
    pub begins: Option<Begin>,
}

/// Where a consumer began that tells no position of its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Begin {
    /// Its first message was not stored before this.
    earliest: Timestamp,
    /// A first match that was stored from here on is its first message.
    sure: Timestamp,
    /// The oldest in flight is not later than the first message of any subject from here on.
    not_later_than: u64,
}

/// A creation time may be that much off: a server before 2.10 tells a later one after a restart, and the server that made the
/// consumer need not be the one that stamps the messages.
const CREATION_IS_WITHIN: i64 = 1_000_000_000;

/// Where a consumer began of which nothing is acknowledged in order: the position right before, at least, and what is not
/// certain of it. `delivered` is above 0.
fn beginning(
    info: &ConsumerInfo,
    stream: &StreamInfo,
    delivered: Sequences,
    in_flight: u64,
) -> (u64, Option<Begin>) {
    let config = &info.config;
    let last = delivered.stream_seq;
    // One delivery is that of the newest; of a whole stream there were no more messages than deliveries.
    let all = info.filters().is_empty() && config.deliver_policy != "last_per_subject";
    let whole = all && is_whole_from(stream, last.saturating_sub(delivered.consumer_seq).saturating_add(1));
    let after =
        if whole || delivered.consumer_seq == 1 { last.saturating_sub(delivered.consumer_seq) } else { 0 };
    let (earliest, sure) = match config.deliver_policy.as_str() {
        "" | "all" => return (after, None),
        "by_start_sequence" => {
            // Not told: then anywhere.
            let Some(from) = config.opt_start_seq else {
                return (after, Some(Begin::anywhere(last, in_flight)));
            };
            return (after.max(from.saturating_sub(1)), None);
        }
        "by_start_time" => (config.opt_start_time, config.opt_start_time),
        "new" => (
            info.created.map(|created| created.offset(-CREATION_IS_WITHIN)),
            info.created.map(|created| created.offset(CREATION_IS_WITHIN)),
        ),
        _ => (None, None),
    };
    let anywhere = Begin::anywhere(last, in_flight);
    let begin = Begin {
        earliest: earliest.unwrap_or(anywhere.earliest),
        sure: sure.unwrap_or(anywhere.sure),
        ..anywhere
    };
    (after, Some(begin))
}

impl Begin {
    /// Nothing is known but that so many messages are in flight up to `last`.
    fn anywhere(last: u64, in_flight: u64) -> Self {
        Self {
            earliest: Timestamp(i64::MIN),
            sure: Timestamp(i64::MAX),
            not_later_than: last.saturating_add(1).saturating_sub(in_flight),
        }
    }
}

/// Whether each sequence number from `from` to the stream's newest is a message that is there.
fn is_whole_from(stream: &StreamInfo, from: u64) -> bool {
    match (stream.state.messages, stream.state.first_seq, stream.state.last_seq) {
        (Some(messages), Some(first), Some(last)) => {
            last.saturating_add(1).checked_sub(first) == Some(messages) && first <= from
        }
        _ => false,
    }
}

impl Work {
    /// What is left, or `None` when nothing is or it cannot be told.
    pub(super) fn of(info: &ConsumerInfo, stream: &StreamInfo) -> Option<Self> {
        let pending = info.num_pending?;
        let in_flight = if info.ack() == AckPolicy::None { 0 } else { info.num_ack_pending? };
        let delivered = info.delivered?;
        let mut filters: Vec<Name> = info.filters().into_iter().map(Into::into).collect();
        let too_many = filters.len() > MOST_FILTERS;
        if filters.is_empty() || too_many {
            filters = vec![ALL.into()];
        }
        // The broker puts the position of a new one right before the first that it will deliver.
        let skips = info.config.deliver_policy == "last_per_subject" && delivered.consumer_seq > 0;
        let skips_before = if skips { info.created } else { None };
        if in_flight > 0 {
            let mut floor = info.ack_floor?;
            let mut begins = None;
            if (floor.consumer_seq, floor.stream_seq) == (0, 0) && delivered.consumer_seq > 0 {
                (floor.stream_seq, begins) = beginning(info, stream, delivered, in_flight);
            }
            let youngest = delivered
                .stream_seq
                .saturating_add(1)
                .saturating_sub(in_flight)
                .max(floor.stream_seq.saturating_add(1));
            let certain = !too_many && floor_leads_to_work(info, stream, floor, in_flight);
            return Some(Self {
                filters,
                after: floor.stream_seq,
                not_later_than: (!certain).then_some(youngest),
                how: if certain {
                    "first message after the acknowledged ones"
                } else {
                    "between the first message after the acknowledged ones and the newest that can be in flight"
                },
                up_to: Some(delivered.stream_seq),
                skips_before: None,
                begins,
            });
        }
        (pending > 0).then(|| Self {
            filters,
            after: delivered.stream_seq,
            not_later_than: too_many.then_some(stream.state.last_seq.unwrap_or(u64::MAX)),
            how: "first message not yet delivered",
            up_to: None,
            skips_before,
            begins: None,
        })
    }
}

/// Whether the first match after the floor must still be in flight: see the module.
fn floor_leads_to_work(info: &ConsumerInfo, stream: &StreamInfo, floor: Sequences, in_flight: u64) -> bool {
    let Some(delivered) = info.delivered else { return false };
    let never_gives_up = info.config.max_deliver.is_none_or(|most| most <= 0);
    if never_gives_up {
        return true;
    }
    let deliveries = delivered.consumer_seq.saturating_sub(floor.consumer_seq);
    if deliveries == in_flight {
        return true;
    }
    // One delivery for each message above the floor: none was delivered twice, so none ran out of deliveries.
    is_whole_from(stream, floor.stream_seq.saturating_add(1))
        && info.filters().is_empty()
        && info.config.max_deliver != Some(1)
        && deliveries == delivered.stream_seq.saturating_sub(floor.stream_seq)
}

/// A question to the stream: the first message from `from` on that matches `filter`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub filter: Name,
    pub from: u64,
}

/// A message as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    pub seq: u64,
    pub time: Timestamp,
}

/// One answer: in `from..upto` there is no match, and at `upto` there is `found` (if any).
#[derive(Clone, Copy, Debug)]
struct Find {
    from: u64,
    upto: u64,
    found: Option<Found>,
    used: Mono,
}

/// What one stream answered before. Valid for as long as the stream is the same: matches appear at its end only.
/// They disappear at its beginning, and anywhere when messages are removed one by one (work queues, one per subject).
#[derive(Debug, Default)]
pub(super) struct Finds {
    created: Option<Timestamp>,
    removed: Option<u64>,
    by_filter: HashMap<Name, Vec<Find>>,
}

/// What is known about one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Is(Option<Found>),
    Ask { from: u64 },
}

impl Finds {
    /// Another stream under the old name, or one that has lost its beginning: what is no longer so is forgotten.
    pub(super) fn follow(&mut self, stream: &StreamInfo, now: Mono) {
        if self.created != stream.created {
            self.by_filter.clear();
            self.created = stream.created;
        }
        let first = stream.state.first_seq.unwrap_or(0);
        let last = stream.state.last_seq.unwrap_or(0);
        let removed = stream
            .state
            .messages
            .and_then(|left| last.saturating_add(1).checked_sub(first)?.checked_sub(left));
        if removed != self.removed {
            // What was found may be among the removed; what was not there still is not.
            for find in self.by_filter.values_mut().flatten() {
                find.found = None;
            }
            self.removed = removed;
        }
        for finds in self.by_filter.values_mut() {
            finds.retain(|find| {
                let gone = find.found.is_some_and(|found| found.seq < first || found.seq > last);
                !gone && now.since(find.used) < FORGET_AFTER
            });
        }
        self.by_filter.retain(|_, finds| !finds.is_empty());
        if self.by_filter.values().map(Vec::len).sum::<usize>() > MOST_FINDS {
            self.by_filter.clear();
        }
    }

    /// Enters an answer. `last` is a sequence number up to which the stream certainly had been searched.
    pub(super) fn enter(&mut self, question: &Question, found: Option<Found>, last: u64, now: Mono) {
        let upto = found.map_or(last.saturating_add(1).max(question.from), |found| found.seq);
        if upto < question.from {
            return;
        }
        let finds = self.by_filter.entry(question.filter.clone()).or_default();
        let mut from = question.from;
        // Takes over the emptiness before it that is known already.
        finds.retain(|find| {
            let joins = find.found.is_none() && find.upto == question.from;
            if joins {
                from = find.from;
            }
            !joins
        });
        finds.push(Find { from, upto, found, used: now });
    }

    /// The first match from `from` on.
    fn get(&mut self, filter: &Name, from: u64, stream: &StreamInfo, now: Mono) -> Known {
        let state = &stream.state;
        let last = state.last_seq.unwrap_or(0);
        if &**filter == ALL && state.messages != Some(0) {
            // The two ends of the stream are told with it.
            let ends = [(state.first_seq, state.first_ts, 0), (state.last_seq, state.last_ts, last)];
            for (seq, time, since) in ends {
                if let (Some(seq), Some(time)) = (seq, time)
                    && (since..=seq).contains(&from)
                {
                    return Known::Is(Some(Found { seq, time }));
                }
            }
        }
        let Some(finds) = self.by_filter.get_mut(filter) else { return Known::Ask { from } };
        let Some(find) = finds.iter_mut().find(|find| find.from <= from && from <= find.upto) else {
            return Known::Ask { from };
        };
        find.used = now;
        match find.found {
            Some(found) => Known::Is(Some(found)),
            None if find.upto > last => Known::Is(None),
            None => Known::Ask { from: find.upto },
        }
    }
}

/// The outcome of [`look`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// The oldest message left, and its sequence number.
    Oldest(Bounds<Timestamp>, u64),
    /// This has to be asked first.
    Ask(Question),
    /// The position has moved on since it was read: nothing can be said of it.
    Stale,
}

/// Finds the oldest message left from what is known, or the next question.
pub(super) fn look(work: &Work, finds: &mut Finds, stream: &StreamInfo, now: Mono) -> Look {
    let mut oldest: Option<Found> = None;
    for filter in &work.filters {
        match finds.get(filter, work.after.saturating_add(1), stream, now) {
            Known::Ask { from } => return Look::Ask(Question { filter: filter.clone(), from }),
            Known::Is(found) => oldest = oldest.into_iter().chain(found).min(),
        }
    }
    let Some(oldest) = oldest else { return Look::Stale };
    if work.up_to.is_some_and(|up_to| oldest.seq > up_to) {
        return Look::Stale;
    }
    let mut latest = oldest.time;
    let begins = work.begins.filter(|begins| oldest.time < begins.sure);
    let not_later_than = work.not_later_than.or(begins.map(|begins| begins.not_later_than));
    if let Some(from) = not_later_than
        && from > oldest.seq
    {
        match finds.get(&ALL.into(), from, stream, now) {
            Known::Ask { from } => return Look::Ask(Question { filter: ALL.into(), from }),
            Known::Is(Some(found)) => latest = latest.max(found.time),
            // Nothing that young is left in the stream.
            Known::Is(None) => latest = latest.max(stream.state.last_ts.unwrap_or(oldest.time)),
        }
    }
    if let Some(created) = work.skips_before
        && oldest.time < created
    {
        latest = latest.max(stream.state.last_ts.unwrap_or(created));
    }
    // Clocks that disagree may put the beginning after all of it: then it says nothing.
    let earliest = begins.map(|begins| begins.earliest).filter(|earliest| *earliest < latest);
    let earliest = earliest.map_or(oldest.time, |earliest| earliest.max(oldest.time));
    Look::Oldest(Bounds::between(earliest, latest), oldest.seq)
}

/// What can be said when no message can be read: it is one of those in the stream.
pub(super) fn unread(stream: &StreamInfo, why: &str) -> (Bounds<Timestamp>, String) {
    match (stream.state.first_ts, stream.state.last_ts) {
        (Some(first), Some(last)) => (
            Bounds::between(first, last),
            format!("between the first and the last message of the stream ({why})"),
        ),
        _ => (Bounds::unknown(why), "the message was not read".to_owned()),
    }
}

/// What is remembered of all streams.
#[derive(Debug, Default)]
pub(super) struct Memory {
    streams: BTreeMap<Name, Finds>,
}

impl Memory {
    pub(super) fn stream(&mut self, name: &Name) -> &mut Finds {
        self.streams.entry(name.clone()).or_default()
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&Name) -> bool) {
        self.streams.retain(|name, _| keep(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consumer(json: &str) -> ConsumerInfo {
        serde_json::from_str(json).unwrap()
    }

    fn stream(first: u64, last: u64, messages: u64) -> StreamInfo {
        let text = format!(
            r#"{{"config":{{"name":"S"}},"created":"2026-01-01T00:00:00Z","state":{{"messages":{messages},"first_seq":{first},"last_seq":{last},"last_ts":"2026-01-01T01:00:00Z"}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn at(seq: u64) -> Found {
        Found { seq, time: Timestamp::from_millis(i64::try_from(seq).unwrap() * 1000) }
    }

    /// Answers every question like a stream whose messages `yes` says match the filter.
    fn answer(
        work: &Work,
        finds: &mut Finds,
        stream: &StreamInfo,
        yes: impl Fn(&str, u64) -> bool,
    ) -> (Look, usize) {
        let last = stream.state.last_seq.unwrap();
        for asked in 0..20 {
            match look(work, finds, stream, Mono(0)) {
                Look::Ask(question) => {
                    let found = (question.from.max(stream.state.first_seq.unwrap())..=last)
                        .find(|seq| yes(&question.filter, *seq));
                    finds.enter(&question, found.map(at), last, Mono(0));
                }
                done => return (done, asked),
            }
        }
        panic!("asks for ever");
    }

    #[test]
    fn the_ends_of_a_stream_are_known_without_asking() {
        let info = consumer(&position(0, r#""num_pending":20,"num_ack_pending":0"#));
        let mut stream = stream(5, 20, 16);
        stream.state.first_ts = Some(at(5).time);
        let mut finds = Finds::default();
        let work = Work::of(&info, &stream).unwrap();
        assert_eq!(look(&work, &mut finds, &stream, Mono(0)), Look::Oldest(Bounds::Exact(at(5).time), 5));
        let info = consumer(&position(19, r#""num_pending":1,"num_ack_pending":0"#));
        let work = Work::of(&info, &stream).unwrap();
        let last = stream.state.last_ts.unwrap();
        assert_eq!(look(&work, &mut finds, &stream, Mono(0)), Look::Oldest(Bounds::Exact(last), 20));
        let (bounds, _) = unread(&stream, "denied");
        assert_eq!(bounds, Bounds::Between { lo: at(5).time, hi: last });
    }

    fn position(after: u64, extra: &str) -> String {
        format!(r#"{{"name":"c","delivered":{{"consumer_seq":{after},"stream_seq":{after}}},{extra}}}"#)
    }

    #[test]
    fn nothing_left_is_no_backlog_even_with_a_stuck_floor() {
        let info = consumer(
            r#"{"name":"c","config":{"max_deliver":1},"delivered":{"consumer_seq":3,"stream_seq":3},
                "ack_floor":{"consumer_seq":0,"stream_seq":0},"num_pending":0,"num_ack_pending":0}"#,
        );
        assert_eq!(Work::of(&info, &stream(1, 3, 3)), None);
        let untold = consumer(r#"{"name":"c","num_ack_pending":0}"#);
        assert_eq!(Work::of(&untold, &stream(1, 3, 3)), None);
    }

    #[test]
    fn the_oldest_of_several_filters() {
        let extra = r#""config":{"filter_subjects":["a","b","c"]},"num_pending":4,"num_ack_pending":0"#;
        let info = consumer(&position(4, extra));
        let stream = stream(1, 20, 20);
        let work = Work::of(&info, &stream).unwrap();
        let mut finds = Finds::default();
        let matches = |filter: &str, seq: u64| match filter {
            "a" => seq == 9,
            "b" => seq == 7 || seq == 15,
            _ => false,
        };
        let (look, asked) = answer(&work, &mut finds, &stream, matches);
        assert_eq!((look, asked), (Look::Oldest(Bounds::Exact(at(7).time), 7), 3));
        // The same position asks nothing, and one further on only what has changed.
        assert_eq!(answer(&work, &mut finds, &stream, matches).1, 0);
        let later = Work { after: 7, ..work };
        let (look, asked) = answer(&later, &mut finds, &stream, matches);
        assert_eq!((look, asked), (Look::Oldest(Bounds::Exact(at(9).time), 9), 1));
    }

    #[test]
    fn an_idle_filter_is_searched_only_where_the_stream_grew() {
        let mut finds = Finds::default();
        let filter: Name = "quiet".into();
        finds.enter(&Question { filter: filter.clone(), from: 5 }, None, 20, Mono(0));
        assert_eq!(finds.get(&filter, 6, &stream(1, 20, 20), Mono(0)), Known::Is(None));
        assert_eq!(finds.get(&filter, 6, &stream(1, 30, 30), Mono(0)), Known::Ask { from: 21 });
        finds.enter(&Question { filter: filter.clone(), from: 21 }, Some(at(25)), 30, Mono(0));
        assert_eq!(finds.get(&filter, 6, &stream(1, 30, 30), Mono(0)), Known::Is(Some(at(25))));
        assert_eq!(finds.get(&filter, 4, &stream(1, 30, 30), Mono(0)), Known::Ask { from: 4 });
    }

    #[test]
    fn without_a_limit_of_deliveries_the_floor_leads_to_the_oldest() {
        let info = consumer(
            r#"{"name":"c","config":{"max_deliver":-1},"delivered":{"consumer_seq":25,"stream_seq":20},
                "ack_floor":{"consumer_seq":2,"stream_seq":2},"num_pending":5,"num_ack_pending":1}"#,
        );
        let stream = stream(1, 25, 25);
        let work = Work::of(&info, &stream).unwrap();
        let (look, _) = answer(&work, &mut Finds::default(), &stream, |_, _| true);
        assert_eq!(look, Look::Oldest(Bounds::Exact(at(3).time), 3));
    }

    #[test]
    fn after_a_possible_give_up_the_oldest_is_between_bounds() {
        let info = consumer(
            r#"{"name":"c","config":{"max_deliver":2},"delivered":{"consumer_seq":11,"stream_seq":8},
                "ack_floor":{"consumer_seq":1,"stream_seq":1},"num_pending":12,"num_ack_pending":2}"#,
        );
        let stream = stream(1, 20, 20);
        let work = Work::of(&info, &stream).unwrap();
        let (look, _) = answer(&work, &mut Finds::default(), &stream, |_, _| true);
        assert_eq!(look, Look::Oldest(Bounds::Between { lo: at(2).time, hi: at(7).time }, 2));
    }

    /// In flight from the beginning, in a whole stream of 20 (message n was stored at second n): what is told of the oldest.
    fn first_in_flight(
        config: &str,
        delivered: (u64, u64),
        in_flight: u64,
        messages: u64,
    ) -> Bounds<Timestamp> {
        let info = consumer(&format!(
            r#"{{"name":"c","created":"1970-01-01T00:00:12Z","config":{{"max_deliver":-1,{config}}},
                "delivered":{{"consumer_seq":{},"stream_seq":{}}},
                "ack_floor":{{"consumer_seq":0,"stream_seq":0}},"num_pending":2,"num_ack_pending":{in_flight}}}"#,
            delivered.0, delivered.1
        ));
        let stream = stream(1, 20, messages);
        let work = Work::of(&info, &stream).unwrap();
        match answer(&work, &mut Finds::default(), &stream, |filter, seq| filter == ALL || seq % 2 == 0).0 {
            Look::Oldest(oldest, _) => oldest,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_floor_that_never_moved_is_not_the_beginning_of_the_stream() {
        let exact = |seq: u64| Bounds::Exact(at(seq).time);
        let between = |lo: u64, hi: u64| Bounds::Between { lo: at(lo).time, hi: at(hi).time };
        let all = r#""deliver_policy":"all""#;
        assert_eq!(first_in_flight(all, (3, 3), 3, 20), exact(1));
        let seq = r#""deliver_policy":"by_start_sequence","opt_start_seq":6"#;
        assert_eq!(first_in_flight(seq, (2, 7), 2, 20), exact(6));
        // One of three is acknowledged, out of order; and where the stream has holes.
        assert_eq!(first_in_flight(seq, (3, 8), 2, 20), exact(6));
        assert_eq!(first_in_flight(seq, (3, 8), 2, 15), exact(6));
        let filtered = r#""deliver_policy":"by_start_sequence","opt_start_seq":7,"filter_subject":"even""#;
        assert_eq!(first_in_flight(filtered, (2, 10), 2, 20), exact(8));
        for policy in ["new", "last"] {
            let config = format!(r#""deliver_policy":"{policy}""#);
            assert_eq!(first_in_flight(&config, (1, 13), 1, 20), exact(13), "{policy}");
            assert_eq!(first_in_flight(&config, (3, 15), 3, 20), exact(13), "{policy}");
            // Five deliveries, of which some came again or were acknowledged.
            assert_eq!(first_in_flight(&config, (5, 16), 3, 20), between(12, 14), "{policy}");
        }
        // With holes or a filter the number of deliveries does not lead back; the creation does.
        let new = r#""deliver_policy":"new""#;
        assert_eq!(first_in_flight(new, (3, 15), 3, 15), between(11, 13));
        let last = r#""deliver_policy":"last""#;
        assert_eq!(first_in_flight(last, (3, 15), 3, 15), between(1, 13));
        let time = r#""deliver_policy":"by_start_time","opt_start_time":"1970-01-01T00:00:10Z""#;
        assert_eq!(first_in_flight(time, (2, 11), 2, 20), exact(10));
        let filtered = r#""deliver_policy":"by_start_time","opt_start_time":"1970-01-01T00:00:10Z","filter_subject":"even""#;
        assert_eq!(first_in_flight(filtered, (2, 12), 2, 20), between(10, 11));
        let early = r#""deliver_policy":"by_start_time","opt_start_time":"1970-01-01T00:00:01Z","filter_subject":"even""#;
        assert_eq!(first_in_flight(early, (4, 8), 2, 20), exact(2), "all of the stream is later");
        let each = r#""deliver_policy":"last_per_subject","filter_subject":"even""#;
        assert_eq!(first_in_flight(each, (2, 14), 2, 20), between(2, 13));
        assert_eq!(first_in_flight(each, (1, 14), 1, 20), exact(14));
    }

    #[test]
    fn all_deliveries_in_flight_leave_no_doubt() {
        let info = consumer(
            r#"{"name":"c","config":{"max_deliver":2},"delivered":{"consumer_seq":8,"stream_seq":9},
                "ack_floor":{"consumer_seq":3,"stream_seq":3},"num_pending":0,"num_ack_pending":5}"#,
        );
        assert_eq!(Work::of(&info, &stream(1, 20, 20)).unwrap().not_later_than, None);
    }

    #[test]
    fn a_position_that_has_moved_on_says_nothing() {
        let info = consumer(
            r#"{"name":"c","delivered":{"consumer_seq":4,"stream_seq":4},
                "ack_floor":{"consumer_seq":2,"stream_seq":2},"num_pending":0,"num_ack_pending":2}"#,
        );
        let stream = stream(5, 9, 5);
        let work = Work::of(&info, &stream).unwrap();
        let (look, _) = answer(&work, &mut Finds::default(), &stream, |_, _| true);
        assert_eq!(look, Look::Stale);
    }

    #[test]
    fn messages_removed_one_by_one_are_looked_for_again() {
        let mut finds = Finds::default();
        finds.follow(&stream(1, 9, 9), Mono(0));
        finds.enter(&Question { filter: ALL.into(), from: 2 }, Some(at(4)), 9, Mono(0));
        finds.follow(&stream(1, 9, 8), Mono(0));
        assert_eq!(finds.get(&ALL.into(), 2, &stream(1, 9, 8), Mono(0)), Known::Ask { from: 4 });
    }

    #[test]
    fn a_new_stream_under_the_old_name_is_asked_again() {
        let mut finds = Finds::default();
        let mut one = stream(1, 9, 9);
        finds.follow(&one, Mono(0));
        finds.enter(&Question { filter: ALL.into(), from: 1 }, Some(at(1)), 9, Mono(0));
        finds.follow(&one, Mono(0));
        assert_eq!(finds.get(&ALL.into(), 1, &one, Mono(0)), Known::Is(Some(at(1))));
        one.created = Some(Timestamp(1));
        finds.follow(&one, Mono(0));
        assert_eq!(finds.get(&ALL.into(), 1, &one, Mono(0)), Known::Ask { from: 1 });
        finds.enter(&Question { filter: ALL.into(), from: 1 }, Some(at(1)), 9, Mono(0));
        one.state.first_seq = Some(2);
        finds.follow(&one, Mono(0));
        assert_eq!(finds.get(&ALL.into(), 1, &one, Mono(0)), Known::Ask { from: 1 });
    }
}
