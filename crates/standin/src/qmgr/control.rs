//! How commands talk to a running queue manager: one JSON line there, one back, over a socket in the host's own directory.

use std::{
    io::{self, BufRead, BufReader, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
};

use mqaws_files::SocketPath;
use serde::{Deserialize, Serialize};

const SOCKET: &str = "control";

/// What a command asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub(crate) enum Request {
    /// Run MQSC.
    Mqsc { text: String },
    /// End the queue manager.
    End { mode: Mode },
}

/// How it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    /// Let what is under way end.
    Controlled,
    /// Let puts under way end.
    Immediate,
    /// At once.
    Preemptive,
}

/// What it answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub(crate) enum Reply {
    /// What MQSC printed, and the exit code.
    Mqsc { text: String, code: u8 },
    /// It ends; the process that will be gone.
    Ending { pid: u32 },
}

/// Sends one request and waits for the reply, as long as it takes: a queue manager that hangs does not answer.
pub(crate) fn ask(local: &Path, request: &Request) -> io::Result<Reply> {
    let mut stream = UnixStream::connect(SocketPath::of(&local.join(SOCKET))?)?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut reply = String::new();
    BufReader::new(stream).read_line(&mut reply)?;
    if reply.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_str(&reply)?)
}

/// Opens the socket; one that a dead predecessor left is replaced.
pub(crate) fn listen(local: &Path) -> io::Result<UnixListener> {
    let path = local.join(SOCKET);
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    UnixListener::bind(SocketPath::of(&path)?)
}

/// Removes the socket at an orderly end.
pub(crate) fn remove(local: &Path) {
    // Should it be gone already, all the better.
    let _ = std::fs::remove_file(local.join(SOCKET));
}

/// Answers one connection; `answer` gives the reply and whether it must be sent before it takes effect.
pub(crate) fn serve(stream: UnixStream, answer: impl FnOnce(Request) -> Reply) -> io::Result<()> {
    let mut line = String::new();
    BufReader::new(stream.try_clone()?).read_line(&mut line)?;
    let reply = answer(serde_json::from_str(&line)?);
    let mut line = serde_json::to_vec(&reply)?;
    line.push(b'\n');
    (&stream).write_all(&line)
}
