//! What does not outlive a failed operation, heard while it goes on: the agents' last words, and launches that failed.

use super::ports::{Launch, Stacks};
use super::watch::Pace;
use crate::model::InstanceId;
use crate::observe::agents::{ANSWER, ask};
use crate::observe::ports::Readings;
use crate::stack::Documents;
use crate::topology::GROUP;
use jiff::Timestamp;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::convert::Infallible;

/// Listens to the groups of a stack and their instances.
#[derive(Debug, Default)]
pub(super) struct Witness {
    /// By instance: when it was heard last, and its words.
    agents: Mutex<BTreeMap<String, (Timestamp, String)>>,
    /// By group.
    launches: Mutex<BTreeMap<String, Vec<Launch>>>,
}

impl Witness {
    /// The last error of the agent of an instance, with its instance and its time.
    pub(super) fn agent(&self, instance: &str) -> Option<String> {
        self.agents.lock().get(instance).map(|(_, words)| words.clone())
    }

    /// The last error that any agent told until an instant. Afterwards those speak that the way back has started.
    pub(super) fn last_agent(&self, until: Timestamp) -> Option<String> {
        let agents = self.agents.lock();
        let last = |before: bool| {
            let told = agents.values().filter(|(heard, _)| !before || *heard <= until);
            told.max_by_key(|(heard, _)| *heard).map(|(_, words)| words.clone())
        };
        // The two clocks need not agree.
        last(true).or_else(|| last(false))
    }

    /// Keeps what an agent told.
    fn heard(&self, instance: &str, since: &str, error: &str, now: Timestamp) {
        let words = format!("{instance} at {since}: {error}");
        self.agents.lock().insert(instance.to_owned(), (now, words));
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
            // A stack that is being made has no outputs yet.
            let documents = Documents::new(stack, |logical| {
                let found = resources.iter().find(|one| one.logical == logical);
                found.and_then(|one| one.physical.clone())
            });
            let mut members: Vec<InstanceId> = Vec::new();
            let groups = resources.iter().filter(|r| r.kind == GROUP);
            for name in groups.filter_map(|g| g.physical.as_deref()) {
                if let Ok(launches) = cloud.launches(name, from).await {
                    self.launches.lock().insert(name.to_owned(), launches);
                }
                let Ok(Some(group)) = cloud.group(name).await else {
                    continue;
                };
                members.extend(group.members.into_iter().map(|member| member.instance));
            }
            // One that hangs must not keep the others' last words from being heard.
            let asked: Vec<&InstanceId> = members.iter().collect();
            let said = ask(cloud, &documents, &asked, ANSWER).await;
            for (instance, status) in members.iter().zip(said) {
                if let Ok(status) = status
                    && let Some(error) = status.last_error
                {
                    self.heard(instance.as_str(), &status.since, &error, Timestamp::now());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_replacement_of_the_way_back_does_not_speak_for_the_one_that_failed() {
        let witness = Witness::default();
        let at = |second| Timestamp::from_second(second).expect("in range");
        witness.heard("i-new", "t", "AMQ8405I", at(1));
        witness.heard("i-back", "t", "waiting for the lock", at(9));
        assert_eq!(witness.agent("i-new").as_deref(), Some("i-new at t: AMQ8405I"));
        assert_eq!(witness.agent("i-mute"), None);
        assert_eq!(witness.last_agent(at(5)), witness.agent("i-new"));
        assert_eq!(witness.last_agent(at(0)), witness.agent("i-back"));
    }
}
