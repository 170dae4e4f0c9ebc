//! What each fault is: who injects it where, what shows that it happened, what ends it, and what it does not show.

use super::Fault;
use mqaws_contract::InstanceFault;
use std::time::Duration;

/// Who injects a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Injector {
    /// The agent on the instance that serves, by the stack's document of class `test`.
    Agent(InstanceFault),
    /// An operator, as `mqaws failover` does it.
    Operator,
    /// EC2 TerminateInstances.
    Terminate,
    /// The same with SkipOsShutdown.
    PowerOff,
    /// Auto Scaling SetInstanceHealth.
    MarkUnhealthy,
    /// The local cloud itself, by a call of its administrator.
    LocalCloud,
    /// The same, then EC2 TerminateInstances with SkipOsShutdown.
    LocalCloudAndPowerOff,
}

/// How long a fault lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasts {
    /// It is done at once, and what heals it is the stack.
    Once,
    /// Less than a lease of the lock, and less than the time after which a host resets itself.
    BelowLease,
    /// Longer than a lease of the lock.
    AboveLease,
    /// Longer than a lease, but not so long that init kills units that are silent.
    BelowWatchdog,
}

/// Half of T, the time after which a host that cannot verify its lock resets itself.
const BELOW_SELF_RESET: Duration = Duration::from_secs(15);
/// Less than `WatchdogSec` of the lock keeper's unit.
const BELOW_WATCHDOG: Duration = Duration::from_secs(15);

impl Lasts {
    /// The time, where a lease of the lock has this length; `None` for what is done at once.
    #[must_use]
    pub fn time(self, lease: Duration) -> Option<Duration> {
        match self {
            Self::Once => None,
            Self::BelowLease => Some((lease / 2).min(BELOW_SELF_RESET)),
            Self::AboveLease => Some(lease * 2),
            Self::BelowWatchdog => Some((lease * 2).min(BELOW_WATCHDOG)),
        }
    }
}

/// A fault.
#[derive(Debug, Clone, Copy)]
pub struct FaultFacts {
    /// Which.
    pub fault: Fault,
    /// Its name.
    pub name: &'static str,
    /// Who injects it on AWS, or why it is not possible there.
    pub aws: Result<Injector, &'static str>,
    /// Who injects it in a local cloud, or why it is not possible there.
    pub local: Result<Injector, &'static str>,
    /// Whether a local cloud needs hosts with a network of their own for it.
    pub own_network: bool,
    /// How long it lasts.
    pub lasts: Lasts,
    /// What shows that it happened.
    pub verified: &'static str,
    /// What ends it.
    pub healed: &'static str,
    /// What hosts that are processes do not show of it; empty for what they show whole.
    pub process_hides: &'static str,
}

/// Where a fault is injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Site<'a> {
    /// AWS.
    Aws,
    /// A local cloud with hosts of this kind, `process`, `namespace`, or `guest`.
    Local(&'a str),
}

impl Fault {
    /// What it is.
    #[must_use]
    pub fn facts(self) -> &'static FaultFacts {
        // The test below holds the table to the order of the variants.
        &FACTS[self as usize]
    }

    /// Who injects it there.
    ///
    /// # Errors
    /// Why it cannot be injected there, in words.
    pub fn injector(self, site: Site<'_>) -> Result<Injector, &'static str> {
        let facts = self.facts();
        match site {
            Site::Aws => facts.aws,
            Site::Local("process") if facts.own_network => Err("needs --hosts namespace"),
            Site::Local(_) => facts.local,
        }
    }
}

const GONE: &str = "the agent finds the processes gone";
const STACK: &str = "the stack";
const TIMER: &str = "a timer on the host";
const CLOUD_TIMER: &str = "a timer of the local cloud; on AWS, one on the host";
const RULES: &str = "the kernel of the host lists the routing rules";
const UNSYNCED: &str = "unsynced pages survive, since the kernel of the machine does";

