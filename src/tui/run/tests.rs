//! The loop over a terminal that only remembers.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use futures_util::stream;
use ratatui::layout::Rect;

use super::*;
use crate::app::Options;
use crate::theme::{Glyphs, Theme};
use crate::tui::Signal;

#[derive(Default)]
struct Seen {
    /// How often the loop looked at the screen, whether it then showed something or not.
    looks: Cell<usize>,
    frames: RefCell<Vec<String>>,
    log: RefCell<Vec<String>>,
    size: Cell<(u16, u16)>,
    fails: Cell<Option<i32>>,
}

struct Fake(Rc<Seen>);

impl Screen for Fake {
    fn size(&mut self) -> io::Result<Rect> {
        self.0.looks.set(self.0.looks.get() + 1);
        let (width, height) = self.0.size.get();
        Ok(Rect::new(0, 0, width, height))
    }
    fn show(&mut self, frame: &Buffer) -> io::Result<()> {
        if let Some(code) = self.0.fails.get() {
            return Err(io::Error::from_raw_os_error(code));
        }
        self.0.frames.borrow_mut().push(ui::to_text(frame));
        Ok(())
    }
    fn forget(&mut self) -> io::Result<()> {
        self.0.log.borrow_mut().push("forget".to_owned());
        Ok(())
    }
    fn mouse(&mut self, on: bool) -> io::Result<()> {
        self.0.log.borrow_mut().push(format!("mouse {on}"));
        Ok(())
    }
    fn copy(&mut self, text: &str) -> io::Result<bool> {
        self.0.log.borrow_mut().push(format!("copy {text}"));
        Ok(text.len() < 100)
    }
    fn stop(&mut self) -> io::Result<()> {
        self.0.log.borrow_mut().push("stop".to_owned());
        Ok(())
    }
    fn retake(&mut self) -> io::Result<()> {
        self.0.log.borrow_mut().push("retake".to_owned());
        Ok(())
    }
}

struct FakeSignals(mpsc::UnboundedReceiver<Asked>);

impl SignalSource for FakeSignals {
    async fn next(&mut self) -> Asked {
        match self.0.recv().await {
            Some(asked) => asked,
            None => std::future::pending().await,
        }
    }
}

/// What the test holds while the loop runs.
struct Hands {
    seen: Rc<Seen>,
    keys: mpsc::UnboundedSender<io::Result<Event>>,
    signals: mpsc::UnboundedSender<Asked>,
    publish: watch::Sender<Arc<Snapshot>>,
    commands: mpsc::Receiver<Command>,
    broken: Arc<Notify>,
}

impl Hands {
    // Methods where a field would do: an async block that names only a field takes only that and drops the rest.

    fn signal(&self, asked: Asked) {
        self.signals.send(asked).unwrap();
    }

    fn input_fails(&self, code: i32) {
        self.keys.send(Err(io::Error::from_raw_os_error(code))).unwrap();
    }

    fn something_panics(&self) {
        self.broken.notify_one();
    }

    fn key(&self, code: KeyCode) {
        self.keys.send(Ok(Event::Key(KeyEvent::new(code, KeyModifiers::NONE)))).unwrap();
    }

    fn keys(&self, text: &str) {
        text.chars().for_each(|c| self.key(KeyCode::Char(c)));
    }

    fn screen(&self) -> String {
        self.seen.frames.borrow().last().cloned().unwrap_or_default()
    }

    /// Lets the loop go on until something holds.
    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..3_000 {
            if holds(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("waited in vain for {what}; the screen:\n{}", self.screen());
    }

    async fn until_text(&self, text: &str) {
        self.until(text, |hands| hands.screen().contains(text)).await;
    }
}

/// Runs the loop beside a test.
fn with_loop<F>(test: impl FnOnce(Hands) -> F) -> io::Result<ExitReason>
where
    F: Future<Output = ()>,
{
    let (publish, snapshots) = watch::channel(Arc::new(Snapshot::empty(Timestamp(0))));
    let (command, commands) = mpsc::channel(4);
    let (keys, mut key) = mpsc::unbounded_channel();
    let (signals, signal) = mpsc::unbounded_channel();
    let broken = Arc::new(Notify::new());
    let seen = Rc::new(Seen { size: Cell::new((80, 24)), ..Seen::default() });
    let look = Look { theme: Theme::mono(), glyphs: Glyphs::Unicode, zone: TimeZone::UTC };
    let looping = Loop::new(App::new(Options::default()), look, snapshots, command, Arc::clone(&broken));
    let mut screen = Fake(Rc::clone(&seen));
    let events = stream::poll_fn(move |context| key.poll_recv(context));
    let hands = Hands { seen, keys, signals, publish, commands, broken };
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let (outcome, ()) = tokio::join!(looping.run(&mut screen, events, FakeSignals(signal)), test(hands));
        outcome
    })
}

