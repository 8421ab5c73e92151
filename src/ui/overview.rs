//! View 1, Overview: what a person sees first. Causes with their effects, what changed, the traffic, the stalest copies
//! and the busiest flows; a healthy system looks quiet.
//!
//! The order of importance is the order from the top. A low screen shows less of what is further down, a wide one puts
//! panels side by side.

mod causes;
mod panels;
mod summary;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::hit::{Hit, HitAreas};
use crate::app::list::{List, ListId};

use super::Ctx;
use super::area::{take_bottom, take_left, take_top};
use super::widget::table::visible_offset;
use super::widget::table::{draw_scrollbar, highlight};

/// From this width on, causes and traffic stand side by side.
const WIDE: u16 = 150;
/// From this height on, a wide screen shows two columns with more rows of each panel.
const TALL: u16 = 44;
/// Rows of its traffic panel with the title: three for each kind.
const TALL_TRAFFIC_ROWS: u16 = 1 + 4 * 3;
/// Below this width, panels stand one under the other.
const NARROW: u16 = 72;
/// Rows of the traffic panel with its title.
const TRAFFIC_ROWS: u16 = 5;

/// Draws the view.
pub fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
    if area.is_empty() {
        return;
    }
    let (area, last) = take_bottom(area, 1);
    summary::draw(ctx, buf, last);
    if area.width >= WIDE && area.height >= TALL {
        tall(ctx, buf, area, hits);
    } else if area.width >= WIDE {
        wide(ctx, buf, area, hits);
    } else if area.width >= NARROW {
        stacked(ctx, buf, area, hits);
    } else {
        narrow(ctx, buf, area, hits);
    }
}

/// Rows that the causes want: a title, each row, and at least one line of speech.
fn wanted(ctx: &Ctx<'_>, width: u16) -> u16 {
    1 + (ctx.app.list(ListId::Causes).rows().len() as u16).max(causes::quiet_rows(ctx, width))
}

/// Causes over everything, then pairs of panels.
fn stacked(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
    // The traffic is given up before the causes lose a row beyond their first few.
    let for_panels = match area.height {
        0..9 => 0,
        9..14 => TRAFFIC_ROWS + 1,
        _ => TRAFFIC_ROWS + 1 + 4,
    };
    let top = wanted(ctx, area.width).min(area.height.saturating_sub(for_panels));
    let (upper, mut rest) = take_top(area, top);
    causes::draw(ctx, buf, upper, hits);
    rest = skip_row(rest);
    if rest.height < 2 {
        return;
    }
    let lower = rest.height.saturating_sub(TRAFFIC_ROWS + 1);
    // When there is room, what changed may take more rows than the traffic does.
    let changes = (ctx.app.list(ListId::Changes).rows().len() as u16 + 1).clamp(TRAFFIC_ROWS, 9);
    let band = if lower > changes + 6 { changes } else { TRAFFIC_ROWS };
    let (middle, rest) = take_top(rest, band);
    let (left, right) = columns(middle, 34, 2);
    panels::traffic(ctx, buf, left);
    panels::changes(ctx, buf, right, hits);
    let rest = skip_row(rest);
    if rest.height < 2 {
        return;
    }
    let (left, right) = columns(rest, rest.width / 2 - 1, 2);
    panels::stalest(ctx, buf, left, hits);
    panels::busiest(ctx, buf, right, hits);
}

/// Causes, copies and changes on the left, traffic and flows on the right: two columns that share the height each as it needs.
fn tall(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
    let (left, right) = columns(area, area.width * 9 / 20, 4);
    let rows = |list| ctx.app.list(list).rows().len() as u16;
    // Titles and gaps apart, copies and changes keep a third of the height.
    let top = wanted(ctx, left.width).min(left.height * 2 / 3);
    let (upper, rest) = take_top(left, top);
    causes::draw(ctx, buf, upper, hits);
    let rest = skip_row(rest);
    let changes = (rows(ListId::Changes) + 1).clamp(2, (rest.height / 2).max(2));
    let copies =
        (panels::stalest_rows(ctx, left.width) + 1).max(4).min(rest.height.saturating_sub(changes + 1));
    let (middle, rest) = take_top(rest, copies);
    panels::stalest(ctx, buf, middle, hits);
    panels::changes(ctx, buf, skip_row(rest), hits);
    let (traffic, rest) = take_top(right, TALL_TRAFFIC_ROWS);
    panels::traffic(ctx, buf, traffic);
    panels::busiest(ctx, buf, skip_row(rest), hits);
}

