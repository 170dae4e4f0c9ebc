//! The header of proxy protocol version 2, which tells a target who the client is.

use std::net::SocketAddr;

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// The header for a TCP connection over IPv4; over IPv6 the `LOCAL` command without addresses.
pub(super) fn version_2(client: SocketAddr, listener: SocketAddr) -> Vec<u8> {
    let mut header = SIGNATURE.to_vec();
    let (SocketAddr::V4(client), SocketAddr::V4(listener)) = (client, listener) else {
        header.extend([0x20, 0x00, 0, 0]);
        return header;
    };
    header.extend([0x21, 0x11, 0, 12]);
    header.extend(client.ip().octets());
    header.extend(listener.ip().octets());
    header.extend(client.port().to_be_bytes());
    header.extend(listener.port().to_be_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_as_the_protocol_says() {
        let got = version_2("127.0.0.1:258".parse().unwrap(), "127.77.1.1:1414".parse().unwrap());
        let want = [
            0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21, 0x11, 0, 12, 127, 0, 0, 1,
            127, 77, 1, 1, 1, 2, 5, 0x86,
        ];
        assert_eq!(got, want);
        let local = version_2("[::1]:1".parse().unwrap(), "[::1]:2".parse().unwrap());
        assert_eq!(local[12..], [0x20, 0, 0, 0]);
    }
}
