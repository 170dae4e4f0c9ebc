//! A registered target: its phase, its flows, and its state in AWS's words.

use super::flow::Order;
use super::health::{Health, Machine};
use super::pool::{PoolSettings, Usage};
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::Instant;
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// A registration: target id and port.
pub(crate) type TargetKey = (String, u16);

/// A target's state in the words of DescribeTargetHealth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TargetReport {
    /// Target id and port.
    pub(crate) key: TargetKey,
    /// Port of the health check.
    pub(crate) check_port: u16,
    /// `initial healthy unhealthy unhealthy.draining unused draining`.
    pub(crate) state: &'static str,
    /// Reason code; none when healthy.
    pub(crate) reason: Option<&'static str>,
    /// Description; none when healthy.
    pub(crate) description: Option<String>,
}

pub(super) enum Phase {
    Registering,
    Checking,
    Draining,
    /// The instance is `stopped` or `terminated`.
    Invalid(String),
}

pub(super) struct Target {
    pub(crate) address: Ipv4Addr,
    pub(crate) zone: String,
    pub(crate) phase: Phase,
    pub(crate) machine: Machine,
    pub(crate) changed: Instant,
    pub(crate) flows: HashMap<u64, watch::Sender<Order>>,
    pub(crate) task: Option<AbortHandle>,
    pub(crate) generation: u64,
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Target {
    pub(super) fn order(&self, order: Order) {
        for flow in self.flows.values() {
            flow.send_if_modified(|have| {
                let stronger = order > *have;
                if stronger {
                    *have = order;
                }
                stronger
            });
        }
    }

    pub(super) fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.changed = Instant::now();
    }
}

/// State, reason and description.
pub(super) type Description = (&'static str, Option<&'static str>, Option<String>);

impl Target {
    pub(super) fn describe(&self, usage: &Option<Usage>, settings: &PoolSettings) -> Description {
        let unused = |reason, text: &str| ("unused", Some(reason), Some(text.to_owned()));
        let text = |state, reason, text: &str| (state, Some(reason), Some(text.to_owned()));
        match (&self.phase, usage) {
            (Phase::Invalid(state), _) => unused("Target.InvalidState", &format!("Target is in the {state} state")),
            (Phase::Draining, _) => text(
                "draining",
                "Target.DeregistrationInProgress",
                "Target deregistration is in progress",
            ),
            (_, None) => unused(
                "Target.NotInUse",
                "Target group is not configured to receive traffic from the load balancer",
            ),
            (_, Some(usage)) if !usage.serves(&self.zone) => unused(
                "Target.NotInUse",
                "Target is in an Availability Zone that is not enabled for the load balancer",
            ),
            (Phase::Registering, _) => text(
                "initial",
                "Elb.RegistrationInProgress",
                "Target registration is in progress",
            ),
            (Phase::Checking, _) => match self.machine.state() {
                Health::Initial => text(
                    "initial",
                    "Elb.InitialHealthChecking",
                    "Initial health checks in progress",
                ),
                Health::Healthy => ("healthy", None, None),
                Health::Unhealthy => {
                    let draining = !settings.reset_unhealthy && self.changed.elapsed() < settings.unhealthy_draining;
                    let state = if draining { "unhealthy.draining" } else { "unhealthy" };
                    text(state, "Target.FailedHealthChecks", "Health checks failed")
                }
            },
        }
    }
}
