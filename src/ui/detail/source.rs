//! One source: how it fares, what it costs, what it may not read and what would unlock that.

use crate::model::observation::SourceState;
use crate::model::snapshot::{Source, Thing};
use crate::theme::{Glyph, Role};
use crate::ui::widget::{Cell, number};
use crate::ui::{Ctx, signs};

use super::page::Page;

pub(super) fn fill(ctx: &Ctx<'_>, page: &mut Page<'_>, it: &Source) {
    let (look, report) = (page.look(), &it.report);
    let (glyph, role, word) = signs::source(report.state);
    page.cell(
        Cell::glyph(&look, glyph, role)
            .then(format!(" {word} "), role)
            .then(number::elapsed(look.now.age_since(it.since)), Role::Muted),
    );
    if let Some(error) = &report.error {
        page.text(error, Role::Error);
    }
    page.causes(ctx, &Thing::Source(it.id.clone()), "");
    page.fact("kind", &report.kind);
    page.fact("address", &report.address);
    page.fact_or("version", report.server_version.as_deref(), "not told");
    page.fact_or("server", report.server_name.as_deref(), "not told");
    page.fact_or("round trip", report.rtt.map(number::duration).as_deref(), "not measured");
    let clock = report.clock.map(|clock| {
        format!(
            "{} beside ours, give or take {}",
            number::signed_nanos(clock.nanos),
            number::duration(clock.uncertainty)
        )
    });
    page.fact_or("its clock", clock.as_deref(), "not compared");
    let answered = it.answered_at.map(|at| number::ago(look.now.age_since(at)));
    page.fact_or("last answer", answered.as_deref(), "never");

    page.heading("WHAT WATCHING COSTS IT");
    page.measured("requests", &it.requests_per_s, |v| number::rate(*v));
    page.measured("messages", &it.messages_per_s, |v| number::rate(*v));
    page.fact(
        "so far",
        &format!(
            "{} requests, {} messages, {} dropped here; at most {} requests a second",
            number::exact(report.load.requests),
            number::exact(report.load.messages),
            number::exact(report.load.dropped),
            report.load.budget_per_s,
        ),
    );
    if !report.unavailable.is_empty() {
        page.heading("CANNOT BE READ");
    }
    for missing in &report.unavailable {
        page.item(
            Glyph::Unknown,
            Role::StateUnknown,
            &format!("{}: {}", missing.what, missing.why),
            Role::Text,
        );
        if !missing.remedy.is_empty() {
            page.item(Glyph::HeadRight, Role::Key, &missing.remedy, Role::Text);
        }
    }
    if !report.remarks.is_empty() {
        page.heading("REMARKS");
    }
    for remark in &report.remarks {
        page.item(Glyph::Conflict, Role::Conflict, remark, Role::Text);
    }
    page.notes("NOTES", report.notes.iter());
    if report.state == SourceState::Down {
        page.next(&["it is tried again by itself; :reconnect tries now".to_owned()]);
    } else if !report.unavailable.is_empty() {
        page.next(&["headwater doctor prints the permissions that grant what is missing".to_owned()]);
    }
}
