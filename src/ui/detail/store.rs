//! One data store: what kind it is and why, whose, how it fares, who touches it.

use crate::model::snapshot::{Store, Thing};
use crate::theme::{Glyph, Role};
use crate::ui::widget::Cell;
use crate::ui::{Ctx, signs};

use super::page::Page;

pub(super) fn fill(ctx: &Ctx<'_>, page: &mut Page<'_>, it: &Store) {
    let look = page.look();
    let (glyph, role) = signs::health(it.state);
    page.cell(Cell::glyph(&look, glyph, role).then(" ", Role::Text).then(it.state.in_words(), role));
    page.text(&it.why, Role::Text);
    page.causes(ctx, &Thing::Store(it.id.clone()), &it.why);
    page.fact("kind", &it.kind);
    page.fact_or("technology", it.technology.as_deref(), "not declared");
    page.fact_or("reason", it.reason.as_deref(), "its owners have not said why this kind");
    page.fact("service", it.service.as_str());

    page.heading("KEEPS");
    let mut any = false;
    for entity in &ctx.snapshot.entities {
        if entity.owners.iter().any(|owner| owner.store.as_ref() == Some(&it.id)) {
            page.item(Glyph::Owns, Role::Owner, entity.id.as_str(), Role::Text);
            any = true;
        }
        if entity.replicas.iter().any(|replica| replica.store.as_ref() == Some(&it.id)) {
            page.item(Glyph::Copy, Role::Copy, entity.id.as_str(), Role::Text);
            any = true;
        }
    }
    if !any {
        page.text("no entity is declared to be in it", Role::Muted);
    }

    page.heading("TOUCHED BY");
    if it.accessors.is_empty() {
        page.text("only its service, as far as is declared or seen", Role::Muted);
    }
    for accessor in &it.accessors {
        let own = accessor.service == it.service;
        let (glyph, role) = if own { (Glyph::Ok, Role::StateOk) } else { (Glyph::Conflict, Role::Conflict) };
        page.item(glyph, role, &format!("{}: {}", accessor.service, accessor.access), Role::Text);
        page.fact(
            "  known by",
            &format!("{}: {}", signs::evidence(accessor.evidence.kind), accessor.evidence.from),
        );
    }
    if it.accessors.iter().any(|accessor| accessor.service != it.service) {
        page.next(&[format!(
            "a store belongs to one service: let the others ask {} or keep a copy of their own",
            it.service
        )]);
    }
}
