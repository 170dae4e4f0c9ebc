//! Finding and ending processes by an environment mark, of this user only, and by pid plus start time.
//!
//! A process that daemonised or made a session of its own keeps its environment, so the mark finds all processes of an
//! instance or of a lab. It never signals a pid without checking, through a pidfd, that it is still the same process.

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

/// Environment variable that marks every process of a lab; the value is the lab's id.
pub const LAB_MARK: &str = "MQAWS_LAB";
/// Environment variable that marks every process of an instance; the value is the instance's root directory.
pub(crate) const ROOT_MARK: &str = "MQAWS_LAB_ROOT";

/// A process that cannot be mistaken for a later one with the same pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Process {
    /// Process id.
    pub pid: i32,
    /// Start time in clock ticks since boot, field 22 of `/proc/PID/stat`.
    pub start_time: u64,
}

/// State, parent and start time of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) state: char,
    pub(super) parent: i32,
    start_time: u64,
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The command is in parentheses and may itself hold parentheses and spaces.
    let mut fields = text.get(text.rfind(')')? + 1..)?.split_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let start_time = fields.nth(17)?.parse().ok()?;
    Some(Stat {
        state,
        parent,
        start_time,
    })
}

pub(super) fn stat(pid: i32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Start time of a process in clock ticks since boot; none when there is no such process.
pub fn start_time(pid: i32) -> Option<u64> {
    stat(pid).map(|s| s.start_time)
}

/// Whether that very process exists and has not ended.
pub fn is_alive(process: Process) -> bool {
    stat(process.pid).is_some_and(|s| s.start_time == process.start_time && s.state != 'Z' && s.state != 'X')
}

/// Whether that very process exists and is stopped, as by `SIGSTOP`.
pub(super) fn is_stopped(process: Process) -> bool {
    stat(process.pid).is_some_and(|s| s.start_time == process.start_time && s.state == 'T')
}

pub(super) fn pids() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect()
}

/// Every living process of this user, except the calling one, whose environment has `name=value`.
pub fn marked(name: &str, value: &str) -> Vec<Process> {
    let wanted = format!("{name}={value}");
    let own = std::process::id();
    let user = rustix::process::geteuid().as_raw();
    pids()
        .into_iter()
        .filter(|pid| u32::try_from(*pid).is_ok_and(|pid| pid != own))
        .filter_map(|pid| {
            let path = format!("/proc/{pid}/environ");
            if fs::metadata(format!("/proc/{pid}")).ok()?.uid() != user {
                return None;
            }
            let before = stat(pid)?;
            let environment = fs::read(path).ok()?;
            let has = environment.split(|b| *b == 0).any(|entry| entry == wanted.as_bytes());
            (has && before.state != 'Z').then_some(Process {
                pid,
                start_time: before.start_time,
            })
        })
        .collect()
}

/// Sends a signal to exactly this process; false when it no longer exists or may not be signalled.
pub fn signal(process: Process, signal: Signal) -> bool {
    let Some(pid) = Pid::from_raw(process.pid) else {
        return false;
    };
    let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else {
        return false;
    };
    // The pidfd holds the process fast: what is checked now is what gets the signal.
    start_time(process.pid) == Some(process.start_time) && pidfd_send_signal(&handle, signal).is_ok()
}

/// Kills every process with the mark until none is left; returns those that could not be ended in time.
///
/// A process that forks while it is looked for is found in the next round, since its child inherits the mark.
pub(crate) fn kill_marked(name: &str, value: &str, limit: Duration) -> Vec<Process> {
    let deadline = Instant::now() + limit;
    loop {
        let found = marked(name, value);
        if found.is_empty() || Instant::now() >= deadline {
            return found;
        }
        for process in &found {
            signal(*process, Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn the_stat_line_is_read_past_odd_command_names() {
        let line = "4242 (a) b (c)) S 17 4242 4242 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654 1000 1";
        let expected = Stat {
            state: 'S',
            parent: 17,
            start_time: 987_654,
        };
        assert_eq!(parse_stat(line), Some(expected));
        assert_eq!(parse_stat("no parenthesis"), None);
    }

    #[test]
    fn a_mark_finds_daemons_in_sessions_of_their_own_and_kills_all_of_them() {
        let value = super::super::ids::uuid();
        let mut shell = Command::new("/bin/sh")
            .args(["-c", "setsid sh -c 'sleep 600 & sleep 600' & sleep 600"])
            .env("MQAWS_TEST_MARK", &value)
            .spawn()
            .expect("a shell starts");
        let deadline = Instant::now() + Duration::from_secs(20);
        while marked("MQAWS_TEST_MARK", &value).len() < 4 {
            assert!(Instant::now() < deadline, "the daemons never appeared");
            std::thread::sleep(Duration::from_millis(5));
        }
        let left = kill_marked("MQAWS_TEST_MARK", &value, Duration::from_secs(20));
        assert_eq!(left, Vec::new());
        shell.wait().expect("the shell was killed");
        assert_eq!(marked("MQAWS_TEST_MARK", &value), Vec::new());
    }

    #[test]
    fn a_later_process_with_the_same_pid_is_not_signalled() {
        let mut sleeper = Command::new("/bin/sleep").arg("600").spawn().expect("sleep starts");
        let pid = i32::try_from(sleeper.id()).expect("pids are small");
        let real = Process {
            pid,
            start_time: start_time(pid).expect("it runs"),
        };
        let impostor = Process {
            start_time: real.start_time + 1,
            ..real
        };
        assert!(!signal(impostor, Signal::KILL));
        assert!(is_alive(real));
        assert!(signal(real, Signal::KILL));
        sleeper.wait().expect("it was killed");
        assert!(!is_alive(real));
    }
}
