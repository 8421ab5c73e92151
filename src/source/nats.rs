//! NATS and JetStream: connection in, batches out.
//!
//! The passive level of the probe. Headwater asks what the broker counts anyway: [`streams`] and
//! [`consumers`] by the JetStream API, [`connections`] with their subscriptions by `CONNZ` (any account may ask
//! it about itself), [`micro`] services by `$SRV`, and it listens to [`advisories`]. It creates nothing,
//! acknowledges nothing, and subscribes to nothing but advisories and one inbox of its own.
//!
//! [`options`] says how to connect (and does it), [`context`] reads the files that the `nats` command line
//! keeps, [`secret`] holds what must never be shown. [`poll`] decides what is asked when, [`wire`] asks it,
//! [`desk`] collects what was learnt. The source lives as long as the engine listens; a lost connection is a
//! state that is told, never an end.

mod advisories;
mod api;
mod backlog;
mod clock;
mod connections;
mod consumers;
pub mod context;
mod desk;
mod lenient;
mod micro;
pub mod options;
mod poll;
mod reference;
pub mod secret;
mod streams;
mod wire;

use std::time::Duration;

use async_nats::{Client, Event, Message, ServerError, Subscriber};
use futures_util::stream::{Stream, StreamExt, select_all};
use tokio::sync::{Notify, broadcast, mpsc, watch};
use tokio::time::MissedTickBehavior;

use self::desk::{Desk, Part};
use self::options::NatsOptions;
use self::poll::{Link, Poller};
use self::wire::{Violation, Wire, violation};
use crate::model::command::Command;
use crate::source::{BATCH_EVERY, Delivery, Outbox};

/// Before the first connection it is tried again after this; later async-nats tries by itself.
const RETRY_CONNECT: Duration = Duration::from_millis(500);
/// The longest wait between two tries.
const RETRY_CONNECT_LONGEST: Duration = Duration::from_secs(5);
/// Events of the connection that may wait to be looked at.
const EVENTS_WAITING: usize = 1024;

/// Watches one NATS system until nobody listens any more.
pub async fn run(options: NatsOptions, outbox: Outbox, mut commands: broadcast::Receiver<Command>) {
    let desk = Desk::new(outbox, &options.servers_shown());
    desk.report();
    let (event_sender, mut events) = mpsc::channel(EVENTS_WAITING);
    let connected = tokio::select! {
        connected = connect(&options, &desk, event_sender) => connected,
        () = hand_over(&desk) => return,
    };
    let (client, wire, inbox) = connected;
    let (link, link_state) = watch::channel(Link::Up(0));
    let refresh = Notify::new();
    desk.connected(&client.server_info());
    desk.report();
    let mut poller = Poller::new(&wire, &desk, &options);
    let advisories = listen(&client, &options).await;
    tokio::select! {
        () = poller.run(link_state, &refresh) => {}
        () = receive(&wire, &desk, inbox) => {}
        () = hear(&desk, advisories) => {}
        () = hand_over(&desk) => {}
        () = follow_events(&mut events, &client, &wire, &desk, &link) => {}
        () = follow_commands(&mut commands, &client, &desk, &refresh) => {}
    }
}

/// Tries until the broker is reached.
async fn connect(
    options: &NatsOptions,
    desk: &Desk,
    events: mpsc::Sender<Event>,
) -> (Client, Wire, Subscriber) {
    let mut wait = RETRY_CONNECT;
    loop {
        let events = events.clone();
        // Events that nobody has looked at for so long say nothing new.
        let result = options.connect(move |event| drop(events.try_send(event))).await;
        let error = match result {
            Ok(client) => match Wire::open(client.clone(), desk.clock()).await {
                Ok((wire, inbox)) => return (client, wire, inbox),
                Err(error) => error.to_string(),
            },
            Err(failure) => failure.to_string(),
        };
        desk.disconnected(&error);
        desk.report();
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY_CONNECT_LONGEST);
    }
}

