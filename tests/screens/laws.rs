//! What must hold on every screen, whatever it shows.

use headwater::app::list::ListId;
use headwater::app::{Action, View};
use headwater::model::command::ProbeLevel;
use headwater::model::series::History;
use headwater::model::snapshot::{Origin, Snapshot, Thing};
use headwater::model::time::Mono;
use headwater::ui::widget::text::is_unsafe;
use ratatui::buffer::Buffer;
use ratatui::style::Color;
use unicode_width::UnicodeWidthStr;

use crate::fixture::{self, NOW};
use crate::stage::{DRESSES, Dress, SIZES, Stage};

/// Frames of every view, at every size and in every dress; closed, with the detail pane, and with the pane alone.
fn every_frame(snapshot: &Snapshot, mut check: impl FnMut(&str, Dress, &Buffer)) {
    for view in View::ALL {
        for size in SIZES {
            for dress in DRESSES {
                let mut stage = Stage::new(snapshot.clone(), *view);
                for opened in 0..3 {
                    let what = format!("{view:?} {size:?} {dress:?} opened {opened}");
                    check(&what, dress, &stage.draw(size, dress));
                    stage.press(&[Action::Open]);
                }
            }
        }
    }
}

#[test]
fn nothing_that_steers_a_terminal_is_drawn() {
    every_frame(&fixture::hostile(), |what, _, buffer| {
        for cell in buffer.content() {
            assert!(!cell.symbol().chars().any(is_unsafe), "{what}: {:?}", cell.symbol());
        }
    });
}

/// The safety net under the panels must not be what makes it so: a replaced sign would have no picture of its own.
#[test]
fn hostile_names_are_shown_as_pictures_and_not_lost() {
    let text = Stage::new(fixture::hostile(), View::Services).text((200, 60), Dress::Default);
    for shown in ["␛[31mred", "日本語の注文サービス", "a␊b␉c", "👨‍👩‍👧‍👦-family🎉"]
    {
        assert!(text.contains(shown), "{shown} is missing:\n{text}");
    }
}

/// A wide character is followed by its own second half and never cut at the edge: each row has exactly its width.
#[test]
fn rows_are_as_wide_as_the_screen() {
    every_frame(&fixture::hostile(), |what, _, buffer| {
        let area = *buffer.area();
        for y in area.top()..area.bottom() {
            let mut x = area.left();
            while x < area.right() {
                let symbol = buffer[(x, y)].symbol();
                let wide = symbol.width().max(1) as u16;
                assert!(x + wide <= area.right(), "{what}: {symbol:?} is cut at the edge of row {y}");
                x += wide;
            }
            assert_eq!(x, area.right(), "{what}: row {y}");
        }
    });
}

#[test]
fn mono_has_no_colour() {
    every_frame(&fixture::followed(), |what, dress, buffer| {
        if dress == Dress::Default {
            return;
        }
        for cell in buffer.content() {
            for colour in [cell.fg, cell.bg, cell.underline_color] {
                assert_eq!(colour, Color::Reset, "{what}: {:?}", cell.symbol());
            }
        }
    });
}

/// And the default theme has some: the law above can fail.
#[test]
fn the_default_theme_has_colours() {
    let buffer = Stage::new(fixture::bad_day(), View::Overview).draw((80, 24), Dress::Default);
    assert!(buffer.content().iter().any(|cell| cell.fg != Color::Reset));
}

#[test]
fn ascii_is_ascii() {
    for snapshot in [fixture::bad_day(), fixture::followed(), fixture::hostile()] {
        every_frame(&snapshot, |what, dress, buffer| {
            if dress == Dress::Ascii {
                for cell in buffer.content() {
                    assert!(cell.symbol().is_ascii(), "{what}: {:?}", cell.symbol());
                }
            }
        });
    }
}

/// Every state can be told apart without colour: by its sign.
#[test]
fn states_differ_without_colour() {
    for (dress, signs) in
        [(Dress::Mono, ["■", "⊘", "▲", "◌", "‖", "·"]), (Dress::Ascii, ["#", "G", "^", "?", "P", "."])]
    {
        let text = Stage::new(fixture::bad_day(), View::Consumers).text((120, 40), dress);
        let named = [
            "ORDERS/billing",
            "BILLING/notifications ",
            "CATALOG/search ",
            "LEGACY/export",
            "inventory-releases",
            "SHIPPING/notif",
        ];
        for (sign, name) in signs.into_iter().zip(named) {
            let line =
                text.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{name}:\n{text}"));
            assert!(line.trim_start().starts_with(sign), "{dress:?} {name}: {line}");
        }
    }
}

