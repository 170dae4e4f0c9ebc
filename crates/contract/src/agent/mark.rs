//! Names of marks, in the order of a start.

/// The agent's process started.
pub const AGENT_STARTED: &str = "agent-started";
/// The shared file system is mounted.
pub const MOUNTED: &str = "mounted";
/// It is ready to take over from the host that has the lock.
pub const STANDBY_READY: &str = "standby-ready";
/// The lock was obtained.
pub const LOCK_OBTAINED: &str = "lock-obtained";
/// A proof was obtained; the detail names it.
pub const PROOF: &str = "proof";
/// The queue manager was created or adopted.
pub const ADOPTED: &str = "adopted";
/// The start command was issued.
pub const ENGINE_STARTING: &str = "engine-starting";
/// The queue manager runs and its listener accepts.
pub const ENGINE_STARTED: &str = "engine-started";
/// The engine is a member of the cluster; the detail says of how many.
pub const JOINED: &str = "joined";
/// Definitions checked, signal sent: service is given.
pub const SERVING: &str = "serving";
/// The kernel told of the engine's death.
pub const DEATH_NOTICED: &str = "death-noticed";
/// The engine does not answer its health check.
pub const HANG_NOTICED: &str = "hang-noticed";
/// A restart in place begins; the detail says which.
pub const RESTARTING: &str = "restarting";
/// The instance was reported unhealthy.
pub const CONDEMNED: &str = "condemned";
/// A drain begins.
pub const DRAINING: &str = "draining";
/// The queue manager is stopped and the lock released.
pub const STOPPED: &str = "stopped";
/// The start is refused until an operator decides; the detail says why.
pub const ALARM: &str = "alarm";
/// A fault was injected on this instance.
pub const FAULT: &str = "fault";
