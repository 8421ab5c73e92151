//! The picture: frames, then lines with their labels and dots, then boxes over them.

use std::collections::{BTreeMap, BTreeSet};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;

use crate::app::hit::{Hit, HitAreas};
use crate::app::list::ListId;
use crate::app::map::drawing::{Drawing, Trunk};
use crate::layout::cells::Cells;
use crate::layout::{Block, Branch, Layout, Point, Route};
use crate::model::id::Name;
use crate::model::snapshot::{ConsumerStatus, Flow, FlowKind, Thing};
use crate::theme::{Glyph, Role};
use crate::ui::widget::{Cell, number};
use crate::ui::{Ctx, phrase, signs};

use super::canvas::Canvas;
use super::traffic::{self, Motion};
use super::{line, node};

/// From this many messages a second on a line is heavy, where it has a heavier form.
const HEAVY: f64 = 100.0;

/// Columns of a rate with its unit.
const RATE: i32 = 7;

/// What is drawn plainly while the rest is faint.
struct Emphasis {
    boxes: Option<BTreeSet<Name>>,
    things: Option<BTreeSet<Thing>>,
}

impl Emphasis {
    fn of(ctx: &Ctx<'_>) -> Self {
        let map = ctx.app.map();
        let boxes = map.focus().map(|focus| neighbours(map.drawing(), &focus.service, focus.hops));
        let things = (!ctx.app.filter_text().is_empty()).then(|| ctx.app.found());
        Self { boxes, things }
    }

    fn flows(&self, flows: &[crate::model::id::FlowId]) -> bool {
        self.things
            .as_ref()
            .is_none_or(|found| flows.iter().any(|id| found.contains(&Thing::Flow(id.clone()))))
    }

    fn between(&self, from: &Name, to: Option<&Name>) -> bool {
        self.boxes.as_ref().is_none_or(|boxes| boxes.contains(from) && to.is_none_or(|to| boxes.contains(to)))
    }

    fn a_box(&self, drawing: &Drawing, key: &Name) -> bool {
        let near = self.boxes.as_ref().is_none_or(|boxes| boxes.contains(key));
        let found = self.things.as_ref().is_none_or(|found| {
            drawing.services_in(key).any(|id| found.contains(&Thing::Service(id.clone())))
                || drawing.trunks().any(|(_, trunk)| {
                    trunk.flows.iter().any(|(to, flows)| {
                        (trunk.from == *key || to.as_ref() == Some(key)) && self.flows(flows)
                    })
                })
        });
        near && found
    }
}

/// The boxes that data reaches from a service, and those that it reaches it from, over so many hops.
fn neighbours(drawing: &Drawing, service: &crate::model::id::ServiceId, hops: usize) -> BTreeSet<Name> {
    let mut all: BTreeSet<Name> = drawing.box_of(service).cloned().into_iter().collect();
    for downstream in [true, false] {
        let mut edge: BTreeSet<Name> = drawing.box_of(service).cloned().into_iter().collect();
        for _ in 0..hops {
            let mut next = BTreeSet::new();
            for (_, trunk) in drawing.trunks() {
                for to in trunk.flows.keys().flatten() {
                    let (here, there) = if downstream { (&trunk.from, to) } else { (to, &trunk.from) };
                    if edge.contains(here) {
                        next.insert(there.clone());
                    }
                }
            }
            all.extend(next.iter().cloned());
            edge = next;
        }
    }
    all
}

/// The cells of what is selected.
pub fn selected_block(ctx: &Ctx<'_>, layout: &Layout) -> Option<Block> {
    let drawing = ctx.app.map().drawing();
    match ctx.app.selected_thing()? {
        Thing::Service(id) => Some(layout.boxes[layout.node(drawing.box_of(id)?)?].block),
        Thing::Flow(id) => {
            let (net, to) = drawing.branch_of(id)?;
            let route = &layout.routes[layout.net(net)?];
            let branch = to
                .and_then(|to| layout.node(to))
                .and_then(|to| route.branches.iter().find(|branch| branch.to == to));
            Some(branch.map_or(route.label, |branch| branch.figures))
        }
        _ => None,
    }
}

