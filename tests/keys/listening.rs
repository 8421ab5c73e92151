//! Listening to a channel's messages: asking, stopping, reading, filtering, copying, saving, following one.

use std::sync::Arc;
use std::time::Duration;

use headwater::app::list::ListId;
use headwater::app::{Effect, Layer, View};
use headwater::model::command::{Command, ProbeLevel};
use headwater::model::id::ChannelId;
use headwater::model::message::Search;
use headwater::model::tap::{Content, TapState};

use crate::desk::Desk;
use crate::fixture;
use crate::fixture::heard::{ORDER, message, orders, tap};

fn listen(channel: &str, on: bool) -> Command {
    Command::Tap { channel: ChannelId::new(channel), on }
}

fn begin(channel: &str) -> Effect {
    Effect::Commands(vec![Command::Probe(ProbeLevel::Tap), listen(channel, true)])
}

/// Somebody in front of what was heard.
fn reading() -> Desk {
    let mut desk = Desk::start();
    desk.change(|snapshot| *snapshot = fixture::heard());
    desk.keys("8");
    desk
}

fn parts(desk: &Desk) -> Vec<String> {
    desk.app.list(ListId::Heard).rows().iter().map(|row| row.part.to_string()).collect()
}

fn one_more(desk: &mut Desk, number: u64) {
    desk.change(|snapshot| {
        let mut one = message(&orders(), number, "orders.created", 0, Content::Text("{}".into()));
        one.at = fixture::NOW + Duration::from_secs(1);
        snapshot.heard = snapshot.heard.iter().cloned().chain([Arc::new(one)]).collect();
    });
}

#[test]
fn listening_to_a_channel_begins_after_it_was_asked_for() {
    let mut desk = Desk::start();
    desk.keys("3 / 'name:ORDERS/billing enter f");
    assert_eq!(
        (desk.app.layer(), desk.effects.len()),
        (Layer::Probe, 0),
        "nothing happens before it is accepted"
    );
    assert!(desk.draw().contains("listen to the messages of ORDERS?"), "{}", desk.draw());
    desk.keys("esc");
    assert_eq!((desk.app.layer(), desk.app.view(), desk.effects.len()), (Layer::Main, View::Consumers, 0));
    // The dialog of the level is its own again.
    desk.keys("p");
    assert!(desk.draw().contains("listen to acknowledgements?"), "{}", desk.draw());
    desk.keys("esc f enter");
    assert_eq!(desk.effects, [begin("nats/ORDERS")]);
    assert_eq!((desk.app.view(), desk.said().as_str()), (View::Messages, "asked to listen to ORDERS"));
    // At the level tap the channel alone is asked for.
    desk.change(|snapshot| snapshot.probe = ProbeLevel::Tap);
    desk.keys("3 f enter");
    assert_eq!(desk.effects.last(), Some(&Effect::Commands(vec![listen("nats/ORDERS", true)])));
}

#[test]
fn flows_copies_and_requests_have_channels_too() {
    let mut desk = Desk::start();
    for (keys, channel) in [
        ("2 / 'OrderPaid enter f enter", "nats/ORDERS"),
        ("2 esc / 'accounts.user.get enter f enter", "nats/subject:accounts.user.get"),
        ("4 / 'name=User enter f enter", "nats/ACCOUNTS"),
    ] {
        desk.keys(keys);
        assert_eq!(desk.effects.last(), Some(&begin(channel)), "{keys}");
    }
    assert_eq!(
        desk.keys("5 f").said(),
        "select a consumer, a flow or a copy: its channel can be listened to"
    );
    assert_eq!(desk.effects.len(), 3);
}

#[test]
fn on_a_channel_that_is_listened_to_it_asks_to_stop() {
    for keys in ["f", "3 / 'name:ORDERS/billing enter f"] {
        let mut desk = reading();
        desk.keys(keys);
        assert!(desk.draw().contains("stop listening to ORDERS?"), "{}", desk.draw());
        desk.keys("enter");
        assert_eq!(desk.effects, [Effect::Commands(vec![listen("nats/ORDERS", false)])]);
        assert_eq!(desk.said(), "listening to ORDERS ends; what was heard stays to be read");
    }
    // What was refused or has ended can be asked for again.
    let mut desk = reading();
    desk.keys("/ 'accounts.user.get enter f enter");
    assert_eq!(desk.effects, [Effect::Commands(vec![listen("nats/subject:accounts.user.get", true)])]);
    // With nothing heard yet, the only channel is meant.
    let mut desk = reading();
    desk.change(|snapshot| {
        snapshot.heard = [].into();
        snapshot.taps = [Arc::new(tap(&orders(), &["orders.>"], TapState::Listening, ""))].into();
    });
    desk.keys("f enter");
    assert_eq!(desk.effects, [Effect::Commands(vec![listen("nats/ORDERS", false)])]);
    desk.change(|snapshot| snapshot.taps = [].into());
    assert!(desk.keys("f").said().starts_with("nothing is selected whose channel"), "{}", desk.said());
}

