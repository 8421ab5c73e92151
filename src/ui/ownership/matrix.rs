//! The matrix entity × service. Columns are grouped by domain; when there are more than fit, the window moves with the
//! selected column.

use std::collections::BTreeSet;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;

use crate::app::hit::{Hit, HitAreas};
use crate::app::list::ListId;
use crate::model::id::ServiceId;
use crate::model::snapshot::{Entity, Replica, Service, Thing};
use crate::theme::{Glyph, Role};
use crate::ui::Ctx;
use crate::ui::area::{line, take_top};
use crate::ui::phrase;
use crate::ui::services::name as name_of;
use crate::ui::widget::table::{draw_scrollbar, highlight, visible_offset};
use crate::ui::widget::text::width;
use crate::ui::widget::{Cell, Look, number};

/// Columns of a cell with the gap after it, at least and at most: `●≤1.9s` fits the least.
const STEP: (u16, u16) = (8, 16);
/// Domains and two staggered rows of names.
const HEAD: u16 = 3;

/// Draws the matrix.
pub fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
    let look = &ctx.look();
    let rows = ctx.app.list(ListId::Entities).rows();
    let (head, body) = take_top(area, HEAD);
    let columns = columns(ctx);
    let names = names_width(ctx, area.width);
    let step = step(area.width.saturating_sub(names + 2), columns.len());
    let cell_width = step - 1;
    let room = usize::from(area.width.saturating_sub(names + 1) / step).max(1);
    let chosen = ctx.app.across().min(columns.len().saturating_sub(1));
    let first = visible_offset(chosen.saturating_sub(room / 2), Some(chosen), columns.len(), room);
    let shown: Vec<&Service> = columns.iter().skip(first).take(room).copied().collect();
    let x = area.x + names + 1;

    header(ctx, buf, head, x, step, &shown, chosen.checked_sub(first));
    hidden_columns(look, buf, head, first, columns.len() - first - shown.len());

    let height = usize::from(body.height);
    let state = ctx.app.list(ListId::Entities);
    let offset = visible_offset(state.offset(), state.selected_index(), rows.len(), height);
    hits.viewport(ListId::Entities, offset, height);
    let scrolls = rows.len() > height && height > 0;
    let inner = Rect { width: body.width.saturating_sub(u16::from(scrolls)), ..body };
    for row in 0..height.min(rows.len().saturating_sub(offset)) {
        let index = offset + row;
        let y = body.y + row as u16;
        let Some(Thing::Entity(id)) = rows.get(index).and_then(|row| row.thing.as_ref()) else { continue };
        let Some(entity) = ctx.snapshot.entity(id) else { continue };
        name(look, entity).draw(buf, body.x, y, names, look);
        for (at, service) in shown.iter().enumerate() {
            let x = x + at as u16 * step;
            let room = cell_width.min(inner.right().saturating_sub(x));
            relation(look, entity, &service.id, cell_width).draw(buf, x, y, room, look);
        }
        let strip = Rect::new(inner.x, y, inner.width, 1);
        if state.selected_index() == Some(index) {
            highlight(buf, strip, look, ctx.app.focused(ListId::Entities));
        }
        hits.add(strip, Hit::Row(ListId::Entities, index));
    }
    if scrolls {
        draw_scrollbar(buf, Rect::new(area.right() - 1, body.y, 1, body.height), look, offset, rows.len());
    }
}

/// Columns of a cell: as many as there is room for when all columns fit.
fn step(room: u16, columns: usize) -> u16 {
    (room / (columns.max(1) as u16)).clamp(STEP.0, STEP.1)
}

