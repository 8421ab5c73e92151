//! Connections: `CONNZ` of every server, grouped by name, and the deltas of its counters.
//!
//! Programs without a name are grouped by what else tells them apart: the micro services that they answer
//! for and their queue groups. Those that have neither stay one group, of which nothing is known.
//!
//! The broker counts for each subscription how many messages it was handed, and for each connection how
//! many it sent in. Differences between two polls are the live rates, without listening to anything:
//!
//! * A connection or subscription that is seen for the first time gives no difference, unless the server
//!   says that it began after the previous poll: then it counts from zero.
//! * A counter that went back gives none either. Nothing is ever negative and nothing jumps.
//! * What has ended goes on for a while as a count of zero: what it counted last is no rate of now.
//! * A server that did not answer keeps its counters here: when it answers again, the difference covers the
//!   whole time, and so does the span it is told with.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use serde::Deserialize;

use super::lenient::{Entries, entries, filled, or_default, time};
use crate::model::id::Name;
use crate::model::observation::{ClientReport, Library, Span, SubscriptionReport};
use crate::model::time::{Mono, Timestamp};
use crate::model::traffic::{Count, OTHER, TrafficKey};
use crate::source::fold::fold;

/// Connections on one page. 200 of them with subscriptions are about 90 kB.
pub(super) const PAGE: usize = 512;
/// Hosts told per client name.
const HOSTS: usize = 8;
/// Subscriptions told per client name; more are told as one called `other`.
const SUBSCRIPTIONS: usize = 1000;

/// One server's answer.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ConnzAnswer {
    #[serde(default)]
    pub server: ServerTold,
    #[serde(default)]
    pub data: Option<Connz>,
}

/// Who answers.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct ServerTold {
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub id: String,
}

/// The connections of one server, a page of them; `/connz` has the same shape.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Connz {
    #[serde(default, deserialize_with = "or_default")]
    pub server_id: String,
    #[serde(default, deserialize_with = "time")]
    pub now: Option<Timestamp>,
    #[serde(default, deserialize_with = "or_default")]
    pub total: usize,
    #[serde(default, deserialize_with = "entries")]
    pub connections: Entries<Connection>,
}

/// A connection.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Connection {
    pub cid: u64,
    /// `Client`, `Leafnode`, …; older servers do not tell.
    #[serde(default, deserialize_with = "or_default")]
    kind: String,
    #[serde(default, deserialize_with = "or_default")]
    ip: String,
    #[serde(default, deserialize_with = "time")]
    start: Option<Timestamp>,
    #[serde(default, deserialize_with = "or_default")]
    pending_bytes: u64,
    #[serde(default)]
    in_msgs: Option<u64>,
    #[serde(default, deserialize_with = "or_default")]
    in_bytes: u64,
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    lang: String,
    #[serde(default, deserialize_with = "or_default")]
    version: String,
    #[serde(default, deserialize_with = "or_default")]
    authorized_user: String,
    #[serde(default, deserialize_with = "or_default")]
    pub account: String,
    #[serde(default, deserialize_with = "or_default")]
    mqtt_client: String,
    #[serde(default, deserialize_with = "or_default")]
    subscriptions_list_detail: Vec<Subscription>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Subscription {
    #[serde(default, deserialize_with = "or_default")]
    subject: String,
    #[serde(default, deserialize_with = "or_default")]
    qgroup: String,
    #[serde(default, deserialize_with = "or_default")]
    sid: String,
    #[serde(default)]
    msgs: Option<u64>,
}

impl Connection {
    pub(super) fn name(&self) -> Option<Name> {
        filled(&self.name).or_else(|| filled(&self.mqtt_client))
    }

    /// What it listens to.
    pub(super) fn subjects(&self) -> impl Iterator<Item = &str> {
        self.subscriptions_list_detail.iter().map(|one| one.subject.as_str())
    }

    /// The micro services that it answers for, if it has no name: each listens on `$SRV.PING.NAME`.
    fn answers_for(&self) -> Vec<Name> {
        if self.name().is_some() {
            return Vec::new();
        }
        let subjects = self.subscriptions_list_detail.iter().map(|one| one.subject.as_str());
        let names = subjects.filter_map(|subject| subject.strip_prefix("$SRV.PING."));
        // `$SRV.PING.NAME.ID` is the same program's, of one instance.
        let names: BTreeSet<Name> = names.filter(|name| !name.contains('.')).filter_map(filled).collect();
        names.into_iter().collect()
    }

    /// The name, or what stands in for it (see [`ClientReport::stand_in`]).
    fn counted_as(&self) -> Option<Name> {
        self.name().or_else(|| {
            let groups = self.subscriptions_list_detail.iter().filter(|one| !one.qgroup.is_empty());
            let groups: BTreeSet<&str> = groups.map(|one| one.qgroup.as_str()).collect();
            let services = self.answers_for().into_iter().map(|name| format!("micro service {name}"));
            let groups = groups.into_iter().map(|group| format!("queue group {group}"));
            let marks: Vec<String> = services.chain(groups).collect();
            filled(&marks.join(", "))
        })
    }

