//! The map: how long laying out takes, how long a frame takes, how many bytes a frame of what moves costs the terminal, and how much
//! crosses. Aims: 150 ms for a layout of 200 services with 600 edges (off the draw path), 3 ms for a frame at 200×60 and 8 ms at
//! 400×120, 2.5 kB for a frame of the sample store.

// Helpers of benchmarks may panic: nobody watches them but us.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[path = "../tests/fixture/fixture.rs"]
mod fixture;
#[path = "../tests/layout/graphs.rs"]
mod graphs;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use headwater::app::{Action, App, Input, Moment, Options, View};
use headwater::layout::{Layout, cells};
use headwater::model::snapshot::Snapshot;
use headwater::theme::{ColorDepth, Glyphs, Theme};
use headwater::ui::{self, Ctx};
use jiff::tz::TimeZone;
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use graphs::{SPACING, realistic};

fn layouts(c: &mut Criterion) {
    let mut group = c.benchmark_group("layout");
    for (services, edges, domains, tries) in [(12, 30, 5, 64), (60, 150, 6, 24), (200, 600, 20, 6)] {
        let graph = realistic(1, services, edges, domains);
        let name = format!("{services} services, {edges} edges");
        let layout = Layout::fresh(&graph, SPACING, tries);
        let measure = cells::measure(&layout);
        println!(
            "{name}, {tries} starts: {} x {} cells, {} crossings, {} ambiguous, {} drawn",
            layout.width, layout.height, measure.crossings, measure.ambiguous, measure.drawn
        );
        group.bench_function(format!("{name}, one start"), |b| {
            b.iter(|| Layout::fresh(black_box(&graph), SPACING, 1));
        });
        group.bench_function(format!("{name}, {tries} starts"), |b| {
            b.iter(|| Layout::fresh(black_box(&graph), SPACING, tries));
        });
        group.bench_function(format!("{name}, one edge more"), |b| {
            let mut more = graph.clone();
            more.nets.push(graphs::net("more", 0, &[services - 1]));
            b.iter(|| layout.update(black_box(&more), SPACING));
        });
    }
    group.finish();
}

fn moment() -> Moment {
    Moment { wall: fixture::NOW, mono: Duration::from_secs(1) }
}

/// An application with the picture of a system before it, everything laid out.
fn on_the_map(snapshot: &Arc<Snapshot>, screen: Rect) -> App {
    let mut app = App::new(Options { utc: true, ..Options::default() });
    app.update(Input::Do(Action::Show(View::Map)), snapshot, moment());
    if app.map().form() != headwater::app::map::Form::Picture {
        app.update(Input::Do(Action::Form), snapshot, moment());
        app.update(Input::Do(Action::Form), snapshot, moment());
    }
    for _ in 0..5 {
        let mut buffer = Buffer::empty(screen);
        let theme = Theme::mono();
        let hits = ui::render(&mut buffer, &ctx(&app, snapshot, &theme, 0));
        app.drawn(hits);
        app.sync(snapshot, moment());
        while let Some(request) = app.picture_wanted() {
            app.update(Input::Laid(request.run()), snapshot, moment());
        }
    }
    app
}

static UTC: TimeZone = TimeZone::UTC;

fn ctx<'a>(app: &'a App, snapshot: &'a Snapshot, theme: &'a Theme, frame: u64) -> Ctx<'a> {
    Ctx {
        app,
        snapshot,
        theme,
        glyphs: Glyphs::Unicode,
        now: fixture::NOW + Duration::from_millis(84 * frame),
        zone: &UTC,
    }
}

fn frames(c: &mut Criterion) {
    let theme = Theme::load(None, ColorDepth::True).unwrap();
    let mut group = c.benchmark_group("map frame");
    let systems =
        [("sample store", fixture::bad_day()), ("200 services, 600 flows", fixture::crowd(200, 600))];
    for (what, snapshot) in systems {
        let snapshot = Arc::new(snapshot);
        for (width, height) in [(200, 60), (400, 120)] {
            let screen = Rect { x: 0, y: 0, width, height };
            let app = on_the_map(&snapshot, screen);
            let draw = |frame: u64| {
                let mut buffer = Buffer::empty(screen);
                let hits = ui::render(&mut buffer, &ctx(&app, &snapshot, &theme, frame));
                (buffer, hits)
            };
            println!("{what} at {width}x{height}: {} bytes in a frame", bytes(&draw));
            group.bench_function(format!("{what} at {width}x{height}"), |b| b.iter(|| black_box(draw(1))));
        }
    }
    group.finish();
}

/// Bytes to the terminal for a frame of what moves: the mean of many.
fn bytes(draw: &dyn Fn(u64) -> (Buffer, headwater::app::hit::HitAreas)) -> usize {
    const FRAMES: u64 = 48;
    let mut written = 0;
    let mut before = draw(0).0;
    for frame in 1..=FRAMES {
        let after = draw(frame).0;
        let mut out = Vec::new();
        CrosstermBackend::new(&mut out).draw(before.diff(&after).into_iter()).unwrap();
        written += out.len();
        before = after;
    }
    written / FRAMES as usize
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(300));
    targets = layouts, frames
}
criterion_main!(benches);
