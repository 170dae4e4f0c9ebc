//! `mqaws-agent pause`, `resume` and `failover`: what an operator orders.
//!
//! An order goes to the agent through a file, as a decision does. The agent has a stop kept beside the data, and only then says in its
//! status that it is in force.

use super::{print, status_of};
use crate::agent::duty::Event;
use crate::agent::layout::Layout;
use crate::model::agent::{AgentState, AgentStatus, Pause};
use mqaws_files::AtomicWrite;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::time::{Duration, Instant};

/// How long an order waits for the agent.
const ORDER: Duration = Duration::from_secs(15);

/// The longest reason that is kept, in characters.
const REASON: usize = 200;

/// An order on its way to the agent: `/run/mqaws/operator-order.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OperatorOrder {
    /// Nobody starts the queue manager.
    Pause(Pause),
    /// The end of that.
    Resume,
    /// Another host takes over.
    HandOver {
        /// Whether one is ready or not.
        unready: bool,
    },
}

impl From<OperatorOrder> for Event {
    fn from(order: OperatorOrder) -> Self {
        match order {
            OperatorOrder::Pause(pause) => Self::Pause(pause),
            OperatorOrder::Resume => Self::Resume,
            OperatorOrder::HandOver { unready } => Self::HandOver { unready },
        }
    }
}

impl OperatorOrder {
    /// Takes the order away, if there is one; what cannot be read is none, nor is what nobody waits for any more.
    pub(crate) fn take(layout: &Layout) -> Option<Self> {
        let path = layout.operator_order();
        let text = fs::read(&path).ok()?;
        let written = fs::metadata(&path).and_then(|meta| meta.modified());
        let waited_for = written.is_ok_and(|at| at.elapsed().is_ok_and(|age| age <= ORDER));
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!(%error, "an operator's order cannot be removed and is ignored");
            return None;
        }
        if !waited_for {
            tracing::warn!("an operator's order that is no longer pending is ignored");
            return None;
        }
        serde_json::from_slice(&text)
            .inspect_err(|error| tracing::warn!(%error, "an operator's order cannot be read"))
            .ok()
    }

    fn put(&self, layout: &Layout) -> io::Result<()> {
        fs::create_dir_all(layout.run())?;
        AtomicWrite::to(&layout.operator_order()).write(&serde_json::to_vec(self)?)
    }
}

/// Stops the queue manager for whoever has the data, until it is resumed.
///
/// # Errors
/// When this host does not serve, or its agent does not confirm.
pub(super) fn pause(layout: &Layout, why: Option<&str>) -> Result<(), String> {
    let status = status_of(layout)?;
    match status.current_state() {
        AgentState::Paused => return print(&status),
        AgentState::Serving => {}
        other => {
            return Err(format!(
                "only the host that serves can pause the queue manager, and the agent is {other}; nothing was paused"
            ));
        }
    }
    let pause = Pause {
        since: jiff::Timestamp::now().strftime("%FT%TZ").to_string(),
        by: operator(|name| std::env::var(name).ok()),
        why: why.map(|why| why.chars().take(REASON).collect()),
    };
    send(layout, &OperatorOrder::Pause(pause), |status| {
        status.state == AgentState::Paused
    })
}

/// Ends an operator's stop, and with it what keeps the queue manager from being started.
///
/// # Errors
/// When there is none that this host could end, or its agent does not confirm.
pub(super) fn resume(layout: &Layout) -> Result<(), String> {
    let status = status_of(layout)?;
    if *status.current_state() != AgentState::Paused {
        // An order that is repeated is no error, and neither is one without need.
        return match status.lock_held {
            true => print(&status),
            false => Err(format!(
                "the queue manager is resumed on the host that has its data, and the agent is {}; nothing was resumed",
                status.current_state()
            )),
        };
    }
    send(layout, &OperatorOrder::Resume, |status| {
        status.state != AgentState::Paused
    })
}

