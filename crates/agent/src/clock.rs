//! The one clock that fencing trusts.

use rustix::time::{ClockId, clock_gettime};
use std::fs;
use std::sync::OnceLock;
use std::time::Duration;

/// Ticks of `/proc/self/stat` in a second: `USER_HZ`, 100 on every architecture of EC2 (`man 5 proc`, `man 7 time`).
const TICKS: u64 = 100;

/// Time since the kernel booted, the time for which the host was suspended included. Never set, never goes back.
pub(crate) fn since_boot() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or_default())
}

static MAIN: OnceLock<Duration> = OnceLock::new();

/// Notes that this process's own code begins now.
pub(crate) fn main_begins() {
    MAIN.get_or_init(since_boot);
}

/// Time since [`main_begins`]; `None` where nobody noted it.
pub(crate) fn since_main() -> Option<Duration> {
    MAIN.get().map(|at| since_boot().saturating_sub(*at))
}

/// Time since this process was forked, to a hundredth of a second; `None` where the kernel does not tell. What comes before
/// [`main_begins`] is the service manager's and the kernel's.
pub(crate) fn since_start() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // Field 22; the second, a name in parentheses, may hold anything.
    let ticks: u64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    Some(since_boot().saturating_sub(Duration::from_millis(ticks * 1000 / TICKS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_younger_than_the_kernel() {
        let age = since_start().expect("a kernel that tells");
        assert!(age < since_boot());
    }
}
