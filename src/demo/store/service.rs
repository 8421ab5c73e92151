//! One service of the store: joins, works, leaves, as the conditions say.

mod asking;
mod instance;
mod reading;
mod sending;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::ConnectOptions;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::conditions::Watched;
use super::health::{Applied, listen, serve};
use super::plan::{By, ServicePlan};
use crate::model::id::Name;

/// Where the services connect.
#[derive(Clone)]
pub struct Connection {
    /// The servers' addresses.
    pub servers: Vec<async_nats::ServerAddr>,
    /// Credentials and TLS; each instance adds its name.
    pub options: Arc<dyn Fn() -> ConnectOptions + Send + Sync>,
}

/// What the instances of one service share, and what outlives their leaving and coming back.
struct Shared {
    plan: Arc<ServicePlan>,
    conditions: Watched,
    /// How much each outlet has sent.
    sent: BTreeMap<Name, AtomicU64>,
    applied: Applied,
    /// Messages that can never be processed, by consumer: stream sequence numbers.
    poisoned: Mutex<BTreeMap<By, reading::Poison>>,
    /// Open connections. Ending tasks is not enough to close them: the library answers `$SRV` in a task of its own.
    clients: Mutex<Vec<async_nats::Client>>,
}

/// Runs a service until nobody sets conditions any more. `health` is its endpoints' listener for the first time.
pub async fn run(plan: Arc<ServicePlan>, connection: Connection, conditions: Watched, health: TcpListener) {
    let port = health.local_addr().map_or(0, |address| address.port());
    let mut listener = Some(health);
    let sent = plan.outlets.keys().map(|what| (what.clone(), AtomicU64::new(0))).collect();
    let shared = Arc::new(Shared {
        plan: Arc::clone(&plan),
        conditions: conditions.clone(),
        sent,
        applied: Applied::default(),
        poisoned: Mutex::default(),
        clients: Mutex::default(),
    });
    let stopped = |conditions: &Watched| conditions.borrow().stopped.contains(&plan.id);
    let mut conditions = conditions;
    loop {
        while stopped(&conditions) {
            listener = None;
            if conditions.changed().await.is_err() {
                return;
            }
        }
        let endpoint = match listener.take() {
            Some(listener) => Ok(listener),
            None => listen(port).await,
        };
        let Ok(endpoint) = endpoint else {
            // Somebody has taken the port meanwhile: it is asked for until it is free.
            tokio::time::sleep(Duration::from_millis(200)).await;
            continue;
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(endpoint, Arc::clone(&plan), conditions.clone(), shared.applied.clone()));
        for number in 1..=plan.instances {
            tasks.spawn(instance::run(Arc::clone(&shared), connection.clone(), number));
        }
        loop {
            tokio::select! {
                changed = conditions.changed() => {
                    if changed.is_err() {
                        tasks.shutdown().await;
                        shared.close().await;
                        return;
                    }
                    if stopped(&conditions) {
                        break;
                    }
                }
                // A task that ends by itself has failed: the service starts anew, as its platform would do it.
                Some(_) = tasks.join_next() => {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    break;
                }
            }
        }
        tasks.shutdown().await;
        shared.close().await;
    }
}

impl Shared {
    /// Closes the connections; what was published before is sent before.
    async fn close(&self) {
        let clients = std::mem::take(&mut *self.clients.lock().unwrap_or_else(PoisonError::into_inner));
        for client in clients {
            let _ = client.drain().await;
        }
    }
}
