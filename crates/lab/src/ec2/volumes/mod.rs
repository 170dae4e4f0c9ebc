//! EBS volumes: records with states over time, and a folder of the lab behind each.
//!
//! A volume has one attachment at most, and only one that is `available` can be attached: whoever attached it knows that no other instance
//! has it. What would break that proof is refused here: Multi-Attach, and `Force` of DetachVolume, which AWS takes.
//!
//! # What an instance sees
//!
//! While a volume is attached, a host that is a set of processes, with or without a network namespace, has a link
//! `/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol…` (the volume's id without its dash, as the serial of the NVMe device of a real instance)
//! below its root. It points to the volume's folder, and whoever plays the host's mount there does it with three names in that folder:
//!
//! - `device`, a file of as many bytes as the volume has, all of them a hole, is read for a signature. A new volume is blank; to format it is to
//!   write a signature there, of whatever kind, and nothing else of the lab ever writes to it.
//! - `data`, a directory, is what a mount shows. It is empty until somebody writes to it.
//! - `mounted`, a file, exists from mount to unmount; it is the host's to write and to remove. While it exists, a detachment that was asked for is
//!   `busy` and goes on when it is gone, as on AWS. A host whose power is gone has nothing mounted: the end of an instance removes it.
//!
//! When the link is gone, a process that still has a file below it open can write to it, as a kernel can to a device that it lost: hence the order to
//! unmount first. A virtual machine has no such folder; on a lab of guests AttachVolume is refused.
//!
//! Not here: snapshots, root volumes in DescribeVolumes, the wait of six hours between two modifications, and any speed or limit of a type.

mod attachments;
mod disk;
mod records;
mod settings;
#[cfg(test)]
mod tests;

pub(super) use attachments::{attach, detach, let_go, power_is_off, release};
pub(super) use records::{FACTS, create, delete, modify};
