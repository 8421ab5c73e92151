//! The connections' turn: every server of the cluster tells its own, in pages.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;

use super::patience::{Crowd, GATHER_LONGEST, Retry};
use super::remedy;
use crate::model::id::Name;
use crate::model::observation::{Listing, Observation};
use crate::model::time::{Mono, Stamp};
use crate::source::nats::api::read;
use crate::source::nats::connections::{
    Connz, ConnzAnswer, Ledger, Own, PAGE, ServerPicture, clients, is_inbox,
};
use crate::source::nats::desk::{Desk, Part};
use crate::source::nats::tap::inboxes::Inboxes;
use crate::source::nats::wire::{Answer, Failure, Wire};

/// `CONNZ` of all servers.
pub(super) struct Connections<'a> {
    wire: &'a Wire,
    desk: &'a Desk,
    own_prefix: Option<&'a str>,
    ledger: Ledger,
    crowd: Crowd,
    retry: Retry,
    asked_who: bool,
}

/// Tells the connections and what was counted on them since the last time.
pub(in crate::source::nats) fn tell(
    desk: &Desk,
    ledger: &mut Ledger,
    pictures: &BTreeMap<Name, ServerPicture>,
    complete: bool,
    own: Option<&Own>,
    own_prefix: Option<&str>,
) {
    let inbox = |subject: &str| is_inbox(subject, own_prefix);
    desk.set_inboxes(Inboxes::of(pictures.values(), own_prefix));
    for picture in pictures.values() {
        desk.count(ledger.enter(picture, own, inbox));
    }
    let account = desk.account();
    let deliver = |subject: &str| desk.delivers_to(subject);
    let entries = clients(pictures.values(), own, account.as_deref(), inbox, deliver);
    let read_at = pictures.values().map(|picture| picture.at).min();
    let now = desk.clock().now();
    let at = desk.stamp(Stamp { mono: read_at.unwrap_or(now.mono), ..now }, None, None);
    desk.observe(at, Observation::Clients(Listing { entries, complete }));
}

/// The account that we are in; servers before 2.10 do not tell.
pub(in crate::source::nats) async fn who_we_are(wire: &Wire, longest: Duration) -> Option<Name> {
    #[derive(Default, serde::Deserialize)]
    struct Told {
        #[serde(default)]
        data: Option<User>,
    }
    #[derive(Default, serde::Deserialize)]
    struct User {
        #[serde(default)]
        account: Option<String>,
    }
    const WHO: &str = "$SYS.REQ.USER.INFO";
    let answer = wire.ask(WHO, Bytes::new(), longest).await.ok()?;
    Some(read::<Told>(WHO, &answer.payload).ok()?.data?.account?.into())
}

impl<'a> Connections<'a> {
    pub(super) fn new(wire: &'a Wire, desk: &'a Desk, own_prefix: Option<&'a str>) -> Self {
        Self {
            wire,
            desk,
            own_prefix,
            ledger: Ledger::default(),
            crowd: Crowd::default(),
            retry: Retry::default(),
            asked_who: false,
        }
    }

    /// What was refused may be asked again at once.
    pub(super) fn forgive(&mut self) {
        self.retry = Retry::default();
        self.asked_who = false;
    }

    /// What got no answer may be asked again at once.
    pub(super) fn forgive_silence(&mut self) {
        self.retry.forgive_silence();
    }

    const SUBJECT: &'static str = "$SYS.REQ.ACCOUNT.PING.CONNZ";

    pub(super) async fn turn(&mut self) {
        if !self.retry.due(self.desk.clock().now().mono) {
            return;
        }
        let server = self.wire.client().server_info();
        if server.cluster.as_deref().unwrap_or_default().is_empty() && !self.crowd.knows(&server.server_id) {
            // A server on its own, or what it has become by a restart: nobody else can answer.
            self.crowd.expect(&server.server_id);
        }
        match self.pictures().await {
            Ok((pictures, missing)) => {
                self.retry.succeeded();
                if let Some(why) = missing {
                    self.desk.missing(Part::Connections, "some connections", why, "", true);
                } else {
                    self.desk.present(&Part::Connections);
                    let crowd = &self.crowd;
                    self.ledger.retain(|id| crowd.knows(id));
                }
                if !self.asked_who {
                    self.who_we_are().await;
                }
                let own = Own { server: server.server_id.into(), cid: server.client_id };
                tell(self.desk, &mut self.ledger, &pictures, missing.is_none(), Some(&own), self.own_prefix);
            }
            Err(failure) => {
                self.retry.failed(&failure, self.desk.clock().now().mono);
                if failure != Failure::Lost {
                    let why = failure.to_string();
                    self.desk.missing(Part::Connections, "connections", &why, &remedy(&failure), true);
                }
            }
        }
    }

