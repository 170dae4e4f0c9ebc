//! What a test is about to change is written down first, so that a later run can undo it.

use super::error::FailoverError;
use super::inject::Injection;
use super::port::{Probe, Target, TestBed, Turn};
use crate::model::InstanceId;
use crate::remedy::chain;
use crate::topology::Injector;
use jiff::{SignedDuration, Timestamp};
use mqaws_contract::{FaultOrder, PathComponent};
use mqaws_files::AtomicWrite;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long an order to inject a fault may be on its way: its time begins when it arrives.
const ON_ITS_WAY: SignedDuration = SignedDuration::from_secs(60);

/// Of what no time ends.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// A fault that lasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lasting {
    /// Name of the fault.
    pub fault: String,
    /// The instance.
    pub instance: InstanceId,
    /// Who ends it.
    pub healer: Healer,
    /// When it ends by itself at the latest, in seconds since 1970.
    pub until_unix_s: i64,
}

/// Who ends a fault that lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Healer {
    /// The agent on the instance.
    Agent,
    /// The local cloud.
    LocalCloud,
    /// Auto Scaling, which wants no instance while a move is under way.
    Capacity,
}

impl fmt::Display for Lasting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}, ", self.fault, self.instance)?;
        match self.healer {
            Healer::Capacity => f.write_str("which may have left the group without an instance"),
            _ => {
                let seconds = self.until_unix_s - Timestamp::now().as_second();
                write!(f, "which ends by itself within {} s", seconds.max(0))
            }
        }
    }
}

/// The queues of a test, in words.
fn queues(target: &Target) -> String {
    format!("queues MQAWS.PROBE.* on {}", target.queue_manager)
}

/// What a test changed and has not yet undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// `mqaws.failover-journal/1`.
    pub schema: String,
    /// Stack under test.
    pub stack: String,
    /// Name under which the stack is marked as under test.
    pub holder: String,
    /// Whether the test's queues were defined.
    pub probe_queues: bool,
    /// Faults that were injected, `fault on instance`; the stack itself heals them, but for those below.
    pub faults: Vec<String>,
    /// Faults that last until they are healed, or their time is over.
    #[serde(default)]
    pub lasting: Vec<Lasting>,
    #[serde(skip)]
    path: Option<PathBuf>,
}

impl Journal {
    /// A journal of a test that begins; written to `path` when there is one.
    ///
    /// # Errors
    /// [`FailoverError::Journal`] when the file cannot be written: then nothing may be changed.
    pub fn begin(path: Option<&Path>, stack: &str, holder: &str) -> Result<Self, FailoverError> {
        let journal = Self {
            schema: "mqaws.failover-journal/1".into(),
            stack: stack.into(),
            holder: holder.into(),
            probe_queues: false,
            faults: Vec::new(),
            lasting: Vec::new(),
            path: path.map(Path::to_owned),
        };
        journal.write()?;
        Ok(journal)
    }

    /// Where in a folder the journal of tests of this stack is: no other account, region or stack has the same.
    ///
    /// # Errors
    /// [`FailoverError::Journal`] for names that make none of a file.
    pub fn place(folder: &Path, target: &Target) -> Result<PathBuf, FailoverError> {
        // No part holds a `_`.
        let name = format!("failover_{}_{}_{}.json", target.account, target.region, target.stack);
        Ok(folder.join(component(folder, name)?))
    }

    /// Reads the journal of a broken-off test of this stack; `turn` is the mark on it.
    ///
    /// An earlier version named it by the stack alone, so that another account's may lie there: it is this one's when the mark says so.
    ///
    /// # Errors
    /// As [`Journal::read`].
    pub(super) fn find(folder: &Path, target: &Target, turn: Option<&Turn>) -> Result<Option<Self>, FailoverError> {
        let own = |journal: &Self| journal.stack == target.stack;
        if let Some(journal) = Self::read(&Self::place(folder, target)?)?.filter(own) {
            return Ok(Some(journal));
        }
        let before = folder.join(component(folder, format!("failover-{}.json", target.stack))?);
        let marked = |journal: &Self| turn.is_some_and(|turn| turn.holder == journal.holder);
        Ok(Self::read(&before)?.filter(own).filter(marked))
    }

