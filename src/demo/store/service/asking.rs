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
use crate::demo::store::conditions::Weather;
use crate::demo::store::payload::{Message, request_headers};
use crate::demo::store::plan::{Operation, Request};
use crate::model::id::EntityId;

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
    let weather = &shared.weather;
    let now = weather.now();
    if let Some(part) = now.down.get(&plan.id) {
        let part = part.as_deref().unwrap_or("the service");
        return Err(Refusal { status: format!("{part}: connection refused"), code: 503 });
    }
    let answering = weather.scenario().answering(&operation.name);
    sleep(weather.time(&answering.takes, None)).await;
    if fastrand::f64() < answering.fails {
        return Err(Refusal { status: "internal error".to_owned(), code: 500 });
    }
    for call in &operation.calls {
        ask(instance, call, &message).await.map_err(|why| {
            let status = format!("{}: {why}", call.operation);
            Refusal { status, code: 502 }
        })?;
    }
    consequences(instance, &operation.leads_to, &message).await;
    let entity = operation.entity.as_ref().map(EntityId::as_str);
    let ids: serde_json::Map<String, Value> =
        message.body.into_iter().filter(|(field, _)| field.ends_with("_id") || field == "sku").collect();
    Ok(json!({"entity": entity, "ids": ids}))
}

/// Asks without a cause, for ever: what people do in the shop.
pub(super) async fn by_itself(instance: Instance, call: Request) {
    let share = instance.shared.plan.instances as f64;
    let mut pace = Pace::new(instance.shared.weather.clone());
    let rate = |weather: &Weather| weather.asks(&instance.shared.plan.id, &call.operation) / share;
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
