//! Pairs requests with their answers.
//!
//! The book hears both, perhaps in the wrong order: they come by different subscriptions, which are read side by side. What was
//! asked waits for its answer for [`PATIENCE`], what was answered before it was asked for [`EARLY`]; both wait in bounded
//! numbers, and what has no room counts as not followed.

use std::collections::HashMap;
use std::time::Duration;

use crate::model::calls::{CallKey, CallTally, Calls, PATIENCE};
use crate::model::observation::Span;
use crate::model::time::{Mono, nanos};
use crate::model::traffic::OTHER;

/// An answer waits so long for its request to be heard: the two are read by two tasks.
const EARLY: Duration = Duration::from_secs(1);
/// Requests, and early answers, that may wait.
const MOST_WAITING: usize = 65_536;
/// Requesters and subjects that are told apart in one batch.
const MOST_KEYS: usize = 1_000;

/// Requests whose fate is not known yet, and the tallies of those of which it is.
#[derive(Debug)]
pub struct CallBook {
    open: HashMap<String, Open>,
    /// What came and answers nothing that was heard: when, and whether it is an error.
    early: HashMap<String, (Mono, bool)>,
    tallies: Calls,
    error: Duration,
    since: Mono,
}

#[derive(Debug)]
struct Open {
    at: Mono,
    key: CallKey,
}

impl CallBook {
    /// An empty book, from `now` on.
    pub fn new(now: Mono) -> Self {
        Self {
            open: HashMap::new(),
            early: HashMap::new(),
            tallies: Calls::new(),
            error: Duration::ZERO,
            since: now,
        }
    }

    /// How much longer one message may be on its way to us than another.
    pub fn set_error(&mut self, error: Duration) {
        self.error = error;
    }

    /// A request was heard whose answer goes to the address `to`. `followed`: what comes to this address is heard.
    pub fn asked(&mut self, to: &str, key: CallKey, followed: bool, now: Mono) {
        if let Some((at, failed)) = self.early.remove(to) {
            self.pair(key, now, at, failed);
        } else if !followed || self.open.len() >= MOST_WAITING {
            self.tally(key).unfollowed += 1;
        } else if let Some(before) = self.open.insert(to.to_owned(), Open { at: now, key }) {
            // The same address for two requests: which one is answered is not known.
            self.tally(before.key).unfollowed += 1;
        }
    }

    /// Something came to the address `to`.
    pub fn answered(&mut self, to: &str, failed: bool, now: Mono) {
        if let Some(Open { at, key }) = self.open.remove(to) {
            self.pair(key, at, now, failed);
        } else if self.early.len() < MOST_WAITING {
            self.early.insert(to.to_owned(), (now, failed));
        }
    }

    /// What came to the address `to` was no answer: what was sent there was no request.
    pub fn was_none(&mut self, to: &str) {
        self.open.remove(to);
    }

    /// Answers to addresses that begin like this are not heard any more, or some were lost.
    pub fn lose(&mut self, prefix: &str) {
        let lost = self.open.extract_if(|to, _| to.starts_with(prefix));
        let lost: Vec<Open> = lost.map(|(_, open)| open).collect();
        for open in lost {
            self.tally(open.key).unfollowed += 1;
        }
    }

    /// The tallies since this was last asked, up to `now`.
    pub fn close(&mut self, now: Mono) -> Calls {
        let late: Vec<Open> = {
            let late = self.open.extract_if(|_, open| now.since(open.at) >= PATIENCE);
            late.map(|(_, open)| open).collect()
        };
        for open in late {
            self.tally(open.key).unanswered += 1;
        }
        self.early.retain(|_, (came, _)| now.since(*came) < EARLY);
        let span = Span { from: std::mem::replace(&mut self.since, now), to: now };
        let mut tallies = std::mem::take(&mut self.tallies);
        for tally in tallies.values_mut() {
            (tally.span, tally.error) = (span, self.error);
        }
        tallies
    }

    fn pair(&mut self, key: CallKey, asked: Mono, answered: Mono, failed: bool) {
        let tally = self.tally(key);
        // Before it was asked it was heard, not answered.
        tally.times.record(nanos(answered.since(asked)));
        tally.answered += 1;
        tally.failed += u64::from(failed);
    }

