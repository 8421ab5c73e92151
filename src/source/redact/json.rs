//! Sensitive fields of JSON, found by their place in the text, so that all else stays as it was written.

use std::ops::Range;

use serde::de::IgnoredAny;

use super::{Cuts, Sensitive};

/// What stands for a value.
const MARK: &str = "\"<redacted>\"";

/// What is to be taken out; `None` when this is no JSON: one value or several after each other.
pub(super) fn cuts(text: &str, sensitive: &Sensitive) -> Option<Cuts> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let mut any = false;
    for value in &mut values {
        value.ok()?;
        any = true;
    }
    if !any {
        return None;
    }
    let mut reader = Scan { text, at: 0 };
    let mut cuts = Cuts::default();
    // Whether each open bracket is an object, innermost last.
    let mut open = Vec::new();
    let mut key_next = false;
    while let Some(byte) = reader.peek() {
        match byte {
            b'{' | b'[' => {
                open.push(byte == b'{');
                key_next = byte == b'{';
                reader.at += 1;
            }
            b'}' | b']' => {
                open.pop();
                key_next = false;
                reader.at += 1;
            }
            b',' => {
                key_next = open.last() == Some(&true);
                reader.at += 1;
            }
            b'"' if key_next => {
                key_next = false;
                let key = reader.string()?;
                // What cannot be read as a text might mean anything.
                let read = serde_json::from_str::<String>(text.get(key.clone())?).ok();
                if read.as_deref().is_none_or(|name| sensitive.is(name)) {
                    reader.skip(|byte| byte.is_ascii_whitespace() || byte == b':');
                    let value = reader.value()?;
                    let name = read.unwrap_or_else(|| text.get(key).unwrap_or_default().to_owned());
                    cuts.cut(value, MARK, &name);
                }
            }
            b'"' => {
                let span = reader.string()?;
                let raw = text.get(span.clone())?;
                // Texts without any of these give no value to anything, escaped or not.
                if raw.contains([':', '=', '>', '\\']) {
                    match serde_json::from_str::<String>(raw) {
                        Ok(read) => {
                            if let Some(name) = sensitive.spelled_out(&read) {
                                cuts.cut(span, MARK, name);
                            }
                        }
                        Err(_) => cuts.cut(span, MARK, "a text that cannot be read"),
                    }
                }
            }
            _ => reader.at += 1,
        }
    }
    Some(cuts)
}

/// A place in a text that is known to be JSON.
struct Scan<'t> {
    text: &'t str,
    at: usize,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip(&mut self, what: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&what) {
            self.at += 1;
        }
    }

    /// The text that begins here, with its quotes.
    fn string(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(start..self.at);
                }
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
    }

    /// The value that begins here.
    fn value(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.string()?;
                }
                Some(b'{' | b'[') => {
                    depth += 1;
                    self.at += 1;
                    continue;
                }
                Some(b'}' | b']') => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                Some(_) if depth > 0 => {
                    self.at += 1;
                    continue;
                }
                Some(_) => {
                    self.skip(|byte| !(byte.is_ascii_whitespace() || matches!(byte, b',' | b'}' | b']')));
                    // A value that is nothing is none.
                    if self.at == start {
                        return None;
                    }
                }
                None => return None,
            }
            if depth == 0 {
                return Some(start..self.at);
            }
        }
    }
}
