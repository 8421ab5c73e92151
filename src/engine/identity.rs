//! Who a runtime name belongs to: what the topology says first, what its rules derive else.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::id::{Name, ServiceId, SourceId};
use crate::model::observation::{ClientReport, ConsumerReport, Delivery};
use crate::topology::Topology;
use crate::topology::bind::{Binding, Clue, ConsumerNames};
use crate::topology::declared::{Address, NameKind};

/// What micro-service libraries call their queue group unless told otherwise: it names nobody.
const ANY_GROUP: &str = "q";

/// Asks the topology and its rules.
#[derive(Clone, Copy)]
pub(super) struct Identity<'a> {
    /// Empty when there are no files: then everything is derived.
    pub(super) topology: &'a Topology,
    /// Sources with their kinds.
    pub(super) sources: &'a BTreeMap<SourceId, Name>,
    /// Sources that stepped aside, with the one that watches the same system.
    pub(super) aside: &'a BTreeMap<SourceId, SourceId>,
    /// Brokers that the topology names or has named, with their servers' addresses.
    pub(super) named: &'a BTreeMap<SourceId, Vec<String>>,
}

impl Identity<'_> {
    /// Who a group of connections is: by name (or the micro services of those that have none), queue groups and user.
    pub(super) fn client(&self, client: &ClientReport, known: &BTreeSet<ServiceId>) -> Binding {
        let mut clues = Vec::new();
        if let Some(name) = &client.name {
            clues.push(Clue::Name(NameKind::NatsClientName, name));
        }
        clues.extend(client.answers_for.iter().map(|name| Clue::Name(NameKind::NatsMicro, name)));
        for queue in client.subscriptions.iter().filter_map(|s| s.queue.as_deref()) {
            if queue != ANY_GROUP {
                clues.push(Clue::Name(NameKind::NatsQueue, queue));
            }
        }
        if let Some(user) = &client.user {
            clues.push(Clue::Name(NameKind::NatsUser, user));
        }
        self.topology.bind(&clues, known)
    }

    /// Who a responder is.
    pub(super) fn responder(&self, name: &str, known: &BTreeSet<ServiceId>) -> Binding {
        self.topology.bind(&[Clue::Name(NameKind::NatsMicro, name)], known)
    }

    /// Who a consumer is.
    pub(super) fn consumer(
        &self,
        source: &SourceId,
        stream: &str,
        name: &str,
        report: Option<&ConsumerReport>,
        known: &BTreeSet<ServiceId>,
    ) -> Binding {
        let (deliver_subject, queue) = match report.map(|r| &r.delivery) {
            Some(Delivery::Push { subject, queue, .. }) => (Some(&**subject), queue.as_deref()),
            _ => (None, None),
        };
        self.topology.bind_consumer(
            &ConsumerNames {
                source: self.broker_of(source),
                stream,
                name,
                durable: report.is_none_or(|r| r.durable),
                deliver_subject: deliver_subject.filter(|s| !s.starts_with("_INBOX")),
                queue,
            },
            known,
        )
    }

    /// The declared broker that a source watches: the one of its name, or, when neither name is used on the other side
    /// (an address was given and no name), the one of its kind that nobody else watches.
    pub(super) fn broker_of<'s>(&'s self, source: &'s SourceId) -> &'s str {
        if self.topology.brokers.contains_key(source.as_str()) {
            return source.as_str();
        }
        let aside = |broker: &&Name| self.aside.get(&***broker) == Some(source);
        if let Some(broker) = self.topology.brokers.keys().find(aside) {
            return broker;
        }
        let kind = self.sources.get(source);
        let mut unwatched = self
            .topology
            .brokers
            .values()
            .filter(|broker| kind.is_none_or(|kind| kind.is_empty() || **kind == *broker.kind.word()))
            .map(|broker| &broker.id)
            .filter(|broker| !self.sources.contains_key(&***broker));
        match (unwatched.next(), unwatched.next()) {
            (Some(only), None) if self.may_be(source, only) => only,
            _ => source.as_str(),
        }
    }

    /// Whether a source may watch a broker of another name: a source that an edit of the topology left behind watches the
    /// server that it was started with.
    fn may_be(&self, source: &SourceId, broker: &Name) -> bool {
        let Some(before) = self.named.get(source) else { return true };
        let now = self.topology.brokers.get(broker).into_iter().flat_map(|broker| &broker.servers);
        now.map(Address::shown).any(|server| before.contains(&server))
    }

    /// Whether a declared broker (any, when absent) is the one that a source watches.
    pub(super) fn is_broker(&self, broker: Option<&Name>, source: &SourceId) -> bool {
        broker.is_none_or(|broker| {
            **broker == *self.broker_of(source) || self.aside.get(&**broker) == Some(source)
        })
    }
}
