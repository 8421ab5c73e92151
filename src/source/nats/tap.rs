//! Listens to the messages of channels that were asked for, while the probe level is `tap` and a guard allows it.
//!
//! A subscription is interest, and interest changes what others see: with it, a request that nobody serves waits for its time-out
//! instead of failing at once. So each tap is guarded: of a stream it listens only while the stream is there to take the messages,
//! of a bare subject only while somebody else listens to the same. [`guard`] asks before listening and every second after it; what
//! may never be listened to says [`forbidden`]. [`book`] counts and tells what is heard, [`inboxes`] knows who sent it, [`answers`] pairs
//! requests with their answers.
//!
//! What was asked for outlives a connection and a change of level.

mod answers;
mod book;
mod forbidden;
mod guard;
pub(super) mod inboxes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::Subscriber;
use futures_util::future::join_all;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use self::answers::Answers;
use self::book::{Book, Ear};
use self::guard::{Guard, Target, Verdict};
use super::acks;
use super::api::Api;
use super::desk::{Desk, locked};
use super::options::NatsOptions;
use super::poll::Link;
use crate::model::command::ProbeLevel;
use crate::model::id::{ChannelId, Name};
use crate::model::observation::{Notice, NoticeKind, Observation};
use crate::model::senders::SenderKey;
use crate::model::tap::{TapReport, TapState};
use crate::model::time::{Mono, Timestamp};
use crate::source::redact::Watched;
use crate::source::{BATCH_EVERY, Clock};

/// The guard looks this often.
const GUARD_EVERY: Duration = Duration::from_secs(1);
/// What this user may not listen to is tried again after this.
const RETRY_DENIED: Duration = Duration::from_secs(30);
/// Counts are told this often.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// Channels that may be asked for at a time.
const MOST_TAPS: usize = 32;

const BELOW: &str = "it is listened to at the probe level tap";
const NO_CONNECTION: &str = "there is no connection; it is listened to again when there is one";
const NOT_LOOKED: &str = "the guard has not looked yet";
const NOT_ASKED: &str = "it is no longer asked for";
const TOO_MANY: &str = "32 channels are tapped already; end another one first";

/// When the guard allowed something.
#[derive(Clone, Copy)]
struct Since {
    end: u64,
    looked: Mono,
}

/// The channels that were asked for.
pub(super) struct Taps {
    asked: Mutex<BTreeMap<ChannelId, Tap>>,
    /// The guard is to look now.
    look: Notify,
    /// Something is asked for that was not.
    more: Notify,
    /// Counts the moments at which all listening ended: what was allowed before one is not allowed after it.
    ends: Mutex<u64>,
    sensitive: Watched,
    inbox_prefix: Option<String>,
    answers: Arc<Answers>,
}

/// One of them.
struct Tap {
    target: Target,
    book: Arc<Mutex<Book>>,
    /// By subject.
    listening: BTreeMap<String, Listening>,
    state: TapState,
    why: Name,
    since: Timestamp,
    /// It has been listened to since it was asked for.
    heard_once: bool,
    /// The guard does not look before.
    not_before: Mono,
    told: Option<(TapReport, Mono)>,
}

/// A listening task and its subscription; both end with this.
struct Listening {
    task: acks::tap::Listening,
    sid: Option<u64>,
}

