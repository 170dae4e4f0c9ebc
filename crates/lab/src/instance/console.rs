//! The console of an instance: a log file that outlives it.

use crate::api::Site;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// How much of a console EC2 keeps, in bytes.
const KEPT: usize = 64 * 1024;

/// What an instance has printed.
#[derive(Debug, Clone)]
pub struct Console(PathBuf);

impl Console {
    /// The console of an instance, in the lab's `log` directory.
    pub(super) fn of(site: &Site, instance: &str) -> Self {
        Self(site.dir.join("log").join(format!("{instance}.console")))
    }

    /// Path of the log file.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What is on the console so far, at most its last 64 KiB, as EC2 keeps it.
    pub(crate) fn text(&self) -> String {
        let bytes = fs::read(&self.0).unwrap_or_default();
        let tail = &bytes[bytes.len().saturating_sub(KEPT)..];
        String::from_utf8_lossy(tail).into_owned()
    }

    /// Writes one line.
    pub(crate) fn print(&self, line: &str) {
        if let Ok(mut log) = self.open() {
            // A console that cannot be written must not stop an instance.
            let _ = writeln!(log, "{} {line}", jiff::Timestamp::now());
        }
    }

    /// The log file, for a process to write to.
    pub(super) fn open(&self) -> io::Result<File> {
        if let Some(parent) = self.0.parent() {
            fs::create_dir_all(parent)?;
        }
        OpenOptions::new().create(true).append(true).mode(0o600).open(&self.0)
    }
}
