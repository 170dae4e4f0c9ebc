//! The fencing protocol, model-checked: no write of an earlier owner arrives after a later one started, whatever happens, and
//! somebody starts in the end. The numbered steps are those of docs/fencing.md; leaving any one out gives a counterexample.
//!
//! `MQAWS_MODEL_FAULTS=1` adds a fault to each run, and minutes.

mod model;
mod moves;
mod steps;
mod world;

use model::{LEFT_ALONE, SAFE, STAYS_STOPPED};
use mqaws_agent::fence::{LeaseRule, LeaseTimes, MARGIN, SELF_RESET};
use stateright::{Checker, HasDiscoveries, Model};
use std::time::{Duration, Instant};
use steps::Step;
use world::World;

/// Tries everything that can happen in a world: nothing unsafe may, and each kind of start must.
fn holds(what: &str, mut world: World) {
    let more = std::env::var("MQAWS_MODEL_FAULTS").map_or(0, |more| more.parse().expect("a number of faults"));
    world.faults += more;
    let begin = Instant::now();
    let checker = world.checker().threads(2).spawn_bfs().join();
    println!(
        "{what}: {} states, {} steps deep, {:.1} s",
        checker.unique_state_count(),
        checker.max_depth(),
        begin.elapsed().as_secs_f64()
    );
    checker.assert_properties();
}

/// A course of events after which the write of an earlier owner arrives, the owner of an original is to be terminated, or an engine
/// starts that an operator stopped.
fn counterexample(world: World) -> Option<String> {
    let checker = world
        .checker()
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let path = [SAFE, LEFT_ALONE, STAYS_STOPPED]
        .into_iter()
        .find_map(|p| checker.discovery(p))?;
    Some(format!("{:?}", path.into_actions()))
}

#[test]
fn two_hosts_whose_clocks_run() {
    let world = World {
        faults: 3,
        ..World::clocks_run()
    };
    holds("clocks run, three faults", world);
}

#[test]
fn two_hosts_that_freeze_and_need_ec2s_word() {
    holds("frozen at any moment, EC2's word needed", World::frozen_hosts());
}

#[test]
fn two_hosts_that_freeze_and_a_server_that_refuses_lost_locks() {
    holds("frozen at any moment, lost locks refused", World::lost_locks_refused());
}

#[test]
fn three_hosts() {
    let world = World {
        hosts: 3,
        ..World::clocks_run()
    };
    holds("three hosts", world);
}

#[test]
fn a_host_waits_beside_the_owner_and_has_read_its_sign_of_life() {
    holds("two hosts, one of which waits", World::standby());
}

#[test]
fn what_an_operator_stops_stays_stopped() {
    holds("two hosts, stopped and resumed", World::paused());
}

#[test]
fn an_engine_is_moved_from_one_host_to_the_other_and_back() {
    holds("two hosts, moved in order", World::moved());
}

#[test]
fn a_copy_is_a_world_of_its_own() {
    holds("two hosts on a copy", World::copied());
}

/// One test for each step: without it, two hosts write.
macro_rules! needed {
    ($($test:ident: $step:ident),* $(,)?) => {
        $(
            #[test]
            fn $test() {
                let found = counterexample(World::without(Step::$step)).expect("this step is not needed");
                println!("without step {} ({}): {found}", Step::$step.number(), Step::$step.name());
            }
        )*

        /// The steps that have a test of their own.
        const TESTED: &[Step] = &[$(Step::$step),*];
    };
}

needed! {
    step_1_the_lock: Lock,
    step_2_a_claim_before_the_start: Claim,
    step_3_an_epoch_is_claimed_once: ClaimOnce,
    step_4_a_proof_beyond_the_lock: Proof,
    step_5_only_stopped_counts: OnlyStopped,
    step_6_own_processes_first: OwnProcesses,
    step_7_write_back_before_letting_go: WriteBack,
    step_8_self_reset: SelfReset,
    step_9_suspended_time_counts: SuspendedTime,
    step_10_the_guard_outlives_its_keeper: GuardOutlives,
    step_11_the_wait_is_longer_than_lease_and_t: LeaseWait,
    step_12_a_sign_of_life_begins_it_anew: SignOfLife,
    step_13_a_copy_is_another_world: Copy,
    step_14_the_wait_begins_with_the_lock: WaitAnew,
    step_15_whoever_waits_runs_no_engine: NoEngine,
    step_16_an_operators_stop_is_kept_with_the_data: Pause,
    step_17_nothing_of_the_engine_is_left: EngineGone,
}

#[test]
fn what_the_page_says_lies_outside_does() {
    let frozen_without_refusal = World {
        lease: LeaseRule::Allow,
        grants_twice: false,
        ..World::frozen_hosts()
    };
    let false_terminated = World {
        lies: true,
        ..World::frozen_hosts()
    };
    for world in [frozen_without_refusal, false_terminated] {
        println!("outside: {}", counterexample(world).expect("a counterexample"));
    }
}

#[test]
fn the_page_has_the_models_steps_and_the_programs_periods() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/fencing.md")).expect("the page");
    let steps = page.split("\n## ").find(|s| s.starts_with("Steps")).expect("its steps");
    let numbered: Vec<(usize, String)> = steps
        .lines()
        .filter_map(|line| {
            let (number, rest) = line.split_once(". (`")?;
            Some((number.parse().ok()?, rest.split('`').next()?.to_owned()))
        })
        .collect();
    let switches: Vec<(usize, String)> = Step::ALL.map(|s| (s.number(), s.name().to_owned())).into();
    assert_eq!(numbered, switches);
    assert_eq!(TESTED, Step::ALL);

    let seconds = |d: Duration| format!("| {} s |", d.as_secs());
    let row = |name: &str| {
        page.lines()
            .find(|l| l.starts_with(&format!("| {name}")))
            .expect("a row")
    };
    assert!(row("T, self-reset bound").contains(&seconds(SELF_RESET)));
    assert!(row("margin").contains(&seconds(MARGIN)));
    let (efs, lab) = (Duration::from_secs(90), Duration::from_secs(3));
    let wait = |lease| LeaseTimes::default().wait(lease).as_secs();
    assert!(row("wait of `lease` on EFS").contains(&format!("| {} s |", wait(efs))));
    let lost = row("zone lost");
    assert!(
        lost.contains(&format!("90 + {} = {}", wait(efs), 90 + wait(efs))),
        "{lost}"
    );
    assert!(
        lost.contains(&format!("3 + {} = {}", wait(lab), 3 + wait(lab))),
        "{lost}"
    );
}
