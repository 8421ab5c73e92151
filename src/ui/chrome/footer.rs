//! The last line: the keys that matter here, or what was just said, or the filter while it is typed.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::Action;
use crate::app::hit::{Hit, HitAreas};
use crate::app::line::Line;
use crate::keymap;
use crate::theme::{Glyph, Role};
use crate::ui::Ctx;
use crate::ui::widget::{Cell, number, text};

pub(in crate::ui) fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
    let area = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    let look = ctx.look();
    if let Some(line) = ctx.app.typing() {
        let used = filter_line(ctx, line).draw(buf, area.x, area.y, area.width, &look) + 3;
        let rest = Rect { x: area.x + used.min(area.width), width: area.width.saturating_sub(used), ..area };
        hints(ctx, buf, rest, hits, true, |_| true);
        return;
    }
    if let Some(said) = ctx.app.said() {
        let role = if said.error { Role::Error } else { Role::Message };
        let used = Cell::styled(&said.text, role).draw(buf, area.x, area.y, area.width, &look) + 3;
        let rest = Rect { x: area.x + used.min(area.width), width: area.width.saturating_sub(used), ..area };
        // What leads everywhere stays.
        hints(ctx, buf, rest, hits, true, |action| matches!(action, Action::Help | Action::Quit));
        return;
    }
    hints(ctx, buf, area, hits, false, |_| true);
}

/// As many hints as fit, the most important first; never half a hint.
fn hints(
    ctx: &Ctx<'_>,
    buf: &mut Buffer,
    area: Rect,
    hits: &mut HitAreas,
    right: bool,
    wanted: fn(Action) -> bool,
) {
    let look = ctx.look();
    let mut fitting = Vec::new();
    let mut used = 0;
    for (key, label, action) in keymap::footer_hints(ctx.app).into_iter().filter(|hint| wanted(hint.2)) {
        let cell = Cell::styled(key, Role::Key).then(" ", Role::Text).then(label, Role::KeyLabel);
        let wide = cell.width() as u16;
        let gap = if fitting.is_empty() { 0 } else { 2 };
        if used + gap + wide > area.width {
            break;
        }
        used += gap + wide;
        fitting.push((cell, action));
    }
    let mut x = if right { area.right() - used } else { area.x };
    for (cell, action) in fitting {
        let wide = cell.draw(buf, x, area.y, area.right().saturating_sub(x), &look);
        hits.add(Rect { x, y: area.y, width: wide, height: 1 }, Hit::Do(action));
        x += wide + 2;
    }
}

/// `/ lag>100▏  hides 12 of 31`, or what is wrong.
fn filter_line(ctx: &Ctx<'_>, line: &Line) -> Cell {
    let cell = typed("/", line, ctx, 40).then("  ", Role::Text);
    let hidden = ctx.app.hidden();
    let list = ctx.app.current_list();
    let total = ctx.app.list(list).total();
    match ctx.app.filter_error() {
        Some(error) => cell.then(error, Role::Error),
        None if line.text().is_empty() => {
            cell.then("words, field:value, lag>100, -word, \"two words\"", Role::Muted)
        }
        None => {
            let text = format!(
                "hides {} of {} {}",
                number::count(hidden as u64),
                number::count(total as u64),
                list.noun()
            );
            cell.then(text, Role::Muted)
        }
    }
}

/// A sign, what is typed and the cursor; of a long line the part around the cursor.
pub(in crate::ui) fn typed(sign: &str, line: &Line, ctx: &Ctx<'_>, room: usize) -> Cell {
    let (before, after) = line.around_cursor();
    let mut before = text::clean(before).into_owned();
    while text::width(&before) > room {
        before.remove(0);
    }
    let after = text::truncate(after, room, ctx.glyphs.get(Glyph::Ellipsis)).into_owned();
    Cell::styled(sign, Role::Key)
        .then(" ", Role::Text)
        .then(before, Role::Text)
        .then(ctx.glyphs.get(Glyph::Cursor), Role::Key)
        .then(after, Role::Text)
}
