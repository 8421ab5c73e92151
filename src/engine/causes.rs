//! What needs a person: causes, worst first, each with what follows from it. No trouble is listed twice.
//!
//! A service that is down or degraded explains its consumers' backlog, the failing answers of its operations and of those who
//! call it (however far up), and the age of its copies. A consumer that does not advance explains the age of the copies
//! that it feeds. Services that were lost with a broker and have not come back with it are one cause. Messages that were given up
//! before something went wrong do not follow from it. What nothing explains is a cause of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::ownership::find;
use crate::model::id::{ConsumerId, Name, ServiceId, SourceId, TeamId};
use crate::model::number;
use crate::model::observation::{HealthState, SourceState};
use crate::model::snapshot::{
    Cause, Consumer, ConsumerStatus, Drain, Effect, Entity, Flow, Naming, Replica, Service, Severity, Since,
    Source, Store, Thing,
};
use crate::model::time::Timestamp;

/// Rows that causes are made of.
pub(super) struct Rows<'a> {
    pub(super) sources: &'a [Arc<Source>],
    /// The time that rates cover.
    pub(super) window: Duration,
    pub(super) services: &'a BTreeMap<ServiceId, Arc<Service>>,
    /// By source that is back: when it was lost, and which services have not come back with it.
    pub(super) not_back: BTreeMap<SourceId, (Timestamp, BTreeSet<ServiceId>)>,
    pub(super) stores: &'a [Arc<Store>],
    pub(super) entities: &'a [Arc<Entity>],
    /// Sorted by id.
    pub(super) consumers: &'a [Arc<Consumer>],
    /// Those of them that ail, sorted by id.
    pub(super) ailing: Vec<&'a Arc<Consumer>>,
    /// Flows by request.
    pub(super) requests: Vec<&'a Arc<Flow>>,
}

/// Collects causes and remembers what has been said.
struct Book<'a> {
    rows: &'a Rows<'a>,
    naming: Naming,
    causes: Vec<Cause>,
    /// Services with the place of the cause that is about them: also when their store or broker is named.
    about: Vec<(ServiceId, usize)>,
    said: BTreeSet<Thing>,
    /// How many of a consumer's lost messages have been said.
    losses: BTreeMap<ConsumerId, u64>,
    /// Copies that have been said: they have no id of their own.
    copies: BTreeSet<(String, ServiceId)>,
    /// Whom each service calls.
    calls: BTreeMap<&'a ServiceId, BTreeSet<&'a ServiceId>>,
    failing: Vec<(&'a Arc<Flow>, f64)>,
}

/// What needs a person now.
pub(super) fn causes(rows: &Rows<'_>) -> Vec<Cause> {
    let mut calls: BTreeMap<&ServiceId, BTreeSet<&ServiceId>> = BTreeMap::new();
    for flow in &rows.requests {
        for caller in &*flow.to {
            calls.entry(caller).or_default().extend(&*flow.from);
        }
    }
    let failing = rows.requests.iter().filter_map(|f| Some((*f, f.failing(rows.window)?))).collect();
    let mut book = Book {
        rows,
        naming: Naming::of(rows.sources),
        causes: Vec::new(),
        about: Vec::new(),
        said: BTreeSet::new(),
        losses: BTreeMap::new(),
        copies: BTreeSet::new(),
        calls,
        failing,
    };
    book.sources();
    book.not_back();
    book.services();
    book.consumers();
    book.copies();
    book.operations();
    let mut causes = book.causes;
    // A broker that is lost is the wider cause: who speaks over it seems, or is, down because of it.
    let lost: BTreeSet<Thing> = rows
        .sources
        .iter()
        .filter(|s| s.answered_at.is_some() && &*s.report.kind != "health")
        .map(|s| Thing::Source(s.id.clone()))
        .collect();
    causes.sort_by(|a, b| {
        b.severity
            .cmp(&a.severity)
            .then_with(|| lost.contains(&b.thing).cmp(&lost.contains(&a.thing)))
            .then_with(|| b.effects.len().cmp(&a.effects.len()))
            .then_with(|| a.thing.cmp(&b.thing))
    });
    causes
}

