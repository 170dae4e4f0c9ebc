//! The switch that instances are plugged into: a bridge for each zone, joined to one that has the lab's own address.

use super::NetworkError;
use super::ip;
use super::namespace::Namespace;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt::Write;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};

/// Last letters of the zones.
const ZONES: [char; 3] = ['a', 'b', 'c'];

/// Where an instance finds its metadata: an address of its own, so that no cut of a cable takes it away, as on EC2.
pub(super) const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// A network for the instances of one lab, 127.L.0.0/16, in a namespace without a way out.
#[derive(Debug)]
pub struct Switch {
    namespace: Namespace,
    octet: u8,
    /// Tables of the sockets of the instances that are plugged in.
    hosts: Mutex<HashMap<Ipv4Addr, PathBuf>>,
}

/// What every host does first: of 127.0.0.0/8 only 127.0.0.1 is its own, the rest is routed.
const LOOPBACK: &str = "link set lo up\naddress flush dev lo\naddress add 127.0.0.1/32 dev lo\n";

impl Switch {
    /// Makes the bridges.
    ///
    /// # Errors
    /// [`NetworkError`] when the system refuses a namespace or `ip` fails.
    pub(super) async fn new(octet: u8) -> Result<Self, NetworkError> {
        let switch = Self {
            namespace: Namespace::new().await?,
            octet,
            hosts: Mutex::default(),
        };
        let (own, hardware) = (switch.address(), switch.hardware());
        let mut commands = format!(
            "{LOOPBACK}link add name vpc address {hardware} type bridge\nlink set vpc up\naddress add {own}/32 dev vpc\n\
             route add 127.{octet}.0.0/16 dev vpc src {own}\n"
        );
        for zone in ZONES {
            let _ = write!(
                commands,
                "link add name zone-{zone} type bridge\nlink set zone-{zone} up\n\
                 link add name vpc-{zone} type veth peer name uplink-{zone}\n\
                 link set vpc-{zone} master vpc up\nlink set uplink-{zone} master zone-{zone} up\n"
            );
        }
        ip::batch(&switch.namespace, "the bridges of the zones", &commands).await?;
        Ok(switch)
    }

    fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(127, self.octet, 0, 1)
    }

    /// Where the tables of the sockets are that have this address.
    pub(super) fn tables_of(&self, address: Ipv4Addr) -> Option<PathBuf> {
        match address == self.address() {
            true => Some(self.namespace.tables()),
            false => self.hosts.lock().get(&address).cloned(),
        }
    }

    fn hardware(&self) -> String {
        format!("02:7f:{:02x}:00:00:01", self.octet)
    }

    pub(super) async fn listen(&self, address: SocketAddr) -> io::Result<TcpListener> {
        self.namespace.listen(address).await
    }

    pub(super) async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        self.namespace.connect(address).await
    }

    /// Makes a namespace for an instance and plugs it into its zone's bridge.
    pub(super) async fn plug_in(
        self: &Arc<Self>,
        zone: &str,
        address: Ipv4Addr,
        hardware: &str,
    ) -> Result<Cable, NetworkError> {
        let namespace = Namespace::new().await?;
        let [_, octet, third, number] = address.octets();
        let port = format!("host-{third}-{number}");
        let zone = zone.chars().last().unwrap_or(ZONES[0]);
        let what = format!("the cable of {address}");
        // Who has which address is known beforehand, as in a VPC: nobody asks, so a host that is cut off is silent and not
        // unreachable.
        let outside = format!(
            "link add name {port} type veth peer name eth0 address {hardware} netns {}\nlink set {port} master zone-{zone} up\n\
             neighbour replace {address} lladdr {hardware} dev vpc nud permanent\n",
            namespace.path().display()
        );
        ip::batch(&self.namespace, &what, &outside).await?;
        let (gateway, of_gateway) = (self.address(), self.hardware());
        let inside = format!(
            "{LOOPBACK}address add {METADATA}/32 dev lo\naddress add {address}/32 dev eth0\nlink set eth0 up\n\
             route add 127.{octet}.0.0/16 dev eth0 src {address}\n\
             neighbour replace {gateway} lladdr {of_gateway} dev eth0 nud permanent\n"
        );
        ip::batch(&namespace, &what, &inside).await?;
        self.hosts.lock().insert(address, namespace.tables());
        Ok(Cable {
            switch: self.clone(),
            namespace,
            address,
            port,
        })
    }
}

/// An instance's network namespace and its cable to the switch; both end with the instance's last process.
#[derive(Debug)]
pub struct Cable {
    switch: Arc<Switch>,
    pub(super) namespace: Namespace,
    address: Ipv4Addr,
    port: String,
}

impl Cable {
    /// Ends the namespace as soon as the last process in it has ended, and the cable with it.
    pub(super) fn remove(&self) {
        // Another instance may have the address by now.
        let mut hosts = self.switch.hosts.lock();
        if hosts.get(&self.address) == Some(&self.namespace.tables()) {
            hosts.remove(&self.address);
        }
        drop(hosts);
        self.namespace.close();
    }

    /// Unplugs the cable, or plugs it in again. What is sent meanwhile is lost, and nobody is told.
    ///
    /// # Errors
    /// [`NetworkError`] when `ip` fails.
    pub(super) async fn connect(&self, connected: bool) -> Result<(), NetworkError> {
        if self.namespace.is_closed() {
            return Ok(());
        }
        let state = if connected { "up" } else { "down" };
        let command = format!("link set {} {state}\n", self.port);
        ip::batch(
            &self.switch.namespace,
            &format!("the port {} {state}", self.port),
            &command,
        )
        .await
    }
}
