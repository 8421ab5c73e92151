//! Reading messages: by durable consumers, pull and push, and by plain subscriptions.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::PoisonError;
use std::time::Duration;

use async_nats::jetstream::consumer::{pull, push};
use async_nats::jetstream::{AckKind, Message as Delivered};
use futures_util::{Stream, StreamExt as _};
use tokio::time::{Instant, sleep};

use super::instance::Instance;
use super::sending::consequences;
use crate::demo::store::payload::Message;
use crate::demo::store::plan::{Arrival, By, Read};
use crate::demo::store::provision::ACK_WAIT;
use crate::model::id::Name;

/// How soon a message that could not be processed comes again.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// A poisoned consumer meets a bad message this often.
const POISON_EVERY: Duration = Duration::from_secs(3);
/// Messages that are asked for at once, beside those in the workers' hands.
const AHEAD: usize = 4;

/// The messages of one consumer that can never be processed.
#[derive(Debug, Default)]
pub(super) struct Poison {
    /// Their sequence numbers in the stream.
    messages: BTreeSet<u64>,
    /// When the last one was met.
    last: Option<Instant>,
}

/// Reads by a durable consumer until the connection ends.
pub(super) async fn durable(instance: Instance, read: Read) {
    let By::Durable { stream, name } = &read.by else { return };
    let workers = instance.shared.conditions.borrow().workers.max(1);
    let context = &instance.context;
    let push = context.get_consumer_from_stream::<push::Config, _, _>(&**name, &**stream).await;
    if let Ok(consumer) = push {
        let Ok(messages) = consumer.messages().await else { return };
        process(&instance, &read, workers, messages).await;
        return;
    }
    let pull = context.get_consumer_from_stream::<pull::Config, _, _>(&**name, &**stream).await;
    let Ok(consumer) = pull else { return };
    let messages = consumer.stream().max_messages_per_batch(workers + AHEAD).messages().await;
    let Ok(messages) = messages else { return };
    process(&instance, &read, workers, messages).await;
}

async fn process<E>(
    instance: &Instance,
    read: &Read,
    workers: usize,
    messages: impl Stream<Item = Result<Delivered, E>>,
) {
    // An error ends the stream: the instance starts anew. (A missed heartbeat, the consumer removed…)
    let messages =
        messages.take_while(|message| std::future::ready(message.is_ok())).filter_map(|m| async { m.ok() });
    messages
        .for_each_concurrent(workers, |message| async move {
            let Some(arrival) = read.subjects.get(message.subject.as_str()) else {
                let _ = message.ack().await;
                return;
            };
            if is_poison(instance, &read.by, &message) {
                let _ = message.ack_with(AckKind::Nak(Some(AGAIN_AFTER))).await;
                return;
            }
            let content = Message::read(message.headers.as_ref(), &message.payload);
            held(&message, work(instance, arrival, &content)).await;
            let _ = message.ack().await;
        })
        .await;
}

/// Keeps telling the broker that the message is being worked on: slow is not lost.
async fn held(message: &Delivered, work: impl Future<Output = ()>) {
    tokio::pin!(work);
    loop {
        tokio::select! {
            () = &mut work => return,
            () = sleep(ACK_WAIT / 3) => {
                let _ = message.ack_with(AckKind::Progress).await;
            }
        }
    }
}

/// Takes its time, updates the copy, sends what follows. Waits while the service's store refuses.
async fn work(instance: &Instance, arrival: &Arrival, content: &Message) {
    let shared = &instance.shared;
    let id = &shared.plan.id;
    let time = shared.conditions.borrow().work(id, &arrival.what);
    sleep(time.mul_f64(0.5 + fastrand::f64())).await;
    let mut conditions = shared.conditions.clone();
    while conditions.borrow_and_update().down.contains(id) {
        if conditions.changed().await.is_err() {
            return;
        }
    }
    let version = content.body.get("version").and_then(serde_json::Value::as_u64);
    if let (Some(entity), Some(version)) = (&arrival.entity, version) {
        shared.applied.reach(entity, version);
    }
    consequences(instance, &arrival.leads_to, content).await;
}

/// Whether this message can never be processed: known as such, or the first that a poisoned consumer meets for a while.
fn is_poison(instance: &Instance, by: &By, message: &Delivered) -> bool {
    let (Ok(info), By::Durable { stream, name }) = (message.info(), by) else { return false };
    let key: (Name, Name) = (stream.clone(), name.clone());
    let active = instance.shared.conditions.borrow().poisoned.contains(&key);
    let mut all = instance.shared.poisoned.lock().unwrap_or_else(PoisonError::into_inner);
    let poison = all.entry(by.clone()).or_default();
    if poison.messages.contains(&info.stream_sequence) {
        return true;
    }
    let due = poison.last.is_none_or(|last| last.elapsed() >= POISON_EVERY);
    if !active || !due || info.delivered > 1 {
        return false;
    }
    poison.last = Some(Instant::now());
    poison.messages.insert(info.stream_sequence);
    true
}

/// Reads by a plain subscription until the connection ends.
pub(super) async fn plain(instance: Instance, read: Read) {
    let By::Plain { subject, queue } = &read.by else { return };
    let (subject, workers) = (subject.to_string(), instance.shared.conditions.borrow().workers.max(1));
    let messages = match queue {
        Some(queue) => instance.client.queue_subscribe(subject, queue.to_string()).await,
        None => instance.client.subscribe(subject).await,
    };
    let Ok(messages) = messages else { return };
    let (instance, read) = (&instance, &read);
    messages
        .for_each_concurrent(workers, |message| async move {
            if let Some(arrival) = read.subjects.get(message.subject.as_str()) {
                let content = Message::read(message.headers.as_ref(), &message.payload);
                work(instance, arrival, &content).await;
            }
        })
        .await;
}
