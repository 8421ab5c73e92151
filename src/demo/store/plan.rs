//! Who does what in the demo, read from the topology: pure.
//!
//! Two things the topology does not say are decided here. A service that answers operations makes its calls while it
//! answers the first of them; one that answers nothing makes them by itself. And what follows from an
//! answered operation stands in the sample's own `x-leads-to`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::id::{EntityId, Name, ServiceId, StoreId};
use crate::topology::Topology;
use crate::topology::declared::{Call, Reader, Service};
use crate::topology::word::{BrokerKind, Protocol};

/// The field by which the sample says which events follow from an answered operation.
const LEADS_TO: &str = "x-leads-to";
/// Instances of a service that shares its work in a queue group.
const SHARED: usize = 2;

/// Everything that the store does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Streams by name, with the subjects that they capture.
    pub streams: BTreeMap<Name, BTreeSet<Name>>,
    /// Durable consumers.
    pub consumers: Vec<Durable>,
    /// Services by id.
    pub services: BTreeMap<ServiceId, ServicePlan>,
}

/// A durable consumer.
#[derive(Clone, Debug, PartialEq)]
pub struct Durable {
    /// Its stream.
    pub stream: Name,
    /// Its name.
    pub name: Name,
    /// The subjects that it reads.
    pub filters: BTreeSet<Name>,
    /// Where it delivers to; `None` for pull.
    pub deliver_subject: Option<Name>,
    /// The queue group that shares a push consumer.
    pub queue: Option<Name>,
}

/// What one service does.
#[derive(Clone, Debug, PartialEq)]
pub struct ServicePlan {
    /// Its id.
    pub id: ServiceId,
    /// What it is for.
    pub description: Option<Name>,
    /// How many of it run.
    pub instances: usize,
    /// What it reads.
    pub reads: Vec<Read>,
    /// What it sends, by event or feed.
    pub outlets: BTreeMap<Name, Outlet>,
    /// What it sends without being asked: all that follows from nothing else.
    pub by_itself: Vec<Name>,
    /// What it answers.
    pub answers: Vec<Operation>,
    /// What it asks by itself.
    pub calls: Vec<Request>,
    /// Its stores, the first one being what breaks when it goes down.
    pub stores: Vec<StoreId>,
    /// Its health endpoints.
    pub health: Vec<Endpoint>,
}

/// One position from which a service reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// How.
    pub by: By,
    /// By subject: what arrives there.
    pub subjects: BTreeMap<Name, Arrival>,
}

/// How messages are read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// By a durable consumer of a stream.
    Durable {
        /// The stream.
        stream: Name,
        /// The consumer.
        name: Name,
    },
    /// By a plain subscription.
    Plain {
        /// The subject.
        subject: Name,
        /// The queue group.
        queue: Option<Name>,
    },
}

/// What arrives on a subject, and what comes of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arrival {
    /// The event or feed.
    pub what: Name,
    /// The entity whose copy it updates, for feeds.
    pub entity: Option<EntityId>,
    /// Events that follow.
    pub leads_to: Vec<Name>,
}

/// Where an event or feed is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Outlet {
    /// The event or feed.
    pub what: Name,
    /// The subject.
    pub subject: Name,
    /// Whether a stream keeps it, so that its storing is acknowledged.
    pub kept: bool,
    /// The entity that it is about.
    pub entity: Option<EntityId>,
    /// The field that identifies the entity.
    pub key: Option<Name>,
    /// A feed; else an event.
    pub feed: bool,
}

/// An operation that a service answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Its name.
    pub name: Name,
    /// The subject.
    pub subject: Name,
    /// What is asked of others before it is answered.
    pub calls: Vec<Request>,
    /// Events that follow from it.
    pub leads_to: Vec<Name>,
    /// The entity that the answer is about.
    pub entity: Option<EntityId>,
}

/// A request to another service.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Whom.
    pub service: ServiceId,
    /// What.
    pub operation: Name,
    /// The subject.
    pub subject: Name,
    /// How long it waits; `None` for ever, which is the mistake that the sample shows.
    pub timeout: Option<Duration>,
}

