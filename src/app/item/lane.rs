//! Lanes of the map: the flows that share a sender and a channel are one row.

use crate::model::id::ServiceId;
use crate::model::snapshot::{Flow, FlowKind, Snapshot};

use super::Item;

/// What flows of one lane have in common: who sends, the channel (without one, the operation), the way.
pub type LaneKey<'a> = (&'a [ServiceId], &'a str, FlowKind);

/// The lane of a flow.
pub fn lane_of(flow: &Flow) -> LaneKey<'_> {
    let channel = flow.channel.as_ref().map_or(&*flow.label, |channel| channel.as_str());
    (&flow.from, channel, flow.kind)
}

/// One row of flows for each lane, in the order that lanes keep: by the sender's domain, the sender, the channel.
pub fn lanes<'a>(mut items: Vec<Item<'a>>, snapshot: &'a Snapshot) -> Vec<Item<'a>> {
    let key = |item: &Item<'a>| {
        let Item::Flow(flow) = *item else { return None };
        let sender = flow.from.first().and_then(|id| snapshot.service(id));
        let domain = sender.and_then(|service| service.domain.as_ref());
        // What has no known sender comes last.
        Some((flow.from.is_empty(), domain, lane_of(flow), &flow.id))
    };
    items.sort_by_cached_key(key);
    items.dedup_by(|a, b| match (&*a, &*b) {
        (Item::Flow(a), Item::Flow(b)) => lane_of(a) == lane_of(b),
        _ => false,
    });
    items
}
