//! Every fault of the files, with the exact words; and that nothing makes the loader panic.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;

fn directory() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-topology")
}

/// What is wrong with one file, each as `line:column: severity: text`.
fn wrong(text: &str) -> Vec<String> {
    files(&[("a.yaml", text.as_bytes())])
}

fn files(files: &[(&str, &[u8])]) -> Vec<String> {
    let sources =
        files.iter().map(|(name, bytes)| Source { file: (*name).to_owned(), content: Ok(bytes.to_vec()) });
    let loaded = read(sources.collect());
    assert_eq!(loaded.topology.is_none(), loaded.errors() > 0);
    loaded
        .problems
        .iter()
        .map(|p| p.line(Path::new("")))
        .map(|line| line.strip_prefix("a.yaml:").unwrap_or(&line).to_owned())
        .collect()
}

#[test]
fn the_sample_has_no_fault() {
    let loaded = load(&directory());
    assert_eq!(loaded.problems, []);
    let topology = loaded.topology.expect("a topology");
    assert_eq!(topology.system.as_ref().map(|s| &*s.name), Some("online-store"));
    assert_eq!(topology.services.len(), 10);
    assert_eq!(topology.domains.len(), 4);
    assert!(topology.stores.values().all(|store| store.reason.is_some() && store.kind.is_some()));
}

/// Every other mistake in it would teach something that nobody meant.
#[test]
fn the_sample_has_the_mistakes_that_its_page_lists_and_no_more() {
    let topology = load(&directory()).topology.expect("a topology");
    let owners = |entity: &str| {
        topology
            .services
            .values()
            .flat_map(|s| &s.owns)
            .filter(|o| o.entity.as_str() == entity)
            .collect::<Vec<_>>()
    };
    let owned: std::collections::BTreeSet<&str> =
        topology.services.values().flat_map(|s| &s.owns).map(|o| o.entity.as_str()).collect();
    let twice: Vec<&str> = owned.into_iter().filter(|entity| owners(entity).len() > 1).collect();
    assert_eq!(twice, ["Address"]);
    let mut differ: Vec<&str> = Vec::new();
    for copy in topology.services.values().flat_map(|s| &s.copies) {
        let own = owners(copy.entity.as_str())[0];
        if copy.identifier.is_some() && copy.identifier != own.identifier {
            differ.push(copy.entity.as_str());
        }
    }
    assert_eq!(differ, ["User", "User"]);
    let shared: Vec<&str> =
        topology.services.values().flat_map(|s| &s.uses_stores).map(|u| u.store.as_str()).collect();
    assert_eq!(shared, ["accounts-db"]);
}

#[test]
fn everything_is_optional() {
    assert_eq!(wrong("service: a"), Vec::<String>::new());
    assert_eq!(wrong("headwater: 1"), Vec::<String>::new());
    assert_eq!(wrong("service: a\nowns:\ncalls: []\nteam: ~\nidentity: {}\n"), Vec::<String>::new());
    assert_eq!(
        wrong("service: a\nteam: t\ndomain: d\npublishes: [{ event: E, broker: b }]"),
        Vec::<String>::new()
    );
}

#[test]
fn fields_that_start_with_x_are_kept() {
    let text =
        b"service: a\nx-cost: { centre: 7, tags: [a, true, 1.5] }\nowns: [{ entity: E, x-note: hi }]\n";
    let loaded = read(vec![Source { file: "a.yaml".into(), content: Ok(text.to_vec()) }]);
    assert_eq!(loaded.problems, []);
    let topology = loaded.topology.expect("right");
    let service = &topology.services["a"];
    assert_eq!(service.extras["x-cost"], serde_json::json!({ "centre": 7, "tags": ["a", true, 1.5] }));
    assert_eq!(service.owns[0].extras["x-note"], serde_json::json!("hi"));
}

#[test]
fn several_faults_are_said_at_once() {
    assert_eq!(
        wrong(
            "service: a\nteam: 12\nowns:\n  - entity: E\n    stor: s\n  - { store: s }\nstores: [{ id: s, kind: relatonal }]\n"
        ),
        [
            "2:7: error: `team` is the number `12`, expected text: put it in quotes",
            "5:5: error: unknown field `stor` in an owned entity, expected one of entity, store, identifier, sensitive; did you mean `store`?",
            "6:5: error: `entity` is missing in an owned entity, expected a name",
            "7:25: error: `kind` is `relatonal`, expected one of relational, document, key-value, search, column, graph, time-series, vector, cache, object, queue, log, file, other; did you mean `relational`?",
        ]
    );
}

