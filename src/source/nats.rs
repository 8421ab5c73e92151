//! NATS and JetStream: connection in, batches out.
//!
//! The passive level of the probe. Headwater asks what the broker counts anyway: [`streams`] and
//! [`consumers`] by the JetStream API, [`connections`] with their subscriptions by `CONNZ` (any account may ask
//! it about itself), [`micro`] services by `$SRV`, and it listens to [`advisories`]. It creates nothing,
//! acknowledges nothing, and subscribes to nothing but advisories and one inbox of its own. The further levels listen: to
//! acknowledgements ([`acks`]), and to the messages of named channels ([`tap`]).
//!
//! [`options`] says how to connect (and does it), [`context`] reads the files that the `nats` command line
//! keeps, [`secret`] holds what must never be shown. [`poll`] decides what is asked when, [`wire`] asks it,
//! [`desk`] collects what was learnt. The source lives as long as the engine listens; a lost connection is a
//! state that is told, never an end.

mod acks;
mod advisories;
mod api;
mod backlog;
mod clock;
mod connections;
mod consumers;
pub mod context;
mod desk;
mod lenient;
mod lost;
mod micro;
mod monitor;
pub mod options;
#[cfg(test)]
mod parse_tests;
pub mod permissions;
mod poll;
mod processing;
mod pullers;
mod pursue;
mod reference;
mod search;
pub mod secret;
mod stored;
mod streams;
pub mod systems;
mod tap;
mod traced;
mod wire;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, Event, Message, ServerError, Subscriber};
use futures_util::stream::{Stream, StreamExt, select_all};
use tokio::sync::{Notify, broadcast, mpsc, watch};
use tokio::time::{MissedTickBehavior, timeout};

pub use self::acks::Books;
use self::api::Api;
use self::connections::Own;
use self::desk::{Desk, Part};
use self::monitor::Monitor;
use self::options::{FailureKind, NatsOptions};
use self::poll::{Link, Poller};
use self::search::Wanted;
use self::systems::{System, Systems};
use self::tap::Taps;
use self::wire::{Violation, Wire, violation};
use crate::model::command::{Command, ProbeLevel};
use crate::model::id::SourceId;
use crate::source::redact::Watched;
use crate::source::{BATCH_EVERY, Delivery, Outbox};

/// Before the first connection it is tried again after this; later async-nats tries by itself.
const RETRY_CONNECT: Duration = Duration::from_millis(500);
/// The longest wait between two tries.
const RETRY_CONNECT_LONGEST: Duration = Duration::from_secs(5);
/// Monitoring endpoints are looked at when the connection has had so much time to be made.
const HEAD_START: Duration = Duration::from_secs(1);
/// A connection may be down for so long before a source that stepped aside takes over.
const TAKE_OVER_AFTER: Duration = Duration::from_secs(10);
/// Said of a connection that stood.
const LOST: &str = "trying again";
/// Searches that may wait: one for each stream of a large system.
const SEARCHES_WAITING: usize = 1024;
/// Events of the connection that may wait to be looked at.
const EVENTS_WAITING: usize = 1024;

/// Watches one NATS system until nobody listens any more. While another of `systems` watches it, nothing is told but that.
pub async fn run(
    options: NatsOptions,
    systems: Systems,
    outbox: Outbox,
    mut commands: broadcast::Receiver<Command>,
) {
    let address = if options.servers.is_empty() { options.monitors_shown() } else { options.servers_shown() };
    let desk = Desk::new(outbox, &address, !options.servers.is_empty()).with_fate(options.fate.clone());
    desk.report();
    let (link, _) = watch::channel(Link::Down);
    let own = Mutex::new(None);
    let mut monitor = Monitor::new(&options, &desk);
    let monitored = async {
        if let Some(monitor) = &mut monitor {
            if !options.servers.is_empty() {
                // What the connection can read is not read here.
                tokio::time::sleep(HEAD_START).await;
            }
            monitor.run(&link, &systems, || own.lock().map_or(None, |own| own.clone())).await;
            return;
        }
        std::future::pending::<()>().await;
    };
    let connection = async {
        if options.servers.is_empty() {
            std::future::pending::<()>().await;
        }
        let asked = Asked { level: watch::channel(options.probe).0, taps: Taps::new(&options, desk.clock()) };
        let mut instead_of = None;
        loop {
            let side = Side { systems: &systems, instead_of: instead_of.as_ref() };
            let after = follow(&options, &side, &desk, &link, &own, &asked, &mut commands).await;
            link.send_replace(Link::Down);
            desk.interrupted();
            asked.taps.interrupted(&desk);
            if let After::Aside(other) = after {
                desk.step_aside(other.clone());
                desk.report();
                systems.left(&other).await;
                instead_of = Some(other);
            }
        }
    };
    tokio::select! {
        () = connection => {}
        () = monitored => {}
        () = hand_over(&desk) => {}
    }
    // Who stepped aside says so before it leaves.
    while desk.flush() == Delivery::Kept {
        tokio::time::sleep(BATCH_EVERY).await;
    }
}

