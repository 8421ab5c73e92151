//! Laying out again what changed a little: what was there keeps its layer and its row, what is new finds a free place near to what it
//! hangs on, and only what is in the way of that moves.

use std::collections::BTreeMap;

use super::order::Order;
use super::rows::{self, Rows};
use super::shape::{Item, Shape};
use super::{Graph, Layout};

/// The layer of each node: the one it had; a new one stands between those that it hangs on.
pub fn layers(graph: &Graph, before: &Layout) -> Vec<usize> {
    let mut layer: Vec<Option<usize>> =
        graph.nodes.iter().map(|node| before.node(&node.key).map(|at| before.boxes[at].layer)).collect();
    for _ in 0..graph.nodes.len() {
        let open: Vec<usize> = (0..layer.len()).filter(|node| layer[*node].is_none()).collect();
        if open.is_empty() {
            break;
        }
        let known = |node: usize| {
            let senders = graph.edges().filter(|(_, to)| *to == node).filter_map(|(from, _)| layer[from]);
            let receivers = graph.edges().filter(|(from, _)| *from == node).filter_map(|(_, to)| layer[to]);
            (senders.max(), receivers.min())
        };
        // Those first that hang on something that has a place.
        let next = open.iter().copied().find(|node| known(*node) != (None, None)).unwrap_or(open[0]);
        layer[next] = Some(match known(next) {
            (Some(senders), _) => senders + 1,
            (None, Some(receivers)) => receivers.saturating_sub(1),
            (None, None) => emptiest(graph, &layer, next),
        });
    }
    layer.into_iter().map(Option::unwrap_or_default).collect()
}

/// For a node that hangs on nothing: the layer where its group is, else the one with the fewest rows.
fn emptiest(graph: &Graph, layer: &[Option<usize>], node: usize) -> usize {
    let group = graph.nodes[node].group.as_ref();
    let last = layer.iter().flatten().max().copied().unwrap_or(0);
    let rows = |at: usize| -> i32 {
        (0..layer.len())
            .filter(|other| layer[*other] == Some(at))
            .map(|other| graph.nodes[other].height)
            .sum()
    };
    let with_group = |at: usize| {
        group.is_some()
            && (0..layer.len())
                .any(|other| layer[other] == Some(at) && graph.nodes[other].group.as_ref() == group)
    };
    (0..=last).min_by_key(|at| (!with_group(*at), rows(*at), *at)).unwrap_or(0)
}

/// The rows of everything, as they were as far as possible.
pub fn rows(shape: &Shape<'_>, before: &Layout) -> Rows {
    let mut keep = Keep::new(shape, before);
    keep.nodes();
    keep.passes();
    let order = keep.order();
    let held: Vec<Option<i32>> = shape
        .ports
        .iter()
        .map(|port| {
            let node = shape.graph.nodes[port.node].key.clone();
            let net = shape.graph.nets[shape.ways[port.way].net].key.clone();
            before.kept.ports.get(&(node, port.right_side, net, port.leaving)).copied()
        })
        .collect();
    let mut offsets = vec![1; shape.ports.len()];
    let wish: Vec<i32> = keep.wish.iter().map(|row| row.unwrap_or(0)).collect();
    super::ports::assign(shape, &wish, &mut offsets, &held);
    let settled = rows::settle(shape, &order, &wish, offsets);
    // New ports are put beside what they lead to once that stands.
    let Rows { y, mut offsets, frames } = settled;
    super::ports::assign(shape, &y, &mut offsets, &held);
    Rows { y, offsets, frames }
}

struct Keep<'a> {
    shape: &'a Shape<'a>,
    before: &'a Layout,
    /// The row of each item, as soon as it is decided.
    wish: Vec<Option<i32>>,
    /// Rows taken in each layer: first row and the one after the last.
    taken: Vec<Vec<(i32, i32)>>,
    /// Rows of each group's frame, its borders included; `None` of a new one.
    frames: Vec<Option<(i32, i32)>>,
}

