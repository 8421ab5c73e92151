//! Operations: what responders count, what the topology declares to be answered and called.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{FlowPlan, Numbers, counters};
use crate::engine::identity::Identity;
use crate::engine::state::State;
use crate::engine::wiring::{Wiring, listeners};
use crate::model::id::{FlowId, Name, ServiceId, SourceId, escape};
use crate::model::measured::Evidence;
use crate::model::snapshot::{FlowKind, Route};
use crate::model::traffic::TrafficKey;
use crate::topology::declared::Call;
use crate::topology::word::Protocol;

/// Operations that are answered, or declared to be.
pub(super) fn operations(
    state: &State,
    identity: &Identity<'_>,
    wiring: &Wiring,
    heard: &mut BTreeSet<(SourceId, Name, ServiceId)>,
) -> Vec<FlowPlan> {
    // By service and operation's subject: counters, evidence, the name that people use.
    let mut operations: BTreeMap<(ServiceId, Name), FlowPlan> = BTreeMap::new();
    let blank = |service: &ServiceId, on: &Name| FlowPlan {
        asked: Vec::new(),
        numbers: Numbers::Answered(Vec::new()),
        route: Arc::new(Route {
            id: FlowId::new(format!("request:{}/{}", escape(service.as_str()), escape(on))),
            kind: FlowKind::Request,
            kind_likely: false,
            from: [service.clone()].into(),
            from_likely: false,
            to: [].into(),
            channel: None,
            label: on.clone(),
            consumer: None,
            entity: None,
            declared: false,
            evidence: [].into(),
        }),
    };
    for (service, node) in &wiring.services {
        for (source, name) in &node.responders {
            let Some(memory) = state.sources.get(source) else { continue };
            let Some(responder) = memory.responders.get(name) else { continue };
            for endpoint in &responder.endpoints {
                let plan = operations
                    .entry((service.clone(), endpoint.subject.clone()))
                    .or_insert_with(|| blank(service, &endpoint.subject));
                let key = TrafficKey::Answered { responder: name.clone(), subject: endpoint.subject.clone() };
                if let Numbers::Answered(keys) = &mut plan.numbers {
                    keys.push((source.clone(), key));
                }
                // One row sums what all sources count: its evidence tells which they are.
                let at = state.naming().which(source).map_or_else(String::new, |at| format!(" at {at}"));
                let seen = Evidence::observed(format!("micro service {name}{at}"), state.structure_at.wall);
                let route = plan.route_mut();
                route.evidence = and(&route.evidence, seen);
                heard.insert((source.clone(), endpoint.subject.clone(), service.clone()));
            }
        }
    }
    for service in identity.topology.services.values() {
        for answer in &service.answers {
            let on = answer.channel.as_ref().unwrap_or(&answer.operation);
            let plan =
                operations.entry((service.id.clone(), on.clone())).or_insert_with(|| blank(&service.id, on));
            let route = plan.route_mut();
            route.label = answer.operation.clone();
            route.declared = true;
            route.entity.clone_from(&answer.entity);
            route.evidence = and(&route.evidence, answer.origin.evidence());
            if plan.numbers == Numbers::Answered(Vec::new()) {
                plan.numbers = uncounted(state, identity, wiring, &service.id, answer.protocol, on, heard);
            }
        }
    }
    for caller in identity.topology.services.values() {
        for call in &caller.calls {
            let Call { service, operation: Some(operation), origin, .. } = call else { continue };
            let known = operations
                .iter()
                .find(|((s, on), p)| s == service && (p.label == *operation || on == operation));
            let key = known.map_or_else(|| (service.clone(), operation.clone()), |(key, _)| key.clone());
            let plan = operations.entry(key).or_insert_with(|| {
                let mut plan = blank(service, operation);
                plan.route_mut().declared = true;
                plan.numbers = Numbers::Unknown("called, and nobody says that it answers".into());
                plan
            });
            let route = plan.route_mut();
            if !route.to.contains(&caller.id) {
                route.to = and(&route.to, caller.id.clone());
            }
            route.evidence = and(&route.evidence, origin.evidence());
        }
    }
    operations.into_values().collect()
}

/// A shared list with one more at its end.
fn and<T: Clone>(list: &[T], more: T) -> Arc<[T]> {
    list.iter().cloned().chain([more]).collect()
}

/// The numbers of an operation that no responder counts: of the subscription on its subject, if there is one.
fn uncounted(
    state: &State,
    identity: &Identity<'_>,
    wiring: &Wiring,
    service: &ServiceId,
    protocol: Option<Protocol>,
    on: &Name,
    heard: &mut BTreeSet<(SourceId, Name, ServiceId)>,
) -> Numbers {
    if protocol.is_some_and(|p| p != Protocol::Nats) {
        return Numbers::Unknown("its protocol is not watched".into());
    }
    for source in state.sources.keys() {
        if identity.is_broker(None, source) && listeners(state, wiring, source, on).any(|s| s == service) {
            heard.insert((source.clone(), on.clone(), service.clone()));
            return Numbers::Delivered(counters(state, wiring, source, service, on));
        }
    }
    Numbers::Unknown("declared; nobody seen that answers it".into())
}
