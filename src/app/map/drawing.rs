//! What is drawn on the map: boxes for services (a folded domain is one), nets for channels, and what each of them stands for.

use std::collections::{BTreeMap, BTreeSet};

use crate::layout::{Graph, Net, Node};
use crate::model::id::{DomainId, FlowId, Name, ServiceId};
use crate::model::snapshot::{Flow, FlowKind, Service, Snapshot, Thing};

use super::super::item::counted_services;
use super::Zoom;

/// Columns of a box, its borders included: numbers that change must not move anything.
const NARROWEST: [i32; 3] = [8, 16, 24];
const WIDEST: [i32; 3] = [18, 24, 32];

/// What a box stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spot {
    Service(ServiceId),
    /// A folded domain.
    Domain(DomainId),
    /// The end of flows of which nobody knows the sender.
    Nobody,
}

/// One producer's channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Trunk {
    pub kind: FlowKind,
    /// The channel, feed or operation, as people call it.
    pub label: Name,
    /// The channels: of a folded domain's many are drawn as one.
    channels: BTreeSet<Name>,
    /// The box that sends.
    pub from: Name,
    /// The flows to each box that receives; those without a known receiver under no box.
    pub flows: BTreeMap<Option<Name>, Vec<FlowId>>,
}

/// The map's boxes and nets, with what they stand for.
#[derive(Debug, Clone, Default)]
pub struct Drawing {
    graph: Graph,
    spots: BTreeMap<Name, Spot>,
    trunks: BTreeMap<Name, Trunk>,
    /// The box of each service.
    boxes: BTreeMap<ServiceId, Name>,
}

impl Drawing {
    /// What a snapshot gives to draw. With `found`, only that, with the ends of its flows.
    pub fn of(
        snapshot: &Snapshot,
        folded: &BTreeSet<DomainId>,
        found: Option<&BTreeSet<Thing>>,
        zoom: Zoom,
    ) -> Self {
        let shows = |thing: Thing| found.is_none_or(|found| found.contains(&thing));
        let flows: Vec<&Flow> = snapshot
            .flows
            .iter()
            .map(|flow| &**flow)
            .filter(|flow| shows(Thing::Flow(flow.id.clone())))
            .collect();
        let used: BTreeSet<&ServiceId> =
            flows.iter().flat_map(|flow| flow.from.iter().chain(&*flow.to)).collect();
        let counted: BTreeSet<&ServiceId> = counted_services(snapshot).0.map(|service| &service.id).collect();
        let mut drawing = Self::default();
        for service in &snapshot.services {
            let drawn = used.contains(&service.id)
                || (counted.contains(&service.id) && shows(Thing::Service(service.id.clone())));
            if drawn {
                drawing.add_service(service, folded);
            }
        }
        for flow in flows {
            drawing.add_flow(flow, snapshot);
        }
        drawing.number(snapshot, zoom);
        drawing
    }

    /// What is to be laid out.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// What a box stands for.
    pub fn spot(&self, key: &str) -> Option<&Spot> {
        self.spots.get(key)
    }

    /// What a net stands for.
    pub fn trunk(&self, key: &str) -> Option<&Trunk> {
        self.trunks.get(key)
    }

    pub fn trunks(&self) -> impl Iterator<Item = (&Name, &Trunk)> {
        self.trunks.iter()
    }

    /// The box that shows a service.
    pub fn box_of(&self, service: &ServiceId) -> Option<&Name> {
        self.boxes.get(service)
    }

    /// The services that a box shows.
    pub fn services_in<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a ServiceId> {
        self.boxes.iter().filter(move |(_, of)| ***of == *key).map(|(service, _)| service)
    }

    /// The net and the receiving box of a flow: the first, where it has several.
    pub fn branch_of(&self, flow: &FlowId) -> Option<(&Name, Option<&Name>)> {
        self.trunks.iter().find_map(|(key, trunk)| {
            let at = trunk.flows.iter().find(|(_, flows)| flows.contains(flow))?;
            Some((key, at.0.as_ref()))
        })
    }

    fn add_service(&mut self, service: &Service, folded: &BTreeSet<DomainId>) {
        let (key, spot): (Name, Spot) =
            match service.domain.as_ref().filter(|domain| folded.contains(*domain)) {
                Some(domain) => (format!("domain {domain}").into(), Spot::Domain(domain.clone())),
                None => (format!("service {}", service.id).into(), Spot::Service(service.id.clone())),
            };
        self.boxes.insert(service.id.clone(), key.clone());
        self.spots.entry(key).or_insert(spot);
    }

