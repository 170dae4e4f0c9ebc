//! How long things take in the local cloud: every delay has a name, two values and a source.
//!
//! Reports print the table of the timing in use ([`report`]); what is marked `assumed` has no documented value.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Speed of the local cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Timing {
    /// As fast as the machine allows; periods of load balancer and Auto Scaling are divided by [`FAST_DIVISOR`].
    #[default]
    Fast,
    /// For virtual machines, which boot in tens of seconds: delays as in `fast`, periods of the template as they stand.
    Guest,
    /// Documented delays of AWS, and marked guesses where there are none.
    Aws,
}

/// By how much `fast` divides periods that a template sets, e.g. a health check interval of 5 s becomes 100 ms.
pub(crate) const FAST_DIVISOR: u32 = 50;

impl Timing {
    /// The word for it: `fast`, `guest` or `aws`.
    pub fn name(self) -> &'static str {
        match self {
            Timing::Fast => "fast",
            Timing::Guest => "guest",
            Timing::Aws => "aws",
        }
    }

    /// Reads `fast`, `guest` or `aws`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "fast" => Some(Timing::Fast),
            "guest" => Some(Timing::Guest),
            "aws" => Some(Timing::Aws),
            _ => None,
        }
    }

    /// The value of a named delay.
    pub fn of(self, delay: &Delay) -> Duration {
        match self {
            Timing::Fast | Timing::Guest => delay.fast,
            Timing::Aws => delay.aws,
        }
    }

    /// A period from a template (interval, grace period, heartbeat) as this timing runs it.
    pub(crate) fn period(self, documented: Duration) -> Duration {
        match self {
            Timing::Fast => documented / FAST_DIVISOR,
            Timing::Guest | Timing::Aws => documented,
        }
    }
}

/// One named delay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delay {
    /// Name, `ec2.pending`.
    pub(crate) name: &'static str,
    /// Value under `--timing fast`.
    pub(crate) fast: Duration,
    /// Value under `--timing aws`.
    pub(crate) aws: Duration,
    /// Where the value for `aws` comes from.
    pub(crate) source: &'static str,
    /// True when AWS documents no value and this one is a guess.
    pub(crate) assumed: bool,
}

const fn documented(name: &'static str, fast_ms: u64, aws_ms: u64, source: &'static str) -> Delay {
    Delay {
        name,
        fast: Duration::from_millis(fast_ms),
        aws: Duration::from_millis(aws_ms),
        source,
        assumed: false,
    }
}

const fn assumed(name: &'static str, fast_ms: u64, aws_ms: u64, source: &'static str) -> Delay {
    Delay {
        name,
        fast: Duration::from_millis(fast_ms),
        aws: Duration::from_millis(aws_ms),
        source,
        assumed: true,
    }
}

