//! One script on one host: run within a time limit, what it prints kept up to another.

use crate::instance::Host;
use parking_lot::Mutex;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Characters of standard output that GetCommandInvocation returns.
const OUTPUT_LIMIT: usize = 24_000;
/// Characters of standard error that GetCommandInvocation returns.
const ERROR_LIMIT: usize = 8_000;
/// Mark at the end of a text that was cut, as AWS writes it.
const CUT: &str = "\n---Output truncated---";

/// How a script ended.
pub(super) enum End {
    /// With this exit code, or 128 and the signal that ended it.
    Exit(i32),
    /// Not within its time.
    TimedOut,
    /// Its host went first.
    HostGone,
}

/// What became of a script.
pub(super) struct Outcome {
    /// How it ended.
    pub(crate) end: End,
    /// Its standard output.
    pub(crate) output: String,
    /// Its standard error.
    pub(crate) error: String,
}

/// How often a host that cannot be reached is looked at again.
const RETRY: Duration = Duration::from_millis(100);

/// Whether a host can be reached, or is about to go, within a time limit. Systems Manager's agent fetches commands, so one that is sent to
/// a host without a network waits, and is delivered when the network is back.
pub(super) async fn is_reached(host: &Host, limit: Duration) -> bool {
    let began = Instant::now();
    while !host.is_stopping() && !host.is_reachable().await {
        if began.elapsed() >= limit {
            return false;
        }
        tokio::time::sleep(RETRY).await;
    }
    true
}

/// Runs a script on a host within a time limit; a script that is too slow is killed with all its children.
pub(super) async fn execute(host: &Host, script: &str, limit: Duration) -> Outcome {
    let failed = |error: String| Outcome {
        end: End::Exit(127),
        output: String::new(),
        error,
    };
    if host.is_stopping() {
        return Outcome {
            end: End::HostGone,
            ..failed(String::new())
        };
    }
    let mut command = host.shell(script);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = match host.spawn(command).await {
        Ok(child) => child,
        Err(e) => return failed(format!("cannot run /bin/sh: {e}")),
    };
    let group = child
        .id()
        .and_then(|pid| rustix::process::Pid::from_raw(i32::try_from(pid).ok()?));
    let output = Pipe::read(child.stdout.take(), OUTPUT_LIMIT);
    let errors = Pipe::read(child.stderr.take(), ERROR_LIMIT);
    let ended = tokio::time::timeout(limit, child.wait()).await;
    let end = match ended {
        Ok(Ok(status)) => match (status.code(), host.is_stopping()) {
            (Some(code), _) => End::Exit(code),
            (None, true) => End::HostGone,
            (None, false) => {
                use std::os::unix::process::ExitStatusExt;
                End::Exit(128 + status.signal().unwrap_or(0))
            }
        },
        Ok(Err(_)) => End::Exit(-1),
        Err(_) => {
            if let Some(group) = group {
                // The child is not reaped yet, so its process group cannot be another's.
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            let _ = child.wait().await;
            End::TimedOut
        }
    };
    Outcome {
        end,
        output: output.text().await,
        error: errors.text().await,
    }
}

/// What comes out of a pipe, up to a limit.
struct Pipe {
    kept: Arc<Mutex<(Vec<u8>, bool)>>,
    reader: tokio::task::JoinHandle<()>,
}

impl Pipe {
    /// Begins to read; what is beyond the limit is read and dropped.
    fn read(pipe: Option<impl AsyncRead + Unpin + Send + 'static>, limit: usize) -> Self {
        let kept: Arc<Mutex<(Vec<u8>, bool)>> = Arc::default();
        let into = kept.clone();
        let reader = tokio::spawn(async move {
            let Some(mut pipe) = pipe else {
                return;
            };
            let mut buffer = vec![0; 16 * 1024];
            while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
                let mut kept = into.lock();
                let room = limit.saturating_sub(kept.0.len());
                kept.0.extend_from_slice(&buffer[..count.min(room)]);
                kept.1 |= count > room;
            }
        });
        Self { kept, reader }
    }

    /// The text so far, at the pipe's end or shortly after: a daemon that the script left behind may hold it open for ever.
    async fn text(self) -> String {
        let stop = self.reader.abort_handle();
        let _ = tokio::time::timeout(Duration::from_millis(500), self.reader).await;
        stop.abort();
        let kept = self.kept.lock();
        let mut text = String::from_utf8_lossy(&kept.0).into_owned();
        if kept.1 {
            text.push_str(CUT);
        }
        text
    }
}
