//! The declared system as text for people: what Headwater understood, in the words of the files.

use std::fmt::Write as _;

use super::declared::{Broker, Call, Extras, Limit, NameKind, Objective, Reader, Service, Subject, Topology};
use super::duration;
use super::problem::printable;
use super::word::ServiceKind;
use crate::model::id::Name;

/// The whole system. Holds no control characters and no secrets.
pub fn show(topology: &Topology) -> String {
    let mut out = String::new();
    let name = topology.system.as_ref().map_or("a system without a name", |s| &*s.name);
    let entities = topology.entities();
    line(
        &mut out,
        0,
        &format!(
            "{name}: {}, {}, {}",
            count(topology.services.len(), "service"),
            count(topology.stores.len(), "store"),
            count(entities.len(), "kind of data")
        ),
    );
    if !topology.brokers.is_empty() {
        line(&mut out, 0, "\nBrokers");
        for broker in topology.brokers.values() {
            line(&mut out, 1, &self::broker(broker));
        }
    }
    extras(&mut out, 1, &topology.extras);
    let mut homeless = true;
    for domain in topology.domains.values() {
        let members: Vec<&Service> =
            topology.services.values().filter(|s| s.domain.as_ref() == Some(&domain.id)).collect();
        let owner = domain.owner.as_ref().map(|o| format!(", owned by {o}")).unwrap_or_default();
        let label = domain.name.as_ref().map(|n| format!(" ({n})")).unwrap_or_default();
        line(&mut out, 0, &format!("\nDomain {}{label}{owner}", domain.id));
        if members.is_empty() {
            line(&mut out, 1, "no service");
        }
        for member in members {
            service(&mut out, topology, member);
        }
        homeless = false;
    }
    let rest: Vec<&Service> = topology
        .services
        .values()
        .filter(|s| s.domain.as_ref().is_none_or(|d| !topology.domains.contains_key(d)))
        .collect();
    if !rest.is_empty() {
        line(&mut out, 0, if homeless { "\nServices" } else { "\nServices without a domain" });
        for member in rest {
            service(&mut out, topology, member);
        }
    }
    if !entities.is_empty() {
        line(&mut out, 0, "\nData");
        let width = entities.keys().map(|e| e.as_str().chars().count()).max().unwrap_or(0).min(24);
        for (entity, view) in &entities {
            let by = |id: &Option<super::declared::Identifier>| {
                id.as_ref().map(|id| format!(" by {id}")).unwrap_or_default()
            };
            let mut parts: Vec<String> =
                view.owners.iter().map(|(s, o)| format!("owned by {}{}", s.id, by(&o.identifier))).collect();
            if parts.is_empty() {
                parts.push("owned by nobody here".to_owned());
            }
            parts.extend(
                view.replicas.iter().map(|(s, r)| format!("copied by {}{}", s.id, by(&r.identifier))),
            );
            let mut askers: Vec<&str> = view.readers.iter().map(|r| r.caller.id.as_str()).collect();
            askers.dedup();
            if !askers.is_empty() {
                parts.push(format!("asked for by {}", askers.join(", ")));
            }
            line(&mut out, 1, &format!("{:width$}  {}", entity.as_str(), parts.join("; ")));
        }
    }
    if !topology.objectives.is_empty() {
        line(&mut out, 0, "\nObjectives");
        for o in &topology.objectives {
            line(&mut out, 1, &objective(o));
        }
    }
    if !topology.ignored.is_empty() {
        line(&mut out, 0, "\nIgnored findings");
        for i in &topology.ignored {
            let subject = i.subject.as_ref().map(|s| format!(" on {s}")).unwrap_or_default();
            let reason = i.reason.as_ref().map(|r| format!(": {r}")).unwrap_or_default();
            let until = i.until.map(|u| format!(" (until {u})")).unwrap_or_default();
            line(&mut out, 1, &format!("{}{subject}{reason}{until}", i.check));
        }
    }
    out
}

fn line(out: &mut String, depth: usize, text: &str) {
    // The first character may be a line end that sets a section apart; the rest is one line.
    let (gap, text) = text.strip_prefix('\n').map_or(("", text), |rest| ("\n", rest));
    out.push_str(gap);
    out.push_str(&"  ".repeat(depth));
    out.push_str(text.trim_end());
    out.push('\n');
}

fn count(n: usize, what: &str) -> String {
    match (n, what) {
        (1, what) => format!("1 {what}"),
        (n, "kind of data") => format!("{n} kinds of data"),
        (n, "retry") => format!("{n} retries"),
        (n, what) => format!("{n} {what}s"),
    }
}

fn broker(broker: &Broker) -> String {
    let servers = broker.servers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let monitor = broker.monitor.as_ref().map(|m| format!("  monitoring {m}")).unwrap_or_default();
    let traces =
        broker.message_traces.as_ref().map(|on| format!("  message traces on {on}")).unwrap_or_default();
    format!("{}  {}  {servers}{monitor}{traces}", broker.id, broker.kind)
}

