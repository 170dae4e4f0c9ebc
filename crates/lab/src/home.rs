//! Where a lab lives: its directory, who may use it, and what is in it.
//!
//! The directory is `$MQAWS_LAB_DIR`, else `$XDG_RUNTIME_DIR/mqaws`, else `mqaws-UID` in the system's temporary
//! directory; private labs get a new directory there. Mode 0700, owned by the user, never a symbolic link, nor below one of
//! another user. A directory that was there before is used as it is, or refused, and it stays.

use super::hosts::Hosts;
use super::process::{self, Process};
use super::timing::Timing;
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Name of the record that says how to reach a lab.
const RECORD: &str = "lab.json";
/// Name of the file that exists from a lab's first moment to its last: its id, the server's pid and start time.
const MARK: &str = "lab.id";
/// The user whose links are to be trusted as one's own.
const ROOT: u32 = 0;
/// Name of the empty file that tells that a lab made the directory.
const MADE: &str = "lab.made";
/// Everything else that a lab makes in its directory.
const OWN: [&str; 6] = ["i", "log", "fs", "vol", RECORD, "lab.json.new"];

/// How to reach a lab, as written to `lab.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabRecord {
    /// `mqaws.lab/1`.
    pub(crate) schema: String,
    /// Lab id.
    pub id: String,
    /// URL of the API.
    pub endpoint: String,
    /// Region.
    pub region: String,
    /// Account.
    pub account: String,
    /// Access key id of the administrator.
    pub access_key_id: String,
    /// Secret access key of the administrator.
    pub secret_access_key: String,
    /// Process id of the server.
    pub pid: i32,
    /// Start time of the server in clock ticks since boot.
    pub(crate) start_time: u64,
    /// Speed.
    pub timing: Timing,
    /// What instances are made of.
    #[serde(default)]
    pub hosts: Hosts,
    /// Directory of the lab.
    pub dir: PathBuf,
    /// What hosts have of this machine's software.
    #[serde(default)]
    pub software: Vec<Software>,
}

/// A directory of this machine that every host has as its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Software {
    /// Where a host has it, relative to its root.
    pub inside: PathBuf,
    /// Where it is on this machine; it may come later.
    pub of: PathBuf,
}

impl LabRecord {
    /// The server's process.
    pub fn server(&self) -> Process {
        Process {
            pid: self.pid,
            start_time: self.start_time,
        }
    }
}

/// Who has a lab directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabMark {
    /// Lab id.
    pub(crate) id: String,
    /// Process id of the server.
    pub(crate) pid: i32,
    /// Start time of the server in clock ticks since boot.
    pub(crate) start_time: u64,
}

impl LabMark {
    /// The server's process.
    pub fn server(&self) -> Process {
        Process {
            pid: self.pid,
            start_time: self.start_time,
        }
    }
}

/// Why a lab directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// It is relative.
    #[error("lab directory `{}` is not an absolute path", .0.display())]
    Relative(PathBuf),
    /// It belongs to somebody else, or is no directory.
    #[error("`{}` must be a directory that only you own, and not a symbolic link", .0.display())]
    NotOwn(PathBuf),
    /// Others may look into it, or write.
    #[error("`{}` has mode {mode:04o}, but 0700 is required", .dir.display())]
    Mode {
        /// The directory.
        dir: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It holds other things.
    #[error("`{}` is not empty and does not belong to a lab", .0.display())]
    NotEmpty(PathBuf),
    /// The file system refused.
    #[error("cannot use lab directory `{}`", .0.display())]
    Io(PathBuf, #[source] io::Error),
}

/// The directory of this user's shared lab; it need not exist.
pub fn shared_dir() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    choose(
        set("MQAWS_LAB_DIR"),
        set("XDG_RUNTIME_DIR"),
        std::env::temp_dir(),
        rustix::process::geteuid().as_raw(),
    )
}