/// Unknown is never 0.
#[test]
fn unknown_numbers_are_dashes() {
    let text = Stage::new(fixture::bad_day(), View::Consumers).text((80, 24), Dress::Default);
    let line = text.lines().find(|line| line.contains("LEGACY/export")).unwrap();
    assert!(!line.chars().any(|c| c.is_ascii_digit()), "{line}");
}

/// A row keeps its columns when its numbers change.
#[test]
fn numbers_stand_still() {
    let bad = Stage::new(fixture::bad_day(), View::Consumers).text((120, 40), Dress::Default);
    let good = Stage::new(fixture::good_day(), View::Consumers).text((120, 40), Dress::Default);
    let header = |text: &str| text.lines().find(|line| line.contains("in flight")).unwrap().to_owned();
    assert_eq!(header(&bad), header(&good));
    let ends = |text: &str, name: &str| -> Vec<usize> {
        let line = text.lines().find(|line| line.contains(name)).unwrap().to_owned();
        ["in flight", "gave up", "stale"]
            .iter()
            .map(|title| {
                let at = header(text)
                    .find(title)
                    .map(|at| header(text)[..at].chars().count() + title.len())
                    .unwrap();
                // The number ends under the last letter of its title, and a gap follows.
                let chars: Vec<char> = line.chars().collect();
                assert!(chars[at - 1] != ' ', "{title}: {line}");
                assert!(chars.get(at).is_none_or(|c| *c == ' '), "{title}: {line}");
                at
            })
            .collect()
    };
    assert_eq!(ends(&bad, "ORDERS/billing"), ends(&good, "ORDERS/billing"));
}

/// With zero traffic too, every view that has something to show names what was discovered.
#[test]
fn silence_is_no_reason_to_be_empty() {
    let mut snapshot = fixture::discovered();
    let zero = fixture::parts::exact(0.0);
    fixture::store::edit(
        &mut snapshot.flows,
        |_| true,
        |flow| {
            (flow.rate, flow.bytes_rate, flow.history) = (zero.clone(), zero.clone(), History::default());
        },
    );
    fixture::store::edit(
        &mut snapshot.consumers,
        |_| true,
        |consumer| {
            (consumer.delivered_rate, consumer.acked_rate) = (zero.clone(), zero.clone());
        },
    );
    snapshot.watched = std::time::Duration::from_secs(4);
    for (view, name) in [
        (View::Overview, "services"),
        (View::Flows, "billing"),
        (View::Consumers, "ORDERS/billing"),
        (View::Ownership, "Order"),
        (View::Services, "billing"),
    ] {
        let text = Stage::new(snapshot.clone(), view).text((80, 24), Dress::Default);
        assert!(text.contains(name), "{view:?} does not name {name}:\n{text}");
    }
}

/// What is drawn in a row is what a click there selects.
#[test]
fn a_click_selects_the_row_under_it() {
    for (view, list) in [
        (View::Overview, ListId::Causes),
        (View::Flows, ListId::Flows),
        (View::Consumers, ListId::Consumers),
        (View::Ownership, ListId::Entities),
        (View::Services, ListId::Services),
    ] {
        for size in SIZES {
            let mut stage = Stage::new(fixture::bad_day(), view);
            let text = stage.text(size, Dress::Mono);
            let id = stage.app.list(list).rows().get(3).and_then(|row| row.thing.clone()).unwrap();
            let name = match &id {
                Thing::Flow(id) => stage.snapshot.flow(id).unwrap().label.to_string(),
                other => other.as_str().trim_start_matches("nats/").to_owned(),
            };
            let y = text
                .lines()
                .position(|line| line.contains(&name))
                .unwrap_or_else(|| panic!("{name}:\n{text}"));
            stage.click(4, y as u16);
            assert_eq!(stage.app.selected_thing(), Some(&id), "{view:?} {size:?}");
        }
    }
}

/// On a quiet system the keys go to the first panel that has rows, and stay where they were used.
#[test]
fn keys_find_something_on_a_quiet_system() {
    let mut stage = Stage::new(fixture::good_day(), View::Overview);
    assert_eq!(stage.app.current_list(), ListId::Changes);
    stage.press(&[Action::NextPane, Action::Down]);
    assert_eq!(stage.app.current_list(), ListId::Stalest);
    stage.snapshot = std::sync::Arc::new(fixture::bad_day());
    stage.press(&[Action::Down]);
    assert_eq!(stage.app.current_list(), ListId::Stalest, "a first cause must not take the keys away");
    let mut fresh = Stage::new(fixture::bad_day(), View::Overview);
    assert_eq!(fresh.press(&[Action::Down]).app.current_list(), ListId::Causes);
}

