//! YAML text → a tree in which every key and value knows its line and column.
//!
//! Built here from saphyr-parser's events rather than with saphyr's `MarkedYaml`, because the loader needs what that
//! tree does not keep: the documents before a syntax error, both places of a key that stands twice, and the text
//! of a scalar as it was written (`1.10`, not the number 1.1). Total: any text gives a tree or a fault, within a
//! bounded depth and a bounded number of nodes, so that nested aliases cannot grow without end.

use std::borrow::Cow;
use std::collections::BTreeMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};

use super::problem::printable;

/// The largest file that is read, in bytes: thousands of times a real one.
pub const MAX_BYTES: usize = 1 << 20;
/// The deepest nesting; real files have six.
pub const MAX_DEPTH: usize = 64;
const DEEP: &str = "nested deeper than 64 levels";
/// The most nodes that one file may have once its aliases are expanded.
pub const MAX_NODES: usize = 100_000;

/// Line and column, both from 1; the column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Mark {
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

impl From<Marker> for Mark {
    fn from(marker: Marker) -> Self {
        Self { line: marker.line() as u32, column: marker.col() as u32 + 1 }
    }
}

/// A value and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it begins.
    pub at: Mark,
    /// What it is.
    pub value: Value,
}

/// A key of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Where it begins.
    pub at: Mark,
    /// Its text.
    pub text: String,
}

/// What a node is, after YAML 1.2's core rules.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, with the text as it was written.
    Number(f64, String),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order in which it is written, each key once.
    Map(Vec<(Key, Node)>),
}

impl Value {
    /// What it is, for a message: `a list`, `the number 12`.
    pub fn what(&self) -> String {
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Bool(value) => format!("the truth value `{value}`"),
            Self::Number(_, text) => format!("the number `{}`", printable(text)),
            Self::Text(text) => format!("the text `{}`", printable(text)),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a map".to_owned(),
        }
    }
}

impl Node {
    /// The same as JSON: for `x-` fields and for comparing with the JSON Schema.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::{Number, Value as Json};
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Number(value, text) => match text.parse::<i64>() {
                Ok(whole) => Json::from(whole),
                Err(_) => Number::from_f64(*value).map_or_else(|| Json::String(text.clone()), Json::Number),
            },
            Value::Text(text) => Json::String(text.clone()),
            Value::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Value::Map(fields) => {
                Json::Object(fields.iter().map(|(k, v)| (k.text.clone(), v.to_json())).collect())
            }
        }
    }

    /// How many nodes hang here, itself included.
    fn size(&self) -> usize {
        1 + match &self.value {
            Value::List(items) => items.iter().map(Self::size).sum(),
            Value::Map(fields) => fields.iter().map(|(_, v)| v.size()).sum(),
            _ => 0,
        }
    }

    /// How deep it is, itself included.
    fn depth(&self) -> usize {
        1 + match &self.value {
            Value::List(items) => items.iter().map(Self::depth).max().unwrap_or(0),
            Value::Map(fields) => fields.iter().map(|(_, v)| v.depth()).max().unwrap_or(0),
            _ => 0,
        }
    }
}

/// What is wrong with the YAML itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub at: Mark,
    /// What, printable.
    pub text: String,
    /// Whether the text after it could not be read.
    pub fatal: bool,
}

/// What a text holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parsed {
    /// The documents that were read whole; empty ones are left out.
    pub documents: Vec<Node>,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

/// Reads a text. Faults that do not hinder (a key that stands twice) are collected; the first that does ends it.
pub fn parse(text: &str) -> Parsed {
    // Editors on some systems write a byte order mark; it is no part of the text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut parsed = Parsed::default();
    if let Some(fault) = unwelcome(text) {
        parsed.faults.push(fault);
        return parsed;
    }
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(next) = parser.next_event() {
        let outcome = match next {
            Ok((event, span)) => builder.take(event, span.start.into(), &mut parsed),
            Err(error) => {
                Err(Fault { at: (*error.marker()).into(), text: syntax(text, &error), fatal: true })
            }
        };
        if let Err(fault) = outcome {
            parsed.faults.push(fault);
            break;
        }
    }
    parsed
}

