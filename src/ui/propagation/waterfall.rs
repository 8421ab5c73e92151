//! One message: what is known of it, and one row for each consumer of its channel with its bar on the time axis.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::Detail;
use crate::app::hit::{Hit, HitAreas};
use crate::app::list::ListId;
use crate::model::acks::AckKind;
use crate::model::command::ProbeLevel;
use crate::model::snapshot::Thing;
use crate::model::time::nanos;
use crate::model::trace::{Leg, LegState, Trace};
use crate::theme::{Glyph, Role};
use crate::ui::area::{line, take_bottom, take_left, take_top};
use crate::ui::widget::table::highlight;
use crate::ui::widget::{Cell, Column, Look, number};
use crate::ui::{Ctx, phrase, signs};

use super::axis::Axis;
use super::bar::Bar;
use super::words;

/// Columns of the table left of the bars.
const COLUMNS: &[Column] = &[
    Column::fixed("state-sign", "", 1, 0),
    Column::text("name", "consumer", 13, 26, 0),
    Column::text("service", "service", 13, 18, 3),
    Column::text("state", "state", 10, 10, 1),
    Column::number("delay", "after", 8, 0),
    Column::number("-clock", "give or take", 12, 4),
    Column::number("deliveries", "times", 5, 2),
];
/// From this width on the reasons stand beside the bars, not below them.
const WIDE: u16 = 150;
/// Columns of the reasons.
const REASONS: u16 = 46;
/// Columns between two parts.
const GAP: u16 = 2;
/// Below this height there is only the table.
const ROOM_FOR_WORDS: u16 = 9;

/// Draws it.
pub(super) fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas, trace: &Trace) {
    hits.add(area, Hit::List(ListId::Legs));
    let look = ctx.look();
    let mut head = about(ctx, trace);
    if area.height < ROOM_FOR_WORDS {
        head.truncate(2);
    }
    let (top, rest) = take_top(area, head.len() as u16);
    for (row, cell) in head.iter().enumerate() {
        line(buf, top, row as u16, cell, &look);
    }
    let rest = if area.height < ROOM_FOR_WORDS { rest } else { take_top(rest, 1).1 };
    if trace.legs.is_empty() {
        return;
    }
    let rows = ctx.app.list(ListId::Legs).rows().len() as u16;
    // Under the rows one line for the end of the axis; then the reasons, when they do not stand beside.
    let wide = area.width >= WIDE;
    let words =
        if wide || ctx.app.detail() != Detail::Closed { Vec::new() } else { reasons(ctx, trace, area.width) };
    let wanted = (rows + 2).min(rest.height);
    let (table, below) =
        take_top(rest, wanted.max(rest.height.saturating_sub(words.len() as u16 + 1)).min(rows + 2));
    rows_of(ctx, buf, table, hits, trace, wide);
    let (_, below) = take_top(below, u16::from(below.height > words.len() as u16));
    for (row, cell) in words.iter().take(usize::from(below.height)).enumerate() {
        line(buf, below, row as u16, cell, &look);
    }
}

/// Which message it is, where it comes from, and how far it is altogether.
fn about(ctx: &Ctx<'_>, trace: &Trace) -> Vec<Cell> {
    let look = ctx.look();
    let message = &trace.message;
    let name = phrase::local(message.id.channel.as_str(), ctx.snapshot);
    let mut first = Cell::styled(format!("{name} #{}", message.id.seq), Role::Title)
        .then(format!("  {}", message.subject), Role::Text)
        .then(format!("  {}", number::bytes(message.bytes as f64)), Role::Muted);
    if !trace.producers.is_empty() {
        let who = phrase::services(&look, &trace.producers, trace.producers_likely);
        first = first.then("  from ", Role::Muted).and(who);
    }
    first = first.then("  stored ", Role::Muted).then(ctx.clock_precise(message.appended), Role::Text);
    if let Some(waited) = words::waited(trace, ctx.now) {
        first = first.then(format!(", {}", number::ago(waited)), Role::Muted);
    }
    let worst = ctx.app.list(ListId::Legs).rows().first().and_then(|row| leg_of(trace, row.thing.as_ref()));
    let (glyph, role) = worst.map_or((Glyph::Ok, Role::StateOk), |leg| signs::leg(ctx.snapshot, leg));
    let mut verdict =
        Cell::glyph(&look, glyph, role).then(" ", Role::Text).then(words::verdict(trace), Role::Text);
    let passed = trace.legs.iter().any(|leg| leg.state == LegState::Passed);
    if ctx.snapshot.probe == ProbeLevel::Passive && passed {
        verdict = verdict.then(": at the level passive only positions tell; p changes it", Role::Muted);
    }
    let mut lines = vec![first, verdict];
    if !message.headers.is_empty() {
        let mut headers = Cell::empty();
        for (at, (name, value)) in message.headers.iter().enumerate() {
            let gap = if at == 0 { "" } else { "  " };
            headers = headers.then(format!("{gap}{name} "), Role::Muted).then(&**value, Role::Text);
        }
        lines.push(headers);
    }
    lines
}