/// From 80 columns on, what watching costs the brokers is said whatever else there is to say.
#[test]
fn the_cost_is_always_said() {
    let mut long = fixture::bad_day();
    long.system = Some("online-store-production-eu".into());
    long.watched = std::time::Duration::from_secs(3 * 3600);
    for snapshot in
        [fixture::bad_day(), fixture::good_day(), fixture::discovered(), fixture::disconnected().0, long]
    {
        for view in View::ALL {
            let text = Stage::new(snapshot.clone(), *view).text((80, 24), Dress::Default);
            assert!(text.lines().next().unwrap().contains(" req/s"), "{text}");
        }
    }
}

/// At 80 columns the first line keeps what matters most, whatever else there is to say: whose system, that it is not real, that
/// time stands still, how many services are up, what is listened to, what is lost, and what watching costs.
#[test]
fn what_is_simulated_says_how_to_get_the_real_one_where_there_is_room() {
    let header = |origin, width| {
        let snapshot = Snapshot { origin, ..fixture::good_day() };
        let text = Stage::new(snapshot, View::Flows).text((width, 24), Dress::Default);
        text.lines().next().unwrap().to_owned()
    };
    assert!(header(Origin::Simulated, 200).contains("for real: nats-server on PATH, or --broker URL"));
    assert!(header(Origin::Simulated, 130).contains("real: nats-server on PATH"));
    assert!(!header(Origin::Live, 200).contains("real"));
}

#[test]
fn the_header_keeps_what_matters() {
    let (lost, later) = fixture::disconnected();
    let mut many = fixture::bad_day();
    for id in ["us", "asia", "legacy"] {
        let mut source = (**many.sources.first().unwrap()).clone();
        source.id = id.into();
        many.sources.push(std::sync::Arc::new(source));
    }
    for (what, snapshot, now) in [
        ("good", fixture::good_day(), NOW),
        ("bad", fixture::bad_day(), NOW),
        ("lost", lost, later),
        ("several sources", many, NOW),
    ] {
        for origin in [Origin::Live, Origin::Simulated, Origin::Replayed] {
            for probe in [ProbeLevel::Passive, ProbeLevel::Acks] {
                for paused in [false, true] {
                    let mut snapshot = snapshot.clone();
                    (snapshot.origin, snapshot.probe) = (origin, probe);
                    let busy = fixture::parts::exact(1_234.0);
                    fixture::store::edit(
                        &mut snapshot.sources,
                        |_| true,
                        |source| source.messages_per_s = busy.clone(),
                    );
                    let mut stage = Stage::at(snapshot, now, View::Flows);
                    if paused {
                        stage.press(&[Action::Pause]);
                    }
                    let text = stage.text((80, 24), Dress::Default);
                    let line = text.lines().next().unwrap();
                    let mut parts = vec!["online-store", "/10", "cost ", " req/s"];
                    parts.extend(paused.then_some("‖ PAUSED"));
                    parts.push(if probe == ProbeLevel::Acks { "acks" } else { "passive" });
                    parts.extend((what == "lost").then_some("nats ✖"));
                    match origin {
                        Origin::Live => {}
                        Origin::Simulated => parts.push("SIMULATED"),
                        Origin::Replayed => parts.push("REPLAYED"),
                    }
                    for part in parts {
                        assert!(line.contains(part), "{what} {origin:?} {probe:?}: {part} is not in\n{line}");
                    }
                }
            }
        }
    }
}

/// What the list of services folds is no service anywhere else: Overview counts the same, and a flow to it is a conclusion.
#[test]
fn all_views_count_the_same_services() {
    let mut snapshot = fixture::discovered();
    fixture::store::edit(
        &mut snapshot.flows,
        |flow| flow.to.iter().any(|to| to.as_str() == "billing"),
        |flow| std::sync::Arc::make_mut(&mut flow.route).to = ["billing-old".into()].into(),
    );
    for size in [(80, 24), (200, 60)] {
        let text = |view| Stage::new(snapshot.clone(), view).text(size, Dress::Default);
        let services = text(View::Services);
        assert!(services.contains("3 more, known only by a consumer"), "{services}");
        let overview = text(View::Overview);
        assert!(overview.contains("10 services ·10  "), "{overview}");
        let more = if size.0 == 80 { "3 more only named" } else { "3 more, known only by a consumer" };
        assert!(overview.contains(more), "{overview}");
        let flows = text(View::Flows);
        assert!(flows.contains("~billing-"), "{flows}");
    }
}

