//! What consumers have said of messages, one by one: the truth behind acknowledgements.

use std::collections::VecDeque;

use crate::model::acks::AckKind;

/// What is remembered, as far back as a real source remembers.
const REMEMBERED: usize = 1 << 16;

/// One thing that a consumer said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) at: u64,
    /// Place of the consumer.
    pub(super) reader: usize,
    pub(super) seq: u64,
    /// Deliveries of the message by then.
    pub(super) times: u64,
    pub(super) appended: u64,
    pub(super) kind: AckKind,
    /// Somebody listened when it was said.
    pub(super) heard: bool,
}

/// The last of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    last: VecDeque<Said>,
    /// How much was ever said.
    ever: u64,
}

impl Record {
    pub(super) fn add(&mut self, said: Said) {
        self.ever += 1;
        self.last.push_back(said);
        if self.last.len() > REMEMBERED {
            self.last.pop_front();
        }
    }

    /// A place in it: all that was said so far is before it.
    pub(super) const fn here(&self) -> u64 {
        self.ever
    }

    fn skip(&self, from: u64) -> usize {
        let first = self.ever - self.last.len() as u64;
        usize::try_from(from.saturating_sub(first)).unwrap_or(usize::MAX).min(self.last.len())
    }

    /// What was said since a place.
    pub(super) fn since(&self, place: u64) -> impl DoubleEndedIterator<Item = &Said> {
        self.last.range(self.skip(place)..)
    }

    /// The same, to be marked.
    pub(super) fn since_mut(&mut self, place: u64) -> impl Iterator<Item = &mut Said> {
        self.last.range_mut(self.skip(place)..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_forgets_the_oldest_and_keeps_places() {
        let mut record = Record::default();
        let said = |seq| Said {
            at: 0,
            reader: 0,
            seq,
            times: 1,
            appended: 0,
            kind: AckKind::Acknowledged,
            heard: false,
        };
        for seq in 0..REMEMBERED as u64 + 10 {
            record.add(said(seq));
        }
        assert_eq!(record.since(0).next().unwrap().seq, 10);
        assert_eq!(record.since(record.here() - 2).count(), 2);
        assert_eq!(record.since(record.here()).count(), 0);
    }
}
