//! A page under construction: headings, facts with their evidence, wrapped text, charts.

use std::time::Duration;

use crate::app::{Action, Layer};
use crate::keymap;
use crate::model::acks::AckTally;
use crate::model::id::Name;
use crate::model::measured::{Bounds, Evidence, Measured};
use crate::model::series::History;
use crate::model::snapshot::{Delay, DelayMethod, Processing, Thing};
use crate::model::time::nanos;
use crate::theme::{Glyph, Glyphs, Role};
use crate::ui::widget::chart::Chart;
use crate::ui::widget::curve::Curve;
use crate::ui::widget::spark::held;
use crate::ui::widget::text::{clean, wrap};
use crate::ui::widget::{Cell, Look, number};
use crate::ui::{Ctx, phrase, signs};

/// Columns of a fact's name.
pub(super) const LABEL: usize = 14;
/// Rows of a chart without its axis.
const CHART_ROWS: usize = 5;

/// Lines of a page, in the order in which they are read.
pub(super) struct Page<'a> {
    look: Look<'a>,
    width: usize,
    evidence: bool,
    lines: Vec<Cell>,
}

impl<'a> Page<'a> {
    pub(super) fn new(ctx: &Ctx<'a>, width: usize) -> Self {
        Self { look: ctx.look(), width: width.max(10), evidence: ctx.app.evidence(), lines: Vec::new() }
    }

    pub(super) fn into_lines(self) -> Vec<Cell> {
        self.lines
    }

    /// The look of what the page is about.
    pub(super) fn with_look(self, look: Look<'a>) -> Self {
        Self { look, ..self }
    }

    pub(super) fn look(&self) -> Look<'a> {
        self.look
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    fn glyphs(&self) -> Glyphs {
        self.look.glyphs
    }

    pub(super) fn cell(&mut self, cell: Cell) {
        self.lines.push(cell);
    }

    /// A heading with an empty line before it.
    pub(super) fn heading(&mut self, text: &str) {
        if !self.lines.is_empty() {
            self.lines.push(Cell::empty());
        }
        self.lines.push(Cell::styled(text, Role::Title));
    }

    /// A heading with what follows under it in a word.
    pub(super) fn heading_of(&mut self, text: &str, what: &str) {
        self.heading(text);
        if let Some(line) = self.lines.pop() {
            self.lines.push(line.then(format!("  {what}"), Role::Muted));
        }
    }

    /// A paragraph.
    pub(super) fn text(&mut self, text: &str, role: Role) {
        self.indented(0, text, role);
    }

    fn indented(&mut self, indent: usize, text: &str, role: Role) {
        let cleaned = clean(text);
        for line in wrap(&cleaned, self.width.saturating_sub(indent)) {
            self.lines.push(Cell::text(" ".repeat(indent)).then(line, role));
        }
    }

    /// A sign and a paragraph beside it.
    pub(super) fn item(&mut self, glyph: Glyph, role: Role, text: &str, text_role: Role) {
        let cleaned = clean(text);
        let sign = self.look.glyph(glyph);
        for (at, line) in wrap(&cleaned, self.width.saturating_sub(2)).into_iter().enumerate() {
            // The blank has no style: reversed it would look like a part of the sign.
            let head = if at == 0 { sign } else { " " };
            self.lines.push(Cell::styled(head, role).then(" ", Role::Text).then(line, text_role));
        }
    }

    /// A fact whose value is text; long text goes on under itself.
    pub(super) fn fact(&mut self, name: &str, value: &str) {
        let cleaned = clean(value).into_owned();
        for (at, line) in wrap(&cleaned, self.width.saturating_sub(LABEL)).into_iter().enumerate() {
            let head = if at == 0 { label(name) } else { label("") };
            self.lines.push(head.then(line, Role::Text));
        }
    }

    /// A fact that may not be known.
    pub(super) fn fact_or(&mut self, name: &str, value: Option<&str>, why_not: &str) {
        match value {
            Some(value) => self.fact(name, value),
            None => self.unknown(name, why_not),
        }
    }

    fn unknown(&mut self, name: &str, why: &str) {
        let dash = self.look.glyph(Glyph::NoValue);
        let cleaned = clean(why).into_owned();
        for (at, line) in wrap(&cleaned, self.width.saturating_sub(LABEL + 3)).into_iter().enumerate() {
            let head = if at == 0 {
                label(name).then(format!("{dash}  "), Role::Muted)
            } else {
                label("").then("   ", Role::Text)
            };
            self.lines.push(head.then(line, Role::Muted));
        }
    }

    /// A fact that is drawn.
    pub(super) fn fact_cell(&mut self, name: &str, value: Cell) {
        self.lines.push(label(name).and(value));
    }

    /// A number with how exactly it is known; unknown with its reason; with evidence, how and when it was measured.
    pub(super) fn measured<T>(&mut self, name: &str, value: &Measured<T>, format: impl Fn(&T) -> String) {
        self.measured_with(name, value, format, Cell::empty());
    }

