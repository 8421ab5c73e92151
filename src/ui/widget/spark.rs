//! Sparklines: the shape of the last while in one row.

use crate::model::snapshot::Trend;
use crate::theme::{Glyph, Glyphs};

/// How the height of a sparkline is chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// From zero to the largest value: shapes can be compared with zero.
    ZeroToMax,
    /// From zero to a given value, for lines that must be compared with each other.
    ZeroTo(f32),
}

/// A sparkline of exactly `width` columns; the newest value is at the right end, missing ones (NaN, or no history yet) are
/// spaces. More values than columns are averaged in groups of equal size.
pub fn sparkline(glyphs: Glyphs, values: &[f32], width: usize, scale: Scale) -> String {
    sparklines(glyphs, values, width, 1, scale).pop().unwrap_or_default()
}

/// A sparkline of several rows, from the top: the same columns, with so many times the heights.
pub fn sparklines(glyphs: Glyphs, values: &[f32], width: usize, rows: usize, scale: Scale) -> Vec<String> {
    if width == 0 {
        return vec![String::new(); rows];
    }
    let group = values.len().div_ceil(width).max(1);
    // Groups are counted from the newest end, so that a column keeps its values while time goes on.
    let mut columns: Vec<f32> = values.rchunks(group).map(mean).collect();
    columns.reverse();
    let max = match scale {
        Scale::ZeroToMax => columns.iter().copied().filter(|v| v.is_finite()).fold(0.0, f32::max),
        Scale::ZeroTo(max) => max,
    };
    let share = |value: f32| if max > 0.0 { (value / max).clamp(0.0, 1.0) } else { 0.0 };
    let row = |from_foot: usize| {
        let mut out = " ".repeat(width.saturating_sub(columns.len()));
        for value in &columns {
            // How much of this row is filled. At the foot zero is a line: it was measured.
            let filled = share(*value) * rows as f32 - from_foot as f32;
            let empty = !value.is_finite() || (from_foot > 0 && filled <= 0.0);
            out.push_str(if empty { " " } else { glyphs.spark(filled) });
        }
        out
    };
    (0..rows).rev().map(row).collect()
}

/// What full height means for a line that is to be calm: the largest value where the line comes near zero; the less it
/// varies, the more above that, so that a constant one runs flat below the middle and only what really moves stands out.
pub fn calm_top(values: &[f32]) -> f32 {
    /// How far above itself the top of a constant line is, in its own heights.
    const ABOVE: f32 = 1.4;
    let known = || values.iter().copied().filter(|v| v.is_finite());
    let max = known().fold(0.0, f32::max);
    let least = known().fold(max, f32::min).max(0.0);
    if max > 0.0 { max * (1.0 + ABOVE * (least / max).powi(4)) } else { 0.0 }
}

/// The values with each held until the next one, where the next one came about when it was to be expected: what is asked every
/// two seconds is a line and not a row of dots, and a silence of several times that stays a gap. `NaN` is a gap.
pub fn held(values: &[f32]) -> Vec<f32> {
    let known: Vec<usize> =
        values.iter().enumerate().filter(|(_, value)| value.is_finite()).map(|(at, _)| at).collect();
    let mut steps: Vec<usize> = known.iter().zip(known.iter().skip(1)).map(|(a, b)| b - a).collect();
    steps.sort_unstable();
    // The usual distance; twice that may pass when a question comes a little late.
    let Some(usual) = steps.get(steps.len() / 2).copied() else { return values.to_vec() };
    let mut out = values.to_vec();
    for (index, at) in known.iter().copied().enumerate() {
        let last = index + 1 == known.len();
        let next = known.get(index + 1).copied().unwrap_or(values.len());
        let hold = if last { next.min(at + 2 * usual) } else { next };
        if last || next - at <= 2 * usual {
            let value = values.get(at).copied().unwrap_or(f32::NAN);
            out.iter_mut().take(hold).skip(at + 1).for_each(|slot| *slot = value);
        }
    }
    out
}

/// The mean of what is known; NaN when nothing is.
fn mean(values: &[f32]) -> f32 {
    let known: Vec<f32> = values.iter().copied().filter(|v| v.is_finite()).collect();
    known.iter().sum::<f32>() / known.len() as f32
}

