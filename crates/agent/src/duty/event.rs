//! What comes in and what goes out.

use crate::agent::keeper::{KeeperEvent, KeeperOutcome, KeeperWork};
use crate::agent::ports::{Identity, SignalResult};
use crate::fence::{CloudState, CreateWord, DataState, Epoch, Word};
use crate::model::InstanceId;
use crate::model::agent::Pause;
use mqaws_engine::{EngineFailure, EngineInfo, Health};
use std::time::Duration;

/// A person's word, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Names the decision for whoever waits for its answer.
    pub(crate) id: String,
    /// What was said.
    pub(crate) word: Word,
    /// Why it was not taken, if it was not.
    pub(crate) refused: Option<String>,
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
    /// Count the engine's processes on this host ([`Outcome::LocalProcesses`]).
    CountLocal,
    /// Kill the engine's processes, commands included, and count what is left ([`Outcome::LocalProcesses`]).
    Kill,
    /// Ask EC2 about an instance ([`Outcome::Previous`]).
    AskCloud(InstanceId),
    /// Order EC2 to terminate it ([`Outcome::TerminationOrdered`]).
    Terminate(InstanceId),
    /// Use up the word `create` of the file system ([`Outcome::WordUsed`]).
    UseWord,
    /// The same for data that is there and serves, so that the word creates nothing when the data is gone ([`Outcome::WordSpent`]).
    SpendWord,
    /// Fetch the application user's credentials and set up the account ([`Outcome::AccountsSet`]).
    Accounts,
    /// Create the queue manager or make it known ([`Outcome::Adopted`]).
    Adopt(DataState),
    /// Bring the certificate, and make the queue manager known to this host while another one has its data ([`Outcome::Registered`]).
    Register,
    /// Only learn the engine's version: it runs already ([`Outcome::Adopted`]).
    Attach,
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
    /// Stop it within the target time for another host to start it ([`Outcome::Ended`]).
    EndForMove(Duration),
    /// Tell the stack how the start went ([`Outcome::Signalled`]).
    Signal {
        /// How it went.
        success: bool,
    },
    /// Report this instance as unhealthy ([`Outcome::Reported`]).
    ReportUnhealthy,
    /// Complete the lifecycle hook, if the instance is in one ([`Outcome::HookCompleted`]).
    CompleteHook,
    /// Ask the lock keeper ([`Outcome::Keeper`]).
    Keeper(KeeperWork),
}

impl From<KeeperWork> for Work {
    fn from(work: KeeperWork) -> Self {
        Self::Keeper(work)
    }
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
    LocalProcesses(Result<usize, String>),
    Previous(Result<CloudState, String>),
    TerminationOrdered(Result<(), String>),
    WordUsed(Result<CreateWord, String>),
    WordSpent(Result<(), String>),
    AccountsSet(Result<(), String>),
    Registered(Result<EngineInfo, EngineFailure>),
    Adopted(Result<EngineInfo, EngineFailure>),
    Started(Result<i32, EngineFailure>),
    Defined(Result<(), EngineFailure>),
    Accepting(Result<(), EngineFailure>),
    Checked(Health, Ordered),
    Renewed(Result<bool, String>),
    Found(Option<i32>),
    Ended(Result<(), String>),
    Signalled(Result<SignalResult, String>),
    Reported(Result<(), String>),
    HookCompleted(Result<(), String>),
    Keeper(KeeperOutcome),
}

impl From<KeeperOutcome> for Outcome {
    fn from(outcome: KeeperOutcome) -> Self {
        Self::Keeper(outcome)
    }
}

/// Timers; each runs at most once at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Timer {
    /// The next attempt of the step that failed.
    Retry,
    /// The next attempt to set up the account.
    Accounts,
    /// The next look at the owner of the data, while this host waits to take over.
    Standby,
    /// The time for a refused start to be seen, before the stack is told.
    Refusal,
    /// The next health check.
    Health,
    /// The next reading of the certificate.
    Certificate,
    /// The next attempt to use up the word `create` of data that serves.
    Word,
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
    /// The lock keeper told something.
    Keeper {
        /// Number of the connection on which it did, see [`KeeperOutcome::Opened`].
        connection: u64,
        /// What it told.
        event: KeeperEvent,
    },
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
    /// An operator stops the queue manager: no host starts it until it is resumed.
    Pause(Pause),
    /// An operator ends that.
    Resume,
    /// An operator moves the queue manager to the host that is ready to take over.
    HandOver {
        /// Whether one is ready or not.
        unready: bool,
    },
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
    /// Note a wait for something that is not the agent, and that ends now.
    Waited {
        /// What was waited for, for people.
        what: &'static str,
        /// For how long.
        took: Duration,
    },
    /// Tell the keeper, and through it the owner record, that this instance has served.
    NoteServed,
    /// End the agent's process.
    Exit,
}
