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
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

use super::{Appearance, BUILT_IN, ColorDepth, Role, Theme};

/// Why a theme was not taken: a line for each mistake, with the file, the place and key in it, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThemeError(String);

impl fmt::Display for ThemeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ThemeError {}

impl ThemeError {
    /// What was asked for when the program was started.
    pub(super) fn neither_built_in_nor_file(wanted: &str) -> Self {
        let Self(unknown) = Self::not_built_in(wanted);
        Self(format!("{unknown}; or give the path of a .toml file"))
    }

    fn not_built_in(wanted: &str) -> Self {
        let names: Vec<_> = BUILT_IN.iter().map(|(name, _)| *name).collect();
        Self(format!(
            "no theme is called `{wanted}`{}; built in: {}",
            did_you_mean(wanted, names.iter().copied()).unwrap_or_default(),
            names.join(", ")
        ))
    }
}

/// What is wrong in a file, all of it: by place, so that it can be told in the order of the file.
struct Mistakes<'t> {
    file: &'t str,
    text: &'t str,
    table: Spanned<DeTable<'t>>,
    found: Vec<(usize, String)>,
}

impl Mistakes<'_> {
    /// Something is wrong with the key at the end of this path.
    fn at(&mut self, path: &[&str], what: impl fmt::Display) {
        let at = self.place(path);
        let (line, column) = line_and_column(self.text, at);
        let key = path.join(".");
        let shown = format!("theme {}:{line}:{column}: {}: {what}", self.file, key.escape_debug());
        self.found.push((at, shown));
    }

    /// The byte at which the key stands.
    fn place(&self, path: &[&str]) -> usize {
        let mut at = 0;
        let mut table = Some(self.table.get_ref());
        for name in path {
            let Some((key, value)) =
                table.and_then(|table| table.iter().find(|(key, _)| key.get_ref() == name))
            else {
                break;
            };
            at = key.span().start;
            table = match value.get_ref() {
                DeValue::Table(table) => Some(table),
                _ => None,
            };
        }
        at
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
        let places = DeTable::parse(text).map_err(|error| syntax(file, text, &error))?;
        let mut wrong = Mistakes { file, text, table: places, found: Vec::new() };
        let parsed = Self::take(&table, &mut wrong, depth)?;
        if wrong.found.is_empty() {
            return Ok(parsed);
        }
        wrong.found.sort();
        let lines: Vec<String> = wrong.found.into_iter().map(|(_, line)| line).collect();
        Err(ThemeError(lines.join("\n")))
    }

    fn take(table: &Table, wrong: &mut Mistakes<'_>, depth: usize) -> Result<Self, ThemeError> {
        for key in table.keys().filter(|key| !TOP_KEYS.contains(&key.as_str())) {
            let instead = instead(key, TOP_KEYS);
            wrong.at(&[key], format!("unknown key{instead}"));
        }
        let word = |wrong: &mut Mistakes<'_>, key: &str| match table.get(key)? {
            Value::String(text) => Some(text.clone()),
            other => {
                wrong.at(&[key], format!("expected text, found {}", other.type_str()));
                None
            }
        };
        let mut parsed = Self {
            name: String::new(),
            about: String::new(),
            appearance: Appearance::Any,
            palette: BTreeMap::new(),
            roles: BTreeMap::new(),
        };
        if let Some(base) = word(wrong, "inherits") {
            match BUILT_IN.iter().find(|(name, _)| *name == base) {
                Some(_) if depth >= MAX_INHERITANCE => {
                    wrong.at(&["inherits"], "themes inherit from each other in a circle");
                }
                Some((name, text)) => parsed = Self::read(name, text, depth + 1)?,
                None => wrong.at(&["inherits"], ThemeError::not_built_in(&base)),
            }
        }
        parsed.name = word(wrong, "name").unwrap_or_else(|| stem(wrong.file));
        parsed.about = word(wrong, "about").unwrap_or_default();
        if let Some(appearance) = word(wrong, "appearance") {
            match appearance.as_str() {
                "any" => parsed.appearance = Appearance::Any,
                "dark" => parsed.appearance = Appearance::Dark,
                "light" => parsed.appearance = Appearance::Light,
                other => wrong.at(&["appearance"], format!("`{other}` is none of any, dark, light")),
            }
        }
        for (name, value) in section(wrong, table, "palette") {
            let path = ["palette", name];
            match value {
                Value::String(text) => {
                    // A colour that is wrong is said once, not again where it is used.
                    let colour = parsed.colour(wrong, &path, text).unwrap_or(Color::Reset);
                    parsed.palette.insert(name.clone(), colour);
                }
                other => wrong.at(&path, format!("expected a colour, found {}", other.type_str())),
            }
        }
        for (name, value) in section(wrong, table, "roles") {
            let path = ["roles", name];
            let Some(role) = Role::by_name(name) else {
                let known: Vec<&str> = Role::ALL.iter().map(|role| role.name()).collect();
                wrong.at(&path, format!("unknown role{}", instead(name, &known)));
                continue;
            };
            let style = parsed.style(wrong, &path, value);
            parsed.roles.insert(role, style);
        }
        Ok(parsed)
    }

    fn style(&self, wrong: &mut Mistakes<'_>, path: &[&str], value: &Value) -> Style {
        let mut style = Style::new();
        let table = match value {
            Value::String(text) => {
                return self.colour(wrong, path, text).map_or(style, |colour| style.fg(colour));
            }
            Value::Table(table) => table,
            other => {
                let what = format!("expected a colour or {{ fg, bg, bold, … }}, found {}", other.type_str());
                wrong.at(path, what);
                return style;
            }
        };
        for (name, value) in table {
            let path = [path, &[name.as_str()]].concat();
            let modifier = MODIFIERS.iter().find(|(known, _)| known == name);
            match (name.as_str(), modifier, value) {
                ("fg", _, Value::String(text)) => style.fg = self.colour(wrong, &path, text),
                ("bg", _, Value::String(text)) => style.bg = self.colour(wrong, &path, text),
                (_, Some((_, modifier)), Value::Boolean(true)) => style = style.add_modifier(*modifier),
                (_, Some(_), Value::Boolean(false)) => {}
                ("fg" | "bg", _, other) => {
                    wrong.at(&path, format!("expected a colour, found {}", other.type_str()));
                }
                (_, Some(_), other) => {
                    wrong.at(&path, format!("expected true or false, found {}", other.type_str()));
                }
                _ => {
                    let known = ["fg", "bg"].into_iter().chain(MODIFIERS.iter().map(|(name, _)| *name));
                    let known: Vec<&str> = known.collect();
                    wrong.at(&path, format!("unknown key{}", instead(name, &known)));
                }
            }
        }
        style
    }

    fn colour(&self, wrong: &mut Mistakes<'_>, path: &[&str], text: &str) -> Option<Color> {
        if let Some(name) = text.strip_prefix('$') {
            let colour = self.palette.get(name).copied();
            if colour.is_none() {
                let near = did_you_mean(name, self.palette.keys().map(String::as_str)).unwrap_or_default();
                wrong.at(path, format!("`${name}` is not in the palette{near}"));
            }
            return colour;
        }
        let colour = Color::from_str(text).ok();
        if colour.is_none() {
            let near = did_you_mean(text, COLOUR_NAMES.iter().copied()).unwrap_or_default();
            wrong.at(path, format!("unknown colour `{text}`{near}; use a name, #rrggbb, 0-255 or $palette"));
        }
        colour
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

fn section<'a>(wrong: &mut Mistakes<'_>, table: &'a Table, key: &str) -> Vec<(&'a String, &'a Value)> {
    match table.get(key) {
        None => Vec::new(),
        Some(Value::Table(section)) => section.iter().collect(),
        Some(other) => {
            wrong.at(&[key], format!("expected a table, found {}", other.type_str()));
            Vec::new()
        }
    }
}

