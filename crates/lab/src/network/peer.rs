//! Who is at the other end of a connection: the kernel tells the user of each TCP socket, asked for one or by its tables of all.

use super::diag;
use super::switch::Switch;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tokio::net::TcpStream;
use tokio::sync::Mutex;

/// The table's word for a connection that is open in both directions. The rest of a socket that is closed or half closed has no
/// owner any more, and the kernel shows root in its place.
const ESTABLISHED: &str = "01";

/// Where those who connect have their sockets.
#[derive(Debug, Clone)]
pub enum Peers {
    /// In the namespace of this process.
    Machine,
    /// In one namespace, whose tables are in this directory.
    Instance(PathBuf),
    /// On instances behind a switch, each in a namespace of its own.
    Switch(Arc<Switch>),
}

impl Peers {
    /// Whether the other end belongs to the user of this process. One that is not found does not.
    pub(crate) async fn is_own(&self, stream: &TcpStream) -> bool {
        let (Ok(SocketAddr::V4(here)), Ok(SocketAddr::V4(there))) = (stream.local_addr(), stream.peer_addr()) else {
            return false;
        };
        let user = self.user(there, here).await;
        let own = user == Some(rustix::process::geteuid().as_raw());
        if !own {
            tracing::debug!(%there, %here, ?user, "the other end is not this user's");
        }
        own
    }

    /// The user of the other end. Another namespace is only seen by its tables.
    async fn user(&self, there: SocketAddrV4, here: SocketAddrV4) -> Option<u32> {
        if let Self::Machine = self {
            match diag::user(there, here) {
                Ok(user) => return user,
                Err(error) => tracing::debug!(%error, "the kernel's tables are read in place of sock_diag"),
            }
        }
        user(&self.tables(*there.ip())?, there, here).await
    }

    fn tables(&self, address: Ipv4Addr) -> Option<PathBuf> {
        match self {
            Self::Machine => Some(PathBuf::from("/proc/self/net")),
            Self::Instance(tables) => Some(tables.clone()),
            Self::Switch(switch) => switch.tables_of(address),
        }
    }
}

/// The users of open connections by their two ends, as one look at the tables showed them.
struct Look {
    tables: PathBuf,
    begun: Instant,
    /// How many of [`TABLES`] were read.
    read: usize,
    users: HashMap<(String, String), u32>,
}

/// The tables, the usual one first: the kernel walks all that it has for each.
const TABLES: [&str; 2] = ["tcp", "tcp6"];

/// The last look. Whoever waits for one that began after its connection was made shares it with all that wait, so that a thousand
/// connections at a time cost no thousand looks.
static LAST: Mutex<Option<Look>> = Mutex::const_new(None);

/// The user whose socket has these two ends.
async fn user(tables: &Path, own: SocketAddrV4, other: SocketAddrV4) -> Option<u32> {
    let asked = Instant::now();
    let mut last = LAST.lock().await;
    let current = last.take().filter(|look| look.begun >= asked && look.tables == tables);
    let mut look = current.unwrap_or_else(|| Look::at(tables));
    let ends = [(plain(own), plain(other)), (mapped(own), mapped(other))];
    let found = loop {
        let found = ends.iter().find_map(|ends| look.users.get(ends)).copied();
        if found.is_some() || !look.further().await {
            break found;
        }
    };
    *last = Some(look);
    found
}

impl Look {
    fn at(tables: &Path) -> Self {
        Self {
            tables: tables.to_owned(),
            begun: Instant::now(),
            read: 0,
            users: HashMap::new(),
        }
    }

    /// Reads one more table; false when all were read.
    async fn further(&mut self) -> bool {
        let Some(&table) = TABLES.get(self.read) else {
            return false;
        };
        // A table that cannot be read shows nobody.
        let text = tokio::fs::read_to_string(self.tables.join(table))
            .await
            .unwrap_or_default();
        self.users.extend(open(&text));
        self.read += 1;
        true
    }
}

/// The open connections of a table: their ends, and whose they are.
fn open(table: &str) -> impl Iterator<Item = ((String, String), u32)> {
    table.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (own, other, state) = (fields.next()?, fields.next()?, fields.next()?);
        let (user, inode) = (fields.nth(3)?, fields.nth(1)?);
        let it = state == ESTABLISHED && inode != "0";
        it.then(|| Some(((own.to_owned(), other.to_owned()), user.parse().ok()?)))?
    })
}

/// An address as the kernel prints it: words in the machine's order of bytes.
fn plain(address: SocketAddrV4) -> String {
    format!("{}:{:04X}", word(address.ip().octets()), address.port())
}

/// The same of a socket that speaks both IPv4 and IPv6.
fn mapped(address: SocketAddrV4) -> String {
    let octets = address.ip().to_ipv6_mapped().octets();
    let words: String = octets.as_chunks::<4>().0.iter().copied().map(word).collect();
    format!("{words}:{:04X}", address.port())
}

fn word(bytes: [u8; 4]) -> String {
    format!("{:08X}", u32::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_endian = "little")]
    #[test]
    fn the_user_of_an_open_connection_is_found_and_nobody_else() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0A4D7F7F:1FE9 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1 0 100 0 0 10 0\n\
            1: 0100007F:C001 0A4D7F7F:1FE9 01 00000000:00000000 00:00000000 00000000 65534        0 101 1 0 20 4 30 10 -1\n\
            2: 0100007F:C002 0A4D7F7F:1FE9 06 00000000:00000000 03:00001771 00000000     0        0 0 3 0\n\
            3: 0100007F:C003 0A4D7F7F:1FE9 05 00000000:00000000 00:00000000 00000000     0        0 0 1 0 20 4 30 10 -1\n\
            4: 0100007F:C004 0A4D7F7F:1FE9 01 00000000:00000000 00:00000000 00000000     0        0 0 1 0 20 4 30 10 -1\n";
        let server = SocketAddrV4::new(Ipv4Addr::new(127, 127, 77, 10), 8169);
        let users: HashMap<_, _> = open(table).collect();
        let of = |port| {
            let ends = (plain(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)), plain(server));
            users.get(&ends).copied()
        };
        assert_eq!(of(0xC001), Some(65_534));
        // Waiting to be forgotten, half closed, and without a process: their root is nobody.
        assert_eq!([of(0xC002), of(0xC003), of(0xC004), of(0xC005)], [None; 4]);
        let both = mapped(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0x50));
        assert_eq!(both, "0000000000000000FFFF00000100007F:0050");
    }

    #[tokio::test]
    async fn this_process_is_the_user_of_its_own_connections() {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpStream::connect(address).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let tables = Peers::Instance("/proc/self/net".into());
        assert!(Peers::Machine.is_own(&server).await && tables.is_own(&server).await);
        assert!(!Peers::Instance("/nonexistent".into()).is_own(&server).await);
        drop(client);
        assert!(!Peers::Machine.is_own(&server).await && !tables.is_own(&server).await);
    }
}
