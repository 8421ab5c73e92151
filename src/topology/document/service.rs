//! The service document.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Declarations;
use crate::model::id::{DomainId, EntityId, Name, ServiceId, StoreId, TeamId};
use crate::topology::declared::{
    Answer, Applied, Call, Consumption, Following, Health, Identifier, NameKind, Ownership, Pattern,
    Provision, Publication, Reader, Replica, Service, Store, StoreUse,
};
use crate::topology::glob::Glob;
use crate::topology::read::{Fields, Reading};
use crate::topology::tree::{Mark, Node, Value};
use crate::topology::word::ServiceKind;

/// Fields of a service document.
const SERVICE: &[&str] = &[
    "service",
    "headwater",
    "description",
    "kind",
    "team",
    "domain",
    "identity",
    "health",
    "stores",
    "uses_stores",
    "owns",
    "copies",
    "publishes",
    "provides_feeds",
    "consumes",
    "follows_feeds",
    "answers",
    "calls",
];

/// The shortest interval of a health check: more often would harm the service.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

pub(super) fn read(r: &mut Reading, node: &Node, into: &mut Declarations) {
    let Some(f) = r.fields(node, "a service document", SERVICE) else { return };
    if f.get("headwater").is_some() {
        super::version(r, &f);
    }
    // Without an id nothing can refer to the rest, but its faults are still worth showing.
    let id = f.required(r, "service");
    let at = f.get("service").map_or(node.at, |node| node.at);
    let placeholder = ServiceId::new(id.clone().unwrap_or_else(|| "?".into()));
    let stores = f.list(r, "stores", |r, node| store(r, node, &placeholder));
    let health = f.list(r, "health", health);
    let owned = f.list(r, "owns", owns);
    let answered = f.list(r, "answers", answers);
    let service = Service {
        id: placeholder.clone(),
        description: f.text(r, "description"),
        kind: f.word(r, "kind").unwrap_or(ServiceKind::Service),
        team: f.name(r, "team").map(TeamId::new),
        domain: f.name(r, "domain").map(DomainId::new),
        identity: identity(r, &f),
        health: once(r, health, "health endpoint", |h| (h.name.to_string(), h.origin.clone())),
        stores: stores.iter().map(|store| store.id.clone()).collect(),
        uses_stores: f.list(r, "uses_stores", uses),
        owns: once(r, owned, "owned entity", |o| (o.entity.to_string(), o.origin.clone())),
        copies: f.list(r, "copies", copies),
        publishes: f.list(r, "publishes", publishes),
        provides_feeds: f.list(r, "provides_feeds", provides),
        consumes: f.list(r, "consumes", consumes),
        follows_feeds: f.list(r, "follows_feeds", follows),
        answers: once(r, answered, "operation", |a| (a.operation.to_string(), a.origin.clone())),
        calls: f.list(r, "calls", calls),
        extras: f.extras,
        origin: r.origin(at),
    };
    // A service's own place is that of its name; what stands beside the name is found from there too.
    for name in [service.team.as_ref().map(TeamId::as_str), service.domain.as_ref().map(DomainId::as_str)] {
        let Some(name) = name.map(Name::from) else { continue };
        if let Some(place) = r.places.get(&(r.origin(node.at), name.clone())).cloned() {
            r.places.insert((service.origin.clone(), name), place);
        }
    }
    if id.is_some() {
        into.stores.extend(stores);
        into.services.push(service);
    }
}

/// Notes what stands twice in one list, naming both places.
fn once<T>(
    r: &mut Reading,
    items: Vec<T>,
    what: &str,
    key: impl Fn(&T) -> (String, super::super::declared::Origin),
) -> Vec<T> {
    let mut seen = BTreeMap::new();
    for item in &items {
        let (name, at) = key(item);
        if let Some(first) = seen.get(&name) {
            let text =
                format!("the {what} `{name}` is listed twice in this service; the first is at {first}");
            r.error(Mark { line: at.line, column: at.column }, text);
        } else {
            seen.insert(name, at);
        }
    }
    items
}

fn identity(r: &mut Reading, f: &Fields<'_>) -> Vec<Pattern> {
    const GROUPS: &[&str] = &["nats", "kafka", "rabbitmq", "redis", "mqtt", "otel", "event_source"];
    let Some(node) = f.get("identity") else { return Vec::new() };
    let Some(identity) = r.fields(node, "identity", GROUPS) else { return Vec::new() };
    let mut patterns = Vec::new();
    let mut take = |r: &mut Reading, node: &Node, name: &str, kind: NameKind| {
        for (pattern, at) in r.names(node, name) {
            patterns.push(Pattern { kind, glob: Glob::new(pattern), origin: r.origin(at) });
        }
    };
    for group in GROUPS.iter().filter(|group| **group != "event_source") {
        let Some(node) = identity.get(group) else { continue };
        let known: Vec<&'static str> =
            NameKind::FIELDS.iter().filter(|(g, ..)| g == group).map(|(_, field, _)| *field).collect();
        let Some(fields) = r.fields(node, "an identity", &known) else { continue };
        for (_, name, kind) in NameKind::FIELDS.iter().filter(|(g, ..)| g == group) {
            if let Some(node) = fields.get(name) {
                take(r, node, name, *kind);
            }
        }
    }
    if let Some(node) = identity.get("event_source") {
        take(r, node, "event_source", NameKind::EventSource);
    }
    patterns
}

