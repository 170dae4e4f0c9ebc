//! The control loop: looks, decides, and carries out launches and terminations beside each other.

use super::activities::{self, at};
use super::decide::{Member, Phase, Step, Why, decide};
use super::group::Group;
use super::health;
use super::launching::launch;
use super::service::Autoscaling;
use super::state::invalid;
use super::targets::{change_targets, target_state, until_drained};
use super::waiting::wait_for_hook;
use crate::api::{ApiResult, Caller, Cloud, InstanceEvent, flag, only, required};
use crate::timing::{ASG_CHECK, ASG_REACTION};
use serde_json::{Value, json};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// How often a wait for a state of an instance or a target looks.
pub(super) const LOOK: Duration = Duration::from_millis(5);

/// Marks instances unhealthy that EC2 stops or terminates, whoever asked for it.
pub(super) async fn follow_instances(service: Weak<Autoscaling>, mut events: Receiver<InstanceEvent>) {
    loop {
        let event = match events.recv().await {
            Ok(event) => event,
            // What was missed is found by the periodic check.
            Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return,
        };
        let Some(service) = service.upgrade() else {
            return;
        };
        if ["shutting-down", "terminated", "stopping", "stopped"].contains(&event.state.as_str())
            && let Ok(group) = service.state().group_of(&event.instance)
        {
            health::not_running(group, &event.instance);
        }
    }
}

