//! The selected entity in a few lines: owners, stores and their kind, copies, identifiers, readers, conflicts.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::list::ListId;
use crate::model::id::StoreId;
use crate::model::snapshot::{Entity, Thing};
use crate::theme::{Glyph, Role};
use crate::ui::Ctx;
use crate::ui::area::line;
use crate::ui::widget::text::wrap;
use crate::ui::widget::{Cell, Look, number};
use crate::ui::{blank, phrase};

/// Rows that the description takes.
pub fn height(ctx: &Ctx<'_>, width: u16) -> u16 {
    selected(ctx).map_or(0, |entity| lines(ctx, entity, width).len() as u16)
}

/// Draws the description of the selected entity.
pub fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect) {
    let Some(entity) = selected(ctx) else { return };
    for (row, cell) in lines(ctx, entity, area.width).iter().enumerate() {
        line(buf, area, row as u16, cell, &ctx.look());
    }
}

fn selected<'a>(ctx: &Ctx<'a>) -> Option<&'a Entity> {
    match ctx.app.list(ListId::Entities).selected()?.thing.as_ref()? {
        Thing::Entity(id) => ctx.snapshot.entity(id).map(|entity| &**entity),
        _ => None,
    }
}

/// The description, conflicts first.
fn lines(ctx: &Ctx<'_>, entity: &Entity, width: u16) -> Vec<Cell> {
    let look = &ctx.look();
    let mut head = Cell::styled(entity.id.as_str(), Role::Title);
    if let Some(at) = entity.last_change {
        let age = number::elapsed(look.now.age_since(at));
        head = head.then(format!("  last change {age} ago"), Role::Muted);
    }
    let mut lines = vec![head];
    for conflict in &entity.conflicts {
        lines.push(
            Cell::glyph(look, Glyph::Conflict, Role::Conflict)
                .then(" ", Role::Text)
                .then(&**conflict, Role::Conflict),
        );
    }
    for owner in &entity.owners {
        let sign = if owner.likely { look.glyph(Glyph::About) } else { "" };
        let cell = Cell::glyph(look, Glyph::Owns, Role::Owner)
            .then(format!(" {sign}"), Role::Estimate)
            .then(owner.service.as_str(), Role::Text);
        lines.push(kept(ctx, look, cell, owner.store.as_ref(), owner.identifier.as_deref()));
    }
    for replica in &entity.replicas {
        let cell = Cell::glyph(look, Glyph::Copy, Role::Copy)
            .then(" ", Role::Text)
            .then(replica.service.as_str(), Role::Text)
            .then(" ", Role::Text)
            .and(phrase::staleness_within(look, &replica.staleness, replica.max_staleness))
            .then(format!(" via {} ({})", replica.via, replica.mode), Role::Muted);
        lines.push(kept(ctx, look, cell, replica.store.as_ref(), replica.identifier.as_deref()));
    }
    if !entity.reactors.is_empty() {
        lines.push(
            Cell::glyph(look, Glyph::Reacts, Role::Reader)
                .then(" ", Role::Text)
                .and(phrase::services(look, &entity.reactors, false))
                .then(" react to its events", Role::Muted),
        );
    }
    for reader in &entity.readers {
        lines.push(
            Cell::glyph(look, Glyph::Asks, Role::Reader)
                .then(" ", Role::Text)
                .then(reader.service.as_str(), Role::Text)
                .then(format!(" asks {}", reader.operation), Role::Muted),
        );
    }
    if ctx.snapshot.topology.is_none() {
        let text = format!(
            "owners marked {} are likely, not declared; {}",
            look.glyph(Glyph::About),
            blank::TOPOLOGY
        );
        lines.extend(
            wrap(&text, usize::from(width.max(20))).into_iter().map(|text| Cell::styled(text, Role::Muted)),
        );
    }
    lines
}

/// Where it is kept and by what it is identified.
fn kept(
    ctx: &Ctx<'_>,
    look: &Look<'_>,
    cell: Cell,
    store: Option<&StoreId>,
    identifier: Option<&str>,
) -> Cell {
    let mut cell = cell;
    if let Some(id) = store {
        cell = cell.then(" in ", Role::Muted).then(id.as_str(), Role::Text);
        if let Some(store) = ctx.snapshot.store(id) {
            let technology = store.technology.as_deref().unwrap_or(look.glyph(Glyph::NoValue));
            cell = cell.then(format!(" {}, {technology}", store.kind), Role::Muted);
        }
    }
    if let Some(identifier) = identifier {
        cell = cell.then(" by ", Role::Muted).then(identifier, Role::Text);
    }
    cell
}
