//! Where a lag is going, and when it will be gone.

use std::time::Duration;

use super::progress::Sample;
use super::rates::elapsed;
use super::words;
use crate::model::id::Name;
use crate::model::measured::Bounds;
use crate::model::snapshot::{Drain, Trend};

/// A change of at least this share of the mean lag begins a trend; one of half of it ends it. The gap keeps the arrow still.
const BEGINS: f64 = 0.10;
/// A change of fewer messages than this is none.
const NOISE: f64 = 2.0;
/// However small beside a large lag, a change that nearly every later sample confirms is a trend too: Kendall's τ against time
/// (the Mann–Kendall test) of at least this, over so many samples, which chance gives less than once in a hundred times.
const STEADY_CHANGE: f64 = 0.7;
const CONFIRMED_BY: usize = 7;

/// So many steps in a row that all go one way are a turn, whatever came before them.
const TURN: usize = 4;

/// The samples since the lag last changed its direction, when they are enough to tell: oldest first, the turning point among them.
fn since_turn(samples: &[Sample]) -> Option<(Trend, &[Sample])> {
    let goes = |rises: bool| {
        let steps = samples.iter().zip(samples.iter().skip(1)).rev();
        let one_way = |(a, b): &(&Sample, &Sample)| match (a.lag, b.lag) {
            (Some(a), Some(b)) => a != b && (b > a) == rises,
            _ => false,
        };
        let steps = steps.take_while(one_way).count();
        let run = samples.get(samples.len().saturating_sub(steps + 1)..)?;
        let (first, last) = (run.first()?.lag? as f64, run.last()?.lag? as f64);
        let by = if rises { last - first } else { first - last };
        let trend = if rises { Trend::Growing } else { Trend::Draining };
        (steps >= TURN && by >= NOISE.max(f64::midpoint(first, last) * BEGINS)).then_some((trend, run))
    };
    goes(true).or_else(|| goes(false))
}

/// The trend of the lag over the samples, oldest first: where it has gone since it turned; else the mean of their last third against
/// that of the first.
pub(super) fn trend(samples: &[Sample], before: Trend) -> Trend {
    if let Some((trend, _)) = since_turn(samples) {
        return trend;
    }
    let lags = samples.iter().filter_map(|s| s.lag).map(|lag| lag as f64);
    let known = lags.clone().count();
    if known < 3 {
        return before;
    }
    let third = known / 3;
    let first = lags.clone().take(third).sum::<f64>() / third as f64;
    let last = lags.clone().skip(known - third).sum::<f64>() / third as f64;
    let change = last - first;
    let scale = (lags.clone().sum::<f64>() / known as f64 * BEGINS).max(NOISE);
    let order = if known < CONFIRMED_BY { 0.0 } else { tau(lags) };
    let goes = |trend: Trend, sign: f64| {
        let ease = if before == trend { 2.0 } else { 1.0 };
        let (by, order) = (change * sign, order * sign);
        by >= scale / ease || (by >= NOISE / ease && order >= STEADY_CHANGE / ease)
    };
    if goes(Trend::Growing, 1.0) {
        Trend::Growing
    } else if goes(Trend::Draining, -1.0) {
        Trend::Draining
    } else {
        Trend::Steady
    }
}

/// Kendall's τ of values against their order: pairs that rise less pairs that fall, of all pairs.
fn tau(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let (mut sum, mut pairs) = (0.0, 0.0);
    let mut later = values.clone();
    for value in values {
        later.next();
        for next in later.clone() {
            pairs += 1.0;
            sum += if next > value {
                1.0
            } else if next < value {
                -1.0
            } else {
                0.0
            };
        }
    }
    if pairs > 0.0 { sum / pairs } else { 0.0 }
}

