//! What is in a message, readable: JSON and XML laid out, text wrapped, bytes as a dump; what is missing of it is said.

use crate::model::tap::{Content, Payload};
use crate::theme::Role;
use crate::ui::widget::{Cell, number};

use super::lines::{self, Line};
use super::{hex, json, xml};

/// Lines of one payload: nobody reads on.
pub const MOST_LINES: usize = 4_000;
/// Bytes of a text that are laid out: it is done anew for every frame.
const MOST_BYTES: usize = 256 * 1024;
/// Bytes of a dump in a row of the list.
const FIRST_BYTES: usize = 24;

/// A payload as it is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// What it is: `JSON`, `text`…
    pub form: &'static str,
    /// What is to be said before it: why it is not laid out.
    pub note: Option<String>,
    /// Its lines.
    pub lines: Vec<Cell>,
    /// What is missing of it, one line each.
    pub missing: Vec<String>,
}

/// A payload in so many columns.
pub fn shown(payload: &Payload, columns: usize) -> Shown {
    let mut shown = match &payload.content {
        Content::Withheld(why) => Shown {
            form: "not shown",
            note: Some(format!("what is in it is not shown: {why}")),
            ..Shown::default()
        },
        content if content.is_empty() && payload.cut == 0 => {
            Shown { form: "empty", note: Some("it has no payload".to_owned()), ..Shown::default() }
        }
        Content::Text(text) => {
            let laid = lines::beginning(text, MOST_BYTES);
            let mut shown = of_text(laid, payload.cut > 0 || laid.len() < text.len(), columns);
            if laid.len() < text.len() {
                let rest = number::bytes((text.len() - laid.len()) as f64);
                shown.missing.push(format!("{rest} more are too much for a screen; saved they are whole"));
            }
            shown
        }
        Content::Binary(bytes) => {
            Shown { form: "binary", lines: hex::lines(bytes, columns, MOST_LINES), ..Shown::default() }
        }
    };
    if shown.lines.len() >= MOST_LINES {
        shown.lines.truncate(MOST_LINES);
        shown.missing.push(format!("no more than {} lines are shown", number::exact(MOST_LINES as u64)));
    }
    if payload.cut > 0 {
        shown.missing.push(format!("… {} more not shown", number::bytes(payload.cut as f64)));
    }
    if !payload.redacted.is_empty() {
        let names: Vec<String> = payload.redacted.iter().map(|name| lines::head(name, 80)).collect();
        shown.missing.push(format!("taken out, since it is declared sensitive: {}", names.join(", ")));
    }
    shown
}

fn of_text(text: &str, cut: bool, columns: usize) -> Shown {
    let folded = |laid: Vec<Line>| -> Vec<Cell> {
        laid.iter().flat_map(|line| lines::fold(line, columns)).take(MOST_LINES).collect()
    };
    let fault = json::fault(text);
    if fault.is_none() || (cut && json::looks_so(text)) {
        return Shown { form: "JSON", lines: folded(json::lines(text, MOST_LINES)), ..Shown::default() };
    }
    if xml::looks_so(text)
        && let Some(laid) = xml::lines(text, MOST_LINES, cut)
    {
        return Shown { form: "XML", lines: folded(laid), ..Shown::default() };
    }
    let note = if json::looks_so(text) {
        fault.map(|fault| format!("it begins like JSON and is none: {fault}"))
    } else if xml::looks_so(text) {
        Some("it begins like XML and is not well formed".to_owned())
    } else {
        None
    };
    Shown { form: "text", note, lines: lines::plain(text, columns, MOST_LINES), ..Shown::default() }
}

