//! Which column each node stands in: data moves to the right wherever that is possible.

use super::Graph;

/// Sweeps that pull nodes nearer to their neighbours; more change nothing on graphs of the size that can be read.
const SWEEPS: usize = 8;

/// The layer of each node. Senders stand left of receivers but for as few as possible, which close cycles.
pub fn assign(graph: &Graph) -> Vec<usize> {
    let rank = sequence(graph);
    let count = graph.nodes.len();
    let (mut before, mut after) = (vec![Vec::new(); count], vec![Vec::new(); count]);
    for (from, to) in graph.edges() {
        // What closes a cycle is drawn back to the left.
        let (from, to) = if rank[from] < rank[to] { (from, to) } else { (to, from) };
        if from != to {
            before[to].push(from);
            after[from].push(to);
        }
    }
    let mut along: Vec<usize> = (0..count).collect();
    along.sort_by_key(|node| rank[*node]);
    let mut layer = vec![0_usize; count];
    for &node in &along {
        layer[node] = before[node].iter().map(|other| layer[*other] + 1).max().unwrap_or(0);
    }
    for _ in 0..SWEEPS {
        let mut moved = false;
        for &node in along.iter().rev().chain(&along) {
            let (least, most) = room(node, &before, &after, &layer);
            let best = nearest(node, &before, &after, &layer, least, most);
            moved |= best != layer[node];
            layer[node] = best;
        }
        if !moved {
            break;
        }
    }
    spread_loners(graph, &before, &after, &mut layer);
    layer
}

/// Between which layers a node may move without turning an edge round.
fn room(node: usize, before: &[Vec<usize>], after: &[Vec<usize>], layer: &[usize]) -> (usize, usize) {
    let least = before[node].iter().map(|other| layer[*other] + 1).max().unwrap_or(0);
    let most = after[node].iter().map(|other| layer[*other].saturating_sub(1)).min();
    (least, most.unwrap_or_else(|| layer.iter().copied().max().unwrap_or(0)).max(least))
}

/// Where the edges of a node are shortest: at the median of its neighbours.
fn nearest(
    node: usize,
    before: &[Vec<usize>],
    after: &[Vec<usize>],
    layer: &[usize],
    least: usize,
    most: usize,
) -> usize {
    let mut wanted: Vec<usize> = before[node].iter().map(|other| layer[*other] + 1).collect();
    wanted.extend(after[node].iter().map(|other| layer[*other].saturating_sub(1)));
    wanted.sort_unstable();
    wanted.get((wanted.len().max(1) - 1) / 2).map_or(layer[node], |at| (*at).clamp(least, most))
}

/// Nodes without an edge to another fill up the emptiest columns instead of making the first one long.
fn spread_loners(graph: &Graph, before: &[Vec<usize>], after: &[Vec<usize>], layer: &mut [usize]) {
    let lone = |node: &usize| before[*node].is_empty() && after[*node].is_empty();
    let nodes = 0..graph.nodes.len();
    let widest = (graph.nodes.len() as f64).sqrt().ceil() as usize;
    let columns = layer.iter().max().map_or(1, |last| last + 1);
    let columns = if nodes.clone().all(|node| lone(&node)) { widest.max(1) } else { columns };
    let mut filled = vec![0; columns];
    for node in nodes.clone().filter(|node| !lone(node)) {
        filled[layer[node]] += graph.nodes[node].height;
    }
    for node in nodes.filter(lone) {
        // With its group, where that already stands somewhere.
        let group = graph.nodes[node].group.as_ref();
        let with = |at: usize| {
            group.is_some()
                && (0..layer.len()).any(|other| {
                    layer[other] == at && !lone(&other) && graph.nodes[other].group.as_ref() == group
                })
        };
        let at = (0..columns).min_by_key(|at| (!with(*at), filled[*at], *at)).unwrap_or(0);
        layer[node] = at;
        filled[at] += graph.nodes[node].height;
    }
}

/// The nodes in a sequence in which few edges point backwards: the rank of each. After Eades, Lin and Smyth, *A fast and effective
/// heuristic for the feedback arc set problem* (1993): sinks go to the end, sources to the beginning, and of the rest the one that
/// sends most and receives least.
fn sequence(graph: &Graph) -> Vec<usize> {
    let count = graph.nodes.len();
    let (mut outs, mut ins) = (vec![Vec::new(); count], vec![Vec::new(); count]);
    for (from, to) in graph.edges().filter(|(from, to)| from != to) {
        outs[from].push(to);
        ins[to].push(from);
    }
    let mut sends: Vec<isize> = outs.iter().map(|to| to.len() as isize).collect();
    let mut receives: Vec<isize> = ins.iter().map(|from| from.len() as isize).collect();
    let mut left: Vec<usize> = (0..count).collect();
    let (mut head, mut tail) = (Vec::new(), Vec::new());
    while !left.is_empty() {
        let sink = left.iter().position(|node| sends[*node] == 0 && receives[*node] > 0);
        let source = || left.iter().position(|node| receives[*node] == 0);
        let most = || {
            let key = |at: &usize| (sends[left[*at]] - receives[left[*at]], std::cmp::Reverse(*at));
            (0..left.len()).max_by_key(key)
        };
        let (at, last) = match sink {
            Some(at) => (at, true),
            None => (source().or_else(most).unwrap_or(0), false),
        };
        let node = left.remove(at);
        outs[node].iter().for_each(|to| receives[*to] -= 1);
        ins[node].iter().for_each(|from| sends[*from] -= 1);
        if last { tail.push(node) } else { head.push(node) }
    }
    let mut rank = vec![0; count];
    for (at, node) in head.into_iter().chain(tail.into_iter().rev()).enumerate() {
        rank[node] = at;
    }
    rank
}

impl Graph {
    /// Sender and receiver of every net.
    pub(super) fn edges(&self) -> impl Iterator<Item = (usize, usize)> {
        self.nets.iter().flat_map(|net| net.to.iter().map(|to| (net.from, *to)))
    }
}
