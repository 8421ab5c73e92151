//! Everything that is known of one thing, with its evidence.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::hit::HitAreas;

use super::Ctx;
use super::widget::Cell;

/// The lines of the pane, inside its border. How many there are and how many fit is noted in `hits`, so that scrolling stops at
/// the end.
pub fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
    let name = ctx.app.opened().and_then(|row| row.thing.as_ref()).map_or("", |thing| thing.as_str());
    Cell::text(name).draw(buf, area.x, area.y, area.width, &ctx.look());
    hits.detail(1, usize::from(area.height));
}
