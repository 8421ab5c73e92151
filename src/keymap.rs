//! One table of bindings. Dispatch, the footer, the help, the key table of the README and the conflict test all read
//! [`BINDINGS`]; nothing else in the program knows which key does what.
//!
//! May use: `app` (actions and layers). Used by: `ui`, `tui`, `commands`.

mod key;

pub use key::{Code, Key};

use std::fmt::Write as _;

use crate::app::map::Form;
use crate::app::{Action, App, Layer, View};

/// Keys that do something in a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// Where it holds; `None` everywhere.
    pub layer: Option<Layer>,
    /// The keys, the one to show first.
    pub keys: &'static [&'static str],
    pub action: Action,
    /// Rank in the footer, 1 first; `None` is not shown there.
    pub footer: Option<u8>,
}

const fn everywhere(keys: &'static [&'static str], action: Action) -> Binding {
    Binding { layer: None, keys, action, footer: None }
}

const fn main(keys: &'static [&'static str], action: Action) -> Binding {
    Binding { layer: Some(Layer::Main), keys, action, footer: None }
}

const fn footer(rank: u8, keys: &'static [&'static str], action: Action) -> Binding {
    Binding { layer: Some(Layer::Main), keys, action, footer: Some(rank) }
}

const fn on(layer: Layer, keys: &'static [&'static str], action: Action) -> Binding {
    Binding { layer: Some(layer), keys, action, footer: None }
}

const fn hint(layer: Layer, rank: u8, keys: &'static [&'static str], action: Action) -> Binding {
    Binding { layer: Some(layer), keys, action, footer: Some(rank) }
}

/// Every binding, in the order in which the help shows them.
pub const BINDINGS: &[Binding] = &[
    main(&["1"], Action::Show(View::Overview)),
    main(&["2"], Action::Show(View::Flows)),
    main(&["3"], Action::Show(View::Consumers)),
    main(&["4"], Action::Show(View::Ownership)),
    main(&["5"], Action::Show(View::Services)),
    main(&["6"], Action::Show(View::Map)),
    main(&["7"], Action::Show(View::Propagation)),
    main(&["8"], Action::Show(View::Messages)),
    footer(1, &["enter"], Action::Open),
    footer(2, &["esc"], Action::Back),
    main(&["tab"], Action::NextPane),
    main(&["shift-tab"], Action::PreviousPane),
    footer(3, &["/"], Action::Filter),
    footer(4, &["F"], Action::Faults),
    footer(7, &["s"], Action::SortNext),
    main(&["S"], Action::SortReverse),
    footer(11, &["z"], Action::Fold),
    footer(15, &["m"], Action::ShowOnMap),
    footer(5, &["v"], Action::Form),
    footer(6, &["+", "="], Action::ZoomIn),
    footer(6, &["-"], Action::ZoomOut),
    footer(7, &["0"], Action::Fit),
    footer(16, &["Z"], Action::FoldDomain),
    footer(17, &["x"], Action::Unfound),
    footer(17, &["."], Action::Motion),
    footer(18, &["R"], Action::Afresh),
    footer(5, &["]"], Action::MoreHops),
    footer(5, &["["], Action::FewerHops),
    main(&["H"], Action::PanLeft),
    main(&["L"], Action::PanRight),
    main(&["K"], Action::PanUp),
    main(&["J"], Action::PanDown),
    footer(6, &["o"], Action::Propagation),
    footer(3, &["n"], Action::Further),
    footer(13, &["f"], Action::Listen),
    footer(12, &["p"], Action::Probe),
    footer(8, &["space"], Action::Pause),
    footer(9, &["i"], Action::Evidence),
    footer(10, &["y"], Action::Copy),
    footer(14, &["e"], Action::Export),
    main(&["r"], Action::Refresh),
    main(&["w"], Action::Window),
    main(&["t"], Action::Zone),
    main(&["M"], Action::Mouse),
    footer(4, &[":"], Action::Palette),
    footer(5, &["?", "F1"], Action::Help),
    footer(5, &["q"], Action::Quit),
    main(&["up", "k"], Action::Up),
    main(&["down", "j"], Action::Down),
    main(&["left", "h"], Action::Left),
    main(&["right", "l"], Action::Right),
    main(&["pgup"], Action::PageUp),
    main(&["pgdn"], Action::PageDown),
    main(&["g", "home"], Action::Top),
    main(&["G", "end"], Action::Bottom),
    everywhere(&["ctrl-c"], Action::Quit),
    everywhere(&["ctrl-z"], Action::Suspend),
    everywhere(&["ctrl-l"], Action::Redraw),
    hint(Layer::Filter, 1, &["enter"], Action::Accept),
    hint(Layer::Filter, 2, &["esc"], Action::Cancel),
    on(Layer::Filter, &["up"], Action::ChoiceUp),
    on(Layer::Filter, &["down"], Action::ChoiceDown),
    on(Layer::Filter, &["left"], Action::CursorLeft),
    on(Layer::Filter, &["right"], Action::CursorRight),
    on(Layer::Filter, &["home", "ctrl-a"], Action::CursorStart),
    on(Layer::Filter, &["end", "ctrl-e"], Action::CursorEnd),
    on(Layer::Filter, &["backspace", "ctrl-h"], Action::DeleteBack),
    on(Layer::Filter, &["delete"], Action::DeleteForward),
    on(Layer::Filter, &["ctrl-w"], Action::DeleteWord),
    hint(Layer::Filter, 3, &["ctrl-u"], Action::DeleteLine),
    hint(Layer::Palette, 1, &["enter"], Action::Accept),
    hint(Layer::Palette, 2, &["tab"], Action::Complete),
    hint(Layer::Palette, 3, &["esc"], Action::Cancel),
    on(Layer::Palette, &["up", "ctrl-p"], Action::ChoiceUp),
    hint(Layer::Palette, 4, &["down", "ctrl-n"], Action::ChoiceDown),
    on(Layer::Palette, &["left"], Action::CursorLeft),
    on(Layer::Palette, &["right"], Action::CursorRight),
    on(Layer::Palette, &["home", "ctrl-a"], Action::CursorStart),
    on(Layer::Palette, &["end", "ctrl-e"], Action::CursorEnd),
    on(Layer::Palette, &["backspace", "ctrl-h"], Action::DeleteBack),
    on(Layer::Palette, &["delete"], Action::DeleteForward),
    on(Layer::Palette, &["ctrl-w"], Action::DeleteWord),
    on(Layer::Palette, &["ctrl-u"], Action::DeleteLine),
    hint(Layer::Probe, 1, &["enter"], Action::Accept),
    hint(Layer::Probe, 2, &["esc", "p", "q"], Action::Cancel),
    hint(Layer::Help, 1, &["esc", "?", "enter", "q", "F1"], Action::Cancel),
    hint(Layer::Help, 2, &["down", "j"], Action::Down),
    on(Layer::Help, &["up", "k"], Action::Up),
    on(Layer::Help, &["pgup"], Action::PageUp),
    on(Layer::Help, &["pgdn", "space"], Action::PageDown),
    on(Layer::Help, &["g", "home"], Action::Top),
    on(Layer::Help, &["G", "end"], Action::Bottom),
];

