//! View 8, Messages: what is in the messages on tapped channels, as they come. Above, how listening goes on each channel, with what
//! was left out and lost; below, the messages, the newest first.
//!
//! What is in a message is hostile: everything is cleaned on its way into a cell, and [`payload`] makes readable text of it.

mod empty;
pub mod hex;
pub mod json;
pub mod lines;
pub mod payload;
mod taps;
pub mod xml;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::hit::HitAreas;
use crate::app::item::heard_of;
use crate::app::list::ListId;
use crate::app::search::keeps;
use crate::model::tap::HeardMessage;
use crate::theme::{Glyph, Role};

use super::area::{line, take_top};
use super::widget::{Cell, Column, number};
use super::{Ctx, phrase};

/// Letters of a payload that a row may show.
const PREVIEW: usize = 400;
/// Letters of headers that a row may show.
const HEADERS: usize = 120;

/// Most important first to stay; the numbers are drop priorities.
const fn columns(channel: u8, preview: u16) -> [Column; 9] {
    [
        Column::fixed("-at", "heard", 12, 0),
        Column::text("channel", "channel", 6, 14, channel),
        Column::fixed("asks", "", 1, 2),
        Column::text("subject", "subject", 14, 34, 0),
        Column::text("publisher", "publisher", 9, 20, 3),
        Column::number("size", "size", 7, 4),
        Column::number("-number", "number", 8, 6),
        Column::text("text", "in it", preview, 240, 1),
        Column::text("header", "headers", 24, 36, 7),
    ]
}

/// From these widths on what is in a message has more room than anything else.
const WIDE: u16 = 104;
const VERY_WIDE: u16 = 150;

const ONE_CHANNEL: [&[Column]; 3] = [&without_channel(16), &without_channel(40), &without_channel(56)];
const SEVERAL_CHANNELS: [&[Column]; 3] = [&columns(1, 16), &columns(1, 40), &columns(1, 56)];

/// The same where all messages are of one channel.
const fn without_channel(preview: u16) -> [Column; 8] {
    let [at, _, asks, subject, publisher, size, number, text, headers] = columns(0, preview);
    [at, asks, subject, publisher, size, number, text, headers]
}

/// Draws the view.
pub fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
    hits.viewport(ListId::Heard, 0, 0);
    let head = taps::lines(ctx, area.width, usize::from(room(area.height)));
    let high = u16::try_from(head.len()).unwrap_or(u16::MAX).min(room(area.height));
    let (top, rest) = take_top(area, high);
    let left_out = head.len().saturating_sub(usize::from(high));
    for (row, cell) in head.iter().take(usize::from(high)).enumerate() {
        let last = left_out > 0 && row + 1 == usize::from(high);
        let more =
            if row == 0 { format!("{} channels", head.len()) } else { format!("and {} more", left_out + 1) };
        let more = Cell::styled(more, Role::Muted);
        line(buf, top, row as u16, if last { &more } else { cell }, &ctx.look());
    }
    let rows = ctx.app.list(ListId::Heard).rows();
    if rows.is_empty() {
        empty::draw(ctx, buf, rest);
        return;
    }
    let several = ctx.snapshot.taps.len() > 1 || heard_on_several(ctx);
    let [narrow, wide, very_wide] = if several { SEVERAL_CHANNELS } else { ONE_CHANNEL };
    let columns = match rest.width {
        ..WIDE => narrow,
        WIDE..VERY_WIDE => wide,
        _ => very_wide,
    };
    ctx.table(ListId::Heard, columns).draw(buf, rest, &ctx.look(), hits, |index| {
        let message = rows.get(index).and_then(|row| heard_of(ctx.snapshot, row));
        message.map(|message| row(ctx, message, several)).unwrap_or_default()
    });
}

/// Lines above the rows, for who divides the screen.
pub fn head(ctx: &Ctx<'_>, most: u16) -> u16 {
    u16::try_from(ctx.snapshot.taps.len()).unwrap_or(u16::MAX).min(room(most))
}

/// Most of the screen is for messages.
fn room(height: u16) -> u16 {
    (height / 3).max(1)
}

fn heard_on_several(ctx: &Ctx<'_>) -> bool {
    let mut channels = ctx.snapshot.heard.iter().map(|message| &message.channel);
    let first = channels.next();
    channels.any(|channel| Some(channel) != first)
}

/// What a message asks for.
pub(super) enum Asks {
    /// An answer: it is a request.
    Answer,
    /// The broker's word that it is kept: its publisher waits for that, and asks nobody else.
    Confirmation,
}

/// What a message asks for, if anything.
pub(super) fn asks(ctx: &Ctx<'_>, message: &HeardMessage) -> Option<Asks> {
    let kept = ctx.snapshot.channel(&message.channel).is_some_and(|channel| keeps(channel));
    message.asks.then_some(if kept { Asks::Confirmation } else { Asks::Answer })
}

fn row(ctx: &Ctx<'_>, message: &HeardMessage, several: bool) -> Vec<Cell> {
    let look = ctx.look();
    let asks = match asks(ctx, message) {
        Some(Asks::Answer) => Cell::glyph(&look, Glyph::Asks, Role::Request),
        Some(Asks::Confirmation) | None => Cell::empty(),
    };
    let publisher = match &message.publisher {
        Some(name) => Cell::text(name),
        None => phrase::none(&look),
    };
    let mut cells = vec![
        Cell::styled(ctx.clock_precise(message.at), Role::Muted),
        asks,
        Cell::text(&message.subject).keep_ends(),
        publisher,
        Cell::number(number::bytes(message.bytes as f64), Role::Text),
        Cell::number(format!("#{}", message.number), Role::Muted),
        payload::preview(&message.payload, PREVIEW),
        Cell::styled(headers(message), Role::Muted),
    ];
    if several {
        let name = phrase::local(message.channel.as_str(), ctx.snapshot);
        cells.insert(1, Cell::styled(name, Role::Muted).keep_ends());
    }
    cells
}

/// The headers on one line, as many as may be seen.
fn headers(message: &HeardMessage) -> String {
    let mut text = String::new();
    for (name, value) in &message.headers {
        if text.len() > HEADERS {
            break;
        }
        if !text.is_empty() {
            text.push_str("  ");
        }
        text.push_str(&lines::head(&format!("{name}: {value}"), HEADERS));
    }
    text
}
