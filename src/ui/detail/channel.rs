//! One channel: what it takes in, what feeds it, who reads it, how it keeps messages.

use crate::model::observation::ChannelKind;
use crate::model::snapshot::{Channel, Thing};
use crate::theme::{Glyph, Role};
use crate::ui::widget::{Cell, number};
use crate::ui::{Ctx, phrase, signs};

use super::page::Page;
use super::senders;

pub(super) fn fill(ctx: &Ctx<'_>, page: &mut Page<'_>, it: &Channel) {
    let (look, report) = (page.look(), &it.report);
    let kind = match report.kind {
        ChannelKind::Stream => "stream",
        ChannelKind::KeyValue => "key-value bucket",
        ChannelKind::ObjectStore => "object bucket",
        ChannelKind::Subject => "subject: it keeps nothing",
        ChannelKind::Topic => "topic",
        ChannelKind::Exchange => "exchange",
        ChannelKind::Queue => "queue",
    };
    page.fact("kind", kind);
    page.causes(ctx, &Thing::Channel(report.id.clone()), "");
    if let Some(text) = &report.description {
        page.fact("description", text);
    }
    if !report.subjects.is_empty() {
        page.fact("takes in", &report.subjects.join(", "));
    }
    page.fact_cell("sent by", phrase::services(&look, &it.producers.services, it.producers.likely));
    for feed in &report.fed_by {
        let lag =
            feed.lag.map_or_else(String::new, |lag| format!(", {} not yet taken over", number::exact(lag)));
        page.fact(
            "fed by",
            &format!("{} ({}){lag}", phrase::local(feed.channel.as_str(), ctx.snapshot), feed.how),
        );
    }

    page.heading("TRAFFIC");
    page.measured("rate", &it.rate, |v| number::rate(*v));
    page.measured("bytes", &it.bytes_rate, |v| number::bytes_rate(*v));
    let kept = matches!(report.kind, ChannelKind::Subject | ChannelKind::Exchange);
    if !kept {
        let exact = |n: Option<u64>| n.map(number::exact);
        page.fact_or("messages", exact(report.messages).as_deref(), "the broker does not tell");
        page.fact_or(
            "size",
            report.bytes.map(|n| number::bytes(n as f64)).as_deref(),
            "the broker does not tell",
        );
        let numbers = report.first_seq.zip(report.last_seq);
        let numbers =
            numbers.map(|(first, last)| format!("#{} to #{}", number::exact(first), number::exact(last)));
        page.fact_or("numbers", numbers.as_deref(), "the broker does not number its messages");
    }
    let last = report.last_at.map(|at| phrase::ago(&look, at));
    page.fact_or("last message", last.as_deref(), "none seen");
    if let Some(rate) = it.history.usual() {
        page.fact("usual rate", &number::rate(rate));
    }
    page.chart(ctx, "RATE", &it.history, number::rate);

    senders::fill(page, "", &it.senders);

    page.heading("CONSUMERS");
    let mut any = false;
    for consumer in ctx.snapshot.consumers.iter().filter(|consumer| consumer.channel == report.id) {
        any = true;
        let (glyph, role) = signs::status(consumer.status);
        page.cell(
            Cell::glyph(&look, glyph, role)
                .then(format!(" {}  lag ", consumer.name), Role::Text)
                .and(phrase::count(&look, &consumer.lag))
                .then("  stale ", Role::Text)
                .and(phrase::staleness(&look, &consumer.staleness)),
        );
    }
    if !any {
        page.text("nobody whose position the broker keeps", Role::Muted);
    }

    page.heading("KEEPING");
    if !report.retention.policy.is_empty() {
        page.fact("policy", &report.retention.policy);
    }
    let retention = &report.retention;
    page.fact(
        "at most",
        &limits(retention.max_age.map(number::duration), retention.max_messages, retention.max_bytes),
    );
    if let Some(copies) = report.replicas {
        page.fact("copies", &copies.to_string());
    }
    if let Some(leader) = &report.leader {
        page.fact("leader", leader);
    }
    if let Some(at) = report.created_at {
        page.fact("created", &ctx.date_time(at));
    }
    page.notes("METADATA", report.metadata.iter());
    let known = std::iter::once(&it.evidence).chain(&it.producers.evidence);
    page.evidence(&known.cloned().collect::<Vec<_>>());
    if it.producers.services.is_empty() {
        page.item(Glyph::Unknown, Role::StateUnknown, "who sends to it is not known", Role::Muted);
    }
}

fn limits(age: Option<String>, messages: Option<u64>, bytes: Option<u64>) -> String {
    let parts: Vec<String> = [
        age,
        messages.map(|n| format!("{} messages", number::exact(n))),
        bytes.map(|n| number::bytes(n as f64)),
    ]
    .into_iter()
    .flatten()
    .collect();
    if parts.is_empty() { "without limit".to_owned() } else { parts.join(", ") }
}
