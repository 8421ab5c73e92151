//! The header: whose system, how it is watched, what is not watched, and the tabs.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::hit::{Hit, HitAreas};
use crate::app::{Action, View};
use crate::model::command::ProbeLevel;
use crate::model::observation::{HealthState, SourceState};
use crate::model::snapshot::{Origin, Snapshot, Source};
use crate::theme::{Glyph, Role};
use crate::ui::Ctx;
use crate::ui::signs;
use crate::ui::widget::{Cell, number};

/// Columns between two pieces of the first line.
const GAP: u16 = 2;

/// Draws the header at the top of an area and returns how many lines it took.
pub(in crate::ui) fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) -> u16 {
    let line = |y: u16| Rect { x: area.x + 1, y: area.y + y, width: area.width - 2, height: 1 };
    first_line(ctx, buf, Rect { width: area.width - 1, ..line(0) });
    let mut used = 1;
    for notice in notices(ctx) {
        notice.draw(buf, line(used).x, line(used).y, line(used).width, &ctx.look());
        used += 1;
    }
    tabs(ctx, buf, line(used), hits);
    used + 1
}

/// A piece of the first line; the largest rank is the first to go when there is no room.
struct Piece {
    rank: u8,
    cell: Cell,
    right: bool,
}

fn first_line(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect) {
    let mut pieces = pieces(ctx);
    let needed =
        |pieces: &[Piece]| pieces.iter().map(|piece| piece.cell.width() + usize::from(GAP)).sum::<usize>();
    while needed(&pieces) > usize::from(area.width + GAP) {
        let worst = pieces.iter().enumerate().max_by_key(|(at, piece)| (piece.rank, *at));
        match worst {
            Some((at, piece)) if piece.rank > 0 => pieces.remove(at),
            _ => break,
        };
    }
    let look = ctx.look();
    let mut left = area.x;
    let mut right = area.right();
    for piece in pieces.iter().filter(|piece| piece.right).rev() {
        right = right.saturating_sub(piece.cell.width() as u16).max(left);
        piece.cell.draw(buf, right, area.y, area.right() - right, &look);
        right = right.saturating_sub(GAP);
    }
    for piece in pieces.iter().filter(|piece| !piece.right) {
        left += piece.cell.draw(buf, left, area.y, right.saturating_sub(left), &look) + GAP;
    }
}

fn pieces(ctx: &Ctx<'_>) -> Vec<Piece> {
    let snapshot = ctx.snapshot;
    let mut pieces = Vec::new();
    let mut add = |rank: u8, cell: Cell| pieces.push(Piece { rank, cell, right: false });
    add(0, Cell::styled(snapshot.system.as_deref().unwrap_or("headwater"), Role::Title));
    match snapshot.origin {
        Origin::Live => {}
        Origin::Simulated => add(0, Cell::styled(" SIMULATED ", Role::Badge)),
        Origin::Replayed => add(0, Cell::styled(" REPLAYED ", Role::Badge)),
    }
    for (at, source) in snapshot.sources.iter().filter(|source| &*source.report.kind != "health").enumerate()
    {
        // The first few sources matter most; with many, those that work go before those that do not.
        let healthy = source.report.state == SourceState::Up;
        add(if healthy { 3 + at.min(4) as u8 } else { 1 }, source_cell(ctx, source));
    }
    if let Some(health) = health(snapshot) {
        add(4, health);
    }
    let probe_role = if snapshot.probe == ProbeLevel::Passive { Role::Muted } else { Role::Badge };
    add(
        if snapshot.probe == ProbeLevel::Passive { 8 } else { 1 },
        Cell::styled(snapshot.probe.word(), probe_role),
    );
    if let Some(cost) = cost(snapshot) {
        add(9, cost);
    }
    let dropped: u64 = snapshot.sources.iter().map(|source| source.report.load.dropped).sum();
    if dropped > 0 {
        add(1, Cell::styled(format!("dropped {}", number::count(dropped)), Role::Error));
    }
    let mut add_right = |rank: u8, cell: Cell| pieces.push(Piece { rank, cell, right: true });
    let watched = Cell::styled("watching ", Role::Muted).then(number::elapsed(snapshot.watched), Role::Text);
    add_right(6, watched);
    if ctx.app.is_paused() {
        let paused = format!(" {} PAUSED ", ctx.glyphs.get(Glyph::Paused));
        add_right(0, Cell::styled(paused, Role::BadgePaused));
    }
    let clock =
        if ctx.app.utc() { format!("{} UTC", ctx.clock_short(ctx.now)) } else { ctx.clock_short(ctx.now) };
    add_right(2, Cell::text(clock));
    pieces
}

