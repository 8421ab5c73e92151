//! The map's layout: from who sends what to whom to boxes, frames and orthogonal routes, in whole terminal cells.
//!
//! A pipeline of pure steps, one file each, after Sugiyama, Tagawa and Toda (*Methods for Visual Understanding of Hierarchical System
//! Structures*, 1981) with the orthogonal routing of VLSI channels: [`layers`] puts each node into a column, [`order`] says what
//! stands above what, [`rows`] gives each its row, [`channel`] finds the vertical tracks between two columns, [`assemble`] puts
//! coordinates to it all, and [`keep`] does the same for a graph that changed a little, so that what was there stays where it is
//! (North and Woodhull, *On-line Hierarchical Graph Drawing*, 2001).
//!
//! What holds by construction, whatever the size: boxes do not overlap, no route enters a box that is not its end, and two nets never
//! share a cell but where one crosses the other at a right angle.
//!
//! Words: a *net* is one producer's channel, with all who read it; it is drawn as one trunk with branches. A net has up to two *ways*,
//! one to the columns at its right and one back to those at its left. Where a way passes a column it takes a row of its own.
//!
//! May use: `model`. Used by: `app`, `ui`, `tui`.

mod assemble;
pub mod cells;
mod channel;
mod keep;
mod layers;
mod order;
mod ports;
mod rows;
mod shape;
mod slots;

use std::collections::BTreeMap;

use crate::model::id::Name;

use shape::Shape;

/// What is to be laid out. The order of nodes and nets says nothing: equal sets give equal layouts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    pub nodes: Vec<Node>,
    pub nets: Vec<Net>,
}

/// A box to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Unique among nodes; what a later layout knows it by.
    pub key: Name,
    /// Columns and rows that its text needs, its border included. It gets more where its column is wider or many routes end at it.
    pub width: i32,
    pub height: i32,
    /// The frame that it stands in.
    pub group: Option<Name>,
}

/// One producer's channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Net {
    /// Unique among nets.
    pub key: Name,
    /// The place in [`Graph::nodes`] of the one who sends.
    pub from: usize,
    /// Those who receive; may hold the sender. Nobody: the net is a stub with a label.
    pub to: Vec<usize>,
}

/// Room to leave, in cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spacing {
    /// Columns for a label where a net leaves a box.
    pub label: i32,
    /// Columns for the consumer's figures where a net reaches a box.
    pub figures: i32,
    /// Columns from one vertical track to the next.
    pub pitch: i32,
}

/// A place, in cells from the top left of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Point {
    pub x: i32,
    pub y: i32,
}

/// A rectangle of cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Block {
    pub x: i32,
    pub y: i32,
    pub width: i32,
    pub height: i32,
}

/// A node with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    pub key: Name,
    pub block: Block,
    /// Its column, counted from the left.
    pub layer: usize,
    pub group: Option<Name>,
}

/// A group with its place: what stands in it stands in no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub key: Name,
    pub block: Block,
}

/// A net with its way through the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub key: Name,
    /// The place in [`Layout::boxes`] of the one who sends.
    pub from: usize,
    /// One to each receiver, in the order of their boxes; a stub has none.
    pub branches: Vec<Branch>,
    /// Where its label may stand: on the line, beside the sender.
    pub label: Block,
    /// The cell beside the sender's box in which it begins.
    pub start: Point,
    /// Whether it leaves to the right.
    pub rightward: bool,
}

/// The way to one receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// The place in [`Layout::boxes`] of the one who receives.
    pub to: usize,
    /// The corners from the cell beside the sender's box to the cell beside the receiver's; neighbours differ in x or in y alone.
    pub points: Vec<Point>,
    /// Where the consumer's figures may stand: on the line, beside the receiver, the arrow head left free.
    pub figures: Block,
    /// Whether it reaches the receiver at its left side, moving to the right.
    pub rightward: bool,
}

/// A picture: everything in whole cells, from (0, 0) to below (`width`, `height`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    pub width: i32,
    pub height: i32,
    /// Sorted by key.
    pub boxes: Vec<Placed>,
    /// Sorted by key.
    pub frames: Vec<Frame>,
    /// Sorted by key.
    pub routes: Vec<Route>,
    kept: Kept,
}

