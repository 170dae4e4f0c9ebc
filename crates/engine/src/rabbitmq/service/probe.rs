//! The failover test's own queues, as the agent's commands handle them.

use super::Service;
use crate::rabbitmq::amqp::Client;
use mqaws_contract::agent::{ProbeQueue, ProbeReport};
use mqaws_contract::engine::rabbitmq;
use mqaws_contract::remedy::chain;

impl Service {
    pub(super) fn define_probes(&self) -> Result<ProbeReport, String> {
        let mut client = self.ask(self.address()?).map_err(|error| chain(&error))?;
        for name in self.probes() {
            client.define(&name).map_err(|error| match error.is_another() {
                true => format!(
                    "queue {name} exists, and is not the durable classic queue that the failover test defines; delete it: {}",
                    chain(&error)
                ),
                false => chain(&error),
            })?;
        }
        client.close();
        self.probe_depths()
    }

    pub(super) fn probe_depths(&self) -> Result<ProbeReport, String> {
        let mut queues = Vec::new();
        for name in self.probes() {
            // A broker ends the channel on which a queue was not found.
            let mut client = self.ask(self.address()?).map_err(|error| chain(&error))?;
            if let Some(depth) = self.depth(&mut client, &name)? {
                queues.push(ProbeQueue { name, depth });
            }
            client.close();
        }
        Ok(ProbeReport { queues })
    }

    pub(super) fn delete_probes(&self) -> Result<ProbeReport, String> {
        for name in self.probes() {
            let mut client = self.ask(self.address()?).map_err(|error| chain(&error))?;
            client.delete(&name).map_err(|error| chain(&error))?;
            client.close();
        }
        self.probe_depths()
    }

    fn probes(&self) -> [String; 1] {
        [format!("{}PROBE.TEST", rabbitmq::RESERVED)]
    }

    /// How deep a queue is by its own word, messages included that consumers have and did not acknowledge. With one broker nothing more is
    /// locked for a lost consumer than what is counted here: it is a consumer until its heartbeats fail, and a restart frees all.
    fn depth(&self, client: &mut Client, name: &str) -> Result<Option<u64>, String> {
        match client.queue(name) {
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(chain(&error)),
            // Without a consumer nobody has what does not wait.
            Ok(queue) if queue.consumers == 0 => Ok(Some(queue.waiting.into())),
            Ok(_) => self.unacknowledged(name).map(Some),
        }
    }

    fn unacknowledged(&self, name: &str) -> Result<u64, String> {
        let said = self.control(&["list_queues", "--formatter", "json", "name", "messages"], None)?;
        let from = said.find('[').unwrap_or_default();
        let listed: serde_json::Value = serde_json::from_str(&said[from..]).map_err(|error| chain(&error))?;
        let mut each = listed.as_array().into_iter().flatten();
        let found = each
            .find(|one| one["name"] == name)
            .and_then(|one| one["messages"].as_u64());
        found.ok_or_else(|| format!("`rabbitmqctl list_queues` does not count {name}"))
    }
}
