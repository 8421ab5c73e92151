//! The matrix entity × service: rows of entities, columns of services under their domains.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;

use crate::app::hit::{Hit, HitAreas};
use crate::app::list::ListId;
use crate::model::snapshot::{Entity, Thing};
use crate::theme::{Glyph, Role};
use crate::ui::Ctx;
use crate::ui::area::{line, take_top};
use crate::ui::services;
use crate::ui::widget::table::{draw_scrollbar, highlight, visible_offset};
use crate::ui::widget::text::width;
use crate::ui::widget::{Cell, Look};

use super::columns::{Column, columns};
use super::relation::relation;

/// Columns of a cell with the gap after it, at least and at most: `●≤1.9s` fits the least.
const STEP: (u16, u16) = (8, 16);
/// Columns of a cell that leave room for most names above it.
const USEFUL: u16 = 11;
/// Domains and two staggered rows of names.
const HEAD: u16 = 3;

/// Columns that the matrix makes good use of: every service with room for its cell. More would only spread it.
pub fn wanted(ctx: &Ctx<'_>, area: u16) -> u16 {
    let all = columns(ctx.snapshot, ctx.app.across(), usize::MAX).0.len() as u16;
    (names_width(ctx, area) + 1).saturating_add(all.saturating_mul(USEFUL))
}

/// Draws the matrix.
pub fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
    let look = &ctx.look_at_brokers();
    let (head, body) = take_top(area, HEAD);
    let names = names_width(ctx, area.width);
    let space = area.width.saturating_sub(names + 1);
    // The last column needs no gap after it.
    let room = usize::from((space + 1) / STEP.0).max(1);
    let (columns, chosen) = columns(ctx.snapshot, ctx.app.across(), room);
    let first = visible_offset(chosen.saturating_sub(room / 2), Some(chosen), columns.len(), room);
    let shown = columns.get(first..(first + room).min(columns.len())).unwrap_or_default();
    let place = Place {
        x: area.x + names + 1,
        step: (space / (shown.len().max(1) as u16)).clamp(STEP.0, STEP.1),
        // Nothing was chosen before the person moved sideways.
        chosen: (ctx.app.across() > 0).then(|| chosen - first),
    };
    header(ctx, buf, head, place, shown);
    let count = |columns: &[Column<'_>]| columns.iter().map(|column| column.services().len()).sum::<usize>();
    let left = count(columns.get(..first).unwrap_or_default());
    let right = count(columns.get(first + shown.len()..).unwrap_or_default());
    beyond(look, buf, head, left, right);
    rows(ctx, buf, body, hits, names, place, shown);
}

/// Where columns stand.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// The first one.
    x: u16,
    /// From one to the next.
    step: u16,
    /// Which one is chosen.
    chosen: Option<usize>,
}

impl Place {
    fn of(self, column: usize) -> u16 {
        self.x.saturating_add((column as u16).saturating_mul(self.step))
    }
}

fn rows(
    ctx: &Ctx<'_>,
    buf: &mut Buffer,
    body: Rect,
    hits: &mut HitAreas,
    names: u16,
    place: Place,
    shown: &[Column<'_>],
) {
    let look = &ctx.look_at_brokers();
    let state = ctx.app.list(ListId::Entities);
    let (rows, height) = (state.rows(), usize::from(body.height));
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
        for (at, column) in shown.iter().enumerate() {
            let x = place.of(at);
            let room = (place.step - 1).min(inner.right().saturating_sub(x));
            relation(look, entity, column.services(), room).draw(buf, x, y, room, look);
        }
        let strip = Rect::new(inner.x, y, inner.width, 1);
        if state.selected_index() == Some(index) {
            highlight(buf, strip, look, ctx.app.focused(ListId::Entities));
        }
        hits.add(strip, Hit::Row(ListId::Entities, index));
    }
    if scrolls {
        draw_scrollbar(buf, Rect::new(body.right() - 1, body.y, 1, body.height), look, offset, rows.len());
    }
}

/// Columns of the entities' names: as many as the longest needs, within limits.
fn names_width(ctx: &Ctx<'_>, area: u16) -> u16 {
    let longest = ctx.snapshot.entities.iter().take(200).map(|e| width(e.id.as_str())).max().unwrap_or(0);
    (longest as u16 + 2).clamp(8, (area / 4).max(8))
}

