//! Everything that a person can do, by name. Keys are bound to these in `keymap`; the command palette lists them.

use super::view::View;

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $label:literal, $help:literal;)*) => {
        /// Something a person can do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action {
            /// Show a view.
            Show(View),
            $($(#[$doc])* $variant,)*
        }

        impl Action {
            /// Every action but the views.
            pub const PLAIN: &'static [Action] = &[$(Action::$variant),*];

            /// Its name in the command palette.
            pub const fn name(self) -> &'static str {
                match self {
                    Action::Show(view) => view.name(),
                    $(Action::$variant => $name,)*
                }
            }

            /// One or two words for the footer.
            pub const fn label(self) -> &'static str {
                match self {
                    Action::Show(view) => view.name(),
                    $(Action::$variant => $label,)*
                }
            }

            /// One line for the help.
            pub const fn help(self) -> &'static str {
                match self {
                    Action::Show(view) => view.about(),
                    $(Action::$variant => $help,)*
                }
            }
        }
    };
}

actions! {
    Up = "up", "up", "one row up";
    Down = "down", "down", "one row down";
    Left = "left", "left", "one column left";
    Right = "right", "right", "one column right";
    PageUp = "page-up", "page up", "one screen up";
    PageDown = "page-down", "page down", "one screen down";
    Top = "top", "top", "the first row";
    Bottom = "bottom", "bottom", "the last row";
    NextPane = "next-pane", "next pane", "give the keys to the next pane";
    PreviousPane = "previous-pane", "previous pane", "give the keys to the previous pane";

    Open = "open", "open", "open what is selected; again: give it the whole screen";
    Back = "back", "back", "back: close what is open, then clear the filter";
    Copy = "copy", "copy", "copy the selected thing's id; of a cause, an incident summary; a message with what is in it";
    Evidence = "evidence", "evidence", "how do we know this: show or hide evidence";
    Export = "export", "export", "write what is on screen to a text file; in the view of messages, the selected one";

    ShowOnMap = "show-on-map", "on the map", "show what is selected on the map; there: as a row of its list";
    Form = "map-form", "next form", "map: as a picture, as lanes (one row for each channel), as a matrix of who uses whose data";
    ZoomIn = "zoom-in", "nearer", "map: nearer, with more detail";
    ZoomOut = "zoom-out", "further", "map: further away, with less detail";
    Fit = "fit", "fit", "map: as near as the window allows, all of it";
    Afresh = "lay-out", "lay out anew", "map: lay the picture out from nothing";
    FoldDomain = "fold-domain", "fold domain", "map: fold the domain of what is selected into one box, or unfold it; the matrix: services or domains";
    MoreHops = "more-hops", "more hops", "map: while focused, neighbours one step further";
    FewerHops = "fewer-hops", "fewer hops", "map: while focused, one step fewer";
    Unfound = "hide-rest", "hide rest", "map: leave out what the filter does not find, or draw it faint";
    Motion = "motion", "motion", "map: let messages move, or stand still";
    PanLeft = "pan-left", "pan left", "map: move the window left";
    PanRight = "pan-right", "pan right", "map: move the window right";
    PanUp = "pan-up", "pan up", "map: move the window up";
    PanDown = "pan-down", "pan down", "map: move the window down";

    Propagation = "follow", "follow message", "follow the newest message of what is selected: who has it, who waits";
    Further = "further", "look further", "go on with a search that has not found its message yet";
    Probe = "probe", "probe level", "listen to acknowledgements, or stop: says first what it does and costs";

    Listen = "listen", "its messages", "listen to the messages of the selected channel, or stop: says first what it does and costs";

    Filter = "filter", "filter", "hide rows: words, field:value, lag>100, -word";
    Palette = "commands", "commands", "any command by name";
    Faults = "cause-fault", "cause a fault", "cause or end a fault of the sample system (headwater demo)";
    SortNext = "sort", "sort", "sort by the next column";
    SortReverse = "reverse", "reverse", "reverse the order";
    SortDefault = "sort-worst-first", "worst first", "back to the opening order: what needs a person first";
    Pullers = "name-pullers", "who pulls", "listen for 35 s to which program pulls from which consumer (level tap)";
    Window = "window", "window", "figures of what is heard cover the last 1, 5 or 10 minutes, or all of it";
    Fold = "fold", "fold", "show or fold services that are known only by a consumer's name; map: focus on the neighbours of a service";
    Pause = "pause", "pause", "let the picture stand still, or go on";
    Refresh = "refresh", "refresh", "ask the sources again now";
    Reconnect = "reconnect", "reconnect", "try lost connections again now";
    Zone = "time-zone", "local/UTC", "show times in your zone or in UTC";
    Mouse = "mouse", "mouse", "release the mouse so that text can be selected, or take it back";
    Help = "help", "help", "all keys and signs";
    Redraw = "redraw", "redraw", "draw the whole screen again";
    Suspend = "suspend", "suspend", "to the shell; `fg` comes back";
    Quit = "quit", "quit", "leave";

    /// In a line that is being typed, or of what a dialog asks.
    Accept = "accept", "apply", "take what was typed";
    Cancel = "cancel", "cancel", "leave without taking it";
    Complete = "complete", "complete", "complete the name";
    ChoiceUp = "choice-up", "previous", "the choice above";
    ChoiceDown = "choice-down", "next", "the choice below";
    DeleteBack = "delete-back", "delete", "delete the character before the cursor";
    DeleteForward = "delete-forward", "delete", "delete the character under the cursor";
    DeleteWord = "delete-word", "delete word", "delete the word before the cursor";
    DeleteLine = "delete-line", "clear", "delete everything before the cursor";
    CursorLeft = "cursor-left", "left", "one character left";
    CursorRight = "cursor-right", "right", "one character right";
    CursorStart = "cursor-start", "start", "to the start of the line";
    CursorEnd = "cursor-end", "end", "to the end of the line";
}

impl Action {
    /// Whether it belongs in the command palette: what only makes sense under a key does not.
    pub const fn in_palette(self) -> bool {
        !matches!(
            self,
            Self::Up
                | Self::Down
                | Self::Left
                | Self::Right
                | Self::PageUp
                | Self::PageDown
                | Self::Palette
                | Self::Accept
                | Self::Cancel
                | Self::Complete
                | Self::ChoiceUp
                | Self::ChoiceDown
                | Self::DeleteBack
                | Self::DeleteForward
                | Self::DeleteWord
                | Self::DeleteLine
                | Self::CursorLeft
                | Self::CursorRight
                | Self::CursorStart
                | Self::CursorEnd
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique() {
        let views = View::ALL.iter().map(|view| Action::Show(*view));
        let all: Vec<_> = views.chain(Action::PLAIN.iter().copied()).collect();
        let names: BTreeSet<_> = all.iter().map(|action| action.name()).collect();
        assert_eq!(names.len(), all.len());
        for action in all {
            assert!(!action.label().is_empty() && !action.help().is_empty(), "{action:?}");
        }
    }
}
