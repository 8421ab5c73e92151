//! Counters to rates.
//!
//! A rate is a difference of counters over the time that really passed between the two readings:
//! * on the broker's clock when both readings carry it and it agrees with ours (the time of the answer, without
//!   the time that the answer travelled), else on our monotonic clock;
//! * over the readings of the last [`Windows::rate`]; when the last reading before the newest is older than that
//!   (the connection was lost), over the whole gap: an average, never a spike;
//! * never across a reset: whoever owns the counter clears the readings when it began anew.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::observation::Span;
use crate::model::series::History;
use crate::model::time::{Mono, Stamp};
use crate::model::traffic::Count;

/// How much of the past numbers cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows {
    /// Rates.
    pub rate: Duration,
    /// Distributions of delays as polls tell them, and their counts.
    pub delay: Duration,
    /// The same of what was heard: one person looks at the last minute, another at the whole run.
    pub heard: Duration,
}

impl Default for Windows {
    fn default() -> Self {
        Self { rate: super::RATE_WINDOW, delay: super::DELAY_WINDOW, heard: super::DELAY_WINDOW }
    }
}

/// Readings kept of one counter: enough for ten polls and the rate window.
pub(super) const READINGS: usize = 16;

/// Readings closer together than this replace each other, so that [`READINGS`] cover the window also when a source
/// reads ten times a second.
pub(super) const STEP: Duration = Duration::from_millis(500);

/// Whether a new reading takes the newest one's place: that one is too close to the one before it.
pub(super) fn replaces<T>(readings: &[T], at: impl Fn(&T) -> Mono) -> bool {
    let mut newest = readings.iter().rev().map(at);
    matches!((newest.next(), newest.next()), (Some(last), Some(before)) if last.since(before) < STEP)
}

/// Time between two readings, in the order in which they were made.
///
/// `same_server` says that the same server answered both: then its clock gives the time between the *answers*, also when one
/// of them was long on its way. A broker clock that was set in between disagrees with ours by more than that, and is not used.
pub(super) fn elapsed(from: &Stamp, to: &Stamp, same_server: bool) -> Duration {
    let ours = to.mono.since(from.mono);
    let (true, Some(a), Some(b)) = (same_server, from.broker, to.broker) else { return ours };
    let theirs = b.age_since(a);
    let slack = ours / 4 + Duration::from_millis(100);
    // The first answer may have been given earlier than it came, and so may the second.
    let (least, most) = (ours.saturating_sub(to.travel + slack), ours + from.travel + slack);
    if (least..=most).contains(&theirs) && !theirs.is_zero() { theirs } else { ours }
}

/// `count` per second of `time`; `None` when no time passed.
pub(super) fn per_second(count: f64, time: Duration) -> Option<f64> {
    (!time.is_zero()).then(|| count / time.as_secs_f64())
}

/// Which of several readings (oldest first) a rate begins at: the oldest inside the window, or, after a gap, the last one
/// before it. Of two readings at nearly the same moment neither is the other's beginning.
pub(super) fn base_of<T>(readings: &[T], window: Duration, at: impl Fn(&T) -> Mono) -> Option<&T> {
    let newest = at(readings.last()?);
    let before = readings.len().checked_sub(2)?;
    // A poll that came a little late still belongs to the window.
    let reach = window.saturating_add(window / 5);
    let inside = readings.iter().take(before).find(|r| newest.since(at(r)) <= reach);
    let apart = || readings.iter().take(before + 1).rev().find(|r| newest.since(at(r)) >= STEP);
    inside.or_else(apart).or_else(|| readings.get(before))
}

/// One reading of one counter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Reading {
    at: Stamp,
    value: u64,
}

/// A counter that only grows, as it was read. A smaller reading means that it began anew.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Counter {
    readings: Vec<Reading>,
    /// The first reading since it began anew: rates over the whole run begin here.
    first: Option<Reading>,
}

