//! Runtime names → services: by declared patterns first, by the rule of [`super::derive`] where none fits.

use std::collections::{BTreeMap, BTreeSet};

use super::declared::{NameKind, Reader, Topology};
use super::derive::{Who, derive, word};
use super::glob::Specificity;
use super::problem::printable;
use crate::model::id::{Name, ServiceId};
use crate::model::measured::Evidence;

/// One thing that a broker says about a connection, consumer or responder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clue<'a> {
    /// A name of some kind.
    Name(NameKind, &'a str),
    /// Where a push consumer delivers to.
    DeliverSubject(&'a str),
}

/// To whom something belongs, and how that is known.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Binding {
    /// The services; several when patterns of equal exactness fit, or when a consumer is declared by several.
    pub services: Vec<ServiceId>,
    /// Whether it was derived rather than declared: shown with `~`.
    pub likely: bool,
    /// The tool that it is instead.
    pub tool: Option<Name>,
    /// How it is known, one entry for each service or one for all.
    pub evidence: Vec<Evidence>,
}

impl Binding {
    /// Whether several services claim one name: a fault in the files worth showing.
    pub fn is_tie(&self) -> bool {
        self.services.len() > 1
    }
}

/// What is known of a broker's consumer.
#[derive(Debug, Clone, Copy, Default)]
pub struct ConsumerNames<'a> {
    /// The source that watches the broker: the broker's id in the topology.
    pub source: &'a str,
    /// The stream, topic or queue that it reads.
    pub stream: &'a str,
    /// Its own name.
    pub name: &'a str,
    /// Whether the broker keeps it (a durable). The name of one that it does not keep is random.
    pub durable: bool,
    /// Where it delivers to, if it pushes.
    pub deliver_subject: Option<&'a str>,
    /// Its queue group.
    pub queue: Option<&'a str>,
}

