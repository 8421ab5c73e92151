//! Instants as plain numbers.
//!
//! Two clocks appear in the model and are never mixed: the *broker's* wall clock, which stamps
//! messages, and the *observer's* — its wall clock for display, and a monotonic one for rates.
//! Nothing here reads a clock.

use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Nanoseconds since 1970-01-01T00:00:00Z, on some machine's wall clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// From whole milliseconds since the epoch.
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms.saturating_mul(1_000_000))
    }

    /// Nanoseconds from `earlier` to here; negative when the clocks disagree — which is shown, not clamped.
    pub const fn nanos_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Time from `earlier` to here, zero when `earlier` is later: for ages on one clock only.
    pub fn age_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.nanos_since(earlier)).unwrap_or(0))
    }

    /// Moves by a signed number of nanoseconds.
    pub const fn offset(self, nanos: i64) -> Self {
        Self(self.0.saturating_add(nanos))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, d: Duration) -> Self {
        self.offset(nanos(d))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, d: Duration) -> Self {
        self.offset(-nanos(d))
    }
}

/// Nanoseconds on the observer's monotonic clock since it began to watch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mono(pub u64);

impl Mono {
    /// Time from `earlier` to here; zero when `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// So long before; the beginning when that was later.
    pub fn before(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Add<Duration> for Mono {
    type Output = Self;
    fn add(self, d: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// When something was seen: on the observer's two clocks, and on the broker's where it told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The observer's wall clock.
    pub wall: Timestamp,
    /// The observer's monotonic clock: the only one rates are computed with when `broker` is missing.
    pub mono: Mono,
    /// The clock of the server that answered, at the moment it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker: Option<Timestamp>,
    /// How long the answer took at most to come: it was given so long before `mono`, or less.
    #[serde(default, skip_serializing_if = "Duration::is_zero")]
    pub travel: Duration,
}

/// A duration in nanoseconds, saturating.
pub fn nanos(d: Duration) -> i64 {
    i64::try_from(d.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_difference_stays_negative() {
        let early = Timestamp::from_millis(1_000);
        let late = Timestamp::from_millis(1_500);
        assert_eq!(early.nanos_since(late), -500_000_000);
        assert_eq!(early.age_since(late), Duration::ZERO);
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Timestamp(i64::MAX) + Duration::from_secs(1), Timestamp(i64::MAX));
        assert_eq!(Mono(u64::MAX) + Duration::from_secs(1), Mono(u64::MAX));
    }
}
