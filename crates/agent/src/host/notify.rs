//! Tells systemd that the agent lives, by its own datagram protocol (`sd_notify`).

use crate::agent::ports::Init;
use mqaws_files::SocketPath;
use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// systemd, or whoever stands in its place, when it started this process and wants to hear of it.
pub struct Systemd {
    socket: Option<(UnixDatagram, SocketAddr)>,
    /// Keeps the way to a socket of a long path open.
    _path: Option<SocketPath>,
    ready: AtomicBool,
}

impl Systemd {
    /// The socket that `NOTIFY_SOCKET` names; without one nothing is told.
    ///
    /// # Errors
    /// When the variable names no socket.
    pub fn from_env() -> io::Result<Self> {
        Self::new(std::env::var_os("NOTIFY_SOCKET"))
    }

    /// A path, or a name that begins with `@` in the abstract name space.
    ///
    /// # Errors
    /// When it names no socket.
    pub(crate) fn new(name: Option<OsString>) -> io::Result<Self> {
        let mut path = None;
        let socket = match name.filter(|n| !n.is_empty()) {
            None => None,
            Some(name) => {
                let address = match name.as_bytes() {
                    [b'@', abstract_name @ ..] => SocketAddr::from_abstract_name(abstract_name)?,
                    _ => SocketAddr::from_pathname(path.insert(SocketPath::of(Path::new(&name))?))?,
                };
                let socket = UnixDatagram::unbound()?;
                // A service manager that does not read must not hold the main loop.
                socket.set_nonblocking(true)?;
                Some((socket, address))
            }
        };
        Ok(Self {
            socket,
            _path: path,
            ready: AtomicBool::new(false),
        })
    }
}

impl Init for Systemd {
    fn alive(&self, state: &str) {
        let Some((socket, address)) = &self.socket else { return };
        let ready = if self.ready.load(Ordering::Acquire) {
            ""
        } else {
            "READY=1\n"
        };
        let text = format!("{ready}WATCHDOG=1\nSTATUS={state}\n");
        match socket.send_to_addr(text.as_bytes(), address) {
            Ok(_) => self.ready.store(true, Ordering::Release),
            // The next turn of the main loop tells again; the watchdog's period holds many of them.
            Err(error) => tracing::debug!(%error, "the service manager was not told"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut text = [0; 256];
        let length = socket.recv(&mut text).expect("datagram");
        String::from_utf8_lossy(&text[..length]).into_owned()
    }

    #[test]
    fn says_once_that_it_is_ready_and_each_time_that_it_lives() {
        let dir = tempfile::tempdir().expect("tempdir");
        for folder in ["run".to_owned(), "x".repeat(150)] {
            let folder = dir.path().join(folder);
            std::fs::create_dir(&folder).expect("a folder");
            let path = folder.join("notify");
            let manager = UnixDatagram::bind(SocketPath::of(&path).expect("a path")).expect("bind");
            let init = Systemd::new(Some(path.into())).expect("socket");
            init.alive("booting");
            init.alive("serving");
            assert_eq!(heard(&manager), "READY=1\nWATCHDOG=1\nSTATUS=booting\n");
            assert_eq!(heard(&manager), "WATCHDOG=1\nSTATUS=serving\n");
        }
    }

    #[test]
    fn an_abstract_name_is_a_socket_as_well() {
        let name = format!("mqaws-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("name");
        let manager = UnixDatagram::bind_addr(&address).expect("bind");
        let init = Systemd::new(Some(format!("@{name}").into())).expect("socket");
        init.alive("fencing");
        assert!(heard(&manager).starts_with("READY=1\n"));
    }

    #[test]
    fn without_a_manager_or_with_one_that_is_gone_nothing_happens() {
        Systemd::new(None).expect("nothing").alive("booting");
        let dir = tempfile::tempdir().expect("tempdir");
        let gone = Systemd::new(Some(dir.path().join("gone").into())).expect("socket");
        gone.alive("booting");
        assert!(!gone.ready.load(Ordering::Acquire), "it is told again");
    }
}
