//! In which row each item stands: long ways straight, boxes beside what they talk to, everything in its order.
//!
//! The order in each layer gives constraints of the form "at least so many rows below"; frames are constrained in every layer that they
//! cover. One pass from the top and one from the bottom each give a solution that is as near to what is wished as its direction allows;
//! their mean is a solution too, since such constraints are convex, and lies in the middle.

use super::order::Order;
use super::ports;
use super::shape::{Item, Link, Port, Shape, Way};

/// Passes between two looks at the ports, and how often that is done.
const PASSES: usize = 8;
const ROUNDS: usize = 3;

/// The rows of everything.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// The top row of each item.
    pub y: Vec<i32>,
    /// The row of each port, from the top of its box.
    pub offsets: Vec<i32>,
    /// First and last row of each group's frame.
    pub frames: Vec<(i32, i32)>,
}

/// Rows for an order, as good as can be.
pub fn spread(shape: &Shape<'_>, order: &Order) -> Rows {
    let chains = Chains::new(shape, order);
    let items = shape.items.len();
    let mut y = chains.down(&vec![i32::MIN / 2; chains.vars]);
    let mut offsets = vec![1; shape.ports.len()];
    let held = vec![None; shape.ports.len()];
    let wishes = Wishes::new(shape);
    for _ in 0..ROUNDS {
        ports::assign(shape, &y[..items], &mut offsets, &held);
        for _ in 0..PASSES {
            let mut wish = wishes.all(&y, &offsets);
            wish.resize(chains.vars, 0);
            chains.frames_wish(&mut wish);
            let (down, up) = (chains.down(&wish), chains.up(&wish));
            y = down.into_iter().zip(up).map(|(a, b)| (a + b).div_euclid(2)).collect();
        }
    }
    chains.shift(shape, &wishes, &mut y, &offsets);
    ports::assign(shape, &y[..items], &mut offsets, &held);
    chains.shift(shape, &wishes, &mut y, &offsets);
    chains.finish(y, offsets)
}

/// Rows as near to `wish` (of each item) as the order allows: what stands as wished stays, what is in its way goes down.
pub fn settle(shape: &Shape<'_>, order: &Order, wish: &[i32], offsets: Vec<i32>) -> Rows {
    let chains = Chains::new(shape, order);
    let mut wish = wish.to_vec();
    wish.resize(chains.vars, 0);
    chains.frames_wish(&mut wish);
    let y = chains.down(&wish);
    chains.finish(y, offsets)
}

/// What must stand below what. Variables: the items, then the top row of each group's frame, then the bottom rows.
struct Chains {
    vars: usize,
    items: usize,
    groups: usize,
    /// Upper, lower, rows from the top of the one to the top of the other at least.
    bounds: Vec<(usize, usize, i32)>,
    /// Bounds by their lower and by their upper end.
    above: Vec<Vec<usize>>,
    below: Vec<Vec<usize>>,
    /// Variables so that what is above comes first.
    sorted: Vec<usize>,
    /// What stands inside each frame, and its height.
    inside: Vec<Vec<(usize, i32)>>,
}

impl Chains {
    fn new(shape: &Shape<'_>, order: &Order) -> Self {
        let (items, groups) = (shape.items.len(), shape.groups.len());
        let vars = items + 2 * groups;
        let mut chains = Self {
            vars,
            items,
            groups,
            bounds: Vec::new(),
            above: vec![Vec::new(); vars],
            below: vec![Vec::new(); vars],
            sorted: Vec::new(),
            inside: vec![Vec::new(); groups],
        };
        for layer in &order.layers {
            let sequence = chains.bracketed(shape, layer, &order.inside);
            for pair in sequence.windows(2) {
                let [upper, lower] = [pair[0], pair[1]];
                let node = |var: usize| var < items && matches!(shape.items[var], Item::Node(_));
                let gap = i32::from(node(upper) && node(lower));
                let height = if upper < items { shape.height[upper] } else { 1 };
                chains.bound(upper, lower, height + gap);
            }
        }
        chains.sort();
        chains
    }

