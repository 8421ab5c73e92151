//! Channels that a broker keeps: their state and their rates.

use serde::{Deserialize, Serialize};

use super::rates::{Counter, Windows};
use super::words;
use crate::model::id::SourceId;
use crate::model::measured::{Bounds, Measured};
use crate::model::observation::{ChannelReport, Span};
use crate::model::series::History;
use crate::model::time::{Stamp, Timestamp};

/// What is kept of one channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ChannelState {
    pub(super) source: SourceId,
    pub(super) report: ChannelReport,
    pub(super) polled: Stamp,
    /// It was there when watching its source began.
    pub(super) was_there: bool,
    /// Its consumers have been listed: one that appears later is new.
    pub(super) consumers_listed: bool,
    /// Messages appended: the newest sequence number.
    appended: Counter,
    /// Bytes kept; a sum of what came only while nothing is removed.
    bytes: Counter,
    pub(super) history: History,
}

/// What a poll of a channel revealed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent answers to four questions")]
pub(super) struct Revealed {
    /// The first message came while watching.
    pub(super) first_message: bool,
    /// It is another one under the old name.
    pub(super) remade: bool,
    /// Its leader is another.
    pub(super) leader: bool,
    /// What it takes in, or what feeds it, changed.
    pub(super) rewired: bool,
}

impl ChannelState {
    pub(super) fn new(source: SourceId, report: ChannelReport, at: Stamp, was_there: bool) -> Self {
        let mut state = Self {
            source,
            report,
            polled: at,
            was_there,
            consumers_listed: false,
            appended: Counter::default(),
            bytes: Counter::default(),
            history: History::default(),
        };
        state.count(at, true, false);
        state
    }

    pub(super) fn poll(&mut self, report: ChannelReport, at: Stamp) -> Revealed {
        if at.mono < self.polled.mono {
            return Revealed::default();
        }
        let before = std::mem::replace(&mut self.report, report);
        let now = &self.report;
        let remade = matches!((before.created_at, now.created_at), (Some(a), Some(b)) if a != b)
            || matches!((before.last_seq, now.last_seq), (Some(a), Some(b)) if b < a);
        if remade {
            self.appended.reset();
            self.bytes.reset();
        }
        let revealed = Revealed {
            first_message: before.last_seq == Some(0) && now.last_seq.is_some_and(|seq| seq > 0),
            remade,
            leader: before.leader.is_some() && now.leader.is_some() && before.leader != now.leader,
            rewired: before.kind != now.kind
                || before.subjects != now.subjects
                || feeds(&before) != feeds(now),
        };
        let removed = !remade && removed(&before, now);
        self.count(at, before.leader == now.leader, removed);
        self.polled = at;
        revealed
    }

    fn count(&mut self, at: Stamp, same_server: bool, removed: bool) {
        let Some(last_seq) = self.report.last_seq else { return };
        let before = self.appended.read_at();
        if let (Some(rate), Some(before)) = (self.appended.read(at, last_seq, same_server), before) {
            super::rates::fill(&mut self.history, Span { from: before.mono, to: at.mono }, rate);
        }
        if removed {
            self.bytes.reset();
        }
        if let Some(bytes) = self.report.bytes {
            self.bytes.read(at, bytes, same_server);
        }
    }

    /// Messages appended per second: Δ last sequence number ÷ Δ time. Messages removed again do not change it.
    pub(super) fn rate(&self, windows: Windows) -> Measured<f64> {
        let at = self.polled.wall;
        if self.report.last_seq.is_none() {
            return Measured::unknown(words::NOT_REPORTED.clone(), at);
        }
        match self.appended.rate(windows.rate, true) {
            Some(rate) => Measured::exact(rate, at, words::BY_APPENDED.clone()),
            None => Measured::unknown(words::ONE_POLL.clone(), at),
        }
    }

