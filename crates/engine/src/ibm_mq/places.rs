//! Where IBM MQ has its files: on the shared file system, and on a host.

use crate::Root;
use mqaws_contract::PathComponent;
use std::path::{Path, PathBuf};

/// The queue manager's directories on the shared file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DataDirs {
    /// `crtmqm -md`.
    pub(crate) data: PathBuf,
    /// `crtmqm -ld`.
    pub(crate) log: PathBuf,
}

impl DataDirs {
    /// The directories of one queue manager below a mount point.
    pub(super) fn new(mount: &Path, queue_manager: &str) -> Self {
        let base = mount.join(PathComponent::of_queue_manager(queue_manager));
        Self {
            data: base.join("data"),
            log: base.join("log"),
        }
    }
}

/// State that is local to the host.
pub(super) fn prefix(root: &Root) -> PathBuf {
    root.path("var/mqm")
}

/// A licence file to accept at every boot, when the image has one.
pub(super) fn licence(root: &Root) -> PathBuf {
    root.path("etc/mqaws/licence.lic")
}

/// The key repository of a queue manager: in memory, and in a directory of its own, which belongs to the engine's user.
///
/// The AMQP service wants the suffix `.p12`.
pub(super) fn key_repository(root: &Root, queue_manager: &str) -> PathBuf {
    let name = PathComponent::of_queue_manager(queue_manager);
    root.path("run/mqaws-tls").join(format!("{name}.p12"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Component;

    proptest! {
        #[test]
        fn nothing_of_a_host_is_outside_its_root(path in "[a./]{0,12}", name in "[A-Za-z0-9./_%]{1,48}") {
            let root = Root::new("/lab/i/i-1");
            let key = key_repository(&root, &name);
            for (found, folder) in [(root.path(&path), "/lab/i/i-1"), (key, "/lab/i/i-1/run/mqaws-tls")] {
                let below = found.strip_prefix(folder).expect("below");
                prop_assert!(below.components().all(|c| matches!(c, Component::Normal(_))), "{}", found.display());
            }
            let mount = Path::new("/mnt/mqaws");
            let (dirs, own) = (DataDirs::new(mount, &name), PathComponent::of_queue_manager(&name));
            prop_assert_eq!(dirs.data, mount.join(&own).join("data"));
            prop_assert_eq!(dirs.log, mount.join(&own).join("log"));
        }
    }
}
