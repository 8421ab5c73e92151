//! The selection stays on its thing.

use std::sync::Arc;

use headwater::app::list::ListId;
use headwater::app::{Detail, View};
use headwater::model::measured::{Bounds, Measured};
use headwater::model::snapshot::{Consumer, ConsumerStatus, Thing};

use crate::desk::Desk;
use crate::fixture::NOW;

/// Changes one consumer.
fn edit(desk: &mut Desk, id: &str, change: impl FnOnce(&mut Consumer)) {
    desk.change(|snapshot| {
        let row = snapshot.consumers.iter_mut().find(|row| row.id.as_str() == id).unwrap();
        change(Arc::make_mut(row));
    });
}

#[test]
fn it_moves_and_stops_at_the_ends() {
    let mut desk = Desk::start();
    desk.keys("3");
    let rows = desk.rows(ListId::Consumers);
    assert_eq!(desk.selected(), rows[0]);
    assert_eq!(desk.keys("j down").selected(), rows[2]);
    assert_eq!(desk.keys("k k k k").selected(), rows[0]);
    assert_eq!(desk.keys("G").selected(), rows[rows.len() - 1]);
    assert_eq!(desk.keys("j").selected(), rows[rows.len() - 1]);
    assert_eq!(desk.keys("g").selected(), rows[0]);
    // A page is what is seen, less one row to keep the place.
    let page = desk.keys("pgdn").app.list(ListId::Consumers).selected_index().unwrap();
    assert!((10..20).contains(&page), "{page}");
    assert_eq!(desk.keys("pgup").selected(), rows[0]);
}

#[test]
fn it_stays_on_its_thing_when_rows_move() {
    let mut desk = Desk::start();
    desk.keys("3 j j j j j");
    let chosen = desk.selected().to_owned();
    let last = desk.rows(ListId::Consumers).pop().unwrap();
    // The last row becomes the worst of all.
    edit(&mut desk, &last, |row| row.status = ConsumerStatus::Stopped);
    assert_eq!(desk.rows(ListId::Consumers).pop().unwrap(), last, "rows do not jump");
    desk.wait(3.1);
    assert_eq!(desk.rows(ListId::Consumers)[0], last, "what stays so for a while is taken");
    assert_eq!(desk.selected(), chosen);
}

#[test]
fn when_its_thing_vanishes_the_neighbour_has_it() {
    let mut desk = Desk::start();
    desk.keys("3 j j");
    let rows = desk.rows(ListId::Consumers);
    desk.change(|snapshot| snapshot.consumers.retain(|row| row.id.as_str() != rows[2]));
    assert_eq!(desk.selected(), rows[3]);
    desk.keys("G");
    let rows = desk.rows(ListId::Consumers);
    desk.change(|snapshot| snapshot.consumers.retain(|row| row.id.as_str() != rows[rows.len() - 1]));
    assert_eq!(desk.selected(), rows[rows.len() - 2]);
    desk.change(|snapshot| snapshot.consumers.clear());
    assert_eq!(desk.selected(), "");
    assert_eq!(desk.keys("enter").said(), "nothing is selected that could be opened");
}

#[test]
fn every_view_keeps_its_own() {
    let mut desk = Desk::start();
    let consumer = desk.keys("3 j j").selected().to_owned();
    let service = desk.keys("5 j").selected().to_owned();
    assert_eq!(desk.keys("3").selected(), consumer);
    assert_eq!(desk.keys("5").selected(), service);
    assert_eq!(desk.app.view(), View::Services);
}

#[test]
fn sorting_is_taken_at_once_and_unknown_is_last() {
    let mut desk = Desk::start();
    desk.keys("3");
    let id = desk.rows(ListId::Consumers)[4].clone();
    edit(&mut desk, &id, |row| row.lag.bounds = Bounds::unknown("permission denied"));
    // state, name, reads, service, lag
    desk.keys("s s s s s");
    let sort = desk.app.list(ListId::Consumers).sort().unwrap();
    assert_eq!((sort.key, sort.descending), ("lag", true));
    let lag = |desk: &Desk, id: &str| {
        desk.snapshot.consumers.iter().find(|row| row.id.as_str() == id).unwrap().lag.low().copied()
    };
    let lags: Vec<_> = desk.rows(ListId::Consumers).iter().map(|id| lag(&desk, id)).collect();
    let mut expected = lags.clone();
    expected.sort_by_key(|lag| std::cmp::Reverse(*lag));
    assert_eq!(lags, expected);
    assert_eq!(lags.last().unwrap(), &None);
    desk.keys("S");
    let lags: Vec<_> = desk.rows(ListId::Consumers).iter().map(|id| lag(&desk, id)).collect();
    assert_eq!(lags.last().unwrap(), &None, "unknown is last whichever way");
    assert!(lags[0].unwrap() <= lags[1].unwrap());
    // After the last field comes the opening order again.
    let mut presses = 0;
    while desk.app.list(ListId::Consumers).sort().is_some() {
        desk.keys("s");
        presses += 1;
        assert!(presses < 40);
    }
    assert_eq!(desk.keys("1 s").said(), "this list has one order: what needs a person first");
}

