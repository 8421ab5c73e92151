//! From layers and rows to a picture: columns for boxes, tracks for what runs between them, corners for every branch.

use std::collections::{BTreeMap, BTreeSet};

use super::channel::{self, Run, Wire};
use super::rows::Rows;
use super::shape::{Item, Port, Shape};
use super::slots;
use super::{Block, Branch, Frame, Kept, Layout, Placed, Point, Route, Spacing};

/// Columns of tracks come in steps, and a few are always left over: one more route then moves nothing.
const TRACK_STEP: usize = 4;
const SPARE_TRACKS: usize = 3;
/// Columns between a box and what stands in its channel: an arrow head and a border of a frame, each with air.
const MARGIN: i32 = 2;
const FRAME_MARGIN: i32 = 4;

/// The picture of a shape whose rows are known. `before` keeps columns at least as wide as they were.
pub fn assemble(shape: &Shape<'_>, mut rows: Rows, before: Option<&Layout>, spacing: Spacing) -> Layout {
    raise(&mut rows, before.is_some());
    let channels: Vec<Channel> = (0..shape.layers).map(|at| Channel::new(shape, &rows, at)).collect();
    let columns = Columns::new(shape, &channels, before, spacing);
    let boxes: Vec<Placed> =
        (0..shape.graph.nodes.len()).map(|node| columns.place(shape, &rows, node)).collect();
    let frames: Vec<Frame> =
        (0..shape.groups.len()).map(|group| columns.frame(shape, &rows, group)).collect();
    let routes = routes(shape, &rows, &channels, &columns, spacing);
    let mut layout =
        Layout { width: 0, height: 0, boxes, frames, routes, kept: kept(shape, &rows, &columns) };
    layout.measure_size();
    slots::stretch(&mut layout);
    layout
}

/// What runs between a layer and the next.
struct Channel {
    /// The ways in it, with their runs.
    runs: BTreeMap<usize, Run>,
    tracks: usize,
}

impl Channel {
    fn new(shape: &Shape<'_>, rows: &Rows, at: usize) -> Self {
        let mut wires: BTreeMap<usize, Wire> = BTreeMap::new();
        for link in &shape.links[at] {
            let leftward = shape.ways[link.way].leftward;
            let wire = wires.entry(link.way).or_default();
            let left = row_of(shape, rows, link.left, link.way, true, !leftward);
            let right = row_of(shape, rows, link.right, link.way, false, leftward);
            wire.left.push(left);
            wire.right.push(right);
        }
        for (place, way) in shape.ways.iter().enumerate() {
            if way.leftward || shape.layer[way.from] != at {
                continue;
            }
            for node in way.to.iter().filter(|node| shape.layer[**node] == at) {
                let wire = wires.entry(place).or_default();
                wire.left.push(row_of(shape, rows, way.from, place, true, true));
                wire.left.push(row_of(shape, rows, *node, place, true, false));
            }
        }
        for wire in wires.values_mut() {
            for side in [&mut wire.left, &mut wire.right] {
                side.sort_unstable();
                side.dedup();
            }
        }
        // A bend must not lie on the border of a frame that spans the channel.
        let spans = |(group, _): &(usize, &(i32, i32))| {
            let (first, last) = shape.reach[*group];
            first <= at && at < last
        };
        let taken: BTreeSet<i32> = rows
            .frames
            .iter()
            .enumerate()
            .filter(spans)
            .flat_map(|(_, (top, bottom))| [*top, *bottom])
            .collect();
        let (ways, wires): (Vec<usize>, Vec<Wire>) = wires.into_iter().unzip();
        let (runs, tracks) = channel::route(&wires, &taken);
        Self { runs: ways.into_iter().zip(runs).collect(), tracks }
    }
}

/// Moves everything so that the topmost row is 0; where things are to stay, only what would stand above it.
fn raise(rows: &mut Rows, stay: bool) {
    let top = rows.y.iter().copied().chain(rows.frames.iter().map(|frame| frame.0)).min().unwrap_or(0);
    let by = if stay { (-top).max(0) } else { -top };
    rows.y.iter_mut().for_each(|y| *y += by);
    for (top, bottom) in &mut rows.frames {
        *top += by;
        *bottom += by;
    }
}

/// The row in which a way touches an item.
fn row_of(shape: &Shape<'_>, rows: &Rows, item: usize, way: usize, right_side: bool, leaving: bool) -> i32 {
    let offset = match shape.items[item] {
        Item::Node(node) => {
            shape.port(Port { node, right_side, way, leaving }).map_or(0, |at| rows.offsets[at])
        }
        Item::Pass { .. } | Item::Ghost { .. } => 0,
    };
    rows.y[item] + offset
}

/// Where layers and channels begin.
struct Columns {
    layer_x: Vec<i32>,
    layer_width: Vec<i32>,
    channel_width: Vec<i32>,
    /// Of each channel: the first column of its left slots, of its tracks, of its right slots, and the end of these.
    left: Vec<i32>,
    tracks: Vec<i32>,
    right: Vec<i32>,
    end: Vec<i32>,
    pitch: i32,
}

