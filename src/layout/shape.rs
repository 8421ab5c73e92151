//! A graph whose nodes have layers: which ways its nets take, which columns they pass, how many ports each box has.

use std::collections::BTreeMap;

use crate::model::id::Name;

use super::{Graph, Layout, Node};

/// Rows of a box beyond what its ports need, so that one more finds a place without moving anything.
const SPARE_PORTS: i32 = 1;

/// A net's part to the right (where its receivers of the same column are, too), or back to the left.
#[derive(Debug, Clone)]
pub struct Way {
    pub net: usize,
    pub leftward: bool,
    pub from: usize,
    /// Receivers on this way.
    pub to: Vec<usize>,
    /// The items by which it passes layers.
    pub passes: BTreeMap<usize, usize>,
}

/// What takes rows in a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    Node(usize),
    /// A way that passes.
    Pass {
        way: usize,
        layer: usize,
    },
    /// A frame that covers a layer in which none of its nodes stands.
    Ghost {
        group: usize,
        layer: usize,
    },
}

/// Two items of neighbouring layers that a way connects.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    pub left: usize,
    pub right: usize,
    pub way: usize,
}

/// Where a way touches a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    pub node: usize,
    pub right_side: bool,
    pub way: usize,
    /// The way begins here; else it ends here.
    pub leaving: bool,
}

#[derive(Debug)]
pub struct Shape<'g> {
    pub graph: &'g Graph,
    /// The layer of each node.
    pub layer: Vec<usize>,
    pub layers: usize,
    pub ways: Vec<Way>,
    /// Nodes first, in their order.
    pub items: Vec<Item>,
    /// Between each layer and the next.
    pub links: Vec<Vec<Link>>,
    /// Rows that each item takes.
    pub height: Vec<i32>,
    /// Sorted.
    pub ports: Vec<Port>,
    /// Names of groups, sorted, and the group of each node.
    pub groups: Vec<Name>,
    pub group: Vec<Option<usize>>,
    /// First and last layer of each group.
    pub reach: Vec<(usize, usize)>,
}

impl<'g> Shape<'g> {
    /// `before` keeps boxes as high as they were, as long as their ports fit.
    pub fn new(graph: &'g Graph, layer: Vec<usize>, before: Option<&Layout>) -> Self {
        let layers = layer.iter().max().map_or(0, |last| last + 1);
        let mut groups: Vec<Name> = graph.nodes.iter().filter_map(|node| node.group.clone()).collect();
        groups.sort();
        groups.dedup();
        let group: Vec<Option<usize>> = graph
            .nodes
            .iter()
            .map(|node| node.group.as_ref().and_then(|group| groups.binary_search(group).ok()))
            .collect();
        let mut reach = vec![(usize::MAX, 0); groups.len()];
        for (node, group) in group.iter().enumerate() {
            if let Some(group) = group {
                let (first, last) = &mut reach[*group];
                (*first, *last) = ((*first).min(layer[node]), (*last).max(layer[node]));
            }
        }
        let mut shape = Self {
            graph,
            items: (0..graph.nodes.len()).map(Item::Node).collect(),
            links: vec![Vec::new(); layers],
            height: Vec::new(),
            ports: Vec::new(),
            ways: Vec::new(),
            layer,
            layers,
            groups,
            group,
            reach,
        };
        for net in 0..graph.nets.len() {
            shape.add_ways(net);
        }
        shape.ports.sort_unstable();
        shape.add_ghosts();
        shape.heights(before);
        shape
    }

    fn add_ways(&mut self, net: usize) {
        let (from, to) = (self.graph.nets[net].from, &self.graph.nets[net].to);
        let home = self.layer[from];
        let (back, ahead): (Vec<usize>, Vec<usize>) = to.iter().partition(|node| self.layer[**node] < home);
        if !ahead.is_empty() || back.is_empty() {
            let far = ahead.iter().map(|node| self.layer[*node]).max().unwrap_or(home);
            self.add_way(
                Way { net, leftward: false, from, to: ahead, passes: BTreeMap::new() },
                home + 1..far,
            );
        }
        if !back.is_empty() {
            let far = back.iter().map(|node| self.layer[*node]).min().unwrap_or(home);
            self.add_way(Way { net, leftward: true, from, to: back, passes: BTreeMap::new() }, far + 1..home);
        }
    }

