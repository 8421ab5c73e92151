//! One kind of business data: its owners, every copy with its age, who asks for it, what does not agree.

use std::time::Duration;

use crate::model::series::History;
use crate::model::snapshot::{Entity, Replica, Thing};
use crate::theme::{Glyph, Role};
use crate::ui::widget::{Cell, number};
use crate::ui::{Ctx, blank, phrase, signs};

use super::consumer::{messages, seconds};
use super::page::Page;

/// An owner that has said nothing for so long is quiet.
const QUIET: Duration = Duration::from_secs(60);

pub(super) fn fill(ctx: &Ctx<'_>, page: &mut Page<'_>, it: &Entity) {
    let look = page.look();
    for conflict in &it.conflicts {
        page.item(Glyph::Conflict, Role::Conflict, conflict, Role::Conflict);
    }
    page.causes(ctx, &Thing::Entity(it.id.clone()), "");
    let changed = it.last_change.map(|at| {
        let quiet = if look.told().age_since(at) < QUIET {
            ""
        } else {
            ": nothing was published since, so that a copy of 0 s proves little"
        };
        format!("{}{quiet}", phrase::ago(&look, at))
    });
    page.fact_or("last change", changed.as_deref(), "its channels tell no time");

    page.heading("OWNED BY");
    if it.owners.is_empty() {
        page.text("nobody says that it owns it", Role::Muted);
    }
    for owner in &it.owners {
        let sign = if owner.likely { format!("{}likely ", look.glyph(Glyph::About)) } else { String::new() };
        page.item(Glyph::Owns, Role::Owner, &format!("{sign}{}", owner.service), Role::Text);
        store(ctx, page, owner.store.as_ref());
        page.fact_or("  identifier", owner.identifier.as_deref(), "not declared");
        page.fact(
            "  known by",
            &format!("{}: {}", signs::evidence(owner.evidence.kind), owner.evidence.from),
        );
    }

    page.heading("COPIES");
    if it.replicas.is_empty() {
        page.text("no service is known to keep one", Role::Muted);
    }
    for replica in &it.replicas {
        copy(ctx, page, replica);
    }
    if !it.reactors.is_empty() {
        page.heading("REACT TO ITS EVENTS");
        for id in &it.reactors {
            page.item(Glyph::Reacts, Role::Reader, id.as_str(), Role::Text);
        }
    }
    if !it.readers.is_empty() {
        page.heading("ASK FOR IT");
        for reader in &it.readers {
            page.item(
                Glyph::Asks,
                Role::Reader,
                &format!("{} by {}", reader.service, reader.operation),
                Role::Text,
            );
        }
    }
    for replica in &it.replicas {
        freshness(ctx, page, replica);
    }
    if ctx.snapshot.topology.is_none() {
        page.next(&[blank::TOPOLOGY.to_owned()]);
    } else if !it.conflicts.is_empty() {
        page.next(&[
            "agree on one owner and one identifier, and say so in the services' topology files".to_owned()
        ]);
    }
}

/// How soon a copy has what its owner changed, beside how old it may be; and how old it was, and how far behind.
fn freshness(ctx: &Ctx<'_>, page: &mut Page<'_>, it: &Replica) {
    let Some(fed) = it.consumer.as_ref().and_then(|id| ctx.snapshot.consumer(id)) else { return };
    let whose = it.service.as_str();
    if let Some(acks) = &fed.acks {
        page.visibility(ctx, whose, acks, it.max_staleness);
    }
    // A line of zeros says no more than the number above.
    let moved = |history: &History| history.last(10, 60, ctx.mono()).into_iter().any(|value| value > 0.0);
    if moved(&fed.staleness_history) {
        page.chart(ctx, &format!("STALENESS  {whose}"), &fed.staleness_history, seconds);
    }
    if moved(&fed.lag_history) {
        page.chart(ctx, &format!("CHANGES BEHIND  {whose}"), &fed.lag_history, messages);
    }
}

fn store(ctx: &Ctx<'_>, page: &mut Page<'_>, id: Option<&crate::model::id::StoreId>) {
    let text = id.map(|id| match ctx.snapshot.store(id) {
        Some(store) => match &store.technology {
            Some(technology) => format!("{id}: {}, {technology}", store.kind),
            None => format!("{id}: {}", store.kind),
        },
        None => id.to_string(),
    });
    page.fact_or("  kept in", text.as_deref(), "not declared");
}

fn copy(ctx: &Ctx<'_>, page: &mut Page<'_>, it: &Replica) {
    let look = page.look();
    page.cell(
        Cell::glyph(&look, Glyph::Copy, Role::Copy)
            .then(" ", Role::Text)
            .then(it.service.as_str(), Role::Text)
            .then(format!("  via {} ({})", it.via, it.mode), Role::Muted),
    );
    let late = match (phrase::over(&it.staleness, it.max_staleness), it.max_staleness) {
        (Some(true), Some(max)) => Cell::styled(
            format!(" {} more than {}", look.glyph(Glyph::Degraded), number::limit(max)),
            Role::StateDegraded,
        ),
        (_, Some(max)) => Cell::styled(format!(" of at most {}", number::limit(max)), Role::Muted),
        (_, None) => Cell::empty(),
    };
    page.measured_with("  staleness", &it.staleness, |d| number::duration(*d), late);
    page.measured("  behind", &it.behind, |n| format!("{} changes", number::exact(*n)));
    let fed = it.consumer.as_ref().and_then(|id| ctx.snapshot.consumer(id));
    if let Some(delay) = fed.and_then(|consumer| consumer.delay.as_ref()) {
        page.fact("  takes", &phrase::delay_words(&look, delay));
    }
    if it.gave_up.low().is_some_and(|n| *n > 0) {
        page.measured_with(
            "  gave up",
            &it.gave_up,
            |n| number::exact(*n),
            Cell::styled(" lost to this copy", Role::StateGaveUp),
        );
    }
    store(ctx, page, it.store.as_ref());
    page.fact_or("  identifier", it.identifier.as_deref(), "not declared");
    if let Some(id) = &it.consumer {
        page.fact("  fed by", phrase::consumer_name(id, ctx.snapshot));
    }
    page.fact("  known by", &format!("{}: {}", signs::evidence(it.evidence.kind), it.evidence.from));
}
