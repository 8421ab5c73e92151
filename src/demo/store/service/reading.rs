//! Reading messages: by durable consumers, pull and push, and by plain subscriptions.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::PoisonError;
use std::time::Duration;

use async_nats::jetstream::consumer::{pull, push};
use async_nats::jetstream::{AckKind, Message as Delivered};
use futures_util::{Stream, StreamExt as _};
use tokio::time::sleep;

use super::instance::Instance;
use super::sending::consequences;
use crate::demo::scenario::Reading;
use crate::demo::store::conditions::consumer;
use crate::demo::store::payload::Message;
use crate::demo::store::plan::{Arrival, By, Read};
use crate::model::id::Name;

/// Messages that are asked for ahead of the workers.
const AHEAD: u32 = 4;

/// Messages that can never be processed.
#[derive(Debug, Default)]
pub(super) struct Poison {
    /// By consumer: their sequence numbers in the stream.
    messages: BTreeSet<(Name, u64)>,
    /// How many were spoiled by which order (consumer, and when it was given).
    orders: BTreeMap<(Name, Duration), u64>,
}

/// Reads by a durable consumer until the connection ends.
pub(super) async fn durable(instance: Instance, read: Read) {
    let By::Durable { stream, name } = &read.by else { return };
    let reading = instance.shared.weather.reading(&read.by);
    let context = &instance.context;
    let push = context.get_consumer_from_stream::<push::Config, _, _>(&**name, &**stream).await;
    if let Ok(consumer) = push {
        let Ok(messages) = consumer.messages().await else { return };
        process(&instance, &read, reading, messages).await;
        return;
    }
    let pull = context.get_consumer_from_stream::<pull::Config, _, _>(&**name, &**stream).await;
    let Ok(consumer) = pull else { return };
    let messages =
        consumer.stream().max_messages_per_batch((reading.workers + AHEAD) as usize).messages().await;
    let Ok(messages) = messages else { return };
    process(&instance, &read, reading, messages).await;
}

async fn process<E>(
    instance: &Instance,
    read: &Read,
    reading: Reading,
    messages: impl Stream<Item = Result<Delivered, E>>,
) {
    // An error ends the stream: the instance starts anew. (A missed heartbeat, the consumer removed…)
    let messages =
        messages.take_while(|message| std::future::ready(message.is_ok())).filter_map(|m| async { m.ok() });
    let consumer: Name = consumer(&read.by).into();
    let consumer = &consumer;
    messages
        .for_each_concurrent(reading.workers as usize, |message| async move {
            let Some(arrival) = read.subjects.get(message.subject.as_str()) else {
                let _ = message.ack().await;
                return;
            };
            let content = Message::read(message.headers.as_ref(), &message.payload);
            let done = held(&message, reading, async {
                let time = instance.shared.weather.time(&reading.takes, Some(consumer));
                sleep(time).await;
                let refused = cannot(instance, consumer, reading, &message);
                if !refused {
                    apply(instance, arrival, &content).await;
                }
                !refused
            });
            let answer = if done.await { AckKind::Ack } else { AckKind::Nak(Some(reading.retry_after)) };
            let _ = message.ack_with(answer).await;
        })
        .await;
}

/// Keeps telling the broker that the message is being worked on: slow is not lost.
async fn held<T>(message: &Delivered, reading: Reading, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = sleep(reading.ack_wait / 3) => {
                let _ = message.ack_with(AckKind::Progress).await;
            }
        }
    }
}

/// Updates the copy and sends what follows.
async fn apply(instance: &Instance, arrival: &Arrival, content: &Message) {
    let version = content.body.get("version").and_then(serde_json::Value::as_u64);
    if let (Some(entity), Some(version)) = (&arrival.entity, version) {
        instance.shared.applied.reach(entity, version);
    }
    consequences(instance, &arrival.leads_to, content).await;
}

/// Whether the message is refused this time: the service's store is down, it is spoiled for good, or by chance at its
/// first delivery.
fn cannot(instance: &Instance, consumer: &Name, reading: Reading, message: &Delivered) -> bool {
    let now = instance.shared.weather.now();
    let Ok(info) = message.info() else { return false };
    let first = info.delivered <= 1;
    if !now.works(&instance.shared.plan.id) || (first && fastrand::f64() < reading.fails) {
        return true;
    }
    let mut poison = instance.shared.poisoned.lock().unwrap_or_else(PoisonError::into_inner);
    let this = (consumer.clone(), info.stream_sequence);
    if poison.messages.contains(&this) {
        return true;
    }
    for (order, wanted) in now.poison.iter().filter(|((of, _), _)| of == consumer && first) {
        let spoiled = poison.orders.entry(order.clone()).or_default();
        if *spoiled < *wanted {
            *spoiled += 1;
            poison.messages.insert(this);
            return true;
        }
    }
    false
}

/// Reads by a plain subscription until the connection ends.
pub(super) async fn plain(instance: Instance, read: Read) {
    let By::Plain { subject, queue } = &read.by else { return };
    let reading = instance.shared.weather.reading(&read.by);
    let subject = subject.to_string();
    let messages = match queue {
        Some(queue) => instance.client.queue_subscribe(subject, queue.to_string()).await,
        None => instance.client.subscribe(subject).await,
    };
    let Ok(messages) = messages else { return };
    let (instance, read) = (&instance, &read);
    messages
        .for_each_concurrent(reading.workers as usize, |message| async move {
            if let Some(arrival) = read.subjects.get(message.subject.as_str()) {
                sleep(instance.shared.weather.time(&reading.takes, None)).await;
                if instance.shared.weather.now().works(&instance.shared.plan.id) {
                    let content = Message::read(message.headers.as_ref(), &message.payload);
                    apply(instance, arrival, &content).await;
                }
            }
        })
        .await;
}
