//! One filter language for every view.

use headwater::app::list::ListId;

use crate::desk::Desk;

fn consumers(filter: &str) -> Vec<String> {
    let mut desk = Desk::start();
    desk.keys(&format!("3 / '{} enter", filter.replace(' ', "_")));
    assert_eq!(desk.app.filter_error(), None, "{filter}");
    desk.rows(ListId::Consumers)
}

/// What a filter leaves must be what a plain loop over the snapshot finds.
fn expected(test: impl Fn(&headwater::model::snapshot::Consumer) -> bool) -> Vec<String> {
    let desk = Desk::start();
    let mut rows: Vec<_> = desk
        .snapshot
        .consumers
        .iter()
        .filter(|row| test(row))
        .map(|row| row.id.as_str().to_owned())
        .collect();
    rows.sort();
    assert!(
        !rows.is_empty() && rows.len() < desk.snapshot.consumers.len(),
        "the example must tell something"
    );
    rows
}

fn sorted(mut rows: Vec<String>) -> Vec<String> {
    rows.sort();
    rows
}

#[test]
fn words_fields_numbers_and_not() {
    assert_eq!(sorted(consumers("BILLING")), {
        let named = |row: &headwater::model::snapshot::Consumer| {
            row.id.as_str().to_lowercase().contains("billing")
                || row.channel.as_str().to_lowercase().contains("billing")
                || row.services.iter().any(|id| id.as_str().contains("billing"))
                || row.feeds.iter().any(|id| id.as_str().to_lowercase().contains("billing"))
        };
        expected(named)
    });
    assert_eq!(sorted(consumers("lag>100")), expected(|row| row.lag.low().is_some_and(|lag| *lag > 100)));
    assert_eq!(
        sorted(consumers("state:stalled")),
        expected(|row| row.status == headwater::model::snapshot::ConsumerStatus::Stalled)
    );
    assert_eq!(
        sorted(consumers("-lag>100")),
        expected(|row| row.lag.low().is_none_or(|lag| *lag <= 100)),
        "what is unknown is not more than 100"
    );
    assert_eq!(
        sorted(consumers("service=billing lag<=100")),
        expected(|row| row.services.iter().any(|id| id.as_str() == "billing")
            && row.lag.low().is_some_and(|lag| *lag <= 100))
    );
    assert_eq!(
        sorted(consumers("stale>2s")),
        expected(|row| row
            .staleness
            .bounds
            .high()
            .or(row.staleness.low())
            .is_some_and(|stale| stale.as_secs_f64() > 2.0))
    );
}

#[test]
fn team_comes_from_the_service() {
    let rows = sorted(consumers("team:payments"));
    let desk = Desk::start();
    let snapshot = &desk.snapshot;
    assert_eq!(
        rows,
        expected(|row| row.services.iter().any(|id| {
            let team = snapshot.service(id).and_then(|service| service.team.clone());
            team.is_some_and(|team| team.as_str().contains("payments"))
        }))
    );
}

#[test]
fn it_is_applied_while_it_is_typed_and_says_what_it_hides() {
    let mut desk = Desk::start();
    desk.keys("3 / 'lag>10");
    let all = desk.snapshot.consumers.len();
    let left = desk.rows(ListId::Consumers).len();
    assert!(left < all);
    assert!(desk.footer().contains(&format!("hides {} of {all} consumers", all - left)), "{}", desk.footer());
    desk.keys("enter");
    assert!(desk.draw().contains(&format!("/ hides {}  lag>10", all - left)), "{}", desk.draw());
    // Esc in the view clears it.
    assert_eq!(desk.keys("esc").rows(ListId::Consumers).len(), all);
}

#[test]
fn esc_while_typing_brings_back_what_was_before() {
    let mut desk = Desk::start();
    desk.keys("3 / 'billing enter");
    let rows = desk.rows(ListId::Consumers);
    desk.keys("/ ctrl-u 'search");
    assert_ne!(desk.rows(ListId::Consumers), rows);
    desk.keys("esc");
    assert_eq!(desk.rows(ListId::Consumers), rows);
    assert_eq!(desk.app.filter_text(), "billing");
}

#[test]
fn a_mistake_is_said_and_hides_nothing() {
    let mut desk = Desk::start();
    desk.keys("3 / 'lgg>100");
    assert_eq!(desk.rows(ListId::Consumers).len(), desk.snapshot.consumers.len());
    assert!(desk.footer().contains("there is no field `lgg` here; did you mean `lag`?"), "{}", desk.footer());
    // The line stays with what is wrong until it is mended.
    desk.keys("enter");
    assert!(desk.footer().contains("did you mean `lag`?"), "{}", desk.footer());
    desk.keys("home delete delete delete 'lag enter");
    assert_eq!(desk.app.filter_text(), "lag>100");
    assert!(desk.draw().contains("/ hides"), "{}", desk.draw());
}

#[test]
fn the_arrows_walk_through_what_is_left_while_typing() {
    let mut desk = Desk::start();
    desk.keys("3 / 'billing down");
    assert_eq!(desk.selected(), desk.rows(ListId::Consumers)[1]);
    assert_eq!(desk.app.filter_text(), "billing");
}

#[test]
fn a_cause_stays_with_what_follows_from_it() {
    let mut desk = Desk::start();
    let effect = desk.snapshot.causes.iter().find(|cause| !cause.effects.is_empty()).unwrap().clone();
    let word = effect.effects[0].thing.as_str().to_owned();
    desk.keys(&format!("/ '{word} enter"));
    assert!(desk.rows(ListId::Causes).contains(&effect.thing.as_str().to_owned()));
}
