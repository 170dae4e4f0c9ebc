//! `mqaws-agent fence`: who may write, and what is waited for.
//!
//! Reads the agent's status file and asks the lock keeper over its socket; neither touches the shared file system, which may
//! hang.

use super::{print, status_of};
use crate::agent::keeper::Keeper;
use crate::agent::keeper::protocol::KeeperStatus;
use crate::agent::layout::Layout;
use crate::fence::OwnerRecord;
use crate::model::agent::{AgentState, AgentStatus, FenceDecision, Original, PreviousOwner, ProofReport};
use serde::Serialize;
use std::fmt::Write as _;
use std::io;
use std::time::Duration;

/// What `mqaws-agent fence --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Inspected {
    /// `mqaws.agent-fence/1`.
    pub(crate) schema: &'static str,
    /// Queue manager.
    pub(crate) queue_manager: String,
    /// This host.
    pub(crate) instance: String,
    /// State of the agent's machine.
    pub(crate) state: AgentState,
    /// The lock, as its keeper sees it; absent when no keeper answers.
    pub(crate) lock: Option<LockReport>,
    /// Why no keeper answers.
    pub(crate) keeper_error: Option<String>,
    /// The owner record, as the keeper last read or wrote it.
    pub(crate) record: Option<OwnerRecord>,
    /// Epoch while this host owns the data.
    pub(crate) epoch: Option<u64>,
    /// Why the last start on this host was safe.
    pub(crate) proof: Option<ProofReport>,
    /// The previous owner that is waited for.
    pub(crate) previous: Option<PreviousOwner>,
    /// The file system of which this one is a copy, while a person is waited for.
    pub(crate) original: Option<Original>,
    /// Why only a person can help.
    pub(crate) alarm: Option<String>,
    /// The last decision of a person.
    pub(crate) decision: Option<FenceDecision>,
}

/// The lock as its keeper sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct LockReport {
    /// Whether this host holds it.
    pub(crate) held: bool,
    /// Who holds it otherwise, as far as the server tells.
    pub(crate) holder: Option<String>,
    /// How long ago it was last proved to be held; absent before that.
    pub(crate) proved_millis: Option<u64>,
    /// The age at which T resets this host; absent while there is nothing to guard.
    pub(crate) guard_millis: Option<u64>,
    /// Its lease, once it is known.
    pub(crate) lease_millis: Option<u64>,
}

/// Prints how things are, for programs or for people.
///
/// # Errors
/// When there is no status.
pub(super) fn inspect(layout: &Layout, json: bool) -> Result<(), String> {
    let keeper = Keeper::new(&layout.keeper_socket()).status();
    let inspected = assemble(status_of(layout)?, keeper.map_err(|e| e.to_string()));
    if json {
        return print(&inspected);
    }
    io::Write::write_all(&mut io::stdout(), inspected.text().as_bytes()).map_err(|e| format!("write: {e}"))
}

fn assemble(status: AgentStatus, keeper: Result<KeeperStatus, String>) -> Inspected {
    let (keeper, keeper_error) = match keeper {
        Ok(keeper) => (Some(keeper), None),
        Err(why) => (None, Some(why)),
    };
    Inspected {
        schema: "mqaws.agent-fence/1",
        queue_manager: status.queue_manager,
        instance: status.instance,
        state: status.state,
        lock: keeper.as_ref().map(|k| LockReport {
            held: k.held,
            holder: k.holder.clone(),
            proved_millis: k.proved_millis,
            guard_millis: k.guard_millis,
            lease_millis: k.lease_millis,
        }),
        keeper_error,
        record: keeper.and_then(|k| k.record),
        epoch: status.epoch,
        proof: status.proof,
        previous: status.previous,
        original: status.original,
        alarm: status.alarm,
        decision: status.decision,
    }
}

