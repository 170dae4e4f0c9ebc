//! Rolling update of an Auto Scaling group: obsolete instances are replaced in batches, each waited for.

use super::context::{Context, Failure};
use super::signals::{self, ExpectedSignals, duration};
use crate::api::{flag, number, text, texts};
use serde_json::{Value, json};
use std::time::Instant;

const ASG: &str = "autoscaling";

/// Suspends the processes that the policy names; returns those that were not suspended before.
///
/// # Errors
/// Whatever Auto Scaling answers.
pub(crate) async fn suspend(context: &Context, group: &str, policy: &Value) -> Result<Vec<String>, Failure> {
    let wanted = texts(policy, "SuspendProcesses");
    if wanted.is_empty() {
        return Ok(wanted);
    }
    let before = describe(context, group).await?;
    let already: Vec<String> = before["SuspendedProcesses"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|p| p["ProcessName"].as_str().map(str::to_owned))
        .collect();
    let new: Vec<String> = wanted.into_iter().filter(|p| !already.contains(p)).collect();
    if !new.is_empty() {
        let params = json!({"AutoScalingGroupName": group, "ScalingProcesses": new});
        context.call(ASG, "SuspendProcesses", params).await?;
    }
    Ok(new)
}

/// Resumes processes.
///
/// # Errors
/// Whatever Auto Scaling answers.
pub(crate) async fn resume(context: &Context, group: &str, processes: &[String]) -> Result<(), Failure> {
    if processes.is_empty() {
        return Ok(());
    }
    let params = json!({"AutoScalingGroupName": group, "ScalingProcesses": processes});
    context.call(ASG, "ResumeProcesses", params).await.map(drop)
}

async fn describe(context: &Context, group: &str) -> Result<Value, Failure> {
    let seen = context
        .call(
            ASG,
            "DescribeAutoScalingGroups",
            json!({"AutoScalingGroupNames": [group]}),
        )
        .await?;
    seen.pointer("/AutoScalingGroups/0")
        .cloned()
        .ok_or_else(|| Failure::new(format!("AutoScalingGroup {group} does not exist")))
}

fn instances(group: &Value) -> Vec<(String, String)> {
    group["Instances"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|i| {
            Some((
                i["InstanceId"].as_str()?.to_owned(),
                i["LifecycleState"].as_str()?.to_owned(),
            ))
        })
        .collect()
}

/// Refuses a policy that would keep as many instances as the group can have: none of them could ever be replaced.
///
/// # Errors
/// In CloudFormation's words.
pub(crate) fn leaves_room(update_policy: &Value, properties: &Value) -> Result<(), Failure> {
    let Some(policy) = update_policy.get("AutoScalingRollingUpdate") else {
        return Ok(());
    };
    let keep = number(policy, "MinInstancesInService").unwrap_or_default();
    let max = number(properties, "MaxSize").unwrap_or(1);
    match keep > 0 && keep >= max {
        false => Ok(()),
        true => Err(Failure::new(format!(
            "MinInstancesInService must be less than the autoscaling group's MaxSize ({max})"
        ))),
    }
}

