//! Where lock and owner record of a queue manager are.

use crate::model::PathComponent;
use std::io;
use std::path::{Path, PathBuf};

/// Holds a folder for each queue manager, beside the folders of their data.
const FOLDERS: &str = ".mqaws";

/// The folder of a queue manager's lock and owner record, below a mount point.
///
/// It has the queue manager's own name where that is the name of a file, and else the name of its directory
/// ([`PathComponent::of_queue_manager`]), which no queue manager has for a name: so no two share a folder. The former is what
/// every version before took, whose agents may live and hold the lock in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    mount: PathBuf,
    own: PathComponent,
    /// What versions before took for a name with `/` in it: a folder in a folder.
    before: Option<PathBuf>,
}

impl Folder {
    /// The folder of a queue manager below a mount point; looks at nothing.
    pub fn new(mount: &Path, queue_manager: &str) -> Self {
        let (own, before) = match PathComponent::new(queue_manager) {
            Ok(own) => (own, None),
            Err(_) => {
                let parts: Result<PathBuf, _> = queue_manager.split('/').map(PathComponent::new).collect();
                (PathComponent::of_queue_manager(queue_manager), parts.ok())
            }
        };
        Self {
            mount: mount.to_owned(),
            own,
            before,
        }
    }

    /// The mount point.
    pub fn mount(&self) -> &Path {
        &self.mount
    }

    /// The folder, relative to the mount point.
    ///
    /// For a name with `/` in it that looks at the file system: what a version before has begun is gone on with.
    ///
    /// # Errors
    /// When it cannot be looked at: then nobody knows which folder it is.
    pub fn below_mount(&self) -> io::Result<PathBuf> {
        let own = Path::new(FOLDERS).join(&self.own);
        let Some(before) = &self.before else { return Ok(own) };
        let before = Path::new(FOLDERS).join(before);
        Ok(match self.has(&own)? || !self.has(&before)? {
            true => own,
            false => before,
        })
    }

    fn has(&self, below: &Path) -> io::Result<bool> {
        match std::fs::symlink_metadata(self.mount.join(below)) {
            Ok(found) => Ok(found.is_dir()),
            // A file of another queue manager where this one would have had a folder.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The folder.
    ///
    /// # Errors
    /// As [`Folder::below_mount`].
    pub fn path(&self) -> io::Result<PathBuf> {
        Ok(self.mount.join(self.below_mount()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Component;

    fn path(name: &str) -> PathBuf {
        // Nothing is there, so that nothing of a version before is found.
        Folder::new(Path::new("/nowhere/mount"), name).path().expect("a path")
    }

    #[test]
    fn folders_by_name() {
        for (name, folder) in [
            ("QM1", "QM1"),
            ("DEV.MGR", "DEV.MGR"),
            ("...", "..."),
            (".mqaws", ".mqaws"),
            (".", "!"),
            ("..", "!!"),
            ("/ABS", "&ABS"),
            ("../../x", "!!&!!&x"),
            ("ORDERS/EU", "ORDERS&EU"),
        ] {
            assert_eq!(path(name), Path::new("/nowhere/mount/.mqaws").join(folder), "{name}");
        }
    }

    #[test]
    fn what_a_version_before_has_begun_below_a_folder_is_gone_on_with() {
        let dir = tempfile::tempdir().expect("tempdir");
        let folder = |name: &str| Folder::new(dir.path(), name).below_mount().expect("a path");
        let make = |below: &str| std::fs::create_dir_all(dir.path().join(below)).expect("directory");
        make(".mqaws/ORDERS/EU");
        assert_eq!(folder("ORDERS/EU"), Path::new(".mqaws/ORDERS/EU"));
        assert_eq!(folder("ORDERS/US"), Path::new(".mqaws/ORDERS&US"));
        // Begun by this version, and then an agent of the one before has looked.
        make(".mqaws/A&B");
        make(".mqaws/A/B");
        assert_eq!(folder("A/B"), Path::new(".mqaws/A&B"));
        // The lock of a queue manager Q is no folder of Q/lock.
        make(".mqaws/Q");
        std::fs::write(dir.path().join(".mqaws/Q/lock"), "").expect("lock");
        assert_eq!(folder("Q/lock"), Path::new(".mqaws/Q&lock"));
        assert_eq!(folder("Q/lock/x"), Path::new(".mqaws/Q&lock&x"));
        for name in ["ORDERS/../x", "ORDERS/./EU", "/ORDERS/EU", "ORDERS//EU", "ORDERS/EU/"] {
            make(".mqaws/x");
            assert_eq!(folder(name).components().count(), 2, "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_name_leaves_the_mount_or_shares_a_folder(
            one in "[A-Za-z0-9./_%]{1,48}", other in "[A-Za-z0-9./_%]{1,48}", small in "[./aA]{1,4}", few in "[./aA]{1,4}"
        ) {
            for (one, other) in [(&one, &other), (&small, &few)] {
                let folder = path(one);
                let below = folder.strip_prefix("/nowhere/mount/.mqaws").expect("below");
                prop_assert!(matches!(below.components().collect::<Vec<_>>().as_slice(), [Component::Normal(_)]));
                prop_assert_eq!(folder == path(other), one == other);
            }
        }
    }
}
