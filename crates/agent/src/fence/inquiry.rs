//! May this host start the engine, and why? The decision, without effects.

use self::life::SignOfLife;
use super::proof::Proof;
use super::record::{OwnerRecord, ThisHost};
use super::times::LeaseTimes;
use super::word::{CreateWord, DecisionRefused, Word};
use crate::model::agent::ProofKind;
use crate::model::{AsWritten, InstanceId};
pub use mqaws_engine::{DataState, LeaseRule};
use std::time::Duration;

/// What the keeper saw of the owner record, under the lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordView {
    /// There is none.
    Absent,
    /// This one.
    Present(Box<OwnerRecord>),
    /// There is one, and it cannot be used; the text says why.
    Unreadable(String),
}

/// What the keeper found under the lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The owner record.
    pub record: RecordView,
    /// The data.
    pub data: DataState,
    /// The lock's lease, as its server grants it or as it is assumed.
    pub lease: Duration,
}

/// What EC2 says about the previous owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloudState {
    /// `terminated`: its processors have stopped for good.
    Terminated,
    /// `stopped`: its processors have stopped.
    Stopped,
    /// Any other state, in EC2's word; it may still write.
    MayRun(String),
    /// EC2, which knows this host, does not know it. Terminated instances vanish from EC2's answers after about an hour,
    /// and one that was launched just now may not be there yet: it proves nothing.
    Unknown,
}

/// Answers to what [`Next`] asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// How many processes of the engine, commands included, run on this host.
    LocalProcesses(usize),
    /// What EC2 says about the previous owner.
    Previous(CloudState),
    /// EC2 accepted the order to terminate the previous owner. That is not yet a proof.
    TerminationOrdered,
    /// The sign of life in the record, which is still the one that was inspected.
    SignOfLife(u64),
    /// What the file system says about the creation of a queue manager.
    Word(CreateWord),
    /// The question was not answered. Proves nothing.
    Failed,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Next {
    /// Start the engine: this is why it is safe.
    Start(Proof),
    /// Count the engine's processes on this host, answer with [`Answer::LocalProcesses`].
    CountLocal,
    /// Kill the engine's processes on this host, count again, answer with [`Answer::LocalProcesses`].
    KillLocal,
    /// Wait this long, then ask EC2 about the instance, answer with [`Answer::Previous`].
    AskCloud {
        /// The previous owner.
        instance: InstanceId,
        /// Maximum time to wait first.
        after: Duration,
    },
    /// Order EC2 to terminate the instance without an orderly shutdown; this is the fence.
    Terminate {
        /// The previous owner.
        instance: InstanceId,
    },
    /// Read the record again, answer with [`Answer::SignOfLife`].
    Look,
    /// Wait this long, then use up the word `create` of this host's file system, answer with [`Answer::Word`].
    UseWord {
        /// Maximum time to wait first.
        after: Duration,
    },
    /// Wait for a person's word ([`Inquiry::decide`]): nothing that could be asked would prove anything.
    AwaitWord,
    /// This host must not start; only a person can change that.
    Refuse(Refusal),
}

/// Why a start is refused for good.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// Data without an owner record: nobody knows who writes it.
    #[error(
        "the data directory contains a queue manager but no owner record, so it is unknown which instance may be writing to it"
    )]
    DataWithoutOwner,
    /// An owner record without the data that its queue manager served from.
    #[error(
        "the owner record says that the queue manager has served, but its data directory is missing: nothing is created in its place. Restore the data; to begin with an empty queue manager instead, delete its folder in .mqaws on the file system and run `mqaws-agent fence create`"
    )]
    OwnerWithoutData,
    /// The record cannot be used.
    #[error("{0}")]
    Unreadable(String),
    /// What the record names as its owner is no instance: nobody can be asked about it, and nobody could be terminated.
    #[error(
        "the owner record contains `{0}` as its owner, which is not an instance ID, so it is unknown whether the owner may be writing"
    )]
    NoInstance(String),
}

/// Periods and permissions of an inquiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InquiryPolicy {
    /// How long a previous owner that may still run is given before EC2 is told to terminate it.
    pub patience: Duration,
    /// First wait between two questions to EC2; doubles up to `slowest`.
    pub quickest: Duration,
    /// Longest wait between two questions.
    pub slowest: Duration,
    /// See [`LeaseTimes`].
    pub times: LeaseTimes,
    /// Whether the engine may start on the proof `lease`.
    pub lease: LeaseRule,
}

impl Default for InquiryPolicy {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(2),
            quickest: Duration::from_millis(200),
            slowest: Duration::from_secs(1),
            times: LeaseTimes::default(),
            lease: LeaseRule::Refuse,
        }
    }
}

