//! Logical ids that more than one file of the topology speaks of.

use crate::topology::Member;

/// The members, in the order of their zones.
pub(super) const MEMBERS: [Member; 2] = [Member { group: "GroupA" }, Member { group: "GroupB" }];
/// The launch template of each member's instances.
pub(super) const LAUNCH_TEMPLATES: [&str; 2] = ["LaunchTemplateA", "LaunchTemplateB"];
/// The subnet of each member's zone.
pub(super) const SUBNETS: [&str; 2] = ["Subnet1", "Subnet2"];
/// The alarm of each member's group that has two instances.
pub(super) const OVERLAPS: [&str; 2] = ["OverlapAlarmA", "OverlapAlarmB"];