/// The keys that close the help, as its footer shows them.
const HELP_CLOSES: &str = "esc q";

/// What a key does in a layer. `None`: nothing, or, where something is typed, the character itself.
pub fn lookup(layer: Layer, key: Key) -> Option<Action> {
    let in_layer = |wanted: Option<Layer>| {
        BINDINGS
            .iter()
            .filter(move |binding| binding.layer == wanted)
            .find(|binding| binding.keys.iter().any(|text| Key::parse(text) == Some(key)))
    };
    in_layer(Some(layer)).or_else(|| in_layer(None)).map(|binding| binding.action)
}

/// What the footer teaches now: key and label, most important first. Actions that can do nothing now are left out.
pub fn footer_hints(app: &App) -> Vec<(&'static str, &'static str, Action)> {
    let layer = app.layer();
    let mut bindings: Vec<_> = BINDINGS
        .iter()
        .filter(|binding| binding.layer == Some(layer))
        .filter_map(|binding| Some((binding.footer?, binding)))
        .filter(|(_, binding)| match layer {
            Layer::Main => app.cannot(binding.action).is_none(),
            Layer::Help => binding.action != Action::Down || app.help_scrolls(),
            Layer::Filter | Layer::Palette | Layer::Probe => true,
        })
        .collect();
    // In the view of messages, what can be done with one comes before what holds everywhere.
    let here = app.view() == View::Messages && layer == Layer::Main;
    bindings.sort_by_key(|(rank, binding)| match binding.action {
        Action::Listen | Action::Propagation if here => 4,
        Action::Listen if app.view() == View::Propagation => 6,
        Action::Copy | Action::Export if here => 6,
        Action::Palette if here => 7,
        _ => *rank,
    });
    bindings
        .into_iter()
        .filter_map(|(_, binding)| {
            let label = match binding.action {
                Action::Pause if app.is_paused() => "resume",
                Action::Listen if here => "listen",
                Action::Listen if app.view() == View::Propagation => "its record",
                Action::Export if here && app.selected().is_some() => "save",
                Action::Propagation if here => "its way",
                Action::Form => match app.map().form() {
                    Form::Picture => "lanes",
                    Form::Lanes => "who uses whose data",
                    Form::Matrix => "picture",
                },
                Action::FoldDomain if app.map().form() == Form::Matrix && app.map().by_domain() => "services",
                Action::FoldDomain if app.map().form() == Form::Matrix => "domains",
                Action::ShowOnMap if app.view() == View::Map => "its row",
                Action::Fold if app.view() == View::Map => "focus",
                Action::Fold if !app.unfolded() => "unfold",
                Action::Cancel if layer == Layer::Help => "close",
                Action::Accept if layer == Layer::Palette => "do it",
                Action::Accept if layer == Layer::Probe => "do it",
                Action::Cancel if layer == Layer::Probe => "leave as it is",
                Action::Down => "more",
                action => action.label(),
            };
            let keys = match (layer, binding.action) {
                // Who wants to leave the help must know that `q` leaves no more than that.
                (Layer::Help, Action::Cancel) => HELP_CLOSES,
                _ => binding.keys.first()?,
            };
            Some((keys, label, binding.action))
        })
        .collect()
}

