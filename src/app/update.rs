//! What each input does.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crate::model::command::Command;
use crate::model::id::Name;
use crate::model::observation::SourceState;
use crate::model::snapshot::{Cause, Severity, Snapshot, Thing};

use super::action::Action;
use super::filter::Filter;
use super::hit::Hit;
use super::item::{FieldKind, cause_of, fields, heard_of, severity_word};
use super::line::Line;
use super::list::{ListId, Sort};
use super::listen::{copied, saved};
use super::map::{Direction, Unfound};
use super::palette::{Known, Palette, Run};
use super::{App, Detail, Effect, Input, Layer, Moment, MouseInput, Paused, Said, Shown, View, ViewFilter};

/// How long something said is shown; longer when it is long or bad news.
fn reading_time(said: &Said) -> Duration {
    let letters = Duration::from_millis(40 * said.text.chars().count() as u64);
    Duration::from_secs(if said.error { 5 } else { 2 }) + letters
}

impl App {
    /// Does what an input asks, and returns what must be done outside. Never fails: what cannot be done is said.
    pub fn update(&mut self, input: Input, latest: &Arc<Snapshot>, now: Moment) -> Option<Effect> {
        let effect = match input {
            Input::Do(action) => self.act(action, latest, now),
            Input::Unbound(key) => {
                self.say(Said::failed(format!("{key} does nothing here; ? shows the keys")), now);
                None
            }
            Input::Type(c) => {
                self.edit(|line| line.insert(c.encode_utf8(&mut [0; 4])));
                None
            }
            Input::Paste(text) => {
                self.edit(|line| line.insert(&text));
                None
            }
            Input::Mouse(mouse) => self.mouse_input(mouse, latest, now),
            Input::Say(said) => {
                self.say(said, now);
                None
            }
            Input::Laid(laid) => {
                self.map.take(laid, now.wall);
                None
            }
            Input::Resized => {
                self.hits = super::HitAreas::default();
                None
            }
        };
        self.sync(latest, now);
        effect
    }

    pub(super) fn say(&mut self, said: Said, now: Moment) {
        let until = now.mono + reading_time(&said);
        self.said = Some(Shown { said, until });
    }

