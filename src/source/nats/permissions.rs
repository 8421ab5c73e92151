//! What a user may read here, what each right unlocks, and the lines of server configuration that grant it.
//!
//! Every right is tried for real, by the very requests that watching makes; nothing is created and nothing is
//! subscribed to but what watching subscribes to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::Duration;

use async_nats::{Event, ServerError};
use bytes::Bytes;
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{Notify, mpsc};

use super::acks;
use super::advisories::SUBJECTS;
use super::api::{ApiError, codes};
use super::lenient::{one_line, or_default};
use super::options::{ConnectFailure, FailureKind, NatsOptions};
use super::processing;
use super::secret::Redacted;
use super::wire::{Failure, Patience, Violation, Wire, violation};
use crate::model::command::ProbeLevel;
use crate::source::Clock;
use crate::source::health::get::{client as http_client, get_up_to};

/// An answer may take so long.
const PATIENCE: Duration = Duration::from_secs(2);
/// The most that is read of a monitoring endpoint's answer.
const LARGEST: usize = 1024 * 1024;
/// Streams that are looked at one by one.
const STREAMS: usize = 64;
/// Tells who we are; nothing of what others do.
const USER_INFO: &str = "$SYS.REQ.USER.INFO";

/// Which way a right lets messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// The user sends to the subject.
    Publish,
    /// The user listens to the subject.
    Subscribe,
    /// The address of a monitoring endpoint, which has no rights of its own.
    Http,
}

/// What trying it gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It can be read.
    Readable,
    /// The server refuses; in words.
    Denied(String),
    /// Nobody answered; in words.
    NoAnswer(String),
    /// The feature is not in use here, so there is nothing to read; in words.
    NotInUse(String),
    /// It could not be tried; in words.
    NotTried(String),
}

/// One right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// The subject as a permission is written, with wildcards; or an address.
    pub subject: String,
    /// Which way.
    pub way: Way,
    /// What it unlocks.
    pub unlocks: &'static str,
    /// Without it there is no picture at all.
    pub needed: bool,
    /// What trying it gave.
    pub outcome: Outcome,
}

/// All rights, and as whom they were tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examination {
    /// Name of the server that let us in.
    pub server: String,
    /// Its version.
    pub version: String,
    /// The user that we are, where the server tells.
    pub user: Option<String>,
    /// The account that we are in, where the server tells.
    pub account: Option<String>,
    /// The rights, the needed ones first.
    pub rights: Vec<Right>,
}

/// What a list of what is allowed does not do, and what it does besides.
const WHERE_IT_GOES: [&str; 3] = [
    "A \"deny\" of this user that covers one of these wins over \"allow\": take it out.",
    "Add these to an \"allow\" list that is there. Where there is none the user may do all that is not denied:",
    "then taking out the \"deny\" is enough, and a new \"allow\" list would forbid everything else.",
];

impl Examination {
    /// Why there is nothing to see with these rights; `None` when there is something. What is told unasked is no picture: it
    /// speaks only of changes.
    pub fn nothing_readable(&self) -> Option<&'static str> {
        let mut asked =
            self.rights.iter().filter(|right| right.way != Way::Subscribe && right.subject != USER_INFO);
        if asked.any(|right| right.outcome == Outcome::Readable) {
            return None;
        }
        let denied = self.rights.iter().any(|right| matches!(right.outcome, Outcome::Denied(_)));
        Some(if denied {
            "none of what is asked is authorised (the list says what, and how to grant it)"
        } else {
            "nothing that is asked is answered (the list says what)"
        })
    }

    /// The permissions that grant what is missing (or everything that watching uses, when `all`), as lines of a
    /// nats-server configuration. `None` when nothing is missing.
    pub fn snippet(&self, all: bool) -> Option<String> {
        let wanted = |way: Way| -> Vec<&str> {
            let missing = |right: &&Right| {
                right.way == way
                    && (all || matches!(right.outcome, Outcome::Denied(_) | Outcome::NotTried(_)))
            };
            self.rights.iter().filter(missing).map(|right| right.subject.as_str()).collect()
        };
        let (publish, subscribe) = (wanted(Way::Publish), wanted(Way::Subscribe));
        if publish.is_empty() && subscribe.is_empty() {
            return None;
        }
        let mut out = String::from("permissions {\n");
        for (name, subjects) in [("publish", publish), ("subscribe", subscribe)] {
            if !subjects.is_empty() {
                let _ = writeln!(out, "  {name} {{ allow: [");
                for subject in subjects {
                    let _ = writeln!(out, "    \"{}\"", subject.replace('\\', "\\\\").replace('"', "\\\""));
                }
                out.push_str("  ] }\n");
            }
        }
        for line in WHERE_IT_GOES {
            let _ = writeln!(out, "  # {line}");
        }
        out.push_str("}\n");
        Some(out)
    }
}