    fn tally(&mut self, key: CallKey) -> &mut CallTally {
        let key = if self.tallies.len() < MOST_KEYS || self.tallies.contains_key(&key) {
            key
        } else {
            CallKey { subject: OTHER.into(), requester: None }
        };
        self.tallies.entry(key).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(at: u64) -> Mono {
        Mono(at * 1_000_000)
    }

    fn key(requester: &str) -> CallKey {
        CallKey { subject: "stock.check".into(), requester: Some(requester.into()) }
    }

    #[test]
    fn a_request_and_its_answer_are_a_pair_whichever_is_heard_first() {
        let mut book = CallBook::new(ms(0));
        book.set_error(Duration::from_millis(2));
        book.asked("a.1", key("web"), true, ms(100));
        book.asked("a.2", key("web"), true, ms(110));
        book.answered("a.2", true, ms(115));
        book.answered("a.1", false, ms(140));
        book.answered("a.3", false, ms(150));
        book.asked("a.3", key("web"), true, ms(151));
        let calls = book.close(ms(200));
        let web = &calls[&key("web")];
        assert_eq!((web.asked(), web.answered, web.failed), (3, 3, 1));
        assert_eq!((web.times.count(), web.times.negative(), web.error.as_millis()), (3, 0, 2));
        let max = web.times.max().unwrap();
        assert!((39_600_000..=40_400_000).contains(&max), "{max}");
        assert_eq!(web.span, Span { from: ms(0), to: ms(200) });
        assert!(book.close(ms(20_000)).is_empty(), "each is told once");
    }

    #[test]
    fn what_is_not_answered_is_told_when_its_time_is_over() {
        let mut book = CallBook::new(ms(0));
        book.asked("a.1", key("web"), true, ms(0));
        assert!(book.close(ms(9_999)).is_empty());
        assert_eq!(book.close(ms(10_000))[&key("web")].unanswered, 1);
        // Too late: it has been counted.
        book.answered("a.1", false, ms(10_001));
        assert!(book.close(ms(30_000)).is_empty());
    }

    #[test]
    fn what_cannot_be_heard_is_not_unanswered() {
        let mut book = CallBook::new(ms(0));
        book.asked("x", key("old"), false, ms(0));
        book.asked("a.1", key("web"), true, ms(0));
        book.asked("b.1", key("app"), true, ms(0));
        book.lose("a.");
        book.asked("c.1", key("twice"), true, ms(0));
        book.asked("c.1", key("twice"), true, ms(5_000));
        let calls = book.close(ms(12_000));
        assert_eq!((calls[&key("old")].unfollowed, calls[&key("old")].asked()), (1, 1));
        assert_eq!((calls[&key("web")].unfollowed, calls[&key("web")].unanswered), (1, 0));
        assert_eq!(calls[&key("app")].unanswered, 1);
        assert_eq!((calls[&key("twice")].unfollowed, calls[&key("twice")].unanswered), (1, 0));
        assert_eq!(book.close(ms(15_000))[&key("twice")].unanswered, 1);
    }

    #[test]
    fn what_was_no_request_is_not_counted() {
        let mut book = CallBook::new(ms(0));
        book.asked("a.1", key("web"), true, ms(0));
        book.was_none("a.1");
        assert!(book.close(ms(60_000)).is_empty());
    }

    #[test]
    fn memory_is_bounded_and_nothing_is_lost() {
        let mut book = CallBook::new(ms(0));
        for n in 0..100_000 {
            let key = CallKey { subject: format!("s{n}").into(), requester: None };
            book.asked(&format!("a.{n}"), key, true, ms(n / 1_000));
            book.answered(&format!("b.{n}"), false, ms(n / 1_000));
        }
        assert!(book.open.len() <= MOST_WAITING && book.early.len() <= MOST_WAITING);
        let calls = book.close(ms(60_000));
        assert!(calls.len() <= MOST_KEYS + 1, "{}", calls.len());
        assert_eq!(calls.values().map(CallTally::asked).sum::<u64>(), 100_000);
    }
}
