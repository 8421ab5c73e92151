//! What came of a message that is followed: where it is looked for, and which consumer's doing a message is.
//!
//! It is looked where the topology declares that reading the one leads to the other, by ids and by the declared key; and, where a
//! message carries ids that go along (`traceparent`, a causation or correlation id), on all channels of its broker to which its readers
//! may send. One trace names a whole story and not who told it to whom: a message hangs under the consumer of the latest earlier message of the
//! story whose service sent it; under the story's beginning where no consumer's service is known to have.

use std::collections::{BTreeMap, BTreeSet};

use super::identity::Identity;
use super::state::{State, consumers_of};
use super::traces::{Followed, is_version};
use super::wiring::Wiring;
use crate::model::id::{ChannelId, ConsumerId, EntityId, Name, ServiceId, SourceId};
use crate::model::message::{Link, MessageId, MessageReport, Pursuit, Want};
use crate::model::observation::ChannelKind;
use crate::model::subject::{overlap, pattern};
use crate::model::trace::{Leg, LegState, Origin, Record};
use crate::topology::Topology;
use crate::topology::lookup::{Carried, Use};

/// Channels on which it is looked for what came of one message.
const MOST_CHANNELS: usize = 12;
/// Steps from the beginning of a story to its last consequences.
const DEEPEST: usize = 6;

/// What is asked about followed messages.
pub(super) struct Stories<'a> {
    pub(super) state: &'a State,
    pub(super) wiring: &'a Wiring,
    pub(super) identity: Identity<'a>,
    followed: BTreeMap<&'a MessageId, &'a Followed>,
    /// The record of each, if it is a version of one.
    records: BTreeMap<&'a MessageId, Record>,
    /// All that is declared to be read.
    pub(super) uses: Vec<Use<'a>>,
}

impl<'a> Stories<'a> {
    pub(super) fn new(
        state: &'a State,
        wiring: &'a Wiring,
        identity: Identity<'a>,
        followed: impl Iterator<Item = &'a Followed>,
    ) -> Self {
        let followed: BTreeMap<&MessageId, &Followed> = followed.map(|one| (&one.message.id, one)).collect();
        let uses = identity.topology.uses();
        let mut stories = Self { state, wiring, identity, followed, records: BTreeMap::new(), uses };
        let records =
            stories.followed.values().filter_map(|one| Some((&one.message.id, stories.record_of(one)?)));
        stories.records = records.collect();
        stories
    }

