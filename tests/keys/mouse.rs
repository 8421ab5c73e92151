//! What is drawn can be pointed at.

use headwater::app::list::ListId;
use headwater::app::{Detail, Input, Layer, MouseInput, View};

use crate::desk::Desk;

/// Where a text stands on the screen.
fn find(desk: &mut Desk, text: &str) -> (u16, u16) {
    let screen = desk.draw();
    let found = screen.lines().enumerate().find_map(|(y, line)| {
        let at = line.find(text)?;
        Some((line[..at].chars().count() as u16, y as u16))
    });
    found.unwrap_or_else(|| panic!("{text} is not on the screen:\n{screen}"))
}

fn click(desk: &mut Desk, text: &str) {
    let (x, y) = find(desk, text);
    desk.input(Input::Mouse(MouseInput::Click { x, y }));
}

#[test]
fn tabs_rows_titles_and_the_footer() {
    let mut desk = Desk::start();
    click(&mut desk, "3 Consumers");
    assert_eq!(desk.app.view(), View::Consumers);
    let third = desk.rows(ListId::Consumers)[2].clone();
    let name = third.trim_start_matches("nats/").to_owned();
    let (x, y) = find(&mut desk, &name);
    desk.input(Input::Mouse(MouseInput::Click { x, y }));
    assert_eq!(desk.selected(), third);
    desk.input(Input::Mouse(MouseInput::DoubleClick { x, y }));
    assert_eq!(desk.app.detail(), Detail::Beside);
    desk.keys("esc");
    click(&mut desk, "lag");
    let sort = desk.app.list(ListId::Consumers).sort().unwrap();
    assert_eq!((sort.key, sort.descending), ("lag", true));
    click(&mut desk, "lag");
    assert!(!desk.app.list(ListId::Consumers).sort().unwrap().descending);
    click(&mut desk, "? help");
    assert_eq!(desk.app.layer(), Layer::Help);
    // Outside the help: it closes.
    desk.input(Input::Mouse(MouseInput::Click { x: 0, y: 0 }));
    assert_eq!(desk.app.layer(), Layer::Main);
}

#[test]
fn the_wheel_scrolls_what_it_is_over() {
    let mut desk = Desk::start();
    desk.keys("3 enter");
    let (x, y) = find(&mut desk, "lag");
    let first = desk.selected().to_owned();
    desk.input(Input::Mouse(MouseInput::Scroll { x, y: y + 1, rows: 3 }));
    assert_eq!(desk.app.list(ListId::Consumers).selected_index(), Some(3));
    assert_ne!(desk.selected(), first);
    let bottom = desk.size.1 - 3;
    desk.input(Input::Mouse(MouseInput::Scroll { x: 5, y: bottom, rows: 3 }));
    assert_eq!(desk.app.detail_scroll(), 3);
    assert_eq!(desk.app.list(ListId::Consumers).selected_index(), Some(3));
}

#[test]
fn a_choice_is_made_by_a_click() {
    let mut desk = Desk::start();
    desk.keys(": 'serv");
    click(&mut desk, "services");
    assert_eq!((desk.app.layer(), desk.app.view()), (Layer::Main, View::Services));
}

#[test]
fn nowhere_is_nothing() {
    let mut desk = Desk::start();
    for (x, y) in [(0, 0), (79, 23), (500, 500), (u16::MAX, u16::MAX)] {
        desk.input(Input::Mouse(MouseInput::Click { x, y }));
        desk.input(Input::Mouse(MouseInput::Scroll { x, y, rows: i16::MIN }));
    }
    assert_eq!(desk.app.view(), View::Overview);
}
