//! Ids: stable, scoped by source, escaped, and cheap to clone.
//!
//! An id is text because it is what people copy, what the reports print and what a recording keeps.
//! Ids of things on a broker are paths whose first part is the source: `nats/ORDERS/billing`. A part
//! is escaped so that a name with a slash or a control character cannot pretend to be two parts.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A shared, immutable piece of text: names arrive once and are shown thousands of times.
pub type Name = Arc<str>;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Name);

        impl $name {
            /// Takes the text as it is: for ids that come from a topology file, a report or a test.
            pub fn new(text: impl Into<Name>) -> Self {
                Self(text.into())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }
    )+};
}

ids! {
    /// A source of observations: a broker connection, the health checks, a recording.
    SourceId,
    /// A deployable unit.
    ServiceId,
    /// The people who own a service.
    TeamId,
    /// A group of services that share a language.
    DomainId,
    /// A service's private data store.
    StoreId,
    /// A kind of business data.
    EntityId,
    /// An address on a broker: `nats/ORDERS`, `nats/subject:orders.created`.
    ChannelId,
    /// A named position on a channel: `nats/ORDERS/billing`.
    ConsumerId,
    /// Data moving from one set of services to another by one way.
    FlowId,
}

impl ChannelId {
    /// A channel that the broker keeps under a name: a stream, topic, queue.
    pub fn named(source: &SourceId, name: &str) -> Self {
        Self(format!("{}/{}", escape(source.as_str()), escape(name)).into())
    }

    /// A bare subject, with no stream behind it. The prefix keeps it apart from a stream of the
    /// same name (`:` is escaped in names).
    pub fn subject(source: &SourceId, subject: &str) -> Self {
        Self(format!("{}/subject:{}", escape(source.as_str()), escape(subject)).into())
    }
}

impl ConsumerId {
    /// A consumer of a named channel.
    pub fn named(source: &SourceId, channel: &str, name: &str) -> Self {
        Self(format!("{}/{}/{}", escape(source.as_str()), escape(channel), escape(name)).into())
    }
}

/// Escapes one part of an id: `%`, `/`, `:`, white space and control characters become `%XX`, byte by byte.
///
/// ```
/// assert_eq!(headwater::model::id::escape("a/b\u{1b}"), "a%2Fb%1B");
/// assert_eq!(headwater::model::id::escape("ORDERS"), "ORDERS");
/// ```
pub fn escape(part: &str) -> std::borrow::Cow<'_, str> {
    let plain = |c: char| !(c.is_control() || c.is_whitespace() || matches!(c, '%' | '/' | ':'));
    if !part.is_empty() && part.chars().all(plain) {
        return part.into();
    }
    if part.is_empty() {
        return "%".into();
    }
    let mut out = String::with_capacity(part.len() + 8);
    for c in part.chars() {
        if plain(c) {
            out.push(c);
        } else {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    out.into()
}

/// The part that [`escape`] made this of; `None` for what it never makes.
pub fn unescape(part: &str) -> Option<String> {
    if part == "%" {
        return Some(String::new());
    }
    let mut out = Vec::with_capacity(part.len());
    let mut bytes = part.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        out.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_slash_is_one_part() {
        let source = SourceId::from("nats");
        assert_ne!(ConsumerId::named(&source, "A/B", "c"), ConsumerId::named(&source, "A", "B/c"));
        assert_eq!(ConsumerId::named(&source, "ORDERS", "billing").as_str(), "nats/ORDERS/billing");
    }

    #[test]
    fn a_stream_and_a_subject_of_one_name_differ() {
        let source = SourceId::from("nats");
        assert_ne!(ChannelId::named(&source, "subject:x"), ChannelId::subject(&source, "x"));
    }

    #[test]
    fn what_was_escaped_comes_back() {
        for name in ["", "ORDERS", "a/b:c%d\u{1b} é\u{85}", "%41"] {
            assert_eq!(unescape(&escape(name)).as_deref(), Some(name));
        }
        assert_eq!((unescape("%4"), unescape("%zz"), unescape("%FF")), (None, None, None));
    }

    #[test]
    fn the_empty_name_is_distinct() {
        assert_eq!(escape(""), "%");
    }
}