fn choose(own: Option<PathBuf>, runtime: Option<PathBuf>, temporary: PathBuf, user: u32) -> PathBuf {
    let dir = match (own, runtime) {
        (Some(dir), _) => dir,
        (None, Some(dir)) => dir.join("mqaws"),
        (None, None) => temporary.join(format!("mqaws-{user}")),
    };
    plain(&dir)
}

/// The path without a slash or a dot at its end, with which the kernel would follow a symbolic link.
fn plain(dir: &Path) -> PathBuf {
    dir.components().collect()
}

/// A new directory name for a private lab.
pub(crate) fn private_dir() -> PathBuf {
    std::env::temp_dir().join(format!("mqaws-lab-{}", super::ids::hex(8)))
}

/// Directories of private labs of this user, running or left behind.
pub(crate) fn private_dirs() -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|e| e.file_name().to_string_lossy().starts_with("mqaws-lab-"))
        .map(|e| e.path())
        .filter(|path| is_own(path) && read_mark(path).is_some())
        .collect()
}

fn is_own(path: &Path) -> bool {
    fs::symlink_metadata(plain(path)).is_ok_and(|m| m.is_dir() && m.uid() == rustix::process::geteuid().as_raw())
}

/// A symbolic link on the way to the directory that another user can turn elsewhere.
fn link_of_another(dir: &Path) -> Option<PathBuf> {
    let user = rustix::process::geteuid().as_raw();
    let foreign =
        |path: &Path| fs::symlink_metadata(path).is_ok_and(|m| m.is_symlink() && m.uid() != user && m.uid() != ROOT);
    let mut above = dir.ancestors().skip(1).filter(|path| path.parent().is_some());
    above.find(|path| foreign(path)).map(Path::to_owned)
}

/// Makes the directory, or checks one that exists, and the way to it.
///
/// # Errors
/// Every variant of [`HomeError`].
pub(crate) fn prepare(dir: &Path) -> Result<(), HomeError> {
    match link_of_another(&plain(dir)) {
        Some(link) => Err(HomeError::NotOwn(link)),
        None => make(dir),
    }
}

/// Makes the directory, or checks one that exists: own, mode 0700, empty or used by a lab.
///
/// # Errors
/// Every variant of [`HomeError`].
pub(crate) fn make(dir: &Path) -> Result<(), HomeError> {
    let dir = &plain(dir);
    if !dir.is_absolute() {
        return Err(HomeError::Relative(dir.to_owned()));
    }
    let io = |e| HomeError::Io(dir.to_owned(), e);
    if let Some(parent) = dir.parent() {
        fs::create_dir_all(parent).map_err(io)?;
    }
    match DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => return fs::write(dir.join(MADE), "").map_err(io),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        Err(e) => return Err(io(e)),
    }
    if !is_own(dir) {
        return Err(HomeError::NotOwn(dir.to_owned()));
    }
    let mode = fs::metadata(dir).map_err(io)?.permissions().mode() & 0o7777;
    if mode != 0o700 {
        return Err(HomeError::Mode {
            dir: dir.to_owned(),
            mode,
        });
    }
    let foreign = fs::read_dir(dir).map_err(io)?.flatten().any(|e| {
        let name = e.file_name();
        !OWN.contains(&name.to_string_lossy().as_ref()) && name != MARK && name != MADE
    });
    if foreign {
        return Err(HomeError::NotEmpty(dir.to_owned()));
    }
    Ok(())
}

/// Takes the directory for a lab.
///
/// # Errors
/// [`HomeError::Io`] with `AlreadyExists` when another lab has it.
pub(crate) fn take(dir: &Path, id: &str) -> Result<(), HomeError> {
    let io = |e| HomeError::Io(dir.to_owned(), e);
    let pid = i32::try_from(std::process::id()).unwrap_or_default();
    let mark = LabMark {
        id: id.to_owned(),
        pid,
        start_time: process::start_time(pid).unwrap_or_default(),
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(dir.join(MARK))
        .map_err(io)?;
    let text = serde_json::to_string(&mark).map_err(|e| io(e.into()))?;
    file.write_all(text.as_bytes()).map_err(io)
}

/// Who has a directory; none when nobody has.
pub fn read_mark(dir: &Path) -> Option<LabMark> {
    serde_json::from_slice(&fs::read(dir.join(MARK)).ok()?).ok()
}

/// Writes `lab.json`, all at once.
///
/// # Errors
/// [`HomeError::Io`].
pub(crate) fn write_record(record: &LabRecord) -> Result<(), HomeError> {
    let io = |e| HomeError::Io(record.dir.clone(), e);
    let (new, last) = (record.dir.join("lab.json.new"), record.dir.join(RECORD));
    let text = serde_json::to_string_pretty(record).map_err(|e| io(e.into()))?;
    let _ = fs::remove_file(&new);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)
        .map_err(io)?;
    file.write_all(text.as_bytes()).map_err(io)?;
    fs::rename(&new, &last).map_err(io)
}

