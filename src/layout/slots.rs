//! Room for text on the lines: what was set aside for it, and what of the line beside that is crossed by nothing.
//!
//! Text has its place before it is known, so that numbers that grow move nothing.

use super::cells::{Cells, NONE};
use super::{Block, Layout, Point};

/// Columns that a label, or a consumer's figures, are given at most beyond what was set aside.
const MORE: i32 = 14;
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
        let label = route.label;
        for branch in &mut route.branches {
            let beside = |x: i32| x < label.x - BARE || x >= label.right() + BARE;
            let clear = |x: i32, y: i32| free(x, y) && (y != label.y || beside(x));
            let grown = stretched(branch.figures, !branch.rightward, clear);
            branch.figures = grown;
        }
    }
}

/// A slot made longer at its end away from the box.
fn stretched(slot: Block, rightward: bool, free: impl Fn(i32, i32) -> bool) -> Block {
    let cell = |more: i32| if rightward { slot.right() + more } else { slot.x - 1 - more };
    let run = (0..MORE + BARE).take_while(|more| free(cell(*more), slot.y)).count();
    let more = (i32::try_from(run).unwrap_or(0) - BARE).max(0);
    Block { x: if rightward { slot.x } else { slot.x - more }, width: slot.width + more, ..slot }
}
