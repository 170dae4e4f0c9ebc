//! What each party of the model does when it moves.

use super::model::{Hears, Said};
use super::steps::Step;
use super::world::{
    FAST, HERE, Host, LEASE, MARGIN, ORIGINAL, Phase, Power, Record, SLOW, Saw, State, T, World, name, ticks,
};
use mqaws_agent::fence::{
    Answer, CloudState, DataState, Epoch, Inquiry, Inspection, Next, OwnerRecord, Proof, ProofKind, RecordView, SCHEMA,
    ThisHost, Writer,
};
use std::time::Duration;

impl World {
    pub(super) fn tick(&self, state: &mut State) {
        for lease in state.leases.iter_mut().flatten() {
            *lease = (*lease + 1).min(LEASE);
        }
        for h in 0..state.hosts.len() {
            let host = &mut state.hosts[h];
            let counts = match host.power {
                Power::On => true,
                Power::Suspended => self.has(Step::SuspendedTime),
                Power::Off | Power::Gone => continue,
            };
            if counts && let Some(age) = host.guard.as_mut() {
                *age = (*age + 1).min(T + SLOW);
            }
            if let Phase::Asking(_, _, clock) = &mut host.phase {
                *clock = (*clock + 1).min(LEASE + T + MARGIN + FAST + 1);
            }
            if host.power == Power::On {
                // Init starts a dead keeper again, at the latest when T is over.
                host.keeper |= self.guard_is_due(host.guard);
                if host.believes && !host.cut_off {
                    self.renew(state, h);
                }
                if self.guard_is_due(state.hosts[h].guard) {
                    self.reset(state, h);
                }
            }
        }
        for h in 0..state.hosts.len() {
            if state.hosts[h].power == Power::On && state.hosts[h].believes {
                self.ask(state, h, Said::Nothing);
            }
            self.watch_owner(state, h);
        }
    }

    /// A host that waits without the lock looks at the owner, at every tick; one that cannot has seen nothing.
    fn watch_owner(&self, state: &mut State, h: usize) {
        let Record { epoch, alive, .. } = state.record;
        let host = &mut state.hosts[h];
        let waits = self.standby && host.power == Power::On && !host.cut_off && host.keeper && !host.believes;
        if !waits || host.phase != Phase::Idle {
            host.saw = None;
            return;
        }
        let silent = match host.saw {
            Some(saw) if (saw.epoch, saw.alive) == (epoch, alive) => (saw.silent + 1).min(LEASE + T + MARGIN + 1),
            _ => 0,
        };
        host.saw = Some(Saw { epoch, alive, silent });
    }

    /// What the keeper finds under the lock, and what that decides at once.
    pub(super) fn inspect(&self, state: &mut State, h: usize, hears: Hears) {
        let record = &state.record;
        let view = OwnerRecord {
            schema: SCHEMA.into(),
            queue_manager: "QM1".into(),
            file_system: Some(if record.foreign { ORIGINAL } else { HERE }.into()),
            epoch: Epoch(record.epoch.into()),
            owner: Writer {
                instance: name(record.owner).into(),
                boot: record.boot.to_string().into(),
            },
            keeper: String::new(),
            alive: record.alive.into(),
            released: record.released,
            proof: Proof {
                kind: record.proof.clone(),
                previous: None,
            },
            at: String::new(),
            engine_version: None,
            condemned: 0,
            served: false,
        };
        let found = Inspection {
            record: RecordView::Present(Box::new(view)),
            data: DataState::Present,
            lease: ticks(LEASE),
        };
        let me = ThisHost {
            instance: name(h).parse().expect("an id"),
            boot: state.hosts[h].boot.to_string().parse().expect("an id"),
        };
        let here = match record.foreign && !self.has(Step::Copy) {
            true => ORIGINAL,
            false => HERE,
        };
        let mut inquiry = Inquiry::new(self.policy(), &me, here, &found, Duration::ZERO);
        let mut next = inquiry.first();
        if !self.has(Step::Proof) {
            next = Next::Start(Proof {
                kind: ProofKind::New,
                previous: None,
            });
        }
        let (epoch, alive) = (state.record.epoch, state.record.alive);
        let host = &mut state.hosts[h];
        // Without this step, what was seen before the lock was obtained counts as silence.
        let waited = match host.saw.take() {
            Some(saw) if !self.has(Step::WaitAnew) && (saw.epoch, saw.alive) == (epoch, alive) => saw.silent,
            _ => 0,
        };
        loop {
            next = match next {
                Next::CountLocal => {
                    let seen = host.engine && self.has(Step::OwnProcesses);
                    inquiry.step(Duration::ZERO, &Answer::LocalProcesses(seen.into()))
                }
                Next::KillLocal => {
                    host.engine = false;
                    inquiry.step(Duration::ZERO, &Answer::LocalProcesses(0))
                }
                Next::Start(proof) => {
                    host.phase = Phase::Proven(proof.kind, epoch);
                    return;
                }
                // The successor's clock is ahead from here on.
                _ => {
                    host.phase = Phase::Asking(Box::new(inquiry), epoch, FAST + waited);
                    if hears {
                        self.ask(state, h, Said::Running);
                    }
                    return;
                }
            };
        }
    }

