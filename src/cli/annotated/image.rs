//! The section `image` of the annotated file.

use super::{key, other, quoted};
use crate::model::{Connect, Engine, Image};

/// The section for an image: its lines, commented out while they only say the default.
pub(super) fn section(image: &Image) -> String {
    let default = Image::default();
    let text = |value: Option<String>| value.as_deref().map(quoted);
    let mut out =
        String::from("\n# The image that instances start from: for `mqaws ami`, see docs/image.md.\nimage:\n");
    let mut line = |words: &str, name: &str, value: Option<String>, otherwise: &str| {
        key(&mut out, words, name, value, otherwise);
    };
    let engine = (image.engine != Engine::default()).then(|| image.engine.as_str().to_owned());
    line("ibm-mq or rabbitmq", "engine", engine, "ibm-mq");
    let source = text(image.source.as_ref().map(ToString::to_string));
    let words = "What it is made from: an AMI id, ssm:/NAME of a parameter, filter:OWNER/NAME; default: the newest RHEL 9 or AL2023";
    line(words, "source", source, "filter:309956199498/RHEL-9*_HVM-*-x86_64-*");
    let vpc = image.vpc.as_ref().map(ToString::to_string);
    line(
        "Network of the machine that builds it; default: the default VPC",
        "vpc",
        vpc,
        "vpc-0123456789abcdef0",
    );
    let subnet = image.subnet.as_ref().map(ToString::to_string);
    line("One subnet of it", "subnet", subnet, "subnet-0123456789abcdef0");
    let kind = other(&image.instance_type, &default.instance_type);
    line("EC2 type of that machine", "instance_type", kind, "t3.medium");
    let connect = (image.connect != Connect::default()).then(|| image.connect.as_str().to_owned());
    line("ssh or session-manager", "connect", connect, "ssh");
    let from = image.ssh_from.map(|range| range.to_string());
    line("From where ssh may reach that machine", "ssh_from", from, "0.0.0.0/0");
    let login = other(&image.ssh_username, &default.ssh_username);
    line("Account that ssh logs in to", "ssh_username", login, "ec2-user");
    let profile = text(image.instance_profile.as_ref().map(ToString::to_string));
    line(
        "Instance profile, for Session Manager and for a package in S3",
        "instance_profile",
        profile,
        "image-builder",
    );
    let package = text(image.package.as_ref().map(ToString::to_string));
    line(
        "IBM MQ's package: a tarball beside this file, or s3://BUCKET/KEY",
        "package",
        package,
        "IBM-MQ.tar.gz",
    );
    let zeros = "0".repeat(64);
    let sum = text(image.package_sha256.as_ref().map(ToString::to_string));
    line("Its SHA-256", "package_sha256", sum, &quoted(&zeros));
    let version = text(image.engine_version.as_ref().map(ToString::to_string));
    line("Its version", "engine_version", version, "9.4.0.0");
    let mount = image.mount.map(|mount| mount.as_str().to_owned());
    line(
        "efs-utils or nfs; default: as `storage.mount` says",
        "mount",
        mount,
        "efs-utils",
    );
    let package = text(image.efs_utils_package.clone());
    line(
        "Package of efs-utils where the distribution has none",
        "efs_utils_package",
        package,
        "amazon-efs-utils.rpm",
    );
    let sum = text(image.efs_utils_sha256.as_ref().map(ToString::to_string));
    line("Its SHA-256", "efs_utils_sha256", sum, &quoted(&zeros));
    let kms = image.kms_key.as_ref().map(ToString::to_string);
    line(
        "Key that encrypts it; default: the account's own for EBS",
        "kms_key",
        kms,
        "alias/images",
    );
    let device = image.root_device.as_ref().map(ToString::to_string);
    line(
        "Root device of what it is made from",
        "root_device",
        device,
        "/dev/sda1",
    );
    out
}
