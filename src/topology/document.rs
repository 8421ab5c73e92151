//! One YAML document → declarations. A document says what it is: `service:` describes one service,
//! `headwater: 1` the system around them. References are not looked at here; [`super::resolve`] does that.

use super::declared::{Broker, Domain, Ignored, Limit, Named, Objective, Service, Store, Subject, Team};
use super::problem::{Problem, printable};
use super::read::{Fields, Reading, address};
use super::tree::{Node, Value};
use super::word::{BrokerKind, Property};
use crate::model::id::{DomainId, EntityId, ServiceId, TeamId};
use crate::model::subject;

mod service;

/// Everything that the documents declare, in the order of files and lines.
#[derive(Debug, Default)]
pub struct Declarations {
    /// Where in an entry each of its names is written.
    pub places: super::read::Places,
    /// Names of the system.
    pub systems: Vec<Named>,
    /// Domains.
    pub domains: Vec<Domain>,
    /// Teams.
    pub teams: Vec<Team>,
    /// Brokers.
    pub brokers: Vec<Broker>,
    /// Objectives.
    pub objectives: Vec<Objective>,
    /// Accepted findings.
    pub ignored: Vec<Ignored>,
    /// `x-` fields of system documents.
    pub extras: super::declared::Extras,
    /// Services.
    pub services: Vec<Service>,
    /// Stores of all services.
    pub stores: Vec<Store>,
}

/// Fields of a system document.
const SYSTEM: &[&str] = &["headwater", "system", "domains", "teams", "brokers", "objectives", "checks"];

/// Reads one document.
pub fn read(r: &mut Reading, node: &Node, into: &mut Declarations) {
    let Value::Map(entries) = &node.value else {
        r.error(
            node.at,
            format!(
                "found {}, expected a document with `service:` or with `headwater: 1`",
                node.value.what()
            ),
        );
        return;
    };
    let has = |name: &str| entries.iter().find(|(key, _)| key.text == name).map(|(key, _)| key.at);
    match (has("service"), has("headwater"), has("system")) {
        (Some(at), _, Some(_)) => {
            r.error(at, "found `service` and `system` in one document; put `---` between the two");
        }
        (Some(_), ..) => service::read(r, node, into),
        (None, Some(_), _) => system(r, node, into),
        (None, None, Some(at)) => {
            r.error(at, "found a system without `headwater: 1`, the version of the file format");
        }
        (None, None, None) => {
            let text = "found a document that is neither a service nor a system, expected `service:` or `headwater: 1`";
            let mut problem = Problem::error(&r.origin(node.at), text);
            for (key, _) in entries {
                problem = problem.clone().or_near(&key.text, ["service", "headwater"]);
                if problem.nearest.is_some() {
                    problem.at = r.origin(key.at);
                    problem.text = format!("found `{}` in {}", printable(&key.text), &text["found ".len()..]);
                    break;
                }
            }
            r.problems.push(problem);
        }
    }
}

/// `headwater: 1` is the version of the file format.
fn version(r: &mut Reading, fields: &Fields<'_>) {
    if let Some(node) = fields.get("headwater") {
        if !matches!(node.value, Value::Number(version, _) if (version - 1.0).abs() < f64::EPSILON) {
            r.error(
                node.at,
                format!("`headwater` is {}, expected 1: the version of the file format", node.value.what()),
            );
        }
    } else {
        r.error(fields.at, "`headwater` is empty, expected 1: the version of the file format");
    }
}

fn system(r: &mut Reading, node: &Node, into: &mut Declarations) {
    let Some(fields) = r.fields(node, "a system document", SYSTEM) else { return };
    version(r, &fields);
    if let Some(node) = fields.get("system")
        && let Some(name) = r.name(node, "system")
    {
        into.systems.push(Named { name, origin: r.origin(node.at) });
    }
    into.domains.extend(fields.list(r, "domains", domain));
    into.teams.extend(fields.list(r, "teams", team));
    into.brokers.extend(fields.list(r, "brokers", broker));
    into.objectives.extend(fields.list(r, "objectives", objective));
    if let Some(node) = fields.get("checks")
        && let Some(checks) = r.fields(node, "checks", &["ignore"])
    {
        into.ignored.extend(checks.list(r, "ignore", ignored));
    }
    into.extras.extend(fields.extras);
}

fn domain(r: &mut Reading, node: &Node) -> Option<Domain> {
    let f = r.fields(node, "a domain", &["id", "name", "owner"])?;
    let (id, name, owner) = (f.required(r, "id"), f.text(r, "name"), f.name(r, "owner"));
    let (id, owner) = (DomainId::new(id?), owner.map(TeamId::new));
    Some(Domain { id, name, owner, extras: f.extras, origin: r.origin(node.at) })
}

fn team(r: &mut Reading, node: &Node) -> Option<Team> {
    let f = r.fields(node, "a team", &["id", "name", "contact"])?;
    let (id, name, contact) = (f.required(r, "id"), f.text(r, "name"), f.text(r, "contact"));
    Some(Team { id: TeamId::new(id?), name, contact, extras: f.extras, origin: r.origin(node.at) })
}

