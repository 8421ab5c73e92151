//! How fast and how well the store's services work at one moment: what a scenario and the person at the keyboard change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::model::id::{Name, ServiceId};

/// Conditions as the services see them: always the newest, and a wake-up when they change.
pub type Watched = watch::Receiver<Arc<Conditions>>;

/// How things are at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conditions {
    /// What is sent or asked without a cause, per second, by event, feed or operation.
    pub rates: BTreeMap<Name, f64>,
    /// How often an event follows from its cause, 0 to 1; always, when not given. Those of one cause that have a share
    /// are alternatives: at most one of them follows.
    pub shares: BTreeMap<Name, f64>,
    /// Mean processing time, by service and by event, feed or operation.
    pub work: BTreeMap<(ServiceId, Name), Duration>,
    /// Mean processing time where nothing else is said.
    pub usual_work: Duration,
    /// Messages that one instance processes at once.
    pub workers: usize,
    /// Services that have left: no connection, no health endpoint.
    pub stopped: BTreeSet<ServiceId>,
    /// Services whose store refuses: health is 503, operations fail, nothing is sent or processed.
    pub down: BTreeSet<ServiceId>,
    /// Consumers (stream, durable) that get a message every few seconds that they can never process.
    pub poisoned: BTreeSet<(Name, Name)>,
}

impl Conditions {
    /// How often something is sent without a cause, per second.
    pub fn rate(&self, what: &str) -> f64 {
        self.rates.get(what).copied().filter(|rate| rate.is_finite() && *rate > 0.0).unwrap_or(0.0)
    }

    /// Mean time that a service takes for one message or request.
    pub fn work(&self, service: &ServiceId, what: &Name) -> Duration {
        self.work.get(&(service.clone(), what.clone())).copied().unwrap_or(self.usual_work)
    }

    /// Which of the possible consequences follow, for a number drawn evenly from 0 to 1.
    pub fn consequences<'a>(&self, possible: &'a [Name], draw: f64) -> Vec<&'a Name> {
        let mut taken = 0.0;
        possible
            .iter()
            .filter(|what| match self.shares.get(*what) {
                None => true,
                Some(share) => {
                    let from = taken;
                    taken += share;
                    (from..taken).contains(&draw)
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternatives_exclude_each_other() {
        let conditions = Conditions {
            shares: [("Received".into(), 0.9), ("Failed".into(), 0.1)].into(),
            ..Conditions::default()
        };
        let possible: Vec<Name> = vec!["Issued".into(), "Received".into(), "Failed".into()];
        let follow = |draw| {
            conditions.consequences(&possible, draw).into_iter().map(|w| w.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(follow(0.0), ["Issued", "Received"]);
        assert_eq!(follow(0.95), ["Issued", "Failed"]);
    }

    #[test]
    fn nonsense_rates_are_none() {
        let rates = [("a".into(), f64::NAN), ("b".into(), -1.0), ("c".into(), 2.0)].into();
        let conditions = Conditions { rates, ..Conditions::default() };
        assert_eq!(["a", "b", "c", "d"].map(|what| conditions.rate(what)), [0.0, 0.0, 2.0, 0.0]);
    }
}