/// Connects once and tries every right.
///
/// Where only monitoring endpoints are read, they are all there is to try.
pub async fn examine(options: &NatsOptions) -> Result<Examination, ConnectFailure> {
    if options.servers.is_empty() {
        return monitored_only(options).await;
    }
    let (events, mut heard) = mpsc::channel(256);
    let client = options.connect(move |event| drop(events.try_send(event))).await?;
    let server = client.server_info();
    let mut found = Examination {
        server: one_line(&server.server_name),
        version: one_line(&server.version),
        user: None,
        account: None,
        rights: Vec::new(),
    };
    let Ok((wire, mut inbox)) = Wire::open(client, Clock::start()).await else { return Ok(found) };
    let (deaf, heard_denial) = (Mutex::new(BTreeMap::new()), Notify::new());
    let receive = async {
        while let Some(message) = inbox.next().await {
            wire.deliver(message);
        }
        std::future::pending::<()>().await;
    };
    let listen = async {
        while let Some(event) = heard.recv().await {
            let Event::ServerError(ServerError::Other(text)) = event else { continue };
            match violation(&text) {
                Some(Violation::Publish(subject)) => wire.deny(subject),
                Some(Violation::Subscription(subject)) => {
                    wire.deny_subscription(subject);
                    if let Ok(mut deaf) = deaf.lock() {
                        deaf.insert(subject.to_owned(), one_line(&text));
                    }
                    heard_denial.notify_one();
                }
                None => {}
            }
        }
        std::future::pending::<()>().await;
    };
    let trial = Trial { wire: &wire, options, deaf: &deaf, heard_denial: &heard_denial };
    tokio::select! {
        () = trial.run(&mut found) => {}
        () = receive => {}
        () = listen => {}
    }
    found.rights.extend(monitors(options).await);
    found.rights.sort_by_key(|right| !right.needed);
    Ok(found)
}

async fn monitored_only(options: &NatsOptions) -> Result<Examination, ConnectFailure> {
    let rights = monitors(options).await;
    if !rights.iter().any(|right| right.outcome == Outcome::Readable) {
        let why = |right: &Right| match &right.outcome {
            Outcome::NoAnswer(why) | Outcome::NotTried(why) => format!("{}: {why}", right.subject),
            _ => right.subject.clone(),
        };
        let text = rights.iter().map(why).collect::<Vec<_>>().join("; ");
        return Err(ConnectFailure { kind: FailureKind::Unreachable, text });
    }
    Ok(Examination {
        server: String::new(),
        version: "by monitoring alone".to_owned(),
        user: None,
        account: None,
        rights,
    })
}

/// A name that no stream has: it is asked about where there is none.
const NO_SUCH_STREAM: &str = "HEADWATER_TRIES_A_STREAM_THAT_IS_NOT_THERE";

struct Trial<'a> {
    wire: &'a Wire,
    options: &'a NatsOptions,
    /// Subscriptions that were denied, and in which words.
    deaf: &'a Mutex<BTreeMap<String, String>>,
    /// One more was.
    heard_denial: &'a Notify,
}

#[derive(Debug, Default, Deserialize)]
struct Streams {
    #[serde(default, deserialize_with = "or_default")]
    streams: Vec<Listed>,
}

#[derive(Debug, Default, Deserialize)]
struct Listed {
    #[serde(default, deserialize_with = "or_default")]
    config: Named,
}

