//! One message that was heard: where it comes from, its headers, and what is in it.

use crate::model::tap::HeardMessage;
use crate::theme::{Glyph, Role};
use crate::ui::messages::{lines, payload};
use crate::ui::widget::{Cell, number, text};
use crate::ui::{Ctx, phrase};

use super::page::Page;

/// Columns of a header's name, at most.
const HEADER: usize = 26;
/// Letters of one header that are shown.
const VALUE: usize = 2_000;

pub(super) fn title(ctx: &Ctx<'_>, it: &HeardMessage, role: Role) -> Cell {
    let name = phrase::local(it.channel.as_str(), ctx.snapshot);
    Cell::styled("message ", Role::Muted).then(format!("{name} #{}", it.number), role)
}

pub(super) fn fill(ctx: &Ctx<'_>, page: &mut Page<'_>, it: &HeardMessage, width: usize) {
    let look = page.look();
    page.fact("subject", &it.subject);
    let why_not = if it.publisher_by.is_empty() {
        "nothing in the message tells who sent it"
    } else {
        &it.publisher_by
    };
    page.fact_or("publisher", it.publisher.as_deref(), why_not);
    if ctx.app.evidence() && it.publisher.is_some() && !it.publisher_by.is_empty() {
        page.fact("", &format!("known by {}", it.publisher_by));
    }
    page.fact("heard", &format!("{}, {}", ctx.clock_precise(it.at), phrase::ago(&look, it.at)));
    page.fact("size", &format!("{} with its headers", number::bytes(it.bytes as f64)));
    if it.asks && ctx.snapshot.channel(&it.channel).is_some() {
        page.fact("asks", "that the broker confirms it");
    } else if it.asks {
        let sign = Cell::glyph(&look, Glyph::Asks, Role::Request);
        page.fact_cell("asks", sign.then(" it wants an answer", Role::Text));
    }
    headers(page, it, width);

    let shown = payload::shown(&it.payload, width);
    page.heading_of("PAYLOAD", shown.form);
    if let Some(note) = &shown.note {
        page.text(note, Role::Muted);
    }
    shown.lines.into_iter().for_each(|line| page.cell(line));
    for missing in &shown.missing {
        page.text(missing, Role::StateDegraded);
    }
}

/// The headers as a table.
fn headers(page: &mut Page<'_>, it: &HeardMessage, width: usize) {
    if it.headers.is_empty() {
        return;
    }
    page.heading("HEADERS");
    let tamed: Vec<(String, String)> =
        it.headers.iter().map(|(name, value)| (lines::head(name, 80), lines::head(value, VALUE))).collect();
    let wide = tamed.iter().map(|(name, _)| text::width(name)).max().unwrap_or(0).min(HEADER.min(width / 2));
    for (name, value) in &tamed {
        let head = text::pad_right(name, wide, page.look().glyph(Glyph::Ellipsis));
        let mut line = lines::Line::default();
        line.push(value, Role::DataText);
        for (at, cell) in lines::fold(&line, width.saturating_sub(wide + 2)).into_iter().enumerate() {
            let head = if at == 0 { head.clone() } else { " ".repeat(wide) };
            page.cell(Cell::styled(head, Role::DataKey).then("  ", Role::Text).and(cell));
        }
    }
}
