//! Listens to the answers to requests that are heard on tapped subjects, so that each request and its answer are a pair.
//!
//! Clients wait for their answers at one address for all their requests, which they keep for as long as they are connected
//! (`_INBOX.<unique>.*`). Only such an address is listened to, only of a requester that was heard just now, and only while the
//! list of connections shows, every second, that it is still there. Never `_INBOX.>`: who listens at an inbox receives what was
//! meant for a puller that has just died, and burns a delivery attempt of each message. So an inbox at which anything shows that
//! messages are pulled there is never listened to again.
//!
//! The answer of a requester that waits elsewhere cannot be heard: its requests count as not followed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::{Message, StatusCode, Subscriber};
use futures_util::StreamExt;
use futures_util::future::join_all;
use serde::Deserialize;

use super::guard::Guard;
use super::inboxes::Inboxes;
use super::{RETRY_DENIED, sid};
use crate::model::calls::{CallKey, Calls};
use crate::model::id::Name;
use crate::model::subject::covers;
use crate::model::time::Mono;
use crate::source::Clock;
use crate::source::calls::CallBook;
use crate::source::fold::fold;
use crate::source::nats::acks::tap::Listening;
use crate::source::nats::api::Api;
use crate::source::nats::desk::locked;
use crate::source::nats::lenient::one_line;
use crate::source::nats::wire::Failure;

/// Inboxes that are listened to at a time: each is looked for every second.
const MOST_INBOXES: usize = 16;
/// An inbox for which no request was heard for so long makes room for another.
const IDLE: Duration = Duration::from_secs(60);
/// Messages that are taken in at a time.
const AT_A_TIME: usize = 256;
/// Names that are told.
const NAMES: usize = 3;

/// Requests, their answers, and the inboxes to which these come. Shared with the tasks that listen.
pub(super) struct Answers {
    clock: Clock,
    state: Mutex<State>,
}

struct State {
    book: CallBook,
    /// By what is subscribed to: `_INBOX.<unique>.*`.
    inboxes: BTreeMap<String, Inbox>,
    /// Messages that came there, not yet counted as load.
    uncounted: u64,
}

struct Inbox {
    /// Who awaits answers there.
    name: Option<Name>,
    hearing: Hearing,
    /// The last request whose answer goes there.
    last: Mono,
}

enum Hearing {
    /// A request was heard, and nobody has looked yet.
    Wanted,
    /// It is listened to. Not `certain`: the server may not know it yet, and an answer may have passed.
    On {
        _task: Listening,
        sid: Option<u64>,
        certain: bool,
    },
    /// Messages are pulled there, or it may not be listened to before this.
    Never,
    Denied(Mono),
}

impl Hearing {
    const fn is_certain(&self) -> bool {
        matches!(self, Self::On { certain: true, .. })
    }
}

/// What came to an inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    Answer {
        failed: bool,
    },
    /// The broker confirms that it stored a message: what was sent was no request.
    Confirmation,
    /// A message of a stream, or what a pull is told.
    Pulled,
}

impl Answers {
    pub(super) fn new(clock: Clock) -> Arc<Self> {
        let book = CallBook::new(clock.now().mono);
        Arc::new(Self { clock, state: Mutex::new(State { book, inboxes: BTreeMap::new(), uncounted: 0 }) })
    }

    /// A request was heard on a tapped subject.
    pub(super) fn asked(&self, subject: &str, reply: &str, inboxes: &Inboxes, now: Mono) {
        let name = inboxes.whose(reply);
        let mut state = locked(&self.state);
        let mut followed = false;
        if let Some(inbox) = inboxes.kept(reply) {
            if let Some(known) = state.inboxes.get_mut(inbox) {
                known.last = now;
                followed = known.hearing.is_certain();
            } else if state.inboxes.len() < MOST_INBOXES {
                let wanted = Inbox { name: name.clone(), hearing: Hearing::Wanted, last: now };
                state.inboxes.insert(inbox.to_owned(), wanted);
            }
        }
        let key = CallKey { subject: fold(subject).into(), requester: name };
        state.book.asked(reply, key, followed, now);
    }

    /// What was learnt since this was last asked, and how many messages came for it.
    pub(super) fn close(&self, error: Duration) -> (Calls, u64) {
        let mut state = locked(&self.state);
        state.book.set_error(error);
        let calls = state.book.close(self.clock.now().mono);
        (calls, std::mem::take(&mut state.uncounted))
    }

    /// Ends all listening; what is under way is not followed to its end.
    pub(super) fn stop(&self) {
        let mut state = locked(&self.state);
        state.inboxes.retain(|_, inbox| matches!(inbox.hearing, Hearing::Never | Hearing::Denied(_)));
        state.book.lose("");
    }

