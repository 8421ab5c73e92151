//! Requests: asked, answered, and asked on behalf of somebody.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::content::Content;
use super::tapped::{Sent, Target};
use super::work::World;
use super::{Agenda, Event, nanos};
use crate::demo::scenario::{Answering, Scenario};
use crate::demo::store::plan;
use crate::model::id::{Name, ServiceId};

/// How long a client library waits by itself, when nothing else was said.
const LONGEST: Duration = Duration::from_secs(10);
/// How long it takes to say that something does not work.
const REFUSAL: u64 = 800_000;
/// Bytes of a request, and of an answer.
const BYTES: u64 = 180;

/// How long somebody waits.
pub(super) fn patience(timeout: Option<Duration>) -> u64 {
    nanos(timeout.unwrap_or(LONGEST))
}

/// An operation that a service answers, with its running totals.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) service: usize,
    pub(super) name: Name,
    pub(super) subject: Name,
    asks: Vec<plan::Request>,
    calls: Vec<(usize, u64)>,
    leads_to: Vec<usize>,
    answering: Answering,
    /// Requests handed to each instance.
    pub(super) delivered: Vec<u64>,
    pub(super) requests: u64,
    pub(super) errors: u64,
    pub(super) busy: u64,
    pub(super) last_error: Option<Name>,
}

impl Operation {
    pub(super) fn new(
        service: usize,
        answer: &plan::Operation,
        instances: usize,
        scenario: &Scenario,
        leads_to: Vec<usize>,
    ) -> Self {
        Self {
            service,
            name: answer.name.clone(),
            subject: answer.subject.clone(),
            asks: answer.calls.clone(),
            calls: Vec::new(),
            leads_to,
            answering: scenario.answering(&answer.name),
            delivered: vec![0; instances],
            requests: 0,
            errors: 0,
            busy: 0,
            last_error: None,
        }
    }

    /// Finds the places of what it asks of others.
    pub(super) fn resolve(&mut self, places: &BTreeMap<(ServiceId, Name), usize>) {
        let place = |ask: &plan::Request| {
            Some((*places.get(&(ask.service.clone(), ask.operation.clone()))?, patience(ask.timeout)))
        };
        self.calls = self.asks.iter().filter_map(place).collect();
    }
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Call {
    operation: usize,
    began: u64,
    /// The request on whose behalf it is made.
    parent: Option<u64>,
    /// Whether somebody still waits for the answer.
    awaited: bool,
    /// Requests made on its behalf so far; `None` before its own part is done.
    asked: Option<usize>,
    life: u64,
    /// What it says, and what it leads to says too.
    content: Arc<Content>,
}

impl World {
    pub(super) fn ask_by_itself(&mut self, ask: usize, now: u64, agenda: &mut Agenda, scenario: &Scenario) {
        let Some((service, operation, patience)) = self.asks.get(ask).copied() else { return };
        let Some(asker) = self.services.get(service) else { return };
        let name = self.operations.get(operation).map_or_else(|| "".into(), |op| op.name.clone());
        let usual = scenario.asks.get(&(asker.plan.id.clone(), name.clone())).copied().unwrap_or(0.0);
        let rate = usual * self.conditions.burst(&name);
        let works = asker.works;
        if works && rate > 0.0 {
            let visit = Arc::new(Content::visit(&mut self.fields, &mut self.chance));
            self.ask(service, operation, patience, None, visit, now, agenda, scenario);
            let gap = self.random.gap(rate);
            agenda.at(now + gap, Event::Ask(ask));
        } else {
            agenda.at(now + nanos(Duration::from_millis(500)), Event::Ask(ask));
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a request")]
    fn ask(
        &mut self,
        asker: usize,
        place: usize,
        patience: u64,
        parent: Option<u64>,
        content: Arc<Content>,
        now: u64,
        agenda: &mut Agenda,
        scenario: &Scenario,
    ) {
        let instance = self.sent(asker, 1, BYTES);
        let Some(operation) = self.operations.get_mut(place) else { return };
        let responder = self.services.get(operation.service).filter(|service| service.runs);
        let Some(responder) = responder else {
            // Nobody listens: the broker says so at once.
            self.returned(parent, false, now, agenda, scenario);
            return;
        };
        let (target, subject) = (Target::Subject(operation.subject.clone()), operation.subject.clone());
        self.overheard.note(&target, || Sent {
            at: now,
            target: target.clone(),
            subject,
            by: (asker, instance),
            replied: true,
            asks: true,
            bytes: 0,
            content: Arc::clone(&content),
        });
        let which = self.random.one_of(operation.delivered.len());
        if let Some(delivered) = operation.delivered.get_mut(which) {
            *delivered += 1;
        }
        let takes = if responder.works { self.random.time(&operation.answering.takes, 1.0) } else { REFUSAL };
        self.calls_made += 1;
        let call = self.calls_made;
        let requester = self.services.get(asker).and_then(|service| service.instances.get(instance));
        self.overheard.asked(now, call, &operation.subject, requester.map(|instance| &instance.name));
        let life = responder.life;
        let made = Call { operation: place, began: now, parent, awaited: true, asked: None, life, content };
        self.calls.insert(call, made);
        agenda.at(now + takes, Event::Answer { call, life });
        agenda.at(now + patience, Event::Patience { call });
    }

    /// A service is done with its own part: it asks others what it needs, or answers.
    pub(super) fn answer(&mut self, id: u64, life: u64, now: u64, agenda: &mut Agenda, scenario: &Scenario) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.asked = Some(0);
        let Some(operation) = self.operations.get(call.operation) else { return };
        let Some(service) = self.services.get(operation.service).filter(|s| s.life == life) else { return };
        if !service.works {
            let part = service.blamed.clone().unwrap_or_else(|| "the service".into());
            self.finish(id, Err(format!("503:{part}: connection refused")), now, agenda, scenario);
        } else if self.random.share() < operation.answering.fails {
            self.finish(id, Err("500:internal error".to_owned()), now, agenda, scenario);
        } else {
            self.go_on(id, now, agenda, scenario);
        }
    }

    /// Asks the next of what it needs, or answers when it has everything.
    fn go_on(&mut self, id: u64, now: u64, agenda: &mut Agenda, scenario: &Scenario) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(operation) = self.operations.get(call.operation) else { return };
        let asked = call.asked.unwrap_or(0);
        if let Some((place, patience)) = operation.calls.get(asked).copied() {
            call.asked = Some(asked + 1);
            let content = Arc::clone(&call.content);
            self.ask(operation.service, place, patience, Some(id), content, now, agenda, scenario);
        } else {
            self.finish(id, Ok(()), now, agenda, scenario);
        }
    }