/// What the person asked for: it outlives a connection.
struct Asked {
    level: watch::Sender<ProbeLevel>,
    taps: Taps,
}

/// Why a connection is no longer followed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum After {
    /// This other source watches the same system.
    Aside(SourceId),
    /// The server no longer lets us in with these credentials, or has been away for so long that another source may take our
    /// place. A new connection reads the credentials anew: what is in the files may have been replaced, and a client that
    /// connects again by itself would not see it.
    Again,
}

/// The other sources of the picture.
struct Side<'a> {
    systems: &'a Systems,
    /// The one that this source stepped aside for, and that has been lost.
    instead_of: Option<&'a SourceId>,
}

/// Connects and follows what can be seen by the connection, until the credentials no longer hold, or not at all where another
/// source does so already.
async fn follow(
    options: &NatsOptions,
    side: &Side<'_>,
    desk: &Desk,
    link: &watch::Sender<Link>,
    own: &Mutex<Option<Own>>,
    asked: &Asked,
    commands: &mut broadcast::Receiver<Command>,
) -> After {
    let (event_sender, mut events) = mpsc::channel(EVENTS_WAITING);
    let systems = side.systems;
    let Asked { level, taps } = asked;
    let Some((client, wire, mut inbox)) =
        connect(options, systems, desk, event_sender, asked, commands).await
    else {
        return systems.replaced(desk.source()).map_or(After::Again, After::Aside);
    };
    if systems.several() {
        desk.requested();
        desk.requested();
        let system = tokio::select! {
            system = System::ask(&wire, options) => system,
            () = receive(&wire, desk, &mut inbox) => return After::Again,
            () = refusals(&mut events, &wire) => return After::Again,
        };
        if let Some(other) = side.instead_of {
            systems.spared(other).await;
        }
        if let Some(other) = systems.take(desk.source(), system).await {
            return After::Aside(other);
        }
        desk.stand_alone();
    }
    let refresh = Notify::new();
    let tell_connected = || {
        let server = client.server_info();
        desk.connected(&server);
        if let Ok(mut own) = own.lock() {
            *own = Some(Own { server: server.server_id.into(), cid: server.client_id });
        }
        desk.report();
    };
    tell_connected();
    if client.connection_state() == State::Connected {
        link.send_replace(Link::Up(0));
    } else {
        // It went while the servers were asked who they are.
        desk.disconnected(LOST);
        desk.report();
    }
    let mut poller = Poller::new(&wire, desk, options);
    let advisories = listen(&client, options).await;
    let (search, searches) = mpsc::channel(SEARCHES_WAITING);
    let (pursue, pursuits) = mpsc::channel(SEARCHES_WAITING);
    let traces = options.message_traces.as_deref();
    let questions = Questions { searches: search, pursuits: pursue, pullers: Notify::new() };
    let api = Api { wire: &wire, desk, prefix: &options.js_api };
    tokio::select! {
        () = acks::tap::run(&client, desk, level.subscribe()) => {}
        () = taps.run(&api, level.subscribe(), link.subscribe()) => {}
        () = look(&api, searches, &options.sensitive) => {}
        () = pursue::pursue(&api, pursuits, &options.sensitive) => {}
        () = poller.run(link.subscribe(), &refresh) => {}
        () = receive(&wire, desk, &mut inbox) => {}
        () = hear(desk, taps, advisories) => {}
        () = processing::run(&client, desk, &options.js_event) => {}
        () = traced::run(&client, desk, traces, level.subscribe()) => {}
        () = pullers::run(&client, desk, &options.js_api, &questions.pullers, level.subscribe()) => {}
        () = follow_events(&mut events, &tell_connected, &wire, desk, (taps, traces), link) => {}
        () = follow_commands(commands, &client, desk, &refresh, asked, &questions) => {}
        () = lost_for_long(link.subscribe()), if systems.several() => systems.not_reached(desk.source()),
    }
    After::Again
}

