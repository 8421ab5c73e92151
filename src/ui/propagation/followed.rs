//! The messages that are followed, when there are several: the newest first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::hit::{Hit, HitAreas};
use crate::app::item::message_of;
use crate::app::list::ListId;
use crate::model::trace::{self, LegState, Trace};
use crate::theme::Role;
use crate::ui::widget::{Cell, Column, number};
use crate::ui::{Ctx, phrase, signs};

use super::words;

/// Rows of messages at most.
const MOST: u16 = 5;

const COLUMNS: &[Column] = &[
    Column::fixed("-sign", "", 1, 0),
    Column::text("name", "message", 16, 34, 0),
    Column::text("reads", "subject", 16, 40, 2),
    Column::text("-stored", "stored", 8, 8, 1),
    Column::number("-has", "has it", 6, 0),
    Column::text("-verdict", "", 36, 80, 3),
];

/// Rows that the list takes of those that there are.
pub(super) fn height(rows: usize, room: u16) -> u16 {
    let rows = u16::try_from(rows).unwrap_or(MOST).min(MOST);
    (rows + 1).min((room / 3).max(2))
}

pub(super) fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, hits: &mut HitAreas) {
    hits.add(area, Hit::List(ListId::Traces));
    let rows = ctx.app.list(ListId::Traces).rows();
    ctx.table(ListId::Traces, COLUMNS).draw(buf, area, &ctx.look(), hits, |index| {
        let message = rows.get(index).and_then(message_of);
        message
            .and_then(|message| trace::find(&ctx.snapshot.traces, &message))
            .map(|t| row(ctx, t))
            .unwrap_or_default()
    });
}

fn row(ctx: &Ctx<'_>, trace: &Trace) -> Vec<Cell> {
    let look = ctx.look();
    let owed = trace.legs.iter().filter(|leg| leg.state != LegState::NotForIt);
    let has = owed.clone().filter(|leg| leg.state.has_it());
    // The worst of its consumers speaks for it.
    let worst = owed.clone().min_by_key(|leg| leg.state.rank());
    let (glyph, role) =
        worst.map_or((crate::theme::Glyph::Unknown, Role::StateUnknown), |leg| signs::leg(ctx.snapshot, leg));
    let message = &trace.message;
    let name = phrase::local(message.id.channel.as_str(), ctx.snapshot);
    vec![
        Cell::glyph(&look, glyph, role),
        Cell::text(format!("{name} #{}{}", message.id.seq, version(trace))).keep_ends(),
        Cell::text(&message.subject).keep_ends(),
        Cell::styled(ctx.clock(message.appended), Role::Muted),
        Cell::number(
            format!("{}/{}", number::count(has.count() as u64), number::count(owed.count() as u64)),
            Role::Text,
        ),
        Cell::styled(words::verdict(trace), Role::Muted),
    ]
}

/// Which version of its record it brings, where it says so.
fn version(trace: &Trace) -> String {
    trace.message.version.as_ref().map_or_else(String::new, |version| format!(" v{version}"))
}
