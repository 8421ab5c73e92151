//! Phrases that several views say: names with their likelihood, since when, how long a message takes.

use std::borrow::Cow;
use std::time::Duration;

use crate::model::id::{ConsumerId, ServiceId};
use crate::model::measured::Measured;
use crate::model::series::History;
use crate::model::snapshot::{Channel, Delay, DelayMethod, Flow, Since, Snapshot};
use crate::model::time::{Timestamp, nanos};
use crate::theme::{Glyph, Role};

use super::Ctx;
use super::widget::spark::{Scale, calm_top, held, sparkline, sparklines};
use super::widget::{Cell, Look, number};

/// Names of services, with `~` when they are a conclusion, and the sign of the unknown when there are none.
pub fn services(look: &Look<'_>, ids: &[ServiceId], likely: bool) -> Cell {
    if ids.is_empty() {
        return none(look);
    }
    let names = ids.iter().map(ServiceId::as_str).collect::<Vec<_>>().join(", ");
    if likely {
        Cell::styled(look.glyph(Glyph::About), Role::Estimate).then(names, Role::Text)
    } else {
        Cell::text(names)
    }
}

/// Names of the services that a flow goes to. One that is no more than a name that a consumer bears is a conclusion: the
/// services do not count it either.
pub fn receivers(look: &Look<'_>, ids: &[ServiceId], snapshot: &Snapshot) -> Cell {
    if ids.is_empty() {
        return none(look);
    }
    let mut cell = Cell::empty();
    for (at, id) in ids.iter().enumerate() {
        if at > 0 {
            cell = cell.then(", ", Role::Text);
        }
        if snapshot.service(id).is_some_and(|service| service.only_named) {
            cell = cell.then(look.glyph(Glyph::About), Role::Estimate).then(id.as_str(), Role::Muted);
        } else {
            cell = cell.then(id.as_str(), Role::Text);
        }
    }
    cell
}

/// What is not known.
pub fn none(look: &Look<'_>) -> Cell {
    Cell::glyph(look, Glyph::NoValue, Role::Muted)
}

/// How long something has been so; `≥` when it was so before watching began. It stands still once nobody tells any more.
pub fn since(look: &Look<'_>, since: &Since) -> Cell {
    let text = number::elapsed(look.told().age_since(since.at));
    if since.or_earlier {
        Cell::number(format!("{}{text}", look.glyph(Glyph::AtLeast)), Role::Muted)
    } else {
        Cell::number(text, Role::Muted)
    }
}

/// How long ago something came: once its source is lost, how long before that, since what came afterwards is not known.
pub fn ago(look: &Look<'_>, at: Timestamp) -> String {
    let ago = number::ago(look.told().age_since(at));
    if look.lost.is_none() {
        return ago;
    }
    let before = ago.strip_suffix(" ago").unwrap_or("just");
    format!("{before} before the connection was lost")
}

/// The 95th percentile of a delay, or the mean where only that is told; `~` unless each message was measured,
/// `≤` when it is little more than the time between two polls (rounded up: the detail pane has the figure).
pub fn delay(look: &Look<'_>, delay: Option<&Delay>) -> Cell {
    let Some(delay) = delay else { return none(look) };
    let [p50, p95, ..] = delay.figures();
    let (Some(figure), error) = (if p95.0.is_some() { p95 } else { p50 }) else { return none(look) };
    if let Some(most) = delay_at_most(delay.method, figure, error) {
        let step = number::upper_step(Duration::from_nanos(most.unsigned_abs()));
        return Cell::number(number::at_most(look.glyphs, &number::duration(step)), Role::Estimate);
    }
    let text = number::signed_nanos(figure);
    match delay.method {
        DelayMethod::Exact => Cell::number(text, Role::Text),
        DelayMethod::Interval | DelayMethod::Mean => {
            Cell::number(number::prefixed(look.glyph(Glyph::About), &text), Role::Estimate)
        }
    }
}

/// The upper end of a figure that tells little more than how often we looked: one between two polls whose uncertainty is
/// half of it or more. As an estimate it would say half a second of a consumer that takes a millisecond.
pub fn delay_at_most(method: DelayMethod, figure: i64, error: Option<Duration>) -> Option<i64> {
    let error = nanos(error?);
    let blurred = method == DelayMethod::Interval && (0..=error.saturating_mul(2)).contains(&figure);
    (blurred && error > 0).then(|| figure.saturating_add(error))
}