    fn add_flow(&mut self, flow: &Flow, snapshot: &Snapshot) {
        let (channel, label) = match flow.channel.as_ref().and_then(|id| snapshot.channel(id)) {
            Some(channel) => (channel.report.id.as_str().to_owned(), channel.report.name.clone()),
            None => (flow.label.to_string(), flow.label.clone()),
        };
        let mut senders: Vec<Name> =
            flow.from.iter().filter_map(|service| self.boxes.get(service).cloned()).collect();
        if senders.is_empty() {
            let key: Name = format!("unknown sender of {channel}").into();
            self.spots.insert(key.clone(), Spot::Nobody);
            senders.push(key);
        }
        senders.sort();
        senders.dedup();
        let mut receivers: Vec<Option<Name>> =
            flow.to.iter().filter_map(|service| self.boxes.get(service).cloned()).map(Some).collect();
        if receivers.is_empty() {
            receivers.push(None);
        }
        for from in senders {
            // What stays inside a folded domain is not seen.
            let folded = matches!(self.spots.get(&from), Some(Spot::Domain(_)));
            let receivers: Vec<_> =
                receivers.iter().filter(|to| !(folded && to.as_ref() == Some(&from))).collect();
            if receivers.is_empty() {
                continue;
            }
            // What a folded domain sends is bundled: its single channels are seen when it is unfolded.
            let bundle = if folded { "all" } else { &channel };
            let key: Name = format!("{} {bundle} of {from}", flow.kind.word()).into();
            let trunk = self.trunks.entry(key).or_insert_with(|| Trunk {
                kind: flow.kind,
                label: label.clone(),
                channels: BTreeSet::new(),
                from,
                flows: BTreeMap::new(),
            });
            trunk.channels.insert(label.clone());
            if trunk.channels.len() > 1 {
                trunk.label = format!("{} channels", trunk.channels.len()).into();
            }
            for to in receivers {
                trunk.flows.entry(to.clone()).or_default().push(flow.id.clone());
            }
        }
    }

    /// Makes the graph of all that was added.
    fn number(&mut self, snapshot: &Snapshot, zoom: Zoom) {
        let places: BTreeMap<&Name, usize> =
            self.spots.keys().enumerate().map(|(at, key)| (key, at)).collect();
        let nodes = self.spots.iter().map(|(key, spot)| {
            let (width, height) = size(spot, snapshot, zoom);
            let group = match spot {
                Spot::Service(id) => snapshot.service(id).and_then(|service| service.domain.as_ref()),
                Spot::Domain(_) | Spot::Nobody => None,
            };
            Node { key: key.clone(), width, height, group: group.map(|domain| domain.as_str().into()) }
        });
        let nets = self.trunks.iter().map(|(key, trunk)| {
            let to = trunk.flows.keys().flatten().filter_map(|to| places.get(to).copied()).collect();
            Net { key: key.clone(), from: places.get(&trunk.from).copied().unwrap_or(0), to }
        });
        self.graph = Graph { nodes: nodes.collect(), nets: nets.collect() };
    }
}

/// Columns and rows of a box. Both come from what is declared or named, never from numbers that change.
fn size(spot: &Spot, snapshot: &Snapshot, zoom: Zoom) -> (i32, i32) {
    let columns = |text: &str| i32::try_from(unicode_width::UnicodeWidthStr::width(text)).unwrap_or(0);
    let at = zoom as usize;
    let width = |text: &str| (columns(text) + 5).clamp(NARROWEST[at], WIDEST[at]);
    match spot {
        Spot::Service(id) => {
            let service = snapshot.service(id);
            let data =
                service.map_or(0, |service| service.copies.len() + usize::from(!service.owns.is_empty()));
            let rows = match zoom {
                Zoom::Far => 1,
                Zoom::Middle => 2,
                Zoom::Near => 2 + i32::try_from(data).unwrap_or(0),
            };
            (width(id.as_str()), rows + 2)
        }
        Spot::Domain(id) => (width(id.as_str()), if zoom == Zoom::Far { 3 } else { 5 }),
        Spot::Nobody => (NARROWEST[at].min(16), 3),
    }
}
