//! Whose inbox an answer goes to: by that, who sent a request, or published to a stream and waits for its acknowledgement.

use std::collections::HashMap;

use crate::model::id::Name;
use crate::source::nats::connections::{ServerPicture, is_inbox};
use crate::source::nats::options::CONNECTION_NAME;

/// The part of a client's unique names that all of one generator share (NUID).
const SHARED: usize = 12;
/// A whole one.
const UNIQUE: usize = 22;

/// The inboxes that connections listen on, as the lists of connections tell them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::source::nats) struct Inboxes {
    /// The inbox without its last part, where that may be anything; or all of it. `None` when it is not one program's.
    exact: HashMap<String, Option<Name>>,
    /// The first part of the unique names that a program makes.
    makers: HashMap<String, Option<Name>>,
    /// The inboxes for all answers to a program, as it subscribes to them, by their address.
    kept: HashMap<String, String>,
}

impl Inboxes {
    /// Those of all programs that have a name.
    pub(in crate::source::nats) fn of<'a>(
        pictures: impl IntoIterator<Item = &'a ServerPicture>,
        own_prefix: Option<&str>,
    ) -> Self {
        let mut inboxes = Self::default();
        for connection in pictures.into_iter().flat_map(|picture| &picture.connections) {
            let name = connection.name();
            // Headwater, ours or another, listens to answers that others await.
            if name.as_deref() == Some(CONNECTION_NAME) {
                continue;
            }
            for subject in connection.subjects().filter(|subject| is_inbox(subject, own_prefix)) {
                let address =
                    subject.strip_suffix(".*").or_else(|| subject.strip_suffix(".>")).unwrap_or(subject);
                // Who listens to everybody's inboxes is not the one who asks.
                if !is_inbox(address, own_prefix) {
                    continue;
                }
                add(&mut inboxes.exact, address, name.as_ref());
                if subject.ends_with(".*") {
                    inboxes.kept.insert(address.to_owned(), subject.to_owned());
                }
                if let Some(maker) = maker(address) {
                    add(&mut inboxes.makers, maker, name.as_ref());
                }
            }
        }
        inboxes
    }

    /// The inbox that this is an address of, if a program keeps it for all its answers: as it is subscribed to.
    pub(super) fn kept(&self, reply: &str) -> Option<&str> {
        let (address, _) = reply.rsplit_once('.')?;
        self.kept.get(address).map(String::as_str)
    }

    /// The program whose inbox this is, if that is certain.
    pub(in crate::source::nats) fn whose(&self, reply: &str) -> Option<Name> {
        let mut address = reply;
        loop {
            if let Some(name) = self.exact.get(address) {
                return name.clone();
            }
            let Some((shorter, _)) = address.rsplit_once('.') else { break };
            address = shorter;
        }
        // An inbox for one answer is gone when the connections are listed; its maker's others are there.
        reply.split('.').find_map(maker).and_then(|maker| self.makers.get(maker)?.clone())
    }
}

/// Two programs cannot be told apart by what both have; without a name nobody can.
fn add(map: &mut HashMap<String, Option<Name>>, key: &str, name: Option<&Name>) {
    match map.get_mut(key) {
        None => drop(map.insert(key.to_owned(), name.cloned())),
        Some(known) if known.as_ref() != name => *known = None,
        Some(_) => {}
    }
}

/// The shared part of the last unique name in an address.
fn maker(address: &str) -> Option<&str> {
    let unique =
        |token: &&str| token.len() == UNIQUE && token.bytes().all(|byte| byte.is_ascii_alphanumeric());
    address.rsplit('.').find(unique)?.get(..SHARED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::nats::connections::Connz;

    fn picture(connections: &serde_json::Value) -> ServerPicture {
        let told: Connz = serde_json::from_value(serde_json::json!({ "connections": connections })).unwrap();
        ServerPicture {
            id: "n1".into(),
            now: None,
            at: crate::model::time::Mono(0),
            connections: told.connections.read,
            whole: true,
        }
    }

    fn of(connections: &serde_json::Value) -> Inboxes {
        Inboxes::of([&picture(connections)], None)
    }

    #[test]
    fn an_inbox_is_that_of_the_program_that_listens_on_it() {
        let list = |subjects: &[&str]| -> serde_json::Value {
            subjects.iter().map(|subject| serde_json::json!({ "subject": subject })).collect()
        };
        let inboxes = of(&serde_json::json!([
            { "cid": 1, "name": "billing", "subscriptions_list_detail": list(&["_INBOX.AAAAAAAAAAAA1111111111.*", "orders.created"]) },
            { "cid": 2, "name": "web", "subscriptions_list_detail": list(&["_INBOX.BBBBBBBBBBBB2222222222"]) },
            { "cid": 3, "name": "one", "subscriptions_list_detail": list(&["_INBOX.CCCCCCCCCCCC3333333333.*"]) },
            { "cid": 4, "name": "two", "subscriptions_list_detail": list(&["_INBOX.CCCCCCCCCCCC4444444444.*"]) },
            { "cid": 7, "name": "headwater", "subscriptions_list_detail": list(&["_INBOX.AAAAAAAAAAAA1111111111.*"]) },
            { "cid": 6, "name": "recorder", "subscriptions_list_detail": list(&["_INBOX.>", "_R_.*"]) },
            { "cid": 5, "subscriptions_list_detail": list(&["_INBOX.DDDDDDDDDDDD5555555555.*"]) },
        ]));
        let whose = |reply: &str| inboxes.whose(reply).map(|name| name.to_string());
        assert_eq!(whose("_INBOX.AAAAAAAAAAAA1111111111.x7").as_deref(), Some("billing"));
        assert_eq!(whose("_INBOX.BBBBBBBBBBBB2222222222").as_deref(), Some("web"));
        assert_eq!(
            whose("_INBOX.BBBBBBBBBBBB9999999999").as_deref(),
            Some("web"),
            "by the maker of the name"
        );
        assert_eq!(whose("_INBOX.CCCCCCCCCCCC3333333333.1").as_deref(), Some("one"), "exact before shared");
        assert_eq!(whose("_INBOX.CCCCCCCCCCCC9999999999"), None, "two share a maker");
        assert_eq!(whose("_INBOX.DDDDDDDDDDDD5555555555.1"), None, "it has no name");
        assert_eq!(whose("_INBOX.EEEEEEEEEEEE6666666666.1"), None, "who listens to all inboxes did not ask");
        assert_eq!(inboxes.kept("_INBOX.AAAAAAAAAAAA1111111111.x7"), Some("_INBOX.AAAAAAAAAAAA1111111111.*"));
        assert_eq!(inboxes.kept("_INBOX.BBBBBBBBBBBB2222222222"), None, "for one answer");
        assert_eq!(
            inboxes.kept("_INBOX.EEEEEEEEEEEE6666666666.1"),
            None,
            "who listens to all inboxes did not ask"
        );
        assert_eq!(whose("orders.created"), None);
        assert_eq!(whose(""), None);
    }
}
