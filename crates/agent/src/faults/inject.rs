//! Injects one fault, and looks whether it happened.

use super::cut;
use super::lasting::Lasting;
use crate::agent::keeper::Keeper;
use crate::agent::layout::Layout;
use crate::agent::marks::{Marks, unix_nanos};
use crate::agent::only;
use crate::agent::status;
use crate::model::agent::{AgentConfig, FaultReport, Mark, mark};
use crate::remedy::chain;
use mqaws_contract::InstanceFault;
use mqaws_engine::Engine;
use mqaws_engine::processes::{self, Process, signal, state, wait_for_end};
use rustix::process::Signal;
use std::ffi::OsString;
use std::fs;
use std::time::{Duration, Instant};

/// How long a fault may take to be seen.
const SEEN: Duration = Duration::from_secs(30);

/// Where a fault is injected.
pub(crate) struct Site<'a> {
    /// Where things are on this host.
    pub(crate) layout: &'a Layout,
    /// The agent's configuration.
    pub(crate) config: &'a AgentConfig,
    /// The engine.
    pub(crate) engine: &'a dyn Engine,
    /// This program, and the arguments that lead to the agent's verbs.
    pub(crate) own: &'a [OsString],
}

/// Injects a fault and looks whether it happened; one that lasts does so for `time`.
///
/// # Errors
/// When there is nothing to injure, or the engine refused. What was injected but not seen is a report, not an error.
pub(crate) fn inject(site: &Site<'_>, fault: InstanceFault, time: Duration) -> Result<FaultReport, String> {
    let t_unix_ns = unix_nanos();
    let (verified, evidence) = match fault {
        InstanceFault::StopQueueManager | InstanceFault::KillQueueManager | InstanceFault::HangQueueManager => {
            at_engine(site, fault, t_unix_ns)?
        }
        InstanceFault::KillAgent => {
            let agent = agent(site)?;
            write_mark(site.layout, fault, t_unix_ns);
            killed(&agent)
        }
        InstanceFault::KillKeeper => {
            let keeper = keeper(site)?;
            // The agent ends an engine that nobody guards.
            if let Some(controller) = engine_processes(site)?.iter().find(|one| one.controller) {
                announce(site.layout, controller.pid)?;
            }
            write_mark(site.layout, fault, t_unix_ns);
            killed(&keeper)
        }
        InstanceFault::HangHost => hang_host(site, t_unix_ns, time)?,
        InstanceFault::CutHost | InstanceFault::CutOneWay | InstanceFault::StallStorage | InstanceFault::CutStorage => {
            cut_off(site, fault, t_unix_ns, time)?
        }
    };
    Ok(FaultReport {
        fault: fault.name().to_owned(),
        verified,
        evidence,
        t_unix_ns,
    })
}

fn engine_processes(site: &Site<'_>) -> Result<Vec<Process>, String> {
    let listed = site.engine.host().list();
    listed.map_err(|e| format!("cannot list the engine's processes: {}", chain(&e)))
}

fn at_engine(site: &Site<'_>, fault: InstanceFault, t_unix_ns: i64) -> Result<(bool, String), String> {
    let victims = engine_processes(site)?;
    let Some(controller) = victims.iter().find(|p| p.controller).map(|p| p.pid) else {
        return Err("the queue manager is not running on this host: there is no execution controller".to_owned());
    };
    announce(site.layout, controller)?;
    write_mark(site.layout, fault, t_unix_ns);
    Ok(match fault {
        InstanceFault::StopQueueManager => {
            let command = site.engine.end_immediately()?;
            let gone = ended(controller, SEEN);
            let said = format!(
                "{command}; the execution controller (process {controller}); {}",
                gone_or_not(gone)
            );
            (gone, said)
        }
        InstanceFault::KillQueueManager => {
            for victim in &victims {
                signal(victim.pid, Signal::KILL);
            }
            let gone = victims.iter().all(|v| ended(v.pid, SEEN));
            (
                gone,
                format!("SIGKILL sent to {}; {}", named(&victims), gone_or_not(gone)),
            )
        }
        _ => stopped(&victims),
    })
}

/// The agent's process, by the lock that it holds as long as it lives.
fn agent(site: &Site<'_>) -> Result<Process, String> {
    let pid = only::holder_of(&site.layout.agent_lock()).ok_or("no agent is running on this host")?;
    Ok(process(pid, "mqaws-agent"))
}

