//! Panics on any thread, while the terminal is not itself.
//!
//! A panic must not print into the alternate screen, and a program of which a part has died must not go on looking alive. So while the screen
//! is shown the hook only writes the report down and wakes the screen, which ends in the usual way: the terminal is
//! restored, child processes are stopped, the report is printed last. Nothing has to end the process from inside a hook.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt::Write as _;
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, Once, PoisonError};

use tokio::sync::Notify;

/// How many screens are shown (in one process: none or one; in tests more).
static WATCHING: AtomicUsize = AtomicUsize::new(0);
static REPORT: Mutex<Option<String>> = Mutex::new(None);
static BROKEN: LazyLock<Arc<Notify>> = LazyLock::new(|| Arc::new(Notify::new()));
static INSTALL: Once = Once::new();

/// While this lives, panics are written down instead of printed.
pub(super) struct Watch(());

#[allow(clippy::unused_self, reason = "panics are written down only while somebody watches")]
impl Watch {
    pub(super) fn begin() -> Self {
        INSTALL.call_once(|| {
            let usual = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                if WATCHING.load(Ordering::SeqCst) == 0 {
                    usual(info);
                } else {
                    write_down(info);
                }
            }));
        });
        WATCHING.fetch_add(1, Ordering::SeqCst);
        Self(())
    }

    /// Woken when something has panicked.
    pub(super) fn broken(&self) -> Arc<Notify> {
        Arc::clone(&BROKEN)
    }

    /// What was written down, if anything panicked.
    pub(super) fn report(&self) -> Option<String> {
        REPORT.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        WATCHING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Runs inside the hook: it must not panic, and it must not write to the terminal.
fn write_down(info: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let mut text = format!("thread '{}' {info}", thread.name().unwrap_or("unnamed"));
    let trace = Backtrace::capture();
    if trace.status() == BacktraceStatus::Captured {
        let _ = write!(text, "\n{trace}");
    }
    // Only the first: what panics after it is a consequence.
    REPORT.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(text);
    BROKEN.notify_one();
}