    /// Whether a program is at its other end, and no server.
    fn is_program(&self) -> bool {
        matches!(self.kind.as_str(), "" | "Client")
    }
}

/// All connections of one server at one moment.
#[derive(Debug)]
pub(super) struct ServerPicture {
    pub id: Name,
    pub now: Option<Timestamp>,
    pub at: Mono,
    pub connections: Vec<Connection>,
    /// Whether these are all of them.
    pub whole: bool,
}

/// Which connection is our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Own {
    pub server: Name,
    pub cid: u64,
}

/// Whether a subject is where somebody waits for answers: `_INBOX.`, a requester's private address across
/// accounts, our own prefix, or one of the same shape under a prefix of somebody's choice.
pub(super) fn is_inbox(subject: &str, own_prefix: Option<&str>) -> bool {
    let under = |prefix: &str| subject.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.'));
    if under("_INBOX") || under("_R_") || own_prefix.is_some_and(under) {
        return true;
    }
    let mut tokens = subject.rsplit('.');
    match tokens.next() {
        Some("*" | ">") => tokens.next().is_some_and(is_nuid),
        Some(last) => is_nuid(last) && tokens.next().is_some(),
        None => false,
    }
}

/// 22 letters and digits, as every NATS client makes unique names.
fn is_nuid(token: &str) -> bool {
    token.len() == 22
        && token.bytes().all(|b| b.is_ascii_alphanumeric())
        && token.bytes().any(|b| b.is_ascii_digit())
        && token.bytes().any(|b| b.is_ascii_uppercase())
}

/// What is not counted any more, as its connection or subscription has ended, is told to be nothing for so long.
const ENDED: Duration = Duration::from_secs(15);

/// The counters as they stood at the last poll.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    servers: HashMap<Name, ServerLedger>,
    /// What has been counted lately: when, and by which server, if that is still part of the cluster.
    counted: HashMap<TrafficKey, (Option<Name>, Mono)>,
}

#[derive(Debug, Default)]
struct ServerLedger {
    /// The server's own time at the last poll.
    now: Option<Timestamp>,
    /// Ours.
    at: Mono,
    connections: HashMap<u64, ConnectionLedger>,
}

#[derive(Debug)]
struct ConnectionLedger {
    at: Mono,
    sent: Option<(u64, u64)>,
    subscriptions: HashMap<String, u64>,
}

impl Ledger {
    /// Enters one server's picture and gives what was counted since its last one.
    pub(super) fn enter(
        &mut self,
        picture: &ServerPicture,
        own: Option<&Own>,
        skip: impl Fn(&str) -> bool,
    ) -> Vec<(TrafficKey, Count)> {
        let mut counted: HashMap<TrafficKey, Count> = HashMap::new();
        let known = self.servers.contains_key(&picture.id);
        let server = self.servers.entry(picture.id.clone()).or_default();
        let mut seen = HashSet::with_capacity(picture.connections.len());
        // What is there and cannot be counted this time.
        let mut unknown = HashSet::new();
        for connection in &picture.connections {
            seen.insert(connection.cid);
            let is_own = own.is_some_and(|own| own.server == picture.id && own.cid == connection.cid);
            let before = server.connections.remove(&connection.cid);
            let counted_as = connection.counted_as();
            // Newer than the last poll by the server's own clock: everything it counted is since then.
            let is_new = known
                && before.is_none()
                && matches!((connection.start, server.now), (Some(start), Some(last)) if start > last);
            let began = match (connection.start, picture.now) {
                (Some(start), Some(now)) if is_new => picture.at.before(now.age_since(start)),
                _ => server.at,
            };
            let since = before.as_ref().map_or(server.at.max(began), |before| before.at);
            let span = Span { from: since, to: picture.at };
            let usable = !is_own && (before.is_some() || is_new);
            let mut add = |key: TrafficKey, messages: u64, bytes: u64| {
                self.counted.insert(key.clone(), (Some(picture.id.clone()), picture.at));
                counted.entry(key).or_default().add(&Count { messages, bytes, span, ..Count::default() });
            };

            let sent = connection.in_msgs.map(|messages| (messages, connection.in_bytes));
            let sent_before = before.as_ref().map_or(is_new.then_some((0, 0)), |before| before.sent);
            let key = TrafficKey::Published { client: counted_as.clone() };
            match (sent, sent_before) {
                (Some(now), Some(then)) if usable && now.0 >= then.0 && now.1 >= then.1 => {
                    add(key, now.0 - then.0, now.1 - then.1);
                }
                _ => drop(unknown.insert(key)),
            }

            let mut subscriptions = HashMap::with_capacity(connection.subscriptions_list_detail.len());
            for subscription in &connection.subscriptions_list_detail {
                let Some(messages) = subscription.msgs else { continue };
                let last = before.as_ref().and_then(|before| before.subscriptions.get(&subscription.sid));
                subscriptions.insert(subscription.sid.clone(), messages);
                // On a connection that was there before, a new subscription counts from zero.
                let last = last.copied().unwrap_or(0);
                if skip(&subscription.subject) {
                    continue;
                }
                let key = TrafficKey::Delivered {
                    client: counted_as.clone(),
                    subject: fold(&subscription.subject).into(),
                    queue: filled(&subscription.qgroup),
                };
                match messages.checked_sub(last).filter(|_| usable) {
                    Some(messages) => add(key, messages, 0),
                    None => drop(unknown.insert(key)),
                }
            }
            let entry = ConnectionLedger { at: picture.at, sent, subscriptions };
            server.connections.insert(connection.cid, entry);
        }
        if picture.whole {
            server.connections.retain(|cid, _| seen.contains(cid));
            let span = Span { from: server.at, to: picture.at };
            self.counted.retain(|key, (by, at)| {
                let here = by.as_ref().is_none_or(|by| *by == picture.id);
                if here && known && !counted.contains_key(key) && !unknown.contains(key) {
                    counted.insert(key.clone(), Count { span, ..Count::default() });
                }
                picture.at.since(*at) < ENDED
            });
        }
        server.now = picture.now;
        server.at = picture.at;
        let mut counted: Vec<_> = counted.into_iter().collect();
        counted.sort_by(|a, b| a.0.cmp(&b.0));
        counted
    }

