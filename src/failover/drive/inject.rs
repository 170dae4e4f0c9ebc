//! Injects a fault, and looks whether it happened: a fault that was not seen proves nothing.

use super::port::{CloudError, Instance, Target, TestBed};
use super::round::Round;
use crate::failover::measure::phases::Clock;
use crate::failover::report::FaultRecord;
use crate::topology::Fault;
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

/// Injects a fault on the instance that serves.
///
/// # Errors
/// When the call or the command failed; whether the fault happened is then not known.
pub(super) async fn inject(
    cloud: &dyn TestBed,
    target: &Target,
    round: &Round,
    fault: Fault,
    instance: &Instance,
) -> Result<Injected, CloudError> {
    let asked_ns = round.now_ns();
    round.ledger().fault_at(asked_ns);
    let (unix_ns, seen) = match fault {
        Fault::TerminateInstance => {
            cloud.terminate(&instance.id).await?;
            (
                None,
                FaultEvidence {
                    verified: false,
                    evidence: "TerminateInstances was accepted".into(),
                },
            )
        }
        Fault::MarkUnhealthy => {
            cloud.mark_unhealthy(&instance.id).await?;
            (
                None,
                FaultEvidence {
                    verified: false,
                    evidence: "SetInstanceHealth was accepted".into(),
                },
            )
        }
        Fault::StopQueueManager | Fault::KillQueueManager | Fault::HangQueueManager => {
            let report = cloud.inject(target, &instance.id, fault).await?;
            (
                Some(report.t_unix_ns),
                FaultEvidence {
                    verified: report.verified,
                    evidence: report.evidence,
                },
            )
        }
    };
    Ok(Injected {
        asked_ns,
        answered_ns: round.now_ns(),
        unix_ns,
        seen,
    })
}

/// Looks at the cloud until it shows the fault, or until told to stop; what was seen goes to `seen`.
pub(super) async fn verify(
    cloud: Arc<dyn TestBed>,
    target: Target,
    fault: Fault,
    instance: Instance,
    every: Duration,
    seen: watch::Sender<FaultEvidence>,
) {
    while !seen.borrow().verified {
        let looked = match fault {
            Fault::TerminateInstance => cloud
                .instance_state(&instance.id)
                .await
                .map(|state| match state.as_deref() {
                    None => Some("gone".to_owned()),
                    Some("running" | "pending") => None,
                    Some(other) => Some(other.to_owned()),
                }),
            Fault::MarkUnhealthy => {
                cloud
                    .instances(&target)
                    .await
                    .map(|all| match all.iter().find(|one| one.id == instance.id) {
                        None => Some("left the group".to_owned()),
                        Some(one)
                            if one.health.eq_ignore_ascii_case("unhealthy")
                                || one.lifecycle.starts_with("Terminat") =>
                        {
                            Some(format!("{}, {}", one.health, one.lifecycle))
                        }
                        Some(_) => None,
                    })
            }
            // The agent has looked already, and nobody else can.
            Fault::StopQueueManager | Fault::KillQueueManager | Fault::HangQueueManager => return,
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
