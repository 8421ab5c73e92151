//! Tables: columns with a priority, one selected row, a sort marker, and a scroll bar when there is more.
//!
//! A narrow terminal loses whole columns, the least important first; no column is ever squeezed below the width at which it
//! can be read.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;

use crate::app::hit::{Hit, HitAreas};
use crate::app::list::ListId;
use crate::theme::{Glyph, Role};

use super::cell::{Cell, Look};
use super::text;

/// Columns between two columns.
const GAP: u16 = 2;

/// Where a column's content stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// One column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// The field of the list that it shows and sorts by (see [`crate::app::list`]); any other word for a column
    /// that cannot be sorted by.
    pub key: &'static str,
    pub title: &'static str,
    pub align: Align,
    /// Below this width the column is dropped rather than squeezed.
    pub min: u16,
    /// It takes up to this width when there is room.
    pub max: u16,
    /// 0 is never dropped; the largest goes first.
    pub priority: u8,
}

impl Column {
    /// A column of names: at least `min` columns wide, up to `max` when there is room.
    pub const fn text(key: &'static str, title: &'static str, min: u16, max: u16, priority: u8) -> Self {
        Self { key, title, align: Align::Left, min, max, priority }
    }

    /// A column of numbers, right-aligned, of one width always.
    pub const fn number(key: &'static str, title: &'static str, width: u16, priority: u8) -> Self {
        Self { key, title, align: Align::Right, min: width, max: width, priority }
    }

    /// A column of signs or sparklines, left-aligned, of one width always.
    pub const fn fixed(key: &'static str, title: &'static str, width: u16, priority: u8) -> Self {
        Self { key, title, align: Align::Left, min: width, max: width, priority }
    }
}

/// What a table shows; rows are asked for one by one, only those that are visible.
#[derive(Debug, Clone, Copy)]
pub struct Table<'a> {
    pub list: ListId,
    pub columns: &'a [Column],
    pub rows: usize,
    pub selected: Option<usize>,
    /// The first visible row, as the last frame left it.
    pub offset: usize,
    /// The field sorted by, and whether the largest is first.
    pub sort: Option<(&'a str, bool)>,
    /// Whether this table has the keys.
    pub focused: bool,
}

/// A column with its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Placed {
    index: usize,
    x: u16,
    width: u16,
}

