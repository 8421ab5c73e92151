//! Who is on a broker already under the store's names: nobody else's service is ever called, and nobody's reader fed.
//!
//! Three ways to see it, none of which a neighbour notices: micro services tell of themselves (`$SRV.INFO`), the servers tell
//! of the account's connections and subscriptions (`CONNZ`), and streams are listed with what they capture. Where the
//! servers may not be asked, an empty request to each of the store's request subjects shows by "no responders" that
//! nobody listens; what listens nevertheless gets that one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_nats::{Client, RequestErrorKind, StatusCode};
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use super::plan::{By, Plan};
use crate::model::subject::overlap;
use crate::topology::problem::printable;

const SERVICES: &str = "$SRV.INFO";
const CONNECTIONS: &str = "$SYS.REQ.ACCOUNT.PING.CONNZ";
/// The first answer takes no longer, on a broker at the other end of the world.
const FIRST_WITHIN: Duration = Duration::from_secs(2);
/// After an answer, another one takes no longer.
const NEXT_WITHIN: Duration = Duration::from_millis(400);
/// Who listens and does not answer is not waited for longer.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// Connections on one page.
const PAGE: u64 = 512;
/// Pages that are read of a list that grows while it is read.
const MOST_PAGES: u64 = 200;
/// Of one kind; more are counted.
const NAMED: usize = 5;

/// What is there under the store's names: each a phrase for people.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Neighbours(BTreeSet<String>);

/// The names and subjects of a plan.
struct Ours<'a> {
    services: BTreeSet<&'a str>,
    subjects: BTreeSet<&'a str>,
    requests: BTreeSet<&'a str>,
}

impl<'a> Ours<'a> {
    fn of(plan: &'a Plan) -> Self {
        let mut ours =
            Self { services: BTreeSet::new(), subjects: BTreeSet::new(), requests: BTreeSet::new() };
        for service in plan.services.values() {
            ours.services.insert(service.id.as_str());
            ours.requests.extend(service.answers.iter().map(|operation| &*operation.subject));
            ours.subjects.extend(service.outlets.values().map(|outlet| &*outlet.subject));
            ours.subjects.extend(service.reads.iter().filter_map(|read| match &read.by {
                By::Plain { subject, .. } => Some(&**subject),
                By::Durable { .. } => None,
            }));
        }
        ours.subjects.extend(plan.consumers.iter().filter_map(|c| c.deliver_subject.as_deref()));
        ours.subjects.extend(ours.requests.iter().copied());
        ours
    }

    /// The service that a connection of this name would be taken for: they are called `ID-1`, `ID-2`.
    fn service(&self, connection: &str) -> bool {
        let number = |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit());
        self.services.contains(connection)
            || connection
                .rsplit_once('-')
                .is_some_and(|(name, rest)| number(rest) && self.services.contains(name))
    }

    /// The subject of ours that a pattern takes in. Who listens to everything (`>`) listens to nothing of ours by name.
    fn subject(&self, pattern: &str) -> Option<&'a str> {
        if pattern.starts_with(['*', '>']) {
            return None;
        }
        self.subjects.iter().copied().find(|subject| overlap(pattern, subject))
    }
}

impl Neighbours {
    /// Asks the broker. `captured` are the subjects of the streams that are there, by stream.
    pub async fn find(client: &Client, plan: &Plan, captured: &BTreeMap<String, Vec<String>>) -> Self {
        let ours = Ours::of(plan);
        let mut found = Self::default();
        for (stream, subjects) in captured {
            found.stream(&ours, stream, subjects);
        }
        let one = client.server_info().cluster.is_none_or(|cluster| cluster.is_empty());
        for service in gather::<Service>(client, SERVICES, Bytes::new(), usize::MAX).await.unwrap_or_default()
        {
            found.service(&ours, &service);
        }
        if !found.connections(client, &ours, if one { 1 } else { usize::MAX }).await {
            found.listeners(client, &ours).await;
        }
        found
    }

