//! Hosts, lock server, owner record and EC2 as a state machine for the model checker.
//!
//! A host's decision is the program's own [`Inquiry`] and [`LeaseTimes`]; what surrounds it here stands for the keeper, the
//! kernel and the services. Time passes in ticks of one second. One clock may be slow and another fast within the margin:
//! every guard is [`SLOW`] ticks late, every successor's clock is [`FAST`] ticks ahead.
//!
//! Where one course of events is worse than others, the model takes the worst: a host with an engine always has a write on
//! its way, a successor looks at every tick, EC2 hears an order as early as it can (when it obeys stays open), and a host
//! that can renew its lock does. Small numbers stand for lease, T and margin, so that every order within them is tried.

use super::steps::Step;
use mqaws_agent::fence::{Inquiry, InquiryPolicy, LeaseRule, LeaseTimes, ProofKind};
use std::time::Duration;

/// The lock server's lease, in ticks.
pub(super) const LEASE: u8 = 1;
/// T, in ticks.
pub(super) const T: u8 = 3;
/// The margin, in ticks; covers [`SLOW`] and [`FAST`].
pub(super) const MARGIN: u8 = 2;
/// How much later than by true time a host's own clock says that T is over.
pub(super) const SLOW: u8 = 1;
/// How much earlier than by true time a successor's clock says that the wait is over.
pub(super) const FAST: u8 = 1;

/// When a host can be suspended, its clock counting on or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Suspends {
    /// Never, but while it is cut off; it sees what its clock says before the network comes back.
    WhileCutOff,
    /// At any moment, with requests on their way; they arrive before its clock is read.
    Anytime,
}

/// A world in which the protocol runs.
#[derive(Debug, Clone)]
pub(super) struct World {
    /// How many hosts there are.
    pub hosts: usize,
    /// Whether the engine may start on the proof `lease`.
    pub lease: LeaseRule,
    /// When hosts can be suspended.
    pub suspends: Suspends,
    /// Whether the server refuses writes under a lock that was lost, as it does for files that the engine itself locks.
    pub refuses: bool,
    /// Whether the lock server may give a lock twice.
    pub grants_twice: bool,
    /// Whether EC2 may say `terminated` of a host that runs.
    pub lies: bool,
    /// Whether the hosts mount a copy, whose record names the owner of the original: a host that is none of these, and lives.
    pub copied: bool,
    /// Whether hosts without the lock look at the owner while they wait.
    pub standby: bool,
    /// Whether operators stop the engine and resume it.
    pub pauses: bool,
    /// Whether operators move the engine from one host to another.
    pub moves: bool,
    /// How many faults happen in one run.
    pub faults: u8,
    /// The step that is left out.
    pub without: Option<Step>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Power {
    On,
    Suspended,
    /// Reset; may boot again.
    Off,
    /// Terminated by EC2.
    Gone,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    Idle,
    /// The inquiry, the epoch of the record that it is about, and its clock in ticks.
    Asking(Box<Inquiry>, u8, u8),
    Proven(ProofKind, u8),
    /// The claim is on its way to the server.
    Claiming(ProofKind, u8),
    Owner(u8),
    /// The data was let go; this host does no more.
    Done,
}

/// One host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Host {
    pub power: Power,
    pub boot: u8,
    pub cut_off: bool,
    /// The keeper's process lives.
    pub keeper: bool,
    /// The keeper believes that it holds the lock.
    pub believes: bool,
    /// Ticks since the last proof of the lock by this host's clock, while it is guarded.
    pub guard: Option<u8>,
    /// The guard comes from a keeper that died, and this host has not claimed the data anew.
    pub inherited: bool,
    /// The sign of life cannot be written, though the lock is renewed: a full disk.
    pub mute: bool,
    pub phase: Phase,
    /// What it saw of the owner while it waited.
    pub saw: Option<Saw>,
    /// An engine runs.
    pub engine: bool,
    /// A write of this epoch is in the kernel's memory or on its way.
    pub dirty: Option<u8>,
}

/// The owner's epoch and sign of life as a host without the lock saw them, and for how many ticks they did not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Saw {
    pub epoch: u8,
    pub alive: u8,
    pub silent: u8,
}

/// The owner record of the highest epoch.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Record {
    pub epoch: u8,
    pub owner: usize,
    pub boot: u8,
    pub released: bool,
    pub alive: u8,
    pub proof: ProofKind,
    /// It was written on the original.
    pub foreign: bool,
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub hosts: Vec<Host>,
    /// At the lock server: ticks since each holder's last renewal.
    pub leases: Vec<Option<u8>>,
    pub record: Record,
    /// EC2 was told to terminate the host.
    pub ordered: Vec<bool>,
    pub faults: u8,
    pub twice: bool,
    /// Who started last, and under which epoch: only its writes may arrive.
    pub latest: (u8, usize),
    /// A write of somebody else has arrived.
    pub broken: bool,
    /// On a copy: EC2 was told to terminate the owner of the original.
    pub meddled: bool,
    /// On a copy: a host started because of what it saw of that owner.
    pub presumed: bool,
    /// An operator's stop is in force.
    pub paused: bool,
    /// An engine was started all the same.
    pub defied: bool,
}

