//! One cell of a table, or one piece of a line: text in roles, safe and fitted.

use ratatui::buffer::Buffer;
use ratatui::style::Style;

use crate::model::measured::{Bounds, Measured};
use crate::model::time::Timestamp;
use crate::theme::{Glyph, Glyphs, Role, Theme};

use super::{number, text};
use std::time::Duration;

/// A number older than this is dimmed: sources ask at least this often when all is well.
pub const OLD_AFTER: Duration = Duration::from_secs(15);

/// What drawing needs to know about the terminal and the moment.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    pub theme: &'a Theme,
    pub glyphs: Glyphs,
    /// Now, on the observer's wall clock: what ages are counted from. Stands still while paused.
    pub now: Timestamp,
    /// When the source of what is drawn answered last, if it is lost since: all that it told is old, and how long something has
    /// been so is known up to then.
    pub lost: Option<Timestamp>,
}

impl Look<'_> {
    pub fn style(&self, role: Role) -> Style {
        self.theme.style(role)
    }

    pub fn glyph(&self, glyph: Glyph) -> &'static str {
        self.glyphs.get(glyph)
    }

    /// Whether a number that was true at `at` is too old to stand undimmed.
    pub fn is_old(&self, at: Timestamp) -> bool {
        self.lost.is_some() || self.now.age_since(at) > OLD_AFTER
    }

    /// The last moment of which anything was told: now, unless the source is lost.
    pub fn told(&self) -> Timestamp {
        self.lost.unwrap_or(self.now)
    }

    /// Whether nothing had come since `at` for so long, as far as was told: what came after a loss is not known.
    pub fn is_quiet_since(&self, at: Timestamp) -> bool {
        self.told().age_since(at) > OLD_AFTER
    }

    /// The cells of a row, as they are, or as a whole in the role of what is old: the source is lost, nothing of it is told any more.
    pub fn aged_row(&self, cells: Vec<Cell>) -> Vec<Cell> {
        if self.lost.is_none() {
            return cells;
        }
        cells.into_iter().map(|cell| cell.in_role(Role::Stale)).collect()
    }

    /// A role, or that of what is old when the source is lost.
    pub fn aged(&self, role: Role) -> Role {
        if self.lost.is_some() { Role::Stale } else { role }
    }
}

/// Text in roles. Whatever is put in is cleaned: names come from outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cell {
    parts: Vec<(String, Role)>,
    /// A number must not lose digits at its end: shown whole, in this shorter true form, or not at all.
    number: bool,
    short: Option<String>,
    middle: bool,
}

