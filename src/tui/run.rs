//! The loop: wait for something, let the state machine take it, draw if a visible cell would change.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossterm::event::Event;
use futures_util::stream::{Stream, StreamExt};
use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use tokio::sync::{Notify, mpsc, watch};

use crate::app::map::Laid;
use crate::app::{App, Effect, Input, Moment, Said};
use crate::model::command::Command;
use crate::model::snapshot::Snapshot;
use crate::model::time::Timestamp;
use crate::ui;

use super::input::{self, Clicks};
use super::mapper::Mapper;
use super::screen::Screen;
use super::signals::{Asked, Signals};
use super::{ExitReason, Look, MAX_FPS, save};

/// So long apart are two looks at what the sources tell: more often than this nobody can read a number that changes. What the
/// person does is shown at once.
const NEWS: Duration = Duration::from_millis(250);

/// Between two frames of what moves by itself on the map.
const MOTION: Duration = Duration::from_millis(84);

/// Ages on screen are in seconds.
const TICK: Duration = Duration::from_secs(1);

/// Signals as the loop sees them; a test has its own.
pub(super) trait SignalSource {
    async fn next(&mut self) -> Asked;
}

impl SignalSource for Signals {
    async fn next(&mut self) -> Asked {
        Signals::next(self).await
    }
}

/// Everything that the loop holds.
pub(super) struct Loop {
    app: App,
    look: Look,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    commands: mpsc::Sender<Command>,
    broken: Arc<Notify>,
    latest: Arc<Snapshot>,
    /// Whether nobody publishes snapshots any more.
    orphaned: bool,
    /// The last frame that was shown.
    shown: Buffer,
    dirty: bool,
    /// Somebody wants us to stop, as ctrl-z does.
    stop_wanted: bool,
    started: Instant,
    last_frame: Option<Instant>,
    last_news: Option<Instant>,
    clicks: Clicks,
    mapper: Mapper,
    /// Where messages are saved: the working directory.
    folder: PathBuf,
    /// Frames that were really written, for tests and curiosity.
    frames: u64,
}

impl Loop {
    pub(super) fn new(
        app: App,
        look: Look,
        mut snapshots: watch::Receiver<Arc<Snapshot>>,
        commands: mpsc::Sender<Command>,
        broken: Arc<Notify>,
    ) -> Self {
        let latest = Arc::clone(&snapshots.borrow_and_update());
        Self {
            app,
            look,
            snapshots,
            commands,
            broken,
            latest,
            orphaned: false,
            shown: Buffer::default(),
            dirty: true,
            stop_wanted: false,
            started: Instant::now(),
            last_frame: None,
            last_news: None,
            clicks: Clicks::default(),
            mapper: Mapper::start(),
            folder: PathBuf::new(),
            frames: 0,
        }
    }

    /// Runs until the person leaves.
    pub(super) async fn run<S, E, G>(
        mut self,
        screen: &mut S,
        mut events: E,
        mut signals: G,
    ) -> io::Result<ExitReason>
    where
        S: Screen,
        E: Stream<Item = io::Result<Event>> + Unpin,
        G: SignalSource,
    {
        let broken = Arc::clone(&self.broken);
        self.app.sync(&self.latest, self.now());
        loop {
            if std::mem::take(&mut self.stop_wanted)
                && let Some(reason) = self.stop(screen, &mut signals).await?
            {
                return Ok(reason);
            }
            let now = Instant::now();
            if self.wake_at().is_some_and(|at| at <= now) {
                self.app.sync(&self.latest, self.now());
                self.dirty = true;
            }
            let motion_at = self.last_frame.filter(|_| self.app.moves()).map(|at| at + MOTION);
            self.dirty |= motion_at.is_some_and(|at| at <= now);
            self.ask_for_picture();
            let gap = Duration::from_secs(1) / MAX_FPS;
            let frame_at = self.last_frame.map_or(now, |at| at + gap);
            if self.dirty && now >= frame_at {
                if let Err(error) = self.draw(screen) {
                    return hung_up_or(error);
                }
                continue;
            }
            let listens = !self.app.is_paused() && !self.orphaned;
            let news_at = self.last_news.map(|at| at + NEWS).filter(|at| listens && *at > now);
            let listening = listens && news_at.is_none();
            let deadline = [self.dirty.then_some(frame_at), self.wake_at(), news_at, motion_at];
            let deadline = deadline.into_iter().flatten().min();
            tokio::select! {
                biased;
                () = broken.notified() => return Ok(ExitReason::Panicked(String::new())),
                asked = signals.next() => match asked {
                    Asked::End(signal) => return Ok(ExitReason::Signal(signal)),
                    Asked::Stop => self.stop_wanted = true,
                    Asked::Continued => {
                        screen.retake()?;
                        self.redraw();
                    }
                },
                event = events.next() => {
                    let mut event = event;
                    // All that is there already, before anything is drawn: a held key must not queue up frames.
                    loop {
                        match event {
                            None => return Ok(ExitReason::HungUp),
                            Some(Err(error)) => return hung_up_or(error),
                            Some(Ok(event)) => {
                                if let Some(reason) = self.take(event, screen)? {
                                    return Ok(reason);
                                }
                            }
                        }
                        match ready(&mut events).await {
                            Some(next) => event = next,
                            None => break,
                        }
                    }
                },
                changed = self.snapshots.changed(), if listening => match changed {
                    Ok(()) => self.take_snapshot(),
                    Err(_) => self.orphaned = true,
                },
                laid = self.mapper.next() => self.take_picture(laid),
                () = sleep_until(deadline) => {}
            }
        }
    }