    /// The items of a layer with the borders of frames between them.
    fn bracketed(&mut self, shape: &Shape<'_>, layer: &[usize], inside: &[Option<usize>]) -> Vec<usize> {
        let mut ends = vec![None; self.groups];
        for (at, item) in layer.iter().enumerate() {
            if let Some(group) = inside[*item] {
                let (_, last) = ends[group].get_or_insert((at, at));
                *last = at;
            }
        }
        let mut sequence = Vec::with_capacity(layer.len() + 2 * self.groups);
        let mut open = None;
        for (at, item) in layer.iter().enumerate() {
            let group = inside[*item];
            if let Some(group) = group
                && ends[group].is_some_and(|(first, _)| first == at)
            {
                sequence.push(self.items + group);
                open = Some(group);
            }
            // A ghost has said where its frame is; it takes no room.
            if !matches!(shape.items[*item], Item::Ghost { .. }) {
                sequence.push(*item);
                if let Some(open) = open {
                    self.inside[open].push((*item, shape.height[*item]));
                }
            }
            if let Some(group) = group
                && ends[group].is_some_and(|(_, last)| last == at)
            {
                sequence.push(self.items + self.groups + group);
                open = None;
            }
        }
        sequence
    }

    fn bound(&mut self, upper: usize, lower: usize, rows: i32) {
        self.below[upper].push(self.bounds.len());
        self.above[lower].push(self.bounds.len());
        self.bounds.push((upper, lower, rows));
    }

    fn sort(&mut self) {
        let mut waiting: Vec<usize> = self.above.iter().map(Vec::len).collect();
        let mut ready: Vec<usize> = (0..self.vars).filter(|var| waiting[*var] == 0).collect();
        while let Some(var) = ready.pop() {
            self.sorted.push(var);
            for bound in &self.below[var] {
                let lower = self.bounds[*bound].1;
                waiting[lower] -= 1;
                if waiting[lower] == 0 {
                    ready.push(lower);
                }
            }
        }
        debug_assert_eq!(self.sorted.len(), self.vars, "frames keep one order over all layers");
    }

    fn lowest_allowed(&self, var: usize, y: &[i32]) -> Option<i32> {
        self.above[var].iter().map(|bound| y[self.bounds[*bound].0] + self.bounds[*bound].2).max()
    }

    fn highest_allowed(&self, var: usize, y: &[i32]) -> Option<i32> {
        self.below[var].iter().map(|bound| y[self.bounds[*bound].1] - self.bounds[*bound].2).min()
    }

    /// Everything where it wishes to be, or lower. A wish far above means: as high as can be.
    fn down(&self, wish: &[i32]) -> Vec<i32> {
        let mut y = vec![0; self.vars];
        for &var in &self.sorted {
            let least = self.lowest_allowed(var, &y);
            let wished = if wish[var] <= i32::MIN / 2 { 0 } else { wish[var] };
            y[var] = least.map_or(wished, |least| least.max(wished));
        }
        y
    }

    /// Everything where it wishes to be, or higher.
    fn up(&self, wish: &[i32]) -> Vec<i32> {
        let mut y = vec![0; self.vars];
        for &var in self.sorted.iter().rev() {
            let most = self.highest_allowed(var, &y);
            y[var] = most.map_or(wish[var], |most| most.min(wish[var]));
        }
        y
    }

    /// Frames wish to stand close around what is in them.
    fn frames_wish(&self, wish: &mut [i32]) {
        for (group, inside) in self.inside.iter().enumerate() {
            let top = inside.iter().map(|(item, _)| wish[*item] - 1).min();
            let bottom = inside.iter().map(|(item, height)| wish[*item] + height).max();
            wish[self.items + group] = top.unwrap_or(0);
            wish[self.items + self.groups + group] = bottom.unwrap_or(0);
        }
    }

    /// Moves one item after the other to where it wishes to be, as far as there is room: takes the last kinks out.
    fn shift(&self, shape: &Shape<'_>, wishes: &Wishes, y: &mut [i32], offsets: &[i32]) {
        for _ in 0..8 {
            let mut moved = false;
            for var in 0..self.items {
                if matches!(shape.items[var], Item::Ghost { .. }) {
                    continue;
                }
                let Some(wish) = wishes.of(var, y, offsets) else { continue };
                let least = self.lowest_allowed(var, y).unwrap_or(i32::MIN);
                let most = self.highest_allowed(var, y).unwrap_or(i32::MAX);
                let to = wish.clamp(least, most.max(least));
                moved |= to != y[var];
                y[var] = to;
            }
            for way in &shape.ways {
                moved |= self.slide(shape, wishes, way, y, offsets);
            }
            // What stands outside a frame may come nearer when that has become smaller.
            for (group, (top, bottom)) in self.tight(y).into_iter().enumerate() {
                y[self.items + group] = top;
                y[self.items + self.groups + group] = bottom;
            }
            if !moved {
                return;
            }
        }
    }