/// Until the connection has been down for long.
async fn lost_for_long(mut link: watch::Receiver<Link>) {
    // The sender outlives this.
    while link.wait_for(|link| *link == Link::Down).await.is_ok() {
        if timeout(TAKE_OVER_AFTER, link.wait_for(|link| *link != Link::Down)).await.is_err() {
            return;
        }
    }
    std::future::pending::<()>().await;
}

/// Tries until the broker is reached; `None` when another source has taken the place of this one meanwhile.
async fn connect(
    options: &NatsOptions,
    systems: &Systems,
    desk: &Desk,
    events: mpsc::Sender<Event>,
    asked: &Asked,
    commands: &mut broadcast::Receiver<Command>,
) -> Option<(Client, Wire, Subscriber)> {
    let mut wait = RETRY_CONNECT;
    loop {
        let events = events.clone();
        // Events that nobody has looked at for so long say nothing new.
        let result = options.connect(move |event| drop(events.try_send(event))).await;
        let (error, refused) = match result {
            Ok(client) => match Wire::open(client.clone(), desk.clock()).await {
                Ok((wire, inbox)) => return Some((client, wire, inbox)),
                Err(error) => (error.to_string(), false),
            },
            Err(failure) => (failure.to_string(), failure.kind != FailureKind::Unreachable),
        };
        desk.disconnected(&error);
        desk.refused(refused);
        desk.report();
        systems.not_reached(desk.source());
        if systems.replaced(desk.source()).is_some_and(|other| systems.watching(&other)) {
            return None;
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = asked_to_connect(commands, desk, asked) => {}
        }
        wait = (wait * 2).min(RETRY_CONNECT_LONGEST);
    }
}

