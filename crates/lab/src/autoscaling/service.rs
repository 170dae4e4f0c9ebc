//! The service: which handler answers which action.

use super::state::State;
use super::{control, describe, groups, health, hooks};
use crate::api::{ApiResult, Call, Cloud, Service, unknown_action};
use crate::ec2::Ec2;
use parking_lot::{Mutex, MutexGuard};
use std::pin::Pin;
use std::sync::Arc;

/// Auto Scaling of the local cloud.
pub(crate) struct Autoscaling {
    /// Where instances are.
    pub(super) ec2: Arc<Ec2>,
    state: Mutex<State>,
}

impl Autoscaling {
    /// A service without groups; it listens to what happens to instances as long as the cloud lives.
    pub(crate) fn start(cloud: &Arc<Cloud>, ec2: Arc<Ec2>) -> Arc<Self> {
        let service = Arc::new(Self {
            ec2,
            state: Mutex::default(),
        });
        tokio::spawn(control::follow_instances(
            Arc::downgrade(&service),
            cloud.instance_events(),
        ));
        service
    }

    /// The state; never held across an await.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    async fn answer(self: Arc<Self>, cloud: Arc<Cloud>, call: Call) -> ApiResult {
        let params = &call.params;
        match call.action.as_str() {
            "CreateAutoScalingGroup" => groups::create(&self, &cloud, params).await,
            "UpdateAutoScalingGroup" => groups::update(&self, &cloud, params).await,
            "DeleteAutoScalingGroup" => groups::delete(&mut self.state(), params),
            "SetDesiredCapacity" => groups::set_desired_capacity(&mut self.state(), params),
            "SuspendProcesses" => groups::suspend(&mut self.state(), params, true),
            "ResumeProcesses" => groups::suspend(&mut self.state(), params, false),
            "CreateOrUpdateTags" => groups::tag(&mut self.state(), params, true),
            "DeleteTags" => groups::tag(&mut self.state(), params, false),
            "EnableMetricsCollection" => groups::metrics(&mut self.state(), params, true),
            "DisableMetricsCollection" => groups::metrics(&mut self.state(), params, false),
            "AttachLoadBalancerTargetGroups" => groups::targets(&self, &cloud, params, true).await,
            "DetachLoadBalancerTargetGroups" => groups::targets(&self, &cloud, params, false).await,
            "DescribeAutoScalingGroups" => describe::groups(&self.state(), params),
            "DescribeAutoScalingInstances" => describe::instances(&self.state(), params),
            "DescribeScalingActivities" => describe::activities(&self.state(), params),
            "DescribeLoadBalancerTargetGroups" => describe::target_groups(&mut self.state(), params),
            "DescribeLifecycleHooks" => describe::hooks(&mut self.state(), params),
            "DescribeTags" => describe::tags(&self.state(), params),
            "SetInstanceHealth" => health::set(&mut self.state(), &cloud, params),
            "TerminateInstanceInAutoScalingGroup" => control::terminate_one(&self, &cloud, params),
            "PutLifecycleHook" => hooks::put(&mut self.state(), params),
            "DeleteLifecycleHook" => hooks::delete(&mut self.state(), params),
            "CompleteLifecycleAction" => hooks::complete(&mut self.state(), params),
            "RecordLifecycleActionHeartbeat" => hooks::heartbeat(&mut self.state(), params),
            _ => Err(unknown_action(&call)),
        }
    }
}

impl Service for Autoscaling {
    fn call(self: Arc<Self>, cloud: Arc<Cloud>, call: Call) -> Pin<Box<dyn Future<Output = ApiResult> + Send>> {
        Box::pin(self.answer(cloud, call))
    }
}
