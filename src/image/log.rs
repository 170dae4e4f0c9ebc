//! The full log of a build: every line of Packer as people read it, with the time.

use super::error::ImageError;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A file that only the user can read, and that never replaces another.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// Begins a log.
    ///
    /// # Errors
    /// [`ImageError::Work`] when the file exists or cannot be made.
    pub fn begin(path: &Path) -> Result<Self, ImageError> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path);
        match file {
            Ok(file) => Ok(Self { path, file }),
            Err(source) => Err(ImageError::Work {
                action: "begin the log",
                path,
                source,
            }),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a text, each of its lines with the time. A log that cannot be written ends no build.
    pub fn add(&mut self, text: &str) {
        let now = jiff::Timestamp::now().strftime("%H:%M:%SZ").to_string();
        let lines: String = text
            .lines()
            .map(|line| format!("{now} {}\n", line.trim_end()))
            .collect();
        let _ = self.file.write_all(lines.as_bytes());
    }
}