    fn act(&mut self, action: Action, latest: &Arc<Snapshot>, now: Moment) -> Option<Effect> {
        // Whatever is pressed, what was said has been read.
        self.said = None;
        if self.layer() == Layer::Main
            && let Some(why) = self.cannot(action)
        {
            // Backing out of nothing is not worth a word.
            if action != Action::Back {
                self.say(Said::failed(why), now);
            }
            return None;
        }
        match action {
            Action::Show(view) => self.show(view),
            Action::Up => self.vertical(-1),
            Action::Down => self.vertical(1),
            Action::PageUp => self.vertical(-self.page()),
            Action::PageDown => self.vertical(self.page()),
            Action::Top => self.vertical(isize::MIN),
            Action::Bottom => self.vertical(isize::MAX),
            Action::Left | Action::Right if self.on_picture() && !self.detail_focused() => {
                let right = action == Action::Right;
                self.walk(if right { Direction::Right } else { Direction::Left });
            }
            Action::Left => self.across = self.across.saturating_sub(1),
            Action::Right => {
                let columns = self.snapshot(latest).services.len();
                self.across = (self.across + 1).min(columns.saturating_sub(1));
            }
            Action::NextPane => self.next_pane(1),
            Action::PreviousPane => self.next_pane(-1),

            Action::ShowOnMap => self.show_on_map(latest, now),
            Action::Form => self.next_form(latest),
            Action::ZoomIn => self.zoom(1, now),
            Action::ZoomOut => self.zoom(-1, now),
            Action::Fit => self.map.fit(),
            Action::Afresh => {
                self.map.afresh();
                self.say(Said::done("laid out anew"), now);
            }
            Action::FoldDomain => self.fold_domain(latest, now),
            Action::MoreHops => self.hops(1, now),
            Action::FewerHops => self.hops(-1, now),
            Action::Unfound => {
                self.map.unfound = if self.map.hides() { Unfound::Dim } else { Unfound::Hide };
            }
            Action::Motion => {
                self.map.motion = !self.map.motion;
                let said = if self.map.motion { "messages move" } else { "messages stand still" };
                self.say(Said::done(said), now);
            }
            Action::PanLeft => self.map.pan(-1, 0),
            Action::PanRight => self.map.pan(1, 0),
            Action::PanUp => self.map.pan(0, -1),
            Action::PanDown => self.map.pan(0, 1),

            Action::Open => self.open(),
            Action::Back => self.back(),
            Action::Copy => return self.copy(latest),
            Action::Evidence => {
                self.evidence = !self.evidence;
                if self.evidence && self.detail == Detail::Closed {
                    self.open();
                }
            }
            Action::Export => return self.export(latest, now),

            Action::Propagation if self.view == View::Messages => return self.follow_heard(latest, now),
            Action::Propagation => return self.propagation(latest, now),
            Action::Listen if self.view == View::Propagation => return self.follow_record(latest, now),
            Action::Listen => self.ask_listen(latest, now),
            Action::Further => return self.further(latest, now),
            Action::Probe => self.ask_probe(latest),

            Action::Filter => {
                let text = self.filter_text().to_owned();
                self.typing = Some((Line::new(text.clone()), text));
            }
            Action::Palette => {
                self.palette = Some(Palette::open(&Known::of(&self.faults, &self.faults_on, latest)));
            }
            Action::Faults => {
                let effect = self.act(Action::Palette, latest, now);
                self.edit(|line| line.insert("fault "));
                return effect;
            }
            Action::SortNext => self.sort_next(),
            Action::SortReverse => self.sort_reverse(),
            Action::SortDefault => self.set_sort(None),
            Action::Fold if self.view == View::Map => self.focus_service(latest, now),
            Action::Fold => {
                self.unfolded = !self.unfolded;
                self.at_once = true;
            }
            Action::Pause => self.pause(latest, now),
            Action::Refresh => {
                self.say(Said::done("asking the sources again"), now);
                return Some(Effect::Command(Command::Refresh));
            }
            Action::Reconnect => return self.reconnect(latest, now),
            Action::Pullers => return self.name_pullers(latest, now),
            Action::Window => return Some(self.next_window(latest, now)),
            Action::Zone => {
                self.utc = !self.utc;
                let said = if self.utc { "times in UTC" } else { "times in your zone" };
                self.say(Said::done(said), now);
            }
            Action::Mouse => {
                self.mouse = !self.mouse;
                let said = if self.mouse {
                    "the mouse selects rows"
                } else {
                    "mouse released: the terminal can select text"
                };
                self.say(Said::done(said), now);
                return Some(Effect::Mouse(self.mouse));
            }
            Action::Help => self.help = if self.help.is_some() { None } else { Some(0) },
            Action::Redraw => return Some(Effect::Redraw),
            Action::Suspend => return Some(Effect::Suspend),
            Action::Quit => return Some(Effect::Quit),

            Action::Accept => return self.accept(latest, now),
            Action::Cancel => self.cancel(),
            Action::Complete => {
                if let Some(palette) = &mut self.palette {
                    palette.complete();
                }
            }
            Action::ChoiceUp => self.choice(-1),
            Action::ChoiceDown => self.choice(1),
            Action::DeleteBack => self.edit(Line::delete_back),
            Action::DeleteForward => self.edit(Line::delete_forward),
            Action::DeleteWord => self.edit(Line::delete_word),
            Action::DeleteLine => self.edit(Line::delete_to_start),
            Action::CursorLeft => self.edit(Line::left),
            Action::CursorRight => self.edit(Line::right),
            Action::CursorStart => self.edit(Line::start),
            Action::CursorEnd => self.edit(Line::end),
        }
        None
    }

    pub(super) fn show(&mut self, view: View) {
        self.help = None;
        if self.view != view {
            self.view = view;
            self.typing = None;
            self.close_detail();
            self.at_once = true;
        }
    }

    fn close_detail(&mut self) {
        self.detail = Detail::Closed;
        self.detail_focused = false;
        self.detail_scroll = 0;
    }

    /// Rows that fit on the screen where the keys go.
    fn page(&self) -> isize {
        let height = if self.help.is_some() {
            self.hits.overlay_size().map(|(_, height)| height)
        } else if self.detail_focused() {
            self.hits.detail_size().map(|(_, height)| height)
        } else {
            self.hits.viewport_of(self.current_list()).map(|(_, height)| height)
        };
        isize::try_from(height.unwrap_or(10).saturating_sub(1).max(1)).unwrap_or(1)
    }

