//! The alarms.

use super::ids::MEMBER;
use crate::model::Deployment;
use crate::render::alarms;
use crate::template::Template;

/// Those that say that service is not as it should be.
pub(super) const OF_SERVICE: [&str; 4] = ["OutageAlarm", "OverlapAlarm", "TwoEnginesAlarm", "FenceAlarm"];

/// Adds the alarms.
pub(super) fn add(template: &mut Template, _: &Deployment) {
    for alarm in [
        alarms::outage(),
        alarms::overlap("OverlapAlarm", &MEMBER),
        alarms::two_engines(),
        alarms::fence(),
        alarms::certificate(),
    ] {
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
