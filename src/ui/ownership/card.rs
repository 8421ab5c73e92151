//! The selected entity in a few lines: owners, stores and their kind, copies, identifiers, readers, conflicts.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::list::ListId;
use crate::model::id::StoreId;
use crate::model::snapshot::{Entity, Thing};
use crate::theme::{Glyph, Role};
use crate::ui::Ctx;
use crate::ui::area::line;
use crate::ui::widget::text::{clean, wrap};
use crate::ui::widget::{Cell, Look};
use crate::ui::{blank, phrase};

/// Below this width a copy is told in few words.
const ROOM_FOR_WORDS: u16 = 100;

/// Rows that the description takes.
pub fn height(ctx: &Ctx<'_>, width: u16) -> u16 {
    selected(ctx).map_or(0, |entity| lines(ctx, entity, width).len() as u16)
}

/// Draws the description of the selected entity.
pub fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect) {
    let Some(entity) = selected(ctx) else { return };
    let lines = lines(ctx, entity, area.width);
    let fits = usize::from(area.height);
    for (row, cell) in lines.iter().take(fits).enumerate() {
        line(buf, area, row as u16, cell, &ctx.look());
    }
    if lines.len() > fits && fits > 0 {
        let more = format!("  {} more lines: enter", lines.len() - fits);
        Cell::styled(more, Role::Key).draw_right(buf, area.x, area.bottom() - 1, area.width, &ctx.look());
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
    // One line each is worth more than every word.
    let short = width < ROOM_FOR_WORDS;
    let mut head = Cell::styled(entity.id.as_str(), Role::Title);
    if let Some(at) = entity.last_change {
        let brokers = &ctx.look_at_entity(entity);
        let age = phrase::ago(brokers, at);
        head = head.then(format!("  last change {age}"), brokers.aged(Role::Muted));
    }
    let mut lines = vec![head];
    for conflict in &entity.conflicts {
        let cleaned = clean(conflict);
        for (at, text) in wrap(&cleaned, usize::from(width.saturating_sub(2).max(8))).into_iter().enumerate()
        {
            let sign = if at == 0 { look.glyph(Glyph::Conflict) } else { " " };
            lines.push(Cell::styled(sign, Role::Conflict).then(" ", Role::Text).then(text, Role::Conflict));
        }
    }
    for owner in &entity.owners {
        let sign = if owner.likely { look.glyph(Glyph::About) } else { "" };
        let cell = Cell::glyph(look, Glyph::Owns, Role::Owner)
            .then(format!(" {sign}"), Role::Estimate)
            .then(owner.service.as_str(), Role::Text);
        let kept = kept(ctx, look, short, owner.store.as_ref(), owner.identifier.as_deref());
        together(&mut lines, cell, kept, width);
    }
    for replica in &entity.replicas {
        let cell = Cell::glyph(look, Glyph::Copy, Role::Copy)
            .then(" ", Role::Text)
            .then(replica.service.as_str(), Role::Text)
            .then(" ", Role::Text)
            .and(phrase::staleness_within(
                &ctx.look_at_copy(replica),
                &replica.staleness,
                replica.max_staleness,
            ))
            .then(
                if short {
                    format!(" {}", replica.mode)
                } else {
                    format!(" via {} ({})", replica.via, replica.mode)
                },
                Role::Muted,
            );
        let kept = kept(ctx, look, short, replica.store.as_ref(), replica.identifier.as_deref());
        together(&mut lines, cell, kept, width);
    }
    if !entity.reactors.is_empty() {
        let cell = Cell::glyph(look, Glyph::Reacts, Role::Reader)
            .then(" ", Role::Text)
            .and(phrase::services(look, &entity.reactors, false))
            .then(if entity.reactors.len() == 1 { " reacts" } else { " react" }, Role::Muted)
            .then(" to its events", Role::Muted);
        lines.extend(cell.wrapped(usize::from(width), 4));
    }
    for reader in &entity.readers {
        let cell = Cell::glyph(look, Glyph::Asks, Role::Reader)
            .then(" ", Role::Text)
            .then(reader.service.as_str(), Role::Text)
            .then(format!(" asks {}", reader.operation), Role::Muted);
        lines.extend(cell.wrapped(usize::from(width), 4));
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

/// Both on one line where there is room, else the second indented under the first.
fn together(lines: &mut Vec<Cell>, first: Cell, second: Cell, width: u16) {
    if second.is_empty() {
        lines.extend(first.wrapped(usize::from(width), 4));
    } else if first.width() + second.width() <= usize::from(width) {
        lines.push(first.and(second));
    } else {
        lines.extend(first.wrapped(usize::from(width), 4));
        lines.extend(Cell::text(" ").and(second).wrapped(usize::from(width), 4));
    }
}

/// Where it is kept and by what it is identified.
fn kept(
    ctx: &Ctx<'_>,
    look: &Look<'_>,
    short: bool,
    store: Option<&StoreId>,
    identifier: Option<&str>,
) -> Cell {
    let mut cell = Cell::empty();
    if let Some(id) = store {
        cell = cell.then(" in ", Role::Muted).then(id.as_str(), Role::Text);
        if let Some(store) = ctx.snapshot.store(id) {
            let technology = store.technology.as_deref().unwrap_or(look.glyph(Glyph::NoValue));
            let kind =
                if short { format!(" ({})", store.kind) } else { format!(" ({}, {technology})", store.kind) };
            cell = cell.then(kind, Role::Muted);
        }
    }
    if let Some(identifier) = identifier {
        cell = cell.then(" by ", Role::Muted).then(identifier, Role::Text);
    }
    cell
}
