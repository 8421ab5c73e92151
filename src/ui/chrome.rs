//! What surrounds the views: header with tabs, footer, help, palette, the screen while connecting.

pub mod connecting;
pub mod footer;
pub mod header;
pub mod help;
pub mod palette;
pub mod probe;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::theme::{Glyph, Role};

use super::widget::{Cell, Look, text};
use super::{Ctx, SMALLEST, detail};

/// A rule across an area's first line with a title in it; returns what is below.
pub fn titled(buf: &mut Buffer, area: Rect, look: &Look<'_>, title: &Cell, focused: bool) -> Rect {
    if area.height == 0 {
        return area;
    }
    let role = if focused { Role::BorderFocus } else { Role::Border };
    rule(buf, area, look, role);
    title.draw(buf, area.x, area.y, area.width, look);
    let used = title.width() as u16;
    if used < area.width {
        buf.set_string(area.x + used, area.y, " ", look.style(Role::Text));
    }
    Rect { y: area.y + 1, height: area.height - 1, ..area }
}

fn rule(buf: &mut Buffer, area: Rect, look: &Look<'_>, role: Role) {
    let line = look.glyph(Glyph::Horizontal).repeat(usize::from(area.width));
    buf.set_stringn(area.x, area.y, line, usize::from(area.width), look.style(role));
}

/// A box with a title over whatever is there; returns its inside.
pub fn boxed(buf: &mut Buffer, area: Rect, look: &Look<'_>, title: &str) -> Rect {
    let area = area.intersection(*buf.area());
    if area.width < 4 || area.height < 2 {
        return Rect { width: 0, height: 0, ..area };
    }
    for position in area.positions() {
        if let Some(cell) = buf.cell_mut(position) {
            cell.reset();
            cell.set_style(look.style(Role::Text));
        }
    }
    let style = look.style(Role::BorderFocus);
    let bar = look.glyph(Glyph::Horizontal).repeat(usize::from(area.width - 2));
    let top = format!("{}{bar}{}", look.glyph(Glyph::CornerTopLeft), look.glyph(Glyph::CornerTopRight));
    let bottom =
        format!("{}{bar}{}", look.glyph(Glyph::CornerBottomLeft), look.glyph(Glyph::CornerBottomRight));
    buf.set_string(area.x, area.y, top, style);
    buf.set_string(area.x, area.bottom() - 1, bottom, style);
    for y in area.y + 1..area.bottom() - 1 {
        buf.set_string(area.x, y, look.glyph(Glyph::Vertical), style);
        buf.set_string(area.right() - 1, y, look.glyph(Glyph::Vertical), style);
    }
    Cell::styled(format!(" {title} "), Role::Title).draw(buf, area.x + 2, area.y, area.width - 4, look);
    Rect { x: area.x + 2, y: area.y + 1, width: area.width - 4, height: area.height - 2 }
}

/// The frame of the detail pane: a rule with what is shown, and a line to its left when it stands beside the list.
pub(super) fn detail_frame(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, beside: bool) -> Rect {
    let look = ctx.look();
    let focused = ctx.app.detail_focused();
    if beside {
        let role = if focused { Role::BorderFocus } else { Role::Border };
        for y in area.y..area.bottom() {
            buf.set_string(area.x - 2, y, look.glyph(Glyph::Vertical), look.style(role));
        }
    }
    let name = if focused { Role::BorderFocus } else { Role::Title };
    let title = match ctx.app.opened().and_then(|row| detail::title_of(ctx, row, name)) {
        Some(title) => title.then(" ", Role::Text),
        None => Cell::styled("nothing selected", Role::Muted),
    };
    titled(buf, area, &look, &title, focused)
}

/// A polite word when there is no room: as much of it as fits, and always how to leave.
pub(super) fn too_small(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect) {
    let times = ctx.glyphs.get(Glyph::Times);
    let (needs, has) =
        (format!("{} {times} {}", SMALLEST.0, SMALLEST.1), format!("{} {times} {}", area.width, area.height));
    let messages = [
        format!(
            "Headwater needs {needs}; this terminal has {has}. Make it larger, or use `headwater once`. q quits."
        ),
        format!("{has} is too small; {needs} will do. q quits"),
        format!("needs {needs}; q quits"),
        "q quits".to_owned(),
    ];
    let lines = messages
        .iter()
        .map(|message| text::wrap(message, usize::from(area.width)))
        .find(|lines| lines.len() <= usize::from(area.height))
        .unwrap_or_default();
    let top = area.height.saturating_sub(lines.len() as u16) / 2;
    for (at, line) in lines.iter().enumerate() {
        Cell::text(line).draw(buf, area.x, area.y + top + at as u16, area.width, &ctx.look());
    }
}
