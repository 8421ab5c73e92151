//! From a directory or a file to a [`Topology`]: the only room, with `watch`, that reads the topology's disk.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::declared::{Origin, Topology};
use super::document::{self, Declarations};
use super::problem::{Problem, Severity, escaped};
use super::read::Reading;
use super::resolve::resolve;
use super::tree::{self, MAX_BYTES, Mark};
use crate::model::id::Name;

/// The most files that one topology may have.
pub const MAX_FILES: usize = 5000;
/// The deepest folder.
const MAX_FOLDERS: usize = 32;

/// What the files hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The resolved system; absent when there is an error.
    pub topology: Option<Topology>,
    /// Everything that is wrong, by file and line.
    pub problems: Vec<Problem>,
    /// How many files were read.
    pub files: usize,
}

impl Loaded {
    /// How many of the problems are errors.
    pub fn errors(&self) -> usize {
        self.problems.iter().filter(|p| p.severity == Severity::Error).count()
    }
}

/// A file as it was found: its name below the root, and its text or why there is none.
pub struct Source {
    /// Path below the root, for messages.
    pub file: String,
    /// The bytes, or what hindered reading them.
    pub content: Result<Vec<u8>, String>,
}

/// Loads a directory, or a single file. Never fails: what is wrong is in the problems.
pub fn load(root: &Path) -> Loaded {
    let (sources, mut problems) = gather(root);
    if sources.is_empty() && problems.is_empty() {
        problems
            .push(Problem::error(&whole(""), "found no *.yaml or *.yml file here, expected at least one"));
    }
    let mut loaded = read(sources);
    problems.append(&mut loaded.problems);
    loaded.problems = sorted(problems);
    if loaded.errors() > 0 {
        loaded.topology = None;
    }
    loaded
}

/// Reads files that are already in memory. Pure and total: any bytes give a result.
pub fn read(sources: Vec<Source>) -> Loaded {
    let mut declared = Declarations::default();
    let mut problems = Vec::new();
    // The first file that was not read to its end: what it declares is not known.
    let mut unread: Option<Name> = None;
    let files = sources.len();
    for source in sources {
        let mut reading = Reading::new(&source.file);
        let at = whole(&reading.file);
        match source.content.map_err(|why| (None, why)).and_then(text) {
            Err((place, why)) => {
                let at = place.map_or(at, |place| reading.origin(place));
                reading.problems.push(Problem::error(&at, why));
                unread.get_or_insert_with(|| reading.file.clone());
            }
            Ok(text) => {
                let parsed = tree::parse(&text);
                if parsed.documents.is_empty() && parsed.faults.is_empty() {
                    reading.problems.push(Problem::warning(&at, "the file declares nothing"));
                }
                for fault in parsed.faults {
                    if fault.fatal {
                        unread.get_or_insert_with(|| reading.file.clone());
                    }
                    reading.error(fault.at, fault.text);
                }
                for document in &parsed.documents {
                    document::read(&mut reading, document, &mut declared);
                }
            }
        }
        problems.append(&mut reading.problems);
        declared.places.append(&mut reading.places);
    }
    if let (Some(file), 2..) = (&unread, files) {
        let text = "names that files take from each other were not checked, because this file could not be read to its end; \
                    mend it and validate again";
        problems.push(Problem::warning(&whole(file), text));
    }
    let topology = resolve(declared, unread.is_some(), &mut problems);
    let problems = sorted(problems);
    let usable = problems.iter().all(|p| p.severity != Severity::Error);
    Loaded { topology: usable.then_some(topology), problems, files }
}

fn sorted(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort();
    problems.dedup();
    problems
}

fn whole(file: &str) -> Origin {
    Origin { file: file.into(), line: 0, column: 0 }
}

