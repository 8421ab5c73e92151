//! Who there is and what is connected to what: built anew only when that changes, never for a number.
//!
//! Services are those that the topology declares and those that runtime names stand for; a tool (a command line, a monitor,
//! Headwater itself) is none. Programs bind first, as they are the surest sign; then responders, consumers and groups, which a
//! known service's name in theirs can explain.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::consumers::ConsumerState;
use super::identity::Identity;
use super::ownership::EntityPlan;
use super::plans::{FlowPlan, Index, SubjectPlan};
use super::sources::ClientKey;
use super::state::State;
use super::status::Presence;
use super::subjects::{first_word, same_word};
use crate::model::id::{ChannelId, ConsumerId, EntityId, Name, ServiceId, SourceId};
use crate::model::measured::Evidence;
use crate::model::observation::Delivery;
use crate::model::snapshot::Producers;
use crate::model::subject;
use crate::topology::Topology;
use crate::topology::bind::{Binding, Clue};
use crate::topology::declared::NameKind;

/// Everything that is connected to something.
#[derive(Clone, Debug, Default)]
pub(super) struct Wiring {
    pub(super) services: BTreeMap<ServiceId, Node>,
    pub(super) consumers: BTreeMap<ConsumerId, Arc<Bound>>,
    /// Channels that keep nothing.
    pub(super) subjects: BTreeMap<ChannelId, SubjectPlan>,
    /// By id, sorted.
    pub(super) flows: Vec<Arc<FlowPlan>>,
    pub(super) producers: BTreeMap<ChannelId, Producers>,
    pub(super) entities: Vec<EntityPlan>,
    pub(super) index: Index,
    /// Services that consumers were bound with.
    known: BTreeSet<ServiceId>,
    /// The revision that it was built at.
    revision: u64,
}

/// What belongs to a service.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Node {
    pub(super) declared: bool,
    pub(super) clients: Vec<(SourceId, ClientKey)>,
    /// Programs that were its and have left.
    pub(super) left: Vec<(SourceId, ClientKey)>,
    pub(super) responders: Vec<(SourceId, Name)>,
    pub(super) consumers: Vec<ConsumerId>,
    pub(super) evidence: Vec<Evidence>,
    pub(super) flows_in: Vec<crate::model::id::FlowId>,
    pub(super) flows_out: Vec<crate::model::id::FlowId>,
}

impl Node {
    fn know(&mut self, evidence: &[Evidence]) {
        for e in evidence {
            if self.evidence.len() < 12 && !self.evidence.contains(e) {
                self.evidence.push(e.clone());
            }
        }
    }
}

/// To whom a consumer belongs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bound {
    pub(super) services: Arc<[ServiceId]>,
    pub(super) likely: bool,
    pub(super) evidence: Arc<[Evidence]>,
    pub(super) presence: Presence,
    /// There are other sources at which they may be connected.
    pub(super) names_source: bool,
    /// Entities whose copies it feeds.
    pub(super) feeds: Arc<[EntityId]>,
    pub(super) max_delay: Option<std::time::Duration>,
}

/// Builds the wiring. `before` is the one before, if it was built with the same topology: what it found out of consumers that
/// did not change holds still.
pub(super) fn wire(state: &State, topology: &Topology, before: Option<&Wiring>) -> Wiring {
    let sources = state.source_kinds();
    let identity = Identity { topology, sources: &sources, aside: &state.aside, named: &state.named };
    let mut wiring = Wiring { revision: state.revision, ..Wiring::default() };
    for service in topology.services.values() {
        let node = wiring.services.entry(service.id.clone()).or_default();
        node.declared = true;
        node.know(&[service.origin.evidence()]);
    }
    // A service that is known by its health alone.
    for service in state.health.keys() {
        wiring.services.entry(service.clone()).or_default();
    }
    let unnamed = bind_clients(state, &identity, &mut wiring);
    bind_responders(state, &identity, &mut wiring);
    bind_consumers(state, &identity, &unnamed, before, &mut wiring);
    wiring.producers = producers(state, &identity, &wiring);
    super::plans::plan(state, &identity, &mut wiring);
    wiring.entities = super::ownership::plan(state, &wiring, topology);
    for node in wiring.services.values_mut() {
        node.consumers.sort();
        node.consumers.dedup();
    }
    wiring
}

