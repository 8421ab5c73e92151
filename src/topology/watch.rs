//! Notices edits of the topology files. Asked, it looks; when to ask and what time it is, the caller says.
//!
//! Looking costs one `stat` for each file. A file is read again only when its size or time differ, or when it was
//! written so shortly before the last look that a second edit could have left both the same.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::declared::Topology;
use super::load::{self, Loaded};
use super::problem::{Problem, Severity, escaped};
use crate::model::snapshot::TopologyState;

/// Clocks of file systems are this coarse at worst.
const COARSE: Duration = Duration::from_secs(2);

/// What one file looked like.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Look {
    len: u64,
    modified: Option<SystemTime>,
    /// Hash of the content, or nothing when it could not be read.
    content: Option<u64>,
}

/// A topology directory (or file) under watch.
#[derive(Debug)]
pub struct Watcher {
    root: PathBuf,
    looked: SystemTime,
    seen: BTreeMap<PathBuf, Look>,
    good: Option<Arc<Topology>>,
    problems: Vec<Problem>,
}

impl Watcher {
    /// Reads the files for the first time.
    pub fn new(root: &Path, now: SystemTime) -> Self {
        let mut watcher = Self {
            root: root.to_owned(),
            looked: now,
            seen: BTreeMap::new(),
            good: None,
            problems: Vec::new(),
        };
        watcher.seen = watcher.look(now);
        let loaded = load::load(root);
        watcher.take(loaded);
        watcher
    }

    /// Looks for edits. `true` when something changed: the topology, or what is wrong with the files.
    pub fn check(&mut self, now: SystemTime) -> bool {
        // The look comes before the reading: an edit between the two shows at the next look.
        let seen = self.look(now);
        self.looked = now;
        if seen == self.seen {
            return false;
        }
        let content = |seen: &BTreeMap<PathBuf, Look>| -> Vec<(PathBuf, Option<u64>)> {
            seen.iter().map(|(path, look)| (path.clone(), look.content)).collect()
        };
        let same = content(&seen) == content(&self.seen);
        self.seen = seen;
        if same {
            return false;
        }
        let (good, problems) = (self.good.clone(), self.problems.clone());
        let loaded = load::load(&self.root);
        self.take(loaded);
        self.good != good || self.problems != problems
    }

    /// The last topology without an error, if there was one.
    pub fn topology(&self) -> Option<&Arc<Topology>> {
        self.good.as_ref()
    }

    /// What is wrong with the files as they are now.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Where the files are.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// For the snapshot: the errors, which are why the files were not taken, apart from the warnings; each with its place
    /// below the root, which `path` names.
    pub fn state(&self) -> TopologyState {
        let of = |severity| {
            let told = self.problems.iter().filter(move |p| p.severity == severity);
            told.map(|p| p.line_below(&self.root).into()).collect()
        };
        TopologyState {
            path: escaped(&self.root.to_string_lossy()).into(),
            problems: of(Severity::Error),
            warnings: of(Severity::Warning),
            services: self.good.as_ref().map_or(0, |t| t.services.len()),
        }
    }

    fn take(&mut self, loaded: Loaded) {
        self.problems = loaded.problems;
        if let Some(topology) = loaded.topology {
            self.good = Some(Arc::new(topology));
        }
    }

    fn look(&self, now: SystemTime) -> BTreeMap<PathBuf, Look> {
        let mut problems = Vec::new();
        let mut seen: BTreeMap<PathBuf, Look> = load::find(&self.root, &mut problems)
            .into_iter()
            .map(|path| {
                let look = self.look_at(&path, now);
                (path, look)
            })
            .collect();
        // What cannot be listed counts as content too, so that its coming and going is noticed.
        if !problems.is_empty() {
            let mut hasher = DefaultHasher::new();
            for problem in &problems {
                problem.line(&self.root).hash(&mut hasher);
            }
            let look = Look { len: 0, modified: None, content: Some(hasher.finish()) };
            seen.insert(PathBuf::new(), look);
        }
        seen
    }

    fn look_at(&self, path: &Path, now: SystemTime) -> Look {
        let Ok(meta) = fs::metadata(path) else {
            return Look { len: 0, modified: None, content: None };
        };
        let modified = meta.modified().ok();
        if let Some(before) = self.seen.get(path)
            && before.content.is_some()
            && before.len == meta.len()
            && before.modified == modified
            && modified.is_some_and(|at| self.looked.duration_since(at).is_ok_and(|age| age > COARSE))
            && now >= self.looked
        {
            return before.clone();
        }
        let content = load::slurp(path).ok().map(|bytes| {
            let mut hasher = DefaultHasher::new();
            bytes.hash(&mut hasher);
            hasher.finish()
        });
        Look { len: meta.len(), modified, content }
    }
}

#[cfg(test)]
mod tests;