/// The first character that YAML does not allow (tabs and line ends are).
fn unwelcome(text: &str) -> Option<Fault> {
    for (number, line) in text.lines().enumerate() {
        for (column, c) in line.chars().enumerate() {
            if c.is_control() && !matches!(c, '\t' | '\r' | '\u{85}') {
                return Some(Fault {
                    at: Mark { line: number as u32 + 1, column: column as u32 + 1 },
                    text: format!(
                        "found the control character U+{:04X}, which YAML does not allow",
                        c as u32
                    ),
                    fatal: true,
                });
            }
        }
    }
    None
}

/// A syntax error in words; a tab used as indentation is the one that people cannot see, so it is named.
fn syntax(text: &str, error: &saphyr_parser::ScanError) -> String {
    let line = text.lines().nth(error.marker().line().saturating_sub(1)).unwrap_or("");
    let indent: String = line.chars().take_while(|c| c.is_whitespace()).collect();
    if indent.contains('\t') {
        return "found a tab in the indentation; YAML allows only spaces there".to_owned();
    }
    // The parser looks ahead and has a limit of its own; to the reader both are one.
    if error.info() == "recursion limit exceeded" {
        return DEEP.to_owned();
    }
    format!("this is not YAML: {}", printable(error.info()))
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
    root: Option<Node>,
}

/// A list or map whose end has not come.
struct Open {
    at: Mark,
    anchor: usize,
    what: Partial,
}

enum Partial {
    List(Vec<Node>),
    /// Fields, the position of each key, and the key that waits for its value.
    Map {
        fields: Vec<(Key, Node)>,
        seen: BTreeMap<String, Mark>,
        key: Option<Key>,
    },
}

impl Builder {
    fn take(&mut self, event: Event<'_>, at: Mark, parsed: &mut Parsed) -> Result<(), Fault> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd => {}
            Event::DocumentStart(_) => {
                // Anchors end with their document.
                self.anchors.clear();
                self.root = None;
            }
            Event::DocumentEnd => {
                if let Some(root) = self.root.take().filter(|root| root.value != Value::Null) {
                    parsed.documents.push(root);
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let node = Node { at, value: scalar(text, style, tag.as_deref(), at, parsed) };
                self.place(node, anchor, parsed)?;
            }
            Event::SequenceStart(anchor, tag) => {
                no_tag(tag.as_deref(), at, parsed);
                self.open(at, anchor, Partial::List(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                no_tag(tag.as_deref(), at, parsed);
                let what = Partial::Map { fields: Vec::new(), seen: BTreeMap::new(), key: None };
                self.open(at, anchor, what)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(open) = self.open.pop() {
                    let value = match open.what {
                        Partial::List(items) => Value::List(items),
                        Partial::Map { fields, .. } => Value::Map(fields),
                    };
                    self.place(Node { at: open.at, value }, open.anchor, parsed)?;
                }
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err(fatal(at, "found an alias to something that is not finished here"));
                };
                self.nodes += node.size().saturating_sub(1);
                self.count(at)?;
                if self.open.len() + node.depth() > MAX_DEPTH {
                    return Err(too_deep(at));
                }
                self.place(node, 0, parsed)?;
            }
        }
        Ok(())
    }

    fn open(&mut self, at: Mark, anchor: usize, what: Partial) -> Result<(), Fault> {
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(at));
        }
        self.open.push(Open { at, anchor, what });
        Ok(())
    }

    fn count(&mut self, at: Mark) -> Result<(), Fault> {
        if self.nodes > MAX_NODES {
            let text = format!(
                "more than {MAX_NODES} values, counting an alias as what it stands for; split the file"
            );
            return Err(fatal(at, &text));
        }
        Ok(())
    }

    /// Puts a finished node where it belongs.
    fn place(&mut self, node: Node, anchor: usize, parsed: &mut Parsed) -> Result<(), Fault> {
        self.nodes += 1;
        self.count(node.at)?;
        if anchor > 0 {
            // A kept anchor costs as much as what it holds, so that copies of copies are counted here too.
            self.nodes += node.size();
            self.count(node.at)?;
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.what) {
            None => self.root = Some(node),
            Some(Partial::List(items)) => items.push(node),
            Some(Partial::Map { fields, seen, key }) => match key.take() {
                Some(known) => {
                    if let Some(first) = seen.get(&known.text) {
                        let text = printable(&known.text);
                        let text =
                            format!("`{text}` stands twice in one map; the first is in line {}", first.line);
                        parsed.faults.push(Fault { at: known.at, text, fatal: false });
                    } else {
                        seen.insert(known.text.clone(), known.at);
                        fields.push((known, node));
                    }
                }
                None => *key = Some(as_key(node, parsed)),
            },
        }
        Ok(())
    }
}

