//! The command line, and only that: clap definitions without logic. `settings` gives them meaning.

// Doc comments are what `--help` prints: backticks would be printed too.
#![allow(clippy::doc_markdown)]

pub mod values;

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};

use values::{duration, interval, patience, watch};

// Lines of at most 78 columns: clap wraps longer ones without indenting them.
const EXAMPLES: &str = "\
Examples:
  headwater                          what $NATS_URL, the selected NATS context
                                     or this machine has
  headwater demo                     a small living system, if you have none
  headwater --nats nats://host:4222  one cluster; more servers after commas
  headwater --nats eu=nats://a --nats us=nats://b
                                     two systems in one picture
  headwater --context staging        connect as 'nats --context staging' does
  headwater --topology ./topology    with the owners and copies you declare
  headwater once --format json       one snapshot, for a script
  headwater doctor                   what may be read, and how to grant more

Secrets are not taken from flags but from files, NATS contexts and the
environment: $NATS_USER with $NATS_PASSWORD, $NATS_TOKEN, $NATS_CREDS,
$NATS_NKEY, $NATS_JWT with $NATS_SEED.

Exit codes: 0 fine, also when only some sources answered; 1 trace looked, and
the message is not there; 2 wrong usage or configuration; 3 no source could be
reached, or none let us in.";

/// See the data that moves between services: who owns it, who copies it, how far every copy lags.
#[derive(Debug, Parser)]
#[command(name = "headwater", version, after_long_help = EXAMPLES, max_term_width = 110)]
pub struct Cli {
    /// What all commands take.
    #[command(flatten)]
    pub global: Global,
    /// What the explorer listens to.
    #[command(flatten)]
    pub tapped: Tapped,
    /// Without one, the terminal explorer opens.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Channels whose messages are listened to from the start.
#[derive(Args, Clone, Debug, Default)]
pub struct Tapped {
    /// Listen to the messages of this channel: a stream, or a subject; again for another one. Asks for --probe tap.
    ///
    /// ORDERS is a stream and accounts.get a subject; subject:ping says that a subject is meant. SOURCE is needed where there
    /// are several.
    #[arg(long, value_name = "[SOURCE/]CHANNEL", help_heading = "What is shown")]
    pub tap: Vec<String>,
}

/// Flags of every command.
#[derive(Args, Clone, Debug, Default)]
pub struct Global {
    /// Servers of a NATS cluster, separated by commas; again for another cluster or account.
    ///
    /// NAME becomes the first part of the ids of all that is seen there; it is 'nats' when none is given. Without
    /// this flag: the brokers of --topology, else $NATS_URL, else the selected NATS context, else
    /// nats://127.0.0.1:4222.
    #[arg(long, value_name = "[NAME=]URL", global = true, help_heading = "Connection")]
    pub nats: Vec<String>,

    /// A context of the nats command line; again for another one.
    ///
    /// Reads ~/.config/nats/context/NAME.json as it is. With --nats, it gives the credentials and --nats the
    /// servers.
    #[arg(long, value_name = "NAME", global = true, help_heading = "Connection")]
    pub context: Vec<String>,

