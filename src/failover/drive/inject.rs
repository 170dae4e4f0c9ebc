//! Injects a fault, and looks whether it happened: a fault that was not seen proves nothing.

use super::port::{CloudError, Instance, Target, TestBed};
use super::round::Round;
use crate::failover::measure::phases::Clock;
use crate::failover::report::FaultRecord;
use crate::model::agent::{AgentState, FaultReport};
use crate::topology::{Fault, Injector};
use mqaws_contract::FaultOrder;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A fault on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Injected {
    /// When it was asked for.
    pub asked_ns: u64,
    /// When the answer came.
    pub answered_ns: u64,
    /// When it was done by the injector's own clock, nanoseconds since 1970.
    pub unix_ns: Option<i64>,
    /// What was seen so far.
    pub seen: FaultEvidence,
}

impl Injected {
    /// How the instances' clocks relate to that of the round, which began at `origin_unix_ns`.
    ///
    /// In a lab all hosts share this machine's clock. Elsewhere both are taken to follow the time; when the fault's own mark does not fit
    /// between question and answer, the difference is what is known.
    pub(super) fn clock(&self, origin_unix_ns: i64, in_lab: bool) -> Clock {
        if in_lab {
            return Clock {
                origin_unix_ns,
                uncertainty_ns: 1_000_000,
            };
        }
        let assumed = Clock {
            origin_unix_ns,
            uncertainty_ns: 100_000_000,
        };
        let Some(unix) = self.unix_ns else { return assumed };
        let at = assumed.round_ns(unix);
        let (asked, answered) = (self.asked_ns as i64, self.answered_ns as i64);
        if (asked..=answered).contains(&at) {
            return assumed;
        }
        let middle = asked + (answered - asked) / 2;
        Clock {
            origin_unix_ns: origin_unix_ns + (at - middle),
            uncertainty_ns: (answered - asked).unsigned_abs() / 2,
        }
    }

    /// For the report: what was seen in the end, and when it was done by the injector's own clock, but within question and answer.
    pub(super) fn record(&self, fault: Fault, seen: &FaultEvidence, clock: &Clock) -> FaultRecord {
        let at_ns = self.unix_ns.map_or(self.asked_ns, |unix| {
            u64::try_from(clock.round_ns(unix))
                .unwrap_or(0)
                .clamp(self.asked_ns, self.answered_ns)
        });
        FaultRecord {
            name: fault,
            verified: seen.verified,
            evidence: seen.evidence.clone(),
            asked_ns: self.asked_ns,
            at_ns,
        }
    }
}

/// Whether a fault was seen to have happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FaultEvidence {
    pub verified: bool,
    pub evidence: String,
}

/// What is injected where.
#[derive(Debug, Clone)]
pub(super) struct Injection {
    pub fault: Fault,
    pub injector: Injector,
    /// How long it lasts; `None` for what is done at once.
    pub time: Option<Duration>,
    pub instance: Instance,
}

/// Injects a fault on the instance that serves.
///
/// # Errors
/// When the call or the command failed; whether the fault happened is then not known.
pub(super) async fn inject(
    cloud: &dyn TestBed,
    target: &Target,
    round: &Round,
    injection: &Injection,
) -> Result<Injected, CloudError> {
    let asked_ns = round.now_ns();
    round.ledger().fault_at(asked_ns);
    let id = &injection.instance.id;
    let time = injection.time.unwrap_or_default();
    let accepted = |call: &str| FaultEvidence {
        verified: false,
        evidence: format!("{call} was accepted"),
    };
    let (unix_ns, seen) = match injection.injector {
        Injector::Agent(word) => {
            let order = match injection.time {
                None => FaultOrder::Once(word),
                Some(time) => FaultOrder::For(word, time),
            };
            told(cloud.order(target, id, order).await?)
        }
        Injector::Operator => {
            cloud.begin_move(target, id).await?;
            (None, accepted("the order to move"))
        }
        Injector::Terminate => {
            cloud.terminate(id).await?;
            (None, accepted("TerminateInstances"))
        }
        Injector::PowerOff => {
            cloud.power_off(id).await?;
            (None, accepted("TerminateInstances with SkipOsShutdown"))
        }
        Injector::MarkUnhealthy => {
            cloud.mark_unhealthy(id).await?;
            (None, accepted("SetInstanceHealth"))
        }
        Injector::LocalCloud => told(cloud.break_cloud(injection.fault, id, time).await?),
        Injector::LocalCloudAndPowerOff => {
            let (unix_ns, _) = told(cloud.break_cloud(injection.fault, id, time).await?);
            cloud.power_off(id).await?;
            // Either is seen later: who calls the API then is the successor.
            (unix_ns, accepted("TerminateInstances with SkipOsShutdown"))
        }
    };
    Ok(Injected {
        asked_ns,
        answered_ns: round.now_ns(),
        unix_ns,
        seen,
    })
}

