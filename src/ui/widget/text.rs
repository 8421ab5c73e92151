//! Text from outside made safe, and text that fits its columns.
//!
//! Widths are terminal columns of grapheme clusters: a CJK letter is two, a family emoji (several code points joined)
//! is two, a letter with combining marks is one.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Stands for a character that must not reach a terminal and has no picture of its own.
const REPLACEMENT: char = '\u{FFFD}';

/// Code points of one letter on screen: what has more is no letter but an attack on the lines around it. (A family of four with its
/// shades of skin has eleven.)
const LETTER: usize = 12;

/// Makes a text from outside safe: control characters (also those that begin escape sequences), characters that
/// turn the writing direction, and invisible separators become visible signs; marks that pile up over other lines are
/// cut. Everything else stays.
///
/// ```
/// use headwater::ui::widget::text::clean;
/// assert_eq!(clean("a\u{1b}[31mb"), "a␛[31mb");
/// assert_eq!(clean("abc\u{202e}fed"), "abc\u{fffd}fed");
/// assert_eq!(clean("naïve 日本"), "naïve 日本");
/// ```
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Cow::Borrowed(text);
    }
    let seen = if text.chars().any(is_unsafe) {
        Cow::Owned(text.chars().map(|c| if is_unsafe(c) { picture(c) } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    };
    let end = |letter: &str| letter.char_indices().nth(LETTER).map_or(letter.len(), |(at, _)| at);
    if seen.len() <= LETTER || seen.graphemes(true).all(|letter| end(letter) == letter.len()) {
        return seen;
    }
    Cow::Owned(seen.graphemes(true).map(|letter| letter.get(..end(letter)).unwrap_or_default()).collect())
}

/// Whether a character could change the terminal's state, hide text, or reorder it. The zero-width joiner and variation
/// selectors are fine: emoji need them and they only join.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061C}'                      // Arabic letter mark
            | '\u{180E}'                    // Mongolian vowel separator
            | '\u{200B}' | '\u{200C}'       // zero width space, non-joiner
            | '\u{200E}' | '\u{200F}'       // direction marks
            | '\u{2028}'..='\u{202E}'       // line and paragraph separators, direction embeddings and overrides
            | '\u{2060}'..='\u{206F}'       // word joiner, invisible operators, direction isolates
            | '\u{FEFF}'                    // byte order mark
            | '\u{FFF9}'..='\u{FFFB}'       // interlinear annotation
            | '\u{E0000}'..='\u{E007F}'     // tags
        )
}

/// The visible form: the control pictures of Unicode where there is one.
fn picture(c: char) -> char {
    match u32::from(c) {
        code @ 0..=0x1f => char::from_u32(0x2400 + code).unwrap_or(REPLACEMENT),
        0x7f => '\u{2421}',
        _ => REPLACEMENT,
    }
}

/// Columns that a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The text if it fits, else its beginning and the ellipsis; never wider than `columns`.
pub fn truncate<'a>(text: &'a str, columns: usize, ellipsis: &str) -> Cow<'a, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let room = columns.saturating_sub(width(ellipsis));
    let mut out = String::with_capacity(text.len().min(columns * 4));
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let wide = width(grapheme);
        if used + wide > room {
            break;
        }
        used += wide;
        out.push_str(grapheme);
    }
    if width(ellipsis) <= columns {
        out.push_str(ellipsis);
    }
    Cow::Owned(out)
}

/// The text if it fits, else its beginning and its end around the ellipsis: for subjects and ids, whose ends tell them
/// apart.
pub fn truncate_middle<'a>(text: &'a str, columns: usize, ellipsis: &str) -> Cow<'a, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let mark = width(ellipsis);
    if columns < mark + 4 {
        return truncate(text, columns, ellipsis);
    }
    let tail_room = (columns - mark) / 2;
    let head_room = columns - mark - tail_room;
    let head: String = take(text.graphemes(true), head_room).concat();
    let mut tail = take(text.graphemes(true).rev(), tail_room);
    tail.reverse();
    Cow::Owned(format!("{head}{ellipsis}{}", tail.concat()))
}

fn take<'a>(graphemes: impl Iterator<Item = &'a str>, room: usize) -> Vec<&'a str> {
    let mut used = 0;
    graphemes
        .take_while(|grapheme| {
            used += width(grapheme);
            used <= room
        })
        .collect()
}

/// Filled with spaces on the right to exactly `columns`, truncated if too long.
pub fn pad_right(text: &str, columns: usize, ellipsis: &str) -> String {
    let fitted = truncate(text, columns, ellipsis);
    let missing = columns.saturating_sub(width(&fitted));
    format!("{fitted}{}", " ".repeat(missing))
}

