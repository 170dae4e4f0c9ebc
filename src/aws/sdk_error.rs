//! The SDK's errors, turned into ours.

use crate::cloud::{AwsError, Problem};
use crate::model::InvalidName;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::error::Error;

impl AwsError {
    /// Adds where the call went, which hints about the network name.
    pub(super) fn at(mut self, endpoint: Option<&str>, region: &str) -> Self {
        self.place = Some(endpoint.map_or_else(|| format!("region {region}"), str::to_owned));
        self
    }

    /// Of a profile whose credentials come from a session, when none were found: the session is not there or over, whatever file
    /// the SDK missed. What AWS itself answered stays as it is.
    pub(super) fn of_session(mut self, profile: Option<&str>) -> Self {
        if let Some(profile) = profile
            && self.code.is_none()
            && matches!(self.problem, Problem::NoCredentials | Problem::Expired)
        {
            self.problem = Problem::NoSession(profile.to_owned());
            self.said = None;
        }
        self
    }

    /// No region was given anywhere.
    pub(super) fn no_region() -> Self {
        Self::local("AWS configuration", Problem::NoRegion, None)
    }

    /// The endpoint is not a URL.
    pub(super) fn bad_endpoint(url: &str) -> Self {
        Self::local(&format!("`{url}`"), Problem::Endpoint, None)
    }

    /// An answer lacks something that AWS always sends.
    pub(super) fn unreadable(action: &str, what: &str) -> Self {
        Self::local(action, Problem::Unreadable, Some(format!("the response has no {what}")))
    }

    /// An answer holds something that AWS never sends; it is named.
    pub(super) fn odd(action: &str, invalid: &InvalidName) -> Self {
        Self::local(action, Problem::Unreadable, Some(invalid.to_string()))
    }

    /// A wait of our own ended.
    pub(super) fn timed_out(action: &str) -> Self {
        Self::local(action, Problem::TimedOut, None)
    }
}

/// Names the action, and turns the SDK's error into ours.
pub(super) fn wrap<T, E>(action: &str, result: Result<T, SdkError<E, Response>>) -> Result<T, AwsError>
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    result.map_err(|error| translate(action, &error))
}

fn translate<E>(action: &str, error: &SdkError<E, Response>) -> AwsError
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    if let SdkError::ServiceError(answer) = error {
        let meta = answer.err().meta();
        let status = answer.raw().status().as_u16();
        return AwsError::answer(action, meta.code(), meta.message().unwrap_or_default(), status);
    }
    let problem = match (credentials_problem(error), error) {
        (Some(problem), _) => problem,
        (None, SdkError::TimeoutError(_)) => Problem::TimedOut,
        (None, SdkError::DispatchFailure(failure)) if failure.is_timeout() => Problem::Unreachable,
        (None, SdkError::DispatchFailure(_)) => Problem::Unreachable,
        (None, SdkError::ResponseError(_)) => Problem::Unreadable,
        _ => Problem::Refused,
    };
    AwsError::local(action, problem, Some(innermost(error)))
}

fn credentials_problem(error: &(dyn Error + 'static)) -> Option<Problem> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(credentials) = cause.downcast_ref::<CredentialsError>() {
            let words = innermost(credentials).to_lowercase();
            let expired = words.contains("expired") || words.contains("sso session");
            return Some(match credentials {
                _ if expired => Problem::Expired,
                CredentialsError::ProviderTimedOut(_) => Problem::TimedOut,
                _ => Problem::NoCredentials,
            });
        }
        next = cause.source();
    }
    None
}

/// The last cause of a chain: the words nearest to what happened.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}
