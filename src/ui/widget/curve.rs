//! A distribution of delays as a curve: the share of messages that took no longer than a time, from left to right on a
//! logarithmic axis, with its percentiles and a limit marked.

use std::time::Duration;

use crate::model::histogram::{Histogram, Quantile};
use crate::model::time::nanos;
use crate::theme::{Glyph, Glyphs, Role};

use super::cell::Cell;
use super::chart::Dots;
use super::{number, text};

/// The percentiles that are marked.
const MARKED: [(f64, &str); 3] = [(0.50, "p50"), (0.95, "p95"), (0.99, "p99")];
/// Columns of the scale: `100 %`.
const SCALE: usize = 5;
/// The shortest time on the axis, in nanoseconds.
const SHORTEST: f64 = 10_000.0;

/// A curve.
#[derive(Debug, Clone, Copy)]
pub struct Curve<'a> {
    /// What took how long.
    pub delays: &'a Histogram,
    /// The longest that is allowed, to be marked.
    pub limit: Option<Duration>,
    /// Columns with the scale.
    pub width: usize,
    /// Rows without the lines below it.
    pub height: usize,
}

/// Both ends of the axis in nanoseconds, and its columns.
#[derive(Debug, Clone, Copy)]
struct Axis {
    from: f64,
    to: f64,
    columns: usize,
}

impl Axis {
    /// The time at a place from 0 to 1.
    fn time(self, share: f64) -> f64 {
        self.from * (self.to / self.from).powf(share)
    }

    /// The column of a time.
    fn column(self, nanos: f64) -> usize {
        let share = (nanos.max(self.from) / self.from).ln() / (self.to / self.from).ln();
        ((share * self.columns as f64) as usize).min(self.columns.saturating_sub(1))
    }
}

impl Curve<'_> {
    /// The rows from the top, the line of times and the line of percentiles.
    pub fn lines(&self, glyphs: Glyphs) -> Vec<Cell> {
        let columns = self.width.saturating_sub(SCALE + 2).max(1);
        let axis = self.axis(columns);
        let rows = self.height.max(2);
        let body = self.body(glyphs, axis, rows);
        let limit = self.limit.map(|limit| axis.column(nanos(limit) as f64));
        let mut lines = Vec::with_capacity(rows + 3);
        for (at, row) in body.into_iter().enumerate() {
            let share = match at {
                0 => "100 %",
                at if at + 1 == rows => "0 %",
                at if at * 2 == rows - 1 || at * 2 == rows => "50 %",
                _ => "",
            };
            let head = Cell::styled(text::pad_left(share, SCALE, ""), Role::Muted)
                .then(" ", Role::Text)
                .then(glyphs.get(Glyph::Vertical), Role::Border);
            lines.push(head.and(marked(&row, limit, glyphs)));
        }
        lines.push(times(glyphs, axis));
        lines.extend(self.percentiles(glyphs, axis, limit));
        lines
    }

    /// An axis from a little before the first to a little behind the last that matters, two powers of ten at least.
    fn axis(&self, columns: usize) -> Axis {
        let least = self.delays.min().unwrap_or(0).max(0) as f64;
        let most = self.delays.max().unwrap_or(0).max(0) as f64;
        let limit = self.limit.map_or(0.0, |limit| nanos(limit) as f64);
        let to = most.max(limit).max(SHORTEST * 100.0) * 1.2;
        let from = (least * 0.8).max(SHORTEST).min(to / 100.0);
        Axis { from, to, columns }
    }

    fn share(&self, nanos: f64) -> f64 {
        let (least, _) = self.delays.within(nanos as i64);
        least as f64 / self.delays.count().max(1) as f64
    }

    fn body(&self, glyphs: Glyphs, axis: Axis, rows: usize) -> Vec<String> {
        let mut dots = Dots::new(axis.columns, rows, glyphs);
        let mut before = None;
        for place in 0..dots.across() {
            let share = self.share(axis.time((place + 1) as f64 / dots.across() as f64));
            let level = (share * dots.levels() as f64).round() as usize;
            // A steep rise is joined by a stroke.
            let from = before.unwrap_or(level);
            (from.min(level)..=level).for_each(|level| dots.set(place, level));
            before = Some(level);
        }
        dots.rows()
    }

    /// The percentiles under their places, and the limit; side by side when they are too close for that.
    fn percentiles(&self, glyphs: Glyphs, axis: Axis, limit: Option<usize>) -> Vec<Cell> {
        let mut marks = vec![(" ", Role::Text); axis.columns];
        let mut mark = |at: usize, sign: &'static str, role: Role| {
            if let Some(place) = marks.get_mut(at) {
                *place = (sign, role);
            }
        };
        if let Some(at) = limit {
            mark(at, glyphs.get(Glyph::Vertical), Role::StateDegraded);
        }
        let mut said = Cell::text(" ".repeat(SCALE + 2));
        for (at, (q, name)) in MARKED.iter().enumerate() {
            let Some(value) = self.delays.quantile(*q).map(Quantile::middle) else { continue };
            mark(axis.column(value as f64), glyphs.get(Glyph::SortUp), Role::Key);
            let gap = if at == 0 { "" } else { "  " };
            said =
                said.then(format!("{gap}{name} "), Role::Muted).then(number::signed_nanos(value), Role::Text);
        }
        if let Some(limit) = self.limit {
            said = said
                .then(format!("  {} ", glyphs.get(Glyph::Vertical)), Role::StateDegraded)
                .then(format!("{} allowed", number::limit(limit)), Role::Muted);
        }
        let places = marks
            .into_iter()
            .fold(Cell::text(" ".repeat(SCALE + 2)), |cell, (sign, role)| cell.then(sign, role));
        vec![places, said]
    }
}

