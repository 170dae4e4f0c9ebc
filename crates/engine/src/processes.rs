//! The engine's processes on this host: find them, kill them, learn of their end.
//!
//! On a real host they are found by their command lines, as their [`Product`] knows them, and by being in the engine's unit, where the keeper runs everything that writes.
//! In the lab many instances share one machine, so the mark in the environment must fit as well: no process of another
//! instance is ever seen, let alone signalled.

use crate::product::{ProcessKind, Product};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// One process of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Process id.
    pub pid: i32,
    /// Its name, without directory.
    pub name: String,
    /// Whether it is the execution controller: the one whose death is the queue manager's.
    pub controller: bool,
}

/// Finds the processes of one queue manager on this host.
#[derive(Debug, Clone)]
pub struct Processes {
    product: &'static dyn Product,
    queue_manager: String,
    /// `NAME=value` in the environment, in the lab.
    mark: Option<Vec<u8>>,
    proc: PathBuf,
}

/// The unit of keeper and engine, `packer/provision/units/mqaws-engine.service`, as the kernel's list of groups ends.
const UNIT: &str = "/mqaws-engine.service";
/// The keeper's own word on its command line.
const KEEPER: &str = "__keeper";

impl Processes {
    /// The processes of `queue_manager`; `mark` is a variable that must be in their environment.
    pub fn new(product: &'static dyn Product, queue_manager: &str, mark: Option<(&str, &str)>) -> Self {
        Self {
            product,
            queue_manager: queue_manager.to_owned(),
            mark: mark.map(|(name, value)| format!("{name}={value}").into_bytes()),
            proc: PathBuf::from("/proc"),
        }
    }

    /// What they are processes of.
    pub fn product(&self) -> &'static dyn Product {
        self.product
    }

    /// All living processes, the execution controller first.
    ///
    /// # Errors
    /// When the process table cannot be read: then nothing is known, least of all that there are none.
    pub fn list(&self) -> io::Result<Vec<Process>> {
        let found = self.pass()?;
        // One pass over the table is no snapshot: who forks while it is read may be missed with its child.
        if found.is_empty() { self.pass() } else { Ok(found) }
    }

    fn pass(&self) -> io::Result<Vec<Process>> {
        let own = std::process::id();
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.proc)? {
            let entry = entry?;
            let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<i32>().ok()) else {
                continue;
            };
            if u32::try_from(pid) == Ok(own) {
                continue;
            }
            // A process may end between the listing and the look.
            if let Some(process) = self.look(pid) {
                found.push(process);
            }
        }
        found.sort_by_key(|p| (!p.controller, p.pid));
        Ok(found)
    }

    /// The execution controller, when it lives.
    ///
    /// # Errors
    /// When the process table cannot be read.
    pub(crate) fn controller(&self) -> io::Result<Option<i32>> {
        Ok(self.list()?.into_iter().find(|p| p.controller).map(|p| p.pid))
    }

    fn look(&self, pid: i32) -> Option<Process> {
        let dir = self.proc.join(pid.to_string());
        let line = fs::read(dir.join("cmdline")).ok()?;
        let args: Vec<&str> = line
            .split(|b| *b == 0)
            .filter_map(|a| std::str::from_utf8(a).ok())
            .collect();
        let role = match self.product.identify(&args, &self.queue_manager) {
            None if self.mark.is_none() && self.is_in_unit(pid, &args) => ProcessKind {
                name: args.first().copied().unwrap_or_default(),
                controller: false,
            },
            role => role?,
        };
        if let Some(mark) = &self.mark {
            let environment = fs::read(dir.join("environ")).ok()?;
            if !environment.split(|b| *b == 0).any(|v| v == mark.as_slice()) {
                return None;
            }
        }
        (state(pid)? != 'Z').then(|| Process {
            pid,
            name: role.name.to_owned(),
            controller: role.controller,
        })
    }

    /// Whether a process of a real host was born in the engine's unit and is not the keeper.
    fn is_in_unit(&self, pid: i32, args: &[&str]) -> bool {
        let groups = fs::read_to_string(self.proc.join(pid.to_string()).join("cgroup")).unwrap_or_default();
        groups.lines().any(|line| line.ends_with(UNIT)) && !args.contains(&KEEPER)
    }

    /// Kills all processes, the execution controller first, until none is left or the time is over; says how many are left.
    ///
    /// # Errors
    /// When the process table cannot be read.
    pub fn kill(&self, within: Duration) -> io::Result<usize> {
        let deadline = Instant::now() + within;
        let mut pause = Duration::from_millis(1);
        loop {
            let left = self.list()?;
            if left.is_empty() {
                return Ok(0);
            }
            for process in &left {
                signal(process.pid, Signal::KILL);
            }
            if Instant::now() >= deadline {
                return Ok(left.len());
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }
}

/// State of a process as the kernel names it, `R S D T Z …`; `None` when it is gone.
pub fn state(pid: i32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, parentheses included.
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

/// Sends a signal; a process that is gone is fine.
pub fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal);
    }
}

