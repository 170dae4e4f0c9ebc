//! The failover test's own queues, as the agent's commands handle them.

use super::IbmMq;
use crate::model::agent::{ProbeQueue, ProbeReport};
use mqaws_engine::ibm_mq::ProbeQueueDefinition;
use mqaws_engine::ibm_mq::definitions::PROBE_PREFIX;

/// The failover test's queue.
const PROBE_QUEUE: &str = "TEST";

impl IbmMq {
    /// Defines the failover test's queue and says how deep it is.
    ///
    /// # Errors
    /// In the engine's words.
    pub fn probe_define(&self) -> Result<ProbeReport, String> {
        let queue = ProbeQueueDefinition::new(PROBE_QUEUE).ok_or("the name of the probe queue is not valid")?;
        self.mqsc(&queue.define()).map_err(|f| f.text)?;
        self.probe_depth()
    }

    /// Says how deep the failover test's queues are.
    ///
    /// # Errors
    /// In the engine's words.
    pub fn probe_depth(&self) -> Result<ProbeReport, String> {
        let display = format!("DISPLAY QLOCAL('{PROBE_PREFIX}*') CURDEPTH");
        let output = self
            .run(&self.driver.mqsc(&self.queue_manager, &display))
            .map_err(|f| f.text)?;
        let report = mqaws_engine::ibm_mq::mqsc::Report::parse(&output.text);
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
    ///
    /// # Errors
    /// In the engine's words.
    pub fn probe_delete(&self) -> Result<ProbeReport, String> {
        for queue in self.probe_depth()?.queues {
            if let Some(queue) = ProbeQueueDefinition::named(&queue.name) {
                self.mqsc(&queue.delete()).map_err(|f| f.text)?;
            }
        }
        self.probe_depth()
    }
}
