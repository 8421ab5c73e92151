//! One message: what is known of it, and one row for each consumer of its channel with its bar on the time axis.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::Detail;
use crate::app::hit::{Hit, HitAreas};
use crate::app::item::Item;
use crate::app::list::{ListId, RowId};
use crate::model::acks::AckKind;
use crate::model::command::ProbeLevel;
use crate::model::time::nanos;
use crate::model::trace::{Leg, LegState, Line, Trace, find, story};
use crate::theme::{Glyph, Role};
use crate::ui::area::{line, take_bottom, take_left, take_top};
use crate::ui::widget::{Cell, Column, Look, number, text};
use crate::ui::{Ctx, phrase, signs};

use super::axis::Axis;
use super::bar::Bar;
use super::words;

/// Columns of the table left of the bars, and of a message that brings no version of a record.
const COLUMNS: &[Column] = &[
    Column::fixed("state-sign", "", 1, 0),
    Column::text("name", "consumer", 15, 40, 0),
    Column::text("service", "service", 13, 18, 3),
    Column::text("state", "state", 10, 10, 1),
    Column::number("delay", "after", 8, 0),
    Column::number("-clock", "give or take", 12, 4),
    Column::number("deliveries", "times", 5, 2),
];
const WITH_VERSIONS: &[Column] = &[
    Column::fixed("state-sign", "", 1, 0),
    Column::text("name", "consumer", 15, 40, 0),
    Column::text("service", "service", 13, 18, 3),
    Column::text("-holds", "has", 6, 12, 2),
    Column::text("state", "state", 10, 10, 1),
    Column::number("delay", "after", 8, 0),
    Column::number("-clock", "give or take", 12, 4),
    Column::number("deliveries", "times", 5, 2),
];
/// The place of the version that a consumer has.
const HAS: usize = 3;
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
    let story = story(&ctx.snapshot.traces, trace);
    let rows = ctx.app.list(ListId::Legs).rows().len() as u16;
    // Under the rows one line for the end of the axis; then the reasons. The detail pane says them too.
    let words =
        if ctx.app.detail() == Detail::Closed { reasons(ctx, trace, &story, area.width) } else { Vec::new() };
    let high = rows + 1 + u16::from(trace.convergence.is_some());
    let (table, below) = take_top(rest, high);
    rows_of(ctx, buf, table, hits, trace, &story);
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
    let worst = trace.legs.iter().min_by_key(|leg| leg.state.rank());
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
    let record = words::record(trace).map(|text| {
        let follows = followed_record(ctx, trace).map_or_else(String::new, |why| format!("  {why}"));
        Cell::styled(text, Role::Title).then(follows, Role::Muted)
    });
    let committed = words::committed(message);
    match (record, committed) {
        (Some(record), Some(committed)) => lines.push(record.then(format!("  {committed}"), Role::Muted)),
        (Some(record), None) => lines.push(record),
        (None, Some(committed)) => lines.push(Cell::styled(committed, Role::Muted)),
        (None, None) => {}
    }
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

/// That its record is followed.
fn followed_record(ctx: &Ctx<'_>, trace: &Trace) -> Option<String> {
    let first = trace.version_of.as_ref().map_or(Some(trace), |of| find(&ctx.snapshot.traces, of));
    first.filter(|first| first.is_record_followed()).map(|_| "followed".to_owned())
}

fn line_of<'a>(story: &[Line<'a>], row: &RowId) -> Option<Line<'a>> {
    story.iter().find(|line| Item::Line(**line).row_id() == *row).copied()
}

/// When a message was stored, in nanoseconds after the one of which it came.
fn after_first(first: &Trace, line: &Line<'_>) -> i64 {
    line.trace.message.appended.nanos_since(first.message.appended)
}

