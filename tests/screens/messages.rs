//! The view of messages: what was heard and what is in it, how listening goes, the dialog of one channel.

use headwater::app::{Action, View};
use headwater::model::id::ChannelId;
use headwater::model::observation::ChannelKind;
use headwater::model::snapshot::Snapshot;
use headwater::model::tap::TapState;
use headwater::ui::widget::text::is_unsafe;

use crate::fixture;
use crate::fixture::heard::{orders, tap};
use crate::fixture::parts::nats;
use crate::stage::{Dress, SIZES, Stage};

fn name(what: &str, (width, height): (u16, u16), dress: Dress) -> String {
    let dress = if dress == Dress::Ascii { "-ascii" } else { "" };
    format!("messages-{what}-{width}x{height}{dress}")
}

fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn messages_in_every_size() {
    for size in SIZES {
        let mut stage = Stage::new(fixture::heard(), View::Messages);
        let text = stage.text(size, Dress::Default);
        assert_eq!(text, stage.text(size, Dress::Mono), "{size:?}");
        insta::assert_snapshot!(name("list", size, Dress::Default), text);
    }
    for size in [(80, 24), (200, 60)] {
        let text = Stage::new(fixture::heard(), View::Messages).text(size, Dress::Ascii);
        insta::assert_snapshot!(name("list", size, Dress::Ascii), text);
    }
}

/// Each form of a payload on a page of its own.
#[test]
fn what_is_in_a_message() {
    let page = |subject: &str| {
        let mut stage = Stage::new(fixture::heard(), View::Messages);
        stage.filter(&format!("subject={subject}"));
        stage.press(&[Action::Top, Action::Open, Action::Open]);
        stage
    };
    for (what, subject, said) in [
        ("json", "orders.created", "\"price\": 1.0e1"),
        ("xml", "orders.invoiced", "    <line sku=\"tea-7\"/>"),
        ("text", "orders.note", "Please ring twice."),
        ("binary", "orders.image", "000010  "),
        ("broken", "orders.broken", "it begins like JSON and is none: invalid number at line 1 column"),
        ("cut", "orders.exported", "… 12 kB more not shown"),
        ("withheld", "orders.card", "what is in it is not shown: card is declared sensitive"),
        ("empty", "orders.ping", "it has no payload"),
    ] {
        let text = page(subject).text((80, 40), Dress::Default);
        assert!(text.contains(said), "{what}: {said}\n{text}");
        insta::assert_snapshot!(name(what, (80, 40), Dress::Default), text);
    }
    let json = page("orders.created").text((80, 40), Dress::Default);
    assert!(json.contains("taken out, since it is declared sensitive: iban"), "{json}");
    let mut stage = Stage::new(fixture::heard(), View::Messages);
    for size in [(80, 24), (200, 60)] {
        let text = stage.press(&[Action::Open]).text(size, Dress::Default);
        insta::assert_snapshot!(name("beside", size, Dress::Default), text);
        stage.press(&[Action::Back]);
    }
    let narrow = page("orders.image").text((60, 24), Dress::Default);
    assert!(narrow.contains("000008  "), "eight bytes on a line:\n{narrow}");
}

/// However many headers a message has: from 24 lines on what is in it is seen beside the list.
#[test]
fn headers_leave_room_for_what_is_in_a_message() {
    let mut snapshot = fixture::heard();
    let mut newest = snapshot.heard.last().unwrap().as_ref().clone();
    newest.headers = (0..40).map(|n| (format!("X-{n}").into(), "long ".repeat(40).into())).collect();
    snapshot.heard = [newest.into()].into();
    let mut stage = Stage::new(snapshot, View::Messages);
    stage.press(&[Action::Open]);
    for size in SIZES.into_iter().filter(|size| size.1 >= 24) {
        let text = stage.text(size, Dress::Default);
        assert!(
            text.contains("order_id\": \"o-4711") && text.contains("more, enter shows all"),
            "{size:?}\n{text}"
        );
    }
    let text = stage.press(&[Action::Open]).text((200, 120), Dress::Default);
    assert!(text.contains(" X-39  long long") && !text.contains("shows all"), "{text}");
}