/// Causes on the left, traffic and changes on their right, copies and flows below.
fn wide(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
    let changes = (ctx.app.list(ListId::Changes).rows().len() as u16 + 1).clamp(2, 12);
    let right_rows = TRAFFIC_ROWS + 1 + changes;
    let left = area.width * 11 / 20;
    let top = wanted(ctx, left).max(right_rows).min(area.height.saturating_sub(6));
    let (upper, rest) = take_top(area, top);
    let (left, right) = columns(upper, left, 4);
    causes::draw(ctx, buf, left, hits);
    let (traffic, below) = take_top(right, TRAFFIC_ROWS);
    panels::traffic(ctx, buf, traffic);
    panels::changes(ctx, buf, skip_row(below), hits);
    let rest = skip_row(rest);
    let (left, right) = columns(rest, area.width * 9 / 20, 4);
    panels::stalest(ctx, buf, left, hits);
    panels::busiest(ctx, buf, right, hits);
}

/// One panel under the other; the traffic on one line.
fn narrow(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
    let (area, traffic) = take_bottom(area, u16::from(area.height > 5));
    panels::traffic_line(ctx, buf, traffic);
    let top = wanted(ctx, area.width).min(area.height);
    let (upper, rest) = take_top(area, top);
    causes::draw(ctx, buf, upper, hits);
    let rest = skip_row(rest);
    if rest.height < 3 {
        return;
    }
    let (stalest, busiest) = take_top(rest, rest.height / 2);
    if stalest.height >= 3 {
        panels::stalest(ctx, buf, stalest, hits);
        panels::busiest(ctx, buf, skip_row(busiest), hits);
    } else {
        panels::stalest(ctx, buf, rest, hits);
    }
}

fn skip_row(area: Rect) -> Rect {
    take_top(area, 1).1
}

/// Two areas side by side with a gap.
fn columns(area: Rect, left: u16, gap: u16) -> (Rect, Rect) {
    let (left, rest) = take_left(area, left);
    (left, take_left(rest, gap).1)
}

/// Draws the visible rows of a panel's list under its title, with its selection, and notes what can be clicked.
fn rows(
    ctx: &Ctx<'_>,
    buf: &mut Buffer,
    area: Rect,
    hits: &mut HitAreas,
    list: ListId,
    mut row: impl FnMut(&mut Buffer, Rect, usize),
) {
    let state: &List = ctx.app.list(list);
    let height = usize::from(area.height);
    let focused = ctx.app.focused(list);
    // A panel without the keys shows its beginning: what matters most.
    let selected = state.selected_index().filter(|_| ctx.app.current_list() == list);
    let offset = visible_offset(state.offset(), selected, state.rows().len(), height);
    let offset = if selected.is_some() { offset } else { 0 };
    hits.add(area, Hit::List(list));
    hits.viewport(list, offset, height);
    let scrolls = state.rows().len() > height && selected.is_some() && height > 1;
    let inner = Rect { width: area.width.saturating_sub(u16::from(scrolls)), ..area };
    for line in 0..height.min(state.rows().len().saturating_sub(offset)) {
        let strip = Rect::new(inner.x, inner.y + line as u16, inner.width, 1);
        row(buf, strip, offset + line);
        if focused && selected == Some(offset + line) {
            highlight(buf, strip, &ctx.look(), true);
        } else if selected == Some(offset + line) {
            highlight(buf, strip, &ctx.look(), false);
        }
        hits.add(strip, Hit::Row(list, offset + line));
    }
    if scrolls {
        let bar = Rect::new(area.right().saturating_sub(1), area.y, 1, area.height);
        draw_scrollbar(buf, bar, &ctx.look(), offset, state.rows().len());
    }
}
