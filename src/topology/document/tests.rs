//! The loader and the committed JSON Schema say the same about every document, right or wrong.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value as Json, json};

use super::*;
use crate::topology::declared::NameKind;
use crate::topology::tree;
use crate::topology::word::{
    Access, CopyMode, Criticality, FeedMode, Protocol, ServiceKind, StoreKind, Word,
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn schema() -> Json {
    let text = fs::read_to_string(root().join("schemas/topology.schema.json")).expect("the schema");
    serde_json::from_str(&text).expect("JSON")
}

/// Whether the loader takes a document for itself, references aside.
fn loader_takes(document: &Json) -> Result<(), Vec<String>> {
    // JSON is YAML, so that the document goes through all that a file goes through.
    let parsed = tree::parse(&document.to_string());
    let mut reading = Reading::new("a.yaml");
    let mut declared = Declarations::default();
    for document in &parsed.documents {
        read(&mut reading, document, &mut declared);
    }
    let faults = parsed.faults.into_iter().map(|f| f.text);
    let problems: Vec<String> = faults.chain(reading.problems.into_iter().map(|p| p.text)).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// All documents of the sample, and two that use every field there is.
fn documents() -> Vec<Json> {
    let mut documents = Vec::new();
    let mut paths = crate::topology::load::find(&root().join("sample-topology"), &mut Vec::new());
    paths.sort();
    for path in paths {
        let text = fs::read_to_string(path).expect("a file");
        documents.extend(tree::parse(&text).documents.iter().map(tree::Node::to_json));
    }
    assert_eq!(documents.len(), 11);
    documents.push(json!({
        "headwater": 1, "system": "s", "x-any": [1],
        "domains": [{ "id": "d", "name": "D", "owner": "t", "x-a": 1 }],
        "teams": [{ "id": "t", "name": "T", "contact": "c", "x-a": 1 }],
        "brokers": [
            { "id": "n", "kind": "nats", "servers": ["nats://h:4222", "h:4222"], "monitor": "http://h", "x-a": 1 },
            { "id": "k", "kind": "kafka", "servers": "h:9092" },
            { "id": "r", "kind": "rabbitmq", "servers": ["amqps://h"] },
            { "id": "e", "kind": "redis", "servers": ["rediss://h"] },
            { "id": "m", "kind": "mqtt", "servers": ["mqtt://h"] }
        ],
        "objectives": [
            { "entity": "E", "property": "staleness", "max": "2s", "share": 0.99, "window": "5m", "x-a": 1 },
            { "event": "E", "property": "propagation", "max": "2s" },
            { "feed": "E", "property": "convergence", "max": "2s" },
            { "service": "E", "property": "lag", "max": 100 },
            { "operation": "E", "property": "error-rate", "max": 0.01 }
        ],
        "checks": { "ignore": [{ "check": "c", "subject": "s", "reason": "r", "until": "2030-12-31", "x-a": 1 }], "x-a": 1 }
    }));
    documents.push(json!({
        "service": "a", "headwater": 1, "description": "d", "kind": "job", "team": "t", "domain": "d", "x-any": {},
        "identity": {
            "nats": { "client_name": ["a-*"], "durable": "a", "queue": ["a"], "user": "a", "micro": "a", "x-a": 1 },
            "kafka": { "client_id": "a", "group_id": "a", "principal": "a" },
            "rabbitmq": { "connection_name": "a", "user": "a", "consumer_tag": "a", "queue": "a" },
            "redis": { "client_name": "a", "group": "a" },
            "mqtt": { "client_id": "a", "username": "a" },
            "otel": { "service_name": "a" },
            "event_source": ["a"], "x-a": 1
        },
        "health": [{ "name": "h", "url": "https://h/health", "interval": "2s", "timeout": "500ms", "x-a": 1,
                     "applied": [{ "entity": "E", "pointer": "/v", "x-a": 1 }] }],
        "stores": [{ "id": "s", "kind": "graph", "technology": "t", "reason": "r", "x-a": 1 }],
        "uses_stores": [{ "store": "s", "access": "read-write", "x-a": 1 }],
        "owns": [{ "entity": "E", "store": "s", "identifier": ["a", "b"], "sensitive": ["c"], "x-a": 1 }],
        "copies": [{ "entity": "E", "store": "s", "identifier": "a", "via": "f", "mode": "cdc", "max_staleness": "1m30s", "sensitive": "c", "x-a": 1 }],
        "publishes": [{ "event": "E", "broker": "b", "channel": "c", "stream": "S", "entity": "E", "key": "k", "schema": "s", "x-a": 1 }],
        "provides_feeds": [{ "feed": "f", "broker": "b", "channel": "c", "stream": "S", "entity": "E", "key": "k", "mode": "feed", "schema": "s", "x-a": 1 }],
        "consumes": [{ "event": "E", "broker": "b", "channel": "c", "max_delay": "1s", "leads_to": ["F"], "x-a": 1,
                       "consumer": { "stream": "S", "durable": "d", "deliver_subject": "s", "queue": "q", "group": "g", "x-a": 1 } }],
        "follows_feeds": [{ "feed": "f", "from": "a", "broker": "b", "channel": "c", "mode": "cdc", "max_delay": "1s", "consumer": { "stream": "S" }, "x-a": 1 }],
        "answers": [{ "operation": "o", "protocol": "nats", "broker": "b", "channel": "c", "entity": "E", "x-a": 1 }],
        "calls": [{ "service": "a", "operation": "o", "protocol": "http", "timeout": "1s", "retries": 3, "breaker": true, "criticality": "soft", "fallback": "none", "x-a": 1 }]
    }));
    documents
}

/// Every value of a document with the path to it.
fn places(value: &Json, path: &str, out: &mut Vec<String>) {
    out.push(path.to_owned());
    match value {
        Json::Object(fields) => {
            fields
                .iter()
                .filter(|(k, _)| !k.starts_with("x-"))
                .for_each(|(k, v)| places(v, &format!("{path}/{k}"), out));
        }
        Json::Array(items) => {
            items.iter().enumerate().for_each(|(n, v)| places(v, &format!("{path}/{n}"), out));
        }
        _ => {}
    }
}

/// A document for each of its fields, with the one that says what it is: small ones are quick to check many times.
fn pieces(document: &Json) -> Vec<Json> {
    let fields = document.as_object().expect("a map");
    let head = if fields.contains_key("service") { "service" } else { "headwater" };
    let piece = |(k, v): (&String, &Json)| json!({ head: fields[head].clone(), k.clone(): v.clone() });
    fields.iter().filter(|(k, _)| *k != head).map(piece).collect()
}

/// A document with one change.
fn changed(document: &Json, path: &str, change: impl FnOnce(&mut Json)) -> Json {
    let mut document = document.clone();
    change(document.pointer_mut(path).expect("a place"));
    document
}

/// Single faults (and some changes that are none), each with a name.
fn mutations(document: &Json) -> Vec<(String, Json)> {
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(5),
        json!(-1),
        json!(0.5),
        json!(1.5),
        json!(2000),
        json!(""),
        json!("   "),
        json!("zzz"),
        json!("a\tb\nc"),
        json!("a\u{7}b"),
        json!("a\u{b}"),
        json!("a\u{9b}b"),
        json!("a\u{202e}b"),
        json!("a\u{feff}b"),
        json!("x".repeat(201)),
        json!("x".repeat(2001)),
        json!("5"),
        json!("5 parsecs"),
        json!("0s"),
        json!("1.5h"),
        json!("2s5"),
        json!("ftp://h"),
        json!("http://"),
        json!("http://h"),
        json!("nats://h"),
        json!("/p"),
        json!("2030-13-01"),
        json!([]),
        json!({}),
        json!([5]),
        json!([null]),
        json!(["a"]),
        json!([{}]),
        json!([[]]),
        json!({ "a": 1 }),
        json!({ "x-a": 1 }),
    ];
    let mut all = Vec::new();
    places(document, "", &mut all);
    let mut out = Vec::new();
    for path in &all {
        // Nothing at all is no document, to the loader; a schema is never asked about it.
        for value in values.iter().filter(|value| !(path.is_empty() && value.is_null())) {
            out.push((format!("{path} = {value}"), changed(document, path, |place| *place = value.clone())));
        }
        if document.pointer(path).is_some_and(Json::is_object) {
            for key in ["unknwon", "Service", "", "x"] {
                let with = changed(document, path, |place| place[key] = json!(1));
                out.push((format!("{path} with `{key}`"), with));
            }
            let keys: Vec<String> = document
                .pointer(path)
                .and_then(Json::as_object)
                .into_iter()
                .flat_map(|o| o.keys().cloned())
                .collect();
            for key in keys {
                let without = changed(document, path, |place| {
                    place.as_object_mut().expect("an object").remove(&key);
                });
                out.push((format!("{path} without `{key}`"), without));
            }
        }
    }
    out
}

#[test]
fn schema_and_loader_take_the_same_documents() {
    let validator = jsonschema::validator_for(&schema()).expect("a schema");
    let (mut rejected, mut taken, mut different) = (0, 0, Vec::new());
    let documents = documents();
    // The last two use every field; what is changed in the others was changed in these already.
    let (samples, full) = documents.split_at(documents.len() - 2);
    for document in samples.iter().cloned().chain(full.iter().flat_map(pieces)) {
        assert_eq!(loader_takes(&document), Ok(()), "{document}");
        assert!(
            validator.is_valid(&document),
            "{document}: {:?}",
            validator.iter_errors(&document).map(|e| e.to_string()).collect::<Vec<_>>()
        );
        if samples.contains(&document) {
            continue;
        }
        for (name, mutant) in mutations(&document) {
            let loader = loader_takes(&mutant);
            let schema = validator.is_valid(&mutant);
            if loader.is_ok() == schema {
                if schema { taken += 1 } else { rejected += 1 }
            } else {
                different.push(format!("{name}: loader {loader:?}, schema takes it: {schema}"));
            }
        }
    }
    assert_eq!(different, Vec::<String>::new(), "{} of {}", different.len(), rejected + taken);
    // Both outcomes must really have been tried.
    assert!(rejected > 5_000 && taken > 1_000, "{rejected} rejected, {taken} taken");
}

fn words<W: Word>() -> BTreeSet<String> {
    W::WORDS.iter().map(|(word, _)| (*word).to_owned()).collect()
}

fn listed(schema: &Json, path: &str) -> BTreeSet<String> {
    let list = schema.pointer(path).and_then(Json::as_array).unwrap_or_else(|| panic!("{path}"));
    list.iter().filter_map(Json::as_str).map(str::to_owned).collect()
}

#[test]
fn schema_and_loader_have_the_same_words() {
    let schema = schema();
    for (path, words) in [
        ("service-document/properties/kind", words::<ServiceKind>()),
        ("broker/properties/kind", words::<BrokerKind>()),
        ("store/properties/kind", words::<StoreKind>()),
        ("used-store/properties/access", words::<Access>()),
        ("copy/properties/mode", words::<CopyMode>()),
        ("provision/properties/mode", words::<FeedMode>()),
        ("following/properties/mode", words::<FeedMode>()),
        ("answer/properties/protocol", words::<Protocol>()),
        ("call/properties/protocol", words::<Protocol>()),
        ("call/properties/criticality", words::<Criticality>()),
        ("objective/properties/property", words::<Property>()),
    ] {
        assert_eq!(listed(&schema, &format!("/$defs/{path}/enum")), words, "{path}");
    }
    for (group, field, _) in NameKind::FIELDS {
        let path = format!("/$defs/identity/properties/{group}/properties/{field}");
        assert!(schema.pointer(&path).is_some(), "{path}");
    }
}

#[test]
fn every_sample_file_names_the_schema() {
    for path in crate::topology::load::find(&root().join("sample-topology"), &mut Vec::new()) {
        let text = fs::read_to_string(&path).expect("a file");
        let named = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# yaml-language-server: $schema="))
            .unwrap_or_else(|| panic!("{} does not begin with its schema", path.display()));
        let schema = path.parent().expect("a folder").join(named);
        let schema = fs::canonicalize(&schema).unwrap_or_else(|e| panic!("{}: {e}", schema.display()));
        assert_eq!(schema, fs::canonicalize(root().join("schemas/topology.schema.json")).expect("there"));
    }
}

#[test]
fn the_schema_itself_is_right() {
    assert!(jsonschema::meta::is_valid(&schema()));
}
