//! Distributions of durations: sparse, mergeable, of a stated error.
//!
//! A value of 128 ns and more falls into one of 64 equal buckets between a power of two and the next; smaller
//! ones have a bucket each. A bucket is thus at most 1/64 as wide as its lower end, and its middle is
//! within 1/128 (0.8 %) of every value in it. Buckets are whole numbers, never logarithms of floats:
//! merging in any order and on any machine gives the same histogram. Values below zero (clocks that
//! disagree) are counted apart and rank before all others; the smallest and the largest value are exact.
//!
//! Size: [`BYTES_PER_BUCKET`] for each bucket that is in use, [`MAX_BYTES`] when all are; delays between
//! 1 ms and 1 s touch at most 640.

use serde::{Deserialize, Serialize};

/// Buckets between a power of two and the next, as a power of two.
const SUB_BITS: u32 = 6;

/// Buckets that there can be.
const BUCKETS: usize = bucket_of(i64::MAX as u64) as usize + 1;

/// Bytes that a bucket in use takes.
pub const BYTES_PER_BUCKET: usize = size_of::<u16>() + size_of::<u64>();

/// Bytes of a histogram in which all buckets are in use.
pub const MAX_BYTES: usize = BUCKETS * BYTES_PER_BUCKET;

/// The middle of a bucket is within this share of every value in it.
pub const RELATIVE_ERROR: f64 = 1.0 / 128.0;

/// A distribution of durations in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct Histogram {
    /// Buckets in use, ascending, and the values in each: two lists, so that no byte goes to padding.
    buckets: Vec<u16>,
    counts: Vec<u64>,
    count: u64,
    negative: u64,
    extremes: Option<(i64, i64)>,
}

/// Where a quantile is: the truth is in `lo..=hi`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantile {
    /// Lower end, in nanoseconds.
    pub lo: i64,
    /// Upper end, in nanoseconds.
    pub hi: i64,
}

impl Quantile {
    /// One number for it: within [`RELATIVE_ERROR`] of the truth, if that is not negative.
    pub const fn middle(self) -> i64 {
        // Both ends have one sign, or are at most a bucket apart: the difference cannot overflow.
        self.lo + (self.hi - self.lo) / 2
    }
}

impl Histogram {
    /// Adds a value.
    pub fn record(&mut self, nanos: i64) {
        self.record_n(nanos, 1);
    }

    /// Adds a value `n` times.
    pub fn record_n(&mut self, nanos: i64, n: u64) {
        if n == 0 {
            return;
        }
        self.count = self.count.saturating_add(n);
        self.stretch(nanos, nanos);
        match u64::try_from(nanos) {
            Ok(value) => self.add(bucket_of(value), n),
            Err(_) => self.negative = self.negative.saturating_add(n),
        }
    }

    /// Adds all of another's values. The order of merging does not matter.
    pub fn merge(&mut self, other: &Self) {
        if other.buckets.len() < 4 {
            other.buckets.iter().zip(&other.counts).for_each(|(bucket, n)| self.add(*bucket, *n));
        } else {
            self.merge_buckets(other);
        }
        self.count = self.count.saturating_add(other.count);
        self.negative = self.negative.saturating_add(other.negative);
        if let Some((min, max)) = other.extremes {
            self.stretch(min, max);
        }
    }

    /// Both lists in one pass: where there are many, inserting one by one would move the rest each time.
    fn merge_buckets(&mut self, other: &Self) {
        let most = self.buckets.len() + other.buckets.len();
        let (mut buckets, mut counts) = (Vec::with_capacity(most), Vec::with_capacity(most));
        let mut ours = self.buckets.iter().zip(&self.counts).peekable();
        let mut theirs = other.buckets.iter().zip(&other.counts).peekable();
        while let Some(bucket) =
            ours.peek().into_iter().chain(theirs.peek()).map(|(bucket, _)| **bucket).min()
        {
            let of = |n: Option<(&u16, &u64)>| n.map_or(0, |(_, n)| *n);
            let mine = of(ours.next_if(|(b, _)| **b == bucket));
            buckets.push(bucket);
            counts.push(mine.saturating_add(of(theirs.next_if(|(b, _)| **b == bucket))));
        }
        (self.buckets, self.counts) = (buckets, counts);
    }

