//! View 6, Map: the whole system's traffic as one picture.
//!
//! The picture was laid out before ([`crate::app::map`]); a frame draws the part of it that the window shows, with what the snapshot
//! says of each box and line now, and the messages that move on them.

mod canvas;
mod lanes;
mod line;
mod matrix;
mod node;
mod picture;
mod traffic;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::hit::HitAreas;
use crate::app::list::ListId;
use crate::app::map::Form;
use crate::layout::{Block, Layout, Point};
use crate::theme::{Glyph, Role};

use super::widget::Cell;
use super::{Ctx, blank};

/// Draws the view.
pub fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
    let legend = Rect { y: area.bottom() - 1, height: 1, ..area };
    let window = Rect { height: area.height.saturating_sub(1), ..area };
    let size = (i32::from(window.width), i32::from(window.height));
    let map = ctx.app.map();
    if ctx.app.list(ListId::Map).rows().is_empty() {
        blank::draw(ctx, buf, area, ListId::Map);
        return;
    }
    match map.form() {
        Form::Picture => {}
        Form::Lanes => {
            let moving = lanes::draw(ctx, buf, window, hits);
            hits.moving(moving);
            draw_legend(ctx, buf, legend, None);
            return;
        }
        Form::Matrix => {
            matrix::draw(ctx, buf, window, hits);
            matrix::draw_legend(ctx, buf, legend);
            return;
        }
    }
    let Some(layout) = map.layout() else {
        hits.map(Point::default(), size);
        let text = Cell::styled("laying out the map", Role::Muted);
        text.draw(buf, area.x, area.y, area.width, &ctx.look());
        return;
    };
    let origin = origin(ctx, layout, size);
    hits.map(origin, size);
    let moving = picture::draw(ctx, buf, window, layout, origin, hits);
    hits.moving(moving);
    minimap(ctx, buf, window, layout, origin);
    draw_legend(ctx, buf, legend, Some((layout, size)));
}

/// The cell at the top left of the window: everything where it fits, else so that what is selected is seen, moving as little as
/// possible.
fn origin(ctx: &Ctx<'_>, layout: &Layout, (width, height): (i32, i32)) -> Point {
    let map = ctx.app.map();
    let focus = picture::selected_block(ctx, layout);
    let before = map.origin();
    let along = |length: i32, window: i32, was: Option<i32>, start: i32, end: i32| {
        if length <= window {
            return -(window - length) / 2;
        }
        // A little around what is selected is seen too.
        let margin = (window / 8).min(6);
        let at = was.unwrap_or((start + end - window) / 2);
        let at = if map.is_free() { at } else { at.min(start - margin).max(end + margin - window) };
        at.clamp(-1, length + 1 - window)
    };
    let (x, y, right, bottom) =
        focus.map_or((0, 0, 0, 0), |block| (block.x, block.y, block.right(), block.bottom()));
    Point {
        x: along(layout.width, width, before.map(|at| at.x), x, right),
        y: along(layout.height, height, before.map(|at| at.y), y, bottom),
    }
}

