//! What must hold of every picture.

use headwater::layout::cells::{self, Cells};
use headwater::layout::{Block, Graph, Layout, Point};

use crate::graphs::{SPACING, random};

/// Graphs in a run, of each size.
const GRAPHS: u64 = 600;

/// Every law, for one picture of a graph.
pub fn hold(graph: &Graph, layout: &Layout, what: &str) {
    everything_is_there(graph, layout, what);
    boxes_keep_apart(layout, what);
    frames_hold_their_own(layout, what);
    routes_lead_from_sender_to_receiver(graph, layout, what);
    lines_keep_out_of_boxes(layout, what);
    nets_keep_apart(layout, what);
    labels_keep_apart(layout, what);
}

fn everything_is_there(graph: &Graph, layout: &Layout, what: &str) {
    assert_eq!(layout.boxes.len(), graph.nodes.len(), "{what}");
    assert_eq!(layout.routes.len(), graph.nets.len(), "{what}");
    for node in &graph.nodes {
        let placed = &layout.boxes[layout.node(&node.key).unwrap()];
        assert!(placed.block.width >= node.width && placed.block.height >= node.height, "{what}: {placed:?}");
        assert_eq!(placed.group, node.group, "{what}");
    }
    let blocks = layout.boxes.iter().map(|placed| placed.block);
    for block in blocks.chain(layout.frames.iter().map(|frame| frame.block)) {
        assert!(block.x >= 0 && block.y >= 0, "{what}: {block:?}");
        assert!(block.right() <= layout.width && block.bottom() <= layout.height, "{what}: {block:?}");
    }
}

fn boxes_keep_apart(layout: &Layout, what: &str) {
    for (at, one) in layout.boxes.iter().enumerate() {
        for other in &layout.boxes[at + 1..] {
            assert!(!one.block.overlaps(&other.block), "{what}: {} and {}", one.key, other.key);
        }
    }
}

fn frames_hold_their_own(layout: &Layout, what: &str) {
    for frame in &layout.frames {
        for placed in &layout.boxes {
            let inside = within(&placed.block, &frame.block);
            let own = placed.group.as_ref() == Some(&frame.key);
            assert_eq!(own, inside, "{what}: {} and frame {}", placed.key, frame.key);
            assert!(
                own || !placed.block.overlaps(&frame.block),
                "{what}: {} in frame {}",
                placed.key,
                frame.key
            );
        }
        for other in layout.frames.iter().filter(|other| other.key != frame.key) {
            assert!(!other.block.overlaps(&frame.block), "{what}: frames {} and {}", frame.key, other.key);
        }
    }
}

/// Inside, its border not touched.
fn within(inner: &Block, outer: &Block) -> bool {
    inner.x > outer.x && inner.y > outer.y && inner.right() < outer.right() && inner.bottom() < outer.bottom()
}

/// Walks every branch cell by cell, as the drawn joints lead.
fn routes_lead_from_sender_to_receiver(graph: &Graph, layout: &Layout, what: &str) {
    let all = Block { x: 0, y: 0, width: layout.width + 1, height: layout.height };
    for net in &graph.nets {
        let place = layout.net(&net.key).unwrap();
        let route = &layout.routes[place];
        assert_eq!(layout.boxes[route.from].key, graph.nodes[net.from].key, "{what}");
        let mut wanted: Vec<_> = net.to.iter().map(|to| graph.nodes[*to].key.clone()).collect();
        wanted.sort();
        wanted.dedup();
        let reached: Vec<_> =
            route.branches.iter().map(|branch| layout.boxes[branch.to].key.clone()).collect();
        assert_eq!(reached, wanted, "{what}: {}", net.key);
        let own = Cells::of(layout, all, |at| at == place);
        let from = layout.boxes[route.from].block;
        for branch in &route.branches {
            let to = layout.boxes[branch.to].block;
            let (first, last) = (branch.points[0], *branch.points.last().unwrap());
            assert!(beside(first, &from), "{what}: {} begins at {first:?}, not at {from:?}", net.key);
            assert!(beside(last, &to), "{what}: {} ends at {last:?}, not at {to:?}", net.key);
            let side = if branch.rightward { to.x - 1 } else { to.right() };
            assert_eq!(last.x, side, "{what}: {} reaches its receiver at the wrong side", net.key);
            for pair in branch.points.windows(2) {
                let (a, b) = (pair[0], pair[1]);
                assert!((a.x == b.x) != (a.y == b.y), "{what}: {} goes from {a:?} to {b:?}", net.key);
                let (dx, dy) = ((b.x - a.x).signum(), (b.y - a.y).signum());
                let mut at = a;
                while at != b {
                    let next = Point { x: at.x + dx, y: at.y + dy };
                    let (_, sides) = own.at(at).unwrap().drawn().unwrap();
                    let out = side_of(dx, dy);
                    assert!(sides & out != 0, "{what}: {} has a gap after {at:?}", net.key);
                    at = next;
                }
            }
        }
    }
}

fn side_of(dx: i32, dy: i32) -> u8 {
    match (dx, dy) {
        (1, _) => cells::RIGHT,
        (-1, _) => cells::LEFT,
        (_, 1) => cells::DOWN,
        _ => cells::UP,
    }
}

/// In the column left or right of a block, between its corners.
fn beside(point: Point, block: &Block) -> bool {
    (point.x == block.x - 1 || point.x == block.right()) && point.y > block.y && point.y < block.bottom() - 1
}

