//! Which sign stands for a piece of a line: by the sides that it leads to, the kind of flow, and its weight.

use crate::model::snapshot::FlowKind;
use crate::theme::Glyphs;

/// By sides, up 1, right 2, down 4, left 8: ends, bends, joints.
const LIGHT: [&str; 16] = [" ", "│", "─", "╰", "│", "│", "╭", "├", "─", "╯", "─", "┴", "╮", "┤", "┬", "┼"];
const HEAVY: [&str; 16] = [" ", "┃", "━", "┗", "┃", "┃", "┏", "┣", "━", "┛", "━", "┻", "┓", "┫", "┳", "╋"];
const DOUBLE: [&str; 16] = [" ", "║", "═", "╚", "║", "║", "╔", "╠", "═", "╝", "═", "╩", "╗", "╣", "╦", "╬"];
/// There are no dashed corners and joints: those are light, or heavy, ones.
const DASHED: [&str; 16] = [" ", "╎", "╌", "╰", "╎", "╎", "╭", "├", "╌", "╯", "╌", "┴", "╮", "┤", "┬", "┼"];
const HEAVY_DASHED: [&str; 16] =
    [" ", "╏", "╍", "┗", "╏", "╏", "┏", "┣", "╍", "┛", "╍", "┻", "┓", "┫", "┳", "╋"];

/// The sign of a line's piece.
pub fn sign(kind: FlowKind, heavy: bool, sides: u8, glyphs: Glyphs) -> &'static str {
    let sides = usize::from(sides & 15);
    if glyphs.is_ascii() {
        return ascii(kind, sides);
    }
    match (kind, heavy) {
        (FlowKind::Event, false) => LIGHT[sides],
        (FlowKind::Event, true) => HEAVY[sides],
        // A double line has no heavier form.
        (FlowKind::Feed, _) => DOUBLE[sides],
        (FlowKind::Request, false) => DASHED[sides],
        (FlowKind::Request, true) => HEAVY_DASHED[sides],
    }
}

fn ascii(kind: FlowKind, sides: usize) -> &'static str {
    match sides {
        0 => " ",
        1 | 4 | 5 => match kind {
            FlowKind::Event => "|",
            FlowKind::Feed => "\"",
            FlowKind::Request => ":",
        },
        2 | 8 | 10 => match kind {
            FlowKind::Event => "-",
            FlowKind::Feed => "=",
            FlowKind::Request => ":",
        },
        _ => "+",
    }
}

/// The sign where a line leaves the border of its box.
pub const fn outlet(kind: FlowKind, rightward: bool, glyphs: Glyphs) -> &'static str {
    if glyphs.is_ascii() {
        return "+";
    }
    match (kind, rightward) {
        (FlowKind::Feed, true) => "╞",
        (FlowKind::Feed, false) => "╡",
        (_, true) => "├",
        (_, false) => "┤",
    }
}