    fn now(&self) -> Moment {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = Timestamp(i64::try_from(wall.as_nanos()).unwrap_or(i64::MAX));
        Moment { wall, mono: self.started.elapsed() }
    }

    /// When the screen changes though nothing is pressed and nothing new is told. `None`: not at all.
    fn wake_at(&self) -> Option<Instant> {
        let change = self.app.next_change().map(|at| self.started + at);
        let tick = (!self.app.is_paused()).then(|| self.last_frame.map(|at| at + TICK)).flatten();
        [change, tick].into_iter().flatten().min()
    }

    fn ask_for_picture(&mut self) {
        if let Some(request) = self.app.picture_wanted()
            && let Some(laid) = self.mapper.ask(request)
        {
            self.take_picture(laid);
        }
    }

    fn take_picture(&mut self, laid: Laid) {
        let now = self.now();
        self.app.update(Input::Laid(laid), &self.latest, now);
        self.dirty = true;
    }

    fn take_snapshot(&mut self) {
        self.latest = Arc::clone(&self.snapshots.borrow_and_update());
        self.last_news = Some(Instant::now());
        let now = self.now();
        self.app.sync(&self.latest, now);
        self.app.pursue(&self.latest).into_iter().for_each(|command| self.send(command));
        self.dirty = true;
    }

    fn take<S: Screen>(&mut self, event: Event, screen: &mut S) -> io::Result<Option<ExitReason>> {
        let Some(input) = input::translate(event, self.app.layer(), &mut self.clicks, Instant::now()) else {
            return Ok(None);
        };
        let was_paused = self.app.is_paused();
        let now = self.now();
        let effect = self.app.update(input, &self.latest, now);
        self.dirty = true;
        if was_paused && !self.app.is_paused() {
            // Nobody listened while paused.
            self.take_snapshot();
        }
        match effect {
            Some(Effect::Quit) => Ok(Some(ExitReason::Quit)),
            Some(effect) => {
                self.perform(effect, screen)?;
                Ok(None)
            }
            None => Ok(None),
        }
    }

    fn perform<S: Screen>(&mut self, effect: Effect, screen: &mut S) -> io::Result<()> {
        match effect {
            Effect::Quit => {}
            Effect::Command(command) => self.send(command),
            Effect::Commands(commands) => commands.into_iter().for_each(|command| self.send(command)),
            Effect::Copy(text) => {
                let first = text.lines().next().unwrap_or_default();
                let said = if screen.copy(&text)? {
                    Said::done(format!("copied: {first}"))
                } else {
                    Said::failed("cannot copy: too long for a terminal's clipboard")
                };
                self.say(said);
            }
            Effect::Export(name) => {
                let said = match self.export(&name) {
                    Ok(path) => Said::done(format!("written: {}", path.display())),
                    Err(error) => Said::failed(format!("cannot write the screen: {error}")),
                };
                self.say(said);
            }
            Effect::Save { stem, at, extension, bytes, note } => {
                let said = match self.save(&stem, at, extension, &bytes) {
                    Ok(path) if note.is_empty() => Said::done(format!("written: {}", path.display())),
                    Ok(path) => Said::done(format!("written: {}; {note}", path.display())),
                    Err(error) => Said::failed(format!("cannot write the message: {error}")),
                };
                self.say(said);
            }
            Effect::Suspend => self.stop_wanted = true,
            Effect::Redraw => {
                screen.forget()?;
                self.redraw();
            }
            Effect::Mouse(on) => screen.mouse(on)?,
        }
        Ok(())
    }