/// One fault each, with its exact words.
#[test]
fn each_fault_has_its_words() {
    let mut different = Vec::new();
    for (text, want) in [
        // What a document is.
        ("- 1", "1:1: error: found a list, expected a document with `service:` or with `headwater: 1`"),
        (
            "sevice: a",
            "1:1: error: found `sevice` in a document that is neither a service nor a system, expected `service:` or `headwater: 1`; did you mean `service`?",
        ),
        (
            "kind: Deployment",
            "1:1: error: found a document that is neither a service nor a system, expected `service:` or `headwater: 1`",
        ),
        ("system: s", "1:1: error: found a system without `headwater: 1`, the version of the file format"),
        (
            "headwater: 2\nsystem: s",
            "1:12: error: `headwater` is the number `2`, expected 1: the version of the file format",
        ),
        (
            "headwater: '1'",
            "1:12: error: `headwater` is the text `1`, expected 1: the version of the file format",
        ),
        ("headwater:", "1:1: error: `headwater` is empty, expected 1: the version of the file format"),
        (
            "service: a\nsystem: s",
            "1:1: error: found `service` and `system` in one document; put `---` between the two",
        ),
        ("service:", "1:1: error: `service` is missing in a service document, expected a name"),
        ("service: ''", "1:10: error: `service` is empty, expected text"),
        ("service: [a]", "1:10: error: `service` is a list, expected text"),
        // Types.
        ("service: a\nowns: E", "2:7: error: `owns` is the text `E`, expected a list"),
        (
            "service: a\nowns: [E]",
            "2:8: error: found the text `E`, expected an owned entity: a map of fields",
        ),
        (
            "service: a\nteam: yes\ndomain: true",
            "3:9: error: `domain` is the truth value `true`, expected text: put it in quotes",
        ),
        (
            "service: a\ncalls: [{ service: a, breaker: 'no' }]",
            "2:32: error: `breaker` is the text `no`, expected true or false",
        ),
        (
            "service: a\ncalls: [{ service: a, retries: -1 }]",
            "2:32: error: `retries` is the number `-1`, expected a whole number from 0 to 1000",
        ),
        (
            "service: a\nidentity: { nats: { durable: { a: b } } }",
            "2:30: error: `durable` is a map, expected text or a list of texts",
        ),
        (
            "service: a\nidentity: { nats: { durabel: a } }",
            "2:21: error: unknown field `durabel` in an identity, expected one of client_name, durable, queue, user, micro; did you mean `durable`?",
        ),
        (
            "service: a\n<<: { team: t }",
            "2:1: error: found the merge key `<<`, which YAML 1.2 does not have; repeat the fields",
        ),
        // Times.
        (
            "service: a\ncalls: [{ service: a, timeout: 200 }]",
            "2:32: error: `timeout` is the number `200` without a unit, expected a time such as 500ms, 2s, 5m or 1h30m",
        ),
        (
            "service: a\ncalls: [{ service: a, timeout: 2 sec }]",
            "2:32: error: `timeout` is `2 sec` (no such unit), expected a time such as 500ms, 2s, 5m or 1h30m",
        ),
        (
            "service: a\ncalls: [{ service: a, timeout: 0s }]",
            "2:32: error: `timeout` is `0s` (no time at all), expected a time such as 500ms, 2s, 5m or 1h30m",
        ),
        (
            "service: a\nhealth: [{ url: 'http://h', interval: 1ms }]",
            "2:39: error: `interval` is shorter than 100ms, expected 100ms or more: asking more often would harm the service",
        ),
        // Addresses; passwords stay out of the message.
        (
            "service: a\nhealth: [{ name: n }]",
            "2:10: error: `url` is missing in a health endpoint, expected an address",
        ),
        (
            "service: a\nhealth: [{ url: 'ftp://ann:secret@h' }]",
            "2:17: error: `url` is `ftp://***@h` (scheme ftp), expected an address with http://, https://",
        ),
        (
            "service: a\nhealth: [{ url: 'http://ann:sec/ret@h:x' }]",
            "2:17: error: `url` is `http://***@h:x` (invalid port number), expected an address with http://, https://",
        ),
        (
            "service: a\nhealth: [{ url: localhost }]",
            "2:17: error: `url` is `localhost` (relative URL without a base), expected an address with http://, https://",
        ),
        (
            "headwater: 1\nbrokers: [{ id: b, kind: nats, servers: ['http://h'] }]",
            "2:42: error: `servers` is `http://h` (scheme http), expected an address with nats://, tls://, ws://, wss://",
        ),
        (
            "headwater: 1\nbrokers: [{ id: b, kind: natz }]",
            "2:26: error: `kind` is `natz`, expected one of nats, kafka, rabbitmq, redis, mqtt; did you mean `nats`?",
        ),
        (
            "headwater: 1\nbrokers: [{ id: b }]",
            "2:11: error: `kind` is missing in a broker, expected one of nats, kafka, rabbitmq, redis, mqtt",
        ),
        // Objectives and checks.
        (
            "headwater: 1\nobjectives: [{ property: lag, max: 5 }]",
            "2:14: error: an objective about nothing, expected one of entity, event, feed, operation, service",
        ),
        (
            "headwater: 1\nobjectives: [{ entity: a, feed: b, property: lag, max: 5 }]",
            "2:14: error: an objective about entity and feed, expected only one of these",
        ),
        (
            "service: a\nowns: [{ entity: E }]\n---\nheadwater: 1\nobjectives: [{ entity: E, property: staleness }]",
            "5:14: error: `max` is missing in an objective, expected the most that is allowed",
        ),
        (
            "service: a\nowns: [{ entity: E }]\n---\nheadwater: 1\nobjectives: [{ entity: E, property: lag, max: 5s }]",
            "5:47: error: `max` is the text `5s`, expected a whole number from 0 to 9223372036854775807",
        ),
        (
            "service: a\nowns: [{ entity: E }]\n---\nheadwater: 1\nobjectives: [{ entity: E, property: lag, max: 5, share: 99 }]",
            "5:57: error: `share` is the number `99`, expected a share above 0 and up to 1, such as 0.99",
        ),
        (
            "headwater: 1\nchecks: { ignore: [{ check: c, until: tomorrow }] }",
            "2:39: error: `until` is the text `tomorrow`, expected a day such as 2030-12-31",
        ),
        (
            "service: a\nhealth: [{ url: 'http://h', applied: [{ entity: E, pointer: v }] }]",
            "2:61: error: `pointer` is `v`, expected a JSON pointer such as /feeds/user/version",
        ),
        (
            "service: a\nconsumes: [{ event: E, consumer: { durable: d } }]\npublishes: [{ event: E }]",
            "2:34: error: `stream` is missing in a consumer with `durable`, expected the stream that it reads",
        ),
        // Twice.
        (
            "service: a\nteam: t\nteam: u",
            "3:1: error: `team` stands twice in one map; the first is in line 2",
        ),
        (
            "service: a\n---\nservice: a",
            "3:10: error: the service `a` is declared twice; the first is at a.yaml:1",
        ),
        (
            "service: a\nstores: [{ id: s }]\n---\nservice: b\nstores: [{ id: s }]",
            "5:10: error: the store `s` is declared twice; the first is at a.yaml:2; a store is declared by its own service, others name it in uses_stores",
        ),
        (
            "headwater: 1\nsystem: s\n---\nheadwater: 1\nsystem: t",
            "5:9: error: the system has a second name `t`; the first is at a.yaml:2",
        ),
        (
            "headwater: 1\ndomains: [{ id: d }, { id: d }]",
            "2:22: error: the domain `d` is declared twice; the first is at a.yaml:2",
        ),
        (
            "service: a\nowns: [{ entity: E }, { entity: E }]",
            "2:23: error: the owned entity `E` is listed twice in this service; the first is at a.yaml:2",
        ),
        (
            "service: a\nanswers: [{ operation: o }, { operation: o }]",
            "2:29: error: the operation `o` is listed twice in this service; the first is at a.yaml:2",
        ),
        // References.
        (
            "service: accounts\ncalls:\n  - timeout: 1s\n    service: acounts",
            "4:14: error: `acounts` in calls is a service that no file declares; did you mean `accounts`?",
        ),
        (
            "service: a\nuses_stores: [{ store: db }]",
            "2:24: error: `db` in uses_stores is a store that no service declares",
        ),
        (
            "service: a\nowns: [{ entity: E, store: a-bd }]\nstores: [{ id: a-db }]",
            "2:28: error: `a-bd` in owns is a store that no service declares; did you mean `a-db`?",
        ),
        (
            "headwater: 1\nbrokers: [{ id: main, kind: nats }]\n---\nservice: a\npublishes: [{ event: E, broker: mian }]",
            "5:33: error: `mian` is a broker that is not declared, expected one of main; did you mean `main`?",
        ),
        (
            "headwater: 1\ndomains: [{ id: shop }]\n---\nservice: a\nteam: t\ndomain: shp",
            "6:9: error: `shp` is a domain that is not declared, expected one of shop; did you mean `shop`?",
        ),
        (
            "headwater: 1\nteams: [{ id: t }]\ndomains: [{ id: d, owner: u }]",
            "3:27: error: `u` is a team that is not declared, expected one of t",
        ),
        // Odd, but perhaps meant.
        (
            "service: a\nconsumes: [{ event: OrderCreatd }]\n---\nservice: b\npublishes: [{ event: OrderCreated }]",
            "2:21: warning: `OrderCreatd` is an event that nobody here publishes; did you mean `OrderCreated`?",
        ),
        (
            "service: a\nfollows_feeds: [{ feed: f }]",
            "2:25: warning: `f` is a feed that nobody here provides",
        ),
        ("service: a\ncopies: [{ entity: E }]", "2:20: warning: `E` is an entity that no service here owns"),
        (
            "service: a\nowns: [{ entity: E }]\n---\nservice: b\ncopies: [{ entity: E, via: nothing }]",
            "5:28: warning: `nothing` is neither an event nor a feed nor an operation that is declared here",
        ),
        (
            "service: a\nowns: [{ entity: E }]\npublishes: [{ event: Made }]\n---\nservice: b\ncopies: [{ entity: E, via: Made }]",
            "6:28: warning: the copy of E is kept by `Made`, which this service neither consumes, follows nor calls",
        ),
        (
            "service: a\npublishes: [{ event: Made }]\nconsumes: [{ event: Made, leads_to: [Mad] }]",
            "3:38: warning: `Mad` in leads_to is an event that this service does not publish; did you mean `Made`?",
        ),
        (
            "service: a\nanswers: [{ operation: user.get }]\n---\nservice: b\ncalls: [{ service: a, operation: user.gett }]",
            "5:34: warning: `user.gett` is not among the operations that `a` answers; did you mean `user.get`?",
        ),
        (
            "service: a\nprovides_feeds: [{ feed: f }]\n---\nservice: b\nfollows_feeds: [{ feed: f, from: b }]",
            "5:25: warning: `b` does not provide the feed `f`",
        ),
        (
            "service: a\nidentity: { nats: { queue: q } }\n---\nservice: b\nidentity: { nats: { queue: q } }",
            "5:28: warning: `q` in identity.nats.queue also stands in service `a` (a.yaml:2); names like it belong to both",
        ),
        (
            "service: a\nhealth: [{ url: 'http://h', applied: [{ entity: E, pointer: /v }] }]",
            "2:49: warning: `E` in applied is an entity that this service neither owns nor copies",
        ),
        // What cannot be shown.
        (
            "service: \"a\\x1b[31m\"",
            "1:10: error: found the character U+001B, which cannot be shown, in `a\\u{1b}[31m`",
        ),
        (
            "service: a\nteam: \"\\u202e\"",
            "2:7: error: found the character U+202E, which cannot be shown, in `\\u{202e}`",
        ),
    ] {
        let found = wrong(text);
        if found != [want] {
            different.push(format!("{text}\n  expected {want}\n  found    {found:#?}\n\n"));
        }
    }
    assert_eq!(different, Vec::<String>::new());
}

