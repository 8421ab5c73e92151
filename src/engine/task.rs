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
    /// Figures of what is heard are to cover so long.
    Window(Duration),
    /// Somebody wants a picture of this very moment.
    Now,
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
                Some(Input::Window(window)) => {
                    engine.set_window(window);
                    news = true;
                }
                Some(Input::Now) => {
                    news = false;
                    published = Some(Instant::now());
                    if snapshots.send(Arc::new(engine.tick(clock()))).is_err() {
                        return engine;
                    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineOptions;
    use crate::engine::sample::{all, at, batch, channel, filled, source_up};
    use crate::model::observation::Observation;

    struct Driven {
        batches: mpsc::Sender<Batch>,
        inputs: mpsc::Sender<Input>,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        task: tokio::task::JoinHandle<Engine>,
        began: Instant,
    }

    /// A driven engine in tokio's paused time, which runs on whenever everybody waits.
    fn driven() -> Driven {
        let (batches, taken) = mpsc::channel(64);
        let (inputs, told) = mpsc::channel(4);
        let new = || Engine::new(EngineOptions::new(at(0)));
        let (engine, (out, snapshots)) = (new(), watch::channel(Arc::new(new().tick(at(0)))));
        let began = Instant::now();
        let clock = move || at(u64::try_from(began.elapsed().as_millis()).unwrap());
        let task = tokio::spawn(drive(engine, clock, taken, told, out));
        Driven { batches, inputs, snapshots, task, began }
    }

    fn told(ms: u64, last: u64) -> Batch {
        let report = filled(&channel("nats", "ORDERS"), last);
        batch("nats", ms, vec![source_up(), Observation::Channels(all(vec![report]))])
    }

    fn kept(snapshot: &Snapshot) -> Option<u64> {
        snapshot.channels.first().and_then(|c| c.report.messages)
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_snapshot_follows_the_first_batch_at_once() {
        let mut it = driven();
        it.batches.send(told(1, 7)).await.unwrap();
        it.snapshots.changed().await.unwrap();
        assert_eq!(kept(&it.snapshots.borrow_and_update()), Some(7));
        assert_eq!(it.began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_gives_ten_snapshots_a_second_and_loses_nothing() {
        let mut it = driven();
        let batches = it.batches.clone();
        let flood = tokio::spawn(async move {
            for ms in 1..=1_000 {
                batches.send(told(ms, ms)).await.unwrap();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        let mut seen = Vec::new();
        while seen.last().is_none_or(|last| *last < Some(1_000)) {
            it.snapshots.changed().await.unwrap();
            seen.push(kept(&it.snapshots.borrow_and_update()));
        }
        flood.await.unwrap();
        assert!((10..=12).contains(&seen.len()), "{seen:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_gives_one_snapshot_a_second() {
        let mut it = driven();
        it.batches.send(told(1, 7)).await.unwrap();
        for second in 0..4 {
            it.snapshots.changed().await.unwrap();
            it.snapshots.borrow_and_update();
            assert_eq!(it.began.elapsed().as_secs(), second);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_picture_that_is_asked_for_is_of_that_moment() {
        let mut it = driven();
        it.batches.send(told(1, 7)).await.unwrap();
        it.snapshots.changed().await.unwrap();
        let first = it.snapshots.borrow_and_update().taken_at;
        tokio::time::advance(Duration::from_millis(40)).await;
        it.inputs.send(Input::Now).await.unwrap();
        it.snapshots.changed().await.unwrap();
        assert_eq!(it.snapshots.borrow_and_update().taken_at.age_since(first), Duration::from_millis(40));
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_level_is_shown_though_no_batch_comes() {
        let mut it = driven();
        it.inputs.send(Input::Probe(ProbeLevel::Acks)).await.unwrap();
        it.snapshots.changed().await.unwrap();
        assert_eq!(it.snapshots.borrow_and_update().probe, ProbeLevel::Acks);
        assert_eq!(it.began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_told_last_is_shown_when_the_sources_have_ended() {
        let mut it = driven();
        it.batches.send(told(1, 7)).await.unwrap();
        it.snapshots.changed().await.unwrap();
        it.snapshots.borrow_and_update();
        it.batches.send(told(2, 9)).await.unwrap();
        drop((it.batches, it.inputs));
        it.task.await.unwrap();
        assert_eq!(kept(&it.snapshots.borrow()), Some(9));
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_when_nobody_listens() {
        let it = driven();
        drop(it.snapshots);
        it.task.await.unwrap();
    }
}
