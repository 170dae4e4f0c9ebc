//! What can go wrong with a call to AWS, and what to do about it.

use crate::model::InvalidName;
use crate::remedy::{ExitKind, Remedy};
use mqaws_contract::clipped;
use std::borrow::Cow;

/// A call to AWS that did not succeed. It is never a statement about the thing it asked for.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{action}: {}", problem.words())]
pub struct AwsError {
    /// Service and action as in IAM, `cloudformation:CreateChangeSet`.
    pub action: String,
    /// What is wrong, as far as a program can tell.
    pub problem: Problem,
    /// AWS's error code, when an answer came.
    pub code: Option<String>,
    /// What AWS or the network said.
    #[source]
    pub said: Option<Said>,
    /// Where the call went, for hints.
    pub place: Option<String>,
}

/// Words of AWS or of the network, unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Said(pub String);

/// What is wrong with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// No region was given anywhere.
    NoRegion,
    /// The endpoint is not a URL.
    Endpoint,
    /// The AWS configuration files have no such profile.
    NoProfile {
        /// The name that was given.
        name: String,
        /// Those that they have.
        known: Vec<String>,
    },
    /// No credentials were found.
    NoCredentials,
    /// The SSO session of this profile has not begun, or is over.
    NoSession(String),
    /// The credentials have expired.
    Expired,
    /// AWS does not know the credentials, or not in this region.
    UnknownCredentials,
    /// The credentials do not allow the action; holds the permission that AWS names.
    Denied(String),
    /// Too many calls.
    Throttled,
    /// The endpoint's name or address leads nowhere.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// The service had an error of its own.
    Server,
    /// The answer was not what AWS sends.
    Unreadable,
    /// The thing that was asked for does not exist.
    NotFound,
    /// AWS refused the call for another reason.
    Refused,
}

impl Problem {
    fn words(&self) -> Cow<'static, str> {
        let words = match self {
            Self::NoProfile { name, .. } => return format!("profile `{}` not found", clipped(name)).into(),
            Self::NoSession(profile) => return format!("profile `{profile}` has no valid SSO session").into(),
            Self::NoRegion => "no region",
            Self::Endpoint => "the endpoint is not a URL",
            Self::NoCredentials => "no credentials",
            Self::Expired => "the credentials have expired",
            Self::UnknownCredentials => "the credentials are invalid, or not valid in this region",
            Self::Denied(_) => "permission missing",
            Self::Throttled => "too many API calls",
            Self::Unreachable => "the endpoint cannot be reached",
            Self::TimedOut => "no response in time",
            Self::Server => "the service returned an internal error",
            Self::Unreadable => "the response is not from AWS",
            Self::NotFound => "not found",
            Self::Refused => "refused",
        };
        words.into()
    }
}

impl AwsError {
    /// Whether the same call may well succeed later; a poll goes on, for a bounded time.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.problem,
            Problem::Throttled | Problem::Unreachable | Problem::TimedOut | Problem::Server | Problem::Unreadable
        )
    }

    /// Whether the thing does not exist.
    pub fn is_not_found(&self) -> bool {
        self.problem == Problem::NotFound
    }

    /// Whether the endpoint has no such action, as endpoints other than AWS may.
    pub fn is_unknown_action(&self) -> bool {
        let codes = ["InvalidAction", "UnknownOperation", "UnknownOperationException"];
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }

    /// Whether CloudFormation refuses for the status that the stack is in. It has no code of its own for that, only words.
    pub fn is_wrong_status(&self) -> bool {
        let words = ["current stack status", "while in status", "can not be updated"];
        self.code.as_deref() == Some("ValidationError") && words.iter().any(|w| self.message().contains(w))
    }

    /// Whether a file system still has mount targets.
    pub fn is_in_use(&self) -> bool {
        self.code.as_deref() == Some("FileSystemInUse")
    }

    /// The whole of it in one line, with AWS's code: for those who go on in spite of it.
    pub fn told(&self) -> String {
        let code = self
            .code
            .as_deref()
            .map(|code| format!(" ({code})"))
            .unwrap_or_default();
        match self.message() {
            "" => format!("{self}{code}"),
            message => format!("{self}{code}: {message}"),
        }
    }

    /// What AWS said, empty when nothing.
    pub fn message(&self) -> &str {
        self.said.as_ref().map(|s| s.0.as_str()).unwrap_or_default()
    }

    /// No answer came, or none that has a code.
    pub fn local(action: &str, problem: Problem, said: Option<String>) -> Self {
        Self {
            action: action.to_owned(),
            problem,
            code: None,
            said: said.map(Said),
            place: None,
        }
    }

    /// An id that is none, so that nothing was asked of AWS about it.
    pub fn no_id(action: &str, invalid: &InvalidName) -> Self {
        Self::local(action, Problem::Refused, Some(invalid.to_string()))
    }

    /// An answer of AWS that is an error; what it means is told by its code.
    pub fn answer(action: &str, code: Option<&str>, message: &str, status: u16) -> Self {
        let said = match (message, code) {
            ("", code) => format!("HTTP {status} {}", code.unwrap_or_default()),
            (message, _) => message.to_owned(),
        };
        Self {
            action: action.to_owned(),
            problem: classify(action, code.unwrap_or_default(), message, status),
            code: code.map(str::to_owned),
            said: Some(Said(said)),
            place: None,
        }
    }

    /// An error for tests of what lies above the ports.
    #[cfg(test)]
    pub(crate) fn test(problem: Problem) -> Self {
        Self::local("test:Call", problem, Some("words of AWS".into()))
    }

    /// An answer with status 400, for tests of what lies above the ports.
    #[cfg(test)]
    pub(crate) fn test_answer(action: &str, code: &str, message: &str) -> Self {
        Self::answer(action, Some(code), message, 400)
    }
}

