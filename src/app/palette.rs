//! The command palette: any action by name, and messages by what is typed (see [`super::prompt`]).

use crate::model::command::Command;
use crate::model::id::{ChannelId, Name};
use crate::model::message::Search;
use crate::model::snapshot::Snapshot;

use super::Fault;
use super::action::Action;
use super::line::Line;
use super::listen::Tapping;
use super::prompt::{self, Kept};
use super::tapping::{self, Taps};
use super::view::View;

/// Something that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What is typed to find it.
    pub name: String,
    /// What it does.
    pub about: String,
    pub run: Run,
}

impl Choice {
    /// A command that goes on with more words, as it stands before anything is typed.
    pub(super) fn opening(name: &str, about: &str) -> Self {
        Self { name: name.to_owned(), about: about.to_owned(), run: Run::Type(format!("{name} ")) }
    }
}

/// What choosing does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Run {
    Do(Action),
    Command(Command),
    /// Looks for a message on these channels.
    Find(Vec<ChannelId>, Search),
    /// Asks before listening to a channel's messages; stops at once.
    Tap(Tapping),
    /// Goes on typing from here: something is missing yet.
    Type(String),
}

/// What the choices are made of.
pub(super) struct Known<'a> {
    faults: &'a [Fault],
    on: &'a [Name],
    channels: Vec<Kept>,
    taps: Taps,
}

impl<'a> Known<'a> {
    pub(super) fn of(faults: &'a [Fault], on: &'a [Name], snapshot: &Snapshot) -> Self {
        Self { faults, on, channels: prompt::kept(snapshot), taps: Taps::of(snapshot) }
    }
}

/// An open palette.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Palette {
    line: Line,
    all: Vec<Choice>,
    channels: Vec<Kept>,
    taps: Taps,
    /// What matches, best first.
    found: Vec<Choice>,
    selected: usize,
}

impl Palette {
    pub(super) fn open(known: &Known<'_>) -> Self {
        let mut palette = Self {
            line: Line::default(),
            all: choices(known.faults, known.on),
            channels: known.channels.clone(),
            taps: known.taps.clone(),
            found: Vec::new(),
            selected: 0,
        };
        palette.search();
        palette
    }

    /// What is typed.
    pub fn line(&self) -> &Line {
        &self.line
    }

    /// What matches, best first.
    pub fn found(&self) -> impl Iterator<Item = &Choice> {
        self.found.iter()
    }

    /// The place of the selected one among [`Palette::found`].
    pub fn selected(&self) -> usize {
        self.selected
    }

    pub(super) fn chosen(&self) -> Option<&Choice> {
        self.found.get(self.selected)
    }

    pub(super) fn edit(&mut self, edit: impl FnOnce(&mut Line)) {
        edit(&mut self.line);
        self.search();
    }

    pub(super) fn step(&mut self, by: isize) {
        let count = self.found.len();
        if count > 0 {
            self.selected = (self.selected as isize + by).rem_euclid(count as isize) as usize;
        }
    }

    pub(super) fn select(&mut self, at: usize) {
        self.selected = at.min(self.found.len().saturating_sub(1));
    }

    /// Completes what is typed to the selected name.
    pub(super) fn complete(&mut self) {
        if let Some(choice) = self.chosen() {
            let line = match &choice.run {
                Run::Type(line) => line.clone(),
                _ => choice.name.clone(),
            };
            self.complete_to(line);
        }
    }

    /// Puts a line in place of what is typed.
    pub(super) fn complete_to(&mut self, line: String) {
        self.line = Line::new(line);
        self.search();
    }

    pub(super) fn refresh(&mut self, known: &Known<'_>) {
        let fresh = choices(known.faults, known.on);
        if fresh != self.all || known.channels != self.channels || known.taps != self.taps {
            self.all = fresh;
            self.channels.clone_from(&known.channels);
            self.taps.clone_from(&known.taps);
            let selected = self.selected;
            self.search();
            self.select(selected);
        }
    }

    fn search(&mut self) {
        let found = prompt::choices(self.line.text(), &self.channels);
        if let Some(found) = found.or_else(|| tapping::choices(self.line.text(), &self.taps)) {
            self.found = found;
            self.selected = 0;
            return;
        }
        let typed = self.line.text().trim().to_lowercase();
        let mut scored: Vec<(Fit, usize, usize)> = self
            .all
            .iter()
            .enumerate()
            .filter_map(|(at, choice)| {
                let fit = fit(&typed, choice)?;
                // Of names that begin so, the shortest is nearest to what is typed.
                let rest = if fit == Fit::NameBegins && !typed.is_empty() { choice.name.len() } else { 0 };
                Some((fit, rest, at))
            })
            .collect();
        scored.sort_unstable();
        // Letters that merely occur in order are a guess: only when there is nothing better.
        if scored.first().is_some_and(|(fit, ..)| *fit < Fit::Letters) {
            scored.retain(|(fit, ..)| *fit < Fit::Letters);
        }
        self.found = scored.into_iter().filter_map(|(.., at)| self.all.get(at).cloned()).collect();
        self.selected = 0;
    }
}

