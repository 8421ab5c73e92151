//! The books: what each consumer has said of which message. No I/O and no clock: time is an argument.
//!
//! Every message is settled once per consumer. A second acknowledgement of it changes nothing at the broker and counts for
//! nothing here; [`Settled`] remembers the last [`WINDOW`] positions of each consumer for that.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use super::{AckSubject, kind};
use crate::model::acks::{AckKind, AckStep, AckTally, Acks};
use crate::model::id::{ChannelId, ConsumerId, Name, SourceId};
use crate::model::observation::{AckPolicy, Span};
use crate::model::time::{Mono, Timestamp};
use crate::source::nats::clock::Reading;

/// Positions up to which a second acknowledgement of the same message is known for one.
const WINDOW: u64 = 1 << 16;
/// Consumers that books are kept of.
const MOST_BOOKS: usize = 50_000;
/// What was heard last and can be told of a message that is asked for later: 48 bytes each.
const REMEMBERED: usize = 1 << 16;
/// Delays of one consumer that may wait for a clock.
const MOST_UNMEASURED: usize = 1_024;
/// Messages that are followed at a time.
const MOST_FOLLOWED: usize = 256;

/// All books of one source.
#[derive(Debug)]
pub(in crate::source::nats) struct Ledger {
    source: SourceId,
    /// Books by `<stream>.<consumer>`.
    index: HashMap<Box<str>, usize>,
    books: Vec<Book>,
    /// Books with something in them since they were last closed.
    open: Vec<usize>,
    /// The clock by which each stream's messages are stamped.
    clocks: HashMap<Name, Reading>,
    recent: VecDeque<Recent>,
    followed: BTreeMap<Name, BTreeSet<u64>>,
    steps: Vec<AckStep>,
    closed: Mono,
    heard: u64,
    unread: u64,
}

/// The book of one consumer.
#[derive(Debug)]
struct Book {
    id: ConsumerId,
    channel: ChannelId,
    stream: Name,
    /// An acknowledgement covers everything before it.
    all: bool,
    created: Option<Timestamp>,
    /// The clock by which its messages are stamped, once known.
    clock: Option<Reading>,
    settled: Settled,
    /// The last acknowledgement of one that covers what is before it.
    covered: Option<Covered>,
    tally: AckTally,
    /// Acknowledged before the clock was known that stamped them: when they were stored, and when that reached us.
    unmeasured: Vec<(Timestamp, Mono)>,
    open: bool,
}

#[derive(Clone, Copy, Debug)]
struct Covered {
    stream_seq: u64,
    consumer_seq: u64,
    stored: Timestamp,
}

/// One thing heard, as it is remembered.
#[derive(Clone, Copy, Debug)]
struct Recent {
    book: usize,
    seq: u64,
    deliveries: u64,
    stored: Timestamp,
    at: Mono,
    kind: AckKind,
}

impl Ledger {
    pub(in crate::source::nats) fn new(source: SourceId, now: Mono) -> Self {
        Self {
            source,
            index: HashMap::new(),
            books: Vec::new(),
            open: Vec::new(),
            clocks: HashMap::new(),
            recent: VecDeque::new(),
            followed: BTreeMap::new(),
            steps: Vec::new(),
            closed: now,
            heard: 0,
            unread: 0,
        }
    }

    /// A consumer as the broker lists it: one that was made anew begins a new book.
    pub(in crate::source::nats) fn know(
        &mut self,
        stream: &str,
        consumer: &str,
        policy: AckPolicy,
        created: Option<Timestamp>,
    ) {
        let key = format!("{stream}.{consumer}");
        let book = self.book(&key, stream, consumer);
        let Some(book) = book.and_then(|at| self.books.get_mut(at)) else { return };
        book.all = policy == AckPolicy::All;
        if book.created.is_some() && created.is_some() && book.created != created {
            book.settled = Settled::default();
            book.covered = None;
        }
        book.created = created.or(book.created);
    }

    /// The clocks that stamp, by stream: whenever one of them is better known than before.
    pub(in crate::source::nats) fn set_clocks(&mut self, clocks: HashMap<Name, Reading>) {
        for book in &mut self.books {
            book.clock = clocks.get(&book.stream).copied();
        }
        self.clocks = clocks;
    }

    /// Acknowledgements heard, and those among them that could not be read, so far.
    pub(in crate::source::nats) fn heard(&self) -> (u64, u64) {
        (self.heard, self.unread)
    }

    /// Whether there is a book of everybody who was heard.
    pub(in crate::source::nats) fn is_whole(&self) -> bool {
        self.books.len() < MOST_BOOKS
    }

