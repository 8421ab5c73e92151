//! One running instance of a service: its connection and all that it does over it.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_nats::jetstream::{self, Context};
use tokio::task::JoinSet;

use super::{Shared, asking, reading, sending};
use crate::demo::store::plan::By;
use crate::source::nats::options::NatsOptions;

/// An instance at work; cheap to clone.
#[derive(Clone)]
pub(super) struct Instance {
    pub(super) shared: Arc<Shared>,
    pub(super) client: async_nats::Client,
    pub(super) context: Context,
}

/// Runs until it is aborted, or until a part of it fails. The connection ends with it.
pub(super) async fn run(shared: Arc<Shared>, broker: NatsOptions, number: usize) {
    let name = format!("{}-{number}", shared.plan.id);
    let Ok(client) = broker.connect_as(&name).await else { return };
    shared.clients.lock().unwrap_or_else(PoisonError::into_inner).push(client.clone());
    let mut context = jetstream::with_prefix(client.clone(), &broker.js_api);
    context.set_timeout(Duration::from_secs(5));
    let instance = Instance { shared, client, context };
    let mut tasks = JoinSet::new();
    for read in instance.shared.plan.reads.clone() {
        match &read.by {
            By::Durable { .. } => tasks.spawn(reading::durable(instance.clone(), read)),
            By::Plain { .. } => tasks.spawn(reading::plain(instance.clone(), read)),
        };
    }
    for what in instance.shared.plan.by_itself.clone() {
        tasks.spawn(sending::by_itself(instance.clone(), what));
    }
    for call in instance.shared.plan.calls.clone() {
        tasks.spawn(asking::by_itself(instance.clone(), call));
    }
    if !instance.shared.plan.answers.is_empty() {
        tasks.spawn(asking::answer(instance.clone()));
    }
    // The first part that ends takes the others with it.
    let _ = tasks.join_next().await;
}
