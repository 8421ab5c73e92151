//! Lengths of time as people write them: `500ms`, `2s`, `1h30m`, `0.5s`.

use std::fmt::Write as _;
use std::time::Duration;

/// Units with their length in nanoseconds.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// The longest time that is taken: a hundred years, so that sums never overflow.
const LONGEST: u128 = 36_525 * 86_400_000_000_000;

/// Reads a length of time: one or more numbers, each with a unit. Errors say what is wrong in a few words.
pub fn parse(text: &str) -> Result<Duration, &'static str> {
    let mut rest = text;
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let unit = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let length = UNITS.iter().find(|(u, _)| *u == unit).map(|(_, n)| u128::from(*n));
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        if whole.is_empty() || part.is_empty() || part.contains('.') {
            return Err("no number where one must be");
        }
        let Some(length) = length else {
            return Err(if unit.is_empty() { "no unit" } else { "no such unit" });
        };
        let whole: u128 = whole.parse().map_err(|_| "too long")?;
        // Nine digits behind the point are more than a nanosecond of any unit up to the second.
        let digits = part.get(..part.len().min(9)).unwrap_or("0");
        let part = digits.parse::<u128>().map_err(|_| "no number where one must be")? * length
            / 10_u128.pow(digits.len() as u32);
        total = whole
            .checked_mul(length)
            .and_then(|n| n.checked_add(part))
            .and_then(|n| n.checked_add(total))
            .ok_or("too long")?;
        if total > LONGEST {
            return Err("too long");
        }
        rest = after;
    }
    match u64::try_from(total) {
        _ if text.is_empty() => Err("empty"),
        Ok(0) => Err("no time at all"),
        Ok(nanos) => Ok(Duration::from_nanos(nanos)),
        Err(_) => Err("too long"),
    }
}

/// Writes a length of time as the files do, in the largest units that hold it exactly: `1m30s`, `500ms`.
pub fn format(time: Duration) -> String {
    let mut nanos = time.as_nanos();
    let mut out = String::new();
    for (unit, length) in UNITS.iter().rev().filter(|(unit, _)| *unit != "µs") {
        let length = u128::from(*length);
        let n = nanos / length;
        if n > 0 {
            // Writing to a string cannot fail.
            let _ = write!(out, "{n}{unit}");
            nanos %= length;
        }
    }
    if out.is_empty() { "0s".to_owned() } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_as_people_write_them() {
        for (text, millis) in [
            ("500ms", 500),
            ("2s", 2000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("0.5s", 500),
            ("1.25m", 75_000),
            ("1d", 86_400_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(parse("15µs"), Ok(Duration::from_micros(15)));
        assert_eq!(parse("15us"), Ok(Duration::from_micros(15)));
    }

    #[test]
    fn what_is_no_time() {
        for (text, why) in [
            ("", "empty"),
            ("5", "no unit"),
            ("s", "no number where one must be"),
            ("2 s", "no such unit"),
            ("2sec", "no such unit"),
            ("-2s", "no number where one must be"),
            ("1.2.3s", "no number where one must be"),
            ("0s", "no time at all"),
            ("99999999999999999999999999999999999999999s", "too long"),
            ("200000d", "too long"),
        ] {
            assert_eq!(parse(text), Err(why), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(nanos in 1_u64..=3_155_760_000_000_000_000) {
            let time = Duration::from_nanos(nanos);
            prop_assert_eq!(parse(&format(time)), Ok(time));
        }

        #[test]
        fn any_text_ends(text in any::<String>()) {
            let _ = parse(&text);
        }
    }
}