/// `nats ·`, or with the age of what it told when it does not answer: `nats ✖ 0m12`.
fn source_cell(ctx: &Ctx<'_>, source: &Source) -> Cell {
    let (glyph, role, _) = signs::source(source.report.state);
    let cell = Cell::text(source.id.as_str()).then(" ", Role::Text).then(ctx.glyphs.get(glyph), role);
    match source.report.state {
        SourceState::Up | SourceState::Degraded => cell,
        SourceState::Down | SourceState::Connecting => {
            let since = source.answered_at.unwrap_or(source.since);
            cell.then(format!(" {}", number::elapsed(ctx.now.age_since(since))), role)
        }
    }
}

/// `health 6/7`: services that say they work, of those that are asked.
fn health(snapshot: &Snapshot) -> Option<Cell> {
    let asked = snapshot.services.iter().filter(|service| !service.health.is_empty());
    let (mut up, mut all) = (0, 0);
    for service in asked {
        all += 1;
        up += u32::from(service.state == HealthState::Up);
    }
    let role = if up < all { Role::StateDegraded } else { Role::Text };
    (all > 0).then(|| Cell::styled("health ", Role::Muted).then(format!("{up}/{all}"), role))
}

/// `cost 12 req/s`: what watching costs the brokers.
fn cost(snapshot: &Snapshot) -> Option<Cell> {
    let sum = |of: fn(&Source) -> Option<f64>| {
        snapshot.sources.iter().filter_map(|source| of(source)).reduce(|a, b| a + b)
    };
    let requests = sum(|source| source.requests_per_s.low().copied())?;
    let mut cell = Cell::styled("cost ", Role::Muted)
        .then(number::rate(requests).replace("/s", ""), Role::Text)
        .then(" req/s", Role::Muted);
    if let Some(messages) = sum(|source| source.messages_per_s.low().copied()).filter(|rate| *rate > 0.0) {
        cell = cell
            .then(format!(" {}", number::rate(messages).replace("/s", "")), Role::Text)
            .then(" msg/s", Role::Muted);
    }
    Some(cell)
}

/// Lines for what is not watched and what is wrong with the topology.
fn notices(ctx: &Ctx<'_>) -> Vec<Cell> {
    let snapshot = ctx.snapshot;
    let mut lines = Vec::new();
    if let Some((first, rest)) = snapshot.not_watched.split_first() {
        let mut cell = Cell::styled("NOT watched: ", Role::StateDegraded)
            .then(&first.what, Role::Text)
            .then(format!(" ({})", first.why), Role::Muted);
        if !rest.is_empty() {
            cell = cell.then(format!(" and {} more", rest.len()), Role::Muted);
        }
        lines.push(cell);
    }
    for source in &snapshot.sources {
        if let (SourceState::Down, Some(error)) = (source.report.state, &source.report.error) {
            let age = source.answered_at.map(|at| number::elapsed(ctx.now.age_since(at)));
            let age = age.map(|age| format!("; numbers are {age} old")).unwrap_or_default();
            lines.push(
                Cell::styled(format!("{} lost: ", source.id), Role::StateDown)
                    .then(error, Role::Text)
                    .then(age, Role::Muted),
            );
            break;
        }
    }
    if let Some(problem) = snapshot.topology.as_ref().and_then(|topology| topology.problems.first()) {
        let more = snapshot.topology.as_ref().map_or(0, |topology| topology.problems.len() - 1);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        lines.push(
            Cell::styled("topology not taken: ", Role::StateDegraded)
                .then(problem, Role::Text)
                .then(format!("{more}; the last good one is shown"), Role::Muted),
        );
    }
    lines
}

fn tabs(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
    let look = ctx.look();
    let mut x = area.x;
    for view in View::ALL {
        let role = if *view == ctx.view() { Role::TabActive } else { Role::Tab };
        let cell = Cell::styled(format!("{}", view.number()), Role::Key)
            .then(" ", Role::Text)
            .then(view.title(), role);
        let used = cell.draw(buf, x, area.y, area.right().saturating_sub(x), &look);
        hits.add(Rect { x, y: area.y, width: used, height: 1 }, Hit::Do(Action::Show(*view)));
        x += used + 2;
    }
    if let Some(filter) = filter(ctx) {
        let room = area.right().saturating_sub(x);
        filter.draw_right(buf, x, area.y, room, &look);
    }
}

/// The filter of the view, so that nobody wonders where rows went.
fn filter(ctx: &Ctx<'_>) -> Option<Cell> {
    let text = ctx.app.filter_text();
    if text.is_empty() || ctx.app.typing().is_some() {
        return None;
    }
    if ctx.app.filter_error().is_some() {
        return Some(Cell::styled("/ not understood", Role::Error));
    }
    let hidden = format!("/ hides {}  ", number::count(ctx.app.hidden() as u64));
    Some(Cell::styled(hidden, Role::Muted).then(text, Role::Match))
}