/// From RunInstances to the state `running`.
pub(crate) const EC2_PENDING: Delay = assumed("ec2.pending", 20, 10_000, "no documented value; commonly 5 to 15 s");
/// From `running` to the start of the agent: firmware, kernel, cloud-init.
pub(crate) const EC2_BOOT: Delay = assumed(
    "ec2.boot",
    20,
    25_000,
    "no documented value; launch, boot and agent together commonly 25 to 60 s",
);
/// How long a shutdown of the operating system may take before the host is cut off.
pub(crate) const EC2_SHUTDOWN_LIMIT: Delay = assumed(
    "ec2.shutdown-limit",
    10_000,
    90_000,
    "systemd's DefaultTimeoutStopSec is 90 s; EC2 documents that it forces the end `after a timeout`",
);
/// From the end of the last process to the state `terminated` or `stopped`.
pub(crate) const EC2_TERMINATED: Delay = assumed(
    "ec2.terminated",
    20,
    5_000,
    "no documented value; terminated instances commonly report within seconds of the end",
);
/// From CreateVolume to the state `available`.
pub(crate) const EC2_VOLUME_CREATING: Delay = assumed(
    "ec2.volume-creating",
    20,
    5_000,
    "no documented value; an empty volume commonly takes seconds",
);
/// From AttachVolume to the attachment's state `attached`.
pub(crate) const EC2_VOLUME_ATTACHING: Delay = assumed(
    "ec2.volume-attaching",
    20,
    5_000,
    "no documented value; commonly a few seconds, clients give it 20 to 60 s",
);
/// From DetachVolume to the state `available`, when the volume is not mounted.
pub(crate) const EC2_VOLUME_DETACHING: Delay = assumed(
    "ec2.volume-detaching",
    20,
    5_000,
    "no documented value; commonly seconds after the file system was unmounted",
);
/// From the end of an instance to the state `available` of its volumes.
pub(crate) const EC2_VOLUME_RELEASE: Delay = assumed(
    "ec2.volume-release",
    50,
    10_000,
    "no documented value; seconds after a clean end, and 10 to 30 minutes reported by users at worst",
);
/// From DeleteVolume until it is gone.
pub(crate) const EC2_VOLUME_DELETING: Delay = assumed(
    "ec2.volume-deleting",
    20,
    5_000,
    "the reference of DeleteVolume: it `may remain in the deleting state for several minutes`",
);
/// How long terminated instances stay visible.
pub(crate) const EC2_VISIBLE: Delay = documented(
    "ec2.terminated-visible",
    3_600_000,
    3_600_000,
    "EC2 user guide: terminated instances remain visible for about an hour",
);
/// First wait of the agent's unit before a restart.
pub(crate) const UNIT_RESTART: Delay = documented("unit.restart", 100, 100, "systemd: RestartSec defaults to 100 ms");
/// Longest wait of the agent's unit before a restart.
pub(crate) const UNIT_RESTART_MAX: Delay = assumed(
    "unit.restart-max",
    2_000,
    5_000,
    "RestartMaxDelaySec of the agent's unit",
);
/// From a reason to act (a health status set, a new desired capacity) to the activity.
pub(crate) const ASG_REACTION: Delay = assumed(
    "autoscaling.reaction",
    20,
    5_000,
    "`immediately` in the user guide for SetInstanceHealth; 5 to 60 s observed",
);
/// Period in which Auto Scaling looks at instances that it was not told about.
pub(crate) const ASG_CHECK: Delay = assumed(
    "autoscaling.check-period",
    200,
    30_000,
    "`periodic` in the user guide, no value; commonly below 60 s",
);
/// Wait after a failed launch before the next.
pub(crate) const ASG_LAUNCH_RETRY: Delay = assumed(
    "autoscaling.launch-retry",
    500,
    60_000,
    "no documented value; failed launches are retried with a growing wait",
);
/// Wait after a first launch that failed because the network interface was in use; it doubles with each one more.
pub(crate) const ASG_INTERFACE_RETRY: Delay = assumed(
    "autoscaling.interface-retry",
    100,
    30_000,
    "no documented value; no figure may depend on it",
);
/// Longest wait after such a launch.
pub(crate) const ASG_INTERFACE_RETRY_MAX: Delay = assumed(
    "autoscaling.interface-retry-max",
    1_000,
    600_000,
    "no documented value; no figure may depend on it",
);
/// Shortest heartbeat timeout of a lifecycle hook under `fast`: an agent's own timers are not scaled.
pub(crate) const ASG_HEARTBEAT_FLOOR: Delay =
    assumed("autoscaling.heartbeat-floor", 5_000, 0, "a rule of the lab, not of AWS");