/// Few rows leave their room to the detail pane.
#[test]
fn a_short_table_leaves_room_to_the_pane() {
    let begins = |filter: &str| {
        let mut stage = Stage::new(fixture::bad_day(), View::Consumers);
        let text = stage.filter(filter).press(&[Action::Open]).text((80, 24), Dress::Default);
        text.lines()
            .position(|line| line.contains(" consumer ORDERS/billing  ─"))
            .unwrap_or_else(|| panic!("{text}"))
    };
    // Two or three lines of the header, the table's own header, one row.
    assert_eq!(begins("lag>1000"), 5);
    assert!(begins("") > 8);
}

/// Where there is room for every column, the reason of a state is one of them.
#[test]
fn a_very_wide_screen_says_why() {
    let text = Stage::new(fixture::bad_day(), View::Consumers).text((200, 60), Dress::Default);
    let line = text.lines().find(|line| line.contains("ORDERS/billing")).unwrap();
    assert!(line.contains("no acknowledgement"), "{line}");
}

/// The axis of the last minute stands still: what was watched for a shorter time is its right end, in columns of the same width,
/// and what was seen once keeps its distance from now.
#[test]
fn the_last_minute_is_a_minute_from_the_start() {
    for (size, seconds_a_column) in [((80, 24), 4), ((200, 60), 1)] {
        for watched in [8_u64, 20, 40, 59] {
            let mut snapshot = fixture::good_day();
            snapshot.watched = std::time::Duration::from_secs(watched);
            let mut history = History::default();
            for second in 0..=watched {
                history.push(Mono(second * 1_000_000_000), 5.0);
            }
            snapshot.totals.events_history = history;
            let text = Stage::new(snapshot, View::Overview).text(size, Dress::Default);
            let title = text.lines().find(|line| line.contains("last minute")).unwrap();
            let from = title[..title.find("last minute").unwrap()].chars().count();
            let row = text.lines().find(|line| line.contains("─ events")).unwrap();
            let chart: String = row.chars().skip(from).take(60 / seconds_a_column).collect();
            let bars = chart.trim().chars().count();
            let expected = (watched as usize + 1).div_ceil(seconds_a_column);
            assert!(bars == expected || bars == expected + 1, "{size:?} after {watched} s: {bars}\n{text}");
            assert!(!chart.ends_with(' '), "the newest is at the right end:\n{text}");
        }
    }
}

/// Where rows are free, a sentence is read whole: at no size that has room is its end cut off.
#[test]
fn why_a_panel_of_the_overview_is_empty_is_read_whole() {
    const SAID: &str = "sample-topology/ is an example to copy, headwater topology validate DIR checks it";
    /// The words of the left half, whatever lines they stand on.
    fn left(text: &str, width: u16) -> String {
        let half: String = text
            .lines()
            .flat_map(|line| line.chars().take(usize::from(width) * 9 / 20).chain([' ']))
            .collect();
        half.split_whitespace().collect::<Vec<_>>().join(" ")
    }
    let mut undeclared = fixture::discovered();
    undeclared.entities.clear();
    for size in [(160, 46), (160, 60), (200, 40), (200, 60)] {
        let text = Stage::new(undeclared.clone(), View::Overview).text(size, Dress::Default);
        assert!(text.contains("no copy is known"), "{text}");
        assert!(left(&text, size.0).contains(SAID), "{size:?}:\n{text}");
    }
    for what in [fixture::connecting(), fixture::unreachable(), fixture::no_jetstream(), fixture::denied()] {
        for size in [(160, 30), (200, 60)] {
            let text = Stage::new(what.clone(), View::Overview).text(size, Dress::Default);
            assert!(!text.contains('…'), "{size:?}:\n{text}");
        }
    }
}

/// The mark of the order takes no letter of a title.
#[test]
fn titles_are_whole_beside_the_mark_of_the_order() {
    for (key, title) in [("inflight", "in flight"), ("gaveup", "gave up"), ("stale", "stale")] {
        let mut stage = Stage::new(fixture::bad_day(), View::Consumers);
        let at = headwater::app::item::fields(ListId::Consumers)
            .iter()
            .position(|field| field.key == key)
            .unwrap();
        for _ in 0..=at {
            stage.press(&[Action::SortNext]);
        }
        let text = stage.text((80, 24), Dress::Default);
        assert!(text.contains(&format!("{title}▾")), "{key}:\n{text}");
    }
}