fn as_key(node: Node, parsed: &mut Parsed) -> Key {
    let text = match node.value {
        Value::Text(text) | Value::Number(_, text) => text,
        Value::Bool(value) => value.to_string(),
        Value::Null => "null".to_owned(),
        Value::List(_) | Value::Map(_) => {
            let text = format!("found {} as the name of a field, expected text", node.value.what());
            parsed.faults.push(Fault { at: node.at, text, fatal: false });
            "?".to_owned()
        }
    };
    Key { at: node.at, text }
}

fn fatal(at: Mark, text: &str) -> Fault {
    Fault { at, text: text.to_owned(), fatal: true }
}

fn too_deep(at: Mark) -> Fault {
    fatal(at, DEEP)
}

/// Tags ask a program to build something; nothing here needs one, and ignoring one would change what is meant.
fn no_tag(tag: Option<&Tag>, at: Mark, parsed: &mut Parsed) {
    if let Some(tag) = tag.filter(|tag| !tag.is_yaml_core_schema()) {
        let text =
            format!("found the tag `{}`; tags are not used in topology files", printable(&tag.to_string()));
        parsed.faults.push(Fault { at, text, fatal: false });
    }
}

fn scalar(text: Cow<'_, str>, style: ScalarStyle, tag: Option<&Tag>, at: Mark, parsed: &mut Parsed) -> Value {
    no_tag(tag, at, parsed);
    let core = tag.filter(|tag| tag.is_yaml_core_schema()).map(|tag| tag.suffix.as_str());
    if core == Some("str") || (core.is_none() && style != ScalarStyle::Plain) {
        return Value::Text(text.into_owned());
    }
    plain(text)
}

/// The core schema of YAML 1.2, chapter 10.3.2.
fn plain(text: Cow<'_, str>) -> Value {
    match &*text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Value::Number(f64::INFINITY, text.into_owned());
        }
        "-.inf" | "-.Inf" | "-.INF" => return Value::Number(f64::NEG_INFINITY, text.into_owned()),
        ".nan" | ".NaN" | ".NAN" => return Value::Number(f64::NAN, text.into_owned()),
        _ => {}
    }
    if let Some(number) = number(&text) {
        Value::Number(number, text.into_owned())
    } else {
        Value::Text(text.into_owned())
    }
}

fn number(text: &str) -> Option<f64> {
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            return u64::from_str_radix(digits, radix)
                .ok()
                .filter(|_| !digits.starts_with('+'))
                .map(|n| n as f64);
        }
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let begins = unsigned.strip_prefix('.').unwrap_or(unsigned);
    // Rust's own rule also takes `inf`, `nan` and `infinity`, which are words in YAML.
    if !begins.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests;
