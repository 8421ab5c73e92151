//! Since when acknowledgements are heard without a gap. No I/O and no clock.
//!
//! A subscription holds at the server as soon as it has answered anything that was asked after it: a server takes what one
//! connection says in order. Until then nothing is claimed.

use crate::model::observation::Span;
use crate::model::time::Mono;

/// How the listening stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::source::nats) enum Hearing {
    /// Not listened, or not permitted, or no connection.
    #[default]
    No,
    /// Subscribed at this moment; whether the server knows it already is not known.
    Asked(Mono),
    /// Everything since this moment is heard, or since it was last told.
    Since(Mono),
}

impl Hearing {
    /// The server answered something that was asked at `sent`.
    pub(in crate::source::nats) fn answered(&mut self, sent: Mono, received: Mono) {
        if matches!(*self, Self::Asked(at) if sent >= at) {
            *self = Self::Since(received);
        }
    }

    /// Something was lost: what is heard from now on is without a gap again.
    pub(in crate::source::nats) fn lost(&mut self, now: Mono) {
        if matches!(self, Self::Since(_)) {
            *self = Self::Since(now);
        }
    }

    /// The time that was listened since this was last asked.
    pub(in crate::source::nats) fn close(&mut self, now: Mono) -> Option<Span> {
        let Self::Since(from) = *self else { return None };
        *self = Self::Since(now);
        Some(Span { from, to: now })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_heard_once_the_server_must_know_of_it() {
        let mut hearing = Hearing::Asked(Mono(10));
        hearing.answered(Mono(9), Mono(11));
        assert_eq!(hearing.close(Mono(12)), None, "asked before the subscription");
        hearing.answered(Mono(13), Mono(15));
        assert_eq!(hearing.close(Mono(20)), Some(Span { from: Mono(15), to: Mono(20) }));
        assert_eq!(hearing.close(Mono(30)), Some(Span { from: Mono(20), to: Mono(30) }));
    }

    #[test]
    fn what_is_lost_leaves_a_gap() {
        let mut hearing = Hearing::Since(Mono(20));
        hearing.lost(Mono(25));
        assert_eq!(hearing.close(Mono(30)), Some(Span { from: Mono(25), to: Mono(30) }));
        hearing = Hearing::No;
        hearing.lost(Mono(35));
        hearing.answered(Mono(36), Mono(37));
        assert_eq!(hearing.close(Mono(40)), None);
    }
}