/// The domains, and under them the names; every second name one row lower when they are long, so that each has the room of
/// two columns.
fn header(ctx: &Ctx<'_>, buf: &mut Buffer, head: Rect, place: Place, shown: &[Column<'_>]) {
    if head.height < HEAD {
        return;
    }
    let look = &ctx.look_at_brokers();
    let lowest = Rect { y: head.y + 2, height: 1, ..head };
    line(buf, lowest, 0, &Cell::styled("entity", Role::TableHeader), look);
    domains(look, buf, head, place, shown);
    let titles: Vec<Cell> = shown.iter().map(|column| title(look, column)).collect();
    let staggered = titles.iter().any(|title| title.width() >= usize::from(place.step));
    let mut before = 0;
    for (at, title) in titles.iter().enumerate() {
        let x = place.of(at);
        let high = staggered && at % 2 == 0;
        let y = if high { head.y + 1 } else { head.y + 2 };
        let room = if staggered { 2 * place.step - 1 } else { place.step - 1 };
        let used = title.draw(buf, x, y, room.min(head.right().saturating_sub(x)), look);
        if high && before <= place.step {
            // A stroke leads down past the lower row of names.
            Cell::glyph(look, Glyph::Vertical, Role::Border).draw(buf, x, head.y + 2, 1, look);
        }
        before = used + 1;
        if place.chosen == Some(at) {
            for column in x..x + used {
                if let Some(cell) = buf.cell_mut((column, y)) {
                    cell.modifier.insert(Modifier::UNDERLINED);
                }
            }
        }
    }
}

/// What a column is called: a service, or a folded domain and how many services it has.
fn title(look: &Look<'_>, column: &Column<'_>) -> Cell {
    match column {
        Column::Service(service) => services::name(look, service).in_role(Role::TableHeader),
        Column::Domain(domain, services) => Cell::styled(look.glyph(Glyph::Folded), Role::Key)
            .then(format!("{domain} "), Role::TableHeader)
            .then(services.len().to_string(), Role::Muted),
    }
}

/// Each domain's name over its services, with a rule as long as it reaches.
fn domains(look: &Look<'_>, buf: &mut Buffer, head: Rect, place: Place, shown: &[Column<'_>]) {
    let mut at = 0;
    while let Some(column) = shown.get(at) {
        let same = shown.iter().skip(at).take_while(|other| other.domain() == column.domain()).count().max(1);
        if let (false, Some(domain)) = (column.is_folded(), column.domain()) {
            let x = place.of(at);
            let room = (same as u16 * place.step - 1).min(head.right().saturating_sub(x));
            let used = Cell::styled(domain.as_str(), Role::Muted).draw(buf, x, head.y, room, look);
            if used + 1 < room {
                let rule = look.glyph(Glyph::Horizontal).repeat(usize::from(room - used - 1));
                Cell::styled(rule, Role::Border).draw(buf, x + used + 1, head.y, room - used - 1, look);
            }
        }
        at += same;
    }
}

/// How many services lie beyond the edges of the window.
fn beyond(look: &Look<'_>, buf: &mut Buffer, head: Rect, left: usize, right: usize) {
    let mut cell = Cell::empty();
    if left > 0 {
        cell = cell.then(format!("{}{left} ", look.glyph(Glyph::HeadLeft)), Role::Key);
    }
    if right > 0 {
        cell = cell.then(format!("{right}{}", look.glyph(Glyph::HeadRight)), Role::Key);
    }
    if !cell.is_empty() {
        cell.then(" more", Role::Muted).draw(buf, head.x, head.y, head.width, look);
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

/// What the signs mean.
pub fn legend(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect) {
    let look = &ctx.look_at_brokers();
    let mut cell = Cell::empty();
    let signs: [(&str, Role, &str); 5] = [
        (look.glyph(Glyph::Owns), Role::Owner, "owns"),
        (look.glyph(Glyph::Copy), Role::Copy, "copy, age"),
        (look.glyph(Glyph::Reacts), Role::Reader, "reacts"),
        (look.glyph(Glyph::Asks), Role::Reader, "asks"),
        (look.glyph(Glyph::Conflict), Role::Conflict, "conflict"),
    ];
    if ctx.snapshot.topology.is_none() {
        cell = cell.then(look.glyph(Glyph::About), Role::Estimate).then(" likely", Role::Muted);
    }
    for (sign, role, word) in signs {
        if !cell.is_empty() {
            cell = cell.then("  ", Role::Text);
        }
        cell = cell.then(sign, role).then(format!(" {word}"), Role::Muted);
    }
    line(buf, area, 0, &cell, look);
}
