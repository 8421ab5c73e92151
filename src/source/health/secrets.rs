//! Hiding secrets: in addresses before they are shown, in text that a service wrote.

/// What stands in for a secret.
const HIDDEN: &str = "***";

/// Words that, as or in the name of a value, say that the value is a secret.
const SECRET: [&str; 11] = [
    "pass",
    "pwd",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "credential",
    "signature",
    "authorization",
    "jwt",
];

/// An address as it may be shown: user and password and every value of the query are hidden, a fragment is cut off.
///
/// All values, because which of them is a secret cannot be known from its name (`?k=…`, `?code=…`).
pub(super) fn shown(url: &str) -> String {
    let url = url.split('#').next().unwrap_or_default();
    let (address, query) = url.split_once('?').map_or((url, None), |(address, query)| (address, Some(query)));
    let mut out = hide_user(address);
    if let Some(query) = query {
        let pairs: Vec<String> = query
            .split('&')
            .map(|pair| {
                pair.split_once('=').map_or_else(|| HIDDEN.to_owned(), |(key, _)| format!("{key}={HIDDEN}"))
            })
            .collect();
        out.push('?');
        out.push_str(&pairs.join("&"));
    }
    out.chars().filter(|c| !c.is_control()).collect()
}

/// Text without the secrets that can be recognised in it: user and password in addresses, and what follows
/// `password=`, `token:` and the like.
pub(super) fn hide_in_text(text: &str) -> String {
    let mut next = Next::Plain;
    let words: Vec<String> = text
        .split(' ')
        .map(|word| {
            let sign = matches!(word, "=" | ":");
            match (next, sign) {
                (Next::Sign | Next::Value, true) => {
                    next = Next::Value;
                    word.to_owned()
                }
                (Next::Value, false) => {
                    // `Authorization: Bearer abc`: the scheme is no secret, what follows is.
                    let scheme = matches!(word.to_ascii_lowercase().as_str(), "bearer" | "basic");
                    next = if scheme { Next::Value } else { Next::Plain };
                    if scheme { word.to_owned() } else { HIDDEN.to_owned() }
                }
                (Next::Plain | Next::Sign, _) => {
                    let (word, then) = hide_in_word(word);
                    next = then;
                    word
                }
            }
        })
        .collect();
    words.join(" ")
}

/// What the next word is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Any word.
    Plain,
    /// Perhaps the sign between a secret's name and its value.
    Sign,
    /// A secret.
    Value,
}

/// One word without its secrets, and what the next word is.
fn hide_in_word(word: &str) -> (String, Next) {
    let word = hide_users(word);
    let lower = word.to_ascii_lowercase();
    let Some(at) = SECRET.iter().filter_map(|name| lower.find(name)).min() else {
        return (word, Next::Plain);
    };
    // The name goes on up to the sign that ends it: `passwordHash"="…`, `token:`.
    let Some(sign) = word.get(at..).and_then(|rest| rest.find(['=', ':'])) else { return (word, Next::Sign) };
    let (Some(name), Some(value)) = (word.get(..=at + sign), word.get(at + sign + 1..)) else {
        return (word, Next::Plain);
    };
    if value.trim_matches(['"', '\'']).is_empty() {
        return (word, Next::Value);
    }
    let end = value.find([';', '&', ',', '}', ')']).unwrap_or(value.len());
    let (rest, next) = match value.get(end..) {
        Some(rest) if !rest.is_empty() => hide_in_word(rest),
        _ => (String::new(), Next::Plain),
    };
    (format!("{name}{HIDDEN}{rest}"), next)
}

/// Every address in one word.
fn hide_users(word: &str) -> String {
    let mut parts = word.split("://");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let shown = hide_user(&format!("://{part}"));
        out.push_str(&shown);
    }
    out
}

/// `scheme://user:password@host` → `scheme://***@host`.
fn hide_user(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let end = rest.find('/').unwrap_or(rest.len());
    // A slash inside a badly written password must not save its tail from being hidden.
    let cut = rest.get(..end).and_then(|authority| authority.rfind('@')).or_else(|| rest.rfind('@'));
    match cut.and_then(|at| rest.get(at..)) {
        Some(host) => format!("{scheme}://{HIDDEN}{host}"),
        None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_secrets() {
        for (url, expected) in [
            ("http://127.0.0.1:9102/health", "http://127.0.0.1:9102/health"),
            ("https://bob:s3cret@host:8443/health", "https://***@host:8443/health"),
            ("https://bob:s3/cr@et@host/health", "https://***@host/health"),
            ("http://h/health?token=abc&verbose", "http://h/health?token=***&***"),
            ("http://h/health?k=abc#token", "http://h/health?k=***"),
        ] {
            assert_eq!(shown(url), expected);
        }
    }

    #[test]
    fn text_keeps_its_sense_and_loses_its_secrets() {
        for (text, expected) in [
            ("connection refused", "connection refused"),
            ("token service is down", "token service is down"),
            ("password = hunter2 refused", "password = *** refused"),
            ("postgres://app:hunter2@db:5432/x refused", "postgres://***@db:5432/x refused"),
            ("Server=db;Password=hunter2;Port=1", "Server=db;Password=***;Port=1"),
            ("Server=db;Password=hunter2;token=x refused", "Server=db;Password=***;token=*** refused"),
            ("password: hunter2 was wrong", "password: *** was wrong"),
            ("Authorization: Bearer abc.def refused", "Authorization: Bearer *** refused"),
            ("{\"apiKey\":\"abc\"}", "{\"apiKey\":***}"),
        ] {
            assert_eq!(hide_in_text(text), expected);
        }
    }
}
