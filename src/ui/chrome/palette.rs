//! The command palette: what is typed, and what it may mean.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::Layer;
use crate::app::hit::{Hit, HitAreas};
use crate::app::palette::{Choice, Run};
use crate::keymap;
use crate::theme::Role;
use crate::ui::Ctx;
use crate::ui::widget::table::{highlight, visible_offset};
use crate::ui::widget::{Cell, text};

use super::{boxed, footer};

/// Wide enough for the longest name, what it does and its key.
const WIDTH: u16 = 100;
const ROWS: u16 = 12;
/// Columns of names: at most so many, fewer when all that is found is shorter.
const NAMES: usize = 36;
/// Columns of the key at the right end: `shift-tab` fits.
const KEY: u16 = 9;

pub(in crate::ui) fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
    let Some(palette) = ctx.app.palette() else { return };
    let look = ctx.look();
    // Slivers of what is behind on either side would only distract.
    let width = if area.width < WIDTH + 20 { area.width } else { WIDTH };
    let height = (ROWS + 4).min(area.height.saturating_sub(3));
    let outer = Rect { x: area.x + (area.width - width) / 2, y: area.y + 2, width, height };
    hits.add(outer, Hit::Overlay);
    let inner = boxed(buf, outer, &look, "commands");
    footer::typed(":", palette.line(), ctx, usize::from(inner.width) / 2 - 2).draw(
        buf,
        inner.x,
        inner.y,
        inner.width,
        &look,
    );
    let rows = Rect { y: inner.y + 2, height: inner.height.saturating_sub(2), ..inner };
    let found: Vec<&Choice> = palette.found().collect();
    if found.is_empty() {
        Cell::styled("no command matches; delete some letters, or esc", Role::Muted)
            .draw(buf, rows.x, rows.y, rows.width, &look);
    }
    let offset = visible_offset(0, Some(palette.selected()), found.len(), usize::from(rows.height));
    let names = found.iter().map(|choice| text::width(&choice.name)).max().unwrap_or(0).min(NAMES);
    let room = usize::from(rows.width.saturating_sub(KEY + 1)).saturating_sub(names + 2);
    // In full what the selected row has no room for.
    if let Some(choice) = found.get(palette.selected()).filter(|choice| text::width(&choice.about) > room) {
        let (x, y) = (inner.x + 2, inner.y + 1);
        Cell::styled(&choice.about, Role::Muted).draw(buf, x, y, inner.width.saturating_sub(2), &look);
    }
    for (line, choice) in found.iter().skip(offset).take(usize::from(rows.height)).enumerate() {
        let y = rows.y + line as u16;
        let key = match choice.run {
            Run::Do(action) => keymap::key_of(Layer::Main, action).unwrap_or(""),
            Run::Command(_) | Run::Find(..) | Run::Tap(_) | Run::Type(_) => "",
        };
        let strip = Rect { y, height: 1, ..rows };
        let name = text::pad_right(&choice.name, names, ctx.glyphs.get(crate::theme::Glyph::Ellipsis));
        Cell::text(name).then("  ", Role::Text).then(&choice.about, Role::Muted).draw(
            buf,
            strip.x,
            y,
            strip.width.saturating_sub(KEY + 1),
            &look,
        );
        Cell::styled(key, Role::Key).draw_right(
            buf,
            strip.right().saturating_sub(KEY),
            y,
            KEY.min(strip.width),
            &look,
        );
        if offset + line == palette.selected() {
            highlight(buf, strip, &look, true);
        }
        hits.add(strip, Hit::Choice(offset + line));
    }
}
