//! The two files that the server makes, for their owner only: the SQLite database and the master key.

use crate::config::Config;
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Write as _},
    path::{Path, PathBuf},
};

/// The file of an SQLite database; `None` for one in memory, and for PostgreSQL.
#[must_use]
pub fn database_file(config: &Config) -> Option<PathBuf> {
    let url = config.database_url();
    if !url.starts_with("sqlite:") || url.contains(":memory:") || url.contains("mode=memory") {
        return None;
    }
    // The driver's own reading: parameters and escapes are not part of the name.
    url.parse::<SqliteConnectOptions>().ok().map(|options| options.get_filename().to_owned())
}

/// The folder that a file is or will be in.
pub fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// Whether a file is or would be somewhere below a folder.
pub fn lies_in(file: &Path, folder: &Path) -> bool {
    let settled = |path: &Path| std::path::absolute(path).map(|path| path.canonicalize().unwrap_or(path));
    match (settled(folder_of(file)), settled(folder)) {
        (Ok(parent), Ok(folder)) => parent.starts_with(folder),
        _ => false,
    }
}

/// Makes the database's file, which SQLite's other files take their permissions from, and its folder:
/// for their owner only. What is there already stays as it is.
pub fn make_private(file: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder_of(file))?;
    match private().open(file) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// How to make a file that only its owner reads.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// A new file that only its owner reads: there is all of it or nothing, and one that is there already
/// is never replaced.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] when somebody else was faster.
pub fn write_private(file: &Path, text: &str) -> io::Result<()> {
    let mut name = std::ffi::OsString::from(".");
    name.push(file.file_name().unwrap_or_default());
    name.push(format!(".{}-{:?}", std::process::id(), std::thread::current().id()));
    let temporary = folder_of(file).join(name);
    // Left by a process of the same number that died here.
    let _ = fs::remove_file(&temporary);
    let written = private().open(&temporary).and_then(|mut new| {
        writeln!(new, "{text}")?;
        new.sync_all()
    });
    let placed = written.and_then(|()| match fs::hard_link(&temporary, file) {
        // A file system without hard links.
        Err(error) if error.kind() != ErrorKind::AlreadyExists && !file.exists() => fs::rename(&temporary, file),
        other => other,
    });
    let _ = fs::remove_file(&temporary);
    placed?;
    // So that the name survives a power cut, too.
    if cfg!(unix) { File::open(folder_of(file))?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_of(url: &str) -> Option<PathBuf> {
        database_file(&Config { database_url: Some(url.into()), ..Config::default() })
    }

    #[test]
    fn the_address_names_the_file() {
        assert_eq!(database_file(&Config::default()), Some("data/tessera.db".into()));
        assert_eq!(file_of("sqlite:/a/b.db?mode=rwc"), Some("/a/b.db".into()));
        assert_eq!(file_of("sqlite:///a/b%20c.db"), Some("/a/b c.db".into()));
        assert_eq!(file_of("sqlite:b.db"), Some("b.db".into()));
        for none in ["sqlite::memory:", "sqlite:x?mode=memory", "postgres://localhost/x", "nonsense"] {
            assert_eq!(file_of(none), None, "{none}");
        }
    }

    #[test]
    fn folders_hold_what_is_below_them() {
        let here = tempfile::tempdir().expect("a folder");
        let at = |name: &str| here.path().join(name);
        assert!(lies_in(&at("data/key"), &at("data")) && lies_in(&at("data/deep/key"), &at("data")));
        assert!(!lies_in(&at("key"), &at("data")) && !lies_in(&at("database/key"), &at("data")));
        assert!(lies_in(Path::new("key"), folder_of(Path::new("tessera.db"))));
    }

    #[test]
    fn of_many_writers_one_wins_and_nothing_is_left_over() {
        let here = tempfile::tempdir().expect("a folder");
        let file = here.path().join("tessera.key");
        let outcomes: Vec<io::Result<()>> = std::thread::scope(|scope| {
            let write = |text: String, file: PathBuf| move || write_private(&file, &text);
            let writers: Vec<_> =
                (0..8).map(|n| scope.spawn(write(n.to_string().repeat(1000), file.clone()))).collect();
            writers.into_iter().map(|writer| writer.join().expect("ends")).collect()
        });
        let winners: Vec<usize> = (0..8).filter(|n| outcomes[*n].is_ok()).collect();
        assert_eq!(winners.len(), 1, "{outcomes:?}");
        let lost = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
        assert!(lost.map(io::Error::kind).all(|kind| kind == ErrorKind::AlreadyExists));
        let text = fs::read_to_string(&file).expect("the file");
        assert_eq!(text.trim(), winners[0].to_string().repeat(1000));
        assert_eq!(fs::read_dir(here.path()).expect("the folder").count(), 1);
    }
}
