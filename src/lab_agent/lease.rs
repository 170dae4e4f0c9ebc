//! The lock of the local cloud: a lease server that frees and keeps locks as an NFS server does.

use mqaws_agent::fence::{Lock, LockError};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longest wait for one answer. The server is on this machine; a frozen one must not hold the keeper for ever.
const ANSWER: Duration = Duration::from_secs(2);

/// A lock on a path of a file system, at a lease server.
#[derive(Debug)]
pub struct LeaseLock {
    address: SocketAddr,
    file_system: String,
    path: String,
    instance: String,
    token: String,
    lease: Duration,
    connection: Option<BufReader<TcpStream>>,
    held: bool,
}

#[derive(Deserialize)]
struct Reply {
    ok: bool,
    #[serde(default)]
    lease_ms: Option<u64>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    holder: Option<String>,
}

impl LeaseLock {
    /// A lock that is not held yet. `lease` is what the server announced and is replaced by what it grants;
    /// `token` is unique for each keeper.
    pub fn new(
        address: SocketAddr,
        file_system: &str,
        path: &str,
        instance: &str,
        token: &str,
        lease: Duration,
    ) -> Self {
        Self {
            address,
            file_system: file_system.to_owned(),
            path: path.to_owned(),
            instance: instance.to_owned(),
            token: token.to_owned(),
            lease,
            connection: None,
            held: false,
        }
    }

    fn ask(&mut self, request: &Value) -> Result<Reply, LockError> {
        match self.exchange(request) {
            Ok(line) => serde_json::from_str(&line).map_err(|_| LockError::Refused(line.trim().to_owned())),
            Err(error) => {
                // The server frees the lock of a closed connection, so a new one has to ask for it again.
                self.connection = None;
                Err(LockError::Unreachable(error))
            }
        }
    }

    fn exchange(&mut self, request: &Value) -> io::Result<String> {
        let connection = match self.connection.as_mut() {
            Some(connection) => connection,
            None => {
                let stream = TcpStream::connect_timeout(&self.address, ANSWER)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(ANSWER))?;
                stream.set_write_timeout(Some(ANSWER))?;
                self.connection.insert(BufReader::new(stream))
            }
        };
        let mut text = request.to_string();
        text.push('\n');
        connection.get_mut().write_all(text.as_bytes())?;
        let mut line = String::new();
        if connection.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line)
    }
}

impl Lock for LeaseLock {
    fn acquire(&mut self) -> Result<(), LockError> {
        if self.held && self.connection.is_some() {
            return self.renew();
        }
        let reply = self.ask(&json!({
            "op": "lock", "file_system": self.file_system, "path": self.path,
            "instance": self.instance, "owner": self.token,
        }))?;
        match (reply.ok, reply.error) {
            (true, _) => {
                if let Some(millis) = reply.lease_ms {
                    self.lease = Duration::from_millis(millis);
                }
                self.held = true;
                Ok(())
            }
            (false, Some(error)) if error == "busy" => Err(LockError::Busy {
                holder: reply.holder.unwrap_or_else(|| "another keeper".to_owned()),
            }),
            // As an NFS server tells a client that comes back after its lease.
            (false, Some(error)) if error == "expired" => Err(LockError::Lost(error)),
            (false, error) => Err(LockError::Refused(error.unwrap_or_default())),
        }
    }

    fn renew(&mut self) -> Result<(), LockError> {
        if !self.held {
            return Err(LockError::Lost("it was never acquired".to_owned()));
        }
        if self.connection.is_none() {
            // The connection broke, so the server has freed the lock: either it is still free, or it is lost.
            self.held = false;
            return match self.acquire() {
                Err(LockError::Busy { holder }) => Err(LockError::Lost(format!("{holder} has it"))),
                Err(LockError::Lost(why)) => Err(LockError::Lost(why)),
                Err(error) => {
                    self.held = true;
                    Err(error)
                }
                Ok(()) => Ok(()),
            };
        }
        let reply = self.ask(&json!({"op": "renew"}))?;
        if reply.ok {
            return Ok(());
        }
        self.held = false;
        self.connection = None;
        Err(LockError::Lost(reply.error.unwrap_or_default()))
    }

