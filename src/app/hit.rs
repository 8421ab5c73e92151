//! What a place on the screen stands for: written by the drawing of a frame, read when the mouse is used and when a page is
//! turned.

use std::collections::BTreeMap;

use super::action::Action;
use super::list::ListId;
use crate::layout::Point;

/// A rectangle of terminal columns and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    pub x: u16,
    pub y: u16,
    pub width: u16,
    pub height: u16,
}

impl Area {
    fn contains(self, x: u16, y: u16) -> bool {
        x >= self.x && y >= self.y && x - self.x < self.width && y - self.y < self.height
    }
}

/// What can be pointed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hit {
    /// Does what a key does: tabs, footer.
    Do(Action),
    /// The row with this index in a list.
    Row(ListId, usize),
    /// A column's title: sort by it.
    Header(ListId, &'static str),
    /// A list's ground: the wheel scrolls it.
    List(ListId),
    /// The detail pane.
    Detail,
    /// An entry of the command palette.
    Choice(usize),
    /// The help overlay, or another layer above everything.
    Overlay,
}

/// Everything that can be pointed at in the last frame, and what part of each list was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HitAreas {
    areas: Vec<(Area, Hit)>,
    viewports: BTreeMap<ListId, (usize, usize)>,
    detail: Option<(usize, usize)>,
    overlay: Option<(usize, usize)>,
    map: Option<(Point, (i32, i32))>,
    moving: bool,
}

impl HitAreas {
    /// What is added later lies above what was added before.
    pub fn add(&mut self, area: impl Into<Area>, hit: Hit) {
        self.areas.push((area.into(), hit));
    }

    /// Notes the first visible row of a list and how many rows fit.
    pub fn viewport(&mut self, list: ListId, offset: usize, height: usize) {
        self.viewports.insert(list, (offset, height));
    }

    /// Notes how many lines the detail pane has and how many fit.
    pub fn detail(&mut self, lines: usize, height: usize) {
        self.detail = Some((lines, height));
    }

    /// Notes how many lines the help has and how many fit.
    pub fn overlay(&mut self, lines: usize, height: usize) {
        self.overlay = Some((lines, height));
    }

    /// Notes which cell of the map is at the top left of its window, and how many columns and rows that has.
    pub fn map(&mut self, origin: Point, window: (i32, i32)) {
        self.map = Some((origin, window));
    }

    /// Notes that something on the map moves by itself.
    pub fn moving(&mut self, moving: bool) {
        self.moving = moving;
    }

    /// Whether something moved by itself in the last frame.
    pub fn moves(&self) -> bool {
        self.moving
    }

    /// The window onto the map in the last frame.
    pub fn map_window(&self) -> Option<(Point, (i32, i32))> {
        self.map
    }

    /// What lies at a place; the topmost.
    pub fn at(&self, x: u16, y: u16) -> Option<&Hit> {
        self.areas.iter().rev().find(|(area, _)| area.contains(x, y)).map(|(_, hit)| hit)
    }

    /// First visible row and height of a list in the last frame.
    pub fn viewport_of(&self, list: ListId) -> Option<(usize, usize)> {
        self.viewports.get(&list).copied()
    }

    /// Lines and height of the detail pane in the last frame.
    pub fn detail_size(&self) -> Option<(usize, usize)> {
        self.detail
    }

    /// Lines and height of the help in the last frame.
    pub fn overlay_size(&self) -> Option<(usize, usize)> {
        self.overlay
    }
}