/// A subject that a topology names is known like a stream is, and keeps nothing: who sends on it with a reply address asks.
#[test]
fn a_request_on_a_subject_that_is_declared_asks_for_an_answer() {
    let mut snapshot = fixture::heard();
    let get = ChannelId::subject(&nats(), "accounts.user.get");
    let mut channel = snapshot.channels.first().unwrap().as_ref().clone();
    channel.report.id = get.clone();
    channel.report.kind = ChannelKind::Subject;
    snapshot.channels.push(channel.into());
    snapshot.channels.sort_by(|a, b| a.report.id.cmp(&b.report.id));
    let mut stage = Stage::new(snapshot, View::Messages);
    stage.filter("subject=accounts.user.get");
    let text = stage.press(&[Action::Top]).text((80, 24), Dress::Default);
    assert!(text.contains("╌"), "{text}");
    let text = stage.press(&[Action::Open, Action::Open]).text((80, 24), Dress::Default);
    assert!(flat(&text).contains("asks ╌ it wants an answer"), "{text}");
}

/// The safety net under the panels is not what makes it so: pictures of control characters stand where they were.
#[test]
fn a_hostile_message_is_read_and_does_nothing() {
    let mut stage = Stage::new(fixture::heard(), View::Messages);
    stage.press(&[Action::Bottom, Action::Open, Action::Open]);
    for dress in [Dress::Default, Dress::Ascii] {
        let buffer = stage.draw((100, 40), dress);
        assert!(!buffer.content().iter().any(|cell| cell.symbol().chars().any(is_unsafe)));
    }
    let text = stage.text((100, 40), Dress::Default);
    for shown in [
        "␛[2J␛]52;c;ZXZpbA==␇ gnp\u{fffd}exe",
        "zero\u{fffd}width    日本語\u{fffd}31m",
        "X-␛[31m",
        "evil␛[31m",
    ] {
        assert!(text.contains(shown), "{shown}:\n{text}");
    }
    insta::assert_snapshot!(name("hostile", (100, 40), Dress::Default), text);
}

/// By whom and how that is known, on asking.
#[test]
fn who_sent_it_and_by_what_that_is_known() {
    let mut stage = Stage::new(fixture::heard(), View::Messages);
    let text = stage.press(&[Action::Open, Action::Open]).text((80, 40), Dress::Default);
    assert!(!text.contains("known by"), "{text}");
    let text = stage.press(&[Action::Evidence]).text((80, 40), Dress::Default);
    assert!(
        flat(&text).contains("publisher orders-1 known by its reply inbox is of the connection"),
        "{text}"
    );
    let mut stage = Stage::new(fixture::heard(), View::Messages);
    stage.press(&[Action::Down, Action::Open, Action::Open]);
    let text = stage.text((80, 40), Dress::Default);
    assert!(flat(&text).contains("publisher – it has no reply address"), "{text}");
}

/// What was left out, what was lost, and why a channel is not listened to stand above the messages.
#[test]
fn how_listening_goes_is_said() {
    let text = Stage::new(fixture::heard(), View::Messages).text((120, 40), Dress::Default);
    let said = flat(&text);
    for part in [
        "· ORDERS listening 0m42 orders.> 1 204 heard, 1 in 6 shown, 0 lost",
        "✖ LEGACY refused 0m42 permission denied for a subscription to legacy.>",
        "(:tap LEGACY asks for it again)",
        "ended 0m42 nobody else is connected who answers on it 31 heard, 2 lost",
    ] {
        assert!(said.contains(part), "{part}:\n{text}");
    }
    assert!(text.lines().next().unwrap().contains(" tap "), "{text}");
}

fn with_taps(states: &[(TapState, &str)]) -> Snapshot {
    let mut snapshot = fixture::heard();
    snapshot.heard = [].into();
    let taps = states.iter().map(|(state, why)| tap(&orders(), &["orders.>"], *state, why));
    snapshot.taps = taps.map(std::sync::Arc::new).collect();
    snapshot
}

