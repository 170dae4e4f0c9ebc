//! Logical ids that more than one file of the topology speaks of.

use crate::topology::Member;

/// The EFS file system.
pub(super) const FILE_SYSTEM: &str = "FileSystem";
/// Its mount targets, in the order of the zones.
pub(super) const MOUNT_TARGETS: [&str; 2] = ["MountTarget1", "MountTarget2"];
/// The network load balancer.
pub(super) const LOAD_BALANCER: &str = "LoadBalancer";
/// The launch template of the one member's instances.
pub(super) const LAUNCH_TEMPLATE: &str = "LaunchTemplate";
/// The one member.
pub(super) const MEMBER: Member = Member { group: "Group" };
