//! The protocol's steps, by the numbers of docs/fencing.md; each can be taken out of the model.

/// One step of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// 1: nobody looks, claims or starts without the lock.
    Lock,
    /// 2: the record names the new owner before the engine starts.
    Claim,
    /// 3: an epoch is claimed by creating its file, which succeeds once.
    ClaimOnce,
    /// 4: the lock alone is not enough: the previous owner is asked about.
    Proof,
    /// 5: of EC2's answers only `terminated` and `stopped` count.
    OnlyStopped,
    /// 6: a host that is itself the previous owner kills its own engine's processes first.
    OwnProcesses,
    /// 7: what the engine wrote is written back before the data is let go.
    WriteBack,
    /// 8: a host that lost its lock, or could not prove it for T, resets itself.
    SelfReset,
    /// 9: the clock for that counts the time for which the host was suspended.
    SuspendedTime,
    /// 10: the next keeper of a host goes on guarding where a dead one ended, until it has claimed the data anew.
    GuardOutlives,
    /// 11: a successor without EC2's word waits for lease, T and margin; without this step, not for T.
    LeaseWait,
    /// 12: a sign of life begins that wait anew.
    SignOfLife,
    /// 13: a record of another file system is about another world: its owner is left alone, and a person starts here.
    Copy,
    /// 14: what a host saw of the owner while it waited without the lock is no part of its wait.
    WaitAnew,
    /// 15: a host that waits runs no engine, which would take over by itself when the lock is free.
    NoEngine,
    /// 16: an operator's stop is kept with the data and read with every claim; without this step it is kept on the host alone.
    Pause,
    /// 17: the data is let go only when nothing of the engine is left, whoever takes it over and however soon.
    EngineGone,
}

impl Step {
    /// All steps, in the order of their numbers.
    pub(super) const ALL: [Self; 17] = [
        Self::Lock,
        Self::Claim,
        Self::ClaimOnce,
        Self::Proof,
        Self::OnlyStopped,
        Self::OwnProcesses,
        Self::WriteBack,
        Self::SelfReset,
        Self::SuspendedTime,
        Self::GuardOutlives,
        Self::LeaseWait,
        Self::SignOfLife,
        Self::Copy,
        Self::WaitAnew,
        Self::NoEngine,
        Self::Pause,
        Self::EngineGone,
    ];

    /// Its number in docs/fencing.md.
    pub(super) fn number(self) -> usize {
        Self::ALL.iter().position(|step| *step == self).expect("listed") + 1
    }

    /// Its name there.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Lock => "lock",
            Self::Claim => "claim",
            Self::ClaimOnce => "claim-once",
            Self::Proof => "proof",
            Self::OnlyStopped => "only-stopped",
            Self::OwnProcesses => "own-processes",
            Self::WriteBack => "write-back",
            Self::SelfReset => "self-reset",
            Self::SuspendedTime => "suspended-time",
            Self::GuardOutlives => "guard-outlives",
            Self::LeaseWait => "lease-wait",
            Self::SignOfLife => "sign-of-life",
            Self::Copy => "copy",
            Self::WaitAnew => "wait-anew",
            Self::NoEngine => "no-engine",
            Self::Pause => "pause",
            Self::EngineGone => "engine-gone",
        }
    }
}