    fn add(&mut self, bucket: u16, n: u64) {
        match self.buckets.binary_search(&bucket) {
            Ok(at) => {
                if let Some(count) = self.counts.get_mut(at) {
                    *count = count.saturating_add(n);
                }
            }
            Err(at) => {
                self.buckets.insert(at, bucket);
                self.counts.insert(at, n);
            }
        }
    }

    fn stretch(&mut self, low: i64, high: i64) {
        let (min, max) = self.extremes.unwrap_or((low, high));
        self.extremes = Some((min.min(low), max.max(high)));
    }

    /// Values in it, the negative ones included.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Values below zero.
    pub const fn negative(&self) -> u64 {
        self.negative
    }

    /// No value.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The smallest value.
    pub fn min(&self) -> Option<i64> {
        self.extremes.map(|(min, _)| min)
    }

    /// The largest value.
    pub fn max(&self) -> Option<i64> {
        self.extremes.map(|(_, max)| max)
    }

    /// The smallest value that at least a share `q` (0 to 1) of all values do not exceed (nearest rank);
    /// `None` when there is no value or `q` is no share.
    pub fn quantile(&self, q: f64) -> Option<Quantile> {
        let (min, max) = self.extremes?;
        if !(0.0..=1.0).contains(&q) {
            return None;
        }
        // Beyond 2^53 values the rank is off by less than a millionth of them.
        let rank = ((q * self.count as f64).ceil() as u64).clamp(1, self.count);
        if rank <= self.negative {
            return Some(Quantile { lo: min, hi: max.min(-1) });
        }
        let mut before = self.negative;
        for (bucket, n) in self.buckets.iter().zip(&self.counts) {
            before = before.saturating_add(*n);
            if before >= rank {
                let (lo, hi) = range_of(*bucket);
                return Some(Quantile { lo: lo.max(min), hi: hi.min(max) });
            }
        }
        None
    }

    /// How many values are at most `nanos`: at least the first and at most the second number.
    pub fn within(&self, nanos: i64) -> (u64, u64) {
        match self.extremes {
            None => return (0, 0),
            Some((_, max)) if nanos >= max => return (self.count, self.count),
            Some((min, _)) if nanos < min => return (0, 0),
            Some(_) => {}
        }
        if nanos < 0 {
            return if nanos == -1 { (self.negative, self.negative) } else { (1, self.negative) };
        }
        let (mut sure, mut perhaps) = (self.negative, self.negative);
        for (bucket, n) in self.buckets.iter().zip(&self.counts) {
            let (lo, hi) = range_of(*bucket);
            if hi <= nanos {
                sure = sure.saturating_add(*n);
            }
            if lo <= nanos {
                perhaps = perhaps.saturating_add(*n);
            }
        }
        (sure, perhaps)
    }

    /// Buckets in use with their range in nanoseconds and the values in each, ascending; negative values are not in it.
    pub fn buckets(&self) -> impl Iterator<Item = (Quantile, u64)> + '_ {
        self.buckets.iter().zip(&self.counts).map(|(bucket, n)| {
            let (lo, hi) = range_of(*bucket);
            (Quantile { lo, hi }, *n)
        })
    }

    /// Bytes held, for the budget.
    pub fn bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<u16>() + self.counts.capacity() * size_of::<u64>()
    }
}

/// The bucket of a value.
const fn bucket_of(value: u64) -> u16 {
    let exponent = u64::BITS - 1 - (value | 1).leading_zeros();
    if exponent <= SUB_BITS {
        return value as u16;
    }
    let shift = exponent - SUB_BITS;
    // The leading bit stays in: bucket numbers go on without a gap from one power of two to the next.
    ((shift as u64) * (1 << SUB_BITS) + (value >> shift)) as u16
}

