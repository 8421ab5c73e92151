//! One service: health with its history, what it owns, copies, consumes, sends, answers and calls, its programs.

use crate::model::id::{DomainId, FlowId, TeamId};
use crate::model::observation::{HealthState, Library};
use crate::model::snapshot::{Flow, FlowKind, HealthCheck, Service, Thing};
use crate::theme::{Glyph, Role};
use crate::ui::widget::{Cell, number};
use crate::ui::{Ctx, phrase, services, signs};

use super::page::Page;

pub(super) fn fill(ctx: &Ctx<'_>, page: &mut Page<'_>, it: &Service) {
    let look = page.look();
    let (glyph, role) = signs::health(it.state);
    let role = look.aged(role);
    page.cell(
        Cell::glyph(&look, glyph, role)
            .then(" ", Role::Text)
            .then(it.state.in_words(), role)
            .then(" ", Role::Text)
            .and(phrase::since(&look, &it.since)),
    );
    page.text(&it.why, Role::Text);
    page.causes(ctx, &Thing::Service(it.id.clone()), &it.why);
    if !it.declared {
        page.item(
            Glyph::About,
            Role::Estimate,
            "concluded from names on the broker; no topology file declares it",
            Role::Muted,
        );
    }
    page.fact_or("team", it.team.as_ref().map(TeamId::as_str), "no topology file names it");
    page.fact_or("domain", it.domain.as_ref().map(DomainId::as_str), "no topology file names it");
    health(ctx, page, it);
    data(ctx, page, it);
    consumers(ctx, page, it);
    flows(ctx, page, "SENDS", &it.flows_out, |flow| flow.kind != FlowKind::Request);
    answers(ctx, page, it);
    flows(ctx, page, "CALLS", &it.flows_in, |flow| flow.kind == FlowKind::Request);
    programs(ctx, page, it);
    page.evidence(&it.evidence);
    page.next(&next(it));
}

fn health(ctx: &Ctx<'_>, page: &mut Page<'_>, it: &Service) {
    let look = page.look();
    page.heading("HEALTH");
    if it.health.is_empty() {
        page.text(
            "no check: declare `health:` in the service's topology file, with the URL that it answers on",
            Role::Muted,
        );
    }
    for check in &it.health {
        let (glyph, role) = signs::health(check.state);
        page.cell(
            Cell::glyph(&look, glyph, role)
                .then(format!(" {} ", check.name), Role::Text)
                .and(Cell::measured(&look, &check.latency, |d| number::duration(*d)))
                .then(format!("  {}", check.detail), Role::Text),
        );
        page.fact("asks", &format!("{} every {}", check.url, number::limit(check.interval)));
        components(page, check);
        if check.state == HealthState::Unreachable {
            page.text(unreachable(it.state), Role::Muted);
        }
        page.chart(ctx, "LATENCY OF THE CHECK", &check.history, |ms| super::consumer::seconds(ms / 1000.0));
    }
}

/// What a check that cannot be reached says of its service: alone nothing, together with a connection that is gone too, much.
fn unreachable(service: HealthState) -> &'static str {
    match service {
        HealthState::Down => {
            "nothing answers there, and its connection to the broker is gone too: together they say that it is down"
        }
        _ => "it cannot be reached from this machine, which says nothing of the service itself",
    }
}

fn components(page: &mut Page<'_>, check: &HealthCheck) {
    for component in &check.components {
        let (glyph, role) = signs::health(component.state);
        let text = format!("{} {} {}", component.name, component.state.in_words(), component.detail);
        page.item(glyph, role, text.trim_end(), Role::Text);
    }
}

fn data(ctx: &Ctx<'_>, page: &mut Page<'_>, it: &Service) {
    let look = page.look();
    page.heading("DATA");
    if it.owns.is_empty() && it.copies.is_empty() && it.stores.is_empty() {
        page.text("nothing is declared that it owns, copies or stores", Role::Muted);
    }
    for id in &it.owns {
        let owner = ctx.snapshot.entity(id).and_then(|e| e.owners.iter().find(|o| o.service == it.id));
        let likely = owner.is_some_and(|owner| owner.likely);
        let store =
            owner.and_then(|owner| owner.store.as_ref()).map_or_else(String::new, |id| format!(" in {id}"));
        let key =
            owner.and_then(|o| o.identifier.as_deref()).map_or_else(String::new, |key| format!(" by {key}"));
        let sign = if likely { look.glyph(Glyph::About) } else { "" };
        page.item(Glyph::Owns, Role::Owner, &format!("{sign}{id}{store}{key}"), Role::Text);
    }
    for id in &it.copies {
        let Some(replica) =
            ctx.snapshot.entity(id).and_then(|e| e.replicas.iter().find(|r| r.service == it.id))
        else {
            continue;
        };
        let cell = Cell::glyph(&look, Glyph::Copy, Role::Copy)
            .then(format!(" {id} "), Role::Text)
            .and(phrase::staleness_within(&look, &replica.staleness, replica.max_staleness))
            .then(format!(" via {} ({})", replica.via, replica.mode), Role::Muted);
        page.cell(cell);
    }
    for store in it.stores.iter().filter_map(|id| ctx.snapshot.store(id)) {
        let technology = store.technology.as_deref().unwrap_or(look.glyph(Glyph::NoValue));
        let (glyph, role) = signs::health(store.state);
        page.item(glyph, role, &format!("store {}: {}, {technology}", store.id, store.kind), Role::Text);
    }
}

