//! Alarms: no service, an overlap that lasts, two engines at once, a start that is refused, a certificate that is nearly over.

use super::ids::{LOAD_BALANCER, MEMBER};
use crate::model::Deployment;
use crate::model::agent::metric;
use crate::render::alarm::{Alarm, dimension, metrics_namespace};
use crate::stack::OWN_GROUP;
use crate::template::{Template, get_att, list, reference};

/// Those that say that service is not as it should be.
pub(super) const OF_SERVICE: [&str; 4] = ["OutageAlarm", "OverlapAlarm", "TwoEnginesAlarm", "FenceAlarm"];

/// Adds the alarms.
pub(super) fn add(template: &mut Template, _: &Deployment) {
    let alarms = [
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
        },
        Alarm {
            name: "OverlapAlarm",
            words: "The group has had more than one instance for 10 minutes: an old one does not terminate",
            metric: ("AWS/AutoScaling".into(), "GroupTotalInstances"),
            dimensions: list![dimension("AutoScalingGroupName", reference(MEMBER.group))],
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
            metric: (metrics_namespace(), metric::ENGINE_RUNNING),
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
            words: "An instance does not start the queue manager: it waits for EC2, an operator, or a newer image",
            metric: (metrics_namespace(), metric::FENCE_ALARM),
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
            words: "The certificate expires in less than 14 days: store a new one in its secret",
            metric: (metrics_namespace(), metric::CERTIFICATE_DAYS),
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
        alarm.add(template);
    }
}

#[cfg(test)]
mod tests {
    use super::OF_SERVICE;
    use crate::model::Deployment;
    use crate::render::template;
    use crate::render::tests::walk;
    use crate::template::{Function, Value};

    #[test]
    fn each_alarm_looks_at_this_stack_alone_and_tells_whom_the_user_named() {
        let template = template(&Deployment::default()).unwrap();
        let alarms = template
            .resources
            .iter()
            .filter(|(_, resource)| resource.kind == "AWS::CloudWatch::Alarm");
        let mut count = 0;
        for (name, alarm) in alarms {
            count += 1;
            let mut names = Vec::new();
            walk(&alarm.properties["Dimensions"], &mut |value| {
                if let Value::Call(Function::Ref | Function::GetAtt, of) = value {
                    names.push(format!("{of:?}"));
                }
            });
            assert!(!names.is_empty(), "{name} looks at something of this stack");
            let topic = format!("{:?}", alarm.properties["AlarmActions"]);
            assert!(
                topic.contains("HasAlarmTopic") && alarm.properties["OKActions"] == alarm.properties["AlarmActions"],
                "{name}"
            );
        }
        assert_eq!(count, 5);
        assert!(OF_SERVICE.iter().all(|name| template.resources.contains_key(*name)));
        assert_eq!(
            template.resources["CertificateAlarm"].condition.as_deref(),
            Some("HasCertificate")
        );
        assert_eq!(
            template.resources["OutageAlarm"].properties["TreatMissingData"].as_str(),
            Some("breaching")
        );
    }
}
