//! The map at the keys.

use headwater::app::list::ListId;
use headwater::app::map::{Form, Zoom};
use headwater::app::{Input, MouseInput, View};
use headwater::model::snapshot::ConsumerStatus;

use crate::desk::Desk;
use crate::fixture::store::edit;

fn on_the_map(size: (u16, u16)) -> Desk {
    let mut desk = Desk::start();
    desk.size = size;
    desk.keys("6");
    desk.lay_out();
    desk
}

#[test]
fn it_opens_as_near_as_the_window_allows() {
    assert_eq!(on_the_map((200, 60)).app.map().zoom(), Zoom::Far);
    let mut desk = on_the_map((400, 100));
    assert_eq!(desk.app.map().zoom(), Zoom::Near);
    desk.keys("-").lay_out();
    assert_eq!(desk.app.map().zoom(), Zoom::Middle);
    desk.keys("- -").lay_out();
    assert_eq!(desk.app.map().zoom(), Zoom::Far);
    assert_eq!(desk.said(), "this is as far away as it gets");
    desk.keys("0").lay_out();
    assert_eq!(desk.app.map().zoom(), Zoom::Near);
}

/// Every thing is reached by the arrows, and what is selected is always in the window.
#[test]
fn the_arrows_reach_everything() {
    let mut desk = on_the_map((80, 24));
    let all = desk.rows(ListId::Map);
    let mut seen = std::collections::BTreeSet::new();
    let mut open = vec![desk.selected().to_owned()];
    while let Some(name) = open.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        for key in ["up", "down", "left", "right"] {
            assert!(desk.select(ListId::Map, &name), "{name} is there");
            desk.keys(key);
            open.push(desk.selected().to_owned());
        }
    }
    let boxes: Vec<String> = desk.snapshot.services.iter().map(|service| service.id.to_string()).collect();
    for service in boxes {
        assert!(seen.contains(&service), "{service} is not reached: {seen:?}");
        assert!(desk.select(ListId::Map, &service));
        let screen = desk.draw();
        let head: String = service.chars().take(6).collect();
        assert!(screen.contains(&head), "{service} is selected and not seen:\n{screen}");
    }
    assert!(all.len() > 20);
}

#[test]
fn numbers_move_nothing() {
    let mut desk = on_the_map((200, 60));
    let before = desk.app.map().layout().unwrap().clone();
    desk.change(|snapshot| {
        edit(&mut snapshot.consumers, |_| true, |consumer| consumer.status = ConsumerStatus::Stalled);
        edit(&mut snapshot.flows, |_| true, |flow| flow.rate = crate::fixture::parts::exact(12_345.6));
    });
    desk.lay_out();
    assert!(std::sync::Arc::ptr_eq(&before, desk.app.map().layout().unwrap()));
}

#[test]
fn tab_goes_round_the_edges_of_a_service() {
    let mut desk = on_the_map((200, 60));
    assert!(desk.select(ListId::Map, "gateway"));
    desk.keys("tab");
    let first = desk.selected().to_owned();
    assert!(first.contains("gateway"), "{first}");
    desk.keys("tab");
    assert_ne!(desk.selected(), first);
}

#[test]
fn a_focus_grows_and_goes() {
    let mut desk = on_the_map((200, 60));
    assert!(desk.select(ListId::Map, "orders"));
    desk.keys("z");
    assert_eq!(desk.app.map().focus().unwrap().hops, 1);
    desk.keys("] ] [");
    assert_eq!(desk.app.map().focus().unwrap().hops, 2);
    desk.keys("esc");
    assert_eq!(desk.app.map().focus(), None);
    assert_eq!(desk.keys("]").said(), "no service on the map is focused: z");
}

#[test]
fn a_domain_folds_into_one_box_and_back() {
    let mut desk = on_the_map((200, 60));
    assert!(desk.select(ListId::Map, "catalog"));
    let before = desk.app.map().layout().unwrap().boxes.len();
    desk.keys("Z").lay_out();
    let folded = desk.app.map().layout().unwrap().clone();
    assert!(folded.boxes.len() < before);
    assert!(desk.draw().contains("commerce"));
    desk.keys("Z").lay_out();
    assert_eq!(desk.app.map().layout().unwrap().boxes.len(), before);
}

/// From a row to the map, and back to the row.
#[test]
fn m_goes_there_and_back() {
    let mut desk = Desk::start();
    desk.keys("2 down down");
    let flow = desk.selected().to_owned();
    desk.keys("m").lay_out();
    assert_eq!((desk.app.view(), desk.selected()), (View::Map, flow.as_str()));
    desk.keys("m");
    assert_eq!((desk.app.view(), desk.selected()), (View::Flows, flow.as_str()));
    desk.keys("3");
    let consumer = desk.selected().to_owned();
    desk.keys("m").lay_out();
    let on_map = desk.selected().to_owned();
    let flow = desk.snapshot.flows.iter().find(|flow| flow.id.as_str() == on_map).unwrap();
    assert_eq!(flow.consumer.as_ref().unwrap().as_str(), consumer);
}

#[test]
fn what_a_filter_does_not_find_is_faint_or_left_out() {
    let mut desk = on_the_map((200, 60));
    let all = desk.app.map().layout().unwrap().boxes.len();
    desk.keys("/ 'kind:feed enter").lay_out();
    assert_eq!(desk.app.map().layout().unwrap().boxes.len(), all, "faint");
    desk.keys("x").lay_out();
    let left = desk.app.map().layout().unwrap().clone();
    assert!(left.boxes.len() < all && left.routes.iter().all(|route| route.key.starts_with("feed")));
    desk.keys("x").lay_out();
    assert_eq!(desk.app.map().layout().unwrap().boxes.len(), all);
}

#[test]
fn the_forms_are_lists_of_the_same() {
    let mut desk = on_the_map((120, 40));
    desk.keys("v");
    assert_eq!(desk.app.map().form(), Form::Lanes);
    let lanes = desk.rows(ListId::Lanes);
    desk.change(|snapshot| {
        edit(&mut snapshot.flows, |_| true, |flow| flow.rate = crate::fixture::parts::exact(1.0));
    });
    assert_eq!(desk.rows(ListId::Lanes), lanes, "lanes keep their order");
    assert_eq!(desk.keys("z").said(), "this is for the picture of the map: v");
    desk.keys("v");
    assert_eq!(desk.app.map().form(), Form::Matrix);
    let services = desk.rows(ListId::Uses).len();
    desk.keys("Z");
    assert!(desk.rows(ListId::DomainUses).len() < services);
    desk.keys("v");
    assert_eq!(desk.app.map().form(), Form::Picture);
}

#[test]
fn a_click_selects_what_it_hits() {
    let mut desk = on_the_map((200, 60));
    let screen = desk.draw();
    let (y, line) = screen.lines().enumerate().find(|(_, line)| line.contains(" gateway")).unwrap();
    let x = line[..line.find(" gateway").unwrap()].chars().count() + 2;
    desk.input(Input::Mouse(MouseInput::Click { x: x as u16, y: y as u16 }));
    assert_eq!(desk.selected(), "gateway");
}

/// Nothing moves where nothing is to be seen moving: no frames are drawn for it.
#[test]
fn it_stands_still_when_told_or_paused() {
    let mut desk = on_the_map((200, 60));
    desk.draw();
    assert!(desk.app.moves());
    desk.keys(".");
    assert!(!desk.app.moves());
    desk.keys(". space");
    assert!(!desk.app.moves());
    desk.keys("space 1");
    assert!(!desk.app.moves());
}
