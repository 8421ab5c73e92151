//! The monitoring endpoints of servers (`--monitor URL`): what the connection may not read, and everything when
//! there is no connection.
//!
//! Each endpoint speaks for one server. Of streams and consumers only the leader's numbers are right, so others'
//! are left out; without all servers of a cluster the lists are partial. Messages cannot be read here, so the
//! oldest one left is between the ends of its stream.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use super::backlog::{Finds, Look, Work, look, unread};
use super::clock::RoundTrip;
use super::connections::{Connz, Ledger, Own, PAGE, ServerPicture};
use super::desk::{Desk, Part};
use super::lenient::{Entries, entries, one_line, or_default, time};
use super::options::NatsOptions;
use super::poll::{Link, tell_connections};
use super::streams::StreamInfo;
use super::systems::{System, Systems};
use crate::model::id::{ChannelId, ConsumerId, Name};
use crate::model::observation::{BacklogReport, ChannelReport, Listing, Observation};
use crate::model::time::{Mono, Timestamp};
use crate::source::health::get::{client, get_up_to};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(2);
/// One answer may take so long.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The most that is read of one answer: about 20 000 consumers.
const LARGEST: usize = 32 * 1024 * 1024;
/// Pages of connections read at most.
const MOST_PAGES: usize = 200;

#[derive(Debug, Default, Deserialize)]
struct Varz {
    #[serde(default, deserialize_with = "or_default")]
    server_id: String,
    #[serde(default, deserialize_with = "or_default")]
    server_name: String,
    #[serde(default, deserialize_with = "or_default")]
    version: String,
    #[serde(default, deserialize_with = "time")]
    now: Option<Timestamp>,
    #[serde(default, deserialize_with = "or_default")]
    cluster: ClusterName,
    #[serde(default, deserialize_with = "or_default")]
    system_account: String,
    #[serde(default, deserialize_with = "or_default")]
    jetstream: VarzJetStream,
    /// Connections that it closed because they read too slowly, since it started; of all accounts.
    #[serde(default)]
    slow_consumers: Option<u64>,
    /// Open connections to other servers of its cluster.
    #[serde(default)]
    routes: Option<u64>,
}

impl Varz {
    /// What is told of the server itself, for the facts of the source.
    fn notes(&self) -> Vec<(String, String)> {
        let name = one_line(&self.server_name);
        let of = |what: &str, count: Option<u64>, unit: &str| {
            count.map(|count| (format!("{what} of {name}"), format!("{count}{unit}")))
        };
        let slow = of("slow consumers", self.slow_consumers, " since it started");
        slow.into_iter().chain(of("routes", self.routes, "")).collect()
    }
}

#[derive(Debug, Default, Deserialize)]
struct VarzJetStream {
    #[serde(default, deserialize_with = "or_default")]
    config: VarzJetStreamConfig,
}

#[derive(Debug, Default, Deserialize)]
struct VarzJetStreamConfig {
    #[serde(default, deserialize_with = "or_default")]
    domain: String,
}

#[derive(Debug, Default, Deserialize)]
struct Accountz {
    #[serde(default, deserialize_with = "or_default")]
    accounts: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
struct ClusterName {
    #[serde(default, deserialize_with = "or_default")]
    name: String,
}

#[derive(Debug, Default, Deserialize)]
struct Jsz {
    #[serde(default, deserialize_with = "or_default")]
    disabled: bool,
    #[serde(default, deserialize_with = "entries")]
    account_details: Entries<Account>,
    #[serde(default, deserialize_with = "or_default")]
    meta_cluster: Meta,
}

#[derive(Debug, Default, Deserialize)]
struct Meta {
    #[serde(default, deserialize_with = "or_default")]
    cluster_size: usize,
}

#[derive(Debug, Default, Deserialize)]
struct Account {
    name: String,
    #[serde(default, deserialize_with = "entries")]
    stream_detail: Entries<StreamInfo>,
}

/// Asks the endpoints.
pub(super) struct Monitor<'a> {
    http: reqwest::Client,
    options: &'a NatsOptions,
    desk: &'a Desk,
    ledger: Ledger,
}

