//! One launch, from RunInstances to service.

use super::activities;
use super::control::{LOOK, with_group};
use super::decide::{Member, Phase};
use super::group::{Group, GroupMember};
use super::service::Autoscaling;
use super::targets::change_targets;
use super::waiting::wait_for_hook;
use crate::api::{Caller, Cloud, list};
use crate::timing::{ASG_INTERFACE_RETRY, ASG_INTERFACE_RETRY_MAX, ASG_LAUNCH_RETRY, Timing};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Launches one instance in a zone and brings it into service.
pub(super) async fn launch(service: Arc<Autoscaling>, cloud: Arc<Cloud>, name: String, zone: String, activity: String) {
    let Some(params) = service
        .state()
        .groups
        .get(&name)
        .map(|g| run_parameters(g, &zone, &activity))
    else {
        return;
    };
    let answer = cloud.call("ec2", "RunInstances", params, Caller::Admin).await;
    let id = match answer {
        Ok(answer) => {
            let instance = &answer["instancesSet"][0];
            match enter(&service, &name, &activity, instance) {
                Some(id) => id,
                None => {
                    // The group was deleted meanwhile; its instance must not outlive it.
                    let params = json!({"InstanceId": [instance["instanceId"]]});
                    let _ = cloud.call("ec2", "TerminateInstances", params, Caller::Admin).await;
                    return;
                }
            }
        }
        Err(error) => {
            let in_use = error.code == "InvalidNetworkInterface.InUse";
            let hold = with_group(&service, &name, |group| {
                group.in_use_launches = if in_use { group.in_use_launches + 1 } else { 0 };
                let hold = hold(cloud.site.timing, group.in_use_launches);
                group.launching.retain(|l| l.id != activity);
                group.failing.insert(zone.clone(), Instant::now() + hold * 3);
                group.hold_launches = Some(Instant::now() + hold);
                let message = format!(
                    "{}. Launching EC2 instance failed.",
                    error.message.trim_end_matches('.')
                );
                activities::end(group, &activity, "Failed", Some(message));
                hold
            });
            tokio::time::sleep(hold.unwrap_or_default()).await;
            with_group(&service, &name, |_| ());
            return;
        }
    };
    service.ec2.set_target_lifecycle_state(&id, "InService");
    // An instance that ends before it runs is marked unhealthy by its events; nothing more to do here.
    while service.ec2.instance_state(&id) == Some("pending") {
        tokio::time::sleep(LOOK).await;
    }
    if service.ec2.instance_state(&id) == Some("running")
        && wait_for_hook(&service, &cloud, &name, &id, &activity, false).await
    {
        come_into_service(&service, &cloud, &name, &id).await;
    }
    with_group(&service, &name, |group| {
        let in_service = group
            .members
            .get(&id)
            .is_some_and(|m| m.member.phase == Phase::InService);
        match in_service {
            true => activities::end(group, &activity, "Successful", None),
            false => activities::end(
                group,
                &activity,
                "Cancelled",
                Some("the instance did not enter service".to_owned()),
            ),
        }
    });
}

/// How long a group waits after a failed launch: `in_use` of them in a row failed since the network interface was in use.
fn hold(timing: Timing, in_use: u32) -> Duration {
    match in_use.checked_sub(1) {
        None => timing.of(&ASG_LAUNCH_RETRY),
        Some(before) => {
            let wait = timing.of(&ASG_INTERFACE_RETRY).saturating_mul(1 << before.min(16));
            wait.min(timing.of(&ASG_INTERFACE_RETRY_MAX))
        }
    }
}

fn run_parameters(group: &Group, zone: &str, activity: &str) -> Value {
    let subnet = group.subnets.iter().find(|(_, z)| z == zone).map(|(s, _)| s.clone());
    // A group without subnets names the zone, and leaves the subnet to the interface of the template, or to the default VPC.
    let subnet = subnet.filter(|id| !id.is_empty());
    let mut tags = vec![json!({"Key": "aws:autoscaling:groupName", "Value": group.name})];
    tags.extend(
        group
            .tags
            .iter()
            .filter(|(_, (_, propagate))| *propagate)
            .map(|(key, (value, _))| json!({"Key": key, "Value": value})),
    );
    let mut params = json!({
        "LaunchTemplate": {"LaunchTemplateId": group.template.0, "Version": group.template.2}, "MinCount": 1, "MaxCount": 1,
        "ClientToken": activity, "TagSpecification": [{"ResourceType": "instance", "Tag": tags}],
    });
    match subnet {
        Some(subnet) => params["SubnetId"] = json!(subnet),
        None => params["Placement"] = json!({"AvailabilityZone": zone}),
    }
    params
}

/// Turns a launch into a member.
fn enter(service: &Arc<Autoscaling>, name: &str, activity: &str, instance: &Value) -> Option<String> {
    let part = |member: &str| instance[member].as_str().unwrap_or_default().to_owned();
    let id = part("instanceId");
    let tag = |key: &str| {
        let tags = list(instance, "tagSet");
        let found = tags.iter().find(|t| t["key"] == key);
        found
            .and_then(|t| t["value"].as_str().map(str::to_owned))
            .unwrap_or_default()
    };
    with_group(service, name, |group| {
        let position = group.launching.iter().position(|l| l.id == activity);
        group.in_use_launches = 0;
        // A scale-in may have taken the launch back meanwhile; the instance then leaves at once.
        let (mut member, wanted) = match position {
            Some(position) => (group.launching.remove(position), true),
            None => (
                Member {
                    id: id.clone(),
                    zone: String::new(),
                    phase: Phase::Pending,
                    healthy: true,
                    launched: group.launches,
                    protected: false,
                },
                false,
            ),
        };
        member.id = id.clone();
        member.zone = instance["placement"]["availabilityZone"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        member.healthy = wanted;
        if let Some(found) = group.activity_mut(activity) {
            found.description = format!("Launching a new EC2 instance: {id}");
        }
        group.members.insert(
            id.clone(),
            GroupMember {
                member,
                instance_type: part("instanceType"),
                image: part("imageId"),
                template: (
                    group.template.0.clone(),
                    group.template.1.clone(),
                    tag("aws:ec2launchtemplate:version"),
                ),
                in_service: None,
                unhealthy_cause: None,
                waiting: None,
            },
        );
        id.clone()
    })
}

async fn come_into_service(service: &Arc<Autoscaling>, cloud: &Arc<Cloud>, name: &str, id: &str) {
    let Some((targets, suspended)) = service
        .state()
        .groups
        .get(name)
        .map(|g| (g.target_groups.clone(), g.is_suspended("AddToLoadBalancer")))
    else {
        return;
    };
    if !suspended {
        change_targets(cloud, &targets, id, true).await;
    }
    let entered = with_group(service, name, |group| match group.members.get_mut(id) {
        Some(found) if found.member.phase.is_active() => {
            found.member.phase = Phase::InService;
            found.in_service = Some(Instant::now());
            true
        }
        _ => false,
    });
    if entered != Some(true) {
        // Its termination began while it was being registered.
        change_targets(cloud, &targets, id, false).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_waits_longer_with_each_launch_that_finds_the_interface_in_use() {
        let seconds = |failed| hold(Timing::Aws, failed).as_secs();
        assert_eq!([0, 1, 2, 3, 5, 6, 40].map(seconds), [60, 30, 60, 120, 480, 600, 600]);
    }
}
