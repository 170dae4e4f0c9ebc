//! The agent's side of the socket.

use super::protocol::{KeeperStatus, Notice, Reply, Request};
use super::work::{ClaimError, Claimed, Looked};
use crate::fence::{Inspection, Proof};
use crate::model::agent::Pause;
use mqaws_engine::{Command, Output, RunError};
use mqaws_files::SocketPath;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest wait for an answer that needs no file system.
const QUICK: Duration = Duration::from_secs(2);
/// Longest wait for one that does. A longer one is a failure for now; the keeper goes on.
const SLOW: Duration = Duration::from_secs(15);

/// The keeper on this host, by its socket.
#[derive(Debug, Clone)]
pub(crate) struct Keeper {
    socket: PathBuf,
}

/// A connection on which the keeper tells what happens. Its end is the keeper's.
#[derive(Debug)]
pub(crate) struct Watch {
    lines: BufReader<UnixStream>,
}

impl Keeper {
    /// The keeper behind this socket.
    pub(crate) fn new(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
        }
    }

    fn connect(&self, timeout: Duration) -> io::Result<UnixStream> {
        let stream = UnixStream::connect(SocketPath::of(&self.socket)?)?;
        stream.set_write_timeout(Some(QUICK))?;
        stream.set_read_timeout(Some(timeout))?;
        Ok(stream)
    }

    fn ask(&self, request: &Request, timeout: Duration) -> io::Result<Reply> {
        let mut lines = BufReader::new(self.connect(timeout)?);
        exchange(&mut lines, request)
    }

    /// How things are; an error when no keeper answers.
    ///
    /// # Errors
    /// No keeper, or none that answers.
    pub(crate) fn status(&self) -> io::Result<KeeperStatus> {
        self.ask(&Request::Status, QUICK)?.status.ok_or_else(unexpected)
    }

    /// How things are, and what happens from then on.
    ///
    /// # Errors
    /// No keeper, or none that answers.
    pub(crate) fn watch(&self) -> io::Result<(KeeperStatus, Watch)> {
        let mut lines = BufReader::new(self.connect(QUICK)?);
        let status = exchange(&mut lines, &Request::Watch)?.status.ok_or_else(unexpected)?;
        lines.get_ref().set_read_timeout(None)?;
        Ok((status, Watch { lines }))
    }

    /// Record and data state.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn inspect(&self) -> Result<Inspection, String> {
        let reply = self.ask(&Request::Inspect, SLOW).map_err(no_answer)?;
        match reply.found {
            Some(found) => Ok(found.view()),
            None => Err(refusal(reply)),
        }
    }

    /// Notes that this host waits for the lock; record and data state, read without it.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn wait(&self, ready: bool) -> Result<Inspection, String> {
        let reply = self.ask(&Request::Wait { ready }, SLOW).map_err(no_answer)?;
        match reply.found {
            Some(found) => Ok(found.view()),
            None => Err(refusal(reply)),
        }
    }

    /// Writes the record for the next epoch.
    ///
    /// # Errors
    /// [`ClaimError`].
    pub(crate) fn claim(&self, proof: Proof) -> Result<Claimed, ClaimError> {
        let reply = self
            .ask(&Request::Claim { proof }, SLOW)
            .map_err(|e| ClaimError::Failed(no_answer(e)))?;
        match reply.epoch {
            Some(epoch) => Ok(Claimed {
                epoch,
                paused: reply.paused,
            }),
            None if reply.changed => Err(ClaimError::Changed),
            None => Err(ClaimError::Failed(refusal(reply))),
        }
    }

    /// The sign of life in the record that was last inspected.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn look(&self) -> Result<Looked, String> {
        let reply = self.ask(&Request::Look, SLOW).map_err(no_answer)?;
        match reply.alive {
            Some(alive) => Ok(Looked::Alive(alive)),
            None if reply.changed => Ok(Looked::Changed),
            None => Err(refusal(reply)),
        }
    }

    /// Gives the lock back for a while to an owner that lives; an error if it is to be kept.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn stand_back(&self) -> Result<(), String> {
        done(self.ask(&Request::StandBack, SLOW).map_err(no_answer)?)
    }

    /// Writes into the record which engine writes the data.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn level(&self, engine_version: String) -> Result<(), String> {
        done(self.ask(&Request::Level { engine_version }, SLOW).map_err(no_answer)?)
    }

    /// Keeps the operator's stop beside the data, or ends it.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn pause(&self, pause: Option<Pause>) -> Result<(), String> {
        done(self.ask(&Request::Pause { pause }, SLOW).map_err(no_answer)?)
    }

    /// Notes with the next sign of life that this instance has served.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn note_served(&self) -> Result<(), String> {
        done(self.ask(&Request::NoteServed, SLOW).map_err(no_answer)?)
    }

    /// Runs a command in the keeper's unit, to its end or its deadline.
    ///
    /// # Errors
    /// [`RunError`]; without a keeper, or without its lock, the command is not started.
    pub(crate) fn run(&self, command: &Command) -> Result<Output, RunError> {
        let request = Request::Run { order: command.into() };
        let line = || command.to_string();
        let mut lines =
            BufReader::new(
                self.connect(command.deadline + SLOW)
                    .map_err(|source| RunError::CouldNotStart {
                        command: line(),
                        source,
                    })?,
            );
        let reply = exchange(&mut lines, &request).map_err(|source| RunError::CouldNotFollow {
            command: line(),
            source,
        })?;
        match reply {
            Reply { ran: Some(ran), .. } => ran.result(command),
            refused => Err(RunError::CouldNotStart {
                command: line(),
                source: io::Error::other(refusal(refused)),
            }),
        }
    }

    /// Lets the data go; the keeper then ends.
    ///
    /// No keeper is an error: one that died has let go of nothing, and the next one has to.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn release(&self, condemned: bool) -> Result<(), String> {
        done(self.ask(&Request::Release { condemned }, SLOW).map_err(no_answer)?)
    }
}

impl Watch {
    /// The next notice; `None` when the keeper has ended.
    pub(crate) fn next_notice(&mut self) -> Option<Notice> {
        loop {
            let mut line = String::new();
            match self.lines.read_line(&mut line) {
                Ok(0) => return None,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return None,
                // A notice of a later version is none of ours.
                Ok(_) => match serde_json::from_str(&line) {
                    Ok(notice) => return Some(notice),
                    Err(error) => tracing::debug!(%error, "unknown notice"),
                },
            }
        }
    }
}

fn exchange(lines: &mut BufReader<UnixStream>, request: &Request) -> io::Result<Reply> {
    let mut text = serde_json::to_vec(request)?;
    text.push(b'\n');
    lines.get_mut().write_all(&text)?;
    let mut line = String::new();
    if lines.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_str(&line)?)
}

fn unexpected() -> io::Error {
    io::Error::other("the keeper's response has no status")
}

fn no_answer(error: io::Error) -> String {
    format!("no response from the lock keeper: {error}")
}

fn refusal(reply: Reply) -> String {
    reply
        .error
        .unwrap_or_else(|| "the lock keeper gave no reason".to_owned())
}

fn done(reply: Reply) -> Result<(), String> {
    if reply.ok { Ok(()) } else { Err(refusal(reply)) }
}