/// What a later layout holds on to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Kept {
    /// Columns of each layer and of the channel right of it.
    layer_widths: Vec<i32>,
    channel_widths: Vec<i32>,
    /// Rows of passing ways: net, leftward, layer.
    passes: BTreeMap<(Name, bool, usize), i32>,
    /// Rows of ports, from the top of their box: node, right side, net, leaving.
    ports: BTreeMap<(Name, bool, Name, bool), i32>,
}

impl Block {
    pub const fn right(&self) -> i32 {
        self.x + self.width
    }

    pub const fn bottom(&self) -> i32 {
        self.y + self.height
    }

    pub const fn contains(&self, point: Point) -> bool {
        point.x >= self.x && point.x < self.right() && point.y >= self.y && point.y < self.bottom()
    }

    pub const fn overlaps(&self, other: &Self) -> bool {
        self.x < other.right() && other.x < self.right() && self.y < other.bottom() && other.y < self.bottom()
    }

    /// The middle, rounded up and left.
    pub const fn middle(&self) -> Point {
        Point { x: self.x + self.width / 2, y: self.y + self.height / 2 }
    }
}

impl Layout {
    /// Lays a graph out from nothing. `tries` is how many starting orders are compared; more take longer and cross less.
    pub fn fresh(graph: &Graph, spacing: Spacing, tries: usize) -> Self {
        let graph = graph.sorted();
        let layer = layers::assign(&graph);
        let shape = Shape::new(&graph, layer, None);
        let mut best: Option<(usize, Self)> = None;
        for order in order::candidates(&shape, tries) {
            let rows = rows::spread(&shape, &order);
            let layout = assemble::assemble(&shape, rows, None, spacing);
            // Of pictures that cross equally little, the smaller one.
            let cost = layout.cost();
            if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                best = Some((cost, layout));
            }
        }
        best.map(|(_, layout)| layout).unwrap_or_default()
    }

    /// Lays out a graph that is much like the one of `self`: what stays, stays in its place, as far as there is room.
    pub fn update(&self, graph: &Graph, spacing: Spacing) -> Self {
        if self.boxes.is_empty() {
            return Self::fresh(graph, spacing, 1);
        }
        let graph = graph.sorted();
        let layer = keep::layers(&graph, self);
        let shape = Shape::new(&graph, layer, Some(self));
        let rows = keep::rows(&shape, self);
        assemble::assemble(&shape, rows, Some(self), spacing)
    }

    /// How hard it is to read: crossings first, then its size.
    pub fn cost(&self) -> usize {
        let area = usize::try_from(i64::from(self.width) * i64::from(self.height)).unwrap_or(0);
        cells::measure(self).crossings * 100 + area / 20
    }

    /// The place of a node in [`Layout::boxes`].
    pub fn node(&self, key: &str) -> Option<usize> {
        self.boxes.binary_search_by(|placed| (*placed.key).cmp(key)).ok()
    }

    /// The place of a net in [`Layout::routes`].
    pub fn net(&self, key: &str) -> Option<usize> {
        self.routes.binary_search_by(|route| (*route.key).cmp(key)).ok()
    }
}

impl Graph {
    /// Nodes and nets by key, receivers in the order of nodes, each once: the layout must not hang on the order in which things
    /// were found.
    fn sorted(&self) -> Self {
        let mut places: Vec<usize> = (0..self.nodes.len()).collect();
        places.sort_by(|a, b| self.nodes[*a].key.cmp(&self.nodes[*b].key));
        let mut now = vec![0; places.len()];
        for (at, place) in places.iter().enumerate() {
            now[*place] = at;
        }
        let mut nets: Vec<Net> = self
            .nets
            .iter()
            .map(|net| {
                let mut to: Vec<usize> = net.to.iter().map(|at| now[*at]).collect();
                to.sort_unstable();
                to.dedup();
                Net { key: net.key.clone(), from: now[net.from], to }
            })
            .collect();
        nets.sort_by(|a, b| a.key.cmp(&b.key));
        Self { nodes: places.into_iter().map(|at| self.nodes[at].clone()).collect(), nets }
    }
}