    /// Somebody said something, and it reached us at `now`.
    pub(in crate::source::nats) fn hear(&mut self, subject: &str, payload: &[u8], now: Mono) {
        self.heard += 1;
        let (Some(ack), Some(kind)) = (AckSubject::parse(subject), kind(payload)) else {
            self.unread += 1;
            return;
        };
        let Some(at) = self.book(ack.key, ack.stream, ack.consumer) else {
            self.unread += 1;
            return;
        };
        let Some(book) = self.books.get_mut(at) else { return };
        let clock = book.clock;
        if !book.open {
            book.open = true;
            self.open.push(at);
        }
        let settles = matches!(kind, AckKind::Acknowledged | AckKind::Terminated);
        if settles && !book.settled.insert(ack.stream_seq) {
            return;
        }
        count(&mut book.tally, kind, ack.deliveries);
        if kind == AckKind::Acknowledged {
            match clock {
                Some(clock) => book.measure(ack.stored, now, clock),
                None if book.unmeasured.len() < MOST_UNMEASURED => book.unmeasured.push((ack.stored, now)),
                None => {}
            }
            if book.all {
                book.cover(&ack, clock.map(|clock| (clock.at(now), clock.uncertainty_at(now))));
            }
        }
        let recent = Recent {
            book: at,
            seq: ack.stream_seq,
            deliveries: ack.deliveries,
            stored: ack.stored,
            at: now,
            kind,
        };
        if let (Some(seqs), Some(clock)) = (self.followed.get(&*book.stream), clock) {
            self.steps.extend(seqs.iter().filter_map(|seq| step(book, &recent, *seq, clock)));
        }
        self.recent.push_back(recent);
        if self.recent.len() > REMEMBERED {
            self.recent.pop_front();
        }
    }

    /// The book of a consumer, a new one for a new consumer; `None` when there are too many.
    fn book(&mut self, key: &str, stream: &str, consumer: &str) -> Option<usize> {
        if let Some(at) = self.index.get(key) {
            return Some(*at);
        }
        if self.books.len() >= MOST_BOOKS {
            return None;
        }
        let at = self.books.len();
        self.books.push(Book {
            id: ConsumerId::named(&self.source, stream, consumer),
            channel: ChannelId::named(&self.source, stream),
            stream: stream.into(),
            all: false,
            created: None,
            clock: self.clocks.get(stream).copied(),
            settled: Settled::default(),
            covered: None,
            tally: AckTally::default(),
            unmeasured: Vec::new(),
            open: false,
        });
        self.index.insert(key.into(), at);
        Some(at)
    }

    /// Tells of this message from now on, and what is remembered of it.
    pub(in crate::source::nats) fn follow(&mut self, stream: &str, seq: u64) {
        let seqs = self.followed.entry(stream.into()).or_default();
        if !seqs.insert(seq) {
            return;
        }
        // The oldest position is the one that nobody looks at any more.
        if seqs.len() > MOST_FOLLOWED {
            seqs.pop_first();
        }
        let Some(clock) = self.clocks.get(stream).copied() else { return };
        let books = &self.books;
        let told = self.recent.iter().filter_map(|recent| {
            let book = books.get(recent.book).filter(|book| &*book.stream == stream)?;
            step(book, recent, seq, clock)
        });
        self.steps.extend(told);
    }

    /// What was heard since this was last asked, up to `now`.
    pub(in crate::source::nats) fn close(&mut self, now: Mono) -> (Acks, Vec<AckStep>) {
        let span = Span { from: self.closed, to: now };
        self.closed = now;
        let (mut acks, mut still) = (Acks::new(), Vec::new());
        for at in std::mem::take(&mut self.open) {
            let Some(book) = self.books.get_mut(at) else { continue };
            if let Some(clock) = book.clock {
                let unmeasured = std::mem::take(&mut book.unmeasured);
                unmeasured.into_iter().for_each(|(stored, at)| book.measure(stored, at, clock));
            }
            // What cannot be measured yet stays open.
            book.open = !book.unmeasured.is_empty();
            if book.open {
                still.push(at);
            }
            let tally = AckTally { span, ..std::mem::take(&mut book.tally) };
            acks.insert(book.id.clone(), tally);
        }
        self.open = still;
        (acks, std::mem::take(&mut self.steps))
    }

    /// It was not listened for a while: what an acknowledgement covers is not known any more.
    pub(in crate::source::nats) fn interrupted(&mut self) {
        self.books.iter_mut().for_each(|book| book.covered = None);
    }
}

