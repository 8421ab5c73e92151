//! What is really so, message by message: what no broker tells and the engine's words are tested against.

use std::collections::BTreeMap;
use std::time::Duration;

use super::broker::Stage;
use super::observe::Watch;
use super::work::World;
use crate::model::acks::AckKind;
use crate::model::histogram::Histogram;
use crate::model::id::{ConsumerId, Name, ServiceId};
use crate::model::message::MessageId;
use crate::model::observation::HealthState;
use crate::model::time::Timestamp;

/// What is really so at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// The broker's clock.
    pub broker_now: Timestamp,
    /// Consumers.
    pub consumers: BTreeMap<ConsumerId, ConsumerTruth>,
    /// Messages stored so far, by stream.
    pub stored: BTreeMap<Name, u64>,
    /// Operations, by subject.
    pub operations: BTreeMap<Name, OperationTruth>,
    /// Services.
    pub services: BTreeMap<ServiceId, ServiceTruth>,
}

/// A consumer.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerTruth {
    /// The service that reads it.
    pub service: ServiceId,
    /// Messages waiting for delivery.
    pub lag: u64,
    /// Delivered and not acknowledged.
    pub in_flight: u64,
    /// Marked as delivered more than once.
    pub redelivered: u64,
    /// Given up, since the system began.
    pub gave_up: u64,
    /// Acknowledged, since the system began.
    pub acked: u64,
    /// Deliveries, since the system began.
    pub deliveries: u64,
    /// When the oldest message was stored that it still has to process, on the broker's clock.
    pub oldest: Option<Timestamp>,
    /// How old that message is; zero when there is none.
    pub staleness: Duration,
    /// Append → acknowledged, since watching began.
    pub delays: Histogram,
}

/// An operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationTruth {
    /// Requests answered, since the system began.
    pub requests: u64,
    /// With an error.
    pub errors: u64,
    /// Nanoseconds spent on them.
    pub busy: u64,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceTruth {
    /// Its processes run.
    pub runs: bool,
    /// It runs and does its work.
    pub works: bool,
    /// What its last health check told.
    pub checked: Option<HealthState>,
    /// Its open connections.
    pub connections: u32,
}

/// One message at one consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is not for it.
    NotForIt,
    /// Not delivered yet.
    Waiting {
        /// Messages for the same consumer that come before it.
        ahead: u64,
    },
    /// Delivered and not settled.
    InFlight {
        /// So often.
        deliveries: u64,
    },
    /// Given up after its last delivery.
    GaveUp,
    /// Processed.
    Acknowledged {
        /// Append → acknowledged, in nanoseconds; `None` when that is too long ago to be remembered.
        delay: Option<i64>,
    },
}

pub(super) fn fates(world: &World, watch: &Watch, id: &MessageId) -> Option<BTreeMap<ConsumerId, Fate>> {
    let stream = world.streams.get(watch.stream(world, &id.channel)?)?;
    let message = stream.get(id.seq)?;
    let readers = stream.consumers.iter().filter_map(|at| Some((*at, world.readers.get(*at)?)));
    let fates = readers.map(|(at, reader)| {
        let fate = match reader.consumer.stage(message, stream) {
            Stage::NotWanted => Fate::NotForIt,
            Stage::Waiting { ahead } => Fate::Waiting { ahead },
            Stage::InFlight { deliveries } => Fate::InFlight { deliveries },
            Stage::GivenUp => Fate::GaveUp,
            Stage::Acknowledged => {
                let its = world.said.since(0).rev().filter(|s| s.reader == at && s.seq == id.seq);
                let acked = its.filter(|said| said.kind == AckKind::Acknowledged);
                let delay = |at: u64| i64::try_from(at.saturating_sub(message.at)).unwrap_or(i64::MAX);
                Fate::Acknowledged { delay: acked.map(|said| delay(said.at)).next() }
            }
        };
        (reader.id.clone(), fate)
    });
    Some(fates.collect())
}

impl Truth {
    pub(super) fn of(world: &World, watch: &Watch, now: u64) -> Self {
        let broker_now = watch.broker_time(now);
        let consumers = world.readers.iter().filter_map(|reader| {
            let stream = world.streams.get(reader.consumer.stream)?;
            let oldest = reader.consumer.oldest(stream).map(|(_, at)| at);
            let truth = ConsumerTruth {
                service: world.services.get(reader.service)?.plan.id.clone(),
                lag: reader.consumer.pending,
                in_flight: reader.consumer.in_flight(),
                redelivered: reader.consumer.redelivered(),
                gave_up: reader.consumer.gave_up,
                acked: reader.consumer.acked,
                deliveries: reader.consumer.delivered.0,
                oldest: oldest.map(|at| watch.broker_time(at)),
                staleness: oldest.map_or(Duration::ZERO, |at| Duration::from_nanos(now.saturating_sub(at))),
                delays: reader.delays.clone(),
            };
            Some((reader.id.clone(), truth))
        });
        let checked = watch.checked();
        let services = world.services.iter().map(|service| {
            let connections = if service.runs { service.instances.len() as u32 } else { 0 };
            let truth = ServiceTruth {
                runs: service.runs,
                works: service.works,
                checked: checked.get(&service.plan.id).copied(),
                connections,
            };
            (service.plan.id.clone(), truth)
        });
        let operations = world.operations.iter().map(|operation| {
            let truth = OperationTruth {
                requests: operation.requests,
                errors: operation.errors,
                busy: operation.busy,
            };
            (operation.subject.clone(), truth)
        });
        Self {
            broker_now,
            consumers: consumers.collect(),
            stored: world.streams.iter().map(|stream| (stream.name.clone(), stream.last_seq)).collect(),
            operations: operations.collect(),
            services: services.collect(),
        }
    }
}
