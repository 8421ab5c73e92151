//! How a consumer fares: Burrow's rules on true progress, without thresholds to set.
//!
//! In order:
//! 1. paused by its configuration → paused; position went back and has not recovered → rewound;
//! 2. nothing pending → ok (a quiet channel is not a problem), unless nothing has been processed for longer than the
//!    acknowledgement time and what is in flight has come again, or nobody pulls → stalled, or stopped;
//! 3. work, and something was processed within the window: slow when the lag was never zero in it and grew, and from then on until
//!    most of it is worked off; else ok; too few polls of a backlog that does not shrink tell neither;
//! 4. work, and nothing processed: with a sign that explains it (nobody pulls or listens; in flight at its maximum) after 3 polls
//!    over 4 s, without one after 10 polls over 10 s → stalled, or stopped when nobody is there any more;
//! 5. what was already so at the first two polls, and is unmistakable, is said at once;
//! 6. keeps up, and has given messages up → gave up.
//!
//! Polls before the lag was last zero are no evidence: what keeps up and then gets work is not behind yet. Nor are those before
//! a time in which nobody could look: the services lost the broker too, and need a moment to come back; nor those of a pause.
//! Progress is judged by
//! [`super::progress`]: redeliveries are none.

use std::time::Duration;

use super::progress::Sample;
use super::words;
use crate::model::id::Name;
use crate::model::measured::Bounds;
use crate::model::observation::{ConsumerReport, Delivery};
use crate::model::snapshot::{ConsumerStatus, Trend};
use crate::model::time::Stamp;

/// Polls and time that a sign needs, and that the absence of any sign needs.
const SIGN: (usize, Duration) = (3, Duration::from_secs(4));
const WINDOW: (usize, Duration) = (10, Duration::from_secs(10));
/// Polls that tell whether a backlog grows: fewer may have met a burst.
const GROWTH: usize = 5;
/// Who fell behind has caught up when this part of the largest lag is left, or nothing.
const CAUGHT_UP: u64 = 4;
/// One message at a time may take its acknowledgement time, up to this.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether the programs that are the consumer's service are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// At least one is.
    Connected,
    /// Connections are listed, and none of its is among them.
    Gone,
    /// Connections are not listed, or it is not known who the service is.
    NotKnown,
}

/// What the judgement rests on.
pub(super) struct Case<'a> {
    pub(super) report: &'a ConsumerReport,
    /// Polls since the consumer began (anew), oldest first.
    pub(super) samples: &'a [Sample],
    /// The last poll that found something processed since the one before.
    pub(super) advanced: Option<Stamp>,
    /// The last poll that found nothing pending.
    pub(super) idle: Option<Stamp>,
    /// The last poll that found nothing pending and nothing in flight.
    pub(super) free: Option<Stamp>,
    /// The first poll since the consumer began (anew).
    pub(super) began: Stamp,
    /// The first poll after a time in which nobody could look, or in which it was paused.
    pub(super) resumed: Option<Stamp>,
    /// It was its own pause that ended then.
    pub(super) after_pause: bool,
    /// It was there when watching began.
    pub(super) was_there: bool,
    pub(super) presence: Presence,
    /// Its service's name.
    pub(super) service: Option<&'a str>,
    /// Its source, where there are others at which its service may be connected.
    pub(super) at: Option<&'a str>,
    /// At least so many were given up.
    pub(super) gave_up: u64,
    /// The position that it has to reach again, if it went back.
    pub(super) rewound: Option<u64>,
    /// Where its lag goes: what the arrow beside it shows.
    pub(super) trend: Trend,
    /// The largest lag since it fell behind, if it was behind at the last look.
    pub(super) peak: Option<u64>,
}

/// The judgement.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Verdict {
    pub(super) status: ConsumerStatus,
    pub(super) why: Name,
    /// When it began, where that is earlier than this judgement.
    pub(super) from: Option<Stamp>,
    /// It was already so when watching began.
    pub(super) or_earlier: bool,
}

impl Verdict {
    fn now(status: ConsumerStatus, why: impl Into<Name>) -> Self {
        Self { status, why: why.into(), from: None, or_earlier: false }
    }
}

