//! What the person is doing: view, panes, selection by id, filter, sort, pause, what is being typed.
//!
//! A pure state machine. [`App::update`] takes an input and the newest snapshot and returns what must be done outside
//! ([`Effect`]); [`App::sync`] takes a new snapshot. No I/O and no clock: time is an argument ([`Moment`]).
//!
//! May use: `model`, `layout`. Used by: `keymap`, `ui`, `tui`, `commands`.

pub mod action;
pub mod filter;
pub mod hit;
pub mod item;
mod lately;
pub mod line;
pub mod list;
pub mod listen;
pub mod map;
mod mapping;
pub mod order;
pub mod palette;
mod prompt;
pub mod search;
mod tapping;
mod update;
pub mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::model::command::{Command, ProbeLevel};
use crate::model::id::Name;
use crate::model::message::MessageId;
use crate::model::snapshot::{Snapshot, Thing};
use crate::model::time::Timestamp;

pub use action::Action;
use filter::Filter;
use hit::HitAreas;
use line::Line;
use list::{List, ListId, RowId, Sort, Take};
use listen::Tapping;
use map::{Form, Laid, Map, Request};
use palette::{Known, Palette};
use search::{Asked, Pursued};
pub use view::View;

/// A moment on two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock, to show and to count ages from.
    pub wall: Timestamp,
    /// A clock that only goes forward, for waiting; where it begins does not matter.
    pub mono: Duration,
}

/// What reaches the state machine from outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A key or a click that stands for an action.
    Do(Action),
    /// A key that means nothing here, as people write it.
    Unbound(String),
    /// A character typed into the line that is being edited.
    Type(char),
    /// Text pasted.
    Paste(String),
    /// The mouse.
    Mouse(MouseInput),
    /// How an effect went: shown for a few seconds.
    Say(Said),
    /// A picture of the map that was laid out.
    Laid(Laid),
    /// The terminal has another size: what was clicked in the last frame is no longer there.
    Resized,
}

/// What the mouse did, at a column and row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MouseInput {
    Click {
        x: u16,
        y: u16,
    },
    DoubleClick {
        x: u16,
        y: u16,
    },
    /// Rows scrolled; negative is up.
    Scroll {
        x: u16,
        y: u16,
        rows: i16,
    },
}

/// Something to tell the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub text: String,
    /// It did not work.
    pub error: bool,
}

impl Said {
    pub fn done(text: impl Into<String>) -> Self {
        Self { text: text.into(), error: false }
    }

    pub fn failed(text: impl Into<String>) -> Self {
        Self { text: text.into(), error: true }
    }
}

/// What must be done outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Leave.
    Quit,
    /// Tell the sources.
    Command(Command),
    /// Several commands.
    Commands(Vec<Command>),
    /// Put a text on the clipboard.
    Copy(String),
    /// Write what is on screen to a file whose name begins so.
    Export(String),
    /// Write a message's payload to a new file of its own.
    Save {
        /// The file's name without time and extension; harmless in a file system.
        stem: String,
        /// When it was heard.
        at: Timestamp,
        extension: &'static str,
        bytes: Vec<u8>,
        /// What is to be known of it, such as that its end is missing; empty when nothing is.
        note: String,
    },
    /// Back to the shell until it says `fg`.
    Suspend,
    /// Draw everything again: something else has written to the terminal.
    Redraw,
    /// Take (`true`) or release the mouse.
    Mouse(bool),
}

/// A fault that the person may cause in the sample system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// As [`Command::Fault`] wants it.
    pub id: Name,
    /// What it does, in a few words.
    pub label: Name,
}

/// How the program was started, as far as screens care.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Times in UTC instead of the person's zone.
    pub utc: bool,
    /// Whether the mouse is taken at the start.
    pub mouse: bool,
    /// Messages on the map stand still at the start.
    pub still: bool,
    /// Faults that can be caused; empty on a real system.
    pub faults: Vec<Fault>,
    /// Something to say at the start.
    pub notice: Option<Said>,
}

