//! The pane that tells everything of one thing, for each kind of thing.

use std::sync::Arc;
use std::time::Duration;

use headwater::app::{Action, View};
use headwater::model::calls::{Asked, Asker, CallTally};
use headwater::model::histogram::{Histogram, Quantile};
use headwater::model::id::ServiceId;
use headwater::model::measured::Measured;
use headwater::model::observation::{HealthState, Span};
use headwater::model::snapshot::{Consumer, Delay, DelayMethod, Processing, Service};
use headwater::model::time::Mono;

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

#[test]
fn what_a_service_takes_of_its_own_has_a_line_of_its_own() {
    let mut snapshot = fixture::bad_day();
    let mine = |row: &Consumer| row.id.as_str() == "nats/CATALOG/search";
    fixture::store::edit(&mut snapshot.consumers, mine, |row| {
        let ms = |n: i64| Some(n * 1_000_000);
        let times = Processing { p50: ms(12), p95: ms(40), p99: ms(55), max: ms(90), sampled: 1_234 };
        row.processing = Measured::exact(times, row.lag.at, "sampled by the broker, sample_freq 100");
    });
    let mut stage = Stage::new(snapshot, View::Consumers);
    stage.filter("name:CATALOG/search").press(&[Action::Top, Action::Open, Action::Open]);
    let text = stage.text((100, 90), Dress::Default);
    let at = text.lines().position(|line| line.trim_start().starts_with("takes")).unwrap();
    let told: Vec<&str> = text.lines().skip(at).take(3).map(str::trim).collect();
    assert!(told[0].ends_with("p50 12 ms  p95 40 ms  p99 55 ms  max 90 ms of its own"), "{told:?}");
    let how = "from the last delivery to the acknowledgement, 1.2k sampled by the broker, sample_freq 100";
    assert_eq!(told[1..].join(" "), how);
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

/// Who asks, how often, how long it takes, and what is not answered.
#[test]
fn a_request_whose_answers_are_heard() {
    let mut snapshot = fixture::bad_day();
    fixture::store::edit(
        &mut snapshot.flows,
        |flow| &*flow.label == "accounts.user.get",
        |flow| {
            let tally = |ms: &[i64], failed: u64, unanswered: u64, unfollowed: u64| {
                let mut times = Histogram::default();
                ms.iter().for_each(|ms| times.record(ms * 1_000_000));
                let span = Span { from: Mono(0), to: Mono(58_000_000_000) };
                let error = Duration::from_micros(300);
                CallTally { answered: times.count(), times, error, failed, unanswered, unfollowed, span }
            };
            let asker = |name: Option<&str>, services: &[&str], rate: f64, tally: CallTally| {
                let figure = |q| tally.times.quantile(q).map(Quantile::middle);
                let delay = (!tally.times.is_empty()).then(|| Delay {
                    p50: figure(0.5),
                    p95: figure(0.95),
                    p99: figure(0.99),
                    max: tally.times.max(),
                    count: tally.answered,
                    method: DelayMethod::Exact,
                    error: Some(tally.error),
                    errors: None,
                    negative: 0,
                    left_out: false,
                });
                let services = services.iter().map(|id| ServiceId::from(*id)).collect();
                Asker { name: name.map(Into::into), services, rate, delay, tally }
            };
            let web = tally(&[4, 5, 5, 6, 7, 9, 40], 2, 1, 0);
            let by = [
                asker(Some("web-1"), &["web"], 12.4, web.clone()),
                asker(
                    Some("\u{1b}[31m混雑した長い名前のサービス-20240115T101112"),
                    &[],
                    3.0,
                    tally(&[6], 0, 0, 12),
                ),
                asker(None, &[], 0.2, tally(&[], 0, 3, 0)),
            ];
            let mut all = web;
            by.iter().skip(1).for_each(|one| all.merge(&one.tally));
            flow.asked = Some(Arc::new(Asked { by: by.into(), all }));
        },
    );
    let mut stage = Stage::new(snapshot, View::Flows);
    stage.filter("accounts.user.get").press(&[Action::Top, Action::Open, Action::Open]);
    insta::assert_snapshot!("detail-flow-asked", stage.text((100, 90), Dress::Default));
    insta::assert_snapshot!("detail-flow-asked-narrow", stage.text((60, 60), Dress::Mono));
}

#[test]
fn a_flow_with_the_senders_of_its_channel() {
    let mut stage = Stage::new(fixture::heard::heard(), View::Flows);
    stage.filter("OrderPaid").press(&[Action::Top, Action::Open, Action::Open]);
    insta::assert_snapshot!("detail-flow-senders", stage.text((100, 60), Dress::Default));
    insta::assert_snapshot!("detail-flow-senders-narrow", stage.text((60, 60), Dress::Mono));
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

/// A check that reaches nobody says nothing of its service, unless the service is gone from the broker too.
#[test]
fn the_words_of_a_check_fit_the_verdict() {
    let words = |state: HealthState| {
        let mut snapshot = fixture::bad_day();
        let mine = |service: &Service| service.id.as_str() == "accounts";
        fixture::store::edit(&mut snapshot.services, mine, |service| {
            service.state = state;
            service.health[0].state = HealthState::Unreachable;
        });
        let mut stage = Stage::new(snapshot, View::Services);
        stage.filter("name=accounts").press(&[Action::Open, Action::Open]);
        stage.text((110, 40), Dress::Default)
    };
    let (alone, together) = ("which says nothing of the service itself", "together they say that it is down");
    let text = words(HealthState::Unreachable);
    assert!(text.contains(alone) && !text.contains(together), "{text}");
    let text = words(HealthState::Down);
    assert!(text.contains(together) && !text.contains(alone), "{text}");
}

#[test]
fn a_position_that_never_moved_has_no_time() {
    let mut snapshot = fixture::bad_day();
    let mine = |row: &Consumer| row.id.as_str() == "nats/ORDERS/billing";
    fixture::store::edit(&mut snapshot.consumers, mine, |row| {
        std::sync::Arc::make_mut(row.report.as_mut().unwrap()).floor.as_mut().unwrap().channel_seq = 0;
    });
    let mut stage = Stage::new(snapshot, View::Consumers);
    stage.filter("name:ORDERS/billing").press(&[Action::Open, Action::Open]);
    let text = stage.text((100, 90), Dress::Default);
    let line = text.lines().find(|line| line.trim_start().starts_with("processed to")).unwrap();
    assert!(line.trim_end().ends_with("nothing yet"), "{line}");
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
