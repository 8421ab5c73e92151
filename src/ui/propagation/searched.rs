//! What was searched for: how far, at what cost, and how to go on.

use std::time::Duration;

use crate::app::search::{Asked, Place};
use crate::app::{Action, Layer};
use crate::keymap;
use crate::model::message::SearchOutcome;
use crate::theme::{Glyph, Role};
use crate::ui::widget::{Cell, number};
use crate::ui::{Ctx, phrase};

use super::words;

/// An answer that takes longer than this is late: a search reads a few hundred messages at most.
const LATE: Duration = Duration::from_secs(20);
/// Channels that are told one by one.
const MOST: usize = 5;

/// One line for each channel, the one with the message alone once it is found.
pub(super) fn lines(ctx: &Ctx<'_>, width: u16) -> Vec<Cell> {
    let Some(asked) = ctx.app.asked() else { return Vec::new() };
    let told: Vec<&Place> = if asked.found() {
        asked.places.iter().filter(|p| matches!(p.outcome, Some(SearchOutcome::Found(_)))).collect()
    } else {
        asked.places.iter().collect()
    };
    // What is not there at all matters least.
    let (mut open, nowhere): (Vec<&Place>, Vec<&Place>) =
        told.into_iter().partition(|place| place.outcome != Some(SearchOutcome::NotThere));
    let alone = open.is_empty() && nowhere.len() == 1;
    if alone {
        open.clone_from(&nowhere);
    }
    // One is looked through after the other.
    let waits = |place: &&Place| place.outcome.is_none();
    let queued: Vec<&Place> = open.iter().copied().filter(waits).skip(1).collect();
    let mut first = true;
    open.retain(|place| !waits(place) || std::mem::take(&mut first));
    let mut lines: Vec<Cell> = open.iter().take(MOST).map(|place| line(ctx, asked, place)).collect();
    if open.len() > MOST {
        lines.push(Cell::styled(format!("and {} more channels", open.len() - MOST), Role::Muted));
    }
    if !queued.is_empty() {
        lines.push(Cell::styled(format!("  then on {}", named(ctx, &queued)), Role::Muted));
    }
    if !alone && !nowhere.is_empty() {
        lines.push(together(ctx, asked, &nowhere));
    }
    lines.iter().flat_map(|line| line.wrapped(usize::from(width), 2)).collect()
}

fn line(ctx: &Ctx<'_>, asked: &Asked, place: &Place) -> Cell {
    let name = phrase::local(place.channel.as_str(), ctx.snapshot);
    let Some(mut report) = place.report(&asked.search) else {
        let since = ctx.now.age_since(place.since);
        let late = if since > LATE { ": no answer yet; its broker may be away" } else { "" };
        let role = if late.is_empty() { Role::Text } else { Role::StateDegraded };
        return Cell::glyph(&ctx.look(), Glyph::Moving, Role::Text)
            .then(format!(" looking on {name} for {}", words::wanted(&asked.search)), Role::Text)
            .then(format!("  {}{late}", number::elapsed(since)), role);
    };
    report.channel = name.into();
    let further = |_| {
        let key = keymap::key_of(Layer::Main, Action::Further).unwrap_or_default();
        format!("{key} looks further back")
    };
    let text = words::outcome(&report, further);
    match &report.outcome {
        SearchOutcome::Found(seq) if asked.newest.is_some() => {
            let of = asked.newest.as_deref().unwrap_or_default();
            Cell::styled(format!("#{seq} was the newest message {of} when it was asked for"), Role::Muted)
        }
        SearchOutcome::Found(_) => Cell::styled(text, Role::Muted),
        SearchOutcome::NotFrom(_) => Cell::text(text),
        SearchOutcome::NotThere => Cell::text(text).then(absent(ctx, place), Role::Muted),
        SearchOutcome::Refused(_) => Cell::styled(text, Role::Error),
    }
}

/// All channels on which it is not, on one line.
fn together(ctx: &Ctx<'_>, asked: &Asked, places: &[&Place]) -> Cell {
    let sum = |of: fn(&Place) -> u64| places.iter().map(|place| of(place)).fold(0, u64::saturating_add);
    let cost =
        format!(" ({} messages, {} read)", sum(|p| p.looked_at), number::bytes(sum(|p| p.bytes) as f64));
    let what = words::wanted(&asked.search);
    Cell::styled(format!("{what} is not on {}{cost}", named(ctx, places)), Role::Muted)
}

/// The first few names of channels.
fn named(ctx: &Ctx<'_>, places: &[&Place]) -> String {
    let names: Vec<&str> =
        places.iter().take(MOST).map(|place| phrase::local(place.channel.as_str(), ctx.snapshot)).collect();
    match places.len().saturating_sub(MOST) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

/// Why the channel may lack it.
fn absent(ctx: &Ctx<'_>, place: &Place) -> String {
    let channel = ctx.snapshot.channel(&place.channel);
    let (Some(channel), Some(asked)) = (channel, ctx.app.asked()) else { return String::new() };
    words::absent(channel, &asked.search, ctx.look().told())
}
