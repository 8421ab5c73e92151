//! Health endpoints: HTTP(S) GET on each, at its own pace; outcomes as batches.
//!
//! An endpoint that does not answer is *unreachable from here*: whether its service is down is for the engine to
//! conclude, which also sees the service's broker connections. [`parse`] says what answers mean and is pure;
//! everything else here is about asking.
//!
//! Used by `commands/`, and by the demo, which has endpoints of its own.

pub(super) mod get;
mod parse;
mod secrets;
mod words;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, Semaphore, broadcast, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

pub use get::ClientError;
pub use parse::{Answer, parse};

use crate::model::command::Command;
use crate::model::id::{Name, ServiceId};
use crate::model::observation::{HealthReport, HealthState, Load, Observation, SourceReport, SourceState};
use crate::source::{BATCH_EVERY, Delivery, Outbox};
use crate::topology::Topology;
use crate::topology::declared::Health;

/// How often an endpoint is asked when nothing else is said.
pub const INTERVAL: Duration = Duration::from_secs(5);
/// How long it may take when nothing else is said.
pub const TIMEOUT: Duration = Duration::from_secs(2);
/// Nobody is asked more often.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);
/// The first questions are spread over this time: soon enough for a first picture, and not all at once.
const SPREAD: Duration = Duration::from_millis(200);
/// Questions that may be under way at once.
const AT_ONCE: usize = 128;

/// An endpoint to ask.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Whose it is.
    pub service: ServiceId,
    /// The check's name, unique within the service.
    pub check: Name,
    /// Where to ask. May hold secrets: [`Endpoint::shown`] is what people see.
    pub url: Name,
    /// How often.
    pub interval: Duration,
    /// How long to wait.
    pub timeout: Duration,
    /// Entity and JSON pointer of the versions that the answer reports as applied.
    pub applied: Vec<(Name, Name)>,
}

impl Endpoint {
    /// The address without secrets.
    pub fn shown(&self) -> String {
        secrets::shown(&self.url)
    }
}

/// The endpoints that a topology declares.
pub fn declared(topology: &Topology) -> Vec<Endpoint> {
    let endpoint = |service: &ServiceId, health: &Health| Endpoint {
        service: service.clone(),
        check: health.name.clone(),
        url: health.url.secret().into(),
        interval: health.interval.unwrap_or(INTERVAL),
        timeout: health.timeout.unwrap_or(TIMEOUT),
        applied: health.applied.iter().map(|a| (a.entity.as_str().into(), a.pointer.clone())).collect(),
    };
    topology
        .services
        .iter()
        .flat_map(|(id, service)| service.health.iter().map(move |health| endpoint(id, health)))
        .collect()
}

/// Without the secrets.
impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{} at {}", self.service, self.check, self.shown())
    }
}

/// How to ask.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Further authorities to trust (PEM).
    pub authority: Option<PathBuf>,
}

/// What asks: one HTTP client for all endpoints.
#[derive(Clone, Debug)]
pub struct Asker(reqwest::Client);

impl Asker {
    /// Fails when the authorities cannot be read: better before the start than as an endpoint's state.
    pub fn new(settings: &Settings) -> Result<Self, ClientError> {
        get::client(settings.authority.as_deref()).map(Self)
    }
}

/// Asks the endpoints until nobody listens to the outbox any more.
///
/// `endpoints` may change while it runs: those that stay as they are keep their pace. [`Command::Refresh`] asks all of
/// them at once.
pub async fn run(
    asker: Asker,
    mut endpoints: watch::Receiver<Vec<Endpoint>>,
    mut outbox: Outbox,
    mut commands: broadcast::Receiver<Command>,
) {
    let (reports, mut answers) = mpsc::channel::<Asked>(256);
    let mut checks = Checks {
        client: asker.0,
        reports,
        now: Arc::new(Notify::new()),
        permits: Arc::new(Semaphore::new(AT_ONCE)),
        tasks: JoinSet::new(),
        running: Vec::new(),
    };
    let mut tally = Tally::default();
    checks.replace(&endpoints.borrow_and_update().clone(), &mut tally);
    outbox.observe(tally.report());

    let mut handover = interval(BATCH_EVERY);
    handover.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut fresh = true;
    let (silence, _) = broadcast::channel(1);
    loop {
        tokio::select! {
            Some(news) = answers.recv() => {
                fresh |= tally.count(&news);
                if let Some(report) = news.outcome {
                    outbox.observe(Observation::Health(Box::new(report)));
                }
            }
            Ok(()) = endpoints.changed() => {
                checks.replace(&endpoints.borrow_and_update().clone(), &mut tally);
                fresh = true;
            }
            command = commands.recv() => match command {
                // Commands that were missed were some too many: one of them may have been for us.
                Ok(Command::Refresh) | Err(RecvError::Lagged(_)) => checks.now.notify_waiters(),
                Ok(Command::Reconnect(source)) if source == *outbox.source() => checks.now.notify_waiters(),
                Ok(_) => {}
                Err(RecvError::Closed) => {
                    // Nobody can command any more: a receiver that is never ready takes the place.
                    commands = silence.subscribe();
                }
            },
            _ = handover.tick() => {
                if std::mem::take(&mut fresh) {
                    outbox.observe(tally.report());
                }
                if outbox.flush() == Delivery::Closed {
                    return;
                }
            }
        }
    }
}

/// A question was asked, or answered.
struct Asked {
    service: ServiceId,
    check: Name,
    /// `None` while under way.
    outcome: Option<HealthReport>,
}

/// The tasks that ask.
struct Checks {
    client: reqwest::Client,
    reports: mpsc::Sender<Asked>,
    now: Arc<Notify>,
    permits: Arc<Semaphore>,
    /// Ends them all when dropped.
    tasks: JoinSet<()>,
    running: Vec<(Endpoint, tokio::task::AbortHandle)>,
}

