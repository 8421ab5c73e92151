//! `headwater stream`: one line of JSON per interval, for ever.
//!
//! A source that is lost, or that no longer lets us in, does not end it: it may come back, and until then the last good
//! values stay, marked with their age. What happened is in each line (`state`, `error`, `missing`) and once on standard
//! error.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use crate::cli::{Global, Stream};
use crate::commands::once::{PATIENCE, reached};
use crate::commands::{CommandError, print, runtime, tap, watch};
use crate::model::id::SourceId;
use crate::model::observation::SourceState;
use crate::model::snapshot::{Snapshot, Source};
use crate::report::json;
use crate::ui::widget::text::clean;

/// A source that is lost tries again at once: only what lasts longer is told.
const SETTLES: Duration = Duration::from_secs(1);

/// Runs until it is interrupted or nobody reads any more.
pub fn run(global: &Global, stream: &Stream) -> Result<(), CommandError> {
    let (plan, settings) = watch::plan(&tap::with_level(global, &stream.tapped)?)?;
    let channels = tap::channels(&stream.tapped, &settings)?;
    runtime()?.block_on(async {
        let sources = plan.sources();
        let mut watching = watch::start(plan);
        tap::ask(&watching.commands, channels);
        // It may be started with the servers, and runs for long: it is patient.
        reached(&mut watching, sources, PATIENCE, Instant::now() + stream.every + PATIENCE).await?;
        let (mut ways, mut taps) = (Ways::default(), tap::Ways::default());
        let mut ticks = tokio::time::interval(stream.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let snapshot = watching.fresh().await;
            for line in ways.told(&snapshot).into_iter().chain(taps.told(&snapshot)) {
                // Standard error may be closed; the line of JSON tells it too.
                let _ = writeln!(std::io::stderr(), "headwater: {line}");
            }
            let line = json::line(&snapshot).map_err(|e| CommandError::Usage(e.to_string()))?;
            // A reader that went away (`| head`) ends the stream; that is no error.
            if !print(&(line + "\n"))? {
                return Ok(());
            }
        }
    })
}

/// What has been told of each source: whether it is lost.
#[derive(Default)]
struct Ways(BTreeMap<SourceId, bool>);

impl Ways {
    /// A line for each source that has been lost or found again since this was last asked.
    fn told(&mut self, snapshot: &Snapshot) -> Vec<String> {
        snapshot.sources.iter().filter_map(|source| self.one(source, snapshot)).collect()
    }

    fn one(&mut self, source: &Source, snapshot: &Snapshot) -> Option<String> {
        let now = match source.report.state {
            SourceState::Up | SourceState::Degraded => false,
            SourceState::Down => true,
            SourceState::Connecting => return None,
        };
        let settled = source.report.refused || snapshot.taken_at.age_since(source.since) >= SETTLES;
        let before = self.0.get(&source.id).copied();
        if before == Some(now) || (now && !settled) {
            return None;
        }
        self.0.insert(source.id.clone(), now);
        let name = clean(source.id.as_str());
        match (before, now) {
            (_, true) => {
                let why = clean(source.report.error.as_deref().unwrap_or("no answer"));
                Some(format!("{name}: lost: {why}; its last values stay, marked with their age"))
            }
            (Some(true), false) => Some(format!("{name}: is back")),
            _ => None,
        }
    }
}