/// The text of a file, or what is wrong with it and where.
fn text(bytes: Vec<u8>) -> Result<String, (Option<Mark>, String)> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err((None, "the file is UTF-16, expected UTF-8".to_owned()));
    }
    String::from_utf8(bytes).map_err(|error| {
        let bytes = error.as_bytes();
        let (good, rest) = bytes.split_at_checked(error.utf8_error().valid_up_to()).unwrap_or((bytes, &[]));
        let good = String::from_utf8_lossy(good);
        let good = good.strip_prefix('\u{feff}').unwrap_or(&good);
        let line = 1 + good.matches('\n').count();
        let column = 1 + good.rsplit('\n').next().unwrap_or("").chars().count();
        let byte = rest.first().copied().unwrap_or_default();
        let at = Mark { line: line as u32, column: column as u32 };
        (Some(at), format!("the file is not UTF-8: found the byte 0x{byte:02X}, which is no character here"))
    })
}

/// Finds and reads the files, in the order of their names.
pub(super) fn gather(root: &Path) -> (Vec<Source>, Vec<Problem>) {
    let mut problems = Vec::new();
    let paths = find(root, &mut problems);
    let sources =
        paths.into_iter().map(|path| Source { file: shown(root, &path), content: slurp(&path) }).collect();
    (sources, problems)
}

fn shown(root: &Path, path: &Path) -> String {
    // A file that was named itself goes by its own name, as evidence needs one.
    let below = if path == root { path.file_name().map(Path::new) } else { path.strip_prefix(root).ok() };
    escaped(&below.unwrap_or(path).to_string_lossy())
}

pub(super) fn slurp(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    fs::File::open(path).and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)).map_err(
        |error| format!("the file cannot be read: {}", super::problem::printable(&error.to_string())),
    )?;
    if bytes.len() > MAX_BYTES {
        return Err(format!("the file is larger than {MAX_BYTES} bytes; a topology file is a few thousand"));
    }
    Ok(bytes)
}

/// All YAML files below the root. Hidden files and folders are left out; links are followed, loops end.
pub(super) fn find(root: &Path, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let cannot = |path: &Path, error: &std::io::Error| {
        let text = match error.kind() {
            std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
            _ => format!("cannot be read: {}", super::problem::printable(&error.to_string())),
        };
        Problem::error(&whole(&shown(root, path)), text)
    };
    let kind = match fs::metadata(root) {
        Ok(kind) => kind,
        Err(error) => {
            problems.push(cannot(root, &error));
            return Vec::new();
        }
    };
    if kind.is_file() {
        return vec![root.to_owned()];
    }
    if !kind.is_dir() {
        problems.push(Problem::error(&whole(""), "neither a directory nor a file"));
        return Vec::new();
    }
    let mut files = BTreeSet::new();
    let mut visited = BTreeSet::new();
    let mut folders = vec![(root.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        // A folder that was seen under another name, by a link, is not walked again: that also ends loops.
        match fs::canonicalize(&folder) {
            Ok(real) => {
                if !visited.insert(real) {
                    continue;
                }
            }
            Err(error) => {
                problems.push(cannot(&folder, &error));
                continue;
            }
        }
        if depth > MAX_FOLDERS {
            let text = format!("folders deeper than {MAX_FOLDERS} levels are not read");
            problems.push(Problem::error(&whole(&shown(root, &folder)), text));
            continue;
        }
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) => {
                problems.push(cannot(&folder, &error));
                continue;
            }
        };
        for entry in entries {
            let path = match entry {
                Ok(entry) => entry.path(),
                Err(error) => {
                    problems.push(cannot(&folder, &error));
                    continue;
                }
            };
            let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
            if hidden {
                continue;
            }
            let yaml = path.extension().is_some_and(|ext| ext == "yaml" || ext == "yml");
            match fs::metadata(&path) {
                Ok(kind) if kind.is_dir() => folders.push((path, depth + 1)),
                Ok(kind) if kind.is_file() && yaml => {
                    files.insert(path);
                }
                // A dangling link only matters where a topology file should be.
                Err(error) if yaml => problems.push(cannot(&path, &error)),
                Ok(_) | Err(_) => {}
            }
            if files.len() > MAX_FILES {
                let text =
                    format!("more than {MAX_FILES} YAML files, expected a directory of topology files alone");
                problems.push(Problem::error(&whole(""), text));
                return Vec::new();
            }
        }
    }
    // One file under two names, by a link, is one file: the first name counts.
    files
        .into_iter()
        .filter(|path| fs::canonicalize(path).map_or(true, |real| visited.insert(real)))
        .collect()
}

#[cfg(test)]
mod tests;