#[test]
fn conflicts_are_facts_for_the_checks_and_no_faults() {
    assert_eq!(
        wrong(
            "service: a\nstores: [{ id: s }]\nowns: [{ entity: E, store: s, identifier: id }]\n---\nservice: b\nuses_stores: [{ store: s, access: write }]\nowns: [{ entity: E, identifier: [first, last] }]\ncalls: [{ service: a }]\n"
        ),
        Vec::<String>::new()
    );
}

#[test]
fn a_file_that_cannot_be_read_hides_no_reference_errors_as_its_own() {
    // `b` may be in the broken file, so that nobody is told that it does not exist.
    assert_eq!(
        files(&[("a.yaml", b"service: a\ncalls: [{ service: b }]"), ("b.yaml", b"service: b\nteam: [")]),
        [
            "b.yaml: warning: names that files take from each other were not checked, because this file could not be read \
             to its end; mend it and validate again",
            "b.yaml:3:1: error: this is not YAML: while parsing a node, did not find expected node content"
        ]
    );
}

#[test]
fn channels_and_streams_that_no_nats_server_takes_are_errors() {
    let said = |publication: &str| wrong(&format!("service: a\npublishes: [{{ event: E, {publication} }}]"));
    assert_eq!(said("channel: a b"), ["2:34: error: `a b` in channel is no NATS subject: it has a space"]);
    assert_eq!(
        said("channel: a..b"),
        ["2:34: error: `a..b` in channel is no NATS subject: a part between dots is empty"]
    );
    assert_eq!(
        said("channel: a.>.b"),
        ["2:34: error: `a.>.b` in channel is no NATS subject: `>` may only stand at the end"]
    );
    assert_eq!(
        said("channel: a.b, stream: OR DERS"),
        [
            "2:47: error: `OR DERS` in stream is no name that a NATS stream or consumer can have: it has a space"
        ]
    );
    assert_eq!(
        wrong("service: a\nconsumes: [{ event: E, channel: c, consumer: { stream: S, durable: a.b } }]")[0],
        "2:12: error: `a.b` in durable is no name that a NATS stream or consumer can have: it has one of . * > / \\"
    );
    // Other brokers have other rules.
    let kafka = "headwater: 1\nbrokers: [{ id: k, kind: kafka }]\n---\nservice: a\n\
                 publishes: [{ event: E, broker: k, channel: a..b }, { event: F, channel: a..b }]";
    assert_eq!(wrong(kafka), Vec::<String>::new());
}