    /// Moves a way's passes together, as far as all of them have room: each alone would stay level with the others.
    fn slide(&self, shape: &Shape<'_>, wishes: &Wishes, way: &Way, y: &mut [i32], offsets: &[i32]) -> bool {
        let passes = || way.passes.values().copied();
        let mut away: Vec<i32> = passes().flat_map(|pass| wishes.to_boxes(shape, pass, y, offsets)).collect();
        away.sort_unstable();
        let Some(wish) = away.get((away.len().max(1) - 1) / 2).copied() else { return false };
        let up = passes().filter_map(|pass| Some(self.lowest_allowed(pass, y)? - y[pass])).max();
        let down = passes().filter_map(|pass| Some(self.highest_allowed(pass, y)? - y[pass])).min();
        let by = wish.min(down.unwrap_or(i32::MAX).max(0)).max(up.unwrap_or(i32::MIN).min(0));
        passes().for_each(|pass| y[pass] += by);
        by != 0
    }

    /// The result: frames drawn close, the topmost row 0.
    fn finish(&self, mut y: Vec<i32>, offsets: Vec<i32>) -> Rows {
        let frames = self.tight(&y);
        y.truncate(self.items);
        Rows { y, offsets, frames }
    }

    /// First and last row of each frame, drawn close around what is in it.
    fn tight(&self, y: &[i32]) -> Vec<(i32, i32)> {
        let around = |inside: &Vec<(usize, i32)>| {
            let top = inside.iter().map(|(item, _)| y[*item] - 1).min().unwrap_or(0);
            let bottom = inside.iter().map(|(item, height)| y[*item] + height).max().unwrap_or(0);
            (top, bottom)
        };
        self.inside.iter().map(around).collect()
    }
}

/// Where each item wishes to be: level with what it hangs on.
struct Wishes {
    /// Of each item.
    links: Vec<Vec<Hold>>,
}

/// What an item hangs on: the other item, its port, the own port, and how much the line should be straight.
type Hold = (usize, Option<usize>, Option<usize>, u32);

impl Wishes {
    fn new(shape: &Shape<'_>) -> Self {
        let mut links = vec![Vec::new(); shape.items.len()];
        for link in shape.links.iter().flatten() {
            let (left, right) = ends(shape, link);
            // After Gansner and others (*A Technique for Drawing Directed Graphs*, 1993): the longer a way, the more it matters.
            let weight = match (left, right) {
                (None, None) => 8,
                (Some(_), Some(_)) => 1,
                _ => 2,
            };
            links[link.left].push((link.right, right, left, weight));
            links[link.right].push((link.left, left, right, weight));
        }
        Self { links }
    }

    fn of(&self, item: usize, y: &[i32], offsets: &[i32]) -> Option<i32> {
        let offset = |port: Option<usize>| port.map_or(0, |at| offsets[at]);
        let mut rows: Vec<(i32, u32)> = self.links[item]
            .iter()
            .map(|(other, their, own, weight)| (y[*other] + offset(*their) - offset(*own), *weight))
            .collect();
        rows.sort_unstable();
        let half: u32 = rows.iter().map(|(_, weight)| weight).sum::<u32>().div_ceil(2);
        let mut sum = 0;
        rows.iter()
            .find(|(_, weight)| {
                sum += weight;
                sum >= half
            })
            .map(|(row, _)| *row)
    }

    /// How far each box that a pass hangs on is below it.
    fn to_boxes<'a>(
        &'a self,
        shape: &'a Shape<'_>,
        pass: usize,
        y: &'a [i32],
        offsets: &'a [i32],
    ) -> impl Iterator<Item = i32> + 'a {
        let at_boxes = move |other: usize| matches!(shape.items[other], Item::Node(_));
        self.links[pass]
            .iter()
            .filter(move |(other, ..)| at_boxes(*other))
            .map(move |(other, their, ..)| y[*other] + their.map_or(0, |at| offsets[at]) - y[pass])
    }

    fn all(&self, y: &[i32], offsets: &[i32]) -> Vec<i32> {
        (0..self.links.len()).map(|item| self.of(item, y, offsets).unwrap_or(y[item])).collect()
    }
}

/// The ports at both ends of a link, where it ends at a box.
fn ends(shape: &Shape<'_>, link: &Link) -> (Option<usize>, Option<usize>) {
    let leftward = shape.ways[link.way].leftward;
    let port = |item: usize, right_side: bool, leaving: bool| {
        let Item::Node(node) = shape.items[item] else { return None };
        shape.port(Port { node, right_side, way: link.way, leaving })
    };
    (port(link.left, true, !leftward), port(link.right, false, leftward))
}