impl Counter {
    /// Takes a reading and returns the rate since the one before, for the history.
    pub(super) fn read(&mut self, at: Stamp, value: u64, same_server: bool) -> Option<f64> {
        if self.readings.last().is_some_and(|last| value < last.value) {
            self.reset();
        }
        let before = self.readings.last().copied();
        if before.is_some_and(|last| at.mono <= last.at.mono) {
            return None;
        }
        let reading = Reading { at, value };
        self.first.get_or_insert(reading);
        if replaces(&self.readings, |r| r.at.mono) {
            self.readings.pop();
        }
        self.readings.push(reading);
        if self.readings.len() > READINGS {
            self.readings.remove(0);
        }
        let last = before?;
        per_second((value - last.value) as f64, elapsed(&last.at, &at, same_server))
    }

    /// It began anew: nothing before counts.
    pub(super) fn reset(&mut self) {
        self.readings.clear();
        self.first = None;
    }

    /// Whether readings have stopped coming: by now at least one more should have.
    pub(super) fn overdue(&self, now: Mono) -> bool {
        let mut newest = self.readings.iter().rev().map(|r| r.at.mono);
        let Some(last) = newest.next() else { return true };
        let usual = newest.next().map_or(Duration::ZERO, |before| last.since(before));
        now.since(last) > usual.saturating_mul(2) + STEP
    }

    /// Its increase per second over the window; `None` before the second reading.
    pub(super) fn rate(&self, window: Duration, same_server: bool) -> Option<f64> {
        let newest = self.readings.last()?;
        let first = self.first.filter(|first| {
            self.readings.len() > 1
                && newest.at.mono.since(first.at.mono) <= window.saturating_add(window / 5)
        });
        let base = match first {
            Some(first) => first,
            None => *base_of(&self.readings, window, |r| r.at.mono)?,
        };
        let grown = newest.value.saturating_sub(base.value);
        per_second(grown as f64, elapsed(&base.at, &newest.at, same_server))
    }

    /// When it was last read.
    pub(super) fn read_at(&self) -> Option<Stamp> {
        self.readings.last().map(|r| r.at)
    }
}

/// Counts over spans are joined until they cover this much, so that a fast source does not fill memory.
const SLOT: Duration = Duration::from_millis(500);

/// A gap in a history up to this length is the time that one count covers; a longer one is a time when nobody looked.
const FILL: Duration = Duration::from_secs(10);

/// Counts with the time that each covers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Meter {
    counts: VecDeque<Count>,
    /// Everything since watching began.
    total: Count,
    /// Time that `total` covers: spans can have gaps between them.
    covered: Duration,
    /// When something other than zero was last counted.
    pub(super) last_seen: Option<Stamp>,
    /// When anything, zero too, was last counted.
    pub(super) counted: Stamp,
    /// Messages per second over time.
    pub(super) history: History,
}

/// What a meter says over a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rates {
    /// Messages per second.
    pub(super) messages: f64,
    /// Bytes per second; zero also when sizes are not counted.
    pub(super) bytes: f64,
    /// Errors per second.
    pub(super) errors: f64,
    /// Nanoseconds per message; `None` without messages.
    pub(super) busy: Option<f64>,
    /// Messages counted.
    pub(super) count: u64,
}

impl Meter {
    /// Adds a count.
    pub(super) fn add(&mut self, count: &Count, at: Stamp) {
        let length = count.span.length();
        if count.messages > 0 {
            self.last_seen = Some(at);
        }
        self.counted = at;
        self.total.add(count);
        self.covered = self.covered.saturating_add(length);
        if let Some(rate) = per_second(count.messages as f64, length) {
            fill(&mut self.history, count.span, rate);
        }
        match self.counts.back_mut() {
            Some(last) if last.span.length() < SLOT && last.span.to == count.span.from => last.add(count),
            _ => self.counts.push_back(*count),
        }
        while self.counts.len() > READINGS {
            self.counts.pop_front();
        }
    }

    /// Rates over the window: counts ÷ the time that they cover. `None` while nothing covers any time.
    pub(super) fn rates(&self, window: Duration) -> Option<Rates> {
        let part = self.part(window)?;
        rates_of(&part.sum, part.covered)
    }

