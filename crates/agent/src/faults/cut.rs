//! Cuts of this host's network: rules of the kernel's routing by which packets vanish that the host would send.
//!
//! A rule is before every route but those to the host itself, so a host that is cut still reaches its own services. What comes in is
//! heard; a peer cannot tell that from a host that hears nothing, since it is never answered.

use crate::model::agent::AgentConfig;
use crate::remedy::chain;
use mqaws_contract::InstanceFault;
use mqaws_engine::runner::{self, Command};
use std::path::Path;
use std::time::Duration;

/// Priority of the rules, by which they are found again: nobody else's.
const PRIORITY: &str = "17771";
/// Port of an NFS server, which EFS has as well.
const NFS: u16 = 2049;
/// Where `ip` is.
const IP: [&str; 2] = ["/usr/sbin/ip", "/sbin/ip"];
/// The most rules that one fault makes, and more than that.
const MOST: usize = 32;

/// What the rules of a fault say, behind their priority.
pub(super) fn rules(fault: InstanceFault, config: &AgentConfig) -> Vec<String> {
    match fault {
        InstanceFault::CutHost => vec!["blackhole".to_owned()],
        InstanceFault::CutOneWay => {
            let ports = config.ports.all();
            ports
                .map(|port| format!("ipproto tcp sport {port} blackhole"))
                .collect()
        }
        InstanceFault::StallStorage | InstanceFault::CutStorage => vec![format!("ipproto tcp dport {NFS} blackhole")],
        _ => Vec::new(),
    }
}

/// Adds the rules; what is there of them afterwards, as the kernel lists it.
///
/// # Errors
/// In words; then some of them may be there.
pub(super) fn add(rules: &[String]) -> Result<Vec<String>, String> {
    for rule in rules {
        ip(&format!("rule add pref {PRIORITY} {rule}"))?;
    }
    list()
}

/// Takes all rules away.
///
/// # Errors
/// In words; then some of them may be left.
pub(super) fn remove() -> Result<(), String> {
    for _ in 0..MOST {
        if list()?.is_empty() {
            return Ok(());
        }
        ip(&format!("rule del pref {PRIORITY}"))?;
    }
    Err(format!("rules with priority {PRIORITY} remain; see `ip rule`"))
}

/// The rules that are there.
fn list() -> Result<Vec<String>, String> {
    let text = ip(&format!("rule show pref {PRIORITY}"))?;
    Ok(text
        .lines()
        .filter(|line| line.contains("blackhole"))
        .map(str::to_owned)
        .collect())
}

fn ip(words: &str) -> Result<String, String> {
    let program = IP
        .iter()
        .find(|path| Path::new(path).exists())
        .ok_or("`ip` is not installed")?;
    let mut command = Command::new(*program).arg("-4").args(words.split(' '));
    command.deadline = Duration::from_secs(5);
    let done = runner::run(&command).map_err(|e| chain(&e))?;
    match done.code {
        0 => Ok(done.text),
        code => Err(format!("`ip {words}` exited with {code}: {}", done.text.trim())),
    }
}
