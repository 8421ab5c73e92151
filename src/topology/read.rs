//! Typed reading of a tree: each reader takes what it expects and notes a problem for everything else.
//!
//! Nothing here stops at the first fault. A value that cannot be used is left out, and the reading goes on, so that
//! one run shows everything that is wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use super::declared::{Address, Extras, Origin, redact};
use super::duration;
use super::problem::{Problem, escaped, is_plain, printable};
use super::tree::{Key, Mark, Node, Value};
use super::word::Word;
use crate::model::id::Name;

/// The longest text that is taken for a name.
pub const MAX_NAME: usize = 200;

/// The longest text for people; it is shown on one line.
pub const MAX_TEXT: usize = 2000;

/// One file being read: its name for messages, and what was found wrong.
pub struct Reading {
    /// The file as it is shown.
    pub file: Name,
    /// What is wrong so far.
    pub problems: Vec<Problem>,
    /// Where in an entry each of its names is written, so that a wrong reference points at the name itself.
    pub places: Places,
}

/// Where a name is written: by the entry that holds it and its text.
pub type Places = BTreeMap<(Origin, Name), Origin>;

impl Reading {
    /// Begins a file.
    pub fn new(file: &str) -> Self {
        Self { file: escaped(file).into(), problems: Vec::new(), places: Places::new() }
    }

    /// A place in this file.
    pub fn origin(&self, at: Mark) -> Origin {
        Origin { file: self.file.clone(), line: at.line, column: at.column }
    }

    /// Notes an error.
    pub fn error(&mut self, at: Mark, text: impl Into<String>) {
        let problem = Problem::error(&self.origin(at), text);
        self.problems.push(problem);
    }

    /// Takes a map apart. Fields that are not `known` are errors, except `x-` fields, which are kept.
    pub fn fields<'n>(
        &mut self,
        node: &'n Node,
        what: &'static str,
        known: &[&'static str],
    ) -> Option<Fields<'n>> {
        let Value::Map(entries) = &node.value else {
            self.error(node.at, format!("found {}, expected {what}: a map of fields", node.value.what()));
            return None;
        };
        let mut extras = Extras::new();
        for (key, value) in entries {
            if key.text.starts_with("x-") {
                if self.plain(key.at, &key.text) {
                    extras.insert(key.text.as_str().into(), value.to_json());
                }
            } else if !known.contains(&key.text.as_str()) {
                let text = if key.text == "<<" {
                    "found the merge key `<<`, which YAML 1.2 does not have; repeat the fields".to_owned()
                } else {
                    let list = known.join(", ");
                    format!("unknown field `{}` in {what}, expected one of {list}", printable(&key.text))
                };
                let problem =
                    Problem::error(&self.origin(key.at), text).or_near(&key.text, known.iter().copied());
                self.problems.push(problem);
            }
        }
        Some(Fields { entries, at: node.at, what, extras })
    }

    /// Takes a list apart. Nothing at all is an empty list, as people leave `owns:` behind.
    pub fn list<'n>(&mut self, node: &'n Node, name: &str) -> &'n [Node] {
        match &node.value {
            Value::List(items) => items,
            other => {
                self.error(node.at, format!("`{name}` is {}, expected a list", other.what()));
                &[]
            }
        }
    }

    /// Text on one line, for people or machines. Line ends become spaces; control characters are errors.
    pub fn text(&mut self, node: &Node, name: &str) -> Option<Name> {
        match &node.value {
            Value::Text(text) => {
                let whole: String =
                    text.chars().map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c }).collect();
                let text = whole.trim();
                if text.is_empty() {
                    self.error(node.at, format!("`{name}` is empty, expected text"));
                    return None;
                }
                if text.chars().count() > MAX_TEXT {
                    self.error(node.at, format!("`{name}` is longer than {MAX_TEXT} characters"));
                    return None;
                }
                self.plain(node.at, &whole).then(|| text.into())
            }
            Value::Number(..) | Value::Bool(_) => {
                self.error(
                    node.at,
                    format!("`{name}` is {}, expected text: put it in quotes", node.value.what()),
                );
                None
            }
            other => {
                self.error(node.at, format!("`{name}` is {}, expected text", other.what()));
                None
            }
        }
    }

    /// A name: text that is not too long to be one.
    pub fn name(&mut self, node: &Node, name: &str) -> Option<Name> {
        let text = self.text(node, name)?;
        if text.chars().count() > MAX_NAME {
            self.error(node.at, format!("`{name}` is longer than {MAX_NAME} characters, expected a name"));
            return None;
        }
        Some(text)
    }

    fn plain(&mut self, at: Mark, text: &str) -> bool {
        let bad = text.chars().find(|c| !is_plain(*c));
        if let Some(c) = bad {
            let text = format!(
                "found the character U+{:04X}, which cannot be shown, in `{}`",
                c as u32,
                printable(text)
            );
            self.error(at, text);
        }
        bad.is_none()
    }

    /// One name or a list of names.
    pub fn names(&mut self, node: &Node, name: &str) -> Vec<(Name, Mark)> {
        match &node.value {
            Value::List(items) => {
                items.iter().filter_map(|item| Some((self.name(item, name)?, item.at))).collect()
            }
            Value::Text(_) => self.name(node, name).map(|text| (text, node.at)).into_iter().collect(),
            Value::Number(..) | Value::Bool(_) => {
                self.name(node, name);
                Vec::new()
            }
            other => {
                self.error(
                    node.at,
                    format!("`{name}` is {}, expected text or a list of texts", other.what()),
                );
                Vec::new()
            }
        }
    }
}

