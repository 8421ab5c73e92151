//! Pausing, the palette, the help, copying, faults, words that come and go.

use std::sync::Arc;
use std::time::Duration;

use headwater::app::list::ListId;
use headwater::app::{Effect, Fault, Input, Layer, Options, Said, View};
use headwater::model::command::Command;
use headwater::model::measured::Bounds;
use headwater::model::observation::SourceState;
use headwater::model::snapshot::{Cause, Severity, Thing};

use crate::desk::Desk;
use crate::fixture;

#[test]
fn paused_the_picture_stands_still() {
    let mut desk = Desk::start();
    desk.keys("3 space");
    let picture = desk.draw();
    assert!(picture.contains("PAUSED"));
    desk.change(|snapshot| {
        snapshot.consumers.truncate(2);
        snapshot.generation += 1;
    });
    desk.wait(60.0);
    assert_eq!(desk.draw(), picture, "neither new numbers nor ages");
    assert_eq!(desk.app.next_change(), None, "nothing to wake for");
    // It can be looked through meanwhile.
    desk.keys("5");
    assert!(desk.draw().contains("PAUSED"));
    desk.keys("3 space");
    assert!(!desk.draw().contains("PAUSED"));
    assert_eq!(desk.rows(headwater::app::list::ListId::Consumers).len(), 2);
}

#[test]
fn the_palette_does_anything_by_name() {
    let mut desk = Desk::start();
    desk.keys(": 'own enter");
    assert_eq!(desk.app.view(), View::Ownership);
    desk.keys(": 'qui enter");
    assert_eq!(desk.effects, [Effect::Quit]);
    let mut desk = Desk::start();
    desk.keys(": 'zzz enter");
    assert_eq!(desk.said(), "no command is called `zzz`");
    assert_eq!(desk.app.layer(), Layer::Main);
    desk.keys(": 'serv tab");
    assert_eq!(desk.app.palette().unwrap().line().text(), "services");
    desk.keys("esc");
    assert_eq!((desk.app.layer(), desk.app.view()), (Layer::Main, View::Overview));
    // The letter q is a letter here.
    desk.keys(": q");
    assert_eq!(desk.app.palette().unwrap().line().text(), "q");
    assert!(desk.effects.is_empty());
}

/// What a name on a broker alone stands for does not crowd out the services that are there, and is never far.
#[test]
fn services_that_are_only_names_are_folded() {
    let mut desk = Desk::start();
    desk.snapshot = Arc::new(fixture::discovered());
    let all = desk.snapshot.services.len();
    let left_behind = fixture::variants::LEFT_BEHIND;
    desk.keys("5");
    let rows = desk.rows(ListId::Services);
    assert_eq!(rows.len(), all - left_behind.len());
    assert!(left_behind.iter().all(|name| !rows.iter().any(|row| row == name)), "{rows:?}");
    let line = "◌  3 more, known only by a consumer; z shows audit, billing-old, migration";
    assert!(desk.draw().contains(line), "{}", desk.draw());
    // What is looked for is found.
    desk.keys("/ 'audit enter");
    assert_eq!(desk.rows(ListId::Services), ["audit"]);
    desk.keys("esc z");
    let rows = desk.rows(ListId::Services);
    assert_eq!(rows[all - 3..], left_behind, "after everything that is alive");
    assert!(!desk.draw().contains("known only by a consumer;"), "{}", desk.draw());
    assert_eq!(desk.keys("z").rows(ListId::Services).len(), all - 3);
    assert_eq!(desk.keys("3 z").said(), "nothing is folded here");
    // Where nothing else is there, they are what there is.
    desk.change(|snapshot| snapshot.services.retain(|service| service.only_named));
    assert_eq!(desk.keys("5").rows(ListId::Services), left_behind);
}

/// Where faults can be caused the footer says so, and nowhere else.
#[test]
fn the_sample_system_teaches_that_faults_can_be_caused() {
    let mut desk = Desk::start();
    assert!(!desk.draw().contains("cause a fault"));
    assert_eq!(desk.keys("F").said(), "faults can be caused in the sample system only: headwater demo");
    let faults = vec![Fault { id: "billing-slows".into(), label: "billing takes 300 ms each".into() }];
    let mut desk = Desk::new(Options { faults, ..Options::default() });
    let footer = desk.draw().lines().last().unwrap().to_owned();
    assert!(footer.contains("F cause a fault") && footer.contains("? help  q quit"), "{footer}");
    desk.keys("F");
    assert!(desk.draw().contains("fault billing-slows"), "{}", desk.draw());
    desk.keys("enter");
    assert_eq!(desk.said(), "fault billing-slows begins");
}

