//! The header: whose system, how it is watched, what is not watched, and the tabs.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::hit::{Hit, HitAreas};
use crate::app::{Action, View};
use crate::model::observation::{HealthState, SourceState};
use crate::model::snapshot::{Origin, Snapshot, Source};
use crate::theme::{Glyph, Role};
use crate::ui::Ctx;
use crate::ui::widget::{Cell, Look, number, text};
use crate::ui::{lost_since, signs};

/// Columns between two pieces of the first line.
const GAP: u16 = 2;
/// From this height on a fault in the topology may take two lines.
const TALL: u16 = 20;
/// Columns of the system's name where room is short.
const SYSTEM: usize = 16;
/// Columns that a filter may take from the names of the views.
const FILTER: usize = 24;

/// Draws the header at the top of an area and returns how many lines it took.
pub(in crate::ui) fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) -> u16 {
    let line = |y: u16| Rect { x: area.x + 1, y: area.y + y, width: area.width - 2, height: 1 };
    first_line(ctx, buf, Rect { width: area.width - 1, ..line(0) });
    let mut used = 1;
    for notice in notices(ctx, line(0).width, area.height >= TALL) {
        notice.draw(buf, line(used), &ctx.look());
        used += 1;
    }
    tabs(ctx, buf, line(used), hits);
    used + 1
}

/// A piece of the first line, and how it gives way when there is no room.
struct Piece {
    cell: Cell,
    /// What becomes of it, step by step: shorter forms, and at last nothing. Of all pieces, the step with the largest rank
    /// is taken first.
    steps: Vec<(u8, Option<Cell>)>,
    right: bool,
    /// There is room for it.
    shown: bool,
}

impl Piece {
    /// A piece that stays.
    fn new(cell: Cell) -> Self {
        Self { cell, steps: Vec::new(), right: false, shown: true }
    }

    fn on_the_right(self) -> Self {
        Self { right: true, ..self }
    }

    fn shorter(mut self, rank: u8, cell: Cell) -> Self {
        self.steps.push((rank, Some(cell)));
        self
    }

    fn gone(mut self, rank: u8) -> Self {
        self.steps.push((rank, None));
        self
    }

    /// Takes its next step.
    fn give_way(&mut self) {
        match (!self.steps.is_empty()).then(|| self.steps.remove(0).1) {
            Some(Some(cell)) => self.cell = cell,
            Some(None) => self.shown = false,
            None => {}
        }
    }
}

/// Ranks of the steps by which pieces give way, the largest first. What is wrong, what is not real and how much is up stay
/// longest; then what watching costs; what the terminal or another view tells too goes first.
mod rank {
    pub(super) const HOW_TO_BE_REAL_IN_SHORT: u8 = 22;
    pub(super) const HOW_TO_BE_REAL: u8 = 21;
    pub(super) const WATCHING_IN_SHORT: u8 = 20;
    pub(super) const COST_OF_REQUESTS: u8 = 19;
    pub(super) const FURTHER_SOURCE: u8 = 17;
    pub(super) const HEALTH_IN_SHORT: u8 = 16;
    pub(super) const CLOCK: u8 = 12;
    pub(super) const FIRST_SOURCE: u8 = 11;
    pub(super) const WATCHING: u8 = 10;
    pub(super) const SYSTEM_IN_SHORT: u8 = 9;
    pub(super) const FURTHER_TROUBLE: u8 = 6;
    pub(super) const HEALTH_IN_FIGURES: u8 = 5;
    pub(super) const HEALTH: u8 = 1;
    pub(super) const DROPPED: u8 = 3;
    pub(super) const AGE: u8 = 4;
    pub(super) const TROUBLE: u8 = 3;
    pub(super) const COST: u8 = 2;
}