    /// Credentials: a .creds file with a user JWT and its seed.
    #[arg(long, value_name = "FILE", global = true, help_heading = "Connection",
          conflicts_with_all = ["nkey", "user"])]
    pub creds: Option<PathBuf>,

    /// Credentials: a file with the seed of a user nkey.
    #[arg(long, value_name = "FILE", global = true, help_heading = "Connection", conflicts_with = "user")]
    pub nkey: Option<PathBuf>,

    /// Credentials: a user name; the password is taken from $NATS_PASSWORD.
    #[arg(long, value_name = "NAME", global = true, help_heading = "Connection")]
    pub user: Option<String>,

    /// Certificate authorities to trust instead of the system's (PEM).
    #[arg(long, value_name = "FILE", global = true, help_heading = "Connection")]
    pub tls_ca: Option<PathBuf>,

    /// Our certificate, where the server asks for one (PEM).
    #[arg(long, value_name = "FILE", global = true, help_heading = "Connection", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// The key of our certificate (PEM).
    #[arg(long, value_name = "FILE", global = true, help_heading = "Connection", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// Begin TLS before the server speaks (the server's handshake_first).
    #[arg(long, global = true, help_heading = "Connection")]
    pub tls_first: bool,

    /// The JetStream domain to ask.
    #[arg(long, value_name = "DOMAIN", global = true, help_heading = "Connection")]
    pub js_domain: Option<String>,

    /// Use inboxes below this subject, where the account allows no other.
    #[arg(long, value_name = "SUBJECT", global = true, help_heading = "Connection")]
    pub inbox_prefix: Option<String>,

    /// A server's monitoring endpoint (http://host:8222); again for another one.
    ///
    /// Beside --nats it gives what the user may not ask of its own account (streams, consumers, connections), and slow
    /// consumers and routes of the server, under the source's notes. Where no server is named
    /// otherwise (--nats, --context, --topology, $NATS_URL, a selected context) it is watched alone, and shows all
    /// accounts. NAME says which source it belongs to when there are several.
    #[arg(long, value_name = "[NAME=]URL", global = true, help_heading = "Connection")]
    pub monitor: Vec<String>,

    /// The subject on which the account has the server trace messages (its msg_trace.dest, nats-server 2.11 and later).
    ///
    /// It is listened to at the probe level 'tap': the traces name who sends messages that ask for no answer. NAME says
    /// which source it belongs to when there are several. In a topology: message_traces of the broker.
    #[arg(long, value_name = "[NAME=]SUBJECT", global = true, help_heading = "Connection")]
    pub message_traces: Vec<String>,

    /// A directory of topology files: who owns what. See 'headwater topology'.
    #[arg(long, value_name = "DIR", global = true, help_heading = "What is shown")]
    pub topology: Option<PathBuf>,

    /// How much may be done to learn more: 'acks' also listens to acknowledgements, 'tap' to named channels' messages.
    ///
    /// That makes delays exact and costs the broker a copy of each acknowledgement. One effect others may notice:
    /// an acknowledgement with reply to a consumer that has been deleted waits for its time-out instead of failing
    /// at once. 'tap' also listens to the messages of channels that are named (by --tap, or while it runs), each only while
    /// its stream is there, or somebody else listens to its subject too: looked at every second, so that for up to a
    /// second a request to a responder that has just left waits for its time-out instead of failing at once.
    #[arg(long, value_name = "LEVEL", value_enum, global = true, help_heading = "What is shown")]
    pub probe: Option<Probe>,

    /// How often the broker is asked at most (for example 500ms, 2s); by default as often as is cheap.
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = interval, global = true,
          help_heading = "What is shown")]
    pub interval: Option<Duration>,

    /// A built-in theme, or a file of your own.
    #[arg(long, value_name = "NAME|FILE", global = true, help_heading = "Terminal")]
    pub theme: Option<String>,

    /// Draw with ASCII characters alone (also when the locale is not UTF-8).
    #[arg(long, global = true, help_heading = "Terminal")]
    pub ascii: bool,

    /// Colours; 'auto' minds $NO_COLOR and what the terminal can do.
    #[arg(long, value_name = "WHEN", value_enum, global = true, help_heading = "Terminal")]
    pub color: Option<Color>,

    /// Let messages move on the map; 'auto': not over ssh.
    #[arg(long, value_name = "WHEN", value_enum, global = true, help_heading = "Terminal")]
    pub motion: Option<Motion>,

    /// Leave the mouse to the terminal, so that it selects text.
    #[arg(long, global = true, help_heading = "Terminal")]
    pub no_mouse: bool,
}

/// Whether messages move on the map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Motion {
    /// But over ssh: each frame costs bytes.
    #[default]
    Auto,
    /// Over ssh too.
    On,
    /// Never.
    Off,
}

/// Probe levels as words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Probe {
    /// Lists, counters, statistics, health: nothing that others could notice.
    Passive,
    /// Also listen to acknowledgements.
    Acks,
    /// Also listen to named channels' messages.
    Tap,
}

/// How many colours to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// As many as the terminal says it has, unless $NO_COLOR is set.
    #[default]
    Auto,
    /// None: meaning by signs, bold and reverse alone.
    Never,
    /// The terminal's own sixteen.
    #[value(name = "16")]
    Ansi16,
    /// The 256 of xterm.
    #[value(name = "256")]
    Ansi256,
    /// All.
    True,
}

