//! Which NATS systems to connect to, and as whom.
//!
//! Servers: `--nats` and `--context`, else the brokers of the topology, else `$NATS_URL`, else the selected NATS
//! context, else (with `--monitor`) monitoring alone, else this machine. Credentials: those in an address that was given here, else flags, else the
//! environment, else the context.

use std::path::PathBuf;

use super::{DeclaredBroker, Lookup, NatsSource, Origin, SettingsError, set};
use crate::cli::Global;
use crate::model::id::SourceId;
use crate::model::subject;
use crate::source::nats::context::{self, Context};
use crate::source::nats::options::{Auth, DEFAULT_SERVER, NamedFile, NatsOptions};
use crate::source::nats::secret::{Redacted, Secret};

/// The id of a source that nobody named.
const DEFAULT_ID: &str = "nats";

/// All systems to watch; at least one.
pub(super) fn sources(
    global: &Global,
    environment: Lookup<'_>,
    brokers: &[DeclaredBroker],
) -> Result<Vec<NatsSource>, SettingsError> {
    let mut sources = servers(global, environment, brokers)?;
    for source in &mut sources {
        credentials(source, global, environment)?;
        certificates(source, global, environment)?;
        if let Some(domain) = &global.js_domain {
            source.options.set_js_domain(domain);
        }
        if let Some(prefix) = &global.inbox_prefix {
            source.options.inbox_prefix = Some(prefix.clone());
        }
    }
    let mut seen: Vec<&SourceId> = Vec::new();
    for source in &sources {
        let id = &source.options.source;
        if seen.contains(&id) {
            return Err(SettingsError::SameName(id.to_string()));
        }
        seen.push(id);
    }
    monitors(&mut sources, &global.monitor)?;
    message_traces(&mut sources, &global.message_traces)?;
    Ok(sources)
}

fn servers(
    global: &Global,
    environment: Lookup<'_>,
    brokers: &[DeclaredBroker],
) -> Result<Vec<NatsSource>, SettingsError> {
    if !global.nats.is_empty() {
        return from_flags(global, environment);
    }
    if !global.context.is_empty() {
        return from_contexts(&global.context, environment);
    }
    let declared: Vec<NatsSource> =
        brokers.iter().filter(|broker| broker.kind == "nats").map(declared).collect::<Result<_, _>>()?;
    if !declared.is_empty() {
        return Ok(declared);
    }
    if let Some(url) = set(environment, "NATS_URL") {
        return Ok(vec![addressed(DEFAULT_ID, &url, Origin::Environment("NATS_URL"))?]);
    }
    // `$NATS_CONTEXT` chooses for one shell what `nats context select` chooses for all.
    if let Some(name) = set(environment, "NATS_CONTEXT") {
        return from_contexts(&[name], environment);
    }
    let unusable = SettingsError::SelectedContext;
    if let Some(name) = context::selected(environment).map_err(unusable)? {
        let loaded = context::load(&name, SourceId::from(DEFAULT_ID), environment).map_err(unusable)?;
        return Ok(vec![of_context(loaded)]);
    }
    if global.monitor.is_empty() {
        Ok(vec![addressed(DEFAULT_ID, DEFAULT_SERVER, Origin::Default)?])
    } else {
        monitored(&global.monitor)
    }
}

/// Somebody who names only monitoring endpoints means those, and no server of this machine: each name is a source.
fn monitored(given: &[String]) -> Result<Vec<NatsSource>, SettingsError> {
    let mut sources: Vec<NatsSource> = Vec::new();
    for text in given {
        let id = split_name(text)?.0.unwrap_or(DEFAULT_ID);
        if sources.iter().any(|known| known.options.source.as_str() == id) {
            continue;
        }
        let mut source = addressed(id, DEFAULT_SERVER, Origin::Flag("--monitor"))?;
        source.options.servers.clear();
        sources.push(source);
    }
    Ok(sources)
}

fn from_flags(global: &Global, environment: Lookup<'_>) -> Result<Vec<NatsSource>, SettingsError> {
    let base = match global.context.as_slice() {
        [] => None,
        [name] => Some(of_context(context::load(name, SourceId::from(DEFAULT_ID), environment)?)),
        _ => return Err(SettingsError::ContextsAndServers),
    };
    let mut sources = Vec::new();
    let mut unnamed = 0;
    for text in &global.nats {
        let (name, url) = split_name(text)?;
        let id = name.map_or_else(
            || {
                unnamed += 1;
                if unnamed == 1 { DEFAULT_ID.to_owned() } else { format!("{DEFAULT_ID}-{unnamed}") }
            },
            str::to_owned,
        );
        let mut source = addressed(&id, url, Origin::Flag("--nats"))?;
        if let Some(base) = &base {
            source = over_context(base, source);
        }
        sources.push(source);
    }
    Ok(sources)
}

/// Servers from a flag, everything else from a context.
fn over_context(base: &NatsSource, flag: NatsSource) -> NatsSource {
    let mut merged = base.clone();
    merged.options.source = flag.options.source;
    merged.options.servers = flag.options.servers;
    merged.servers_from = flag.servers_from;
    if flag.options.auth != Auth::None {
        merged.options.auth = flag.options.auth;
        merged.auth_from = flag.auth_from;
    }
    merged
}

