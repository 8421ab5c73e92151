//! Requests: answered as a NATS micro service, asked by itself, and asked on behalf of somebody.

use std::sync::Arc;

use async_nats::service::ServiceExt as _;
use async_nats::service::error::Error as Refusal;
use async_nats::service::{self, NATS_SERVICE_ERROR};
use futures_util::{StreamExt as _, stream::SelectAll};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::instance::Instance;
use super::sending::{Pace, consequences};
use crate::demo::store::conditions::Watched;
use crate::demo::store::payload::{Message, request_headers};
use crate::demo::store::plan::{Operation, Request};

/// The version that the store's services give.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Requests that one service answers, or waits for, at once.
const AT_ONCE: usize = 256;

/// Answers the service's operations until the connection ends.
pub(super) async fn answer(instance: Instance) {
    let plan = Arc::clone(&instance.shared.plan);
    let mut builder = instance.client.service_builder().queue_group(plan.id.as_str());
    if let Some(text) = &plan.description {
        builder = builder.description(text);
    }
    let Ok(micro) = builder.start(plan.id.as_str(), VERSION).await else { return };
    let mut requests = SelectAll::new();
    for operation in &plan.answers {
        // Endpoint names may have letters, digits, dashes and underscores alone.
        let name =
            operation.name.replace(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'), "-");
        let Ok(endpoint) = micro.endpoint_builder().name(name).add(&*operation.subject).await else { return };
        requests.push(endpoint.map(move |request| (operation, request)));
    }
    let instance = &instance;
    requests
        .for_each_concurrent(AT_ONCE, |(operation, request)| async move {
            let answer = work(instance, operation, &request).await;
            let _ = request.respond(answer.map(|body| body.to_string().into())).await;
        })
        .await;
}

/// What an operation answers: its own work, after what it has to ask of others.
async fn work(
    instance: &Instance,
    operation: &Operation,
    request: &service::Request,
) -> Result<Value, Refusal> {
    let shared = &instance.shared;
    let plan = &shared.plan;
    let message = Message::read(request.message.headers.as_ref(), &request.message.payload);
    let (time, down) = {
        let now = shared.conditions.borrow();
        (now.work(&plan.id, &operation.name), now.down.contains(&plan.id))
    };
    if down {
        let store = plan.stores.first().map_or("its store", |store| store.as_str());
        return Err(Refusal { status: format!("{store}: connection refused"), code: 503 });
    }
    sleep(time.mul_f64(0.5 + fastrand::f64())).await;
    for call in &operation.calls {
        ask(instance, call, &message).await.map_err(|why| {
            let status = format!("{}: {why}", call.operation);
            Refusal { status, code: 502 }
        })?;
    }
    consequences(instance, &operation.leads_to, &message).await;
    let entity = operation.entity.as_ref().map(|entity| entity.as_str());
    let ids: serde_json::Map<String, Value> =
        message.body.into_iter().filter(|(field, _)| field.ends_with("_id") || field == "sku").collect();
    Ok(json!({"entity": entity, "ids": ids}))
}

/// Asks without a cause, for ever: what people do in the shop.
pub(super) async fn by_itself(instance: Instance, call: Request) {
    let share = instance.shared.plan.instances as f64;
    let id = instance.shared.plan.id.clone();
    let mut pace = Pace::new(instance.shared.conditions.clone());
    let rate = |conditions: &Watched| {
        let now = conditions.borrow();
        if now.down.contains(&id) { 0.0 } else { now.rate(&call.operation) / share }
    };
    let waiting = Arc::new(Semaphore::new(AT_ONCE));
    let mut asked = JoinSet::new();
    while pace.wait(rate).await.is_some() {
        while asked.try_join_next().is_some() {}
        // With no time-out, those who wait for ever pile up: at some number a real service has no more room either.
        let Ok(room) = Arc::clone(&waiting).try_acquire_owned() else { continue };
        let (instance, call) = (instance.clone(), call.clone());
        asked.spawn(async move {
            let _ = ask(&instance, &call, &Message::visit()).await;
            drop(room);
        });
    }
}

/// Asks once, as patiently as the topology declares. The error is one line.
async fn ask(instance: &Instance, call: &Request, cause: &Message) -> Result<(), String> {
    let request = async_nats::Request::new()
        .headers(request_headers(cause.trace.next()))
        .payload(cause.payload())
        .timeout(call.timeout);
    let answer = instance.client.send_request(call.subject.to_string(), request).await;
    let answer = answer.map_err(|error| error.to_string())?;
    match answer.headers.as_ref().and_then(|headers| headers.get(NATS_SERVICE_ERROR)) {
        Some(error) => Err(error.to_string()),
        None => Ok(()),
    }
}
