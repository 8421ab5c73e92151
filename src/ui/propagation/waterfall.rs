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
use crate::ui::widget::{Cell, Column, Look, number};
use crate::ui::{Ctx, phrase, signs};

use super::axis::Axis;
use super::bar::Bar;
use super::words;

/// Columns of the table left of the bars.
const COLUMNS: &[Column] = &[
    Column::fixed("state-sign", "", 1, 0),
    Column::text("name", "consumer", 15, 28, 0),
    Column::text("service", "service", 13, 18, 3),
    Column::text("state", "state", 10, 10, 1),
    Column::number("delay", "after", 8, 0),
    Column::number("-clock", "give or take", 12, 4),
    Column::number("deliveries", "times", 5, 2),
];
/// Columns between two parts.
const GAP: u16 = 2;
/// Below this height there is only the table.
const ROOM_FOR_WORDS: u16 = 9;

/// Draws it.
pub(super) fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas, trace: &Trace) {
    hits.add(area, Hit::List(ListId::Legs));
    let look = ctx.look();
    let mut head = about(ctx, trace, area.width);
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
    // Under the rows one line for the end of the axis; then the reasons. The detail pane says them too.
    let words = if ctx.app.detail() == Detail::Closed { reasons(ctx, trace, area.width) } else { Vec::new() };
    let high = rows + 1 + u16::from(trace.convergence.is_some());
    let (table, below) = take_top(rest, high);
    rows_of(ctx, buf, table, hits, trace);
    let (_, below) = take_top(below, u16::from(below.height > words.len() as u16));
    for (row, cell) in words.iter().take(usize::from(below.height)).enumerate() {
        line(buf, below, row as u16, cell, &look);
    }
}

/// Which message it is and where it comes from, as much of that as fits.
fn identity(ctx: &Ctx<'_>, trace: &Trace, width: u16) -> Cell {
    let look = ctx.look();
    let message = &trace.message;
    let name = phrase::local(message.id.channel.as_str(), ctx.snapshot);
    let line = |size: bool, precise: bool, age: bool| {
        let mut line = Cell::styled(format!("{name} #{}", message.id.seq), Role::Title)
            .then(format!("  {}", message.subject), Role::Text);
        if size {
            line = line.then(format!("  {}", number::bytes(message.bytes as f64)), Role::Muted);
        }
        if !trace.producers.is_empty() {
            let who = phrase::services(&look, &trace.producers, trace.producers_likely);
            line = line.then("  from ", Role::Muted).and(who);
        }
        let at = if precise { ctx.clock_precise(message.appended) } else { ctx.clock(message.appended) };
        line = line.then("  stored ", Role::Muted).then(at, Role::Text);
        match words::waited(trace, ctx.now).filter(|_| age) {
            Some(waited) => line.then(format!(", {}", number::ago(waited)), Role::Muted),
            None => line,
        }
    };
    let forms = [
        line(true, true, true),
        line(false, true, true),
        line(false, false, true),
        line(false, false, false),
    ];
    let fits = forms.iter().find(|line| line.width() <= usize::from(width));
    fits.or(forms.last()).cloned().unwrap_or_default()
}

