//! One row of the waterfall: what is known of one message at one consumer, along the time axis.

use crate::model::acks::AckKind;
use crate::model::trace::{Leg, LegState};
use crate::theme::{Glyph, Glyphs, Role};
use crate::ui::widget::Cell;
use crate::ui::widget::text::{clean, truncate};

use super::axis::Axis;

/// One column of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Dot {
    sign: &'static str,
    role: Role,
}

/// What a bar is drawn from.
pub(super) struct Bar<'a> {
    pub leg: &'a Leg,
    /// When the message was stored, and how long it has waited until now, in nanoseconds; `None` when no clock tells.
    pub waited: Option<i64>,
    pub axis: Option<&'a Axis>,
    /// When it was stored, in nanoseconds from the beginning of the axis: a message that came of another begins later.
    pub from: i64,
    /// When the last one had it, to be marked.
    pub convergence: Option<i64>,
    /// How it is drawn by its state.
    pub role: Role,
    pub columns: usize,
}

impl Bar<'_> {
    /// The bar, in at most as many columns as there are.
    pub(super) fn cell(&self, glyphs: Glyphs) -> Cell {
        let Some(axis) = self.axis else { return self.in_words(&[], glyphs) };
        let mut dots = vec![None::<Dot>; self.columns];
        let mut put = |at: usize, sign: &'static str, role: Role| {
            if let Some(dot) = dots.get_mut(at) {
                *dot = Some(Dot { sign, role });
            }
        };
        if let Some(nanos) = self.convergence {
            put(axis.column(nanos), glyphs.get(Glyph::Vertical), Role::Muted);
        }
        let mut used = 0;
        let begin = axis.column(self.from);
        match (self.leg.delay, self.leg.state) {
            (Some(nanos), _) => {
                let place = axis.place(self.from.saturating_add(nanos));
                let full = (place as usize).min(self.columns.saturating_sub(1)).max(begin);
                (begin..full).for_each(|at| put(at, glyphs.get(Glyph::BarFull), self.role));
                if let Some(sign) = part(place - full as f64, full == begin, glyphs) {
                    put(full, sign, self.role);
                }
                used = full + 1;
            }
            (None, LegState::Waiting | LegState::InFlight) => {
                if let Some(nanos) = self.waited {
                    let end = axis.column(self.from.saturating_add(nanos));
                    (begin..end).for_each(|at| put(at, glyphs.get(Glyph::BarEmpty), self.role));
                    put(end, glyphs.get(Glyph::HeadRight), self.role);
                    used = end + 1;
                }
            }
            (None, LegState::GaveUp) => {
                let last = self.leg.steps.iter().map(|step| step.at.nanos_since(step.appended)).max();
                let end = last.map_or(0, |nanos| axis.column(self.from.saturating_add(nanos)) + 1);
                (begin..end).for_each(|at| put(at, glyphs.get(Glyph::BarEmpty), self.role));
                put(end, glyphs.get(Glyph::GaveUp), self.role);
                used = end + 1;
            }
            _ => {}
        }
        for step in &self.leg.steps {
            let (sign, role) = match step.kind {
                AckKind::Refused => (Glyph::Failed, Role::StateDegraded),
                AckKind::InProgress => (Glyph::Moving, Role::Text),
                AckKind::Terminated => (Glyph::Failed, Role::StateGaveUp),
                AckKind::Acknowledged | AckKind::Covered => continue,
            };
            let at = axis.column(self.from.saturating_add(step.at.nanos_since(step.appended)));
            put(at, glyphs.get(sign), role);
            used = used.max(at + 1);
        }
        let in_words = used == 0 || (self.leg.delay.is_none() && self.leg.state.is_settled());
        if in_words { self.in_words(dots.get(..used).unwrap_or_default(), glyphs) } else { row(&dots) }
    }

    /// What has no place on the axis is said in words, after what has one.
    fn in_words(&self, drawn: &[Option<Dot>], glyphs: Glyphs) -> Cell {
        let text = match self.leg.state {
            LegState::Passed => "when is not known",
            LegState::GaveUp => "when is not told",
            _ => &*self.leg.why,
        };
        let gap = usize::from(!drawn.is_empty());
        let room = self.columns.saturating_sub(drawn.len() + gap);
        // A few letters say nothing.
        let room = if drawn.is_empty() || room >= 12 { room } else { 0 };
        let fitted = truncate(&clean(text), room, if room == 0 { "" } else { glyphs.get(Glyph::Ellipsis) })
            .into_owned();
        row(drawn).then(" ".repeat(gap), Role::Text).then(fitted, Role::Muted)
    }
}

fn row(dots: &[Option<Dot>]) -> Cell {
    let mut cell = Cell::empty();
    for dot in dots {
        cell = match dot {
            Some(dot) => cell.then(dot.sign, dot.role),
            None => cell.then(" ", Role::Text),
        };
    }
    cell
}

/// The last column of a bar, filled to a share; a bar that would not be seen at all is seen a little.
fn part(share: f64, alone: bool, glyphs: Glyphs) -> Option<&'static str> {
    let share = if alone { share.max(0.125) } else { share };
    glyphs.part(share).or_else(|| alone.then(|| glyphs.get(Glyph::Vertical)))
}
