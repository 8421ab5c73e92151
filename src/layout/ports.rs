//! In which row of its box each way begins or ends: beside what it leads to, no two in one row of a side.

use super::shape::{Port, Shape};

/// The rows of ports, from the top of their box: between its borders. `y` has the top row of each item, `offsets` what was found
/// before; `held` keeps a port where it is, when its row is still there and free.
pub fn assign(shape: &Shape<'_>, y: &[i32], offsets: &mut [i32], held: &[Option<i32>]) {
    let mut at: Vec<usize> = (0..shape.ports.len()).collect();
    at.sort_by_key(|port| shape.ports[*port]);
    for side in at.chunk_by(|a, b| {
        let (a, b) = (shape.ports[*a], shape.ports[*b]);
        (a.node, a.right_side) == (b.node, b.right_side)
    }) {
        let Some(node) = side.first().map(|port| shape.ports[*port].node) else { continue };
        let inner = shape.height[node] - 2;
        let mut free: Vec<bool> = vec![true; usize::try_from(inner).unwrap_or(0) + 1];
        let mut new: Vec<(i32, usize)> = Vec::new();
        for &port in side {
            let held = held[port].filter(|row| (1..=inner).contains(row) && free[*row as usize]);
            match held {
                Some(row) => {
                    free[row as usize] = false;
                    offsets[port] = row;
                }
                None => new.push((wanted(shape, &shape.ports[port], y, offsets) - y[node], port)),
            }
        }
        new.sort_unstable();
        let rows: Vec<i32> = (1..=inner).filter(|row| free[*row as usize]).collect();
        place(&new, &rows, offsets);
    }
}

/// The row that the other end of the way is in.
fn wanted(shape: &Shape<'_>, port: &Port, y: &[i32], offsets: &[i32]) -> i32 {
    let mut rows: Vec<i32> = shape
        .facing(port)
        .into_iter()
        .map(|item| {
            let of_way = |other: &Port| {
                other.node == item
                    && other.way == port.way
                    && other.leaving != port.leaving
                    && item < shape.graph.nodes.len()
            };
            let offset = shape.ports_of(item).find(|at| of_way(&shape.ports[*at]));
            y[item] + offset.map_or(0, |at| offsets[at])
        })
        .collect();
    rows.sort_unstable();
    match rows.len() {
        0 => y[port.node] + shape.height[port.node] / 2,
        count => rows[(count - 1) / 2],
    }
}

/// Gives each port one of the free rows, in the order of what they want and near to it.
fn place(wanted: &[(i32, usize)], rows: &[i32], offsets: &mut [i32]) {
    let spare = rows.len().saturating_sub(wanted.len());
    let nearest = |row: i32| rows.partition_point(|free| *free < row);
    let mut from_top = Vec::with_capacity(wanted.len());
    for (at, (row, _)) in wanted.iter().enumerate() {
        let least = from_top.last().map_or(0, |last| last + 1);
        from_top.push(nearest(*row).clamp(least, (at + spare).max(least)));
    }
    let mut next = rows.len();
    for (at, (row, port)) in wanted.iter().enumerate().rev() {
        let lowest = nearest(*row).min(next.saturating_sub(1)).max(at);
        next = lowest;
        let slot = usize::midpoint(lowest, from_top[at]);
        offsets[*port] = rows.get(slot).copied().unwrap_or(1);
    }
}
