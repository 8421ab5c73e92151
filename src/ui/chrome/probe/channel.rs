//! What listening to one channel's messages does, gives and costs, and what it changes for others.

use crate::app::listen::{Tapping, tap_of};
use crate::model::command::ProbeLevel;
use crate::model::measured::{Bounds, Measured};
use crate::model::observation::ChannelKind;
use crate::model::snapshot::{Flow, FlowKind};
use crate::theme::Glyph;
use crate::ui::messages::lines::head;
use crate::ui::widget::number;
use crate::ui::{Ctx, phrase};

/// Subjects that are told by name.
const SUBJECTS: usize = 4;
/// Letters of a name.
const NAME: usize = 60;

/// The title and the lines of the dialog.
pub(super) fn asked(ctx: &Ctx<'_>, tapping: &Tapping) -> (String, Vec<(&'static str, String)>) {
    let name = head(phrase::local(tapping.channel.as_str(), ctx.snapshot), NAME);
    if tapping.on {
        (format!("listen to the messages of {name}?"), begin(ctx, tapping))
    } else {
        (format!("stop listening to {name}?"), end(ctx, tapping))
    }
}

/// What beginning means.
fn begin(ctx: &Ctx<'_>, tapping: &Tapping) -> Vec<(&'static str, String)> {
    let mut out = vec![
        ("does", format!("subscribes to {} as one more listener", subjects(ctx, tapping))),
        ("gives", "what is in each message, its headers and size, and who sent it where that can be told".to_owned()),
        ("costs", format!("a copy of each message: {}", rate(ctx, tapping))),
        ("changes", changes(ctx, tapping).to_owned()),
        (
            "leaves",
            "the channel and its consumers as they are: it takes nothing, acknowledges nothing, and sends nothing"
                .to_owned(),
        ),
    ];
    if !is_kept(ctx, tapping) {
        out.insert(4, ("answers", ANSWERS.to_owned()));
    }
    let level = ctx.snapshot.probe;
    if level < ProbeLevel::Tap {
        let also = match level {
            ProbeLevel::Passive => "; that also listens to acknowledgements, $JS.ACK.>",
            ProbeLevel::Acks | ProbeLevel::Tap => "",
        };
        out.push(("level", format!("goes from {} to tap{also}", level.word())));
    }
    out
}

fn is_kept(ctx: &Ctx<'_>, tapping: &Tapping) -> bool {
    let channel = ctx.snapshot.channel(&tapping.channel);
    channel.is_some_and(|channel| channel.report.kind != ChannelKind::Subject)
}

/// What else is listened to where requests come.
const ANSWERS: &str = "of those who ask are heard too, each at the inbox that it keeps for them, while it is connected; never at an \
                       inbox where messages of streams are pulled";

/// What is different for others.
fn changes(ctx: &Ctx<'_>, tapping: &Tapping) -> &'static str {
    if is_kept(ctx, tapping) {
        "one thing for others, if the stream is deleted meanwhile: it is rechecked every second, and for up to that second \
         a publisher waits for its time-out instead of \"no responders\""
    } else {
        "one thing for others, where somebody asks on it: it is listened to only while another subscriber is connected, \
         rechecked every second; for up to that second a responder that has vanished means a time-out instead of \"no \
         responders\""
    }
}

/// What ending means.
fn end(ctx: &Ctx<'_>, tapping: &Tapping) -> Vec<(&'static str, String)> {
    vec![
        ("does", format!("ends the subscription to {}", subjects(ctx, tapping))),
        (
            "keeps",
            "the messages that were heard: they stay to be read until newer ones take their place".to_owned(),
        ),
        ("leaves", "the level at tap; p goes back to passive".to_owned()),
    ]
}

fn subjects(ctx: &Ctx<'_>, tapping: &Tapping) -> String {
    let told =
        tap_of(ctx.snapshot, &tapping.channel).map(|tap| &tap.subjects).filter(|told| !told.is_empty());
    let kept = ctx.snapshot.channel(&tapping.channel).map(|channel| &channel.report.subjects);
    let Some(subjects) = told.or(kept).filter(|subjects| !subjects.is_empty()) else {
        let name = phrase::local(tapping.channel.as_str(), ctx.snapshot);
        let stream =
            ctx.snapshot.channel(&tapping.channel).is_some_and(|c| c.report.kind != ChannelKind::Subject);
        let name = head(name, NAME);
        return if stream { format!("the subjects of {name}") } else { name };
    };
    let named: Vec<String> = subjects.iter().take(SUBJECTS).map(|subject| head(subject, NAME)).collect();
    let more = subjects.len().saturating_sub(SUBJECTS);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", named.join(", "))
}

/// How many copies that is at present, as far as is known.
fn rate(ctx: &Ctx<'_>, tapping: &Tapping) -> String {
    let format = |rate: &Measured<f64>, bytes: &Measured<f64>| {
        let glyph = match &rate.bounds {
            Bounds::Exact(_) => "",
            Bounds::About { .. } => ctx.glyphs.get(Glyph::About),
            Bounds::AtLeast(_) => ctx.glyphs.get(Glyph::AtLeast),
            Bounds::Between { .. } => ctx.glyphs.get(Glyph::AtMost),
            Bounds::Unknown(_) => return None,
        };
        let most = rate.bounds.high().or(rate.low())?;
        let bytes =
            bytes.bounds.high().or(bytes.low()).map(|bytes| format!(", {}", number::bytes_rate(*bytes)));
        let rate = number::prefixed(glyph, &number::rate(*most));
        Some(format!("{rate} now{}", bytes.unwrap_or_default()))
    };
    let channel = ctx.snapshot.channel(&tapping.channel).map(|it| (&it.rate, &it.bytes_rate));
    let subject = tapping.channel.as_str().split_once("/subject:").map(|(_, name)| name);
    let is_it = |flow: &&std::sync::Arc<Flow>| {
        let asked = flow.kind == FlowKind::Request && subject == Some(&*flow.label);
        flow.channel.as_ref().map_or(asked, |channel| *channel == tapping.channel)
    };
    let flow = || ctx.snapshot.flows.iter().find(is_it).map(|flow| (&flow.rate, &flow.bytes_rate));
    let known = channel.or_else(flow).and_then(|(rate, bytes)| format(rate, bytes));
    known.unwrap_or_else(|| "how many that are now is not known".to_owned())
}
