//! Room for text on the lines: what was set aside for it, and what of the line beside that is crossed by nothing.
//!
//! Text has its place before it is known, so that numbers that grow move nothing.

use super::cells::{Cells, NONE};
use super::{Block, Layout, Point, Route};

/// Columns that a label, or a consumer's figures, are given at most beyond what was set aside.
const MORE: i32 = 14;
/// Columns that a rate takes with its unit, and air around it.
const ENOUGH: i32 = 8;
/// Columns of a line that stay a line, between two texts and before a bend.
const BARE: i32 = 2;

/// Lengthens every slot along its line, labels first, as far as nothing crosses the line.
pub fn stretch(layout: &mut Layout) {
    let all = Block { x: 0, y: 0, width: layout.width, height: layout.height };
    let cells = Cells::of(layout, all, |_| true);
    for net in 0..layout.routes.len() {
        let own = u32::try_from(net).unwrap_or(NONE);
        let free = |x: i32, y: i32| {
            cells.at(Point { x, y }).is_some_and(|cell| cell.across == own && cell.along == NONE)
        };
        let Some(route) = layout.routes.get_mut(net) else { continue };
        // A stub is as long as its label and no longer.
        if !route.branches.is_empty() {
            route.label = stretched(route.label, route.rightward, free);
        }
        if route.label.width < ENOUGH
            && let Some(better) = on_the_trunk(route, free)
        {
            route.label = better;
        }
        let label = route.label;
        for branch in &mut route.branches {
            let beside = |x: i32| x < label.x - BARE || x >= label.right() + BARE;
            let clear = |x: i32, y: i32| free(x, y) && (y != label.y || beside(x));
            let grown = stretched(branch.figures, !branch.rightward, clear);
            branch.figures = grown;
        }
    }
}

/// The longest free stretch of what all receivers of a net share, when there is one that is long enough.
fn on_the_trunk(route: &Route, free: impl Fn(i32, i32) -> bool) -> Option<Block> {
    let shared = shared_points(route);
    let stretches = shared.windows(2).filter(|pair| pair[0].y == pair[1].y).filter_map(|pair| {
        let (left, right) = (pair[0].x.min(pair[1].x) + BARE, pair[0].x.max(pair[1].x) - BARE);
        let y = pair[0].y;
        // The longest part of it that nothing crosses; the first of equals.
        let mut best: Option<Block> = None;
        let mut from = left;
        for x in left..=right + 1 {
            if x <= right && free(x, y) {
                continue;
            }
            let width = x - from;
            if best.is_none_or(|best| width > best.width) {
                best = Some(Block { x: from, y, width, height: 1 });
            }
            from = x + 1;
        }
        best
    });
    let longest = stretches.min_by_key(|block| -block.width)?;
    (longest.width >= ENOUGH).then(|| Block { width: longest.width.min(MORE), ..longest })
}

/// The corners that all branches of a net have in common, from its start; of a net that leaves both ways, nothing.
fn shared_points(route: &Route) -> Vec<Point> {
    let Some(first) = route.branches.first() else { return Vec::new() };
    let common =
        |at: usize| route.branches.iter().all(|branch| branch.points.get(at) == first.points.get(at));
    let count = (0..first.points.len()).take_while(|at| common(*at)).count();
    first.points[..count].to_vec()
}

/// A slot made longer at its end away from the box.
fn stretched(slot: Block, rightward: bool, free: impl Fn(i32, i32) -> bool) -> Block {
    let cell = |more: i32| if rightward { slot.right() + more } else { slot.x - 1 - more };
    let run = (0..MORE + BARE).take_while(|more| free(cell(*more), slot.y)).count();
    let more = (i32::try_from(run).unwrap_or(0) - BARE).max(0);
    Block { x: if rightward { slot.x } else { slot.x - more }, width: slot.width + more, ..slot }
}
