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
        "Image with IBM MQ and the agent; default: the one that `mqaws ami build` made.",
    )
    .otherwise("the image that `mqaws ami build` made")
    .comment("Image with IBM MQ and mqaws-agent; default: the one that `mqaws ami build` made")
    .example("ami-0123456789abcdef0")
    .page("Image with IBM MQ and `mqaws-agent`. The local cloud has one of its own.")
    .flag(Flag::new("ami", "ID", "Image with IBM MQ and the agent [default: the one that was built]").first())
    .parameter(Parameter::new("AMI", "Image with the queue manager's software and the agent").of("AWS::EC2::Image::Id")),
    Key::new(
        "instance.key_name",
        Kind::Text(Rule::of::<KeyPairName>()),
        "EC2 key pair for ssh; default: none, Session Manager is the way in.",
    )
    .comment("Key pair for ssh; default: none, Session Manager is the way in")
    .example("my-key")
    .quoted()
    .page("EC2 key pair. Without it there is no ssh; Session Manager is the way in.")
    .flag(Flag::new("key-name", "NAME", "EC2 key pair for ssh [default: none]"))
    .parameter(Parameter::new("KeyName", "EC2 key pair for ssh; empty for none")),
    Key::new(
        "instance.root_volume_gib",
        Kind::Integer { min: 10, max: 1024 },
        "Size of the encrypted root volume in GiB, {bounds}.",
    )
    .default("20")
    .comment("Size of the encrypted root volume, {bounds}")
    .page("{bounds}. The encrypted root volume; messages are not on it.")
    .parameter(Parameter::new("RootVolumeSize", "Size of the root volume in GiB")),
    Key::new(
        "storage.file_system",
        Kind::Text(Rule::of::<FileSystemId>()),
        "Kept file system that a new stack adopts, with its messages; default: it makes one of its own.",
    )
    .otherwise("none: a new stack makes one of its own")
    .comment("Kept file system that a new stack adopts; default: it makes one of its own")
    .example("fs-0123456789abcdef0")
    .page(
        "A kept file system (`mqaws storage list`) that a stack which does not exist yet adopts, with the messages on it. A \
         stack that exists must have this one. See [kept data](troubleshooting.md#kept-data-comes-back).",
    )
    .flag(Flag::new(
        "adopt-file-system",
        "ID",
        "Kept file system that a new stack adopts [default: it makes one]",
    )),
    Key::new(
        "storage.throughput",
        Kind::Word(|| Throughput::ALL.map(Throughput::as_str).to_vec()),
        "How its throughput is paid for.",
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
    .page("{bounds} MiB/s. Only with `throughput: provisioned`, and needed there.")
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
        "Whether AWS Backup copies it daily.",
    )
    .default("true")
    .comment("Daily copies by AWS Backup")
    .page(
        "AWS Backup copies the file system daily. AWS says that a backup of a file system in use may hold duplicated, \
         skewed or excluded data: see [fencing.md](fencing.md#a-copy-of-a-file-system).",
    )
    .parameter(
        Parameter::new("Backup", "Whether AWS Backup copies the file system daily").switch("ENABLED", "DISABLED"),
    ),
    Key::new(
        "storage.kms_key",
        Kind::Text(Rule::of::<KmsKey>()),
        "Key that encrypts it; default: the account's own key for EFS. A change REPLACES the file system.",
    )
    .otherwise("the account's own key for EFS")
    .comment("Key that encrypts it; default: the account's own for EFS; a change REPLACES the file system")
    .example("alias/mq")
    .page("Key id, `alias/NAME`, or the ARN of either. **A change replaces the file system.**")
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
        "`efs-utils` mounts with TLS and the instance's role; the image must have efs-utils. `nfs` mounts with the kernel \
         alone: no TLS, no IAM, and a file system policy that admits whoever reaches a mount target. Warned about. See \
         [hosts](hosts.md).",
    ),
    Key::new(
        "storage.lease_seconds",
        Kind::Integer { min: 5, max: 300 },
        "What the NFS lease of its server is taken to be, {bounds} s; default: the agent's assumption about EFS, 90.",
    )
    .otherwise("none, which is `90`")
    .comment("What the NFS lease of its server is taken to be, seconds")
    .example("90")
    .page("{bounds}. What the agent takes the NFS lease of the server to be. EFS does not document its own."),
    Key::new(
        "storage.start_on_lease",
        Kind::Boolean,
        "Whether the engine may start when the previous owner's lease has run out and EC2 says nothing of it; default: the\n\
         engine's own rule, by which IBM MQ may, since it locks its own files.",
    )
    .otherwise("none: IBM MQ may")
    .comment("Start when the last owner's lease has run out and EC2 says nothing; default: IBM MQ may")
    .example("true")
    .page(
        "`true` or `false`: whether the engine may start when the previous owner's lease has run out and EC2 says nothing \
         of it. See [fencing.md](fencing.md).",
    ),
];