/// Judges one consumer.
pub(super) fn judge(case: &Case<'_>) -> Verdict {
    use ConsumerStatus::{Paused, Rewound, Slow, Unknown};
    if case.report.paused.is_some_and(|left| !left.is_zero()) {
        return Verdict {
            or_earlier: case.samples.len() <= 1 && case.was_there,
            ..Verdict::now(Paused, "paused by its configuration")
        };
    }
    let lag = match &case.report.lag {
        Bounds::Unknown(why) => return Verdict::now(Unknown, why.clone()),
        bounds => *bounds.low().unwrap_or(&0),
    };
    let Some(last) = case.samples.last() else { return Verdict::now(Unknown, words::NAME_ONLY.clone()) };
    if let (Some(target), Some((_, seq))) = (case.rewound, last.delivered.or(last.floor)) {
        return Verdict::now(Rewound, format!("its position went back to {seq}; it had reached {target}"));
    }
    let in_flight = *case.report.in_flight.low().unwrap_or(&0);
    if lag == 0 {
        return if in_flight == 0 {
            keeps_up(case, &words::NOTHING_WAITS)
        } else {
            only_in_flight(case, in_flight)
        };
    }

    let evidence = evidence(case);
    let first = evidence.first().unwrap_or(last);
    let span = last.at.mono.since(first.at.mono);
    let enough = |(polls, time): (usize, Duration)| evidence.len() >= polls && span >= time;
    let quiet_for = quiet_for(case, last);
    // What was seen before nobody could look tells nothing of now.
    let (advanced_at, idle) = (since_resumed(case, case.advanced), since_resumed(case, case.idle));
    let quiet =
        |(polls, time): (usize, Duration)| evidence_since(case, evidence).len() >= polls && quiet_for >= time;

    // Progress since the evidence began.
    let advanced = advanced_at.is_some_and(|at| at.mono > first.at.mono);
    let idle_before_window = evidence.len() < seen(case).len().min(WINDOW.0);
    if let Some(sign) = sign(case, evidence, in_flight) {
        let obvious =
            sign.unmistakable && case.advanced.is_none() && case.idle.is_none() && evidence.len() >= 2;
        let patient = sign.patience.is_none_or(|patience| quiet_for >= patience);
        if (obvious || quiet(SIGN)) && patient {
            return stuck(case, sign.stopped, sign.why);
        }
    }
    if quiet(WINDOW) {
        let single = in_flight == 1 || case.report.max_in_flight == Some(1);
        let patience = if single { wait(case).min(PATIENCE) } else { Duration::ZERO };
        if quiet_for >= patience {
            return stuck(case, false, "no acknowledgement while messages wait".into());
        }
    }
    let growth_shows = enough(SIGN) && evidence.len() >= GROWTH;
    if advanced && growth_shows && !idle_before_window && grows(evidence) {
        let from = Some(first.at);
        let or_earlier = case.was_there && first.at == case.began;
        return Verdict { status: Slow, why: behind(Trend::Growing).into(), from, or_earlier };
    }
    // A few polls of a backlog that does not shrink do not tell whether it keeps up.
    if idle.is_none() && !growth_shows && last.lag >= first.lag {
        return Verdict::now(Unknown, too_short(case));
    }
    if case.peak.is_some_and(|peak| lag > peak / CAUGHT_UP) {
        return Verdict::now(Slow, behind(case.trend));
    }
    if advanced || advanced_at.is_some() || idle.is_some() {
        return keeps_up(case, &words::ADVANCES);
    }
    if enough(SIGN) {
        let since = match case.resumed {
            Some(_) if case.after_pause => "its pause ended",
            Some(_) => "an interruption",
            None => "watching began",
        };
        return Verdict::now(Unknown, format!("nothing acknowledged since {since}; too early to tell"));
    }
    Verdict::now(Unknown, too_short(case))
}

/// A moment, unless it was before nobody could look.
fn since_resumed(case: &Case<'_>, at: Option<Stamp>) -> Option<Stamp> {
    at.filter(|at| case.resumed.is_none_or(|resumed| at.mono > resumed.mono))
}

fn too_short(case: &Case<'_>) -> Name {
    match case.resumed {
        Some(_) if case.after_pause => words::PAUSED_TOO_SHORT.clone(),
        Some(_) => words::RESUMED_TOO_SHORT.clone(),
        None => words::TOO_SHORT.clone(),
    }
}

fn keeps_up(case: &Case<'_>, why: &Name) -> Verdict {
    if case.gave_up > 0 {
        return Verdict::now(
            ConsumerStatus::GaveUp,
            "keeps up, and has given messages up: they are lost to it",
        );
    }
    Verdict::now(ConsumerStatus::Ok, why.clone())
}