/// One server that answered.
struct Server {
    url: String,
    name: String,
    id: String,
    trip: RoundTrip,
}

impl<'a> Monitor<'a> {
    /// `None` when there is nothing to ask; then and when HTTP cannot be set up, nothing is asked.
    pub(super) fn new(options: &'a NatsOptions, desk: &'a Desk) -> Option<Self> {
        if options.monitors.is_empty() {
            return None;
        }
        match client(options.tls.ca.as_deref()) {
            Ok(http) => Some(Self { http, options, desk, ledger: Ledger::default() }),
            Err(error) => {
                desk.missing(Part::Monitoring("".into()), "monitoring", &error.to_string(), "", true);
                None
            }
        }
    }

    /// Looks every now and then, until another source is found to watch the same system; that is asked only where nothing but
    /// monitoring is read.
    pub(super) async fn run(
        &mut self,
        link: &watch::Sender<Link>,
        systems: &Systems,
        own: impl Fn() -> Option<Own>,
    ) {
        let least = self.options.interval.map_or(EVERY, |asked| asked.max(EVERY));
        let mut before = Duration::ZERO;
        let mut alone = !systems.several() || !self.options.servers.is_empty();
        loop {
            if !alone {
                let Some(system) = self.system().await else {
                    systems.not_reached(self.desk.source());
                    self.turn(false, None).await;
                    self.desk.report();
                    tokio::time::sleep(least).await;
                    continue;
                };
                if let Some(other) = systems.take(self.desk.source(), system).await {
                    self.desk.step_aside(other);
                    self.desk.report();
                    return;
                }
                alone = true;
            }
            let began = self.desk.clock().now().mono;
            let connected = *link.borrow() != Link::Down;
            if !connected {
                // The connection has rounds of its own, and more of them.
                self.desk.begin_round(false);
            }
            self.turn(connected, own()).await;
            if !connected {
                self.desk.end_round();
            }
            self.desk.report();
            let spent = self.desk.clock().now().mono.since(began);
            // As with the connection: at most a tenth of the time, by what looks usually take. One that hung tells nothing of that.
            let busy = if spent < TIMEOUT { spent } else { Duration::ZERO };
            let usual = busy.min(std::mem::replace(&mut before, busy));
            tokio::time::sleep(least.max(usual.saturating_mul(9))).await;
        }
    }

    /// Which system this is, told by the first server that answers.
    async fn system(&self) -> Option<System> {
        for url in &self.options.monitors {
            let url = url.trim_end_matches('/');
            let Ok((varz, _)) = self.ask::<Varz>(url, "/varz").await else { continue };
            let accounts = self.ask::<Accountz>(url, "/accountz").await.ok().map(|(told, _)| {
                let others = told.accounts.iter().filter(|name| **name != varz.system_account);
                others.map(|name| Name::from(name.as_str())).collect::<Vec<_>>()
            });
            let domain = &varz.jetstream.config.domain;
            return Some(System::monitored(&varz.server_id, domain, accounts.as_deref(), self.options));
        }
        None
    }

