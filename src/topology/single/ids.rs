//! Logical ids that more than one file of the topology speaks of.

use crate::topology::Member;

/// The launch template of the one member's instances.
pub(super) const LAUNCH_TEMPLATE: &str = "LaunchTemplate";
/// The one member.
pub(super) const MEMBER: Member = Member { group: "Group" };
