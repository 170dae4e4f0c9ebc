//! The root directory of a host.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

/// The root directory that all paths of a host are below: `/` on a real host, a directory of its own in the lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root(PathBuf);

impl Root {
    /// The root at this directory.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// The directory itself.
    pub fn as_path(&self) -> &Path {
        &self.0
    }

    /// A path of the host: absolute ones are taken relative to the root, and `..` leads no further up than to it.
    pub fn path(&self, path: &str) -> PathBuf {
        let mut below: Vec<&OsStr> = Vec::new();
        for component in Path::new(path).components() {
            match component {
                Component::Normal(name) => below.push(name),
                Component::ParentDir => drop(below.pop()),
                Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            }
        }
        below.into_iter().fold(self.0.clone(), |path, name| path.join(name))
    }
}