#[test]
fn the_palette_takes_names() {
    let mut desk = Desk::start();
    desk.keys(": 'tap enter");
    assert_eq!(desk.app.palette().unwrap().line().text(), "tap ", "there is more to type");
    desk.keys("'ORD enter");
    assert_eq!((desk.app.layer(), desk.effects.len()), (Layer::Probe, 0), "it asks all the same");
    desk.keys("enter");
    assert_eq!(desk.effects, [begin("nats/ORDERS")]);
    desk.keys(": 'tap_weather.*.now enter enter");
    assert_eq!(desk.effects.last(), Some(&begin("nats/subject:weather.*.now")));
    desk.keys(": 'untap_ORDERS");
    assert!(desk.draw().contains("no channel is listened to"), "{}", desk.draw());
    desk.keys("esc");
    let mut desk = reading();
    desk.keys(": 'untap_ORD enter");
    assert_eq!(desk.effects, [Effect::Commands(vec![listen("nats/ORDERS", false)])]);
}

#[test]
fn the_newest_is_read_until_one_is_chosen() {
    let mut desk = reading();
    assert_eq!(parts(&desk)[..2], ["heard 1204", "heard 1203"], "the newest first, of all channels");
    let selected = |desk: &Desk| desk.app.selected().unwrap().part.to_string();
    one_more(&mut desk, 1_205);
    assert_eq!(selected(&desk), "heard 1205");
    desk.keys("j");
    assert_eq!(selected(&desk), "heard 1204");
    one_more(&mut desk, 1_206);
    assert_eq!(selected(&desk), "heard 1204", "what is read stays");
    // Back at the top the newest is meant again.
    desk.keys("g");
    one_more(&mut desk, 1_207);
    assert_eq!(selected(&desk), "heard 1207");
    // What is open does not become another message.
    desk.keys("enter");
    one_more(&mut desk, 1_208);
    assert_eq!(selected(&desk), "heard 1207");
    assert!(desk.draw().contains("message ORDERS #1207"), "{}", desk.draw());
    // What is not kept any more says so rather than be another one.
    desk.keys("esc space");
    one_more(&mut desk, 1_209);
    assert_eq!(parts(&desk)[0], "heard 1208", "paused the list stands still");
    desk.keys("space");
    assert_eq!(parts(&desk)[0], "heard 1209");
}

/// What comes above the row that is read does not push it over the screen.
#[test]
fn what_is_read_stays_in_its_place() {
    let mut desk = reading();
    for number in 1_205..1_260 {
        one_more(&mut desk, number);
    }
    desk.keys("j j j");
    let at = |desk: &mut Desk| {
        desk.draw();
        let text = desk.draw();
        text.lines().position(|line| line.contains("orders.ping")).unwrap_or_else(|| panic!("{text}"))
    };
    // The only one of its subject, in the middle of the list.
    desk.keys("G k k k k");
    desk.keys("k k k k");
    assert_eq!(desk.app.selected().unwrap().part.to_string(), "heard 1203");
    let before = at(&mut desk);
    for number in 1_260..1_300 {
        one_more(&mut desk, number);
        assert_eq!(at(&mut desk), before, "after {number}");
    }
}

#[test]
fn filters_know_what_is_in_a_message() {
    for (filter, expected) in [
        ("subject:invoiced", &["heard 1198"][..]),
        ("publisher:gateway", &["heard 31"]),
        ("size>10kb", &["heard 1200"]),
        ("header:msg-id=o-1204", &["heard 1204"]),
        ("text:kettle", &["heard 1204", "heard 1198"]),
        ("kettle", &["heard 1204", "heard 1198"]),
        ("asks:yes", &["heard 31"]),
        ("channel:accounts", &["heard 31"]),
        ("-channel:ORDERS", &["heard 31"]),
    ] {
        let mut desk = reading();
        desk.keys(&format!("/ '{filter} enter"));
        assert_eq!(parts(&desk), expected, "{filter}");
    }
    let mut desk = reading();
    assert_eq!(desk.keys("s").said(), "messages have one order: the newest first");
}

