//! Sensitive elements and attributes of XML, found by their place in the text.
//!
//! A small scanner of well-formed text: what it does not understand (an unclosed element, entities of a document's own) is no XML to
//! it, and then the payload is withheld if it names anything sensitive.

use std::ops::Range;
use std::sync::Arc;

use super::unwrap::unwrapped;
use super::{Cuts, Sensitive};

/// What stands for a text: the mark, spelled so that the document stays XML.
const MARK: &str = "&lt;redacted&gt;";

/// What is to be taken out; `None` when this is no XML.
pub(super) fn cuts(text: &str, sensitive: &Sensitive, depth: usize) -> Option<Cuts> {
    // One in UTF-16 is not read.
    if text.contains('\0') || !text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']).starts_with('<') {
        return None;
    }
    let mut cuts = Cuts::default();
    let mut open: Vec<&str> = Vec::new();
    // The sensitive element that we are in: how deep it is, its name and where its content begins.
    let mut hidden: Option<(usize, &str, usize)> = None;
    let mut at = 0;
    let mut elements = 0_usize;
    while at < text.len() {
        let rest = text.get(at..)?;
        let begins = rest.find('<').map_or(text.len(), |offset| at + offset);
        if begins > at && hidden.is_none() {
            let piece = text.get(at..begins)?;
            given(piece, at..begins, sensitive, depth, &mut cuts);
            let open = sensitive.left_open(piece);
            let open = open.or_else(|| sensitive.left_open(&unwrapped(piece)?));
            if let Some(name) = open {
                cuts.name(name);
                cuts.withheld = Some(Arc::clone(name));
            }
        }
        at = begins;
        let rest = text.get(at..)?;
        if rest.is_empty() {
            break;
        }
        let (inside, ends) = if rest.starts_with("<!--") {
            between(at, rest, "<!--", "-->")?
        } else if rest.starts_with("<![CDATA[") {
            between(at, rest, "<![CDATA[", "]]>")?
        } else if rest.starts_with("<?") {
            between(at, rest, "<?", "?>")?
        } else if rest.starts_with("<!") {
            // A document type may define what any text stands for.
            return None;
        } else if rest.starts_with("</") {
            let (inside, ends) = between(at, rest, "</", ">")?;
            if open.pop()? != text.get(inside)?.trim_end() {
                return None;
            }
            if let Some((depth, name, from)) = hidden
                && depth > open.len()
            {
                hidden = None;
                cuts.cut(from..at, MARK, name);
            }
            at = ends;
            continue;
        } else {
            let tag = Tag::read(text, at)?;
            elements += 1;
            if hidden.is_none() {
                let names = |value: &str| {
                    sensitive.named_by(value)
                        || unwrapped(value).is_some_and(|value| sensitive.named_by(&value))
                };
                let is_hidden =
                    sensitive.is(local(tag.name)) || tag.attributes.iter().any(|one| names(one.value(text)));
                for one in &tag.attributes {
                    let value = one.value(text);
                    let hide = sensitive.is(local(one.name)) || (is_hidden && !names(value));
                    if hide || sensitive.given_in(value, depth).is_some() {
                        cuts.cut(one.span.clone(), MARK, local(one.name));
                    }
                }
                if is_hidden {
                    cuts.name(local(tag.name));
                    if !tag.closed {
                        hidden = Some((open.len() + 1, local(tag.name), tag.ends));
                    }
                }
            }
            if !tag.closed {
                open.push(tag.name);
            }
            at = tag.ends;
            continue;
        };
        if hidden.is_none() {
            given(text.get(inside.clone())?, inside, sensitive, depth, &mut cuts);
        }
        at = ends;
    }
    (open.is_empty() && elements > 0).then_some(cuts)
}

/// Takes out a piece of text that gives a sensitive field a value.
fn given(piece: &str, span: Range<usize>, sensitive: &Sensitive, depth: usize, cuts: &mut Cuts) {
    if let Some(name) = sensitive.given_in(piece, depth) {
        cuts.cut(span, MARK, &name);
    }
}

/// What is between two marks, and where the second ends.
fn between(at: usize, rest: &str, begin: &str, end: &str) -> Option<(Range<usize>, usize)> {
    let inside = at + begin.len();
    let length = rest.get(begin.len()..)?.find(end)?;
    Some((inside..inside + length, inside + length + end.len()))
}

/// A name without its namespace.
fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

struct Attribute<'t> {
    name: &'t str,
    /// Its value, without quotes.
    span: Range<usize>,
}

impl Attribute<'_> {
    fn value<'t>(&self, text: &'t str) -> &'t str {
        text.get(self.span.clone()).unwrap_or_default()
    }
}

struct Tag<'t> {
    name: &'t str,
    attributes: Vec<Attribute<'t>>,
    /// `<a/>`
    closed: bool,
    /// Behind its `>`.
    ends: usize,
}

impl<'t> Tag<'t> {
    /// The start tag at a place.
    fn read(text: &'t str, at: usize) -> Option<Self> {
        let is_name = |c: char| !(c.is_whitespace() || matches!(c, '/' | '>' | '=' | '<' | '"' | '\''));
        let word = |from: usize| {
            let rest = text.get(from..)?;
            let length = rest.find(|c| !is_name(c))?;
            rest.get(..length).filter(|word| !word.is_empty())
        };
        let space = |from: usize| text.get(from..).map_or(from, |rest| text.len() - rest.trim_start().len());
        let name = word(at + 1)?;
        let mut attributes = Vec::new();
        let mut here = at + 1 + name.len();
        loop {
            here = space(here);
            let rest = text.get(here..)?;
            if rest.starts_with('>') {
                return Some(Self { name, attributes, closed: false, ends: here + 1 });
            }
            if rest.starts_with("/>") {
                return Some(Self { name, attributes, closed: true, ends: here + 2 });
            }
            let key = word(here)?;
            here = space(here + key.len());
            text.get(here..)?.strip_prefix('=')?;
            here = space(here + 1);
            let quote = text.get(here..)?.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            let length = text.get(here + 1..)?.find(quote)?;
            attributes.push(Attribute { name: key, span: here + 1..here + 1 + length });
            here += length + 2;
        }
    }
}