fn first_line(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect) {
    let mut pieces = pieces(ctx);
    let too_wide = |pieces: &[Piece]| {
        let shown = pieces.iter().filter(|piece| piece.shown);
        shown.map(|piece| piece.cell.width() + usize::from(GAP)).sum::<usize>()
            > usize::from(area.width + GAP)
    };
    while too_wide(&pieces) {
        let next = |piece: &Piece| piece.steps.first().map(|(rank, _)| *rank);
        let Some(piece) =
            pieces.iter_mut().filter(|piece| piece.shown && next(piece).is_some()).max_by_key(|p| next(p))
        else {
            break;
        };
        piece.give_way();
    }
    // What went for the sake of something larger and fits all the same comes back.
    for at in 0..pieces.len() {
        let Some(piece) = pieces.get_mut(at).filter(|piece| !piece.shown) else { continue };
        piece.shown = true;
        if too_wide(&pieces)
            && let Some(piece) = pieces.get_mut(at)
        {
            piece.shown = false;
        }
    }
    pieces.retain(|piece| piece.shown);
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
    let system = snapshot.system.as_deref().unwrap_or("headwater");
    let short = text::truncate(system, SYSTEM, ctx.glyphs.get(Glyph::Ellipsis));
    let mut pieces = vec![
        Piece::new(Cell::styled(system, Role::Title))
            .shorter(rank::SYSTEM_IN_SHORT, Cell::styled(short, Role::Title)),
    ];
    match snapshot.origin {
        Origin::Live => {}
        Origin::Simulated => {
            pieces.push(Piece::new(Cell::styled(" SIMULATED ", Role::Badge)));
            let how = |text: &str| Cell::styled(text, Role::Muted);
            pieces.push(
                Piece::new(how("for real: nats-server on PATH, or --broker URL"))
                    .shorter(rank::HOW_TO_BE_REAL_IN_SHORT, how("real: nats-server on PATH"))
                    .gone(rank::HOW_TO_BE_REAL),
            );
        }
        Origin::Replayed => pieces.push(Piece::new(Cell::styled(" REPLAYED ", Role::Badge))),
    }
    let (mut working, mut in_trouble) = (0, 0);
    for source in snapshot.sources.iter().filter(|source| &*source.report.kind != "health") {
        // Those that work go before those that do not; of each, the first one goes last.
        let (nth, first, further) = match source.report.state {
            SourceState::Up => (&mut working, rank::FIRST_SOURCE, rank::FURTHER_SOURCE),
            _ => (&mut in_trouble, rank::TROUBLE, rank::FURTHER_TROUBLE),
        };
        let rank = if *nth == 0 { first } else { further };
        *nth += 1;
        let (short, whole) = source_cell(ctx, source);
        let piece = Piece::new(whole);
        // How old its numbers are stands on a line of its own, too.
        let piece = if lost_since(source).is_some() { piece.shorter(rank::AGE, short) } else { piece };
        pieces.push(piece.gone(rank));
    }
    if let Some(health) = health(snapshot) {
        let [whole, short, shortest] = health;
        pieces.push(
            Piece::new(whole)
                .shorter(rank::HEALTH_IN_SHORT, short)
                .shorter(rank::HEALTH_IN_FIGURES, shortest)
                .gone(rank::HEALTH),
        );
    }
    // How deep we look and what that costs are one fact, and stay together.
    pieces.push(Piece::new(super::probe::badge(snapshot)));
    let dropped: u64 = snapshot.sources.iter().map(|source| source.report.load.dropped).sum();
    if dropped > 0 {
        let cell = Cell::styled(format!("dropped {}", number::count(dropped)), Role::Error);
        pieces.push(Piece::new(cell).gone(rank::DROPPED));
    }
    if let Some((whole, requests)) = cost(ctx) {
        pieces.push(Piece::new(whole).shorter(rank::COST_OF_REQUESTS, requests).gone(rank::COST));
    }
    let watched =
        |word: &str| Cell::styled(word, Role::Muted).then(number::elapsed(snapshot.watched), Role::Text);
    pieces.push(
        Piece::new(watched("watching "))
            .shorter(rank::WATCHING_IN_SHORT, watched("for "))
            .gone(rank::WATCHING)
            .on_the_right(),
    );
    if ctx.app.is_paused() {
        let paused = format!(" {} PAUSED ", ctx.glyphs.get(Glyph::Paused));
        pieces.push(Piece::new(Cell::styled(paused, Role::BadgePaused)).on_the_right());
    }
    let clock =
        if ctx.app.utc() { format!("{} UTC", ctx.clock_short(ctx.now)) } else { ctx.clock_short(ctx.now) };
    pieces.push(Piece::new(Cell::text(clock)).gone(rank::CLOCK).on_the_right());
    pieces
}