/// Draws what the window shows; whether anything in it moves.
pub fn draw(
    ctx: &Ctx<'_>,
    buf: &mut Buffer,
    area: Rect,
    layout: &Layout,
    origin: Point,
    hits: &mut HitAreas,
) -> bool {
    let drawing = ctx.app.map().drawing();
    let emphasis = Emphasis::of(ctx);
    let places: BTreeMap<&Thing, usize> = ctx
        .app
        .list(ListId::Map)
        .rows()
        .iter()
        .enumerate()
        .filter_map(|(at, row)| row.thing.as_ref().map(|thing| (thing, at)))
        .collect();
    let mut canvas = Canvas { buf, area, origin, ground: ctx.theme.style(Role::Text) };
    for frame in &layout.frames {
        draw_frame(ctx, &mut canvas, &frame.key, frame.block);
    }
    let lines: Vec<Option<Line<'_>>> = layout
        .routes
        .iter()
        .map(|route| Line::of(ctx, drawing.trunk(&route.key)?, route, layout, &emphasis).into())
        .collect();
    draw_lines(ctx, &mut canvas, layout, &lines);
    let moving = draw_dots(ctx, &mut canvas, layout, &lines);
    for (route, line) in layout.routes.iter().zip(&lines) {
        if let Some(line) = line {
            draw_ends(ctx, &mut canvas, route, line, &places, hits);
        }
    }
    let mut glides = false;
    for placed in &layout.boxes {
        let here = Point { x: placed.block.x, y: placed.block.y };
        let at = ctx.app.map().glide(&placed.key, here, ctx.mono_now());
        glides |= at != here;
        let block = Block { x: at.x, y: at.y, ..placed.block };
        let shows = |thing: &Thing| match thing {
            Thing::Service(id) => drawing.box_of(id) == Some(&placed.key),
            _ => false,
        };
        let selected = ctx.app.selected_thing().is_some_and(shows);
        let faint = !emphasis.a_box(drawing, &placed.key);
        canvas.sheet(block, &ctx.look(), |sheet| node::draw(ctx, sheet, &placed.key, selected, faint));
        let first = drawing.services_in(&placed.key).next();
        if let Some(rect) = canvas.visible(block)
            && let Some(row) = first.and_then(|id| places.get(&Thing::Service(id.clone())))
        {
            hits.add(rect, Hit::Row(ListId::Map, *row));
        }
    }
    // Over the borders of the boxes: where lines leave them.
    for (route, line) in layout.routes.iter().zip(&lines) {
        if let Some(line) = line {
            draw_outlets(ctx, &mut canvas, route, line);
        }
    }
    moving || glides
}

fn draw_frame(ctx: &Ctx<'_>, canvas: &mut Canvas<'_>, name: &str, block: Block) {
    if canvas.visible(block).is_none() {
        return;
    }
    let style = ctx.theme.style(Role::Border);
    let ascii = ctx.glyphs.is_ascii();
    let sign = |unicode: &'static str| if ascii { "." } else { unicode };
    let (right, bottom) = (block.right() - 1, block.bottom() - 1);
    for x in block.x..=right {
        canvas.put(Point { x, y: block.y }, sign("┈"), style);
        canvas.put(Point { x, y: bottom }, sign("┈"), style);
    }
    for y in block.y..=bottom {
        canvas.put(Point { x: block.x, y }, sign("┊"), style);
        canvas.put(Point { x: right, y }, sign("┊"), style);
    }
    for (x, y, corner) in
        [(block.x, block.y, "┌"), (right, block.y, "┐"), (block.x, bottom, "└"), (right, bottom, "┘")]
    {
        canvas.put(Point { x, y }, sign(corner), style);
    }
    // Where the frame begins left of the window, its name stands at the window's edge.
    let x = (block.x + 2).max(canvas.window().x + 1).min(right - 2);
    let width = i32::try_from(name.len() + 2).unwrap_or(2).min(right - x);
    canvas.text(Point { x, y: block.y }, width, &Cell::styled(format!(" {name} "), Role::Muted), &ctx.look());
}

/// A net with what is known of it now.
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Line<'a> {
    kind: FlowKind,
    trunk: &'a Trunk,
    heavy: bool,
    /// Nothing was ever seen on it.
    silent: bool,
    undeclared: bool,
    selected: bool,
    /// Of each branch: its flows, whether it stands out, whether it is selected.
    branches: Vec<BranchNow<'a>>,
    plain: bool,
    rate: Option<Cell>,
}

