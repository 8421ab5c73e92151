//! One filter language for every list.
//!
//! ```text
//! billing            the word is in a name of the row
//! team:payments      the field has the text in it          state:stalled
//! name=billing       the field is exactly this
//! lag>100            the field is more (also < >= <=); units: 2.5k 500ms 2s 5m 1h 3kb 5%
//! -team:crm          not
//! "two words"        spaces
//! ```
//!
//! All that is written must hold. A number that is unknown is neither more nor less than anything.

use super::item::{Field, FieldKind, FieldSpec, Item, fields};
use super::list::ListId;
use crate::model::snapshot::Snapshot;

/// A filter as typed and as understood.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    terms: Vec<Term>,
}

#[derive(Debug, Clone, PartialEq)]
struct Term {
    negated: bool,
    test: Test,
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    /// Lower case; in any of these fields.
    Word(String, Vec<&'static str>),
    Contains(&'static str, String),
    Is(&'static str, String),
    Compare(&'static str, Comparison, f64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    More,
    Less,
    AtLeast,
    AtMost,
    Equal,
}

/// The operators, longest first so that `>=` is not read as `>`.
const OPERATORS: &[(&str, Option<Comparison>)] = &[
    (">=", Some(Comparison::AtLeast)),
    ("<=", Some(Comparison::AtMost)),
    (">", Some(Comparison::More)),
    ("<", Some(Comparison::Less)),
    ("=", Some(Comparison::Equal)),
    (":", None),
];

impl Filter {
    /// Understands a filter for some lists of one view. A field is known when one of the lists has it; in a list without it, the
    /// term does not hold.
    ///
    /// # Errors
    /// A line that says what is not understood, and the nearest thing that would be.
    pub fn parse(text: &str, lists: &[ListId]) -> Result<Self, String> {
        let known: Vec<FieldSpec> = lists.iter().flat_map(|list| fields(*list)).copied().collect();
        let terms = split(text)?.into_iter().map(|token| term(&token, &known)).collect::<Result<_, _>>()?;
        Ok(Self { terms })
    }

    /// Whether nothing is filtered.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether a row is shown.
    pub fn matches(&self, item: &Item<'_>, snapshot: &Snapshot) -> bool {
        self.terms.iter().all(|term| term.test.holds(item, snapshot) != term.negated)
    }
}

/// A piece between spaces; `quoted` when its beginning was, so that it is taken as plain text.
struct Token {
    text: String,
    negated: bool,
    quoted: bool,
}

fn split(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.peek().is_none() {
            return Ok(tokens);
        }
        let negated = chars.next_if_eq(&'-').is_some();
        let quoted = chars.peek() == Some(&'"');
        let mut word = String::new();
        let mut inside = false;
        while let Some(c) = chars.next_if(|c| inside || !c.is_whitespace()) {
            if c == '"' {
                inside = !inside;
            } else {
                word.push(c);
            }
        }
        if inside {
            return Err(format!("the quote in \"{word} is not closed"));
        }
        if !word.is_empty() {
            tokens.push(Token { text: word, negated, quoted });
        } else if negated && !quoted {
            // A lone minus: the word after it is still being typed.
        }
    }
}

fn term(token: &Token, known: &[FieldSpec]) -> Result<Term, String> {
    let Token { text, negated, quoted } = token;
    let term = |test| Ok(Term { negated: *negated, test });
    let named = || known.iter().filter(|field| field.named).map(|field| field.key).collect();
    let at = text.char_indices().find(|(_, c)| matches!(c, '<' | '>' | '=' | ':')).map(|(at, _)| at);
    // A subject may have `>` in it and an id `:`: only what stands after a plain word is an operator.
    let field = at.and_then(|at| text.get(..at)).filter(|head| {
        !quoted
            && !head.is_empty()
            && head.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
    });
    let Some(field) = field else { return term(Test::Word(text.to_lowercase(), named())) };
    let rest = text.get(field.len()..).unwrap_or_default();
    let Some((operator, comparison)) =
        OPERATORS.iter().find(|(operator, _)| rest.starts_with(operator)).copied()
    else {
        return term(Test::Word(text.to_lowercase(), named()));
    };
    let argument = rest.strip_prefix(operator).unwrap_or_default();
    let lower = field.to_ascii_lowercase();
    let Some(spec) = known.iter().find(|spec| spec.key == lower) else {
        return Err(unknown_field(field, known));
    };
    if argument.is_empty() {
        return Err(format!("`{field}{operator}` needs something to compare with"));
    }
    match (comparison, spec.kind) {
        (None, FieldKind::Text) => term(Test::Contains(spec.key, argument.to_lowercase())),
        (Some(Comparison::Equal), FieldKind::Text) => term(Test::Is(spec.key, argument.to_lowercase())),
        (None, FieldKind::Number) => {
            term(Test::Compare(spec.key, Comparison::Equal, quantity(field, argument)?))
        }
        (Some(comparison), FieldKind::Number) => {
            term(Test::Compare(spec.key, comparison, quantity(field, argument)?))
        }
        (Some(_), FieldKind::Text) => {
            Err(format!("`{field}` is text: use {field}:{argument} instead of {field}{operator}{argument}"))
        }
    }
}

fn unknown_field(field: &str, known: &[FieldSpec]) -> String {
    let nearest = known
        .iter()
        .map(|spec| (strsim::damerau_levenshtein(field, spec.key), spec.key))
        .filter(|(distance, key)| *distance <= key.len().max(3) / 2)
        .min();
    match nearest {
        Some((_, key)) => format!("there is no field `{field}` here; did you mean `{key}`?"),
        None => format!("there is no field `{field}` here; ? lists the fields"),
    }
}

/// A number with a unit, in base units (seconds, bytes, shares of one).
fn quantity(field: &str, text: &str) -> Result<f64, String> {
    let bad = || {
        format!("`{text}` is not a number for `{field}`: write it like 100, 2.5k, 500ms, 2s, 5m, 1h, 3kb, 5%")
    };
    if text == "never" {
        return Ok(f64::INFINITY);
    }
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(end).ok_or_else(bad)?;
    let number: f64 = digits.parse().map_err(|_| bad())?;
    let factor = match unit.to_ascii_lowercase().trim_end_matches("/s") {
        "" | "s" | "b" => 1.0,
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        "k" | "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "%" => 0.01,
        _ => return Err(bad()),
    };
    Ok(number * factor)
}

impl Test {
    fn holds(&self, item: &Item<'_>, snapshot: &Snapshot) -> bool {
        match self {
            Self::Word(word, named) => {
                named.iter().any(|key| any_text(&item.value(key, snapshot), |text| contains(text, word)))
            }
            Self::Contains(key, part) => any_text(&item.value(key, snapshot), |text| contains(text, part)),
            Self::Is(key, word) => any_text(&item.value(key, snapshot), |text| text.to_lowercase() == *word),
            Self::Compare(key, comparison, wanted) => match item.value(key, snapshot) {
                Field::Number(value) => match comparison {
                    Comparison::More => value > *wanted,
                    Comparison::Less => value < *wanted,
                    Comparison::AtLeast => value >= *wanted,
                    Comparison::AtMost => value <= *wanted,
                    // `never` is infinite, and the difference of two infinities is no number.
                    Comparison::Equal => {
                        (value - wanted).abs() < f64::EPSILON || value.total_cmp(wanted).is_eq()
                    }
                },
                _ => false,
            },
        }
    }
}

fn any_text(field: &Field<'_>, holds: impl Fn(&str) -> bool) -> bool {
    match field {
        Field::Text(text) => holds(text),
        Field::Words(words) => words.iter().any(|word| holds(word)),
        Field::Number(_) | Field::Unknown => false,
    }
}

/// Whether `text` has `word` (lower case) in it, whatever the case.
fn contains(text: &str, word: &str) -> bool {
    if text.is_ascii() && word.is_ascii() {
        let (text, word) = (text.as_bytes(), word.as_bytes());
        return word.is_empty() || text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
    }
    text.to_lowercase().contains(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Filter::parse(text, &[ListId::Consumers]).unwrap_err()
    }

    #[test]
    fn mistakes_are_said_with_what_would_be_right() {
        assert_eq!(error("lgg>100"), "there is no field `lgg` here; did you mean `lag`?");
        assert_eq!(error("temperature>3"), "there is no field `temperature` here; ? lists the fields");
        assert_eq!(
            error("lag>many"),
            "`many` is not a number for `lag`: write it like 100, 2.5k, 500ms, 2s, 5m, 1h, 3kb, 5%"
        );
        assert_eq!(error("lag>"), "`lag>` needs something to compare with");
        assert_eq!(error("team>crm"), "`team` is text: use team:crm instead of team>crm");
        assert_eq!(error("a \"b c"), "the quote in \"b c is not closed");
    }

    #[test]
    fn subjects_and_ids_are_words() {
        for text in
            ["orders.>", "nats/subject:orders", "$JS.API.>", "\"lag>1\"", "-", ">", ":", "=x", "日本:語"]
        {
            assert!(Filter::parse(text, &[ListId::Consumers]).is_ok(), "{text}");
        }
        assert!(Filter::parse("  ", &[ListId::Flows]).unwrap().is_empty());
        assert!(
            Filter::parse("-", &[ListId::Flows]).unwrap().is_empty(),
            "a minus whose word is still to come"
        );
    }

    #[test]
    fn quantities() {
        for (text, value) in [
            ("100", 100.0),
            ("2.5k", 2_500.0),
            ("500ms", 0.5),
            ("2s", 2.0),
            ("5m", 300.0),
            ("1h", 3_600.0),
            ("3kb", 3_000.0),
            ("5%", 0.05),
            ("2k/s", 2_000.0),
            ("never", f64::INFINITY),
        ] {
            assert_eq!(quantity("x", text), Ok(value), "{text}");
        }
        for text in ["", "k", "1x", "1..2", "--1", "１"] {
            assert!(quantity("x", text).is_err(), "{text}");
        }
    }

    #[test]
    fn any_text_is_taken_or_refused() {
        use proptest::prelude::*;
        proptest!(|(text in "\\PC*")| {
            let _ = Filter::parse(&text, &[ListId::Consumers, ListId::Flows]);
        });
    }
}
