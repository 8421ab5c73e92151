//! Who pulls: the programs that ask for messages of consumers, by the inboxes to which these are to come.
//!
//! A request for messages says for which consumer, and its reply address whose it is. Listening to these requests changes one thing
//! for others: one for a consumer that has been deleted waits for its time-out instead of failing at once. So it is listened to
//! only when a person asks, at the level `tap`, and for [`LISTEN_FOR`].

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Mutex;
use std::time::Duration;

use async_nats::Client;
use futures_util::StreamExt;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

use super::desk::{Desk, Part, locked};
use crate::model::command::ProbeLevel;
use crate::model::id::Name;

/// What is listened to, behind the prefix of the JetStream API.
pub(super) const SUBJECT: &str = "CONSUMER.MSG.NEXT.>";
/// Client libraries let a request for messages wait for 30 s by themselves, and then ask again: one that waits already when
/// listening begins is heard when it is made anew.
const LISTEN_FOR: Duration = Duration::from_secs(35);
/// Programs remembered of one consumer, and consumers.
const MOST_PROGRAMS: usize = 64;
const MOST_CONSUMERS: usize = 50_000;

const ABOUT: &str = "pullers";
const REMARK: &str =
    "it is listened to who pulls, for 35 s: meanwhile a pull on a deleted consumer waits for its time-out";

/// Stream and consumer.
type Of = (Name, Name);

/// Who was heard to pull, by stream and consumer.
#[derive(Debug, Default)]
pub(super) struct Pullers(Mutex<HashMap<Of, BTreeSet<Name>>>);

impl Pullers {
    /// The programs that were heard to pull from a consumer when it was listened to last.
    pub(super) fn of(&self, stream: &Name, consumer: &str) -> Vec<Name> {
        let known = locked(&self.0);
        known
            .get(&(stream.clone(), consumer.into()))
            .map(|names| names.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// A program pulls; `anew`: it is the first one that is heard of this consumer since listening began.
    fn hear(&self, of: Of, name: Name, anew: bool) {
        let mut known = locked(&self.0);
        if known.len() >= MOST_CONSUMERS && !known.contains_key(&of) {
            return;
        }
        let names = known.entry(of).or_default();
        if anew {
            names.clear();
        }
        if names.len() < MOST_PROGRAMS {
            names.insert(name);
        }
    }
}

/// The stream and the consumer of a request for messages: the last two parts, as neither name can have a dot.
fn of(subject: &str) -> Option<Of> {
    let (rest, consumer) = subject.rsplit_once('.')?;
    let (rest, stream) = rest.rsplit_once('.')?;
    let it_is = rest.ends_with(SUBJECT.strip_suffix(".>")?) && !stream.is_empty() && !consumer.is_empty();
    it_is.then(|| (stream.into(), consumer.into()))
}

/// Listens each time somebody asks, for a while and while the level allows it; for ever.
pub(super) async fn run(
    client: &Client,
    desk: &Desk,
    prefix: &str,
    asked: &Notify,
    mut level: watch::Receiver<ProbeLevel>,
) {
    let subject = format!("{prefix}.{SUBJECT}");
    loop {
        asked.notified().await;
        if *level.borrow_and_update() < ProbeLevel::Tap {
            continue;
        }
        desk.present(&Part::Pullers);
        // Only fails when the client has ended.
        let Ok(mut requests) = client.subscribe(subject.clone()).await else { break };
        desk.remark(ABOUT, Some(REMARK.to_owned()));
        let until = Instant::now() + LISTEN_FOR;
        let mut heard: HashSet<Of> = HashSet::new();
        let listening = async {
            while let Ok(Some(request)) = timeout_at(until, requests.next()).await {
                desk.heard(1);
                let inboxes = desk.inboxes();
                let name = locked(&inboxes).whose(request.reply.as_deref().unwrap_or_default());
                if let (Some(of), Some(name)) = (of(&request.subject), name) {
                    let anew = heard.insert(of.clone());
                    desk.pullers().hear(of, name, anew);
                }
            }
        };
        tokio::select! {
            () = listening => {}
            // The sender outlives this.
            _ = level.wait_for(|level| *level < ProbeLevel::Tap) => {}
        }
        drop(requests);
        desk.remark(ABOUT, None);
    }
    std::future::pending::<()>().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_for_messages_says_for_which_consumer() {
        let named = |stream: &str, consumer: &str| Some((stream.into(), consumer.into()));
        assert_eq!(of("$JS.API.CONSUMER.MSG.NEXT.ORDERS.billing"), named("ORDERS", "billing"));
        assert_eq!(of("$JS.hub.API.CONSUMER.MSG.NEXT.ORDERS.billing"), named("ORDERS", "billing"));
        for other in
            ["$JS.API.CONSUMER.INFO.ORDERS.billing", "$JS.API.CONSUMER.MSG.NEXT..billing", "billing", ""]
        {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn who_does_not_pull_any_more_is_forgotten_when_it_is_listened_to_again() {
        let pullers = Pullers::default();
        let billing = || ("ORDERS".into(), "billing".into());
        pullers.hear(billing(), "old".into(), true);
        pullers.hear(billing(), "older".into(), false);
        assert_eq!(pullers.of(&"ORDERS".into(), "billing"), ["old", "older"].map(Name::from));
        pullers.hear(billing(), "new".into(), true);
        assert_eq!(pullers.of(&"ORDERS".into(), "billing"), ["new"].map(Name::from));
        assert!(pullers.of(&"ORDERS".into(), "shipping").is_empty());
    }
}
