//! Declarations → [`Topology`]: ids once each, references to something that is there.
//!
//! What is an error and what a warning: an error is what would make later answers wrong — an id that stands for two
//! things, a store, service, domain, team or broker that does not exist (a list that is given is complete; services and
//! stores are always complete). A warning is what may be right though it looks odd — an event that nobody here
//! publishes may come from outside. Two owners, a store that two services touch, a call without a time-out are neither:
//! they are facts that the checks find.

use std::collections::{BTreeMap, BTreeSet};

use super::declared::{NameKind, Origin, Service, Subject, Topology};
use super::document::Declarations;
use super::problem::{Problem, printable};
use super::read::Places;
use super::word::{BrokerKind, Protocol};
use crate::model::id::{DomainId, Name, ServiceId, StoreId, TeamId};
use crate::model::subject::{wrong_name, wrong_subject};

/// Puts declarations together. With `incomplete` (a file could not be read) missing names are not reported, as
/// that file may hold them.
pub fn resolve(mut declared: Declarations, incomplete: bool, problems: &mut Vec<Problem>) -> Topology {
    let systems = std::mem::take(&mut declared.systems);
    let mut topology = Topology { system: systems.first().cloned(), ..Topology::default() };
    if let Some((first, others)) = systems.split_first() {
        for other in others {
            let text =
                format!("the system has a second name `{}`; the first is at {}", other.name, first.origin);
            problems.push(Problem::error(&other.origin, text));
        }
    }
    topology.domains =
        by_id(declared.domains, "domain", |d| (d.id.clone(), d.id.to_string(), d.origin.clone()), problems);
    topology.teams =
        by_id(declared.teams, "team", |t| (t.id.clone(), t.id.to_string(), t.origin.clone()), problems);
    topology.brokers =
        by_id(declared.brokers, "broker", |b| (b.id.clone(), b.id.to_string(), b.origin.clone()), problems);
    topology.services =
        by_id(declared.services, "service", |s| (s.id.clone(), s.id.to_string(), s.origin.clone()), problems);
    topology.stores =
        by_id(declared.stores, "store", |s| (s.id.clone(), s.id.to_string(), s.origin.clone()), problems);
    topology.objectives = declared.objectives;
    topology.ignored = declared.ignored;
    topology.extras = declared.extras;
    ambiguous(&topology, problems);
    if !incomplete {
        let names = Names::of(&topology);
        let mut out = Out { places: &declared.places, problems };
        names.system(&topology, &mut out);
        for service in topology.services.values() {
            names.service(&topology, service, &mut out);
        }
    }
    topology
}

/// A map by id; what comes second is an error that names both places.
fn by_id<K: Ord, T>(
    items: Vec<T>,
    what: &str,
    key: impl Fn(&T) -> (K, String, Origin),
    problems: &mut Vec<Problem>,
) -> BTreeMap<K, T> {
    let mut map: BTreeMap<K, T> = BTreeMap::new();
    for item in items {
        let (id, text, origin) = key(&item);
        if let Some(first) = map.get(&id) {
            let (.., first) = key(first);
            let hint = if what == "store" {
                "; a store is declared by its own service, others name it in uses_stores"
            } else {
                ""
            };
            let text = format!("the {what} `{text}` is declared twice; the first is at {first}{hint}");
            problems.push(Problem::error(&origin, text));
        } else {
            map.insert(id, item);
        }
    }
    map
}

/// One pattern in two services: names that match it belong to both.
fn ambiguous(topology: &Topology, problems: &mut Vec<Problem>) {
    let mut seen: BTreeMap<(NameKind, &str), (&Service, &Origin)> = BTreeMap::new();
    for service in topology.services.values() {
        for pattern in &service.identity {
            let key = (pattern.kind, pattern.glob.as_str());
            match seen.get(&key) {
                Some((other, at)) if other.id != service.id => {
                    let text = format!(
                        "`{}` in {} also stands in service `{}` ({at}); names like it belong to both",
                        pattern.glob,
                        pattern.kind.place(),
                        other.id
                    );
                    problems.push(Problem::warning(&pattern.origin, text));
                }
                Some(_) => {}
                None => {
                    seen.insert(key, (service, &pattern.origin));
                }
            }
        }
    }
}

