//! What the cloud recorded of a story: granted calls, the group's activities.

use crate::site::{Instance, Site};
use crate::support::{between, call};
use std::fs;
use std::time::Duration;

/// When the group began to terminate an instance and when that was done, nanoseconds since 1970.
pub(crate) struct Termination {
    pub began: i64,
    pub ended: Option<i64>,
}

fn nanoseconds(time: &str) -> i64 {
    let time: jiff::Timestamp = time.parse().unwrap();
    i64::try_from(time.as_nanosecond()).unwrap()
}

impl Site {
    /// Calls of an action that an instance made and the local cloud granted, as CloudTrail would show them: when each was made,
    /// nanoseconds since 1970.
    pub(crate) fn calls(&self, action: &str, by: &Instance) -> Vec<i64> {
        let log = fs::read_to_string(self.dir.join("lab.log")).unwrap();
        let (action, caller) = (format!(" action={action} "), format!(" caller={} ", by.id));
        log.lines()
            .filter(|l| l.contains(": call ") && l.contains(&action) && l.contains(&caller))
            .map(|l| nanoseconds(l.split(' ').next().unwrap()))
            .collect()
    }

    /// The group's activity that terminates an instance, as AWS describes it.
    pub(crate) fn termination(&self, of: &Instance) -> Option<Termination> {
        let group = self.target.parts.members[0].group.clone();
        let params = [
            ("Action", "DescribeScalingActivities"),
            ("AutoScalingGroupName", group.as_str()),
        ];
        let answer = call(&self.record, "autoscaling", "2011-01-01", &params);
        let activity = answer
            .split("<member>")
            .find(|a| a.contains(&format!("Terminating EC2 instance: {}", of.id)))?;
        let time = |tag| {
            activity
                .contains(&format!("<{tag}>"))
                .then(|| nanoseconds(&between(activity, tag)))
        };
        Some(Termination {
            began: time("StartTime").unwrap(),
            ended: time("EndTime"),
        })
    }

    /// The heartbeat timeout of the group's terminating hook.
    pub(crate) fn heartbeat(&self) -> Duration {
        let params = [
            ("Action", "DescribeLifecycleHooks"),
            ("AutoScalingGroupName", self.target.parts.members[0].group.as_str()),
        ];
        let answer = call(&self.record, "autoscaling", "2011-01-01", &params);
        Duration::from_secs(between(&answer, "HeartbeatTimeout").parse().unwrap())
    }
}