#[test]
fn detail_opens_beside_then_full_and_closes_in_steps() {
    let mut desk = Desk::start();
    desk.keys("3 enter");
    assert_eq!(desk.app.detail(), Detail::Beside);
    let first = desk.selected().to_owned();
    assert!(desk.draw().contains(first.trim_start_matches("nats/")));
    // It follows the selection.
    desk.keys("j");
    assert_ne!(desk.selected(), first);
    assert_eq!(desk.app.opened().unwrap().thing.as_ref().unwrap().as_str(), desk.selected());
    // With the keys in the pane, they scroll it and the selection stays.
    let second = desk.selected().to_owned();
    desk.keys("tab j j");
    assert!(desk.app.detail_focused());
    assert_eq!(desk.app.detail_scroll(), 2);
    assert_eq!(desk.selected(), second);
    desk.keys("G");
    let end = desk.app.detail_scroll();
    assert_eq!(desk.keys("j pgdn").app.detail_scroll(), end, "scrolling stops at the end");
    desk.keys("enter");
    assert_eq!(desk.app.detail(), Detail::Full);
    desk.keys("esc");
    assert_eq!(desk.app.detail(), Detail::Beside);
    desk.keys("esc");
    assert_eq!(desk.app.detail(), Detail::Closed);
    assert_eq!(desk.keys("esc").selected(), second, "nothing more to leave, and nothing said");
}

#[test]
fn tab_goes_round_the_panes() {
    let mut desk = Desk::start();
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(desk.app.current_list());
        desk.keys("tab");
    }
    assert_eq!(seen, View::Overview.lists());
    assert_eq!(desk.app.current_list(), ListId::Causes);
    assert_eq!(desk.keys("shift-tab").app.current_list(), ListId::Busiest);
    assert_eq!(desk.keys("5 tab").said(), "this view has one pane");
}

/// Adds a cause above all others, as the engine does when something worse begins.
fn worse(desk: &mut Desk, name: &str) {
    desk.change(|snapshot| {
        let mut cause = snapshot.causes[0].clone();
        cause.thing = Thing::Service(name.into());
        cause.name = name.into();
        cause.effects.clear();
        snapshot.causes.insert(0, cause);
    });
}

#[test]
fn what_nobody_selected_is_the_top_row_and_the_worst_stays_in_view() {
    let mut desk = Desk::start();
    for n in 0..12 {
        worse(&mut desk, &format!("worse-{n}"));
    }
    assert_eq!(desk.selected(), "worse-11");
    let drawn = desk.draw();
    assert!(drawn.contains("✖ worse-11"), "{drawn}");
    // A thing that the person moved to is followed, also to where it must be scrolled.
    desk.keys("j");
    assert_eq!(desk.selected(), "worse-10");
    for n in 12..24 {
        worse(&mut desk, &format!("worse-{n}"));
    }
    assert_eq!(desk.selected(), "worse-10");
    // When nothing needs a person there is nothing left of the choice.
    let before = desk.snapshot.causes.clone();
    desk.change(|snapshot| snapshot.causes.clear());
    desk.change(|snapshot| snapshot.causes = before);
    worse(&mut desk, "worst");
    assert_eq!(desk.selected(), "worst");
}

#[test]
fn what_is_open_is_held() {
    let mut desk = Desk::start();
    let opened = desk.selected().to_owned();
    desk.keys("enter");
    worse(&mut desk, "worse");
    assert_eq!((desk.selected(), desk.app.detail()), (opened.as_str(), Detail::Beside));
}