    /// [`Page::measured`] with something to say after the number.
    pub(super) fn measured_with<T>(
        &mut self,
        name: &str,
        value: &Measured<T>,
        format: impl Fn(&T) -> String,
        more: Cell,
    ) {
        if let Bounds::Unknown(why) = &value.bounds {
            self.unknown(name, why);
            return;
        }
        let mut cell = Cell::measured(&self.look, value, &format);
        let spoken = match &value.bounds {
            Bounds::About { within: Some((lo, hi)), .. } => {
                format!("  between {} and {}", format(lo), format(hi))
            }
            Bounds::About { within: None, .. } => "  an estimate".to_owned(),
            Bounds::AtLeast(_) => "  at least: what was so before is not counted".to_owned(),
            _ => String::new(),
        };
        cell = cell.then(spoken, Role::Muted).and(more);
        let age = self.look.now.age_since(value.at);
        if self.look.is_old(value.at) {
            cell = cell.then(format!("  {} old", number::elapsed(age)), Role::Stale);
        }
        self.lines.push(label(name).and(cell));
        if self.evidence {
            let by: &str = if value.by.is_empty() { "not told" } else { &value.by };
            // `by as the broker reports it` would read as a slip.
            let by = if by.starts_with("as ") { by.to_owned() } else { format!("by {by}") };
            let text = format!("{by}, {}", number::ago(age));
            self.indented(LABEL, &text, Role::Muted);
        }
    }

    /// A distribution of delays with its method and its error.
    pub(super) fn delay(&mut self, delay: Option<&Delay>, why_not: &str, limit: Option<Duration>) {
        let Some(delay) = delay else {
            self.unknown("delay", why_not);
            return;
        };
        let figure = |(value, error): (Option<i64>, Option<Duration>)| {
            let Some(value) = value else { return self.look.glyph(Glyph::NoValue).to_owned() };
            match phrase::delay_at_most(delay.method, value, error) {
                Some(most) => number::at_most(self.look.glyphs, &number::signed_nanos(most)),
                None => number::signed_nanos(value),
            }
        };
        let [p50, p95, p99, max] = delay.figures();
        let figures = match delay.method {
            DelayMethod::Mean => format!("mean {}", figure(p50)),
            _ => {
                format!("p50 {}  p95 {}  p99 {}  max {}", figure(p50), figure(p95), figure(p99), figure(max))
            }
        };
        self.fact("delay", &figures);
        let method = phrase::method_words(delay.method);
        let up_to = if delay.errors.is_some() { "up to " } else { "" };
        let error = delay.error.map(|error| format!(", give or take {up_to}{}", number::duration(error)));
        let how = format!("{} messages, {method}{}", number::count(delay.count), error.unwrap_or_default());
        self.indented(LABEL, &how, Role::Muted);
        if delay.negative > 0 {
            let text = format!(
                "{} below zero: the clocks disagree by more than the delay",
                number::count(delay.negative)
            );
            self.indented(LABEL, &text, Role::StateDegraded);
        }
        if let Some(limit) = limit {
            // An upper end above the limit does not say that the delay is.
            let least = match (delay.method, p95) {
                (DelayMethod::Interval, (Some(p95), Some(error))) => Some(p95.saturating_sub(nanos(error))),
                (_, (p95, _)) => p95,
            };
            let late = least.is_some_and(|p95| p95 > nanos(limit));
            let text = format!(
                "may take at most {}{}",
                number::limit(limit),
                if late { ": it is over" } else { "" }
            );
            self.indented(LABEL, &text, if late { Role::StateDegraded } else { Role::Muted });
        }
    }

    /// What a service takes of its own for a message, where the broker samples it.
    pub(super) fn processing(&mut self, processing: &Measured<Processing>) {
        let Some(times) = processing.bounds.exact() else {
            if let Some(why) = processing.bounds.why_unknown() {
                self.unknown("takes", why);
            }
            return;
        };
        let figure = |value: Option<i64>| {
            value.map_or_else(|| self.look.glyph(Glyph::NoValue).to_owned(), number::signed_nanos)
        };
        let [p50, p95, p99, max] = [times.p50, times.p95, times.p99, times.max].map(figure);
        self.fact("takes", &format!("p50 {p50}  p95 {p95}  p99 {p99}  max {max} of its own"));
        let how = format!(
            "from the last delivery to the acknowledgement, {} {}",
            number::count(times.sampled),
            processing.by
        );
        self.indented(LABEL, &how, Role::Muted);
    }

    /// A history as a chart with its axes.
    pub(super) fn chart(
        &mut self,
        ctx: &Ctx<'_>,
        name: &str,
        history: &History,
        format: impl Fn(f64) -> String,
    ) {
        if history.is_empty() {
            return;
        }
        // The finest steps that reach back to the beginning, or two minutes, then half an hour, then four hours.
        let watched = ctx.snapshot.watched.as_secs();
        let (step, keep) = match watched {
            0..=150 => (1, 120),
            151..=2_000 => (10, 180),
            _ => (60, 240),
        };
        let keep = keep.min(usize::try_from(watched / step + 2).unwrap_or(keep));
        let values = held(&history.last(step, keep, ctx.mono()));
        if values.iter().filter(|v| v.is_finite()).count() < 2 {
            return;
        }
        self.heading(name);
        let width = self.width.min(100);
        let chart = Chart { values: &values, step: Duration::from_secs(step), width, height: CHART_ROWS };
        self.lines.extend(chart.lines(self.glyphs(), format));
    }