#[derive(Debug, Default, Deserialize)]
struct Named {
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    subjects: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Who {
    #[serde(default, deserialize_with = "or_default")]
    data: User,
}

#[derive(Debug, Default, Deserialize)]
struct User {
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    account: Option<String>,
}

impl Trial<'_> {
    async fn run(&self, found: &mut Examination) {
        let api = &self.options.js_api;
        let mut listening: BTreeSet<String> =
            SUBJECTS.iter().map(|subject| format!("{}.{subject}", self.options.js_event)).collect();
        listening.insert(format!("{}.{}", self.options.js_event, processing::SUBJECT));
        // Tried only where watching would do it: others may notice it.
        if self.options.probe >= ProbeLevel::Acks {
            listening.insert(acks::SUBJECT.to_owned());
        }
        let mut subscribers = Vec::new();
        for subject in &listening {
            subscribers.extend(self.wire.client().subscribe(subject.clone()).await);
        }
        // Whatever the server has against our subscriptions it says before it answers this.
        let who = self.one(USER_INFO).await;
        if matches!(who, Err(Failure::Deaf(_))) {
            self.hear_out().await;
        }
        if let Ok(payload) = &who
            && let Ok(told) = serde_json::from_slice::<Who>(payload)
        {
            found.user = told.data.user.filter(|name| !name.is_empty()).map(|name| one_line(&name));
            found.account = told.data.account.filter(|name| !name.is_empty()).map(|name| one_line(&name));
        }
        let prefix = self.options.inbox_prefix.as_deref().unwrap_or("_INBOX");
        let inbox = match &who {
            Err(Failure::Deaf(subject)) => {
                Outcome::Denied(format!("permission denied to subscribe to {subject}"))
            }
            _ => Outcome::Readable,
        };
        let mut add = |subject: String, way, unlocks, needed, outcome| {
            found.rights.push(Right { subject, way, unlocks, needed, outcome });
        };
        add(
            format!("{prefix}.>"),
            Way::Subscribe,
            "every answer: without it nothing can be read",
            true,
            inbox,
        );

        let list = self.one(&format!("{api}.STREAM.LIST")).await;
        let streams: Vec<Named> = match &list {
            Ok(payload) => serde_json::from_slice::<Streams>(payload)
                .map(|page| page.streams.into_iter().map(|one| one.config).collect())
                .unwrap_or_default(),
            Err(_) => Vec::new(),
        };
        let listed = outcome(&list);
        let names: Vec<&str> = streams.iter().map(|one| one.name.as_str()).take(STREAMS).collect();
        let each = |kind: &'static str, body: serde_json::Value| {
            let names = names.clone();
            let listed = listed.clone();
            async move { self.each(&format!("{api}.{kind}"), &body, &names, &listed).await }
        };
        let consumers = each("CONSUMER.LIST", serde_json::Value::Null).await;
        let messages = each("STREAM.MSG.GET", json!({ "seq": 1, "next_by_subj": ">" })).await;
        if self.options.probe >= ProbeLevel::Tap {
            let guard = each("STREAM.INFO", serde_json::Value::Null).await;
            let unlocks = "messages of tapped streams: the guard sees every second that a stream is there";
            add(format!("{api}.STREAM.INFO.*"), Way::Publish, unlocks, false, guard);
            let subjects: BTreeSet<String> = streams.iter().flat_map(|one| &one.subjects).cloned().collect();
            for subject in subjects.into_iter().take(STREAMS) {
                // Listening has an effect, and needs its guard: it is not done for a try.
                let outcome = Outcome::NotInUse("tried when it is tapped, not before".to_owned());
                add(subject, Way::Subscribe, "its messages, while it is tapped", false, outcome);
            }
        }
        add(
            format!("{api}.STREAM.LIST"),
            Way::Publish,
            "streams, their rates and who feeds whom",
            true,
            listed,
        );
        add(
            format!("{api}.CONSUMER.LIST.*"),
            Way::Publish,
            "consumers: lag, in flight, redelivered",
            true,
            consumers,
        );
        add(
            format!("{api}.STREAM.MSG.GET.*"),
            Way::Publish,
            "staleness: when the oldest message left was stored",
            false,
            messages,
        );

