//! Lists of rows: which rows, in which order, which one is selected.
//!
//! Rows are known by id, so that the selection stays on its thing when rows move, and by what they show: every list has fields
//! that filters and sorting speak of.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::id::Name;
use crate::model::message::MessageId;
use crate::model::snapshot::{Snapshot, Thing};

use super::filter::Filter;
use super::item::{self, Field, Item};
use super::lately::Lately;
use super::order::StableOrder;

/// Every list of every view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListId {
    /// Overview: what needs a person, with effects as rows of their own under their cause.
    Causes,
    /// Overview: what changed.
    Changes,
    /// Overview: copies, the stalest first.
    Stalest,
    /// Overview: flows, the busiest first.
    Busiest,
    Flows,
    Consumers,
    Entities,
    Services,
    /// Map: services and flows, as far as they are on it.
    Map,
    /// Map: channels with all who read them, in an order that stays.
    Lanes,
    /// Map: services as users of others' data, by domain.
    Uses,
    /// Map: the same of domains.
    DomainUses,
    /// Propagation: the messages that are followed, the newest first.
    Traces,
    /// Propagation: the chosen message at each consumer.
    Legs,
    /// Messages: what was heard on tapped channels, the newest first.
    Heard,
}

impl ListId {
    /// What it lists, for messages.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Causes => "causes",
            Self::Changes => "changes",
            Self::Stalest => "copies",
            Self::Busiest | Self::Flows => "flows",
            Self::Consumers | Self::Legs => "consumers",
            Self::Entities => "entities",
            Self::Services | Self::Uses => "services",
            Self::DomainUses => "domains",
            Self::Map => "things",
            Self::Lanes => "channels",
            Self::Traces | Self::Heard => "messages",
        }
    }

    /// Whether its rows come in an order that is not waited with.
    const fn is_given(self) -> bool {
        matches!(
            self,
            Self::Causes
                | Self::Changes
                | Self::Traces
                | Self::Heard
                | Self::Map
                | Self::Lanes
                | Self::Uses
                | Self::DomainUses
        )
    }

    /// Whether the person may choose the order. The others have one that is their meaning.
    pub const fn sortable(self) -> bool {
        matches!(self, Self::Flows | Self::Consumers | Self::Entities | Self::Services | Self::Legs)
    }
}

/// A row: the thing that it opens, and which of its parts when one thing has several rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId {
    /// What `enter` opens; `None` for a change that is about nothing in particular.
    pub thing: Option<Thing>,
    /// Tells rows of one thing apart: the service of a copy, the cause of an effect.
    pub part: Name,
}

/// A chosen order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// The field's key.
    pub key: &'static str,
    /// Largest (or last in the alphabet) first. What is unknown is last either way.
    pub descending: bool,
}

/// One list's state.
#[derive(Debug, Clone, Default)]
pub struct List {
    order: StableOrder<RowId>,
    /// Rows whose number in the order was never known while they stood here: their place means nothing yet.
    unranked: BTreeSet<RowId>,
    /// Of rows that stand by their rate: what it has been lately, and when that was looked at.
    standing: BTreeMap<RowId, Lately>,
    stood_at: Duration,
    selected: Option<RowId>,
    /// The person made the selection. One that nobody made is the top row, whatever stands there.
    chosen: bool,
    /// Where the selected row was last, for its neighbour when it vanishes.
    index: usize,
    pub(super) offset: usize,
    pub(super) sort: Option<Sort>,
    total: usize,
    foldable: usize,
}

/// Which rows a list takes from a snapshot, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Take<'a> {
    pub(super) filter: &'a Filter,
    /// Leave out what may be folded, as long as nothing is looked for.
    pub(super) fold: bool,
    /// Take the order as it is (the person asked for it); otherwise rows move with patience.
    pub(super) at_once: bool,
    /// The message whose consumers are listed.
    pub(super) message: Option<&'a MessageId>,
}

impl List {
    /// The rows in the order in which they are shown.
    pub fn rows(&self) -> &[RowId] {
        self.order.shown()
    }

