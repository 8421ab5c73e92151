//! What stands above what in each layer, so that few routes cross.
//!
//! Sweeps by barycentre, then swaps of neighbours that save crossings; several starting orders, since each ends in a valley of its own.
//! Nodes of one group stay together, and groups keep one order over all layers: so their frames can be rectangles.

use fastrand::Rng;

use super::shape::{Item, Shape};

/// What stands above what.
#[derive(Debug, Clone)]
pub struct Order {
    /// Items of each layer, from the top.
    pub layers: Vec<Vec<usize>>,
    /// The frame that each item stands in. A way that passes between items of a frame runs through it without being named here.
    pub inside: Vec<Option<usize>>,
}

/// Sweeps to the right and back; stops earlier when nothing is gained.
const SWEEPS: usize = 12;
/// Sweeps without gain after which it stops.
const PATIENCE: usize = 4;
/// Any number: the same input must give the same picture.
const SEED: u64 = 0x4ead_0a7e;

/// Orders to choose from, one for each start; the first starts from the order of keys.
pub fn candidates(shape: &Shape<'_>, tries: usize) -> impl Iterator<Item = Order> {
    let bands = Bands::new(shape);
    let mut random = Rng::with_seed(SEED);
    (0..tries.max(1)).map(move |at| {
        let mut ranks: Vec<usize> = (0..bands.count).collect();
        let mut keys: Vec<usize> = (0..shape.items.len()).collect();
        if at > 0 {
            random.shuffle(&mut ranks);
            random.shuffle(&mut keys);
        }
        let inside = (0..shape.items.len()).map(|item| shape.group_of(item)).collect();
        Order { layers: settle(shape, &bands, &ranks, &keys), inside }
    })
}

/// What stays together: a group, or without one all that hangs together.
struct Bands {
    /// Of nodes and ghosts.
    of: Vec<Option<usize>>,
    count: usize,
}

impl Bands {
    fn new(shape: &Shape<'_>) -> Self {
        let component = components(shape);
        let groups = shape.groups.len();
        let of: Vec<Option<usize>> = (0..shape.items.len())
            .map(|item| match shape.items[item] {
                Item::Node(node) => Some(shape.group[node].unwrap_or(groups + component[node])),
                Item::Ghost { group, .. } => Some(group),
                Item::Pass { .. } => None,
            })
            .collect();
        let count = of.iter().flatten().max().map_or(0, |last| last + 1);
        Self { of, count }
    }
}

/// The node that stands for a connected part.
fn root(part: &mut [usize], mut node: usize) -> usize {
    while part[node] != node {
        part[node] = part[part[node]];
        node = part[node];
    }
    node
}

/// The connected part that each node belongs to.
fn components(shape: &Shape<'_>) -> Vec<usize> {
    let mut part: Vec<usize> = (0..shape.graph.nodes.len()).collect();
    for (from, to) in shape.graph.edges() {
        let (a, b) = (root(&mut part, from), root(&mut part, to));
        part[a.max(b)] = a.min(b);
    }
    (0..part.len()).map(|node| root(&mut part, node)).collect()
}

fn settle(shape: &Shape<'_>, bands: &Bands, ranks: &[usize], keys: &[usize]) -> Vec<Vec<usize>> {
    let mut work = Work::new(shape, bands, ranks, keys);
    let (mut best, mut least, mut idle) = (work.order.clone(), work.crossings(), 0);
    for sweep in 0..SWEEPS {
        work.sweep(sweep % 2 == 0);
        work.swap_neighbours();
        let crossings = work.crossings();
        if crossings < least {
            (best, least, idle) = (work.order.clone(), crossings, 0);
        } else {
            idle += 1;
        }
        if idle >= PATIENCE || least == 0 {
            break;
        }
    }
    best
}

struct Work<'a> {
    bands: &'a Bands,
    ranks: &'a [usize],
    order: Vec<Vec<usize>>,
    /// The place of each item in its layer.
    place: Vec<usize>,
    /// Neighbours of each item in the layer left and right of it, with the way.
    left: Vec<Vec<(usize, usize)>>,
    right: Vec<Vec<(usize, usize)>>,
}

impl<'a> Work<'a> {
    fn new(shape: &Shape<'_>, bands: &'a Bands, ranks: &'a [usize], keys: &[usize]) -> Self {
        let count = shape.items.len();
        let mut order = vec![Vec::new(); shape.layers];
        for item in 0..count {
            order[shape.layer_of(item)].push(item);
        }
        let rank = |item: &usize| bands.of[*item].map_or(usize::MAX, |band| ranks[band]);
        for layer in &mut order {
            layer.sort_by_key(|item| (rank(item), keys[*item]));
        }
        let (mut left, mut right) = (vec![Vec::new(); count], vec![Vec::new(); count]);
        for link in shape.links.iter().flatten() {
            left[link.right].push((link.left, link.way));
            right[link.left].push((link.right, link.way));
        }
        let mut work = Self { bands, ranks, order, place: vec![0; count], left, right };
        for layer in 0..work.order.len() {
            work.number(layer);
        }
        work
    }

    fn number(&mut self, layer: usize) {
        for (at, item) in self.order[layer].iter().enumerate() {
            self.place[*item] = at;
        }
    }