/// Takes problems with references, and moves each from its entry to the very name.
struct Out<'a> {
    places: &'a Places,
    problems: &'a mut Vec<Problem>,
}

impl Out<'_> {
    fn error<'k>(
        &mut self,
        at: &Origin,
        found: &str,
        text: String,
        known: impl IntoIterator<Item = &'k str>,
    ) {
        let problem = Problem::error(self.place(at, found), text).or_near(found, known);
        self.problems.push(problem);
    }

    fn warning<'k>(
        &mut self,
        at: &Origin,
        found: &str,
        text: String,
        known: impl IntoIterator<Item = &'k str>,
    ) {
        let problem = Problem::warning(self.place(at, found), text).or_near(found, known);
        self.problems.push(problem);
    }

    fn place<'o>(&'o self, at: &'o Origin, found: &str) -> &'o Origin {
        self.places.get(&(at.clone(), found.into())).unwrap_or(at)
    }
}

/// All names that can be referred to.
struct Names<'t> {
    events: BTreeSet<&'t str>,
    feeds: BTreeSet<&'t str>,
    operations: BTreeSet<&'t str>,
    entities: BTreeSet<&'t str>,
    owned: BTreeSet<&'t str>,
}

impl<'t> Names<'t> {
    fn of(topology: &'t Topology) -> Self {
        let mut names = Self {
            events: BTreeSet::new(),
            feeds: BTreeSet::new(),
            operations: BTreeSet::new(),
            entities: BTreeSet::new(),
            owned: BTreeSet::new(),
        };
        for service in topology.services.values() {
            names.events.extend(service.publishes.iter().map(|p| &*p.event));
            names.feeds.extend(service.provides_feeds.iter().map(|p| &*p.feed));
            names.operations.extend(service.answers.iter().map(|a| &*a.operation));
            names.owned.extend(service.owns.iter().map(|o| o.entity.as_str()));
            names.entities.extend(service.copies.iter().map(|c| c.entity.as_str()));
        }
        names.entities.extend(names.owned.iter().copied());
        names
    }

    fn system(&self, topology: &Topology, out: &mut Out<'_>) {
        for domain in topology.domains.values() {
            if let Some(owner) = &domain.owner {
                team(topology, owner.as_str(), &domain.origin, out);
            }
        }
        for objective in &topology.objectives {
            let at = &objective.origin;
            match &objective.subject {
                Subject::Entity(id) => {
                    warn(id.as_str(), &self.entities, at, "an entity that no service owns or copies", out);
                }
                Subject::Event(id) => warn(id, &self.events, at, "an event that nobody here publishes", out),
                Subject::Feed(id) => warn(id, &self.feeds, at, "a feed that nobody here provides", out),
                Subject::Operation(id) => {
                    warn(id, &self.operations, at, "an operation that nobody here answers", out);
                }
                Subject::Service(id) => service(topology, id.as_str(), "objective", at, out),
            }
        }
    }

    fn service(&self, topology: &Topology, this: &Service, out: &mut Out<'_>) {
        if let Some(id) = &this.team {
            team(topology, id.as_str(), &this.origin, out);
        }
        if let Some(id) = &this.domain
            && !topology.domains.is_empty()
            && !topology.domains.contains_key(id)
        {
            missing(id.as_str(), "domain", topology.domains.keys().map(DomainId::as_str), &this.origin, out);
        }
        self.data(topology, this, out);
        self.messages(topology, this, out);
        addresses(topology, this, out);
        for call in &this.calls {
            service(topology, call.service.as_str(), "calls", &call.origin, out);
            let Some(callee) = topology.services.get(&call.service) else { continue };
            // A service that lists no operation has not said what it answers.
            if let Some(operation) = &call.operation
                && !callee.answers.is_empty()
                && !callee.answers.iter().any(|a| a.operation == *operation)
            {
                let text =
                    format!("`{operation}` is not among the operations that `{}` answers", call.service);
                let known = callee.answers.iter().map(|a| &*a.operation);
                out.warning(&call.origin, operation, text, known);
            }
        }
    }

