//! What came of a message that is followed: where it is looked for, and which consumer's doing a message is.
//!
//! It is looked where the topology declares that reading the one leads to the other, by ids and by the declared key; and, where a
//! message carries ids that go along (`traceparent`, a causation or correlation id), on all channels of its broker to which its readers
//! may send. One trace names a whole story and not who told it to whom: a message hangs under the consumer of the latest earlier message of the
//! story whose service sent it; under the story's beginning where no consumer's service is known to have.

use std::collections::{BTreeMap, BTreeSet};

use super::identity::Identity;
use super::state::{State, consumers_of};
use super::traces::Followed;
use super::wiring::Wiring;
use crate::model::id::{ChannelId, ConsumerId, Name, ServiceId, SourceId};
use crate::model::message::{Link, MessageId, MessageReport, Pursuit, Want};
use crate::model::observation::ChannelKind;
use crate::model::subject::{overlap, pattern};
use crate::model::trace::{Leg, LegState, Origin};
use crate::topology::Topology;

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
}

impl<'a> Stories<'a> {
    pub(super) fn new(
        state: &'a State,
        wiring: &'a Wiring,
        identity: Identity<'a>,
        followed: impl Iterator<Item = &'a Followed>,
    ) -> Self {
        let followed = followed.map(|one| (&one.message.id, one)).collect();
        Self { state, wiring, identity, followed }
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
        let Some(source) = self.source(&message.id.channel) else { return Vec::new() };
        let carried = self.topology().on_channel(self.identity.broker_of(source), &message.subject);
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
        let reads = self.topology().uses().into_iter().filter(|used| {
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

    /// Where to look for what came of a message.
    pub(super) fn pursuits(&self, of: &'a Followed, legs: &[Leg]) -> Vec<Pursuit> {
        let message = &of.message;
        let Some(source) = self.source(&message.id.channel) else { return Vec::new() };
        let ancestors = self.ancestors(of);
        if ancestors.len() >= DEEPEST {
            return Vec::new();
        }
        let by_headers = Link::of_headers(&message.headers);
        let broker = self.identity.broker_of(source);
        let own = self.topology().on_channel(broker, &message.subject);
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
        let pursuit = |(channel, wants): (&ChannelId, Vec<Want>)| Pursuit {
            of: message.id.clone(),
            channel: channel.clone(),
            since: message.appended,
            wants,
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
        let caused = message.caused.as_ref()?;
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

/// What reading a message leads to.
struct Lead<'a> {
    subject: Name,
    key: Option<&'a Name>,
    channels: Vec<&'a ChannelId>,
}