/// Waits until a process has ended, by the kernel's word; true when it has.
///
/// # Errors
/// When the process cannot be watched although it lives.
pub fn wait_for_end(pid: i32, within: Option<Duration>) -> io::Result<bool> {
    let Some(id) = Pid::from_raw(pid) else { return Ok(true) };
    let fd = match pidfd_open(id, PidfdFlags::empty()) {
        Ok(fd) => fd,
        Err(rustix::io::Errno::SRCH) => return Ok(true),
        Err(error) => return Err(error.into()),
    };
    let deadline = within.map(|w| Instant::now() + w);
    loop {
        let rest = deadline.map(|d| d.saturating_duration_since(Instant::now()));
        let rest = rest.and_then(|r| Timespec::try_from(r).ok());
        match poll(&mut [PollFd::new(&fd, PollFlags::IN)], rest.as_ref()) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ibm_mq::IbmMq;
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command, Stdio};

    /// On a host, who is in the engine's unit counts by whatever name; the keeper does not, and neither does anybody else.
    #[test]
    fn whoever_is_in_the_engines_unit_counts() {
        let proc = tempfile::tempdir().expect("tempdir");
        let unit = "0::/system.slice/mqaws-engine.service\n";
        let own = std::process::id() as i32;
        for (pid, line, group) in [
            (9_000_001, "/usr/bin/mqaws-agent\0__keeper\0", unit),
            (9_000_003, "/usr/bin/vi\0", "0::/user.slice\n"),
            (
                9_000_004,
                "/usr/bin/vi\0",
                "0::/system.slice/other-mqaws-engine.service\n",
            ),
            (1, "/opt/mqm/java/jre\0-jar\0exit.jar\0", unit),
            (own, "itself\0", unit),
        ] {
            let dir = proc.path().join(pid.to_string());
            fs::create_dir(&dir).expect("directory");
            fs::write(dir.join("cmdline"), line).expect("cmdline");
            fs::write(dir.join("cgroup"), group).expect("cgroup");
        }
        let host = Processes {
            product: &IbmMq,
            queue_manager: "QM1".into(),
            mark: None,
            proc: proc.path().to_owned(),
        };
        // Process 1 is one whose state the machine really knows.
        let found: Vec<i32> = host.list().expect("list").iter().map(|p| p.pid).collect();
        assert_eq!(found, [1]);
        let lab = Processes {
            mark: Some(b"A=b".to_vec()),
            ..host
        };
        assert_eq!(lab.list().expect("list"), []);
    }

    /// A shell that looks like an execution controller with this mark.
    fn double(mark: &str) -> Child {
        let mut child = Command::new("sh")
            .arg0("amqzxma0")
            .args(["-c", "echo up; read line", "sh", "-m", "QMTEST"])
            .env("MQAWS_TEST_MARK", mark)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh");
        let mut line = String::new();
        let out = child.stdout.as_mut().expect("piped");
        io::BufRead::read_line(&mut io::BufReader::new(out), &mut line).expect("up");
        child
    }

    fn processes(mark: &str) -> Processes {
        Processes::new(&IbmMq, "QMTEST", Some(("MQAWS_TEST_MARK", mark)))
    }

    #[test]
    fn only_processes_with_the_mark_are_found_and_killed() {
        let (ours, theirs) = (format!("a-{}", std::process::id()), format!("b-{}", std::process::id()));
        let mut our = double(&ours);
        let mut their = double(&theirs);
        let pid = our.id() as i32;
        let found = processes(&ours).list().expect("list");
        assert_eq!(found.iter().map(|p| p.pid).collect::<Vec<_>>(), [pid]);
        let watcher = std::thread::spawn(move || wait_for_end(pid, Some(Duration::from_secs(20))));
        assert_eq!(processes(&ours).kill(Duration::from_secs(20)).expect("kill"), 0);
        assert!(watcher.join().expect("thread").expect("watched"));
        assert_eq!(processes(&theirs).list().expect("list").len(), 1);
        assert!(
            their.try_wait().expect("wait").is_none(),
            "the other instance's process lives"
        );
        our.wait().expect("reap");
        their.kill().expect("kill");
        their.wait().expect("reap");
    }

    #[test]
    fn a_stopped_process_is_seen_as_stopped_and_one_that_is_gone_as_ended() {
        let mut child = double(&format!("c-{}", std::process::id()));
        let pid = child.id() as i32;
        signal(pid, Signal::STOP);
        let deadline = Instant::now() + Duration::from_secs(20);
        while state(pid) != Some('T') && Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert_eq!(state(pid), Some('T'));
        assert!(!wait_for_end(pid, Some(Duration::ZERO)).expect("lives"));
        child.kill().expect("kill");
        child.wait().expect("reap");
        assert!(wait_for_end(pid, None).expect("gone"));
        assert_eq!(state(pid), None);
    }
}