/// The smallest and the largest value of a bucket.
const fn range_of(bucket: u16) -> (i64, i64) {
    let bucket = bucket as u64;
    let linear = 2 << SUB_BITS;
    if bucket < linear {
        return (bucket as i64, bucket as i64);
    }
    let shift = (bucket >> SUB_BITS) - 1;
    let lo = ((bucket & ((1 << SUB_BITS) - 1)) | (1 << SUB_BITS)) << shift;
    (lo as i64, (lo + ((1 << shift) - 1)) as i64)
}

/// The form in recordings.
#[derive(Serialize, Deserialize)]
struct Wire {
    buckets: Vec<(u16, u64)>,
    #[serde(default, skip_serializing_if = "is_zero")]
    negative: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    extremes: Option<(i64, i64)>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl From<Histogram> for Wire {
    fn from(h: Histogram) -> Self {
        let buckets = h.buckets.into_iter().zip(h.counts).collect();
        Self { buckets, negative: h.negative, extremes: h.extremes }
    }
}

impl TryFrom<Wire> for Histogram {
    type Error = String;

    /// A recording may come from anywhere: what would break the rules above is refused.
    fn try_from(wire: Wire) -> Result<Self, String> {
        let mut histogram = Self { negative: wire.negative, count: wire.negative, ..Self::default() };
        for (bucket, n) in wire.buckets {
            if usize::from(bucket) >= BUCKETS || n == 0 {
                return Err(format!("histogram: no bucket {bucket} with {n} values can be"));
            }
            histogram.add(bucket, n);
            histogram.count = histogram.count.saturating_add(n);
        }
        let holds = match wire.extremes {
            None => histogram.is_empty(),
            Some((min, max)) => {
                let lowest = histogram.buckets.first().map(|b| range_of(*b));
                let highest = histogram.buckets.last().map(|b| range_of(*b));
                let inside =
                    |v: i64, range: Option<(i64, i64)>| range.is_some_and(|(lo, hi)| (lo..=hi).contains(&v));
                !histogram.is_empty()
                    && min <= max
                    && if histogram.negative > 0 { min < 0 } else { inside(min, lowest) }
                    && if histogram.buckets.is_empty() { max < 0 } else { inside(max, highest) }
            }
        };
        if !holds {
            return Err("histogram: its smallest and largest value do not fit its buckets".to_owned());
        }
        histogram.extremes = wire.extremes;
        Ok(histogram)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[i64]) -> Histogram {
        let mut histogram = Histogram::default();
        for value in values {
            histogram.record(*value);
        }
        histogram
    }

    #[test]
    fn buckets_follow_each_other_without_gap_or_overlap() {
        let mut next = 0;
        for bucket in 0..BUCKETS {
            let (lo, hi) = range_of(bucket as u16);
            assert_eq!(lo, next, "bucket {bucket}");
            assert!(lo <= hi);
            assert_eq!(usize::from(bucket_of(lo as u64)), bucket);
            assert_eq!(usize::from(bucket_of(hi as u64)), bucket);
            next = hi.wrapping_add(1);
        }
        assert_eq!(next, i64::MIN, "the last bucket ends with the largest value");
    }

    #[test]
    fn the_budget_holds_with_every_bucket_in_use() {
        let mut full = Histogram::default();
        for bucket in 0..BUCKETS {
            full.record(range_of(bucket as u16).0);
        }
        full.buckets.shrink_to_fit();
        full.counts.shrink_to_fit();
        assert_eq!(full.bytes(), MAX_BYTES);
        assert_eq!(MAX_BYTES, 37_120);
        let mut usual = Histogram::default();
        for us in 1_000..1_000_000 {
            usual.record(us * 1_000);
        }
        assert!(usual.buckets.len() <= 640, "{}", usual.buckets.len());
    }