    fn sweep(&mut self, rightward: bool) {
        let layers = self.order.len();
        for step in 1..layers {
            let layer = if rightward { step } else { layers - 1 - step };
            self.arrange(layer, rightward);
        }
    }

    /// Puts a layer into the order of the barycentres of what its items hang on.
    fn arrange(&mut self, layer: usize, rightward: bool) {
        let linked = if rightward { &self.left } else { &self.right };
        let here = self.order[layer].len().max(1) as f64;
        let next = if rightward { layer - 1 } else { layer + 1 };
        let there = self.order[next].len().max(1) as f64;
        let centre = |item: usize| {
            let places = linked[item].iter().map(|(other, _)| self.place[*other] as f64);
            match linked[item].len() {
                0 => (self.place[item] as f64 + 0.5) / here,
                count => (places.sum::<f64>() / count as f64 + 0.5) / there,
            }
        };
        let mut passes: Vec<(f64, usize)> = Vec::new();
        let mut fixed: Vec<(f64, usize)> = Vec::new();
        for &item in &self.order[layer] {
            if self.bands.of[item].is_some() { &mut fixed } else { &mut passes }.push((centre(item), item));
        }
        let by_place = |a: &(f64, usize), b: &(f64, usize)| {
            a.0.total_cmp(&b.0).then(self.place[a.1].cmp(&self.place[b.1]))
        };
        passes.sort_by(by_place);
        let rank = |item: usize| self.bands.of[item].map_or(0, |band| self.ranks[band]);
        fixed.sort_by(|a, b| rank(a.1).cmp(&rank(b.1)).then_with(|| by_place(a, b)));
        level(&mut fixed);
        let mut merged = Vec::with_capacity(passes.len() + fixed.len());
        let mut passes = passes.into_iter().peekable();
        for (centre, item) in fixed {
            while let Some((_, pass)) = passes.next_if(|(wanted, _)| *wanted < centre) {
                merged.push(pass);
            }
            merged.push(item);
        }
        merged.extend(passes.map(|(_, pass)| pass));
        self.order[layer] = merged;
        self.number(layer);
    }

    /// Swaps neighbours as long as that saves crossings.
    fn swap_neighbours(&mut self) {
        for _ in 0..8 {
            let mut gained = false;
            for layer in 0..self.order.len() {
                for at in 1..self.order[layer].len() {
                    let (upper, lower) = (self.order[layer][at - 1], self.order[layer][at]);
                    let together = match (self.bands.of[upper], self.bands.of[lower]) {
                        (Some(a), Some(b)) => a == b,
                        _ => true,
                    };
                    if !together || self.between(lower, upper) >= self.between(upper, lower) {
                        continue;
                    }
                    self.order[layer].swap(at - 1, at);
                    (self.place[upper], self.place[lower]) = (at, at - 1);
                    gained = true;
                }
            }
            if !gained {
                return;
            }
        }
    }

    /// Crossings among the links of two items of one layer when the one stands above the other.
    fn between(&self, upper: usize, lower: usize) -> usize {
        let side = |linked: &[Vec<(usize, usize)>]| -> usize {
            let crossed = |(other, way): &(usize, usize)| {
                let under = |(another, crossing): &&(usize, usize)| {
                    way != crossing && self.place[*another] < self.place[*other]
                };
                linked[lower].iter().filter(under).count()
            };
            linked[upper].iter().map(crossed).sum()
        };
        side(&self.left) + side(&self.right)
    }

    /// All crossings, by counting inversions with a tree of sums (Barth, Jünger and Mutzel, *Simple and Efficient Bilayer Cross
    /// Counting*, 2002).
    fn crossings(&self) -> usize {
        let mut total = 0;
        for layer in &self.order {
            let mut links: Vec<(usize, usize)> = layer
                .iter()
                .flat_map(|item| {
                    self.right[*item].iter().map(|(other, _)| (self.place[*item], self.place[*other]))
                })
                .collect();
            links.sort_unstable();
            let size = links.iter().map(|(_, right)| right + 1).max().unwrap_or(0);
            let mut sums = vec![0_usize; size + 1];
            for (seen, (_, right)) in links.iter().enumerate() {
                let (mut at, mut not_below) = (right + 1, 0);
                while at > 0 {
                    not_below += sums[at];
                    at &= at - 1;
                }
                total += seen - not_below;
                at = right + 1;
                while at <= size {
                    sums[at] += 1;
                    at += at & at.wrapping_neg();
                }
            }
        }
        total
    }
}

/// Makes a row of numbers grow, changing it as little as possible: neighbours out of order take their mean (pool adjacent violators).
fn level(row: &mut [(f64, usize)]) {
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for (value, _) in row.iter() {
        pools.push((*value, 1));
        while let [.., (above, many), (below, few)] = pools[..]
            && above > below
        {
            pools.truncate(pools.len() - 2);
            let count = many + few;
            pools.push(((above * many as f64 + below * few as f64) / count as f64, count));
        }
    }
    let values = pools.into_iter().flat_map(|(value, count)| std::iter::repeat_n(value, count));
    for (slot, value) in row.iter_mut().zip(values) {
        slot.0 = value;
    }
}
