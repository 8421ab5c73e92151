//! Requests that were heard with their answers: who asks how often, how long answers take, and what is not answered.

use crate::model::calls::{Asked, Asker, CallTally, PATIENCE};
use crate::theme::{Glyph, Role};
use crate::ui::widget::text::{clean, pad_left, pad_right, width};
use crate::ui::widget::{Cell, number};

use super::page::Page;

/// Columns of a requester's name, at most.
const NAME: usize = 24;
/// Columns of a rate, and of a time.
const FIGURE: usize = 9;
/// Requesters that are listed.
const MOST: usize = 12;
/// What stands for a program whose address does not tell its name.
const NOT_KNOWN: &str = "not known";

pub(super) fn fill(page: &mut Page<'_>, it: &Asked) {
    let look = page.look();
    let of = number::count(it.all.asked());
    page.heading_of(
        "REQUESTS HEARD",
        &format!("{of} in {} of listening", number::duration(it.all.span.length())),
    );
    let dash = look.glyph(Glyph::NoValue);
    let ellipsis = look.glyph(Glyph::Ellipsis);
    let names: Vec<String> =
        it.by.iter().map(|one| clean(one.name.as_deref().unwrap_or(NOT_KNOWN)).into_owned()).collect();
    let wide = names
        .iter()
        .map(|name| width(name))
        .max()
        .unwrap_or(0)
        .clamp("asked by".len(), NAME.min(page.width().saturating_sub(4 * FIGURE)).max("asked by".len()));
    let figures = |texts: [&str; 4]| texts.map(|text| pad_left(text, FIGURE, ellipsis)).concat();
    let head = pad_right("asked by", wide, ellipsis);
    page.cell(Cell::styled(format!("{head}{}", figures(["rate", "p50", "p95", "p99"])), Role::Muted));
    for (asker, name) in it.by.iter().zip(&names).take(MOST) {
        let time = |pick: fn(&crate::model::snapshot::Delay) -> Option<i64>| {
            asker.delay.as_ref().and_then(pick).map_or_else(|| dash.to_owned(), number::signed_nanos)
        };
        let texts = [number::rate(asker.rate), time(|d| d.p50), time(|d| d.p95), time(|d| d.p99)];
        let role = if asker.name.is_some() { Role::Text } else { Role::Muted };
        let line = Cell::styled(pad_right(name, wide, ellipsis), role)
            .then(figures(texts.each_ref().map(String::as_str)), Role::Text);
        let trouble = trouble(&asker.tally)
            .into_iter()
            .fold(Cell::empty(), |line, (text, role)| line.then(format!("  {text}"), role));
        if line.width() + trouble.width() <= page.width() {
            page.cell(line.and(trouble));
        } else {
            page.cell(line);
            page.cell(trouble);
        }
    }
    let more = it.by.len().saturating_sub(MOST);
    if more > 0 {
        page.text(&format!("{ellipsis} {more} more"), Role::Muted);
    }
    page.text("from the request to the first answer, both as the broker passes them on", Role::Muted);
    if it.all.unanswered > 0 {
        let patience = number::duration(PATIENCE);
        page.text(
            &format!("unanswered: nothing came in {patience}; when a requester gives up is not seen"),
            Role::Muted,
        );
    }
    if it.by.iter().any(|one: &Asker| one.tally.unfollowed > 0) {
        page.text(
            "not followed: asked before its answers were listened to, or where they cannot be: the messages view tells why",
            Role::Muted,
        );
    }
}

/// What went wrong with some of the requests, and what is not known of others.
fn trouble(tally: &CallTally) -> Vec<(String, Role)> {
    let told = [
        (tally.failed, "failed", Role::StateDown),
        (tally.unanswered, "unanswered", Role::StateDegraded),
        (tally.unfollowed, "not followed", Role::Muted),
    ];
    told.into_iter()
        .filter(|(n, ..)| *n > 0)
        .map(|(n, what, role)| (format!("{} {what}", number::count(n)), role))
        .collect()
}
