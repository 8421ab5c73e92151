//! View 2, Flows: which data moves, from whom to whom, how fast. Like `top`: the busiest first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::hit::HitAreas;
use crate::app::list::ListId;
use crate::model::snapshot::{Flow, FlowKind, Snapshot, Thing};
use crate::theme::{Glyph, Role};

use super::Ctx;
use super::listing::Listing;
use super::widget::{Cell, Column, Look, number};
use super::{phrase, signs};

/// Columns of the sparkline; on a very wide screen, where every column has its width, more of the past is shown.
const SPARK: u16 = 12;
const LONG_SPARK: u16 = 36;
/// From this width on it is the long one.
const VERY_WIDE: u16 = 190;

const NARROW_COLUMNS: &[Column] = &columns(SPARK);
const VERY_WIDE_COLUMNS: &[Column] = &columns(LONG_SPARK);

/// Most important first to stay; the numbers are drop priorities.
const fn columns(spark: u16) -> [Column; 10] {
    [
        Column::fixed("kind", "", 1, 0),
        Column::text("from", "from", 10, 18, 0),
        Column::text("channel", "channel", 20, 44, 0),
        Column::text("to", "to", 10, 26, 1),
        Column::number("rate", "rate", 7, 0),
        Column::number("errors", "errors", 7, 2),
        Column::number("delay", "delay p95", 9, 3),
        Column::number("bytes", "bytes", 9, 5),
        Column::fixed("trend", "", spark, 4),
        Column::text("entity", "entity", 8, 14, 6),
    ]
}

/// Draws the view.
pub fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
    let (columns, spark) =
        if area.width < VERY_WIDE { (NARROW_COLUMNS, SPARK) } else { (VERY_WIDE_COLUMNS, LONG_SPARK) };
    Listing {
        list: ListId::Flows,
        columns,
        find: |snapshot, thing| match thing {
            Thing::Flow(id) => snapshot.flow(id).map(|row| &**row),
            _ => None,
        },
        row: &|it| row(ctx, &ctx.look_at_flow(it), it, spark),
        about: &|it| about(&ctx.look_at_flow(it), it, ctx.snapshot),
        folded: None,
    }
    .draw(ctx, buf, area, hits);
}

/// A flow in one sentence.
pub fn about(look: &Look<'_>, flow: &Flow, snapshot: &Snapshot) -> Cell {
    let (glyph, role) = signs::kind(flow.kind);
    let verb = match flow.kind {
        FlowKind::Event => "publishes to",
        FlowKind::Feed => "feeds",
        FlowKind::Request => "answers",
    };
    // `pubber answers –` would say nothing.
    let to = if !flow.to.is_empty() {
        phrase::receivers(look, &flow.to, snapshot)
    } else if flow.kind == FlowKind::Request {
        Cell::styled("a call that nobody known makes", Role::Muted)
    } else {
        Cell::styled("nobody known", Role::Muted)
    };
    let mut cell = Cell::glyph(look, glyph, role)
        .then(" ", Role::Text)
        .and(phrase::services(look, &flow.from, flow.from_likely))
        .then(format!(" {verb} "), Role::Muted)
        .and(to);
    if let Some(entity) = &flow.entity {
        cell = cell.then(" about ", Role::Muted).then(entity.as_str(), Role::Text);
    }
    if flow.kind_likely {
        cell = cell.then(", or asks: a plain subject does not tell", Role::Muted);
    }
    if !flow.declared {
        cell = cell.then("; no topology file declares it", Role::Muted);
    }
    match flow.last_seen {
        Some(at) if look.is_quiet_since(at) => {
            let usual = flow
                .history
                .usual()
                .map_or_else(String::new, |rate| format!(", usually {}", number::rate(rate)));
            cell.then(format!("; last traffic {}{usual}", phrase::ago(look, at)), Role::Muted)
        }
        Some(_) => cell,
        None => cell.then("; no traffic seen since watching began", Role::Muted),
    }
}

/// The cells of one flow, one for each column.
fn row(ctx: &Ctx<'_>, look: &Look<'_>, flow: &Flow, spark: u16) -> Vec<Cell> {
    look.aged_row(cells(ctx, look, flow, spark))
}

fn cells(ctx: &Ctx<'_>, look: &Look<'_>, flow: &Flow, spark: u16) -> Vec<Cell> {
    let (glyph, role) = signs::kind(flow.kind);
    let name = phrase::flow_name(flow, ctx.snapshot);
    let mut channel = Cell::text(&name).keep_ends();
    if flow.kind_likely || (!flow.declared && ctx.snapshot.topology.is_some()) {
        // Perhaps a request; or seen on the broker, and written in no topology file.
        channel = Cell::text(format!("{}{name}", look.glyph(Glyph::About))).keep_ends();
    }
    vec![
        Cell::glyph(look, glyph, role),
        phrase::services(look, &flow.from, flow.from_likely),
        channel,
        phrase::receivers(look, &flow.to, ctx.snapshot),
        phrase::rate(look, &flow.rate),
        phrase::errors(look, &flow.errors_rate),
        phrase::delay(look, flow.delay.as_ref()),
        phrase::bytes_rate(look, &flow.bytes_rate),
        phrase::spark(ctx, &flow.history, spark, Role::Muted),
        flow.entity.as_ref().map_or_else(|| phrase::none(look), |id| Cell::text(id.as_str())),
    ]
}
