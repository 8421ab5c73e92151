//! Named roles become styles. Screens speak of roles ("a stalled state", "a key hint"), a theme says how a role
//! looks, and the terminal's colour depth says how much of that can be shown. Nothing outside this room names a
//! colour.
//!
//! May use: `app` (it does not need to). Used by: `ui`, `tui`, `commands`.

mod contrast;
mod depth;
mod file;
mod glyphs;
mod role;

use std::fmt;
use std::path::Path;

use ratatui::style::Style;

pub use contrast::contrast_ratio;
pub use depth::{ColorChoice, ColorDepth, ColorEnv};
pub use file::ThemeError;
pub use glyphs::{Glyph, Glyphs};
pub use role::Role;

/// The themes that are part of the program, by name. The first is what a person gets who asks for nothing.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("default", include_str!("../themes/default.toml")),
    ("mono", include_str!("../themes/mono.toml")),
    ("light", include_str!("../themes/light.toml")),
    ("dusk", include_str!("../themes/dusk.toml")),
    ("colour-blind", include_str!("../themes/colour-blind.toml")),
];

/// Whether a theme expects a dark or a light terminal; `Any` works on both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appearance {
    Any,
    Dark,
    Light,
}

/// A style for every role, already brought down to what the terminal can show.
#[derive(Clone, PartialEq, Eq)]
pub struct Theme {
    name: String,
    about: String,
    appearance: Appearance,
    depth: ColorDepth,
    styles: [Style; Role::COUNT],
}

impl fmt::Debug for Theme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Theme").field("name", &self.name).field("depth", &self.depth).finish_non_exhaustive()
    }
}

