//! History of one number: tiered, sparse and bounded.
//!
//! Three tiers keep 2 minutes by the second, 30 minutes by ten seconds and 4 hours by the minute: at most
//! 600 values of four bytes for a number that is always known, and next to nothing for one that never moves.
//! What is complete is shared (`Arc`) and never changed: publishing a history costs three reference counts. The last few
//! values stand beside it, so that a tier is copied not for each new slot, but for one in [`RECENT`] + 1.

use std::iter::{once, repeat_n};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::time::Mono;

/// (seconds a value covers, values kept) of each tier.
const TIERS: [(u64, usize); 3] = [(1, 120), (10, 180), (60, 240)];

/// History of one number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    tiers: [Tier; 3],
}

/// So many values wait until they are put with the others: a quarter of the copying, for twelve bytes.
const RECENT: usize = 3;

/// Values of equal width. A gap is NaN.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
struct Tier {
    /// Complete ones, oldest first: see [`Tier::after`] for all of them.
    complete: Arc<[f32]>,
    /// Those that came after them, oldest first.
    recent: [f32; RECENT],
    /// How many of `recent` there are.
    recents: u8,
    /// How many of the oldest of `complete` are too old by now.
    outdated: u8,
    /// The mean of the samples in the newest slot, which is still filling.
    filling: f32,
    /// How many those are, as far as it can count; 0 before the first sample ever.
    samples: u16,
    /// Index (time ÷ width) of the newest slot.
    newest: u32,
}

/// A tier as it is written down.
#[derive(Serialize, Deserialize)]
struct Written {
    #[serde(with = "gaps")]
    complete: Vec<f32>,
    filling: f32,
    samples: u16,
    newest: u32,
}

impl From<Tier> for Written {
    fn from(tier: Tier) -> Self {
        let (filling, samples, newest) = (tier.filling, tier.samples, tier.newest);
        Self { complete: tier.after(0).collect(), filling, samples, newest }
    }
}

impl From<Written> for Tier {
    fn from(written: Written) -> Self {
        let Written { complete, filling, samples, newest } = written;
        Self { complete: complete.into(), filling, samples, newest, ..Self::default() }
    }
}

impl History {
    /// Adds a sample. Several samples in one slot are averaged; slots without any are gaps. A sample older than
    /// the newest slot is ignored: time does not run backwards within one watching. So is what is no number.
    pub fn push(&mut self, at: Mono, value: f64) {
        if value.is_nan() {
            return;
        }
        for (tier, (width, keep)) in self.tiers.iter_mut().zip(TIERS) {
            tier.push(slot(at, width), value as f32, keep);
        }
    }

    /// The last `n` values of the tier whose slots are `width` seconds wide (1, 10 or 60), oldest first, as seen at
    /// `now`: slots after the last sample are gaps (NaN), so that silence is visible as such. Shorter than
    /// `n` when watching has not lasted that long.
    pub fn last(&self, width: u64, n: usize, now: Mono) -> Vec<f32> {
        let tier = self.tiers.iter().zip(TIERS).find(|(_, (w, _))| *w == width).map(|(tier, _)| tier);
        let Some(tier) = tier.filter(|tier| tier.samples > 0) else { return Vec::new() };
        let silent = usize::try_from(slot(now, width).saturating_sub(tier.newest)).unwrap_or(usize::MAX);
        let kept = n.saturating_sub(silent).min(tier.len() + 1);
        let complete = tier.after(tier.len() - kept.saturating_sub(1));
        let mut out: Vec<f32> = complete.chain((kept > 0).then_some(tier.filling)).collect();
        out.resize(kept + silent.min(n), f32::NAN);
        out
    }

    /// What it usually is when it is not zero: the median of its ten-second means that are above zero, over the half hour that
    /// they cover; of its seconds while there are none of those.
    pub fn usual(&self) -> Option<f64> {
        let of = |tier: &Tier| {
            let filling = (tier.samples > 0).then_some(tier.filling);
            let mut values: Vec<f32> = tier.after(0).chain(filling).filter(|value| *value > 0.0).collect();
            values.sort_by(f32::total_cmp);
            values.get(values.len() / 2).map(|value| f64::from(*value))
        };
        let [seconds, tens, _] = &self.tiers;
        if tens.len() == 0 { of(seconds) } else { of(tens) }
    }