fn named(system: &str) -> Arc<Snapshot> {
    let mut snapshot = Snapshot::empty(Timestamp(0));
    snapshot.system = Some(system.into());
    Arc::new(snapshot)
}

#[test]
fn snapshots_are_shown_and_q_leaves() {
    let outcome = with_loop(|hands| async move {
        hands.until_text("Starting").await;
        hands.publish.send_replace(named("first-store"));
        hands.until_text("first-store").await;
        hands.keys("q");
    });
    assert_eq!(outcome.unwrap(), ExitReason::Quit);
}

#[test]
fn signals_and_ends_of_input_leave() {
    let signal = |signal| with_loop(|hands| async move { hands.signal(Asked::End(signal)) });
    assert_eq!(signal(Signal::Terminate).unwrap(), ExitReason::Signal(Signal::Terminate));
    assert_eq!(signal(Signal::Hangup).unwrap().code(), 129);
    assert_eq!(with_loop(|hands| async move { drop(hands.keys) }).unwrap(), ExitReason::HungUp);
    let failing = |code| {
        with_loop(move |hands| async move {
            hands.input_fails(code);
        })
    };
    assert_eq!(failing(5).unwrap(), ExitReason::HungUp, "the terminal is gone");
    assert!(failing(12).is_err(), "anything else is told");
    let broken = with_loop(|hands| async move { hands.something_panics() });
    assert_eq!(broken.unwrap().code(), 101);
    let unwritable = with_loop(|hands| async move {
        hands.until_text("Starting").await;
        hands.seen.fails.set(Some(5));
        hands.publish.send_replace(named("never-seen"));
    });
    assert_eq!(unwritable.unwrap(), ExitReason::HungUp);
}

#[test]
fn stopped_it_waits_to_be_continued() {
    let outcome = with_loop(|hands| async move {
        hands.until_text("Starting").await;
        hands.keys.send(Ok(Event::Key(KeyEvent::new(KeyCode::Char('z'), KeyModifiers::CONTROL)))).unwrap();
        hands.until("the stop", |hands| hands.seen.log.borrow().contains(&"stop".to_owned())).await;
        let looks = hands.seen.looks.get();
        hands.publish.send_replace(named("while-stopped"));
        hands.keys("?");
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        assert_eq!(hands.seen.looks.get(), looks, "nothing is drawn into somebody else's terminal");
        hands.signal(Asked::Continued);
        hands.until_text("while-stopped").await;
        assert_eq!(*hands.seen.log.borrow(), ["stop", "retake"]);
        hands.keys("q");
        hands.keys("q");
    });
    assert_eq!(outcome.unwrap(), ExitReason::Quit);
}

#[test]
fn a_burst_of_keys_is_not_a_burst_of_frames() {
    let outcome = with_loop(|hands| async move {
        hands.until_text("Starting").await;
        let looks = hands.seen.looks.get();
        for _ in 0..500 {
            hands.keys("jk");
        }
        hands.keys("?");
        hands.until_text("help").await;
        assert!(hands.seen.looks.get() - looks <= 4, "{}", hands.seen.looks.get() - looks);
        hands.keys("qq");
    });
    assert_eq!(outcome.unwrap(), ExitReason::Quit);
}

