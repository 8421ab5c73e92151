//! Which name belongs to which service, and how the binding says so.

use super::*;
use crate::topology::load::{Source, read};

fn topology(text: &str) -> Topology {
    let source = Source { file: "services/test.yaml".into(), content: Ok(text.as_bytes().to_vec()) };
    let loaded = read(vec![source]);
    loaded.topology.unwrap_or_else(|| panic!("{:?}", loaded.problems))
}

fn ids(binding: &Binding) -> Vec<&str> {
    binding.services.iter().map(ServiceId::as_str).collect()
}

fn client(name: &str) -> [Clue<'_>; 1] {
    [Clue::Name(NameKind::NatsClientName, name)]
}

const PATTERNS: &str = "
service: billing
identity: { nats: { client_name: ['billing', 'pay-*'], durable: billing-* } }
---
service: payroll
identity: { nats: { client_name: 'pay-roll-*' } }
---
service: audit
identity: { nats: { client_name: '*-roll-x' } }
";

#[test]
fn the_most_specific_pattern_wins() {
    let topology = topology(PATTERNS);
    let none = BTreeSet::new();
    let binding = topology.bind(&client("pay-roll-7"), &none);
    assert_eq!(ids(&binding), ["payroll"]);
    assert!(!binding.likely);
    assert_eq!(binding.evidence, [Evidence::declared("services/test.yaml:6")]);
    assert_eq!(ids(&topology.bind(&client("pay-7"), &none)), ["billing"]);
}

#[test]
fn patterns_of_equal_exactness_tie() {
    let topology = topology(
        "service: a\nidentity: { nats: { client_name: 'x-*' } }\n---\nservice: b\nidentity: { nats: { client_name: '*-x' } }\n",
    );
    let binding = topology.bind(&client("x-x"), &BTreeSet::new());
    assert_eq!(ids(&binding), ["a", "b"]);
    assert!(binding.is_tie());
    assert_eq!(binding.evidence.len(), 2);
}

#[test]
fn without_a_pattern_the_rule_derives_and_says_so() {
    let topology = topology(PATTERNS);
    let binding = topology.bind(&client("cart-7f9d-k2p"), &BTreeSet::new());
    assert_eq!(ids(&binding), ["cart"]);
    assert!(binding.likely);
    assert_eq!(
        binding.evidence,
        [Evidence::inferred("client name \"cart-7f9d-k2p\" without pod of a deployment \"-7f9d-k2p\"")]
    );
}

#[test]
fn a_tool_is_no_service() {
    let binding = Topology::default().bind(&client("NATS CLI Version 0.1.5"), &BTreeSet::new());
    assert_eq!(binding.tool.as_deref(), Some("NATS CLI"));
    assert_eq!(binding.services, []);
}

#[test]
fn nothing_to_go_by_binds_nobody() {
    let empty = Topology::default();
    assert_eq!(empty.bind(&[], &BTreeSet::new()), Binding::default());
    assert_eq!(empty.bind(&client(""), &BTreeSet::new()), Binding::default());
    let user = [Clue::Name(NameKind::NatsUser, "alice")];
    assert_eq!(empty.bind(&user, &BTreeSet::new()), Binding::default(), "a user name founds no service");
    assert_eq!(ids(&empty.bind(&user, &BTreeSet::from(["alice".into()]))), ["alice"]);
}

#[test]
fn a_durable_that_begins_with_a_known_service_is_likely_its() {
    let known = BTreeSet::from([ServiceId::from("billing"), ServiceId::from("bill")]);
    let names = ConsumerNames {
        stream: "ACCOUNTS",
        name: "billing-users",
        durable: true,
        ..ConsumerNames::default()
    };
    let binding = Topology::default().bind_consumer(&names, &known);
    assert_eq!(ids(&binding), ["billing"]);
    assert_eq!(
        binding.evidence,
        [Evidence::inferred("durable \"billing-users\" begins with the name of service \"billing\"")]
    );
    assert_eq!(ids(&Topology::default().bind_consumer(&names, &BTreeSet::new())), ["billing-users"]);
}

const CONSUMERS: &str = "
service: billing
consumes: [{ event: E, broker: main, consumer: { stream: ORDERS, durable: mill, deliver_subject: d.mill } }]
---
service: shipping
consumes: [{ event: E, consumer: { stream: ORDERS, durable: shared } }]
---
service: audit
consumes: [{ event: E, consumer: { stream: ORDERS, durable: shared } }]
";

#[test]
fn a_consumer_belongs_to_those_who_declare_it() {
    let topology = topology(CONSUMERS);
    let none = BTreeSet::new();
    let names = ConsumerNames {
        source: "main",
        stream: "ORDERS",
        name: "mill",
        durable: true,
        ..ConsumerNames::default()
    };
    let binding = topology.bind_consumer(&names, &none);
    assert_eq!(ids(&binding), ["billing"]);
    assert_eq!(binding.evidence, [Evidence::declared("services/test.yaml:3")]);

    let elsewhere = ConsumerNames { source: "other", ..names };
    assert!(topology.bind_consumer(&elsewhere, &none).likely, "another broker's durable is another durable");

    let shared = ConsumerNames { name: "shared", ..names };
    assert_eq!(ids(&topology.bind_consumer(&shared, &none)), ["audit", "shipping"]);

    let pushed = ConsumerNames { name: "aXb3", durable: false, deliver_subject: Some("d.mill"), ..names };
    assert_eq!(ids(&topology.bind_consumer(&pushed, &none)), ["billing"]);
}

#[test]
fn a_deliver_subject_can_name_its_service() {
    let names = ConsumerNames {
        stream: "INVENTORY",
        name: "V1StGXR8",
        deliver_subject: Some("deliver.search.stock"),
        ..ConsumerNames::default()
    };
    assert_eq!(ids(&Topology::default().bind_consumer(&names, &BTreeSet::new())), ["search"]);
    let inbox = ConsumerNames { deliver_subject: Some("_INBOX.abc.def"), ..names };
    assert_eq!(Topology::default().bind_consumer(&inbox, &BTreeSet::new()), Binding::default());
}