/// Which layer has the keys. The topmost that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// The view and its detail pane.
    Main,
    /// The filter line is being typed.
    Filter,
    /// The command palette.
    Palette,
    /// What a probe level, or listening to a channel, does and costs, before it is taken.
    Probe,
    /// The help.
    Help,
}

/// The pane that shows everything about the selected thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Detail {
    #[default]
    Closed,
    /// Beside or below the list; it follows the selection.
    Beside,
    /// In place of the list.
    Full,
}

/// The filter of one view.
#[derive(Debug, Clone, Default)]
struct ViewFilter {
    text: String,
    filter: Filter,
    error: Option<String>,
}

/// The picture that stands still.
#[derive(Debug, Clone)]
struct Paused {
    snapshot: Arc<Snapshot>,
    wall: Timestamp,
}

#[derive(Debug, Clone)]
struct Shown {
    said: Said,
    until: Duration,
}

/// What the person is doing.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own that the person turns")]
pub struct App {
    view: View,
    /// Which list of each view has the keys.
    panes: BTreeMap<View, usize>,
    lists: BTreeMap<ListId, List>,
    filters: BTreeMap<View, ViewFilter>,
    /// The filter while it is typed, and what it was before.
    typing: Option<(Line, String)>,
    palette: Option<Palette>,
    help: Option<usize>,
    /// The level that the open dialog would change to.
    probe: Option<ProbeLevel>,
    /// The channel that it is about, when it is about one.
    tapping: Option<Tapping>,
    /// The search that was asked for last.
    asked: Option<Asked>,
    /// Where it was asked to look for what came of messages.
    pursued: Pursued,
    /// A message that was found and is to be selected as soon as it is listed.
    awaited: Option<RowId>,
    detail: Detail,
    detail_focused: bool,
    detail_scroll: usize,
    /// The selected column where a view has columns of its own (the ownership matrix).
    across: usize,
    evidence: bool,
    /// Whether rows that are folded into one line are shown.
    unfolded: bool,
    utc: bool,
    mouse: bool,
    map: Map,
    paused: Option<Paused>,
    said: Option<Shown>,
    faults: Vec<Fault>,
    faults_on: Vec<Name>,
    hits: HitAreas,
    /// The order of the view's lists must be taken at once at the next sync.
    at_once: bool,
}

impl App {
    pub fn new(options: Options) -> Self {
        Self {
            view: View::Overview,
            panes: BTreeMap::new(),
            lists: BTreeMap::new(),
            filters: BTreeMap::new(),
            typing: None,
            palette: None,
            help: None,
            probe: None,
            tapping: None,
            asked: None,
            pursued: Pursued::default(),
            awaited: None,
            detail: Detail::Closed,
            detail_focused: false,
            detail_scroll: 0,
            across: 0,
            evidence: false,
            unfolded: false,
            utc: options.utc,
            mouse: options.mouse,
            map: Map::new(!options.still),
            paused: None,
            // Shown until something else is said.
            said: options.notice.map(|said| Shown { said, until: Duration::from_secs(15) }),
            faults: options.faults,
            faults_on: Vec::new(),
            hits: HitAreas::default(),
            at_once: true,
        }
    }

    // --- what screens read ---------------------------------------------------------------------------------

    pub fn view(&self) -> View {
        self.view
    }

    /// Which layer has the keys.
    pub fn layer(&self) -> Layer {
        if self.help.is_some() {
            Layer::Help
        } else if self.probe.is_some() {
            Layer::Probe
        } else if self.palette.is_some() {
            Layer::Palette
        } else if self.typing.is_some() {
            Layer::Filter
        } else {
            Layer::Main
        }
    }

    /// A list's state. Lists of a view that was never shown are empty.
    pub fn list(&self, id: ListId) -> &List {
        static EMPTY: std::sync::LazyLock<List> = std::sync::LazyLock::new(List::default);
        self.lists.get(&id).unwrap_or(&EMPTY)
    }

    /// The list of the current view that has the keys (or had them before the detail pane took them).
    pub fn current_list(&self) -> ListId {
        let lists = self.view.lists();
        lists.get(self.pane()).or(lists.first()).copied().unwrap_or(ListId::Causes)
    }

