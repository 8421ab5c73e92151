//! With a topology: its words, and the numbers of what is observed.

use super::*;
use crate::model::observation::ConsumerReport;
use crate::model::snapshot::{Flow, FlowKind};

pub(super) const STORE: &str = r#"
headwater: 1
system: shop
brokers: [{ id: main, kind: nats, servers: ["nats://127.0.0.1:4222"] }, { id: log, kind: kafka, servers: ["127.0.0.1:9092"] }]
---
service: orders
team: team-orders
owns: [{ entity: Order, store: orders-db, identifier: order_id }]
stores: [{ id: orders-db, kind: relational }]
identity: { nats: { client_name: ["orders-*"] } }
publishes:
  - { event: OrderCreated, broker: main, stream: ORDERS, channel: orders.created, entity: Order }
  - { event: OrderPaid, broker: main, stream: ORDERS, channel: orders.paid, entity: Order }
answers: [{ operation: orders.order.get, protocol: nats, entity: Order }]
calls: [{ service: billing, operation: billing.invoice.get, protocol: nats }]
---
service: billing
team: team-payments
identity: { nats: { client_name: ["billing-*"] } }
stores: [{ id: billing-db, kind: relational }]
copies: [{ entity: Order, store: billing-db, identifier: number, via: OrderCreated, mode: event, max_staleness: 2s }]
consumes:
  - { event: OrderCreated, broker: main, consumer: { stream: ORDERS, durable: billing }, max_delay: 500ms }
answers: [{ operation: billing.invoice.get, protocol: nats }]
---
service: shipping
consumes:
  - { event: OrderCreated, broker: main, consumer: { stream: ORDERS, durable: shipping } }
  - { event: OrderPaid, broker: main, consumer: { stream: ORDERS, durable: shipping } }
calls: [{ service: orders, operation: orders.order.get, protocol: nats }]
"#;

pub(super) fn store() -> Engine {
    let mut engine = engine();
    engine.set_topology(Some(super::super::sample::topology(STORE)), None);
    engine
}

/// A poll of ORDERS on the broker `main` with the given consumers.
pub(super) fn poll_main(
    ms: u64,
    last: u64,
    consumers: &[ConsumerReport],
) -> crate::model::observation::Batch {
    let mut batch = poll(ms, &filled(&channel("main", "ORDERS"), last), consumers);
    batch.source = "main".into();
    batch
}

pub(super) fn orders(name: &str) -> ConsumerReport {
    consumer("main", "ORDERS", name)
}

fn flow<'a>(snapshot: &'a Snapshot, id: &str) -> &'a Arc<Flow> {
    snapshot.flow(&id.into()).unwrap_or_else(|| panic!("{id} is not in {:?}", snapshot.flows))
}

#[test]
fn declared_flows_exist_before_anything_is_seen() {
    let snapshot = store().tick(at(10));
    let ids: Vec<&str> = snapshot.flows.iter().map(|f| f.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "event:OrderCreated>billing",
            "event:OrderCreated>shipping",
            "event:OrderPaid>shipping",
            "request:billing/billing.invoice.get",
            "request:orders/orders.order.get",
        ]
    );
    assert!(snapshot.flows.iter().all(|f| f.declared && f.rate.bounds.why_unknown().is_some()));
    let call = flow(&snapshot, "request:orders/orders.order.get");
    assert_eq!((&*call.from, &*call.to), (&["orders".into()][..], &["shipping".into()][..]));
}

#[test]
fn a_declared_flow_gets_the_numbers_of_its_consumer() {
    let mut engine = store();
    engine.ingest(&batch("main", 0, vec![source_up()]));
    let silent = engine.tick(at(5));
    assert!(flow(&silent, "event:OrderCreated>billing").consumer.is_none());
    for (ms, n) in [(1_000, 100), (2_000, 120)] {
        let reports = [consumed(&orders("billing"), n, 0, 0), consumed(&orders("shipping"), n, 0, 0)];
        engine.ingest(&poll_main(ms, n, &reports));
    }
    let snapshot = engine.tick(at(2_010));
    let own = flow(&snapshot, "event:OrderCreated>billing");
    assert_eq!(own.kind, FlowKind::Event);
    assert_eq!((own.from[0].as_str(), own.from_likely), ("orders", false));
    assert_eq!(own.consumer, Some("main/ORDERS/billing".into()));
    assert_eq!(own.channel, Some("main/ORDERS".into()));
    assert_eq!(own.rate.bounds, Bounds::Exact(20.0));
    assert_eq!(own.bytes_rate.bounds, Bounds::About { value: 2_000.0, within: None });
    // One consumer for two events: each is at most the whole.
    let shared = flow(&snapshot, "event:OrderPaid>shipping");
    assert_eq!(shared.rate.bounds, Bounds::Between { lo: 0.0, hi: 20.0 });
    let row = snapshot.consumer(&"main/ORDERS/billing".into()).unwrap();
    assert_eq!((row.max_delay, &*row.feeds), (Some(Duration::from_millis(500)), &["Order".into()][..]));
    assert!(!row.services_likely);
    assert_eq!(snapshot.totals.events.bounds, Bounds::Exact(20.0), "counted once, where it comes in");
}