impl Remedy for AwsError {
    fn exit(&self) -> ExitKind {
        match self.problem {
            Problem::NoRegion
            | Problem::Endpoint
            | Problem::NoProfile { .. }
            | Problem::NoCredentials
            | Problem::NoSession(_)
            | Problem::Expired
            | Problem::UnknownCredentials
            | Problem::Denied(_)
            | Problem::Unreachable => ExitKind::Precondition,
            _ => ExitKind::Remote,
        }
    }

    fn left(&self) -> Option<String> {
        // Errors of calls that change something are wrapped by those who make them.
        Some("nothing was changed".into())
    }

    fn hint(&self) -> Option<String> {
        let place = self.place.as_deref().unwrap_or("the region");
        Some(match &self.problem {
            Problem::NoRegion => "specify --region, `region:` in mqaws.yaml, AWS_REGION, or a profile that has a region".into(),
            Problem::Endpoint => "use the form http://host:port or https://host".into(),
            Problem::NoProfile { known, .. } if known.is_empty() => {
                "~/.aws/config and ~/.aws/credentials have no profiles; create one with `aws configure sso` or `aws configure`"
                    .into()
            }
            Problem::NoProfile { known, .. } => format!(
                "profiles in ~/.aws/config and ~/.aws/credentials: {}",
                known.join(", ")
            ),
            Problem::NoSession(profile) => format!(
                "log in with `aws sso login --profile {}`, then run the same command again",
                quoted(profile)
            ),
            Problem::NoCredentials => {
                "log in (`aws sso login`, AWS_PROFILE, AWS_ACCESS_KEY_ID …), or try mqaws without an \
                 account: `mqaws demo`"
                    .into()
            }
            Problem::Expired => {
                "renew them (`aws sso login`, or the tool that created the session), then run the same command \
                 again; it continues where it stopped"
                    .into()
            }
            Problem::UnknownCredentials => format!(
                "check that the access key exists and that the region is correct and enabled for the account ({place}): \
                 `aws sts get-caller-identity`"
            ),
            Problem::Denied(permission) => format!(
                "grant `{permission}` to these credentials, or use a role that has it; docs/troubleshooting.md lists \
                 the permissions that mqaws needs"
            ),
            Problem::Throttled => "the account's request rate is exhausted; try again in a minute".into(),
            Problem::Unreachable => format!(
                "check {place} and the network path to it (network, VPN, HTTPS_PROXY); a region that does not exist \
                 causes the same error"
            ),
            Problem::TimedOut => format!("check for a slow network or a proxy on the path to {place}, then try again"),
            Problem::Server => "try again in a minute; for service events, see https://health.aws.amazon.com".into(),
            Problem::Unreadable => format!("check whether something other than AWS responds at {place} (a proxy, a login page)"),
            Problem::NotFound | Problem::Refused => return None,
        })
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+@/".contains(&byte);
    match word.bytes().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// Sorts an answer by its code; codes as the services document and send them.
fn classify(action: &str, code: &str, message: &str, status: u16) -> Problem {
    match code {
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => Problem::Expired,
        "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "AuthFailure"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "MissingAuthenticationToken"
        | "InvalidAccessKeyId"
        | "OptInRequired" => Problem::UnknownCredentials,
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "NotAuthorized" => {
            Problem::Denied(permission(message).unwrap_or(action).to_owned())
        }
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "RequestThrottled"
        | "SlowDown"
        | "PriorRequestNotComplete" => Problem::Throttled,
        "ParameterNotFound"
        | "ResourceNotFoundException"
        | "InvocationDoesNotExist"
        | "FileSystemNotFound"
        | "ChangeSetNotFound"
        | "ChangeSetNotFoundException"
        | "StackNotFoundException" => Problem::NotFound,
        _ if code.contains("NotFound") => Problem::NotFound,
        // CloudFormation has no code of its own for a stack that is not there.
        "ValidationError" if message.contains("does not exist") => Problem::NotFound,
        _ if status == 429 => Problem::Throttled,
        _ if status >= 500 => Problem::Server,
        _ => Problem::Refused,
    }
}

/// The permission that a message names: `… is not authorized to perform: ec2:DescribeVpcs on resource …`.
fn permission(message: &str) -> Option<&str> {
    let rest = message.split("not authorized to perform:").nth(1)?.trim_start();
    let end = rest.find(|c: char| c.is_whitespace()).unwrap_or(rest.len());
    Some(rest[..end].trim_end_matches(['.', ','])).filter(|p| p.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_sorted_by_code() {
        let denied = "User: arn:aws:iam::1:user/a is not authorized to perform: cloudformation:CreateChangeSet on \
                      resource: arn:aws:cloudformation:eu-west-1:1:stack/x/* because no identity-based policy allows it";
        for (code, message, status, expected) in [
            (
                "ExpiredToken",
                "The security token included in the request is expired",
                403,
                Problem::Expired,
            ),
            (
                "InvalidClientTokenId",
                "The security token included in the request is invalid.",
                403,
                Problem::UnknownCredentials,
            ),
            (
                "AccessDenied",
                denied,
                403,
                Problem::Denied("cloudformation:CreateChangeSet".into()),
            ),
            (
                "UnauthorizedOperation",
                "You are not authorized to perform this operation.",
                403,
                Problem::Denied("a:B".into()),
            ),
            ("Throttling", "Rate exceeded", 400, Problem::Throttled),
            (
                "ValidationError",
                "Stack with id mqaws-qm1 does not exist",
                400,
                Problem::NotFound,
            ),
            (
                "ValidationError",
                "No updates are to be performed.",
                400,
                Problem::Refused,
            ),
            ("InvalidGroup.NotFound", "", 400, Problem::NotFound),
            ("InternalFailure", "", 500, Problem::Server),
            ("", "", 503, Problem::Server),
        ] {
            assert_eq!(classify("a:B", code, message, status), expected, "{code} {message}");
        }
    }

    #[test]
    fn every_problem_that_a_user_can_solve_has_a_hint() {
        for problem in [
            Problem::NoRegion,
            Problem::Endpoint,
            Problem::NoCredentials,
            Problem::Expired,
            Problem::UnknownCredentials,
            Problem::Denied("ec2:DescribeVpcs".into()),
            Problem::Throttled,
            Problem::Unreachable,
            Problem::TimedOut,
            Problem::Server,
            Problem::Unreadable,
        ] {
            let error = AwsError::test(problem);
            assert!(error.hint().is_some(), "{error}");
        }
    }

    #[test]
    fn only_cloudformations_words_about_a_status_are_about_the_status() {
        let action = "cloudformation:CancelUpdateStack";
        for (code, message, expected) in [
            (
                "ValidationError",
                "CancelUpdateStack cannot be called from current stack status",
                true,
            ),
            (
                "ValidationError",
                "Stack [s] cannot be deleted while in status UPDATE_IN_PROGRESS",
                true,
            ),
            ("ValidationError", "Stack [s] does not exist", false),
            ("InvalidAction", "The action CancelUpdateStack is not valid", false),
            ("AccessDenied", "User is not authorized to perform: x:Y", false),
        ] {
            let error = AwsError::test_answer(action, code, message);
            assert_eq!(error.is_wrong_status(), expected, "{message}");
            assert!(
                error.told().ends_with(&format!("({code}): {message}")),
                "{}",
                error.told()
            );
        }
    }

    #[test]
    fn only_what_may_pass_is_transient() {
        assert!(AwsError::test(Problem::Throttled).is_transient());
        assert!(!AwsError::test(Problem::Expired).is_transient());
        assert!(!AwsError::test(Problem::NotFound).is_transient());
        assert!(!AwsError::test(Problem::Denied("a:B".into())).is_transient());
    }
}
