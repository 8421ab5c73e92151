//! A line that is being typed.

use unicode_segmentation::UnicodeSegmentation;

/// Text with a cursor between two characters (grapheme clusters).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    text: String,
    /// In bytes, always at a boundary.
    cursor: usize,
}

/// Nobody types more than this; a paste may.
const MAX_BYTES: usize = 2_000;

impl Line {
    /// A line with the cursor at its end.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { cursor: text.len(), text }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// What stands before the cursor, and what at and after it.
    pub fn around_cursor(&self) -> (&str, &str) {
        self.text.split_at_checked(self.cursor).unwrap_or((&self.text, ""))
    }

    /// Types text; line breaks and other control characters become spaces.
    pub fn insert(&mut self, typed: &str) {
        let typed: String = typed.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        if self.text.len() + typed.len() > MAX_BYTES || !self.text.is_char_boundary(self.cursor) {
            return;
        }
        self.text.insert_str(self.cursor, &typed);
        self.cursor += typed.len();
    }

    fn before(&self) -> usize {
        let (head, _) = self.around_cursor();
        head.grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    fn after(&self) -> usize {
        let (_, tail) = self.around_cursor();
        self.cursor + tail.graphemes(true).next().map_or(0, str::len)
    }

    fn remove(&mut self, from: usize, to: usize) {
        let (head, tail) =
            (self.text.get(..from).unwrap_or_default(), self.text.get(to..).unwrap_or_default());
        self.text = format!("{head}{tail}");
        self.cursor = from;
    }

    pub fn left(&mut self) {
        self.cursor = self.before();
    }

    pub fn right(&mut self) {
        self.cursor = self.after();
    }

    pub fn start(&mut self) {
        self.cursor = 0;
    }

    pub fn end(&mut self) {
        self.cursor = self.text.len();
    }

    pub fn delete_back(&mut self) {
        self.remove(self.before(), self.cursor);
    }

    pub fn delete_forward(&mut self) {
        self.remove(self.cursor, self.after());
    }

    /// Deletes the word before the cursor and the spaces after it.
    pub fn delete_word(&mut self) {
        let (head, _) = self.around_cursor();
        let from = head.trim_end().rfind(' ').map_or(0, |at| at + 1);
        self.remove(from, self.cursor);
    }

    pub fn delete_to_start(&mut self) {
        self.remove(0, self.cursor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editing_by_grapheme() {
        let mut line = Line::new("lag");
        line.insert(">1");
        assert_eq!(line.text(), "lag>1");
        line.left();
        line.insert("👨‍👩‍👧");
        assert_eq!(line.around_cursor(), ("lag>👨‍👩‍👧", "1"));
        line.delete_back();
        assert_eq!(line.around_cursor(), ("lag>", "1"));
        line.start();
        line.delete_forward();
        assert_eq!(line.text(), "ag>1");
        line.end();
        line.right();
        line.delete_word();
        assert_eq!(line.text(), "");
        line.delete_back();
        line.delete_forward();
        line.left();
        assert_eq!(line, Line::default());
    }

    #[test]
    fn words_and_pastes() {
        let mut line = Line::new("team:payments state:stalled ");
        line.delete_word();
        assert_eq!(line.text(), "team:payments ");
        line.insert("a\nb\u{1b}");
        assert_eq!(line.text(), "team:payments a b ");
        line.left();
        line.delete_to_start();
        assert_eq!(line.text(), " ");
        line.insert(&"x".repeat(5_000));
        assert_eq!(line.text(), " ", "a paste that is too long is not taken");
    }
}
