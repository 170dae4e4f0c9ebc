//! Periods of the agent with which whoever reckons how long an outage takes reckons, too.

use std::time::Duration;

/// Period of the health check while it succeeds.
pub const HEALTH: Duration = Duration::from_secs(5);

/// Wait after a health check that failed.
pub const HEALTH_AGAIN: Duration = Duration::from_millis(500);

/// Failed health checks in a row after which the engine counts as hung.
pub const HEALTH_FAILURES: u32 = 3;

/// Target time of an orderly stop of the engine.
pub const STOP: Duration = Duration::from_secs(20);
