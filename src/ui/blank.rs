//! Why a view is empty and what to do about it: no dead end is silent.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::list::ListId;
use crate::model::observation::{SourceState, Unavailable};
use crate::model::snapshot::{Snapshot, Source};
use crate::theme::Role;

use super::Ctx;
use super::widget::text::wrap;
use super::widget::{Cell, number};

/// So many missing rights are told one by one.
const MOST: usize = 3;

/// One line of an explanation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub text: String,
    pub role: Role,
}

/// What is so.
pub fn say(text: impl Into<String>) -> Line {
    Line { text: text.into(), role: Role::Text }
}

/// What can be done.
pub fn hint(text: impl Into<String>) -> Line {
    Line { text: text.into(), role: Role::Muted }
}

/// Draws why a list is empty, in the middle of its area.
pub fn draw(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, list: ListId) {
    let lines = why(ctx, list);
    draw_lines(ctx, buf, area, &lines);
}

/// Draws an explanation in the upper middle of an area.
pub fn draw_lines(ctx: &Ctx<'_>, buf: &mut Buffer, area: Rect, lines: &[Line]) {
    let margin = 2.min(area.width / 8);
    let width = area.width.saturating_sub(2 * margin);
    let wrapped: Vec<(String, Role)> = lines
        .iter()
        .flat_map(|line| {
            let cleaned = Cell::text(&line.text).plain();
            wrap(&cleaned, usize::from(width.max(1))).into_iter().map(move |text| (text, line.role))
        })
        .collect();
    let top = area.height.saturating_sub(wrapped.len() as u16) / 3;
    for (row, (text, role)) in wrapped.iter().enumerate() {
        let y = area.y + top + row as u16;
        if y >= area.bottom() {
            break;
        }
        Cell::styled(text, *role).draw(buf, area.x + margin, y, width, &ctx.look());
    }
}

/// Why a list is empty, and what to do.
pub fn why(ctx: &Ctx<'_>, list: ListId) -> Vec<Line> {
    let state = ctx.app.list(list);
    if state.hidden() > 0 {
        return vec![
            say(format!(
                "the filter \"{}\" hides {} {}",
                ctx.app.filter_text(),
                if state.hidden() == 1 {
                    "the only one of".to_owned()
                } else {
                    format!("all {}", state.hidden())
                },
                list.noun(),
            )),
            hint("esc clears it, / changes it"),
        ];
    }
    let mut lines = connection(ctx);
    if !lines.is_empty() {
        return lines;
    }
    lines.push(say(if unread(ctx.snapshot, list) {
        unknown(list).to_owned()
    } else {
        nothing(list, ctx.snapshot)
    }));
    let missing = unavailable(ctx.snapshot, list);
    for missing in missing.iter().take(MOST) {
        lines.push(say(format!("{}: {}", missing.what, missing.why)));
        if !missing.remedy.is_empty() {
            lines.push(hint(&*missing.remedy));
        }
    }
    if missing.len() > MOST {
        lines.push(say(format!("and {} more", missing.len() - MOST)));
    }
    let how = missing.iter().take(MOST).any(|missing| missing.remedy.contains("headwater doctor"));
    if lines.len() > 1 && !how {
        lines.push(hint("headwater doctor lists what may be read and the permission that grants it"));
    }
    lines.extend(advice(list, ctx.snapshot));
    lines
}

/// What stands between us and the data, when it is the connection.
pub fn connection(ctx: &Ctx<'_>) -> Vec<Line> {
    let snapshot = ctx.snapshot;
    let brokers: Vec<&Source> = brokers(snapshot).collect();
    if brokers.is_empty() {
        return vec![
            say("not connected to anything"),
            hint(
                "give a broker with --nats URL, --context NAME or --topology DIR; headwater demo shows a sample store",
            ),
        ];
    }
    if brokers.iter().any(|source| source.answered_at.is_some()) {
        return Vec::new();
    }
    let mut lines = Vec::new();
    for source in &brokers {
        let since = number::elapsed(ctx.look().now.age_since(source.since));
        let (word, error) = match (source.report.state, &source.report.error) {
            (_, Some(error)) => ("cannot reach", format!(": {error}")),
            (SourceState::Down, None) => ("cannot reach", String::new()),
            _ => ("connecting to", String::new()),
        };
        lines.push(say(format!("{word} {} ({since}){error}", source.report.address)));
    }
    lines.push(hint(
        "trying on. Another broker: --nats URL, --context NAME. None at hand: headwater demo runs a sample store",
    ));
    lines
}

/// Sources that have channels: all but the health checks.
pub fn brokers(snapshot: &Snapshot) -> impl Iterator<Item = &Source> {
    snapshot.sources.iter().map(|source| &**source).filter(|source| &*source.report.kind != "health")
}

