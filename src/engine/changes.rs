//! What changed while watching: newest first, repeated things counted, a bounded number.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::id::Name;
use crate::model::observation::NoticeKind;
use crate::model::snapshot::{Change, Thing};
use crate::model::time::Stamp;

/// Changes kept.
const KEPT: usize = 200;
/// The same change again within this time is counted, not listed again.
const TOGETHER: Duration = Duration::from_secs(60);
/// A list and a notice tell of the same change within this time.
const TWICE: Duration = Duration::from_secs(10);

/// The changes so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Changes {
    list: VecDeque<Change>,
    /// When a thing was last made, changed or removed, by list or notice: both tell of it.
    #[serde(with = "crate::model::pairs")]
    told: BTreeMap<(Thing, NoticeKind), Stamp>,
}

impl Changes {
    /// Something changed.
    pub(super) fn push(&mut self, at: &Stamp, thing: Option<Thing>, text: impl Into<Name>) {
        let text = text.into();
        let same = self
            .list
            .iter()
            .position(|c| c.thing == thing && c.text == text && at.wall.age_since(c.at) <= TOGETHER);
        let times = same.and_then(|i| self.list.remove(i)).map_or(0, |c| c.times);
        self.list.push_front(Change { at: at.wall, thing, text, times: times.saturating_add(1) });
        self.list.truncate(KEPT);
    }

    /// A channel or consumer was made, changed or removed; told by a notice (`by` whom and why is better known there)
    /// or by comparing two lists. Each of them tells once.
    pub(super) fn told(
        &mut self,
        at: &Stamp,
        thing: Thing,
        kind: NoticeKind,
        text: impl Into<Name>,
        by_notice: bool,
    ) {
        let key = (thing, kind);
        let before = self.told.get(&key).copied();
        if before.is_some_and(|before| at.mono.since(before.mono) <= TWICE) {
            let listed = self.list.iter_mut().find(|c| c.thing.as_ref() == Some(&key.0));
            if let (true, Some(change)) = (by_notice, listed) {
                change.text = text.into();
            }
            return;
        }
        self.told.retain(|_, when| at.mono.since(when.mono) <= TWICE);
        self.told.insert(key.clone(), *at);
        self.push(at, Some(key.0), text);
    }

    /// Newest first.
    pub(super) fn list(&self) -> Vec<Change> {
        self.list.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sample::at;

    #[test]
    fn the_same_again_is_counted() {
        let mut changes = Changes::default();
        let orders = Some(Thing::Service("orders".into()));
        changes.push(&at(0), orders.clone(), "orders reconnected");
        changes.push(&at(1_000), None, "something else");
        changes.push(&at(2_000), orders.clone(), "orders reconnected");
        let list = changes.list();
        assert_eq!(list.len(), 2);
        assert_eq!((&*list[0].text, list[0].times, list[0].at), ("orders reconnected", 2, at(2_000).wall));
        changes.push(&at(120_000), orders, "orders reconnected");
        assert_eq!(changes.list().len(), 3);
    }

    #[test]
    fn a_list_and_a_notice_tell_of_one_change() {
        let mut changes = Changes::default();
        let thing = || Thing::Consumer("nats/ORDERS/billing".into());
        changes.told(&at(0), thing(), NoticeKind::Created, "consumer ORDERS/billing created", false);
        changes.told(&at(50), thing(), NoticeKind::Created, "consumer ORDERS/billing created by ops", true);
        changes.told(&at(90), thing(), NoticeKind::Created, "consumer ORDERS/billing created", false);
        let list = changes.list();
        assert_eq!(list.len(), 1);
        assert_eq!(&*list[0].text, "consumer ORDERS/billing created by ops");
    }

    #[test]
    fn the_list_is_bounded() {
        let mut changes = Changes::default();
        for i in 0..10_000_u64 {
            changes.push(&at(i), None, format!("change {i}"));
        }
        assert_eq!(changes.list().len(), KEPT);
        assert_eq!(&*changes.list()[0].text, "change 9999");
    }
}
