//! What both sides of a deployment must know of an engine alike.

use super::driver::DriverFacts;
use super::version::Order;
use crate::Mistake;
use std::time::Duration;

/// What both sides of a deployment must know of an engine alike.
#[derive(Debug, Clone, Copy)]
pub struct EngineFacts {
    /// Its word in configurations, tags and records.
    pub word: &'static str,
    /// What people call it.
    pub name: &'static str,
    /// One line for whoever chooses it.
    pub line: &'static str,
    /// Whether an agent of this version can run it; of one that it cannot, there are images alone.
    pub runs: bool,
    /// The licence that somebody must accept, of an engine that comes as a package which the user has; absent for one that
    /// comes from the distribution.
    pub licence: Option<&'static str>,
    /// The code of its message that says that the licence was not accepted.
    pub licence_missing: Option<&'static str>,
    /// Owner and name of the images that its own are built on when none is named, and their root device.
    pub base_image: (&'static str, &'static str, &'static str),
    /// Where clients connect; the first is the engine's own, and always there.
    pub endpoints: &'static [Endpoint],
    /// Directory of its commands.
    pub bin_dir: &'static str,
    /// Where the user's own definitions are on an instance.
    pub definitions: &'static str,
    /// What these consist of, and how they are written: `MQSC commands`.
    pub definitions_language: &'static str,
    /// What would make the engine refuse or pass over a part of a file of them.
    pub mistakes: fn(&str) -> Vec<Mistake>,
    /// The deadlines of as many health checks in a row as make an engine that does not answer count as hung, added up.
    pub silent: Duration,
    /// Whether it serves with TLS.
    pub tls: bool,
    /// Which of its versions may follow which on the same data.
    pub order: Order,
    /// The drivers with which a failover test can speak to it; the first is the one that it takes by itself.
    pub drivers: &'static [DriverFacts],
    /// How a host of the local cloud comes by it.
    pub local: Local,
}

/// How a host of the local cloud comes by an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Local {
    /// It has a stand-in, and needs nothing.
    StandIn,
    /// It has the engine itself, from a package of the distribution on this machine.
    Package {
        /// Name of the package.
        name: &'static str,
        /// Directories of the package that a host gets, relative to its root.
        directories: &'static [&'static str],
    },
}

impl EngineFacts {
    /// Whether its agent answers health checks.
    pub fn is_checked_by_agent(&self) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.check == Check::Agent)
    }

    /// The endpoint of a protocol.
    pub fn endpoint(&self, protocol: &Protocol) -> Option<&'static Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.protocol == *protocol)
    }
}

/// A TCP port of an engine, to which clients connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// What is spoken there.
    pub protocol: Protocol,
    /// The port.
    pub port: u16,
    /// The port of an engine with a certificate, where that is another; then the first one is for its own host alone.
    pub tls_port: Option<u16>,
    /// What must be on for it to be there; absent when it always is.
    pub when: Option<Switch>,
    /// How a load balancer learns whether a target serves.
    pub check: Check,
}

/// How a load balancer learns whether a target serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// The port accepts a connection. Of a process that hangs the kernel still does.
    Connection,
    /// The port answers `GET` of this path with 200.
    Http(&'static str),
    /// The agent answers `GET` of [`CHECK_PATH`] on [`CHECK_PORT`] with 200, once the engine has answered in its own protocol.
    Agent,
}

/// The port on which the agent answers the health checks of [`Check::Agent`]; open to the load balancer alone.
pub const CHECK_PORT: u16 = 9415;

/// The path of those health checks.
pub const CHECK_PATH: &str = "/health";

/// A key of the configuration that switches an endpoint on and off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// `endpoint.amqp`.
    Amqp,
}

/// What clients speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocol {
    /// Its word in the agent's configuration and in reports: `amqp` in `amqp_port`.
    pub word: &'static str,
    /// Its part of names in the template: `Amqp` in `AmqpEndpoint`.
    pub part: &'static str,
    /// What people call it.
    pub name: &'static str,
    /// How its clients write an address.
    pub notation: Notation,
}

/// How clients write an address, and what else they should be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notation {
    /// What they call it.
    pub name: &'static str,
    /// Its key in reports.
    pub key: &'static str,
    /// What stands before and after the port, which follows the host.
    pub port: (&'static str, &'static str),
    /// What stands before and after the whole, without TLS and with it.
    pub plain: (&'static str, &'static str),
    /// The same with TLS.
    pub tls: (&'static str, &'static str),
    /// The channel that clients name; empty when they name none.
    pub channel: &'static str,
    /// How clients should be configured to reconnect; empty when there is nothing to say.
    pub reconnect: &'static str,
    /// What clients are configured with for TLS; empty when there is nothing to say.
    pub cipher: &'static str,
}

/// AMQP, which more than one engine speaks.
pub const AMQP: Protocol = Protocol {
    word: "amqp",
    part: "Amqp",
    name: "AMQP",
    notation: Notation {
        name: "Address",
        key: "amqp",
        port: (":", ""),
        plain: ("amqp://", ""),
        tls: ("amqps://", ""),
        channel: "",
        reconnect: "",
        cipher: "",
    },
};