    #[test]
    fn nothing_in_it_gives_nothing() {
        let empty = Histogram::default();
        assert_eq!((empty.quantile(0.5), empty.min(), empty.within(5)), (None, None, (0, 0)));
        assert_eq!(of(&[1]).quantile(1.5), None);
        assert_eq!(of(&[1]).quantile(f64::NAN), None);
    }

    #[test]
    fn a_forged_recording_is_refused() {
        for text in [
            r#"{"buckets":[[60000,1]],"extremes":[1,1]}"#,
            r#"{"buckets":[[5,0]],"extremes":[5,5]}"#,
            r#"{"buckets":[[5,1]]}"#,
            r#"{"buckets":[[5,1]],"extremes":[9,5]}"#,
            r#"{"buckets":[[5,1]],"extremes":[-4,5]}"#,
            r#"{"buckets":[],"negative":1,"extremes":[-4,5]}"#,
            r#"{"buckets":[],"extremes":[1,1]}"#,
        ] {
            assert!(serde_json::from_str::<Histogram>(text).is_err(), "{text}");
        }
    }

    fn any_value() -> impl Strategy<Value = i64> {
        prop_oneof![any::<i64>(), -1_000i64..1_000, 0i64..10_000_000_000]
    }

    proptest! {
        #[test]
        fn quantiles_contain_the_truth(
            mut values in proptest::collection::vec(any_value(), 1..300),
            q in 0.0f64..=1.0,
        ) {
            let histogram = of(&values);
            values.sort_unstable();
            let rank = ((q * values.len() as f64).ceil() as usize).clamp(1, values.len());
            let truth = values[rank - 1];
            let found = histogram.quantile(q).unwrap();
            prop_assert!((found.lo..=found.hi).contains(&truth), "{found:?} {truth}");
            if truth >= 0 {
                let off = (i128::from(found.middle()) - i128::from(truth)).unsigned_abs() as f64;
                prop_assert!(off <= truth as f64 * RELATIVE_ERROR + 0.5, "{found:?} {truth}");
                prop_assert!(RELATIVE_ERROR <= 0.01);
            }
            prop_assert_eq!(histogram.min(), values.first().copied());
            prop_assert_eq!(histogram.max(), values.last().copied());
            prop_assert_eq!(histogram.count(), values.len() as u64);
            prop_assert_eq!(histogram.negative(), values.iter().filter(|v| **v < 0).count() as u64);
        }

        #[test]
        fn shares_contain_the_truth(values in proptest::collection::vec(any_value(), 0..200), t in any_value()) {
            let truth = values.iter().filter(|v| **v <= t).count() as u64;
            let (sure, perhaps) = of(&values).within(t);
            prop_assert!((sure..=perhaps).contains(&truth), "{sure} {truth} {perhaps}");
        }

        #[test]
        fn merging_is_commutative_and_associative(
            a in proptest::collection::vec(any_value(), 0..50),
            b in proptest::collection::vec(any_value(), 0..50),
            c in proptest::collection::vec(any_value(), 0..50),
        ) {
            let merged = |parts: &[&Histogram]| {
                let mut out = Histogram::default();
                for part in parts {
                    out.merge(part);
                }
                out
            };
            let (x, y, z) = (of(&a), of(&b), of(&c));
            prop_assert_eq!(merged(&[&x, &y]), merged(&[&y, &x]));
            prop_assert_eq!(merged(&[&merged(&[&x, &y]), &z]), merged(&[&x, &merged(&[&y, &z])]));
            let all: Vec<i64> = a.iter().chain(&b).chain(&c).copied().collect();
            prop_assert_eq!(merged(&[&x, &y, &z]), of(&all));
        }

        #[test]
        fn a_recording_keeps_it(values in proptest::collection::vec(any_value(), 0..50)) {
            let histogram = of(&values);
            let text = serde_json::to_string(&histogram).unwrap();
            prop_assert_eq!(serde_json::from_str::<Histogram>(&text).unwrap(), histogram);
        }
    }
}
