//! Sending events and feeds: by itself at the rate of the scenario, and as consequences.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::instance::Instance;
use crate::demo::store::conditions::Weather;
use crate::demo::store::payload::{Message, headers};
use crate::model::id::Name;

/// How far a pace may fall behind before it gives up catching up.
const BEHIND: Duration = Duration::from_secs(1);

/// Moments in time at a rate that may change, spread as independent people would spread them.
pub(super) struct Pace {
    next: Instant,
    weather: Weather,
}

impl Pace {
    pub(super) fn new(weather: Weather) -> Self {
        Self { next: Instant::now(), weather }
    }

    /// Waits for the next moment; `rate` is per second and may be 0. Ends when nobody makes the weather any more.
    pub(super) async fn wait(&mut self, rate: impl Fn(&Weather) -> f64) -> Option<()> {
        loop {
            let per_second = rate(&self.weather);
            if per_second <= 0.0 {
                self.weather.changed().await?;
                self.next = Instant::now();
                continue;
            }
            // Exponential gaps; the largest draw is 1 - 2^-53, so the logarithm is finite.
            let gap = -(1.0 - fastrand::f64()).ln() / per_second;
            let gap =
                Duration::try_from_secs_f64(gap).unwrap_or(Duration::MAX).min(Duration::from_secs(3600));
            let now = Instant::now();
            self.next = (self.next + gap).max(now.checked_sub(BEHIND).unwrap_or(now));
            tokio::select! {
                () = sleep_until(self.next) => return Some(()),
                // Exponential gaps have no memory: after a change the wait may begin anew.
                changed = self.weather.changed() => {
                    changed?;
                    self.next = Instant::now();
                }
            }
        }
    }
}

/// Sends an event or feed without a cause, for ever.
pub(super) async fn by_itself(instance: Instance, what: Name) {
    let share = instance.shared.plan.instances as f64;
    let mut pace = Pace::new(instance.shared.weather.clone());
    let rate = |weather: &Weather| weather.sends(&instance.shared.plan.id, &what) / share;
    while pace.wait(rate).await.is_some() {
        send(&instance, &what, None).await;
    }
}

/// Sends those of the possible consequences that follow this time.
pub(super) async fn consequences(instance: &Instance, possible: &[Name], cause: &Message) {
    let draw = fastrand::f64();
    for what in possible.iter().filter(|what| instance.shared.weather.scenario().follows(what, draw)) {
        send(instance, what, Some(cause)).await;
    }
}

/// Sends one message, and waits until it is stored where a stream keeps it.
///
/// What cannot be sent is lost, as in many a real service; the next one is tried all the same.
async fn send(instance: &Instance, what: &Name, cause: Option<&Message>) {
    let shared = &instance.shared;
    let (Some(outlet), Some(sent)) = (shared.plan.outlets.get(what), shared.sent.get(what)) else { return };
    let bytes = shared.weather.scenario().bytes(what);
    let message = Message::of(outlet, cause, sent.fetch_add(1, Ordering::Relaxed) + 1, bytes);
    let headers = headers(shared.plan.id.as_str(), what, message.trace);
    let subject = outlet.subject.to_string();
    if outlet.kept {
        if let Ok(stored) = instance.context.publish_with_headers(subject, headers, message.payload()).await {
            let _ = stored.await;
        }
    } else {
        let _ = instance.client.publish_with_headers(subject, headers, message.payload()).await;
    }
}