/// The table with the bars beside it, and the end of the axis under it.
fn rows_of(
    ctx: &Ctx<'_>,
    buf: &mut Buffer,
    area: Rect,
    hits: &mut HitAreas,
    trace: &Trace,
    story: &[Line<'_>],
) {
    let look = ctx.look();
    let (area, foot) = take_bottom(area, u16::from(trace.convergence.is_some()));
    let table_width = match area.width {
        0..70 => area.width * 3 / 5,
        70..110 => 46,
        110..130 => 70,
        130..180 => 88,
        180.. => 100,
    };
    let (left, rest) = take_left(area, table_width);
    let (_, chart) = take_left(rest, GAP);
    let axis = axis(ctx, trace, story, chart.width);
    let rows = ctx.app.list(ListId::Legs).rows();
    let line = |index: usize| rows.get(index).and_then(|row| line_of(story, row));

    let versions = trace.record.is_some();
    ctx.table(ListId::Legs, if versions { WITH_VERSIONS } else { COLUMNS }).draw(
        buf,
        left,
        &look,
        hits,
        |index| {
            let mut cells = line(index).map(|line| cells(ctx, &look, trace, &line)).unwrap_or_default();
            if !versions && cells.len() > HAS {
                cells.remove(HAS);
            }
            cells
        },
    );
    let (offset, height) = hits.viewport_of(ListId::Legs).unwrap_or((0, 0));
    if let Some(axis) = &axis {
        Cell::styled(axis.labels(), Role::TableHeader).draw(buf, chart.x, chart.y, chart.width, &look);
    }
    for at in 0..height.min(rows.len().saturating_sub(offset)) {
        let Some(line) = line(offset + at) else { continue };
        let y = area.y + 1 + at as u16;
        let from = after_first(trace, &line);
        let cell = if let Some(leg) = line.leg {
            let bar = Bar {
                leg,
                waited: words::waited(line.trace, ctx.now).map(nanos),
                axis: axis.as_ref(),
                from,
                convergence: trace.convergence.filter(|_| line.depth == 0),
                role: bar_role(ctx, leg),
                columns: usize::from(chart.width),
            };
            bar.cell(ctx.glyphs)
        } else {
            let column = axis.as_ref().map_or(0, |axis| axis.column(from));
            sent(&look, &line, column, usize::from(chart.width))
        };
        cell.draw(buf, chart.x, y, chart.width, &look);
        // The selection is laid over the table alone: reversed, a bar would show what is not there.
        let strip = Rect { x: left.right(), y, width: area.right() - left.right(), height: 1 };
        hits.add(strip, Hit::Row(ListId::Legs, offset + at));
    }
    end_of_axis(ctx, buf, Rect { x: chart.x, width: chart.width, ..foot }, trace, axis.as_ref());
}

/// A message that came of another: a dot where it was stored, and beside it, where there is room, how it is known to have come of it.
fn sent(look: &Look<'_>, line: &Line<'_>, column: usize, columns: usize) -> Cell {
    let words = line.trace.origin.as_ref().map_or_else(String::new, |origin| origin.link.words());
    let wide = text::width(&words) + 1;
    let dot = Cell::glyph(look, Glyph::Moving, Role::Chart);
    if column + 1 + wide <= columns {
        Cell::text(" ".repeat(column)).and(dot).then(format!(" {words}"), Role::Muted)
    } else if wide <= column {
        Cell::text(" ".repeat(column - wide)).then(format!("{words} "), Role::Muted).and(dot)
    } else {
        Cell::text(" ".repeat(column)).and(dot)
    }
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
fn axis(ctx: &Ctx<'_>, trace: &Trace, story: &[Line<'_>], columns: u16) -> Option<Axis> {
    let mut times = Vec::new();
    for line in story {
        let from = after_first(trace, line);
        let Some(leg) = line.leg else {
            times.push(from);
            continue;
        };
        let pending = matches!(leg.state, LegState::Waiting | LegState::InFlight);
        let waited = words::waited(line.trace, ctx.now).filter(|_| pending).map(nanos);
        let heard = leg.steps.iter().map(|step| step.at.nanos_since(step.appended));
        times.extend(heard.chain(leg.delay).chain(waited).map(|time| from.saturating_add(time)));
    }
    // What follows the last moment, an arrow or a sign, needs room of its own.
    let axis = if story.iter().any(|line| line.depth > 0) { Axis::even } else { Axis::of };
    (!times.is_empty()).then(|| axis(times.iter().copied(), columns.saturating_sub(1)))
}

/// What is done is drawn quietly; what is not, as the consumer that it waits for.
fn bar_role(ctx: &Ctx<'_>, leg: &Leg) -> Role {
    match leg.state {
        LegState::Applied | LegState::Acknowledged => Role::Chart,
        _ => signs::leg(ctx.snapshot, leg).1,
    }
}

/// The cells of one consumer, or of a message that came of another.
fn cells(ctx: &Ctx<'_>, look: &Look<'_>, first: &Trace, line: &Line<'_>) -> Vec<Cell> {
    let indent = "  ".repeat(line.depth.saturating_sub(usize::from(line.leg.is_none())));
    let Some(leg) = line.leg else { return message_cells(look, first, line, &indent) };
    let (glyph, role) = signs::leg(ctx.snapshot, leg);
    let quiet = leg.state == LegState::NotForIt;
    let settled = matches!(leg.state, LegState::Acknowledged | LegState::Applied);
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
        Cell::styled(format!("{indent}{}", leg.name), name_role).keep_ends(),
        if quiet { services.in_role(Role::Muted) } else { services },
        held(look, line.trace, leg),
        Cell::styled(leg.state.word(), if settled { Role::Text } else { role }),
        after(ctx, look, line.trace, leg),
        leg.error.map_or_else(Cell::empty, |error| Cell::number(number::duration(error), Role::Muted)),
        times,
    ]
}

