//! `headwater once`: watches for a while, prints one snapshot, ends.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::cli::{Format, Global, Once};
use crate::commands::watch::{self, Plan, Watching};
use crate::commands::{CommandError, print, runtime};
use crate::model::command::Command;
use crate::model::observation::{Round, SourceState};
use crate::model::snapshot::{Snapshot, Source};
use crate::report::{json, table};
use crate::theme::Glyphs;
use crate::topology::duration;
use crate::tui;

/// Beyond the time asked for, so long may a source take to be reached.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Where every source has been tried and none was reached, it is tried again for so long: a server may just be starting.
pub const TRIES: Duration = Duration::from_secs(3);
/// A rate needs two polls: so much longer than asked for may a very short watch take.
const SECOND_POLL: Duration = Duration::from_secs(3);
/// So long it waits for the answers of the last moment.
const LAST_ROUND: Duration = Duration::from_secs(1);

/// Runs it.
pub fn run(global: &Global, once: &Once) -> Result<(), CommandError> {
    if let Some(interval) = global.interval.filter(|interval| *interval > once.watch_for) {
        // A rate needs two rounds of questions.
        return Err(CommandError::Usage(format!(
            "--interval {} is longer than --for {}: give the second round of questions room",
            duration::format(interval),
            duration::format(once.watch_for)
        )));
    }
    let (plan, settings) = watch::plan(global)?;
    let plan = Plan { whole_run: true, ..plan };
    let sources = plan.sources();
    let snapshot = runtime()?.block_on(async {
        let mut watching = watch::start(plan);
        take(&mut watching, sources, once.watch_for).await
    })?;
    let text = match once.format {
        Format::Json => json::pretty(&snapshot).map_err(|e| CommandError::Usage(e.to_string()))? + "\n",
        Format::Table => {
            table::render(&snapshot, Glyphs::of_process(settings.terminal.ascii), tui::columns())
        }
    };
    print(&text).map(drop)
}

/// Waits until a source has been reached, watches for `watch_for` from then on, asks once more, and gives the picture of that
/// moment.
async fn take(
    watching: &mut Watching,
    sources: usize,
    watch_for: Duration,
) -> Result<Arc<Snapshot>, CommandError> {
    let begin = Instant::now();
    reached(watching, sources, TRIES, begin + watch_for + PATIENCE).await?;
    tokio::time::sleep(watch_for).await;
    until_deadline(watching, Instant::now() + SECOND_POLL, both_polls).await;
    let now = watching.clock.now().mono;
    // Nobody listens where no source asks anybody.
    let _ = watching.commands.send(Command::Refresh).await;
    let asked_again =
        |snapshot: &Snapshot| rounds(snapshot).all(|round| round.done && round.began.mono >= now);
    until_deadline(watching, Instant::now() + LAST_ROUND, asked_again).await;
    let last = watching.fresh().await;
    let refused = all_refused(&last);
    if refused.is_empty() { Ok(last) } else { Err(CommandError::NoSource(refused)) }
}

/// For each source why nothing of it can be read, when the connection stands but not one request was answered by
/// any of them; empty as soon as one has told something.
fn all_refused(snapshot: &Snapshot) -> Vec<String> {
    // A round trip is known from the first answer on.
    let refused = |source: &Source| {
        source.report.state == SourceState::Degraded
            && source.report.rtt.is_none()
            && source.report.unavailable.iter().any(|part| part.why.contains("permission denied"))
    };
    let silent = |source: &Arc<Source>| refused(source) || source.answered_at.is_none();
    if !snapshot.channels.is_empty() || !snapshot.sources.iter().all(silent) {
        return Vec::new();
    }
    let line = |source: &Arc<Source>| {
        let mut why: Vec<&str> = source
            .report
            .unavailable
            .iter()
            .map(|part| &*part.why)
            .filter(|why| why.contains("permission denied"))
            .collect();
        why.sort_unstable();
        why.dedup();
        let address = &source.report.address;
        format!("{address}: none of what is asked is authorised: {} (`headwater doctor`)", why.join("; "))
    };
    snapshot.sources.iter().filter(|source| refused(source)).map(line).collect()
}

