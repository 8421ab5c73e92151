//! The contexts of the `nats` command line: `~/.config/nats/context/NAME.json`, read as they are.
//!
//! A context that names something Headwater cannot read (a secret behind `op://`, a SOCKS proxy) is refused
//! with the field, the file and what to do; connecting without it would only fail later and less clearly.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::options::{Auth, DEFAULT_SERVER, NatsOptions, TlsOptions};
use super::reference::{self, Lookup, ReferenceError, cause, expand};
use super::secret::{AddressError, Redacted, Secret};
use crate::model::id::SourceId;

/// Why a context cannot be used. Each says what, where and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    /// No directory to look in.
    #[error("cannot look for NATS contexts: neither XDG_CONFIG_HOME nor HOME is set")]
    NoHome,
    /// A name that would leave the directory.
    #[error("'{0}' is not the name of a NATS context; see `nats context ls`")]
    BadName(String),
    /// No such file.
    #[error("there is no NATS context '{name}' in {directory}{hint}")]
    NotFound {
        /// What was asked for.
        name: String,
        /// Where it was looked for.
        directory: String,
        /// The nearest known name, or what there is.
        hint: String,
    },
    /// A file that cannot be read.
    #[error("cannot read {file}: {why}")]
    Unreadable {
        /// The file.
        file: String,
        /// What the system says.
        why: String,
    },
    /// Not JSON, or not of the expected types.
    #[error("{file}:{line}:{column}: {why}")]
    Malformed {
        /// The file.
        file: String,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What was expected.
        why: String,
    },
    /// A secret or path that cannot be followed.
    #[error("'{field}' in {file} {error}")]
    Reference {
        /// The file.
        file: String,
        /// The field.
        field: &'static str,
        /// Why not.
        error: ReferenceError,
    },
    /// The URL in it.
    #[error("'url' in {file}: {error}")]
    Address {
        /// The file.
        file: String,
        /// What is wrong with it.
        error: AddressError,
    },
    /// A field that Headwater does not support.
    #[error("'{field}' in {file} is not supported by Headwater; {advice}")]
    Unsupported {
        /// The file.
        file: String,
        /// The field.
        field: &'static str,
        /// What to do instead.
        advice: &'static str,
    },
}

/// The file, all of it that matters here. Fields that are not set are empty, as the `nats` command line writes
/// them; fields that it may learn later are ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    url: String,
    socks_proxy: String,
    token: String,
    user: String,
    password: String,
    creds: String,
    nkey: String,
    cert: String,
    key: String,
    ca: String,
    nsc: String,
    jetstream_domain: String,
    jetstream_api_prefix: String,
    jetstream_event_prefix: String,
    inbox_prefix: String,
    user_jwt: String,
    user_seed: String,
    tls_first: bool,
    windows_cert_store: String,
}

/// A context that was read.
#[derive(Clone, Debug)]
pub struct Context {
    /// Its name.
    pub name: String,
    /// Where it was read from.
    pub file: PathBuf,
    /// What it says.
    pub options: NatsOptions,
}

/// The directory of the `nats` command line: `$XDG_CONFIG_HOME/nats`, else `~/.config/nats`.
pub fn directory(lookup: Lookup<'_>) -> Option<PathBuf> {
    let set = |name: &str| lookup(name).filter(|value| !value.is_empty());
    let parent = match set("XDG_CONFIG_HOME") {
        Some(parent) => PathBuf::from(parent),
        None => Path::new(&set("HOME")?).join(".config"),
    };
    Some(parent.join("nats"))
}

/// The context that `nats context select` chose, if any.
pub fn selected(lookup: Lookup<'_>) -> Result<Option<String>, ContextError> {
    let Some(directory) = directory(lookup) else { return Ok(None) };
    let file = directory.join("context.txt");
    match std::fs::read_to_string(&file) {
        Ok(text) => Ok(Some(text.trim().to_owned()).filter(|name| !name.is_empty())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ContextError::Unreadable { file: file.display().to_string(), why: cause(&error) }),
    }
}

/// Reads a context.
pub fn load(name: &str, source: SourceId, lookup: Lookup<'_>) -> Result<Context, ContextError> {
    if name.is_empty() || name.contains("..") || name.contains(['/', '\\']) {
        return Err(ContextError::BadName(Redacted(name).to_string()));
    }
    let directory = directory(lookup).ok_or(ContextError::NoHome)?.join("context");
    let path = directory.join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => not_found(name, &directory),
        _ => ContextError::Unreadable { file: path.display().to_string(), why: cause(&error) },
    })?;
    let file = path.display().to_string();
    let parsed: File = serde_json::from_str(&text).map_err(|error| ContextError::Malformed {
        file: file.clone(),
        line: error.line(),
        column: error.column(),
        why: without_position(&error),
    })?;
    let options = parsed.options(&file, source, lookup)?;
    Ok(Context { name: name.to_owned(), file: path, options })
}

fn not_found(name: &str, directory: &Path) -> ContextError {
    let known = names(directory);
    let nearest = known.iter().map(|other| (strsim::damerau_levenshtein(name, other), other)).min();
    let hint = match nearest {
        None => String::new(),
        Some((distance, other)) if distance <= 2 => format!("; did you mean '{}'?", other.escape_debug()),
        Some(_) => format!("; there are: {}", Redacted(&known.join(", "))),
    };
    ContextError::NotFound {
        name: Redacted(name).to_string(),
        directory: directory.display().to_string(),
        hint,
    }
}

