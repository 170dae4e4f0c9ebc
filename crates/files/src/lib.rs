//! Files that a reader sees whole or not at all.
//!
//! [`AtomicWrite`] says how a file is to be written: its mode, its owner, whether it must outlast a crash of the host. The content goes into a
//! file of another name in the same folder, which then takes the place of the old one. Until then the old one is there; what fails leaves
//! nothing behind. Several writers at once do not disturb each other: each has a file of its own, and the last one wins.
//!
//! [`read_text`] reads what a user names, within bounds. [`SocketPath`] is the way to a Unix socket whose path is long.

use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

mod socket;
mod text;

pub use socket::SocketPath;
pub use text::{TextError, open_regular, read_text, read_text_from};

/// How a file is written.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct AtomicWrite<'a> {
    path: &'a Path,
    mode: Option<u32>,
    owner: Option<(u32, u32)>,
    durable: bool,
    fresh: bool,
}

impl<'a> AtomicWrite<'a> {
    /// Writes the file at this path, whose folder exists, with the mode and the owner that any new file of this process has.
    pub fn to(path: &'a Path) -> Self {
        Self {
            path,
            mode: None,
            owner: None,
            durable: false,
            fresh: false,
        }
    }

    /// Gives the file exactly this mode, whatever the process masks.
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Gives the file to this user and group, if there are any.
    pub fn owner(mut self, owner: Option<(u32, u32)>) -> Self {
        self.owner = owner;
        self
    }

    /// Waits until the file and its name are on the disk.
    pub fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// Replaces no file that is there, even one that appeared meanwhile.
    pub fn fresh(mut self) -> Self {
        self.fresh = true;
        self
    }

    /// Writes the file.
    ///
    /// # Errors
    /// When it cannot be written; the one of before is then still there, unless it was only the folder that could not be synchronised.
    pub fn write(self, content: &[u8]) -> io::Result<()> {
        let mut file = self.begin()?;
        file.write_all(content)?;
        file.commit()
    }

    /// Begins a file that is not yet in its place, to be written in parts or looked at before.
    ///
    /// # Errors
    /// When it cannot be created or given to its owner.
    pub fn begin(self) -> io::Result<PendingFile> {
        let mut prefix = OsString::from(".");
        prefix.push(self.path.file_name().unwrap_or_default());
        prefix.push(".");
        let file = tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(".new")
            .permissions(Permissions::from_mode(self.mode.unwrap_or(0o666)))
            .tempfile_in(folder(self.path))
            .map_err(without_name)?;
        if let Some((user, group)) = self.owner {
            fchown(file.as_file(), Some(user), Some(group))?;
        }
        if let Some(mode) = self.mode {
            file.as_file().set_permissions(Permissions::from_mode(mode))?;
        }
        Ok(PendingFile {
            file,
            place: self.path.to_owned(),
            durable: self.durable,
            fresh: self.fresh,
        })
    }
}

/// The error alone, without the path of the file that was to become another: only that one's name says something to who asked.
fn without_name(error: io::Error) -> io::Error {
    let text = error.to_string();
    match text.split_once(" at path ") {
        Some((alone, _)) => io::Error::new(error.kind(), alone.to_owned()),
        None => error,
    }
}

/// A file that is not yet in its place, and is removed unless it comes there.
#[derive(Debug)]
#[must_use]
pub struct PendingFile {
    file: NamedTempFile,
    place: PathBuf,
    durable: bool,
    fresh: bool,
}

impl PendingFile {
    /// Where it is until it is in its place.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Puts it in its place.
    ///
    /// # Errors
    /// When it cannot be: see [`AtomicWrite::write`].
    pub fn commit(self) -> io::Result<()> {
        if self.durable {
            self.file.as_file().sync_all()?;
        }
        match self.fresh {
            true => self.file.persist_noclobber(&self.place)?,
            false => self.file.persist(&self.place)?,
        };
        match self.durable {
            true => File::open(folder(&self.place))?.sync_all(),
            false => Ok(()),
        }
    }
}

impl Write for PendingFile {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.file.as_file_mut().write(part)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_file_mut().flush()
    }
}

/// The folder of a file; a name alone is one of the current folder.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests;