impl Cell {
    /// Nothing.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Plain text.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::styled(text, Role::Text)
    }

    /// Text in a role.
    pub fn styled(text: impl AsRef<str>, role: Role) -> Self {
        Self::empty().then(text, role)
    }

    /// A glyph in a role.
    pub fn glyph(look: &Look<'_>, glyph: Glyph, role: Role) -> Self {
        Self::styled(look.glyph(glyph), role)
    }

    /// More text after this one.
    #[must_use]
    pub fn then(mut self, text: impl AsRef<str>, role: Role) -> Self {
        self.parts.push((text::clean(text.as_ref()).into_owned(), role));
        self
    }

    /// More after this one.
    #[must_use]
    pub fn and(mut self, other: Cell) -> Self {
        self.parts.extend(other.parts);
        self
    }

    /// A number already formatted: it is shown whole or not at all, never cut.
    pub fn number(text: impl AsRef<str>, role: Role) -> Self {
        Self { number: true, ..Self::styled(text, role) }
    }

    /// A measured value: `–` when unknown, with `≥`, `~` or a range when not exact, dimmed when old.
    pub fn measured<T>(look: &Look<'_>, value: &Measured<T>, format: impl Fn(&T) -> String) -> Self {
        Self::measured_as(look, value, Role::Text, format)
    }

    /// [`Cell::measured`] in a role of its own when the value is fresh.
    pub fn measured_as<T>(
        look: &Look<'_>,
        value: &Measured<T>,
        role: Role,
        format: impl Fn(&T) -> String,
    ) -> Self {
        let role = match &value.bounds {
            Bounds::Unknown(_) => Role::Muted,
            _ if look.is_old(value.at) => Role::Stale,
            Bounds::About { .. } | Bounds::Between { .. } if role == Role::Text => Role::Estimate,
            _ => role,
        };
        let mut cell = Self::number(number::bounds(look.glyphs, &value.bounds, &format), role);
        cell.short = number::bounds_short(look.glyphs, &value.bounds, &format);
        cell
    }

    /// When too long, lose the middle instead of the end: subjects and ids.
    #[must_use]
    pub fn keep_ends(mut self) -> Self {
        self.middle = true;
        self
    }

    /// All parts in one role: a whole row that is stale, say.
    #[must_use]
    pub fn in_role(mut self, role: Role) -> Self {
        for part in &mut self.parts {
            part.1 = role;
        }
        self
    }

    /// Columns that it takes if there is room.
    pub fn width(&self) -> usize {
        self.parts.iter().map(|(text, _)| text::width(text)).sum()
    }

    /// The text alone.
    pub fn plain(&self) -> String {
        self.parts.iter().map(|(text, _)| text.as_str()).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.parts.iter().all(|(text, _)| text.is_empty())
    }

    /// This cell in at most `columns`.
    #[must_use]
    pub fn fitted(&self, columns: usize, glyphs: Glyphs) -> Vec<(String, Role)> {
        // Signs in a sentence may take more columns in ASCII: they are counted as they will be shown.
        if glyphs.is_ascii() && self.parts.iter().any(|(text, _)| !text.is_ascii()) {
            let mut cell = self.clone();
            for (text, _) in &mut cell.parts {
                *text = glyphs.sentence(text).into_owned();
            }
            return cell.fitted_as_is(columns, glyphs);
        }
        self.fitted_as_is(columns, glyphs)
    }

    fn fitted_as_is(&self, columns: usize, glyphs: Glyphs) -> Vec<(String, Role)> {
        let ellipsis = glyphs.get(Glyph::Ellipsis);
        if self.width() <= columns {
            return self.parts.clone();
        }
        let first_role = self.parts.first().map_or(Role::Text, |(_, role)| *role);
        if self.number {
            // In its shorter form, else without the gap before its unit.
            let short = self.short.clone().unwrap_or_else(|| self.plain());
            let without_gap = tight(&short);
            let fits = [short, without_gap].into_iter().find(|form| text::width(form) <= columns);
            let form = fits.unwrap_or_else(|| text::truncate(ellipsis, columns, "").into_owned());
            return vec![(form, first_role)];
        }
        if self.middle && self.parts.len() == 1 {
            return vec![(text::truncate_middle(&self.plain(), columns, ellipsis).into_owned(), first_role)];
        }
        let mut out = Vec::new();
        let mut room = columns;
        for (at, (part, role)) in self.parts.iter().enumerate() {
            let last = || self.parts.iter().skip(at + 1).all(|(text, _)| text::width(text) == 0);
            let wide = text::width(part);
            // The part must leave room for the ellipsis unless nothing follows.
            if wide < room || (wide == room && last()) {
                out.push((part.clone(), *role));
                room -= wide;
                continue;
            }
            let cut = if wide == room { format!("{part}{ellipsis}") } else { part.clone() };
            out.push((text::truncate(&cut, room, ellipsis).into_owned(), *role));
            break;
        }
        out
    }

    /// This cell on as many lines as it takes, broken at spaces; all but the first are indented. A word that is longer
    /// than a line is left to be cut.
    #[must_use]
    pub fn wrapped(&self, columns: usize, indent: usize) -> Vec<Cell> {
        if self.width() <= columns {
            return vec![self.clone()];
        }
        // A word ends at a space, and may be of several parts.
        let mut words: Vec<Cell> = Vec::new();
        let mut open = false;
        for (part, role) in &self.parts {
            for piece in part.split_inclusive(' ') {
                match words.last_mut().filter(|_| open) {
                    Some(word) => word.parts.push((piece.to_owned(), *role)),
                    None => words.push(Cell::styled(piece, *role)),
                }
                open = !piece.ends_with(' ');
            }
        }
        let mut lines = Vec::new();
        let mut line = Cell::empty();
        let mut started = false;
        for word in words {
            // The space after the last word of a line needs no room.
            let wide = text::width(word.plain().trim_end());
            if started && line.width() + wide > columns {
                lines.push(std::mem::replace(&mut line, Cell::text(" ".repeat(indent))));
            }
            started = started || wide > 0;
            line = line.and(word);
        }
        lines.push(line);
        for line in &mut lines {
            if let Some((text, _)) = line.parts.last_mut() {
                text.truncate(text.trim_end().len());
            }
        }
        lines
    }

    /// Draws at a place, in at most `columns`, over what is there. Returns the columns used.
    pub fn draw(&self, buf: &mut Buffer, x: u16, y: u16, columns: u16, look: &Look<'_>) -> u16 {
        draw_parts(&self.fitted(usize::from(columns), look.glyphs), buf, x, y, look)
    }

    /// Draws at the right end of a span of columns.
    pub fn draw_right(&self, buf: &mut Buffer, x: u16, y: u16, columns: u16, look: &Look<'_>) {
        let parts = self.fitted(usize::from(columns), look.glyphs);
        let wide: usize = parts.iter().map(|(text, _)| text::width(text)).sum();
        draw_parts(&parts, buf, x + columns.saturating_sub(wide as u16), y, look);
    }
}

/// `110ms` for `110 ms`: a number with its unit in the fewest columns. Digits in groups keep their gaps.
fn tight(text: &str) -> String {
    match text.rsplit_once(' ') {
        Some((number, unit)) if !unit.starts_with(|c: char| c.is_ascii_digit()) => format!("{number}{unit}"),
        _ => text.to_owned(),
    }
}