const fn by_agent(fault: Fault, name: &'static str, word: InstanceFault) -> FaultFacts {
    FaultFacts {
        fault,
        name,
        aws: Ok(Injector::Agent(word)),
        local: Ok(Injector::Agent(word)),
        own_network: false,
        lasts: Lasts::Once,
        verified: GONE,
        healed: STACK,
        process_hides: "",
    }
}

const fn by_call(fault: Fault, name: &'static str, injector: Injector, verified: &'static str) -> FaultFacts {
    FaultFacts {
        fault,
        name,
        aws: Ok(injector),
        local: Ok(injector),
        own_network: false,
        lasts: Lasts::Once,
        verified,
        healed: STACK,
        process_hides: "",
    }
}

static FACTS: [FaultFacts; Fault::ALL.len()] = [
    by_agent(Fault::KillAgent, "kill-agent", InstanceFault::KillAgent),
    FaultFacts {
        local: Ok(Injector::LocalCloud),
        lasts: Lasts::BelowLease,
        verified: "requests to the lock server remain unanswered; on AWS, the kernel of the host lists the routing rules",
        healed: CLOUD_TIMER,
        process_hides: "only the lock stalls: reads and writes of files continue",
        ..by_agent(Fault::StallStorage, "stall-storage", InstanceFault::StallStorage)
    },
    FaultFacts {
        aws: Err("a Network Load Balancer has no call that resets connections"),
        ..by_call(
            Fault::ResetConnections,
            "reset-connections",
            Injector::LocalCloud,
            "the load balancer counts the connections that it reset",
        )
    },
    FaultFacts {
        aws: Err(
            "a Network Load Balancer forgets only connections that are idle for minutes, and those of the test are not",
        ),
        ..by_call(
            Fault::IdleTimeout,
            "idle-timeout",
            Injector::LocalCloud,
            "the load balancer counts the connections that it forgot and reset at their next packet",
        )
    },
    by_agent(
        Fault::StopQueueManager,
        "stop-queue-manager",
        InstanceFault::StopQueueManager,
    ),
    FaultFacts {
        process_hides: UNSYNCED,
        ..by_agent(
            Fault::KillQueueManager,
            "kill-queue-manager",
            InstanceFault::KillQueueManager,
        )
    },
    FaultFacts {
        verified: "the agent finds the processes in state T",
        ..by_agent(
            Fault::HangQueueManager,
            "hang-queue-manager",
            InstanceFault::HangQueueManager,
        )
    },
    by_agent(Fault::KillKeeper, "kill-keeper", InstanceFault::KillKeeper),
    FaultFacts {
        lasts: Lasts::BelowWatchdog,
        verified: "the agent finds the processes in state T",
        healed: TIMER,
        process_hides: "the kernel of the host runs on, and answers connections",
        ..by_agent(Fault::HangHost, "hang-host", InstanceFault::HangHost)
    },
    FaultFacts {
        local: Ok(Injector::LocalCloud),
        lasts: Lasts::AboveLease,
        verified: "requests to the lock server remain unanswered; on AWS, the kernel of the host lists the routing rules",
        healed: CLOUD_TIMER,
        process_hides: "only the lock is cut off: reads and writes of files continue",
        ..by_agent(Fault::CutStorage, "cut-storage", InstanceFault::CutStorage)
    },
    FaultFacts {
        own_network: true,
        lasts: Lasts::AboveLease,
        verified: RULES,
        healed: TIMER,
        ..by_agent(Fault::CutOneWay, "cut-one-way", InstanceFault::CutOneWay)
    },
    FaultFacts {
        local: Ok(Injector::LocalCloud),
        own_network: true,
        lasts: Lasts::AboveLease,
        verified: "the host answers no connection; on AWS, the kernel of the host lists the routing rules",
        healed: CLOUD_TIMER,
        ..by_agent(Fault::CutHost, "cut-host", InstanceFault::CutHost)
    },
    FaultFacts {
        aws: Err("needs a network ACL on the subnets of the zone, which the stack does not have"),
        own_network: true,
        lasts: Lasts::AboveLease,
        healed: "a timer of the local cloud",
        ..by_call(
            Fault::CutZone,
            "cut-zone",
            Injector::LocalCloud,
            "no host of the zone answers a connection",
        )
    },
    FaultFacts {
        aws: Err("EFS grows with what is written to it"),
        local: Err("its file systems are folders on this machine's own disk"),
        ..by_call(
            Fault::FillStorage,
            "fill-storage",
            Injector::LocalCloud,
            "a write fails for lack of room",
        )
    },
    by_call(
        Fault::Move,
        "move",
        Injector::Operator,
        "the instance does not serve any more",
    ),
    by_call(
        Fault::TerminateInstance,
        "terminate-instance",
        Injector::Terminate,
        "EC2 reports that the instance no longer runs",
    ),
    by_call(
        Fault::MarkUnhealthy,
        "mark-unhealthy",
        Injector::MarkUnhealthy,
        "Auto Scaling reports the instance as unhealthy or terminating",
    ),
    FaultFacts {
        process_hides: UNSYNCED,
        ..by_call(
            Fault::PowerOffHost,
            "power-off-host",
            Injector::PowerOff,
            "EC2 reports that the instance no longer runs",
        )
    },
    FaultFacts {
        aws: Err(
            "AWS has no call that makes its API fail for one stack; AWS Fault Injection Service can do it for a role",
        ),
        lasts: Lasts::AboveLease,
        healed: "a timer of the local cloud",
        process_hides: UNSYNCED,
        ..by_call(
            Fault::ApiDown,
            "api-down",
            Injector::LocalCloudAndPowerOff,
            "the API refuses calls of instances, and EC2 reports that the instance no longer runs",
        )
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_faults_and_the_agent_has_one_of_each_word_that_is_its_own() {
        for (place, fault) in Fault::ALL.into_iter().enumerate() {
            assert_eq!((fault.facts().fault, fault as usize), (fault, place));
        }
        let words = |injector: Injector| match injector {
            Injector::Agent(word) => Some(word.name()),
            _ => None,
        };
        let own: Vec<_> = FACTS
            .iter()
            .filter_map(|one| Some((one.name, words(one.aws.ok()?)?)))
            .collect();
        assert_eq!(own.len(), InstanceFault::ALL.len());
        assert!(own.iter().all(|(name, word)| name == word), "{own:?}");
    }

    #[test]
    fn what_the_agent_makes_last_lasts_and_heals_by_itself() {
        for one in &FACTS {
            let lasts = one.lasts != Lasts::Once;
            for injector in [one.aws, one.local] {
                if let Ok(Injector::Agent(word)) = injector {
                    assert_eq!(word.lasts(), lasts, "{}", one.name);
                }
            }
            assert_eq!(one.healed.contains("timer"), lasts, "{}", one.name);
            // Only what is done to a network needs one.
            assert!(!one.own_network || one.name.starts_with("cut-"), "{}", one.name);
        }
    }

    #[test]
    fn a_place_says_why_it_cannot() {
        let process = Site::Local("process");
        assert_eq!(Fault::CutHost.injector(process), Err("needs --hosts namespace"));
        assert_eq!(
            Fault::CutHost.injector(Site::Local("namespace")),
            Ok(Injector::LocalCloud)
        );
        assert_eq!(
            Fault::CutHost.injector(Site::Aws),
            Ok(Injector::Agent(InstanceFault::CutHost))
        );
        assert!(Fault::ApiDown.injector(Site::Aws).is_err());
    }

    #[test]
    fn times_go_by_the_lease() {
        let of = |lasts: Lasts, seconds| lasts.time(Duration::from_secs(seconds)).map(|time| time.as_millis());
        assert_eq!(of(Lasts::Once, 90), None);
        assert_eq!(
            [of(Lasts::BelowLease, 3), of(Lasts::BelowLease, 90)],
            [Some(1500), Some(15_000)]
        );
        assert_eq!(
            [of(Lasts::AboveLease, 3), of(Lasts::AboveLease, 90)],
            [Some(6000), Some(180_000)]
        );
        assert_eq!(
            [of(Lasts::BelowWatchdog, 3), of(Lasts::BelowWatchdog, 90)],
            [Some(6000), Some(15_000)]
        );
    }
}
