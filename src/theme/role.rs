//! The vocabulary between screens and themes.

use std::fmt;

macro_rules! roles {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What a piece of the screen means. A theme gives each role a look.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Role { $($(#[$doc])* $variant,)* }

        impl Role {
            /// Every role, in the order of the theme files.
            pub const ALL: &'static [Role] = &[$(Role::$variant),*];
            /// How many roles there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The role's name in theme files.
            pub const fn name(self) -> &'static str {
                match self { $(Role::$variant => $name),* }
            }
        }
    };
}

roles! {
    /// Plain text; its background is the screen's background.
    Text = "text",
    /// Less important text: units, labels, explanations.
    Muted = "muted",
    /// The name of a panel or the thing a panel is about.
    Title = "title",
    /// Lines around and between panels.
    Border = "border",
    /// The border and title of the panel that has the keys.
    BorderFocus = "border-focus",
    /// Column titles.
    TableHeader = "table-header",
    /// The selected row where the keys go.
    Selection = "selection",
    /// The selected row of a panel that does not have the keys.
    SelectionInactive = "selection-inactive",
    /// A view's name in the tab bar.
    Tab = "tab",
    /// The view that is shown.
    TabActive = "tab-active",
    /// A key in the footer and in the help.
    Key = "key",
    /// What a key does.
    KeyLabel = "key-label",
    /// `·` all is well; quiet.
    StateOk = "state-ok",
    /// `▲` degraded or slow.
    StateDegraded = "state-degraded",
    /// `■` no progress while work waits.
    StateStalled = "state-stalled",
    /// `✖` down or stopped.
    StateDown = "state-down",
    /// `◌` unknown, unreachable from here.
    StateUnknown = "state-unknown",
    /// `‖` paused on purpose.
    StatePaused = "state-paused",
    /// `↶` set back to an earlier position.
    StateRewound = "state-rewound",
    /// `⊘` messages were given up: data lost to a consumer.
    StateGaveUp = "state-gave-up",
    /// `◆` owns the data.
    Owner = "owner",
    /// `●` keeps a copy.
    Copy = "copy",
    /// `○` reacts to events, `╌` asks by request.
    Reader = "reader",
    /// `!` two facts that cannot both be right.
    Conflict = "conflict",
    /// `─` a published fact.
    Event = "event",
    /// `═` a continuous stream of records.
    Feed = "feed",
    /// `╌` a call and its answer.
    Request = "request",
    /// A number that is older than its interval.
    Stale = "stale",
    /// A number that is an estimate or a bound.
    Estimate = "estimate",
    /// Sparklines and bars.
    Chart = "chart",
    /// `↗` a backlog that grows.
    Growing = "growing",
    /// `↘` a backlog that drains.
    Draining = "draining",
    /// A short notice in the header: SIMULATED, the probe level above passive.
    Badge = "badge",
    /// The screen stands still because the person asked.
    BadgePaused = "badge-paused",
    /// The part of a name that the filter found; the filter itself while it hides rows.
    Match = "match",
    /// In a message: the name of a field, a tag, a header.
    DataKey = "data-key",
    /// In a message: text.
    DataText = "data-text",
    /// In a message: a number, a byte.
    DataNumber = "data-number",
    /// In a message: `true`, `false`, `null`.
    DataLiteral = "data-literal",
    /// What just happened: "copied orders.created".
    Message = "message",
    /// What could not be done, and why.
    Error = "error",
}

impl Role {
    /// Where a role's look comes from when neither a theme nor what it inherits mentions it.
    pub const fn parent(self) -> Option<Role> {
        match self {
            Role::Text => None,
            Role::BorderFocus | Role::TableHeader | Role::TabActive | Role::Key => Some(Role::Title),
            Role::KeyLabel | Role::Tab | Role::Stale | Role::StateUnknown => Some(Role::Muted),
            Role::SelectionInactive => Some(Role::Selection),
            Role::StateGaveUp | Role::Error | Role::Conflict => Some(Role::StateDown),
            Role::StateRewound | Role::Growing => Some(Role::StateDegraded),
            Role::BadgePaused => Some(Role::Badge),
            _ => Some(Role::Text),
        }
    }

    /// The role with this name in theme files.
    pub fn by_name(name: &str) -> Option<Role> {
        Self::ALL.iter().copied().find(|role| role.name() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_lead_back() {
        for role in Role::ALL {
            assert_eq!(Role::by_name(role.name()), Some(*role));
        }
        assert_eq!(
            Role::ALL.iter().map(|role| role.name()).collect::<std::collections::BTreeSet<_>>().len(),
            Role::COUNT
        );
        assert_eq!(Role::by_name("text "), None);
    }

    #[test]
    fn every_role_ends_at_text() {
        for role in Role::ALL {
            let mut at = *role;
            for _ in 0..Role::COUNT {
                match at.parent() {
                    Some(parent) => at = parent,
                    None => break,
                }
            }
            assert_eq!(at, Role::Text);
        }
    }
}
