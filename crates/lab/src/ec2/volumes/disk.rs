//! The folder behind a volume; see the module for what a host does with it.

use crate::api::{ApiError, Site};
use crate::ec2::with_cause;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Where a host has its volumes, below its root.
const BY_ID: &str = "dev/disk/by-id";
/// What a name there begins with.
const MODEL: &str = "nvme-Amazon_Elastic_Block_Store_";
const GIB: u64 = 1 << 30;

/// The disk of one volume.
pub(super) struct Disk<'a> {
    site: &'a Site,
    id: &'a str,
}

fn failed(what: &str, error: &io::Error) -> ApiError {
    ApiError::new("InternalError", format!("{what}: {}", with_cause(error))).status(500)
}

/// Absence is what was wanted.
fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

impl<'a> Disk<'a> {
    pub(super) fn of(site: &'a Site, id: &'a str) -> Self {
        Self { site, id }
    }

    fn folder(&self) -> PathBuf {
        self.site.dir.join("vol").join(self.id)
    }

    fn link(&self, instance: &str) -> PathBuf {
        let root = self.site.dir.join("i").join(instance);
        let serial = self.id.replace('-', "");
        root.join(BY_ID).join(format!("{MODEL}{serial}"))
    }

    /// Makes a blank one.
    pub(super) fn create(&self, gib: i64) -> Result<(), ApiError> {
        let made = fs::create_dir_all(self.folder().join("data")).and_then(|()| self.resize(gib));
        made.map_err(|e| failed("the volume could not be created", &e))
    }

    /// Makes it as large as the volume; what is there stays.
    pub(super) fn grow(&self, gib: i64) -> Result<(), ApiError> {
        self.resize(gib)
            .map_err(|e| failed("the volume could not be modified", &e))
    }

    fn resize(&self, gib: i64) -> io::Result<()> {
        let device = File::options()
            .create(true)
            .append(true)
            .open(self.folder().join("device"))?;
        device.set_len(u64::try_from(gib).unwrap_or_default() * GIB)
    }

    /// Removes it with everything on it.
    pub(super) fn remove(&self) -> io::Result<()> {
        gone(fs::remove_dir_all(self.folder()))
    }

    /// Lets an instance see it.
    pub(super) fn plug(&self, instance: &str) -> io::Result<()> {
        let link = self.link(instance);
        if let Some(parent) = link.parent() {
            fs::create_dir_all(parent)?;
        }
        match symlink(self.folder(), link) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
            _ => Ok(()),
        }
    }

    /// Hides it from an instance.
    pub(super) fn unplug(&self, instance: &str) -> io::Result<()> {
        gone(fs::remove_file(self.link(instance)))
    }

    fn mark(&self) -> PathBuf {
        self.folder().join("mounted")
    }

    /// Whether the host says that it has it mounted.
    pub(super) fn is_mounted(&self) -> bool {
        Path::exists(&self.mark())
    }

    /// Forgets that a host that is gone had it mounted.
    pub(super) fn forget_mount(&self) -> io::Result<()> {
        gone(fs::remove_file(self.mark()))
    }
}
