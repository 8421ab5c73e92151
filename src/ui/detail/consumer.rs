//! One consumer: where it stands, what limits it, its delay and lag over time, who reads it, what to do.

use std::time::Duration;

use crate::app::{Action, Layer};
use crate::keymap;
use crate::model::command::ProbeLevel;
use crate::model::id::{EntityId, ServiceId, TeamId};
use crate::model::observation::{AckPolicy, ConsumerReport, Delivery, Position};
use crate::model::snapshot::{Consumer, ConsumerStatus, Drain, Thing};
use crate::theme::{Glyph, Role};
use crate::ui::widget::{Cell, number};
use crate::ui::{Ctx, phrase, signs};

use super::page::Page;

pub(super) fn fill(ctx: &Ctx<'_>, page: &mut Page<'_>, it: &Consumer) {
    let look = page.look();
    let (glyph, role) = signs::status(it.status);
    let role = look.aged(role);
    page.cell(
        Cell::glyph(&look, glyph, role)
            .then(" ", Role::Text)
            .then(signs::status_word(it.status), role)
            .then(" ", Role::Text)
            .and(phrase::since(&look, &it.since)),
    );
    page.text(&it.why, Role::Text);
    page.causes(ctx, &Thing::Consumer(it.id.clone()), &it.why);
    for limit in limits(it) {
        page.item(Glyph::LeadsTo, Role::StateDegraded, &limit, Role::Text);
    }
    stands(ctx, page, it);
    let why_not = if it.acked_rate.low().is_some_and(|rate| *rate <= 0.0) {
        "nothing was acknowledged while watching"
    } else {
        "not measured yet: it takes two polls with an acknowledged message between them"
    };
    page.delay(it.delay.as_ref(), why_not, it.max_delay);
    page.processing(&it.processing);
    visibility(ctx, page, it);
    page.chart(ctx, "LAG", &it.lag_history, messages);
    page.chart(ctx, "STALENESS", &it.staleness_history, seconds);
    readers(ctx, page, it);
    if let Some(report) = &it.report {
        configuration(page, report);
    }
    page.evidence(&it.evidence());
    page.next(&next(ctx, it));
}

/// The curve of delays where each message's is known; else what would give it.
fn visibility(ctx: &Ctx<'_>, page: &mut Page<'_>, it: &Consumer) {
    match &it.acks {
        Some(acks) => page.visibility(ctx, "", acks, it.max_delay),
        None if ctx.snapshot.probe == ProbeLevel::Passive && it.report.is_some() => {
            let key = keymap::key_of(Layer::Main, Action::Probe).unwrap_or_default();
            page.text(
                &format!("{key} listens to acknowledgements: then each message's own delay is known, and their curve"),
                Role::Muted,
            );
        }
        None => {}
    }
}

/// A lag as its history keeps it.
pub(super) fn messages(v: f64) -> String {
    number::count(v.round().max(0.0) as u64)
}

/// A staleness as its history keeps it.
pub(super) fn seconds(v: f64) -> String {
    Duration::try_from_secs_f64(v.max(0.0)).map_or_else(|_| "?".to_owned(), number::duration)
}