/// Runs a group until it is deleted.
pub(super) async fn run(service: Arc<Autoscaling>, cloud: Arc<Cloud>, name: String) {
    let timing = cloud.site.timing;
    let mut published: Vec<(&'static str, usize)> = Vec::new();
    let mut published_at = Instant::now();
    loop {
        let Some(wake) = service.state().groups.get(&name).map(|g| g.wake.clone()) else {
            return;
        };
        publish(&service, &cloud, &name, &mut published, &mut published_at).await;
        step(&service, &cloud, &name);
        if finish_deletion(&service, &name) {
            return;
        }
        tokio::select! {
            () = wake.notified() => tokio::time::sleep(timing.of(&ASG_REACTION)).await,
            () = tokio::time::sleep(timing.of(&ASG_CHECK)) => check(&service, &cloud, &name).await,
            () = cloud.until_shut_down() => return,
        }
    }
}

fn finish_deletion(service: &Autoscaling, name: &str) -> bool {
    let mut state = service.state();
    let empty = state
        .groups
        .get(name)
        .is_some_and(|g| g.deleting && g.members.is_empty() && g.launching.is_empty());
    if empty && let Some(group) = state.groups.shift_remove(name) {
        let (name, arn) = (group.name, group.arn);
        state
            .past
            .extend(group.activities.into_iter().map(|a| (name.clone(), arn.clone(), a)));
    }
    empty
}

/// Decides once and begins what was decided.
fn step(service: &Arc<Autoscaling>, cloud: &Arc<Cloud>, name: &str) {
    let mut state = service.state();
    let Some(group) = state.groups.get_mut(name) else {
        return;
    };
    for step in decide(&group.view(Instant::now())) {
        match step {
            Step::Terminate { id, why } => {
                let cause = activities::termination_cause(group, &id, why);
                begin_termination(service, cloud, group, &id, cause);
            }
            Step::Launch { zone, why } => begin_launch(service, cloud, group, zone, why),
        }
    }
    if group.active() >= group.desired as usize {
        // What a user asked for is done; later activities have causes of their own.
        group.request = None;
    }
}

fn begin_launch(service: &Arc<Autoscaling>, cloud: &Arc<Cloud>, group: &mut Group, zone: String, why: Why) {
    let cause = activities::launch_cause(group, why);
    group.launches += 1;
    let activity = activities::begin(
        group,
        "Launching a new EC2 instance".to_owned(),
        cause,
        "PreInService",
        &zone,
    );
    group.launching.push(Member {
        id: activity.clone(),
        zone: zone.clone(),
        phase: Phase::Pending,
        healthy: true,
        launched: group.launches,
        protected: false,
    });
    let (service, cloud, name) = (service.clone(), cloud.clone(), group.name.clone());
    tokio::spawn(async move { launch(service, cloud, name, zone, activity).await });
}

fn begin_termination(
    service: &Arc<Autoscaling>,
    cloud: &Arc<Cloud>,
    group: &mut Group,
    id: &str,
    cause: String,
) -> String {
    let zone = group.members.get(id).map(|m| m.member.zone.clone());
    let activity = activities::begin(
        group,
        format!("Terminating EC2 instance: {id}"),
        cause,
        "InProgress",
        zone.as_deref().unwrap_or_default(),
    );
    // A launch without an instance cannot be unhealthy; scale-in may still choose it.
    group.launching.retain(|l| l.id != id);
    group.lost_zone = zone;
    if let Some(found) = group.members.get_mut(id) {
        found.member.phase = Phase::Terminating;
        if let Some(wait) = found.waiting.as_mut() {
            wait.result = Some(false);
            wait.changed.notify_one();
        }
        let (service, cloud, name, id) = (service.clone(), cloud.clone(), group.name.clone(), id.to_owned());
        let activity = activity.clone();
        tokio::spawn(async move { terminate(service, cloud, name, id, activity).await });
    } else {
        activities::end(group, &activity, "Cancelled", None);
    }
    activity
}

/// Runs `change` on the group, if it still exists, and wakes its loop.
pub(super) fn with_group<T>(service: &Autoscaling, name: &str, change: impl FnOnce(&mut Group) -> T) -> Option<T> {
    let mut state = service.state();
    let group = state.groups.get_mut(name)?;
    let result = change(group);
    group.wake.notify_one();
    Some(result)
}

async fn terminate(service: Arc<Autoscaling>, cloud: Arc<Cloud>, name: String, id: String, activity: String) {
    service.ec2.set_target_lifecycle_state(&id, "Terminated");
    let runs = service.ec2.instance_state(&id) == Some("running");
    let targets = service
        .state()
        .groups
        .get(&name)
        .map(|g| g.target_groups.clone())
        .unwrap_or_default();
    if !targets.is_empty() {
        change_targets(&cloud, &targets, &id, false).await;
        if runs {
            with_group(&service, &name, |g| {
                activities::progress(g, &activity, "WaitingForELBConnectionDraining", 30)
            });
            until_drained(&service, &cloud, &targets, &id).await;
        }
    }
    wait_for_hook(&service, &cloud, &name, &id, &activity, true).await;
    with_group(&service, &name, |group| {
        if let Some(member) = group.members.get_mut(&id) {
            member.member.phase = Phase::TerminatingProceed;
        }
        activities::progress(group, &activity, "InProgress", 80);
    });
    // An instance that is gone already is what was wanted.
    let _ = cloud
        .call("ec2", "TerminateInstances", json!({"InstanceId": [id]}), Caller::Admin)
        .await;
    while !matches!(service.ec2.instance_state(&id), None | Some("terminated")) {
        tokio::time::sleep(LOOK).await;
    }
    with_group(&service, &name, |group| {
        group.members.shift_remove(&id);
        activities::end(group, &activity, "Successful", None);
    });
}

/// The periodic look: EC2 for every instance, the load balancer where the group asks for it.
async fn check(service: &Arc<Autoscaling>, cloud: &Arc<Cloud>, name: &str) {
    let (ids, targets) = {
        let mut state = service.state();
        let Some(group) = state.groups.get_mut(name) else {
            return;
        };
        let ids: Vec<String> = group.members.keys().cloned().collect();
        for id in &ids {
            if !matches!(service.ec2.instance_state(id), Some("pending" | "running")) {
                health::not_running(group, id);
            }
        }
        let elb = group.health_check.split(',').any(|t| t.trim() == "ELB");
        (ids, if elb { group.target_groups.clone() } else { Vec::new() })
    };
    for arn in &targets {
        for id in &ids {
            // An error is not a verdict: only a state that was read counts.
            if target_state(cloud, arn, id).await.as_deref() == Some("unhealthy") {
                with_group(service, name, |group| {
                    health::load_balancer_says_unhealthy(group, id, cloud.site.timing);
                });
            }
        }
    }
}

/// Puts the group's metrics when they changed, and at least once a minute.
async fn publish(
    service: &Autoscaling,
    cloud: &Arc<Cloud>,
    name: &str,
    before: &mut Vec<(&'static str, usize)>,
    last: &mut Instant,
) {
    let Some(now) = service.state().groups.get(name).map(|group| {
        let mut values = group.metric_values();
        values.retain(|(metric, _)| group.metrics.iter().any(|m| m == metric));
        values
    }) else {
        return;
    };
    if now.is_empty() || (now == *before && last.elapsed() < Duration::from_secs(60)) {
        return;
    }
    let data: Vec<Value> = now
        .iter()
        .map(|(metric, value)| {
            let dimensions = json!([{"Name": "AutoScalingGroupName", "Value": name}]);
            json!({"MetricName": metric, "Dimensions": dimensions, "Value": value, "Unit": "None"})
        })
        .collect();
    let params = json!({"Namespace": "AWS/AutoScaling", "MetricData": data});
    // A metric that cannot be put must not stop the loop; the next change tries again.
    if cloud
        .call("monitoring", "PutMetricData", params, Caller::Admin)
        .await
        .is_ok()
    {
        *before = now;
        *last = Instant::now();
    }
}

/// TerminateInstanceInAutoScalingGroup.
pub(super) fn terminate_one(service: &Arc<Autoscaling>, cloud: &Arc<Cloud>, params: &Value) -> ApiResult {
    only(params, &["InstanceId", "ShouldDecrementDesiredCapacity"])?;
    let id = required(params, "InstanceId")?;
    let decrement = flag(params, "ShouldDecrementDesiredCapacity")
        .ok_or_else(|| invalid("ShouldDecrementDesiredCapacity is required"))?;
    let mut state = service.state();
    let group = state.group_of(&id)?;
    if decrement && group.desired <= group.min {
        return Err(invalid(format!(
            "Currently, desiredSize equals minSize ({}). Terminating instance without replacement will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size.",
            group.min
        )));
    }
    let active = group.members.get(&id).is_some_and(|m| m.member.phase.is_active());
    if !active {
        return Err(invalid(format!("Instance {id} is already terminating")));
    }
    let mut cause = format!(
        "{}instance {id} was taken out of service in response to a user request",
        at()
    );
    if decrement {
        cause.push_str(&format!(
            ", shrinking the capacity from {} to {}",
            group.desired,
            group.desired - 1
        ));
        group.desired -= 1;
    }
    cause.push('.');
    let activity = begin_termination(service, cloud, group, &id, cause);
    let (name, arn) = (group.name.clone(), group.arn.clone());
    group.wake.notify_one();
    let shown = group.activity_mut(&activity).map(|a| activities::shown(&name, &arn, a));
    Ok(json!({"Activity": shown}))
}
