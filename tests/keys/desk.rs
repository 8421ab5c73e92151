//! Somebody at the keys: an application, a snapshot that can be changed, a clock that can be moved.

use std::sync::Arc;
use std::time::Duration;

use headwater::app::list::ListId;
use headwater::app::{App, Effect, Input, Layer, Moment, Options};
use headwater::keymap::{self, Key};
use headwater::model::snapshot::Snapshot;
use headwater::theme::{Glyphs, Theme};
use headwater::ui::{self, Ctx};
use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::fixture;

pub struct Desk {
    pub app: App,
    pub snapshot: Arc<Snapshot>,
    /// Seconds since the start.
    pub seconds: f64,
    pub size: (u16, u16),
    /// What was asked of the outside, oldest first.
    pub effects: Vec<Effect>,
}

impl Desk {
    pub fn new(options: Options) -> Self {
        let mut desk = Self {
            app: App::new(options),
            snapshot: Arc::new(fixture::bad_day()),
            seconds: 0.0,
            size: (80, 24),
            effects: Vec::new(),
        };
        desk.sync();
        desk
    }

    pub fn start() -> Self {
        Self::new(Options { utc: true, ..Options::default() })
    }

    fn now(&self) -> Moment {
        let passed = Duration::try_from_secs_f64(self.seconds).unwrap();
        Moment { wall: fixture::NOW + passed, mono: passed }
    }

    fn sync(&mut self) {
        let now = self.now();
        self.app.sync(&self.snapshot, now);
        self.draw();
    }

    /// Time passes and a snapshot comes.
    pub fn wait(&mut self, seconds: f64) -> &mut Self {
        self.seconds += seconds;
        self.sync();
        self
    }

    /// Another snapshot comes.
    pub fn change(&mut self, change: impl FnOnce(&mut Snapshot)) -> &mut Self {
        change(Arc::make_mut(&mut self.snapshot));
        self.sync();
        self
    }

    pub fn input(&mut self, input: Input) -> &mut Self {
        let now = self.now();
        self.effects.extend(self.app.update(input, &self.snapshot, now));
        self.draw();
        self
    }

    /// Presses keys, written as the table of bindings writes them; a quoted word is typed letter by letter.
    pub fn keys(&mut self, script: &str) -> &mut Self {
        for word in script.split_whitespace() {
            if let Some(text) = word.strip_prefix('\'') {
                for c in text.chars() {
                    self.press(Key::char(if c == '_' { ' ' } else { c }));
                }
            } else {
                self.press(Key::parse(word).unwrap_or_else(|| panic!("`{word}` is not a key")));
            }
        }
        self
    }

    fn press(&mut self, key: Key) {
        let layer = self.app.layer();
        if let Some(action) = keymap::lookup(layer, key) {
            self.input(Input::Do(action));
        } else if let Some(c) = key.typed()
            && self.app.typing().is_some() | self.app.palette().is_some()
        {
            self.input(Input::Type(c));
        } else if layer == Layer::Main {
            self.input(Input::Unbound(key.to_string()));
        }
    }

    /// Draws, as the run loop does after everything that happens, and returns what is on screen.
    pub fn draw(&mut self) -> String {
        let mut buf = Buffer::empty(Rect::new(0, 0, self.size.0, self.size.1));
        let theme = Theme::mono();
        let hits = ui::render(
            &mut buf,
            &Ctx {
                app: &self.app,
                snapshot: self.app.snapshot(&self.snapshot),
                theme: &theme,
                glyphs: Glyphs::Unicode,
                now: self.app.wall(self.now().wall),
                zone: &TimeZone::UTC,
            },
        );
        self.app.drawn(hits);
        ui::to_text(&buf)
    }

    /// Lays out what the map wants, as a thread beside the run loop does.
    pub fn lay_out(&mut self) -> &mut Self {
        for _ in 0..5 {
            while let Some(request) = self.app.picture_wanted() {
                self.input(Input::Laid(request.run()));
            }
            self.sync();
        }
        self
    }

    /// Selects the row of a name in a list, as a click on it would.
    pub fn select(&mut self, list: ListId, name: &str) -> bool {
        let row = self
            .app
            .list(list)
            .rows()
            .iter()
            .find(|row| row.thing.as_ref().is_some_and(|thing| thing.as_str() == name));
        let Some(thing) = row.and_then(|row| row.thing.clone()) else { return false };
        let now = self.now();
        self.app.select_on_map(&thing, &self.snapshot, now)
    }

    /// The last line of the screen.
    /// What the footer says, without the keys that stand at its right end.
    pub fn said(&mut self) -> String {
        self.footer().split("   ").next().unwrap().to_owned()
    }

    pub fn footer(&mut self) -> String {
        self.draw().lines().last().unwrap().trim().to_owned()
    }

    /// The names of a list's rows, in order.
    pub fn rows(&self, list: ListId) -> Vec<String> {
        let name = |thing: &headwater::model::snapshot::Thing| thing.as_str().to_owned();
        let rows = self.app.list(list).rows().iter();
        rows.map(|row| row.thing.as_ref().map(name).unwrap_or_default()).collect()
    }

    pub fn selected(&self) -> &str {
        self.app.selected_thing().map_or("", |thing| thing.as_str())
    }
}