/// A delay's figures and how they came about, on one line.
pub fn delay_words(look: &Look<'_>, delay: &Delay) -> String {
    let figure = |ns: i64, error: Option<Duration>| match delay_at_most(delay.method, ns, error) {
        Some(most) => number::at_most(look.glyphs, &number::signed_nanos(most)),
        None => number::signed_nanos(ns),
    };
    let figures: Vec<String> = match delay.method {
        DelayMethod::Mean => delay.p50.map(|ns| format!("mean {}", figure(ns, None))).into_iter().collect(),
        DelayMethod::Exact | DelayMethod::Interval => ["p50", "p95", "p99"]
            .into_iter()
            .zip(delay.figures())
            .filter_map(|(name, (value, error))| Some(format!("{name} {}", figure(value?, error))))
            .collect(),
    };
    format!("{}, {}", figures.join("  "), method_words(delay.method))
}

/// How a delay's figures came about, in words.
pub const fn method_words(method: DelayMethod) -> &'static str {
    match method {
        DelayMethod::Exact => "from each message's own instants",
        DelayMethod::Interval => "between two polls",
        DelayMethod::Mean => "mean, as the service tells it",
    }
}

pub fn rate(look: &Look<'_>, value: &Measured<f64>) -> Cell {
    Cell::measured(look, value, |v| number::rate(*v))
}

pub fn bytes_rate(look: &Look<'_>, value: &Measured<f64>) -> Cell {
    Cell::measured(look, value, |v| number::bytes_rate(*v))
}

/// Errors per second.
pub fn errors(look: &Look<'_>, value: &Measured<f64>) -> Cell {
    let role = if value.low().is_some_and(|v| *v > 0.0) { Role::Error } else { Role::Text };
    Cell::measured_as(look, value, role, |v| number::rate(*v))
}

pub fn count(look: &Look<'_>, value: &Measured<u64>) -> Cell {
    Cell::measured(look, value, |n| number::count(*n))
}

/// A count that speaks up in a role above zero.
pub fn count_as(look: &Look<'_>, value: &Measured<u64>, role: Role) -> Cell {
    let role = if value.low().is_some_and(|n| *n > 0) { role } else { Role::Text };
    Cell::measured_as(look, value, role, |n| number::count(*n))
}

pub fn staleness(look: &Look<'_>, value: &Measured<Duration>) -> Cell {
    Cell::measured(look, value, |d| number::duration(*d))
}

/// A staleness beside its limit: past it, it is marked by a sign and a role.
pub fn staleness_within(look: &Look<'_>, value: &Measured<Duration>, max: Option<Duration>) -> Cell {
    match over(value, max) {
        Some(true) => Cell::measured_as(look, value, Role::StateDegraded, |d| number::duration(*d)),
        _ => staleness(look, value),
    }
}

/// Whether a value is surely past its limit; `None` when it has none or is unknown.
pub fn over(value: &Measured<Duration>, max: Option<Duration>) -> Option<bool> {
    Some(*value.low()? > max?)
}

/// The shape of a history in a few columns: all that was watched, later ten seconds each.
pub fn spark(ctx: &Ctx<'_>, history: &History, columns: u16, role: Role) -> Cell {
    const LATER: usize = 10;
    let wide = usize::from(columns);
    let second = usize::try_from(ctx.snapshot.watched.as_secs()).unwrap_or(usize::MAX);
    let group = second.saturating_add(1).div_ceil(wide.max(1));
    if group >= LATER {
        return line_of(ctx, &held(&history.last(LATER as u64, wide, ctx.mono())), columns, role);
    }
    let values = seconds(ctx, history, group * wide, group);
    // What was seen for a shorter time has columns of the same width.
    let mut all = vec![f32::NAN; (group * wide).saturating_sub(values.len())];
    all.extend(values);
    line_of(ctx, &all, columns, role)
}

/// The last minute of a history in at most sixty columns and so many rows, from the top. `least` is what full height means
/// at least.
pub fn minute(ctx: &Ctx<'_>, history: &History, columns: u16, rows: u16, least: f32) -> Vec<Cell> {
    const MINUTE: usize = 60;
    let columns = columns.min(MINUTE as u16);
    let group = MINUTE.div_ceil(usize::from(columns.max(1)));
    let known = seconds(ctx, history, MINUTE, group);
    // What was watched for a shorter time is the right end of a minute: the axis stands still.
    let mut values = vec![f32::NAN; MINUTE.saturating_sub(known.len())];
    values.extend(known);
    let scale = Scale::ZeroTo(calm_top(&values).max(least));
    let rows = sparklines(ctx.glyphs, &values, usize::from(columns), usize::from(rows), scale);
    rows.iter().map(|row| Cell::styled(row, Role::Chart)).collect()
}