    /// The sum of several: what was not known of one is nothing of the sum as long as another is known.
    pub fn sum<'h>(parts: impl IntoIterator<Item = &'h Self>) -> Self {
        let mut parts = parts.into_iter();
        let Some(first) = parts.next() else { return Self::default() };
        let mut sum = first.clone();
        for part in parts {
            for ((tier, other), (_, keep)) in sum.tiers.iter_mut().zip(&part.tiers).zip(TIERS) {
                tier.add(other, keep);
            }
        }
        sum
    }

    /// No sample ever.
    pub fn is_empty(&self) -> bool {
        self.tiers.iter().all(|tier| tier.samples == 0)
    }

    /// Bytes held, for the budget.
    pub fn bytes(&self) -> usize {
        self.tiers.iter().map(|tier| size_of_val(&*tier.complete)).sum()
    }
}

/// The slot of this width that an instant is in.
fn slot(at: Mono, width: u64) -> u32 {
    u32::try_from(at.0 / (width * 1_000_000_000)).unwrap_or(u32::MAX)
}

/// Gaps are equal to gaps: two runs of the same input must compare as the same.
impl PartialEq for Tier {
    fn eq(&self, other: &Self) -> bool {
        let same = |(a, b): (f32, f32)| a == b || (a.is_nan() && b.is_nan());
        (self.newest, self.samples, self.len()) == (other.newest, other.samples, other.len())
            && self.filling == other.filling
            && self.after(0).zip(other.after(0)).all(same)
    }
}

impl Tier {
    /// The complete ones, oldest first, in two pieces.
    fn complete(&self) -> (&[f32], &[f32]) {
        let older = self.complete.get(self.outdated.into()..).unwrap_or_default();
        (older, self.recent.get(..self.recents.into()).unwrap_or_default())
    }

    /// How many are complete.
    fn len(&self) -> usize {
        let (older, recent) = self.complete();
        older.len() + recent.len()
    }

    /// The complete ones but for so many of the oldest.
    fn after(&self, oldest: usize) -> impl Iterator<Item = f32> {
        let (older, recent) = self.complete();
        let late = recent.get(oldest.saturating_sub(older.len())..).unwrap_or_default();
        older.get(oldest..).unwrap_or_default().iter().chain(late).copied()
    }

    /// Adds another, slot by slot.
    fn add(&mut self, other: &Self, keep: usize) {
        if self.samples == 0 || other.samples == 0 {
            if self.samples == 0 {
                *self = other.clone();
            }
            return;
        }
        let newest = self.newest.max(other.newest);
        // Both end with the newest slot of the two, newest first.
        let values = |tier: &Self| {
            let silent = usize::try_from(newest - tier.newest).unwrap_or(usize::MAX).min(keep);
            let mut values: Vec<f32> = tier.after(0).chain(once(tier.filling)).collect();
            values.extend(repeat_n(f32::NAN, silent));
            values.reverse();
            values
        };
        let (a, b) = (values(self), values(other));
        let length = a.len().max(b.len()).min(keep);
        let at = |values: &[f32], i: usize| values.get(i).copied().filter(|value| !value.is_nan());
        let mut sums: Vec<f32> = (0..length)
            .map(|i| match (at(&a, i), at(&b, i)) {
                (None, None) => f32::NAN,
                (x, y) => x.unwrap_or(0.0) + y.unwrap_or(0.0),
            })
            .collect();
        sums.reverse();
        // One of the two has a value in the newest slot.
        let filling = sums.pop().unwrap_or(0.0);
        *self = Self { complete: sums.into(), filling, samples: 1, newest, ..Self::default() };
    }

    fn push(&mut self, slot: u32, value: f32, keep: usize) {
        if self.samples > 0 && slot < self.newest {
            return;
        }
        if self.samples > 0 && slot == self.newest {
            self.samples = self.samples.saturating_add(1);
            self.filling += (value - self.filling) / f32::from(self.samples);
            return;
        }
        if self.samples > 0 {
            let gap = usize::try_from(slot - self.newest - 1).unwrap_or(usize::MAX);
            self.complete_one(gap, keep);
        }
        (self.filling, self.samples, self.newest) = (value, 1, slot);
    }

