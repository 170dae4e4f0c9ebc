//! What can happen in a world, and what must hold.

use super::steps::Step;
use super::world::{Host, LEASE, ORIGINAL, Phase, Power, Record, State, Suspends, World, name};
use mqaws_agent::fence::{LeaseRule, ProofKind, Word};
use stateright::{Model, Property};

/// No more claims than this: longer histories repeat shorter ones.
const EPOCHS: u8 = 5;

/// The property that matters.
pub(super) const SAFE: &str = "no write of an earlier owner arrives after a later one started";

/// The property that matters to everybody else.
pub(super) const LEFT_ALONE: &str = "on a copy nobody orders the owner of the original to be terminated";

/// The property that matters to an operator.
pub(super) const STAYS_STOPPED: &str = "nobody starts what an operator stopped";

/// What EC2's API says, whatever is true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Said {
    Nothing,
    Running,
    Unknown,
    Terminated,
}

/// Whether EC2's API takes an order to terminate, in one inquiry.
pub(super) type Hears = bool;

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is a word of the protocol")]
pub(super) enum Action {
    Tick,
    CutOff(usize),
    Reconnect(usize),
    Suspend(usize),
    Wake(usize),
    KillKeeper(usize),
    /// Init starts a dead keeper again.
    StartKeeper(usize),
    Mute(usize),
    /// The lock is obtained, and what is found under it leads to questions; whether EC2 hears an order to terminate.
    Obtain(usize, Hears),
    ObtainTwice(usize, Hears),
    Inspect(usize, Hears),
    Ask(usize, Said),
    /// A person says that the file system is a copy.
    Decide(usize),
    /// A claim is sent and arrives.
    Claim(usize),
    /// A claim is sent.
    SendClaim(usize),
    ClaimArrives(usize),
    /// An operator stops the engine: the stop is kept, and the engine ended by hand.
    Pause(usize),
    /// An operator resumes it.
    Resume(usize),
    /// The engine is stopped in order and the data let go.
    Release(usize),
    /// The same, and the host waits for the lock afterwards.
    HandOver(usize),
    Ec2Terminates(usize),
    Boot(usize),
}

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let fresh = State {
            hosts: vec![Host::new(); self.hosts],
            leases: vec![None; self.hosts],
            record: Record {
                epoch: 1,
                owner: 0,
                boot: 0,
                released: true,
                alive: 0,
                proof: ProofKind::New,
                foreign: false,
            },
            ordered: vec![false; self.hosts],
            faults: self.faults,
            twice: false,
            latest: (1, 0),
            broken: false,
            meddled: false,
            presumed: false,
            paused: false,
            defied: false,
        };
        if self.copied {
            let of_the_original = |released| {
                let mut copy = fresh.clone();
                copy.record.owner = self.hosts;
                copy.record.released = released;
                copy.record.foreign = true;
                copy.latest = (1, self.hosts);
                copy
            };
            return vec![of_the_original(false), of_the_original(true)];
        }
        let mut serving = fresh.clone();
        serving.record.released = false;
        serving.leases[0] = Some(0);
        let owner = &mut serving.hosts[0];
        owner.believes = true;
        owner.guard = Some(0);
        owner.phase = Phase::Owner(1);
        owner.engine = true;
        owner.dirty = Some(1);
        vec![fresh, serving]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.broken || state.meddled || state.presumed || state.defied {
            return;
        }
        actions.push(Action::Tick);
        for (h, host) in state.hosts.iter().enumerate() {
            let on = host.power == Power::On;
            let online = on && !host.cut_off;
            let keeps = online && host.keeper;
            if state.faults > 0 && on && host.phase != Phase::Done {
                if !host.cut_off {
                    actions.push(Action::CutOff(h));
                }
                if host.cut_off || self.suspends == Suspends::Anytime {
                    actions.push(Action::Suspend(h));
                }
                if host.keeper && host.guard.is_some() {
                    actions.push(Action::KillKeeper(h));
                }
                if !host.mute && !state.twice && matches!(host.phase, Phase::Owner(_)) {
                    actions.push(Action::Mute(h));
                }
            }
            if on && host.cut_off {
                actions.push(Action::Reconnect(h));
            }
            if on && !host.keeper {
                actions.push(Action::StartKeeper(h));
            }
            if host.power == Power::Suspended {
                actions.push(Action::Wake(h));
            }
            let both = [true, false];
            if keeps && !host.believes && host.phase == Phase::Idle {
                let others = || state.leases.iter().enumerate().filter(|(other, _)| *other != h);
                let free = others().all(|(_, lease)| lease.is_none_or(|age| age >= LEASE));
                if free || !self.has(Step::Lock) {
                    actions.extend(both.map(|hears| Action::Obtain(h, hears)));
                } else if self.grants_twice && state.faults > 0 && !state.hosts.iter().any(|other| other.mute) {
                    actions.extend(both.map(|hears| Action::ObtainTwice(h, hears)));
                }
            }
            let holds = keeps && host.believes && (state.leases[h].is_some() || !self.has(Step::Lock));
            match &host.phase {
                Phase::Idle if keeps && host.believes => {
                    actions.extend(both.map(|hears| Action::Inspect(h, hears)));
                }
                Phase::Asking(inquiry, ..) if on && host.believes && inquiry.original().is_some() => {
                    actions.push(Action::Decide(h));
                }
                Phase::Asking(inquiry, ..) if on && host.believes => {
                    actions.extend([Said::Nothing, Said::Unknown].map(|said| Action::Ask(h, said)));
                    let previous = inquiry.previous().map(ToString::to_string);
                    let of = (0..self.hosts).find(|of| previous == Some(name(*of)));
                    if of.is_some_and(|of| state.hosts[of].power == Power::Gone) || self.lies {
                        actions.push(Action::Ask(h, Said::Terminated));
                    }
                }
                Phase::Proven(..) if holds && state.record.epoch < EPOCHS => {
                    actions.push(Action::Claim(h));
                    if state.faults > 0 {
                        actions.push(Action::SendClaim(h));
                    }
                }
                Phase::Claiming(..) if online => actions.push(Action::ClaimArrives(h)),
                Phase::Owner(_) if holds && state.paused => {
                    actions.push(Action::Release(h));
                    actions.extend((state.record.epoch < EPOCHS).then_some(Action::Resume(h)));
                }
                Phase::Owner(_) if holds && host.engine => {
                    actions.push(Action::Release(h));
                    actions.extend(self.pauses.then_some(Action::Pause(h)));
                    actions.extend(self.moves.then_some(Action::HandOver(h)));
                }
                _ => {}
            }
            if state.ordered[h] && host.power != Power::Gone {
                actions.push(Action::Ec2Terminates(h));
            }
            if host.power == Power::Off && host.boot == 0 {
                actions.push(Action::Boot(h));
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        let fault = |state: &mut State| state.faults -= 1;
        match action {
            Action::Tick => self.tick(&mut state),
            Action::CutOff(h) => {
                fault(&mut state);
                state.hosts[h].cut_off = true;
            }
            Action::Reconnect(h) => state.hosts[h].cut_off = false,
            Action::Suspend(h) => {
                fault(&mut state);
                state.hosts[h].power = Power::Suspended;
            }
            Action::Wake(h) => {
                state.hosts[h].power = Power::On;
                // Requests on their way arrive before anybody on this host has read a clock.
                if self.suspends == Suspends::Anytime && !state.hosts[h].cut_off {
                    self.claim_arrives(&mut state, h);
                    state.broken |= self.breaks(&state);
                }
                if self.guard_is_due(state.hosts[h].guard) {
                    self.reset(&mut state, h);
                }
            }
            Action::KillKeeper(h) => {
                fault(&mut state);
                if !state.hosts[h].cut_off {
                    state.leases[h] = None;
                }
                let host = &mut state.hosts[h];
                host.keeper = false;
                host.believes = false;
                host.phase = Phase::Idle;
                host.inherited = true;
                if !self.has(Step::GuardOutlives) {
                    host.guard = None;
                    host.inherited = false;
                }
            }
            Action::StartKeeper(h) => state.hosts[h].keeper = true,
            Action::Mute(h) => {
                fault(&mut state);
                state.hosts[h].mute = true;
            }
            Action::Obtain(h, hears) | Action::ObtainTwice(h, hears) => {
                if matches!(action, Action::ObtainTwice(..)) {
                    fault(&mut state);
                    state.twice = true;
                } else if self.has(Step::Lock) {
                    state.leases = vec![None; self.hosts];
                }
                state.leases[h] = Some(0);
                let host = &mut state.hosts[h];
                host.believes = true;
                host.prove();
                if self.refuses {
                    // What was on its way under the lost lock was refused.
                    host.dirty = None;
                }
                if self.standby && !self.has(Step::NoEngine) {
                    // The engine that waited has the locks of its files now, and writes.
                    host.engine = true;
                    host.dirty = Some(state.record.epoch);
                }
                self.inspect(&mut state, h, hears);
            }
            Action::Inspect(h, hears) => self.inspect(&mut state, h, hears),
            Action::Ask(h, said) => self.ask(&mut state, h, said),
            Action::Decide(h) => {
                let Phase::Asking(inquiry, basis, _) = &state.hosts[h].phase else {
                    return None;
                };
                let proof = inquiry.decide(&Word::Copy(ORIGINAL.into())).ok()?;
                state.hosts[h].phase = Phase::Proven(proof.kind, *basis);
            }
            Action::Claim(h) | Action::SendClaim(h) => {
                let Phase::Proven(proof, basis) = state.hosts[h].phase.clone() else {
                    return None;
                };
                state.hosts[h].phase = Phase::Claiming(proof, basis);
                if action == Action::Claim(h) {
                    self.claim_arrives(&mut state, h);
                }
            }
            Action::ClaimArrives(h) => self.claim_arrives(&mut state, h),
            Action::Pause(h) => {
                state.paused = true;
                state.hosts[h].engine = false;
            }
            Action::Resume(h) => {
                let Phase::Owner(epoch) = state.hosts[h].phase else {
                    return None;
                };
                state.paused = false;
                // Claimed again, as after each end of the engine on this host.
                let proof = ProofKind::SameHost;
                state.hosts[h].phase = Phase::Claiming(proof, epoch);
                self.claim_arrives(&mut state, h);
            }
            Action::Release(h) | Action::HandOver(h) => {
                let Phase::Owner(epoch) = state.hosts[h].phase else {
                    return None;
                };
                if state.record.epoch == epoch && state.record.owner == h {
                    state.record.released = true;
                }
                state.leases[h] = None;
                let host = &mut state.hosts[h];
                if self.has(Step::EngineGone) {
                    host.engine = false;
                    if self.has(Step::WriteBack) {
                        host.dirty = None;
                    }
                }
                host.believes = false;
                host.guard = None;
                host.phase = match action {
                    Action::HandOver(_) => Phase::Idle,
                    _ => Phase::Done,
                };
            }
            Action::Ec2Terminates(h) => {
                state.hosts[h].stop(Power::Gone);
            }
            Action::Boot(h) => {
                let host = &mut state.hosts[h];
                host.boot += 1;
                host.power = Power::On;
                host.keeper = true;
            }
        }
        state.broken |= self.breaks(&state);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        fn started(state: &State, kind: &ProofKind) -> bool {
            state.record.proof == *kind
        }
        let mut properties = vec![
            Property::always(SAFE, |_, s: &State| !s.broken),
            Property::sometimes("a successor starts after a release", |_, s| {
                started(s, &ProofKind::Clean)
            }),
            Property::sometimes("a successor starts when EC2 confirms", |_, s| {
                started(s, &ProofKind::Terminated)
            }),
            Property::sometimes("a host starts again on its own data", |_, s| {
                started(s, &ProofKind::SameHost)
            }),
        ];
        if self.copied {
            properties.push(Property::always(LEFT_ALONE, |_, s: &State| !s.meddled));
            properties.push(Property::always(
                "only a person's word starts on a copy",
                |_, s: &State| !s.presumed,
            ));
            properties.push(Property::sometimes("a host starts on a copy", |_, s| {
                started(s, &ProofKind::Copy)
            }));
        }
        if self.pauses {
            properties.push(Property::always(STAYS_STOPPED, |_, s: &State| !s.defied));
            properties.push(Property::sometimes(
                "a successor finds an operator's stop",
                |_, s: &State| s.paused && s.latest.1 != 0,
            ));
        }
        if self.moves {
            properties.push(Property::sometimes(
                "the engine is moved and moved back",
                |_, s: &State| s.record.epoch > 2 && s.latest.1 == 0 && s.record.proof == ProofKind::Clean,
            ));
        }
        if self.lease == LeaseRule::Allow {
            properties.push(Property::sometimes(
                "a successor starts though EC2 never confirms",
                |_, s| started(s, &ProofKind::Lease),
            ));
        }
        properties
    }
}
