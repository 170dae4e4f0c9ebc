//! Where things are on a host: everything is below one root, `/` on a real host.

use crate::model::agent::AgentConfig;
use mqaws_engine::Root;
use std::path::PathBuf;

/// Paths of the agent on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: Root,
}

impl Layout {
    /// The layout below `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: Root::new(root) }
    }

    /// The root itself.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// A path of the host: absolute ones are taken relative to the root, and `..` leads no further up than to it.
    pub(crate) fn host(&self, path: &str) -> PathBuf {
        self.root.path(path)
    }

    /// The agent's configuration.
    pub(crate) fn config(&self) -> PathBuf {
        self.host("etc/mqaws/agent.json")
    }

    /// Directory of sockets, status and flags; lost at a reboot.
    pub fn run(&self) -> PathBuf {
        self.host("run/mqaws")
    }

    /// The keeper's socket.
    pub(crate) fn keeper_socket(&self) -> PathBuf {
        self.run().join("keeper.sock")
    }

    /// What the keeper's unit starts it with.
    pub(crate) fn keeper_config(&self) -> PathBuf {
        self.run().join("keeper.json")
    }

    /// Locked by the one agent of this host for as long as it lives; holds its process id.
    pub(crate) fn agent_lock(&self) -> PathBuf {
        self.run().join("agent.lock")
    }

    /// The agent's last status.
    pub fn status(&self) -> PathBuf {
        self.run().join("status.json")
    }

    /// An operator's order, until the agent has taken it.
    pub(crate) fn operator_order(&self) -> PathBuf {
        self.run().join("operator-order.json")
    }

    /// A person's decision about a previous owner, until the agent has taken it.
    pub(crate) fn decision(&self) -> PathBuf {
        self.run().join("fence-decision.json")
    }

    /// Process ids whose death a fault has ordered, one a line.
    pub(crate) fn ordered_deaths(&self) -> PathBuf {
        self.run().join("ordered-deaths")
    }

    /// The fault that lasts on this host, until it is healed; lost at a reboot, as what it did is.
    pub(crate) fn lasting_fault(&self) -> PathBuf {
        self.run().join("fault.json")
    }

    /// The phase marks, one JSON a line.
    pub(crate) fn marks(&self) -> PathBuf {
        self.host("var/lib/mqaws/marks.jsonl")
    }

    /// The mount point of the shared file system.
    pub fn mount(&self, config: &AgentConfig) -> PathBuf {
        self.host(&config.storage.mount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

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
