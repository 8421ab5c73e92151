//! What must never reach a screen, a log or a recording, and addresses without it.

use std::fmt;

use async_nats::ServerAddr;

/// A password, token, seed or signed token. It has no `Display`, and `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Shows text that may hold addresses, with every `user:password@` in it replaced and without control
/// characters: for what a person typed, before anybody knows whether it is an address.
#[derive(Clone, Copy, Debug)]
pub struct Redacted<'a>(pub &'a str);

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        loop {
            let end = next_address(rest);
            let (address, tail) = rest.split_at(end);
            let (scheme, authority) = match address.split_once("://") {
                Some((scheme, authority)) => (format!("{scheme}://"), authority),
                None => (String::new(), address),
            };
            // Passwords may hold any character: everything before the last `@` of an address goes.
            let shown = match authority.rsplit_once('@') {
                Some((_, host)) => format!("{scheme}***@{host}"),
                None => format!("{scheme}{authority}"),
            };
            let clean: String = shown.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
            f.write_str(&clean)?;
            if tail.is_empty() {
                return Ok(());
            }
            rest = tail;
        }
    }
}

/// Where the next `scheme://` of a list begins: only after a comma, since a password may hold `://` too.
fn next_address(text: &str) -> usize {
    let starts = text.match_indices(',').map(|(at, comma)| at + comma.len());
    let is_scheme = |part: &str| {
        let part = part.trim_start();
        part.split_once("://").is_some_and(|(scheme, _)| {
            !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || c == '+')
        })
    };
    starts
        .filter(|at| text.get(*at..).is_some_and(is_scheme))
        .find(|at| *at < text.len())
        .unwrap_or(text.len())
}

/// The address of a server without the credentials that may have stood in it: safe to show.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl(ServerAddr);

impl ServerUrl {
    /// The address for async-nats.
    pub fn addr(&self) -> ServerAddr {
        self.0.clone()
    }

    /// The scheme asks for TLS.
    pub fn wants_tls(&self) -> bool {
        self.0.tls_required()
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_url_str())
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Credentials that stood in an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserInfo {
    /// `token@host`.
    Token(Secret),
    /// `user:password@host`.
    UserPassword {
        /// The user's name.
        user: String,
        /// The password; may be empty.
        password: Secret,
    },
}

/// Why text is not the address of a NATS server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not a URL.
    #[error("'{shown}' is not the address of a NATS server ({why}); write nats://host:4222")]
    Malformed {
        /// What was given, redacted.
        shown: String,
        /// What the parser says.
        why: String,
    },
    /// A URL of something else.
    #[error("'{shown}': {scheme}:// is not spoken here; give the server's nats:// or tls:// address")]
    Scheme {
        /// What was given, redacted.
        shown: String,
        /// Its scheme.
        scheme: String,
    },
    /// Different credentials in the addresses of one source.
    #[error(
        "'{shown}' holds different credentials for servers of one cluster; \
         give each its own source with --nats NAME=URL"
    )]
    MixedCredentials {
        /// What was given, redacted.
        shown: String,
    },
}

/// Reads a list of addresses, separated by commas, and takes the credentials out of them.
pub fn parse_servers(list: &str) -> Result<(Vec<ServerUrl>, Option<UserInfo>), AddressError> {
    let shown = || Redacted(list).to_string();
    let mut servers = Vec::new();
    let mut credentials: Option<UserInfo> = None;
    for part in list.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (server, found) = parse_server(part)?;
        servers.push(server);
        match (&credentials, found) {
            (_, None) => {}
            (None, Some(found)) => credentials = Some(found),
            (Some(known), Some(found)) if *known == found => {}
            _ => return Err(AddressError::MixedCredentials { shown: shown() }),
        }
    }
    if servers.is_empty() {
        return Err(AddressError::Malformed { shown: shown(), why: "it is empty".to_owned() });
    }
    Ok((servers, credentials))
}