fn from_contexts(names: &[String], environment: Lookup<'_>) -> Result<Vec<NatsSource>, SettingsError> {
    let mut sources = Vec::new();
    for name in names {
        // One alone is `nats`, as without a context; several are told apart by their own names.
        let id = if names.len() == 1 { DEFAULT_ID } else { name };
        sources.push(of_context(context::load(name, SourceId::from(id), environment)?));
    }
    Ok(sources)
}

fn of_context(context: Context) -> NatsSource {
    let from = Origin::Context { name: context.name, file: context.file };
    let auth_from = if context.options.auth == Auth::None { Origin::Default } else { from.clone() };
    NatsSource { options: context.options, servers_from: from, auth_from }
}

fn declared(broker: &DeclaredBroker) -> Result<NatsSource, SettingsError> {
    let from = Origin::Topology { broker: broker.id.clone() };
    let list = broker.servers.join(",");
    let list = if list.is_empty() { DEFAULT_SERVER } else { &list };
    let mut source = addressed(&broker.id, list, from)?;
    source.options.monitors.extend(broker.monitor.clone());
    source.options.message_traces.clone_from(&broker.message_traces);
    if broker.servers.is_empty() && broker.monitor.is_some() {
        // As with --monitor alone: no server of this machine is meant.
        source.options.servers.clear();
    }
    Ok(source)
}

fn addressed(id: &str, list: &str, from: Origin) -> Result<NatsSource, SettingsError> {
    let options = NatsOptions::new(SourceId::from(id), list)
        .map_err(|error| SettingsError::Address { from: from.clone(), error })?;
    let auth_from = if options.auth == Auth::None { Origin::Default } else { Origin::Address };
    Ok(NatsSource { options, servers_from: from, auth_from })
}

/// `eu=nats://host` → (`eu`, `nats://host`). An address may hold `=` too, but only after `:` or `@`.
fn split_name(text: &str) -> Result<(Option<&str>, &str), SettingsError> {
    match text.split_once('=') {
        // What stands before a whole address can only be meant as its name.
        Some((name, url))
            if !name.contains([':', '@']) && (url.contains("://") || !name.contains(['/', ','])) =>
        {
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            if name.is_empty() || !name.chars().all(fits) {
                return Err(SettingsError::BadName(Redacted(name).to_string()));
            }
            Ok((Some(name), url))
        }
        _ => Ok((None, text)),
    }
}

fn credentials(
    source: &mut NatsSource,
    global: &Global,
    environment: Lookup<'_>,
) -> Result<(), SettingsError> {
    let found = flag_credentials(global, environment)?.or_else(|| environment_credentials(environment));
    if let Some((auth, from)) = found
        && source.auth_from != Origin::Address
    {
        source.options.auth = auth;
        source.auth_from = from;
    }
    Ok(())
}

fn flag_credentials(
    global: &Global,
    environment: Lookup<'_>,
) -> Result<Option<(Auth, Origin)>, SettingsError> {
    if let Some(path) = &global.creds {
        return Ok(Some((Auth::CredsFile(path.clone()), Origin::Flag("--creds"))));
    }
    if let Some(path) = &global.nkey {
        return Ok(Some((Auth::NkeyFile(path.clone()), Origin::Flag("--nkey"))));
    }
    let Some(user) = &global.user else { return Ok(None) };
    let password = set(environment, "NATS_PASSWORD").ok_or(SettingsError::NoPassword)?;
    let auth = Auth::UserPassword { user: user.clone(), password: Secret::new(password) };
    Ok(Some((auth, Origin::Flag("--user"))))
}

/// The variables of the `nats` command line. There, a user without a password is a token.
fn environment_credentials(environment: Lookup<'_>) -> Option<(Auth, Origin)> {
    let get = |name| set(environment, name);
    if let Some(user) = get("NATS_USER") {
        let from = Origin::Environment("NATS_USER");
        return Some(match get("NATS_PASSWORD") {
            Some(password) => (Auth::UserPassword { user, password: Secret::new(password) }, from),
            None => (Auth::Token(Secret::new(user)), from),
        });
    }
    if let Some(path) = get("NATS_CREDS") {
        return Some((Auth::CredsFile(path.into()), Origin::Environment("NATS_CREDS")));
    }
    if let Some(path) = get("NATS_NKEY") {
        return Some((Auth::NkeyFile(path.into()), Origin::Environment("NATS_NKEY")));
    }
    if let Some(jwt) = get("NATS_JWT") {
        let (jwt, seed) = (Secret::new(jwt), get("NATS_SEED").map(Secret::new));
        return Some((Auth::Jwt { jwt, seed }, Origin::Environment("NATS_JWT")));
    }
    let token = get("NATS_TOKEN")?;
    Some((Auth::Token(Secret::new(token)), Origin::Environment("NATS_TOKEN")))
}

