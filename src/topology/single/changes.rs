//! What a change to the stack means: the one instance is replaced, or the one file system is.

use crate::topology::shared_data::{GroupWords, of_group};
use crate::topology::{Change, FILE_SYSTEM, GROUP, Meaning};

/// What a change of the one group does.
const GROUP_WORDS: GroupWords = GroupWords {
    rolls: "replaces its instance: one planned outage, about 60-180 s",
    may_roll: "may replace its instance, if the launch template gets a new version: one planned outage",
    replaced: "replaced: an outage until the new one is in service",
    may_be_replaced: "may be replaced: an outage until the new one is in service",
};

/// What one change of a set means.
pub(super) fn meaning(change: &Change, set: &[Change]) -> Meaning {
    match change.kind.as_str() {
        FILE_SYSTEM => Meaning::of_file_system(change),
        GROUP => of_group(change, set, &GROUP_WORDS),
        _ => Meaning::usual(change),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Single;
    use super::*;
    use crate::topology::tests::{change, dynamic};
    use crate::topology::{Effect, Topology};

    #[test]
    fn lines_say_what_a_change_means() {
        let text = |c: Change| Single.meaning(&c, std::slice::from_ref(&c)).words.unwrap_or_default();
        for (replacement, name, words) in [
            ("True", "LaunchConfigurationName", "replaced: an outage until"),
            ("Conditional", "LaunchConfigurationName", "may be replaced: an outage"),
            (
                "Conditional",
                "VPCZoneIdentifier",
                "replaces its instance: one planned outage",
            ),
        ] {
            let group = change(GROUP, "Modify", Some(replacement), name);
            assert!(text(group).starts_with(words), "{replacement}");
        }
        let document = |replacement| change("AWS::SSM::Document", "Modify", Some(replacement), "Content");
        assert_eq!(text(document("Conditional")), "", "its name stays");
        assert_eq!(text(document("True")), "replaced");
        let balancer = change(
            "AWS::ElasticLoadBalancingV2::LoadBalancer",
            "Modify",
            Some("Conditional"),
            "Subnets",
        );
        assert!(text(balancer).starts_with("may be replaced: clients would need the new DNS name"));
        let storage = |replacement| change(FILE_SYSTEM, "Modify", Some(replacement), "PerformanceMode");
        assert!(text(storage("True")).starts_with("REPLACES the file system"));
        assert!(text(storage("Conditional")).starts_with("MAY REPLACE the file system"));
    }

    #[test]
    fn outage_is_certain_only_when_the_launch_template_is() {
        let group = dynamic(change(GROUP, "Modify", Some("Conditional"), "LaunchTemplate"));
        let template = |name| change("AWS::EC2::LaunchTemplate", "Modify", Some("False"), name);
        let mut tags = template("Tags");
        tags.details[0].attribute = "Tags".into();
        for (changes, sure) in [
            (vec![template("LaunchTemplateData"), group.clone()], true),
            (
                vec![template("/Properties/LaunchTemplateData/InstanceType"), group.clone()],
                true,
            ),
            // As of a switch that is only a tag: ids of other resources, which stay what they were.
            (
                vec![tags.clone(), dynamic(template("LaunchTemplateData")), group.clone()],
                false,
            ),
            (vec![tags, group.clone()], false),
            (vec![group], false),
        ] {
            let group = changes.iter().find(|change| change.kind == GROUP).expect("one");
            let Meaning { effect, words, data } = Single.meaning(group, &changes);
            let expected = if sure {
                "replaces its instance: one planned outage"
            } else {
                "may replace its instance"
            };
            assert!(
                words.is_some_and(|words| words.starts_with(expected)),
                "{changes:?}: {words:?}"
            );
            assert_eq!((effect, data), (Effect::Change, false));
        }
    }
}
