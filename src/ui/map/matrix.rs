//! The map as a matrix: who uses whose data. A row for each one that uses, a column for each one whose data it is; services, or
//! folded to domains. What stands far from the diagonal of a domain is where its boundary leaks.

use std::collections::BTreeMap;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;

use crate::app::hit::{Hit, HitAreas};
use crate::app::list::{ListId, RowId};
use crate::model::id::ServiceId;
use crate::model::snapshot::{FlowKind, Snapshot, Thing};
use crate::theme::{Glyph, Role};
use crate::ui::widget::table::{draw_scrollbar, highlight, visible_offset};
use crate::ui::widget::text::width;
use crate::ui::widget::{Cell, Look};
use crate::ui::{Ctx, blank, phrase, signs};

/// Columns of a cell with the gap after it: `─2═1╌3` and a conflict fit.
const STEP: u16 = 8;
/// Two staggered rows of names, so that each has the room of two columns.
const HEAD: u16 = 2;
const KINDS: [FlowKind; 3] = [FlowKind::Event, FlowKind::Feed, FlowKind::Request];

/// By what one uses another's data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Uses {
    /// Events, feeds, requests.
    flows: [u32; 3],
    /// Stores of the other that it reads or writes itself.
    stores: u32,
}

/// Draws the matrix.
pub fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
    let list = ctx.app.current_list();
    let state = ctx.app.list(list);
    let rows = state.rows();
    if rows.is_empty() {
        hits.viewport(list, 0, 0);
        blank::draw(ctx, buf, area, list);
        return;
    }
    let look = &ctx.look_at_brokers();
    let by_domain = list == ListId::DomainUses;
    let uses = all_uses(ctx.snapshot, by_domain);
    let columns = columns(ctx.snapshot, by_domain);
    let names = rows.iter().map(|row| width(name(row))).max().unwrap_or(0);
    let names = u16::try_from(names).unwrap_or(0).clamp(8, (area.width / 4).max(8)) + 2;
    let room = usize::from(area.width.saturating_sub(names + 1) / STEP).max(1);
    let chosen = ctx.app.across().min(columns.len().saturating_sub(1));
    let first = visible_offset(chosen.saturating_sub(room / 2), Some(chosen), columns.len(), room);
    let shown = columns.get(first..(first + room).min(columns.len())).unwrap_or_default();
    let at = |column: usize| area.x + names + u16::try_from(column).unwrap_or(0) * STEP;

    for (place, column) in shown.iter().enumerate() {
        let title = Cell::styled(*column, Role::TableHeader);
        let y = area.y + (place % 2) as u16;
        let wide = (STEP * 2 - 1).min(area.right().saturating_sub(at(place)));
        title.draw(buf, at(place), y, wide, look);
        if first + place == chosen && ctx.app.across() > 0 {
            let strip = Rect::new(at(place), y, (width(column) as u16).min(wide), 1);
            buf.set_style(strip, ratatui::style::Style::new().add_modifier(Modifier::UNDERLINED));
        }
    }
    let (left, right) = (first, columns.len() - first - shown.len());
    let more = match (left, right) {
        (0, 0) => "uses data of".to_owned(),
        _ => format!("{left} {} {right}", look.glyph(Glyph::Range)),
    };
    Cell::styled(more, Role::Muted).draw(buf, area.x, area.y, names.saturating_sub(1), look);

    let body = Rect { y: area.y + HEAD, height: area.height.saturating_sub(HEAD), ..area };
    let height = usize::from(body.height);
    let offset = visible_offset(state.offset(), state.selected_index(), rows.len(), height);
    hits.viewport(list, offset, height);
    for (line, (index, row)) in rows.iter().enumerate().skip(offset).take(height).enumerate() {
        let y = body.y + u16::try_from(line).unwrap_or(0);
        Cell::styled(name(row), Role::Text).keep_ends().draw(buf, area.x, y, names - 1, look);
        for (place, column) in shown.iter().enumerate() {
            let own = *column == name(row);
            let cell = match uses.get(&(name(row), *column)) {
                Some(uses) => shown_as(look, *uses),
                None if own => Cell::glyph(look, Glyph::Owns, Role::Border),
                None => Cell::glyph(look, Glyph::Ok, Role::Border),
            };
            let cell = if own { cell.in_role(Role::Muted) } else { cell };
            cell.draw(buf, at(place), y, STEP - 1, look);
        }
        let strip = Rect::new(area.x, y, area.width.saturating_sub(1), 1);
        if state.selected_index() == Some(index) {
            highlight(buf, strip, look, ctx.app.focused(list));
        }
        hits.add(strip, Hit::Row(list, index));
    }
    if rows.len() > height && height > 0 {
        draw_scrollbar(buf, Rect::new(area.right() - 1, body.y, 1, body.height), look, offset, rows.len());
    }
}