    fn add_way(&mut self, mut way: Way, passed: std::ops::Range<usize>) {
        let at = self.ways.len();
        for layer in passed {
            way.passes.insert(layer, self.items.len());
            self.items.push(Item::Pass { way: at, layer });
        }
        let home = self.layer[way.from];
        self.ports.push(Port { node: way.from, right_side: !way.leftward, way: at, leaving: true });
        for &node in &way.to {
            let right_side = way.leftward || self.layer[node] == home;
            self.ports.push(Port { node, right_side, way: at, leaving: false });
        }
        // The item of the way in a layer: its pass, or where it begins.
        let item = |layer: usize| way.passes.get(&layer).copied().unwrap_or(way.from);
        for &pass in way.passes.values() {
            let Item::Pass { layer, .. } = self.items[pass] else { continue };
            if way.leftward {
                self.links[layer].push(Link { left: pass, right: item(layer + 1), way: at });
            } else {
                self.links[layer - 1].push(Link { left: item(layer - 1), right: pass, way: at });
            }
        }
        for &node in &way.to {
            let layer = self.layer[node];
            if way.leftward {
                self.links[layer].push(Link { left: node, right: item(layer + 1), way: at });
            } else if layer > home {
                self.links[layer - 1].push(Link { left: item(layer - 1), right: node, way: at });
            }
        }
        self.ways.push(way);
    }

    fn add_ghosts(&mut self) {
        for (group, &(first, last)) in self.reach.iter().enumerate() {
            for layer in first..=last {
                let stands = |node: usize| self.layer[node] == layer && self.group[node] == Some(group);
                if !(0..self.layer.len()).any(stands) {
                    self.items.push(Item::Ghost { group, layer });
                }
            }
        }
    }

    fn heights(&mut self, before: Option<&Layout>) {
        let mut sides = vec![[0_i32; 2]; self.graph.nodes.len()];
        for port in &self.ports {
            sides[port.node][usize::from(port.right_side)] += 1;
        }
        self.height = self
            .items
            .iter()
            .map(|item| match item {
                Item::Node(node) => {
                    let Node { key, height, .. } = &self.graph.nodes[*node];
                    let needed = (sides[*node].into_iter().max().unwrap_or(0) + 2).max(*height);
                    let was = before.and_then(|layout| Some(layout.boxes[layout.node(key)?].block.height));
                    was.filter(|was| *was >= needed).unwrap_or_else(|| {
                        let ports = sides[*node].into_iter().max().unwrap_or(0);
                        (*height).max(ports + SPARE_PORTS + 2)
                    })
                }
                Item::Pass { .. } | Item::Ghost { .. } => 1,
            })
            .collect();
    }

    /// The places of a node's ports in [`Shape::ports`]; none of an item that is no node.
    pub fn ports_of(&self, item: usize) -> std::ops::Range<usize> {
        let first = self.ports.partition_point(|port| port.node < item);
        first..first + self.ports[first..].partition_point(|port| port.node == item)
    }

    /// The place of one port.
    pub fn port(&self, port: Port) -> Option<usize> {
        self.ports.binary_search(&port).ok()
    }

    /// The layer of an item.
    pub fn layer_of(&self, item: usize) -> usize {
        match self.items[item] {
            Item::Node(node) => self.layer[node],
            Item::Pass { layer, .. } | Item::Ghost { layer, .. } => layer,
        }
    }

    /// The group of an item: passes belong to none.
    pub fn group_of(&self, item: usize) -> Option<usize> {
        match self.items[item] {
            Item::Node(node) => self.group[node],
            Item::Ghost { group, .. } => Some(group),
            Item::Pass { .. } => None,
        }
    }

    /// The other end of a way as seen from a port: the items in the channel that the port opens into, the port's own node left out.
    pub fn facing(&self, port: &Port) -> Vec<usize> {
        let way = &self.ways[port.way];
        let home = self.layer[way.from];
        let layer = self.layer[port.node];
        if port.leaving {
            let next = if way.leftward { layer.wrapping_sub(1) } else { layer + 1 };
            let mut items: Vec<usize> = way.passes.get(&next).copied().into_iter().collect();
            let reached =
                |node: &usize| self.layer[*node] == next || (!way.leftward && self.layer[*node] == home);
            items.extend(way.to.iter().copied().filter(|node| reached(node) && *node != port.node));
            items
        } else if layer == home {
            vec![way.from]
        } else {
            let previous = if way.leftward { layer + 1 } else { layer - 1 };
            vec![way.passes.get(&previous).copied().unwrap_or(way.from)]
        }
    }
}