/// The commands beside the terminal explorer.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Print one snapshot and end; needs no terminal.
    #[command(after_long_help = ONCE_EXAMPLES)]
    Once(Once),
    /// Print a snapshot as one line of JSON, again and again; needs no terminal.
    #[command(after_long_help = STREAM_EXAMPLES)]
    Stream(Stream),
    /// Find one message and say who has it, and what the others wait for; needs no terminal.
    #[command(after_long_help = TRACE_EXAMPLES)]
    Trace(Trace),
    /// Say what each source lets us read, what each right unlocks, and how to grant it.
    #[command(after_long_help = DOCTOR_CODES)]
    Doctor(Doctor),
    /// Run a small online store and watch it: the quickest way to see what Headwater shows.
    #[command(after_long_help = DEMO_EXAMPLES)]
    Demo(Demo),
    /// Check or show topology files.
    Topology(Topology),
}

const DOCTOR_CODES: &str = "\
Exit codes: 0 when at least one broker lets something be read; 2 wrong usage
or configuration; 3 when none can be reached, or each denies everything.";

const ONCE_EXAMPLES: &str = "\
Examples:
  headwater once                          a table for people
  headwater once --format json --for 10s  rates and delays over ten seconds
  headwater once --format json | jq '.consumers[] | select(.status != \"ok\")'

schemas/snapshot.schema.json describes the JSON. A number that is not known is
null, never 0.";

const STREAM_EXAMPLES: &str = "\
Examples:
  headwater stream --every 5s >> lag.jsonl
  headwater stream | jq -c '[.taken_at, (.consumers[] | {id, lag})]'";

const DEMO_EXAMPLES: &str = "\
With a nats-server on PATH (or --broker) the services are real: they publish,
consume, answer and fail. Without one the same store is simulated, and the
header says so.

Examples:
  headwater demo
  headwater demo --broker nats://127.0.0.1:4222  refuses if one of its names
                                                 exists there; removes what it
                                                 made
  headwater demo --simulate --seed 7             the same story each time";

/// `once`.
#[derive(Args, Clone, Debug)]
pub struct Once {
    /// For people or for programs.
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "table")]
    pub format: Format,
    /// How long to watch before the snapshot: rates and delays are over this time.
    #[arg(long = "for", value_name = "DURATION", allow_hyphen_values = true, value_parser = watch,
          default_value = "3s")]
    pub watch_for: Duration,
}

const TRACE_EXAMPLES: &str = "\
Looks on the stream, or on all of them, from the newest message back, at most
250 messages at a time; says how far that was. With --probe acks each delay that
is heard is exact; otherwise positions tell who has it.

Examples:
  headwater trace --stream ORDERS --seq 123
  headwater trace --key user_id=42 --probe acks --for 10s
  headwater trace --header Nats-Msg-Id=o-17 --format otlp-json

schemas/trace.schema.json describes the JSON.";

/// `trace`.
#[derive(Args, Clone, Debug)]
#[command(group = ArgGroup::new("which").required(true).args(["seq", "key", "header"]))]
pub struct Trace {
    /// The stream; needed with --seq.
    #[arg(long, value_name = "NAME")]
    pub stream: Option<String>,
    /// The message at this position.
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, requires = "stream")]
    pub seq: Option<u64>,
    /// The newest message whose JSON has this field with this value, at any depth.
    #[arg(long, value_name = "FIELD=VALUE")]
    pub key: Option<String>,
    /// The newest message with this header.
    #[arg(long, value_name = "NAME=VALUE")]
    pub header: Option<String>,
    /// Look only before this position, to go on with a search.
    #[arg(
        long,
        value_name = "NUMBER",
        allow_negative_numbers = true,
        requires = "stream",
        conflicts_with = "seq"
    )]
    pub before: Option<u64>,
    /// How long to wait for those that do not have it yet.
    #[arg(long = "for", value_name = "DURATION", allow_hyphen_values = true, value_parser = duration,
          default_value = "3s")]
    pub watch_for: Duration,
    /// For people or for programs.
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "table")]
    pub format: TraceFormat,
}

/// How a message's path is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TraceFormat {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// OpenTelemetry spans.
    OtlpJson,
}