struct BranchNow<'a> {
    flows: Vec<&'a Flow>,
    plain: bool,
    selected: bool,
    motion: Option<Motion>,
}

impl<'a> Line<'a> {
    fn of(ctx: &Ctx<'a>, trunk: &'a Trunk, route: &Route, layout: &Layout, emphasis: &Emphasis) -> Self {
        let selected = |id: &crate::model::id::FlowId| matches!(ctx.app.selected_thing(), Some(Thing::Flow(flow)) if flow == id);
        let branch = |to: Option<&Name>| {
            let ids = trunk.flows.get(&to.cloned()).map_or(&[][..], |ids| &ids[..]);
            let flows: Vec<&Flow> =
                ids.iter().filter_map(|id| ctx.snapshot.flow(id)).map(|flow| &**flow).collect();
            let motion = Motion::of(flows.iter().copied(), ctx.snapshot.window);
            BranchNow {
                motion,
                flows,
                plain: emphasis.flows(ids) && emphasis.between(&trunk.from, to),
                selected: ids.iter().any(selected),
            }
        };
        let branches: Vec<BranchNow<'a>> = if route.branches.is_empty() {
            vec![branch(None)]
        } else {
            route.branches.iter().map(|to| branch(Some(&layout.boxes[to.to].key))).collect()
        };
        let flows = || branches.iter().flat_map(|branch| &branch.flows);
        // Several consumers of one event are fed by one stream of messages.
        let mut rates: BTreeMap<&str, f64> = BTreeMap::new();
        for flow in flows() {
            if let Some(rate) = flow.rate.low() {
                let most = rates.entry(&flow.label).or_insert(0.0);
                *most = most.max(*rate);
            }
        }
        let sum: f64 = rates.values().sum();
        Self {
            kind: trunk.kind,
            trunk,
            heavy: sum >= HEAVY,
            silent: sum <= 0.0 && flows().all(|flow| flow.last_seen.is_none()),
            undeclared: ctx.snapshot.topology.is_some() && flows().any(|flow| !flow.declared),
            selected: branches.iter().any(|branch| branch.selected),
            plain: branches.iter().any(|branch| branch.plain),
            rate: (!rates.is_empty()).then(|| Cell::styled(number::rate(sum), Role::Text)),
            branches,
        }
    }

    fn role(&self) -> Role {
        if self.silent || !self.plain { Role::Muted } else { signs::kind(self.kind).1 }
    }
}

fn draw_lines(ctx: &Ctx<'_>, canvas: &mut Canvas<'_>, layout: &Layout, lines: &[Option<Line<'_>>]) {
    let shown = |net: usize| lines.get(net).is_some_and(Option::is_some);
    let cells = Cells::of(layout, canvas.window(), shown);
    for (point, cell) in cells.iter() {
        let Some((net, sides)) = cell.drawn() else { continue };
        let Some(Some(line)) = lines.get(net as usize) else { continue };
        let mut style = ctx.theme.style(line.role());
        if line.selected {
            style = style.add_modifier(Modifier::BOLD);
        } else if line.silent || !line.plain {
            style = style.add_modifier(Modifier::DIM);
        }
        canvas.put(point, line::sign(line.kind, line.heavy, sides, ctx.glyphs), style);
    }
}

/// Messages on the lines; whether there are any.
fn draw_dots(ctx: &Ctx<'_>, canvas: &mut Canvas<'_>, layout: &Layout, lines: &[Option<Line<'_>>]) -> bool {
    if !ctx.app.map().motion() {
        return false;
    }
    let window = canvas.window();
    let mut tracks: Vec<Track> = Vec::new();
    for (route, line) in layout.routes.iter().zip(lines) {
        let Some(line) = line.as_ref().filter(|line| line.plain) else { continue };
        let shift = phase(&route.key);
        // Where branches run together, one stream of messages does: that of the busiest.
        let mut taken: BTreeSet<Point> = BTreeSet::new();
        let mut branches: Vec<(&Branch, Motion)> = route
            .branches
            .iter()
            .zip(&line.branches)
            .filter_map(|(branch, now)| Some((branch, now.motion?)))
            .collect();
        branches.sort_by(|a, b| a.1.gap.total_cmp(&b.1.gap));
        for (branch, motion) in branches {
            let own: Vec<(usize, Point)> = traffic::cells(branch)
                .enumerate()
                .filter(|(_, point)| taken.insert(*point) && window.contains(*point))
                .collect();
            tracks.push((motion, shift, line.role(), own));
        }
    }
    // One budget for all: dots cost bytes in every frame.
    let wanted: f64 = tracks.iter().map(|(motion, _, _, cells)| cells.len() as f64 / motion.gap).sum();
    let thin = (wanted / traffic::BUDGET as f64).max(1.0);
    let seconds = ctx.now.0.rem_euclid(86_400_000_000_000) as f64 / 1e9;
    let look = ctx.look();
    for (motion, shift, role, cells) in &tracks {
        let motion = Motion { gap: motion.gap * thin, ..*motion };
        for (at, point) in cells {
            if let Some(failed) = traffic::dot(motion, *at, seconds, *shift) {
                let (glyph, role) =
                    if failed { (Glyph::Failed, Role::Error) } else { (Glyph::Moving, *role) };
                let style = ctx.theme.style(role).add_modifier(Modifier::BOLD);
                canvas.put(*point, look.glyph(glyph), style);
            }
        }
    }
    tracks.iter().any(|(.., cells)| !cells.is_empty())
}

/// Where messages of a branch move: how, when they set out, how they look, and the cells with their distance from the start.
type Track = (Motion, f64, Role, Vec<(usize, Point)>);

/// When a net's messages set out, as a part of their distance: the same for the same name.
pub fn phase(key: &str) -> f64 {
    let hash = key.bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte)));
    f64::from(hash % 97) / 97.0
}

