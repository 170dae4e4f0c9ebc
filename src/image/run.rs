//! Running Packer: in a process group of its own, what it says followed in files, ended in order.
//!
//! Packer writes to files in the work directory rather than to pipes: should mqaws itself be killed, Packer does not die of
//! that, but ends the build and removes its instance. The image then is there, and no parameter names it.

use super::error::ImageError;
use super::log::Log;
use super::machine::{Line, Lines};
use super::packer::Packer;
use super::workshop::Workshop;
use parking_lot::{Mutex, MutexGuard};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// How long Packer may take to end after it was told to leave at once.
const AT_ONCE: Duration = Duration::from_secs(10);

/// Kills what runs and removes the work directory, for whoever leaves at once.
#[derive(Debug, Clone, Default)]
pub struct Killer(Arc<Mutex<Option<(Pid, PathBuf)>>>);

impl Killer {
    /// Kills Packer and removes the work directory, when there is one.
    pub fn kill(&self) {
        if let Some((group, dir)) = self.lock().take() {
            let _ = kill_process_group(group, Signal::KILL);
            let _ = std::fs::remove_dir_all(dir);
        }
    }

    fn arm(&self, group: Pid, dir: PathBuf) {
        *self.lock() = Some((group, dir));
    }

    fn disarm(&self) {
        self.lock().take();
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Pid, PathBuf)>> {
        self.0.lock()
    }
}

/// How a run of Packer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended {
    pub status: ExitStatus,
    /// Why it was asked to stop, when it was.
    pub stopped: Option<Stopped>,
    /// Whether it had to be killed.
    pub killed: bool,
}

/// Why Packer was asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stopped {
    ByUser,
    ByTime,
}

/// Limits of one run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub follow: Duration,
    pub whole: Duration,
    pub clean_up: Duration,
}

/// Packer in a work directory, with the environment that it gets.
#[derive(Debug)]
pub(super) struct Runner<'a> {
    pub packer: &'a Packer,
    pub shop: &'a Workshop,
    pub environment: &'a [(String, String)],
    pub killer: &'a Killer,
}

impl Runner<'_> {
    /// Runs `packer VERB -machine-readable …` and tells each of its lines, and its standard error, as they come.
    ///
    /// A wish to stop, or the end of the time, is one interrupt to Packer, as Ctrl-C in its terminal would be: it then
    /// removes what it made. It is killed when it does not end.
    pub(super) async fn run(
        &self,
        verb: &'static str,
        arguments: &[String],
        limits: Limits,
        stop: &watch::Receiver<bool>,
        log: &mut Log,
        mut tell: impl FnMut(&Line),
    ) -> Result<Ended, ImageError> {
        let mut out = Follow::begin(self.shop, verb, "out")?;
        let mut err = Follow::begin(self.shop, verb, "err")?;
        log.add(&format!("packer {verb} {}", arguments.join(" ")));
        let mut group = self.start(verb, arguments, &out, &err)?;
        let mut told = |log: &mut Log, out: &mut Follow, err: &mut Follow, last: bool| {
            for line in out.lines(last) {
                log.add(&line.told());
                tell(&line);
            }
            for line in err.lines(last) {
                log.add(&format!("stderr: {}", line.told()));
            }
        };
        let began = Instant::now();
        let mut asked: Option<(Stopped, Instant)> = None;
        let mut killed = false;
        let status = loop {
            told(log, &mut out, &mut err, false);
            if let Some(status) = group.child.try_wait().map_err(|source| failed("wait for", source))? {
                break status;
            }
            match asked {
                None => {
                    let wish = match *stop.borrow() {
                        true => Some(Stopped::ByUser),
                        false => (began.elapsed() > limits.whole).then_some(Stopped::ByTime),
                    };
                    if let Some(why) = wish {
                        log.add("mqaws: interrupting Packer");
                        group.signal(Signal::INT);
                        asked = Some((why, Instant::now()));
                    }
                }
                Some((_, since)) if !killed && since.elapsed() > limits.clean_up => {
                    log.add("mqaws: Packer does not end, killing it");
                    group.signal(Signal::KILL);
                    killed = true;
                }
                // Not even a killed process ends while the kernel waits for a device; what it left is told all the same.
                Some((_, since)) if since.elapsed() > limits.clean_up + AT_ONCE => {
                    log.add("mqaws: Packer does not end, leaving it");
                    break ExitStatus::from_raw(Signal::KILL.as_raw());
                }
                Some(_) => {}
            }
            tokio::time::sleep(limits.follow).await;
        };
        group.end();
        told(log, &mut out, &mut err, true);
        log.add(&format!("packer {verb}: {status}"));
        Ok(Ended {
            status,
            stopped: asked.map(|(why, _)| why),
            killed,
        })
    }

    fn start(&self, verb: &'static str, arguments: &[String], out: &Follow, err: &Follow) -> Result<Group, ImageError> {
        let open = |follow: &Follow| {
            let file = File::options().append(true).open(&follow.path);
            file.map_err(|source| failed("give a file to", source))
        };
        let mut command = Command::new(&self.packer.path);
        command
            .arg(verb)
            .args(arguments)
            .current_dir(self.shop.dir())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("TMPDIR", self.shop.at("tmp"))
            .env("PACKER_CACHE_DIR", self.shop.at("cache"))
            .env("PACKER_NO_COLOR", "1")
            // Otherwise it asks its maker for newer versions.
            .env("CHECKPOINT_DISABLE", "1")
            .stdin(Stdio::null())
            .stdout(open(out)?)
            .stderr(open(err)?)
            // Away from the terminal, so that Ctrl-C there reaches mqaws alone.
            .process_group(0);
        let child = command.spawn().map_err(|source| failed("start", source))?;
        let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let id = id.ok_or_else(|| failed("find", io::Error::other("it has no process ID")))?;
        self.killer.arm(id, self.shop.dir().to_owned());
        Ok(Group {
            child,
            id,
            killer: self.killer.clone(),
        })
    }
}

fn failed(action: &'static str, source: io::Error) -> ImageError {
    ImageError::Run { action, source }
}

/// Packer with its plugins; whatever still runs of it is killed when this is dropped.
struct Group {
    child: Child,
    id: Pid,
    killer: Killer,
}

impl Group {
    fn signal(&self, signal: Signal) {
        let _ = kill_process_group(self.id, signal);
    }

    /// Packer has ended; plugins that outlive it serve nobody.
    fn end(&self) {
        if test_kill_process_group(self.id).is_ok() {
            self.signal(Signal::KILL);
        }
        self.killer.disarm();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(Signal::KILL);
        }
        self.killer.disarm();
    }
}

/// A file that Packer writes and we read.
struct Follow {
    path: PathBuf,
    file: File,
    lines: Lines,
}

impl Follow {
    fn begin(shop: &Workshop, verb: &str, stream: &str) -> Result<Self, ImageError> {
        let path = shop.write(&format!("{verb}.{stream}"), "")?;
        let file = File::open(&path).map_err(|source| failed("follow", source))?;
        Ok(Self {
            path,
            file,
            lines: Lines::default(),
        })
    }

    /// The lines that came since; the last one too when there will be no more.
    fn lines(&mut self, last: bool) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut piece = [0; 64 * 1024];
        while let Ok(count @ 1..) = self.file.read(&mut piece) {
            lines.extend(self.lines.feed(&piece[..count]));
        }
        if last {
            lines.extend(self.lines.end());
        }
        lines
    }
}
