//! Files that a verb writes for the user: each appears whole or not at all, and several only when all of them could be written.

use super::CliError;
use super::suggestions::quoted;
use mqaws_files::{AtomicWrite, PendingFile};
use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// A file to be written.
#[derive(Debug)]
pub(super) struct NewFile<'a> {
    /// Where it goes.
    pub path: PathBuf,
    /// What it says.
    pub content: &'a [u8],
    /// Its mode; without one, that of the file that it replaces, or of any new file.
    pub mode: Option<u32>,
    /// Whether it takes the place of a file that is there.
    pub replaces: bool,
}

/// Writes one file into a folder that exists.
///
/// # Errors
/// [`CliError::Write`].
pub(super) fn write(file: NewFile<'_>) -> Result<(), CliError> {
    place(&[file], &mut Vec::new()).map_err(|(path, source)| CliError::Write {
        path,
        source,
        written: Vec::new(),
    })
}

/// Writes all of them into a folder, which is made unless it is there, and so are the folders in it.
///
/// # Errors
/// [`CliError::Precondition`] where the folder would be made in one that does not exist; [`CliError::Write`], which knows the files that
/// are in their places all the same.
pub(super) fn write_into(folder: &Path, files: &[NewFile<'_>]) -> Result<(), CliError> {
    require_folder_of(folder)?;
    let mut folders = Vec::new();
    let mut written = Vec::new();
    let made = files.iter().try_for_each(|file| {
        let made = make_folder(&file.path, &mut folders);
        made.map_err(|error| (file.path.clone(), error))
    });
    made.and_then(|()| place(files, &mut written))
        .map_err(|(path, source)| {
            // Those that hold a file stay.
            for folder in folders.iter().rev() {
                let _ = fs::remove_dir(folder);
            }
            CliError::Write { path, source, written }
        })
}

/// Refuses a path in a folder that does not exist: most often it is misspelled, and its files would go where nobody looks for them.
///
/// # Errors
/// [`CliError::Precondition`].
pub(super) fn require_folder_of(path: &Path) -> Result<(), CliError> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    match folder {
        Some(folder) if !folder.exists() => Err(CliError::Precondition {
            message: format!(
                "cannot write `{}`: folder `{}` does not exist",
                path.display(),
                folder.display()
            ),
            hint: Some(format!(
                "create it with `mkdir -p {}`, or specify a different path",
                quoted(&folder.to_string_lossy())
            )),
        }),
        _ => Ok(()),
    }
}

/// Begins to write a file that is to be written later; the file itself stays as it is.
///
/// # Errors
/// [`CliError::Precondition`] where its folder does not exist, [`CliError::Write`].
pub(super) fn try_out(path: &Path) -> Result<(), CliError> {
    require_folder_of(path)?;
    let file = NewFile {
        path: path.to_owned(),
        content: b"-",
        mode: None,
        replaces: true,
    };
    begin(&file).map(drop).map_err(|source| CliError::Write {
        path: path.to_owned(),
        source,
        written: Vec::new(),
    })
}

type Failed = (PathBuf, io::Error);

fn place(files: &[NewFile<'_>], written: &mut Vec<PathBuf>) -> Result<(), Failed> {
    let mut pending = Vec::new();
    for file in files {
        let begun = begin(file).map_err(|error| (file.path.clone(), error))?;
        pending.push((file, begun));
    }
    for (file, pending) in pending {
        pending.commit().map_err(|error| (file.path.clone(), error))?;
        written.push(file.path.clone());
    }
    Ok(())
}

/// Makes the folders above a file, and remembers those that it made.
pub(super) fn make_folder(file: &Path, made: &mut Vec<PathBuf>) -> io::Result<()> {
    let above = file.ancestors().skip(1).filter(|folder| *folder != Path::new(""));
    let missing: Vec<&Path> = above.take_while(|folder| !folder.exists()).collect();
    for folder in missing.into_iter().rev() {
        match fs::create_dir(folder) {
            Ok(()) => made.push(folder.to_owned()),
            // Made by somebody else at this moment.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn begin(file: &NewFile<'_>) -> io::Result<PendingFile> {
    // Behind a link, the file itself is replaced, and the link stays.
    let path = match file.replaces {
        true => file.path.canonicalize().unwrap_or_else(|_| file.path.clone()),
        false => file.path.clone(),
    };
    let there = fs::metadata(&path).ok().filter(|_| file.replaces);
    if there.as_ref().is_some_and(|there| !there.is_file()) {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut writing = AtomicWrite::to(&path);
    if !file.replaces {
        writing = writing.fresh();
    }
    if let Some(mode) = file.mode {
        writing = writing.mode(mode);
    }
    let mut pending = writing.durable().begin()?;
    pending.write_all(file.content)?;
    if let (None, Some(there)) = (file.mode, there) {
        let mode = there.permissions().mode() & 0o7777;
        fs::set_permissions(pending.path(), Permissions::from_mode(mode))?;
    }
    Ok(pending)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remedy::{NOTHING, Remedy};

    fn file(path: PathBuf, replaces: bool) -> NewFile<'static> {
        NewFile {
            path,
            content: b"new",
            mode: None,
            replaces,
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn one_that_cannot_be_written_leaves_none_and_no_folder() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("taken")).unwrap();
        let files = [
            file(dir.path().join("a/b/one"), false),
            file(dir.path().join("taken"), true),
        ];
        let error = write_into(dir.path(), &files).unwrap_err();
        assert_eq!(error.left().as_deref(), Some(NOTHING));
        assert!(error.to_string().contains("taken"), "{error}");
        assert_eq!(names(dir.path()), ["taken"]);
    }

    #[test]
    fn a_folder_that_does_not_exist_is_named_and_not_made() {
        let dir = tempfile::tempdir().unwrap();
        for refused in [
            try_out(&dir.path().join("no where/x")),
            write_into(
                &dir.path().join("no where/x"),
                &[file(dir.path().join("no where/x/y"), false)],
            ),
        ] {
            let error = refused.unwrap_err();
            assert!(error.to_string().contains("no where` does not exist"), "{error}");
            let hint = error.hint().unwrap();
            assert!(hint.contains("mkdir -p '") && hint.contains("no where'`"), "{hint}");
            assert_eq!(error.left().as_deref(), Some(NOTHING));
        }
        assert_eq!(names(dir.path()), Vec::<String>::new());
        // A folder that is named for the output itself is made.
        write_into(&dir.path().join("new"), &[file(dir.path().join("new/below/y"), false)]).unwrap();
        assert_eq!(names(dir.path()), ["new"]);
    }

    #[test]
    fn what_is_in_its_place_is_told() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("two"), "old").unwrap();
        let files = [file(dir.path().join("one"), false), file(dir.path().join("two"), false)];
        let error = write_into(dir.path(), &files).unwrap_err();
        let left = error.left().unwrap();
        assert!(left.contains("one") && !left.contains("two"), "{left}");
        assert_eq!(names(dir.path()), ["one", "two"]);
        assert_eq!(fs::read(dir.path().join("two")).unwrap(), b"old");
    }

    #[test]
    fn a_replaced_file_keeps_its_mode_and_the_link_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        write(file(link.clone(), true)).unwrap();
        assert_eq!(fs::read(&real).unwrap(), b"new");
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(link.is_symlink());
    }
}