fn draw_ends(
    ctx: &Ctx<'_>,
    canvas: &mut Canvas<'_>,
    route: &Route,
    line: &Line<'_>,
    places: &BTreeMap<&Thing, usize>,
    hits: &mut HitAreas,
) {
    let look = ctx.look();
    let style = ctx.theme.style(line.role());
    for (branch, now) in route.branches.iter().zip(&line.branches) {
        let head = if branch.rightward { Glyph::HeadRight } else { Glyph::HeadLeft };
        if let Some(last) = branch.points.last() {
            canvas.put(*last, look.glyph(head), style);
        }
        if let Some(figures) = figures(ctx, now, branch.figures.width, now.plain) {
            let text = if now.selected { figures.in_role(Role::Selection) } else { figures };
            let width = i32::try_from(text.width()).unwrap_or(0).min(branch.figures.width);
            let x = if branch.rightward { branch.figures.right() - width } else { branch.figures.x };
            canvas.text(Point { x, y: branch.figures.y }, width, &text, &look);
        } else if now.selected && branch.figures.width >= RATE {
            // A line without figures: its rate stands where they would.
            let rate = now.flows.first().map(|flow| phrase::rate(&look, &flow.rate));
            let text = Cell::styled(" ", Role::Selection).and(rate.unwrap_or_else(Cell::empty));
            let text = text.then(" ", Role::Selection).in_role(Role::Selection);
            let width = i32::try_from(text.width()).unwrap_or(0).min(branch.figures.width);
            let x = if branch.rightward { branch.figures.right() - width } else { branch.figures.x };
            canvas.text(Point { x, y: branch.figures.y }, width, &text, &look);
        }
        let row = now.flows.iter().find_map(|flow| places.get(&Thing::Flow(flow.id.clone())));
        if let (Some(rect), Some(row)) = (canvas.visible(branch.figures), row) {
            hits.add(rect, Hit::Row(ListId::Map, *row));
        }
    }
    let Some(label) = label(ctx, line, route.label.width) else { return };
    let label = match (line.plain, line.selected && route.branches.is_empty()) {
        (_, true) => label.in_role(Role::Selection),
        (false, _) => label.in_role(Role::Muted),
        _ => label,
    };
    let width = i32::try_from(label.width()).unwrap_or(0).min(route.label.width);
    let x = if route.rightward { route.label.x } else { route.label.right() - width };
    canvas.text(Point { x, y: route.label.y }, width, &label, &look);
    let mut flows = line.branches.iter().flat_map(|branch| &branch.flows);
    let row = flows.find_map(|flow| places.get(&Thing::Flow(flow.id.clone())));
    if let (Some(rect), Some(row)) = (canvas.visible(route.label), row) {
        hits.add(rect, Hit::Row(ListId::Map, *row));
    }
}