    fn source(&self, channel: &ChannelId) -> Option<&'a SourceId> {
        self.state.channels.get(channel).map(|channel| &channel.source)
    }

    fn topology(&self) -> &'a Topology {
        self.identity.topology
    }

    /// The messages from which a message was found, back to the one that was asked for.
    fn ancestors(&self, of: &'a Followed) -> Vec<&'a Followed> {
        let up = |one: &&'a Followed| self.followed.get(&one.message.caused.as_ref()?.of).copied();
        std::iter::successors(up(&of), up).take(DEEPEST).collect()
    }

    /// Who may have sent a message: as it says itself, as is declared, else whoever sends to its channel.
    fn senders(&self, message: &MessageReport) -> Vec<ServiceId> {
        let said = message.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("ce-source"));
        let said = said.and_then(|(_, uri)| uri.rsplit('/').find(|part| !part.is_empty()));
        if let Some(service) = said.map(ServiceId::new).filter(|id| self.wiring.services.contains_key(id)) {
            return vec![service];
        }
        let carried = self.carried(message);
        if carried.is_empty() {
            let producers = self.wiring.producers.get(&message.id.channel);
            return producers.map(|p| p.services.to_vec()).unwrap_or_default();
        }
        carried.iter().map(|carried| carried.service.id.clone()).collect()
    }

    /// Whether the topology declares that a service which reads the one message sends the other.
    fn declared(&self, cause: &MessageReport, service: &ServiceId, effect: &MessageReport) -> bool {
        self.leads(cause, service).iter().any(|lead| overlap(&lead.subject, &effect.subject))
    }

    /// What a service sends in consequence of a message.
    fn leads(&self, cause: &MessageReport, service: &ServiceId) -> Vec<Lead<'a>> {
        let Some(source) = self.source(&cause.id.channel) else { return Vec::new() };
        let reads = self.uses.iter().filter(|used| {
            used.service.id == *service
                && self.identity.is_broker(used.broker, source)
                && used.channel.is_some_and(|channel| overlap(channel, &cause.subject))
        });
        let names = reads.flat_map(|used| used.leads_to);
        let carried = names.flat_map(|name| {
            self.topology().carried().filter(move |c| c.service.id == *service && c.name == name)
        });
        let leads = carried.filter_map(|c| {
            let on = c.channel?;
            let channels = self.state.channels.iter().filter(|(_, channel)| {
                self.identity.is_broker(c.broker, &channel.source)
                    && channel.report.kind != ChannelKind::Subject
                    && match c.stream {
                        Some(stream) => *stream == channel.report.name,
                        None => channel.report.subjects.iter().any(|subject| overlap(subject, on)),
                    }
            });
            let channels = channels.map(|(id, _)| id).collect();
            Some(Lead { subject: pattern(on).into(), key: c.key, channels })
        });
        leads.collect()
    }

    /// The record that a message is a version of: by its declared key, else by the field by which it was found, else by its id.
    fn record_of(&self, of: &Followed) -> Option<Record> {
        let message = &of.message;
        let carried = self.carried(message);
        let value =
            |name: &Name| message.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value);
        let declared = carried.iter().find_map(|carried| {
            let owned = carried.service.owns.iter().find(|owned| Some(&owned.entity) == carried.entity);
            let identifier = owned.and_then(|owned| owned.identifier.as_ref()).map(|id| id.0.as_slice());
            // A record that several fields identify together is none that one can be looked for by.
            let identifier = identifier.and_then(|fields| if let [one] = fields { Some(one) } else { None });
            let name = carried.key.or(identifier)?;
            Some((name.clone(), value(name)?.clone()))
        });
        let entity = carried.iter().find_map(|carried| carried.entity.cloned());
        let record = |(name, value): (Name, Name), declared| Record { entity, name, value, declared };
        let known =
            of.found_by.clone().or_else(|| match message.caused.as_ref().map(|caused| &caused.link) {
                Some(Link::Version { name, value }) => Some((name.clone(), value.clone())),
                _ => message
                    .fields
                    .iter()
                    .find(|(name, _)| **name == *"id")
                    .or(message.fields.first())
                    .cloned(),
            });
        match declared {
            Some(field) => Some(record(field, true)),
            None => known.map(|field| record(field, false)),
        }
    }

    /// The record that a message is a version of.
    pub(super) fn record(&self, of: &Followed) -> Option<&Record> {
        self.records.get(&of.message.id)
    }

    /// The known versions of a record on a channel, the oldest first.
    pub(super) fn versions(&self, record: &Record, channel: &ChannelId) -> Vec<&'a Followed> {
        // In the order of their positions: that is how they are kept.
        let on_channel = self.followed.values().filter(|one| one.message.id.channel == *channel);
        let of_record = |one: &&&'a Followed| self.record(one) == Some(record);
        on_channel.filter(of_record).copied().collect()
    }

    /// Whether one of these services is declared to keep a copy of an entity.
    pub(super) fn keeps_copy(&self, services: &[ServiceId], entity: &EntityId) -> bool {
        let services = services.iter().filter_map(|id| self.topology().services.get(id));
        services.flat_map(|service| &service.copies).any(|copy| copy.entity == *entity)
    }

    /// Which version of a record's entity the health of these services says they have.
    pub(super) fn applied(&self, services: &[ServiceId], record: &Record) -> Applied {
        let Some(entity) = &record.entity else { return Applied::NotTold("no entity is declared for it") };
        let checks = services.iter().filter_map(|service| self.state.health.get(service));
        let told =
            checks.flat_map(BTreeMap::values).find_map(|check| check.report.applied.get(entity.as_str()));
        match told {
            Some(version) => Applied::Version(version.clone()),
            None => Applied::NotTold("no applied version in its health"),
        }
    }

    /// What the topology says travels where a message did.
    fn carried(&self, message: &MessageReport) -> Vec<Carried<'a>> {
        let Some(source) = self.source(&message.id.channel) else { return Vec::new() };
        self.topology().on_channel(self.identity.broker_of(source), &message.subject)
    }

    /// Where to look for what came of a message, and for other versions of its record.
    pub(super) fn pursuits(&self, of: &'a Followed, legs: &[Leg], record: Option<&Record>) -> Vec<Pursuit> {
        let message = &of.message;
        let Some(source) = self.source(&message.id.channel) else { return Vec::new() };
        let is_other_version = message.caused.as_ref().is_some_and(|caused| is_version(&caused.link));
        if self.ancestors(of).len() >= DEEPEST || is_other_version {
            return Vec::new();
        }
        let by_headers = Link::of_headers(&message.headers);
        let own = self.carried(message);
        let own_keys: Vec<&Name> = own.iter().filter_map(|carried| carried.key).collect();
        let mut places: BTreeMap<&ChannelId, Vec<Want>> = BTreeMap::new();
        let readers = || legs.iter().filter(|leg| leg.state != LegState::NotForIt);
        for lead in readers().flat_map(|leg| &leg.services).flat_map(|service| self.leads(message, service)) {
            let is_key = |name: &Name| own_keys.contains(&name) || lead.key == Some(name);
            let by_key = message.fields.iter().filter(|(name, _)| is_key(name));
            let by_key = by_key.map(|(name, value)| Link::Field { name: name.clone(), value: value.clone() });
            let links: Vec<Link> = by_headers.iter().cloned().chain(by_key).collect();
            for channel in lead.channels.into_iter().filter(|_| !links.is_empty()) {
                let want = Want { subject: lead.subject.clone(), links: links.clone() };
                let wants = places.entry(channel).or_default();
                if !wants.contains(&want) {
                    wants.push(want);
                }
            }
        }
        // Who carries a trace along carries it to the end: then it need not be guessed by other signs.
        let of_trace = message.caused.as_ref().is_some_and(|c| matches!(c.link, Link::Trace(_)));
        let mut everywhere = by_headers;
        if of_trace {
            places.clear();
            everywhere.retain(|link| matches!(link, Link::Trace(_)));
        }
        if !everywhere.is_empty() {
            let services: BTreeSet<&ServiceId> = readers().flat_map(|leg| &leg.services).collect();
            for (channel, _) in self.state.channels.iter().filter(|(_, channel)| {
                channel.source == *source && channel.report.kind != ChannelKind::Subject
            }) {
                let room = places.len() < MOST_CHANNELS || places.contains_key(channel);
                if room && self.may_send(&services, channel) && !self.is_pursued(of, &everywhere, channel) {
                    let want = Want { subject: ">".into(), links: everywhere.clone() };
                    places.entry(channel).or_default().push(want);
                }
            }
        }
        // Which version the others have is asked of a message that somebody asked for, where it is declared what a record is and
        // that somebody keeps copies of it.
        let copied = legs.iter().any(|leg| leg.copy);
        let versioned = record.filter(|record| copied && record.declared && message.caused.is_none());
        if let Some(record) = versioned {
            places.entry(&message.id.channel).or_default().push(record.want(message));
        }
        let pursuit = |(channel, wants): (&ChannelId, Vec<Want>)| Pursuit {
            of: message.id.clone(),
            channel: channel.clone(),
            since: message.appended,
            wants,
            earlier: versioned.is_some() && *channel == message.id.channel,
            lasting: false,
        };
        places.into_iter().map(pursuit).collect()
    }

    /// Whether one of these services may send to a channel: it is known to, or nobody is.
    fn may_send(&self, services: &BTreeSet<&ServiceId>, channel: &ChannelId) -> bool {
        match self.wiring.producers.get(channel) {
            Some(known) if !known.likely => known.services.iter().any(|service| services.contains(service)),
            _ => true,
        }
    }

    /// Whether it is looked on a channel already for what came of an earlier message of the same trace: that finds what came of
    /// this one too.
    fn is_pursued(&self, of: &Followed, links: &[Link], channel: &ChannelId) -> bool {
        let traces = |links: &[Link]| -> Vec<Link> {
            links.iter().filter(|link| matches!(link, Link::Trace(_))).cloned().collect()
        };
        let ours = traces(links);
        !ours.is_empty()
            && self.followed.values().any(|other| {
                other.message.id != of.message.id
                    && other.message.appended <= of.message.appended
                    && other.looked.iter().any(|looked| looked.channel == *channel)
                    && traces(&Link::of_headers(&other.message.headers)) == ours
            })
    }

    /// Whose doing a message is.
    pub(super) fn origin(&self, of: &'a Followed) -> Option<Origin> {
        let message = &of.message;
        let caused = message.caused.as_ref().filter(|caused| !is_version(&caused.link))?;
        let senders = self.senders(message);
        let beginning = self.ancestors(of).last().map_or(&caused.of, |first| &first.message.id);
        let earlier = |one: &&&'a Followed| {
            let key = |m: &MessageReport| (m.appended, m.id.clone());
            key(&one.message) < key(message)
        };
        let in_story = |one: &&&'a Followed| {
            one.message.id == *beginning
                || self.ancestors(one).last().is_some_and(|first| first.message.id == *beginning)
        };
        let found = self.followed.values().filter(earlier).filter(in_story).filter_map(|one| {
            let (declared, consumer, service) = self.reader(&one.message, &senders, message)?;
            Some((declared, one.message.appended, &one.message.id, consumer, service))
        });
        // What is declared goes before what is later.
        let best = found.max_by(|a, b| (a.0, a.1, a.2).cmp(&(b.0, b.1, b.2)));
        let (parent, consumer, service) = match best {
            Some((_, _, parent, consumer, service)) => (parent, Some(consumer), Some(service)),
            None => (&caused.of, None, senders.first().cloned()),
        };
        Some(Origin { message: parent.clone(), consumer, service, link: caused.link.clone() })
    }

    /// The consumer by which one of these services reads a message, and whether what it then sends is declared.
    fn reader(
        &self,
        cause: &MessageReport,
        senders: &[ServiceId],
        effect: &MessageReport,
    ) -> Option<(bool, ConsumerId, ServiceId)> {
        let readers = consumers_of(&self.state.consumers, &cause.id.channel).filter(|consumer| {
            let filters = consumer.report.as_ref().map(|report| &report.filters);
            filters.is_none_or(|filters| {
                filters.is_empty() || filters.iter().any(|f| overlap(f, &cause.subject))
            })
        });
        let bound = readers.filter_map(|consumer| {
            let services = &self.wiring.consumers.get(&consumer.id)?.services;
            let service = senders.iter().find(|sender| services.contains(sender))?;
            Some((self.declared(cause, service, effect), consumer.id.clone(), service.clone()))
        });
        bound.max_by_key(|(declared, ..)| *declared)
    }
}

/// What a service's health says of a copy.
pub(super) enum Applied {
    /// It has this version of the entity.
    Version(Name),
    /// Nothing, and why.
    NotTold(&'static str),
}

/// What reading a message leads to.
struct Lead<'a> {
    subject: Name,
    key: Option<&'a Name>,
    channels: Vec<&'a ChannelId>,
}
