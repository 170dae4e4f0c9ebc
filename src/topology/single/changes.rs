//! What a change to the stack means: the one instance is replaced, or the one file system is.

use super::ids;
use crate::topology::{Anchored, Change, Detail, Effect, FILE_SYSTEM, GROUP, Meaning};

/// Parts of a path in the template, and the key of the configuration whose value ends up there.
pub(super) const KEYS: &[(&str, &str)] = &[
    ("/FileSystem/Properties/KmsKeyId", "storage.kms_key"),
    (
        "/LoadBalancerSecurityGroup/Properties/SecurityGroupIngress",
        "network.clients",
    ),
];

/// What stands in the network, and on the load balancer.
pub(super) const ANCHORED: Anchored = Anchored {
    load_balancer: ids::LOAD_BALANCER,
    mount_targets: &ids::MOUNT_TARGETS,
};

/// What one change of a set means.
pub(super) fn meaning(change: &Change, set: &[Change]) -> Meaning {
    match change.kind.as_str() {
        FILE_SYSTEM => Meaning::of_file_system(change),
        GROUP => of_group(change, set),
        _ => Meaning::usual(change),
    }
}

fn of_group(change: &Change, set: &[Change]) -> Meaning {
    let relaunch = set.iter().any(|one| renews_the_template(one) || moves_the_group(one));
    // A rolling update replaces the group's instances, never the group.
    let effect = match change.effect() {
        Effect::Replace if !change.is_certain() && only_rolls(change) => Effect::Change,
        effect => effect,
    };
    let words = match effect {
        Effect::Change if relaunch && rolls(change) => "replaces its instance: one planned outage, about 60-180 s",
        Effect::Change if rolls(change) => {
            "may replace its instance, if the launch template gets a new version: one planned outage"
        }
        Effect::Replace if change.is_certain() => "replaced: an outage until the new one is in service",
        Effect::Replace => "may be replaced: an outage until the new one is in service",
        _ => {
            return Meaning {
                effect,
                ..Meaning::usual(change)
            };
        }
    };
    Meaning {
        effect,
        words: Some(words),
        data: false,
    }
}

/// Whether a change is sure to make a new version of a launch template, and so new instances. One that takes its values
/// from other resources may come to the same version as before, and one of its tags always does.
fn renews_the_template(change: &Change) -> bool {
    let certain = |d: &Detail| !d.dynamic && d.is_in("LaunchTemplateData");
    change.kind == "AWS::EC2::LaunchTemplate" && change.details.iter().any(certain)
}

/// Whether a change is sure to give the group other subnets, which replaces its instance wherever it is.
fn moves_the_group(change: &Change) -> bool {
    let certain = |d: &Detail| !d.dynamic && d.is_in("VPCZoneIdentifier");
    change.kind == GROUP && change.details.iter().any(certain)
}

/// Whether a property of a group is one whose change begins a rolling update.
fn is_rolled(detail: &Detail) -> bool {
    detail.is_in("LaunchTemplate") || detail.is_in("VPCZoneIdentifier")
}

fn rolls(change: &Change) -> bool {
    change.details.iter().any(is_rolled)
}

fn only_rolls(change: &Change) -> bool {
    let mut properties = change.details.iter().filter(|d| d.attribute == "Properties");
    rolls(change) && properties.all(is_rolled)
}

#[cfg(test)]
mod tests {
    use super::super::Single;
    use super::*;
    use crate::topology::Topology;
    use crate::topology::tests::{change, dynamic};

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
