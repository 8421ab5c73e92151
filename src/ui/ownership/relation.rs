//! What one column has to do with one entity, in a cell: owns it, copies it and how old the copy is, reacts, asks.

use std::cmp::Ordering;

use crate::model::snapshot::{Entity, Replica, Service};
use crate::theme::{Glyph, Role};
use crate::ui::phrase;
use crate::ui::widget::text::width;
use crate::ui::widget::{Cell, Look, number};

/// The cell of an entity and some services (one, or those of a folded domain), at most so many columns wide.
pub(super) fn relation(look: &Look<'_>, entity: &Entity, services: &[&Service], columns: u16) -> Cell {
    let is_one = |id: &_| services.iter().any(|service| service.id == *id);
    let owner = entity.owners.iter().find(|owner| is_one(&owner.service));
    let replica =
        entity.replicas.iter().filter(|replica| is_one(&replica.service)).max_by(|a, b| older(a, b));
    let mut cell = Cell::empty();
    if let Some(owner) = owner {
        if owner.likely {
            cell = cell.then(look.glyph(Glyph::About), Role::Estimate);
        }
        cell = cell.then(look.glyph(Glyph::Owns), Role::Owner);
        if entity.owners.len() > 1 {
            cell = cell.then(look.glyph(Glyph::Conflict), Role::Conflict);
        }
    }
    if let Some(replica) = replica {
        let room = usize::from(columns).saturating_sub(cell.width());
        return cell.and(copy(look, replica, room));
    }
    if owner.is_some() {
        return cell;
    }
    if entity.reactors.iter().any(is_one) {
        cell = cell.then(look.glyph(Glyph::Reacts), Role::Reader);
    }
    if entity.readers.iter().any(|reader| is_one(&reader.service)) {
        cell = cell.then(look.glyph(Glyph::Asks), Role::Reader);
    }
    cell
}

/// Which of two copies is to be shown: the one that is late, else the older; one of unknown age last.
fn older(a: &Replica, b: &Replica) -> Ordering {
    let key = |replica: &Replica| {
        let late = phrase::over(&replica.staleness, replica.max_staleness) == Some(true);
        (late, replica.staleness.bounds.high().or(replica.staleness.low()).copied())
    };
    key(a).cmp(&key(b))
}

/// A copy's sign and its age without a space: `●0.3s` `●≤1.9s` `●≥2m05`, and `▲` when it is older than it may be.
fn copy(look: &Look<'_>, replica: &Replica, room: usize) -> Cell {
    let cell = Cell::glyph(look, Glyph::Copy, Role::Copy);
    if replica.staleness.low().is_none() {
        return cell.and(phrase::none(look));
    }
    let late = phrase::over(&replica.staleness, replica.max_staleness) == Some(true);
    let role = if late {
        Role::StateDegraded
    } else if look.is_old(replica.staleness.at) {
        Role::Stale
    } else {
        Role::Text
    };
    let room = room.saturating_sub(1 + usize::from(late));
    let bounds = &replica.staleness.bounds;
    let tight = |text: String| text.replace(' ', "");
    let full = tight(number::bounds(look.glyphs, bounds, |d| number::duration(*d)));
    let short = || number::bounds_short(look.glyphs, bounds, |d| number::duration(*d)).map(tight);
    let age = if width(&full) <= room {
        full
    } else {
        // A number is shown whole or not at all.
        short().filter(|text| width(text) <= room).unwrap_or_else(|| look.glyph(Glyph::Ellipsis).to_owned())
    };
    let cell = cell.then(age, role);
    if late { cell.then(look.glyph(Glyph::Degraded), Role::StateDegraded) } else { cell }
}
