//! How many colours the terminal shows, and how a colour is brought down to fewer.

use ratatui::style::{Color, Modifier, Style};

/// What `--color` may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColorChoice {
    /// Look at the environment.
    #[default]
    Auto,
    /// No colour at all.
    Never,
    Ansi16,
    Ansi256,
    True,
}

impl std::str::FromStr for ColorChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "never" | "none" | "mono" => Ok(Self::Never),
            "16" => Ok(Self::Ansi16),
            "256" => Ok(Self::Ansi256),
            "true" | "truecolor" | "24bit" => Ok(Self::True),
            other => Err(format!("`{other}` is not a colour depth: use auto, never, 16, 256 or true")),
        }
    }
}

/// How many colours may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ColorDepth {
    Mono,
    Ansi16,
    Ansi256,
    True,
}

/// The environment variables that speak about colour, read by the caller so that this stays a pure function.
#[derive(Debug, Clone, Default)]
pub struct ColorEnv {
    pub no_color: Option<String>,
    pub colorterm: Option<String>,
    pub term: Option<String>,
}

impl ColorEnv {
    /// Reads the process's environment.
    pub fn of_process() -> Self {
        let read = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        Self { no_color: read("NO_COLOR"), colorterm: read("COLORTERM"), term: read("TERM") }
    }
}

impl ColorDepth {
    /// The flag wins over `NO_COLOR` (set and not empty, see no-color.org), that over `COLORTERM`, that over `TERM`.
    /// A terminal that says nothing useful gets the sixteen colours that all have.
    pub fn detect(choice: ColorChoice, env: &ColorEnv) -> Self {
        match choice {
            ColorChoice::Never => return Self::Mono,
            ColorChoice::Ansi16 => return Self::Ansi16,
            ColorChoice::Ansi256 => return Self::Ansi256,
            ColorChoice::True => return Self::True,
            ColorChoice::Auto => {}
        }
        if env.no_color.as_deref().is_some_and(|value| !value.is_empty()) {
            return Self::Mono;
        }
        let term = env.term.as_deref().unwrap_or("");
        if term == "dumb" {
            return Self::Mono;
        }
        if matches!(env.colorterm.as_deref(), Some("truecolor" | "24bit")) || term.ends_with("-direct") {
            return Self::True;
        }
        if term.contains("256color") {
            return Self::Ansi256;
        }
        Self::Ansi16
    }

    /// A style that this depth can show. Without colours the attributes remain.
    pub(super) fn bring_down(self, style: Style) -> Style {
        let mut out = style;
        out.fg = style.fg.and_then(|colour| self.colour(colour));
        out.bg = style.bg.and_then(|colour| self.colour(colour));
        out.underline_color = None;
        // Two different colours may have become one: text that equals its background is unreadable.
        if let (Some(fg), Some(bg)) = (out.fg, out.bg)
            && fg == bg
            && fg != Color::Reset
            && style.fg != style.bg
        {
            out.fg = None;
            out.bg = None;
            out.add_modifier |= Modifier::REVERSED;
        }
        out
    }

    fn colour(self, colour: Color) -> Option<Color> {
        match self {
            Self::Mono => (colour == Color::Reset).then_some(Color::Reset),
            Self::True => Some(colour),
            Self::Ansi256 => Some(match colour {
                Color::Rgb(r, g, b) => Color::Indexed(nearest_256((r, g, b))),
                other => other,
            }),
            Self::Ansi16 => Some(match colour {
                Color::Rgb(r, g, b) => nearest_16((r, g, b)),
                Color::Indexed(index) => nearest_16(rgb_of_index(index)),
                other => other,
            }),
        }
    }
}

type Rgb = (u8, u8, u8);

/// The sixteen colours as xterm draws them; other terminals differ, but their order of hue and lightness does not.
const ANSI16: [(Color, Rgb); 16] = [
    (Color::Black, (0, 0, 0)),
    (Color::Red, (205, 0, 0)),
    (Color::Green, (0, 205, 0)),
    (Color::Yellow, (205, 205, 0)),
    (Color::Blue, (0, 0, 238)),
    (Color::Magenta, (205, 0, 205)),
    (Color::Cyan, (0, 205, 205)),
    (Color::Gray, (229, 229, 229)),
    (Color::DarkGray, (127, 127, 127)),
    (Color::LightRed, (255, 0, 0)),
    (Color::LightGreen, (0, 255, 0)),
    (Color::LightYellow, (255, 255, 0)),
    (Color::LightBlue, (92, 92, 255)),
    (Color::LightMagenta, (255, 0, 255)),
    (Color::LightCyan, (0, 255, 255)),
    (Color::White, (255, 255, 255)),
];

