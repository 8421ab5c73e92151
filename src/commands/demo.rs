//! `headwater demo`: runs the sample store and watches it, through the same sources as any system.
//!
//! The store is real where there is a NATS server: the one of `--broker`, or one of our own when `nats-server` is on PATH. With
//! neither it is simulated. On a broker of somebody else it watches at `passive`, elsewhere at `tap` with the messages of one stream,
//! unless --probe says otherwise. Whatever way it ends, what was made is removed: streams from a broker of somebody else, the server
//! and its directory when it is ours.

mod signals;

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use self::signals::Signals;
use super::explore;
use super::watch::{self, Declared, Plan, Watching};
use super::{CommandError, print, runtime};
use crate::app::Fault;
use crate::cli::{Demo, Global};
use crate::commands::tap;
use crate::demo::sample;
use crate::demo::scenario::load::{Known, read};
use crate::demo::scenario::{STORE, STORE_FILE, Scenario};
use crate::demo::server::{self, Server};
use crate::demo::simulation::{self, Simulation};
use crate::demo::store::{self, Store, StoreError};
use crate::model::command::ProbeLevel;
use crate::model::id::{ChannelId, Name, SourceId};
use crate::model::observation::SourceState;
use crate::model::snapshot::{Origin, Snapshot, TopologyState};
use crate::report::json;
use crate::settings::{self, Settings};
use crate::source::nats::options::NatsOptions;
use crate::topology::Topology;
use crate::topology::declared::Address;
use crate::topology::problem::printable;

/// The sample's broker, and so the id of the source that watches it.
const BROKER: &str = "main";
/// Headless, a line comes so often.
const LINE_EVERY: Duration = Duration::from_secs(1);
/// The first line comes after so long, whatever there is.
const FIRST_WITHIN: Duration = Duration::from_secs(3);
/// Tasks that do not end are not waited for longer.
const END_WITHIN: Duration = Duration::from_millis(200);
/// The seed of a simulation that nobody gave one.
const SEED: u64 = 1;
/// Said on the screen of a simulation.
const HOW_TO_GET_REAL: &str = "simulated; for real: nats-server on PATH, or --broker URL";
/// Said on the screen of a server of our own, when all that can be heard is.
const ALL_HEARD: &str = "tap: acknowledgements are heard, and the messages of ORDERS (8)";
/// The same without the messages.
const ALL_ACKS: &str = "acks: every acknowledgement is heard, so delays are exact";
/// The channel whose messages are shown from the start, where nobody else is.
const TAPPED: &str = "ORDERS";
/// Said on the screen of somebody else's broker, when they are not.
const NO_ACKS: &str = "passive: nothing is listened to; --probe acks measures delays exactly";

/// Runs it.
pub fn run(global: &Global, demo: &Demo) -> Result<ExitCode, CommandError> {
    refuse_what_has_no_meaning(global, demo)?;
    if !demo.headless && !std::io::stdout().is_terminal() {
        let text = "standard output is not a terminal: use `headwater demo --headless` for lines of JSON";
        return Err(CommandError::Usage(text.to_owned()));
    }
    let topology = sample::load().topology;
    let topology =
        topology.ok_or_else(|| CommandError::Usage("the sample topology has a mistake".to_owned()))?;
    let scenario = Arc::new(scenario(demo.scenario.as_deref(), &topology)?);
    let stage = Stage::choose(global, demo)?;
    let probe = level(global, &stage);
    let notice = stage.notice(probe);
    let terminal = settings::terminal(global, &settings::process_environment);

    let runtime = runtime()?;
    // From here on a signal no longer ends us in the middle of making or removing something.
    let signals = runtime.block_on(async { Signals::listen() });
    let mut signals =
        signals.map_err(|error| CommandError::Usage(format!("cannot listen to signals: {error}")))?;
    let server = match &stage {
        Stage::Ours(program) => match runtime.block_on(server_of_ours(program, &mut signals))? {
            Ok(server) => Some(server),
            Err(code) => return Ok(ExitCode::from(code)),
        },
        Stage::Simulated | Stage::Theirs(_) => None,
    };
    let started = Running::start(stage, server, probe, demo, topology, Arc::clone(&scenario));
    let mut running = runtime.block_on(started)?;
    let outcome = if let Some(code) = signals.heard() {
        Ok(ExitCode::from(code))
    } else if demo.headless {
        runtime.block_on(lines(&mut running.watching, signals))
    } else {
        explore::show(&running.watching, &terminal, faults(&scenario), notice)
    };
    let left = runtime.block_on(running.stop());
    runtime.shutdown_timeout(END_WITHIN);
    if !left.is_empty() {
        // Standard error may be closed; the next demo on that broker says it again.
        let _ = writeln!(
            std::io::stderr(),
            "headwater: these streams of the demo could not be removed from the broker: {}",
            left.join(", ")
        );
    }
    outcome
}

