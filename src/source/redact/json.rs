//! Sensitive fields of JSON, found by their place in the text, so that all else stays as it was written.

use std::borrow::Cow;
use std::ops::Range;

use serde::de::IgnoredAny;

use super::{Cuts, Sensitive};

/// What stands for a value.
const MARK: &str = "\"<redacted>\"";

/// An object or list that is open.
struct Frame {
    object: bool,
    from: usize,
    /// So many cuts are before it.
    cuts: usize,
    /// Its values, but for those that are names of sensitive fields.
    values: Vec<Range<usize>>,
    /// One of these.
    named: Option<String>,
}

/// What is to be taken out; `None` when this is no JSON: one value or several after each other.
pub(super) fn cuts(text: &str, sensitive: &Sensitive, depth: usize) -> Option<Cuts> {
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
    // Innermost last.
    let mut open: Vec<Frame> = Vec::new();
    let mut key_next = false;
    while let Some(byte) = reader.peek() {
        let value = match byte {
            b'{' | b'[' => {
                key_next = byte == b'{';
                let (from, cuts) = (reader.at, cuts.spans.len());
                open.push(Frame { object: key_next, from, cuts, values: Vec::new(), named: None });
                reader.at += 1;
                continue;
            }
            b'}' | b']' => {
                key_next = false;
                reader.at += 1;
                let frame = open.pop()?;
                if let Some(name) = frame.named {
                    cuts.spans.truncate(frame.cuts);
                    frame.values.into_iter().for_each(|value| cuts.cut(value, MARK, &name));
                }
                frame.from..reader.at
            }
            b',' => {
                key_next = open.last().is_some_and(|frame| frame.object);
                reader.at += 1;
                continue;
            }
            b':' => {
                reader.at += 1;
                continue;
            }
            b'"' if key_next => {
                key_next = false;
                let key = reader.string()?;
                // What cannot be read as a text might mean anything.
                let read = read(text.get(key.clone())?);
                if read.as_deref().is_some_and(|name| !sensitive.is(name)) {
                    continue;
                }
                reader.skip(|byte| byte.is_ascii_whitespace() || byte == b':');
                let value = reader.value()?;
                cuts.cut(value.clone(), MARK, read.as_deref().or_else(|| text.get(key)).unwrap_or_default());
                value
            }
            b'"' => {
                let span = reader.string()?;
                if let Some(read) = read(text.get(span.clone())?) {
                    let given = sensitive.given_in(&read, depth);
                    if let Some(name) = &given {
                        cuts.cut(span.clone(), MARK, name);
                    }
                    if let Some(frame) = open.last_mut().filter(|_| sensitive.named_by(&read)) {
                        frame.named = Some(read.into_owned());
                        if given.is_none() {
                            continue;
                        }
                    }
                } else {
                    cuts.cut(span.clone(), MARK, "a text that cannot be read");
                }
                span
            }
            byte if byte.is_ascii_whitespace() => {
                reader.at += 1;
                continue;
            }
            _ => reader.value()?,
        };
        if let Some(frame) = open.last_mut() {
            frame.values.push(value);
        }
    }
    Some(cuts)
}

/// A text as a program reads it; `None` when it cannot.
fn read(quoted: &str) -> Option<Cow<'_, str>> {
    if quoted.contains('\\') {
        return serde_json::from_str(quoted).ok().map(Cow::Owned);
    }
    quoted.get(1..quoted.len() - 1).map(Cow::Borrowed)
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