/// The sign of a trend.
pub const fn trend_glyph(trend: Trend) -> Glyph {
    match trend {
        Trend::Growing => Glyph::Growing,
        Trend::Steady => Glyph::Steady,
        Trend::Draining => Glyph::Draining,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn shape_and_gaps() {
        let values = [0.0, f32::NAN, 3.5, 7.0];
        assert_eq!(sparkline(Glyphs::Unicode, &values, 6, Scale::ZeroToMax), "  ▁ ▅█");
        assert_eq!(sparkline(Glyphs::Ascii, &values, 4, Scale::ZeroToMax), "_ ~#");
        assert_eq!(sparkline(Glyphs::Unicode, &[0.0, 0.0], 2, Scale::ZeroToMax), "▁▁");
        assert_eq!(sparkline(Glyphs::Unicode, &[], 3, Scale::ZeroToMax), "   ");
        assert_eq!(sparkline(Glyphs::Unicode, &[1.0, 2.0], 2, Scale::ZeroTo(4.0)), "▃▅");
    }

    #[test]
    fn several_rows_are_one_shape() {
        let values = [0.0, 1.0, 2.0, f32::NAN, 3.0, 4.0];
        let rows = |n| sparklines(Glyphs::Unicode, &values, 6, n, Scale::ZeroTo(4.0));
        assert_eq!(rows(1), ["▁▃▅ ▆█"]);
        assert_eq!(rows(2), ["    ▅█", "▁▅█ ██"]);
        assert_eq!(rows(4), ["     █", "    ██", "  █ ██", "▁██ ██"]);
        assert_eq!(sparklines(Glyphs::Ascii, &[], 3, 2, Scale::ZeroToMax), ["   ", "   "]);
    }

    #[test]
    fn a_line_is_linear_from_zero_and_a_constant_one_runs_low() {
        let line = |values: &[f32]| {
            sparkline(Glyphs::Unicode, values, values.len(), Scale::ZeroTo(calm_top(values)))
        };
        let growing: Vec<f32> = (0..8).map(|n| n as f32 * 54.6).collect();
        assert_eq!(line(&growing), "▁▂▃▄▅▆▇█");
        assert_eq!(line(&[50.0; 4]), "▄▄▄▄");
        assert_eq!(line(&[310.0, 305.0, 312.0, 309.0]), "▄▄▄▄", "what hardly varies is calm");
        assert_eq!(line(&[0.0; 4]), "▁▁▁▁");
        assert_eq!(line(&[2.0, 2.0, 40.0, 2.0]), "▁▁█▁");
        assert_eq!(calm_top(&[f32::NAN]), 0.0);
    }

    #[test]
    fn a_value_holds_until_the_next_one_is_due() {
        const N: f32 = f32::NAN;
        let line = |values: &[f32]| sparkline(Glyphs::Ascii, &held(values), values.len(), Scale::ZeroToMax);
        assert_eq!(line(&[1.0, N, 1.0, N, 1.0, N]), "######", "asked every second second");
        assert_eq!(line(&[1.0, 1.0, N, 1.0, 1.0]), "#####", "one question came late");
        assert_eq!(line(&[1.0, 1.0, N, N, N, 1.0, 1.0]), "##   ##", "nothing was known for a while");
        assert_eq!(line(&[1.0, 1.0, N, N, N]), "###  ", "silence shows soon");
        assert_eq!(line(&[N, 1.0, N]), " # ");
        assert_eq!(line(&[]), "");
    }

    #[test]
    fn more_values_than_columns_are_averaged_from_the_newest() {
        assert_eq!(sparkline(Glyphs::Unicode, &[7.0, 0.0, 0.0, 7.0, 7.0], 3, Scale::ZeroToMax), "█▁█");
        assert_eq!(sparkline(Glyphs::Unicode, &[f32::NAN, f32::NAN, 1.0, 1.0], 2, Scale::ZeroToMax), " █");
    }

    #[test]
    fn always_as_wide_as_asked() {
        for len in 0..50 {
            let values = vec![1.0; len];
            for width in 0..20 {
                for glyphs in [Glyphs::Unicode, Glyphs::Ascii] {
                    assert_eq!(sparkline(glyphs, &values, width, Scale::ZeroToMax).width(), width);
                }
            }
        }
    }
}