    /// The server does not let us listen to this inbox; whether it is one of ours.
    pub(super) fn denied(&self, subject: &str) -> bool {
        let again = self.clock.now().mono + RETRY_DENIED;
        let mut state = locked(&self.state);
        let Some(inbox) = state.inboxes.get_mut(subject) else { return false };
        inbox.hearing = Hearing::Denied(again);
        state.book.lose(stem(subject));
        true
    }

    /// A message for this subscription was lost: which answer it was is not known.
    pub(super) fn overflowed(&self, sid: u64) {
        let mut state = locked(&self.state);
        let of = |inbox: &Inbox| matches!(&inbox.hearing, Hearing::On { sid: own, .. } if *own == Some(sid));
        let lost: Vec<String> =
            state.inboxes.iter().filter(|(_, inbox)| of(inbox)).map(|(subject, _)| subject.clone()).collect();
        lost.iter().for_each(|subject| state.book.lose(stem(subject)));
    }

    /// Whose answers are heard, and whose not, for whoever asks why; empty where nobody was heard to ask.
    pub(super) fn words(&self) -> String {
        let state = locked(&self.state);
        let names = |which: fn(&Hearing) -> bool| {
            let names = state.inboxes.values().filter(|inbox| which(&inbox.hearing));
            let names: BTreeSet<String> = names
                .map(|inbox| inbox.name.as_deref().map_or_else(|| "somebody without a name".into(), one_line))
                .collect();
            let more = names.len().saturating_sub(NAMES);
            let shown: Vec<String> = names.into_iter().take(NAMES).collect();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            (!shown.is_empty()).then(|| format!("{}{more}", shown.join(", ")))
        };
        let heard = names(|hearing| matches!(hearing, Hearing::On { .. }))
            .map(|names| format!("; answers to {names} are heard, while they are connected"));
        let pulled = names(|hearing| matches!(hearing, Hearing::Never))
            .map(|names| format!("; answers to {names} are not: messages of streams are pulled there too"));
        let denied = names(|hearing| matches!(hearing, Hearing::Denied(_))).map(|names| {
            format!("; answers to {names} are not: permission denied to subscribe to their inboxes")
        });
        [heard, pulled, denied].into_iter().flatten().collect()
    }

    /// Looks for every inbox: listens to those that are there, and to no other any more.
    pub(super) async fn round(self: &Arc<Self>, api: &Api<'_>, guard: &Guard<'_>) {
        let now = self.clock.now().mono;
        let due: Vec<(String, bool)> = {
            let mut state = locked(&self.state);
            let idle: Vec<String> = state
                .inboxes
                .iter()
                .filter(|(_, inbox)| {
                    now.since(inbox.last) >= IDLE && !matches!(inbox.hearing, Hearing::Never)
                })
                .map(|(subject, _)| subject.clone())
                .collect();
            for subject in idle {
                state.forget(&subject);
            }
            let due = state.inboxes.iter().filter_map(|(subject, inbox)| match inbox.hearing {
                Hearing::Wanted => Some((subject.clone(), false)),
                Hearing::On { .. } => Some((subject.clone(), true)),
                Hearing::Denied(until) => (now >= until).then(|| (subject.clone(), false)),
                Hearing::Never => None,
            });
            due.collect()
        };
        join_all(due.iter().map(|(subject, listens)| self.look(api, guard, subject, *listens))).await;
    }

    /// Looks for one. What is asked after subscribing is answered after it: then the server knows that we listen.
    async fn look(self: &Arc<Self>, api: &Api<'_>, guard: &Guard<'_>, subject: &str, listens: bool) {
        // It is as well to be deaf as to be a listener whom nobody guards.
        if !guard.awaits(subject).await.is_ok_and(|there| there) {
            return locked(&self.state).forget(subject);
        }
        if listens {
            return self.is_certain(subject);
        }
        // Only fails when the client has ended.
        let Ok(subscriber) = api.wire.client().subscribe(subject.to_owned()).await else { return };
        self.began(subject, subscriber);
        if guard.awaits(subject).await.is_ok_and(|there| there) {
            self.is_certain(subject);
        } else {
            locked(&self.state).forget(subject);
        }
    }

    fn is_certain(&self, subject: &str) {
        if let Some(Inbox { hearing: Hearing::On { certain, .. }, .. }) =
            locked(&self.state).inboxes.get_mut(subject)
        {
            *certain = true;
        }
    }

    /// Listens, unless it was ended meanwhile.
    fn began(self: &Arc<Self>, subject: &str, subscriber: Subscriber) {
        if let Some(inbox) = locked(&self.state).inboxes.get_mut(subject) {
            let sid = sid(&subscriber);
            let task = Arc::clone(self).listen(subscriber, subject.to_owned());
            inbox.hearing = Hearing::On { _task: Listening(tokio::spawn(task)), sid, certain: false };
        }
    }

