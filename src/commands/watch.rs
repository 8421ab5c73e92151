//! From settings to snapshots: sources, engine and topology, wired once for all commands that watch.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinSet;

use crate::cli::Global;
use crate::commands::CommandError;
use crate::engine::{Engine, EngineOptions, Input, drive};
use crate::model::command::{Command, ProbeLevel};
use crate::model::id::SourceId;
use crate::model::observation::{Batch, Observation, SourceReport, SourceState};
use crate::model::snapshot::{Origin, Snapshot, TopologyState};
use crate::settings::{self, DeclaredBroker, Settings};
use crate::source::health::{self, Asker, Endpoint};
use crate::source::nats::{self, options::NatsOptions, systems::Systems};
use crate::source::redact::{Fields, Sensitive, Watched};
use crate::source::{BATCHES_WAITING, Clock, Outbox};
use crate::topology::Topology;
use crate::topology::watch::Watcher;

/// How often the topology files are looked at.
const TOPOLOGY_EVERY: Duration = Duration::from_secs(1);
/// What may wait for the engine besides batches.
const INPUTS_WAITING: usize = 4;
/// Commands that may wait for a source.
const COMMANDS_WAITING: usize = 256;
/// Problems of topology files that are printed before the rest is only counted.
const MOST_PROBLEMS: usize = 20;

/// What to watch.
#[derive(Debug)]
pub struct Plan {
    /// NATS systems.
    pub nats: Vec<NatsOptions>,
    /// The declared system.
    pub topology: Option<Declared>,
    /// What the sources may do to learn.
    pub probe: ProbeLevel,
    /// Where it all comes from: for the header.
    pub origin: Origin,
    /// Rates and delays cover the whole watch instead of the last moments: for one look of fixed length.
    pub whole_run: bool,
    /// Authorities that health endpoints may be signed by, besides the machine's (PEM).
    pub authority: Option<PathBuf>,
    /// Hands commands to all that listen: sources, and the demo's store.
    pub commands: broadcast::Sender<Command>,
}

impl Plan {
    /// How many sources it starts.
    pub fn sources(&self) -> usize {
        self.nats.len() + usize::from(self.checks_health())
    }

    /// Whether health endpoints are asked from the start: only a declared system names any.
    fn checks_health(&self) -> bool {
        let named = |declared: &Declared| !health::declared(&declared.topology).is_empty();
        self.origin == Origin::Live && self.topology.as_ref().is_some_and(named)
    }

    /// Nothing but a declared system: the start of a plan that is no person's settings.
    pub fn of(topology: Declared, origin: Origin) -> Self {
        Self {
            nats: Vec::new(),
            topology: Some(topology),
            probe: ProbeLevel::Passive,
            origin,
            whole_run: false,
            authority: None,
            commands: commands(),
        }
    }
}

/// Where commands are handed out.
pub fn commands() -> broadcast::Sender<Command> {
    broadcast::channel(COMMANDS_WAITING).0
}

/// A topology that has been read.
#[derive(Debug)]
pub struct Declared {
    /// What it declares.
    pub topology: Arc<Topology>,
    /// Where it comes from and how well it was read.
    pub state: TopologyState,
    /// Looks at its files again while watching; `None` for one that is not on disk.
    pub watcher: Option<Watcher>,
}

/// The plan and all settings, from flags, environment and files.
pub fn plan(global: &Global) -> Result<(Plan, Settings), CommandError> {
    let environment = &settings::process_environment;
    let declared = match settings::topology_directory(global, environment) {
        Some(directory) => Some(load(&directory.value)?),
        None => None,
    };
    let brokers = declared.as_ref().map_or_else(Vec::new, |d| brokers(&d.topology));
    let settings = Settings::resolve(global, environment, &brokers)?;
    settings.check_files(global, environment)?;
    let nats = settings.sources.iter().map(|source| source.options.clone()).collect();
    let plan = Plan {
        nats,
        topology: declared,
        probe: settings.probe.value,
        origin: Origin::Live,
        whole_run: false,
        authority: global.tls_ca.clone(),
        commands: commands(),
    };
    Ok((plan, settings))
}

/// Reads a topology that a command depends on: at the start a mistake is an error, later it is a state.
fn load(path: &Path) -> Result<Declared, CommandError> {
    let watcher = Watcher::new(path, SystemTime::now());
    if let Some(topology) = watcher.topology() {
        return Ok(Declared {
            topology: Arc::clone(topology),
            state: watcher.state(),
            watcher: Some(watcher),
        });
    }
    let mut lines: Vec<String> =
        watcher.problems().iter().take(MOST_PROBLEMS).map(|p| p.line(path)).collect();
    if watcher.problems().len() > MOST_PROBLEMS {
        lines.push(format!("and {} more", watcher.problems().len() - MOST_PROBLEMS));
    }
    let path = path.display();
    lines
        .push(format!("the topology in {path} cannot be used; headwater topology validate {path} checks it"));
    Err(CommandError::Usage(lines.join("\n")))
}

/// The brokers that settings can connect to.
fn brokers(topology: &Topology) -> Vec<DeclaredBroker> {
    let declared = topology.brokers.values().map(|broker| DeclaredBroker {
        id: broker.id.to_string(),
        kind: broker.kind.word().to_owned(),
        servers: broker.servers.iter().map(|address| address.secret().to_owned()).collect(),
        monitor: broker.monitor.as_ref().map(|address| address.secret().to_owned()),
        message_traces: broker.message_traces.as_ref().map(ToString::to_string),
    });
    declared.collect()
}