#[test]
fn a_burst_of_news_is_not_a_burst_of_frames() {
    let reason = with_loop(|hands| async move {
        hands.publish.send(named("first")).unwrap();
        hands.until_text("first").await;
        let (begun, looks) = (Instant::now(), hands.seen.looks.get());
        for n in 0..60 {
            hands.publish.send(named(&format!("shop-{n}"))).unwrap();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // However slow the machine: one look for each span of time that passed, and one at either end.
        let most = begun.elapsed().as_millis() / NEWS.as_millis() + 2;
        let looked = hands.seen.looks.get() - looks;
        assert!(looked as u128 <= most, "{looked} looks, at most {most}");
        hands.until_text("shop-59").await;
        hands.keys("q");
    });
    assert_eq!(reason.unwrap(), ExitReason::Quit);
}

#[test]
fn the_same_again_is_not_written_again() {
    let outcome = with_loop(|hands| async move {
        hands.publish.send_replace(named("same-store"));
        hands.until_text("same-store").await;
        let looks = hands.seen.looks.get();
        let frames = hands.seen.frames.borrow().len();
        for _ in 0..5 {
            hands.publish.send_replace(named("same-store"));
            let before = hands.seen.looks.get();
            hands.until("a look", |hands| hands.seen.looks.get() > before).await;
        }
        assert!(hands.seen.looks.get() >= looks + 5);
        // The clock may have gone to the next minute meanwhile; nothing else differs.
        assert!(hands.seen.frames.borrow().len() <= frames + 1);
        hands.keys("q");
    });
    assert_eq!(outcome.unwrap(), ExitReason::Quit);
}

#[test]
fn paused_nothing_wakes_it_and_going_on_shows_the_newest() {
    let outcome = with_loop(|hands| async move {
        hands.publish.send_replace(named("before"));
        hands.until_text("before").await;
        hands.keys(" ");
        hands.until_text("PAUSED").await;
        let looks = hands.seen.looks.get();
        for n in 0..50 {
            hands.publish.send_replace(named(&format!("later-{n}")));
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        assert_eq!(hands.seen.looks.get(), looks, "not even once a second");
        hands.keys(" ");
        hands.until_text("later-49").await;
        hands.keys("q");
    });
    assert_eq!(outcome.unwrap(), ExitReason::Quit);
}

#[test]
fn effects_reach_the_outside() {
    let outcome = with_loop(|mut hands| async move {
        hands.until_text("Starting").await;
        hands.keys("M");
        hands.until("the mouse", |hands| hands.seen.log.borrow().contains(&"mouse true".to_owned())).await;
        hands.keys("r");
        assert_eq!(hands.commands.recv().await, Some(Command::Refresh));
        hands.commands.close();
        hands.keys("r");
        hands.until_text("not done: nobody listens any more").await;
        hands.keys("q");
    });
    assert_eq!(outcome.unwrap(), ExitReason::Quit);
}

#[test]
fn when_nobody_publishes_any_more_the_last_picture_stays() {
    let outcome = with_loop(|hands| async move {
        let Hands { seen, keys, signals, publish, commands, broken } = hands;
        publish.send_replace(named("last-words"));
        drop(publish);
        let (publish, _) = watch::channel(named("unused"));
        let hands = Hands { seen, keys, signals, publish, commands, broken };
        hands.until_text("last-words").await;
        hands.keys("?");
        hands.until_text("help").await;
        hands.keys("qq");
    });
    assert_eq!(outcome.unwrap(), ExitReason::Quit);
}

/// What was heard is written beside us, and where it is is said.
#[test]
fn a_message_is_saved_and_it_is_said_where() {
    let folder = tempfile::tempdir().unwrap();
    let (_publish, snapshots) = watch::channel(Arc::new(Snapshot::empty(Timestamp(0))));
    let (command, _commands) = mpsc::channel(4);
    let look = Look { theme: Theme::mono(), glyphs: Glyphs::Unicode, zone: TimeZone::UTC };
    let app = App::new(Options { utc: true, ..Options::default() });
    let mut looping = Loop::new(app, look, snapshots, command, Arc::default());
    looping.folder = folder.path().to_path_buf();
    let mut screen = Fake(Rc::default());
    let save = |note: &str| Effect::Save {
        stem: "headwater-ORDERS-17".to_owned(),
        at: Timestamp::from_millis(1_773_500_640_000),
        extension: "json",
        bytes: b"{}".to_vec(),
        note: note.to_owned(),
    };
    let said = |looping: &Loop| looping.app.said().unwrap().clone();
    looping.perform(save(""), &mut screen).unwrap();
    let path = folder.path().join("headwater-ORDERS-17-20260314-150400.json");
    assert_eq!(said(&looping), Said::done(format!("written: {}", path.display())));
    assert_eq!(std::fs::read(path).unwrap(), b"{}");
    looping.perform(save("sensitive fields are taken out"), &mut screen).unwrap();
    let second = folder.path().join("headwater-ORDERS-17-20260314-150400-2.json");
    let text = format!("written: {}; sensitive fields are taken out", second.display());
    assert_eq!(said(&looping), Said::done(text));
    looping.folder = folder.path().join("nowhere");
    looping.perform(save(""), &mut screen).unwrap();
    assert!(said(&looping).error && said(&looping).text.starts_with("cannot write the message: "));
}
