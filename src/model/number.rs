//! Numbers as people read them, in sentences and in tables: three significant digits with a unit.
//!
//! | | |
//! |---|---|
//! | counts | `0` `999` `4.1k` `12k` `1.2M` |
//! | durations | `0 s` `0.3 ms` `41 ms` `1.4 s` `12 s` `2m05` `1h02` `3d04h` |
//! | shares | `0 %` `1.2 %` `31 %` |

use std::time::Duration;

/// One decimal below ten, none above; at most three digits and a unit letter (`k` thousand, `M` million, …).
pub fn short(value: f64) -> String {
    if !value.is_finite() {
        return "?".to_owned();
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let mut value = value.abs();
    let mut unit = "";
    for larger in ["k", "M", "G", "T", "P", "E"] {
        // 999.5 would print as 1000.
        if value < 999.5 {
            break;
        }
        value /= 1000.0;
        unit = larger;
    }
    let digits = usize::from(value < 9.95 && (value.fract() != 0.0 || !unit.is_empty()));
    format!("{sign}{value:.digits$}{unit}")
}

/// A number of things. Below a thousand it is plain.
pub fn count(n: u64) -> String {
    if n < 1000 { n.to_string() } else { short(n as f64) }
}

/// Like [`short`], with a second decimal below 0.1 and a bound below that.
pub fn small(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        v if v < 0.005 => "<0.01".to_owned(),
        v if v < 0.095 => format!("{value:.2}"),
        v if v < 9.95 => {
            let text = format!("{value:.1}");
            text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
        }
        _ => short(value),
    }
}

/// A share of one as a percentage.
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    if !value.is_finite() {
        return "?".to_owned();
    }
    // Almost all is not all.
    if (99.5..100.0).contains(&value) {
        return "99.9 %".to_owned();
    }
    if value > 0.0 && value < 0.05 {
        return "<0.1 %".to_owned();
    }
    format!("{} %", small(value))
}

/// How long something took or how old it is.
pub fn duration(d: Duration) -> String {
    let ms = d.as_secs_f64() * 1000.0;
    if d.is_zero() {
        "0 s".to_owned()
    } else if ms < 0.095 {
        "<0.1 ms".to_owned()
    } else if ms < 9.95 {
        let text = format!("{ms:.1}");
        format!("{} ms", text.strip_suffix(".0").unwrap_or(&text))
    } else if ms < 999.5 {
        format!("{ms:.0} ms")
    } else if ms < 9_950.0 {
        format!("{:.1} s", ms / 1000.0)
    } else if ms < 59_500.0 {
        format!("{:.0} s", ms / 1000.0)
    } else {
        elapsed(Duration::from_secs(d.as_secs() + u64::from(d.subsec_millis() >= 500)))
    }
}

/// A length of time that somebody wrote down: `2 s`, not `2.0 s`, which is for what was measured.
pub fn limit(d: Duration) -> String {
    duration(d).replace(".0 ", " ")
}

/// Time since something began: `0m12` `2m05` `1h02` `3d04h` `412d`. Always the same width for hours on end.
pub fn elapsed(d: Duration) -> String {
    let seconds = d.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..3_600 => format!("{minutes}m{:02}", seconds % 60),
        3_600..86_400 => format!("{hours}h{:02}", minutes % 60),
        86_400..8_640_000 => format!("{days}d{:02}h", hours % 24),
        _ => format!("{days}d"),
    }
}

/// `1 message`, `3 messages`, `4.1k messages`.
pub fn messages(n: u64) -> String {
    format!("{} {}", count(n), if n == 1 { "message" } else { "messages" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        for (n, text) in [
            (0, "0"),
            (7, "7"),
            (999, "999"),
            (1000, "1.0k"),
            (4_100, "4.1k"),
            (9_949, "9.9k"),
            (9_951, "10k"),
            (12_345, "12k"),
            (999_499, "999k"),
            (999_500, "1.0M"),
            (1_200_000, "1.2M"),
            (u64::MAX, "18E"),
        ] {
            assert_eq!(count(n), text);
        }
    }

    #[test]
    fn durations() {
        for (ns, text) in [
            (0, "0 s"),
            (20_000, "<0.1 ms"),
            (300_000, "0.3 ms"),
            (3_000_000, "3 ms"),
            (41_200_000, "41 ms"),
            (999_400_000, "999 ms"),
            (999_600_000, "1.0 s"),
            (1_400_000_000, "1.4 s"),
            (12_000_000_000, "12 s"),
            (59_400_000_000, "59 s"),
            (59_600_000_000, "1m00"),
            (125_000_000_000, "2m05"),
            (3_725_000_000_000, "1h02"),
            (273_600_000_000_000, "3d04h"),
        ] {
            assert_eq!(duration(Duration::from_nanos(ns)), text, "{ns}");
        }
        assert_eq!(elapsed(Duration::from_secs(40)), "0m40");
        assert_eq!(elapsed(Duration::from_secs(412 * 86_400)), "412d");
    }
}