/// Replaces all instances of a group, `MaxBatchSize` at a time, keeping `MinInstancesInService` of them.
///
/// # Errors
/// Too few signals in `PauseTime`, a cancellation, or whatever Auto Scaling answers.
pub(crate) async fn replace(context: &Context, group: &str, policy: &Value) -> Result<(), Failure> {
    let keep = number(policy, "MinInstancesInService").unwrap_or_default();
    let on_signals = flag(policy, "WaitOnResourceSignals").unwrap_or_default();
    let pause_text =
        text(policy, "PauseTime").unwrap_or_else(|| if on_signals { "PT5M".into() } else { "PT0S".into() });
    let pause = duration(&pause_text);
    let seen = landed(context, group, signals::deadline(context, pause)).await?;
    let old = living(&seen);
    if old.is_empty() {
        return Ok(());
    }
    let max = number(&seen, "MaxSize").unwrap_or(1);
    if keep >= max {
        return Err(Failure::new(format!(
            "MinInstancesInService must be less than the autoscaling group's MaxSize ({max})"
        )));
    }
    let room = (old.len() as i64 - keep).max(1);
    let batch = number(policy, "MaxBatchSize")
        .unwrap_or(1)
        .clamp(1, room)
        .unsigned_abs() as usize;
    context.note(format!(
        "Rolling update initiated. Terminating {} obsolete instance(s) in batches of {batch}, while keeping at least {keep} instance(s) in \
         service.{}",
        old.len(),
        match on_signals {
            true => format!(
                " Waiting on resource signals with a timeout of {pause_text} when new instances are added to the autoscaling group."
            ),
            false => String::new(),
        }
    ));
    let mut known: Vec<String> = instances(&seen).into_iter().map(|(id, _)| id).collect();
    let mut replaced = 0;
    for part in old.chunks(batch) {
        let shown = part.join(",");
        context.note(format!(
            "Terminating instance(s) [{shown}]; replacing with {} new instance(s).",
            part.len()
        ));
        context.service.forget_signals(&context.stack_id, &context.logical);
        for instance in part {
            let params = json!({"InstanceId": instance, "ShouldDecrementDesiredCapacity": false});
            match context.call(ASG, "TerminateInstanceInAutoScalingGroup", params).await {
                // Gone or going already, by whatever hand: what counts is that it leaves the group.
                Err(failure) if living(&describe(context, group).await?).contains(instance) => return Err(failure),
                _ => {}
            }
        }
        wait_for_exit(context, group, part).await?;
        // One limit over launch and signal: an instance that cannot be launched fails the update as one that stays silent does.
        let deadline = signals::deadline(context, pause);
        replaced += part.len();
        context.note(format!(
            "Successfully terminated instance(s) [{shown}] (Progress {}%).",
            replaced * 100 / old.len()
        ));
        if on_signals {
            let percent = number(policy, "MinSuccessfulInstancesPercent")
                .unwrap_or(100)
                .unsigned_abs();
            let wanted = ExpectedSignals {
                count: part.len() as u64,
                percent,
                timeout: pause,
            };
            if !wait_for_new(context, group, part.len(), &mut known, Some(deadline)).await? {
                return Err(signals::too_few(0, wanted));
            }
            context.note(format!(
                "New instance(s) added to autoscaling group - Waiting on {} resource signal(s) with a timeout of {pause_text}.",
                part.len()
            ));
            signals::wait_until(context, wanted, deadline).await?;
        } else {
            wait_for_new(context, group, part.len(), &mut known, None).await?;
            tokio::time::sleep(context.cloud.site.timing.period(pause)).await;
        }
    }
    Ok(())
}

/// Instances that are not on their way out.
fn living(group: &Value) -> Vec<String> {
    let all = instances(group).into_iter();
    let living = all.filter(|(_, lifecycle)| !lifecycle.starts_with("Terminating"));
    living.map(|(id, _)| id).collect()
}

/// The group once it has as many instances as it wants, or as it is at the deadline. An update that goes back may have been
/// stopped in the middle of a replacement: a launch with the obsolete template that is on its way is then there to be replaced.
async fn landed(context: &Context, group: &str, deadline: Instant) -> Result<Value, Failure> {
    context
        .settle(async || {
            let seen = describe(context, group).await?;
            let wanted = number(&seen, "DesiredCapacity").unwrap_or_default();
            let there = living(&seen).len() as i64 >= wanted;
            Ok((there || Instant::now() >= deadline).then_some(seen))
        })
        .await
}

async fn wait_for_exit(context: &Context, group: &str, gone: &[String]) -> Result<(), Failure> {
    context
        .settle(async || {
            let seen = describe(context, group).await?;
            Ok((!instances(&seen).iter().any(|(id, _)| gone.contains(id))).then_some(()))
        })
        .await
}

/// Waits for new instances; whether they came before the deadline, or before the longest wait for any resource.
async fn wait_for_new(
    context: &Context,
    group: &str,
    count: usize,
    known: &mut Vec<String>,
    deadline: Option<Instant>,
) -> Result<bool, Failure> {
    let new = context
        .settle(async || {
            let seen = describe(context, group).await?;
            let mut new = living(&seen);
            new.retain(|id| !known.contains(id));
            let late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            Ok((new.len() >= count || late).then_some(new))
        })
        .await?;
    let came = new.len() >= count;
    known.extend(new);
    Ok(came)
}
