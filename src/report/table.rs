//! The snapshot as text for people: what `headwater once` prints.
//!
//! Columns are as wide as their widest cell and nothing is cut, since the reader may be a program; given a width, as of a
//! terminal, the tables fit it: first the less important columns go (and the title says which), then text is cut. Names from outside
//! are cleaned, so that no control character reaches the terminal.

use std::fmt::Write as _;

use crate::model::measured::Bounds;
use crate::model::observation::SourceState;
use crate::model::snapshot::{Since, Snapshot};
use crate::theme::{Glyph, Glyphs};
use crate::ui::blank;
use crate::ui::signs;
use crate::ui::widget::number;
use crate::ui::widget::text::{clean, truncate, truncate_middle, width};

/// A snapshot as tables, worst things first; no table is wider than `room`, if given, as far as that can be.
pub fn render(snapshot: &Snapshot, glyphs: Glyphs, room: Option<usize>) -> String {
    let mut paper = Paper { out: String::new(), glyphs, room };
    heading(&mut paper.out, snapshot);
    causes(&mut paper, snapshot);
    consumers(&mut paper, snapshot);
    services(&mut paper, snapshot);
    entities(&mut paper, snapshot);
    flows(&mut paper, snapshot);
    paper.out
}

/// What is written on, and how.
pub(super) struct Paper {
    pub(super) out: String,
    pub(super) glyphs: Glyphs,
    /// Columns that there are; `None` for as many as are needed.
    pub(super) room: Option<usize>,
}

fn heading(out: &mut String, snapshot: &Snapshot) {
    let system = snapshot.system.as_deref().map_or(String::new(), |name| format!("{}  ", clean(name)));
    let watched = number::elapsed(snapshot.watched);
    let _ = writeln!(out, "{system}{}  watched {watched}", snapshot.probe.word());
    for source in &snapshot.sources {
        let report = &source.report;
        let state = match report.state {
            SourceState::Connecting => "connecting",
            SourceState::Up => "up",
            SourceState::Degraded => "degraded",
            SourceState::Down => "down",
        };
        let version = report.server_version.as_deref().map_or(String::new(), |v| format!(" {}", clean(v)));
        let error = report.error.as_deref().map_or(String::new(), |e| format!(": {}", clean(e)));
        let _ = writeln!(
            out,
            "source {} ({}{version}) {state}{error}",
            clean(source.id.as_str()),
            clean(&report.kind)
        );
        for remark in &report.remarks {
            let _ = writeln!(out, "  {}", clean(remark));
        }
    }
    for blind in &snapshot.not_watched {
        let remedy =
            if blind.remedy.is_empty() { String::new() } else { format!(" ({})", clean(&blind.remedy)) };
        let _ = writeln!(out, "NOT watched: {}: {}{remedy}", clean(&blind.what), clean(&blind.why));
    }
}

fn causes(paper: &mut Paper, snapshot: &Snapshot) {
    let glyphs = paper.glyphs;
    if snapshot.causes.is_empty() {
        return;
    }
    let out = &mut paper.out;
    let _ = writeln!(out, "\nCAUSE {} EFFECTS", glyphs.get(Glyph::LeadsTo));
    for cause in &snapshot.causes {
        let glyph = glyphs.get(signs::severity(cause.severity).0);
        let team = cause.team.as_ref().map_or(String::new(), |t| format!("  {}", clean(t.as_str())));
        let since = since(cause.since, snapshot, glyphs);
        let _ = writeln!(out, "{glyph} {}  {}  {since}{team}", clean(&cause.name), clean(&cause.text));
        for effect in &cause.effects {
            let _ = writeln!(out, "    {}  {}", clean(&effect.kind), clean(&effect.text));
        }
    }
}

fn consumers(paper: &mut Paper, snapshot: &Snapshot) {
    let glyphs = paper.glyphs;
    let mut table = Table::new(&[
        "",
        "consumer",
        "reads",
        "service",
        ">lag",
        ">in flight",
        ">redeliv",
        ">gave up",
        ">stale",
        ">acked",
        ">drain",
        "status",
    ])
    .without(&["redeliv", "drain", "reads", "acked", "in flight", "service", "gave up"]);
    for row in &snapshot.consumers {
        let likely = if row.services_likely { glyphs.get(Glyph::About) } else { "" };
        let reads = row.report.as_ref().filter(|r| !r.filters.is_empty()).map_or_else(
            || snapshot.channel(&row.channel).map_or(String::new(), |c| c.report.subjects.join(" ")),
            |r| r.filters.join(" "),
        );
        let count = |m: &Bounds<u64>| number::bounds(glyphs, m, |n| number::count(*n));
        table.row([
            glyphs.get(signs::status(row.status).0).to_owned(),
            clean(row.id.as_str()).into_owned(),
            clean(&reads).into_owned(),
            format!("{likely}{}", joined(&row.services, glyphs)),
            count(&row.lag.bounds),
            count(&row.in_flight.bounds),
            count(&row.redelivered.bounds),
            count(&row.gave_up.bounds),
            number::bounds(glyphs, &row.staleness.bounds, |d| number::duration(*d)),
            number::bounds(glyphs, &row.acked_rate.bounds, |r| number::rate(*r)),
            number::bounds(glyphs, &row.drain.bounds, number::drain),
            clean(&row.why).into_owned(),
        ]);
    }
    table.write(paper, "CONSUMERS", blank::cannot_read(snapshot, "consumer"));
}