/// Flags that say what to watch: the demo watches its own.
fn refuse_what_has_no_meaning(global: &Global, demo: &Demo) -> Result<(), CommandError> {
    if global.topology.is_some() {
        let text = "--topology has no meaning for demo, which runs and watches the sample; to watch a system of yours, use \
                    headwater --topology DIR";
        return Err(CommandError::Usage(text.to_owned()));
    }
    let given = [(!global.nats.is_empty(), "--nats"), (!global.context.is_empty(), "--context")];
    let about_a_broker = [
        (global.creds.is_some(), "--creds"),
        (global.nkey.is_some(), "--nkey"),
        (global.user.is_some(), "--user"),
        (global.tls_ca.is_some(), "--tls-ca"),
        (global.tls_cert.is_some(), "--tls-cert"),
        (!global.monitor.is_empty(), "--monitor"),
        (!global.message_traces.is_empty(), "--message-traces"),
    ];
    match given.iter().find(|(given, _)| *given) {
        None => match about_a_broker.iter().find(|(given, _)| *given && demo.broker.is_none()) {
            None => Ok(()),
            Some((_, flag)) => Err(CommandError::Usage(format!(
                "{flag} has no meaning for a demo on a server of its own; it goes with --broker URL"
            ))),
        },
        Some((_, flag)) => Err(CommandError::Usage(format!(
            "{flag} has no meaning for demo, which watches a store of its own; to run that on a server of yours, use \
             --broker URL"
        ))),
    }
}

/// The scenario of a file, or the one that is part of the program.
fn scenario(file: Option<&Path>, topology: &Topology) -> Result<Scenario, CommandError> {
    let known = Known::of(topology);
    let Some(path) = file else {
        return read(STORE_FILE, STORE, &known).map_err(|wrong| CommandError::Usage(wrong.to_string()));
    };
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| CommandError::Usage(format!("cannot read the scenario {shown}: {error}")))?;
    read(&shown.to_string(), &text, &known).map_err(|wrong| CommandError::Usage(wrong.to_string()))
}

/// What people can make go wrong.
fn faults(scenario: &Scenario) -> Vec<Fault> {
    let fault =
        |fault: &crate::demo::scenario::Fault| Fault { id: fault.id.clone(), label: fault.title.clone() };
    scenario.faults().iter().map(fault).collect()
}

/// Where the store is to run.
#[derive(Debug)]
enum Stage {
    /// Nowhere.
    Simulated,
    /// On a server of somebody else.
    Theirs(Box<NatsOptions>),
    /// On one of our own, by this program.
    Ours(PathBuf),
}

impl Stage {
    /// What is good to know at the start.
    fn notice(&self, probe: ProbeLevel) -> Option<&'static str> {
        match (self, probe) {
            (Self::Simulated, _) => Some(HOW_TO_GET_REAL),
            (Self::Ours(_), ProbeLevel::Tap) => Some(ALL_HEARD),
            (Self::Ours(_), ProbeLevel::Acks) => Some(ALL_ACKS),
            (Self::Theirs(_), ProbeLevel::Passive) => Some(NO_ACKS),
            (Self::Ours(_), ProbeLevel::Passive) | (Self::Theirs(_), _) => None,
        }
    }

    fn choose(global: &Global, demo: &Demo) -> Result<Self, CommandError> {
        if let Some(url) = &demo.broker {
            let global = Global { nats: vec![format!("{BROKER}={url}")], ..global.clone() };
            let environment = &settings::process_environment;
            let settings = Settings::resolve(&global, environment, &[])?;
            settings.check_files(&global, environment)?;
            let source = settings.sources.into_iter().next();
            let options = source.map(|source| Box::new(source.options));
            return options
                .map(Self::Theirs)
                .ok_or_else(|| CommandError::Usage("--broker names no server".to_owned()));
        }
        if demo.simulate {
            return Ok(Self::Simulated);
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        Ok(server::find(&path).map_or(Self::Simulated, Self::Ours))
    }
}

