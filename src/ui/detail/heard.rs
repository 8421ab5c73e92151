//! One message that was heard: where it comes from, its headers, and what is in it.

use crate::app::{Action, Detail, Layer};
use crate::keymap;
use crate::model::tap::HeardMessage;
use crate::theme::{Glyph, Role};
use crate::ui::messages::{Asks, asks, lines, payload};
use crate::ui::widget::{Cell, number, text};
use crate::ui::{Ctx, phrase};

use super::page::{LABEL, Page};

/// Columns of a header's name, at most.
const HEADER: usize = 26;
/// Bytes of one header that are shown.
const VALUE: usize = 2_000;
/// Lines of a pane that has no room for a table of headers above what is in the message.
const LOW: usize = 20;

pub(super) fn title(ctx: &Ctx<'_>, it: &HeardMessage, role: Role) -> Cell {
    let name = phrase::local(it.channel.as_str(), ctx.snapshot);
    Cell::styled("message ", Role::Muted).then(format!("{name} #{}", it.number), role)
}

pub(super) fn fill(ctx: &Ctx<'_>, page: &mut Page<'_>, it: &HeardMessage, (width, height): (usize, usize)) {
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
    match asks(ctx, it) {
        Some(Asks::Confirmation) => page.fact("asks", "that the broker confirms it"),
        Some(Asks::Answer) => {
            let sign = Cell::glyph(&look, Glyph::Asks, Role::Request);
            page.fact_cell("asks", sign.then(" it wants an answer", Role::Text));
        }
        None => {}
    }
    // Beside the list what is in the message must be seen without a key.
    match ctx.app.detail() {
        Detail::Beside if height < LOW => headers_in_short(page, it, width),
        Detail::Beside => headers(page, it, width, height / 4),
        Detail::Closed | Detail::Full => headers(page, it, width, usize::MAX),
    }

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

/// `… 3 more, enter shows all`
fn more(left_out: usize) -> String {
    let key = keymap::key_of(Layer::Main, Action::Open).unwrap_or_default();
    format!("… {left_out} more, {key} shows all")
}

/// The first header, and how many more there are, on one line.
fn headers_in_short(page: &mut Page<'_>, it: &HeardMessage, width: usize) {
    let Some((name, value)) = it.headers.first() else { return };
    let left_out = it.headers.len() - 1;
    let more = if left_out > 0 { format!("  {}", more(left_out)) } else { String::new() };
    let room = width.saturating_sub(LABEL + text::width(&more));
    let first = format!("{}: {}", lines::head(name, 80), lines::head(value, VALUE));
    let first = text::truncate(&first, room, page.look().glyph(Glyph::Ellipsis));
    page.fact_cell("headers", Cell::styled(first, Role::DataText).then(more, Role::Muted));
}

/// A header's value, and how much of it is missing.
fn whole(value: &str) -> String {
    let head = lines::head(value, VALUE);
    let missing = value.len().saturating_sub(head.len());
    if head.len() < VALUE || missing == 0 {
        head
    } else {
        format!("{head}… {} more", number::bytes(missing as f64))
    }
}

/// The headers as a table, on at most so many lines or one header.
fn headers(page: &mut Page<'_>, it: &HeardMessage, width: usize, most: usize) {
    if it.headers.is_empty() {
        return;
    }
    page.heading("HEADERS");
    let tamed: Vec<(String, String)> =
        it.headers.iter().map(|(name, value)| (lines::head(name, 80), whole(value))).collect();
    let wide = tamed.iter().map(|(name, _)| text::width(name)).max().unwrap_or(0).min(HEADER.min(width / 2));
    let mut used = 0;
    for (nth, (name, value)) in tamed.iter().enumerate() {
        let head = text::pad_right(name, wide, page.look().glyph(Glyph::Ellipsis));
        let mut line = lines::Line::default();
        line.push(value, Role::DataText);
        let folded = lines::fold(&line, width.saturating_sub(wide + 2));
        used += folded.len();
        if nth > 0 && used > most {
            page.text(&more(tamed.len() - nth), Role::Muted);
            return;
        }
        for (at, cell) in folded.into_iter().enumerate() {
            let head = if at == 0 { head.clone() } else { " ".repeat(wide) };
            page.cell(Cell::styled(head, Role::DataKey).then("  ", Role::Text).and(cell));
        }
    }
}