/// Binds groups of connections to services; returns the sources on which somebody is connected of whom nothing is known.
fn bind_clients(state: &State, identity: &Identity<'_>, wiring: &mut Wiring) -> BTreeSet<SourceId> {
    let mut unnamed = BTreeSet::new();
    let known = BTreeSet::new();
    for (source, memory) in &state.sources {
        for (key, client) in memory.clients.iter().filter(|(_, c)| !c.own) {
            let binding = identity.client(client, &known);
            if binding.tool.is_some() {
                continue;
            }
            if binding.services.is_empty() {
                unnamed.insert(source.clone());
            }
            for service in &binding.services {
                let node = wiring.services.entry(service.clone()).or_default();
                node.clients.push((source.clone(), key.clone()));
                node.know(&binding.evidence);
            }
        }
        for key in memory.left.keys() {
            let Some(name) = &key.0 else { continue };
            let binding = identity.topology.bind(&[Clue::Name(NameKind::NatsClientName, name)], &known);
            if binding.tool.is_some() {
                continue;
            }
            for service in &binding.services {
                let node = wiring.services.entry(service.clone()).or_default();
                node.left.push((source.clone(), key.clone()));
                node.know(&binding.evidence);
            }
        }
    }
    unnamed
}

/// The services that a program of this source is, by what it listens to.
pub(super) fn listeners<'w>(
    state: &'w State,
    wiring: &'w Wiring,
    source: &'w SourceId,
    subject: &'w str,
) -> impl Iterator<Item = &'w ServiceId> {
    wiring.services.iter().filter_map(move |(service, node)| {
        let listens = node.clients.iter().filter(|(s, _)| s == source).any(|(_, key)| {
            state
                .sources
                .get(source)
                .and_then(|memory| memory.clients.get(key))
                .is_some_and(|client| client.subscriptions.iter().any(|s| &*s.subject == subject))
        });
        listens.then_some(service)
    })
}

fn known(wiring: &Wiring) -> BTreeSet<ServiceId> {
    wiring.services.keys().cloned().collect()
}

fn bind_responders(state: &State, identity: &Identity<'_>, wiring: &mut Wiring) {
    let known = known(wiring);
    for (source, memory) in &state.sources {
        for (name, responder) in &memory.responders {
            let mut binding = identity.responder(name, &known);
            if binding.tool.is_some() {
                continue;
            }
            if binding.likely && !binding.services.iter().any(|s| known.contains(s)) {
                // The program that listens on its operations has a better name than the one that it announces.
                let heard: BTreeSet<&ServiceId> = responder
                    .endpoints
                    .iter()
                    .flat_map(|e| listeners(state, wiring, source, &e.subject))
                    .collect();
                if let (Some(service), 1) = (heard.first(), heard.len()) {
                    binding.services = vec![(*service).clone()];
                    binding.evidence = vec![Evidence::inferred(format!(
                        "answers as micro service \"{name}\" on subjects that it listens to"
                    ))];
                }
            }
            for service in &binding.services {
                let node = wiring.services.entry(service.clone()).or_default();
                node.responders.push((source.clone(), name.clone()));
                node.know(&binding.evidence);
            }
        }
    }
}

