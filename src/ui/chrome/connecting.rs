//! The screen before anything is known: what is tried, since when, what went wrong last, and what to do meanwhile.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::model::observation::SourceState;
use crate::theme::Role;
use crate::ui::Ctx;
use crate::ui::signs;
use crate::ui::widget::{Cell, number, text};

/// Whether nothing can be shown yet: no source ever answered, and nothing is known from files either.
pub(in crate::ui) fn applies(ctx: &Ctx<'_>) -> bool {
    let snapshot = ctx.snapshot;
    let never_answered = |state| matches!(state, SourceState::Connecting | SourceState::Down);
    snapshot.services.is_empty()
        && snapshot.channels.is_empty()
        && snapshot.sources.iter().all(|s| never_answered(s.report.state) && s.answered_at.is_none())
}

pub(in crate::ui) fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect) {
    let look = ctx.look();
    let mut lines = vec![Cell::empty()];
    if ctx.snapshot.sources.is_empty() {
        lines.push(Cell::styled("Starting", Role::Title));
    } else {
        lines.push(Cell::styled("Connecting", Role::Title));
    }
    lines.push(Cell::empty());
    for source in &ctx.snapshot.sources {
        let report = &source.report;
        let (glyph, role, _) = signs::source(report.state);
        lines.push(
            Cell::glyph(&look, glyph, role)
                .then(format!(" {}", source.id), Role::Text)
                .then(format!("  {}  ", report.address), Role::Muted)
                .then(number::elapsed(ctx.now.age_since(source.since)), Role::Text),
        );
        if let Some(error) = &report.error {
            for line in text::wrap(&text::clean(error), usize::from(area.width).saturating_sub(6)) {
                lines.push(Cell::styled("    ", Role::Text).then(line, Role::Error));
            }
        }
    }
    lines.push(Cell::empty());
    lines.push(
        Cell::text("It goes on trying. To see Headwater without a broker: ")
            .then("headwater demo", Role::Key),
    );
    lines.push(Cell::text("Another server: ").then("headwater --nats nats://HOST:4222", Role::Key));
    let top = area.y + area.height.saturating_sub(lines.len() as u16) / 3;
    for (line, y) in lines.iter().zip(top..area.bottom()) {
        line.draw(buf, area.x + 2, y, area.width.saturating_sub(4), &look);
    }
}
