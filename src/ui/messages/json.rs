//! JSON on lines of its own, token by token: the order of fields and the text of numbers stay as they were sent. What is broken or
//! cut off is laid out as far as it goes.

use serde::de::IgnoredAny;

use crate::theme::Role;

use super::lines::{Line, beginning};

/// An array or object that is no longer than this and has nothing nested in it stays on its line.
const SHORT: usize = 56;
/// Pieces that a line may have, at most: with less a matrix of short numbers would end before its lines do.
const PIECES: usize = SHORT + 2;
/// Bytes of a text that are looked at for each letter of its beginning on one line: there is white space too.
const LOOKED_AT: usize = 8;

/// What a piece of JSON is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Open,
    Close,
    Colon,
    Comma,
    Key,
    Text,
    Number,
    Literal,
}

/// Why a text is no JSON; `None` when it is.
pub fn fault(text: &str) -> Option<String> {
    serde_json::from_str::<IgnoredAny>(text).err().map(|error| error.to_string())
}

/// Whether a text means to be JSON: it begins as an object or an array does.
pub fn looks_so(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

const fn role(kind: Kind) -> Role {
    match kind {
        Kind::Open | Kind::Close | Kind::Colon | Kind::Comma => Role::Muted,
        Kind::Key => Role::DataKey,
        Kind::Text => Role::DataText,
        Kind::Number => Role::DataNumber,
        Kind::Literal => Role::DataLiteral,
    }
}

/// The pieces of a text, at most so many.
fn tokens(text: &str, most: usize) -> Vec<(Kind, &str)> {
    let mut out: Vec<(Kind, &str)> = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if out.len() >= most {
            break;
        }
        let (kind, length) = match first {
            '{' | '[' => (Kind::Open, 1),
            '}' | ']' => (Kind::Close, 1),
            ':' => (Kind::Colon, 1),
            ',' => (Kind::Comma, 1),
            '"' => (Kind::Text, string(rest)),
            _ => {
                let ends =
                    |c: char| c.is_whitespace() || matches!(c, '{' | '}' | '[' | ']' | ':' | ',' | '"');
                let length = rest.find(ends).unwrap_or(rest.len());
                let number = first.is_ascii_digit() || first == '-';
                (if number { Kind::Number } else { Kind::Literal }, length.max(first.len_utf8()))
            }
        };
        let (token, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        if kind == Kind::Colon
            && let Some((kind @ Kind::Text, _)) = out.last_mut()
        {
            *kind = Kind::Key;
        }
        out.push((kind, token));
        rest = after.trim_start();
    }
    out
}

/// Bytes of the string at the beginning of a text; all of it when it is not closed.
fn string(text: &str) -> usize {
    let mut escaped = true;
    for (at, c) in text.char_indices() {
        match c {
            // The first one opens it.
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// Its pieces on one line with their roles, at most so many letters. Names of fields stand without quotes: there is little room.
pub fn one_line(text: &str, most: usize) -> Vec<(String, Role)> {
    let mut out = Vec::new();
    let mut used = 0;
    let start = beginning(text, most.saturating_mul(LOOKED_AT));
    for (kind, token) in tokens(start, most) {
        let gap = matches!(kind, Kind::Colon | Kind::Comma);
        let room = most.saturating_sub(used);
        let token = if kind == Kind::Key { token.trim_matches('"') } else { token };
        let mut piece: String = token.chars().take(room).collect();
        used += piece.chars().count() + usize::from(gap);
        if gap {
            piece.push(' ');
        }
        out.push((piece, role(kind)));
        if used >= most {
            break;
        }
    }
    out
}

/// The text on lines, at most so many.
pub fn lines(text: &str, most: usize) -> Vec<Line> {
    let tokens = tokens(text, most.saturating_mul(PIECES));
    let mut out = Vec::new();
    let mut line = Line::at(0);
    let mut depth: usize = 0;
    let mut at = 0;
    while let Some((kind, token)) = tokens.get(at).copied() {
        if out.len() >= most {
            return out;
        }
        match kind {
            Kind::Open => {
                if let Some(length) = short(tokens.get(at..).unwrap_or_default()) {
                    for (kind, token) in tokens.iter().skip(at).take(length) {
                        line.push(token, role(*kind));
                        if matches!(kind, Kind::Colon | Kind::Comma) {
                            line.push(" ", Role::Muted);
                        }
                    }
                    at += length;
                    continue;
                }
                line.push(token, role(kind));
                depth += 1;
                out.push(std::mem::replace(&mut line, Line::at(depth)));
            }
            Kind::Close => {
                depth = depth.saturating_sub(1);
                if !line.is_empty() {
                    out.push(std::mem::take(&mut line));
                }
                line = Line::at(depth);
                line.push(token, role(kind));
            }
            Kind::Comma => {
                line.push(token, role(kind));
                out.push(std::mem::replace(&mut line, Line::at(depth)));
            }
            Kind::Colon => line.push(": ", role(kind)),
            _ => {
                // Two values side by side are no JSON; they are told apart all the same.
                if line.parts.last().is_some_and(|(text, _)| !text.ends_with(' ')) {
                    line.push(" ", Role::Muted);
                }
                line.push(token, role(kind));
            }
        }
        at += 1;
    }
    if !line.is_empty() && out.len() < most {
        out.push(line);
    }
    out
}

/// How many pieces there are up to the end of what begins here, if it is short and nothing is nested in it.
fn short(tokens: &[(Kind, &str)]) -> Option<usize> {
    let mut used = 0;
    for (at, (kind, token)) in tokens.iter().enumerate() {
        used += token.len() + usize::from(matches!(kind, Kind::Colon | Kind::Comma));
        match kind {
            _ if used > SHORT => return None,
            Kind::Open if at > 0 => return None,
            Kind::Close => return Some(at + 1),
            // An object with several fields is read better on lines.
            Kind::Key if at > 1 => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> String {
        let line = |line: Line| {
            let text: String = line.parts.iter().map(|(text, _)| text.as_str()).collect();
            format!("{}{text}", "  ".repeat(line.depth))
        };
        lines(text, 1_000).into_iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn order_and_numbers_stay_as_they_were_sent() {
        let text = r#"{"z":1.10e2,"a":[1,2, 3],"n":{"x":null,"y":[{"k":"v, {\"q\"}: 1"}]},"e":{},"l":[]}"#;
        let expected = r#"{
  "z": 1.10e2,
  "a": [1, 2, 3],
  "n": {
    "x": null,
    "y": [
      {"k": "v, {\"q\"}: 1"}
    ]
  },
  "e": {},
  "l": []
}"#;
        assert_eq!(shown(text), expected);
        assert_eq!(fault(text), None);
    }

    #[test]
    fn pieces_have_roles() {
        let lines = lines(r#"{"a":"b","c":-1,"d":true}"#, 100);
        let roles: Vec<(String, Role)> = lines.into_iter().flat_map(|line| line.parts).collect();
        for (text, role) in [
            ("\"a\"", Role::DataKey),
            ("\"b\"", Role::DataText),
            ("-1", Role::DataNumber),
            ("true", Role::DataLiteral),
        ] {
            assert!(roles.contains(&(text.to_owned(), role)), "{text}: {roles:?}");
        }
    }

    #[test]
    fn what_is_cut_off_goes_as_far_as_it_is_there() {
        assert_eq!(shown(r#"{"a":{"b":"cut of"#), "{\n  \"a\": {\n    \"b\": \"cut of");
        assert_eq!(shown("]]}"), "]\n]\n}");
        assert!(fault(r#"{"a":"#).is_some());
        assert_eq!(
            fault("{\"a\":01}").as_deref(),
            Some("invalid number at line 1 column 7"),
            "what is wrong is said without quoting it"
        );
    }

    #[test]
    fn a_matrix_is_laid_out_to_its_end() {
        let row = format!("[{}]", vec!["1"; 25].join(","));
        let text = format!("[{}]", vec![row.as_str(); 1_000].join(","));
        assert_eq!(lines(&text, 1_002).len(), 1_002);
        assert_eq!(lines(&text, 10).len(), 10);
    }

    #[test]
    fn of_a_long_text_the_beginning_is_one_line() {
        let text = format!("{{\n  \"a\": \"{}\"}}", "ü".repeat(100_000));
        let line: String = one_line(&text, 20).into_iter().map(|(text, _)| text).collect();
        assert_eq!(line, format!("{{a: \"{}", "ü".repeat(15)));
    }

    proptest! {
        /// Whatever comes, there are no more lines than asked for, and nothing but white space is lost or added.
        #[test]
        fn any_text_is_laid_out(text in "(?s).{0,200}|[\\[\\]{}:,\"\\\\a1 \n]{0,200}", most in 1usize..400) {
            let laid = lines(&text, most);
            prop_assert!(laid.len() <= most);
            if most > 300 {
                let out: String = laid.iter().flat_map(|l| &l.parts).map(|(t, _)| t.as_str()).collect();
                let letters = |t: &str| t.chars().filter(|c| !c.is_whitespace()).collect::<String>();
                prop_assert_eq!(letters(&out), letters(&text));
            }
            one_line(&text, most);
        }

        #[test]
        fn json_stays_the_same_json(value in any_json()) {
            let text = value.to_string();
            let laid = shown(&text);
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&laid).unwrap(), value);
        }
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            "(?s).{0,12}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::hash_map("[a-z\"\\\\]{0,4}", inner, 0..6)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }
}
