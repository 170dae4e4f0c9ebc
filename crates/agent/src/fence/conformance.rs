//! What every lock must do, as a function that runs against any implementation.

use super::lock::{Lock, LockError};
use std::time::{Duration, Instant};

/// A place where locks of several hosts on one path can be tried.
pub trait Bench {
    /// A new keeper's lock on the one path, from the host of this instance id; not obtained yet.
    fn keeper(&self, instance: &str) -> Box<dyn Lock>;

    /// From now on this host renews nothing, as if its machine were frozen. Nothing to do where renewal is a call.
    fn freeze(&self, _instance: &str) {}

    /// Ends [`Bench::freeze`].
    fn thaw(&self, _instance: &str) {}
}

/// Runs all rules of a lock in order; takes some leases of time.
///
/// # Errors
/// The first rule that does not hold, in words.
pub fn conformance(bench: &dyn Bench) -> Result<(), String> {
    conformance_of_living_hosts(bench)?;
    conformance_of_a_frozen_host(bench)
}

/// Runs the rules that need no lease to end: all that can be tried where nothing ends leases.
///
/// # Errors
/// The first rule that does not hold, in words.
pub fn conformance_of_living_hosts(bench: &dyn Bench) -> Result<(), String> {
    let mut first = bench.keeper("i-0000000000000000a");
    let mut second = bench.keeper("i-0000000000000000b");
    rule(
        "a lock that was never obtained cannot be renewed",
        matches!(first.renew(), Err(LockError::Lost(_))),
    )?;
    rule("releasing what is not held is a success", first.release().is_ok())?;
    rule("a free lock is obtained", first.acquire().is_ok())?;
    rule("obtaining it again is a success", first.acquire().is_ok())?;
    rule("another host finds it busy", busy(&mut second))?;
    rule(
        "another keeper of the same host finds it busy",
        busy(&mut bench.keeper("i-0000000000000000a")),
    )?;

    let lease = first.lease();
    let begin = Instant::now();
    while begin.elapsed() < lease * 3 / 2 {
        rule("a renewed lock stays", first.renew().is_ok())?;
        rule("a renewed lock stays busy for others", busy(&mut second))?;
        std::thread::sleep(lease / 5);
    }

    rule("a held lock can be released", first.release().is_ok())?;
    rule("a released lock is free at once", second.acquire().is_ok())?;
    rule(
        "who released it cannot renew it",
        matches!(first.renew(), Err(LockError::Lost(_))),
    )?;

    drop(second);
    rule(
        "a keeper that ends on a living host frees the lock within half a lease",
        obtained(&mut *first, lease / 2),
    )?;
    rule("and it can be released", first.release().is_ok())
}

fn conformance_of_a_frozen_host(bench: &dyn Bench) -> Result<(), String> {
    let mut first = bench.keeper("i-0000000000000000a");
    let lease = first.lease();
    rule("the lock is free before a host freezes", first.acquire().is_ok())?;
    bench.freeze("i-0000000000000000a");
    let mut second = bench.keeper("i-0000000000000000b");
    rule("a frozen host keeps the lock at first", busy(&mut second))?;
    rule(
        "a frozen host's lock is free after its lease",
        obtained(&mut *second, lease * 2),
    )?;
    bench.thaw("i-0000000000000000a");
    rule(
        "a host that wakes up learns that its lock is lost",
        matches!(first.renew(), Err(LockError::Lost(_))),
    )?;
    rule("and finds it busy", busy(&mut first))?;
    rule("the new holder still has it", second.renew().is_ok())?;
    rule("the new holder can release it", second.release().is_ok())
}

fn rule(name: &str, holds: bool) -> Result<(), String> {
    if holds { Ok(()) } else { Err(name.to_owned()) }
}

fn busy(lock: &mut Box<dyn Lock>) -> bool {
    matches!(lock.acquire(), Err(LockError::Busy { .. }))
}

fn obtained(lock: &mut dyn Lock, within: Duration) -> bool {
    let begin = Instant::now();
    loop {
        if lock.acquire().is_ok() {
            return true;
        }
        if begin.elapsed() > within {
            return false;
        }
        std::thread::sleep(within / 50);
    }
}