/// The keeper's process, by its own word.
fn keeper(site: &Site<'_>) -> Result<Process, String> {
    let status = Keeper::new(&site.layout.keeper_socket()).status();
    let pid = status.map_err(|e| format!("ask the lock keeper: {e}"))?.pid;
    let pid = i32::try_from(pid).map_err(|e| e.to_string())?;
    Ok(process(pid, "lock keeper"))
}

fn process(pid: i32, name: &str) -> Process {
    Process {
        pid,
        name: name.to_owned(),
        controller: false,
    }
}

fn killed(victim: &Process) -> (bool, String) {
    signal(victim.pid, Signal::KILL);
    let gone = ended(victim.pid, SEEN);
    (
        gone,
        format!(
            "SIGKILL sent to {} ({}); {}",
            victim.name,
            victim.pid,
            gone_or_not(gone)
        ),
    )
}

/// Stops everything of ours on this host. What init does meanwhile is its own: it is not stopped, and kills units that are silent for too
/// long.
fn hang_host(site: &Site<'_>, t_unix_ns: i64, time: Duration) -> Result<(bool, String), String> {
    // The engine first: a keeper that is stopped cannot end it, and an agent that is stopped cannot miss the keeper.
    let mut victims = engine_processes(site)?;
    victims.push(keeper(site)?);
    victims.push(agent(site)?);
    if let Some(controller) = victims.iter().find(|one| one.controller) {
        announce(site.layout, controller.pid)?;
    }
    let pids = victims.iter().map(|one| one.pid).collect();
    Lasting::begin(site.layout, site.own, InstanceFault::HangHost, time, pids, Vec::new())?;
    write_mark(site.layout, InstanceFault::HangHost, t_unix_ns);
    Ok(stopped(&victims))
}

fn stopped(victims: &[Process]) -> (bool, String) {
    for victim in victims {
        signal(victim.pid, Signal::STOP);
    }
    let all = victims.iter().all(|v| is_stopped(v.pid));
    let seen = if all { "all in state T" } else { "not all in state T" };
    (all, format!("SIGSTOP to {}; {seen}", named(victims)))
}

fn cut_off(site: &Site<'_>, fault: InstanceFault, t_unix_ns: i64, time: Duration) -> Result<(bool, String), String> {
    let rules = cut::rules(fault, site.config);
    Lasting::begin(site.layout, site.own, fault, time, Vec::new(), rules.clone())?;
    write_mark(site.layout, fault, t_unix_ns);
    let there = match cut::add(&rules) {
        Ok(there) => there,
        Err(why) => {
            super::heal(site.layout)?;
            return Err(why);
        }
    };
    let all = there.len() == rules.len() && !rules.is_empty();
    let said = format!(
        "the kernel lists {} of {} rules: {}",
        there.len(),
        rules.len(),
        there.join("; ")
    );
    Ok((all, said))
}

/// Tells the agent that this death is ordered, so that it does not count as an instability of the engine.
fn announce(layout: &Layout, controller: i32) -> Result<(), String> {
    let path = layout.ordered_deaths();
    fs::create_dir_all(layout.run())
        .and_then(|()| fs::write(&path, format!("{controller}\n")))
        .map_err(|e| format!("cannot write {}: {e}", path.display()))
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
    if gone { "process ended" } else { "process still running" }
}

fn named(victims: &[Process]) -> String {
    let names: Vec<String> = victims.iter().map(|v| format!("{} ({})", v.name, v.pid)).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// Planted defects: what is said to be done and is not, is not taken for seen.
    #[test]
    fn a_process_that_outlives_its_fault_is_no_evidence() {
        let mut sleeper = Command::new("sleep").arg("60").spawn().expect("sleep");
        let pid = i32::try_from(sleeper.id()).expect("a process id");
        assert!(!ended(pid, Duration::from_millis(50)));
        let (seen, said) = stopped(&[process(pid, "sleep")]);
        assert!(seen && said.ends_with("all in state T"), "{said}");
        signal(pid, Signal::CONT);
        let (seen, said) = killed(&process(pid, "sleep"));
        assert!(seen && said.ends_with("process ended"), "{said}");
        sleeper.wait().expect("reaped");
        let (seen, said) = stopped(&[process(pid, "sleep")]);
        assert!(!seen && said.ends_with("not all in state T"), "{said}");
    }
}