/// The file system that hosts mount.
pub(super) const HERE: &str = "fs-here";
/// The one that a copy was made of.
pub(super) const ORIGINAL: &str = "fs-original";

pub(super) fn ticks(n: u8) -> Duration {
    Duration::from_secs(n.into())
}

pub(super) fn name(host: usize) -> String {
    format!("i-{host}")
}

impl World {
    /// Two hosts whose clocks run, also while they are suspended; the engine may start on the proof `lease`.
    pub(super) fn clocks_run() -> Self {
        Self {
            hosts: 2,
            lease: LeaseRule::Allow,
            suspends: Suspends::WhileCutOff,
            refuses: false,
            grants_twice: true,
            lies: false,
            copied: false,
            standby: false,
            pauses: false,
            moves: false,
            faults: 2,
            without: None,
        }
    }

    /// Two hosts on a copy.
    pub(super) fn copied() -> Self {
        Self {
            copied: true,
            faults: 1,
            ..Self::clocks_run()
        }
    }

    /// Two hosts, of which one waits beside the other: it has read the record and its sign of life without the lock.
    pub(super) fn standby() -> Self {
        Self {
            standby: true,
            ..Self::clocks_run()
        }
    }

    /// Two hosts whose engine an operator stops.
    pub(super) fn paused() -> Self {
        Self {
            pauses: true,
            ..Self::clocks_run()
        }
    }

    /// Two hosts, of which one waits; the engine is moved from one to the other and back.
    pub(super) fn moved() -> Self {
        Self {
            moves: true,
            faults: 1,
            ..Self::standby()
        }
    }

    /// The world in which a step is missed.
    pub(super) fn without(step: Step) -> Self {
        let world = match step {
            Step::Copy => Self::copied(),
            Step::WaitAnew | Step::NoEngine => Self::standby(),
            Step::Pause => Self::paused(),
            Step::EngineGone => Self::moved(),
            _ => Self::clocks_run(),
        };
        Self {
            without: Some(step),
            ..world
        }
    }

    /// Hosts are frozen at any moment; nobody starts without EC2's word.
    pub(super) fn frozen_hosts() -> Self {
        Self {
            lease: LeaseRule::Refuse,
            suspends: Suspends::Anytime,
            ..Self::clocks_run()
        }
    }

    /// Hosts are frozen at any moment; the server refuses writes under lost locks.
    pub(super) fn lost_locks_refused() -> Self {
        Self {
            suspends: Suspends::Anytime,
            refuses: true,
            grants_twice: false,
            ..Self::clocks_run()
        }
    }

    pub(super) fn has(&self, step: Step) -> bool {
        self.without != Some(step)
    }

    pub(super) fn times(&self) -> LeaseTimes {
        LeaseTimes {
            self_reset: ticks(T),
            margin: ticks(MARGIN),
        }
    }

    pub(super) fn policy(&self) -> InquiryPolicy {
        let without_t = LeaseTimes {
            self_reset: Duration::ZERO,
            ..self.times()
        };
        InquiryPolicy {
            patience: Duration::ZERO,
            quickest: Duration::ZERO,
            slowest: Duration::ZERO,
            times: if self.has(Step::LeaseWait) {
                self.times()
            } else {
                without_t
            },
            lease: self.lease,
        }
    }

    /// Whether the guard of a host must reset it, by the host's own clock.
    pub(super) fn guard_is_due(&self, guard: Option<u8>) -> bool {
        guard.is_some_and(|age| self.times().must_reset(ticks(age.saturating_sub(SLOW))))
    }

    pub(super) fn reset(&self, state: &mut State, h: usize) {
        let host = &mut state.hosts[h];
        if self.has(Step::SelfReset) {
            host.stop(Power::Off);
        } else {
            host.believes = false;
            host.guard = None;
        }
    }
}

impl Host {
    pub(super) fn new() -> Self {
        Self {
            power: Power::On,
            boot: 0,
            cut_off: false,
            keeper: true,
            believes: false,
            guard: None,
            inherited: false,
            mute: false,
            phase: Phase::Idle,
            saw: None,
            engine: false,
            dirty: None,
        }
    }

    /// Nothing of it runs on, and nothing of its memory is left.
    pub(super) fn stop(&mut self, power: Power) {
        *self = Self {
            power,
            boot: self.boot,
            cut_off: self.cut_off,
            mute: self.mute,
            keeper: false,
            ..Self::new()
        };
    }

    /// The lock was proved; what an earlier keeper left behind stays as old as it is.
    pub(super) fn prove(&mut self) {
        if !self.inherited {
            self.guard = Some(0);
        }
    }

    pub(super) fn sees(&self) -> Option<u64> {
        match &self.phase {
            Phase::Asking(inquiry, ..) => Some(inquiry.silence().0),
            _ => self.saw.map(|saw| saw.alive.into()),
        }
    }
}
