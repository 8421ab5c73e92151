//! A history as a line chart: braille dots where they can be shown, with the scale on the left and the time below.

use std::time::Duration;

use crate::theme::{Glyph, Glyphs, Role};

use super::cell::Cell;
use super::{number, text};

/// Values of equal steps, oldest first; a gap is NaN.
#[derive(Debug, Clone, Copy)]
pub struct Chart<'a> {
    pub values: &'a [f32],
    /// How much time one value covers.
    pub step: Duration,
    /// Columns with the scale.
    pub width: usize,
    /// Rows without the line of times.
    pub height: usize,
}

/// Dots in a character cell.
const DOTS_ACROSS: usize = 2;
const DOTS_DOWN: usize = 4;
/// Bits of a braille pattern by row, left and right.
const BITS: [[u32; DOTS_ACROSS]; DOTS_DOWN] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
const BRAILLE: u32 = 0x2800;

/// A field of dots: eight in a character cell where braille can be shown, else one.
#[derive(Debug)]
pub(super) struct Dots {
    cells: Vec<Vec<u32>>,
    across: usize,
    down: usize,
}

impl Dots {
    pub(super) fn new(columns: usize, rows: usize, glyphs: Glyphs) -> Self {
        let (across, down) = if glyphs.is_ascii() { (1, 1) } else { (DOTS_ACROSS, DOTS_DOWN) };
        Self { cells: vec![vec![0; columns]; rows], across, down }
    }

    /// Places from left to right.
    pub(super) fn across(&self) -> usize {
        self.cells.first().map_or(0, Vec::len) * self.across
    }

    /// The highest level; the lowest is 0.
    pub(super) fn levels(&self) -> usize {
        (self.cells.len() * self.down).saturating_sub(1)
    }

    pub(super) fn set(&mut self, place: usize, level: usize) {
        let down = self.levels() - level.min(self.levels());
        let bit = BITS.get(down % self.down).and_then(|row| row.get(place % self.across));
        let cell = self.cells.get_mut(down / self.down).and_then(|row| row.get_mut(place / self.across));
        if let (Some(bit), Some(cell)) = (bit, cell) {
            *cell |= bit;
        }
    }

    /// The rows as text, from the top.
    pub(super) fn rows(&self) -> Vec<String> {
        let sign = |bits: &u32| match (*bits, self.across) {
            (0, _) => ' ',
            (_, 1) => '*',
            (bits, _) => char::from_u32(BRAILLE + bits).unwrap_or(' '),
        };
        self.cells.iter().map(|row| row.iter().map(sign).collect()).collect()
    }
}

