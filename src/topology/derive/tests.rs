//! Endings of runtime names, by a table of real shapes and by laws.

use proptest::prelude::*;

use super::*;

/// Runtime name, the service it belongs to, and by which rules; rules from the last ending on.
const SERVICES: &[(&str, &str, &[&str])] = &[
    // Kubernetes.
    ("cart-7f9d-k2p", "cart", &["pod of a deployment"]),
    ("orders-7d4b9c6f5d-x2x9z", "orders", &["pod of a deployment"]),
    ("orders-api-7d4b9c6f5d-xkcdq", "orders-api", &["pod of a deployment"]),
    ("payment-gateway-f8c49bd77-2wv8k", "payment-gateway", &["pod of a deployment"]),
    ("web-88c", "web", &["short hash"]),
    ("orders-7d4b9c6f5d", "orders", &["short hash"]),
    ("ledger-3", "ledger", &["ordinal, process id or time"]),
    ("ledger-0", "ledger", &["ordinal, process id or time"]),
    ("fluentd-x2x9z", "fluentd", &["pod of a daemon set or job"]),
    ("backup-28374650-x8k2p", "backup", &["pod of a daemon set or job", "ordinal, process id or time"]),
    ("billing.shop.svc.cluster.local", "billing", &["cluster domain"]),
    // Containers, processes, machines.
    ("store_billing_1", "store_billing", &["ordinal, process id or time"]),
    ("web.1", "web", &["ordinal, process id or time"]),
    ("billing.1.x3k2mzq81lwp0dnv5t7rcy4ab", "billing", &["random id", "ordinal, process id or time"]),
    ("billing-3f2a9c81d0e4", "billing", &["hexadecimal id"]),
    ("billing-4711", "billing", &["ordinal, process id or time"]),
    ("billing:4711", "billing", &["ordinal, process id or time"]),
    ("billing-host-4711", "billing", &["named instance"]),
    ("billing-host01-4711", "billing", &["ordinal, process id or time", "named instance"]),
    ("billing-node3", "billing", &["named instance"]),
    ("billing@ip-10-0-3-17", "billing", &["host"]),
    ("billing@worker-7:4711", "billing", &["host"]),
    ("billing-10.0.3.17", "billing", &["address"]),
    ("billing-ip-10-0-3-17", "billing", &["address"]),
    ("billing (pid 4711)", "billing", &["remark"]),
    ("billing [2]", "billing", &["remark"]),
    ("orders#2", "orders", &["ordinal, process id or time"]),
    // Ids.
    ("billing-550e8400-e29b-41d4-a716-446655440000", "billing", &["UUID"]),
    ("billing_550E8400-E29B-41D4-A716-446655440000", "billing", &["UUID"]),
    ("billing-550e8400e29b41d4a716446655440000", "billing", &["hexadecimal id"]),
    ("billing-V1StGXR8Z5jdHi6BmyT8Qb", "billing", &["random id"]),
    ("billing-01ARZ3NDEKTSV4RRFFQ69G5FAV", "billing", &["random id"]),
    // Versions.
    ("billing-v2", "billing", &["version"]),
    ("billing@1.4.2", "billing", &["version"]),
    ("billing@10.0.3.17", "billing", &["host"]),
    ("billing-1.4.2", "billing", &["version"]),
    ("billing/1.4.2", "billing", &["version"]),
    ("billing-v1.4.2-rc1", "billing", &["version"]),
    ("billing-2.0.1-SNAPSHOT", "billing", &["version"]),
    ("billing v2.1", "billing", &["version"]),
    ("billing-v2-7d4b9c6f5d-x2x9z", "billing", &["pod of a deployment", "version"]),
    // Names that only look odd stay.
    ("s3-sync", "s3-sync", &[]),
    ("http2-proxy", "http2-proxy", &[]),
    ("proxy-http2", "proxy-http2", &[]),
    ("auth0-bridge", "auth0-bridge", &[]),
    ("bridge-auth0", "bridge-auth0", &[]),
    ("k8s-agent", "k8s-agent", &[]),
    ("agent-k8s", "agent-k8s", &[]),
    ("web-api", "web-api", &[]),
    ("order-db", "order-db", &[]),
    ("store-db2", "store-db2", &[]),
    ("video-mp4", "video-mp4", &[]),
    ("video-4k", "video-4k", &[]),
    ("errors-5xx", "errors-5xx", &[]),
    ("proxy-https", "proxy-https", &[]),
    ("shop-b2b2c", "shop-b2b2c", &[]),
    ("sync-pgsql", "sync-pgsql", &[]),
    ("mqtt5", "mqtt5", &[]),
    ("log4j", "log4j", &[]),
    ("report-2024", "report-2024", &[]),
    ("mail-worker", "mail-worker", &[]),
    ("face-decade", "face-decade", &[]),
    ("pattern-facade1", "pattern-facade1", &[]),
    ("com.acme.billing", "com.acme.billing", &[]),
    ("@acme/billing", "@acme/billing", &[]),
    ("Rechnung-Größe", "Rechnung-Größe", &[]),
    ("注文", "注文", &[]),
    ("billing", "billing", &[]),
    ("  billing  ", "billing", &[]),
    ("billing\u{2000}@7", "billing", &["host"]),
    ("billing-", "billing", &["sign without a part"]),
];

