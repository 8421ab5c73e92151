//! Who wins, and what is refused.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use clap::Parser as _;

use super::*;
use crate::cli::Cli;

/// A person's machine: environment variables and a configuration directory.
struct Person {
    home: tempfile::TempDir,
    environment: BTreeMap<String, String>,
}

impl Person {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(home.path().join(".config/nats/context")).unwrap();
        let mut person = Self { home, environment: BTreeMap::new() };
        let home = person.home.path().display().to_string();
        person.environment.insert("HOME".to_owned(), home);
        person
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    fn context(self, name: &str, json: &str) -> Self {
        std::fs::write(self.file(name), json).unwrap();
        self
    }

    fn selects(self, name: &str) -> Self {
        std::fs::write(self.home.path().join(".config/nats/context.txt"), name).unwrap();
        self
    }

    fn file(&self, context: &str) -> PathBuf {
        self.home.path().join(format!(".config/nats/context/{context}.json"))
    }

    fn runs(&self, line: &str, brokers: &[DeclaredBroker]) -> Result<Settings, String> {
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        let lookup = |name: &str| self.environment.get(name).cloned();
        Settings::resolve(&cli.global, &lookup, brokers).map_err(|error| error.to_string())
    }

    /// The sources as `id server|server (who named it), credentials (who gave them)`.
    fn sources(&self, line: &str, brokers: &[DeclaredBroker]) -> Vec<String> {
        let settings = self.runs(line, brokers).unwrap_or_else(|error| panic!("{line}: {error}"));
        let home = self.home.path().display().to_string();
        let describe = |source: &NatsSource| {
            let options = &source.options;
            format!(
                "{} {} ({}), {} ({})",
                options.source,
                options.servers_shown().replace(", ", "|"),
                source.servers_from,
                if options.auth == crate::source::nats::options::Auth::None {
                    "nobody".to_owned()
                } else {
                    options.auth.to_string()
                },
                source.auth_from
            )
            .replace(&home, "~")
        };
        settings.sources.iter().map(describe).collect()
    }
}

fn broker(id: &str, kind: &str, servers: &[&str]) -> DeclaredBroker {
    DeclaredBroker {
        id: id.to_owned(),
        kind: kind.to_owned(),
        servers: servers.iter().map(ToString::to_string).collect(),
        monitor: None,
        message_traces: None,
    }
}

