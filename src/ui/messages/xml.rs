//! XML on lines of its own: one step to the right for what is inside an element. No reader of documents: nothing is resolved,
//! fetched or checked but that what is opened is closed.

use crate::theme::Role;

use super::lines::Line;

/// A piece of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'a> {
    /// `<name …>`
    Open(&'a str, &'a str),
    /// `</name>`
    Close(&'a str, &'a str),
    /// `<name …/>`
    Empty(&'a str),
    /// Comments, declarations, instructions.
    Aside(&'a str),
    /// Everything between.
    Text(&'a str),
}

/// Whether a text means to be XML.
pub fn looks_so(text: &str) -> bool {
    let mut letters = text.trim_start().chars();
    letters.next() == Some('<')
        && letters.next().is_some_and(|c| c.is_alphabetic() || matches!(c, '?' | '!' | '_'))
}

/// The pieces of a document; `None` where a tag is not closed.
fn pieces(text: &str, most: usize) -> Option<Vec<Piece<'_>>> {
    let mut out = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() && out.len() < most {
        if !rest.starts_with('<') {
            let end = rest.find('<').unwrap_or(rest.len());
            let (text, after) = rest.split_at_checked(end)?;
            if !text.trim().is_empty() {
                out.push(Piece::Text(text.trim()));
            }
            rest = after;
            continue;
        }
        let end = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")]
            .iter()
            .find(|(begin, _)| rest.starts_with(begin))
            .map_or_else(|| tag(rest), |(_, end)| rest.find(end).map(|at| at + end.len()))?;
        let (piece, after) = rest.split_at_checked(end)?;
        let name = |from: usize| {
            let inside = piece.get(from..).unwrap_or_default();
            let end = inside.find(|c: char| c.is_whitespace() || matches!(c, '/' | '>'));
            inside.get(..end.unwrap_or(inside.len())).unwrap_or_default()
        };
        out.push(match piece {
            _ if piece.starts_with("<![CDATA[") => Piece::Text(piece),
            _ if piece.starts_with("<!") || piece.starts_with("<?") => Piece::Aside(piece),
            _ if piece.starts_with("</") => Piece::Close(piece, name(2)),
            _ if piece.ends_with("/>") => Piece::Empty(piece),
            _ => Piece::Open(piece, name(1)),
        });
        rest = after;
    }
    Some(out)
}

/// Bytes of the tag at the beginning of a text; a `>` in quotes does not end it.
fn tag(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None if c == '>' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The text on lines, at most so many; `None` when it is not well formed, unless its end is cut off.
pub fn lines(text: &str, most: usize, cut: bool) -> Option<Vec<Line>> {
    let whole = match (cut, text.rfind('>')) {
        // A tag that is cut in two is left out of the picture.
        (true, Some(end)) => text.get(..=end).unwrap_or(text),
        _ => text,
    };
    let pieces = pieces(whole, most.saturating_mul(4))?;
    let mut out: Vec<Line> = Vec::new();
    let mut open: Vec<&str> = Vec::new();
    let mut at = 0;
    while let Some(piece) = pieces.get(at) {
        if out.len() >= most {
            out.truncate(most);
            return Some(out);
        }
        let mut line = Line::at(open.len());
        match *piece {
            Piece::Open(tag, name) => {
                line.push(tag, Role::DataKey);
                match (pieces.get(at + 1), pieces.get(at + 2)) {
                    // An element with text alone, or with nothing, is one line.
                    (Some(Piece::Text(text)), Some(Piece::Close(close, end))) if *end == name => {
                        line.push(text, Role::DataText);
                        line.push(close, Role::DataKey);
                        at += 2;
                    }
                    (Some(Piece::Close(close, end)), _) if *end == name => {
                        line.push(close, Role::DataKey);
                        at += 1;
                    }
                    _ => open.push(name),
                }
            }
            Piece::Close(tag, name) => {
                if open.pop() != Some(name) {
                    return None;
                }
                line.depth = open.len();
                line.push(tag, Role::DataKey);
            }
            Piece::Empty(tag) => line.push(tag, Role::DataKey),
            Piece::Aside(text) => line.push(text, Role::Muted),
            Piece::Text(text) => line.push(text, Role::DataText),
        }
        // What has lines of its own keeps them.
        for (nth, row) in split(&line).into_iter().enumerate() {
            if nth == 0 || !row.is_empty() {
                out.push(row);
            }
        }
        at += 1;
    }
    out.truncate(most);
    (open.is_empty() || cut).then_some(out)
}

/// A line for each line of its text.
fn split(line: &Line) -> Vec<Line> {
    let mut out = vec![Line::at(line.depth)];
    for (text, role) in &line.parts {
        for (nth, row) in text.split('\n').enumerate() {
            if nth > 0 {
                out.push(Line::at(line.depth + 1));
            }
            let row = if nth > 0 { row.trim() } else { row.trim_end_matches('\r') };
            if let Some(last) = out.last_mut().filter(|_| !row.is_empty()) {
                last.push(row, *role);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str, cut: bool) -> Option<String> {
        let line = |line: Line| {
            let text: String = line.parts.iter().map(|(text, _)| text.as_str()).collect();
            format!("{}{text}", "  ".repeat(line.depth))
        };
        lines(text, 100, cut).map(|lines| lines.into_iter().map(line).collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn elements_stand_inside_each_other() {
        let text = r#"<?xml version="1.0"?><order id="o-17" note="a > b"><line sku="x"/><to>Linz</to><e></e><!-- c --><n><m>1</m></n></order>"#;
        let expected = r#"<?xml version="1.0"?>
<order id="o-17" note="a > b">
  <line sku="x"/>
  <to>Linz</to>
  <e></e>
  <!-- c -->
  <n>
    <m>1</m>
  </n>
</order>"#;
        assert_eq!(shown(text, false).as_deref(), Some(expected));
    }

    #[test]
    fn what_is_not_well_formed_is_no_xml() {
        for text in ["<a><b></a></b>", "<a>", "<a", "<a></b>", "</a>"] {
            assert_eq!(shown(text, false), None, "{text}");
        }
        assert_eq!(shown("<a><b>1</b><c att", true).as_deref(), Some("<a>\n  <b>1</b>"));
        assert!(looks_so(" <a>") && !looks_so("< 3") && !looks_so("a<b>"));
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(?s).{0,200}|[<>/ab!?\"' =\\[\\]\n-]{0,200}", cut: bool, most in 1usize..50) {
            if let Some(lines) = lines(&text, most, cut) {
                prop_assert!(lines.len() <= most);
            }
            looks_so(&text);
        }
    }
}
