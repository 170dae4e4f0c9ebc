//! What a load balancer's health check is answered, of an engine whose open port shows nothing: the kernel accepts connections also
//! for a broker that hangs, and would for ever.
//!
//! HTTP, as little of it as a check takes. A check is answered from what the engine said last; the engine is asked when that is old,
//! by one question at a time, however many ask here.

use super::work::spawn;
use mqaws_contract::engine::CHECK_PATH;
use mqaws_engine::Health;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How old the engine's last answer may be at most. A question that is under way does not make a target unhealthy before.
const ANSWERED: Duration = Duration::from_secs(5);
/// How old an answer may be before the engine is asked again.
const FRESH: Duration = Duration::from_secs(1);
/// The same after a failure: what is back is to be seen soon.
const FAILED_FRESH: Duration = Duration::from_millis(200);
/// How long a check waits for a new answer: shorter than a load balancer's time limit.
const PATIENCE: Duration = Duration::from_millis(400);
/// How long a connection may take to ask.
const REQUEST: Duration = Duration::from_secs(2);
/// Longest head of a request.
const LONGEST: usize = 4096;
/// Connections at a time; a load balancer has one for each of its zones.
const CONNECTIONS: usize = 16;
/// After the system gave no connection.
const AGAIN: Duration = Duration::from_millis(200);

/// What the engine said.
#[derive(Debug, Default)]
struct Said {
    /// It is being asked.
    asking: bool,
    /// When it was last known how it is, and whether it was well.
    last: Option<(Instant, bool)>,
    /// When it was last well.
    well: Option<Instant>,
}

impl Said {
    fn is_fresh(&self) -> bool {
        self.last
            .is_some_and(|(at, well)| at.elapsed() < if well { FRESH } else { FAILED_FRESH })
    }

    fn is_well(&self) -> bool {
        let failed = self.last.is_some_and(|(_, well)| !well);
        !failed && self.well.is_some_and(|at| at.elapsed() < ANSWERED)
    }
}

/// Answers checks about one engine.
struct Answers {
    /// Asks the engine; has a deadline of its own.
    ask: Box<dyn Fn() -> Health + Send + Sync>,
    said: Mutex<Said>,
    changed: Condvar,
    connections: AtomicUsize,
}

/// Begins to answer here, until the process ends, what `ask` learns of the engine; says where.
///
/// # Errors
/// When the port is not to be had.
pub(crate) fn listen(on: SocketAddr, ask: impl Fn() -> Health + Send + Sync + 'static) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(on)?;
    let bound = listener.local_addr()?;
    let answers = Arc::new(Answers {
        ask: Box::new(ask),
        said: Mutex::default(),
        changed: Condvar::new(),
        connections: AtomicUsize::new(0),
    });
    spawn("checks", move || {
        loop {
            match listener.accept() {
                Ok((stream, _)) => answers.take(stream),
                Err(error) => {
                    tracing::debug!(%error, "no health check taken");
                    std::thread::sleep(AGAIN);
                }
            }
        }
    })?;
    Ok(bound)
}

impl Answers {
    /// One connection on a thread of its own, so that none that is slow holds up another; too many are dropped.
    fn take(self: &Arc<Self>, stream: TcpStream) {
        if self.connections.fetch_add(1, Ordering::AcqRel) < CONNECTIONS {
            let answers = Arc::clone(self);
            let begun = spawn("check", move || {
                if let Err(error) = answers.serve(stream) {
                    tracing::debug!(%error, "a health check");
                }
                answers.connections.fetch_sub(1, Ordering::AcqRel);
            });
            if begun.is_ok() {
                return;
            }
        }
        self.connections.fetch_sub(1, Ordering::AcqRel);
    }

    fn serve(self: &Arc<Self>, mut stream: TcpStream) -> io::Result<()> {
        let head = head(&mut stream, Instant::now() + REQUEST)?;
        let mut words = head.split_ascii_whitespace();
        let answer = match (words.next(), words.next()) {
            (Some("GET"), Some(CHECK_PATH)) if self.is_well() => "200 OK",
            (Some("GET"), Some(CHECK_PATH)) => "503 Service Unavailable",
            (Some("GET"), Some(_)) => "404 Not Found",
            _ => "400 Bad Request",
        };
        stream.set_write_timeout(Some(REQUEST))?;
        let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes())
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the engine answered a moment ago.
    fn is_well(self: &Arc<Self>) -> bool {
        let mut said = self.said();
        if said.is_fresh() {
            return said.is_well();
        }
        if !said.asking {
            said.asking = true;
            let answers = Arc::clone(self);
            if spawn("ask", move || answers.ask()).is_err() {
                said.asking = false;
            }
        }
        let waited = self.changed.wait_timeout_while(said, PATIENCE, |said| said.asking);
        waited.unwrap_or_else(PoisonError::into_inner).0.is_well()
    }