    fn newest(&self) -> Option<Mono> {
        self.counts.back().map(|count| count.span.to)
    }

    /// What belongs to the window.
    fn part(&self, window: Duration) -> Option<Part> {
        let newest = self.newest()?;
        let began = self.total.span.from;
        if newest.since(began) <= window {
            return Some(Part { sum: self.total, covered: self.covered, from: began, began: true });
        }
        // A poll that came a little late still belongs to the window.
        let reach = window.saturating_add(window / 5);
        let mut part = Part { sum: Count::default(), covered: Duration::ZERO, from: newest, began: false };
        for count in self.counts.iter().rev() {
            if !part.covered.is_zero() && newest.since(count.span.from) > reach {
                break;
            }
            // Who did not answer in time is counted over a time of which the others have told.
            part.covered = part.covered.saturating_add(part.from.min(count.span.to).since(count.span.from));
            part.from = part.from.min(count.span.from);
            part.sum.add(count);
        }
        part.began = began >= part.from;
        Some(part)
    }
}

/// Who has not been counted for so long while others were is not there any more.
const SILENT: Duration = Duration::from_secs(60);

/// What belongs to a window.
struct Part {
    sum: Count,
    /// The time that it covers.
    covered: Duration,
    /// Where it begins.
    from: Mono,
    /// Nothing was counted before.
    began: bool,
}

/// Rates of what several meters count together, at the same time or one after the other: programs come and go, and what they
/// do goes on. One that began in the window did nothing before; one that has ended counts as nothing, until it is no longer
/// counted at all and keeps what it had, as one does whose server is silent.
pub(super) fn rates_together(meters: &[&Meter], window: Duration) -> Option<Rates> {
    let end = meters.iter().filter_map(|meter| meter.newest()).max()?;
    let parts = meters.iter().filter_map(|meter| {
        let (silent, part) = (end.since(meter.newest()?), meter.part(window)?);
        (silent <= SILENT.max(window)).then_some((silent <= window, part))
    });
    let parts: Vec<(bool, Part)> = parts.collect();
    let window_began = parts.iter().filter(|(current, _)| *current).map(|(_, part)| part.from).min();
    let rates = parts.iter().filter_map(|(current, part)| {
        let idle = window_began.filter(|_| *current && part.began).map(|began| part.from.since(began));
        rates_of(&part.sum, part.covered.saturating_add(idle.unwrap_or_default()))
    });
    rates.reduce(|a, b| {
        let count = a.count + b.count;
        let busy_ns = a.busy_ns() + b.busy_ns();
        Rates {
            messages: a.messages + b.messages,
            bytes: a.bytes + b.bytes,
            errors: a.errors + b.errors,
            busy: (count > 0).then(|| busy_ns / count as f64),
            count,
        }
    })
}

impl Rates {
    fn busy_ns(&self) -> f64 {
        self.busy.unwrap_or(0.0) * self.count as f64
    }
}

fn rates_of(sum: &Count, covered: Duration) -> Option<Rates> {
    Some(Rates {
        messages: per_second(sum.messages as f64, covered)?,
        bytes: per_second(sum.bytes as f64, covered)?,
        errors: per_second(sum.errors as f64, covered)?,
        busy: (sum.messages > 0).then(|| sum.busy_ns as f64 / sum.messages as f64),
        count: sum.messages,
    })
}