fn told(report: FaultReport) -> (Option<i64>, FaultEvidence) {
    let seen = FaultEvidence {
        verified: report.verified,
        evidence: report.evidence,
    };
    (Some(report.t_unix_ns), seen)
}

/// Looks at the cloud until it shows the fault, or until told to stop; what was seen goes to `seen`.
pub(super) async fn verify(
    cloud: Arc<dyn TestBed>,
    target: Target,
    injection: Injection,
    every: Duration,
    seen: watch::Sender<FaultEvidence>,
) {
    while !seen.borrow().verified {
        let (fault, instance) = (injection.fault, &injection.instance);
        let cloud = cloud.as_ref();
        let looked = match injection.injector {
            Injector::Operator => moved(cloud, &target, instance).await,
            Injector::Terminate | Injector::PowerOff => ended(cloud, instance).await,
            Injector::MarkUnhealthy => taken_out(cloud, &target, instance).await,
            Injector::LocalCloud => observed(cloud, fault).await,
            Injector::LocalCloudAndPowerOff => match (observed(cloud, fault).await, ended(cloud, instance).await) {
                (Ok(Some(of_cloud)), Ok(Some(state))) => Ok(Some(format!("{of_cloud}; {state}"))),
                (Err(error), _) | (_, Err(error)) => Err(error),
                _ => Ok(None),
            },
            // The agent has looked already, and nobody else can.
            Injector::Agent(_) => return,
        };
        // A call that failed says nothing about the instance.
        if let Ok(Some(evidence)) = looked {
            seen.send_replace(FaultEvidence {
                verified: true,
                evidence,
            });
            return;
        }
        tokio::time::sleep(every).await;
    }
}

/// What shows that an instance let go of the queue manager: its group takes it out, or its agent does something else.
async fn moved(cloud: &dyn TestBed, target: &Target, instance: &Instance) -> Result<Option<String>, CloudError> {
    if let Some(out) = taken_out(cloud, target, instance).await? {
        return Ok(Some(out));
    }
    let agent = cloud.agent_status(target, &instance.id).await?;
    Ok(match agent.current_state() {
        AgentState::Serving | AgentState::Unknown => None,
        other => Some(format!("the agent on {} is {other}", instance.id)),
    })
}

/// The state of an instance that no longer runs.
async fn ended(cloud: &dyn TestBed, instance: &Instance) -> Result<Option<String>, CloudError> {
    let state = cloud.instance_state(&instance.id).await?;
    Ok(match state.as_deref() {
        None => Some("gone".to_owned()),
        Some("running" | "pending") => None,
        Some(other) => Some(other.to_owned()),
    })
}

/// What Auto Scaling says of an instance that it replaces.
async fn taken_out(cloud: &dyn TestBed, target: &Target, instance: &Instance) -> Result<Option<String>, CloudError> {
    let all = cloud.instances(target).await?;
    Ok(match all.iter().find(|one| one.id == instance.id) {
        None => Some("left the group".to_owned()),
        Some(one) if one.health.eq_ignore_ascii_case("unhealthy") || one.lifecycle.starts_with("Terminat") => {
            Some(format!("{}, {}", one.health, one.lifecycle))
        }
        Some(_) => None,
    })
}

/// What a local cloud has seen of a fault of its own.
async fn observed(cloud: &dyn TestBed, fault: Fault) -> Result<Option<String>, CloudError> {
    let all = cloud.cloud_faults().await?;
    let own = all.into_iter().find(|one| one.fault == fault.name());
    Ok(own.filter(|one| one.verified).map(|one| one.evidence))
}