fn draw_outlets(ctx: &Ctx<'_>, canvas: &mut Canvas<'_>, route: &Route, line: &Line<'_>) {
    let style = ctx.theme.style(line.role());
    let starts =
        route.branches.iter().filter_map(|branch| Some((*branch.points.first()?, branch.points.get(1)?)));
    let mut starts: Vec<(Point, bool)> = starts.map(|(first, next)| (first, next.x > first.x)).collect();
    if starts.is_empty() {
        starts.push((route.start, route.rightward));
    }
    for (start, rightward) in starts {
        let x = if rightward { start.x - 1 } else { start.x + 1 };
        canvas.put(Point { x, ..start }, line::outlet(line.kind, rightward, ctx.glyphs), style);
    }
}

/// What stands where a net begins: its rate, its name when there is room.
fn label(ctx: &Ctx<'_>, line: &Line<'_>, columns: i32) -> Option<Cell> {
    let look = ctx.look();
    if columns < 4 {
        return None;
    }
    let mark = if line.undeclared { look.glyph(Glyph::Undeclared) } else { "" };
    let rate = line.rate.clone().unwrap_or_else(Cell::empty);
    if columns < 16 {
        let text = Cell::styled(mark, Role::Conflict).and(rate);
        return (!text.is_empty()).then_some(text);
    }
    let room = usize::try_from(columns).unwrap_or(0).saturating_sub(rate.width() + mark.len() + 1);
    let name = crate::ui::widget::text::clean(&line.trunk.label);
    let name =
        crate::ui::widget::text::truncate_middle(&name, room, look.glyph(Glyph::Ellipsis)).into_owned();
    let name = Cell::styled(mark, Role::Conflict).then(name, Role::Muted);
    Some(if rate.is_empty() { name } else { name.then(" ", Role::Text).and(rate) })
}

/// A bar is full at so many messages; its length goes with their logarithm.
const FULL: f64 = 100_000.0;

/// What stands where a flow arrives: how its consumer fares, how much waits for it, how old that is. Nothing while nothing waits.
fn figures(ctx: &Ctx<'_>, now: &BranchNow<'_>, columns: i32, plain: bool) -> Option<Cell> {
    let consumers = now.flows.iter().filter_map(|flow| flow.consumer.as_ref());
    let consumers = consumers.filter_map(|id| ctx.snapshot.consumer(id));
    let consumer =
        consumers.max_by_key(|consumer| (severity(consumer.status), consumer.lag.low().copied()))?;
    let (sign, role) = signs::status(consumer.status);
    let look = ctx.look_at(&consumer.source);
    let lag = consumer.lag.low().copied().unwrap_or(0);
    let well = matches!(consumer.status, ConsumerStatus::Ok);
    if well && lag == 0 {
        return None;
    }
    // What there is room for, the most important first: state, bar, how much waits, how old that is.
    let mut cell = if well { Cell::empty() } else { Cell::glyph(&look, sign, role) };
    let full = match columns {
        ..3 => usize::from(well),
        3..15 => 3,
        _ => 5,
    };
    let length = ((lag as f64 + 1.0).log10() / FULL.log10() * full as f64).ceil() as usize;
    let bar = look.glyph(Glyph::BarFull).repeat(length.min(full));
    cell = cell.then(bar, if well { Role::Chart } else { role });
    if columns >= 9 {
        cell = cell.then(" ", Role::Text).and(phrase::count_as(&look, &consumer.lag, role));
    }
    if columns >= 15 {
        cell = cell.then(" ", Role::Text).and(phrase::staleness(&look, &consumer.staleness));
    }
    let cell = if plain { cell } else { cell.in_role(Role::Muted) };
    (columns > 0 && !cell.is_empty()).then_some(cell)
}

const fn severity(status: ConsumerStatus) -> u8 {
    match status {
        ConsumerStatus::Ok => 0,
        ConsumerStatus::Unknown => 1,
        ConsumerStatus::Paused => 2,
        ConsumerStatus::Slow => 3,
        ConsumerStatus::Rewound => 4,
        ConsumerStatus::GaveUp => 5,
        ConsumerStatus::Stalled => 6,
        ConsumerStatus::Stopped => 7,
    }
}