/// Nothing pending, something in flight: ordinary, unless it has come again and nothing has been acknowledged for longer
/// than that takes.
fn only_in_flight(case: &Case<'_>, in_flight: u64) -> Verdict {
    let Some(last) = case.samples.last() else { return keeps_up(case, &words::NOTHING_WAITS) };
    let again = last.redelivered.is_some_and(|n| n > 0);
    // What is pending comes and goes meanwhile; the last moment without any work counts. Who gives messages up is handed them:
    // it is there, and what is in flight goes, though not by an acknowledgement.
    let gave_up = case.samples.windows(2).rev().find_map(|pair| match pair {
        [a, b] if b.abandoned > a.abandoned => Some(b.at),
        _ => None,
    });
    let seen = latest([latest([case.advanced, case.free]), gave_up]);
    let from = seen.unwrap_or(case.began);
    if again && watched_for(case, last, from) >= wait(case).max(WINDOW.1) {
        let status =
            if case.presence == Presence::Gone { ConsumerStatus::Stopped } else { ConsumerStatus::Stalled };
        return Verdict {
            status,
            why: format!("{in_flight} in flight, delivered again and never acknowledged").into(),
            from: Some(from),
            or_earlier: case.was_there && seen.is_none(),
        };
    }
    abandoned(case, in_flight).unwrap_or_else(|| {
        // Nothing was seen to move yet, and what is in flight may have been for long: neither tells that all is well.
        if seen.is_none() && (again || handed_long_ago(case)) {
            return Verdict::now(ConsumerStatus::Unknown, words::TOO_SHORT.clone());
        }
        keeps_up(case, &words::NOTHING_PENDING)
    })
}

/// By the broker's own clock, whether what is in flight was handed out longer ago than its acknowledgement may take.
fn handed_long_ago(case: &Case<'_>) -> bool {
    let Some(handed) = case.report.delivered.and_then(|d| d.last_active) else { return false };
    let now = case.samples.last().and_then(|last| last.at.broker);
    now.is_some_and(|now| now.age_since(handed) > wait(case))
}

/// Messages were pulled, and for longer than their acknowledgement may take nothing was acknowledged or delivered and
/// nobody asked for more. They do not come again either while nobody pulls, so nothing is marked as delivered again.
fn abandoned(case: &Case<'_>, in_flight: u64) -> Option<Verdict> {
    let last = case.samples.last()?;
    if case.report.delivery != Delivery::Pull {
        return None;
    }
    // The last poll that found a pull (or was not told), and the last that found new deliveries.
    let asked = case.samples.iter().rfind(|s| s.waiting != Some(0)).map(|s| s.at);
    let handed = case.samples.windows(2).rev().find_map(|pair| match pair {
        [a, b] if a.delivered.map(|d| d.0) != b.delivered.map(|d| d.0) => Some(b.at),
        _ => None,
    });
    let seen = latest([latest([case.advanced, case.free]), latest([asked, handed])]);
    let from = seen.unwrap_or(case.began);
    let patience = case.report.ack_wait.unwrap_or(PATIENCE).max(WINDOW.1);
    if watched_for(case, last, from) <= patience {
        return None;
    }
    let whose = whose(case);
    let messages = if in_flight == 1 { "message is" } else { "messages are" };
    Some(Verdict {
        status: if case.presence == Presence::Connected {
            ConsumerStatus::Stalled
        } else {
            ConsumerStatus::Stopped
        },
        why: format!("nobody pulls, and {in_flight} delivered {messages} not acknowledged{whose}").into(),
        from: Some(from),
        or_earlier: case.was_there && seen.is_none(),
    })
}

/// Whether its service is connected where its messages are, as the end of a sentence.
fn whose(case: &Case<'_>) -> String {
    let to = case.at.map_or_else(String::new, |source| format!(" to {source}"));
    match (case.presence, case.service) {
        (Presence::Gone, Some(service)) => format!(", and {service} has no connection{to}"),
        (Presence::Connected, Some(service)) => format!(", though {service} is connected{to}"),
        _ => String::new(),
    }
}

/// How long the broker waits for an acknowledgement; zero where it does not tell.
fn wait(case: &Case<'_>) -> Duration {
    case.report.ack_wait.unwrap_or_default()
}

/// Polls since the lag was last zero and since anybody could look, at most a window of them.
fn evidence<'a>(case: &Case<'a>) -> &'a [Sample] {
    let seen = seen(case);
    let idle = seen.iter().rposition(|s| s.lag == Some(0)).map_or(0, |at| at + 1);
    seen.get(idle..).unwrap_or_default()
}

/// The polls of the window, none of them before nobody could look.
fn seen<'a>(case: &Case<'a>) -> &'a [Sample] {
    let resumed =
        case.resumed.map_or(0, |resumed| case.samples.partition_point(|s| s.at.mono < resumed.mono));
    let from = case.samples.len().saturating_sub(WINDOW.0 + 1).max(resumed);
    case.samples.get(from..).unwrap_or_default()
}

/// The part of the evidence in which nothing was processed.
fn evidence_since<'a>(case: &Case<'_>, evidence: &'a [Sample]) -> &'a [Sample] {
    let from = case.advanced.map_or(0, |at| evidence.partition_point(|s| s.at.mono < at.mono));
    evidence.get(from..).unwrap_or_default()
}

/// How long nothing has been processed though something waited, as far as anybody could look.
fn quiet_for(case: &Case<'_>, last: &Sample) -> Duration {
    watched_for(case, last, quiet_from(case))
}