impl Table<'_> {
    /// Draws the table and notes what can be clicked. `row` gives the cells of a row, one for each column in order.
    pub fn draw(
        &self,
        buf: &mut Buffer,
        area: Rect,
        look: &Look<'_>,
        hits: &mut HitAreas,
        mut row: impl FnMut(usize) -> Vec<Cell>,
    ) {
        let area = area.intersection(*buf.area());
        if area.height == 0 || area.width == 0 {
            return;
        }
        let body_height = usize::from(area.height - 1);
        let scrolls = self.rows > body_height;
        let inner = area.width.saturating_sub(u16::from(scrolls));
        let placed = self.place(area.x, inner);
        self.draw_header(buf, area, &placed, look, hits);

        let offset = visible_offset(self.offset, self.selected, self.rows, body_height);
        hits.viewport(self.list, offset, body_height);
        for line in 0..body_height.min(self.rows.saturating_sub(offset)) {
            let index = offset + line;
            let y = area.y + 1 + line as u16;
            let cells = row(index);
            for at in &placed {
                let (Some(column), Some(cell)) = (self.columns.get(at.index), cells.get(at.index)) else {
                    continue;
                };
                match column.align {
                    Align::Left => {
                        cell.draw(buf, at.x, y, at.width, look);
                    }
                    Align::Right => cell.draw_right(buf, at.x, y, at.width, look),
                }
            }
            let strip = Rect::new(area.x, y, inner, 1);
            if self.selected == Some(index) {
                highlight(buf, strip, look, self.focused);
            }
            hits.add(strip, Hit::Row(self.list, index));
        }
        if scrolls {
            draw_scrollbar(
                buf,
                Rect::new(area.right() - 1, area.y + 1, 1, area.height - 1),
                look,
                offset,
                self.rows,
            );
        }
    }

    /// Which columns fit, and where.
    fn place(&self, x: u16, width: u16) -> Vec<Placed> {
        let mut kept: Vec<usize> = (0..self.columns.len()).collect();
        let min_of = |index: &usize| self.columns.get(*index).map_or(0, |column| column.min);
        let needed = |kept: &[usize]| {
            kept.iter().map(min_of).sum::<u16>() + GAP * (kept.len().saturating_sub(1) as u16)
        };
        while needed(&kept) > width {
            let worst = kept
                .iter()
                .enumerate()
                .filter_map(|(at, index)| Some((self.columns.get(*index)?.priority, at)))
                .filter(|(priority, _)| *priority > 0)
                .max();
            match worst {
                Some((_, at)) => kept.remove(at),
                None => break,
            };
        }
        // What is left over goes to the columns that can use it, one column at a time in turn.
        let mut widths: Vec<u16> = kept.iter().map(min_of).collect();
        let mut spare = width.saturating_sub(needed(&kept));
        while spare > 0 {
            let mut grew = false;
            for (index, wide) in kept.iter().zip(widths.iter_mut()) {
                if spare > 0 && self.columns.get(*index).is_some_and(|column| *wide < column.max) {
                    *wide += 1;
                    spare -= 1;
                    grew = true;
                }
            }
            if !grew {
                break;
            }
        }
        let end = x + width;
        let mut at = x;
        let mut placed = Vec::with_capacity(kept.len());
        for (index, wide) in kept.into_iter().zip(widths) {
            let wide = wide.min(end.saturating_sub(at));
            placed.push(Placed { index, x: at, width: wide });
            at = at.saturating_add(wide + GAP).min(end);
        }
        placed
    }

    fn draw_header(
        &self,
        buf: &mut Buffer,
        area: Rect,
        placed: &[Placed],
        look: &Look<'_>,
        hits: &mut HitAreas,
    ) {
        for at in placed {
            let Some(column) = self.columns.get(at.index) else { continue };
            let mut title = Cell::styled(column.title, Role::TableHeader);
            if let Some((key, descending)) = self.sort
                && key == column.key
            {
                let marker = look.glyph(if descending { Glyph::SortDown } else { Glyph::SortUp });
                // A title as wide as its column keeps its letters: the mark goes into the gap beside it, of the last column before it.
                let full = title.width() >= usize::from(at.width);
                let beside =
                    if at.x + at.width < area.right() { at.x + at.width } else { at.x.saturating_sub(1) };
                if full && beside >= area.x {
                    Cell::styled(marker, Role::Key).draw(buf, beside, area.y, 1, look);
                } else {
                    title = Cell::styled(
                        text::truncate(column.title, usize::from(at.width).saturating_sub(1), ""),
                        Role::TableHeader,
                    )
                    .then(marker, Role::Key);
                }
            }
            match column.align {
                Align::Left => {
                    title.draw(buf, at.x, area.y, at.width, look);
                }
                Align::Right => title.draw_right(buf, at.x, area.y, at.width, look),
            }
            hits.add(Rect::new(at.x, area.y, at.width, 1), Hit::Header(self.list, column.key));
        }
    }
}

/// The first row to show: as before, moved as little as needed so that the selected row is seen and no room is wasted
/// below the last one.
pub fn visible_offset(offset: usize, selected: Option<usize>, rows: usize, height: usize) -> usize {
    let mut offset = offset.min(rows.saturating_sub(height));
    if let Some(selected) = selected {
        offset = offset.min(selected);
        if height > 0 && selected >= offset + height {
            offset = selected + 1 - height;
        }
    }
    offset
}

/// Lays the selection over a row that has been drawn.
pub fn highlight(buf: &mut Buffer, strip: Rect, look: &Look<'_>, focused: bool) {
    let role = if focused { Role::Selection } else { Role::SelectionInactive };
    // A dimmed or reversed piece inside the bar would be unreadable or look unselected.
    let style = look.style(role).remove_modifier(Modifier::DIM);
    for position in strip.positions() {
        if let Some(cell) = buf.cell_mut(position) {
            cell.modifier.remove(Modifier::DIM | Modifier::REVERSED);
            cell.set_style(style);
        }
    }
}

