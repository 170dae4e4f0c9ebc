//! Keys of `instance` and `storage`.

use super::key::{Flag, Key, Parameter};
use super::kind::{Kind, Rule};
use crate::model::{AmiId, FileSystemId, InstanceType, KeyPairName, KmsKey, Mount, PerformanceMode, Throughput};

pub(super) const KEYS: &[Key] = &[
    Key::new(
        "instance.type",
        Kind::Text(Rule::of::<InstanceType>()),
        "EC2 instance type; default `{default}`.",
    )
    .default("m6i.large")
    .comment("EC2 instance type")
    .page("EC2 instance type.")
    .flag(Flag::new(
        "instance-type",
        "TYPE",
        "EC2 instance type [default: {default}]",
    ))
    .parameter(Parameter::new("InstanceType", "EC2 instance type")),
    Key::new(
        "instance.ami",
        Kind::Text(Rule::of::<AmiId>()),
        "Image with IBM MQ and the agent; default: the image that `mqaws ami build` built.",
    )
    .otherwise("the image that `mqaws ami build` built")
    .comment("Image with IBM MQ and mqaws-agent; default: the image that `mqaws ami build` built")
    .example("ami-0123456789abcdef0")
    .page("Image with IBM MQ and `mqaws-agent`. The local cloud provides its own.")
    .flag(Flag::new("ami", "ID", "Image with IBM MQ and the agent [default: the image that `mqaws ami build` built]").first())
    .parameter(Parameter::new("AMI", "Image with the queue manager's software and the agent").of("AWS::EC2::Image::Id")),
    Key::new(
        "instance.key_name",
        Kind::Text(Rule::of::<KeyPairName>()),
        "EC2 key pair for SSH; default: none, use Session Manager.",
    )
    .comment("Key pair for SSH; default: none, use Session Manager")
    .example("my-key")
    .quoted()
    .page("EC2 key pair for SSH. Without it, use Session Manager.")
    .flag(Flag::new("key-name", "NAME", "EC2 key pair for SSH [default: none]"))
    .parameter(Parameter::new("KeyName", "EC2 key pair for SSH; empty for none")),
    Key::new(
        "instance.root_volume_gib",
        Kind::Integer { min: 10, max: 1024 },
        "Size of the encrypted root volume in GiB, {bounds}.",
    )
    .default("20")
    .comment("Size of the encrypted root volume, {bounds}")
    .page("{bounds}. Size of the encrypted root volume in GiB; it does not store messages.")
    .parameter(Parameter::new("RootVolumeSize", "Size of the root volume in GiB")),
    Key::new(
        "storage.file_system",
        Kind::Text(Rule::of::<FileSystemId>()),
        "Kept file system that a new stack adopts, with its messages; default: the stack creates a new one.",
    )
    .otherwise("none: a new stack creates one")
    .comment("Kept file system that a new stack adopts; default: the stack creates a new one")
    .example("fs-0123456789abcdef0")
    .page(
        "A kept file system (`mqaws storage list`) that a new stack adopts, with the messages on it. An existing \
         stack must already use this file system. See [kept data](troubleshooting.md#kept-data-comes-back).",
    )
    .flag(Flag::new(
        "adopt-file-system",
        "ID",
        "Kept file system that a new stack adopts [default: it creates one]",
    )),
    Key::new(
        "storage.throughput",
        Kind::Word(|| Throughput::ALL.map(Throughput::as_str).to_vec()),
        "Throughput mode.",
    )
    .default("elastic")
    .comment("{words}")
    .page("{words}. A small file system in bursting mode runs out of credits.")
    .parameter(Parameter::new("ThroughputMode", "EFS throughput mode")),
    Key::new(
        "storage.provisioned_mibps",
        Kind::Integer { min: 1, max: 3414 },
        "Throughput in MiB/s for `throughput: provisioned`, {bounds}.",
    )
    .comment("MiB/s for `throughput: provisioned`")
    .example("10")
    .page("{bounds} MiB/s. Required by `throughput: provisioned`, and only valid with it.")
    .parameter(Parameter::new("ProvisionedThroughput", "MiB/s for ThroughputMode provisioned").absent("1")),
    Key::new(
        "storage.performance_mode",
        Kind::Word(|| PerformanceMode::ALL.map(PerformanceMode::as_str).to_vec()),
        "EFS performance mode; a change REPLACES the file system.",
    )
    .default("generalPurpose")
    .comment("{words}; a change REPLACES the file system")
    .page("{words} (not with `elastic`). **A change replaces the file system.**")
    .parameter(Parameter::new(
        "PerformanceMode",
        "EFS performance mode; a change REPLACES the file system",
    )),
    Key::new(
        "storage.backup",
        Kind::Boolean,
        "Whether AWS Backup backs it up daily.",
    )
    .default("true")
    .comment("Daily backups by AWS Backup")
    .page(
        "AWS Backup backs up the file system daily. According to AWS, a backup of a file system in use may contain duplicated, \
         skewed, or excluded data: see [fencing.md](fencing.md#a-copy-of-a-file-system).",
    )
    .parameter(
        Parameter::new("Backup", "Whether AWS Backup backs up the file system daily").switch("ENABLED", "DISABLED"),
    ),
    Key::new(
        "storage.kms_key",
        Kind::Text(Rule::of::<KmsKey>()),
        "Key that encrypts it; default: the account's own key for EFS. A change REPLACES the file system.",
    )
    .otherwise("the account's own key for EFS")
    .comment("Key that encrypts it; default: the account's own for EFS; a change REPLACES the file system")
    .example("alias/mq")
    .page("Key ID, `alias/NAME`, or the ARN of either. **A change replaces the file system.**")
    .parameter(Parameter::new(
        "KmsKey",
        "Key that encrypts the file system; empty for the account's own; a change REPLACES it",
    )),
    Key::new(
        "storage.mount",
        Kind::Word(|| Mount::ALL.map(Mount::as_str).to_vec()),
        "How the instance mounts it.",
    )
    .default("efs-utils")
    .comment("efs-utils (TLS and IAM) or nfs (neither)")
    .page(
        "`efs-utils` mounts with TLS and the instance's role; the image must contain efs-utils. `nfs` mounts with the kernel's client \
         only: no TLS, no IAM, and a file system policy that allows any client that can reach a mount target. Causes a warning. See \
         [hosts](hosts.md).",
    ),
    Key::new(
        "storage.lease_seconds",
        Kind::Integer { min: 5, max: 300 },
        "Assumed NFS lease of its server, {bounds} s; default: the agent's assumption for EFS, 90.",
    )
    .otherwise("none, equivalent to `90`")
    .comment("Assumed NFS lease of its server, in seconds")
    .example("90")
    .page("{bounds}. NFS lease of the server in seconds, as assumed by the agent. EFS does not document its lease."),
    Key::new(
        "storage.start_on_lease",
        Kind::Boolean,
        "Whether the engine may start when the previous owner's lease has expired and EC2 has no record of it; default: the\n\
         engine's own rule, by which IBM MQ may start because it locks its own files.",
    )
    .otherwise("none: IBM MQ may")
    .comment("Start when the previous owner's lease has expired and EC2 has no record of it; default: IBM MQ may")
    .example("true")
    .page(
        "`true` or `false`: whether the engine may start when the previous owner's lease has expired and EC2 has no record \
         of it. See [fencing.md](fencing.md).",
    ),
];
