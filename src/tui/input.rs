//! From the terminal's events to what the state machine understands. The only place, with `screen`, that knows
//! crossterm.

use std::io;
use std::time::{Duration, Instant};

use crossterm::event::{
    Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent,
    MouseEventKind,
};
use futures_util::stream::Stream;

use crate::app::{Input, Layer, MouseInput};
use crate::keymap::{self, Code, Key};

/// Two clicks within this time at one place are a double click.
const DOUBLE_CLICK: Duration = Duration::from_millis(400);

/// Rows that one turn of the wheel moves.
const WHEEL_ROWS: i16 = 3;

/// The terminal's events. To be called once the terminal is ours: the stream starts a reader.
pub(super) fn events() -> impl Stream<Item = io::Result<Event>> + Unpin {
    EventStream::new()
}

/// Remembers the last click, to see double clicks.
#[derive(Debug, Default)]
pub(super) struct Clicks {
    last: Option<(u16, u16, Instant)>,
}

/// What an event means in a layer; `None`: nothing, and nothing has to be drawn.
pub(super) fn translate(event: Event, layer: Layer, clicks: &mut Clicks, now: Instant) -> Option<Input> {
    match event {
        Event::Key(key) => {
            let key = key_of(&key)?;
            if let Some(action) = keymap::lookup(layer, key) {
                return Some(Input::Do(action));
            }
            match layer {
                Layer::Filter | Layer::Palette => key.typed().map(Input::Type),
                Layer::Main => Some(Input::Unbound(key.to_string())),
                // The keys of these are before the person's eyes.
                Layer::Probe | Layer::Help => None,
            }
        }
        Event::Paste(text) => matches!(layer, Layer::Filter | Layer::Palette).then_some(Input::Paste(text)),
        Event::Resize(..) => Some(Input::Resized),
        Event::Mouse(mouse) => mouse_of(mouse, clicks, now).map(Input::Mouse),
        Event::FocusGained | Event::FocusLost => None,
    }
}

fn key_of(event: &KeyEvent) -> Option<Key> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    let mut shift = event.modifiers.contains(KeyModifiers::SHIFT);
    let code = match event.code {
        KeyCode::Char(c) => {
            // A capital letter is a character of its own.
            shift = false;
            Code::Char(c)
        }
        KeyCode::Enter => Code::Enter,
        KeyCode::Esc => Code::Esc,
        KeyCode::Tab => Code::Tab,
        KeyCode::BackTab => {
            shift = true;
            Code::Tab
        }
        KeyCode::Backspace => Code::Backspace,
        KeyCode::Delete => Code::Delete,
        KeyCode::Up => Code::Up,
        KeyCode::Down => Code::Down,
        KeyCode::Left => Code::Left,
        KeyCode::Right => Code::Right,
        KeyCode::Home => Code::Home,
        KeyCode::End => Code::End,
        KeyCode::PageUp => Code::PageUp,
        KeyCode::PageDown => Code::PageDown,
        KeyCode::F(n) => Code::F(n),
        _ => return None,
    };
    let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
    let alt = event.modifiers.contains(KeyModifiers::ALT);
    Some(Key { code, ctrl, alt, shift })
}

fn mouse_of(event: MouseEvent, clicks: &mut Clicks, now: Instant) -> Option<MouseInput> {
    let (x, y) = (event.column, event.row);
    match event.kind {
        MouseEventKind::Down(MouseButton::Left) => {
            let double = clicks
                .last
                .take_if(|(lx, ly, at)| (*lx, *ly) == (x, y) && now.duration_since(*at) <= DOUBLE_CLICK)
                .is_some();
            if double {
                return Some(MouseInput::DoubleClick { x, y });
            }
            clicks.last = Some((x, y, now));
            Some(MouseInput::Click { x, y })
        }
        MouseEventKind::ScrollUp => Some(MouseInput::Scroll { x, y, rows: -WHEEL_ROWS }),
        MouseEventKind::ScrollDown => Some(MouseInput::Scroll { x, y, rows: WHEEL_ROWS }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{Action, View};

    fn key(code: KeyCode, modifiers: KeyModifiers) -> Event {
        Event::Key(KeyEvent::new(code, modifiers))
    }

    fn meaning(event: Event, layer: Layer) -> Option<Input> {
        translate(event, layer, &mut Clicks::default(), Instant::now())
    }

    #[test]
    fn keys_by_layer() {
        let q = || key(KeyCode::Char('q'), KeyModifiers::NONE);
        assert_eq!(meaning(q(), Layer::Main), Some(Input::Do(Action::Quit)));
        assert_eq!(meaning(q(), Layer::Filter), Some(Input::Type('q')));
        assert_eq!(meaning(q(), Layer::Help), Some(Input::Do(Action::Cancel)));
        assert_eq!(
            meaning(key(KeyCode::Char('G'), KeyModifiers::SHIFT), Layer::Main),
            Some(Input::Do(Action::Bottom))
        );
        assert_eq!(
            meaning(key(KeyCode::BackTab, KeyModifiers::SHIFT), Layer::Main),
            Some(Input::Do(Action::PreviousPane))
        );
        assert_eq!(
            meaning(key(KeyCode::Char('3'), KeyModifiers::NONE), Layer::Main),
            Some(Input::Do(Action::Show(View::Consumers)))
        );
        for layer in [Layer::Main, Layer::Filter, Layer::Palette, Layer::Help] {
            let ctrl_c = key(KeyCode::Char('c'), KeyModifiers::CONTROL);
            assert_eq!(meaning(ctrl_c, layer), Some(Input::Do(Action::Quit)));
        }
        let and = || key(KeyCode::Char('&'), KeyModifiers::NONE);
        assert_eq!(meaning(and(), Layer::Main), Some(Input::Unbound("&".to_owned())));
        assert_eq!(meaning(and(), Layer::Help), None);
        let release =
            KeyEvent { kind: KeyEventKind::Release, ..KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE) };
        assert_eq!(meaning(Event::Key(release), Layer::Main), None);
    }

    #[test]
    fn clicks_become_double_clicks() {
        let mut clicks = Clicks::default();
        let at = |x| {
            Event::Mouse(MouseEvent {
                kind: MouseEventKind::Down(MouseButton::Left),
                column: x,
                row: 2,
                modifiers: KeyModifiers::NONE,
            })
        };
        let start = Instant::now();
        let mut click =
            |x, ms| translate(at(x), Layer::Main, &mut clicks, start + Duration::from_millis(ms)).unwrap();
        assert_eq!(click(1, 0), Input::Mouse(MouseInput::Click { x: 1, y: 2 }));
        assert_eq!(click(1, 300), Input::Mouse(MouseInput::DoubleClick { x: 1, y: 2 }));
        assert_eq!(
            click(1, 500),
            Input::Mouse(MouseInput::Click { x: 1, y: 2 }),
            "a third click begins anew"
        );
        assert_eq!(click(2, 600), Input::Mouse(MouseInput::Click { x: 2, y: 2 }));
        assert_eq!(click(2, 1_100), Input::Mouse(MouseInput::Click { x: 2, y: 2 }));
    }
}