#[test]
fn lists_that_must_not_be_empty_are_errors() {
    assert_eq!(
        wrong("headwater: 1\nbrokers: [{ id: n, kind: nats, servers: [] }]"),
        ["2:41: error: `servers` is an empty list, expected at least one address"]
    );
    let monitored = "headwater: 1\nbrokers: [{ id: n, kind: nats, servers: [], monitor: \"http://a:8222\" }]";
    assert_eq!(wrong(monitored), Vec::<String>::new());
    assert_eq!(
        wrong("service: a\nowns: [{ entity: E, identifier: [] }]"),
        ["2:33: error: `identifier` is an empty list, expected at least one field"]
    );
}

#[test]
fn encodings_are_named() {
    assert_eq!(
        files(&[("b.yaml", b"service: a\nteam: \xff\xc0")]),
        ["b.yaml:2:7: error: the file is not UTF-8: found the byte 0xFF, which is no character here"]
    );
    assert_eq!(files(&[("b.yaml", b"\xff\xfes\0")]), ["b.yaml: error: the file is UTF-16, expected UTF-8"]);
    assert_eq!(files(&[("b.yaml", b"\xef\xbb\xbfservice: a\r\nteam: t\r\n")]), Vec::<String>::new());
    assert_eq!(files(&[("b.yaml", b"")]), ["b.yaml: warning: the file declares nothing"]);
    assert_eq!(files(&[("b.yaml", b"# later\n---\n")]), ["b.yaml: warning: the file declares nothing"]);
    assert_eq!(files(&[("\u{1b}[2J.yaml", b"x")])[0].split(':').next(), Some("\\u{1b}[2J.yaml"));
}

