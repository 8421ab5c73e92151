//! Texts that rows repeat: allocated once, shared by thousands of rows.

use std::sync::LazyLock;

use crate::model::id::Name;

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)+) => {$(
        $(#[$doc])*
        pub(super) static $name: LazyLock<Name> = LazyLock::new(|| $text.into());
    )+};
}

words! {
    // Formulas: what a number was computed from.
    BY_BROKER = "as the broker reports it";
    BY_APPENDED = "Δ last sequence number ÷ Δ time";
    BY_BYTES = "Δ bytes ÷ Δ time";
    BY_MEAN_SIZE = "rate × mean size of the messages kept";
    BY_DELIVERED = "Δ delivered (redeliveries included) ÷ Δ time";
    BY_PROCESSED = "(new deliveries − Δ in flight − given up) ÷ Δ time";
    BY_HEARD = "acknowledgements heard ÷ time listened";
    BY_GAVE_UP = "notices since watching began, and the position that stayed behind before";
    BY_STALENESS = "broker's clock − append time of the oldest message to process";
    BY_NOTHING_WAITS = "nothing pending, nothing in flight";
    BY_DRAIN = "backlog ÷ its decrease per second";
    BY_DRAIN_AS_PROCESSED = "backlog ÷ messages processed per second";
    BY_SUBSCRIPTIONS = "Δ messages delivered to subscriptions ÷ Δ time";
    BY_ANSWERS = "Δ requests that the responder counted ÷ Δ time";
    BY_ERRORS = "Δ errors that the responder counted ÷ Δ time";
    BY_PUBLISHED = "Δ messages that the broker took in from its connections ÷ Δ time";
    BY_CONNECTIONS = "connection list";
    BY_SHARED = "shared by several flows: at most all of it";
    BY_SUM = "sum";
    BY_LOAD = "Δ the source's own counters ÷ Δ time";
    BY_CHECK = "health check";
    BY_NOTICES = "Δ (given up + refused + terminated) ÷ Δ time";
    BY_MARKS = "Δ (marked as delivered again − in flight) ÷ Δ time, as nobody tells what is given up or refused";
    BY_SILENT = "declared; nothing seen";

    // Why it is not known how long a service takes of its own.
    NOT_SAMPLED = "its acknowledgements are not sampled: with sample_freq 100 in its configuration the broker tells";
    NOT_EACH = "it does not acknowledge each message by itself: there is nothing to sample";
    NONE_SAMPLED = "no sampled acknowledgement was heard in the window";

    // How most consumers fare.
    NOTHING_WAITS = "nothing waits";
    NOTHING_PENDING = "nothing waits for delivery";
    ADVANCES = "advances";

    // How services fare.
    LEFT = "left: no connection any more, and nothing is known to wait for it";

    // Reasons for which something is unknown.
    ONE_POLL = "one reading so far: a rate needs two";
    SHORT_LOAD = "no two rounds of questions so far";
    NOT_REPORTED = "the broker does not report it";
    NOT_READ = "the oldest waiting message has not been read yet";
    NAME_ONLY = "only its name is known";
    NO_SIZE = "the size of its messages is not reported";
    NOT_LISTED = "connections are not listed";
    NOT_COUNTED = "nothing counts it";
    TOO_SHORT = "watched for too short a time";
    PAUSED_TOO_SHORT = "watched for too short a time since its pause ended";
    RESUMED_TOO_SHORT = "watched for too short a time since an interruption";
    NO_CONSUMER = "no consumer found that feeds it";
}
