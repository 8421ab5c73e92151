//! Without a topology: what runtime names tell.

use super::*;
use crate::engine::sample::topology;
use crate::model::observation::{ConsumerReport, Delivery, EndpointReport, ResponderReport, Span};
use crate::model::snapshot::FlowKind;
use crate::model::traffic::{Count, TrafficKey};

fn ids<'a, T: 'a>(rows: &'a [Arc<T>], id: impl Fn(&'a T) -> &'a str) -> Vec<&'a str> {
    rows.iter().map(|row| id(row)).collect()
}

fn responder(name: &str, subject: &str) -> ResponderReport {
    ResponderReport {
        name: name.into(),
        versions: Vec::new(),
        instances: 1,
        description: None,
        metadata: BTreeMap::new(),
        endpoints: vec![EndpointReport {
            name: "get".into(),
            subject: subject.into(),
            queue: None,
            last_error: None,
        }],
    }
}

fn counted(messages: u64, errors: u64, from_ms: u64, to_ms: u64) -> Count {
    let span = Span { from: at(from_ms).mono, to: at(to_ms).mono };
    Count { messages, errors, busy_ns: messages * 4_000_000, span, ..Count::default() }
}

#[test]
fn tools_and_headwater_are_no_services() {
    let mut engine = engine();
    let mut own = client("headwater", &[]);
    own.own = true;
    let clients = vec![client("NATS CLI Version 0.1.5", &[]), own, client("orders-3", &[])];
    engine.ingest(&batch("nats", 0, vec![source_up(), Observation::Clients(all(clients))]));
    let snapshot = engine.tick(at(10));
    assert_eq!(ids(&snapshot.services, |s| s.id.as_str()), ["orders"]);
    assert!(!snapshot.services[0].declared);
    assert_eq!(snapshot.services[0].connections.bounds, Bounds::Exact(1));
}

#[test]
fn an_operation_is_no_event_before_it_is_known_who_answers() {
    let mut engine = engine();
    let Observation::Source(mut first) = source_up() else { panic!() };
    first.first_round = true;
    let clients = vec![client("accounts", &[("accounts.get", Some("q")), ("prices.changed", None)])];
    let told = vec![Observation::Source(first), Observation::Clients(all(clients))];
    engine.ingest(&batch("nats", 0, told));
    let asking = engine.tick(at(10));
    assert_eq!(ids(&asking.services, |s| s.id.as_str()), ["accounts"]);
    assert!(asking.channels.is_empty() && asking.flows.is_empty());
    let answered = Observation::Responders(all(vec![responder("accounts", "accounts.get")]));
    engine.ingest(&batch("nats", 200, vec![answered, source_up()]));
    let known = engine.tick(at(210));
    assert_eq!(ids(&known.channels, |c| c.report.id.as_str()), ["nats/subject:prices.changed"]);
    assert_eq!(known.flows.iter().filter(|f| f.kind == FlowKind::Request).count(), 1);
}

#[test]
fn a_source_that_stepped_aside_is_told_in_one_place() {
    let mut engine = engine();
    let brokers =
        "headwater: 1\nsystem: s\nbrokers:\n  - { id: b, kind: nats, servers: [\"nats://h:4222\"] }\n";
    engine.set_topology(Some(topology(brokers)), None);
    engine.ingest(&batch("a", 0, vec![source_up()]));
    let streams = |source: &str| Observation::Channels(all(vec![channel(source, "ORDERS")]));
    engine.ingest(&batch("a", 10, vec![streams("a")]));
    engine.ingest(&batch("b", 10, vec![source_up(), streams("b")]));
    assert_eq!(engine.tick(at(20)).channels.len(), 2);
    let Observation::Source(mut aside) = source_up() else { panic!() };
    aside.same_as = Some("a".into());
    engine.ingest(&batch("b", 30, vec![Observation::Source(aside)]));
    engine.ingest(&batch("b", 40, vec![streams("b")]));
    let snapshot = engine.tick(at(50));
    assert_eq!(ids(&snapshot.sources, |s| s.id.as_str()), ["a"]);
    assert_eq!(ids(&snapshot.channels, |c| c.report.id.as_str()), ["a/ORDERS"]);
    let told: Vec<_> = snapshot.not_watched.iter().map(|n| (&*n.what, &*n.why)).collect();
    assert_eq!(told, [("b", "same cluster and account as a; shown once")], "and not as unconnected");
}

