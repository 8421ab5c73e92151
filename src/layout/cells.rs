//! What lies in each cell of a window onto a layout: which nets run through it, and to which sides.
//!
//! Horizontals and verticals are kept apart: of two different nets in one cell the vertical one passes over the other, and only
//! lines of one net are joined.

use super::{Block, Layout, Point};

/// The sides of a cell that a line leaves by.
pub const UP: u8 = 1;
pub const RIGHT: u8 = 2;
pub const DOWN: u8 = 4;
pub const LEFT: u8 = 8;

/// No net.
pub const NONE: u32 = u32::MAX;

/// The lines of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// The places in [`Layout::routes`] of the nets that run horizontally and vertically through it, or [`NONE`].
    pub across: u32,
    pub along: u32,
    /// Sides of the one and of the other.
    pub across_sides: u8,
    pub along_sides: u8,
    /// Two nets run over each other here: what must never be.
    pub ambiguous: bool,
}

impl Cell {
    const EMPTY: Self = Self { across: NONE, along: NONE, across_sides: 0, along_sides: 0, ambiguous: false };

    /// The net that is drawn, and the sides to which its line goes; `None` in an empty cell.
    pub fn drawn(&self) -> Option<(u32, u8)> {
        match (self.across, self.along) {
            (NONE, NONE) => None,
            (net, NONE) => Some((net, self.across_sides)),
            (across, along) if across == along => Some((along, self.across_sides | self.along_sides)),
            (_, along) => Some((along, self.along_sides)),
        }
    }

    /// Whether one net crosses another here.
    pub fn crossing(&self) -> bool {
        self.across != NONE && self.along != NONE && self.across != self.along
    }
}

/// The cells of a window.
#[derive(Debug, Clone)]
pub struct Cells {
    pub window: Block,
    cells: Vec<Cell>,
}

impl Cells {
    /// The lines of the routes that `shown` takes, as far as they are in the window.
    pub fn of(layout: &Layout, window: Block, shown: impl Fn(usize) -> bool) -> Self {
        let count = i64::from(window.width.max(0)) * i64::from(window.height.max(0));
        let mut cells = Self { window, cells: vec![Cell::EMPTY; usize::try_from(count).unwrap_or(0)] };
        for (net, route) in layout.routes.iter().enumerate().filter(|(net, _)| shown(*net)) {
            let net = u32::try_from(net).unwrap_or(NONE);
            for branch in &route.branches {
                // The line comes out of the one box and goes into the other.
                if let [first, second, ..] = branch.points[..] {
                    let x = if second.x > first.x { first.x - 1 } else { first.x + 1 };
                    cells.line(net, Point { x, ..first }, first);
                }
                for pair in branch.points.windows(2) {
                    cells.line(net, pair[0], pair[1]);
                }
                if let Some(last) = branch.points.last() {
                    let x = if branch.rightward { last.x + 1 } else { last.x - 1 };
                    cells.line(net, *last, Point { x, y: last.y });
                }
            }
            if route.branches.is_empty() {
                // A stub: as long as its label.
                let out = Point { x: route.start.x - 1, ..route.start };
                let end = Point { x: (route.label.right() - 1).max(route.start.x), ..route.start };
                cells.line(net, out, end);
            }
        }
        cells
    }

    /// The cell at a place of the layout; `None` outside the window.
    pub fn at(&self, point: Point) -> Option<&Cell> {
        self.index(point).and_then(|at| self.cells.get(at))
    }

    /// Every cell with its place.
    pub fn iter(&self) -> impl Iterator<Item = (Point, &Cell)> {
        let width = self.window.width.max(1);
        self.cells.iter().enumerate().map(move |(at, cell)| {
            let at = i32::try_from(at).unwrap_or(0);
            (Point { x: self.window.x + at % width, y: self.window.y + at / width }, cell)
        })
    }

    fn index(&self, point: Point) -> Option<usize> {
        let inside = self.window.contains(point);
        let at = (point.y - self.window.y) * self.window.width + point.x - self.window.x;
        if inside { usize::try_from(at).ok() } else { None }
    }

    /// A line from one cell to another of its row or column. Its ends are marked in the half cells between them only.
    fn line(&mut self, net: u32, from: Point, to: Point) {
        let (top, left) = (from.y.min(to.y), from.x.min(to.x));
        let (bottom, right) = (from.y.max(to.y), from.x.max(to.x));
        if top == bottom {
            for x in left.max(self.window.x)..=right.min(self.window.right() - 1) {
                let sides = if x > left { LEFT } else { 0 } | if x < right { RIGHT } else { 0 };
                self.mark(net, Point { x, y: top }, sides, true);
            }
        } else {
            for y in top.max(self.window.y)..=bottom.min(self.window.bottom() - 1) {
                let sides = if y > top { UP } else { 0 } | if y < bottom { DOWN } else { 0 };
                self.mark(net, Point { x: left, y }, sides, false);
            }
        }
    }

    fn mark(&mut self, net: u32, point: Point, sides: u8, across: bool) {
        let Some(cell) = self.index(point).and_then(|at| self.cells.get_mut(at)) else { return };
        let (own, of) = if across {
            (&mut cell.across, &mut cell.across_sides)
        } else {
            (&mut cell.along, &mut cell.along_sides)
        };
        if *own != NONE && *own != net {
            cell.ambiguous = true;
        }
        *own = net;
        *of |= sides;
    }
}

/// How hard a layout is to read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Measure {
    /// Cells in which one net crosses another.
    pub crossings: usize,
    /// Cells in which two nets run over each other.
    pub ambiguous: usize,
    /// Cells with a line.
    pub drawn: usize,
}

/// Measures a whole layout.
pub fn measure(layout: &Layout) -> Measure {
    let window = Block { x: 0, y: 0, width: layout.width, height: layout.height };
    let mut measure = Measure::default();
    for (_, cell) in Cells::of(layout, window, |_| true).iter() {
        measure.crossings += usize::from(cell.crossing());
        measure.ambiguous += usize::from(cell.ambiguous);
        measure.drawn += usize::from(cell.drawn().is_some());
    }
    measure
}