fn parse_server(text: &str) -> Result<(ServerUrl, Option<UserInfo>), AddressError> {
    let malformed =
        |why: &str| AddressError::Malformed { shown: Redacted(text).to_string(), why: why.to_owned() };
    if let Some((scheme, _)) = text.split_once("://")
        && !["nats", "tls"].contains(&scheme.to_ascii_lowercase().as_str())
    {
        let scheme = Redacted(scheme).to_string();
        return Err(AddressError::Scheme { shown: Redacted(text).to_string(), scheme });
    }
    let addr: ServerAddr =
        text.parse().map_err(|error: std::io::Error| malformed(last_part(&error.to_string())))?;
    if addr.host().is_empty() {
        return Err(malformed("no host"));
    }
    let user = addr.username().map(percent_decoded);
    let password = addr.password().map(percent_decoded);
    let credentials = match (user, password) {
        (None, None) => None,
        (Some(token), None) => Some(UserInfo::Token(Secret::new(token))),
        (user, Some(password)) => {
            Some(UserInfo::UserPassword { user: user.unwrap_or_default(), password: Secret::new(password) })
        }
    };
    let mut url = addr.into_inner();
    // Both fail only for addresses without a host, which are refused above.
    if url.set_username("").is_err() || url.set_password(None).is_err() {
        return Err(malformed("no host"));
    }
    let addr = ServerAddr::from_url(url).map_err(|error| malformed(&error.to_string()))?;
    Ok((ServerUrl(addr), credentials))
}

/// `NATS server URL is invalid: invalid port number` → `invalid port number`.
fn last_part(text: &str) -> &str {
    text.rsplit(": ").next().unwrap_or(text)
}

/// `p%40ss` → `p@ss`; what is no valid escape stays as it is.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escaped = (*byte == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(escaped.unwrap_or(*byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, password: &str) -> UserInfo {
        UserInfo::UserPassword { user: name.to_owned(), password: Secret::new(password) }
    }

    #[test]
    fn credentials_are_taken_out_of_addresses() {
        for (given, shown, credentials) in [
            ("localhost", "nats://localhost", None),
            ("nats://a:4222, nats://b:4223,", "nats://a:4222 nats://b:4223", None),
            ("tls://app:p%40ss%3A@host:4222", "tls://host:4222", Some(user("app", "p@ss:"))),
            ("nats://s3cret@host", "nats://host", Some(UserInfo::Token(Secret::new("s3cret")))),
            ("nats://app:@host", "nats://host", Some(UserInfo::Token(Secret::new("app")))),
            ("nats://a:b@h1,nats://a:b@h2,nats://h3", "nats://h1 nats://h2 nats://h3", Some(user("a", "b"))),
            ("nats://[::1]:4222", "nats://[::1]:4222", None),
        ] {
            let (servers, found) = parse_servers(given).unwrap();
            let list: Vec<String> = servers.iter().map(ToString::to_string).collect();
            assert_eq!(list.join(" "), shown, "{given}");
            assert_eq!(found, credentials, "{given}");
        }
    }

    #[test]
    fn bad_addresses_are_refused_without_showing_secrets() {
        let error = |text: &str| parse_servers(text).unwrap_err().to_string();
        assert_eq!(
            error("nats://app:s3cret@host:notaport"),
            "'nats://***@host:notaport' is not the address of a NATS server (invalid port number); \
             write nats://host:4222"
        );
        assert_eq!(
            error("http://app:s3cret@host"),
            "'http://***@host': http:// is not spoken here; give the server's nats:// or tls:// address"
        );
        assert_eq!(
            error(" , "),
            "' , ' is not the address of a NATS server (it is empty); write nats://host:4222"
        );
        assert_eq!(
            error("nats://a:x@h1,nats://b:y@h2"),
            "'nats://***@h1,nats://***@h2' holds different credentials for servers of one cluster; \
             give each its own source with --nats NAME=URL"
        );
        assert_eq!(
            error("nats://"),
            "'nats://' is not the address of a NATS server (no host); write nats://host:4222"
        );
    }

    #[test]
    fn nothing_secret_is_shown() {
        assert_eq!(format!("{:?}", Secret::new("s3cret")), "Secret(…)");
        assert_eq!(Redacted("nats://a:b@c@host:1/x").to_string(), "nats://***@host:1/x");
        assert_eq!(Redacted("app:s3cret@host").to_string(), "***@host");
        assert_eq!(Redacted("a:x@h1,b:y@h2").to_string(), "***@h2");
        assert_eq!(Redacted("nats://u:a,b@h1, nats://h2").to_string(), "nats://***@h1, nats://h2");
        assert_eq!(Redacted("nats://u:a://b/c@h1").to_string(), "nats://***@h1");
        assert_eq!(Redacted("nats://ho\u{1b}[31mst").to_string(), "nats://ho\u{fffd}[31mst");
    }
}