        let connz = "$SYS.REQ.ACCOUNT.PING.CONNZ";
        let connections = outcome(&self.one_of_many(connz, Bytes::from_static(br#"{"limit":1}"#)).await);
        add(
            connz.to_owned(),
            Way::Publish,
            "connected services, what they listen to, core NATS rates",
            true,
            connections,
        );
        let stats = outcome(&self.one_of_many("$SRV.STATS", Bytes::new()).await);
        let stats = match stats {
            Outcome::NoAnswer(_) => Outcome::NotInUse("no NATS micro service runs".to_owned()),
            other => other,
        };
        let described = match self.one_of_many("$SRV.INFO", Bytes::new()).await {
            Err(Failure::Denied(subject)) => Outcome::Denied(format!("permission denied for {subject}")),
            _ => stats.clone(),
        };
        add(
            "$SRV.STATS".to_owned(),
            Way::Publish,
            "requests per endpoint: count, errors, mean time",
            false,
            stats,
        );
        add("$SRV.INFO".to_owned(), Way::Publish, "descriptions of request services", false, described);
        add(USER_INFO.to_owned(), Way::Publish, "the name of our own account", false, outcome(&who));
        for subject in listening {
            let denied = self.deaf.lock().ok().and_then(|deaf| deaf.get(&subject).cloned());
            let unlocks = if subject == acks::SUBJECT {
                "exact delays: when each message was acknowledged"
            } else if subject.ends_with(processing::SUBJECT) {
                "how long consumers take of their own, where they sample their acknowledgements"
            } else if subject.contains(".CONSUMER.") {
                "messages given up, refused and terminated, and changes of consumers, as they happen"
            } else if subject.contains(".STREAM.") {
                "changes of streams and of their leaders, as they happen"
            } else {
                "when the JetStream API has too many requests"
            };
            add(subject, Way::Subscribe, unlocks, false, denied.map_or(Outcome::Readable, Outcome::Denied));
        }
    }

    /// Waits until the server has said what it has against our subscriptions, where no answer can say that it has: it takes
    /// them in order, so that one more inbox is refused last.
    async fn hear_out(&self) {
        let last = format!("{}.*", self.wire.client().new_inbox());
        let Ok(_subscriber) = self.wire.client().subscribe(last.clone()).await else { return };
        let refused = async {
            while !self.deaf.lock().is_ok_and(|deaf| deaf.contains_key(&last)) {
                self.heard_denial.notified().await;
            }
        };
        let _ = tokio::time::timeout(PATIENCE, refused).await;
    }

    async fn one(&self, subject: &str) -> Result<Bytes, Failure> {
        self.ask(subject, Bytes::new()).await
    }

    /// One answer; an error in it is a failure.
    async fn ask(&self, subject: &str, body: Bytes) -> Result<Bytes, Failure> {
        #[derive(Deserialize)]
        struct Envelope {
            error: Option<ApiError>,
        }
        let payload = self.wire.ask(subject, body, PATIENCE).await?.payload;
        match serde_json::from_slice::<Envelope>(&payload) {
            Ok(Envelope { error: None }) => Ok(payload),
            Ok(Envelope { error: Some(error) }) => Err(error.refusal(subject)),
            Err(error) => {
                Err(Failure::Unreadable { subject: subject.to_owned(), why: one_line(&error.to_string()) })
            }
        }
    }

    async fn one_of_many(&self, subject: &str, body: Bytes) -> Result<Bytes, Failure> {
        let patience = Patience { longest: PATIENCE, quiet: PATIENCE };
        let answers = self.wire.gather(subject, body, &patience, |_| true).await?;
        Ok(answers.into_iter().next().map(|answer| answer.payload).unwrap_or_default())
    }

    /// The same question about every stream: readable when it is for all.
    async fn each(
        &self,
        subject: &str,
        body: &serde_json::Value,
        streams: &[&str],
        listed: &Outcome,
    ) -> Outcome {
        if *listed != Outcome::Readable {
            return match listed {
                Outcome::NotInUse(why) => Outcome::NotInUse(why.clone()),
                _ => Outcome::NotTried("no stream is known to try it with".to_owned()),
            };
        }
        let mut denied = Vec::new();
        let mut silent = None;
        // Without a stream, one that does not exist still tells a denial from 'stream not found'.
        let tried = if streams.is_empty() { &[NO_SUCH_STREAM][..] } else { streams };
        for stream in tried {
            let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
            match self.ask(&format!("{subject}.{stream}"), body).await {
                // The last two: an empty stream, or one that has just gone. The question was let through.
                Ok(_)
                | Err(Failure::Refused { err_code: codes::NO_MESSAGE | codes::STREAM_NOT_FOUND, .. }) => {}
                Err(Failure::Denied(_)) => denied.push(one_line(&format!("{subject}.{stream}"))),
                Err(failure) => silent = Some(failure),
            }
        }
        match (denied.as_slice(), silent) {
            ([], None) if streams.is_empty() => Outcome::NotInUse("there is no stream".to_owned()),
            ([], None) => Outcome::Readable,
            ([], Some(failure)) => outcome(&Err(failure)),
            (_, _) if streams.is_empty() => {
                Outcome::Denied(format!("permission denied for {subject}.{NO_SUCH_STREAM}"))
            }
            (some, _) => Outcome::Denied(format!("permission denied for {}", some.join(", "))),
        }
    }
}

fn outcome(result: &Result<Bytes, Failure>) -> Outcome {
    match result {
        Ok(_) => Outcome::Readable,
        Err(Failure::Denied(subject)) => Outcome::Denied(format!("permission denied for {subject}")),
        Err(Failure::Deaf(_)) => Outcome::NotTried("no answer can be received".to_owned()),
        Err(Failure::NoResponders(subject)) if subject.starts_with("$JS.API.STREAM.LIST") => {
            Outcome::NotInUse("JetStream is not enabled here".to_owned())
        }
        Err(Failure::Refused { err_code: codes::NOT_ENABLED | codes::NOT_ENABLED_FOR_ACCOUNT, .. }) => {
            Outcome::NotInUse("JetStream is not enabled for this account".to_owned())
        }
        Err(failure) => Outcome::NoAnswer(failure.to_string()),
    }
}

/// The monitoring endpoints.
async fn monitors(options: &NatsOptions) -> Vec<Right> {
    let mut rights = Vec::new();
    for url in &options.monitors {
        let outcome = match http_client(options.tls.ca.as_deref()) {
            Ok(http) => {
                match get_up_to(&http, &format!("{}/varz", url.trim_end_matches('/')), PATIENCE, LARGEST)
                    .await
                {
                    Ok(response) if response.status == 200 => Outcome::Readable,
                    Ok(response) => Outcome::NoAnswer(format!("answered HTTP {}", response.status)),
                    Err(why) => Outcome::NoAnswer(why),
                }
            }
            Err(error) => Outcome::NotTried(error.to_string()),
        };
        rights.push(Right {
            subject: Redacted(url).to_string(),
            way: Way::Http,
            unlocks: if options.servers.is_empty() {
                "streams, consumers and connections"
            } else {
                "what the connection may not read"
            },
            needed: false,
            outcome,
        });
    }
    rights
}

#[cfg(test)]
mod tests {
    use super::*;

    fn right(subject: &str, way: Way, outcome: Outcome) -> Right {
        Right { subject: subject.into(), way, unlocks: "", needed: true, outcome }
    }

    #[test]
    fn one_answer_is_something_to_see_and_our_own_name_is_not() {
        let found = |rights: &[(&str, Way, Outcome)]| Examination {
            server: "n1".into(),
            version: "2.15.1".into(),
            user: None,
            account: None,
            rights: rights.iter().map(|(s, way, outcome)| right(s, *way, outcome.clone())).collect(),
        };
        let denied = || Outcome::Denied("x".into());
        let inbox = ("_INBOX.>", Way::Subscribe, Outcome::Readable);
        let own_name = (USER_INFO, Way::Publish, Outcome::Readable);
        let list = ("$JS.API.STREAM.LIST", Way::Publish, denied());
        let nothing = found(&[inbox.clone(), own_name, list.clone()]).nothing_readable();
        assert!(nothing.is_some_and(|why| why.starts_with("none of what is asked is authorised")));
        for one in ["$SRV.STATS", "$SYS.REQ.ACCOUNT.PING.CONNZ"] {
            let one = (one, Way::Publish, Outcome::Readable);
            assert_eq!(found(&[inbox.clone(), list.clone(), one]).nothing_readable(), None);
        }
        let monitoring = ("http://h:8222", Way::Http, Outcome::Readable);
        assert_eq!(found(&[inbox.clone(), list, monitoring]).nothing_readable(), None);
        let silent = ("$JS.API.STREAM.LIST", Way::Publish, Outcome::NoAnswer("x".into()));
        let nothing = found(&[inbox, silent]).nothing_readable();
        assert!(nothing.is_some_and(|why| why.starts_with("nothing that is asked is answered")));
    }

    #[test]
    fn the_snippet_grants_exactly_what_is_missing() {
        let found = Examination {
            server: "n1".into(),
            version: "2.15.1".into(),
            user: None,
            account: None,
            rights: vec![
                right("_INBOX.>", Way::Subscribe, Outcome::Readable),
                right("$JS.API.STREAM.LIST", Way::Publish, Outcome::Denied("x".into())),
                right("$JS.API.CONSUMER.LIST.*", Way::Publish, Outcome::NotTried("x".into())),
                right("$SRV.STATS", Way::Publish, Outcome::NotInUse("x".into())),
                right("http://h:8222", Way::Http, Outcome::NoAnswer("x".into())),
            ],
        };
        assert_eq!(
            found.snippet(false).unwrap(),
            "permissions {\n  publish { allow: [\n    \"$JS.API.STREAM.LIST\"\n    \"$JS.API.CONSUMER.LIST.*\"\n  ] }\n  # A \"deny\" of this user that covers one of these wins over \"allow\": take it out.\n  # Add these to an \"allow\" list that is there. Where there is none the user may do all that is not denied:\n  # then taking out the \"deny\" is enough, and a new \"allow\" list would forbid everything else.\n}\n"
        );
        let all = found.snippet(true).unwrap();
        assert!(all.contains("_INBOX.>") && all.contains("$SRV.STATS") && !all.contains("http"));
        let fine = Examination { rights: vec![right("a", Way::Publish, Outcome::Readable)], ..found };
        assert_eq!(fine.snippet(false), None);
    }
}
