//! The view of single messages: who has one, who waits and why, searches, the dialog of the probe level.

use headwater::app::{Action, App, Input, Moment, Options, View};
use headwater::model::id::ChannelId;
use headwater::model::message::{Search, SearchOutcome, SearchReport};

use crate::fixture;
use crate::stage::{Dress, SIZES, Stage};

fn name(what: &str, (width, height): (u16, u16), dress: Dress) -> String {
    let dress = if dress == Dress::Ascii { "-ascii" } else { "" };
    format!("propagation-{what}-{width}x{height}{dress}")
}

/// The message at a place of the list: 0 waits, 1 is known by positions, 2 has converged.
fn chosen(at: usize) -> Stage {
    let mut stage = Stage::new(fixture::followed(), View::Propagation);
    stage.press(&vec![Action::Down; at]);
    stage
}

#[test]
fn messages_in_every_size() {
    for (at, what) in ["waits", "positions", "converged"].into_iter().enumerate() {
        for size in SIZES {
            let text = chosen(at).text(size, Dress::Default);
            assert_eq!(text, chosen(at).text(size, Dress::Mono), "{what} {size:?}");
            insta::assert_snapshot!(name(what, size, Dress::Default), text);
        }
        for size in [(80, 24), (200, 60)] {
            insta::assert_snapshot!(name(what, size, Dress::Ascii), chosen(at).text(size, Dress::Ascii));
        }
    }
}

