//! Sources: how they fare, what they cost, and what they list of programs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::calls::Called;
use super::changes::Changes;
use super::rates::{Counter, Meter, Windows};
use super::senders::Sent;
use super::words;
use crate::model::calls::CallKey;
use crate::model::id::{Name, SourceId};
use crate::model::measured::Measured;
use crate::model::observation::{
    ClientReport, ClockOffset, Listing, ResponderReport, SIMULATION, SourceReport, SourceState, Span,
};
use crate::model::senders::SenderKey;
use crate::model::snapshot::Source;
use crate::model::time::{Stamp, Timestamp};
use crate::model::traffic::{Traffic, TrafficKey};

/// What makes one group of connections: name (or what stands in for it), user, account, and whether it is Headwater's own (another Headwater on the
/// same account bears the same name).
pub(super) type ClientKey = (Option<Name>, Option<Name>, Option<Name>, bool);

/// Counters of something that has not been seen for so long are forgotten.
const FORGET: Duration = Duration::from_secs(600);

/// What asking costs is counted over at least this: with a slow interval, few rounds fall into the window of other rates.
const LOAD_WINDOW: Duration = Duration::from_secs(15);

/// What is kept of one source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SourceMemory {
    pub(super) report: SourceReport,
    /// When it was first heard of.
    pub(super) began: Stamp,
    heard: Stamp,
    answered: Option<Stamp>,
    since: Timestamp,
    /// It was listened to, and is not now: what happened meanwhile is not known.
    was_up: bool,
    pub(super) lost_since: Option<Stamp>,
    /// Clock offsets by server; `None` is the one that answers.
    #[serde(with = "crate::model::pairs")]
    pub(super) clocks: BTreeMap<Option<Name>, ClockOffset>,
    requests: Counter,
    messages: Counter,
    /// The newest time in which all acknowledgements were heard: see [`super::counted`].
    #[serde(default)]
    pub(super) listened: Option<Span>,
    pub(super) channels_listed: Option<Stamp>,
    pub(super) clients_listed: Option<Stamp>,
    #[serde(with = "crate::model::pairs")]
    pub(super) clients: BTreeMap<ClientKey, Arc<ClientReport>>,
    /// Groups that were connected and are not now.
    #[serde(with = "crate::model::pairs")]
    pub(super) left: BTreeMap<ClientKey, Left>,
    /// The connection is back and was lost at this time: who is connected again has not been listed yet.
    back_from: Option<Timestamp>,
    pub(super) responders: BTreeMap<Name, Arc<ResponderReport>>,
    /// Requests that were heard with their answers.
    #[serde(default, with = "crate::model::pairs")]
    pub(super) calls: BTreeMap<CallKey, Called>,
    /// Who was heard to send to what.
    #[serde(default, with = "crate::model::pairs")]
    pub(super) sends: BTreeMap<SenderKey, Sent>,
    #[serde(with = "crate::model::pairs")]
    pub(super) traffic: BTreeMap<TrafficKey, Meter>,
}

/// A group of connections that is not there any more.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Left {
    /// When it was missed first.
    pub(super) at: Stamp,
    /// It was there until the source was lost at this time, and was not when it came back.
    pub(super) with: Option<Timestamp>,
}

/// What a source's report of itself revealed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// A line for the list of changes.
    pub(super) text: Option<Name>,
    /// It was lost just now, or does not tell any more what happens once.
    pub(super) lost: bool,
    /// What is watched, or whether it is, changed.
    pub(super) rewired: bool,
}

impl SourceMemory {
    pub(super) fn new(at: Stamp) -> Self {
        Self {
            report: SourceReport::default(),
            began: at,
            heard: at,
            answered: None,
            since: at.wall,
            was_up: false,
            lost_since: None,
            clocks: BTreeMap::new(),
            requests: Counter::default(),
            messages: Counter::default(),
            listened: None,
            channels_listed: None,
            clients_listed: None,
            clients: BTreeMap::new(),
            left: BTreeMap::new(),
            back_from: None,
            responders: BTreeMap::new(),
            calls: BTreeMap::new(),
            sends: BTreeMap::new(),
            traffic: BTreeMap::new(),
        }
    }