/// The record of a lab whose server runs; none otherwise.
pub fn read_record(dir: &Path) -> Option<LabRecord> {
    let record: LabRecord = serde_json::from_slice(&fs::read(dir.join(RECORD)).ok()?).ok()?;
    (is_own(dir) && process::is_alive(record.server())).then_some(record)
}

/// Path of the server's log.
pub(crate) fn server_log(dir: &Path) -> PathBuf {
    dir.join("log").join("server.log")
}

/// Ids of the file systems whose data is in the directory.
pub fn file_systems(dir: &Path) -> Vec<String> {
    ids(&dir.join("fs"), "fs-")
}

/// Ids of the volumes whose data is in the directory.
pub fn volumes(dir: &Path) -> Vec<String> {
    ids(&dir.join("vol"), "vol-")
}

fn ids(within: &Path, prefix: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(within)
        .map(|entries| {
            entries
                .flatten()
                .map(|e| e.file_name().to_string_lossy().into_owned())
                .collect()
        })
        .unwrap_or_default();
    names.retain(|name| name.starts_with(prefix));
    names.sort();
    names
}

/// Removes what that very lab made; false, and nothing removed, when another one has the directory by now, or nobody.
///
/// # Errors
/// As [`remove`].
pub(crate) fn remove_of(dir: &Path, mark: &LabMark) -> Result<bool, HomeError> {
    let io = |e| HomeError::Io(dir.to_owned(), e);
    let held = match fs::File::open(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened.map_err(io)?,
    };
    // Whoever else clears it at this moment has to look at the mark again afterwards.
    held.lock().map_err(io)?;
    match read_mark(dir) {
        Some(now) if now == *mark => remove(dir).map(|()| true),
        _ => Ok(false),
    }
}