impl<'a> Keep<'a> {
    fn new(shape: &'a Shape<'a>, before: &'a Layout) -> Self {
        let frame = |group: &crate::model::id::Name| {
            let at = before.frames.binary_search_by(|frame| frame.key.cmp(group)).ok()?;
            let block = before.frames[at].block;
            Some((block.y, block.bottom()))
        };
        Self {
            shape,
            before,
            wish: vec![None; shape.items.len()],
            taken: vec![Vec::new(); shape.layers],
            frames: shape.groups.iter().map(frame).collect(),
        }
    }

    fn nodes(&mut self) {
        let count = self.shape.graph.nodes.len();
        for node in 0..count {
            if let Some(at) = self.before.node(&self.shape.graph.nodes[node].key) {
                self.put(node, self.before.boxes[at].block.y);
            }
        }
        for node in 0..count {
            if self.wish[node].is_some() {
                continue;
            }
            let ideal = self.ideal(node).unwrap_or(0) - self.shape.height[node] / 2;
            let group = self.shape.group[node];
            let layer = self.shape.layer[node];
            let row = if let Some(group) = group {
                let inside = self.frames[group].map(|(top, bottom)| (top + 1, bottom - 1));
                let (top, bottom) = inside.unwrap_or((0, i32::MAX / 4));
                let fits = self.free(layer, ideal, self.shape.height[node], 1, (top, bottom));
                // No room in the frame: it grows downwards, and what is below makes way.
                fits.unwrap_or_else(|| ideal.clamp(top, bottom.max(top)))
            } else {
                let blocked = self.foreign_frames(layer);
                self.taken[layer].extend(&blocked);
                let free = self.free(layer, ideal, self.shape.height[node], 1, (0, i32::MAX / 4));
                let kept = self.taken[layer].len() - blocked.len();
                self.taken[layer].truncate(kept);
                free.unwrap_or(ideal.max(0))
            };
            self.put(node, row);
        }
    }

    fn passes(&mut self) {
        for at in 0..self.shape.items.len() {
            let Item::Pass { way, layer } = self.shape.items[at] else { continue };
            let of = &self.shape.ways[way];
            let key = (self.shape.graph.nets[of.net].key.clone(), of.leftward, layer);
            if let Some(row) = self.before.kept.passes.get(&key).copied()
                && self.is_free(layer, row)
            {
                self.put(at, row);
            }
        }
        for at in 0..self.shape.items.len() {
            let Item::Pass { layer, .. } = self.shape.items[at] else { continue };
            if self.wish[at].is_none() {
                let ideal = self.ideal(at).unwrap_or(0);
                // Borders of frames are no place for a line.
                let borders = self.borders(layer);
                self.taken[layer].extend(&borders);
                let row = self.free(layer, ideal, 1, 0, (0, i32::MAX / 4));
                let kept = self.taken[layer].len() - borders.len();
                self.taken[layer].truncate(kept);
                self.put(at, row.unwrap_or(ideal.max(0)));
            }
        }
    }

    fn put(&mut self, item: usize, row: i32) {
        self.wish[item] = Some(row);
        self.taken[self.shape.layer_of(item)].push((row, row + self.shape.height[item]));
    }

    /// The middle row of what an item hangs on.
    fn ideal(&self, item: usize) -> Option<i32> {
        let links = self.shape.links.iter().flatten();
        let mut rows: Vec<i32> = links
            .filter_map(|link| {
                let other = match item {
                    _ if link.left == item => link.right,
                    _ if link.right == item => link.left,
                    _ => return None,
                };
                self.wish[other].map(|row| row + self.shape.height[other] / 2)
            })
            .collect();
        rows.sort_unstable();
        rows.get((rows.len().max(1) - 1) / 2).copied()
    }

