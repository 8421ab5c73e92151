//! View 7, Propagation: where one message is. What was searched for, which messages are followed, and of the chosen one who has
//! it, since when, and what the others wait for: a record table with a waterfall on one time axis from the moment in which it
//! was stored.

mod axis;
mod bar;
mod empty;
mod followed;
mod searched;
mod waterfall;
pub mod words;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::hit::HitAreas;
use crate::app::list::ListId;
use crate::model::trace;

use super::Ctx;
use super::area::take_top;

/// Draws the view.
pub fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
    hits.viewport(ListId::Traces, 0, 0);
    hits.viewport(ListId::Legs, 0, 0);
    let searched = searched::lines(ctx, area.width);
    let high = u16::try_from(searched.len()).unwrap_or(u16::MAX).min(area.height / 2);
    let (top, mut rest) = take_top(area, high);
    for (row, cell) in searched.iter().take(usize::from(high)).enumerate() {
        super::area::line(buf, top, row as u16, cell, &ctx.look());
    }
    if high > 0 {
        rest = take_top(rest, 1).1;
    }
    let rows = ctx.app.list(ListId::Traces).rows().len();
    if rows > 1 {
        let high = followed::height(rows, rest.height);
        let (list, below) = take_top(rest, high);
        followed::draw(ctx, buf, list, hits);
        rest = take_top(below, 1).1;
    }
    let message = ctx.app.message();
    match message.and_then(|message| trace::find(&ctx.snapshot.traces, &message)) {
        Some(trace) => waterfall::draw(ctx, buf, rest, hits, trace),
        None => empty::draw(ctx, buf, rest),
    }
}