fn health(r: &mut Reading, node: &Node) -> Option<Health> {
    let f = r.fields(node, "a health endpoint", &["name", "url", "interval", "timeout", "applied"])?;
    let name = f.name(r, "name").unwrap_or_else(|| "health".into());
    let url = f.required_url(r, "url", &["http", "https"]);
    let interval = f.duration(r, "interval");
    if interval.is_some_and(|interval| interval < SHORTEST_INTERVAL) {
        let at = f.get("interval").map_or(f.at, |node| node.at);
        r.error(at, "`interval` is shorter than 100ms, expected 100ms or more: asking more often would harm the service");
    }
    let timeout = f.duration(r, "timeout");
    let applied = f.list(r, "applied", |r, node| {
        let f = r.fields(node, "an applied version", &["entity", "pointer"])?;
        let (entity, pointer) = (f.required(r, "entity"), f.required(r, "pointer"));
        if let Some(pointer) = pointer.as_ref().filter(|pointer| !pointer.starts_with('/')) {
            let at = f.get("pointer").map_or(f.at, |node| node.at);
            r.error(
                at,
                format!("`pointer` is `{pointer}`, expected a JSON pointer such as /feeds/user/version"),
            );
            return None;
        }
        Some(Applied { entity: EntityId::new(entity?), pointer: pointer?, origin: r.origin(node.at) })
    });
    Some(Health { name, url: url?, interval, timeout, applied, extras: f.extras, origin: r.origin(node.at) })
}

fn store(r: &mut Reading, node: &Node, service: &ServiceId) -> Option<Store> {
    let f = r.fields(node, "a store", &["id", "kind", "technology", "reason"])?;
    let id = f.required(r, "id");
    let (kind, technology, reason) = (f.word(r, "kind"), f.text(r, "technology"), f.text(r, "reason"));
    let service = service.clone();
    Some(Store {
        id: StoreId::new(id?),
        service,
        kind,
        technology,
        reason,
        extras: f.extras,
        origin: r.origin(node.at),
    })
}

fn uses(r: &mut Reading, node: &Node) -> Option<StoreUse> {
    let f = r.fields(node, "a used store", &["store", "access"])?;
    let (store, access) = (f.required(r, "store"), f.word(r, "access"));
    Some(StoreUse { store: StoreId::new(store?), access, extras: f.extras, origin: r.origin(node.at) })
}

fn identifier(r: &mut Reading, f: &Fields<'_>) -> Option<Identifier> {
    if let Some(node) = f.get("identifier")
        && matches!(&node.value, Value::List(items) if items.is_empty())
    {
        r.error(node.at, "`identifier` is an empty list, expected at least one field");
    }
    let names = f.names(r, "identifier");
    (!names.is_empty()).then_some(Identifier(names))
}

fn owns(r: &mut Reading, node: &Node) -> Option<Ownership> {
    let f = r.fields(node, "an owned entity", &["entity", "store", "identifier", "sensitive"])?;
    let entity = f.required(r, "entity");
    let store = f.name(r, "store").map(StoreId::new);
    let (identifier, sensitive) = (identifier(r, &f), f.names(r, "sensitive"));
    let entity = EntityId::new(entity?);
    Some(Ownership { entity, store, identifier, sensitive, extras: f.extras, origin: r.origin(node.at) })
}

fn copies(r: &mut Reading, node: &Node) -> Option<Replica> {
    let known = &["entity", "store", "identifier", "via", "mode", "max_staleness", "sensitive"];
    let f = r.fields(node, "a copy", known)?;
    let entity = f.required(r, "entity");
    let replica = Replica {
        store: f.name(r, "store").map(StoreId::new),
        identifier: identifier(r, &f),
        via: f.name(r, "via"),
        mode: f.word(r, "mode"),
        max_staleness: f.duration(r, "max_staleness"),
        sensitive: f.names(r, "sensitive"),
        extras: f.extras,
        origin: r.origin(node.at),
        entity: EntityId::new(entity.clone().unwrap_or_else(|| "?".into())),
    };
    entity.map(|_| replica)
}

