//! The map as the person has it: how near it is, what is folded, which part of it is seen, and the picture that was laid out last.
//!
//! Laying out takes longer than a frame, so it is asked for ([`Map::request`]) and done elsewhere ([`Request::run`], a pure
//! function); until it comes, the picture before stays. Only a change of who talks to whom asks for a new one: numbers never do.

pub mod drawing;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::layout::{Layout, Point, Spacing};
use crate::model::id::{DomainId, Name, ServiceId};
use crate::model::snapshot::{Snapshot, Thing};
use crate::model::time::Timestamp;

use super::list::RowId;
use drawing::Drawing;
pub use walk::Direction;

/// Starting orders that are compared for a picture from nothing. More cross less and take longer; the time goes with the square of
/// what there is to draw.
const TRIES: usize = 64;
const TRIED_NETS: usize = 2_000;
/// How long boxes take to glide to a new place.
const GLIDE: Duration = Duration::from_millis(300);
/// Neighbours that a focus shows at first, and at most.
const HOPS: usize = 1;
const MOST_HOPS: usize = 6;

/// How near one looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Zoom {
    /// Names and states.
    Far,
    /// Rates, lag, how many entities.
    Middle,
    /// Names of channels, teams, every entity with its staleness.
    Near,
}

/// What is done with what a filter does not find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unfound {
    /// It is drawn faint.
    #[default]
    Dim,
    /// It is left out.
    Hide,
}

/// How the map is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// Boxes and lines.
    Picture,
    /// A row for each channel.
    Lanes,
    /// Who uses whose data.
    Matrix,
}

/// From so many boxes on, lanes are read more easily than a picture: measured, a screen of 200 columns holds about twenty boxes with
/// their fifty lines, and above about twenty a list or matrix is answered from faster (Ghoniem, Fekete and Castagliola 2005).
pub const MANY_BOXES: usize = 20;

/// The neighbourhood of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Focus {
    pub service: ServiceId,
    pub hops: usize,
}

/// The person's map.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Map {
    zoom: Zoom,
    /// How near to look is still to be found: as near as the window allows.
    fitting: bool,
    /// The form that the person chose.
    form: Option<Form>,
    folded: BTreeSet<DomainId>,
    /// The matrix shows domains; `None`: where there are many services.
    by_domain: Option<bool>,
    focus: Option<Focus>,
    pub(super) unfound: Unfound,
    /// Whether messages move.
    pub(super) motion: bool,
    drawing: Drawing,
    /// How many services there are to draw.
    services: usize,
    /// The picture of each zoom.
    layouts: BTreeMap<Zoom, Arc<Layout>>,
    /// What was asked for last, and whether it is still to be handed out.
    asked: Option<Request>,
    waiting: bool,
    /// Where boxes were before the picture changed, and when that was.
    before: Option<(BTreeMap<Name, Point>, Duration)>,
    /// The cell at the top left of the window, in the last frame.
    pub(super) origin: Option<Point>,
    /// The window is where the person moved it, not where the selection is.
    pub(super) free: bool,
    /// Columns and rows of the window in the last frame.
    pub(super) window: (i32, i32),
}

/// A picture to be laid out.
#[derive(Debug, Clone)]
pub struct Request {
    drawing: Drawing,
    zoom: Zoom,
    /// The picture that it should resemble.
    base: Option<Arc<Layout>>,
}

/// A picture that was laid out.
#[derive(Debug, Clone)]
pub struct Laid {
    request: Request,
    layout: Arc<Layout>,
}

impl PartialEq for Laid {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.layout, &other.layout)
    }
}

impl Request {
    /// Lays out: takes its time, and is to be called where nobody waits.
    pub fn run(self) -> Laid {
        let spacing = spacing(self.zoom);
        let graph = self.drawing.graph();
        let layout = match &self.base {
            Some(base) => base.update(graph, spacing),
            None => Layout::fresh(graph, spacing, tries(graph.nets.len())),
        };
        Laid { layout: Arc::new(layout), request: self }
    }
}

fn tries(nets: usize) -> usize {
    (TRIED_NETS / nets.max(1)).clamp(2, TRIES)
}

/// The room that a zoom leaves on lines.
pub const fn spacing(zoom: Zoom) -> Spacing {
    match zoom {
        Zoom::Far => Spacing { label: 0, figures: 2, pitch: 1 },
        Zoom::Middle => Spacing { label: 7, figures: 9, pitch: 1 },
        Zoom::Near => Spacing { label: 22, figures: 18, pitch: 1 },
    }
}

impl Zoom {
    pub const ALL: [Self; 3] = [Self::Far, Self::Middle, Self::Near];

