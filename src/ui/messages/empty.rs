//! No message is shown: because nothing is listened to, because nothing came, or because listening is not possible.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::list::ListId;
use crate::app::{Action, Layer};
use crate::keymap;
use crate::model::command::ProbeLevel;
use crate::model::tap::{TapReport, TapState};
use crate::ui::blank::{self, Line, hint, say};
use crate::ui::widget::number;
use crate::ui::{Ctx, phrase};

use super::taps;

pub(super) fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect) {
    let lines = why(ctx);
    blank::draw_lines(ctx, buf, area, &lines);
}

fn why(ctx: &Ctx<'_>) -> Vec<Line> {
    if ctx.app.list(ListId::Heard).hidden() > 0 {
        return blank::why(ctx, ListId::Heard);
    }
    let mut lines = blank::connection(ctx);
    if !lines.is_empty() {
        return lines;
    }
    let of = |state: TapState| ctx.snapshot.taps.iter().filter(move |tap| tap.state == state);
    for tap in of(TapState::Listening) {
        lines.push(say(quiet(ctx, tap)));
    }
    for tap in of(TapState::Asked) {
        let name = phrase::local(tap.channel.as_str(), ctx.snapshot);
        lines.push(say(format!("asked to listen to {name}; nothing is told of it yet")));
    }
    if !lines.is_empty() {
        return lines;
    }
    let key = |action| keymap::key_of(Layer::Main, action).unwrap_or_default();
    let (palette, listen) = (key(Action::Palette), key(Action::Listen));
    let example = ctx.snapshot.channels.first().map_or("ORDERS", |channel| &*channel.report.name);
    let first = if ctx.snapshot.taps.is_empty() {
        "no channel is listened to: choose one, and see what is in its messages as they come"
    } else {
        "no channel is listened to any more; why stands above"
    };
    lines.push(say(first));
    lines.push(hint(format!(
        "{listen}  on a consumer, a flow or a copy: listens to its channel; says first what that does and costs"
    )));
    lines.push(hint(format!("{palette}  tap {example}: a stream or a subject by name")));
    lines.push(say(match ctx.snapshot.probe {
        ProbeLevel::Tap => "the level is tap: channels that are named may be listened to".to_owned(),
        level => format!("the level is {}: listening to a channel raises it to tap", level.word()),
    }));
    lines
}

/// A channel on which nothing came: since when, and what was to be expected.
fn quiet(ctx: &Ctx<'_>, tap: &TapReport) -> String {
    let name = phrase::local(tap.channel.as_str(), ctx.snapshot);
    let usual = ctx.snapshot.channel(&tap.channel).and_then(|channel| channel.history.usual());
    let usual = usual.map_or_else(String::new, |rate| format!("; usually {}", number::rate(rate)));
    format!(
        "nothing was heard on {name} ({}) since {}, {}{usual}",
        taps::subjects(tap),
        ctx.clock(tap.since),
        number::ago(ctx.now.age_since(tap.since)),
    )
}
