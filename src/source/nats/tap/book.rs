//! What is heard on one channel: all of it counted, and as much told as a person can read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_nats::{HeaderMap, Message, Subscriber};
use futures_util::StreamExt;

use super::answers::Answers;
use super::inboxes::Inboxes;
use crate::model::id::{ChannelId, Name};
use crate::model::senders::SentBy;
use crate::model::subject::{covers, overlap};
use crate::model::tap::HeardMessage;
use crate::model::time::{Mono, Stamp};
use crate::source::Clock;
use crate::source::nats::desk::locked;
use crate::source::redact::{self, Sensitive, Watched};

/// Messages of one channel that are told per second in the long run, and at once.
const MESSAGES: f64 = 200.0;
/// Bytes of their payloads.
const BYTES: f64 = 4.0 * 1024.0 * 1024.0;
/// Messages that are taken in at a time.
const AT_A_TIME: usize = 256;
/// The header by which CloudEvents name their source.
const CE_SOURCE: &str = "ce-source";
/// How the address begins to which a delivered message is acknowledged: it asks for no answer.
const ACK: &str = "$JS.ACK.";
/// The longest name of a source that is told.
const LONGEST_NAME: usize = 256;
/// Senders of one channel that are told apart between two batches.
const MOST_SENDERS: usize = 256;

/// The counts of one channel since it was asked for, and what waits to be told.
#[derive(Default)]
pub(super) struct Book {
    heard: u64,
    told: u64,
    dropped: u64,
    /// Of those heard, not yet counted as load.
    uncounted: u64,
    waiting: Vec<(Stamp, HeardMessage)>,
    /// Who sent those heard, not yet told.
    senders: Senders,
    /// By subject, those before it that share messages with it: the server sends each of them a copy.
    shared: BTreeMap<String, Vec<String>>,
    room: Option<Room>,
}

/// Messages by sender.
pub(super) type Senders = BTreeMap<(Name, SentBy), u64>;

/// How much may be told.
struct Room {
    at: Mono,
    messages: f64,
    bytes: f64,
}

impl Book {
    /// Which subscriptions there are from now on.
    pub(super) fn listens_to(&mut self, subjects: &BTreeSet<String>) {
        let before = |one: &String| {
            let before = subjects.iter().take_while(|other| *other < one);
            before.filter(|other| overlap(other, one)).cloned().collect::<Vec<_>>()
        };
        let shared = subjects.iter().map(|one| (one.clone(), before(one)));
        self.shared = shared.filter(|(_, before)| !before.is_empty()).collect();
    }

    /// Whether a message that came by one subscription comes by another too, and is taken in there.
    fn comes_twice(&self, by: &str, subject: &str) -> bool {
        self.shared.get(by).is_some_and(|before| before.iter().any(|other| covers(other, subject)))
    }

    /// Counts a message; its number if it is to be told.
    fn count(&mut self, now: Mono, bytes: usize) -> Option<u64> {
        self.heard += 1;
        self.uncounted += 1;
        let room = self.room.get_or_insert(Room { at: now, messages: MESSAGES, bytes: BYTES });
        let passed = now.since(room.at).as_secs_f64();
        room.at = now;
        room.messages = (room.messages + passed * MESSAGES).min(MESSAGES);
        room.bytes = (room.bytes + passed * BYTES).min(BYTES);
        if room.messages < 1.0 || room.bytes <= 0.0 {
            return None;
        }
        room.messages -= 1.0;
        // One that is larger than all there is takes what comes after it too.
        room.bytes -= bytes as f64;
        Some(self.heard)
    }

    /// Counts a message of a sender.
    fn sent(&mut self, name: &Name, by: SentBy) {
        if self.senders.len() < MOST_SENDERS || self.senders.contains_key(&(name.clone(), by)) {
            *self.senders.entry((name.clone(), by)).or_default() += 1;
        }
    }

    /// What was heard since this was last asked: how many, and what is to be told of it.
    pub(super) fn take(&mut self) -> (u64, Vec<(Stamp, HeardMessage)>) {
        (std::mem::take(&mut self.uncounted), std::mem::take(&mut self.waiting))
    }

    /// Who sent what was heard since this was last asked.
    pub(super) fn take_senders(&mut self) -> Senders {
        std::mem::take(&mut self.senders)
    }

    pub(super) fn add_told(&mut self, messages: u64) {
        self.told += messages;
    }

    pub(super) fn drop_one(&mut self) {
        self.dropped += 1;
    }

    pub(super) fn heard(&self) -> u64 {
        self.heard
    }