#[test]
fn shapes_of_the_real_world() {
    assert!(SERVICES.len() >= 30);
    for (raw, service, rules) in SERVICES {
        let derived = derive(NameKind::NatsClientName, raw);
        assert_eq!(derived.who, Who::Service, "{raw}");
        assert_eq!(&*derived.name, *service, "{raw}");
        assert_eq!(derived.steps.iter().map(|s| s.rule).collect::<Vec<_>>(), *rules, "{raw}");
        let taken: String = derived.steps.iter().rev().map(|s| &*s.removed).collect();
        assert_eq!(format!("{}{taken}", derived.name), raw.trim(), "what was taken off is said in full");
    }
}

#[test]
fn tools_are_no_services() {
    for (raw, tool) in [
        ("NATS CLI Version 0.1.5", "NATS CLI"),
        ("NATS CLI Version development", "NATS CLI"),
        ("nats-box", "nats-box"),
        ("nats-box-7d4b9c6f5d-x2x9z", "nats-box"),
        ("nats-top", "nats-top"),
        ("NATS-Surveyor", "nats-surveyor"),
        ("headwater", "headwater"),
        ("headwater 0.1.0", "headwater"),
    ] {
        let derived = derive(NameKind::NatsClientName, raw);
        assert_eq!((derived.who, &*derived.name), (Who::Tool, tool), "{raw}");
    }
    assert_eq!(derive(NameKind::NatsClientName, "nats-boxes").who, Who::Service);
    assert_eq!(derive(NameKind::NatsClientName, "headwaters").who, Who::Service);
}

#[test]
fn an_id_alone_says_nobody() {
    for raw in [
        "",
        " ",
        "550e8400-e29b-41d4-a716-446655440000",
        "3f2a9c81d0e4",
        "7d4b9c6f5d-x2x9z",
        "V1StGXR8Z5jdHi6BmyT8Qb",
        "4711",
        "4711@build-host",
        "10.0.3.17",
        "ip-10-0-3-17",
        "ip-10-0-3-17.ec2.internal",
        "---",
        "_INBOX.V1StGXR8Z5jdHi6BmyT8Qb",
    ] {
        let derived = derive(NameKind::NatsClientName, raw);
        assert_eq!(derived.who, Who::Nobody, "{raw}: {derived:?}");
        assert_eq!(derived.name.is_empty(), raw.is_empty());
    }
}

#[test]
fn words_for_the_thing_go_only_where_they_name_it() {
    for (raw, service) in [
        ("billing-consumer", "billing"),
        ("billing_durable", "billing"),
        ("billing-consumer-v2", "billing"),
        ("billing-consumer-group", "billing"),
        ("consumer", "consumer"),
        ("billing-worker", "billing-worker"),
    ] {
        assert_eq!(&*derive(NameKind::NatsDurable, raw).name, service, "{raw}");
        assert_eq!(&*derive(NameKind::NatsQueue, raw).name, service, "{raw}");
    }
    assert_eq!(&*derive(NameKind::NatsClientName, "billing-consumer").name, "billing-consumer");
}

#[test]
fn names_that_a_service_gives_itself_are_taken_as_they_are() {
    assert_eq!(&*derive(NameKind::NatsMicro, "billing-v2").name, "billing-v2");
    assert_eq!(&*derive(NameKind::OtelServiceName, "ledger-3").name, "ledger-3");
}

#[test]
fn users_that_everybody_has_say_nobody() {
    assert_eq!(derive(NameKind::NatsUser, "admin").who, Who::Nobody);
    assert_eq!(
        derive(NameKind::NatsUser, &format!("U{}", "A2".repeat(28).get(..55).unwrap_or(""))).who,
        Who::Nobody
    );
    assert_eq!(&*derive(NameKind::NatsUser, "billing").name, "billing");
    assert_eq!(derive(NameKind::NatsClientName, "admin").who, Who::Service);
}

#[test]
fn the_evidence_says_what_was_taken_off() {
    let raw = "billing-v2-7d4b9c6f5d-x2x9z";
    assert_eq!(
        derive(NameKind::NatsClientName, raw).rule(NameKind::NatsClientName, raw),
        "client name \"billing-v2-7d4b9c6f5d-x2x9z\" without pod of a deployment \"-7d4b9c6f5d-x2x9z\", version \"-v2\""
    );
}

fn kinds() -> impl Strategy<Value = NameKind> {
    prop_oneof![
        Just(NameKind::NatsClientName),
        Just(NameKind::NatsDurable),
        Just(NameKind::NatsQueue),
        Just(NameKind::NatsMicro),
        Just(NameKind::NatsUser),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn deriving_twice_changes_nothing(kind in kinds(), raw in "([a-z]{1,8}|[0-9bcdf]{1,10}|v?[0-9.]{1,6}|host|consumer|group|rc1|svc|[A-Za-z0-9]{16,22}|ip)([-_.:@/# ]([a-z]{1,8}|[0-9bcdf]{1,10}|v?[0-9.]{1,6}|host|consumer|group|rc1|svc|[A-Za-z0-9]{16,22}|ip)?){0,6}") {
        let once = derive(kind, &raw);
        let twice = derive(kind, &once.name);
        prop_assert_eq!(&twice.name, &once.name);
        prop_assert_eq!(twice.who, once.who);
        prop_assert!(twice.steps.is_empty(), "{:?}", twice);
        prop_assert!(!once.name.is_empty());
    }

    #[test]
    fn any_name_ends(kind in kinds(), raw in any::<String>()) {
        let once = derive(kind, &raw);
        prop_assert_eq!(once.name.is_empty(), raw.is_empty());
        prop_assert_eq!(&derive(kind, &once.name).name, &once.name);
    }
}
