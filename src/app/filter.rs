//! One filter language for every list.
//!
//! ```text
//! billing            the word is in a name of the row
//! team:payments      the field has the text in it          state:stalled
//! team=crm           the field is exactly this
//! lag>100            the field is more (also < >= <=); 2.5k; of a time 500ms 2s 5m 1h; of bytes 3kb
//! -team:crm          not
//! "two words"        spaces
//! ```
//!
//! All that is written must hold. A number that is unknown is neither more nor less than anything.

use super::item::{Field, FieldKind, FieldSpec, Item, Unit, fields};
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
        let like = match spec.kind {
            FieldKind::Number => examples(field, operator, spec.unit),
            FieldKind::Text => format!("{field}{operator}word"),
        };
        return Err(format!("`{field}{operator}` is not finished: write it like {like}"));
    }
    match (comparison, spec.kind) {
        (None, FieldKind::Text) => term(Test::Contains(spec.key, argument.to_lowercase())),
        (Some(Comparison::Equal), FieldKind::Text) => term(Test::Is(spec.key, argument.to_lowercase())),
        (None, FieldKind::Number) => {
            term(Test::Compare(spec.key, Comparison::Equal, quantity(spec, operator, argument)?))
        }
        (Some(comparison), FieldKind::Number) => {
            term(Test::Compare(spec.key, comparison, quantity(spec, operator, argument)?))
        }
        (Some(_), FieldKind::Text) => {
            Err(format!("`{field}` is text: write {field}:{argument} or {field}={argument}"))
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

/// Comparisons as they would be right.
fn examples(field: &str, operator: &str, unit: Unit) -> String {
    let (one, other) = match unit {
        Unit::Count => ("100", "2.5k"),
        Unit::Rate => ("0.5", "2k/s"),
        Unit::Bytes => ("3kb", "1.5mb"),
        Unit::Time => ("500ms", "2m"),
    };
    format!("{field}{operator}{one} or {field}{operator}{other}")
}

/// A number with a unit of its field, in base units (seconds, bytes).
fn quantity(field: &FieldSpec, operator: &str, text: &str) -> Result<f64, String> {
    let bad = || {
        let what = match field.unit {
            Unit::Count => "is no number",
            Unit::Rate => "is no rate",
            Unit::Bytes => "is no size",
            Unit::Time => "is no time",
        };
        format!("`{text}` {what}: write it like {}", examples(field.key, operator, field.unit))
    };
    if field.unit == Unit::Time && text == "never" {
        return Ok(f64::INFINITY);
    }
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(end).ok_or_else(bad)?;
    let number: f64 = digits.parse().map_err(|_| bad())?;
    let unit = unit.to_lowercase();
    // The same letter is a minute of a time and a million of things.
    let factor = match (field.unit, unit.as_str()) {
        (_, "") | (Unit::Time, "s") => 1.0,
        (Unit::Time, "us" | "µs") => 1e-6,
        (Unit::Time, "ms") => 1e-3,
        (Unit::Time, "m" | "min") => 60.0,
        (Unit::Time, "h") => 3_600.0,
        (Unit::Time, "d") => 86_400.0,
        (Unit::Time, _) => return Err(bad()),
        (Unit::Count, unit) => thousands(unit).ok_or_else(bad)?,
        (Unit::Rate, unit) => thousands(unit.strip_suffix("/s").unwrap_or(unit)).ok_or_else(bad)?,
        (Unit::Bytes, unit) => {
            let unit = unit.strip_suffix("/s").unwrap_or(unit);
            thousands(unit.strip_suffix('b').unwrap_or(unit)).ok_or_else(bad)?
        }
    };
    Ok(number * factor)
}

fn thousands(unit: &str) -> Option<f64> {
    match unit {
        "" => Some(1.0),
        "k" => Some(1e3),
        "m" => Some(1e6),
        "g" => Some(1e9),
        _ => None,
    }
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
        assert_eq!(error("lag>many"), "`many` is no number: write it like lag>100 or lag>2.5k");
        assert_eq!(error("lag>5ms"), "`5ms` is no number: write it like lag>100 or lag>2.5k");
        assert_eq!(error("stale<=x"), "`x` is no time: write it like stale<=500ms or stale<=2m");
        assert_eq!(error("stale>5%"), "`5%` is no time: write it like stale>500ms or stale>2m");
        assert_eq!(error("acked<1x"), "`1x` is no rate: write it like acked<0.5 or acked<2k/s");
        let flows = |text: &str| Filter::parse(text, &[ListId::Flows]).unwrap_err();
        assert_eq!(flows("bytes>x"), "`x` is no size: write it like bytes>3kb or bytes>1.5mb");
        assert_eq!(error("lag>"), "`lag>` is not finished: write it like lag>100 or lag>2.5k");
        assert_eq!(error("team:"), "`team:` is not finished: write it like team:word");
        assert_eq!(error("team>crm"), "`team` is text: write team:crm or team=crm");
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
        let of = |key: &str, text: &str| {
            let field = fields(ListId::Consumers).iter().chain(fields(ListId::Flows)).find(|f| f.key == key);
            quantity(field.unwrap(), ">", text)
        };
        for (key, text, value) in [
            ("lag", "100", 100.0),
            ("lag", "2.5k", 2_500.0),
            ("lag", "2M", 2e6),
            ("stale", "500ms", 0.5),
            ("stale", "2s", 2.0),
            ("stale", "5m", 300.0),
            ("since", "1h", 3_600.0),
            ("drain", "never", f64::INFINITY),
            ("rate", "0.5/s", 0.5),
            ("rate", "2k/s", 2_000.0),
            ("bytes", "3kb", 3_000.0),
            ("bytes", "3MB/s", 3e6),
        ] {
            assert_eq!(of(key, text), Ok(value), "{key} {text}");
        }
        for (key, text) in [
            ("lag", ""),
            ("lag", "k"),
            ("lag", "1x"),
            ("lag", "1..2"),
            ("lag", "--1"),
            ("lag", "１"),
            ("lag", "never"),
            ("lag", "3kb"),
            ("stale", "2k"),
            ("rate", "5%"),
        ] {
            assert!(of(key, text).is_err(), "{key} {text}");
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
