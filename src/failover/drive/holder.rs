//! Who tests a stack, as written into the mark on it, and whether that test still goes on.

use super::port::Turn;
use jiff::Timestamp;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use std::fmt;
use std::fs;

/// A process that cannot be mistaken for another of the same number: later, on another machine, or in another container.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Process {
    pid: i32,
    /// Clock ticks from the machine's boot.
    started: u64,
    /// The boot and the namespace in which the number counts.
    space: String,
}

/// Who tests a stack.
///
/// Written as `ann@laptop process 4242/88812/SPACE since TIME`; an earlier version wrote `ann process 4242 since TIME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holder {
    who: String,
    process: Option<Process>,
    since: String,
}

/// What is known of a process on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProcessState {
    /// It began at this clock tick.
    Started(u64),
    /// There is none of that number.
    Absent,
    /// Nobody here may know.
    Unknown,
}

/// Whether a test still goes on; the words say why that is thought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Life {
    /// It is over for certain.
    Over,
    /// It goes on, or that cannot be known.
    GoesOn(String),
}

impl Holder {
    /// This process, from `since` on.
    pub(super) fn own(since: String) -> Self {
        let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let who = match (user.as_deref().unwrap_or("unknown"), host.trim()) {
            (user, "") => user.to_owned(),
            (user, host) => format!("{user}@{host}"),
        };
        let pid = std::process::id().cast_signed();
        let process = match (look(pid), space()) {
            (ProcessState::Started(started), Some(space)) => Some(Process { pid, started, space }),
            _ => None,
        };
        Self {
            // The value of a tag takes few characters.
            who: who
                .chars()
                .map(|c| {
                    if c.is_ascii_alphanumeric() || "._@-".contains(c) {
                        c
                    } else {
                        '-'
                    }
                })
                .take(100)
                .collect(),
            process,
            since,
        }
    }

    fn read(text: &str) -> Option<Self> {
        let (head, since) = text.split_once(" since ")?;
        let (who, process) = head.split_once(" process ")?;
        let mut parts = process.splitn(3, '/');
        let pid = parts.next()?.parse().ok()?;
        let process = match (parts.next(), parts.next()) {
            (Some(started), Some(space)) => Some(Process {
                pid,
                started: started.parse().ok()?,
                space: space.to_owned(),
            }),
            _ => None,
        };
        Some(Self {
            who: who.to_owned(),
            process,
            since: since.to_owned(),
        })
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let process = match &self.process {
            Some(Process { pid, started, space }) => format!("{pid}/{started}/{space}"),
            None => std::process::id().to_string(),
        };
        write!(f, "{} process {process} since {}", self.who, self.since)
    }
}

/// The holder of a mark in words for people.
pub(super) fn named(text: &str) -> String {
    match Holder::read(text) {
        Some(Holder {
            who,
            process: Some(process),
            since,
        }) => format!("{who}, process {}, since {since}", process.pid),
        _ => text.to_owned(),
    }
}

/// Whether the test that made a mark still goes on, as far as it can be told from here.
pub(super) fn life(turn: &Turn, now: Timestamp) -> Life {
    judged(turn, now, space().as_deref(), look)
}

fn judged(turn: &Turn, now: Timestamp, here: Option<&str>, look: impl Fn(i32) -> ProcessState) -> Life {
    if turn.is_over(now) {
        return Life::Over;
    }
    let until = turn
        .until
        .map_or_else(|| "until it is removed".to_owned(), |until| format!("until {until:.0}"));
    let process = Holder::read(&turn.holder).and_then(|holder| holder.process);
    match process {
        Some(process) if here == Some(process.space.as_str()) => match look(process.pid) {
            ProcessState::Started(started) if started == process.started => {
                Life::GoesOn(format!("process {} runs on this machine", process.pid))
            }
            ProcessState::Started(_) | ProcessState::Absent => Life::Over,
            ProcessState::Unknown => {
                Life::GoesOn(format!("process {} cannot be inspected from this machine", process.pid))
            }
        },
        // Renewed every minute by a living test of this version; one of an earlier version lasts four hours.
        _ => Life::GoesOn(format!(
            "its process cannot be inspected from this machine, and its mark is valid {until}"
        )),
    }
}

