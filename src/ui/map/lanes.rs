//! The map as lanes: one row for each channel, from who sends over what moves to who reads and how far behind. Rows never change
//! their order, nothing crosses, and it is as readable with a thousand of them.

use std::collections::{BTreeMap, BTreeSet};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::hit::HitAreas;
use crate::app::item::{LaneKey, lane_of};
use crate::app::list::ListId;
use crate::model::snapshot::{ConsumerStatus, Flow, Snapshot, Thing};
use crate::theme::{Glyph, Role};
use crate::ui::flows::about;
use crate::ui::listing::Listing;
use crate::ui::widget::{Cell, Column, number};
use crate::ui::{Ctx, phrase, signs};

use super::line;
use super::traffic::{self, Motion};

/// Columns of the piece of line on which messages move; less where others need the room.
const FLOW: u16 = 14;
const SHORT_FLOW: u16 = 6;
/// From this width on it is the long one.
const WIDE: u16 = 110;

const COLUMNS: &[Column] = &columns(FLOW);
const NARROW_COLUMNS: &[Column] = &columns(SHORT_FLOW);

const fn columns(flow: u16) -> [Column; 6] {
    [
        Column::text("from", "producer", 9, 18, 0),
        Column::fixed("kind", "", 1, 0),
        Column::text("channel", "channel", 18, 34, 0),
        Column::number("rate", "rate", 7, 0),
        Column::fixed("flow", "", flow, 1),
        Column::text("to", "consumers, what waits", 22, 120, 0),
    ]
}

/// Draws the lanes; whether anything in them moves.
pub fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) -> bool {
    let flow = if area.width < WIDE { SHORT_FLOW } else { FLOW };
    let lanes = Lanes::of(ctx, usize::from(area.height), flow);
    Listing {
        list: ListId::Lanes,
        columns: if area.width < WIDE { NARROW_COLUMNS } else { COLUMNS },
        find: |snapshot, thing| match thing {
            Thing::Flow(id) => snapshot.flow(id).map(|row| &**row),
            _ => None,
        },
        row: &|flow| lanes.row(ctx, flow),
        about: &|flow| about(&ctx.look_at_flow(flow), flow, ctx.snapshot),
        folded: None,
    }
    .draw(ctx, buf, area, hits);
    ctx.app.map().motion() && lanes.flows.values().any(|flows| moves(flows, ctx.snapshot).is_some())
}

fn moves(flows: &[&Flow], snapshot: &Snapshot) -> Option<Motion> {
    Motion::of(flows.iter().copied(), snapshot.window)
}

/// The flows of the lanes that may be on the screen.
struct Lanes<'a> {
    flows: BTreeMap<LaneKey<'a>, Vec<&'a Flow>>,
    /// Columns of the piece of line.
    strip: u16,
}

impl<'a> Lanes<'a> {
    fn of(ctx: &Ctx<'a>, height: usize, strip: u16) -> Self {
        let state = ctx.app.list(ListId::Lanes);
        // The table scrolls by itself to show the selected row: a screen more on both sides is enough.
        let from = state.offset().min(state.selected_index().unwrap_or(0)).saturating_sub(height);
        let shown = state.rows().iter().skip(from).take(height * 3);
        let mut flows: BTreeMap<LaneKey<'a>, Vec<&'a Flow>> = shown
            .filter_map(|row| match &row.thing {
                Some(Thing::Flow(id)) => ctx.snapshot.flow(id).map(|flow| (lane_of(flow), Vec::new())),
                _ => None,
            })
            .collect();
        for flow in &ctx.snapshot.flows {
            if let Some(lane) = flows.get_mut(&lane_of(flow)) {
                lane.push(flow);
            }
        }
        Self { flows, strip }
    }