/// How a snapshot is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// `stream`.
#[derive(Args, Clone, Debug)]
pub struct Stream {
    /// The time from one line to the next.
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, value_parser = interval, default_value = "1s")]
    pub every: Duration,
    /// What it listens to.
    #[command(flatten)]
    pub tapped: Tapped,
}

/// `doctor`.
#[derive(Args, Clone, Debug)]
pub struct Doctor {
    /// How long to wait for answers.
    #[arg(long = "for", value_name = "DURATION", allow_hyphen_values = true, value_parser = patience,
          default_value = "3s")]
    pub wait_for: Duration,
}

/// `demo`.
#[derive(Args, Clone, Debug, Default)]
pub struct Demo {
    /// Run the services on this NATS server instead of one of our own.
    #[arg(long, value_name = "URL", conflicts_with = "simulate")]
    pub broker: Option<String>,
    /// Simulate, although there is a nats-server.
    #[arg(long)]
    pub simulate: bool,
    /// Print a line of JSON each second, as `stream` does, instead of opening the explorer.
    #[arg(long)]
    pub headless: bool,
    /// A scenario of your own: rates, processing times and faults over time.
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// The seed of all that is random in the simulation.
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub seed: Option<u64>,
}

/// `topology`.
#[derive(Args, Clone, Debug)]
pub struct Topology {
    /// What to do with them.
    #[command(subcommand)]
    pub command: TopologyCommand,
}

/// What can be done with topology files.
#[derive(Clone, Debug, Subcommand)]
pub enum TopologyCommand {
    /// Check the files; every mistake with file, line, column and what was expected.
    Validate {
        /// The directory.
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
    /// Show what they declare, as Headwater understood it.
    Show {
        /// The directory; --topology does as well.
        #[arg(value_name = "DIR")]
        directory: Option<PathBuf>,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(line: &str) -> Result<Cli, String> {
        Cli::try_parse_from(line.split_whitespace()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_may_stand_on_either_side_of_the_command() {
        for line in ["headwater --nats a=nats://h once", "headwater once --nats a=nats://h"] {
            assert_eq!(parse(line).unwrap().global.nats, ["a=nats://h"], "{line}");
        }
        assert!(parse("headwater").unwrap().command.is_none());
    }

    #[test]
    fn defaults_of_the_commands() {
        let Some(Command::Once(once)) = parse("headwater once").unwrap().command else { panic!() };
        assert_eq!((once.format, once.watch_for), (Format::Table, Duration::from_secs(3)));
        let Some(Command::Stream(stream)) = parse("headwater stream").unwrap().command else { panic!() };
        assert_eq!(stream.every, Duration::from_secs(1));
    }

    #[test]
    fn mistakes_are_named() {
        for (line, part) in [
            (
                "headwater once --for soon",
                "invalid value 'soon' for '--for <DURATION>': write 500ms, 3s, 2m or 1h",
            ),
            ("headwater stream --every 1ms", "at least 100ms"),
            ("headwater stream --every -1s", "'-1s' for '--every <DURATION>': write 500ms, 3s, 2m or 1h"),
            (
                "headwater once --for 0s",
                "invalid value '0s' for '--for <DURATION>': at least 100ms: a rate needs two polls",
            ),
            ("headwater once --for -1s", "invalid value '-1s' for '--for <DURATION>': write 500ms, 3s"),
            ("headwater once --for 1000h", "invalid value '1000h' for '--for <DURATION>': at most 168h"),
            ("headwater doctor --for 0s", "at least 100ms: an answer takes its time"),
            ("headwater --interval 0s", "invalid value '0s' for '--interval <DURATION>': at least 100ms"),
            ("headwater demo --seed -1", "invalid value '-1' for '--seed <NUMBER>'"),
            ("headwater trace --stream S --seq -1", "invalid value '-1' for '--seq <NUMBER>'"),
            (
                "headwater --creds a --nkey b",
                "the argument '--creds <FILE>' cannot be used with '--nkey <FILE>'",
            ),
            ("headwater --tls-cert a", "--tls-key <FILE>"),
            ("headwater demo --broker nats://h --simulate", "cannot be used with"),
            ("headwater --probe loud", "[possible values: passive, acks, tap]"),
            ("headwater wnce", "a similar subcommand exists: 'once'"),
            ("headwater topology validate", "<DIR>"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