fn extras(out: &mut String, depth: usize, extras: &Extras) {
    for (name, value) in extras {
        line(out, depth, &format!("{name}: {}", printable(&value.to_string())));
    }
}

/// One fact of a service: a label on the first line, its continuations below it.
fn facts(out: &mut String, label: &str, facts: impl IntoIterator<Item = String>) {
    for (n, fact) in facts.into_iter().enumerate() {
        let label = if n == 0 { label } else { "" };
        line(out, 2, &format!("{label:<10} {fact}"));
    }
}

fn service(out: &mut String, topology: &Topology, s: &Service) {
    let kind = if s.kind == ServiceKind::Service { String::new() } else { format!("  {}", s.kind) };
    let team = topology.team_of(&s.id).map(|t| format!("  {t}")).unwrap_or_default();
    line(out, 1, &format!("{}{kind}{team}  ({})", s.id, s.origin));
    if let Some(text) = &s.description {
        line(out, 2, text);
    }
    facts(out, "seen as", identity(s));
    facts(
        out,
        "health",
        s.health.iter().map(|h| {
            let every = h.interval.map(|t| format!(", every {}", duration::format(t))).unwrap_or_default();
            let wait = h.timeout.map(|t| format!(", waits {}", duration::format(t))).unwrap_or_default();
            let mut applied = String::new();
            for a in &h.applied {
                // Writing to a string cannot fail.
                let _ = write!(applied, ", applied {} at {}", a.entity, a.pointer);
            }
            format!("{} {}{every}{wait}{applied}", h.name, h.url)
        }),
    );
    facts(
        out,
        "stores",
        s.stores.iter().filter_map(|id| topology.stores.get(id)).map(|store| {
            let kind = store.kind.map_or("kind not said", |k| k.word());
            let technology = store.technology.as_ref().map(|t| format!(", {t}")).unwrap_or_default();
            let reason = store.reason.as_ref().map(|r| format!(": {r}")).unwrap_or_default();
            format!("{} ({kind}{technology}){reason}", store.id)
        }),
    );
    facts(
        out,
        "touches",
        s.uses_stores.iter().map(|u| {
            let whose =
                topology.stores.get(&u.store).map(|s| format!(" of {}", s.service)).unwrap_or_default();
            format!("{}{whose} ({})", u.store, u.access.map_or("access not said", |a| a.word()))
        }),
    );
    let of = |id: &Option<super::declared::Identifier>, store: &Option<crate::model::id::StoreId>| {
        let by = id.as_ref().map(|i| format!(" by {i}")).unwrap_or_default();
        let place = store.as_ref().map(|s| format!(" in {s}")).unwrap_or_default();
        format!("{by}{place}")
    };
    let hidden = |fields: &[Name]| {
        if fields.is_empty() { String::new() } else { format!("; never shown: {}", fields.join(", ")) }
    };
    facts(
        out,
        "owns",
        s.owns.iter().map(|o| format!("{}{}{}", o.entity, of(&o.identifier, &o.store), hidden(&o.sensitive))),
    );
    facts(
        out,
        "copies",
        s.copies.iter().map(|c| {
            let via = c.via.as_ref().map(|v| format!(", kept by {v}")).unwrap_or_default();
            let mode = c.mode.map(|m| format!(" ({m})")).unwrap_or_default();
            let age = c.max_staleness.map(|t| format!(", at most {} old", duration::format(t)));
            let rest = of(&c.identifier, &c.store);
            format!("{}{rest}{via}{mode}{}{}", c.entity, age.unwrap_or_default(), hidden(&c.sensitive))
        }),
    );
    messages(out, topology, s);
    facts(
        out,
        "answers",
        s.answers.iter().map(|a| {
            let protocol = a.protocol.map(|p| format!(" ({p})")).unwrap_or_default();
            let channel = a.channel.as_ref().map(|c| format!(" on {c}")).unwrap_or_default();
            let entity = a.entity.as_ref().map(|e| format!(" about {e}")).unwrap_or_default();
            format!("{}{protocol}{channel}{entity}", a.operation)
        }),
    );
    facts(out, "calls", s.calls.iter().map(call));
    extras(out, 2, &s.extras);
}

