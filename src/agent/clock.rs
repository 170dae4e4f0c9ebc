//! The one clock that fencing trusts.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Time since the kernel booted, the time for which the host was suspended included. Never set, never goes back.
pub fn since_boot() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or_default())
}
