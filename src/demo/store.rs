//! Real services of a declared system, as clients of a real NATS server.
//!
//! [`plan`] reads from the topology who publishes, reads, answers and calls what (pure); [`provision`] makes its streams
//! and consumers; [`service`] runs one service: its connections, its work, its health endpoint. How fast and how well all
//! that goes is the [`conditions`], which a scenario and the person at the keyboard change.

pub mod conditions;
mod director;
pub mod health;
mod payload;
pub mod plan;
pub mod provision;
pub mod service;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::{self, Context};
use tokio::sync::broadcast;
use tokio::task::{JoinHandle, JoinSet};

pub use service::Connection;

use crate::demo::scenario::Scenario;
use crate::model::command::Command;
use crate::model::id::{Name, ServiceId};
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
    #[error("cannot connect to {0}: {1}")]
    Connect(String, String),
    /// Its streams and consumers cannot be made.
    #[error(transparent)]
    Provision(#[from] ProvisionError),
    /// No port for a health endpoint.
    #[error("cannot listen on a loopback port for the health of {0}: {1}")]
    Listen(ServiceId, std::io::Error),
}

/// The running store.
pub struct Store {
    admin: async_nats::Client,
    context: Context,
    made: Made,
    services: JoinSet<()>,
    director: JoinHandle<()>,
    health: BTreeMap<ServiceId, u16>,
}

impl Store {
    /// Makes the plan's streams and consumers, opens the health endpoints and lets the services join. `shown` is the
    /// broker's address without secrets; the scenario begins now, and [`Command::Fault`] changes its course.
    pub async fn open(
        plan: Plan,
        connection: Connection,
        shown: &str,
        scenario: Arc<Scenario>,
        commands: broadcast::Receiver<Command>,
    ) -> Result<Self, StoreError> {
        let options = (connection.options)().name("headwater-demo");
        let admin = options.connect(connection.servers.clone()).await;
        let admin = admin.map_err(|error| StoreError::Connect(shown.to_owned(), error.to_string()))?;
        let mut context = jetstream::new(admin.clone());
        context.set_timeout(Duration::from_secs(5));

        // Ports first: nothing has to be taken back when there is none.
        let mut listeners = Vec::new();
        for service in plan.services.values() {
            let listener = health::listen(0).await;
            let listener = listener.map_err(|error| StoreError::Listen(service.id.clone(), error))?;
            listeners.push(listener);
        }
        let made = provision(&context, &plan, &scenario, admin.is_server_compatible(2, 10, 0)).await?;
        let (change, weather) = Weather::new(Arc::clone(&scenario));
        let mut services = JoinSet::new();
        let mut ports = BTreeMap::new();
        for (service, listener) in plan.services.into_values().zip(listeners) {
            if let Ok(address) = listener.local_addr() {
                ports.insert(service.id.clone(), address.port());
            }
            services.spawn(service::run(Arc::new(service), connection.clone(), weather.clone(), listener));
        }
        let director = tokio::spawn(director::direct(scenario, change, commands));
        Ok(Self { admin, context, made, services, director, health: ports })
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
        let Self { admin, context, made, mut services, director, .. } = self;
        // With it the weather ends: that is how services know.
        director.abort();
        let leave = async { while services.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(LEAVE_WITHIN, leave).await;
        services.shutdown().await;
        let left = made.remove(&context).await;
        let _ = admin.drain().await;
        left
    }
}