/// The number of a subscription, as the client counts them. It shows it only in its debug text; what cannot be found there is
/// unknown, and then an overflow is counted for the source alone.
fn sid(subscriber: &Subscriber) -> Option<u64> {
    let text = format!("{subscriber:?}");
    let (_, rest) = text.split_once("sid: ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

impl Tap {
    fn new(target: Target, now: Timestamp) -> Self {
        Self {
            target,
            book: Arc::default(),
            listening: BTreeMap::new(),
            state: TapState::Asked,
            why: NOT_LOOKED.into(),
            since: now,
            heard_once: false,
            not_before: Mono::default(),
            told: None,
        }
    }

    /// It is a subject on which requests may come, and it is listened to.
    fn hears_requests(&self) -> bool {
        matches!(self.target, Target::Subject(_)) && self.state == TapState::Listening
    }

    fn goes(&mut self, state: TapState, why: &str, now: Timestamp) {
        if self.state != state {
            self.since = now;
            self.state = state;
        }
        if *self.why != *why {
            self.why = why.into();
        }
        self.heard_once |= state == TapState::Listening;
    }

    /// Ends listening.
    fn stop(&mut self, why: &str, now: Timestamp) {
        self.listening.clear();
        let state = if self.heard_once { TapState::Ended } else { TapState::Asked };
        self.goes(state, why, now);
    }

    fn report(&self, channel: &ChannelId) -> TapReport {
        let book = locked(&self.book);
        TapReport {
            channel: channel.clone(),
            subjects: self.listening.keys().map(|subject| subject.as_str().into()).collect(),
            state: self.state,
            why: Arc::clone(&self.why),
            since: self.since,
            heard: book.heard(),
            told: book.told(),
            dropped: book.dropped(),
        }
    }

    /// Hands over what was heard, and how it goes if that is news.
    fn tell(&mut self, channel: &ChannelId, desk: &Desk) {
        let (heard, waiting) = locked(&self.book).take();
        desk.heard(heard);
        let senders = locked(&self.book).take_senders();
        let named = senders
            .into_iter()
            .map(|((name, by), messages)| (SenderKey { channel: channel.clone(), name, by }, messages));
        desk.tell_sends(named.collect());
        let mut told = 0;
        for (at, message) in waiting {
            told += u64::from(desk.tell_heard(at, message));
        }
        locked(&self.book).add_told(told);
        let now = desk.clock().now();
        if self
            .told
            .as_ref()
            .is_some_and(|(last, at)| now.mono.since(*at) < TELL_EVERY && !self.differs(last))
        {
            return;
        }
        let report = self.report(channel);
        if self.told.as_ref().is_none_or(|(last, _)| *last != report) {
            desk.observe(now, Observation::Tap(Box::new(report.clone())));
            self.told = Some((report, now.mono));
        }
    }

    /// Whether it goes otherwise than it was told, whatever was counted since.
    fn differs(&self, told: &TapReport) -> bool {
        let subjects = self.listening.keys().map(String::as_str);
        (told.state, &told.why) != (self.state, &self.why) || !subjects.eq(told.subjects.iter().map(|s| &**s))
    }
}

impl Taps {
    pub(super) fn new(options: &NatsOptions, clock: Clock) -> Self {
        Self {
            asked: Mutex::default(),
            look: Notify::new(),
            more: Notify::new(),
            ends: Mutex::new(0),
            sensitive: options.sensitive.clone(),
            inbox_prefix: options.inbox_prefix.clone(),
            answers: Answers::new(clock),
        }
    }

    /// A channel is asked for, or no longer. One of another source is not ours.
    pub(super) fn ask(&self, desk: &Desk, channel: &ChannelId, on: bool) {
        let Some(target) = Target::of(channel, desk.source()) else { return };
        let now = desk.clock().now().wall;
        let mut taps = locked(&self.asked);
        if !on {
            if let Some(mut tap) = taps.remove(channel) {
                tap.listening.clear();
                tap.goes(TapState::Ended, NOT_ASKED, now);
                tap.tell(channel, desk);
            }
            if taps.is_empty() {
                self.answers.stop();
                self.tell_calls(desk);
            }
        } else if let Some(tap) = taps.get_mut(channel) {
            tap.not_before = Mono::default();
        } else {
            let mut tap = Tap::new(target, now);
            if taps.len() >= MOST_TAPS {
                tap.goes(TapState::Refused, TOO_MANY, now);
                tap.tell(channel, desk);
                return;
            }
            tap.tell(channel, desk);
            taps.insert(channel.clone(), tap);
            self.more.notify_one();
        }
        drop(taps);
        self.look.notify_one();
    }

    /// Ends all listening at once.
    fn stop(&self, desk: &Desk, why: &str) {
        *locked(&self.ends) += 1;
        self.answers.stop();
        self.tell_calls(desk);
        let now = desk.clock().now().wall;
        for (channel, tap) in locked(&self.asked).iter_mut() {
            tap.stop(why, now);
            tap.not_before = Mono::default();
            tap.tell(channel, desk);
        }
    }

    /// The connection is gone.
    pub(super) fn interrupted(&self, desk: &Desk) {
        self.stop(desk, NO_CONNECTION);
    }

    /// Something was said of a stream: if it is gone or changed, the guard looks at once.
    pub(super) fn notice(&self, notice: &Notice) {
        let about = matches!(notice.kind, NoticeKind::Deleted | NoticeKind::Changed);
        let tapped = |channel: &ChannelId| locked(&self.asked).contains_key(channel);
        if about && notice.consumer.is_none() && notice.channel.as_ref().is_some_and(tapped) {
            self.look.notify_one();
        }
    }

    /// The server does not let us listen to this subject; whether that is one of ours.
    pub(super) fn denied(&self, desk: &Desk, subject: &str) -> bool {
        let now = desk.clock().now();
        let mut ours = false;
        for tap in locked(&self.asked).values_mut().filter(|tap| tap.listening.contains_key(subject)) {
            tap.listening.clear();
            let why = format!("permission denied to subscribe to {subject}; allow this user to");
            tap.goes(TapState::Refused, &why, now.wall);
            tap.not_before = now.mono + RETRY_DENIED;
            ours = true;
        }
        ours || self.answers.denied(subject)
    }

    /// Tells what was learnt of requests and their answers.
    fn tell_calls(&self, desk: &Desk) {
        let (calls, heard) = self.answers.close(desk.round_trip());
        desk.heard(heard);
        desk.tell_calls(calls);
    }

    /// A message for this subscription was lost, because we were too slow.
    pub(super) fn overflowed(&self, sid: u64) {
        for tap in locked(&self.asked).values() {
            if tap.listening.values().any(|one| one.sid == Some(sid)) {
                locked(&tap.book).drop_one();
            }
        }
        self.answers.overflowed(sid);
    }

    /// Listens to what may be listened to, while the connection lasts.
    pub(super) async fn run(
        &self,
        api: &Api<'_>,
        level: watch::Receiver<ProbeLevel>,
        link: watch::Receiver<Link>,
    ) {
        let telling = async {
            let mut ticks = tokio::time::interval(BATCH_EVERY);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                if locked(&self.asked).is_empty() {
                    self.more.notified().await;
                }
                ticks.tick().await;
                locked(&self.asked).iter_mut().for_each(|(channel, tap)| tap.tell(channel, api.desk));
                self.tell_calls(api.desk);
            }
        };
        tokio::select! {
            () = self.watch(api, level, link) => {}
            () = telling => {}
        }
    }

    async fn watch(
        &self,
        api: &Api<'_>,
        mut level: watch::Receiver<ProbeLevel>,
        mut link: watch::Receiver<Link>,
    ) {
        loop {
            let wanted = *level.borrow_and_update() >= ProbeLevel::Tap;
            let up = *link.borrow_and_update() != Link::Down;
            if !wanted || !up {
                self.stop(api.desk, if wanted { NO_CONNECTION } else { BELOW });
            }
            // Both senders outlive this.
            let changed = async {
                tokio::select! {
                    changed = level.changed() => drop(changed),
                    changed = link.changed() => drop(changed),
                }
            };
            let looking = async {
                if wanted && up && !locked(&self.asked).is_empty() {
                    let began = Instant::now();
                    self.round(api).await;
                    tokio::select! {
                        () = sleep_until(began + GUARD_EVERY) => {}
                        () = self.look.notified() => {}
                    }
                } else {
                    self.look.notified().await;
                }
            };
            tokio::select! {
                biased;
                () = changed => {}
                () = looking => {}
            }
        }
    }

    /// The guard looks at every tap; each goes its own way at once.
    async fn round(&self, api: &Api<'_>) {
        let now = api.desk.clock().now().mono;
        let due: Vec<(ChannelId, Target)> = {
            let taps = locked(&self.asked);
            let due = taps.iter().filter(|(_, tap)| tap.not_before <= now);
            due.map(|(channel, tap)| (channel.clone(), tap.target.clone())).collect()
        };
        let guard = Guard { api, inbox_prefix: self.inbox_prefix.as_deref() };
        join_all(due.iter().map(|(channel, target)| async {
            let end = *locked(&self.ends);
            match guard.judge(target).await {
                Verdict::Listen { subjects, while_ } => {
                    self.listen(api, channel, subjects, &while_, Since { end, looked: now }).await;
                }
                Verdict::No { state, why } => self.refuse(api.desk, channel, state, &why),
            }
        }))
        .await;
        if locked(&self.asked).values().any(Tap::hears_requests) {
            self.answers.round(api, &guard).await;
        } else {
            self.answers.stop();
        }
    }

    /// It may not be listened to, or no longer.
    fn refuse(&self, desk: &Desk, channel: &ChannelId, state: Option<TapState>, why: &str) {
        let now = desk.clock().now().wall;
        if let Some(tap) = locked(&self.asked).get_mut(channel) {
            tap.listening.clear();
            let ended = if tap.heard_once { TapState::Ended } else { TapState::Refused };
            tap.goes(state.unwrap_or(ended), why, now);
            tap.tell(channel, desk);
        }
    }

    /// What was asked for, if what was allowed then still is: listening has not ended, and the server has denied nothing.
    fn still<'t>(
        &self,
        taps: &'t mut BTreeMap<ChannelId, Tap>,
        channel: &ChannelId,
        since: Since,
    ) -> Option<&'t mut Tap> {
        taps.get_mut(channel).filter(|tap| *locked(&self.ends) == since.end && tap.not_before <= since.looked)
    }

    /// Listens to these subjects and no others.
    async fn listen(
        &self,
        api: &Api<'_>,
        channel: &ChannelId,
        subjects: BTreeSet<String>,
        while_: &str,
        since: Since,
    ) {
        let desk = api.desk;
        let new: Vec<String> = {
            let mut taps = locked(&self.asked);
            let Some(tap) = self.still(&mut taps, channel, since) else { return };
            locked(&tap.book).listens_to(&subjects);
            tap.listening.retain(|subject, one| subjects.contains(subject) && !one.task.0.is_finished());
            subjects.into_iter().filter(|subject| !tap.listening.contains_key(subject)).collect()
        };
        for subject in new {
            // Only fails when the client has ended.
            let Ok(subscriber) = api.wire.client().subscribe(subject.clone()).await else { return };
            let mut taps = locked(&self.asked);
            let Some(tap) = self.still(&mut taps, channel, since) else { return };
            let ear = Ear {
                subject: subject.clone(),
                channel: channel.clone(),
                book: Arc::clone(&tap.book),
                clock: desk.clock(),
                sensitive: self.sensitive.clone(),
                inboxes: desk.inboxes(),
                answers: matches!(tap.target, Target::Subject(_)).then(|| Arc::clone(&self.answers)),
            };
            let sid = sid(&subscriber);
            let task = acks::tap::Listening(tokio::spawn(ear.listen(subscriber)));
            tap.listening.insert(subject, Listening { task, sid });
        }
        let now = desk.clock().now().wall;
        let mut taps = locked(&self.asked);
        if let Some(tap) = self.still(&mut taps, channel, since) {
            let answers =
                if matches!(tap.target, Target::Subject(_)) { self.answers.words() } else { String::new() };
            tap.goes(TapState::Listening, &format!("{while_}{answers}"), now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_number_of_a_subscription_is_found() {
        // Nobody is there: the client subscribes when it connects.
        let options = async_nats::ConnectOptions::new().retry_on_initial_connect();
        let client = options.connect("nats://127.0.0.1:1").await.unwrap();
        let first = sid(&client.subscribe("a").await.unwrap());
        let second = sid(&client.subscribe("b").await.unwrap());
        assert!(first.is_some() && second > first, "{first:?} {second:?}");
    }
}
