//! Readers that the topology declares and whose consumer is not there: a message comes to nobody by a wrong name.

use super::consequences::Stories;
use super::state::consumers_of;
use crate::model::id::{ConsumerId, Name};
use crate::model::message::MessageReport;
use crate::model::subject::overlap;
use crate::model::trace::{Leg, LegState};

/// Consumers that are named instead of the one that is missing.
const NAMES: usize = 3;

/// A leg for each declared reader of this message whose consumer the channel does not have. None, where it is not known which
/// consumers it has.
pub(super) fn legs(stories: &Stories<'_>, message: &MessageReport) -> Vec<Leg> {
    let Some(channel) = stories.state.channels.get(&message.id.channel) else { return Vec::new() };
    let there: Vec<_> = consumers_of(&stories.state.consumers, &message.id.channel).collect();
    if channel.report.consumers != Some(there.len() as u64) {
        return Vec::new();
    }
    let named = |durable: &Name| there.iter().any(|consumer| consumer.name == *durable);
    let mut legs: Vec<Leg> = Vec::new();
    for used in &stories.uses {
        let reader = used.reader.and_then(|reader| reader.stream.as_ref().zip(reader.durable.as_ref()));
        let Some((stream, durable)) = reader else { continue };
        let for_it = used.channel.is_none_or(|on| overlap(on, &message.subject));
        if *stream != channel.report.name
            || named(durable)
            || !for_it
            || !stories.identity.is_broker(used.broker, &channel.source)
        {
            continue;
        }
        if let Some(known) = legs.iter_mut().find(|leg| leg.name == *durable) {
            if !known.services.contains(&used.service.id) {
                known.services.push(used.service.id.clone());
            }
            continue;
        }
        // What this service reads by that nobody declares may be the one that is meant.
        let declared = |name: &Name| {
            let by = stories.uses.iter().filter_map(|used| used.reader);
            by.filter(|reader| reader.stream.as_ref() == Some(stream))
                .any(|reader| reader.durable.as_ref() == Some(name))
        };
        let instead: Vec<&str> = there
            .iter()
            .filter(|consumer| !declared(&consumer.name))
            .filter(|consumer| {
                let bound = stories.wiring.consumers.get(&consumer.id);
                bound.is_some_and(|bound| bound.services.contains(&used.service.id))
            })
            .map(|consumer| &*consumer.name)
            .take(NAMES)
            .collect();
        let instead = if instead.is_empty() {
            String::new()
        } else {
            format!("; its service reads by {}, which is not declared", instead.join(", "))
        };
        legs.push(Leg {
            consumer: ConsumerId::named(&channel.source, stream, durable),
            name: durable.clone(),
            services: vec![used.service.id.clone()],
            services_likely: false,
            state: LegState::NoConsumer,
            why: format!(
                "declared in {}; {stream} has no consumer of this name{instead}",
                used.origin.evidence().from
            )
            .into(),
            deliveries: None,
            delay: None,
            error: None,
            ahead: None,
            estimate: None,
            looked_at: Some(channel.polled.wall),
            steps: Vec::new(),
            holds: None,
            copy: !used.replicas.is_empty(),
        });
    }
    legs
}