    pub(super) fn told(&self) -> u64 {
        self.told
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// Takes in the messages of one subscription, in a task of its own.
pub(super) struct Ear {
    pub channel: ChannelId,
    /// What it is subscribed to.
    pub subject: String,
    pub book: Arc<Mutex<Book>>,
    pub clock: Clock,
    pub sensitive: Watched,
    pub inboxes: Arc<Mutex<Arc<Inboxes>>>,
    /// Who pairs requests with their answers, where requests may come.
    pub answers: Option<Arc<Answers>>,
}

impl Ear {
    pub(super) async fn listen(self, subscriber: Subscriber) {
        let mut chunks = subscriber.ready_chunks(AT_A_TIME);
        while let Some(chunk) = chunks.next().await {
            let sensitive = self.sensitive.now();
            let inboxes = Arc::clone(&locked(&self.inboxes));
            for message in chunk {
                let now = self.clock.now();
                let number = {
                    let mut book = locked(&self.book);
                    if book.comes_twice(&self.subject, &message.subject) {
                        continue;
                    }
                    book.count(now.mono, message.payload.len())
                };
                let reply = message.reply.as_deref().filter(|reply| !reply.starts_with(ACK));
                if let (Some(answers), Some(reply)) = (&self.answers, reply) {
                    answers.asked(&message.subject, reply, &inboxes, now.mono);
                }
                let sender = sender(&message, &inboxes, &sensitive);
                let heard = number.map(|number| self.read(&message, number, now, &sensitive, sender.clone()));
                let mut book = locked(&self.book);
                // Who asks on a bare subject is no source of what is sent there: it is told with the requests.
                let asks = self.answers.is_some() && reply.is_some();
                if let Some((name, by)) = sender.filter(|_| !asks) {
                    book.sent(&name, by);
                }
                book.waiting.extend(heard.map(|heard| (now, heard)));
            }
        }
    }

    fn read(
        &self,
        message: &Message,
        number: u64,
        now: Stamp,
        sensitive: &Sensitive,
        sender: Option<(Name, SentBy)>,
    ) -> HeardMessage {
        let reply = message.reply.as_deref().unwrap_or_default();
        let (headers, hidden) = message
            .headers
            .as_ref()
            .map_or_else(Default::default, |headers| redact::headers(in_order(headers), sensitive));
        let mut payload = redact::payload(&message.payload, sensitive);
        payload.redacted.extend(hidden);
        let publisher_by = sender.as_ref().map_or("", |(_, by)| by.word());
        HeardMessage {
            channel: self.channel.clone(),
            number,
            at: now.wall,
            subject: message.subject.as_str().into(),
            publisher_by: publisher_by.into(),
            publisher: sender.map(|(name, _)| name),
            asks: !reply.is_empty() && !reply.starts_with(ACK),
            // The client counts the two addresses too.
            bytes: message.length.saturating_sub(message.subject.len() + reply.len()) as u64,
            headers,
            payload,
        }
    }
}

/// Headers by their names: the client keeps no order.
fn in_order(headers: &HeaderMap) -> Vec<(&str, &str)> {
    let all = headers
        .iter()
        .flat_map(|(name, values)| values.iter().map(move |value| (name.as_ref(), value.as_str())));
    let mut all: Vec<(&str, &str)> = all.collect();
    // Of one name, the values keep the order in which they came.
    all.sort_by_key(|(name, _)| *name);
    all
}

/// Who sent a message, and by what that is known.
fn sender(message: &Message, inboxes: &Inboxes, sensitive: &Sensitive) -> Option<(Name, SentBy)> {
    let whose = message.reply.as_deref().and_then(|reply| inboxes.whose(reply));
    if let Some(name) = whose {
        return Some((name, SentBy::ReplyInbox));
    }
    let headers = in_order(message.headers.as_ref()?);
    let source = headers.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(CE_SOURCE))?;
    // What may not be told of it, may not be told as a name either.
    let (told, _) = redact::headers([source], sensitive);
    let (_, source) = told.into_iter().next()?;
    let known = !source.is_empty() && *source != *redact::MARK;
    let name = || source.chars().take(LONGEST_NAME).collect::<String>().into();
    known.then(|| (name(), SentBy::EventSource))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(book: &mut Book, messages: u64, bytes: usize, from: u64, over_ns: u64) -> Vec<u64> {
        (0..messages).filter_map(|n| book.count(Mono(from + n * over_ns / messages), bytes)).collect()
    }

    #[test]
    fn all_is_counted_and_a_part_is_told_with_its_number() {
        let second = 1_000_000_000;
        let mut book = Book::default();
        let first = told(&mut book, 150, 10, 0, second);
        assert_eq!(first, (1..=150).collect::<Vec<_>>(), "what a person can read is told whole");
        let flood = told(&mut book, 100_000, 10, second, 10 * second);
        assert!((2_000..=2_250).contains(&flood.len()), "{}", flood.len());
        assert!(flood.last().is_some_and(|last| *last > 100_000), "they are spread over the whole time");
        assert_eq!((book.heard(), book.take().0), (100_150, 100_150));
    }

    #[test]
    fn a_message_that_comes_by_two_subscriptions_is_taken_in_by_one() {
        let mut book = Book::default();
        let subjects = ["a.*.c", "a.b.*", "d.>"].map(str::to_owned);
        book.listens_to(&subjects.clone().into());
        for subject in ["a.b.c", "a.x.c", "a.b.x", "d.e"] {
            let fits = subjects.iter().filter(|one| covers(one, subject));
            assert_eq!(fits.filter(|one| !book.comes_twice(one, subject)).count(), 1, "{subject}");
        }
        book.listens_to(&["a.b.*".to_owned()].into());
        assert!(!book.comes_twice("a.b.*", "a.b.c"), "the other is no longer listened to");
    }

    #[test]
    fn large_messages_are_told_less_often() {
        let mut book = Book::default();
        let large = told(&mut book, 100, 1024 * 1024, 0, 10_000_000_000);
        assert!((40..=46).contains(&large.len()), "{}", large.len());
        let huge = told(&mut Book::default(), 2, 64 * 1024 * 1024, 0, 0);
        assert_eq!(huge, [1], "one that is larger than the whole room is told once");
    }
}