#[test]
fn a_durable_named_after_a_known_service_is_likely_its() {
    let mut engine = engine();
    let clients = vec![client("billing-x", &[]), client("search", &[("deliver.x", None)])];
    engine.ingest(&batch("nats", 0, vec![source_up(), Observation::Clients(all(clients))]));
    let push = ConsumerReport {
        delivery: Delivery::Push { subject: "deliver.x".into(), queue: None, bound: Some(true) },
        ..consumer("nats", "ACCOUNTS", "whatever")
    };
    let users = consumer("nats", "ACCOUNTS", "billing-x-users");
    engine.ingest(&poll(10, &channel("nats", "ACCOUNTS"), &[users, push]));
    let snapshot = engine.tick(at(20));
    let of = |id: &str| snapshot.consumer(&id.into()).unwrap().clone();
    assert_eq!(of("nats/ACCOUNTS/billing-x-users").services[..], ["billing-x".into()]);
    assert!(of("nats/ACCOUNTS/billing-x-users").services_likely);
    // Who listens where it delivers to is seen, whatever the durable is called.
    assert_eq!(of("nats/ACCOUNTS/whatever").services[..], ["search".into()]);
    assert!(!of("nats/ACCOUNTS/whatever").services_likely);
}

#[test]
fn a_listener_on_a_bare_subject_has_a_flow_with_its_rate() {
    let mut engine = engine();
    let subs: &[(&str, Option<&str>)] = &[("prices.changed", Some("search")), ("$SRV.PING", None)];
    let clients = vec![client("search-1", subs), client("prices-1", &[])];
    engine.ingest(&batch("nats", 0, vec![source_up(), Observation::Clients(all(clients))]));
    let key = TrafficKey::Delivered {
        client: Some("search-1".into()),
        subject: "prices.changed".into(),
        queue: Some("search".into()),
    };
    let quiet = engine.tick(at(10));
    assert_eq!(ids(&quiet.flows, |f| f.id.as_str()), ["subject:nats%2Fsubject%3Aprices.changed>search"]);
    assert!(quiet.flows[0].kind_likely, "a plain subject does not tell whether its messages ask");
    assert!(quiet.flows[0].rate.bounds.why_unknown().is_some(), "not counted is not zero");
    let mut batch = batch("nats", 2_000, vec![]);
    batch.traffic.add(key, &counted(20, 0, 0, 2_000));
    engine.ingest(&batch);
    let snapshot = engine.tick(at(2_010));
    let flow = &snapshot.flows[0];
    assert_eq!(flow.id, quiet.flows[0].id, "a flow keeps its id");
    assert_eq!((flow.kind, &flow.rate.bounds), (FlowKind::Event, &Bounds::Exact(10.0)));
    // `prices` is the first word of the subject and a service: likely the sender, and shown so.
    assert_eq!((&flow.from[..], flow.from_likely), (&["prices".into()][..], true));
    assert_eq!(flow.last_seen, Some(at(2_000).wall));
    let row = snapshot.channel(flow.channel.as_ref().unwrap()).unwrap();
    assert_eq!(row.rate.bounds, Bounds::About { value: 10.0, within: None });
    assert_eq!(snapshot.totals.events.bounds, Bounds::About { value: 10.0, within: None });
}

#[test]
fn an_operation_has_rate_errors_and_mean_time() {
    let mut engine = engine();
    let clients = vec![client("accounts-1", &[("accounts.user.get", Some("q"))])];
    let responders = vec![responder("user-service", "accounts.user.get")];
    engine.ingest(&batch(
        "nats",
        0,
        vec![source_up(), Observation::Clients(all(clients)), Observation::Responders(all(responders))],
    ));
    let key = TrafficKey::Answered { responder: "user-service".into(), subject: "accounts.user.get".into() };
    let mut batch = batch("nats", 2_000, vec![]);
    batch.traffic.add(key, &counted(200, 50, 0, 2_000));
    engine.ingest(&batch);
    let snapshot = engine.tick(at(2_010));
    // The program that listens there is called accounts; what it announces itself as is only its title.
    assert_eq!(ids(&snapshot.services, |s| s.id.as_str()), ["accounts"]);
    assert_eq!(ids(&snapshot.flows, |f| f.id.as_str()), ["request:accounts/accounts.user.get"]);
    let flow = &snapshot.flows[0];
    assert_eq!(flow.rate.bounds, Bounds::Exact(100.0));
    assert_eq!(flow.errors_rate.bounds, Bounds::Exact(25.0));
    let delay = flow.delay.as_ref().unwrap();
    assert_eq!((delay.p50, delay.p95, delay.count), (Some(4_000_000), None, 200));
    assert!(flow.to.is_empty(), "who asks is not known");
    assert_eq!(snapshot.totals.requests.bounds, Bounds::Exact(100.0));
    assert_eq!(snapshot.totals.error_share.bounds, Bounds::Exact(0.25));
    assert_eq!(snapshot.totals.events.bounds.why_unknown().map(|w| &**w), Some("nothing counts it"));
}