    async fn turn(&mut self, connected: bool, own: Option<Own>) {
        let mut servers = Vec::new();
        let mut last_error = None;
        for url in &self.options.monitors {
            let url = url.trim_end_matches('/');
            let shown = super::secret::Redacted(url).to_string();
            let part = Part::Monitoring(shown.as_str().into());
            match self.ask::<Varz>(url, "/varz").await {
                Ok((varz, trip)) => {
                    self.desk.present(&part);
                    for (key, value) in varz.notes() {
                        self.desk.note(&key, value);
                    }
                    if let Some(now) = varz.now {
                        self.desk.learn_time(Some(&varz.server_name), trip, now);
                    }
                    if !connected && servers.is_empty() {
                        let cluster = Some(varz.cluster.name.as_str()).filter(|name| !name.is_empty());
                        self.desk.monitored(&varz.server_name, &varz.version, cluster);
                    }
                    // Two addresses of one server are one server.
                    if !servers.iter().any(|server: &Server| server.id == varz.server_id) {
                        servers.push(Server {
                            url: url.to_owned(),
                            name: varz.server_name,
                            id: varz.server_id,
                            trip,
                        });
                    }
                }
                Err(why) => {
                    let what = format!("monitoring at {shown}");
                    self.desk.missing(part, &what, &why, "check the address given with --monitor", true);
                    last_error = Some(format!("{shown}: {why}"));
                }
            }
        }
        if servers.is_empty() || connected {
            self.desk.unmonitored(last_error.as_deref());
        }
        if servers.is_empty() {
            return;
        }
        if !connected || self.desk.why_missing(&Part::Streams).is_some() {
            self.streams(&servers).await;
        }
        if !connected || self.desk.why_missing(&Part::Connections).is_some() {
            self.connections(&servers, own).await;
        }
        if !connected {
            let why = "only monitoring is read, no connection is made";
            self.desk.missing(Part::Responders, "request statistics", why, "connect with --nats", false);
            self.desk.missing(
                Part::Advisories,
                "what JetStream tells by itself",
                why,
                "connect with --nats",
                false,
            );
        }
    }

    async fn ask<T: DeserializeOwned>(&self, url: &str, path: &str) -> Result<(T, RoundTrip), String> {
        self.desk.budget().take().await;
        self.desk.requested();
        let sent = self.desk.clock().now();
        let response = get_up_to(&self.http, &format!("{url}{path}"), TIMEOUT, LARGEST).await?;
        let received = self.desk.clock().now();
        if response.too_large {
            return Err(format!("{path} answered more than {} MiB", LARGEST / 1024 / 1024));
        }
        if response.status != 200 {
            return Err(format!("{path} answered HTTP {}", response.status));
        }
        let value = serde_json::from_slice(&response.body).map_err(|error| {
            format!("{path} answered what cannot be read: {}", one_line(&error.to_string()))
        })?;
        Ok((value, RoundTrip { sent, received }))
    }

    async fn streams(&self, servers: &[Server]) {
        let mut accounts: BTreeMap<String, BTreeMap<String, (StreamInfo, RoundTrip)>> = BTreeMap::new();
        let mut members = 1;
        let mut complete = true;
        for server in servers {
            let path = "/jsz?accounts=1&streams=1&consumers=1&config=1&limit=1024";
            let Ok((jsz, trip)) = self.ask::<Jsz>(&server.url, path).await else {
                complete = false;
                continue;
            };
            if jsz.disabled {
                continue;
            }
            members = members.max(jsz.meta_cluster.cluster_size);
            complete &= jsz.account_details.unreadable.is_empty();
            for account in jsz.account_details.read {
                complete &= account.stream_detail.unreadable.is_empty();
                let streams = accounts.entry(account.name).or_default();
                for info in account.stream_detail.read {
                    if info.leader().is_none_or(|leader| leader == server.name || leader == server.id) {
                        streams.insert(info.config.name.clone(), (info, trip));
                    }
                }
            }
        }
        let others = members.saturating_sub(servers.len());
        complete &= others == 0;
        accounts.retain(|_, streams| !streams.is_empty());
        if let Some(own) = self.desk.account() {
            accounts.retain(|name, _| **name == *own);
        }
        let several = accounts.len() > 1;
        let mut reports: Vec<ChannelReport> = Vec::new();
        let mut deliver_subjects = BTreeSet::new();
        let mut at = self.desk.clock().now();
        let mut consumers = Vec::new();
        for (account, streams) in &accounts {
            for (stream, (info, trip)) in streams {
                // A stream's name has no dot, so this is no other stream's name.
                let name = if several { format!("{account}.{stream}") } else { stream.clone() };
                at = self.desk.stamp(trip.answer(), info.leader(), None);
                reports.push(info.report(self.desk.source(), &name));
                deliver_subjects.extend(
                    info.consumer_detail
                        .read
                        .iter()
                        .map(|one| Name::from(one.config.deliver_subject.as_str())),
                );
                consumers.push((name, info, *trip));
            }
        }
        self.desk.supplied(Part::Streams, complete);
        if others > 0 && self.options.servers.is_empty() {
            let why = format!("monitoring is read of {} of {members} servers", servers.len());
            let remedy = "give the others too: --monitor may be given several times";
            self.desk.missing(Part::Streams, "streams that the others lead", &why, remedy, true);
        } else if self.options.servers.is_empty() {
            self.desk.present(&Part::Streams);
        }
        self.desk.set_deliver_subjects(deliver_subjects);
        self.desk.observe(at, Observation::Channels(Listing { entries: reports, complete }));
        for (name, info, trip) in consumers {
            self.consumers(&name, info, trip);
        }
    }

