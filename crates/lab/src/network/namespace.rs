//! A network namespace, and a thread in it that does there what it is asked to.
//!
//! A socket belongs to the namespace of the thread that made it, whoever uses it afterwards, and a process to that of the
//! thread that started it. So the rest of the server stays where it is.

use super::NetworkError;
use crate::reaper::{self, Own};
use nix::sched::{CloneFlags, unshare};
use parking_lot::{Mutex, MutexGuard};
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::process::Command;
use tokio::sync::oneshot;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;
/// Without this the kernel drops packets with loopback addresses on anything but the loopback interface.
const ROUTE_LOOPBACK: &str = "/proc/sys/net/ipv4/conf/all/route_localnet";

type Job = Box<dyn FnOnce() + Send>;

/// A namespace without a name: it ends when this is closed or dropped and the last process and socket in it are gone, also when the
/// server is killed.
#[derive(Debug)]
pub(super) struct Namespace {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    thread: PathBuf,
}

impl Namespace {
    /// Makes a namespace with nothing in it but a loopback interface that is down.
    ///
    /// # Errors
    /// [`NetworkError::Namespace`] and [`NetworkError::Route`].
    pub(super) async fn new() -> Result<Self, NetworkError> {
        let (jobs, wanted) = mpsc::channel::<Job>();
        let (made, making) = oneshot::channel();
        let thread = move || {
            let entered = enter();
            let inside = entered.is_ok();
            if made.send(entered).is_ok() && inside {
                wanted.into_iter().for_each(|job| job());
            }
        };
        std::thread::Builder::new()
            .name("namespace".to_owned())
            .spawn(thread)
            .map_err(NetworkError::Namespace)?;
        let thread = making
            .await
            .map_err(|e| NetworkError::Namespace(io::Error::other(e)))??;
        let jobs = Mutex::new(Some(jobs));
        Ok(Self { jobs, thread })
    }

    /// Where the kernel shows it.
    pub(super) fn path(&self) -> PathBuf {
        self.thread.join("ns/net")
    }

    /// Where the kernel shows the tables of its sockets.
    pub(super) fn tables(&self) -> PathBuf {
        self.thread.join("net")
    }

    /// Leaves it: nothing can be started in it any more.
    pub(super) fn close(&self) {
        *self.jobs() = None;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.jobs().is_none()
    }

    fn jobs(&self) -> MutexGuard<'_, Option<mpsc::Sender<Job>>> {
        self.jobs.lock()
    }

    /// Does something short in the namespace.
    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
        let (done, result) = oneshot::channel();
        let job: Job = Box::new(move || {
            // Whoever asked may have gone.
            let _ = done.send(work());
        });
        let sent = self.jobs().as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        if !sent {
            return Err(io::Error::other("the namespace has ended"));
        }
        result.await.map_err(io::Error::other)
    }

    /// Listens in the namespace.
    pub(super) async fn listen(&self, address: SocketAddr) -> io::Result<TcpListener> {
        let socket = self.run(TcpSocket::new_v4).await??;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    }

    /// Connects from the namespace.
    pub(super) async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        self.run(TcpSocket::new_v4).await??.connect(address).await
    }

    /// Starts a process in the namespace.
    pub(super) async fn spawn(&self, mut command: Command) -> io::Result<Own> {
        let runtime = tokio::runtime::Handle::current();
        self.run(move || {
            let _runtime = runtime.enter();
            reaper::spawn(&mut command)
        })
        .await?
    }
}

/// Moves the calling thread, and only it, into a new namespace; where the kernel shows the thread.
fn enter() -> Result<PathBuf, NetworkError> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(|e| NetworkError::Namespace(e.into()))?;
    fs::write(ROUTE_LOOPBACK, "1").map_err(NetworkError::Route)?;
    let (process, thread) = (std::process::id(), nix::unistd::gettid());
    Ok(PathBuf::from(format!("/proc/{process}/task/{thread}")))
}