/// What the signs mean, and which way to read.
pub fn draw_legend(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect) {
    let look = ctx.look();
    let mut cell = Cell::styled("a row uses data of a column by ", Role::Muted);
    for kind in KINDS {
        let (glyph, role) = signs::kind(kind);
        cell = cell.and(Cell::glyph(&look, glyph, role)).then(format!(" {}  ", kind.word()), Role::Muted);
    }
    cell = cell.and(Cell::glyph(&look, Glyph::Conflict, Role::Conflict)).then(" its store", Role::Muted);
    cell.draw(buf, area.x, area.y, area.width, &look);
}

/// The service or domain of a row.
fn name(row: &RowId) -> &str {
    match &row.thing {
        Some(Thing::Service(id)) => id.as_str(),
        _ => &row.part,
    }
}

/// Those whose data can be used: services in the order of their domains, or the domains.
fn columns(snapshot: &Snapshot, by_domain: bool) -> Vec<&str> {
    let mut services: Vec<(Option<&str>, &str)> = crate::app::item::counted_services(snapshot)
        .0
        .map(|service| (service.domain.as_ref().map(crate::model::id::DomainId::as_str), service.id.as_str()))
        .collect();
    services.sort_by_key(|(domain, id)| (domain.is_none(), *domain, *id));
    if !by_domain {
        return services.into_iter().map(|(_, id)| id).collect();
    }
    let mut domains: Vec<&str> = services.into_iter().filter_map(|(domain, _)| domain).collect();
    domains.dedup();
    domains
}

/// Who uses whose data by what.
fn all_uses(snapshot: &Snapshot, by_domain: bool) -> BTreeMap<(&str, &str), Uses> {
    let of = |id: &'_ ServiceId| -> Option<&str> {
        let service = snapshot.service(id)?;
        if by_domain {
            service.domain.as_ref().map(crate::model::id::DomainId::as_str)
        } else {
            Some(service.id.as_str())
        }
    };
    let mut all: BTreeMap<(&str, &str), Uses> = BTreeMap::new();
    for flow in &snapshot.flows {
        for (from, to) in flow.from.iter().flat_map(|from| flow.to.iter().map(move |to| (from, to))) {
            if let (Some(owner), Some(user), true) = (of(from), of(to), from != to) {
                let kind = KINDS.iter().position(|kind| *kind == flow.kind).unwrap_or(0);
                all.entry((user, owner)).or_default().flows[kind] += 1;
            }
        }
    }
    for store in &snapshot.stores {
        for accessor in store.accessors.iter().filter(|accessor| accessor.service != store.service) {
            if let (Some(owner), Some(user)) = (of(&store.service), of(&accessor.service)) {
                all.entry((user, owner)).or_default().stores += 1;
            }
        }
    }
    all
}

fn shown_as(look: &Look<'_>, uses: Uses) -> Cell {
    let mut cell = Cell::empty();
    for (kind, count) in KINDS.into_iter().zip(uses.flows) {
        let (glyph, role) = signs::kind(kind);
        if count > 0 {
            cell = cell.and(Cell::glyph(look, glyph, role));
        }
        if count > 1 {
            cell = cell.then(count.to_string(), role);
        }
    }
    if uses.stores > 0 {
        cell = cell.and(Cell::glyph(look, Glyph::Conflict, Role::Conflict));
    }
    if cell.is_empty() { phrase::none(look) } else { cell }
}
