//! How listening goes on each channel: since when, to what, how many messages were heard, left out and lost.

use crate::model::tap::{TapReport, TapState};
use crate::theme::{Glyph, Role};
use crate::ui::widget::{Cell, number, text};
use crate::ui::{Ctx, phrase};

/// Columns of a channel's name.
const NAME: usize = 24;
/// Subjects that are told by name.
const SUBJECTS: usize = 3;

/// One line for each channel, and more where it must say why and there is room for `most`.
pub(super) fn lines(ctx: &Ctx<'_>, width: u16, most: usize) -> Vec<Cell> {
    let names = ctx.snapshot.taps.iter().map(|tap| text::width(name(ctx, tap)));
    let wide = names.max().unwrap_or(0).min(NAME).min(usize::from(width) / 6);
    let words = ctx.snapshot.taps.iter().map(|tap| text::width(tap.state.word())).max().unwrap_or(0);
    let lines: Vec<Cell> = ctx.snapshot.taps.iter().map(|tap| line(ctx, tap, wide, words)).collect();
    let whole: Vec<Cell> = lines.iter().flat_map(|line| line.wrapped(usize::from(width), 2)).collect();
    if whole.len() <= most { whole } else { lines }
}

fn name<'a>(ctx: &Ctx<'_>, tap: &'a TapReport) -> &'a str {
    phrase::local(tap.channel.as_str(), ctx.snapshot)
}

fn line(ctx: &Ctx<'_>, tap: &TapReport, wide: usize, words: usize) -> Cell {
    let look = ctx.look();
    let (glyph, role) = match tap.state {
        TapState::Listening => (Glyph::Ok, Role::StateOk),
        TapState::Asked => (Glyph::Unknown, Role::StateUnknown),
        TapState::Refused => (Glyph::Down, Role::StateDown),
        TapState::Ended => (Glyph::Paused, Role::StatePaused),
    };
    let cleaned = text::clean(name(ctx, tap));
    let name = text::pad_right(&cleaned, wide, look.glyph(Glyph::Ellipsis));
    let since = number::elapsed(ctx.now.age_since(tap.since));
    let state = format!("  {:<words$} {since}  ", tap.state.word());
    let cell = Cell::glyph(&look, glyph, role).then(" ", Role::Text).then(name, Role::Title);
    let cell = match tap.state {
        TapState::Listening | TapState::Asked => cell.then(state, Role::Muted),
        TapState::Refused | TapState::Ended => cell.then(state, role),
    };
    match tap.state {
        TapState::Asked => with_why(cell.then(subjects(tap), Role::Muted), tap),
        TapState::Listening => {
            let cell = cell.then(subjects(tap), Role::Text).then("  ", Role::Text).and(counts(tap));
            with_why(cell, tap)
        }
        TapState::Refused | TapState::Ended => {
            let why = if tap.why.is_empty() { "no reason is told" } else { &*tap.why };
            let cell = cell.then(why, Role::Text);
            let cell = if tap.heard > 0 { cell.then("  ", Role::Text).and(counts(tap)) } else { cell };
            cell.then(format!(" (:tap {cleaned} asks for it again)"), Role::Muted)
        }
    }
}

fn with_why(cell: Cell, tap: &TapReport) -> Cell {
    if tap.why.is_empty() { cell } else { cell.then("  ", Role::Text).then(&tap.why, Role::Muted) }
}

/// What is listened to.
pub(super) fn subjects(tap: &TapReport) -> String {
    let named: Vec<&str> = tap.subjects.iter().take(SUBJECTS).map(|subject| &**subject).collect();
    let more = tap.subjects.len().saturating_sub(SUBJECTS);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", named.join(", "))
}

/// `1 204 heard, 1 in 6 shown, 0 lost`.
fn counts(tap: &TapReport) -> Cell {
    let shown = match (tap.heard, tap.told) {
        (heard, told) if told >= heard => String::new(),
        (_, 0) => "none shown, ".to_owned(),
        // Rounded, that would be 1 in 1.
        (heard, told) if (heard - told).saturating_mul(20) < told => {
            format!("all but {} shown, ", number::exact(heard - told))
        }
        (heard, told) => {
            let ratio = heard as f64 / told as f64;
            let ratio = if ratio < 10.0 { format!("{ratio:.1}") } else { format!("{ratio:.0}") };
            format!("1 in {} shown, ", ratio.trim_end_matches(".0"))
        }
    };
    let (lost, role) = (format!("{} lost", number::exact(tap.dropped)), Role::Error);
    Cell::styled(format!("{} heard, {shown}", number::exact(tap.heard)), Role::Muted)
        .then(lost, if tap.dropped > 0 { role } else { Role::Muted })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_many_are_shown_is_said_as_a_person_would() {
        let said = |heard, told| {
            let report = TapReport {
                channel: "nats/ORDERS".into(),
                subjects: Vec::new(),
                state: TapState::Listening,
                why: "".into(),
                since: crate::model::time::Timestamp(0),
                heard,
                told,
                dropped: 0,
            };
            counts(&report).plain()
        };
        assert_eq!(said(0, 0), "0 heard, 0 lost");
        assert_eq!(said(9, 9), "9 heard, 0 lost");
        assert_eq!(said(9, 0), "9 heard, none shown, 0 lost");
        assert_eq!(said(1_001, 1_000), "1 001 heard, all but 1 shown, 0 lost");
        assert_eq!(said(1_049, 1_000), "1 049 heard, all but 49 shown, 0 lost");
        assert_eq!(said(1_050, 1_000), "1 050 heard, 1 in 1.1 shown, 0 lost");
        assert_eq!(said(1_204, 201), "1 204 heard, 1 in 6 shown, 0 lost");
        assert_eq!(said(4_000, 40), "4 000 heard, 1 in 100 shown, 0 lost");
    }
}