/// Whether a list's rows come from something that cannot be read: then an empty list says nothing, and zero is no number.
/// What is merely not in use is no such thing.
pub fn unread(snapshot: &Snapshot, list: ListId) -> bool {
    let word = match list {
        ListId::Consumers => "consumer",
        ListId::Services => "connection",
        ListId::Entities => "streams and",
        _ => return false,
    };
    cannot_read(snapshot, word)
}

/// Whether something of this word, `consumer` or `connection`, cannot be read though its broker is reached.
pub fn cannot_read(snapshot: &Snapshot, word: &str) -> bool {
    brokers(snapshot)
        .filter(|source| source.report.state == SourceState::Degraded)
        .flat_map(|source| &source.report.unavailable)
        .any(|missing| missing.what.contains(word))
}

/// What an unread list leaves open.
fn unknown(list: ListId) -> &'static str {
    match list {
        ListId::Services => "which programs are connected cannot be read",
        ListId::Entities => {
            "nobody has said which service owns which data, and the streams that let it be guessed cannot be read"
        }
        _ => "which consumers there are cannot be read",
    }
}

/// What cannot be read and belongs to a list: what its rows come from when that is missing, else what they may come from.
fn unavailable(snapshot: &Snapshot, list: ListId) -> Vec<&Unavailable> {
    let about: &[&str] = match list {
        ListId::Consumers | ListId::Stalest => &["consumer", "stream", "jetstream"],
        ListId::Services => &["connection", "stream", "consumer", "service"],
        ListId::Flows
        | ListId::Busiest
        | ListId::Entities
        | ListId::Map
        | ListId::Lanes
        | ListId::Uses
        | ListId::DomainUses => &["stream", "connection", "consumer", "service"],
        ListId::Traces | ListId::Legs => &["stream", "acknowledgement"],
        ListId::Heard => &["tap"],
        ListId::Causes | ListId::Changes => &[],
    };
    let missing = |words: &[&str]| -> Vec<&Unavailable> {
        brokers(snapshot)
            .flat_map(|source| &source.report.unavailable)
            .filter(|missing| words.iter().any(|word| missing.what.to_lowercase().contains(word)))
            .collect()
    };
    let own = match list {
        ListId::Consumers | ListId::Services => missing(about.get(..1).unwrap_or_default()),
        _ => Vec::new(),
    };
    if own.is_empty() { missing(about) } else { own }
}

fn nothing(list: ListId, snapshot: &Snapshot) -> String {
    let looked = number::elapsed(snapshot.watched);
    match list {
        ListId::Consumers if snapshot.channels.is_empty() => {
            format!("no stream was found, and so no consumer (watched {looked})")
        }
        ListId::Consumers => format!(
            "none of the {} channels has a consumer whose position the broker keeps (watched {looked})",
            snapshot.channels.len()
        ),
        ListId::Flows | ListId::Busiest | ListId::Lanes => format!("no flow is known yet (watched {looked})"),
        ListId::DomainUses => "no topology file says which service belongs to which domain".to_owned(),
        ListId::Map | ListId::Uses => format!("no service and no flow is known yet (watched {looked})"),
        ListId::Services => format!("no program is connected that tells its name (watched {looked})"),
        ListId::Entities => {
            "nobody has said which service owns which data, and no stream lets it be guessed".to_owned()
        }
        ListId::Stalest => "no copy is known".to_owned(),
        ListId::Causes => "nothing needs a person".to_owned(),
        ListId::Changes => format!("nothing has changed in {looked}"),
        ListId::Heard => "nothing was heard yet".to_owned(),
        ListId::Traces | ListId::Legs => {
            "no channel is seen that keeps its messages: what is not kept cannot be looked up".to_owned()
        }
    }
}

fn advice(list: ListId, snapshot: &Snapshot) -> Vec<Line> {
    let topology = snapshot.topology.is_some();
    match list {
        ListId::Entities | ListId::Stalest if !topology => vec![hint(TOPOLOGY)],
        ListId::Entities | ListId::Stalest => {
            vec![hint("declare it in the topology: `owns:` and `copies:` in a service's file")]
        }
        ListId::Services => {
            vec![hint("services are named by connection names, queue groups, durables and topology files")]
        }
        ListId::Flows => {
            vec![hint("a flow appears with its first stream, consumer, answered request or declaration")]
        }
        _ => Vec::new(),
    }
}

/// How to make a topology.
pub const TOPOLOGY: &str = "a topology tells who owns and who copies: start with --topology DIR, one YAML file for each \
                            service; sample-topology/ is an example to copy, headwater topology validate DIR checks it";

/// A short form for panels: the first line alone.
pub fn short(ctx: &Ctx<'_>, list: ListId) -> Cell {
    let text = why(ctx, list).into_iter().next().map_or_else(String::new, |line| line.text);
    Cell::styled(text, Role::Muted)
}