/// What came of a message stands under the consumer whose doing it is, and that of nobody known at the end.
#[test]
fn a_story_in_every_size() {
    let told = |size, dress| Stage::new(fixture::story(), View::Propagation).text(size, dress);
    for size in SIZES {
        let text = told(size, Dress::Default);
        assert_eq!(text, told(size, Dress::Mono), "{size:?}");
        insta::assert_snapshot!(name("story", size, Dress::Default), text);
    }
    insta::assert_snapshot!(name("story", (120, 40), Dress::Ascii), told((120, 40), Dress::Ascii));
    let text = told((120, 40), Dress::Mono);
    let line = |what: &str| {
        text.lines().position(|line| line.contains(what)).unwrap_or_else(|| panic!("{what}:\n{text}"))
    };
    let order = ["inventory.stock", "shipping.par", " •      notifications", "audit.entry"].map(line);
    assert!(order.is_sorted(), "{order:?}\n{text}");
    assert!(text.contains("3 messages came of it"), "{text}");
    assert!(text.contains("on INVENTORY only before #9011: 500"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}

/// Each has a sign of its own, and a word.
#[test]
fn states_differ_without_colour() {
    let cases = [
        (0, [("billing ", "■", "waiting"), ("inventory ", "·", "acked"), ("search", "•", "in flight")]),
        (
            1,
            [
                ("notifications", "⊘", "gave up"),
                ("orders-pay", "✗", "terminated"),
                ("support", "◌", "unknown"),
            ],
        ),
    ];
    for (at, expected) in cases {
        let text = chosen(at).text((80, 24), Dress::Mono);
        for (name, sign, word) in expected {
            let row = text.lines().find(|l| l.contains(name) && l.contains(word) && !l.contains("have it"));
            let row = row.unwrap_or_else(|| panic!("{name} {word}:\n{text}"));
            assert!(row.trim_start().starts_with(sign), "{row}");
        }
    }
}

/// What was refused, in progress and acknowledged stands on the axis in the order in which it happened.
#[test]
fn a_bar_tells_what_happened() {
    let text = chosen(0).text((120, 40), Dress::Mono);
    let row = |name: &str| text.lines().find(|l| l.contains(name) && !l.contains(':')).unwrap().to_owned();
    let inventory = row("inventory ");
    let places: Vec<usize> = inventory.char_indices().filter(|(_, c)| *c == '✗').map(|(at, _)| at).collect();
    assert_eq!(places.len(), 2, "{inventory}");
    assert!(inventory.trim_end().ends_with(['█', '▏', '▎', '▍', '▌', '▋', '▊', '▉']), "{inventory}");
    assert!(row("analytics").contains('•'), "{}", row("analytics"));
    assert!(row("billing ").trim_end().ends_with('▸'), "{}", row("billing "));
    assert!(row("inventory-releases").contains("its filter orders.cancelled does"), "{text}");
}

/// What waits grows while time goes on, and nothing else moves.
#[test]
fn what_waits_grows() {
    let later = |seconds: u64| {
        let now = fixture::NOW + std::time::Duration::from_secs(seconds);
        let text = Stage::at(fixture::followed(), now, View::Propagation).text((120, 40), Dress::Mono);
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let (now, then) = (later(0), later(30));
    let row = |lines: &[String], name: &str| {
        lines.iter().find(|l| l.contains(name) && !l.contains(": ")).unwrap().clone()
    };
    let length = |line: &str| line.chars().filter(|c| *c == '░').count();
    assert!(length(&row(&then, "billing ")) > length(&row(&now, "billing ")));
    assert!(row(&then, "billing ").contains("42 s…"), "{}", row(&then, "billing "));
    assert_eq!(row(&now, "inventory "), row(&then, "inventory "));
}

#[test]
fn convergence_is_said_and_marked() {
    let text = chosen(2).text((80, 24), Dress::Mono);
    assert!(text.contains("everybody has it 41 ms after it was stored"), "{text}");
    assert!(
        text.contains("everybody has it: 41 ms ┘") || text.contains("└ everybody has it: 41 ms"),
        "{text}"
    );
    assert!(!chosen(0).text((80, 24), Dress::Mono).contains("everybody has it"));
}

/// Beside what it waits for, how long that will take.
#[test]
fn who_waits_is_told_for_how_long() {
    for size in [(80, 24), (200, 60)] {
        let text = chosen(0).text(size, Dress::Mono);
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains("waiting behind 1.2k messages"), "{size:?}:\n{text}");
        assert!(flat.contains("about 1m40 at its present rate"), "{size:?}:\n{text}");
    }
}

#[test]
fn an_empty_view_says_what_to_do() {
    for (what, snapshot) in [
        ("empty", fixture::bad_day()),
        ("empty-acks", {
            let mut snapshot = fixture::followed();
            snapshot.traces = [].into();
            snapshot
        }),
    ] {
        let text = Stage::new(snapshot, View::Propagation).text((80, 24), Dress::Default);
        assert!(text.contains("find user_id=42"), "{text}");
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(flat.contains("p says what listening"), what == "empty", "{text}");
        insta::assert_snapshot!(name(what, (80, 24), Dress::Default), text);
    }
}

/// An application that asked for a user's message on some channels and has these answers.
fn searching(outcomes: &[(&str, SearchOutcome)]) -> Stage {
    let mut stage = Stage::new(fixture::bad_day(), View::Overview);
    stage.app = App::new(Options { utc: true, ..Options::default() });
    let now = Moment { wall: stage.now, mono: std::time::Duration::from_secs(1) };
    stage.press(&[Action::Palette]);
    for letter in "find user_id=42".chars() {
        stage.app.update(Input::Type(letter), &stage.snapshot, now);
    }
    stage.press(&[Action::Accept]);
    let snapshot = std::sync::Arc::make_mut(&mut stage.snapshot);
    let reports = outcomes.iter().map(|(channel, outcome)| SearchReport {
        channel: ChannelId::named(&fixture::parts::nats(), channel),
        search: Search::Field { name: "user_id".into(), value: "42".into() },
        outcome: outcome.clone(),
        looked_at: 250,
        bytes: 120_400,
    });
    snapshot.searches = snapshot.searches.iter().cloned().chain(reports).collect();
    stage.press(&[]);
    let snapshot = std::sync::Arc::clone(&stage.snapshot);
    stage.app.sync(&snapshot, now);
    stage
}

#[test]
fn a_search_says_how_far_it_looked_and_what_it_cost() {
    let outcomes = [
        ("ACCOUNTS", SearchOutcome::NotThere),
        ("BILLING", SearchOutcome::NotThere),
        ("ORDERS", SearchOutcome::NotFrom(183_065)),
        ("SHIPPING", SearchOutcome::Refused("permission denied for $JS.API.STREAM.MSG.GET.SHIPPING".into())),
    ];
    let text = searching(&outcomes).text((80, 24), Dress::Default);
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in [
        "ORDERS: a message with user_id=42 is not among those from #183065 on (250 messages, 120 kB read); n looks further back",
        "SHIPPING: cannot look for a message with user_id=42: permission denied for $JS.API.STREAM.MSG.GET.SHIPPING",
        "looking on CATALOG for a message with user_id=42 0m00",
        "then on INVENTORY",
        "a message with user_id=42 is not on ACCOUNTS, BILLING (500 messages, 241 kB read)",
    ] {
        assert!(flat.contains(said), "{said}:\n{text}");
    }
    assert!(text.lines().last().unwrap().contains("n look further"), "{text}");
    insta::assert_snapshot!(name("searching", (80, 24), Dress::Default), text);
}

/// It never has the keys at the start, and says everything before it does anything.
#[test]
fn the_probe_dialog() {
    for (what, snapshot) in [("probe-acks", fixture::bad_day()), ("probe-passive", fixture::followed())] {
        let mut stage = Stage::new(snapshot, View::Consumers);
        assert_eq!(stage.app.probe(), None);
        for size in [(80, 24), (60, 15)] {
            let text = stage.press(&[Action::Probe]).text(size, Dress::Default);
            assert!(text.contains("enter ") && text.contains("esc leave it as it is"), "{text}");
            insta::assert_snapshot!(name(what, size, Dress::Default), text);
            stage.press(&[Action::Cancel]);
        }
        insta::assert_snapshot!(
            name(what, (80, 24), Dress::Ascii),
            stage.press(&[Action::Probe]).text((80, 24), Dress::Ascii)
        );
    }
}

/// The curve of delays beside its limit; at the level passive, what would give it.
#[test]
fn the_curve_of_a_consumer() {
    let page = |snapshot, dress| {
        let mut stage = Stage::new(snapshot, View::Consumers);
        stage.filter("name:ORDERS/analytics").press(&[Action::Top, Action::Open, Action::Open]);
        stage.text((100, 90), dress)
    };
    let text = page(fixture::followed(), Dress::Default);
    assert!(text.contains("PROCESSED WITHIN") && text.contains("each message's own delay"), "{text}");
    insta::assert_snapshot!("detail-consumer-curve", text);
    insta::assert_snapshot!("detail-consumer-curve-ascii", page(fixture::followed(), Dress::Ascii));
    let text = page(fixture::bad_day(), Dress::Default);
    assert!(!text.contains("PROCESSED WITHIN"), "{text}");
    assert!(text.contains("p listens to acknowledgements"), "{text}");
}
