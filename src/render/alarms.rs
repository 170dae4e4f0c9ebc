//! Alarms: no service, an overlap that lasts, two engines at once, a start that is refused, a certificate that is nearly over.

use super::entry::names;
use super::parameters::only_if;
use crate::template::{Resource, Template, Value, get_att, list, object, reference};

struct Alarm {
    name: &'static str,
    words: &'static str,
    metric: (&'static str, &'static str),
    dimensions: Value,
    statistic: &'static str,
    comparison: &'static str,
    threshold: i64,
    minutes: i64,
    /// A condition of the template without which there is no such alarm.
    when: Option<&'static str>,
    missing: &'static str,
}

fn dimension(name: &str, value: Value) -> Value {
    object! { "Name" => name, "Value" => value }
}

/// Adds the alarms.
pub(super) fn add(template: &mut Template) {
    let alarms = [
        Alarm {
            name: "OutageAlarm",
            words: "The load balancer has no healthy target: nobody can connect",
            metric: ("AWS/NetworkELB", "HealthyHostCount"),
            dimensions: list![
                dimension("LoadBalancer", get_att(names::LOAD_BALANCER, "LoadBalancerFullName")),
                dimension("TargetGroup", get_att(names::TARGET_GROUP, "TargetGroupFullName")),
            ],
            // The most that any zone's node counts.
            statistic: "Maximum",
            comparison: "LessThanThreshold",
            threshold: 1,
            minutes: 3,
            when: None,
            missing: "breaching",
        },
        Alarm {
            name: "OverlapAlarm",
            words: "The group has had more than one instance for 10 minutes: an old one does not end",
            metric: ("AWS/AutoScaling", "GroupTotalInstances"),
            dimensions: list![dimension("AutoScalingGroupName", reference(names::GROUP))],
            statistic: "Maximum",
            comparison: "GreaterThanThreshold",
            threshold: 1,
            minutes: 10,
            when: None,
            missing: "notBreaching",
        },
        Alarm {
            name: "TwoEnginesAlarm",
            words: "More than one instance reports a running queue manager",
            metric: ("mqaws", "EngineRunning"),
            dimensions: list![dimension("Stack", reference("AWS::StackName"))],
            // Each instance puts 1 a minute; the minute of an orderly takeover has two, three in a row have not.
            statistic: "Sum",
            comparison: "GreaterThanThreshold",
            threshold: 1,
            minutes: 3,
            when: None,
            missing: "notBreaching",
        },
        Alarm {
            name: "FenceAlarm",
            words: "An instance refuses to start the queue manager and waits: for EC2, for a person, or for a newer image",
            metric: ("mqaws", "FenceAlarm"),
            dimensions: list![dimension("Stack", reference("AWS::StackName"))],
            statistic: "Maximum",
            comparison: "GreaterThanThreshold",
            threshold: 0,
            minutes: 1,
            when: None,
            missing: "notBreaching",
        },
        Alarm {
            name: "CertificateAlarm",
            words: "The certificate is over in less than 14 days: store a new one in its secret",
            metric: ("mqaws", "CertificateDays"),
            dimensions: list![dimension("Stack", reference("AWS::StackName"))],
            statistic: "Minimum",
            comparison: "LessThanThreshold",
            threshold: 14,
            minutes: 3,
            when: Some("HasCertificate"),
            missing: "notBreaching",
        },
    ];
    for alarm in alarms {
        let topic = || only_if("HasAlarmTopic", list![reference("AlarmTopic")]);
        let properties = object! {
            "AlarmDescription" => alarm.words,
            "Namespace" => alarm.metric.0,
            "MetricName" => alarm.metric.1,
            "Dimensions" => alarm.dimensions,
            "Statistic" => alarm.statistic,
            "Period" => 60,
            "EvaluationPeriods" => alarm.minutes,
            "ComparisonOperator" => alarm.comparison,
            "Threshold" => alarm.threshold,
            "TreatMissingData" => alarm.missing,
            "AlarmActions" => topic(),
            "OKActions" => topic(),
        };
        let mut resource = Resource::new("AWS::CloudWatch::Alarm", properties);
        resource.condition = alarm.when.map(ToOwned::to_owned);
        template.resources.insert(alarm.name.to_owned(), resource);
    }
}