/// A map taken apart.
pub struct Fields<'n> {
    entries: &'n [(Key, Node)],
    /// Where the map begins.
    pub at: Mark,
    what: &'static str,
    /// Its `x-` fields.
    pub extras: Extras,
}

impl<'n> Fields<'n> {
    /// A field's value. A field that is there but holds nothing counts as absent.
    pub fn get(&self, name: &str) -> Option<&'n Node> {
        let (_, node) = self.entries.iter().find(|(key, _)| key.text == name)?;
        (node.value != Value::Null).then_some(node)
    }

    /// Text for people.
    pub fn text(&self, r: &mut Reading, name: &str) -> Option<Name> {
        r.text(self.get(name)?, name)
    }

    /// A name.
    pub fn name(&self, r: &mut Reading, name: &str) -> Option<Name> {
        let node = self.get(name)?;
        let text = r.name(node, name)?;
        self.keep_place(r, &text, node.at);
        Some(text)
    }

    fn keep_place(&self, r: &mut Reading, text: &Name, at: Mark) {
        let (entry, at) = (r.origin(self.at), r.origin(at));
        r.places.entry((entry, text.clone())).or_insert(at);
    }

    /// A name that must be there.
    pub fn required(&self, r: &mut Reading, name: &str) -> Option<Name> {
        self.required_node(r, name, "a name")?;
        self.name(r, name)
    }

    fn required_node(&self, r: &mut Reading, name: &str, expected: &str) -> Option<&'n Node> {
        let node = self.get(name);
        if node.is_none() {
            r.error(self.at, format!("`{name}` is missing in {}, expected {expected}", self.what));
        }
        node
    }

    /// One name or several.
    pub fn names(&self, r: &mut Reading, name: &str) -> Vec<Name> {
        let found = self.get(name).map(|node| r.names(node, name)).unwrap_or_default();
        let keep = |(text, at)| {
            self.keep_place(r, &text, at);
            text
        };
        found.into_iter().map(keep).collect()
    }

    /// One of a closed list of words.
    pub fn word<W: Word>(&self, r: &mut Reading, name: &str) -> Option<W> {
        let node = self.get(name)?;
        let words = W::WORDS.iter().map(|(word, _)| *word);
        let list = || words.clone().collect::<Vec<_>>().join(", ");
        let Value::Text(text) = &node.value else {
            r.error(node.at, format!("`{name}` is {}, expected one of {}", node.value.what(), list()));
            return None;
        };
        let found = W::parse(text);
        if found.is_none() {
            let message = format!("`{name}` is `{}`, expected one of {}", printable(text), list());
            let problem = Problem::error(&r.origin(node.at), message).or_near(text, words.clone());
            r.problems.push(problem);
        }
        found
    }

    /// One of a closed list of words that must be there.
    pub fn required_word<W: Word>(&self, r: &mut Reading, name: &str) -> Option<W> {
        let words = W::WORDS.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        self.required_node(r, name, &format!("one of {words}"))?;
        self.word(r, name)
    }

    /// A length of time.
    pub fn duration(&self, r: &mut Reading, name: &str) -> Option<Duration> {
        let node = self.get(name)?;
        let expected = "expected a time such as 500ms, 2s, 5m or 1h30m";
        let problem = match &node.value {
            Value::Text(text) => match duration::parse(text) {
                Ok(time) => return Some(time),
                Err(why) => format!("`{name}` is `{}` ({why}), {expected}", printable(text)),
            },
            Value::Number(..) => format!("`{name}` is {} without a unit, {expected}", node.value.what()),
            other => format!("`{name}` is {}, {expected}", other.what()),
        };
        r.error(node.at, problem);
        None
    }

    /// A whole number that is not negative.
    pub fn count(&self, r: &mut Reading, name: &str, most: u64) -> Option<u64> {
        let node = self.get(name)?;
        if let Value::Number(number, text) = &node.value {
            // `3.0` is a whole number too; above 2^53 only the text is exact.
            let whole = (*number >= 0.0 && number.fract() == 0.0 && *number < 9e15).then_some(*number as u64);
            if let Some(count) = text.parse::<u64>().ok().or(whole).filter(|count| *count <= most) {
                return Some(count);
            }
        }
        r.error(
            node.at,
            format!("`{name}` is {}, expected a whole number from 0 to {most}", node.value.what()),
        );
        None
    }

    /// A share: more than 0, at most 1.
    pub fn share(&self, r: &mut Reading, name: &str) -> Option<f64> {
        let node = self.get(name)?;
        if let Value::Number(share, _) = node.value
            && share > 0.0
            && share <= 1.0
        {
            return Some(share);
        }
        r.error(
            node.at,
            format!("`{name}` is {}, expected a share above 0 and up to 1, such as 0.99", node.value.what()),
        );
        None
    }

    /// `true` or `false`.
    pub fn flag(&self, r: &mut Reading, name: &str) -> Option<bool> {
        let node = self.get(name)?;
        if let Value::Bool(flag) = node.value {
            return Some(flag);
        }
        r.error(node.at, format!("`{name}` is {}, expected true or false", node.value.what()));
        None
    }

    /// An address with one of the schemes.
    pub fn url(&self, r: &mut Reading, name: &str, schemes: &[&str]) -> Option<Address> {
        address(r, self.get(name)?, name, schemes, None)
    }

    /// An address that must be there.
    pub fn required_url(&self, r: &mut Reading, name: &str, schemes: &[&str]) -> Option<Address> {
        let node = self.required_node(r, name, "an address")?;
        address(r, node, name, schemes, None)
    }

    /// A list of maps, each read by `read`.
    pub fn list<T>(
        &self,
        r: &mut Reading,
        name: &str,
        read: impl Fn(&mut Reading, &'n Node) -> Option<T>,
    ) -> Vec<T> {
        let Some(node) = self.get(name) else { return Vec::new() };
        r.list(node, name).iter().filter_map(|item| read(r, item)).collect()
    }
}