impl Book<'_> {
    fn sources(&mut self) {
        for source in self.rows.sources.iter().filter(|s| s.report.state == SourceState::Down) {
            let why = source.report.error.as_deref().unwrap_or("not reached");
            let what_stays =
                if source.answered_at.is_some() { "; its last values stay, and age" } else { "" };
            // Endpoints that do not answer from here may answer others: nothing is known to be down.
            let unseen = &*source.report.kind == "health";
            self.said.insert(Thing::Source(source.id.clone()));
            self.causes.push(Cause {
                thing: Thing::Source(source.id.clone()),
                name: source.id.as_str().into(),
                severity: if unseen { Severity::Unseen } else { Severity::Down },
                text: format!("{}: {why}{what_stays}", source.report.address).into(),
                since: Since { at: source.since, or_earlier: source.answered_at.is_none() },
                team: None,
                effects: Vec::new(),
            });
        }
    }

    /// Services that were connected until a broker was lost and are not since it is back. A single one is a cause by itself, and
    /// so is, besides, one that says itself what it lacks.
    fn not_back(&mut self) {
        let rows = self.rows;
        for (source, (lost_at, services)) in &rows.not_back {
            let ails = |s: &Arc<Service>| {
                s.health.iter().any(|c| matches!(c.state, HealthState::Down | HealthState::Degraded))
            };
            let services: Vec<_> = services.iter().filter_map(|id| rows.services.get(id)).collect();
            let thing = Thing::Source(source.clone());
            if services.len() < 2 || !self.said.insert(thing.clone()) {
                continue;
            }
            let names: Vec<&str> = services.iter().map(|s| s.id.as_str()).collect();
            let mut effects = Vec::new();
            let explained: Vec<_> = services.iter().filter(|s| !ails(s)).collect();
            for service in &explained {
                self.said.insert(Thing::Service(service.id.clone()));
                self.about.push((service.id.clone(), self.causes.len()));
            }
            let since = Since { at: *lost_at, or_earlier: false };
            for service in &explained {
                effects.extend(self.follows(service, Severity::Down, since));
            }
            self.causes.push(Cause {
                thing,
                name: source.as_str().into(),
                severity: Severity::Down,
                text: format!("{} services have not come back with it: {}", names.len(), names.join(", "))
                    .into(),
                since,
                team: None,
                effects,
            });
        }
    }

    fn services(&mut self) {
        let bad = |s: &&Arc<Service>| matches!(s.state, HealthState::Down | HealthState::Degraded);
        let unsaid = |s: &&Arc<Service>| !self.said.contains(&Thing::Service(s.id.clone()));
        let all: Vec<&Arc<Service>> = self.rows.services.values().filter(bad).filter(unsaid).collect();
        let (down, degraded): (Vec<_>, Vec<_>) = all.into_iter().partition(|s| s.state == HealthState::Down);
        for service in &down {
            self.said.insert(Thing::Service(service.id.clone()));
        }
        for service in &down {
            self.service(service, Severity::Down);
        }
        // A service that is degraded because one that it calls does not work is an effect of that.
        for service in degraded {
            if self.said.contains(&Thing::Service(service.id.clone())) {
                continue;
            }
            let reached = self.reaches(&service.id);
            let because = self.about.iter().find(|(s, _)| reached.contains(s)).map(|(_, at)| *at);
            if let Some(cause) = because.and_then(|at| self.causes.get_mut(at)) {
                cause.effects.push(Effect {
                    thing: Thing::Service(service.id.clone()),
                    kind: "failing now".into(),
                    text: format!("{}: degraded, {}", service.id, service.why).into(),
                });
                self.said.insert(Thing::Service(service.id.clone()));
            } else {
                self.said.insert(Thing::Service(service.id.clone()));
                self.service(service, Severity::Degraded);
            }
        }
    }

    /// Services that a service calls, and those that they call.
    fn reaches(&self, from: &ServiceId) -> BTreeSet<ServiceId> {
        let mut seen = BTreeSet::new();
        let mut open = vec![from];
        while let Some(service) = open.pop() {
            for called in self.calls.get(service).into_iter().flatten() {
                if seen.insert((*called).clone()) {
                    open.push(called);
                }
            }
        }
        seen
    }

    fn service(&mut self, service: &Arc<Service>, severity: Severity) {
        // A store that its health check calls down is the cause in the cause.
        let rows = self.rows;
        let store = rows.stores.iter().find(|s| s.service == service.id && s.state == HealthState::Down);
        let (thing, name, text): (Thing, Name, Name) = match store {
            Some(store) => {
                (Thing::Store(store.id.clone()), store.id.as_str().into(), said_of(store, service).into())
            }
            None => (Thing::Service(service.id.clone()), service.id.as_str().into(), service.why.clone()),
        };
        self.said.insert(thing.clone());
        let effects = self.follows(service, severity, service.since);
        self.about.push((service.id.clone(), self.causes.len()));
        self.causes.push(Cause {
            thing,
            name,
            severity,
            text,
            since: service.since,
            team: service.team.clone(),
            effects,
        });
    }

    /// What follows from a service that does not work: failing operations, its consumers' backlog, the age of its copies.
    /// What is worse than the service itself has another cause.
    fn follows(&mut self, service: &Service, severity: Severity, since: Since) -> Vec<Effect> {
        let rows = self.rows;
        let mut effects = self.failing_because(&service.id);
        let worse = |consumer: &Consumer| is_bad(consumer.status) && severity_of(consumer.status) > severity;
        let consumers = service.consumers.iter().filter_map(|id| find(rows.consumers, id));
        for consumer in consumers.filter(|consumer| is_bad(consumer.status) && !worse(consumer)) {
            if self.said.insert(Thing::Consumer(consumer.id.clone())) {
                effects.push(self.behind(consumer));
                effects.extend(self.lost(consumer, since));
            }
        }
        for entity in rows.entities {
            let fed_by = |replica: &Replica| find(rows.consumers, replica.consumer.as_ref()?);
            let mine = |r: &&Replica| r.service == service.id && !fed_by(r).is_some_and(|c| worse(c));
            for replica in entity.replicas.iter().filter(mine) {
                effects.extend(self.growing_old(entity, replica));
            }
        }
        effects
    }

    /// Failing operations of a service, and of those that call it.
    fn failing_because(&mut self, service: &ServiceId) -> Vec<Effect> {
        let mut effects = Vec::new();
        let candidates: Vec<(&Arc<Flow>, f64)> = self.failing.clone();
        for (flow, share) in candidates {
            let concerned = flow.from.iter().any(|s| s == service || self.reaches(s).contains(service));
            if concerned && self.said.insert(Thing::Flow(flow.id.clone())) {
                effects.push(self.failing(flow, share));
            }
        }
        effects
    }

    fn consumers(&mut self) {
        let rows = self.rows;
        let mut fed: BTreeMap<&ConsumerId, Vec<(&Entity, &Replica)>> = BTreeMap::new();
        for entity in rows.entities {
            for replica in &entity.replicas {
                if let Some(consumer) = &replica.consumer {
                    fed.entry(consumer).or_default().push((entity, replica));
                }
            }
        }
        for consumer in &rows.ailing {
            let fed = fed.get(&consumer.id).map(Vec::as_slice).unwrap_or_default();
            if is_bad(consumer.status) && self.said.insert(Thing::Consumer(consumer.id.clone())) {
                self.consumer(consumer, fed);
            }
            if let Some(since) = consumer.lost_since {
                self.loss(consumer, since, fed);
            }
        }
    }

    /// A consumer that does not advance as it should.
    fn consumer(&mut self, consumer: &Consumer, fed: &[(&Entity, &Replica)]) {
        let severity = severity_of(consumer.status);
        let mut effects = vec![self.behind(consumer)];
        effects.extend(self.lost(consumer, consumer.since));
        for (entity, replica) in fed {
            effects.extend(self.growing_old(entity, replica));
        }
        // The decisive words first: what it reads may be cut where there is little room.
        let text = match reads(consumer) {
            Some(subject) => format!("{}; reads {subject}", consumer.why),
            None => format!("{}; consumer {}", consumer.why, self.local(consumer)),
        };
        self.push(consumer, severity, text, consumer.since, effects);
    }

    /// Messages that were given up, and that follow from nothing that goes on.
    fn loss(&mut self, consumer: &Consumer, since: Since, fed: &[(&Entity, &Replica)]) {
        let said = self.losses.get(&consumer.id).copied().unwrap_or(0);
        let rest = consumer.gave_up.low().copied().unwrap_or(0).saturating_sub(said);
        if rest == 0 {
            return;
        }
        let effects = fed.iter().map(|(entity, replica)| Effect {
            thing: Thing::Entity(entity.id.clone()),
            kind: "lost data".into(),
            text: format!("{} ● {}", entity.id, replica.service).into(),
        });
        self.push(consumer, Severity::Lost, self.gave_up(consumer, rest), since, effects.collect());
    }

    fn push(
        &mut self,
        consumer: &Consumer,
        severity: Severity,
        text: String,
        since: Since,
        effects: Vec<Effect>,
    ) {
        self.causes.push(Cause {
            thing: Thing::Consumer(consumer.id.clone()),
            name: self.naming.at(&consumer.source, &who(consumer)).into(),
            severity,
            text: text.into(),
            since,
            team: self.team(&consumer.services),
            effects,
        });
    }

    /// Copies that are older than they may be, and that nothing else explains.
    fn copies(&mut self) {
        let rows = self.rows;
        for entity in rows.entities {
            for replica in &entity.replicas {
                let Some(effect) = self.too_old(entity, replica) else { continue };
                let consumer = replica.consumer.as_ref().and_then(|id| find(rows.consumers, id));
                self.causes.push(Cause {
                    thing: Thing::Entity(entity.id.clone()),
                    name: format!("{} ● {}", entity.id, replica.service).into(),
                    severity: Severity::Degraded,
                    text: effect.text,
                    since: Since { at: replica.staleness.at, or_earlier: true },
                    team: self.team(std::slice::from_ref(&replica.service)),
                    effects: consumer
                        .into_iter()
                        .filter(|c| c.lag.low() > Some(&0))
                        .map(|c| self.behind(c))
                        .collect(),
                });
            }
        }
    }

    /// Failing operations that nothing else explains: those whose service calls no failing one are the roots.
    fn operations(&mut self) {
        let open: Vec<(&Arc<Flow>, f64)> = self
            .failing
            .iter()
            .filter(|(f, _)| !self.said.contains(&Thing::Flow(f.id.clone())))
            .copied()
            .collect();
        let services: BTreeSet<&ServiceId> = open.iter().flat_map(|(f, _)| &*f.from).collect();
        let is_root = |flow: &Flow| {
            !flow.from.iter().any(|s| self.reaches(s).iter().any(|t| t != s && services.contains(t)))
        };
        let (roots, rest): (Vec<_>, Vec<_>) = open.iter().copied().partition(|(flow, _)| is_root(flow));
        // Services that call each other in a circle have no root: then each is its own.
        let roots = if roots.is_empty() { rest } else { roots };
        for (flow, share) in roots {
            if !self.said.insert(Thing::Flow(flow.id.clone())) {
                continue;
            }
            let effects = flow.from.first().map(|s| self.failing_because(s)).unwrap_or_default();
            self.causes.push(Cause {
                thing: Thing::Flow(flow.id.clone()),
                name: self.naming.flow(flow).into(),
                severity: Severity::Degraded,
                text: self.failing(flow, share).text,
                since: Since { at: flow.errors_rate.at, or_earlier: true },
                team: self.team(&flow.from),
                effects,
            });
        }
    }

    fn team(&self, services: &[ServiceId]) -> Option<TeamId> {
        services.iter().find_map(|s| self.rows.services.get(s)?.team.clone())
    }

    /// A copy that ages, said once.
    fn growing_old(&mut self, entity: &Entity, replica: &Replica) -> Option<Effect> {
        let staleness = replica.staleness.low()?;
        if staleness.is_zero() || !self.copies.insert((entity.id.to_string(), replica.service.clone())) {
            return None;
        }
        Some(aging(entity, replica))
    }

    /// A copy that is surely older than it may be, said once.
    fn too_old(&mut self, entity: &Entity, replica: &Replica) -> Option<Effect> {
        let (staleness, max) = (replica.staleness.low()?, replica.max_staleness?);
        if *staleness <= max || !self.copies.insert((entity.id.to_string(), replica.service.clone())) {
            return None;
        }
        Some(aging(entity, replica))
    }

    /// A consumer as people call it: `ORDERS/billing`.
    fn local<'c>(&self, consumer: &'c Consumer) -> &'c str {
        self.naming.local(consumer.id.as_str())
    }

    /// `ORDERS/billing: 4.1k messages, oldest 2m05, not draining`, with the lag that its row shows; `2 messages in flight` where
    /// nothing waits for delivery.
    fn behind(&self, consumer: &Consumer) -> Effect {
        let what = match (consumer.lag.low(), consumer.in_flight.low()) {
            (Some(0), Some(in_flight)) if *in_flight > 0 => {
                format!("{} in flight", number::messages(*in_flight))
            }
            (lag, _) => number::messages(lag.copied().unwrap_or(0)),
        };
        let mut text = format!("{}: {what}", self.local(consumer));
        if let Some(age) = consumer.staleness.low().filter(|age| !age.is_zero()) {
            text = format!("{text}, oldest {}", number::duration(*age));
        }
        match consumer.drain.low() {
            Some(Drain::Never) => text.push_str(", not draining"),
            Some(Drain::In(time)) => text = format!("{text}, drained in {}", number::duration(*time)),
            _ => {}
        }
        Effect { thing: Thing::Consumer(consumer.id.clone()), kind: "behind".into(), text: text.into() }
    }

    /// `ORDERS/billing gave up 3 messages after 5 deliveries`
    fn gave_up(&self, consumer: &Consumer, messages: u64) -> String {
        let sign = if consumer.gave_up.bounds.exact().is_some() { "" } else { "≥" };
        let after = consumer
            .report
            .as_ref()
            .and_then(|r| r.max_deliver)
            .map(|n| format!(" after {n} {}", if n == 1 { "delivery" } else { "deliveries" }))
            .unwrap_or_default();
        format!("{} gave up {sign}{}{after}", self.local(consumer), number::messages(messages))
    }

    /// Messages that a consumer gave up since something went wrong, said once. What it gave up before does not follow from that.
    fn lost(&mut self, consumer: &Consumer, since: Since) -> Option<Effect> {
        let after = consumer.losses.iter().filter(|loss| loss.at >= since.at).map(|loss| loss.messages).sum();
        let unsaid = after > 0 && self.losses.insert(consumer.id.clone(), after).is_none();
        unsaid.then(|| Effect {
            thing: Thing::Consumer(consumer.id.clone()),
            kind: "lost data".into(),
            text: self.gave_up(consumer, after).into(),
        })
    }

    /// `gateway ╌ orders.order.place   31 % errors`
    fn failing(&self, flow: &Flow, share: f64) -> Effect {
        let callers: Vec<&str> = flow.to.iter().map(ServiceId::as_str).collect();
        let from = if callers.is_empty() { String::new() } else { format!("{} ╌ ", callers.join(", ")) };
        Effect {
            thing: Thing::Flow(flow.id.clone()),
            kind: "failing now".into(),
            text: format!("{from}{}  {} errors", self.naming.flow(flow), number::percent(share)).into(),
        }
    }
}