    /// Rows before filtering.
    pub fn total(&self) -> usize {
        self.total
    }

    /// Rows that the filter hides.
    pub fn hidden(&self) -> usize {
        self.total.saturating_sub(self.rows().len())
    }

    /// Rows that may be folded into one line, whether they are or not.
    pub fn foldable(&self) -> usize {
        self.foldable
    }

    /// The selected row.
    pub fn selected(&self) -> Option<&RowId> {
        self.selected.as_ref()
    }

    /// The selected row's place among [`List::rows`].
    pub fn selected_index(&self) -> Option<usize> {
        (!self.rows().is_empty()).then_some(self.index)
    }

    /// The first visible row in the last frame.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The order that the person chose.
    pub fn sort(&self) -> Option<Sort> {
        self.sort
    }

    pub(super) fn next_move(&self) -> Option<Duration> {
        self.order.next_move()
    }

    /// The person selects the row at a place; places beyond the end mean the last row.
    pub(super) fn select(&mut self, index: usize) {
        self.place(index);
        self.hold();
    }

    /// From now on the selection stays on its thing, as if the person had moved there.
    pub(super) fn hold(&mut self) {
        self.chosen = self.selected.is_some();
    }

    fn place(&mut self, index: usize) {
        self.index = index.min(self.rows().len().saturating_sub(1));
        self.selected = self.rows().get(self.index).cloned();
    }

    /// The selection is what stands on top again, whatever that will be.
    pub(super) fn release(&mut self) {
        self.chosen = false;
    }

    /// Moves the selection by rows, stopping at the ends.
    pub(super) fn step(&mut self, rows: isize) {
        self.select(self.index.saturating_add_signed(rows));
    }

    /// Selects a row, if it is there.
    pub(super) fn select_row(&mut self, row: &RowId) -> bool {
        let found = self.rows().iter().position(|other| other == row);
        if let Some(at) = found {
            self.select(at);
        }
        found.is_some()
    }

    /// Selects the row of a thing, if it is there.
    pub(super) fn select_thing(&mut self, thing: &Thing) -> bool {
        let found = self.rows().iter().position(|row| row.thing.as_ref() == Some(thing));
        if let Some(at) = found {
            self.select(at);
        }
        found.is_some()
    }

    /// Takes the rows from a snapshot.
    pub(super) fn sync(&mut self, id: ListId, snapshot: &Snapshot, take: Take<'_>, now: Duration) {
        let Take { filter, fold, at_once, message } = take;
        let mut items = item::items(id, snapshot, message);
        let foldable = items.iter().filter(|item| item.may_fold()).count();
        // A line that says `all of them` would be no list; and what is looked for is found wherever it is.
        self.foldable = if foldable < items.len() && filter.is_empty() { foldable } else { 0 };
        if fold && self.foldable > 0 {
            items.retain(|item| !item.may_fold());
        }
        let in_lanes = id == ListId::Lanes;
        self.total = if in_lanes { item::lanes(items.clone(), snapshot).len() } else { items.len() };
        if !filter.is_empty() {
            items.retain(|item| filter.matches(item, snapshot));
        }
        if in_lanes {
            items = item::lanes(items, snapshot);
        }
        // What stands under another row stays there.
        let nested = items.iter().any(Item::is_nested);
        if let Some(sort) = self.sort.filter(|_| !nested) {
            sort_by(&mut items, sort, snapshot);
        } else {
            let before = std::mem::take(&mut self.standing);
            let time = now.saturating_sub(std::mem::replace(&mut self.stood_at, now));
            let standing = &mut self.standing;
            item::sort_opening(id, &mut items, snapshot, |item, number| {
                if !matches!(id, ListId::Flows | ListId::Busiest) {
                    return number;
                }
                let row = item.row_id();
                let before = before.get(&row).filter(|_| !at_once);
                let lately = before.map_or(Lately::new(number), |before| before.after(number, time));
                standing.insert(row, lately);
                lately.counts_as()
            });
        }
        let wanted: Vec<RowId> = items.iter().map(Item::row_id).collect();
        let ranked = self.rank(id, &items, snapshot, at_once);
        // Causes keep their effects under them: their order is the engine's, which has patience of its own.
        if at_once || nested || id.is_given() {
            self.order.reset(wanted);
        } else {
            self.order.place_anew(&ranked);
            self.order.follow(&wanted, now);
        }
        let place = self.selected.as_ref().and_then(|row| self.rows().iter().position(|other| other == row));
        // What is newest stands first: who looks at it wants to go on doing so.
        let place = if id == ListId::Changes && self.index == 0 { Some(0) } else { place };
        // What comes above the row that is read does not push it down the screen.
        if id == ListId::Heard
            && self.chosen
            && let Some(place) = place
        {
            self.offset = (self.offset + place).saturating_sub(self.index);
        }
        // The row is gone: its nearest neighbour is what stands in its place now. And what nobody selected does not draw
        // the view away from the top, where the worst stands.
        self.place(if self.chosen { place.unwrap_or(self.index) } else { 0 });
        self.chosen &= self.selected.is_some();
    }