#[test]
fn likely_owners_are_guesses_and_nobody_is_said_to_keep_a_copy() {
    let mut engine = engine();
    let clients = vec![client("orders-1", &[]), client("billing-1", &[])];
    engine.ingest(&batch("nats", 0, vec![source_up(), Observation::Clients(all(clients))]));
    engine.ingest(&poll(10, &channel("nats", "ORDERS"), &[consumer("nats", "ORDERS", "billing")]));
    let snapshot = engine.tick(at(20));
    let entity = &snapshot.entities[0];
    assert_eq!(entity.id.as_str(), "orders");
    assert_eq!((entity.owners[0].service.as_str(), entity.owners[0].likely), ("orders", true));
    assert!(entity.replicas.is_empty());
    assert_eq!(entity.reactors, ["billing".into()]);
}

#[test]
fn a_mirror_is_a_feed_between_channels_and_no_event_twice() {
    let mut engine = engine();
    let orders = channel("nats", "ORDERS");
    let copy = crate::model::observation::ChannelReport {
        subjects: Vec::new(),
        fed_by: vec![crate::model::observation::FedBy {
            channel: orders.id.clone(),
            how: "mirror".into(),
            lag: Some(0),
            silent_for: None,
        }],
        ..channel("nats", "ORDERS_COPY")
    };
    let list = |ms, n| {
        let both = vec![filled(&orders, n), filled(&copy, n)];
        batch("nats", ms, vec![source_up(), Observation::Channels(all(both))])
    };
    engine.ingest(&list(0, 0));
    engine.ingest(&list(1_000, 30));
    let snapshot = engine.tick(at(1_010));
    let flow = &snapshot.flows[0];
    assert_eq!((flow.kind, &*flow.label), (FlowKind::Feed, "mirror of ORDERS"));
    assert_eq!(flow.rate.bounds, Bounds::Exact(30.0));
    assert_eq!(snapshot.totals.events.bounds, Bounds::Exact(30.0));
    assert_eq!(
        snapshot.totals.feeds.bounds,
        Bounds::Exact(30.0),
        "what the copy takes over is a feed of its own"
    );
}

#[test]
fn consumers_known_by_name_alone_are_shown_as_unknown() {
    let mut engine = engine();
    let legacy = channel("nats", "LEGACY");
    let listing = Observation::Consumers {
        channel: legacy.id.clone(),
        listing: all(Vec::new()),
        missing: vec!["export".into()],
    };
    engine.ingest(&batch("nats", 0, vec![source_up(), Observation::Channels(all(vec![legacy])), listing]));
    let snapshot = engine.tick(at(10));
    let row = snapshot.consumer(&"nats/LEGACY/export".into()).unwrap();
    assert_eq!(row.status, ConsumerStatus::Unknown);
    for known in [row.lag.bounds.low(), row.in_flight.bounds.low(), row.gave_up.bounds.low()] {
        assert_eq!(known, None);
    }
    assert_eq!(row.staleness.bounds.low(), None);
}

#[test]
fn what_is_gone_from_a_complete_list_is_gone() {
    let mut engine = engine();
    let stream = channel("nats", "ORDERS");
    engine.ingest(&batch("nats", 0, vec![source_up()]));
    engine.ingest(&poll(10, &stream, &[consumer("nats", "ORDERS", "a"), consumer("nats", "ORDERS", "b")]));
    assert_eq!(engine.tick(at(20)).consumers.len(), 2);
    engine.ingest(&poll(1_000, &stream, &[consumer("nats", "ORDERS", "b"), consumer("nats", "ORDERS", "c")]));
    let snapshot = engine.tick(at(1_010));
    assert_eq!(ids(&snapshot.consumers, |c| c.id.as_str()), ["nats/ORDERS/b", "nats/ORDERS/c"]);
    assert_eq!(snapshot.flows.len(), 2);
    let told: Vec<&str> = snapshot.changes.iter().map(|c| &*c.text).collect();
    assert_eq!(told[..2], ["consumer ORDERS/a deleted", "consumer ORDERS/c created"]);
    engine.ingest(&batch("nats", 2_000, vec![Observation::Channels(all(Vec::new()))]));
    let snapshot = engine.tick(at(2_010));
    assert!(snapshot.channels.is_empty() && snapshot.consumers.is_empty() && snapshot.flows.is_empty());
}
