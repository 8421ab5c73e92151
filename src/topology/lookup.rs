//! What the declarations say about a channel, a consumer, an entity, a store: the questions that the engine asks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::bind::ConsumerNames;
use super::declared::{
    Answer, Call, Limit, Origin, Ownership, Reader, Replica, Service, Store, Subject, Topology,
};
use super::word::{Access, Property, Protocol};
use crate::model::id::{DomainId, EntityId, Name, ServiceId, StoreId, TeamId};
use crate::model::snapshot::FlowKind;
use crate::model::subject::overlap;

/// A message that the files say travels on a channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Carried<'t> {
    /// Event or feed.
    pub kind: FlowKind,
    /// Its name.
    pub name: &'t Name,
    /// Who publishes or provides it.
    pub service: &'t Service,
    /// On which broker; any, when absent.
    pub broker: Option<&'t Name>,
    /// On which subject or topic.
    pub channel: Option<&'t Name>,
    /// The stream that keeps it.
    pub stream: Option<&'t Name>,
    /// Which entity it is about.
    pub entity: Option<&'t EntityId>,
    /// The field that holds the entity's identifier.
    pub key: Option<&'t Name>,
    /// Where that is written.
    pub origin: &'t Origin,
}

/// What a service reads: an event that it consumes or a feed that it follows.
#[derive(Debug, Clone, PartialEq)]
pub struct Use<'t> {
    /// Event or feed.
    pub kind: FlowKind,
    /// Its name.
    pub name: &'t Name,
    /// Who reads it.
    pub service: &'t Service,
    /// Who publishes or provides it.
    pub from: Vec<&'t Service>,
    /// On which broker; any, when absent.
    pub broker: Option<&'t Name>,
    /// On which subject or topic: its own word, else the publisher's.
    pub channel: Option<&'t Name>,
    /// By which named position.
    pub reader: Option<&'t Reader>,
    /// Which entity it is about, by the publisher's word.
    pub entity: Option<&'t EntityId>,
    /// The copies in this service that it keeps up to date.
    pub replicas: Vec<&'t Replica>,
    /// How long one message may take.
    pub max_delay: Option<Duration>,
    /// Events that the service publishes in consequence.
    pub leads_to: &'t [Name],
    /// Where that is written.
    pub origin: &'t Origin,
}

/// A request that one service makes of another.
#[derive(Debug, Clone, PartialEq)]
pub struct Requested<'t> {
    /// Who asks.
    pub caller: &'t Service,
    /// Who is asked.
    pub callee: Option<&'t Service>,
    /// The call as the caller declares it.
    pub call: &'t Call,
    /// The answer as the callee declares it.
    pub answer: Option<&'t Answer>,
}

impl<'t> Requested<'t> {
    /// The subject or path of the request: the callee's word, else the operation's name.
    pub fn channel(&self) -> Option<&'t Name> {
        self.answer.and_then(|a| a.channel.as_ref()).or(self.call.operation.as_ref())
    }

    /// By what it travels: the caller's word, else the callee's.
    pub fn protocol(&self) -> Option<Protocol> {
        self.call.protocol.or_else(|| self.answer.and_then(|a| a.protocol))
    }
}

/// Everything that is declared about one entity.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EntityView<'t> {
    /// Services that claim to own it: one, when all is well.
    pub owners: Vec<(&'t Service, &'t Ownership)>,
    /// Services that hold copies.
    pub replicas: Vec<(&'t Service, &'t Replica)>,
    /// Who asks for it by request.
    pub readers: Vec<Requested<'t>>,
    /// Who reads events about it without keeping a copy.
    pub reactors: Vec<&'t Service>,
}

/// A service touching a store.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreAccess<'t> {
    /// Who.
    pub service: &'t Service,
    /// How, if said; the store's own service reads and writes.
    pub access: Option<Access>,
    /// Where that is written.
    pub origin: &'t Origin,
}

