//! What needs a person, each cause with its effects under it; and what is said when nothing does.

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::hit::HitAreas;
use crate::app::item::{cause_of, counted_services};
use crate::app::list::ListId;
use crate::model::observation::{HealthState, SourceState};
use crate::model::snapshot::{Cause, Consumer, ConsumerStatus, Effect, Snapshot};
use crate::theme::{Glyph, Role};
use crate::ui::Ctx;
use crate::ui::area::{line, take_top, title};
use crate::ui::blank;
use crate::ui::widget::text::{self, clean, wrap};
use crate::ui::widget::{Cell, Look, number};
use crate::ui::{phrase, signs};

/// Columns of the name of a cause.
const NAME: (u16, u16) = (15, 24);
/// Columns of "since" and of the team at the right end.
const SINCE: u16 = 6;
const TEAM: u16 = 13;
/// Below this width the team is left out.
const ROOM_FOR_TEAM: u16 = 76;

/// Rows of what is said when nothing needs a person.
pub fn quiet_rows(ctx: &Ctx<'_>, width: u16) -> u16 {
    quiet(ctx, width).len() as u16
}

/// Draws the panel.
pub fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
    let (head, body) = take_top(area, 1);
    let state = ctx.app.list(ListId::Causes);
    // Without a topology nobody has a team, and the text gets its room.
    let with_team = area.width >= ROOM_FOR_TEAM && ctx.snapshot.causes.iter().any(|c| c.team.is_some());
    let look = &ctx.look();
    let cell = title("CAUSE").then(format!(" {} EFFECTS", look.glyph(Glyph::LeadsTo)), Role::Title);
    line(buf, head, 0, &cell, look);
    if state.rows().is_empty() {
        for (row, cell) in quiet(ctx, area.width).iter().enumerate() {
            line(buf, body, row as u16, cell, look);
        }
        super::rows(ctx, buf, body, hits, ListId::Causes, |_, _, _| {});
        return;
    }
    let places = Places::of(head, with_team);
    Cell::styled("since", Role::TableHeader).draw_right(
        buf,
        places.since,
        head.y,
        SINCE.min(head.width),
        look,
    );
    if with_team {
        Cell::styled("team", Role::TableHeader).draw(buf, places.team, head.y, TEAM, look);
    }
    super::rows(ctx, buf, body, hits, ListId::Causes, |buf, strip, index| {
        let cause_at = |at: usize| cause_of(ctx.snapshot, state.rows().get(at)?);
        let last = !matches!(cause_at(index + 1), Some((_, Some(_))));
        match cause_at(index) {
            // How long it has been so is known as long as somebody tells.
            Some((cause, None)) => cause_row(&ctx.look_at_thing(&cause.thing), buf, strip, cause, with_team),
            Some((_, Some(effect))) => effect_row(look, buf, strip, effect, last),
            None => {}
        }
    });
}

struct Places {
    since: u16,
    team: u16,
    /// Where the text must end.
    end: u16,
}

impl Places {
    fn of(strip: Rect, with_team: bool) -> Self {
        let team = strip.right().saturating_sub(if with_team { TEAM } else { 0 });
        let since = team.saturating_sub(SINCE + if with_team { 2 } else { 0 }).max(strip.x);
        Self { since, team, end: since.saturating_sub(1) }
    }
}

fn cause_row(look: &Look<'_>, buf: &mut Buffer, strip: Rect, cause: &Cause, with_team: bool) {
    let (glyph, role) = signs::severity(cause.severity);
    let role = look.aged(role);
    let places = Places::of(strip, with_team);
    Cell::glyph(look, glyph, role).draw(buf, strip.x, strip.y, 1, look);
    let (x, room) = (strip.x + 2, name_width(strip));
    Cell::styled(&*cause.name, role).keep_ends().draw(buf, x, strip.y, room, look);
    let x = x + room + 2;
    let room = places.end.saturating_sub(x);
    Cell::text(shortened(&cause.text, "; ", usize::from(room))).draw(buf, x, strip.y, room, look);
    phrase::since(look, &cause.since).draw_right(buf, places.since, strip.y, SINCE.min(strip.width), look);
    if with_team && let Some(team) = &cause.team {
        Cell::styled(team.as_str(), Role::Muted).draw(buf, places.team, strip.y, TEAM, look);
    }
}

/// A text without its last clauses, where only so it fits: a whole clause says more than a piece of the next one.
fn shortened<'a>(text: &'a str, between: &str, room: usize) -> &'a str {
    let mut text = text;
    while text::width(text) > room
        && let Some((head, _)) = text.rsplit_once(between)
    {
        text = head;
    }
    text
}

/// Columns of a cause's name.
fn name_width(strip: Rect) -> u16 {
    NAME.0.max((strip.width / 5).min(NAME.1)).min(strip.width)
}

