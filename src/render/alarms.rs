//! Alarms of a topology whose members share data: no service, an overlap that lasts, two engines at once, a start that is
//! refused, a certificate that is nearly over.

use super::alarm::{Alarm, dimension, metrics_namespace};
use super::load_balancer::LOAD_BALANCER;
use crate::model::agent::metric;
use crate::stack::OWN_GROUP;
use crate::template::{Value, get_att, list, reference};
use crate::topology::Member;

/// The series of one of the agent's metrics over all instances of the stack.
pub(crate) fn of_stack() -> Value {
    list![dimension("Stack", reference("AWS::StackName"))]
}

/// The load balancer has no healthy target.
pub(crate) fn outage() -> Alarm {
    Alarm {
        name: "OutageAlarm",
        words: "The load balancer has no healthy targets: clients cannot connect",
        metric: ("AWS/NetworkELB".into(), "HealthyHostCount"),
        dimensions: list![
            dimension("LoadBalancer", get_att(LOAD_BALANCER, "LoadBalancerFullName")),
            dimension("TargetGroup", get_att(OWN_GROUP, "TargetGroupFullName")),
        ],
        // The most that any zone's node counts.
        statistic: "Maximum",
        comparison: "LessThanThreshold",
        threshold: 1,
        minutes: 3,
        when: None,
        missing: "breaching",
    }
}

/// A member's group has had two instances for too long; the alarm has this logical ID.
pub(crate) fn overlap(name: &'static str, member: &Member) -> Alarm {
    Alarm {
        name,
        words: "The group has had more than one instance for 10 minutes: an old one does not terminate",
        metric: ("AWS/AutoScaling".into(), "GroupTotalInstances"),
        dimensions: list![dimension("AutoScalingGroupName", reference(member.group))],
        statistic: "Maximum",
        comparison: "GreaterThanThreshold",
        threshold: 1,
        minutes: 10,
        when: None,
        missing: "notBreaching",
    }
}

/// Two instances say that an engine runs.
pub(crate) fn two_engines() -> Alarm {
    Alarm {
        name: "TwoEnginesAlarm",
        words: "More than one instance reports a running queue manager",
        metric: (metrics_namespace(), metric::ENGINE_RUNNING),
        dimensions: of_stack(),
        // Each instance puts 1 a minute; the minute of an orderly takeover has two, three in a row have not.
        statistic: "Sum",
        comparison: "GreaterThanThreshold",
        threshold: 1,
        minutes: 3,
        when: None,
        missing: "notBreaching",
    }
}

/// A start is refused until a person acts.
pub(crate) fn fence() -> Alarm {
    Alarm {
        name: "FenceAlarm",
        words: "An instance does not start the queue manager: it waits for EC2, an operator, or a newer image",
        metric: (metrics_namespace(), metric::FENCE_ALARM),
        dimensions: of_stack(),
        statistic: "Maximum",
        comparison: "GreaterThanThreshold",
        threshold: 0,
        minutes: 1,
        when: None,
        missing: "notBreaching",
    }
}

/// The certificate is nearly over; only where there is one.
pub(crate) fn certificate() -> Alarm {
    Alarm {
        name: "CertificateAlarm",
        words: "The certificate expires in less than 14 days: store a new one in its secret",
        metric: (metrics_namespace(), metric::CERTIFICATE_DAYS),
        dimensions: of_stack(),
        statistic: "Minimum",
        comparison: "LessThanThreshold",
        threshold: 14,
        minutes: 3,
        when: Some("HasCertificate"),
        missing: "notBreaching",
    }
}
