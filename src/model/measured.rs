//! Numbers that say how exactly they are known, since when, and by what evidence.
//!
//! Unknown is never zero: a value that could not be read is [`Bounds::Unknown`] with its reason, and
//! everything that computes with it stays unknown.

use serde::{Deserialize, Serialize};

use super::id::Name;
use super::time::Timestamp;

/// What is known of a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bounds<T> {
    /// The value itself.
    Exact(T),
    /// A lower bound: what was already so when watching began, or what was only partly counted. `≥`
    AtLeast(T),
    /// An estimate, with what the truth is in where that can be told. `~`
    About {
        /// The estimate.
        value: T,
        /// The lowest and the highest that the truth can be: the estimate need not be in the middle.
        within: Option<(T, T)>,
    },
    /// The truth is in `lo..=hi`.
    Between {
        /// Lower end.
        lo: T,
        /// Upper end.
        hi: T,
    },
    /// Not known, and why. `–`
    Unknown(Name),
}

impl<T> Bounds<T> {
    /// Unknown for the given reason.
    pub fn unknown(why: impl Into<Name>) -> Self {
        Self::Unknown(why.into())
    }

    /// `Exact(lo)` when both ends agree, else `Between`.
    pub fn between(lo: T, hi: T) -> Self
    where
        T: PartialOrd,
    {
        if lo < hi { Self::Between { lo, hi } } else { Self::Exact(lo) }
    }

    /// One number to sort and draw by: the value, the estimate, the lower bound, or the lower end of an interval.
    pub fn low(&self) -> Option<&T> {
        match self {
            Self::Exact(v)
            | Self::AtLeast(v)
            | Self::About { value: v, .. }
            | Self::Between { lo: v, .. } => Some(v),
            Self::Unknown(_) => None,
        }
    }

    /// The largest value that the truth can have, where there is one.
    pub fn high(&self) -> Option<&T> {
        match self {
            Self::Exact(v) | Self::About { value: v, .. } | Self::Between { hi: v, .. } => Some(v),
            Self::AtLeast(_) | Self::Unknown(_) => None,
        }
    }

    /// The value, only when it is exact.
    pub fn exact(&self) -> Option<&T> {
        match self {
            Self::Exact(v) => Some(v),
            _ => None,
        }
    }

    /// Why it is unknown, when it is.
    pub fn why_unknown(&self) -> Option<&Name> {
        match self {
            Self::Unknown(why) => Some(why),
            _ => None,
        }
    }

    /// The same knowledge of another quantity.
    pub fn map<U>(self, mut f: impl FnMut(T) -> U) -> Bounds<U> {
        match self {
            Self::Exact(v) => Bounds::Exact(f(v)),
            Self::AtLeast(v) => Bounds::AtLeast(f(v)),
            Self::About { value, within } => {
                Bounds::About { value: f(value), within: within.map(|(lo, hi)| (f(lo), f(hi))) }
            }
            Self::Between { lo, hi } => Bounds::Between { lo: f(lo), hi: f(hi) },
            Self::Unknown(why) => Bounds::Unknown(why),
        }
    }
}

/// How a fact is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    /// Derived by a rule from something else; shown with `~`.
    Inferred,
    /// Stated in a topology file.
    Declared,
    /// Taken over from another catalogue.
    Imported,
    /// Seen on a broker or an endpoint.
    Observed,
}

/// How, from where and when a fact is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Evidence {
    /// How it is known.
    pub kind: EvidenceKind,
    /// From where, in words a person can check: `services/billing.yaml:12`, `$JS.API.CONSUMER.LIST.ORDERS`, `rule: durable name`.
    pub from: Name,
    /// When it was last seen so; `None` for what does not age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

impl Evidence {
    /// Evidence seen on a broker or endpoint.
    pub fn observed(from: impl Into<Name>, at: Timestamp) -> Self {
        Self { kind: EvidenceKind::Observed, from: from.into(), at: Some(at) }
    }

    /// Evidence from a topology file.
    pub fn declared(from: impl Into<Name>) -> Self {
        Self { kind: EvidenceKind::Declared, from: from.into(), at: None }
    }

    /// A conclusion; `rule` says which.
    pub fn inferred(rule: impl Into<Name>) -> Self {
        Self { kind: EvidenceKind::Inferred, from: rule.into(), at: None }
    }
}

/// A number on screen: what is known of it, when it was true and by what evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured<T> {
    /// What is known.
    pub bounds: Bounds<T>,
    /// When it was true, on the observer's wall clock; its age is shown when it is older than its interval.
    pub at: Timestamp,
    /// By what: the request, subject, formula or endpoint.
    pub by: Name,
}

impl<T> Measured<T> {
    /// A value known exactly.
    pub fn exact(value: T, at: Timestamp, by: impl Into<Name>) -> Self {
        Self::new(Bounds::Exact(value), at, by)
    }

    /// Not known, and why.
    pub fn unknown(why: impl Into<Name>, at: Timestamp) -> Self {
        Self { bounds: Bounds::unknown(why), at, by: "".into() }
    }

    /// A value with what is known of it.
    pub fn new(bounds: Bounds<T>, at: Timestamp, by: impl Into<Name>) -> Self {
        Self { bounds, at, by: by.into() }
    }

    /// See [`Bounds::low`].
    pub fn low(&self) -> Option<&T> {
        self.bounds.low()
    }

    /// The same knowledge of another quantity.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Measured<U> {
        Measured { bounds: self.bounds.map(f), at: self.at, by: self.by }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_has_no_number() {
        let unknown: Bounds<u64> = Bounds::unknown("permission denied");
        assert_eq!((unknown.low(), unknown.high(), unknown.exact()), (None, None, None));
        assert!(unknown.map(|v| v + 1).why_unknown().is_some());
    }

    #[test]
    fn a_lower_bound_has_no_upper_end() {
        assert_eq!(Bounds::AtLeast(5).high(), None);
        assert_eq!(Bounds::AtLeast(5).low(), Some(&5));
    }

    #[test]
    fn an_empty_interval_is_exact() {
        assert_eq!(Bounds::between(3, 3), Bounds::Exact(3));
        assert_eq!(Bounds::between(3, 4), Bounds::Between { lo: 3, hi: 4 });
    }
}