/// Which version of the record a consumer's service has: as a copy, or because it has reacted to it.
fn held(look: &Look<'_>, trace: &Trace, leg: &Leg) -> Cell {
    if trace.record.is_none() || leg.state == LegState::NotForIt {
        return Cell::empty();
    }
    let sign = if leg.copy {
        Cell::glyph(look, Glyph::Copy, Role::Text).then(" ", Role::Text)
    } else {
        Cell::empty()
    };
    match &leg.holds {
        Some(version) => {
            let late = !leg.state.has_it();
            sign.then(&**version, if late { Role::StateDegraded } else { Role::Text })
        }
        None => sign.and(phrase::none(look)),
    }
}

/// When it was stored is told from the beginning of the story; how long its consumers took, from its own.
fn message_cells(look: &Look<'_>, first: &Trace, line: &Line<'_>, indent: &str) -> Vec<Cell> {
    let sender = line.trace.origin.as_ref().and_then(|origin| origin.service.as_ref());
    let when = number::signed_nanos(after_first(first, line));
    vec![
        Cell::empty(),
        Cell::styled(indent, Role::Muted)
            .and(Cell::glyph(look, Glyph::LastBranch, Role::Muted))
            .then(format!(" {}", line.trace.message.subject), Role::Title)
            .keep_ends(),
        sender.map_or_else(|| phrase::none(look), |service| Cell::text(service.as_str())),
        Cell::empty(),
        Cell::styled("sent", Role::Muted),
        Cell::number(when, Role::Muted),
        Cell::empty(),
        Cell::empty(),
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
fn reasons(ctx: &Ctx<'_>, trace: &Trace, story: &[Line<'_>], width: u16) -> Vec<Cell> {
    let look = ctx.look();
    let rows = ctx.app.list(ListId::Legs).rows().iter();
    let legs = rows.filter_map(|row| line_of(story, row)?.leg);
    let speaks = |leg: &&Leg| {
        !matches!(leg.state, LegState::Applied | LegState::Acknowledged | LegState::NotForIt)
            || (leg.copy && leg.state == LegState::Acknowledged)
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
    let mut lines: Vec<Cell> = said.iter().flat_map(sentence).collect();
    if let Some(text) = words::consequences(trace, story) {
        lines.extend(Cell::styled(text, Role::Muted).wrapped(usize::from(width), 2));
    }
    lines
}