/// When the backlog (pending and in flight) will be gone.
///
/// Its decrease over the samples (since the lag turned, if it did), per second, *is* processed rate − incoming rate. A backlog whose
/// lag grows or that does not decrease never drains — unless nothing was pending at some poll in the window: then it comes and
/// goes, and each message is gone after backlog ÷ processed rate. Told with the formula that it was worked out by.
pub(super) fn drain(samples: &[Sample], trend: Trend, processed_rate: Option<f64>) -> (Bounds<Drain>, Name) {
    let by_decrease = |bounds| (bounds, words::BY_DRAIN.clone());
    let unknown = |why: &Name| by_decrease(Bounds::Unknown(why.clone()));
    let Some(last) = samples.last() else { return unknown(&words::TOO_SHORT) };
    let Some(backlog) = last.backlog() else { return unknown(&words::NOT_REPORTED) };
    if backlog == 0 {
        return (Bounds::Exact(Drain::Empty), words::BY_NOTHING_WAITS.clone());
    }
    let mut known = samples.iter().filter_map(|s| Some((s, s.backlog()?)));
    let Some((first, most)) = known.clone().next() else {
        return unknown(&words::TOO_SHORT);
    };
    let span = elapsed(&first.at, &last.at, true);
    if known.clone().count() < 3 || span < Duration::from_secs(4) {
        return unknown(&words::TOO_SHORT);
    }
    let after = |rate: f64| {
        let seconds = backlog as f64 / rate;
        Bounds::About {
            value: Drain::In(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)),
            within: None,
        }
    };
    if trend == Trend::Growing {
        return by_decrease(Bounds::Exact(Drain::Never));
    }
    if known.any(|(s, _)| s.lag == Some(0)) {
        let bounds = match processed_rate {
            Some(rate) if rate > 0.0 => after(rate),
            Some(_) => Bounds::Exact(Drain::Never),
            None => Bounds::Unknown(words::TOO_SHORT.clone()),
        };
        return (bounds, words::BY_DRAIN_AS_PROCESSED.clone());
    }
    let (most, span) = match since_turn(samples) {
        Some((_, [first, ..])) => (first.backlog().unwrap_or(most), elapsed(&first.at, &last.at, true)),
        _ => (most, span),
    };
    let shrinks = (most as f64 - backlog as f64) / span.as_secs_f64();
    by_decrease(if shrinks > 0.0 { after(shrinks) } else { Bounds::Exact(Drain::Never) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::progress::tests::poll;

    fn lags(values: &[u64]) -> Vec<Sample> {
        values.iter().enumerate().map(|(s, lag)| poll(s as u64, 0, 0, 0, *lag, 0)).collect()
    }

    fn drain(samples: &[Sample], trend: Trend, processed_rate: Option<f64>) -> Bounds<Drain> {
        super::drain(samples, trend, processed_rate).0
    }

    #[test]
    fn the_formula_told_is_the_one_used() {
        let by = |lags_at: &[u64], rate| super::drain(&lags(lags_at), Trend::Steady, rate).1;
        assert_eq!(&*by(&[100, 90, 80, 70, 60], Some(3.0)), "backlog ÷ its decrease per second");
        assert_eq!(&*by(&[2, 0, 4, 1, 4], Some(8.0)), "backlog ÷ messages processed per second");
        assert_eq!(&*by(&[4, 3, 2, 1, 0], Some(8.0)), "nothing pending, nothing in flight");
    }

    #[test]
    fn a_lag_that_grows_or_shrinks_has_a_trend() {
        assert_eq!(trend(&lags(&[10, 20, 30, 40, 50, 60]), Trend::Steady), Trend::Growing);
        assert_eq!(trend(&lags(&[60, 50, 40, 30, 20, 10]), Trend::Steady), Trend::Draining);
        assert_eq!(trend(&lags(&[3, 0, 2, 1, 3, 0]), Trend::Steady), Trend::Steady);
    }

    #[test]
    fn a_large_lag_that_grows_by_little_but_always_grows() {
        let grown: Vec<u64> = (0..10).map(|s| 53_000 + s * 25).collect();
        assert_eq!(trend(&lags(&grown), Trend::Steady), Trend::Growing);
        let drained: Vec<u64> = (0..10).map(|s| 53_000 - s * 25).collect();
        assert_eq!(trend(&lags(&drained), Trend::Steady), Trend::Draining);
        let wavers = [53_000, 53_040, 52_990, 53_030, 53_010, 53_050, 52_980, 53_020, 53_000, 53_030];
        assert_eq!(trend(&lags(&wavers), Trend::Steady), Trend::Steady);
    }

    #[test]
    fn the_arrow_does_not_flicker() {
        // 7 % growth does not begin a trend, but does not end one either.
        let slight = lags(&[100, 100, 102, 104, 107, 107]);
        assert_eq!(trend(&slight, Trend::Steady), Trend::Steady);
        assert_eq!(trend(&slight, Trend::Growing), Trend::Growing);
    }

    #[test]
    fn drain_time_is_backlog_by_its_decrease() {
        assert_eq!(
            drain(&lags(&[100, 90, 80, 70, 60]), Trend::Draining, None),
            Bounds::About { value: Drain::In(Duration::from_secs(6)), within: None }
        );
        assert_eq!(
            drain(&lags(&[60, 70, 80, 90, 100]), Trend::Growing, Some(5.0)),
            Bounds::Exact(Drain::Never)
        );
        assert_eq!(drain(&lags(&[60, 30, 10, 5, 0]), Trend::Draining, None), Bounds::Exact(Drain::Empty));
        assert!(drain(&lags(&[60, 50]), Trend::Steady, None).why_unknown().is_some());
    }

    #[test]
    fn a_lag_that_comes_and_goes_drains_at_the_processed_rate() {
        assert_eq!(
            drain(&lags(&[2, 0, 4, 1, 4]), Trend::Steady, Some(8.0)),
            Bounds::About { value: Drain::In(Duration::from_millis(500)), within: None }
        );
        assert_eq!(drain(&lags(&[0, 1, 2, 3, 4]), Trend::Steady, Some(0.0)), Bounds::Exact(Drain::Never));
    }

    #[test]
    fn one_step_after_a_level_stretch_is_no_turn() {
        let stepped = lags(&[0, 0, 0, 0, 0, 50]);
        assert!(since_turn(&stepped).is_none());
        assert!(since_turn(&lags(&[90, 90, 90, 90, 90, 60])).is_none());
    }

    #[test]
    fn a_lag_that_grows_from_nothing_never_drains_and_one_that_has_turned_does() {
        let grows = lags(&[0, 3, 12, 31, 53, 73, 90]);
        assert_eq!(trend(&grows, Trend::Steady), Trend::Growing);
        assert_eq!(drain(&grows, Trend::Growing, Some(9.0)), Bounds::Exact(Drain::Never));
        let turned = lags(&[90, 150, 220, 300, 360, 340, 320, 300, 280]);
        assert_eq!(trend(&turned, Trend::Growing), Trend::Draining);
        assert_eq!(
            drain(&turned, Trend::Draining, None),
            Bounds::About { value: Drain::In(Duration::from_secs(14)), within: None }
        );
    }
}