/// Whether a consumer needs a person.
pub(super) fn ails(consumer: &Consumer) -> bool {
    is_bad(consumer.status) || consumer.lost_since.is_some()
}

fn is_bad(status: ConsumerStatus) -> bool {
    use ConsumerStatus::{Rewound, Slow, Stalled, Stopped};
    matches!(status, Stalled | Stopped | Slow | Rewound)
}

fn severity_of(status: ConsumerStatus) -> Severity {
    match status {
        ConsumerStatus::Stopped => Severity::Down,
        ConsumerStatus::Stalled => Severity::Stalled,
        _ => Severity::Degraded,
    }
}

fn who(consumer: &Consumer) -> Name {
    match &*consumer.services {
        [one] => one.as_str().into(),
        [] => consumer.name.clone(),
        [first, rest @ ..] => format!("{first} +{}", rest.len()).into(),
    }
}

/// What a consumer reads, as people call it.
fn reads(consumer: &Consumer) -> Option<&Name> {
    match consumer.report.as_ref()?.filters.as_slice() {
        [one] => Some(one),
        _ => None,
    }
}

/// What is wrong with a store, and who says so: `connection refused; accounts is down; ready: 503`.
fn said_of(store: &Store, service: &Service) -> String {
    let whole = &*service.why;
    // The service's own words often end with the store's, which stand first here.
    let own = whole.split_once(store.id.as_str()).map_or(whole, |(before, _)| before);
    let own = own.trim_end_matches([' ', ',', ';', ':']);
    let and = if own.is_empty() { "" } else { "; " };
    let what = if store.why.is_empty() { "down" } else { &*store.why };
    format!("{what}; {} is {}{and}{own}", service.id, service.state.in_words())
}

/// `User ● billing 2.1 s > 2 s`
fn aging(entity: &Entity, replica: &Replica) -> Effect {
    let age = replica.staleness.low().copied().unwrap_or_default();
    let limit = match replica.max_staleness {
        Some(max) if age > max => format!(" > {}", number::limit(max)),
        _ => String::new(),
    };
    Effect {
        thing: Thing::Entity(entity.id.clone()),
        kind: "growing old".into(),
        text: format!("{} ● {} {}{limit}", entity.id, replica.service, number::duration(age)).into(),
    }
}