/// Filled with spaces on the left to exactly `columns`, truncated if too long.
pub fn pad_left(text: &str, columns: usize, ellipsis: &str) -> String {
    let fitted = truncate(text, columns, ellipsis);
    let missing = columns.saturating_sub(width(&fitted));
    format!("{}{fitted}", " ".repeat(missing))
}

/// Breaks a text into lines of at most `columns`, at spaces where possible. Line breaks in the text are kept.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for mut word in paragraph.split(' ') {
            if !line.is_empty() && width(&line) + 1 + width(word) > columns {
                lines.push(std::mem::take(&mut line));
            }
            // A word that is longer than a line is cut, not lost. What is left of it is not measured anew for each line: from outside
            // come words of many thousand letters.
            while line.is_empty() {
                let head: usize = take(word.graphemes(true), columns).iter().map(|letter| letter.len()).sum();
                match word.split_at_checked(head) {
                    Some((head, rest)) if !head.is_empty() && !rest.is_empty() => {
                        lines.push(head.to_owned());
                        word = rest;
                    }
                    _ => break,
                }
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAMILY: &str = "👨‍👩‍👧";

    #[test]
    fn control_characters_become_visible() {
        assert_eq!(clean("ok"), "ok");
        assert_eq!(clean("\u{1b}]52;c;AAAA\u{7}"), "␛]52;c;AAAA␇");
        assert_eq!(clean("a\nb\tc\u{7f}"), "a␊b␉c␡");
        assert_eq!(clean("c1 \u{9b}31m"), "c1 \u{fffd}31m");
        assert_eq!(clean("\u{2066}x\u{2069}\u{200b}"), "\u{fffd}x\u{fffd}\u{fffd}");
        assert_eq!(clean(FAMILY), FAMILY);
        assert!(matches!(clean("日本語"), Cow::Borrowed(_)));
    }

    #[test]
    fn letters_that_pile_up_are_cut_and_families_stay() {
        let pile = format!("a{}b", "\u{301}".repeat(500));
        assert_eq!(clean(&pile), format!("a{}b", "\u{301}".repeat(LETTER - 1)));
        let family = "👨🏽‍👩🏽‍👧🏽‍👦🏽";
        assert_eq!(clean(family), family);
    }

    #[test]
    fn nothing_unsafe_survives_cleaning() {
        for code in 0..=0x10_FFFF {
            if let Some(c) = char::from_u32(code) {
                assert!(!clean(&c.to_string()).chars().any(is_unsafe), "U+{code:04X}");
            }
        }
    }

    #[test]
    fn truncation_keeps_to_the_columns_and_whole_graphemes() {
        assert_eq!(truncate("orders", 6, "…"), "orders");
        assert_eq!(truncate("orders.created", 8, "…"), "orders.…");
        assert_eq!(truncate("日本語", 4, "…"), "日…");
        assert_eq!(truncate("日本語", 5, "…"), "日本…");
        assert_eq!(truncate("e\u{301}e\u{301}e\u{301}", 2, "…"), "e\u{301}…");
        assert_eq!(truncate(&FAMILY.repeat(3), 5, "…"), format!("{}…", FAMILY.repeat(2)));
        assert_eq!(truncate("abc", 1, "…"), "…");
        assert_eq!(truncate("abc", 0, "…"), "");
    }

    #[test]
    fn the_middle_goes_when_the_ends_tell() {
        assert_eq!(truncate_middle("orders.eu.created", 11, "…"), "order…eated");
        assert_eq!(truncate_middle("日本語日本語", 8, "…"), "日本…語");
        assert_eq!(truncate_middle("abcdef", 4, "…"), "abc…");
    }

    #[test]
    fn padding_is_exact() {
        for text in ["", "a", "日本", "abcdefgh", FAMILY] {
            for columns in 0..9 {
                assert_eq!(width(&pad_left(text, columns, "…")), columns, "{text} {columns}");
                assert_eq!(width(&pad_right(text, columns, "…")), columns, "{text} {columns}");
            }
        }
        assert_eq!(pad_left("42/s", 6, "…"), "  42/s");
    }

    #[test]
    fn wrapping_loses_nothing() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrap("a\n\nb", 4), ["a", "", "b"]);
        assert_eq!(wrap("日本語", 3), ["日", "本", "語"]);
        assert_eq!(wrap("日本", 1), ["日本"], "a letter wider than the line is left to the terminal");
        assert_eq!(wrap("ab cdefghij", 4), ["ab", "cdef", "ghij"]);
        let long = "x".repeat(1_000_000);
        assert_eq!(wrap(&long, 10).len(), 100_000, "each letter is looked at once");
    }
}
