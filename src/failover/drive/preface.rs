//! What a report says before the first round: where, what, with which load, resting on what, not showing what.

use super::error::FailoverError;
use super::run::unix_ns;
use super::session::Session;
use crate::failover::measure::verdict::Verdict;
use crate::failover::report::{Broken, DriverInfo, Engine, Place, Report, SCHEMA, Summary, rfc3339};
use crate::model::agent::AgentStatus;
use crate::remedy::chain;
use std::time::SystemTime;

impl Session<'_> {
    /// A report without rounds.
    pub(super) fn report(&self, status: &AgentStatus, warnings: &[String]) -> Report {
        let lab = self.target.lab.as_ref();
        Report {
            schema: SCHEMA.into(),
            mqaws_version: env!("CARGO_PKG_VERSION").into(),
            started_at: rfc3339(unix_ns(SystemTime::now())),
            place: Place {
                kind: if lab.is_some() { "lab" } else { "aws" }.into(),
                timing: lab.map(|lab| lab.timing.clone()),
                hosts: lab.map(|lab| lab.hosts.clone()),
                assumed: lab.map(|lab| lab.assumed.clone()).unwrap_or_default(),
                region: self.target.region.clone(),
                account: self.target.account.clone(),
                stack: self.target.stack.clone(),
                topology: Some(self.target.parts.topology.as_str().to_owned()),
                endpoint: self.endpoint.clone(),
            },
            engine: Engine {
                queue_manager: self.target.queue_manager.clone(),
                version: status.engine_version.clone(),
                stand_in: status.stand_in,
                agent_version: status.agent_version.clone(),
            },
            driver: DriverInfo {
                name: self.driver.name().into(),
                caveat: self.driver.caveat().into(),
            },
            load: self.scenario.load.clone(),
            limits: self.scenario.limits.clone(),
            runs: Vec::new(),
            not_run: self.planned.1.clone(),
            model: None,
            summary: Summary::default(),
            assumptions: self.assumptions(warnings),
            not_shown: self.not_shown(status),
            verdict: Verdict::Inconclusive,
            exit_code: 20,
            broken_off: None,
            unwritten: None,
            ledgers: Vec::new(),
        }
    }

    /// This test as one that ended before its end.
    pub(super) fn broken(&self, error: &FailoverError) -> Broken {
        let faults = u32::try_from(self.planned.0.len()).unwrap_or(u32::MAX);
        Broken {
            rounds: faults.saturating_mul(self.scenario.rounds.max(1)),
            cause: chain(error),
        }
    }

    pub(super) fn assumptions(&self, warnings: &[String]) -> Vec<String> {
        let mut list = vec![
            format!(
                "messages that do not arrive within {} s of an empty queue are lost",
                self.pace.drain_idle.as_secs()
            ),
            "the test's queues have no backout queue, so no messages of the test are in one".to_owned(),
        ];
        if !self.scenario.load.confirms {
            list.push(
                "producers did not wait for confirms: a message counts as acknowledged once it was sent, and what is lost on its way shows as lost"
                    .into(),
            );
        }
        if self.driver.sends_again() {
            list.push(
                "producers send a message again on their next connection when the broker did not answer; a duplicate of such a message is explained"
                    .into(),
            );
        }
        if self.target.lab.is_none() {
            list.push(
                "the clocks of the instances and of this machine are accurate to 100 ms; only the breakdown of the RTO depends on it"
                    .into(),
            );
        }
        if self.target.lab.as_ref().is_some_and(|lab| !lab.assumed.is_empty()) {
            list.push("the local cloud simulates delays that AWS does not document; `place.assumed` lists them".into());
        }
        list.extend(warnings.iter().cloned());
        list
    }

    /// What the lab's hosts do not show of the faults, each thing once with the faults that it is about.
    fn hidden(&self) -> Vec<String> {
        if self.target.lab.as_ref().is_none_or(|lab| lab.hosts == "guest") {
            return Vec::new();
        }
        let mut about: Vec<(&str, Vec<&str>)> = Vec::new();
        for (fault, _) in &self.planned.0 {
            let facts = fault.facts();
            match about.iter_mut().find(|(what, _)| *what == facts.process_hides) {
                Some((_, faults)) => faults.push(facts.name),
                None => about.push((facts.process_hides, vec![facts.name])),
            }
        }
        about.retain(|(what, _)| !what.is_empty());
        let line = |(what, faults): (&str, Vec<&str>)| format!("{}: {what}", faults.join(", "));
        about.into_iter().map(line).collect()
    }

    fn not_shown(&self, status: &AgentStatus) -> Vec<String> {
        let mut list =
            vec!["loss of a zone, of the storage, or of the region; faults that were not injected".to_owned()];
        list.extend(self.hidden());
        if self.scenario.rounds <= 1 {
            list.push("reliability: one round shows only that failover can work".into());
        }
        if !self.driver.caveat().is_empty() {
            list.push(self.driver.caveat().into());
        }
        if let Some(lab) = &self.target.lab {
            let closed = match lab.hosts.as_str() {
                "namespace" => "",
                _ => " and whose connections are closed for them",
            };
            let delays = match lab.timing.as_str() {
                "fast" => "no EC2 launch, no registration delay of a load balancer",
                "aws" => "its delays are simulated from a table, not measured",
                _ => "its delays",
            };
            list.push(format!(
                "AWS: {delays}; processes on one machine, which do not lose unsynced writes when killed{closed}"
            ));
        }
        if status.stand_in {
            list.push("IBM MQ: a stand-in ran in its place".into());
        }
        list
    }
}
