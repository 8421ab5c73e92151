//! From thing to thing on the map: what lies in a direction, what hangs on a service.

use std::collections::BTreeMap;

use crate::layout::{Layout, Point};
use crate::model::snapshot::Thing;

use super::super::list::RowId;
use super::drawing::Drawing;

/// A way to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Up,
    Down,
    Left,
    Right,
}

/// A row of the terminal is about as high as two columns are wide.
const ASPECT: i32 = 2;
/// How much worse a cell aside is than one ahead.
const ASIDE: i32 = 2;

/// Where a row's thing is on the map: the middle of its box, or the end of its flow.
pub(super) fn anchor(layout: &Layout, drawing: &Drawing, row: &RowId) -> Option<Point> {
    match row.thing.as_ref()? {
        Thing::Service(id) => {
            let at = layout.node(drawing.box_of(id)?)?;
            Some(layout.boxes[at].block.middle())
        }
        Thing::Flow(id) => {
            let (net, to) = drawing.branch_of(id)?;
            let route = &layout.routes[layout.net(net)?];
            let to = to.and_then(|key| layout.node(key));
            let branch = to.and_then(|to| route.branches.iter().find(|branch| branch.to == to));
            Some(branch.map_or(route.label, |branch| branch.figures).middle())
        }
        _ => None,
    }
}

/// The nearest thing in a direction.
pub(super) fn beside(
    layout: &Layout,
    drawing: &Drawing,
    row: &RowId,
    direction: Direction,
    rows: &[RowId],
) -> Option<RowId> {
    let from = anchor(layout, drawing, row)?;
    let cost = |to: Point| {
        let (right, down) = (to.x - from.x, (to.y - from.y) * ASPECT);
        let (ahead, aside) = match direction {
            Direction::Right => (right, down),
            Direction::Left => (-right, down),
            Direction::Down => (down, right),
            Direction::Up => (-down, right),
        };
        // What lies more beside than ahead is in another direction.
        (ahead > 0 && aside.abs() <= ahead * 3).then(|| ahead + ASIDE * aside.abs())
    };
    let near = rows.iter().filter_map(|row| Some((cost(anchor(layout, drawing, row)?)?, row)));
    near.min_by_key(|(cost, _)| *cost).map(|(_, row)| row.clone())
}

/// The flow after this one at the same service; from a service, its first.
pub(super) fn next_edge(drawing: &Drawing, row: &RowId, by: isize, rows: &[RowId]) -> Option<RowId> {
    let home = match row.thing.as_ref()? {
        Thing::Service(id) => drawing.box_of(id)?.clone(),
        Thing::Flow(id) => drawing.trunk(drawing.branch_of(id)?.0)?.from.clone(),
        _ => return None,
    };
    let places: BTreeMap<&Thing, &RowId> =
        rows.iter().filter_map(|row| row.thing.as_ref().map(|thing| (thing, row))).collect();
    let mut edges: Vec<&RowId> = Vec::new();
    for (_, trunk) in drawing.trunks() {
        for (to, flows) in &trunk.flows {
            if trunk.from == home || to.as_ref() == Some(&home) {
                edges.extend(flows.iter().filter_map(|id| places.get(&Thing::Flow(id.clone()))));
            }
        }
    }
    let at = edges.iter().position(|edge| *edge == row);
    let count = edges.len() as isize;
    let next = match at {
        Some(at) => (at as isize + by).rem_euclid(count.max(1)),
        None if by < 0 => count - 1,
        None => 0,
    };
    edges.get(usize::try_from(next).ok()?).map(|row| (*row).clone())
}
