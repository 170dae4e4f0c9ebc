//! The private directory of one build: template, scripts, variables, and what Packer writes beside them.

use super::error::ImageError;
use crate::render::packer::ProvisionFile;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A directory of mode 0700; removed with everything in it when this is dropped.
#[derive(Debug)]
pub(super) struct Workshop {
    dir: PathBuf,
}

impl Workshop {
    /// Makes the directory for a run, below the system's temporary directory.
    ///
    /// # Errors
    /// [`ImageError::Work`] when it exists or cannot be made.
    pub(super) fn make(run: &str) -> Result<Self, ImageError> {
        let dir = std::env::temp_dir().join(format!("mqaws-ami-{run}"));
        // Who exists already may be somebody else's.
        let made = DirBuilder::new().mode(0o700).create(&dir);
        made.map_err(|source| failed("make", &dir, source))?;
        let shop = Self { dir };
        for below in ["tmp", "cache", "provision"] {
            let path = shop.dir.join(below);
            fs::create_dir(&path).map_err(|source| failed("make", &path, source))?;
        }
        Ok(shop)
    }

    /// The directory.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The path of something in the directory.
    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Writes a file that only the user can read.
    ///
    /// # Errors
    /// [`ImageError::Work`].
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf, ImageError> {
        self.put(name, text, 0o600)
    }

    /// Writes what provisions, into `provision/`.
    ///
    /// # Errors
    /// [`ImageError::Work`].
    pub(super) fn provision(&self, files: &[ProvisionFile]) -> Result<PathBuf, ImageError> {
        for file in files {
            // As in the folder of the sources: Packer carries modes over to the instance.
            let mode = if file.executable { 0o755 } else { 0o644 };
            self.put(&format!("provision/{}", file.path), file.text, mode)?;
        }
        Ok(self.at("provision"))
    }

    fn put(&self, name: &str, text: &str, mode: u32) -> Result<PathBuf, ImageError> {
        let path = self.at(name);
        let write = || {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path)?;
            file.write_all(text.as_bytes())
        };
        write().map_err(|source| failed("write", &path, source))?;
        Ok(path)
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> ImageError {
    ImageError::Work {
        action,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn it_is_private_and_goes_with_everything_in_it() {
        let run = format!("test-{}", std::process::id());
        let shop = Workshop::make(&run).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(shop.dir()), 0o700);
        assert!(Workshop::make(&run).is_err(), "nobody else's directory is used");
        let script = ProvisionFile {
            path: "units/a.sh",
            text: "#!/bin/sh\n",
            executable: true,
        };
        let folder = shop.provision(&[script]).unwrap();
        assert_eq!(mode(&folder.join("units/a.sh")) & 0o700, 0o700);
        assert_eq!(mode(&shop.write("v.json", "{}").unwrap()), 0o600);
        let dir = shop.dir().to_owned();
        drop(shop);
        assert!(!dir.exists());
    }
}
