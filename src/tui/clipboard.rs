//! The clipboard, by the terminal's own means (OSC 52): works over ssh, needs no helper program.

use base64::Engine;

/// Terminals cut longer texts, or ignore them.
const MAX_BYTES: usize = 74_000;

/// The sequence that puts a text on the clipboard of the terminal that shows it; `None` when it is too long.
pub(super) fn sequence(text: &str) -> Option<String> {
    (text.len() <= MAX_BYTES)
        .then(|| format!("\x1b]52;c;{}\x07", base64::engine::general_purpose::STANDARD.encode(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_wrapped_whatever_is_in_it() {
        assert_eq!(sequence("orders.created").unwrap(), "\x1b]52;c;b3JkZXJzLmNyZWF0ZWQ=\x07");
        assert_eq!(sequence("\x07\x1b[31m").unwrap(), "\x1b]52;c;BxtbMzFt\x07");
        assert_eq!(sequence(&"x".repeat(80_000)), None);
    }
}
