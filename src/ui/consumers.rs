//! View 3, Consumers: who reads what, how far behind it is, how stale. What needs a person stands first.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::hit::HitAreas;
use crate::app::list::ListId;
use crate::model::snapshot::{Consumer, ConsumerStatus, Drain, Thing};
use crate::theme::Role;

use super::Ctx;
use super::listing::Listing;
use super::widget::{Cell, Column, Look, number, text};
use super::{phrase, signs};

/// Columns of the sparkline.
const SPARK: u16 = 8;

/// Columns that a name takes at most, in a narrow and a wide terminal. What is longer is cut at its end.
const NAME: u16 = 32;
const WIDE_NAME: u16 = 38;
/// Columns that what is read takes at most, in a narrow, a medium and a wide terminal.
const READS: (u16, u16, u16) = (16, 26, 34);
/// From these widths on a terminal is medium and wide.
const MEDIUM: u16 = 110;
const WIDE: u16 = 150;

/// By importance: a narrow terminal loses the largest priority first. Names come before all else and have the columns that they
/// need; the service mostly repeats them.
fn columns(ctx: &Ctx<'_>, width: u16) -> [Column; 15] {
    let consumers = || ctx.snapshot.consumers.iter().map(|row| &**row);
    let longest = |of: &dyn Fn(&Consumer) -> usize| {
        u16::try_from(consumers().map(of).max().unwrap_or(0)).unwrap_or(u16::MAX)
    };
    let name = longest(&|it| text::width(phrase::consumer_name(&it.id, ctx.snapshot)));
    let name = name.clamp(8, if width < WIDE { NAME } else { WIDE_NAME });
    let reads = longest(&|it| text::width(&subjects(it).unwrap_or_default()));
    let reads = reads.clamp(
        5,
        match width {
            0..MEDIUM => READS.0,
            MEDIUM..WIDE => READS.1,
            WIDE.. => READS.2,
        },
    );
    [
        Column::fixed("state", "", 1, 0),
        Column::text("name", "consumer", name, name, 0),
        Column::text("reads", "reads", reads, reads, 5),
        Column::text("service", "service", 13, 18, 10),
        Column::number("lag", "lag", 7, 0),
        Column::fixed("trend", "trend", SPARK, 8),
        Column::number("inflight", "in flight", 9, 2),
        Column::number("redelivered", "redeliv", 7, 6),
        Column::number("gaveup", "gave up", 7, 3),
        Column::number("stale", "stale", 7, 1),
        Column::number("delay", "delay p95", 9, 7),
        Column::number("acked", "acked", 7, 4),
        Column::number("drain", "drain", 7, 9),
        Column::number("since", "since", 6, 11),
        // Keys with a dash are no fields: nobody sorts by a sentence.
        Column::text("-why", "why", 26, 90, 12),
    ]
}

/// What a consumer reads, in short: `orders.cancelled +2`. `None` when it is not known, empty when it reads everything.
fn subjects(consumer: &Consumer) -> Option<Cow<'_, str>> {
    Some(match consumer.report.as_ref()?.filters.as_slice() {
        [] => Cow::Borrowed(""),
        [one] => Cow::Borrowed(&**one),
        [first, rest @ ..] => Cow::Owned(format!("{first} +{}", rest.len())),
    })
}

/// Draws the view.
pub fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
    Listing {
        list: ListId::Consumers,
        columns: &columns(ctx, area.width),
        find: |snapshot, thing| match thing {
            Thing::Consumer(id) => snapshot.consumer(id).map(|row| &**row),
            _ => None,
        },
        row: &|it| row(ctx, it),
        about: &|it| about(ctx, it),
        folded: None,
    }
    .draw(ctx, buf, area, hits);
}

/// How a consumer fares, since when and why, in one line.
pub fn about(ctx: &Ctx<'_>, consumer: &Consumer) -> Cell {
    let look = &ctx.look_at(&consumer.source);
    let (glyph, role) = signs::status(consumer.status);
    let role = look.aged(role);
    Cell::glyph(look, glyph, role)
        .then(format!(" {} ", phrase::consumer_name(&consumer.id, ctx.snapshot)), Role::Text)
        .then(signs::status_word(consumer.status), role)
        .then(" ", Role::Text)
        .and(phrase::since(look, &consumer.since))
        .then(": ", Role::Muted)
        .then(&*consumer.why, Role::Text)
}

/// The cells of one consumer, one for each column.
pub fn row(ctx: &Ctx<'_>, consumer: &Consumer) -> Vec<Cell> {
    let look = &ctx.look_at(&consumer.source);
    look.aged_row(cells(ctx, look, consumer))
}

fn cells(ctx: &Ctx<'_>, look: &Look<'_>, consumer: &Consumer) -> Vec<Cell> {
    let (glyph, role) = signs::status(consumer.status);
    let (trend, trend_role) = signs::trend(consumer.trend);
    let reads = match subjects(consumer) {
        None => phrase::none(look),
        Some(subjects) if subjects.is_empty() => Cell::styled("everything", Role::Muted),
        Some(subjects) => Cell::text(subjects),
    };
    let lag = if consumer.lag.low().is_some() {
        phrase::count(look, &consumer.lag).then(" ", Role::Text).then(look.glyph(trend), trend_role)
    } else {
        phrase::none(look).then("  ", Role::Text)
    };
    let drain = match consumer.drain.low() {
        Some(Drain::Never) => Role::StateDegraded,
        _ => Role::Text,
    };
    vec![
        Cell::glyph(look, glyph, role),
        Cell::styled(phrase::consumer_name(&consumer.id, ctx.snapshot), name_role(consumer.status)),
        reads,
        phrase::services(look, &consumer.services, consumer.services_likely),
        lag,
        phrase::spark(ctx, &consumer.lag_history, SPARK, trend_role),
        in_flight(look, consumer),
        phrase::count_as(look, &consumer.redelivered, Role::Text),
        phrase::count_as(look, &consumer.gave_up, Role::StateGaveUp),
        phrase::staleness(look, &consumer.staleness),
        phrase::delay(look, consumer.delay.as_ref()),
        phrase::rate(look, &consumer.acked_rate),
        Cell::measured_as(look, &consumer.drain, drain, number::drain),
        phrase::since(look, &consumer.since),
        Cell::styled(
            &*consumer.why,
            if consumer.status == ConsumerStatus::Ok { Role::Muted } else { Role::Text },
        ),
    ]
}

/// Names of what needs a person stand out; the rest is quiet.
fn name_role(status: ConsumerStatus) -> Role {
    match status {
        ConsumerStatus::Stalled | ConsumerStatus::Stopped => signs::status(status).1,
        _ => Role::Text,
    }
}

/// How many are out, and of how many when that is the limit that it stands at.
fn in_flight(look: &Look<'_>, consumer: &Consumer) -> Cell {
    let limit = consumer.report.as_ref().and_then(|report| report.max_in_flight);
    match (consumer.in_flight.bounds.exact(), limit) {
        (Some(out), Some(limit)) if *out > 0 && *out >= limit => {
            let text = format!("{out}/{limit}");
            let text = if text.len() > 9 {
                format!("{}/{}", number::count(*out), number::count(limit))
            } else {
                text
            };
            Cell::measured_as(look, &consumer.in_flight, Role::StateStalled, |_| text.clone())
        }
        _ => phrase::count(look, &consumer.in_flight),
    }
}
