//! What the handler of a resource type works with: calls to other services, names, tags, waiting.

use super::service::CloudFormation;
use crate::api::{ApiError, Caller, Cloud};
use crate::ids;
use serde_json::{Map, Value, json};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Longest wait for a resource to become ready or to go.
const SETTLE_LIMIT: Duration = Duration::from_secs(1800);

/// Reason of resources whose creation ended because another one failed.
pub(crate) const CANCELLED: &str = "Resource creation cancelled";

/// Why a resource could not be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The status reason.
    pub(crate) reason: String,
    /// Code of the service's error, empty when it was none.
    pub(crate) code: String,
}

impl Failure {
    /// A failure with its reason.
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            code: String::new(),
        }
    }

    /// Whether the service said that the thing does not exist.
    pub(crate) fn not_found(&self) -> bool {
        let code = self.code.to_ascii_lowercase();
        code.contains("notfound") || code.contains("nosuch") || code.contains("not.found")
    }
}

/// Values of `Fn::GetAtt` after a change.
pub(crate) type Attributes = Map<String, Value>;

/// What is being done with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It is created.
    Create,
    /// It is updated or replaced.
    Update,
    /// It is deleted.
    Delete,
}

impl Phase {
    /// The status while it lasts.
    pub(crate) fn in_progress(self) -> &'static str {
        match self {
            Phase::Create => "CREATE_IN_PROGRESS",
            Phase::Update => "UPDATE_IN_PROGRESS",
            Phase::Delete => "DELETE_IN_PROGRESS",
        }
    }
}

/// One resource under work.
#[derive(Clone)]
pub(crate) struct Context {
    /// The cloud.
    pub(crate) cloud: Arc<Cloud>,
    /// Whose call started the operation.
    pub(crate) caller: Caller,
    /// CloudFormation itself.
    pub(crate) service: Arc<CloudFormation>,
    /// ARN of the stack.
    pub(crate) stack_id: String,
    /// Name of the stack.
    pub(crate) stack_name: String,
    /// Logical id.
    pub(crate) logical: String,
    /// Type.
    pub(crate) kind: String,
    /// Tags of the stack.
    pub(crate) tags: Vec<(String, String)>,
    /// What is being done.
    pub(crate) phase: Phase,
    /// `CreationPolicy`.
    pub(crate) creation_policy: Value,
    /// `UpdatePolicy`.
    pub(crate) update_policy: Value,
    /// Set when the operation fails elsewhere.
    pub(crate) cancelled: Arc<AtomicBool>,
}

impl Context {
    /// One action of a service, as the caller of the stack's operation.
    ///
    /// # Errors
    /// The service's error, worded as CloudFormation's resource handlers do.
    pub(crate) async fn call(&self, service: &str, action: &str, params: Value) -> Result<Value, Failure> {
        self.cloud
            .call(service, action, params, self.caller.clone())
            .await
            .map_err(|error| reworded(service, &error))
    }

    /// Notes that the physical resource exists now, whatever happens next.
    pub(crate) fn created(&self, physical: &str) {
        {
            let mut state = self.service.lock();
            if let Some(record) = state
                .stacks
                .get_mut(&self.stack_id)
                .and_then(|s| s.resources.get_mut(&self.logical))
            {
                record.physical = Some(physical.to_owned());
            }
        }
        self.note("Resource creation Initiated");
    }

    /// Tells of progress.
    pub(crate) fn note(&self, text: impl Into<String>) {
        self.service.resource_status(
            &self.stack_id,
            &self.logical,
            self.phase.in_progress(),
            Some(text.into()),
        );
    }

    /// Whether the operation failed elsewhere; deletions go on.
    ///
    /// # Errors
    /// `Resource creation cancelled`.
    pub(crate) fn check_cancelled(&self) -> Result<(), Failure> {
        if self.phase != Phase::Delete && self.cancelled.load(Ordering::SeqCst) {
            return Err(Failure::new(CANCELLED));
        }
        Ok(())
    }

    /// Looks again and again until there is a result.
    ///
    /// # Errors
    /// What the look answers, a cancellation, or that it took over half an hour.
    pub(crate) async fn settle<T, F, R>(&self, mut look: F) -> Result<T, Failure>
    where
        F: FnMut() -> R,
        R: Future<Output = Result<Option<T>, Failure>>,
    {
        let deadline = Instant::now() + SETTLE_LIMIT;
        loop {
            if let Some(done) = look().await? {
                return Ok(done);
            }
            self.check_cancelled()?;
            if Instant::now() > deadline {
                return Err(Failure::new("Exceeded attempts to wait"));
            }
            tokio::time::sleep(CloudFormation::poll(&self.cloud)).await;
        }
    }

