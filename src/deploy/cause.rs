//! The root cause of a failed operation, found among its events and the launches of its group.

mod launch;

pub(super) use launch::launch_remedy;

use super::ports::{Event, Launch};
use crate::model::Engine;
use crate::topology::GROUP;
use jiff::Timestamp;

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

/// CloudFormation's own sentence about a resource that it gave up, such as `Resource creation cancelled`; a service may use the word too.
fn is_cancelled(event: &Event) -> bool {
    let reason = event.reason.as_deref().unwrap_or_default().trim_end_matches('.');
    reason.starts_with("Resource ") && reason.to_ascii_lowercase().ends_with(" cancelled")
}

/// `` `Group` AWS::AutoScaling::AutoScalingGroup, 14:02:11: Received 0 SUCCESS signal(s) out of 1 ``
pub(super) fn describe(event: &Event) -> String {
    let time = event.at.strftime("%H:%M:%S");
    let reason = event.reason.as_deref().unwrap_or(&event.status);
    format!("`{}` {}, {time}: {reason}", event.logical, event.kind)
}

/// The words of the first success that an instance of a member's group signalled.
pub(super) fn signal(events: &[Event]) -> Option<&str> {
    let reasons = events
        .iter()
        .filter(|e| e.kind == GROUP)
        .filter_map(|e| e.reason.as_deref());
    reasons.into_iter().find(|r| r.starts_with("Received SUCCESS signal"))
}

/// The instance that signalled a failure first.
pub(super) fn failed_instance(events: &[Event]) -> Option<&str> {
    let reasons = events.iter().filter(|e| e.kind == GROUP);
    reasons
        .filter_map(|e| {
            e.reason
                .as_deref()?
                .strip_prefix("Received FAILURE signal with UniqueId ")
        })
        .find_map(|rest| rest.split_whitespace().next())
}

/// `no instance could be launched, 14:01:40: The key pair 'x' does not exist.`
pub(super) fn describe_launch(launch: &Launch) -> String {
    let time = launch.at.strftime("%H:%M:%S");
    let words = launch.failure().unwrap_or_default();
    format!("no instance could be launched, {time}: {words}")
}

/// The last failed launch until an instant, when none of them came to an instance: then nobody was there to signal, and
/// the missing signal is no cause.
pub fn failed_launch(launches: &[Launch], until: Timestamp) -> Option<&Launch> {
    let before = || launches.iter().filter(|l| l.at <= until);
    if before().any(|l| l.instance.is_some()) {
        return None;
    }
    before().filter(|l| l.failure().is_some()).max_by_key(|l| l.at)
}

/// What to do about a root cause, when it is one that people meet often.
pub fn remedy(event: &Event, agent: Option<&str>) -> String {
    let reason = event.reason.as_deref().unwrap_or_default();
    let agent = agent.unwrap_or_default();
    let unaccepted = |engine: Engine| engine.facts().licence_missing.is_some_and(|code| agent.contains(code));
    if Engine::all().any(unaccepted) {
        return "the license is not accepted in the image: rebuild it with --accept-licence, then deploy again".into();
    }
    if is_signal(reason) {
        return match agent {
            "" => "the instance never reported service: check its console output in EC2 and verify \
                   that the image contains mqaws-agent, then deploy again"
                .into(),
            _ => "resolve the error that the agent reports, then deploy again".into(),
        };
    }
    // The words in which CloudFormation itself refuses, before a handler is asked; they come without a code.
    let denied = reason.contains("is not authorized to perform: ")
        || reason.contains("not authorized to perform this operation");
    let kind = codes(reason).find_map(Code::of).or(denied.then_some(Code::Denied));
    kind.map_or(
        "for details, see the events of the stack; for known causes, see docs/troubleshooting.md",
        Code::remedy,
    )
    .into()
}

/// Whether signals of instances are what is told: too few of success, or one of failure.
fn is_signal(reason: &str) -> bool {
    let begins = |word: &str| reason.starts_with(word);
    begins("Received ") && reason.contains(" signal(s)")
        || begins("Failed to receive ") && reason.contains(" resource signal(s)")
}

/// The codes in CloudFormation's words: `(…; Error Code: X; …)`, `(…, HandlerErrorCode: NotFound)`.
fn codes(reason: &str) -> impl Iterator<Item = &str> {
    let after = move |label: &str| {
        let (_, rest) = reason.split_once(label)?;
        let mut words = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_');
        words.next().map(|code| code.trim_end_matches('.'))
    };
    // The service's own code tells more than the handler's translation of it.
    [after("Error Code: "), after("HandlerErrorCode: ")]
        .into_iter()
        .flatten()
}

/// What codes come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    Denied,
    Exists,
    Quota,
    NoCapacity,
    NotFound,
    Throttled,
    Internal,
}

impl Code {
    fn of(code: &str) -> Option<Self> {
        Some(match code {
            "AccessDenied"
            | "AccessDeniedException"
            | "UnauthorizedOperation"
            | "UnauthorizedTaggingOperation"
            | "InvalidCredentials" => Self::Denied,
            "RequestLimitExceeded" | "Throttling" | "ThrottlingException" | "TooManyRequestsException" => {
                Self::Throttled
            }
            "InsufficientInstanceCapacity" => Self::NoCapacity,
            "InternalFailure" | "InternalError" | "ServiceInternalError" | "ServiceUnavailable" => Self::Internal,
            _ if code.contains("AlreadyExists") || code.ends_with(".Duplicate") => Self::Exists,
            _ if code.ends_with("LimitExceeded")
                || code.ends_with("LimitExceededException")
                || code.ends_with("QuotaExceededException") =>
            {
                Self::Quota
            }
            _ if code.ends_with("NotFound") || code.ends_with("NotFoundException") => Self::NotFound,
            _ => return None,
        })
    }