impl Topology {
    /// Every event and feed that a service publishes or provides.
    pub fn carried(&self) -> impl Iterator<Item = Carried<'_>> {
        self.services.values().flat_map(|service| {
            let events = service.publishes.iter().map(move |p| Carried {
                kind: FlowKind::Event,
                name: &p.event,
                service,
                broker: p.broker.as_ref(),
                channel: p.channel.as_ref(),
                stream: p.stream.as_ref(),
                entity: p.entity.as_ref(),
                key: p.key.as_ref(),
                origin: &p.origin,
            });
            let feeds = service.provides_feeds.iter().map(move |p| Carried {
                kind: FlowKind::Feed,
                name: &p.feed,
                service,
                broker: p.broker.as_ref(),
                channel: p.channel.as_ref(),
                stream: p.stream.as_ref(),
                entity: p.entity.as_ref(),
                key: p.key.as_ref(),
                origin: &p.origin,
            });
            events.chain(feeds)
        })
    }

    /// What travels on a subject (or on subjects that fit a pattern) of a source.
    pub fn on_channel<'t>(&'t self, source: &str, subject: &str) -> Vec<Carried<'t>> {
        self.carried()
            .filter(|c| c.broker.is_none_or(|b| **b == *source))
            .filter(|c| c.channel.is_some_and(|channel| overlap(channel, subject)))
            .collect()
    }

    /// Every event and feed that a service reads.
    pub fn uses(&self) -> Vec<Use<'_>> {
        let published: Vec<Carried<'_>> = self.carried().collect();
        let mut uses = Vec::new();
        for service in self.services.values() {
            for c in &service.consumes {
                let sources = from(&published, FlowKind::Event, &c.event, c.broker.as_ref(), None);
                uses.push(Use {
                    kind: FlowKind::Event,
                    name: &c.event,
                    service,
                    broker: c.broker.as_ref().or_else(|| sources.first().and_then(|s| s.broker)),
                    channel: c.channel.as_ref().or_else(|| sources.first().and_then(|s| s.channel)),
                    reader: c.consumer.as_ref(),
                    entity: sources.iter().find_map(|s| s.entity),
                    replicas: replicas(service, &c.event, sources.iter().find_map(|s| s.entity)),
                    max_delay: c.max_delay,
                    leads_to: &c.leads_to,
                    origin: &c.origin,
                    from: sources.iter().map(|s| s.service).collect(),
                });
            }
            for f in &service.follows_feeds {
                let sources = from(&published, FlowKind::Feed, &f.feed, f.broker.as_ref(), f.from.as_ref());
                let mut providers: Vec<&Service> = sources.iter().map(|s| s.service).collect();
                if let Some(named) = f.from.as_ref().and_then(|id| self.services.get(id))
                    && providers.is_empty()
                {
                    providers.push(named);
                }
                uses.push(Use {
                    kind: FlowKind::Feed,
                    name: &f.feed,
                    service,
                    broker: f.broker.as_ref().or_else(|| sources.first().and_then(|s| s.broker)),
                    channel: f.channel.as_ref().or_else(|| sources.first().and_then(|s| s.channel)),
                    reader: f.consumer.as_ref(),
                    entity: sources.iter().find_map(|s| s.entity),
                    replicas: replicas(service, &f.feed, sources.iter().find_map(|s| s.entity)),
                    max_delay: f.max_delay,
                    leads_to: &[],
                    origin: &f.origin,
                    from: providers,
                });
            }
        }
        uses
    }

    /// What a broker's consumer is for: the declared uses that name it, else those of the services it is bound to
    /// that name no consumer but read a channel that its filters let through.
    pub fn uses_of<'t>(
        &'t self,
        consumer: &ConsumerNames<'_>,
        filters: &[Name],
        bound_to: &[ServiceId],
    ) -> Vec<Use<'t>> {
        let on_source = |u: &Use<'_>| u.broker.is_none_or(|b| **b == *consumer.source);
        let passes = |channel: &str| filters.is_empty() || filters.iter().any(|f| overlap(f, channel));
        let (named, unnamed): (Vec<_>, Vec<_>) = self.uses().into_iter().filter(on_source).partition(|u| {
            u.reader.is_some_and(|r| r.stream.is_some() || r.durable.is_some() || r.deliver_subject.is_some())
        });
        let exact: Vec<Use<'t>> = named
            .into_iter()
            .filter(|u| {
                u.reader.is_some_and(|r| match (&r.durable, &r.deliver_subject) {
                    (Some(durable), _) => {
                        consumer.durable
                            && r.stream.as_deref() == Some(consumer.stream)
                            && **durable == *consumer.name
                    }
                    (None, Some(subject)) => consumer.deliver_subject == Some(&**subject),
                    (None, None) => {
                        r.stream.as_deref() == Some(consumer.stream) && bound_to.contains(&u.service.id)
                    }
                })
            })
            .filter(|u| u.channel.is_none_or(|channel| passes(channel)))
            .collect();
        if !exact.is_empty() {
            return exact;
        }
        unnamed
            .into_iter()
            .filter(|u| bound_to.contains(&u.service.id))
            .filter(|u| u.channel.is_some_and(|channel| passes(channel)))
            .collect()
    }

    /// Every request that a service makes.
    pub fn requests(&self) -> impl Iterator<Item = Requested<'_>> {
        self.services.values().flat_map(move |caller| {
            caller.calls.iter().map(move |call| {
                let callee = self.services.get(&call.service);
                let answer = callee.and_then(|callee| {
                    let operation = call.operation.as_ref()?;
                    callee.answers.iter().find(|a| a.operation == *operation)
                });
                Requested { caller, callee, call, answer }
            })
        })
    }

    /// Who answers requests on a subject of a source.
    pub fn answering<'t>(&'t self, source: &str, subject: &str) -> Vec<(&'t Service, &'t Answer)> {
        let answers = self.services.values().flat_map(|s| s.answers.iter().map(move |a| (s, a)));
        answers
            .filter(|(_, a)| a.broker.as_ref().is_none_or(|b| **b == *source))
            .filter(|(_, a)| matches!(a.protocol, None | Some(Protocol::Nats)))
            .filter(|(_, a)| overlap(a.channel.as_ref().unwrap_or(&a.operation), subject))
            .collect()
    }

    /// Every declared entity with its owners, copies and readers.
    pub fn entities(&self) -> BTreeMap<EntityId, EntityView<'_>> {
        let mut views: BTreeMap<EntityId, EntityView<'_>> = BTreeMap::new();
        for service in self.services.values() {
            for owned in &service.owns {
                views.entry(owned.entity.clone()).or_default().owners.push((service, owned));
            }
            for copy in &service.copies {
                views.entry(copy.entity.clone()).or_default().replicas.push((service, copy));
            }
        }
        for request in self.requests() {
            if let Some(entity) = request.answer.and_then(|a| a.entity.as_ref()) {
                views.entry(entity.clone()).or_default().readers.push(request);
            }
        }
        for used in self.uses() {
            let Some(entity) = used.entity else { continue };
            let view = views.entry(entity.clone()).or_default();
            let holds = used.service.copies.iter().any(|c| c.entity == *entity)
                || used.service.owns.iter().any(|o| o.entity == *entity);
            if !holds && !view.reactors.iter().any(|r| r.id == used.service.id) {
                view.reactors.push(used.service);
            }
        }
        views
    }

    /// Who touches a store, its own service first.
    pub fn accessors(&self, store: &StoreId) -> Vec<StoreAccess<'_>> {
        let mut accessors = Vec::new();
        if let Some((owner, origin)) =
            self.stores.get(store).and_then(|s: &Store| Some((self.services.get(&s.service)?, &s.origin)))
        {
            accessors.push(StoreAccess { service: owner, access: Some(Access::ReadWrite), origin });
        }
        let own = |service: &Service| self.stores.get(store).is_some_and(|s| s.service == service.id);
        for service in self.services.values().filter(|s| !own(s)) {
            let mut seen = false;
            for used in service.uses_stores.iter().filter(|u| u.store == *store) {
                seen = true;
                accessors.push(StoreAccess { service, access: used.access, origin: &used.origin });
            }
            // Keeping an entity in another's store is touching it, said or not.
            let kept = service.owns.iter().map(|o| (&o.store, &o.origin));
            let kept = kept.chain(service.copies.iter().map(|c| (&c.store, &c.origin)));
            for (_, origin) in kept.filter(|(s, _)| s.as_ref() == Some(store)).take(usize::from(!seen)) {
                accessors.push(StoreAccess { service, access: Some(Access::ReadWrite), origin });
            }
        }
        accessors
    }

    /// The team of a service: its own word, else the owner of its domain.
    pub fn team_of(&self, service: &ServiceId) -> Option<&TeamId> {
        let service = self.services.get(service)?;
        service.team.as_ref().or_else(|| self.domains.get(service.domain.as_ref()?)?.owner.as_ref())
    }

    /// The domain of a service.
    pub fn domain_of(&self, service: &ServiceId) -> Option<&DomainId> {
        self.services.get(service)?.domain.as_ref()
    }

    /// How old a service's copy of an entity may be: the copy's own word, else the tightest objective on the entity.
    pub fn max_staleness(&self, service: &ServiceId, entity: &EntityId) -> Option<Duration> {
        let own = self.services.get(service).and_then(|s| {
            s.copies.iter().filter(|c| c.entity == *entity).filter_map(|c| c.max_staleness).min()
        });
        own.or_else(|| {
            let about = |o: &&super::declared::Objective| {
                o.property == Property::Staleness && o.subject == Subject::Entity(entity.clone())
            };
            self.objectives
                .iter()
                .filter(about)
                .filter_map(|o| match o.max {
                    Limit::Time(time) => Some(time),
                    Limit::Count(_) | Limit::Share(_) => None,
                })
                .min()
        })
    }

    /// Fields that must never be shown in messages on a subject: those of every entity that travels on it.
    pub fn sensitive_on(&self, source: &str, subject: &str) -> BTreeSet<Name> {
        let carried = self.on_channel(source, subject).into_iter().filter_map(|c| c.entity);
        let answered = self.answering(source, subject).into_iter().filter_map(|(_, a)| a.entity.as_ref());
        let entities: BTreeSet<&EntityId> = carried.chain(answered).collect();
        self.sensitive_of(|entity| entities.contains(entity))
    }

    /// All fields that any file declares to identify what a message is about.
    pub fn keys(&self) -> BTreeSet<Name> {
        let owned = self.services.values().flat_map(|service| &service.owns);
        let identifiers = owned.flat_map(|owned| owned.identifier.iter().flat_map(|id| id.0.clone()));
        self.carried().filter_map(|carried| carried.key.cloned()).chain(identifiers).collect()
    }

    /// All fields that any file declares sensitive.
    pub fn sensitive(&self) -> BTreeSet<Name> {
        self.sensitive_of(|_| true)
    }

    fn sensitive_of(&self, wanted: impl Fn(&EntityId) -> bool) -> BTreeSet<Name> {
        let mut fields = BTreeSet::new();
        for service in self.services.values() {
            for owned in service.owns.iter().filter(|o| wanted(&o.entity)) {
                fields.extend(owned.sensitive.iter().cloned());
            }
            for copy in service.copies.iter().filter(|c| wanted(&c.entity)) {
                fields.extend(copy.sensitive.iter().cloned());
            }
        }
        fields
    }
}

/// Who publishes or provides a message by that name, on that broker.
fn from<'a, 't>(
    published: &'a [Carried<'t>],
    kind: FlowKind,
    name: &str,
    broker: Option<&Name>,
    service: Option<&ServiceId>,
) -> Vec<&'a Carried<'t>> {
    let same_broker = |c: &&Carried<'_>| match (broker, c.broker) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    };
    published
        .iter()
        .filter(|c| c.kind == kind && **c.name == *name)
        .filter(same_broker)
        .filter(|c| service.is_none_or(|id| c.service.id == *id))
        .collect()
}

/// The copies in a service that a message keeps: those that name it, else those of its entity that name nothing.
fn replicas<'t>(service: &'t Service, name: &Name, entity: Option<&EntityId>) -> Vec<&'t Replica> {
    let keeps = |copy: &&Replica| match &copy.via {
        Some(via) => via == name,
        None => Some(&copy.entity) == entity,
    };
    service.copies.iter().filter(keeps).collect()
}

#[cfg(test)]
mod tests;
