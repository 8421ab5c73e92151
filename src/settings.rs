//! What the person wants, from all the places where it can be said: flags over environment over NATS context
//! and topology over defaults. Each value knows where it came from, so that a mistake can be found.
//!
//! Reads the environment and NATS contexts, nothing else; `commands` loads the topology and passes its brokers
//! in. Only `commands`, `tui` and `main` enter here.

mod connection;

use std::fmt;
use std::path::PathBuf;

use crate::cli::{Color, Global, Motion, Probe};
use crate::model::command::ProbeLevel;
use crate::source::nats::context::ContextError;
use crate::source::nats::options::NatsOptions;
use crate::source::nats::secret::AddressError;

/// Reads one environment variable; `None` when it is not set.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The environment of this process.
pub fn process_environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag: `--nats`.
    Flag(&'static str),
    /// An environment variable.
    Environment(&'static str),
    /// Credentials that stood in an address.
    Address,
    /// A NATS context.
    Context {
        /// Its name.
        name: String,
        /// Its file.
        file: PathBuf,
    },
    /// A broker of the topology.
    Topology {
        /// Its id.
        broker: String,
    },
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => f.write_str(name),
            Self::Environment(name) => write!(f, "${name}"),
            Self::Address => f.write_str("its address"),
            Self::Context { name, file } => {
                write!(f, "NATS context '{}' ({})", name.escape_debug(), file.display())
            }
            Self::Topology { broker } => write!(f, "broker '{}' of the topology", broker.escape_debug()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<T> {
    /// The value.
    pub value: T,
    /// Where it was found.
    pub from: Origin,
}

impl<T> Found<T> {
    fn new(value: T, from: Origin) -> Self {
        Self { value, from }
    }
}

/// One NATS system to watch.
#[derive(Clone, Debug)]
pub struct NatsSource {
    /// How to connect.
    pub options: NatsOptions,
    /// Who named the servers.
    pub servers_from: Origin,
    /// Who gave the credentials, or that there are none.
    pub auth_from: Origin,
}

/// A broker that the topology declares, as far as connecting goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeclaredBroker {
    /// Its id, which becomes the source's.
    pub id: String,
    /// `nats` for those that can be connected to.
    pub kind: String,
    /// Its servers.
    pub servers: Vec<String>,
    /// Its monitoring endpoint.
    pub monitor: Option<String>,
    /// The subject of its message traces.
    pub message_traces: Option<String>,
}

/// Everything that was wanted, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The systems to watch: at least one, each with its own id.
    pub sources: Vec<NatsSource>,
    /// The directory of topology files.
    pub topology: Option<Found<PathBuf>>,
    /// What may be done to learn more.
    pub probe: Found<ProbeLevel>,
    /// What this person wants of a terminal.
    pub terminal: TerminalSettings,
}

/// What this person wants of a terminal; what it can do is another question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TerminalSettings {
    /// A theme's name or file.
    pub theme: Option<Found<String>>,
    /// ASCII alone.
    pub ascii: bool,
    /// Colours.
    pub color: Color,
    /// The program takes the mouse.
    pub mouse: bool,
    /// Messages move on the map.
    pub motion: bool,
}