fn syntax(file: &str, text: &str, error: &toml::de::Error) -> ThemeError {
    let (line, column) = line_and_column(text, error.span().map_or(0, |span| span.start));
    ThemeError(format!("theme {file}:{line}:{column}: {}", error.message().replace('\n', " ")))
}

/// Line and column of a byte, both from 1.
fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    (before.matches('\n').count() + 1, column)
}

fn stem(file: &str) -> String {
    Path::new(file).file_stem().map_or_else(|| file.to_owned(), |stem| stem.to_string_lossy().into_owned())
}

/// ` (did you mean …?)` when something is close enough to be meant.
fn did_you_mean<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    known
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().max(3) / 3)
        .min()
        .map(|(_, candidate)| format!(" (did you mean `{candidate}`?)"))
}

/// The name that is close enough to be meant, or else all that there are.
fn instead(word: &str, known: &[&str]) -> String {
    did_you_mean(word, known.iter().copied())
        .unwrap_or_else(|| format!(", expected one of {}", known.join(", ")))
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
    fn all_mistakes_are_told_in_the_order_of_the_file() {
        assert_eq!(
            error("colour = 3\nabout = 5\n[roles]\ntitle = { fg = \"gren\", glow = true }\ntxet = \"red\"\n"),
            "theme my.toml:1:1: colour: unknown key, expected one of name, about, appearance, inherits, palette, roles\n\
             theme my.toml:2:1: about: expected text, found integer\n\
             theme my.toml:4:11: roles.title.fg: unknown colour `gren` (did you mean `green`?); use a name, #rrggbb, \
             0-255 or $palette\n\
             theme my.toml:4:24: roles.title.glow: unknown key, expected one of fg, bg, bold, dim, italic, underlined, \
             reversed, crossed-out\n\
             theme my.toml:5:1: roles.txet: unknown role (did you mean `text`?)"
        );
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(
            error("[roles]\nstate-dwon = \"red\""),
            "theme my.toml:2:1: roles.state-dwon: unknown role (did you mean `state-down`?)"
        );
        assert_eq!(
            error("[roles]\ntitle = \"gren\""),
            "theme my.toml:2:1: roles.title: unknown colour `gren` (did you mean `green`?); use a name, #rrggbb, 0-255 \
             or $palette"
        );
        assert_eq!(
            error("[palette]\nsea = \"#010203\"\n[roles]\ntitle = \"$see\""),
            "theme my.toml:4:1: roles.title: `$see` is not in the palette (did you mean `sea`?)"
        );
        assert_eq!(
            error("[roles]\ntitle = { fgg = \"red\" }"),
            "theme my.toml:2:11: roles.title.fgg: unknown key (did you mean `fg`?)"
        );
        assert_eq!(
            error("[roles]\ntitle = { bold = 3 }"),
            "theme my.toml:2:11: roles.title.bold: expected true or false, found integer"
        );
        assert_eq!(error("rolls = 3"), "theme my.toml:1:1: rolls: unknown key (did you mean `roles`?)");
        assert_eq!(
            error("appearance = \"dusky\""),
            "theme my.toml:1:1: appearance: `dusky` is none of any, dark, light"
        );
        assert!(error("[roles]\ntitle = ").starts_with("theme my.toml:2:"), "{}", error("[roles]\ntitle = "));
        assert!(
            error("inherits = \"defualt\"")
                .starts_with("theme my.toml:1:1: inherits: no theme is called `defualt`")
        );
    }
}
