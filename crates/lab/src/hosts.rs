//! What a lab's instances are made of.

use serde::{Deserialize, Serialize};

/// Kind of a lab's hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hosts {
    /// Processes on the machine's own loopback addresses.
    #[default]
    Process,
    /// Processes in a network namespace of their own.
    Namespace,
    /// Virtual machines.
    Guest,
}

impl Hosts {
    /// The word for it: `process`, `namespace` or `guest`.
    pub fn name(self) -> &'static str {
        match self {
            Hosts::Process => "process",
            Hosts::Namespace => "namespace",
            Hosts::Guest => "guest",
        }
    }

    /// Reads what a lab can be asked for: `process` or `namespace`. Guests need a program, and that says it.
    pub fn parse(name: &str) -> Option<Self> {
        [Hosts::Process, Hosts::Namespace]
            .into_iter()
            .find(|h| h.name() == name)
    }

    /// What is true of them and not of instances of EC2, in a line.
    pub fn caveat(self) -> &'static str {
        match self {
            Hosts::Process => "processes: unsynced writes survive a kill, and sockets close immediately",
            Hosts::Namespace => "network namespaces: a lost host is silent; unsynced writes survive a kill",
            Hosts::Guest => "virtual machines, each with its own kernel",
        }
    }
}