/// Services that have to do with an entity, grouped by domain.
fn columns<'a>(ctx: &Ctx<'a>) -> Vec<&'a Service> {
    let mut related: BTreeSet<&ServiceId> = BTreeSet::new();
    for entity in &ctx.snapshot.entities {
        related.extend(entity.owners.iter().map(|owner| &owner.service));
        related.extend(entity.replicas.iter().map(|replica| &replica.service));
        related.extend(entity.readers.iter().map(|reader| &reader.service));
        related.extend(&entity.reactors);
    }
    let services = ctx.snapshot.services.iter().map(|service| &**service);
    let mut columns: Vec<&Service> = services.filter(|service| related.contains(&service.id)).collect();
    // Services are sorted by id already, and the sort keeps that order within a domain.
    columns.sort_by(|a, b| (a.domain.is_none(), &a.domain).cmp(&(b.domain.is_none(), &b.domain)));
    columns
}

/// Columns of the entities' names: as many as the longest needs, within limits.
fn names_width(ctx: &Ctx<'_>, area: u16) -> u16 {
    let longest =
        ctx.snapshot.entities.iter().take(200).map(|e| width(e.id.as_str())).max().unwrap_or(0) as u16;
    (longest + 2).clamp(8, (area / 4).max(8))
}

/// Two rows of names, every second one lower, so that each has the room of two columns; above them the domains.
fn header(
    ctx: &Ctx<'_>,
    buf: &mut Buffer,
    head: Rect,
    x: u16,
    step: u16,
    shown: &[&Service],
    chosen: Option<usize>,
) {
    let look = &ctx.look();
    if head.height < HEAD {
        return;
    }
    line(buf, Rect { y: head.y + 2, height: 1, ..head }, 0, &Cell::styled("entity", Role::TableHeader), look);
    let mut at = 0;
    while let Some(service) = shown.get(at) {
        let same = shown.iter().skip(at).take_while(|other| other.domain == service.domain).count();
        let from = x + at as u16 * step;
        let room = (same as u16 * step).saturating_sub(1).min(head.right().saturating_sub(from));
        if let Some(domain) = &service.domain {
            let name = Cell::styled(domain.as_str(), Role::Muted);
            let used = name.draw(buf, from, head.y, room, look);
            if used + 1 < room {
                let rule = look.glyph(Glyph::Horizontal).repeat(usize::from(room - used - 1));
                Cell::styled(rule, Role::Border).draw(buf, from + used + 1, head.y, room - used - 1, look);
            }
        }
        at += same.max(1);
    }
    let staggered = shown.iter().any(|service| name_of(look, service).width() >= usize::from(step));
    for (at, service) in shown.iter().enumerate() {
        let from = x + at as u16 * step;
        let row = if staggered { head.y + 1 + (at % 2) as u16 } else { head.y + 2 };
        // The name of the next but one begins two steps further.
        let room = if staggered { 2 * step - 1 } else { step - 1 }.min(head.right().saturating_sub(from));
        let role = Role::TableHeader;
        let name = name_of(look, service).in_role(role);
        let used = name.draw(buf, from, row, room, look);
        if staggered && at % 2 == 0 {
            // A stroke leads down past the lower row of names.
            let above =
                shown.get(at.wrapping_sub(1)).map_or(0, |left| name_of(look, left).width() as u16 + 1);
            if above <= step {
                Cell::glyph(look, Glyph::Vertical, Role::Border).draw(buf, from, head.y + 2, 1, look);
            }
        }
        if chosen == Some(at) && ctx.app.across() > 0 {
            for column in from..from + used {
                if let Some(cell) = buf.cell_mut((column, row)) {
                    cell.modifier.insert(Modifier::UNDERLINED);
                }
            }
        }
    }
}

/// How many columns lie beyond the edges of the window.
fn hidden_columns(look: &Look<'_>, buf: &mut Buffer, head: Rect, left: usize, right: usize) {
    let mut cell = Cell::empty();
    if left > 0 {
        cell = cell.then(format!("{}{left} ", look.glyph(Glyph::HeadLeft)), Role::Key);
    }
    if right > 0 {
        cell = cell.then(format!("{right}{}", look.glyph(Glyph::HeadRight)), Role::Key);
    }
    if !cell.is_empty() {
        let cell = Cell::styled("services ", Role::Muted).and(cell);
        cell.draw(buf, head.x, head.y, head.width, look);
    }
}

