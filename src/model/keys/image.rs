//! Keys of `image`, for `mqaws ami` alone.

use super::key::Key;
use super::kind::{Kind, Rule, Wrong};
use crate::model::{
    Cidr, Connect, DeviceName, Engine, EngineVersion, InstanceProfile, InstanceType, KmsKey, LoginName, Mount, Package,
    Sha256, SourceImage, SubnetId, VpcId,
};

/// The path of a package on this machine.
const PACKAGE_FILE: Rule = Rule {
    pattern: "",
    words: "the path of a file",
    check: |key, text| match text.parse::<Package>() {
        Ok(Package::File(file)) => Ok(file),
        _ => Err(Wrong::new(
            format!("`{key}` must be the path of a file, found `{text}`"),
            "name an rpm or deb package on this machine",
        )),
    },
};

/// A SHA-256 that no file has.
const ZEROS: &str = "\"0000000000000000000000000000000000000000000000000000000000000000\"";

pub(super) const KEYS: &[Key] = &[
    Key::new(
        "image.engine",
        Kind::Word(|| Engine::all().map(Engine::as_str).collect()),
        "The engine that it holds.",
    )
    .default("ibm-mq")
    .comment("{words}")
    .page("{words}. The engine that the image holds."),
    Key::new(
        "image.source",
        Kind::Text(Rule::of::<SourceImage>()),
        "Image that it is made from; default: the newest RHEL 9 for IBM MQ, the newest Amazon Linux 2023 for RabbitMQ.",
    )
    .otherwise("the newest RHEL 9 for IBM MQ, the newest Amazon Linux 2023 for RabbitMQ")
    .comment(
        "What it is made from: an AMI id, ssm:/NAME of a parameter, filter:OWNER/NAME; default: the newest RHEL 9 or AL2023",
    )
    .example("filter:309956199498/RHEL-9*_HVM-*-x86_64-*")
    .quoted()
    .page(
        "What the image is made from: an AMI id, `ssm:/NAME` of a parameter of Systems Manager, or `filter:OWNER/NAME` for \
         the newest image of an owner (12 digits, `self`, `amazon`) whose name matches, `*` and `?` being wildcards. Never \
         looked up in an account so far.",
    ),
    Key::new(
        "image.vpc",
        Kind::Text(Rule::of::<VpcId>()),
        "VPC of the machine that builds it; needs `subnet`.",
    )
    .otherwise("that of the subnet")
    .comment("Network of the machine that builds it; default: the default VPC")
    .example("vpc-0123456789abcdef0")
    .page("VPC of the machine that builds the image. Needs `image.subnet`."),
    Key::new(
        "image.subnet",
        Kind::Text(Rule::of::<SubnetId>()),
        "Subnet of the machine that builds it; default: one of the account's default VPC.",
    )
    .otherwise("one of the default VPC")
    .comment("One subnet of it")
    .example("subnet-0123456789abcdef0")
    .page("Subnet of that machine."),
    Key::new(
        "image.instance_type",
        Kind::Text(Rule::of::<InstanceType>()),
        "EC2 type of the machine that builds it; default `{default}`.",
    )
    .default("t3.medium")
    .comment("EC2 type of that machine")
    .page("EC2 type of that machine."),
    Key::new(
        "image.connect",
        Kind::Word(|| Connect::ALL.map(Connect::as_str).to_vec()),
        "How Packer reaches that machine.",
    )
    .default("ssh")
    .comment("{words}")
    .page(
        "`ssh`, or `session-manager`, which opens no port and needs `image.instance_profile` and AWS's Session Manager \
         plugin on your machine.",
    ),
    Key::new(
        "image.ssh_from",
        Kind::Text(Rule::of::<Cidr>()),
        "Range from which ssh may reach that machine while it builds; default: from anywhere, as Packer has it.",
    )
    .otherwise("`0.0.0.0/0`")
    .comment("From where ssh may reach that machine")
    .example("0.0.0.0/0")
    .page("IPv4 range from which ssh may reach that machine while it builds. Not with `session-manager`."),
    Key::new(
        "image.ssh_username",
        Kind::Text(Rule::of::<LoginName>()),
        "Account that ssh logs in to; default `{default}`.",
    )
    .default("ec2-user")
    .comment("Account that ssh logs in to")
    .page(
        "Account of the source image that ssh logs in to; it must be root, or be allowed `sudo` without a password.",
    ),
    Key::new(
        "image.instance_profile",
        Kind::Text(Rule::of::<InstanceProfile>()),
        "Instance profile of that machine, for Session Manager and for a package in S3.",
    )
    .comment("Instance profile, for Session Manager and for a package in S3")
    .example("image-builder")
    .quoted()
    .page("Name of that machine's IAM instance profile. Needed by `session-manager` and by a package in S3."),
    Key::new(
        "image.package",
        Kind::Text(Rule::of::<Package>()),
        "IBM MQ's package, a tarball: a local file, beside this one when its path is relative, or `s3://BUCKET/KEY`.",
    )
    .otherwise("none; a build of IBM MQ needs it")
    .comment("IBM MQ's package: a tarball beside this file, or s3://BUCKET/KEY")
    .example("IBM-MQ.tar.gz")
    .quoted()
    .page(
        "IBM MQ's package as a tarball: a file, relative to this file (a variable's or flag's, to the current folder), or \
         `s3://BUCKET/KEY`. Not with `rabbitmq`.",
    ),
    Key::new(
        "image.package_sha256",
        Kind::Text(Rule::of::<Sha256>()),
        "SHA-256 of that package.",
    )
    .comment("Its SHA-256")
    .example(ZEROS)
    .quoted()
    .page("SHA-256 of that package, as `sha256sum` prints it. Needed with it."),
    Key::new(
        "image.engine_version",
        Kind::Text(Rule::of::<EngineVersion>()),
        "Version of the engine, for the image's name and tags; a build fails when it installs another. Of RabbitMQ's the\n\
         beginning will do.",
    )
    .otherwise("none; a build needs it")
    .comment("Its version")
    .example("9.4.0.0")
    .quoted()
    .page(
        "Version of the engine, for the image's name and tags: letters, digits, dots and hyphens, such as `9.4.0.0`. A \
         build that installs another fails; of RabbitMQ's the beginning will do, such as `3.13`.",
    ),
    Key::new(
        "image.mount",
        Kind::Word(|| Mount::ALL.map(Mount::as_str).to_vec()),
        "What instances mount the file system with; default: as `storage.mount` says.",
    )
    .otherwise("what `storage.mount` says")
    .comment("{words}; default: as `storage.mount` says")
    .example("efs-utils")
    .page("{words}: what the image gets to mount the file system with."),
    Key::new(
        "image.efs_utils_package",
        Kind::Text(PACKAGE_FILE),
        "Package of efs-utils, a local file, where the distribution has none: only Amazon Linux has.",
    )
    .otherwise("the distribution's")
    .comment("Package of efs-utils where the distribution has none")
    .example("amazon-efs-utils.rpm")
    .quoted()
    .page(
        "efs-utils as an rpm or deb file. Only Amazon Linux has it in its own repositories; RHEL needs the file, or \
         `nfs`.",
    ),
    Key::new(
        "image.efs_utils_sha256",
        Kind::Text(Rule::of::<Sha256>()),
        "SHA-256 of that package.",
    )
    .comment("Its SHA-256")
    .example(ZEROS)
    .quoted()
    .page("SHA-256 of that file. Needed with it."),
    Key::new(
        "image.kms_key",
        Kind::Text(Rule::of::<KmsKey>()),
        "Key that encrypts the image; default: the account's own key for EBS, with which no other account can start it.",
    )
    .otherwise("the account's own key for EBS")
    .comment("Key that encrypts it; default: the account's own for EBS")
    .example("alias/images")
    .page(
        "Key that encrypts the image: key id, `alias/NAME`, or the ARN of either. With the account's own key no other \
         account can start the image.",
    ),
    Key::new(
        "image.root_device",
        Kind::Text(Rule::of::<DeviceName>()),
        "Root device of the source image; default `/dev/sda1` for IBM MQ on RHEL, `/dev/xvda` for RabbitMQ on Amazon Linux.",
    )
    .otherwise("`/dev/sda1` for IBM MQ, `/dev/xvda` for RabbitMQ")
    .comment("Root device of what it is made from")
    .example("/dev/sda1")
    .page("Root device of the source image. Its volume gets the size `instance.root_volume_gib`."),
];