fn messages(out: &mut String, topology: &Topology, s: &Service) {
    let place = |channel: &Option<Name>, stream: &Option<Name>| {
        let channel = channel.as_ref().map(|c| format!(" on {c}")).unwrap_or_default();
        let stream = stream.as_ref().map(|s| format!(", kept in {s}")).unwrap_or_default();
        format!("{channel}{stream}")
    };
    let about = |entity: &Option<crate::model::id::EntityId>| {
        entity.as_ref().map(|e| format!(" about {e}")).unwrap_or_default()
    };
    facts(
        out,
        "publishes",
        s.publishes
            .iter()
            .map(|p| format!("{}{}{}", p.event, about(&p.entity), place(&p.channel, &p.stream))),
    );
    facts(
        out,
        "provides",
        s.provides_feeds.iter().map(|p| {
            let mode = p.mode.map(|m| format!(" ({m})")).unwrap_or_default();
            format!("{}{mode}{}{}", p.feed, about(&p.entity), place(&p.channel, &p.stream))
        }),
    );
    let mine: Vec<_> = topology.uses().into_iter().filter(|u| u.service.id == s.id).collect();
    for (label, kind) in [
        ("consumes", crate::model::snapshot::FlowKind::Event),
        ("follows", crate::model::snapshot::FlowKind::Feed),
    ] {
        facts(
            out,
            label,
            mine.iter().filter(|u| u.kind == kind).map(|u| {
                let from: Vec<&str> = u.from.iter().map(|s| s.id.as_str()).collect();
                let from = if from.is_empty() { String::new() } else { format!(" from {}", from.join(", ")) };
                let channel = u.channel.map(|c| format!(" on {c}")).unwrap_or_default();
                let reader = u.reader.map(|r| format!(", {}", reader(r))).unwrap_or_default();
                let delay =
                    u.max_delay.map(|t| format!(", within {}", duration::format(t))).unwrap_or_default();
                let leads = u.leads_to;
                let leads =
                    if leads.is_empty() { String::new() } else { format!(", leads to {}", leads.join(", ")) };
                format!("{}{from}{channel}{reader}{delay}{leads}", u.name)
            }),
        );
    }
}

fn reader(r: &Reader) -> String {
    let mut parts = Vec::new();
    match (&r.stream, &r.durable) {
        (Some(stream), Some(durable)) => parts.push(format!("as {stream}/{durable}")),
        (Some(stream), None) => parts.push(format!("from stream {stream}")),
        (None, Some(durable)) => parts.push(format!("as {durable}")),
        (None, None) => {}
    }
    if let Some(subject) = &r.deliver_subject {
        parts.push(format!("pushed to {subject}"));
    }
    if let Some(queue) = &r.queue {
        parts.push(format!("queue group {queue}"));
    }
    if let Some(group) = &r.group {
        parts.push(format!("group {group}"));
    }
    if parts.is_empty() { "consumer not said".to_owned() } else { parts.join(", ") }
}

fn call(c: &Call) -> String {
    let operation = c.operation.as_ref().map(|o| format!(" {o}")).unwrap_or_default();
    let protocol = c.protocol.map(|p| format!(" ({p})")).unwrap_or_default();
    let timeout =
        c.timeout.map_or("no time-out said".to_owned(), |t| format!("waits {}", duration::format(t)));
    let breaker = match c.breaker {
        Some(true) => ", breaker",
        Some(false) => ", no breaker",
        None => "",
    };
    let retries = c.retries.map(|n| format!(", {}", count(n as usize, "retry")));
    let hard = c.criticality.map(|c| format!(", {c}")).unwrap_or_default();
    let fallback = c.fallback.as_ref().map(|f| format!(", else {f}")).unwrap_or_default();
    format!(
        "{}{operation}{protocol}, {timeout}{}{breaker}{hard}{fallback}",
        c.service,
        retries.unwrap_or_default()
    )
}

fn identity(s: &Service) -> Vec<String> {
    let mut lines = Vec::new();
    let kinds = NameKind::FIELDS.iter().map(|(_, _, kind)| *kind).chain([NameKind::EventSource]);
    for kind in kinds {
        let globs: Vec<&str> =
            s.identity.iter().filter(|p| p.kind == kind).map(|p| p.glob.as_str()).collect();
        if !globs.is_empty() {
            lines.push(format!("{} {}", super::derive::word(kind), globs.join(", ")));
        }
    }
    lines
}

fn objective(o: &Objective) -> String {
    let subject = match &o.subject {
        Subject::Entity(id) => id.to_string(),
        Subject::Event(id) => format!("event {id}"),
        Subject::Feed(id) => format!("feed {id}"),
        Subject::Operation(id) => format!("operation {id}"),
        Subject::Service(id) => format!("service {id}"),
    };
    let max = match o.max {
        Limit::Time(time) => duration::format(time),
        Limit::Count(n) => count(n as usize, "message"),
        Limit::Share(share) => percent(share),
    };
    let window = o.window.map(|w| format!(" in every {}", duration::format(w))).unwrap_or_default();
    format!("{} of {subject} at most {max}, for {}{window}", o.property, percent(o.share))
}

fn percent(share: f64) -> String {
    // Four digits are enough for 99.99 %; trailing zeros say nothing.
    let mut text = String::new();
    let _ = write!(text, "{:.4}", share * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests;
