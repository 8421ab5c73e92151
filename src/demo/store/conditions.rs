//! How fast and how well the store's services work at one moment: a scenario, and what of it holds now.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::plan::By;
use crate::demo::scenario::{Conditions, Reading, Scenario, Times};
use crate::model::id::{Name, ServiceId};

/// Conditions as the services see them: always the newest, and a wake-up when they change.
#[derive(Clone)]
pub struct Weather {
    scenario: Arc<Scenario>,
    now: watch::Receiver<Arc<Conditions>>,
}

impl Weather {
    /// The weather of a scenario, and where to change it.
    pub fn new(scenario: Arc<Scenario>) -> (watch::Sender<Arc<Conditions>>, Self) {
        let (change, now) = watch::channel(Arc::default());
        (change, Self { scenario, now })
    }

    /// What holds now.
    pub fn now(&self) -> Arc<Conditions> {
        Arc::clone(&self.now.borrow())
    }

    /// Waits for a change; `None` when nobody changes anything any more.
    pub async fn changed(&mut self) -> Option<()> {
        self.now.changed().await.ok()
    }

    /// The usual way of everything.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// How often a service sends something of itself, per second.
    pub fn sends(&self, service: &ServiceId, what: &str) -> f64 {
        let now = self.now.borrow();
        if !now.works(service) {
            return 0.0;
        }
        self.scenario.sends.get(what).copied().unwrap_or(0.0) * now.burst(what)
    }

    /// How often a service asks something of itself, per second.
    pub fn asks(&self, service: &ServiceId, operation: &Name) -> f64 {
        let now = self.now.borrow();
        if !now.works(service) {
            return 0.0;
        }
        let usual = self.scenario.asks.get(&(service.clone(), operation.clone())).copied().unwrap_or(0.0);
        usual * now.burst(operation)
    }

    /// How a position is read.
    pub fn reading(&self, by: &By) -> Reading {
        self.scenario.reading(&consumer(by))
    }

    /// A time for one message or request, drawn anew.
    pub fn time(&self, times: &Times, consumer: Option<&str>) -> Duration {
        let factor = consumer.map_or(1.0, |consumer| self.now.borrow().slow(consumer));
        times.draw(normal(), factor)
    }
}

/// A position as the scenario names it: `STREAM/durable`, or the subject of a plain subscription.
pub fn consumer(by: &By) -> String {
    match by {
        By::Durable { stream, name } => format!("{stream}/{name}"),
        By::Plain { subject, .. } => subject.to_string(),
    }
}

/// From the standard normal distribution (Box and Muller).
fn normal() -> f64 {
    // Away from 0, whose logarithm is infinite.
    let radius = (-2.0 * (1.0 - fastrand::f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * fastrand::f64()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::scenario::load::{Known, read};
    use crate::demo::scenario::{STORE, STORE_FILE};

    #[test]
    fn draws_are_normal() {
        let draws: Vec<f64> = (0..20_000).map(|_| normal()).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        assert!(draws.iter().all(|d| d.is_finite()));
        assert!(mean.abs() < 0.05 && (variance - 1.0).abs() < 0.1, "mean {mean}, variance {variance}");
    }

    #[test]
    fn who_does_not_work_sends_nothing() {
        let known = Known::of(&crate::demo::sample::load().topology.unwrap());
        let built_in = read(STORE_FILE, STORE, &known).unwrap();
        let scenario = Scenario { sends: [("a".into(), 3.0)].into(), ..built_in };
        let (change, weather) = Weather::new(Arc::new(scenario));
        let service = ServiceId::from("accounts");
        assert!((weather.sends(&service, "a") - 3.0).abs() < 1e-9);
        change.send_replace(Arc::new(Conditions {
            burst: [("a".into(), 2.0)].into(),
            ..Conditions::default()
        }));
        assert!((weather.sends(&service, "a") - 6.0).abs() < 1e-9);
        change.send_replace(Arc::new(Conditions {
            down: [(service.clone(), None)].into(),
            ..Conditions::default()
        }));
        assert!(weather.sends(&service, "a").abs() < 1e-9);
    }
}
