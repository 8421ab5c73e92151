//! The dialog of the probe level and of single channels: what listening does, gives and costs, before it begins.

mod channel;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::hit::{Hit, HitAreas};
use crate::app::listen::is_tapped;
use crate::app::{Action, Layer};
use crate::keymap;
use crate::model::command::ProbeLevel;
use crate::model::measured::Bounds;
use crate::model::snapshot::Snapshot;
use crate::theme::{Glyph, Role};
use crate::ui::Ctx;
use crate::ui::widget::{Cell, number};

use super::boxed;

/// Columns of the box, where there is room.
const WIDTH: u16 = 76;
/// Columns of the first word of a line.
const FIRST: usize = 9;

pub(in crate::ui) fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
    let Some(level) = ctx.app.probe() else { return };
    let look = ctx.look();
    // Slivers of what is behind on either side would only distract.
    let width = if area.width < WIDTH + 6 { area.width } else { WIDTH };
    let column = usize::from(width.saturating_sub(4));
    let (title, entries) = match (level, ctx.app.tapping()) {
        (_, Some(tapping)) => channel::asked(ctx, tapping),
        (ProbeLevel::Passive, None) => ("stop listening to acknowledgements?".to_owned(), leave(ctx)),
        (ProbeLevel::Acks | ProbeLevel::Tap, None) => ("listen to acknowledgements?".to_owned(), take(ctx)),
    };
    let mut lines: Vec<Cell> = Vec::new();
    for (word, meaning) in entries {
        let head = format!("{word:<FIRST$}");
        lines.extend(Cell::styled(head, Role::Muted).then(meaning, Role::Text).wrapped(column, FIRST));
    }
    if usize::from(area.height) > lines.len() + 5 {
        lines.push(Cell::empty());
    }
    lines.push(keys(ctx, level));
    let height = (lines.len() as u16 + 2).min(area.height.saturating_sub(2));
    let outer =
        Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 3, width, height };
    hits.add(outer, Hit::Overlay);
    let inner = boxed(buf, outer, &look, &title);
    let visible = usize::from(inner.height);
    // However low the screen is, the keys are seen.
    let keep = visible.saturating_sub(1);
    let cut = lines.len() > visible;
    let shown = lines.iter().take(if cut { keep } else { visible }).chain(lines.last().filter(|_| cut));
    for (row, cell) in shown.enumerate() {
        cell.draw(buf, inner.x, inner.y + row as u16, inner.width, &look);
    }
}

/// What the level `acks` means.
fn take(ctx: &Ctx<'_>) -> Vec<(&'static str, String)> {
    let listen = keymap::key_of(Layer::Main, Action::Listen).unwrap_or_default();
    vec![
        ("does", "hears on $JS.ACK.> what services acknowledge".to_owned()),
        ("gives", "each message's own delay, redeliveries, refusals; when a followed message was processed".to_owned()),
        ("costs", format!("a copy of each acknowledgement: {}", copies(ctx))),
        (
            "changes",
            "one thing for others: an acknowledgement with reply to a deleted consumer waits for its time-out instead of \
             failing at once"
                .to_owned(),
        ),
        ("leaves", "deliveries alone: it takes no message and holds none back".to_owned()),
        ("beyond", format!("{listen} on a row: its messages, at the level tap")),
    ]
}

/// What going back means.
fn leave(ctx: &Ctx<'_>) -> Vec<(&'static str, String)> {
    let taps = ctx.snapshot.taps.iter().filter(|tap| is_tapped(ctx.snapshot, &tap.channel)).count();
    let mut entries = vec![
        ("does", "ends the subscription to $JS.ACK.>: lists, counters and single reads are left".to_owned()),
        (
            "loses",
            "exact delays: they become intervals between two polls, and what was heard is forgotten"
                .to_owned(),
        ),
        ("keeps", "followed messages: who has passed them is told by positions, when is not".to_owned()),
    ];
    if taps > 0 {
        let channels = if taps == 1 { "one channel".to_owned() } else { format!("{taps} channels") };
        let text = format!("listening to the messages of {channels} ends too; those heard stay to be read");
        entries.insert(1, ("ends", text));
    }
    entries
}

/// How many copies that would be now, as far as is known.
fn copies(ctx: &Ctx<'_>) -> String {
    let rates = || ctx.snapshot.consumers.iter().map(|consumer| &consumer.acked_rate);
    let known: Vec<f64> = rates().filter_map(|rate| rate.bounds.high().or(rate.low()).copied()).collect();
    if known.is_empty() {
        return "how many that are now is not known".to_owned();
    }
    let all = known.len() == rates().count();
    let exact = all && rates().all(|rate| matches!(rate.bounds, Bounds::Exact(_)));
    let sum = number::rate(known.iter().sum());
    let glyph = match (exact, all) {
        (true, _) => return format!("{sum} now"),
        (false, true) => Glyph::About,
        (false, false) => Glyph::AtLeast,
    };
    format!("{} now", number::prefixed(ctx.glyphs.get(glyph), &sum))
}

fn keys(ctx: &Ctx<'_>, level: ProbeLevel) -> Cell {
    let key = |action| keymap::key_of(Layer::Probe, action).unwrap_or_default();
    let what = match level {
        _ if ctx.app.tapping().is_some_and(|tapping| !tapping.on) => "stop listening",
        ProbeLevel::Passive => "back to passive",
        ProbeLevel::Acks | ProbeLevel::Tap => "listen",
    };
    Cell::styled(key(Action::Accept), Role::Key)
        .then(format!(" {what}   "), Role::KeyLabel)
        .then(key(Action::Cancel), Role::Key)
        .then(" leave it as it is", Role::KeyLabel)
}

/// The level as the header shows it.
pub(in crate::ui) fn badge(snapshot: &Snapshot) -> Cell {
    match snapshot.probe {
        ProbeLevel::Passive => Cell::styled(ProbeLevel::Passive.word(), Role::Muted),
        level => Cell::styled(level.word(), Role::Badge),
    }
}
