//! Takes out of a message what is sensitive, before anything of it leaves the source that heard it.
//!
//! A field is sensitive when its name, or the last part of it (`user.password`), is one of those that the topology declares, or of
//! [`ALWAYS`]; the case of letters, `_` and `-` make no difference (`access_token`, `accessToken`, `Access-Token`). Its value is
//! taken out at any depth:
//!
//! * JSON, one value or several after each other: the whole value of such a field becomes `"<redacted>"`; all else stays as it was
//!   written, the order of fields and the text of numbers included. A text that spells such a field out (`password=…`, JSON or XML
//!   inside a text) is taken out as a whole. Where a text *is* such a name (`{"name":"password","value":"x"}`), all else in its
//!   object or list is taken out: any of it may be the value.
//! * XML: all that is in an element of such a name, and the value of such an attribute. Where a text is such a name, the message is
//!   withheld.
//! * Anything else in which such a name occurs is withheld, because nobody can tell where its value is.
//!
//! What is compressed or encrypted cannot be looked into. Pure; all sources share it.

mod json;
#[cfg(test)]
mod tests;
mod unwrap;
mod xml;

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use tokio::sync::watch;

use crate::model::id::Name;
use crate::model::tap::{Content, Payload};

/// Names that are sensitive without being declared.
pub const ALWAYS: [&str; 16] = [
    "password",
    "passwd",
    "secret",
    "token",
    "access_token",
    "refresh_token",
    "authorization",
    "api_key",
    "apikey",
    "x-api-key",
    "x-auth-token",
    "client_secret",
    "private_key",
    "cookie",
    "set-cookie",
    "proxy-authorization",
];
/// What stands where something was taken out.
pub const MARK: &str = "<redacted>";
/// Bytes of one payload that are told.
pub const LONGEST: usize = 64 * 1024;
/// Bytes of one header's value that are told.
const LONGEST_HEADER: usize = 4 * 1024;
/// Headers that are told of one message.
const MOST_HEADERS: usize = 100;
/// Names of what was taken out that are told of one message.
const MOST_NAMES: usize = 32;
/// Bytes of each: some of them are a sender's.
const LONGEST_NAME: usize = 128;
/// Texts within texts that are read as JSON or XML of their own.
const DEPTH: usize = 4;
/// What stands between a name and its value in a text; and that it may be written in another way.
const GIVES: [char; 7] = [':', '=', '>', '<', '&', '%', '\\'];

/// The names of sensitive fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sensitive {
    /// As they are compared, and as they were written.
    names: HashMap<String, Name>,
    /// The longest of those compared, in bytes.
    longest: usize,
}

impl Default for Sensitive {
    fn default() -> Self {
        Self::of([])
    }
}

/// What the topology declares of the fields of messages.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// Whose values are never told.
    pub sensitive: Arc<Sensitive>,
    /// Which identify what a message is about.
    pub keys: Arc<BTreeSet<Name>>,
}

/// What is declared of fields as it is now: it follows the topology.
#[derive(Clone, Debug)]
pub struct Watched(watch::Receiver<Fields>);

impl Watched {
    /// What comes by this channel; the last stays when it ends.
    pub const fn new(declared: watch::Receiver<Fields>) -> Self {
        Self(declared)
    }

    /// The names of sensitive fields now.
    pub fn now(&self) -> Arc<Sensitive> {
        Arc::clone(&self.0.borrow().sensitive)
    }

    /// The names of keys now.
    pub fn keys(&self) -> Arc<BTreeSet<Name>> {
        Arc::clone(&self.0.borrow().keys)
    }
}

/// Those of [`ALWAYS`].
impl Default for Watched {
    fn default() -> Self {
        Self(watch::channel(Fields::default()).1)
    }
}

/// How a name is compared: letters in lower case, no `_` and no `-`.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

impl Sensitive {
    /// These and [`ALWAYS`].
    pub fn of(declared: impl IntoIterator<Item = Name>) -> Self {
        let always = ALWAYS.iter().map(|name| Name::from(*name));
        let names =
            always.chain(declared).map(|name| (plain(&name), name)).filter(|(name, _)| !name.is_empty());
        let names: HashMap<String, Name> = names.collect();
        let longest = names.keys().map(String::len).max().unwrap_or(0);
        Self { names, longest }
    }

    /// Whether a field of this name is sensitive: `password`, `@password`, `user.password`, `user[password]`.
    pub fn is(&self, field: &str) -> bool {
        let bare = field.trim_matches(|c: char| !c.is_alphanumeric());
        let last = bare.rsplit(['.', '/', ':', '[']).next().unwrap_or(bare);
        self.has(field) || self.has(last)
    }

    fn has(&self, name: &str) -> bool {
        // Most names are longer or shorter than any; `_` and `-` may stand between all letters.
        name.len() <= self.longest.saturating_mul(4) && self.names.contains_key(&plain(name))
    }

    /// Whether a text that is a value is the name of a sensitive field, so that its value stands beside it.
    fn named_by(&self, text: &str) -> bool {
        !text.contains("://") && self.is(text)
    }

    /// The sensitive name that occurs in this, wherever; in UTF-16 too.
    fn occurs(&self, bytes: &[u8]) -> Option<&Name> {
        let text = String::from_utf8_lossy(bytes).replace('\0', "");
        let within = |text: &str| {
            let text = plain(text);
            self.names.iter().filter(|(plain, _)| text.contains(plain.as_str())).map(|(_, name)| name).min()
        };
        within(&text).or_else(|| within(&unwrap::unwrapped(&text)?))
    }

