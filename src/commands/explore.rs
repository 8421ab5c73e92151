//! `headwater`: the terminal explorer.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::app::{App, Fault, Options, Said};
use crate::cli::{Color, Global, Tapped};
use crate::commands::tap;
use crate::commands::watch::{self, Watching};
use crate::commands::{CommandError, runtime};
use crate::settings::TerminalSettings;
use crate::theme::{ColorChoice, ColorDepth, ColorEnv, Glyphs, Theme};
use crate::tui::{self, ExitReason, Look};

/// Sources that wait for an answer are not waited for.
const END_WITHIN: Duration = Duration::from_millis(200);

/// Runs it.
pub fn run(global: &Global, tapped: &Tapped) -> Result<ExitCode, CommandError> {
    let (plan, settings) = watch::plan(&tap::with_level(global, tapped)?)?;
    let channels = tap::channels(tapped, &settings)?;
    let runtime = runtime()?;
    let watching = {
        let _inside = runtime.enter();
        watch::start(plan)
    };
    tap::ask(&watching.commands, channels);
    let code = show(&watching, &settings.terminal, Vec::new(), None);
    drop(watching);
    runtime.shutdown_timeout(END_WITHIN);
    code
}

/// Shows a watch on the screen until the person leaves; `notice` is said at the start.
pub fn show(
    watching: &Watching,
    terminal: &TerminalSettings,
    faults: Vec<Fault>,
    notice: Option<&str>,
) -> Result<ExitCode, CommandError> {
    let choice = match terminal.color {
        Color::Auto => ColorChoice::Auto,
        Color::Never => ColorChoice::Never,
        Color::Ansi16 => ColorChoice::Ansi16,
        Color::Ansi256 => ColorChoice::Ansi256,
        Color::True => ColorChoice::True,
    };
    let depth = ColorDepth::detect(choice, &ColorEnv::of_process());
    let theme = theme(terminal, depth)?;
    let look = Look { theme, glyphs: Glyphs::of_process(terminal.ascii), zone: TimeZone::system() };
    let notice = notice.map(Said::done);
    let app =
        App::new(Options { utc: false, mouse: terminal.mouse, still: !terminal.motion, faults, notice });
    let reason = tui::run(app, look, watching.snapshots.clone(), watching.commands.clone())
        .map_err(|error| CommandError::Usage(error.to_string()))?;
    if let ExitReason::Panicked(report) = &reason {
        let _ = writeln!(std::io::stderr(), "{report}");
    }
    Ok(ExitCode::from(reason.code()))
}

/// The theme that was asked for, by a flag or the environment.
///
/// # Errors
/// When there is no such theme, or its file cannot be read or understood.
pub fn theme(terminal: &TerminalSettings, depth: ColorDepth) -> Result<Theme, CommandError> {
    let wanted = terminal.theme.as_ref();
    Theme::load(wanted.map(|theme| theme.value.as_str()), depth).map_err(|error| {
        let from = wanted.map(|theme| format!("{}: ", theme.from)).unwrap_or_default();
        CommandError::Usage(format!("{from}{error}"))
    })
}