#[test]
fn the_order_in_which_servers_are_looked_for() {
    let brokers = [broker("bus", "kafka", &["k:9092"]), broker("main", "nats", &["nats://m1", "nats://m2"])];
    let person = Person::new();
    let nobody = "nats nats://127.0.0.1:4222 (default), nobody (default)";
    assert_eq!(person.sources("headwater", &[]), [nobody]);
    assert_eq!(person.sources("headwater", &brokers[..1]), [nobody]);

    let person = person.context("prod", r#"{"url": "nats://prod", "user": "app"}"#).selects("prod");
    let context = "NATS context 'prod' (~/.config/nats/context/prod.json)";
    assert_eq!(
        person.sources("headwater", &[]),
        [format!("nats nats://prod ({context}), user 'app' ({context})")]
    );

    let person = person.context("other", r#"{"url": "nats://other"}"#).with("NATS_CONTEXT", "other");
    assert_eq!(
        person.sources("headwater", &[]),
        ["nats nats://other (NATS context 'other' (~/.config/nats/context/other.json)), nobody (default)"]
    );

    let person = person.with("NATS_URL", "nats://token@env");
    assert_eq!(person.sources("headwater", &[]), ["nats nats://env ($NATS_URL), the token (its address)"]);

    assert_eq!(
        person.sources("headwater --topology dir", &brokers),
        ["main nats://m1|nats://m2 (broker 'main' of the topology), nobody (default)"]
    );

    assert_eq!(
        person.sources("headwater --context prod", &brokers),
        [format!("nats nats://prod ({context}), user 'app' ({context})")]
    );
    assert_eq!(
        person.sources("headwater --nats nats://flag", &brokers),
        ["nats nats://flag (--nats), nobody (default)"]
    );
}

#[test]
fn several_sources_have_names() {
    let person = Person::new().context("a", r#"{"url": "nats://a", "token": "t"}"#).context("b", "{}");
    assert_eq!(
        person.sources("headwater --nats eu=nats://eu:1,nats://eu:2 --nats nats://x --nats nats://y", &[]),
        [
            "eu nats://eu:1|nats://eu:2 (--nats), nobody (default)",
            "nats nats://x (--nats), nobody (default)",
            "nats-2 nats://y (--nats), nobody (default)",
        ]
    );
    assert_eq!(
        person.sources("headwater --context a --context b", &[]),
        [
            "a nats://a (NATS context 'a' (~/.config/nats/context/a.json)), \
             the token (NATS context 'a' (~/.config/nats/context/a.json))",
            "b nats://127.0.0.1:4222 (NATS context 'b' (~/.config/nats/context/b.json)), nobody (default)",
        ]
    );
    assert_eq!(
        person.sources("headwater --context a --nats here=nats://here", &[]),
        ["here nats://here (--nats), the token (NATS context 'a' (~/.config/nats/context/a.json))"]
    );
    let refused = |line: &str| person.runs(line, &[]).unwrap_err();
    assert_eq!(
        refused("headwater --nats a=nats://x --nats a=nats://y"),
        "two sources are named 'a'; give each its own name: --nats NAME=URL"
    );
    assert_eq!(
        refused("headwater --nats é=nats://x"),
        "'é' cannot name a source; use letters, digits, '-', '_' and '.'"
    );
    assert_eq!(
        refused("headwater --nats a/b=nats://x"),
        "'a/b' cannot name a source; use letters, digits, '-', '_' and '.'"
    );
    assert_eq!(
        refused("headwater --nats nats://x --context a --context b"),
        "--nats and several --context together are unclear; put the servers into the contexts"
    );
}

#[test]
fn credentials_flags_over_environment_over_context() {
    let person = Person::new().context("prod", r#"{"url": "nats://prod", "token": "t"}"#);
    let credentials = |person: &Person, line: &str| {
        let shown = person.sources(line, &[]).remove(0);
        shown.rsplit_once("), ").unwrap().1.to_owned()
    };
    let line = "headwater --context prod";
    assert!(credentials(&person, line).starts_with("the token (NATS context"));
    let person = person.with("NATS_TOKEN", "t");
    assert_eq!(credentials(&person, line), "the token ($NATS_TOKEN)");
    let person = person.with("NATS_JWT", "ey").with("NATS_SEED", "SU");
    assert_eq!(credentials(&person, line), "the user JWT ($NATS_JWT)");
    let person = person.with("NATS_NKEY", "/a.nk");
    assert_eq!(credentials(&person, line), "the nkey in /a.nk ($NATS_NKEY)");
    let person = person.with("NATS_CREDS", "/a.creds");
    assert_eq!(credentials(&person, line), "the credentials in /a.creds ($NATS_CREDS)");
    let person = person.with("NATS_USER", "tok");
    assert_eq!(credentials(&person, line), "the token ($NATS_USER)");
    let person = person.with("NATS_PASSWORD", "s3cret");
    assert_eq!(credentials(&person, line), "user 'tok' ($NATS_USER)");
    assert_eq!(credentials(&person, "headwater --user ada"), "user 'ada' (--user)");
    assert_eq!(credentials(&person, "headwater --nkey b.nk"), "the nkey in b.nk (--nkey)");
    assert_eq!(credentials(&person, "headwater --creds b.creds"), "the credentials in b.creds (--creds)");
    assert_eq!(
        credentials(&person, "headwater --nats nats://u:p@h --creds b.creds"),
        "user 'u' (its address)"
    );
    assert_eq!(
        Person::new().runs("headwater --user ada", &[]).unwrap_err(),
        "--user wants the password in $NATS_PASSWORD; on the command line others could read it"
    );
}

#[test]
fn certificates_flags_over_environment_over_context() {
    let path = |text: &str| Some(PathBuf::from(text));
    let person = Person::new().context("prod", r#"{"ca": "/x.ca", "cert": "/x.cert", "key": "/x.key"}"#);
    let tls = |person: &Person, line: &str| person.runs(line, &[]).unwrap().sources.remove(0).options.tls;
    let found = tls(&person, "headwater --context prod --tls-ca f.ca");
    assert_eq!((found.ca, found.cert, found.key), (path("f.ca"), path("/x.cert"), path("/x.key")));
    let person = person.with("NATS_CA", "/e.ca").with("NATS_CERT", "/e.cert");
    assert_eq!(
        person.runs("headwater", &[]).unwrap_err(),
        "$NATS_CERT and $NATS_KEY belong together, and only $NATS_CERT is set"
    );
    let person = person.with("NATS_KEY", "/e.key");
    let found = tls(&person, "headwater --context prod");
    assert_eq!((found.ca, found.cert, found.key), (path("/e.ca"), path("/e.cert"), path("/e.key")));
    let found = tls(&person, "headwater --tls-cert f.cert --tls-key f.key --tls-first");
    assert_eq!((found.cert, found.key, found.first), (path("f.cert"), path("f.key"), true));
}

#[test]
fn prefixes_and_monitors() {
    let mut main = broker("main", "nats", &[]);
    main.monitor = Some("http://m:8222".to_owned());
    let person = Person::new();
    let line = "headwater --js-domain hub --inbox-prefix _IN --monitor http://extra:8222/";
    let options = person.runs(line, &[main]).unwrap().sources.remove(0).options;
    assert_eq!(options.js_api, "$JS.hub.API");
    assert_eq!(options.inbox_prefix.as_deref(), Some("_IN"));
    assert_eq!(options.monitors, ["http://m:8222", "http://extra:8222"]);

    let two = "headwater --nats a=nats://a --nats b=nats://b";
    let settings = person.runs(&format!("{two} --monitor b=https://b"), &[]).unwrap();
    assert_eq!(settings.sources[1].options.monitors, ["https://b"]);
    for (flag, error) in [
        ("http://x", "--monitor 'http://x': say which source it belongs to, --monitor NAME=URL, of: a, b"),
        (
            "c=http://x",
            "--monitor 'c=http://x': say which source it belongs to, --monitor NAME=URL, of: a, b",
        ),
        ("a=x:8222", "--monitor 'a=x:8222': write http://host:8222"),
        ("a=http://", "--monitor 'a=http://': write http://host:8222"),
        (
            "a=http://u:s3cret@x",
            "--monitor 'a=http://***@x': credentials are not sent to monitoring endpoints",
        ),
    ] {
        assert_eq!(person.runs(&format!("{two} --monitor {flag}"), &[]).unwrap_err(), error);
    }
}

#[test]
fn a_bad_address_names_who_gave_it() {
    let person = Person::new().with("NATS_URL", "nats://u:s3cret@h:x");
    assert_eq!(
        person.runs("headwater", &[]).unwrap_err(),
        "$NATS_URL: 'nats://***@h:x' is not the address of a NATS server (invalid port number); write \
         nats://host:4222"
    );
    assert_eq!(
        person.runs("headwater --nats http://h", &[]).unwrap_err(),
        "--nats: 'http://h': http:// is not spoken here; give the server's nats:// or tls:// address"
    );
    assert_eq!(
        person.runs("headwater", &[broker("main", "nats", &["amqp://h"])]).unwrap_err(),
        "broker 'main' of the topology: 'amqp://h': amqp:// is not spoken here; give the server's nats:// or \
         tls:// address"
    );
}

#[test]
fn a_selected_context_that_cannot_be_used_is_not_passed_over() {
    let person = Person::new().selects("gone");
    let directory = person.file("gone").parent().map(Path::display).unwrap().to_string();
    assert_eq!(
        person.runs("headwater", &[]).unwrap_err(),
        format!(
            "the selected NATS context: there is no NATS context 'gone' in {directory} (choose another with \
             --context, or name servers with --nats)"
        )
    );
    assert!(person.runs("headwater --nats nats://h", &[]).is_ok());
    assert_eq!(
        person.runs("headwater --context gone", &[]).unwrap_err(),
        format!("there is no NATS context 'gone' in {directory}")
    );
}

#[test]
fn the_probe_level_is_what_was_said() {
    let person = Person::new();
    assert_eq!(person.runs("headwater --probe passive", &[]).unwrap().probe.value, ProbeLevel::Passive);
    assert_eq!(person.runs("headwater --probe acks", &[]).unwrap().probe.value, ProbeLevel::Acks);
    assert_eq!(person.runs("headwater --probe tap", &[]).unwrap().probe.value, ProbeLevel::Tap);
}

#[test]
fn the_rest() {
    let person = Person::new().with("HEADWATER_THEME", "paper").with("HEADWATER_TOPOLOGY", "/env");
    let settings = person.runs("headwater --interval 2s --ascii --no-mouse --color never", &[]).unwrap();
    assert_eq!(settings.sources[0].options.interval, Some(Duration::from_secs(2)));
    assert_eq!(
        settings.terminal,
        TerminalSettings {
            theme: Some(Found::new("paper".to_owned(), Origin::Environment("HEADWATER_THEME"))),
            ascii: true,
            color: Color::Never,
            mouse: false,
            motion: true,
        }
    );
    // Over ssh every frame costs bytes: messages stand still there, unless somebody wants them to move.
    let ssh = Person::new().with("SSH_CONNECTION", "10.0.0.1 50000 10.0.0.2 22");
    let moves = |line: &str| ssh.runs(line, &[]).unwrap().terminal.motion;
    assert!(!moves("headwater") && !moves("headwater --motion auto") && moves("headwater --motion on"));
    assert!(!person.runs("headwater --motion off", &[]).unwrap().terminal.motion);
    assert_eq!(settings.topology, Some(Found::new("/env".into(), Origin::Environment("HEADWATER_TOPOLOGY"))));
    let settings = person.runs("headwater --theme mono --topology dir", &[]).unwrap();
    assert_eq!(settings.terminal.theme.unwrap().from, Origin::Flag("--theme"));
    assert_eq!(settings.topology.unwrap().value, PathBuf::from("dir"));
    assert!(settings.terminal.mouse);
}

#[test]
fn files_that_cannot_be_used_are_told_with_who_named_them() {
    let person = Person::new()
        .context("creds", r#"{"url": "nats://h", "creds": "/none/a.creds"}"#)
        .context("ca", r#"{"url": "nats://h", "ca": "/none/a.ca"}"#);
    let refused = |line: &str| {
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        let lookup = |name: &str| person.environment.get(name).cloned();
        let settings = Settings::resolve(&cli.global, &lookup, &[]).unwrap();
        settings.check_files(&cli.global, &lookup).unwrap_err().to_string()
    };
    let empty = person.home.path().join("empty");
    std::fs::write(&empty, "").unwrap();
    let empty = empty.display();
    assert_eq!(
        refused("headwater --creds /none/x"),
        "--creds: cannot read the credentials file /none/x: no such file"
    );
    assert_eq!(
        refused("headwater --nkey /none/x"),
        "--nkey: cannot read the nkey file /none/x: no such file"
    );
    assert_eq!(
        refused(&format!("headwater --nkey {empty}")),
        format!("--nkey: the nkey file {empty} holds no user seed (a line that begins with SU)")
    );
    assert_eq!(
        refused("headwater --tls-ca /none/x"),
        "--tls-ca: cannot read the certificate authorities /none/x: no such file"
    );
    assert_eq!(
        refused("headwater --tls-cert /none/x --tls-key /none/y"),
        "--tls-cert: cannot read the client certificate /none/x: no such file"
    );
    assert_eq!(
        refused("headwater --context ca --nats nats://h"),
        "'ca' of the NATS context ca: cannot read the certificate authorities /none/a.ca: no such file"
    );
    let half = person.home.path().join("half");
    std::fs::write(&half, "-----BEGIN CERTIFICATE-----").unwrap();
    let person = person.context("half", &format!(r#"{{"url": "nats://h", "cert": {half:?}}}"#));
    let refused = |line: &str| {
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        let lookup = |name: &str| person.environment.get(name).cloned();
        let settings = Settings::resolve(&cli.global, &lookup, &[]).unwrap();
        settings.check_files(&cli.global, &lookup).unwrap_err().to_string()
    };
    assert_eq!(
        refused("headwater --context half"),
        format!(
            "'cert' in {}: the client certificate {} has no key; give both, by --tls-cert and --tls-key, or as cert and \
             key of the context",
            person.file("half").display(),
            half.display()
        )
    );
    assert_eq!(
        refused("headwater --context creds"),
        format!(
            "'creds' in {}: cannot read the credentials file /none/a.creds: no such file",
            person.file("creds").display()
        )
    );
    assert_eq!(
        refused("headwater --context ca"),
        format!(
            "'ca' in {}: cannot read the certificate authorities /none/a.ca: no such file",
            person.file("ca").display()
        )
    );
}

#[test]
fn message_traces_belong_to_a_source() {
    let person = Person::new();
    let mut main = broker("main", "nats", &["nats://h"]);
    main.message_traces = Some("trace.out".to_owned());
    let options = person.runs("headwater", &[main]).unwrap().sources.remove(0).options;
    assert_eq!(options.message_traces.as_deref(), Some("trace.out"));
    let two = "headwater --nats a=nats://h --nats b=nats://i --message-traces";
    let settings = person.runs(&format!("{two} b=sys.trace"), &[]).unwrap();
    let told: Vec<_> = settings.sources.iter().map(|one| one.options.message_traces.as_deref()).collect();
    assert_eq!(told, [None, Some("sys.trace")]);
    let which = "say which source it belongs to, --message-traces NAME=SUBJECT, of: a, b";
    let literal = "write one subject, without wildcards: the msg_trace.dest of the account";
    for (flag, why) in [("trace.out", which), ("c=trace.out", which), ("a=trace.*", literal), ("a=", literal)]
    {
        let error = person.runs(&format!("{two} {flag}"), &[]).unwrap_err();
        assert_eq!(error, format!("--message-traces '{flag}': {why}"));
    }
}

#[test]
fn a_monitoring_endpoint_alone_means_no_server_of_this_machine() {
    let person = Person::new();
    let source = person.runs("headwater --monitor http://m:8222", &[]).unwrap().sources.remove(0);
    assert_eq!(source.options.servers_shown(), "");
    assert_eq!(source.options.monitors, ["http://m:8222"]);
    assert_eq!(source.servers_from, Origin::Flag("--monitor"));
    let named = person
        .runs("headwater --monitor a=http://a:8222 --monitor http://m:8222 --monitor a=http://a2:8222", &[])
        .unwrap()
        .sources;
    let named: Vec<_> =
        named.iter().map(|one| (one.options.source.as_str(), one.options.monitors.join(" "))).collect();
    assert_eq!(
        named,
        [("a", "http://a:8222 http://a2:8222".to_owned()), ("nats", "http://m:8222".to_owned())],
        "nobody needs to know the name of a source that was not named"
    );
    let monitored =
        DeclaredBroker { monitor: Some("http://m:8222".to_owned()), ..broker("main", "nats", &[]) };
    let source = person.runs("headwater", &[monitored]).unwrap().sources.remove(0);
    assert_eq!((source.options.servers_shown(), source.options.monitors.len()), (String::new(), 1));
    let person = person.with("NATS_URL", "nats://env");
    let source = person.runs("headwater --monitor http://m:8222", &[]).unwrap().sources.remove(0);
    assert_eq!(source.options.servers_shown(), "nats://env");
}
