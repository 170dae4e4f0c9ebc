//! One process of a kind on a host: whoever holds the lock on a file beside the sockets, from its first breath to its last.
//!
//! Two agents on one host would both start its engine, and both count its deaths. The kernel lets go of the lock when the
//! process ends, however it ends.

use super::layout::Layout;
use crate::remedy::{ExitKind, Remedy};
use mqaws_engine::processes;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How long a lock may stay with nobody who lives: a command that its dead holder was about to start has it for a moment.
const LEFT: Duration = Duration::from_secs(5);

/// Opens the file that the one process locks, for its owner alone: whoever may open it could lock it.
///
/// # Errors
/// When it or its directory cannot be made.
pub(super) fn open(path: &Path) -> io::Result<File> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let mut open = OpenOptions::new();
    let file = open.create(true).truncate(false).read(true).write(true).mode(0o600);
    let file = file.open(path)?;
    // Also one that is there already.
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

/// Locks the file; false when somebody has it.
///
/// # Errors
/// When nobody knows.
pub(super) fn lock(file: &File) -> io::Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The agent of this host, for as long as this value lives.
#[derive(Debug)]
pub(crate) struct OnlyAgent(File);

impl Drop for OnlyAgent {
    fn drop(&mut self) {
        // For every copy of the open file, also that of a command which is just being started.
        let _ = self.0.set_len(0);
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

/// Why this process is not the agent of this host.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAlone {
    /// Another one is.
    #[error("an agent is already running on this host, process {pid}; this one has changed nothing")]
    Another {
        /// Its process id.
        pid: i32,
    },
    /// Somebody has the lock, and does not say who.
    #[error("{} is locked by another process, possibly a running agent; this one has changed nothing", .0.display())]
    Somebody(PathBuf),
    /// The lock cannot be taken.
    #[error("cannot lock {}", .0.display())]
    Io(PathBuf, #[source] io::Error),
}

impl Remedy for NotAlone {
    fn exit(&self) -> ExitKind {
        ExitKind::Precondition
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Another { .. } => Some("to see its state, run `mqaws-agent status --json`".to_owned()),
            Self::Somebody(path) => Some(format!("to see the process, run `fuser {}`", path.display())),
            Self::Io(..) => None,
        }
    }
}

impl OnlyAgent {
    /// Becomes the agent of this host, or says who is.
    ///
    /// # Errors
    /// [`NotAlone`], at once while another agent lives.
    pub(crate) fn take(layout: &Layout) -> Result<Self, NotAlone> {
        let path = layout.agent_lock();
        let io = |error| NotAlone::Io(path.clone(), error);
        let mut file = open(&path).map_err(io)?;
        let deadline = Instant::now() + LEFT;
        while !lock(&file).map_err(io)? {
            match holder(&mut file) {
                Some(pid) if !matches!(processes::state(pid), None | Some('Z' | 'X')) => {
                    return Err(NotAlone::Another { pid });
                }
                _ if Instant::now() > deadline => return Err(NotAlone::Somebody(path)),
                _ => thread::sleep(Duration::from_millis(20)),
            }
        }
        // Told before anything is done, so that the next one can name this one.
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(io)?;
        Ok(Self(file))
    }
}

/// The process that says in this file that it holds the lock, while it lives.
pub(crate) fn holder_of(path: &Path) -> Option<i32> {
    let pid = holder(&mut File::open(path).ok()?)?;
    (!matches!(processes::state(pid), None | Some('Z' | 'X'))).then_some(pid)
}

/// Who says that it holds the lock.
fn holder(file: &mut File) -> Option<i32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mqaws_engine::runner;
    use std::process::{Command, Stdio};

    #[test]
    fn a_second_agent_is_told_who_the_first_is_until_that_one_is_gone() {
        let dir = tempfile::tempdir().expect("tempdir");
        let layout = Layout::new(dir.path());
        let first = OnlyAgent::take(&layout).expect("alone");
        let own = i32::try_from(std::process::id()).expect("a process id");
        let error = OnlyAgent::take(&layout).expect_err("a second one");
        assert!(matches!(error, NotAlone::Another { pid } if pid == own), "{error}");
        assert!(error.to_string().contains(&own.to_string()));
        let mode = fs::metadata(layout.agent_lock()).expect("file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(first);
        OnlyAgent::take(&layout).expect("alone again");
    }

    #[test]
    fn a_lock_that_a_dead_agent_has_left_for_a_moment_is_waited_for() {
        let dir = tempfile::tempdir().expect("tempdir");
        let layout = Layout::new(dir.path());
        let path = layout.agent_lock();
        let mut file = open(&path).expect("file");
        let mut dead = Command::new("true").stdin(Stdio::null()).spawn().expect("true");
        let pid = dead.id();
        dead.wait().expect("reaped");
        writeln!(file, "{pid}").expect("its id");
        assert!(lock(&file).expect("lock"));
        let next = thread::spawn(move || OnlyAgent::take(&layout));
        // Whether the next one looks before or after: it is not refused.
        drop(file);
        let _next = next.join().expect("thread").expect("alone");
        let text = fs::read_to_string(path).expect("file");
        assert_eq!(text.trim(), std::process::id().to_string());
    }

    /// Takes the lock as the next agent does, again and again: what another test just starts has a copy of it for a moment.
    fn takes(layout: &Layout, deadline: Instant) -> Result<OnlyAgent, NotAlone> {
        loop {
            match OnlyAgent::take(layout) {
                Err(NotAlone::Another { .. }) if Instant::now() < deadline => thread::sleep(Duration::from_millis(20)),
                taken => return taken,
            }
        }
    }

    #[test]
    fn what_the_agent_starts_does_not_hold_the_lock_of_an_agent_that_was_killed() {
        for inherited in [false, true] {
            let dir = tempfile::tempdir().expect("tempdir");
            let layout = Layout::new(dir.path());
            let mut first = OnlyAgent::take(&layout).expect("alone");
            if inherited {
                // The planted defect: a file that is not closed when another program begins.
                nix::fcntl::fcntl(&first.0, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).expect("set");
            }
            // As `strmqm` leaves a daemon behind.
            let start = runner::Command::new("/bin/sh").args(["-c", "sleep 600 >/dev/null 2>&1 & echo $!"]);
            let daemon = runner::run(&start)
                .expect("ran")
                .text
                .trim()
                .parse()
                .expect("a process id");
            let daemon = rustix::process::Pid::from_raw(daemon).expect("a process id");
            // The kernel closes the file of an agent that is killed; nobody unlocks it.
            let other = File::open("/dev/null").expect("file");
            drop(std::mem::replace(&mut first.0, other));
            let most = if inherited {
                Duration::ZERO
            } else {
                Duration::from_secs(60)
            };
            let next = takes(&layout, Instant::now() + most);
            assert!(rustix::process::test_kill_process(daemon).is_ok(), "the daemon lives");
            rustix::process::kill_process(daemon, rustix::process::Signal::KILL).expect("killed");
            match inherited {
                false => drop(next.expect("alone")),
                true => assert!(
                    matches!(next, Err(NotAlone::Another { .. })),
                    "a defect that does not show: {next:?}"
                ),
            }
        }
    }
}
