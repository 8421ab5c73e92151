//! Reads a scenario file. Every fault is told at once, each with its place, what was expected and the
//! nearest known name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::{Action, Answering, Fault, Reading, Scenario, Share, Times};
use crate::model::id::{Name, ServiceId};
use crate::topology::{Topology, duration};

/// Names that a scenario may use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Services.
    pub services: BTreeSet<Name>,
    /// Consumers, as `STREAM/durable`.
    pub consumers: BTreeSet<Name>,
    /// Events and feeds that are sent.
    pub sends: BTreeSet<Name>,
    /// Operations that are answered.
    pub operations: BTreeSet<Name>,
    /// Stores and other parts that a health check may name.
    pub components: BTreeSet<Name>,
}

impl Known {
    /// The names of a topology.
    pub fn of(topology: &Topology) -> Self {
        let mut known = Self::default();
        known.components.extend(topology.stores.keys().map(|id| id.as_str().into()));
        for (id, service) in &topology.services {
            known.services.insert(id.as_str().into());
            known.sends.extend(service.publishes.iter().map(|p| p.event.clone()));
            known.sends.extend(service.provides_feeds.iter().map(|p| p.feed.clone()));
            known.operations.extend(service.answers.iter().map(|a| a.operation.clone()));
            let events = service.consumes.iter().filter_map(|c| c.consumer.as_ref());
            let feeds = service.follows_feeds.iter().filter_map(|f| f.consumer.as_ref());
            for reader in events.chain(feeds) {
                if let (Some(stream), Some(durable)) = (&reader.stream, &reader.durable) {
                    known.consumers.insert(format!("{stream}/{durable}").into());
                }
            }
        }
        known
    }
}

/// What is wrong with a scenario file: one line each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Wrong(pub Vec<String>);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

/// Reads a scenario; `file` is its name in messages.
pub fn read(file: &str, text: &str, known: &Known) -> Result<Scenario, Wrong> {
    let table = DeTable::parse(text).map_err(|error| {
        let place = place(text, error.span().map_or(0, |span| span.start));
        Wrong(vec![format!("{file}:{place}: {}", error.message().replace('\n', ", "))])
    })?;
    let mut reader = Reader { file, text, known, wrong: Vec::new() };
    let scenario = reader.scenario(&table);
    if reader.wrong.is_empty() {
        return Ok(scenario);
    }
    reader.wrong.sort();
    reader.wrong.dedup();
    Err(Wrong(reader.wrong.into_iter().map(|(_, line)| line).collect()))
}

/// `line:column` of a byte.
fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    format!("{line}:{column}")
}

/// What a name is a name of.
#[derive(Clone, Copy)]
enum Kind {
    Service,
    Consumer,
    Send,
    Operation,
    SendOrOperation,
    Component,
}

type Entry<'a, 'i> = (&'a Spanned<std::borrow::Cow<'i, str>>, &'a Spanned<DeValue<'i>>);

struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    known: &'a Known,
    /// Byte and line of each complaint, so that they can be told in the order of the file.
    wrong: Vec<(usize, String)>,
}