    fn vertical(&mut self, rows: isize) {
        if let Some(scroll) = self.help {
            self.help = Some(scrolled(scroll, rows, self.hits.overlay_size()));
        } else if self.detail_focused() {
            self.detail_scroll = scrolled(self.detail_scroll, rows, self.hits.detail_size());
        } else if self.on_picture() {
            self.walk_rows(rows);
        } else {
            let before = self.selected().cloned();
            self.stay();
            self.current_list_mut().step(rows);
            self.follow_newest();
            if self.selected() != before.as_ref() {
                self.detail_scroll = 0;
            }
        }
    }

    /// At the top of what was heard the newest is read, whichever it is by then.
    fn follow_newest(&mut self) {
        if self.current_list() == ListId::Heard && self.list(ListId::Heard).selected_index() == Some(0) {
            self.current_list_mut().release();
        }
    }

    fn next_pane(&mut self, by: isize) {
        if self.on_picture() && !self.detail_focused() {
            self.next_edge(by);
            return;
        }
        let lists = self.view.lists().len();
        let count = lists + usize::from(self.detail == Detail::Beside);
        let before = self.pane();
        let at = if self.detail_focused() { lists } else { before };
        let next = (at as isize + by).rem_euclid(count.max(1) as isize) as usize;
        if next >= lists {
            self.detail_focused = true;
        } else {
            self.panes.insert(self.view, next);
            if before != next {
                self.detail_scroll = 0;
            }
            self.detail_focused = false;
        }
    }

    /// Using a pane is choosing it: the keys do not jump away when another gets its first row.
    fn stay(&mut self) {
        self.panes.insert(self.view, self.pane());
    }

    fn open(&mut self) {
        self.stay();
        // A message is opened already: what can be looked at more closely are its consumers.
        if self.current_list() == ListId::Traces {
            self.panes.insert(self.view, 1);
            return;
        }
        match self.detail {
            Detail::Closed => {
                self.detail = Detail::Beside;
                self.detail_focused = false;
                self.detail_scroll = 0;
            }
            Detail::Beside | Detail::Full => self.detail = Detail::Full,
        }
    }

    fn back(&mut self) {
        match self.detail {
            Detail::Full => {
                self.detail = Detail::Beside;
                self.detail_focused = false;
            }
            Detail::Beside => self.close_detail(),
            Detail::Closed if self.view == View::Map && self.map.leave_focus() => {}
            Detail::Closed => self.set_filter(String::new()),
        }
    }

    fn copy(&mut self, latest: &Arc<Snapshot>) -> Option<Effect> {
        let row = self.selected()?;
        let snapshot = self.snapshot(latest);
        if self.current_list() == ListId::Causes
            && let Some((cause, None)) = cause_of(snapshot, row)
        {
            return Some(Effect::Copy(incident(cause, snapshot)));
        }
        if let Some(message) = heard_of(snapshot, row) {
            return Some(Effect::Copy(copied(message)));
        }
        let text = match &row.thing {
            Some(thing) if self.current_list() == ListId::Traces => {
                format!("{} {}", thing.as_str(), row.part)
            }
            Some(thing) => thing.as_str().to_owned(),
            None => row.part.to_string(),
        };
        Some(Effect::Copy(text))
    }

    /// The selected message as a file, or the screen.
    fn export(&mut self, latest: &Arc<Snapshot>, now: Moment) -> Option<Effect> {
        match self.heard(self.snapshot(latest)).map(|message| saved(message, latest)) {
            Some(Ok(effect)) => Some(effect),
            Some(Err(why)) => {
                self.say(Said::failed(why), now);
                None
            }
            None => Some(Effect::Export(format!("headwater-{}", self.view.name()))),
        }
    }

    fn reconnect(&mut self, latest: &Arc<Snapshot>, now: Moment) -> Option<Effect> {
        let lost: Vec<_> = latest
            .sources
            .iter()
            .filter(|source| matches!(source.report.state, SourceState::Down | SourceState::Connecting))
            .map(|source| source.id.clone())
            .collect();
        if lost.is_empty() {
            self.say(Said::failed("no connection is lost"), now);
            return None;
        }
        let names: Vec<_> = lost.iter().map(ToString::to_string).collect();
        self.say(Said::done(format!("trying {} again", names.join(", "))), now);
        Some(Effect::Commands(lost.into_iter().map(Command::Reconnect).collect()))
    }

    fn pause(&mut self, latest: &Arc<Snapshot>, now: Moment) {
        if self.paused.take().is_some() {
            self.at_once = true;
        } else {
            self.paused = Some(Paused { snapshot: Arc::clone(latest), wall: now.wall });
        }
    }

    // --- sorting and filtering -----------------------------------------------------------------------------

    fn set_sort(&mut self, sort: Option<Sort>) {
        self.current_list_mut().sort = sort;
        self.at_once = true;
    }

