//! Listens to acknowledgements while the probe level says so.
//!
//! The listening is a task of its own: tens of thousands of acknowledgements a second must not hold up the questions that are
//! asked beside it.

use std::sync::{Arc, Mutex, PoisonError};

use async_nats::{Client, Subscriber};
use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::SUBJECT;
use super::ledger::Ledger;
use crate::model::command::ProbeLevel;
use crate::source::Clock;
use crate::source::nats::desk::Desk;

/// Messages that are taken in under one lock.
const AT_A_TIME: usize = 256;

/// Listens whenever the level asks for it, for ever.
pub(in crate::source::nats) async fn run(
    client: &Client,
    desk: &Desk,
    mut level: watch::Receiver<ProbeLevel>,
) {
    while level.wait_for(|level| *level >= ProbeLevel::Acks).await.is_ok() {
        // Only fails when the client has ended.
        let Ok(subscriber) = client.subscribe(SUBJECT).await else { break };
        desk.listening(true);
        let listening = Listening(tokio::spawn(listen(subscriber, desk.ledger(), desk.clock())));
        let stopped = level.wait_for(|level| *level < ProbeLevel::Acks).await.is_ok();
        drop(listening);
        desk.listening(false);
        if !stopped {
            break;
        }
    }
    std::future::pending::<()>().await;
}

/// A listening task, which ends with this.
pub(in crate::source::nats) struct Listening(pub(in crate::source::nats) JoinHandle<()>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn listen(subscriber: Subscriber, ledger: Arc<Mutex<Ledger>>, clock: Clock) {
    let mut chunks = subscriber.ready_chunks(AT_A_TIME);
    while let Some(chunk) = chunks.next().await {
        // What is ready together came together: it is not later for having waited for those before it.
        let now = clock.mono();
        let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
        for message in chunk {
            ledger.hear(&message.subject, &message.payload, now);
        }
    }
}
