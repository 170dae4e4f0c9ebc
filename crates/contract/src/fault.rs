//! The faults that an agent injects on its own instance: words that the deploying side says and the agent obeys.

use std::fmt;
use std::time::Duration;

/// A fault that an instance can be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceFault {
    /// An orderly stop behind the agent's back.
    StopQueueManager,
    /// SIGKILL to all processes of the queue manager, the execution controller first.
    KillQueueManager,
    /// SIGSTOP to all of them.
    HangQueueManager,
    /// SIGKILL to the agent.
    KillAgent,
    /// SIGKILL to the lock keeper.
    KillKeeper,
    /// SIGSTOP to agent, keeper and queue manager, for a time.
    HangHost,
    /// Nothing leaves the host, for a time.
    CutHost,
    /// What the host answers clients is lost, for a time; it hears them, and reaches everything else.
    CutOneWay,
    /// Nothing leaves the host for its NFS server, for less than a lease.
    StallStorage,
    /// The same, for longer than a lease.
    CutStorage,
}

impl InstanceFault {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::StopQueueManager,
        Self::KillQueueManager,
        Self::HangQueueManager,
        Self::KillAgent,
        Self::KillKeeper,
        Self::HangHost,
        Self::CutHost,
        Self::CutOneWay,
        Self::StallStorage,
        Self::CutStorage,
    ];

    /// Its word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StopQueueManager => "stop-queue-manager",
            Self::KillQueueManager => "kill-queue-manager",
            Self::HangQueueManager => "hang-queue-manager",
            Self::KillAgent => "kill-agent",
            Self::KillKeeper => "kill-keeper",
            Self::HangHost => "hang-host",
            Self::CutHost => "cut-host",
            Self::CutOneWay => "cut-one-way",
            Self::StallStorage => "stall-storage",
            Self::CutStorage => "cut-storage",
        }
    }

    /// The one of this word.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == name)
    }

    /// Whether it ends by itself after a time that its order names: a timer on the host heals it.
    pub const fn lasts(self) -> bool {
        match self {
            Self::HangHost | Self::CutHost | Self::CutOneWay | Self::StallStorage | Self::CutStorage => true,
            Self::StopQueueManager
            | Self::KillQueueManager
            | Self::HangQueueManager
            | Self::KillAgent
            | Self::KillKeeper => false,
        }
    }
}

/// The longest time that a fault may last: an order is no way to lose a host for good.
const LONGEST_FAULT: Duration = Duration::from_secs(15 * 60);

/// What an agent is told to do: a fault, and how long it lasts; or to heal what lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultOrder {
    /// A fault that is done at once.
    Once(InstanceFault),
    /// A fault that the host itself heals after this time.
    For(InstanceFault, Duration),
    /// The end of every fault that lasts.
    Heal,
}

/// The word that ends every fault that lasts.
const HEAL: &str = "heal";

impl fmt::Display for FaultOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Once(fault) => f.write_str(fault.name()),
            Self::For(fault, time) => write!(f, "{}:{}", fault.name(), time.as_millis()),
            Self::Heal => f.write_str(HEAL),
        }
    }
}

/// A text that is no order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOrder {
    /// No such fault.
    #[error("unknown instance fault `{0}`; valid faults: {names}, heal", names = InstanceFault::ALL.map(InstanceFault::name).join(", "))]
    Unknown(String),
    /// It lasts, and nothing says how long.
    #[error("{0} requires a duration in milliseconds, at most {longest}, such as {0}:5000", longest = LONGEST_FAULT.as_millis())]
    HowLong(&'static str),
    /// It does not last.
    #[error("{0} does not take a duration")]
    Once(&'static str),
}

impl std::str::FromStr for FaultOrder {
    type Err = InvalidOrder;

    fn from_str(text: &str) -> Result<Self, InvalidOrder> {
        if text == HEAL {
            return Ok(Self::Heal);
        }
        let (word, time) = match text.split_once(':') {
            Some((word, time)) => (word, Some(time)),
            None => (text, None),
        };
        let fault = InstanceFault::of(word).ok_or_else(|| InvalidOrder::Unknown(word.to_owned()))?;
        match (fault.lasts(), time) {
            (false, None) => Ok(Self::Once(fault)),
            (false, Some(_)) => Err(InvalidOrder::Once(fault.name())),
            (true, time) => time
                .and_then(|time| time.parse().ok())
                .map(Duration::from_millis)
                .filter(|time| !time.is_zero() && *time <= LONGEST_FAULT)
                .map(|time| Self::For(fault, time))
                .ok_or(InvalidOrder::HowLong(fault.name())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_reads_back_and_every_lasting_fault_says_how_long() {
        let time = Duration::from_millis(1500);
        for fault in InstanceFault::ALL {
            let order = match fault.lasts() {
                true => FaultOrder::For(fault, time),
                false => FaultOrder::Once(fault),
            };
            assert_eq!(order.to_string().parse(), Ok(order));
        }
        assert_eq!("heal".parse(), Ok(FaultOrder::Heal));
        for (text, why) in [
            ("unplug", "unknown instance fault `unplug`"),
            ("hang-host", "requires a duration"),
            ("hang-host:0", "requires a duration"),
            ("hang-host:x", "requires a duration"),
            ("hang-host:9999999999", "at most 900000"),
            ("kill-agent:5", "does not take a duration"),
        ] {
            let error = text.parse::<FaultOrder>().expect_err(text).to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
