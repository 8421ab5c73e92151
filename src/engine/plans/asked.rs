//! Who asks, as it was heard: requesters of operations, and bare subjects on which requests come.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{FlowPlan, Numbers};
use crate::engine::calls::Requester;
use crate::engine::state::State;
use crate::engine::wiring::Wiring;
use crate::model::id::{FlowId, Name, ServiceId, SourceId};
use crate::model::measured::Evidence;
use crate::model::snapshot::FlowKind;
use crate::model::subject;
use crate::model::traffic::TrafficKey;

/// Adds to each flow the requests that were heard on its subject. What nobody declares is known for a request when its messages
/// ask for an answer and get one.
pub(super) fn add(state: &State, wiring: &Wiring, flows: &mut BTreeMap<FlowId, FlowPlan>) {
    if state.sources.values().all(|memory| memory.calls.is_empty()) {
        return;
    }
    for plan in flows.values_mut() {
        let request = plan.kind == FlowKind::Request;
        if !request && !plan.kind_likely {
            continue;
        }
        let requesters: Vec<Requester> = subjects(&plan.numbers)
            .into_iter()
            .flat_map(|(source, on)| heard(state, wiring, source, on))
            .collect();
        if requesters.is_empty() {
            continue;
        }
        let mut askers: Vec<ServiceId> = if request { plan.to.to_vec() } else { Vec::new() };
        for service in requesters.iter().flat_map(|one| &*one.services) {
            if !askers.contains(service) {
                askers.push(service.clone());
            }
        }
        plan.asked = requesters;
        let route = plan.route_mut();
        if !request {
            // Who listens there answers.
            (route.kind, route.kind_likely) = (FlowKind::Request, false);
            (route.from, route.from_likely) = (Arc::clone(&route.to), false);
        }
        route.to = askers.into();
        let evidence = Evidence::observed(
            "requests heard on its subject; who asks, by the reply inbox and the connection list",
            state.structure_at.wall,
        );
        route.evidence = route.evidence.iter().cloned().chain([evidence]).collect();
    }
}

/// The subjects on which a flow's requests come.
fn subjects(numbers: &Numbers) -> Vec<(&SourceId, &Name)> {
    let (Numbers::Answered(keys) | Numbers::Delivered(keys)) = numbers else { return Vec::new() };
    let mut subjects: Vec<_> = keys
        .iter()
        .filter_map(|(source, key)| match key {
            TrafficKey::Answered { subject, .. } | TrafficKey::Delivered { subject, .. } => {
                Some((source, subject))
            }
            _ => None,
        })
        .collect();
    subjects.sort();
    subjects.dedup();
    subjects
}

/// Those who were heard to ask on a subject.
fn heard(state: &State, wiring: &Wiring, source: &SourceId, on: &str) -> Vec<Requester> {
    let Some(memory) = state.sources.get(source) else { return Vec::new() };
    let keys = memory.calls.keys().filter(|key| subject::covers(on, &key.subject));
    keys.map(|key| {
        let is = |node: &crate::engine::wiring::Node| {
            let mut programs = node.clients.iter().chain(&node.left);
            key.requester.is_some() && programs.any(|(at, (name, ..))| at == source && *name == key.requester)
        };
        let services = wiring.services.iter().filter(|(_, node)| is(node)).map(|(id, _)| id.clone());
        Requester { of: (source.clone(), key.clone()), services: services.collect() }
    })
    .collect()
}
