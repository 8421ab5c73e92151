//! Pictures of every view, kept and compared.

use std::time::Duration;

use headwater::app::{Action, View};
use headwater::model::snapshot::ConsumerStatus;

use crate::fixture;
use crate::fixture::parts::{ago, exact};
use crate::fixture::store::edit;
use crate::stage::{DRESSES, Dress, SIZES, Stage};

/// The name of a picture's file: view, size and dress; the dress only where it is not the default.
fn name(what: &str, (width, height): (u16, u16), dress: Dress) -> String {
    let dress = match dress {
        Dress::Default => "",
        Dress::Mono => "-mono",
        Dress::Ascii => "-ascii",
    };
    format!("{what}-{width}x{height}{dress}")
}

fn every_size(view: View) {
    for size in SIZES {
        let mut stage = Stage::new(fixture::bad_day(), view);
        let default = stage.text(size, Dress::Default);
        // Colours are no part of the text: without them the same signs stand in the same places.
        assert_eq!(default, stage.text(size, Dress::Mono), "{view:?} {size:?}");
        insta::assert_snapshot!(name(view.name(), size, Dress::Default), default);
        insta::assert_snapshot!(name(view.name(), size, Dress::Ascii), stage.text(size, Dress::Ascii));
    }
}

#[test]
fn overview() {
    every_size(View::Overview);
}

#[test]
fn flows() {
    every_size(View::Flows);
}

#[test]
fn consumers() {
    every_size(View::Consumers);
}

#[test]
fn ownership() {
    every_size(View::Ownership);
}

#[test]
fn services() {
    every_size(View::Services);
}

/// Nothing needs a person: what was checked is said, and nothing else asks for attention.
#[test]
fn a_good_day_is_quiet() {
    for size in [(80, 24), (200, 60)] {
        let text = Stage::new(fixture::good_day(), View::Overview).text(size, Dress::Default);
        assert!(text.contains("nothing needs a person"), "{text}");
        for sign in ["▲", "■", "✖", "⊘", "!"] {
            assert!(!text.contains(sign), "{sign} on a good day:\n{text}");
        }
        insta::assert_snapshot!(name("overview-good", size, Dress::Default), text);
    }
}

/// A look that is too short to judge a backlog is not a good day.
#[test]
fn what_is_not_judged_yet_is_said() {
    let mut snapshot = fixture::good_day();
    edit(
        &mut snapshot.consumers,
        |c| &*c.name == "billing",
        |c| {
            c.status = ConsumerStatus::Unknown;
            c.lag = exact(43_000);
            c.staleness = exact(Duration::from_secs(965));
        },
    );
    let text = Stage::new(snapshot, View::Overview).text((200, 60), Dress::Default);
    let said = "◌ 1 consumer is not judged yet: ORDERS/billing, 43k messages waiting, oldest 16m05";
    assert!(text.contains(said), "{text}");
    assert!(!text.contains("nothing needs a person"), "{text}");
}

/// Nothing waits for the copies of an owner that has been silent: that they are 0 s behind is only half of it.
#[test]
fn copies_of_a_silent_owner_are_quiet() {
    let mut snapshot = fixture::good_day();
    for entity in &mut snapshot.entities {
        let entity = std::sync::Arc::make_mut(entity);
        entity.last_change = Some(ago(134));
        for replica in &mut entity.replicas {
            replica.staleness = exact(Duration::ZERO);
        }
    }
    let text = Stage::new(snapshot, View::Overview).text((200, 60), Dress::Default);
    assert!(text.contains("0 s quiet 2m14"), "{text}");
}

#[test]
fn without_topology() {
    for view in View::ALL {
        let text = Stage::new(fixture::discovered(), *view).text((80, 24), Dress::Default);
        insta::assert_snapshot!(name(&format!("{}-discovered", view.name()), (80, 24), Dress::Default), text);
    }
}

/// The last good values stay, dimmed, with their age.
#[test]
fn disconnected() {
    for view in [View::Overview, View::Consumers] {
        let (snapshot, now) = fixture::disconnected();
        let text = Stage::at(snapshot, now, view).text((80, 24), Dress::Default);
        assert!(text.contains("4.1k"), "the last good values are gone:\n{text}");
        assert!(text.contains("2m00 old"), "nothing says how old the values are:\n{text}");
        insta::assert_snapshot!(
            name(&format!("{}-disconnected", view.name()), (80, 24), Dress::Default),
            text
        );
    }
}