/// `nats ·`, and with the age of what it told when it does not answer: `nats ✖ 0m12`.
fn source_cell(ctx: &Ctx<'_>, source: &Source) -> (Cell, Cell) {
    let (glyph, role, _) = signs::source(source.report.state);
    let cell = Cell::text(source.id.as_str()).then(" ", Role::Text).then(ctx.glyphs.get(glyph), role);
    match source.report.state {
        SourceState::Up | SourceState::Degraded => (cell.clone(), cell),
        SourceState::Down | SourceState::Connecting => {
            let since = source.answered_at.unwrap_or(source.since);
            let age = format!(" {}", number::elapsed(ctx.now.age_since(since)));
            (cell.clone(), cell.then(age, role))
        }
    }
}

/// `health 6/7`, in short `6/7 up` and `6/7`: services that say they work, of those that are asked.
fn health(snapshot: &Snapshot) -> Option<[Cell; 3]> {
    let asked = snapshot.services.iter().filter(|service| !service.health.is_empty());
    let (mut up, mut all) = (0, 0);
    for service in asked {
        all += 1;
        up += u32::from(service.state == HealthState::Up);
    }
    let role = if up < all { Role::StateDegraded } else { Role::Text };
    let share = Cell::styled(format!("{up}/{all}"), role);
    let whole = Cell::styled("health ", Role::Muted).and(share.clone());
    (all > 0).then(|| [whole, share.clone().then(" up", Role::Muted), share])
}

/// `cost 12 req/s 300 msg/s`, in short `cost 12 req/s`: what watching costs the brokers. The word is a part of both: without it
/// the numbers would be read as what the system does. `None` without sources.
fn cost(ctx: &Ctx<'_>) -> Option<(Cell, Cell)> {
    let snapshot = ctx.snapshot;
    let sum = |of: fn(&Source) -> Option<f64>| {
        snapshot.sources.iter().filter_map(|source| of(source)).reduce(|a, b| a + b)
    };
    let word = Cell::styled("cost ", Role::Muted);
    let Some(requests) = sum(|source| source.requests_per_s.low().copied()) else {
        let unknown = word.then(ctx.glyphs.get(Glyph::NoValue), Role::Muted);
        return (!snapshot.sources.is_empty()).then(|| (unknown.clone(), unknown));
    };
    let short = word.then(number::rate(requests).replace("/s", ""), Role::Text).then(" req/s", Role::Muted);
    let mut cell = short.clone();
    if let Some(messages) = sum(|source| source.messages_per_s.low().copied()).filter(|rate| *rate > 0.0) {
        cell = cell
            .then(format!(" {}", number::rate(messages).replace("/s", "")), Role::Text)
            .then(" msg/s", Role::Muted);
    }
    Some((cell, short))
}

/// One line of bad news. Where there is no room, the text in the middle gives way: what it is about and how much more
/// there is are always said.
struct Notice {
    head: Cell,
    text: Cell,
    tail: Cell,
}

impl Notice {
    fn width(&self) -> usize {
        self.head.width() + self.text.width() + self.tail.width()
    }

    fn draw(&self, buf: &mut Buffer, area: Rect, look: &Look<'_>) {
        let used = self.head.draw(buf, area.x, area.y, area.width, look);
        let left = area.width.saturating_sub(used);
        let tail = (self.tail.width() as u16).min(left);
        let text = self.text.draw(buf, area.x + used, area.y, left - tail, look);
        self.tail.draw(buf, area.x + used + text, area.y, tail, look);
    }
}

/// ` and 2 more`, or nothing.
fn more(n: usize) -> Cell {
    if n == 0 { Cell::empty() } else { Cell::styled(format!(" and {n} more"), Role::Muted) }
}