impl Columns {
    fn new(shape: &Shape<'_>, channels: &[Channel], before: Option<&Layout>, spacing: Spacing) -> Self {
        let kept = |widths: fn(&Kept) -> &Vec<i32>, at: usize| {
            before.and_then(|layout| widths(&layout.kept).get(at)).copied().unwrap_or(0)
        };
        let margin = if shape.groups.is_empty() { MARGIN } else { FRAME_MARGIN };
        let mut columns = Self {
            layer_x: Vec::new(),
            layer_width: Vec::new(),
            channel_width: Vec::new(),
            left: Vec::new(),
            tracks: Vec::new(),
            right: Vec::new(),
            end: Vec::new(),
            pitch: spacing.pitch.max(1),
        };
        // Room for the left border of a frame.
        let mut x = if shape.groups.is_empty() { 0 } else { 2 };
        for (at, channel) in channels.iter().enumerate() {
            let nodes = (0..shape.layer.len()).filter(|node| shape.layer[*node] == at);
            let width = nodes.map(|node| shape.graph.nodes[node].width).max().unwrap_or(0);
            let width = width.max(kept(|kept| &kept.layer_widths, at));
            columns.layer_x.push(x);
            columns.layer_width.push(width);
            x += width;
            let (left_slot, right_slot) = slots(shape, at, spacing);
            let width_for = |tracks: usize| {
                2 * margin + left_slot + right_slot + i32::try_from(tracks).unwrap_or(0) * columns.pitch
            };
            let was = kept(|kept| &kept.channel_widths, at);
            let width = if channel.runs.is_empty() && left_slot == 0 {
                was.max(margin)
            } else if was >= width_for(channel.tracks) {
                was
            } else {
                width_for((channel.tracks + SPARE_TRACKS).next_multiple_of(TRACK_STEP))
            };
            columns.left.push(x + margin);
            columns.tracks.push(x + margin + left_slot);
            columns.end.push(x + width - margin);
            columns.right.push(x + width - margin - right_slot);
            columns.channel_width.push(width);
            x += width;
        }
        columns
    }

    fn place(&self, shape: &Shape<'_>, rows: &Rows, node: usize) -> Placed {
        let layer = shape.layer[node];
        let what = &shape.graph.nodes[node];
        let block = Block {
            x: self.layer_x[layer],
            y: rows.y[node],
            width: self.layer_width[layer],
            height: shape.height[node],
        };
        Placed { key: what.key.clone(), block, layer, group: what.group.clone() }
    }

    fn frame(&self, shape: &Shape<'_>, rows: &Rows, group: usize) -> Frame {
        let (first, last) = shape.reach[group];
        let (top, bottom) = rows.frames[group];
        let x = self.layer_x[first] - 2;
        let right = self.layer_x[last] + self.layer_width[last] + 2;
        let block = Block { x, y: top, width: right - x, height: bottom - top + 1 };
        Frame { key: shape.groups[group].clone(), block }
    }

    /// The column of a track.
    fn track(&self, channel: usize, track: usize) -> i32 {
        self.tracks[channel] + i32::try_from(track).unwrap_or(0) * self.pitch
    }

    /// The cell beside a box, where a way begins or ends.
    fn beside(&self, layer: usize, right_side: bool) -> i32 {
        if right_side { self.layer_x[layer] + self.layer_width[layer] } else { self.layer_x[layer] - 1 }
    }
}

/// Columns for what is written on the lines at the left and at the right end of a channel.
fn slots(shape: &Shape<'_>, at: usize, spacing: Spacing) -> (i32, i32) {
    let (mut left, mut right) = (0, 0);
    for port in &shape.ports {
        let room = if port.leaving { spacing.label } else { spacing.figures };
        if port.right_side && shape.layer[port.node] == at {
            left = left.max(room);
        } else if !port.right_side && shape.layer[port.node] == at + 1 {
            right = right.max(room);
        }
    }
    (left, right)
}

fn routes(
    shape: &Shape<'_>,
    rows: &Rows,
    channels: &[Channel],
    columns: &Columns,
    spacing: Spacing,
) -> Vec<Route> {
    let mut routes: Vec<Route> = Vec::with_capacity(shape.graph.nets.len());
    for (place, way) in shape.ways.iter().enumerate() {
        let home = shape.layer[way.from];
        let right_side = !way.leftward;
        let row = row_of(shape, rows, way.from, place, right_side, true);
        let start = Point { x: columns.beside(home, right_side), y: row };
        let label = if way.leftward {
            Block { x: columns.end[home - 1] - spacing.label, y: row, width: spacing.label, height: 1 }
        } else {
            Block { x: columns.left[home], y: row, width: spacing.label, height: 1 }
        };
        let mut branches: Vec<Branch> = Vec::new();
        for &to in &way.to {
            let points = trace(shape, rows, channels, columns, place, to, start);
            let last = points.last().copied().unwrap_or(start);
            let layer = shape.layer[to];
            let rightward = !way.leftward && layer > home;
            let x = if rightward { columns.end[layer - 1] - spacing.figures } else { columns.left[layer] };
            let figures = Block { x, y: last.y, width: spacing.figures, height: 1 };
            branches.push(Branch { to, points, figures, rightward });
        }
        let key = &shape.graph.nets[way.net].key;
        if let Some(route) = routes.last_mut().filter(|route| route.key == *key) {
            route.branches.append(&mut branches);
            route.branches.sort_by_key(|branch| branch.to);
        } else {
            let key = key.clone();
            routes.push(Route { key, from: way.from, branches, label, start, rightward: right_side });
        }
    }
    routes
}

