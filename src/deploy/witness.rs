//! What does not outlive a failed operation, heard while it goes on: the agents' last words, and launches that failed.

use super::ports::{Launch, Stacks};
use super::watch::Pace;
use crate::observe::ports::Readings;
use crate::topology::GROUP;
use jiff::Timestamp;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::convert::Infallible;

/// Listens to the groups of a stack and their instances.
#[derive(Debug, Default)]
pub(super) struct Witness {
    agent: Mutex<Option<String>>,
    /// By group.
    launches: Mutex<BTreeMap<String, Vec<Launch>>>,
}

impl Witness {
    /// An agent's last error, with its instance and its time.
    pub(super) fn agent(&self) -> Option<String> {
        self.agent.lock().clone()
    }

    /// Launches since the operation began, as they were seen last.
    pub(super) fn launches(&self) -> Vec<Launch> {
        self.launches.lock().values().flatten().cloned().collect()
    }

    /// Those of one group.
    pub(super) fn launches_of(&self, group: &str) -> Vec<Launch> {
        self.launches.lock().get(group).cloned().unwrap_or_default()
    }

    /// Listens as long as it is polled; whatever cannot be read is not said.
    pub(super) async fn listen<C: Readings + Stacks>(
        &self,
        cloud: &C,
        stack: &str,
        from: Timestamp,
        pace: Pace,
    ) -> Infallible {
        loop {
            tokio::time::sleep(pace.agent).await;
            let Ok(resources) = cloud.resources(stack).await else {
                continue;
            };
            let groups = resources.iter().filter(|r| r.kind == GROUP);
            for name in groups.filter_map(|g| g.physical.as_deref()) {
                if let Ok(launches) = cloud.launches(name, from).await {
                    self.launches.lock().insert(name.to_owned(), launches);
                }
                let Ok(Some(group)) = cloud.group(name).await else {
                    continue;
                };
                for member in &group.members {
                    if let Ok(status) = cloud.agent_status(&member.instance).await
                        && let Some(error) = status.last_error
                    {
                        *self.agent.lock() = Some(format!("{} at {}: {error}", member.instance, status.since));
                    }
                }
            }
        }
    }
}