/// A payload on one line, at most so many letters.
pub fn preview(payload: &Payload, most: usize) -> Cell {
    match &payload.content {
        Content::Withheld(why) => Cell::styled(format!("not shown: {}", lines::head(why, most)), Role::Muted),
        content if content.is_empty() => Cell::styled("empty", Role::Muted),
        Content::Binary(bytes) => {
            Cell::styled("binary ", Role::Muted).then(hex::one_line(bytes, FIRST_BYTES), Role::DataNumber)
        }
        Content::Text(text) if json::looks_so(text) => json::one_line(text, most)
            .into_iter()
            .fold(Cell::empty(), |cell, (text, role)| cell.then(lines::tame(&text), role)),
        Content::Text(text) => Cell::text(lines::head(text, most)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::widget::text::is_unsafe;
    use proptest::prelude::*;

    fn text(text: &str) -> Payload {
        Payload { content: Content::Text(text.into()), cut: 0, redacted: Vec::new() }
    }

    #[test]
    fn each_form_is_recognised() {
        for (payload, form) in [
            (r#"{"a":1}"#, "JSON"),
            ("42", "JSON"),
            ("<a><b/></a>", "XML"),
            ("<a><b></a>", "text"),
            ("{\"a\":", "text"),
            ("hello", "text"),
            ("", "empty"),
        ] {
            assert_eq!(shown(&text(payload), 40).form, form, "{payload}");
        }
        let broken = shown(&text("{\"a\":01}"), 40);
        assert_eq!(
            broken.note.as_deref(),
            Some("it begins like JSON and is none: invalid number at line 1 column 7")
        );
        assert_eq!(broken.lines, [Cell::text("{\"a\":01}")]);
    }

    #[test]
    fn what_is_missing_is_said() {
        let mut cut = text(r#"{"a":{"b":"#);
        (cut.cut, cut.redacted) = (12_000, vec!["iban".into(), "Authorization".into()]);
        let shown = shown(&cut, 40);
        assert_eq!(shown.form, "JSON");
        assert_eq!(
            shown.missing,
            ["… 12 kB more not shown", "taken out, since it is declared sensitive: iban, Authorization"]
        );
        let why = Payload { content: Content::Withheld("it is encrypted".into()), ..text("") };
        assert_eq!(
            super::shown(&why, 40).note.as_deref(),
            Some("what is in it is not shown: it is encrypted")
        );
    }

    #[test]
    fn a_giant_is_shown_as_far_as_a_screen_can_show() {
        let giant = format!("{{\"a\":\"{}\"}}", "ü".repeat(MOST_BYTES));
        let shown = shown(&text(&giant), 100);
        // 131 068 letters, 94 on each line of their own, and the line of the bracket.
        assert_eq!((shown.form, shown.lines.len()), ("JSON", 1_396));
        assert_eq!(shown.missing, ["262 kB more are too much for a screen; saved they are whole"]);
    }

    proptest! {
        /// Whatever is in a message: no panic, bounded, as wide as there is room, and nothing that steers a terminal.
        #[test]
        fn any_payload_is_harmless(
            content in prop_oneof![
                "(?s).{0,400}".prop_map(|text| Content::Text(text.into())),
                "[\\[{<\"\u{1b}\u{202e}\u{200b}\u{7}\n\t\u{301}日a1:,/>\\]}]{0,400}".prop_map(|text| Content::Text(text.into())),
                prop::collection::vec(any::<u8>(), 0..400).prop_map(|bytes| Content::Binary(bytes.into())),
            ],
            cut in 0u64..3,
            columns in 0usize..120,
        ) {
            let payload = Payload { content, cut, redacted: Vec::new() };
            let shown = shown(&payload, columns);
            prop_assert!(shown.lines.len() <= MOST_LINES);
            let is_dump = matches!(payload.content, Content::Binary(_));
            for line in shown.lines.iter().chain([&preview(&payload, 60)]) {
                prop_assert!(!line.plain().chars().any(is_unsafe), "{:?}", line.plain());
            }
            for line in &shown.lines {
                prop_assert!(is_dump || line.width() <= columns.max(8) + 1, "{:?}", line.plain());
            }
        }
    }
}