/// The corners of the way from its start to one receiver.
fn trace(
    shape: &Shape<'_>,
    rows: &Rows,
    channels: &[Channel],
    columns: &Columns,
    place: usize,
    to: usize,
    start: Point,
) -> Vec<Point> {
    let way = &shape.ways[place];
    let (home, goal) = (shape.layer[way.from], shape.layer[to]);
    let mut points = vec![start];
    let mut go = |x: i32, y: i32| points.push(Point { x, y });
    let mut row = start.y;
    let mut through = |channel: usize, backwards: bool, row: i32, next: i32| {
        let run = channels[channel].runs.get(&place).copied().unwrap_or(Run::Straight);
        match run {
            Run::Straight => {}
            Run::Track(track) => {
                let x = columns.track(channel, track);
                go(x, row);
                go(x, next);
            }
            Run::Dogleg { first, row: bend, second } => {
                let (a, b) = if backwards { (second, first) } else { (first, second) };
                let (a, b) = (columns.track(channel, a), columns.track(channel, b));
                [(a, row), (a, bend), (b, bend), (b, next)].into_iter().for_each(|(x, y)| go(x, y));
            }
        }
    };
    if goal == home {
        // Out to the first track and back: both ends are at the left side of the channel.
        let next = row_of(shape, rows, to, place, true, false);
        let run = channels[home].runs.get(&place).copied().unwrap_or(Run::Straight);
        let (Run::Track(track) | Run::Dogleg { first: track, .. }) = run else { return points };
        let x = columns.track(home, track);
        let end = columns.beside(home, true);
        points.extend([Point { x, y: row }, Point { x, y: next }, Point { x: end, y: next }]);
        return tidy(points);
    }
    let item = |layer: usize| way.passes.get(&layer).copied();
    if way.leftward {
        for channel in (goal..home).rev() {
            let next = if channel == goal {
                row_of(shape, rows, to, place, true, false)
            } else {
                item(channel).map_or(row, |item| rows.y[item])
            };
            through(channel, true, row, next);
            row = next;
        }
        go(columns.beside(goal, true), row);
    } else {
        for channel in home..goal {
            let next = if channel + 1 == goal {
                row_of(shape, rows, to, place, false, false)
            } else {
                item(channel + 1).map_or(row, |item| rows.y[item])
            };
            through(channel, false, row, next);
            row = next;
        }
        go(columns.beside(goal, false), row);
    }
    tidy(points)
}

/// Without points that are no corners.
fn tidy(points: Vec<Point>) -> Vec<Point> {
    let mut out: Vec<Point> = Vec::with_capacity(points.len());
    for point in points {
        if out.last() == Some(&point) {
            continue;
        }
        while let [.., a, b] = out[..]
            && ((a.x == b.x && b.x == point.x && (a.y < b.y) == (b.y < point.y))
                || (a.y == b.y && b.y == point.y && (a.x < b.x) == (b.x < point.x)))
        {
            out.pop();
        }
        out.push(point);
    }
    out
}

fn kept(shape: &Shape<'_>, rows: &Rows, columns: &Columns) -> Kept {
    let net = |way: usize| shape.graph.nets[shape.ways[way].net].key.clone();
    let mut passes = BTreeMap::new();
    for (at, item) in shape.items.iter().enumerate() {
        if let Item::Pass { way, layer } = *item {
            passes.insert((net(way), shape.ways[way].leftward, layer), rows.y[at]);
        }
    }
    let ports = shape.ports.iter().zip(&rows.offsets).map(|(port, row)| {
        let node = shape.graph.nodes[port.node].key.clone();
        ((node, port.right_side, net(port.way), port.leaving), *row)
    });
    Kept {
        layer_widths: columns.layer_width.clone(),
        channel_widths: columns.channel_width.clone(),
        passes,
        ports: ports.collect(),
    }
}

impl Layout {
    fn measure_size(&mut self) {
        let blocks = self.boxes.iter().map(|placed| placed.block);
        let blocks = blocks.chain(self.frames.iter().map(|frame| frame.block));
        let blocks = blocks.chain(self.routes.iter().map(|route| route.label));
        let (mut width, mut height) = blocks
            .fold((0, 0), |(width, height), block| (width.max(block.right()), height.max(block.bottom())));
        for point in self.routes.iter().flat_map(|route| &route.branches).flat_map(|branch| &branch.points) {
            (width, height) = (width.max(point.x + 1), height.max(point.y + 1));
        }
        (self.width, self.height) = (width, height);
    }
}