    /// Puts what was filling with the complete ones, and a gap after it. With the new slot there are `keep` at most.
    fn complete_one(&mut self, gap: usize, keep: usize) {
        let oldest = self.len().saturating_sub((keep - 2).saturating_sub(gap));
        if let Some(place) = self.recent.get_mut(usize::from(self.recents)).filter(|_| gap == 0) {
            *place = self.filling;
            self.recents += 1;
            self.outdated += u8::from(oldest > 0);
            return;
        }
        self.complete = if gap >= keep - 1 {
            [].into()
        } else {
            self.after(oldest).chain(once(self.filling)).chain(repeat_n(f32::NAN, gap)).collect()
        };
        (self.recents, self.outdated) = (0, 0);
    }
}

/// JSON has no NaN: gaps are `null`.
mod gaps {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(values: &[f32], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(values.iter().map(|v| (!v.is_nan()).then_some(*v)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<f32>, D::Error> {
        let values = Vec::<Option<f32>>::deserialize(d)?;
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
    fn a_sum_has_what_is_known_of_its_parts() {
        let of = |samples: &[(u64, f64)]| {
            let mut history = History::default();
            samples.iter().for_each(|(s, value)| history.push(second(*s), *value));
            history
        };
        let (early, late) = (of(&[(1, 1.0), (2, 2.0), (4, 4.0)]), of(&[(4, 10.0), (5, 20.0), (7, 40.0)]));
        for parts in [[&early, &late], [&late, &early]] {
            let values = History::sum(parts).last(1, 10, second(8));
            assert_eq!(values[..2], [1.0, 2.0]);
            assert_eq!((values[3], values[4], values[6]), (14.0, 20.0, 40.0));
            assert!([2, 5, 7].iter().all(|gap: &usize| values[*gap].is_nan()), "{values:?}");
        }
        assert_eq!(History::sum([&early]), early);
        assert_eq!(History::sum([&History::default(), &early]), early);
        assert!(History::sum([]).is_empty());
        // It goes on as any other, and keeps no more.
        let long: Vec<(u64, f64)> = (0..300).map(|s| (s, 1.0)).collect();
        let mut sum = History::sum([&of(&long), &of(&long[..250])]);
        assert_eq!(
            sum.last(1, 500, second(299)),
            of(&long)
                .last(1, 500, second(299))
                .iter()
                .enumerate()
                .map(|(i, _)| if i + 180 < 250 { 2.0 } else { 1.0 })
                .collect::<Vec<f32>>()
        );
        sum.push(second(300), 7.0);
        assert_eq!(sum.last(1, 2, second(300)), [1.0, 7.0]);
    }

    #[test]
    fn what_is_usual_is_not_changed_by_silence() {
        let mut history = History::default();
        assert_eq!(history.usual(), None);
        (0..5).for_each(|s| history.push(second(s), 9.0));
        assert_eq!(history.usual(), Some(9.0));
        (5..200).for_each(|s| history.push(second(s), if s < 60 { 9.0 } else { 0.0 }));
        assert_eq!(history.usual(), Some(9.0));
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
    fn what_is_kept_does_not_hang_on_what_was_put_together_when() {
        let (mut history, mut all) = (History::default(), Vec::new());
        for s in 0..500_u64 {
            let gap = s % 13 == 5 || (s / 20) % 9 == 4;
            if !gap {
                history.push(second(s), s as f64);
            }
            all.push(if gap { f32::NAN } else { s as f32 });
            // Written down and read again in the middle.
            if s % 37 == 0 {
                history = serde_json::from_str(&serde_json::to_string(&history).unwrap()).unwrap();
            }
            let kept = history.last(1, 1_000, second(s));
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&kept), bits(&all[all.len() - kept.len()..]), "second {s}");
            assert!(gap || kept.len() == all.len().min(120), "second {s}: {}", kept.len());
        }
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