    fn finish(
        &mut self,
        id: u64,
        outcome: Result<(), String>,
        now: u64,
        agenda: &mut Agenda,
        scenario: &Scenario,
    ) {
        let Some(call) = self.calls.remove(&id) else { return };
        let Some(operation) = self.operations.get_mut(call.operation) else { return };
        operation.requests += 1;
        operation.busy += now.saturating_sub(call.began);
        let (service, good) = (operation.service, outcome.is_ok());
        let outlets = if good { operation.leads_to.clone() } else { Vec::new() };
        if let Err(error) = outcome {
            operation.errors += 1;
            operation.last_error = Some(error.into());
        }
        self.sent(service, 1, BYTES);
        self.overheard.answered(now, id, !good);
        self.follow(&outlets, Some(&call.content), now, agenda, scenario);
        if call.awaited {
            self.returned(call.parent, good, now, agenda, scenario);
        }
    }

    /// An answer came, or will not come, to the request on whose behalf it was asked.
    fn returned(
        &mut self,
        parent: Option<u64>,
        good: bool,
        now: u64,
        agenda: &mut Agenda,
        scenario: &Scenario,
    ) {
        let Some(id) = parent else { return };
        let Some(call) = self.calls.get(&id) else { return };
        let service = self.operations.get(call.operation).map(|operation| operation.service);
        if service.and_then(|at| self.services.get(at)).is_none_or(|s| s.life != call.life) {
            return;
        }
        if good {
            self.go_on(id, now, agenda, scenario);
        } else {
            let needed = self.operations.get(call.operation).and_then(|operation| {
                let asked = call.asked.unwrap_or(0).saturating_sub(1);
                operation.asks.get(asked).map(|ask| ask.operation.clone())
            });
            let what = needed.unwrap_or_else(|| "a request".into());
            self.finish(id, Err(format!("502:{what} failed")), now, agenda, scenario);
        }
    }

    pub(super) fn out_of_patience(&mut self, id: u64, now: u64, agenda: &mut Agenda, scenario: &Scenario) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.awaited = false;
        let (parent, place, life) = (call.parent, call.operation, call.life);
        let service = self.operations.get(place).map(|operation| operation.service);
        // Whoever was to answer has stopped meanwhile: nobody ever will.
        if service.and_then(|at| self.services.get(at)).is_none_or(|s| s.life != life) {
            self.calls.remove(&id);
        }
        self.returned(parent, false, now, agenda, scenario);
    }
}