    fn row(&self, ctx: &Ctx<'_>, flow: &Flow) -> Vec<Cell> {
        let flows = self.flows.get(&lane_of(flow)).map_or(&[][..], |flows| &flows[..]);
        let look = ctx.look_at_flow(flow);
        let (glyph, role) = signs::kind(flow.kind);
        let undeclared = ctx.snapshot.topology.is_some() && flows.iter().any(|flow| !flow.declared);
        let mark = if undeclared { look.glyph(Glyph::Undeclared) } else { "" };
        let channel = flow.channel.as_ref().and_then(|id| ctx.snapshot.channel(id));
        let name = channel.map_or(&*flow.label, |channel| &*channel.report.name);
        // Several consumers of one event are fed by one stream of messages.
        let mut rates: BTreeMap<&str, f64> = BTreeMap::new();
        for flow in flows {
            if let Some(rate) = flow.rate.low() {
                let most = rates.entry(&flow.label).or_insert(0.0);
                *most = most.max(*rate);
            }
        }
        let rate = if rates.is_empty() {
            phrase::rate(&look, &flow.rate)
        } else {
            Cell::styled(number::rate(rates.values().sum()), Role::Text)
        };
        look.aged_row(vec![
            phrase::services(&look, &flow.from, flow.from_likely),
            Cell::glyph(&look, glyph, role),
            Cell::styled(mark, Role::Conflict).then(name, Role::Text),
            rate,
            strip(ctx, flow, flows, self.strip),
            consumers(ctx, flows),
        ])
    }
}

/// A piece of line with the messages on it.
fn strip(ctx: &Ctx<'_>, flow: &Flow, flows: &[&Flow], columns: u16) -> Cell {
    let look = ctx.look();
    let (_, role) = signs::kind(flow.kind);
    let motion = moves(flows, ctx.snapshot);
    let role = if motion.is_some() { role } else { Role::Muted };
    let seconds = ctx.now.0.rem_euclid(86_400_000_000_000) as f64 / 1e9;
    let shift = super::picture::phase(flow.id.as_str());
    let mut cell = Cell::empty();
    for at in 0..usize::from(columns) - 1 {
        let dot = motion.filter(|_| ctx.app.map().motion());
        cell = match dot.and_then(|motion| traffic::dot(motion, at, seconds, shift)) {
            Some(true) => cell.then(look.glyph(Glyph::Failed), Role::Error),
            Some(false) => cell.then(look.glyph(Glyph::Moving), role),
            None => cell.then(line::sign(flow.kind, false, 10, ctx.glyphs), role),
        };
    }
    cell.then(look.glyph(Glyph::HeadRight), role)
}

/// Who reads, those first that do not keep up.
fn consumers(ctx: &Ctx<'_>, flows: &[&Flow]) -> Cell {
    let mut readers: Vec<(bool, String, Cell)> = flows
        .iter()
        .map(|flow| {
            let consumer = flow.consumer.as_ref().and_then(|id| ctx.snapshot.consumer(id));
            let look = consumer.map_or_else(|| ctx.look(), |consumer| ctx.look_at(&consumer.source));
            let names = phrase::receivers(&look, &flow.to, ctx.snapshot);
            let name = names.plain();
            let Some(consumer) = consumer else { return (false, name, names) };
            let (sign, role) = signs::status(consumer.status);
            let ill = consumer.status != ConsumerStatus::Ok;
            let mut cell = names.then(" ", Role::Text).and(Cell::glyph(&look, sign, role));
            if ill || consumer.lag.low().is_none_or(|lag| *lag > 0) {
                cell = cell.and(phrase::count_as(&look, &consumer.lag, role));
            }
            (ill, name, cell)
        })
        .collect();
    readers.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    // A service with several consumers of one channel is told once, by the one that fares worst.
    let mut told = BTreeSet::new();
    readers.retain(|(_, name, _)| told.insert(name.clone()));
    readers.into_iter().fold(Cell::empty(), |all, (.., cell)| {
        if all.is_empty() { cell } else { all.then("  ", Role::Text).and(cell) }
    })
}
