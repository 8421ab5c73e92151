//! One table of every glyph on every screen, with a form for terminals that show only ASCII.
//!
//! Each sign is one column wide, so that numbers and columns stand still whichever set is used. Three ASCII forms have two
//! columns, because no single character says the same (see [`Glyphs::columns`]): panels have to plan for them.

use std::borrow::Cow;

macro_rules! glyphs {
    ($($(#[$doc:meta])* $variant:ident = $unicode:literal $ascii:literal,)*) => {
        /// A sign with one meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Glyph { $($(#[$doc])* $variant,)* }

        impl Glyph {
            /// Every glyph.
            pub const ALL: &'static [Glyph] = &[$(Glyph::$variant),*];

            const fn unicode(self) -> &'static str {
                match self { $(Glyph::$variant => $unicode),* }
            }

            const fn ascii(self) -> &'static str {
                match self { $(Glyph::$variant => $ascii),* }
            }
        }
    };
}

glyphs! {
    /// State: all is well.
    Ok = "·" ".",
    /// State: degraded, slow.
    Degraded = "▲" "^",
    /// State: work waits and nothing moves.
    Stalled = "■" "#",
    /// State: down, stopped.
    Down = "✖" "X",
    /// State: unknown, unreachable from here.
    Unknown = "◌" "?",
    /// State: paused on purpose.
    Paused = "‖" "P",
    /// State: set back to an earlier position.
    Rewound = "↶" "R",
    /// State: gave up messages.
    GaveUp = "⊘" "G",

    /// Data: owns it.
    Owns = "◆" "@",
    /// Data: keeps a copy.
    Copy = "●" "o",
    /// Data: reacts to events, keeps nothing.
    Reacts = "○" "e",
    /// Data: asks by request.
    Asks = "╌" ":",
    /// Data: two facts that cannot both be right.
    Conflict = "!" "!",

    /// Kind of flow: event.
    Event = "─" "-",
    /// Kind of flow: feed.
    Feed = "═" "=",
    /// Kind of flow: request (the same sign as asking: it is the same fact).
    Request = "╌" ":",
    /// An arrow's head.
    HeadRight = "▸" ">",
    HeadLeft = "◂" "<",
    /// A message that moves.
    Moving = "•" "*",
    /// A message that failed.
    Failed = "✗" "x",

    /// Trend: growing.
    Growing = "↗" "/",
    /// Trend: steady.
    Steady = "→" "_",
    /// Trend: draining.
    Draining = "↘" "\\",

    /// In place of a number: not known. The ASCII form is that of the unknown state: the same meaning.
    NoValue = "–" "?",
    /// In place of a character that cannot be shown. (In ASCII not `?`, which is the unknown; `*`, `>`, `.`, `-` and `_` stand in
    /// names of their own.)
    Unshowable = "\u{fffd}" "&",
    /// Before a number: at least. (In ASCII not `>`: `>0` would claim what `≥0` does not.)
    AtLeast = "≥" ">=",
    /// Before a number: at most. (In ASCII not `<`: that is "less than".)
    AtMost = "≤" "<=",
    /// Before a number or a name: about, likely.
    About = "~" "~",
    /// Between the ends of a range.
    Range = "–" "-",
    /// Text goes on but there is no room. (`>` would read as a wildcard subject, `~` as an estimate, `$` as the start of a
    /// subject of the server, `.` as the end of a token: two dots stand in no subject.)
    Ellipsis = "…" "..",
    /// How often.
    Times = "×" "x",
    /// Between words of equal rank.
    Separator = "·" "|",
    /// From a cause to its effect, in titles.
    LeadsTo = "→" ">",

    /// On the map: seen, and declared by no topology file.
    Undeclared = "+" "+",

    /// A tree's branch with more to come.
    Branch = "├" "|",
    /// A tree's last branch.
    LastBranch = "└" "`",
    /// A group that is open.
    Unfolded = "▾" "v",
    /// A group that is closed.
    Folded = "▸" ">",

    /// Sorted with the largest first.
    SortDown = "▾" "v",
    /// Sorted with the smallest first.
    SortUp = "▴" "^",
    Horizontal = "─" "-",
    Vertical = "│" "|",
    CornerTopLeft = "┌" "+",
    CornerTopRight = "┐" "+",
    CornerBottomLeft = "└" "+",
    CornerBottomRight = "┘" "+",
    /// Corners of a box on the map.
    BoxTopLeft = "╭" "+",
    BoxTopRight = "╮" "+",
    BoxBottomLeft = "╰" "+",
    BoxBottomRight = "╯" "+",
    /// The handle of a scroll bar.
    ScrollThumb = "┃" "#",
    /// Where typed text goes.
    Cursor = "▏" "_",
    /// A bar's filled part.
    BarFull = "█" "#",
    /// A bar's empty part.
    BarEmpty = "░" ".",
}

