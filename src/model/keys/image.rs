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
            "specify an rpm or deb package on this machine",
        )),
    },
};

/// A SHA-256 that no file has.
const ZEROS: &str = "\"0000000000000000000000000000000000000000000000000000000000000000\"";

pub(super) const KEYS: &[Key] = &[
    Key::new(
        "image.engine",
        Kind::Word(|| Engine::all().map(Engine::as_str).collect()),
        "Engine that the image contains.",
    )
    .default("ibm-mq")
    .comment("{words}")
    .page("{words}. Engine that the image contains."),
    Key::new(
        "image.source",
        Kind::Text(Rule::of::<SourceImage>()),
        "Source image; default: the newest RHEL 9 for IBM MQ, the newest Amazon Linux 2023 for RabbitMQ.",
    )
    .otherwise("the newest RHEL 9 for IBM MQ, the newest Amazon Linux 2023 for RabbitMQ")
    .comment(
        "Source image: an AMI ID, ssm:/NAME of a parameter, or filter:OWNER/NAME; default: the newest RHEL 9 or AL2023",
    )
    .example("filter:309956199498/RHEL-9*_HVM-*-x86_64-*")
    .quoted()
    .page(
        "Source image: an AMI ID, `ssm:/NAME` of a Systems Manager parameter, or `filter:OWNER/NAME` for \
         the newest image of an owner (12 digits, `self`, `amazon`) whose name matches, with `*` and `?` as wildcards. Not \
         verified in a real account yet.",
    ),
    Key::new(
        "image.vpc",
        Kind::Text(Rule::of::<VpcId>()),
        "VPC of the build instance; requires `subnet`.",
    )
    .otherwise("that of the subnet")
    .comment("Network of the build instance; default: the default VPC")
    .example("vpc-0123456789abcdef0")
    .page("VPC of the build instance. Requires `image.subnet`."),
    Key::new(
        "image.subnet",
        Kind::Text(Rule::of::<SubnetId>()),
        "Subnet of the build instance; default: one of the account's default VPC.",
    )
    .otherwise("one of the default VPC")
    .comment("A subnet of this VPC")
    .example("subnet-0123456789abcdef0")
    .page("Subnet of the build instance."),
    Key::new(
        "image.instance_type",
        Kind::Text(Rule::of::<InstanceType>()),
        "Instance type of the build instance; default `{default}`.",
    )
    .default("t3.medium")
    .comment("Instance type of the build instance")
    .page("Instance type of the build instance."),
    Key::new(
        "image.connect",
        Kind::Word(|| Connect::ALL.map(Connect::as_str).to_vec()),
        "How Packer connects to the build instance.",
    )
    .default("ssh")
    .comment("{words}")
    .page(
        "`ssh`, or `session-manager`, which opens no port and requires `image.instance_profile` and the AWS Session Manager \
         plugin on your machine.",
    ),
    Key::new(
        "image.ssh_from",
        Kind::Text(Rule::of::<Cidr>()),
        "Range from which SSH is allowed during the build; default: all addresses, like Packer.",
    )
    .otherwise("`0.0.0.0/0`")
    .comment("Range from which SSH is allowed during the build")
    .example("0.0.0.0/0")
    .page("IPv4 range from which SSH is allowed during the build. Not with `session-manager`."),
    Key::new(
        "image.ssh_username",
        Kind::Text(Rule::of::<LoginName>()),
        "User that SSH logs in as; default `{default}`.",
    )
    .default("ec2-user")
    .comment("User that SSH logs in as")
    .page(
        "User of the source image that SSH logs in as; must be root, or allowed to use `sudo` without a password.",
    ),
    Key::new(
        "image.instance_profile",
        Kind::Text(Rule::of::<InstanceProfile>()),
        "Instance profile of the build instance, for Session Manager and for a package in S3.",
    )
    .comment("Instance profile, for Session Manager and for a package in S3")
    .example("image-builder")
    .quoted()
    .page("Name of the build instance's IAM instance profile. Required by `session-manager` and by a package in S3."),
    Key::new(
        "image.package",
        Kind::Text(Rule::of::<Package>()),
        "The engine's package, a tarball: a local file, relative to this file, or `s3://BUCKET/KEY`. For RabbitMQ it contains the\n\
         packages of RabbitMQ and Erlang; without it, the distribution's are installed.",
    )
    .otherwise("none; required to build IBM MQ")
    .comment("The engine's package: a tarball next to this file, or s3://BUCKET/KEY")
    .example("IBM-MQ.tar.gz")
    .quoted()
    .page(
        "The engine's package as a tarball: a file, relative to this file (a variable's or flag's, to the current folder), or \
         `s3://BUCKET/KEY`. For RabbitMQ a tarball with the packages of RabbitMQ and Erlang (`.rpm` or `.deb`); without it, they \
         are installed from the distribution.",
    ),
    Key::new(
        "image.package_sha256",
        Kind::Text(Rule::of::<Sha256>()),
        "SHA-256 of the package.",
    )
    .comment("Its SHA-256")
    .example(ZEROS)
    .quoted()
    .page("SHA-256 of the package, as printed by `sha256sum`. Required with a package."),
    Key::new(
        "image.engine_version",
        Kind::Text(Rule::of::<EngineVersion>()),
        "Version of the engine, for the image's name and tags; a build that installs a different version fails. For RabbitMQ, a\n\
         prefix is sufficient.",
    )
    .otherwise("none; required for a build")
    .comment("Its version")
    .example("9.4.0.0")
    .quoted()
    .page(
        "Version of the engine, for the image's name and tags: letters, digits, dots, and hyphens, such as `9.4.0.0`. A \
         build that installs a different version fails; for RabbitMQ, a prefix such as `3.13` is sufficient.",
    ),
    Key::new(
        "image.mount",
        Kind::Word(|| Mount::ALL.map(Mount::as_str).to_vec()),
        "What instances mount the file system with; default: the value of `storage.mount`.",
    )
    .otherwise("the value of `storage.mount`")
    .comment("{words}; default: the value of `storage.mount`")
    .example("efs-utils")
    .page("{words}: client that is installed in the image to mount the file system."),
    Key::new(
        "image.efs_utils_package",
        Kind::Text(PACKAGE_FILE),
        "Package of efs-utils, a local file, if the distribution does not provide it: only Amazon Linux does.",
    )
    .otherwise("the distribution's")
    .comment("Package of efs-utils if the distribution does not provide it")
    .example("amazon-efs-utils.rpm")
    .quoted()
    .page(
        "efs-utils as an rpm or deb file. Only Amazon Linux has it in its own repositories; RHEL requires the file, or \
         `nfs`.",
    ),
    Key::new(
        "image.efs_utils_sha256",
        Kind::Text(Rule::of::<Sha256>()),
        "SHA-256 of the package.",
    )
    .comment("Its SHA-256")
    .example(ZEROS)
    .quoted()
    .page("SHA-256 of the file. Required with a file."),
    Key::new(
        "image.kms_key",
        Kind::Text(Rule::of::<KmsKey>()),
        "Key that encrypts the image; default: the account's own key for EBS, which prevents use by other accounts.",
    )
    .otherwise("the account's own key for EBS")
    .comment("Key that encrypts it; default: the account's own for EBS")
    .example("alias/images")
    .page(
        "Key that encrypts the image: key ID, `alias/NAME`, or the ARN of either. With the account's own key, no other \
         account can use the image.",
    ),
    Key::new(
        "image.root_device",
        Kind::Text(Rule::of::<DeviceName>()),
        "Root device of the source image; default `/dev/sda1` for IBM MQ on RHEL, `/dev/xvda` for RabbitMQ on Amazon Linux.",
    )
    .otherwise("`/dev/sda1` for IBM MQ, `/dev/xvda` for RabbitMQ")
    .comment("Root device of the source image")
    .example("/dev/sda1")
    .page("Root device of the source image. Its volume has the size `instance.root_volume_gib`."),
];