/// How much is done to learn: what the person said; else as much as can be where nobody else is.
fn level(global: &Global, stage: &Stage) -> ProbeLevel {
    let said = settings::probe(global).value;
    match stage {
        _ if global.probe.is_some() => said,
        Stage::Theirs(_) => ProbeLevel::Passive,
        Stage::Simulated | Stage::Ours(_) => ProbeLevel::Tap,
    }
}

/// A server of our own, or the exit code of the signal that came before it was there. Until the screen is drawn, the
/// terminal says what is waited for.
async fn server_of_ours(program: &Path, signals: &mut Signals) -> Result<Result<Server, u8>, CommandError> {
    let mut err = std::io::stderr();
    let shown = err.is_terminal();
    if shown {
        // Standard error may be closed; then nobody reads along.
        let _ = write!(err, "starting {}\u{2026} (ctrl-c ends)", printable(&program.to_string_lossy()));
        let _ = err.flush();
    }
    let outcome = tokio::select! {
        server = Server::start(program) => Ok(server),
        code = signals.wait() => Err(code),
    };
    if shown {
        let _ = write!(err, "\r\x1b[K");
        let _ = err.flush();
    }
    match outcome {
        Ok(server) => {
            let needless = |error| format!("{error} (headwater demo --simulate needs none)");
            server.map(Ok).map_err(|error| CommandError::Usage(needless(error)))
        }
        Err(code) => Ok(Err(code)),
    }
}

/// The store and those who watch it.
struct Running {
    watching: Watching,
    store: Option<Store>,
    /// Ended last: the services leave and the streams go before.
    server: Option<Server>,
}

impl Running {
    async fn start(
        stage: Stage,
        server: Option<Server>,
        probe: ProbeLevel,
        demo: &Demo,
        topology: Topology,
        scenario: Arc<Scenario>,
    ) -> Result<Self, CommandError> {
        let running = match (stage, server) {
            (Stage::Theirs(options), _) => {
                return Self::open(*options, None, probe, topology, scenario).await;
            }
            (_, None) => Self::simulate(demo.seed.unwrap_or(SEED), probe, &topology, &scenario),
            (_, Some(server)) => {
                let options = NatsOptions::new(SourceId::from(BROKER), server.url());
                let mut options = options.map_err(|error| CommandError::Usage(error.to_string()))?;
                options.monitors = vec![server.monitor().to_owned()];
                options.fate = server.fate();
                Self::open(options, Some(server), probe, topology, scenario).await?
            }
        };
        if probe >= ProbeLevel::Tap {
            tap::ask(&running.watching.commands, vec![ChannelId::named(&SourceId::from(BROKER), TAPPED)]);
        }
        Ok(running)
    }

    /// Real services on a real server.
    async fn open(
        options: NatsOptions,
        server: Option<Server>,
        probe: ProbeLevel,
        mut topology: Topology,
        scenario: Arc<Scenario>,
    ) -> Result<Self, CommandError> {
        let commands = watch::commands();
        let plan = store::plan::Plan::of(&topology, BROKER);
        let store = Store::open(plan, options.clone(), scenario, commands.subscribe()).await;
        let store = store.map_err(|error| match error {
            StoreError::Connect(failure) => CommandError::NoSource(vec![failure.to_string()]),
            StoreError::Provision(_) | StoreError::Listen(..) => CommandError::Usage(error.to_string()),
        })?;
        let servers = options.servers.iter().map(|server| Address::new(server.to_string())).collect();
        let monitor = options.monitors.first().map(|url| Address::new(url.as_str()));
        store.relocate(&mut topology, BROKER, servers, monitor);
        let plan =
            Plan { nats: vec![options], probe, commands, ..Plan::of(declared(topology), Origin::Live) };
        Ok(Self { watching: watch::start(plan), store: Some(store), server })
    }

    /// The simulation as the only source.
    fn simulate(seed: u64, probe: ProbeLevel, topology: &Topology, scenario: &Scenario) -> Self {
        let plan = Plan { probe, ..Plan::of(declared(topology.clone()), Origin::Simulated) };
        let mut commands = plan.commands.subscribe();
        let watching = watch::start(plan);
        let start = simulation::starts_at(watching.clock);
        let options = simulation::Options { probe, ..simulation::Options::default() };
        let simulation = Simulation::with_options(topology, scenario.clone(), seed, start, options);
        let (tell, heard) = mpsc::channel(8);
        tokio::spawn(async move {
            while let Ok(command) = commands.recv().await {
                if tell.send(command).await.is_err() {
                    return;
                }
            }
        });
        tokio::spawn(simulation::run(simulation, watching.clock, watching.batches.clone(), heard));
        Self { watching, store: None, server: None }
    }

