//! A window onto a larger picture: draws in the picture's cells what falls into it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::layout::{Block, Point};
use crate::theme::{Glyph, Glyphs};
use crate::ui::widget::{Cell, Look};

pub struct Canvas<'b> {
    pub buf: &'b mut Buffer,
    pub area: Rect,
    pub origin: Point,
    /// The look of an empty place.
    pub ground: Style,
}

impl Canvas<'_> {
    /// The window, in cells of the picture.
    pub fn window(&self) -> Block {
        let Rect { width, height, .. } = self.area;
        Block { x: self.origin.x, y: self.origin.y, width: i32::from(width), height: i32::from(height) }
    }

    /// Where a cell of the picture is on the screen.
    pub fn screen(&self, at: Point) -> Option<(u16, u16)> {
        let x = u16::try_from(at.x - self.origin.x).ok().filter(|x| *x < self.area.width)?;
        let y = u16::try_from(at.y - self.origin.y).ok().filter(|y| *y < self.area.height)?;
        Some((self.area.x + x, self.area.y + y))
    }

    /// The part of a block that is on the screen.
    pub fn visible(&self, block: Block) -> Option<Rect> {
        let window = self.window();
        if !block.overlaps(&window) {
            return None;
        }
        let (left, top) = (block.x.max(window.x), block.y.max(window.y));
        let (right, bottom) = (block.right().min(window.right()), block.bottom().min(window.bottom()));
        let (x, y) = self.screen(Point { x: left, y: top })?;
        let [width, height] = [right - left, bottom - top].map(|cells| u16::try_from(cells).unwrap_or(0));
        Some(Rect { x, y, width, height })
    }

    /// One sign.
    pub fn put(&mut self, at: Point, sign: &str, style: Style) {
        if let Some(place) = self.screen(at)
            && let Some(cell) = self.buf.cell_mut(place)
        {
            cell.reset();
            cell.set_symbol(sign).set_style(self.ground.patch(style));
        }
    }

    /// A line of text over so many columns, cut where they end.
    pub fn text(&mut self, at: Point, columns: i32, text: &Cell, look: &Look<'_>) {
        let strip = Block { x: at.x, y: at.y, width: columns.max(0), height: 1 };
        self.sheet(strip, look, |buf| {
            let width = buf.area.width;
            text.draw(buf, 0, 0, width, look);
        });
    }

    /// Draws into a sheet of a block's size and shows what of it is in the window.
    pub fn sheet(&mut self, block: Block, look: &Look<'_>, draw: impl FnOnce(&mut Buffer)) {
        let Some(visible) = self.visible(block) else { return };
        let [width, height] = [block.width, block.height].map(|cells| u16::try_from(cells).unwrap_or(0));
        let mut sheet = Buffer::empty(Rect { x: 0, y: 0, width, height });
        sheet.set_style(sheet.area, look.style(crate::theme::Role::Text));
        draw(&mut sheet);
        let (left, top) = (self.origin.x.max(block.x) - block.x, self.origin.y.max(block.y) - block.y);
        for y in 0..visible.height {
            for x in 0..visible.width {
                let [from_x, from_y] =
                    [left + i32::from(x), top + i32::from(y)].map(|at| u16::try_from(at).unwrap_or(0));
                let from = sheet.cell((from_x, from_y)).cloned();
                if let (Some(from), Some(to)) = (from, self.buf.cell_mut((visible.x + x, visible.y + y))) {
                    *to = from;
                }
            }
        }
    }
}

/// Empties a part of the screen.
pub fn clear(buf: &mut Buffer, area: Rect, style: Style) {
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            if let Some(cell) = buf.cell_mut((x, y)) {
                cell.reset();
                cell.set_style(style);
            }
        }
    }
}

/// A border around a part of the screen.
pub fn border(buf: &mut Buffer, area: Rect, glyphs: Glyphs, style: Style) {
    if area.width < 2 || area.height < 2 {
        return;
    }
    let mut put = |x: u16, y: u16, glyph: Glyph| {
        if let Some(cell) = buf.cell_mut((x, y)) {
            cell.set_symbol(glyphs.get(glyph)).set_style(style);
        }
    };
    let (left, right, top, bottom) = (area.left(), area.right() - 1, area.top(), area.bottom() - 1);
    for x in left..=right {
        put(x, top, Glyph::Horizontal);
        put(x, bottom, Glyph::Horizontal);
    }
    for y in top..=bottom {
        put(left, y, Glyph::Vertical);
        put(right, y, Glyph::Vertical);
    }
    put(left, top, Glyph::BoxTopLeft);
    put(right, top, Glyph::BoxTopRight);
    put(left, bottom, Glyph::BoxBottomLeft);
    put(right, bottom, Glyph::BoxBottomRight);
}
