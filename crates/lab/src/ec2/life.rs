//! An instance's life: launched, running, stopped or terminated, each with its host behind it.

use super::instances::{Instance, InstanceState};
use super::service::Ec2;
use super::{interfaces, volumes};
use crate::api::{ApiError, ApiResult, Cloud, InstanceEvent, flag, only, texts};
use crate::instance::{Ended, Host, HostSpec, serve_metadata};
use crate::timing::{EC2_BOOT, EC2_PENDING, EC2_TERMINATED, EC2_VISIBLE};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::task::JoinHandle;

fn user_initiated() -> String {
    jiff::Timestamp::now()
        .strftime("User initiated (%Y-%m-%d %H:%M:%S GMT)")
        .to_string()
}

fn enter(cloud: &Cloud, instance: &mut Instance, state: InstanceState) {
    instance.state = state;
    cloud.announce(InstanceEvent {
        instance: instance.id.clone(),
        state: state.name().to_owned(),
    });
}

/// Carries a launched instance from `pending` through its boot, and stays with it until its host stops.
pub(super) async fn live(ec2: Arc<Ec2>, cloud: Arc<Cloud>, id: String) {
    let timing = cloud.site.timing;
    tokio::time::sleep(timing.of(&EC2_PENDING)).await;
    let Some((zone, address, mac)) = ec2
        .state()
        .instances
        .get(&id)
        .map(|i| (i.zone.clone(), i.address, i.mac.clone()))
    else {
        return;
    };
    let interface = match cloud.network.plug_in(&zone, address, &mac).await {
        Ok(interface) => interface,
        Err(e) => return fail(&ec2, &cloud, &id, &super::with_cause(&e)),
    };
    let Some((spec, facts)) = ec2.state().instances.get(&id).map(|i| {
        let spec = HostSpec {
            instance: i.id.clone(),
            zone,
            address,
            interface,
            software: i.image != super::BARE_IMAGE,
        };
        (spec, i.facts.clone())
    }) else {
        return;
    };
    let metadata = match serve_metadata(&cloud, facts, &spec.interface).await {
        Ok(metadata) => metadata,
        Err(e) => {
            return fail(
                &ec2,
                &cloud,
                &id,
                &format!("the metadata service cannot listen on {}: {e}", spec.address),
            );
        }
    };
    let host = match Host::create(&cloud.site, &spec) {
        Ok(host) => host,
        Err(e) => {
            metadata.abort();
            return fail(&ec2, &cloud, &id, &super::with_cause(&e));
        }
    };
    let Some(user_data) = enter_running(&ec2, &cloud, &id, &host, metadata) else {
        return host.remove().await;
    };
    tokio::time::sleep(timing.of(&EC2_BOOT)).await;
    if !host.is_stopping() {
        // The console has the reason; the instance stays up as a real one does whose cloud-init failed.
        if let Ok(Ended::ByItself) = host.boot(user_data.as_deref()).await {
            tracing::warn!(instance = id, "its power went off by itself");
            begin_end(
                &ec2,
                &cloud,
                &id,
                InstanceState::Stopping,
                true,
                "Client.InstanceInitiatedShutdown",
            );
        }
    }
}

/// `running`, with a host and its metadata; none when it was terminated before. Returns the user data.
fn enter_running(
    ec2: &Ec2,
    cloud: &Cloud,
    id: &str,
    host: &Arc<Host>,
    metadata: JoinHandle<()>,
) -> Option<Option<String>> {
    let mut state = ec2.state();
    let Some(instance) = state
        .instances
        .get_mut(id)
        .filter(|i| i.state == InstanceState::Pending)
    else {
        metadata.abort();
        return None;
    };
    instance.host = Some(host.clone());
    instance.metadata = Some(metadata);
    enter(cloud, instance, InstanceState::Running);
    Some(instance.user_data.clone())
}

fn fail(ec2: &Arc<Ec2>, cloud: &Arc<Cloud>, id: &str, message: &str) {
    let mut state = ec2.state();
    if let Some(instance) = state.instances.get_mut(id) {
        instance.reason = Some((
            "Server.InternalError".to_owned(),
            format!("Server.InternalError: {message}"),
        ));
        enter(cloud, instance, InstanceState::Terminated);
    }
    interfaces::release(&mut state, id);
}

/// TerminateInstances: a graceful shutdown, or none with `SkipOsShutdown`; may be repeated to cut a slow one short.
pub(super) fn terminate(ec2: Arc<Ec2>, cloud: Arc<Cloud>, params: &Value) -> ApiResult {
    only(params, &["InstanceId", "SkipOsShutdown", "Force", "DryRun"])?;
    let ids = instance_ids(&ec2, params)?;
    let protected = |id: &String| ec2.state().instances.get(id).is_some_and(|i| i.termination_protected);
    if let Some(id) = ids.iter().find(|id| protected(id)) {
        return Err(ApiError::new(
            "OperationNotPermitted",
            format!(
                "The instance '{id}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again."
            ),
        ));
    }
    let skip = flag(params, "SkipOsShutdown") == Some(true);
    let rows: Vec<Value> = ids
        .iter()
        .map(|id| begin_end(&ec2, &cloud, id, InstanceState::ShuttingDown, skip, USER))
        .collect();
    Ok(json!({"instancesSet": rows}))
}