fn services(paper: &mut Paper, snapshot: &Snapshot) {
    let glyphs = paper.glyphs;
    let mut table = Table::new(&["", "service", "team", ">conns", "owns", "copies", "state"])
        .without(&["copies", "owns", "team"]);
    for row in &snapshot.services {
        let likely = if row.declared { "" } else { glyphs.get(Glyph::About) };
        table.row([
            glyphs.get(signs::health(row.state).0).to_owned(),
            format!("{likely}{}", clean(row.id.as_str())),
            row.team.as_ref().map_or(String::new(), |t| clean(t.as_str()).into_owned()),
            number::bounds(glyphs, &row.connections.bounds, |n| number::count(u64::from(*n))),
            joined(&row.owns, glyphs),
            joined(&row.copies, glyphs),
            clean(&row.why).into_owned(),
        ]);
    }
    table.write(paper, "SERVICES", blank::cannot_read(snapshot, "connection"));
}

fn entities(paper: &mut Paper, snapshot: &Snapshot) {
    let glyphs = paper.glyphs;
    let mut table = Table::new(&["entity", "owner", "copies", "conflicts"]).without(&["copies"]);
    for row in &snapshot.entities {
        let owners: Vec<String> = row
            .owners
            .iter()
            .map(|o| {
                let likely = if o.likely { glyphs.get(Glyph::About) } else { "" };
                format!("{likely}{}", clean(o.service.as_str()))
            })
            .collect();
        let copies: Vec<String> = row
            .replicas
            .iter()
            .map(|r| {
                let stale = number::bounds(glyphs, &r.staleness.bounds, |d| number::duration(*d));
                format!("{} {stale}", clean(r.service.as_str()))
            })
            .collect();
        let conflicts: Vec<_> = row.conflicts.iter().map(|c| clean(c)).collect();
        table.row([
            clean(row.id.as_str()).into_owned(),
            owners.join(", "),
            copies.join(", "),
            conflicts.join("; "),
        ]);
    }
    table.write(paper, "ENTITIES", false);
}

fn flows(paper: &mut Paper, snapshot: &Snapshot) {
    let glyphs = paper.glyphs;
    let mut table =
        Table::new(&["kind", "from", "what", "to", ">rate", ">errors"]).without(&["kind", "errors"]);
    for row in &snapshot.flows {
        let likely = if row.from_likely && !row.from.is_empty() { glyphs.get(Glyph::About) } else { "" };
        table.row([
            row.kind.word().to_owned(),
            format!("{likely}{}", joined(&row.from, glyphs)),
            clean(&snapshot.naming().flow(row)).into_owned(),
            joined(&row.to, glyphs),
            number::bounds(glyphs, &row.rate.bounds, |r| number::rate(*r)),
            number::bounds(glyphs, &row.errors_rate.bounds, |r| number::rate(*r)),
        ]);
    }
    table.write(paper, "FLOWS", false);
}

pub(super) fn joined<T: std::fmt::Display>(ids: &[T], glyphs: Glyphs) -> String {
    let text = ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    if text.is_empty() { glyphs.get(Glyph::NoValue).to_owned() } else { clean(&text).into_owned() }
}

fn since(since: Since, snapshot: &Snapshot, glyphs: Glyphs) -> String {
    let least = if since.or_earlier { glyphs.get(Glyph::AtLeast) } else { "" };
    format!("{least}{}", number::elapsed(snapshot.taken_at.age_since(since.at)))
}

/// Columns between two columns.
const GAP: usize = 2;

/// Text is not cut below this width.
const READABLE: usize = 14;
/// Nor a sentence in the last column, while another column can go instead.
const SENTENCE: usize = 20;

/// Rows of cells; a heading that starts with `>` is right-aligned.
pub(super) struct Table<const N: usize> {
    headings: [&'static str; N],
    /// Columns that may be left out, the first to go first.
    spare: &'static [&'static str],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub(super) fn new(headings: &[&'static str; N]) -> Self {
        Self { headings: *headings, spare: &[], rows: Vec::new() }
    }

    pub(super) fn without(self, spare: &'static [&'static str]) -> Self {
        Self { spare, ..self }
    }