/// The first key of an action in a layer, for texts that name a key.
pub fn key_of(layer: Layer, action: Action) -> Option<&'static str> {
    BINDINGS
        .iter()
        .find(|binding| binding.action == action && binding.layer.is_none_or(|l| l == layer))
        .and_then(|binding| binding.keys.first().copied())
}

/// Key names and help lines of a layer, for the help overlay and the README.
pub fn help_rows(layer: Option<Layer>) -> Vec<(String, String)> {
    let help = |action: Action| match action {
        Action::Show(view) => format!("{}: {}", view.title(), view.about()),
        action => action.help().to_owned(),
    };
    BINDINGS
        .iter()
        .filter(|binding| binding.layer == layer)
        .map(|binding| (binding.keys.join(" "), help(binding.action)))
        .collect()
}

/// The key table of the README.
pub fn markdown() -> String {
    let mut out = String::from("| key | does |\n|---|---|\n");
    for (keys, help) in help_rows(Some(Layer::Main)).into_iter().chain(help_rows(None)) {
        let keys: Vec<String> = keys.split(' ').map(|key| format!("`{key}`")).collect();
        let _ = writeln!(out, "| {} | {help} |", keys.join(" "));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn every_key_is_understood_and_none_has_two_meanings() {
        let mut seen: BTreeMap<(Option<Layer>, String), Action> = BTreeMap::new();
        for binding in BINDINGS {
            assert!(!binding.keys.is_empty());
            for text in binding.keys {
                let key = Key::parse(text).unwrap_or_else(|| panic!("`{text}` is not a key"));
                assert_eq!(key.to_string(), *text, "keys are written in one way");
                if let Some(other) = seen.insert((binding.layer, key.to_string()), binding.action) {
                    panic!("{text} in {:?}: {other:?} and {:?}", binding.layer, binding.action);
                }
            }
        }
        for ((layer, key), action) in &seen {
            if layer.is_some() {
                assert!(
                    !seen.contains_key(&(None, key.clone())),
                    "{key} for {action:?} hides a key that holds everywhere"
                );
            }
        }
    }

    /// Keys that terminals, tmux, screen and shells take for themselves.
    #[test]
    fn no_key_is_taken_by_somebody_else() {
        for binding in BINDINGS {
            for key in binding.keys {
                assert!(!["ctrl-b", "ctrl-s", "ctrl-q"].contains(key), "{key}");
            }
            // In a line that is typed, ctrl-a is the start of the line, as in every shell.
            let typing = matches!(binding.layer, Some(Layer::Filter | Layer::Palette));
            assert!(typing || !binding.keys.contains(&"ctrl-a"));
        }
    }

    #[test]
    fn where_something_is_typed_plain_characters_are_text() {
        for layer in [Layer::Filter, Layer::Palette] {
            for c in ('!'..='~').chain([' ', 'ä', '日']) {
                assert_eq!(lookup(layer, Key::char(c)), None, "{c}");
            }
        }
    }

    #[test]
    fn every_layer_can_be_left() {
        for layer in [Layer::Filter, Layer::Palette, Layer::Probe, Layer::Help] {
            assert_eq!(lookup(layer, Key::parse("esc").unwrap()), Some(Action::Cancel));
            assert_eq!(lookup(layer, Key::parse("ctrl-c").unwrap()), Some(Action::Quit));
        }
        assert_eq!(lookup(Layer::Main, Key::char('q')), Some(Action::Quit));
    }

    #[test]
    fn the_keys_that_close_the_help_do_so() {
        for key in HELP_CLOSES.split(' ') {
            assert_eq!(lookup(Layer::Help, Key::parse(key).unwrap()), Some(Action::Cancel), "{key}");
        }
    }

    #[test]
    fn every_view_has_its_number() {
        for view in View::ALL {
            let key = Key::char(char::from_digit(view.number() as u32, 10).unwrap());
            assert_eq!(lookup(Layer::Main, key), Some(Action::Show(*view)));
        }
    }

    #[test]
    fn everything_that_is_not_typing_is_in_the_palette_or_on_a_key() {
        for action in Action::PLAIN {
            let bound = BINDINGS.iter().any(|binding| binding.action == *action);
            assert!(bound || action.in_palette(), "{action:?} cannot be reached");
        }
    }
}
