//! What is heard on tapped channels: the newest messages, as many as a bounded number of bytes holds.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::id::ChannelId;
use crate::model::tap::{HeardMessage, TapReport};

/// Messages kept, of all channels together.
const MOST: usize = 1_000;
/// Bytes kept, of all channels together.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// What is remembered of tapped channels.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Taps {
    #[serde(with = "crate::model::pairs")]
    reports: BTreeMap<ChannelId, Arc<TapReport>>,
    /// The newest last.
    heard: VecDeque<Arc<HeardMessage>>,
    bytes: usize,
}

impl Taps {
    pub(super) fn report(&mut self, report: &TapReport) {
        self.reports.insert(report.channel.clone(), Arc::new(report.clone()));
    }

    pub(super) fn heard(&mut self, message: &HeardMessage) {
        self.bytes += message.weight();
        self.heard.push_back(Arc::new(message.clone()));
        while self.heard.len() > MOST || self.bytes > MOST_BYTES {
            let Some(oldest) = self.heard.pop_front() else { break };
            self.bytes -= oldest.weight();
        }
    }

    /// How listening goes, by channel.
    pub(super) fn reports(&self) -> Arc<[Arc<TapReport>]> {
        self.reports.values().cloned().collect()
    }

    /// The newest messages, oldest first.
    pub(super) fn messages(&self) -> Arc<[Arc<HeardMessage>]> {
        self.heard.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tap::{Content, Payload};
    use crate::model::time::Timestamp;

    fn message(number: u64, size: usize) -> HeardMessage {
        HeardMessage {
            channel: "nats/ORDERS".into(),
            number,
            at: Timestamp(0),
            subject: "orders.created".into(),
            publisher: None,
            publisher_by: "".into(),
            asks: false,
            bytes: size as u64,
            headers: Vec::new(),
            payload: Payload {
                content: Content::Text("x".repeat(size).into()),
                cut: 0,
                redacted: Vec::new(),
            },
        }
    }

    #[test]
    fn the_newest_are_kept_within_both_bounds() {
        let mut taps = Taps::default();
        for number in 1..=2_500 {
            taps.heard(&message(number, 10));
        }
        let kept = taps.messages();
        assert_eq!((kept.len(), kept.last().map(|m| m.number)), (MOST, Some(2_500)));
        for number in 2_501..=2_600 {
            taps.heard(&message(number, 256 * 1024));
        }
        let kept = taps.messages();
        assert!(kept.iter().map(|m| m.weight()).sum::<usize>() <= MOST_BYTES);
        assert_eq!((kept.len(), kept.last().map(|m| m.number)), (15, Some(2_600)));
    }
}
