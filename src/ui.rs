//! Draws one frame from what the person is doing and what is known: a pure function of ([`Ctx`], size).
//!
//! One file per panel; [`render`] is the only list of them. Nothing here reads a clock or does I/O, and nothing from outside reaches
//! the terminal without having been cleaned.
//!
//! May use: `app`, `model`, `layout`, `theme`, `keymap`. Used by: `tui`, `report`.

mod area;
pub mod blank;
pub mod chrome;
pub mod consumers;
pub mod detail;
pub mod flows;
pub mod listing;
pub mod map;
pub mod messages;
pub mod overview;
pub mod ownership;
pub mod phrase;
pub mod propagation;
pub mod services;
pub mod signs;
pub mod widget;

use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::hit::{Area, Hit, HitAreas};
use crate::app::list::ListId;
use crate::app::{App, Detail, View};
use crate::model::id::SourceId;
use crate::model::observation::SourceState;
use crate::model::snapshot::{Entity, Flow, Replica, Service, Snapshot, Source, Thing};
use crate::model::time::{Mono, Timestamp, nanos};
use crate::theme::{Glyph, Glyphs, Role, Theme};

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
        Look { theme: self.theme, glyphs: self.glyphs, now: self.now, lost: None }
    }

    /// The same for what a source told.
    pub fn look_at(&self, source: &SourceId) -> Look<'a> {
        Look { lost: self.snapshot.source(source).and_then(|source| lost_since(source)), ..self.look() }
    }

    /// The same for what brokers told, whichever: lost when all of them are.
    pub fn look_at_brokers(&self) -> Look<'a> {
        let answered: Option<Vec<_>> = blank::brokers(self.snapshot).map(lost_since).collect();
        Look { lost: answered.and_then(|times| times.into_iter().max()), ..self.look() }
    }

    /// The same for a thing: stores and health checks are seen without a broker too.
    pub fn look_at_thing(&self, thing: &Thing) -> Look<'a> {
        match thing {
            Thing::Consumer(id) => match self.snapshot.consumer(id) {
                Some(consumer) => self.look_at(&consumer.source),
                None => self.look(),
            },
            Thing::Channel(id) => match self.snapshot.channel(id) {
                Some(channel) => self.look_at(&channel.source),
                None => self.look(),
            },
            Thing::Flow(id) => match self.snapshot.flow(id) {
                Some(flow) => self.look_at_flow(flow),
                None => self.look(),
            },
            Thing::Entity(id) => match self.snapshot.entity(id) {
                Some(entity) => self.look_at_entity(entity),
                None => self.look(),
            },
            Thing::Service(id) => match self.snapshot.service(id) {
                Some(service) => self.look_at_service(service),
                None => self.look(),
            },
            Thing::Source(_) | Thing::Store(_) => self.look(),
        }
    }

    /// The same for a service: one without a health check is known by its connections alone.
    pub fn look_at_service(&self, service: &Service) -> Look<'a> {
        if service.health.is_empty() { self.look_at_brokers() } else { self.look() }
    }

    /// The same for a flow: for what the source of its channel told, where it has one.
    pub fn look_at_flow(&self, flow: &Flow) -> Look<'a> {
        match flow.channel.as_ref().and_then(|id| self.snapshot.channel(id)) {
            Some(channel) => self.look_at(&channel.source),
            None => self.look_at_brokers(),
        }
    }

    /// The same for a copy: for what the source of its consumer told, where it has one.
    pub fn look_at_copy(&self, copy: &Replica) -> Look<'a> {
        match copy.consumer.as_ref().and_then(|id| self.snapshot.consumer(id)) {
            Some(consumer) => self.look_at(&consumer.source),
            None => self.look_at_brokers(),
        }
    }

    /// The same for an entity: lost when all of its copies are.
    pub fn look_at_entity(&self, entity: &Entity) -> Look<'a> {
        if entity.replicas.is_empty() {
            return self.look_at_brokers();
        }
        let lost: Option<Vec<_>> = entity.replicas.iter().map(|copy| self.look_at_copy(copy).lost).collect();
        Look { lost: lost.and_then(|times| times.into_iter().max()), ..self.look() }
    }

    /// The wall clock as a length of time: for what moves.
    pub fn mono_now(&self) -> std::time::Duration {
        std::time::Duration::from_nanos(u64::try_from(self.now.0).unwrap_or(0))
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

    /// A time of day in the chosen zone with milliseconds, `15:04:51.412`.
    pub fn clock_precise(&self, at: Timestamp) -> String {
        self.zoned(at, "%H:%M:%S%.3f")
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

/// When a broker answered last that answered once and does not now: its numbers stand, and grow old. Health checks that fail are
/// news of the services, and a source that never answered has no numbers.
fn lost_since(source: &Source) -> Option<Timestamp> {
    let away = matches!(source.report.state, SourceState::Down | SourceState::Connecting);
    source.answered_at.filter(|_| away && &*source.report.kind != "health")
}

/// Below this nothing useful can be shown.
pub const SMALLEST: (u16, u16) = (60, 15);

/// From this width on the detail pane stands beside the list, not below it.
const SIDE_BY_SIDE: u16 = 150;

/// Draws a whole frame and returns what can be pointed at.
pub fn render(buf: &mut Buffer, ctx: &Ctx<'_>) -> HitAreas {
    let area = *buf.area();
    let mut hits = HitAreas::default();
    buf.set_style(area, ctx.theme.style(Role::Text));
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        chrome::too_small(ctx, buf, area);
        make_safe(buf, ctx.glyphs);
        return hits;
    }
    let header = chrome::header::draw(ctx, buf, area, &mut hits);
    let footer = Rect { y: area.bottom() - 1, height: 1, ..area };
    let body = Rect {
        x: area.x + 1,
        y: area.y + header,
        width: area.width - 2,
        height: area.height.saturating_sub(header + 1),
    };
    if chrome::connecting::applies(ctx) {
        chrome::connecting::draw(ctx, buf, body);
    } else {
        draw_body(ctx, buf, body, &mut hits);
    }
    chrome::footer::draw(ctx, buf, footer, &mut hits);
    chrome::palette::draw(ctx, buf, area, &mut hits);
    chrome::probe::draw(ctx, buf, area, &mut hits);
    chrome::help::draw(ctx, buf, area, &mut hits);
    make_safe(buf, ctx.glyphs);
    hits
}

fn draw_body(ctx: &Ctx<'_>, buf: &mut Buffer, body: Rect, hits: &mut HitAreas) {
    let (view, detail) = match ctx.app.detail() {
        Detail::Closed => (Some(body), None),
        Detail::Full => (None, Some(body)),
        Detail::Beside if body.width >= SIDE_BY_SIDE => {
            let wide = body.width * 2 / 5;
            let view = Rect { width: body.width - wide - 3, ..body };
            (Some(view), Some(Rect { x: body.right() - wide, width: wide, ..body }))
        }
        Detail::Beside => {
            // A table of few rows leaves the rest of its part to the pane.
            let high = (body.height * 3 / 5).max(body.height.saturating_sub(needed(ctx, body.height)));
            let view = Rect { height: body.height - high, ..body };
            (Some(view), Some(Rect { y: body.bottom() - high, height: high, ..body }))
        }
    };
    if let Some(area) = view {
        draw_view(ctx, buf, area, hits);
    }
    if let Some(area) = detail {
        let inner = chrome::detail_frame(ctx, buf, area, view.is_some_and(|view| view.right() < area.x));
        hits.add(area, Hit::Detail);
        detail::draw(ctx, buf, inner, hits);
    }
}

/// Rows that the view makes use of, where it is one table: its header, its rows, and the line about what is folded.
fn needed(ctx: &Ctx<'_>, most: u16) -> u16 {
    let list = ctx.app.list(ctx.app.current_list());
    match ctx.view() {
        View::Messages if !list.rows().is_empty() => {
            let rows = u16::try_from(list.rows().len()).unwrap_or(most);
            rows.saturating_add(1 + messages::head(ctx, most)).min(most)
        }
        View::Flows | View::Consumers | View::Services if !list.rows().is_empty() => {
            let rows = u16::try_from(list.rows().len()).unwrap_or(most);
            rows.saturating_add(1 + u16::from(list.foldable() > 0)).min(most)
        }
        _ => most,
    }
}

fn draw_view(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
    hits.add(area, Hit::List(ctx.app.current_list()));
    match ctx.view() {
        View::Overview => overview::draw(ctx, buf, area, hits),
        View::Flows => flows::draw(ctx, buf, area, hits),
        View::Consumers => consumers::draw(ctx, buf, area, hits),
        View::Ownership => ownership::draw(ctx, buf, area, hits),
        View::Services => services::draw(ctx, buf, area, hits),
        View::Map => map::draw(ctx, buf, area, hits),
        View::Propagation => propagation::draw(ctx, buf, area, hits),
        View::Messages => messages::draw(ctx, buf, area, hits),
    }
}

/// The last line of defence: whatever a panel wrote, no character that could steer the terminal is left, and a terminal that shows
/// only ASCII gets only ASCII.
fn make_safe(buf: &mut Buffer, glyphs: Glyphs) {
    for cell in &mut buf.content {
        let symbol = cell.symbol();
        if symbol.chars().any(widget::text::is_unsafe) {
            cell.set_symbol(glyphs.get(Glyph::Unshowable));
        } else if glyphs.is_ascii() && !symbol.is_ascii() {
            // A cell is one column: forms that take two have been put in by whoever counted the columns.
            let form = Glyphs::ascii_of(symbol)
                .filter(|form| form.len() == 1)
                .unwrap_or(glyphs.get(Glyph::Unshowable));
            cell.set_symbol(form);
        }
    }
}

impl From<Rect> for Area {
    fn from(rect: Rect) -> Self {
        Self { x: rect.x, y: rect.y, width: rect.width, height: rect.height }
    }
}

/// A frame as plain text, one line per row, without trailing spaces: for exports and reports.
pub fn to_text(buf: &Buffer) -> String {
    let mut out = String::new();
    for y in buf.area().top()..buf.area().bottom() {
        let mut line = String::new();
        let mut covered = 0;
        for x in buf.area().left()..buf.area().right() {
            // A wide character covers the cells after it.
            if covered > 0 {
                covered -= 1;
                continue;
            }
            let symbol = buf.cell((x, y)).map_or(" ", |cell| cell.symbol());
            covered = widget::text::width(symbol).saturating_sub(1);
            line.push_str(symbol);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
