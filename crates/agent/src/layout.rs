//! Where things are on a host: everything is below one root, `/` on a real host.

use crate::model::PathComponent;
use crate::model::agent::AgentConfig;
use std::path::{Component, Path, PathBuf};

/// Paths of the agent on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout below `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The root itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path of the host: absolute ones are taken relative to the root, and `..` leads no further up than to it.
    pub fn host(&self, path: &str) -> PathBuf {
        let mut below: Vec<&std::ffi::OsStr> = Vec::new();
        for component in Path::new(path).components() {
            match component {
                Component::Normal(name) => below.push(name),
                Component::ParentDir => drop(below.pop()),
                Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            }
        }
        below.into_iter().fold(self.root.clone(), |path, name| path.join(name))
    }

    /// The agent's configuration.
    pub fn config(&self) -> PathBuf {
        self.host("etc/mqaws/agent.json")
    }

    /// Directory of sockets, status and flags; lost at a reboot.
    pub fn run(&self) -> PathBuf {
        self.host("run/mqaws")
    }

    /// The keeper's socket; at most 107 bytes.
    pub fn keeper_socket(&self) -> PathBuf {
        self.run().join("keeper.sock")
    }

    /// What the keeper's unit starts it with.
    pub fn keeper_config(&self) -> PathBuf {
        self.run().join("keeper.json")
    }

    /// Locked by the one agent of this host for as long as it lives; holds its process id.
    pub fn agent_lock(&self) -> PathBuf {
        self.run().join("agent.lock")
    }

    /// The agent's last status.
    pub fn status(&self) -> PathBuf {
        self.run().join("status.json")
    }

    /// Exists while a person wants the agent to keep its hands off.
    pub fn pause(&self) -> PathBuf {
        self.run().join("pause")
    }

    /// A person's decision about a previous owner, until the agent has taken it.
    pub fn decision(&self) -> PathBuf {
        self.run().join("fence-decision.json")
    }

    /// Process ids whose death a fault has ordered, one a line.
    pub fn ordered_deaths(&self) -> PathBuf {
        self.run().join("ordered-deaths")
    }

    /// The phase marks, one JSON a line.
    pub fn marks(&self) -> PathBuf {
        self.host("var/lib/mqaws/marks.jsonl")
    }

    /// The engine's state that is local to the host.
    pub fn engine_prefix(&self) -> PathBuf {
        self.host("var/mqm")
    }

    /// A licence file to accept at every boot, when the image has one.
    pub fn licence(&self) -> PathBuf {
        self.host("etc/mqaws/licence.lic")
    }

    /// The key repository of a queue manager: in memory, and in a directory of its own, which belongs to the engine's user.
    ///
    /// IBM MQ's AMQP service wants the suffix `.p12`.
    pub fn key_repository(&self, queue_manager: &str) -> PathBuf {
        let name = PathComponent::of_queue_manager(queue_manager);
        self.host("run/mqaws-tls").join(format!("{name}.p12"))
    }

    /// The user's own definitions, when there are any.
    pub fn definitions(&self) -> PathBuf {
        self.host("etc/mqaws/definitions.mqsc")
    }

    /// The mount point of the shared file system.
    pub fn mount(&self, config: &AgentConfig) -> PathBuf {
        self.host(&config.storage.mount)
    }

    /// Directory of the engine's commands.
    pub fn engine_bin(&self, config: &AgentConfig) -> PathBuf {
        self.host(&config.engine.bin_dir)
    }
}

/// The queue manager's directories on the shared file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataDirs {
    /// `crtmqm -md`.
    pub data: PathBuf,
    /// `crtmqm -ld`.
    pub log: PathBuf,
}

impl DataDirs {
    /// The directories of one queue manager below a mount point.
    pub fn new(mount: &Path, queue_manager: &str) -> Self {
        let base = mount.join(PathComponent::of_queue_manager(queue_manager));
        Self {
            data: base.join("data"),
            log: base.join("log"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_of_a_host_is_outside_its_root(path in "[a./]{0,12}", name in "[A-Za-z0-9./_%]{1,48}") {
            let layout = Layout::new("/lab/i/i-1");
            let key = layout.key_repository(&name);
            for (found, folder) in [(layout.host(&path), "/lab/i/i-1"), (key, "/lab/i/i-1/run/mqaws-tls")] {
                let below = found.strip_prefix(folder).expect("below");
                prop_assert!(below.components().all(|c| matches!(c, Component::Normal(_))), "{}", found.display());
            }
            let mount = Path::new("/mnt/mqaws");
            let (dirs, own) = (DataDirs::new(mount, &name), PathComponent::of_queue_manager(&name));
            prop_assert_eq!(dirs.data, mount.join(&own).join("data"));
            prop_assert_eq!(dirs.log, mount.join(&own).join("log"));
        }
    }

    #[test]
    fn a_path_of_the_host_is_below_its_root() {
        let layout = Layout::new("/lab/i/i-1");
        for (path, found) in [
            ("/mnt/mqaws", "/lab/i/i-1/mnt/mqaws"),
            ("etc//mqaws/./x", "/lab/i/i-1/etc/mqaws/x"),
            ("/../../etc/passwd", "/lab/i/i-1/etc/passwd"),
            ("/mnt/../../..", "/lab/i/i-1"),
        ] {
            assert_eq!(layout.host(path), Path::new(found), "{path}");
        }
        assert_eq!(Layout::new("/").host("/mnt/mqaws"), Path::new("/mnt/mqaws"));
    }
}