/// The six steps of the 256-colour cube.
const CUBE: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// Distance weighted for the eye ("redmean", a cheap approximation of perceptual distance).
fn distance(a: Rgb, b: Rgb) -> u32 {
    let mean = u32::midpoint(u32::from(a.0), u32::from(b.0));
    let square = |x: u8, y: u8| u32::from(x.abs_diff(y)).pow(2);
    (((512 + mean) * square(a.0, b.0)) >> 8) + 4 * square(a.1, b.1) + (((767 - mean) * square(a.2, b.2)) >> 8)
}

fn nearest_16(rgb: Rgb) -> Color {
    ANSI16
        .iter()
        .min_by_key(|(_, candidate)| distance(rgb, *candidate))
        .map_or(Color::Reset, |(colour, _)| *colour)
}

/// Only the cube and the greys: the first sixteen are the person's own palette and may be anything.
fn nearest_256(rgb: Rgb) -> u8 {
    (16..=255u8).min_by_key(|index| distance(rgb, rgb_of_index(*index))).unwrap_or(16)
}

fn rgb_of_index(index: u8) -> Rgb {
    match index {
        0..=15 => ANSI16.get(usize::from(index)).map_or((0, 0, 0), |(_, rgb)| *rgb),
        16..=231 => {
            let at = index - 16;
            let step = |n: u8| CUBE.get(usize::from(n)).copied().unwrap_or(0);
            (step(at / 36), step(at / 6 % 6), step(at % 6))
        }
        232..=255 => {
            let grey = 8 + 10 * (index - 232);
            (grey, grey, grey)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(no_color: Option<&str>, colorterm: Option<&str>, term: Option<&str>) -> ColorEnv {
        ColorEnv {
            no_color: no_color.map(str::to_owned),
            colorterm: colorterm.map(str::to_owned),
            term: term.map(str::to_owned),
        }
    }

    #[test]
    fn the_order_of_who_decides() {
        let auto = |e: &ColorEnv| ColorDepth::detect(ColorChoice::Auto, e);
        assert_eq!(
            ColorDepth::detect(ColorChoice::True, &env(Some("1"), None, Some("dumb"))),
            ColorDepth::True
        );
        assert_eq!(auto(&env(Some("1"), Some("truecolor"), Some("xterm-256color"))), ColorDepth::Mono);
        assert_eq!(auto(&env(Some(""), Some("truecolor"), Some("xterm"))), ColorDepth::True);
        assert_eq!(auto(&env(None, None, Some("xterm-256color"))), ColorDepth::Ansi256);
        assert_eq!(auto(&env(None, None, Some("xterm-direct"))), ColorDepth::True);
        assert_eq!(auto(&env(None, None, Some("xterm"))), ColorDepth::Ansi16);
        assert_eq!(auto(&env(None, None, Some("dumb"))), ColorDepth::Mono);
        assert_eq!(auto(&env(None, None, None)), ColorDepth::Ansi16);
    }

    #[test]
    fn colours_come_down_to_their_like() {
        assert_eq!(nearest_16((250, 10, 10)), Color::LightRed);
        assert_eq!(nearest_16((10, 10, 12)), Color::Black);
        assert_eq!(nearest_256((255, 255, 255)), 231);
        assert_eq!(rgb_of_index(nearest_256((95, 135, 175))), (95, 135, 175));
        for index in 16..=255u8 {
            assert_eq!(rgb_of_index(nearest_256(rgb_of_index(index))), rgb_of_index(index), "{index}");
        }
    }

    #[test]
    fn text_never_vanishes_in_its_background() {
        let style = Style::new().fg(Color::Rgb(20, 20, 24)).bg(Color::Rgb(10, 10, 12));
        let down = ColorDepth::Ansi16.bring_down(style);
        assert!(down.fg.is_none() && down.bg.is_none());
        assert!(down.add_modifier.contains(Modifier::REVERSED));
    }

    #[test]
    fn the_flag_is_read() {
        assert_eq!("256".parse(), Ok(ColorChoice::Ansi256));
        assert_eq!(
            "blue".parse::<ColorChoice>(),
            Err("`blue` is not a colour depth: use auto, never, 16, 256 or true".to_owned())
        );
    }
}