    /// Stores, entities, copies, applied versions.
    fn data(&self, topology: &Topology, this: &Service, out: &mut Out<'_>) {
        let stores = this
            .uses_stores
            .iter()
            .map(|u| (&u.store, "uses_stores", &u.origin))
            .chain(this.owns.iter().filter_map(|o| Some((o.store.as_ref()?, "owns", &o.origin))))
            .chain(this.copies.iter().filter_map(|c| Some((c.store.as_ref()?, "copies", &c.origin))));
        for (store, place, at) in stores {
            if !topology.stores.contains_key(store) {
                let text = format!("`{store}` in {place} is a store that no service declares");
                let known = topology.stores.keys().map(StoreId::as_str);
                out.error(at, store.as_str(), text, known);
            }
        }
        for copy in &this.copies {
            warn(copy.entity.as_str(), &self.owned, &copy.origin, "an entity that no service here owns", out);
            let Some(via) = &copy.via else { continue };
            let via: &str = via;
            let known: BTreeSet<&str> =
                [&self.events, &self.feeds, &self.operations].into_iter().flatten().copied().collect();
            if !known.contains(via) {
                warn(
                    via,
                    &known,
                    &copy.origin,
                    "neither an event nor a feed nor an operation that is declared here",
                    out,
                );
            } else if !(this.consumes.iter().any(|c| &*c.event == via)
                || this.follows_feeds.iter().any(|f| &*f.feed == via)
                || this.calls.iter().any(|c| c.operation.as_deref() == Some(via)))
            {
                let text = format!(
                    "the copy of {} is kept by `{via}`, which this service neither consumes, follows nor calls",
                    copy.entity
                );
                out.warning(&copy.origin, via, text, std::iter::empty());
            }
        }
        for applied in this.health.iter().flat_map(|h| &h.applied) {
            let held = || {
                let owned = this.owns.iter().map(|o| o.entity.as_str());
                owned.chain(this.copies.iter().map(|c| c.entity.as_str()))
            };
            if !held().any(|entity| entity == applied.entity.as_str()) {
                let text = format!(
                    "`{}` in applied is an entity that this service neither owns nor copies",
                    applied.entity
                );
                out.warning(&applied.origin, applied.entity.as_str(), text, held());
            }
        }
    }

    /// Events, feeds and brokers.
    fn messages(&self, topology: &Topology, this: &Service, out: &mut Out<'_>) {
        let brokers = this
            .publishes
            .iter()
            .map(|p| (&p.broker, &p.origin))
            .chain(this.provides_feeds.iter().map(|p| (&p.broker, &p.origin)))
            .chain(this.consumes.iter().map(|c| (&c.broker, &c.origin)))
            .chain(this.follows_feeds.iter().map(|f| (&f.broker, &f.origin)))
            .chain(this.answers.iter().map(|a| (&a.broker, &a.origin)));
        for (broker, at) in brokers {
            if let Some(broker) = broker
                && !topology.brokers.is_empty()
                && !topology.brokers.contains_key(broker)
            {
                missing(broker, "broker", topology.brokers.keys().map(|b| &**b), at, out);
            }
        }
        for consumed in &this.consumes {
            warn(&consumed.event, &self.events, &consumed.origin, "an event that nobody here publishes", out);
            for event in &consumed.leads_to {
                if !this.publishes.iter().any(|p| p.event == *event) {
                    let text =
                        format!("`{event}` in leads_to is an event that this service does not publish");
                    let known = this.publishes.iter().map(|p| &*p.event);
                    out.warning(&consumed.origin, event, text, known);
                }
            }
        }
        for followed in &this.follows_feeds {
            warn(&followed.feed, &self.feeds, &followed.origin, "a feed that nobody here provides", out);
            let Some(from) = &followed.from else { continue };
            service(topology, from.as_str(), "from", &followed.origin, out);
            if let Some(provider) = topology.services.get(from)
                && self.feeds.contains(&*followed.feed)
                && !provider.provides_feeds.iter().any(|p| p.feed == followed.feed)
            {
                let text = format!("`{from}` does not provide the feed `{}`", followed.feed);
                let known = provider.provides_feeds.iter().map(|p| &*p.feed);
                out.warning(&followed.origin, &followed.feed, text, known);
            }
        }
    }
}