    /// The word for it on screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Far => "far",
            Self::Middle => "middle",
            Self::Near => "near",
        }
    }
}

impl Map {
    pub(super) fn new(motion: bool) -> Self {
        Self {
            zoom: Zoom::Near,
            fitting: true,
            form: None,
            folded: BTreeSet::new(),
            by_domain: None,
            focus: None,
            unfound: Unfound::Dim,
            motion,
            drawing: Drawing::default(),
            services: 0,
            layouts: BTreeMap::new(),
            asked: None,
            waiting: false,
            before: None,
            origin: None,
            free: false,
            window: (0, 0),
        }
    }

    /// How the map is drawn: as the person chose, else as can be read best.
    pub fn form(&self) -> Form {
        let many = self.services > MANY_BOXES;
        self.form.unwrap_or(if many { Form::Lanes } else { Form::Picture })
    }

    /// Whether the matrix is folded to domains.
    pub fn by_domain(&self) -> bool {
        self.by_domain.unwrap_or(self.services > MANY_BOXES)
    }

    pub(super) fn fold_matrix(&mut self) {
        self.by_domain = Some(!self.by_domain());
    }

    pub(super) fn next_form(&mut self, snapshot: &Snapshot) -> Form {
        let next = match self.form() {
            Form::Picture => Form::Lanes,
            Form::Lanes => Form::Matrix,
            Form::Matrix => Form::Picture,
        };
        // A picture of very many opens with its domains folded: unfolded it could not be read.
        if next == Form::Picture && self.form.is_none() && self.services > MANY_BOXES {
            self.folded = snapshot.services.iter().filter_map(|service| service.domain.clone()).collect();
        }
        self.form = Some(next);
        next
    }

    /// How near the picture is that is shown.
    pub fn zoom(&self) -> Zoom {
        // Until the wanted one is there, the one that is.
        if self.layouts.contains_key(&self.zoom) {
            self.zoom
        } else {
            self.layouts.keys().next_back().copied().unwrap_or(self.zoom)
        }
    }

    /// The picture to draw; `None` before the first.
    pub fn layout(&self) -> Option<&Arc<Layout>> {
        self.layouts.get(&self.zoom())
    }

    /// What the picture's boxes and routes stand for.
    pub fn drawing(&self) -> &Drawing {
        &self.drawing
    }

    /// The neighbourhood that is looked at.
    pub fn focus(&self) -> Option<&Focus> {
        self.focus.as_ref()
    }

    pub fn is_folded(&self, domain: &DomainId) -> bool {
        self.folded.contains(domain)
    }

    /// Whether what a filter does not find is left out.
    pub fn hides(&self) -> bool {
        self.unfound == Unfound::Hide
    }

    /// Whether messages move.
    pub fn motion(&self) -> bool {
        self.motion
    }

    /// The cell at the top left of the window, in the last frame.
    pub fn origin(&self) -> Option<Point> {
        self.origin
    }

    /// Whether the window stays where the person moved it.
    pub fn is_free(&self) -> bool {
        self.free
    }

    /// How far a box still is from its place: it glides there from where it stood before.
    pub fn glide(&self, key: &str, at: Point, now: Duration) -> Point {
        let Some((was, since)) = &self.before else { return at };
        let Some(from) = was.get(key) else { return at };
        let passed = now.saturating_sub(*since).as_secs_f64() / GLIDE.as_secs_f64();
        if passed >= 1.0 {
            return at;
        }
        // Slower towards the end.
        let left = (1.0 - passed) * (1.0 - passed);
        let between = |from: i32, to: i32| to + (f64::from(from - to) * left).round() as i32;
        Point { x: between(from.x, at.x), y: between(from.y, at.y) }
    }

    /// Whether boxes are still on their way.
    pub fn glides(&self, now: Duration) -> bool {
        self.before.as_ref().is_some_and(|(_, since)| now.saturating_sub(*since) < GLIDE)
    }

    /// Takes what there is to draw; asks for a picture when that has changed.
    pub(super) fn sync(&mut self, snapshot: &Snapshot, found: Option<&BTreeSet<Thing>>) {
        self.services = super::item::counted_services(snapshot).0.count();
        if self.form() != Form::Picture {
            return;
        }
        self.step_back();
        let hidden = if self.hides() { found } else { None };
        let drawing = Drawing::of(snapshot, &self.folded, hidden, self.zoom);
        let same = self
            .asked
            .as_ref()
            .is_some_and(|asked| asked.zoom == self.zoom && asked.drawing.graph() == drawing.graph());
        if same {
            // Flows of a trunk may change without the picture changing.
            self.drawing = drawing;
            return;
        }
        let base = self.layouts.get(&self.zoom).cloned();
        self.ask(drawing, base);
    }