fn certificates(
    source: &mut NatsSource,
    global: &Global,
    environment: Lookup<'_>,
) -> Result<(), SettingsError> {
    let tls = &mut source.options.tls;
    let variable = |name| set(environment, name).map(PathBuf::from);
    if let Some(ca) = global.tls_ca.clone().or_else(|| variable("NATS_CA")) {
        tls.ca = Some(ca);
    }
    // A certificate and its key come from one place together.
    let pair = match (&global.tls_cert, &global.tls_key) {
        (None, None) => match (variable("NATS_CERT"), variable("NATS_KEY")) {
            (Some(_), None) => return Err(SettingsError::HalfCertificate("$NATS_CERT", "$NATS_KEY")),
            (None, Some(_)) => return Err(SettingsError::HalfCertificate("$NATS_KEY", "$NATS_CERT")),
            (cert, key) => cert.zip(key),
        },
        (cert, key) => cert.clone().zip(key.clone()),
    };
    if let Some((cert, key)) = pair {
        tls.cert = Some(cert);
        tls.key = Some(key);
    }
    tls.first |= global.tls_first;
    Ok(())
}

/// Whether the files of one source can be used; says who named the one that cannot.
pub(super) fn check_files(
    source: &NatsSource,
    global: &Global,
    environment: Lookup<'_>,
) -> Result<(), SettingsError> {
    source.options.check_files().map_err(|(file, failure)| SettingsError::File {
        from: who_named(file, source, global, environment),
        why: failure.text,
    })
}

fn who_named(file: NamedFile, source: &NatsSource, global: &Global, environment: Lookup<'_>) -> String {
    let (flag, given, variable, field) = match file {
        NamedFile::Authorities => ("--tls-ca", global.tls_ca.is_some(), "NATS_CA", "ca"),
        NamedFile::Certificate => ("--tls-cert", global.tls_cert.is_some(), "NATS_CERT", "cert"),
        NamedFile::Key => ("--tls-key", global.tls_key.is_some(), "NATS_KEY", "key"),
        NamedFile::Creds | NamedFile::Nkey | NamedFile::Jwt => {
            let field = match file {
                NamedFile::Nkey => "nkey",
                NamedFile::Jwt => "user_jwt",
                _ => "creds",
            };
            return match &source.auth_from {
                Origin::Context { file, .. } => format!("'{field}' in {}", file.display()),
                other => other.to_string(),
            };
        }
    };
    if given {
        flag.to_owned()
    } else if set(environment, variable).is_some() {
        format!("${variable}")
    } else if let Origin::Context { file, .. } = &source.servers_from {
        format!("'{field}' in {}", file.display())
    } else {
        // Servers from a flag, certificates from the one context beside it.
        let name = global.context.first().map(|name| format!(" {}", Redacted(name))).unwrap_or_default();
        format!("'{field}' of the NATS context{name}")
    }
}

fn monitors(sources: &mut [NatsSource], given: &[String]) -> Result<(), SettingsError> {
    for text in given {
        let wrong = |why: String| SettingsError::Monitor { shown: Redacted(text).to_string(), why };
        let (name, url) = split_name(text)?;
        let address = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        let host = address.ok_or_else(|| wrong("write http://host:8222".to_owned()))?;
        if host.contains('@') {
            return Err(wrong("credentials are not sent to monitoring endpoints".to_owned()));
        }
        if host.is_empty() || host.starts_with(['/', ':']) {
            return Err(wrong("write http://host:8222".to_owned()));
        }
        let id = name.unwrap_or(DEFAULT_ID);
        let known: Vec<String> = sources.iter().map(|source| source.options.source.to_string()).collect();
        let alone = sources.iter().all(|source| source.options.servers.is_empty());
        let index = match name {
            None if known.len() == 1 => Some(0),
            None if !alone => None,
            _ => known.iter().position(|known| known == id),
        };
        let source = index.and_then(|index| sources.get_mut(index)).ok_or_else(|| {
            wrong(format!("say which source it belongs to, --monitor NAME=URL, of: {}", known.join(", ")))
        })?;
        source.options.monitors.push(url.trim_end_matches('/').to_owned());
    }
    Ok(())
}

fn message_traces(sources: &mut [NatsSource], given: &[String]) -> Result<(), SettingsError> {
    for text in given {
        let wrong = |why: String| SettingsError::MessageTraces(text.clone(), why);
        let (name, subject) = split_name(text)?;
        if !subject::is_literal(subject) {
            return Err(wrong(
                "write one subject, without wildcards: the msg_trace.dest of the account".to_owned(),
            ));
        }
        let known: Vec<String> = sources.iter().map(|source| source.options.source.to_string()).collect();
        let index = match name {
            None if known.len() == 1 => Some(0),
            None => None,
            Some(name) => known.iter().position(|known| known == name),
        };
        let source = index.and_then(|index| sources.get_mut(index)).ok_or_else(|| {
            let all = known.join(", ");
            wrong(format!("say which source it belongs to, --message-traces NAME=SUBJECT, of: {all}"))
        })?;
        source.options.message_traces = Some(subject.to_owned());
    }
    Ok(())
}