#[test]
fn an_empty_view_says_why() {
    let denied = "permission denied for a subscription to orders.>";
    for (what, snapshot, parts) in [
        (
            "none",
            fixture::bad_day(),
            &[
                "no channel is listened to: choose one",
                "f on a consumer, a flow or a copy",
                ": tap ACCOUNTS",
                "the level is passive: listening to a channel raises it to tap",
            ][..],
        ),
        (
            "quiet",
            with_taps(&[(TapState::Listening, "")]),
            &["nothing was heard on ORDERS (orders.>) since 15:03:18, 42 s ago; usually"],
        ),
        (
            "asked",
            with_taps(&[(TapState::Asked, "")]),
            &["asked to listen to ORDERS; nothing is told of it yet"],
        ),
        (
            "refused",
            with_taps(&[(TapState::Refused, denied)]),
            &[denied, "no channel is listened to any more; why stands above"],
        ),
    ] {
        let text = Stage::new(snapshot, View::Messages).text((80, 24), Dress::Default);
        for part in parts {
            assert!(flat(&text).contains(part), "{what}: {part}\n{text}");
        }
        insta::assert_snapshot!(name(what, (80, 24), Dress::Default), text);
    }
    let mut stage = Stage::new(fixture::heard(), View::Messages);
    let text = stage.filter("text:nothing-has-this").text((80, 24), Dress::Default);
    assert!(text.contains("hides all 10 messages"), "{text}");
}

/// It says everything before it does anything.
#[test]
fn the_dialog_of_a_channel() {
    let ask = |snapshot: Snapshot, view: View, filter: &str| {
        let mut stage = Stage::new(snapshot, view);
        stage.filter(filter).press(&[Action::Top, Action::Listen]);
        stage
    };
    for (what, mut stage, parts) in [
        (
            "stream",
            ask(fixture::bad_day(), View::Consumers, "name:ORDERS/billing"),
            &[
                "listen to the messages of ORDERS?",
                "a copy of each message: 54/s now, 28 kB/s",
                "if the stream is deleted",
                "goes from passive to tap; that also listens to acknowledgements",
            ][..],
        ),
        (
            "request",
            ask(fixture::followed(), View::Flows, "accounts.user.get"),
            &[
                "subscribes to accounts.user.get as",
                "only while another subscriber is connected",
                "goes from acks to tap",
            ],
        ),
        (
            "stop",
            ask(fixture::heard(), View::Messages, "text:o-4711"),
            &["stop listening to ORDERS?", "enter stop listening"],
        ),
    ] {
        for size in [(80, 24), (60, 15)] {
            let text = stage.text(size, Dress::Default);
            for part in parts.iter().filter(|_| size.0 == 80) {
                assert!(flat(&text.replace('│', " ")).contains(part), "{what}: {part}\n{text}");
            }
            assert!(text.contains("esc leave it as it is"), "{text}");
            insta::assert_snapshot!(name(&format!("dialog-{what}"), size, Dress::Default), text);
        }
    }
    let mut stage = Stage::new(fixture::heard(), View::Consumers);
    let text = stage.press(&[Action::Probe]).text((80, 24), Dress::Default);
    assert!(flat(&text).contains("ends listening to the messages of one channel ends too"), "{text}");
}

/// A channel alone needs no column for its name.
#[test]
fn one_channel_has_no_column_of_its_own() {
    let mut snapshot = fixture::heard();
    let get = ChannelId::subject(&nats(), "accounts.user.get");
    snapshot.taps = snapshot.taps.iter().filter(|tap| tap.channel == orders()).cloned().collect();
    snapshot.heard = snapshot.heard.iter().filter(|message| message.channel != get).cloned().collect();
    let text = Stage::new(snapshot, View::Messages).text((80, 24), Dress::Default);
    assert!(!text.contains("channel"), "{text}");
    insta::assert_snapshot!(name("one-channel", (80, 24), Dress::Default), text);
}
