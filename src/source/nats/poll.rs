//! The turns: what is asked when.
//!
//! The first turn begins as soon as the connection stands and asks for everything, so that the first
//! picture is complete at once. After that a turn comes every second, or less often when the broker is
//! slow or has much to tell: at most a tenth of the time is spent by the broker on our questions, and at most
//! [`BYTES_PER_SECOND`] are fetched. JetStream gets one question at a time; the two questions that every
//! server or program answers (`CONNZ`, `$SRV`) run beside it.

mod connections;
mod jetstream;
mod patience;
mod responders;

use std::time::Duration;

use tokio::sync::{Notify, watch};

use self::connections::Connections;
pub(super) use self::connections::{tell as tell_connections, who_we_are};
use self::jetstream::JetStream;
use self::responders::Responders;
use super::api::Api;
use super::desk::Desk;
use super::options::NatsOptions;
use super::wire::{Failure, Wire};

/// The shortest time between two turns.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest: a picture that is older is no live picture.
const LONGEST: Duration = Duration::from_secs(60);
/// The broker's share of time for our questions is one in so many.
const SHARE: u32 = 10;
/// Bytes of answers in the long run.
const BYTES_PER_SECOND: u64 = 512 * 1024;
/// Streams whose consumers are asked for in one turn.
const STREAMS_PER_TURN: usize = 50;
/// A stream on which something moved is asked so many times as often as a quiet one.
const BUSY_WEIGHT: u64 = 4;
/// Whether the connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Down,
    /// Counts the connections, so that a short loss is seen too.
    Up(u64),
}

/// Asks the questions.
pub(super) struct Poller<'a> {
    jetstream: JetStream<'a>,
    connections: Connections<'a>,
    responders: Responders<'a>,
    desk: &'a Desk,
}

impl<'a> Poller<'a> {
    pub(super) fn new(wire: &'a Wire, desk: &'a Desk, options: &'a NatsOptions) -> Self {
        Self {
            jetstream: JetStream::new(Api { wire, desk, prefix: &options.js_api }),
            connections: Connections::new(wire, desk, options.inbox_prefix.as_deref()),
            responders: Responders::new(wire, desk),
            desk,
        }
    }

    /// Takes turns while the connection stands, for ever.
    pub(super) async fn run(&mut self, mut link: watch::Receiver<Link>, refresh: &Notify) {
        loop {
            let Ok(standing) = link.wait_for(|link| *link != Link::Down).await.map(|link| *link) else {
                return;
            };
            self.forgive();
            // A new connection may be to a restarted broker: nothing of the old one's refusals holds.
            while *link.borrow() == standing {
                let began = self.desk.clock().now().mono;
                tokio::select! {
                    () = self.turn() => {}
                    _ = link.wait_for(|link| *link != standing) => break,
                }
                self.desk.report();
                let interval = self.interval();
                let spent = self.desk.clock().now().mono.since(began);
                tokio::select! {
                    () = tokio::time::sleep(interval.saturating_sub(spent)) => {}
                    () = refresh.notified() => self.forgive(),
                    _ = link.wait_for(|link| *link != standing) => {}
                }
            }
        }
    }

    async fn turn(&mut self) {
        let desk = self.desk;
        let responders = async {
            self.responders.turn().await;
            if desk.asked_once() {
                desk.report();
            }
        };
        tokio::join!(self.jetstream.turn(), self.connections.turn(), responders);
    }

    fn forgive(&mut self) {
        self.jetstream.forgive();
        self.connections.forgive();
        self.responders.forgive();
    }

    /// The time until the next turn, with jitter so that several observers do not ask in step.
    fn interval(&self) -> Duration {
        let (busy, bytes) = self.desk.take_cost();
        let interval = interval(busy, bytes);
        self.desk.note("interval", format!("{:.1} s", interval.as_secs_f64()));
        interval.mul_f64(0.95 + fastrand::f64() * 0.1)
    }
}

/// The time between two turns that keeps our share small: see the module.
fn interval(busy: Duration, bytes: u64) -> Duration {
    let by_bytes = Duration::from_millis(bytes.saturating_mul(1000) / BYTES_PER_SECOND);
    (busy.saturating_mul(SHARE)).max(by_bytes).clamp(SHORTEST, LONGEST)
}

/// What to do about a failure, in words.
fn remedy(failure: &Failure) -> String {
    match failure {
        Failure::Denied(subject) => {
            format!("allow this user to publish to {subject}; `headwater doctor` shows how")
        }
        Failure::Deaf(_) => {
            "allow this user to subscribe to its inbox, or set the inbox prefix that it may use".into()
        }
        Failure::NoResponders(_) | Failure::Timeout { .. } => {
            "`headwater doctor` tells what may be read".into()
        }
        Failure::Lost | Failure::Refused { .. } | Failure::Unreadable { .. } => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::nats::api::API_TIMEOUT;

    #[test]
    fn slow_and_big_answers_make_turns_rarer() {
        assert_eq!(interval(Duration::from_millis(20), 10_000), SHORTEST);
        assert_eq!(interval(Duration::from_millis(300), 0), Duration::from_secs(3));
        assert_eq!(interval(Duration::ZERO, 5 * 512 * 1024), Duration::from_secs(5));
        assert_eq!(interval(API_TIMEOUT * 100, 0), LONGEST);
    }
}
