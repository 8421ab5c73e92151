//! Signals that end, stop and continue the program.

use std::io;

/// A signal that asks to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    Hangup,
    Interrupt,
    Quit,
    Terminate,
}

impl Signal {
    /// Its number, the same on every Unix.
    pub const fn number(self) -> u8 {
        match self {
            Self::Hangup => 1,
            Self::Interrupt => 2,
            Self::Quit => 3,
            Self::Terminate => 15,
        }
    }
}

/// What a signal asks of the loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    End(Signal),
    /// Stop, as ctrl-z does.
    Stop,
    /// Continued by somebody: the terminal may have been used meanwhile.
    Continued,
}

#[cfg(unix)]
mod unix {
    use super::{Asked, Signal, io};
    use tokio::signal::unix::{self, SignalKind};

    pub(in super::super) struct Signals {
        hangup: unix::Signal,
        interrupt: unix::Signal,
        quit: unix::Signal,
        terminate: unix::Signal,
        stop: unix::Signal,
        cont: unix::Signal,
    }

    /// Linux, macOS and the BSDs differ in these numbers; rustix knows them.
    fn kind(signal: rustix::process::Signal) -> SignalKind {
        SignalKind::from_raw(signal.as_raw())
    }

    impl Signals {
        pub(in super::super) fn listen() -> io::Result<Self> {
            Ok(Self {
                hangup: unix::signal(SignalKind::hangup())?,
                interrupt: unix::signal(SignalKind::interrupt())?,
                quit: unix::signal(SignalKind::quit())?,
                terminate: unix::signal(SignalKind::terminate())?,
                stop: unix::signal(kind(rustix::process::Signal::TSTP))?,
                cont: unix::signal(kind(rustix::process::Signal::CONT))?,
            })
        }

        /// The next signal. Safe to be dropped while waiting.
        pub(in super::super) async fn next(&mut self) -> Asked {
            tokio::select! {
                biased;
                _ = self.terminate.recv() => Asked::End(Signal::Terminate),
                _ = self.hangup.recv() => Asked::End(Signal::Hangup),
                _ = self.interrupt.recv() => Asked::End(Signal::Interrupt),
                _ = self.quit.recv() => Asked::End(Signal::Quit),
                _ = self.stop.recv() => Asked::Stop,
                _ = self.cont.recv() => Asked::Continued,
            }
        }
    }

    /// Asks the system to stop this process and those started with it (a wrapper, a pipeline), as ctrl-z in a terminal
    /// does. `SIGSTOP` and not `SIGTSTP`: that one is ours to handle and would only come back here.
    pub(in super::super) fn stop_here() -> io::Result<()> {
        rustix::process::kill_current_process_group(rustix::process::Signal::STOP)?;
        Ok(())
    }
}

#[cfg(not(unix))]
mod other {
    use super::{Asked, Signal, io};

    pub(in super::super) struct Signals(());

    impl Signals {
        pub(in super::super) fn listen() -> io::Result<Self> {
            Ok(Self(()))
        }

        pub(in super::super) async fn next(&mut self) -> Asked {
            let _ = tokio::signal::ctrl_c().await;
            Asked::End(Signal::Interrupt)
        }
    }

    pub(in super::super) fn stop_here() -> io::Result<()> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no job control"))
    }
}

#[cfg(not(unix))]
pub(super) use other::{Signals, stop_here};
#[cfg(unix)]
pub(super) use unix::{Signals, stop_here};