    /// Takes everything back. What could not be removed from a broker of somebody else is returned by name.
    async fn stop(self) -> Vec<Name> {
        // First those who watch: they must not see the store fall apart.
        drop(self.watching);
        let left = match self.store {
            Some(store) => store.close().await,
            None => Vec::new(),
        };
        // A server of our own takes everything with it.
        if self.server.is_some() { Vec::new() } else { left }
    }
}

fn declared(topology: Topology) -> Declared {
    let state = TopologyState {
        path: format!("{} (part of the program)", sample::PATH).into(),
        problems: Vec::new(),
        warnings: Vec::new(),
        services: topology.services.len(),
    };
    Declared { topology: Arc::new(topology), state, watcher: None }
}

/// Prints a line of JSON each second until a signal comes or nobody reads any more.
async fn lines(watching: &mut Watching, mut signals: Signals) -> Result<ExitCode, CommandError> {
    // The first line tells something: it waits for a source, though not for ever.
    let up = |snapshot: &Arc<Snapshot>| snapshot.sources.iter().any(|s| s.report.state == SourceState::Up);
    tokio::select! {
        _ = tokio::time::timeout(FIRST_WITHIN, watching.snapshots.wait_for(up)) => {}
        code = signals.wait() => return Ok(ExitCode::from(code)),
    }
    let mut ticks = interval(LINE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            code = signals.wait() => return Ok(ExitCode::from(code)),
        }
        let snapshot = tokio::select! {
            snapshot = watching.fresh() => snapshot,
            code = signals.wait() => return Ok(ExitCode::from(code)),
        };
        let line = json::line(&snapshot).map_err(|error| CommandError::Usage(error.to_string()))?;
        if !print(&(line + "\n"))? {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Probe;

    #[test]
    fn flags_that_say_what_to_watch_are_refused() {
        let global = Global { nats: vec!["nats://h".to_owned()], ..Global::default() };
        let error = run(&global, &Demo::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "--nats has no meaning for demo, which watches a store of its own; to run that on a server of yours, use \
             --broker URL"
        );
        assert_eq!(error.exit_code(), 2);
        let global = Global { topology: Some("dir".into()), ..Global::default() };
        assert_eq!(
            run(&global, &Demo::default()).unwrap_err().to_string(),
            "--topology has no meaning for demo, which runs and watches the sample; to watch a system of yours, use \
             headwater --topology DIR"
        );
    }

    #[test]
    fn it_listens_where_nobody_else_is_unless_told_otherwise() {
        let theirs = || Stage::Theirs(Box::new(NatsOptions::new("main".into(), "nats://h").unwrap()));
        let of = |stage: &Stage, probe: Option<Probe>| {
            let level = level(&Global { probe, ..Global::default() }, stage);
            (level, stage.notice(level))
        };
        let ours = Stage::Ours("nats-server".into());
        assert_eq!(of(&ours, None), (ProbeLevel::Tap, Some(ALL_HEARD)));
        assert_eq!(of(&ours, Some(Probe::Acks)), (ProbeLevel::Acks, Some(ALL_ACKS)));
        assert_eq!(of(&Stage::Simulated, None), (ProbeLevel::Tap, Some(HOW_TO_GET_REAL)));
        assert_eq!(of(&theirs(), None), (ProbeLevel::Passive, Some(NO_ACKS)));
        assert_eq!(of(&theirs(), Some(Probe::Acks)), (ProbeLevel::Acks, None));
        assert_eq!(of(&ours, Some(Probe::Passive)), (ProbeLevel::Passive, None));
        assert_eq!(of(&ours, Some(Probe::Tap)).0, ProbeLevel::Tap);
    }

    #[test]
    fn a_scenario_with_mistakes_is_told_with_its_places() {
        let folder = tempfile::tempdir().unwrap();
        let topology = sample::load().topology.unwrap();
        let missing = folder.path().join("none.toml");
        let error = scenario(Some(&missing), &topology).unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot read the scenario {}: ", missing.display())), "{error}");
        let path = folder.path().join("mine.toml");
        std::fs::write(&path, "title = \"x\"\n[sends]\nuser.profil = 1\n").unwrap();
        let error = scenario(Some(&path), &topology).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}:3:", path.display())), "{error}");
        assert!(scenario(None, &topology).is_ok());
    }
}