#[test]
fn a_copy_has_the_staleness_of_its_consumer() {
    let mut engine = store();
    let before = engine.tick(at(10));
    let replica = |snapshot: &Snapshot| snapshot.entity(&"Order".into()).unwrap().replicas[0].clone();
    assert_eq!(
        replica(&before).staleness.bounds.why_unknown().map(|w| &**w),
        Some("no consumer found that feeds it")
    );
    engine.ingest(&batch("main", 0, vec![source_up()]));
    engine.ingest(&poll_main(1_000, 100, &[consumed(&orders("billing"), 100, 0, 0)]));
    let snapshot = engine.tick(at(1_010));
    let fresh = replica(&snapshot);
    assert_eq!(fresh.staleness.bounds, Bounds::Exact(Duration::ZERO));
    assert_eq!((fresh.behind.bounds, fresh.max_staleness), (Bounds::Exact(0), Some(Duration::from_secs(2))));
    assert_eq!(fresh.consumer, Some("main/ORDERS/billing".into()));
    let entity = snapshot.entity(&"Order".into()).unwrap();
    assert_eq!(entity.reactors, ["shipping".into()]);
    assert_eq!(entity.readers[0].service, "shipping".into());
    assert_eq!(entity.conflicts, ["identified by number in billing; by order_id in orders".into()]);
}

#[test]
fn a_source_without_the_broker_s_name_is_that_broker_when_no_other_can_be() {
    let files = "---\nservice: billing\nconsumes: [{ event: E, broker: main, consumer: { stream: ORDERS, durable: worker } }]\n---\nservice: orders\npublishes: [{ event: E, broker: main, channel: orders.created }]\n";
    let main = r#"{ id: main, kind: nats, servers: ["nats://a:4222"] }"#;
    let other_kind = r#"{ id: log, kind: kafka, servers: ["a:9092"] }"#;
    for (brokers, unwatched) in [(main.to_owned(), 0), (format!("{main}, {other_kind}"), 1)] {
        let mut engine = engine();
        let text = format!("headwater: 1\nbrokers: [{brokers}]\n{files}");
        engine.set_topology(Some(super::super::sample::topology(&text)), None);
        engine.ingest(&batch("nats", 0, vec![source_up()]));
        engine.ingest(&poll(10, &channel("nats", "ORDERS"), &[consumer("nats", "ORDERS", "worker")]));
        let snapshot = engine.tick(at(20));
        let row = snapshot.consumer(&"nats/ORDERS/worker".into()).unwrap();
        assert_eq!((&*row.services, row.services_likely), (&["billing".into()][..], false), "{brokers}");
        assert_eq!(snapshot.not_watched.len(), unwatched, "{:?}", snapshot.not_watched);
    }
}

#[test]
fn brokers_that_nobody_watches_are_named() {
    let mut engine = store();
    engine.ingest(&batch("main", 0, vec![source_up()]));
    let snapshot = engine.tick(at(10));
    let told: Vec<_> = snapshot.not_watched.iter().map(|n| (&*n.what, &*n.why)).collect();
    assert_eq!(told, [("log", "named in the topology; kafka is not watched by this version")]);
}

#[test]
fn a_broker_that_an_edit_renamed_with_its_server_is_not_taken_for_the_one_watched() {
    let mut engine = store();
    engine.ingest(&batch("main", 0, vec![source_up()]));
    let edit = |engine: &mut Engine, text: &str| {
        engine.set_topology(Some(super::super::sample::topology(text)), None);
        let told = engine.tick(at(100)).not_watched.clone();
        told.into_iter().filter(|it| &*it.what == "prod").map(|it| it.why.to_string()).collect::<Vec<_>>()
    };
    let renamed = STORE.replace("id: main", "id: prod").replace("broker: main", "broker: prod");
    assert_eq!(edit(&mut engine, &renamed), Vec::<String>::new(), "the same server by another name");
    let moved = renamed.replace("127.0.0.1:4222", "127.0.0.1:4333");
    assert_eq!(edit(&mut engine, &moved), ["named in the topology, and not connected; still watched: main"]);
}