fn lines_keep_out_of_boxes(layout: &Layout, what: &str) {
    let all = Block { x: 0, y: 0, width: layout.width, height: layout.height };
    for (point, cell) in Cells::of(layout, all, |_| true).iter() {
        if cell.drawn().is_none() {
            continue;
        }
        for placed in layout.boxes.iter().filter(|placed| placed.block.contains(point)) {
            // A line ends in the border of its own box: there and nowhere else.
            let block = placed.block;
            let border = (point.x == block.x || point.x == block.right() - 1)
                && point.y > block.y
                && point.y < block.bottom() - 1;
            assert!(border, "{what}: a line at {point:?} runs in {}", placed.key);
            let place = layout.node(&placed.key).unwrap();
            for net in [cell.across, cell.along].into_iter().filter(|net| *net != cells::NONE) {
                let route = &layout.routes[net as usize];
                let ends = route.from == place || route.branches.iter().any(|branch| branch.to == place);
                assert!(ends, "{what}: {} touches {} at {point:?}", route.key, placed.key);
            }
        }
        for frame in &layout.frames {
            let block = frame.block;
            let border = point.y == block.y || point.y == block.bottom() - 1;
            let along = border && point.x >= block.x && point.x < block.right() && cell.across != cells::NONE;
            assert!(!along, "{what}: a line lies on the border of {} at {point:?}", frame.key);
            let border = point.x == block.x || point.x == block.right() - 1;
            let along = border && point.y >= block.y && point.y < block.bottom() && cell.along != cells::NONE;
            assert!(!along, "{what}: a line lies on the border of {} at {point:?}", frame.key);
        }
    }
}

fn nets_keep_apart(layout: &Layout, what: &str) {
    let all = Block { x: 0, y: 0, width: layout.width, height: layout.height };
    for (point, cell) in Cells::of(layout, all, |_| true).iter() {
        assert!(!cell.ambiguous, "{what}: two nets run over each other at {point:?}: {cell:?}");
    }
}

/// Labels and figures stand on their own line, and on nothing else.
fn labels_keep_apart(layout: &Layout, what: &str) {
    let all = Block { x: 0, y: 0, width: layout.width, height: layout.height };
    let cells = Cells::of(layout, all, |_| true);
    for (place, route) in layout.routes.iter().enumerate() {
        for slot in route.branches.iter().map(|branch| branch.figures).chain([route.label]) {
            for x in slot.x..slot.right() {
                let cell = cells.at(Point { x, y: slot.y }).unwrap();
                assert_eq!(cell.across, u32::try_from(place).unwrap(), "{what}: label of {}", route.key);
                assert_eq!(cell.along, cells::NONE, "{what}: a line runs through the label of {}", route.key);
            }
        }
    }
}

#[test]
fn every_small_picture_is_right() {
    for seed in 0..GRAPHS {
        let graph = random(seed, 20);
        hold(&graph, &Layout::fresh(&graph, SPACING, 2), &format!("graph {seed} of up to 20"));
    }
}

#[test]
fn every_large_picture_is_right() {
    for seed in 0..GRAPHS {
        let graph = random(seed, 60);
        hold(&graph, &Layout::fresh(&graph, SPACING, 1), &format!("graph {seed} of up to 60"));
    }
}

/// Whatever is added and removed, the picture that was kept is as right as a fresh one.
#[test]
fn every_changed_picture_is_right() {
    for seed in 0..GRAPHS / 2 {
        let mut layout = Layout::default();
        for step in 0..6 {
            let mut graph = random(seed, 24);
            // The same graph with another part of it missing at every step.
            let lost = (seed + step) % 3 + 1;
            graph.nets.retain(|net| net.key.bytes().map(u64::from).sum::<u64>() % 4 != lost);
            if step % 2 == 1 {
                let used = |at: usize| graph.nets.iter().any(|net| net.from == at || net.to.contains(&at));
                let kept: Vec<usize> = (0..graph.nodes.len()).filter(|at| used(*at) || at % 2 == 0).collect();
                let now = |at: usize| kept.iter().position(|kept| *kept == at).unwrap();
                graph.nets.iter_mut().for_each(|net| {
                    net.from = now(net.from);
                    net.to.iter_mut().for_each(|to| *to = now(*to));
                });
                graph.nodes = kept.iter().map(|at| graph.nodes[*at].clone()).collect();
            }
            layout = layout.update(&graph, SPACING);
            hold(&graph, &layout, &format!("graph {seed}, step {step}"));
        }
    }
}

#[test]
fn the_same_input_gives_the_same_picture_in_whatever_order_it_comes() {
    for seed in 0..40 {
        let graph = random(seed, 30);
        let first = Layout::fresh(&graph, SPACING, 4);
        assert_eq!(first, Layout::fresh(&graph, SPACING, 4));
        let count = graph.nodes.len();
        let mut turned = graph.clone();
        turned.nodes.reverse();
        turned.nets.reverse();
        for net in &mut turned.nets {
            net.from = count - 1 - net.from;
            net.to.iter_mut().for_each(|to| *to = count - 1 - *to);
            net.to.reverse();
        }
        assert_eq!(first, Layout::fresh(&turned, SPACING, 4), "graph {seed}");
        assert_eq!(first, first.update(&graph, SPACING), "graph {seed}: an update without a change is none");
    }
}

#[test]
fn nothing_and_one_thing_alone_have_pictures() {
    let nothing = Layout::fresh(&Graph::default(), SPACING, 3);
    assert_eq!((nothing.width, nothing.height), (0, 0));
    let graph = Graph { nodes: vec![crate::graphs::node("alone", None)], nets: Vec::new() };
    let one = Layout::fresh(&graph, SPACING, 3);
    hold(&graph, &one, "one node");
    assert_eq!(one.boxes[0].block, Block { x: 0, y: 0, width: 9, height: 4 });
}
