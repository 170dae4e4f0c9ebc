//! The service: takes calls and hands them on.

use super::state::State;
use crate::api::{ApiResult, Call, Cloud, Service, unknown_action};
use crate::timing::Timing;
use parking_lot::{Mutex, MutexGuard};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// CloudFormation of the local cloud.
#[derive(Default)]
pub(crate) struct CloudFormation {
    state: Mutex<State>,
    /// Woken at every signal and every cancellation.
    pub(super) news: Notify,
}

impl CloudFormation {
    /// CloudFormation without stacks.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The state; never held across an await.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// How often a resource that is not ready yet is described.
    pub(super) fn poll(cloud: &Cloud) -> Duration {
        match cloud.site.timing {
            Timing::Fast | Timing::Guest => Duration::from_millis(10),
            Timing::Aws => Duration::from_secs(2),
        }
    }

    async fn dispatch(self: Arc<Self>, cloud: Arc<Cloud>, call: Call) -> ApiResult {
        let params = &call.params;
        match call.action.as_str() {
            "CreateStack" => self.create_stack(&cloud, params, &call.caller).await,
            "UpdateStack" => self.update_stack(&cloud, params, &call.caller).await,
            "CancelUpdateStack" => self.cancel_update_stack(params),
            "DeleteStack" => self.delete_stack(&cloud, params, &call.caller),
            "ContinueUpdateRollback" => self.continue_update_rollback(&cloud, params, &call.caller),
            "CreateChangeSet" => self.create_change_set(&cloud, params, &call.caller).await,
            "DescribeChangeSet" => self.describe_change_set(params),
            "ExecuteChangeSet" => self.execute_change_set(&cloud, params, &call.caller),
            "DeleteChangeSet" => self.delete_change_set(params),
            "ListChangeSets" => self.list_change_sets(params),
            "DescribeStacks" => self.describe_stacks(params),
            "ListStacks" => self.list_stacks(params),
            "DescribeStackEvents" => self.describe_stack_events(params),
            "DescribeEvents" => self.describe_events(params),
            "DescribeStackResource" => self.describe_stack_resource(params),
            "DescribeStackResources" => self.describe_stack_resources(params),
            "ListStackResources" => self.list_stack_resources(params),
            "ListExports" => self.list_exports(params),
            "GetTemplate" => self.get_template(params),
            "GetTemplateSummary" => self.get_template_summary(params),
            "ValidateTemplate" => self.validate_template(params),
            "SignalResource" => self.signal_resource(params),
            "UpdateTerminationProtection" => self.update_termination_protection(params),
            _ => Err(unknown_action(&call)),
        }
    }
}

impl Service for CloudFormation {
    fn call(self: Arc<Self>, cloud: Arc<Cloud>, call: Call) -> Pin<Box<dyn Future<Output = ApiResult> + Send>> {
        Box::pin(self.dispatch(cloud, call))
    }
}