/// Heights of a sparkline's columns, lowest first. The lowest is also zero: it was measured, a gap was not.
const SPARK_UNICODE: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const SPARK_ASCII: [&str; 8] = ["_", ".", ",", "-", "~", "=", "*", "#"];
/// A bar's last cell, in eighths.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// The set of glyphs in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Glyphs {
    #[default]
    Unicode,
    Ascii,
}

impl Glyphs {
    /// ASCII when asked for, or when the locale (first non-empty of `LC_ALL`, `LC_CTYPE`, `LANG`) is set to something
    /// that is not UTF-8. No locale at all says nothing about the terminal, and terminals of today show UTF-8.
    pub fn detect(ascii: bool, lc_all: Option<&str>, lc_ctype: Option<&str>, lang: Option<&str>) -> Self {
        let locale = [lc_all, lc_ctype, lang].into_iter().flatten().find(|value| !value.is_empty());
        let utf8 = locale.is_none_or(|value| {
            let value = value.to_ascii_lowercase();
            value.contains("utf-8") || value.contains("utf8")
        });
        if ascii || !utf8 { Self::Ascii } else { Self::Unicode }
    }

    /// [`Glyphs::detect`] with the process's environment.
    pub fn of_process(ascii: bool) -> Self {
        let read = |name: &str| std::env::var(name).ok();
        let (lc_all, lc_ctype, lang) = (read("LC_ALL"), read("LC_CTYPE"), read("LANG"));
        Self::detect(ascii, lc_all.as_deref(), lc_ctype.as_deref(), lang.as_deref())
    }

