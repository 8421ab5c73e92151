//! The words by which health endpoints tell their state, and one-line text made safe to keep.

use crate::model::observation::HealthState;

/// The longest detail that is kept, in characters.
const LONGEST: usize = 160;

/// The state that a word means; `None` when the word is no state word. Case, dashes and blanks do not matter.
pub(super) fn state(word: &str) -> Option<HealthState> {
    if word.len() > 24 {
        return None;
    }
    let word: String = word
        .trim()
        .chars()
        .map(|c| if matches!(c, '-' | ' ') { '_' } else { c.to_ascii_lowercase() })
        .collect();
    Some(match word.as_str() {
        "up" | "ok" | "okay" | "pass" | "passed" | "passing" | "healthy" | "green" | "alive" | "live"
        | "ready" | "started" | "running" | "serving" | "success" | "successful" | "available"
        | "operational" | "true" => HealthState::Up,
        "degraded" | "warn" | "warning" | "yellow" | "partial" | "impaired" => HealthState::Degraded,
        "down" | "fail" | "failed" | "failing" | "failure" | "unhealthy" | "error" | "critical" | "red"
        | "out_of_service" | "unavailable" | "not_serving" | "not_ready" | "dead" | "stopped" | "offline"
        | "false" => HealthState::Down,
        "unknown" => HealthState::Unknown,
        _ => return None,
    })
}

/// The worse of two states of parts of one thing.
pub(super) fn worse(a: HealthState, b: HealthState) -> HealthState {
    let badness = |state| match state {
        HealthState::Up => 0,
        HealthState::Unknown => 1,
        HealthState::Unreachable => 2,
        HealthState::Degraded => 3,
        HealthState::Down => 4,
    };
    if badness(a) < badness(b) { b } else { a }
}

/// Text from outside as one line: control characters and runs of blanks become one blank, secrets are hidden, and
/// what is longer than 160 characters ends in `…`.
pub(super) fn one_line(text: &str) -> String {
    // More than is kept, so that a secret cut in two is still seen as one; and a bound on the work.
    let text: String = text.chars().take(LONGEST * 4).collect();
    let plain = text
        .split(|c: char| c.is_whitespace() || c.is_control() || is_invisible(c))
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    let plain = super::secrets::hide_in_text(&plain);
    match plain.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{}…", plain.get(..cut).unwrap_or_default()),
        None => plain,
    }
}

/// Characters that reorder or hide others: a name must not pretend to be another.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_all_dialects() {
        for (word, expected) in [
            ("UP", HealthState::Up),
            (" Healthy ", HealthState::Up),
            ("pass", HealthState::Up),
            ("SERVING", HealthState::Up),
            ("Degraded", HealthState::Degraded),
            ("warn", HealthState::Degraded),
            ("OUT_OF_SERVICE", HealthState::Down),
            ("out of service", HealthState::Down),
            ("NOT_SERVING", HealthState::Down),
            ("not-ready", HealthState::Down),
            ("UNKNOWN", HealthState::Unknown),
        ] {
            assert_eq!(state(word), Some(expected), "{word}");
        }
        for word in ["", "hello", "upwards", "errors: 0", "a very long sentence that happens to say ok"] {
            assert_eq!(state(word), None, "{word}");
        }
    }

    #[test]
    fn text_from_outside_is_one_safe_line() {
        assert_eq!(one_line("a\u{1b}[31mred\r\n\tb\u{202e}c"), "a [31mred b c");
        assert_eq!(one_line(&"x".repeat(1000)).chars().count(), LONGEST + 1);
    }
}
