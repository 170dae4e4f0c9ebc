//! Runs one command of an engine with a deadline.
//!
//! Standard output and standard error go into one pipe, in the order in which they were written: `rdqmstatus` writes its
//! whole report to standard error when no terminal is there. The end of the command is the end of its process, not the end
//! of the pipe: `strmqm` leaves a daemon behind that may keep the pipe open for ever.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    os::{
        fd::OwnedFd,
        unix::process::{CommandExt, ExitStatusExt},
    },
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::MemfdFlags,
    process::{Pid, PidfdFlags, Signal},
};

use mqaws_contract::remedy::{ExitKind, Remedy};

/// What is kept of a command's output; the rest is read and dropped, so that a chatty command cannot fill the memory.
const KEPT_OUTPUT: usize = 4 << 20;

/// How long a killed command may take to disappear before it is left behind: a process in an uninterruptible wait on a
/// stalled mount does not die of SIGKILL.
const REAP: Duration = Duration::from_secs(1);

/// One command line, with everything that decides what it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program, usually an absolute path.
    pub program: PathBuf,
    /// Its arguments; never a secret.
    pub args: Vec<OsString>,
    /// Variables added to the inherited environment.
    pub env: Vec<(OsString, OsString)>,
    /// Text for its standard input; empty input when absent.
    pub stdin: Option<String>,
    /// Time after which the command is killed.
    pub deadline: Duration,
    /// User and group id to run as; the caller's own when absent.
    pub run_as: Option<(u32, u32)>,
}

impl Command {
    /// A command without arguments and with a deadline of 30 s.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            stdin: None,
            deadline: Duration::from_secs(30),
            run_as: None,
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// Sets one variable of the environment.
    #[must_use]
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((key.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Sets the text of the standard input.
    #[must_use]
    pub fn stdin(mut self, text: impl Into<String>) -> Self {
        self.stdin = Some(text.into());
        self
    }

    /// Sets the deadline.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The file name of the program, for messages.
    pub fn name(&self) -> String {
        Path::new(&self.program)
            .file_name()
            .unwrap_or(self.program.as_os_str())
            .to_string_lossy()
            .into_owned()
    }
}

/// The command line as a shell would show it, for logs and messages; input and environment are left out.
impl std::fmt::Display for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.name())?;
        for arg in &self.args {
            let arg = arg.to_string_lossy();
            if arg.is_empty() || arg.contains(|c: char| c.is_whitespace() || "'\"$`\\&;|<>()*?!#~".contains(c)) {
                write!(f, " '{}'", arg.replace('\'', r"'\''"))?;
            } else {
                write!(f, " {arg}")?;
            }
        }
        Ok(())
    }
}

/// What a command that ended by itself left: its exit code and what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Exit code, 0 to 255.
    pub code: i32,
    /// Standard output and standard error in the order in which they were written, at most 4 MiB.
    pub text: String,
    /// How long it ran.
    pub elapsed: Duration,
}

