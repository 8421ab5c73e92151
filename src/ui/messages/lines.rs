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
/// Code points of one letter on screen: what has more is no letter but an attack on the lines around it. (A family of four with its
/// shades of skin has eleven.)
const LETTER: usize = 12;
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

/// Text without anything that could steer a terminal, pile up over other lines, or break this one.
pub fn tame(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Cow::Borrowed(text);
    }
    let spread = text.replace('\t', TAB);
    let cleaned = clean(&spread);
    let letters = cleaned.graphemes(true).map(|letter| {
        let end = letter.char_indices().nth(LETTER).map_or(letter.len(), |(at, _)| at);
        letter.get(..end).unwrap_or_default()
    });
    Cow::Owned(letters.collect())
}

/// The beginning of a text on one line: white space becomes one space, and there is no more than `most` letters of it.
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

/// Plain text, broken at spaces.
pub fn plain(text: &str, columns: usize, most: usize) -> Vec<Cell> {
    let mut out = Vec::new();
    for line in text.split('\n') {
        let tamed = tame(line.strip_suffix('\r').unwrap_or(line)).into_owned();
        out.extend(wrap(&tamed, columns.max(8)).into_iter().map(|line| Cell::styled(line, Role::Text)));
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
    fn letters_that_pile_up_are_cut_and_families_stay() {
        let pile = format!("a{}b", "\u{301}".repeat(500));
        assert!(tame(&pile).chars().count() <= LETTER + 1, "{}", tame(&pile).len());
        let family = "👨🏽‍👩🏽‍👧🏽‍👦🏽";
        assert_eq!(tame(family), family);
        assert_eq!(tame("a\tb\u{1b}[2J"), "a    b␛[2J");
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
