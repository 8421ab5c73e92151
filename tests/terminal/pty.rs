//! A program in a pseudo-terminal: what it writes, what the screen then shows, which modes the terminal is in.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};

/// Long enough for a loaded machine; nothing waits this long when all is well.
const DEADLINE: Duration = Duration::from_secs(30);

fn some(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).unwrap()
}

struct Output {
    raw: Vec<u8>,
    screen: vt100::Parser,
}

pub struct Session {
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    output: Arc<Mutex<Output>>,
}

impl Session {
    /// Starts the test named `program` of this very test binary, as a program of its own, in a terminal of its own.
    pub fn start(program: &str, environment: &[(&str, &str)], rows: u16, cols: u16) -> Self {
        let size = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
        command.args([program, "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
        for name in ["NO_COLOR", "COLORTERM", "LC_ALL", "LC_CTYPE", "RUST_BACKTRACE"] {
            command.env_remove(name);
        }
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        for (name, value) in environment {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let output = Arc::new(Mutex::new(Output {
            raw: Vec::new(),
            screen: vt100::Parser::new(some(rows), some(cols), 0),
        }));
        let mut reader = pair.master.try_clone_reader().unwrap();
        let sink = Arc::clone(&output);
        std::thread::spawn(move || {
            let mut bytes = [0; 8192];
            while let Ok(n @ 1..) = reader.read(&mut bytes) {
                let mut output = sink.lock().unwrap();
                output.raw.extend_from_slice(&bytes[..n]);
                output.screen.process(&bytes[..n]);
            }
        });
        let keys = pair.master.take_writer().unwrap();
        Self { master: pair.master, child, keys, output }
    }

    pub fn keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    fn pid(&self) -> Pid {
        let id = self.child.process_id().unwrap();
        Pid::from_raw(i32::try_from(id).unwrap()).unwrap()
    }

    pub fn resize(&self, rows: u16, cols: u16) {
        self.output.lock().unwrap().screen.screen_mut().set_size(some(rows), some(cols));
        self.master.resize(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).unwrap();
    }

    /// What the screen shows.
    pub fn text(&self) -> String {
        self.output.lock().unwrap().screen.screen().contents()
    }

    pub fn with_screen<T>(&self, look: impl FnOnce(&vt100::Screen) -> T) -> T {
        look(self.output.lock().unwrap().screen.screen())
    }

    /// Everything that was written to the terminal.
    pub fn raw(&self) -> String {
        String::from_utf8_lossy(&self.output.lock().unwrap().raw).into_owned()
    }

    /// Waits until nothing has been written for a while.
    pub fn until_quiet(&self, quiet: Duration) {
        let written = || self.output.lock().unwrap().raw.len();
        let start = Instant::now();
        let (mut before, mut since) = (written(), Instant::now());
        while since.elapsed() < quiet {
            assert!(start.elapsed() < DEADLINE, "it never falls silent; the screen:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(10));
            if written() != before {
                (before, since) = (written(), Instant::now());
            }
        }
    }

    /// Waits until something holds; says what was on the screen if it does not.
    pub fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !holds(self) {
            assert!(start.elapsed() < DEADLINE, "waited in vain for {what}; the screen:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn until_text(&self, text: &str) {
        self.until(text, |session| session.text().contains(text));
    }

    /// Whether the terminal is in the mode in which programs take single keys.
    pub fn takes_single_keys(&self) -> bool {
        // Read from the terminal itself: bytes alone do not tell.
        let flags = format!("{:?}", self.master.get_termios().unwrap().local_flags);
        !flags.contains("ICANON") && !flags.contains("ECHO ")
    }

    /// The state letter that the system has for the process; `T` is stopped.
    pub fn state(&self) -> String {
        let id = self.child.process_id().unwrap().to_string();
        let output = std::process::Command::new("ps").args(["-o", "state=", "-p", &id]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Waits for the end and returns the exit code.
    pub fn exit_code(&mut self) -> u32 {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(start.elapsed() < DEADLINE, "it did not end; the screen:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn assert_on_screen(&self) {
        self.until("the alternate screen", |s| s.with_screen(vt100::Screen::alternate_screen));
        self.until("raw mode", Session::takes_single_keys);
        assert!(self.with_screen(vt100::Screen::hide_cursor), "the cursor is hidden");
    }

    pub fn assert_restored(&self) {
        self.until("the main screen", |s| !s.with_screen(vt100::Screen::alternate_screen));
        self.until("the cursor", |s| !s.with_screen(vt100::Screen::hide_cursor));
        self.until("line mode", |s| !s.takes_single_keys());
        self.with_screen(|screen| {
            assert!(!screen.bracketed_paste(), "bracketed paste is left on");
            assert_eq!(
                screen.mouse_protocol_mode(),
                vt100::MouseProtocolMode::None,
                "the mouse is left taken"
            );
        });
        let raw = self.raw();
        assert!(
            raw.rfind("\x1b[?2026l") > raw.rfind("\x1b[?2026h"),
            "the terminal is left holding back output"
        );
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}