    /// The sign itself, [`Glyphs::columns`] wide.
    pub const fn get(self, glyph: Glyph) -> &'static str {
        match self {
            Self::Unicode => glyph.unicode(),
            Self::Ascii => glyph.ascii(),
        }
    }

    /// Columns of a sign: one; in ASCII two of those that no single character can say.
    pub const fn columns(self, glyph: Glyph) -> u16 {
        // Forms of ASCII have as many columns as bytes, signs of Unicode one.
        if self.is_ascii() { glyph.ascii().len() as u16 } else { 1 }
    }

    /// A sentence with signs in it, as this set shows them. What is no sign of the table stays.
    pub fn sentence(self, text: &str) -> Cow<'_, str> {
        if !self.is_ascii() || text.is_ascii() {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        let mut buffer = [0; 4];
        for c in text.chars() {
            let sign: &str = c.encode_utf8(&mut buffer);
            out.push_str(Self::ascii_of(sign).unwrap_or(sign));
        }
        Cow::Owned(out)
    }

    /// The ASCII form of a sign that came in a sentence; `None` when it is no sign of the table. Where one sign has
    /// two forms, the one of punctuation is meant: states and kinds are never drawn from sentences.
    pub fn ascii_of(sign: &str) -> Option<&'static str> {
        Glyph::ALL.iter().rev().find(|glyph| glyph.unicode() == sign).map(|glyph| glyph.ascii())
    }

    pub const fn is_ascii(self) -> bool {
        matches!(self, Self::Ascii)
    }

    /// A sparkline column for a height from 0 to 1.
    pub fn spark(self, height: f32) -> &'static str {
        let set = if self.is_ascii() { SPARK_ASCII } else { SPARK_UNICODE };
        let step = (height.clamp(0.0, 1.0) * 7.0).round() as usize;
        set.get(step).copied().unwrap_or(" ")
    }

    /// A column that is filled from the left to a share (0 to 1); `None` when that is too little to be seen.
    pub fn part(self, share: f64) -> Option<&'static str> {
        let eighths = (share.clamp(0.0, 1.0) * 8.0).round() as usize;
        match self {
            _ if eighths >= 8 => Some(self.get(Glyph::BarFull)),
            Self::Unicode => EIGHTHS.get(eighths).copied().filter(|sign| !sign.is_empty()),
            Self::Ascii => (eighths >= 4).then_some("-"),
        }
    }

    /// A bar of `width` columns, filled to `share` (0 to 1), padded with spaces.
    pub fn bar(self, share: f64, width: usize) -> String {
        let eighths = (share.clamp(0.0, 1.0) * width as f64 * 8.0).round() as usize;
        let (full, rest) = (eighths / 8, eighths % 8);
        let mut bar = self.get(Glyph::BarFull).repeat(full);
        let mut used = full;
        if rest > 0 && used < width {
            bar.push_str(self.part(rest as f64 / 8.0).unwrap_or(" "));
            used += 1;
        }
        bar.push_str(&" ".repeat(width.saturating_sub(used)));
        bar
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn every_glyph_has_its_columns_and_ascii_is_ascii() {
        for glyph in Glyph::ALL {
            for set in [Glyphs::Unicode, Glyphs::Ascii] {
                assert_eq!(set.get(*glyph).width(), usize::from(set.columns(*glyph)), "{glyph:?} {set:?}");
            }
            assert_eq!(Glyphs::Unicode.columns(*glyph), 1, "{glyph:?}");
            assert!(Glyphs::Ascii.get(*glyph).is_ascii(), "{glyph:?}");
            // Two columns are for what stands before a number or in a text, where room is counted; the rest is drawn in
            // cells of one column.
            let wide = matches!(glyph, Glyph::AtLeast | Glyph::AtMost | Glyph::Ellipsis);
            assert_eq!(Glyphs::Ascii.columns(*glyph), if wide { 2 } else { 1 }, "{glyph:?}");
        }
        for (step, block) in SPARK_UNICODE.iter().enumerate() {
            let height = step as f32 / 7.0;
            assert_eq!(Glyphs::Unicode.spark(height).width(), 1);
            assert_eq!(Glyphs::Ascii.spark(height).len(), 1);
            assert_eq!(Glyphs::Unicode.spark(height), *block);
        }
    }

    /// In both sets: states, data, kinds and trends never share a sign (asking and request are one meaning).
    #[test]
    fn no_sign_has_two_meanings() {
        use Glyph as G;
        let meaning = [
            G::Ok,
            G::Degraded,
            G::Stalled,
            G::Down,
            G::Unknown,
            G::Paused,
            G::Rewound,
            G::GaveUp,
            G::Owns,
            G::Copy,
            G::Reacts,
            G::Asks,
            G::Conflict,
            G::Event,
            G::Feed,
            G::HeadRight,
            G::HeadLeft,
            G::Moving,
            G::Failed,
            G::Growing,
            G::Steady,
            G::Draining,
            G::NoValue,
            G::Unshowable,
            G::AtLeast,
            G::AtMost,
            G::About,
        ];
        for set in [Glyphs::Unicode, Glyphs::Ascii] {
            let mut seen = BTreeMap::new();
            for glyph in meaning {
                // What is not known is not known, of a state as of a number.
                if set == Glyphs::Ascii && glyph == G::NoValue {
                    continue;
                }
                if let Some(other) = seen.insert(set.get(glyph), glyph) {
                    panic!("{set:?}: {glyph:?} and {other:?} are both {}", set.get(glyph));
                }
            }
        }
    }

    /// The forms by which people who write ASCII say the same.
    #[test]
    fn ascii_keeps_the_meaning() {
        for (glyph, form) in [
            (Glyph::AtLeast, ">="),
            (Glyph::AtMost, "<="),
            (Glyph::Ellipsis, ".."),
            (Glyph::Range, "-"),
            (Glyph::Times, "x"),
            (Glyph::About, "~"),
            (Glyph::NoValue, "?"),
            (Glyph::Unknown, "?"),
            (Glyph::LeadsTo, ">"),
            (Glyph::HeadRight, ">"),
            (Glyph::HeadLeft, "<"),
        ] {
            assert_eq!(Glyphs::Ascii.get(glyph), form, "{glyph:?}");
        }
        assert_eq!(
            Glyphs::Ascii.sentence("orders ╌ accounts ×3, ≥3 gave up…"),
            "orders : accounts x3, >=3 gave up.."
        );
        assert_eq!(Glyphs::Ascii.sentence("日本 → naïve"), "日本 > naïve");
        assert_eq!(Glyphs::Unicode.sentence("≥3"), "≥3");
    }

    /// `<0.1 ms` is less than that, `-3` below zero: neither is "at most".
    #[test]
    fn what_stands_before_a_number_is_no_sign_of_arithmetic() {
        for glyph in [Glyph::AtLeast, Glyph::AtMost, Glyph::About] {
            for set in [Glyphs::Unicode, Glyphs::Ascii] {
                assert!(!["<", ">", "-", "="].contains(&set.get(glyph)), "{glyph:?}");
            }
        }
    }

    #[test]
    fn bars_fill_their_width() {
        for set in [Glyphs::Unicode, Glyphs::Ascii] {
            for share in [0.0, 0.01, 0.3, 0.5, 0.999, 1.0, 7.0, -1.0, f64::NAN] {
                assert_eq!(set.bar(share, 9).width(), 9, "{set:?} {share}");
            }
        }
        assert_eq!(Glyphs::Unicode.bar(0.5, 3), "█▌ ");
        assert_eq!(Glyphs::Ascii.bar(0.5, 3), "#- ");
    }

    #[test]
    fn the_locale_decides() {
        assert_eq!(Glyphs::detect(true, None, None, Some("en_GB.UTF-8")), Glyphs::Ascii);
        assert_eq!(Glyphs::detect(false, None, None, Some("en_GB.UTF-8")), Glyphs::Unicode);
        assert_eq!(Glyphs::detect(false, Some(""), Some("C.utf8"), Some("C")), Glyphs::Unicode);
        assert_eq!(Glyphs::detect(false, Some("C"), None, Some("en_GB.UTF-8")), Glyphs::Ascii);
        assert_eq!(Glyphs::detect(false, None, None, Some("POSIX")), Glyphs::Ascii);
        assert_eq!(Glyphs::detect(false, None, None, None), Glyphs::Unicode);
    }
}
