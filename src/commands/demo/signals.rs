//! Signals that ask the demo to end, heard from the start: what it has made must be removed before.

use std::io;

use tokio::sync::watch;

/// Remembers the first signal.
pub(super) struct Signals {
    code: watch::Receiver<Option<u8>>,
}

impl Signals {
    /// Listens from now on, on the current runtime; the default action no longer happens.
    pub(super) fn listen() -> io::Result<Self> {
        let (tell, code) = watch::channel(None);
        let next = next_signal()?;
        tokio::spawn(async move {
            let code = next.await;
            tell.send_replace(Some(code));
            // Waiting for a signal that was heard must never find nobody there.
            tell.closed().await;
        });
        Ok(Self { code })
    }

    /// The exit code that a signal asks for, when one has come: 128 + its number.
    pub(super) fn heard(&self) -> Option<u8> {
        *self.code.borrow()
    }

    /// Waits for a signal.
    pub(super) async fn wait(&mut self) -> u8 {
        match self.code.wait_for(Option::is_some).await {
            Ok(code) => code.unwrap_or(128),
            Err(_) => std::future::pending().await,
        }
    }
}

#[cfg(unix)]
fn next_signal() -> io::Result<impl Future<Output = u8>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangup = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut quit = signal(SignalKind::quit())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = hangup.recv() => 129,
            _ = interrupt.recv() => 130,
            _ = quit.recv() => 131,
            _ = terminate.recv() => 143,
        }
    })
}

#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps)]
fn next_signal() -> io::Result<impl Future<Output = u8>> {
    Ok(async {
        match tokio::signal::ctrl_c().await {
            Ok(()) => 130,
            Err(_) => std::future::pending().await,
        }
    })
}