#[test]
fn faults_begin_and_end() {
    let faults = vec![Fault { id: "billing-slows".into(), label: "billing takes 300 ms each".into() }];
    let mut desk = Desk::new(Options { faults, ..Options::default() });
    desk.keys(": 'fault enter");
    let fault = |on| Effect::Command(Command::Fault { id: "billing-slows".into(), on });
    assert_eq!(desk.effects, [fault(true)]);
    assert_eq!(desk.said(), "fault billing-slows begins");
    desk.keys(": 'fault");
    assert!(desk.draw().contains("end: billing takes 300 ms each"));
    desk.keys("enter");
    assert_eq!(desk.effects, [fault(true), fault(false)]);
}

#[test]
fn help_is_scrolled_and_closed() {
    let mut desk = Desk::start();
    desk.keys("?");
    assert!(desk.draw().contains("Overview: what needs a person"));
    desk.keys("G");
    let end = desk.app.help().unwrap();
    assert!(end > 0);
    assert!(desk.draw().contains("fields here"), "{}", desk.draw());
    assert_eq!(desk.keys("j pgdn").app.help(), Some(end));
    for close in ["esc", "q", "?", "enter"] {
        let mut desk = Desk::start();
        desk.keys("?").keys(close);
        assert_eq!((desk.app.layer(), desk.effects.len()), (Layer::Main, 0), "{close}");
    }
}

#[test]
fn what_is_copied_says_what_it_is() {
    let mut desk = Desk::start();
    desk.keys("y");
    let Some(Effect::Copy(text)) = desk.effects.last() else { panic!("{:?}", desk.effects) };
    let cause = &desk.snapshot.causes[0];
    assert!(text.starts_with(&format!("{} ", cause.name)), "{text}");
    assert!(text.contains(&*cause.text));
    for effect in &cause.effects {
        assert!(text.contains(&*effect.text), "{text}");
    }
    let stopped = desk.snapshot.causes.iter().find_map(|cause| match &cause.thing {
        Thing::Consumer(id) => Some((cause.name.clone(), desk.snapshot.consumer(id)?.status.word())),
        _ => None,
    });
    let (name, status) = stopped.expect("a cause is about a consumer");
    let is_it = |text: &str| text.starts_with(&format!("{name} "));
    for _ in 0..desk.snapshot.causes.len() {
        desk.keys("y");
        let Some(Effect::Copy(text)) = desk.effects.last() else { panic!("{:?}", desk.effects) };
        if is_it(text) {
            assert!(text.starts_with(&format!("{name} {}: ", status.replace('_', " "))), "{text}");
        }
        desk.keys("j");
    }
    desk.keys("3 y");
    let id = desk.selected().to_owned();
    assert_eq!(desk.effects.last(), Some(&Effect::Copy(id)));
}

#[test]
fn words_go_after_a_while_or_at_the_next_key() {
    let mut desk = Desk::start();
    desk.input(Input::Say(Said::done("copied: orders")));
    assert_eq!(desk.said(), "copied: orders");
    let until = desk.app.next_change().expect("something will change: the words go");
    desk.seconds = until.as_secs_f64();
    desk.wait(0.0);
    assert!(desk.footer().contains("quit"), "{}", desk.footer());
    desk.input(Input::Say(Said::failed("cannot write the screen: no room")));
    assert_eq!(desk.keys("j").app.said(), None);
}

#[test]
fn a_lost_connection_can_be_tried_again() {
    let mut desk = Desk::start();
    assert_eq!(desk.keys(": 'reconn enter").said(), "no connection is lost");
    desk.change(|snapshot| {
        Arc::make_mut(snapshot.sources.iter_mut().find(|source| source.id.as_str() == "nats").unwrap())
            .report
            .state = SourceState::Down;
    });
    desk.keys(": 'reconn enter");
    assert_eq!(desk.effects, [Effect::Commands(vec![Command::Reconnect("nats".into())])]);
}