/// Before the rates are known, the order of the flows means nothing: it follows them as soon as they are, and then has patience.
#[test]
fn the_busiest_flow_is_first_as_soon_as_its_rate_is_known() {
    fn rate(desk: &mut Desk, at: usize, value: Option<f64>) {
        desk.change(|snapshot| {
            let row = Arc::make_mut(&mut snapshot.flows[at]);
            row.rate = value.map_or_else(
                || Measured::unknown("known by one poll only", NOW),
                |value| Measured::exact(value, NOW, "test"),
            );
        });
    }
    let mut desk = Desk::start();
    desk.change(|snapshot| {
        for flow in &mut snapshot.flows {
            Arc::make_mut(flow).rate = Measured::unknown("known by one poll only", NOW);
        }
    });
    // The view is come to before anything is known.
    desk.keys("2 1").wait(4.0);
    let count = desk.snapshot.flows.len();
    assert_eq!(desk.rows(ListId::Busiest).len(), count);
    let id = |desk: &Desk, at: usize| desk.snapshot.flows[at].id.as_str().to_owned();
    for at in 0..count {
        rate(&mut desk, at, Some(at as f64 + 1.0));
    }
    assert_eq!(desk.rows(ListId::Busiest)[0], id(&desk, count - 1), "known, and at once in its place");
    // From here on it moves like every list.
    rate(&mut desk, 0, Some(9_999.0));
    assert_eq!(desk.rows(ListId::Busiest)[0], id(&desk, count - 1), "rows do not jump");
    desk.wait(3.1);
    assert_eq!(desk.rows(ListId::Busiest)[0], id(&desk, 0));
    // A rate that is lost and comes back is no reason to jump.
    rate(&mut desk, 1, None);
    rate(&mut desk, 1, Some(99_999.0));
    assert_eq!(desk.rows(ListId::Busiest)[0], id(&desk, 0));
    desk.wait(3.1);
    assert_eq!(desk.rows(ListId::Busiest)[0], id(&desk, 1));
}

/// Chance makes rates of few messages go up and down, and an error now and then is no news: neither is a reason to move.
#[test]
fn flows_stand_still_while_nothing_really_changes() {
    fn numbers(desk: &mut Desk, rates: &[f64], errors: &[f64]) {
        desk.change(|snapshot| {
            for ((flow, rate), errors) in snapshot.flows.iter_mut().zip(rates).zip(errors) {
                let row = Arc::make_mut(flow);
                row.rate = Measured::exact(*rate, NOW, "test");
                row.errors_rate = Measured::exact(*errors, NOW, "test");
            }
        });
    }
    let mut desk = Desk::start();
    let count = desk.snapshot.flows.len();
    let steady: Vec<f64> = (0..count).map(|at| 100.0 - at as f64 * 3.0).collect();
    let none = vec![0.0; count];
    numbers(&mut desk, &steady, &none);
    desk.keys("2").wait(1.0);
    let before = desk.rows(ListId::Flows);
    for second in 0..40 {
        // Each goes up and down by up to a fifth, slowly enough for the patience of a row to end.
        let phase = |at: usize| if (second / 5 + at).is_multiple_of(2) { 1.1 } else { 0.9 };
        let rates: Vec<f64> = steady.iter().enumerate().map(|(at, rate)| rate * phase(at)).collect();
        let mut errors = none.clone();
        errors[second % count] = 0.2;
        numbers(&mut desk, &rates, &errors);
        desk.wait(1.0);
        assert_eq!(desk.rows(ListId::Flows), before, "second {second}");
    }
    // What goes on failing comes to the top, and what has really become busy moves.
    let id = |desk: &Desk, at: usize| desk.snapshot.flows[at].id.as_str().to_owned();
    let mut errors = none.clone();
    errors[count - 1] = steady[count - 1] / 3.0;
    let mut rates = steady.clone();
    rates[count - 2] = 500.0;
    numbers(&mut desk, &rates, &errors);
    assert_eq!(desk.rows(ListId::Flows), before, "not at once");
    desk.wait(3.1);
    assert_eq!(desk.rows(ListId::Flows)[..2], [id(&desk, count - 1), id(&desk, count - 2)]);
}

/// Of a rate that is only bounded the upper end counts: it may be the busiest of all.
#[test]
fn a_bounded_rate_is_not_the_smallest() {
    let mut desk = Desk::start();
    desk.change(|snapshot| {
        for (at, flow) in snapshot.flows.iter_mut().enumerate() {
            let row = Arc::make_mut(flow);
            let bounds =
                if at == 1 { Bounds::between(0.0, 39.0) } else { Bounds::About { value: 0.5, within: None } };
            row.rate = Measured::new(bounds, NOW, "test");
            row.errors_rate = Measured::exact(0.0, NOW, "test");
        }
    });
    desk.keys("2");
    assert_eq!(desk.rows(ListId::Flows)[0], desk.snapshot.flows[1].id.as_str());
}
