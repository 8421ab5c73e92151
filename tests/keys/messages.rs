//! Choosing a message to follow, going on with a search, changing the probe level.

use std::sync::Arc;

use headwater::app::list::ListId;
use headwater::app::{Effect, Layer, View};
use headwater::model::command::{Command, ProbeLevel};
use headwater::model::id::ChannelId;
use headwater::model::measured::Bounds;
use headwater::model::message::{Search, SearchOutcome, SearchReport};
use headwater::model::snapshot::Snapshot;

use crate::desk::Desk;
use crate::fixture;

fn find(channel: &str, search: Search, before: Option<u64>) -> Command {
    Command::Find { channel: ChannelId::new(format!("nats/{channel}")), search, before }
}

/// The sources answer.
fn answer(snapshot: &mut Snapshot, channel: &str, search: Search, outcome: SearchOutcome) {
    let channel = ChannelId::new(format!("nats/{channel}"));
    let report = SearchReport { channel, search, outcome, looked_at: 250, bytes: 1_000 };
    snapshot.searches = snapshot.searches.iter().cloned().chain([report]).collect();
}

#[test]
fn listening_begins_after_it_was_asked_for_and_ends_likewise() {
    let mut desk = Desk::start();
    assert_eq!(desk.app.layer(), Layer::Main, "nothing takes the keys at the start");
    desk.keys("p");
    assert_eq!((desk.app.layer(), desk.app.probe()), (Layer::Probe, Some(ProbeLevel::Acks)));
    assert!(desk.draw().contains("listen to acknowledgements?"), "{}", desk.draw());
    desk.keys("esc");
    assert_eq!((desk.app.layer(), desk.effects.len()), (Layer::Main, 0));
    desk.keys("p enter");
    assert_eq!(desk.effects, [Effect::Command(Command::Probe(ProbeLevel::Acks))]);
    assert_eq!(desk.said(), "listening to acknowledgements; delays become exact as they come");
    desk.change(|snapshot| snapshot.probe = ProbeLevel::Acks);
    assert!(desk.draw().lines().next().unwrap().contains(" acks "), "{}", desk.draw());
    desk.keys("p");
    assert!(desk.draw().contains("stop listening to acknowledgements?"), "{}", desk.draw());
    desk.keys("enter");
    assert_eq!(desk.effects.last(), Some(&Effect::Command(Command::Probe(ProbeLevel::Passive))));
    assert_eq!(desk.said(), "listening ends; delays become intervals between two polls");
}

#[test]
fn the_newest_message_of_what_is_selected() {
    let mut desk = Desk::start();
    desk.keys("3 / 'name:ORDERS/billing enter o");
    assert_eq!(desk.effects, [Effect::Commands(vec![find("ORDERS", Search::Seq(183_314), None)])]);
    assert_eq!(desk.app.view(), View::Propagation);
    assert_eq!(desk.said(), "following the newest message of ORDERS, #183314");
    assert!(desk.draw().contains("looking on ORDERS for #183314"), "{}", desk.draw());
    // Who wants only some messages, and has no other waiting: the last one that it was given.
    desk.keys("3 esc / 'name:BILLING/notifications enter");
    desk.change(|snapshot| {
        for consumer in &mut snapshot.consumers {
            let report = Arc::make_mut(consumer).report.as_mut();
            if let Some(report) = report {
                Arc::make_mut(report).lag = Bounds::Exact(0);
            }
        }
    });
    desk.keys("o");
    assert_eq!(
        desk.effects.last(),
        Some(&Effect::Commands(vec![find("BILLING", Search::Seq(183_311), None)]))
    );
    assert_eq!(desk.said(), "following the newest message that notifications was given, #183311");
    // A flow's channel, and the channel that feeds a copy.
    desk.keys("2 / 'OrderPaid enter o");
    assert_eq!(
        desk.effects.last(),
        Some(&Effect::Commands(vec![find("ORDERS", Search::Seq(183_314), None)]))
    );
    desk.keys("4 / 'name=User enter o");
    assert_eq!(
        desk.effects.last(),
        Some(&Effect::Commands(vec![find("ACCOUNTS", Search::Seq(183_314), None)]))
    );
}

#[test]
fn what_has_no_message_says_so() {
    let mut desk = Desk::start();
    assert_eq!(
        desk.keys("5 o").said(),
        "select a consumer, a flow or a channel: it is theirs that can be followed"
    );
    desk.keys("2 / 'accounts.user.get enter o");
    assert_eq!(desk.said(), "no channel keeps its messages: what is not kept cannot be looked up");
    desk.keys("esc 3 / 'name:ORDERS/billing enter");
    desk.change(|snapshot| {
        for channel in &mut snapshot.channels {
            Arc::make_mut(channel).report.messages = Some(0);
        }
    });
    assert_eq!(desk.keys("o").said(), "ORDERS has no message now");
    assert!(desk.effects.is_empty());
}

