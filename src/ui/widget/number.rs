//! Numbers as people read them: three significant digits with a unit, in few columns.
//!
//! | | |
//! |---|---|
//! | counts | `0` `999` `4.1k` `12k` `1.2M` |
//! | rates | `0/s` `0.4/s` `42/s` `1.2k/s` |
//! | durations | `0 s` `0.3 ms` `41 ms` `1.4 s` `12 s` `2m05` `1h02` `3d04h` |
//! | bytes | `0 B` `512 B` `1.2 kB` `4.1 MB` |
//! | shares | `0 %` `1.2 %` `31 %` |
//!
//! What is not known exactly says so: `≥` at least, `~` about, `3–5 s` between, `–` unknown. Unknown is never 0.

use std::time::Duration;

use crate::model::measured::Bounds;
pub use crate::model::number::{count, duration, elapsed, limit, messages, percent};
use crate::model::number::{short, small};
use crate::model::snapshot::Drain;
use crate::model::time::nanos;
use crate::theme::{Glyph, Glyphs};

/// Every digit, in groups of three: for detail panes and sequence numbers. The group sign is a thin gap that every
/// font has: a plain space.
pub fn exact(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// Messages per second. What is rarer than once in two minutes is still not nothing.
pub fn rate(per_second: f64) -> String {
    format!("{}/s", small(per_second))
}

/// A size in bytes; powers of a thousand, as brokers and disks count.
pub fn bytes(n: f64) -> String {
    let text = short(n.round());
    match text.chars().last() {
        Some(unit) if unit.is_ascii_alphabetic() => {
            format!("{} {unit}B", text.trim_end_matches(|c: char| c.is_ascii_alphabetic()))
        }
        _ => format!("{text} B"),
    }
}

/// Bytes per second.
pub fn bytes_rate(per_second: f64) -> String {
    if per_second > 0.0 && per_second < 0.5 {
        "<1 B/s".to_owned()
    } else {
        format!("{}/s", bytes(per_second))
    }
}

/// The upper end of something that is only known to be below it, rounded up to a step: between two steps it says no less,
/// and it stands still while the time between two polls varies. No step is a round second, where polls are.
pub fn upper_step(d: Duration) -> Duration {
    const STEPS: [u64; 9] = [12, 15, 20, 25, 30, 40, 50, 60, 80];
    let nanos = u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
    let mut tenth = 1_u64;
    loop {
        if let Some(step) = STEPS.iter().map(|step| step.saturating_mul(tenth)).find(|step| *step >= nanos) {
            return Duration::from_nanos(step);
        }
        tenth = tenth.saturating_mul(10);
    }
}

/// [`duration`] of signed nanoseconds: a negative delay (clocks disagree) is shown, not hidden.
pub fn signed_nanos(ns: i64) -> String {
    let text = duration(Duration::from_nanos(ns.unsigned_abs()));
    if ns < 0 { format!("-{text}") } else { text }
}

/// How long ago something was: `just now` within the second, since tenths of one only flicker; then `3 s ago` `2m05 ago`.
pub fn ago(d: Duration) -> String {
    match d.as_secs() {
        0 => "just now".to_owned(),
        seconds @ 1..60 => format!("{seconds} s ago"),
        _ => format!("{} ago", elapsed(d)),
    }
}

/// When a lag will be gone.
pub fn drain(drain: &Drain) -> String {
    match drain {
        Drain::Empty => "0 s".to_owned(),
        Drain::In(d) => duration(*d),
        Drain::Never => "never".to_owned(),
    }
}

/// A value with what is known of it: `3 s`, `≥3 s`, `~3 s`, `3–5 s`, `–`.
pub fn bounds<T>(glyphs: Glyphs, bounds: &Bounds<T>, format: impl Fn(&T) -> String) -> String {
    match bounds {
        Bounds::Exact(value) => format(value),
        Bounds::AtLeast(value) => at_least(glyphs, &format(value)),
        Bounds::About { value, .. } => prefixed(glyphs.get(Glyph::About), &format(value)),
        Bounds::Between { lo, hi } => range(glyphs, &format(lo), &format(hi)),
        Bounds::Unknown(_) => glyphs.get(Glyph::NoValue).to_owned(),
    }
}

/// A shorter form of [`bounds`] that is still true, where there is one: of a range, its upper end.
pub fn bounds_short<T>(glyphs: Glyphs, bounds: &Bounds<T>, format: impl Fn(&T) -> String) -> Option<String> {
    match bounds {
        Bounds::Between { hi, .. } => Some(at_most(glyphs, &format(hi))),
        _ => None,
    }
}

/// At least next to nothing says no more than at least nothing; `<0.01/s` alone would claim an upper end.
fn at_least(glyphs: Glyphs, text: &str) -> String {
    let sign = glyphs.get(Glyph::AtLeast);
    match text.strip_prefix('<') {
        Some(rest) => format!("{sign}0{}", rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')),
        None => format!("{sign}{text}"),
    }
}

/// A formatted number as the upper end of what is possible: `≤5.0 s`.
pub fn at_most(glyphs: Glyphs, text: &str) -> String {
    prefixed(glyphs.get(Glyph::AtMost), text)
}

/// `~` and `<0.1` would read as nonsense together: the sign of the text wins.
pub fn prefixed(sign: &str, text: &str) -> String {
    if text.starts_with('<') { text.to_owned() } else { format!("{sign}{text}") }
}

/// `3–5 s`: one unit is enough when both ends have the same; one number when both ends read the same; `≤5 s` when it may
/// be none at all: nothing here is below zero, so that a first end of zero says nothing.
fn range(glyphs: Glyphs, lo: &str, hi: &str) -> String {
    if lo == hi {
        return prefixed(glyphs.get(Glyph::About), lo);
    }
    if lo == "0" || lo.starts_with("0 ") || lo.starts_with("0/") {
        return at_most(glyphs, hi);
    }
    let unit = |text: &str| text.find([' ', '/']).map(|at| text.get(at..).unwrap_or_default().to_owned());
    let lo_short = match (unit(lo), unit(hi)) {
        (Some(a), Some(b)) if a == b => lo.strip_suffix(&a).unwrap_or(lo),
        _ => lo,
    };
    format!("{lo_short}{}{hi}", glyphs.get(Glyph::Range))
}

/// A duration between two instants on one clock, as nanoseconds for sorting.
pub fn sort_nanos(d: Duration) -> f64 {
    nanos(d) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_width::UnicodeWidthStr;

    const U: Glyphs = Glyphs::Unicode;

    #[test]
    fn every_digit_in_groups() {
        assert_eq!(exact(0), "0");
        assert_eq!(exact(999), "999");
        assert_eq!(exact(1_234_567), "1 234 567");
        assert_eq!(signed_nanos(-1_400_000_000), "-1.4 s");
    }

    #[test]
    fn rates() {
        for (r, text) in [
            (0.0, "0/s"),
            (0.001, "<0.01/s"),
            (0.03, "0.03/s"),
            (0.4, "0.4/s"),
            (1.0, "1/s"),
            (4.23, "4.2/s"),
            (9.96, "10/s"),
            (42.4, "42/s"),
            (512.0, "512/s"),
            (999.6, "1.0k/s"),
            (1_234.0, "1.2k/s"),
            (f64::NAN, "?/s"),
            (-0.4, "-0.4/s"),
        ] {
            assert_eq!(rate(r), text);
        }
    }

    #[test]
    fn an_upper_end_is_rounded_up_and_stands_still() {
        for (ms, step) in [
            (0, "<0.1 ms"),
            (9, "12 ms"),
            (120, "120 ms"),
            (121, "150 ms"),
            (801, "1.2 s"),
            (994, "1.2 s"),
            (1_000, "1.2 s"),
            (1_100, "1.2 s"),
            (2_100, "2.5 s"),
            (9_000, "12 s"),
            (61_000, "1m20"),
        ] {
            let d = Duration::from_millis(ms);
            assert!(upper_step(d) >= d, "{ms}");
            assert_eq!(duration(upper_step(d)), step, "{ms}");
        }
        assert!(upper_step(Duration::MAX) > Duration::from_secs(1));
        assert_eq!(limit(Duration::from_secs(2)), "2 s");
        assert_eq!(limit(Duration::from_millis(2_500)), "2.5 s");
        assert_eq!(limit(Duration::from_secs(30)), "30 s");
    }

    #[test]
    fn sizes_and_shares() {
        assert_eq!(bytes(0.0), "0 B");
        assert_eq!(bytes(512.0), "512 B");
        assert_eq!(bytes(1_234.0), "1.2 kB");
        assert_eq!(bytes(4.1e6), "4.1 MB");
        assert_eq!(bytes_rate(0.2), "<1 B/s");
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(percent(0.0001), "<0.1 %");
        assert_eq!(percent(0.012), "1.2 %");
        assert_eq!(percent(0.31), "31 %");
        assert_eq!(percent(0.9999), "99.9 %");
        assert_eq!(percent(1.0), "100 %");
    }

    #[test]
    fn what_is_not_exact_says_so() {
        let secs = |s: &u64| duration(Duration::from_secs(*s));
        assert_eq!(bounds(U, &Bounds::Exact(3), secs), "3.0 s");
        assert_eq!(bounds(U, &Bounds::AtLeast(125), secs), "≥2m05");
        assert_eq!(bounds(U, &Bounds::About { value: 40, within: None }, secs), "~40 s");
        assert_eq!(bounds(U, &Bounds::Between { lo: 3, hi: 5 }, secs), "3.0–5.0 s");
        assert_eq!(bounds(U, &Bounds::Between { lo: 3, hi: 125 }, secs), "3.0 s–2m05");
        assert_eq!(bounds(U, &Bounds::Between { lo: 0, hi: 125 }, secs), "≤2m05");
        assert_eq!(bounds(U, &Bounds::Between { lo: 0.0, hi: 30.0 }, |r| rate(*r)), "≤30/s");
        assert_eq!(bounds(U, &Bounds::Between { lo: 0.4, hi: 30.0 }, |r| rate(*r)), "0.4–30/s");
        assert_eq!(bounds(Glyphs::Ascii, &Bounds::Between { lo: 0, hi: 7 }, |n| count(*n)), "<=7");
        assert_eq!(bounds(U, &Bounds::<u64>::unknown("permission denied"), secs), "–");
        assert_eq!(bounds(Glyphs::Ascii, &Bounds::<u64>::unknown("x"), secs), "?");
        assert_eq!(bounds(U, &Bounds::Between { lo: 4_101, hi: 4_102 }, |n| count(*n)), "~4.1k");
        assert_eq!(bounds(U, &Bounds::AtLeast(0.001), |r| rate(*r)), "≥0/s");
        assert_eq!(bounds_short(U, &Bounds::Between { lo: 3, hi: 5 }, secs).unwrap(), "≤5.0 s");
    }

    /// Numbers stand still: whatever the size, few columns.
    #[test]
    fn numbers_are_narrow() {
        let mut value = 1e-5_f64;
        while value < 1e18 {
            assert!(rate(value).width() <= 7, "{}", rate(value));
            assert!(bytes(value).width() <= 6, "{}", bytes(value));
            if value < 1e9 {
                let d = Duration::try_from_secs_f64(value).unwrap();
                assert!(duration(d).width() <= 7, "{}", duration(d));
            }
            value *= 1.37;
        }
    }
}