/// A health endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// Its name.
    pub name: Name,
    /// The path of its URL.
    pub path: Name,
    /// Where its answer holds the version of which entity's copy.
    pub applied: Vec<(EntityId, Name)>,
}

impl Plan {
    /// Reads the plan of what runs over the given NATS broker (of all, when it is the only one).
    pub fn of(topology: &Topology, broker: &str) -> Self {
        let here = |named: Option<&Name>| match named {
            Some(name) => &**name == broker,
            None => topology.brokers.values().filter(|b| b.kind == BrokerKind::Nats).count() == 1,
        };
        let mut plan = Self::default();
        for service in topology.services.values() {
            let outlets = outlets(service, &here);
            for outlet in service.publishes.iter().filter(|p| here(p.broker.as_ref())) {
                plan.capture(outlet.stream.as_ref(), outlet.channel.as_ref());
            }
            for feed in service.provides_feeds.iter().filter(|p| here(p.broker.as_ref())) {
                plan.capture(feed.stream.as_ref(), feed.channel.as_ref());
            }
            let reads = plan.reads(service, &here);
            let shared = reads.iter().any(|read| match &read.by {
                By::Plain { queue, .. } => queue.is_some(),
                By::Durable { stream, name } => {
                    plan.consumers.iter().any(|c| c.stream == *stream && c.name == *name && c.queue.is_some())
                }
            });
            let answers = answers(topology, service, &here);
            let follows: BTreeSet<&Name> = reads
                .iter()
                .flat_map(|read| read.subjects.values().flat_map(|arrival| &arrival.leads_to))
                .chain(answers.iter().flat_map(|operation| &operation.leads_to))
                .collect();
            let by_itself = outlets.keys().filter(|what| !follows.contains(what)).cloned().collect();
            let calls = if answers.is_empty() { requests(topology, &service.calls) } else { Vec::new() };
            let planned = ServicePlan {
                id: service.id.clone(),
                description: service.description.clone(),
                instances: if shared { SHARED } else { 1 },
                by_itself,
                reads,
                outlets,
                answers,
                calls,
                stores: service.stores.clone(),
                health: service.health.iter().map(endpoint).collect(),
            };
            plan.services.insert(service.id.clone(), planned);
        }
        plan
    }

    /// Every declared durable, as `STREAM/durable`.
    pub fn consumer_names(&self) -> impl Iterator<Item = String> {
        self.consumers.iter().map(|consumer| format!("{}/{}", consumer.stream, consumer.name))
    }

    fn capture(&mut self, stream: Option<&Name>, subject: Option<&Name>) {
        if let (Some(stream), Some(subject)) = (stream, subject) {
            self.streams.entry(stream.clone()).or_default().insert(subject.clone());
        }
    }

    /// What a service reads; its consumers are added to the plan.
    fn reads(&mut self, service: &Service, here: &impl Fn(Option<&Name>) -> bool) -> Vec<Read> {
        let events = service.consumes.iter().filter(|c| here(c.broker.as_ref())).filter_map(|c| {
            let arrival = Arrival { what: c.event.clone(), entity: None, leads_to: c.leads_to.clone() };
            Some((c.consumer.as_ref()?, c.channel.as_ref()?, arrival))
        });
        let feeds = service.follows_feeds.iter().filter(|f| here(f.broker.as_ref())).filter_map(|f| {
            let copy = service.copies.iter().find(|copy| copy.via.as_ref() == Some(&f.feed));
            let entity = copy.map(|copy| copy.entity.clone());
            let arrival = Arrival { what: f.feed.clone(), entity, leads_to: Vec::new() };
            Some((f.consumer.as_ref()?, f.channel.as_ref()?, arrival))
        });
        let mut reads: BTreeMap<By, BTreeMap<Name, Arrival>> = BTreeMap::new();
        for (reader, channel, arrival) in events.chain(feeds) {
            let by = self.position(reader, channel);
            reads.entry(by).or_default().insert(channel.clone(), arrival);
        }
        reads.into_iter().map(|(by, subjects)| Read { by, subjects }).collect()
    }