    fn consumers(&self, stream: &str, info: &StreamInfo, trip: RoundTrip) {
        let desk = self.desk;
        let told = info.consumer_detail.read.first().and_then(|one| one.ts);
        let at = desk.stamp(trip.answer(), info.leader(), told);
        let all = &info.consumer_detail.read;
        let entries = all.iter().map(|one| one.report(desk.source(), stream)).collect();
        let complete = info.consumer_detail.unreadable.is_empty();
        let missing =
            info.consumer_detail.unreadable.iter().filter(|name| &***name != "?").cloned().collect();
        let channel = ChannelId::named(desk.source(), stream);
        desk.observe(at, Observation::Consumers { channel, listing: Listing { entries, complete }, missing });
        let mut finds = Finds::default();
        for one in all {
            let Some(work) = Work::of(one, info) else { continue };
            let (oldest, channel_seq, how) = match look(&work, &mut finds, info, Mono::default()) {
                Look::Oldest(oldest, seq) => (oldest, Some(seq), work.how.to_owned()),
                Look::Stale => continue,
                Look::Ask(_) => {
                    let (oldest, how) = unread(info, "monitoring tells no message's time");
                    (oldest, None, how)
                }
            };
            desk.observe(
                at,
                Observation::Backlog(BacklogReport {
                    consumer: ConsumerId::named(desk.source(), stream, &one.name),
                    oldest,
                    channel_seq,
                    stamped_by: info.leader().map(Into::into),
                    how: how.into(),
                }),
            );
        }
    }

    async fn connections(&mut self, servers: &[Server], own: Option<Own>) {
        let mut pictures: BTreeMap<Name, ServerPicture> = BTreeMap::new();
        for server in servers {
            let id: Name = server.id.as_str().into();
            let mut picture = ServerPicture {
                id: id.clone(),
                now: None,
                at: server.trip.received.mono,
                connections: Vec::new(),
                whole: false,
            };
            for page in 0..MOST_PAGES {
                let offset = page * PAGE;
                let path = format!("/connz?subs=detail&auth=1&sort=cid&limit={PAGE}&offset={offset}");
                let Ok((connz, trip)) = self.ask::<Connz>(&server.url, &path).await else { break };
                if page == 0 {
                    (picture.now, picture.at) = (connz.now, trip.received.mono);
                }
                let readable = connz.connections.unreadable.is_empty();
                picture.connections.extend(connz.connections.read);
                if offset + PAGE >= connz.total {
                    picture.whole = readable;
                    break;
                }
            }
            if let Some(own) = self.desk.account() {
                picture.connections.retain(|one| one.account.is_empty() || *one.account == *own);
            }
            pictures.insert(id, picture);
        }
        let complete = pictures.values().all(|picture| picture.whole);
        self.desk.supplied(Part::Connections, complete);
        tell_connections(
            self.desk,
            &mut self.ledger,
            &pictures,
            complete,
            own.as_ref(),
            self.options.inbox_prefix.as_deref(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_tells_of_slow_consumers_and_routes_and_what_it_does_not_tell_is_no_zero() {
        let told = |text: &str| serde_json::from_str::<Varz>(text).unwrap().notes();
        let one = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let whole = r#"{"server_name":"n1","slow_consumers":2,"routes":0}"#;
        let expected = [one("slow consumers of n1", "2 since it started"), one("routes of n1", "0")];
        assert_eq!(told(whole), expected);
        assert_eq!(told(r#"{"server_name":"n1"}"#), []);
    }
}