impl Checks {
    /// Makes `wanted` the endpoints that are asked.
    fn replace(&mut self, wanted: &[Endpoint], tally: &mut Tally) {
        self.running.retain(|(endpoint, task)| {
            let stays = wanted.contains(endpoint);
            if !stays {
                task.abort();
            }
            stays
        });
        for endpoint in wanted {
            if self.running.iter().any(|(running, _)| running == endpoint) {
                continue;
            }
            let check = ask_for_ever(
                endpoint.clone(),
                self.client.clone(),
                self.reports.clone(),
                Arc::clone(&self.now),
                Arc::clone(&self.permits),
            );
            let task = self.tasks.spawn(check);
            self.running.push((endpoint.clone(), task));
        }
        // Finished tasks are collected, or the set would grow with every reload.
        while self.tasks.try_join_next().is_some() {}
        tally.keep(wanted);
    }
}

async fn ask_for_ever(
    endpoint: Endpoint,
    client: reqwest::Client,
    reports: mpsc::Sender<Asked>,
    now: Arc<Notify>,
    permits: Arc<Semaphore>,
) {
    let every = endpoint.interval.max(SHORTEST_INTERVAL);
    let spread = SPREAD.min(every).mul_f64(fastrand::f64());
    let mut next = Instant::now() + spread;
    loop {
        tokio::select! {
            () = sleep_until(next) => {}
            () = now.notified() => {}
        }
        let Ok(permit) = permits.acquire().await else { return };
        let asked = Asked { service: endpoint.service.clone(), check: endpoint.check.clone(), outcome: None };
        if reports.send(asked).await.is_err() {
            return;
        }
        let began = Instant::now();
        let report = ask(&client, &endpoint).await;
        drop(permit);
        let asked =
            Asked { service: endpoint.service.clone(), check: endpoint.check.clone(), outcome: Some(report) };
        if reports.send(asked).await.is_err() {
            return;
        }
        // A tenth of jitter: endpoints of one interval do not stay in step.
        next = began + every.mul_f64(0.95 + 0.1 * fastrand::f64());
    }
}

/// Asks once.
async fn ask(client: &reqwest::Client, endpoint: &Endpoint) -> HealthReport {
    let began = Instant::now();
    let outcome = get::get(client, &endpoint.url, endpoint.timeout).await;
    let latency = began.elapsed();
    let mut report = HealthReport {
        service: endpoint.service.clone(),
        check: endpoint.check.clone(),
        url: endpoint.shown().into(),
        state: HealthState::Unreachable,
        latency: None,
        detail: "".into(),
        interval: endpoint.interval.max(SHORTEST_INTERVAL),
        components: Vec::new(),
        applied: BTreeMap::new(),
    };
    match outcome {
        Err(why) => report.detail = why.into(),
        Ok(response) => {
            let answer = parse(response.status, response.content_type.as_deref(), &response.body);
            report.latency = Some(latency);
            report.state = answer.state;
            report.applied =
                answer.applied(endpoint.applied.iter().map(|(entity, pointer)| (entity, &**pointer)));
            report.detail = if response.too_large {
                format!("{}; its text is too long to read", answer.detail).into()
            } else {
                answer.detail
            };
            report.components = answer.components;
        }
    }
    report
}

/// How the asking itself goes.
#[derive(Debug, Default)]
struct Tally {
    requests: u64,
    budget_per_s: f64,
    /// Whether the last question of each check was answered; `None` while none was.
    answered: BTreeMap<(ServiceId, Name), Option<bool>>,
}

impl Tally {
    fn keep(&mut self, wanted: &[Endpoint]) {
        self.answered
            .retain(|(service, check), _| wanted.iter().any(|e| e.service == *service && e.check == *check));
        for endpoint in wanted {
            self.answered.entry((endpoint.service.clone(), endpoint.check.clone())).or_default();
        }
        self.budget_per_s =
            wanted.iter().map(|e| 1.0 / e.interval.max(SHORTEST_INTERVAL).as_secs_f64()).sum();
    }

    /// Whether the source's report says something else now.
    fn count(&mut self, asked: &Asked) -> bool {
        let Some(outcome) = &asked.outcome else {
            self.requests += 1;
            return false;
        };
        // An answer that was under way when its endpoint was removed is counted nowhere.
        if let Some(answered) = self.answered.get_mut(&(asked.service.clone(), asked.check.clone())) {
            *answered = Some(outcome.state != HealthState::Unreachable);
        }
        true
    }

    fn report(&self) -> Observation {
        let all = self.answered.len();
        let answered = self.answered.values().filter(|a| **a == Some(true)).count();
        let silent = self.answered.values().filter(|a| **a == Some(false)).count();
        let state = match (answered, silent) {
            (0, 0) if all > 0 => SourceState::Connecting,
            (_, 0) => SourceState::Up,
            (0, _) => SourceState::Down,
            _ => SourceState::Degraded,
        };
        let error = match silent {
            0 => None,
            _ if silent == all => Some("no health endpoint answers from here".into()),
            _ => Some(format!("{silent} of {all} health endpoints do not answer from here").into()),
        };
        let address = if all == 1 { "1 endpoint".to_owned() } else { format!("{all} endpoints") };
        Observation::Source(Box::new(SourceReport {
            kind: "health".into(),
            address: address.into(),
            state,
            error,
            load: Load {
                requests: self.requests,
                budget_per_s: self.budget_per_s.ceil() as u32,
                ..Load::default()
            },
            notes: BTreeMap::from([("answered".into(), format!("{answered}/{all}").into())]),
            ..SourceReport::default()
        }))
    }
}
