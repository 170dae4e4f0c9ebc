//! One question to the kernel about one connection (`sock_diag(7)`), in place of a walk through the table of all.

use rustix::io::Errno;
use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with};
use std::io;
use std::net::SocketAddrV4;

/// `SOCK_DIAG_BY_FAMILY` of `linux/sock_diag.h`: type of question and answer.
const BY_FAMILY: u16 = 20;
/// `NLMSG_ERROR` of `linux/netlink.h`.
const ERROR: u16 = 2;
/// `NLM_F_REQUEST` of `linux/netlink.h`.
const REQUEST: u16 = 1;
/// Octets of `struct nlmsghdr`.
const HEADER: usize = 16;
/// Octets of the header and `struct inet_diag_req_v2`.
const QUESTION: usize = HEADER + 56;
/// `AF_INET` and `IPPROTO_TCP`.
const IPV4_TCP: [u8; 2] = [2, 6];
/// `TCP_ESTABLISHED`.
const ESTABLISHED: u8 = 1;

/// The user whose open socket has these two ends, in the namespace of this process; none when there is no such socket.
///
/// # Errors
/// A kernel that does not answer such questions.
pub(super) fn user(own: SocketAddrV4, other: SocketAddrV4) -> io::Result<Option<u32>> {
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(SOCK_DIAG),
    )?;
    sendto(
        &socket,
        &question(own, other),
        SendFlags::empty(),
        &SocketAddrNetlink::new(0, 0),
    )?;
    let mut answer = [0; 1024];
    // The kernel has answered when it has taken the question.
    let (length, _) = recv(&socket, &mut answer, RecvFlags::DONTWAIT)?;
    read(answer.get(..length).unwrap_or_default())
}

fn question(own: SocketAddrV4, other: SocketAddrV4) -> Vec<u8> {
    let address = |end: SocketAddrV4| [end.ip().octets(), [0; 4], [0; 4], [0; 4]].concat();
    [
        // struct nlmsghdr: length, type, flags, sequence, port.
        &u32::try_from(QUESTION).unwrap_or_default().to_ne_bytes()[..],
        &BY_FAMILY.to_ne_bytes(),
        &REQUEST.to_ne_bytes(),
        &[0; 8],
        // struct inet_diag_req_v2: family, protocol, extensions, padding, states (all).
        &IPV4_TCP,
        &[0; 2],
        &[0xff; 4],
        // struct inet_diag_sockid: ports, addresses, interface (any), cookie (none).
        &own.port().to_be_bytes(),
        &other.port().to_be_bytes(),
        &address(own),
        &address(other),
        &[0; 4],
        &[0xff; 8],
    ]
    .concat()
}

fn read(answer: &[u8]) -> io::Result<Option<u32>> {
    let short = || io::Error::new(io::ErrorKind::InvalidData, "an answer of sock_diag is incomplete");
    let word = |at: usize| {
        let bytes = answer.get(at..).and_then(|rest| rest.first_chunk()).ok_or_else(short)?;
        Ok::<_, io::Error>(u32::from_ne_bytes(*bytes))
    };
    let kind = answer.get(4..).and_then(|rest| rest.first_chunk()).ok_or_else(short)?;
    match u16::from_ne_bytes(*kind) {
        BY_FAMILY => {
            // struct inet_diag_msg: state is its second octet; user and inode stand behind identity and counters.
            let state = *answer.get(HEADER + 1).ok_or_else(short)?;
            let (user, inode) = (word(HEADER + 64)?, word(HEADER + 68)?);
            Ok((state == ESTABLISHED && inode != 0).then_some(user))
        }
        ERROR => match io::Error::from_raw_os_error(word(HEADER)?.cast_signed().saturating_neg()) {
            error if error.raw_os_error() == Some(Errno::NOENT.raw_os_error()) => Ok(None),
            error => Err(error),
        },
        kind => Err(io::Error::other(format!(
            "sock_diag answered with a message of type {kind}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

    fn v4(address: io::Result<SocketAddr>) -> SocketAddrV4 {
        match address.unwrap() {
            SocketAddr::V4(address) => address,
            SocketAddr::V6(address) => SocketAddrV4::new(address.ip().to_ipv4_mapped().unwrap(), address.port()),
        }
    }

    #[test]
    fn the_kernel_tells_the_user_of_an_open_connection_and_of_no_other() {
        let own = rustix::process::geteuid().as_raw();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let there = v4(listener.local_addr());
        let client = TcpStream::connect(there).unwrap();
        let here = v4(client.local_addr());
        let asked = match user(here, there) {
            Err(error) => return println!("skipped: this kernel does not answer sock_diag: {error}"),
            Ok(asked) => asked,
        };
        assert_eq!(asked, Some(own));
        // Not accepted yet, so that no process has it.
        assert_eq!(user(there, here).unwrap(), None);
        let (server, _) = listener.accept().unwrap();
        assert_eq!(user(there, here).unwrap(), Some(own));
        // Where nobody is connected, the listener is not the answer.
        assert_eq!(user(there, SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1)).unwrap(), None);
        assert_eq!(user(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1), there).unwrap(), None);
        drop(client);
        assert_eq!(user(here, there).unwrap(), None);
        drop(server);
    }

    #[test]
    fn a_socket_that_speaks_both_is_found_by_its_ipv4_ends() {
        let Ok(listener) = TcpListener::bind(("::", 0)) else {
            return println!("skipped: no IPv6 here");
        };
        let there = SocketAddrV4::new(Ipv4Addr::LOCALHOST, listener.local_addr().unwrap().port());
        let client = TcpStream::connect(there).unwrap();
        let (server, _) = listener.accept().unwrap();
        let here = v4(client.local_addr());
        if let Ok(asked) = user(there, here) {
            assert_eq!(asked, Some(rustix::process::geteuid().as_raw()));
        }
        drop(server);
    }

    #[test]
    fn half_an_answer_and_a_strange_one_are_errors() {
        assert!(read(&[]).is_err());
        let mut answer = [0; HEADER + 72];
        answer[4..6].copy_from_slice(&BY_FAMILY.to_ne_bytes());
        assert_eq!(read(&answer).unwrap(), None);
        assert!(read(&answer[..HEADER + 70]).is_err());
        answer[4..6].copy_from_slice(&99_u16.to_ne_bytes());
        assert!(read(&answer).is_err());
    }
}
