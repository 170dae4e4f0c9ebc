//! What comes in and what goes out.

use crate::fence::{CloudState, DataState, Epoch, Inspection, Proof, Word};
pub use mqaws_engine::{EngineFailure, EngineInfo, FailureKind, Health};
use std::net::IpAddr;
use std::time::Duration;

/// States, in the order of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Learns who and where it is.
    Booting,
    /// Mounts the shared file system.
    Mounting,
    /// Waits for the lock and a proof that the previous owner writes no more.
    Fencing,
    /// Creates the queue manager or makes it known to this host.
    Adopting,
    /// Starts it; replaying its log belongs to this.
    Starting,
    /// It serves.
    Serving,
    /// It died or hung and is started again in place.
    Restarting,
    /// This instance gave up and asked to be replaced.
    Condemned,
    /// It is being stopped in order.
    Draining,
    /// It is stopped, the lock is released.
    Stopped,
    /// A person asked the agent to keep its hands off.
    Paused,
}

impl State {
    /// The word in status and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Booting => "booting",
            Self::Mounting => "mounting",
            Self::Fencing => "fencing",
            Self::Adopting => "adopting",
            Self::Starting => "starting",
            Self::Serving => "serving",
            Self::Restarting => "restarting",
            Self::Condemned => "condemned",
            Self::Draining => "draining",
            Self::Stopped => "stopped",
            Self::Paused => "paused",
        }
    }
}

/// Who and where this host is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// EC2 instance id.
    pub instance: String,
    /// Availability zone.
    pub zone: String,
    /// Address that the engine's listeners bind to.
    pub address: IpAddr,
    /// The kernel's boot id.
    pub boot: String,
    /// Target lifecycle state, when the instance is in a group.
    pub lifecycle: Option<String>,
}

/// What the agent found when it opened the keeper.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeeperState {
    /// Whether the lock is held.
    pub held: bool,
    /// Who holds it, when that is another.
    pub holder: Option<String>,
    /// The epoch that this keeper claimed, when the agent found a living keeper again.
    pub claimed: Option<(Epoch, Proof)>,
    /// Whether an engine has served under this keeper.
    pub served: bool,
    /// The engine's execution controller on this host.
    pub controller: Option<i32>,
    /// Processes of the engine on this host.
    pub processes: usize,
}

/// Why a claim was not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimError {
    /// The record is no longer the one that the proof is about.
    Changed,
    /// It could not be written.
    Failed(String),
}

/// What a look at the inspected record found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// It is the same, with this sign of life.
    Alive(u64),
    /// It is another, or was released.
    Changed,
}

/// A person's word, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Names the decision for whoever waits for its answer.
    pub id: String,
    /// What was said.
    pub word: Word,
    /// Why it was not taken, if it was not.
    pub refused: Option<String>,
}

/// What became of a signal to the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignalResult {
    /// The stack was waiting for it.
    Taken,
    /// The stack does not wait.
    NotWaiting,
}

/// Why a drain was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DrainReason {
    /// SIGTERM: the service or the host is being stopped; the agent ends afterwards.
    Signal,
    /// The group is about to terminate this instance.
    Lifecycle,
    /// EC2 is about to take the host away or to restart it; the group is asked for a replacement.
    Notice,
    /// The group takes the instance back into its warm pool; the agent ends, and begins anew waiting.
    Pool,
}

/// Work that takes time. Each ends in the [`Outcome`] named beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Ask the metadata service ([`Outcome::Identified`]).
    Identify,
    /// Mount the shared file system ([`Outcome::Mounted`]).
    Mount,
    /// Find or start the keeper ([`Outcome::KeeperOpen`]).
    OpenKeeper,
    /// Read owner record and data state under the lock ([`Outcome::Inspected`]).
    Inspect,
    /// Count the engine's processes on this host ([`Outcome::LocalProcesses`]).
    CountLocal,
    /// Kill the engine's processes, commands included, and count what is left ([`Outcome::LocalProcesses`]).
    Kill,
    /// Read the sign of life in the inspected record ([`Outcome::Looked`]).
    Look,
    /// Ask EC2 about an instance ([`Outcome::Previous`]).
    AskCloud(String),
    /// Order EC2 to terminate it ([`Outcome::TerminationOrdered`]).
    Terminate(String),
    /// Write the owner record with this proof ([`Outcome::Claimed`]).
    Claim(Proof),
    /// Fetch the application user's credentials and set up the account ([`Outcome::AccountsSet`]).
    Accounts,
    /// Create the queue manager or make it known ([`Outcome::Adopted`]).
    Adopt(DataState),
    /// Only learn the engine's version: it runs already ([`Outcome::Adopted`]).
    Attach,
    /// Write into the owner record which engine is about to write the data ([`Outcome::LevelWritten`]).
    Level(String),
    /// Start it ([`Outcome::Started`]).
    Start(Epoch),
    /// Apply the definitions ([`Outcome::Defined`]).
    Define,
    /// Wait until its listeners accept ([`Outcome::Accepting`]).
    Accept,
    /// Check its health ([`Outcome::Checked`]).
    Check,
    /// Read the certificate again, and define it when it is another ([`Outcome::Renewed`]).
    Renew,
    /// Look for its execution controller ([`Outcome::Found`]).
    Find,
    /// Stop it in order within the target time ([`Outcome::Ended`]).
    End(Duration),
    /// Let go of the data; `condemned` counts this instance as one that gave up ([`Outcome::Released`]).
    Release {
        /// This instance gave up without having served.
        condemned: bool,
    },
    /// Tell the stack how the start went ([`Outcome::Signalled`]).
    Signal {
        /// How it went.
        success: bool,
    },
    /// Report this instance as unhealthy ([`Outcome::Reported`]).
    ReportUnhealthy,
    /// Complete the lifecycle hook, if the instance is in one ([`Outcome::HookCompleted`]).
    CompleteHook,
}