fn bind_consumers(
    state: &State,
    identity: &Identity<'_>,
    unnamed: &BTreeSet<SourceId>,
    before: Option<&Wiring>,
    wiring: &mut Wiring,
) {
    let known = known(wiring);
    let before = before.filter(|before| before.known == known);
    let names_source = state.naming().bears_source();
    for (id, consumer) in &state.consumers {
        let (services, likely, evidence) = match before.and_then(|b| Some((b, b.consumers.get(id)?))) {
            // Who listens where it delivers to can change without it; the rest cannot.
            Some((before, bound)) if consumer.rewired <= before.revision && !pushes(consumer) => {
                (Arc::clone(&bound.services), bound.likely, Arc::clone(&bound.evidence))
            }
            _ => {
                let binding = bind_consumer(state, identity, wiring, &known, consumer);
                (binding.services.into(), binding.likely, binding.evidence.into())
            }
        };
        for service in &*services {
            let node = wiring.services.entry(service.clone()).or_default();
            node.consumers.push(id.clone());
            node.know(&evidence);
        }
        let presence = presence(state, wiring, &consumer.source, &services, unnamed);
        let bound =
            Bound { services, likely, evidence, presence, names_source, feeds: [].into(), max_delay: None };
        wiring.consumers.insert(id.clone(), Arc::new(bound));
    }
    wiring.known = known;
}

fn pushes(consumer: &ConsumerState) -> bool {
    consumer.report.as_ref().is_some_and(|r| matches!(r.delivery, Delivery::Push { .. }))
}

fn bind_consumer(
    state: &State,
    identity: &Identity<'_>,
    wiring: &Wiring,
    known: &BTreeSet<ServiceId>,
    consumer: &ConsumerState,
) -> Binding {
    let stream = state.channels.get(&consumer.channel).map_or("", |c| &*c.report.name);
    let report = consumer.report.as_deref();
    if is_copier(&consumer.name, report) {
        return Binding::default();
    }
    let mut binding = identity.consumer(&consumer.source, stream, &consumer.name, report, known);
    if binding.likely || binding.services.is_empty() {
        // Who listens where it delivers to is seen, not concluded.
        if let Some(Delivery::Push { subject, .. }) = report.map(|r| &r.delivery) {
            let heard: Vec<ServiceId> =
                listeners(state, wiring, &consumer.source, subject).cloned().collect();
            if !heard.is_empty() {
                let from = format!("listens on the deliver subject {subject}");
                binding.evidence = vec![Evidence::observed(from, consumer.seen.wall)];
                binding.services = heard;
                binding.likely = false;
            }
        }
    }
    let members = report.map(|r| r.members.as_slice()).unwrap_or_default();
    if (binding.likely || binding.services.is_empty()) && !members.is_empty() {
        // Who is its member is known, or was heard: that is more than what names let conclude.
        let mut by = Binding::default();
        for member in members {
            let of = identity.topology.bind(&[Clue::Name(NameKind::NatsClientName, member)], known);
            by.likely |= of.likely;
            by.services.extend(of.services);
            by.evidence.extend(of.evidence);
        }
        by.services.sort();
        by.services.dedup();
        if !by.services.is_empty() {
            let from = format!("its members: {}", members.join(", "));
            by.evidence.insert(0, Evidence::observed(from, consumer.seen.wall));
            binding = by;
        }
    }
    binding.services.sort();
    binding
}

/// The broker's own consumer, by which a stream copies another (mirror or source): no service reads by it.
fn is_copier(name: &str, report: Option<&crate::model::observation::ConsumerReport>) -> bool {
    ["JS_SRC_", "JS_MIRROR_"].iter().any(|prefix| name.starts_with(prefix))
        && report.is_none_or(|r| matches!(r.delivery, Delivery::Push { .. }))
}

fn presence(
    state: &State,
    wiring: &Wiring,
    source: &SourceId,
    services: &[ServiceId],
    unnamed: &BTreeSet<SourceId>,
) -> Presence {
    let connected =
        |s: &ServiceId| wiring.services.get(s).is_some_and(|n| n.clients.iter().any(|(on, _)| on == source));
    if services.iter().any(connected) {
        return Presence::Connected;
    }
    let listed = state.sources.get(source).is_some_and(|s| s.clients_listed.is_some());
    // Somebody without a name may be it.
    if services.is_empty() || !listed || unnamed.contains(source) {
        return Presence::NotKnown;
    }
    Presence::Gone
}

