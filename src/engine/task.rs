//! The task that feeds an engine and publishes its snapshots.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::Engine;
use crate::model::command::ProbeLevel;
use crate::model::observation::Batch;
use crate::model::snapshot::{Snapshot, TopologyState};
use crate::model::time::Stamp;
use crate::topology::Topology;

/// When something came, a snapshot follows within this time, and not more often.
const AT_MOST_EVERY: Duration = Duration::from_millis(100);
/// A snapshot comes at least so often: ages grow though nothing comes.
const AT_LEAST_EVERY: Duration = Duration::from_secs(1);

/// What may come besides batches.
#[derive(Debug)]
pub enum Input {
    /// The declared system was read, well or badly.
    Topology(Option<Arc<Topology>>, Option<TopologyState>),
    /// What the sources may do has changed.
    Probe(ProbeLevel),
}

/// Feeds batches to the engine and publishes snapshots, until the sources have ended or nobody listens any more. Returns the
/// engine as it is then. The first snapshot follows the first batch at once.
pub async fn drive(
    mut engine: Engine,
    clock: impl Fn() -> Stamp + Send,
    mut batches: mpsc::Receiver<Batch>,
    mut inputs: mpsc::Receiver<Input>,
    snapshots: watch::Sender<Arc<Snapshot>>,
) -> Engine {
    let mut published: Option<Instant> = None;
    let mut news = false;
    let mut inputs_open = true;
    loop {
        let due = match (published, news) {
            (None, true) => Instant::now(),
            (None, false) => Instant::now() + AT_LEAST_EVERY,
            (Some(at), true) => at + AT_MOST_EVERY,
            (Some(at), false) => at + AT_LEAST_EVERY,
        };
        tokio::select! {
            biased;
            () = sleep_until(due) => {
                news = false;
                published = Some(Instant::now());
                if snapshots.send(Arc::new(engine.tick(clock()))).is_err() {
                    return engine;
                }
            }
            input = async { if inputs_open { inputs.recv().await } else { pending().await } } => match input {
                Some(Input::Topology(topology, state)) => {
                    engine.set_topology(topology, state);
                    news = true;
                }
                Some(Input::Probe(probe)) => {
                    engine.set_probe(probe);
                    news = true;
                }
                None => inputs_open = false,
            },
            batch = batches.recv() => {
                let Some(batch) = batch else {
                    // The sources have ended: what they told last is shown.
                    let _ = snapshots.send(Arc::new(engine.tick(clock())));
                    return engine;
                };
                engine.ingest(&batch);
                // What waits already belongs into the same snapshot.
                while let Ok(batch) = batches.try_recv() {
                    engine.ingest(&batch);
                }
                news = true;
            }
        }
    }
}