/// Boot and process namespace of this process.
fn space() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    let number: String = namespace.to_str()?.chars().filter(char::is_ascii_digit).collect();
    Some(format!("{}.{number}", boot.trim()))
}

fn look(pid: i32) -> ProcessState {
    if let Ok(text) = fs::read_to_string(format!("/proc/{pid}/stat")) {
        // The name is in parentheses and may hold parentheses and blanks itself.
        let fields = text.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
        let fields: Vec<&str> = fields.split_whitespace().collect();
        return match (fields.first(), fields.get(19).and_then(|ticks| ticks.parse().ok())) {
            (Some(&("Z" | "X")), _) => ProcessState::Absent,
            (Some(_), Some(started)) => ProcessState::Started(started),
            _ => ProcessState::Unknown,
        };
    }
    // Other users' processes may be hidden there.
    match Pid::from_raw(pid).map(test_kill_process) {
        Some(Err(Errno::SRCH)) => ProcessState::Absent,
        _ => ProcessState::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "5f1c.4026531836";
    const NEW: &str = "ann@laptop process 4242/88812/5f1c.4026531836 since 2026-01-01T11:00:00Z";
    const OLD: &str = "ann process 4242 since 2026-01-01T11:00:00Z";

    fn turn(holder: &str, until: Option<&str>) -> Turn {
        Turn {
            holder: holder.into(),
            until: until.map(|until| until.parse().unwrap()),
        }
    }

    #[test]
    fn what_cannot_be_known_goes_on() {
        let now: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
        let (later, earlier) = (Some("2026-01-01T12:10:00Z"), Some("2026-01-01T11:59:00Z"));
        for (holder, until, here, seen, over) in [
            (NEW, later, Some(HERE), ProcessState::Started(88_812), false),
            (NEW, later, Some(HERE), ProcessState::Started(99_999), true),
            (NEW, later, Some(HERE), ProcessState::Absent, true),
            (NEW, later, Some(HERE), ProcessState::Unknown, false),
            // Another machine, another boot, another container: the number says nothing there.
            (NEW, later, Some("77aa.4026531836"), ProcessState::Absent, false),
            (NEW, later, Some("5f1c.4026539999"), ProcessState::Absent, false),
            (NEW, later, None, ProcessState::Absent, false),
            (NEW, earlier, Some("77aa.4026531836"), ProcessState::Absent, true),
            (NEW, None, Some("77aa.4026531836"), ProcessState::Absent, false),
            (OLD, later, Some(HERE), ProcessState::Absent, false),
            (OLD, earlier, Some(HERE), ProcessState::Unknown, true),
            ("whoever", later, Some(HERE), ProcessState::Absent, false),
            ("whoever", None, Some(HERE), ProcessState::Absent, false),
        ] {
            let life = judged(&turn(holder, until), now, here, |_| seen);
            assert_eq!(
                life == Life::Over,
                over,
                "{holder} {until:?} {here:?} {seen:?}: {life:?}"
            );
        }
    }

    #[test]
    fn this_process_goes_on_and_an_ended_one_does_not() {
        let own = Holder::own("2026-01-01T11:00:00Z".into());
        let text = own.to_string();
        assert_eq!(Holder::read(&text), Some(own));
        assert!(
            text.len() < 200
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || " +-=._:/@".contains(c))
        );
        assert!(named(&text).contains(&format!(", process {}, since 2026", std::process::id())));
        let now = Timestamp::now();
        assert!(matches!(life(&turn(&text, None), now), Life::GoesOn(_)));

        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id().cast_signed();
        let (ProcessState::Started(started), Some(space)) = (look(pid), space()) else {
            // Ended before it was looked at: a zombie is absent already.
            child.wait().unwrap();
            return assert_eq!(look(pid), ProcessState::Absent);
        };
        child.wait().unwrap();
        let ended = format!("ann@here process {pid}/{started}/{space} since 2026-01-01T11:00:00Z");
        assert_eq!(life(&turn(&ended, None), now), Life::Over);
    }
}