/// Whether a fault ordered what is reported: then it says nothing about how stable the engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ordered(pub bool);

/// Result of a piece of [`Work`]. Errors are text for people; they decide nothing but the time of the next attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is explained at its work")]
pub enum Outcome {
    Identified(Result<Identity, String>),
    Mounted(Result<(), String>),
    KeeperOpen(Result<KeeperState, String>),
    Inspected(Result<Inspection, String>),
    Looked(Result<Looked, String>),
    LocalProcesses(Result<usize, String>),
    Previous(Result<CloudState, String>),
    TerminationOrdered(Result<(), String>),
    Claimed(Result<Epoch, ClaimError>),
    AccountsSet(Result<(), String>),
    Adopted(Result<EngineInfo, EngineFailure>),
    LevelWritten(Result<(), String>),
    Started(Result<i32, EngineFailure>),
    Defined(Result<(), EngineFailure>),
    Accepting(Result<(), EngineFailure>),
    Checked(Health, Ordered),
    Renewed(Result<bool, String>),
    Found(Option<i32>),
    Ended(Result<(), String>),
    Released(Result<(), String>),
    Signalled(Result<SignalResult, String>),
    Reported(Result<(), String>),
    HookCompleted(Result<(), String>),
}

/// What the keeper tells unasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeeperEvent {
    /// The lock was obtained.
    LockHeld,
    /// Another holds it.
    LockBusy(String),
    /// It was held and is lost; the engine is being killed.
    LockLost(String),
    /// The keeper's process ended.
    Gone,
    /// Writes to the shared file system hang, or no longer hang.
    Storage {
        /// Whether they hang.
        stalled: bool,
    },
    /// The owner record that this host claimed is gone, or is there again.
    Record {
        /// Why only a person can help; absent when it is there again.
        gone: Option<String>,
    },
    /// The shared file system has no room left, or has room again.
    Room {
        /// What is full; absent when there is room.
        full: Option<String>,
    },
}

/// Timers; each runs at most once at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Timer {
    /// The next attempt of the step that failed.
    Retry,
    /// The next attempt to set up the account.
    Accounts,
    /// The time for a refused start to be seen, before the stack is told.
    Refusal,
    /// The next health check.
    Health,
    /// The next reading of the certificate.
    Certificate,
    /// The end of the time for a drain.
    Drain,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The agent's process began.
    Begin,
    /// A piece of work ended.
    Done {
        /// The generation in which it was ordered.
        generation: u64,
        /// How it ended.
        outcome: Outcome,
    },
    /// The keeper told something.
    Keeper(KeeperEvent),
    /// The kernel told that this process ended.
    EngineDied {
        /// Process id.
        pid: i32,
        /// Whether a fault ordered it.
        ordered: Ordered,
    },
    /// A drain is asked for.
    Drain(DrainReason),
    /// A person decides what nothing else can tell.
    Decide {
        /// See [`Decision::id`].
        id: String,
        /// See [`Decision::word`].
        word: Word,
    },
    /// A person asked the agent to keep its hands off, or to go on.
    Pause(bool),
    /// A timer ended.
    Timer(Timer),
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Begin a piece of work.
    Do {
        /// Comes back with its outcome.
        generation: u64,
        /// What to do.
        work: Work,
    },
    /// Write a phase mark.
    Mark {
        /// One of [`crate::model::agent::mark`].
        name: &'static str,
        /// The epoch at that moment, 0 when there is none.
        epoch: u64,
        /// A few words more.
        detail: String,
    },
    /// Start a timer, or start it anew.
    Set(Timer, Duration),
    /// Forget a timer.
    Clear(Timer),
    /// Tell with [`Event::EngineDied`] when this process ends.
    Watch(i32),
    /// Tell the keeper, and through it the owner record, that this instance has served.
    NoteServed,
    /// End the agent's process.
    Exit,
}
