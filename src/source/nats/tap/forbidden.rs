//! What is never listened to, whoever asks: there a subscription would do harm that no guard can see.

use crate::model::subject::overlap;
use crate::source::nats::connections::is_inbox;

/// Subjects of the broker's own, and where answers are awaited. A listener on an inbox receives the messages of a puller that has
/// just died, and burns a delivery attempt of each.
const NEVER: [(&str, &str); 5] = [
    ("_INBOX.>", "answers to others"),
    ("_R_.>", "answers to others"),
    ("_GR_.>", "answers to others"),
    ("$JS.>", "requests to JetStream and its answers"),
    ("$SYS.>", "what belongs to the servers"),
];

/// Why this subject is not listened to; `None` when it may be, if its guard agrees.
pub(super) fn why_not(subject: &str, inbox_prefix: Option<&str>) -> Option<String> {
    if matches!(subject, ">" | "*") {
        return Some(format!("{subject} is everything: name the subject that is meant"));
    }
    let own = inbox_prefix.map(|prefix| (format!("{prefix}.>"), "answers to others"));
    let never = NEVER.iter().map(|(pattern, what)| ((*pattern).to_owned(), *what)).chain(own);
    for (pattern, what) in never {
        if overlap(subject, &pattern) {
            return Some(format!(
                "{subject} takes in {pattern}: {what}, never listened to because it harms others"
            ));
        }
    }
    let inbox = subject.contains("_INBOX.") || is_inbox(subject, inbox_prefix);
    inbox.then(|| {
        format!("{subject} is where somebody awaits answers, never listened to because it harms others")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_harms_is_refused() {
        for bad in [
            ">",
            "*",
            "*.>",
            "*.*",
            "*.created",
            "_INBOX.>",
            "_INBOX.x.*",
            "$JS.API.>",
            "$JS.ACK.>",
            "$JS.>",
            "$SYS.>",
            "$JS.EVENT.>",
            "$*.x",
            "team._INBOX.>",
            "mine.>",
            "replies.AAAAAAAAAAAA1111111111.*",
            "_R_.a",
        ] {
            let refused = why_not(bad, Some("mine")).is_some();
            // A wildcard stands for a whole part: this one is only a strange name.
            assert_eq!(refused, bad != "$*.x", "{bad}");
        }
        for good in ["orders.>", "orders.*", "$KV.cart.>", "$O.files.>", "$SRV.PING", "INBOX.a"] {
            assert_eq!(why_not(good, Some("mine")), None, "{good}");
        }
        let why = "$JS.API.> takes in $JS.>: requests to JetStream and its answers, never listened to because it harms others";
        assert_eq!(why_not("$JS.API.>", None).as_deref(), Some(why));
    }
}