    fn position(&mut self, reader: &Reader, channel: &Name) -> By {
        let (Some(stream), Some(durable)) = (&reader.stream, &reader.durable) else {
            return By::Plain { subject: channel.clone(), queue: reader.queue.clone() };
        };
        let known = self.consumers.iter_mut().find(|c| c.stream == *stream && c.name == *durable);
        match known {
            Some(known) => {
                known.filters.insert(channel.clone());
            }
            None => self.consumers.push(Durable {
                stream: stream.clone(),
                name: durable.clone(),
                filters: BTreeSet::from([channel.clone()]),
                deliver_subject: reader.deliver_subject.clone(),
                queue: reader.queue.clone(),
            }),
        }
        By::Durable { stream: stream.clone(), name: durable.clone() }
    }
}

fn outlets(service: &Service, here: &impl Fn(Option<&Name>) -> bool) -> BTreeMap<Name, Outlet> {
    let events = service.publishes.iter().filter(|p| here(p.broker.as_ref())).filter_map(|p| {
        Some(Outlet {
            what: p.event.clone(),
            subject: p.channel.clone()?,
            kept: p.stream.is_some(),
            entity: p.entity.clone(),
            key: p.key.clone(),
            feed: false,
        })
    });
    let feeds = service.provides_feeds.iter().filter(|p| here(p.broker.as_ref())).filter_map(|p| {
        Some(Outlet {
            what: p.feed.clone(),
            subject: p.channel.clone()?,
            kept: p.stream.is_some(),
            entity: p.entity.clone(),
            key: p.key.clone(),
            feed: true,
        })
    });
    events.chain(feeds).map(|outlet| (outlet.what.clone(), outlet)).collect()
}

fn answers(topology: &Topology, service: &Service, here: &impl Fn(Option<&Name>) -> bool) -> Vec<Operation> {
    let over_nats = service
        .answers
        .iter()
        .filter(|answer| answer.protocol == Some(Protocol::Nats) && here(answer.broker.as_ref()));
    over_nats
        .enumerate()
        .map(|(nth, answer)| Operation {
            name: answer.operation.clone(),
            subject: answer.channel.clone().unwrap_or_else(|| answer.operation.clone()),
            calls: if nth == 0 { requests(topology, &service.calls) } else { Vec::new() },
            leads_to: answer.extras.get(LEADS_TO).map(names).unwrap_or_default(),
            entity: answer.entity.clone(),
        })
        .collect()
}

/// A name or a list of names.
fn names(value: &serde_json::Value) -> Vec<Name> {
    match value {
        serde_json::Value::String(name) => vec![name.as_str().into()],
        serde_json::Value::Array(list) => list.iter().filter_map(|v| v.as_str()).map(Into::into).collect(),
        _ => Vec::new(),
    }
}

fn requests(topology: &Topology, calls: &[Call]) -> Vec<Request> {
    let over_nats = calls.iter().filter(|call| call.protocol == Some(Protocol::Nats));
    over_nats
        .filter_map(|call| {
            let operation = call.operation.clone()?;
            let answers =
                topology.services.get(&call.service).map(|s| s.answers.as_slice()).unwrap_or_default();
            let channel = answers.iter().find(|a| a.operation == operation).and_then(|a| a.channel.clone());
            Some(Request {
                service: call.service.clone(),
                subject: channel.unwrap_or_else(|| operation.clone()),
                operation,
                timeout: call.timeout,
            })
        })
        .collect()
}

fn endpoint(health: &crate::topology::declared::Health) -> Endpoint {
    let path = path(health.url.secret());
    Endpoint {
        name: health.name.clone(),
        path: path.into(),
        applied: health.applied.iter().map(|a| (a.entity.clone(), a.pointer.clone())).collect(),
    }
}

/// The path of a URL.
pub(super) fn path(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/");
    path.split(['?', '#']).next().unwrap_or("/")
}

#[cfg(test)]
mod tests;
