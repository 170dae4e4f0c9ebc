//! What a change to the stack means: the instances are renewed in turn, or the one file system is replaced.

use crate::topology::shared_data::{GroupWords, of_group};
use crate::topology::{Change, FILE_SYSTEM, GROUP, Meaning};

/// What a change of one of the two groups does.
const GROUP_WORDS: GroupWords = GroupWords {
    rolls: "replaces its instance: if that is active, the queue manager moves to the standby, one short outage",
    may_roll: "may replace its instance, if the launch template gets a new version: if that is active, one short outage",
    replaced: "replaced: no standby until the new one is ready, and one short outage if its instance is active",
    may_be_replaced: "may be replaced: no standby until the new one is ready, and one short outage if its instance is active",
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
    use super::*;
    use crate::topology::Effect;
    use crate::topology::tests::change;

    #[test]
    fn a_group_whose_instance_is_renewed_says_that_the_queue_manager_moves() {
        let group = change(GROUP, "Modify", Some("Conditional"), "LaunchTemplate");
        let template = change(
            "AWS::EC2::LaunchTemplate",
            "Modify",
            Some("False"),
            "LaunchTemplateData",
        );
        let found = meaning(&group, &[template, group.clone()]);
        assert_eq!((found.effect, found.data), (Effect::Change, false));
        assert!(found.words.unwrap().contains("moves to the standby"), "{found:?}");
        let storage = change(FILE_SYSTEM, "Modify", Some("True"), "PerformanceMode");
        assert!(meaning(&storage, &[]).data);
    }
}