fn effect_row(look: &Look<'_>, buf: &mut Buffer, strip: Rect, effect: &Effect, last: bool) {
    let branch = if last { Glyph::LastBranch } else { Glyph::Branch };
    let x = strip.x + 2;
    Cell::glyph(look, branch, Role::Border).draw(buf, x, strip.y, 1, look);
    let x = x + 2;
    // What follows stands under what it follows from.
    let room = name_width(strip).saturating_sub(2);
    Cell::styled(&*effect.kind, Role::Muted).draw(buf, x, strip.y, room, look);
    let x = x + room + 2;
    let room = strip.right().saturating_sub(x);
    Cell::text(shortened(&effect.text, ", ", usize::from(room))).draw(buf, x, strip.y, room, look);
}

/// What is said when there is no cause: what was checked, or why nothing could be.
fn quiet(ctx: &Ctx<'_>, width: u16) -> Vec<Cell> {
    let snapshot = ctx.snapshot;
    let answered = blank::brokers(snapshot).any(|source| source.answered_at.is_some());
    let mut lines = Vec::new();
    let mut say = |sign: Cell, text: &str, role: Role| {
        for (at, text) in
            wrap(&clean(text), usize::from(width.saturating_sub(2).max(8))).into_iter().enumerate()
        {
            let sign = if at == 0 { sign.clone() } else { Cell::text(" ") };
            lines.push(sign.then(" ", Role::Text).then(text, role));
        }
    };
    let look = ctx.look();
    if ctx.app.list(ListId::Causes).hidden() > 0 || !answered {
        for line in blank::why(ctx, ListId::Causes) {
            say(Cell::text(" "), &line.text, line.role);
        }
        return lines;
    }
    if snapshot.services.is_empty() && snapshot.consumers.is_empty() {
        // Quiet because there is nothing is not quiet because all is well.
        let text = "no service and no consumer is known yet, so nothing could be checked";
        say(Cell::glyph(&look, Glyph::Unknown, Role::StateUnknown), text, Role::Text);
    } else {
        match unjudged(snapshot) {
            Some(text) => say(Cell::glyph(&look, Glyph::Unknown, Role::StateUnknown), &text, Role::Text),
            None => say(Cell::glyph(&look, Glyph::Ok, Role::StateOk), "nothing needs a person", Role::Text),
        }
        say(Cell::text(" "), &format!("checked: {}", checked(snapshot)), Role::Muted);
    }
    for source in blank::brokers(snapshot).filter(|source| source.report.state == SourceState::Degraded) {
        for missing in source.report.unavailable.iter().take(3) {
            let text = format!("not checked: {}, {}", missing.what, missing.why);
            say(Cell::glyph(&look, Glyph::Unknown, Role::StateUnknown), &text, Role::Muted);
        }
        if source.report.unavailable.iter().any(|missing| missing.why.contains("permission denied")) {
            say(Cell::text(" "), "headwater doctor shows how to grant it", Role::Muted);
        }
    }
    lines
}

/// Consumers for which messages wait, and of which it is not known yet how they fare: the one with the most by name.
fn unjudged(snapshot: &Snapshot) -> Option<String> {
    let waits =
        |c: &&Arc<Consumer>| c.status == ConsumerStatus::Unknown && c.lag.low().is_some_and(|lag| *lag > 0);
    let all: Vec<_> = snapshot.consumers.iter().filter(waits).collect();
    let most = all.iter().max_by_key(|c| c.lag.low().copied())?;
    let name = phrase::consumer_name(&most.id, snapshot);
    let mut text = match all.len() {
        1 => format!("1 consumer is not judged yet: {name}"),
        n => format!("{} consumers are not judged yet, of them {name}", number::count(n as u64)),
    };
    text += &format!(", {} waiting", number::messages(most.lag.low().copied().unwrap_or(0)));
    if let Some(age) = most.staleness.low().filter(|age| !age.is_zero()) {
        text += &format!(", oldest {}", number::duration(*age));
    }
    Some(text)
}

/// What was looked at, so that quiet is not taken for blind.
fn checked(snapshot: &Snapshot) -> String {
    let many = |n: usize, one: &str, more: &str| {
        format!("{} {}", number::count(n as u64), if n == 1 { one } else { more })
    };
    let mut parts = Vec::new();
    let (services, _) = counted_services(snapshot);
    let all = services.clone().count();
    let healthy = services.clone().filter(|s| s.state == HealthState::Up).count();
    let checked = services.filter(|s| !s.health.is_empty()).count();
    parts.push(if checked == 0 {
        format!("{}, none with a health check", many(all, "service", "services"))
    } else {
        format!("health of {checked} of {}, {healthy} up", many(all, "service", "services"))
    });
    let ok = snapshot.consumers.iter().filter(|c| c.status == ConsumerStatus::Ok).count();
    parts.push(if snapshot.consumers.is_empty() && blank::unread(snapshot, ListId::Consumers) {
        "no consumer".to_owned()
    } else {
        format!("{} of which {ok} keep up", many(snapshot.consumers.len(), "consumer", "consumers"))
    });
    if snapshot.topology.is_some() {
        let copies: usize = snapshot.entities.iter().map(|e| e.replicas.len()).sum();
        parts.push(many(copies, "copy", "copies"));
        let conflicts = snapshot.entities.iter().filter(|entity| !entity.conflicts.is_empty()).count();
        if conflicts > 0 {
            parts.push(format!("{} in conflict (see Ownership)", many(conflicts, "entity", "entities")));
        }
    }
    parts.join(", ")
}
