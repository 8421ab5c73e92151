//! History of one number: tiered, sparse and bounded.
//!
//! Three tiers keep 2 minutes by the second, 30 minutes by ten seconds and 4 hours by the minute: at most
//! 600 values of four bytes for a number that is always known, and next to nothing for one that never moves.
//! Tiers are shared (`Arc`): publishing a history costs three reference counts, and appending copies
//! only the tier that changed.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::time::Mono;

/// (seconds a value covers, values kept) of each tier.
const TIERS: [(u64, usize); 3] = [(1, 120), (10, 180), (60, 240)];

/// History of one number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    tiers: [Arc<Tier>; 3],
}

/// Values of equal width, oldest first. A gap is NaN.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Tier {
    /// Index (time ÷ width) of the newest value.
    newest: u64,
    /// The values; the newest is still filling.
    #[serde(with = "gaps")]
    values: VecDeque<f32>,
    /// How many samples are in the newest value's mean.
    samples: u32,
}

impl History {
    /// Adds a sample. Several samples in one slot are averaged; slots without any are gaps. A sample older than
    /// the newest slot is ignored: time does not run backwards within one watching.
    pub fn push(&mut self, at: Mono, value: f64) {
        for (tier, (width, keep)) in self.tiers.iter_mut().zip(TIERS) {
            let slot = at.0 / (width * 1_000_000_000);
            Arc::make_mut(tier).push(slot, value as f32, keep);
        }
    }

    /// The last `n` values of the tier whose slots are `width` seconds wide (1, 10 or 60), oldest first, as seen at
    /// `now`: slots after the last sample are gaps (NaN), so that silence is visible as such. Shorter than
    /// `n` when watching has not lasted that long.
    pub fn last(&self, width: u64, n: usize, now: Mono) -> Vec<f32> {
        let Some(tier) = self.tiers.iter().zip(TIERS).find(|(_, (w, _))| *w == width).map(|(tier, _)| tier)
        else {
            return Vec::new();
        };
        if tier.values.is_empty() {
            return Vec::new();
        }
        let silent = usize::try_from((now.0 / (width * 1_000_000_000)).saturating_sub(tier.newest))
            .unwrap_or(usize::MAX);
        let kept = n.saturating_sub(silent).min(tier.values.len());
        let mut out: Vec<f32> = tier.values.iter().skip(tier.values.len() - kept).copied().collect();
        out.resize(kept + silent.min(n), f32::NAN);
        out
    }

    /// No sample ever.
    pub fn is_empty(&self) -> bool {
        self.tiers.iter().all(|tier| tier.values.is_empty())
    }

    /// Bytes held, for the budget.
    pub fn bytes(&self) -> usize {
        self.tiers.iter().map(|tier| tier.values.capacity() * size_of::<f32>()).sum()
    }
}

/// Gaps are equal to gaps: two runs of the same input must compare as the same.
impl PartialEq for Tier {
    fn eq(&self, other: &Self) -> bool {
        let same = |(a, b): (&f32, &f32)| a == b || (a.is_nan() && b.is_nan());
        (self.newest, self.samples, self.values.len()) == (other.newest, other.samples, other.values.len())
            && self.values.iter().zip(&other.values).all(same)
    }
}

impl Tier {
    fn push(&mut self, slot: u64, value: f32, keep: usize) {
        if self.values.is_empty() {
            self.newest = slot;
            self.samples = 1;
            self.values.push_back(value);
            return;
        }
        if slot < self.newest {
            return;
        }
        if slot == self.newest {
            self.samples = self.samples.saturating_add(1);
            if let Some(last) = self.values.back_mut() {
                *last = if last.is_nan() { value } else { *last + (value - *last) / self.samples as f32 };
            }
            return;
        }
        let gap = usize::try_from(slot - self.newest - 1).unwrap_or(usize::MAX);
        if gap >= keep {
            self.values.clear();
        } else {
            self.values.extend(std::iter::repeat_n(f32::NAN, gap));
        }
        self.values.push_back(value);
        while self.values.len() > keep {
            self.values.pop_front();
        }
        self.newest = slot;
        self.samples = 1;
    }
}

/// JSON has no NaN: gaps are `null`.
mod gaps {
    use std::collections::VecDeque;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(values: &VecDeque<f32>, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(values.iter().map(|v| (!v.is_nan()).then_some(*v)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<VecDeque<f32>, D::Error> {
        let values = VecDeque::<Option<f32>>::deserialize(d)?;
        Ok(values.into_iter().map(|v| v.unwrap_or(f32::NAN)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(s: u64) -> Mono {
        Mono(s * 1_000_000_000)
    }

    #[test]
    fn samples_in_one_slot_are_averaged() {
        let mut history = History::default();
        history.push(second(5), 10.0);
        history.push(Mono(second(5).0 + 1), 20.0);
        assert_eq!(history.last(1, 10, second(5)), [15.0]);
    }

    #[test]
    fn silence_is_a_gap_and_not_a_zero() {
        let mut history = History::default();
        history.push(second(1), 1.0);
        history.push(second(4), 4.0);
        let values = history.last(1, 10, second(5));
        assert_eq!(values.len(), 5);
        assert!(values[1].is_nan() && values[2].is_nan() && values[4].is_nan());
        assert_eq!((values[0], values[3]), (1.0, 4.0));
    }

    #[test]
    fn memory_is_bounded() {
        let mut history = History::default();
        for s in 0..100_000 {
            history.push(second(s), s as f64);
        }
        assert!(history.bytes() <= 8 * 1024, "{} bytes", history.bytes());
        assert_eq!(history.last(60, 1_000, second(99_999)).len(), 240);
    }

    #[test]
    fn a_jump_over_everything_leaves_only_the_new_value() {
        let mut history = History::default();
        history.push(second(0), 1.0);
        history.push(second(1_000_000), 2.0);
        assert_eq!(history.last(1, 100, second(1_000_000)), [2.0]);
    }

    #[test]
    fn a_published_history_does_not_change() {
        let mut history = History::default();
        history.push(second(1), 1.0);
        let published = history.clone();
        history.push(second(2), 2.0);
        assert_eq!(published.last(1, 10, second(1)), [1.0]);
    }

    #[test]
    fn gaps_survive_a_recording() {
        let mut history = History::default();
        history.push(second(1), 1.0);
        history.push(second(3), 3.0);
        let text = serde_json::to_string(&history).unwrap();
        let back: History = serde_json::from_str(&text).unwrap();
        assert_eq!(back.last(1, 3, second(3)).iter().filter(|v| v.is_nan()).count(), 1);
        assert_eq!(back, history);
    }
}
