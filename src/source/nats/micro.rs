//! Programs that answer requests and tell of it: `$SRV.STATS`, and `$SRV.INFO` for their descriptions.
//!
//! Each instance counts for itself and tells running totals; differences between two polls are the rates.
//! The rules are those of [`super::connections`]: no difference at first sight unless the instance began
//! since the last complete poll, none when a counter went back.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Deserialize;

use super::lenient::{filled, or_default, time};
use super::streams::metadata;
use crate::model::id::Name;
use crate::model::observation::{EndpointReport, ResponderReport, Span};
use crate::model::time::{Mono, Timestamp};
use crate::model::traffic::{Count, TrafficKey};
use crate::source::fold::fold;

/// One instance's answer to `$SRV.STATS` (or `$SRV.INFO`, which has the description and no counters).
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Instance {
    pub name: String,
    pub id: String,
    #[serde(default, deserialize_with = "or_default")]
    version: String,
    #[serde(default, deserialize_with = "or_default")]
    description: String,
    #[serde(default, deserialize_with = "or_default")]
    metadata: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "time")]
    started: Option<Timestamp>,
    #[serde(default, deserialize_with = "or_default")]
    endpoints: Vec<Endpoint>,
    /// When its answer came.
    #[serde(skip)]
    pub at: Mono,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Endpoint {
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    subject: String,
    #[serde(default, deserialize_with = "or_default")]
    queue_group: String,
    #[serde(default, deserialize_with = "or_default")]
    num_requests: u64,
    #[serde(default, deserialize_with = "or_default")]
    num_errors: u64,
    #[serde(default, deserialize_with = "or_default")]
    last_error: String,
    #[serde(default, deserialize_with = "or_default")]
    processing_time: u64,
}

/// The counters as they stood at the last poll.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    instances: HashMap<String, InstanceLedger>,
    /// When the last poll that was answered by all was asked, on our wall clock and monotonic.
    last: Option<(Timestamp, Mono)>,
}

#[derive(Debug)]
struct InstanceLedger {
    at: Mono,
    endpoints: HashMap<(String, String), [u64; 3]>,
}

impl Ledger {
    /// Enters the answers of one poll, asked at `wall` and `asked`, and gives what was counted since the last.
    pub(super) fn enter(
        &mut self,
        instances: &[Instance],
        wall: Timestamp,
        asked: Mono,
        complete: bool,
    ) -> Vec<(TrafficKey, Count)> {
        let mut counted: BTreeMap<TrafficKey, Count> = BTreeMap::new();
        let mut next = HashMap::with_capacity(instances.len());
        for instance in instances {
            let at = instance.at;
            let before = self.instances.remove(&instance.id);
            // `started` is on the program's own clock: one that is set wrong at worst delays the first rate.
            let began = match (self.last, instance.started) {
                (Some((wall, at)), Some(started)) if before.is_none() && started > wall => Some(at),
                _ => None,
            };
            let Some(from) = before.as_ref().map(|before| before.at).or(began) else {
                next.insert(instance.id.clone(), InstanceLedger::of(instance, at));
                continue;
            };
            let span = Span { from, to: at };
            for endpoint in &instance.endpoints {
                let now = endpoint.counters();
                let then = before
                    .as_ref()
                    .map_or(Some([0; 3]), |before| before.endpoints.get(&endpoint.key()).copied());
                let Some(then) = then.filter(|then| now.iter().zip(then).all(|(now, then)| now >= then))
                else {
                    continue;
                };
                let key = TrafficKey::Answered {
                    responder: instance.name.as_str().into(),
                    subject: fold(&endpoint.subject).into(),
                };
                counted.entry(key).or_default().add(&Count {
                    messages: now[0] - then[0],
                    errors: now[1] - then[1],
                    busy_ns: now[2] - then[2],
                    bytes: 0,
                    span,
                });
            }
            next.insert(instance.id.clone(), InstanceLedger::of(instance, at));
        }
        if complete {
            self.instances = next;
            self.last = Some((wall, asked));
        } else {
            self.instances.extend(next);
        }
        counted.into_iter().collect()
    }
}

impl InstanceLedger {
    fn of(instance: &Instance, at: Mono) -> Self {
        let endpoints =
            instance.endpoints.iter().map(|endpoint| (endpoint.key(), endpoint.counters())).collect();
        Self { at, endpoints }
    }
}

impl Endpoint {
    fn key(&self) -> (String, String) {
        (self.name.clone(), self.subject.clone())
    }

    fn counters(&self) -> [u64; 3] {
        [self.num_requests, self.num_errors, self.processing_time]
    }
}

/// The instances by name; `described` are their answers to `$SRV.INFO` by instance id.
pub(super) fn responders(
    instances: &[Instance],
    described: &HashMap<String, Instance>,
) -> Vec<ResponderReport> {
    let mut groups: BTreeMap<&str, Vec<&Instance>> = BTreeMap::new();
    for instance in instances {
        groups.entry(&instance.name).or_default().push(instance);
    }
    groups
        .into_iter()
        .map(|(name, instances)| {
            let info = instances.iter().find_map(|instance| described.get(&instance.id));
            let versions: BTreeSet<&str> =
                instances.iter().map(|one| one.version.as_str()).filter(|text| !text.is_empty()).collect();
            let mut endpoints: BTreeMap<(&str, &str, &str), Option<Name>> = BTreeMap::new();
            for endpoint in instances.iter().flat_map(|one| &one.endpoints) {
                let key = (endpoint.name.as_str(), endpoint.subject.as_str(), endpoint.queue_group.as_str());
                let last_error = endpoints.entry(key).or_default();
                *last_error = last_error.take().or_else(|| filled(&endpoint.last_error));
            }
            let own = instances.iter().find(|one| !one.metadata.is_empty()).map(|one| &one.metadata);
            ResponderReport {
                name: name.into(),
                versions: versions.into_iter().map(Into::into).collect(),
                instances: u32::try_from(instances.len()).unwrap_or(u32::MAX),
                description: info.and_then(|info| filled(&info.description)),
                metadata: metadata(own.or(info.map(|info| &info.metadata)).unwrap_or(&BTreeMap::new())),
                endpoints: endpoints
                    .into_iter()
                    .map(|((name, subject, queue), last_error)| EndpointReport {
                        name: name.into(),
                        subject: fold(subject).into(),
                        queue: filled(queue),
                        last_error,
                    })
                    .collect(),
            }
        })
        .collect()
}