/// Waits until at least one of so many sources answers; when none does by `deadline`, all are refused for good, or all have
/// failed after trying for `tries`, says for each why.
pub async fn reached(
    watching: &mut Watching,
    sources: usize,
    tries: Duration,
    deadline: Instant,
) -> Result<(), CommandError> {
    let ended = |snapshot: &Snapshot| one_answers(snapshot) || refused_for_good(snapshot, sources);
    let not_before = Instant::now() + tries;
    if !until_deadline(watching, not_before.min(deadline), ended).await {
        until_deadline(watching, deadline, |snapshot| ended(snapshot) || all_failed(snapshot, sources)).await;
    }
    if one_answers(&newest(watching)) {
        return Ok(());
    }
    let why = |source: &Arc<Source>| {
        let error = source.report.error.as_deref().unwrap_or("no answer");
        let address = &source.report.address;
        // The source names its server in its own words as a rule.
        if address.is_empty() || error.contains(&**address) {
            error.to_owned()
        } else {
            format!("{address}: {error}")
        }
    };
    let lines: Vec<String> = newest(watching).sources.iter().map(why).collect();
    Err(CommandError::NoSource(if lines.is_empty() {
        vec!["no source has said anything".to_owned()]
    } else {
        lines
    }))
}

/// Waits until `found` holds; whether it did before the deadline.
pub async fn until_deadline(
    watching: &mut Watching,
    deadline: Instant,
    mut found: impl FnMut(&Snapshot) -> bool,
) -> bool {
    loop {
        if found(&newest(watching)) {
            return true;
        }
        match timeout_at(deadline, watching.snapshots.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return false,
        }
    }
}

pub fn newest(watching: &mut Watching) -> Arc<Snapshot> {
    Arc::clone(&watching.snapshots.borrow_and_update())
}

fn one_answers(snapshot: &Snapshot) -> bool {
    snapshot.sources.iter().any(|source| answers(source))
}

/// Whether waiting is in vain: all of so many sources have spoken, and each was refused for a reason that stays.
fn refused_for_good(snapshot: &Snapshot, sources: usize) -> bool {
    all_say(snapshot, sources, |source| source.report.refused)
}

/// Whether none of so many sources is still at its first try.
fn all_failed(snapshot: &Snapshot, sources: usize) -> bool {
    all_say(snapshot, sources, |source| source.report.refused || source.report.error.is_some())
}

/// Whether this holds of all of so many sources that ask somebody.
fn all_say(snapshot: &Snapshot, sources: usize, holds: impl Fn(&Source) -> bool) -> bool {
    let mut asking = snapshot.sources.iter().filter(|source| !asks_nobody(source)).peekable();
    snapshot.sources.len() == sources && asking.peek().is_some() && asking.all(|source| holds(source))
}

/// Health checks of a topology that declares none: nothing is wrong with them, and nothing comes of them.
fn asks_nobody(source: &Source) -> bool {
    let report = &source.report;
    &*report.kind == "health" && report.load.requests == 0 && report.state != SourceState::Connecting
}

fn answers(source: &Source) -> bool {
    !asks_nobody(source) && matches!(source.report.state, SourceState::Up | SourceState::Degraded)
}

/// The newest round of questions of each source that asks in rounds and answers.
fn rounds(snapshot: &Snapshot) -> impl Iterator<Item = Round> {
    snapshot.sources.iter().filter(|source| answers(source)).filter_map(|source| source.report.load.round)
}

/// Whether every source that answers has been polled at least twice, and every channel has a rate: the first round follows the
/// first picture.
fn both_polls(snapshot: &Snapshot) -> bool {
    let polled = |source: &Arc<Source>| {
        let round = source.report.load.round;
        &*source.report.kind != "nats" || round.is_some_and(|round| round.number > u64::from(!round.done))
    };
    snapshot.sources.iter().filter(|source| answers(source)).all(polled)
        && snapshot.channels.iter().all(|channel| channel.rate.low().is_some())
}