/// What `recent` says of the message at `seq`.
fn step(book: &Book, recent: &Recent, seq: u64, clock: Reading) -> Option<AckStep> {
    let kind = match recent.kind {
        kind if recent.seq == seq => kind,
        AckKind::Acknowledged if book.all && recent.seq > seq => AckKind::Covered,
        _ => return None,
    };
    Some(AckStep {
        channel: book.channel.clone(),
        seq,
        consumer: book.id.clone(),
        kind,
        deliveries: if kind == AckKind::Covered { 1 } else { recent.deliveries },
        appended: recent.stored,
        at: clock.at(recent.at),
        error: clock.uncertainty_at(recent.at),
    })
}

impl Book {
    fn measure(&mut self, stored: Timestamp, now: Mono, clock: Reading) {
        self.tally.delays.record(clock.at(now).nanos_since(stored));
        self.tally.error = self.tally.error.max(clock.uncertainty_at(now));
    }

    /// Counts what an acknowledgement covers beside its own message. When those were appended is known within the time between
    /// the last two that were acknowledged: they are taken as evenly spread over it, and half of it is their error.
    fn cover(&mut self, ack: &AckSubject<'_>, said: Option<(Timestamp, Duration)>) {
        let now = Covered { stream_seq: ack.stream_seq, consumer_seq: ack.consumer_seq, stored: ack.stored };
        let Some(before) = self.covered.filter(|before| before.stream_seq < now.stream_seq) else {
            // The first that is heard: what it covers is not known. An older one covers nothing new.
            self.covered.get_or_insert(now);
            return;
        };
        self.covered = Some(now);
        let between = (now.stream_seq - before.stream_seq)
            .min(now.consumer_seq.saturating_sub(before.consumer_seq))
            .saturating_sub(1);
        self.tally.acknowledged = self.tally.acknowledged.saturating_add(between);
        self.tally.covered = self.tally.covered.saturating_add(between);
        let (Some((at, error)), 1..) = (said, between) else { return };
        let span = now.stored.nanos_since(before.stored).max(0);
        // A sample for each up to a point, then each stands for several: the spread is the same.
        let samples = between.min(64);
        for n in 1..=samples {
            let part = i128::from(span) * i128::from(n) / i128::from(samples + 1);
            let stored = before.stored.0.saturating_add(i64::try_from(part).unwrap_or(i64::MAX));
            let times = between / samples + u64::from(n <= between % samples);
            self.tally.delays.record_n(at.nanos_since(Timestamp(stored)), times);
        }
        let spread = Duration::from_nanos(span.unsigned_abs() / 2);
        self.tally.error = self.tally.error.max(error.saturating_add(spread));
    }
}

fn count(tally: &mut AckTally, kind: AckKind, deliveries: u64) {
    match kind {
        AckKind::Acknowledged | AckKind::Covered => tally.acknowledged += 1,
        AckKind::Refused => tally.refused += 1,
        AckKind::InProgress => tally.in_progress += 1,
        AckKind::Terminated => tally.terminated += 1,
    }
    if matches!(kind, AckKind::Acknowledged | AckKind::Terminated) {
        tally.redelivered = tally.redelivered.saturating_add(deliveries - 1);
    }
}

/// Positions that are settled, of the last [`WINDOW`].
#[derive(Debug, Default)]
struct Settled {
    /// The position of the first bit: a multiple of 64.
    base: u64,
    words: VecDeque<u64>,
}

impl Settled {
    /// Notes a position; `false` when it was noted before. What lies before the window is taken as new.
    fn insert(&mut self, seq: u64) -> bool {
        if self.words.is_empty() {
            self.base = seq - seq % 64;
        }
        if seq < self.base {
            return !self.grow_down(seq) || self.set(seq);
        }
        let word = (seq - self.base) / 64;
        if word >= WINDOW / 64 {
            let past = word - WINDOW / 64 + 1;
            if past >= self.words.len() as u64 {
                self.words.clear();
            } else {
                self.words.drain(..past as usize);
            }
            self.base += past * 64;
        }
        self.set(seq)
    }

    /// Makes room before the first position, if the window allows it.
    fn grow_down(&mut self, seq: u64) -> bool {
        let words = (self.base - seq).div_ceil(64);
        if words + self.words.len() as u64 > WINDOW / 64 {
            return false;
        }
        for _ in 0..words {
            self.words.push_front(0);
        }
        self.base -= words * 64;
        true
    }