impl Chart<'_> {
    /// The rows, from the top, and the line of times. From zero to the largest value.
    pub fn lines(&self, glyphs: Glyphs, format: impl Fn(f64) -> String) -> Vec<Cell> {
        let top = self.values.iter().copied().filter(|v| v.is_finite()).fold(0.0, f32::max);
        // A line at zero stays at the bottom.
        let scale = if top > 0.0 { top } else { 1.0 };
        let (high, low) = (format(f64::from(top)), format(0.0));
        let margin = text::width(&high).max(text::width(&low)) + 1;
        let columns = self.width.saturating_sub(margin + 1).max(1);
        let rows = self.height.max(1);
        let body = self.draw(columns, rows, scale, glyphs);
        let mut lines = Vec::with_capacity(rows + 1);
        for (at, row) in body.into_iter().enumerate() {
            let label = match at {
                0 if top > 0.0 => high.as_str(),
                at if at + 1 == rows => low.as_str(),
                _ => "",
            };
            lines.push(
                Cell::styled(text::pad_left(label, margin - 1, ""), Role::Muted)
                    .then(" ", Role::Text)
                    .then(glyphs.get(Glyph::Vertical), Role::Border)
                    .then(row, Role::Chart),
            );
        }
        lines.push(self.times(glyphs, margin, columns));
        lines
    }

    /// The value that stands at each place from left to right, the newest at the right end; fewer values than places leave the
    /// left empty, more are averaged from the newest end.
    fn places(&self, places: usize) -> Vec<f32> {
        let group = self.values.len().div_ceil(places.max(1)).max(1);
        let mut out: Vec<f32> = self
            .values
            .rchunks(group)
            .map(|chunk| {
                let known: Vec<f32> = chunk.iter().copied().filter(|v| v.is_finite()).collect();
                known.iter().sum::<f32>() / known.len() as f32
            })
            .collect();
        // Few values are drawn wider, so that the chart fills its width.
        let repeat = (places / out.len().max(1)).max(1);
        out = out.into_iter().flat_map(|value| std::iter::repeat_n(value, repeat)).collect();
        out.resize(places, f32::NAN);
        out.reverse();
        out
    }

    /// How much time the drawn part covers.
    fn span(&self) -> Duration {
        self.step * u32::try_from(self.values.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    fn draw(&self, columns: usize, rows: usize, scale: f32, glyphs: Glyphs) -> Vec<String> {
        let mut dots = Dots::new(columns, rows, glyphs);
        let places = self.places(dots.across());
        let level = |value: f32| ((value / scale).clamp(0.0, 1.0) * dots.levels() as f32).round() as usize;
        let levels: Vec<Option<usize>> =
            places.iter().map(|value| value.is_finite().then(|| level(*value))).collect();
        let mut before: Option<usize> = None;
        for (place, now) in levels.into_iter().enumerate() {
            if let Some(now) = now {
                // A steep change is joined by a stroke, where dots are fine enough for one.
                let from = before.filter(|_| !glyphs.is_ascii()).unwrap_or(now);
                (from.min(now)..=from.max(now)).for_each(|level| dots.set(place, level));
            }
            before = now;
        }
        dots.rows()
    }

    fn times(&self, glyphs: Glyphs, margin: usize, columns: usize) -> Cell {
        let (start, end) = (format!("-{}", number::elapsed(self.span())), "now");
        let corner = glyphs.get(Glyph::CornerBottomLeft);
        let rule = glyphs.get(Glyph::Horizontal);
        let used = text::width(&start) + end.len() + 2;
        let cell = Cell::text(" ".repeat(margin)).then(corner, Role::Border);
        if used > columns {
            return cell.then(rule.repeat(columns), Role::Border);
        }
        // Where the first value stands: the left end when the values fill the chart.
        let across = if glyphs.is_ascii() { 1 } else { DOTS_ACROSS };
        let places = (columns * across).max(1);
        let group = self.values.len().div_ceil(places).max(1);
        let drawn = self.values.len().div_ceil(group).max(1);
        let filled = (drawn * (places / drawn).max(1)).div_ceil(across);
        let lead = columns.saturating_sub(filled).min(columns - used);
        let middle = columns - used - lead;
        cell.then(rule.repeat(lead), Role::Border)
            .then(format!("{start} "), Role::Muted)
            .then(rule.repeat(middle), Role::Border)
            .then(format!(" {end}"), Role::Muted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(lines: &[Cell]) -> Vec<String> {
        lines.iter().map(Cell::plain).collect()
    }

    #[test]
    fn a_ramp_rises_from_the_lower_left_to_the_upper_right() {
        let values: Vec<f32> = (0..24).map(|v| v as f32).collect();
        let chart = Chart { values: &values, step: Duration::from_secs(1), width: 16, height: 3 };
        let lines = plain(&chart.lines(Glyphs::Unicode, |v| format!("{v:.0}")));
        assert_eq!(lines.len(), 4);
        assert!(lines[0].starts_with("23 │"), "{lines:?}");
        assert!(lines[2].starts_with(" 0 │"), "{lines:?}");
        assert!(lines.iter().all(|line| text::width(line) == 16), "{lines:?}");
        assert_eq!(lines[0].chars().last(), Some('⠋'), "{lines:?}");
        assert!(lines[3].contains("-0m23") && lines[3].ends_with("now"), "{lines:?}");
    }

    #[test]
    fn gaps_stay_empty_and_zero_lies_at_the_bottom() {
        let values = [0.0, 0.0, f32::NAN, f32::NAN, 0.0, 0.0];
        let chart = Chart { values: &values, step: Duration::from_secs(1), width: 9, height: 2 };
        let lines = plain(&chart.lines(Glyphs::Ascii, |v| format!("{v:.0}")));
        assert_eq!(lines[0], "  |      ");
        assert_eq!(lines[1], "0 |**  **");
    }

    #[test]
    fn any_size_is_drawn() {
        for len in [0, 1, 2, 7, 240] {
            let values = vec![1.0; len];
            for width in 0..30 {
                for height in 0..4 {
                    for glyphs in [Glyphs::Unicode, Glyphs::Ascii] {
                        let chart = Chart { values: &values, step: Duration::from_secs(10), width, height };
                        assert_eq!(chart.lines(glyphs, |v| format!("{v}")).len(), height.max(1) + 1);
                    }
                }
            }
        }
    }
}