/// Time since a moment without interruption.
fn watched_for(case: &Case<'_>, last: &Sample, from: Stamp) -> Duration {
    last.at.mono.since(case.resumed.map_or(from.mono, |resumed| from.mono.max(resumed.mono)))
}

/// Since when.
fn quiet_from(case: &Case<'_>) -> Stamp {
    latest([case.advanced, case.idle]).unwrap_or(case.began)
}

fn latest(stamps: [Option<Stamp>; 2]) -> Option<Stamp> {
    stamps.into_iter().flatten().max_by_key(|at| at.mono)
}

fn stuck(case: &Case<'_>, stopped: bool, why: Name) -> Verdict {
    let status = if stopped { ConsumerStatus::Stopped } else { ConsumerStatus::Stalled };
    let or_earlier = case.was_there && case.advanced.is_none() && case.idle.is_none();
    Verdict { status, why, from: Some(quiet_from(case)), or_earlier }
}

/// A sign that explains why nothing advances.
struct Sign {
    why: Name,
    /// Nobody is there any more.
    stopped: bool,
    /// It needs no more evidence.
    unmistakable: bool,
    /// It may be ordinary for so long.
    patience: Option<Duration>,
}

fn sign(case: &Case<'_>, evidence: &[Sample], in_flight: u64) -> Option<Sign> {
    let gone = case.presence == Presence::Gone;
    let nobody = whose(case);
    let still = evidence_since(case, evidence);
    match &case.report.delivery {
        Delivery::Push { subject, bound: Some(false), .. } => {
            return Some(Sign {
                why: format!("no subscriber on the deliver subject {subject}{nobody}").into(),
                stopped: case.presence != Presence::Connected,
                unmistakable: true,
                patience: None,
            });
        }
        Delivery::Pull if unasked(still).len() >= 2 => {
            let still = unasked(still);
            let delivered = |s: Option<&Sample>| s.and_then(|s| s.delivered).map(|d| d.0);
            let idle_puller = delivered(still.first()) == delivered(still.last());
            // A program that fetched a batch and works on it does not pull meanwhile.
            if idle_puller && (in_flight == 0 || gone || quiet_long(case, evidence)) {
                return Some(Sign {
                    why: format!("nobody pulls{nobody}").into(),
                    stopped: case.presence != Presence::Connected,
                    unmistakable: in_flight == 0 && gone,
                    patience: (in_flight > 0 && !gone).then(|| wait(case)),
                });
            }
        }
        _ => {}
    }
    let full = case.report.max_in_flight.filter(|max| *max > 0 && in_flight >= *max)?;
    Some(Sign {
        why: format!(
            "in flight is at its maximum of {full}: the service does not acknowledge{}",
            if gone { nobody.as_str() } else { "" }
        )
        .into(),
        stopped: gone && evidence.last().is_some_and(|s| s.waiting == Some(0)),
        unmistakable: full > 1,
        // One message at a time: each may take as long as the broker waits for its acknowledgement.
        patience: (full == 1).then(|| wait(case).min(PATIENCE)),
    })
}

/// The polls in which nobody asked for messages, up to the newest. When somebody did before, they must be as many and cover as
/// much time as a sign needs: who pulls one batch after another is not seen waiting at each poll.
fn unasked(still: &[Sample]) -> &[Sample] {
    let Some(asked) = still.iter().rposition(|s| s.waiting != Some(0)) else { return still };
    let since = still.get(asked + 1..).unwrap_or_default();
    let time = match (still.get(asked), since.last()) {
        (Some(asked), Some(last)) => last.at.mono.since(asked.at.mono),
        _ => Duration::ZERO,
    };
    if since.len() >= SIGN.0 && time >= SIGN.1 { since } else { &[] }
}

/// Whether nothing has been processed for longer than an acknowledgement may take.
fn quiet_long(case: &Case<'_>, evidence: &[Sample]) -> bool {
    evidence.last().is_some_and(|last| quiet_for(case, last) >= wait(case))
}

/// What is said of one that advances and is behind, in the sense of the arrow beside its lag.
const fn behind(trend: Trend) -> &'static str {
    match trend {
        Trend::Growing => "falls behind, though it advances",
        Trend::Steady => "stays behind: as much comes in as it takes",
        Trend::Draining => "catches up after it fell behind",
    }
}

/// The lag grew and never was smaller than before; or its second half stands clearly above the first.
fn grows(evidence: &[Sample]) -> bool {
    let lags = evidence.iter().filter_map(|s| s.lag);
    let (Some(first), Some(last)) = (lags.clone().next(), lags.clone().next_back()) else { return false };
    let never_smaller = lags.clone().zip(lags.skip(1)).all(|(before, after)| after >= before);
    let rises = super::trend::trend(evidence, Trend::Steady) == Trend::Growing;
    last > first && (never_smaller || rises)
}

#[cfg(test)]
mod tests;
