//! One health check of one target.

use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::health::Thresholds;
use crate::network::Network;

/// What a check does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Probe {
    /// The connection is accepted.
    Tcp,
    /// `GET path` answers a status in one of the ranges.
    Http {
        /// Path, `/`.
        path: String,
        /// Inclusive ranges of accepted status codes.
        codes: Vec<(u16, u16)>,
    },
}

/// Where a check goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CheckPort {
    /// The port on which the target gets traffic.
    Traffic,
    /// A port of its own.
    Fixed(u16),
}

/// How targets of a group are checked. Durations are those that run, not those that were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CheckSettings {
    /// What a check does.
    pub(crate) probe: Probe,
    /// Where it goes.
    pub(crate) port: CheckPort,
    /// From the start of one check to the start of the next.
    pub(crate) interval: Duration,
    /// How long a check may take.
    pub(crate) timeout: Duration,
    /// How many in a row change the state.
    pub(crate) thresholds: Thresholds,
}

/// Reads a matcher, `200-399` or `200,202`: inclusive ranges within 200 to 599.
pub(crate) fn matcher(text: &str) -> Option<Vec<(u16, u16)>> {
    let code = |t: &str| t.trim().parse::<u16>().ok().filter(|c| (200..=599).contains(c));
    text.split(',')
        .map(|part| match part.split_once('-') {
            Some((low, high)) => Some((code(low)?, code(high)?)).filter(|(low, high)| low <= high),
            None => Some((code(part)?, code(part)?)),
        })
        .collect()
}

/// Carries out one check.
pub(super) async fn check(network: &Network, target: SocketAddr, settings: &CheckSettings) -> bool {
    let mut address = target;
    if let CheckPort::Fixed(port) = settings.port {
        address.set_port(port);
    }
    let probe = async {
        let mut stream = network.connect(address).await?;
        match &settings.probe {
            Probe::Tcp => Ok(true),
            Probe::Http { path, codes } => {
                let status = status_of(&mut stream, address, path).await?;
                Ok(codes.iter().any(|(low, high)| (*low..=*high).contains(&status)))
            }
        }
    };
    let passed: Result<Result<bool, std::io::Error>, _> = tokio::time::timeout(settings.timeout, probe).await;
    matches!(passed, Ok(Ok(true)))
}

async fn status_of(stream: &mut TcpStream, address: SocketAddr, path: &str) -> std::io::Result<u16> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nUser-Agent: ELB-HealthChecker/2.0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    // `HTTP/1.1 200`
    let mut line = [0u8; 12];
    stream.read_exact(&mut line).await?;
    std::str::from_utf8(&line[9..])
        .ok()
        .filter(|_| line.starts_with(b"HTTP/1."))
        .and_then(|code| code.parse().ok())
        .ok_or_else(|| std::io::Error::from(std::io::ErrorKind::InvalidData))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[test]
    fn matchers_are_read_strictly() {
        for (text, want) in [
            ("200", Some(vec![(200, 200)])),
            ("200-399", Some(vec![(200, 399)])),
            ("200,202,500-599", Some(vec![(200, 200), (202, 202), (500, 599)])),
            ("199", None),
            ("300-200", None),
            ("600", None),
            ("", None),
            ("2xx", None),
        ] {
            assert_eq!(matcher(text), want, "{text}");
        }
    }

    fn settings(probe: Probe, port: CheckPort) -> CheckSettings {
        CheckSettings {
            probe,
            port,
            interval: Duration::from_millis(50),
            timeout: Duration::from_millis(300),
            thresholds: Thresholds {
                healthy: 2,
                unhealthy: 2,
            },
        }
    }

    #[tokio::test]
    async fn tcp_checks_the_port_and_http_the_status() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        assert!(check(&Network::Machine, address, &settings(Probe::Tcp, CheckPort::Traffic)).await);
        let elsewhere: SocketAddr = "127.0.0.1:1".parse().unwrap();
        assert!(!check(&Network::Machine, elsewhere, &settings(Probe::Tcp, CheckPort::Traffic)).await);
        assert!(
            check(
                &Network::Machine,
                elsewhere,
                &settings(Probe::Tcp, CheckPort::Fixed(address.port()))
            )
            .await
        );

        let http = || Probe::Http {
            path: "/ready".into(),
            codes: vec![(200, 299)],
        };
        // nobody answers: the kernel accepts, the deadline ends the check
        assert!(!check(&Network::Machine, address, &settings(http(), CheckPort::Traffic)).await);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            for answer in [
                "HTTP/1.1 200 OK\r\n\r\n",
                "HTTP/1.1 503 No\r\n\r\n",
                "SSH-2.0-OpenSSH_9\r\n",
            ] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0u8; 1024];
                let n = stream.read(&mut request).await.unwrap();
                assert!(request[..n].starts_with(b"GET /ready HTTP/1.1\r\n"));
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let mut patient = settings(http(), CheckPort::Traffic);
        patient.timeout = Duration::from_secs(20);
        assert!(check(&Network::Machine, address, &patient).await);
        assert!(!check(&Network::Machine, address, &patient).await);
        assert!(!check(&Network::Machine, address, &patient).await);
        server.await.unwrap();
    }
}
