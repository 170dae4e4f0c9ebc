//! May this host start the engine, and why? The decision, without effects.

use super::proof::{Proof, ProofKind};
use super::record::{OwnerRecord, Writer};
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

/// What is in the queue manager's data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataState {
    /// Nothing.
    Absent,
    /// A queue manager's data.
    Present,
    /// A creation that was cut off.
    HalfCreated,
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
    /// EC2, which knows this host, does not know it. Terminated instances vanish from EC2's answers after about an hour.
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
    /// The question was not answered. Proves nothing.
    Failed,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
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
        instance: String,
        /// How long to wait first.
        after: Duration,
    },
    /// Order EC2 to terminate the instance without an orderly shutdown; this is the fence.
    Terminate {
        /// The previous owner.
        instance: String,
    },
    /// This host must not start; only a person can change that.
    Refuse(Refusal),
}

/// Why a start is refused for good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Data without an owner record: nobody knows who writes it.
    #[error(
        "the data directory holds a queue manager but there is no owner record, so nobody knows who may be writing it"
    )]
    DataWithoutOwner,
    /// The record cannot be used.
    #[error("{0}")]
    Unreadable(String),
}

/// Periods of an inquiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InquiryPolicy {
    /// How long a previous owner that may still run is given before EC2 is told to terminate it.
    pub patience: Duration,
    /// First wait between two questions to EC2; doubles up to `slowest`.
    pub quickest: Duration,
    /// Longest wait between two questions.
    pub slowest: Duration,
    /// How long, at least, EC2 must not know the previous owner before that counts as terminated.
    pub unknown_for: Duration,
    /// How many answers in a row must say so.
    pub unknown_times: u32,
}

impl Default for InquiryPolicy {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(2),
            quickest: Duration::from_millis(200),
            slowest: Duration::from_secs(1),
            // EC2 is eventually consistent; a written owner record is older than that, so this is a second margin.
            unknown_for: Duration::from_secs(10),
            unknown_times: 3,
        }
    }
}

/// One decision, from the record to a proof or a refusal.
///
/// Feed each answer to [`Inquiry::step`]. The lock must be held for the whole inquiry, and the record must still be the
/// same when the proof is used (the keeper compares). `Start` is returned for an owner that may run on another host
/// only after EC2 said that the host has stopped.
#[derive(Debug, Clone)]
pub struct Inquiry {
    policy: InquiryPolicy,
    case: Case,
    wait: Duration,
    /// When the previous owner was first found to be possibly running.
    may_run_since: Option<Duration>,
    ordered: bool,
    unknown_since: Option<(Duration, u32)>,
    /// What was asked last, to be repeated after a failure.
    asked: Next,
}

#[derive(Debug, Clone)]
enum Case {
    Decided(Next),
    /// This host, same kernel: its own processes decide.
    SameKernel {
        instance: String,
        killed: bool,
    },
    /// Another host.
    Elsewhere {
        instance: String,
    },
}

impl Inquiry {
    /// Begins with what is known under the lock: who we are, the record, the data.
    pub fn new(policy: InquiryPolicy, me: &Writer, record: &RecordView, data: DataState) -> Self {
        let start = |kind, previous| Case::Decided(Next::Start(Proof { kind, previous }));
        let case = match (record, data) {
            (RecordView::Unreadable(why), _) => Case::Decided(Next::Refuse(Refusal::Unreadable(why.clone()))),
            (RecordView::Absent, DataState::Absent) => start(ProofKind::New, None),
            (RecordView::Absent, _) => Case::Decided(Next::Refuse(Refusal::DataWithoutOwner)),
            (RecordView::Present(record), _) => {
                let previous = record.owner.instance.clone();
                if record.released {
                    start(ProofKind::Clean, Some(previous))
                } else if record.owner == *me {
                    Case::SameKernel {
                        instance: previous,
                        killed: false,
                    }
                } else if previous == me.instance {
                    // Another boot of this very host: the kernel that could write is gone.
                    start(ProofKind::SameHost, Some(previous))
                } else {
                    Case::Elsewhere { instance: previous }
                }
            }
        };
        Self {
            policy,
            case,
            wait: policy.quickest,
            may_run_since: None,
            ordered: false,
            unknown_since: None,
            asked: Next::CountLocal,
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
        };
        self.ask(next)
    }

    /// Takes the answer to the last question; `now` is any clock that does not go back.
    pub fn step(&mut self, now: Duration, answer: &Answer) -> Next {
        let next = match &mut self.case {
            Case::Decided(next) => next.clone(),
            Case::SameKernel { instance, killed } => match answer {
                Answer::LocalProcesses(0) => Next::Start(Proof {
                    kind: ProofKind::SameHost,
                    previous: Some(instance.clone()),
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
        };
        self.ask(next)
    }

    fn elsewhere(&mut self, now: Duration, instance: String, answer: &Answer) -> Next {
        let terminated = Next::Start(Proof {
            kind: ProofKind::Terminated,
            previous: Some(instance.clone()),
        });
        if !matches!(answer, Answer::Previous(CloudState::Unknown) | Answer::Failed) {
            self.unknown_since = None;
        }
        match answer {
            Answer::Previous(CloudState::Terminated | CloudState::Stopped) => return terminated,
            Answer::Previous(CloudState::Unknown) => {
                let (since, times) = self.unknown_since.map_or((now, 1), |(since, times)| (since, times + 1));
                self.unknown_since = Some((since, times));
                if times >= self.policy.unknown_times && now.saturating_sub(since) >= self.policy.unknown_for {
                    return terminated;
                }
            }
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
            Answer::Failed | Answer::LocalProcesses(_) => {}
        }
        let after = self.wait;
        self.wait = (self.wait * 2).min(self.policy.slowest);
        Next::AskCloud { instance, after }
    }

    fn ask(&mut self, next: Next) -> Next {
        self.asked = next.clone();
        next
    }

    /// What was asked last, for people.
    pub fn waiting_for(&self) -> String {
        match &self.asked {
            Next::Start(proof) => format!("proof {proof}"),
            Next::CountLocal | Next::KillLocal => "this host's own engine processes to be gone".to_owned(),
            Next::AskCloud { instance, .. } | Next::Terminate { instance } => {
                format!("EC2 to say that {instance}, the previous owner, is terminated")
            }
            Next::Refuse(why) => why.to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