    /// Notes which rows have a place that means nothing yet, and returns those whose number is known now for the first time:
    /// patience is for what changes, not for what was never ranked. A number that is lost and comes back is a change.
    fn rank(
        &mut self,
        id: ListId,
        items: &[Item<'_>],
        snapshot: &Snapshot,
        at_once: bool,
    ) -> BTreeSet<RowId> {
        let Some(key) = self.sort.map(|sort| sort.key).or_else(|| item::opening_number(id)) else {
            self.unranked.clear();
            return BTreeSet::new();
        };
        let (unknown, known): (Vec<_>, Vec<_>) =
            items.iter().partition(|item| matches!(item.value(key, snapshot), Field::Unknown));
        let before = std::mem::take(&mut self.unranked);
        let shown: BTreeSet<&RowId> = self.order.shown().iter().collect();
        self.unranked = unknown
            .into_iter()
            .map(Item::row_id)
            .filter(|row| at_once || before.contains(row) || !shown.contains(row))
            .collect();
        if before.is_empty() {
            return before;
        }
        known.into_iter().map(Item::row_id).filter(|row| before.contains(row)).collect()
    }
}

fn sort_by(items: &mut [Item<'_>], sort: Sort, snapshot: &Snapshot) {
    items.sort_by_cached_key(|item| SortKey::of(item.value(sort.key, snapshot), sort.descending));
}

/// A field's value so that the standard sort gives the order on screen.
#[derive(PartialEq)]
enum SortKey {
    Number { value: f64, descending: bool },
    Text { value: String, descending: bool },
    Unknown,
}

impl SortKey {
    fn of(field: Field<'_>, descending: bool) -> Self {
        match field {
            Field::Number(value) if value.is_nan() => Self::Unknown,
            Field::Number(value) => Self::Number { value, descending },
            Field::Text(value) => Self::Text { value: value.to_lowercase(), descending },
            Field::Words(words) if words.is_empty() => Self::Unknown,
            Field::Words(words) => Self::Text { value: words.join(" ").to_lowercase(), descending },
            Field::Unknown => Self::Unknown,
        }
    }
}

impl Eq for SortKey {}

impl PartialOrd for SortKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SortKey {
    fn cmp(&self, other: &Self) -> Ordering {
        let turned = |order: Ordering, descending: bool| if descending { order.reverse() } else { order };
        match (self, other) {
            (Self::Number { value: a, descending }, Self::Number { value: b, .. }) => {
                turned(a.total_cmp(b), *descending)
            }
            (Self::Text { value: a, descending }, Self::Text { value: b, .. }) => {
                turned(a.cmp(b), *descending)
            }
            (Self::Unknown, Self::Unknown) => Ordering::Equal,
            (Self::Unknown, _) | (Self::Text { .. }, Self::Number { .. }) => Ordering::Greater,
            (_, Self::Unknown) | (Self::Number { .. }, Self::Text { .. }) => Ordering::Less,
        }
    }
}
