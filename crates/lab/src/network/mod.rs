//! The network that instances are on: the machine's own loopback, or a switch and a cable to each instance.
//!
//! Addresses are the same in both, 127.L.x.y. With namespaces they are routed instead of local: the lab's own address
//! 127.L.0.1 is on the switch as well, where the API and the file systems' leases are, and an instance has its own address
//! at the end of its cable. What users talk to, the API and the load balancers, stays on the machine's loopback.

mod diag;
mod error;
mod ip;
mod namespace;
mod peer;
mod switch;
pub(crate) mod user;

pub(crate) use error::NetworkError;
pub use peer::Peers;
pub(crate) use switch::{Cable, Switch};

use super::reaper::{self, Own};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

/// How the lab itself reaches its instances, and they it.
#[derive(Debug, Clone)]
pub(crate) enum Network {
    /// Over the machine's own loopback.
    Machine,
    /// Over a switch of the lab's own.
    Switch(Arc<Switch>),
}

impl Network {
    /// A switch without instances, for the addresses 127.L.0.0/16.
    ///
    /// # Errors
    /// [`NetworkError`].
    pub(crate) async fn switch(octet: u8) -> Result<Self, NetworkError> {
        Ok(Self::Switch(Arc::new(Switch::new(octet).await?)))
    }

    /// Listens where instances can connect.
    ///
    /// # Errors
    /// As `bind`.
    pub(crate) async fn listen(&self, address: SocketAddr) -> io::Result<TcpListener> {
        match self {
            Self::Machine => TcpListener::bind(address).await,
            Self::Switch(switch) => switch.listen(address).await,
        }
    }

    /// Where those who connect to such a listener have their sockets.
    pub(crate) fn peers(&self) -> Peers {
        match self {
            Self::Machine => Peers::Machine,
            Self::Switch(switch) => Peers::Switch(switch.clone()),
        }
    }

    /// Connects to an instance.
    ///
    /// # Errors
    /// As `connect`.
    pub(crate) async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        match self {
            Self::Machine => TcpStream::connect(address).await,
            Self::Switch(switch) => switch.connect(address).await,
        }
    }

    /// Makes the network interface of an instance, with its address and hardware address.
    ///
    /// # Errors
    /// [`NetworkError`].
    pub(crate) async fn plug_in(
        &self,
        zone: &str,
        address: Ipv4Addr,
        hardware: &str,
    ) -> Result<Interface, NetworkError> {
        Ok(match self {
            Self::Machine => Interface::Machine,
            Self::Switch(switch) => Interface::Cable(Arc::new(switch.plug_in(zone, address, hardware).await?)),
        })
    }
}

/// The network interface of an instance.
#[derive(Debug, Clone)]
pub enum Interface {
    /// One of the machine's loopback addresses.
    Machine,
    /// A namespace of the instance's own.
    Cable(Arc<Cable>),
}

impl Interface {
    /// Where the instance finds its metadata service, when it is where EC2's is.
    pub(crate) fn metadata(&self) -> Option<SocketAddr> {
        match self {
            Self::Machine => None,
            Self::Cable(_) => Some((switch::METADATA, 80).into()),
        }
    }

    /// Listens on the instance.
    ///
    /// # Errors
    /// As `bind`.
    pub(crate) async fn listen(&self, address: SocketAddr) -> io::Result<TcpListener> {
        match self {
            Self::Machine => TcpListener::bind(address).await,
            Self::Cable(cable) => cable.namespace.listen(address).await,
        }
    }

    /// Where those who connect to such a listener have their sockets: on the instance itself.
    pub(crate) fn peers(&self) -> Peers {
        match self {
            Self::Machine => Peers::Machine,
            Self::Cable(cable) => Peers::Instance(cable.namespace.tables()),
        }
    }

    /// Starts a process on the instance.
    ///
    /// # Errors
    /// As [`Command::spawn`].
    pub async fn spawn(&self, mut command: Command) -> io::Result<Own> {
        match self {
            Self::Machine => reaper::spawn(&mut command),
            Self::Cable(cable) => cable.namespace.spawn(command).await,
        }
    }

    /// Removes the interface of an instance that is no more.
    pub(crate) fn remove(&self) {
        if let Self::Cable(cable) = self {
            cable.remove();
        }
    }

    /// Unplugs the cable (false) or plugs it in again; false when there is none.
    ///
    /// # Errors
    /// [`NetworkError`].
    pub(crate) async fn connect(&self, connected: bool) -> Result<bool, NetworkError> {
        match self {
            Self::Machine => Ok(false),
            Self::Cable(cable) => cable.connect(connected).await.map(|()| true),
        }
    }
}