    fn is_free(&self, layer: usize, row: i32) -> bool {
        let within = |(top, bottom): &(i32, i32)| (*top..*bottom).contains(&row);
        !self.taken[layer].iter().any(within) && !self.borders(layer).iter().any(within)
    }

    /// The free place of so many rows, with `gap` rows to its neighbours, that is nearest to the ideal, within bounds.
    fn free(
        &self,
        layer: usize,
        ideal: i32,
        height: i32,
        gap: i32,
        (top, bottom): (i32, i32),
    ) -> Option<i32> {
        let mut taken = self.taken[layer].clone();
        taken.sort_unstable();
        let mut from = top;
        let mut best: Option<i32> = None;
        for (start, end) in taken.into_iter().chain([(bottom + gap, bottom + gap)]) {
            let until = start - gap - height;
            if from <= until {
                let row = ideal.clamp(from, until);
                if best.is_none_or(|best| (row - ideal).abs() < (best - ideal).abs()) {
                    best = Some(row);
                }
            }
            from = from.max(end + gap);
        }
        best
    }

    /// Rows of frames that cover a layer.
    fn foreign_frames(&self, layer: usize) -> Vec<(i32, i32)> {
        let covers = |group: &usize| {
            let (first, last) = self.shape.reach[*group];
            (first..=last).contains(&layer)
        };
        (0..self.frames.len()).filter(covers).filter_map(|group| self.frames[group]).collect()
    }

    fn borders(&self, layer: usize) -> Vec<(i32, i32)> {
        let frames = self.foreign_frames(layer);
        frames.into_iter().flat_map(|(top, bottom)| [(top, top + 1), (bottom - 1, bottom)]).collect()
    }

    /// Items of each layer from the top. What stands in no frame and the frames themselves have one order over all layers: that of
    /// their middles.
    fn order(&self) -> Order {
        let middles: BTreeMap<usize, i32> = (0..self.shape.groups.len())
            .map(|group| {
                let members =
                    (0..self.shape.graph.nodes.len()).filter(|node| self.shape.group[*node] == Some(group));
                let ends: Vec<i32> = members
                    .filter_map(|node| self.wish[node].map(|row| 2 * row + self.shape.height[node]))
                    .collect();
                let (low, high) = (ends.iter().min().unwrap_or(&0), ends.iter().max().unwrap_or(&0));
                let own = self.frames[group].map(|(top, bottom)| top + bottom);
                (group, own.unwrap_or((low + high) / 2))
            })
            .collect();
        let mut order = vec![Vec::new(); self.shape.layers];
        for item in 0..self.shape.items.len() {
            order[self.shape.layer_of(item)].push(item);
        }
        let inside: Vec<Option<usize>> = (0..self.shape.items.len())
            .map(|item| self.shape.group_of(item).or_else(|| self.pass_inside(item)))
            .collect();
        for items in &mut order {
            let key = |item: usize| {
                let row = self.wish[item].unwrap_or(0);
                let middle = 2 * row + self.shape.height[item];
                match inside[item] {
                    Some(group) => {
                        let ghost = matches!(self.shape.items[item], Item::Ghost { .. });
                        let inner = if ghost { middles[&group] } else { middle };
                        (middles[&group], 1 + group, inner, item)
                    }
                    None => (middle, 0, middle, item),
                }
            };
            items.sort_by_key(|item| key(*item));
        }
        Order { layers: order, inside }
    }

    /// The frame in which a pass runs.
    fn pass_inside(&self, item: usize) -> Option<usize> {
        let Item::Pass { layer, .. } = self.shape.items[item] else { return None };
        let row = self.wish[item]?;
        (0..self.frames.len()).find(|group| {
            let (first, last) = self.shape.reach[*group];
            let inside = self.frames[*group].is_some_and(|(top, bottom)| top < row && row < bottom - 1);
            (first..=last).contains(&layer) && inside
        })
    }
}
