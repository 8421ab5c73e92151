//! The views, and the lists in each.

use super::list::ListId;

/// A screenful with one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum View {
    #[default]
    Overview,
    Flows,
    Consumers,
    Ownership,
    Services,
    Map,
    Propagation,
    Messages,
}

impl View {
    /// In the order of their keys, `1` first.
    pub const ALL: &'static [View] = &[
        View::Overview,
        View::Flows,
        View::Consumers,
        View::Ownership,
        View::Services,
        View::Map,
        View::Propagation,
        View::Messages,
    ];

    /// The name in the tab bar, lower case for the palette.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Flows => "flows",
            Self::Consumers => "consumers",
            Self::Ownership => "ownership",
            Self::Services => "services",
            Self::Map => "map",
            Self::Propagation => "propagation",
            Self::Messages => "messages",
        }
    }

    /// The name in the tab bar.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Flows => "Flows",
            Self::Consumers => "Consumers",
            Self::Ownership => "Ownership",
            Self::Services => "Services",
            Self::Map => "Map",
            Self::Propagation => "Propagation",
            Self::Messages => "Messages",
        }
    }

    /// The name in the tab bar where there is no room for all names.
    pub const fn short(self) -> &'static str {
        match self {
            Self::Overview => "Over",
            Self::Flows => "Flows",
            Self::Consumers => "Cons",
            Self::Ownership => "Own",
            Self::Services => "Serv",
            Self::Map => "Map",
            Self::Propagation => "Prop",
            Self::Messages => "Msg",
        }
    }

    /// The question that it answers.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Overview => "what needs a person, and what follows from it",
            Self::Flows => "which data moves, from whom to whom, how fast",
            Self::Consumers => "who reads what, how far behind, how stale",
            Self::Ownership => "who owns each kind of data, who keeps copies",
            Self::Services => "how each service fares, what it owns and uses",
            Self::Map => "the whole system's traffic as one picture",
            Self::Propagation => "where one message is: who has it, since when, who waits and why",
            Self::Messages => "what is in the messages on a channel, as they come",
        }
    }

    /// Its key, 1 to 9.
    pub const fn number(self) -> usize {
        match self {
            Self::Overview => 1,
            Self::Flows => 2,
            Self::Consumers => 3,
            Self::Ownership => 4,
            Self::Services => 5,
            Self::Map => 6,
            Self::Propagation => 7,
            Self::Messages => 8,
        }
    }

    /// Its lists, the first has the keys at the start.
    pub const fn lists(self) -> &'static [ListId] {
        match self {
            Self::Overview => &[ListId::Causes, ListId::Changes, ListId::Stalest, ListId::Busiest],
            Self::Flows => &[ListId::Flows],
            Self::Consumers => &[ListId::Consumers],
            Self::Ownership => &[ListId::Entities],
            Self::Services => &[ListId::Services],
            Self::Map => &[ListId::Map, ListId::Lanes, ListId::Uses, ListId::DomainUses],
            Self::Propagation => &[ListId::Traces, ListId::Legs],
            Self::Messages => &[ListId::Heard],
        }
    }
}
