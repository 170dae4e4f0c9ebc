//! The lock on NFS between hosts: guests without an agent, in which processes hold it for the conformance suite.
//!
//! Such a process, a keeper, is this very test, run a third time inside a guest: it has the agent's own lock, reads one request
//! a line and answers each with one line. It ends when its connection does, as a keeper's process would.

use crate::guest::{rig, shell};
use crate::rig::scripts;
use crate::site::{PATIENCE, dir, until};
use mqaws_agent::fence::{Bench, Lock, LockError, NfsLock};
use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What makes a process a keeper: instance, token and lease.
const KEEPER: &str = "MQAWS_RIG_KEEPER";
/// A keeper's first line; what comes before it is the test harness's.
const READY: &str = "a lock";
/// Where the guests have this program.
const PROGRAM: &str = "/usr/local/sbin/rig-keeper";
const MOUNT: &str = "/mnt/mqaws";
const SERVER: &str = "127.77.2.10";
/// The hosts of the suite, each in a zone of its own, and their addresses.
const HOSTS: [(&str, &str, &str); 2] = [
    ("i-0000000000000000a", "eu-west-1a", "127.77.20.10"),
    ("i-0000000000000000b", "eu-west-1b", "127.77.21.10"),
];

/// In a guest, holds a lock for whoever is at the other end and says so once that one is gone; elsewhere does nothing.
pub(crate) fn kept_one() -> bool {
    let Ok(asked) = std::env::var(KEEPER) else { return false };
    let asked: Vec<&str> = asked.split(' ').collect();
    let lease = Duration::from_secs(asked[2].parse().unwrap());
    let mut lock = NfsLock::new(Path::new(MOUNT), "QM1", asked[0], asked[1], lease).only_on_nfs();
    println!("\n{READY}");
    for request in io::stdin().lines() {
        let done = match request.unwrap().as_str() {
            "acquire" => lock.acquire(),
            "renew" => lock.renew(),
            "release" => lock.release(),
            other => panic!("no request of a lock: {other}"),
        };
        println!("{}", said(done));
    }
    true
}

fn said(done: Result<(), LockError>) -> String {
    match done {
        Ok(()) => "ok".into(),
        Err(LockError::Busy { holder }) => format!("busy {holder}"),
        Err(LockError::Lost(why)) => format!("lost {why}"),
        Err(LockError::Unreachable(why)) => format!("unreachable {why}"),
        Err(LockError::Refused(why)) => format!("refused {why}"),
    }
}

fn heard(answer: &str) -> Result<(), LockError> {
    let (word, rest) = answer.split_once(' ').unwrap_or((answer, ""));
    let rest = rest.to_owned();
    match word {
        "ok" => Ok(()),
        "busy" => Err(LockError::Busy { holder: rest }),
        "lost" => Err(LockError::Lost(rest)),
        "refused" => Err(LockError::Refused(rest)),
        _ => Err(LockError::Unreachable(io::Error::other(answer.to_owned()))),
    }
}

/// Two guests with one file system of one server; gone with the rig.
pub(crate) struct Guests {
    test: &'static str,
    lease: u64,
    began: Instant,
    keepers: Cell<u32>,
    _machines: Vec<Child>,
}

impl Guests {
    /// Boots the guests and mounts the file system of a server with this lease, in seconds.
    pub(crate) fn up(test: &'static str, lease: u64) -> Self {
        let program = Path::new(&std::env::var_os("MQAWS_RIG_IMAGE").unwrap()).join(&PROGRAM[1..]);
        fs::copy(std::env::current_exe().unwrap(), program).unwrap();
        let data = dir().join("data");
        fs::create_dir(&data).unwrap();
        let served = Command::new(scripts().join("guest.sh"))
            .args(["export", "fs-1"])
            .arg(&data)
            .arg(SERVER)
            .env("MQAWS_RIG_LEASE", lease.to_string())
            .output()
            .unwrap();
        let why = String::from_utf8_lossy(&served.stderr);
        assert!(served.status.success(), "the file server does not serve: {why}");
        let machines = HOSTS.map(|(id, zone, address)| power_on(id, zone, address)).into();
        HOSTS.iter().for_each(|(id, _, address)| mount(id, address));
        Self {
            test,
            lease,
            began: Instant::now(),
            keepers: Cell::new(0),
            _machines: machines,
        }
    }
}

