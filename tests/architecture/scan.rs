//! Reads one source file: every path in it, made absolute where it stays inside the crate.

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, Item, ItemMod, ItemUse, Macro, UseTree, Visibility,
    spanned::Spanned as _,
    visit::{self, Visit},
};

/// What the rules need to know of a file.
pub struct SourceFile {
    /// From `src/`, with `/`: `source/nats/wire.rs`.
    pub name: String,
    pub lines: usize,
    pub has_module_doc: bool,
    pub uses: Vec<PathUse>,
    pub exports: Vec<Export>,
    /// Line and cause.
    pub parse_error: Option<(usize, String)>,
}

/// One path in the code.
#[derive(Clone, Debug)]
pub struct PathUse {
    pub line: usize,
    /// From the crate root when `in_crate`, else from an external crate (or a local name).
    pub segments: Vec<String>,
    pub in_crate: bool,
    pub glob: bool,
    /// In a `pub use` (of whatever visibility wider than the module).
    pub public: bool,
}

/// A name that a module takes from elsewhere in the crate and offers as its own.
#[derive(Clone, Debug)]
pub struct Export {
    pub module: Vec<String>,
    pub name: String,
    pub target: Vec<String>,
}

impl PathUse {
    /// The room that the path enters, when it stays in the crate.
    pub fn room(&self) -> Option<&str> {
        if self.in_crate { self.segments.first().map(String::as_str) } else { None }
    }

    /// `use crate::*`, `use crate as x`: every room at once.
    pub fn is_crate_root(&self) -> bool {
        self.in_crate && self.segments.is_empty()
    }

    /// As a person would write it.
    pub fn written(&self) -> String {
        let path = self.segments.join("::");
        if self.in_crate { format!("crate::{path}") } else { path }
    }
}

impl SourceFile {
    /// Parses a file; its `name` decides which module it is.
    pub fn parse(name: &str, text: &str) -> Self {
        let mut file = Self {
            name: name.to_owned(),
            lines: text.lines().count(),
            has_module_doc: text.starts_with("//!"),
            uses: Vec::new(),
            exports: Vec::new(),
            parse_error: None,
        };
        match syn::parse_file(text) {
            Ok(parsed) => {
                let mut walk = Walk { module: module_of(name), uses: Vec::new(), exports: Vec::new() };
                walk.visit_file(&parsed);
                (file.uses, file.exports) = (walk.uses, walk.exports);
            }
            Err(error) => file.parse_error = Some((error.span().start().line, error.to_string())),
        }
        file
    }

    /// The tests of a module in a file of their own: `#[cfg(test)] mod tests;` beside it.
    pub fn is_tests(&self) -> bool {
        self.name.ends_with("/tests.rs")
    }

    /// `source` for `source.rs` and everything below `source/`.
    pub fn room(&self) -> &str {
        let first = self.name.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }
}

/// `source/nats/wire.rs` → `["source", "nats", "wire"]`; the crate root is empty.
fn module_of(name: &str) -> Vec<String> {
    let path: Vec<String> =
        name.trim_end_matches(".rs").split('/').filter(|part| *part != "mod").map(str::to_owned).collect();
    if path == ["lib"] || path == ["main"] { Vec::new() } else { path }
}

struct Walk {
    module: Vec<String>,
    uses: Vec<PathUse>,
    exports: Vec<Export>,
}

impl Walk {
    /// A path as written → (absolute segments, whether it stays in the crate).
    fn resolve(&self, written: &[String]) -> (Vec<String>, bool) {
        let mut base = self.module.clone();
        let mut rest = written;
        match written.first().map(String::as_str) {
            Some("crate" | "headwater") => return (written[1..].to_vec(), true),
            Some("self") => rest = &written[1..],
            Some("super") => {
                while rest.first().is_some_and(|segment| segment == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            _ => return (written.to_vec(), false),
        }
        base.extend_from_slice(rest);
        (base, true)
    }

    fn push(&mut self, line: usize, written: &[String], glob: bool, public: bool) {
        let (segments, in_crate) = self.resolve(written);
        if !segments.is_empty() || in_crate {
            self.uses.push(PathUse { line, segments, in_crate, glob, public });
        }
    }

    fn use_tree(&mut self, tree: &UseTree, prefix: &mut Vec<String>, public: bool) {
        match tree {
            UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.use_tree(&path.tree, prefix, public);
                prefix.pop();
            }
            UseTree::Name(name) => {
                let ident = name.ident.to_string();
                self.leaf(name.span().start().line, prefix, &ident, &ident, public);
            }
            UseTree::Rename(rename) => {
                let line = rename.span().start().line;
                self.leaf(line, prefix, &rename.ident.to_string(), &rename.rename.to_string(), public);
            }
            UseTree::Glob(glob) => self.push(glob.span().start().line, prefix, true, public),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.use_tree(tree, prefix, public);
                }
            }
        }
    }

    fn leaf(&mut self, line: usize, prefix: &[String], ident: &str, name: &str, public: bool) {
        let mut written = prefix.to_vec();
        // `use a::b::{self}` names `a::b`; `use self::x` and `use super::x` keep their first segment.
        if ident != "self" || written.is_empty() {
            written.push(ident.to_owned());
        }
        self.push(line, &written, false, public);
        let (target, in_crate) = self.resolve(&written);
        if public && in_crate {
            let name =
                if name == "self" { written.last().cloned().unwrap_or_default() } else { name.to_owned() };
            self.exports.push(Export { module: self.module.clone(), name, target });
        }
    }

    /// Paths in the tokens of a macro: `crate :: a :: b`, wherever they stand.
    fn tokens(&mut self, tokens: TokenStream) {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < trees.len() {
            match &trees[at] {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(first) => {
                    let mut written = vec![first.to_string()];
                    let mut next = at + 1;
                    while is_colon(trees.get(next)) && is_colon(trees.get(next + 1)) {
                        let Some(TokenTree::Ident(ident)) = trees.get(next + 2) else { break };
                        written.push(ident.to_string());
                        next += 3;
                    }
                    if written.len() > 1 {
                        self.push(first.span().start().line, &written, false, false);
                    }
                    at = next;
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
    }
}

fn is_colon(tree: Option<&TokenTree>) -> bool {
    matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == ':')
}

/// `#[cfg(test)]`, also among other conditions that all must hold.
fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).any(|attribute| {
        let text = match &attribute.meta {
            syn::Meta::List(list) => list.tokens.to_string(),
            _ => String::new(),
        };
        text == "test" || text.starts_with("all (test") || text.starts_with("all(test")
    })
}

fn attributes_of(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

impl<'ast> Visit<'ast> for Walk {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test_only(attributes_of(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if item.content.is_none() {
            return;
        }
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let public = !matches!(item.vis, Visibility::Inherited);
        self.use_tree(&item.tree, &mut Vec::new(), public);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let written: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if written.len() > 1 {
            self.push(path.span().start().line, &written, false, false);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast Macro) {
        self.tokens(item.tokens.clone());
        visit::visit_macro(self, item);
    }
}
