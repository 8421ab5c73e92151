//! View 3, Consumers: who reads what, how far behind it is, how stale. What needs a person stands first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::hit::HitAreas;
use crate::app::list::ListId;
use crate::model::snapshot::{Consumer, ConsumerStatus, Drain, Thing};
use crate::theme::Role;

use super::Ctx;
use super::listing::Listing;
use super::widget::{Cell, Column, Look, number};
use super::{phrase, signs};

/// Columns of the sparkline.
const SPARK: u16 = 10;

/// From this width on names are shown whole before further columns come.
const WIDE: u16 = 110;

const VERY_WIDE: u16 = 190;

const NARROW_COLUMNS: &[Column] = &columns(21, 12);
const WIDE_COLUMNS: &[Column] = &columns(30, 16);
const VERY_WIDE_COLUMNS: &[Column] = &columns(30, 21);

/// By importance: a narrow terminal loses the largest priority first.
const fn columns(name: u16, reads: u16) -> [Column; 15] {
    [
        Column::fixed("state", "", 1, 0),
        Column::text("name", "consumer", name, 38, 0),
        Column::text("reads", "reads", reads, 30, 9),
        Column::text("service", "service", 13, 18, 4),
        Column::number("lag", "lag", 7, 0),
        Column::fixed("trend", "trend", SPARK, 6),
        Column::number("inflight", "in flight", 9, 2),
        Column::number("redelivered", "redeliv", 7, 10),
        Column::number("gaveup", "gave up", 7, 3),
        Column::number("stale", "stale", 7, 1),
        Column::number("delay", "delay p95", 9, 8),
        Column::number("acked", "acked", 7, 5),
        Column::number("drain", "drain", 7, 7),
        Column::number("since", "since", 6, 11),
        // Keys with a dash are no fields: nobody sorts by a sentence.
        Column::text("-why", "why", 28, 90, 12),
    ]
}

/// Draws the view.
pub fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
    let look = &ctx.look();
    Listing {
        list: ListId::Consumers,
        columns: match area.width {
            0..WIDE => NARROW_COLUMNS,
            WIDE..VERY_WIDE => WIDE_COLUMNS,
            VERY_WIDE.. => VERY_WIDE_COLUMNS,
        },
        find: |snapshot, thing| match thing {
            Thing::Consumer(id) => snapshot.consumer(id).map(|row| &**row),
            _ => None,
        },
        row: &|it| row(ctx, look, it),
        about: &|it| about(ctx, look, it),
        folded: None,
    }
    .draw(ctx, buf, area, hits);
}

/// How a consumer fares, since when and why, in one line.
pub fn about(ctx: &Ctx<'_>, look: &Look<'_>, consumer: &Consumer) -> Cell {
    let (glyph, role) = signs::status(consumer.status);
    Cell::glyph(look, glyph, role)
        .then(format!(" {} ", phrase::consumer_name(&consumer.id, ctx.snapshot)), Role::Text)
        .then(signs::status_word(consumer.status), role)
        .then(" ", Role::Text)
        .and(phrase::since(look, &consumer.since))
        .then(": ", Role::Muted)
        .then(&*consumer.why, Role::Text)
}

/// The cells of one consumer, one for each column.
pub fn row(ctx: &Ctx<'_>, look: &Look<'_>, consumer: &Consumer) -> Vec<Cell> {
    let (glyph, role) = signs::status(consumer.status);
    let (trend, trend_role) = signs::trend(consumer.trend);
    let filters = consumer.report.as_ref().map_or(&[][..], |report| &report.filters);
    let reads = if filters.is_empty() {
        consumer
            .report
            .as_ref()
            .map_or_else(|| phrase::none(look), |_| Cell::styled("everything", Role::Muted))
    } else {
        Cell::text(filters.join(" ")).keep_ends()
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
        Cell::styled(phrase::consumer_name(&consumer.id, ctx.snapshot), name_role(consumer.status))
            .keep_ends(),
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
