//! `mqaws-agent fence`: who may write, and a person's word where nothing else can tell.
//!
//! Reads the agent's status file and asks the lock keeper over its socket; neither touches the shared file system, which may
//! hang. A decision goes to the agent through a file, as a pause does, and its answer comes back in the status.

use super::{print, status_of};
use crate::agent::keeper::Keeper;
use crate::agent::keeper::protocol::KeeperStatus;
use crate::agent::layout::Layout;
use crate::agent::marks::unix_nanos;
use crate::fence::OwnerRecord;
use crate::model::agent::{AgentStatus, FenceDecision, PreviousOwner, ProofReport};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::time::{Duration, Instant};

/// How long a decision waits for the agent.
const DECISION: Duration = Duration::from_secs(15);

/// A decision on its way to the agent: `/run/mqaws/fence-decision.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionFile {
    /// Names the decision for whoever waits for its answer.
    pub id: String,
    /// The instance that is said to be gone.
    pub named: String,
}

impl DecisionFile {
    fn put(&self, layout: &Layout) -> io::Result<()> {
        fs::create_dir_all(layout.run())?;
        let path = layout.decision();
        let new = path.with_extension("json.new");
        fs::write(&new, serde_json::to_vec(self)?)?;
        fs::rename(new, path)
    }

    /// Takes the decision away, if there is one; what cannot be read is none, nor is what nobody waits for any more.
    pub fn take(layout: &Layout) -> Option<Self> {
        let path = layout.decision();
        let text = fs::read(&path).ok()?;
        let written = fs::metadata(&path).and_then(|meta| meta.modified());
        let waited_for = written.is_ok_and(|at| at.elapsed().is_ok_and(|age| age <= DECISION));
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!(%error, "a decision cannot be taken away and is not obeyed");
            return None;
        }
        if !waited_for {
            tracing::warn!("a decision that nobody waits for any more is not obeyed");
            return None;
        }
        serde_json::from_slice(&text)
            .inspect_err(|error| tracing::warn!(%error, "a decision that cannot be read"))
            .ok()
    }
}

/// What `mqaws-agent fence --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspected {
    /// `mqaws.agent-fence/1`.
    pub schema: &'static str,
    /// Queue manager.
    pub queue_manager: String,
    /// This host.
    pub instance: String,
    /// State of the agent's machine.
    pub state: String,
    /// The lock, as its keeper sees it; absent when no keeper answers.
    pub lock: Option<LockReport>,
    /// Why no keeper answers.
    pub keeper_error: Option<String>,
    /// The owner record, as the keeper last read or wrote it.
    pub record: Option<OwnerRecord>,
    /// Epoch while this host owns the data.
    pub epoch: Option<u64>,
    /// Why the last start on this host was safe.
    pub proof: Option<ProofReport>,
    /// The previous owner that is waited for.
    pub previous: Option<PreviousOwner>,
    /// Why only a person can help.
    pub alarm: Option<String>,
    /// The last decision of a person.
    pub decision: Option<FenceDecision>,
}