    /// Bytes appended per second: Δ bytes ÷ Δ time while nothing was removed, else rate × mean size of what is kept.
    pub(super) fn bytes_rate(&self, windows: Windows) -> Measured<f64> {
        let at = self.polled.wall;
        if let Some(rate) = self.bytes.rate(windows.rate, true) {
            return Measured::exact(rate, at, words::BY_BYTES.clone());
        }
        match (self.appended.rate(windows.rate, true), self.report.bytes, self.report.messages) {
            (Some(0.0), _, _) => Measured::exact(0.0, at, words::BY_APPENDED.clone()),
            (Some(rate), Some(bytes), Some(messages @ 1..)) => {
                let value = rate * bytes as f64 / messages as f64;
                Measured::new(Bounds::About { value, within: None }, at, words::BY_MEAN_SIZE.clone())
            }
            (None, _, _) => Measured::unknown(words::ONE_POLL.clone(), at),
            _ => Measured::unknown(words::NO_SIZE.clone(), at),
        }
    }

    /// When its newest message came (broker clock), as far as it tells.
    pub(super) fn last_at(&self) -> Option<Timestamp> {
        self.report.last_at.filter(|_| self.report.last_seq != Some(0))
    }
}

/// Upstreams without their lag, which changes all the time.
fn feeds(report: &ChannelReport) -> Vec<(&str, &str)> {
    report.fed_by.iter().map(|f| (f.channel.as_str(), &*f.how)).collect()
}

/// Whether messages left between two polls: then the bytes kept are no sum of what came.
fn removed(before: &ChannelReport, now: &ChannelReport) -> bool {
    let grown = |a: Option<u64>, b: Option<u64>| a.zip(b).and_then(|(a, b)| b.checked_sub(a));
    let (appended, kept) = (grown(before.last_seq, now.last_seq), grown(before.messages, now.messages));
    appended.is_none() || appended != kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sample::{at, channel, filled};
    use std::time::Duration;

    const WINDOWS: Windows = Windows {
        rate: Duration::from_secs(5),
        delay: Duration::from_secs(60),
        heard: Duration::from_secs(60),
    };

    #[test]
    fn the_rate_is_what_was_appended_over_time() {
        let empty = channel("nats", "ORDERS");
        let mut state = ChannelState::new("nats".into(), empty.clone(), at(0), true);
        assert!(state.rate(WINDOWS).bounds.why_unknown().is_some());
        let revealed = state.poll(filled(&empty, 20), at(2_000));
        assert!(revealed.first_message && !revealed.remade);
        assert_eq!(state.rate(WINDOWS).bounds, Bounds::Exact(10.0));
        assert_eq!(state.bytes_rate(WINDOWS).bounds, Bounds::Exact(1_000.0));
    }

    #[test]
    fn removal_changes_neither_rate_nor_makes_bytes_negative() {
        let base = channel("nats", "ORDERS");
        let mut state = ChannelState::new("nats".into(), filled(&base, 100), at(0), true);
        let purged = ChannelReport { messages: Some(10), bytes: Some(1_000), ..filled(&base, 110) };
        state.poll(purged, at(1_000));
        assert_eq!(state.rate(WINDOWS).bounds, Bounds::Exact(10.0));
        assert_eq!(state.bytes_rate(WINDOWS).bounds, Bounds::About { value: 1_000.0, within: None });
    }

    #[test]
    fn a_stream_made_again_under_its_name_starts_anew() {
        let base = channel("nats", "ORDERS");
        let mut state = ChannelState::new("nats".into(), filled(&base, 1_000), at(0), true);
        state.poll(filled(&base, 1_010), at(1_000));
        let again = ChannelReport { created_at: Some(at(1_500).wall), ..filled(&base, 3_000) };
        assert!(state.poll(again.clone(), at(2_000)).remade);
        assert!(state.rate(WINDOWS).bounds.why_unknown().is_some());
        state.poll(ChannelReport { created_at: again.created_at, ..filled(&base, 3_007) }, at(3_000));
        assert_eq!(state.rate(WINDOWS).bounds, Bounds::Exact(7.0));
    }
}
