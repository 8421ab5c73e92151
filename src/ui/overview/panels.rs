//! The quieter panels: traffic, what changed, the stalest copies, the busiest flows.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::hit::HitAreas;
use crate::app::item::Item;
use crate::app::list::{ListId, RowId};
use crate::model::measured::Measured;
use crate::model::series::History;
use crate::model::snapshot::{Change, Entity, Flow, Replica, Snapshot, Thing};
use crate::theme::{Glyph, Role};
use crate::ui::Ctx;
use crate::ui::area::{line, take_top, title};
use crate::ui::widget::text::wrap;
use crate::ui::widget::{Cell, number};
use crate::ui::{blank, phrase, signs};

/// A few errors must not look like many: full height is at least one in twenty.
const ERRORS_AT_LEAST: f32 = 0.05;
/// From this share on errors are said loudly; a few among thousands are everyday life.
const MANY_ERRORS: f64 = 0.01;
/// Columns of a label and of its number.
const LABEL: u16 = 9;
const NUMBER: u16 = 8;
/// From this width on a flow tells more than its rate.
const ROOM_FOR_MORE: u16 = 84;
/// Columns of a flow's label at most.
const LABEL_ROOM: u16 = 36;
/// A minute, a column for every second at most.
const MINUTE: u16 = 60;

/// What moves, by kind, and the share that fails.
pub fn traffic(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect) {
    let look = &ctx.look();
    let (head, body) = take_top(area, 1);
    line(buf, head, 0, &title("TRAFFIC"), look);
    let chart_x = area.x + LABEL + NUMBER + 2;
    let chart = area.right().saturating_sub(chart_x).min(MINUTE);
    Cell::styled("now", Role::TableHeader).draw_right(
        buf,
        area.x + LABEL,
        head.y,
        NUMBER.min(area.width),
        look,
    );
    Cell::styled("last minute", Role::TableHeader).draw(buf, chart_x, head.y, chart, look);
    // With room to spare each kind has several rows, and its shape is read better.
    let tall = (body.height / 4).max(1);
    for (row, (name, sign, value, history)) in kinds(ctx.snapshot).into_iter().enumerate() {
        let first = row as u16 * tall;
        if first + tall > body.height {
            break;
        }
        // The figure stands at the foot of its shape, where zero is.
        let y = body.y + first + tall - 1;
        let (glyph, role) = sign;
        Cell::glyph(look, glyph, role).draw(buf, body.x, y, 1, look);
        Cell::text(name).draw(buf, body.x + 2, y, LABEL, look);
        let number = figure(ctx, name, value);
        number.draw_right(buf, body.x + LABEL, y, NUMBER.min(body.width), look);
        let least = if name == "errors" { ERRORS_AT_LEAST } else { 0.0 };
        for (line, cell) in phrase::minute(ctx, history, chart, tall, least).iter().enumerate() {
            cell.draw(buf, chart_x, body.y + first + line as u16, chart, look);
        }
    }
}

/// The same in one line.
pub fn traffic_line(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect) {
    let mut cell = Cell::empty();
    for (name, (glyph, role), value, _) in kinds(ctx.snapshot) {
        if !cell.is_empty() {
            cell = cell.then("  ", Role::Text);
        }
        cell = cell
            .then(ctx.look().glyph(glyph), role)
            .then(format!(" {name} "), Role::Muted)
            .and(figure(ctx, name, value));
    }
    line(buf, area, 0, &cell, &ctx.look());
}

type Kind<'a> = (&'static str, (Glyph, Role), &'a Measured<f64>, &'a History);

fn kinds(snapshot: &Snapshot) -> [Kind<'_>; 4] {
    let totals = &snapshot.totals;
    [
        ("events", (Glyph::Event, Role::Event), &totals.events, &totals.events_history),
        ("feeds", (Glyph::Feed, Role::Feed), &totals.feeds, &totals.feeds_history),
        ("requests", (Glyph::Request, Role::Request), &totals.requests, &totals.requests_history),
        ("errors", (Glyph::Failed, Role::Muted), &totals.error_share, &totals.error_history),
    ]
}

fn figure(ctx: &Ctx<'_>, name: &str, value: &Measured<f64>) -> Cell {
    if name == "errors" {
        let role =
            if value.low().is_some_and(|share| *share >= MANY_ERRORS) { Role::Error } else { Role::Text };
        return Cell::measured_as(&ctx.look_at_brokers(), value, role, |share| number::percent(*share));
    }
    phrase::rate(&ctx.look_at_brokers(), value)
}