    /// A name for a resource whose template gives none: `<stack>-<logical>-<12 characters>`, at most `longest` long.
    pub(crate) fn name(&self, longest: usize) -> String {
        let suffix = ids::upper(12);
        let room = longest.saturating_sub(suffix.len() + 2);
        let half = room / 2;
        let logical: String = self
            .logical
            .chars()
            .take(room - half.min(self.stack_name.len()))
            .collect();
        let stack: String = self
            .stack_name
            .chars()
            .take(room.saturating_sub(logical.len()))
            .collect();
        format!("{}-{}-{suffix}", stack.trim_end_matches('-'), logical)
    }

    /// All tags: the resource's own, then the stack's, then CloudFormation's.
    pub(crate) fn all_tags(&self, own: Option<&Value>) -> Vec<(String, String)> {
        let mut tags: Vec<(String, String)> = Vec::new();
        for tag in own.and_then(Value::as_array).into_iter().flatten() {
            if let (Some(key), Some(value)) = (tag["Key"].as_str(), tag["Value"].as_str()) {
                tags.push((key.to_owned(), value.to_owned()));
            }
        }
        let system = [
            ("aws:cloudformation:stack-name", &self.stack_name),
            ("aws:cloudformation:logical-id", &self.logical),
            ("aws:cloudformation:stack-id", &self.stack_id),
        ];
        let system = system.iter().map(|(k, v)| ((*k).to_owned(), (*v).clone()));
        for (key, value) in self.tags.iter().cloned().chain(system) {
            if !tags.iter().any(|(k, _)| *k == key) {
                tags.push((key, value));
            }
        }
        tags
    }

    /// All tags as `[{"Key","Value"}]`.
    pub(crate) fn tag_list(&self, own: Option<&Value>) -> Value {
        self.all_tags(own)
            .into_iter()
            .map(|(k, v)| json!({"Key": k, "Value": v}))
            .collect::<Vec<_>>()
            .into()
    }

    /// All tags as EC2's `TagSpecification`.
    pub(crate) fn tag_specification(&self, resource_type: &str, own: Option<&Value>) -> Value {
        json!([{"ResourceType": resource_type, "Tag": self.tag_list(own)}])
    }
}

/// The words of CloudFormation's resource handlers around a service's error.
fn reworded(service: &str, error: &ApiError) -> Failure {
    let code = error.code.as_str();
    let lower = code.to_ascii_lowercase();
    let handler = if lower.contains("notfound") || lower.contains("nosuch") {
        "NotFound"
    } else if lower.contains("alreadyexists") || lower.contains("duplicate") || lower.contains("entityalready") {
        "AlreadyExists"
    } else if lower.contains("accessdenied") || lower.contains("unauthorized") {
        "AccessDenied"
    } else if lower.contains("throttl") || lower.contains("requestlimit") {
        "Throttling"
    } else if lower.contains("limitexceeded") || lower.contains("quota") {
        "ServiceLimitExceeded"
    } else if error.status >= 500 {
        "ServiceInternalError"
    } else {
        "InvalidRequest"
    };
    let name = match service {
        "ec2" => "Ec2",
        "elasticfilesystem" => "Efs",
        "elasticloadbalancing" => "ElasticLoadBalancingV2",
        "autoscaling" => "AutoScaling",
        "iam" => "Iam",
        "secretsmanager" => "SecretsManager",
        "monitoring" => "CloudWatch",
        "ssm" => "Ssm",
        other => other,
    };
    Failure {
        reason: format!(
            "Resource handler returned message: \"{} (Service: {name}, Status Code: {}, Request ID: {}) (SDK Attempt Count: 1)\" \
             (RequestToken: {}, HandlerErrorCode: {handler})",
            error.message,
            error.status,
            ids::uuid(),
            ids::uuid()
        ),
        code: code.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_read_as_from_a_resource_handler() {
        let failure = reworded(
            "ec2",
            &ApiError::new("InvalidVpcID.NotFound", "The vpc ID 'vpc-1' does not exist"),
        );
        assert!(failure.reason.starts_with(
            "Resource handler returned message: \"The vpc ID 'vpc-1' does not exist (Service: Ec2, Status Code: 400, Request ID: "
        ));
        assert!(failure.reason.ends_with("HandlerErrorCode: NotFound)"));
        assert!(failure.not_found());
    }
}