/// Puts a rate into each second that it was measured over, so that a slow poll draws a line and not a comb.
pub(super) fn fill(history: &mut History, over: Span, rate: f64) {
    const SECOND: u64 = 1_000_000_000;
    if over.length() <= FILL {
        let mut second = (over.from.0 / SECOND + 1) * SECOND;
        while second + SECOND <= over.to.0 {
            history.push(Mono(second), rate);
            second += SECOND;
        }
    }
    history.push(over.to, rate);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Timestamp;

    fn at(ms: u64) -> Stamp {
        Stamp { wall: Timestamp::from_millis(ms as i64), mono: Mono(ms * 1_000_000), ..Stamp::default() }
    }

    fn count(messages: u64, from_ms: u64, to_ms: u64) -> Count {
        let span = Span { from: at(from_ms).mono, to: at(to_ms).mono };
        Count { messages, span, ..Count::default() }
    }

    const WINDOW: Duration = Duration::from_secs(5);

    #[test]
    fn a_rate_needs_two_readings() {
        let mut counter = Counter::default();
        assert_eq!(counter.rate(WINDOW, true), None);
        counter.read(at(0), 100, true);
        assert_eq!(counter.rate(WINDOW, true), None);
        counter.read(at(1_000), 110, true);
        assert_eq!(counter.rate(WINDOW, true), Some(10.0));
    }

    #[test]
    fn a_counter_is_overdue_when_two_readings_should_have_come() {
        let mut counter = Counter::default();
        assert!(counter.overdue(at(0).mono));
        counter.read(at(0), 0, true);
        counter.read(at(2_000), 6, true);
        assert!(!counter.overdue(at(6_000).mono));
        assert!(counter.overdue(at(7_000).mono));
    }

    #[test]
    fn a_long_gap_is_averaged_and_then_forgotten() {
        let mut counter = Counter::default();
        counter.read(at(0), 0, true);
        counter.read(at(1_000), 10, true);
        // Nobody looked for 99 s in which 990 more came.
        assert_eq!(counter.read(at(100_000), 1_000, true), Some(10.0));
        assert_eq!(counter.rate(WINDOW, true), Some(10.0));
        counter.read(at(101_000), 1_050, true);
        assert_eq!(counter.rate(WINDOW, true), Some(50.0));
    }

    #[test]
    fn a_counter_that_began_anew_gives_no_negative_rate() {
        let mut counter = Counter::default();
        counter.read(at(0), 1_000, true);
        counter.read(at(1_000), 1_010, true);
        assert_eq!(counter.read(at(2_000), 5, true), None);
        assert_eq!(counter.rate(WINDOW, true), None);
        counter.read(at(3_000), 9, true);
        assert_eq!(counter.rate(WINDOW, true), Some(4.0));
    }

    #[test]
    fn two_readings_at_one_moment_after_a_gap_make_no_spike() {
        let mut counter = Counter::default();
        for (ms, value) in [(0, 0), (1_000, 5), (8_000, 40), (8_001, 41)] {
            counter.read(at(ms), value, true);
        }
        let rate = counter.rate(WINDOW, true).unwrap();
        assert!((rate - 36.0 / 7.001).abs() < 0.01, "{rate}");
    }

    #[test]
    fn the_broker_s_clock_counts_only_while_it_agrees_with_ours() {
        let with = |ms: u64, broker: i64| Stamp { broker: Some(Timestamp::from_millis(broker)), ..at(ms) };
        assert_eq!(elapsed(&with(0, 5_000), &with(1_000, 5_980), true), Duration::from_millis(980));
        assert_eq!(elapsed(&with(0, 5_000), &with(1_000, 5_980), false), Duration::from_millis(1_000));
        // What came three seconds late was given in time: neither the rate that ends with it nor those that begin there are wrong.
        let late = |ms: u64, broker: i64| Stamp { travel: Duration::from_secs(3), ..with(ms, broker) };
        assert_eq!(elapsed(&with(0, 5_000), &late(4_000, 6_000), true), Duration::from_secs(1));
        assert_eq!(elapsed(&late(4_000, 6_000), &with(5_000, 10_000), true), Duration::from_secs(4));
        // The clock was set forward by an hour.
        assert_eq!(elapsed(&with(0, 5_000), &with(1_000, 3_605_000), true), Duration::from_millis(1_000));
    }

    #[test]
    fn the_whole_run_is_covered_when_asked_for() {
        let mut counter = Counter::default();
        let mut meter = Meter::default();
        for s in 0..100_u64 {
            counter.read(at(s * 1_000), if s < 50 { s * 100 } else { 5_000 }, true);
            meter.add(&count(if s < 50 { 100 } else { 0 }, s * 1_000, (s + 1) * 1_000), at((s + 1) * 1_000));
        }
        let rate = counter.rate(Duration::MAX, true).unwrap();
        assert!((rate - 5_000.0 / 99.0).abs() < 1e-9, "{rate}");
        assert_eq!(counter.rate(WINDOW, true), Some(0.0));
        assert!((meter.rates(Duration::MAX).unwrap().messages - 50.0).abs() < 1e-9);
    }

    #[test]
    fn counted_nothing_is_a_rate_of_zero_and_not_counted_is_unknown() {
        let mut meter = Meter::default();
        assert_eq!(meter.rates(WINDOW), None);
        meter.add(&count(0, 0, 0), at(0));
        assert_eq!(meter.rates(WINDOW), None);
        meter.add(&count(0, 0, 1_000), at(1_000));
        assert_eq!(meter.rates(WINDOW).unwrap().messages, 0.0);
        assert_eq!(meter.rates(WINDOW).unwrap().busy, None);
    }

    #[test]
    fn programs_that_replace_each_other_keep_their_rate() {
        let mut pods = [Meter::default(), Meter::default()];
        let mut rates = Vec::new();
        for s in 0..20_u64 {
            let (now, next) = (s * 1_000, (s + 1) * 1_000);
            // The first leaves after ten seconds, the second comes in the middle of a second.
            let [first, second] = &mut pods;
            first.add(&count(if s < 10 { 16 } else { 0 }, now, next), at(next));
            match s {
                0..10 => {}
                10 => second.add(&count(8, now + 500, next), at(next)),
                _ => second.add(&count(16, now, next), at(next)),
            }
            rates.push(rates_together(&[&pods[0], &pods[1]], WINDOW).unwrap().messages);
        }
        assert!(rates.iter().all(|rate| (14.0..=16.0).contains(rate)), "{rates:?}");
        assert_eq!((rates[9], rates[19]), (16.0, 16.0));
        let both = rates_together(&[&pods[0], &pods[1]], Duration::MAX).unwrap();
        assert!((both.messages - 312.0 / 20.0).abs() < 1e-9, "{both:?}");
    }

    #[test]
    fn programs_at_once_add_up_and_a_silent_server_keeps_what_it_told() {
        let mut both = [Meter::default(), Meter::default()];
        for s in 0..90_u64 {
            both[0].add(&count(10, s * 1_000, (s + 1) * 1_000), at((s + 1) * 1_000));
            if s < 20 {
                // Asked at other moments.
                both[1].add(&count(5, s * 1_000 + 300, (s + 1) * 1_000 + 300), at((s + 1) * 1_000 + 300));
            }
            if s > 6 && s < 80 {
                let sum = rates_together(&[&both[0], &both[1]], WINDOW).unwrap().messages;
                assert!((14.0..=15.5).contains(&sum), "{s}: {sum}");
            }
        }
        assert_eq!(rates_together(&[&both[0], &both[1]], WINDOW).unwrap().messages, 10.0);
    }

    #[test]
    fn joined_counts_give_the_same_rate_as_single_ones() {
        let (mut single, mut joined) = (Meter::default(), Meter::default());
        for tenth in 0..40_u64 {
            single.add(&count(tenth, tenth * 100, (tenth + 1) * 100), at((tenth + 1) * 100));
        }
        for half in 0..8_u64 {
            let messages = (half * 5..half * 5 + 5).sum();
            joined.add(&count(messages, half * 500, (half + 1) * 500), at((half + 1) * 500));
        }
        assert_eq!(single.rates(WINDOW), joined.rates(WINDOW));
    }

    #[test]
    fn a_slow_poll_draws_a_line() {
        let mut history = History::default();
        fill(&mut history, Span { from: at(1_000).mono, to: at(4_000).mono }, 7.0);
        let values = history.last(1, 10, at(4_000).mono);
        assert_eq!(values, [7.0, 7.0, 7.0]);
    }
}
