//! What topologies have in common whose members share one file system behind one load balancer.

use super::{Anchored, Change, Detail, Effect, GROUP, Meaning};
use crate::render::{load_balancer, shared_storage};

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
    load_balancer: load_balancer::LOAD_BALANCER,
    mount_targets: &shared_storage::MOUNT_TARGETS,
};

/// What happens to a member's instance, and what that means for service.
#[derive(Debug, Clone, Copy)]
pub(super) struct GroupWords {
    /// A rolling update replaces the instance, for certain.
    pub rolls: &'static str,
    /// It may.
    pub may_roll: &'static str,
    /// Another group takes the place of this one, for certain.
    pub replaced: &'static str,
    /// It may.
    pub may_be_replaced: &'static str,
}

/// What the change of a member's group means, beside the others of the set.
pub(super) fn of_group(change: &Change, set: &[Change], words: &GroupWords) -> Meaning {
    let relaunch = set.iter().any(|one| renews_the_template(one) || moves_the_group(one));
    // A rolling update replaces the group's instances, never the group.
    let effect = match change.effect() {
        Effect::Replace if !change.is_certain() && only_rolls(change) => Effect::Change,
        effect => effect,
    };
    let words = match effect {
        Effect::Change if relaunch && rolls(change) => words.rolls,
        Effect::Change if rolls(change) => words.may_roll,
        Effect::Replace if change.is_certain() => words.replaced,
        Effect::Replace => words.may_be_replaced,
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
