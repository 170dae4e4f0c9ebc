//! The root cause of a failed operation, found among its events.

use super::ports::Event;

/// The event that made an operation fail, in AWS's own words.
///
/// The first `*_FAILED` of a resource whose reason is not that something else failed; CloudFormation cancels whatever is
/// going on when one resource fails, and reports each cancellation as a failure too. `events` are oldest first.
pub fn root_cause<'a>(events: &'a [Event], stack_id: &str) -> Option<&'a Event> {
    let failed = |event: &&Event| event.status.ends_with("_FAILED") && !is_cancelled(event);
    let first = events.iter().filter(failed).find(|e| !e.is_of_stack(stack_id));
    // A stack can fail before any resource does: a missing capability, a role that cannot be assumed.
    first.or_else(|| {
        events
            .iter()
            .filter(|e| e.status.ends_with("_FAILED") || e.status.ends_with("ROLLBACK_IN_PROGRESS"))
            .find(|e| e.reason.as_deref().is_some_and(|r| !r.is_empty()))
    })
}

fn is_cancelled(event: &Event) -> bool {
    event
        .reason
        .as_deref()
        .is_some_and(|r| r.to_ascii_lowercase().contains("cancelled"))
}

/// What to do about a root cause, when it is one that people meet often.
pub fn remedy(event: &Event, agent: Option<&str>) -> String {
    let reason = event.reason.as_deref().unwrap_or_default();
    let agent = agent.unwrap_or_default();
    let has = |words: &str| reason.contains(words);
    if agent.contains("AMQ7128") {
        return "the image lacks a licence: accept it while building the image, then deploy again".into();
    }
    if has("SUCCESS signal") {
        return match agent {
            "" => "the instance never reported service: look at its console output (`aws ec2 get-console-output`) and check \
                   that the image holds mqaws-agent, then deploy again"
                .into(),
            _ => "solve what the agent reports, then deploy again".into(),
        };
    }
    if has("not authorized to perform") || has("AccessDenied") {
        return "let your credentials (or the CloudFormation role) do what the message names, then deploy again".into();
    }
    if has("already exists") {
        return "something of that name is there already: remove it, or choose another stack or queue manager name"
            .into();
    }
    if has("limit") || has("quota") || has("exceeded") || has("Exceeded") {
        return "a quota of the account is used up: raise it in Service Quotas, then deploy again".into();
    }
    if has("does not exist") || has("not found") || has("NotFound") {
        return "check the ids in the configuration and the region, then deploy again".into();
    }
    if has("InsufficientInstanceCapacity") {
        return "AWS has no such instance free at the moment: choose another instance type, or deploy again later"
            .into();
    }
    "docs/troubleshooting.md lists what else is known; the stack's events hold the details".into()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub const STACK: &str = "arn:aws:cloudformation:eu-west-1:000000000000:stack/mqaws-qm1/1";

    pub fn event(second: i64, logical: &str, status: &str, reason: &str) -> Event {
        let of_stack = logical == "mqaws-qm1";
        Event {
            id: format!("{logical}-{status}-{second}"),
            at: jiff::Timestamp::from_second(1_700_000_000 + second).expect("in range"),
            logical: logical.into(),
            physical: Some(if of_stack {
                STACK.into()
            } else {
                format!("{logical}-physical")
            }),
            kind: match logical {
                "mqaws-qm1" => "AWS::CloudFormation::Stack".into(),
                "Group" => "AWS::AutoScaling::AutoScalingGroup".into(),
                "FileSystem" => "AWS::EFS::FileSystem".into(),
                _ => "AWS::EC2::SecurityGroup".into(),
            },
            status: status.into(),
            reason: (!reason.is_empty()).then(|| reason.into()),
        }
    }

    #[test]
    fn first_failure_that_is_no_cancellation_is_the_cause() {
        let events = [
            event(0, "mqaws-qm1", "CREATE_IN_PROGRESS", "User Initiated"),
            event(1, "FileSystem", "CREATE_COMPLETE", ""),
            event(2, "LoadBalancer", "CREATE_FAILED", "Resource creation cancelled"),
            event(2, "Group", "CREATE_FAILED", "Received 0 SUCCESS signal(s) out of 1"),
            event(
                3,
                "mqaws-qm1",
                "ROLLBACK_IN_PROGRESS",
                "The following resource(s) failed to create: [Group].",
            ),
            event(4, "Group", "DELETE_FAILED", "later"),
        ];
        let cause = root_cause(&events, STACK).expect("found");
        assert_eq!(
            (cause.logical.as_str(), cause.status.as_str()),
            ("Group", "CREATE_FAILED")
        );
    }

    #[test]
    fn stack_itself_can_be_the_cause() {
        let events = [event(
            0,
            "mqaws-qm1",
            "ROLLBACK_IN_PROGRESS",
            "Role arn:x is invalid or cannot be assumed",
        )];
        assert_eq!(
            root_cause(&events, STACK).map(|e| e.logical.as_str()),
            Some("mqaws-qm1")
        );
    }

    #[test]
    fn nothing_failed_has_no_cause() {
        let events = [
            event(0, "Group", "CREATE_COMPLETE", ""),
            event(1, "mqaws-qm1", "CREATE_COMPLETE", ""),
        ];
        assert_eq!(root_cause(&events, STACK), None);
    }

    #[test]
    fn remedies_fit_the_words() {
        for (reason, agent, expected) in [
            ("Received 0 SUCCESS signal(s) out of 1", None, "console output"),
            (
                "Received 0 SUCCESS signal(s) out of 1",
                Some("strmqm exit 71, AMQ7128E"),
                "licence",
            ),
            (
                "Received 0 SUCCESS signal(s) out of 1",
                Some("cannot mount"),
                "agent reports",
            ),
            (
                "User x is not authorized to perform: iam:CreateRole",
                None,
                "credentials",
            ),
            ("The maximum number of VPCs has been reached. limit", None, "quota"),
            ("The image id '[ami-0]' does not exist", None, "check the ids"),
            ("whatever", None, "troubleshooting"),
        ] {
            let found = remedy(&event(0, "Group", "CREATE_FAILED", reason), agent);
            assert!(found.contains(expected), "{reason}: {found}");
        }
    }
}
