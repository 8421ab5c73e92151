//! A view that is one table: its rows, what is said of the selected one, and why it is empty when it is.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::Detail;
use crate::app::hit::{Hit, HitAreas};
use crate::app::list::ListId;
use crate::model::snapshot::Thing;

use super::Ctx;
use super::area::take_bottom;
use super::blank;
use super::widget::{Cell, Column};

/// Below this height the line about the selected row gives its place to a row.
const ROOM_FOR_A_LINE: u16 = 8;

/// What a table is of.
pub struct Listing<'a> {
    pub list: ListId,
    pub columns: &'a [Column],
    /// The cells of a thing's row, one for each column; `None` when the thing is gone.
    pub row: &'a dyn Fn(&Thing) -> Option<Vec<Cell>>,
    /// What to say of the selected thing, in one line.
    pub about: &'a dyn Fn(&Thing) -> Option<Cell>,
}

impl Listing<'_> {
    /// Draws the table, and under it one line about the selected row: why it is as it is.
    pub fn draw(&self, ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
        let state = ctx.app.list(self.list);
        hits.add(area, Hit::List(self.list));
        if state.rows().is_empty() {
            hits.viewport(self.list, 0, 0);
            blank::draw(ctx, buf, area, self.list);
            return;
        }
        // The detail pane says it at length.
        let says = area.height >= ROOM_FOR_A_LINE && ctx.app.detail() == Detail::Closed;
        let (body, foot) = if says { take_bottom(area, 2) } else { (area, Rect::ZERO) };
        ctx.table(self.list, self.columns).draw(buf, body, &ctx.look(), hits, |index| {
            let thing = state.rows().get(index).and_then(|row| row.thing.as_ref());
            thing.and_then(self.row).unwrap_or_default()
        });
        if !foot.is_empty()
            && let Some(cell) = state.selected().and_then(|row| row.thing.as_ref()).and_then(self.about)
        {
            cell.draw(buf, foot.x, foot.y + 1, foot.width, &ctx.look());
        }
    }
}
