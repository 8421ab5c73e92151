//! Nothing is followed: how to choose a message.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::list::ListId;
use crate::app::search::keeps;
use crate::app::{Action, Layer};
use crate::keymap;
use crate::model::command::ProbeLevel;
use crate::theme::Role;
use crate::ui::Ctx;
use crate::ui::blank::{self, Line};

pub(super) fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect) {
    let lines = why(ctx);
    blank::draw_lines(ctx, buf, area, &lines);
}

fn why(ctx: &Ctx<'_>) -> Vec<Line> {
    let kept: Vec<&str> = ctx
        .snapshot
        .channels
        .iter()
        .filter(|channel| keeps(channel))
        .map(|channel| &*channel.report.name)
        .collect();
    let hidden = ctx.app.list(ListId::Traces).hidden() > 0;
    if hidden || kept.is_empty() {
        return blank::why(ctx, ListId::Traces);
    }
    let key = |action| keymap::key_of(Layer::Main, action).unwrap_or_default();
    let say = |text: String| Line { text, role: Role::Text };
    let hint = |text: String| Line { text, role: Role::Muted };
    let (palette, follow) = (key(Action::Palette), key(Action::Propagation));
    let stream = kept.first().copied().unwrap_or("ORDERS");
    let mut lines = vec![
        say("no message is followed: choose one, and see who has it, since when, and what the others wait for".to_owned()),
        hint(format!("{follow}  on a consumer, a flow or a copy: the newest message of its channel")),
        hint(format!("{palette}  trace {stream} 123: the message at a position")),
        hint(format!("{palette}  find user_id=42: the newest one whose JSON has this field")),
        hint(format!("{palette}  find header Nats-Msg-Id=o-17: the newest one with this header, traceparent too")),
    ];
    if ctx.snapshot.probe == ProbeLevel::Passive {
        lines.push(say(format!(
            "the level is passive: it is told who has passed a message, and not when; {} says what listening to acknowledgements gives and costs",
            key(Action::Probe)
        )));
    }
    lines
}
