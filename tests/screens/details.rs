//! The pane that tells everything of one thing, for each kind of thing.

use headwater::app::{Action, View};

use crate::fixture;
use crate::stage::{Dress, Stage};

/// The pane alone, on a screen that is long enough for all of it.
fn page(view: View, filter: &str, evidence: bool) -> String {
    let mut stage = Stage::new(fixture::bad_day(), view);
    stage.filter(filter).press(&[Action::Top, Action::Open, Action::Open]);
    if evidence {
        stage.press(&[Action::Evidence]);
    }
    stage.text((100, 90), Dress::Default)
}

#[test]
fn a_stalled_consumer() {
    let text = page(View::Consumers, "name:ORDERS/billing", false);
    assert!(text.contains("in flight is at its maximum of 1 000"), "{text}");
    insta::assert_snapshot!("detail-consumer", text);
}

#[test]
fn a_consumer_with_evidence() {
    let text = page(View::Consumers, "name:CATALOG/search", true);
    assert!(text.contains("by $JS.API.CONSUMER.LIST, just now"), "{text}");
    insta::assert_snapshot!("detail-consumer-evidence", text);
}

/// Unknown has its reason beside it.
#[test]
fn a_consumer_that_may_not_be_read() {
    let text = page(View::Consumers, "LEGACY", false);
    let why = "permission denied for $JS.API.CONSUMER.INFO.LEGACY.export";
    assert!(text.lines().any(|line| line.trim_start().starts_with("lag") && line.contains(why)), "{text}");
    insta::assert_snapshot!("detail-consumer-unknown", text);
}

#[test]
fn a_service_that_is_down() {
    insta::assert_snapshot!("detail-service", page(View::Services, "name=accounts", false));
}

#[test]
fn a_flow_that_fails() {
    insta::assert_snapshot!("detail-flow", page(View::Flows, "accounts.user.get", false));
}

#[test]
fn an_entity_with_two_owners() {
    insta::assert_snapshot!("detail-entity-conflict", page(View::Ownership, "name=Address", false));
}

#[test]
fn an_entity_with_copies() {
    insta::assert_snapshot!("detail-entity", page(View::Ownership, "name=User", false));
}

#[test]
fn a_store_that_is_down() {
    // The first cause is the store.
    insta::assert_snapshot!("detail-store", page(View::Overview, "accounts-db", false));
}

/// The pane scrolls to its end and no further.
#[test]
fn the_pane_scrolls() {
    let mut stage = Stage::new(fixture::bad_day(), View::Consumers);
    stage.press(&[Action::Open, Action::Open]);
    stage.text((80, 24), Dress::Default);
    for _ in 0..20 {
        stage.press(&[Action::PageDown]);
        stage.text((80, 24), Dress::Default);
    }
    let end = stage.text((80, 24), Dress::Default);
    assert!(end.contains("nats consumer info ORDERS billing"), "{end}");
}
