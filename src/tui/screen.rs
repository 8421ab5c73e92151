//! The terminal as the loop uses it, and the guard that always gives it back.

use std::io::{self, BufWriter, Stdout, Write};
use std::mem::ManuallyDrop;

use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{Command as Sequence, queue};
use ratatui::Terminal;
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::theme::ColorDepth;

use super::{clipboard, signals};

/// What the loop needs of a terminal; a test gives it one without a terminal behind it.
pub(super) trait Screen {
    /// Its size now.
    fn size(&mut self) -> io::Result<Rect>;
    /// Shows a frame; only what differs from the last one is written.
    fn show(&mut self, frame: &Buffer) -> io::Result<()>;
    /// Forgets what is shown, so that the next frame is written whole.
    fn forget(&mut self) -> io::Result<()>;
    /// Takes or releases the mouse.
    fn mouse(&mut self, on: bool) -> io::Result<()>;
    /// Puts a text on the clipboard; `false` when it is too long.
    fn copy(&mut self, text: &str) -> io::Result<bool>;
    /// Gives the terminal back and asks the system to stop us, which happens a moment later.
    fn stop(&mut self) -> io::Result<()>;
    /// Takes the terminal, also after somebody else used it.
    fn retake(&mut self) -> io::Result<()>;
}

/// Shows a frame with a ratatui terminal.
pub(super) fn show_with<B>(terminal: &mut Terminal<B>, frame: &Buffer) -> io::Result<()>
where
    B: Backend,
    io::Error: From<B::Error>,
{
    terminal.draw(|target| {
        let buffer = target.buffer_mut();
        // The terminal may have changed its size since the frame was drawn; the next frame will fit.
        if buffer.area() == frame.area() {
            buffer.content.clone_from_slice(&frame.content);
        }
    })?;
    Ok(())
}

/// Buttons and wheel only: crossterm's own command also asks for every movement of the mouse, which would cost traffic over
/// ssh and wake the program for nothing.
#[derive(Debug, Clone, Copy)]
struct TakeMouse;

impl Sequence for TakeMouse {
    fn write_ansi(&self, f: &mut impl std::fmt::Write) -> std::fmt::Result {
        f.write_str("\x1b[?1000h\x1b[?1006h")
    }
    #[cfg(windows)]
    fn execute_winapi(&self) -> io::Result<()> {
        crossterm::event::EnableMouseCapture.execute_winapi()
    }
}

#[derive(Debug, Clone, Copy)]
struct ReleaseMouse;

impl Sequence for ReleaseMouse {
    fn write_ansi(&self, f: &mut impl std::fmt::Write) -> std::fmt::Result {
        f.write_str("\x1b[?1006l\x1b[?1000l")
    }
    #[cfg(windows)]
    fn execute_winapi(&self) -> io::Result<()> {
        crossterm::event::DisableMouseCapture.execute_winapi()
    }
}

/// The real terminal. While it lives the terminal is ours; when it is dropped, also by a panic, the terminal is itself
/// again.
pub(super) struct Tty {
    /// Never dropped: ratatui's own way back tells standard error when the terminal is gone, and panics when that is gone too.
    /// What it would do, `leave` has done.
    terminal: ManuallyDrop<Terminal<CrosstermBackend<BufWriter<Stdout>>>>,
    ours: bool,
    mouse: bool,
}

impl Tty {
    /// Takes the terminal.
    pub(super) fn enter(mouse: bool, depth: ColorDepth) -> io::Result<Self> {
        // Left to itself crossterm minds `NO_COLOR` even when a flag asks for colours; who decides is decided already.
        crossterm::style::force_color_output(depth != ColorDepth::Mono);
        let writer = BufWriter::with_capacity(64 * 1024, io::stdout());
        let terminal = Terminal::new(CrosstermBackend::new(writer))?;
        let mut tty = Self { terminal: ManuallyDrop::new(terminal), ours: false, mouse };
        tty.take()?;
        Ok(tty)
    }

    /// Where sequences of our own go: before and after what ratatui writes, through the same buffer.
    fn out(&mut self) -> &mut impl Write {
        self.terminal.backend_mut()
    }

    fn take(&mut self) -> io::Result<()> {
        // Before the first step: if a later one fails, what was done is undone.
        self.ours = true;
        enable_raw_mode()?;
        let mouse = self.mouse;
        let out = self.out();
        queue!(out, EnterAlternateScreen, Hide, EnableBracketedPaste)?;
        if mouse {
            queue!(out, TakeMouse)?;
        }
        out.flush()?;
        self.wipe()
    }

    /// Clears the screen and forgets what it showed. Not `Terminal::clear`: that asks the terminal where its cursor is and waits
    /// for the answer, which a slow connection delays and some terminals never give.
    fn wipe(&mut self) -> io::Result<()> {
        let size = self.size()?;
        self.terminal.resize(size)
    }

    /// Gives the terminal back. Every step is tried whatever became of the one before, since the terminal may be gone; once is
    /// enough, and twice does no harm.
    pub(super) fn leave(&mut self) {
        if !std::mem::take(&mut self.ours) {
            return;
        }
        // Raw mode first: if nothing can be written any more, at least the keys work.
        let _ = disable_raw_mode();
        let out = self.out();
        let _ = queue!(
            out,
            EndSynchronizedUpdate,
            ReleaseMouse,
            DisableBracketedPaste,
            LeaveAlternateScreen,
            Show
        );
        let _ = out.flush();
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Screen for Tty {
    fn size(&mut self) -> io::Result<Rect> {
        let size = self.terminal.size()?;
        Ok(Rect::new(0, 0, size.width, size.height))
    }

    fn show(&mut self, frame: &Buffer) -> io::Result<()> {
        queue!(self.out(), BeginSynchronizedUpdate)?;
        let shown = show_with(&mut self.terminal, frame);
        queue!(self.out(), EndSynchronizedUpdate)?;
        self.out().flush()?;
        shown
    }

    fn forget(&mut self) -> io::Result<()> {
        self.wipe()
    }

    fn mouse(&mut self, on: bool) -> io::Result<()> {
        self.mouse = on;
        let out = self.out();
        if on {
            queue!(out, TakeMouse)?;
        } else {
            queue!(out, ReleaseMouse)?;
        }
        out.flush()
    }

    fn copy(&mut self, text: &str) -> io::Result<bool> {
        let Some(sequence) = clipboard::sequence(text) else { return Ok(false) };
        let out = self.out();
        out.write_all(sequence.as_bytes())?;
        out.flush()?;
        Ok(true)
    }

    fn stop(&mut self) -> io::Result<()> {
        self.leave();
        signals::stop_here()
    }

    fn retake(&mut self) -> io::Result<()> {
        // The shell may have set its own modes while we were stopped; crossterm believes ours are still on.
        let _ = disable_raw_mode();
        self.take()
    }
}
