//! A view that is one table: its rows, what is said of the selected one, and why it is empty when it is.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::hit::{Hit, HitAreas};
use crate::app::list::{ListId, RowId};
use crate::app::{Action, Detail};
use crate::model::snapshot::{Snapshot, Thing};

use super::Ctx;
use super::area::take_bottom;
use super::blank;
use super::widget::{Cell, Column};

/// Below this height the line about the selected row gives its place to a row.
const ROOM_FOR_A_LINE: u16 = 8;

/// What a table is of.
pub struct Listing<'a, T> {
    pub list: ListId,
    pub columns: &'a [Column],
    /// A row's thing in the snapshot; `None` when it is gone.
    pub find: fn(&'a Snapshot, &Thing) -> Option<&'a T>,
    /// The cells of its row, one for each column.
    pub row: &'a dyn Fn(&T) -> Vec<Cell>,
    /// What to say of it when it is selected, in one line.
    pub about: &'a dyn Fn(&T) -> Cell,
    /// One line under the rows, for what is folded; a click on it unfolds.
    pub folded: Option<Cell>,
}

impl<'a, T> Listing<'a, T> {
    /// Draws the table, and under it one line about the selected row: why it is as it is.
    pub fn draw(&self, ctx: &Ctx<'a>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
        let state = ctx.app.list(self.list);
        let find = |row: Option<&RowId>| (self.find)(ctx.snapshot, row?.thing.as_ref()?);
        hits.add(area, Hit::List(self.list));
        if state.rows().is_empty() {
            hits.viewport(self.list, 0, 0);
            blank::draw(ctx, buf, area, self.list);
            return;
        }
        // The detail pane says it at length.
        let says = area.height >= ROOM_FOR_A_LINE && ctx.app.detail() == Detail::Closed;
        let (body, foot) = if says { take_bottom(area, 2) } else { (area, Rect::ZERO) };
        let (body, mut line) = take_bottom(body, u16::from(self.folded.is_some()));
        if let Some(folded) = &self.folded {
            // Under the last row, as if it were one.
            line.y =
                line.y.min(body.y + 1 + u16::try_from(state.rows().len()).unwrap_or(u16::MAX - body.y - 1));
            folded.draw(buf, line.x, line.y, line.width, &ctx.look());
            hits.add(line, Hit::Do(Action::Fold));
        }
        ctx.table(self.list, self.columns).draw(buf, body, &ctx.look(), hits, |index| {
            find(state.rows().get(index)).map(self.row).unwrap_or_default()
        });
        if !foot.is_empty()
            && let Some(thing) = find(state.selected())
        {
            (self.about)(thing).draw(buf, foot.x, foot.y + 1, foot.width, &ctx.look());
        }
    }
}
