//! Patterns for runtime names: `*` stands for any text, also none; everything else for itself.

use std::fmt;

use crate::model::id::Name;

/// A pattern such as `billing-*`.
#[derive(Clone, PartialEq, Eq)]
pub struct Glob(Name);

/// How exact a pattern is: more is more specific. A name without `*` beats every pattern; then the number of
/// characters that are not `*` decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Specificity {
    whole: bool,
    literal: usize,
}

impl Specificity {
    /// The exactness of a whole name.
    pub fn of_name(name: &str) -> Self {
        Self { whole: true, literal: name.chars().count() }
    }
}

impl Glob {
    /// Takes a pattern as it is written.
    pub fn new(pattern: impl Into<Name>) -> Self {
        Self(pattern.into())
    }

    /// The pattern as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How exact it is.
    pub fn specificity(&self) -> Specificity {
        Specificity { whole: !self.0.contains('*'), literal: self.0.chars().filter(|c| *c != '*').count() }
    }

    /// Whether a name looks like this. Takes time in proportion to the two lengths at worst.
    pub fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(head) = parts.next() else { return false };
        let Some(mut rest) = name.strip_prefix(head) else { return false };
        let Some(tail) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            // The leftmost place leaves the most for what follows, so the first find is enough.
            match rest.find(part).and_then(|at| rest.get(at + part.len()..)) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        rest.ends_with(tail)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Glob::new(pattern).matches(name)
    }

    #[test]
    fn a_star_is_any_text_and_also_none() {
        assert!(matches("billing-*", "billing-7f9d"));
        assert!(matches("billing-*", "billing-"));
        assert!(!matches("billing-*", "billing"));
        assert!(matches("*", ""));
        assert!(matches("a*b*c", "a-b-b-c"));
        assert!(!matches("a*b*c", "a-c"));
        assert!(!matches("ab*ba", "aba"), "head and tail may not share a character");
        assert!(matches("bi**ng", "billing"));
        assert!(!matches("", "x"));
        assert!(matches("", ""));
    }

    #[test]
    fn a_name_beats_a_pattern_and_a_longer_pattern_a_shorter() {
        let spec = |p: &str| Glob::new(p).specificity();
        assert!(spec("a") > spec("billing-*"));
        assert!(spec("billing-users-*") > spec("billing-*"));
        assert!(spec("billing-*") > spec("*"));
        assert_eq!(spec("*-users"), spec("users-*"));
    }

    /// The obvious rule, exponential at worst, to check the quick one against.
    fn slow(pattern: &[char], name: &[char]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some(('*', more)), _) => {
                slow(more, name) || name.split_first().is_some_and(|(_, n)| slow(pattern, n))
            }
            (Some((p, more)), Some((n, rest))) => p == n && slow(more, rest),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_obvious_rule(pattern in "[ab*]{0,8}", name in "[ab]{0,10}") {
            let p: Vec<char> = pattern.chars().collect();
            let n: Vec<char> = name.chars().collect();
            prop_assert_eq!(matches(&pattern, &name), slow(&p, &n));
        }
    }
}
