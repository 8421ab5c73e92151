//! Theme files: TOML with a palette and roles, one theme inheriting from another.
//!
//! ```toml
//! name = "harbour"
//! about = "calm, for dark terminals"
//! appearance = "dark"            # dark, light or any
//! inherits = "default"           # a built-in theme
//!
//! [palette]
//! sea = "#4fa6c8"
//!
//! [roles]
//! title = "$sea"                 # only a colour for the text
//! state-down = { fg = "red", bg = "reset", bold = true }
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use ratatui::style::{Color, Modifier, Style};
use toml::{Table, Value};

use super::{Appearance, BUILT_IN, ColorDepth, Role, Theme};

/// Why a theme was not taken: the file, the key in it, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThemeError(String);

impl fmt::Display for ThemeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ThemeError {}

impl ThemeError {
    pub(super) fn unknown_theme(wanted: &str) -> Self {
        let names: Vec<_> = BUILT_IN.iter().map(|(name, _)| *name).collect();
        Self(format!(
            "no theme is called `{wanted}`{}; built in: {}; or give the path of a .toml file",
            did_you_mean(wanted, names.iter().copied()),
            names.join(", ")
        ))
    }

    fn at(file: &str, key: &str, what: impl fmt::Display) -> Self {
        Self(format!("theme {file}: {key}: {what}"))
    }
}

const MODIFIERS: &[(&str, Modifier)] = &[
    ("bold", Modifier::BOLD),
    ("dim", Modifier::DIM),
    ("italic", Modifier::ITALIC),
    ("underlined", Modifier::UNDERLINED),
    ("reversed", Modifier::REVERSED),
    ("crossed-out", Modifier::CROSSED_OUT),
];

const TOP_KEYS: &[&str] = &["name", "about", "appearance", "inherits", "palette", "roles"];

/// Themes that inherit in a circle end here.
const MAX_INHERITANCE: usize = 8;

pub(super) fn read(path: &Path) -> Result<Theme, ThemeError> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        let why = match error.kind() {
            std::io::ErrorKind::NotFound => "no such file".to_owned(),
            std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
            std::io::ErrorKind::InvalidData => "it is not text".to_owned(),
            std::io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
            _ => error.to_string(),
        };
        ThemeError(format!("cannot read theme {shown}: {why}"))
    })?;
    parse(&shown, &text)
}

pub(super) fn built_in(name: &str) -> Option<Theme> {
    BUILT_IN.iter().find(|(known, _)| *known == name).and_then(|(name, text)| parse(name, text).ok())
}

/// Reads a theme; `file` is how errors call it.
pub(super) fn parse(file: &str, text: &str) -> Result<Theme, ThemeError> {
    let parsed = Parsed::read(file, text, 0)?;
    let mut styles = [Style::new(); Role::COUNT];
    for role in Role::ALL {
        let mut at = Some(*role);
        while let Some(candidate) = at {
            if let Some(style) = parsed.roles.get(&candidate) {
                if let Some(slot) = styles.get_mut(*role as usize) {
                    *slot = *style;
                }
                break;
            }
            at = candidate.parent();
        }
    }
    Ok(Theme {
        name: parsed.name,
        about: parsed.about,
        appearance: parsed.appearance,
        depth: ColorDepth::True,
        styles,
    })
}

/// The roles a theme mentions itself or through what it inherits.
#[cfg(test)]
pub(super) fn covered_roles(file: &str, text: &str) -> Result<Vec<Role>, ThemeError> {
    Ok(Parsed::read(file, text, 0)?.roles.into_keys().collect())
}

struct Parsed {
    name: String,
    about: String,
    appearance: Appearance,
    palette: BTreeMap<String, Color>,
    roles: BTreeMap<Role, Style>,
}

