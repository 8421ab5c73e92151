//! The plan of the sample, held against what its files say.

use super::*;

fn plan() -> Plan {
    Plan::of(&crate::demo::sample::load().topology.unwrap(), "main")
}

fn service(id: &str) -> ServicePlan {
    plan().services.remove(id).unwrap()
}

#[test]
fn streams_capture_what_is_published_to_them_and_no_request() {
    let plan = plan();
    let names: Vec<&str> = plan.streams.keys().map(|name| &**name).collect();
    assert_eq!(names, ["ACCOUNTS", "BILLING", "CATALOG", "INVENTORY", "ORDERS", "SHIPPING"]);
    let orders: Vec<&str> = plan.streams["ORDERS"].iter().map(|name| &**name).collect();
    assert_eq!(orders, ["orders.cancelled", "orders.created", "orders.paid"]);
    let captured: BTreeSet<&Name> = plan.streams.values().flatten().collect();
    let asked = plan.services.values().flat_map(|s| &s.answers).map(|operation| &operation.subject);
    assert!(asked.into_iter().all(|subject| !captured.contains(subject)));
}

#[test]
fn consumers_of_one_durable_are_one_with_several_filters() {
    let plan = plan();
    let analytics =
        plan.consumers.iter().find(|c| &*c.name == "analytics" && &*c.stream == "ORDERS").unwrap();
    assert_eq!(analytics.filters.len(), 3);
    let push =
        plan.consumers.iter().find(|c| &*c.name == "notifications" && &*c.stream == "BILLING").unwrap();
    assert_eq!(
        (push.deliver_subject.as_deref(), push.queue.as_deref()),
        (Some("deliver.notifications.invoices"), Some("notifications"))
    );
    assert_eq!(plan.consumer_names().count(), 22);
    let known: BTreeSet<&Name> = plan.streams.keys().collect();
    for consumer in &plan.consumers {
        assert!(known.contains(&consumer.stream), "{}", consumer.stream);
        assert!(consumer.filters.is_subset(&plan.streams[&consumer.stream]), "{}", consumer.name);
    }
}

#[test]
fn who_shares_its_work_runs_twice() {
    let plan = plan();
    let twice: Vec<&str> =
        plan.services.values().filter(|s| s.instances == 2).map(|s| s.id.as_str()).collect();
    assert_eq!(twice, ["analytics", "notifications"]);
}

#[test]
fn every_event_follows_from_something_or_is_sent_by_itself() {
    let alone: Vec<String> = plan()
        .services
        .values()
        .flat_map(|s| s.by_itself.iter().map(move |what| format!("{} {what}", s.id)))
        .collect();
    assert_eq!(
        alone,
        [
            "accounts UserRegistered",
            "accounts user.profile",
            "catalog PriceChanged",
            "catalog product.catalog",
            "inventory stock.level",
            "shipping ParcelDelivered",
        ]
    );
    let orders = service("orders");
    assert_eq!(orders.answers[0].leads_to, ["OrderCreated".into()]);
}

#[test]
fn the_chain_without_time_outs_is_as_declared() {
    let gateway = service("gateway");
    let place = gateway.calls.iter().find(|c| &*c.operation == "orders.order.place").unwrap();
    let orders = service("orders");
    let billing = service("billing");
    let authorize = &orders.answers[0].calls[0];
    let user = &billing.answers[0].calls[0];
    assert_eq!((&*authorize.subject, &*user.subject), ("billing.payment.authorize", "accounts.user.get"));
    assert_eq!([place.timeout, authorize.timeout, user.timeout], [None; 3]);
    assert_eq!(gateway.calls[0].timeout, Some(Duration::from_millis(100)));
    assert!(orders.calls.is_empty() && orders.answers[1].calls.is_empty());
}

#[test]
fn health_answers_where_the_topology_says() {
    let billing = service("billing");
    assert_eq!((&*billing.health[0].name, &*billing.health[0].path), ("ready", "/health"));
    let applied = &billing.health[0].applied[0];
    assert_eq!((applied.0.as_str(), &*applied.1), ("User", "/feeds/user/version"));
    let read = billing.reads.iter().find(|r| r.subjects.contains_key("accounts.user.changed")).unwrap();
    assert_eq!(read.subjects["accounts.user.changed"].entity, Some(EntityId::from("User")));
}