/// Removes what a lab made, and the directory when the lab made it and nothing else is in it.
///
/// # Errors
/// [`HomeError::Io`] with the first thing that could not be removed.
pub(crate) fn remove(dir: &Path) -> Result<(), HomeError> {
    if !is_own(dir) {
        return Ok(());
    }
    // The mark goes last: while it is there, somebody can still find what is left.
    for name in OWN.iter().chain([&MARK]) {
        let path = dir.join(name);
        let removed = match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => fs::remove_dir_all(&path),
            Ok(_) => fs::remove_file(&path),
            Err(e) => Err(e),
        };
        match removed {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(HomeError::Io(path, e)),
            _ => {}
        }
    }
    // Only what was made goes, and only if nobody has put something into it.
    let left: Vec<_> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.file_name())
        .collect();
    if left != [MADE] {
        return Ok(());
    }
    let _ = fs::remove_file(dir.join(MADE));
    match fs::remove_dir(dir) {
        Err(e) if !matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => {
            Err(HomeError::Io(dir.to_owned(), e))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_follows_the_documented_order() {
        let path = |p: &str| Some(PathBuf::from(p));
        let tmp = || PathBuf::from("/tmp");
        assert_eq!(choose(path("/a"), path("/run/user/7"), tmp(), 7), Path::new("/a"));
        assert_eq!(
            choose(None, path("/run/user/7"), tmp(), 7),
            Path::new("/run/user/7/mqaws")
        );
        assert_eq!(choose(None, None, tmp(), 7), Path::new("/tmp/mqaws-7"));
        // A slash at its end would follow a symbolic link.
        let plain = choose(path("/a/./b//"), None, tmp(), 7);
        assert_eq!(plain.as_os_str(), "/a/b");
    }

    #[test]
    fn a_directory_is_made_taken_once_and_removed_without_foreign_files() {
        let parent = tempfile::Builder::new()
            .prefix("h")
            .tempdir_in("/tmp")
            .expect("a directory");
        let dir = parent.path().join("lab");
        prepare(&dir).expect("made");
        assert_eq!(
            fs::metadata(&dir).expect("it exists").permissions().mode() & 0o777,
            0o700
        );
        take(&dir, "one").expect("taken");
        assert!(matches!(take(&dir, "two"), Err(HomeError::Io(_, e)) if e.kind() == io::ErrorKind::AlreadyExists));
        assert_eq!(read_mark(&dir).expect("marked").id, "one");
        fs::create_dir_all(dir.join("fs/fs-1")).expect("a file system");
        assert_eq!(file_systems(&dir), ["fs-1"]);
        prepare(&dir).expect("its own things are no reason to refuse");
        fs::write(dir.join("thesis.txt"), "precious").expect("a foreign file");
        assert!(matches!(prepare(&dir), Err(HomeError::NotEmpty(_))));
        remove(&dir).expect("removed");
        assert!(dir.join("thesis.txt").exists() && !dir.join(MARK).exists());
    }

    #[test]
    fn a_directory_that_was_there_is_used_as_it_is_and_stays() {
        let parent = tempfile::Builder::new()
            .prefix("h")
            .tempdir_in("/tmp")
            .expect("a directory");
        let dir = parent.path().join("lab");
        let mode = || fs::metadata(&dir).expect("it stays").permissions().mode() & 0o7777;
        DirBuilder::new().mode(0o755).create(&dir).expect("made by its user");
        assert!(matches!(prepare(&dir), Err(HomeError::Mode { mode: 0o755, .. })));
        assert_eq!(mode(), 0o755);
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).expect("its mode");
        prepare(&dir).expect("as it should be");
        take(&dir, "one").expect("taken");
        remove(&dir).expect("removed");
        assert_eq!((mode(), fs::read_dir(&dir).expect("it stays").count()), (0o700, 0));
    }

    #[test]
    fn what_another_lab_has_by_now_is_not_removed() {
        let parent = tempfile::Builder::new()
            .prefix("h")
            .tempdir_in("/tmp")
            .expect("a directory");
        let dir = parent.path().join("lab");
        prepare(&dir).expect("made");
        take(&dir, "one").expect("taken");
        let one = read_mark(&dir).expect("marked");
        fs::remove_file(dir.join(MARK)).expect("cleared by another");
        assert!(!remove_of(&dir, &one).expect("nothing to do"));
        take(&dir, "two").expect("taken");
        fs::create_dir_all(dir.join("fs/fs-2")).expect("a file system");
        assert!(!remove_of(&dir, &one).expect("nothing to do"));
        assert_eq!(file_systems(&dir), ["fs-2"]);
        let two = read_mark(&dir).expect("marked");
        assert!(remove_of(&dir, &two).expect("removed") && !dir.exists());
        assert!(!remove_of(&dir, &two).expect("gone already"));
    }

    #[test]
    fn directories_of_others_and_links_are_refused() {
        let parent = tempfile::Builder::new()
            .prefix("h")
            .tempdir_in("/tmp")
            .expect("a directory");
        let link = parent.path().join("link");
        std::os::unix::fs::symlink(parent.path(), &link).expect("a link");
        for end in ["", "/", "/."] {
            let way = PathBuf::from(format!("{}{end}", link.display()));
            assert!(matches!(prepare(&way), Err(HomeError::NotOwn(_))), "{}", way.display());
        }
        // One's own link on the way is one's own business.
        prepare(&link.join("below")).expect("made");
        assert!(matches!(prepare(Path::new("relative")), Err(HomeError::Relative(_))));
    }
}
