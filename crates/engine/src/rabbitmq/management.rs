//! What the management plugin counts, for status and metrics alone: its figures are samples, some seconds old.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Most bytes of an answer.
const LARGEST: usize = 1 << 20;

/// What a broker says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overview {
    /// Connections of clients.
    pub(super) connections: Option<u64>,
    /// Messages on all queues.
    pub(super) messages: Option<u64>,
}

/// Asks for the overview, within a time for all of it: an answer that drips is none.
///
/// # Errors
/// When it does not answer, or not with the code 200 and JSON.
pub(super) fn overview(to: SocketAddr, user: &str, password: &SecretString, within: Duration) -> io::Result<Overview> {
    let deadline = Instant::now() + within;
    let mut stream = TcpStream::connect_timeout(&to, within)?;
    // The request is smaller than any buffer.
    stream.set_write_timeout(Some(within))?;
    let login = STANDARD.encode(format!("{user}:{}", password.expose_secret()));
    // Version 1.0: the answer ends with the connection, and comes in one piece.
    let request = format!("GET /api/overview HTTP/1.0\r\nHost: {to}\r\nAuthorization: Basic {login}\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut part = [0; 8192];
    while answer.len() < LARGEST {
        let rest = deadline.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(rest))?;
        match stream.read(&mut part)? {
            0 => break,
            n => answer.extend_from_slice(&part[..n]),
        }
    }
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or_else(|| io::Error::other("no HTTP answer"))?;
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        return Err(io::Error::other(status.to_owned()));
    }
    let body: Value = serde_json::from_str(body)?;
    Ok(Overview {
        connections: body["object_totals"]["connections"].as_u64(),
        messages: body["queue_totals"]["messages"].as_u64(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn asked(answer: &'static str) -> io::Result<Overview> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bound");
        let to = listener.local_addr().expect("an address");
        let served = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut asked = [0; 1024];
            let n = stream.read(&mut asked).expect("a request");
            stream.write_all(answer.as_bytes()).expect("sent");
            String::from_utf8_lossy(&asked[..n]).into_owned()
        });
        let overview = overview(to, "mqaws", &"secret".into(), Duration::from_secs(30));
        let request = served.join().expect("a request");
        assert!(request.contains("Basic bXFhd3M6c2VjcmV0\r\n"), "{request}");
        overview
    }

    #[test]
    fn an_answer_that_drips_is_over_by_the_deadline() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bound");
        let to = listener.local_addr().expect("an address");
        let served = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            // Never silent for as long as the time limit.
            let dripped = (0..600).take_while(|_| {
                std::thread::sleep(Duration::from_millis(50));
                stream.write_all(b"H").is_ok()
            });
            dripped.count()
        });
        let asked = overview(to, "mqaws", &"secret".into(), Duration::from_millis(500));
        assert!(asked.is_err_and(|error| matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)));
        assert!(served.join().expect("served") < 600);
    }

    #[test]
    fn what_is_counted_is_read_and_what_is_not_is_absent() {
        let ok = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n";
        let full =
            asked("HTTP/1.1 200 OK\r\n\r\n{\"object_totals\":{\"connections\":6},\"queue_totals\":{\"messages\":7}}");
        let full = full.expect("read");
        assert_eq!((full.connections, full.messages), (Some(6), Some(7)));
        let none = asked("HTTP/1.1 200 OK\r\n\r\n{\"queue_totals\":{}}").expect("read");
        assert_eq!((none.connections, none.messages), (None, None));
        assert!(asked("HTTP/1.1 401 Unauthorized\r\n\r\n{}").is_err_and(|e| e.to_string().contains("401")));
        assert!(asked("nothing").is_err() && asked(ok).is_err());
    }
}
