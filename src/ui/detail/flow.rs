//! One flow: who sends, through what, to whom, how fast, how long it takes, and since when it was seen.

use crate::model::id::EntityId;
use crate::model::snapshot::{Flow, FlowKind, Thing};
use crate::theme::{Glyph, Role};
use crate::ui::widget::{Cell, number};
use crate::ui::{Ctx, flows, phrase, signs};

use super::asked;
use super::page::Page;
use super::senders;

pub(super) fn fill(ctx: &Ctx<'_>, page: &mut Page<'_>, it: &Flow) {
    let look = page.look();
    page.cell(flows::about(&look, it, ctx.snapshot));
    page.causes(ctx, &Thing::Flow(it.id.clone()), "");
    let (from, to) = match it.kind {
        FlowKind::Request => ("answered by", "asked by"),
        FlowKind::Event | FlowKind::Feed => ("from", "to"),
    };
    page.fact_cell(from, phrase::services(&look, &it.from, it.from_likely));
    page.fact_cell(to, phrase::services(&look, &it.to, false));
    if let Some(id) = &it.channel {
        page.fact("through", phrase::local(id.as_str(), ctx.snapshot));
    }
    page.fact_or(
        "entity",
        it.entity.as_ref().map(EntityId::as_str),
        "no topology file says what it is about",
    );
    page.fact("declared", if it.declared { "in the topology" } else { "nowhere: seen only" });

    page.heading("TRAFFIC");
    page.measured("rate", &it.rate, |v| number::rate(*v));
    page.measured("bytes", &it.bytes_rate, |v| number::bytes_rate(*v));
    page.measured("errors", &it.errors_rate, |v| number::rate(*v));
    if let (Some(errors), Some(rate)) = (it.errors_rate.bounds.exact(), it.rate.bounds.exact())
        && *rate > 0.0
        && *errors > 0.0
    {
        page.fact("of all", &number::percent(errors / rate));
    }
    let seen = it.last_seen.map(|at| phrase::ago(&look, at));
    page.fact_or("last traffic", seen.as_deref(), "none since watching began");
    if let Some(rate) = it.history.usual() {
        page.fact("usual rate", &number::rate(rate));
    }
    page.delay(it.delay.as_ref(), "nobody measures it here", None);
    if let Some(asked) = &it.asked {
        asked::fill(page, asked);
    }
    // Who asks is told with the requests.
    if let Some(channel) = it.channel.as_ref().and_then(|id| ctx.snapshot.channel(id))
        && it.kind != FlowKind::Request
    {
        let of = format!("on {}", phrase::local(channel.report.id.as_str(), ctx.snapshot));
        senders::fill(page, &of, &channel.senders);
    }
    page.chart(ctx, "RATE", &it.history, number::rate);
    if let Some(consumer) = it.consumer.as_ref().and_then(|id| ctx.snapshot.consumer(id)) {
        page.heading("READ BY THE CONSUMER");
        let (glyph, role) = signs::status(consumer.status);
        page.cell(
            Cell::glyph(&look, glyph, role)
                .then(format!(" {} ", phrase::consumer_name(&consumer.id, ctx.snapshot)), Role::Text)
                .then(signs::status_word(consumer.status), role),
        );
        page.text(&consumer.why, Role::Text);
        page.measured("lag", &consumer.lag, |n| number::exact(*n));
        page.measured("staleness", &consumer.staleness, |d| number::duration(*d));
    }
    page.evidence(&it.evidence);
    if !it.declared && ctx.snapshot.topology.is_some() {
        page.next(&["declare it in the topology, or find out why it flows".to_owned()]);
    }
    if it.to.is_empty() {
        page.item(Glyph::Unknown, Role::StateUnknown, "who receives it is not known", Role::Muted);
    }
}
