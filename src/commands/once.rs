//! `headwater once`: watches for a while, prints one snapshot, ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::cli::{Format, Global, Once};
use crate::commands::watch::{self, Plan, Watching};
use crate::commands::{CommandError, print, runtime};
use crate::model::id::SourceId;
use crate::model::observation::SourceState;
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

/// Waits until a source has been reached, watches for `watch_for` from then on, and gives the last snapshot.
async fn take(
    watching: &mut Watching,
    sources: usize,
    watch_for: Duration,
) -> Result<Arc<Snapshot>, CommandError> {
    let begin = Instant::now();
    reached(watching, sources, TRIES, begin + watch_for + PATIENCE).await?;
    let until = Instant::now() + watch_for;
    let mut polls = Polls::default();
    until_deadline(watching, until, |snapshot| {
        polls.both(snapshot);
        false
    })
    .await;
    until_deadline(watching, until + SECOND_POLL, |snapshot| polls.both(snapshot)).await;
    let last = newest(watching);
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

/// What has been seen of the rounds of questions: a source tells its count of requests after each.
#[derive(Default)]
struct Polls {
    counts: BTreeMap<SourceId, BTreeSet<u64>>,
}

impl Polls {
    /// Whether every source that answers has been polled at least twice, and every channel has a rate.
    fn both(&mut self, snapshot: &Snapshot) -> bool {
        let mut enough = snapshot.channels.iter().all(|channel| channel.rate.low().is_some());
        for source in
            snapshot.sources.iter().filter(|source| answers(source) && &*source.report.kind == "nats")
        {
            let seen = self.counts.entry(source.id.clone()).or_default();
            if source.report.load.requests > 0 {
                seen.insert(source.report.load.requests);
            }
            enough &= seen.len() >= 2;
        }
        enough
    }
}
