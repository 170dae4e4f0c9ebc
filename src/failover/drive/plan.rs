//! What a test would do: the exact calls, and what each touches.

use super::port::{Instance, Target};
use super::preflight::Planned;
use crate::failover::report::NotRun;
use crate::topology::{self, Fault, Injector, PlannedMove};
use mqaws_contract::FaultOrder;
use mqaws_contract::verb::Class;
use serde::Serialize;
use std::fmt::{self, Write};
use std::time::Duration;

/// A test that has not begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// `mqaws.failover-plan/1`.
    pub schema: &'static str,
    /// The stack.
    pub stack: String,
    /// Where the queue manager runs now. After a fault that moves it, the next one is injected where it runs then.
    pub instance: String,
    /// Rounds for each fault.
    pub rounds: u32,
    /// The faults, in their order.
    pub faults: Vec<PlannedFault>,
    /// Faults that were wanted and cannot be injected here.
    pub not_run: Vec<NotRun>,
}

/// A fault that would be injected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedFault {
    /// Which.
    pub fault: Fault,
    /// The calls, in their order.
    pub calls: Vec<String>,
    /// How long it lasts, in milliseconds; absent for what is done at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lasts_ms: Option<u64>,
    /// What shows that it happened.
    pub verified: &'static str,
    /// What ends it.
    pub healed: &'static str,
    /// How service must come back.
    pub expected: String,
}

impl Plan {
    pub(super) fn of(target: &Target, instance: &Instance, planned: &Planned, lease: Duration, rounds: u32) -> Self {
        let topology = topology::of(target.parts.topology);
        let fault = |&(fault, injector): &(Fault, Injector)| {
            let facts = fault.facts();
            let time = facts.lasts.time(lease);
            let stand = topology.stand(fault);
            PlannedFault {
                fault,
                calls: calls(target, instance, fault, injector, time),
                lasts_ms: time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
                verified: facts.verified,
                healed: facts.healed,
                expected: stand.map_or_else(String::new, |stand| stand.by.words().to_owned()),
            }
        };
        Self {
            schema: "mqaws.failover-plan/1",
            stack: target.stack.clone(),
            instance: instance.id.to_string(),
            rounds: rounds.max(1),
            faults: planned.0.iter().map(fault).collect(),
            not_run: planned.1.clone(),
        }
    }
}

fn calls(
    target: &Target,
    instance: &Instance,
    fault: Fault,
    injector: Injector,
    time: Option<Duration>,
) -> Vec<String> {
    let id = &instance.id;
    let power_off = || format!("ec2:TerminateInstances {id}, SkipOsShutdown");
    let of_cloud = || {
        let millis = time.unwrap_or_default().as_millis();
        format!("POST /_mqaws/faults of the local cloud: {fault}, {id}, {millis} ms")
    };
    match injector {
        Injector::Agent(word) => {
            let order = time.map_or(FaultOrder::Once(word), |time| FaultOrder::For(word, time));
            let document = target
                .parts
                .documents
                .of(Class::Test)
                .unwrap_or("the document of class test");
            vec![format!(
                "ssm:SendCommand {document} on {id}: `mqaws-agent fault {order}`"
            )]
        }
        Injector::Operator => match topology::of(target.parts.topology).planned_move() {
            PlannedMove::HandOver => {
                let document = target.parts.documents.of(Class::Operate);
                let document = document.unwrap_or("the document of class operate");
                vec![format!("ssm:SendCommand {document} on {id}: `mqaws-agent failover`")]
            }
            PlannedMove::Relaunch => {
                let group = target.parts.members.first().map_or("", |member| member.group.as_str());
                vec![
                    format!("autoscaling:SetDesiredCapacity {group} 0"),
                    format!("autoscaling:SetDesiredCapacity {group} 1"),
                ]
            }
        },
        Injector::Terminate => vec![format!("ec2:TerminateInstances {id}")],
        Injector::PowerOff => vec![power_off()],
        Injector::MarkUnhealthy => vec![format!(
            "autoscaling:SetInstanceHealth {id} Unhealthy, without the grace period"
        )],
        Injector::LocalCloud => vec![of_cloud()],
        Injector::LocalCloudAndPowerOff => vec![of_cloud(), power_off()],
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!("  stack    {}\n  serves   {}\n", self.stack, self.instance);
        if self.rounds > 1 {
            writeln!(text, "  rounds   {} for each fault", self.rounds)?;
        }
        for planned in &self.faults {
            let lasts = planned
                .lasts_ms
                .map(|ms| format!(", for {} s", ms as f64 / 1000.0))
                .unwrap_or_default();
            writeln!(text, "\n  {}{lasts}", planned.fault)?;
            for call in &planned.calls {
                writeln!(text, "    call      {call}")?;
            }
            writeln!(text, "    verified  {}", planned.verified)?;
            writeln!(text, "    ended by  {}", planned.healed)?;
            if !planned.expected.is_empty() {
                writeln!(text, "    expected  {}", planned.expected)?;
            }
        }
        for one in &self.not_run {
            writeln!(text, "\n  {}\n    not possible here: {}", one.fault, one.why)?;
        }
        f.write_str(text.trim_end_matches('\n'))
    }
}