/// Who sends to each channel: as declared, and who was seen to send besides; else what its messages say of themselves; else, as a
/// guess, the service whose name is the first word of all its subjects or of its own name.
fn producers(state: &State, identity: &Identity<'_>, wiring: &Wiring) -> BTreeMap<ChannelId, Producers> {
    // Channels that keep nothing are known by what was heard alone.
    let mut out = super::senders::heard(state, wiring);
    for (id, channel) in &state.channels {
        let report = &channel.report;
        let mut services = Vec::new();
        let mut evidence = Vec::new();
        for service in identity.topology.services.values() {
            let published = service.publishes.iter().map(|p| (&p.broker, &p.channel, &p.stream, &p.origin));
            let provided =
                service.provides_feeds.iter().map(|p| (&p.broker, &p.channel, &p.stream, &p.origin));
            for (broker, on, stream, origin) in published.chain(provided) {
                let here = identity.is_broker(broker.as_ref(), &channel.source)
                    && match (stream, on) {
                        (Some(stream), _) => *stream == report.name,
                        (None, Some(on)) => report.subjects.iter().any(|s| subject::overlap(s, on)),
                        (None, None) => false,
                    };
                if here {
                    if !services.contains(&service.id) {
                        services.push(service.id.clone());
                    }
                    evidence.push(origin.evidence());
                }
            }
        }
        let heard = out.remove(id).unwrap_or_default();
        let found = match (services.is_empty(), heard.services.is_empty()) {
            (true, true) => likely_producer(&report.name, &report.subjects, wiring),
            (true, false) => heard,
            (false, _) => {
                evidence.extend(heard.evidence);
                // What a message says of itself adds nobody to those who are declared.
                services.extend(heard.services.iter().filter(|_| !heard.likely).cloned());
                let mut once = BTreeSet::new();
                services.retain(|service| once.insert(service.clone()));
                Producers { services: services.into(), likely: false, evidence }
            }
        };
        if !found.services.is_empty() {
            out.insert(id.clone(), found);
        }
    }
    // What feeds a channel brings its producers along.
    for (id, channel) in &state.channels {
        for upstream in &channel.report.fed_by {
            if let (false, Some(from)) = (out.contains_key(id), out.get(&upstream.channel).cloned()) {
                out.insert(id.clone(), from);
            }
        }
    }
    out
}

/// The service whose name is the first word of the subjects, or the channel's name.
pub(super) fn likely_producer(name: &str, subjects: &[Name], wiring: &Wiring) -> Producers {
    let mut words: BTreeSet<&str> = subjects.iter().filter_map(|s| first_word(s)).collect();
    if words.len() != 1 {
        words = [name].into();
    }
    let word = words.first().copied().unwrap_or(name);
    let named = wiring.services.keys().find(|s| same_word(s.as_str(), word));
    match named {
        Some(service) => Producers {
            services: [service.clone()].into(),
            likely: true,
            evidence: vec![Evidence::inferred(format!("rule: the first word \"{word}\" is its name"))],
        },
        None => Producers::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sample::consumer;
    use crate::model::observation::ConsumerReport;

    #[test]
    fn a_consumer_by_which_the_broker_copies_a_stream_is_no_service() {
        let pull = consumer("nats", "ORDERS", "JS_SRC_x");
        let delivery = Delivery::Push { subject: "$JS.S.x".into(), queue: None, bound: Some(true) };
        let push = ConsumerReport { delivery, ..pull.clone() };
        assert!(is_copier("JS_SRC_x", Some(&push)) && is_copier("JS_MIRROR_x", Some(&push)));
        assert!(is_copier("JS_SRC_x", None));
        assert!(!is_copier("JS_SRC_x", Some(&pull)) && !is_copier("billing", Some(&push)));
    }
}