/// A lost source is told on one line: the reason once, and how old its numbers are.
#[test]
fn a_lost_source_is_told_once() {
    let (snapshot, now) = fixture::disconnected();
    let text = Stage::at(snapshot, now, View::Consumers).text((80, 24), Dress::Default);
    assert!(text.contains("nats lost: connection refused (127.0.0.1:4222); numbers are 2m00 old"), "{text}");
    assert_eq!(text.matches("connection refused").count(), 1, "{text}");
    assert!(text.contains("NOT watched: kafka"), "{text}");
}

/// Where a topology file is wrong, and why, is read at the usual size, and that there is more.
#[test]
fn a_fault_in_the_topology_is_read_whole() {
    let mut snapshot = fixture::good_day();
    let problem = "services/billing.yaml:12:5: error: unknown field `onws`; did you mean `owns`?";
    snapshot.topology.as_mut().unwrap().problems = vec![problem.into(), "x".into(), "y".into()];
    let text = Stage::new(snapshot.clone(), View::Flows).text((80, 24), Dress::Default);
    assert!(text.contains("topology not taken: services/billing.yaml:12:5 and 2 more"), "{text}");
    assert!(text.contains("\n   unknown field `onws`; did you mean `owns`?"), "{text}");
    let text = Stage::new(snapshot.clone(), View::Flows).text((60, 15), Dress::Default);
    assert!(text.contains("topology not taken: services/billing.yaml:12:5… and 2 more"), "{text}");
    let state = snapshot.topology.as_mut().unwrap();
    (state.problems, state.warnings) = (Vec::new(), vec!["a.yaml:1:1: warning: odd".into()]);
    let text = Stage::new(snapshot, View::Flows).text((80, 24), Dress::Default);
    assert!(text.contains(" topology: a.yaml:1:1: odd"), "a warning keeps nothing from being taken:\n{text}");
}

/// Every empty view says why.
#[test]
fn empty_views_speak() {
    let cases = [
        ("connecting", fixture::connecting()),
        ("unreachable", fixture::unreachable()),
        ("no-jetstream", fixture::no_jetstream()),
        ("denied", fixture::denied()),
    ];
    for (what, snapshot) in cases {
        for view in View::ALL {
            let text = Stage::new(snapshot.clone(), *view).text((80, 24), Dress::Default);
            insta::assert_snapshot!(name(&format!("{}-{what}", view.name()), (80, 24), Dress::Default), text);
        }
    }
}

#[test]
fn a_filter_that_hides_everything_says_so() {
    let mut stage = Stage::new(fixture::bad_day(), View::Consumers);
    let text = stage.filter("nothing-is-called-so").text((80, 24), Dress::Default);
    assert!(text.contains("hides all 21 consumers"), "{text}");
}

/// When not all services fit, the domain of the chosen column is open and the others are folded.
#[test]
fn the_matrix_folds_domains() {
    let mut stage = Stage::new(fixture::bad_day(), View::Ownership);
    let text = stage.text((80, 24), Dress::Default);
    assert!(text.contains("catalog") && text.contains("▸fulfilment 2"), "{text}");
    let text = stage.press(&[Action::Right; 7]).text((80, 24), Dress::Default);
    assert!(text.contains("▸commerce 5") && text.contains("inventory"), "{text}");
    insta::assert_snapshot!("ownership-folded-80x24", text);
    // Folded or not, nothing of a row is lost: the copy that is late is seen in its domain's cell.
    let row = text.lines().find(|line| line.contains("! User")).unwrap();
    assert!(row.contains("●~2.1s▲"), "{row}");
}

/// All combinations are drawn without a panic, also below the smallest size.
#[test]
fn any_size_is_survived() {
    for (width, height) in
        [(1, 1), (20, 5), (59, 14), (60, 15), (61, 15), (75, 17), (149, 20), (151, 30), (250, 70)]
    {
        for dress in DRESSES {
            for view in View::ALL {
                let mut stage = Stage::new(fixture::bad_day(), *view);
                stage.text((width, height), dress);
                stage.press(&[Action::Open, Action::Evidence]).text((width, height), dress);
                stage.press(&[Action::Open]).text((width, height), dress);
            }
        }
    }
}
