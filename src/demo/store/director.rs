//! Lets a scenario run in real time: its schedule, and what people order by command.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::demo::scenario::{ByHand, Conditions, HandMade, Scenario};
use crate::model::command::Command;

/// How exactly in time a fault begins and ends.
const STEP: Duration = Duration::from_millis(100);

/// Makes the weather until it is aborted.
pub(super) async fn direct(
    scenario: Arc<Scenario>,
    weather: watch::Sender<Arc<Conditions>>,
    mut commands: broadcast::Receiver<Command>,
) {
    let began = Instant::now();
    let mut by_hand = ByHand::new();
    let mut steps = interval(STEP);
    steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut listening = true;
    loop {
        tokio::select! {
            _ = steps.tick() => {}
            command = commands.recv(), if listening => match command {
                Ok(Command::Fault { id, on }) => {
                    by_hand.insert(id, HandMade { on, at: began.elapsed() });
                }
                Ok(_) | Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => listening = false,
            },
        }
        let now = scenario.conditions(began.elapsed(), &by_hand);
        weather.send_if_modified(|old| {
            let changed = **old != now;
            if changed {
                *old = Arc::new(now);
            }
            changed
        });
    }
}