    fn set(&mut self, seq: u64) -> bool {
        let (word, bit) = ((seq - self.base) / 64, 1_u64 << ((seq - self.base) % 64));
        let word = usize::try_from(word).unwrap_or(usize::MAX);
        while self.words.len() <= word {
            self.words.push_back(0);
        }
        let Some(word) = self.words.get_mut(word) else { return true };
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn at(ms: u64) -> Mono {
        Mono(ms * MS)
    }

    /// A ledger whose server's clock shows `1 000 000 ms` when ours shows none, within a millisecond.
    fn ledger() -> Ledger {
        let mut ledger = Ledger::new("nats".into(), at(0));
        let reading =
            Reading { offset: 1_000_000 * MS as i64, uncertainty: Duration::from_millis(1), read: at(0) };
        ledger.set_clocks([("ORDERS".into(), reading)].into());
        ledger
    }

    /// An acknowledgement of a message that was stored at `stored` ms by the watch's clock.
    fn subject(consumer: &str, deliveries: u64, seq: u64, consumer_seq: u64, stored: u64) -> String {
        let stored = (1_000_000 + stored) * MS;
        format!("$JS.ACK.ORDERS.{consumer}.{deliveries}.{seq}.{consumer_seq}.{stored}.0")
    }

    fn tally(ledger: &mut Ledger, consumer: &str) -> AckTally {
        let (mut acks, _) = ledger.close(at(10_000));
        acks.remove(format!("nats/ORDERS/{consumer}").as_str()).expect("the consumer was heard")
    }

    #[test]
    fn the_delay_is_the_difference_on_the_servers_clock() {
        let mut ledger = ledger();
        ledger.hear(&subject("billing", 1, 7, 7, 100), b"+ACK", at(142));
        let tally = tally(&mut ledger, "billing");
        assert_eq!((tally.acknowledged, tally.delays.max()), (1, Some(42 * MS as i64)));
        // A millisecond when it was read, and 100 ppm of drift in the 142 ms since.
        assert_eq!((tally.error, tally.redelivered), (Duration::from_nanos(1_014_200), 0));
        assert_eq!(tally.span, Span { from: at(0), to: at(10_000) });
    }

    #[test]
    fn a_message_is_settled_once() {
        let mut ledger = ledger();
        for ms in [110, 120, 130] {
            ledger.hear(&subject("billing", 1, 7, 7, 100), b"", at(ms));
        }
        ledger.hear(&subject("billing", 3, 7, 9, 100), b"", at(140));
        ledger.hear(&subject("billing", 3, 7, 9, 100), b"+TERM", at(150));
        let tally = tally(&mut ledger, "billing");
        assert_eq!((tally.acknowledged, tally.terminated, tally.redelivered), (1, 0, 0));
        assert_eq!(tally.delays.max(), Some(10 * MS as i64), "the first one processed it");
    }

    #[test]
    fn refusals_and_signs_of_life_settle_nothing() {
        let mut ledger = ledger();
        ledger.hear(&subject("billing", 1, 7, 7, 100), b"+WPI", at(110));
        ledger.hear(&subject("billing", 1, 7, 7, 100), b"-NAK", at(120));
        ledger.hear(&subject("billing", 2, 7, 8, 100), b"", at(160));
        let tally = tally(&mut ledger, "billing");
        assert_eq!((tally.in_progress, tally.refused, tally.acknowledged), (1, 1, 1));
        assert_eq!((tally.redelivered, tally.delays.count()), (1, 1));
    }

    #[test]
    fn a_clock_that_is_ahead_gives_a_negative_delay_that_is_kept() {
        let mut ledger = ledger();
        ledger.hear(&subject("billing", 1, 7, 7, 100), b"", at(95));
        let tally = tally(&mut ledger, "billing");
        assert_eq!((tally.delays.negative(), tally.delays.min()), (1, Some(-5 * MS as i64)));
    }

    #[test]
    fn without_a_clock_it_is_counted_and_measured_when_the_clock_is_known() {
        let mut ledger = ledger();
        let clocks = std::mem::take(&mut ledger.clocks);
        ledger.hear(&subject("billing", 1, 7, 7, 100), b"", at(142));
        let first = tally(&mut ledger, "billing");
        assert_eq!((first.acknowledged, first.delays.count()), (1, 0));
        ledger.set_clocks(clocks);
        ledger.follow("ORDERS", 7);
        let (acks, steps) = ledger.close(at(20_000));
        let second = &acks["nats/ORDERS/billing"];
        assert_eq!((second.acknowledged, second.delays.max()), (0, Some(42 * MS as i64)));
        assert_eq!(steps[0].at.nanos_since(steps[0].appended), 42 * MS as i64);
        assert!(ledger.close(at(30_000)).0.is_empty());
    }

    #[test]
    fn one_acknowledgement_covers_all_before_it_since_the_last() {
        let mut ledger = ledger();
        ledger.hear(&subject("audit", 1, 10, 10, 100), b"", at(105));
        ledger.know("ORDERS", "audit", AckPolicy::All, None);
        ledger.hear(&subject("audit", 1, 11, 11, 110), b"", at(115));
        // Messages 12 to 20 were stored between 110 ms and 200 ms.
        ledger.hear(&subject("audit", 1, 20, 20, 200), b"", at(210));
        let tally = tally(&mut ledger, "audit");
        assert_eq!((tally.acknowledged, tally.covered, tally.delays.count()), (11, 8, 11));
        assert_eq!(
            tally.error,
            Duration::from_nanos(46_021_000),
            "half of 90 ms, and the clock's after 210 ms"
        );
        // Stored at 120, 130 … 190 as far as one can tell.
        assert_eq!(tally.delays.max(), Some(90 * MS as i64));
    }

    #[test]
    fn what_is_covered_across_a_gap_in_listening_is_not_known() {
        let mut ledger = ledger();
        ledger.hear(&subject("audit", 1, 10, 10, 100), b"", at(105));
        ledger.know("ORDERS", "audit", AckPolicy::All, None);
        ledger.hear(&subject("audit", 1, 11, 11, 110), b"", at(115));
        ledger.interrupted();
        ledger.hear(&subject("audit", 1, 20, 20, 200), b"", at(210));
        assert_eq!(tally(&mut ledger, "audit").covered, 0);
    }

    #[test]
    fn a_consumer_made_anew_may_settle_the_same_message_again() {
        let mut ledger = ledger();
        ledger.hear(&subject("billing", 1, 7, 7, 100), b"", at(110));
        ledger.know("ORDERS", "billing", AckPolicy::Explicit, Some(Timestamp(1)));
        ledger.know("ORDERS", "billing", AckPolicy::Explicit, Some(Timestamp(2)));
        ledger.hear(&subject("billing", 1, 7, 7, 100), b"", at(120));
        assert_eq!(tally(&mut ledger, "billing").acknowledged, 2);
    }

    #[test]
    fn a_followed_message_is_told_of_as_far_back_as_it_is_remembered() {
        let mut ledger = ledger();
        ledger.hear(&subject("billing", 1, 7, 7, 100), b"-NAK", at(110));
        ledger.hear(&subject("billing", 1, 8, 8, 101), b"", at(111));
        ledger.follow("ORDERS", 7);
        ledger.hear(&subject("billing", 2, 7, 9, 100), b"", at(160));
        ledger.hear(&subject("shipping", 1, 7, 7, 100), b"", at(170));
        let (_, steps) = ledger.close(at(200));
        let told: Vec<_> = steps.iter().map(|s| (s.consumer.as_str(), s.kind, s.deliveries)).collect();
        assert_eq!(
            told,
            [
                ("nats/ORDERS/billing", AckKind::Refused, 1),
                ("nats/ORDERS/billing", AckKind::Acknowledged, 2),
                ("nats/ORDERS/shipping", AckKind::Acknowledged, 1),
            ]
        );
        assert_eq!(steps[1].at.nanos_since(steps[1].appended), 60 * MS as i64);
    }

    #[test]
    fn what_is_hostile_is_counted_as_unread() {
        let mut ledger = ledger();
        ledger.hear("$JS.ACK.x", b"", at(1));
        ledger.hear(&subject("billing", 1, 7, 7, 100), b"\x1b[2J", at(2));
        ledger.hear(&subject("billing", 1, u64::MAX, 7, 100), b"", at(3));
        assert_eq!(ledger.heard(), (3, 2));
    }

    mod settled {
        use std::collections::HashSet;

        use proptest::prelude::*;

        use super::*;

        #[test]
        fn far_jumps_cost_no_memory() {
            let mut settled = Settled::default();
            for seq in [5, 1 << 40, 7, u64::MAX, 1] {
                settled.insert(seq);
                assert!(settled.words.len() as u64 <= WINDOW / 64);
            }
        }

        proptest! {
            /// Within the window it is a set.
            #[test]
            fn it_is_a_set(seqs in proptest::collection::vec(1_u64..60_000, 1..200)) {
                let (mut settled, mut set) = (Settled::default(), HashSet::new());
                for seq in seqs {
                    prop_assert_eq!(settled.insert(seq), set.insert(seq));
                }
            }
        }
    }
}