/// One decision, from the record to a proof or a refusal.
///
/// Feed each answer to [`Inquiry::step`]. The lock must be held for the whole inquiry, and the record must still be the
/// same when the proof is used (the keeper's claim fails otherwise). For an owner on another host, `Start` is returned only
/// after EC2 said that the host has stopped, or after its sign of life stood still for the wait of [`LeaseTimes`] and the
/// engine may start on that. On a copy of another file system the recorded owner is somebody else's: it is neither asked about
/// nor terminated nor waited for, and only a person's word starts the engine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Inquiry {
    policy: InquiryPolicy,
    case: Case,
    wait: Duration,
    /// When the previous owner was first found to be possibly running.
    may_run_since: Option<Duration>,
    ordered: bool,
    life: SignOfLife,
    /// What was asked last, and when.
    asked: Next,
    asked_at: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Case {
    Decided(Next),
    /// This host, same kernel: its own processes decide.
    SameKernel {
        instance: InstanceId,
        killed: bool,
    },
    /// Another host.
    Elsewhere {
        instance: InstanceId,
    },
    /// The owner of another file system, of which this one is a copy: it may live, and rightly.
    Copy {
        instance: AsWritten<InstanceId>,
        original: String,
        here: String,
    },
    /// Neither data nor a record of an owner: storage that is new, or data that is gone with all that was said of it.
    Empty {
        here: String,
        said: Option<CreateWord>,
    },
}

impl Inquiry {
    /// Begins with what is known under the lock of `file_system`; `now` is a clock that does not go back and that counts the
    /// time for which this host is suspended.
    pub fn new(policy: InquiryPolicy, me: &ThisHost, file_system: &str, found: &Inspection, now: Duration) -> Self {
        let start = |kind, previous| Case::Decided(Next::Start(Proof { kind, previous }));
        let mut alive = 0;
        let case = match (&found.record, found.data) {
            (RecordView::Unreadable(why), _) => Case::Decided(Next::Refuse(Refusal::Unreadable(why.clone()))),
            (RecordView::Absent, DataState::Absent) => Case::Empty {
                here: file_system.to_owned(),
                said: None,
            },
            (RecordView::Absent, _) => Case::Decided(Next::Refuse(Refusal::DataWithoutOwner)),
            (RecordView::Present(record), DataState::Absent) if record.served => {
                Case::Decided(Next::Refuse(Refusal::OwnerWithoutData))
            }
            (RecordView::Present(record), _) => {
                alive = record.alive;
                let previous = record.owner.instance.clone();
                if let Some(original) = record.original(file_system) {
                    // Whether it was let go says nothing: other files may be of another moment.
                    Case::Copy {
                        instance: previous,
                        original: original.to_owned(),
                        here: file_system.to_owned(),
                    }
                } else if record.released {
                    start(ProofKind::Clean, Some(previous))
                } else {
                    match (previous.id(), record.owner.boot.id()) {
                        (None, _) => Case::Decided(Next::Refuse(Refusal::NoInstance(previous.to_string()))),
                        // Another boot of this very host: the kernel that could write is gone.
                        (Some(id), Some(boot)) if *id == me.instance && *boot != me.boot => {
                            start(ProofKind::SameHost, Some(previous))
                        }
                        // This boot, or one that nobody can tell from it.
                        (Some(id), _) if *id == me.instance => Case::SameKernel {
                            instance: id.clone(),
                            killed: false,
                        },
                        (Some(id), _) => Case::Elsewhere { instance: id.clone() },
                    }
                }
            }
        };
        Self {
            policy,
            case,
            wait: policy.quickest,
            may_run_since: None,
            ordered: false,
            life: SignOfLife::new(alive, now, policy.times.wait(found.lease)),
            asked: Next::CountLocal,
            asked_at: now,
        }
    }

    /// The first thing to do.
    pub fn first(&mut self) -> Next {
        let next = match &self.case {
            Case::Decided(next) => next.clone(),
            Case::SameKernel { .. } => Next::CountLocal,
            Case::Elsewhere { instance } => Next::AskCloud {
                instance: instance.clone(),
                after: Duration::ZERO,
            },
            Case::Copy { .. } => Next::AwaitWord,
            Case::Empty { .. } => Next::UseWord { after: Duration::ZERO },
        };
        self.asked = next.clone();
        next
    }

    /// Takes the answer to the last question; `now` as in [`Inquiry::new`].
    pub fn step(&mut self, now: Duration, answer: &Answer) -> Next {
        let next = match &mut self.case {
            Case::Decided(next) => next.clone(),
            Case::SameKernel { instance, killed } => match answer {
                Answer::LocalProcesses(0) => Next::Start(Proof {
                    kind: ProofKind::SameHost,
                    previous: Some(AsWritten::Id(instance.clone())),
                }),
                Answer::LocalProcesses(_) => {
                    *killed = true;
                    Next::KillLocal
                }
                _ if *killed => Next::KillLocal,
                _ => Next::CountLocal,
            },
            Case::Elsewhere { instance } => {
                let instance = instance.clone();
                self.elsewhere(now, instance, answer)
            }
            Case::Copy { .. } => Next::AwaitWord,
            Case::Empty { said, .. } => {
                if let Answer::Word(word) = answer {
                    *said = Some(*word);
                }
                match said {
                    Some(CreateWord::Given) => Next::Start(Proof {
                        kind: ProofKind::New,
                        previous: None,
                    }),
                    Some(_) => Next::AwaitWord,
                    None => {
                        let after = self.wait;
                        self.wait = (self.wait * 2).min(self.policy.slowest);
                        Next::UseWord { after }
                    }
                }
            }
        };
        self.asked = next.clone();
        self.asked_at = now;
        next
    }

