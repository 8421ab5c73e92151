//! Values that stand for something else: paths with `~` and `$NAME`, and secrets that are kept elsewhere
//! (`file://`, `env://`, `data:`), as the files of the `nats` command line write them.

use std::path::{Path, PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::secret::Secret;

/// Reads one environment variable; `None` when it is not set. An argument, so that tests need no process-wide
/// environment.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Why a reference cannot be followed; completes the sentence "`field` in `file` …".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// A scheme that needs another program.
    #[error("keeps its secret as {scheme}://, which needs the program '{program}'; {advice}")]
    NeedsProgram {
        /// `op`, `nsc`.
        scheme: &'static str,
        /// What would read it.
        program: &'static str,
        /// What to do instead.
        advice: &'static str,
    },
    /// `env://NAME` without such a variable.
    #[error("names the environment variable {0}, which is not set")]
    NotSet(String),
    /// A file that cannot be read.
    #[error("names the file {path}, which cannot be read: {why}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system says.
        why: String,
    },
    /// `data:` that is no base64.
    #[error("is a data: value that cannot be read; it must be data:;base64,…")]
    BadData,
}

/// Where a secret comes from, by its scheme. `None` when the text has no scheme that is known here and
/// so is the secret itself.
pub fn read(text: &str, lookup: Lookup<'_>) -> Result<Option<Secret>, ReferenceError> {
    match scheme(text).as_deref() {
        Some("file") => {
            let path = expand(after(text, "file://"), lookup);
            read_file(&path).map(Some).map_err(|error| ReferenceError::Unreadable {
                path: path.display().to_string(),
                why: cause(&error),
            })
        }
        Some("env") => {
            let name = after(text, "env://");
            match lookup(name).filter(|value| !value.is_empty()) {
                Some(value) => Ok(Some(trimmed(&value))),
                None => Err(ReferenceError::NotSet(name.to_owned())),
            }
        }
        Some("data") => {
            let inline =
                text.split_once(',').filter(|(head, _)| head.split(';').any(|part| part == "base64"));
            let bytes = inline.and_then(|(_, data)| STANDARD.decode(data).ok());
            let value = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
            value.map(|value| Some(trimmed(&value))).ok_or(ReferenceError::BadData)
        }
        Some("op") => Err(ReferenceError::NeedsProgram {
            scheme: "op",
            program: "op",
            advice: "start Headwater with 'op run', and refer to the variable it sets as env://NAME",
        }),
        Some("nsc") => Err(ReferenceError::NeedsProgram {
            scheme: "nsc",
            program: "nsc",
            advice: "write the credentials to a file with 'nsc generate creds' and give it with --creds",
        }),
        _ => Ok(None),
    }
}

/// The scheme of a reference that the `nats` command line knows, in lower case.
pub fn scheme(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once(':')?;
    let scheme = scheme.to_ascii_lowercase();
    let known = match scheme.as_str() {
        "data" => true,
        "file" | "env" | "op" | "nsc" => rest.starts_with("//"),
        _ => false,
    };
    known.then_some(scheme)
}

/// The contents of a small secret file, without the newline that editors add.
pub fn read_file(path: &Path) -> std::io::Result<Secret> {
    std::fs::read_to_string(path).map(|text| trimmed(&text))
}

/// What follows a prefix of known length, however it is written.
pub fn after<'a>(text: &'a str, prefix: &str) -> &'a str {
    text.get(prefix.len()..).unwrap_or_default()
}

fn trimmed(text: &str) -> Secret {
    Secret::new(text.trim_end_matches(['\r', '\n']))
}

/// What went wrong with a file, in a few words.
pub fn cause(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        std::io::ErrorKind::InvalidData => "it is not text".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        _ => error.to_string(),
    }
}

/// A path with `$NAME`, `${NAME}` and a leading `~` replaced. A variable that is not set becomes empty, as a
/// shell does it.
pub fn expand(path: &str, lookup: Lookup<'_>) -> PathBuf {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('$') {
        let (before, from_dollar) = rest.split_at(at);
        out.push_str(before);
        let after = from_dollar.strip_prefix('$').unwrap_or_default();
        let braced = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let (name, tail) = braced.unwrap_or_else(|| {
            let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(after.len());
            after.split_at(end)
        });
        if name.is_empty() {
            out.push('$');
        } else {
            out.push_str(&lookup(name).unwrap_or_default());
        }
        rest = tail;
    }
    out.push_str(rest);
    match (out.strip_prefix('~'), lookup("HOME")) {
        (Some(tail), Some(home)) if tail.is_empty() || tail.starts_with('/') => PathBuf::from(home + tail),
        _ => PathBuf::from(out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        match name {
            "HOME" => Some("/home/ada".to_owned()),
            "KEYS" => Some("/keys".to_owned()),
            "SECRET" => Some("s3cret\n".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[test]
    fn paths_are_expanded_like_a_shell_does() {
        for (given, path) in [
            ("~/a.creds", "/home/ada/a.creds"),
            ("~", "/home/ada"),
            ("~other/a", "~other/a"),
            ("$KEYS/a", "/keys/a"),
            ("${KEYS}x/$KEYS", "/keysx//keys"),
            ("a$NONE/b", "a/b"),
            ("cost$", "cost$"),
            ("${KEYS", "${KEYS"),
            ("/plain", "/plain"),
        ] {
            assert_eq!(expand(given, &environment), PathBuf::from(path), "{given}");
        }
    }

    #[test]
    fn secrets_kept_elsewhere_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        std::fs::write(&file, "from-file\r\n").unwrap();
        let reference = format!("file://{}", file.display());
        for (given, secret) in [
            (reference.as_str(), Some("from-file")),
            ("env://SECRET", Some("s3cret")),
            ("ENV://SECRET", Some("s3cret")),
            ("data:;base64,aW5saW5l", Some("inline")),
            ("data:text/plain;base64,aW5saW5l", Some("inline")),
            ("plain", None),
            ("with:colon", None),
            ("envy", None),
        ] {
            assert_eq!(read(given, &environment).unwrap(), secret.map(Secret::new), "{given}");
        }
    }

    #[test]
    fn what_cannot_be_read_says_what_to_do() {
        for (given, why) in [
            (
                "op://vault/item",
                "keeps its secret as op://, which needs the program 'op'; start Headwater with 'op run', and \
                 refer to the variable it sets as env://NAME",
            ),
            (
                "nsc://o/a/u",
                "keeps its secret as nsc://, which needs the program 'nsc'; write the credentials to a file with \
                 'nsc generate creds' and give it with --creds",
            ),
            ("env://NONE", "names the environment variable NONE, which is not set"),
            ("env://EMPTY", "names the environment variable EMPTY, which is not set"),
            ("file:///no/such", "names the file /no/such, which cannot be read: no such file"),
            ("data:text/plain,abc", "is a data: value that cannot be read; it must be data:;base64,…"),
            ("data:;base64,???", "is a data: value that cannot be read; it must be data:;base64,…"),
        ] {
            assert_eq!(read(given, &environment).unwrap_err().to_string(), why, "{given}");
        }
    }
}
