//! What consumers say of messages: the tap on `$JS.ACK.>`, the one subscription of the probe level `acks`.
//!
//! The subject of an acknowledgement tells everything about the delivery that it answers, the moment at which the stream
//! stored the message included. Two forms are in use (ADR-15):
//!
//! ```text
//! $JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<stored ns>.<pending>
//! $JS.ACK.<domain>.<account hash>.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<stored ns>.<pending>[.<token>…]
//! ```
//!
//! Listening costs the broker a copy of each acknowledgement and changes one thing for others: an acknowledgement *with reply*
//! to a consumer that has been deleted waits for its time-out instead of failing at once.
//!
//! [`ledger`] keeps the books, [`hearing`] since when they are whole, [`tap`] listens.

pub(super) mod hearing;
pub(super) mod ledger;
pub(super) mod tap;

use std::time::Duration;

use self::ledger::Ledger;
use super::clock::Reading;
use crate::model::acks::{AckKind, Acks};
use crate::model::id::SourceId;
use crate::model::time::{Mono, Timestamp};

/// The subject that is listened on.
pub(super) const SUBJECT: &str = "$JS.ACK.>";

const PREFIX: &str = "$JS.ACK.";

/// The subject of an acknowledgement, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AckSubject<'a> {
    /// `<stream>.<consumer>`, as it stands in the subject: neither name can have a dot.
    pub key: &'a str,
    pub stream: &'a str,
    pub consumer: &'a str,
    /// How often the message has been delivered to the consumer, this time included.
    pub deliveries: u64,
    pub stream_seq: u64,
    pub consumer_seq: u64,
    /// When the stream stored the message.
    pub stored: Timestamp,
}

impl<'a> AckSubject<'a> {
    /// Reads a subject; `None` when it is none of the two forms.
    pub fn parse(subject: &'a str) -> Option<Self> {
        let rest = subject.strip_prefix(PREFIX)?;
        // By hand: this is done for each of tens of thousands a second, and the parts are too short for a searcher.
        let (mut parts, mut count, mut begin) = ([""; 10], 0, 0);
        for (at, byte) in rest.bytes().chain([b'.']).enumerate() {
            if byte == b'.' {
                if let Some(part) = parts.get_mut(count) {
                    *part = rest.get(begin..at)?;
                }
                (count, begin) = (count + 1, at + 1);
            }
        }
        // Seven parts in the short form; nine and more in the long one, where two stand before the stream.
        let (begin, names, numbers) = match (count, parts) {
            (7, [stream, consumer, numbers @ .., _, _, _]) => (0, [stream, consumer], numbers),
            (9.., [domain, account, stream, consumer, numbers @ .., _]) => {
                (domain.len() + account.len() + 2, [stream, consumer], numbers)
            }
            _ => return None,
        };
        let ([stream, consumer], number) = (names, |text: &str| text.parse::<u64>().ok());
        let [deliveries, stream_seq, consumer_seq, stored, pending] = numbers;
        let (deliveries, stream_seq) = (number(deliveries)?, number(stream_seq)?);
        let stored = Timestamp(i64::try_from(number(stored)?).ok()?);
        number(pending)?;
        if stream.is_empty() || consumer.is_empty() || deliveries == 0 || stream_seq == 0 {
            return None;
        }
        let key = rest.get(begin..=begin + stream.len() + consumer.len())?;
        Some(Self {
            key,
            stream,
            consumer,
            deliveries,
            stream_seq,
            consumer_seq: number(consumer_seq)?,
            stored,
        })
    }
}

/// What an acknowledgement says (nats-server, `consumer.processAck`); `None` for what the server does not understand either.
pub(super) fn kind(payload: &[u8]) -> Option<AckKind> {
    match payload {
        b"" | b"+ACK" | b"+OK" => Some(AckKind::Acknowledged),
        b"+WPI" => Some(AckKind::InProgress),
        // "Acknowledged, and give me the next."
        next if next.starts_with(b"+NXT") => Some(AckKind::Acknowledged),
        nak if nak.starts_with(b"-NAK") => Some(AckKind::Refused),
        term if term.starts_with(b"+TERM") => Some(AckKind::Terminated),
        _ => None,
    }
}

/// The books by themselves, without a broker: for the benchmark of what one acknowledgement costs.
#[derive(Debug)]
pub struct Books(Ledger);

impl Books {
    /// Empty books of a source; the messages of `streams` are stamped by a clock that shows `offset` nanoseconds when
    /// ours begins.
    pub fn new(source: SourceId, streams: &[&str], offset: i64) -> Self {
        let mut ledger = Ledger::new(source, Mono::default());
        let reading = Reading { offset, uncertainty: Duration::ZERO, read: Mono::default() };
        ledger.set_clocks(streams.iter().map(|stream| ((*stream).into(), reading)).collect());
        Self(ledger)
    }

    /// An acknowledgement on this subject reached us at `now`.
    pub fn hear(&mut self, subject: &str, payload: &[u8], now: Mono) {
        self.0.hear(subject, payload, now);
    }

    /// What was heard since this was last asked, up to `now`.
    pub fn close(&mut self, now: Mono) -> Acks {
        self.0.close(now).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_subject_are_read() {
        let short = AckSubject::parse("$JS.ACK.ORDERS.billing.2.31.40.1795404057299474661.7").unwrap();
        assert_eq!((short.stream, short.consumer, short.key), ("ORDERS", "billing", "ORDERS.billing"));
        assert_eq!((short.deliveries, short.stream_seq, short.consumer_seq), (2, 31, 40));
        assert_eq!(short.stored, Timestamp(1_795_404_057_299_474_661));
        for long in [
            "$JS.ACK.hub.Xk3Pq.ORDERS.billing.2.31.40.1795404057299474661.7",
            "$JS.ACK._.Xk3Pq.ORDERS.billing.2.31.40.1795404057299474661.7.a1b2",
        ] {
            assert_eq!(AckSubject::parse(long), Some(short), "{long}");
        }
    }

    #[test]
    fn what_is_no_acknowledgement_is_none() {
        for subject in [
            "$JS.ACK",
            "$JS.ACK.ORDERS.billing",
            "$JS.ACK.ORDERS.billing.1.2.3.4",
            "$JS.ACK.hub.ORDERS.billing.1.31.40.5.7",
            "$JS.ACK.ORDERS.billing.0.31.40.5.7",
            "$JS.ACK.ORDERS.billing.1.0.40.5.7",
            "$JS.ACK.ORDERS.billing.1.31.40.99999999999999999999.7",
            "$JS.ACK..billing.1.31.40.5.7",
            "$JS.ACK.ORDERS.billing.one.31.40.5.7",
            "orders.created",
        ] {
            assert_eq!(AckSubject::parse(subject), None, "{subject}");
        }
    }

    #[test]
    fn payloads_mean_what_the_server_takes_them_for() {
        assert_eq!(kind(b""), Some(AckKind::Acknowledged));
        assert_eq!(kind(b"+NXT {\"batch\":1}"), Some(AckKind::Acknowledged));
        assert_eq!(kind(b"-NAK {\"delay\":5}"), Some(AckKind::Refused));
        assert_eq!(kind(b"+TERM no such user"), Some(AckKind::Terminated));
        assert_eq!(kind(b"+WPI"), Some(AckKind::InProgress));
        assert_eq!(kind(b"+WPIX"), None);
        assert_eq!(kind(b"ack"), None);
    }
}