/// Names and what is read are known by their beginnings: a name is whole where there is room, and cut at its end where not.
#[test]
fn consumers_have_whole_names() {
    for (width, also) in
        [(80, &["in flight", "gave up", "stale"][..]), (100, &["acked"]), (130, &["reads", "redeliv"])]
    {
        let text = Stage::new(fixture::bad_day(), View::Consumers).text((width, 40), Dress::Default);
        for consumer in &fixture::bad_day().consumers {
            let name = consumer.id.as_str().split_once('/').map_or("", |(_, name)| name);
            assert!(name.width() > 32 || text.contains(name), "{name} at {width}:\n{text}");
        }
        for title in also {
            assert!(text.contains(title), "{title} at {width}:\n{text}");
        }
    }
}

/// The moment a broker is lost its numbers are old and its times stand; what is asked without it goes on.
#[test]
fn a_lost_broker_dims_what_it_told_at_once() {
    let (mut snapshot, _) = fixture::disconnected();
    let now = NOW + std::time::Duration::from_secs(6);
    snapshot.taken_at = now;
    let theme_dims = |cell: &ratatui::buffer::Cell| cell.modifier.contains(ratatui::style::Modifier::DIM);
    for (view, name) in [(View::Consumers, "ORDERS/shipping"), (View::Flows, "catalog")] {
        let buffer = Stage::at(snapshot.clone(), now, view).draw((130, 40), Dress::Mono);
        let text = headwater::ui::to_text(&buffer);
        let (y, line) = text.lines().enumerate().skip(4).find(|(_, line)| line.contains(name)).unwrap();
        let digits: Vec<u16> = (0..130)
            .filter(|x| buffer[(*x, y as u16)].symbol().chars().all(|c| c.is_ascii_digit()))
            .collect();
        assert!(!digits.is_empty(), "{line}");
        for x in digits {
            assert!(theme_dims(&buffer[(x, y as u16)]), "column {x} of {line}");
        }
    }
    let since = |after: u64| {
        let text = Stage::at(snapshot.clone(), NOW + std::time::Duration::from_secs(after), View::Consumers)
            .text((200, 60), Dress::Mono);
        text.lines().find(|line| line.contains("ORDERS/billing")).unwrap().to_owned()
    };
    assert_eq!(since(6), since(35), "how long it has been so is not known any more");
}

/// Who is known by connections alone is up as long as somebody looks at them; who answers checks, also afterwards.
#[test]
fn a_service_without_a_check_is_as_it_was_when_its_broker_was_lost() {
    let (mut snapshot, _) = fixture::disconnected();
    let (with, without) = ("billing", "search");
    for service in &mut snapshot.services {
        let service = std::sync::Arc::make_mut(service);
        match service.id.as_str() {
            id if id == without => service.health.clear(),
            id if id == with => assert!(!service.health.is_empty()),
            _ => {}
        }
    }
    // The line below the list says how the selected one fares, and since when.
    let line = |after: u64, name: &str| {
        let now = NOW + std::time::Duration::from_secs(after);
        let mut stage = Stage::at(snapshot.clone(), now, View::Services);
        let text = stage.filter(name).text((120, 40), Dress::Mono);
        let line = text.lines().rfind(|line| line.contains(name) && line.contains(": ")).unwrap_or_default();
        assert!(!line.is_empty(), "{text}");
        line.to_owned()
    };
    assert_eq!(line(6, without), line(65, without));
    assert_ne!(line(6, with), line(65, with));
}

/// Nothing is said to have been quiet for longer than anybody looked: after a loss nothing but the header counts on.
#[test]
fn nothing_grows_quiet_while_nobody_looks() {
    let (snapshot, _) = fixture::disconnected();
    for (view, from) in [
        (View::Overview, "STALEST"),
        (View::Flows, "channel"),
        (View::Ownership, "entity"),
        (View::Consumers, "reads"),
    ] {
        let below = |after: u64| {
            let now = NOW + std::time::Duration::from_secs(after);
            let text = Stage::at(snapshot.clone(), now, view).text((160, 50), Dress::Mono);
            text.lines().skip_while(|line| !line.contains(from)).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(below(3), below(90), "{view:?}");
    }
}