fn draw_parts(parts: &[(String, Role)], buf: &mut Buffer, x: u16, y: u16, look: &Look<'_>) -> u16 {
    let area = *buf.area();
    if y < area.top() || y >= area.bottom() || x >= area.right() {
        return 0;
    }
    let mut at = x;
    for (part, role) in parts {
        let room = usize::from(area.right().saturating_sub(at));
        at = buf.set_stringn(at, y, part, room, look.style(*role)).0;
    }
    at - x
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;

    fn text_of(parts: &[(String, Role)]) -> String {
        parts.iter().map(|(text, _)| text.as_str()).collect()
    }

    #[test]
    fn a_number_is_never_cut() {
        let cell = Cell::number("4 100/s", Role::Text);
        assert_eq!(text_of(&cell.fitted(7, Glyphs::Unicode)), "4 100/s");
        assert_eq!(text_of(&cell.fitted(6, Glyphs::Unicode)), "…");
        assert_eq!(text_of(&cell.fitted(0, Glyphs::Unicode)), "");
        let cell = Cell::number("<=110 ms", Role::Text);
        assert_eq!(text_of(&cell.fitted(8, Glyphs::Ascii)), "<=110 ms");
        assert_eq!(text_of(&cell.fitted(7, Glyphs::Ascii)), "<=110ms");
        assert_eq!(text_of(&cell.fitted(6, Glyphs::Ascii)), "..");
        assert_eq!(text_of(&cell.fitted(1, Glyphs::Ascii)), ".");
    }

    #[test]
    fn signs_in_a_sentence_are_counted_as_they_are_shown() {
        let cell = Cell::text("≥3 given up");
        assert_eq!(text_of(&cell.fitted(12, Glyphs::Ascii)), ">=3 given up");
        assert_eq!(text_of(&cell.fitted(11, Glyphs::Ascii)), ">=3 given..");
        assert_eq!(text_of(&cell.fitted(11, Glyphs::Unicode)), "≥3 given up");
    }

    #[test]
    fn a_range_gives_way_to_its_upper_end() {
        let theme = Theme::mono();
        let at = Timestamp::from_millis(1_000);
        let look = Look { theme: &theme, glyphs: Glyphs::Unicode, now: at, lost: None };
        let value = Measured::new(Bounds::Between { lo: 3_000_u64, hi: 5_000 }, at, "x");
        let cell = Cell::measured(&look, &value, |n| number::count(*n));
        assert_eq!(cell.plain(), "3.0k–5.0k");
        assert_eq!(text_of(&cell.fitted(5, Glyphs::Unicode)), "≤5.0k");
    }

    #[test]
    fn age_dims_and_unknown_is_a_dash() {
        let theme = Theme::mono();
        let at = Timestamp::from_millis(1_000);
        let look =
            Look { theme: &theme, glyphs: Glyphs::Unicode, now: at + Duration::from_secs(60), lost: None };
        let old = Cell::measured(&look, &Measured::exact(3_u64, at, "x"), |n| number::count(*n));
        assert_eq!(old.fitted(9, Glyphs::Unicode), [("3".to_owned(), Role::Stale)]);
        let none = Cell::measured(&look, &Measured::<u64>::unknown("x", at), |n| number::count(*n));
        assert_eq!(none.fitted(9, Glyphs::Unicode), [("–".to_owned(), Role::Muted)]);
    }

    #[test]
    fn parts_are_cleaned_and_cut_together() {
        let cell = Cell::text("a\u{1b}b").then("cdef", Role::Muted);
        assert_eq!(cell.plain(), "a␛bcdef");
        assert_eq!(text_of(&cell.fitted(5, Glyphs::Unicode)), "a␛bc…");
        assert_eq!(text_of(&cell.fitted(3, Glyphs::Unicode)), "a␛…");
        assert_eq!(text_of(&cell.fitted(4, Glyphs::Unicode)), "a␛b…");
    }

    #[test]
    fn wrapping_keeps_words_and_roles() {
        let cell = Cell::text("◆ ")
            .then("~", Role::Estimate)
            .then("accounts in ", Role::Muted)
            .then("db", Role::Text);
        assert_eq!(cell.wrapped(40, 2), std::slice::from_ref(&cell));
        let lines: Vec<String> = cell.wrapped(12, 2).iter().map(Cell::plain).collect();
        assert_eq!(lines, ["◆ ~accounts", "  in db"]);
        assert_eq!(cell.wrapped(12, 2)[0].parts[1], ("~".to_owned(), Role::Estimate));
        let lines: Vec<String> = cell.wrapped(3, 1).iter().map(Cell::plain).collect();
        assert_eq!(lines, ["◆", " ~accounts", " in", " db"]);
    }

    #[test]
    fn right_alignment_ends_at_the_edge() {
        let theme = Theme::mono();
        let look = Look { theme: &theme, glyphs: Glyphs::Unicode, now: Timestamp(0), lost: None };
        let mut buf = Buffer::empty(Rect::new(0, 0, 8, 1));
        Cell::number("42/s", Role::Text).draw_right(&mut buf, 0, 0, 8, &look);
        assert_eq!(buf, Buffer::with_lines(["    42/s"]));
        let mut buf = Buffer::empty(Rect::new(0, 0, 4, 1));
        Cell::number("123456", Role::Text).draw_right(&mut buf, 0, 0, 3, &look);
        assert_eq!(buf, Buffer::with_lines(["  … "]));
    }
}