/// A running watch. Dropping it ends all of its tasks.
#[derive(Debug)]
pub struct Watching {
    /// What is known, always the newest.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// Commands to the sources.
    pub commands: mpsc::Sender<Command>,
    /// The clocks that everything is stamped with.
    pub clock: Clock,
    /// Where further sources (the simulation) put their batches.
    pub batches: mpsc::Sender<Batch>,
    engine: mpsc::Sender<Input>,
    _tasks: JoinSet<()>,
}

/// Starts sources and engine on the current runtime.
pub fn start(plan: Plan) -> Watching {
    // A topology without endpoints may get one by an edit.
    let checks_health = plan.origin == Origin::Live && plan.topology.is_some();
    let clock = Clock::start();
    let began = clock.now();
    let (batches, waiting) = mpsc::channel(BATCHES_WAITING);
    let (commands, mut asked) = mpsc::channel(COMMANDS_WAITING);
    let told = plan.commands;
    let (publish, snapshots) = watch::channel(Arc::new(Snapshot::empty(began.wall)));
    let mut tasks = JoinSet::new();

    let declared = plan.topology.as_ref().map(|d| Arc::clone(&d.topology));
    let (check, checks) = watch::channel(declared.as_deref().map_or_else(Vec::new, health::declared));
    let (hide, hidden) = watch::channel(declared_fields(declared.as_deref()));
    let (inputs, told_engine) = mpsc::channel(INPUTS_WAITING);
    let (probed, ask) = (inputs.clone(), inputs.clone());

    let options = EngineOptions { probe: plan.probe, origin: plan.origin, ..EngineOptions::new(began) };
    let mut engine = Engine::new(if plan.whole_run { options.whole_run() } else { options });
    engine.set_topology(declared.clone(), plan.topology.as_ref().map(|d| d.state.clone()));
    tasks.spawn(async move {
        drive(engine, move || clock.now(), waiting, told_engine, publish).await;
    });

    let systems = Systems::of(&plan.nats);
    for options in plan.nats {
        let options = NatsOptions { probe: plan.probe, sensitive: Watched::new(hidden.clone()), ..options };
        let outbox = Outbox::new(options.source.clone(), clock, batches.clone());
        tasks.spawn(nats::run(options, systems.clone(), outbox, told.subscribe()));
    }
    if checks_health {
        let outbox = Outbox::new(SourceId::from("health"), clock, batches.clone());
        let in_trouble = Outbox::new(SourceId::from("health"), clock, batches.clone());
        tasks.spawn(check_health(plan.authority, checks, outbox, told.subscribe(), in_trouble));
    }
    tasks.spawn(async move {
        while let Some(command) = asked.recv().await {
            let input = match command {
                Command::Probe(level) => Some(Input::Probe(level)),
                Command::Window(window) => Some(Input::Window(window)),
                _ => None,
            };
            if let Some(input) = input {
                // An engine that has ended needs no telling.
                let _ = probed.send(input).await;
            }
            // Nobody listens while there is no source.
            let _ = told.send(command);
        }
    });
    if let Some(watcher) = plan.topology.and_then(|d| d.watcher) {
        tasks.spawn(reload(watcher, inputs, check, hide));
    }
    Watching { snapshots, commands, clock, batches, engine: ask, _tasks: tasks }
}

impl Watching {
    /// A picture of this moment, newer than any that was seen before.
    pub async fn fresh(&mut self) -> Arc<Snapshot> {
        self.snapshots.mark_unchanged();
        // An engine that has ended has nothing newer than what is there.
        if self.engine.send(Input::Now).await.is_ok() {
            let _ = self.snapshots.changed().await;
        }
        Arc::clone(&self.snapshots.borrow_and_update())
    }
}

/// Checks until the end, from when there is something to check. Without an HTTP client there are no checks: a state to
/// show, not an end.
async fn check_health(
    authority: Option<PathBuf>,
    mut checks: watch::Receiver<Vec<Endpoint>>,
    outbox: Outbox,
    commands: broadcast::Receiver<Command>,
    mut in_trouble: Outbox,
) {
    if checks.wait_for(|endpoints| !endpoints.is_empty()).await.is_err() {
        return;
    }
    match Asker::new(&health::Settings { authority }) {
        Ok(asker) => health::run(asker, checks, outbox, commands).await,
        Err(error) => {
            let report = SourceReport {
                kind: "health".into(),
                state: SourceState::Down,
                error: Some(error.to_string().into()),
                ..SourceReport::default()
            };
            in_trouble.observe(Observation::Source(Box::new(report)));
            in_trouble.flush();
        }
    }
}

/// The fields whose values are told of no message, and those that say what one is about.
fn declared_fields(topology: Option<&Topology>) -> Fields {
    Fields {
        sensitive: Arc::new(Sensitive::of(topology.map(Topology::sensitive).unwrap_or_default())),
        keys: Arc::new(topology.map(Topology::keys).unwrap_or_default()),
    }
}

/// Looks at the files again and again; a bad edit keeps the last good topology and says what is wrong.
async fn reload(
    mut watcher: Watcher,
    engine: mpsc::Sender<Input>,
    check: watch::Sender<Vec<Endpoint>>,
    hide: watch::Sender<Fields>,
) {
    let mut ticks = tokio::time::interval(TOPOLOGY_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let looked = tokio::task::spawn_blocking(move || {
            let changed = watcher.check(SystemTime::now());
            (watcher, changed)
        });
        let Ok((back, changed)) = looked.await else { return };
        watcher = back;
        if let (true, Some(topology)) = (changed, watcher.topology()) {
            check.send_replace(health::declared(topology));
            hide.send_replace(declared_fields(Some(topology)));
            let input = Input::Topology(Some(Arc::clone(topology)), Some(watcher.state()));
            if engine.send(input).await.is_err() {
                return;
            }
        }
    }
}
