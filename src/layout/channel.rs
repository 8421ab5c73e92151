//! The vertical tracks between two layers: which wire runs in which column.
//!
//! A channel router as for circuit boards. Two wires that touch opposite sides in one row must keep their order, or their horizontals
//! would lie on each other; where such demands form a circle, a wire is bent once more (a dogleg, after Deutsch 1976). Among the orders
//! that are left, one with few crossings is sought; then tracks are packed to the left.

use std::collections::BTreeSet;

/// What one way does in a channel: the rows at which it touches the left and the right side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wire {
    pub left: Vec<i32>,
    pub right: Vec<i32>,
}

/// Where a wire runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// Straight through, or only a stub: no track.
    Straight,
    /// One track, at this column.
    Track(usize),
    /// A track, a row, and a second track.
    Dogleg { first: usize, row: i32, second: usize },
}

/// The run of each wire, and how many columns all take.
pub fn route(wires: &[Wire], taken: &BTreeSet<i32>) -> (Vec<Run>, usize) {
    let mut pieces: Vec<Piece> = Vec::new();
    for (at, wire) in wires.iter().enumerate() {
        let piece = Piece { wire: at, left: wire.left.clone(), right: wire.right.clone(), after: None };
        if piece.top() < piece.bottom() {
            pieces.push(piece);
        }
    }
    let mut taken = taken.clone();
    taken.extend(wires.iter().flat_map(|wire| wire.left.iter().chain(&wire.right)));
    break_circles(&mut pieces, &mut taken);
    let order = sequence(&pieces);
    let columns = pack(&pieces, &order);
    let mut runs = vec![Run::Straight; wires.len()];
    for (at, piece) in pieces.iter().enumerate() {
        runs[piece.wire] = match (runs[piece.wire], piece.after) {
            (_, None) => Run::Track(columns[at]),
            (_, Some((first, row))) => Run::Dogleg { first: columns[first], row, second: columns[at] },
        };
    }
    (runs, columns.iter().max().map_or(0, |last| last + 1))
}

/// A vertical with what leaves it to both sides.
#[derive(Debug, Clone)]
struct Piece {
    wire: usize,
    left: Vec<i32>,
    right: Vec<i32>,
    /// The piece that it continues, and in which row.
    after: Option<(usize, i32)>,
}

impl Piece {
    fn rows(&self) -> impl Iterator<Item = i32> {
        self.left.iter().chain(&self.right).copied()
    }

    fn top(&self) -> i32 {
        self.rows().min().unwrap_or(0)
    }

    fn bottom(&self) -> i32 {
        self.rows().max().unwrap_or(0)
    }

    /// Crossings when this one stands left of another.
    fn crossings_before(&self, other: &Self) -> usize {
        let within = |rows: &[i32], piece: &Self| {
            rows.iter().filter(|row| (piece.top()..=piece.bottom()).contains(row)).count()
        };
        within(&self.right, other) + within(&other.left, self)
    }

    /// Whether this one must stand left of another.
    fn must_precede(&self, other: &Self) -> bool {
        self.wire != other.wire && self.left.iter().any(|row| other.right.contains(row))
    }
}

/// Which pieces must stand left of which: for each the ones to its right.
fn demands(pieces: &[Piece]) -> Vec<Vec<usize>> {
    (0..pieces.len())
        .map(|at| {
            let piece = &pieces[at];
            let follows = |other: &usize| {
                piece.must_precede(&pieces[*other])
                    || pieces[*other].after.is_some_and(|(first, _)| first == at)
            };
            (0..pieces.len()).filter(follows).collect()
        })
        .collect()
}

/// Bends wires until no demand contradicts another. A bent wire's first piece has demands to its right only and its second to its left
/// only, so that it is in no circle any more: this ends.
fn break_circles(pieces: &mut Vec<Piece>, taken: &mut BTreeSet<i32>) {
    while let Some(at) = in_circle(pieces) {
        let (middle, after) = (i32::midpoint(pieces[at].top(), pieces[at].bottom()), pieces.len());
        let row = free_row(middle, taken);
        taken.insert(row);
        let right = std::mem::replace(&mut pieces[at].right, vec![row]);
        debug_assert!(after > at);
        pieces.push(Piece { wire: pieces[at].wire, left: vec![row], right, after: Some((at, row)) });
    }
}

