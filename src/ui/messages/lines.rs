//! Lines of a payload: pieces in roles, made harmless, folded to the columns that there are.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;

use crate::theme::Role;
use crate::ui::widget::Cell;
use crate::ui::widget::text::{clean, width, wrap};

/// Columns of a step to the right.
const STEP: usize = 2;
/// Steps after which nothing goes further to the right.
const MOST_STEPS: usize = 16;
/// Columns of a tabulator.
const TAB: &str = "    ";

/// A line before it is folded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// Steps to the right.
    pub depth: usize,
    /// What is in it.
    pub parts: Vec<(String, Role)>,
}

impl Line {
    /// An empty line at a depth.
    pub fn at(depth: usize) -> Self {
        Self { depth, parts: Vec::new() }
    }

    /// More of it.
    pub fn push(&mut self, text: &str, role: Role) {
        self.parts.push((text.to_owned(), role));
    }

    /// Nothing in it.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
}

/// Text as [`clean`] makes it, with room for its tabulators.
pub fn tame(text: &str) -> Cow<'_, str> {
    if text.contains('\t') { Cow::Owned(clean(&text.replace('\t', TAB)).into_owned()) } else { clean(text) }
}

/// The beginning of a text, of whole characters.
pub fn beginning(text: &str, bytes: usize) -> &str {
    (0..=bytes.min(text.len())).rev().find_map(|end| text.get(..end)).unwrap_or_default()
}

/// The beginning of a text on one line: white space becomes one space, and there are no more than about `most` bytes of it.
pub fn head(text: &str, most: usize) -> String {
    let mut out = String::new();
    let mut space = false;
    for c in text.trim_start().chars().take(most.saturating_mul(4)) {
        if matches!(c, ' ' | '\n' | '\r' | '\t') {
            space = true;
            continue;
        }
        if std::mem::take(&mut space) {
            out.push(' ');
        }
        out.push(c);
        if out.len() >= most {
            break;
        }
    }
    tame(&out).into_owned()
}

/// A line in at most `columns`, on as many lines as it takes; what goes on is two steps further to the right.
pub fn fold(line: &Line, columns: usize) -> Vec<Cell> {
    let columns = columns.max(8);
    let indent = (line.depth.min(MOST_STEPS) * STEP).min(columns / 2);
    let tamed: Vec<(Cow<'_, str>, Role)> = line.parts.iter().map(|(t, role)| (tame(t), *role)).collect();
    let start = Cell::text(" ".repeat(indent));
    let whole: usize = tamed.iter().map(|(text, _)| width(text)).sum();
    if indent + whole <= columns {
        return vec![tamed.iter().fold(start, |cell, (text, role)| cell.then(text, *role))];
    }
    let more = (indent + 2 * STEP).min(columns / 2);
    let (mut out, mut cell, mut used) = (Vec::new(), start, indent);
    for (text, role) in &tamed {
        let mut piece = String::new();
        for letter in text.graphemes(true) {
            let wide = width(letter);
            if used + wide > columns {
                let full = cell.then(std::mem::take(&mut piece), *role);
                out.push(full);
                (cell, used) = (Cell::text(" ".repeat(more)), more);
            }
            used += wide;
            piece.push_str(letter);
        }
        cell = cell.then(piece, *role);
    }
    out.push(cell);
    out
}

/// Plain text, broken at spaces. How far to the right a line begins may mean something: it stays, and what goes on stands below it.
pub fn plain(text: &str, columns: usize, most: usize) -> Vec<Cell> {
    let columns = columns.max(8);
    let mut out = Vec::new();
    for line in text.split('\n') {
        let tamed = tame(line.strip_suffix('\r').unwrap_or(line));
        let words = tamed.trim_start_matches(' ');
        let indent = " ".repeat((tamed.len() - words.len()).min(columns / 2));
        let wrapped = wrap(words, columns - indent.len());
        out.extend(wrapped.iter().map(|line| Cell::text(format!("{indent}{line}"))));
        if out.len() >= most {
            out.truncate(most);
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tabulator_has_room_and_what_steers_is_a_picture() {
        assert_eq!(tame("a\tb\u{1b}[2J"), "a    b␛[2J");
        assert_eq!(tame("a\u{1b}"), "a␛");
    }

    #[test]
    fn text_keeps_how_far_to_the_right_it_begins() {
        let shown = |text: &str, columns| -> Vec<String> {
            plain(text, columns, 100).iter().map(Cell::plain).collect()
        };
        assert_eq!(shown("a:\r\n  b: 1\n\tc\n", 20), ["a:", "  b: 1", "    c", ""]);
        assert_eq!(shown("  one two three", 9), ["  one two", "  three"]);
        assert_eq!(shown(&format!("{}ab cd", " ".repeat(90)), 8), ["    ab", "    cd"]);
    }

    #[test]
    fn a_long_line_goes_on_below_itself() {
        let line = Line {
            depth: 1,
            parts: vec![("abcdef".to_owned(), Role::Key), ("ghijkl".to_owned(), Role::Text)],
        };
        let folded: Vec<String> = fold(&line, 8).iter().map(Cell::plain).collect();
        assert_eq!(folded, ["  abcdef", "    ghij", "    kl"]);
    }

    #[test]
    fn a_head_is_one_line() {
        assert_eq!(head("  {\n  \"a\":\t1 }", 100), "{ \"a\": 1 }");
        assert_eq!(head("abcdef", 3), "abc");
    }
}
