//! Which service a runtime name belongs to when nothing is declared: the rule, and what it took away.
//!
//! Pods, processes and deployments add to the name of a service what tells one instance from another. The rule takes
//! such endings off, the last first, until none is left; something with a letter in it always stays. It never
//! takes anything off the front, so `s3-sync`, `http2-proxy` and `k8s-agent` keep their names. Where an ending could as
//! well be a word (`proxy-https`, `agent-k8s`, `mail-worker`), it stays: two services too many are seen at once, two
//! merged into one are not. Parts are what stands between `-`, `_`, `.`, `:`, `/`, `#` and blanks.
//!
//! | ending | examples | why |
//! |---|---|---|
//! | pod of a deployment | `orders-7d4b9c6f5d-x2x9z`, `cart-7f9d-k2p` | Kubernetes writes the hash with `4-9bcdf` alone, and the end without vowels and without 0, 1, 3 |
//! | pod of a daemon set or job | `fluentd-x2x9z` | exactly five such signs, a letter after a digit |
//! | short hash | `web-88c` | three signs or more of `4-9bcdf` that begin with a digit |
//! | ordinal, process id or time | `ledger-3`, `billing-4711`, `backup-28374650` | a part of digits alone, but not a year |
//! | named instance | `billing-host-12`, `billing-node3` | host, node, vm, pod, instance, replica or machine with a number |
//! | UUID | `billing-550e8400-e29b-41d4-a716-446655440000` | its form |
//! | hexadecimal id | `billing-3f2a9c81d0e4` | seven digits or more, letters among them (container, commit) |
//! | random id | `billing-V1StGXR8Z5jdHi6BmyT8Qb` | sixteen signs or more, digits among letters (NUID, ULID) |
//! | version | `billing-v2`, `billing@1.4.2`, `billing-2.0.1-rc1` | its form |
//! | host | `billing@ip-10-0-3-17` | what follows an `@` |
//! | address | `billing-10.0.3.17` | an IPv4 address, also with dashes and after `ip-` |
//! | cluster domain | `billing.shop.svc.cluster.local` | the namespace and domain of a Kubernetes service |
//! | remark | `billing (pid 12)` | a bracket with a digit in it |
//! | sign without a part | `billing-` | nothing follows it |
//! | word for the thing itself | durable `billing-consumer` | only on durables and queue groups: consumer, durable, subscriber, subscription, group |
//!
//! Names that a micro service or a telemetry library announces belong to the service by design and are taken as
//! they are. A tool (`NATS CLI Version 0.1.5`, `nats-box`) is no service, and a name that is an id and nothing else says
//! nobody. Whatever this gets wrong, `identity` in the topology overrides.

use std::fmt::Write as _;

use super::declared::NameKind;
use crate::model::id::Name;

mod ending;

/// What a name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// A service.
    Service,
    /// A person's or operator's tool.
    Tool,
    /// An instance, perhaps, but not of what.
    Nobody,
}

/// An ending that was taken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which rule: its words are those of the table above.
    pub rule: &'static str,
    /// What it took off, with the sign before it.
    pub removed: Name,
}

/// The outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derived {
    /// What the name says.
    pub who: Who,
    /// The name without what was taken off; never empty unless the runtime name is.
    pub name: Name,
    /// What was taken off, the last ending first.
    pub steps: Vec<Step>,
}

impl Derived {
    /// How it came about, for evidence: `client name "cart-7f9d-k2p" without pod of a deployment "-7f9d-k2p"`.
    pub fn rule(&self, kind: NameKind, raw: &str) -> String {
        let raw = super::problem::printable(raw);
        let mut text = format!("{} \"{raw}\"", word(kind));
        for (n, step) in self.steps.iter().enumerate() {
            let joint = if n == 0 { " without" } else { "," };
            let removed = super::problem::printable(&step.removed);
            // Writing to a string cannot fail.
            let _ = write!(text, "{joint} {} \"{removed}\"", step.rule);
        }
        text
    }
}