/// Lines for what is not watched and what is wrong with the topology.
fn notices(ctx: &Ctx<'_>, width: u16, tall: bool) -> Vec<Notice> {
    let snapshot = ctx.snapshot;
    let lost: Vec<&Source> =
        snapshot.sources.iter().map(|source| &**source).filter(|s| lost_since(s).is_some()).collect();
    let mut lines = Vec::new();
    // What was lost has a line of its own.
    let mut blind = snapshot
        .not_watched
        .iter()
        .filter(|blind| lost.iter().all(|source| source.id.as_str() != &*blind.what));
    if let Some(first) = blind.next() {
        lines.push(Notice {
            head: Cell::styled("NOT watched: ", Role::StateDegraded),
            text: Cell::text(&first.what).then(format!(" ({})", first.why), Role::Muted),
            tail: more(blind.count()),
        });
    }
    if let Some((source, rest)) = lost.split_first() {
        let error = source.report.error.as_deref().unwrap_or("it does not answer");
        let age = source.answered_at.map(|at| number::elapsed(ctx.now.age_since(at)));
        let age = age.map(|age| format!("; numbers are {age} old")).unwrap_or_default();
        lines.push(Notice {
            head: Cell::styled(format!("{} lost: ", source.id), Role::StateDown),
            text: Cell::text(error),
            tail: Cell::styled(age, Role::Muted).and(more(rest.len())),
        });
    }
    lines.extend(topology(snapshot, width, tall));
    lines
}

/// What is wrong with the topology files: on one line, or on two when the place and the fault need them.
fn topology(snapshot: &Snapshot, width: u16, tall: bool) -> Vec<Notice> {
    let Some(state) = &snapshot.topology else { return Vec::new() };
    // Warnings alone keep nothing from being taken.
    let taken = state.problems.is_empty();
    let (told, word) = if taken { (&state.warnings, ": warning: ") } else { (&state.problems, ": error: ") };
    let Some((first, rest)) = told.split_first() else { return Vec::new() };
    let (place, fault) = first.split_once(word).unwrap_or((first, ""));
    let head = Cell::styled(if taken { "topology: " } else { "topology not taken: " }, Role::StateDegraded);
    let kept = if taken { "" } else { "; the last good one is shown" };
    let whole = if fault.is_empty() { place.to_owned() } else { format!("{place}: {fault}") };
    let notice = |text: &str, kept: &str| Notice {
        head: head.clone(),
        text: Cell::text(text),
        tail: more(rest.len()).then(kept, Role::Muted),
    };
    for kept in [kept, ""] {
        let line = notice(&whole, kept);
        let fits = line.width() <= usize::from(width);
        if fits || (kept.is_empty() && (!tall || fault.is_empty())) {
            return vec![line];
        }
    }
    let below = Notice { head: Cell::text("  "), text: Cell::text(fault), tail: Cell::empty() };
    let first = notice(place, kept);
    vec![if first.width() <= usize::from(width) { first } else { notice(place, "") }, below]
}

fn tabs(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
    let look = ctx.look();
    let mut x = area.x;
    let filter = filter(ctx);
    let wanted = filter.as_ref().map_or(0, |cell| cell.width().min(FILTER) + 2);
    let (shortened, gap) = shortened(ctx.view(), usize::from(area.width).saturating_sub(wanted));
    for view in View::ALL {
        let active = *view == ctx.view();
        let role = if active { Role::TabActive } else { Role::Tab };
        let title = if shortened.contains(view) { view.short() } else { view.title() };
        let cell =
            Cell::styled(format!("{}", view.number()), Role::Key).then(" ", Role::Text).then(title, role);
        let used = cell.draw(buf, x, area.y, area.right().saturating_sub(x), &look);
        hits.add(Rect { x, y: area.y, width: used, height: 1 }, Hit::Do(Action::Show(*view)));
        x += used + gap;
    }
    if let Some(filter) = filter {
        let room = area.right().saturating_sub(x);
        filter.draw_right(buf, x, area.y, room, &look);
    }
}

/// Views whose names give way so that all fit: those that lose most by it first, and never the one that is shown. Then the columns
/// between two of them, which are the last to give way.
fn shortened(active: View, room: usize) -> (Vec<View>, u16) {
    let loses = |view: &View| text::width(view.title()).saturating_sub(text::width(view.short()));
    let mut whole: usize = View::ALL.iter().map(|view| text::width(view.title()) + 4).sum();
    let mut order: Vec<View> = View::ALL.iter().copied().filter(|view| *view != active).collect();
    order.sort_by_key(|view| std::cmp::Reverse(loses(view)));
    let mut out = Vec::new();
    for view in order {
        if whole.saturating_sub(2) <= room {
            break;
        }
        whole = whole.saturating_sub(loses(&view));
        out.push(view);
    }
    let gap = if whole.saturating_sub(2) <= room { 2 } else { 1 };
    (out, gap)
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