    /// Its place among the view's lists: the one that the person chose, else the first that has rows, so that keys do
    /// something on a quiet system too.
    fn pane(&self) -> usize {
        if self.view == View::Map {
            return match self.map.form() {
                Form::Picture => 0,
                Form::Lanes => 1,
                Form::Matrix if !self.map.by_domain() => 2,
                Form::Matrix => 3,
            };
        }
        // One message alone is no list to walk through.
        if self.view == View::Propagation && self.list(ListId::Traces).rows().len() < 2 {
            return 1;
        }
        let first = || self.view.lists().iter().position(|id| !self.list(*id).rows().is_empty()).unwrap_or(0);
        self.panes.get(&self.view).copied().unwrap_or_else(first)
    }

    /// Whether a list has the keys.
    pub fn focused(&self, id: ListId) -> bool {
        self.current_list() == id && !self.detail_focused()
    }

    pub fn detail(&self) -> Detail {
        self.detail
    }

    /// Whether the detail pane has the keys.
    pub fn detail_focused(&self) -> bool {
        match self.detail {
            Detail::Closed => false,
            Detail::Beside => self.detail_focused,
            Detail::Full => true,
        }
    }

    /// The first visible line of the detail pane.
    pub fn detail_scroll(&self) -> usize {
        self.detail_scroll
    }

    /// The row whose thing the detail pane shows.
    pub fn opened(&self) -> Option<&RowId> {
        if self.detail == Detail::Closed { None } else { self.selected() }
    }

    /// The selected row of the list that has the keys.
    pub fn selected(&self) -> Option<&RowId> {
        self.list(self.current_list()).selected()
    }

    /// The thing that is selected.
    pub fn selected_thing(&self) -> Option<&Thing> {
        self.selected().and_then(|row| row.thing.as_ref())
    }

    /// The selected column of a view that has columns of its own.
    pub fn across(&self) -> usize {
        self.across
    }

    /// Whether evidence is shown.
    pub fn evidence(&self) -> bool {
        self.evidence
    }

    /// Whether rows that are folded into one line at first are shown.
    pub fn unfolded(&self) -> bool {
        self.unfolded
    }

    /// Whether times are shown in UTC.
    pub fn utc(&self) -> bool {
        self.utc
    }

    /// Whether the mouse is taken.
    pub fn mouse(&self) -> bool {
        self.mouse
    }

    pub fn is_paused(&self) -> bool {
        self.paused.is_some()
    }

    /// The snapshot to draw: the newest, or while paused the one that was there then.
    pub fn snapshot<'a>(&'a self, latest: &'a Arc<Snapshot>) -> &'a Arc<Snapshot> {
        self.paused.as_ref().map_or(latest, |paused| &paused.snapshot)
    }

    /// The moment to count ages from: now, or while paused the moment of the pause.
    pub fn wall(&self, now: Timestamp) -> Timestamp {
        self.paused.as_ref().map_or(now, |paused| paused.wall)
    }

    /// The filter line while it is typed.
    pub fn typing(&self) -> Option<&Line> {
        self.typing.as_ref().map(|(line, _)| line)
    }

    /// The current view's filter as typed; empty when there is none.
    pub fn filter_text(&self) -> &str {
        self.filters.get(&self.view).map_or("", |filter| &filter.text)
    }

    /// What is wrong with the filter; while something is, the filter hides nothing.
    pub fn filter_error(&self) -> Option<&str> {
        self.filters.get(&self.view).and_then(|filter| filter.error.as_deref())
    }

    /// Rows of the current view that the filter hides.
    pub fn hidden(&self) -> usize {
        // The forms of the map are lists of the same things.
        let shown = |id: &&ListId| self.view != View::Map || **id == self.current_list();
        self.view.lists().iter().filter(shown).map(|id| self.list(*id).hidden()).sum()
    }

    pub fn palette(&self) -> Option<&Palette> {
        self.palette.as_ref()
    }

    /// The level that would be changed to, while the person is asked.
    pub fn probe(&self) -> Option<ProbeLevel> {
        self.probe
    }

    /// The channel that the person is asked about: to listen to its messages, or to stop.
    pub fn tapping(&self) -> Option<&Tapping> {
        self.tapping.as_ref()
    }

