//! `headwater stream`: one line of JSON per interval, for ever.

use std::sync::Arc;

use tokio::time::{Instant, MissedTickBehavior};

use crate::cli::{Global, Stream};
use crate::commands::once::{PATIENCE, reached};
use crate::commands::{CommandError, print, runtime, watch};
use crate::report::json;

/// Runs until it is interrupted or nobody reads any more.
pub fn run(global: &Global, stream: &Stream) -> Result<(), CommandError> {
    let (plan, _) = watch::plan(global)?;
    runtime()?.block_on(async {
        let sources = plan.sources();
        let mut watching = watch::start(plan);
        reached(&mut watching, sources, Instant::now() + stream.every + PATIENCE).await?;
        let mut ticks = tokio::time::interval(stream.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let snapshot = Arc::clone(&watching.snapshots.borrow_and_update());
            let line = json::line(&snapshot).map_err(|e| CommandError::Usage(e.to_string()))?;
            // A reader that went away (`| head`) ends the stream; that is no error.
            if !print(&(line + "\n"))? {
                return Ok(());
            }
        }
    })
}