/// Channels, streams and consumers on NATS: names that no server would take are mistakes of writing.
fn addresses(topology: &Topology, this: &Service, out: &mut Out<'_>) {
    // Without any broker the system is one of NATS, until a file says otherwise.
    let on_nats = |broker: Option<&Name>| match broker {
        Some(id) if !topology.brokers.is_empty() => {
            topology.brokers.get(id).is_some_and(|broker| broker.kind == BrokerKind::Nats)
        }
        _ => topology.brokers.values().all(|broker| broker.kind == BrokerKind::Nats),
    };
    let mut check = |broker: &Option<Name>,
                     at: &Origin,
                     subjects: &[(&str, &Option<Name>)],
                     names: &[(&str, &Option<Name>)]| {
        if !on_nats(broker.as_ref()) {
            return;
        }
        for (field, subject) in subjects {
            if let Some(text) = subject
                && let Some(why) = wrong_subject(text)
            {
                let shown = printable(text);
                out.error(at, text, format!("`{shown}` in {field} is no NATS subject: {why}"), []);
            }
        }
        for (field, name) in names {
            if let Some(text) = name
                && let Some(why) = wrong_name(text)
            {
                let what = "is no name that a NATS stream or consumer can have";
                out.error(at, text, format!("`{}` in {field} {what}: {why}", printable(text)), []);
            }
        }
    };
    for p in &this.publishes {
        check(&p.broker, &p.origin, &[("channel", &p.channel)], &[("stream", &p.stream)]);
    }
    for p in &this.provides_feeds {
        check(&p.broker, &p.origin, &[("channel", &p.channel)], &[("stream", &p.stream)]);
    }
    for a in this.answers.iter().filter(|a| a.protocol == Some(Protocol::Nats)) {
        check(&a.broker, &a.origin, &[("channel", &a.channel)], &[]);
    }
    let readers = this.consumes.iter().map(|c| (&c.broker, &c.origin, &c.channel, &c.consumer));
    let feeds = this.follows_feeds.iter().map(|f| (&f.broker, &f.origin, &f.channel, &f.consumer));
    for (broker, origin, channel, reader) in readers.chain(feeds) {
        check(broker, origin, &[("channel", channel)], &[]);
        if let Some(reader) = reader {
            let names = [("stream", &reader.stream), ("durable", &reader.durable)];
            check(broker, origin, &[("deliver_subject", &reader.deliver_subject)], &names);
        }
    }
}

fn team(topology: &Topology, id: &str, at: &Origin, out: &mut Out<'_>) {
    if !topology.teams.is_empty() && !topology.teams.contains_key(id) {
        missing(id, "team", topology.teams.keys().map(TeamId::as_str), at, out);
    }
}

fn service(topology: &Topology, id: &str, place: &str, at: &Origin, out: &mut Out<'_>) {
    if !topology.services.contains_key(id) {
        let text = format!("`{id}` in {place} is a service that no file declares");
        out.error(at, id, text, topology.services.keys().map(ServiceId::as_str));
    }
}

fn missing<'a>(id: &str, what: &str, known: impl Iterator<Item = &'a str>, at: &Origin, out: &mut Out<'_>) {
    let known: Vec<&str> = known.collect();
    let list = known.iter().map(|k| printable(k)).collect::<Vec<_>>().join(", ");
    let text = format!("`{id}` is a {what} that is not declared, expected one of {list}");
    out.error(at, id, text, known);
}

fn warn(id: &str, known: &BTreeSet<&str>, at: &Origin, what: &str, out: &mut Out<'_>) {
    if !known.contains(id) {
        out.warning(at, id, format!("`{id}` is {what}"), known.iter().copied());
    }
}