/// A row of the curve with the limit behind it.
fn marked(row: &str, limit: Option<usize>, glyphs: Glyphs) -> Cell {
    let blank = |at: &usize| row.chars().nth(*at) == Some(' ');
    let Some(at) = limit.filter(blank) else { return Cell::styled(row, Role::Chart) };
    let (before, after): (String, String) =
        (row.chars().take(at).collect(), row.chars().skip(at + 1).collect());
    Cell::styled(before, Role::Chart)
        .then(glyphs.get(Glyph::Vertical), Role::StateDegraded)
        .then(after, Role::Chart)
}

/// The powers of ten under their places.
fn times(glyphs: Glyphs, axis: Axis) -> Cell {
    let mut line = String::new();
    let mut tick = 10_f64.powf(axis.from.log10().ceil());
    let rule = glyphs.get(Glyph::Horizontal);
    let mut used = 0;
    while tick <= axis.to {
        let label = format!(" {} ", number::duration(Duration::from_nanos(tick as u64)));
        let (at, wide) = (axis.column(tick), text::width(&label));
        // Its middle under the place.
        let begin = at.saturating_sub(wide / 2).min(axis.columns.saturating_sub(wide));
        if begin >= used && begin + wide <= axis.columns {
            line.push_str(&rule.repeat(begin - used));
            line.push_str(&label);
            used = begin + wide;
        }
        tick *= 10.0;
    }
    line.push_str(&rule.repeat(axis.columns.saturating_sub(used)));
    Cell::text(" ".repeat(SCALE + 1))
        .then(glyphs.get(Glyph::CornerBottomLeft), Role::Border)
        .then(line, Role::Muted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn of(delays: &[i64]) -> Histogram {
        let mut histogram = Histogram::default();
        delays.iter().for_each(|ms| histogram.record(ms * MS));
        histogram
    }

    fn drawn(delays: &Histogram, limit: Option<u64>, glyphs: Glyphs) -> Vec<String> {
        let limit = limit.map(Duration::from_millis);
        let curve = Curve { delays, limit, width: 60, height: 5 };
        curve.lines(glyphs).iter().map(Cell::plain).collect()
    }

    #[test]
    fn it_rises_from_none_to_all() {
        let lines = drawn(&of(&(1..=100).collect::<Vec<_>>()), Some(500), Glyphs::Ascii);
        let first = |row: &str| row.find('*').expect("the curve crosses each row");
        assert!(first(&lines[4]) < first(&lines[2]) && first(&lines[2]) < first(&lines[0]), "{lines:#?}");
        assert!(lines[0].starts_with("100 % |") && lines[4].starts_with("  0 % |"), "{lines:#?}");
        assert!(lines.iter().all(|line| text::width(line) <= 60), "{lines:#?}");
        assert!(lines[5].contains(" 10 ms ") && lines[5].contains(" 100 ms "), "{lines:#?}");
        assert!(lines[7].contains("p50 50 ms  p95 95 ms  p99 99 ms  | 500 ms allowed"), "{lines:#?}");
    }

    /// What is marked stands where the curve has that height.
    #[test]
    fn a_mark_stands_under_its_percentile() {
        let lines = drawn(&of(&[&[10; 50][..], &[1_000; 50]].concat()), None, Glyphs::Unicode);
        let marks: Vec<usize> =
            lines[6].chars().enumerate().filter(|(_, c)| *c == '▴').map(|(at, _)| at).collect();
        assert_eq!(marks.len(), 2, "p95 and p99 share a place: {lines:#?}");
        let height =
            |at: usize| lines[..5].iter().position(|row| !matches!(row.chars().nth(at), Some(' ' | '⠀')));
        assert!(height(marks[0] + 1) > height(marks[1] + 1), "{lines:#?}");
    }

    #[test]
    fn any_distribution_is_drawn() {
        for delays in [&[][..], &[0], &[-5], &[-5, 7], &[i64::MAX / MS], &[1, 2, 3]] {
            for limit in [None, Some(0), Some(u64::MAX)] {
                for glyphs in [Glyphs::Unicode, Glyphs::Ascii] {
                    for width in [0, 1, 8, 20, 47] {
                        let limit = limit.map(Duration::from_millis);
                        let curve = Curve { delays: &of(delays), limit, width, height: 4 };
                        assert_eq!(curve.lines(glyphs).len(), 7);
                    }
                }
            }
        }
    }
}
