//! What can be given to a template, with the configuration's values as defaults.

use indexmap::IndexMap;

use super::document::Variable;
use crate::model::{Connect, Deployment, SourceImage};

/// Every variable, in the order of the document.
pub(super) fn variables(deployment: &Deployment) -> IndexMap<&'static str, Variable> {
    let image = &deployment.image;
    let mut all = IndexMap::new();
    // A value that the configuration has, else none: whoever runs Packer gives it.
    let needed = |all: &mut IndexMap<_, _>, name, what: &str, value: Option<String>| {
        let variable = Variable::required(what);
        all.insert(name, if value.is_some() { variable.or(value) } else { variable });
    };
    // A value that the configuration has, else null: Packer does what it does without.
    let open = |all: &mut IndexMap<_, _>, name, what: &str, value: Option<String>| {
        all.insert(name, Variable::required(what).or(value));
    };
    let region = deployment.region.as_ref().map(ToString::to_string);
    needed(&mut all, "region", "AWS region of the build and of the image", region);
    let vpc = image.vpc.as_ref().map(ToString::to_string);
    open(
        &mut all,
        "vpc_id",
        "VPC of the build instance; null: the VPC of the subnet",
        vpc,
    );
    let subnet = image.subnet.as_ref().map(ToString::to_string);
    open(
        &mut all,
        "subnet_id",
        "Subnet of the build instance; null: one of the default VPC",
        subnet,
    );
    let kind = Some(image.instance_type.to_string());
    open(&mut all, "instance_type", "Instance type of the build instance", kind);
    let source = match image.source() {
        SourceImage::Ami(id) => Some(id.to_string()),
        SourceImage::Parameter(_) | SourceImage::Filter { .. } => None,
    };
    open(
        &mut all,
        "source_ami",
        "ID of the source image; null: it is looked up",
        source,
    );
    let device = Some(image.root_device().to_string());
    open(&mut all, "root_device", "Root device of the source image", device);
    let key = image.kms_key.as_ref().map(ToString::to_string);
    open(
        &mut all,
        "kms_key_id",
        "Key that encrypts the image; null: the account's own key for EBS",
        key,
    );
    let profile = image.instance_profile.as_ref().map(ToString::to_string);
    open(
        &mut all,
        "instance_profile",
        "Instance profile of the build instance, for Session Manager and for a package in S3",
        profile,
    );
    connection(deployment, &mut |name, what, value| open(&mut all, name, what, value));

    needed(&mut all, "agent", "Path of the executable mqaws-agent", None);
    let version = Some(env!("CARGO_PKG_VERSION").to_owned());
    open(&mut all, "agent_version", "Version of the agent", version);
    let version = image.engine_version.as_ref().map(ToString::to_string);
    needed(&mut all, "engine_version", "Version of the engine", version);
    let package = image.package.as_ref().map(ToString::to_string);
    let sum = image.package_sha256.as_ref().map(ToString::to_string);
    let name = image.engine.facts().name;
    if let Some(licence) = image.engine.facts().licence {
        let what = format!("{name}'s package: path of a tarball, or s3://BUCKET/KEY");
        needed(&mut all, "package", &what, package);
        needed(&mut all, "package_sha256", "SHA-256 of the package", sum);
        let no = Some("no".to_owned());
        open(
            &mut all,
            "accept_licence",
            &format!("yes accepts {licence}; any other value stops the build"),
            no,
        );
    } else {
        let what = format!(
            "Packages of {name} and of what it runs on: path of a tarball, or s3://BUCKET/KEY; empty: from the distribution"
        );
        open(&mut all, "package", &what, Some(package.unwrap_or_default()));
        let what = "SHA-256 of the tarball with the packages";
        open(&mut all, "package_sha256", what, Some(sum.unwrap_or_default()));
    }
    let mount = Some(deployment.image_mount().as_str().to_owned());
    open(
        &mut all,
        "mount",
        "Client with which instances mount the file system: efs-utils or nfs",
        mount,
    );
    let package = Some(image.efs_utils_package.clone().unwrap_or_default());
    open(
        &mut all,
        "efs_utils_package",
        "Path of the efs-utils rpm or deb package; empty: from the distribution, which only Amazon Linux provides",
        package,
    );
    let sum = image.efs_utils_sha256.as_ref().map(ToString::to_string);
    open(
        &mut all,
        "efs_utils_sha256",
        "SHA-256 of the efs-utils package",
        Some(sum.unwrap_or_default()),
    );
    open(
        &mut all,
        "provision",
        "Folder of the scripts; null: provision/ next to this file",
        None,
    );
    open(
        &mut all,
        "run",
        "ID of this build, a tag of all resources that it creates",
        Some(String::new()),
    );
    let manifest = Some("packer-manifest.json".to_owned());
    open(
        &mut all,
        "manifest",
        "Manifest file, which lists the artifacts",
        manifest,
    );
    all
}

/// How Packer reaches EC2 and the building machine.
fn connection(deployment: &Deployment, open: &mut impl FnMut(&'static str, &'static str, Option<String>)) {
    let image = &deployment.image;
    let (interface, from) = match image.connect {
        // Without a choice Packer takes the public address, or else the private one.
        Connect::Ssh => (
            None,
            image.ssh_from.map_or("0.0.0.0/0".to_owned(), |from| from.to_string()),
        ),
        // Session Manager needs no open port, and Packer opens one: to nobody.
        Connect::SessionManager => (Some("session_manager".to_owned()), "127.0.0.1/32".to_owned()),
    };
    open(
        "ssh_interface",
        "How SSH connects to the build instance: session_manager, private_ip, public_ip; null: by its address",
        interface,
    );
    open(
        "ssh_from",
        "Range from which SSH to the build instance is allowed",
        Some(from),
    );
    open(
        "ssh_username",
        "User of the source image: root, or one that may use sudo without a password",
        Some(image.ssh_username.to_string()),
    );
    open(
        "ssh_host",
        "Address to connect to; null: the address of the build instance",
        None,
    );
    open("ssh_port", "Port to connect to", Some("22".to_owned()));
    open(
        "ssh_keypair_name",
        "EC2 key pair of the build instance; null: a temporary one for this build",
        None,
    );
    open(
        "ssh_private_key_file",
        "Path of the key pair's private key; null with a temporary key pair",
        None,
    );
    open(
        "endpoint_ec2",
        "Endpoint of an AWS-compatible EC2; null: AWS itself",
        None,
    );
}