fn choices(faults: &[Fault], on: &[Name]) -> Vec<Choice> {
    let views = View::ALL.iter().map(|view| Action::Show(*view));
    let plain = Action::PLAIN.iter().copied().filter(|action| action.in_palette());
    let actions = views.chain(plain).map(|action| Choice {
        name: action.name().to_owned(),
        about: action.help().to_owned(),
        run: Run::Do(action),
    });
    let faults = faults.iter().map(|fault| {
        let is_on = on.contains(&fault.id);
        Choice {
            name: format!("fault {}", fault.id),
            about: if is_on { format!("end: {}", fault.label) } else { fault.label.to_string() },
            run: Run::Command(Command::Fault { id: fault.id.clone(), on: !is_on }),
        }
    });
    actions.chain(prompt::openings()).chain(tapping::openings()).chain(faults).collect()
}

/// How well a choice fits what is typed, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Name,
    NameBegins,
    /// Every word that is typed begins a word of the name.
    WordsOfName,
    /// Of the name or of what it does.
    Words,
    /// What is typed occurs somewhere.
    Within,
    /// Its letters occur in the name in this order.
    Letters,
}

fn fit(typed: &str, choice: &Choice) -> Option<Fit> {
    let (name, about) = (choice.name.to_lowercase(), choice.about.to_lowercase());
    let begins_word = |text: &str, wanted: &str| {
        text.match_indices(wanted).any(|(at, _)| {
            !text.get(..at).and_then(|before| before.chars().next_back()).is_some_and(char::is_alphanumeric)
        })
    };
    let all = |fits: &dyn Fn(&str) -> bool| typed.split_whitespace().all(fits);
    if name == typed {
        Some(Fit::Name)
    } else if name.starts_with(typed) {
        Some(Fit::NameBegins)
    } else if all(&|word| begins_word(&name, word)) {
        Some(Fit::WordsOfName)
    } else if all(&|word| begins_word(&name, word) || begins_word(&about, word)) {
        Some(Fit::Words)
    } else if typed.len() > 2 && (name.contains(typed) || about.contains(typed)) {
        Some(Fit::Within)
    } else {
        let mut letters = name.chars();
        let in_order = typed.chars().filter(|c| !c.is_whitespace()).all(|c| letters.any(|l| l == c));
        in_order.then_some(Fit::Letters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known<'a>(faults: &'a [Fault], on: &'a [Name]) -> Known<'a> {
        Known { faults, on, channels: Vec::new(), taps: Taps::default() }
    }

    fn open(typed: &str) -> Vec<String> {
        let fault = |id: &str, label: &str| Fault { id: id.into(), label: label.into() };
        let faults = [
            fault("billing-slows", "billing takes 300 ms each"),
            fault("accounts-fail", "accounts answers with errors"),
            fault("database-away", "the database of catalog fails"),
        ];
        let mut palette = Palette::open(&known(&faults, &[]));
        palette.edit(|line| line.insert(typed));
        palette.found().map(|choice| choice.name.clone()).collect()
    }

    #[test]
    fn found_by_letters_in_order() {
        assert_eq!(open("quit")[0], "quit");
        assert_eq!(open("con")[0], "consumers");
        assert_eq!(open("swf")[0], "sort-worst-first");
        assert_eq!(open("billing slow")[0], "fault billing-slows");
        assert_eq!(open("300 ms")[0], "fault billing-slows");
        assert!(open("zzz").is_empty());
        assert_eq!(open("qit")[0], "quit");
        assert_eq!(open("")[0], "overview");
    }

    #[test]
    fn words_that_begin_so_are_found_first_and_loose_letters_only_alone() {
        // `fault billing-slows` has the letters in order, and nothing else.
        assert_eq!(open("fail"), ["fault accounts-fail", "fault database-away"]);
        assert_eq!(open("serv")[0], "services");
        assert_eq!(open("ort")[..2], ["export", "sort"], "within a word when no word begins so");
    }

    #[test]
    fn choosing_goes_round_and_completes() {
        let mut palette = Palette::open(&known(&[], &[]));
        palette.step(-1);
        assert_eq!(palette.chosen().unwrap().name, "untap");
        palette.step(1);
        assert_eq!(palette.chosen().unwrap().name, "overview");
        palette.edit(|line| line.insert("serv"));
        palette.complete();
        assert_eq!(palette.line().text(), "services");
        palette.edit(|line| line.insert("zzz"));
        palette.step(1);
        assert_eq!(palette.chosen(), None);
    }

    #[test]
    fn a_fault_that_is_on_can_be_ended() {
        let fault = Fault { id: "x".into(), label: "breaks x".into() };
        let on = ["x".into()];
        let palette = Palette::open(&known(std::slice::from_ref(&fault), &on));
        let choice = palette.found().last().unwrap();
        assert_eq!(choice.about, "end: breaks x");
        assert_eq!(choice.run, Run::Command(Command::Fault { id: "x".into(), on: false }));
    }
}
