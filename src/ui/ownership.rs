//! View 4, Ownership: who owns each kind of data, and who keeps copies of it — entity × service, and beside or below it
//! what is known of the selected entity.

mod card;
mod columns;
mod matrix;
mod relation;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::Detail;
use crate::app::hit::{Hit, HitAreas};
use crate::app::list::ListId;

use super::Ctx;
use super::area::{take_bottom, take_left};
use super::blank;

/// From this width on the selected entity is described beside the matrix.
const WIDE: u16 = 130;
/// Columns of that description at least; what the matrix does not need is added.
const CARD: u16 = 54;
/// Below this height there is only the matrix.
const ROOM_FOR_A_CARD: u16 = 14;

/// Draws the view.
pub fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
    hits.add(area, Hit::List(ListId::Entities));
    if ctx.app.list(ListId::Entities).rows().is_empty() {
        hits.viewport(ListId::Entities, 0, 0);
        blank::draw(ctx, buf, area, ListId::Entities);
        return;
    }
    let (area, foot) = take_bottom(area, u16::from(area.height > 6));
    matrix::legend(ctx, buf, foot);
    // The detail pane says more than the card does.
    let card = ctx.app.detail() == Detail::Closed;
    if card && area.width >= WIDE {
        let most = area.width - CARD - 3;
        let (left, right) = take_left(area, matrix::wanted(ctx, most).min(most));
        matrix::draw(ctx, buf, left, hits);
        card::draw(ctx, buf, take_left(right, 3).1);
    } else if card && area.height >= ROOM_FOR_A_CARD {
        let wanted = card::height(ctx, area.width).min(area.height / 2 - 1);
        let (upper, lower) = take_bottom(area, wanted + 1);
        matrix::draw(ctx, buf, upper, hits);
        card::draw(ctx, buf, take_bottom(lower, wanted).1);
    } else {
        matrix::draw(ctx, buf, area, hits);
    }
}
