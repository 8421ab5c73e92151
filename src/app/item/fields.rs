//! The fields of each list: what filters and sorting speak of.

use crate::app::list::ListId;

/// What kind of value a field has: decides which comparisons make sense and which way sorting begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    Text,
    Number,
}

/// What a number counts: decides how filters write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Things per second.
    Rate,
    /// Bytes per second.
    Bytes,
    /// A length of time, in seconds.
    Time,
}

/// A field of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldSpec {
    /// How filters call it; also the key of the column that shows it.
    pub key: &'static str,
    pub kind: FieldKind,
    /// Of a number: what it counts.
    pub unit: Unit,
    /// A plain word of the filter is looked for in it.
    pub named: bool,
}

const fn name(key: &'static str) -> FieldSpec {
    FieldSpec { key, kind: FieldKind::Text, unit: Unit::Count, named: true }
}

const fn text(key: &'static str) -> FieldSpec {
    FieldSpec { key, kind: FieldKind::Text, unit: Unit::Count, named: false }
}

const fn number(key: &'static str) -> FieldSpec {
    measure(key, Unit::Count)
}

const fn rate(key: &'static str) -> FieldSpec {
    measure(key, Unit::Rate)
}

const fn time(key: &'static str) -> FieldSpec {
    measure(key, Unit::Time)
}

const fn measure(key: &'static str, unit: Unit) -> FieldSpec {
    FieldSpec { key, kind: FieldKind::Number, unit, named: false }
}

/// The fields of a list, in the order in which sorting goes through them.
pub const fn fields(list: ListId) -> &'static [FieldSpec] {
    match list {
        ListId::Causes => {
            const { &[name("name"), text("state"), name("text"), name("team"), name("domain"), time("since")] }
        }
        ListId::Changes => const { &[name("name"), name("text")] },
        ListId::Stalest => {
            const {
                &[
                    name("entity"),
                    name("service"),
                    time("stale"),
                    number("behind"),
                    text("mode"),
                    text("team"),
                    text("domain"),
                ]
            }
        }
        ListId::Flows | ListId::Busiest => {
            const {
                &[
                    text("kind"),
                    name("from"),
                    name("channel"),
                    name("to"),
                    rate("rate"),
                    measure("bytes", Unit::Bytes),
                    time("delay"),
                    rate("errors"),
                    name("entity"),
                    text("team"),
                    text("domain"),
                    text("declared"),
                ]
            }
        }
        ListId::Consumers => {
            const {
                &[
                    text("state"),
                    name("name"),
                    name("reads"),
                    name("service"),
                    number("lag"),
                    number("inflight"),
                    number("redelivered"),
                    number("gaveup"),
                    time("stale"),
                    time("delay"),
                    rate("delivered"),
                    rate("acked"),
                    time("drain"),
                    time("since"),
                    name("entity"),
                    text("team"),
                    text("domain"),
                    text("source"),
                ]
            }
        }
        ListId::Entities => {
            const {
                &[
                    name("name"),
                    name("owner"),
                    name("service"),
                    text("store"),
                    text("identifier"),
                    number("copies"),
                    number("readers"),
                    number("conflicts"),
                    time("stale"),
                    text("team"),
                    text("domain"),
                ]
            }
        }
        ListId::Traces => {
            const {
                &[
                    name("name"),
                    number("seq"),
                    text("state"),
                    name("service"),
                    text("reads"),
                    measure("bytes", Unit::Bytes),
                ]
            }
        }
        ListId::Heard => {
            const {
                &[
                    text("channel"),
                    name("subject"),
                    text("publisher"),
                    measure("size", Unit::Bytes),
                    text("header"),
                    name("text"),
                    text("asks"),
                ]
            }
        }
        ListId::Legs => {
            const {
                &[
                    text("state"),
                    name("service"),
                    name("name"),
                    time("delay"),
                    number("deliveries"),
                    number("ahead"),
                ]
            }
        }
        ListId::Map | ListId::Lanes | ListId::Uses | ListId::DomainUses => {
            const {
                &[
                    text("kind"),
                    name("name"),
                    name("from"),
                    name("channel"),
                    name("to"),
                    rate("rate"),
                    time("delay"),
                    rate("errors"),
                    text("state"),
                    number("lag"),
                    time("stale"),
                    name("entity"),
                    text("team"),
                    text("domain"),
                    text("declared"),
                ]
            }
        }
        ListId::Services => {
            const {
                &[
                    text("state"),
                    name("name"),
                    name("team"),
                    name("domain"),
                    time("latency"),
                    number("connections"),
                    rate("published"),
                    number("owns"),
                    number("copies"),
                    number("consumes"),
                    text("store"),
                    text("language"),
                    time("since"),
                    text("declared"),
                ]
            }
        }
    }
}
