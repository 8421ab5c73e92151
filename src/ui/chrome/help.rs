//! The help: every key, every sign, how numbers are written, how filters work. Keys come from the table of bindings.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::Layer;
use crate::app::hit::{Hit, HitAreas};
use crate::app::item::fields;
use crate::keymap;
use crate::theme::{Glyph, Role};
use crate::ui::Ctx;
use crate::ui::widget::table::draw_scrollbar;
use crate::ui::widget::{Cell, text};

use super::boxed;

/// Columns of the first word of a help line.
const FIRST: usize = 13;

/// From this width on keys and signs stand side by side.
const TWO_COLUMNS: u16 = 124;

pub(in crate::ui) fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
    let Some(scroll) = ctx.app.help() else { return };
    let look = ctx.look();
    let two = area.width >= TWO_COLUMNS;
    let width = if two { area.width.saturating_sub(8).clamp(120, 160) } else { 78 };
    let width = width.min(area.width.saturating_sub(2));
    let column = usize::from(if two { (width - 4) / 2 - 2 } else { width - 5 });
    let (keys, rest) = (keys(column), signs_and_language(ctx, column));
    let lines = if two { keys.len().max(rest.len()) } else { keys.len() + 1 + rest.len() };
    let height = (lines as u16 + 2).min(area.height.saturating_sub(2));
    let outer =
        Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    hits.add(outer, Hit::Overlay);
    let inner = boxed(buf, outer, &look, "help");
    let visible = usize::from(inner.height);
    hits.overlay(lines, visible);
    let scroll = scroll.min(lines.saturating_sub(visible));
    let mut column_at = |x: u16, cells: &[Cell]| {
        for (line, cell) in cells.iter().skip(scroll).take(visible).enumerate() {
            cell.draw(buf, x, inner.y + line as u16, column as u16, &look);
        }
    };
    if two {
        column_at(inner.x, &keys);
        column_at(inner.x + inner.width / 2 + 1, &rest);
    } else {
        let all: Vec<Cell> = keys.into_iter().chain([Cell::empty()]).chain(rest).collect();
        column_at(inner.x, &all);
    }
    let bar = Rect { x: outer.right() - 1, y: inner.y, width: 1, height: inner.height };
    draw_scrollbar(buf, bar, &look, scroll, lines);
}

fn heading(title: &str) -> Cell {
    Cell::styled(title, Role::Title)
}

/// A word and what it means, wrapped to the column; the first word keeps its place.
fn entry(first: &str, role: Role, meaning: &str, column: usize) -> Vec<Cell> {
    let wrapped = text::wrap(meaning, column.saturating_sub(FIRST));
    wrapped
        .iter()
        .enumerate()
        .map(|(at, line)| {
            let head = if at == 0 { text::pad_right(first, FIRST, "") } else { " ".repeat(FIRST) };
            Cell::styled(head, role).then(line, Role::Text)
        })
        .collect()
}

fn keys(column: usize) -> Vec<Cell> {
    let mut lines = vec![heading("Keys")];
    for (keys, help) in keymap::help_rows(Some(Layer::Main)).into_iter().chain(keymap::help_rows(None)) {
        lines.extend(entry(&keys, Role::Key, &help, column));
    }
    lines
}

/// Signs with their meaning.
type Signs = &'static [(Glyph, Role, &'static str)];

const SIGNS: &[(&str, Signs)] = &[
    (
        "State",
        &[
            (Glyph::Ok, Role::StateOk, "ok"),
            (Glyph::Degraded, Role::StateDegraded, "degraded, slow"),
            (Glyph::Stalled, Role::StateStalled, "stalled: work waits and nothing moves"),
            (Glyph::Down, Role::StateDown, "down, stopped"),
            (Glyph::Unknown, Role::StateUnknown, "unknown, unreachable from here"),
            (Glyph::Paused, Role::StatePaused, "paused on purpose"),
            (Glyph::Rewound, Role::StateRewound, "set back to an earlier position"),
            (Glyph::GaveUp, Role::StateGaveUp, "gave up messages: data lost to a consumer"),
        ],
    ),
    (
        "Data",
        &[
            (Glyph::Owns, Role::Owner, "owns it: its single source of truth"),
            (Glyph::Copy, Role::Copy, "keeps a copy, with its staleness"),
            (Glyph::Reacts, Role::Reader, "reacts to its events, keeps nothing"),
            (Glyph::Asks, Role::Reader, "asks for it by request"),
            (Glyph::Conflict, Role::Conflict, "two facts that cannot both be right"),
        ],
    ),
    (
        "Flows",
        &[
            (Glyph::Event, Role::Event, "event: a published fact"),
            (Glyph::Feed, Role::Feed, "feed: a continuous stream of records"),
            (Glyph::Request, Role::Request, "request: an answer to a call"),
        ],
    ),
    (
        "Numbers",
        &[
            (Glyph::NoValue, Role::Muted, "unknown, never 0; `i` tells why"),
            (Glyph::AtLeast, Role::Text, "at least: it was so when watching began"),
            (Glyph::AtMost, Role::Text, "at most: more cannot be told from here"),
            (Glyph::About, Role::Estimate, "an estimate; before a name: likely"),
            (Glyph::Unshowable, Role::Text, "in a name: a character that cannot be shown"),
            (Glyph::Growing, Role::Growing, "growing"),
            (Glyph::Steady, Role::Text, "steady"),
            (Glyph::Draining, Role::Draining, "draining"),
        ],
    ),
];

fn signs_and_language(ctx: &Ctx<'_>, column: usize) -> Vec<Cell> {
    let mut lines = Vec::new();
    for (title, signs) in SIGNS {
        if !lines.is_empty() {
            lines.push(Cell::empty());
        }
        lines.push(heading(title));
        for (glyph, role, meaning) in *signs {
            let gap = " ".repeat(usize::from(4_u16.saturating_sub(ctx.glyphs.columns(*glyph))));
            lines.push(Cell::glyph(&ctx.look(), *glyph, *role).then(format!("{gap}{meaning}"), Role::Text));
        }
    }
    lines.push(Cell::styled("dimmed: older than its interval", Role::Stale));
    let scale = "small graphs begin at zero, each has a scale of its own; a steady one runs below the middle";
    lines.extend(text::wrap(scale, column).iter().map(|line| Cell::text(line.as_str())));
    lines.push(Cell::empty());
    lines.push(heading("Filter"));
    for (form, meaning) in [
        ("billing", "the word is in a name of the row"),
        ("team:crm", "the field has the text in it"),
        ("team=crm", "the field is exactly this"),
        ("lag>100", "also < >= <= =; 2.5k; of a time 500ms 2s 5m 1h; of bytes 3kb"),
        ("-team:crm", "not; \"two words\" for spaces"),
    ] {
        lines.extend(entry(form, Role::Key, meaning, column));
    }
    let mut keys: Vec<&str> =
        ctx.view().lists().iter().flat_map(|list| fields(*list)).map(|field| field.key).collect();
    keys.sort_unstable();
    keys.dedup();
    lines.extend(entry("fields here", Role::Muted, &keys.join(" "), column));
    lines
}