/// Hands over what there is, until nobody listens.
async fn hand_over(desk: &Desk) {
    let mut ticks = tokio::time::interval(BATCH_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while desk.flush() != Delivery::Closed {
        ticks.tick().await;
    }
}

/// Takes in the answers.
async fn receive(wire: &Wire, desk: &Desk, mut inbox: Subscriber) {
    while let Some(message) = inbox.next().await {
        if !wire.deliver(message) {
            desk.dropped(1);
        }
    }
    // The client has given up on the connection for good, which it is told never to do.
    std::future::pending::<()>().await;
}

/// Subscribes to the advisories. What is not permitted is told later, as an event of the connection.
async fn listen(client: &Client, options: &NatsOptions) -> impl Stream<Item = Message> + Unpin {
    let mut subscribers = Vec::new();
    for subject in advisories::SUBJECTS {
        // Only fails when the client has ended.
        if let Ok(subscriber) = client.subscribe(format!("{}.{subject}", options.js_event)).await {
            subscribers.push(subscriber);
        }
    }
    select_all(subscribers)
}

/// Takes in the advisories.
async fn hear(desk: &Desk, mut advisories: impl Stream<Item = Message> + Unpin) {
    while let Some(message) = advisories.next().await {
        desk.received();
        if let Some((notice, time)) = advisories::read(&message.payload, desk.source()) {
            desk.notice(notice, time);
        }
    }
    std::future::pending::<()>().await;
}

/// What happens to the connection.
async fn follow_events(
    events: &mut mpsc::Receiver<Event>,
    client: &Client,
    wire: &Wire,
    desk: &Desk,
    link: &watch::Sender<Link>,
) {
    let mut connections = 0;
    while let Some(event) = events.recv().await {
        match event {
            // The first one tells of the connection that we came with.
            Event::Connected if *link.borrow() == Link::Down => {
                connections += 1;
                wire.regain();
                // The client subscribes again by itself; a denial comes again too.
                desk.present(&Part::Advisories);
                desk.connected(&client.server_info());
                link.send_replace(Link::Up(connections));
            }
            Event::Disconnected => {
                link.send_replace(Link::Down);
                wire.lose();
                desk.disconnected("the connection was lost; trying again");
            }
            Event::ServerError(ServerError::Other(text)) => match violation(&text) {
                Some(Violation::Publish(subject)) => wire.deny(subject),
                Some(Violation::Subscription(subject)) => {
                    if !wire.deny_subscription(subject) {
                        let why = format!("permission denied to subscribe to {subject}");
                        let remedy = "allow this user to subscribe to it; `headwater doctor` shows how";
                        desk.missing(Part::Advisories, "what JetStream tells by itself", &why, remedy, true);
                    }
                }
                None => desk.trouble(Some(&text)),
            },
            Event::ServerError(ServerError::AuthorizationViolation) => {
                desk.disconnected("the server no longer accepts these credentials");
            }
            Event::SlowConsumer(_) | Event::ServerError(ServerError::SlowConsumer(_)) => desk.dropped(1),
            Event::ClientError(error) if *link.borrow() == Link::Down => {
                desk.disconnected(&error.to_string())
            }
            Event::LameDuckMode => desk.trouble(Some("the server is about to shut down")),
            Event::Connected | Event::ClientError(_) | Event::Draining | Event::Closed => {}
        }
        desk.report();
    }
    std::future::pending::<()>().await;
}

/// What the person asks.
async fn follow_commands(
    commands: &mut broadcast::Receiver<Command>,
    client: &Client,
    desk: &Desk,
    refresh: &Notify,
) {
    loop {
        match commands.recv().await {
            Ok(Command::Refresh) => refresh.notify_one(),
            Ok(Command::Reconnect(source)) if source == *desk.source() => {
                // Only fails when the client has ended.
                let _ = client.force_reconnect().await;
            }
            Ok(Command::Reconnect(_) | Command::Fault { .. })
            | Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}