impl Topology {
    /// To whom a connection or responder belongs. `known` are the services that are known otherwise: a durable
    /// `billing-users` is then likely billing's. Of declared patterns the most specific wins, whatever name it fits.
    pub fn bind(&self, clues: &[Clue<'_>], known: &BTreeSet<ServiceId>) -> Binding {
        self.by_pattern(clues).unwrap_or_else(|| self.by_rule(clues, known))
    }

    /// To whom a consumer belongs: to the services that name it in `consumes` or `follows_feeds`, else as any name.
    pub fn bind_consumer(&self, names: &ConsumerNames<'_>, known: &BTreeSet<ServiceId>) -> Binding {
        let mut exact = Binding::default();
        for used in self.readers() {
            let fits = used.broker.is_none_or(|broker| broker == names.source)
                && used.reader.stream.as_deref() == Some(names.stream)
                && names.durable
                && used.reader.durable.as_deref() == Some(names.name);
            if fits {
                exact.evidence.push(used.origin.evidence());
                if !exact.services.contains(used.service) {
                    exact.services.push(used.service.clone());
                }
            }
        }
        if !exact.services.is_empty() {
            return exact;
        }
        let mut clues = Vec::new();
        if names.durable {
            clues.push(Clue::Name(NameKind::NatsDurable, names.name));
        }
        if let Some(queue) = names.queue {
            clues.push(Clue::Name(NameKind::NatsQueue, queue));
        }
        if let Some(subject) = names.deliver_subject {
            clues.push(Clue::DeliverSubject(subject));
        }
        self.bind(&clues, known)
    }

    fn by_pattern(&self, clues: &[Clue<'_>]) -> Option<Binding> {
        let mut best: Option<Specificity> = None;
        let mut found: BTreeMap<ServiceId, Vec<Evidence>> = BTreeMap::new();
        let mut add = |service: &ServiceId, specificity: Specificity, evidence: Evidence| {
            if best.is_none_or(|b| specificity > b) {
                found.clear();
                best = Some(specificity);
            }
            if best == Some(specificity) {
                let list = found.entry(service.clone()).or_default();
                if !list.contains(&evidence) {
                    list.push(evidence);
                }
            }
        };
        for clue in clues {
            match clue {
                Clue::Name(kind, name) => {
                    for service in self.services.values() {
                        for pattern in
                            service.identity.iter().filter(|p| p.kind == *kind && p.glob.matches(name))
                        {
                            add(&service.id, pattern.glob.specificity(), pattern.origin.evidence());
                        }
                    }
                }
                Clue::DeliverSubject(subject) => {
                    for used in self.readers() {
                        if used.reader.deliver_subject.as_deref() == Some(subject) {
                            add(used.service, Specificity::of_name(subject), used.origin.evidence());
                        }
                    }
                }
            }
        }
        let (services, evidence): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        let evidence = evidence.into_iter().flatten().collect();
        best.map(|_| Binding { services, likely: false, tool: None, evidence })
    }

    fn by_rule(&self, clues: &[Clue<'_>], known: &BTreeSet<ServiceId>) -> Binding {
        let is_known = |name: &str| self.services.contains_key(name) || known.contains(name);
        let mut fallback: Option<Binding> = None;
        for clue in clues {
            let (name, rule, kind) = match clue {
                Clue::Name(kind, raw) => {
                    let derived = derive(*kind, raw);
                    let rule = derived.rule(*kind, raw);
                    match derived.who {
                        Who::Nobody => continue,
                        Who::Tool => {
                            let evidence = vec![Evidence::inferred(rule)];
                            return Binding {
                                tool: Some(derived.name),
                                likely: true,
                                evidence,
                                ..Binding::default()
                            };
                        }
                        Who::Service => (derived.name, rule, Some(*kind)),
                    }
                }
                Clue::DeliverSubject(subject) => match delivers_to(subject) {
                    Some(name) => (name.into(), format!("deliver subject \"{}\"", printable(subject)), None),
                    None => continue,
                },
            };
            let likely = |service: Name, rule: String| Binding {
                services: vec![ServiceId::new(service)],
                likely: true,
                tool: None,
                evidence: vec![Evidence::inferred(rule)],
            };
            if is_known(&name) {
                return likely(name, rule);
            }
            // Positions and groups are often named after the service and what they read.
            let position =
                kind.is_none_or(|kind| matches!(kind, NameKind::NatsDurable | NameKind::NatsQueue));
            if position && let Some(owner) = prefixes(&name).find(|prefix| is_known(prefix)) {
                let rule = format!("{rule} begins with the name of service \"{}\"", printable(owner));
                return likely(owner.into(), rule);
            }
            // A user name is a weak sign: it binds what is known, and founds nothing new.
            let founds = kind.is_none_or(|kind| {
                !matches!(kind, NameKind::NatsUser | NameKind::RabbitmqUser | NameKind::MqttUsername)
            });
            if founds && fallback.is_none() {
                fallback = Some(likely(name, rule));
            }
        }
        fallback.unwrap_or_default()
    }

    /// Every declared reader with the service and broker that it belongs to.
    pub(super) fn readers(&self) -> impl Iterator<Item = DeclaredReader<'_>> {
        self.services.values().flat_map(|service| {
            let consumed = service.consumes.iter().filter_map(|c| {
                let (service, broker) = (&service.id, c.broker.as_deref());
                Some(DeclaredReader { service, broker, reader: c.consumer.as_ref()?, origin: &c.origin })
            });
            let followed = service.follows_feeds.iter().filter_map(|f| {
                let (service, broker) = (&service.id, f.broker.as_deref());
                Some(DeclaredReader { service, broker, reader: f.consumer.as_ref()?, origin: &f.origin })
            });
            consumed.chain(followed)
        })
    }
}

/// A declared reader.
pub(super) struct DeclaredReader<'t> {
    service: &'t ServiceId,
    broker: Option<&'t str>,
    reader: &'t Reader,
    origin: &'t super::declared::Origin,
}

/// Words with which deliver subjects begin that say nothing of the service.
const DELIVERIES: &[&str] = &["deliver", "delivery", "push", "deliveries"];

/// The service in a deliver subject: the part after `deliver.` or its like.
fn delivers_to(subject: &str) -> Option<&str> {
    let mut parts = subject.split('.');
    let first = parts.next()?;
    if !DELIVERIES.contains(&first.to_lowercase().as_str()) {
        return None;
    }
    parts.next().filter(|part| part.chars().any(char::is_alphabetic))
}

/// `billing-users-eu` → `billing-users`, `billing`.
fn prefixes(name: &str) -> impl Iterator<Item = &str> {
    name.rmatch_indices(['-', '_', '.', ':', '/'])
        .filter_map(|(at, _)| name.get(..at))
        .filter(|p| !p.is_empty())
}

/// What a kind of clue is called, for a detail pane.
pub fn clue_word(clue: &Clue<'_>) -> &'static str {
    match clue {
        Clue::Name(kind, _) => word(*kind),
        Clue::DeliverSubject(_) => "deliver subject",
    }
}

#[cfg(test)]
mod tests;