    /// Forgets servers that are no longer part of the cluster.
    pub(super) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.servers.retain(|id, _| keep(id));
        for (by, _) in self.counted.values_mut() {
            if by.as_ref().is_some_and(|by| !keep(by)) {
                *by = None;
            }
        }
    }
}

/// The programs connected to all servers, by name (or what stands in for it), user and account.
pub(super) fn clients<'a>(
    pictures: impl IntoIterator<Item = &'a ServerPicture>,
    own: Option<&Own>,
    account: Option<&str>,
    skip: impl Fn(&str) -> bool,
    deliver_subject: impl Fn(&str) -> bool,
) -> Vec<ClientReport> {
    #[derive(Default)]
    struct Group {
        name: Option<Name>,
        answers_for: Vec<Name>,
        libraries: BTreeSet<Library>,
        connections: u32,
        hosts: BTreeSet<Name>,
        since: Option<Timestamp>,
        subscriptions: BTreeSet<SubscriptionReport>,
        pending_bytes: u64,
    }
    /// Name or what stands in for it, user, account, and whether it is our own.
    type Who = (Option<Name>, Option<Name>, Option<Name>, bool);
    let mut groups: BTreeMap<Who, Group> = BTreeMap::new();
    for picture in pictures {
        for connection in picture.connections.iter().filter(|one| one.is_program()) {
            let is_own = own.is_some_and(|own| own.server == picture.id && own.cid == connection.cid);
            let account = filled(&connection.account).or_else(|| account.map(Into::into));
            let key = (connection.counted_as(), filled(&connection.authorized_user), account, is_own);
            let group = groups.entry(key).or_default();
            group.name = connection.name();
            group.answers_for = connection.answers_for();
            group.connections = group.connections.saturating_add(1);
            if let Some(lang) = filled(&connection.lang) {
                group.libraries.insert(Library { lang, version: connection.version.as_str().into() });
            }
            if group.hosts.len() < HOSTS {
                group.hosts.extend(filled(&connection.ip));
            }
            group.since = match (group.since, connection.start) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            group.pending_bytes = group.pending_bytes.saturating_add(connection.pending_bytes);
            for subscription in &connection.subscriptions_list_detail {
                let subject: Name = if deliver_subject(&subscription.subject) {
                    // Kept as it is: it is what ties a push consumer to its program.
                    subscription.subject.as_str().into()
                } else if skip(&subscription.subject) {
                    continue;
                } else {
                    fold(&subscription.subject).into()
                };
                let queue = filled(&subscription.qgroup);
                if group.subscriptions.len() < SUBSCRIPTIONS {
                    group.subscriptions.insert(SubscriptionReport { subject, queue });
                } else {
                    group.subscriptions.insert(SubscriptionReport { subject: OTHER.into(), queue: None });
                }
            }
        }
    }
    groups
        .into_iter()
        .map(|((counted_as, user, account, own), group)| ClientReport {
            stand_in: counted_as.filter(|_| group.name.is_none()),
            name: group.name,
            answers_for: group.answers_for,
            user,
            account,
            libraries: group.libraries.into_iter().collect(),
            connections: group.connections,
            hosts: group.hosts.into_iter().collect(),
            since: group.since,
            subscriptions: group.subscriptions.into_iter().collect(),
            pending_bytes: group.pending_bytes,
            own,
        })
        .collect()
}