/// Ends the queue manager here and lets go of the data, so that the host that is ready takes over.
///
/// # Errors
/// When this host does not serve, when none is ready and `unready` does not say that this is known, or the agent does not confirm.
pub(super) fn fail_over(layout: &Layout, unready: bool) -> Result<(), String> {
    let status = status_of(layout)?;
    match (status.current_state(), status.standby_ready) {
        (AgentState::Serving, Some(true)) => {}
        (AgentState::Serving, Some(false)) if unready => {}
        (AgentState::Serving, Some(false)) => {
            return Err("no host is ready to take over, so nothing was moved".to_owned());
        }
        (AgentState::Serving, None) => {
            return Err("in this topology no host waits to take over, so nothing was moved".to_owned());
        }
        (other, _) => {
            return Err(format!(
                "only the host that serves can move the queue manager, and the agent is {other}; nothing was moved"
            ));
        }
    }
    // Whatever comes next: the order was taken.
    let order = OperatorOrder::HandOver { unready };
    send(layout, &order, |status| status.state != AgentState::Serving)
}

fn send(layout: &Layout, order: &OperatorOrder, done: impl Fn(&AgentStatus) -> bool) -> Result<(), String> {
    let path = layout.operator_order();
    order
        .put(layout)
        .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    let deadline = Instant::now() + ORDER;
    loop {
        let status = status_of(layout)?;
        if done(&status) {
            return print(&status);
        }
        if Instant::now() > deadline {
            // Nobody may obey it later, when it was forgotten.
            let withdrawn = fs::remove_file(&path).is_ok();
            let why = status.last_error.map(|error| format!(": {error}")).unwrap_or_default();
            return Err(format!(
                "the agent, which is {}, did not confirm{why}; {}",
                status.state,
                match withdrawn {
                    true => "the order was withdrawn",
                    false => "check with `mqaws-agent status`",
                }
            ));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Who gives an order, as this host knows them. Systems Manager runs all commands as one user, and tells who sent one to CloudTrail alone.
fn operator(variable: impl Fn(&str) -> Option<String>) -> String {
    let named = |name: &str| variable(name).filter(|value| !value.is_empty());
    if named("AWS_SSM_INSTANCE_ID").is_some() {
        return "Systems Manager".to_owned();
    }
    ["SUDO_USER", "LOGNAME", "USER"]
        .into_iter()
        .find_map(named)
        .unwrap_or_else(|| format!("user ID {}", rustix::process::getuid().as_raw()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_taken_once_and_not_when_nobody_waits_for_it() {
        let dir = tempfile::tempdir().expect("tempdir");
        let layout = Layout::new(dir.path());
        assert_eq!(OperatorOrder::take(&layout), None);
        for order in [
            OperatorOrder::Resume,
            OperatorOrder::Pause(Pause::default()),
            OperatorOrder::HandOver { unready: true },
        ] {
            order.put(&layout).expect("put");
            assert_eq!(OperatorOrder::take(&layout), Some(order));
            assert_eq!(OperatorOrder::take(&layout), None);
        }
        OperatorOrder::Resume.put(&layout).expect("put");
        let file = fs::File::options().write(true).open(layout.operator_order());
        let left = std::time::SystemTime::now() - ORDER - Duration::from_secs(1);
        file.expect("file").set_modified(left).expect("interrupted");
        assert_eq!(OperatorOrder::take(&layout), None);
        assert!(!layout.operator_order().exists());
    }

    #[test]
    fn who_gives_an_order_is_named_as_the_host_knows_them() {
        let of = |set: &[(&str, &str)]| {
            operator(|name| {
                set.iter()
                    .find(|(known, _)| *known == name)
                    .map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(of(&[("SUDO_USER", "ana"), ("USER", "root")]), "ana");
        assert_eq!(
            of(&[("USER", "root"), ("AWS_SSM_INSTANCE_ID", "i-1")]),
            "Systems Manager"
        );
        assert_eq!(of(&[("SUDO_USER", ""), ("USER", "root")]), "root");
        assert!(of(&[]).starts_with("user ID "));
    }
}
