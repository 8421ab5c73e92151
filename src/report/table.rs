//! The snapshot as text for people: what `headwater once` prints.
//!
//! Columns are as wide as their widest cell, nothing is cut: the reader may be a pipe. Names from outside are
//! cleaned, so that no control character reaches the terminal.

use std::fmt::Write as _;

use crate::model::measured::Bounds;
use crate::model::observation::SourceState;
use crate::model::snapshot::{Since, Snapshot};
use crate::theme::{Glyph, Glyphs};
use crate::ui::signs;
use crate::ui::widget::number;
use crate::ui::widget::text::{clean, width};

/// A snapshot as tables, worst things first.
pub fn render(snapshot: &Snapshot, glyphs: Glyphs) -> String {
    let mut out = String::new();
    heading(&mut out, snapshot);
    causes(&mut out, snapshot, glyphs);
    consumers(&mut out, snapshot, glyphs);
    services(&mut out, snapshot, glyphs);
    entities(&mut out, snapshot, glyphs);
    flows(&mut out, snapshot, glyphs);
    out
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
    }
    for blind in &snapshot.not_watched {
        let remedy =
            if blind.remedy.is_empty() { String::new() } else { format!(" ({})", clean(&blind.remedy)) };
        let _ = writeln!(out, "NOT watched: {}: {}{remedy}", clean(&blind.what), clean(&blind.why));
    }
}

fn causes(out: &mut String, snapshot: &Snapshot, glyphs: Glyphs) {
    if snapshot.causes.is_empty() {
        return;
    }
    out.push_str("\nCAUSE → EFFECTS\n");
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

fn consumers(out: &mut String, snapshot: &Snapshot, glyphs: Glyphs) {
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
    ]);
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
            format!("{likely}{}", joined(&row.services)),
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
    table.write(out, "CONSUMERS");
}

fn services(out: &mut String, snapshot: &Snapshot, glyphs: Glyphs) {
    let mut table = Table::new(&["", "service", "team", ">conns", "owns", "copies", "state"]);
    for row in &snapshot.services {
        let likely = if row.declared { "" } else { glyphs.get(Glyph::About) };
        table.row([
            glyphs.get(signs::health(row.state).0).to_owned(),
            format!("{likely}{}", clean(row.id.as_str())),
            row.team.as_ref().map_or(String::new(), |t| clean(t.as_str()).into_owned()),
            number::bounds(glyphs, &row.connections.bounds, |n| number::count(u64::from(*n))),
            joined(&row.owns),
            joined(&row.copies),
            clean(&row.why).into_owned(),
        ]);
    }
    table.write(out, "SERVICES");
}

fn entities(out: &mut String, snapshot: &Snapshot, glyphs: Glyphs) {
    let mut table = Table::new(&["entity", "owner", "copies", "conflicts"]);
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
    table.write(out, "ENTITIES");
}

fn flows(out: &mut String, snapshot: &Snapshot, glyphs: Glyphs) {
    let mut table = Table::new(&["kind", "from", "what", "to", ">rate", ">errors"]);
    for row in &snapshot.flows {
        let likely = if row.from_likely && !row.from.is_empty() { glyphs.get(Glyph::About) } else { "" };
        table.row([
            row.kind.word().to_owned(),
            format!("{likely}{}", joined(&row.from)),
            clean(&row.label).into_owned(),
            joined(&row.to),
            number::bounds(glyphs, &row.rate.bounds, |r| number::rate(*r)),
            number::bounds(glyphs, &row.errors_rate.bounds, |r| number::rate(*r)),
        ]);
    }
    table.write(out, "FLOWS");
}

fn joined<T: std::fmt::Display>(ids: &[T]) -> String {
    let text = ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    if text.is_empty() { "–".to_owned() } else { clean(&text).into_owned() }
}

fn since(since: Since, snapshot: &Snapshot, glyphs: Glyphs) -> String {
    let least = if since.or_earlier { glyphs.get(Glyph::AtLeast) } else { "" };
    format!("{least}{}", number::elapsed(snapshot.taken_at.age_since(since.at)))
}

/// Rows of cells; a heading that starts with `>` is right-aligned.
struct Table<const N: usize> {
    headings: [&'static str; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    fn new(headings: &[&'static str; N]) -> Self {
        Self { headings: *headings, rows: Vec::new() }
    }

    fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }

    /// Writes the table under its title; an empty one says so, since a missing table looks like a fault.
    fn write(self, out: &mut String, title: &str) {
        let _ = writeln!(out, "\n{title}");
        if self.rows.is_empty() {
            out.push_str("(none seen)\n");
            return;
        }
        let headings = self.headings.map(|h| h.trim_start_matches('>').to_owned());
        let mut widths = [0; N];
        for row in std::iter::once(&headings).chain(&self.rows) {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = (*widest).max(width(cell));
            }
        }
        for row in std::iter::once(&headings).chain(&self.rows) {
            let mut line = String::new();
            for ((cell, widest), heading) in row.iter().zip(widths).zip(self.headings) {
                let pad = " ".repeat(widest.saturating_sub(width(cell)));
                let (before, after) =
                    if heading.starts_with('>') { (pad.as_str(), "") } else { ("", pad.as_str()) };
                let _ = write!(line, "{before}{cell}{after}  ");
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }
}