impl Theme {
    /// The style of a role.
    pub fn style(&self, role: Role) -> Style {
        self.styles.get(role as usize).copied().unwrap_or_default()
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// One line: whom the theme is for.
    pub fn about(&self) -> &str {
        &self.about
    }

    pub fn appearance(&self) -> Appearance {
        self.appearance
    }

    pub fn depth(&self) -> ColorDepth {
        self.depth
    }

    /// Loads a theme for a terminal of this depth. `wanted` is the name of a built-in theme or the path of a theme
    /// file. On a terminal without colours (or under `NO_COLOR`) this is always `mono`, because a theme whose
    /// meaning is colour alone would lose it there.
    ///
    /// # Errors
    /// When the name is unknown, or the file cannot be read or says something that is not understood.
    pub fn load(wanted: Option<&str>, depth: ColorDepth) -> Result<Self, ThemeError> {
        let wanted = wanted.unwrap_or("default");
        let loaded = match BUILT_IN.iter().find(|(name, _)| *name == wanted) {
            Some((name, text)) => file::parse(name, text)?,
            None if looks_like_path(wanted) => file::read(Path::new(wanted))?,
            None => return Err(ThemeError::neither_built_in_nor_file(wanted)),
        };
        if depth == ColorDepth::Mono { Ok(Self::mono()) } else { Ok(loaded.at_depth(depth)) }
    }

    /// The theme without any colour: meaning by bold, dim, underline and reverse alone.
    pub fn mono() -> Self {
        file::built_in("mono").map_or_else(Self::plain, |theme| theme.at_depth(ColorDepth::Mono))
    }

    /// No styling at all; what remains if even the built-in themes could not be read (a test proves they can).
    fn plain() -> Self {
        Self {
            name: "plain".to_owned(),
            about: String::new(),
            appearance: Appearance::Any,
            depth: ColorDepth::Mono,
            styles: [Style::new(); Role::COUNT],
        }
    }

    fn at_depth(mut self, depth: ColorDepth) -> Self {
        for style in &mut self.styles {
            *style = depth.bring_down(*style);
        }
        self.depth = depth;
        self
    }
}

/// A word without a separator or extension is a theme's name; anything else is a file.
fn looks_like_path(wanted: &str) -> bool {
    wanted.contains(['/', '\\'])
        || Path::new(wanted).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::{Color, Modifier};

    #[test]
    fn every_built_in_theme_says_something_about_every_role() {
        for (name, text) in BUILT_IN {
            let covered = file::covered_roles(name, text).unwrap();
            let missing: Vec<_> = Role::ALL.iter().filter(|role| !covered.contains(role)).collect();
            assert!(missing.is_empty(), "{name} leaves out {missing:?}");
        }
    }

    #[test]
    fn mono_and_every_theme_at_mono_depth_have_no_colour() {
        for (name, _) in BUILT_IN {
            let theme = Theme::load(Some(name), ColorDepth::Mono).unwrap();
            for role in Role::ALL {
                let style = theme.style(*role);
                for colour in [style.fg, style.bg] {
                    assert!(matches!(colour, None | Some(Color::Reset)), "{name} {role:?} has {colour:?}");
                }
                assert_eq!(style.underline_color, None);
            }
        }
    }

    /// Meaning must survive without colour: roles that say "look here" differ from plain text.
    #[test]
    fn mono_marks_what_needs_a_person() {
        let theme = Theme::mono();
        for role in [
            Role::StateDegraded,
            Role::StateStalled,
            Role::StateDown,
            Role::StateGaveUp,
            Role::Conflict,
            Role::Selection,
            Role::SelectionInactive,
            Role::TabActive,
            Role::Error,
            Role::Badge,
            Role::Stale,
            Role::Match,
        ] {
            assert_ne!(theme.style(role).add_modifier, Modifier::empty(), "{role:?}");
        }
        assert_ne!(theme.style(Role::Selection), theme.style(Role::SelectionInactive));
    }

    #[test]
    fn the_default_theme_keeps_the_terminals_background_and_its_sixteen_colours() {
        let theme = Theme::load(None, ColorDepth::True).unwrap();
        for role in Role::ALL {
            let style = theme.style(*role);
            assert!(!matches!(style.fg, Some(Color::Rgb(..) | Color::Indexed(_))), "{role:?}");
            if !matches!(role, Role::Badge | Role::BadgePaused) {
                assert!(matches!(style.bg, None | Some(Color::Reset)), "{role:?} paints a background");
            }
        }
    }

    #[test]
    fn rgb_themes_are_readable() {
        for name in ["light", "dusk", "colour-blind"] {
            let theme = Theme::load(Some(name), ColorDepth::True).unwrap();
            let Some(base) = theme.style(Role::Text).bg else { panic!("{name}: text has no background") };
            for role in Role::ALL {
                let style = theme.style(*role);
                let (mut fg, mut bg) = (style.fg, style.bg.or(Some(base)));
                if style.add_modifier.contains(Modifier::REVERSED) {
                    std::mem::swap(&mut fg, &mut bg);
                }
                let fg = fg.or(theme.style(Role::Text).fg).unwrap();
                let ratio = contrast_ratio(fg, bg.unwrap())
                    .unwrap_or_else(|| panic!("{name} {role:?}: a colour that is not RGB"));
                let wanted = match role {
                    Role::Border => 1.8,
                    Role::Muted | Role::Stale | Role::StateOk | Role::StateUnknown => 3.0,
                    _ => 4.5,
                };
                assert!(ratio >= wanted, "{name} {role:?}: contrast {ratio:.2} < {wanted}");
            }
        }
    }

    #[test]
    fn every_theme_can_be_brought_down_and_stays_readable() {
        for (name, _) in BUILT_IN {
            for depth in [ColorDepth::Ansi16, ColorDepth::Ansi256] {
                let theme = Theme::load(Some(name), depth).unwrap();
                for role in Role::ALL {
                    let style = theme.style(*role);
                    assert!(!matches!(style.fg, Some(Color::Rgb(..))), "{name} {role:?} {depth:?}");
                    if let (Some(fg), Some(bg)) = (style.fg, style.bg)
                        && fg != Color::Reset
                    {
                        assert_ne!(fg, bg, "{name} {role:?} {depth:?} is invisible");
                    }
                }
            }
        }
    }

    #[test]
    fn a_theme_that_is_none_is_named() {
        let error = |wanted| Theme::load(Some(wanted), ColorDepth::Mono).unwrap_err().to_string();
        assert_eq!(
            error("dask"),
            "no theme is called `dask` (did you mean `dusk`?); built in: default, mono, light, dusk, colour-blind; \
             or give the path of a .toml file"
        );
        assert_eq!(error("./nowhere/my.toml"), "cannot read theme ./nowhere/my.toml: no such file");
    }
}