fn stands(ctx: &Ctx<'_>, page: &mut Page<'_>, it: &Consumer) {
    let look = page.look();
    page.heading("WHERE IT STANDS");
    let (trend, trend_role) = signs::trend(it.trend);
    page.measured_with(
        "lag",
        &it.lag,
        |n| number::exact(*n),
        Cell::text(" ").then(look.glyph(trend), trend_role).then(" waiting for delivery", Role::Muted),
    );
    let limit = it.report.as_ref().and_then(|report| report.max_in_flight);
    let limit = limit.map_or_else(
        || " delivered, not acknowledged".to_owned(),
        |max| format!(" of at most {} delivered, not acknowledged", number::exact(max)),
    );
    page.measured_with("in flight", &it.in_flight, |n| number::exact(*n), Cell::styled(limit, Role::Muted));
    page.measured("staleness", &it.staleness, |d| number::duration(*d));
    page.measured("redelivered", &it.redelivered, |n| number::exact(*n));
    page.measured_with(
        "gave up",
        &it.gave_up,
        |n| number::exact(*n),
        Cell::styled(
            if it.gave_up.low().is_some_and(|n| *n > 0) { " lost to this consumer" } else { "" },
            Role::StateGaveUp,
        ),
    );
    page.measured("delivered", &it.delivered_rate, |v| number::rate(*v));
    page.measured("acked", &it.acked_rate, |v| number::rate(*v));
    page.measured_with(
        "drain",
        &it.drain,
        number::drain,
        Cell::styled(
            if it.drain.low() == Some(&Drain::Never) { ": it does not shrink" } else { "" },
            Role::Muted,
        ),
    );
    if let Some(report) = &it.report {
        let position = |position: &Position| {
            if position.channel_seq == 0 {
                // The broker's time of a position that has not moved is that of something else.
                return "nothing yet".to_owned();
            }
            let moved = position.last_active.map(|at| phrase::ago(&look, at));
            let moved = moved.map_or_else(String::new, |age| format!(" moved {age}"));
            format!("#{}{moved}", number::exact(position.channel_seq))
        };
        page.fact_or(
            "delivered to",
            report.delivered.as_ref().map(position).as_deref(),
            "the broker does not tell",
        );
        page.fact_or(
            "processed to",
            report.floor.as_ref().map(position).as_deref(),
            "the broker does not tell",
        );
    }
    if let Some(channel) = ctx.snapshot.channel(&it.channel) {
        let last =
            channel.report.last_seq.map(|seq| format!("#{} in {}", number::exact(seq), channel.report.name));
        page.fact_or("last message", last.as_deref(), "the broker does not number its messages");
    }
}

/// What keeps it from advancing, in words.
fn limits(it: &Consumer) -> Vec<String> {
    let Some(report) = &it.report else { return Vec::new() };
    let mut out = Vec::new();
    let waiting = it.lag.low().is_some_and(|n| *n > 0);
    let out_now = it.in_flight.low().copied().unwrap_or(0);
    if let Some(max) = report.max_in_flight
        && max > 0
        && out_now >= max
    {
        out.push(format!(
            "in flight is at its maximum of {}: the service does not acknowledge, and the broker sends no more until it does",
            number::exact(max)
        ));
    } else if waiting
        && out_now == 0
        && matches!(it.status, ConsumerStatus::Stalled | ConsumerStatus::Stopped)
        && report.delivery == Delivery::Pull
        && report.waiting_pulls == Some(0)
    {
        out.push("messages wait and no pull does: nobody asks for them now".to_owned());
    }
    if let Delivery::Push { subject, bound: Some(false), .. } = &report.delivery {
        out.push(format!("nobody listens on its deliver subject {subject}"));
    }
    if let Some(left) = report.paused {
        out.push(format!("paused by its configuration for {} more", number::duration(left)));
    }
    out
}

fn readers(ctx: &Ctx<'_>, page: &mut Page<'_>, it: &Consumer) {
    page.heading("WHO READS IT");
    let look = page.look();
    page.fact_cell("service", phrase::services(&look, &it.services, it.services_likely));
    for service in it.services.iter().filter_map(|id| ctx.snapshot.service(id)) {
        let team = service.team.as_ref().map(TeamId::as_str);
        page.fact_or("team", team, "no topology file names it");
    }
    if let Some(report) = &it.report {
        match &report.delivery {
            Delivery::Pull => {
                let pulls = report.waiting_pulls.map(|n| format!("by pull, {n} waiting"));
                page.fact("delivery", pulls.as_deref().unwrap_or("by pull"));
            }
            Delivery::Push { subject, queue, bound } => {
                let group = queue.as_ref().map_or_else(String::new, |queue| format!(" in group {queue}"));
                let heard = match bound {
                    Some(true) => ", somebody listens",
                    Some(false) => ", nobody listens",
                    None => "",
                };
                page.fact("delivery", &format!("pushed to {subject}{group}{heard}"));
            }
        }
        if !report.members.is_empty() {
            let word = if report.delivery == Delivery::Pull { "pulled by" } else { "members" };
            page.fact(word, &report.members.join(", "));
        }
    }
    if !it.feeds.is_empty() {
        let entities: Vec<_> = it.feeds.iter().map(EntityId::as_str).collect();
        page.fact("feeds copies", &entities.join(", "));
    }
}

