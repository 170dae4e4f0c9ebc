//! What an engine is asked whose members each keep a copy of the data, beyond what it is asked of one host.

use crate::EngineFailure;
use mqaws_contract::agent::MemberName;
use std::time::Duration;

/// The engine of one member of a cluster. All calls block and have deadlines of their own; each may take seconds, and none is for a loop
/// without a wait.
pub trait Cluster: Send + Sync {
    /// Gives the engine what all members share, before it is adopted; whatever proves to one node that another is of the cluster follows from it.
    ///
    /// # Errors
    /// [`EngineFailure`].
    fn take_secret(&self, key: &str) -> Result<(), EngineFailure>;

    /// Lets clients in to this member's node, which runs without a listener of theirs: it began the cluster, or has been of it before.
    ///
    /// # Errors
    /// [`EngineFailure`].
    fn admit(&self) -> Result<(), EngineFailure>;

    /// Makes this member's node, which runs and has nothing, one of the cluster that another member's node is of, and lets clients in.
    ///
    /// # Errors
    /// [`EngineFailure`]; then the node runs on its own as before, or does not run.
    fn join(&self, through: &MemberName) -> Result<(), EngineFailure>;

    /// How the cluster is, as this member's node sees it.
    ///
    /// # Errors
    /// [`EngineFailure`].
    fn standing(&self) -> Result<Standing, EngineFailure>;

    /// Makes this member's copy one of those of every replicated queue that has too few.
    ///
    /// # Errors
    /// [`EngineFailure`].
    fn grow(&self) -> Result<(), EngineFailure>;

    /// Waits until every replicated queue and the cluster itself have a majority without this member.
    ///
    /// # Errors
    /// [`EngineFailure`]; not within this time is one.
    fn await_majority_without_me(&self, within: Duration) -> Result<(), EngineFailure>;

    /// Prepares this member's node for a stop: leaders move to other members, clients are told to connect elsewhere.
    ///
    /// # Errors
    /// [`EngineFailure`].
    fn drain(&self) -> Result<(), EngineFailure>;

    /// Takes back what [`Cluster::drain`] did, on a node that runs on.
    ///
    /// # Errors
    /// [`EngineFailure`].
    fn revive(&self) -> Result<(), EngineFailure>;

    /// Removes a member whose data are gone from the cluster and from every replicated queue; its node does not run.
    ///
    /// # Errors
    /// [`EngineFailure`].
    fn forget(&self, member: &MemberName) -> Result<(), EngineFailure>;
}

/// How a cluster is, as one of its members sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The members that it counts, running or not, itself included.
    pub counted: Vec<MemberName>,
    /// Those of them that run.
    pub online: Vec<MemberName>,
    /// Nodes that it counts and whose name is no member's, in the engine's words.
    pub strangers: Vec<String>,
    /// Replicated queues that it leads.
    pub led: u64,
    /// Replicated queues that it follows.
    pub followed: u64,
    /// Whether its copy of every replicated queue has caught up with the leader's, and none that it should have is missing.
    pub in_sync: bool,
    /// Alarms of the engine, in its words: memory, disk, a partition.
    pub alarms: Vec<String>,
}