fn publishes(r: &mut Reading, node: &Node) -> Option<Publication> {
    let known = &["event", "broker", "channel", "stream", "entity", "key", "schema"];
    let f = r.fields(node, "a published event", known)?;
    let event = f.required(r, "event");
    let (broker, channel, stream) = (f.name(r, "broker"), f.name(r, "channel"), f.name(r, "stream"));
    let (entity, key, schema) =
        (f.name(r, "entity").map(EntityId::new), f.name(r, "key"), f.text(r, "schema"));
    let origin = r.origin(node.at);
    Some(Publication {
        event: event?,
        broker,
        channel,
        stream,
        entity,
        key,
        schema,
        extras: f.extras,
        origin,
    })
}

fn provides(r: &mut Reading, node: &Node) -> Option<Provision> {
    let known = &["feed", "broker", "channel", "stream", "entity", "key", "mode", "schema"];
    let f = r.fields(node, "a provided feed", known)?;
    let feed = f.required(r, "feed");
    let (broker, channel, stream) = (f.name(r, "broker"), f.name(r, "channel"), f.name(r, "stream"));
    let (entity, key) = (f.name(r, "entity").map(EntityId::new), f.name(r, "key"));
    let (mode, schema) = (f.word(r, "mode"), f.text(r, "schema"));
    let origin = r.origin(node.at);
    Some(Provision {
        feed: feed?,
        broker,
        channel,
        stream,
        entity,
        key,
        mode,
        schema,
        extras: f.extras,
        origin,
    })
}

fn reader(r: &mut Reading, f: &Fields<'_>) -> Option<Reader> {
    let node = f.get("consumer")?;
    let f = r.fields(node, "a consumer", &["stream", "durable", "deliver_subject", "queue", "group"])?;
    let reader = Reader {
        stream: f.name(r, "stream"),
        durable: f.name(r, "durable"),
        deliver_subject: f.name(r, "deliver_subject"),
        queue: f.name(r, "queue"),
        group: f.name(r, "group"),
        extras: f.extras,
    };
    if reader.durable.is_some() && reader.stream.is_none() {
        r.error(
            node.at,
            "`stream` is missing in a consumer with `durable`, expected the stream that it reads",
        );
    }
    Some(reader)
}

fn consumes(r: &mut Reading, node: &Node) -> Option<Consumption> {
    let known = &["event", "broker", "channel", "consumer", "max_delay", "leads_to"];
    let f = r.fields(node, "a consumed event", known)?;
    let event = f.required(r, "event");
    let (broker, channel, consumer) = (f.name(r, "broker"), f.name(r, "channel"), reader(r, &f));
    let (max_delay, leads_to) = (f.duration(r, "max_delay"), f.names(r, "leads_to"));
    let origin = r.origin(node.at);
    Some(Consumption {
        event: event?,
        broker,
        channel,
        consumer,
        max_delay,
        leads_to,
        extras: f.extras,
        origin,
    })
}

fn follows(r: &mut Reading, node: &Node) -> Option<Following> {
    let known = &["feed", "from", "broker", "channel", "mode", "consumer", "max_delay"];
    let f = r.fields(node, "a followed feed", known)?;
    let feed = f.required(r, "feed");
    let from = f.name(r, "from").map(ServiceId::new);
    let (broker, channel, consumer) = (f.name(r, "broker"), f.name(r, "channel"), reader(r, &f));
    let (mode, max_delay) = (f.word(r, "mode"), f.duration(r, "max_delay"));
    let origin = r.origin(node.at);
    Some(Following {
        feed: feed?,
        from,
        broker,
        channel,
        mode,
        consumer,
        max_delay,
        extras: f.extras,
        origin,
    })
}

fn answers(r: &mut Reading, node: &Node) -> Option<Answer> {
    let f =
        r.fields(node, "an answered operation", &["operation", "protocol", "broker", "channel", "entity"])?;
    let operation = f.required(r, "operation");
    let (protocol, broker, channel) = (f.word(r, "protocol"), f.name(r, "broker"), f.name(r, "channel"));
    let entity = f.name(r, "entity").map(EntityId::new);
    let origin = r.origin(node.at);
    Some(Answer { operation: operation?, protocol, broker, channel, entity, extras: f.extras, origin })
}

fn calls(r: &mut Reading, node: &Node) -> Option<Call> {
    let known =
        &["service", "operation", "protocol", "timeout", "retries", "breaker", "criticality", "fallback"];
    let f = r.fields(node, "a call", known)?;
    let service = f.required(r, "service");
    let (operation, protocol) = (f.name(r, "operation"), f.word(r, "protocol"));
    let (timeout, retries) = (f.duration(r, "timeout"), f.count(r, "retries", 1000).map(|n| n as u32));
    let (breaker, criticality) = (f.flag(r, "breaker"), f.word(r, "criticality"));
    let fallback: Option<Name> = f.text(r, "fallback").filter(|text| &**text != "none");
    let (service, origin) = (ServiceId::new(service?), r.origin(node.at));
    let extras = f.extras;
    Some(Call {
        service,
        operation,
        protocol,
        timeout,
        retries,
        breaker,
        criticality,
        fallback,
        extras,
        origin,
    })
}