    pub(super) fn ask(&self, state: &mut State, h: usize, said: Said) {
        let previous = state.record.owner;
        let Phase::Asking(mut inquiry, basis, clock) = state.hosts[h].phase.clone() else {
            return;
        };
        state.hosts[h].phase = Phase::Idle;
        let now = ticks(clock);
        let answer = match said {
            Said::Running => Answer::Previous(CloudState::MayRun("running".into())),
            Said::Terminated => Answer::Previous(CloudState::Terminated),
            Said::Nothing | Said::Unknown if !self.has(Step::OnlyStopped) => Answer::Previous(CloudState::Terminated),
            Said::Unknown => Answer::Previous(CloudState::Unknown),
            Said::Nothing => Answer::Failed,
        };
        let mut next = inquiry.step(now, &answer);
        if matches!(next, Next::Terminate { .. }) {
            match state.ordered.get_mut(previous) {
                Some(ordered) => *ordered = true,
                None => state.meddled = true,
            }
            next = inquiry.step(now, &Answer::TerminationOrdered);
        }
        if next == Next::Look {
            let record = &state.record;
            let answer = if state.hosts[h].cut_off {
                Answer::Failed
            } else if record.epoch != basis || record.released {
                // The record is inspected anew.
                return;
            } else if self.has(Step::SignOfLife) {
                Answer::SignOfLife(record.alive.into())
            } else {
                Answer::SignOfLife(inquiry.silence().0)
            };
            next = inquiry.step(now, &answer);
        }
        state.hosts[h].phase = match next {
            Next::Start(proof) => Phase::Proven(proof.kind, basis),
            _ => Phase::Asking(inquiry, basis, clock),
        };
    }

    pub(super) fn claim_arrives(&self, state: &mut State, h: usize) {
        let Phase::Claiming(proof, basis) = state.hosts[h].phase.clone() else {
            return;
        };
        let epoch = basis + 1;
        state.presumed |= state.record.foreign && proof != ProofKind::Copy;
        let free = state.record.epoch == basis;
        if !free && self.has(Step::ClaimOnce) {
            state.hosts[h].phase = Phase::Idle;
            return;
        }
        let (boot, mine) = {
            let host = &state.hosts[h];
            (host.boot, state.record.owner == h && state.record.boot == host.boot)
        };
        if self.has(Step::Claim) {
            state.record = Record {
                epoch,
                owner: h,
                boot,
                released: false,
                alive: 0,
                proof,
                foreign: false,
            };
        }
        let host = &mut state.hosts[h];
        if host.engine {
            // Two engines on one host.
            state.broken = true;
        }
        let starts = !state.paused || !self.has(Step::Pause);
        let unwritten = host.dirty.is_some();
        if unwritten && mine || starts && !unwritten {
            // One kernel does not disagree with itself about the content of a file.
            host.dirty = Some(epoch);
        }
        host.engine = starts;
        state.defied |= starts && state.paused;
        host.inherited = false;
        host.prove();
        host.phase = Phase::Owner(epoch);
        state.latest = (epoch, h);
    }

    pub(super) fn renew(&self, state: &mut State, h: usize) {
        if state.leases[h].is_none() && self.has(Step::Lock) {
            return self.reset(state, h);
        }
        if matches!(state.hosts[h].phase, Phase::Owner(epoch) if epoch < state.record.epoch) {
            return self.reset(state, h);
        }
        if state.leases[h].is_some() {
            state.leases[h] = Some(0);
        }
        let host = &mut state.hosts[h];
        host.prove();
        if host.phase == Phase::Owner(state.record.epoch) && state.record.owner == h && !host.mute {
            // Another value than any that a successor has seen: all that a counter is asked for.
            let seen: Vec<u64> = state.hosts.iter().filter_map(Host::sees).collect();
            let alive = (0..).find(|n| !seen.contains(&u64::from(*n)));
            state.record.alive = alive.expect("a small number");
        }
    }

    /// Whether a write arrives that must not.
    pub(super) fn breaks(&self, state: &State) -> bool {
        state.hosts.iter().enumerate().any(|(h, host)| {
            let refused = self.refuses && state.leases[h].is_none();
            let arrives = host.power == Power::On && !host.cut_off && !refused;
            arrives && host.dirty.is_some_and(|epoch| (epoch, h) != state.latest)
        })
    }
}