#[test]
fn a_message_by_its_position() {
    let mut desk = Desk::start();
    desk.keys(": 'trace enter");
    assert_eq!(desk.app.palette().unwrap().line().text(), "trace ", "there is more to type");
    desk.keys("'ORD");
    assert!(desk.draw().contains("its newest message, #183314"), "{}", desk.draw());
    desk.keys("tab '_183312 enter");
    assert_eq!(desk.effects, [Effect::Commands(vec![find("ORDERS", Search::Seq(183_312), None)])]);
    // What was found is selected, though others are followed already.
    desk.change(|snapshot| {
        snapshot.traces = fixture::followed().traces;
        answer(snapshot, "ORDERS", Search::Seq(183_312), SearchOutcome::Found(183_312));
    });
    assert_eq!(desk.app.message().unwrap().seq, 183_312);
    assert!(
        desk.draw().contains("#183312 of ORDERS is there (250 messages, 1.0 kB read)"),
        "{}",
        desk.draw()
    );
    desk.keys(": 'trace_ORDRS_5 enter");
    assert!(desk.draw().contains("no channel ORDRS; there are ACCOUNTS"), "{}", desk.draw());
    assert_eq!((desk.app.layer(), desk.effects.len()), (Layer::Palette, 1));
}

#[test]
fn a_search_goes_on_until_it_has_found_or_seen_everything() {
    let mut desk = Desk::start();
    desk.keys(": 'find_city");
    assert!(desk.draw().contains("write it as find NAME=VALUE"), "{}", desk.draw());
    desk.keys("enter");
    assert_eq!((desk.app.layer(), desk.effects.len()), (Layer::Palette, 0), "something is missing yet");
    desk.keys("esc");
    desk.keys(": 'find_city=Linz enter");
    let Some(Effect::Commands(commands)) = desk.effects.last() else { panic!("{:?}", desk.effects) };
    assert_eq!(commands.len(), desk.snapshot.channels.len(), "every channel that keeps messages");
    let mut desk = Desk::start();
    desk.keys(": 'find_city=Linz_in_ORDERS enter");
    let search = Search::Field { name: "city".into(), value: "Linz".into() };
    assert_eq!(desk.effects, [Effect::Commands(vec![find("ORDERS", search.clone(), None)])]);
    assert_eq!(desk.keys("n").said(), "no search has more to look through");
    desk.change(|s| answer(s, "ORDERS", search.clone(), SearchOutcome::NotFrom(183_065)));
    desk.wait(60.0);
    assert!(desk.footer().contains("n look further"), "{}", desk.footer());
    desk.keys("n");
    assert_eq!(
        desk.effects.last(),
        Some(&Effect::Commands(vec![find("ORDERS", search.clone(), Some(183_065))]))
    );
    assert_eq!(desk.app.asked().unwrap().places[0].outcome, None, "the old answer is not the new one");
    desk.change(|s| answer(s, "ORDERS", search.clone(), SearchOutcome::NotThere));
    let place = &desk.app.asked().unwrap().places[0];
    assert_eq!((place.looked_at, place.bytes), (500, 2_000), "the cost of all of it");
    desk.keys("n");
    assert_eq!(desk.effects.len(), 2);
    // The same question again has its own answer.
    desk.keys(": 'find_city=Linz_in_ORDERS enter");
    assert_eq!(desk.app.asked().unwrap().places[0].outcome, None);
}

#[test]
fn messages_and_their_consumers_are_walked_through() {
    let mut desk = Desk::start();
    desk.change(|snapshot| *snapshot = fixture::followed());
    desk.keys("7");
    assert_eq!(desk.app.current_list(), ListId::Traces);
    assert_eq!(desk.app.message().unwrap().seq, 183_312, "the newest first");
    assert_eq!(desk.keys("j").app.message().unwrap().seq, 40_211);
    assert_eq!(desk.rows(ListId::Legs).len(), 5);
    // What needs a person first.
    assert_eq!(desk.rows(ListId::Legs)[0], "nats/BILLING/notifications");
    desk.keys("enter");
    assert_eq!(desk.app.current_list(), ListId::Legs);
    desk.keys("enter");
    assert!(desk.draw().contains("consumer BILLING/notifications"), "{}", desk.draw());
    desk.keys("esc tab");
    assert_eq!(desk.app.current_list(), ListId::Traces);
    desk.keys("y");
    assert_eq!(desk.effects.last(), Some(&Effect::Copy("nats/BILLING #40211".to_owned())));
    // One alone is no list: the keys go to its consumers.
    desk.change(|snapshot| {
        snapshot.traces = snapshot.traces[..1].into();
    });
    assert_eq!(desk.app.current_list(), ListId::Legs);
    desk.keys("j");
    assert_eq!(desk.rows(ListId::Legs).len(), 3);
}

/// What is found comes with a later picture: the picture does not stand still while it is awaited.
#[test]
fn asking_goes_on_from_a_pause() {
    let mut desk = Desk::start();
    desk.keys("3 space");
    assert!(desk.app.is_paused());
    desk.keys("o");
    assert!(!desk.app.is_paused());
}
