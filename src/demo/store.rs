//! Real services of a declared system, as clients of a real NATS server.
//!
//! [`plan`] reads from the topology who publishes, reads, answers and calls what (pure); [`provision`] makes its streams
//! and consumers; [`service`] runs one service: its connections, its work, its health endpoint. How fast and how well all
//! that goes is the [`conditions`], which a scenario and the person at the keyboard change.

pub mod conditions;
mod director;
pub mod health;
pub mod neighbours;
pub(in crate::demo) mod payload;
pub mod plan;
pub mod provision;
pub mod service;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::{self, Context};
use tokio::sync::broadcast;
use tokio::task::{JoinHandle, JoinSet};

use crate::demo::scenario::Scenario;
use crate::model::command::Command;
use crate::model::id::{Name, ServiceId};
use crate::source::nats::options::{ConnectFailure, NatsOptions};
use crate::topology::Topology;
use crate::topology::declared::Address;
use conditions::Weather;
use plan::Plan;
use provision::{Made, ProvisionError, provision};

/// How long services may take to leave in order.
const LEAVE_WITHIN: Duration = Duration::from_secs(3);

/// Why the store cannot open.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectFailure),
    /// Its streams and consumers cannot be made.
    #[error(transparent)]
    Provision(#[from] ProvisionError),
    /// No port for a health endpoint.
    #[error("cannot listen on a loopback port for the health of {0}: {1}")]
    Listen(ServiceId, std::io::Error),
}

/// The running store.
pub struct Store {
    broker: NatsOptions,
    made: Made,
    services: JoinSet<()>,
    director: JoinHandle<()>,
    health: BTreeMap<ServiceId, u16>,
}

impl Store {
    /// Makes the plan's streams and consumers, opens the health endpoints and lets the services join. The scenario begins
    /// now, and [`Command::Fault`] changes its course.
    pub async fn open(
        plan: Plan,
        broker: NatsOptions,
        scenario: Arc<Scenario>,
        commands: broadcast::Receiver<Command>,
    ) -> Result<Self, StoreError> {
        let (client, context) = administer(&broker).await?;

        // Ports first: nothing has to be taken back when there is none.
        let mut listeners = Vec::new();
        for service in plan.services.values() {
            let listener = health::listen(0).await;
            let listener = listener.map_err(|error| StoreError::Listen(service.id.clone(), error))?;
            listeners.push(listener);
        }
        let made =
            provision(&client, &context, &plan, &scenario, client.is_server_compatible(2, 10, 0)).await?;
        // A connection of ours would look like one more service.
        let _ = client.drain().await;
        let (change, weather) = Weather::new(Arc::clone(&scenario));
        let mut services = JoinSet::new();
        let mut ports = BTreeMap::new();
        for (service, listener) in plan.services.into_values().zip(listeners) {
            if let Ok(address) = listener.local_addr() {
                ports.insert(service.id.clone(), address.port());
            }
            services.spawn(service::run(Arc::new(service), broker.clone(), weather.clone(), listener));
        }
        let director = tokio::spawn(director::direct(scenario, change, commands));
        Ok(Self { broker, made, services, director, health: ports })
    }

    /// The streams that were made.
    pub fn streams(&self) -> &[Name] {
        self.made.streams()
    }

    /// The declared system with the addresses at which it really is: the broker's, and the health endpoints' ports.
    pub fn relocate(
        &self,
        topology: &mut Topology,
        broker: &str,
        servers: Vec<Address>,
        monitor: Option<Address>,
    ) {
        if let Some(declared) = topology.brokers.get_mut(broker) {
            declared.servers = servers;
            declared.monitor = monitor;
        }
        for (id, service) in &mut topology.services {
            let Some(port) = self.health.get(id) else { continue };
            for health in &mut service.health {
                let path = plan::path(health.url.secret());
                health.url = Address::new(format!("http://127.0.0.1:{port}{path}"));
            }
        }
    }

    /// Lets the services leave, and removes exactly what was made. What could not be removed is returned by name.
    pub async fn close(self) -> Vec<Name> {
        let Self { broker, made, mut services, director, .. } = self;
        // With it the weather ends: that is how services know.
        director.abort();
        let leave = async { while services.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(LEAVE_WITHIN, leave).await;
        services.shutdown().await;
        let Ok((client, context)) = administer(&broker).await else { return made.streams().to_vec() };
        let left = made.remove(&context).await;
        let _ = client.drain().await;
        left
    }
}

/// A connection that makes and removes streams.
async fn administer(broker: &NatsOptions) -> Result<(async_nats::Client, Context), ConnectFailure> {
    let client = broker.connect_as("headwater-demo").await?;
    let mut context = jetstream::with_prefix(client.clone(), &broker.js_api);
    context.set_timeout(Duration::from_secs(5));
    Ok((client, context))
}