/// Reads an address. With `bare`, an address without a scheme (`host:port`) is taken as that scheme's.
pub fn address(
    r: &mut Reading,
    node: &Node,
    name: &str,
    schemes: &[&str],
    bare: Option<&str>,
) -> Option<Address> {
    let list = || schemes.iter().map(|s| format!("{s}://")).collect::<Vec<_>>().join(", ");
    let Value::Text(text) = &node.value else {
        r.error(node.at, format!("`{name}` is {}, expected an address with {}", node.value.what(), list()));
        return None;
    };
    let whole = match bare {
        Some(scheme) if !text.contains("://") => format!("{scheme}://{text}"),
        _ => text.clone(),
    };
    // A password in a broken address is as secret as in a good one, so only the redacted form is ever shown.
    let shown = printable(&redact(text));
    let why = match reqwest::Url::parse(&whole) {
        _ if !text.chars().all(is_plain) => "a character that cannot be shown".to_owned(),
        _ if text.contains(char::is_whitespace) => "a blank inside".to_owned(),
        Ok(url) if !schemes.contains(&url.scheme()) => format!("scheme {}", printable(url.scheme())),
        Ok(url) if url.host_str().is_none_or(str::is_empty) => "no host".to_owned(),
        Ok(_) => return Some(Address::new(text.as_str())),
        Err(why) => why.to_string(),
    };
    r.error(node.at, format!("`{name}` is `{shown}` ({why}), expected an address with {}", list()));
    None
}