/// What changed, newest first.
pub fn changes(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
    let look = &ctx.look();
    let (head, body) = take_top(area, 1);
    line(buf, head, 0, &title("CHANGED"), look);
    let state = ctx.app.list(ListId::Changes);
    if state.rows().is_empty() {
        line(buf, body, 0, &blank::short(ctx, ListId::Changes), look);
    }
    super::rows(ctx, buf, body, hits, ListId::Changes, |buf, strip, index| {
        let Some(change) = state.rows().get(index).and_then(|row| find_change(ctx.snapshot, row)) else {
            return;
        };
        let mut cell = Cell::styled(ctx.clock(change.at), Role::Muted)
            .then(" ", Role::Text)
            .then(&*change.text, Role::Text);
        if change.times > 1 {
            cell = cell.then(format!(" {}{}", look.glyph(Glyph::Times), change.times), Role::Muted);
        }
        cell.draw(buf, strip.x, strip.y, strip.width, look);
    });
}

fn find_change<'a>(snapshot: &'a Snapshot, row: &RowId) -> Option<&'a Change> {
    snapshot.changes.iter().find(|change| Item::Change(change).row_id() == *row)
}

/// Copies, the stalest first.
pub fn stalest(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
    let (head, body) = take_top(area, 1);
    line(buf, head, 0, &title("STALEST COPIES"), &ctx.look());
    let state = ctx.app.list(ListId::Stalest);
    if state.rows().is_empty() {
        quiet(ctx, buf, body, ListId::Stalest);
    }
    let entity_width = (area.width / 3).clamp(8, 22).min(14.max(area.width / 4));
    super::rows(ctx, buf, body, hits, ListId::Stalest, |buf, strip, index| {
        let row = state.rows().get(index);
        let Some((entity, replica)) = row.and_then(|row| find_copy(ctx.snapshot, row)) else { return };
        let look = &ctx.look_at_copy(replica);
        let (late, max) = (phrase::over(&replica.staleness, replica.max_staleness), replica.max_staleness);
        let sign = match late {
            Some(true) => Cell::glyph(look, Glyph::Degraded, look.aged(Role::StateDegraded)),
            // It was in time when anybody last looked.
            Some(false) if look.lost.is_some() => Cell::glyph(look, Glyph::Unknown, Role::Stale),
            Some(false) => Cell::glyph(look, Glyph::Ok, Role::StateOk),
            None => Cell::empty(),
        };
        // From the right end: sign, limit, staleness; what is left belongs to the names.
        let right = strip.right();
        sign.draw_right(buf, right.saturating_sub(1), strip.y, 1.min(strip.width), look);
        // Nothing waits, but nothing has come either: 0 s alone would look like a copy that was just refreshed.
        let quiet = entity.last_change.filter(|at| {
            look.is_quiet_since(*at) && replica.staleness.bounds.exact().is_some_and(Duration::is_zero)
        });
        let limit = match (quiet, max) {
            (Some(at), _) => format!("quiet {}", number::elapsed(look.told().age_since(at))),
            (None, Some(max)) => format!("max {}", number::limit(max)),
            (None, None) => String::new(),
        };
        let limit = Cell::styled(limit, look.aged(Role::Muted));
        let mut end = right.saturating_sub(2);
        if strip.width >= 48 {
            let width = 10;
            limit.draw(buf, end.saturating_sub(width), strip.y, width, look);
            end = end.saturating_sub(width + 1);
        }
        let width = 8.min(strip.width);
        let at = end.saturating_sub(width).max(strip.x);
        phrase::staleness_within(look, &replica.staleness, max).draw_right(buf, at, strip.y, width, look);
        Cell::text(entity.id.as_str()).draw(buf, strip.x, strip.y, entity_width.min(strip.width), look);
        let x = strip.x + entity_width + 1;
        Cell::glyph(look, Glyph::Copy, Role::Copy)
            .then(" ", Role::Text)
            .then(replica.service.as_str(), Role::Text)
            .draw(buf, x, strip.y, at.saturating_sub(x + 1), look);
    });
}

fn find_copy<'a>(snapshot: &'a Snapshot, row: &RowId) -> Option<(&'a Entity, &'a Replica)> {
    let Some(Thing::Entity(id)) = &row.thing else { return None };
    let entity = snapshot.entity(id)?;
    entity
        .replicas
        .iter()
        .find(|r| Item::Copy(entity, r).row_id() == *row)
        .map(|replica| (&**entity, replica))
}

