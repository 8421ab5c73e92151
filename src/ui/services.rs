//! How each service fares, what it owns, keeps, publishes and asks for.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::hit::HitAreas;
use crate::app::list::ListId;

use super::Ctx;
use super::widget::{Cell, Column};

const COLUMNS: &[Column] = &[Column::text("name", "name", 10, 60, 0)];

pub fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
    let rows = ctx.app.list(ListId::Services).rows();
    ctx.table(ListId::Services, COLUMNS).draw(buf, area, &ctx.look(), hits, |at| {
        let name = rows.get(at).and_then(|row| row.thing.as_ref()).map_or("", |thing| thing.as_str());
        vec![Cell::text(name).keep_ends()]
    });
}