    /// EC2 and the record are asked in turn, for as long as it takes.
    fn elsewhere(&mut self, now: Duration, instance: InstanceId, answer: &Answer) -> Next {
        let proof = |kind| {
            Next::Start(Proof {
                kind,
                previous: Some(AsWritten::Id(instance.clone())),
            })
        };
        match answer {
            Answer::Previous(CloudState::Terminated | CloudState::Stopped) => return proof(ProofKind::Terminated),
            Answer::Previous(CloudState::MayRun(_)) => {
                let since = *self.may_run_since.get_or_insert(now);
                if !self.ordered && now.saturating_sub(since) >= self.policy.patience {
                    return Next::Terminate { instance };
                }
            }
            Answer::TerminationOrdered => {
                self.ordered = true;
                self.wait = self.policy.quickest;
            }
            Answer::SignOfLife(alive) => {
                self.life.look(self.asked_at, now, *alive);
                if self.life.is_over() && self.policy.lease == LeaseRule::Allow {
                    return proof(ProofKind::Lease);
                }
            }
            Answer::Previous(CloudState::Unknown) | Answer::Failed | Answer::LocalProcesses(_) | Answer::Word(_) => {}
        }
        if matches!(self.asked, Next::AskCloud { .. } | Next::Terminate { .. }) {
            return Next::Look;
        }
        let after = self.wait;
        self.wait = (self.wait * 2).min(self.policy.slowest);
        Next::AskCloud { instance, after }
    }

    /// A person's word: the proof that it gives, if it is about what this host waits for.
    ///
    /// # Errors
    /// [`DecisionRefused`].
    pub fn decide(&self, word: &Word) -> Result<Proof, DecisionRefused> {
        let named = word.named().to_owned();
        let previous = match (word, &self.case) {
            (Word::Create(_), Case::Empty { here, .. }) if *here == named => {
                return Ok(Proof {
                    kind: word.kind(),
                    previous: None,
                });
            }
            (Word::Create(_), Case::Empty { here, .. }) => {
                let here = here.clone();
                return Err(DecisionRefused::OtherEmpty { named, here });
            }
            (Word::Create(_), _) => return Err(DecisionRefused::NotEmpty),
            (Word::Gone(gone), Case::Elsewhere { instance }) if gone.is(instance) => AsWritten::Id(instance.clone()),
            (Word::Gone(_), Case::Elsewhere { instance }) => {
                let previous = instance.to_string();
                return Err(DecisionRefused::OtherOwner { named, previous });
            }
            (Word::Copy(_), Case::Copy { instance, original, .. }) if *original == named => instance.clone(),
            (_, Case::Copy { original, .. }) => {
                let original = original.clone();
                return Err(match word {
                    Word::Copy(_) => DecisionRefused::OtherOriginal { named, original },
                    Word::Gone(_) | Word::Create(_) => DecisionRefused::IsCopy { original },
                });
            }
            (Word::Copy(_), _) => return Err(DecisionRefused::NoCopy),
            (Word::Gone(_), _) => return Err(DecisionRefused::NothingToDecide),
        };
        Ok(Proof {
            kind: word.kind(),
            previous: Some(previous),
        })
    }

    /// The previous owner on another host, while it is waited for.
    pub fn previous(&self) -> Option<&InstanceId> {
        match &self.case {
            Case::Elsewhere { instance } => Some(instance),
            Case::Decided(_) | Case::SameKernel { .. } | Case::Copy { .. } | Case::Empty { .. } => None,
        }
    }

    /// On a copy: the file system that it is a copy of, and that one's owner.
    pub fn original(&self) -> Option<(&str, &str)> {
        match &self.case {
            Case::Copy { original, instance, .. } => Some((original, instance.as_str())),
            Case::Decided(_) | Case::SameKernel { .. } | Case::Elsewhere { .. } | Case::Empty { .. } => None,
        }
    }

    /// The empty file system, while only a person's word creates a queue manager on it.
    pub fn empty(&self) -> Option<&str> {
        match &self.case {
            Case::Empty { here, said } if said.is_some_and(|said| said != CreateWord::Given) => Some(here),
            _ => None,
        }
    }

    /// Its sign of life, for how long that stands still, and for how long it must.
    pub fn silence(&self) -> (u64, Duration, Duration) {
        (self.life.alive(), self.life.silent(), self.life.wait())
    }
}

mod life;
#[cfg(test)]
mod tests;
mod told;