    fn remedy(self) -> &'static str {
        match self {
            Self::Denied => {
                "grant your credentials (or the CloudFormation role) the permission in the message, then deploy again"
            }
            Self::Exists => {
                "a resource with that name already exists: remove it, or choose a different stack or queue manager name"
            }
            Self::Quota => "the account has reached a quota: request an increase in Service Quotas, then deploy again",
            Self::NoCapacity => {
                "AWS has insufficient capacity for this instance type: choose a different type, or deploy again later"
            }
            Self::NotFound => "check the IDs in the configuration and the region, then deploy again",
            Self::Throttled => "AWS throttled the API calls of this account: deploy again later",
            Self::Internal => "the service returned an internal error: deploy again",
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::InstanceId;

    pub(crate) const STACK: &str = "arn:aws:cloudformation:eu-west-1:000000000000:stack/mqaws-qm1/1";

    pub(crate) fn event(second: i64, logical: &str, status: &str, reason: &str) -> Event {
        let of_stack = logical == "mqaws-qm1";
        Event {
            id: format!("{logical}-{status}-{second}"),
            at: jiff::Timestamp::from_second(1_700_000_000 + second).expect("in range"),
            logical: logical.into(),
            physical: Some(if of_stack {
                STACK.into()
            } else {
                format!("{}-physical", logical.replace("FileSystem", "fs"))
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
    fn a_failure_whose_words_speak_of_a_cancellation_is_a_cause() {
        let words = "The spot request was cancelled by its owner (HandlerErrorCode: GeneralServiceException)";
        let events = [
            event(1, "Group", "CREATE_FAILED", words),
            event(2, "Listener", "CREATE_FAILED", "Resource creation cancelled"),
        ];
        assert_eq!(root_cause(&events, STACK).map(|e| e.logical.as_str()), Some("Group"));
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
    fn launch_is_the_cause_only_when_none_came_to_an_instance() {
        let at = |second: i64| Timestamp::from_second(1_700_000_000 + second).expect("in range");
        let launch = |second, instance: Option<&str>| Launch {
            at: at(second),
            instance: instance.map(|id| InstanceId::new(id).unwrap()),
            status: if instance.is_some() { "Successful" } else { "Failed" }.into(),
            words: None,
        };
        let failed = [launch(1, None), launch(5, None)];
        assert_eq!(failed_launch(&failed, at(9)), Some(&failed[1]));
        assert_eq!(failed_launch(&failed, at(0)), None);
        let one_came = [launch(1, None), launch(5, Some("i-1"))];
        assert_eq!(failed_launch(&one_came, at(9)), None);
        // That of the way back, after the failure.
        assert_eq!(failed_launch(&one_came, at(4)), Some(&one_came[0]));
        assert_eq!(failed_launch(&[], at(9)), None);
    }

    #[test]
    fn the_instance_that_signalled_the_failure_is_named_by_its_signal() {
        let signal = |second, words: &str| event(second, "Group", "UPDATE_IN_PROGRESS", words);
        let events = [
            signal(1, "Received FAILURE signal with UniqueId i-new"),
            event(2, "Group", "UPDATE_FAILED", "Received 1 FAILURE signal(s) out of 1."),
            signal(3, "Received FAILURE signal with UniqueId i-back"),
        ];
        assert_eq!(failed_instance(&events), Some("i-new"));
        assert_eq!(
            failed_instance(&[signal(1, "Received SUCCESS signal with UniqueId i-1")]),
            None
        );
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
            (
                "Received 1 FAILURE signal(s) out of 1.  Unable to satisfy 100% MinSuccessfulInstancesPercent requirement",
                Some("AMQ8405I"),
                "agent reports",
            ),
            (
                "Failed to receive 1 resource signal(s) within the specified duration",
                None,
                "console output",
            ),
            (
                "Resource handler returned message: \"The maximum number of VPCs has been reached. (Service: Ec2, Status \
                 Code: 400, Request ID: 1)\" (RequestToken: 2, HandlerErrorCode: ServiceLimitExceeded)",
                None,
                "quota",
            ),
            (
                "Resource handler returned message: \"x\" (RequestToken: 2, HandlerErrorCode: NotFound)",
                None,
                "check the IDs",
            ),
            (
                "The image id '[ami-0]' does not exist (Service: AmazonEC2; Status Code: 400; Error Code: \
                 InvalidAMIID.NotFound; Request ID: 1; Proxy: null)",
                None,
                "check the IDs",
            ),
            (
                "Request limit exceeded. (Service: AmazonEC2; Status Code: 503; Error Code: RequestLimitExceeded)",
                None,
                "throttled",
            ),
            // Words that look like a quota, and are none.
            ("Exceeded attempts to wait", None, "troubleshooting"),
            ("the time limit was reached", None, "troubleshooting"),
            ("whatever", None, "troubleshooting"),
        ] {
            let found = remedy(&event(0, "Group", "CREATE_FAILED", reason), agent);
            assert!(found.contains(expected), "{reason}: {found}");
        }
    }
}