    fn say(&mut self, said: Said) {
        let now = self.now();
        self.app.update(Input::Say(said), &self.latest, now);
        self.dirty = true;
    }

    fn send(&mut self, command: Command) {
        if let Err(error) = self.commands.try_send(command) {
            let why = match error {
                mpsc::error::TrySendError::Full(_) => "the sources are busy; try again",
                mpsc::error::TrySendError::Closed(_) => "nobody listens any more",
            };
            self.say(Said::failed(format!("not done: {why}")));
        }
    }

    /// Gives the terminal back and stops; takes it again when somebody continues us.
    async fn stop<S: Screen, G: SignalSource>(
        &mut self,
        screen: &mut S,
        signals: &mut G,
    ) -> io::Result<Option<ExitReason>> {
        match screen.stop() {
            Ok(()) => loop {
                // That we were continued is told by the signal and not by `stop` returning: the system stops a process
                // of several threads a moment after it was asked to.
                match signals.next().await {
                    Asked::Continued => break,
                    Asked::Stop => {}
                    Asked::End(signal) => return Ok(Some(ExitReason::Signal(signal))),
                }
            },
            Err(error) => self.say(Said::failed(format!("cannot stop: {error}"))),
        }
        screen.retake()?;
        self.redraw();
        Ok(None)
    }

    /// Writes the screen as text into a new file of the working directory; never over another file.
    fn export(&self, name: &str) -> io::Result<PathBuf> {
        let at = jiff::Timestamp::now().to_zoned(self.zone());
        let path = PathBuf::from(format!("{name}-{}.txt", at.strftime("%Y%m%d-%H%M%S")));
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
        io::Write::write_all(&mut file, ui::to_text(&self.shown).as_bytes())?;
        Ok(path)
    }

    /// Writes a message's payload into a new file of the working directory that its owner alone may read.
    fn save(&self, stem: &str, at: Timestamp, extension: &str, bytes: &[u8]) -> io::Result<PathBuf> {
        let at = jiff::Timestamp::from_nanosecond(i128::from(at.0)).unwrap_or_default().to_zoned(self.zone());
        save::create(&self.folder, &format!("{stem}-{}", at.strftime("%Y%m%d-%H%M%S")), extension, bytes)
    }

    fn zone(&self) -> TimeZone {
        if self.app.utc() { TimeZone::UTC } else { self.look.zone.clone() }
    }

    fn redraw(&mut self) {
        self.shown = Buffer::default();
        self.dirty = true;
    }

    fn draw<S: Screen>(&mut self, screen: &mut S) -> io::Result<()> {
        let mut frame = Buffer::empty(screen.size()?);
        let zone = self.zone();
        let hits = ui::render(
            &mut frame,
            &ui::Ctx {
                app: &self.app,
                snapshot: self.app.snapshot(&self.latest),
                theme: &self.look.theme,
                glyphs: self.look.glyphs,
                now: self.app.wall(self.now().wall),
                zone: &zone,
            },
        );
        self.app.drawn(hits);
        self.dirty = false;
        self.last_frame = Some(Instant::now());
        if frame != self.shown {
            screen.show(&frame)?;
            self.shown = frame;
            self.frames += 1;
        }
        Ok(())
    }
}

/// A terminal that cannot be written to or read from any more has gone away; anything else is an error.
fn hung_up_or(error: io::Error) -> io::Result<ExitReason> {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof | io::ErrorKind::NotConnected => {
            Ok(ExitReason::HungUp)
        }
        // EIO: the other end of a pseudo-terminal is closed.
        _ if error.raw_os_error() == Some(5) => Ok(ExitReason::HungUp),
        _ => Err(error),
    }
}

/// The next event if it is there already. Asked with the waker of this very task: crossterm's stream remembers the first one that it
/// sees, and with any other a key would later wake nobody.
async fn ready<E: Stream + Unpin>(events: &mut E) -> Option<Option<E::Item>> {
    std::future::poll_fn(|context| match events.poll_next_unpin(context) {
        Poll::Ready(event) => Poll::Ready(Some(event)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