fn tell(began: Instant, what: &str) {
    println!("{:>6.2} s  {what}", began.elapsed().as_secs_f64());
}

fn power_on(id: &str, zone: &str, address: &str) -> Child {
    // No user data, so nothing for cloud-init; no watchdog either: this host is to wake, not to reset itself.
    for (directory, file) in [("cloud", "cloud-init.disabled"), ("modules-load.d", "mqaws.conf")] {
        let directory = dir().join("disk").join(id).join("upper/etc").join(directory);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(file), "").unwrap();
    }
    // Where the lab's guests have theirs, and the rig looks when a story has failed.
    let log = dir().join("lab/log");
    fs::create_dir_all(&log).unwrap();
    Command::new(scripts().join("guest.sh"))
        .args(["run", id, address, zone])
        .stdin(Stdio::null())
        .stdout(File::create(log.join(format!("{id}.console"))).unwrap())
        .spawn()
        .unwrap()
}

fn mount(id: &str, address: &str) {
    let script = format!(
        "grep -q ' {MOUNT} ' /proc/mounts || {{ echo {id} >/sys/module/nfs/parameters/nfs4_unique_id && mount -t nfs4 -o \
         nfsvers=4.1,hard,timeo=600,retrans=2,noresvport {SERVER}:/ {MOUNT}; }}; grep ' {MOUNT} nfs4 .*vers=4.1' /proc/mounts"
    );
    let mounted = until("a guest mounts the file system", PATIENCE, || {
        shell(id, address, &script).ok()
    });
    print!("{id}: {mounted}");
}

impl Bench for Guests {
    fn keeper(&self, instance: &str) -> Box<dyn Lock> {
        let (_, _, address) = HOSTS.iter().find(|(id, _, _)| *id == instance).unwrap();
        let socket = TcpStream::connect(format!("{address}:7777")).unwrap();
        // Longer than a renewal that has to find out that it is lost; an answer that never comes is none.
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let (token, lease) = (self.keepers.replace(self.keepers.get() + 1), self.lease);
        let command = format!(
            "exec env MQAWS_RIG=guest {KEEPER}='{instance} k{token} {lease}' {PROGRAM} {} --exact --nocapture --quiet\n",
            self.test
        );
        (&socket).write_all(command.as_bytes()).unwrap();
        let mut keeper = Keeper {
            name: format!("keeper {token} on {instance}"),
            socket: BufReader::new(socket),
            lease: Duration::from_secs(lease),
            began: self.began,
            last: String::new(),
        };
        while keeper.line().unwrap() != READY {}
        Box::new(keeper)
    }

    fn freeze(&self, instance: &str) {
        rig("freeze", instance, "");
        tell(self.began, &format!("{instance} is frozen"));
    }

    fn thaw(&self, instance: &str) {
        tell(self.began, &format!("{instance} is to wake"));
        rig("thaw", instance, "");
    }
}

/// The lock of a keeper in a guest. Tells each answer that is not the last one again.
struct Keeper {
    name: String,
    socket: BufReader<TcpStream>,
    lease: Duration,
    began: Instant,
    last: String,
}

impl Keeper {
    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.socket.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }

    fn ask(&mut self, request: &str) -> Result<(), LockError> {
        let asked = Instant::now();
        let answer = self
            .socket
            .get_mut()
            .write_all(format!("{request}\n").as_bytes())
            .and_then(|()| self.line())
            .map_err(LockError::Unreachable)?;
        let told = format!("{}: {request}: {answer}", self.name);
        if told != self.last {
            tell(
                self.began,
                &format!("{told} (after {:.2} s)", asked.elapsed().as_secs_f64()),
            );
            self.last = told;
        }
        heard(&answer)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        tell(self.began, &format!("{}: ends", self.name));
    }
}

impl Lock for Keeper {
    fn acquire(&mut self) -> Result<(), LockError> {
        self.ask("acquire")
    }

    fn renew(&mut self) -> Result<(), LockError> {
        self.ask("renew")
    }

    fn release(&mut self) -> Result<(), LockError> {
        self.ask("release")
    }

    fn lease(&self) -> Duration {
        self.lease
    }
}
