//! Who was heard to send to each channel: by messages on tapped channels, and by the server's own traces.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::sources::SourceMemory;
use super::state::State;
use super::subjects::same_word;
use super::wiring::Wiring;
use crate::model::id::{ChannelId, ServiceId, SourceId};
use crate::model::measured::Evidence;
use crate::model::senders::{Sender, SenderKey, Sends, SentBy};
use crate::model::snapshot::Producers;
use crate::model::time::{Mono, Stamp};

/// Senders kept of one source: what a message says of itself can be anything.
const MOST: usize = 4_096;

/// What was heard of one sender on one channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sent {
    messages: u64,
    last: Stamp,
}

impl SourceMemory {
    /// Takes what was heard up to `at`; whether somebody sends who did not before.
    pub(super) fn hear_sends(&mut self, sends: &Sends, at: Stamp) -> bool {
        let mut new = false;
        for (key, messages) in sends {
            if !self.sends.contains_key(key) {
                if self.sends.len() >= MOST {
                    continue;
                }
                new = true;
            }
            let sent = self.sends.entry(key.clone()).or_default();
            sent.messages = sent.messages.saturating_add(*messages);
            sent.last = at;
        }
        new
    }

    /// Forgets who has not sent since; whether there was one.
    pub(super) fn forget_sends(&mut self, since: Mono) -> bool {
        let before = self.sends.len();
        self.sends.retain(|_, sent| sent.last.mono >= since);
        before != self.sends.len()
    }
}

/// Everybody who was heard to send to a channel, who sends most first.
pub(super) fn of_channel(
    state: &State,
    wiring: &Wiring,
    source: &SourceId,
    channel: &ChannelId,
) -> Arc<[Sender]> {
    let Some(memory) = state.sources.get(source) else { return [].into() };
    let here = memory.sends.iter().filter(|(key, _)| key.channel == *channel);
    let mut senders: Vec<Sender> = here
        .map(|(key, sent)| Sender {
            name: key.name.clone(),
            by: key.by,
            services: services(wiring, source, key).into(),
            messages: sent.messages,
            last: sent.last.wall,
        })
        .collect();
    senders.sort_by(|a, b| b.messages.cmp(&a.messages).then_with(|| a.name.cmp(&b.name)));
    senders.into()
}

/// Who was heard to send to each channel. What messages alone say of themselves is a conclusion, and stands only where no
/// connection was seen to send.
pub(super) fn heard(state: &State, wiring: &Wiring) -> BTreeMap<ChannelId, Producers> {
    let mut seen: BTreeMap<&ChannelId, Found<'_>> = BTreeMap::new();
    let mut said: BTreeMap<&ChannelId, Found<'_>> = BTreeMap::new();
    for (source, memory) in &state.sources {
        for key in memory.sends.keys() {
            let by = if key.by == SentBy::EventSource { &mut said } else { &mut seen };
            for service in services(wiring, source, key) {
                by.entry(&key.channel).or_default().entry(service).or_default().push(key);
            }
        }
    }
    let at = state.structure_at.wall;
    let producers = |found: Found<'_>, likely: bool| {
        let told = |(service, keys): (&ServiceId, &Vec<&SenderKey>)| {
            let mut by: Vec<&str> = keys.iter().map(|key| key.by.word()).collect();
            by.dedup();
            Evidence::observed(format!("{service} heard to send, by {}", by.join(" and ")), at)
        };
        let evidence = found.iter().map(told).collect();
        Producers { services: found.into_keys().collect(), likely, evidence }
    };
    let said = said.into_iter().map(|(channel, found)| (channel.clone(), producers(found, true)));
    let mut all: BTreeMap<ChannelId, Producers> = said.collect();
    all.extend(seen.into_iter().map(|(channel, found)| (channel.clone(), producers(found, false))));
    all
}

type Found<'k> = BTreeMap<ServiceId, Vec<&'k SenderKey>>;

/// The services that a sender is.
fn services(wiring: &Wiring, source: &SourceId, key: &SenderKey) -> Vec<ServiceId> {
    if key.by == SentBy::EventSource {
        return named_in(&key.name, wiring);
    }
    let is = |(at, (name, ..)): &(SourceId, super::sources::ClientKey)| {
        at == source && name.as_deref() == Some(&*key.name)
    };
    let services = wiring.services.iter();
    services
        .filter(|(_, node)| node.clients.iter().chain(&node.left).any(is))
        .map(|(id, _)| id.clone())
        .collect()
}

/// The service that a CloudEvents source names: it is a URI of any form (`/orders`, `urn:shop:orders`,
/// `https://orders.example.com/v1`), so the one service whose name is one of its words; none where several are.
fn named_in(event_source: &str, wiring: &Wiring) -> Vec<ServiceId> {
    let words = || event_source.split(['/', ':', '.', '#', '?']).filter(|word| !word.is_empty());
    let mut named = wiring.services.keys().filter(|id| words().any(|word| same_word(id.as_str(), word)));
    match (named.next(), named.next()) {
        (Some(one), None) => vec![one.clone()],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wiring(services: &[&str]) -> Wiring {
        let mut wiring = Wiring::default();
        for service in services {
            wiring.services.entry((*service).into()).or_default();
        }
        wiring
    }

    #[test]
    fn an_events_source_names_the_one_service_whose_name_is_in_it() {
        let wiring = wiring(&["orders", "billing", "stock-levels"]);
        for (source, service) in [
            ("orders", Some("orders")),
            ("/orders", Some("orders")),
            ("urn:shop:Order", Some("orders")),
            ("https://billing.example.com/v1?x=1", Some("billing")),
            ("//example.com/stock_levels#7", Some("stock-levels")),
            ("https://billing.example.com/orders", None),
            ("/preorders", None),
            ("", None),
        ] {
            let found = named_in(source, &wiring);
            assert_eq!(found.first().map(ServiceId::as_str), service, "{source}");
        }
    }

    #[test]
    fn senders_are_kept_in_bounded_numbers_and_forgotten() {
        let at = |seconds: u64| Stamp { mono: Mono(seconds * 1_000_000_000), ..Stamp::default() };
        let key = |n: usize| SenderKey {
            channel: "nats/ORDERS".into(),
            name: format!("p{n}").into(),
            by: SentBy::EventSource,
        };
        let mut memory = SourceMemory::new(at(0));
        assert!(memory.hear_sends(&(0..MOST + 10).map(|n| (key(n), 1)).collect(), at(1)));
        assert_eq!(memory.sends.len(), MOST);
        let some = memory.sends.keys().next().cloned().unwrap();
        assert!(!memory.hear_sends(&[(some.clone(), 4)].into(), at(9)));
        assert_eq!(memory.sends.get(&some).map(|sent| sent.messages), Some(5));
        assert!(memory.forget_sends(at(5).mono));
        assert_eq!(memory.sends.keys().collect::<Vec<_>>(), [&some]);
    }
}
