//! What the keys do on the map.

use std::sync::Arc;

use crate::model::id::ServiceId;
use crate::model::snapshot::{Snapshot, Thing};

use super::list::{ListId, RowId};
use super::map::{Direction, Form};
use super::{App, Moment, Said, View};

impl App {
    /// Whether the keys go to boxes and lines.
    pub(super) fn on_picture(&self) -> bool {
        self.view == View::Map && self.map.form() == Form::Picture
    }

    /// Another form of the map, with the same thing selected.
    pub(super) fn next_form(&mut self, latest: &Arc<Snapshot>) {
        let thing = self.selected_thing().cloned();
        let snapshot = Arc::clone(self.snapshot(latest));
        self.map.next_form(&snapshot);
        if let Some(thing) = thing {
            self.current_list_mut().select_thing(&thing);
        }
    }

    /// Selects what lies in a direction, if anything does.
    pub(super) fn walk(&mut self, direction: Direction) {
        let Some(row) = self.selected().cloned() else { return };
        let rows = self.list(ListId::Map).rows();
        if let Some(next) = self.map.beside(&row, direction, rows) {
            self.choose(&next);
        }
    }

    /// Up and down by things; the ends of the list for `g` and `G`.
    pub(super) fn walk_rows(&mut self, rows: isize) {
        match rows {
            isize::MIN | isize::MAX => {
                self.current_list_mut().step(rows);
                self.map.free = false;
            }
            _ => {
                let direction = if rows < 0 { Direction::Up } else { Direction::Down };
                (0..rows.unsigned_abs()).for_each(|_| self.walk(direction));
            }
        }
    }

    pub(super) fn next_edge(&mut self, by: isize) {
        let Some(row) = self.selected().cloned() else { return };
        if let Some(next) = self.map.next_edge(&row, by, self.list(ListId::Map).rows()) {
            self.choose(&next);
        }
    }

    fn choose(&mut self, row: &RowId) {
        self.map.free = false;
        self.detail_scroll = 0;
        self.current_list_mut().select_row(row);
    }

    pub(super) fn zoom(&mut self, by: isize, now: Moment) {
        if !self.map.nearer(by) {
            let said = if by > 0 { "this is as near as it gets" } else { "this is as far away as it gets" };
            self.say(Said::failed(said), now);
        }
    }

    pub(super) fn hops(&mut self, by: isize, now: Moment) {
        if !self.map.hops(by) {
            self.say(Said::failed("no further"), now);
        }
    }

    /// The service that is selected, or that the selected flow comes from.
    fn service_here(&self, snapshot: &Snapshot) -> Option<ServiceId> {
        match self.selected_thing()? {
            Thing::Service(id) => Some(id.clone()),
            Thing::Flow(id) => snapshot.flow(id)?.from.first().cloned(),
            _ => None,
        }
    }

    pub(super) fn focus_service(&mut self, latest: &Arc<Snapshot>, now: Moment) {
        match self.service_here(self.snapshot(latest)) {
            Some(service) => self.map.look_at(&service),
            None => self.say(Said::failed("who sends this is not known: select a service"), now),
        }
    }

    pub(super) fn fold_domain(&mut self, latest: &Arc<Snapshot>, now: Moment) {
        if self.map.form() == Form::Matrix {
            self.map.fold_matrix();
            return;
        }
        let snapshot = self.snapshot(latest);
        let service = self.service_here(snapshot);
        let domain = service.and_then(|id| snapshot.service(&id).and_then(|service| service.domain.clone()));
        match domain {
            Some(domain) => self.map.fold(&domain),
            None => self.say(Said::failed("no topology file says to which domain this belongs"), now),
        }
    }

    /// Selects a thing on the map that is shown.
    pub fn select_on_map(&mut self, thing: &Thing, latest: &Arc<Snapshot>, now: Moment) -> bool {
        self.sync(latest, now);
        self.map.free = false;
        self.current_list_mut().select_thing(thing)
    }

    /// From a row to the map, and from the map back to the row of its list.
    pub(super) fn show_on_map(&mut self, latest: &Arc<Snapshot>, now: Moment) {
        let Some(thing) = self.selected_thing().cloned() else { return };
        if self.view == View::Map {
            self.go_to(&thing, latest, now);
            return;
        }
        let snapshot = Arc::clone(self.snapshot(latest));
        let Some(wanted) = on_map(&snapshot, &thing) else {
            self.say(Said::failed(format!("{} is no service and no flow of the map", thing.as_str())), now);
            return;
        };
        self.show(View::Map);
        if !self.select_on_map(&wanted, latest, now) {
            let said = "the map's filter hides it: esc clears it";
            self.say(Said::failed(said), now);
        }
    }
}

/// The service or flow by which a thing is on the map.
fn on_map(snapshot: &Snapshot, thing: &Thing) -> Option<Thing> {
    let flow = |is: &dyn Fn(&crate::model::snapshot::Flow) -> bool| {
        snapshot.flows.iter().find(|flow| is(flow)).map(|flow| Thing::Flow(flow.id.clone()))
    };
    match thing {
        Thing::Service(_) | Thing::Flow(_) => Some(thing.clone()),
        Thing::Store(id) => snapshot.store(id).map(|store| Thing::Service(store.service.clone())),
        Thing::Entity(id) => {
            let owner = snapshot.entity(id)?.owners.first()?;
            Some(Thing::Service(owner.service.clone()))
        }
        Thing::Consumer(id) => flow(&|flow| flow.consumer.as_ref() == Some(id)).or_else(|| {
            let service = snapshot.consumer(id)?.services.first()?;
            Some(Thing::Service(service.clone()))
        }),
        Thing::Channel(id) => flow(&|flow| flow.channel.as_ref() == Some(id)),
        Thing::Source(_) => None,
    }
}
