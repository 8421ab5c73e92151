//! A stage for screens: a snapshot, a size and a look; keys by name; the frame as text.

use std::sync::Arc;
use std::time::Duration;

use headwater::app::{Action, App, Input, Moment, MouseInput, Options, View};
use headwater::model::snapshot::Snapshot;
use headwater::model::time::Timestamp;
use headwater::theme::{ColorDepth, Glyphs, Theme};
use headwater::ui::{self, Ctx};
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

use crate::fixture::NOW;

/// How a terminal looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dress {
    Default,
    Mono,
    Ascii,
}

pub const DRESSES: [Dress; 3] = [Dress::Default, Dress::Mono, Dress::Ascii];
pub const SIZES: [(u16, u16); 4] = [(60, 15), (80, 24), (120, 40), (200, 60)];

/// An application in front of a snapshot.
pub struct Stage {
    pub app: App,
    pub snapshot: Arc<Snapshot>,
    pub now: Timestamp,
}

impl Stage {
    /// Shows a view of a snapshot, a moment after it was taken.
    pub fn new(snapshot: Snapshot, view: View) -> Self {
        Self::at(snapshot, NOW + Duration::from_millis(400), view)
    }

    /// The same at a moment of one's own.
    pub fn at(snapshot: Snapshot, now: Timestamp, view: View) -> Self {
        let app = App::new(Options { utc: true, ..Options::default() });
        let mut stage = Self { app, snapshot: Arc::new(snapshot), now };
        stage.press(&[Action::Show(view)]);
        stage
    }

    fn moment(&self) -> Moment {
        Moment { wall: self.now, mono: Duration::from_secs(1) }
    }

    /// Does what keys would do, one after the other.
    pub fn press(&mut self, actions: &[Action]) -> &mut Self {
        for action in actions {
            self.app.update(Input::Do(*action), &self.snapshot, self.moment());
            self.app.sync(&self.snapshot, self.moment());
        }
        self
    }

    /// Clicks at a column and row of the last frame.
    pub fn click(&mut self, x: u16, y: u16) {
        self.app.update(Input::Mouse(MouseInput::Click { x, y }), &self.snapshot, self.moment());
    }

    /// Filters the view's rows.
    pub fn filter(&mut self, text: &str) -> &mut Self {
        self.press(&[Action::Filter]);
        for letter in text.chars() {
            self.app.update(Input::Type(letter), &self.snapshot, self.moment());
        }
        self.press(&[Action::Accept])
    }

    /// The frame. Drawn twice, because scrolling follows what the frame before showed.
    pub fn draw(&mut self, (width, height): (u16, u16), dress: Dress) -> Buffer {
        let theme = match dress {
            Dress::Default => Theme::load(None, ColorDepth::Ansi16).unwrap(),
            Dress::Mono | Dress::Ascii => Theme::mono(),
        };
        let glyphs = if dress == Dress::Ascii { Glyphs::Ascii } else { Glyphs::Unicode };
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        // The map's picture is laid out when its window is known, and may be laid out again to fit it.
        for _ in 0..5 {
            let mut hits = None;
            terminal
                .draw(|frame| {
                    let ctx = Ctx {
                        app: &self.app,
                        snapshot: &self.snapshot,
                        theme: &theme,
                        glyphs,
                        now: self.now,
                        zone: &TimeZone::UTC,
                    };
                    hits = Some(ui::render(frame.buffer_mut(), &ctx));
                })
                .unwrap();
            self.app.drawn(hits.unwrap());
            self.app.sync(&self.snapshot, self.moment());
            while let Some(request) = self.app.picture_wanted() {
                self.app.update(Input::Laid(request.run()), &self.snapshot, self.moment());
            }
        }
        terminal.backend().buffer().clone()
    }

    /// The frame as text.
    pub fn text(&mut self, size: (u16, u16), dress: Dress) -> String {
        ui::to_text(&self.draw(size, dress))
    }
}