#[test]
fn a_message_is_copied_as_it_is_told() {
    let mut desk = reading();
    desk.keys("y");
    let Some(Effect::Copy(text)) = desk.effects.last() else { panic!("{:?}", desk.effects) };
    assert_eq!(
        *text,
        format!(
            "orders.created\nNats-Msg-Id: o-1204\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n\n{ORDER}"
        )
    );
    desk.keys("G y");
    let Some(Effect::Copy(text)) = desk.effects.last() else { panic!("{:?}", desk.effects) };
    assert!(!text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')), "{text:?}");
    assert!(text.contains("exe\nzero"), "an end of line is no key that somebody else presses: {text:?}");
    desk.keys("esc / 'orders.image enter y");
    let Some(Effect::Copy(text)) = desk.effects.last() else { panic!("{:?}", desk.effects) };
    assert!(text.contains("\n1b 3e 51 74 "), "{text}");
}

#[test]
fn a_message_is_saved_with_what_is_told_of_it() {
    let saved = |filter: &str| {
        let mut desk = reading();
        desk.keys(&format!("/ '{filter} enter e"));
        let said = desk.said();
        (desk.effects.pop(), said)
    };
    let Some(Effect::Save { stem, extension, bytes, note, at }) = saved("text:o-4711").0 else { panic!() };
    assert_eq!(
        (stem.as_str(), extension, bytes.as_slice()),
        ("headwater-ORDERS-1204", "json", ORDER.as_bytes())
    );
    assert_eq!(
        (note.as_str(), at),
        ("sensitive fields are taken out", fixture::NOW - Duration::from_millis(400))
    );
    let Some(Effect::Save { extension, note, .. }) = saved("orders.exported").0 else { panic!() };
    assert_eq!((extension, note.as_str()), ("txt", "its last 12000 bytes are missing"));
    for (filter, expected) in [("orders.invoiced", "xml"), ("orders.note", "txt"), ("orders.image", "bin")] {
        let Some(Effect::Save { extension, .. }) = saved(filter).0 else { panic!("{filter}") };
        assert_eq!(extension, expected, "{filter}");
    }
    let (effect, said) = saved("orders.card");
    assert_eq!(effect, None);
    assert!(said.starts_with("cannot save it: what is in it is not told"), "{said}");
    // Where no message is selected, the screen is meant.
    let mut desk = reading();
    desk.keys("/ 'text:zzz enter e");
    assert_eq!(desk.effects, [Effect::Export("headwater-messages".to_owned())]);
}

#[test]
fn the_way_of_a_message_is_followed_where_it_can_be_found() {
    let mut desk = reading();
    desk.keys("o");
    let search = Search::Header { name: "Nats-Msg-Id".into(), value: "o-1204".into() };
    let find = Command::Find { channel: orders(), search, before: None };
    assert_eq!(desk.effects, [Effect::Commands(vec![find])]);
    assert_eq!(desk.app.view(), View::Propagation);
    let mut desk = reading();
    desk.keys("j o");
    assert_eq!(desk.said(), "its position is not known: it has no Nats-Msg-Id, traceparent or ce-id");
    assert!(desk.effects.is_empty());
    // A header alone is no help where nothing is kept.
    let mut desk = reading();
    desk.change(|snapshot| {
        let kept = snapshot.heard.iter().filter(|m| m.asks).cloned();
        let with = |mut m: Arc<headwater::model::tap::HeardMessage>| {
            Arc::make_mut(&mut m).headers = vec![("traceparent".into(), "00-ab-cd-01".into())];
            m
        };
        snapshot.heard = kept.map(with).collect();
    });
    desk.keys("o");
    assert_eq!(desk.said(), "no stream is known that keeps accounts.user.get");
    // Nor is a stream of another broker, or a header that was taken out.
    let mut desk = reading();
    desk.change(|snapshot| {
        for message in &mut Arc::make_mut(&mut snapshot.heard)[..] {
            Arc::make_mut(message).channel = "other/subject:orders.created".into();
        }
    });
    desk.keys("o");
    assert!(desk.said().starts_with("no stream is known that keeps "), "{}", desk.said());
    let mut desk = reading();
    desk.change(|snapshot| {
        for message in &mut Arc::make_mut(&mut snapshot.heard)[..] {
            Arc::make_mut(message).payload.redacted = vec!["nats-msg-id".into()];
        }
    });
    desk.keys("o");
    let search = Search::Header {
        name: "traceparent".into(),
        value: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into(),
    };
    let find = Command::Find { channel: orders(), search, before: None };
    assert_eq!(desk.effects, [Effect::Commands(vec![find])]);
}

#[test]
fn the_footer_teaches_what_can_be_done_with_a_message() {
    let mut desk = reading();
    let footer = desk.footer();
    for hint in ["enter open", "f listen", "o its way", "y copy", "e save", "? help", "q quit"] {
        assert!(footer.contains(hint), "{hint}: {footer}");
    }
}
