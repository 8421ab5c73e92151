//! Graphs to lay out: random ones of every shape, and the ones with a name.

// A benchmark uses its own part of this.
#![allow(dead_code)]

use fastrand::Rng;
use headwater::layout::{Graph, Net, Node, Spacing};

pub const SPACING: Spacing = Spacing { label: 7, figures: 9, pitch: 1 };

pub fn node(key: &str, group: Option<&str>) -> Node {
    let width = i32::try_from(key.chars().count()).unwrap() + 4;
    Node { key: key.into(), width, height: 4, group: group.map(Into::into) }
}

pub fn net(key: &str, from: usize, to: &[usize]) -> Net {
    Net { key: key.into(), from, to: to.to_vec() }
}

/// A graph of up to `most` nodes: with cycles, parallel nets, loops, stubs, groups, nodes without any net.
pub fn random(seed: u64, most: usize) -> Graph {
    let mut random = Rng::with_seed(seed);
    let count = random.usize(1..=most);
    let groups = random.usize(0..=(count / 4).min(8));
    // Some leave nobody out, some leave many without a group.
    let grouped = random.f64();
    let nodes = (0..count)
        .map(|at| {
            let group =
                (groups > 0 && random.f64() < grouped).then(|| format!("g{}", random.usize(0..groups)));
            let mut node = node(&format!("n{at:02}"), group.as_deref());
            (node.width, node.height) = (random.i32(3..=18), random.i32(3..=8));
            node
        })
        .collect();
    let nets = random.usize(0..=count * 2);
    let nets = (0..nets)
        .map(|at| {
            let readers = [0, 1, 1, 1, 2, 2, 3, 5][random.usize(0..8)];
            let to: Vec<usize> = (0..readers).map(|_| random.usize(0..count)).collect();
            net(&format!("c{at:03}"), random.usize(0..count), &to)
        })
        .collect();
    Graph { nodes, nets }
}

/// Services as they are: most traffic within a domain, some hubs, a few ways back.
pub fn realistic(seed: u64, services: usize, edges: usize, domains: usize) -> Graph {
    let mut random = Rng::with_seed(seed);
    let domain = |at: usize| format!("domain{:02}", at * domains / services);
    let nodes: Vec<Node> =
        (0..services).map(|at| node(&format!("service{at:03}"), Some(&domain(at)))).collect();
    let mut nets: Vec<Net> = Vec::new();
    let mut left = edges;
    while left > 0 {
        // The square prefers the first: hubs.
        let from = ((random.f64() * random.f64()) * services as f64) as usize;
        let mut to: Vec<usize> = Vec::new();
        for _ in 0..random.usize(1..=4).min(left) {
            let near = random.f64() < 0.75;
            let reader = loop {
                let at = random.usize(0..services);
                let back = at < from;
                if at == from || (near && domain(at) != domain(from)) || (back && random.f64() > 0.12) {
                    if random.f64() < 0.02 && at != from {
                        break at;
                    }
                    continue;
                }
                break at;
            };
            to.push(reader);
        }
        to.sort_unstable();
        to.dedup();
        left = left.saturating_sub(to.len());
        nets.push(net(&format!("channel{:03}", nets.len()), from, &to));
    }
    Graph { nodes, nets }
}
