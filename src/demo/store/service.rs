//! One service of the store: joins, works, leaves, as the weather allows.

mod asking;
mod instance;
mod reading;
mod sending;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::conditions::Weather;
use super::health::{Applied, listen, serve};
use super::plan::ServicePlan;
use crate::model::id::Name;
use crate::source::nats::options::NatsOptions;

/// What the instances of one service share, and what outlives their leaving and coming back.
struct Shared {
    plan: Arc<ServicePlan>,
    weather: Weather,
    /// How much each outlet has sent.
    sent: BTreeMap<Name, AtomicU64>,
    applied: Applied,
    /// Messages that can never be processed.
    poisoned: Mutex<reading::Poison>,
    /// Open connections. Ending tasks is not enough to close them: the library answers `$SRV` in a task of its own.
    clients: Mutex<Vec<async_nats::Client>>,
}

/// Runs a service until nobody makes the weather any more. `health` is its endpoints' listener for the first time.
pub async fn run(plan: Arc<ServicePlan>, broker: NatsOptions, mut weather: Weather, health: TcpListener) {
    let port = health.local_addr().map_or(0, |address| address.port());
    let mut listener = Some(health);
    let sent = plan.outlets.keys().map(|what| (what.clone(), AtomicU64::new(0))).collect();
    let shared = Arc::new(Shared {
        plan: Arc::clone(&plan),
        weather: weather.clone(),
        sent,
        applied: Applied::default(),
        poisoned: Mutex::default(),
        clients: Mutex::default(),
    });
    loop {
        while !weather.now().runs(&plan.id) {
            listener = None;
            if weather.changed().await.is_none() {
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
        tasks.spawn(serve(endpoint, Arc::clone(&plan), weather.clone(), shared.applied.clone()));
        for number in 1..=plan.instances {
            tasks.spawn(instance::run(Arc::clone(&shared), broker.clone(), number));
        }
        let ended = until_it_leaves(&mut weather, &plan, &mut tasks).await;
        tasks.shutdown().await;
        shared.close().await;
        if ended.is_none() {
            return;
        }
    }
}

/// Waits until the service is stopped, or fails; `None` when all is over.
async fn until_it_leaves(weather: &mut Weather, plan: &ServicePlan, tasks: &mut JoinSet<()>) -> Option<()> {
    loop {
        tokio::select! {
            changed = weather.changed() => {
                changed?;
                if !weather.now().runs(&plan.id) {
                    return Some(());
                }
            }
            // A task that ends by itself has failed: the service starts anew, as its platform would do it.
            Some(_) = tasks.join_next() => {
                tokio::time::sleep(Duration::from_millis(500)).await;
                return Some(());
            }
        }
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