    /// Whether nobody is there.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A list for people.
    pub fn words(&self) -> String {
        let mut words: Vec<&str> = self.0.iter().take(NAMED).map(String::as_str).collect();
        let more = format!("and {} more", self.0.len().saturating_sub(NAMED));
        if self.0.len() > NAMED {
            words.push(&more);
        }
        words.join(", ")
    }

    fn stream(&mut self, ours: &Ours<'_>, stream: &str, subjects: &[String]) {
        // A stream that captures everything would keep the store's requests, so here `>` counts.
        for pattern in subjects {
            if let Some(subject) = ours.requests.iter().find(|subject| overlap(pattern, subject)) {
                self.0.insert(format!("the stream {}, which captures {subject}", printable(stream)));
            }
        }
    }

    fn service(&mut self, ours: &Ours<'_>, service: &Service) {
        let name = printable(&service.name);
        if ours.services.contains(&*service.name) {
            self.0.insert(format!("a micro service {name}"));
        }
        for endpoint in &service.endpoints {
            if let Some(subject) = ours.subject(&endpoint.subject) {
                self.0.insert(format!("a micro service {name} on {subject}"));
            }
        }
    }

    /// Looks at connections and their subscriptions; whether the servers told of them.
    async fn connections(&mut self, client: &Client, ours: &Ours<'_>, servers: usize) -> bool {
        for page in 0..MOST_PAGES {
            let offset = page * PAGE;
            let body = serde_json::json!({
                "subscriptions": true, "subscriptions_detail": true, "sort": "cid", "limit": PAGE, "offset": offset,
            });
            let answers = gather::<Told>(client, CONNECTIONS, body.to_string().into(), servers).await;
            let told: Vec<Connz> = answers.unwrap_or_default().into_iter().filter_map(|t| t.data).collect();
            if told.is_empty() {
                return page > 0;
            }
            for connection in told.iter().flat_map(|connz| &connz.connections) {
                self.connection(ours, connection);
            }
            if !told.iter().any(|connz| offset + PAGE < connz.total) {
                break;
            }
        }
        true
    }

    fn connection(&mut self, ours: &Ours<'_>, connection: &Connection) {
        let name = printable(&connection.name);
        if ours.service(&connection.name) {
            self.0.insert(format!("a connection named {name}"));
        }
        let who = if name.is_empty() { String::new() } else { format!(" by {name}") };
        for subscription in &connection.subscriptions_list_detail {
            if let Some(subject) = ours.subject(&subscription.subject) {
                self.0.insert(format!("a subscription to {subject}{who}"));
            }
        }
    }

    /// Asks once on each request subject: only "no responders" says that nobody is there.
    async fn listeners(&mut self, client: &Client, ours: &Ours<'_>) {
        let asked = ours.requests.iter().map(|subject| async move {
            let request = async_nats::Request::new().payload(Bytes::new()).timeout(Some(ANSWER_WITHIN));
            let answer = client.send_request((*subject).to_owned(), request).await;
            let nobody = matches!(&answer, Err(error) if error.kind() == RequestErrorKind::NoResponders);
            (!nobody).then(|| format!("somebody who listens to {subject}"))
        });
        self.0.extend(futures_util::future::join_all(asked).await.into_iter().flatten());
    }
}

/// All answers to one question, at most so many; `None` when it cannot be asked. What cannot be read is no answer.
async fn gather<T: DeserializeOwned>(
    client: &Client,
    subject: &'static str,
    body: Bytes,
    most: usize,
) -> Option<Vec<T>> {
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(inbox.clone()).await.ok()?;
    client.publish_with_reply(subject, inbox, body).await.ok()?;
    let mut read = Vec::new();
    let mut until = Instant::now() + FIRST_WITHIN;
    while read.len() < most {
        let Ok(Some(answer)) = timeout_at(until, answers.next()).await else { break };
        if answer.status == Some(StatusCode::NO_RESPONDERS) {
            break;
        }
        read.extend(serde_json::from_slice::<T>(&answer.payload).ok());
        until = Instant::now() + NEXT_WITHIN;
    }
    Some(read)
}