fn name(look: &Look<'_>, entity: &Entity) -> Cell {
    if entity.conflicts.is_empty() {
        Cell::text("  ").then(entity.id.as_str(), Role::Text)
    } else {
        Cell::glyph(look, Glyph::Conflict, Role::Conflict)
            .then(" ", Role::Text)
            .then(entity.id.as_str(), Role::Text)
    }
}

/// What a service has to do with an entity: owns it, copies it (and how old the copy is), reacts to it, asks for it.
pub fn relation(look: &Look<'_>, entity: &Entity, service: &ServiceId, columns: u16) -> Cell {
    let owner = entity.owners.iter().find(|owner| owner.service == *service);
    let replica = entity.replicas.iter().find(|replica| replica.service == *service);
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
        return cell.and(copy(look, replica, columns));
    }
    if owner.is_some() {
        return cell;
    }
    if entity.reactors.contains(service) {
        cell = cell.then(look.glyph(Glyph::Reacts), Role::Reader);
    }
    if entity.readers.iter().any(|reader| reader.service == *service) {
        cell = cell.then(look.glyph(Glyph::Asks), Role::Reader);
    }
    cell
}

/// A copy's sign and its age without a space: `●0.3s` `●≤1.9s` `●≥2m05`, `!` when it lost messages.
fn copy(look: &Look<'_>, replica: &Replica, columns: u16) -> Cell {
    let mut cell = Cell::glyph(look, Glyph::Copy, Role::Copy);
    if replica.staleness.low().is_none() {
        return cell.and(phrase::none(look));
    }
    let age = phrase::staleness_within(look, &replica.staleness, replica.max_staleness);
    let fitted: String =
        age.fitted(usize::from(columns), look.glyphs).into_iter().map(|(text, _)| text).collect();
    let late = phrase::over(&replica.staleness, replica.max_staleness) == Some(true);
    let role = if late {
        Role::StateDegraded
    } else if look.is_old(replica.staleness.at) {
        Role::Stale
    } else {
        Role::Text
    };
    // No room for the space between number and unit.
    let tight = fitted.replace(' ', "");
    cell = if width(&tight) < usize::from(columns) {
        cell.then(tight, role)
    } else {
        let short = number::bounds_short(look.glyphs, &replica.staleness.bounds, |d| number::duration(*d));
        cell.then(short.unwrap_or_else(|| look.glyph(Glyph::Ellipsis).to_owned()).replace(' ', ""), role)
    };
    if late && width(&cell.plain()) < usize::from(columns) {
        cell = cell.then(look.glyph(Glyph::Degraded), Role::StateDegraded);
    }
    cell
}

/// What the signs mean.
pub fn legend(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect) {
    let look = &ctx.look();
    let mut cell = Cell::empty();
    let signs: [(&str, Role, &str); 5] = [
        (look.glyph(Glyph::Owns), Role::Owner, "owns"),
        (look.glyph(Glyph::Copy), Role::Copy, "copy, its age"),
        (look.glyph(Glyph::Reacts), Role::Reader, "reacts to events"),
        (look.glyph(Glyph::Asks), Role::Reader, "asks by request"),
        (look.glyph(Glyph::Conflict), Role::Conflict, "conflict"),
    ];
    for (sign, role, word) in signs {
        if !cell.is_empty() {
            cell = cell.then("  ", Role::Text);
        }
        cell = cell.then(sign, role).then(format!(" {word}"), Role::Muted);
    }
    if ctx.snapshot.topology.is_none() {
        cell =
            cell.then(format!("  {}", look.glyph(Glyph::About)), Role::Estimate).then(" likely", Role::Muted);
    }
    line(buf, area, 0, &cell, look);
}