    fn release(&mut self) -> Result<(), LockError> {
        let held = std::mem::take(&mut self.held);
        let answer = match self.connection.is_some() && held {
            true => self.ask(&json!({"op": "unlock"})).map(|_| ()),
            false => Ok(()),
        };
        self.connection = None;
        answer
    }

    fn lease(&self) -> Duration {
        self.lease
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mqaws_agent::fence::{Bench, conformance};
    use std::net::TcpListener;
    use std::sync::{Arc, Mutex};
    use std::time::Instant;

    const LEASE: Duration = Duration::from_millis(400);

    /// Holder's token and instance, and when it last renewed.
    type Held = Arc<Mutex<Option<(String, String, Instant)>>>;

    /// A server of the protocol, for one path; the lab has the real one.
    fn server() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let address = listener.local_addr().expect("address");
        let held = Held::default();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let held = held.clone();
                std::thread::spawn(move || serve(stream, &held));
            }
        });
        address
    }

    fn serve(stream: TcpStream, held: &Held) {
        let mut out = stream.try_clone().expect("clone");
        let mut mine = String::new();
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let request: Value = serde_json::from_str(&line).expect("json");
            let mut now = held.lock().expect("lock");
            if now.as_ref().is_some_and(|(_, _, at)| at.elapsed() > LEASE) {
                *now = None;
            }
            let ours = now.as_ref().is_some_and(|(token, ..)| *token == mine);
            let reply = match request["op"].as_str() {
                Some("lock") => match now.as_ref() {
                    Some((_, holder, _)) if !ours => json!({"ok": false, "error": "busy", "holder": holder}),
                    _ => {
                        mine = request["owner"].as_str().expect("owner").to_owned();
                        let instance = request["instance"].as_str().expect("instance").to_owned();
                        *now = Some((mine.clone(), instance, Instant::now()));
                        json!({"ok": true, "lease_ms": LEASE.as_millis() as u64})
                    }
                },
                Some("renew") if ours => {
                    if let Some((.., at)) = now.as_mut() {
                        *at = Instant::now();
                    }
                    json!({"ok": true})
                }
                Some("unlock") if ours => {
                    *now = None;
                    json!({"ok": true})
                }
                _ => json!({"ok": false, "error": "expired"}),
            };
            drop(now);
            out.write_all(format!("{reply}\n").as_bytes()).expect("reply");
        }
        let mut now = held.lock().expect("lock");
        if now.as_ref().is_some_and(|(token, ..)| *token == mine) {
            *now = None;
        }
    }

    struct Server(SocketAddr, Mutex<u32>);

    impl Bench for Server {
        fn keeper(&self, instance: &str) -> Box<dyn Lock> {
            let mut number = self.1.lock().expect("count");
            *number += 1;
            let token = format!("{instance}/{number}");
            Box::new(LeaseLock::new(
                self.0,
                "fs-1",
                ".mqaws/QM1/lock",
                instance,
                &token,
                LEASE,
            ))
        }
    }

    #[test]
    fn obeys_the_rules_of_a_lock() {
        conformance(&Server(server(), Mutex::new(0))).expect("conformance");
    }

    #[test]
    fn a_server_that_is_not_there_is_neither_busy_nor_lost() {
        let address = TcpListener::bind("127.0.0.1:0")
            .and_then(|l| l.local_addr())
            .expect("free port");
        let mut lock = LeaseLock::new(address, "fs-1", "p", "i-1", "t", LEASE);
        assert!(matches!(lock.acquire(), Err(LockError::Unreachable(_))));
        let mut lock = LeaseLock::new(server(), "fs-1", "p", "i-1", "t", LEASE);
        lock.acquire().expect("free");
        lock.connection = None;
        lock.address = address;
        assert!(matches!(lock.renew(), Err(LockError::Unreachable(_))));
        assert!(lock.held, "a break is not a loss");
    }
}