    /// Reads the journal that a broken-off test left; `None` when there is none.
    ///
    /// # Errors
    /// [`FailoverError::Journal`] when the file is there and cannot be read.
    pub fn read(path: &Path) -> Result<Option<Self>, FailoverError> {
        let failed = |cause| FailoverError::Journal {
            path: path.display().to_string(),
            cause,
        };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let mut journal: Self = serde_json::from_str(&text).map_err(|error| failed(error.into()))?;
        journal.path = Some(path.to_owned());
        Ok(Some(journal))
    }

    /// Writes down that the test's queues are about to be defined.
    ///
    /// # Errors
    /// As [`Journal::begin`].
    pub fn defining_queues(&mut self) -> Result<(), FailoverError> {
        self.probe_queues = true;
        self.write_own()
    }

    /// Writes down that a fault is about to be injected, which lasts for `time`; also whether it asks the group for no instance.
    ///
    /// # Errors
    /// As [`Journal::begin`].
    pub(super) fn injecting(&mut self, injection: &Injection, takes_capacity: bool) -> Result<(), FailoverError> {
        let (fault, instance) = (injection.fault, &injection.instance.id);
        self.faults.push(format!("{fault} on {instance}"));
        let healer = match injection.injector {
            Injector::Agent(_) => Some(Healer::Agent),
            Injector::LocalCloud | Injector::LocalCloudAndPowerOff => Some(Healer::LocalCloud),
            Injector::Operator if takes_capacity => Some(Healer::Capacity),
            Injector::Operator | Injector::Terminate | Injector::PowerOff | Injector::MarkUnhealthy => None,
        };
        // A capacity that was taken away comes back by nothing but a call.
        let time = match healer {
            Some(Healer::Capacity) => Some(FOREVER),
            _ => injection.time,
        };
        if let (Some(healer), Some(time)) = (healer, time) {
            self.lasting.push(Lasting {
                fault: fault.name().to_owned(),
                instance: instance.clone(),
                healer,
                until_unix_s: (Timestamp::now() + time + ON_ITS_WAY).as_second(),
            });
        }
        self.write_own()
    }

    /// Takes the last fault back: its order was refused before anything was done.
    ///
    /// # Errors
    /// As [`Journal::begin`].
    pub(super) fn refused(&mut self, injection: &Injection) -> Result<(), FailoverError> {
        self.faults.pop();
        let own = |lasting: &mut Lasting| lasting.fault == injection.fault.name();
        self.lasting.pop_if(own);
        self.write_own()
    }

    /// Ends what lasts; returns what could not be ended and is not over. Where it is over, whoever injected it has ended it.
    ///
    /// # Errors
    /// As [`Journal::begin`].
    pub(super) async fn heal_lasting(
        &mut self,
        cloud: &dyn TestBed,
        target: &Target,
    ) -> Result<Vec<String>, FailoverError> {
        let mut left = Vec::new();
        // One after the other is taken out, so that what is not healed yet is known at any time.
        for one in self.lasting.clone() {
            let healed = match one.healer {
                Healer::Agent => cloud.order(target, &one.instance, FaultOrder::Heal).await.map(drop),
                Healer::LocalCloud => cloud.heal_cloud().await,
                Healer::Capacity => cloud.restore_capacity(target).await,
            };
            if let Err(error) = healed
                && Timestamp::now().as_second() < one.until_unix_s
                && !(one.healer == Healer::Agent && is_gone(cloud, &one.instance).await)
            {
                left.push(format!("{one} ({})", chain(&error)));
            } else {
                self.lasting.retain(|other| *other != one);
            }
        }
        self.write_own()?;
        Ok(left)
    }