/// StopInstances.
pub(super) fn stop(ec2: Arc<Ec2>, cloud: Arc<Cloud>, params: &Value) -> ApiResult {
    only(params, &["InstanceId", "SkipOsShutdown", "Force", "DryRun"])?;
    let ids = instance_ids(&ec2, params)?;
    for id in &ids {
        let state = ec2.state().instance(id)?.state;
        if !matches!(
            state,
            InstanceState::Running | InstanceState::Stopping | InstanceState::Stopped
        ) {
            return Err(ApiError::new(
                "IncorrectInstanceState",
                format!("This instance '{id}' is not in a state from which it can be stopped."),
            ));
        }
    }
    let skip = flag(params, "SkipOsShutdown") == Some(true);
    let rows: Vec<Value> = ids
        .iter()
        .map(|id| begin_end(&ec2, &cloud, id, InstanceState::Stopping, skip, USER))
        .collect();
    Ok(json!({"instancesSet": rows}))
}

fn instance_ids(ec2: &Ec2, params: &Value) -> Result<Vec<String>, ApiError> {
    let ids = texts(params, "InstanceId");
    if ids.is_empty() {
        return Err(ApiError::new(
            "MissingParameter",
            "The request must contain the parameter InstanceId",
        ));
    }
    let state = ec2.state();
    for id in &ids {
        state.instance(id)?;
    }
    Ok(ids)
}

/// Reason code of an end that somebody called for.
const USER: &str = "Client.UserInitiatedShutdown";

/// Begins a shutdown, or cuts one short that is under way; returns the row of the answer.
fn begin_end(ec2: &Arc<Ec2>, cloud: &Arc<Cloud>, id: &str, through: InstanceState, skip: bool, code: &str) -> Value {
    let mut guard = ec2.state();
    let Some(instance) = guard.instances.get_mut(id) else {
        return Value::Null;
    };
    let before = instance.state;
    let ending = matches!(before, InstanceState::ShuttingDown | InstanceState::Terminated)
        || (before == through)
        || (before == InstanceState::Stopped && through == InstanceState::Stopping);
    if !ending {
        // The state changes before the first process ends, so that whoever sees a connection close can tell why.
        let who = if code == USER { "User" } else { "Instance" };
        instance.transition = user_initiated();
        instance.reason = Some((code.to_owned(), format!("{code}: {who} initiated shutdown")));
        enter(cloud, instance, through);
        let (ec2, cloud, id, host) = (ec2.clone(), cloud.clone(), id.to_owned(), instance.host.clone());
        tokio::spawn(async move { end(ec2, cloud, id, host, through, skip).await });
    } else if skip
        && !matches!(before, InstanceState::Terminated | InstanceState::Stopped)
        && let Some(host) = instance.host.clone()
    {
        tokio::spawn(async move { host.cut().await });
    }
    json!({"instanceId": id, "currentState": instance.state.shown(), "previousState": before.shown()})
}

async fn end(
    ec2: Arc<Ec2>,
    cloud: Arc<Cloud>,
    id: String,
    host: Option<Arc<Host>>,
    through: InstanceState,
    skip: bool,
) {
    let timing = cloud.site.timing;
    if let Some(host) = &host {
        match skip {
            true => host.cut().await,
            false => host.shut_down().await,
        }
    }
    tokio::time::sleep(timing.of(&EC2_TERMINATED)).await;
    let metadata = ec2.state().instances.get_mut(&id).and_then(|i| i.metadata.take());
    if let Some(metadata) = metadata {
        metadata.abort();
        // Whoever gets the address next listens there.
        let _ = metadata.await;
    }
    let terminated = through == InstanceState::ShuttingDown;
    if terminated && let Some(host) = host {
        // Before it counts as terminated: its address is free then, and may belong to the next one at once.
        host.remove().await;
    }
    {
        let mut state = ec2.state();
        volumes::power_is_off(&state, &cloud, &id);
        let Some(instance) = state.instances.get_mut(&id) else {
            return;
        };
        // A termination that began while it was stopping has the last word.
        if instance.state == through {
            let last = if terminated {
                InstanceState::Terminated
            } else {
                InstanceState::Stopped
            };
            enter(&cloud, instance, last);
        }
        if terminated {
            interfaces::release(&mut state, &id);
            volumes::let_go(&mut state, &id);
        }
    }
    cloud.forget_instance(&id);
    if !terminated {
        return;
    }
    tokio::spawn(volumes::release(ec2.clone(), cloud.clone(), id.clone()));
    tokio::time::sleep(timing.of(&EC2_VISIBLE)).await;
    ec2.state().instances.shift_remove(&id);
}
