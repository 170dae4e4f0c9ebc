//! What an agent says that it does.

use crate::words::words;

words! {
    /// State of an agent, in the order of a start.
    #[derive(Default)]
    pub enum AgentState {
        /// Learns who and where it is.
        #[default]
        Booting = "booting",
        /// Mounts the shared file system.
        Mounting = "mounting",
        /// Waits for the lock and a proof that the previous owner writes no more.
        Fencing = "fencing",
        /// It is ready to take over: all is prepared, another host has the lock, and its sign of life advances.
        Standby = "standby",
        /// Creates the queue manager or makes it known to this host.
        Adopting = "adopting",
        /// Starts it; replaying its log belongs to this.
        Starting = "starting",
        /// Its engine runs and becomes a member of the cluster, or waits for the others; it serves nobody yet.
        Joining = "joining",
        /// It serves, whatever the topology: what the deploying side waits for.
        Serving = "serving",
        /// It died or hung and is started again in place.
        Restarting = "restarting",
        /// This instance gave up and asked to be replaced.
        Condemned = "condemned",
        /// It is being stopped in order.
        Draining = "draining",
        /// It is stopped, the lock is released.
        Stopped = "stopped",
        /// An operator stopped the queue manager, and no host starts it until it is resumed.
        Paused = "paused",
        /// Nobody can tell, as of a status that is too old, or of an agent that does not run; no agent says so of itself.
        Unknown = "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_travels_as_its_word_and_one_of_another_version_is_kept() {
        for state in AgentState::ALL {
            assert_eq!(AgentState::from(String::from(state.clone())), *state);
        }
        assert_eq!(AgentState::Serving.as_str(), "serving");
        let new = AgentState::from("replicating");
        assert_eq!(new, AgentState::Other("replicating".into()));
        assert_eq!(new.as_str(), "replicating");
    }
}