    /// Whether it is listened to now.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.report.state, SourceState::Up | SourceState::Degraded)
    }

    /// It told something, though not by an answer.
    pub(super) fn heard(&mut self, at: Stamp) {
        self.heard = at;
    }

    /// It answered something.
    pub(super) fn answered(&mut self, at: Stamp) {
        self.heard = at;
        self.answered = Some(at);
    }

    /// The broker's clock at a moment: as it was told with the answer, else ours with its offset.
    pub(super) fn broker_time(&self, at: &Stamp) -> Timestamp {
        at.broker.unwrap_or_else(|| at.wall.offset(self.clocks.get(&None).map_or(0, |clock| clock.nanos)))
    }

    pub(super) fn report(&mut self, report: &SourceReport, at: Stamp) -> Told {
        let before = std::mem::replace(&mut self.report, report.clone());
        self.heard = at;
        let mut told = Told {
            rewired: before.kind != report.kind
                || before.unavailable != report.unavailable
                || before.first_round != report.first_round
                || before.state != report.state,
            ..Told::default()
        };
        if let Some(answered) = report.answered {
            let both = [self.answered, Some(answered)].into_iter().flatten();
            self.answered = both.max_by_key(|at| at.mono);
        } else if self.is_up() {
            self.answered = Some(at);
        }
        if let Some(clock) = report.clock {
            self.clocks.insert(None, clock);
            if report.server_name.is_some() {
                self.clocks.insert(report.server_name.clone(), clock);
            }
        }
        if before.server_name.is_some() && before.server_name != report.server_name {
            // Another server answers: its clock is another.
            if report.clock.is_none() {
                self.clocks.remove(&None);
            }
        }
        let load = &report.load;
        let counted = match load.round {
            None => Some((at, load.requests, load.messages)),
            Some(round) if round.number == 0 || round.extra => None,
            Some(round) => Some((round.began, round.requests, round.messages)),
        };
        if let Some((at, requests, messages)) = counted {
            self.requests.read(at, requests, true);
            self.messages.read(at, messages, true);
        }
        if before.state != report.state {
            self.since = at.wall;
            told.text = self.transition(report, at);
            told.lost = self.lost_since == Some(at);
        }
        told.lost |= report.no_notices && !before.no_notices;
        told
    }

    fn transition(&mut self, report: &SourceReport, at: Stamp) -> Option<Name> {
        match report.state {
            SourceState::Up | SourceState::Degraded => {
                let lost = self.lost_since.take();
                self.back_from = lost.map(|at| at.wall).or(self.back_from);
                let back = lost.is_some();
                if back {
                    // While it was away nothing was asked, and then all at once: neither is what watching costs.
                    self.requests.reset();
                    self.messages.reset();
                }
                let first = !self.was_up;
                self.was_up = true;
                match (first, back) {
                    (true, _) if &*report.address == SIMULATION => Some("simulation started".into()),
                    // Endpoints are asked one by one; there is no connection.
                    (true, _) if &*report.kind == "health" => {
                        Some(format!("asking {}", report.address).into())
                    }
                    (true, _) => Some(format!("connected to {}", report.address).into()),
                    (false, true) => Some(format!("connection to {} is back", report.address).into()),
                    _ => None,
                }
            }
            SourceState::Down | SourceState::Connecting if self.was_up && self.lost_since.is_none() => {
                self.lost_since = Some(at);
                let why = report.error.as_deref().map(|e| format!(": {e}")).unwrap_or_default();
                Some(format!("connection to {} lost{why}", report.address).into())
            }
            _ => None,
        }
    }

    /// Takes the list of connected programs, of this source where there are several; returns whether who is there, or what they listen to, changed.
    pub(super) fn list_clients(
        &mut self,
        listing: &Listing<ClientReport>,
        at: Stamp,
        source: Option<&SourceId>,
        changes: &mut Changes,
    ) -> bool {
        let which = |word: &str| source.map_or_else(String::new, |at| format!(" {word} {at}"));
        // The first list tells who is not there, too.
        let mut rewired = self.clients_listed.is_none();
        let mut listed = BTreeSet::new();
        for report in &listing.entries {
            let key = (report.counted_as().cloned(), report.user.clone(), report.account.clone(), report.own);
            listed.insert(key.clone());
            let before = self.clients.get(&key);
            rewired |= before.is_none_or(|b| b.subscriptions != report.subscriptions || b.own != report.own);
            let name = report.name.as_deref().filter(|_| !report.own);
            let came = match before {
                Some(before) => {
                    let later = matches!((before.since, report.since), (Some(a), Some(b)) if b > a);
                    (later && before.connections >= report.connections).then_some("reconnected")
                }
                None if self.left.remove(&key).is_some() => Some("reconnected"),
                // Who is in the first list was there before.
                None => self.clients_listed.map(|_| "connected"),
            };
            if let (Some(came), Some(name)) = (came, name) {
                changes.push(&at, None, format!("{name} {came}{}", which("to")));
            }
            if before.is_none_or(|b| **b != *report) {
                self.clients.insert(key, Arc::new(report.clone()));
            }
        }
        if listing.complete {
            let (left, with) = (&mut self.left, self.back_from.take());
            self.clients.retain(|key, client| {
                let stays = listed.contains(key);
                if !stays {
                    rewired = true;
                    if let Some(name) = client.name.as_deref().filter(|_| !client.own) {
                        left.insert(key.clone(), Left { at, with });
                        changes.push(&at, None, format!("{name} disconnected{}", which("from")));
                    }
                }
                stays
            });
            self.left.retain(|_, left| at.mono.since(left.at.mono) < FORGET);
            self.clients_listed = Some(at);
        }
        rewired
    }

    /// Takes the list of responders; returns whether what they answer changed.
    pub(super) fn list_responders(&mut self, listing: &Listing<ResponderReport>) -> bool {
        let mut rewired = false;
        for report in &listing.entries {
            let before = self.responders.get(&report.name);
            let operations = |r: &ResponderReport| {
                r.endpoints.iter().map(|e| (e.subject.clone(), e.name.clone())).collect::<Vec<_>>()
            };
            rewired |= before.is_none_or(|b| operations(b) != operations(report));
            if before.is_none_or(|b| **b != *report) {
                self.responders.insert(report.name.clone(), Arc::new(report.clone()));
            }
        }
        if listing.complete {
            let listed: BTreeSet<&Name> = listing.entries.iter().map(|r| &r.name).collect();
            let before = self.responders.len();
            self.responders.retain(|name, _| listed.contains(name));
            rewired |= before != self.responders.len();
        }
        rewired
    }

    /// Adds counters; returns whether something is counted that was not before.
    pub(super) fn count(&mut self, traffic: &Traffic, at: Stamp) -> bool {
        let mut new = false;
        for (key, count) in &traffic.counts {
            let meter = self.traffic.entry(key.clone()).or_insert_with(|| {
                new = true;
                Meter::default()
            });
            meter.add(count, at);
        }
        self.answered(at);
        new
    }

    /// Forgets counters of what has gone; returns whether there were any.
    pub(super) fn forget(&mut self, now: &Stamp) -> bool {
        let before = self.traffic.len();
        self.traffic.retain(|_, meter| now.mono.since(meter.counted.mono) < FORGET);
        let since = now.mono.before(FORGET);
        self.forget_calls(since) | self.forget_sends(since) | (before != self.traffic.len())
    }

    pub(super) fn row(&self, id: &SourceId, windows: Windows, now: &Stamp) -> Source {
        let rate = |counter: &Counter, window: Duration| {
            // Who is not reached is not asked either.
            let none = || (!self.is_up() && counter.overdue(now.mono)).then_some(0.0);
            match none().or_else(|| counter.rate(window, true)) {
                Some(rate) => Measured::exact(rate, self.heard.wall, words::BY_LOAD.clone()),
                None => Measured::unknown(words::SHORT_LOAD.clone(), self.heard.wall),
            }
        };
        Source {
            id: id.clone(),
            report: self.report.clone(),
            heard_at: self.heard.wall,
            answered_at: self.answered.map(|at| at.wall),
            since: self.since,
            requests_per_s: rate(&self.requests, windows.rate.max(LOAD_WINDOW)),
            messages_per_s: rate(&self.messages, windows.rate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sample::{all, at, client};
    use crate::model::observation::{Load, Round};

    fn up(state: SourceState) -> SourceReport {
        SourceReport { address: "nats://a:4222".into(), state, ..SourceReport::default() }
    }

    #[test]
    fn a_lost_and_regained_connection_is_told() {
        let mut source = SourceMemory::new(at(0));
        assert_eq!(
            source.report(&up(SourceState::Up), at(10)).text.as_deref(),
            Some("connected to nats://a:4222")
        );
        let down = SourceReport { error: Some("connection refused".into()), ..up(SourceState::Down) };
        let told = source.report(&down, at(1_000));
        assert!(told.lost);
        assert_eq!(told.text.as_deref(), Some("connection to nats://a:4222 lost: connection refused"));
        assert_eq!(source.report(&up(SourceState::Connecting), at(1_500)).text, None);
        let told = source.report(&up(SourceState::Up), at(2_000));
        assert_eq!(told.text.as_deref(), Some("connection to nats://a:4222 is back"));
    }

    #[test]
    fn what_watching_costs_is_counted_by_whole_rounds() {
        use SourceState::{Down, Up};
        let mut source = SourceMemory::new(at(0));
        let mut told = |state: SourceState, ms: u64, requests: u64, round: Option<(u64, u64)>| {
            let began = |(ms, requests)| Round {
                number: 1,
                began: at(ms),
                requests,
                messages: 0,
                extra: false,
                done: false,
            };
            let load = Load { requests, round: round.map(began), ..Load::default() };
            source.report(&SourceReport { load, ..up(state) }, at(ms));
            source.row(&"nats".into(), Windows::default(), &at(ms)).requests_per_s.low().copied()
        };
        // A round under way is not counted.
        assert_eq!(told(Up, 100, 60, Some((100, 60))), None);
        assert_eq!(told(Up, 200, 75, Some((100, 60))), None);
        assert_eq!(told(Up, 5_200, 80, Some((5_100, 75))), Some(3.0));
        assert_eq!(told(Up, 10_000, 90, Some((5_100, 75))), Some(3.0));
        assert_eq!(told(Up, 10_150, 100, Some((10_100, 90))), Some(3.0));
        // Who is away is not asked, and what is asked when it is back is a burst.
        assert_eq!(told(Down, 10_200, 100, Some((10_100, 90))), Some(3.0));
        assert_eq!(told(Down, 25_000, 100, Some((10_100, 90))), Some(0.0));
        assert_eq!(told(Up, 30_000, 130, Some((10_100, 90))), None);
        assert_eq!(told(Up, 30_200, 140, Some((30_100, 130))), None);
        assert_eq!(told(Up, 35_200, 150, Some((35_100, 145))), Some(3.0));
    }

    #[test]
    fn only_what_is_connected_is_said_to_be() {
        let first = |kind: &str, address: &str| {
            let up = up(SourceState::Up);
            let report = SourceReport { kind: kind.into(), address: address.into(), ..up };
            SourceMemory::new(at(0)).report(&report, at(10)).text
        };
        assert_eq!(first("nats", SIMULATION).as_deref(), Some("simulation started"));
        assert_eq!(first("health", "3 endpoints").as_deref(), Some("asking 3 endpoints"));
    }

    #[test]
    fn another_headwater_beside_this_one_does_not_reconnect_at_every_poll() {
        let mut source = SourceMemory::new(at(0));
        let mut changes = Changes::default();
        let other = ClientReport { since: Some(at(500).wall), ..client("headwater", &[]) };
        let own = ClientReport { own: true, since: Some(at(0).wall), ..other.clone() };
        for s in 1..6 {
            let rewired = source.list_clients(
                &all(vec![own.clone(), other.clone()]),
                at(s * 1_000),
                None,
                &mut changes,
            );
            assert_eq!(rewired, s == 1);
        }
        assert!(changes.list().is_empty());
        assert_eq!(source.clients.len(), 2);
    }

    #[test]
    fn a_program_that_comes_back_has_reconnected() {
        let mut source = SourceMemory::new(at(0));
        let mut changes = Changes::default();
        let orders = client("orders", &[]);
        assert!(source.list_clients(&all(vec![orders.clone()]), at(0), None, &mut changes));
        assert!(!source.list_clients(&all(vec![orders.clone()]), at(1_000), None, &mut changes));
        assert!(source.list_clients(&all(vec![]), at(2_000), None, &mut changes));
        assert!(source.list_clients(&all(vec![orders.clone()]), at(3_000), None, &mut changes));
        let later = ClientReport { since: Some(at(3_500).wall), ..orders.clone() };
        source.list_clients(&all(vec![later]), at(4_000), None, &mut changes);
        let texts: Vec<_> = changes.list().iter().map(|c| format!("{} ×{}", c.text, c.times)).collect();
        assert_eq!(texts, ["orders reconnected ×2", "orders disconnected ×1"]);
        source.list_clients(&all(vec![orders, client("billing", &[])]), at(5_000), None, &mut changes);
        assert_eq!(changes.list().first().map(|c| c.text.to_string()).as_deref(), Some("billing connected"));
    }
}