    /// How soon messages are processed: the share of them within each time, beside what the topology allows.
    /// `whose` is named where several are on one page.
    pub(super) fn visibility(
        &mut self,
        ctx: &Ctx<'_>,
        whose: &str,
        acks: &AckTally,
        limit: Option<Duration>,
    ) {
        let delays = &acks.delays;
        if delays.is_empty() {
            return;
        }
        let over = match ctx.snapshot.heard_window {
            Duration::MAX => "all that was heard".to_owned(),
            window => format!("the last {}", number::limit(window)),
        };
        let key = keymap::key_of(Layer::Main, Action::Window).unwrap_or_default();
        let whose = if whose.is_empty() { String::new() } else { format!("{whose}, ") };
        self.heading_of("PROCESSED WITHIN", &format!("{whose}{over} ({key})"));
        let curve = Curve { delays, limit, width: self.width.min(100), height: CHART_ROWS + 1 };
        self.lines.extend(curve.lines(self.glyphs()));
        if let Some(limit) = limit {
            let (least, most) = delays.within(crate::model::time::nanos(limit));
            let share = |n: u64| number::percent(n as f64 / delays.count() as f64);
            let (least, most) = (share(least), share(most));
            let share = if least == most { least } else { format!("{least} to {most}") };
            self.text(
                &format!("within the {} that its topology allows: {share}", number::limit(limit)),
                Role::Text,
            );
        }
        let known = delays.count();
        let of = if known == acks.acknowledged {
            String::new()
        } else {
            format!(" of {}", number::count(acks.acknowledged))
        };
        let over = number::duration(acks.span.length());
        self.text(
            &format!(
                "each message's own delay: {}{of} messages acknowledged in {over} of listening",
                number::count(known)
            ),
            Role::Muted,
        );
    }

    /// How facts are known: each with where it can be checked and when it was seen.
    pub(super) fn evidence(&mut self, evidence: &[Evidence]) {
        if evidence.is_empty() {
            return;
        }
        self.heading("HOW THIS IS KNOWN");
        for entry in evidence {
            let when = entry
                .at
                .map_or_else(String::new, |at| format!(", {}", number::ago(self.look.now.age_since(at))));
            let text = format!("{}{when}", entry.from);
            let cleaned = clean(&text).into_owned();
            for (at, line) in wrap(&cleaned, self.width.saturating_sub(LABEL)).into_iter().enumerate() {
                let head = if at == 0 { label(signs::evidence(entry.kind)) } else { label("") };
                self.lines.push(head.then(line, Role::Text));
            }
        }
        if !self.evidence {
            self.text("i: by what each number was measured, and when", Role::Muted);
        }
    }

    /// What follows from this, and what this follows from, as the overview has it.
    /// `said` is what the page has said of the thing already.
    pub(super) fn causes(&mut self, ctx: &Ctx<'_>, thing: &Thing, said: &str) {
        let mine: Vec<_> = ctx.snapshot.causes.iter().filter(|cause| cause.thing == *thing).collect();
        for cause in mine {
            let (glyph, role) = signs::severity(cause.severity);
            // The same words stand above already.
            let own = cause
                .text
                .strip_prefix(thing.as_str())
                .map_or(&*cause.text, |rest| rest.trim_start_matches(": "));
            if said.is_empty() || !own.starts_with(said) {
                self.item(glyph, role, own, role);
            }
            for effect in &cause.effects {
                self.item(
                    Glyph::LastBranch,
                    Role::Muted,
                    &format!("{}: {}", effect.kind, effect.text),
                    Role::Text,
                );
            }
        }
        let from = ctx.snapshot.causes.iter().filter(|cause| cause.thing != *thing);
        for cause in from {
            for effect in cause.effects.iter().filter(|effect| effect.thing == *thing) {
                let text = format!("{}: {} (because of {})", effect.kind, effect.text, cause.name);
                self.item(Glyph::LeadsTo, Role::StateDegraded, &text, Role::Text);
            }
        }
    }

    /// What a person can do next.
    pub(super) fn next(&mut self, steps: &[String]) {
        if steps.is_empty() {
            return;
        }
        self.heading("WHAT TO DO NEXT");
        for step in steps {
            self.item(Glyph::HeadRight, Role::Key, step, Role::Text);
        }
    }

    /// Free notes by key.
    pub(super) fn notes<'n>(&mut self, name: &str, notes: impl Iterator<Item = (&'n Name, &'n Name)>) {
        let mut first = true;
        for (key, value) in notes {
            if first {
                self.heading(name);
                first = false;
            }
            self.fact(key, value);
        }
    }
}

/// The name of a fact, in its own column.
fn label(name: &str) -> Cell {
    let cleaned = clean(name);
    let fitted = crate::ui::widget::text::pad_right(&cleaned, LABEL - 1, "");
    Cell::styled(fitted, Role::Muted).then(" ", Role::Text)
}