fn leg_of<'a>(trace: &'a Trace, thing: Option<&Thing>) -> Option<&'a Leg> {
    let Some(Thing::Consumer(id)) = thing else { return None };
    trace.legs.iter().find(|leg| leg.consumer == *id)
}

/// The table with the bars beside it, and the end of the axis under it.
fn rows_of(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas, trace: &Trace, wide: bool) {
    let look = ctx.look();
    let (area, foot) = take_bottom(area, 1);
    let (_, right_edge) = (area.x, area.right());
    let reasons = if wide { REASONS.max(area.width / 4) } else { 0 };
    let room = area.width.saturating_sub(reasons);
    let table_width = match room {
        0..70 => room * 3 / 5,
        70..100 => 44,
        100..130 => 60,
        130.. => 82,
    };
    let (left, rest) = take_left(Rect { width: room, ..area }, table_width);
    let (_, chart) = take_left(rest, GAP);
    let axis = axis(ctx, trace, chart.width);
    let rows = ctx.app.list(ListId::Legs).rows();
    let leg = |index: usize| rows.get(index).and_then(|row| leg_of(trace, row.thing.as_ref()));

    ctx.table(ListId::Legs, COLUMNS).draw(buf, left, &look, hits, |index| {
        leg(index).map(|leg| cells(ctx, &look, trace, leg)).unwrap_or_default()
    });
    let (offset, height) = hits.viewport_of(ListId::Legs).unwrap_or((0, 0));
    if let Some(axis) = &axis {
        Cell::styled(axis.labels(), Role::TableHeader).draw(buf, chart.x, chart.y, chart.width, &look);
    }
    let why_x = room + area.x + GAP;
    if wide {
        let room = right_edge.saturating_sub(why_x);
        Cell::styled("how it is known", Role::TableHeader).draw(buf, why_x, area.y, room, &look);
    }
    for at in 0..height.min(rows.len().saturating_sub(offset)) {
        let Some(leg) = leg(offset + at) else { continue };
        let y = area.y + 1 + at as u16;
        let bar = Bar {
            leg,
            waited: words::waited(trace, ctx.now).map(nanos),
            axis: axis.as_ref(),
            convergence: trace.convergence,
            role: signs::leg(ctx.snapshot, leg).1,
            columns: usize::from(chart.width),
        };
        bar.cell(ctx.glyphs).draw(buf, chart.x, y, chart.width, &look);
        if wide {
            let room = right_edge.saturating_sub(why_x);
            Cell::styled(words::why(leg), Role::Muted).draw(buf, why_x, y, room, &look);
        }
        let strip = Rect { x: left.right(), y, width: right_edge - left.right(), height: 1 };
        if ctx.app.list(ListId::Legs).selected_index() == Some(offset + at) {
            highlight(buf, strip, &look, ctx.app.focused(ListId::Legs));
        }
        hits.add(strip, Hit::Row(ListId::Legs, offset + at));
    }
    end_of_axis(ctx, buf, Rect { x: chart.x, width: chart.width, ..foot }, trace, axis.as_ref());
}

/// Where everybody has it, in words under the mark in the rows.
fn end_of_axis(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, trace: &Trace, axis: Option<&Axis>) {
    let look = ctx.look();
    let (Some(axis), Some(nanos)) = (axis, trace.convergence) else { return };
    let text = format!("everybody has it: {}", number::signed_nanos(nanos));
    let at = axis.column(nanos) as u16;
    let wide = text.chars().count() as u16 + 2;
    // On the side of the mark where there is room.
    if at + wide <= area.width {
        Cell::glyph(&look, Glyph::LastBranch, Role::Muted).then(format!(" {text}"), Role::Text).draw(
            buf,
            area.x + at,
            area.y,
            area.width - at,
            &look,
        );
    } else {
        Cell::text(format!("{text} "))
            .then(ctx.glyphs.get(Glyph::CornerBottomRight), Role::Muted)
            .draw_right(buf, area.x, area.y, at + 1, &look);
    }
}