/// The lock as its keeper sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LockReport {
    /// Whether this host holds it.
    pub held: bool,
    /// Who holds it otherwise, as far as the server tells.
    pub holder: Option<String>,
    /// How long ago it was last proved to be held; absent before that.
    pub proved_millis: Option<u64>,
    /// The age at which T resets this host; absent while there is nothing to guard.
    pub guard_millis: Option<u64>,
    /// Its lease, once it is known.
    pub lease_millis: Option<u64>,
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
                    "{}, sign of life {} unchanged for {} s of {} s",
                    previous.instance, previous.alive, previous.silent_seconds, previous.wait_seconds
                ),
            ));
            lines.push(("waits for", previous.waiting_for.clone()));
        }
        lines.extend(self.alarm.clone().map(|why| ("alarm", why)));
        if let Some(decision) = &self.decision {
            let became = decision.refused.as_deref().unwrap_or("taken");
            lines.push(("decision", format!("operator {}: {became}", decision.named)));
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
            return format!("no lock keeper answers: {why}");
        };
        let seconds = |millis: u64| format!("{:.1} s", Duration::from_millis(millis).as_secs_f64());
        let mut text = match (lock.held, &lock.holder) {
            (true, _) => "held by this host".to_owned(),
            (false, Some(holder)) => format!("held by {holder}"),
            (false, None) => "not held".to_owned(),
        };
        if let Some(millis) = lock.proved_millis {
            let _ = write!(text, ", proved {} ago", seconds(millis));
        }
        if let (None, Some(millis)) = (lock.proved_millis, lock.guard_millis) {
            let _ = write!(text, ", an earlier keeper proved it {} ago", seconds(millis));
        }
        if let Some(millis) = lock.lease_millis {
            let _ = write!(text, ", lease {}", seconds(millis));
        }
        text
    }

    fn record_text(&self) -> String {
        match &self.record {
            None => "not read yet: that needs the lock".to_owned(),
            Some(record) => format!(
                "epoch {}, owner {}, sign of life {}, proof {}, {}",
                record.epoch,
                record.owner.instance,
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

/// Tells the agent that the previous owner is gone for good, and waits for its answer.
///
/// # Errors
/// When the agent does not wait for that instance, or does not answer.
pub(super) fn operator(layout: &Layout, named: &str) -> Result<(), String> {
    let status = status_of(layout)?;
    match &status.previous {
        Some(previous) if previous.instance == named => {}
        Some(previous) => {
            return Err(format!(
                "the previous owner is {}, not {named}; nothing was decided",
                previous.instance
            ));
        }
        None => {
            return Err(format!(
                "this host does not wait for a previous owner (it is {}), so there is nothing to decide",
                status.state
            ));
        }
    }
    let decision = DecisionFile {
        id: unix_nanos().to_string(),
        named: named.to_owned(),
    };
    let path = layout.decision();
    decision
        .put(layout)
        .map_err(|e| format!("write {}: {e}", path.display()))?;
    let deadline = Instant::now() + DECISION;
    loop {
        match status_of(layout)?.decision {
            Some(answer) if answer.id == decision.id => {
                return match &answer.refused {
                    None => print(&answer),
                    Some(why) => Err(format!("{why}; nothing was decided")),
                };
            }
            _ if Instant::now() > deadline => {
                // Nobody may obey it later, when it was forgotten.
                let _ = fs::remove_file(&path);
                return Err("the agent does not answer; nothing was decided, look with `mqaws-agent fence`".to_owned());
            }
            _ => std::thread::sleep(Duration::from_millis(50)),
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
             lock            held by this host, proved 1.2 s ago, lease 90.0 s\n\
             record          epoch 7, owner i-old, sign of life 41, proof clean (i-older), not released\n\
             epoch           not the owner\n\
             proof           none yet\n\
             previous owner  i-old, sign of life 41 unchanged for 12 s of 135 s\n\
             waits for       EC2\n"
        );
    }

    #[test]
    fn a_keeper_that_does_not_answer_is_said_and_hides_nothing_else() {
        let inspected = assemble(status(), Err("connection refused".into()));
        let text = inspected.text();
        assert!(text.contains("no lock keeper answers: connection refused"), "{text}");
        assert!(text.contains("i-old"), "{text}");
        let json = serde_json::to_value(inspected).expect("json");
        assert_eq!(json["lock"], serde_json::Value::Null);
        assert_eq!(json["previous"]["instance"], "i-old");
    }

    #[test]
    fn a_decision_is_taken_once() {
        let dir = tempfile::tempdir().expect("tempdir");
        let layout = Layout::new(dir.path());
        assert_eq!(DecisionFile::take(&layout), None);
        let decision = DecisionFile {
            id: "1".into(),
            named: "i-old".into(),
        };
        decision.put(&layout).expect("put");
        assert_eq!(DecisionFile::take(&layout), Some(decision.clone()));
        assert_eq!(DecisionFile::take(&layout), None);
        decision.put(&layout).expect("put");
        let file = fs::File::options().write(true).open(layout.decision()).expect("file");
        let left = std::time::SystemTime::now() - DECISION - Duration::from_secs(1);
        file.set_modified(left).expect("left by a command that was interrupted");
        assert_eq!(DecisionFile::take(&layout), None);
        assert!(!layout.decision().exists());
        fs::write(layout.decision(), "i-old").expect("garbage");
        assert_eq!(DecisionFile::take(&layout), None);
        assert!(!layout.decision().exists());
    }
}
