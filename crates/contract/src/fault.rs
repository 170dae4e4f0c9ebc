//! The faults that an agent injects on its own instance: words that the deploying side says and the agent obeys.

/// A fault that an instance can be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceFault {
    /// An orderly stop behind the agent's back.
    StopQueueManager,
    /// SIGKILL to all processes of the queue manager, the execution controller first.
    KillQueueManager,
    /// SIGSTOP to all of them.
    HangQueueManager,
}

impl InstanceFault {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::StopQueueManager, Self::KillQueueManager, Self::HangQueueManager];

    /// Its word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StopQueueManager => "stop-queue-manager",
            Self::KillQueueManager => "kill-queue-manager",
            Self::HangQueueManager => "hang-queue-manager",
        }
    }

    /// The one of this word.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == name)
    }
}
