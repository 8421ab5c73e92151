//! `headwater once`: watches for a while, prints one snapshot, ends.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::cli::{Format, Global, Once};
use crate::commands::watch::{self, Plan, Watching};
use crate::commands::{CommandError, print, runtime};
use crate::model::observation::SourceState;
use crate::model::snapshot::{Snapshot, Source};
use crate::report::{json, table};
use crate::theme::Glyphs;

/// Beyond the time asked for, so long may a source take to be reached.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// A rate needs two polls: so much longer than asked for may a very short watch take.
const SECOND_POLL: Duration = Duration::from_secs(3);

/// Runs it.
pub fn run(global: &Global, once: &Once) -> Result<(), CommandError> {
    let (plan, settings) = watch::plan(global)?;
    let plan = Plan { whole_run: true, ..plan };
    let snapshot = runtime()?.block_on(async {
        let mut watching = watch::start(plan);
        take(&mut watching, once.watch_for).await
    })?;
    let text = match once.format {
        Format::Json => json::pretty(&snapshot).map_err(|e| CommandError::Usage(e.to_string()))? + "\n",
        Format::Table => table::render(&snapshot, Glyphs::of_process(settings.terminal.ascii)),
    };
    print(&text);
    Ok(())
}

/// Waits until a source has been reached, watches for `watch_for` from then on, and gives the last snapshot.
async fn take(watching: &mut Watching, watch_for: Duration) -> Result<Arc<Snapshot>, CommandError> {
    let begin = Instant::now();
    reached(watching, begin + watch_for + PATIENCE).await?;
    let until = Instant::now() + watch_for;
    until_deadline(watching, until, |_| false).await;
    until_deadline(watching, until + SECOND_POLL, polled_twice).await;
    Ok(newest(watching))
}

/// Waits until at least one source answers; when none does by `deadline`, says for each why.
pub async fn reached(watching: &mut Watching, deadline: Instant) -> Result<(), CommandError> {
    if until_deadline(watching, deadline, |snapshot| snapshot.sources.iter().any(|s| answers(s))).await {
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
async fn until_deadline(
    watching: &mut Watching,
    deadline: Instant,
    found: impl Fn(&Snapshot) -> bool,
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

fn newest(watching: &mut Watching) -> Arc<Snapshot> {
    Arc::clone(&watching.snapshots.borrow_and_update())
}

fn answers(source: &Source) -> bool {
    matches!(source.report.state, SourceState::Up | SourceState::Degraded)
}

/// Whether every channel has been seen at least twice, so that it has a rate.
fn polled_twice(snapshot: &Snapshot) -> bool {
    snapshot.channels.iter().all(|channel| channel.rate.low().is_some())
}