#[test]
fn empty_documents_beside_others_are_nothing() {
    assert_eq!(wrong("---\nservice: a\n---\n---\nservice: b\n...\n"), Vec::<String>::new());
}

fn on_disk(build: impl FnOnce(&Path)) -> Vec<String> {
    let dir = tempfile::tempdir().expect("a directory");
    build(dir.path());
    let loaded = load(dir.path());
    let root = format!("{}", dir.path().display());
    loaded.problems.iter().map(|p| p.line(dir.path()).replace(&root, "DIR")).collect()
}

#[test]
fn folders_are_walked_and_hidden_ones_are_not() {
    let problems = on_disk(|dir| {
        fs::create_dir_all(dir.join("a/b/.git")).expect("made");
        fs::write(dir.join("a/b/x.yml"), "service: x").expect("written");
        fs::write(dir.join("a/b/.git/y.yaml"), "not: ours").expect("written");
        fs::write(dir.join("a/b/z.json"), "{").expect("written");
        fs::write(dir.join("a/b/.#x.yaml"), "not: ours").expect("written");
    });
    assert_eq!(problems, Vec::<String>::new());
}

#[test]
fn a_single_file_is_a_topology_too() {
    let path = directory().join("services/gateway.yaml");
    let loaded = load(&path);
    assert_eq!(loaded.files, 1);
    // Alone, it calls services that no file declares: the place is still the file's own.
    assert_eq!(loaded.errors(), 4);
    let line = loaded.problems[0].line(&path);
    assert!(line.starts_with(&format!("{}:", path.display())), "{line}");
    assert!(!line.contains("gateway.yaml/"), "{line}");
    assert_eq!(&*loaded.problems[0].at.file, "gateway.yaml", "evidence names the file");
}