fn consumers(ctx: &Ctx<'_>, page: &mut Page<'_>, it: &Service) {
    let look = page.look();
    page.heading("CONSUMES");
    if it.consumers.is_empty() {
        page.text("no consumer is known to be its", Role::Muted);
    }
    for consumer in it.consumers.iter().filter_map(|id| ctx.snapshot.consumer(id)) {
        let (glyph, role) = signs::status(consumer.status);
        page.cell(
            Cell::glyph(&look, glyph, role)
                .then(format!(" {}  lag ", phrase::consumer_name(&consumer.id, ctx.snapshot)), Role::Text)
                .and(phrase::count(&look, &consumer.lag))
                .then("  stale ", Role::Text)
                .and(phrase::staleness(&look, &consumer.staleness)),
        );
    }
}

fn flows(ctx: &Ctx<'_>, page: &mut Page<'_>, name: &str, ids: &[FlowId], keep: impl Fn(&Flow) -> bool) {
    let found: Vec<_> = ids.iter().filter_map(|id| ctx.snapshot.flow(id)).filter(|flow| keep(flow)).collect();
    if found.is_empty() {
        return;
    }
    page.heading(name);
    let look = page.look();
    for flow in found {
        let (glyph, role) = signs::kind(flow.kind);
        let (other, likely) = match flow.kind {
            FlowKind::Request => (&flow.from, flow.from_likely),
            _ => (&flow.to, false),
        };
        page.cell(
            Cell::glyph(&look, glyph, role)
                .then(format!(" {} ", phrase::flow_name(flow, ctx.snapshot)), Role::Text)
                .then(look.glyph(Glyph::HeadRight), role)
                .then(" ", Role::Text)
                .and(phrase::services(&look, other, likely))
                .then(" ", Role::Text)
                .and(phrase::rate(&look, &flow.rate)),
        );
    }
}

fn answers(ctx: &Ctx<'_>, page: &mut Page<'_>, it: &Service) {
    let look = page.look();
    let requests: Vec<_> = it
        .flows_out
        .iter()
        .filter_map(|id| ctx.snapshot.flow(id))
        .filter(|flow| flow.kind == FlowKind::Request)
        .collect();
    let endpoints: Vec<_> = it.responders.iter().flat_map(|responder| &responder.endpoints).collect();
    if requests.is_empty() && endpoints.is_empty() {
        return;
    }
    page.heading("ANSWERS");
    for flow in &requests {
        page.cell(
            Cell::glyph(&look, Glyph::Request, Role::Request)
                .then(format!(" {} ", phrase::flow_name(flow, ctx.snapshot)), Role::Text)
                .and(phrase::rate(&look, &flow.rate))
                .then("  errors ", Role::Muted)
                .and(phrase::errors(&look, &flow.errors_rate))
                .then("  takes ", Role::Muted)
                .and(phrase::delay(&look, flow.delay.as_ref())),
        );
    }
    for endpoint in &endpoints {
        if !requests.iter().any(|flow| flow.label == endpoint.subject) {
            page.item(Glyph::Request, Role::Request, &endpoint.subject, Role::Text);
        }
        if let Some(error) = &endpoint.last_error {
            // It tells its last error for ever, and not when that was: long past, it is no alarm.
            let flow = requests.iter().find(|flow| flow.label == endpoint.subject);
            let now = flow.is_none_or(|flow| flow.errors_rate.low().is_some_and(|rate| *rate > 0.0));
            let (role, text_role, when) =
                if now { (Role::Error, Role::Text, "") } else { (Role::Muted, Role::Muted, " (none now)") };
            let text = format!("{}, last error that it tells of{when}: {error}", endpoint.subject);
            page.item(Glyph::Failed, role, &text, text_role);
        }
    }
}

fn programs(ctx: &Ctx<'_>, page: &mut Page<'_>, it: &Service) {
    let look = ctx.look_at_brokers();
    page.heading("CONNECTIONS");
    page.measured("open", &it.connections, |n| number::exact(u64::from(*n)));
    page.measured("sends", &it.published_rate, |v| number::rate(*v));
    page.fact_cell("libraries", services::libraries(&look, &it.libraries));
    for client in &it.clients {
        let name = client.name.as_deref().unwrap_or("(no name)");
        let versions: Vec<String> =
            client.libraries.iter().map(|Library { lang, version }| format!("{lang} {version}")).collect();
        let since = client.since.map_or_else(String::new, |at| {
            format!(", connected {}", number::elapsed(look.told().age_since(at)))
        });
        page.fact("program", &format!("{name} {}{since}", versions.join(", ")));
        if !client.hosts.is_empty() {
            page.fact("from", &client.hosts.join(", "));
        }
        let listens: Vec<String> = client
            .subscriptions
            .iter()
            .map(|s| {
                s.queue
                    .as_ref()
                    .map_or_else(|| s.subject.to_string(), |queue| format!("{} ({queue})", s.subject))
            })
            .collect();
        if !listens.is_empty() {
            page.fact("listens to", &listens.join(", "));
        }
        if client.pending_bytes > 0 {
            page.fact("held for it", &format!("{} not read yet", number::bytes(client.pending_bytes as f64)));
        }
    }
}

fn next(it: &Service) -> Vec<String> {
    match it.state {
        HealthState::Down => vec![
            format!("read the log of {} since its check failed", it.id),
            "look at its stores above, and at who calls it: they fail with it".to_owned(),
        ],
        HealthState::Degraded => vec![
            "read what its check answers: the whole of it is at the address above".to_owned(),
            "look at its consumers and stores above: one with a sign may be why".to_owned(),
        ],
        HealthState::Unreachable => vec![
            "run headwater where the address can be reached, or correct it in the topology file".to_owned(),
        ],
        HealthState::Up | HealthState::Unknown => Vec::new(),
    }
}