/// Wrong or contradictory settings: one line, exit code 2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// An address.
    #[error("{from}: {error}")]
    Address {
        /// Who gave it.
        from: Origin,
        /// What is wrong with it.
        error: AddressError,
    },
    /// A file of credentials or certificates.
    #[error("{from}: {why}")]
    File {
        /// The flag, variable or field of a context that named it.
        from: String,
        /// Which file, and why it cannot be used.
        why: String,
    },
    /// A NATS context.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// The context that `nats context select` chose; nobody named it here.
    #[error("the selected NATS context: {0} (choose another with --context, or name servers with --nats)")]
    SelectedContext(ContextError),
    /// Two sources of one name.
    #[error("two sources are named '{0}'; give each its own name: --nats NAME=URL")]
    SameName(String),
    /// A name that cannot be part of an id.
    #[error("'{0}' cannot name a source; use letters, digits, '-', '_' and '.'")]
    BadName(String),
    /// `--user` alone.
    #[error("--user wants the password in $NATS_PASSWORD; on the command line others could read it")]
    NoPassword,
    /// More contexts than one beside `--nats`.
    #[error("--nats and several --context together are unclear; put the servers into the contexts")]
    ContextsAndServers,
    /// A certificate without its key, or the other way round.
    #[error("{0} and {1} belong together, and only {0} is set")]
    HalfCertificate(&'static str, &'static str),
    /// The subject of message traces.
    #[error("--message-traces '{0}': {1}")]
    MessageTraces(String, String),
    /// A monitoring endpoint.
    #[error("--monitor '{shown}': {why}")]
    Monitor {
        /// What was given, redacted.
        shown: String,
        /// What is wrong with it.
        why: String,
    },
}

impl SettingsError {
    /// Usage or configuration.
    pub const EXIT_CODE: u8 = 2;
}

/// The topology directory that was asked for: known before its brokers can be.
pub fn topology_directory(global: &Global, environment: Lookup<'_>) -> Option<Found<PathBuf>> {
    let flag = global.topology.clone().map(|path| Found::new(path, Origin::Flag("--topology")));
    flag.or_else(|| {
        let value = set(environment, "HEADWATER_TOPOLOGY")?;
        Some(Found::new(PathBuf::from(value), Origin::Environment("HEADWATER_TOPOLOGY")))
    })
}

/// What this person wants of a terminal. Never wrong here: the theme is looked up by the commands.
pub fn terminal(global: &Global, environment: Lookup<'_>) -> TerminalSettings {
    let flag = global.theme.clone().map(|theme| Found::new(theme, Origin::Flag("--theme")));
    let theme = flag.or_else(|| {
        let value = set(environment, "HEADWATER_THEME")?;
        Some(Found::new(value, Origin::Environment("HEADWATER_THEME")))
    });
    TerminalSettings {
        theme,
        ascii: global.ascii,
        color: global.color.unwrap_or_default(),
        mouse: !global.no_mouse,
        motion: match global.motion.unwrap_or_default() {
            Motion::On => true,
            Motion::Off => false,
            Motion::Auto => {
                !["SSH_CONNECTION", "SSH_TTY"].iter().any(|name| set(environment, name).is_some())
            }
        },
    }
}

/// The probe level.
pub fn probe(global: &Global) -> Found<ProbeLevel> {
    let level = match global.probe {
        None => return Found::new(ProbeLevel::Passive, Origin::Default),
        Some(Probe::Passive) => ProbeLevel::Passive,
        Some(Probe::Acks) => ProbeLevel::Acks,
        Some(Probe::Tap) => ProbeLevel::Tap,
    };
    Found::new(level, Origin::Flag("--probe"))
}

impl Settings {
    /// Reads every file that connecting needs: what is missing now would be missing at each try.
    pub fn check_files(&self, global: &Global, environment: Lookup<'_>) -> Result<(), SettingsError> {
        self.sources.iter().try_for_each(|source| connection::check_files(source, global, environment))
    }

    /// Brings everything together. `brokers` are those of the topology, in its order.
    pub fn resolve(
        global: &Global,
        environment: Lookup<'_>,
        brokers: &[DeclaredBroker],
    ) -> Result<Self, SettingsError> {
        let mut sources = connection::sources(global, environment, brokers)?;
        for source in &mut sources {
            source.options.interval = global.interval;
        }
        Ok(Self {
            probe: probe(global),
            sources,
            topology: topology_directory(global, environment),
            terminal: terminal(global, environment),
        })
    }
}

/// A variable that is set to something.
fn set(environment: Lookup<'_>, name: &str) -> Option<String> {
    environment(name).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests;