#[test]
fn places_without_files_are_named() {
    assert_eq!(on_disk(|_| {}), ["DIR: error: found no *.yaml or *.yml file here, expected at least one"]);
    let missing = load(Path::new("/nowhere/at/all"));
    assert_eq!(
        missing.problems.iter().map(|p| p.line(Path::new("/nowhere/at/all"))).collect::<Vec<_>>(),
        ["/nowhere/at/all: error: no such file or directory"]
    );
}

#[test]
fn large_files_are_not_swallowed() {
    let problems = on_disk(|dir| {
        let text = format!("service: a\ndescription: {}\n", "x".repeat(MAX_BYTES));
        fs::write(dir.join("a.yaml"), text).expect("written");
    });
    assert_eq!(
        problems,
        ["DIR/a.yaml: error: the file is larger than 1048576 bytes; a topology file is a few thousand"]
    );
}

#[cfg(unix)]
#[test]
fn links_are_followed_once() {
    use std::os::unix::fs::symlink;
    let problems = on_disk(|dir| {
        fs::create_dir(dir.join("a")).expect("made");
        fs::write(dir.join("a/x.yaml"), "service: x").expect("written");
        symlink(dir, dir.join("a/loop")).expect("linked");
        symlink(dir.join("a/x.yaml"), dir.join("again.yaml")).expect("linked");
        symlink(dir.join("gone"), dir.join("z.yaml")).expect("linked");
    });
    assert_eq!(problems, ["DIR/z.yaml: error: no such file or directory"]);
}

/// Valid files, to be damaged.
fn samples() -> Vec<(String, Vec<u8>)> {
    let mut problems = Vec::new();
    let root = directory();
    let paths = find(&root, &mut problems);
    paths.into_iter().map(|p| (shown(&root, &p), fs::read(&p).expect("read"))).collect()
}

/// The faults that a result may hold: one line each, nothing that a terminal would obey.
fn presentable(loaded: &Loaded) {
    for problem in &loaded.problems {
        let line = problem.line(Path::new("dir"));
        assert!(line.chars().all(crate::topology::problem::is_plain), "{line:?}");
        assert!(line.len() < 2000, "{}", line.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn any_bytes_give_a_result(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        presentable(&read(vec![Source { file: "a.yaml".into(), content: Ok(bytes) }]));
    }

    #[test]
    fn damaged_files_give_a_result(
        which in any::<prop::sample::Index>(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), 0..4_u8, any::<u8>(), "[-:{}\\[\\],#&*!|>'\" \n\ta-z0-9]{0,4}"), 1..6),
    ) {
        let files = samples();
        let (name, mut bytes) = files[which.index(files.len())].clone();
        for (at, how, byte, text) in edits {
            if bytes.is_empty() { break; }
            let at = at.index(bytes.len());
            match how {
                0 => { bytes.remove(at); }
                1 => bytes[at] = byte,
                2 => bytes.truncate(at),
                _ => { bytes.splice(at..at, text.bytes()); }
            }
        }
        presentable(&read(vec![Source { file: name, content: Ok(bytes) }]));
    }
}