/// Until the person asks to try again.
async fn asked_to_connect(commands: &mut broadcast::Receiver<Command>, desk: &Desk, asked: &Asked) {
    loop {
        match commands.recv().await {
            Ok(Command::Refresh) => return,
            Ok(Command::Reconnect(source)) if source == *desk.source() => return,
            Ok(Command::Probe(to)) => {
                asked.level.send_replace(to);
            }
            Ok(Command::Tap { channel, on }) => asked.taps.ask(desk, &channel, on),
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
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
async fn receive(wire: &Wire, desk: &Desk, inbox: &mut Subscriber) {
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
async fn hear(desk: &Desk, taps: &Taps, mut advisories: impl Stream<Item = Message> + Unpin) {
    while let Some(message) = advisories.next().await {
        desk.received();
        if let Some((notice, time)) = advisories::read(&message.payload, desk.source()) {
            taps.notice(&notice);
            desk.notice(notice, time);
        }
    }
    std::future::pending::<()>().await;
}

/// What the server denies while it is asked who it is; all else that happens meanwhile shows later too.
async fn refusals(events: &mut mpsc::Receiver<Event>, wire: &Wire) {
    while let Some(event) = events.recv().await {
        let Event::ServerError(ServerError::Other(text)) = event else { continue };
        match violation(&text) {
            Some(Violation::Publish(subject)) => wire.deny(subject),
            Some(Violation::Subscription(subject)) => drop(wire.deny_subscription(subject)),
            None => {}
        }
    }
    std::future::pending::<()>().await;
}

/// What happens to the connection, until its credentials no longer hold.
async fn follow_events(
    events: &mut mpsc::Receiver<Event>,
    tell_connected: &(impl Fn() + Sync),
    wire: &Wire,
    desk: &Desk,
    (taps, traces): (&Taps, Option<&str>),
    link: &watch::Sender<Link>,
) {
    let mut connections = 0;
    let mut deaf_to = BTreeSet::new();
    while let Some(event) = events.recv().await {
        match event {
            // The first one tells of the connection that we came with.
            Event::Connected if *link.borrow() == Link::Down => {
                connections += 1;
                deaf_to.clear();
                wire.regain();
                tell_connected();
                link.send_replace(Link::Up(connections));
            }
            Event::Disconnected => {
                link.send_replace(Link::Down);
                wire.lose();
                desk.interrupted();
                taps.interrupted(desk);
                desk.disconnected(LOST);
            }
            Event::ServerError(ServerError::Other(text)) => match violation(&text) {
                Some(Violation::Publish(subject)) => wire.deny(subject),
                Some(Violation::Subscription(subject)) => {
                    if subject == acks::SUBJECT {
                        desk.deaf_to_acks(subject);
                    } else if subject.ends_with(processing::SUBJECT) {
                        desk.deaf_to_samples(subject);
                    } else if traces == Some(subject) {
                        let why = format!("permission denied to subscribe to {subject}");
                        let remedy = "allow this user to subscribe to it";
                        desk.missing(Part::MessageTraces, "message traces", &why, remedy, true);
                    } else if subject.ends_with(pullers::SUBJECT) {
                        let why = format!("permission denied to subscribe to {subject}");
                        desk.missing(
                            Part::Pullers,
                            "who pulls",
                            &why,
                            "allow this user to subscribe to it",
                            false,
                        );
                    } else if !taps.denied(desk, subject) && !wire.deny_subscription(subject) {
                        deaf_to.insert(subject.to_owned());
                        let all: Vec<_> = deaf_to.iter().map(String::as_str).collect();
                        let why = format!("permission denied to subscribe to {}", all.join(", "));
                        let remedy =
                            "allow this user to subscribe to what it names; `headwater doctor` shows how";
                        desk.missing(Part::Advisories, "what JetStream tells by itself", &why, remedy, true);
                    }
                }
                None => desk.trouble(Some(&text)),
            },
            Event::ServerError(ServerError::AuthorizationViolation) => {
                desk.disconnected(lost::REVOKED);
                desk.report();
                return;
            }
            Event::SlowConsumer(sid) | Event::ServerError(ServerError::SlowConsumer(sid)) => {
                desk.dropped(1);
                taps.overflowed(sid);
                desk.missed_acks();
            }
            Event::ClientError(error) if *link.borrow() == Link::Down => {
                if let Some(why) = lost::why(&error) {
                    desk.disconnected(&why);
                    if why == lost::REVOKED {
                        desk.report();
                        return;
                    }
                }
            }
            Event::LameDuckMode => desk.trouble(Some("the server is about to shut down")),
            Event::Connected | Event::ClientError(_) | Event::Draining | Event::Closed => {}
        }
        desk.report();
    }
    std::future::pending::<()>().await;
}

/// Looks up one message after the other.
async fn look(api: &Api<'_>, mut searches: mpsc::Receiver<Wanted>, declared: &Watched) {
    while let Some(wanted) = searches.recv().await {
        search::search(api, wanted, declared).await;
    }
    std::future::pending::<()>().await;
}

/// Where questions about single messages go.
struct Questions {
    searches: mpsc::Sender<Wanted>,
    pursuits: mpsc::Sender<pursue::Asked>,
    /// Who pulls is to be heard.
    pullers: Notify,
}

/// What the person asks.
async fn follow_commands(
    commands: &mut broadcast::Receiver<Command>,
    client: &Client,
    desk: &Desk,
    refresh: &Notify,
    asked: &Asked,
    questions: &Questions,
) {
    loop {
        match commands.recv().await {
            Ok(Command::Refresh) => refresh.notify_one(),
            Ok(Command::Reconnect(source)) if source == *desk.source() => {
                // Only fails when the client has ended.
                let _ = client.force_reconnect().await;
            }
            Ok(Command::Probe(to)) => {
                asked.level.send_replace(to);
            }
            Ok(Command::Tap { channel, on }) => asked.taps.ask(desk, &channel, on),
            Ok(Command::Follow(id)) => desk.follow(&id),
            // Who asks more quickly than can be looked up asks again.
            Ok(Command::Find { channel, search, before }) => {
                let _ = questions.searches.try_send(Wanted { channel, search, before });
            }
            Ok(Command::Pursue(pursuit)) => {
                drop(questions.pursuits.try_send(pursue::Asked::Pursue(pursuit)));
            }
            Ok(Command::Pullers) => questions.pullers.notify_one(),
            Ok(Command::LetGo(of)) => drop(questions.pursuits.try_send(pursue::Asked::LetGo(of))),
            Ok(Command::Reconnect(_) | Command::Fault { .. } | Command::Window(_))
            | Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}