/// An axis for everything that has a time; `None` when nothing has.
fn axis(ctx: &Ctx<'_>, trace: &Trace, columns: u16) -> Option<Axis> {
    let pending = trace.legs.iter().any(|leg| matches!(leg.state, LegState::Waiting | LegState::InFlight));
    let waited = words::waited(trace, ctx.now).filter(|_| pending).map(nanos);
    let steps = trace.legs.iter().flat_map(|leg| &leg.steps);
    let heard = steps.map(|step| step.at.nanos_since(step.appended));
    let delays = trace.legs.iter().filter_map(|leg| leg.delay);
    let times: Vec<i64> = heard.chain(delays).chain(waited).collect();
    (!times.is_empty()).then(|| Axis::of(times.iter().copied(), columns))
}

/// The cells of one consumer.
fn cells(ctx: &Ctx<'_>, look: &Look<'_>, trace: &Trace, leg: &Leg) -> Vec<Cell> {
    let (glyph, role) = signs::leg(ctx.snapshot, leg);
    let quiet = leg.state == LegState::NotForIt;
    let name_role = if quiet { Role::Muted } else { Role::Text };
    let times = match leg.deliveries {
        Some(1) => Cell::empty(),
        Some(n) => {
            Cell::number(format!("{}{}", look.glyph(Glyph::Times), number::count(n)), Role::StateDegraded)
        }
        None => Cell::empty(),
    };
    vec![
        Cell::glyph(look, glyph, role),
        Cell::styled(&*leg.name, name_role).keep_ends(),
        phrase::services(look, &leg.services, leg.services_likely),
        Cell::styled(leg.state.word(), if quiet { Role::Muted } else { role }),
        after(ctx, look, trace, leg),
        leg.error.map_or_else(Cell::empty, |error| Cell::number(number::duration(error), Role::Muted)),
        times,
    ]
}

/// The delay that was heard; for what still waits, how long it has waited. Past its limit it is marked.
fn after(ctx: &Ctx<'_>, look: &Look<'_>, trace: &Trace, leg: &Leg) -> Cell {
    let limit = ctx.snapshot.consumer(&leg.consumer).and_then(|consumer| consumer.max_delay);
    let waits = matches!(leg.state, LegState::Waiting | LegState::InFlight);
    match (leg.delay, words::waited(trace, ctx.now).filter(|_| waits)) {
        (Some(delay), _) => {
            let late = limit.is_some_and(|limit| delay > nanos(limit));
            Cell::number(number::signed_nanos(delay), if late { Role::StateDegraded } else { Role::Text })
        }
        (None, Some(waited)) => {
            let late = limit.is_some_and(|limit| waited > limit);
            let text = format!("{}{}", number::duration(waited), look.glyph(Glyph::Ellipsis));
            Cell::number(text, if late { Role::StateDegraded } else { Role::Text })
        }
        (None, None) => phrase::none(look),
    }
}

/// What has to be said in words of those that do not simply have it, one item for each.
fn reasons(ctx: &Ctx<'_>, trace: &Trace, width: u16) -> Vec<Cell> {
    let look = ctx.look();
    let rows = ctx.app.list(ListId::Legs).rows().iter();
    let legs = rows.filter_map(|row| leg_of(trace, row.thing.as_ref()));
    let speaks = |leg: &&Leg| {
        !matches!(leg.state, LegState::Acknowledged | LegState::NotForIt)
            || leg.steps.iter().any(|step| step.kind == AckKind::Covered)
    };
    legs.filter(speaks)
        .flat_map(|leg| {
            let (glyph, role) = signs::leg(ctx.snapshot, leg);
            Cell::glyph(&look, glyph, role)
                .then(format!(" {}: ", leg.name), Role::Text)
                .then(words::why(leg), Role::Muted)
                .wrapped(usize::from(width), 2)
        })
        .collect()
}
