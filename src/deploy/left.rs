//! What exists after an operation that did not do what it was asked to, in words.

use super::instances::Instances;
use super::kept::{Kept, kept, undeleted};
use super::ports::Event;

/// What exists: what was kept or not deleted, but what was `cleared` since, and the stack in the `status` it ended in, with
/// its instances where they can have changed; `None` for nothing.
pub(super) fn left(
    stack: &str,
    status: Option<&str>,
    events: &[Event],
    cleared: &[Kept],
    instances: Option<&Instances>,
) -> Option<String> {
    let kept = kept(events);
    let kept = kept.iter().filter(|k| !cleared.contains(k));
    let mut left: Vec<String> = kept.map(|k| format!("{k} (kept)")).collect();
    // In other states the stack still has what it could not delete.
    if matches!(status, Some("UPDATE_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE")) {
        left.extend(undeleted(events).iter().map(|k| format!("{k} (not deleted)")));
    }
    let Some(status) = status else {
        return said(left);
    };
    left.extend(match (status, instances) {
        ("DELETE_COMPLETE", _) => None,
        ("ROLLBACK_COMPLETE", _) => Some("the empty stack, which the next deployment removes".into()),
        ("UPDATE_ROLLBACK_COMPLETE", None) => Some("the stack in its previous state".into()),
        ("UPDATE_ROLLBACK_COMPLETE", Some(found)) if found.are_untouched() => {
            Some("the stack in its previous state".into())
        }
        ("UPDATE_ROLLBACK_COMPLETE", Some(found)) => {
            Some(format!("the stack, restored to its previous settings; {found}"))
        }
        ("UPDATE_COMPLETE", _) => Some(format!("stack {stack} with the change, which is live")),
        ("IMPORT_COMPLETE", _) => Some(format!("stack {stack} with only the adopted file system")),
        ("IMPORT_ROLLBACK_COMPLETE", _) => Some("the empty stack, which the next deployment removes".into()),
        ("CREATE_COMPLETE", _) => Some(format!("stack {stack}, deployed")),
        (other, None) => Some(format!("stack {stack} in {other}")),
        (other, Some(found)) => Some(format!("stack {stack} in {other}; {found}")),
    });
    said(left)
}

fn said(left: Vec<String>) -> Option<String> {
    (!left.is_empty()).then(|| left.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::cause::tests::event;
    use super::super::instances::Fate;
    use super::*;
    use crate::cloud::{AwsError, Problem};

    fn replaced() -> Instances {
        let at = |second: i64| jiff::Timestamp::from_second(1_700_000_000 + second).expect("in range");
        Instances::of_one(Fate::Replaced {
            old: "i-1".into(),
            ended: at(0),
            new: "i-2".into(),
            served: at(61),
            without: jiff::SignedDuration::from_secs(61),
        })
    }

    #[test]
    fn state_is_told_with_what_became_of_the_instance() {
        let unread = Instances::Unread(AwsError::test(Problem::Throttled));
        for (status, instances, expected) in [
            (None, None, None),
            (Some("DELETE_COMPLETE"), None, None),
            (
                Some("ROLLBACK_COMPLETE"),
                None,
                Some("the empty stack, which the next deployment removes"),
            ),
            (
                Some("UPDATE_ROLLBACK_COMPLETE"),
                Some(Instances::of_one(Fate::Untouched)),
                Some("the stack in its previous state"),
            ),
            (
                Some("UPDATE_ROLLBACK_COMPLETE"),
                Some(replaced()),
                Some(
                    "the stack, restored to its previous settings; its instance was replaced: i-1 was terminated at 22:13:20, i-2 reported \
                     service at 22:14:21, about 61 s without service",
                ),
            ),
            (
                Some("UPDATE_ROLLBACK_FAILED"),
                Some(Instances::of_one(Fate::Untouched)),
                Some("stack s in UPDATE_ROLLBACK_FAILED; its instance was not replaced"),
            ),
        ] {
            assert_eq!(
                left("s", status, &[], &[], instances.as_ref()).as_deref(),
                expected,
                "{status:?}"
            );
        }
        let told = left("s", Some("UPDATE_ROLLBACK_COMPLETE"), &[], &[], Some(&unread)).expect("left");
        assert!(
            told.starts_with(
                "the stack, restored to its previous settings; could not determine whether its instance was replaced ("
            ),
            "{told}"
        );
    }

    #[test]
    fn what_could_not_be_deleted_is_named_until_it_is() {
        let failed = event(1, "Subnet2", "DELETE_FAILED", "has dependencies");
        let gone = event(2, "Subnet2", "DELETE_COMPLETE", "");
        for (events, expected) in [
            (
                vec![failed.clone()],
                "AWS::EC2::SecurityGroup Subnet2-physical (not deleted), the stack in its previous state",
            ),
            (vec![failed.clone(), gone.clone()], "the stack in its previous state"),
        ] {
            let told = left("s", Some("UPDATE_ROLLBACK_COMPLETE"), &events, &[], None);
            assert_eq!(told.as_deref(), Some(expected));
        }
        // The stack still has it.
        let told = left("s", Some("UPDATE_ROLLBACK_FAILED"), &[failed], &[], None);
        assert_eq!(told.as_deref(), Some("stack s in UPDATE_ROLLBACK_FAILED"));
    }
}