impl Reader<'_> {
    fn complain(&mut self, at: usize, what: &str) {
        self.wrong.push((at, format!("{}:{}: {what}", self.file, place(self.text, at))));
    }

    /// A word that is not one of those that may stand there.
    fn not_one_of<'n>(
        &mut self,
        at: usize,
        word: &str,
        kind: &str,
        allowed: impl Iterator<Item = &'n str> + Clone,
    ) {
        // What stands in a file may hold anything: shown with its control characters escaped.
        let shown = word.escape_debug();
        let nearest = allowed.clone().map(|other| (strsim::damerau_levenshtein(word, other), other)).min();
        let hint = match nearest {
            Some((distance, other)) if distance <= 1 + word.chars().count() / 3 => {
                format!("did you mean `{other}`?")
            }
            Some(_) => format!("expected one of {}", allowed.collect::<Vec<_>>().join(", ")),
            None => "there is none".to_owned(),
        };
        self.complain(at, &format!("no {kind} `{shown}`: {hint}"));
    }

    fn scenario(&mut self, table: &Spanned<DeTable<'_>>) -> Scenario {
        let mut out = Scenario {
            title: "".into(),
            again_after: None,
            sends: BTreeMap::new(),
            asks: BTreeMap::new(),
            follows: BTreeMap::new(),
            bytes: BTreeMap::new(),
            reads: BTreeMap::new(),
            answers: BTreeMap::new(),
            faults: Vec::new(),
        };
        for (key, value) in table.get_ref() {
            match key.get_ref().as_ref() {
                "title" => out.title = self.text_of("title", value).unwrap_or_default().into(),
                "again_after" => out.again_after = self.time("again_after", value),
                "sends" => {
                    for (key, value) in self.table("sends", value) {
                        if let (Some(name), Some(rate)) = (
                            self.name(Kind::Send, key),
                            self.rate(&format!("sends.{}", key.get_ref()), value),
                        ) {
                            out.sends.insert(name, rate);
                        }
                    }
                }
                "asks" => self.asks(value, &mut out),
                "follows" => {
                    for (key, value) in self.table("follows", value) {
                        let name = self.name(Kind::Send, key);
                        let share = self.share(&format!("follows.{}", key.get_ref()), value);
                        if let (Some(name), Some(share)) = (name, share) {
                            out.follows.insert(name, share);
                        }
                    }
                }
                "bytes" => {
                    for (key, value) in self.table("bytes", value) {
                        let name = self.name_or_rest(Kind::Send, key);
                        let bytes = self.count(&format!("bytes.{}", key.get_ref()), value, 1, 8 << 20);
                        if let (Some(name), Some(bytes)) = (name, bytes) {
                            out.bytes.insert(name, bytes);
                        }
                    }
                }
                "reads" => self.reads(value, &mut out),
                "answers" => self.answers(value, &mut out),
                "fault" => self.faults(value, &mut out),
                other => {
                    let keys = [
                        "title",
                        "again_after",
                        "sends",
                        "asks",
                        "follows",
                        "bytes",
                        "reads",
                        "answers",
                        "fault",
                    ];
                    self.not_one_of(key.span().start, other, "key", keys.into_iter());
                }
            }
        }
        out
    }

    fn asks(&mut self, value: &Spanned<DeValue<'_>>, out: &mut Scenario) {
        for (service, value) in self.table("asks", value) {
            let asker = self.name(Kind::Service, service);
            let path = format!("asks.{}", service.get_ref());
            for (key, value) in self.table(&path, value) {
                let operation = self.name(Kind::Operation, key);
                let rate = self.rate(&format!("{path}.{}", key.get_ref()), value);
                if let (Some(asker), Some(operation), Some(rate)) = (&asker, operation, rate) {
                    out.asks.insert((ServiceId::new(asker.clone()), operation), rate);
                }
            }
        }
    }

    fn reads(&mut self, value: &Spanned<DeValue<'_>>, out: &mut Scenario) {
        let entries = self.table("reads", value);
        let mut rest = Reading::USUAL;
        // The entry for the rest first, wherever it stands: what an entry leaves out is as in that one.
        for wanted_rest in [true, false] {
            for (key, value) in entries.iter().filter(|(key, _)| (key.get_ref() == "*") == wanted_rest) {
                let name = self.name_or_rest(Kind::Consumer, key);
                let path = format!("reads.{}", key.get_ref());
                let reading = self.reading(&path, value, rest);
                if wanted_rest {
                    rest = reading;
                }
                if let Some(name) = name {
                    out.reads.insert(name, reading);
                }
            }
        }
    }

    fn reading(&mut self, path: &str, value: &Spanned<DeValue<'_>>, mut out: Reading) -> Reading {
        for (key, value) in self.table(path, value) {
            let path = format!("{path}.{}", key.get_ref());
            match key.get_ref().as_ref() {
                "takes" => out.takes.mean = self.time(&path, value).unwrap_or(out.takes.mean),
                "jitter" => out.takes.jitter = self.number(&path, value, 0.0, 3.0).unwrap_or_default(),
                "workers" => out.workers = self.count(&path, value, 1, 1_000).unwrap_or(1) as u32,
                "fails" => out.fails = self.number(&path, value, 0.0, 1.0).unwrap_or_default(),
                "retry_after" => out.retry_after = self.time(&path, value).unwrap_or(out.retry_after),
                "ack_wait" => out.ack_wait = self.time(&path, value).unwrap_or(out.ack_wait),
                "max_deliver" => out.max_deliver = self.count(&path, value, 1, 1_000_000).unwrap_or(1),
                "max_in_flight" => out.max_in_flight = self.count(&path, value, 1, 1_000_000).unwrap_or(1),
                other => {
                    let keys = [
                        "takes",
                        "jitter",
                        "workers",
                        "fails",
                        "retry_after",
                        "ack_wait",
                        "max_deliver",
                        "max_in_flight",
                    ];
                    self.not_one_of(key.span().start, other, "key", keys.into_iter());
                }
            }
        }
        out
    }

    fn answers(&mut self, value: &Spanned<DeValue<'_>>, out: &mut Scenario) {
        for (key, value) in self.table("answers", value) {
            let name = self.name_or_rest(Kind::Operation, key);
            let path = format!("answers.{}", key.get_ref());
            let mut answering = Answering::USUAL;
            for (key, value) in self.table(&path, value) {
                let path = format!("{path}.{}", key.get_ref());
                let takes: &mut Times = &mut answering.takes;
                match key.get_ref().as_ref() {
                    "takes" => takes.mean = self.time(&path, value).unwrap_or(takes.mean),
                    "jitter" => takes.jitter = self.number(&path, value, 0.0, 3.0).unwrap_or_default(),
                    "fails" => answering.fails = self.number(&path, value, 0.0, 1.0).unwrap_or_default(),
                    other => {
                        let keys = ["takes", "jitter", "fails"];
                        self.not_one_of(key.span().start, other, "key", keys.into_iter());
                    }
                }
            }
            if let Some(name) = name {
                out.answers.insert(name, answering);
            }
        }
    }

    fn faults(&mut self, value: &Spanned<DeValue<'_>>, out: &mut Scenario) {
        for value in self.list("fault", value) {
            let mut fault = Fault {
                id: "".into(),
                title: "".into(),
                effect: "".into(),
                start: None,
                lasts: Duration::ZERO,
                does: Vec::new(),
            };
            let mut given = BTreeSet::new();
            for (key, value) in self.table("fault", value) {
                let word = key.get_ref().as_ref();
                given.insert(word);
                match word {
                    "id" => fault.id = self.text_of("fault.id", value).unwrap_or_default().into(),
                    "title" => fault.title = self.text_of("fault.title", value).unwrap_or_default().into(),
                    "effect" => fault.effect = self.text_of("fault.effect", value).unwrap_or_default().into(),
                    "start" => {
                        if value.get_ref().as_str() != Some("by hand") {
                            fault.start = self.time("fault.start", value);
                        }
                    }
                    "lasts" => fault.lasts = self.time("fault.lasts", value).unwrap_or_default(),
                    "does" => {
                        for value in self.list("fault.does", value) {
                            fault.does.extend(self.action(value));
                        }
                    }
                    other => {
                        let keys = ["id", "title", "effect", "start", "lasts", "does"];
                        self.not_one_of(key.span().start, other, "key", keys.into_iter());
                    }
                }
            }
            for key in ["id", "title", "start", "lasts", "does"] {
                if !given.contains(key) {
                    let hint = if key == "start" { " (a time, or \"by hand\")" } else { "" };
                    self.complain(value.span().start, &format!("a fault without `{key}`{hint}"));
                }
            }
            if out.faults.iter().any(|other| other.id == fault.id) && !fault.id.is_empty() {
                let shown = fault.id.escape_debug();
                self.complain(value.span().start, &format!("a second fault with the id `{shown}`"));
            }
            out.faults.push(fault);
        }
    }

    fn action(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Action> {
        const VERBS: [&str; 5] = ["slow", "stop", "down", "poison", "burst"];
        let entries = self.table("fault.does", value);
        let at = value.span().start;
        let find =
            |word: &str| entries.iter().find(|(key, _)| key.get_ref() == word).map(|(_, value)| *value);
        let verbs: Vec<&str> = VERBS.into_iter().filter(|verb| find(verb).is_some()).collect();
        let [verb] = verbs.as_slice() else {
            self.complain(at, &format!("`does` wants exactly one of {}", VERBS.join(", ")));
            return None;
        };
        let extra: &[&str] = match *verb {
            "slow" | "burst" => &["by"],
            "down" => &["component"],
            "poison" => &["messages"],
            _ => &[],
        };
        for (key, _) in &entries {
            let word = key.get_ref().as_ref();
            if word != *verb && !extra.contains(&word) {
                let keys = std::iter::once(*verb).chain(extra.iter().copied());
                self.not_one_of(key.span().start, word, "key", keys);
            }
        }
        let path = format!("fault.does.{verb}");
        let target = find(verb)?;
        let by = match find("by") {
            None if extra.contains(&"by") => {
                self.complain(at, &format!("`{path}` wants `by`: how many times"));
                None
            }
            None => None,
            Some(by) => self.number("fault.does.by", by, 0.0, 1_000_000.0),
        };
        match *verb {
            "slow" => Some(Action::Slow { consumer: self.named(Kind::Consumer, &path, target)?, by: by? }),
            "burst" => Some(Action::Burst { of: self.named(Kind::SendOrOperation, &path, target)?, by: by? }),
            "stop" => {
                Some(Action::Stop { service: ServiceId::new(self.named(Kind::Service, &path, target)?) })
            }
            "down" => {
                let component = find("component")
                    .and_then(|value| self.named(Kind::Component, "fault.does.component", value));
                let service = ServiceId::new(self.named(Kind::Service, &path, target)?);
                Some(Action::Down { service, component })
            }
            _ => {
                let messages = find("messages")
                    .map_or(Some(1), |value| self.count("fault.does.messages", value, 1, 1_000))?;
                Some(Action::Poison { consumer: self.named(Kind::Consumer, &path, target)?, messages })
            }
        }
    }

    // The leaves.

    fn table<'t, 'i>(&mut self, path: &str, value: &'t Spanned<DeValue<'i>>) -> Vec<Entry<'t, 'i>> {
        if let DeValue::Table(table) = value.get_ref() {
            return table.iter().collect();
        }
        self.wanted(path, "a table", value);
        Vec::new()
    }

    fn list<'t, 'i>(&mut self, path: &str, value: &'t Spanned<DeValue<'i>>) -> Vec<&'t Spanned<DeValue<'i>>> {
        if let DeValue::Array(list) = value.get_ref() {
            let list: &DeArray<'i> = list;
            return list.iter().collect();
        }
        self.wanted(path, "a list", value);
        Vec::new()
    }

    fn wanted(&mut self, path: &str, what: &str, value: &Spanned<DeValue<'_>>) {
        let got = match value.get_ref() {
            // The number tells more than that it is one.
            DeValue::Integer(n) => n.to_string(),
            DeValue::Float(n) => n.to_string(),
            other => other.type_str().to_owned(),
        };
        let path = path.escape_debug();
        self.complain(value.span().start, &format!("`{path}`: expected {what}, found {got}"));
    }

    fn text_of<'t>(&mut self, path: &str, value: &'t Spanned<DeValue<'_>>) -> Option<&'t str> {
        let text =
            value.get_ref().as_str().filter(|text| !text.is_empty() && !text.contains(char::is_control));
        if text.is_none() {
            self.wanted(path, "a line of text", value);
        }
        text
    }

    fn time(&mut self, path: &str, value: &Spanned<DeValue<'_>>) -> Option<Duration> {
        let Some(text) = value.get_ref().as_str() else {
            self.wanted(path, "a time such as \"40ms\" or \"1m30s\"", value);
            return None;
        };
        duration::parse(text)
            .map_err(|why| {
                let (path, text) = (path.escape_debug(), text.escape_debug());
                let what = format!(
                    "`{path}`: expected a time such as \"40ms\" or \"1m30s\", found `{text}` ({why})"
                );
                self.complain(value.span().start, &what);
            })
            .ok()
    }

    fn rate(&mut self, path: &str, value: &Spanned<DeValue<'_>>) -> Option<f64> {
        self.number(path, value, 0.0, 100_000.0)
    }

    fn number(&mut self, path: &str, value: &Spanned<DeValue<'_>>, low: f64, high: f64) -> Option<f64> {
        let number = match value.get_ref() {
            DeValue::Integer(n) => n.as_str().parse::<f64>().ok(),
            DeValue::Float(n) => n.as_str().parse::<f64>().ok(),
            _ => None,
        };
        let number = number.filter(|n| (low..=high).contains(n));
        if number.is_none() {
            self.wanted(path, &format!("a number from {low} to {high}"), value);
        }
        number
    }

    fn count(&mut self, path: &str, value: &Spanned<DeValue<'_>>, low: u64, high: u64) -> Option<u64> {
        let number = match value.get_ref() {
            DeValue::Integer(n) => n.as_str().parse::<u64>().ok().filter(|n| (low..=high).contains(n)),
            _ => None,
        };
        if number.is_none() {
            self.wanted(path, &format!("a whole number from {low} to {high}"), value);
        }
        number
    }

    fn share(&mut self, path: &str, value: &Spanned<DeValue<'_>>) -> Option<Share> {
        let mut share = Share { from: 0.0, to: 1.0 };
        for (key, value) in self.table(path, value) {
            let path = format!("{path}.{}", key.get_ref());
            match key.get_ref().as_ref() {
                "from" => share.from = self.number(&path, value, 0.0, 1.0)?,
                "to" => share.to = self.number(&path, value, 0.0, 1.0)?,
                other => self.not_one_of(key.span().start, other, "key", ["from", "to"].into_iter()),
            }
        }
        if share.from > share.to {
            self.complain(value.span().start, &format!("`{path}`: `from` is above `to`"));
            return None;
        }
        Some(share)
    }

    fn named(&mut self, kind: Kind, path: &str, value: &Spanned<DeValue<'_>>) -> Option<Name> {
        let text = self.text_of(path, value)?;
        self.known_name(kind, value.span().start, text)
    }

    fn name(&mut self, kind: Kind, key: &Spanned<std::borrow::Cow<'_, str>>) -> Option<Name> {
        self.known_name(kind, key.span().start, key.get_ref())
    }

    fn name_or_rest(&mut self, kind: Kind, key: &Spanned<std::borrow::Cow<'_, str>>) -> Option<Name> {
        if key.get_ref() == "*" { Some("*".into()) } else { self.name(kind, key) }
    }

    fn known_name(&mut self, kind: Kind, at: usize, text: &str) -> Option<Name> {
        let none = BTreeSet::new();
        let known = self.known;
        let (word, names, more) = match kind {
            Kind::Service => ("service", &known.services, &none),
            Kind::Consumer => ("consumer", &known.consumers, &none),
            Kind::Send => ("event or feed", &known.sends, &none),
            Kind::Operation => ("operation", &known.operations, &none),
            Kind::SendOrOperation => ("event, feed or operation", &known.sends, &known.operations),
            Kind::Component => ("store", &known.components, &none),
        };
        let found = names.get(text).or_else(|| more.get(text)).cloned();
        if found.is_none() {
            self.not_one_of(at, text, word, names.iter().chain(more).map(AsRef::as_ref));
        }
        found
    }
}
