//! Commands that run, what they said, and waiting with a deadline.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

/// No command and no wait of these tests takes longer on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(300);

/// Waits for something, with a deadline.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "never within {LIMIT:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What a command said, and how it ended.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    /// Its exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {:?}\n{}\n{}", self.code, self.out, self.err)
    }
}

impl From<&Output> for Said {
    fn from(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }
}

impl Said {
    /// Both of its outputs, the standard one first.
    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    /// Its standard output as one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self}"))
    }
}

/// Runs a command to its end.
pub(crate) fn said(command: &mut Command) -> Said {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    Said::from(&output)
}

/// What a file says.
fn text(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).expect("a file")).into_owned()
}

/// A command that runs. Its outputs go to files, so that no pipe can fill up.
pub(crate) struct Running {
    pub child: Child,
    pub out: PathBuf,
    pub err: PathBuf,
}

impl Running {
    /// Starts a command whose outputs go to hidden files in this folder.
    pub(crate) fn start(mut command: Command, folder: &Path) -> Self {
        use std::hash::{BuildHasher, Hasher};
        let name = std::hash::RandomState::new().build_hasher().finish();
        let path = |end: &str| folder.join(format!(".{name:x}.{end}"));
        let (out, err) = (path("out"), path("err"));
        let child = command
            .stdout(File::create(&out).expect("a file"))
            .stderr(File::create(&err).expect("a file"))
            .spawn()
            .unwrap_or_else(|e| panic!("{command:?}: {e}"));
        Self { child, out, err }
    }

    /// Whether it has ended.
    pub(crate) fn is_over(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).expect("a pid");
        kill_process(pid, signal).expect("it lives");
    }

    /// Waits until its standard output has these words.
    #[track_caller]
    pub(crate) fn until_out(&mut self, words: &str) {
        let out = self.out.clone();
        self.until_said(&out, words);
    }

    /// Waits until its standard error has these words.
    #[track_caller]
    pub(crate) fn until_err(&mut self, words: &str) {
        let err = self.err.clone();
        self.until_said(&err, words);
    }

    #[track_caller]
    fn until_said(&mut self, place: &Path, words: &str) {
        until(words, || {
            // Looked at first: what it said last is there when it is over.
            let over = self.is_over();
            let found = text(place).contains(words);
            assert!(found || !over, "it ended without {words}: {}", text(&self.err));
            found.then_some(())
        });
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(mut self) -> Said {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return Said {
                    code: status.code(),
                    out: text(&self.out),
                    err: text(&self.err),
                };
            }
            if Instant::now() > deadline {
                self.child.kill().expect("killed");
                self.child.wait().expect("reaped");
                panic!("not done within {LIMIT:?}: {}", text(&self.err));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
