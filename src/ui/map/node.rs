//! A box of the map: a service, or a folded domain, with how it fares and what data it has.

use ratatui::buffer::Buffer;
use ratatui::style::Style;

use crate::app::map::Zoom;
use crate::app::map::drawing::Spot;
use crate::model::observation::HealthState;
use crate::model::snapshot::{Entity, Replica, Service};
use crate::theme::{Glyph, Role};
use crate::ui::widget::Cell;
use crate::ui::{Ctx, phrase, signs};

use super::canvas;

/// How what a box stands for fares; of a domain the worst in it.
pub fn state(ctx: &Ctx<'_>, key: &str) -> (Glyph, Role) {
    let drawing = ctx.app.map().drawing();
    let services = drawing.services_in(key).filter_map(|id| ctx.snapshot.service(id));
    let rank = |state: HealthState| match state {
        HealthState::Down => 0,
        HealthState::Degraded => 1,
        HealthState::Unreachable => 2,
        HealthState::Up => 3,
        HealthState::Unknown => 4,
    };
    let worst = services.map(|service| service.state).min_by_key(|state| rank(*state));
    signs::health(worst.unwrap_or(HealthState::Unknown))
}

/// Draws a box over a whole sheet.
pub fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, key: &str, selected: bool, faint: bool) {
    let area = buf.area;
    let (sign, role) = state(ctx, key);
    let needs_a_person = matches!(role, Role::StateDown | Role::StateDegraded);
    let border = match (selected, faint, needs_a_person) {
        (true, ..) => Role::BorderFocus,
        (_, true, _) => Role::Border,
        (.., true) => role,
        _ => Role::Border,
    };
    canvas::border(buf, area, ctx.glyphs, ctx.theme.style(border));
    let look = ctx.look();
    let zoom = ctx.app.map().zoom();
    let lines = match ctx.app.map().drawing().spot(key) {
        Some(Spot::Service(id)) => {
            ctx.snapshot.service(id).map(|service| of_service(ctx, service, zoom, (sign, role)))
        }
        Some(Spot::Domain(_)) => Some(of_domain(ctx, key, (sign, role))),
        _ => Some(vec![Cell::glyph(&look, Glyph::Unknown, Role::StateUnknown).then(" sender?", Role::Muted)]),
    };
    let columns = area.width.saturating_sub(2);
    for (at, line) in lines.unwrap_or_default().into_iter().enumerate() {
        let y = u16::try_from(at).unwrap_or(0) + 1;
        if y + 1 >= area.height {
            break;
        }
        let line = if faint { line.in_role(Role::Muted) } else { line };
        line.draw(buf, 1, y, columns, &look);
        if at == 0 && selected {
            for x in 1..=columns {
                if let Some(cell) = buf.cell_mut((x, y)) {
                    cell.set_style(mark(ctx));
                }
            }
        }
    }
}

/// How what is selected is marked: seen without colours too.
pub fn mark(ctx: &Ctx<'_>) -> Style {
    ctx.theme.style(Role::Selection)
}

fn of_service(ctx: &Ctx<'_>, service: &Service, zoom: Zoom, (sign, role): (Glyph, Role)) -> Vec<Cell> {
    let look = ctx.look();
    let likely = if service.declared { "" } else { look.glyph(Glyph::About) };
    let name = Cell::glyph(&look, sign, role)
        .then(format!(" {likely}{}", service.id), if role == Role::StateOk { Role::Title } else { role });
    let mut lines = vec![name];
    match zoom {
        // The ports of its routes make most boxes high enough for a second line.
        Zoom::Far | Zoom::Middle => lines.push(summary(ctx, std::iter::once(service))),
        Zoom::Near => {
            let team = service.team.as_ref().map_or(String::new(), ToString::to_string);
            lines.push(Cell::styled(team, Role::Muted));
            if !service.owns.is_empty() {
                let owned: Vec<&str> = service.owns.iter().map(crate::model::id::EntityId::as_str).collect();
                let owned = owned.join(", ");
                lines
                    .push(Cell::glyph(&look, Glyph::Owns, Role::Owner).then(format!(" {owned}"), Role::Text));
            }
            for (entity, replica) in copies(ctx, service) {
                let look = ctx.look_at_copy(replica);
                let stale = phrase::staleness_within(&look, &replica.staleness, replica.max_staleness);
                let copy = Cell::glyph(&look, Glyph::Copy, Role::Copy);
                lines.push(copy.then(format!(" {} ", entity.id), Role::Text).and(stale));
            }
        }
    }
    lines
}

/// What a service keeps copies of.
fn copies<'a>(ctx: &Ctx<'a>, service: &'a Service) -> impl Iterator<Item = (&'a Entity, &'a Replica)> {
    let snapshot = ctx.snapshot;
    service.copies.iter().filter_map(move |id| {
        let entity = snapshot.entity(id)?;
        let replica = entity.replicas.iter().find(|replica| replica.service == service.id)?;
        Some((&**entity, replica))
    })
}

/// How many entities are owned and copied, and how stale the stalest copy is.
fn summary<'a>(ctx: &Ctx<'a>, services: impl Iterator<Item = &'a Service> + Clone) -> Cell {
    let look = ctx.look();
    let owned: usize = services.clone().map(|service| service.owns.len()).sum();
    let copied: usize = services.clone().map(|service| service.copies.len()).sum();
    let mut cell = Cell::empty();
    if owned > 0 {
        cell = cell.and(Cell::glyph(&look, Glyph::Owns, Role::Owner)).then(format!("{owned} "), Role::Text);
    }
    if copied > 0 {
        cell = cell.and(Cell::glyph(&look, Glyph::Copy, Role::Copy)).then(format!("{copied} "), Role::Text);
        let stalest = services
            .flat_map(|service| copies(ctx, service))
            .map(|(_, replica)| replica)
            .max_by_key(|replica| replica.staleness.bounds.high().or(replica.staleness.low()).copied());
        if let Some(replica) = stalest {
            let look = ctx.look_at_copy(replica);
            cell = cell.and(phrase::staleness_within(&look, &replica.staleness, replica.max_staleness));
        }
    }
    cell
}

fn of_domain(ctx: &Ctx<'_>, key: &str, (sign, role): (Glyph, Role)) -> Vec<Cell> {
    let look = ctx.look();
    let drawing = ctx.app.map().drawing();
    let services: Vec<&Service> =
        drawing.services_in(key).filter_map(|id| ctx.snapshot.service(id)).map(|row| &**row).collect();
    let name = key.strip_prefix("domain ").unwrap_or(key);
    let title = Cell::glyph(&look, Glyph::Folded, Role::Title).then(format!(" {name}"), Role::Title);
    let ill = services
        .iter()
        .filter(|service| !matches!(service.state, HealthState::Up | HealthState::Unknown))
        .count();
    let mut counts = Cell::styled(format!("{} services", services.len()), Role::Text);
    if ill > 0 {
        counts = counts.then(" ", Role::Text).and(Cell::glyph(&look, sign, role)).then(ill.to_string(), role);
    }
    vec![title, counts, summary(ctx, services.iter().copied())]
}