/// What the lines and dots mean, how near this is, and how much of it is seen.
fn draw_legend(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, seen: Option<(&Layout, (i32, i32))>) {
    let look = ctx.look();
    let sign = |glyph: Glyph, role: Role, word: &str| {
        let glyph = look.glyph(glyph);
        Cell::styled(format!("{glyph}{glyph}"), role).then(format!(" {word}  "), Role::Muted)
    };
    let mut cell = sign(Glyph::Event, Role::Event, "event")
        .and(sign(Glyph::Feed, Role::Feed, "feed"))
        .and(sign(Glyph::Request, Role::Request, "request"));
    let faint = Cell::styled("faint", Role::Muted).then(" silent  ", Role::Muted);
    cell = cell
        .and(faint)
        .then(look.glyph(Glyph::Undeclared), Role::Conflict)
        .then(" undeclared  ", Role::Muted);
    let dots = if ctx.app.map().motion() {
        "dots: denser = more (seldom ones are shown more often), faster = less delay"
    } else {
        "messages stand still"
    };
    cell = cell.then(look.glyph(Glyph::Moving), Role::Text).then(format!(" {dots}"), Role::Muted);
    let Some((layout, (width, height))) = seen else {
        cell.draw(buf, area.x, area.y, area.width, &look);
        return;
    };
    let seen = if layout.width > width || layout.height > height {
        let part = |window: i32, length: i32| f64::from(window.min(length)) / f64::from(length.max(1));
        let share = (part(width, layout.width) * part(height, layout.height) * 100.0).round();
        format!("{}, {share:.0} % seen", ctx.app.map().zoom().word())
    } else {
        ctx.app.map().zoom().word().to_owned()
    };
    let right = Cell::styled(seen, Role::Muted);
    let wide = u16::try_from(right.width()).unwrap_or(0) + 2;
    cell.draw(buf, area.x, area.y, area.width.saturating_sub(wide), &look);
    right.draw_right(buf, area.x, area.y, area.width, &look);
}

/// Columns and rows of the overview in the corner, its border not counted.
const OVERVIEW: (i32, i32) = (22, 6);

/// The whole picture in a corner, with the window in it, when it is larger than the window.
fn minimap(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, layout: &Layout, origin: Point) {
    let (width, height) = (i32::from(area.width), i32::from(area.height));
    if (layout.width <= width && layout.height <= height) || area.width < 70 || area.height < 16 {
        return;
    }
    let (columns, rows) = OVERVIEW;
    let scale = |at: i32, length: i32, cells: i32| (at.max(0) * cells / length.max(1)).min(cells - 1);
    let (wide, high) = (columns as u16 + 2, rows as u16 + 2);
    let (right, bottom) = (area.right() - wide, area.bottom() - high);
    // In the first corner where it does not cover what is selected.
    let corners = [(right, bottom), (area.x, bottom), (right, area.y), (area.x, area.y)];
    let selected = picture::selected_block(ctx, layout);
    let covers = |(x, y): &(u16, u16)| {
        let place = Block {
            x: i32::from(x - area.x) + origin.x,
            y: i32::from(y - area.y) + origin.y,
            width: i32::from(wide),
            height: i32::from(high),
        };
        selected.is_some_and(|block| block.overlaps(&place))
    };
    let (x, y) = corners.into_iter().find(|corner| !covers(corner)).unwrap_or((right, bottom));
    let corner = Rect { x, y, width: wide, height: high };
    let glyphs = ctx.glyphs;
    let border = ctx.theme.style(Role::Border);
    canvas::clear(buf, corner, ctx.theme.style(Role::Text));
    canvas::border(buf, corner, glyphs, border);
    for y in 0..rows {
        for x in 0..columns {
            let seen = |at: i32, from: i32, window: i32, length: i32, cells: i32| {
                (scale(from, length, cells)..=scale(from + window - 1, length, cells)).contains(&at)
            };
            if seen(x, origin.x, width, layout.width, columns)
                && seen(y, origin.y, height, layout.height, rows)
                && let Some(cell) = buf.cell_mut((corner.x + 1 + x as u16, corner.y + 1 + y as u16))
            {
                cell.set_symbol(glyphs.get(Glyph::BarEmpty)).set_style(ctx.theme.style(Role::Muted));
            }
        }
    }
    for placed in &layout.boxes {
        let middle = placed.block.middle();
        let at = (scale(middle.x, layout.width, columns), scale(middle.y, layout.height, rows));
        let (sign, role) = node::state(ctx, &placed.key);
        if let Some(cell) = buf.cell_mut((corner.x + 1 + at.0 as u16, corner.y + 1 + at.1 as u16)) {
            let well = matches!(sign, Glyph::Ok | Glyph::Unknown);
            let sign = if well { glyphs.get(Glyph::Owns) } else { glyphs.get(sign) };
            cell.set_symbol(sign).set_style(ctx.theme.style(role));
        }
    }
}
