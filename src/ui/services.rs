//! View 5, Services: how each service fares, what it owns, copies, consumes, sends, answers and calls.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::hit::HitAreas;
use crate::app::list::ListId;
use crate::app::{Action, Layer};
use crate::keymap;
use crate::model::id::{DomainId, EntityId, TeamId};
use crate::model::measured::Measured;
use crate::model::observation::{HealthState, Library};
use crate::model::snapshot::{FlowKind, HealthCheck, Service, Snapshot, Thing};
use crate::theme::{Glyph, Role};

use super::Ctx;
use super::blank;
use super::listing::Listing;
use super::widget::{Cell, Column, Look, number};
use super::{phrase, signs};

/// So many names are told of services that are folded.
const MOST_NAMES: usize = 8;

/// Columns of the sparkline.
const SPARK: u16 = 8;

const COLUMNS: &[Column] = &[
    Column::fixed("state", "", 1, 0),
    Column::text("name", "service", 12, 24, 0),
    Column::text("team", "team", 14, 18, 3),
    Column::text("domain", "domain", 10, 14, 10),
    Column::number("latency", "health", 7, 1),
    Column::fixed("trend", "", SPARK, 9),
    Column::number("connections", "conns", 5, 8),
    Column::number("owns", "owns", 4, 2),
    Column::number("copies", "copies", 6, 4),
    Column::number("consumes", "consumes", 8, 5),
    Column::number("published", "sends", 7, 6),
    Column::number("answers", "answers", 7, 7),
    Column::number("calls", "calls", 6, 7),
    Column::text("language", "client libraries", 11, 28, 11),
    Column::text("owned", "owns what", 12, 40, 12),
];

/// Draws the view.
pub fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
    Listing {
        list: ListId::Services,
        columns: COLUMNS,
        find: |snapshot, thing| match thing {
            Thing::Service(id) => snapshot.service(id).map(|row| &**row),
            _ => None,
        },
        row: &|it| row(ctx, it),
        about: &|it| about(&ctx.look_at_service(it), it),
        folded: folded(ctx),
    }
    .draw(ctx, buf, area, hits);
}

/// `◌ 12 more, known only by a consumer; z shows audit, billing-old, …`
fn folded(ctx: &Ctx<'_>) -> Option<Cell> {
    let n = ctx.app.list(ListId::Services).foldable();
    if n == 0 || ctx.app.unfolded() {
        return None;
    }
    let key = keymap::key_of(Layer::Main, Action::Fold)?;
    let folded = ctx.snapshot.services.iter().filter(|service| service.only_named);
    let mut names: Vec<&str> = folded.map(|service| service.id.as_str()).take(MOST_NAMES + 1).collect();
    if names.len() > MOST_NAMES {
        names.truncate(MOST_NAMES);
        names.push(ctx.glyphs.get(Glyph::Ellipsis));
    }
    let look = &ctx.look();
    let count = number::count(n as u64);
    Some(
        Cell::glyph(look, Glyph::Unknown, Role::StateUnknown)
            .then(format!("  {count} more, known only by a consumer; "), Role::Muted)
            .then(key, Role::Key)
            .then(" shows ", Role::Muted)
            .then(names.join(", "), Role::Muted),
    )
}

/// How a service fares, since when and why, in one line.
pub fn about(look: &Look<'_>, service: &Service) -> Cell {
    let (glyph, role) = signs::health(service.state);
    let role = look.aged(role);
    Cell::glyph(look, glyph, role)
        .then(" ", Role::Text)
        .and(name(look, service))
        .then(" ", Role::Text)
        .then(service.state.in_words(), role)
        .then(" ", Role::Text)
        .and(phrase::since(look, &service.since))
        .then(": ", Role::Muted)
        .then(&*service.why, Role::Text)
}

/// A service's name, with `~` when it was concluded from names on a broker.
pub fn name(look: &Look<'_>, service: &Service) -> Cell {
    let role = match service.state {
        HealthState::Down => Role::StateDown,
        _ => Role::Text,
    };
    if service.declared {
        Cell::styled(service.id.as_str(), role)
    } else {
        Cell::styled(look.glyph(Glyph::About), Role::Estimate).then(service.id.as_str(), role)
    }
}

