//! Draws one frame from what the person is doing and what is known: a pure function of ([`Ctx`], size).
//!
//! One file per panel; [`render`] is the only list of them. Nothing here reads a clock or does I/O, and nothing from outside reaches
//! the terminal without having been cleaned.
//!
//! May use: `app`, `model`, `layout`, `theme`, `keymap`. Used by: `tui`, `report`.

pub mod consumers;
pub mod detail;
pub mod flows;
pub mod overview;
pub mod ownership;
pub mod services;
pub mod widget;

use jiff::tz::TimeZone;
use ratatui::layout::Rect;

use crate::app::hit::Area;
use crate::app::list::ListId;
use crate::app::{App, View};
use crate::model::snapshot::Snapshot;
use crate::model::time::{Mono, Timestamp, nanos};
use crate::theme::{Glyphs, Theme};

use widget::{Look, Table, table::Column};

/// Everything that a frame is drawn from.
#[derive(Clone, Copy)]
pub struct Ctx<'a> {
    pub app: &'a App,
    /// The snapshot to draw (already the frozen one while paused).
    pub snapshot: &'a Snapshot,
    pub theme: &'a Theme,
    pub glyphs: Glyphs,
    /// Now on the observer's wall clock (the moment of the pause while paused).
    pub now: Timestamp,
    /// The zone to show times in.
    pub zone: &'a TimeZone,
}

impl<'a> Ctx<'a> {
    /// What widgets need.
    pub fn look(&self) -> Look<'a> {
        Look { theme: self.theme, glyphs: self.glyphs, now: self.now }
    }

    /// The snapshot's moment on the clock that histories are kept by.
    pub fn mono(&self) -> Mono {
        Mono(u64::try_from(nanos(self.snapshot.watched)).unwrap_or(0))
    }

    /// A time of day in the chosen zone, `15:04:51`.
    pub fn clock(&self, at: Timestamp) -> String {
        self.zoned(at, "%H:%M:%S")
    }

    /// A time of day in the chosen zone, `15:04`.
    pub fn clock_short(&self, at: Timestamp) -> String {
        self.zoned(at, "%H:%M")
    }

    /// Date and time in the chosen zone.
    pub fn date_time(&self, at: Timestamp) -> String {
        self.zoned(at, "%Y-%m-%d %H:%M:%S")
    }

    fn zoned(&self, at: Timestamp, format: &str) -> String {
        jiff::Timestamp::from_nanosecond(i128::from(at.0))
            .map(|at| at.to_zoned(self.zone.clone()).strftime(format).to_string())
            .unwrap_or_default()
    }

    /// A table over a list of the app: rows, selection, scroll and sort as the app has them.
    pub fn table<'t>(&self, list: ListId, columns: &'t [Column]) -> Table<'t> {
        let state = self.app.list(list);
        Table {
            list,
            columns,
            rows: state.rows().len(),
            selected: state.selected_index(),
            offset: state.offset(),
            sort: state.sort().map(|sort| (sort.key, sort.descending)),
            focused: self.app.focused(list),
        }
    }

    /// The view that is shown.
    pub fn view(&self) -> View {
        self.app.view()
    }
}

impl From<Rect> for Area {
    fn from(rect: Rect) -> Self {
        Self { x: rect.x, y: rect.y, width: rect.width, height: rect.height }
    }
}
