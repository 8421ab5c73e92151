//! The last line: how many of everything, and how many of them in which state.

use std::collections::BTreeMap;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::item::counted_services;
use crate::app::list::ListId;
use crate::model::snapshot::Snapshot;
use crate::theme::{Glyph, Role};
use crate::ui::Ctx;
use crate::ui::area::line;
use crate::ui::blank;
use crate::ui::phrase;
use crate::ui::signs;
use crate::ui::widget::{Cell, Look, number, text};

/// Draws the line.
pub fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect) {
    let look = &ctx.look();
    let mut cell = cell(look, ctx.snapshot);
    // Those that the list of services folds: told where there is room, as in that list.
    let (_, left_out) = counted_services(ctx.snapshot);
    if left_out > 0 {
        let n = number::count(left_out as u64);
        let forms = [format!("   {n} more, known only by a consumer"), format!("   {n} more only named")];
        let room = usize::from(area.width).saturating_sub(cell.width());
        if let Some(more) = forms.iter().find(|more| text::width(more) <= room) {
            cell = cell.then(more, Role::Muted);
        }
    }
    line(buf, area, 0, &cell, look);
}

/// `9 services ·7 ▲1 ✖1   31 consumers ·28 ▲1 ■1 ⊘1   22 entities !2`
pub fn cell(look: &Look<'_>, snapshot: &Snapshot) -> Cell {
    let (counted, _) = counted_services(snapshot);
    let services = states(counted.clone().map(|s| signs::health(s.state)));
    let consumers = states(snapshot.consumers.iter().map(|c| signs::status(c.status)));
    let conflicts = snapshot.entities.iter().filter(|e| !e.conflicts.is_empty()).count();
    let likely = snapshot.entities.iter().all(|e| e.owners.iter().all(|o| o.likely));
    let count = |n: usize, list| (n > 0 || !blank::unread(snapshot, list)).then_some(n);
    let n = count(counted.count(), ListId::Services);
    let mut cell = group(look, n, ("service", "services"), &services).then("   ", Role::Text);
    let n = count(snapshot.consumers.len(), ListId::Consumers);
    cell = cell.and(group(look, n, ("consumer", "consumers"), &consumers));
    if !snapshot.entities.is_empty() {
        let sign = if likely { look.glyph(Glyph::About) } else { "" };
        cell = cell.then(format!("   {sign}"), Role::Estimate).and(group(
            look,
            Some(snapshot.entities.len()),
            ("entity", "entities"),
            &BTreeMap::new(),
        ));
        if conflicts > 0 {
            let sign = look.glyph(Glyph::Conflict);
            cell = cell.then(" ", Role::Text).then(format!("{sign}{conflicts}"), Role::Conflict);
        }
    }
    cell
}

fn plural(n: usize, one: &'static str, more: &'static str) -> &'static str {
    if n == 1 { one } else { more }
}

/// How many are in each state, in the order of the glyph table: quiet first, then worse.
fn states(signs: impl Iterator<Item = (Glyph, Role)>) -> BTreeMap<(u8, &'static str), (usize, Glyph, Role)> {
    const ORDER: &[Glyph] = &[
        Glyph::Ok,
        Glyph::Degraded,
        Glyph::Stalled,
        Glyph::Down,
        Glyph::Rewound,
        Glyph::GaveUp,
        Glyph::Paused,
        Glyph::Unknown,
    ];
    let mut counts = BTreeMap::new();
    for (glyph, role) in signs {
        let at = ORDER.iter().position(|other| *other == glyph).unwrap_or(ORDER.len()) as u8;
        counts.entry((at, role.name())).or_insert((0, glyph, role)).0 += 1;
    }
    counts
}

/// `None` is a number that cannot be known.
fn group(
    look: &Look<'_>,
    n: Option<usize>,
    words: (&'static str, &'static str),
    states: &BTreeMap<(u8, &'static str), (usize, Glyph, Role)>,
) -> Cell {
    let number = n.map_or_else(|| phrase::none(look), |n| Cell::text(number::count(n as u64)));
    let word = plural(n.unwrap_or_default(), words.0, words.1);
    let mut cell = number.then(format!(" {word}"), Role::Muted);
    for (count, glyph, role) in states.values() {
        cell = cell.then(" ", Role::Text).then(format!("{}{count}", look.glyph(*glyph)), *role);
    }
    cell
}