    /// The search that was asked for last.
    pub fn asked(&self) -> Option<&Asked> {
        self.asked.as_ref()
    }

    /// The message whose consumers are shown: the selected one.
    pub fn message(&self) -> Option<MessageId> {
        self.list(ListId::Traces).selected().and_then(item::message_of)
    }

    /// The first visible line of the help, while it is open.
    pub fn help(&self) -> Option<usize> {
        self.help
    }

    /// Whether the help is longer than the screen; as long as it was not drawn, it may be.
    pub fn help_scrolls(&self) -> bool {
        self.hits.overlay_size().is_none_or(|(lines, height)| lines > height)
    }

    /// What was said last, while it is to be read.
    pub fn said(&self) -> Option<&Said> {
        self.said.as_ref().map(|shown| &shown.said)
    }

    /// The faults that can be caused, and whether each is on as far as this screen caused it.
    pub fn faults(&self) -> impl Iterator<Item = (&Fault, bool)> {
        self.faults.iter().map(|fault| (fault, self.faults_on.contains(&fault.id)))
    }

    /// Why an action can do nothing now; `None` when it can.
    pub fn cannot(&self, action: Action) -> Option<&'static str> {
        match action {
            Action::Open | Action::Evidence if self.selected_thing().is_none() => {
                Some("nothing is selected that could be opened")
            }
            Action::Copy if self.selected().is_none() => Some("nothing is selected that could be copied"),
            Action::Back
                if self.detail == Detail::Closed
                    && self.filter_text().is_empty()
                    && (self.view != View::Map || self.map.focus().is_none()) =>
            {
                Some("nothing is open")
            }
            Action::SortNext | Action::SortReverse | Action::SortDefault
                if !self.current_list().sortable() =>
            {
                Some(match self.view {
                    View::Messages => "messages have one order: the newest first",
                    _ => "this list has one order: what needs a person first",
                })
            }
            Action::NextPane | Action::PreviousPane if self.view == View::Map => None,
            Action::NextPane | Action::PreviousPane
                if self.panes_shown() == 1 && self.detail != Detail::Beside =>
            {
                Some("this view has one pane")
            }
            Action::Further if self.view != View::Propagation => Some("no search is shown here"),
            Action::Further if !self.asked.as_ref().is_some_and(Asked::goes_on) => {
                Some("no search has more to look through")
            }
            Action::Propagation if self.selected_thing().is_none() => {
                Some("nothing is selected whose message could be followed")
            }
            Action::Listen if self.selected().is_none() && self.view != View::Messages => {
                Some("nothing is selected whose channel could be listened to")
            }
            Action::Faults if self.faults.is_empty() => {
                Some("faults can be caused in the sample system only: headwater demo")
            }
            Action::Form if self.view != View::Map => Some("this is for the map: 6"),
            Action::ZoomIn
            | Action::ZoomOut
            | Action::Fit
            | Action::Afresh
            | Action::FoldDomain
            | Action::Unfound
            | Action::Motion
            | Action::PanLeft
            | Action::PanRight
            | Action::PanUp
            | Action::PanDown
                if self.view != View::Map =>
            {
                Some("this is for the map: 6")
            }
            Action::ZoomIn
            | Action::ZoomOut
            | Action::Fit
            | Action::Afresh
            | Action::Fold
            | Action::PanLeft
            | Action::PanRight
            | Action::PanUp
            | Action::PanDown
            | Action::NextPane
            | Action::PreviousPane
                if self.view == View::Map
                    && self.map.form() != Form::Picture
                    && self.detail != Detail::Beside =>
            {
                Some("this is for the picture of the map: v")
            }
            Action::MoreHops | Action::FewerHops if self.view != View::Map || self.map.focus().is_none() => {
                Some("no service on the map is focused: z")
            }
            Action::Unfound if self.filter_text().is_empty() => {
                Some("no filter is set that hides anything: /")
            }
            Action::ShowOnMap if self.selected_thing().is_none() => {
                Some("nothing is selected that could be shown")
            }
            Action::FoldDomain if self.view == View::Map && self.map.form() == Form::Lanes => {
                Some("lanes have no domains to fold: v")
            }
            Action::Fold | Action::FoldDomain if self.on_picture() => {
                self.selected_thing().is_none().then_some("nothing is selected")
            }
            Action::Fold if self.list(self.current_list()).foldable() == 0 => Some("nothing is folded here"),
            _ => None,
        }
    }

    /// The map as the person has it.
    pub fn map(&self) -> &Map {
        &self.map
    }

    /// A picture of the map that is wanted: to be laid out where nobody waits, and handed back as [`Input::Laid`].
    pub fn picture_wanted(&mut self) -> Option<Request> {
        self.map.request()
    }

    // --- what the run loop tells ---------------------------------------------------------------------------

    /// Takes what the last frame drew where.
    pub fn drawn(&mut self, hits: HitAreas) {
        for (id, list) in &mut self.lists {
            if let Some((offset, _)) = hits.viewport_of(*id) {
                list.offset = offset;
            }
        }
        if let Some((lines, height)) = hits.detail_size() {
            self.detail_scroll = self.detail_scroll.min(lines.saturating_sub(height));
        }
        if let (Some(scroll), Some((lines, height))) = (&mut self.help, hits.overlay_size()) {
            *scroll = (*scroll).min(lines.saturating_sub(height));
        }
        if let Some((origin, window)) = hits.map_window() {
            self.map.origin = Some(origin);
            self.map.window = window;
        }
        self.hits = hits;
    }

    /// Brings the view's lists up to date with the snapshot to draw. To be called for each new snapshot.
    pub fn sync(&mut self, latest: &Arc<Snapshot>, now: Moment) {
        if self.said.as_ref().is_some_and(|shown| shown.until <= now.mono) {
            self.said = None;
        }
        let snapshot = self.snapshot(latest).clone();
        let filter =
            self.filters.get(&self.view).filter(|filter| filter.error.is_none()).map(|f| f.filter.clone());
        let filter = filter.unwrap_or_default();
        self.take_answers(latest, now);
        let before = self.message();
        if self.detail != Detail::Closed {
            // What is open is read: it does not become another thing's.
            self.current_list_mut().hold();
        }
        for id in self.view.lists() {
            // The messages come before the consumers of the one that is chosen.
            let message = self.message();
            let at_once = self.at_once || (*id == ListId::Legs && message != before);
            let take = Take { filter: &filter, fold: !self.unfolded, at_once, message: message.as_ref() };
            self.lists.entry(*id).or_default().sync(*id, &snapshot, take, now.mono);
            if *id == ListId::Traces {
                self.select_awaited();
            }
        }
        self.at_once = false;
        if self.view == View::Map {
            let found = (!filter.is_empty()).then(|| self.found());
            self.map.sync(&snapshot, found.as_ref());
        }
        if let Some(palette) = &mut self.palette {
            palette.refresh(&Known::of(&self.faults, &self.faults_on, latest));
        }
    }

    /// When the screen will change by itself, apart from ages: a message that goes, a row that moves.
    pub fn next_change(&self) -> Option<Duration> {
        let moves = self
            .view
            .lists()
            .iter()
            .filter(|_| !self.is_paused())
            .filter_map(|id| self.lists.get(id).and_then(List::next_move));
        moves.chain(self.said.as_ref().map(|shown| shown.until)).min()
    }

    /// What the filter of the map leaves.
    pub fn found(&self) -> BTreeSet<Thing> {
        self.list(ListId::Map).rows().iter().filter_map(|row| row.thing.clone()).collect()
    }

    /// Whether the picture moves by itself, so that it has to be drawn again and again.
    pub fn moves(&self) -> bool {
        !self.is_paused() && self.view == View::Map && self.hits.moves()
    }

    /// Panes of the view that can have the keys.
    fn panes_shown(&self) -> usize {
        match self.view {
            View::Propagation if self.list(ListId::Traces).rows().len() < 2 => 1,
            view => view.lists().len(),
        }
    }

    fn current_list_mut(&mut self) -> &mut List {
        let id = self.current_list();
        self.lists.entry(id).or_default()
    }

    fn sort_of(&self) -> Option<Sort> {
        self.list(self.current_list()).sort()
    }
}