    fn ask(&mut self, drawing: Drawing, base: Option<Arc<Layout>>) {
        // Meanings of things that are gone do no harm: the old picture is drawn with the new ones.
        self.drawing = drawing.clone();
        self.asked = Some(Request { drawing, zoom: self.zoom, base });
        self.waiting = true;
    }

    /// A picture that is wanted and was not handed out yet.
    pub(super) fn request(&mut self) -> Option<Request> {
        let waiting = std::mem::take(&mut self.waiting);
        self.asked.clone().filter(|_| waiting)
    }

    /// Takes a picture. One that nobody waits for any more is as good as any until the next comes.
    pub(super) fn take(&mut self, laid: Laid, now: Timestamp) {
        let now = Duration::from_nanos(u64::try_from(now.0).unwrap_or(0));
        let Laid { request, layout } = laid;
        let places = |layout: &Layout| -> BTreeMap<Name, Point> {
            let place = |placed: &crate::layout::Placed| {
                (placed.key.clone(), Point { x: placed.block.x, y: placed.block.y })
            };
            layout.boxes.iter().map(place).collect()
        };
        if let Some(before) = self.layouts.get(&request.zoom)
            && request.zoom == self.zoom
        {
            let (was, is) = (places(before), places(&layout));
            self.before = (was != is).then_some((was, now));
        }
        self.layouts.insert(request.zoom, layout);
    }

    /// Lays the picture out from nothing.
    pub(super) fn afresh(&mut self) {
        self.layouts.retain(|zoom, _| *zoom == self.zoom);
        self.ask(self.drawing.clone(), None);
        self.free = false;
    }

    pub(super) fn nearer(&mut self, by: isize) -> bool {
        let at = Zoom::ALL.iter().position(|zoom| *zoom == self.zoom).unwrap_or(0);
        let next = at.saturating_add_signed(by).min(Zoom::ALL.len() - 1);
        self.fitting = false;
        self.free = false;
        self.origin = None;
        self.zoom = Zoom::ALL[next];
        next != at
    }

    /// As near as the window allows: tried from the nearest, since that tells most.
    pub(super) fn fit(&mut self) {
        self.fitting = true;
        self.free = false;
        self.origin = None;
        self.zoom = Zoom::Near;
    }

    /// One step further away, while the picture does not fit into the window.
    fn step_back(&mut self) -> bool {
        let (width, height) = self.window;
        let Some(layout) =
            self.layouts.get(&self.zoom).filter(|_| self.fitting && !self.waiting && width > 0)
        else {
            return false;
        };
        let fits = layout.width <= width && layout.height <= height;
        self.fitting = !fits && self.zoom != Zoom::Far;
        if self.fitting {
            self.zoom = if self.zoom == Zoom::Near { Zoom::Middle } else { Zoom::Far };
        }
        self.fitting
    }

    /// Folds a domain, or unfolds it.
    pub(super) fn fold(&mut self, domain: &DomainId) {
        if !self.folded.remove(domain) {
            self.folded.insert(domain.clone());
        }
        self.free = false;
    }

    /// Looks at the neighbours of a service, at everything again when that is what is looked at.
    pub(super) fn look_at(&mut self, service: &ServiceId) {
        let same = self.focus.as_ref().is_some_and(|focus| focus.service == *service);
        self.focus = (!same).then(|| Focus { service: service.clone(), hops: HOPS });
    }

    pub(super) fn leave_focus(&mut self) -> bool {
        self.focus.take().is_some()
    }

    /// More or fewer neighbours; whether that did anything.
    pub(super) fn hops(&mut self, by: isize) -> bool {
        let Some(focus) = &mut self.focus else { return false };
        let before = focus.hops;
        focus.hops = focus.hops.saturating_add_signed(by).clamp(1, MOST_HOPS);
        before != focus.hops
    }

    /// Moves the window.
    pub(super) fn pan(&mut self, right: i32, down: i32) {
        let (width, height) = self.window;
        if let Some(origin) = &mut self.origin {
            origin.x += right * (width / 4).max(1);
            origin.y += down * (height / 3).max(1);
            self.free = true;
        }
    }

    /// The row that the keys reach from another.
    pub(super) fn beside(&self, row: &RowId, direction: Direction, rows: &[RowId]) -> Option<RowId> {
        walk::beside(self.layout()?, &self.drawing, row, direction, rows)
    }

    /// The next flow at the same service.
    pub(super) fn next_edge(&self, row: &RowId, by: isize, rows: &[RowId]) -> Option<RowId> {
        walk::next_edge(&self.drawing, row, by, rows)
    }
}
