//! Messages as files: always a new one, never over another, and for its owner's eyes alone.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// Files of one name that are tried.
const TRIES: u32 = 100;

/// Writes a new file `NAME.EXTENSION`, or `NAME-2.EXTENSION` and so on when that one is there.
pub(super) fn create(folder: &Path, name: &str, extension: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    for nth in 1..=TRIES {
        let number = if nth == 1 { String::new() } else { format!("-{nth}") };
        let path = folder.join(format!("{name}{number}.{extension}"));
        match options.open(&path) {
            Ok(mut file) => {
                return match file.write_all(bytes) {
                    Ok(()) => Ok(path),
                    Err(error) => {
                        // Half a message would be taken for a whole one.
                        let _ = std::fs::remove_file(&path);
                        Err(about(&path, &error))
                    }
                };
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(about(&path, &error)),
        }
    }
    let why = format!("{name}.{extension} and {} files like it are there already", TRIES - 1);
    Err(io::Error::new(ErrorKind::AlreadyExists, why))
}

/// The same error, with the file that it is about.
fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let create = |bytes: &[u8]| create(folder.path(), "m-1", "json", bytes);
        assert_eq!(create(b"one").unwrap(), folder.path().join("m-1.json"));
        assert_eq!(create(b"two").unwrap(), folder.path().join("m-1-2.json"));
        assert_eq!(std::fs::read(folder.path().join("m-1.json")).unwrap(), b"one");
        for nth in 3..=TRIES {
            assert_eq!(create(b"x").unwrap(), folder.path().join(format!("m-1-{nth}.json")));
        }
        assert_eq!(create(b"x").unwrap_err().to_string(), "m-1.json and 99 files like it are there already");
    }

    #[cfg(unix)]
    #[test]
    fn it_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = create(folder.path(), "m", "txt", b"secret").unwrap();
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn why_it_cannot_be_written_is_said() {
        let error = create(Path::new("/nowhere/at-all"), "m", "txt", b"x").unwrap_err().to_string();
        assert!(error.starts_with("/nowhere/at-all/m.txt: No such file"), "{error}");
    }
}