/// The last `n` seconds of a history. What shares a column, `group` of them, is cut at whole multiples of the clock, so that
/// a column keeps its values while time goes on.
fn seconds(ctx: &Ctx<'_>, history: &History, n: usize, group: usize) -> Vec<f32> {
    let second = usize::try_from(ctx.snapshot.watched.as_secs()).unwrap_or(0);
    // The newest column is filled up with seconds that are still to come.
    let to_come = group.saturating_sub(1 + second % group.max(1));
    let mut values = held(&history.last(1, n.saturating_sub(to_come), ctx.mono()));
    if !values.is_empty() {
        values.extend(std::iter::repeat_n(f32::NAN, to_come));
    }
    values
}

/// Values as a sparkline from zero, whose top is [`calm_top`].
fn line_of(ctx: &Ctx<'_>, values: &[f32], columns: u16, role: Role) -> Cell {
    let top = calm_top(values);
    Cell::styled(sparkline(ctx.glyphs, values, usize::from(columns), Scale::ZeroTo(top)), role)
}

/// A consumer as people call it: `ORDERS/billing`, with its source before it only when there are several brokers.
pub fn consumer_name<'a>(id: &'a ConsumerId, snapshot: &Snapshot) -> &'a str {
    local(id.as_str(), snapshot)
}

/// A channel as people call it.
pub fn channel_name(channel: &Channel) -> &str {
    &channel.report.name
}

/// A flow as people call it, with its source like a consumer.
pub fn flow_name<'a>(flow: &'a Flow, snapshot: &Snapshot) -> Cow<'a, str> {
    snapshot.naming().flow(flow)
}

/// An id without its source, when there is only one broker that it could be on.
pub fn local<'a>(id: &'a str, snapshot: &Snapshot) -> &'a str {
    snapshot.naming().local(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theme::{Glyphs, Theme};

    const MS: i64 = 1_000_000;

    fn shown(p95: i64, error: u64, method: DelayMethod) -> String {
        let theme = Theme::mono();
        let look = Look { theme: &theme, glyphs: Glyphs::Unicode, now: Timestamp(0), lost: None };
        let error = Some(Duration::from_millis(error));
        let p95 = Some(p95 * MS);
        delay(
            &look,
            Some(&Delay {
                p50: None,
                p95,
                p99: None,
                max: None,
                count: 9,
                method,
                error,
                errors: None,
                negative: 0,
                left_out: false,
            }),
        )
        .plain()
    }

    #[test]
    fn what_came_after_a_loss_is_not_known() {
        let theme = Theme::mono();
        let at = |s: i64| Timestamp::from_millis(s * 1_000);
        let live = Look { theme: &theme, glyphs: Glyphs::Unicode, now: at(100), lost: None };
        assert_eq!((ago(&live, at(80)), live.is_quiet_since(at(80))), ("20 s ago".into(), true));
        let lost = Look { lost: Some(at(83)), ..live };
        assert_eq!(ago(&lost, at(80)), "3 s before the connection was lost");
        assert_eq!(ago(&lost, at(83)), "just before the connection was lost");
        assert!(!lost.is_quiet_since(at(80)) && lost.is_quiet_since(at(60)));
    }

    #[test]
    fn the_time_between_two_polls_is_no_estimate_of_a_delay() {
        assert_eq!(shown(526, 526, DelayMethod::Interval), "≤1.2 s");
        assert_eq!(shown(1_000, 500, DelayMethod::Interval), "≤1.5 s");
        assert_eq!(shown(1_001, 500, DelayMethod::Interval), "~1.0 s");
        assert_eq!(shown(526, 0, DelayMethod::Interval), "~526 ms");
        assert_eq!(shown(-20, 500, DelayMethod::Interval), "~-20 ms", "clocks disagree: shown, not bounded");
        assert_eq!(shown(2, 1, DelayMethod::Exact), "2 ms");
        assert_eq!(shown(2, 1, DelayMethod::Mean), "~2 ms");
    }
}
