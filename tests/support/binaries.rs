//! Where the fetched nats-server binaries are.

use std::path::{Path, PathBuf};

/// The environment variable that names the current server.
const NEW: &str = "HEADWATER_TEST_NATS_SERVER";
/// The environment variable that names the old server.
const OLD: &str = "HEADWATER_TEST_NATS_SERVER_OLD";

/// Which server a test runs against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// 2.15.1.
    #[default]
    New,
    /// Debian's 2.9.10: no metadata, no multi-filter consumers, no pause, no message traces.
    Old,
}

/// The binary of a version, or how to get it.
pub fn find(version: Version) -> Result<PathBuf, String> {
    let (variable, series) = match version {
        Version::New => (NEW, "2.15."),
        Version::Old => (OLD, "2.9."),
    };
    if let Some(path) = std::env::var_os(variable) {
        let path = PathBuf::from(path);
        return if path.is_file() {
            Ok(path)
        } else {
            Err(format!("{variable} names {}, which is not a file", path.display()))
        };
    }
    fetched(series).ok_or_else(|| format!("no nats-server {series}x; run `./test fetch`, or set {variable}"))
}

/// What `./test fetch` left behind, so that a plain `cargo test` works as well.
fn fetched(series: &str) -> Option<PathBuf> {
    let brokers = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/brokers");
    let directories = std::fs::read_dir(brokers).ok()?;
    directories
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(series))
        .map(|entry| entry.path().join("nats-server"))
        .find(|path| path.is_file())
}
