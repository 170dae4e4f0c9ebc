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
/// 1 while the engine has a majority of the cluster's members; put only where members keep copies.
pub const QUORUM: &str = "Quorum";
/// Members of the cluster that this one sees run, itself included; put only where members keep copies.
pub const MEMBERS_ONLINE: &str = "MembersOnline";
/// Alarms of the engine: memory, disk; put only where members keep copies.
pub const ENGINE_ALARMS: &str = "EngineAlarms";
/// 1 while the engine sees a partition of the cluster; put only where members keep copies.
pub const PARTITION: &str = "Partition";
/// 99th percentile of a write and fsync on the shared file system.
pub const FSYNC_MILLIS: &str = "FsyncMillis";
/// Client connections.
pub const CONNECTIONS: &str = "Connections";
/// Days until the certificate is over.
pub const CERTIFICATE_DAYS: &str = "CertificateDays";
/// Messages on the queues.
pub const QUEUE_DEPTH: &str = "QueueDepth";
