//! Values on the command line that are neither text nor a plain number.

use std::time::Duration;

/// The shortest time between two rounds of questions or two lines of output.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);
/// The longest time that makes sense for anything here.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
const USAGE: &str = "write 500ms, 3s, 2m or 1h";

/// `500ms`, `3s`, `1.5s`, `2m`, `1h`; a plain number is seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let unit_at = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let seconds_per_unit = match unit.trim() {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(USAGE.to_owned()),
    };
    let number: f64 = number.parse().map_err(|_| USAGE.to_owned())?;
    match Duration::try_from_secs_f64(number * seconds_per_unit) {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        _ => Err("at most 168h".to_owned()),
    }
}

/// A [`duration`] that is not too short to repeat something.
pub fn interval(text: &str) -> Result<Duration, String> {
    at_least_shortest(text, "")
}

/// A [`duration`] to watch for: in no time there are no two polls, and no rate without two.
pub fn watch(text: &str) -> Result<Duration, String> {
    at_least_shortest(text, ": a rate needs two polls")
}

/// A [`duration`] to wait for an answer.
pub fn patience(text: &str) -> Result<Duration, String> {
    at_least_shortest(text, ": an answer takes its time")
}

fn at_least_shortest(text: &str, why: &str) -> Result<Duration, String> {
    match duration(text)? {
        duration if duration < SHORTEST_INTERVAL => {
            Err(format!("at least {}ms{why}", SHORTEST_INTERVAL.as_millis()))
        }
        duration => Ok(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_people_write_them() {
        for (text, millis) in [
            ("500ms", 500),
            ("3s", 3000),
            ("3", 3000),
            ("1.5s", 1500),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "-1s", "3x", "1e9s", "..s", "1 2s", "inf", "NaN", "3ss"] {
            assert_eq!(duration(text), Err(USAGE.to_owned()), "{text}");
        }
        assert_eq!(duration("999999999999999999999h"), Err("at most 168h".to_owned()));
        assert_eq!(interval("99ms"), Err("at least 100ms".to_owned()));
        assert_eq!(interval("100ms"), Ok(Duration::from_millis(100)));
        assert_eq!(watch("0s"), Err("at least 100ms: a rate needs two polls".to_owned()));
        assert_eq!(watch("100ms"), Ok(Duration::from_millis(100)));
        assert_eq!(patience("99ms"), Err("at least 100ms: an answer takes its time".to_owned()));
    }
}