/// What people call a kind of runtime name.
pub fn word(kind: NameKind) -> &'static str {
    match kind {
        NameKind::NatsDurable => "durable",
        NameKind::NatsMicro => "micro service",
        NameKind::NatsClientName | NameKind::RedisClientName => "client name",
        NameKind::NatsQueue => "queue group",
        NameKind::NatsUser | NameKind::RabbitmqUser | NameKind::MqttUsername => "user",
        NameKind::KafkaGroupId | NameKind::RedisGroup => "consumer group",
        NameKind::KafkaClientId | NameKind::MqttClientId => "client id",
        NameKind::KafkaPrincipal => "principal",
        NameKind::RabbitmqConnectionName => "connection name",
        NameKind::RabbitmqQueue => "queue",
        NameKind::RabbitmqConsumerTag => "consumer tag",
        NameKind::OtelServiceName => "service.name",
        NameKind::EventSource => "event source",
    }
}

/// Tools by how their names begin, in lower case, with the name that they get.
const TOOLS: &[(&str, &str)] = &[
    ("nats cli", "NATS CLI"),
    ("natscli", "NATS CLI"),
    ("nats-cli", "NATS CLI"),
    ("nats-box", "nats-box"),
    ("nats-top", "nats-top"),
    ("nats-bench", "nats-bench"),
    ("nats-surveyor", "nats-surveyor"),
    ("nats surveyor", "nats-surveyor"),
    ("nats-exporter", "nats-exporter"),
    ("prometheus-nats-exporter", "nats-exporter"),
    ("nats-nui", "nats-nui"),
    ("headwater", "headwater"),
];

/// User names that many installations give to everybody.
const EVERYBODY: &[&str] = &[
    "admin",
    "anonymous",
    "app",
    "client",
    "default",
    "guest",
    "local",
    "nats",
    "root",
    "sys",
    "system",
    "test",
    "user",
];

/// Derives a service from a runtime name. Deriving what was derived changes nothing.
pub fn derive(kind: NameKind, raw: &str) -> Derived {
    let name = raw.trim();
    if name.is_empty() {
        return Derived { who: Who::Nobody, name: raw.into(), steps: Vec::new() };
    }
    if let Some(tool) = tool(name) {
        return Derived { who: Who::Tool, name: tool.into(), steps: Vec::new() };
    }
    if matches!(kind, NameKind::NatsMicro | NameKind::OtelServiceName) {
        return Derived { who: Who::Service, name: name.into(), steps: Vec::new() };
    }
    let mut rest = name;
    let mut steps = Vec::new();
    while let Some((rule, shorter)) = ending::find(kind, rest) {
        let shorter = shorter.trim_end();
        steps.push(Step { rule, removed: rest.get(shorter.len()..).unwrap_or_default().into() });
        rest = shorter;
    }
    let nobody = ending::is_only_an_id(name)
        || ending::is_only_an_id(rest)
        || name.starts_with("_INBOX.")
        || (is_user(kind) && (EVERYBODY.contains(&rest.to_lowercase().as_str()) || ending::is_key(rest)));
    if nobody {
        return Derived { who: Who::Nobody, name: name.into(), steps: Vec::new() };
    }
    Derived { who: Who::Service, name: rest.into(), steps }
}

fn is_user(kind: NameKind) -> bool {
    matches!(
        kind,
        NameKind::NatsUser | NameKind::RabbitmqUser | NameKind::MqttUsername | NameKind::KafkaPrincipal
    )
}

fn tool(name: &str) -> Option<&'static str> {
    let lower = name.to_lowercase();
    TOOLS
        .iter()
        .find(|(begin, _)| {
            // `nats-boxes` is not `nats-box`: the name must end there or go on with a new part.
            lower.strip_prefix(begin).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
        })
        .map(|(_, tool)| *tool)
}

#[cfg(test)]
mod tests;