    fn ask(&self) {
        let health = (self.ask)();
        let now = Instant::now();
        // One that answers and was not understood does answer; one without a majority does not, and another member may have it.
        let well = !matches!(health, Health::Bad(_) | Health::Waits(_));
        let mut said = self.said();
        said.asking = false;
        said.last = Some((now, well));
        if well {
            said.well = Some(now);
        }
        drop(said);
        self.changed.notify_all();
    }
}

/// The head of a request, by a deadline for the whole of it.
fn head(stream: &mut TcpStream, deadline: Instant) -> io::Result<String> {
    let mut head = Vec::new();
    let mut some = [0; 512];
    loop {
        let rest = deadline.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(rest))?;
        match stream.read(&mut some) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => head.extend(&some[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        if head.windows(4).any(|four| four == b"\r\n\r\n") {
            return String::from_utf8(head).map_err(io::Error::other);
        }
        if head.len() > LONGEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    /// Where checks are answered about an engine that can be made to hang and to fail, and how often it was asked.
    struct Site {
        at: SocketAddr,
        hangs: Arc<AtomicBool>,
        fails: Arc<AtomicBool>,
        asked: Arc<AtomicUsize>,
    }

    fn site() -> Site {
        let (hangs, fails) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let asked = Arc::new(AtomicUsize::new(0));
        let (waits, refuses, counts) = (hangs.clone(), fails.clone(), asked.clone());
        let at = listen(([127, 0, 0, 1], 0).into(), move || {
            counts.fetch_add(1, Ordering::SeqCst);
            while waits.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(5));
            }
            match refuses.load(Ordering::SeqCst) {
                true => Health::Bad("refused".into()),
                false => Health::Well,
            }
        });
        Site {
            at: at.expect("a port"),
            hangs,
            fails,
            asked,
        }
    }

    impl Site {
        /// The status that a request is answered with; none when the connection ends without one.
        fn asks(&self, request: &str) -> Option<u16> {
            let mut stream = TcpStream::connect(self.at).expect("connected");
            stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
            stream.write_all(request.as_bytes()).expect("sent");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("the end");
            answer.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
        }

        fn checked(&self) -> Option<u16> {
            self.asks("GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        }

        fn until(&self, status: u16) {
            let deadline = Instant::now() + Duration::from_secs(60);
            while self.checked() != Some(status) {
                assert!(Instant::now() < deadline, "no {status}");
            }
        }
    }

    #[test]
    fn an_engine_that_hangs_is_unhealthy_and_healthy_again_when_it_answers() {
        let site = site();
        site.until(200);
        site.hangs.store(true, Ordering::SeqCst);
        site.until(503);
        // Nobody waits for it, and no second question is asked beside the one that hangs.
        let asked = site.asked.load(Ordering::SeqCst);
        assert_eq!((site.checked(), site.checked()), (Some(503), Some(503)));
        assert_eq!(site.asked.load(Ordering::SeqCst), asked);
        site.hangs.store(false, Ordering::SeqCst);
        site.until(200);
        // One that says at once that it does not serve is not given the time of one that may be busy.
        site.fails.store(true, Ordering::SeqCst);
        site.until(503);
        site.fails.store(false, Ordering::SeqCst);
        site.until(200);
    }

    #[test]
    fn many_checks_are_one_question_and_nothing_else_is_answered() {
        let site = site();
        site.until(200);
        let asked = site.asked.load(Ordering::SeqCst);
        let all: Vec<_> = (0..8).map(|_| site.checked()).collect();
        assert_eq!(all, [Some(200); 8]);
        assert!(site.asked.load(Ordering::SeqCst) <= asked + 8);
        assert_eq!(site.asks("GET /else HTTP/1.1\r\n\r\n"), Some(404));
        assert_eq!(site.asks("POST /health HTTP/1.1\r\n\r\n"), Some(400));
        assert_eq!(site.asks("\r\n\r\n"), Some(400));
    }

    #[test]
    fn connections_that_ask_nothing_are_ended_and_hold_up_no_check() {
        let site = site();
        let silent: Vec<_> = (0..CONNECTIONS - 1)
            .map(|_| TcpStream::connect(site.at).expect("connected"))
            .collect();
        site.until(200);
        for mut stream in silent {
            stream.set_read_timeout(Some(Duration::from_secs(60))).expect("set");
            assert_eq!(stream.read(&mut [0; 1]).expect("the end"), 0);
        }
        // A head without an end is ended as well.
        let mut endless = TcpStream::connect(site.at).expect("connected");
        let _ = endless.write_all(&vec![b'x'; 2 * LONGEST]);
        endless.set_read_timeout(Some(Duration::from_secs(60))).expect("set");
        assert!(matches!(endless.read(&mut [0; 1]), Ok(0) | Err(_)));
        site.until(200);
    }
}