    /// What has not been undone yet, in words; the mark on the stack apart.
    pub(super) fn remains(&self, target: &Target) -> Vec<String> {
        let queues = self.probe_queues.then(|| queues(target));
        self.lasting.iter().map(ToString::to_string).chain(queues).collect()
    }

    /// Deletes the test's queues, if there may be any.
    ///
    /// # Errors
    /// In words.
    pub(super) async fn delete_queues(
        &mut self,
        cloud: &dyn TestBed,
        target: &Target,
        instance: Option<&InstanceId>,
    ) -> Result<(), String> {
        if !self.probe_queues {
            return Ok(());
        }
        let instance = instance.ok_or("no instance is in service")?;
        let deleted = cloud.probe(target, instance, Probe::Delete).await;
        deleted.map_err(|error| chain(&error))?;
        self.probe_queues = false;
        Ok(())
    }

    /// Undoes what was changed: queues deleted, mark taken away, journal removed. Returns what could not be undone.
    ///
    /// Tries everything, whatever fails. `instance` is where the queue manager runs now, `holder` who has the turn: the test itself, or who
    /// heals it.
    pub(super) async fn undo(
        &mut self,
        cloud: &dyn TestBed,
        target: &Target,
        instance: Option<&InstanceId>,
        holder: &str,
    ) -> Vec<String> {
        let mut left = match self.heal_lasting(cloud, target).await {
            Ok(left) => left,
            Err(error) => vec![chain(&error)],
        };
        if let Err(cause) = self.delete_queues(cloud, target, instance).await {
            left.push(format!("{} ({cause})", queues(target)));
        }
        if let Err(error) = cloud.end_turn(target, holder).await {
            left.push(format!(
                "the mark of a test on stack {} ({})",
                target.stack,
                chain(&error)
            ));
        }
        let kept = match self.is_of_another() {
            true => Ok(()),
            false if left.is_empty() => self.remove(),
            false => self.write(),
        };
        if let (Err(_), Some(path)) = (kept, &self.path) {
            left.push(format!("file {}", path.display()));
        }
        left
    }

    /// Writes, unless another test has the file by now: whoever has the turn begins it anew.
    fn write_own(&self) -> Result<(), FailoverError> {
        if self.is_of_another() { Ok(()) } else { self.write() }
    }

    fn is_of_another(&self) -> bool {
        let there = self.path.as_deref().map(Self::read);
        matches!(there, Some(Ok(Some(journal))) if journal.holder != self.holder)
    }

    fn write(&self) -> Result<(), FailoverError> {
        let Some(path) = &self.path else { return Ok(()) };
        let failed = |cause| FailoverError::Journal {
            path: path.display().to_string(),
            cause,
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let text = serde_json::to_vec_pretty(self).map_err(|error| failed(error.into()))?;
        // A half-written journal would be worse than the one before.
        AtomicWrite::to(path).durable().write(&text).map_err(failed)
    }

    fn remove(&self) -> Result<(), FailoverError> {
        let Some(path) = &self.path else { return Ok(()) };
        match std::fs::remove_file(path) {
            // Whoever healed the stack has done so.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(|cause| FailoverError::Journal {
                path: path.display().to_string(),
                cause,
            }),
        }
    }
}

/// Whether EC2 has ended an instance, or is ending it: then there is nothing on it to heal. An error is not an end.
pub(super) async fn is_gone(cloud: &dyn TestBed, instance: &InstanceId) -> bool {
    match cloud.instance_state(instance).await {
        Ok(Some(state)) => matches!(state.as_str(), "shutting-down" | "terminated"),
        Ok(None) => true,
        Err(_) => false,
    }
}

fn component(folder: &Path, name: String) -> Result<PathComponent, FailoverError> {
    PathComponent::new(name).map_err(|error| FailoverError::Journal {
        path: folder.display().to_string(),
        cause: std::io::Error::new(std::io::ErrorKind::InvalidInput, error),
    })
}