/// Shortest grace period under `fast` for a group that has one: the engine starts in its own time.
pub(crate) const ASG_GRACE_FLOOR: Delay = assumed("autoscaling.grace-floor", 1_000, 0, "a rule of the lab, not of AWS");
/// From RegisterTargets to the first health check of a network load balancer.
pub(crate) const NLB_REGISTRATION: Delay = assumed(
    "nlb.registration",
    100,
    90_000,
    "`can take a few minutes` in the NLB guide; 30 to 180 s reported by users",
);
/// From CreateLoadBalancer to `active`.
pub(crate) const NLB_PROVISIONING: Delay = assumed(
    "nlb.provisioning",
    50,
    120_000,
    "no documented value; commonly 2 to 3 minutes",
);
/// From CreateFileSystem to `available`.
pub(crate) const EFS_CREATING: Delay = assumed("efs.creating", 20, 5_000, "no documented value; commonly seconds");
/// From CreateMountTarget to `available`.
pub(crate) const EFS_MOUNT_TARGET: Delay = documented(
    "efs.mount-target",
    50,
    90_000,
    "EFS user guide: wait 90 s after creating a mount target before mounting",
);
/// Lease of a file lock after the holder fell silent.
pub(crate) const EFS_LEASE: Delay = assumed(
    "efs.lease",
    3_000,
    90_000,
    "EFS documents no lease; 90 s is the default of a Linux NFS server",
);
/// From SendCommand to the command's start on the instance.
pub(crate) const SSM_DELIVERY: Delay = assumed("ssm.delivery", 1, 500, "no documented value; commonly below a second");

/// Every delay of the local cloud.
pub(crate) const ALL: &[&Delay] = &[
    &EC2_PENDING,
    &EC2_BOOT,
    &EC2_SHUTDOWN_LIMIT,
    &EC2_TERMINATED,
    &EC2_VOLUME_CREATING,
    &EC2_VOLUME_ATTACHING,
    &EC2_VOLUME_DETACHING,
    &EC2_VOLUME_RELEASE,
    &EC2_VOLUME_DELETING,
    &EC2_VISIBLE,
    &UNIT_RESTART,
    &UNIT_RESTART_MAX,
    &ASG_REACTION,
    &ASG_CHECK,
    &ASG_LAUNCH_RETRY,
    &ASG_INTERFACE_RETRY,
    &ASG_INTERFACE_RETRY_MAX,
    &ASG_HEARTBEAT_FLOOR,
    &ASG_GRACE_FLOOR,
    &NLB_REGISTRATION,
    &NLB_PROVISIONING,
    &EFS_CREATING,
    &EFS_MOUNT_TARGET,
    &EFS_LEASE,
    &SSM_DELIVERY,
];

/// The table of delays for reports: `{"timing","period_divisor","delays":[{"name","milliseconds","source","assumed"}]}`.
pub(crate) fn report(timing: Timing) -> serde_json::Value {
    let divisor = match timing {
        Timing::Fast => FAST_DIVISOR,
        Timing::Guest | Timing::Aws => 1,
    };
    let delays: Vec<_> = ALL
        .iter()
        .map(|delay| {
            let source = match timing {
                Timing::Fast | Timing::Guest => "the lab's choice: as fast as the machine allows",
                Timing::Aws => delay.source,
            };
            serde_json::json!({
                "name": delay.name,
                "milliseconds": u64::try_from(timing.of(delay).as_millis()).unwrap_or(u64::MAX),
                "source": source,
                "assumed": timing == Timing::Aws && delay.assumed,
            })
        })
        .collect();
    serde_json::json!({"timing": timing.name(), "period_divisor": divisor, "delays": delays})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_delay_says_where_it_comes_from() {
        let mut names: Vec<_> = ALL.iter().map(|d| d.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        assert!(ALL.iter().all(|d| !d.source.is_empty()));
    }

    #[test]
    fn fast_divides_periods_of_the_template_and_aws_keeps_them() {
        let interval = Duration::from_secs(5);
        assert_eq!(Timing::Fast.period(interval), Duration::from_millis(100));
        assert_eq!(Timing::Aws.period(interval), interval);
    }

    #[test]
    fn the_report_marks_guesses_under_aws_only() {
        let aws = report(Timing::Aws);
        let lease = aws["delays"]
            .as_array()
            .and_then(|all| all.iter().find(|d| d["name"] == "efs.lease"))
            .cloned()
            .unwrap_or_default();
        assert_eq!(lease["assumed"], true);
        assert_eq!(lease["milliseconds"], 90_000);
        let fast = report(Timing::Fast);
        assert!(
            fast["delays"]
                .as_array()
                .is_some_and(|all| all.iter().all(|d| d["assumed"] == false))
        );
    }
}