fn configuration(page: &mut Page<'_>, report: &ConsumerReport) {
    page.heading("CONFIGURATION");
    let filters =
        if report.filters.is_empty() { "every subject".to_owned() } else { report.filters.join(", ") };
    page.fact("reads", &filters);
    page.fact("kind", if report.durable { "durable" } else { "ephemeral: it goes with its reader" });
    page.fact(
        "acknowledges",
        match report.ack {
            AckPolicy::Explicit => "each message",
            AckPolicy::All => "all up to a message",
            AckPolicy::None => "nothing: delivered counts as processed",
        },
    );
    if let Some(wait) = report.ack_wait {
        page.fact("ack wait", &format!("{}, then it is delivered again", number::duration(wait)));
    }
    page.fact(
        "deliveries",
        &report
            .max_deliver
            .map_or_else(|| "without limit".to_owned(), |n| format!("at most {n}, then given up")),
    );
    if let Some(share) = report.sampling {
        page.fact("sampling", &format!("{share} % of its acknowledgements"));
    }
    if let Some(leader) = &report.leader {
        page.fact("leader", leader);
    }
    if let Some(text) = &report.description {
        page.fact("description", text);
    }
    page.notes("METADATA", report.metadata.iter());
}

fn next(ctx: &Ctx<'_>, it: &Consumer) -> Vec<String> {
    let who = it.services.first().map_or("its service", ServiceId::as_str);
    let moved = it.report.as_ref().and_then(|report| report.floor).and_then(|floor| floor.last_active);
    let since = moved.map_or_else(String::new, |at| format!(" from {} on", ctx.clock(at)));
    let nats = ctx.snapshot.source(&it.source).is_some_and(|source| &*source.report.kind == "nats");
    let stream = ctx.snapshot.channel(&it.channel).map_or("", |channel| &channel.report.name);
    let mut steps = Vec::new();
    match it.status {
        ConsumerStatus::Stalled => {
            steps.push(format!("read the log of {who}{since}: it got messages and acknowledged none"));
            steps.push("look at what it waits for: its store, and the services it calls".to_owned());
        }
        ConsumerStatus::Stopped => steps.push(format!("see whether {who} runs: nobody reads here any more")),
        ConsumerStatus::GaveUp => {
            steps
                .push(format!("find out why {who} refuses these messages, mend it, then publish them again"));
            if nats {
                steps.push(format!(
                    "their sequence numbers are told on $JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.{stream}.{}",
                    it.name
                ));
            }
        }
        ConsumerStatus::Slow => steps.push(format!("give {who} more instances, or find what makes it slow")),
        ConsumerStatus::Rewound => {
            steps.push("ask who set it back: messages are processed a second time".to_owned());
        }
        ConsumerStatus::Paused => {
            steps.push("it goes on by itself, or when its configuration is changed".to_owned());
        }
        ConsumerStatus::Unknown => {
            steps.push("headwater doctor tells which permission would show it".to_owned());
        }
        ConsumerStatus::Ok => {}
    }
    if nats && !steps.is_empty() && it.status != ConsumerStatus::Unknown {
        steps.push(format!("nats consumer info {stream} {}", it.name));
    }
    steps
}