impl Parsed {
    fn read(file: &str, text: &str, depth: usize) -> Result<Self, ThemeError> {
        let table: Table = text.parse().map_err(|error| syntax(file, text, &error))?;
        for key in table.keys() {
            if !TOP_KEYS.contains(&key.as_str()) {
                let near = did_you_mean(key, TOP_KEYS.iter().copied());
                return Err(ThemeError::at(file, key, format!("unknown key{near}")));
            }
        }
        let word = |key: &str| match table.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => {
                Err(ThemeError::at(file, key, format!("expected text, found {}", other.type_str())))
            }
        };
        let mut parsed = match word("inherits")? {
            None => Self {
                name: String::new(),
                about: String::new(),
                appearance: Appearance::Any,
                palette: BTreeMap::new(),
                roles: BTreeMap::new(),
            },
            Some(_) if depth >= MAX_INHERITANCE => {
                return Err(ThemeError::at(file, "inherits", "themes inherit from each other in a circle"));
            }
            Some(base) => match BUILT_IN.iter().find(|(name, _)| *name == base) {
                Some((name, text)) => Self::read(name, text, depth + 1)?,
                None => return Err(ThemeError::at(file, "inherits", ThemeError::unknown_theme(&base))),
            },
        };
        parsed.name = word("name")?.unwrap_or_else(|| stem(file));
        parsed.about = word("about")?.unwrap_or_default();
        if let Some(appearance) = word("appearance")? {
            parsed.appearance = match appearance.as_str() {
                "any" => Appearance::Any,
                "dark" => Appearance::Dark,
                "light" => Appearance::Light,
                other => {
                    let what = format!("`{other}` is none of any, dark, light");
                    return Err(ThemeError::at(file, "appearance", what));
                }
            };
        }
        for (name, value) in section(file, &table, "palette")? {
            let key = format!("palette.{name}");
            let Value::String(text) = value else {
                let what = format!("expected a colour, found {}", value.type_str());
                return Err(ThemeError::at(file, &key, what));
            };
            let colour = parsed.colour(file, &key, text)?;
            parsed.palette.insert(name.clone(), colour);
        }
        for (name, value) in section(file, &table, "roles")? {
            let key = format!("roles.{name}");
            let Some(role) = Role::by_name(name) else {
                let near = did_you_mean(name, Role::ALL.iter().map(|role| role.name()));
                return Err(ThemeError::at(file, &key, format!("unknown role{near}")));
            };
            let style = parsed.style(file, &key, value)?;
            parsed.roles.insert(role, style);
        }
        Ok(parsed)
    }

    fn style(&self, file: &str, key: &str, value: &Value) -> Result<Style, ThemeError> {
        let table = match value {
            Value::String(text) => return Ok(Style::new().fg(self.colour(file, key, text)?)),
            Value::Table(table) => table,
            other => {
                let what = format!("expected a colour or {{ fg, bg, bold, … }}, found {}", other.type_str());
                return Err(ThemeError::at(file, key, what));
            }
        };
        let mut style = Style::new();
        for (name, value) in table {
            let key = format!("{key}.{name}");
            let modifier = MODIFIERS.iter().find(|(known, _)| known == name);
            match (name.as_str(), modifier, value) {
                ("fg", _, Value::String(text)) => style = style.fg(self.colour(file, &key, text)?),
                ("bg", _, Value::String(text)) => style = style.bg(self.colour(file, &key, text)?),
                (_, Some((_, modifier)), Value::Boolean(true)) => style = style.add_modifier(*modifier),
                (_, Some(_), Value::Boolean(false)) => {}
                ("fg" | "bg", _, other) => {
                    let what = format!("expected a colour, found {}", other.type_str());
                    return Err(ThemeError::at(file, &key, what));
                }
                (_, Some(_), other) => {
                    let what = format!("expected true or false, found {}", other.type_str());
                    return Err(ThemeError::at(file, &key, what));
                }
                _ => {
                    let known = ["fg", "bg"].into_iter().chain(MODIFIERS.iter().map(|(name, _)| *name));
                    let near = did_you_mean(name, known);
                    return Err(ThemeError::at(file, &key, format!("unknown key{near}")));
                }
            }
        }
        Ok(style)
    }

    fn colour(&self, file: &str, key: &str, text: &str) -> Result<Color, ThemeError> {
        if let Some(name) = text.strip_prefix('$') {
            return self.palette.get(name).copied().ok_or_else(|| {
                let near = did_you_mean(name, self.palette.keys().map(String::as_str));
                ThemeError::at(file, key, format!("`${name}` is not in the palette{near}"))
            });
        }
        Color::from_str(text).map_err(|_| {
            let near = did_you_mean(text, COLOUR_NAMES.iter().copied());
            let what = format!("unknown colour `{text}`{near}; use a name, #rrggbb, 0-255 or $palette");
            ThemeError::at(file, key, what)
        })
    }
}