/// The cells of one service, one for each column.
pub fn row(ctx: &Ctx<'_>, service: &Service) -> Vec<Cell> {
    let look = &ctx.look_at_service(service);
    look.aged_row(cells(ctx, look, service))
}

fn cells(ctx: &Ctx<'_>, look: &Look<'_>, service: &Service) -> Vec<Cell> {
    // Health is asked of the service itself; the rest is told by brokers.
    let brokers = &ctx.look_at_brokers();
    let (glyph, role) = signs::health(service.state);
    let calls = calls(ctx.snapshot, service);
    vec![
        Cell::glyph(look, glyph, role),
        name(look, service),
        maybe(look, service.team.as_ref().map(TeamId::as_str)),
        maybe(look, service.domain.as_ref().map(DomainId::as_str)),
        health(look, service),
        worst_check(service)
            .map_or_else(Cell::empty, |check| phrase::spark(ctx, &check.history, SPARK, Role::Muted)),
        Cell::measured(brokers, &service.connections, |n| number::count(u64::from(*n))),
        declared_count(look, service, service.owns.len()),
        declared_count(look, service, service.copies.len()),
        consumed(ctx, look, service),
        phrase::rate(brokers, &service.published_rate),
        plain_count(service.responders.iter().map(|responder| responder.endpoints.len()).sum()),
        plain_count(calls),
        libraries(look, &service.libraries),
        names(look, &service.owns.iter().map(EntityId::as_str).collect::<Vec<_>>()),
    ]
}

fn maybe(look: &Look<'_>, text: Option<&str>) -> Cell {
    text.map_or_else(|| phrase::none(look), Cell::text)
}

fn names(look: &Look<'_>, names: &[&str]) -> Cell {
    if names.is_empty() { phrase::none(look) } else { Cell::text(names.join(", ")) }
}

/// A number of known things.
fn plain_count(n: usize) -> Cell {
    Cell::number(number::count(n as u64), Role::Text)
}

/// A number of things that only a topology file tells: without one it is not 0 but unknown.
fn declared_count(look: &Look<'_>, service: &Service, n: usize) -> Cell {
    if n > 0 || service.declared { plain_count(n) } else { phrase::none(look) }
}

/// How many consumers are it; where no consumer at all can be read, that is not known.
fn consumed(ctx: &Ctx<'_>, look: &Look<'_>, service: &Service) -> Cell {
    let unread = ctx.snapshot.consumers.is_empty() && blank::unread(ctx.snapshot, ListId::Consumers);
    if unread { phrase::none(look) } else { plain_count(service.consumers.len()) }
}

/// How many operations of others it asks.
fn calls(snapshot: &Snapshot, service: &Service) -> usize {
    let request = |id| snapshot.flow(id).is_some_and(|flow| flow.kind == FlowKind::Request);
    service.flows_in.iter().filter(|id| request(id)).count()
}

/// Languages and versions of client libraries.
pub fn libraries(look: &Look<'_>, libraries: &[Library]) -> Cell {
    let words: Vec<String> = libraries.iter().map(|l| format!("{} {}", l.lang, l.version)).collect();
    maybe(look, (!words.is_empty()).then(|| words.join(", ")).as_deref())
}

/// How long the slowest check took, or the word for a check that failed; `–` without checks.
fn health(look: &Look<'_>, service: &Service) -> Cell {
    let Some(check) = worst_check(service) else { return phrase::none(look) };
    let (_, role) = signs::health(check.state);
    match check.state {
        HealthState::Up => latency(look, check, Role::Text),
        HealthState::Degraded => latency(look, check, role),
        HealthState::Down => Cell::styled("down", role),
        HealthState::Unreachable => Cell::glyph(look, Glyph::Unknown, role),
        HealthState::Unknown => phrase::none(look),
    }
}

fn latency(look: &Look<'_>, check: &HealthCheck, role: Role) -> Cell {
    let value: &Measured<Duration> = &check.latency;
    Cell::measured_as(look, value, role, |d| number::duration(*d))
}

/// The check that fares worst; of equals the first.
fn worst_check(service: &Service) -> Option<&HealthCheck> {
    let rank = |state: HealthState| match state {
        HealthState::Down => 0,
        HealthState::Degraded => 1,
        HealthState::Unreachable => 2,
        HealthState::Unknown => 3,
        HealthState::Up => 4,
    };
    service.health.iter().min_by_key(|check| rank(check.state))
}
