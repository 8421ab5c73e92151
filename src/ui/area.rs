//! Cutting areas into parts, and drawing a line of one: the small movements that all views make.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::theme::Role;

use super::widget::{Cell, Look};

/// Cuts `rows` from the top of an area: (the cut, what is left).
pub fn take_top(area: Rect, rows: u16) -> (Rect, Rect) {
    let rows = rows.min(area.height);
    let top = Rect { height: rows, ..area };
    let rest = Rect { y: area.y + rows, height: area.height - rows, ..area };
    (top, rest)
}

/// Cuts `rows` from the bottom of an area: (what is left, the cut).
pub fn take_bottom(area: Rect, rows: u16) -> (Rect, Rect) {
    let rows = rows.min(area.height);
    let (rest, bottom) = take_top(area, area.height - rows);
    (rest, bottom)
}

/// Cuts `columns` from the left of an area: (the cut, what is left).
pub fn take_left(area: Rect, columns: u16) -> (Rect, Rect) {
    let columns = columns.min(area.width);
    let left = Rect { width: columns, ..area };
    let rest = Rect { x: area.x + columns, width: area.width - columns, ..area };
    (left, rest)
}

/// One cell at the start of a row of an area.
pub fn line(buf: &mut Buffer, area: Rect, row: u16, cell: &Cell, look: &Look<'_>) {
    if row < area.height {
        cell.draw(buf, area.x, area.y + row, area.width, look);
    }
}

/// The name of a panel.
pub fn title(text: &str) -> Cell {
    Cell::styled(text, Role::Title)
}