/// The row nearest to another that nothing touches.
fn free_row(middle: i32, taken: &BTreeSet<i32>) -> i32 {
    let free = |row: &i32| *row >= 0 && !taken.contains(row);
    // Below all that is taken one is free.
    let below = taken.last().map_or(0, |last| last + 1).max(middle).max(0);
    (middle..=below).flat_map(|row| [row, 2 * middle - row]).find(free).unwrap_or(below)
}

/// A piece that must stand left of itself, through others.
fn in_circle(pieces: &[Piece]) -> Option<usize> {
    let demands = demands(pieces);
    let mut waiting = vec![0; pieces.len()];
    demands.iter().flatten().for_each(|at| waiting[*at] += 1);
    let mut ready: Vec<usize> = (0..pieces.len()).filter(|at| waiting[*at] == 0).collect();
    let mut done = vec![false; pieces.len()];
    while let Some(at) = ready.pop() {
        done[at] = true;
        for next in &demands[at] {
            waiting[*next] -= 1;
            if waiting[*next] == 0 {
                ready.push(*next);
            }
        }
    }
    // What is left is in a circle or behind one; going back along demands always ends in a circle.
    let mut at = done.iter().position(|done| !done)?;
    let mut seen = BTreeSet::new();
    while seen.insert(at) {
        at = (0..pieces.len()).find(|other| !done[*other] && demands[*other].contains(&at))?;
    }
    Some(at)
}

/// The pieces from left to right: demands kept, crossings few.
fn sequence(pieces: &[Piece]) -> Vec<usize> {
    let count = pieces.len();
    let demands = demands(pieces);
    let mut waiting = vec![0; count];
    demands.iter().flatten().for_each(|at| waiting[*at] += 1);
    // What is saved by having the one before the other.
    let mut saved = vec![vec![0_i64; count]; count];
    for a in 0..count {
        for b in a + 1..count {
            let gain =
                pieces[b].crossings_before(&pieces[a]) as i64 - pieces[a].crossings_before(&pieces[b]) as i64;
            (saved[a][b], saved[b][a]) = (gain, -gain);
        }
    }
    let mut gain: Vec<i64> = saved.iter().map(|row| row.iter().sum()).collect();
    let mut order = Vec::with_capacity(count);
    let mut left: BTreeSet<usize> = (0..count).collect();
    while let Some(next) = left
        .iter()
        .copied()
        .filter(|at| waiting[*at] == 0)
        .max_by_key(|at| (gain[*at], std::cmp::Reverse(*at)))
    {
        left.remove(&next);
        order.push(next);
        for other in &left {
            gain[*other] -= saved[*other][next];
        }
        demands[next].iter().for_each(|at| waiting[*at] -= 1);
    }
    for _ in 0..count {
        let mut gained = false;
        for at in 1..order.len() {
            let (a, b) = (order[at - 1], order[at]);
            if saved[b][a] > 0 && !demands[a].contains(&b) {
                order.swap(at - 1, at);
                gained = true;
            }
        }
        if !gained {
            break;
        }
    }
    order
}

/// The column of each piece: as far left as its rows are free and its place in the order allows.
fn pack(pieces: &[Piece], order: &[usize]) -> Vec<usize> {
    let demands = demands(pieces);
    let mut columns = vec![0; pieces.len()];
    for (place, &at) in order.iter().enumerate() {
        let piece = &pieces[at];
        let beside = |other: &&usize| {
            let before = &pieces[**other];
            let meet = before.top() <= piece.bottom() && piece.top() <= before.bottom();
            meet || demands[**other].contains(&at)
        };
        columns[at] =
            order[..place].iter().filter(beside).map(|other| columns[*other] + 1).max().unwrap_or(0);
    }
    columns
}
