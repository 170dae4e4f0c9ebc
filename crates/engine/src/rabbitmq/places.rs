//! Where RabbitMQ's files are.

use crate::Root;
use mqaws_contract::PathComponent;
use std::path::{Path, PathBuf};

/// The node's name, on whatever host.
pub(super) const NODE: &str = "rabbit@mqaws";
/// What comes after `@`: it names no machine, and is looked up in a file of our own.
pub(super) const NODE_HOST: &str = "mqaws";

/// Directories of Erlang's programs, relative to the root: Debian's and that of RPM packages.
const ERLANG: [&str; 2] = ["/usr/lib/erlang/bin", "/usr/lib64/erlang/bin"];

/// Directory of the node's database below its shared directory.
pub(super) fn node(mount: &Path, queue_manager: &str) -> PathBuf {
    base(mount, queue_manager).join(NODE)
}

/// The node's directory on the shared file system.
pub(super) fn base(mount: &Path, queue_manager: &str) -> PathBuf {
    mount
        .join(PathComponent::of_queue_manager(queue_manager))
        .join("rabbitmq")
}

/// Files of a node on its host.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// Directory of the commands.
    pub(super) commands: PathBuf,
    /// Directory of Erlang's programs.
    pub(super) erlang: PathBuf,
    /// Directory of what is written for a start.
    pub(super) settings: PathBuf,
    /// Home of the node's user, where the cookie is.
    pub(super) home: PathBuf,
    /// Directory of the node's logs.
    pub(super) logs: PathBuf,
    /// The user's own definitions.
    pub(super) own: PathBuf,
}

impl Places {
    pub(super) fn new(root: &Root, commands: &str, own: &str) -> Self {
        let erlang = ERLANG.map(|dir| root.path(dir));
        let there = erlang.iter().find(|dir| dir.join("erl").exists());
        Self {
            commands: root.path(commands),
            erlang: there.unwrap_or(&erlang[0]).clone(),
            settings: root.path("/var/lib/mqaws/rabbitmq"),
            home: root.path("/var/lib/mqaws/rabbitmq/home"),
            logs: root.path("/var/log/mqaws/rabbitmq"),
            own: root.path(own),
        }
    }

    /// A file that is written for a start.
    pub(super) fn setting(&self, name: &str) -> PathBuf {
        self.settings.join(name)
    }

    /// The private key with its certificate and chain.
    pub(super) fn certificate(&self) -> PathBuf {
        self.setting("tls.pem")
    }

    /// The node's log.
    pub(super) fn log(&self) -> PathBuf {
        self.logs.join(format!("{NODE}.log"))
    }
}