#[derive(Deserialize)]
struct Service {
    name: String,
    #[serde(default)]
    endpoints: Vec<Endpoint>,
}

#[derive(Deserialize)]
struct Endpoint {
    #[serde(default)]
    subject: String,
}

#[derive(Deserialize)]
struct Told {
    data: Option<Connz>,
}

#[derive(Deserialize)]
struct Connz {
    #[serde(default)]
    total: u64,
    #[serde(default)]
    connections: Vec<Connection>,
}

#[derive(Deserialize)]
struct Connection {
    #[serde(default)]
    name: String,
    #[serde(default)]
    subscriptions_list_detail: Vec<Subscription>,
}

#[derive(Deserialize)]
struct Subscription {
    #[serde(default)]
    subject: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::sample;

    fn found(look: impl Fn(&mut Neighbours, &Ours<'_>)) -> String {
        let topology = sample::load().topology.unwrap();
        let plan = Plan::of(&topology, "main");
        let mut found = Neighbours::default();
        look(&mut found, &Ours::of(&plan));
        found.words()
    }

    fn connection(name: &str, subjects: &[&str]) -> Connection {
        let subscription = |subject: &&str| Subscription { subject: (*subject).to_owned() };
        Connection {
            name: name.to_owned(),
            subscriptions_list_detail: subjects.iter().map(subscription).collect(),
        }
    }

    #[test]
    fn services_of_our_names_or_on_our_subjects_are_found() {
        let service = |name: &str, subject: &str| Service {
            name: name.to_owned(),
            endpoints: vec![Endpoint { subject: subject.to_owned() }],
        };
        assert_eq!(found(|f, o| f.service(o, &service("accounts", "a.b"))), "a micro service accounts");
        assert_eq!(
            found(|f, o| f.service(o, &service("users\u{1b}", "accounts.user.get"))),
            "a micro service users\\u{1b} on accounts.user.get"
        );
        assert_eq!(found(|f, o| f.service(o, &service("users", "users.get"))), "");
    }

    #[test]
    fn connections_of_our_names_or_on_our_subjects_are_found() {
        assert_eq!(
            found(|f, o| f.connection(o, &connection("accounts-2", &[]))),
            "a connection named accounts-2"
        );
        assert_eq!(
            found(|f, o| f.connection(o, &connection("accounts-eu", &["$SRV.INFO", "_INBOX.a.*"]))),
            ""
        );
        assert_eq!(
            found(|f, o| f.connection(o, &connection("", &["accounts.*.get"]))),
            "a subscription to accounts.user.get"
        );
        assert_eq!(
            found(|f, o| f.connection(o, &connection("theirs", &["orders.created"]))),
            "a subscription to orders.created by theirs"
        );
        assert_eq!(
            found(|f, o| f.connection(o, &connection("logger", &[">", "*.>"]))),
            "",
            "no name of ours"
        );
    }

    #[test]
    fn streams_that_keep_our_requests_are_found() {
        assert_eq!(
            found(|f, o| f.stream(o, "AUDIT", &["accounts.user.>".to_owned()])),
            "the stream AUDIT, which captures accounts.user.get"
        );
        assert_eq!(found(|f, o| f.stream(o, "THEIRS", &["theirs.>".to_owned()])), "");
    }

    #[test]
    fn a_long_list_is_counted() {
        let words = found(|f, o| {
            for n in 1..=7 {
                f.connection(o, &connection(&format!("accounts-{n}"), &[]));
            }
        });
        assert!(words.ends_with("a connection named accounts-5, and 2 more"), "{words}");
    }
}