/// A scroll bar over a column: how much there is, and which part is seen.
pub fn draw_scrollbar(buf: &mut Buffer, area: Rect, look: &Look<'_>, offset: usize, rows: usize) {
    let height = usize::from(area.height);
    if height == 0 || rows <= height {
        return;
    }
    let thumb = (height * height / rows).clamp(1, height);
    let room = height - thumb;
    let top = (offset * room).div_ceil((rows - height).max(1)).min(room);
    for line in 0..height {
        let inside = (top..top + thumb).contains(&line);
        let (glyph, role) =
            if inside { (Glyph::ScrollThumb, Role::Muted) } else { (Glyph::Vertical, Role::Border) };
        buf.set_string(area.x, area.y + line as u16, look.glyph(glyph), look.style(role));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Timestamp;
    use crate::theme::{Glyphs, Theme};

    const COLUMNS: &[Column] = &[
        Column::fixed("state", "", 1, 0),
        Column::text("name", "consumer", 6, 12, 0),
        Column::number("lag", "lag", 5, 1),
        Column::number("acked", "acked", 6, 3),
        Column::number("stale", "stale", 6, 2),
    ];

    fn draw(
        width: u16,
        height: u16,
        rows: usize,
        selected: Option<usize>,
        offset: usize,
    ) -> (Vec<String>, HitAreas) {
        let theme = Theme::mono();
        let look = Look { theme: &theme, glyphs: Glyphs::Unicode, now: Timestamp(0), lost: None };
        let area = Rect::new(0, 0, width, height);
        let mut buf = Buffer::empty(area);
        let mut hits = HitAreas::default();
        let table = Table {
            list: ListId::Consumers,
            columns: COLUMNS,
            rows,
            selected,
            offset,
            sort: Some(("lag", true)),
            focused: true,
        };
        table.draw(&mut buf, area, &look, &mut hits, |row| {
            vec![
                Cell::text("■"),
                Cell::text(format!("ORDERS/日本-{row}")),
                Cell::number(format!("{row}"), Role::Text),
                Cell::number("38/s", Role::Text),
                Cell::number("2m05", Role::Text),
            ]
        });
        let lines = (0..height)
            .map(|y| {
                let mut line = String::new();
                let mut skip = 0;
                for x in 0..width {
                    if skip > 0 {
                        skip -= 1;
                        continue;
                    }
                    let symbol = buf[(x, y)].symbol();
                    skip = text::width(symbol).saturating_sub(1);
                    line.push_str(symbol);
                }
                line.trim_end().to_owned()
            })
            .collect();
        (lines, hits)
    }

    #[test]
    fn all_columns_when_there_is_room() {
        let (lines, _) = draw(40, 3, 2, None, 0);
        assert_eq!(
            lines,
            [
                "   consumer       lag▾   acked   stale",
                "■  ORDERS/日本…      0    38/s    2m05",
                "■  ORDERS/日本…      1    38/s    2m05",
            ]
            .map(str::to_owned)
            .to_vec()
        );
    }

    #[test]
    fn the_least_important_column_goes_first_and_none_is_squeezed() {
        let (lines, _) = draw(25, 2, 1, None, 0);
        assert_eq!(lines, ["   consum…   lag▾   stale", "■  ORDERS…      0    2m05"]);
        let (lines, _) = draw(17, 2, 1, None, 0);
        assert_eq!(lines, ["   consum…   lag▾", "■  ORDERS…      0"]);
        let (lines, _) = draw(9, 2, 1, None, 0);
        assert_eq!(lines, ["   consu…", "■  ORDER…"]);
    }

    #[test]
    fn the_selected_row_is_always_seen() {
        assert_eq!(visible_offset(0, Some(9), 20, 5), 5);
        assert_eq!(visible_offset(10, Some(9), 20, 5), 9);
        assert_eq!(visible_offset(18, None, 20, 5), 15);
        assert_eq!(visible_offset(3, Some(0), 0, 5), 0);
        assert_eq!(visible_offset(3, Some(2), 4, 0), 2);
    }

    #[test]
    fn rows_and_headers_can_be_clicked() {
        let (lines, hits) = draw(40, 4, 30, Some(20), 0);
        assert_eq!(hits.at(5, 0), Some(&Hit::Header(ListId::Consumers, "name")));
        assert_eq!(hits.at(5, 3), Some(&Hit::Row(ListId::Consumers, 20)));
        assert_eq!(hits.viewport_of(ListId::Consumers), Some((18, 3)));
        assert!(lines[1].ends_with('│') || lines[1].ends_with('┃'), "{lines:?}");
    }

    #[test]
    fn never_outside_its_area() {
        for width in 0..45 {
            for height in 0..5 {
                draw(width, height, 30, Some(29), 0);
            }
        }
    }
}