const COLOUR_NAMES: &[&str] = &[
    "reset",
    "black",
    "red",
    "green",
    "yellow",
    "blue",
    "magenta",
    "cyan",
    "gray",
    "darkgray",
    "lightred",
    "lightgreen",
    "lightyellow",
    "lightblue",
    "lightmagenta",
    "lightcyan",
    "white",
];

fn section<'a>(file: &str, table: &'a Table, key: &str) -> Result<Vec<(&'a String, &'a Value)>, ThemeError> {
    match table.get(key) {
        None => Ok(Vec::new()),
        Some(Value::Table(section)) => Ok(section.iter().collect()),
        Some(other) => {
            Err(ThemeError::at(file, key, format!("expected a table, found {}", other.type_str())))
        }
    }
}

fn syntax(file: &str, text: &str, error: &toml::de::Error) -> ThemeError {
    let at = error.span().map_or(0, |span| span.start);
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    ThemeError(format!("theme {file}:{line}:{column}: {}", error.message().replace('\n', " ")))
}

fn stem(file: &str) -> String {
    Path::new(file).file_stem().map_or_else(|| file.to_owned(), |stem| stem.to_string_lossy().into_owned())
}

/// ` (did you mean …?)` when something is close enough to be meant.
fn did_you_mean<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    known
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().max(3) / 3)
        .min()
        .map(|(_, candidate)| format!(" (did you mean `{candidate}`?)"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse("my.toml", text).unwrap_err().to_string()
    }

    #[test]
    fn own_theme_over_a_built_in_one() {
        let theme = parse(
            "dir/my.toml",
            "inherits = \"mono\"\n[palette]\nsea = \"#010203\"\n[roles]\ntitle = \"$sea\"\n\
             state-down = { fg = \"red\", bold = true, dim = false }",
        )
        .unwrap();
        assert_eq!(theme.name(), "my");
        assert_eq!(theme.style(Role::Title), Style::new().fg(Color::Rgb(1, 2, 3)));
        assert_eq!(theme.style(Role::StateDown), Style::new().fg(Color::Red).add_modifier(Modifier::BOLD));
        assert_eq!(theme.style(Role::Selection), built_in("mono").unwrap().style(Role::Selection));
    }

    #[test]
    fn what_is_not_said_comes_from_the_parent_role() {
        let theme = parse("t", "[roles]\nstate-down = \"red\"\ntext = \"blue\"").unwrap();
        assert_eq!(theme.style(Role::StateGaveUp).fg, Some(Color::Red));
        assert_eq!(theme.style(Role::Chart).fg, Some(Color::Blue));
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(
            error("[roles]\nstate-dwon = \"red\""),
            "theme my.toml: roles.state-dwon: unknown role (did you mean `state-down`?)"
        );
        assert_eq!(
            error("[roles]\ntitle = \"gren\""),
            "theme my.toml: roles.title: unknown colour `gren` (did you mean `green`?); use a name, #rrggbb, 0-255 \
             or $palette"
        );
        assert_eq!(
            error("[palette]\nsea = \"#010203\"\n[roles]\ntitle = \"$see\""),
            "theme my.toml: roles.title: `$see` is not in the palette (did you mean `sea`?)"
        );
        assert_eq!(
            error("[roles]\ntitle = { fgg = \"red\" }"),
            "theme my.toml: roles.title.fgg: unknown key (did you mean `fg`?)"
        );
        assert_eq!(
            error("[roles]\ntitle = { bold = 3 }"),
            "theme my.toml: roles.title.bold: expected true or false, found integer"
        );
        assert_eq!(error("rolls = 3"), "theme my.toml: rolls: unknown key (did you mean `roles`?)");
        assert_eq!(
            error("appearance = \"dusky\""),
            "theme my.toml: appearance: `dusky` is none of any, dark, light"
        );
        assert!(error("[roles]\ntitle = ").starts_with("theme my.toml:2:"), "{}", error("[roles]\ntitle = "));
        assert!(
            error("inherits = \"defualt\"")
                .starts_with("theme my.toml: inherits: no theme is called `defualt`")
        );
    }
}