    fn sort_next(&mut self) {
        let fields = fields(self.current_list());
        let next = match self.sort_of() {
            None => fields.first(),
            Some(sort) => {
                let at = fields.iter().position(|field| field.key == sort.key);
                at.and_then(|at| fields.get(at + 1))
            }
        };
        // After the last field comes the opening order again.
        self.set_sort(next.map(|field| Sort { key: field.key, descending: field.kind == FieldKind::Number }));
    }

    fn sort_reverse(&mut self) {
        let sort = match self.sort_of() {
            Some(sort) => Some(Sort { descending: !sort.descending, ..sort }),
            None => fields(self.current_list())
                .first()
                .map(|field| Sort { key: field.key, descending: field.kind != FieldKind::Number }),
        };
        self.set_sort(sort);
    }

    /// A click on a column's title: sort by it, largest first for numbers; again: the other way round.
    fn sort_by(&mut self, list: ListId, key: &'static str) {
        let Some(field) = fields(list).iter().find(|field| field.key == key).filter(|_| list.sortable())
        else {
            return;
        };
        self.focus(list);
        let sort = match self.sort_of() {
            Some(sort) if sort.key == key => Sort { descending: !sort.descending, ..sort },
            _ => Sort { key: field.key, descending: field.kind == FieldKind::Number },
        };
        self.set_sort(Some(sort));
    }

    fn set_filter(&mut self, text: String) {
        let (filter, error) = match Filter::parse(&text, self.view.lists()) {
            Ok(filter) => (filter, None),
            Err(error) => (Filter::default(), Some(error)),
        };
        self.filters.insert(self.view, ViewFilter { text, filter, error });
        self.at_once = true;
    }

    // --- typing --------------------------------------------------------------------------------------------

    fn edit(&mut self, edit: impl FnOnce(&mut Line)) {
        if let Some(palette) = &mut self.palette {
            palette.edit(edit);
        } else if let Some((line, _)) = &mut self.typing {
            edit(line);
            let text = line.text().to_owned();
            if text != self.filter_text() {
                self.set_filter(text);
            }
        }
    }

    fn choice(&mut self, by: isize) {
        match (&mut self.palette, &self.typing) {
            (Some(palette), _) => palette.step(by),
            // While a filter is typed, the arrows walk through what it leaves.
            (None, Some(_)) => self.current_list_mut().step(by),
            (None, None) => {}
        }
    }

    fn accept(&mut self, latest: &Arc<Snapshot>, now: Moment) -> Option<Effect> {
        if self.help.take().is_some() {
            return None;
        }
        if let Some(level) = self.probe.take() {
            return Some(match self.tapping.take() {
                Some(tapping) => self.change_tap(tapping, latest, now),
                None => self.change_probe(level, now),
            });
        }
        if let Some(mut palette) = self.palette.take() {
            return match palette.chosen().map(|choice| choice.run.clone()) {
                Some(Run::Type(text)) => {
                    palette.complete_to(text);
                    self.palette = Some(palette);
                    None
                }
                Some(Run::Find(channels, search)) => Some(self.find(&channels, &search, None, latest, now)),
                Some(Run::Tap(tapping)) if tapping.on => {
                    self.ask_tap(tapping);
                    None
                }
                Some(Run::Tap(tapping)) => Some(self.change_tap(tapping, latest, now)),
                Some(Run::Do(action)) => self.act(action, latest, now),
                Some(Run::Command(command)) => Some(self.command(command, now)),
                None => {
                    let said = format!("no command is called `{}`", palette.line().text());
                    self.say(Said::failed(said), now);
                    None
                }
            };
        }
        // What is not understood hides nothing: the line stays, with what is wrong, until it is mended or left by esc.
        if self.filter_error().is_none() {
            self.typing = None;
        }
        None
    }

    fn command(&mut self, command: Command, now: Moment) -> Effect {
        if let Command::Fault { id, on } = &command {
            self.fault(id, *on);
            let said = if *on { format!("fault {id} begins") } else { format!("fault {id} ends") };
            self.say(Said::done(said), now);
        }
        Effect::Command(command)
    }

    fn fault(&mut self, id: &Name, on: bool) {
        self.faults_on.retain(|other| other != id);
        if on {
            self.faults_on.push(id.clone());
        }
    }