/// Which message it is, where it comes from, and how far it is altogether.
fn about(ctx: &Ctx<'_>, trace: &Trace, width: u16) -> Vec<Cell> {
    let look = ctx.look();
    let message = &trace.message;
    let worst = ctx.app.list(ListId::Legs).rows().first().and_then(|row| leg_of(trace, row.thing.as_ref()));
    let (glyph, role) = worst.map_or((Glyph::Ok, Role::StateOk), |leg| signs::leg(ctx.snapshot, leg));
    let mut verdict =
        Cell::glyph(&look, glyph, role).then(" ", Role::Text).then(words::verdict(trace), Role::Text);
    let passed = trace.legs.iter().any(|leg| leg.state == LegState::Passed);
    if ctx.snapshot.probe == ProbeLevel::Passive && passed {
        verdict = verdict.then(
            "; at the level passive only positions tell, which have no times; p changes it",
            Role::Muted,
        );
    }
    let mut lines = vec![identity(ctx, trace, width)];
    lines.extend(verdict.wrapped(usize::from(width), 2));
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
fn rows_of(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas, trace: &Trace) {
    let look = ctx.look();
    let (area, foot) = take_bottom(area, u16::from(trace.convergence.is_some()));
    let table_width = match area.width {
        0..70 => area.width * 3 / 5,
        70..110 => 46,
        110..130 => 70,
        130.. => 88,
    };
    let (left, rest) = take_left(area, table_width);
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
    for at in 0..height.min(rows.len().saturating_sub(offset)) {
        let Some(leg) = leg(offset + at) else { continue };
        let y = area.y + 1 + at as u16;
        let bar = Bar {
            leg,
            waited: words::waited(trace, ctx.now).map(nanos),
            axis: axis.as_ref(),
            convergence: trace.convergence,
            role: bar_role(ctx, leg),
            columns: usize::from(chart.width),
        };
        bar.cell(ctx.glyphs).draw(buf, chart.x, y, chart.width, &look);
        // The selection is laid over the table alone: reversed, a bar would show what is not there.
        let strip = Rect { x: left.right(), y, width: area.right() - left.right(), height: 1 };
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
    } else if wide <= at + 1 {
        Cell::text(format!("{text} "))
            .then(ctx.glyphs.get(Glyph::CornerBottomRight), Role::Muted)
            .draw_right(buf, area.x, area.y, at + 1, &look);
    } else {
        Cell::text(text).draw_right(buf, area.x, area.y, area.width, &look);
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
    // What follows the last moment, an arrow or a sign, needs room of its own.
    (!times.is_empty()).then(|| Axis::of(times.iter().copied(), columns.saturating_sub(1)))
}

/// What is done is drawn quietly; what is not, as the consumer that it waits for.
fn bar_role(ctx: &Ctx<'_>, leg: &Leg) -> Role {
    match leg.state {
        LegState::Acknowledged => Role::Chart,
        _ => signs::leg(ctx.snapshot, leg).1,
    }
}

/// The cells of one consumer.
fn cells(ctx: &Ctx<'_>, look: &Look<'_>, trace: &Trace, leg: &Leg) -> Vec<Cell> {
    let (glyph, role) = signs::leg(ctx.snapshot, leg);
    let quiet = leg.state == LegState::NotForIt;
    let services = phrase::services(look, &leg.services, leg.services_likely);
    let name_role = if quiet { Role::Muted } else { Role::Text };
    let times = match leg.deliveries {
        Some(1) | None => Cell::empty(),
        Some(n) => {
            Cell::number(format!("{}{}", look.glyph(Glyph::Times), number::count(n)), Role::StateDegraded)
        }
    };
    vec![
        Cell::glyph(look, glyph, role),
        Cell::styled(&*leg.name, name_role).keep_ends(),
        if quiet { services.in_role(Role::Muted) } else { services },
        Cell::styled(leg.state.word(), if leg.state == LegState::Acknowledged { Role::Text } else { role }),
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

/// What has to be said in words of those that do not simply have it; who has the same said of them share a line.
fn reasons(ctx: &Ctx<'_>, trace: &Trace, width: u16) -> Vec<Cell> {
    let look = ctx.look();
    let rows = ctx.app.list(ListId::Legs).rows().iter();
    let legs = rows.filter_map(|row| leg_of(trace, row.thing.as_ref()));
    let speaks = |leg: &&Leg| {
        !matches!(leg.state, LegState::Acknowledged | LegState::NotForIt)
            || leg.steps.iter().any(|step| step.kind == AckKind::Covered)
    };
    let mut said: Vec<(Vec<&Leg>, String)> = Vec::new();
    for leg in legs.filter(speaks) {
        let why = words::why(leg);
        match said
            .iter_mut()
            .find(|(legs, text)| *text == why && legs.first().map(|l| l.state) == Some(leg.state))
        {
            Some((legs, _)) => legs.push(leg),
            None => said.push((vec![leg], why)),
        }
    }
    let sentence = |(legs, why): &(Vec<&Leg>, String)| {
        let (glyph, role) =
            legs.first().map_or((Glyph::Unknown, Role::Muted), |leg| signs::leg(ctx.snapshot, leg));
        let names: Vec<&str> = legs.iter().map(|leg| &*leg.name).collect();
        Cell::glyph(&look, glyph, role)
            .then(format!(" {}: ", names.join(", ")), Role::Text)
            .then(why, Role::Muted)
            .wrapped(usize::from(width), 2)
    };
    said.iter().flat_map(sentence).collect()
}