    /// All connections of all servers, and why some are missing, if some are.
    async fn pictures(&mut self) -> Result<(BTreeMap<Name, ServerPicture>, Option<&'static str>), Failure> {
        let mut pictures: BTreeMap<Name, ServerPicture> = BTreeMap::new();
        let mut answered = BTreeSet::new();
        let mut offset = 0;
        let mut whole = true;
        loop {
            let mut more = false;
            let mut on_page = BTreeSet::new();
            for (answer, told) in self.page(offset).await? {
                let Some(data) = told.data else { continue };
                let id: Name =
                    if told.server.id.is_empty() { data.server_id.as_str() } else { &told.server.id }.into();
                on_page.insert(id.to_string());
                self.desk.answered(answer.trip, answer.payload.len());
                if let Some(now) = data.now {
                    let name = if told.server.name.is_empty() { &*id } else { &told.server.name };
                    self.desk.learn_time(Some(name), answer.trip, now);
                }
                more |= offset + PAGE < data.total;
                Self::add(&mut pictures, id, data, answer.trip.received.mono);
            }
            if offset == 0 {
                answered = on_page;
            } else {
                whole &= answered.iter().all(|id| on_page.contains(id));
            }
            offset += PAGE;
            if !more || offset > PAGE * 200 {
                whole &= !more;
                break;
            }
        }
        let everybody = self.crowd.enter(&answered);
        if answered.is_empty() {
            return Err(Failure::Timeout { subject: Self::SUBJECT.to_owned(), after: GATHER_LONGEST });
        }
        for picture in pictures.values_mut() {
            picture.whole &= whole;
        }
        let missing = if !everybody {
            Some("a server of the cluster did not answer")
        } else if !whole {
            Some("the list changed while it was read")
        } else {
            None
        };
        Ok((pictures, missing))
    }

    fn add(pictures: &mut BTreeMap<Name, ServerPicture>, id: Name, data: Connz, at: Mono) {
        let readable = data.connections.unreadable.is_empty();
        let picture = pictures.entry(id.clone()).or_insert_with(|| ServerPicture {
            id,
            now: data.now,
            at,
            connections: Vec::new(),
            whole: true,
        });
        picture.whole &= readable;
        // A connection that left moves the pages: nobody is counted twice.
        let known: BTreeSet<u64> = picture.connections.iter().map(|one| one.cid).collect();
        picture.connections.extend(data.connections.read.into_iter().filter(|one| !known.contains(&one.cid)));
    }

    async fn who_we_are(&mut self) {
        self.asked_who = true;
        self.desk.budget().take().await;
        self.desk.requested();
        if let Some(account) = who_we_are(self.wire, GATHER_LONGEST).await {
            self.desk.note("account", account.clone());
            self.desk.set_account(Some(account));
        }
    }

    async fn page(&self, offset: usize) -> Result<Vec<(Answer, ConnzAnswer)>, Failure> {
        let body = serde_json::json!({
            "subscriptions": true, "subscriptions_detail": true, "auth": true,
            "sort": "cid", "limit": PAGE, "offset": offset,
        });
        self.desk.budget().take().await;
        self.desk.requested();
        let mut answered = BTreeSet::new();
        let mut read_ones = Vec::new();
        let patience = self.crowd.patience(self.desk.rtt());
        let result = self
            .wire
            .gather(Self::SUBJECT, Bytes::from(body.to_string()), &patience, |answer| {
                let Ok(told) = read::<ConnzAnswer>(Self::SUBJECT, &answer.payload) else { return false };
                answered.insert(told.server.id.clone());
                read_ones.push((answer.clone(), told));
                self.crowd.enough(&answered)
            })
            .await;
        result?;
        Ok(read_ones)
    }
}
