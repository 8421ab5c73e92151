//! The lookups, asked about the sample system.

use std::path::Path;

use super::*;

fn sample() -> Topology {
    let loaded = crate::topology::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-topology"));
    loaded.topology.expect("the sample is right")
}

fn consumer<'a>(stream: &'a str, name: &'a str) -> ConsumerNames<'a> {
    ConsumerNames { source: "main", stream, name, durable: true, ..ConsumerNames::default() }
}

#[test]
fn a_consumer_is_known_by_stream_and_durable_and_feeds_its_copy() {
    let topology = sample();
    let uses =
        topology.uses_of(&consumer("ACCOUNTS", "billing-users"), &["accounts.user.changed".into()], &[]);
    assert_eq!(uses.len(), 1);
    assert_eq!(uses[0].service.id.as_str(), "billing");
    assert_eq!(uses[0].from.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), ["accounts"]);
    assert_eq!(uses[0].entity.map(EntityId::as_str), Some("User"));
    assert_eq!(uses[0].replicas.len(), 1);
    assert_eq!(uses[0].replicas[0].max_staleness, Some(Duration::from_secs(2)));
    assert_eq!(uses[0].origin.to_string(), "services/billing.yaml:38");
}

#[test]
fn one_durable_may_have_several_uses() {
    let topology = sample();
    let uses = topology.uses_of(&consumer("ORDERS", "analytics"), &[], &[]);
    assert_eq!(
        uses.iter().map(|u| &**u.name).collect::<Vec<_>>(),
        ["OrderCreated", "OrderPaid", "OrderCancelled"]
    );
    let filtered = topology.uses_of(&consumer("ORDERS", "analytics"), &["orders.paid".into()], &[]);
    assert_eq!(filtered.iter().map(|u| &**u.name).collect::<Vec<_>>(), ["OrderPaid"]);
    assert_eq!(topology.uses_of(&consumer("BILLING", "nobody"), &[], &[]), []);
}

#[test]
fn a_use_without_a_consumer_is_found_by_its_channel() {
    let source = crate::topology::load::Source {
        file: "a.yaml".into(),
        content: Ok(b"service: a\npublishes: [{ event: E, channel: 'things.{id}.made' }]\n---\nservice: b\nconsumes: [{ event: E }]\n".to_vec()),
    };
    let topology = crate::topology::load::read(vec![source]).topology.expect("right");
    let names = consumer("THINGS", "b-things");
    assert_eq!(topology.uses_of(&names, &["things.*.made".into()], &["b".into()]).len(), 1);
    assert_eq!(topology.uses_of(&names, &["things.*.sold".into()], &["b".into()]), []);
    assert_eq!(topology.uses_of(&names, &["things.*.made".into()], &["c".into()]), []);
}

#[test]
fn a_subject_tells_what_travels_on_it() {
    let topology = sample();
    let carried = topology.on_channel("main", "orders.created");
    assert_eq!(carried.len(), 1);
    assert_eq!((&**carried[0].name, carried[0].service.id.as_str()), ("OrderCreated", "orders"));
    assert_eq!(topology.on_channel("main", "orders.>").len(), 3);
    assert_eq!(topology.on_channel("elsewhere", "orders.created"), []);
    let answering = topology.answering("main", "accounts.user.get");
    assert_eq!(answering.len(), 1);
    assert_eq!(answering[0].0.id.as_str(), "accounts");
}

#[test]
fn entities_show_the_conflicts_that_are_in_the_sample() {
    let topology = sample();
    let entities = topology.entities();
    let owners = |id: &str| entities[id].owners.iter().map(|(s, _)| s.id.as_str()).collect::<Vec<_>>();
    assert_eq!(owners("Address"), ["accounts", "shipping"]);
    assert_eq!(owners("User"), ["accounts"]);
    let identifiers: Vec<_> = entities["User"]
        .replicas
        .iter()
        .map(|(s, r)| (s.id.as_str(), r.identifier.as_ref().map(ToString::to_string).unwrap_or_default()))
        .collect();
    assert_eq!(
        identifiers,
        [
            ("billing", "email".to_owned()),
            ("notifications", "user_id".to_owned()),
            ("shipping", "first_name+last_name".to_owned())
        ]
    );
    assert_eq!(
        entities["User"].readers.iter().map(|r| r.caller.id.as_str()).collect::<Vec<_>>(),
        ["billing"]
    );
    let reactors: Vec<_> = entities["Order"].reactors.iter().map(|s| s.id.as_str()).collect();
    assert_eq!(reactors, ["billing", "inventory", "shipping"]);
}

#[test]
fn a_shared_store_has_two_accessors() {
    let topology = sample();
    let accessors: Vec<_> = topology
        .accessors(&"accounts-db".into())
        .into_iter()
        .map(|a| (a.service.id.as_str(), a.access, a.origin.to_string()))
        .collect();
    assert_eq!(
        accessors,
        [
            ("accounts", Some(Access::ReadWrite), "services/accounts.yaml:15".to_owned()),
            ("billing", Some(Access::Read), "services/billing.yaml:19".to_owned()),
        ]
    );
    assert_eq!(topology.accessors(&"billing-db".into()).len(), 1);
}

#[test]
fn the_chain_without_time_outs_is_in_the_sample() {
    let topology = sample();
    let unbounded: Vec<_> = topology
        .requests()
        .filter(|r| r.call.timeout.is_none())
        .map(|r| (r.caller.id.as_str(), r.call.service.as_str()))
        .collect();
    assert_eq!(unbounded, [("billing", "accounts"), ("gateway", "orders"), ("orders", "billing")]);
}

#[test]
fn teams_and_limits_fall_back() {
    let source = crate::topology::load::Source {
        file: "a.yaml".into(),
        content: Ok(b"headwater: 1\ndomains: [{ id: d, owner: t }]\nobjectives: [{ entity: E, property: staleness, max: 3s }]\n---\nservice: a\ndomain: d\nowns: [{ entity: E }]\n---\nservice: b\nteam: u\ncopies: [{ entity: E }]\n".to_vec()),
    };
    let topology = crate::topology::load::read(vec![source]).topology.expect("right");
    assert_eq!(topology.team_of(&"a".into()).map(TeamId::as_str), Some("t"));
    assert_eq!(topology.team_of(&"b".into()).map(TeamId::as_str), Some("u"));
    assert_eq!(topology.max_staleness(&"b".into(), &"E".into()), Some(Duration::from_secs(3)));
    assert_eq!(topology.max_staleness(&"b".into(), &"F".into()), None);
}

#[test]
fn sensitive_fields_follow_their_entity() {
    let topology = sample();
    let on =
        |subject| topology.sensitive_on("main", subject).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(on("billing.invoice.issued"), ["iban"]);
    assert_eq!(on("accounts.user.get"), ["date_of_birth", "email", "phone"]);
    assert_eq!(on("orders.created"), Vec::<String>::new());
}

#[test]
fn every_channel_of_the_sample_has_a_stream_that_captures_no_request() {
    let topology = sample();
    for carried in topology.carried() {
        let channel = carried.channel.expect("a channel");
        assert_eq!(topology.answering("main", channel), [], "a stream on {channel} would answer requests");
    }
    // Every declared position reads a stream that keeps what it reads.
    for used in topology.uses() {
        let Some(stream) = used.reader.and_then(|r| r.stream.as_ref()) else { continue };
        let channel = used.channel.expect("a channel");
        assert!(
            topology.on_channel("main", channel).iter().any(|c| c.stream == Some(stream)),
            "{stream} keeps {channel} for {}",
            used.service.id
        );
    }
}
