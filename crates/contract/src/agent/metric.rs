//! Names of the agent's metrics: what it puts, and what alarms look at.

/// 1 while the queue manager serves.
pub const QUEUE_MANAGER_UP: &str = "QmgrUp";
/// 1 while the lock is held.
pub const LOCK_HELD: &str = "LockHeld";
/// Starts after a failure.
pub const FAILOVERS: &str = "Failovers";
/// 1 while the start is refused until an operator decides.
pub const FENCE_ALARM: &str = "FenceAlarm";
/// 1 while the engine's processes run.
pub const ENGINE_RUNNING: &str = "EngineRunning";
/// 1 while an instance is ready to take over, by its own word and by that of the active one; put only where one should be.
pub const STANDBY_READY: &str = "StandbyReady";
/// 99th percentile of a write and fsync on the shared file system.
pub const FSYNC_MILLIS: &str = "FsyncMillis";
/// Client connections.
pub const CONNECTIONS: &str = "Connections";
/// Days until the certificate is over.
pub const CERTIFICATE_DAYS: &str = "CertificateDays";
/// Messages on the queues.
pub const QUEUE_DEPTH: &str = "QueueDepth";