    fn cancel(&mut self) {
        if self.help.take().is_some() {
            return;
        }
        if self.probe.take().is_some() {
            self.tapping = None;
            return;
        }
        if self.palette.take().is_some() {
            return;
        }
        if let Some((_, before)) = self.typing.take() {
            self.set_filter(before);
        }
    }

    // --- the mouse -----------------------------------------------------------------------------------------

    fn mouse_input(&mut self, mouse: MouseInput, latest: &Arc<Snapshot>, now: Moment) -> Option<Effect> {
        let (MouseInput::Click { x, y } | MouseInput::DoubleClick { x, y } | MouseInput::Scroll { x, y, .. }) =
            mouse;
        let hit = self.hits.at(x, y).copied();
        if let MouseInput::Scroll { rows, .. } = mouse {
            self.scroll(hit, isize::from(rows));
            return None;
        }
        match hit {
            Some(Hit::Choice(at)) => {
                if let Some(palette) = &mut self.palette {
                    palette.select(at);
                }
                return self.accept(latest, now);
            }
            Some(Hit::Overlay) => {}
            Some(Hit::Do(action)) => return self.act(action, latest, now),
            // Beside an open layer: close it, as everywhere else.
            _ if matches!(self.layer(), Layer::Help | Layer::Palette | Layer::Probe) => self.cancel(),
            Some(Hit::Row(list, at)) => {
                self.focus(list);
                self.current_list_mut().select(at);
                self.detail_scroll = 0;
                if matches!(mouse, MouseInput::DoubleClick { .. }) && self.cannot(Action::Open).is_none() {
                    self.open();
                }
            }
            Some(Hit::Header(list, key)) => self.sort_by(list, key),
            Some(Hit::List(list)) => self.focus(list),
            Some(Hit::Detail) => self.detail_focused = true,
            None => {}
        }
        None
    }

    fn focus(&mut self, list: ListId) {
        if let Some(at) = self.view.lists().iter().position(|other| *other == list) {
            self.panes.insert(self.view, at);
            self.detail_focused = false;
        }
    }

    fn scroll(&mut self, hit: Option<Hit>, rows: isize) {
        match hit {
            _ if self.help.is_some() => self.vertical(rows),
            _ if self.probe.is_some() => {}
            _ if self.palette.is_some() => self.choice(rows.signum()),
            Some(Hit::Detail) => {
                self.detail_scroll = scrolled(self.detail_scroll, rows, self.hits.detail_size());
            }
            Some(Hit::Row(list, _) | Hit::List(list) | Hit::Header(list, _)) => {
                self.lists.entry(list).or_default().step(rows);
                self.follow_newest();
            }
            _ => {}
        }
    }

    /// Shows the view that has a thing as a row, with that row selected: for links between things.
    pub fn go_to(&mut self, thing: &Thing, latest: &Arc<Snapshot>, now: Moment) -> bool {
        let view = match thing {
            Thing::Flow(_) => View::Flows,
            Thing::Consumer(_) => View::Consumers,
            Thing::Entity(_) => View::Ownership,
            Thing::Service(_) => View::Services,
            Thing::Source(_) | Thing::Store(_) | Thing::Channel(_) => return false,
        };
        self.show(view);
        if let Thing::Service(id) = thing {
            self.unfolded |= self.snapshot(latest).service(id).is_some_and(|service| service.only_named);
        }
        self.sync(latest, now);
        self.current_list_mut().select_thing(thing)
    }
}

/// A scroll position moved by rows within what was last drawn (lines, height).
fn scrolled(at: usize, rows: isize, size: Option<(usize, usize)>) -> usize {
    let last = size.map_or(0, |(lines, height)| lines.saturating_sub(height));
    at.saturating_add_signed(rows).min(last)
}

/// A cause with its effects as text to paste into a conversation.
fn incident(cause: &Cause, snapshot: &Snapshot) -> String {
    // A consumer that stands still is not down; its service may even be up.
    let how = match &cause.thing {
        Thing::Consumer(id) if cause.severity != Severity::Lost => {
            snapshot.consumer(id).map(|consumer| consumer.status.word())
        }
        _ => None,
    };
    let how = how.unwrap_or_else(|| severity_word(cause.severity)).replace('_', " ");
    let mut text = format!("{} {how}: {}", cause.name, cause.text);
    if let Some(team) = &cause.team {
        let _ = write!(text, " (team {team})");
    }
    for effect in &cause.effects {
        let _ = write!(text, "\n  {}: {}", effect.kind, effect.text);
    }
    if let Some(system) = &snapshot.system {
        let _ = write!(text, "\n{system}, seen by Headwater");
    }
    text
}