/// Why there is no exit code. None of these says anything about the queue manager.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The program could not be started.
    #[error("could not start `{command}`")]
    CouldNotStart {
        /// The command line.
        command: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The deadline passed; the command was killed.
    #[error("`{command}` did not exit within {after:?}{}", if *reaped { "" } else { " and could not be killed with SIGKILL" })]
    TimedOut {
        /// The command line.
        command: String,
        /// The deadline.
        after: Duration,
        /// What it had said by then.
        text: String,
        /// Whether the killed process is gone. If not, it hangs in the kernel, most likely on a stalled file system.
        reaped: bool,
    },
    /// The command was ended by a signal that this runner did not send.
    #[error("`{command}` was ended by signal {signal}")]
    Signal {
        /// The command line.
        command: String,
        /// Number of the signal.
        signal: i32,
        /// What it had said by then.
        text: String,
    },
    /// The command started, but its output or its end could not be read.
    #[error("could not monitor `{command}`")]
    CouldNotFollow {
        /// The command line.
        command: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Remedy for RunError {
    fn exit(&self) -> ExitKind {
        match self {
            Self::CouldNotStart { .. } => ExitKind::Precondition,
            _ => ExitKind::Remote,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::CouldNotStart { .. } => {
                Some("check `engine.bin_dir`, and that the engine is installed in the image".to_owned())
            }
            Self::TimedOut { reaped: false, .. } => {
                Some("a process hangs in the kernel: check the mount of the shared file system".to_owned())
            }
            _ => None,
        }
    }
}

/// Runs commands; a port, so that the agent's machine can be tested without processes.
pub trait Runner: Send + Sync {
    /// Runs the command to its end or to its deadline.
    ///
    /// # Errors
    /// Whenever there is no exit code to return.
    fn run(&self, command: &Command) -> Result<Output, RunError>;
}

/// The real runner.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessRunner;

impl Runner for ProcessRunner {
    fn run(&self, command: &Command) -> Result<Output, RunError> {
        run(command)
    }
}

/// Runs the command to its end or to its deadline; at the deadline its whole process group is killed.
///
/// # Errors
/// Whenever there is no exit code to return.
pub fn run(command: &Command) -> Result<Output, RunError> {
    let start = Instant::now();
    let line = command.to_string();
    let (mut child, pipe) = spawn(command).map_err(|source| RunError::CouldNotStart {
        command: line.clone(),
        source,
    })?;
    let mut collected = Vec::new();
    let ended = follow(&child, pipe, start + command.deadline, &mut collected);
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    match ended {
        Ok(true) => {
            let status = child.wait().map_err(|source| RunError::CouldNotFollow {
                command: line.clone(),
                source,
            })?;
            match status.code() {
                Some(code) => Ok(Output {
                    code,
                    text: text(collected),
                    elapsed: start.elapsed(),
                }),
                None => Err(RunError::Signal {
                    command: line,
                    signal: status.signal().unwrap_or_default(),
                    text: text(collected),
                }),
            }
        }
        Ok(false) => {
            let reaped = kill(child);
            Err(RunError::TimedOut {
                command: line,
                after: command.deadline,
                text: text(collected),
                reaped,
            })
        }
        Err(source) => {
            kill(child);
            Err(RunError::CouldNotFollow { command: line, source })
        }
    }
}

fn spawn(command: &Command) -> io::Result<(Child, io::PipeReader)> {
    let (reader, writer) = io::pipe()?;
    rustix::io::ioctl_fionbio(&reader, true)?;
    let stdin = match &command.stdin {
        // A file in memory and not a pipe: nobody has to feed it while the output is read.
        Some(text) => {
            let mut file = File::from(rustix::fs::memfd_create("stdin", MemfdFlags::CLOEXEC)?);
            file.write_all(text.as_bytes())?;
            file.seek(SeekFrom::Start(0))?;
            Stdio::from(file)
        }
        None => Stdio::null(),
    };
    let mut process = std::process::Command::new(&command.program);
    process
        .args(&command.args)
        .envs(command.env.iter().map(|(k, v)| (k, v)))
        .stdin(stdin)
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0);
    if let Some((uid, gid)) = command.run_as {
        process.uid(uid).gid(gid);
    }
    Ok((process.spawn()?, reader))
}

/// Reads until the process ends (true) or the deadline passes (false).
fn follow(child: &Child, mut pipe: io::PipeReader, deadline: Instant, text: &mut Vec<u8>) -> io::Result<bool> {
    let pidfd: OwnedFd = rustix::process::pidfd_open(pid(child)?, PidfdFlags::empty())?;
    let mut open = true;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        let mut fds = vec![PollFd::new(&pidfd, PollFlags::IN)];
        if open {
            fds.push(PollFd::new(&pipe, PollFlags::IN));
        }
        let timeout = Timespec {
            tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        match poll(&mut fds, Some(&timeout)) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other?,
        };
        let ended = !fds[0].revents().is_empty();
        // What was written before the end is in the pipe by now, also when a daemon keeps the pipe open.
        if open {
            open = drain(&mut pipe, text)?;
        }
        if ended {
            return Ok(true);
        }
    }
}

/// Takes what the pipe holds now; false at its end.
fn drain(pipe: &mut io::PipeReader, text: &mut Vec<u8>) -> io::Result<bool> {
    let mut chunk = [0; 16 << 10];
    loop {
        match pipe.read(&mut chunk) {
            Ok(0) => return Ok(false),
            Ok(n) => {
                let room = KEPT_OUTPUT.saturating_sub(text.len()).min(n);
                text.extend_from_slice(&chunk[..room]);
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

fn pid(child: &Child) -> io::Result<Pid> {
    i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::other("process ID out of range"))
}

/// Kills the process group and waits a moment; false when the process is still there.
fn kill(mut child: Child) -> bool {
    if let Ok(pid) = pid(&child) {
        // The group may be gone already, and that is as good.
        let _ = rustix::process::kill_process_group(pid, Signal::KILL);
    }
    let _ = child.kill();
    let until = Instant::now() + REAP;
    loop {
        match child.try_wait() {
            Ok(Some(_)) | Err(_) => return true,
            Ok(None) if Instant::now() >= until => break,
            Ok(None) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    // Left to a thread of its own, so that it does not stay a zombie should it ever come back.
    LEFT_BEHIND.fetch_add(1, Ordering::AcqRel);
    std::thread::spawn(move || {
        let _ = child.wait();
        LEFT_BEHIND.fetch_sub(1, Ordering::AcqRel);
    });
    false
}

/// Commands of this process that were killed and are still there.
static LEFT_BEHIND: AtomicUsize = AtomicUsize::new(0);

/// How many commands were killed at their deadlines and have not ended yet: they hang in the kernel, on a stalled file
/// system, and whatever looks at the same would hang beside them.
pub(crate) fn left_behind() -> usize {
    LEFT_BEHIND.load(Ordering::Acquire)
}

#[cfg(test)]
mod tests;