/// Flows, the busiest first.
pub fn busiest(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
    let (head, body) = take_top(area, 1);
    line(buf, head, 0, &title("BUSIEST FLOWS"), &ctx.look());
    let state = ctx.app.list(ListId::Busiest);
    if state.rows().is_empty() {
        quiet(ctx, buf, body, ListId::Busiest);
    }
    super::rows(ctx, buf, body, hits, ListId::Busiest, |buf, strip, index| {
        let thing = state.rows().get(index).and_then(|row| row.thing.as_ref());
        let Some(flow) = thing.and_then(|thing| find_flow(ctx.snapshot, thing)) else { return };
        let look = &ctx.look_at_flow(flow);
        let rate_width = 8.min(strip.width);
        let end = strip.right().saturating_sub(rate_width);
        phrase::rate(look, &flow.rate).draw_right(buf, end, strip.y, rate_width, look);
        let end = if strip.width >= ROOM_FOR_MORE { more(ctx, buf, strip, end, flow) } else { end };
        let (glyph, role) = signs::kind(flow.kind);
        Cell::glyph(look, glyph, role).draw(buf, strip.x, strip.y, 1.min(strip.width), look);
        let x = strip.x + 2;
        let room = end.saturating_sub(x + 1);
        let label = (room * 3 / 5).min(LABEL_ROOM);
        Cell::text(phrase::flow_name(flow, ctx.snapshot)).keep_ends().draw(buf, x, strip.y, label, look);
        let x = x + label + 1;
        Cell::glyph(look, Glyph::HeadRight, role)
            .then(" ", Role::Text)
            .and(phrase::receivers(look, &flow.to, ctx.snapshot))
            .draw(buf, x, strip.y, end.saturating_sub(x + 1), look);
    });
}

fn find_flow<'a>(snapshot: &'a Snapshot, thing: &Thing) -> Option<&'a Flow> {
    match thing {
        Thing::Flow(id) => snapshot.flow(id).map(|flow| &**flow),
        _ => None,
    }
}

/// On a wide screen: the shape of its rate, its errors and how long it takes. Returns where they begin.
fn more(ctx: &Ctx<'_>, buf: &mut Buffer, strip: Rect, end: u16, flow: &Flow) -> u16 {
    const SPARK: u16 = 12;
    /// The names take no more than this: what is left shows more of the past.
    const OTHERS: u16 = 84;
    let look = &ctx.look_at_flow(flow);
    let spark = strip.width.saturating_sub(OTHERS).max(SPARK);
    let mut x = end.saturating_sub(spark + 1);
    phrase::spark(ctx, &flow.history, spark, Role::Muted).draw(buf, x, strip.y, spark, look);
    x = x.saturating_sub(NUMBER + 2);
    phrase::delay(look, flow.delay.as_ref()).draw_right(buf, x, strip.y, NUMBER, look);
    // Errors or none, what is left of them stands still.
    x = x.saturating_sub(NUMBER + 2);
    if flow.errors_rate.low().is_some_and(|rate| *rate > 0.0) {
        let failed = look.glyph(Glyph::Failed);
        let errors =
            Cell::styled(format!("{failed} "), Role::Error).and(phrase::errors(look, &flow.errors_rate));
        errors.draw_right(buf, x, strip.y, NUMBER, look);
    }
    x
}

/// A panel's reason for being empty, in short.
fn quiet(ctx: &Ctx<'_>, buf: &mut Buffer, body: Rect, list: ListId) {
    for (row, text) in quiet_lines(ctx, body.width, list).into_iter().enumerate() {
        line(buf, body, row as u16, &Cell::styled(text, Role::Muted), &ctx.look());
    }
}

/// Rows that the copies want under their title: one each, or those of why there are none.
pub fn stalest_rows(ctx: &Ctx<'_>, width: u16) -> u16 {
    match ctx.app.list(ListId::Stalest).rows().len() {
        0 => quiet_lines(ctx, width, ListId::Stalest).len() as u16,
        n => n as u16,
    }
}

/// The lines of why a panel is empty: the view of the list says it at length.
fn quiet_lines(ctx: &Ctx<'_>, width: u16, list: ListId) -> Vec<String> {
    let lines = blank::why(ctx, list).into_iter().take(2);
    lines.flat_map(|text| wrap(&Cell::text(&text.text).plain(), usize::from(width.max(1)))).collect()
}
