//! Faults on this instance: each is injected, and then looked for.

use super::layout::Layout;
use super::marks::{Marks, unix_nanos};
use super::status;
use crate::model::agent::{FaultReport, Mark, mark};
use crate::remedy::chain;
use mqaws_contract::InstanceFault;
use mqaws_engine::Engine;
use mqaws_engine::processes::{self, Process, signal, state, wait_for_end};
use rustix::process::Signal;
use std::fs;
use std::time::{Duration, Instant};

/// How long a fault may take to be seen.
const SEEN: Duration = Duration::from_secs(30);

/// Reads the word of a fault.
///
/// # Errors
/// In words.
pub(crate) fn parse(name: &str) -> Result<InstanceFault, String> {
    let known = InstanceFault::ALL.map(InstanceFault::name).join(", ");
    InstanceFault::of(name).ok_or_else(|| format!("unknown instance fault `{name}`; valid faults: {known}"))
}

/// Injects a fault and looks whether it happened.
///
/// # Errors
/// When there is nothing to injure, or the engine refused. What was injected but not seen is a report, not an error.
pub(crate) fn inject(fault: InstanceFault, layout: &Layout, engine: &dyn Engine) -> Result<FaultReport, String> {
    let victims = engine
        .host()
        .list()
        .map_err(|e| format!("list the engine's processes: {}", chain(&e)))?;
    let Some(controller) = victims.iter().find(|p| p.controller).map(|p| p.pid) else {
        return Err("the queue manager is not running on this host: there is no execution controller".to_owned());
    };
    announce(layout, controller)?;
    let t_unix_ns = unix_nanos();
    write_mark(layout, fault, t_unix_ns);
    let (verified, evidence) = match fault {
        InstanceFault::StopQueueManager => {
            let command = engine.end_immediately()?;
            let gone = ended(controller, SEEN);
            (
                gone,
                format!(
                    "{command}; the execution controller (process {controller}) {}",
                    gone_or_not(gone)
                ),
            )
        }
        InstanceFault::KillQueueManager => {
            for victim in &victims {
                signal(victim.pid, Signal::KILL);
            }
            let gone = victims.iter().all(|v| ended(v.pid, SEEN));
            (gone, format!("SIGKILL to {}; {}", named(&victims), gone_or_not(gone)))
        }
        InstanceFault::HangQueueManager => {
            for victim in &victims {
                signal(victim.pid, Signal::STOP);
            }
            let stopped = victims.iter().all(|v| is_stopped(v.pid));
            let seen = if stopped {
                "all in state T"
            } else {
                "not all in state T"
            };
            (stopped, format!("SIGSTOP to {}; {seen}", named(&victims)))
        }
    };
    Ok(FaultReport {
        fault: fault.name().to_owned(),
        verified,
        evidence,
        t_unix_ns,
    })
}

/// Tells the agent that this death is ordered, so that it does not count as an instability of the engine.
fn announce(layout: &Layout, controller: i32) -> Result<(), String> {
    let path = layout.ordered_deaths();
    fs::create_dir_all(layout.run())
        .and_then(|()| fs::write(&path, format!("{controller}\n")))
        .map_err(|e| format!("write {}: {e}", path.display()))
}

fn write_mark(layout: &Layout, fault: InstanceFault, t_unix_ns: i64) {
    let status = status::read(&layout.status()).ok().map(|f| f.status);
    let mark = Mark {
        t_unix_ns,
        instance: status.as_ref().map(|s| s.instance.clone()).unwrap_or_default(),
        epoch: status.and_then(|s| s.epoch).unwrap_or_default(),
        mark: mark::FAULT.to_owned(),
        detail: fault.name().to_owned(),
        waits: Vec::new(),
    };
    if let Err(error) = Marks::new(layout.marks()).append(&mark) {
        eprintln!("warning: the fault's mark was not written: {error}");
    }
}

fn ended(pid: i32, within: Duration) -> bool {
    wait_for_end(pid, Some(within)).unwrap_or(false) || matches!(processes::state(pid), None | Some('Z'))
}

fn is_stopped(pid: i32) -> bool {
    let deadline = Instant::now() + SEEN;
    loop {
        match state(pid) {
            Some('T') => return true,
            None | Some('Z') => return false,
            _ if Instant::now() > deadline => return false,
            _ => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

fn gone_or_not(gone: bool) -> &'static str {
    if gone { "is gone" } else { "is still there" }
}

fn named(victims: &[Process]) -> String {
    let names: Vec<String> = victims.iter().map(|v| format!("{} ({})", v.name, v.pid)).collect();
    names.join(", ")
}