    /// The sensitive name to which a text within a message gives a value, however it is written.
    fn given_in(&self, text: &str, depth: usize) -> Option<Name> {
        if !text.contains(GIVES) {
            return None;
        }
        let given = |text: &str| self.spelled_out(text).cloned().or_else(|| self.given_within(text, depth));
        given(text).or_else(|| given(&unwrap::unwrapped(text)?))
    }

    /// The same of a text that is JSON or XML itself.
    fn given_within(&self, text: &str, depth: usize) -> Option<Name> {
        if !text.trim_start().starts_with(['{', '[', '<']) {
            return None;
        }
        let Some(depth) = depth.checked_sub(1) else { return self.occurs(text.as_bytes()).cloned() };
        cuts(text, self, depth)?.names.into_iter().next()
    }

    /// The sensitive name that this text seems to give a value to: `name=`, `name: `, `"name":`, `<name>`, `name</b>`.
    fn spelled_out(&self, text: &str) -> Option<&Name> {
        let text = plain(text);
        let gives = |plain: &str| {
            text.match_indices(plain).any(|(at, _)| {
                let after = text.get(at + plain.len()..).unwrap_or_default();
                after
                    .trim_start_matches(['"', '\'', '\\', ' ', '\t', '\n', '\r', '[', ']', ')'])
                    .starts_with([':', '=', '>', '<'])
            })
        };
        self.names.iter().filter(|(plain, _)| gives(plain)).map(|(_, name)| name).min()
    }

    /// The sensitive name that a text ends with, so that its value is somewhere behind: `name`, `its name: `.
    fn left_open(&self, text: &str) -> Option<&Name> {
        let text = plain(text);
        let text = text.trim_end();
        let bare = text.trim_end_matches(|c: char| !c.is_alphanumeric());
        let gives = text.ends_with([':', '=']);
        let ends = |plain: &str| bare.ends_with(plain) && (gives || self.named_by(bare));
        self.names.iter().filter(|(plain, _)| ends(plain)).map(|(_, name)| name).min()
    }
}

/// What of JSON or XML is taken out; `None` when it is neither.
fn cuts(text: &str, sensitive: &Sensitive, depth: usize) -> Option<Cuts> {
    json::cuts(text, sensitive, depth).or_else(|| xml::cuts(text, sensitive, depth))
}

/// What of a text is taken out, and under which names.
#[derive(Debug, Default)]
struct Cuts {
    /// In order, none within another; and what stands in their place.
    spans: Vec<(Range<usize>, &'static str)>,
    names: Vec<Name>,
    /// Nothing may be told: the value of this field cannot be told apart.
    withheld: Option<Name>,
}

impl Cuts {
    fn cut(&mut self, span: Range<usize>, mark: &'static str, name: &str) {
        self.spans.push((span, mark));
        self.name(name);
    }

    fn name(&mut self, name: &str) {
        let name = beginning(name, LONGEST_NAME);
        if self.names.len() < MOST_NAMES && !self.names.iter().any(|one| **one == *name) {
            self.names.push(name.into());
        }
    }

    /// The text without them; `None` when a span is not one of the text.
    fn apply(&self, text: &str) -> Option<String> {
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for (span, mark) in &self.spans {
            out.push_str(text.get(at..span.start)?);
            out.push_str(mark);
            at = span.end;
        }
        out.push_str(text.get(at..)?);
        Some(out)
    }
}

/// What may be told of a payload.
pub fn payload(bytes: &[u8], sensitive: &Sensitive) -> Payload {
    let Ok(text) = std::str::from_utf8(bytes) else {
        if let Some(name) = sensitive.occurs(bytes) {
            return withheld(name);
        }
        let kept = bytes.len().min(LONGEST);
        let content = Content::Binary(bytes.iter().take(kept).copied().collect());
        return Payload { content, cut: (bytes.len() - kept) as u64, redacted: Vec::new() };
    };
    let Some(cuts) = cuts(text, sensitive, DEPTH) else {
        return match sensitive.occurs(bytes) {
            Some(name) => withheld(name),
            None => told(text, Vec::new()),
        };
    };
    if let Some(name) = &cuts.withheld {
        return withheld(name);
    }
    match cuts.apply(text) {
        Some(text) => told(&text, cuts.names),
        // Never so: spans come from the text itself. If they did not, nothing would be told.
        None => {
            Payload { content: Content::Withheld("it cannot be read".into()), cut: 0, redacted: cuts.names }
        }
    }
}

fn withheld(name: &Name) -> Payload {
    let why = format!("it names {name}, and is no JSON or XML in which the value could be told apart");
    Payload { content: Content::Withheld(why.into()), cut: 0, redacted: vec![Arc::clone(name)] }
}

fn told(text: &str, redacted: Vec<Name>) -> Payload {
    let kept = beginning(text, LONGEST);
    Payload { content: Content::Text(kept.into()), cut: (text.len() - kept.len()) as u64, redacted }
}

/// The beginning of a text, of whole characters.
fn beginning(text: &str, longest: usize) -> &str {
    (0..=longest.min(text.len())).rev().find_map(|end| text.get(..end)).unwrap_or_default()
}

/// What may be told of headers, and the names of those whose values were taken out.
pub fn headers<'h>(
    all: impl IntoIterator<Item = (&'h str, &'h str)>,
    sensitive: &Sensitive,
) -> (Vec<(Name, Name)>, Vec<Name>) {
    let mut cuts = Cuts::default();
    let mut told = Vec::new();
    for (name, value) in all.into_iter().take(MOST_HEADERS) {
        let value = if sensitive.is(name) || sensitive.given_in(value, DEPTH).is_some() {
            cuts.name(name);
            MARK
        } else {
            beginning(value, LONGEST_HEADER)
        };
        told.push((beginning(name, LONGEST_HEADER).into(), value.into()));
    }
    (told, cuts.names)
}