#[test]
fn small_switches() {
    let mut desk = Desk::new(Options { utc: false, mouse: true, ..Options::default() });
    desk.keys("t");
    assert!(desk.app.utc());
    assert!(desk.draw().contains("UTC"));
    desk.keys("M");
    assert_eq!(desk.effects, [Effect::Mouse(false)]);
    desk.keys("i");
    assert!(desk.app.evidence());
    desk.keys("r");
    assert_eq!(desk.effects.last(), Some(&Effect::Command(Command::Refresh)));
    // From the last minute, the next longer one; after the longest comes the shortest.
    desk.keys("w");
    assert_eq!(desk.effects.last(), Some(&Effect::Command(Command::Window(Duration::from_secs(300)))));
    assert!(desk.said().contains("cover the last 5 minutes"), "{}", desk.said());
    desk.change(|snapshot| snapshot.heard_window = Duration::MAX);
    desk.keys("w");
    assert_eq!(desk.effects.last(), Some(&Effect::Command(Command::Window(Duration::from_secs(60)))));
    desk.keys("e");
    assert_eq!(desk.effects.last(), Some(&Effect::Export("headwater-overview".to_owned())));
    desk.keys("ctrl-z");
    assert_eq!(desk.effects.last(), Some(&Effect::Suspend));
    let before = desk.effects.len();
    desk.keys("& # Q F7 alt-q");
    assert_eq!(desk.effects.len(), before, "keys without a meaning do nothing");
    desk.input(Input::Say(Said::done("copied: orders")));
    assert_eq!(desk.keys("Q").said(), "Q does nothing here; ? shows the keys");
    assert_eq!(desk.keys("F7").said(), "F7 does nothing here; ? shows the keys");
    assert!(desk.keys("?").footer().starts_with("esc q close"), "{}", desk.footer());
}

/// Whatever is pressed, in whatever order, something can be drawn and nothing breaks.
#[test]
fn any_keys_at_all() {
    use headwater::keymap::BINDINGS;
    let keys: Vec<&str> = BINDINGS.iter().flat_map(|binding| binding.keys).copied().collect();
    let mut random = fastrand::Rng::with_seed(7);
    for size in [(80, 24), (60, 15), (200, 60), (20, 5), (1, 1)] {
        let mut desk = Desk::start();
        desk.size = size;
        for step in 0..150 {
            let key = keys[random.usize(..keys.len())];
            desk.keys(key);
            if random.u8(..8) == 0 {
                desk.keys(["'lag>1", "'a-", "'x:y", "'\"", "'日本"][random.usize(..5)]);
            }
            if random.u8(..16) == 0 {
                desk.change(|snapshot| {
                    if !snapshot.consumers.is_empty() {
                        let at = random.usize(..snapshot.consumers.len());
                        snapshot.consumers.remove(at);
                    }
                    if let Some(row) = snapshot.consumers.first_mut() {
                        Arc::make_mut(row).lag.bounds = Bounds::Exact(random.u64(..10_000));
                    }
                });
            }
            desk.wait(f64::from(step % 3));
        }
    }
}

#[test]
fn a_consumer_that_stands_still_and_lost_data_before_is_two_rows() {
    let mut desk = Desk::start();
    let snapshot = Arc::make_mut(&mut desk.snapshot);
    let stands =
        |cause: &&Cause| matches!(cause.thing, Thing::Consumer(_)) && cause.severity != Severity::Lost;
    let mut lost = snapshot.causes.iter().find(stands).expect("a consumer stands still").clone();
    (lost.severity, lost.text, lost.effects) = (Severity::Lost, "gave up 3 messages".into(), Vec::new());
    let name = lost.name.clone();
    snapshot.causes.push(lost);
    desk.wait(1.0);
    desk.keys("G y");
    assert!(desk.draw().contains("gave up 3 messages"), "{}", desk.draw());
    let Some(Effect::Copy(text)) = desk.effects.last() else { panic!("{:?}", desk.effects) };
    assert!(text.starts_with(&format!("{name} gave up: gave up 3 messages")), "{text}");
}
