//! The failover test's own queues, as the agent's commands handle them.

use super::Service;
use crate::ibm_mq::ProbeQueueDefinition;
use crate::ibm_mq::definitions::PROBE_PREFIX;
use mqaws_contract::agent::{ProbeQueue, ProbeReport};

/// The failover test's queue.
const PROBE_QUEUE: &str = "TEST";

impl Service {
    /// Defines the failover test's queue and says how deep it is.
    pub(super) fn define_probe(&self) -> Result<ProbeReport, String> {
        let queue = ProbeQueueDefinition::new(PROBE_QUEUE).ok_or("the name of the probe queue is not valid")?;
        self.mqsc(&queue.define()).map_err(|f| f.text)?;
        self.probe_depths()
    }

    /// Says how deep the failover test's queues are.
    pub(super) fn probe_depths(&self) -> Result<ProbeReport, String> {
        let display = format!("DISPLAY QLOCAL('{PROBE_PREFIX}*') CURDEPTH");
        let output = self
            .run(&self.driver.mqsc(&self.queue_manager, &display))
            .map_err(|f| f.text)?;
        let report = crate::ibm_mq::mqsc::Report::parse(&output.text);
        // `not found` is the answer when there are none: everything else that fails is a failure.
        let none = report
            .commands
            .iter()
            .any(|c| c.failure().is_some_and(|m| m.number == 8147));
        if !none {
            report.check(output.code).map_err(|error| error.to_string())?;
        }
        let queues = report
            .depths()
            .into_iter()
            .map(|(name, depth)| ProbeQueue { name, depth });
        Ok(ProbeReport {
            queues: queues.collect(),
        })
    }

    /// Deletes the failover test's queues with their messages.
    pub(super) fn delete_probes(&self) -> Result<ProbeReport, String> {
        for queue in self.probe_depths()?.queues {
            if let Some(queue) = ProbeQueueDefinition::named(&queue.name) {
                self.mqsc(&queue.delete()).map_err(|f| f.text)?;
            }
        }
        self.probe_depths()
    }
}