    pub(super) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }

    /// Writes the table under its title; an empty one says so, since a missing table looks like a fault. `unread`: it is
    /// empty because its rows come from something that cannot be read.
    pub(super) fn write(self, paper: &mut Paper, title: &str, unread: bool) {
        let out = &mut paper.out;
        if self.rows.is_empty() {
            let why = if unread { "cannot be read, see NOT watched" } else { "none seen" };
            let _ = writeln!(
                out,
                "
{title}
({why})"
            );
            return;
        }
        let headings = self.headings.map(|h| h.trim_start_matches('>').to_owned());
        let mut widths = [0; N];
        for row in std::iter::once(&headings).chain(&self.rows) {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = (*widest).max(width(cell));
            }
        }
        let left_out = paper.room.map(|room| self.fit(&mut widths, room)).unwrap_or_default();
        let note = match (left_out.as_slice(), paper.room) {
            ([], _) | (_, None) => String::new(),
            (names, Some(room)) => format!("  (no room in {room} columns for {})", names.join(", ")),
        };
        let _ = writeln!(out, "\n{title}{note}");
        let ellipsis = paper.glyphs.get(Glyph::Ellipsis);
        for row in std::iter::once(&headings).chain(&self.rows) {
            let mut line = String::new();
            for (at, ((cell, wide), heading)) in row.iter().zip(widths).zip(self.headings).enumerate() {
                if wide == 0 {
                    continue;
                }
                // Ids and subjects differ at their ends; a sentence begins with what matters.
                let cell = if at + 1 == N {
                    truncate(cell, wide, ellipsis)
                } else {
                    truncate_middle(cell, wide, ellipsis)
                };
                let pad = " ".repeat(wide.saturating_sub(width(&cell)));
                let (before, after) =
                    if heading.starts_with('>') { (pad.as_str(), "") } else { ("", pad.as_str()) };
                let _ = write!(line, "{before}{cell}{after}{}", " ".repeat(GAP));
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }

    /// Makes the columns fit: leaves out spare ones until the rest can be read, then narrows the widest text. Returns what was
    /// left out; its width is 0.
    fn fit(&self, widths: &mut [usize; N], room: usize) -> Vec<&'static str> {
        let total = |widths: &[usize; N]| {
            let shown = widths.iter().filter(|wide| **wide > 0);
            shown.clone().sum::<usize>() + GAP * shown.count().saturating_sub(1)
        };
        let is_text = |at: usize| self.headings.get(at).is_some_and(|h| !h.is_empty() && !h.starts_with('>'));
        let least = |widths: &[usize; N]| {
            let mut least = *widths;
            for (at, wide) in least.iter_mut().enumerate().filter(|(at, _)| is_text(*at)) {
                *wide = (*wide).min(if at + 1 == N { SENTENCE } else { READABLE });
            }
            total(&least)
        };
        let mut left_out = Vec::new();
        for name in self.spare {
            if least(widths) <= room {
                break;
            }
            for (wide, heading) in widths.iter_mut().zip(self.headings) {
                if heading.trim_start_matches('>') == *name {
                    *wide = 0;
                    left_out.push(*name);
                }
            }
        }
        while total(widths) > room {
            let widest = widths.iter_mut().enumerate().filter(|(at, wide)| is_text(*at) && **wide > READABLE);
            match widest.max_by_key(|(_, wide)| **wide) {
                Some((_, wide)) => *wide -= 1,
                None => break,
            }
        }
        left_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(room: Option<usize>) -> String {
        let mut table = Table::new(&["", "consumer", "reads", ">lag", "why"]).without(&["reads"]);
        table.row(
            ["·", "ORDERS/a-rather-long-consumer-1", "orders.created", "4.1k", "all is well"]
                .map(str::to_owned),
        );
        table.row(
            ["■", "ORDERS/billing", "orders.*", "0", "nobody pulls, and billing has no connection"]
                .map(str::to_owned),
        );
        let mut paper = Paper { out: String::new(), glyphs: Glyphs::Unicode, room };
        table.write(&mut paper, "CONSUMERS", false);
        paper.out
    }

    #[test]
    fn without_a_terminal_nothing_is_cut() {
        let text = table(None);
        assert!(text.contains("ORDERS/a-rather-long-consumer-1  orders.created"), "{text}");
        assert!(text.contains("nobody pulls, and billing has no connection\n"), "{text}");
    }

    #[test]
    fn in_a_terminal_it_fits_and_says_what_is_missing() {
        assert_eq!(
            table(Some(60)),
            "\nCONSUMERS  (no room in 60 columns for reads)\n\
             \x20  consumer                    lag  why\n\
             ·  ORDERS/a-rat…g-consumer-1  4.1k  all is well\n\
             ■  ORDERS/billing                0  nobody pulls, and billi…\n"
        );
        for room in 30..120 {
            for line in table(Some(room)).lines().filter(|line| !line.starts_with("CONSUMERS")) {
                assert!(width(line) <= room.max(54), "{room}: {line}");
            }
        }
    }
}
