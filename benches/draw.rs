//! How long a frame takes: every view at 200×60 over a system of a thousand rows and twenty thousand flows, and how long a
//! new snapshot takes to be filtered and put in order. Aim: 3 ms for a frame.

// Helpers of benchmarks may panic: nobody watches them but us.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../tests/fixture/fixture.rs"]
mod fixture;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use headwater::app::{Action, App, Input, Moment, Options, View};
use headwater::model::snapshot::Snapshot;
use headwater::theme::{ColorDepth, Glyphs, Theme};
use headwater::ui::{self, Ctx};
use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const SCREEN: Rect = Rect { x: 0, y: 0, width: 200, height: 60 };

fn moment(second: u64) -> Moment {
    Moment { wall: fixture::NOW, mono: Duration::from_secs(second) }
}

fn shown(snapshot: &Arc<Snapshot>, view: View, actions: &[Action]) -> App {
    let mut app = App::new(Options { utc: true, ..Options::default() });
    for action in std::iter::once(&Action::Show(view)).chain(actions) {
        app.update(Input::Do(*action), snapshot, moment(1));
        app.sync(snapshot, moment(1));
    }
    app
}

fn frames(c: &mut Criterion) {
    let snapshot = Arc::new(fixture::crowd(1_000, 20_000));
    let theme = Theme::load(None, ColorDepth::Ansi16).unwrap();
    let mut group = c.benchmark_group("draw 200x60");
    for view in View::ALL {
        for (what, actions) in [("", &[][..]), (" with detail", &[Action::Open][..])] {
            let app = shown(&snapshot, *view, actions);
            let ctx = Ctx {
                app: &app,
                snapshot: &snapshot,
                theme: &theme,
                glyphs: Glyphs::Unicode,
                now: fixture::NOW,
                zone: &TimeZone::UTC,
            };
            group.bench_function(format!("{}{what}", view.name()), |b| {
                b.iter(|| {
                    let mut buffer = Buffer::empty(SCREEN);
                    black_box(ui::render(&mut buffer, &ctx));
                    buffer
                });
            });
        }
    }
    group.finish();
}

/// What a new snapshot costs before its first frame: rows found, filtered and put in order.
fn orders(c: &mut Criterion) {
    let snapshot = Arc::new(fixture::crowd(1_000, 20_000));
    let mut group = c.benchmark_group("order");
    for view in View::ALL {
        let mut app = shown(&snapshot, *view, &[]);
        let mut second = 2;
        group.bench_function(view.name(), |b| {
            b.iter(|| {
                second += 1;
                app.sync(black_box(&snapshot), moment(second));
            });
        });
    }
    let mut app = shown(&snapshot, View::Flows, &[Action::Filter]);
    for letter in "from:service-0001 rate>10".chars() {
        app.update(Input::Type(letter), &snapshot, moment(1));
    }
    app.update(Input::Do(Action::Accept), &snapshot, moment(1));
    group.bench_function("flows filtered", |b| b.iter(|| app.sync(black_box(&snapshot), moment(1))));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(300));
    targets = frames, orders
}
criterion_main!(benches);
