//! How little moves when a graph changes.

use fastrand::Rng;
use headwater::layout::{Graph, Layout};

use crate::graphs::{SPACING, net, node, realistic};

/// The share of boxes that stand elsewhere than before.
fn moved(before: &Layout, after: &Layout) -> f64 {
    let stayed = |placed: &headwater::layout::Placed| {
        let at = after.node(&placed.key)?;
        Some((after.boxes[at].block.x, after.boxes[at].block.y) != (placed.block.x, placed.block.y))
    };
    let moved: Vec<bool> = before.boxes.iter().filter_map(stayed).collect();
    moved.iter().filter(|moved| **moved).count() as f64 / moved.len().max(1) as f64
}

fn median(mut shares: Vec<f64>) -> f64 {
    shares.sort_by(f64::total_cmp);
    shares[shares.len() / 2]
}

fn more(graph: &Graph, random: &mut Rng, node_too: bool) -> Graph {
    let mut graph = graph.clone();
    let count = graph.nodes.len();
    if node_too {
        let group = graph.nodes[random.usize(0..count)].group.clone();
        graph.nodes.push(node("zz-new", group.as_deref()));
        graph.nets.push(net("zz-in", random.usize(0..count), &[count]));
        graph.nets.push(net("zz-out", count, &[random.usize(0..count)]));
    } else {
        graph.nets.push(net("zz-new", random.usize(0..count), &[random.usize(0..count)]));
    }
    graph
}

/// Shares of boxes moved over many changes of graphs of 60 services.
fn shares(node_too: bool) -> Vec<f64> {
    let mut random = Rng::with_seed(7);
    let mut shares = Vec::new();
    for seed in 0..10 {
        let graph = realistic(seed, 60, 150, 6);
        let before = Layout::fresh(&graph, SPACING, 1);
        for _ in 0..10 {
            shares.push(moved(&before, &before.update(&more(&graph, &mut random, node_too), SPACING)));
        }
    }
    shares
}

#[test]
fn one_edge_more_moves_nearly_nothing() {
    let share = median(shares(false));
    println!("median share of 60 boxes moved by one edge more: {:.1} %", share * 100.0);
    assert!(share <= 0.05, "{share}");
}

#[test]
fn one_node_more_moves_little() {
    let share = median(shares(true));
    println!("median share of 60 boxes moved by one node more: {:.1} %", share * 100.0);
    assert!(share <= 0.20, "{share}");
}

#[test]
fn what_leaves_moves_nothing() {
    for seed in 0..20 {
        let graph = realistic(seed, 40, 90, 5);
        let before = Layout::fresh(&graph, SPACING, 1);
        let mut fewer = graph.clone();
        fewer.nets.remove(usize::try_from(seed).unwrap() % graph.nets.len());
        assert_eq!(moved(&before, &before.update(&fewer, SPACING)), 0.0, "graph {seed}");
    }
}
