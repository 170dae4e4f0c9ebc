//! Waits for the lifecycle hooks of an instance that comes or goes.

use super::activities::{self, at};
use super::control::with_group;
use super::decide::Phase;
use super::hooks;
use super::service::Autoscaling;
use crate::api::Cloud;
use std::sync::Arc;
use std::time::Instant;

/// Waits for every hook of one transition in turn; false when one was abandoned or the instance is on its way out.
pub(super) async fn wait_for_hook(
    service: &Arc<Autoscaling>,
    cloud: &Arc<Cloud>,
    name: &str,
    id: &str,
    activity: &str,
    terminating: bool,
) -> bool {
    let Some(found) = service.state().groups.get(name).map(|g| {
        (
            g.hooks
                .iter()
                .filter(|h| h.terminating == terminating)
                .cloned()
                .collect::<Vec<_>>(),
            g.skip_hooks,
        )
    }) else {
        return false;
    };
    let (waiting, proceed) = match terminating {
        true => (Phase::TerminatingWait, Phase::TerminatingProceed),
        false => (Phase::PendingWait, Phase::PendingProceed),
    };
    for hook in if found.1 { Vec::new() } else { found.0 } {
        let begun = with_group(service, name, |group| {
            let member = group.members.get_mut(id)?;
            if !terminating && !member.member.phase.is_active() {
                return None;
            }
            let wait = hooks::begin(&hook, cloud.site.timing);
            let changed = wait.changed.clone();
            member.member.phase = waiting;
            member.waiting = Some(wait);
            activities::progress(group, activity, "MidLifecycleAction", 60);
            Some(changed)
        });
        let Some(Some(changed)) = begun else {
            return false;
        };
        let result = until_completed(service, name, id, &changed)
            .await
            .unwrap_or(hook.default_continue);
        with_group(service, name, |group| {
            if let Some(member) = group.members.get_mut(id) {
                member.waiting = None;
                if member.member.phase == waiting {
                    member.member.phase = proceed;
                }
                // AWS: a launch that is abandoned is terminated and replaced; a termination ends either way.
                if !result && !terminating && member.member.phase.is_active() {
                    member.member.healthy = false;
                    member.unhealthy_cause = Some(format!("{}a lifecycle action was abandoned.", at()));
                }
            }
        });
        if !result && !terminating {
            return false;
        }
    }
    true
}

/// The result of the hook that an instance waits for; none when its heartbeat ran out.
async fn until_completed(
    service: &Arc<Autoscaling>,
    name: &str,
    id: &str,
    changed: &tokio::sync::Notify,
) -> Option<bool> {
    loop {
        let (result, deadline) = {
            let state = service.state();
            let wait = state.groups.get(name)?.members.get(id)?.waiting.as_ref()?;
            (wait.result, wait.deadline)
        };
        if result.is_some() || Instant::now() >= deadline {
            return result;
        }
        tokio::select! {
            () = changed.notified() => {}
            () = tokio::time::sleep_until(deadline.into()) => {}
        }
    }
}
