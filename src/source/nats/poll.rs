//! The turns: what is asked when.
//!
//! The first turn begins as soon as the connection stands and asks for everything, so that the first
//! picture is complete at once. After that a turn comes every second, or less often when the broker is
//! slow or has much to tell: at most a tenth of the time is spent by the broker on our questions, and at most
//! `BYTES_PER_SECOND` are fetched; one slow turn alone makes nothing rarer (see `pace`). Until every stream
//! was asked once, turns follow each other at once. JetStream gets one question at a time; the two questions
//! that every server or program answers (`CONNZ`, `$SRV`) run beside it.

mod connections;
mod jetstream;
mod pace;
mod patience;
mod responders;

use std::time::Duration;

use tokio::sync::{Notify, watch};

use self::connections::Connections;
pub(super) use self::connections::{tell as tell_connections, who_we_are};
use self::jetstream::JetStream;
use self::pace::Pace;
use self::responders::Responders;
use super::api::Api;
use super::desk::Desk;
use super::options::NatsOptions;
use super::wire::{Failure, Wire};

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
    pace: Pace,
    /// The least time between two turns.
    least: Duration,
    /// Nothing at all answered in the last turn.
    silent: bool,
    /// Everything has been asked for once.
    whole: bool,
}

impl<'a> Poller<'a> {
    pub(super) fn new(wire: &'a Wire, desk: &'a Desk, options: &'a NatsOptions) -> Self {
        Self {
            jetstream: JetStream::new(Api { wire, desk, prefix: &options.js_api }),
            connections: Connections::new(wire, desk, options.inbox_prefix.as_deref()),
            responders: Responders::new(wire, desk),
            desk,
            pace: Pace::default(),
            least: options.interval.unwrap_or_default(),
            silent: false,
            whole: false,
        }
    }

    /// Takes turns while the connection stands, for ever.
    pub(super) async fn run(&mut self, mut link: watch::Receiver<Link>, refresh: &Notify) {
        loop {
            let Ok(standing) = link.wait_for(|link| *link != Link::Down).await.map(|link| *link) else {
                return;
            };
            // A new connection may be to a restarted broker: nothing of the old one's refusals holds.
            self.forgive();
            let mut extra = false;
            while *link.borrow() == standing {
                let began = self.desk.clock().now().mono;
                if self.whole {
                    self.desk.begin_round(std::mem::take(&mut extra));
                }
                tokio::select! {
                    () = self.turn() => {}
                    _ = link.wait_for(|link| *link != standing) => break,
                }
                self.desk.end_round();
                self.desk.report();
                self.hear_silence();
                let mut interval = self.interval();
                if self.jetstream.hurries() {
                    // The first picture is waited for; the budget of requests holds all the same.
                    interval = Duration::ZERO;
                } else {
                    self.whole = true;
                }
                let spent = self.desk.clock().now().mono.since(began);
                tokio::select! {
                    () = tokio::time::sleep(interval.saturating_sub(spent)) => {}
                    () = refresh.notified() => {
                        self.forgive();
                        extra = true;
                    }
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

    /// When nothing at all answers, the broker is silent, and not those whom a question is about: whatever
    /// got no answer is asked again with the next turn, and once more after the first one that was answered.
    fn hear_silence(&mut self) {
        let before = std::mem::replace(&mut self.silent, !self.desk.take_answered());
        if self.silent || before {
            self.jetstream.forgive_silence();
            self.connections.forgive_silence();
            self.responders.forgive_silence();
        }
    }

    /// The time until the next turn, with jitter so that several observers do not ask in step.
    fn interval(&mut self) -> Duration {
        let (busy, bytes) = self.desk.take_cost();
        let interval = self.pace.after(busy, bytes).max(self.least);
        self.desk.note("interval", format!("{:.1} s", interval.as_secs_f64()));
        interval.mul_f64(0.95 + fastrand::f64() * 0.1).max(self.least)
    }
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