/// Schemes of a broker's addresses; the first is that of an address without one.
fn schemes(kind: BrokerKind) -> &'static [&'static str] {
    match kind {
        BrokerKind::Nats => &["nats", "tls", "ws", "wss"],
        BrokerKind::Kafka => &["kafka", "kafkas", "tls"],
        BrokerKind::Rabbitmq => &["amqp", "amqps"],
        BrokerKind::Redis => &["redis", "rediss", "valkey", "valkeys"],
        BrokerKind::Mqtt => &["mqtt", "mqtts", "ws", "wss"],
    }
}

fn broker(r: &mut Reading, node: &Node) -> Option<Broker> {
    let f = r.fields(node, "a broker", &["id", "kind", "servers", "monitor", "message_traces"])?;
    let id = f.required(r, "id");
    let kind = f.required_word::<BrokerKind>(r, "kind");
    let allowed = schemes(kind.unwrap_or(BrokerKind::Nats));
    let mut servers = Vec::new();
    if let Some(list) = f.get("servers") {
        let items = match &list.value {
            Value::Text(_) => std::slice::from_ref(list),
            _ => r.list(list, "servers"),
        };
        // A monitoring endpoint alone is enough to look at it.
        if matches!(&list.value, Value::List(items) if items.is_empty()) && f.get("monitor").is_none() {
            r.error(list.at, "`servers` is an empty list, expected at least one address");
        }
        // Without a known kind there is nothing to check the addresses against.
        if kind.is_some() {
            servers.extend(
                items
                    .iter()
                    .filter_map(|item| address(r, item, "servers", allowed, allowed.first().copied())),
            );
        }
    }
    let monitor = f.url(r, "monitor", &["http", "https"]);
    let message_traces = f.text(r, "message_traces").filter(|_| f.get("message_traces").is_some());
    if let (Some(subject), Some(node)) = (&message_traces, f.get("message_traces"))
        && !(subject::is_literal(subject) && kind.is_none_or(|kind| kind == BrokerKind::Nats))
    {
        r.error(
            node.at,
            "`message_traces` is no subject of NATS, expected the msg_trace.dest of the account",
        );
    }
    Some(Broker {
        id: id?,
        kind: kind?,
        servers,
        monitor,
        message_traces,
        extras: f.extras,
        origin: r.origin(node.at),
    })
}

const SUBJECTS: [&str; 5] = ["entity", "event", "feed", "operation", "service"];

fn objective(r: &mut Reading, node: &Node) -> Option<Objective> {
    let known = &["entity", "event", "feed", "operation", "service", "property", "max", "share", "window"];
    let f = r.fields(node, "an objective", known)?;
    let given: Vec<&str> = SUBJECTS.into_iter().filter(|name| f.get(name).is_some()).collect();
    let subject = match given.as_slice() {
        [one] => f.name(r, one).map(|name| match *one {
            "entity" => Subject::Entity(EntityId::new(name)),
            "event" => Subject::Event(name),
            "feed" => Subject::Feed(name),
            "operation" => Subject::Operation(name),
            _ => Subject::Service(ServiceId::new(name)),
        }),
        [] => {
            r.error(node.at, format!("an objective about nothing, expected one of {}", SUBJECTS.join(", ")));
            None
        }
        several => {
            let text = format!("an objective about {}, expected only one of these", several.join(" and "));
            r.error(node.at, text);
            None
        }
    };
    let property = f.required_word::<Property>(r, "property");
    let max = match property {
        _ if f.get("max").is_none() => {
            r.error(node.at, "`max` is missing in an objective, expected the most that is allowed");
            None
        }
        Some(Property::Staleness | Property::Propagation | Property::Convergence) => {
            f.duration(r, "max").map(Limit::Time)
        }
        Some(Property::Lag) => f.count(r, "max", u64::MAX / 2).map(Limit::Count),
        Some(Property::ErrorRate) => f.share(r, "max").map(Limit::Share),
        None => None,
    };
    let share = f.share(r, "share");
    let window = f.duration(r, "window");
    Some(Objective {
        subject: subject?,
        property: property?,
        max: max?,
        share: share.unwrap_or(1.0),
        window,
        extras: f.extras,
        origin: r.origin(node.at),
    })
}

fn ignored(r: &mut Reading, node: &Node) -> Option<Ignored> {
    let f = r.fields(node, "an ignored finding", &["check", "subject", "reason", "until"])?;
    let check = f.required(r, "check");
    let (subject, reason) = (f.name(r, "subject"), f.text(r, "reason"));
    let until = f.get("until").and_then(|node| {
        let date = match &node.value {
            Value::Text(text) => text.parse::<jiff::civil::Date>().ok().filter(|_| text.len() == 10),
            _ => None,
        };
        if date.is_none() {
            r.error(node.at, format!("`until` is {}, expected a day such as 2030-12-31", node.value.what()));
        }
        date
    });
    Some(Ignored { check: check?, subject, reason, until, extras: f.extras, origin: r.origin(node.at) })
}

#[cfg(test)]
mod tests;
