//! What is wrong in the files, said once: where, what was found, what was expected, the nearest known name.

use std::fmt::Write as _;
use std::path::Path;

use super::declared::Origin;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The topology cannot be used.
    Error,
    /// It can, but something is probably not as meant.
    Warning,
}

impl Severity {
    /// The word for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One fault. All its texts are printable: control characters from the files are escaped, secrets removed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where.
    pub at: Origin,
    /// How bad.
    pub severity: Severity,
    /// What was found and what was expected, in one line.
    pub text: String,
    /// The known name that is nearest to what was found.
    pub nearest: Option<String>,
}

impl Problem {
    /// An error.
    pub fn error(at: &Origin, text: impl Into<String>) -> Self {
        Self { at: at.clone(), severity: Severity::Error, text: text.into(), nearest: None }
    }

    /// A warning.
    pub fn warning(at: &Origin, text: impl Into<String>) -> Self {
        Self { at: at.clone(), severity: Severity::Warning, text: text.into(), nearest: None }
    }

    /// The same with the nearest of the known names, if one is near enough to be meant.
    #[must_use]
    pub fn or_near<'a>(mut self, found: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        self.nearest = nearest(found, known);
        self
    }

    /// One line, with the file's path below `root`: `DIR/services/a.yaml:3:1: error: …; did you mean …?`
    pub fn line(&self, root: &Path) -> String {
        let folder = escaped(&root.to_string_lossy());
        // When the topology is a single file, the root is that file.
        let path = if self.at.file.is_empty() || root.ends_with(&*self.at.file) {
            folder
        } else if self.at.file.starts_with('/') || root.as_os_str().is_empty() {
            self.at.file.to_string()
        } else {
            format!("{}/{}", folder.trim_end_matches('/'), self.at.file)
        };
        self.line_at(path)
    }

    /// [`Problem::line`] where the root is known to the reader and only costs room: `services/a.yaml:3:1: error: …`
    pub fn line_below(&self, root: &Path) -> String {
        if self.at.file.is_empty() { self.line(root) } else { self.line_at(self.at.file.to_string()) }
    }

    fn line_at(&self, mut path: String) -> String {
        if self.at.line > 0 {
            // Writing to a string cannot fail.
            let _ = write!(path, ":{}", self.at.line);
            if self.at.column > 0 {
                let _ = write!(path, ":{}", self.at.column);
            }
        }
        format!("{path}: {}: {}", self.severity.word(), self.message())
    }

    /// The text with the suggestion, without place and severity.
    pub fn message(&self) -> String {
        match &self.nearest {
            Some(near) => format!("{}; did you mean `{near}`?", self.text),
            None => self.text.clone(),
        }
    }
}

/// The known name that somebody who wrote `found` most likely meant, if any is near enough.
pub fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    // Comparing costs the product of the lengths, so a monstrous name is not compared at all.
    if found.len() > 100 {
        return None;
    }
    let lower = found.to_lowercase();
    known
        .into_iter()
        .filter(|name| *name != found && name.len() <= 100)
        .map(|name| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), name))
        // A third of the letters may be wrong: `consume` finds `consumes`, `x` finds nothing.
        // What was cut short finds the whole word: `stale` finds `staleness`.
        .filter(|(distance, name)| {
            *distance * 3 <= name.chars().count().max(lower.chars().count())
                || (lower.chars().count() >= 3 && name.to_lowercase().starts_with(&lower))
        })
        .min()
        .map(|(_, name)| printable(name))
}

/// Whether a character may go to a terminal as it is. Besides control characters, those that turn the writing
/// direction are kept back: they can make a line read as something else.
pub fn is_plain(c: char) -> bool {
    !(c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'))
}

/// A path made fit to print: whole, but with control characters escaped.
pub fn escaped(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for c in path.chars() {
        if is_plain(c) { out.push(c) } else { out.extend(c.escape_default()) }
    }
    out
}

/// Text from a file made fit to print: control characters escaped, and not endless.
pub fn printable(text: &str) -> String {
    const LIMIT: usize = 80;
    let mut out = String::with_capacity(text.len().min(LIMIT));
    for (n, c) in text.chars().enumerate() {
        if n == LIMIT {
            out.push('…');
            break;
        }
        if is_plain(c) {
            out.push(c);
        } else {
            out.extend(c.escape_default());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Origin {
        Origin { file: "services/a.yaml".into(), line: 3, column: 5 }
    }

    #[test]
    fn a_line_names_the_place_and_the_nearest_name() {
        let problem = Problem::error(&at(), "unknown field `onws`").or_near("onws", ["owns", "calls"]);
        assert_eq!(
            problem.line(Path::new("topo")),
            "topo/services/a.yaml:3:5: error: unknown field `onws`; did you mean `owns`?"
        );
        assert_eq!(
            problem.line_below(Path::new("topo")),
            "services/a.yaml:3:5: error: unknown field `onws`; did you mean `owns`?"
        );
        let whole =
            Problem::error(&Origin { file: "".into(), line: 0, column: 0 }, "no such file or directory");
        assert_eq!(whole.line_below(Path::new("topo")), "topo: error: no such file or directory");
    }

    #[test]
    fn what_is_far_is_not_suggested() {
        assert_eq!(nearest("x", ["owns", "calls"]), None);
        assert_eq!(nearest("stale", ["lag", "staleness"]), Some("staleness".to_owned()));
        assert_eq!(nearest("st", ["staleness"]), None);
        assert_eq!(nearest("Billing", ["billing", "shipping"]), Some("billing".to_owned()));
        assert_eq!(nearest("acounts", ["accounts", "accounts-db"]), Some("accounts".to_owned()));
    }

    #[test]
    fn nothing_unprintable_gets_through() {
        assert_eq!(printable("a\u{1b}[31mb"), "a\\u{1b}[31mb");
        assert_eq!(printable("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(printable(&"x".repeat(200)).chars().count(), 81);
    }
}