impl Inspected {
    fn text(&self) -> String {
        let mut lines = vec![
            ("queue manager", self.queue_manager.clone()),
            ("this host", format!("{}, {}", self.instance, self.state)),
            ("lock", self.lock_text()),
            ("record", self.record_text()),
            (
                "epoch",
                self.epoch
                    .map_or("not the owner".to_owned(), |e| format!("{e}, this host")),
            ),
            ("proof", self.proof_text()),
        ];
        if let Some(previous) = &self.previous {
            lines.push((
                "previous owner",
                format!(
                    "{}, heartbeat {} unchanged for {} s of {} s",
                    previous.instance, previous.alive, previous.silent_seconds, previous.wait_seconds
                ),
            ));
            lines.push(("waits for", previous.waiting_for.clone()));
        }
        if let Some(original) = &self.original {
            let owner = format!("{}, owned by {}", original.file_system, original.owner);
            lines.push(("copy of", owner));
            lines.push(("waits for", original.waiting_for.clone()));
        }
        let said = |why: &String| lines.iter().any(|(_, line)| line.contains(why.as_str()));
        if let Some(why) = self.alarm.clone().filter(|why| !said(why)) {
            lines.push(("alarm", why));
        }
        if let Some(decision) = &self.decision {
            let became = decision.refused.as_deref().unwrap_or("taken");
            lines.push(("decision", format!("{} {}: {became}", decision.kind, decision.named)));
        }
        let mut text = String::new();
        for (name, value) in lines {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name:<15} {value}");
        }
        text
    }

    fn lock_text(&self) -> String {
        let Some(lock) = &self.lock else {
            let why = self.keeper_error.as_deref().unwrap_or("no reason given");
            return format!("the lock keeper does not respond: {why}");
        };
        let seconds = |millis: u64| format!("{:.1} s", Duration::from_millis(millis).as_secs_f64());
        let mut text = match (lock.held, &lock.holder) {
            (true, _) => "held by this host".to_owned(),
            (false, Some(holder)) => format!("held by {holder}"),
            (false, None) => "not held".to_owned(),
        };
        if let Some(millis) = lock.proved_millis {
            let _ = write!(text, ", verified {} ago", seconds(millis));
        }
        if let (None, Some(millis)) = (lock.proved_millis, lock.guard_millis) {
            let _ = write!(text, ", an earlier keeper verified it {} ago", seconds(millis));
        }
        if let Some(millis) = lock.lease_millis {
            let _ = write!(text, ", lease {}", seconds(millis));
        }
        text
    }

    fn record_text(&self) -> String {
        match &self.record {
            None => "not read yet: requires the lock".to_owned(),
            Some(record) => format!(
                "epoch {}, owner {}{}, heartbeat {}, proof {}, {}",
                record.epoch,
                record.owner.instance,
                record
                    .file_system
                    .as_ref()
                    .map(|id| format!(" on {id}"))
                    .unwrap_or_default(),
                record.alive,
                record.proof,
                if record.released { "released" } else { "not released" }
            ),
        }
    }

    fn proof_text(&self) -> String {
        match &self.proof {
            None => "none yet".to_owned(),
            Some(proof) => match &proof.previous {
                Some(previous) => format!("{} ({previous}), {}", proof.kind, proof.at),
                None => format!("{}, {}", proof.kind, proof.at),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fence::{Epoch, Proof, ProofKind, SCHEMA, Writer};

    fn status() -> AgentStatus {
        serde_json::from_value(serde_json::json!({
            "schema": "mqaws.agent-status/1", "agent_version": "0", "instance": "i-new", "zone": "eu-west-1b",
            "queue_manager": "QM1", "state": "fencing", "since": "",
            "previous": {
                "instance": "i-old", "waiting_for": "EC2", "alive": 41, "silent_seconds": 12, "wait_seconds": 135,
            },
        }))
        .expect("a status, also of an earlier version without these fields")
    }

    fn keeper() -> KeeperStatus {
        KeeperStatus {
            held: true,
            proved_millis: Some(1200),
            lease_millis: Some(90_000),
            record: Some(OwnerRecord {
                schema: SCHEMA.into(),
                queue_manager: "QM1".into(),
                file_system: None,
                epoch: Epoch(7),
                owner: Writer {
                    instance: "i-old".into(),
                    boot: "b".into(),
                },
                keeper: "k".into(),
                alive: 41,
                released: false,
                proof: Proof {
                    kind: ProofKind::Clean,
                    previous: Some("i-older".into()),
                },
                at: String::new(),
                engine_version: None,
                condemned: 0,
                served: false,
            }),
            ..KeeperStatus::default()
        }
    }

    #[test]
    fn people_see_lock_record_and_what_is_waited_for() {
        let text = assemble(status(), Ok(keeper())).text();
        assert_eq!(
            text,
            "queue manager   QM1\n\
             this host       i-new, fencing\n\
             lock            held by this host, verified 1.2 s ago, lease 90.0 s\n\
             record          epoch 7, owner i-old, heartbeat 41, proof clean (i-older), not released\n\
             epoch           not the owner\n\
             proof           none yet\n\
             previous owner  i-old, heartbeat 41 unchanged for 12 s of 135 s\n\
             waits for       EC2\n"
        );
    }

    #[test]
    fn a_keeper_that_does_not_answer_is_said_and_hides_nothing_else() {
        let inspected = assemble(status(), Err("connection refused".into()));
        let text = inspected.text();
        assert!(
            text.contains("the lock keeper does not respond: connection refused"),
            "{text}"
        );
        assert!(text.contains("i-old"), "{text}");
        let json = serde_json::to_value(inspected).expect("json");
        assert_eq!(json["lock"], serde_json::Value::Null);
        assert_eq!(json["previous"]["instance"], "i-old");
    }

    #[test]
    fn people_see_of_what_a_file_system_is_a_copy_and_what_starts_it() {
        let waiting_for = "a person's word: run `mqaws-agent fence copy fs-old`".to_owned();
        let status = AgentStatus {
            previous: None,
            original: Some(Original {
                file_system: "fs-old".into(),
                owner: "i-old".into(),
                waiting_for,
            }),
            alarm: Some("run `mqaws-agent fence copy fs-old`".into()),
            ..status()
        };
        let text = assemble(status, Ok(keeper())).text();
        let said: Vec<&str> = text.lines().skip(6).collect();
        assert_eq!(
            said,
            [
                "copy of         fs-old, owned by i-old",
                "waits for       a person's word: run `mqaws-agent fence copy fs-old`",
            ]
        );
    }
}