/// The names of all contexts, sorted.
fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".json")?.to_owned()))
        .collect();
    names.sort();
    names
}

/// What serde says, without the position that is shown before it. The value itself is never part of it:
/// it could be a secret.
fn without_position(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    match error.classify() {
        Category::Io | Category::Syntax => "this is not JSON".to_owned(),
        Category::Eof => "the JSON ends too early".to_owned(),
        Category::Data => {
            let text = error.to_string();
            let expected = text.rsplit_once("expected ").map_or("another type", |(_, rest)| rest);
            format!("expected {}", expected.split(" at line ").next().unwrap_or(expected))
        }
    }
}

impl File {
    fn options(&self, file: &str, source: SourceId, lookup: Lookup<'_>) -> Result<NatsOptions, ContextError> {
        self.refuse_unsupported(file)?;
        let url = if self.url.trim().is_empty() { DEFAULT_SERVER } else { &self.url };
        let address = |error| ContextError::Address { file: file.to_owned(), error };
        let mut options = NatsOptions::new(source, url).map_err(address)?;
        // Credentials in the URL are the more specific ones and win, as in NATS' own clients.
        if options.auth == Auth::None {
            options.auth = self.auth(file, lookup)?;
        }
        let path = |field, text: &str| certificate_path(field, text, file, lookup);
        options.tls = TlsOptions {
            ca: path("ca", &self.ca)?,
            cert: path("cert", &self.cert)?,
            key: path("key", &self.key)?,
            first: self.tls_first,
        };
        if !self.inbox_prefix.is_empty() {
            options.inbox_prefix = Some(self.inbox_prefix.clone());
        }
        if !self.jetstream_domain.is_empty() {
            options.set_js_domain(&self.jetstream_domain);
        }
        if !self.jetstream_api_prefix.is_empty() {
            options.set_js_api_prefix(&self.jetstream_api_prefix);
        }
        if !self.jetstream_event_prefix.is_empty() {
            self.jetstream_event_prefix.trim_end_matches('.').clone_into(&mut options.js_event);
        }
        Ok(options)
    }

    fn refuse_unsupported(&self, file: &str) -> Result<(), ContextError> {
        let refusals = [
            (
                &self.socks_proxy,
                "socks_proxy",
                "connect through a tunnel (ssh -L) and give its address with --nats",
            ),
            (
                &self.windows_cert_store,
                "windows_cert_store",
                "export the certificate and give it with --tls-cert",
            ),
            (
                &self.nsc,
                "nsc",
                "write the credentials to a file with 'nsc generate creds' and give it with --creds",
            ),
        ];
        for (value, field, advice) in refusals {
            if !value.is_empty() {
                return Err(ContextError::Unsupported { file: file.to_owned(), field, advice });
            }
        }
        Ok(())
    }

    /// The order of the `nats` command line: user, creds, nkey, token of a user; else the shared token.
    fn auth(&self, file: &str, lookup: Lookup<'_>) -> Result<Auth, ContextError> {
        let wrong = |field| move |error| ContextError::Reference { file: file.to_owned(), field, error };
        let secret = |field: &'static str, text: &str| {
            let found = reference::read(text, lookup).map_err(wrong(field))?;
            Ok::<_, ContextError>(found.unwrap_or_else(|| Secret::new(text)))
        };
        if !self.user.is_empty() {
            return Ok(Auth::UserPassword {
                user: self.user.clone(),
                password: secret("password", &self.password)?,
            });
        }
        if !self.creds.is_empty() {
            return Ok(match file_of(&self.creds, lookup) {
                Some(path) => Auth::CredsFile(path),
                None => Auth::Creds(secret("creds", &self.creds)?),
            });
        }
        if !self.nkey.is_empty() {
            return Ok(match file_of(&self.nkey, lookup) {
                Some(path) => Auth::NkeyFile(path),
                None => Auth::Nkey(secret("nkey", &self.nkey)?),
            });
        }
        if !self.user_jwt.is_empty() {
            let seed =
                if self.user_seed.is_empty() { None } else { Some(secret("user_seed", &self.user_seed)?) };
            return Ok(Auth::Jwt { jwt: secret("user_jwt", &self.user_jwt)?, seed });
        }
        if !self.token.is_empty() {
            return Ok(Auth::Token(secret("token", &self.token)?));
        }
        Ok(Auth::None)
    }
}

/// The path in a field that holds a path or a `file://` reference; `None` for every other reference.
fn file_of(text: &str, lookup: Lookup<'_>) -> Option<PathBuf> {
    match reference::scheme(text).as_deref() {
        None => Some(expand(text, lookup)),
        Some("file") => Some(expand(reference::after(text, "file://"), lookup)),
        Some(_) => None,
    }
}

/// Certificates are files, always: async-nats reads them again at each connection.
fn certificate_path(
    field: &'static str,
    text: &str,
    file: &str,
    lookup: Lookup<'_>,
) -> Result<Option<PathBuf>, ContextError> {
    if text.is_empty() {
        return Ok(None);
    }
    match file_of(text, lookup) {
        Some(path) => Ok(Some(path)),
        None => Err(ContextError::Unsupported {
            file: file.to_owned(),
            field,
            advice: "only a path or file:// can be read there",
        }),
    }
}

#[cfg(test)]
mod tests;
