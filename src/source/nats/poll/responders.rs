//! The turn of the programs that answer requests.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;

use super::patience::{Crowd, Retry};
use super::remedy;
use crate::model::observation::{Listing, Observation};
use crate::model::time::Stamp;
use crate::source::nats::api::read;
use crate::source::nats::desk::{Desk, Part};
use crate::source::nats::micro::{Instance, Ledger, responders};
use crate::source::nats::wire::{Failure, Wire};

/// `$SRV`, of all programs that answer it.
pub(super) struct Responders<'a> {
    wire: &'a Wire,
    desk: &'a Desk,
    ledger: Ledger,
    /// Answers to `$SRV.INFO` by instance.
    described: HashMap<String, Instance>,
    crowd: Crowd,
    retry: Retry,
}

impl<'a> Responders<'a> {
    pub(super) fn new(wire: &'a Wire, desk: &'a Desk) -> Self {
        Self {
            wire,
            desk,
            ledger: Ledger::default(),
            described: HashMap::new(),
            crowd: Crowd::default(),
            retry: Retry::default(),
        }
    }

    /// What was refused may be asked again at once.
    pub(super) fn forgive(&mut self) {
        self.retry = Retry::default();
    }

    /// What got no answer may be asked again at once.
    pub(super) fn forgive_silence(&mut self) {
        self.retry.forgive_silence();
    }

    pub(super) async fn turn(&mut self) {
        let now = self.desk.clock().now();
        if !self.retry.due(now.mono) {
            return;
        }
        match self.gather("$SRV.STATS", &self.crowd).await {
            Ok(instances) => {
                self.retry.succeeded();
                self.desk.present(&Part::Responders);
                self.tell(instances, now).await;
            }
            // Nobody publishes statistics: that is an answer.
            Err(Failure::NoResponders(_)) => {
                self.desk.present(&Part::Responders);
                self.tell(Vec::new(), now).await;
            }
            Err(failure) => {
                self.retry.failed(&failure, now.mono);
                // Somebody subscribes to the subject and does not answer: no statistics, and no harm.
                let trouble = !matches!(failure, Failure::Timeout { .. });
                if failure != Failure::Lost {
                    let why = failure.to_string();
                    self.desk.missing(
                        Part::Responders,
                        "request statistics",
                        &why,
                        &remedy(&failure),
                        trouble,
                    );
                }
            }
        }
    }

    /// Tells what was answered to a question of the time `asked`.
    async fn tell(&mut self, instances: Vec<Instance>, asked: Stamp) {
        let answered: BTreeSet<String> = instances.iter().map(|one| one.id.clone()).collect();
        let complete = self.crowd.enter(&answered);
        self.described.retain(|id, _| answered.contains(id));
        if answered.iter().any(|id| !self.described.contains_key(id)) {
            let everybody = Crowd::of(&answered);
            if let Ok(described) = self.gather("$SRV.INFO", &everybody).await {
                self.described.extend(described.into_iter().map(|one| (one.id.clone(), one)));
            }
            // Who does not describe itself is not asked again.
            for one in &instances {
                self.described.entry(one.id.clone()).or_insert_with(|| one.clone());
            }
        }
        let counted = self.ledger.enter(&instances, asked.wall, asked.mono, complete);
        self.desk.count(counted);
        let entries = responders(&instances, &self.described);
        self.desk.observe(self.desk.clock().now(), Observation::Responders(Listing { entries, complete }));
    }

    async fn gather(&self, subject: &str, crowd: &Crowd) -> Result<Vec<Instance>, Failure> {
        self.desk.budget().take().await;
        self.desk.requested();
        let mut answered = BTreeSet::new();
        let mut instances: BTreeMap<String, Instance> = BTreeMap::new();
        self.wire
            .gather(subject, Bytes::new(), &crowd.patience(self.desk.rtt()), |answer| {
                self.desk.heard_answer();
                let Ok(mut one) = read::<Instance>(subject, &answer.payload) else { return false };
                answered.insert(one.id.clone());
                one.at = answer.trip.received.mono;
                instances.insert(one.id.clone(), one);
                crowd.enough(&answered)
            })
            .await?;
        Ok(instances.into_values().collect())
    }
}
