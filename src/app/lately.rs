//! What a row's rate counts as in the order of a list: chance moves no row, and what lasts does.
//!
//! A rate over a few seconds counts few messages, and goes up and down by chance. So a row stands by what its rate has been
//! lately: an exponentially weighted mean, whose weight falls to 1/e in [`FADES`] (until it is so old, the plain mean). It counts as
//! another one when that mean has left what chance explains; or at once, when the rate of a few seconds already has.

use std::time::Duration;

/// The time that a rate covers.
const COUNTED: Duration = Duration::from_secs(5);
/// How fast what was before loses its weight.
const FADES: Duration = Duration::from_secs(10);
/// A mean that differs by less than this share is the same for the eye.
const SHARE: f64 = 0.15;
/// So many times the spread that chance gives is no chance any more: many rows are looked at again and again.
const SPREADS: f64 = 3.5;

/// What a row's rate has been lately.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Lately {
    mean: f64,
    /// How long it has been looked at; no more than matters.
    age: Duration,
    counts_as: f64,
}

impl Lately {
    /// A row that is new, or that the person asked to stand by what it is now.
    pub(super) fn new(rate: f64) -> Self {
        Self { mean: rate, age: Duration::ZERO, counts_as: rate }
    }

    /// What it is after `time` at this rate.
    pub(super) fn after(self, rate: f64, time: Duration) -> Self {
        let more = rate.max(self.counts_as).max(0.0);
        let by_chance = SPREADS * (2.0 * more / COUNTED.as_secs_f64()).sqrt();
        if (rate - self.counts_as).abs() > (more / 3.0).max(by_chance) {
            return Self::new(rate);
        }
        if time.is_zero() {
            return self;
        }
        let age = (self.age + time).min(FADES);
        let fades = 1.0 - (-time.as_secs_f64() / FADES.as_secs_f64()).exp();
        let weight = fades.max((time.as_secs_f64() / age.as_secs_f64()).min(1.0));
        let mean = self.mean + (rate - self.mean) * weight;
        // An exponential mean is about as good as a plain one over twice its time; a count's spread is its root.
        let spread = (mean.max(0.0) / (2.0 * FADES.as_secs_f64())).sqrt();
        let same = (mean - self.counts_as).abs() <= (mean.abs() * SHARE).max(SPREADS * spread);
        Self { mean, age, counts_as: if same { self.counts_as } else { mean } }
    }

    /// The rate by which it stands.
    pub(super) fn counts_as(self) -> f64 {
        self.counts_as
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_secs(1);

    fn after(start: f64, rates: impl IntoIterator<Item = f64>) -> f64 {
        rates.into_iter().fold(Lately::new(start), |row, rate| row.after(rate, STEP)).counts_as()
    }

    #[test]
    fn chance_is_no_change() {
        // Seventeen messages a second, counted over five seconds: 85 ± 9.
        let by_chance = [17.0, 15.2, 18.6, 19.0, 16.4, 14.8, 17.8, 18.2, 15.6, 17.4];
        assert_eq!(after(17.0, by_chance.into_iter().cycle().take(60)), 17.0);
    }

    #[test]
    fn what_lasts_counts_however_it_began() {
        let seldom = after(0.4, [2.2; 30]);
        assert!((1.8..=2.2).contains(&seldom), "{seldom}");
        let more = after(17.0, [24.0; 30]);
        assert!((21.0..=24.0).contains(&more), "{more}");
        let silent = after(17.0, [0.0; 60]);
        assert!(silent < 0.5, "{silent}");
    }

    #[test]
    fn no_time_changes_little() {
        let row = Lately::new(5.0);
        assert_eq!(row.after(6.0, Duration::ZERO), row);
        assert_eq!(row.after(500.0, Duration::ZERO), Lately::new(500.0), "but what no chance explains");
    }
}