    async fn listen(self: Arc<Self>, subscriber: Subscriber, inbox: String) {
        let mut chunks = subscriber.ready_chunks(AT_A_TIME);
        while let Some(chunk) = chunks.next().await {
            let now = self.clock.now().mono;
            let mut state = locked(&self.state);
            for message in chunk {
                state.uncounted += 1;
                match came(&message, &inbox) {
                    Came::Answer { failed } => state.book.answered(&message.subject, failed, now),
                    Came::Confirmation => state.book.was_none(&message.subject),
                    Came::Pulled => {
                        state.book.lose(stem(&inbox));
                        if let Some(known) = state.inboxes.get_mut(&inbox) {
                            // Ends this task too.
                            known.hearing = Hearing::Never;
                        }
                        return;
                    }
                }
            }
        }
    }
}

impl State {
    fn forget(&mut self, subject: &str) {
        self.inboxes.remove(subject);
        self.book.lose(stem(subject));
    }
}

/// What all addresses of an inbox begin with.
fn stem(inbox: &str) -> &str {
    inbox.trim_end_matches(['*', '>'])
}

/// What a message that came to an inbox is.
fn came(message: &Message, inbox: &str) -> Came {
    let acknowledged = message.reply.as_deref().is_some_and(|reply| reply.starts_with("$JS.ACK."));
    // A message of a stream keeps its own subject.
    if acknowledged || !covers(inbox, &message.subject) {
        return Came::Pulled;
    }
    match message.status {
        None => {}
        Some(StatusCode::NO_RESPONDERS) => return Came::Answer { failed: true },
        // Heartbeats, "no messages", "request expired": what pulls are told.
        Some(_) => return Came::Pulled,
    }
    let error = |name: &str| message.headers.as_ref().is_some_and(|headers| headers.get(name).is_some());
    let failed = error("Nats-Service-Error") || error("Nats-Service-Error-Code");
    if !failed && is_confirmation(&message.payload) {
        return Came::Confirmation;
    }
    Came::Answer { failed }
}

/// Whether this is what JetStream answers to a publisher, and nothing else (nats-server, `JSPubAckResponse`).
fn is_confirmation(payload: &[u8]) -> bool {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "that they are there is all that is asked")]
    struct Confirmed {
        stream: String,
        seq: u64,
        #[serde(default)]
        domain: String,
        #[serde(default)]
        duplicate: bool,
        #[serde(default)]
        val: String,
        #[serde(default)]
        batch: String,
        #[serde(default)]
        count: u64,
    }
    serde_json::from_slice::<Confirmed>(payload).is_ok()
}

impl Guard<'_> {
    /// Whether another program still awaits answers at this inbox.
    async fn awaits(&self, inbox: &str) -> Result<bool, Failure> {
        let others = self.others(inbox).await?;
        Ok(others.iter().any(|(theirs, _)| theirs == inbox))
    }
}

#[cfg(test)]
mod tests {
    use async_nats::HeaderMap;

    use super::*;

    const INBOX: &str = "_INBOX.AAAAAAAAAAAA1111111111.*";

    fn message(subject: &str, reply: Option<&str>, payload: &'static str) -> Message {
        Message {
            subject: subject.into(),
            reply: reply.map(Into::into),
            payload: payload.into(),
            headers: None,
            status: None,
            description: None,
            length: 0,
        }
    }

    #[test]
    fn answers_are_told_from_what_else_comes_to_an_inbox() {
        let answer = message("_INBOX.AAAAAAAAAAAA1111111111.1", None, "{\"stream\":\"ORDERS\"}");
        assert_eq!(came(&answer, INBOX), Came::Answer { failed: false });
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Service-Error-Code", "500");
        let refused = Message { headers: Some(headers), ..answer.clone() };
        assert_eq!(came(&refused, INBOX), Came::Answer { failed: true });
        let none = Message { status: Some(StatusCode::NO_RESPONDERS), ..answer.clone() };
        assert_eq!(came(&none, INBOX), Came::Answer { failed: true });
        let stored = Message { payload: "{\"stream\":\"ORDERS\",\"seq\":7}".into(), ..answer.clone() };
        assert_eq!(came(&stored, INBOX), Came::Confirmation);
        let timeout = Message { status: Some(StatusCode::TIMEOUT), ..answer.clone() };
        assert_eq!(came(&timeout, INBOX), Came::Pulled);
        let pulled = message("orders.created", Some("$JS.ACK.ORDERS.billing.1.1.1.5.0"), "{}");
        assert_eq!(came(&pulled, INBOX), Came::Pulled);
    }
}
